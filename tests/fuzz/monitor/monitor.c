/* Gives a machine's monitors what somebody types (an input that begins with h, or another even byte) or sends as a program (q, odd).
 *
 * The bytes come where those of a console do (tests.mk, --wrap). What a program is answered must be JSON, one value a line,
 * and no command leaves the folder of -snapdir. Nothing is sent away and nothing run: exec: is the user's shell. */
#define _GNU_SOURCE
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "machine/core/machine.h"
#include "machine/host/chardev.h"
#include "machine/host/console.h"
#include "machine/monitor/monitor.h"
#include "machine/core/config.h"
#include "machine/snapshot/outgoing.h"
#include "savevm/json.h"
#include "tests/fuzz/load/load.h"

#define MAX_ANSWER (UINT32_C(4) << 20)	/* bytes, of an input of MONITOR_LINE * 4 */

static unsigned long inputs, good;
static int results;
static struct {
	struct machine *m;
	struct console *console;	/* ours */
	char folder[32];
	const uint8_t *data;
	size_t left;
	bool busy;			/* libFuzzer has files of its own */
	uint32_t client;
	char *answer;			/* of MAX_ANSWER */
	size_t len;
} now;

static void fail(const char *what, const char *text)
{
	dprintf(results, "%s: '%s'\n", what, text);
	abort();
}

/* ---- In place of the host ---- */

size_t __real_console_read(struct console *c, void *buf, size_t len);
size_t __wrap_console_read(struct console *c, void *buf, size_t len);
void __real_console_write(struct console *c, const void *buf, size_t len);
void __wrap_console_write(struct console *c, const void *buf, size_t len);
uint32_t __real_console_client(const struct console *c);
uint32_t __wrap_console_client(const struct console *c);
bool __wrap_outgoing_migrate(struct machine *m, const char *uri, struct error *err);
bool __wrap_outgoing_save(struct machine *m, const char *path, struct error *err);
bool __real_place_has_file(const char *path, struct error *why);
bool __wrap_place_has_file(const char *path, struct error *why);
int __real_unlink(const char *path);
int __wrap_unlink(const char *path);

size_t __wrap_console_read(struct console *c, void *buf, size_t len)
{
	if (c != now.console)
		return __real_console_read(c, buf, len);
	if (len > now.left)
		len = now.left;
	memcpy(buf, now.data, len);
	now.data += len;
	now.left -= len;
	return len;
}

void __wrap_console_write(struct console *c, const void *buf, size_t len)
{
	if (c != now.console) {
		__real_console_write(c, buf, len);
		return;
	}
	if (len > MAX_ANSWER - now.len)
		fail("answers", "without end");
	memcpy(now.answer + now.len, buf, len);
	now.len += len;
}

uint32_t __wrap_console_client(const struct console *c)
{
	return c == now.console ? now.client : __real_console_client(c);
}

static void inside(const char *path)
{
	size_t len = strlen(now.folder);

	if (strncmp(path, now.folder, len) || path[len] != '/' || strchr(path + len + 1, '/'))
		fail("outside of -snapdir", path);
}

bool __wrap_outgoing_migrate(struct machine *m, const char *uri, struct error *err)
{
	(void)m;
	error_set(err, "not to '%.100s'", uri);
	return false;
}

bool __wrap_outgoing_save(struct machine *m, const char *path, struct error *err)
{
	(void)m;
	inside(path);
	error_set(err, "not here");
	return false;
}

/* There always is one, so that what is deleted is seen. */
bool __wrap_place_has_file(const char *path, struct error *why)
{
	if (!now.busy)
		return __real_place_has_file(path, why);
	inside(path);
	return true;
}

int __wrap_unlink(const char *path)
{
	if (!now.busy)
		return __real_unlink(path);
	inside(path);
	errno = ENOENT;
	return -1;
}

/* ---- An input ---- */

static void tell(void)
{
	rmdir(now.folder);
	dprintf(results, "%lu inputs: %lu good\n", inputs, good);
}

/* A machine that never runs, with a monitor more than it has. */
static struct machine *machine_with(bool qmp)
{
	static struct config o;
	static struct chardev stream;
	struct error err = { .msg = "" };
	struct machine *m;
	struct monitor *mon = calloc(1, sizeof *mon);

	machine_options(&o, 0, NULL);
	o.snapdir = now.folder;
	m = machine_of(&o);
	now.console = chardev_parse_short("null", &stream, &err) ? console_open(&m->consoles, m->term, &stream, &err) : NULL;
	if (!mon || !now.console)
		die("monitor", err.msg);
	*mon = (struct monitor){ .m = m, .console = now.console, .qmp = qmp };
	m->monitors->of[m->monitors->count++] = mon;
	return m;
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	(void)argc, (void)argv;
	results = dup(STDOUT_FILENO);
	snprintf(now.folder, sizeof now.folder, "/tmp/cede-monitor-XXXXXX");
	now.answer = malloc(MAX_ANSWER + 1);
	if (!now.answer || !mkdtemp(now.folder))
		fail("folder", "cannot be made");
	atexit(tell);
	return 0;
}

/* Each line a value; how many of them are no errors. */
static unsigned check_lines(char *text)
{
	unsigned returns = 0;
	char *save = NULL;

	for (char *line = strtok_r(text, "\r\n", &save); line; line = strtok_r(NULL, "\r\n", &save)) {
		struct json j;

		if (!json_parse(&j, line, strlen(line)))
			fail("no JSON", line);
		if (j.node[0].kind != JSON_OBJECT)
			fail("no object", line);
		returns += json_member(&j, 0, "return") != JSON_NONE;
		json_free(&j);
	}
	return returns;
}

static bool answered_well(bool qmp)
{
	now.answer[now.len] = 0;
	if (strlen(now.answer) != now.len && qmp)
		fail("a NUL", now.answer);
	return qmp ? check_lines(now.answer) > 1 : !strstr(now.answer, "Error") && !strstr(now.answer, "unknown command");
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct machine *machines[2];
	static struct console *consoles[2];
	bool qmp;

	inputs++;
	if (size < 2 || size > 4 * MONITOR_LINE)
		return 0;
	qmp = data[0] & 1;
	if (!machines[qmp]) {
		machines[qmp] = machine_with(qmp);
		consoles[qmp] = now.console;
	}
	now.m = machines[qmp];
	now.console = consoles[qmp];
	now.data = data + 1;
	now.left = size - 1;
	now.len = 0;
	now.client++;			/* somebody else: greeted, and with nothing half said */
	now.m->request = REQ_NONE;
	now.busy = true;
	monitors_run(now.m);
	now.busy = false;
	good += answered_well(qmp);
	return 0;
}

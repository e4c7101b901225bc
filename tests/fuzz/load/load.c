/* Loads an input as a snapshot, by the way of -loadvm and -incoming; what has been loaded runs, is saved, and is loaded
 * again: with the same state. What is refused says why, in one line. Whatever else is a sanitizer's to see. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "machine/board/pseries.h"
#include "machine/core/machine.h"
#include "machine/core/config.h"
#include "machine/run/run.h"
#include "machine/snapshot/snapshot.h"
#include "machine/snapshot/statehash.h"
#include "savevm/zip.h"
#include "tests/fuzz/load/load.h"

#define CYCLES 5000			/* that it runs */

struct load_counts load_counts;

static struct config options[4];

/* One input's: what the wrapped function does, and has found. */
static struct {
	int pipe;			/* -1: by its name */
	bool loaded;
	struct error why;
	struct event end;
} now;

static void on_end(void *opaque)
{
	machine_request(opaque, REQ_QUIT, 0);
}

/* ---- See tests.mk, --wrap ---- */

bool __real_snapshot_load(struct machine *m, const char *path, struct error *err);
bool __wrap_snapshot_load(struct machine *m, const char *path, struct error *err);

bool __wrap_snapshot_load(struct machine *m, const char *path, struct error *err)
{
	now.loaded = now.pipe >= 0 ? snapshot_load_fd(m, now.pipe, err) : __real_snapshot_load(m, path, err);
	now.why = *err;
	now.end = (struct event){ .when = UINT64_MAX, .fire = on_end, .opaque = m };
	if (!now.loaded)
		return false;
	event_schedule(m, &now.end, m->clock.now + CYCLES);
	if (m->cut_end > now.end.when)
		m->cut_end = now.end.when;	/* an idle machine may have been cut from a wait of years */
	return now.loaded;
}

/* ---- Files ---- */

/* A pipe takes it as a whole. */
static int through_pipe(int fd)
{
	static uint8_t data[2 * LOAD_MAX];
	ssize_t n = pread(fd, data, LOAD_MAX, 0);
	int ends[2];

	if (pipe2(ends, O_CLOEXEC) || fcntl(ends[1], F_SETPIPE_SZ, LOAD_MAX) < 0 || n < 0 || write(ends[1], data, (size_t)n) != n)
		die("pipe", "cannot be filled");
	close(ends[1]);
	close(fd);
	return ends[0];
}

/* ---- What was refused, what was loaded ---- */

static void check_refusal(void)
{
	size_t len = strlen(now.why.msg);

	for (size_t i = 0; i < len; i++)
		if (now.why.msg[i] < ' ' || now.why.msg[i] > '~')
			die("refused with more than a line", now.why.msg);
	if (!len)
		die("refused", "without a word");
}

/* Whatever state a machine has come into, it can be saved, and comes back. */
static void save_and_compare(struct machine *m, unsigned config, unsigned how)
{
	char path[INPUT_PATH], parent[INPUT_PATH], name[16];
	struct snapshot_options o = { .compress = how == 1 && zip_known(), .mapped = how == 2 };
	struct error err = { .msg = "" };
	struct machine *again = machine_of(&options[config]);

	snprintf(name, sizeof name, "parent-%u", config);
	if (how == 3)
		o.parent = input_path(parent, name);
	if (!snapshot_save(m, input_path(path, "other"), &o, &err))
		die("cannot be saved", err.msg);
	machine_clear(again);
	if (!__real_snapshot_load(again, path, &err))
		die("cannot be loaded again", err.msg);
	if (machine_statehash(again) != machine_statehash(m))
		die("saved and loaded", "another state");
	machine_free(again);
	load_counts.saved++;
}

static void load(const char *path, unsigned config, unsigned save)
{
	struct config o = options[config];
	struct machine *m;

	o.loadvm = path;
	m = machine_of(&o);
	machine_run(m);
	if (!now.loaded)
		check_refusal();
	load_counts.loaded += now.loaded;
	load_counts.ran += now.loaded && m->request == REQ_QUIT;
	if (now.loaded && m->request == REQ_QUIT && m->exit_status == 0)
		save_and_compare(m, config, save);
	machine_free(m);
}

/* ---- libFuzzer's ---- */

static void tell(void)
{
	printf("%lu inputs: %lu loaded, %lu ran, %lu saved and loaded again\n", load_counts.inputs, load_counts.loaded, load_counts.ran,
	       load_counts.saved);
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	(void)argc, (void)argv;
	for (unsigned i = 0; i < 4; i++)
		machine_options(&options[i], i, NULL);
	input_begin();
	atexit(tell);
	return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	enum load_form form;
	char path[INPUT_PATH];
	int fd;

	if (size < 2 || size > LOAD_MAX)
		return 0;
	form = LOAD_FORM(data[0]);
	load_counts.inputs++;
	fd = input_open(data, size);
	now.pipe = form == FORM_PIPE || form == FORM_ZSTD_PIPE ? through_pipe(fd) : -1;
	load(input_path(path, "input"), LOAD_CONFIG(data[0]), LOAD_SAVE(data[0]));
	close(now.pipe >= 0 ? now.pipe : fd);
	return 0;
}

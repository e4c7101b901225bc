/* The streams of the monitors: cutting what comes into commands, and sending what they answer. */
#define _GNU_SOURCE
#include "machine/monitor/monitor.h"

#include <stdlib.h>
#include <string.h>

#include "machine/core/config.h"
#include "machine/core/device.h"
#include "machine/host/console.h"
#include "machine/snapshot/outgoing.h"

#define PROMPT "(cede) "

/* ---- Answers ---- */

struct answer {
	char *text;
	size_t len;
	FILE *out;
};

static bool answer_open(struct answer *a)
{
	*a = (struct answer){ 0 };
	a->out = open_memstream(&a->text, &a->len);
	return a->out;
}

/* A terminal in raw mode, and QEMU's own scripts, want both ends of a line. */
static void answer_send(struct answer *a, struct console *c)
{
	fclose(a->out);
	for (size_t at = 0; a->text && at < a->len;) {
		const char *nl = memchr(a->text + at, '\n', a->len - at);
		size_t n = nl ? (size_t)(nl - a->text) - at : a->len - at;

		console_write(c, a->text + at, n);
		if (nl)
			console_write(c, "\r\n", 2);
		at += n + (nl != NULL);
	}
	free(a->text);
}

static void announce_event(struct machine *m, const struct run_event *event)
{
	struct answer a;

	if (event->kind == RUN_MIGRATION && !m->monitors->migration_events)
		return;
	for (unsigned i = 0; i < m->monitors->count; i++) {
		struct monitor *mon = m->monitors->of[i];

		if (!mon->ready || !answer_open(&a))
			continue;
		qmp_event(a.out, event);
		answer_send(&a, mon->console);
	}
}

void monitor_wait(struct machine *m)
{
	m->monitors->obeyed->waits = true;
}

static void no_longer_waits(struct monitor *mon)
{
	mon->waits = false;
	free(mon->id);
	mon->id = NULL;
}

static void answer_late(struct monitor *mon, const char *text)
{
	struct answer a;

	if (answer_open(&a)) {
		if (mon->qmp)
			qmp_return_text(a.out, mon->id, text);
		else
			fprintf(a.out, "%s" PROMPT, text);
		answer_send(&a, mon->console);
	}
	no_longer_waits(mon);
}

bool monitors_answer(struct machine *m, const struct error *err)
{
	char text[sizeof err->msg + 16] = "";
	bool any = false;

	if (err)
		snprintf(text, sizeof text, "Error: %s\n", err->msg);
	for (unsigned i = 0; i < m->monitors->count; i++) {
		struct monitor *mon = m->monitors->of[i];

		/* A client that has gone is not answered. */
		if (!mon->waits || mon->client != console_client(mon->console))
			continue;
		any = true;
		answer_late(mon, text);
	}
	return any;
}

static void obey_line(struct monitor *mon)
{
	struct answer a;

	mon->line[mon->len] = 0;
	mon->held = mon->m->monitors->within && (mon->qmp ? qmp_waits(mon) : hmp_waits(mon->line));
	if (mon->held)
		return;
	mon->m->monitors->obeyed = mon;
	if (answer_open(&a)) {
		if (mon->qmp)
			qmp_run(mon, a.out);
		else
			hmp_run(mon->m, mon->line, a.out);
		if (!mon->qmp && !mon->waits)
			fputs(PROMPT, a.out);
		answer_send(&a, mon->console);
	}
	mon->m->monitors->obeyed = NULL;
	mon->len = 0;
	mon->depth = 0;
	mon->in_string = mon->escaped = false;
}

static void too_long(struct monitor *mon)
{
	struct answer a;

	mon->len = 0;
	mon->depth = 0;
	mon->in_string = mon->escaped = false;
	mon->overlong = true;
	if (!answer_open(&a))
		return;
	if (mon->qmp)
		qmp_error(a.out, "GenericError", NULL, 0, "command is too long");
	else
		fputs("Error: command is too long\n" PROMPT, a.out);
	answer_send(&a, mon->console);
}

/* ---- Commands out of bytes ---- */

static void hmp_byte(struct monitor *mon, char c)
{
	bool echo = console_echoes(mon->console);

	if (c == '\r' || c == '\n') {
		if (echo)
			console_write(mon->console, "\r\n", 2);
		obey_line(mon);
	} else if (c == '\b' || c == 0x7f) {
		if (mon->len && echo)
			console_write(mon->console, "\b \b", 3);
		mon->len -= mon->len > 0;
	} else if ((unsigned char)c >= ' ' || c == '\t') {
		mon->line[mon->len++] = c;
		if (echo)
			console_write(mon->console, &c, 1);
	}
}

/* Commands need no newline between them: one ends with its last brace. */
static void qmp_byte(struct monitor *mon, char c)
{
	bool newline = c == '\n' || c == '\r';

	if (!mon->len && (newline || c == ' ' || c == '\t'))
		return;
	mon->line[mon->len++] = c;
	if (mon->in_string) {
		mon->in_string = mon->escaped || c != '"';
		mon->escaped = !mon->escaped && c == '\\';
		if (newline)
			obey_line(mon);
		return;
	}
	mon->in_string = c == '"';
	mon->depth += c == '{' || c == '[';
	if (mon->depth && (c == '}' || c == ']') && !--mon->depth)
		obey_line(mon);
	else if (newline && !mon->depth)
		obey_line(mon);
}

static void add_byte(struct monitor *mon, char c)
{
	if (mon->overlong)
		mon->overlong = c != '\n' && c != '\r';
	else if (mon->len == MONITOR_LINE - 1)
		too_long(mon);
	else if (mon->qmp)
		qmp_byte(mon, c);
	else
		hmp_byte(mon, c);
}

static void greet_client(struct monitor *mon)
{
	struct answer a;

	mon->client = console_client(mon->console);
	mon->len = 0;
	mon->depth = 0;
	mon->ready = mon->overlong = mon->in_string = mon->escaped = false;
	mon->held = false;
	no_longer_waits(mon);
	if (!mon->client || !answer_open(&a))
		return;
	if (mon->qmp)
		qmp_greet(a.out);
	else
		fputs("cede monitor - type 'help' for more information\n" PROMPT, a.out);
	answer_send(&a, mon->console);
}

void monitors_run(struct machine *m)
{
	for (unsigned i = 0; i < m->monitors->count; i++) {
		struct monitor *mon = m->monitors->of[i];
		char c;

		if (mon->client != console_client(mon->console))
			greet_client(mon);
		if (mon->held && !m->monitors->within)
			obey_line(mon);
		while (m->request == REQ_NONE && !mon->waits && !mon->held && !console_pending(mon->console) && console_read(mon->console, &c, 1))
			add_byte(mon, c);
	}
}

void monitors_run_within(struct machine *m)
{
	/* A command's own output may have led here (the console polls while it writes): no command runs within a
	 * command. */
	if (m->monitors->within || m->monitors->obeyed)
		return;
	m->monitors->within = true;
	monitors_run(m);
	m->monitors->within = false;
}

void monitors_poll(struct machine *m)
{
	for (unsigned i = 0; i < m->monitors->count; i++)
		console_poll(m->monitors->of[i]->console);
}

bool monitors_ready(const struct machine *m)
{
	for (unsigned i = 0; i < m->monitors->count; i++) {
		const struct monitor *mon = m->monitors->of[i];

		if (mon->client != console_client(mon->console) || mon->held)
			return true;
		if (!mon->waits && console_has(mon->console) && !console_pending(mon->console))
			return true;
	}
	return false;
}

void monitors_poll_files(struct machine *m)
{
	for (unsigned i = 0; i < m->monitors->count; i++)
		console_poll_file(m->monitors->of[i]->console);
}

bool monitors_file_waits(const struct machine *m)
{
	for (unsigned i = 0; i < m->monitors->count; i++)
		if (console_file_waits(m->monitors->of[i]->console))
			return true;
	return false;
}

bool monitors_pending(const struct machine *m)
{
	for (unsigned i = 0; i < m->monitors->count; i++)
		if (console_pending(m->monitors->of[i]->console))
			return true;
	return false;
}

unsigned monitors_pollfds(const struct machine *m, struct pollfd *fds)
{
	unsigned n = 0;

	for (unsigned i = 0; i < m->monitors->count; i++)
		n += console_pollfds(m->monitors->of[i]->console, fds + n);
	return n;
}

/* ---- Making them ---- */

static bool add_monitor(struct machine *m, struct console *console, bool qmp, struct error *err)
{
	struct monitor *mon = console && m->monitors->count < MONITORS_MAX ? calloc(1, sizeof *mon) : NULL;

	if (!mon) {
		console_close(console);
		if (console)
			error_set(err, "out of memory");
		return false;
	}
	mon->m = m;
	mon->console = console;
	mon->qmp = qmp;
	m->monitors->of[m->monitors->count++] = mon;
	return true;
}

static bool open_monitor(struct machine *m, const char *spec, bool qmp, struct error *err)
{
	struct console *c;

	if (!spec || !strcmp(spec, "none") || !strcmp(spec, "null"))
		return true;
	c = console_open(m->term, spec, err);
	if (c)
		console_for_commands(c);
	return add_monitor(m, c, qmp, err);
}

static void free_monitors(struct machine *m)
{
	outgoing_free(m);
	for (unsigned i = 0; i < m->monitors->count; i++) {
		console_close(m->monitors->of[i]->console);
		free(m->monitors->of[i]->id);
		free(m->monitors->of[i]);
	}
	free(m->monitors);
}

static const struct machine_listener listener = { .event = announce_event, .free = free_monitors };

bool monitors_new(struct machine *m, struct error *err)
{
	m->monitors = calloc(1, sizeof *m->monitors);
	if (!m->monitors) {
		error_set(err, "out of memory");
		return false;
	}
	machine_listen(m, &listener);
	m->outgoing = outgoing_new(monitors_answer);
	if (!m->outgoing) {
		error_set(err, "out of memory");
		return false;
	}
	for (struct device *dev = device_next_console(m, NULL); dev; dev = device_next_console(m, dev)) {
		struct console *c = dev->class->console(dev);

		if (console_has_escape(c) && !add_monitor(m, console_aside(c), false, err))
			return false;
	}
	return open_monitor(m, m->config->monitor, false, err) && open_monitor(m, m->config->qmp, true, err);
}

bool monitor_word(const char **text, char *word, size_t size)
{
	const char *s = *text + strspn(*text, " \t");
	bool quoted = *s == '"';
	size_t n = 0;

	if (!*s)
		return false;
	for (s += quoted; *s && (quoted ? *s != '"' : *s != ' ' && *s != '\t'); s++) {
		s += quoted && *s == '\\' && s[1];
		if (n + 1 >= size)
			return false;
		word[n++] = *s;
	}
	word[n] = 0;
	*text = s + (quoted && *s);
	return true;
}

/* Monitors: streams on which somebody commands the machine, by hand (hmp.c) or by program (qmp.c).
 * They are read at the poll points of the run loop, and obeyed between quanta. */
#ifndef MACHINE_MONITOR_MONITOR_H
#define MACHINE_MONITOR_MONITOR_H

#include <poll.h>
#include <stdio.h>

#include "machine/core/config.h"
#include "machine/core/machine.h"
#include "savevm/error.h"

#define MONITOR_LINE 16384	/* bytes of one command */
#define MONITORS_MAX CONFIG_MAX_MONITORS

struct console;

struct monitor {
	struct machine *m;
	struct console *console;
	bool qmp, pretty;
	bool ready;			/* qmp_capabilities has been said */
	bool overlong;			/* the command was too long: input is dropped up to the next newline */
	bool in_string, escaped;	/* inside JSON */
	bool waits;			/* its last command (a save, a migration) has not ended: no further command is read */
	bool held;			/* likewise: the one in `line` waits for the quantum's end */
	char *id;			/* QMP: of that command; NULL: none */
	unsigned depth;
	uint32_t client;		/* the console's client at the last poll: another number is a new one */
	size_t len;
	char line[MONITOR_LINE];
};

struct monitors {
	bool within;			/* a quantum or a hypercall is under way: commands that need a whole machine wait */
	bool migration_events;		/* migrate-set-capabilities */
	struct monitor *obeyed;		/* the one whose command runs now; NULL: none */
	bool (*gdbserver)(struct machine *m, const char *where, struct error *err);	/* machine/gdb, which is above */
	unsigned count;
	struct monitor *of[MONITORS_MAX];
	unsigned idles;
	struct console *idle[CONFIG_MAX_CHARDEVS];	/* streams.c: open, and nobody has them */
};

/* Makes the monitors that the options ask for, and m->outgoing. machine_free() frees both. */
bool monitors_new(struct machine *m, struct error *err);
void monitors_poll(struct machine *m);		/* takes what has come */
void monitors_poll_files(struct machine *m);	/* where that is a file: console_poll_file() */
bool monitors_file_waits(const struct machine *m);
bool monitors_pending(const struct machine *m);	/* somebody has not been sent all yet */
void monitors_run(struct machine *m);		/* obeys it */
void monitors_run_within(struct machine *m);	/* within a quantum: obeys what does not need a whole machine */
bool monitors_ready(const struct machine *m);	/* there is something to obey */
unsigned monitors_pollfds(const struct machine *m, struct pollfd *fds);
/* Says that the present command has begun something that ends later; monitors_answer() then sends its answer, and is
 * false if no monitor waits for one (any more). A command that has failed must not call this. */
void monitor_wait(struct machine *m);
bool monitors_answer(struct machine *m, const struct error *err);	/* NULL: it went well */

/* The next word of *text, a name in quotes perhaps, into `word`; *text moves behind it. False: there is none that fits. */
bool monitor_word(const char **text, char *word, size_t size);

/* hmp.c: what one line answers. */
void hmp_run(struct machine *m, const char *line, FILE *out);
bool hmp_waits(const char *line);		/* for a whole machine: it cannot be run within a quantum */
/* qtree.c: "info qtree" */
void qtree_print(const struct machine *m, FILE *out);
/* pretty.c: each line is a value of JSON, which becomes several. */
void json_pretty(FILE *out, const char *text, size_t len);
/* qmp.c */
void qmp_greet(FILE *out);
void qmp_run(struct monitor *mon, FILE *out);	/* mon->line is one JSON value, or is to be one */
bool qmp_waits(const struct monitor *mon);	/* as hmp_waits() */
void qmp_event(FILE *out, const struct run_event *event);	/* one line, with the host's time */
void qmp_string(FILE *out, const char *text);	/* in quotes */
void qmp_return_text(FILE *out, const char *id, const char *text);
void qmp_error(FILE *out, const char *class, const char *id, size_t id_len, const char *text);

#endif

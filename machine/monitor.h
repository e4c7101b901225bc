/* Monitors: streams on which somebody commands the machine, by hand (hmp.c) or by program (qmp.c).
 * They are read at the poll points of the run loop, and obeyed between quanta. */
#ifndef MACHINE_MONITOR_H
#define MACHINE_MONITOR_H

#include <poll.h>
#include <stdio.h>

#include "machine/error.h"
#include "machine/machine.h"

#define MONITOR_LINE 16384	/* bytes of one command */
#define MONITORS_MAX 20		/* -monitor, -qmp, and one for each terminal with an escape key */

struct console;

struct monitor {
	struct machine *m;
	struct console *console;
	bool qmp;
	bool ready;			/* qmp_capabilities has been said */
	bool overlong;			/* what comes up to the next newline belongs to a command that was too long */
	bool in_string, escaped;	/* inside JSON */
	bool waits;			/* its last command goes on: nothing is read until it has ended */
	char *id;			/* QMP: of that command; NULL: none */
	unsigned depth;
	uint32_t client;		/* which one the console had when we last looked */
	size_t len;
	char line[MONITOR_LINE];
};

struct monitors {
	bool stopped, sent, gone;	/* stop; migrate; -no-shutdown and the guest is off */
	bool panicked;			/* so is it, but it gave up */
	bool resets;			/* it is a monitor that wants a reset */
	bool migration_events;		/* migrate-set-capabilities */
	struct outgoing *outgoing;	/* outgoing.c */
	struct monitor *obeyed;		/* while it is */
	unsigned count;
	struct monitor *of[MONITORS_MAX];
};

bool monitors_new(struct machine *m, struct error *err);
void monitors_free(struct machine *m);
void monitors_poll(struct machine *m);		/* takes what has come */
void monitors_run(struct machine *m);		/* obeys it */
bool monitors_ready(const struct machine *m);	/* there is something to obey */
unsigned monitors_pollfds(const struct machine *m, struct pollfd *fds);
/* Tells every program that listens; `data`: a JSON object, or NULL. */
void monitor_event(struct machine *m, const char *name, const char *data);
/* The present command ends later: with monitors_answer(), which is false if nobody waits (any more). Not to be
 * said of a command that has failed. */
void monitor_wait(struct machine *m);
bool monitors_answer(struct machine *m, const struct error *err);	/* NULL: it went well */

/* hmp.c: what one line answers. */
void hmp_run(struct machine *m, const char *line, FILE *out);
/* qmp.c */
void qmp_greet(FILE *out);
void qmp_run(struct monitor *mon, FILE *out);	/* mon->line is one JSON value, or is to be one */
void qmp_string(FILE *out, const char *text);	/* in quotes */
void qmp_return_text(FILE *out, const char *id, const char *text);
void qmp_error(FILE *out, const char *class, const char *id, size_t id_len, const char *text);

#endif

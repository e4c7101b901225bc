/* Whether the machine runs, and what is to happen next; see runstate.h. */
#include "machine/core/runstate.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

#include "machine/core/clock.h"
#include "machine/core/config.h"
#include "machine/core/machine.h"
#include "machine/host/term.h"

/* ---- Those above ---- */

void machine_listen(struct machine *m, const struct machine_listener *listener)
{
	unsigned i = 0;

	while (m->run.listener[i])
		i++;
	assert(i + 1 < MACHINE_LISTENERS);	/* the last one stays NULL */
	m->run.listener[i] = listener;
}

void machine_announce(struct machine *m, struct run_event event)
{
	for (const struct machine_listener **l = m->run.listener; *l; l++)
		if ((*l)->event)
			(*l)->event(m, &event);
}

bool machine_serve(struct machine *m)
{
	bool any = false;

	for (const struct machine_listener **l = m->run.listener; *l; l++) {
		if ((*l)->serve)
			(*l)->serve(m);
		any |= (*l)->serve != NULL;
	}
	return any;
}

void machine_free_listeners(struct machine *m)
{
	for (unsigned i = MACHINE_LISTENERS; i--;) {
		const struct machine_listener *l = m->run.listener[i];

		if (l && l->free)
			l->free(m);
		m->run.listener[i] = NULL;
	}
}

/* ---- Stopping, going on ---- */

bool machine_clock_stands(const struct machine *m)
{
	return m->run.stopped || m->run.gone;
}

void machine_stop(struct machine *m)
{
	if (!m->run.stopped)
		machine_announce(m, (struct run_event){ .kind = RUN_STOP });
	m->run.stopped = true;
}

void machine_resume(struct machine *m)
{
	if (m->run.stopped)
		machine_announce(m, (struct run_event){ .kind = RUN_RESUME });
	m->run.stopped = m->run.sent = m->run.panicked = false;
	clock_init(m, m->config->warp);
}

void machine_kick(struct machine *m)
{
	if (m->running)
		m->running->halt = MACHINE_KICKED;
}

void machine_request(struct machine *m, enum machine_request request, int status)
{
	if (m->request == REQ_NONE) {
		m->request = request;
		m->exit_status = status;
	}
	machine_kick(m);
}

/* A paused machine can go on by "cont": the guest's call has returned by then. */
bool machine_pauses_on_panic(const struct config *o)
{
	return o->panic == PANIC_PAUSE || (o->panic == PANIC_SHUTDOWN && o->no_shutdown);
}

void machine_say_panic(const struct machine *m)
{
	term_say(m->term, "the guest gave up: %s", m->panic_message ? m->panic_message : "no reason given");
}

void machine_gave_up(struct machine *m, char *text)
{
	bool again = m->panic_message != NULL, pauses = machine_pauses_on_panic(m->config);

	free(m->panic_message);
	m->panic_message = text;
	if (!pauses && m->config->panic != PANIC_NONE) {
		machine_request(m, REQ_PANIC, EXIT_GUEST_PANIC);
		return;
	}
	/* A guest may give up again and again: that is reported once in each boot. */
	if (!again) {
		machine_say_panic(m);
		machine_announce(m, (struct run_event){ .kind = RUN_PANICKED, .word = pauses ? "pause" : "run" });
	}
	if (pauses) {
		machine_stop(m);
		m->run.panicked = true;
	}
}

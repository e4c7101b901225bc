/* Whether the machine runs, and what is to happen next; see runstate.h. */
#include "machine/core/runstate.h"

#include <stdio.h>
#include <stdlib.h>

#include "machine/core/config.h"
#include "machine/core/machine.h"
#include "machine/host/term.h"
#include "machine/monitor/control.h"
#include "machine/monitor/monitor.h"

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

/* Pausing is for those who can say "cont": the guest's call has come back then. */
bool machine_pauses_on_panic(const struct config *o)
{
	return o->panic == PANIC_PAUSE || (o->panic == PANIC_SHUTDOWN && o->no_shutdown);
}

void machine_say_panic(const struct machine *m)
{
	term_fresh_line(m->term);
	fprintf(stderr, "cede: the guest gave up: %s\n", m->panic_message ? m->panic_message : "no reason given");
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
	/* A guest that says so all the time is heard once in a boot. */
	if (!again) {
		machine_say_panic(m);
		monitor_event(m, "GUEST_PANICKED", pauses ? "{\"action\": \"pause\"}" : "{\"action\": \"run\"}");
	}
	if (pauses) {
		control_halt(m);
		m->monitors->panicked = true;
	}
}

/* The end of a run: programs that listen are told why (events and reasons are QEMU's), a machine whose guest has
 * gone may stay for its user, output that waits is given time, and the exit status is found. */
#include "machine/run/loop.h"

#include <stdio.h>
#include <stdlib.h>

#include "machine/core/config.h"
#include "machine/host/term.h"
#include "machine/monitor/monitor.h"
#include "machine/snapshot/snapshot.h"

static const char *quit_reason(const struct machine *m)
{
	return m->stop_signal ? "host-signal" : term_is_lost(m->term) ? "host-error" : term_ending(m->term) ? "host-ui" : "host-qmp-quit";
}

static void announce(struct machine *m, enum run_event_kind kind, bool by_guest, const char *reason)
{
	machine_announce(m, (struct run_event){ .kind = kind, .by_guest = by_guest, .word = reason });
}

void announce_end(struct machine *m)
{
	bool stays = m->config->no_shutdown || machine_pauses_on_panic(m->config), host = m->run.user_resets;

	m->run.user_resets = false;
	switch (m->request) {
	case REQ_RESET:
		announce(m, m->config->no_reboot ? RUN_SHUTDOWN : RUN_RESET, !host, host ? "host-qmp-system-reset" : "guest-reset");
		break;
	case REQ_PANIC:
		announce(m, RUN_PANICKED, true, stays ? "pause" : "poweroff");
		announce(m, RUN_STOP, false, NULL);
		if (!stays)
			announce(m, RUN_SHUTDOWN, true, "guest-panic");
		break;
	case REQ_POWER_OFF:
		announce(m, RUN_SHUTDOWN, true, "guest-shutdown");
		if (m->config->no_shutdown)
			announce(m, RUN_STOP, false, NULL);
		break;
	default:
		announce(m, RUN_SHUTDOWN, false, quit_reason(m));
	}
}

/* -no-shutdown: the guest is gone, the machine stays until the user ends it, or boots it again. */
static void linger(struct machine *m)
{
	m->run.panicked = m->request == REQ_PANIC;
	if (m->run.panicked)
		machine_say_panic(m);
	m->request = REQ_NONE;
	m->run.gone = true;
	while (m->request == REQ_NONE) {
		host_wait(m, UINT64_MAX);
		monitors_run(m);
	}
	m->run.gone = m->run.panicked = false;
	announce_end(m);
	if (m->request == REQ_RESET && !m->config->no_reboot)
		announce(m, RUN_RESUME, false, NULL);
}

/* What the guest and the monitors have said last may have a slow reader. Who wants an end does not wait for the guest's. */
void drain_output(struct machine *m)
{
	enum machine_request why = m->request;
	int status = m->exit_status;
	bool heard = why != REQ_QUIT;

	m->run.gone = true;
	m->request = REQ_NONE;
	while (m->request == REQ_NONE && !term_ending(m->term) && ((heard && host_output_held(m)) || monitors_pending(m))) {
		host_wait(m, HELD_NS);
		if (heard)
			monitors_run(m);
	}
	if (!term_ending(m->term) || why == REQ_QUIT) {
		m->request = why;
		m->exit_status = status;
	}
}

bool goes_on(struct machine *m)
{
	bool stays = m->config->no_shutdown || (m->request == REQ_PANIC && machine_pauses_on_panic(m->config));

	if ((m->request == REQ_POWER_OFF || m->request == REQ_PANIC) && stays)
		linger(m);
	return m->request == REQ_RESET && !m->config->no_reboot;
}

/* Why it ended, if that needs saying; the exit status. */
static int announce_verdict(const struct machine *m)
{
	term_fresh_line(m->term);
	switch (m->request) {
	case REQ_PANIC:
		machine_say_panic(m);
		return EXIT_GUEST_PANIC;
	case REQ_QUIT:
		if (m->stop_signal)
			fprintf(stderr, "cede: %s\n", term_end(m->term));
		return m->exit_status;
	case REQ_RESET:
		return EXIT_SUCCESS;	/* -no-reboot */
	default:
		return m->exit_status;
	}
}

int run_status(const struct machine *m)
{
	int status = announce_verdict(m);

	/* The guest's end was a good one; that a file is missing which was asked for shows all the same. */
	return status == EXIT_SUCCESS && snapshots_failed(m) ? EXIT_HOST_ERROR : status;
}

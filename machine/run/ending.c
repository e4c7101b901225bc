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

static void announce(struct machine *m, const char *event, bool guest, const char *reason)
{
	char data[80];

	snprintf(data, sizeof data, "{\"guest\": %s, \"reason\": \"%s\"}", guest ? "true" : "false", reason);
	monitor_event(m, event, data);
}

void announce_end(struct machine *m)
{
	bool stays = m->config->no_shutdown || machine_pauses_on_panic(m->config), host = m->monitors->resets;

	m->monitors->resets = false;
	switch (m->request) {
	case REQ_RESET:
		announce(m, m->config->no_reboot ? "SHUTDOWN" : "RESET", !host, host ? "host-qmp-system-reset" : "guest-reset");
		break;
	case REQ_PANIC:
		monitor_event(m, "GUEST_PANICKED", stays ? "{\"action\": \"pause\"}" : "{\"action\": \"poweroff\"}");
		monitor_event(m, "STOP", NULL);
		if (!stays)
			announce(m, "SHUTDOWN", true, "guest-panic");
		break;
	case REQ_POWER_OFF:
		announce(m, "SHUTDOWN", true, "guest-shutdown");
		if (m->config->no_shutdown)
			monitor_event(m, "STOP", NULL);
		break;
	default:
		announce(m, "SHUTDOWN", false, quit_reason(m));
	}
}

/* -no-shutdown: the guest is gone, the machine stays until the user ends it, or boots it again. */
static void linger(struct machine *m)
{
	m->monitors->panicked = m->request == REQ_PANIC;
	if (m->monitors->panicked)
		machine_say_panic(m);
	m->request = REQ_NONE;
	m->monitors->gone = true;
	while (m->request == REQ_NONE) {
		host_wait(m, UINT64_MAX);
		monitors_run(m);
	}
	m->monitors->gone = m->monitors->panicked = false;
	announce_end(m);
	if (m->request == REQ_RESET && !m->config->no_reboot)
		monitor_event(m, "RESUME", NULL);
}

/* What the guest and the monitors have said last may have a slow reader. Who wants an end does not wait for the guest's. */
void drain_output(struct machine *m)
{
	enum machine_request why = m->request;
	int status = m->exit_status;
	bool heard = why != REQ_QUIT;

	m->monitors->gone = true;
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

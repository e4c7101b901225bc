/* The end of a run: programs that listen are told why (events and reasons are QEMU's), a machine whose guest has
 * gone may stay for its user, output that waits is given time, and the exit status is found. */
#include "machine/run/loop.h"

#include <stdio.h>
#include <stdlib.h>

#include "firmware/firmware.h"
#include "machine/core/config.h"
#include "machine/display/display.h"
#include "machine/gdb/gdb.h"
#include "machine/host/term.h"
#include "machine/monitor/monitor.h"
#include "machine/snapshot/snapshot.h"

static const char *quit_reason(const struct machine *m)
{
	return m->stop_signal ? "host-signal" : term_is_lost(m->term) ? "host-error" : term_ending(m->term) || display_closed(m) ? "host-ui" : "host-qmp-quit";
}

static void announce_event(struct machine *m, enum run_event_kind kind, bool by_guest, const char *reason)
{
	machine_announce(m, (struct run_event){ .kind = kind, .by_guest = by_guest, .word = reason });
}

/* -no-reboot is about the guest's reboots. */
static bool reboots(const struct machine *m)
{
	return m->request == REQ_RESET && (!m->config->no_reboot || firmware_boots_next(m));
}

void announce_end(struct machine *m)
{
	bool stays = m->config->no_shutdown || machine_pauses_on_panic(m->config), host = m->run.user_resets;

	m->run.user_resets = false;
	switch (m->request) {
	case REQ_RESET:
		announce_event(m, reboots(m) ? RUN_RESET : RUN_SHUTDOWN, !host, host ? "host-qmp-system-reset" : "guest-reset");
		break;
	case REQ_PANIC:
		announce_event(m, RUN_PANICKED, true, stays ? "pause" : "poweroff");
		announce_event(m, RUN_STOP, false, NULL);
		if (!stays)
			announce_event(m, RUN_SHUTDOWN, true, "guest-panic");
		break;
	case REQ_POWER_OFF:
		announce_event(m, RUN_SHUTDOWN, true, "guest-shutdown");
		if (m->config->no_shutdown)
			announce_event(m, RUN_STOP, false, NULL);
		break;
	default:
		announce_event(m, RUN_SHUTDOWN, false, quit_reason(m));
	}
}

/* -no-shutdown: the guest is gone, the machine stays until the user ends it, or boots it again. */
static void keep_for_user(struct machine *m)
{
	m->run.panicked = m->request == REQ_PANIC;
	if (m->run.panicked)
		machine_say_panic(m);
	m->request = REQ_NONE;
	m->run.gone = true;
	while (m->request == REQ_NONE) {
		host_wait(m, UINT64_MAX);
		monitors_run(m);
		gdb_run(m);
	}
	m->run.gone = m->run.panicked = false;
	announce_end(m);
	if (reboots(m) && !m->run.stopped)
		announce_event(m, RUN_RESUME, false, NULL);
}

/* Waits until readers have taken the last output of the guest and of the monitors. If the user wants an end, the guest's
 * output is not waited for. */
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
		keep_for_user(m);
	return reboots(m);
}

/* Says on stderr why the run ended, if the user did not ask for it; returns the exit status. */
static int announce_verdict(const struct machine *m)
{
	term_fresh_line(m->term);
	switch (m->request) {
	case REQ_PANIC:
		machine_say_panic(m);
		return EXIT_GUEST_PANIC;
	case REQ_QUIT:
		if (m->stop_signal)
			term_say(m->term, "%s", term_end(m->term));
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
	bool saved = snapshots_end(m);

	/* A run whose guest ended well fails all the same if a file of -save is not there. */
	return status == EXIT_SUCCESS && !saved ? EXIT_HOST_ERROR : status;
}

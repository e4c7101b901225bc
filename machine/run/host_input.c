/* The door through which the host's side comes into the run loop: bytes for terminals and monitors, frames for network
 * cards, signals, the ends of background writers. What a guest can notice is taken at poll points only, or while the clock stands. */
#define _GNU_SOURCE
#include "machine/run/loop.h"

#include <assert.h>
#include <poll.h>
#include <stdlib.h>
#include <time.h>

#include "machine/core/clock.h"
#include "machine/core/config.h"
#include "machine/core/device.h"
#include "machine/core/input.h"
#include "machine/display/display.h"
#include "machine/gdb/gdb.h"
#include "machine/host/console.h"
#include "machine/host/term.h"
#include "machine/monitor/control.h"
#include "machine/monitor/monitor.h"
#include "machine/net/net.h"
#include "machine/snapshot/outgoing.h"
#include "machine/snapshot/snapshot.h"

#define CONSOLES_MAX (CONFIG_MAX_SERIAL + CONFIG_MAX_CHARDEVS)	/* one for each */

static void heed_signals(struct machine *m)
{
	m->stop_signal = term_signal(m->term);
	if (term_save_asked(m->term))
		snapshots_asked(m);
	if (m->stop_signal || term_ending(m->term) || display_closed(m))
		machine_request(m, REQ_QUIT, m->stop_signal || term_is_lost(m->term) ? EXIT_HOST_ERROR : EXIT_SUCCESS);
}

static void each_console(struct machine *m, void (*act)(struct console *))
{
	for (struct device *dev = device_next_console(m, NULL); dev; dev = device_next_console(m, dev))
		act(dev->class->console(dev));
}

static bool any_console(struct machine *m, bool (*is)(const struct console *))
{
	for (struct device *dev = device_next_console(m, NULL); dev; dev = device_next_console(m, dev))
		if (is(dev->class->console(dev)))
			return true;
	return false;
}

void host_read_files(struct machine *m)
{
	each_console(m, console_poll_file);
	monitors_poll_files(m);
}

bool host_file_waits(struct machine *m)
{
	return any_console(m, console_file_waits) || monitors_file_waits(m);
}

bool host_output_held(struct machine *m)
{
	return any_console(m, console_pending);
}

void host_look(struct machine *m)
{
	bool is_held = host_output_held(m);
	struct error err;

	if (machine_clock_stands(m))
		host_read_files(m);
	each_console(m, is_held ? console_poll_held : console_poll);
	/* While the clock stands, the guest gets no keys: the console keeps them. */
	if (!machine_clock_stands(m) && !is_held) {
		for (struct device *dev = device_next_console(m, NULL); dev; dev = device_next_console(m, dev))
			if (dev->class->receive)
				dev->class->receive(dev);
		nets_look(m);
	}
	machine_input_resumes(m);
	if (display_take(m) && !control_cont(m, &err))
		term_say(m->term, "%s", err.msg);
	display_show(m);
	monitors_poll(m);
	gdb_poll(m);
	outgoing_poll(m);
	heed_signals(m);
}

bool host_glance(struct machine *m)
{
	each_console(m, console_glance);
	display_show(m);
	monitors_poll(m);
	gdb_poll(m);
	outgoing_poll(m);
	heed_signals(m);
	return m->request == REQ_NONE && (monitors_ready(m) || gdb_ready(m) || snapshots_wanted(m));
}

/* ns UINT64_MAX: no limit. True: one of them is ready. */
static bool poll_for(struct machine *m, struct pollfd *fds, nfds_t n, uint64_t ns)
{
	const struct timespec ts = { .tv_sec = (time_t)(ns / NSEC_PER_SEC), .tv_nsec = (long)(ns % NSEC_PER_SEC) };

	return ppoll(fds, n, ns == UINT64_MAX ? NULL : &ts, term_still(m->term)) > 0;
}

/* Before a long wait the last picture is shown. */
static bool wait_for(struct machine *m, struct pollfd *fds, nfds_t n, uint64_t ns)
{
	uint64_t late = display_late_ns(m);

	if (late < ns) {
		if (poll_for(m, fds, n, late))
			return true;
		display_show(m);
		ns -= ns == UINT64_MAX ? 0 : late;
	}
	return poll_for(m, fds, n, ns);
}

/* Waits until the host has something for us or `ns` have passed (UINT64_MAX: no limit), and
 * takes it. True if there was something. */
bool host_wait(struct machine *m, uint64_t ns)
{
	struct pollfd fds[3 + (CONSOLES_MAX + MONITORS_MAX + 1) * CONSOLE_MAX_FDS + NET_MAX_FDS];
	bool is_held = host_output_held(m), at_once = machine_clock_stands(m) && host_file_waits(m), nets_due;
	bool nets_live = !is_held && !machine_clock_stands(m);
	uint64_t most = ns;
	nfds_t n = 0;

	if (term_ending(m->term) || (!is_held && any_console(m, console_early)) || (nets_live && nets_early(m))) {
		host_look(m);
		return true;
	}
	fds[n++] = (struct pollfd){ .fd = term_fd(m->term), .events = POLLIN };
	for (struct device *dev = device_next_console(m, NULL); dev; dev = device_next_console(m, dev))
		n += (is_held ? console_pollfds_held : console_pollfds)(dev->class->console(dev), fds + n);
	assert(n <= 1 + CONSOLES_MAX * CONSOLE_MAX_FDS);
	n += monitors_pollfds(m, fds + n);
	n += gdb_pollfds(m, fds + n);
	n += display_pollfds(m, fds + n);
	n += outgoing_pollfds(m, fds + n);
	if (nets_live)
		n += nets_pollfds(m, fds + n, &ns);
	nets_due = ns < most;
	if (at_once)
		ns = 0;
	/* A command that host_look() has just read must run before this process waits: the wait may last for years. */
	if (!monitors_ready(m) && !gdb_ready(m) && !wait_for(m, fds, n, ns) && !at_once && !is_held && !nets_due && !m->run.gone)
		return false;
	host_look(m);
	return true;
}

void host_serve(struct machine *m)
{
	if (!host_glance(m))
		return;
	monitors_run_within(m);
	gdb_listen(m);
}

void host_hold(struct machine *m)
{
	while (m->run.stopped && m->request == REQ_NONE) {
		host_wait(m, UINT64_MAX);
		monitors_run_within(m);
		gdb_run(m);
	}
}

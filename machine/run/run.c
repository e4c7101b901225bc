/* The loop that runs a machine.
 *
 * Virtual time is parallel. All physical processors advance together from clock.now by quanta: each
 * in turn, from number 0 on, runs what the dispatcher has put there to the quantum's end; then the
 * clock moves there, due events fire, and the dispatcher looks at who waits. A quantum ends at
 *   - MACHINE_QUANTUM cycles, if more than one thread runs;
 *   - the next event, the next look at the host's inputs (a multiple of POLL_CYCLES), the decrementer
 *     of a waiting thread, or the end of a time slice or budget, whichever is first;
 *   - the cycle at which the only thread that runs woke another one, scheduled an event or stopped
 *     (machine_kick).
 * So a thread woken by another starts at the end of the quantum in which that happened, one that
 * was ready starts where its predecessor stopped, and everything is a function of cycles and of what
 * the host's inputs brought. With all threads waiting the clock jumps to what wakes the first of them.
 */
#include "machine/run/run.h"

#include <limits.h>
#include <stdio.h>
#include <unistd.h>

#include "firmware/firmware.h"
#include "hcall/dispatcher.h"
#include "hcall/trace.h"
#include "machine/board/hotplug.h"
#include "machine/board/pseries.h"
#include "machine/core/clock.h"
#include "machine/core/config.h"
#include "machine/host/term.h"
#include "machine/monitor/control.h"
#include "machine/monitor/monitor.h"
#include "machine/display/display.h"
#include "machine/gdb/gdb.h"
#include "machine/profile/profile.h"
#include "machine/run/loop.h"
#include "machine/snapshot/disks.h"
#include "machine/snapshot/incoming.h"
#include "machine/snapshot/outgoing.h"
#include "machine/snapshot/snapshot.h"
#include "machine/snapshot/statehash.h"

static uint64_t poll_after(uint64_t cycle)
{
	return (cycle / POLL_CYCLES + 1) * POLL_CYCLES;
}

/* Cycles beyond CLOCK_END fit into no snapshot, and soon into no 64 bits. */
static void clock_ends(struct machine *m)
{
	if (m->clock.now < CLOCK_END)
		return;
	term_say(m->term, "the virtual clock is at its end, after 4 years");
	machine_request(m, REQ_QUIT, EXIT_HOST_ERROR);
}

/* At a quantum's end: what is due, what the host has, who is to run. */
static void look_around(struct machine *m)
{
	clock_fire_due(m);
	clock_ends(m);
	if (m->clock.now >= m->next_poll) {
		m->next_poll = poll_after(m->clock.now);
		host_read_files(m);
		host_look(m);
	}
	dispatcher_look(m);
}

/* Between quanta: obeys the monitors, and waits while the machine is stopped or a slow reader holds its output. */
static void obey_monitors(struct machine *m)
{
	bool stopped = m->run.stopped;

	monitors_run(m);
	gdb_run(m);
	while ((m->run.stopped || host_output_held(m)) && m->request == REQ_NONE) {
		stopped |= m->run.stopped;
		host_wait(m, host_output_held(m) ? HELD_NS : UINT64_MAX);
		monitors_run(m);
		gdb_run(m);
		if (m->request == REQ_NONE)
			snapshots_take(m);	/* SIGUSR1 */
	}
	/* Keys that came meanwhile: a running guest gets them at the next poll point, an idle one now. */
	if (stopped && m->request == REQ_NONE && !machine_threads_dispatched(m))
		host_look(m);
}

static void run_until_request(struct machine *m)
{
	while (m->request == REQ_NONE) {
		unsigned running;

		obey_monitors(m);
		if (m->request != REQ_NONE)
			break;
		snapshots_take(m);
		if (!m->cut_end)
			look_around(m);
		if (m->request != REQ_NONE)
			break;
		profile_look(m);
		running = machine_threads_dispatched(m);
		if (running)
			machine_run_quantum(m, running);
		else
			machine_idle(m);
		if (m->suspending) {
			snapshots_suspend(m);
			host_look(m);	/* a save takes long, and the guest may ask for the next one at once */
		}
	}
}

/* A name: of a state that the disks keep, or in -snapdir; else a file. */
static bool load_named(struct machine *m, const char *name, struct error *err)
{
	char path[PATH_MAX];

	const char *file = control_find(m, name, path, sizeof path);

	if (disks_know(m, name) || (disks_know_part(m, name) && access(file, F_OK)))
		return disks_begin(m, name, err);
	if (disks_any(m) && !strchr(name, '/') && access(file, F_OK)) {
		error_set(err, "Snapshot '%.60s' does not exist in one or more devices, and no file is called so", name);
		return false;
	}
	return snapshot_load(m, file, err);
}

/* From power-on or, the first time, from a snapshot. */
static bool begin_run(struct machine *m, bool first, struct error *err)
{
	if (!first)
		hotplug_finish(m);
	machine_clear(m);
	if (!first || (!m->config->loadvm && !m->config->incoming))
		return firmware_start(m, err);	/* the boot processor runs, the others wait for start-cpu */
	if (!(m->config->incoming ? incoming(m, m->config->incoming, err) : load_named(m, m->config->loadvm, err)))
		return false;
	clock_init(m, m->config->warp);
	return true;
}

static void free_saves(struct machine *m)
{
	display_free(m);
	snapshots_free(m->snapshots);
	profile_free(m);
}

static const struct machine_listener host = { .serve = host_serve, .free = free_saves };

struct machine *machine_make(const struct config *o, struct term *term, struct error *err)
{
	struct machine *m = machine_new(o, term, err);

	if (!m)
		return NULL;
	machine_listen(m, &host);
	m->run.stopped = o->stopped;
	m->snapshots = snapshots_new(m, err);
	if (m->snapshots && profile_new(m, err) && disks_recover(m, err) && gdb_new(m, err) && monitors_new(m, err) && display_new(m, err)) {
		gdb_offer(m);
		return m;
	}
	machine_free(m);
	return NULL;
}

/* What the host's disk has not taken is said, however the machine has ended. */
static int end_disks(struct machine *m, int status)
{
	struct error err;

	if (disks_end(m, &err))
		return status;
	term_say(m->term, "%s", err.msg);
	return status ? status : EXIT_HOST_ERROR;
}

/* A daemon's lines go where its log goes. */
static int log_descriptor(const struct machine *m)
{
	return m->config->log_file && m->log_file ? fileno(m->log_file) : -1;
}

int machine_run(struct machine *m)
{
	struct error err;
	bool first = true, profiled;
	int status;

	/* Who sends the machine may be one who waits for us to be there. */
	if (m->config->incoming)
		term_set_up(m->term, log_descriptor(m));
	do {
		if (!begin_run(m, first, &err)) {
			term_say(m->term, "%s", *term_end(m->term) ? term_end(m->term) : err.msg);
			return EXIT_HOST_ERROR;
		}
		first = false;
		term_set_up(m->term, log_descriptor(m));
		term_begin(m->term);
		run_until_request(m);
		announce_end(m);
	} while (goes_on(m));
	term_leaves(m->term);
	drain_output(m);
	hcall_trace_summary(m);
	snapshots_wait(m);
	outgoing_end(m);
	profiled = profile_end(m);
	if (m->log_mask & LOG_STATEHASH) {
		term_say(m->term, "statehash=%016llx cycles=%llu instructions=%llu",
			(unsigned long long)machine_statehash(m), (unsigned long long)m->clock.now,
			(unsigned long long)machine_instructions(m));
	}
	status = run_status(m);
	return end_disks(m, status || profiled ? status : EXIT_HOST_ERROR);
}

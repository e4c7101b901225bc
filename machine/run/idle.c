/* Time in which no virtual processor runs: what ends it, and how the clock gets there. */
#include "machine/run/loop.h"

#include <stdio.h>

#include "cpu/core/timebase.h"
#include "hcall/dispatcher.h"
#include "machine/core/clock.h"
#include "machine/host/term.h"
#include "machine/snapshot/snapshot.h"

/* Cycle of the first tick at which this processor's decrementer is negative, if that lies ahead
 * and would wake it. */
static uint64_t dec_wake(const struct machine *m, const struct cpu *cpu)
{
	uint64_t due;

	if (cpu->run_state != CPU_CEDED && !(cpu->run_state == CPU_CONFERRED && cpu->msr & MSR_EE))
		return UINT64_MAX;
	due = cpu_dec_due(cpu, m->clock.now);
	return due > m->clock.now ? due : UINT64_MAX;
}

uint64_t machine_first_wake(const struct machine *m)
{
	uint64_t first = clock_next_event(m), change = dispatcher_next(m);

	if (change < first)
		first = change;
	for (unsigned i = 0; i < m->ncpus; i++) {
		uint64_t wake = dec_wake(m, &m->cpu[i]->cpu);

		if (wake < first)
			first = wake;
	}
	return first;
}

/* As machine_first_wake(); but if a terminal reads from a file, its next bytes come at the next poll point, whether the
 * guest runs or idles. */
static uint64_t idle_end(struct machine *m)
{
	uint64_t first = machine_first_wake(m);

	return m->next_poll < first && host_file_waits(m) ? m->next_poll : first;
}

/* Not past the clock's end. UINT64_MAX stays: it stands for "never". */
static uint64_t before_end(uint64_t cycle)
{
	return cycle > CLOCK_END && cycle != UINT64_MAX ? CLOCK_END : cycle;
}

/* A guest may ask for waits of years, again and again: -clock warp skips idle time up to CLOCK_WARP_END only. */
static void warp_ends(struct machine *m, uint64_t wake)
{
	if (!m->clock.warp || wake == UINT64_MAX || wake <= CLOCK_WARP_END)
		return;
	m->clock.warp = false;
	term_say(m->term, "-clock warp: the guest waits until more than two years have passed: from here on idle time is not skipped");
}

/* No thread runs: moves the clock to the next wake-up, and sleeps on the host for as long as the guest thinks it waits.
 * Host input cuts the wait short; without any, the same cycle follows whether we slept or not. */
void machine_idle(struct machine *m)
{
	uint64_t end = before_end(m->cut_end ? m->cut_end : idle_end(m)), save = snapshots_next(m), wake = end, wall, ns;

	m->cut_end = 0;
	if (save > m->clock.now && save < wake)
		wake = save;
	clock_anchor(m);
	warp_ends(m, wake);
	ns = wake == UINT64_MAX ? UINT64_MAX : clock_wait_ns(m, wake);
	if (ns && host_wait(m, ns)) {
		wall = m->clock.warp ? m->clock.now : clock_wall_cycle(m);
		if (wall > m->clock.now)
			m->clock.now = wall < wake ? wall : wake;
	} else if (wake != UINT64_MAX) {
		m->clock.now = wake;
		m->cut_end = wake < end ? end : 0;
	}
}

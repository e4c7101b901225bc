/* One quantum: each physical processor in turn runs what the dispatcher has put there. See run.c. */
#include "machine/run/loop.h"

#include "cpu/core/timebase.h"
#include "hcall/dispatcher.h"
#include "machine/core/clock.h"
#include "machine/gdb/gdb.h"
#include "machine/host/term.h"
#include "machine/monitor/monitor.h"
#include "machine/snapshot/snapshot.h"

#define SLICE  UINT64_C(200000)	/* cycles: a thread that runs alone comes out of the engine after so many */

/* Where a processor goes on that leaves the rest of its slice to the others: where its
 * decrementer or its performance monitor calls, or at the end. */
static uint64_t after_wait(const struct cpu *cpu, uint64_t end)
{
	uint64_t due = cpu_dec_due(cpu, cpu->cycles);

	if (due > cpu->cycles && due < end)
		end = due;
	return cpu->pmu.due > cpu->cycles && cpu->pmu.due < end ? cpu->pmu.due : end;
}

/* A processor that a debugger's point stops is between two instructions, and goes on from there as if nothing had been. */
static void run_to(struct machine *m, struct cpu *cpu, uint64_t end)
{
	cpu_run(cpu, end);
	while (unlikely(cpu->observed.kind)) {
		gdb_observe(m, cpu);
		host_hold(m);
		cpu->halt &= ~CPU_OBSERVED;
		if (m->request != REQ_NONE || cpu->halt)
			return;
		cpu_run(cpu, end);
	}
}

/* A thread that spins waits for another one, which does not run during this slice: the rest of the slice is skipped. */
static void run_shared(struct machine *m, struct cpu *cpu, uint64_t end)
{
	cpu->waiting = false;
	run_to(m, cpu, end);
	if (cpu->run_state != CPU_RUNNING || cpu->cycles >= end || !cpu->waiting)
		return;
	cpu_wait_until(cpu, after_wait(cpu, end));
	if (cpu->pmu.active)
		pmu_leave(cpu);		/* it spins */
}

static bool thread_stays(const struct machine *m, const struct cpu *cpu, uint64_t end)
{
	return cpu->run_state == CPU_RUNNING && cpu->cycles < end && m->request == REQ_NONE && !m->suspending;
}

/* Runs the only thread up to `end`, or to the cycle at which it kicks the machine or stops, or to one at which a user of
 * the host has a command: what the guest sees does not depend on that one. A chain of blocks takes no notice of the tick, so it is not long. */
static uint64_t run_alone(struct machine *m, struct cpu *cpu, uint64_t end)
{
	do {
		cpu->halt = 0;
		if (term_ticked(m->term) && host_glance(m))
			return cpu->cycles;
		run_to(m, cpu, end - cpu->cycles > SLICE ? cpu->cycles + SLICE : end);
	} while (!(cpu->halt & MACHINE_KICKED) && thread_stays(m, cpu, end));
	return end;
}

/* The same while other threads run in the same quantum: all are at one cycle at its end only, so commands that need
 * that wait. */
static void run_beside(struct machine *m, struct cpu *cpu, uint64_t end)
{
	do {
		cpu->halt = 0;
		if (term_ticked(m->term))
			host_serve(m);
		if (m->request == REQ_NONE)
			run_shared(m, cpu, end);
	} while (thread_stays(m, cpu, end));
}

/* One dispatched thread, up to the quantum's end or the cycle at which it stops. */
static void run_thread(struct machine *m, struct spapr_cpu *sc, bool alone)
{
	struct cpu *cpu = &sc->cpu;
	uint64_t save = alone ? snapshots_next(m) : UINT64_MAX, end = m->quantum_end;

	if (save > cpu->cycles && save < end)
		end = save;
	m->running = cpu;
	term_halts(m->term, &cpu->halt);
	/* In a pool a guest counts how long it spins, and then confers: that takes its time. */
	cpu->shared = !alone && !m->dispatcher->shared;
	if (alone)
		end = run_alone(m, cpu, end);
	else
		run_beside(m, cpu, end);
	term_halts(m->term, NULL);
	m->running = NULL;
	if (end < m->quantum_end && cpu->cycles == end && cpu->run_state == CPU_RUNNING && !(cpu->halt & MACHINE_KICKED) && m->request == REQ_NONE) {
		m->cut_end = m->quantum_end;
		return;
	}
	/* A reservation does not see other threads' stores of the next quantum, so it ends here. */
	if (m->ncpus > 1)
		cpu->resv_size = 0;
	if (cpu->run_state != CPU_RUNNING)
		dispatcher_stopped(m, sc);
}

/* What runs in a quantum, and how far it came. */
struct quantum {
	bool alone;			/* one thread */
	bool runs;			/* some thread still runs at its end */
	uint64_t reached;		/* cycle */
};

/* The threads of the virtual processor that begins at index `first`; true if one still runs. */
static bool run_core(struct machine *m, unsigned first, struct quantum *q, uint64_t *stopped)
{
	bool runs = false;

	for (unsigned i = first; i < first + m->threads && m->request == REQ_NONE; i++) {
		struct spapr_cpu *sc = m->cpu[i];

		if (!vp_runs(sc))
			continue;
		run_thread(m, sc, q->alone);
		if (vp_runs(sc))
			runs = true;
		else if (sc->cpu.cycles > *stopped)
			*stopped = sc->cpu.cycles;
		if (sc->cpu.cycles > q->reached)
			q->reached = sc->cpu.cycles;
	}
	return runs;
}

/* One physical processor: the virtual processor on it, and then those to which the dispatcher hands it over. */
static void run_physical(struct machine *m, unsigned phys, struct quantum *q)
{
	int first;

	while ((first = dispatcher_core_on(m, phys)) >= 0 && m->request == REQ_NONE) {
		uint64_t stopped = m->clock.now;

		if (run_core(m, (unsigned)first, q, &stopped)) {
			q->runs = true;
			return;
		}
		if (m->request == REQ_NONE)
			dispatcher_hand_over(m, phys, stopped);
		/* The next one may have several threads: a new quantum, from this cycle on. */
		if (q->alone)
			return;
	}
}

unsigned machine_threads_dispatched(const struct machine *m)
{
	unsigned n = 0;

	for (unsigned i = 0; i < m->ncpus; i++)
		n += vp_runs(m->cpu[i]);
	return n;
}

static uint64_t quantum_end(const struct machine *m, bool alone)
{
	uint64_t end = machine_first_wake(m);

	if (end > m->next_poll)
		end = m->next_poll;
	if (end > CLOCK_END)
		end = CLOCK_END;
	if (!alone && end > m->clock.now + MACHINE_QUANTUM)
		end = m->clock.now + MACHINE_QUANTUM;
	return end;
}

void machine_run_quantum(struct machine *m, unsigned running)
{
	struct quantum q = { .alone = running == 1, .reached = m->clock.now };
	uint64_t end = m->cut_end ? m->cut_end : quantum_end(m, q.alone);

	m->cut_end = 0;
	m->quantum_end = end;
	m->hcall_work = 0;
	m->side_by_side = !q.alone;
	m->hcall_turn_taken = false;
	for (unsigned i = 0; i < m->dispatcher->procs && m->request == REQ_NONE; i++)
		run_physical(m, i, &q);
	m->quantum_end = 0;
	/* All processors run in parallel time: the suspending thread goes on at the cycle at which the last of the
	 * others stopped. */
	if (m->suspending)
		cpu_wait_until(m->suspending, q.reached);
	m->clock.now = q.alone || !q.runs || m->request != REQ_NONE || m->suspending ? q.reached : end;
}

/* The performance monitor: counters that are worked out when somebody looks.
 *
 * While a counter counts, its register holds what it had at some moment, and the total of what it counts (cycles,
 * instructions, events) is known of that moment and of now. So counting costs nothing until something happens: the
 * engine stops at the cycle at which a counter may turn negative, and pmu_look() goes over all that follows from the
 * registers. Outside cpu_run() the registers hold what the guest would read.
 * Source: Power ISA 3.0B, Book III, chapter 9; which event has which code: cpu/table/pmu_events.def.
 */
#ifndef CPU_CORE_PMU_H
#define CPU_CORE_PMU_H

#include <stdbool.h>
#include <stdint.h>

struct cpu;

#define PMCS 6

struct pmu_event;

/* All of it follows from the registers and the totals. */
struct pmu {
	uint64_t due;		/* cycle from which on the engine must call pmu_look(); UINT64_MAX: it need not */
	uint8_t counting;	/* bit n: PMC n+1 counts */
	bool active;		/* something counts, or would in another state of MSR and CTRL */
	bool follows_msr;	/* a change of MSR[PR] or MSR[PMM] changes what happens */
	bool close;		/* so close to an overflow that instructions run one at a time, to know which it was */
	uint64_t from[PMCS];	/* total of what the counter counts at the moment of which its register tells */
	uint64_t ticks;		/* timebase at that moment */
	uint8_t tb;		/* timebase events: which bit, as MMCR0[TBSEL] says, and 1; 0: none */
	/* By MMCR0, MMCR1, MMCR2, MMCRA and CTRL as they were when it was worked out last. */
	uint64_t by[5];
	const struct pmu_event *event[PMCS];	/* NULL: counts nothing */
	uint8_t counting_in[4];	/* for each MSR[PR] and MSR[PMM] */

	/* The instruction that ran last, by itself. */
	struct pmu_last {
		bool known, problem, stored;
		uint64_t nip, operand;	/* operand: 0, it has none */
	} last;
};

/* Brings the counters up to now and does what is due. Between two instructions, with cpu->cycles and cpu->insns
 * exact: what has changed in the registers since the last look is taken to have changed just now. */
void pmu_look(struct cpu *cpu);
/* Registers have changed, at the end of the instruction that runs: the engine looks after it. */
void pmu_changed(struct cpu *cpu);
/* PMC n+1 at a moment: so many units of the timing model after a cycle, or before it. */
uint64_t pmu_counter(const struct cpu *cpu, unsigned n, uint64_t cycle, int64_t units, uint64_t insns);
/* The engine is entered, and left: what went by in between has not been counted; registers are exact after it. */
void pmu_enter(struct cpu *cpu);
void pmu_leave(struct cpu *cpu);
/* The counters' registers have been written from outside. */
void pmu_forget(struct cpu *cpu);
/* The instruction `word` at `nip` has run by itself, in problem state or not. */
void pmu_ran(struct cpu *cpu, uint64_t nip, uint64_t insn, uint64_t operand, bool problem);

#endif

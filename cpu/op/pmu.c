/* The performance monitor: what counts, what an overflow does, and when the engine must look. See cpu/core/pmu.h.
 *
 * Owns PMC1 to PMC6 while they count, alerts, samples (SIAR, SDAR, SIER) and event-based branches. The registers'
 * moves are in spr.c. MSR[HV] is never on, so what only freezes the hypervisor freezes nothing.
 * Source: Power ISA 3.0B, Book III, chapter 9; Book II, chapter 7; SIER and codes as arch/powerpc/perf in Linux has them.
 */
#include "cpu/core/pmu.h"

#include <string.h>

#include "cpu/core/spr.h"
#include "cpu/core/timebase.h"
#include "cpu/engine/block.h"
#include "cpu/timing/pipeline.h"

enum { PMC1, PMC5 = 4, PMC6 };

#define NEGATIVE UINT64_C(0x80000000)
/* So close to an overflow instructions run one at a time: cycles that are more than most instructions take, so that the
 * one that brings it seldom is among others; or more events than a cycle of the machine's clock can bring. */
#define CLOSE        16
#define CLOSE_MODEL  1024

/* ---- What a counter counts ---- */

enum kind { CYCLES, INSNS, EVENTS, STALLS, MARKED };
enum { ON_P8 = 1, ON_P9 = 2, ON_P10 = 4 };

struct pmu_event {
	uint32_t code;
	uint8_t models, kind;
	uint32_t totals;
};

#define ONE(n) (UINT32_C(1) << (n))
static const struct pmu_event events[] = {
#define PMU_EVENT(code, models, kind, totals, name) { code, models, kind, totals },
#include "cpu/table/pmu_events.def"
#undef PMU_EVENT
};
_Static_assert(NEVENTS <= 32 && NSTALLS <= 32, "bits of totals");

#define CODE_MARKED UINT32_C(0x100)
#define CODE_PMC    UINT32_C(0xf0000)

static unsigned model_of(const struct cpu *cpu)
{
	unsigned version = cpu->pvr >> 16;

	return version == 0x80 ? ON_P10 : version >= 0x4b && version <= 0x4d ? ON_P8 : ON_P9;
}

static const struct pmu_event *find_event(const struct cpu *cpu, uint32_t code)
{
	for (unsigned i = 0; i < ARRAY_SIZE(events); i++)
		if ((events[i].models & model_of(cpu)) && (events[i].code == code || events[i].code == (code & ~CODE_PMC)))
			return &events[i];
	return NULL;
}

/* The code that MMCR1 has for PMC n+1: select, unit, combine. POWER8 has one bit of combine, the others two. */
static uint32_t code_of(const struct cpu *cpu, unsigned n)
{
	uint64_t v = cpu->mmcr1;
	uint32_t code = (v >> (24 - 8 * n) & 0xff) | (v >> (60 - 4 * n) & 15) << 12 | (n + 1) << 16;

	return code | (uint32_t)(model_of(cpu) == ON_P8 ? (v >> (35 - n) & 1) << 11 : (v >> (38 - 2 * n) & 3) << 10);
}

static void select_events(struct cpu *cpu)
{
	struct pmu *p = &cpu->pmu;
	bool marking = cpu->mmcra & MMCRA_SAMPLE_ENABLE;

	for (unsigned n = 0; n < PMC5; n++) {
		uint32_t code = code_of(cpu, n);

		p->event[n] = marking ? find_event(cpu, code | CODE_MARKED) : NULL;
		if (!p->event[n])
			p->event[n] = find_event(cpu, code);
	}
	p->event[PMC5] = find_event(cpu, 0x500fa);
	p->event[PMC6] = find_event(cpu, 0x600f4);
}

static uint64_t sum(const uint64_t *totals, uint32_t mask)
{
	uint64_t n = 0;

	for (; mask; mask &= mask - 1)
		n += totals[__builtin_ctz(mask)];
	return n;
}

/* What random sampling may mark: Linux asks for loads or stores so. */
static uint32_t eligible(const struct cpu *cpu)
{
	switch (MMCRA_ELIGIBLE(cpu->mmcra)) {
	case 5:
		return ONE(EVENT_LOAD);
	case 7:
		return ONE(EVENT_STORE);
	default:
		return ONE(EVENT_LOAD) | ONE(EVENT_STORE);
	}
}

/* The core's cycles that begin within so many units after a cycle of the machine's clock. */
static uint64_t core_cycles(const struct cpu *cpu, uint64_t cycle, int64_t units)
{
	uint64_t at = cycle * cpu->per_cycle + (uint64_t)units;

	return cpu->per_cycle == 1 ? at : at / UNITS_PER_CYCLE;
}

static uint64_t stalled(const struct cpu *cpu, uint32_t totals, uint64_t time, uint64_t insns)
{
	const struct core_model *core = cpu->engine->timing.core;
	unsigned threads = 1u << cpu->pace_empty;
	uint64_t n = sum(cpu->stall, totals);

	if (!core)
		return n;
	if (totals & ONE(STALL_THREADS))
		n += stall_threads(insns, core->insn_units, threads);
	if (totals & ONE(STALL_UNITS))
		n += stall_units(time, insns, core->insn_units, threads, sum(cpu->stall, ONE(NSTALLS) - 1));
	return n;
}

/* Downward, also of what is less than nothing: differences are what counts. */
static uint64_t whole_cycles(int64_t units)
{
	return (uint64_t)((units - (units < 0 ? UNITS_PER_CYCLE - 1 : 0)) / UNITS_PER_CYCLE);
}

static uint64_t total(const struct cpu *cpu, const struct pmu_event *event, uint64_t cycle, int64_t units, uint64_t insns)
{
	switch ((enum kind)event->kind) {
	case CYCLES:
		return core_cycles(cpu, cycle, units);
	case INSNS:
		return insns;
	case EVENTS:
		return sum(cpu->event, event->totals);
	case STALLS:
		return whole_cycles((int64_t)stalled(cpu, event->totals, cycle * cpu->per_cycle + (uint64_t)units, insns));
	case MARKED:
		return sum(cpu->event, eligible(cpu));
	}
	return 0;
}

uint64_t pmu_counter(const struct cpu *cpu, unsigned n, uint64_t cycle, int64_t units, uint64_t insns)
{
	if (!(cpu->pmu.counting >> n & 1))
		return cpu->pmc[n];
	return (uint32_t)(cpu->pmc[n] + total(cpu, cpu->pmu.event[n], cycle, units, insns) - cpu->pmu.from[n]);
}

/* ---- Whether it counts ---- */

/* PMC n+1, in that MSR, and with the thread running or idle by CTRL[RUN]. */
static bool frozen(const struct cpu *cpu, unsigned n, uint64_t msr, bool run)
{
	uint64_t mmcr0 = cpu->mmcr0, own = cpu->mmcr2 << (MMCR2_BITS * n);
	/* FCPC turns around what FCP means for a problem state without HV. */
	bool fcp = !(mmcr0 & MMCR0_FCP) != !(mmcr0 & MMCR0_FCPC), idle = !run;

	if (mmcr0 & (MMCR0_FC | (msr & MSR_PMM ? MMCR0_FCM1 : MMCR0_FCM0)) || own & (msr & MSR_PMM ? MMCR2_FC1M1 : MMCR2_FC1M0))
		return true;
	if (msr & MSR_PR ? fcp || own & MMCR2_FC1P0 : mmcr0 & MMCR0_FCS || own & MMCR2_FC1S)
		return true;
	if ((idle && own & MMCR2_FC1WAIT) || (n != PMC1 && mmcr0 & MMCR0_TRIGGER))
		return true;
	if (n >= PMC5)
		return mmcr0 & MMCR0_FC56 || (idle && !(mmcr0 & MMCR0_CC56RUN));
	return mmcr0 & MMCR0_FC14 || (idle && mmcr0 & MMCR0_FC14W);
}

static uint8_t which_count(const struct cpu *cpu, uint64_t msr, bool run)
{
	uint8_t mask = 0;

	for (unsigned n = 0; n < PMCS; n++)
		if (cpu->pmu.event[n] && !frozen(cpu, n, msr, run))
			mask |= (uint8_t)(1 << n);
	return mask;
}

enum { STATES = 4 };

static uint64_t state_msr(unsigned state) { return (state & 1 ? MSR_PR : 0) | (state & 2 ? MSR_PMM : 0); }
static unsigned state_of(uint64_t msr) { return (msr & MSR_PR ? 1 : 0) | (msr & MSR_PMM ? 2 : 0); }

static void work_out(struct cpu *cpu)
{
	struct pmu *p = &cpu->pmu;
	bool run = cpu->ctrl & 1;
	uint8_t otherwise = 0, ever = 0;

	select_events(cpu);
	for (unsigned i = 0; i < STATES; i++) {
		p->counting_in[i] = which_count(cpu, state_msr(i), run);
		otherwise |= which_count(cpu, state_msr(i), !run);
		ever |= p->counting_in[i];
	}
	p->tb = cpu->mmcr0 & MMCR0_TBEE ? (uint8_t)(MMCR0_TBSEL(cpu->mmcr0) + 1) : 0;
	p->active = ever || otherwise || p->tb;
}

/* From now on, by the registers as they are. A change of MSR alone, as at each system call, is little work. */
static void start(struct cpu *cpu)
{
	struct pmu *p = &cpu->pmu;
	const uint64_t by[] = { cpu->mmcr0, cpu->mmcr1, cpu->mmcr2, cpu->mmcra, cpu->ctrl };

	if (!p->event[PMC5] || memcmp(p->by, by, sizeof by)) {
		memcpy(p->by, by, sizeof by);
		work_out(cpu);
	}
	p->counting = p->counting_in[state_of(cpu->msr)];
	p->follows_msr = cpu->bescr & BESCR_PMEO;
	for (unsigned i = 0; i < STATES; i++)
		p->follows_msr |= p->counting_in[i] != p->counting;
}

static void count_from(struct cpu *cpu)
{
	for (unsigned n = 0; n < PMCS; n++)
		if (cpu->pmu.counting >> n & 1)
			cpu->pmu.from[n] = total(cpu, cpu->pmu.event[n], cpu->cycles, (int64_t)cpu->phase, cpu->insns);
	if (cpu->pmu.tb)
		cpu->pmu.ticks = clock_ticks(cpu, cpu->cycles);
}

static void settle(struct cpu *cpu)
{
	for (unsigned n = 0; n < PMCS; n++)
		cpu->pmc[n] = pmu_counter(cpu, n, cpu->cycles, (int64_t)cpu->phase, cpu->insns);
}

/* ---- Conditions and events ---- */

/* The timebase's bit that MMCR0[TBSEL] names: 63, 55, 51 or 47. */
static unsigned tb_shift(const struct cpu *cpu)
{
	static const uint8_t shifts[] = { 0, 8, 12, 16 };

	return shifts[MMCR0_TBSEL(cpu->mmcr0)];
}

/* How often the bit has gone from 0 to 1 by that tick. */
static uint64_t tb_transitions(const struct cpu *cpu, uint64_t ticks)
{
	unsigned shift = tb_shift(cpu);

	return (ticks + (UINT64_C(1) << shift)) >> (shift + 1);
}

/* PMC n+1 turning negative is an enabled condition. */
static bool enabled(const struct cpu *cpu, unsigned n)
{
	return cpu->mmcr0 & (n == PMC1 ? MMCR0_PMC1CE : MMCR0_PMCJCE);
}

static bool condition(const struct cpu *cpu)
{
	for (unsigned n = 0; n < PMCS; n++)
		if (enabled(cpu, n) && cpu->pmc[n] & NEGATIVE)
			return true;
	return cpu->mmcr0 & MMCR0_TBEE && cpu->pmu.tb == MMCR0_TBSEL(cpu->mmcr0) + 1 &&
	       tb_transitions(cpu, clock_ticks(cpu, cpu->cycles)) != tb_transitions(cpu, cpu->pmu.ticks);
}

/* SIER, by the numbers of Linux. */
#define SIER_SDAR_VALID (UINT64_C(1) << 21)
#define SIER_SIAR_VALID (UINT64_C(1) << 22)
#define SIER_SIPR       (UINT64_C(1) << 25)
#define SIER_LOAD       (UINT64_C(1) << 15)
#define SIER_STORE      (UINT64_C(2) << 15)
#define SIER_FROM_L1    (UINT64_C(1) << 1)

/* The instruction that brought the alert; if it did not run by itself, the one behind it. */
static void sample(struct cpu *cpu)
{
	const struct pmu_last *last = &cpu->pmu.last;
	bool problem = last->known ? last->problem : cpu->msr & MSR_PR;

	cpu->siar = last->known ? last->nip : cpu->nip;
	cpu->sier = SIER_SIAR_VALID | (problem ? SIER_SIPR : 0);
	if (!last->known || !last->operand)
		return;
	cpu->sdar = last->operand;
	cpu->sier |= SIER_SDAR_VALID | SIER_FROM_L1 | (last->stored ? SIER_STORE : SIER_LOAD);
}

static void alert(struct cpu *cpu)
{
	cpu->mmcr0 = (cpu->mmcr0 & ~MMCR0_PMAE) | MMCR0_PMAO;
	sample(cpu);
	if (!(cpu->mmcr0 & MMCR0_EBE))
		cpu->irq |= IRQ_PERFMON;
}

/* While MMCR0[TRIGGER] is on, an enabled condition or PMC1 ends it, and FCECE has no meaning (9.4.4): a condition that
 * has raised an alert freezes nothing later. */
static void happen(struct cpu *cpu)
{
	bool happened = condition(cpu);

	if (cpu->mmcr0 & MMCR0_TRIGGER) {
		if (happened || cpu->pmc[PMC1] & NEGATIVE)
			cpu->mmcr0 &= ~MMCR0_TRIGGER;
	} else if (happened && cpu->mmcr0 & MMCR0_FCECE && !(cpu->mmcr0 & MMCR0_PMAO)) {
		cpu->mmcr0 |= MMCR0_FC;
	}
	if (happened && cpu->mmcr0 & MMCR0_PMAE)
		alert(cpu);
}

/* Book II, 7.2.1 and 7.3. */
static void branch_by_event(struct cpu *cpu)
{
	if (cpu->mmcr0 & MMCR0_PMAO && cpu->mmcr0 & MMCR0_EBE && cpu->bescr & BESCR_PME)
		cpu->bescr = (cpu->bescr & ~BESCR_PME) | BESCR_PMEO;
	if (!(cpu->msr & MSR_PR) || !(cpu->bescr & BESCR_GE) || !(cpu->bescr & BESCR_PMEO) || !(cpu->fscr & FSCR_BIT(FAC_EBB)))
		return;
	cpu->bescr &= ~BESCR_GE;
	cpu->ebbrr = cpu->nip;
	cpu->nip = cpu->ebbhr & ~UINT64_C(3);
}

/* ---- When to look ---- */

/* PMC n+1 counts, and something happens when it turns negative. */
static bool awaited(const struct cpu *cpu, unsigned n)
{
	if (!(cpu->pmu.counting >> n & 1) || cpu->pmc[n] & NEGATIVE)
		return false;
	return enabled(cpu, n) ? cpu->mmcr0 & (MMCR0_PMAE | MMCR0_FCECE | MMCR0_TRIGGER) : n == PMC1 && cpu->mmcr0 & MMCR0_TRIGGER;
}

/* So many cycles can go by for certain before PMC n+1 is close to turning negative; 0: it is. An instruction takes a unit
 * at least, which is a cycle under `flat`; stalls are parts of the cycles. */
static uint64_t room(const struct cpu *cpu, unsigned n)
{
	uint64_t left = NEGATIVE - cpu->pmc[n], close = CLOSE, most = 1;
	bool flat = cpu->per_cycle == 1;

	switch ((enum kind)cpu->pmu.event[n]->kind) {
	case CYCLES: case STALLS:
		close = flat ? CLOSE : CLOSE_MODEL;
		most = cpu->per_cycle / UNITS_PER_CYCLE + 1;
		break;
	case INSNS:
		close = flat ? CLOSE : cpu->per_cycle;
		most = cpu->per_cycle;
		break;
	case EVENTS: case MARKED:
		close = most = 2 * cpu->per_cycle + EVENTS_MOST;	/* two lines for each unit; one that has more takes longer */
		break;
	}
	return left <= close ? 0 : (left - close + most - 1) / most;
}

static uint64_t next_transition(const struct cpu *cpu)
{
	unsigned shift = tb_shift(cpu);
	uint64_t n = tb_transitions(cpu, clock_ticks(cpu, cpu->cycles)) + 1;

	return ((n << (shift + 1)) - (UINT64_C(1) << shift) - cpu->env->clock->tb_offset) * CYCLES_PER_TICK;
}

static void schedule(struct cpu *cpu)
{
	struct pmu *p = &cpu->pmu;
	uint64_t least = UINT64_MAX;

	for (unsigned n = 0; n < PMCS; n++)
		if (awaited(cpu, n) && room(cpu, n) < least)
			least = room(cpu, n);
	p->close = !least;
	p->due = least == UINT64_MAX ? UINT64_MAX : cpu->cycles + least;
	if (cpu->mmcr0 & MMCR0_TBEE && next_transition(cpu) < p->due)
		p->due = next_transition(cpu);
}

void pmu_look(struct cpu *cpu)
{
	settle(cpu);
	happen(cpu);
	branch_by_event(cpu);
	start(cpu);
	count_from(cpu);
	schedule(cpu);
	cpu->pmu.last.known = false;
}

void pmu_changed(struct cpu *cpu)
{
	cpu->pmu.due = 0;
}

void pmu_enter(struct cpu *cpu)
{
	count_from(cpu);
	cpu->pmu.due = 0;
}

void pmu_leave(struct cpu *cpu)
{
	settle(cpu);
	count_from(cpu);
}

void pmu_forget(struct cpu *cpu)
{
	cpu->pmu = (struct pmu){ .due = 0 };
}

void pmu_ran(struct cpu *cpu, uint64_t nip, uint64_t insn, uint64_t operand, bool problem)
{
	cpu->pmu.last = (struct pmu_last){ .known = true, .problem = problem, .nip = nip, .operand = operand,
					   .stored = operand && cpu_operand_is_stored(cpu, insn) };
}

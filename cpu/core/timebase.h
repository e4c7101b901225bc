/* The clock as one processor reads it: TB, DEC, PURR, SPURR and VTB at a cycle.
 *
 * Everything follows from the processor's cycle, struct cpu_clock, which all processors share, and what the
 * dispatcher has noted of the processor's share of its core.
 * Source: Power ISA 3.0B, Book III, chapter 7.
 */
#ifndef CPU_CORE_TIMEBASE_H
#define CPU_CORE_TIMEBASE_H

#include "cpu/core/cpu.h"

/* Ticks at a cycle without the floor that keeps the timebase monotonic across processors:
 * what DEC counts. */
static inline uint64_t clock_ticks(const struct cpu *cpu, uint64_t cycles)
{
	return cycles / CYCLES_PER_TICK + cpu->env->clock->tb_offset;
}

/* TB at that cycle of this processor, for who only looks at the clock: what a guest reads by mftb is larger each
 * time (cpu/op/spr.c). No processor ever reads less than another has read before, although they run one after the
 * other and so reach the same cycle at different times. */
static inline uint64_t cpu_timebase(struct cpu *cpu, uint64_t cycles)
{
	struct cpu_clock *clock = cpu->env->clock;
	uint64_t ticks = clock_ticks(cpu, cycles);

	if (ticks < clock->tb_floor)
		ticks = clock->tb_floor;
	clock->tb_floor = ticks;
	return ticks;
}

/* ---- At a cycle of a processor that is dispatched, in ticks. PURR counts what the thread has had of its core, so
 * that those of a core's threads add up to the core's time; VTB is the core's. None runs back. Book III, 7.5. ---- */

static inline uint64_t cpu_used_ticks(const struct cpu *cpu, uint64_t cycles)
{
	uint64_t parts = cpu->used_part + (cycles - cpu->share_from) * cpu->share;

	return (cpu->used + parts / CORE_PARTS) / CYCLES_PER_TICK;
}

static inline uint64_t cpu_purr(const struct cpu *cpu, uint64_t cycles)
{
	return cpu->purr_base + cpu_used_ticks(cpu, cycles);
}

static inline uint64_t cpu_spurr(const struct cpu *cpu, uint64_t cycles)
{
	return cpu->spurr_base + cpu_used_ticks(cpu, cycles);
}

static inline uint64_t cpu_vtb(const struct cpu *cpu, uint64_t cycles)
{
	return cpu->vtb_off + (cpu->core_ran + (cycles - cpu->share_from)) / CYCLES_PER_TICK;
}

/* ---- The decrementer ---- */

/* To 64 bits, by the width that LPCR[LD] gives it. Book III, 6.5.10 and 7.3. */
static inline int64_t cpu_dec_extend(const struct cpu *cpu, uint64_t dec)
{
	return cpu->lpcr & LPCR_LD ? (int64_t)(dec << (64 - LARGE_DEC_BITS)) >> (64 - LARGE_DEC_BITS) : (int32_t)(uint32_t)dec;
}

/* DEC, sign-extended. */
static inline int64_t cpu_dec(const struct cpu *cpu, uint64_t cycles)
{
	return cpu_dec_extend(cpu, cpu->dec_expires - 1 - clock_ticks(cpu, cycles));
}

static inline void cpu_set_dec(struct cpu *cpu, uint64_t cycles, uint64_t value)
{
	cpu->dec_expires = clock_ticks(cpu, cycles) + (uint64_t)cpu_dec_extend(cpu, value) + 1;
}

/* First cycle from `cycles` on at which DEC is negative: that one if it is already. The engine's
 * limit must not lie beyond it, whatever MSR[EE] is: mtmsrd relies on that. */
static inline uint64_t cpu_dec_due(const struct cpu *cpu, uint64_t cycles)
{
	int64_t dec = cpu_dec(cpu, cycles);
	uint64_t tick = cycles / CYCLES_PER_TICK;

	if (dec < 0)
		return cycles;
	if ((uint64_t)dec >= UINT64_MAX / CYCLES_PER_TICK - tick)
		return UINT64_MAX;
	return (tick + (uint64_t)dec + 1) * CYCLES_PER_TICK;
}

static inline bool cpu_dec_pending(const struct cpu *cpu, uint64_t cycles)
{
	return cpu_dec(cpu, cycles) < 0;
}

/* An asynchronous interrupt waits for MSR[EE] or for nothing at all. */
static inline bool cpu_async_waits(const struct cpu *cpu, uint64_t cycles)
{
	return cpu->irq || cpu_dec_pending(cpu, cycles);
}

#endif

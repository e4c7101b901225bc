/* Special-purpose registers, the clock behind the time registers, and logging: what the
 * privileged part of the processor shares. Rows are in spr.def.
 */
#ifndef CPU_SPR_H
#define CPU_SPR_H

#include "cpu/core/cpu.h"

/* One line for -d, formatted only if somebody listens. */
#define cpu_log(cpu, channel, ...) \
	do { \
		if (unlikely((cpu)->env->log_mask & (channel)) && (cpu)->env->log) \
			(cpu)->env->log((cpu)->env->machine, (channel), __VA_ARGS__); \
	} while (0)

/* In a handler of a TIME row: the cycle after its instruction. */
#define NOW (cpu->limit - (uint64_t)budget - (uint64_t)op->imm)

/* FSCR bit of a facility: facility n has bit 63 - n. Power ISA 3.0B, Book III, 6.2.10. */
#define FSCR_BIT(facility) (UINT64_C(1) << (facility))

/* ---- PMU control. Power ISA 3.0B, Book III, 9.4.4 ---- */
#define MMCR0_FC    PPC_BIT(32)
#define MMCR0_PMAE  PPC_BIT(37)
#define MMCR0_BHRBA PPC_BIT(42)
#define MMCR0_EBE   PPC_BIT(43)
#define MMCR0_PMCC(mmcr0) ((unsigned)((mmcr0) >> 18) & 3)	/* bits 44:45 */
#define MMCR0_PMAO  PPC_BIT(56)

/* ---- Event-based branches. Book II, 7.2.1 ---- */
#define BESCR_GE PPC_BIT(0)
#define BESCR_TS PPC_MASK(32, 33)

/* Program priority, PPR bits 11:13: 4 is "medium", 1 and 2 are what loops wait at. Book II, 3.1. */
#define PPR_SHIFT    50
#define PPR_PRIORITY (UINT64_C(7) << PPR_SHIFT)
#define PPR_MEDIUM   (UINT64_C(4) << PPR_SHIFT)

static inline bool cpu_low_priority(const struct cpu *cpu)
{
	return (cpu->ppr & PPR_PRIORITY) < UINT64_C(3) << PPR_SHIFT;
}

/* Ticks at a cycle without the floor that keeps the timebase monotonic across processors:
 * what DEC counts. */
static inline uint64_t clock_ticks(const struct cpu *cpu, uint64_t cycles)
{
	return cycles / CYCLES_PER_TICK + cpu->env->clock->tb_offset;
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

/* Bits of special-purpose registers that more than one file of the processor acts on. The registers themselves
 * are rows of cpu/table/spr.def and members of struct cpu.
 */
#ifndef CPU_CORE_SPR_H
#define CPU_CORE_SPR_H

#include "cpu/core/cpu.h"

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

#endif

/* Bits of special-purpose registers that more than one file of the processor acts on. The registers themselves
 * are rows of cpu/table/spr.def and members of struct cpu.
 */
#ifndef CPU_CORE_SPR_H
#define CPU_CORE_SPR_H

#include "cpu/core/cpu.h"

/* The generations that have a register. */
enum { ON_8 = 1, ON_9 = 2, ON_10 = 4, ON_8_9 = ON_8 | ON_9, ON_9_10 = ON_9 | ON_10, ON_ALL = ON_8 | ON_9 | ON_10 };

/* As a bit; what came before POWER8 counts as that. */
static inline unsigned spr_generation(enum insn_since level)
{
	return level <= P8 ? ON_8 : level == P9 ? ON_9 : ON_10;
}

/* FSCR bit of a facility: facility n has bit 63 - n. Power ISA 3.0B, Book III, 6.2.10. */
#define FSCR_BIT(facility) (UINT64_C(1) << (facility))

/* FSCR's bits: what no instruction of this generation asks for cannot be allowed. */
static inline uint64_t fscr_bits(enum insn_since level)
{
	return PPC_MASK(0, 7) | FSCR_BIT(FAC_DSCR) | FSCR_BIT(FAC_EBB) | FSCR_BIT(FAC_TAR) | (level >= P9 ? FSCR_BIT(FAC_SCV) : 0) |
	       (level >= P10 ? FSCR_BIT(FAC_PREFIX) : 0);
}

/* What SPR 823 shows of PSSCR: what the hypervisor keeps is not among it. Book III, 3.2. */
#define PSSCR_GUEST (PPC_MASK(0, 3) | PPC_MASK(54, 63))

/* An enabled floating-point exception. Book I, 4.2.2. */
#define FPSCR_FEX PPC_BIT(33)

/* ---- PMU control. Power ISA 3.0B, Book III, 9.4.4 ---- */
#define MMCR0_FC      PPC_BIT(32)
#define MMCR0_FCS     PPC_BIT(33)
#define MMCR0_FCP     PPC_BIT(34)
#define MMCR0_FCM1    PPC_BIT(35)
#define MMCR0_FCM0    PPC_BIT(36)
#define MMCR0_PMAE    PPC_BIT(37)
#define MMCR0_FCECE   PPC_BIT(38)
#define MMCR0_TBSEL(mmcr0) ((unsigned)((mmcr0) >> 23) & 3)	/* bits 39:40 */
#define MMCR0_TBEE    PPC_BIT(41)
#define MMCR0_BHRBA   PPC_BIT(42)
#define MMCR0_EBE     PPC_BIT(43)
#define MMCR0_PMCC(mmcr0) ((unsigned)((mmcr0) >> 18) & 3)	/* bits 44:45 */
#define MMCR0_PMC1CE  PPC_BIT(48)
#define MMCR0_PMCJCE  PPC_BIT(49)
#define MMCR0_TRIGGER PPC_BIT(50)
#define MMCR0_FCPC    PPC_BIT(51)
#define MMCR0_CC56RUN PPC_BIT(55)
#define MMCR0_PMAO    PPC_BIT(56)
#define MMCR0_FC14    PPC_BIT(58)
#define MMCR0_FC56    PPC_BIT(59)
#define MMCR0_FC14W   PPC_BIT(62)
/* Of PMC1: those of the next one are nine bits further. 9.4.6. */
#define MMCR2_FC1S    PPC_BIT(0)
#define MMCR2_FC1P0   PPC_BIT(1)
#define MMCR2_FC1M1   PPC_BIT(3)
#define MMCR2_FC1M0   PPC_BIT(4)
#define MMCR2_FC1WAIT PPC_BIT(5)
#define MMCR2_BITS    9
#define MMCRA_SAMPLE_ENABLE PPC_BIT(63)
#define MMCRA_ELIGIBLE(mmcra) ((unsigned)((mmcra) >> 4) & 7)	/* bits 57:59 */

/* ---- Event-based branches. Book II, 7.2.1 ---- */
#define BESCR_GE   PPC_BIT(0)
#define BESCR_PME  PPC_BIT(31)
#define BESCR_TS   PPC_MASK(32, 33)
#define BESCR_PMEO PPC_BIT(63)

/* Program priority, PPR bits 11:13. Loops wait at 1 and 2. Book II, 3.1. */
#define PPR_SHIFT 50
enum { PRIORITY_MEDIUM_LOW = 3, PRIORITY_MEDIUM, PRIORITY_MEDIUM_HIGH, PRIORITY_HIGH };

static inline unsigned cpu_priority(const struct cpu *cpu) { return (unsigned)(cpu->ppr >> PPR_SHIFT) & 7; }
static inline bool cpu_low_priority(const struct cpu *cpu) { return cpu_priority(cpu) < PRIORITY_MEDIUM_LOW; }

/* What this state may not have leaves the priority as it is; but for medium high, which problem state has while PSPB is not 0,
 * and medium else. Book III, 4.3.6. */
static inline void cpu_set_priority(struct cpu *cpu, uint64_t wanted)
{
	bool problem = cpu->msr & MSR_PR;

	if (wanted == PRIORITY_MEDIUM_HIGH && problem && !cpu->pspb)
		wanted = PRIORITY_MEDIUM;
	if (wanted && wanted <= (problem ? PRIORITY_MEDIUM_HIGH : PRIORITY_HIGH))
		cpu->ppr = wanted << PPR_SHIFT;
}

#endif

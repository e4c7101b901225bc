/* The segment lookaside buffer: its entries' fields, and finding one.
 * Source: Power ISA 3.0B, Book III, 5.7.8 and 5.9.3.2.
 */
#ifndef CPU_MMU_SLB_H
#define CPU_MMU_SLB_H

#include "cpu/core/cpu.h"

/* slbmte's RB: */
#define SLB_ESID      PPC_MASK(0, 35)
#define SLB_ESID_1T   PPC_MASK(0, 23)
#define SLB_V         PPC_BIT(36)
#define SLB_INDEX(rb) ((unsigned)(rb) & 0xfff)
#define SLB_RESERVED  PPC_MASK(37, 51)

/* and its RS: */
#define SLB_B         PPC_MASK(0, 1)
#define SLB_1T        PPC_BIT(1)
#define SLB_VSID      PPC_MASK(2, 51)
#define SLB_VSID_1T   PPC_MASK(2, 39)
#define SLB_KS        PPC_BIT(52)
#define SLB_KP        PPC_BIT(53)
#define SLB_N         PPC_BIT(54)
#define SLB_C         PPC_BIT(56)
/* L || LP, the size of pages, as a number of three bits and as it stands there. */
#define SLB_SIZE(rs)      ((unsigned)((rs) >> 6 & 4) | (unsigned)((rs) >> 4 & 3))
#define SLB_SIZE_CODES    8
#define SLB_SIZE_BITS     0x130u

#define SEGMENT_SHIFT(rs) ((rs) & SLB_B ? 40u : 28u)

/* B and VSID, as an HPTE has them. Bits that a VSID of so large a segment has no use for are ignored. */
static inline uint64_t slb_name(const struct slb_entry *e)
{
	return e->vsid & (SLB_B | (e->vsid & SLB_B ? SLB_VSID_1T : SLB_VSID));
}

static inline bool slb_matches(const struct slb_entry *e, uint64_t ea)
{
	return (e->esid & SLB_V) && !((e->esid ^ ea) & (e->vsid & SLB_B ? SLB_ESID_1T : SLB_ESID));
}

/* The first entry that matches; NULL: none. */
static inline const struct slb_entry *slb_find(const struct cpu *cpu, uint64_t ea)
{
	for (unsigned i = 0; i < SLB_ENTRIES; i++)
		if (slb_matches(&cpu->slb[i], ea))
			return &cpu->slb[i];
	return NULL;
}

#endif

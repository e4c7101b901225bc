/* Address translation: from a guest effective address to a guest real one.
 *
 * An MMU walks its tables and says where a page lies or which interrupt the access deserves; it raises nothing and
 * remembers nothing. The engine's TLB (cpu/engine/tlb.h) keeps what it returns, and asks mmu_of() once for each context.
 */
#ifndef CPU_MMU_MMU_H
#define CPU_MMU_MMU_H

#include "cpu/core/cpu.h"

enum access { ACCESS_READ, ACCESS_WRITE, ACCESS_EXEC };

struct translation {
	uint64_t gra;		/* guest real address of ea */
	bool read, write, exec;	/* what the mapping allows this context without another walk
				 * (write only if C is already set) */
};

struct mmu_fault {
	enum vector vector;	/* data or instruction storage, or segment */
	uint64_t bits;		/* DSISR for data, SRR1 bits for instructions */
};

#define MMU_LEVELS 4

/* Where ea lies, and how one finds that out. */
struct mmu_look {
	uint64_t gra;
	unsigned shift;			/* log2 of the page's size */
	unsigned n;			/* entries of page tables that lead there, from the root on, and where they are */
	uint64_t entry[MMU_LEVELS];
	/* By the hash MMU: the segment's slb_name() and ea's place in it; `entry` are the groups that were looked through, of a
	 * table that lies behind the guest's memory. Others: 0. */
	uint64_t segment, offset;
};

/* One of the ways to translate, for instructions or for data. */
struct mmu {
	/* Translates, and sets R and C in the tables. Every address read from guest tables is checked against RAM. */
	bool (*translate)(struct cpu *cpu, uint64_t ea, enum access access, struct translation *out, struct mmu_fault *fault);
	/* The same for who only looks: no access, so R and C stay, and what the page permits is not asked. False: nowhere. */
	bool (*look)(const struct cpu *cpu, uint64_t ea, bool fetch, struct mmu_look *out);
};

extern const struct mmu mmu_real, mmu_radix, mmu_hash;

/* By MSR[IR] or [DR] and LPCR[HR]. */
static inline const struct mmu *mmu_of(const struct cpu *cpu, bool fetch)
{
	return !(cpu->msr & (fetch ? MSR_IR : MSR_DR)) ? &mmu_real : cpu->lpcr & LPCR_HR ? &mmu_radix : &mmu_hash;
}

/* DSISR bits; the instruction side has those that apply at the same place in SRR1. Book III, 6.5.3 and 6.5.5. */
#define FAULT_NO_PTE     PPC_BIT32(1)
#define FAULT_NOEXEC     PPC_BIT32(3)	/* SRR1[35] only: no-execute or guarded */
#define FAULT_PROTECTION PPC_BIT32(4)
#define FAULT_STORE      PPC_BIT32(6)	/* DSISR only */

/* What translate() returns. */
static inline bool mmu_storage_fault(struct mmu_fault *fault, enum access access, uint64_t bits)
{
	fault->vector = access == ACCESS_EXEC ? VEC_INST_STORAGE : VEC_DATA_STORAGE;
	fault->bits = access == ACCESS_WRITE ? bits | FAULT_STORE : bits;
	return false;
}

static inline bool mmu_segment_fault(struct mmu_fault *fault, enum access access)
{
	fault->vector = access == ACCESS_EXEC ? VEC_INST_SEGMENT : VEC_DATA_SEGMENT;
	fault->bits = 0;
	return false;
}

#endif

/* Address translation: from a guest effective address to a guest real one.
 *
 * mmu_translate() walks guest tables (mmu_radix.c; a hash MMU takes the same place) and
 * says where a page lies or which interrupt the access deserves; it raises nothing and
 * remembers nothing. The engine's TLB (cpu/engine/tlb.h) keeps what it returns.
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
};

/* The same for who only looks: no access, so R and C stay, and what the page permits is not asked. False: nowhere. */
bool mmu_look(const struct cpu *cpu, uint64_t ea, bool fetch, struct mmu_look *out);

/* Translates ea under cpu->msr (IR or DR by access), sets R and C in the guest's tables.
 * Every address read from guest tables is checked against RAM. */
bool mmu_translate(struct cpu *cpu, uint64_t ea, enum access access,
		   struct translation *out, struct mmu_fault *fault);

#endif

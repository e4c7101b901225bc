/* Address translation: the seam between the TLB and the translation modes.
 *
 * mmu_translate() walks guest tables (mmu_radix.c; a hash MMU takes the same place) and
 * says where a page lies or which interrupt the access deserves; it raises nothing
 * itself. tlb.c keeps what it returns and drops it when tlb_flush_*() says so.
 */
#ifndef CPU_MMU_H
#define CPU_MMU_H

#include "cpu/core/cpu.h"
#include "cpu/mmu/tlb.h"

struct translation {
	uint64_t gra;		/* guest real address of ea */
	unsigned page_shift;	/* size of the mapping: 12, 16, 21 or 30 */
	bool read, write, exec;	/* what the mapping allows this context without another walk
				 * (write only if C is already set) */
	bool guarded;		/* caching-inhibited or guarded: no RAM fast path for it */
};

struct mmu_fault {
	enum vector vector;	/* data or instruction storage, or segment */
	uint64_t bits;		/* DSISR for data, SRR1 bits for instructions */
};

/* Translates ea under cpu->msr (IR or DR by access), sets R and C in the guest's tables.
 * Every address read from guest tables is checked against RAM. */
bool mmu_translate(struct cpu *cpu, uint64_t ea, enum access access,
		   struct translation *out, struct mmu_fault *fault);
bool mmu_radix_translate(struct cpu *cpu, uint64_t ea, enum access access,
			 struct translation *out, struct mmu_fault *fault);

/* ---- Forgetting translations, by what guest instructions and hypercalls name. Each acts on
 * one processor; a broadcast is a loop over all by the caller (cpu->engine->cpus). ---- */
void tlb_flush_all(struct cpu *cpu);
void tlb_flush_pid(struct cpu *cpu, uint64_t pid);
/* One page of 1 << shift bytes at ea in that PID's space (PID 0: the kernel's quadrant,
 * which every context can reach). */
void tlb_flush_page(struct cpu *cpu, uint64_t pid, uint64_t ea, unsigned shift);
/* The same on every processor of the machine. */
void tlb_flush_all_everywhere(struct cpu *cpu);
void tlb_flush_pid_everywhere(struct cpu *cpu, uint64_t pid);
void tlb_flush_page_everywhere(struct cpu *cpu, uint64_t pid, uint64_t ea, unsigned shift);

/* Selects TLB, jump cache and block mode for the current MSR, PIDR, LPCR. Cheap when it has
 * been in that context before. Must be called after any change to those. */
void cpu_context_changed(struct cpu *cpu);

#endif

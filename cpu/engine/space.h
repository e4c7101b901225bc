/* Address spaces of a hash guest, and its SLB as the TLBs see it.
 *
 * A guest with the radix MMU says which process runs (PID). One with the hash MMU changes segments instead: it drops a
 * process's from the SLB when it switches, and gives them back one by one. So that TLBs outlive that, contexts of problem
 * state belong to a space: a set of segments below 2^63. While all of a space's segments are in the SLB as they were, what
 * its TLBs hold is right. A segment that comes makes the space larger; when one goes, another space is chosen, or its
 * entries are forgotten. Contexts of privileged state are the same for all spaces, and lose what is below 2^63 with any such
 * segment. Both are apart by what AMR, or IAMR, forbids (ctx_forget_keys()).
 */
#ifndef CPU_ENGINE_SPACE_H
#define CPU_ENGINE_SPACE_H

#include "cpu/core/cpu.h"

#define SPACES 16
#define KEY_SETS 4			/* a power of two */

struct space {
	unsigned n;			/* segments */
	bool odd;			/* some of them overlap: what was found there holds no longer than until the next change */
	struct slb_entry segment[SLB_ENTRIES];
};

/* Linux writes AMR and IAMR at each entry to the kernel and exit from it, with a few values in turns. What is found under one of
 * them lies in contexts of its own, which have the value's number in their key; when another value takes the number, they are
 * emptied. */
struct key_sets {
	uint64_t value[KEY_SETS];
	unsigned now, victim;
};

struct spaces {
	struct space space[SPACES];
	unsigned now, victim;
	bool moved;			/* the SLB has changed since `now` was chosen */
	struct key_sets amr, iamr;	/* of contexts for data, for code */
};

/* The number of the present one, for a context of problem state. */
unsigned space_now(struct cpu *cpu);
/* AMR or IAMR may have changed: gives their values their numbers. */
void space_check_keys(struct cpu *cpu);

/* There are such segments and such pages: what slbmte's RS says. */
bool slb_segment_ok(const struct cpu *cpu, uint64_t rs);
/* Writes an entry; TLBs forget what does not hold any more. */
void slb_put(struct cpu *cpu, unsigned index, uint64_t esid, uint64_t vsid);

#endif

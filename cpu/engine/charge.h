/* What the guest's path costs beside its instructions: branches that were guessed wrong, cache misses, translation.
 *
 * Under a timing model with such parts the decoder puts an op before each branch and each access to memory, and one at
 * the head of each block, which charge for them. What they charge depends on the guest's path and on the state that is
 * kept here, which is the guest's as registers are: it is saved, and no host's concern shows in it.
 */
#ifndef CPU_ENGINE_CHARGE_H
#define CPU_ENGINE_CHARGE_H

#include "cpu/engine/block.h"

struct charge;
struct decoder;
struct insn;

/* For all processors that the engine has, `threads` of them to a core. NULL: out of memory. */
struct charge *charge_new(struct engine *engine, unsigned threads);
void charge_free(struct charge *charge);

/* Decoding: the op at the block's head; the one before an instruction that holds others up, if this one does; the ops that
 * belong before `op`, or before a branch with these fields; of each as much as the model's parts want. */
void charge_emit_fetch(struct decoder *d);
void charge_emit_hold(struct decoder *d, const struct core_model *m, unsigned row, uint64_t word);
void charge_emit_access(struct decoder *d, const struct insn *insn, const struct op *op);
struct charge_branch {
	unsigned bo, bi, kind;		/* kind: enum branch_kind */
	bool link, wide;
	int64_t displacement;
};
void charge_emit_branch(struct decoder *d, const struct charge_branch *b);
/* How many instructions a block that begins there may have: it stays in a line of the cache. */
unsigned charge_most_words(const struct engine *engine, uint64_t gra);

enum branch_kind { TO_DISPLACEMENT, TO_ABSOLUTE, TO_LR, TO_CTR, TO_TAR };

/* What the guest's own instructions and hypercalls make the models forget, on all processors or on this one's core. */
void charge_flush_all(struct cpu *cpu, bool everywhere);
void charge_flush_pid(struct cpu *cpu, uint64_t pid, bool everywhere);
void charge_flush_page(struct cpu *cpu, uint64_t pid, uint64_t ea, unsigned shift, bool everywhere);
/* A page of a hash guest, on all cores: by slb_name() and where it lies in the segment. */
void charge_flush_virtual(struct cpu *cpu, uint64_t segment, uint64_t offset, unsigned shift);
/* A segment is another one; what is behind the ERATs knows pages by VSID, and keeps them. */
void charge_flush_erats(struct cpu *cpu);
/* DSCR[DPFD], which the threads of a core share here: the last one to be written stands; after charge_reset(), its last thread's. */
void charge_set_depth(struct cpu *cpu, unsigned dpfd);
/* So many threads of the processor's core run from now on. */
void charge_set_threads(struct cpu *cpu, unsigned busy);

/* All of it as bytes, for a snapshot; false: they are no state of charge_size() bytes. */
size_t charge_size(const struct engine *engine);
const void *charge_state(struct engine *engine, size_t *size);
bool charge_load(struct engine *engine, const void *bytes, size_t size);
void charge_reset(struct engine *engine);

#endif

/* What a block costs under a timing model that knows a pipeline: the engine's side of cpu/timing/pipeline.h.
 *
 * What an instruction costs depends on what is under way when it is dispatched. So each block begins with an op that
 * looks up what the block has cost before from the same state of the pipeline, and to which state it led; what it has not
 * met it simulates. States have numbers, which are the host's affair: only their contents are the guest's.
 *
 * Costs are those of the instructions along the guest's path, one by one. Where blocks begin and end, what is
 * remembered, and what is forgotten changes none.
 */
#ifndef CPU_ENGINE_PACE_H
#define CPU_ENGINE_PACE_H

#include "cpu/engine/block.h"
#include "cpu/timing/pipeline.h"

struct pace;
struct decoder;

/* By how much the next block is late: behind a taken branch whose target was at hand, and behind one whose target was not. */
enum pace_bubble { BUBBLE_TAKEN, BUBBLE_REDIRECT, BUBBLES };
/* By number of a state that a branch has led to: 1 + the states after each of these waits, whose costs the branch charges; 0:
 * nobody has asked yet. */
struct pace_after { uint32_t state[BUBBLES]; };

/* `salt` is unknown to the guest, which cannot choose states that share a place in the table. NULL: out of memory. */
struct pace *pace_new(const struct core_model *core, uint64_t salt);
void pace_free(struct pace *pace);

/* What a block has cost from one state: from `in` it costs `cost` units and leads to `out`. */
typedef uint64_t memo;
#define MEMO(in, out, cost) ((memo)(in) << 44 | (memo)(out) << 24 | (cost))
#define MEMO_IN(m)   ((uint32_t)((m) >> 44))
#define MEMO_OUT(m)  ((uint32_t)((m) >> 24) & 0xfffff)
#define MEMO_COST(m) ((uint32_t)(m) & 0xffffff)
#define MEMO_NONE    UINT64_MAX		/* in: no state's number */
/* Units, more than any block costs: what an exit lends the budget, which pays it back on its way out. Thus a block that may
 * overdraw gets as far as that. */
#define PACE_LENT INT64_C(0x100000)
_Static_assert(PACE_LENT > BLOCK_MAX_INSNS * PIPE_MAX_COST, "more than any block costs");

_Static_assert(sizeof(struct pipe_state) == PACE_BYTES, "a processor has room for one");

void pace_emit(struct decoder *d);		/* the block's head */
/* On the way out from a branch in the block's middle. The branch that leads there and its two edges are the next ops: this one
 * goes where they lead, and only what is new to it runs the branch's handler. */
void pace_emit_exit(struct decoder *d, bool near);
void pace_clear(struct block *block);		/* a copy remembers nothing */
void pace_forget_blocks(struct pace *pace);	/* none is left */
void pace_add_cpu(struct cpu *cpu);

/* By number of a state. */
const struct pace_after *pace_after(const struct engine *engine);
/* What is not there yet, between a block's head and the next one's. */
uint32_t pace_foresee(const struct engine *engine, uint32_t number, enum pace_bubble bubble);

/* What has been charged for the block's instructions from number `n` on, and the state before that one. The block must be
 * the one that cpu has entered last. */
unsigned pace_rest(const struct cpu *cpu, const struct block *block, unsigned n, uint32_t *state);
/* How many of the block's instructions start within `units` from now: at least one. */
unsigned pace_fit(struct cpu *cpu, const struct block *block, unsigned units);

/* From an op at its head the block is left as it was before: the engine makes room, or runs part of it. What the budget is. */
int64_t pace_back_out(struct cpu *cpu, const struct op *op, int64_t budget);

/* Between blocks: makes room for states. True if all blocks have been forgotten for it. */
bool pace_make_room(struct engine *engine);

/* So many threads of the processor's core run from now on. */
void pace_set_threads(struct cpu *cpu, unsigned busy);

/* The processor's state of the pipeline to be saved, and one that comes from outside; false: it is none. */
void pace_get(const struct cpu *cpu, struct pipe_state *state);
bool pace_set(struct cpu *cpu, const struct pipe_state *state);

/* The op at the block's head. */
const struct op *pace_op(const struct block *block);

#endif

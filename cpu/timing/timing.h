/* Timing models: what an instruction costs in cycles.
 *
 * Costs are fixed when a block is decoded, so a model is asked once per instruction and
 * block. They may depend on the instructions before it in the block, never on host state.
 */
#ifndef CPU_TIMING_TIMING_H
#define CPU_TIMING_TIMING_H

#include <stdint.h>

struct insn;

struct timing_model {
	const char *name;
	/* Cycles that `insn` adds when `index` instructions of its block precede it; at least 1. */
	unsigned (*cycles)(const struct insn *insn, uint32_t word, unsigned index);
};

const struct timing_model *timing_find(const char *name);	/* NULL: no such model */

#endif

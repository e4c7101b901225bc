/* Loops that wait: see spin.c. */
#ifndef CPU_ENGINE_SPIN_H
#define CPU_ENGINE_SPIN_H

#include "cpu/engine/block.h"

/* If the block is one, its branch becomes a handler that charges for all rounds at once. Before it is fused. */
void spin_block(struct block *block);

OP_RETURN OP_ABI op_spin(OP_PARAMS);
OP_RETURN OP_ABI op_spin_t(OP_PARAMS);
OP_RETURN OP_ABI op_spin_f(OP_PARAMS);

#endif

/* Fused ops: see fuse.c. */
#ifndef CPU_FUSE_H
#define CPU_FUSE_H

#include "block.h"

void fuse_block(struct block *block);	/* fuses what fuse.def lists */
/* The handler that `fn` stands in for, and the number of ops that it runs; fn itself and 1 if not fused. */
op_fn *fuse_first(op_fn *fn, unsigned *n);

#endif

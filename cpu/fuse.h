/* Fused ops: see fuse.c. */
#ifndef CPU_FUSE_H
#define CPU_FUSE_H

#include "block.h"

void fuse_block(struct block *block);	/* fuses what fuse.def lists */
op_fn *fuse_first(op_fn *fn);		/* the handler that `fn` stands in for; fn itself if not fused */

#endif

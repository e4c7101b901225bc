/* Fused ops: see fuse.c. */
#ifndef CPU_ENGINE_FUSE_H
#define CPU_ENGINE_FUSE_H

#include "cpu/engine/block.h"

void fuse_block(struct block *block);	/* fuses what fuse.def lists */
/* The handler that `fn` stands in for, and the number of ops that it runs; fn itself and 1 if not fused. */
op_fn *fuse_first(op_fn *fn, unsigned *n);

/* The handler that a step of fuse.def stands for, by its kind. */
#define NAME_S(name) op_##name
#define NAME_T(name) op_##name
#define NAME_R(name) op_##name
#define NAME_N(name) op_##name##_near
#define NAME_F(name) op_##name##_far
#define NAME_X(name) op_##name##_exit_near
#define NAME_Y(name) op_##name##_exit_far

#endif

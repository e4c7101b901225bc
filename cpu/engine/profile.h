/* Counting what a guest executes, in a build of its own: `make profile`. See profile.c. */
#ifndef CPU_ENGINE_PROFILE_H
#define CPU_ENGINE_PROFILE_H

#include "cpu/engine/block.h"

#ifdef CEDE_PROFILE
enum { PROFILING = true };
void profile_op(const struct op *op);	/* `op` is about to run */
#else
enum { PROFILING = false };
static inline void profile_op(const struct op *op) { (void)op; }
#endif

#endif

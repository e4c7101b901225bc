/* The figures of each processor model for cpu/timing's branches, caches and translation. */
#ifndef CPU_TIMING_MEMORY_MODELS_H
#define CPU_TIMING_MEMORY_MODELS_H

#include "cpu/timing/branch.h"
#include "cpu/timing/caches.h"
#include "cpu/timing/translation.h"

struct memory_model {
	const char *name;
	unsigned mhz;		/* of the core, unless somebody says otherwise */
	struct branch_params branch;
	struct cache_params cache;
	struct tlb_params tlb;
};

const struct memory_model *memory_model_find(const char *name);	/* NULL: no such model */

#endif

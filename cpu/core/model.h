/* What makes a processor one of its generation, as plain data. A model is a file of cpu/model/ and its row in
 * cpu/model/models.c.
 */
#ifndef CPU_CORE_MODEL_H
#define CPU_CORE_MODEL_H

#include <stdbool.h>
#include <stdint.h>

#include "cpu/table/since.h"

/* A level of the architecture that a guest can ask for, by the logical PVR that names it (PAPR, "Root Node Methods"). */
struct cpu_level {
	uint32_t logical_pvr;
	bool radix;			/* it has the radix MMU */
};

/* Cells of a device tree's property. */
struct cpu_cells {
	const uint32_t *cell;
	unsigned n;
};
#define CPU_CELLS(...) \
	{ .cell = (const uint32_t[]){ __VA_ARGS__ }, .n = sizeof((const uint32_t[]){ __VA_ARGS__ }) / sizeof(uint32_t) }

struct cpu_model {
	const char *name;		/* as -cpu and max-cpu-compat= have it, in small letters */
	const char *alias;		/* a revision's name, for -cpu alone */
	const char *title;		/* as -cpu help says it */
	uint32_t pvr;
	enum insn_since since;		/* its generation: what came later is an illegal instruction */
	const struct cpu_level *levels;	/* that it can appear as: oldest first, the last is its own */
	unsigned nlevels;

	/* Nodes below /cpus. PAPR, "Device Tree"; sizes in bytes. */
	const char *node;
	uint32_t cache_line, l1d_size, l1i_size;
	uint32_t slb_entries;
	unsigned large_dec_bits;	/* of DEC with LPCR[LD]; 0: it has no such bit */
	struct cpu_cells segment_sizes;	/* ibm,processor-segment-sizes: shifts */
	struct cpu_cells segment_pages;	/* ibm,segment-page-sizes, of which a guest gets what -M lets it have: shift, SLB encoding, page sizes (shift, PTE encoding) */
	struct cpu_cells radix_pages;	/* ibm,processor-radix-AP-encodings: AP << 29 | shift */
	const uint8_t *pa_features;	/* ibm,pa-features */
	unsigned pa_features_size;
};

/* The level that it is, if nobody asks for an older one. */
static inline const struct cpu_level *cpu_model_level(const struct cpu_model *model)
{
	return &model->levels[model->nlevels - 1];
}

#endif

/* What makes a processor one of its generation, as plain data. A model is a file of cpu/model/ and its row in
 * cpu/model/models.c.
 */
#ifndef CPU_CORE_MODEL_H
#define CPU_CORE_MODEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "cpu/table/since.h"

/* A level of the architecture that a guest can ask for, by the logical PVR that names it (PAPR, "Root Node Methods"). */
struct cpu_level {
	const char *name;		/* as max-cpu-compat= has it */
	uint32_t logical_pvr;
	enum insn_since since;		/* problem state has what came with it, and no more: PCR */
	bool radix;			/* it has the radix MMU */
	const uint8_t *pa_features;	/* ibm,pa-features */
	unsigned pa_features_size;
};

/* All that there are, oldest first: a model appears as the first few of them. */
enum cpu_level_count { LEVELS_TO_POWER8 = 3, LEVELS_TO_POWER9, LEVELS_TO_POWER10 };
extern const struct cpu_level cpu_levels[LEVELS_TO_POWER10];

/* Cells of a device tree's property. */
struct cpu_cells {
	const uint32_t *cell;
	unsigned n;
};
#define CPU_CELLS(...) \
	{ .cell = (const uint32_t[]){ __VA_ARGS__ }, .n = sizeof((const uint32_t[]){ __VA_ARGS__ }) / sizeof(uint32_t) }

/* Bases of 4 KiB, 64 KiB, 16 MiB and 16 GiB, and what pages segments of each may have. */
#define HASH_PAGES CPU_CELLS(12, 0, 2, 12, 0, 24, 0x38, 16, 0x110, 2, 16, 1, 24, 8, 24, 0x100, 1, 24, 0, 34, 0x120, 1, 34, 3)

struct cpu_model {
	const char *name;		/* as -cpu has it, in small letters */
	const char *alias;		/* a revision's name; the same if there is no other */
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
	struct cpu_cells radix_pages;	/* ibm,processor-radix-AP-encodings: AP << 29 | shift; none: there is no radix MMU */
	unsigned dawrs;			/* watchpoints */
	bool ail_2;			/* LPCR[AIL] may be 2: interrupts at + 0x18000 */
};

/* The level that it is, if nobody asks for an older one. */
static inline const struct cpu_level *cpu_model_level(const struct cpu_model *model)
{
	return &model->levels[model->nlevels - 1];
}

/* The level with that logical PVR, NULL: the model cannot appear as such. */
static inline const struct cpu_level *cpu_model_find_level(const struct cpu_model *model, uint32_t logical_pvr)
{
	for (unsigned i = 0; i < model->nlevels; i++)
		if (model->levels[i].logical_pvr == logical_pvr)
			return &model->levels[i];
	return NULL;
}

#endif

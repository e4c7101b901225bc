/* The figures of each processor model, a source for each.
 *
 *   UM   POWER9 Processor User's Manual 2.0, as others quote it
 *   J    the IBM Journal's papers on the model, or measured for ibm-power8 and ibm-power9 in jiegec's notes
 *   AC   measured on an AC922 (POWER9) for the POWERarm project
 *   AT   lmbench and STREAM on an S812LC (POWER8), AnandTech 10435
 *   K    Linux 6.1: arch/powerpc
 *   HC   what was said of Power10 at Hot Chips 32 and in the press
 *   ?    assumed: no source
 *
 * Where a manual and a measurement differ, the measurement stands. */
#include "cpu/timing/memory_models.h"

#include <stddef.h>
#include <string.h>

static const struct memory_model models[] = {
	{
		.name = "power8", .mhz = 3500,
		.branch = {
			.local = 16384 - 1, .global = 16384 - 1, .history = BRANCH_HISTORY(21),		/* J, with as many selectors */
			.targets = 256 - 1, .target_shift = 5,			/* J: 256 by address; POWER9's granule ? */
			.links = { 32 - 1, 32 - 1, 16 - 1, 8 - 1 },				/* J */
		},
		.cache = {
			.l1i_sets = 32, .l1i_ways = 8,				/* J: 32 K */
			.l1d_sets = 64,						/* J: 64 K, 8 ways */
			.l2_sets = 512,						/* J: 512 K, 8 ways */
			.l3_sets = 8192, .l3_ways = 8,				/* J: 8 M, 8 ways */
			.far_sets = 32768,					/* AT: the ladder's step at 64 M */
			.cores_per_slice = 1,					/* J */
			.l1 = CACHE_CYCLES(3), .l2 = CACHE_CYCLES(13), .l3 = CACHE_CYCLES(27.5),	/* AT */
			.far_ps = 55000, .memory_ps = 90000,			/* AT */
			.l2_line = CACHE_CYCLES(2), .l3_line = CACHE_CYCLES(4),	/* ? as POWER9 */
			.far_line_ps = 5000, .memory_line_ps = 7000,		/* ? 18 GB/s; AT: 90 GB/s for the socket */
			.hide = CACHE_CYCLES(56),				/* J: 224 instructions, 4 at a time */
			.fetch_hide = CACHE_CYCLES(2),				/* J: 2.4 NOPs a cycle from L2 */
			.misses = 16, .stores = 40, .streams = 16,		/* J */
			.fetch_ahead = 0,					/* J: from the same 2.4 */
			.depth = { 12, 0, 4, 8, 12, 16, 20, 24 },		/* J: 12; the scale ? */
		},
		.tlb = {
			.erat_fetch = 64, .erat_data = 48, .erat_data_smt = 96,	/* J */
			.second_data = 256, .second_cost = CACHE_CYCLES(15.75),	/* J: 18.8 cycles from load to use */
			.sets_hash = 512, .sets_radix = 512,			/* K: 2048 entries */
			.walk_caches = 0,
			.tlb_data_cost = CACHE_CYCLES(26), .tlb_fetch_cost = CACHE_CYCLES(26),	/* ? */
			.walk_cost = CACHE_CYCLES(10),				/* ? */
		},
	}, {
		.name = "power9", .mhz = 3800,
		.branch = {
			.local = 8192 - 1, .global = 8192 - 1, .history = BRANCH_HISTORY(24),		/* UM, with as many selectors; history ? */
			.tagged = 4096 - 1, .long_history = BRANCH_HISTORY(64),			/* UM: four tables, to 256; one stands for them */
			.targets = 256 - 1, .target_shift = 5,			/* AC: 256 sites, one in 32 bytes */
			.links = { 64 - 1, 32 - 1, 16 - 1, 16 - 1 },				/* UM */
		},
		.cache = {
			.l1i_sets = 32, .l1i_ways = 8,				/* UM: 32 K */
			.l1d_sets = 32,						/* UM: 32 K, 8 ways */
			.l2_sets = 512,						/* UM: 512 K, 8 ways */
			.l3_sets = 4096, .l3_ways = 20,				/* UM: 10 M, 20 ways */
			.far_sets = 56320,					/* UM: 110 M */
			.cores_per_slice = 2,					/* UM */
			.l1 = CACHE_CYCLES(4), .l2 = CACHE_CYCLES(15.5), .l3 = CACHE_CYCLES(35.5),	/* UM */
			.far_ps = 50000,					/* ? */
			.memory_ps = 68000,					/* UM, table 25-7 */
			.l2_line = CACHE_CYCLES(2), .l3_line = CACHE_CYCLES(4),	/* UM: 64 and 32 bytes a cycle */
			.far_line_ps = 4500, .memory_line_ps = 6000,		/* ? 21 GB/s */
			.hide = CACHE_CYCLES(64),				/* UM: 256 instructions, 4 at a time */
			.fetch_hide = 0,
			.misses = 12, .stores = 64, .streams = 8,		/* UM */
			.fetch_ahead = 7,					/* UM: 0 to 7; J: 4.7 NOPs a cycle from L2 */
			.depth = { 24, 0, 4, 8, 12, 16, 20, 24 },		/* UM: 4 to 24, as it goes; the scale ? */
		},
		.tlb = {
			.erat_fetch = 256, .erat_data = 256, .erat_data_smt = 256,	/* J, measured; UM: 64 */
			.second_data = 0,
			.sets_hash = 256, .sets_radix = 128, .walk_caches = 3,	/* K, UM */
			.tlb_data_cost = CACHE_CYCLES(20),			/* ? */
			.tlb_fetch_cost = CACHE_CYCLES(25),			/* J: page-hopping branches, 3 to 28 cycles */
			.walk_cost = CACHE_CYCLES(10),				/* ? */
		},
	}, {
		.name = "power10", .mhz = 4000,
		.branch = {
			.local = 16384 - 1, .global = 16384 - 1, .history = BRANCH_HISTORY(28),		/* ? */
			.tagged = 4096 - 1, .long_history = BRANCH_HISTORY(64),			/* HC: better; sizes ? */
			.targets = 512 - 1, .target_shift = 5,			/* HC: larger; size ? */
			.links = { 64 - 1, 32 - 1, 16 - 1, 16 - 1 },				/* ? as POWER9 */
		},
		.cache = {
			.l1i_sets = 64, .l1i_ways = 6,				/* HC: 48 K */
			.l1d_sets = 32,						/* HC: 32 K, 8 ways */
			.l2_sets = 1024,					/* HC: 2 M for two halves, 8 ways */
			.l3_sets = 4096, .l3_ways = 16,				/* HC: 8 M; ways ? */
			.far_sets = 32768,					/* HC: 64 M */
			.cores_per_slice = 1,
			.l1 = CACHE_CYCLES(4), .l2 = CACHE_CYCLES(13.5), .l3 = CACHE_CYCLES(27.5),	/* HC */
			.far_ps = 45000, .memory_ps = 80000,			/* ? HC: 10 ns more than DDR */
			.l2_line = CACHE_CYCLES(2), .l3_line = CACHE_CYCLES(2),	/* HC: 64 bytes a cycle */
			.far_line_ps = 3500, .memory_line_ps = 4500,		/* ? 28 GB/s */
			.hide = CACHE_CYCLES(64),				/* HC: 512 instructions for two halves */
			.fetch_hide = 0,
			.misses = 12, .stores = 40, .streams = 16,		/* HC; misses ? as POWER9 */
			.fetch_ahead = 7,					/* ? as POWER9 */
			.depth = { 24, 0, 4, 8, 12, 16, 20, 24 },		/* ? as POWER9 */
		},
		.tlb = {
			.erat_fetch = 64, .erat_data = 64, .erat_data_smt = 64,	/* ? */
			.second_data = 0,
			.sets_hash = 1024, .sets_radix = 1024, .walk_caches = 3,	/* HC: 4096 entries */
			.tlb_data_cost = CACHE_CYCLES(8.5), .tlb_fetch_cost = CACHE_CYCLES(8.5),	/* HC */
			.walk_cost = CACHE_CYCLES(10),				/* ? */
		},
	},
};

const struct memory_model *memory_model_find(const char *name)
{
	for (size_t i = 0; i < sizeof models / sizeof models[0]; i++)
		if (!strcmp(models[i].name, name))
			return &models[i];
	return NULL;
}

/* POWER8 DD2.0. Sources: POWER8 User's Manual; PAPR, "Device Tree". It has no radix MMU. */
#include "cpu/core/cpu.h"
#include "cpu/core/model.h"

extern const struct cpu_model power8_model;
const struct cpu_model power8_model = {
	.name = "power8", .alias = "power8_v2.0", .title = "POWER8 DD2.0",
	.pvr = 0x004d0200,
	.since = P8,
	.levels = cpu_levels, .nlevels = LEVELS_TO_POWER8,
	.node = "PowerPC,POWER8",
	.cache_line = 128,
	.l1d_size = 0x8000, .l1i_size = 0x8000,
	.slb_entries = SLB_ENTRIES,
	.segment_sizes = CPU_CELLS(28, 40, ~0u, ~0u),
	.segment_pages = HASH_PAGES,
	.dawrs = 1,
	.ail_2 = true,
};

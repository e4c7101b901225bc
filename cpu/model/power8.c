/* POWER8 DD2.0, and the chips with six cores and with NVLink, whose cores are the same. Sources: POWER8 User's Manual; PAPR,
 * "Device Tree". It has no radix MMU. */
#include "cpu/core/cpu.h"
#include "cpu/core/model.h"

#define POWER8(name_, alias_, title_, pvr_) \
	{ \
		.name = name_, .alias = alias_, .title = title_, \
		.pvr = pvr_, \
		.since = P8, \
		.levels = cpu_levels, .nlevels = LEVELS_TO_POWER8, \
		.node = "PowerPC,POWER8", \
		.cache_line = 128, \
		.l1d_size = 0x8000, .l1i_size = 0x8000, \
		.slb_entries = SLB_ENTRIES, \
		.segment_sizes = CPU_CELLS(28, 40, ~0u, ~0u), \
		.segment_pages = HASH_PAGES, \
		.dawrs = 1, \
		.ail_2 = true, \
	}

extern const struct cpu_model power8_model, power8e_model, power8nvl_model;
const struct cpu_model power8_model = POWER8("power8", "power8_v2.0", "POWER8 DD2.0", 0x004d0200);
const struct cpu_model power8e_model = POWER8("power8e", "power8e_v2.1", "POWER8E DD2.1", 0x004b0201);
const struct cpu_model power8nvl_model = POWER8("power8nvl", "power8nvl_v1.0", "POWER8NVL DD1.0", 0x004c0100);

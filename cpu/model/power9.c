/* POWER9 DD2.0 and DD2.2. Sources: POWER9 User's Manual; PAPR, "Device Tree". What a device tree says of it is what QEMU's
 * says, but for what does not work here. */
#include "cpu/core/cpu.h"
#include "cpu/core/model.h"

#define POWER9(name_, alias_, title_, pvr_) \
	{ \
		.name = name_, .alias = alias_, .title = title_, \
		.pvr = pvr_, \
		.since = P9, \
		.levels = cpu_levels, .nlevels = LEVELS_TO_POWER9, \
		.node = "PowerPC,POWER9", \
		.cache_line = 128,	/* of both L1 caches; so is what dcbz clears */ \
		.l1d_size = 0x8000, .l1i_size = 0x8000, \
		.slb_entries = SLB_ENTRIES, \
		.large_dec_bits = LARGE_DEC_BITS, \
		.segment_sizes = CPU_CELLS(28, 40, ~0u, ~0u), \
		.segment_pages = HASH_PAGES, \
		.radix_pages = CPU_CELLS(0u << 29 | 12, 5u << 29 | 16, 1u << 29 | 21, 2u << 29 | 30),	/* 4 KiB, 64 KiB, 2 MiB, 1 GiB */ \
		.dawrs = 1, \
		.ail_2 = true, \
	}

extern const struct cpu_model power9_model, power9_2_model;
const struct cpu_model power9_model = POWER9("power9", "power9_v2.0", "POWER9 DD2.0", 0x004e1200);
const struct cpu_model power9_2_model = POWER9("power9_v2.2", "power9_v2.2", "POWER9 DD2.2", 0x004e1202);

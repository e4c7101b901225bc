/* POWER10 DD2.0. Sources: POWER10 Processor User's Manual; PAPR, "Device Tree". Gone since
 * POWER9: transactional memory, strong access order, LPCR[AIL] 2. */
#include "cpu/core/cpu.h"
#include "cpu/core/model.h"

extern const struct cpu_model power10_model;
const struct cpu_model power10_model = {
	.name = "power10", .alias = "power10_v2.0", .title = "POWER10 DD2.0",
	.pvr = 0x00801200,
	.since = P10,
	.levels = cpu_levels, .nlevels = LEVELS_TO_POWER10,
	.node = "PowerPC,POWER10",
	.cache_line = 128,
	.l1d_size = 0x8000, .l1i_size = 0x8000,
	.slb_entries = SLB_ENTRIES,
	.large_dec_bits = LARGE_DEC_BITS,
	.segment_sizes = CPU_CELLS(28, 40, ~0u, ~0u),
	.segment_pages = HASH_PAGES,
	.radix_pages = CPU_CELLS(0u << 29 | 12, 5u << 29 | 16, 1u << 29 | 21, 2u << 29 | 30),	/* 4 KiB, 64 KiB, 2 MiB, 1 GiB */
	.dawrs = 2,
};

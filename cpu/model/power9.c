/* POWER9 DD2.0. Sources: POWER9 User's Manual; PAPR, "Device Tree". What a device tree says of it is what QEMU's
 * says, but for what does not work here. */
#include "cpu/core/bits.h"
#include "cpu/core/cpu.h"
#include "cpu/core/model.h"

static const struct cpu_level levels[] = {
	{ 0x0f000003, false },	/* 2.06 */
	{ 0x0f100003, false },	/* 2.06, POWER7+ */
	{ 0x0f000004, false },	/* 2.07 */
	{ 0x0f000005, true },	/* 3.00 */
};

/* ibm,pa-features, by the byte and bit numbers of PAPR's table of processor architecture
 * attributes. Off though POWER9 has them: transactional memory (22), and what would match but does not here (DABR in 0). */
static const uint8_t pa_features[2 + 66] = {
	66, 0,			/* length, attribute specifier type */
	[2 + 0] = 0xf2,		/* MMU, FPU, SLB, RUN, no-execute */
	[2 + 1] = 0x3f, [2 + 2] = 0xc7, [2 + 3] = 0xc0, [2 + 4] = 0x80,
	[2 + 5] = 0xf0,		/* little-endian, CFAR, exception boundaries, lq and stq */
	[2 + 6] = 0x80,
	[2 + 16] = 0x80,	/* vector */
	[2 + 18] = 0x80,	/* VSX */
	[2 + 20] = 0x80,	/* vector XOR */
	[2 + 24] = 0x80,	/* external decrementer */
	[2 + 26] = 0x80,	/* 64-bit features */
	[2 + 28] = 0x80,	/* performance monitor, as in 2.07 */
	[2 + 30] = 0x80,	/* MMR */
	[2 + 32] = 0x80,	/* little-endian atomics */
	[2 + 34] = 0xc0,	/* event-based branches */
	[2 + 36] = 0x80,	/* SPR SO */
	[2 + 38] = 0x80,	/* copy and paste */
	[2 + 40] = 0x80,	/* radix MMU */
	[2 + 42] = 0x80,	/* performance monitor, as in 3.0 */
	[2 + 44] = 0x80,	/* PC-relative adds */
	[2 + 46] = 0x80,	/* system call vectored */
	[2 + 48] = 0x80,	/* SIMD */
	[2 + 50] = 0x80,	/* quad-precision binary floating point */
	[2 + 52] = 0x80,	/* string */
	[2 + 54] = 0x80,	/* decimal floating point */
	[2 + 56] = 0x80,	/* decimal integer */
	[2 + 58] = 0x80,	/* SHA */
	[2 + 60] = 0x80,	/* near-memory atomics */
	[2 + 62] = 0x80,	/* darn */
};

extern const struct cpu_model power9_model;
const struct cpu_model power9_model = {
	.name = "power9", .alias = "power9_v2.0", .title = "POWER9 DD2.0",
	.pvr = 0x004e1200,
	.since = P9,
	.levels = levels, .nlevels = ARRAY_SIZE(levels),

	.node = "PowerPC,POWER9",
	.cache_line = 128,	/* of both L1 caches; so is what dcbz clears */
	.l1d_size = 0x8000, .l1i_size = 0x8000,
	.slb_entries = SLB_ENTRIES,
	.large_dec_bits = LARGE_DEC_BITS,
	.segment_sizes = CPU_CELLS(28, 40, ~0u, ~0u),
	.segment_pages = CPU_CELLS(12, 0, 2, 12, 0, 24, 0x38, 16, 0x110, 2, 16, 1, 24, 8, 24, 0x100, 1, 24, 0, 34, 0x120, 1, 34, 3),
	.radix_pages = CPU_CELLS(0u << 29 | 12, 5u << 29 | 16, 1u << 29 | 21, 2u << 29 | 30),	/* 4 KiB, 64 KiB, 2 MiB, 1 GiB */
	.pa_features = pa_features, .pa_features_size = sizeof pa_features,
};

/* The levels of the architecture that models appear as. What a device tree says of them is what QEMU's says, but for what
 * works on none here. Source: PAPR, "Device Tree", table of processor architecture attributes. */
#include "cpu/core/bits.h"
#include "cpu/core/model.h"

/* ibm,pa-features: length, attribute specifier type, then bytes and bits by the numbers of that table. A processor has what
 * both its own level and the one that it appears as have. Transactional memory (22) is an option. */
static const uint8_t features_2_06[2 + 6] = {
	6, 0,
	[2 + 0] = 0xf6,		/* MMU, FPU, SLB, RUN, DABR (H_SET_DABR does by DAWR0), no-execute */
	[2 + 1] = 0x3f, [2 + 2] = 0xc7, [2 + 4] = 0x80, [2 + 5] = 0xc0,
};

static const uint8_t features_2_07[2 + 24] = {
	24, 0,
	[2 + 0] = 0xf6,
	[2 + 1] = 0x3f, [2 + 2] = 0xc7, [2 + 3] = 0xc0,
	[2 + 4] = 0x80,		/* strong access order */
	[2 + 5] = 0xf0,		/* little-endian, CFAR, exception boundaries, lq and stq */
	[2 + 6] = 0x80,
	[2 + 16] = 0x80,	/* vector */
	[2 + 18] = 0x80,	/* VSX */
	[2 + 20] = 0x80,	/* vector XOR */
};

static const uint8_t features_3_00[2 + 66] = {
	66, 0,
	[2 + 0] = 0xf6, [2 + 1] = 0x3f, [2 + 2] = 0xc7, [2 + 3] = 0xc0, [2 + 4] = 0x80, [2 + 5] = 0xf0, [2 + 6] = 0x80,
	[2 + 16] = 0x80, [2 + 18] = 0x80, [2 + 20] = 0x80,
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

static const uint8_t features_3_1[2 + 74] = {
	74, 0,
	/* Gone: strong access order (4), MMR, SPR SO, copy and paste to accelerators (30, 36, 38). */
	[2 + 0] = 0xf6, [2 + 1] = 0x3f, [2 + 2] = 0xc7, [2 + 3] = 0xc0, [2 + 5] = 0xf0, [2 + 6] = 0x80,
	[2 + 16] = 0x80, [2 + 18] = 0x80, [2 + 20] = 0x80, [2 + 24] = 0x80, [2 + 26] = 0x80, [2 + 28] = 0x80,
	[2 + 32] = 0x80, [2 + 34] = 0xc0, [2 + 40] = 0x80, [2 + 42] = 0x80, [2 + 44] = 0x80, [2 + 46] = 0x80,
	[2 + 48] = 0x80, [2 + 50] = 0x80, [2 + 52] = 0x80, [2 + 54] = 0x80, [2 + 56] = 0x80, [2 + 58] = 0x80,
	[2 + 60] = 0x80, [2 + 62] = 0x80,
	[2 + 64] = 0x80,	/* the second watchpoint */
	[2 + 68] = 0xce,	/* DEXCR, and its aspects SBHE, IBRTPD, SRAPD, NPHIE, PHIE */
	[2 + 72] = 0x80,	/* hash instructions */
};

#define LEVEL(name, pvr, since, radix, features) { name, pvr, since, radix, features, sizeof features }
const struct cpu_level cpu_levels[LEVELS_TO_POWER10] = {
	LEVEL("power7", 0x0f000003, P7, false, features_2_06),
	LEVEL("power7+", 0x0f100003, P7, false, features_2_06),
	LEVEL("power8", 0x0f000004, P8, false, features_2_07),
	LEVEL("power9", 0x0f000005, P9, true, features_3_00),
	LEVEL("power10", 0x0f000006, P10, true, features_3_1),
};

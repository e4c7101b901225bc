/* The smallest pieces: bit numbering, rotates, masks, vector elements. */
#include <stdarg.h>

#include "check.h"
#include "cpu/core/bits.h"
#include "cpu/core/cpu.h"

/* MASK(mb, me) bit by bit. Power ISA 3.0B, Book I, 3.3.14. */
static uint64_t mask_by_bits(unsigned mb, unsigned me)
{
	uint64_t mask = 0;

	for (unsigned i = mb;; i = (i + 1) % 64) {
		mask |= PPC_BIT(i);
		if (i == me)
			return mask;
	}
}

static void test_masks(void)
{
	bool ok = true;

	for (unsigned mb = 0; mb < 64; mb++)
		for (unsigned me = 0; me < 64; me++)
			ok &= mask64(mb, me) == mask_by_bits(mb, me) ||
			      /* me = mb - 1 wraps all around */
			      (me + 1 == mb && mask64(mb, me) == UINT64_MAX);
	check(ok, "mask64");
	ok = true;
	for (unsigned from = 0; from < 64; from++)
		for (unsigned to = from; to < 64; to++)
			ok &= PPC_MASK(from, to) == mask_by_bits(from, to);
	check(ok, "PPC_MASK");
	check_eq(PPC_BIT(0), UINT64_C(1) << 63, "PPC_BIT(0)");
	check_eq(PPC_BIT(63), 1, "PPC_BIT(63)");
	check_eq(PPC_BIT32(0), UINT32_C(1) << 31, "PPC_BIT32(0)");
}

static void test_rotates(void)
{
	uint64_t v = UINT64_C(0x8123456789abcdef);
	bool ok = true;

	for (unsigned n = 0; n < 64; n++) {
		uint64_t want = v;

		for (unsigned i = 0; i < n; i++)
			want = want << 1 | want >> 63;
		ok &= rotl64(v, n) == want && rotl64(v, n + 64) == want;
	}
	check(ok, "rotl64");
	ok = true;
	for (unsigned n = 0; n < 32; n++) {
		uint32_t want = (uint32_t)v;

		for (unsigned i = 0; i < n; i++)
			want = want << 1 | want >> 31;
		ok &= rotl32((uint32_t)v, n) == want && rotl32((uint32_t)v, n + 32) == want;
	}
	check(ok, "rotl32");
}

/* Element 0 is the most significant, whatever its size. */
static void test_vreg(void)
{
	union vreg v = { .q = 0 };
	bool ok = true;

	for (unsigned i = 0; i < 16; i++)
		VB(v, i) = (uint8_t)(0xf0 + i);
	check_eq(VD(v, 0), UINT64_C(0xf0f1f2f3f4f5f6f7), "VD(v, 0)");
	check_eq(VD(v, 1), UINT64_C(0xf8f9fafbfcfdfeff), "VD(v, 1)");
	check_eq((uint64_t)(v.q >> 64), VD(v, 0), "upper half of q");
	for (unsigned i = 0; i < 8; i++)
		ok &= VH(v, i) == (VB(v, 2 * i) << 8 | VB(v, 2 * i + 1)) && (uint16_t)VSH(v, i) == VH(v, i);
	check(ok, "VH");
	ok = true;
	for (unsigned i = 0; i < 4; i++)
		ok &= VW(v, i) == ((uint32_t)VH(v, 2 * i) << 16 | VH(v, 2 * i + 1)) && (uint32_t)VSW(v, i) == VW(v, i);
	check(ok, "VW");
	ok = true;
	for (unsigned i = 0; i < 2; i++)
		ok &= VD(v, i) == ((uint64_t)VW(v, 2 * i) << 32 | VW(v, 2 * i + 1)) && (uint64_t)VSD(v, i) == VD(v, i);
	check(ok, "VD");
	check_eq((uint8_t)VSB(v, 3), 0xf3, "VSB");
	VFD(v, 0) = 1.0;
	check_eq(VD(v, 0), UINT64_C(0x3ff0000000000000), "VFD is doubleword 0");
	VF(v, 3) = 1.0f;
	check_eq(VD(v, 1) & UINT32_MAX, 0x3f800000, "VF(v, 3) is the last word");
}

int main(void)
{
	test_masks();
	test_rotates();
	test_vreg();
	check(__builtin_offsetof(struct cpu, vsr) + sizeof((struct cpu *)0)->vsr <= 2048, "slots-fit-a-byte");
	return check_done();
}

/* VSX without arithmetic: moves to and from GPRs, logical, merge, splat, permute,
 * insert, extract, byte reverse. Loads and stores are in op_vsx_mem.c.
 *
 * Source: Power ISA 3.0B, Book I, 7.6.3. Where a scalar move leaves doubleword 1 of the
 * target undefined, it becomes zero, which is what ISA 3.1 fixed later.
 */
#include "cpu/engine/decode.h"
#include "cpu/engine/dispatch.h"
#include "cpu/engine/operands.h"
#include "cpu/vector/vmx_host.h"

#define MERGE64(hi, lo) ((u128)(hi) << 64 | (lo))

/* ---- GPR <-> VSR ---- */
OP(mfvsrd)  { RA = VD(XS, 0); }
OP(mfvsrld) { RA = VD(XS, 1); }
OP(mfvsrwz) { RA = VW(XS, 1); }
OP(mtvsrd)  { XT.q = MERGE64(RA, 0); }
OP(mtvsrwa) { XT.q = MERGE64((uint64_t)(int32_t)RA, 0); }
OP(mtvsrwz) { XT.q = MERGE64((uint32_t)RA, 0); }
OP(mtvsrdd) { XT.q = MERGE64(RA, RB); }
OP(mtvsrws) { XT.v4u32 = (uint32_t)RA - (v4u32){}; }

/* ---- Logical ---- */
OP(xxland)  { XT.v2u64 = XA.v2u64 & XB.v2u64; }
OP(xxlandc) { XT.v2u64 = XA.v2u64 & ~XB.v2u64; }
OP(xxlor)   { XT.v2u64 = XA.v2u64 | XB.v2u64; }
OP(xxlorc)  { XT.v2u64 = XA.v2u64 | ~XB.v2u64; }
OP(xxlnor)  { XT.v2u64 = ~(XA.v2u64 | XB.v2u64); }
OP(xxlxor)  { XT.v2u64 = XA.v2u64 ^ XB.v2u64; }
OP(xxlnand) { XT.v2u64 = ~(XA.v2u64 & XB.v2u64); }
OP(xxleqv)  { XT.v2u64 = ~(XA.v2u64 ^ XB.v2u64); }
OP(xxsel)   { XT.v2u64 = (XA.v2u64 & ~XC.v2u64) | (XB.v2u64 & XC.v2u64); }

/* ---- Merge, splat, permute ---- */
OP(xxmrghw)
{
	XT.v4u32 = (v4u32){ VW(XB, 1), VW(XA, 1), VW(XB, 0), VW(XA, 0) };
}

OP(xxmrglw)
{
	XT.v4u32 = (v4u32){ VW(XB, 3), VW(XA, 3), VW(XB, 2), VW(XA, 2) };
}

/* Both doublewords are stored at once, as a pair of doubles: a host does not forward two small stores to one wide
 * load. Each DM has its handler; with XA = XB, DM 0 is a splat and DM 2 the swap that follows each lxvd2x of
 * little-endian code. */
OP(xxpermdi)   { XT.v2f64 = (v2f64){ VFD(XB, 0), VFD(XA, 0) }; }
OP(xxpermdi_1) { XT.v2f64 = (v2f64){ VFD(XB, 1), VFD(XA, 0) }; }
OP(xxpermdi_2) { XT.v2f64 = (v2f64){ VFD(XB, 0), VFD(XA, 1) }; }
OP(xxpermdi_3) { XT.v2f64 = (v2f64){ VFD(XB, 1), VFD(XA, 1) }; }

DECODE_HOOK(xxpermdi)
{
	static op_fn *const by_dm[] = { op_xxpermdi, op_xxpermdi_1, op_xxpermdi_2, op_xxpermdi_3 };

	op->fn = by_dm[op->imm & 3];
	return true;
}

OP(xxsldwi)
{
	uint32_t w[8] = { VW(XA, 0), VW(XA, 1), VW(XA, 2), VW(XA, 3), VW(XB, 0), VW(XB, 1), VW(XB, 2), VW(XB, 3) };

	XT.v4u32 = (v4u32){ w[IMM + 3], w[IMM + 2], w[IMM + 1], w[IMM] };
}

OP(xxspltw)  { XT.v4u32 = VW(XB, IMM) - (v4u32){}; }
OP(xxspltib) { XT.v16u8 = (uint8_t)IMM - (v16u8){}; }

/* Bytes of XA || XT chosen by XB, whose bytes count from the left; the right-indexed twin
 * counts from the right, as the host's array does. */
OP_PERMUTE(xxperm, XT, XA, XT, ~XB)
OP_PERMUTE(xxpermr, XT, XA, XT, XB)

/* ---- Insert, extract: UIM > 12 is undefined. Here extract wraps round and insert stops at the
 * register's end. ---- */
OP(xxextractuw)
{
	unsigned shift = 8 * ((12 - (unsigned)IMM) & 15);
	u128 q = XB.q;

	XT.q = MERGE64((uint32_t)(q >> shift | q << (-shift & 127)), 0);
}

OP(xxinsertw)
{
	int shift = 8 * (12 - (int)IMM);
	u128 mask = UINT32_MAX, word = VW(XB, 1);

	mask = shift >= 0 ? mask << shift : mask >> -shift;
	word = shift >= 0 ? word << shift : word >> -shift;
	XT.q = (XT.q & ~mask) | word;
}

/* ---- Quad-precision constants: the upper word, which is all that is not zero ---- */
OP(lxvkq) { XT.q = (u128)(uint32_t)op->imm << 96; }

/* 1 to 7, infinity and a NaN, from 16 on -0 and their negatives; the others are invalid. */
DECODE_HOOK(lxvkq)
{
	static const uint32_t values[10] = { 0, 0x3fff0000, 0x40000000, 0x40008000, 0x40010000, 0x40014000, 0x40018000,
		0x4001c000, 0x7fff0000, 0x7fff8000 };
	uint32_t k = (uint32_t)op->imm, n = k & 15;

	if (n > (k < 16 ? 9 : 8) || !k)
		return false;
	op->imm = (int32_t)(values[n] | k >> 4 << 31);
	return true;
}

/* ---- Permute control vectors from masks ---- */

/* `number` counts bytes from the right (little-endian forms) or from the left. */
static inline __attribute__((always_inline)) uint8_t *byte_at(union vreg *v, bool right, int number)
{
	return &v->b[right ? number : 15 - number];
}

/* Expand: elements that the mask names take, in their order, those of the first source, the others what stands in their
 * place in the second. Compress: the elements that it names come first; what is behind them is undefined, and zero. */
static inline __attribute__((always_inline)) union vreg
generate(union vreg mask, int size, bool right, bool compress)
{
	union vreg t = { 0 };
	int named = 0;

	for (int i = 0; i < 16; i += size) {
		bool is_named = *byte_at(&mask, right, right ? i + size - 1 : i) >> 7;

		for (int k = 0; k < size; k++) {
			if (!compress)
				*byte_at(&t, right, i + k) = (uint8_t)(is_named ? named + k : 16 + i + k);
			else if (is_named)
				*byte_at(&t, right, named + k) = (uint8_t)(i + k);
		}
		named += is_named ? size : 0;
	}
	return t;
}

/* Each IMM has its handler; above 3 it is invalid. */
#define GENERATE(name, size) \
	OP(name)    { XT = generate(VRB, size, false, false); } \
	OP(name##1) { XT = generate(VRB, size, false, true); } \
	OP(name##2) { XT = generate(VRB, size, true, false); } \
	OP(name##3) { XT = generate(VRB, size, true, true); } \
	DECODE_HOOK(name) \
	{ \
		static op_fn *const by_imm[] = { op_##name, op_##name##1, op_##name##2, op_##name##3 }; \
		op->fn = by_imm[op->imm & 3]; \
		return op->imm < 4; \
	}
GENERATE(xxgenpcvbm, 1)
GENERATE(xxgenpcvhm, 2)
GENERATE(xxgenpcvwm, 4)
GENERATE(xxgenpcvdm, 8)

/* The last bits of all bytes. */
OP(xvtlsbb)
{
	const uint64_t last = UINT64_C(0x0101010101010101);
	uint64_t ones = XB.d[0] & XB.d[1] & last, some = (XB.d[0] | XB.d[1]) & last;

	CRF(op->a) = ones == last ? CR_LT : !some ? CR_EQ : 0;
}

/* ---- Byte reverse within elements ---- */
OP(xxbrh) { XT.v8u16 = XB.v8u16 << 8 | XB.v8u16 >> 8; }

OP(xxbrw)
{
	union vreg v = XB;

	for (int i = 0; i < 4; i++)
		v.w[i] = __builtin_bswap32(v.w[i]);
	XT = v;
}

OP(xxbrd)
{
	XT.q = MERGE64(__builtin_bswap64(VD(XB, 0)), __builtin_bswap64(VD(XB, 1)));
}

OP(xxbrq)
{
	XT.q = MERGE64(__builtin_bswap64(VD(XB, 1)), __builtin_bswap64(VD(XB, 0)));
}

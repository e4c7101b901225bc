/* VMX permutes: packs, merges, splats, shifts of the whole register, extracts, inserts.
 *
 * A pair of registers VRA || VRB is an array here: its last element in the manual's
 * numbering is the first of VRB's in the host's.
 * Source: Power ISA 3.0B, Book I, 6.8, 6.12 and 6.16.
 */
#include "cpu/vector/vmx_bodies.h"

/* ---- Packs. 6.8.1 ---- */

/* Element i of the narrow result is element i of VRA || VRB, made to fit. */
#define OP_PACK(name, wide, narrow, fit) \
	OP(name) \
	{ \
		union vreg from[2] = { VRB, VRA }, t; \
		EACH(i, ELEMENTS(narrow)) \
			t.narrow[i] = (ELEMENT(narrow))fit(from[i / ELEMENTS(wide)].wide[i % ELEMENTS(wide)]); \
		VRT = t; \
	}
#define MODULO(x) (x)
/* 1/5/5/5 pixel: the low bit of the first byte, the high five of the others. */
#define PIXEL(x) (((x) >> 9 & 0xfc00) | ((x) >> 6 & 0x03e0) | ((x) >> 3 & 0x001f))
OP_PACK(vpkuhum, h, b, MODULO)
OP_PACK(vpkuwum, w, h, MODULO)
OP_PACK(vpkudum, d, w, MODULO)
OP_PACK(vpkpx, w, h, PIXEL)

/* Clamped as whole vectors, then narrowed. */
#define OP_PACK_SATURATE(name, type, wide, narrow, min, max) \
	OP(name) \
	{ \
		union vreg from[2] = { VRB, VRA }, fit[2], t; \
		EACH(k, 2) { \
			type x = from[k].type, low = (type)(x < (min)), high = (type)(x > (max)); \
			fit[k].type = (x & ~(low | high)) | (low & (min)) | (high & (max)); \
		} \
		EACH(i, ELEMENTS(narrow)) \
			t.narrow[i] = (ELEMENT(narrow))fit[i / ELEMENTS(wide)].wide[i % ELEMENTS(wide)]; \
		VRT = t; \
		saturated(cpu, ((fit[0].q ^ from[0].q) | (fit[1].q ^ from[1].q)) != 0); \
	}
OP_PACK_SATURATE(vpkuhus, v8u16, h, b, 0, UINT8_MAX)
OP_PACK_SATURATE(vpkuwus, v4u32, w, h, 0, UINT16_MAX)
OP_PACK_SATURATE(vpkudus, v2u64, d, w, 0, UINT32_MAX)
OP_PACK_SATURATE(vpkshus, v8s16, sh, b, 0, UINT8_MAX)
OP_PACK_SATURATE(vpkswus, v4s32, sw, h, 0, UINT16_MAX)
OP_PACK_SATURATE(vpksdus, v2s64, sd, w, 0, (int64_t)UINT32_MAX)
OP_PACK_SATURATE(vpkshss, v8s16, sh, sb, INT8_MIN, INT8_MAX)
OP_PACK_SATURATE(vpkswss, v4s32, sw, sh, INT16_MIN, INT16_MAX)
OP_PACK_SATURATE(vpksdss, v2s64, sd, sw, INT32_MIN, INT32_MAX)

/* ---- Unpacks: the high half is the host's upper. 6.8.1 ---- */
#define OP_UNPACK(name, narrow, wide, first, grow) \
	OP(name) \
	{ \
		union vreg b = VRB, t; \
		EACH(i, ELEMENTS(wide)) \
			t.wide[i] = grow(b.narrow[i + (first)]); \
		VRT = t; \
	}
/* The pixel's first bit becomes a byte of its own, sign-extended. */
#define FROM_PIXEL(x) ((uint32_t)((x) >> 15 ? 0xff000000 : 0) | ((x) & 0x7c00u) << 6 | ((x) & 0x3e0u) << 3 | ((x) & 0x1fu))
OP_UNPACK(vupkhsb, sb, sh, 8, MODULO)
OP_UNPACK(vupkhsh, sh, sw, 4, MODULO)
OP_UNPACK(vupkhsw, sw, sd, 2, MODULO)
OP_UNPACK(vupklsb, sb, sh, 0, MODULO)
OP_UNPACK(vupklsh, sh, sw, 0, MODULO)
OP_UNPACK(vupklsw, sw, sd, 0, MODULO)
OP_UNPACK(vupkhpx, h, w, 4, FROM_PIXEL)
OP_UNPACK(vupklpx, h, w, 0, FROM_PIXEL)

/* ---- Merges. 6.8.2 ---- */
#define OP_MERGE(name, e, first) \
	OP(name) \
	{ \
		union vreg a = VRA, b = VRB, t; \
		EACH(i, ELEMENTS(e) / 2) { \
			t.e[2 * i] = b.e[i + (first)]; \
			t.e[2 * i + 1] = a.e[i + (first)]; \
		} \
		VRT = t; \
	}
OP_MERGE(vmrghb, b, 8)
OP_MERGE(vmrghh, h, 4)
OP_MERGE(vmrghw, w, 2)
OP_MERGE(vmrglb, b, 0)
OP_MERGE(vmrglh, h, 0)
OP_MERGE(vmrglw, w, 0)

OP(vmrgew)
{
	union vreg a = VRA, b = VRB;

	VRT.v4u32 = (v4u32){ b.w[1], a.w[1], b.w[3], a.w[3] };
}

OP(vmrgow)
{
	union vreg a = VRA, b = VRB;

	VRT.v4u32 = (v4u32){ b.w[0], a.w[0], b.w[2], a.w[2] };
}

/* ---- Splats. 6.8.3 ---- */
OP(vspltb)   { VRT.v16u8 = (v16u8){ 0 } + VB(VRB, IMM); }
OP(vsplth)   { VRT.v8u16 = (v8u16){ 0 } + VH(VRB, IMM); }
OP(vspltw)   { VRT.v4u32 = (v4u32){ 0 } + VW(VRB, IMM); }
OP(vspltisb) { VRT.v16s8 = (v16s8){ 0 } + (int8_t)IMM; }
OP(vspltish) { VRT.v8s16 = (v8s16){ 0 } + (int16_t)IMM; }
OP(vspltisw) { VRT.v4s32 = (v4s32){ 0 } + (int32_t)IMM; }

/* ---- Permute. 6.8.4 ---- */
PERMUTE_PLAIN(vperm, VRT, VRA, VRB, ~VRC)
OP_PERMUTE(vpermr, VRT, VRA, VRB, VRC)

/* ---- Shifts of the whole register. 6.8.6 ---- */
OP(vsldoi)
{
	/* Two steps, so that no shift is by 128. */
	unsigned bits = 8 * (unsigned)IMM;

	VRT.q = VRA.q << bits | VRB.q >> 1 >> (127 - bits);
}

OP(vsl)  { VRT.q = VRA.q << (VRB.b[0] & 7); }
OP(vsr)  { VRT.q = VRA.q >> (VRB.b[0] & 7); }
OP(vslo) { VRT.q = VRA.q << (VRB.b[0] & 0x78); }
OP(vsro) { VRT.q = VRA.q >> (VRB.b[0] & 0x78); }

/* Each byte with its right (vslv) or left (vsrv) neighbour, shifted by an amount of its own. */
OP(vslv)
{
	union vreg a = VRA, b = VRB, t;
	unsigned right = 0;

	EACH(i, 16) {
		t.b[i] = (uint8_t)((a.b[i] << 8 | right) >> (8 - (b.b[i] & 7)));
		right = a.b[i];
	}
	VRT = t;
}

OP(vsrv)
{
	union vreg a = VRA, b = VRB, t;

	EACH(i, 16)
		t.b[i] = (uint8_t)((a.b[i] | (i < 15 ? a.b[i + 1] << 8 : 0)) >> (b.b[i] & 7));
	VRT = t;
}

/* ---- Extracts and inserts by byte number. 6.8.7, 6.8.8 ---- */

/* An element that would end past the register: undefined; the first is taken. */
#define OP_EXTRACT(name, type) \
	OP(name) \
	{ \
		unsigned last = 16 - sizeof(type), n = (unsigned)IMM > last ? 0 : (unsigned)IMM; \
		VRT.q = (u128)(type)(VRB.q >> 8 * (last - n)) << 64; \
	}
OP_EXTRACT(vextractub, uint8_t)
OP_EXTRACT(vextractuh, uint16_t)
OP_EXTRACT(vextractuw, uint32_t)
OP_EXTRACT(vextractd, uint64_t)

/* The same undefined case: nothing is inserted. */
#define OP_INSERT(name, type) \
	OP(name) \
	{ \
		unsigned last = 16 - sizeof(type), n = (unsigned)IMM; \
		type v = (type)VRB.d[1]; \
		if (n <= last) \
			__builtin_memcpy(&VRT.b[last - n], &v, sizeof v); \
	}
OP_INSERT(vinsertb, uint8_t)
OP_INSERT(vinserth, uint16_t)
OP_INSERT(vinsertw, uint32_t)
OP_INSERT(vinsertd, uint64_t)

/* To a GPR, by a byte number from the left or from the right. Past the end is undefined;
 * the position wraps then and the sign fills. */
#define OP_EXTRACT_LEFT(name, type) \
	OP(name) { RT = (type)(VRB.sq >> ((128 - 8 * sizeof(type) - 8 * (RA & 15)) & 127)); }
#define OP_EXTRACT_RIGHT(name, type) \
	OP(name) { RT = (type)(VRB.sq >> 8 * (RA & 15)); }
OP_EXTRACT_LEFT(vextublx, uint8_t)
OP_EXTRACT_LEFT(vextuhlx, uint16_t)
OP_EXTRACT_LEFT(vextuwlx, uint32_t)
OP_EXTRACT_RIGHT(vextubrx, uint8_t)
OP_EXTRACT_RIGHT(vextuhrx, uint16_t)
OP_EXTRACT_RIGHT(vextuwrx, uint32_t)

/* ---- Bits. 6.12, 6.16 ---- */

/* Transposes 8 by 8 bits: swaps across the diagonal by 1, 2, then 4. */
OP_EACH1(vgbbd, d)
{
	uint64_t x = (b ^ b >> 7) & UINT64_C(0x00aa00aa00aa00aa);

	b ^= x ^ x << 7;
	x = (b ^ b >> 14) & UINT64_C(0x0000cccc0000cccc);
	b ^= x ^ x << 14;
	x = (b ^ b >> 28) & UINT64_C(0x00000000f0f0f0f0);
	return b ^ x ^ x << 28;
}

/* Collects the bits of VRA that the bytes of VRB number; 128 and above give 0. */
OP(vbpermq)
{
	union vreg a = VRA, b = VRB;
	uint64_t bits = 0;

	EACH(i, 16)
		bits |= (uint64_t)((b.b[i] < 128) & a.d[~b.b[i] >> 6 & 1] >> (~b.b[i] & 63)) << i;
	VRT.q = (u128)bits << 64;
}

/* The same in each doubleword, with 64. */
OP(vbpermd)
{
	union vreg a = VRA, b = VRB, t = { 0 };

	EACH(i, 16)
		t.d[i / 8] |= (uint64_t)((b.b[i] < 64) & a.d[i / 8] >> (~b.b[i] & 63)) << i % 8;
	VRT = t;
}

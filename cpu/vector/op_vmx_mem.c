/* VMX loads, stores, alignment support and the VSCR.
 *
 * In little-endian mode a register holds a quadword of memory as a little-endian integer,
 * so element k of the host's arrays is the one at byte offset k times its size; in
 * big-endian mode the same holds for the manual's numbering.
 * Source: Power ISA 3.0B, Book I, 6.7 and 6.18.
 */
#include "cpu/vector/vmx_bodies.h"

OP_TRY(lvx_be)
{
	u128 v;
	LOAD_BE(u128, EA(16), &v);
	VRT.q = v;
	return true;
}

OP_TRY(stvx_be)
{
	STORE_BE(u128, EA(16), VRS.q);
	return true;
}

/* lvxl and stvxl only hint that the line will not be used again. */
OP_TRY(lvxl) { return body_lvx(OP_ARGS, slowly); }
OP_TRY(lvxl_be) { return body_lvx_be(OP_ARGS, slowly); }
OP_TRY(stvxl) { return body_stvx(OP_ARGS, slowly); }
OP_TRY(stvxl_be) { return body_stvx_be(OP_ARGS, slowly); }

/* One element; the rest of VRT is undefined and kept. */
#define ELEMENT_ACCESS(letter, type, e, VE) \
	OP_TRY(lve##letter##x) \
	{ \
		ELEMENT(e) v; \
		uint64_t ea = EA(sizeof v); \
		LOAD(type, ea, &v); \
		VRT.e[(ea & 15) / sizeof v] = v; \
		return true; \
	} \
	OP_TRY(lve##letter##x_be) \
	{ \
		ELEMENT(e) v; \
		uint64_t ea = EA(sizeof v); \
		LOAD_BE(type, ea, &v); \
		VE(VRT, (ea & 15) / sizeof v) = v; \
		return true; \
	} \
	OP_TRY(stve##letter##x) \
	{ \
		uint64_t ea = EA(sizeof(ELEMENT(e))); \
		STORE(type, ea, VRS.e[(ea & 15) / sizeof(ELEMENT(e))]); \
		return true; \
	} \
	OP_TRY(stve##letter##x_be) \
	{ \
		uint64_t ea = EA(sizeof(ELEMENT(e))); \
		STORE_BE(type, ea, VE(VRS, (ea & 15) / sizeof(ELEMENT(e)))); \
		return true; \
	}
ELEMENT_ACCESS(b, u8, b, VB)
ELEMENT_ACCESS(h, u16, h, VH)
ELEMENT_ACCESS(w, u32, w, VW)
#undef ELEMENT_ACCESS

/* Byte i gets i plus the misalignment (lvsl) or i plus 16 minus it (lvsr). */
#define UPWARD ((v16u8){ 15, 14, 13, 12, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1, 0 })
OP(lvsl) { VRT.v16u8 = UPWARD + (uint8_t)((RA + RB) & 15); }
OP(lvsr) { VRT.v16u8 = UPWARD + (uint8_t)(16 - ((RA + RB) & 15)); }

OP(mfvscr) { VRT.q = cpu->vscr; }
/* The reserved bits stay zero. */
OP(mtvscr) { cpu->vscr = VRB.w[0] & (VSCR_NJ | VSCR_SAT); }

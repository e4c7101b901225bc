/* VMX masks of elements, strings that end with a zero, bits under a mask: POWER10's.
 *
 * Source: Power ISA 3.1, Book I, 6.10, 6.16.
 */
#include "cpu/core/gather.h"
#include "cpu/engine/decode.h"
#include "cpu/vector/vmx.h"

/* ---- Masks: an element's first bit stands for all of it ---- */

OP_EACH1(vexpandbm, sb) { return (int8_t)(b >> 7); }
OP_EACH1(vexpandhm, sh) { return (int16_t)(b >> 15); }
OP_EACH1(vexpandwm, sw) { return b >> 31; }
OP_EACH1(vexpanddm, sd) { return b >> 63; }
OP(vexpandqm) { VRT.sq = VRB.sq >> 127; }

/* The first bits of the elements, the last element's in bit 0. */
#define FIRST_BITS(e) \
	static inline uint64_t first_bits_##e(const union vreg *v) \
	{ \
		uint64_t bits = 0; \
		EACH(i, ELEMENTS(e)) \
			bits |= (uint64_t)(v->e[i] >> (8 * sizeof(ELEMENT(e)) - 1)) << i; \
		return bits; \
	}
FIRST_BITS(b)
FIRST_BITS(h)
FIRST_BITS(w)
FIRST_BITS(d)
OP(vextractbm) { RT = first_bits_b(&VRB); }
OP(vextracthm) { RT = first_bits_h(&VRB); }
OP(vextractwm) { RT = first_bits_w(&VRB); }
OP(vextractdm) { RT = first_bits_d(&VRB); }
OP(vextractqm) { RT = VD(VRB, 0) >> 63; }

/* How many of the elements have MP there. The number counts in bytes of the register. */
#define OP_COUNT_MASK(name, e, place) \
	OP(name) \
	{ \
		unsigned ones = (unsigned)__builtin_popcountll(first_bits_##e(&VRB)); \
		RT = (uint64_t)(IMM ? ones : (unsigned)ELEMENTS(e) - ones) << (place); \
	}
OP_COUNT_MASK(vcntmbb, b, 56)
OP_COUNT_MASK(vcntmbh, h, 57)
OP_COUNT_MASK(vcntmbw, w, 58)
OP_COUNT_MASK(vcntmbd, d, 59)

#define OP_MASK_MOVE(name, e, bits) \
	OP(name) \
	{ \
		uint64_t from = (bits); \
		union vreg t; \
		EACH(i, ELEMENTS(e)) \
			t.e[i] = (ELEMENT(e))-(from >> i & 1); \
		VRT = t; \
	}
OP_MASK_MOVE(mtvsrbm, b, RB)
OP_MASK_MOVE(mtvsrhm, h, RB)
OP_MASK_MOVE(mtvsrwm, w, RB)
OP_MASK_MOVE(mtvsrdm, d, RB)
OP_MASK_MOVE(mtvsrbmi, b, (uint64_t)op->imm)
OP(mtvsrqm) { VRT.q = -(u128)(RB & 1); }

/* ---- Strings: what stands before the first zero element, from the left or from the right; Rc says whether there is one ---- */

#define OP_STRING(name, e, from_left) \
	static inline __attribute__((always_inline)) bool isolate_##name(union vreg *t, const union vreg *b) \
	{ \
		union vreg v = *b; \
		bool ended = false; \
		EACH(k, ELEMENTS(e)) { \
			int i = (from_left) ? ELEMENTS(e) - 1 - k : k; \
			ended |= !v.e[i]; \
			v.e[i] = ended ? 0 : v.e[i]; \
		} \
		*t = v; \
		return ended; \
	} \
	OP(name) { isolate_##name(&VRT, &VRB); } \
	OP(name##_rc) { CRF(6) = isolate_##name(&VRT, &VRB) ? CR_EQ : 0; }
OP_STRING(vstribl, b, true)
OP_STRING(vstrihl, h, true)
OP_STRING(vstribr, b, false)
OP_STRING(vstrihr, h, false)

/* As many bytes stay as RB says, at the right or at the left. */
OP(vclrlb) { VRT.q = RB > 15 ? VRA.q : VRA.q & (((u128)1 << 8 * RB) - 1); }
OP(vclrrb) { VRT.q = RB > 15 ? VRA.q : VRA.q & ~(~(u128)0 >> 8 * RB); }

/* ---- Bits ---- */

/* Every N-th bit from the left; N is 2 to 7. */
OP(vgnb)
{
	u128 v = VRB.q;
	uint64_t bits = 0;

	for (unsigned i = 0, to = 63; i < 128; i += (unsigned)op->imm, to--)
		bits |= (uint64_t)(v >> (127 - i) & 1) << to;
	RT = bits;
}

/* Another N leaves RT undefined: as it is. */
OP(vgnb_keep) { }
DECODE_HOOK(vgnb)
{
	if (op->imm < 2)
		op->fn = op_vgnb_keep;
	return true;
}

OP_EACH(vclzdm, d) { return leading_zeros_under(a, b); }
OP_EACH(vctzdm, d) { return trailing_zeros_under(a, b); }

#define OP_UNDER_MASK(name, host, plain) \
	OP_EACH(name, d) { return host; } \
	OP_EACH(name##_plain, d) { return plain; } \
	HOST_NEEDS(name, HOST_BITS)
OP_UNDER_MASK(vpextd, host_gather(a, b), plain_gather(a, b))
OP_UNDER_MASK(vpdepd, host_scatter(a, b), plain_scatter(a, b))
OP_UNDER_MASK(vcfuged, CENTRIFUGE(host, a, b), CENTRIFUGE(plain, a, b))

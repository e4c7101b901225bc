/* VMX multiplication of doublewords, high halves of products, division and remainders: POWER10's.
 *
 * A quotient that does not fit, or of a division by zero, is undefined. Here it is the dividend (0 for extended divisions
 * of words), and the remainder is 0; where an extended quotient of other operands does not fit, its low bits.
 * Source: Power ISA 3.1, Book I, 6.9.
 */
#include "cpu/vector/vmx.h"

/* ---- Multiply ---- */
OP(vmulesd) { VRT.sq = (s128)VSD(VRA, 0) * VSD(VRB, 0); }
OP(vmulosd) { VRT.sq = (s128)VSD(VRA, 1) * VSD(VRB, 1); }
OP(vmuleud) { VRT.q = (u128)VD(VRA, 0) * VD(VRB, 0); }
OP(vmuloud) { VRT.q = (u128)VD(VRA, 1) * VD(VRB, 1); }
OP_EACH(vmulld, d)   { return a * b; }
OP_EACH(vmulhsw, sw) { return (int32_t)((int64_t)a * b >> 32); }
OP_EACH(vmulhuw, w)  { return (uint32_t)((uint64_t)a * b >> 32); }
OP_EACH(vmulhsd, sd) { return (int64_t)((s128)a * b >> 64); }
OP_EACH(vmulhud, d)  { return (uint64_t)((u128)a * b >> 64); }

/* ---- Divide, remainder ---- */

/* The least number of a signed type. */
#define LEAST(e) ((ELEMENT(e))(UINT64_C(1) << (8 * sizeof(ELEMENT(e)) - 1)))

#define DIVIDE_UNSIGNED(quotient, remainder, e) \
	OP_EACH(quotient, e)  { return b ? a / b : a; } \
	OP_EACH(remainder, e) { return b ? a % b : 0; }
#define DIVIDE_SIGNED(quotient, remainder, e) \
	OP_EACH(quotient, e)  { return !b || (b == -1 && a == LEAST(e)) ? a : a / b; } \
	OP_EACH(remainder, e) { return !b || b == -1 ? 0 : a % b; }
DIVIDE_UNSIGNED(vdivuw, vmoduw, w)
DIVIDE_UNSIGNED(vdivud, vmodud, d)
DIVIDE_SIGNED(vdivsw, vmodsw, sw)
DIVIDE_SIGNED(vdivsd, vmodsd, sd)

OP(vdivuq) { VRT.q = VRB.q ? VRA.q / VRB.q : VRA.q; }
OP(vmoduq) { VRT.q = VRB.q ? VRA.q % VRB.q : 0; }

#define LEAST_QUAD ((s128)((u128)1 << 127))
OP(vdivsq)
{
	s128 a = VRA.sq, b = VRB.sq;

	VRT.sq = !b || (b == -1 && a == LEAST_QUAD) ? a : a / b;
}

OP(vmodsq)
{
	s128 a = VRA.sq, b = VRB.sq;

	VRT.sq = !b || b == -1 ? 0 : a % b;
}

/* ---- Divide extended: as many zeros stand behind the dividend as it has bits ---- */

OP_EACH(vdiveuw, w) { return b ? (uint32_t)(((uint64_t)a << 32) / b) : 0; }
OP_EACH(vdiveud, d) { return b ? (uint64_t)(((u128)a << 64) / b) : a; }
OP_EACH(vdivesw, sw)
{
	return !b || (b == -1 && a == LEAST(sw)) ? 0 : (int32_t)((int64_t)((uint64_t)(int64_t)a << 32) / b);
}
OP_EACH(vdivesd, sd)
{
	return !b || (b == -1 && a == LEAST(sd)) ? a : (int64_t)((s128)((u128)(s128)a << 64) / b);
}

/* The low 128 bits of a * 2^128 / b, a bit at a time. */
static u128 divide_extended(u128 a, u128 b)
{
	u128 rest = a % b, quotient = 0;

	EACH(i, 128) {
		bool carry = rest >> 127;

		rest <<= 1;
		quotient <<= 1;
		if (carry || rest >= b) {
			rest -= b;
			quotient |= 1;
		}
	}
	return quotient;
}

OP(vdiveuq) { VRT.q = VRB.q ? divide_extended(VRA.q, VRB.q) : VRA.q; }

OP(vdivesq)
{
	s128 a = VRA.sq, b = VRB.sq;
	u128 quotient;

	if (!b || (b == -1 && a == LEAST_QUAD))
		quotient = (u128)a;
	else
		quotient = divide_extended(a < 0 ? -(u128)a : (u128)a, b < 0 ? -(u128)b : (u128)b);
	VRT.q = b && (a < 0) != (b < 0) ? -quotient : quotient;
}

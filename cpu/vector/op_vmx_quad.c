/* VMX integers of 128 bits: shifts, rotates, compares, and the carry of a sum of products. POWER10's; additions are older.
 *
 * The shift count, and where a mask begins and ends, are in the last bytes of VRB's doubleword 0.
 * Source: Power ISA 3.1, Book I, 6.9.
 */
#include "cpu/vector/vmx.h"

#define COUNT ((unsigned)VD(VRB, 0) & 127)

static inline u128 rotate(u128 v, unsigned n) { return v << n | v >> (-n & 127); }

OP(vslq)  { VRT.q = VRA.q << COUNT; }
OP(vsrq)  { VRT.q = VRA.q >> COUNT; }
OP(vsraq) { VRT.sq = VRA.sq >> COUNT; }
OP(vrlq)  { VRT.q = rotate(VRA.q, COUNT); }

static inline u128 mask_of(uint64_t control)
{
	unsigned begin = control >> 16 & 127, end = control >> 8 & 127;
	u128 ones = ~(u128)0, from = ones >> begin, to = ones << (127 - end);

	return begin <= end ? from & to : from | to;
}

OP(vrlqnm) { VRT.q = rotate(VRA.q, COUNT) & mask_of(VD(VRB, 0)); }

OP(vrlqmi)
{
	u128 mask = mask_of(VD(VRB, 0));

	VRT.q = (rotate(VRA.q, COUNT) & mask) | (VRT.q & ~mask);
}

OP(vextsd2q) { VRT.sq = VSD(VRB, 1); }

/* ---- Compare ---- */
OP(vcmpuq) { CRF(op->a) = VRA.q < VRB.q ? CR_LT : VRA.q > VRB.q ? CR_GT : CR_EQ; }
OP(vcmpsq) { CRF(op->a) = VRA.sq < VRB.sq ? CR_LT : VRA.sq > VRB.sq ? CR_GT : CR_EQ; }
OP_COMPARE(vcmpequq) { t->q = -(u128)(a->q == b->q); }
OP_COMPARE(vcmpgtuq) { t->q = -(u128)(a->q > b->q); }
OP_COMPARE(vcmpgtsq) { t->q = -(u128)(a->sq > b->sq); }

/* What of the products of doublewords and VRC, all added, does not fit in 128 bits. */
OP(vmsumcud)
{
	u128 even = (u128)VD(VRA, 0) * VD(VRB, 0), odd = (u128)VD(VRA, 1) * VD(VRB, 1), sum = even + odd;

	VRT.q = (u128)(sum < even) + (sum + VRC.q < sum);
}

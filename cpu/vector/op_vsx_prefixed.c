/* Prefixed VSX instructions that do no arithmetic: immediates, blends, permute, evaluate. xxspltidp, which
 * converts, is in op_vsx_vector.c.
 *
 * Source: Power ISA 3.1, Book I, 7.6.3.
 */
#include "cpu/engine/decode.h"
#include "cpu/vector/vmx.h"
#include "cpu/vector/vmx_host.h"

/* ---- Immediates ---- */

OP(xxspltiw) { XT.v4u32 = (uint32_t)op->imm - (v4u32){}; }

/* IX chooses words 0 and 2 or words 1 and 3. */
OP(xxsplti32dx)
{
	uint64_t high = (uint64_t)(uint32_t)op->imm << 32;

	XT.v2u64 = (XT.v2u64 & UINT32_MAX) | (v2u64){ high, high };
}

OP(xxsplti32dx_1)
{
	uint64_t low = (uint32_t)op->imm;

	XT.v2u64 = (XT.v2u64 & ~(uint64_t)UINT32_MAX) | (v2u64){ low, low };
}

DECODE_HOOK(xxsplti32dx)
{
	if (op->imm)
		op->fn = op_xxsplti32dx_1;
	op->imm = (int32_t)((word >> 32 & 0xffff) << 16 | (word & 0xffff));
	return true;
}

/* ---- Blends: XB's elements where XC's are negative ---- */

#define OP_BLEND(name, type) \
	OP(name) \
	{ \
		type second = (type)(XC.type < 0); \
		XT.type = (XB.type & second) | (XA.type & ~second); \
	}
OP_BLEND(xxblendvb, v16s8)
OP_BLEND(xxblendvh, v8s16)
OP_BLEND(xxblendvw, v4s32)
OP_BLEND(xxblendvd, v2s64)

/* ---- Permute: of the bytes of a table of 256 that UIM says are here, XC's the first three bits ---- */

#define OP_PERMUTE_HERE(name, permute) \
	OP(name) \
	{ \
		v16u8 index = XC.v16u8, here = (v16u8)((index >> 5) == (uint8_t)op->imm); \
		XT.v2u64 = permute(XA.v2u64, XB.v2u64, (v2u64)~index) & (v2u64)here; \
	}
OP_PERMUTE_HERE(xxpermx, host_permute)
OP_PERMUTE_HERE(xxpermx_plain, plain_permute)
HOST_NEEDS(xxpermx, HOST_SHUFFLE)

/* ---- Evaluate: of IMM's eight bits the one whose number three bits of XA, XB and XC are ---- */

/* All ones if that bit is. */
static inline __attribute__((always_inline)) v2u64 outcome(uint32_t imm, unsigned number)
{
	uint64_t all = -(uint64_t)(imm >> (7 - number) & 1);

	return (v2u64){ all, all };
}

static inline __attribute__((always_inline)) v2u64 choose(v2u64 bits, v2u64 one, v2u64 zero)
{
	return (bits & one) | (~bits & zero);
}

OP(xxeval)
{
	uint32_t imm = (uint32_t)op->imm;
	v2u64 a = XA.v2u64, b = XB.v2u64, c = XC.v2u64, pair[4];

	for (unsigned i = 0; i < 4; i++)
		pair[i] = choose(c, outcome(imm, 2 * i + 1), outcome(imm, 2 * i));
	XT.v2u64 = choose(a, choose(b, pair[3], pair[2]), choose(b, pair[1], pair[0]));
}

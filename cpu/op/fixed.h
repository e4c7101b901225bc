/* Bodies of fixed-point ops that sequences take as well (cpu/fuse); the others are in op_fixed.c.
 * Power ISA 3.0B, Book I, 3.3. */
#ifndef CPU_OP_FIXED_H
#define CPU_OP_FIXED_H

#include "cpu/engine/dispatch.h"
#include "cpu/engine/operands.h"

/* ---- Results into CR0 and XER ---- */

static inline __attribute__((always_inline)) void set_cr0(struct cpu *cpu, uint64_t v)
{
	cpu->cr[0] = cr_compare(cpu, (int64_t)v < 0, (int64_t)v > 0);
}

/* r = a + b + carry-in: CA and CA32 are the carries out of bits 0 and 32. */
static inline __attribute__((always_inline)) uint64_t
add_carrying(struct cpu *cpu, uint64_t a, uint64_t b, unsigned carry)
{
	uint64_t t = a + b, r = t + carry;

	cpu->ca = (t < a) | (r < t);
	cpu->ca32 = (a ^ b ^ r) >> 32 & 1;
	return r;
}

static inline void shift_carry(struct cpu *cpu, bool ca) { cpu->ca = cpu->ca32 = ca; }

/* ---- Moves, add and subtract, multiply ---- */

BODY(nop) { }
BODY(mr) { RT = RB; }
BODY(li) { RT = IMM; }

BODY(addi) { RT = RA + IMM; }
BODY(addic) { RT = add_carrying(cpu, RA, IMM, 0); }
BODY(subfic) { RT = add_carrying(cpu, ~RA, IMM, 1); }
BODY(mulli) { RT = RA * IMM; }

BODY(add) { RT = RA + RB; }
BODY(add_rc) { RT = RA + RB; set_cr0(cpu, RT); }
BODY(subf) { RT = RB - RA; }
BODY(subf_rc) { RT = RB - RA; set_cr0(cpu, RT); }
BODY(neg) { RT = -RA; }

/* Name, both summands and the carry that comes in. */
#define CARRYING_OPS(X) \
	X(addc, RA, RB, 0) X(subfc, ~RA, RB, 1) \
	X(adde, RA, RB, cpu->ca) X(subfe, ~RA, RB, cpu->ca) \
	X(addme, RA, UINT64_MAX, cpu->ca) X(subfme, ~RA, UINT64_MAX, cpu->ca) \
	X(addze, RA, 0, cpu->ca) X(subfze, ~RA, 0, cpu->ca)
#define CARRYING(name, A, B, CARRY) BODY(name) { RT = add_carrying(cpu, A, B, CARRY); }
CARRYING_OPS(CARRYING)
#undef CARRYING

BODY(mullw) { RT = (int64_t)(int32_t)RA * (int32_t)RB; }
BODY(mulld) { RT = RA * RB; }
BODY(mulhdu) { RT = (uint64_t)((u128)RA * RB >> 64); }
BODY(maddld) { RT = RA * RB + RC; }

/* ---- Compare ---- */

#define COMPARE(name, type, B) \
	BODY(name) \
	{ \
		type a = (type)RA, b = (type)(B); \
		CRF(op->a) = cr_compare(cpu, a < b, a > b); \
	}
COMPARE(cmpwi, int32_t, IMM)
COMPARE(cmpdi, int64_t, IMM)
COMPARE(cmplwi, uint32_t, IMM)
COMPARE(cmpldi, uint64_t, IMM)
COMPARE(cmpw, int32_t, RB)
COMPARE(cmpd, int64_t, RB)
COMPARE(cmplw, uint32_t, RB)
COMPARE(cmpld, uint64_t, RB)
#undef COMPARE

/* ---- Logical ---- */

BODY(ori) { RA = RS | (uint32_t)op->imm; }
BODY(oris) { RA = RS | (uint64_t)(uint32_t)op->imm << 16; }
BODY(xori) { RA = RS ^ (uint32_t)op->imm; }
BODY(xoris) { RA = RS ^ (uint64_t)(uint32_t)op->imm << 16; }
BODY(andi_) { RA = RS & (uint32_t)op->imm; set_cr0(cpu, RA); }

#define LOGICAL(name, expr) BODY(name) { RA = (expr); }
#define LOGICAL_RC(name, expr) LOGICAL(name, expr) BODY(name##_rc) { RA = (expr); set_cr0(cpu, RA); }
LOGICAL_RC(and, RS & RB)
LOGICAL_RC(or, RS | RB)
LOGICAL_RC(xor, RS ^ RB)
LOGICAL_RC(andc, RS & ~RB)
LOGICAL(nor, ~(RS | RB))
LOGICAL(eqv, ~(RS ^ RB))
LOGICAL(orc, RS | ~RB)
LOGICAL(extsb, (uint64_t)(int64_t)(int8_t)RS)
LOGICAL(extsh, (uint64_t)(int64_t)(int16_t)RS)
LOGICAL(extsw, (uint64_t)(int64_t)(int32_t)RS)
LOGICAL(cntlzw, (uint32_t)RS ? (unsigned)__builtin_clz((uint32_t)RS) : 32)
LOGICAL(cntlzd, RS ? (unsigned)__builtin_clzll(RS) : 64)
#undef LOGICAL
#undef LOGICAL_RC

/* ---- Rotate and shift ---- */

static inline __attribute__((always_inline)) uint64_t rotl32_twice(uint64_t v, unsigned n)
{
	uint64_t r = rotl32((uint32_t)v, n);

	return r << 32 | r;
}

/* M-form: imm has the 32-bit mask. */
#define MASK_LOW ((uint64_t)(uint32_t)op->imm)
BODY(rlwinm) { RA = rotl32((uint32_t)RS, op->c) & (uint32_t)op->imm; }
BODY(rlwinm_rc) { RA = rotl32((uint32_t)RS, op->c) & (uint32_t)op->imm; set_cr0(cpu, RA); }
BODY(rlwinm_and) { RA = RS & MASK_LOW; }
BODY(rlwimi) { RA = (rotl32_twice(RS, op->c) & MASK_LOW) | (RA & ~MASK_LOW); }

#define SHIFT ((unsigned)op->imm)
BODY(rldicl) { RA = rotl64(RS, SHIFT) & UINT64_MAX >> IMM2; }
BODY(rldicl_rc) { RA = rotl64(RS, SHIFT) & UINT64_MAX >> IMM2; set_cr0(cpu, RA); }
BODY(rldicr) { RA = rotl64(RS, SHIFT) & UINT64_MAX << (63 - IMM2); }
BODY(rldic) { RA = rotl64(RS, SHIFT) & mask64(IMM2, 63 - SHIFT); }
BODY(rldimi) { uint64_t m = mask64(IMM2, 63 - SHIFT); RA = (rotl64(RS, SHIFT) & m) | (RA & ~m); }
BODY(sldi) { RA = RS << SHIFT; }
BODY(srdi) { RA = RS >> IMM2; }
BODY(clrldi) { RA = RS & UINT64_MAX >> IMM2; }

BODY(slw) { RA = RB & 32 ? 0 : (uint32_t)RS << (RB & 31); }
BODY(srw) { RA = RB & 32 ? 0 : (uint32_t)RS >> (RB & 31); }
BODY(sld) { RA = RB & 64 ? 0 : RS << (RB & 63); }
BODY(srd) { RA = RB & 64 ? 0 : RS >> (RB & 63); }

BODY(srawi)
{
	int32_t v = (int32_t)RS;
	unsigned n = SHIFT;

	RA = (uint64_t)(int64_t)(v >> n);
	shift_carry(cpu, v < 0 && (uint32_t)v & ((UINT32_C(1) << n) - 1));
}

BODY(sradi)
{
	int64_t v = (int64_t)RS;
	unsigned n = SHIFT;

	RA = (uint64_t)(v >> n);
	shift_carry(cpu, v < 0 && (uint64_t)v & ((UINT64_C(1) << n) - 1));
}

#endif

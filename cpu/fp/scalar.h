/* Handlers that scalar floating point has twice, on FPRs (op_float.c) and on VSRs (op_vsx_scalar.c).
 *
 * What they compute is in fp.h; here they get their operands. Both name a register's doubleword 0, and a result
 * clears doubleword 1. Each macro stamps one instruction, or its double- and its single-precision form (dp, sp).
 */
#ifndef CPU_FP_SCALAR_H
#define CPU_FP_SCALAR_H

#include "cpu/engine/decode.h"
#include "cpu/engine/operands.h"
#include "cpu/fp/fp.h"

#define SIGN PPC_BIT(0)

/* Operands as numbers. The target is one, too, of VSX's multiply-adds. */
#define FA VFD(XA, 0)
#define FB VFD(XB, 0)
#define FC VFD(XC, 0)
#define FT VFD(XT, 0)

#define SET_TARGET(v) (XT = (union vreg){ .d = { 0, (v) } })

/* ---- Arithmetic ---- */

#define SCALAR_BINARY(dp, sp, fpo, y) \
	OP_TRY(dp) { return fp_binary(cpu, op, slowly, fpo, FA, y); } \
	OP_TRY(sp) { return fp_binary(cpu, op, slowly, (fpo) | FPO_SINGLE, FA, y); }
#define SCALAR_UNARY(dp, sp, fpo) \
	OP_TRY(dp) { return fp_unary(cpu, op, slowly, fpo, FB); } \
	OP_TRY(sp) { return fp_unary(cpu, op, slowly, (fpo) | FPO_SINGLE, FB); }
#define SCALAR_ROUND_TO_SINGLE(name) \
	OP_TRY(name) { return fp_unary(cpu, op, slowly, FPO_ROUND | FPO_SINGLE, FB); }

/* FA * y + z and its kin. */
#define SCALAR_FUSED(dp, sp, fpo, y, z) \
	SCALAR_FUSED_FORM(dp, fpo, y, z) \
	SCALAR_FUSED_FORM(sp, (fpo) | FPO_SINGLE, y, z)
#define SCALAR_FUSED_FORM(name, fpo, y, z) \
	OP_TRY(name) { return fp_fused(cpu, op, slowly, fpo, FA, y, z); } \
	OP_TRY(name##_plain) { return SLOWLY(fp_scalar(cpu, op, fpo, FRA, fp_bits(y), fp_bits(z))); } \
	HOST_NEEDS(name, HOST_FMA)

#define SCALAR_TEST_DIVIDE(name) OP(name) { CRF(op->a) = (uint8_t)fp64_test_divide(FRA, FRB); }
#define SCALAR_TEST_SQRT(name) OP(name) { CRF(op->a) = (uint8_t)fp64_test_sqrt(FRB); }

/* ---- Comparison ---- */

#define SCALAR_COMPARE(name, ordered) \
	OP_TRY(name) \
	{ \
		double x = FA, y = FB; \
		unsigned cc = fp_compare_host(x, y); \
		if (unlikely(!cc)) \
			return SLOWLY(fp_compare(cpu, op, fp_bits(x), fp_bits(y), ordered)); \
		CRF(op->a) = (uint8_t)cc; \
		fp_record_cc(cpu, cc); \
		return true; \
	}

/* ---- Sign ---- */

#define SCALAR_SIGN(abs, nabs, neg, cpsgn) \
	OP(abs) { SET_TARGET(FRB & ~SIGN); } \
	OP(nabs) { SET_TARGET(FRB | SIGN); } \
	OP(neg) { SET_TARGET(FRB ^ SIGN); } \
	OP(cpsgn) { SET_TARGET((FRA & SIGN) | (FRB & ~SIGN)); }

/* ---- Rounding and conversion ---- */

#define SCALAR_RINT(name, mode) OP_TRY(name) { return fp_rint(cpu, op, slowly, mode, FRB); }

#define SCALAR_FROM_INTEGER(dp, sp, fpo) \
	OP_TRY(dp) { return fp_from_integer(cpu, op, slowly, fpo, FRB); } \
	OP_TRY(sp) { return fp_from_integer(cpu, op, slowly, (fpo) | FPO_SINGLE, FRB); }

/* `shape` puts the integer's bits into the target's doubleword 0; `fpr`: an invalid one ends as for an FPR. */
#define SCALAR_TO_INTEGER(name, fpo, fpr, shape) \
	OP_TRY(name) \
	{ \
		double x = FB; \
		uint64_t v; \
		if (!fp_integer_fits(cpu, fpo, x)) \
			return SLOWLY(fp_integer_exact(cpu, op, fpo, fp_bits(x), fpr)); \
		v = (uint64_t)fp_host_integer(cpu, fpo, x); \
		SET_TARGET(shape(v)); \
		return true; \
	}
#define DOUBLEWORD(v) (v)
#define TWO_WORDS(v) ((uint64_t)(uint32_t)(v) << 32 | (uint32_t)(v))

#endif

/* VSX scalar floating point: the arithmetic of fp.h on doubleword 0 of VSRs.
 *
 * Doubleword 1 of the target, undefined before Power ISA 3.1, becomes 0. The sp forms
 * compute what the FPR forms do. Where a word is the result, both
 * words of doubleword 0 hold it, as all processors have it.
 *
 * Source: Power ISA 3.0B, Book I, 7.6.3.
 */
#include "cpu/engine/decode.h"
#include "cpu/fp/fp.h"
#include "cpu/engine/operands.h"

#define SIGN PPC_BIT(0)

#define A0 VD(XA, 0)
#define B0 VD(XB, 0)
#define FA VFD(XA, 0)
#define FB VFD(XB, 0)
#define FT VFD(XT, 0)

#define SET_XT(v) (XT = (union vreg){ .d = { 0, (v) } })

/* ---- Arithmetic ---- */

#define BINARY(name, fpo) \
	OP_TRY(name##dp) { return fp_binary(cpu, op, slowly, fpo, FA, FB); } \
	OP_TRY(name##sp) { return fp_binary(cpu, op, slowly, (fpo) | FPO_SINGLE, FA, FB); }
BINARY(xsadd, FPO_ADD)
BINARY(xssub, FPO_SUB)
BINARY(xsmul, FPO_MUL)
BINARY(xsdiv, FPO_DIV)

#define UNARY(name, fpo) \
	OP_TRY(name##dp) { return fp_unary(cpu, op, slowly, fpo, FB); } \
	OP_TRY(name##sp) { return fp_unary(cpu, op, slowly, (fpo) | FPO_SINGLE, FB); }
UNARY(xssqrt, FPO_SQRT)
UNARY(xsre, FPO_RE)
UNARY(xsrsqrte, FPO_RSQRTE)

#define FUSED_FORM(name, fpo, y, z) \
	OP_TRY(name) { return fp_fused(cpu, op, slowly, fpo, FA, y, z); } \
	OP_TRY(name##_plain) { return SLOWLY(fp_scalar(cpu, op, fpo, A0, fp_bits(y), fp_bits(z))); } \
	HOST_NEEDS(name, HOST_FMA)
#define FUSED(name, fpo) \
	FUSED_FORM(name##adp, fpo, FB, FT) \
	FUSED_FORM(name##mdp, fpo, FT, FB) \
	FUSED_FORM(name##asp, (fpo) | FPO_SINGLE, FB, FT) \
	FUSED_FORM(name##msp, (fpo) | FPO_SINGLE, FT, FB)
FUSED(xsmadd, FPO_MADD)
FUSED(xsmsub, FPO_MSUB)
FUSED(xsnmadd, FPO_NMADD)
FUSED(xsnmsub, FPO_NMSUB)

OP(xstdivdp) { CRF(op->a) = (uint8_t)fp64_test_divide(A0, B0); }
OP(xstsqrtdp) { CRF(op->a) = (uint8_t)fp64_test_sqrt(B0); }

/* ---- Comparison ---- */

#define COMPARE(name, ordered) \
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
COMPARE(xscmpudp, false)
COMPARE(xscmpodp, true)

static void set_cc(struct cpu *cpu, const struct op *op, unsigned cc)
{
	CRF(op->a) = (uint8_t)cc;
	fp_record_cc(cpu, cc);
}

static bool is_nan(uint64_t x)
{
	return (x & ~SIGN) > PPC_MASK(1, 11);
}

OP(xscmpexpdp)
{
	unsigned x = A0 >> 52 & 0x7ff, y = B0 >> 52 & 0x7ff;

	set_cc(cpu, op, is_nan(A0) || is_nan(B0) ? CR_SO : x < y ? CR_LT : x > y ? CR_GT : CR_EQ);
}

/* All ones or zeros. NaNs make it false, and invalid. */
static __attribute__((noinline)) bool
compare_nan(struct cpu *cpu, const struct op *op, bool ordered)
{
	struct fp_status st = fp_begin(cpu);

	fp64_compare(&st, A0, B0, ordered);
	return fp_finish_vector(cpu, op, &st, &(union vreg){ .q = 0 });
}

#define COMPARE_MASK(name, operator, ordered) \
	OP_TRY(name) \
	{ \
		double x = FA, y = FB; \
		if (unlikely(__builtin_isunordered(x, y))) \
			return SLOWLY(compare_nan(cpu, op, ordered)); \
		SET_XT(x operator y ? ~UINT64_C(0) : 0); \
		return true; \
	}
COMPARE_MASK(xscmpeqdp, ==, false)
COMPARE_MASK(xscmpgtdp, >, true)
COMPARE_MASK(xscmpgedp, >=, true)

/* ---- Maximum and minimum ---- */

static bool is_snan(uint64_t x)
{
	return is_nan(x) && !(x & PPC_BIT(12));
}

static uint64_t quiet(uint64_t nan)
{
	return nan | PPC_BIT(12);
}

static bool finish_select(struct cpu *cpu, const struct op *op, uint64_t v)
{
	struct fp_status st = fp_begin(cpu);

	if (is_snan(A0) || is_snan(B0))
		st.raised = FPSCR_VXSNAN;
	return fp_finish_vector(cpu, op, &st, &(union vreg){ .d = { 0, v } });
}

/* IEEE maxNum: a number wins over a quiet NaN, a signalling one over everything. */
static __attribute__((noinline)) bool select_nan(struct cpu *cpu, const struct op *op)
{
	uint64_t x = A0, y = B0;

	if (is_snan(x) || (is_nan(x) && is_nan(y)))
		return finish_select(cpu, op, quiet(x));
	if (is_snan(y))
		return finish_select(cpu, op, is_nan(x) ? x : quiet(y));
	return finish_select(cpu, op, is_nan(x) ? y : x);
}

/* As C writes it: (A > B) ? A : B, so a NaN selects B. */
static __attribute__((noinline)) bool select_nan_c(struct cpu *cpu, const struct op *op)
{
	return finish_select(cpu, op, B0);
}

/* As Java has it: a NaN is the result, as it is. */
static __attribute__((noinline)) bool select_nan_j(struct cpu *cpu, const struct op *op)
{
	struct fp_status st = fp_begin(cpu);
	uint64_t nan = is_nan(A0) ? A0 : B0;

	if (is_snan(nan))
		st.raised = FPSCR_VXSNAN;
	return fp_finish_vector(cpu, op, &st, &(union vreg){ .d = { 0, nan } });
}

/* Both zero, or equal: -0 is below +0, where the form cares. The forms of C do not: neither zero is
 * above the other, so B is the result. */
#define SELECT(name, operator, equal, nan) \
	OP_TRY(name) \
	{ \
		double x = FA, y = FB; \
		uint64_t a = A0, b = B0; \
		if (unlikely(__builtin_isunordered(x, y))) \
			return SLOWLY(nan(cpu, op)); \
		SET_XT(x == y ? (equal) : x operator y ? a : b); \
		return true; \
	}
SELECT(xsmaxdp, >, a & b, select_nan)
SELECT(xsmindp, <, a | b, select_nan)
SELECT(xsmaxcdp, >, b, select_nan_c)
SELECT(xsmincdp, <, b, select_nan_c)
SELECT(xsmaxjdp, >, a & b, select_nan_j)
SELECT(xsminjdp, <, a | b, select_nan_j)

/* ---- Sign ---- */

OP(xsabsdp) { SET_XT(B0 & ~SIGN); }
OP(xsnabsdp) { SET_XT(B0 | SIGN); }
OP(xsnegdp) { SET_XT(B0 ^ SIGN); }
OP(xscpsgndp) { SET_XT((A0 & SIGN) | (B0 & ~SIGN)); }

/* ---- Rounding and conversion ---- */

OP_TRY(xsrdpi) { return fp_rint(cpu, op, slowly, FP_AWAY, B0); }
OP_TRY(xsrdpim) { return fp_rint(cpu, op, slowly, FP_DOWN, B0); }
OP_TRY(xsrdpip) { return fp_rint(cpu, op, slowly, FP_UP, B0); }
OP_TRY(xsrdpiz) { return fp_rint(cpu, op, slowly, FP_TO_ZERO, B0); }
OP_TRY(xsrdpic) { return fp_rint_current(cpu, op, slowly, FB); }
OP_TRY(xsrsp) { return fp_unary(cpu, op, slowly, FPO_ROUND | FPO_SINGLE, FB); }

/* Doubleword 0 in, a smaller format out: not the fast path of anything. */
OP_TRY(xscvdpsp)
{
	struct fp_status st = fp_begin(cpu);
	uint32_t r = fp64_to_fp32(&st, B0);

	return fp_finish(cpu, op, &st, (uint64_t)r << 32 | r, fp32_class(r));
}

OP_TRY(xscvdphp)
{
	struct fp_status st = fp_begin(cpu);
	uint16_t r = fp64_to_fp16(&st, B0);

	return fp_finish(cpu, op, &st, r, fp16_class(r));
}

OP_TRY(xscvspdp)
{
	struct fp_status st = fp_begin(cpu);
	uint64_t r = fp32_to_fp64(&st, VW(XB, 0));

	return fp_finish(cpu, op, &st, r, fp64_class(r));
}

OP_TRY(xscvhpdp)
{
	struct fp_status st = fp_begin(cpu);
	uint64_t r = fp16_to_fp64(&st, VH(XB, 3));

	return fp_finish(cpu, op, &st, r, fp64_class(r));
}

OP(xscvdpspn)
{
	uint32_t r = fp_store_single(B0);

	SET_XT((uint64_t)r << 32 | r);
}

OP(xscvspdpn) { SET_XT(fp_load_single(VW(XB, 0))); }

OP_TRY(xscvsxddp) { return fp_from_integer(cpu, op, slowly, FPO_FROM_S64, B0); }
OP_TRY(xscvuxddp) { return fp_from_integer(cpu, op, slowly, FPO_FROM_U64, B0); }
OP_TRY(xscvsxdsp) { return fp_from_integer(cpu, op, slowly, FPO_FROM_S64 | FPO_SINGLE, B0); }
OP_TRY(xscvuxdsp) { return fp_from_integer(cpu, op, slowly, FPO_FROM_U64 | FPO_SINGLE, B0); }

#define DOUBLEWORD(v) (v)
#define TWO_WORDS(v) ((uint64_t)(uint32_t)(v) << 32 | (uint32_t)(v))

#define TO_INTEGER(name, fpo, shape) \
	OP_TRY(name) \
	{ \
		double x = FB; \
		uint64_t v; \
		if (!fp_integer_fits(cpu, fpo, x)) \
			return SLOWLY(fp_integer_exact(cpu, op, fpo, fp_bits(x), false)); \
		v = (uint64_t)fp_host_integer(cpu, fpo, x); \
		SET_XT(shape(v)); \
		return true; \
	}
TO_INTEGER(xscvdpsxds, FPO_TO_S64_ZERO, DOUBLEWORD)
TO_INTEGER(xscvdpuxds, FPO_TO_U64_ZERO, DOUBLEWORD)
TO_INTEGER(xscvdpsxws, FPO_TO_S32_ZERO, TWO_WORDS)
TO_INTEGER(xscvdpuxws, FPO_TO_U32_ZERO, TWO_WORDS)

/* ---- Parts of a number ---- */

OP(xsiexpdp) { SET_XT((RA & (SIGN | PPC_MASK(12, 63))) | (RB & 0x7ff) << 52); }
OP(xsxexpdp) { RT = B0 >> 52 & 0x7ff; }

OP(xsxsigdp)
{
	unsigned exp = B0 >> 52 & 0x7ff;

	RT = (B0 & PPC_MASK(12, 63)) | (exp && exp != 0x7ff ? PPC_BIT(11) : 0);
}

/* DCMX: NaN, +infinity, -infinity, +0, -0, +denormal, -denormal. */
static bool test_class(unsigned class, unsigned dcmx)
{
	switch ((enum fprf)class) {
	case FPRF_QNAN: return dcmx & 0x40;
	case FPRF_INF: return dcmx & 0x20;
	case FPRF_NEG_INF: return dcmx & 0x10;
	case FPRF_ZERO: return dcmx & 8;
	case FPRF_NEG_ZERO: return dcmx & 4;
	case FPRF_DENORMAL: return dcmx & 2;
	case FPRF_NEG_DENORMAL: return dcmx & 1;
	default: return false;
	}
}

OP(xststdcdp)
{
	set_cc(cpu, op, (B0 & SIGN ? 8 : 0) | (test_class(fp64_class(B0), (unsigned)IMM) ? 2 : 0));
}

OP(xststdcsp)
{
	bool single = B0 == fp_load_single(fp_store_single(B0));

	set_cc(cpu, op, (B0 & SIGN ? 8 : 0) | (test_class(fp64_class_single(B0), (unsigned)IMM) ? 2 : 0) | !single);
}

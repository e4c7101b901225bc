/* VSX scalar floating point: the arithmetic of fp.h on doubleword 0 of VSRs. What FPRs have as well is in scalar.h.
 *
 * Doubleword 1 of the target, undefined before Power ISA 3.1, becomes 0. Where a word is the result, both
 * words of doubleword 0 hold it, as all processors have it.
 *
 * Source: Power ISA 3.0B, Book I, 7.6.3.
 */
#include "cpu/fp/scalar.h"

/* ---- Arithmetic ---- */

SCALAR_BINARY(xsadddp, xsaddsp, FPO_ADD, FB)
SCALAR_BINARY(xssubdp, xssubsp, FPO_SUB, FB)
SCALAR_BINARY(xsmuldp, xsmulsp, FPO_MUL, FB)
SCALAR_BINARY(xsdivdp, xsdivsp, FPO_DIV, FB)

SCALAR_UNARY(xssqrtdp, xssqrtsp, FPO_SQRT)
SCALAR_UNARY(xsredp, xsresp, FPO_RE)
SCALAR_UNARY(xsrsqrtedp, xsrsqrtesp, FPO_RSQRTE)

/* The a forms add to the target, the m forms multiply by it. */
#define FUSED(name, fpo) \
	SCALAR_FUSED(name##adp, name##asp, fpo, FB, FT) \
	SCALAR_FUSED(name##mdp, name##msp, fpo, FT, FB)
FUSED(xsmadd, FPO_MADD)
FUSED(xsmsub, FPO_MSUB)
FUSED(xsnmadd, FPO_NMADD)
FUSED(xsnmsub, FPO_NMSUB)

SCALAR_TEST_DIVIDE(xstdivdp)
SCALAR_TEST_SQRT(xstsqrtdp)

/* ---- Comparison ---- */

SCALAR_COMPARE(xscmpudp, false)
SCALAR_COMPARE(xscmpodp, true)

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
	unsigned x = FRA >> 52 & 0x7ff, y = FRB >> 52 & 0x7ff;

	set_cc(cpu, op, is_nan(FRA) || is_nan(FRB) ? CR_SO : x < y ? CR_LT : x > y ? CR_GT : CR_EQ);
}

/* All ones or zeros. NaNs make it false, and invalid. */
static __attribute__((noinline)) bool
compare_nan(struct cpu *cpu, const struct op *op, bool ordered)
{
	struct fp_status st = fp_begin(cpu);

	fp64_compare(&st, FRA, FRB, ordered);
	return fp_finish_vector(cpu, op, &st, &(union vreg){ .q = 0 });
}

#define COMPARE_MASK(name, operator, ordered) \
	OP_TRY(name) \
	{ \
		double x = FA, y = FB; \
		if (unlikely(__builtin_isunordered(x, y))) \
			return SLOWLY(compare_nan(cpu, op, ordered)); \
		SET_TARGET(x operator y ? ~UINT64_C(0) : 0); \
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

static uint64_t quiet_nan(uint64_t nan)
{
	return nan | PPC_BIT(12);
}

static bool finish_select(struct cpu *cpu, const struct op *op, uint64_t v)
{
	struct fp_status st = fp_begin(cpu);

	if (is_snan(FRA) || is_snan(FRB))
		st.raised = FPSCR_VXSNAN;
	return fp_finish_vector(cpu, op, &st, &(union vreg){ .d = { 0, v } });
}

/* IEEE maxNum: a number wins over a quiet NaN, a signalling one over everything. */
static __attribute__((noinline)) bool select_nan(struct cpu *cpu, const struct op *op)
{
	uint64_t x = FRA, y = FRB;

	if (is_snan(x) || (is_nan(x) && is_nan(y)))
		return finish_select(cpu, op, quiet_nan(x));
	if (is_snan(y))
		return finish_select(cpu, op, is_nan(x) ? x : quiet_nan(y));
	return finish_select(cpu, op, is_nan(x) ? y : x);
}

/* As C writes it: (A > B) ? A : B, so a NaN selects B. */
static __attribute__((noinline)) bool select_nan_c(struct cpu *cpu, const struct op *op)
{
	return finish_select(cpu, op, FRB);
}

/* As Java has it: the first NaN is the result, as it is; either may signal. */
static __attribute__((noinline)) bool select_nan_j(struct cpu *cpu, const struct op *op)
{
	return finish_select(cpu, op, is_nan(FRA) ? FRA : FRB);
}

/* Both zero, or equal: -0 is below +0, where the form cares. The forms of C do not: neither zero is
 * above the other, so B is the result. */
#define SELECT(name, operator, equal, nan) \
	OP_TRY(name) \
	{ \
		double x = FA, y = FB; \
		uint64_t a = FRA, b = FRB; \
		if (unlikely(__builtin_isunordered(x, y))) \
			return SLOWLY(nan(cpu, op)); \
		SET_TARGET(x == y ? (equal) : x operator y ? a : b); \
		return true; \
	}
SELECT(xsmaxdp, >, a & b, select_nan)
SELECT(xsmindp, <, a | b, select_nan)
SELECT(xsmaxcdp, >, b, select_nan_c)
SELECT(xsmincdp, <, b, select_nan_c)
SELECT(xsmaxjdp, >, a & b, select_nan_j)
SELECT(xsminjdp, <, a | b, select_nan_j)

/* ---- Sign ---- */

SCALAR_SIGN(xsabsdp, xsnabsdp, xsnegdp, xscpsgndp)

/* ---- Rounding and conversion ---- */

SCALAR_RINT(xsrdpi, FP_AWAY)
SCALAR_RINT(xsrdpim, FP_DOWN)
SCALAR_RINT(xsrdpip, FP_UP)
SCALAR_RINT(xsrdpiz, FP_TO_ZERO)
OP_TRY(xsrdpic) { return fp_rint_current(cpu, op, slowly, FB); }
SCALAR_ROUND_TO_SINGLE(xsrsp)

/* Doubleword 0 in, a smaller format out: not the fast path of anything. */
OP_TRY(xscvdpsp)
{
	struct fp_status st = fp_begin(cpu);
	uint32_t r = fp64_to_fp32(&st, FRB);

	return fp_finish(cpu, op, &st, (uint64_t)r << 32 | r, fp32_class(r));
}

OP_TRY(xscvdphp)
{
	struct fp_status st = fp_begin(cpu);
	uint16_t r = fp64_to_fp16(&st, FRB);

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
	uint32_t r = fp_store_single(FRB);

	SET_TARGET((uint64_t)r << 32 | r);
}

OP(xscvspdpn) { SET_TARGET(fp_load_single(VW(XB, 0))); }

SCALAR_FROM_INTEGER(xscvsxddp, xscvsxdsp, FPO_FROM_S64)
SCALAR_FROM_INTEGER(xscvuxddp, xscvuxdsp, FPO_FROM_U64)

SCALAR_TO_INTEGER(xscvdpsxds, FPO_TO_S64_ZERO, false, DOUBLEWORD)
SCALAR_TO_INTEGER(xscvdpuxds, FPO_TO_U64_ZERO, false, DOUBLEWORD)
SCALAR_TO_INTEGER(xscvdpsxws, FPO_TO_S32_ZERO, false, TWO_WORDS)
SCALAR_TO_INTEGER(xscvdpuxws, FPO_TO_U32_ZERO, false, TWO_WORDS)

/* ---- Parts of a number ---- */

OP(xsiexpdp) { SET_TARGET((RA & (SIGN | PPC_MASK(12, 63))) | (RB & 0x7ff) << 52); }
OP(xsxexpdp) { RT = FRB >> 52 & 0x7ff; }

OP(xsxsigdp)
{
	unsigned exp = FRB >> 52 & 0x7ff;

	RT = (FRB & PPC_MASK(12, 63)) | (exp && exp != 0x7ff ? PPC_BIT(11) : 0);
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
	set_cc(cpu, op, (FRB & SIGN ? 8 : 0) | (test_class(fp64_class(FRB), (unsigned)IMM) ? 2 : 0));
}

OP(xststdcsp)
{
	bool single = FRB == fp_load_single(fp_store_single(FRB));

	set_cc(cpu, op, (FRB & SIGN ? 8 : 0) | (test_class(fp64_class_single(FRB), (unsigned)IMM) ? 2 : 0) | !single);
}

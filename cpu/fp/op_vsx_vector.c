/* VSX vector floating point: xv*dp and xv*sp.
 *
 * The whole vector goes through the host's unit at once; if every element came out ordinary
 * (fp.h) that is the result. Otherwise each element goes through the exact path. A host
 * operation that was tried in vain raises no inexact flag that the exact path would not raise.
 * Vector instructions leave FPRF, FR and FI alone, and an enabled exception of one element
 * keeps the whole target from being written.
 *
 * Source: Power ISA 3.0B, Book I, 7.6.3.
 */
#include "cpu/engine/decode.h"
#include "cpu/engine/operands.h"
#include "cpu/fp/fp.h"

/* ---- Bits ---- */

#define SIGN64 PPC_BIT(0)
#define SIGN32 UINT32_C(0x80000000)
#define INF64  UINT64_C(0x7ff0000000000000)
#define INF32  UINT32_C(0x7f800000)
#define QUIET64 PPC_BIT(12)
#define QUIET32 UINT32_C(0x00400000)

static inline bool is_nan64(uint64_t x) { return (x & ~SIGN64) > INF64; }
static inline bool is_nan32(uint32_t x) { return (x & ~SIGN32) > INF32; }
static inline bool is_snan64(uint64_t x) { return is_nan64(x) && !(x & QUIET64); }
static inline bool is_snan32(uint32_t x) { return is_nan32(x) && !(x & QUIET32); }

/* Both masks cover whole elements. */
static inline bool any_set(v2u64 m) { return (m[0] | m[1]) != 0; }
static inline bool all_set(v2u64 m) { return (m[0] & m[1]) == ~UINT64_C(0); }

/* A sum that is zero or denormal is exact, so only infinities, NaNs and overflow need the exact path. */
static inline __attribute__((always_inline)) bool sum_good_2d(const struct cpu *cpu, v2f64 r)
{
	v2u64 m = (v2u64)r << 1;
	uint64_t most = UINT64_C(0x7fefffffffffffff) << 1;

	return likely((m[0] < most) & (m[1] < most) & !cpu->fp_strict);
}

static inline __attribute__((always_inline)) bool sum_good_4s(const struct cpu *cpu, v4f32 r)
{
	return likely(!any_set((v2u64)((v4s32)((v4u32)r & ~SIGN32) >= 0x7f7fffff)) & !cpu->fp_strict);
}

/* ---- The exact path: op on every element of x, y, z into XT ---- */

static __attribute__((noinline)) bool
exact_2d(struct cpu *cpu, const struct op *op, unsigned fpo, const union vreg *x, const union vreg *y, const union vreg *z)
{
	struct fp_status st = fp_begin(cpu);
	union vreg r;

	for (int i = 0; i < 2; i++)
		r.d[i] = fp64_op(&st, fpo, x->d[i], y->d[i], z->d[i]);
	return fp_finish_vector(cpu, op, &st, &r);
}

static __attribute__((noinline)) bool
exact_4s(struct cpu *cpu, const struct op *op, unsigned fpo, const union vreg *x, const union vreg *y, const union vreg *z)
{
	struct fp_status st = fp_begin(cpu);
	union vreg r;

	for (int i = 0; i < 4; i++)
		r.w[i] = (uint32_t)fp32_op(&st, fpo, x->w[i], y->w[i], z->w[i]);
	return fp_finish_vector(cpu, op, &st, &r);
}

/* Some element of the host's result r is not ordinary. It is taken all the same if every such element is a zero that
 * its operands explain: a product by a zero factor, a quotient or root by a zero in x, a fused operation by a zero
 * factor and a zero addend. Else the exact path computes all elements. */
#define UNUSUAL(shape, fvec, uvec, bits, ordinary_elements) \
	static __attribute__((noinline)) bool \
	unusual_##shape(struct cpu *cpu, const struct op *op, unsigned fpo, const union vreg *x, const union vreg *y, \
			const union vreg *z, fvec r) \
	{ \
		bool product = fpo != FPO_DIV, fused = fpo >= FPO_MADD && fpo <= FPO_NMSUB; \
		uvec m = (uvec)r & ~SIGN##bits; \
		uvec zero = (uvec)(x->uvec << 1 == 0) | (product ? (uvec)(y->uvec << 1 == 0) : (uvec){}); \
		uvec good = (uvec)(m == 0) & zero; \
		\
		if (fused) \
			good &= (uvec)(z->uvec << 1 == 0); \
		good |= ordinary_elements; \
		if (!all_set((v2u64)good) || cpu->fp_strict) \
			return exact_##shape(cpu, op, fpo, x, y, z); \
		XT.uvec = fpo == FPO_NMADD || fpo == FPO_NMSUB ? (uvec)r ^ SIGN##bits : (uvec)r; \
		return true; \
	}
UNUSUAL(2d, v2f64, v2u64, 64, (v2u64)((m > PPC_BIT(11)) & (m < INF64 - 1)))
UNUSUAL(4s, v4f32, v4u32, 32, (v4u32)((m > 0x00800000) & (m < 0x7f7fffff)))

/* ---- Arithmetic. The stamps' `type` names both the host's vector type and its member in
 * union vreg. ---- */

#define XV_SUM(name, shape, type, host, fpo) \
	OP_TRY(name) \
	{ \
		type r = host_##host##_##shape(XA.type, XB.type); \
		if (sum_good_##shape(cpu, r)) { \
			XT.type = r; \
			return true; \
		} \
		return SLOWLY(exact_##shape(cpu, op, fpo, &XA, &XB, &XB)); \
	}

#define XV_BINARY(name, shape, type, host, fpo) \
	OP_TRY(name) \
	{ \
		type r = host_##host##_##shape(XA.type, XB.type); \
		if (fp_ordinary_##shape(cpu, r)) { \
			XT.type = r; \
			return true; \
		} \
		return SLOWLY(unusual_##shape(cpu, op, fpo, &XA, &XB, &XB, r)); \
	}

#define XV_UNARY(name, shape, type, result, fpo) \
	OP_TRY(name) \
	{ \
		type x = XB.type, r = result; \
		if (fp_ordinary_##shape(cpu, r)) { \
			XT.type = r; \
			return true; \
		} \
		return SLOWLY(unusual_##shape(cpu, op, fpo, &XB, &XB, &XB, r)); \
	}

XV_SUM(xvadddp, 2d, v2f64, add, FPO_ADD)
XV_SUM(xvaddsp, 4s, v4f32, add, FPO_ADD)
XV_SUM(xvsubdp, 2d, v2f64, sub, FPO_SUB)
XV_SUM(xvsubsp, 4s, v4f32, sub, FPO_SUB)
XV_BINARY(xvmuldp, 2d, v2f64, mul, FPO_MUL)
XV_BINARY(xvmulsp, 4s, v4f32, mul, FPO_MUL)
XV_BINARY(xvdivdp, 2d, v2f64, div, FPO_DIV)
XV_BINARY(xvdivsp, 4s, v4f32, div, FPO_DIV)
XV_UNARY(xvsqrtdp, 2d, v2f64, host_sqrt_2d(x), FPO_SQRT)
XV_UNARY(xvsqrtsp, 4s, v4f32, host_sqrt_4s(x), FPO_SQRT)

/* Estimates: any result of the required precision will do, these are correctly rounded. */
static const v2f64 one_2d = { 1, 1 };
static const v4f32 one_4s = { 1, 1, 1, 1 };

XV_UNARY(xvredp, 2d, v2f64, host_div_2d(one_2d, x), FPO_RE)
XV_UNARY(xvresp, 4s, v4f32, host_div_4s(one_4s, x), FPO_RE)
XV_UNARY(xvrsqrtedp, 2d, v2f64, host_div_2d(one_2d, host_sqrt_2d(x)), FPO_RSQRTE)
XV_UNARY(xvrsqrtesp, 4s, v4f32, host_div_4s(one_4s, host_sqrt_4s(x)), FPO_RSQRTE)

/* ---- Fused multiply-add: XA * y + z, where y and z are XB and XT in the order that the
 * mnemonic's a or m says ---- */

#define XV_FUSED(name, shape, type, host, fpo, y, z, sign) \
	OP_TRY(name) \
	{ \
		type r = host_##host##_##shape(XA.type, y.type, z.type); \
		if (fp_ordinary_##shape(cpu, r)) { \
			XT.type = sign r; \
			return true; \
		} \
		return SLOWLY(unusual_##shape(cpu, op, fpo, &XA, &y, &z, r)); \
	} \
	OP_TRY(name##_plain) { return SLOWLY(exact_##shape(cpu, op, fpo, &XA, &y, &z)); } \
	HOST_NEEDS(name, HOST_FMA)

#define XV_FUSED_FORMS(name, p, shape, type, host, fpo, sign) \
	XV_FUSED(name##a##p, shape, type, host, fpo, XB, XT, sign) \
	XV_FUSED(name##m##p, shape, type, host, fpo, XT, XB, sign)

XV_FUSED_FORMS(xvmadd, dp, 2d, v2f64, madd, FPO_MADD, +)
XV_FUSED_FORMS(xvmadd, sp, 4s, v4f32, madd, FPO_MADD, +)
XV_FUSED_FORMS(xvmsub, dp, 2d, v2f64, msub, FPO_MSUB, +)
XV_FUSED_FORMS(xvmsub, sp, 4s, v4f32, msub, FPO_MSUB, +)
XV_FUSED_FORMS(xvnmadd, dp, 2d, v2f64, madd, FPO_NMADD, -)
XV_FUSED_FORMS(xvnmadd, sp, 4s, v4f32, madd, FPO_NMADD, -)
XV_FUSED_FORMS(xvnmsub, dp, 2d, v2f64, msub, FPO_NMSUB, -)
XV_FUSED_FORMS(xvnmsub, sp, 4s, v4f32, msub, FPO_NMSUB, -)

/* ---- Sign operations, exponents and significands: bits only ---- */

OP(xvabsdp)  { XT.v2u64 = XB.v2u64 & ~SIGN64; }
OP(xvabssp)  { XT.v4u32 = XB.v4u32 & ~SIGN32; }
OP(xvnabsdp) { XT.v2u64 = XB.v2u64 | SIGN64; }
OP(xvnabssp) { XT.v4u32 = XB.v4u32 | SIGN32; }
OP(xvnegdp)  { XT.v2u64 = XB.v2u64 ^ SIGN64; }
OP(xvnegsp)  { XT.v4u32 = XB.v4u32 ^ SIGN32; }
OP(xvcpsgndp) { XT.v2u64 = (XA.v2u64 & SIGN64) | (XB.v2u64 & ~SIGN64); }
OP(xvcpsgnsp) { XT.v4u32 = (XA.v4u32 & SIGN32) | (XB.v4u32 & ~SIGN32); }

OP(xvxexpdp) { XT.v2u64 = XB.v2u64 >> 52 & 0x7ff; }
OP(xvxexpsp) { XT.v4u32 = XB.v4u32 >> 23 & 0xff; }
OP(xviexpdp) { XT.v2u64 = (XA.v2u64 & ~INF64) | (XB.v2u64 << 52 & INF64); }
OP(xviexpsp) { XT.v4u32 = (XA.v4u32 & ~INF32) | (XB.v4u32 << 23 & INF32); }

/* The implicit bit is there unless the exponent is all zeros or all ones. */
OP(xvxsigdp)
{
	v2u64 x = XB.v2u64, exp = x & INF64;

	XT.v2u64 = (x & PPC_MASK(12, 63)) | ((v2u64)((exp != 0) & (exp != INF64)) & PPC_BIT(11));
}

OP(xvxsigsp)
{
	v4u32 x = XB.v4u32, exp = x & INF32;

	XT.v4u32 = (x & 0x7fffff) | ((v4u32)((exp != 0) & (exp != INF32)) & 0x800000);
}

/* DCMX: NaN, +Inf, -Inf, +0, -0, +denormal, -denormal from bit 64 down. */
OP(xvtstdcdp)
{
	union vreg b = XB, t;

	for (int i = 0; i < 2; i++) {
		uint64_t m = b.d[i] & ~SIGN64;
		int sign = (int)(b.d[i] >> 63);
		int class = m > INF64 ? 0x40 : m == INF64 ? 0x20 >> sign : !m ? 8 >> sign : m < PPC_BIT(11) ? 2 >> sign : 0;

		t.d[i] = op->imm & class ? ~UINT64_C(0) : 0;
	}
	XT = t;
}

OP(xvtstdcsp)
{
	union vreg b = XB, t;

	for (int i = 0; i < 4; i++) {
		uint32_t m = b.w[i] & ~SIGN32;
		int sign = (int)(b.w[i] >> 31);
		int class = m > INF32 ? 0x40 : m == INF32 ? 0x20 >> sign : !m ? 8 >> sign : m < 0x800000 ? 2 >> sign : 0;

		t.w[i] = op->imm & class ? ~UINT32_C(0) : 0;
	}
	XT = t;
}

/* ---- Tests for software divide and square root: CR[BF] = 1 || fg || fe || 0 ---- */

/* What the tests look at, in units of the format: unbiased exponent of the field. */
struct test_format {
	int fraction, emax;
};
static const struct test_format test_dp = { 52, 1023 }, test_sp = { 23, 127 };

enum { FE = CR_EQ, FG = CR_GT };

static inline __attribute__((always_inline)) unsigned test_divide(const struct test_format *f, uint64_t a, uint64_t b)
{
	uint64_t infinity = (2 * (uint64_t)f->emax + 1) << f->fraction;
	uint64_t sign = (infinity << 1) & ~infinity;
	uint64_t ma = a & (sign - 1), mb = b & (sign - 1);
	int ea = (int)(ma >> f->fraction) - f->emax, eb = (int)(mb >> f->fraction) - f->emax, emin = 1 - f->emax;

	if (ma == infinity || mb == infinity || !mb)
		return FE | FG;
	return (ma > infinity || mb > infinity || eb <= emin || eb >= f->emax - 2 ||
		(ma && (ea - eb >= f->emax || ea - eb <= emin + 1 || ea <= emin + f->fraction)) ? FE : 0) |
	       (eb < emin ? FG : 0);
}

static inline __attribute__((always_inline)) unsigned test_sqrt(const struct test_format *f, uint64_t b)
{
	uint64_t infinity = (2 * (uint64_t)f->emax + 1) << f->fraction;
	uint64_t sign = (infinity << 1) & ~infinity;
	uint64_t m = b & (sign - 1);
	int e = (int)(m >> f->fraction) - f->emax, emin = 1 - f->emax;

	if (m == infinity || !m)
		return FE | FG;
	return (m > infinity || b & sign || e <= emin + f->fraction ? FE : 0) | (e < emin ? FG : 0);
}

#define XV_TEST(name, n, result) \
	OP(name) \
	{ \
		unsigned flags = CR_LT; \
		for (int i = 0; i < n; i++) \
			flags |= result; \
		CRF(op->a) = (uint8_t)flags; \
	}

XV_TEST(xvtdivdp, 2, test_divide(&test_dp, XA.d[i], XB.d[i]))
XV_TEST(xvtdivsp, 4, test_divide(&test_sp, XA.w[i], XB.w[i]))
XV_TEST(xvtsqrtdp, 2, test_sqrt(&test_dp, XB.d[i]))
XV_TEST(xvtsqrtsp, 4, test_sqrt(&test_sp, XB.w[i]))

/* ---- Maximum, minimum: a number beats a quiet NaN; +0 is more than -0 ---- */

/* Host comparisons raise nothing that the guest could see. */
static inline bool any_nan_2d(v2f64 a, v2f64 b) { return any_set((v2u64)((a != a) | (b != b))); }
static inline bool any_nan_4s(v4f32 a, v4f32 b) { return any_set((v2u64)((a != a) | (b != b))); }

/* Equal ones differ at most in the sign of zero: both bits for the maximum, either for the minimum. */
#define MAX_EQUAL(t, a, equal) ((t) & ((a) | ~(equal)))
#define MIN_EQUAL(t, a, equal) ((t) | ((a) & (equal)))

#define PICK_NAN(bits) \
	/* At least one is a NaN. */ \
	static uint##bits##_t pick_nan##bits(struct fp_status *st, uint##bits##_t a, uint##bits##_t b) \
	{ \
		bool snan_a = is_snan##bits(a), snan_b = is_snan##bits(b); \
		\
		if (snan_a || snan_b) \
			st->raised |= FPSCR_VXSNAN; \
		if (snan_a) \
			return a | QUIET##bits; \
		if (!is_nan##bits(a)) \
			return snan_b ? b | QUIET##bits : a; \
		return is_nan##bits(b) ? a : b; \
	}
PICK_NAN(64)
PICK_NAN(32)

#define XV_EXTREME(name, shape, fvec, uvec, e, bits, n, sense, equal) \
	static inline __attribute__((always_inline)) uvec extreme_##name(const union vreg *a, const union vreg *b) \
	{ \
		uvec first = (uvec)(a->fvec sense b->fvec); \
		\
		return equal((a->uvec & first) | (b->uvec & ~first), a->uvec, (uvec)(a->fvec == b->fvec)); \
	} \
	static __attribute__((noinline)) bool exact_##name(struct cpu *cpu, const struct op *op) \
	{ \
		struct fp_status st = fp_begin(cpu); \
		union vreg a = XA, b = XB, t = { .uvec = extreme_##name(&a, &b) }; \
		\
		for (int i = 0; i < n; i++) \
			if (is_nan##bits(a.e[i]) || is_nan##bits(b.e[i])) \
				t.e[i] = pick_nan##bits(&st, a.e[i], b.e[i]); \
		return fp_finish_vector(cpu, op, &st, &t); \
	} \
	OP_TRY(name) \
	{ \
		if (unlikely(any_nan_##shape(XA.fvec, XB.fvec))) \
			return SLOWLY(exact_##name(cpu, op)); \
		XT.uvec = extreme_##name(&XA, &XB); \
		return true; \
	}

XV_EXTREME(xvmaxdp, 2d, v2f64, v2u64, d, 64, 2, >, MAX_EQUAL)
XV_EXTREME(xvmaxsp, 4s, v4f32, v4u32, w, 32, 4, >, MAX_EQUAL)
XV_EXTREME(xvmindp, 2d, v2f64, v2u64, d, 64, 2, <, MIN_EQUAL)
XV_EXTREME(xvminsp, 4s, v4f32, v4u32, w, 32, 4, <, MIN_EQUAL)

/* ---- Comparisons: a mask per element; the recording form says in CR6 whether all or none
 * were true ---- */

static inline void set_cr6(struct cpu *cpu, v2u64 mask)
{
	CRF(6) = all_set(mask) ? CR_LT : any_set(mask) ? 0 : CR_EQ;
}

#define XV_COMPARE(name, shape, fvec, uvec, e, bits, n, sense, wanted, ordered) \
	static __attribute__((noinline)) bool exact_##name(struct cpu *cpu, const struct op *op, bool record) \
	{ \
		struct fp_status st = fp_begin(cpu); \
		union vreg a = XA, b = XB, t; \
		\
		for (int i = 0; i < n; i++) \
			t.e[i] = fp##bits##_compare(&st, a.e[i], b.e[i], ordered) & (wanted) ? ~UINT##bits##_C(0) : 0; \
		if (record && !fp_suppressed(&st)) \
			set_cr6(cpu, t.v2u64); \
		return fp_finish_vector(cpu, op, &st, &t); \
	} \
	static inline __attribute__((always_inline)) int \
	compare_##name(struct cpu *cpu, const struct op *op, bool slowly, bool record) \
	{ \
		if (unlikely(any_nan_##shape(XA.fvec, XB.fvec))) \
			return SLOWLY(exact_##name(cpu, op, record)); \
		XT.uvec = (uvec)(XA.fvec sense XB.fvec); \
		if (record) \
			set_cr6(cpu, XT.v2u64); \
		return true; \
	} \
	OP_TRY(name) { return compare_##name(cpu, op, slowly, false); } \
	OP_TRY(name##_rc) { return compare_##name(cpu, op, slowly, true); }

XV_COMPARE(xvcmpeqdp, 2d, v2f64, v2u64, d, 64, 2, ==, CR_EQ, false)
XV_COMPARE(xvcmpeqsp, 4s, v4f32, v4u32, w, 32, 4, ==, CR_EQ, false)
XV_COMPARE(xvcmpgedp, 2d, v2f64, v2u64, d, 64, 2, >=, CR_GT | CR_EQ, true)
XV_COMPARE(xvcmpgesp, 4s, v4f32, v4u32, w, 32, 4, >=, CR_GT | CR_EQ, true)
XV_COMPARE(xvcmpgtdp, 2d, v2f64, v2u64, d, 64, 2, >, CR_GT, true)
XV_COMPARE(xvcmpgtsp, 4s, v4f32, v4u32, w, 32, 4, >, CR_GT, true)

/* ---- Conversions and rounding to integral values ----
 *
 * `good` says of a source element x that the host's conversion is exact PowerPC arithmetic
 * for it; if it is for all, `fast` converts, else `exact` converts all. `source` and `target`
 * are element numbers in the manual's order from the loop's i. */

#define XV_CONVERT(name, n, x_type, source, target, good, fast, exact) \
	static __attribute__((noinline)) bool exact_##name(struct cpu *cpu, const struct op *op) \
	{ \
		struct fp_status st_ = fp_begin(cpu), *st = &st_; \
		union vreg b = XB, t; \
		\
		for (int i = 0; i < n; i++) { \
			x_type x = source; \
			target(exact); \
		} \
		return fp_finish_vector(cpu, op, st, &t); \
	} \
	OP_TRY(name) \
	{ \
		union vreg b = XB, t; \
		bool fine = !cpu->fp_strict; \
		\
		for (int i = 0; i < n; i++) { \
			x_type x = source; \
			(void)x; \
			fine &= good; \
		} \
		if (unlikely(!fine)) \
			return SLOWLY(exact_##name(cpu, op)); \
		for (int i = 0; i < n; i++) { \
			x_type x = source; \
			target(fast); \
		} \
		XT = t; \
		return true; \
	}

/* Words of a vector of doublewords: read from the even ones, written to both alike. */
#define TO_D(v) VD(t, i) = (v)
#define TO_W(v) VW(t, i) = (uint32_t)(v)
#define TO_WW(v) VW(t, 2 * i) = VW(t, 2 * i + 1) = (uint32_t)(v)

/* |x| < 2^bits and, for unsigned targets, not negative. */
static inline bool fits64(uint64_t x, int bits, bool is_signed)
{
	return (x << is_signed) < (uint64_t)(1023 + bits) << (52 + is_signed);
}

static inline bool fits32(uint32_t x, int bits, bool is_signed)
{
	return (x << is_signed) < (uint32_t)(127 + bits) << (23 + is_signed);
}

#define DP_TO_INT(x) ((uint64_t)host_to_s64_zero(fp_double(x)))
#define SP_TO_INT(x) ((uint64_t)host_to_s64_zero(host_to_double(fp_single(x))))

XV_CONVERT(xvcvdpsxds, 2, uint64_t, VD(b, i), TO_D, fits64(x, 63, true), DP_TO_INT(x), fp64_op(st, FPO_TO_S64_ZERO, x, 0, 0))
XV_CONVERT(xvcvdpuxds, 2, uint64_t, VD(b, i), TO_D, fits64(x, 63, false), DP_TO_INT(x), fp64_op(st, FPO_TO_U64_ZERO, x, 0, 0))
XV_CONVERT(xvcvdpsxws, 2, uint64_t, VD(b, i), TO_WW, fits64(x, 31, true), DP_TO_INT(x), fp64_op(st, FPO_TO_S32_ZERO, x, 0, 0))
XV_CONVERT(xvcvdpuxws, 2, uint64_t, VD(b, i), TO_WW, fits64(x, 32, false), DP_TO_INT(x), fp64_op(st, FPO_TO_U32_ZERO, x, 0, 0))
XV_CONVERT(xvcvspsxds, 2, uint32_t, VW(b, 2 * i), TO_D, fits32(x, 63, true), SP_TO_INT(x), fp32_op(st, FPO_TO_S64_ZERO, x, 0, 0))
XV_CONVERT(xvcvspuxds, 2, uint32_t, VW(b, 2 * i), TO_D, fits32(x, 63, false), SP_TO_INT(x), fp32_op(st, FPO_TO_U64_ZERO, x, 0, 0))
XV_CONVERT(xvcvspsxws, 4, uint32_t, VW(b, i), TO_W, fits32(x, 31, true), SP_TO_INT(x), fp32_op(st, FPO_TO_S32_ZERO, x, 0, 0))
XV_CONVERT(xvcvspuxws, 4, uint32_t, VW(b, i), TO_W, fits32(x, 32, false), SP_TO_INT(x), fp32_op(st, FPO_TO_U32_ZERO, x, 0, 0))

/* Up to 53 bits are exact in double format, so that only the rounding to single counts. */
#define IN_53_BITS(x) ((x) + (UINT64_C(1) << 53) <= UINT64_C(1) << 54)
#define INT_TO_DP(x) fp_bits(host_from_s64((int64_t)(x)))
#define INT_TO_SP(x) fp_bits32(host_to_single(host_from_s64((int64_t)(x))))

XV_CONVERT(xvcvsxddp, 2, uint64_t, VD(b, i), TO_D, true, INT_TO_DP(x), fp64_op(st, FPO_FROM_S64, x, 0, 0))
XV_CONVERT(xvcvuxddp, 2, uint64_t, VD(b, i), TO_D, !(x >> 63), INT_TO_DP(x), fp64_op(st, FPO_FROM_U64, x, 0, 0))
XV_CONVERT(xvcvsxwdp, 2, int64_t, VSW(b, 2 * i), TO_D, true, INT_TO_DP(x), fp64_op(st, FPO_FROM_S64, (uint64_t)x, 0, 0))
XV_CONVERT(xvcvuxwdp, 2, uint64_t, VW(b, 2 * i), TO_D, true, INT_TO_DP(x), fp64_op(st, FPO_FROM_U64, x, 0, 0))
XV_CONVERT(xvcvsxdsp, 2, uint64_t, VD(b, i), TO_WW, IN_53_BITS(x), INT_TO_SP(x), fp_s64_to_fp32(st, (int64_t)x))
XV_CONVERT(xvcvuxdsp, 2, uint64_t, VD(b, i), TO_WW, !(x >> 53), INT_TO_SP(x), fp_u64_to_fp32(st, x))
XV_CONVERT(xvcvsxwsp, 4, int64_t, VSW(b, i), TO_W, true, INT_TO_SP(x), fp_s64_to_fp32(st, x))
XV_CONVERT(xvcvuxwsp, 4, uint64_t, VW(b, i), TO_W, true, INT_TO_SP(x), fp_u64_to_fp32(st, x))

/* Zero, or an exponent that stays ordinary in single format after rounding. */
static inline bool narrows(uint64_t x)
{
	return (x >> 52 & 0x7ff) - 898 < 252 || !(x & ~SIGN64);
}

XV_CONVERT(xvcvdpsp, 2, uint64_t, VD(b, i), TO_WW, narrows(x), fp_bits32(host_to_single(fp_double(x))), fp64_to_fp32(st, x))
XV_CONVERT(xvcvspdp, 2, uint32_t, VW(b, 2 * i), TO_D, !is_nan32(x), fp_bits(host_to_double(fp_single(x))), fp32_to_fp64(st, x))

/* Half precision lies in the right half of each word. */
OP_TRY(xvcvhpsp)
{
	struct fp_status st = fp_begin(cpu);
	union vreg t;

	for (int i = 0; i < 4; i++)
		t.w[i] = fp16_to_fp32(&st, XB.h[2 * i]);
	return fp_finish_vector(cpu, op, &st, &t);
}

OP_TRY(xvcvsphp)
{
	struct fp_status st = fp_begin(cpu);
	union vreg t;

	for (int i = 0; i < 4; i++)
		t.w[i] = fp32_to_fp16(&st, XB.w[i]);
	return fp_finish_vector(cpu, op, &st, &t);
}

/* bfloat16 likewise. */
OP(xvcvbf16spn) { XT.v4u32 = XB.v4u32 << 16; }

OP_TRY(xvcvspbf16)
{
	struct fp_status st = fp_begin(cpu);
	union vreg t;

	for (int i = 0; i < 4; i++)
		t.w[i] = fp32_to_bf16(&st, XB.w[i]);
	return fp_finish_vector(cpu, op, &st, &t);
}

/* x, not a NaN, rounded to an integral value: below the point the fraction is a number of
 * which some part is added before the rest is cut off; a carry runs into the exponent as it
 * should. With a constant mode little of this remains. */
#define INTEGRAL(bits, fraction, bias) \
	static inline __attribute__((always_inline)) uint##bits##_t integral##bits(uint##bits##_t x, enum fp_round mode) \
	{ \
		uint##bits##_t sign = x & SIGN##bits, m = x ^ sign, one = (uint##bits##_t)(bias) << fraction; \
		int exp = (int)(m >> fraction) - (bias); \
		bool away = mode == FP_AWAY || mode == (sign ? FP_DOWN : FP_UP); \
		uint##bits##_t unit, below; \
		\
		if (exp >= fraction) \
			return x; \
		if (exp < 0) { \
			bool half = mode == FP_AWAY ? exp == -1 : mode == FP_NEAREST ? m > one - ((uint##bits##_t)1 << fraction) : \
				    away && m; \
			return sign | (half ? one : 0); \
		} \
		unit = (uint##bits##_t)1 << (fraction - exp); \
		below = unit - 1; \
		if (mode == FP_AWAY) \
			m += unit >> 1; \
		else if (mode == FP_NEAREST) \
			m += (below >> 1) + (m & unit ? 1 : 0); \
		else if (away) \
			m += below; \
		return sign | (m & ~below); \
	}
INTEGRAL(64, 52, 1023)
INTEGRAL(32, 23, 127)

static inline uint64_t rint64(struct fp_status *st, enum fp_round mode, unsigned fpo, uint64_t x)
{
	st->round = mode;
	return fp64_op(st, fpo, x, 0, 0);
}

static inline uint64_t rint32(struct fp_status *st, enum fp_round mode, unsigned fpo, uint32_t x)
{
	st->round = mode;
	return fp32_op(st, fpo, x, 0, 0);
}

#define XV_ROUND(suffix, mode) \
	XV_CONVERT(xvrdpi##suffix, 2, uint64_t, VD(b, i), TO_D, !is_nan64(x), integral64(x, mode), \
		   rint64(st, mode, FPO_RINT, x)) \
	XV_CONVERT(xvrspi##suffix, 4, uint32_t, VW(b, i), TO_W, !is_nan32(x), integral32(x, mode), \
		   rint32(st, mode, FPO_RINT, x))

XV_ROUND(, FP_AWAY)
XV_ROUND(m, FP_DOWN)
XV_ROUND(p, FP_UP)
XV_ROUND(z, FP_TO_ZERO)

/* In the current mode, and inexact if that changes anything. */
#define CURRENT ((enum fp_round)(cpu->fpscr & FPSCR_RN))
XV_CONVERT(xvrdpic, 2, uint64_t, VD(b, i), TO_D, !is_nan64(x) && integral64(x, CURRENT) == x, x,
	   rint64(st, CURRENT, FPO_RINTX, x))
XV_CONVERT(xvrspic, 4, uint32_t, VW(b, i), TO_W, !is_nan32(x) && integral32(x, CURRENT) == x, x,
	   rint32(st, CURRENT, FPO_RINTX, x))

/* ---- A prefixed immediate: a single as two doubles. ISA 3.1 ---- */

OP(xxspltidp)
{
	uint64_t d = fp_load_single((uint32_t)op->imm);

	XT.v2u64 = (v2u64){ d, d };
}

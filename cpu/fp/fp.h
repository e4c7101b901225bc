/* Binary floating point: what scalar and vector handlers share.
 *
 * An arithmetic handler computes on the host's unit (host_fp.h) and looks at the result. An
 * ordinary one (normal, not the smallest normal, not the largest number) cannot have come
 * from a NaN, an infinity, overflow, underflow or division by zero: it is exact PowerPC
 * arithmetic already, and all that is left to say is whether it was inexact. The host's
 * sticky flag says that for FPSCR[XX]; FPRF, FR and FI are computed when somebody reads them,
 * from the operands that fp_record() keeps. Everything else goes to the exact path
 * (fp_exact.c), which computes in integers, knows enabled exceptions and touches no host flag.
 *
 * With OE, UE or XE set even an ordinary-looking host operation may be wrong or leave a wrong
 * flag, so cpu->fp_limit makes no result ordinary then (fp_strict says the same) and the
 * host's inexact flag means nothing. VE and ZE need no such care.
 *
 * Between fp_enter() and fp_leave() no code may use host floating point other than
 * this: it would run in the guest's rounding mode and be taken for guest inexactness.
 *
 * Source: Power ISA 3.0B, Book I, 4.2 to 4.6, 7.2 to 7.4.
 */
#ifndef CPU_FP_FP_H
#define CPU_FP_FP_H

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "cpu/core/cpu.h"
#include "cpu/engine/dispatch.h"
#include "cpu/fp/host_fp.h"

/* ---- FPSCR. Book I, 4.2.2 ---- */
#define FPSCR_DRN    PPC_MASK(29, 31)
#define FPSCR_FX     PPC_BIT(32)
#define FPSCR_VX     PPC_BIT(34)
#define FPSCR_OX     PPC_BIT(35)
#define FPSCR_UX     PPC_BIT(36)
#define FPSCR_ZX     PPC_BIT(37)
#define FPSCR_XX     PPC_BIT(38)
#define FPSCR_VXSNAN PPC_BIT(39)
#define FPSCR_VXISI  PPC_BIT(40)
#define FPSCR_VXIDI  PPC_BIT(41)
#define FPSCR_VXZDZ  PPC_BIT(42)
#define FPSCR_VXIMZ  PPC_BIT(43)
#define FPSCR_VXVC   PPC_BIT(44)
#define FPSCR_FR     PPC_BIT(45)
#define FPSCR_FI     PPC_BIT(46)
#define FPSCR_FPRF   PPC_MASK(47, 51)
#define FPSCR_FPCC   PPC_MASK(48, 51)
#define FPSCR_VXSOFT PPC_BIT(53)
#define FPSCR_VXSQRT PPC_BIT(54)
#define FPSCR_VXCVI  PPC_BIT(55)
#define FPSCR_VE     PPC_BIT(56)
#define FPSCR_OE     PPC_BIT(57)
#define FPSCR_UE     PPC_BIT(58)
#define FPSCR_ZE     PPC_BIT(59)
#define FPSCR_XE     PPC_BIT(60)
#define FPSCR_NI     PPC_BIT(61)
#define FPSCR_RN     PPC_MASK(62, 63)
#define FPSCR_FPRF_SHIFT 12
#define FPSCR_VX_ALL (PPC_MASK(39, 44) | PPC_MASK(53, 55))
/* What setting from 0 to 1 sets FX: the exceptions proper, not the summaries. */
#define FPSCR_EXCEPTIONS (PPC_MASK(35, 38) | FPSCR_VX_ALL)
/* What a program may write: the rest is reserved, or follows from other bits. */
#define FPSCR_WRITABLE (FPSCR_DRN | FPSCR_FX | PPC_MASK(35, 51) | PPC_MASK(53, 63))

/* FPRF, Book I, figure "Floating-Point Result Flags". */
enum fprf {
	FPRF_QNAN = 0x11, FPRF_NEG_INF = 0x09, FPRF_NEG_NORMAL = 0x08, FPRF_NEG_DENORMAL = 0x18,
	FPRF_NEG_ZERO = 0x12, FPRF_ZERO = 0x02, FPRF_DENORMAL = 0x14, FPRF_NORMAL = 0x04, FPRF_INF = 0x05,
	FPRF_DECIMAL_SNAN = 0x01,	/* conversions between decimal formats leave a signalling NaN as it is */
};

/* Rounding, as FPSCR[RN]; the last two are for instructions that bring their own. */
enum fp_round { FP_NEAREST, FP_TO_ZERO, FP_UP, FP_DOWN, FP_AWAY /* nearest, ties away */, FP_ODD };

/* ---- The exact path (fp_exact.c) ---- */

struct fp_format;
extern const struct fp_format fp_format16, fp_format32, fp_format64, fp_format128, fp_bfloat16;

/* One instruction's floating-point life: taken from FPSCR once, committed once. */
struct fp_status {
	uint64_t control;	/* FPSCR's enable bits and NI */
	enum fp_round round;	/* FPSCR[RN], or what the instruction wants instead */
	uint64_t raised;	/* exceptions so far, FPSCR bits (a vector: of all elements) */
	uint64_t rounded;	/* FR and FI of the latest rounding, FPSCR bits */
};

/* Operations on raw bits. Operand names are the fma's: a * c + b in the manual's letters
 * is fp64_op(..., a, c, b), that is x * y + z: madd x*y+z, msub x*y-z, nmadd -(x*y+z),
 * nmsub -(x*y-z). NaN operands are preferred in the order x, z, y (manual: A, B, C). */
enum fp_op {
	FPO_NONE, FPO_ADD, FPO_SUB, FPO_MUL, FPO_DIV, FPO_SQRT, FPO_MADD, FPO_MSUB, FPO_NMADD, FPO_NMSUB,
	FPO_RE, FPO_RSQRTE,	/* estimates: here the correctly rounded quotient; with FPO_SINGLE 2^128 and more is infinite */
	FPO_ROUND,		/* x itself, rounded to the result's precision (frsp with FPO_SINGLE) */
	FPO_RINT, FPO_RINTX,	/* to an integral value by status->round; RINTX reports inexact */
	FPO_FROM_S64, FPO_FROM_U64,
	FPO_TO_S32, FPO_TO_U32, FPO_TO_S64, FPO_TO_U64,	/* by status->round; saturates, VXCVI */
	FPO_TO_S32_ZERO, FPO_TO_U32_ZERO, FPO_TO_S64_ZERO, FPO_TO_U64_ZERO, /* toward zero */
	FPO_SINGLE = 0x40,	/* or-ed in: the result is rounded to single precision, in double format; of a NaN's
				 * payload remains what a single holds */
};

/* Results with OE and UE honoured: a trapped over- or underflow gives the scaled result. When
 * an enabled invalid operation or zero divide was raised the result means nothing. Results of
 * FPO_TO_*32 are in the low 32 bits, zero-extended. */
uint64_t fp64_op(struct fp_status *st, unsigned op, uint64_t x, uint64_t y, uint64_t z);
/* The same on single format; FPO_SINGLE does not apply; FPO_TO_* give 32 or 64 bits. */
uint64_t fp32_op(struct fp_status *st, unsigned op, uint32_t x, uint32_t y, uint32_t z);

/* Conversions between formats, rounding by st->round. A signalling NaN raises VXSNAN. */
uint64_t fp32_to_fp64(struct fp_status *st, uint32_t x);
uint32_t fp64_to_fp32(struct fp_status *st, uint64_t x);
uint64_t fp16_to_fp64(struct fp_status *st, uint16_t x);
uint32_t fp16_to_fp32(struct fp_status *st, uint16_t x);
uint16_t fp64_to_fp16(struct fp_status *st, uint64_t x);
uint16_t fp32_to_fp16(struct fp_status *st, uint32_t x);
uint16_t fp32_to_bf16(struct fp_status *st, uint32_t x);	/* the upper half of a single */
uint32_t fp_s64_to_fp32(struct fp_status *st, int64_t x);
uint32_t fp_u64_to_fp32(struct fp_status *st, uint64_t x);

/* x0 * y0 + x1 * y1, exact until it is rounded to a single; halves of `from`. What a bfloat16's wide range makes too large
 * or too small for a single keeps its exponent, in 24 bits, until the accumulator has been added. */
enum fp_ger { FP_GER = 0, FP_GER_PP = 1, FP_GER_NP = 3, FP_GER_PN = 5, FP_GER_NN = 7 };	/* 2: the sum is negated, 4: acc is */
uint32_t fp_ger2(struct fp_status *st, const struct fp_format *from, enum fp_ger how, const uint16_t x[2], const uint16_t y[2],
		 uint32_t acc);

/* Comparison: CR_LT 8, CR_GT 4, CR_EQ 2 or unordered 1. Raises VXSNAN; `ordered` raises VXVC
 * for NaNs as fcmpo does (with a signalling NaN only if VE is 0). */
unsigned fp64_compare(struct fp_status *st, uint64_t x, uint64_t y, bool ordered);
unsigned fp32_compare(struct fp_status *st, uint32_t x, uint32_t y, bool ordered);

/* Formats for the shared rounding step. */
struct fp_format {
	int precision;		/* significant bits: 24, 53, 113 */
	int emax;		/* largest unbiased exponent: 127, 1023, 16383 */
	int wrap;		/* exponent adjustment of a trapped over- or underflow: 192, 1536, 24576 */
};

/* A number on its way to rounding. Finite non-zero: (-1)^sign * 1.xxx * 2^exp with the
 * leading one at bit 127 of sig; bits that fell off below are or-ed into bit 0. */
struct fp_num {
	enum { FPN_ZERO, FPN_FINITE, FPN_INF, FPN_QNAN, FPN_SNAN } kind;
	bool sign;
	int exp;
	u128 sig;		/* NaN: the fraction, its first bit at bit 126 */
};

/* Rounds a finite n in place to the format's precision and range, raising OX, UX, XX and setting
 * st->rounded. Afterwards n is zero, infinite or finite with exp >= 1 - emax - (precision - 1),
 * its significand exactly representable (a denormal stays normalized here: exp < 1 - emax). */
void fp_round(struct fp_status *st, const struct fp_format *f, struct fp_num *n);

/* What ftdiv, ftsqrt and their VSX twins put in the CR field. */
unsigned fp64_test_divide(uint64_t x, uint64_t y);
unsigned fp64_test_sqrt(uint64_t x);

/* Classes for FPRF and for the data class tests. */
unsigned fp16_class(uint16_t x);	/* enum fprf */
unsigned fp32_class(uint32_t x);
unsigned fp64_class(uint64_t x);
unsigned fp64_class_single(uint64_t x);	/* double format, single range: ClassSP */

/* ---- Committing (fpscr.c) ---- */

static inline struct fp_status fp_begin(const struct cpu *cpu)
{
	return (struct fp_status){
		.control = cpu->fpscr & PPC_MASK(56, 61), .round = (enum fp_round)(cpu->fpscr & FPSCR_RN),
	};
}

/* True if what was raised forbids writing the target (VE with invalid, ZE with zero divide). */
static inline bool fp_suppressed(const struct fp_status *st)
{
	return (st->raised & FPSCR_VX_ALL && st->control & FPSCR_VE) ||
	       (st->raised & FPSCR_ZX && st->control & FPSCR_ZE);
}

/* Sets exception bits, FX, VX, FEX in FPSCR. Leaves FPRF, FR, FI. */
void fp_raise(struct cpu *cpu, uint64_t raised);
/* True, or the program interrupt if FPSCR[FEX] and MSR[FE0,FE1] ask for one. Last act of a body. */
bool fp_trap(struct cpu *cpu, const struct op *op);
/* The same only for what this instruction raised: where a fast path would not look at FEX. */
bool fp_trap_raised(struct cpu *cpu, const struct op *op, uint64_t raised);
/* FPRF, FR, FI now: from here nothing lazy is pending. */
void fp_set_status(struct cpu *cpu, unsigned fprf, uint64_t rounded);

/* End of a scalar instruction that took the exact path: FPSCR, target XT/FRT (doubleword 1
 * becomes 0) unless suppressed, interrupt. `return fp_finish(...)`. */
bool fp_finish(struct cpu *cpu, const struct op *op, const struct fp_status *st, uint64_t result, unsigned fprf);
/* The same without FPRF, FR, FI and for all of XT: vector instructions. Overflow, underflow and inexact, too, keep XT
 * from being written if they are enabled: an element that is scaled or rounded is never seen. Book I, 7.4. */
bool fp_finish_vector(struct cpu *cpu, const struct op *op, const struct fp_status *st, const union vreg *result);
/* A whole scalar instruction in the exact path: op on x, y, z into XT. */
bool fp_scalar(struct cpu *cpu, const struct op *op, unsigned fpo, uint64_t x, uint64_t y, uint64_t z);
/* The same when the host already made r of them (in double): zeros need no more. */
bool fp_unusual(struct cpu *cpu, const struct op *op, unsigned fpo, uint64_t x, uint64_t y, uint64_t z, double r);
/* Infinities and NaNs to an integral value. */
bool fp_rint_special(struct cpu *cpu, const struct op *op, uint64_t x);
/* A conversion to integer in the exact path. Words: an FPR gets the sign extended (the upper half
 * is undefined; a NaN's 0x80000000 has no sign), a VSR two copies. An invalid one leaves in FPRF
 * what a quiet NaN does for an FPR (undefined, too), and nothing for a VSR. */
bool fp_integer_exact(struct cpu *cpu, const struct op *op, unsigned fpo, uint64_t x, bool fpr);
/* A comparison that may raise: CR field and FPCC. */
bool fp_compare(struct cpu *cpu, const struct op *op, uint64_t x, uint64_t y, bool ordered);
/* FPSCR with XX, FX and FEX collected from the host, but FPRF, FR, FI perhaps still pending. */
uint64_t fp_sticky(struct cpu *cpu);
/* FX, FEX, VX and OX, for CR1. */
static inline uint8_t fp_cr1(struct cpu *cpu) { return fp_sticky(cpu) >> 28 & 0xf; }

/* ---- The fast path ---- */

static inline __attribute__((always_inline)) union vreg *fp_vsr(struct cpu *cpu, unsigned slot)
{
	return (union vreg *)&((uint64_t *)cpu)[slot];
}

static inline uint64_t fp_bits(double d) { uint64_t v; memcpy(&v, &d, 8); return v; }
static inline double fp_double(uint64_t v) { double d; memcpy(&d, &v, 8); return d; }
static inline uint32_t fp_bits32(float f) { uint32_t v; memcpy(&v, &f, 4); return v; }
static inline float fp_single(uint32_t v) { float f; memcpy(&f, &v, 4); return f; }

/* |x| strictly between the smallest normal and the largest finite number, as one unsigned
 * comparison of the bits without the sign; cpu->fp_limit is the distance, or 0. */
#define FP_LOW64 ((UINT64_C(0x0010000000000000) << 1) + 1)
#define FP_LIMIT64 ((UINT64_C(0x7fefffffffffffff) << 1) - FP_LOW64)
#define FP_LOW32 ((UINT64_C(0x3810000000000000) << 1) + 1)	/* single range in double format */
#define FP_SINGLE_END UINT64_C(0x47f0000000000000)	/* 2^128 */
#define FP_LIMIT32 ((UINT64_C(0x47efffffe0000000) << 1) - FP_LOW32)

static inline __attribute__((always_inline)) bool fp_ordinary(const struct cpu *cpu, double r)
{
	return likely((fp_bits(r) << 1) - FP_LOW64 < cpu->fp_limit);
}

/* r is a single-precision value in double format. */
static inline __attribute__((always_inline)) bool fp_ordinary_single(const struct cpu *cpu, double r)
{
	return likely((fp_bits(r) << 1) - FP_LOW32 < cpu->fp_limit_single);
}

/* Every element ordinary, and not strict. */
static inline __attribute__((always_inline)) bool fp_ordinary_2d(const struct cpu *cpu, v2f64 r)
{
	v2u64 m = (v2u64)r << 1;

	return likely((m[0] - FP_LOW64 < cpu->fp_limit) & (m[1] - FP_LOW64 < cpu->fp_limit));
}

static inline __attribute__((always_inline)) bool fp_ordinary_4s(const struct cpu *cpu, v4f32 r)
{
	/* Bits without the sign, seen as signed integers, compare as the magnitudes do. */
	v4s32 m = (v4s32)((v4u32)r & 0x7fffffffu);
	v4s32 bad = (m <= 0x00800000) | (m >= 0x7f7fffff);
	v2u64 any = (v2u64)bad;

	return likely(!(any[0] | any[1]) & !cpu->fp_strict);
}

/* The CR field of a comparison, or 0 for unordered operands. */
static inline __attribute__((always_inline)) unsigned fp_compare_host(double x, double y)
{
	return (unsigned)(x < y) << 3 | (unsigned)(x > y) << 2 | (unsigned)(x == y) << 1;
}

/* Keeps what FPRF, FR and FI of the latest scalar operation follow from. */
static inline __attribute__((always_inline)) void fp_record1(struct cpu *cpu, unsigned op, uint64_t x)
{
	cpu->fp_lazy[0] = op;
	cpu->fp_lazy[1] = x;
}

/* A comparison replaces FPCC and leaves C, FR and FI of the operation before it. */
static inline __attribute__((always_inline)) void fp_record_cc(struct cpu *cpu, unsigned cc)
{
	((uint8_t *)cpu->fp_lazy)[1] = (uint8_t)(0x80 | cc);
}

/* A conversion to integer (FPO_TO_*) replaces FR and FI and leaves FPRF. */
static inline __attribute__((always_inline)) void fp_record_int(struct cpu *cpu, unsigned op, uint64_t x)
{
	((uint8_t *)cpu->fp_lazy)[2] = (uint8_t)op;
	cpu->fp_lazy[4] = x;
}

/* The scalar result: doubleword 1 becomes 0, as Power ISA 3.1 says and earlier processors did. */
static inline __attribute__((always_inline)) void fp_target(union vreg *t, double r)
{
	t->v2f64 = (v2f64){ 0.0, r };	/* one store, as wide as a vector instruction's load */
}

/* What is rare leaves the handler for its slow twin (dispatch.h), so that the fast one makes no
 * call and keeps no frame. The twin does the host's operation again, to the same effect. */
#define SLOWLY(call) (slowly ? (int)(call) : TRY_SLOWLY)

/* A scalar handler's second half: r is what the host made of the n operands. */
static inline __attribute__((always_inline)) void
fp_record(struct cpu *cpu, unsigned fpo, int n, double x, double y, double z)
{
	if (n > 1) {
		cpu->fp_lazy[0] = fpo;
		*(v2f64 *)&cpu->fp_lazy[1] = (v2f64){ x, y };
	} else {
		fp_record1(cpu, fpo, fp_bits(x));
	}
	if (n > 2)
		cpu->fp_lazy[3] = fp_bits(z);
}

static inline __attribute__((always_inline)) int
fp_done(struct cpu *cpu, const struct op *op, bool slowly, unsigned fpo, int n, double x, double y, double z, double r)
{
	if (!fp_ordinary(cpu, r))
		return SLOWLY(fp_unusual(cpu, op, fpo, fp_bits(x), fp_bits(y), fp_bits(z), r));
	fp_record(cpu, fpo, n, x, y, z);
	fp_target(fp_vsr(cpu, op->a), r);
	return true;
}

/* The same for a double that has yet to become a single. Rounding again is rounding once if
 * the operation is one of + - * / sqrt on single operands (53 >= 2 * 24 + 2), or if the
 * double does not lie half way between two singles; `once` says that the first holds.
 * Directed modes never go wrong; they pay for the same test. */
static inline __attribute__((always_inline)) int
fp_done_single(struct cpu *cpu, const struct op *op, bool slowly, unsigned fpo, int n, double x, double y, double z,
	       double r, bool once)
{
	double s = host_to_double(host_to_single(r));
	unsigned kind = fpo & ~(unsigned)FPO_SINGLE;
	bool negate = kind == FPO_NMADD || kind == FPO_NMSUB;

	if (!fp_ordinary_single(cpu, s) || (!once && unlikely((fp_bits(r) & 0x1fffffff) == 0x10000000)))
		return SLOWLY(fp_unusual(cpu, op, fpo, fp_bits(x), fp_bits(y), fp_bits(z), negate ? -r : r));
	fp_record(cpu, fpo, n, x, y, z);
	fp_target(fp_vsr(cpu, op->a), negate ? -s : s);
	return true;
}

/* The double has no more than a single's significant bits. */
static inline __attribute__((always_inline)) bool fp_narrow(uint64_t bits)
{
	return likely(!(bits & 0x1fffffff));
}

/* Handler bodies. fpo is the operation, with FPO_SINGLE for single precision. */
static inline __attribute__((always_inline)) int
fp_binary(struct cpu *cpu, const struct op *op, bool slowly, unsigned fpo, double x, double y)
{
	double r;

	switch (fpo & ~(unsigned)FPO_SINGLE) {
	case FPO_ADD: r = host_add(x, y); break;
	case FPO_SUB: r = host_sub(x, y); break;
	case FPO_MUL: r = host_mul(x, y); break;
	default: r = host_div(x, y); break;
	}
	if (fpo & FPO_SINGLE)
		return fp_done_single(cpu, op, slowly, fpo, 2, x, y, 0, r, fp_narrow(fp_bits(x) | fp_bits(y)));
	return fp_done(cpu, op, slowly, fpo, 2, x, y, 0, r);
}

static inline __attribute__((always_inline)) int
fp_unary(struct cpu *cpu, const struct op *op, bool slowly, unsigned fpo, double x)
{
	double r, root;
	bool once = fp_narrow(fp_bits(x)), estimate = fpo == (FPO_RE | FPO_SINGLE) || fpo == (FPO_RSQRTE | FPO_SINGLE);

	/* What counts as an infinity has an exact reciprocal, and the host is not to call it inexact. */
	if (estimate && unlikely(fp_bits(x) << 1 >= FP_SINGLE_END << 1))
		return SLOWLY(fp_scalar(cpu, op, fpo, fp_bits(x), 0, 0));
	switch (fpo & ~(unsigned)FPO_SINGLE) {
	case FPO_SQRT: r = host_sqrt(x); break;
	case FPO_RE: r = host_div(1, x); break;
	case FPO_RSQRTE:
		root = host_sqrt(x);
		once = fp_narrow(fp_bits(root));
		r = host_div(1, root);
		break;
	default: r = x; once = true; break;
	}
	if (fpo & FPO_SINGLE)
		return fp_done_single(cpu, op, slowly, fpo, 1, x, 0, 0, r, once);
	return fp_done(cpu, op, slowly, fpo, 1, x, 0, 0, r);
}

/* x * y + z and its kin: only where the host has HOST_FMA (host.h). */
static inline __attribute__((always_inline)) int
fp_fused(struct cpu *cpu, const struct op *op, bool slowly, unsigned fpo, double x, double y, double z)
{
	unsigned kind = fpo & ~(unsigned)FPO_SINGLE;
	double r;

	r = kind == FPO_MADD || kind == FPO_NMADD ? host_madd(x, y, z) : host_msub(x, y, z);
	if (fpo & FPO_SINGLE)
		return fp_done_single(cpu, op, slowly, fpo, 3, x, y, z, r, false);
	return fp_done(cpu, op, slowly, fpo, 3, x, y, z, kind == FPO_NMADD || kind == FPO_NMSUB ? -r : r);
}

/* Integers in doubles and back. Conversion from an integer has no unusual result. */
static inline __attribute__((always_inline)) int
fp_from_integer(struct cpu *cpu, const struct op *op, bool slowly, unsigned fpo, uint64_t v)
{
	double r;

	/* Within 2^53 the double is exact, so the single is rounded once. */
	if (unlikely(cpu->fp_strict || ((fpo & ~(unsigned)FPO_SINGLE) == FPO_FROM_U64 && v >> 63) ||
		     (fpo & FPO_SINGLE && v + (UINT64_C(1) << 53) > UINT64_C(1) << 54)))
		return SLOWLY(fp_scalar(cpu, op, fpo, v, 0, 0));
	r = host_from_s64((int64_t)v);
	fp_record1(cpu, fpo, v);
	fp_target(fp_vsr(cpu, op->a), fpo & FPO_SINGLE ? host_to_double(host_to_single(r)) : r);
	return true;
}

/* True if the host converts x as fpo wants it, whatever the rounding: well inside the range,
 * so that an inexact flag is never left by a conversion that turns out to be invalid. */
static inline __attribute__((always_inline)) bool fp_integer_fits(const struct cpu *cpu, unsigned fpo, double x)
{
	double low = 0, high = 0x1p63;

	switch (fpo) {
	case FPO_TO_S32: case FPO_TO_S32_ZERO: low = -2147483647.0; high = 2147483647.0; break;
	case FPO_TO_U32: case FPO_TO_U32_ZERO: high = 4294967295.0; break;
	case FPO_TO_S64: case FPO_TO_S64_ZERO: low = -0x1p62; high = 0x1p62; break;
	}
	return likely(!cpu->fp_strict && x >= low && x < high);
}

static inline __attribute__((always_inline)) int64_t fp_host_integer(struct cpu *cpu, unsigned fpo, double x)
{
	fp_record_int(cpu, fpo, fp_bits(x));
	return fpo >= FPO_TO_S32_ZERO ? host_to_s64_zero(x) : host_to_s64(x);
}

/* To an integral value, by the current mode and reporting inexact. Adding 2^52 of the same
 * sign leaves no place for a fraction; everything else takes the exact path. */
static inline __attribute__((always_inline)) int
fp_rint_current(struct cpu *cpu, const struct op *op, bool slowly, double x)
{
	uint64_t sign = fp_bits(x) & PPC_BIT(0);
	double big = fp_double(sign | fp_bits(0x1p52));
	double r;

	if (unlikely(cpu->fp_strict || !(x > -0x1p52 && x < 0x1p52)))
		return SLOWLY(fp_scalar(cpu, op, FPO_RINTX, fp_bits(x), 0, 0));
	r = host_sub(host_add(x, big), big);
	fp_record1(cpu, FPO_RINTX, fp_bits(x));
	fp_target(fp_vsr(cpu, op->a), fp_double((fp_bits(r) & ~PPC_BIT(0)) | sign));
	return true;
}

/* To an integral value by a mode of the instruction's own: exact by definition (FI, FR, XX do
 * not change or are 0), so it is bits all the way, and only FPRF of the result matters. */
static inline __attribute__((always_inline)) int
fp_rint(struct cpu *cpu, const struct op *op, bool slowly, enum fp_round mode, uint64_t x)
{
	unsigned exp = x >> 52 & 0x7ff;
	uint64_t sign = x & PPC_BIT(0), magnitude = x & ~PPC_BIT(0), one = UINT64_C(1023) << 52, below;
	bool away = mode == FP_UP ? !sign : mode == FP_DOWN ? sign != 0 : false;

	if (unlikely(exp == 0x7ff))
		return SLOWLY(fp_rint_special(cpu, op, x));
	if (exp < 1023) {
		if (mode == FP_AWAY)
			away = exp == 1022;
		magnitude = away && magnitude ? one : 0;
	} else if (exp < 1075) {
		below = (UINT64_C(1) << (1075 - exp)) - 1;
		magnitude += mode == FP_AWAY ? (below + 1) >> 1 : away ? below : 0;
		magnitude &= ~below;
	}
	fp_record1(cpu, FPO_ROUND, sign | magnitude);
	fp_target(fp_vsr(cpu, op->a), fp_double(sign | magnitude));
	return true;
}

/* ---- Formats of loads and stores: bit operations, no exceptions. Book I, 4.6.2, 4.6.3 ---- */

static inline uint64_t fp_load_single(uint32_t v)
{
	uint64_t sign = (uint64_t)(v >> 31) << 63;
	uint32_t exp = v >> 23 & 0xff, frac = v & 0x7fffff;

	if (likely(exp - 1 < 0xfe))
		return sign | (((uint64_t)(v & 0x7fffffff) << 29) + (UINT64_C(896) << 52));
	if (exp)
		return sign | UINT64_C(0x7ff) << 52 | (uint64_t)frac << 29;
	if (!frac)
		return sign;
	int shift = __builtin_clz(frac) - 8;	/* 1..23: to bring the leading one to bit 23 */
	return sign | (uint64_t)(897 - shift) << 52 | ((uint64_t)frac << (29 + shift) & ~(UINT64_C(1) << 52));
}

static inline uint32_t fp_store_single(uint64_t v)
{
	unsigned exp = v >> 52 & 0x7ff;
	uint32_t sign = (uint32_t)(v >> 32) & 0x80000000u;

	if (likely(exp > 896))
		return (uint32_t)(v >> 32 & 0xc0000000u) | (uint32_t)(v >> 29 & 0x3fffffffu);
	if (exp < 874)		/* zero; below that the manual leaves it undefined */
		return sign;
	return sign | (uint32_t)((UINT64_C(1) << 52 | (v & PPC_MASK(12, 63))) >> (926 - exp));
}

#endif

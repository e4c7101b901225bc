/* Binary floating-point arithmetic in integers, exact in result and exceptions.
 *
 * The path for whatever the host's unit would not do as a PowerPC does: NaNs, infinities,
 * over- and underflow, enabled exceptions; and the source of FPRF, FR and FI when they are
 * read. It uses no host floating point, so the host's sticky flags stay the guest's.
 * An operation unpacks its operands to struct fp_num, computes with at least 126 bits and
 * a sticky one below, and leaves rounding and range to fp_round().
 *
 * Source: Power ISA 3.0B, Book I, 4.3 to 4.6, 7.3. Left open there, and chosen here: FR is 0
 * after a disabled overflow; estimates (fre, frsqrte and kin) are quotients rounded like fdiv,
 * with its XX, FI and FR.
 *
 * Where qemu-ppc64le 7.2 differs from the manual, the manual is followed:
 *   all                      FR never set; FX set even if the exception bit was set already
 *   mtfsb1                   does not set FX; ignores NI
 *   fcmpu, fcmpo             clear FI; fcmpo sets C for a NaN, VXVC for a signalling one even if VE
 *   fcfidu, fcfids, fcfidus  leave FPRF
 *   single precision         FPRF calls a single denormal normal
 *   xs*sp, xscv[su]xdsp      round twice, double first (not the multiply-adds)
 *   fnmadd, fnmsub, xsnm*    round after negation: differs in modes 2 and 3
 *   multiply-add             infinity * 0 + signalling NaN: no VXSNAN
 *   fre(s) of zero           1/2, not infinity; xsre*, xsrsqrte* of zero do not set ZX
 *   fres, frsqrtes, xs*esp   2^128 and more is no infinity
 *   xsmaxjdp, xsminjdp       a signalling NaN behind a quiet one raises nothing
 *   xststdcsp                any single denormal matches, whatever DCMX asks
 *   enabled exceptions       xsrsp, fcfid*: target not written; OE, UE: single conversions
 *                            wrap; xsmaxdp, xsmindp scale denormals; VE: xscmpg[te]dp write;
 *                            OE, UE, XE: vectors are written; CR1 is not
 */
#include "cpu/fp/fp.h"

const struct fp_format fp_format16 = { .precision = 11, .emax = 15, .wrap = 24 };
const struct fp_format fp_bfloat16 = { .precision = 8, .emax = 127, .wrap = 192 };
const struct fp_format fp_format32 = { .precision = 24, .emax = 127, .wrap = 192 };
const struct fp_format fp_format64 = { .precision = 53, .emax = 1023, .wrap = 1536 };
const struct fp_format fp_format128 = { .precision = 113, .emax = 16383, .wrap = 24576 };

#define TOP_BIT ((u128)1 << 127)
#define QUIET_BIT ((u128)1 << 126)

/* ---- Formats ---- */

static int leading_zeros(u128 v)
{
	return v >> 64 ? __builtin_clzll((uint64_t)(v >> 64)) : 64 + __builtin_clzll((uint64_t)v);
}

static void normalize_num(struct fp_num *n)
{
	int shift = leading_zeros(n->sig);

	n->sig <<= shift;
	n->exp -= shift;
}

/* bits: sign, exponent, then precision - 1 bits of fraction, right-aligned. */
static struct fp_num unpack(const struct fp_format *f, uint64_t bits)
{
	int width = f->precision - 1, emask = 2 * f->emax + 1;
	int exp = (int)(bits >> width) & emask;
	u128 frac = (u128)(bits & ((UINT64_C(1) << width) - 1)) << (127 - width);
	struct fp_num n = { .kind = FPN_FINITE, .sig = frac };

	n.sign = bits / (((uint64_t)emask + 1) << width) & 1;
	if (exp == emask) {
		n.kind = !frac ? FPN_INF : frac & QUIET_BIT ? FPN_QNAN : FPN_SNAN;
	} else if (exp) {
		n.exp = exp - f->emax;
		n.sig |= TOP_BIT;
	} else if (frac) {
		n.exp = 1 - f->emax;
		normalize_num(&n);
	} else {
		n.kind = FPN_ZERO;
	}
	return n;
}

/* n is zero, infinite, a NaN, or has been through fp_round() of this or a narrower format.
 * A scaled result of a conversion to a narrower format may not fit: its exponent wraps. */
static uint64_t pack_num(const struct fp_format *f, const struct fp_num *n)
{
	int width = f->precision - 1, emask = 2 * f->emax + 1;
	uint64_t bits = n->sign ? ((uint64_t)emask + 1) << width : 0;
	u128 frac = n->sig & ~TOP_BIT;
	int exp = 0;

	switch (n->kind) {
	case FPN_ZERO:
		return bits;
	case FPN_INF:
		return bits | (uint64_t)emask << width;
	case FPN_QNAN:
	case FPN_SNAN:
		frac |= QUIET_BIT;
		exp = emask;
		break;
	case FPN_FINITE:
		exp = n->exp + f->emax;
		if (exp <= 0 && exp > -width) {
			frac = n->sig >> (1 - exp);
			exp = 0;
		}
		break;
	}
	return bits | (uint64_t)(exp & emask) << width | (uint64_t)(frac >> (127 - width));
}

/* ---- Rounding ---- */

struct rounding {
	u128 kept;		/* what is left of the significand, right-aligned */
	bool inexact, up;	/* up: the magnitude was incremented */
};

/* Drops the low `drop` bits, 0 or more, of a non-zero sig. */
static struct rounding round_bits(enum fp_round mode, bool sign, u128 sig, int drop)
{
	struct rounding r = { .kept = sig };
	u128 rest, half;

	if (drop <= 0)
		return r;
	if (drop > 128) {	/* less than half of the last place */
		sig = 1;
		drop = 128;
	}
	r.kept = drop == 128 ? 0 : sig >> drop;
	rest = drop == 128 ? sig : sig & (((u128)1 << drop) - 1);
	half = (u128)1 << (drop - 1);
	r.inexact = rest != 0;
	switch (mode) {
	case FP_NEAREST:
		r.up = rest > half || (rest == half && r.kept & 1);
		break;
	case FP_TO_ZERO:
		break;
	case FP_UP:
		r.up = r.inexact && !sign;
		break;
	case FP_DOWN:
		r.up = r.inexact && sign;
		break;
	case FP_AWAY:
		r.up = rest >= half;
		break;
	case FP_ODD:
		r.up = r.inexact && !(r.kept & 1);
		break;
	}
	r.kept += r.up;
	return r;
}

static void set_rounded(struct fp_status *st, bool inexact, bool up)
{
	st->rounded = (inexact ? FPSCR_FI : 0) | (up ? FPSCR_FR : 0);
	if (inexact)
		st->raised |= FPSCR_XX;
}

/* Disabled overflow: infinity, or the largest number if the mode rounds toward zero here. */
static void round_overflow(struct fp_status *st, const struct fp_format *f, struct fp_num *n)
{
	bool infinite = st->round == FP_NEAREST || st->round == FP_AWAY ||
			(st->round == FP_UP && !n->sign) || (st->round == FP_DOWN && n->sign);

	set_rounded(st, true, false);
	if (infinite) {
		n->kind = FPN_INF;
		return;
	}
	n->exp = f->emax;
	n->sig = ~(u128)0 << (128 - f->precision);
}

void fp_round(struct fp_status *st, const struct fp_format *f, struct fp_num *n)
{
	int emin = 1 - f->emax, drop = 128 - f->precision;
	bool tiny = n->exp < emin;
	bool scale = tiny && st->control & FPSCR_UE;
	struct rounding r;

	if (scale) {
		st->raised |= FPSCR_UX;
	} else if (tiny) {
		drop += emin - n->exp;
	}
	r = round_bits(st->round, n->sign, n->sig, drop);
	set_rounded(st, r.inexact, r.up);
	if (tiny && r.inexact)
		st->raised |= FPSCR_UX;

	if (drop >= 128) {
		/* All that can be left is the last place of the smallest denormal. */
		n->kind = r.kept ? FPN_FINITE : FPN_ZERO;
		n->sig = TOP_BIT;
		n->exp = emin - (f->precision - 1);
	} else if (r.kept >> (128 - drop)) {
		n->sig = TOP_BIT;
		n->exp++;
	} else {
		n->sig = r.kept << drop;
	}

	if (scale) {
		n->exp += f->wrap;
	} else if (n->exp > f->emax) {
		st->raised |= FPSCR_OX;
		if (st->control & FPSCR_OE)
			n->exp -= f->wrap;
		else
			round_overflow(st, f, n);
	}
}

/* ---- Operations. Each returns an unrounded number. ---- */

static struct fp_num invalid(struct fp_status *st, uint64_t cause)
{
	st->raised |= cause;
	return (struct fp_num){ .kind = FPN_QNAN, .sig = QUIET_BIT };
}

static bool is_nan(const struct fp_num *n)
{
	return n->kind == FPN_QNAN || n->kind == FPN_SNAN;
}

/* If one of the operands is a NaN, the first that is one is the result. */
static bool pick_nan(struct fp_status *st, const struct fp_num *const n[], int count, struct fp_num *result)
{
	const struct fp_num *first = NULL;

	for (int i = count - 1; i >= 0; i--) {
		if (is_nan(n[i]))
			first = n[i];
		if (n[i]->kind == FPN_SNAN)
			st->raised |= FPSCR_VXSNAN;
	}
	if (!first)
		return false;
	*result = *first;
	result->kind = FPN_QNAN;
	return true;
}

static u128 shift_right_sticky(u128 v, int shift)
{
	if (shift > 127)
		return v != 0;
	return v >> shift | ((v & (((u128)1 << shift) - 1)) != 0);
}

/* Neither is a NaN. */
static struct fp_num add_numbers(struct fp_status *st, struct fp_num a, struct fp_num b)
{
	struct fp_num r;

	if (a.kind == FPN_INF) {
		if (b.kind == FPN_INF && a.sign != b.sign)
			return invalid(st, FPSCR_VXISI);
		return a;
	}
	if (b.kind == FPN_INF)
		return b;
	if (a.kind == FPN_ZERO && b.kind == FPN_ZERO) {
		a.sign = a.sign == b.sign ? a.sign : st->round == FP_DOWN;
		return a;
	}
	if (b.kind == FPN_ZERO)
		return a;
	if (a.kind == FPN_ZERO)
		return b;

	if (a.exp < b.exp || (a.exp == b.exp && a.sig < b.sig)) {
		r = a;
		a = b;
		b = r;
	}
	r = a;
	r.exp = a.exp + 1;
	a.sig = shift_right_sticky(a.sig, 1);
	b.sig = shift_right_sticky(b.sig, a.exp - b.exp < 128 ? a.exp - b.exp + 1 : 128);
	r.sig = a.sign == b.sign ? a.sig + b.sig : a.sig - b.sig;
	if (!r.sig)
		return (struct fp_num){ .kind = FPN_ZERO, .sign = st->round == FP_DOWN };
	normalize_num(&r);
	return r;
}

/* Neither is a NaN; significands of at most 64 bits, so that the product is exact. */
static struct fp_num multiply(struct fp_status *st, struct fp_num a, struct fp_num b)
{
	struct fp_num r = { .kind = FPN_FINITE, .sign = a.sign != b.sign };

	if (a.kind == FPN_INF || b.kind == FPN_INF) {
		if (a.kind == FPN_ZERO || b.kind == FPN_ZERO)
			return invalid(st, FPSCR_VXIMZ);
		r.kind = FPN_INF;
	} else if (a.kind == FPN_ZERO || b.kind == FPN_ZERO) {
		r.kind = FPN_ZERO;
	} else {
		r.exp = a.exp + b.exp + 1;
		r.sig = (u128)(uint64_t)(a.sig >> 64) * (uint64_t)(b.sig >> 64);
		normalize_num(&r);
	}
	return r;
}

static struct fp_num divide(struct fp_status *st, struct fp_num a, struct fp_num b)
{
	struct fp_num r = { .kind = FPN_FINITE, .sign = a.sign != b.sign };
	u128 dividend;
	uint64_t divisor;

	if (a.kind == FPN_INF) {
		if (b.kind == FPN_INF)
			return invalid(st, FPSCR_VXIDI);
		r.kind = FPN_INF;
	} else if (b.kind == FPN_INF) {
		r.kind = FPN_ZERO;
	} else if (b.kind == FPN_ZERO) {
		if (a.kind == FPN_ZERO)
			return invalid(st, FPSCR_VXZDZ);
		st->raised |= FPSCR_ZX;
		r.kind = FPN_INF;
	} else if (a.kind == FPN_ZERO) {
		r.kind = FPN_ZERO;
	} else {
		/* The quotient has 62 or 63 bits. */
		dividend = (u128)(uint64_t)(a.sig >> 64) << 62;
		divisor = (uint64_t)(b.sig >> 64);
		r.exp = a.exp - b.exp + 1;
		r.sig = (dividend / divisor) << 64 | (dividend % divisor != 0);
		normalize_num(&r);
	}
	return r;
}

static struct fp_num square_root(struct fp_status *st, struct fp_num a)
{
	uint64_t rest, root = 0;

	if (a.kind == FPN_ZERO)
		return a;
	if (a.sign)
		return invalid(st, FPSCR_VXSQRT);
	if (a.kind == FPN_INF)
		return a;

	/* Digit by digit, two bits of the radicand for each of 58 bits of the root. The radicand
	 * is 1.x or 1x.x with its point after bit 126 or 125; rest < 2 * root + 1 < 2^60. */
	if (!(a.exp & 1))
		a.sig >>= 1;
	a.exp = (a.exp - (a.exp & 1)) / 2;
	rest = 0;
	for (int i = 0; i < 58; i++) {
		rest = rest << 2 | (uint64_t)(a.sig >> 126);
		a.sig <<= 2;
		root <<= 1;
		if (rest >= (root << 1 | 1)) {
			rest -= root << 1 | 1;
			root |= 1;
		}
	}
	a.sig = (u128)root << 70 | (rest != 0 || a.sig != 0);
	return a;
}

/* x * y + z, sign of z and of the result inverted on demand. */
static struct fp_num multiply_add(struct fp_status *st, const struct fp_num *x, const struct fp_num *y,
				  const struct fp_num *z, bool subtract, bool negate)
{
	struct fp_num r, addend = *z;

	/* Infinity times zero is invalid even if the addend is a NaN, which then is the result. */
	if (!is_nan(x) && !is_nan(y)) {
		r = multiply(st, *x, *y);
		if (is_nan(&r) && !is_nan(z))
			return r;
	}
	if (pick_nan(st, (const struct fp_num *const[]){ x, z, y }, 3, &r))
		return r;
	addend.sign ^= subtract;
	r = add_numbers(st, r, addend);
	if (!is_nan(&r))
		r.sign ^= negate;
	return r;
}

static struct fp_num compute(struct fp_status *st, unsigned op, const struct fp_num *x,
			     const struct fp_num *y, const struct fp_num *z)
{
	struct fp_num r, negative;

	switch (op) {
	case FPO_ADD:
	case FPO_SUB:
		if (pick_nan(st, (const struct fp_num *const[]){ x, y }, 2, &r))
			return r;
		negative = *y;
		negative.sign ^= op == FPO_SUB;
		return add_numbers(st, *x, negative);
	case FPO_MUL:
		if (pick_nan(st, (const struct fp_num *const[]){ x, y }, 2, &r))
			return r;
		return multiply(st, *x, *y);
	case FPO_DIV:
		if (pick_nan(st, (const struct fp_num *const[]){ x, y }, 2, &r))
			return r;
		return divide(st, *x, *y);
	case FPO_SQRT:
		if (pick_nan(st, &x, 1, &r))
			return r;
		return square_root(st, *x);
	case FPO_ROUND:
		r = *x;
		pick_nan(st, &x, 1, &r);
		return r;
	default:
		return multiply_add(st, x, y, z, op == FPO_MSUB || op == FPO_NMSUB, op == FPO_NMADD || op == FPO_NMSUB);
	}
}

static const struct fp_num one = { .kind = FPN_FINITE, .sig = TOP_BIT };

/* Rounding happens before negation, so directed modes see the sign of the sum. */
static void round_result(struct fp_status *st, const struct fp_format *f, unsigned op, struct fp_num *n)
{
	bool negate = op == FPO_NMADD || op == FPO_NMSUB;

	st->rounded = 0;
	if (n->kind != FPN_FINITE)
		return;
	n->sign ^= negate;
	fp_round(st, f, n);
	n->sign ^= negate;
}

/* Any operation with a floating-point operand and result. */
static struct fp_num arithmetic(struct fp_status *st, const struct fp_format *f, unsigned op,
				const struct fp_num *x, const struct fp_num *y, const struct fp_num *z,
				const struct fp_format *inner)
{
	struct fp_num r;
	uint64_t rounded = 0;

	switch (op) {
	case FPO_RE:
		r = compute(st, FPO_DIV, &one, x, z);
		break;
	case FPO_RSQRTE:
		/* The estimate is the reciprocal of the rounded root. */
		r = compute(st, FPO_SQRT, x, y, z);
		round_result(st, inner, FPO_SQRT, &r);
		rounded = st->rounded & FPSCR_FI;
		if (!is_nan(&r))
			r = compute(st, FPO_DIV, &one, &r, z);
		break;
	default:
		r = compute(st, op, x, y, z);
	}
	round_result(st, f, op, &r);
	st->rounded |= rounded;
	return r;
}

/* ---- Integers ---- */

static struct fp_num from_integer(bool sign, uint64_t magnitude)
{
	struct fp_num n = { .kind = FPN_ZERO, .sign = sign };

	if (magnitude) {
		n.kind = FPN_FINITE;
		n.exp = 63;
		n.sig = (u128)magnitude << 64;
		normalize_num(&n);
	}
	return n;
}

static struct fp_num from_s64(uint64_t v)
{
	bool sign = v >> 63;

	return from_integer(sign, sign ? -v : v);
}

static uint64_t to_integer(struct fp_status *st, const struct fp_num *n, unsigned bits, bool is_signed, enum fp_round mode)
{
	uint64_t most = ~UINT64_C(0) >> (64 - bits), least = 0;
	uint64_t limit, result;
	struct rounding r = { 0 };

	if (is_signed) {
		most >>= 1;
		least = ~most;
	}
	limit = n->sign ? -least : most;	/* magnitude; -least is 0 or 2^(bits - 1) */
	result = n->sign ? least : most;
	st->rounded = 0;
	switch (n->kind) {
	case FPN_SNAN:
		st->raised |= FPSCR_VXSNAN;
		/* fall through */
	case FPN_QNAN:
		result = least;
		/* fall through */
	case FPN_INF:
		goto out_of_range;
	case FPN_ZERO:
		return 0;
	case FPN_FINITE:
		break;
	}
	if (n->exp > 64)
		goto out_of_range;
	r = round_bits(mode, n->sign, n->sig, 127 - n->exp);
	if (r.kept > limit)
		goto out_of_range;
	set_rounded(st, r.inexact, r.up);
	result = n->sign ? -(uint64_t)r.kept : (uint64_t)r.kept;
	return bits == 32 ? (uint32_t)result : result;

out_of_range:
	st->raised |= FPSCR_VXCVI;
	return bits == 32 ? (uint32_t)result : result;
}

/* FPO_TO_*. */
static uint64_t convert_to_integer(struct fp_status *st, unsigned op, const struct fp_num *n)
{
	bool to_zero = op >= FPO_TO_S32_ZERO;
	unsigned kind = op - (to_zero ? FPO_TO_S32_ZERO : FPO_TO_S32);	/* S32, U32, S64, U64 */

	return to_integer(st, n, kind & 2 ? 64 : 32, !(kind & 1), to_zero ? FP_TO_ZERO : st->round);
}

static struct fp_num round_to_integral(struct fp_status *st, const struct fp_format *f, struct fp_num n, bool report)
{
	int drop = 127 - n.exp;
	struct rounding r;

	st->rounded = 0;
	if (is_nan(&n)) {
		if (n.kind == FPN_SNAN)
			st->raised |= FPSCR_VXSNAN;
		n.kind = FPN_QNAN;
		return n;
	}
	if (n.kind != FPN_FINITE || n.exp >= f->precision - 1)
		return n;
	r = round_bits(st->round, n.sign, n.sig, drop);
	if (report)
		set_rounded(st, r.inexact, r.up);
	if (!r.kept) {
		n.kind = FPN_ZERO;
		return n;
	}
	n.exp = 127;
	n.sig = r.kept;
	normalize_num(&n);
	return n;
}

/* ---- Entries ---- */

static struct fp_num operate(struct fp_status *st, const struct fp_format *f, const struct fp_format *inner, unsigned op,
			     const struct fp_num *x, const struct fp_num *y, const struct fp_num *z)
{
	if (op == FPO_RINT || op == FPO_RINTX)
		return round_to_integral(st, f, *x, op == FPO_RINTX);
	return arithmetic(st, f, op, x, y, z, inner);
}

uint64_t fp64_op(struct fp_status *st, unsigned op, uint64_t x, uint64_t y, uint64_t z)
{
	const struct fp_format *f = op & FPO_SINGLE ? &fp_format32 : &fp_format64;
	unsigned kind = op & ~(unsigned)FPO_SINGLE;
	struct fp_num a, b, c, r;

	if (kind == FPO_FROM_S64 || kind == FPO_FROM_U64) {
		r = kind == FPO_FROM_S64 ? from_s64(x) : from_integer(false, x);
		round_result(st, f, kind, &r);
		return pack_num(&fp_format64, &r);
	}
	a = unpack(&fp_format64, x);
	if (kind >= FPO_TO_S32)
		return convert_to_integer(st, kind, &a);
	b = unpack(&fp_format64, y);
	c = unpack(&fp_format64, z);
	if (op & FPO_SINGLE && (kind == FPO_RE || kind == FPO_RSQRTE) && a.kind == FPN_FINITE && a.exp > fp_format32.emax)
		a.kind = FPN_INF;	/* Book I, 4.3.5.1 */
	r = operate(st, f, &fp_format64, kind, &a, &b, &c);
	if (is_nan(&r) && op & FPO_SINGLE)
		r.sig &= ~(u128)0 << (128 - fp_format32.precision);
	return pack_num(&fp_format64, &r);
}

uint64_t fp32_op(struct fp_status *st, unsigned op, uint32_t x, uint32_t y, uint32_t z)
{
	struct fp_num a, b, c, r;

	a = unpack(&fp_format32, x);
	if (op >= FPO_TO_S32)
		return convert_to_integer(st, op, &a);
	b = unpack(&fp_format32, y);
	c = unpack(&fp_format32, z);
	r = operate(st, &fp_format32, &fp_format32, op, &a, &b, &c);
	return pack_num(&fp_format32, &r);
}

static uint64_t convert_format(struct fp_status *st, const struct fp_format *from, const struct fp_format *to, uint64_t x)
{
	struct fp_num n = unpack(from, x), r;

	r = compute(st, FPO_ROUND, &n, &n, &n);
	round_result(st, to, FPO_ROUND, &r);
	return pack_num(to, &r);
}

uint64_t fp32_to_fp64(struct fp_status *st, uint32_t x)
{
	return convert_format(st, &fp_format32, &fp_format64, x);
}

uint32_t fp64_to_fp32(struct fp_status *st, uint64_t x)
{
	return (uint32_t)convert_format(st, &fp_format64, &fp_format32, x);
}

uint64_t fp16_to_fp64(struct fp_status *st, uint16_t x)
{
	return convert_format(st, &fp_format16, &fp_format64, x);
}

uint32_t fp16_to_fp32(struct fp_status *st, uint16_t x)
{
	return (uint32_t)convert_format(st, &fp_format16, &fp_format32, x);
}

uint16_t fp64_to_fp16(struct fp_status *st, uint64_t x)
{
	return (uint16_t)convert_format(st, &fp_format64, &fp_format16, x);
}

uint16_t fp32_to_fp16(struct fp_status *st, uint32_t x)
{
	return (uint16_t)convert_format(st, &fp_format32, &fp_format16, x);
}

uint16_t fp32_to_bf16(struct fp_status *st, uint32_t x)
{
	return (uint16_t)convert_format(st, &fp_format32, &fp_bfloat16, x);
}

uint32_t fp_s64_to_fp32(struct fp_status *st, int64_t x)
{
	struct fp_num n = from_s64((uint64_t)x);

	round_result(st, &fp_format32, FPO_FROM_S64, &n);
	return (uint32_t)pack_num(&fp_format32, &n);
}

uint32_t fp_u64_to_fp32(struct fp_status *st, uint64_t x)
{
	struct fp_num n = from_integer(false, x);

	round_result(st, &fp_format32, FPO_FROM_U64, &n);
	return (uint32_t)pack_num(&fp_format32, &n);
}

/* ---- Sums of two products ---- */

static const struct fp_format wide_single = { .precision = 24, .emax = 1 << 20 };

static void negate_num(struct fp_num *n, bool negate)
{
	if (!is_nan(n))
		n->sign ^= negate;
}

uint32_t fp_ger2(struct fp_status *st, const struct fp_format *from, enum fp_ger how, const uint16_t x[2], const uint16_t y[2],
		 uint32_t acc)
{
	struct fp_num a[2], b[2], c = unpack(&fp_format32, acc), r;

	for (int k = 0; k < 2; k++) {
		a[k] = unpack(from, x[k]);
		b[k] = unpack(from, y[k]);
	}
	r = compute(st, FPO_MUL, &a[0], &b[0], &b[0]);
	r = multiply_add(st, &a[1], &b[1], &r, false, false);
	round_result(st, from == &fp_bfloat16 ? &wide_single : &fp_format32, FPO_MADD, &r);
	if (how != FP_GER) {
		negate_num(&r, how & 2);
		negate_num(&c, how & 4);
		r = compute(st, FPO_ADD, &r, &c, &c);
	}
	round_result(st, &fp_format32, FPO_ADD, &r);
	return (uint32_t)pack_num(&fp_format32, &r);
}

/* ---- Comparison and classes ---- */

static bool is_nan64(uint64_t x)
{
	return (x & ~PPC_BIT(0)) > PPC_MASK(1, 11);
}

static bool is_snan64(uint64_t x)
{
	return is_nan64(x) && !(x & PPC_BIT(12));
}

unsigned fp64_compare(struct fp_status *st, uint64_t x, uint64_t y, bool ordered)
{
	int64_t a, b;

	if (is_nan64(x) || is_nan64(y)) {
		if (is_snan64(x) || is_snan64(y)) {
			st->raised |= FPSCR_VXSNAN;
			ordered = ordered && !(st->control & FPSCR_VE);
		}
		if (ordered)
			st->raised |= FPSCR_VXVC;
		return 1;
	}
	/* Magnitudes with the sign applied; both zeros become 0. */
	a = (int64_t)(x & ~PPC_BIT(0));
	b = (int64_t)(y & ~PPC_BIT(0));
	a = x >> 63 ? -a : a;
	b = y >> 63 ? -b : b;
	return a < b ? 8 : a > b ? 4 : 2;
}

unsigned fp32_compare(struct fp_status *st, uint32_t x, uint32_t y, bool ordered)
{
	return fp64_compare(st, fp_load_single(x), fp_load_single(y), ordered);
}

unsigned fp64_class(uint64_t x)
{
	bool sign = x >> 63;
	uint64_t magnitude = x & ~PPC_BIT(0);

	if (magnitude > PPC_MASK(1, 11))
		return FPRF_QNAN;
	if (magnitude == PPC_MASK(1, 11))
		return sign ? FPRF_NEG_INF : FPRF_INF;
	if (!magnitude)
		return sign ? FPRF_NEG_ZERO : FPRF_ZERO;
	if (magnitude < PPC_BIT(11))
		return sign ? FPRF_NEG_DENORMAL : FPRF_DENORMAL;
	return sign ? FPRF_NEG_NORMAL : FPRF_NORMAL;
}

unsigned fp64_class_single(uint64_t x)
{
	unsigned exp = x >> 52 & 0x7ff;

	if (exp && exp < 897)
		return x >> 63 ? FPRF_NEG_DENORMAL : FPRF_DENORMAL;
	return fp64_class(x);
}

unsigned fp32_class(uint32_t x)
{
	return fp64_class_single(fp_load_single(x));
}

unsigned fp16_class(uint16_t x)
{
	unsigned exp = x >> 10 & 0x1f;
	uint64_t sign = (uint64_t)(x >> 15) << 63, frac = (uint64_t)(x & 0x3ff) << 42;

	/* The double of the same kind: only zero, denormal, normal and so on matter. */
	return fp64_class(sign | (uint64_t)(exp == 31 ? 0x7ff : exp) << 52 | frac);
}

/* ---- Software division and square root tests. Book I, 4.6.6.1 ---- */

#define TEST_FL 8	/* always */
#define TEST_FG 4
#define TEST_FE 2

static bool is_inf_or_zero(unsigned class)
{
	return class == FPRF_INF || class == FPRF_NEG_INF || class == FPRF_ZERO || class == FPRF_NEG_ZERO;
}

static bool is_denormal(unsigned class)
{
	return class == FPRF_DENORMAL || class == FPRF_NEG_DENORMAL;
}

static int exponent64(uint64_t x)
{
	return (int)(x >> 52 & 0x7ff) - 1023;
}

unsigned fp64_test_divide(uint64_t x, uint64_t y)
{
	unsigned a = fp64_class(x), b = fp64_class(y);
	int ea = exponent64(x), eb = exponent64(y);
	bool zero = a == FPRF_ZERO || a == FPRF_NEG_ZERO;
	bool fe = a == FPRF_QNAN || b == FPRF_QNAN || eb <= -1022 || eb >= 1021 ||
		  (!zero && (ea - eb >= 1023 || ea - eb <= -1021 || ea <= -970));

	if (a == FPRF_INF || a == FPRF_NEG_INF || is_inf_or_zero(b))
		return TEST_FL | TEST_FG | TEST_FE;
	return TEST_FL | (is_denormal(b) ? TEST_FG : 0) | (fe ? TEST_FE : 0);
}

unsigned fp64_test_sqrt(uint64_t x)
{
	unsigned class = fp64_class(x);

	if (is_inf_or_zero(class))
		return TEST_FL | TEST_FG | TEST_FE;
	return TEST_FL | (is_denormal(class) ? TEST_FG : 0) |
	       (class == FPRF_QNAN || x >> 63 || exponent64(x) <= -970 ? TEST_FE : 0);
}

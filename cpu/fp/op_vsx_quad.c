/* VSX scalar quad precision: xs*qp, in integers.
 *
 * An operand is unpacked to struct fp_num (fp.h), whose 128-bit significand holds all 113 bits
 * and leaves 15 below; sums and products are formed in 256 bits and cut to 128 with a sticky
 * bit; fp_round() does the rest. The forms that round to odd are rows of their own.
 *
 * Source: Power ISA 3.0B, Book I, 7.6.3.
 */
#include "cpu/engine/operands.h"
#include "cpu/fp/fp.h"

#define TOP_BIT   ((u128)1 << 127)
#define QUIET_BIT ((u128)1 << 126)	/* of a NaN's fraction in struct fp_num */

/* Fields of the format: sign, 15 bits of exponent, 112 of fraction. */
#define FRACTION 112
#define EXP_MAX  0x7fff
#define BIAS     16383
#define SIGN     TOP_BIT
#define FRACTION_MASK (((u128)1 << FRACTION) - 1)
#define INFINITE ((u128)EXP_MAX << FRACTION)

static inline unsigned exponent_field(u128 x) { return (unsigned)(x >> FRACTION) & EXP_MAX; }

static int leading_zeros(u128 v)
{
	return v >> 64 ? __builtin_clzll((uint64_t)(v >> 64)) : 64 + __builtin_clzll((uint64_t)v);
}

static u128 shift_right_sticky(u128 v, int n)
{
	if (n > 127)
		return v != 0;
	return v >> n | ((v & (((u128)1 << n) - 1)) != 0);
}

static void normalize_num(struct fp_num *n)
{
	int shift = leading_zeros(n->sig);

	n->sig <<= shift;
	n->exp -= shift;
}

/* ---- In and out of the formats ---- */

static struct fp_num unpack(u128 x)
{
	struct fp_num n = { .kind = FPN_FINITE, .sign = x >> 127, .sig = (x & FRACTION_MASK) << 15 };
	int exp = (int)exponent_field(x);

	if (exp == EXP_MAX) {
		n.kind = !n.sig ? FPN_INF : n.sig & QUIET_BIT ? FPN_QNAN : FPN_SNAN;
	} else if (exp) {
		n.exp = exp - BIAS;
		n.sig |= TOP_BIT;
	} else if (n.sig) {
		n.exp = 1 - BIAS;
		normalize_num(&n);
	} else {
		n.kind = FPN_ZERO;
	}
	return n;
}

static struct fp_num unpack_double(uint64_t x)
{
	struct fp_num n = { .kind = FPN_FINITE, .sign = x >> 63, .sig = (u128)(x & PPC_MASK(12, 63)) << 75 };
	int exp = (int)(x >> 52) & 0x7ff;

	if (exp == 0x7ff) {
		n.kind = !n.sig ? FPN_INF : n.sig & QUIET_BIT ? FPN_QNAN : FPN_SNAN;
	} else if (exp) {
		n.exp = exp - 1023;
		n.sig |= TOP_BIT;
	} else if (n.sig) {
		n.exp = -1022;
		normalize_num(&n);
	} else {
		n.kind = FPN_ZERO;
	}
	return n;
}

/* The magnitude, right-aligned: exponent field, then f->precision - 1 bits. A finite n has been
 * through fp_round(); the exponent of a trapped result that does not fit the format wraps. */
static u128 pack_magnitude(const struct fp_format *f, const struct fp_num *n)
{
	int width = f->precision - 1, exp = n->exp + f->emax, exp_max = 2 * f->emax + 1;
	u128 fraction = n->sig & ~TOP_BIT;

	switch (n->kind) {
	case FPN_ZERO:
		return 0;
	case FPN_INF:
		return (u128)exp_max << width;
	case FPN_QNAN:
	case FPN_SNAN:
		fraction |= QUIET_BIT;
		exp = exp_max;
		break;
	case FPN_FINITE:
		if (exp <= 0 && exp > -width) {
			fraction = n->sig >> (1 - exp);
			exp = 0;
		}
		break;
	}
	return (u128)(exp & exp_max) << width | fraction >> (127 - width);
}

static u128 pack_num(const struct fp_num *n)
{
	return pack_magnitude(&fp_format128, n) | (n->sign ? SIGN : 0);
}

/* FPRF of a quad value. */
static unsigned class(u128 x)
{
	bool sign = x >> 127;
	u128 m = x & ~SIGN;

	if (m > INFINITE)
		return FPRF_QNAN;
	if (m == INFINITE)
		return sign ? FPRF_NEG_INF : FPRF_INF;
	if (!m)
		return sign ? FPRF_NEG_ZERO : FPRF_ZERO;
	if (m <= FRACTION_MASK)
		return sign ? FPRF_NEG_DENORMAL : FPRF_DENORMAL;
	return sign ? FPRF_NEG_NORMAL : FPRF_NORMAL;
}

/* ---- Ends ---- */

/* FPSCR, target unless suppressed, interrupt. */
static bool finish_quad(struct cpu *cpu, const struct op *op, const struct fp_status *st, u128 result, unsigned fprf)
{
	if (!fp_suppressed(st)) {
		fp_set_status(cpu, fprf, st->rounded);
		XT.q = result;
	} else {
		fpscr_get(cpu);		/* FPRF stays */
		cpu->fpscr &= ~(FPSCR_FR | FPSCR_FI);
	}
	fp_raise(cpu, st->raised);
	return fp_trap(cpu, op);
}

/* The same after rounding n to quad format. */
static bool finish_round(struct cpu *cpu, const struct op *op, struct fp_status *st, struct fp_num *n)
{
	u128 result;

	if (n->kind == FPN_FINITE)
		fp_round(st, &fp_format128, n);
	result = pack_num(n);
	return finish_quad(cpu, op, st, result, class(result));
}

/* ---- Arithmetic on unpacked numbers ---- */

static bool is_nan(const struct fp_num *n)
{
	return n->kind == FPN_QNAN || n->kind == FPN_SNAN;
}

static struct fp_num invalid(struct fp_status *st, uint64_t cause)
{
	st->raised |= cause;
	return (struct fp_num){ .kind = FPN_QNAN, .sig = QUIET_BIT };
}

/* The first NaN of up to three is the result; any signalling one raises VXSNAN. */
static bool pick_nan(struct fp_status *st, const struct fp_num *const n[], int count, struct fp_num *result)
{
	bool found = false;

	for (int i = 0; i < count; i++) {
		if (n[i]->kind == FPN_SNAN)
			st->raised |= FPSCR_VXSNAN;
		if (is_nan(n[i]) && !found) {
			found = true;
			*result = *n[i];
			result->kind = FPN_QNAN;
		}
	}
	return found;
}

/* A number whose significand goes on in `low`; sig's top bit is set. */
struct wide {
	struct fp_num n;
	u128 low;
};

static void wide_shift_right_sticky(struct wide *w, int n)
{
	if (n == 0)
		return;
	if (n >= 128) {
		w->low = shift_right_sticky(w->n.sig, n - 128) | (w->low != 0);
		w->n.sig = 0;
	} else {
		u128 out = w->low << (128 - n);

		w->low = w->low >> n | w->n.sig << (128 - n) | (out != 0);
		w->n.sig >>= n;
	}
}

/* Both operands finite and non-zero. */
static struct fp_num wide_add(const struct fp_status *st, struct wide a, struct wide b)
{
	struct wide t;
	struct fp_num r;
	int shift;

	if (a.n.exp < b.n.exp || (a.n.exp == b.n.exp && (a.n.sig < b.n.sig || (a.n.sig == b.n.sig && a.low < b.low)))) {
		t = a;
		a = b;
		b = t;
	}
	/* One place of room for the carry. */
	wide_shift_right_sticky(&b, a.n.exp - b.n.exp + 1);
	wide_shift_right_sticky(&a, 1);
	a.n.exp++;
	r = a.n;
	if (a.n.sign == b.n.sign) {
		t.low = a.low + b.low;
		r.sig = a.n.sig + b.n.sig + (t.low < a.low);
	} else {
		t.low = a.low - b.low;
		r.sig = a.n.sig - b.n.sig - (a.low < b.low);
	}
	if (!r.sig && !t.low)
		return (struct fp_num){ .kind = FPN_ZERO, .sign = st->round == FP_DOWN };
	if (!r.sig) {
		r.sig = t.low;
		r.exp -= 128;
		t.low = 0;
	}
	shift = leading_zeros(r.sig);
	if (shift) {
		r.sig = r.sig << shift | t.low >> (128 - shift);
		t.low <<= shift;
		r.exp -= shift;
	}
	r.sig |= t.low != 0;
	return r;
}

static struct fp_num add_numbers(struct fp_status *st, const struct wide *a, const struct wide *b)
{
	if (a->n.kind == FPN_INF) {
		if (b->n.kind == FPN_INF && a->n.sign != b->n.sign)
			return invalid(st, FPSCR_VXISI);
		return a->n;
	}
	if (b->n.kind == FPN_INF)
		return b->n;
	if (a->n.kind == FPN_ZERO && b->n.kind == FPN_ZERO) {
		struct fp_num zero = a->n;

		zero.sign = a->n.sign == b->n.sign ? a->n.sign : st->round == FP_DOWN;
		return zero;
	}
	if (a->n.kind == FPN_ZERO || b->n.kind == FPN_ZERO) {
		struct fp_num n = a->n.kind == FPN_ZERO ? b->n : a->n;

		n.sig |= (a->n.kind == FPN_ZERO ? b->low : a->low) != 0;
		return n;
	}
	return wide_add(st, *a, *b);
}

static struct wide multiply(struct fp_status *st, const struct fp_num *a, const struct fp_num *b)
{
	struct wide r = { .n = { .kind = FPN_FINITE, .sign = a->sign != b->sign } };
	uint64_t a1 = (uint64_t)(a->sig >> 64), a0 = (uint64_t)a->sig, b1 = (uint64_t)(b->sig >> 64), b0 = (uint64_t)b->sig;
	u128 middle, cross;

	if (a->kind == FPN_INF || b->kind == FPN_INF) {
		if (a->kind == FPN_ZERO || b->kind == FPN_ZERO)
			r.n = invalid(st, FPSCR_VXIMZ);
		else
			r.n.kind = FPN_INF;
		return r;
	}
	if (a->kind == FPN_ZERO || b->kind == FPN_ZERO) {
		r.n.kind = FPN_ZERO;
		return r;
	}
	cross = (u128)a1 * b0;
	middle = ((u128)a0 * b0 >> 64) + (uint64_t)cross + (u128)a0 * b1;
	r.low = middle << 64 | (uint64_t)((u128)a0 * b0);
	r.n.sig = (u128)a1 * b1 + (cross >> 64) + (middle >> 64);
	r.n.exp = a->exp + b->exp + 1;
	if (!(r.n.sig >> 127)) {
		r.n.sig = r.n.sig << 1 | r.low >> 127;
		r.low <<= 1;
		r.n.exp--;
	}
	return r;
}

static struct fp_num divide(struct fp_status *st, const struct fp_num *a, const struct fp_num *b)
{
	struct fp_num r = { .kind = FPN_FINITE, .sign = a->sign != b->sign, .exp = a->exp - b->exp };
	u128 rest = a->sig >> 1, divisor = b->sig >> 1;

	if (a->kind == FPN_INF) {
		if (b->kind == FPN_INF)
			return invalid(st, FPSCR_VXIDI);
		r.kind = FPN_INF;
		return r;
	}
	if (b->kind == FPN_ZERO && a->kind != FPN_ZERO) {
		st->raised |= FPSCR_ZX;
		r.kind = FPN_INF;
		return r;
	}
	if (b->kind == FPN_ZERO)
		return invalid(st, FPSCR_VXZDZ);
	if (a->kind == FPN_ZERO || b->kind == FPN_INF) {
		r.kind = FPN_ZERO;
		return r;
	}
	/* Bit by bit: rest < 2 * divisor < 2^128 throughout. */
	for (int i = 127; i >= 0; i--) {
		if (rest >= divisor) {
			rest -= divisor;
			r.sig |= (u128)1 << i;
		}
		rest <<= 1;
	}
	r.sig |= rest != 0;
	normalize_num(&r);
	return r;
}

static struct fp_num square_root(struct fp_status *st, const struct fp_num *a)
{
	struct fp_num r = *a;
	u128 root = 0, rest = 0, radicand;

	if (a->kind == FPN_ZERO)
		return r;
	if (a->sign)
		return invalid(st, FPSCR_VXSQRT);
	if (a->kind == FPN_INF)
		return r;
	/* The radicand's point is after its second bit, so that the exponent is even. Digit by
	 * digit, 120 of them: rest <= 2 * root < 2^121. */
	radicand = a->exp & 1 ? a->sig : a->sig >> 1;
	for (int i = 0; i < 120; i++) {
		rest = rest << 2 | radicand >> 126;
		radicand <<= 2;
		root <<= 1;
		if (rest > root << 1) {
			rest -= root << 1 | 1;
			root |= 1;
		}
	}
	r.exp = (a->exp - (a->exp & 1)) / 2;
	r.sig = root << 8 | (rest != 0);
	return r;
}

/* ---- Instructions: arithmetic ---- */

enum quad_op { QUAD_ADD, QUAD_SUB, QUAD_MUL, QUAD_DIV };

static __attribute__((noinline)) bool quad(struct cpu *cpu, const struct op *op, enum quad_op what, bool odd)
{
	struct fp_status st = fp_begin(cpu);
	struct wide a = { .n = unpack(XA.q) }, b = { .n = unpack(XB.q) };
	struct fp_num r;

	if (odd)
		st.round = FP_ODD;
	if (!pick_nan(&st, (const struct fp_num *const[]){ &a.n, &b.n }, 2, &r)) {
		switch (what) {
		case QUAD_SUB:
			b.n.sign = !b.n.sign;
			/* fall through */
		case QUAD_ADD:
			r = add_numbers(&st, &a, &b);
			break;
		case QUAD_MUL:
			a = multiply(&st, &a.n, &b.n);
			r = a.n;
			r.sig |= a.low != 0;
			break;
		case QUAD_DIV:
			r = divide(&st, &a.n, &b.n);
			break;
		}
	}
	return finish_round(cpu, op, &st, &r);
}

#define XS_QP(name, what) \
	OP_TRY(name) { return quad(cpu, op, what, false); } \
	OP_TRY(name##o) { return quad(cpu, op, what, true); }
XS_QP(xsaddqp, QUAD_ADD)
XS_QP(xssubqp, QUAD_SUB)
XS_QP(xsmulqp, QUAD_MUL)
XS_QP(xsdivqp, QUAD_DIV)

static __attribute__((noinline)) bool quad_sqrt(struct cpu *cpu, const struct op *op, bool odd)
{
	struct fp_status st = fp_begin(cpu);
	struct fp_num b = unpack(XB.q), r;

	if (odd)
		st.round = FP_ODD;
	if (!pick_nan(&st, (const struct fp_num *const[]){ &b }, 1, &r))
		r = square_root(&st, &b);
	return finish_round(cpu, op, &st, &r);
}
OP_TRY(xssqrtqp) { return quad_sqrt(cpu, op, false); }
OP_TRY(xssqrtqpo) { return quad_sqrt(cpu, op, true); }

enum fused { SUBTRACT = 1, NEGATE = 2, ODD = 4 };

/* VRA * VRB + VRT. NaNs are preferred in the order VRA, VRT, VRB. */
static __attribute__((noinline)) bool quad_fused(struct cpu *cpu, const struct op *op, unsigned how)
{
	struct fp_status st = fp_begin(cpu);
	struct fp_num a = unpack(XA.q), b = unpack(XB.q), r;
	struct wide addend = { .n = unpack(XT.q) }, product = { 0 };
	bool nan;
	u128 result;

	if (how & ODD)
		st.round = FP_ODD;
	/* Infinity times zero is invalid even if the addend is a NaN, which then is the result. */
	if (!is_nan(&a) && !is_nan(&b))
		product = multiply(&st, &a, &b);
	nan = pick_nan(&st, (const struct fp_num *const[]){ &a, &addend.n, &b }, 3, &r);
	if (!nan && is_nan(&product.n)) {
		r = product.n;
		nan = true;
	}
	if (!nan) {
		addend.n.sign ^= (how & SUBTRACT) != 0;
		r = add_numbers(&st, &product, &addend);
		nan = is_nan(&r);
	}
	if (r.kind == FPN_FINITE)
		fp_round(&st, &fp_format128, &r);
	r.sign ^= how & NEGATE && !nan;
	result = pack_num(&r);
	return finish_quad(cpu, op, &st, result, class(result));
}

#define XS_FUSED(name, how) \
	OP_TRY(name) { return quad_fused(cpu, op, how); } \
	OP_TRY(name##o) { return quad_fused(cpu, op, (how) | ODD); }
XS_FUSED(xsmaddqp, 0)
XS_FUSED(xsmsubqp, SUBTRACT)
XS_FUSED(xsnmaddqp, NEGATE)
XS_FUSED(xsnmsubqp, SUBTRACT | NEGATE)

/* ---- Comparisons: CR[BF] and FPCC ---- */

static bool set_condition(struct cpu *cpu, const struct op *op, unsigned cc, uint64_t raised)
{
	CRF(op->a) = (uint8_t)cc;
	fp_record_cc(cpu, cc);
	fp_raise(cpu, raised);
	return fp_trap(cpu, op);
}

/* LT, GT, EQ, or SO: unordered. */
static unsigned compare_quads(struct fp_status *st, u128 a, u128 b, bool ordered)
{
	bool less;

	if ((a & ~SIGN) > INFINITE || (b & ~SIGN) > INFINITE) {
		struct fp_num x = unpack(a), y = unpack(b), ignored;

		pick_nan(st, (const struct fp_num *const[]){ &x, &y }, 2, &ignored);
		/* Ordered: a signalling NaN adds VXVC only if invalid operation is disabled. */
		if (ordered && !(st->raised && st->control & FPSCR_VE))
			st->raised |= FPSCR_VXVC;
		return CR_SO;
	}
	if (a == b || !((a | b) & ~SIGN))
		return CR_EQ;
	less = (a ^ b) & SIGN ? a >> 127 : (a < b) ^ (bool)(a >> 127);
	return less ? CR_LT : CR_GT;
}

static __attribute__((noinline)) bool compare(struct cpu *cpu, const struct op *op, bool ordered)
{
	struct fp_status st = fp_begin(cpu);
	unsigned cc = compare_quads(&st, XA.q, XB.q, ordered);

	return set_condition(cpu, op, cc, st.raised);
}
OP_TRY(xscmpoqp) { return compare(cpu, op, true); }
OP_TRY(xscmpuqp) { return compare(cpu, op, false); }

/* All ones if one of `holds` does, else zeros. */
static __attribute__((noinline)) bool compare_mask(struct cpu *cpu, const struct op *op, unsigned holds, bool ordered)
{
	struct fp_status st = fp_begin(cpu);
	unsigned cc = compare_quads(&st, XA.q, XB.q, ordered);

	return fp_finish_vector(cpu, op, &st, &(union vreg){ .q = -(u128)((cc & holds) != 0) });
}
OP_TRY(xscmpeqqp) { return compare_mask(cpu, op, CR_EQ, false); }
OP_TRY(xscmpgeqp) { return compare_mask(cpu, op, CR_GT | CR_EQ, true); }
OP_TRY(xscmpgtqp) { return compare_mask(cpu, op, CR_GT, true); }

/* As C writes it: (A > B) ? A : B, so a NaN selects B. */
static __attribute__((noinline)) bool select_quad(struct cpu *cpu, const struct op *op, unsigned holds)
{
	struct fp_status st = fp_begin(cpu);
	unsigned cc = compare_quads(&st, XA.q, XB.q, false);

	return fp_finish_vector(cpu, op, &st, cc == holds ? &XA : &XB);
}
OP_TRY(xsmaxcqp) { return select_quad(cpu, op, CR_GT); }
OP_TRY(xsmincqp) { return select_quad(cpu, op, CR_LT); }

OP_TRY(xscmpexpqp)
{
	u128 a = XA.q, b = XB.q;
	unsigned ea = exponent_field(a), eb = exponent_field(b);
	bool nan = (a & ~SIGN) > INFINITE || (b & ~SIGN) > INFINITE;

	return set_condition(cpu, op, nan ? CR_SO : ea < eb ? CR_LT : ea > eb ? CR_GT : CR_EQ, 0);
}

/* DCMX: NaN, +Inf, -Inf, +0, -0, +denormal, -denormal from bit 64 down. */
OP_TRY(xststdcqp)
{
	u128 b = VRB.q, m = b & ~SIGN;
	int sign = (int)(b >> 127);
	int kind = m > INFINITE ? 0x40 : m == INFINITE ? 0x20 >> sign : !m ? 8 >> sign : m <= FRACTION_MASK ? 2 >> sign : 0;

	return set_condition(cpu, op, (sign ? CR_LT : 0) | (op->imm & kind ? CR_EQ : 0), 0);
}

/* ---- Conversions ---- */

static __attribute__((noinline)) bool to_double(struct cpu *cpu, const struct op *op, bool odd)
{
	struct fp_status st = fp_begin(cpu);
	struct fp_num b = unpack(XB.q), r = b;
	uint64_t result;

	if (odd)
		st.round = FP_ODD;
	pick_nan(&st, (const struct fp_num *const[]){ &b }, 1, &r);
	if (r.kind == FPN_FINITE)
		fp_round(&st, &fp_format64, &r);
	result = (uint64_t)pack_magnitude(&fp_format64, &r) | (r.sign ? PPC_BIT(0) : 0);
	return finish_quad(cpu, op, &st, (u128)result << 64, fp64_class(result));
}
OP_TRY(xscvqpdp) { return to_double(cpu, op, false); }
OP_TRY(xscvqpdpo) { return to_double(cpu, op, true); }

OP_TRY(xscvdpqp)
{
	struct fp_status st = fp_begin(cpu);
	struct fp_num b = unpack_double(VD(XB, 0)), r = b;

	pick_nan(&st, (const struct fp_num *const[]){ &b }, 1, &r);
	return finish_round(cpu, op, &st, &r);
}

static bool from_integer(struct cpu *cpu, const struct op *op, u128 v, bool sign)
{
	struct fp_status st = fp_begin(cpu);
	struct fp_num n = { .kind = FPN_ZERO };

	if (v) {
		n = (struct fp_num){ .kind = FPN_FINITE, .sign = sign, .exp = 127, .sig = sign ? -v : v };
		normalize_num(&n);
	}
	return finish_round(cpu, op, &st, &n);
}
OP_TRY(xscvsdqp) { return from_integer(cpu, op, (u128)(s128)VSD(XB, 0), VD(XB, 0) >> 63); }
OP_TRY(xscvudqp) { return from_integer(cpu, op, VD(XB, 0), false); }
OP_TRY(xscvsqqp) { return from_integer(cpu, op, XB.q, XB.q >> 127); }
OP_TRY(xscvuqqp) { return from_integer(cpu, op, XB.q, false); }

/* Truncates to an integer of that many bits, which stands in doubleword 0 unless they are 128. FPRF stays as it was (the
 * manual leaves it undefined); FI says inexact. */
static __attribute__((noinline)) bool to_integer(struct cpu *cpu, const struct op *op, int bits, bool is_signed)
{
	struct fp_status st = fp_begin(cpu);
	struct fp_num b = unpack(XB.q);
	u128 most = ~(u128)0 >> (128 - bits + is_signed), least = is_signed ? ~most : 0;
	u128 result = 0, limit = b.sign ? -least : most;
	bool fits = b.kind == FPN_ZERO;

	if (b.kind == FPN_FINITE && b.exp < 128) {
		u128 fraction = b.sig;

		if (b.exp >= 0) {
			result = b.sig >> (127 - b.exp);
			fraction = b.sig << b.exp << 1;
		}
		fits = result <= limit;
		if (fits && fraction) {
			st.raised = FPSCR_XX;
			st.rounded = FPSCR_FI;
		}
		result = b.sign ? -result : result;
	}
	if (!fits) {
		st.raised = FPSCR_VXCVI | (b.kind == FPN_SNAN ? FPSCR_VXSNAN : 0);
		result = is_nan(&b) || b.sign ? least : most;
	}
	return finish_quad(cpu, op, &st, bits == 128 ? result : result << 64, (unsigned)((fpscr_get(cpu) & FPSCR_FPRF) >> FPSCR_FPRF_SHIFT));
}
OP_TRY(xscvqpsdz) { return to_integer(cpu, op, 64, true); }
OP_TRY(xscvqpswz) { return to_integer(cpu, op, 32, true); }
OP_TRY(xscvqpudz) { return to_integer(cpu, op, 64, false); }
OP_TRY(xscvqpuwz) { return to_integer(cpu, op, 32, false); }
OP_TRY(xscvqpsqz) { return to_integer(cpu, op, 128, true); }
OP_TRY(xscvqpuqz) { return to_integer(cpu, op, 128, false); }

/* ---- Rounding with a mode of its own: R and RMC ---- */

static enum fp_round rounding(const struct cpu *cpu, unsigned r, unsigned rmc)
{
	static const enum fp_round by_rmc[] = { FP_NEAREST, FP_TO_ZERO, FP_UP, FP_DOWN };

	if (r)
		return by_rmc[rmc & 3];
	/* RMC 1 and 2 are reserved. */
	return rmc == 0 ? FP_AWAY : rmc == 3 ? (enum fp_round)(cpu->fpscr & FPSCR_RN) : FP_NEAREST;
}

/* R is the row's first immediate, RMC the second. */
static __attribute__((noinline)) bool round_integral(struct cpu *cpu, const struct op *op, bool report)
{
	struct fp_status st = fp_begin(cpu), rint = { .round = rounding(cpu, (unsigned)op->imm, IMM2) };
	struct fp_num b = unpack(XB.q), r = b;
	u128 result;

	pick_nan(&st, (const struct fp_num *const[]){ &b }, 1, &r);
	if (r.kind == FPN_FINITE && r.exp < FRACTION) {
		/* A number has exp + 1 places before the point; to round to so many is to round to
		 * an integral value. Below 1, what is left is nothing or 2^0: the denormal of a
		 * format without places. */
		struct fp_format whole = { .precision = r.exp < 0 ? 0 : r.exp + 1, .emax = r.exp < 0 ? 2 : BIAS };

		fp_round(&rint, &whole, &r);
	}
	if (report) {
		st.raised |= rint.raised & FPSCR_XX;
		st.rounded = rint.rounded;
	}
	result = pack_num(&r);
	return finish_quad(cpu, op, &st, result, class(result));
}
OP_TRY(xsrqpi) { return round_integral(cpu, op, false); }
OP_TRY(xsrqpix) { return round_integral(cpu, op, true); }

/* To the 64 bits of double-extended precision. */
OP_TRY(xsrqpxp)
{
	static const struct fp_format extended = { .precision = 64, .emax = BIAS, .wrap = 24576 };
	struct fp_status st = fp_begin(cpu);
	struct fp_num b = unpack(XB.q), r = b;
	u128 result;

	st.round = rounding(cpu, (unsigned)op->imm, IMM2);
	if (!pick_nan(&st, (const struct fp_num *const[]){ &b }, 1, &r) && r.kind == FPN_FINITE)
		fp_round(&st, &extended, &r);
	if (is_nan(&r))
		r.sig &= ~(u128)0 << 64;
	result = pack_num(&r);
	return finish_quad(cpu, op, &st, result, class(result));
}

/* ---- Signs, exponents, significands: bits only ---- */

OP(xsabsqp)   { XT.q = XB.q & ~SIGN; }
OP(xsnabsqp)  { XT.q = XB.q | SIGN; }
OP(xsnegqp)   { XT.q = XB.q ^ SIGN; }
OP(xscpsgnqp) { XT.q = (XA.q & SIGN) | (XB.q & ~SIGN); }
OP(xsxexpqp)  { XT.q = (u128)exponent_field(XB.q) << 64; }
OP(xsiexpqp)  { XT.q = (XA.q & ~INFINITE) | (u128)(VD(XB, 0) & EXP_MAX) << FRACTION; }

/* The implicit bit is there unless the exponent is all zeros or all ones. */
OP(xsxsigqp)
{
	u128 b = XB.q;
	bool normal = exponent_field(b) != 0 && exponent_field(b) != EXP_MAX;

	XT.q = (b & FRACTION_MASK) | (u128)normal << FRACTION;
}

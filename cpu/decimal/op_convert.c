/* Decimal numbers from and to other formats: shorter and longer ones, integers, binary-coded digits, exponents apart.
 *
 * Source: Power ISA 3.0B, Book I, 5.6.5 and 5.6.6.
 */
#include "cpu/decimal/op.h"

/* ---- Between formats ---- */

OP_TRY(dctdp)
{
	struct fp_status st = fp_begin(cpu);
	struct decimal b = decimal_unpack(&decimal_short, (uint32_t)decimal_word(cpu, op->c));

	if (b.kind == DECIMAL_INF)
		b.coefficient = 0;
	return decimal_finish(cpu, op, &st, &decimal_long, &b);
}

OP_TRY(dctqpq)
{
	struct fp_status st = fp_begin(cpu);
	struct decimal b = decimal_get(cpu, &decimal_long, op->c), r = b;

	if (b.kind == DECIMAL_INF)
		r.coefficient = 0;
	decimal_pick_nan(&st, &b, &b, &r);
	return decimal_finish(cpu, op, &st, &decimal_extended, &r);
}

/* True: an enabled over- or underflow has left a number of the wider format, its digits those of the narrower one. */
static bool narrow(struct cpu *cpu, struct fp_status *st, const struct decimal_format *from, const struct decimal_format *to,
		   struct decimal *d)
{
	struct decimal_exact exact = { .kind = d->kind, .sign = d->sign, .exp = d->exp, .ideal = d->exp, .coefficient = d->coefficient };

	if (decimal_is_nan(d))
		d->coefficient %= power_of_ten[to->digits - 1];
	else
		*d = decimal_round(st, decimal_mode(cpu), to, from->wrap_narrowed, &exact);
	return (st->raised & FPSCR_OX && st->control & FPSCR_OE) || (st->raised & FPSCR_UX && st->control & FPSCR_UE);
}

/* A signalling NaN stays one. */
OP_TRY(drsp)
{
	struct fp_status st = fp_begin(cpu);
	struct decimal b = decimal_get(cpu, &decimal_long, op->c);
	const struct decimal_format *f = narrow(cpu, &st, &decimal_long, &decimal_short, &b) ? &decimal_long : &decimal_short;

	return decimal_finish_as(cpu, op, &st, f, &decimal_long, decimal_pack(f, &b), &b);
}

/* The odd register becomes 0. */
OP_TRY(drdpq)
{
	struct fp_status st = fp_begin(cpu);
	struct decimal b = decimal_get(cpu, &decimal_extended, op->c), r = b;

	decimal_pick_nan(&st, &b, &b, &r);
	if (narrow(cpu, &st, &decimal_extended, &decimal_long, &r))
		return decimal_finish(cpu, op, &st, &decimal_extended, &r);
	return decimal_finish_as(cpu, op, &st, &decimal_long, &decimal_extended, decimal_pack(&decimal_long, &r) << 64, &r);
}

/* ---- Integers ---- */

static __attribute__((noinline)) bool from_integer(struct cpu *cpu, const struct op *op, const struct decimal_format *f, s128 v)
{
	struct fp_status st = fp_begin(cpu);
	struct decimal_exact exact = { .sign = v < 0, .coefficient = v < 0 ? -(u128)v : (u128)v };
	struct decimal r = decimal_round(&st, decimal_mode(cpu), f, f->wrap, &exact);

	return decimal_finish(cpu, op, &st, f, &r);
}
DECIMAL_OP(dcffix, from_integer(cpu, op, f, (int64_t)decimal_word(cpu, op->c)))
OP_TRY(dcffixqq) { return from_integer(cpu, op, &decimal_extended, VRB.sq); }

/* The nearest integer by FPSCR[DRN]; `most` and its negative less one are the limits, where an invalid one ends. */
static u128 to_integer(struct fp_status *st, enum decimal_mode mode, const struct decimal_format *f, const struct decimal *b, u128 most)
{
	u128 limit = most + b->sign, magnitude;
	struct decimal d = *b;

	if (b->kind == DECIMAL_FINITE && b->exp < 0)
		d = decimal_quantize(st, mode, f, b, 0);
	if (d.kind == DECIMAL_FINITE && (!d.coefficient || (d.exp < POWERS_OF_TEN && d.coefficient <= limit / power_of_ten[d.exp]))) {
		magnitude = d.coefficient ? d.coefficient * power_of_ten[d.exp] : 0;
		return b->sign ? -magnitude : magnitude;
	}
	st->raised = FPSCR_VXCVI | (b->kind == DECIMAL_SNAN ? FPSCR_VXSNAN : 0);
	st->rounded = 0;
	return decimal_is_nan(b) || b->sign ? -(most + 1) : most;
}

/* FPRF stays. */
static bool finish_integer(struct cpu *cpu, const struct op *op, const struct fp_status *st, const union vreg *result)
{
	fpscr_get(cpu);
	cpu->fpscr = (cpu->fpscr & ~(FPSCR_FR | FPSCR_FI)) | st->rounded;
	if (!fp_suppressed(st))
		XT = *result;
	fp_raise(cpu, st->raised);
	return fp_trap_raised(cpu, op, st->raised);
}

static __attribute__((noinline)) bool to_doubleword(struct cpu *cpu, const struct op *op, const struct decimal_format *f)
{
	struct fp_status st = fp_begin(cpu);
	struct decimal b = decimal_get(cpu, f, op->c);
	union vreg result = { .d = { 0, (uint64_t)to_integer(&st, decimal_mode(cpu), f, &b, INT64_MAX) } };

	return finish_integer(cpu, op, &st, &result);
}
DECIMAL_OP(dctfix, to_doubleword(cpu, op, f))

OP_TRY(dctfixqq)
{
	struct fp_status st = fp_begin(cpu);
	struct decimal b = decimal_get(cpu, &decimal_extended, op->c);
	union vreg result = { .q = to_integer(&st, decimal_mode(cpu), &decimal_extended, &b, ~(u128)0 >> 1) };

	return finish_integer(cpu, op, &st, &result);
}

/* ---- Binary-coded digits, a sign behind them or not ---- */

enum { SIGN_PLUS = 0xc, SIGN_MINUS = 0xd, SIGN_PLUS_F = 0xf };

/* SP: 0 and 1 without a sign, 3 with F for plus. The digits that do not fit are lost at the left. */
static void decode_digits(struct cpu *cpu, const struct op *op, const struct decimal_format *f, int bits)
{
	struct decimal b = decimal_get(cpu, f, op->c);
	u128 r = 0, rest = b.coefficient;
	int shift = 0;

	if (op->imm & 2) {
		r = b.sign ? SIGN_MINUS : op->imm & 1 ? SIGN_PLUS_F : SIGN_PLUS;
		shift = 4;
	}
	for (; shift < bits; shift += 4) {
		r |= (rest % 10) << shift;
		rest /= 10;
	}
	decimal_put_bits(cpu, f, op->a, r);
}
OP(ddedpd) { decode_digits(cpu, op, &decimal_long, 64); }
OP(ddedpdq) { decode_digits(cpu, op, &decimal_extended, 128); }

/* S=1: the last digit is a sign, B or D for minus. */
static __attribute__((noinline)) bool
encode_digits(struct cpu *cpu, const struct op *op, const struct decimal_format *f, int bits)
{
	struct fp_status st = fp_begin(cpu);
	u128 b = decimal_bits(cpu, f, op->c);
	struct decimal r = { .exp = 0 };
	unsigned code = (unsigned)b & 15;
	bool valid = !op->imm || code > 9;

	r.sign = op->imm && (code == 0xb || code == SIGN_MINUS);
	for (int shift = bits - 4; shift >= (op->imm ? 4 : 0); shift -= 4) {
		unsigned digit = (unsigned)(b >> shift) & 15;

		valid &= digit < 10;
		r.coefficient = r.coefficient * 10 + digit;
	}
	if (!valid)
		r = decimal_invalid(&st, FPSCR_VXCVI);
	return decimal_finish(cpu, op, &st, f, &r);
}
OP_TRY(denbcd) { return encode_digits(cpu, op, &decimal_long, 64); }
OP_TRY(denbcdq) { return encode_digits(cpu, op, &decimal_extended, 128); }

/* ---- Exponents, biased, as integers; what is no number has a negative one. No exceptions ---- */

enum { EXPONENT_INF = -1, EXPONENT_QNAN = -2, EXPONENT_SNAN = -3 };

static void extract_exponent(struct cpu *cpu, const struct op *op, const struct decimal_format *f)
{
	static const int8_t special[] = { [DECIMAL_INF] = EXPONENT_INF, [DECIMAL_QNAN] = EXPONENT_QNAN, [DECIMAL_SNAN] = EXPONENT_SNAN };
	struct decimal b = decimal_get(cpu, f, op->c);
	int64_t exponent = b.kind == DECIMAL_FINITE ? b.exp - f->exp_min : special[b.kind];

	XT = (union vreg){ .d = { 0, (uint64_t)exponent } };
}
OP(dxex) { extract_exponent(cpu, op, &decimal_long); }
OP(dxexq) { extract_exponent(cpu, op, &decimal_extended); }

static void insert_exponent(struct cpu *cpu, const struct op *op, const struct decimal_format *f)
{
	int64_t exponent = (int64_t)decimal_word(cpu, op->b);
	struct decimal r = decimal_get(cpu, f, op->c);

	if (exponent >= 0 && exponent <= f->exp_max - f->exp_min) {
		r.kind = DECIMAL_FINITE;
		r.exp = f->exp_min + (int)exponent;
	} else {
		r.kind = exponent == EXPONENT_INF ? DECIMAL_INF : exponent == EXPONENT_SNAN ? DECIMAL_SNAN : DECIMAL_QNAN;
		r.coefficient %= power_of_ten[f->digits - 1];
	}
	decimal_put(cpu, f, op->a, &r);
}
OP(diex) { insert_exponent(cpu, op, &decimal_long); }
OP(diexq) { insert_exponent(cpu, op, &decimal_extended); }

/* Decimal numbers to another exponent: quantize, reround, round to integer, shift.
 *
 * Source: Power ISA 3.0B, Book I, 5.6.4 and 5.6.6.
 */
#include "cpu/decimal/op.h"

/* ---- Quantize ---- */

/* To the exponent of `a`, which need not be of a number. */
static __attribute__((noinline)) bool
quantize(struct cpu *cpu, const struct op *op, const struct decimal_format *f, const struct decimal *a, unsigned rmc)
{
	struct fp_status st = fp_begin(cpu);
	struct decimal b = decimal_get(cpu, f, op->c), r;

	if (!decimal_pick_nan(&st, a, &b, &r)) {
		if (a->kind == DECIMAL_FINITE && b.kind == DECIMAL_FINITE)
			r = decimal_quantize(&st, decimal_mode_by_rmc(cpu, rmc), f, &b, a->exp);
		else if (a->kind == b.kind)
			r = (struct decimal){ .kind = DECIMAL_INF, .sign = b.sign };
		else
			r = decimal_invalid(&st, FPSCR_VXCVI);
	}
	return decimal_finish(cpu, op, &st, f, &r);
}

/* RMC is dqua's only immediate, and dquai's second. */
static bool quantize_as(struct cpu *cpu, const struct op *op, const struct decimal_format *f)
{
	struct decimal a = decimal_get(cpu, f, op->b);

	return quantize(cpu, op, f, &a, (unsigned)op->imm);
}
DECIMAL_OP(dqua, quantize_as(cpu, op, f))
DECIMAL_OP(dquai, quantize(cpu, op, f, &(struct decimal){ .exp = op->imm }, IMM2))

/* ---- Reround ---- */

/* To so many digits, if there are more. */
static struct decimal
reround(struct fp_status *st, enum decimal_mode mode, const struct decimal_format *f, const struct decimal *b, int digits)
{
	int exp = b->exp + decimal_digits(b->coefficient) - digits;
	struct decimal r;

	if (exp > f->exp_max)
		return decimal_invalid(st, FPSCR_VXCVI);
	r = decimal_quantize(st, mode, f, b, exp);
	if (decimal_digits(r.coefficient) <= digits)
		return r;
	/* 999 became 1000. */
	r.coefficient /= 10;
	r.exp++;
	if (r.exp > f->exp_max) {
		st->raised = st->rounded = 0;
		return decimal_invalid(st, FPSCR_VXCVI);
	}
	return r;
}

static __attribute__((noinline)) bool reround_to(struct cpu *cpu, const struct op *op, const struct decimal_format *f)
{
	struct fp_status st = fp_begin(cpu);
	struct decimal b = decimal_get(cpu, f, op->c), r = b;
	int digits = (int)decimal_word(cpu, op->b) & 63;

	if (b.kind == DECIMAL_INF)
		r.coefficient = 0;
	else if (!decimal_pick_nan(&st, &b, &b, &r) && digits && decimal_digits(b.coefficient) > digits)
		r = reround(&st, decimal_mode_by_rmc(cpu, (unsigned)op->imm), f, &b, digits);
	return decimal_finish(cpu, op, &st, f, &r);
}
DECIMAL_OP(drrnd, reround_to(cpu, op, f))

/* ---- To an integral value: R is the first immediate, RMC the second ---- */

static enum decimal_mode integral_mode(const struct cpu *cpu, unsigned r, unsigned rmc)
{
	static const uint8_t modes[] = { DECIMAL_UP, DECIMAL_DOWN, DECIMAL_AWAY, DECIMAL_NEAREST_TO_ZERO };

	return r ? (enum decimal_mode)modes[rmc] : decimal_mode_by_rmc(cpu, rmc);
}

static __attribute__((noinline)) bool
round_integral(struct cpu *cpu, const struct op *op, const struct decimal_format *f, bool report)
{
	struct fp_status st = fp_begin(cpu);
	struct decimal b = decimal_get(cpu, f, op->c), r = b;

	if (b.kind == DECIMAL_INF)
		r.coefficient = 0;
	else if (!decimal_pick_nan(&st, &b, &b, &r) && b.exp < 0)
		r = decimal_quantize(&st, integral_mode(cpu, (unsigned)op->imm, IMM2), f, &b, 0);
	if (!report) {
		st.raised &= ~FPSCR_XX;
		st.rounded = 0;
	}
	return decimal_finish(cpu, op, &st, f, &r);
}
DECIMAL_OP(drintx, round_integral(cpu, op, f, true))
DECIMAL_OP(drintn, round_integral(cpu, op, f, false))

/* ---- Shift: of the digits alone, whatever they belong to. No exceptions ---- */

static __attribute__((noinline)) void
shift(struct cpu *cpu, const struct op *op, const struct decimal_format *f, bool left)
{
	struct decimal a = decimal_get(cpu, f, op->b);
	int digits = a.kind == DECIMAL_FINITE ? f->digits : f->digits - 1, n = op->imm;

	if (n >= digits)
		a.coefficient = 0;
	else if (left)
		a.coefficient = a.coefficient % power_of_ten[digits - n] * power_of_ten[n];
	else
		a.coefficient /= power_of_ten[n];
	decimal_put(cpu, f, op->a, &a);
}
OP(dscli) { shift(cpu, op, &decimal_long, true); }
OP(dscliq) { shift(cpu, op, &decimal_extended, true); }
OP(dscri) { shift(cpu, op, &decimal_long, false); }
OP(dscriq) { shift(cpu, op, &decimal_extended, false); }

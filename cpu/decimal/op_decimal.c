/* Decimal arithmetic, comparisons and tests.
 *
 * Source: Power ISA 3.0B, Book I, 5.6.1 to 5.6.3.
 */
#include "cpu/decimal/op.h"

/* ---- Ends of instructions ---- */

static unsigned class_of(const struct decimal_format *f, const struct decimal *d)
{
	static const uint8_t finite[][2] = { { FPRF_ZERO, FPRF_NEG_ZERO }, { FPRF_DENORMAL, FPRF_NEG_DENORMAL },
					     { FPRF_NORMAL, FPRF_NEG_NORMAL } };

	switch (d->kind) {
	case DECIMAL_INF: return d->sign ? FPRF_NEG_INF : FPRF_INF;
	case DECIMAL_QNAN: return FPRF_QNAN;
	case DECIMAL_SNAN: return FPRF_DECIMAL_SNAN;
	default: return finite[!d->coefficient ? 0 : decimal_is_subnormal(f, d) ? 1 : 2][d->sign];
	}
}

bool decimal_finish_as(struct cpu *cpu, const struct op *op, const struct fp_status *st, const struct decimal_format *f,
		       const struct decimal_format *target, u128 bits, const struct decimal *d)
{
	if (!fp_suppressed(st)) {
		fp_set_status(cpu, class_of(f, d), st->rounded);
		decimal_put_bits(cpu, target, op->a, bits);
	} else {
		fpscr_get(cpu);		/* FPRF stays */
		cpu->fpscr &= ~(FPSCR_FR | FPSCR_FI);
	}
	fp_raise(cpu, st->raised);
	return fp_trap_raised(cpu, op, st->raised);
}

bool decimal_finish(struct cpu *cpu, const struct op *op, const struct fp_status *st, const struct decimal_format *f,
		    const struct decimal *d)
{
	return decimal_finish_as(cpu, op, st, f, f, decimal_pack(f, d), d);
}

bool decimal_condition(struct cpu *cpu, const struct op *op, unsigned cc, uint64_t raised)
{
	CRF(op->a) = (uint8_t)cc;
	fp_record_cc(cpu, cc);
	fp_raise(cpu, raised);
	return fp_trap_raised(cpu, op, raised);
}

/* ---- Arithmetic ---- */

static __attribute__((noinline)) bool
arithmetic(struct cpu *cpu, const struct op *op, const struct decimal_format *f, decimal_operation *operation, bool subtract)
{
	struct fp_status st = fp_begin(cpu);
	enum decimal_mode mode = decimal_mode(cpu);
	struct decimal a = decimal_get(cpu, f, op->b), b = decimal_get(cpu, f, op->c), r;
	struct decimal_exact exact;

	if (!decimal_pick_nan(&st, &a, &b, &r)) {
		b.sign ^= subtract;
		exact = operation(&st, mode, f, &a, &b);
		r = decimal_round(&st, mode, f, f->wrap, &exact);
	}
	return decimal_finish(cpu, op, &st, f, &r);
}
DECIMAL_OP(dadd, arithmetic(cpu, op, f, decimal_add, false))
DECIMAL_OP(dsub, arithmetic(cpu, op, f, decimal_add, true))
DECIMAL_OP(dmul, arithmetic(cpu, op, f, decimal_multiply, false))
DECIMAL_OP(ddiv, arithmetic(cpu, op, f, decimal_divide, false))

/* ---- Comparison ---- */

static __attribute__((noinline)) bool
compare(struct cpu *cpu, const struct op *op, const struct decimal_format *f, bool ordered)
{
	struct fp_status st = fp_begin(cpu);
	struct decimal a = decimal_get(cpu, f, op->b), b = decimal_get(cpu, f, op->c), ignored;

	if (!decimal_pick_nan(&st, &a, &b, &ignored))
		return decimal_condition(cpu, op, decimal_compare(&a, &b), 0);
	/* Ordered: a signalling NaN adds VXVC only if invalid operation is disabled. */
	if (ordered && !(st.raised && st.control & FPSCR_VE))
		st.raised |= FPSCR_VXVC;
	return decimal_condition(cpu, op, CR_SO, st.raised);
}
DECIMAL_OP(dcmpu, compare(cpu, op, f, false))
DECIMAL_OP(dcmpo, compare(cpu, op, f, true))

/* ---- Tests ---- */

/* What matches a mask of six bits, 0x20 the first: the condition is the sign, and whether it does. */
static bool test_mask(struct cpu *cpu, const struct op *op, const struct decimal *a, unsigned kind)
{
	return decimal_condition(cpu, op, (a->sign ? CR_LT : 0) | (op->imm & (int)(0x20 >> kind) ? CR_EQ : 0), 0);
}

/* Zero, subnormal, normal, infinity, quiet NaN, signalling NaN. */
static __attribute__((noinline)) bool test_class(struct cpu *cpu, const struct op *op, const struct decimal_format *f)
{
	struct decimal a = decimal_get(cpu, f, op->b);
	unsigned finite = !a.coefficient ? 0 : decimal_is_subnormal(f, &a) ? 1 : 2;

	return test_mask(cpu, op, &a, a.kind == DECIMAL_FINITE ? finite : 2 + (unsigned)a.kind);
}
DECIMAL_OP(dtstdc, test_class(cpu, op, f))

/* Zero; zero of an extreme exponent; subnormal, or of an extreme exponent; normal, its first digit 0; normal; not finite. */
static __attribute__((noinline)) bool test_group(struct cpu *cpu, const struct op *op, const struct decimal_format *f)
{
	struct decimal a = decimal_get(cpu, f, op->b);
	bool extreme = a.exp == f->exp_min || a.exp == f->exp_max;
	unsigned group;

	if (a.kind != DECIMAL_FINITE)
		group = 5;
	else if (!a.coefficient)
		group = extreme;
	else if (extreme || decimal_is_subnormal(f, &a))
		group = 2;
	else
		group = 3 + (decimal_digits(a.coefficient) == f->digits);
	return test_mask(cpu, op, &a, group);
}
DECIMAL_OP(dtstdg, test_group(cpu, op, f))

static __attribute__((noinline)) bool test_exponent(struct cpu *cpu, const struct op *op, const struct decimal_format *f)
{
	struct decimal a = decimal_get(cpu, f, op->b), b = decimal_get(cpu, f, op->c);
	unsigned cc;

	if (a.kind == DECIMAL_FINITE && b.kind == DECIMAL_FINITE)
		cc = a.exp < b.exp ? CR_LT : a.exp > b.exp ? CR_GT : CR_EQ;
	else
		cc = a.kind == b.kind || (decimal_is_nan(&a) && decimal_is_nan(&b)) ? CR_EQ : CR_SO;
	return decimal_condition(cpu, op, cc, 0);
}
DECIMAL_OP(dtstex, test_exponent(cpu, op, f))

/* Are so many digits more than b has? Those of a zero are none, and 0 asks for none of them. */
static __attribute__((noinline)) bool
test_significance(struct cpu *cpu, const struct op *op, const struct decimal_format *f, unsigned k)
{
	struct decimal b = decimal_get(cpu, f, op->c);
	unsigned digits = (unsigned)decimal_digits(b.coefficient), cc;

	if (b.kind != DECIMAL_FINITE)
		cc = CR_SO;
	else if (!k || !digits)
		cc = CR_GT;
	else
		cc = k < digits ? CR_LT : k > digits ? CR_GT : CR_EQ;
	return decimal_condition(cpu, op, cc, 0);
}
DECIMAL_OP(dtstsf, test_significance(cpu, op, f, (unsigned)decimal_word(cpu, op->b) & 63))
DECIMAL_OP(dtstsfi, test_significance(cpu, op, f, (unsigned)op->imm))

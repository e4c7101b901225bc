/* Decimal arithmetic, in integers of 128 bits. */
#include "cpu/decimal/decimal.h"

/* Digits that a coefficient is brought to where more lie below: three more than the longest format's, and 128 bits hold ten
 * times as much. */
enum { WORKING_DIGITS = 37 };

/* ---- The digits that go ---- */

/* What was lost, as rounding needs to know it: the first digit, and whether any follows. */
struct lost {
	unsigned digit;
	bool sticky;
};

static bool is_inexact(const struct lost *l) { return l->digit || l->sticky; }

/* Drops n digits. */
static u128 drop_digits(u128 v, int n, struct lost *l)
{
	u128 above;

	if (n <= 0)
		return v;
	if (n > POWERS_OF_TEN) {
		l->sticky |= v != 0;
		l->digit = 0;
		return 0;
	}
	above = v / power_of_ten[n - 1];
	l->sticky |= v != above * power_of_ten[n - 1];
	l->digit = (unsigned)(above % 10);
	return above / 10;
}

static bool increments(enum decimal_mode mode, bool sign, unsigned last, const struct lost *l)
{
	bool over = l->digit > 5 || (l->digit == 5 && l->sticky), half = l->digit == 5 && !l->sticky;

	switch (mode) {
	case DECIMAL_NEAREST_EVEN: return over || (half && last & 1);
	case DECIMAL_NEAREST_AWAY: return over || half;
	case DECIMAL_NEAREST_TO_ZERO: return over;
	case DECIMAL_UP: return is_inexact(l) && !sign;
	case DECIMAL_DOWN: return is_inexact(l) && sign;
	case DECIMAL_AWAY: return is_inexact(l);
	case DECIMAL_PREPARE: return is_inexact(l) && (last == 0 || last == 5);
	default: return false;
	}
}

/* The coefficient without its last n digits, rounded. Sets FR, FI and XX. */
static u128 round_digits(struct fp_status *st, enum decimal_mode mode, bool sign, u128 v, int n, bool sticky)
{
	struct lost l = { 0, sticky };
	bool up;

	v = drop_digits(v, n, &l);
	up = increments(mode, sign, (unsigned)(v % 10), &l);
	st->rounded = (is_inexact(&l) ? FPSCR_FI : 0) | (up ? FPSCR_FR : 0);
	if (is_inexact(&l))
		st->raised |= FPSCR_XX;
	return v + up;
}

/* ---- Into a format ---- */

static struct decimal overflowed(struct fp_status *st, enum decimal_mode mode, const struct decimal_format *f, bool sign)
{
	bool infinite = mode == DECIMAL_UP ? !sign : mode == DECIMAL_DOWN ? sign : mode != DECIMAL_TO_ZERO && mode != DECIMAL_PREPARE;

	st->raised |= FPSCR_XX;
	st->rounded = FPSCR_FI | (infinite ? FPSCR_FR : 0);
	if (infinite)
		return (struct decimal){ .kind = DECIMAL_INF, .sign = sign };
	return (struct decimal){ .sign = sign, .exp = f->exp_max, .coefficient = power_of_ten[f->digits] - 1 };
}

/* Zeros at the end come and go, until the exponent is the ideal one or as close to it as may be. */
static void approach(const struct decimal_format *f, struct decimal *d, int ideal)
{
	int room = f->digits - decimal_digits(d->coefficient), n = d->exp - ideal;

	if (n > room)
		n = room;
	if (n > 0) {
		d->coefficient *= power_of_ten[n];
		d->exp -= n;
	}
	while (d->exp < ideal && d->coefficient % 10 == 0) {
		d->coefficient /= 10;
		d->exp++;
	}
}

static int clamp(int v, int least, int most) { return v < least ? least : v > most ? most : v; }

static struct decimal round_finite(struct fp_status *st, enum decimal_mode mode, const struct decimal_format *f, int wrap,
				   const struct decimal_exact *x)
{
	struct decimal d = { .sign = x->sign, .exp = x->exp };
	int digits = decimal_digits(x->coefficient), drop = digits - f->digits, moved = 0;
	bool tiny = x->exp + digits < f->exp_min + f->digits;

	if (tiny && st->control & FPSCR_UE) {
		st->raised |= FPSCR_UX;
		moved = wrap;
	} else if (tiny && drop < f->exp_min - x->exp) {
		drop = f->exp_min - x->exp;
	}
	if (drop < 0)
		drop = 0;
	d.coefficient = round_digits(st, mode, x->sign, x->coefficient, drop, x->sticky);
	d.exp += drop;
	if (tiny && st->rounded & FPSCR_FI)
		st->raised |= FPSCR_UX;
	if (d.coefficient == power_of_ten[f->digits]) {
		d.coefficient /= 10;
		d.exp++;
	}
	if (d.exp + decimal_digits(d.coefficient) > f->exp_max + f->digits) {
		st->raised |= FPSCR_OX;
		if (!(st->control & FPSCR_OE))
			return overflowed(st, mode, f, d.sign);
		moved = -wrap;
	}
	/* What was rounded has all digits, and so the smallest exponent. */
	if (!(st->rounded & FPSCR_FI))
		approach(f, &d, moved || x->ideal > f->exp_min ? x->ideal : f->exp_min);
	d.exp += moved;
	return d;
}

struct decimal decimal_round(struct fp_status *st, enum decimal_mode mode, const struct decimal_format *f, int wrap,
			     const struct decimal_exact *x)
{
	struct decimal d = { .kind = x->kind, .sign = x->sign };

	if (x->kind == DECIMAL_QNAN)
		return (struct decimal){ .kind = DECIMAL_QNAN };
	if (x->kind == DECIMAL_INF)
		return d;
	if (x->coefficient || x->sticky)
		d = round_finite(st, mode, f, wrap, x);
	else
		d.exp = clamp(x->ideal, f->exp_min, f->exp_max);
	/* An exponent above the largest: zeros at the end bring it down. */
	if (d.kind == DECIMAL_FINITE && d.exp > f->exp_max && !(st->raised & (FPSCR_OX | FPSCR_UX))) {
		d.coefficient *= power_of_ten[d.exp - f->exp_max];
		d.exp = f->exp_max;
	}
	return d;
}

struct decimal decimal_quantize(struct fp_status *st, enum decimal_mode mode, const struct decimal_format *f,
				const struct decimal *d, int exp)
{
	struct decimal r = { .sign = d->sign, .exp = exp };
	int more = d->exp - exp;

	if (!d->coefficient)
		return r;
	if (more > 0 && more + decimal_digits(d->coefficient) > f->digits)
		return decimal_invalid(st, FPSCR_VXCVI);
	if (more > 0)
		r.coefficient = d->coefficient * power_of_ten[more];
	else
		r.coefficient = round_digits(st, mode, d->sign, d->coefficient, -more, false);
	return r;
}

/* ---- What is no number ---- */

struct decimal decimal_invalid(struct fp_status *st, uint64_t cause)
{
	st->raised |= cause;
	return (struct decimal){ .kind = DECIMAL_QNAN };
}

bool decimal_pick_nan(struct fp_status *st, const struct decimal *a, const struct decimal *b, struct decimal *result)
{
	const struct decimal *nan = a->kind == DECIMAL_SNAN ? a : b->kind == DECIMAL_SNAN ? b : a->kind == DECIMAL_QNAN ? a : b;

	if (!decimal_is_nan(nan))
		return false;
	if (nan->kind == DECIMAL_SNAN)
		st->raised |= FPSCR_VXSNAN;
	*result = *nan;
	result->kind = DECIMAL_QNAN;
	return true;
}

static struct decimal_exact invalid(struct fp_status *st, uint64_t cause)
{
	st->raised |= cause;
	return (struct decimal_exact){ .kind = DECIMAL_QNAN };
}

static struct decimal_exact infinity(bool sign) { return (struct decimal_exact){ .kind = DECIMAL_INF, .sign = sign }; }

/* ---- Addition ---- */

/* Both finite, a's exponent not below b's. a is shifted left and b, by what is left, right: its digits that go are below
 * all that can matter, for a then has three digits more than the format. */
static struct decimal_exact add_aligned(enum decimal_mode mode, const struct decimal *a, const struct decimal *b)
{
	struct decimal_exact r = { .sign = a->sign, .exp = a->exp, .ideal = b->exp };
	int apart = a->exp - b->exp, room = WORKING_DIGITS - decimal_digits(a->coefficient);
	int left = apart < room ? apart : room;
	struct lost l = { 0, false };
	u128 x = a->coefficient, y;

	if (!x || !b->coefficient) {
		r.coefficient = x ? x : b->coefficient;
		r.exp = x ? a->exp : b->exp;
		r.sign = x ? a->sign : b->coefficient ? b->sign : a->sign == b->sign ? a->sign : mode == DECIMAL_DOWN;
		return r;
	}
	x *= power_of_ten[left];
	r.exp -= left;
	y = drop_digits(b->coefficient, apart - left, &l);
	r.sticky = is_inexact(&l);
	if (a->sign == b->sign) {
		r.coefficient = x + y;
	} else if (x >= y) {
		/* What y has lost below its last digit is borrowed from there. */
		r.coefficient = x - y - r.sticky;
	} else {
		r.coefficient = y - x;
		r.sign = b->sign;
	}
	if (!r.coefficient && !r.sticky)
		r.sign = mode == DECIMAL_DOWN;
	return r;
}

struct decimal_exact decimal_add(struct fp_status *st, enum decimal_mode mode, const struct decimal_format *f,
					const struct decimal *a, const struct decimal *b)
{
	(void)f;
	if (a->kind == DECIMAL_INF && b->kind == DECIMAL_INF && a->sign != b->sign)
		return invalid(st, FPSCR_VXISI);
	if (a->kind == DECIMAL_INF || b->kind == DECIMAL_INF)
		return infinity(a->kind == DECIMAL_INF ? a->sign : b->sign);
	return a->exp >= b->exp ? add_aligned(mode, a, b) : add_aligned(mode, b, a);
}

/* ---- Multiplication ---- */

enum { LIMBS = 4 };

/* v / divisor, in place; returns the remainder. */
static uint64_t divide_limbs(uint64_t v[LIMBS], uint64_t divisor)
{
	u128 rest = 0;

	for (int i = LIMBS - 1; i >= 0; i--) {
		rest = rest << 64 | v[i];
		v[i] = (uint64_t)(rest / divisor);
		rest %= divisor;
	}
	return (uint64_t)rest;
}

static void multiply_limbs(uint64_t v[LIMBS], u128 a, u128 b)
{
	uint64_t a1 = (uint64_t)(a >> 64), a0 = (uint64_t)a, b1 = (uint64_t)(b >> 64), b0 = (uint64_t)b;
	u128 low = (u128)a0 * b0, cross = (u128)a1 * b0, middle = (low >> 64) + (uint64_t)cross + (u128)a0 * b1;
	u128 high = (u128)a1 * b1 + (cross >> 64) + (middle >> 64);

	v[0] = (uint64_t)low;
	v[1] = (uint64_t)middle;
	v[2] = (uint64_t)high;
	v[3] = (uint64_t)(high >> 64);
}

struct decimal_exact decimal_multiply(struct fp_status *st, enum decimal_mode mode, const struct decimal_format *f,
					const struct decimal *a, const struct decimal *b)
{
	struct decimal_exact r = { .sign = a->sign != b->sign, .exp = a->exp + b->exp, .ideal = a->exp + b->exp };
	int over = decimal_digits(a->coefficient) + decimal_digits(b->coefficient) - WORKING_DIGITS;
	uint64_t v[LIMBS];

	(void)mode;
	(void)f;
	if (a->kind == DECIMAL_INF || b->kind == DECIMAL_INF) {
		bool zero = (a->kind == DECIMAL_FINITE && !a->coefficient) || (b->kind == DECIMAL_FINITE && !b->coefficient);

		return zero ? invalid(st, FPSCR_VXIMZ) : infinity(r.sign);
	}
	multiply_limbs(v, a->coefficient, b->coefficient);
	/* Down to the working digits, 19 at a time: 10^19 is the largest power in 64 bits. */
	for (int n; over > 0; over -= n) {
		n = over < 19 ? over : 19;
		r.sticky |= divide_limbs(v, (uint64_t)power_of_ten[n]) != 0;
		r.exp += n;
	}
	r.coefficient = (u128)v[1] << 64 | v[0];
	return r;
}

/* ---- Division ---- */

/* The divisor's 34 digits times this, and a quotient of as many, are within 128 bits. */
enum { STEP_DIGITS = 4, STEP = 10000 };

struct decimal_exact decimal_divide(struct fp_status *st, enum decimal_mode mode, const struct decimal_format *f,
					const struct decimal *a, const struct decimal *b)
{
	struct decimal_exact r = { .sign = a->sign != b->sign, .exp = a->exp - b->exp, .ideal = a->exp - b->exp };
	u128 rest;

	(void)mode;
	if (a->kind == DECIMAL_INF)
		return b->kind == DECIMAL_INF ? invalid(st, FPSCR_VXIDI) : infinity(r.sign);
	if (b->kind == DECIMAL_INF) {
		r.ideal = f->exp_min;
		return r;
	}
	if (!b->coefficient) {
		if (!a->coefficient)
			return invalid(st, FPSCR_VXZDZ);
		st->raised |= FPSCR_ZX;
		return infinity(r.sign);
	}
	r.coefficient = a->coefficient / b->coefficient;
	rest = a->coefficient % b->coefficient;
	while (rest && r.coefficient < power_of_ten[f->digits]) {
		rest *= STEP;
		r.coefficient = r.coefficient * STEP + rest / b->coefficient;
		rest %= b->coefficient;
		r.exp -= STEP_DIGITS;
	}
	r.sticky = rest != 0;
	return r;
}

/* ---- Comparison ---- */

static unsigned compare_magnitudes(const struct decimal *a, const struct decimal *b)
{
	struct decimal x = *a, y = *b;
	int top_x, top_y;

	if (a->kind == DECIMAL_INF || b->kind == DECIMAL_INF)
		return a->kind == b->kind ? 2 : a->kind == DECIMAL_INF ? 4 : 8;
	if (!x.coefficient || !y.coefficient)
		return x.coefficient ? 4 : y.coefficient ? 8 : 2;
	top_x = x.exp + decimal_digits(x.coefficient);
	top_y = y.exp + decimal_digits(y.coefficient);
	if (top_x != top_y)
		return top_x > top_y ? 4 : 8;
	/* The same place of the first digit: exponents differ by no more than digits. */
	if (x.exp > y.exp)
		x.coefficient *= power_of_ten[x.exp - y.exp];
	else
		y.coefficient *= power_of_ten[y.exp - x.exp];
	return x.coefficient > y.coefficient ? 4 : x.coefficient < y.coefficient ? 8 : 2;
}

unsigned decimal_compare(const struct decimal *a, const struct decimal *b)
{
	bool zeros = a->kind == DECIMAL_FINITE && b->kind == DECIMAL_FINITE && !a->coefficient && !b->coefficient;
	unsigned cc;

	if (zeros)
		return 2;
	if (a->sign != b->sign)
		return a->sign ? 8 : 4;
	cc = compare_magnitudes(a, b);
	return !a->sign || cc == 2 ? cc : 12 - cc;
}

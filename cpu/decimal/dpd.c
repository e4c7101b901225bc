/* Decimal formats. The two tables between declets and numbers come from formulas over their bits, by the compiler. */
#include "cpu/decimal/dpd.h"

const struct decimal_format decimal_short = {
	.digits = 7, .exp_min = -101, .exp_max = 90, .continuation = 6, .declets = 2,
};
const struct decimal_format decimal_long = {
	.digits = 16, .exp_min = -398, .exp_max = 369, .continuation = 8, .declets = 5, .wrap = 576, .wrap_narrowed = 192,
};
const struct decimal_format decimal_extended = {
	.digits = 34, .exp_min = -6176, .exp_max = 6111, .continuation = 12, .declets = 11, .pair = true, .wrap = 9216, .wrap_narrowed = 3072,
};

/* ---- Powers of ten ---- */

#define E19 ((u128)UINT64_C(10000000000000000000))
#define POWERS(by) \
	(by) * 1, (by) * 10, (by) * 100, (by) * 1000, (by) * 10000, (by) * 100000, (by) * 1000000, (by) * 10000000, \
	(by) * 100000000, (by) * 1000000000, (by) * UINT64_C(10000000000), (by) * UINT64_C(100000000000), \
	(by) * UINT64_C(1000000000000), (by) * UINT64_C(10000000000000), (by) * UINT64_C(100000000000000), \
	(by) * UINT64_C(1000000000000000), (by) * UINT64_C(10000000000000000), (by) * UINT64_C(100000000000000000), \
	(by) * UINT64_C(1000000000000000000)

const u128 power_of_ten[POWERS_OF_TEN] = { POWERS((u128)1), POWERS(E19), E19 * E19 };

int decimal_digits(u128 v)
{
	uint64_t high = (uint64_t)(v >> 64), low = (uint64_t)v;
	int bits = high ? 128 - __builtin_clzll(high) : low ? 64 - __builtin_clzll(low) : 0;
	int digits = bits * 1233 >> 12;		/* bits * log10(2), or one less */

	return digits + (v >= power_of_ten[digits]);
}

/* ---- Declets: bits pqr stu v wxy, the least significant last ---- */

#define PQR(d) ((d) >> 7 & 7)
#define PQ(d)  ((d) >> 8 & 3)
#define R1(d)  ((d) >> 7 & 1)
#define STU(d) ((d) >> 4 & 7)
#define ST(d)  ((d) >> 5 & 3)
#define U1(d)  ((d) >> 4 & 1)
#define V1(d)  ((d) >> 3 & 1)
#define WX(d)  ((d) >> 1 & 3)
#define WXY(d) ((d) & 7)
#define Y1(d)  ((d) & 1)

/* v, wx and st say which digits are 8 or 9; of such a digit one bit remains, and its place is another's. */
#define NUMBER(a, b, c) (100 * (a) + 10 * (b) + (c))
#define FROM_DECLET(d) \
	(!V1(d)       ? NUMBER(PQR(d), STU(d), WXY(d)) : \
	 WX(d) == 0   ? NUMBER(PQR(d), STU(d), 8 + Y1(d)) : \
	 WX(d) == 1   ? NUMBER(PQR(d), 8 + U1(d), 2 * ST(d) + Y1(d)) : \
	 WX(d) == 2   ? NUMBER(8 + R1(d), STU(d), 2 * PQ(d) + Y1(d)) : \
	 ST(d) == 0   ? NUMBER(8 + R1(d), 8 + U1(d), 2 * PQ(d) + Y1(d)) : \
	 ST(d) == 1   ? NUMBER(8 + R1(d), 2 * PQ(d) + U1(d), 8 + Y1(d)) : \
	 ST(d) == 2   ? NUMBER(PQR(d), 8 + U1(d), 8 + Y1(d)) : \
			NUMBER(8 + R1(d), 8 + U1(d), 8 + Y1(d)))

#define DECLET(pqr, stu, vwxy) ((pqr) << 7 | (stu) << 4 | (vwxy))
#define DIGITS_TO_DECLET(a, b, c) \
	((a) < 8 && (b) < 8 && (c) < 8   ? DECLET(a, b, c) : \
	 (a) < 8 && (b) < 8              ? DECLET(a, b, 8 | ((c) & 1)) : \
	 (a) < 8 && (c) < 8              ? DECLET(a, ((c) & 6) | ((b) & 1), 10 | ((c) & 1)) : \
	 (b) < 8 && (c) < 8              ? DECLET(((c) & 6) | ((a) & 1), b, 12 | ((c) & 1)) : \
	 (c) < 8                         ? DECLET(((c) & 6) | ((a) & 1), (b) & 1, 14 | ((c) & 1)) : \
	 (b) < 8                         ? DECLET(((b) & 6) | ((a) & 1), 2 | ((b) & 1), 14 | ((c) & 1)) : \
	 (a) < 8                         ? DECLET(a, 4 | ((b) & 1), 14 | ((c) & 1)) : \
					   DECLET((a) & 1, 6 | ((b) & 1), 14 | ((c) & 1)))
#define TO_DECLET(n) DIGITS_TO_DECLET((n) / 100, (n) / 10 % 10, (n) % 10)

#define TIMES8(f, n) f(n), f((n) + 1), f((n) + 2), f((n) + 3), f((n) + 4), f((n) + 5), f((n) + 6), f((n) + 7)
#define TIMES64(f, n) \
	TIMES8(f, n), TIMES8(f, (n) + 8), TIMES8(f, (n) + 16), TIMES8(f, (n) + 24), TIMES8(f, (n) + 32), TIMES8(f, (n) + 40), \
	TIMES8(f, (n) + 48), TIMES8(f, (n) + 56)
#define TIMES256(f, n) TIMES64(f, n), TIMES64(f, (n) + 64), TIMES64(f, (n) + 128), TIMES64(f, (n) + 192)

static const uint16_t from_declet[1024] = {
	TIMES256(FROM_DECLET, 0), TIMES256(FROM_DECLET, 256), TIMES256(FROM_DECLET, 512), TIMES256(FROM_DECLET, 768),
};
static const uint16_t to_declet[1000] = {
	TIMES256(TO_DECLET, 0), TIMES256(TO_DECLET, 256), TIMES256(TO_DECLET, 512), TIMES64(TO_DECLET, 768),
	TIMES64(TO_DECLET, 832), TIMES64(TO_DECLET, 896), TIMES8(TO_DECLET, 960), TIMES8(TO_DECLET, 968),
	TIMES8(TO_DECLET, 976), TIMES8(TO_DECLET, 984), TIMES8(TO_DECLET, 992),
};

/* ---- Numbers ---- */

/* Combination field: two bits of the exponent and a digit, or something that is not finite. */
enum { COMBINATION_LARGE = 0x18, COMBINATION_INF = 0x1e, COMBINATION_NAN = 0x1f };

static u128 low_bits(int n) { return ((u128)1 << n) - 1; }

struct decimal decimal_unpack(const struct decimal_format *f, u128 bits)
{
	int trailing = 10 * f->declets;
	unsigned continuation = (unsigned)(bits >> trailing & low_bits(f->continuation));
	unsigned combination = (unsigned)(bits >> (trailing + f->continuation)) & 31;
	struct decimal d = { .sign = bits >> (trailing + f->continuation + 5) & 1 };
	unsigned high = combination >> 3, first = combination & 7;

	if (combination == COMBINATION_INF) {
		d.kind = DECIMAL_INF;
		first = 0;
	} else if (combination == COMBINATION_NAN) {
		d.kind = continuation >> (f->continuation - 1) ? DECIMAL_SNAN : DECIMAL_QNAN;
		first = 0;
	} else if (combination >= COMBINATION_LARGE) {
		high = combination >> 1 & 3;
		first = 8 | (combination & 1);
	}
	if (d.kind == DECIMAL_FINITE)
		d.exp = f->exp_min + (int)(high << f->continuation | continuation);
	d.coefficient = first;
	for (int i = f->declets - 1; i >= 0; i--)
		d.coefficient = d.coefficient * 1000 + from_declet[(unsigned)(bits >> 10 * i) & 1023];
	return d;
}

u128 decimal_pack(const struct decimal_format *f, const struct decimal *d)
{
	int trailing = 10 * f->declets;
	unsigned continuation = 0, combination, biased;
	/* Six declets at a time are divided in 64 bits. */
	uint64_t six = (uint64_t)(d->coefficient % power_of_ten[18]), rest = (uint64_t)(d->coefficient / power_of_ten[18]);
	u128 bits = 0;

	for (int i = 0; i < f->declets; i++) {
		if (i == 6)
			six = rest;
		bits |= (u128)to_declet[six % 1000] << 10 * i;
		six /= 1000;
	}
	switch (d->kind) {
	case DECIMAL_FINITE:
		biased = (unsigned)(d->exp - f->exp_min);
		continuation = biased & (unsigned)low_bits(f->continuation);
		biased >>= f->continuation;
		combination = six > 7 ? COMBINATION_LARGE | biased << 1 | (unsigned)(six & 1) : biased << 3 | (unsigned)six;
		break;
	case DECIMAL_INF:
		combination = COMBINATION_INF;
		break;
	default:
		combination = COMBINATION_NAN;
		continuation = (unsigned)(d->kind == DECIMAL_SNAN) << (f->continuation - 1);
		break;
	}
	return bits | (u128)continuation << trailing | (u128)combination << (trailing + f->continuation) |
	       (u128)d->sign << (trailing + f->continuation + 5);
}

bool decimal_is_subnormal(const struct decimal_format *f, const struct decimal *d)
{
	return d->kind == DECIMAL_FINITE && d->coefficient && d->exp + decimal_digits(d->coefficient) < f->exp_min + f->digits;
}

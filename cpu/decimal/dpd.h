/* Decimal formats: from bits to sign, coefficient and exponent, and back.
 *
 * A coefficient is densely packed: three digits in ten bits, a declet. Of the 1,024 patterns 24 are second names of
 * others; all are taken, and what is packed here has first names alone.
 *
 * Source: Power ISA 3.0B, Book I, 5.3, and its appendix on densely packed decimal.
 */
#ifndef CPU_DECIMAL_DPD_H
#define CPU_DECIMAL_DPD_H

#include <stdbool.h>
#include <stdint.h>

#include "cpu/core/vreg.h"

enum decimal_kind { DECIMAL_FINITE, DECIMAL_INF, DECIMAL_QNAN, DECIMAL_SNAN };

/* (-1)^sign * coefficient * 10^exp. What is not finite keeps the digits of its trailing field, a NaN's payload. */
struct decimal {
	enum decimal_kind kind;
	bool sign;
	int exp;
	u128 coefficient;
};

struct decimal_format {
	int digits;		/* 7, 16, 34 */
	int exp_min, exp_max;	/* of the last digit */
	int continuation;	/* bits of the exponent that stand apart from the combination field */
	int declets;
	bool pair;		/* takes two FPRs */
	int wrap;		/* exponent adjustment of a trapped over- or underflow of arithmetic */
	int wrap_narrowed;	/* the same, of this format's numbers on their way to the next shorter one */
};

extern const struct decimal_format decimal_short, decimal_long, decimal_extended;

/* Powers of ten that 128 bits hold. */
enum { POWERS_OF_TEN = 39 };
extern const u128 power_of_ten[POWERS_OF_TEN];

static inline bool decimal_is_nan(const struct decimal *d) { return d->kind >= DECIMAL_QNAN; }

/* Decimal digits of v; none of 0. */
int decimal_digits(u128 v);

/* A number in the low bits of `bits`. */
struct decimal decimal_unpack(const struct decimal_format *f, u128 bits);

/* d fits: its coefficient has at most f->digits digits (one less if it is not finite), its exponent is in range. */
u128 decimal_pack(const struct decimal_format *f, const struct decimal *d);

/* Nonzero, and smaller than the smallest number that has all digits. */
bool decimal_is_subnormal(const struct decimal_format *f, const struct decimal *d);

#endif

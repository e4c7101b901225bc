/* Decimal arithmetic: exact results, and the one routine that rounds them.
 *
 * An operation leaves a struct decimal_exact: 128 bits of coefficient, and a sticky mark for digits that lie below. Where
 * digits do lie below, the coefficient has at least two more than any format. decimal_round() then finds the format's
 * number, and of its equals the one whose exponent is closest to the ideal one.
 *
 * Source: Power ISA 3.0B, Book I, 5.5.
 */
#ifndef CPU_DECIMAL_DECIMAL_H
#define CPU_DECIMAL_DECIMAL_H

#include "cpu/decimal/dpd.h"
#include "cpu/fp/fp.h"

/* Rounding, as FPSCR[DRN]. */
enum decimal_mode {
	DECIMAL_NEAREST_EVEN, DECIMAL_TO_ZERO, DECIMAL_UP, DECIMAL_DOWN, DECIMAL_NEAREST_AWAY, DECIMAL_NEAREST_TO_ZERO,
	DECIMAL_AWAY, DECIMAL_PREPARE	/* away from zero if the last digit kept is 0 or 5, so that it can be rounded again */
};

/* DECIMAL_FINITE: yet to be rounded. Else what it says. */
struct decimal_exact {
	enum decimal_kind kind;
	bool sign, sticky;
	int exp, ideal;
	u128 coefficient;	/* up to 39 digits */
};

/* Operands are no NaNs. Raise VXISI, VXIMZ, VXIDI, VXZDZ, ZX in st. */
typedef struct decimal_exact decimal_operation(struct fp_status *st, enum decimal_mode mode, const struct decimal_format *f,
					       const struct decimal *a, const struct decimal *b);
decimal_operation decimal_add, decimal_multiply, decimal_divide;

/* Into the format, raising OX, UX, XX and setting st->rounded. With OE or UE set a result out of range comes back with an
 * exponent moved by `wrap`. */
struct decimal decimal_round(struct fp_status *st, enum decimal_mode mode, const struct decimal_format *f, int wrap,
			     const struct decimal_exact *x);

/* A finite d with the exponent `exp`, XX raised and st->rounded set. The format's digits do not suffice: VXCVI, a NaN. */
struct decimal decimal_quantize(struct fp_status *st, enum decimal_mode mode, const struct decimal_format *f,
				const struct decimal *d, int exp);

/* The first NaN, signalling ones before quiet ones, made quiet; VXSNAN for a signalling one. False: there is none. */
bool decimal_pick_nan(struct fp_status *st, const struct decimal *a, const struct decimal *b, struct decimal *result);

/* Not a number, for this reason: an FPSCR bit. */
struct decimal decimal_invalid(struct fp_status *st, uint64_t cause);

/* CR_LT 8, CR_GT 4 or CR_EQ 2. No NaNs. */
unsigned decimal_compare(const struct decimal *a, const struct decimal *b);

#endif

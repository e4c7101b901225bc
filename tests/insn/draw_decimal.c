/* Operands of decimal instructions: coefficients that round either way or carry, exponents that lie near each other, near
 * the ends, or add up to the ends; infinities, NaNs, declets by their second names.
 *
 * Formats are written here from the manual's tables once more, not by cpu/decimal.
 */
#include "draw.h"

#include <string.h>

#define MOST_DIGITS 34

struct format { int digits, exp_min, exp_max, continuation, declets; };
static const struct format formats[] = {
	{ 7, -101, 90, 6, 2 }, { 16, -398, 369, 8, 5 }, { 34, -6176, 6111, 12, 11 },
};
enum { SHORT, LONG, EXTENDED };

struct number {
	bool sign;
	enum { NUMBER, INFINITE, QUIET, SIGNALLING } kind;
	int exp;
	uint8_t digit[MOST_DIGITS];	/* the last one first */
};

static unsigned pick(unsigned n) { return (unsigned)(draw_random() % n); }
static int between(int least, int most) { return least + (int)pick((unsigned)(most - least + 1)); }

/* ---- Coefficients and exponents ---- */

static void draw_digits(struct number *n, int most)
{
	int count = pick(3) ? between(0, most) : most - (int)pick(2), zeros = pick(3) ? 0 : between(0, most);
	unsigned pattern = pick(8);

	memset(n->digit, 0, sizeof n->digit);
	for (int i = zeros; i < count; i++) {
		bool first = i == count - 1;

		n->digit[i] = pattern == 0 ? 9 : pattern == 1 ? first : pattern == 2 ? (first ? 5 : 0) :
			      pattern == 3 ? (first ? 4 : 9) : (uint8_t)pick(10);
	}
	if (!pick(4))
		n->digit[0] = (uint8_t)(pick(2) ? 5 : 1);
}

static int clamp(const struct format *f, int exp)
{
	return exp < f->exp_min ? f->exp_min : exp > f->exp_max ? f->exp_max : exp;
}

/* `base` is the case's: half of the exponents are near it, or near what makes an end of the range with it. */
static int draw_exponent(const struct format *f, int base)
{
	int near = between(-f->digits - 2, f->digits + 2);

	switch (pick(8)) {
	case 0: return clamp(f, near);
	case 1: return clamp(f, f->exp_min + (near < 0 ? -near : near));
	case 2: return clamp(f, f->exp_max - (near < 0 ? -near : near));
	case 3: return between(f->exp_min, f->exp_max);
	case 4: return clamp(f, f->exp_min - base + near);
	case 5: return clamp(f, f->exp_max - base + near);
	default: return clamp(f, base + near);
	}
}

static void draw_number(const struct format *f, int base, struct number *n)
{
	n->sign = pick(2);
	n->kind = pick(10) ? NUMBER : 1 + pick(3);
	n->exp = draw_exponent(f, base);
	draw_digits(n, f->digits);
}

/* A relative of n: it, its negative, a neighbour, the same with another exponent. */
static void vary(const struct format *f, struct number *n)
{
	switch (pick(5)) {
	case 0: n->sign = !n->sign; break;
	case 1: n->digit[pick((unsigned)f->digits)] = (uint8_t)pick(10); break;
	case 2: n->exp = clamp(f, n->exp + between(-2, 2)); break;
	case 3:
		memmove(n->digit + 1, n->digit, MOST_DIGITS - 1);
		n->digit[0] = 0;
		for (int i = f->digits; i < MOST_DIGITS; i++)
			n->digit[i] = 0;
		n->exp = clamp(f, n->exp - 1);
		break;
	}
}

/* ---- Encoding ---- */

/* The three digits a b c as ten bits: a digit below 8 keeps its three bits somewhere, a larger one its last. */
static unsigned declet(unsigned a, unsigned b, unsigned c)
{
	unsigned large = (a >> 3) << 2 | (b >> 3) << 1 | c >> 3;
	unsigned a0 = (a & 1) << 7, b0 = (b & 1) << 4, c0 = c & 1, second = pick(16) ? 0 : pick(4) << 8;

	switch (large) {
	case 0: return a << 7 | b << 4 | c;
	case 1: return a << 7 | b << 4 | 8 | c0;
	case 2: return a << 7 | (c & 6) << 4 | b0 | 10 | c0;
	case 4: return (c & 6) << 7 | a0 | b << 4 | 12 | c0;
	case 6: return (c & 6) << 7 | a0 | b0 | 14 | c0;
	case 5: return (b & 6) << 7 | a0 | 0x20 | b0 | 14 | c0;
	case 3: return a << 7 | 0x40 | b0 | 14 | c0;
	default: return second | a0 | 0x60 | b0 | 14 | c0;
	}
}

static unsigned __int128 encode(const struct format *f, const struct number *n)
{
	unsigned biased = (unsigned)(n->exp - f->exp_min), first = n->digit[f->digits - 1], combination;
	unsigned low = biased & ((1u << f->continuation) - 1), high = biased >> f->continuation;
	unsigned __int128 v = n->sign;

	combination = first < 8 ? high << 3 | first : 0x18 | high << 1 | (first & 1);
	if (n->kind != NUMBER) {
		combination = n->kind == INFINITE ? 0x1e : 0x1f;
		low = (pick(4) ? 0 : (unsigned)draw_random()) & ((1u << (f->continuation - 1)) - 1);
		low |= n->kind == SIGNALLING ? 1u << (f->continuation - 1) : 0;
	}
	v = v << 5 | combination;
	v = v << f->continuation | low;
	for (int i = f->declets - 1; i >= 0; i--)
		v = v << 10 | declet(n->digit[3 * i + 2], n->digit[3 * i + 1], n->digit[3 * i]);
	return v;
}

/* ---- Operands ---- */

static void put(uint64_t vsr[64][2], unsigned n, bool pair, unsigned __int128 v)
{
	if (pair)
		vsr[n++][0] = (uint64_t)(v >> 64);
	vsr[n][0] = (uint64_t)v;
}

#define POOL 6

/* All digits of the format. */
static void fill(const struct format *f, struct number *n)
{
	n->kind = NUMBER;
	for (int i = 0; i < f->digits; i++)
		n->digit[i] = (uint8_t)(pick(6) ? pick(10) : 9);
	n->digit[f->digits - 1] = (uint8_t)(1 + pick(9));
}

/* Half of what n counts, or next to it: a sum that lies in the middle, for n has all digits. */
static void draw_half(const struct format *f, const struct number *n, struct number *half)
{
	int zeros = between(0, f->digits - 1);

	*half = (struct number){ .sign = pick(2), .exp = clamp(f, n->exp - 1 - zeros) };
	half->digit[zeros] = (uint8_t)(pick(4) ? 5 : 4 + pick(3));
	if (zeros && !pick(3))
		half->digit[pick((unsigned)zeros)] = 1;
}

/* A factor of powers of ten: products that end in 5, quotients that end. */
static void draw_factor(const struct format *f, struct number *n)
{
	static const uint16_t factors[] = { 1, 2, 4, 5, 8, 16, 25, 32, 50, 64, 125, 128, 250, 256, 500, 512, 625 };
	unsigned v = factors[pick(sizeof factors / sizeof factors[0])];

	memset(n->digit, 0, sizeof n->digit);
	n->kind = NUMBER;
	for (int i = 0; v; i++, v /= 10)
		n->digit[i] = (uint8_t)(v % 10);
	n->exp = clamp(f, between(-4, 4));
}

static void draw_numbers(int which, unsigned ra, unsigned rb, uint64_t vsr[64][2])
{
	const struct format *f = &formats[which];
	struct number pool[POOL], n;
	int base = pick(2) ? between(f->exp_min, f->exp_max) : between(-f->digits, f->digits);

	for (unsigned i = 0; i < POOL; i++)
		draw_number(f, base, &pool[i]);
	for (unsigned i = 0; i < 32; i += which == EXTENDED ? 2 : 1) {
		n = pool[pick(POOL)];
		vary(f, &n);
		put(vsr, i, which == EXTENDED, encode(f, &n));
	}
	if (pick(3))
		return;
	/* Two that belong together, either of them first. */
	fill(f, &pool[0]);
	if (pick(2))
		draw_half(f, &pool[0], &pool[1]);
	else
		draw_factor(f, &pool[1]);
	if (pick(3) == 0)
		draw_digits(&pool[0], f->digits / 2);
	if (which == EXTENDED) {
		ra &= ~1u;
		rb &= ~1u;
	}
	put(vsr, ra, which == EXTENDED, encode(f, &pool[0]));
	put(vsr, pick(4) ? rb : ra, which == EXTENDED, encode(f, &pool[1]));
}

/* For conversions to a shorter format: near the ends of what that has. */
static void draw_narrowed(int from, int to, uint64_t vsr[64][2])
{
	const struct format *f = &formats[from], *t = &formats[to];
	int edge = pick(2) ? t->exp_min : t->exp_max;
	struct number n;

	for (unsigned i = 0; i < 32; i += from == EXTENDED ? 2 : 1) {
		if (!pick(3))
			continue;
		draw_number(f, 0, &n);
		n.exp = clamp(f, edge + between(-f->digits - 3, f->digits + 3));
		put(vsr, i, from == EXTENDED, encode(f, &n));
	}
}

/* For conversions to integers: near their limits, with digits behind the point or without. */
static void draw_integral(int which, uint64_t vsr[64][2])
{
	static const char *const limits[] = { "9223372036854775807", "9223372036854775808", "9223372036854775809",
		"170141183460469231731687303715884105727", "170141183460469231731687303715884105728" };
	const struct format *f = &formats[which];

	for (unsigned i = 0; i < 32; i += which == EXTENDED ? 2 : 1) {
		const char *limit = limits[pick(5)];
		int length = (int)strlen(limit), kept = length < f->digits ? length : f->digits, behind = 0;
		struct number n = { .sign = pick(2) };

		if (pick(3))
			continue;
		for (int d = 0; d < kept; d++)
			n.digit[kept - 1 - d] = (uint8_t)(limit[d] - '0');
		for (; kept < f->digits && pick(3); kept++, behind++) {
			memmove(n.digit + 1, n.digit, MOST_DIGITS - 1);
			n.digit[0] = (uint8_t)(pick(2) ? 5 : pick(10));
		}
		n.exp = length - (kept - behind) - behind;
		put(vsr, i, which == EXTENDED, encode(f, &n));
	}
}

static unsigned __int128 draw_bcd(unsigned bits)
{
	unsigned __int128 v = 0;
	unsigned digits = pick(2) ? bits / 4 : pick(bits / 4);

	for (unsigned i = 0; i < digits; i++)
		v = v << 4 | pick(10);
	if (pick(2))
		v = (v & ~(unsigned __int128)15) | (10 + pick(6));
	return pick(8) ? v : v ^ (unsigned __int128)pick(16) << 4 * pick(bits / 4);
}

static int64_t draw_exponent_number(const struct format *f)
{
	return pick(3) ? between(-4, f->exp_max - f->exp_min + 3) : pick(2) ? between(-5, 5) : (int64_t)draw_random();
}

void draw_decimals(const struct insn *insn, uint32_t word, uint64_t vsr[64][2])
{
	unsigned ra = word >> 16 & 31, rb = word >> 11 & 31;
	const char *name = insn->name;
	bool pair = row_has(insn, "FRBP") || row_has(insn, "FRAP");
	int which = pair ? EXTENDED : LONG;
	struct number n;

#define STARTS(s) (!strncmp(name, s, sizeof(s) - 1))
	draw_numbers(which, ra, rb, vsr);
	if (STARTS("drsp") || STARTS("drdpq"))
		draw_narrowed(which, which - 1, vsr);
	if (STARTS("dctfix"))
		draw_integral(which, vsr);
	if (STARTS("dctdp")) {
		draw_number(&formats[SHORT], 0, &n);
		vsr[rb][0] = draw_random() << 32 | (uint32_t)encode(&formats[SHORT], &n);
	}
	if (STARTS("dcffixqq"))
		vsr[32 + rb][0] = (uint64_t)((int64_t)draw_random() >> pick(64));
	else if (STARTS("dcffix"))
		vsr[rb][0] = (uint64_t)((int64_t)draw_random() >> pick(64));
	if (STARTS("denbcd"))
		put(vsr, rb, STARTS("denbcdq"), draw_bcd(STARTS("denbcdq") ? 128 : 64));
	if ((STARTS("drrnd") || STARTS("dtstsf")) && row_has(insn, "FRA"))
		vsr[ra][0] = pick(4) ? pick((unsigned)formats[which].digits + 3) : draw_random();
	if (STARTS("diex"))
		vsr[ra][0] = (uint64_t)draw_exponent_number(&formats[which]);
#undef STARTS
}

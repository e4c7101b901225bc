/* Operands of binary floating-point rows that are close to where something happens: sums that cancel or come half way
 * between two results, products and quotients at the ends of the range, roots that are exact or almost, multiply-adds
 * that leave the last bits of the product, numbers beside integers' limits, denormals, patterns of ones and zeros.
 *
 * A group of up to three operands is drawn for a format and put where the row finds them, element by element.
 */
#include "draw.h"

#include <string.h>

struct format {
	int width, fraction, bias;
};
static const struct format half = { 16, 10, 15 }, single = { 32, 23, 127 }, doubleword = { 64, 52, 1023 }, quad = { 128, 112, 16383 };

#define ONE ((u128)1)

static unsigned pick(unsigned n) { return (unsigned)(draw_random() % n); }
static int between(int least, int most) { return least + (int)pick((unsigned)(most - least + 1)); }
static u128 many_bits(void) { return (u128)draw_random() << 64 | draw_random(); }
static u128 below(int bits) { return bits >= 128 ? ~(u128)0 : (ONE << bits) - 1; }

/* A carry of the significand goes on in the exponent. */
static u128 number(const struct format *f, int exponent, u128 fraction)
{
	int biased = exponent + f->bias;

	if (biased < 1) {
		fraction = 1 - biased > f->fraction ? 1 : (fraction | ONE << f->fraction) >> (1 - biased);
		biased = 0;
	}
	return (u128)(biased > 2 * f->bias ? 2 * f->bias : biased) << f->fraction | (fraction & below(f->fraction));
}

static u128 signed_at_random(const struct format *f, u128 bits)
{
	return bits ^ (u128)(draw_random() & 1) << (f->width - 1);
}

static u128 neighbour(u128 bits) { return bits + pick(3) - 1; }

/* Half of a place where a narrower format ends, or beside that. */
static u128 half_way(const struct format *f)
{
	static const int ends[] = { 10, 23, 52, 63 };
	int end = pick(2) ? between(0, f->fraction - 1) : ends[pick(ARRAY_SIZE(ends))];
	u128 fraction = many_bits() & below(f->fraction);

	if (end >= f->fraction)
		return fraction;
	return (fraction & ~below(f->fraction - end)) | neighbour(ONE << (f->fraction - end - 1));
}

static u128 draw_fraction(const struct format *f)
{
	switch (pick(6)) {
	case 0: return 0;
	case 1: return below(f->fraction);
	case 2: return neighbour(ONE << pick((unsigned)f->fraction));
	case 3: return below(between(0, f->fraction)) << pick((unsigned)f->fraction);
	case 4: return half_way(f);
	default: return many_bits() & below(f->fraction);
	}
}

/* Beside the ends of a format's range, its own or a narrower one's, or of integers; or somewhere. */
static int draw_exponent(const struct format *f)
{
	static const int edges[] = { 0, 15, 31, 32, 63, 64, 127, 128, 1023, 1024, 16383, -14, -24, -126, -149, -1022, -1074, -16382, -16494 };

	switch (pick(3)) {
	case 0: return edges[pick(ARRAY_SIZE(edges))] + between(-2, 2);
	case 1: return between(-f->fraction - 4, f->fraction + 12);
	default: return between(-f->bias - f->fraction, f->bias);
	}
}

/* ---- Groups of operands ---- */

struct group {
	u128 x, y, z;
};

/* Significands of half the width, whose product is exact: x is that, or beside it. */
static struct group draw_product(const struct format *f)
{
	int bits = (f->fraction + 1) / 2;
	u128 a = (many_bits() & below(bits)) | ONE << (bits - 1), b = pick(2) ? a : (many_bits() & below(bits)) | ONE << (bits - 1);
	int ea = between(-f->bias / 2, f->bias / 2 - 1), eb = pick(2) ? ea : between(-f->bias / 2, f->bias / 2 - 1);
	u128 product = a * b, at = product >> (2 * bits - 1) ? 2 * (u128)bits - 1 : 2 * (u128)bits - 2;
	struct group g = {
		.x = number(f, ea, a << (f->fraction - bits + 1)),
		.y = number(f, eb, b << (f->fraction - bits + 1)),
		.z = neighbour(number(f, ea + eb + (int)at - 2 * bits + 2, product << (f->fraction - (int)at))),
	};

	return pick(2) ? g : (struct group){ .x = g.z, .y = g.y, .z = g.x };
}

static struct group draw_group(const struct format *f)
{
	int ex = draw_exponent(f), ey = draw_exponent(f), ez = draw_exponent(f);
	static const int margins[] = { 0, 1, -1, 2 };
	int end = pick(2) ? f->bias : 1 - f->bias - (int)pick((unsigned)f->fraction + 3);
	struct group g;

	switch (pick(7)) {
	case 0: break;
	case 1:		/* near each other */
		ey = ex + between(-f->fraction - 4, f->fraction + 4);
		break;
	case 2:		/* a product at an end, and an addend that tips the scales */
		ex = between(-f->bias, f->bias);
		ey = end - ex + margins[pick(ARRAY_SIZE(margins))];
		ez = pick(2) ? end : ex + ey + between(-2 * f->fraction - 4, 4);
		break;
	case 3:		/* a quotient at an end */
		ey = between(1 - f->bias, f->bias);
		ex = end + ey + margins[pick(ARRAY_SIZE(margins))];
		break;
	case 4:		/* an addend beside the product */
		ez = ex + ey + between(-2 * f->fraction - 6, f->fraction + 4);
		break;
	case 5:
		return draw_product(f);
	default:	/* equal, but for a place and the sign */
		g.x = number(f, ex, draw_fraction(f));
		g.y = neighbour(g.x);
		g.z = neighbour(g.x);
		return g;
	}
	return (struct group){ number(f, ex, draw_fraction(f)), number(f, ey, draw_fraction(f)), number(f, ez, draw_fraction(f)) };
}

/* An integer that has to be rounded, or is at a limit. */
static u128 draw_integer(int width)
{
	int bits = between(1, width);
	u128 v = many_bits() & below(bits);

	if (pick(2))
		v = (v & ~below(bits / 2)) | neighbour(bits > 1 ? ONE << (bits / 2 - 1) : 0);
	else if (pick(2))
		v = neighbour(below(bits));
	return (pick(2) ? v : -v) & below(width);
}

/* ---- Where they go ---- */

static bool named(const struct insn *insn, const char *s) { return strstr(insn->name, s) != NULL; }

static bool from_integers(const struct insn *insn)
{
	static const char *const parts[] = { "cfid", "cvsx", "cvux", "cvsd", "cvud", "cvsq", "cvuq", "vcfs", "vcfu" };

	for (unsigned i = 0; i < ARRAY_SIZE(parts); i++)
		if (named(insn, parts[i]))
			return true;
	return false;
}

/* The format of a row's operands; where its name has two, either. */
static const struct format *format_of(const struct insn *insn)
{
	bool words = insn->flags & VEC || (insn->name[1] == 'v' && named(insn, "sp"));

	if (named(insn, "cvhp"))
		return &half;
	if (named(insn, "qp"))
		return named(insn, "dp") && pick(2) ? &doubleword : &quad;
	if (words || named(insn, "cvsp"))
		return named(insn, "dp") && pick(2) ? &doubleword : &single;
	return &doubleword;
}

static u128 widen(u128 bits)
{
	uint32_t word = (uint32_t)bits, exponent = word >> 23 & 0xff;
	uint64_t sign = (uint64_t)(word >> 31) << 63;
	double d;

	if (exponent == 0) {	/* a multiple of 2^-149 */
		d = (double)(word & 0x7fffff) * 0x1p-149;
		memcpy(&sign, &d, sizeof sign);
		return sign | (u128)(word >> 31) << 63;
	}
	return sign | (uint64_t)(exponent + 896) << 52 | (uint64_t)(word & 0x7fffff) << 29;
}

/* Scalars in single precision stand in registers as doubles, and mostly are singles. */
static bool computes_singles(const struct insn *insn)
{
	size_t n = strlen(insn->name);

	return (insn->name[0] == 'f' && insn->name[n - 1] == 's' && !named(insn, "abs")) ||
	       (insn->name[0] == 'x' && insn->name[1] == 's' && insn->name[n - 1] == 'p' && insn->name[n - 2] == 's' && !named(insn, "cv"));
}

static void put(uint64_t v[2], int width, int i, u128 bits)
{
	int shift = 128 - width * (i + 1);
	u128 all = (u128)v[0] << 64 | v[1], mask = below(width) << shift;

	all = (all & ~mask) | (bits << shift & mask);
	v[0] = (uint64_t)(all >> 64);
	v[1] = (uint64_t)all;
}

/* The registers that the row's operands name, the addend or divisor second to last. */
static unsigned find_operands(const struct insn *insn, uint32_t word, unsigned reg[3])
{
	static const struct { const char *token; uint8_t shift, sixth; } operands[] = {	/* sixth: its bit, 32: is 0, 33: is 1 */
		{ "FRA", 16, 32 }, { "FRC", 6, 32 }, { "FRB", 11, 32 }, { "VRA", 16, 33 }, { "VRC", 6, 33 }, { "VRB", 11, 33 },
		{ "XA", 16, 2 }, { "XB", 11, 1 }, { "XT", 21, 0 },
	};
	uint64_t bits = word | UINT64_C(1) << 33;
	unsigned n = 0;

	for (unsigned i = 0; i < ARRAY_SIZE(operands) && n < 3; i++)
		if (row_has(insn, operands[i].token))
			reg[n++] = (bits >> operands[i].shift & 31) | (unsigned)(bits >> operands[i].sixth & 1) << 5;
	if (n == 2 && named(insn, "qp") && row_has(insn, "VRT"))
		reg[n++] = 32 + (word >> 21 & 31);
	return n;
}

void draw_occurred(struct state *s)
{
	if (!pick(4))
		s->fpscr |= draw_random() & draw_random() & 0x9ff807f8;
}

void draw_floats(const struct insn *insn, uint32_t word, uint64_t vsr[64][2])
{
	const struct format *f = format_of(insn);
	unsigned reg[3], n = find_operands(insn, word, reg);
	bool integers = from_integers(insn), narrow = !integers && computes_singles(insn) && pick(4);

	/* In one of four cases, what is drawn for all rows. */
	if (!pick(4) || !n)
		return;
	if (narrow)
		f = &single;
	for (int i = 0; i < (narrow ? 1 : 128 / f->width); i++) {
		struct group g = draw_group(f);
		u128 value[3] = { signed_at_random(f, g.x), signed_at_random(f, g.y), signed_at_random(f, g.z) };
		bool swap = n == 3 && pick(2);

		for (unsigned k = 0; k < n; k++) {
			u128 v = integers ? draw_integer(f->width) : value[swap && k ? 3 - k : k];

			if (!pick(16))	/* what was there: a NaN, an infinity ... */
				continue;
			put(vsr[reg[k]], narrow ? 64 : f->width, i, narrow ? widen(v) : v);
		}
	}
}

/* Draws cases of an instruction. Not drawn, because the Power ISA leaves open what they do:
 * invalid forms, reserved bits, enabled exceptions that have occurred already (whatever comes
 * next would trap), values that the facility never holds.
 */
#include "draw.h"

#include <string.h>

/* ---- Random values that matter ---- */

static _Thread_local uint64_t rng_state;

void draw_seed(uint64_t seed) { rng_state = seed; }

/* splitmix64 */
static uint64_t rnd(void)
{
	uint64_t z = rng_state += UINT64_C(0x9e3779b97f4a7c15);

	z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
	return z ^ z >> 31;
}

uint64_t draw_random(void) { return rnd(); }

static unsigned pick(unsigned n) { return (unsigned)(rnd() % n); }

static uint64_t bits_of(double d)
{
	uint64_t v;

	memcpy(&v, &d, sizeof v);
	return v;
}

static uint64_t draw_integer(void)
{
	static const uint64_t edge[] = { 0, 1, 2, 0x7f, 0x80, 0xff, 0x7fff, 0x8000, 0xffff, 0x7fffffff, 0x80000000,
		0xffffffff, 0x100000000, INT64_MAX, UINT64_C(1) << 63, UINT64_MAX, UINT64_C(0xffffffff80000000),
		UINT64_C(0xffffffff00000000), 0x3f, 0x40, 0x1f, 0x20 };

	switch (pick(4)) {
	case 0: return edge[pick(ARRAY_SIZE(edge))];
	case 1: return rnd() >> pick(64);
	case 2: return (uint64_t)((int64_t)rnd() >> pick(64));
	default: return rnd();
	}
}

static uint32_t draw_float32(void)
{
	static const uint32_t edge[] = { 0, 0x3f800000, 0x7f800000, 0x7fc00000, 0x7f800001, 0x7fa01234, 0x7f7fffff,
		0x00800000, 0x007fffff, 1, 0x4effffff, 0x4f000000, 0x4f800000, 0x5f000000, 0x3f000000, 0x3fc00000 };
	uint32_t sign = (uint32_t)rnd() << 31;

	switch (pick(4)) {
	case 0: return sign | edge[pick(ARRAY_SIZE(edge))];
	case 1: return sign | (100 + pick(56)) << 23 | (uint32_t)(rnd() & 0x7fffff);
	case 2: return sign | (127 + pick(24)) << 23 | (uint32_t)(rnd() << pick(24) & 0x7fffff);
	default: return (uint32_t)rnd();
	}
}

static uint64_t widen(uint32_t single)
{
	float f;
	uint64_t nan = (uint64_t)(single >> 31) << 63 | UINT64_C(0x7ff) << 52 | (uint64_t)(single & 0x7fffff) << 29;

	memcpy(&f, &single, sizeof f);
	return (single & 0x7fffffff) > 0x7f800000 ? nan : bits_of((double)f);
}

static uint64_t draw_float64(void)
{
	static const uint64_t edge[] = { 0, UINT64_C(0x3ff0000000000000), UINT64_C(0x7ff0000000000000),
		UINT64_C(0x7ff8000000000000), UINT64_C(0x7ff0000000000001), UINT64_C(0x7ff4000000001234),
		UINT64_C(0x7fefffffffffffff), UINT64_C(0x0010000000000000), UINT64_C(0x000fffffffffffff), 1,
		UINT64_C(0x47efffffe0000000), UINT64_C(0x47efffffefffffff), UINT64_C(0x3810000000000000),
		UINT64_C(0x36a0000000000000), UINT64_C(0x3690000000000000), UINT64_C(0x41dfffffffc00000),
		UINT64_C(0x43e0000000000000), UINT64_C(0x43f0000000000000), UINT64_C(0x41e0000000000000),
		UINT64_C(0x3fe0000000000000), UINT64_C(0x3ff8000000000000), UINT64_C(0x4330000000000001) };
	const uint64_t fraction = UINT64_C(0xfffffffffffff);
	uint64_t sign = rnd() << 63;

	switch (pick(9)) {
	case 8: return sign;
	case 0: case 1: return sign | edge[pick(ARRAY_SIZE(edge))];
	case 2: return rnd();
	case 3: case 4: return widen(draw_float32());
	case 5: return sign | (uint64_t)(1023 + pick(70)) << 52 | (rnd() << pick(52) & fraction);
	case 6: return sign | (uint64_t)(860 + pick(300)) << 52 | (rnd() << pick(52) & fraction);
	default: return bits_of((double)(int64_t)draw_integer());
	}
}

static void draw_float128(uint64_t v[2])
{
	static const uint16_t exponent[] = { 0, 1, 0x7fff, 0x7ffe, 0x3fff, 0x3ffe, 0x4000, 0x403e, 0x403f, 0x401e, 0x401f,
		0x43ff, 0x43fe, 0x3c01, 0x3c00, 0x3bcd };
	uint64_t fraction = rnd() & UINT64_C(0xffffffffffff), low = rnd(), exp;

	switch (pick(4)) {
	case 0: fraction = 0; low = 0; break;
	case 1: fraction = pick(2) ? UINT64_C(0x800000000000) : fraction << pick(48) & UINT64_C(0xffffffffffff); low = 0; break;
	case 2: low = low << pick(64); break;
	}
	exp = pick(3) ? 0x3fff - 60 + pick(190) : exponent[pick(ARRAY_SIZE(exponent))];
	v[0] = rnd() << 63 | exp << 48 | fraction;
	v[1] = low;
}

/* A decimal number, with a sign in its last digit or without; one in four has something wrong. */
static void draw_decimal(uint64_t v[2], bool is_signed)
{
	unsigned digits = pick(3) ? pick(32) : 31 * pick(2);

	v[0] = v[1] = 0;
	for (unsigned i = 0; i < digits; i++) {
		unsigned shift = 4 * (i + 1);

		v[shift >= 64 ? 0 : 1] |= (uint64_t)(pick(5) ? pick(10) : 9) << (shift & 63);
	}
	v[1] |= is_signed ? 10 + pick(6) : pick(10);
	if (!pick(4))
		v[pick(2)] ^= (uint64_t)pick(16) << 4 * pick(16);
}

static uint64_t draw_half(void)
{
	static const uint16_t edge[] = { 0, 0x3c00, 0x7c00, 0x7e00, 0x7c01, 0x7d55, 0x7bff, 0x0400, 0x03ff, 1, 0x3800, 0x3e00 };
	uint16_t sign = (uint16_t)(rnd() << 15);

	switch (pick(4)) {
	case 0: return sign | edge[pick(ARRAY_SIZE(edge))];
	case 1: return (uint16_t)rnd();
	default: return sign | (uint16_t)((10 + pick(10)) << 10) | (uint16_t)(rnd() << pick(10) & 0x3ff);
	}
}

/* Zero, or such that no product is beyond a single's normal range. */
static uint64_t near_bfloat(void)
{
	uint16_t sign = (uint16_t)(rnd() << 15);

	return pick(6) ? sign | (uint16_t)((pick(3) ? 120 + pick(16) : 64 + pick(126)) << 7) | (uint16_t)(rnd() & 127) : sign;
}

/* Four of them. */
static uint64_t draw_halves(bool bfloat)
{
	bool near = pick(4);
	uint64_t v = 0;

	for (unsigned i = 0; i < 4; i++)
		v = v << 16 | (!bfloat ? draw_half() : near ? near_bfloat() : draw_float32() >> 16);
	return v;
}

/* Integers of a nibble, a byte or a half: often all alike and the smallest or the largest. */
static uint64_t draw_parts(void)
{
	static const uint16_t edge[] = { 0x8000, 0x8000, 0x7fff, 0x8080, 0x7f7f, 0x8888, 0x7777, 0xffff, 0, 1 };

	return pick(3) ? edge[pick(ARRAY_SIZE(edge))] * UINT64_C(0x0001000100010001) : draw_integer();
}

/* ---- Kinds of vector ---- */

/* Those behind ANY are not taken by chance. */
enum kind { INTEGERS, DOUBLES, SINGLES, QUADS, UNSIGNED_DECIMALS, DECIMALS, ANY, HALVES, BFLOATS, PARTS };

static bool starts(const struct insn *insn, const char *s) { return !strncmp(insn->name, s, strlen(s)); }
static bool is(const struct insn *insn, const char *name) { return !strcmp(insn->name, name); }
static bool named(const struct insn *insn, const char *s) { return strstr(insn->name, s) != NULL; }

static enum kind kind_of(const struct insn *insn)
{
	if (starts(insn, "bcdu") || starts(insn, "vmul10"))
		return UNSIGNED_DECIMALS;
	if (starts(insn, "bcd"))
		return DECIMALS;
	if (row_has(insn, "AT") && insn->unit == VX)
		return PARTS;
	if (insn->unit != FP && insn->unit != FDIV)
		return ANY;
	if (named(insn, "qp"))
		return QUADS;
	if (named(insn, "f16ger"))
		return named(insn, "bf16ger") ? BFLOATS : HALVES;
	if (named(insn, "f32ger"))
		return SINGLES;
	if (insn->flags & VEC || (starts(insn, "xv") && named(insn, "sp")))
		return SINGLES;
	return DOUBLES;
}

static void draw_vector(enum kind kind, uint64_t v[2])
{
	if (!pick(6))
		kind = pick(ANY);
	if (kind == ANY)
		kind = pick(UNSIGNED_DECIMALS);
	if ((kind == HALVES || kind == BFLOATS) && !pick(3))
		kind = SINGLES;		/* for the accumulator */
	switch (kind) {
	case DOUBLES:
		v[0] = draw_float64();
		v[1] = pick(8) ? draw_float64() : 0;
		break;
	case SINGLES:
		v[0] = (uint64_t)draw_float32() << 32 | draw_float32();
		v[1] = (uint64_t)draw_float32() << 32 | draw_float32();
		break;
	case QUADS:
		draw_float128(v);
		break;
	case HALVES:
	case BFLOATS:
		v[0] = draw_halves(kind == BFLOATS);
		v[1] = draw_halves(kind == BFLOATS);
		break;
	case PARTS:
		v[0] = draw_parts();
		v[1] = draw_parts();
		break;
	case UNSIGNED_DECIMALS:
	case DECIMALS:
		draw_decimal(v, kind == DECIMALS);
		break;
	default:
		v[0] = draw_integer();
		v[1] = draw_integer();
		break;
	}
}

/* A few values and their relatives, so that two operands are often equal, opposite or near. */
#define POOL 8

static void draw_vsrs(enum kind kind, uint64_t vsr[64][2])
{
	uint64_t pool[POOL][2];

	for (unsigned i = 0; i < POOL; i++)
		draw_vector(kind, pool[i]);
	for (unsigned i = 0; i < 64; i++) {
		uint64_t *v = vsr[i];

		if (pick(4) == 0) {
			draw_vector(kind, v);
			continue;
		}
		memcpy(v, pool[pick(POOL)], sizeof pool[0]);
		switch (pick(5)) {
		case 0: v[0] ^= UINT64_C(1) << 63; break;
		case 1: v[pick(2)] ^= UINT64_C(1) << pick(64); break;
		case 2: v[pick(2)] += pick(2) ? 1 : UINT64_MAX; break;
		}
	}
}

static void draw_gprs(uint64_t r[32])
{
	uint64_t pool[POOL];

	for (unsigned i = 0; i < POOL; i++)
		pool[i] = draw_integer();
	for (unsigned i = 0; i < 32; i++)
		r[i] = pick(3) ? draw_integer() : pool[pick(POOL)] + (uint64_t)(pick(3) - 1);
}

/* ---- Status registers ---- */

#define FPSCR_STICKY   UINT64_C(0x9ff80700)	/* FX and the exceptions */
#define FPSCR_RESULT   UINT64_C(0x0007f000)	/* FR, FI, FPRF */
#define FPSCR_VX_ALL   UINT64_C(0x01f80700)
#define FPSCR_DRN_BITS (UINT64_C(7) << 32)

/* Enabled exceptions have not occurred. */
static uint64_t draw_fpscr(void)
{
	uint64_t v = rnd() & 3, enables;

	if (pick(2))
		v |= rnd() & rnd() & FPSCR_STICKY;
	if (pick(2))
		v |= rnd() & (FPSCR_RESULT | FPSCR_DRN_BITS);
	if (pick(4))
		return v;
	enables = pick(2) ? rnd() & 0xf8 : 8u << pick(5);
	if (v & FPSCR_VX_ALL)
		enables &= ~UINT64_C(0x80);
	v &= ~FPSCR_DRN_BITS;	/* qemu-user's signal frame has no room for them */
	return v | (enables & ~(v >> 22));
}

static void draw_status(const struct insn *insn, struct state *s)
{
	s->cr = (uint32_t)rnd();
	s->xer = rnd() & (is(insn, "lswx") ? 0xe00c003f : 0xe00c007f);	/* some registers must stay */
	s->fpscr = draw_fpscr();
	s->vscr = rnd() & 1;
	if (insn->flags & VEC && insn->unit == FP && pick(2))
		s->vscr |= 0x10000;
	if (insn->unit == DFP)
		s->fpscr = (s->fpscr & ~FPSCR_DRN_BITS) | (rnd() & FPSCR_DRN_BITS);
}

/* ---- Words ---- */

static unsigned rt_of(uint32_t word) { return word >> 21 & 31; }
static unsigned ra_of(uint32_t word) { return word >> 16 & 31; }
static unsigned rb_of(uint32_t word) { return word >> 11 & 31; }

bool row_has(const struct insn *insn, const char *token)
{
	size_t n = strlen(token);

	for (const char *p = insn->operands; (p = strstr(p, token)); p += n)
		if ((p == insn->operands || strchr(",(", p[-1])) && strchr(",()", p[n]))
			return true;
	return false;
}

/* Register r is one of the n from rt on, modulo 32. */
static bool within(unsigned r, unsigned rt, unsigned n) { return ((r - rt) & 31) < n; }

/* Loads of several registers may not hit those that form the address. */
static bool valid_multiple(const struct insn *insn, uint32_t word, const struct state *s)
{
	unsigned rt = rt_of(word), ra = ra_of(word), rb = rb_of(word), bytes;

	if (is(insn, "lmw"))
		return !within(ra, rt, 32 - rt);
	if (is(insn, "lswi"))
		return !within(ra, rt, rb ? (rb + 3) / 4 : 8);
	bytes = s->xer & 127;
	if (is(insn, "lswx"))
		return rt != ra && rt != rb && !within(ra, rt, (bytes + 3) / 4) && !within(rb, rt, (bytes + 3) / 4);
	return true;
}

/* A factor lies in the accumulator. */
static bool outer_product_of_itself(const struct insn *insn, uint32_t word)
{
	unsigned acc = 4 * (word >> 23 & 7), xa = ra_of(word) | (word >> 2 & 1) << 5, xb = rb_of(word) | (word >> 1 & 1) << 5;

	return (row_has(insn, "XA") || row_has(insn, "XAP")) && (xa - acc < 4 || xb - acc < 4);
}

static bool valid_form(const struct insn *insn, uint32_t word, const struct state *s)
{
	unsigned rt = rt_of(word), ra = ra_of(word), rb = rb_of(word);

	if (insn->flags & UPD && (ra == 0 || (ra == rt && row_has(insn, "RT"))))
		return false;
	if (is(insn, "lq") || is(insn, "plq") || is(insn, "lqarx"))
		return !(rt & 1) && ra != rt && (!is(insn, "lqarx") || rb != rt);
	if (is(insn, "stq") || is(insn, "pstq") || is(insn, "stqcx") || starts(insn, "lfdp") || starts(insn, "stfdp"))
		return !(rt & 1);
	if (starts(insn, "xxgenpcv") && ra_of(word) > 3)
		return !pick(8);	/* invalid on both sides */
	if (is(insn, "mfocrf") || is(insn, "mtocrf"))
		return __builtin_popcount(word >> 12 & 0xff) == 1;
	if (row_has(insn, "AT") && outer_product_of_itself(insn, word))
		return false;
	return valid_multiple(insn, word, s);
}

/* A displacement is of any size. */
static uint64_t draw_displacement(void) { return (uint64_t)((int64_t)rnd() >> (30 + pick(34))); }

static uint64_t with_displacement(uint64_t word, uint64_t d)
{
	return (word & ~UINT64_C(0x3ffff0000ffff)) | (d >> 16 & 0x3ffff) << 32 | (d & 0xffff);
}

/* Reserved bits stay zero: only operand, Rc and OE bits are drawn. */
static uint64_t draw_word(const struct insn *insn, const struct state *s)
{
	uint64_t word;

	do {
		word = insn->match | (rnd() & decode_operand_bits(insn) & ~insn->mask);
		if (row_has(insn, "D34") || row_has(insn, "SI34"))
			word = with_displacement(word, draw_displacement());
		if (word & INSN_R && row_has(insn, "PCREL"))
			word &= ~UINT64_C(0x1f0000);
	} while (insn_lookup_at(word, insn->since) != insn || !valid_form(insn, (uint32_t)word, s));
	return word;
}

/* ---- Addresses ---- */

static int64_t displacement(const struct insn *insn, uint32_t word)
{
	if (row_has(insn, "DS"))
		return (int16_t)(word & 0xfffc);
	if (row_has(insn, "DQ"))
		return (int16_t)(word & 0xfff0);
	if (row_has(insn, "HD"))
		return 8 * (int64_t)(rt_of(word) | (word & 1) << 5) - 512;
	return row_has(insn, "D") ? (int16_t)word : 0;
}

static bool ends(const struct insn *insn, const char *s)
{
	size_t n = strlen(insn->name), len = strlen(s);

	return n >= len && !strcmp(insn->name + n - len, s);
}

/* These may or may not raise an alignment interrupt, or do anything. */
static bool must_align(const struct insn *insn)
{
	return is(insn, "lq") || is(insn, "stq") || is(insn, "lqarx") || (starts(insn, "st") && ends(insn, "cx"));
}

/* Somewhere in the case's memory with 128 bytes to spare; half of the time aligned. */
static uint64_t draw_address(const struct insn *insn)
{
	uint64_t target = MEM_ADDR + 128 + pick(192);

	return pick(2) || must_align(insn) ? target & ~UINT64_C(15) : target;
}

/* Makes (RA|0) + RB the target. */
static void aim_indexed(struct testcase *c, uint64_t target)
{
	unsigned ra = ra_of(c->word), rb = rb_of(c->word);
	uint64_t *r = c->state.r;

	if (ra)
		r[ra] = ra == rb ? target / 2 : pick(2) ? rnd() : pick(16384);
	if (ra != rb || !ra)
		r[rb] = target - (ra ? r[ra] : 0);
}

/* lxvl and kin: RA is the address, RB's first byte the length. */
static bool aim_length(struct testcase *c, uint64_t target)
{
	unsigned ra = ra_of(c->word), rb = rb_of(c->word);

	if (ra == 0 || ra == rb)
		return false;
	c->state.r[ra] = target;
	c->state.r[rb] = (uint64_t)(pick(8) ? pick(20) : pick(256)) << 56 | rnd() >> 8;
	return true;
}

/* The displacement leads there from nothing, or from the instruction itself; else RA does from there. */
static bool aim_prefixed(struct testcase *c, uint64_t target)
{
	uint64_t insn = (uint64_t)c->prefix << 32 | c->word;
	unsigned ra = ra_of(c->word);

	if (ra) {
		c->state.r[ra] = target - (uint64_t)insn_displacement(insn);
		return true;
	}
	insn = with_displacement(insn, insn & INSN_R ? target - (CODE_ADDR + 4) : target);
	c->prefix = (uint32_t)(insn >> 32);
	c->word = (uint32_t)insn;
	return true;
}

/* Gives the instruction an address inside the case's memory; false: try another word. */
static bool aim(const struct insn *insn, struct testcase *c)
{
	unsigned ra = ra_of(c->word);
	uint64_t target = draw_address(insn);

	if (is(insn, "lxvl") || is(insn, "lxvll") || is(insn, "stxvl") || is(insn, "stxvll"))
		return aim_length(c, target);
	if (c->prefix)
		return aim_prefixed(c, target);
	if (row_has(insn, "RB")) {
		aim_indexed(c, target);
		return true;
	}
	c->state.r[ra] = target - (uint64_t)displacement(insn, c->word);
	return ra != 0;
}

/* ---- The whole case ---- */

static void draw_memory(uint64_t mem[MEM_BYTES / 8])
{
	for (unsigned i = 0; i < MEM_BYTES / 8; i++) {
		switch (pick(4)) {
		case 0: mem[i] = draw_float64(); break;
		case 1: mem[i] = (uint64_t)draw_float32() << 32 | draw_float32(); break;
		default: mem[i] = rnd(); break;
		}
	}
}

/* What has to run before: mostly, a store conditional gets a reservation for its address, in
 * registers that it does not use; and what hashchk looks for has been stored. */
static uint32_t draw_before(const struct insn *insn, uint32_t word)
{
	static const struct { const char *name; uint16_t xo; } reserve[] = {
		{ "stbcx", 52 }, { "sthcx", 116 }, { "stwcx", 20 }, { "stdcx", 84 }, { "stqcx", 276 } };
	unsigned rt;

	if (is(insn, "hashchk") && pick(4))
		return word ^ (754 ^ 722) << 1;		/* hashst */
	for (unsigned i = 0; i < ARRAY_SIZE(reserve); i++) {
		if (!is(insn, reserve[i].name) || !pick(4))
			continue;
		do
			rt = 2 * pick(16);
		while (within(ra_of(word), rt, 2) || within(rb_of(word), rt, 2) || within(rt_of(word), rt, 2));
		return 0x7c000000 | rt << 21 | (word & 0x1ff800) | (uint32_t)reserve[i].xo << 1;
	}
	return NOP;
}

/* VRA's doubleword 0 ends in the shift count of bcds and bcdus, the length of bcdtrunc. */
static void draw_shift(uint64_t v[2])
{
	v[0] = (v[0] & ~UINT64_C(0xffff)) | (uint16_t)(pick(71) - 35);
}

/* vclrlb and vclrrb: RB is a number of bytes; vins*x: RA is one of a byte. */
static void draw_index(const struct insn *insn, struct testcase *c)
{
	if (starts(insn, "vclr") && pick(8))
		c->state.r[rb_of(c->word)] = pick(20);
	if (starts(insn, "vins") && row_has(insn, "RA") && pick(8))
		c->state.r[ra_of(c->word)] = pick(16);
}

static bool accept(const struct insn *insn, struct testcase *c, uint32_t prefix, uint32_t word)
{
	c->word = word;
	c->prefix = prefix;
	return !(insn->flags & MEM) || aim(insn, c);
}

/* The word of the case before, unless it would be invalid with these operands. */
static bool accept_again(const struct insn *insn, struct testcase *c, const struct testcase *like)
{
	draw_gprs(c->state.r);
	return valid_form(insn, like->word, &c->state) && accept(insn, c, like->prefix, like->word);
}

static void draw_instruction(const struct insn *insn, struct testcase *c)
{
	uint64_t word;

	do {
		draw_gprs(c->state.r);
		word = draw_word(insn, &c->state);
	} while (!accept(insn, c, (uint32_t)(word >> 32), (uint32_t)word));
}

/* Or stores them: some operand's name says so. */
static bool takes_vectors(const struct insn *insn)
{
	return strpbrk(insn->operands, "VX") || strstr(insn->operands, "FR") || row_has(insn, "AT") || row_has(insn, "AS");
}

void draw_case(const struct insn *insn, struct testcase *c, const struct testcase *like)
{
	struct state *s = &c->state;

	if (like)
		*s = like->state;
	c->outcome = RAN;
	if (!like || takes_vectors(insn))
		draw_vsrs(kind_of(insn), s->vsr);
	if (!like || insn->flags & MEM)
		draw_memory(s->mem);
	draw_status(insn, s);
	if (like && !accept_again(insn, c, like))
		like = NULL;
	if (!like)
		draw_instruction(insn, c);
	if ((starts(insn, "bcds") || starts(insn, "bcdt") || starts(insn, "bcdu")) && row_has(insn, "VRA") && pick(8))
		draw_shift(s->vsr[32 + ra_of(c->word)]);
	draw_index(insn, c);
	if (insn->unit == DFP)
		draw_decimals(insn, c->word, s->vsr);
	if (insn->unit == FP || insn->unit == FDIV)
		draw_floats(insn, c->word, s->vsr);
	c->before = like ? like->before : draw_before(insn, c->word);
}

/* exceptions.list: reads it and applies it. */
#include <fnmatch.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "compare.h"
#include "cpu/fp/fp.h"
#include "draw.h"

struct exception {
	char name[48], field[32], when[48];
	unsigned line, used;
};

#define MAX_LINES 256

struct exceptions {
	unsigned n;
	struct exception row[MAX_LINES];
	const struct insn *insn;	/* the lines below name it */
	unsigned nmatching;
	struct exception *matching[MAX_LINES];
};

/* ---- What operands are ---- */

static unsigned rt_of(const struct view *v) { return v->in->word >> 21 & 31; }
static unsigned ra_of(const struct view *v) { return v->in->word >> 16 & 31; }
static unsigned rb_of(const struct view *v) { return v->in->word >> 11 & 31; }
static unsigned xt_of(const struct view *v) { return rt_of(v) | (v->in->word & 1) << 5; }

static bool is_vector(const struct view *v) { return !strncmp(v->insn->name, "xv", 2); }
static bool is_single(const struct view *v) { return strstr(v->insn->name, "sp") != NULL; }
static bool is_quad(const struct view *v) { return strstr(v->insn->name, "qp") != NULL; }

/* The floating-point target's register. */
static unsigned target_of(const struct view *v)
{
	return v->insn->flags & FPU ? rt_of(v) : strstr(v->insn->operands, "VRT") ? 32 + rt_of(v) : xt_of(v);
}

/* Source operands in vector-scalar registers; XT is one in the multiply-adds. */
static const struct { const char *token; uint8_t shift, sixth; } sources[] = {	/* sixth: its bit, 32: is 0, 33: is 1 */
	{ "FRA", 16, 32 }, { "FRB", 11, 32 }, { "FRC", 6, 32 }, { "VRA", 16, 33 }, { "VRB", 11, 33 }, { "VRC", 6, 33 },
	{ "XA", 16, 2 }, { "XB", 11, 1 }, { "XT", 21, 0 },
};

/* Some source operand passes the test. */
static bool some_operand(const struct view *v, bool (*test)(const uint64_t *d))
{
	uint64_t word = v->in->word | UINT64_C(1) << 33;

	for (unsigned i = 0; i < ARRAY_SIZE(sources); i++) {
		unsigned n = (word >> sources[i].shift & 31) | (word >> sources[i].sixth & 1) << 5;

		if (row_has(v->insn, sources[i].token) && test(v->in->state.vsr[n]))
			return true;
	}
	return false;
}

static unsigned exponent(uint64_t d) { return d >> 52 & 0x7ff; }

/* A double that single format would have as a denormal. */
static bool is_single_denormal(uint64_t d) { return exponent(d) && exponent(d) < 897; }

static bool zero_word(uint64_t d) { return !(d << 33) || !(d >> 32 << 33); }
static bool has_zero(const uint64_t *d) { return !(d[0] << 1) || !(d[1] << 1) || zero_word(d[0]) || zero_word(d[1]); }
static bool has_nan(const uint64_t *d) { return d[0] << 1 > UINT64_C(0x7ff) << 53; }
static bool has_small(const uint64_t *d) { return is_single_denormal(d[0]); }

/* A number that single format does not have. */
static bool has_wide(const uint64_t *d)
{
	return exponent(d[0]) != 0x7ff && d[0] << 1 && (d[0] << 35 || exponent(d[0]) < 897 || exponent(d[0]) > 1150);
}

/* Of a double. */
static bool has_huge(const uint64_t *d) { return exponent(d[0]) != 0x7ff && exponent(d[0]) > 1023 + 127; }

/* No signed decimal number. */
static bool has_bad_digit(const uint64_t *d)
{
	for (unsigned i = 0; i < 31; i++)
		if ((d[i < 16 ? 0 : 1] >> (60 - 4 * (i & 15)) & 15) > 9)
			return true;
	return (d[1] & 15) < 10;
}

static u128 magnitude(uint64_t r) { return r >> 63 ? -r : r; }

/* ---- When a line applies ---- */

static bool when_trapped(const struct view *v) { return v->want->outcome != RAN || v->got->outcome != RAN; }
static bool when_alignment(const struct view *v) { return v->got->outcome == ALIGNMENT; }
static bool when_refused(const struct view *v) { return v->later && v->want->outcome == ILLEGAL && v->got->outcome == RAN; }
static bool when_lax(const struct view *v) { return v->later && v->want->outcome == RAN && v->got->outcome == ILLEGAL; }
static bool when_reserved(const struct view *v) { return v->in->before != NOP; }
static bool when_nan(const struct view *v) { return some_operand(v, has_nan); }
static bool when_zero(const struct view *v) { return some_operand(v, has_zero); }
static bool when_small(const struct view *v) { return some_operand(v, has_small); }
static bool when_wide(const struct view *v) { return some_operand(v, has_wide); }
static bool when_huge(const struct view *v) { return some_operand(v, has_huge); }
static bool when_digits(const struct view *v) { return some_operand(v, has_bad_digit); }
static bool when_denormal(const struct view *v) { return is_single_denormal(v->got->state.vsr[target_of(v)][0]); }
static bool when_null(const struct view *v)
{
	const uint64_t *d = v->got->state.vsr[32 + rt_of(v)];

	return !d[0] && !(d[1] >> 4);
}
static bool when_same(const struct view *v) { return rt_of(v) == rb_of(v); }
static bool when_ffff(const struct view *v) { return (uint16_t)v->in->state.vsr[32 + ra_of(v)][0] == 0xffff; }
static bool when_far(const struct view *v) { return (uint8_t)(v->in->state.vsr[32 + ra_of(v)][0] + 31) > 62; }
static bool when_quotient(const struct view *v)
{
	return magnitude(v->in->state.r[rb_of(v)]) <= 2 * magnitude(v->in->state.r[ra_of(v)]);
}

static bool when_undefined(const struct view *v)
{
	uint64_t a = v->in->state.r[ra_of(v)], b = v->in->state.r[rb_of(v)];
	bool is_unsigned = v->insn->name[strlen(v->insn->name) - 1] == 'u';

	if (v->insn->name[3] == 'w')
		return !(uint32_t)b || (!is_unsigned && (uint32_t)b == UINT32_MAX && (uint32_t)a == 0x80000000);
	return !b || (!is_unsigned && b == UINT64_MAX && a == PPC_BIT(0));
}

static u128 quad_of(const uint64_t *d) { return (u128)d[0] << 64 | d[1]; }
static u128 quad_magnitude(u128 q) { return q >> 127 ? -q : q; }

/* CR6 says that an operand is no decimal number of its kind. */
static bool when_invalid(const struct view *v) { return (v->got->state.cr >> 4 & 15) == 1; }

/* VRA and VRB are zeros of quad format. */
static bool when_zeros(const struct view *v)
{
	return !(quad_of(v->in->state.vsr[32 + ra_of(v)]) << 1) && !(quad_of(v->in->state.vsr[32 + rb_of(v)]) << 1);
}

/* VRB is a quad whose exponent, moved by 1536, is still none of a normal double; a step less, as it may be rounded up. */
static bool when_beyond(const struct view *v)
{
	int e = (int)(v->in->state.vsr[32 + rb_of(v)][0] >> 48 & 0x7fff) - 16383;

	return e < -1022 - 1536 || e >= 1023 + 1536;
}

/* VRA with 128 zeros behind it, divided by VRB, does not fit in 128 bits. */
static bool when_large(const struct view *v)
{
	u128 a = quad_of(v->in->state.vsr[32 + ra_of(v)]), b = quad_of(v->in->state.vsr[32 + rb_of(v)]);

	return strchr(v->insn->name, 'u') ? a >= b : 2 * quad_magnitude(a) >= quad_magnitude(b) || quad_magnitude(a) >> 126;
}

/* A doubleword that a decimal number begins with is an infinity or a NaN. */
static bool has_special(const uint64_t *d) { return (d[0] >> 59 & 15) == 15; }

static bool when_special(const struct view *v)
{
	return has_special(v->in->state.vsr[ra_of(v)]) || has_special(v->in->state.vsr[rb_of(v)]);
}

static bool when_limit(const struct view *v)
{
	uint64_t result = v->got->state.vsr[rt_of(v)][0];

	return result == INT64_MAX || result == PPC_BIT(0);
}

/* The oracle's integer of 128 bits has another sign than the decimal number. */
static bool when_wraps(const struct view *v)
{
	return (v->want->state.vsr[32 + rt_of(v)][0] ^ v->in->state.vsr[rb_of(v)][0]) >> 63;
}

/* The product of a bfloat16 with others like it may not be a normal single. */
static bool is_far16(uint64_t h)
{
	unsigned exponent16 = h >> 7 & 255;

	return h << 49 && (exponent16 < 64 || exponent16 > 189);
}

static bool when_range(const struct view *v)
{
	unsigned xa = ra_of(v) | (v->in->word >> 2 & 1) << 5, xb = rb_of(v) | (v->in->word >> 1 & 1) << 5;

	for (unsigned i = 0; i < 8; i++)
		if (is_far16(v->in->state.vsr[xa][i / 4] >> 16 * (i % 4)) || is_far16(v->in->state.vsr[xb][i / 4] >> 16 * (i % 4)))
			return true;
	return false;
}

/* VRT differs in words alone that are the least normal number on the oracle, and 0 with the same sign on cede, in non-Java mode. */
static bool when_least(const struct view *v)
{
	const uint64_t *want = v->want->state.vsr[32 + rt_of(v)], *got = v->got->state.vsr[32 + rt_of(v)];

	for (unsigned i = 0; i < 4; i++) {
		uint32_t theirs = (uint32_t)(want[i / 2] >> 32 * (i % 2)), ours = (uint32_t)(got[i / 2] >> 32 * (i % 2));

		if (theirs != ours && (ours << 1 || theirs != (ours | 0x00800000)))
			return false;
	}
	return v->in->state.vscr & 0x10000;
}

static bool when_decimal(const struct view *v) { return v->insn->unit == DFP; }

static const struct { const char *name; bool (*holds)(const struct view *v); } conditions[] = {
#define WHEN(name) { #name, when_##name }
	WHEN(trapped), WHEN(refused), WHEN(lax), WHEN(alignment), WHEN(reserved), WHEN(nan), WHEN(zero), WHEN(small), WHEN(wide),
	WHEN(huge), WHEN(digits), WHEN(denormal), WHEN(null), WHEN(same), WHEN(ffff), WHEN(far), WHEN(quotient), WHEN(undefined),
	WHEN(decimal), WHEN(special), WHEN(limit), WHEN(wraps), WHEN(large), WHEN(beyond), WHEN(zeros), WHEN(invalid), WHEN(range),
	WHEN(least),
#undef WHEN
};

__attribute__((noreturn)) static void bad_line(const struct exception *e, const char *what)
{
	fprintf(stderr, "exceptions.list:%u: no such thing: %s\n", e->line, what);
	exit(2);
}

static bool holds(const struct exception *e, const struct view *v, const char *when)
{
	unsigned mask, value;

	for (unsigned i = 0; i < ARRAY_SIZE(conditions); i++)
		if (!strcmp(conditions[i].name, when))
			return conditions[i].holds(v);
	if (sscanf(when, "word:%x=%x", &mask, &value) == 2)
		return (v->in->word & mask) == value;
	if (sscanf(when, "word:%x!%x", &mask, &value) == 2)
		return (v->in->word & mask) != value;
	if (sscanf(when, "before:%x", &mask) == 1)
		return v->in->state.fpscr & mask;
	if (sscanf(when, "after:%x", &mask) == 1)
		return v->got->state.fpscr & mask;
	bad_line(e, when);
}

/* All that stand between the plus signs hold. */
static bool applies(const struct exception *e, const struct view *v)
{
	char when[sizeof e->when], *rest = when, *one;

	memcpy(when, e->when, sizeof when);
	while (rest && *rest) {
		one = strsep(&rest, "+");
		if (!holds(e, v, one))
			return false;
	}
	return true;
}

/* ---- What a line excuses ---- */

/* a takes from b what the mask covers; true: that made a difference. */
static bool take(uint64_t *a, uint64_t b, uint64_t mask)
{
	bool differ = (*a ^ b) & mask;

	*a = (*a & ~mask) | (b & mask);
	return differ;
}

static bool take_vector(struct view *v, unsigned n, uint64_t mask)
{
	bool upper = take(&v->want->state.vsr[n][0], v->got->state.vsr[n][0], mask);
	bool lower = take(&v->want->state.vsr[n][1], v->got->state.vsr[n][1], mask);

	return upper || lower;
}

#define TAKE(member) \
	static bool take_##member(struct view *v, uint64_t mask) \
	{ \
		return take(&v->want->state.member, v->got->state.member, mask); \
	}
TAKE(cr)
TAKE(xer)
TAKE(fpscr)
TAKE(vscr)

static bool take_rt(struct view *v, uint64_t mask)
{
	return take(&v->want->state.r[rt_of(v)], v->got->state.r[rt_of(v)], mask);
}

static bool take_xt1(struct view *v, uint64_t mask)
{
	return take(&v->want->state.vsr[xt_of(v)][1], v->got->state.vsr[xt_of(v)][1], mask);
}

static bool take_frt(struct view *v, uint64_t mask)
{
	bool differ = take_vector(v, rt_of(v), mask);

	return (row_has(v->insn, "FRTP") && take_vector(v, rt_of(v) + 1, mask)) || differ;
}

/* The even register of a pair has what the oracle leaves in the odd one, which is 0. */
static bool take_even(struct view *v, uint64_t mask)
{
	uint64_t (*pair)[2] = &v->want->state.vsr[rt_of(v)];

	(void)mask;
	pair[0][0] = pair[1][0];
	pair[1][0] = 0;
	return true;
}

static bool take_vrt(struct view *v, uint64_t mask) { return take_vector(v, 32 + rt_of(v), mask); }
static bool take_xt(struct view *v, uint64_t mask) { return take_vector(v, xt_of(v), mask); }

static bool take_mem(struct view *v, uint64_t mask)
{
	bool differ = false;

	for (unsigned i = 0; i < MEM_BYTES / 8; i++)
		differ |= take(&v->want->state.mem[i], v->got->state.mem[i], mask);
	return differ;
}

static bool take_all(struct view *v, uint64_t mask)
{
	bool differ = memcmp(v->want, v->got, sizeof *v->want);

	(void)mask;
	*v->want = *v->got;
	return differ;
}

/* As they were before, which the ISA says and the oracle does not. */
static bool take_unchanged(struct view *v, uint64_t mask)
{
	return take(&v->want->state.fpscr, v->in->state.fpscr, mask);
}

/* FX as the exceptions that are there now say; CR1 is a copy. */
static bool take_fx(struct view *v, uint64_t mask)
{
	uint64_t before = v->in->state.fpscr, *after = &v->want->state.fpscr;
	bool differ = take(after, before | (*after & ~before & FPSCR_EXCEPTIONS ? FPSCR_FX : 0), FPSCR_FX);

	(void)mask;
	if (v->insn->flags & RCFP && v->in->word & 1 && v->want->outcome == RAN)
		take(&v->want->state.cr, *after >> 4, FPSCR_FX >> 4);
	return differ;
}

/* In the mirror, a zero that is exact has the other sign, and FPRF says so. */
static void take_zeros(uint64_t *a, const uint64_t *b, unsigned n, bool words)
{
	for (unsigned i = 0; i < n; i++) {
		if (!words && !(b[i] << 1))
			take(&a[i], b[i], PPC_BIT(0));
		if (words && !(b[i] << 33))
			take(&a[i], b[i], PPC_BIT(32));
		if (words && !(b[i] >> 32 << 33))
			take(&a[i], b[i], PPC_BIT(0));
	}
}

static bool take_mirror(struct view *v, uint64_t mask)
{
	bool accumulator = row_has(v->insn, "AT");
	unsigned target = accumulator ? 4 * (v->in->word >> 23 & 7) : target_of(v);
	uint64_t (*a)[2] = &v->want->state.vsr[target];
	const uint64_t (*b)[2] = (const uint64_t (*)[2])&v->got->state.vsr[target];

	(void)mask;
	if (!(v->in->state.fpscr & 2) || (is_quad(v) && (b[0][1] || b[0][0] << 1)))
		return false;
	for (unsigned i = 0; i < (accumulator ? 4 : 1); i++)
		take_zeros(a[i], b[i], is_quad(v) ? 1 : 2, accumulator ? strstr(v->insn->name, "f32") != NULL : is_vector(v) && is_single(v));
	if (!accumulator && !is_vector(v) && !(b[0][0] << 1))
		take(&v->want->state.fpscr, v->got->state.fpscr, FPSCR_FPRF);
	return false;
}

#define SINGLE_LARGEST  UINT64_C(0x47efffffe0000000)
#define INFINITE        UINT64_C(0x7ff0000000000000)

/* A double rounded to single may differ by one unit in the last place, and the flags with it. */
static bool take_place(struct view *v, uint64_t mask)
{
	uint64_t *a = &v->want->state.vsr[target_of(v)][0], b = v->got->state.vsr[target_of(v)][0];
	uint64_t x = *a & INT64_MAX, y = b & INT64_MAX, distance = x < y ? y - x : x - y;
	unsigned drop = exponent(b) < 897 ? 897 - exponent(b) : 0;	/* bits that a denormal lacks */
	bool tiny = exponent(b) <= 897, to_zero = !x && exponent(b) <= 874;
	bool overflow = x == INFINITE && y == SINGLE_LARGEST;
	uint64_t sticky;

	(void)mask;
	if (!to_zero && !overflow && (distance > UINT64_C(1) << (drop > 24 ? 53 : 29 + drop) || (!distance && !tiny)))
		return false;
	*a = b;
	sticky = tiny ? FPSCR_UX : overflow ? FPSCR_OX : 0;
	return take(&v->want->state.fpscr, v->got->state.fpscr, FPSCR_FR | FPSCR_FI | FPSCR_FPRF | sticky);
}

static bool take_nothing(struct view *v, uint64_t mask)
{
	(void)v;
	(void)mask;
	return false;
}

static const struct { const char *name; bool (*excuse)(struct view *v, uint64_t mask); } fields[] = {
#define FIELD(name) { #name, take_##name }
	FIELD(cr), FIELD(xer), FIELD(fpscr), FIELD(vscr), FIELD(rt), FIELD(frt), FIELD(vrt), FIELD(xt), FIELD(xt1),
	FIELD(mem), FIELD(all), FIELD(even), FIELD(unchanged), FIELD(fx), FIELD(mirror), FIELD(place),
#undef FIELD
	{ "little", take_nothing }, { "fr", take_nothing },
};

static bool excuse(const struct exception *e, struct view *v)
{
	size_t len = strcspn(e->field, ":");
	uint64_t mask = e->field[len] ? strtoull(e->field + len + 1, NULL, 16) : UINT64_MAX;

	for (unsigned i = 0; i < ARRAY_SIZE(fields); i++)
		if (strlen(fields[i].name) == len && !strncmp(fields[i].name, e->field, len))
			return fields[i].excuse(v, mask);
	bad_line(e, e->field);
}

static void match(struct exceptions *x, const struct insn *insn)
{
	x->insn = insn;
	x->nmatching = 0;
	for (unsigned i = 0; i < x->n; i++)
		if (!fnmatch(x->row[i].name, insn->name, 0))
			x->matching[x->nmatching++] = &x->row[i];
}

void exceptions_apply(struct exceptions *x, struct view *v)
{
	if (!x)
		return;
	if (x->insn != v->insn)
		match(x, v->insn);
	for (unsigned i = 0; i < x->nmatching; i++)
		if (applies(x->matching[i], v))
			x->matching[i]->used += excuse(x->matching[i], v);
}

/* ---- The list ---- */

static bool parse(struct exception *e, const char *line)
{
	char field[sizeof e->field + sizeof e->when] = "", reason[2], *at;

	if (line[0] == '#' || sscanf(line, "%47s %79s %1s", e->name, field, reason) != 3)
		return false;
	at = strchr(field, '@');
	if (at)
		*at++ = '\0';
	return snprintf(e->field, sizeof e->field, "%s", field) < (int)sizeof e->field &&
	       snprintf(e->when, sizeof e->when, "%s", at ? at : "") < (int)sizeof e->when;
}

struct exceptions *exceptions_read(const char *path)
{
	struct exceptions *x = calloc(1, sizeof *x);
	FILE *f = fopen(path, "r");
	char line[512];

	if (!f || !x) {
		perror(path);
		free(x);
		return NULL;
	}
	for (unsigned number = 1; x->n < MAX_LINES && fgets(line, sizeof line, f); number++) {
		x->row[x->n].line = number;
		if (parse(&x->row[x->n], line)) {
			x->n++;
		} else if (line[0] != '#' && line[0] != '\n') {
			fprintf(stderr, "%s:%u: not a line of this list\n", path, number);
			exit(2);
		}
	}
	fclose(f);
	return x;
}

bool exceptions_list(struct exceptions *x, const struct insn *insn, const char *field)
{
	for (unsigned i = 0; x && i < x->n; i++) {
		if (!strcmp(x->row[i].field, field) && !fnmatch(x->row[i].name, insn->name, 0)) {
			x->row[i].used++;
			return true;
		}
	}
	return false;
}

/* The line says who knows a word (insn_test -u), not what the row does. */
static bool is_of_words(const struct exception *e) { return !strcmp(e->when, "refused") || !strcmp(e->when, "lax"); }

bool exceptions_spare(const struct exceptions *x, const struct insn *insn)
{
	for (unsigned i = 0; x && i < x->n; i++) {
		const struct exception *e = &x->row[i];

		if (strcmp(e->name, "*") && !fnmatch(e->name, insn->name, 0) && !is_of_words(e) && strcmp(e->field, "fr") &&
		    strcmp(e->field, "fx") && strncmp(e->field, "fpscr", 5) && strncmp(e->field, "unchanged", 9))
			return false;
	}
	return true;
}

void exceptions_unused(const struct exceptions *x)
{
	for (unsigned i = 0; x && i < x->n; i++)
		if (!x->row[i].used)
			printf("exceptions.list:%u: %s %s was not needed\n", x->row[i].line, x->row[i].name, x->row[i].field);
}

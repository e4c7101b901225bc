/* Compares two outcomes of a case, and knows what may differ: exceptions.list, which says what
 * its columns mean.
 */
#include "compare.h"

#include <fnmatch.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- The list ---- */

struct exception {
	char name[48], field[32], when[32];
	unsigned line, used;
};

struct exceptions {
	unsigned n;
	struct exception row[512];
};

/* "NAME FIELD[@WHEN] reason" */
static bool parse(struct exception *e, const char *line)
{
	char field[sizeof e->field + sizeof e->when] = "", *at;

	if (sscanf(line, "%47s %63s", e->name, field) != 2)
		return false;
	at = strchr(field, '@');
	if (at)
		*at++ = '\0';
	snprintf(e->field, sizeof e->field, "%s", field);
	snprintf(e->when, sizeof e->when, "%s", at ? at : "");
	return true;
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
	for (unsigned number = 1; x->n < ARRAY_SIZE(x->row) && fgets(line, sizeof line, f); number++) {
		x->row[x->n].line = number;
		if (line[0] != '#' && parse(&x->row[x->n], line))
			x->n++;
	}
	fclose(f);
	return x;
}

void exceptions_unused(const struct exceptions *x)
{
	for (unsigned i = 0; x && i < x->n; i++)
		if (!x->row[i].used)
			printf("exceptions.list:%u: %s %s was not needed\n", x->row[i].line, x->row[i].name, x->row[i].field);
}

/* ---- When a row of it applies ---- */

static bool nan32(uint32_t v) { return (v & 0x7fffffff) > 0x7f800000; }
static bool nan64(uint64_t v) { return v << 1 > UINT64_C(0x7ff) << 53; }
static bool has_nan(const uint64_t *v)
{
	return nan64(v[0]) || nan64(v[1]) || nan32((uint32_t)(v[0] >> 32)) || nan32((uint32_t)v[0]) ||
	       nan32((uint32_t)(v[1] >> 32)) || nan32((uint32_t)v[1]);
}

static bool zero32(uint64_t v) { return !(v << 33) || !(v >> 32 << 33); }
static bool has_zero(const uint64_t *v) { return !(v[0] << 1) || !(v[1] << 1) || zero32(v[0]) || zero32(v[1]); }

/* Some vector-scalar register that the word may name: the operand's field, either half of the file. */
static bool some_operand(const struct testcase *in, bool (*test)(const uint64_t *v))
{
	for (unsigned shift = 6; shift <= 21; shift += 5)
		if (test(in->state.vsr[in->word >> shift & 31]) || test(in->state.vsr[32 + (in->word >> shift & 31)]))
			return true;
	return false;
}

/* The scalar target's register: an FPR, or XT. */
static unsigned target_of(const struct insn *insn, uint32_t word)
{
	unsigned n = word >> 21 & 31;

	return insn->flags & FPU ? n : insn->operands[0] == 'V' || strstr(insn->operands, "VRT") ? n + 32 : n | (word & 1) << 5;
}

/* A double that would be a denormal in single format. */
static bool single_denormal(uint64_t v)
{
	unsigned exp = v >> 52 & 0x7ff;

	return exp && exp < 897;
}

/* No signed decimal number. */
static bool has_bad_digit(const uint64_t *v)
{
	for (unsigned i = 0; i < 31; i++)
		if ((v[i < 16 ? 0 : 1] >> (60 - 4 * (i & 15)) & 15) > 9)
			return true;
	return (v[1] & 15) < 10;
}

static bool has_small(const uint64_t *v) { return single_denormal(v[0]); }

static u128 magnitude(uint64_t v) { return v >> 63 ? -v : v; }

static bool holds(const struct exception *e, const char *when, const struct insn *insn, const struct testcase *in,
		  const struct testcase *want, const struct testcase *got)
{
	unsigned mask, value;

	if (sscanf(when, "%x=%x", &mask, &value) == 2)
		return (in->word & mask) == value;
	if (sscanf(when, "%x!%x", &mask, &value) == 2)
		return (in->word & mask) != value;
	if (sscanf(when, "fpscr%x", &mask) == 1)
		return in->state.fpscr & mask;
	if (!strcmp(when, "reserved"))
		return in->before != NOP;
	if (!strcmp(when, "trapped"))
		return want->outcome != RAN || got->outcome != RAN;
	if (!strcmp(when, "ffff"))	/* of VRA's doubleword 0 */
		return (uint16_t)in->state.vsr[32 + (in->word >> 16 & 31)][0] == 0xffff;
	if (!strcmp(when, "quotient"))
		return magnitude(in->state.r[in->word >> 11 & 31]) <= 2 * magnitude(in->state.r[in->word >> 16 & 31]);
	if (!strcmp(when, "small"))
		return some_operand(in, has_small);
	if (!strcmp(when, "digits"))
		return some_operand(in, has_bad_digit);
	if (!strcmp(when, "same"))	/* VRT is VRB */
		return (in->word >> 10 & 0xf800) == (in->word & 0xf800);
	if (!strcmp(when, "alignment"))
		return got->outcome == ALIGNMENT;
	if (sscanf(when, "after%x", &mask) == 1)
		return got->state.fpscr & mask;
	if (!strcmp(when, "nan"))
		return some_operand(in, has_nan);
	if (!strcmp(when, "zero"))
		return some_operand(in, has_zero);
	if (!strcmp(when, "denormal"))
		return single_denormal(got->state.vsr[target_of(insn, in->word)][0]);
	fprintf(stderr, "exceptions.list:%u: no such condition: %s\n", e->line, when);
	exit(2);
}

/* All that stand between the plus signs. */
static bool applies(const struct exception *e, const struct insn *insn, const struct testcase *in,
		    const struct testcase *want, const struct testcase *got)
{
	char when[sizeof e->when], *next = when, *one;

	if (fnmatch(e->name, insn->name, 0))
		return false;
	snprintf(when, sizeof when, "%s", e->when);
	while (*next && (one = strsep(&next, "+")) && next)
		if (!holds(e, one, insn, in, want, got))
			return false;
	return !e->when[0] || holds(e, strrchr(e->when, '+') ? strrchr(e->when, '+') + 1 : e->when, insn, in, want, got);
}

/* ---- What it excuses ---- */

#define FX  UINT64_C(0x80000000)
#define EXC UINT64_C(0x1ff80700)	/* the exceptions proper */

/* b takes from a what the mask covers; true: that made a difference. */
static bool take(uint64_t *b, uint64_t a, uint64_t mask)
{
	bool differ = (*b ^ a) & mask;

	*b = (*b & ~mask) | (a & mask);
	return differ;
}

static bool take_vector(uint64_t *b, const uint64_t *a, uint64_t mask)
{
	bool upper = take(&b[0], a[0], mask), lower = take(&b[1], a[1], mask);

	return upper || lower;
}

/* FX as the exceptions that the oracle saw say; CR1 is a copy of it. */
static bool derive_fx(const struct insn *insn, const struct testcase *in, struct state *w, bool ran)
{
	bool differ = take(&w->fpscr, in->state.fpscr | (w->fpscr & ~in->state.fpscr & EXC ? FX : 0), FX);

	if (insn->flags & RCFP && in->word & 1 && ran)
		take(&w->cr, w->fpscr >> 4, FX >> 4);
	return differ;
}

/* In the mirror a zero that is exact has the other sign, and FPRF says so. */
static bool excuse_zero_sign(const struct insn *insn, const struct testcase *in, struct state *w, const struct state *g)
{
	uint64_t *a = w->vsr[target_of(insn, in->word)];
	const uint64_t *b = g->vsr[target_of(insn, in->word)];
	bool single = strstr(insn->name, "sp") && insn->name[1] == 'v', quad = strstr(insn->name, "qp");
	uint64_t sign = single ? UINT64_C(0x8000000080000000) : UINT64_C(1) << 63;

	if (!(in->state.fpscr & 2))
		return true;
	if (quad && (b[1] || b[0] << 1))
		return true;
	for (unsigned i = 0; i < (quad ? 1 : 2); i++) {
		if (!single && !(b[i] << 1))
			take(&a[i], b[i], sign);
		if (single && !(b[i] << 33))
			take(&a[i], b[i], sign & 0xffffffff);
		if (single && !(b[i] >> 32 << 33))
			take(&a[i], b[i], sign & ~UINT64_C(0xffffffff));
	}
	if (!(b[0] << 1) && insn->name[1] != 'v')
		take(&w->fpscr, g->fpscr, 0x1f000);
	return true;
}

/* Scalars in double format, rounded to single: within one unit of the last place. */
static bool excuse_last_place(const struct insn *insn, const struct testcase *in, struct state *w, const struct state *g)
{
	uint64_t *a = &w->vsr[target_of(insn, in->word)][0], b = g->vsr[target_of(insn, in->word)][0];
	int64_t distance = (int64_t)((*a & INT64_MAX) - (b & INT64_MAX));
	unsigned exp = b >> 52 & 0x7ff, drop = exp < 897 ? 897 - exp : 0;
	int64_t place = INT64_C(1) << (drop > 24 ? 53 : 29 + drop);
	bool tiny = exp <= 897;

	if (distance > place || distance < -place || (!distance && !tiny))
		if (*a << 1 || exp > 874)	/* a zero is next to the smallest */
			return false;
	*a = b;
	return take(&w->fpscr, g->fpscr, tiny ? 0x0807f000 : 0x0007f000);
}

static bool excuse(const struct exception *e, const struct insn *insn, const struct testcase *in, struct testcase *want, const struct testcase *got)
{
	struct state *w = &want->state;
	const struct state *g = &got->state;
	const char *colon = strchr(e->field, ':');
	uint64_t mask = colon ? strtoull(colon + 1, NULL, 16) : UINT64_MAX;
	size_t len = strcspn(e->field, ":");
	unsigned rt = in->word >> 21 & 31, xt = rt | (in->word & 1) << 5;

#define FIELD_IS(s) (len == sizeof s - 1 && !memcmp(e->field, s, len))
	if (FIELD_IS("cr"))
		return take(&w->cr, g->cr, mask);
	if (FIELD_IS("xer"))
		return take(&w->xer, g->xer, mask);
	if (FIELD_IS("fpscr"))
		return take(&w->fpscr, g->fpscr, mask);
	if (FIELD_IS("vscr"))
		return take(&w->vscr, g->vscr, mask);
	if (FIELD_IS("place"))
		return excuse_last_place(insn, in, w, g);
	if (FIELD_IS("mirror"))
		return excuse_zero_sign(insn, in, w, g);
	if (FIELD_IS("fx"))
		return derive_fx(insn, in, w, want->outcome == RAN);
	if (FIELD_IS("unchanged"))	/* these bits of FPSCR, says the ISA */
		return take(&w->fpscr, in->state.fpscr, mask);
	if (FIELD_IS("rt"))
		return take(&w->r[rt], g->r[rt], mask);
	if (FIELD_IS("frt"))
		return take_vector(w->vsr[rt], g->vsr[rt], mask);
	if (FIELD_IS("vrt"))
		return take_vector(w->vsr[32 + rt], g->vsr[32 + rt], mask);
	if (FIELD_IS("xt"))
		return take_vector(w->vsr[xt], g->vsr[xt], mask);
	if (FIELD_IS("xt1"))
		return take(&w->vsr[xt][1], g->vsr[xt][1], mask);
	if (FIELD_IS("mem")) {
		bool differ = memcmp(w->mem, g->mem, sizeof w->mem);

		memcpy(w->mem, g->mem, sizeof w->mem);
		return differ;
	}
	if (FIELD_IS("all")) {
		bool differ = memcmp(want, got, sizeof *want);

		*want = *got;
		return differ;
	}
#undef FIELD_IS
	fprintf(stderr, "exceptions.list:%u: no such field: %s\n", e->line, e->field);
	exit(2);
}

bool compare_case(struct exceptions *x, const struct insn *insn, const struct testcase *in,
		  const struct testcase *want, const struct testcase *got)
{
	struct testcase excused = *want;

	if (!memcmp(want, got, sizeof *want))
		return true;
	for (unsigned i = 0; x && i < x->n; i++)
		if (applies(&x->row[i], insn, in, want, got))
			x->row[i].used += excuse(&x->row[i], insn, in, &excused, got);
	return !memcmp(&excused, got, sizeof *got);
}

/* ---- Rounding in the mirror ---- */

static bool listed(struct exceptions *x, const struct insn *insn, const char *field)
{
	for (unsigned i = 0; x && i < x->n; i++)
		if (!strcmp(x->row[i].field, field) && !fnmatch(x->row[i].name, insn->name, 0)) {
			x->row[i].used++;
			return true;
		}
	return false;
}

bool exceptions_no_little_endian(struct exceptions *x, const struct insn *insn) { return listed(x, insn, "little"); }
bool exceptions_mirrored(struct exceptions *x, const struct insn *insn) { return listed(x, insn, "mirror"); }

void mirror_rounding(struct testcase *c)
{
	if (c->state.fpscr & 2)
		c->state.fpscr ^= 1;
}

/* ---- What it prints ---- */

static void show_word(const char *name, uint64_t in, uint64_t want, uint64_t got)
{
	if (want != got)
		printf("    %s: %016llx -> oracle %016llx, cede %016llx\n", name, (unsigned long long)in,
		       (unsigned long long)want, (unsigned long long)got);
}

static void show_vector(unsigned n, const uint64_t *in, const uint64_t *want, const uint64_t *got)
{
	if (memcmp(want, got, 16))
		printf("    vs%u: %016llx %016llx -> oracle %016llx %016llx, cede %016llx %016llx\n", n,
		       (unsigned long long)in[0], (unsigned long long)in[1], (unsigned long long)want[0],
		       (unsigned long long)want[1], (unsigned long long)got[0], (unsigned long long)got[1]);
}

static void show_operands(const struct testcase *in)
{
	const struct state *s = &in->state;

	for (unsigned shift = 6; shift <= 21; shift += 5) {
		unsigned n = in->word >> shift & 31;

		printf("    field at %2u = %2u: r %016llx  vs %016llx %016llx  vr %016llx %016llx\n", shift, n,
		       (unsigned long long)s->r[n], (unsigned long long)s->vsr[n][0], (unsigned long long)s->vsr[n][1],
		       (unsigned long long)s->vsr[32 + n][0], (unsigned long long)s->vsr[32 + n][1]);
	}
	printf("    cr %08llx xer %08llx fpscr %09llx vscr %llx\n", (unsigned long long)s->cr, (unsigned long long)s->xer,
	       (unsigned long long)s->fpscr, (unsigned long long)s->vscr);
}

void compare_show(const struct testcase *in, const struct testcase *want, const struct testcase *got)
{
	static const char *const outcomes[] = { "ran", "illegal", "alignment", "storage", "trapped" };
	const struct state *i = &in->state, *w = &want->state, *g = &got->state;
	char name[16];

	if (want->outcome != got->outcome)
		printf("    outcome: oracle %s, cede %s\n", outcomes[want->outcome % 5], outcomes[got->outcome % 5]);
	for (unsigned n = 0; n < 32; n++) {
		snprintf(name, sizeof name, "r%u", n);
		show_word(name, i->r[n], w->r[n], g->r[n]);
	}
	for (unsigned n = 0; n < 64; n++)
		show_vector(n, i->vsr[n], w->vsr[n], g->vsr[n]);
	show_word("cr", i->cr, w->cr, g->cr);
	show_word("xer", i->xer, w->xer, g->xer);
	show_word("fpscr", i->fpscr, w->fpscr, g->fpscr);
	show_word("vscr", i->vscr, w->vscr, g->vscr);
	for (unsigned n = 0; n < MEM_BYTES / 8; n++) {
		snprintf(name, sizeof name, "mem+%u", 8 * n);
		show_word(name, i->mem[n], w->mem[n], g->mem[n]);
	}
	show_operands(in);
}

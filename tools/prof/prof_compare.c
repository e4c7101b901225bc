/* --compare: two profiles, function by function, by the cycles that one has more than the other. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "tools/prof/prof_views.h"

struct pair {
	const char *name;
	uint64_t cycles[2], insns[2];
};

static uint64_t distance(const struct pair *p)
{
	return p->cycles[0] > p->cycles[1] ? p->cycles[0] - p->cycles[1] : p->cycles[1] - p->cycles[0];
}

static double cpi(const struct pair *p, unsigned side)
{
	return p->insns[side] ? (double)p->cycles[side] / (double)p->insns[side] : 0;
}

static int by_name(const void *a, const void *b)
{
	const struct pair *x = a, *y = b;

	return strcmp(x->name, y->name);
}

static int by_distance(const void *a, const void *b)
{
	uint64_t x = distance(a), y = distance(b);

	return x != y ? x > y ? -1 : 1 : by_name(a, b);
}

static size_t collect(const struct prof_functions f[2], struct pair *pairs)
{
	size_t n = 0, kept = 0;

	for (unsigned side = 0; side < 2; side++) {
		for (uint32_t i = 0; i < f[side].n; i++) {
			const struct prof_function *g = &f[side].at[i];
			struct pair *p = &pairs[n];

			if (!g->units && !g->insns)
				continue;
			p->name = g->name;
			p->cycles[side] = prof_cycles(f[side].p, g->units);
			p->insns[side] = g->insns;
			n++;
		}
	}
	if (n)
		qsort(pairs, n, sizeof *pairs, by_name);
	for (size_t i = 0; i < n; i++) {
		if (!kept || by_name(&pairs[kept - 1], &pairs[i])) {
			pairs[kept++] = pairs[i];
			continue;
		}
		for (unsigned side = 0; side < 2; side++) {
			pairs[kept - 1].cycles[side] += pairs[i].cycles[side];
			pairs[kept - 1].insns[side] += pairs[i].insns[side];
		}
	}
	return kept;
}

static void put_row(const struct pair *p, uint64_t whole, FILE *out)
{
	fprintf(out, "%15" PRIu64 " %15" PRIu64 " %c%14" PRIu64 " %7.2f %6.2f %6.2f  %s\n", p->cycles[0], p->cycles[1],
		p->cycles[1] < p->cycles[0] ? '-' : '+', distance(p), prof_percent(distance(p), whole), cpi(p, 0),
		cpi(p, 1), p->name);
}

bool prof_compare(const struct prof_functions f[2], const struct prof_options *o, FILE *out, struct error *err)
{
	const struct pair all = { "all", { prof_cycles(f[0].p, f[0].p->units), prof_cycles(f[1].p, f[1].p->units) }, { f[0].p->insns, f[1].p->insns } };
	struct pair *pairs = calloc((size_t)f[0].n + f[1].n, sizeof *pairs);
	size_t n;

	if (!pairs) {
		error_set(err, "out of memory");
		return false;
	}
	n = collect(f, pairs);
	if (n)
		qsort(pairs, n, sizeof *pairs, by_distance);
	fprintf(out, "first: %s\nsecond: %s\n\n         cycles          cycles      difference       %%    CPI    CPI  function\n", f[0].p->path,
		f[1].p->path);
	put_row(&all, all.cycles[0], out);
	for (size_t i = 0; i < n && (!o->top || i < o->top); i++)
		put_row(&pairs[i], all.cycles[0], out);
	free(pairs);
	return true;
}

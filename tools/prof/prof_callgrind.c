/* --callgrind: for callgrind_annotate and KCachegrind. Source: Valgrind's manual, "Callgrind Format Specification". */
#include <inttypes.h>
#include <stdlib.h>

#include "tools/prof/prof_code.h"
#include "tools/prof/prof_views.h"

/* Calls from one instruction to one function. */
struct edge {
	uint32_t from, to;
	uint64_t site, target, count, units, insns;
};

static int by_edge(const void *a, const void *b)
{
	const struct edge *x = a, *y = b;

	if (x->from != y->from)
		return x->from < y->from ? -1 : 1;
	if (x->site != y->site)
		return x->site < y->site ? -1 : 1;
	return x->to < y->to ? -1 : x->to > y->to;
}

static size_t collect_edges(const struct prof_functions *f, struct edge *edges)
{
	const struct prof *p = f->p;
	size_t n = 0, kept = 0;

	for (uint32_t i = 1; i < p->ncalls; i++) {
		const struct prof_call *c = &p->calls[i];

		if (c->parent && c->count)
			edges[n++] = (struct edge){ p->calls[c->parent].function, c->function, c->site, c->ea, c->count, c->all_units, c->all_insns };
	}
	if (n)
		qsort(edges, n, sizeof *edges, by_edge);
	for (size_t i = 0; i < n; i++) {
		struct edge *last = kept ? &edges[kept - 1] : NULL;

		if (!last || by_edge(last, &edges[i])) {
			edges[kept++] = edges[i];
			continue;
		}
		last->count += edges[i].count;
		last->units += edges[i].units;
		last->insns += edges[i].insns;
	}
	return kept;
}

static void put_head(const struct prof *p, FILE *out)
{
	fputs("# callgrind format\nversion: 1\ncreator: cede-prof " CEDE_VERSION "\npositions: instr line\nevents: Cycles Instructions", out);
	for (unsigned i = 0; i < p->nreasons; i++)
		if (p->reasons[i])
			fprintf(out, " Lost_%s", p->reason[i]);
	fprintf(out, "\nsummary: %" PRIu64 " %" PRIu64 "", p->units / p->per_core, p->insns);
	for (unsigned i = 0; i < p->nreasons; i++)
		if (p->reasons[i])
			fprintf(out, " %" PRIu64, p->reasons[i] / p->per_core);
	fputs("\n\n", out);
}

/* What is less than a cycle, of time and of each reason. */
struct rests {
	uint64_t units, reasons[PROF_MAX_REASONS];
};

static void put_cost(const struct prof *p, const struct prof_insn *i, struct rests *rests, FILE *out)
{
	fprintf(out, "0x%" PRIx64 " 0 %" PRIu64 " %" PRIu64, i->ea, prof_cycles_of_list(p, i->units, &rests->units),
		i->executions);
	for (unsigned k = 0; k < p->nreasons; k++)
		if (p->reasons[k])
			fprintf(out, " %" PRIu64, prof_cycles_of_list(p, i->reasons[k], &rests->reasons[k]));
	putc('\n', out);
}

static void put_edge(const struct prof_functions *f, const struct edge *e, FILE *out)
{
	fprintf(out, "cfn=(%" PRIu32 ") %s\ncalls=%" PRIu64 " 0x%" PRIx64 " 0\n0x%" PRIx64 " 0 %" PRIu64 " %" PRIu64 "\n", e->to,
		f->at[e->to].name, e->count, e->target, e->site,
		prof_cycles(f->p, e->units), e->insns);
}

static void put_object(const struct prof_function *g, FILE *out)
{
	if (prof_is_user(g->space))
		fprintf(out, "ob=pid %" PRIu64 "\n", prof_pid(g->space));
	else
		fputs("ob=kernel\n", out);
	fputs("fl=???\n", out);
}

bool prof_callgrind(const struct prof_functions *f, const struct prof_options *o, FILE *out, struct error *err)
{
	struct edge *edges = calloc(f->p->ncalls, sizeof *edges), *edge = edges, *end;
	struct rests rests = { 0 };
	struct prof_code code;
	size_t i = 0;

	(void)o;
	if (!edges || !prof_code_make(&code, f, UINT32_MAX, err)) {
		free(edges);
		if (!edges)
			error_set(err, "out of memory");
		return false;
	}
	end = edges + collect_edges(f, edges);
	put_head(f->p, out);
	for (uint32_t function = 0; function < f->n; function++) {
		put_object(&f->at[function], out);
		fprintf(out, "fn=(%" PRIu32 ") %s\n", function, f->at[function].name);
		if (!function)
			fprintf(out, "0x0 0 %" PRIu64 " %" PRIu64 "\n", prof_cycles_of_list(f->p, f->p->other_units, &rests.units),
				f->p->other_insns);
		for (; i < code.n && code.at[i].function == function; i++)
			put_cost(f->p, &code.at[i], &rests, out);
		for (; edge < end && edge->from == function; edge++)
			put_edge(f, edge, out);
		putc('\n', out);
	}
	prof_code_free(&code);
	free(edges);
	return true;
}

/* The functions, the hottest first. */
#include <inttypes.h>
#include <stdlib.h>

#include "tools/prof/prof_views.h"

static void put_summary(const struct prof_functions *f, FILE *out)
{
	static const char *const names[PROF_IDLES] = { "idle", "stopped", "ready without its turn" };
	const struct prof *p = f->p;

	fprintf(out, "%" PRIu64 " cycles, %" PRIu64 " instructions, CPI %.2f; from cycle %" PRIu64 " to %" PRIu64 " (%.6f s), timing %s, %.0f MHz",
		prof_cycles(p, p->units), p->insns, prof_cpi(p, p->units, p->insns), p->began, p->ended, (double)(p->ended - p->began) / (double)p->hz, p->timing, (double)p->core_hz / 1e6);
	if (p->only != PROF_ALL_CPUS)
		fprintf(out, ", processor %u", p->only);
	else
		fprintf(out, ", %u processor%s", p->ncpus, p->ncpus == 1 ? "" : "s");
	fprintf(out, "\nbesides");
	for (unsigned i = 0; i < PROF_IDLES; i++)
		fprintf(out, "%s %s %" PRIu64, i ? "," : ":", names[i], prof_cycles(p, p->away[i]));
	fputs(" cycles\n", out);
	if (p->other_visits || p->lost_calls)
		fprintf(out, "no room: %" PRIu64 " visits of further blocks are [other]; %" PRIu64 " calls are their callers'\n",
			p->other_visits, p->lost_calls);
	fputs("\n", out);
}

static void put_head(const struct prof *p, FILE *out)
{
	fprintf(out, "  self%%     self cycles    all%%    instructions   CPI");
	for (unsigned i = 0; i < p->nreasons; i++)
		if (p->reasons[i])
			fprintf(out, " %11s", p->reason[i]);
	fprintf(out, "       calls  function\n");
}

static void put_row(const struct prof_functions *f, const struct prof_function *g, FILE *out)
{
	const struct prof *p = f->p;

	fprintf(out, "%7.2f %15" PRIu64 " %7.2f %15" PRIu64 " %5.2f", prof_percent(g->units, p->units), prof_cycles(p, g->units),
		prof_percent(g->all_units, p->units), g->insns, prof_cpi(p, g->units, g->insns));
	for (unsigned i = 0; i < p->nreasons; i++)
		if (p->reasons[i])
			fprintf(out, " %11" PRIu64, prof_cycles(p, g->reasons[i]));
	fprintf(out, " %11" PRIu64 "  %s\n", g->calls, g->name);
}

bool prof_table(const struct prof_functions *f, const struct prof_options *o, FILE *out, struct error *err)
{
	uint32_t n, *order = prof_functions_sorted(f, o->order, &n);

	if (!order) {
		error_set(err, "out of memory");
		return false;
	}
	put_summary(f, out);
	put_head(f->p, out);
	for (uint32_t i = 0; i < n && (!o->top || i < o->top); i++)
		put_row(f, &f->at[order[i]], out);
	free(order);
	return true;
}

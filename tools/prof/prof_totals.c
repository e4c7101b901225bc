/* --totals: what all processors have counted, in the manner and with the names of perf stat. */
#include <inttypes.h>
#include <string.h>

#include "tools/prof/prof_views.h"

/* Events with a name of perf's own, and the one that they are a part of. */
static const struct {
	const char *event, *name, *of;
} names[] = {
	{ "branches", "branches", NULL }, { "mispredicts", "branch-misses", "branches" }, { "loads", "cache-references", NULL },
	{ "l1d-load-misses", "cache-misses", "loads" }, { "stores", "L1-dcache-stores", NULL },
	{ "l1d-store-miss", "L1-dcache-store-misses", "stores" }, { "l1i-misses", "L1-icache-load-misses", NULL },
	{ "prefetches", "L1-dcache-prefetches", NULL }, { "dtlb-misses", "dTLB-load-misses", NULL }, { "itlb-misses", "iTLB-load-misses", NULL },
};

static bool find_event(const struct prof *p, const char *event, uint64_t *count)
{
	for (unsigned i = 0; event && i < p->nevents; i++) {
		if (strcmp(p->event[i], event))
			continue;
		*count = p->events[i];
		return true;
	}
	return false;
}

static void put_event(const struct prof *p, unsigned i, FILE *out)
{
	const char *name = p->event[i], *of = NULL;
	uint64_t whole;

	for (unsigned k = 0; k < sizeof names / sizeof *names; k++)
		if (!strcmp(names[k].event, p->event[i]))
			name = names[k].name, of = names[k].of;
	if (find_event(p, of, &whole))
		fprintf(out, "%20" PRIu64 "      %-24s # %7.2f%% of all %s\n", p->events[i], name, prof_percent(p->events[i], whole), of);
	else
		fprintf(out, "%20" PRIu64 "      %s\n", p->events[i], name);
}

bool prof_totals(const struct prof_functions *f, const struct prof_options *o, FILE *out, struct error *err)
{
	const struct prof *p = f->p;

	(void)o, (void)err;
	fprintf(out, " Counters of '%s', timing %s:\n\n", p->path, p->timing);
	fprintf(out, "%20" PRIu64 "      %-24s # %7.3f GHz\n", prof_cycles(p, p->units), "cycles", (double)p->core_hz / 1e9);
	fprintf(out, "%20" PRIu64 "      %-24s # %7.2f  insn per cycle\n", p->insns, "instructions",
		p->units ? (double)p->insns * p->per_core / (double)p->units : 0);
	for (unsigned i = 0; i < p->nevents; i++)
		put_event(p, i, out);
	for (unsigned i = 0; i < p->nreasons; i++)
		if (p->reasons[i])
			fprintf(out, "%20" PRIu64 "      lost-%-19s # %7.2f%% of all cycles\n", prof_cycles(p, p->reasons[i]), p->reason[i],
				prof_percent(p->reasons[i], p->units));
	fprintf(out, "\n%20.9f seconds of the guest's time\n", (double)(p->ended - p->began) / (double)p->hz);
	return true;
}

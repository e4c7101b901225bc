/* --summary: times, dispatches, places and waits of each virtual processor, and how busy the
 * physical ones were. */
#include <inttypes.h>
#include <stdlib.h>

#include "tools/dtl/dtl_time.h"
#include "tools/dtl/dtl_totals.h"
#include "tools/dtl/dtl_views.h"

static const unsigned percentiles[] = { 50, 90, 99 };

#define N_PERCENTILES (sizeof percentiles / sizeof *percentiles)

/* Columns of times, after the dispatches. */
static const enum vp_state columns[] = { VP_RUNNING, VP_READY, VP_WAITING, VP_CEDED, VP_CONFERRED, VP_JOINED, VP_STOPPED };

#define N_COLUMNS (sizeof columns / sizeof *columns)

struct summary {
	struct dtl_totals totals;
	const struct dtl_log *log;
	const struct dtl_options *o;
	uint64_t from, length;		/* of the window, cycles */
};

static double percent(uint64_t part, uint64_t of)
{
	return of ? 100.0 * (double)part / (double)of : 0;
}

static bool wanted(const struct summary *s, unsigned vp)
{
	return dtl_wants_vp(&s->o->filter, s->totals.h, vp);
}

/* ---- Text ---- */

static void print_window(const struct summary *s)
{
	const struct dtl_header *h = s->totals.h;

	printf("%u virtual processors on %u physical", h->cpus, h->procs);
	if (h->threads > 1)
		printf(" of %u threads", h->threads);
	printf(", %u chip%s; ", h->chips, h->chips == 1 ? "" : "s");
	if (h->shared)
		printf("entitlement %u.%02u, %s, weight %u, window %.6g ms; ", h->entitlement / 100, h->entitlement % 100,
		       h->capped ? "capped" : "uncapped", h->weight, 1e3 * dtl_seconds(h, h->window));
	else
		printf("dedicated; ");
	if (h->loads)
		printf("load of %u, entitlement %u.%02u, weight %u; ", h->loads, h->load_entitlement / 100,
		       h->load_entitlement % 100, h->load_weight);
	printf("from %.9f s to %.9f s\n", dtl_seconds(h, s->from), dtl_seconds(h, s->from + s->length));
}

static void print_dispatches(const struct summary *s)
{
	char name[DTL_NAME_LEN];

	puts("\nDispatches, and where against the one before\n"
	     "  cpu  dispatches  same proc.   same chip  other chip     changes");
	for (unsigned i = 0; i < dtl_vps(s->totals.h); i++) {
		const struct vp_totals *v = &s->totals.vp[i];

		if (wanted(s, i))
			printf("%5s %11" PRIu64 " %11" PRIu64 " %11" PRIu64 " %11" PRIu64 " %11" PRIu64 "\n",
			       dtl_vp_name(s->totals.h, i, name), v->dispatches, v->same, v->chip, v->other, v->changes);
	}
}

static void print_times(const struct summary *s)
{
	char name[DTL_NAME_LEN];

	puts("\nTime, s\n"
	     "  cpu     running       ready  no capacity       ceded   conferred      joined     stopped      stolen  stolen");
	for (unsigned i = 0; i < dtl_vps(s->totals.h); i++) {
		const struct vp_totals *v = &s->totals.vp[i];

		if (!wanted(s, i))
			continue;
		printf("%5s", dtl_vp_name(s->totals.h, i, name));
		for (unsigned k = 0; k < N_COLUMNS; k++)
			printf(" %*.6f", columns[k] == VP_WAITING ? 12 : 11, dtl_seconds(s->totals.h, v->time[columns[k]]));
		printf(" %11.6f %6.2f%%\n", dtl_seconds(s->totals.h, dtl_stolen(v)), percent(dtl_stolen(v), s->length));
	}
}

static void print_waits(const struct summary *s)
{
	char name[DTL_NAME_LEN];

	puts("\nWait for a processor, us\n  cpu         50%         90%         99%        most        mean");
	for (unsigned i = 0; i < dtl_vps(s->totals.h); i++) {
		const struct histogram *w = &s->totals.vp[i].wait;

		if (!wanted(s, i) || !w->n)
			continue;
		printf("%5s", dtl_vp_name(s->totals.h, i, name));
		for (unsigned k = 0; k < N_PERCENTILES; k++)
			printf(" %11.3f", dtl_us(s->totals.h, histogram_percentile(w, percentiles[k])));
		printf(" %11.3f %11.3f\n", dtl_us(s->totals.h, w->max), dtl_us(s->totals.h, w->sum) / (double)w->n);
	}
}

static bool print_histograms(const struct summary *s, struct error *err)
{
	struct histogram *all = calloc(1, sizeof *all);
	char name[DTL_NAME_LEN];

	if (!all) {
		error_set(err, "out of memory");
		return false;
	}
	for (unsigned i = 0; i < dtl_vps(s->totals.h); i++) {
		if (!wanted(s, i))
			continue;
		histogram_merge(all, &s->totals.vp[i].wait);
		if (!s->o->histograms)
			continue;
		printf("\nWait for a processor, processor %s\n", dtl_vp_name(s->totals.h, i, name));
		histogram_print(&s->totals.vp[i].wait);
	}
	puts("\nWait for a processor, all of these");
	histogram_print(all);
	free(all);
	return true;
}

static void print_physical(const struct summary *s)
{
	puts("\nPhysical processors, % of the time\n phys  chip    guest     load     idle");
	for (unsigned i = 0; i < s->totals.h->procs; i++) {
		const uint64_t *busy = s->totals.busy[i];
		uint64_t idle = s->length - busy[PARTITION_GUEST] - busy[PARTITION_LOAD];

		printf("%5u %5u %8.3f %8.3f %8.3f\n", i, dtl_chip(s->totals.h, i * s->totals.h->threads),
		       percent(busy[PARTITION_GUEST], s->length), percent(busy[PARTITION_LOAD], s->length),
		       percent(idle, s->length));
	}
}

static bool print_text(const struct summary *s, struct error *err)
{
	print_window(s);
	print_dispatches(s);
	print_times(s);
	print_waits(s);
	if (!print_histograms(s, err))
		return false;
	print_physical(s);
	return true;
}

/* ---- CSV: cycles ---- */

static void print_csv(const struct summary *s)
{
	char name[DTL_NAME_LEN];

	printf("cpu,dispatches,same_processor,same_chip,other_chip,changes");
	for (unsigned k = 0; k < N_COLUMNS; k++)
		printf(",%s_cycles", vp_state_name(columns[k]));
	puts(",stolen_cycles,window_cycles,wait_50,wait_90,wait_99,wait_max");
	for (unsigned i = 0; i < dtl_vps(s->totals.h); i++) {
		const struct vp_totals *v = &s->totals.vp[i];

		if (!wanted(s, i))
			continue;
		printf("%s,%" PRIu64 ",%" PRIu64 ",%" PRIu64 ",%" PRIu64 ",%" PRIu64, dtl_vp_name(s->totals.h, i, name),
		       v->dispatches, v->same, v->chip, v->other, v->changes);
		for (unsigned k = 0; k < N_COLUMNS; k++)
			printf(",%" PRIu64, v->time[columns[k]]);
		printf(",%" PRIu64 ",%" PRIu64, dtl_stolen(v), s->length);
		for (unsigned k = 0; k < N_PERCENTILES; k++)
			printf(",%" PRIu64, histogram_percentile(&v->wait, percentiles[k]));
		printf(",%" PRIu64 "\n", v->wait.max);
	}
}

bool dtl_summary(struct dtl_log *log, const struct dtl_options *o, struct error *err)
{
	struct summary s = { .log = log, .o = o, .from = o->filter.from };
	bool ok = dtl_totals_init(&s.totals, &log->h, err) && dtl_follow_all(log, &o->filter, &s.totals.view, err);
	uint64_t end = dtl_window_end(log, &o->filter);

	s.length = end > s.from ? end - s.from : 0;
	if (ok && o->csv)
		print_csv(&s);
	else if (ok)
		ok = print_text(&s, err);
	dtl_totals_free(&s.totals);
	return ok;
}

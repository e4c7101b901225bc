/* --diff: whether two logs say the same; where they first differ, and by how much in all. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "tools/dtl/dtl_time.h"
#include "tools/dtl/dtl_totals.h"
#include "tools/dtl/dtl_views.h"

struct side {
	struct dtl_log *log;
	struct dtl_totals totals;
	struct dtl_follow *follow;
	struct dtl_record r;
	bool more;
};

static void describe_side(const struct side *s)
{
	const struct dtl_header *h = &s->log->h;
	char name[DTL_NAME_LEN];

	printf("  %s: ", s->log->name);
	if (!s->more) {
		printf("%s at %.9f s\n", s->log->ended ? "ends" : "is cut off", dtl_seconds(h, s->log->cycle));
		return;
	}
	printf("%.9f s, processor %s %s (%s)", dtl_seconds(h, s->r.cycle), dtl_vp_name(h, dtl_vp_index(h, &s->r), name),
	       vp_state_name((enum vp_state)s->r.state), vp_reason_name((enum vp_reason)s->r.reason));
	if (s->r.physical != PHYSICAL_NONE)
		printf(", on %u, code %u", dtl_proc(h, s->r.physical), s->r.code);
	printf(", NIP %016" PRIx64 ", MSR %016" PRIx64 ", cycle %" PRIu64 "\n", s->r.srr0, s->r.srr1, s->r.cycle);
}

/* ---- Headers ---- */

static bool compare_headers(const struct side s[2])
{
	bool differ = false;
	const char *name;
	uint64_t a, b;

	for (unsigned i = 0; (name = dtl_header_field(&s[0].log->h, i, &a)); i++) {
		dtl_header_field(&s[1].log->h, i, &b);
		if (a == b)
			continue;
		printf("Headers differ in %s: %" PRIu64 " against %" PRIu64 "\n", name, a, b);
		differ = true;
	}
	return differ;
}

/* ---- Records ---- */

static bool same_record(const struct dtl_record *a, const struct dtl_record *b)
{
	return a->cycle == b->cycle && a->vp == b->vp && a->partition == b->partition && a->state == b->state &&
	       a->reason == b->reason && a->code == b->code && a->physical == b->physical && a->srr0 == b->srr0 &&
	       a->srr1 == b->srr1;
}

static bool same_records(const struct side s[2])
{
	if (s[0].more != s[1].more)
		return false;
	if (s[0].more)
		return same_record(&s[0].r, &s[1].r);
	return s[0].log->ended == s[1].log->ended && s[0].log->cycle == s[1].log->cycle;
}

static bool step_side(struct side *s, struct error *err)
{
	if (!s->more)
		return true;
	s->more = dtl_log_read(s->log, &s->r, err);
	return s->more ? dtl_follow_record(s->follow, &s->r, err) : !err->msg[0];
}

static bool compare_records(struct side s[2], bool *differ, struct error *err)
{
	bool found = false;

	while (s[0].more || s[1].more) {
		if (!step_side(&s[0], err) || !step_side(&s[1], err))
			return false;
		if (found || same_records(s))
			continue;
		printf("The first difference is record %" PRIu64 ":\n", s[0].log->records > s[1].log->records ?
		       s[0].log->records : s[1].log->records);
		describe_side(&s[0]);
		describe_side(&s[1]);
		*differ = found = true;
	}
	return true;
}

/* ---- Totals ---- */

static const struct vp_totals *totals_of(const struct side *s, unsigned load, unsigned number)
{
	static const struct vp_totals nothing;
	const struct dtl_header *h = &s->log->h;

	if (number >= (load ? h->loads : h->cpus))
		return &nothing;
	return &s->totals.vp[load ? h->cpus + number : number];
}

static double seconds_more(const struct side s[2], uint64_t a, uint64_t b)
{
	return dtl_seconds(&s[1].log->h, b) - dtl_seconds(&s[0].log->h, a);
}

static void print_vp(const struct side s[2], unsigned load, unsigned number)
{
	static const enum vp_state shown[] = { VP_RUNNING, VP_READY, VP_WAITING, VP_CEDED, VP_CONFERRED };
	const struct vp_totals *a = totals_of(&s[0], load, number), *b = totals_of(&s[1], load, number);

	printf("%4s%-3u %10" PRIu64 " %10" PRIu64 " %+10" PRId64, load ? "L" : "", number, a->dispatches, b->dispatches,
	       (int64_t)(b->dispatches - a->dispatches));
	for (unsigned i = 0; i < sizeof shown / sizeof *shown; i++)
		printf(" %+11.6f", seconds_more(s, a->time[shown[i]], b->time[shown[i]]));
	printf(" %11.6f %11.6f %+11.6f\n", dtl_seconds(&s[0].log->h, dtl_stolen(a)), dtl_seconds(&s[1].log->h, dtl_stolen(b)),
	       seconds_more(s, dtl_stolen(a), dtl_stolen(b)));
}

static void print_totals(const struct side s[2], const struct dtl_filter *filter)
{
	puts("\n         dispatches                      seconds more in the second                                   stolen, s\n"
	     "  cpu       first     second       more     running       ready no capacity       ceded   conferred       first      second        more");
	for (unsigned load = 0; load < 2; load++)
		for (unsigned i = 0; i < DTL_MAX_CPUS; i++) {
			const struct side *has = i < (load ? s[0].log->h.loads : s[0].log->h.cpus) ? &s[0] : &s[1];
			const struct dtl_header *h = &has->log->h;

			if (i < (load ? h->loads : h->cpus) && dtl_wants_vp(filter, h, load ? h->cpus + i : i))
				print_vp(s, load, i);
		}
}

/* ---- Both ---- */

static bool side_begin(struct side *s, struct dtl_log *log, const struct dtl_filter *filter, struct error *err)
{
	s->log = log;
	s->more = true;
	s->follow = malloc(sizeof *s->follow);
	if (!s->follow) {
		error_set(err, "out of memory");
		return false;
	}
	if (!dtl_totals_init(&s->totals, &log->h, err))
		return false;
	dtl_follow_begin(s->follow, log, filter, &s->totals.view);
	return true;
}

static void side_free(struct side *s)
{
	free(s->follow);
	dtl_totals_free(&s->totals);
}

static bool compare_sides(struct side s[2], bool *differ, struct error *err)
{
	*differ = compare_headers(s);
	err->msg[0] = 0;
	return compare_records(s, differ, err);
}

bool dtl_diff(struct dtl_log log[2], const struct dtl_options *o, bool *differ, struct error *err)
{
	struct dtl_filter filters[2] = { o->filter, o->filter };
	struct side s[2] = { { 0 }, { 0 } };
	bool ok = true;

	for (unsigned i = 0; ok && i < 2; i++)
		ok = dtl_filter_resolve(&filters[i], &log[i].h, err) && side_begin(&s[i], &log[i], &filters[i], err);
	ok = ok && compare_sides(s, differ, err);
	if (ok && *differ) {
		dtl_follow_end(s[0].follow);
		dtl_follow_end(s[1].follow);
		print_totals(s, &o->filter);
	} else if (ok) {
		printf("%s and %s are identical: %" PRIu64 " records, %.9f s\n", log[0].name, log[1].name, log[0].records,
		       dtl_seconds(&log[0].h, log[0].cycle));
	}
	side_free(&s[0]);
	side_free(&s[1]);
	return ok;
}

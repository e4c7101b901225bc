/* Sums over a log. See dtl_totals.h. */
#include "tools/dtl/dtl_totals.h"

#include <stdlib.h>

#include "tools/dtl/dtl_time.h"

static void count_place(const struct dtl_totals *t, struct vp_totals *v, int before, int now)
{
	const struct dtl_header *h = t->h;

	if (dtl_proc(h, (unsigned)before) == dtl_proc(h, (unsigned)now))
		v->same++;
	else if (dtl_chip(h, (unsigned)before) == dtl_chip(h, (unsigned)now))
		v->chip++;
	else
		v->other++;
}

static void count_dispatch(void *opaque, const struct dtl_dispatch *d)
{
	struct dtl_totals *t = opaque;
	struct vp_totals *v = &t->vp[d->vp];

	v->dispatches++;
	if (v->entry >= 0)
		count_place(t, v, v->entry, d->physical);
	v->entry = d->physical;
	v->changes += d->before >= 0 && d->before != d->physical;
	histogram_add(&v->wait, d->wait[WAIT_PROCESSOR], dtl_us(t->h, d->wait[WAIT_PROCESSOR]));
}

static void count_span(void *opaque, const struct dtl_span *s)
{
	struct dtl_totals *t = opaque;

	t->vp[s->vp].time[s->state] += s->to - s->from;
}

static void count_busy(void *opaque, unsigned proc, enum partition_id who, uint64_t from, uint64_t to)
{
	struct dtl_totals *t = opaque;

	t->busy[proc][who] += to - from;
}

bool dtl_totals_init(struct dtl_totals *t, const struct dtl_header *h, struct error *err)
{
	*t = (struct dtl_totals){ .h = h, .vp = calloc(dtl_vps(h), sizeof *t->vp) };
	t->view = (struct dtl_view){ .opaque = t, .dispatched = count_dispatch, .span = count_span, .busy = count_busy };
	if (!t->vp) {
		error_set(err, "out of memory");
		return false;
	}
	for (unsigned i = 0; i < dtl_vps(h); i++)
		t->vp[i].entry = -1;
	return true;
}

void dtl_totals_free(struct dtl_totals *t)
{
	free(t->vp);
	t->vp = NULL;
}

uint64_t dtl_stolen(const struct vp_totals *v)
{
	return v->time[VP_READY] + v->time[VP_WAITING];
}

/* Follows a log. See dtl_follow.h. */
#include "tools/dtl/dtl_follow.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define CHECK_OUTPUT    65536		/* records between two checks that standard output still takes what is written */

void dtl_follow_begin(struct dtl_follow *f, const struct dtl_log *log, const struct dtl_filter *filter, const struct dtl_view *view)
{
	memset(f, 0, sizeof *f);
	f->log = log;
	f->h = &log->h;
	f->filter = filter;
	f->view = view;
	for (unsigned i = 0; i < dtl_vps(f->h); i++) {
		f->vp[i].state = dtl_is_load(f->h, i) ? VP_CEDED : VP_STOPPED;
		f->vp[i].stop_code = vp_preempt_code(VP_NONE);
		f->vp[i].on = f->vp[i].last = -1;
		f->vp[i].since = f->h->begins;
	}
	for (unsigned i = 0; i < VP_MAX; i++)
		f->proc[i].since = f->h->begins;
	for (unsigned i = 0; i < DTL_MAX_PHYSICAL; i++)
		f->who[i] = -1;
}

static bool contradicts(const struct dtl_follow *f, struct error *err, const char *what, unsigned physical)
{
	error_set(err, "%.100s: record %llu (byte %llu): %s %u", f->log->name, (unsigned long long)f->log->records,
		  (unsigned long long)(DTL_FILE_HEADER + (f->log->records - 1) * DTL_FILE_RECORD), what, physical);
	return false;
}

/* ---- The end of a state ---- */

static uint64_t later(uint64_t a, uint64_t b) { return a > b ? a : b; }
static uint64_t earlier(uint64_t a, uint64_t b) { return a < b ? a : b; }

static void tell_span(struct dtl_follow *f, unsigned vp, uint64_t cycle)
{
	const struct dtl_vp *v = &f->vp[vp];
	const struct dtl_filter *filter = f->filter;
	struct dtl_span span = {
		.vp = vp, .state = (enum vp_state)v->state, .physical = v->on,
		.from = later(v->since, filter->from), .to = earlier(cycle, filter->to),
		.run = v->on >= 0 ? &v->run : NULL,
	};

	if (f->view->span && span.from < span.to)
		f->view->span(f->view->opaque, &span);
}

static void tell_busy(struct dtl_follow *f, unsigned proc, uint64_t cycle)
{
	uint64_t from = later(f->proc[proc].since, f->filter->from), to = earlier(cycle, f->filter->to);

	if (f->view->busy && from < to)
		f->view->busy(f->view->opaque, proc, f->proc[proc].by, from, to);
}

static void end_state(struct dtl_follow *f, unsigned vp, uint64_t cycle, uint8_t reason)
{
	struct dtl_vp *v = &f->vp[vp];

	if (v->state != VP_RUNNING) {
		tell_span(f, vp, cycle);
		v->wait[vp_interval((enum vp_state)v->state)] += cycle - v->since;
		return;
	}
	v->run.ran = cycle - v->run.cycle;
	v->run.left_by = reason;
	tell_span(f, vp, cycle);
	if (f->view->ran && dtl_wants_dispatch(f->filter, f->h, &v->run))
		f->view->ran(f->view->opaque, &v->run);
}

/* ---- Records ---- */

/* A reset of the machine, unlike RTAS stop-self, does not come from the processor itself. */
static bool is_reset(const struct dtl_vp *v, const struct dtl_record *r)
{
	return r->partition == PARTITION_GUEST && r->state == VP_STOPPED && (v->state != VP_RUNNING || !r->code);
}

/* A reset makes every virtual processor one that has never run nor waited. The log has no record for those that were
 * stopped already. */
static void forget_past(struct dtl_follow *f, uint64_t cycle)
{
	for (unsigned i = 0; i < f->h->cpus; i++) {
		struct dtl_vp *v = &f->vp[i];

		if (v->state == VP_RUNNING)
			continue;
		tell_span(f, i, cycle);
		v->since = cycle;
		v->last = -1;
		v->stopped_by = VP_NONE;
		v->stop_code = vp_preempt_code(VP_NONE);
		memset(v->wait, 0, sizeof v->wait);
	}
}

/* Whether the record follows from those before it. Both checks come before any callback sees the record. */
static bool leaves_well(const struct dtl_follow *f, const struct dtl_vp *v, const struct dtl_record *r, struct error *err)
{
	if (v->on >= 0 && r->state != VP_RUNNING && r->physical != v->on)
		return contradicts(f, err, "leaves another physical thread than that it runs on,", (unsigned)v->on);
	if (v->on < 0 && r->state != VP_RUNNING && r->physical != PHYSICAL_NONE)
		return contradicts(f, err, "does not run, and yet is on physical thread", r->physical);
	return true;
}

static bool takes_well(const struct dtl_follow *f, unsigned vp, const struct dtl_record *r, struct error *err)
{
	const struct dtl_proc *p;

	if (r->state != VP_RUNNING)
		return true;
	if (r->physical == PHYSICAL_NONE)
		return contradicts(f, err, "runs on no physical thread: virtual processor", r->vp);
	if (f->who[r->physical] >= 0 && f->who[r->physical] != (int)vp)
		return contradicts(f, err, "two run on physical thread", r->physical);
	p = &f->proc[dtl_proc(f->h, r->physical)];
	if (p->running && p->by != r->partition)
		return contradicts(f, err, "guest and load run on physical processor", dtl_proc(f->h, r->physical));
	return true;
}

static void leave_processor(struct dtl_follow *f, struct dtl_vp *v, const struct dtl_record *r)
{
	unsigned proc = dtl_proc(f->h, (unsigned)v->on);

	if (!--f->proc[proc].running)
		tell_busy(f, proc, r->cycle);
	f->who[v->on] = -1;
	v->on = -1;
	v->stopped_by = r->reason;
	v->stop_code = r->code;
}

static void take_processor(struct dtl_follow *f, unsigned vp, const struct dtl_record *r)
{
	struct dtl_proc *p = &f->proc[dtl_proc(f->h, r->physical)];
	struct dtl_vp *v = &f->vp[vp];

	if (!p->running++)
		p->since = r->cycle;
	p->by = (enum partition_id)r->partition;
	f->who[r->physical] = (int)vp;
	v->run = (struct dtl_dispatch){
		.cycle = r->cycle, .vp = (uint16_t)vp, .physical = r->physical, .before = v->last,
		.reason = r->reason, .code = r->code, .stopped_by = v->stopped_by, .stop_code = v->stop_code,
		.srr0 = r->srr0, .srr1 = r->srr1,
	};
	memcpy(v->run.wait, v->wait, sizeof v->wait);
	memset(v->wait, 0, sizeof v->wait);
	v->on = v->last = r->physical;
	if (f->view->dispatched && dtl_wants_dispatch(f->filter, f->h, &v->run))
		f->view->dispatched(f->view->opaque, &v->run);
}

bool dtl_follow_record(struct dtl_follow *f, const struct dtl_record *r, struct error *err)
{
	unsigned vp = dtl_vp_index(f->h, r);
	struct dtl_vp *v = &f->vp[vp];
	bool reset = is_reset(v, r);

	if (!leaves_well(f, v, r, err) || !takes_well(f, vp, r, err))
		return false;
	end_state(f, vp, r->cycle, r->reason);
	if (v->on >= 0)
		leave_processor(f, v, r);
	v->state = r->state;
	v->since = r->cycle;
	if (r->state == VP_RUNNING)
		take_processor(f, vp, r);
	if (reset)
		forget_past(f, r->cycle);
	if (f->view->transition && dtl_wants_record(f->filter, f->h, r))
		f->view->transition(f->view->opaque, r);
	return true;
}

void dtl_follow_end(struct dtl_follow *f)
{
	for (unsigned i = 0; i < dtl_vps(f->h); i++)
		end_state(f, i, f->log->cycle, VP_NONE);
	for (unsigned i = 0; i < f->h->procs; i++)
		if (f->proc[i].running)
			tell_busy(f, i, f->log->cycle);
}

static bool output_gone(const struct dtl_log *log, struct error *err)
{
	if (log->records % CHECK_OUTPUT || !ferror(stdout))
		return false;
	error_set(err, "cannot write to standard output: %s", strerror(errno));
	return true;
}

bool dtl_follow_all(struct dtl_log *log, const struct dtl_filter *filter, const struct dtl_view *view, struct error *err)
{
	struct dtl_follow *f = malloc(sizeof *f);
	struct dtl_record r;
	bool ok = f != NULL;

	err->msg[0] = 0;
	if (!f) {
		error_set(err, "out of memory");
		return false;
	}
	dtl_follow_begin(f, log, filter, view);
	while (ok && dtl_log_read(log, &r, err))
		ok = dtl_follow_record(f, &r, err) && !output_gone(log, err);
	ok = ok && !err->msg[0];
	if (ok)
		dtl_follow_end(f);
	free(f);
	return ok;
}

uint64_t dtl_window_end(const struct dtl_log *log, const struct dtl_filter *filter)
{
	return log->cycle < filter->to ? log->cycle : filter->to;
}

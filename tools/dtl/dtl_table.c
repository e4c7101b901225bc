/* The table: a row for each dispatch, in order of time; and the raw transitions. */
#include <inttypes.h>
#include <stdlib.h>

#include "tools/dtl/dtl_time.h"
#include "tools/dtl/dtl_views.h"

/* A row is complete when its virtual processor leaves its processor; others may begin and end meanwhile. At most so many
 * rows wait for one that still runs; then that one is shown without its end. */
#define MAX_HELD 65536

struct table {
	const struct dtl_log *log;
	const struct dtl_header *h;
	bool csv;
	struct held {
		struct dtl_dispatch d;
		bool done;
	} *held;			/* a ring */
	uint64_t first, next;		/* numbers of rows; first is the oldest that waits */
	uint64_t row[DTL_MAX_VPS];	/* of the dispatch that a virtual processor runs in */
};

const char *dtl_vp_name(const struct dtl_header *h, unsigned vp, char name[DTL_NAME_LEN])
{
	if (dtl_is_load(h, vp))
		snprintf(name, DTL_NAME_LEN, "L%u", (vp - h->cpus) % 10000);
	else
		snprintf(name, DTL_NAME_LEN, "%u", vp % 10000);
	return name;
}

/* ---- Rows ---- */

static void put_ns(const struct dtl_header *h, uint64_t cycle, int width)
{
	uint64_t ns = dtl_ns(h, cycle);

	printf("%*" PRIu64 ".%09" PRIu64, width > 10 ? width - 10 : 0, ns / 1000000000, ns % 1000000000);
}

static void print_head(bool csv)
{
	if (csv)
		puts("cycle,seconds,timebase,cpu,load,physical_thread,physical,chip,dispatch_reason,dispatch_code,"
		     "preempt_reason,preempt_code,waiting_to_ready_cycles,ready_to_enqueue_cycles,"
		     "enqueue_to_dispatch_cycles,ran_cycles,left_by,nip,msr");
	else
		puts("                                                                           wait, us, until\n"
		     "      time, s         timebase   cpu  on chip  dispatched   stopped by        ready    capacity   processor"
		     "       ran, us  NIP");
}

static void row_text(const struct table *t, const struct dtl_dispatch *d, bool done)
{
	const struct dtl_header *h = t->h;
	char name[DTL_NAME_LEN];
	bool runs = !done || d->left_by == VP_NONE;

	put_ns(h, d->cycle, 14);
	printf(" %15" PRIu64 " %5s %3u %4u  %-12s %-11s %11.3f %11.3f %11.3f %s%12.3f", dtl_timebase(h, d->cycle),
	       dtl_vp_name(h, d->vp, name), dtl_proc(h, d->physical), dtl_chip(h, d->physical),
	       vp_reason_name((enum vp_reason)d->reason), vp_reason_name((enum vp_reason)d->stopped_by),
	       dtl_us(h, d->wait[WAIT_NOT_READY]), dtl_us(h, d->wait[WAIT_CAPACITY]), dtl_us(h, d->wait[WAIT_PROCESSOR]),
	       runs ? ">" : " ", dtl_us(h, done ? d->ran : t->log->cycle - d->cycle));
	if (dtl_is_load(h, d->vp))
		puts("");
	else
		printf("  %016" PRIx64 "\n", d->srr0);
}

static void row_csv(const struct table *t, const struct dtl_dispatch *d, bool done)
{
	const struct dtl_header *h = t->h;
	bool load = dtl_is_load(h, d->vp);

	printf("%" PRIu64 ",", d->cycle);
	put_ns(h, d->cycle, 0);
	printf(",%" PRIu64 ",%u,%d,%u,%u,%u,%s,%u,%s,%u,%" PRIu64 ",%" PRIu64 ",%" PRIu64 ",", dtl_timebase(h, d->cycle),
	       load ? d->vp - h->cpus : d->vp, load, d->physical, dtl_proc(h, d->physical), dtl_chip(h, d->physical),
	       vp_reason_name((enum vp_reason)d->reason), d->code, vp_reason_name((enum vp_reason)d->stopped_by),
	       d->stop_code, d->wait[WAIT_NOT_READY], d->wait[WAIT_CAPACITY], d->wait[WAIT_PROCESSOR]);
	if (done)
		printf("%" PRIu64 ",%s", d->ran, d->left_by ? vp_reason_name((enum vp_reason)d->left_by) : "");
	else
		printf(",");
	printf(",0x%016" PRIx64 ",0x%016" PRIx64 "\n", d->srr0, d->srr1);
}

static void show_oldest(struct table *t)
{
	const struct held *held = &t->held[t->first++ % MAX_HELD];

	(t->csv ? row_csv : row_text)(t, &held->d, held->done);
}

/* ---- In order ---- */

static void table_dispatched(void *opaque, const struct dtl_dispatch *d)
{
	struct table *t = opaque;

	if (t->next - t->first == MAX_HELD)
		show_oldest(t);
	t->row[d->vp] = t->next;
	t->held[t->next++ % MAX_HELD] = (struct held){ .d = *d };
}

static void table_ran(void *opaque, const struct dtl_dispatch *d)
{
	struct table *t = opaque;

	if (t->row[d->vp] < t->first)
		return;
	t->held[t->row[d->vp] % MAX_HELD] = (struct held){ .d = *d, .done = true };
	while (t->first < t->next && t->held[t->first % MAX_HELD].done)
		show_oldest(t);
}

bool dtl_table(struct dtl_log *log, const struct dtl_options *o, struct error *err)
{
	struct table t = { .log = log, .h = &log->h, .csv = o->csv, .held = calloc(MAX_HELD, sizeof *t.held) };
	struct dtl_view view = { .opaque = &t, .dispatched = table_dispatched, .ran = table_ran };
	bool ok;

	if (!t.held) {
		error_set(err, "out of memory");
		return false;
	}
	print_head(o->csv);
	ok = dtl_follow_all(log, &o->filter, &view, err);
	while (t.first < t.next)		/* the log is bad: show what there is */
		show_oldest(&t);
	free(t.held);
	return ok;
}

/* ---- Transitions ---- */

static void transition_text(const struct dtl_header *h, const struct dtl_record *r)
{
	char name[DTL_NAME_LEN], on[8] = "-";

	if (r->physical != PHYSICAL_NONE)
		snprintf(on, sizeof on, "%u", dtl_proc(h, r->physical));
	put_ns(h, r->cycle, 14);
	printf(" %15" PRIu64 " %5s %3s  %-10s %-12s", dtl_timebase(h, r->cycle), dtl_vp_name(h, dtl_vp_index(h, r), name), on,
	       vp_state_name((enum vp_state)r->state), vp_reason_name((enum vp_reason)r->reason));
	if (r->partition == PARTITION_GUEST && r->physical != PHYSICAL_NONE)
		printf(" %4u  %016" PRIx64 "  %016" PRIx64, r->code, r->srr0, r->srr1);
	puts("");
}

static void transition_csv(const struct dtl_header *h, const struct dtl_record *r)
{
	printf("%" PRIu64 ",", r->cycle);
	put_ns(h, r->cycle, 0);
	printf(",%" PRIu64 ",%u,%u,%s,%s,%u,", dtl_timebase(h, r->cycle), r->vp, r->partition,
	       vp_state_name((enum vp_state)r->state), vp_reason_name((enum vp_reason)r->reason), r->code);
	if (r->physical != PHYSICAL_NONE)
		printf("%u", r->physical);
	printf(",0x%016" PRIx64 ",0x%016" PRIx64 "\n", r->srr0, r->srr1);
}

static void show_transition(void *opaque, const struct dtl_record *r)
{
	const struct table *t = opaque;

	(t->csv ? transition_csv : transition_text)(t->h, r);
}

bool dtl_transitions(struct dtl_log *log, const struct dtl_options *o, struct error *err)
{
	struct table t = { .h = &log->h, .csv = o->csv };
	struct dtl_view view = { .opaque = &t, .transition = show_transition };

	puts(o->csv ? "cycle,seconds,timebase,cpu,load,state,reason,code,physical_thread,nip,msr"
		    : "      time, s         timebase   cpu  on  state      reason       code  NIP               MSR");
	return dtl_follow_all(log, &o->filter, &view, err);
}

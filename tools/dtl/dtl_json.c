/* --json: trace events for chrome://tracing and ui.perfetto.dev, a track for each physical thread
 * and for each virtual processor. It has its closing bracket only if all of the log is in it. */
#include <inttypes.h>

#include "tools/dtl/dtl_time.h"
#include "tools/dtl/dtl_views.h"

enum { PID_PHYSICAL = 1, PID_VIRTUAL, PID_LOAD };

/* Names that the older viewer has for colours. */
static const char *const colours[VP_STATES] = {
	[VP_STOPPED] = "black", [VP_CEDED] = "grey", [VP_CONFERRED] = "thread_state_iowait", [VP_JOINED] = "thread_state_unknown",
	[VP_WAITING] = "bad", [VP_READY] = "terrible", [VP_RUNNING] = "good",
};

struct json {
	const struct dtl_header *h;
	const struct dtl_filter *filter;
};

/* As a JSON string; the name of a file may be anything. */
static void put_string(const char *text)
{
	putchar('"');
	for (; *text; text++) {
		unsigned char c = (unsigned char)*text;

		if (c == '"' || c == '\\')
			printf("\\%c", c);
		else if (c < 0x20 || c >= 0x7f)
			printf("\\u%04x", c);
		else
			putchar(c);
	}
	putchar('"');
}

static void put_us(const struct dtl_header *h, const char *name, uint64_t from, uint64_t to)
{
	uint64_t ns = dtl_ns(h, to) - dtl_ns(h, from);

	printf(",\"%s\":%" PRIu64 ".%03" PRIu64, name, ns / 1000, ns % 1000);
}

/* ---- Names of tracks ---- */

static void name_process(unsigned pid, const char *name)
{
	printf(",\n{\"ph\":\"M\",\"pid\":%u,\"name\":\"process_name\",\"args\":{\"name\":\"%s\"}}", pid, name);
	printf(",\n{\"ph\":\"M\",\"pid\":%u,\"name\":\"process_sort_index\",\"args\":{\"sort_index\":%u}}", pid, pid);
}

static void name_thread(unsigned pid, unsigned tid, const char *name)
{
	printf(",\n{\"ph\":\"M\",\"pid\":%u,\"tid\":%u,\"name\":\"thread_name\",\"args\":{\"name\":\"%s\"}}", pid, tid, name);
	printf(",\n{\"ph\":\"M\",\"pid\":%u,\"tid\":%u,\"name\":\"thread_sort_index\",\"args\":{\"sort_index\":%u}}", pid, tid, tid);
}

static void name_physical(const struct dtl_header *h)
{
	char name[64];

	name_process(PID_PHYSICAL, "physical processors");
	for (unsigned i = 0; i < h->procs * h->threads; i++) {
		if (h->threads > 1)
			snprintf(name, sizeof name, "physical %u, thread %u (chip %u)", dtl_proc(h, i), i % h->threads, dtl_chip(h, i));
		else
			snprintf(name, sizeof name, "physical %u (chip %u)", i, dtl_chip(h, i));
		name_thread(PID_PHYSICAL, i, name);
	}
}

static unsigned pid_of(const struct dtl_header *h, unsigned vp) { return dtl_is_load(h, vp) ? PID_LOAD : PID_VIRTUAL; }
static unsigned number_of(const struct dtl_header *h, unsigned vp) { return dtl_is_load(h, vp) ? vp - h->cpus : vp; }

static const char *label_of(const struct dtl_header *h, unsigned vp, char *name, size_t size)
{
	snprintf(name, size, "%s %u", dtl_is_load(h, vp) ? "load" : "cpu", number_of(h, vp));
	return name;
}

static void name_virtual(const struct json *j)
{
	char name[32];

	name_process(PID_VIRTUAL, "virtual processors");
	if (j->filter->load != LOAD_NO)
		name_process(PID_LOAD, "competing load");
	for (unsigned i = 0; i < dtl_vps(j->h); i++)
		if (dtl_wants_vp(j->filter, j->h, i))
			name_thread(pid_of(j->h, i), number_of(j->h, i), label_of(j->h, i, name, sizeof name));
}

/* ---- Spans ---- */

static void put_run(const struct dtl_header *h, const struct dtl_dispatch *d)
{
	printf(",\"physical\":%u,\"chip\":%u,\"dispatched\":\"%s\",\"stopped by\":\"%s\",\"left by\":\"%s\"", dtl_proc(h, d->physical),
	       dtl_chip(h, d->physical), vp_reason_name((enum vp_reason)d->reason),
	       vp_reason_name((enum vp_reason)d->stopped_by), d->left_by ? vp_reason_name((enum vp_reason)d->left_by) : "");
	put_us(h, "until ready, us", 0, d->wait[WAIT_NOT_READY]);
	put_us(h, "until capacity, us", 0, d->wait[WAIT_CAPACITY]);
	put_us(h, "until processor, us", 0, d->wait[WAIT_PROCESSOR]);
	if (!dtl_is_load(h, d->vp))
		printf(",\"NIP\":\"0x%016" PRIx64 "\"", d->srr0);
}

static void put_span(const struct json *j, const struct dtl_span *s, unsigned pid, unsigned tid, const char *name, const char *colour)
{
	printf(",\n{\"ph\":\"X\",\"pid\":%u,\"tid\":%u,\"name\":\"%s\"", pid, tid, name);
	if (colour)
		printf(",\"cname\":\"%s\"", colour);
	put_us(j->h, "ts", 0, s->from);
	put_us(j->h, "dur", s->from, s->to);
	printf(",\"args\":{\"cycle\":%" PRIu64 ",\"timebase\":%" PRIu64, s->from, dtl_timebase(j->h, s->from));
	if (s->run)
		put_run(j->h, s->run);
	printf("}}");
}

static void json_span(void *opaque, const struct dtl_span *s)
{
	const struct json *j = opaque;
	char name[32];

	if (s->physical >= 0)
		put_span(j, s, PID_PHYSICAL, (unsigned)s->physical, label_of(j->h, s->vp, name, sizeof name),
			 dtl_is_load(j->h, s->vp) ? "grey" : NULL);
	if (!dtl_wants_vp(j->filter, j->h, s->vp))
		return;
	if (s->physical >= 0)
		snprintf(name, sizeof name, "running on %u", dtl_proc(j->h, (unsigned)s->physical));
	put_span(j, s, pid_of(j->h, s->vp), number_of(j->h, s->vp), s->physical >= 0 ? name : vp_state_name(s->state), colours[s->state]);
}

bool dtl_json(struct dtl_log *log, const struct dtl_options *o, struct error *err)
{
	struct json j = { .h = &log->h, .filter = &o->filter };
	struct dtl_view view = { .opaque = &j, .span = json_span };

	printf("{\"displayTimeUnit\":\"ns\",\"traceEvents\":[\n{\"ph\":\"M\",\"pid\":%u,\"name\":\"process_labels\",\"args\":{\"labels\":", PID_PHYSICAL);
	put_string(log->name);
	printf("}}");
	name_physical(j.h);
	name_virtual(&j);
	if (!dtl_follow_all(log, &o->filter, &view, err))
		return false;
	printf("\n],\"otherData\":{\"program\":\"cede-dtl\",\"log\":");
	put_string(log->name);
	printf(",\"end\":\"%s\",\"cycles per second\":\"%" PRIu64 "\"}}\n", log->ended ? "complete" : "cut off", j.h->hz);
	return true;
}

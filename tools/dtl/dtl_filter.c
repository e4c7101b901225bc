/* Which processors, reasons and times are asked for. */
#include "tools/dtl/dtl_filter.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "tools/dtl/dtl_follow.h"
#include "tools/dtl/dtl_time.h"

static bool refuse_text(struct error *err, const char *what, const char *text)
{
	error_set(err, "%s: '%.60s'", what, text);
	return false;
}

/* "0,2,4-7": at *p, a range of numbers up to the next comma. */
static bool parse_range(const char **p, unsigned long *first, unsigned long *last)
{
	char *end;

	if (!isdigit((unsigned char)**p))
		return false;
	*first = *last = strtoul(*p, &end, 10);
	if (*end == '-' && isdigit((unsigned char)end[1]))
		*last = strtoul(end + 1, &end, 10);
	if (*end && *end != ',')
		return false;
	*p = *end ? end + 1 : end;
	return *first <= *last && *last < DTL_MAX_CPUS && (!*end || **p);
}

bool dtl_filter_cpus(struct dtl_filter *f, const char *list, struct error *err)
{
	const char *p = list;
	unsigned long first, last;

	do {
		if (!parse_range(&p, &first, &last))
			return refuse_text(err, "no list of processors (as in 0,2,4-7)", list);
		for (; first <= last; first++)
			f->cpus[first / 64] |= UINT64_C(1) << first % 64;
	} while (*p);
	f->some_cpus = true;
	return true;
}

static int reason_of(const char *name, size_t len)
{
	for (int i = 0; i < VP_REASONS; i++)
		if (!strncmp(vp_reason_name((enum vp_reason)i), name, len) && !vp_reason_name((enum vp_reason)i)[len])
			return i;
	return -1;
}

bool dtl_filter_reasons(struct dtl_filter *f, const char *list, struct error *err)
{
	for (const char *p = list;; p++) {
		size_t len = strcspn(p, ",");
		int reason = reason_of(p, len);

		if (reason < 0)
			return refuse_text(err, "no such reason (cede-dtl --help lists them)", list);
		f->reasons |= UINT32_C(1) << reason;
		p += len;
		if (!*p)
			return true;
	}
}

bool dtl_filter_load(struct dtl_filter *f, const char *how, struct error *err)
{
	f->load = how && !strcmp(how, "only") ? LOAD_ONLY : LOAD_TOO;
	return !how || f->load == LOAD_ONLY || refuse_text(err, "--load takes nothing or 'only'", how);
}

bool dtl_filter_time(const char **to, const char *text, struct error *err)
{
	static const struct dtl_header any = { .hz = 1, .tb_hz = 1 };
	uint64_t cycles;

	*to = text;
	return dtl_time_parse(text, &any, true, &cycles) ||
	       refuse_text(err, "no time (as in 1.5, 20ms, 500us, 300ns, 1000c, 1000tb)", text);
}

static uint64_t resolve_time(const char *text, const struct dtl_header *h, bool point, uint64_t otherwise)
{
	uint64_t cycles;

	return text && dtl_time_parse(text, h, point, &cycles) ? cycles : otherwise;
}

bool dtl_filter_resolve(struct dtl_filter *f, const struct dtl_header *h, struct error *err)
{
	f->from = resolve_time(f->from_text, h, true, 0);
	f->to = resolve_time(f->to_text, h, true, UINT64_MAX);
	f->longer = resolve_time(f->longer_text, h, false, 0);
	if (f->to <= f->from) {
		error_set(err, "--from %.60s is not before --to %.60s", f->from_text ? f->from_text : "0",
			  f->to_text ? f->to_text : "the end");
		return false;
	}
	if (f->to <= h->begins) {
		error_set(err, "the log begins at %.9f s, not before --to %.60s", dtl_seconds(h, h->begins), f->to_text);
		return false;
	}
	if (f->from < h->begins)
		f->from = h->begins;
	for (unsigned i = h->cpus; i < DTL_MAX_CPUS; i++)
		if (f->cpus[i / 64] >> i % 64 & 1) {
			error_set(err, "no virtual processor %u: the log has %u, from 0", i, h->cpus);
			return false;
		}
	return true;
}

bool dtl_wants_vp(const struct dtl_filter *f, const struct dtl_header *h, unsigned vp)
{
	if (dtl_is_load(h, vp))
		return f->load != LOAD_NO;
	return f->load != LOAD_ONLY && (!f->some_cpus || f->cpus[vp / 64] >> vp % 64 & 1);
}

static bool wants_reason(const struct dtl_filter *f, uint8_t reason)
{
	return !f->reasons || f->reasons >> reason & 1;
}

bool dtl_wants_dispatch(const struct dtl_filter *f, const struct dtl_header *h, const struct dtl_dispatch *d)
{
	return d->cycle >= f->from && d->cycle < f->to && dtl_wants_vp(f, h, d->vp) &&
	       (wants_reason(f, d->reason) || wants_reason(f, d->stopped_by)) &&
	       (!f->longer_text || d->wait[WAIT_PROCESSOR] > f->longer);
}

bool dtl_wants_record(const struct dtl_filter *f, const struct dtl_header *h, const struct dtl_record *r)
{
	return r->cycle >= f->from && r->cycle < f->to && dtl_wants_vp(f, h, dtl_vp_index(h, r)) &&
	       wants_reason(f, r->reason);
}

/* --svg: a timeline, a lane for each physical processor and one for each virtual processor.
 *
 * The log is read twice: for its length and totals, and for the picture, whose columns show what
 * lasted longest in them; so its size depends on the processors, not on the log.
 */
#include "tools/dtl/dtl_svg.h"

#include <stdlib.h>
#include <string.h>

#include "tools/dtl/dtl_time.h"

#define LETTER 6.2			/* pixels: the widest letter of a lane's label */

/* ---- Runs of columns, into the pieces ---- */

__attribute__((format(printf, 2, 3))) static void add(struct text *t, const char *fmt, ...)
{
	va_list ap;
	int n;

	if (t->room - t->len < 256) {
		size_t room = t->room ? 2 * t->room : 1024;
		char *more = realloc(t->at, room);

		t->failed |= !more;
		if (!more)
			return;
		t->at = more;
		t->room = room;
	}
	va_start(ap, fmt);
	n = vsnprintf(t->at + t->len, t->room - t->len, fmt, ap);
	va_end(ap);
	t->len += n > 0 ? (size_t)n : 0;
}

static void add_run(const struct svg *s, struct text *t, unsigned lane, unsigned start, unsigned end)
{
	unsigned height = svg_lane_height(s);

	add(t, "M%u %uh%uv%uh-%uz", SVG_LEFT + start, svg_lane_y(s, lane), end - start, height, end - start);
}

static void physical_run(void *opaque, unsigned lane, unsigned kind, unsigned start, unsigned end)
{
	struct svg *s = opaque;
	char name[DTL_NAME_LEN];

	if (!kind)
		return;
	add_run(s, &s->by_vp[kind - 1], lane, start, end);
	dtl_vp_name(s->h, kind - 1, name);
	if (end - start > LETTER * (double)(strlen(name) + 1))
		add(&s->labels, "<text x=\"%g\" y=\"%g\" fill=\"%s\">%s</text>\n", SVG_LEFT + (start + end) / 2.0,
		    svg_text_y(s, lane) - 0.4, colour_is_light(colour_vp(s->h->cpus, kind - 1)) ? "#222" : "#fff", name);
}

static void virtual_run(void *opaque, unsigned lane, unsigned kind, unsigned start, unsigned end)
{
	struct svg *s = opaque;

	if (kind)
		add_run(s, &s->by_state[kind - 1], lane, start, end);
}

static void svg_span(void *opaque, const struct dtl_span *span)
{
	struct svg *s = opaque;

	if (span->physical >= 0)
		lane_add(&s->lane[span->physical], span->vp + 1, span->from, span->to);
	if (s->lane_of[span->vp] >= 0)
		lane_add(&s->lane[s->lane_of[span->vp]], span->state + 1, span->from, span->to);
}

/* ---- Life ---- */

static unsigned choose_row(unsigned lanes)
{
	return lanes <= 12 ? 26 : lanes <= 40 ? 18 : 12;
}

static bool out_of_memory(struct error *err)
{
	error_set(err, "out of memory");
	return false;
}

static bool lanes_init(struct svg *s)
{
	const struct dtl_header *h = s->h;

	s->physical = h->procs * h->threads;
	for (unsigned i = 0; i < dtl_vps(h); i++) {
		s->lane_of[i] = -1;
		if (!dtl_wants_vp(&s->o->filter, h, i))
			continue;
		s->vp_of[s->virtuals] = i;
		s->lane_of[i] = (int)(s->physical + s->virtuals++);
	}
	s->lanes = s->physical + s->virtuals;
	s->row = choose_row(s->lanes);
	s->by_vp = calloc(dtl_vps(h), sizeof *s->by_vp);
	s->by_state = calloc(VP_STATES, sizeof *s->by_state);
	s->lane = calloc(s->lanes, sizeof *s->lane);
	if (!s->by_vp || !s->by_state || !s->lane)
		return false;
	for (unsigned i = 0; i < s->lanes; i++) {
		bool physical = i < s->physical;

		s->lane[i] = (struct lane){ .opaque = s, .number = i, .run = physical ? physical_run : virtual_run };
		if (!lane_init(&s->lane[i], &s->scale, 1 + (physical ? dtl_vps(h) : VP_STATES)))
			return false;
	}
	return true;
}

static void svg_free(struct svg *s)
{
	for (unsigned i = 0; s->lane && i < s->lanes; i++)
		lane_free(&s->lane[i]);
	for (unsigned i = 0; s->by_vp && i < dtl_vps(s->h); i++)
		free(s->by_vp[i].at);
	for (unsigned i = 0; s->by_state && i < VP_STATES; i++)
		free(s->by_state[i].at);
	free(s->labels.at);
	free(s->lane);
	free(s->by_vp);
	free(s->by_state);
	dtl_totals_free(&s->totals);
}

static bool svg_complete(const struct svg *s)
{
	bool failed = s->labels.failed;

	for (unsigned i = 0; i < dtl_vps(s->h); i++)
		failed |= s->by_vp[i].failed;
	for (unsigned i = 0; i < VP_STATES; i++)
		failed |= s->by_state[i].failed;
	return !failed;
}

static bool read_totals(struct svg *s, struct dtl_log *log, struct error *err)
{
	uint64_t end;

	if (!dtl_totals_init(&s->totals, s->h, err) || !dtl_follow_all(log, &s->o->filter, &s->totals.view, err))
		return false;
	end = dtl_window_end(log, &s->o->filter);
	s->scale = (struct lane_scale){ .from = s->o->filter.from, .length = end - s->o->filter.from, .columns = SVG_COLUMNS };
	if (end > s->o->filter.from)
		return true;
	error_set(err, "%.100s: nothing to draw: it ends at %.9f s", log->name, dtl_seconds(s->h, log->cycle));
	return false;
}

static bool read_lanes(struct svg *s, struct dtl_log *log, struct error *err)
{
	struct dtl_view view = { .opaque = s, .span = svg_span };

	if (!lanes_init(s))
		return out_of_memory(err);
	if (!dtl_log_rewind(log, err) || !dtl_follow_all(log, &s->o->filter, &view, err))
		return false;
	for (unsigned i = 0; i < s->lanes; i++)
		lane_end(&s->lane[i]);
	return svg_complete(s) || out_of_memory(err);
}

bool dtl_svg(struct dtl_log *log, const struct dtl_options *o, struct error *err)
{
	struct svg *s = calloc(1, sizeof *s);
	bool ok;

	if (!s)
		return out_of_memory(err);
	s->log = log;
	s->h = &log->h;
	s->o = o;
	ok = dtl_log_keep(log, err) && read_totals(s, log, err) && read_lanes(s, log, err);
	if (ok)
		svg_put_page(s);
	svg_free(s);
	free(s);
	return ok;
}

/* The panel's picture: titles, axes, lanes, the entry that is read. Colours are those of cede-dtl --svg. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "hcall/dispatcher.h"
#include "machine/core/machine.h"
#include "machine/display/panel_parts.h"
#include "machine/vp/colour.h"
#include "machine/vp/lane.h"

#define PAPER  0xffffffu
#define INK    0x222222u
#define PALE   0x777777u
#define LINE   0xd8dce0u
#define MARK   0x111111u
#define MARK_EVERY 128u			/* columns */
#define LINE_HEIGHT 20

static double seconds(uint64_t cycles) { return (double)cycles / CPU_HZ; }

static void vp_name(const struct panel *p, unsigned vp, char name[16])
{
	bool load = vp >= p->history.cpus;

	snprintf(name, 16, "%s%u", load ? "load" : "cpu", (load ? vp - p->history.cpus : vp) % 1000);
}

static void physical_name(const struct panel *p, unsigned thread, char name[32])
{
	unsigned threads = p->m->dispatcher->threads;

	if (threads > 1)
		snprintf(name, 32, "proc%u.%u", thread / threads, thread % threads);
	else
		snprintf(name, 32, "proc%u", thread);
}

/* ---- Lanes ---- */

struct painter {
	const struct panel *panel;
	struct lane_scale scale;
	struct lane *lanes;
};

static void paint(const struct painter *t, unsigned lane, unsigned start, unsigned end, uint32_t colour)
{
	const struct panel *p = t->panel;

	draw_box(&p->drawing, PANEL_LEFT + (int)start, panel_lane_y(p, lane), (int)(end - start), (int)panel_lane_height(p), colour);
}

static void physical_run(void *opaque, unsigned lane, unsigned kind, unsigned start, unsigned end)
{
	const struct painter *t = opaque;
	const struct panel *p = t->panel;
	uint32_t colour;
	char name[16];

	if (!kind)
		return;
	colour = colour_vp(p->history.cpus, kind - 1);
	paint(t, lane, start, end, colour);
	vp_name(p, kind - 1, name);
	if (p->row > 14 && end - start > LETTER_WIDTH * (strlen(name) + 1))
		draw_text(&p->drawing, PANEL_LEFT + (int)(start + end) / 2 - (int)strlen(name) * LETTER_WIDTH / 2,
			  panel_lane_y(p, lane) + (int)(panel_lane_height(p) - 7) / 2, 1, colour_is_light(colour) ? INK : PAPER, "%s", name);
}

static void virtual_run(void *opaque, unsigned lane, unsigned kind, unsigned start, unsigned end)
{
	if (kind)
		paint(opaque, lane, start, end, colour_state((enum vp_state)(kind - 1)));
}

static void add_span(void *opaque, const struct history_span *span)
{
	struct painter *t = opaque;

	if (span->physical >= 0 && (unsigned)span->physical < t->panel->physical)
		lane_add(&t->lanes[span->physical], span->vp + 1, span->from, span->to);
	lane_add(&t->lanes[t->panel->physical + span->vp], span->state + 1, span->from, span->to);
}

/* Whole columns only, so that one looks the same from picture to picture. */
static void draw_lanes(const struct panel *p)
{
	uint64_t column = panel_column(p), first = panel_first(p), last = p->last;
	struct painter t = { .panel = p, .scale = { .from = first * column } };
	bool ok = true;

	for (unsigned lane = 0; lane < p->lanes; lane++)
		draw_box(&p->drawing, PANEL_LEFT, panel_lane_y(p, lane), PANEL_COLUMNS, (int)panel_lane_height(p), COLOUR_IDLE);
	if (last <= first)
		return;
	t.scale.columns = (unsigned)(last - first);
	t.scale.length = t.scale.columns * column;
	t.lanes = calloc(p->lanes, sizeof *t.lanes);
	for (unsigned lane = 0; t.lanes && lane < p->lanes; lane++) {
		bool physical = lane < p->physical;

		t.lanes[lane] = (struct lane){ .opaque = &t, .number = lane, .run = physical ? physical_run : virtual_run };
		ok &= lane_init(&t.lanes[lane], &t.scale, 1 + (physical ? p->history.vps : VP_STATES));
	}
	if (t.lanes && ok) {
		history_spans(&p->history, t.scale.from, t.scale.from + t.scale.length, add_span, &t);
		for (unsigned lane = 0; lane < p->lanes; lane++)
			lane_end(&t.lanes[lane]);
	}
	for (unsigned lane = 0; t.lanes && lane < p->lanes; lane++)
		lane_free(&t.lanes[lane]);
	free(t.lanes);
}

static void draw_names(const struct panel *p)
{
	unsigned every = (LETTER_HEIGHT + p->row - 1) / p->row;		/* lanes are lower than letters where there are many */
	char name[32];

	for (unsigned lane = 0; lane < p->lanes; lane++) {
		bool physical = lane < p->physical;
		unsigned number = physical ? lane : lane - p->physical;

		if (number % every)
			continue;
		if (physical)
			physical_name(p, number, name);
		else
			vp_name(p, number, name);
		draw_text(&p->drawing, PANEL_LEFT - 8 - (int)strlen(name) * LETTER_WIDTH, panel_lane_y(p, lane) + (int)(panel_lane_height(p) - 7) / 2,
			  1, INK, "%s", name);
		if (!physical && p->row > 14)
			draw_box(&p->drawing, 8, panel_lane_y(p, lane), 10, (int)panel_lane_height(p), colour_vp(p->history.cpus, number));
	}
}

static void draw_axis(const struct panel *p, const char *heading, unsigned first, unsigned lanes)
{
	int top = panel_lane_y(p, first);
	uint64_t from = panel_first(p), every = MARK_EVERY;

	draw_text(&p->drawing, 8, top - 20, 2, INK, "%s", heading);
	for (uint64_t c = (from + every - 1) / every * every; c < from + PANEL_COLUMNS; c += every) {
		int x = PANEL_LEFT + (int)(c - from);

		draw_box(&p->drawing, x, top - 4, 1, (int)(lanes * p->row) + 6, LINE);
		if (x < PANEL_LEFT + PANEL_COLUMNS - 40)
			draw_text(&p->drawing, x + 2, top - 12, 1, PALE, "%.*f s", p->step < 10 ? 6 : 3, seconds(c * panel_column(p)));
	}
}

/* ---- Texts ---- */

static void draw_titles(const struct panel *p)
{
	const struct machine *m = p->m;
	const struct dispatcher *d = m->dispatcher;
	const struct partition *guest = &d->partition[PARTITION_GUEST];
	char pool[100] = "dedicated processors";

	if (d->shared)
		snprintf(pool, sizeof pool, "entitlement %u.%02u, %s, weight %u, window %.3g ms", guest->entitlement / POOL_UNIT,
			 guest->entitlement % POOL_UNIT, guest->capped ? "capped" : "uncapped", guest->weight, 1000 * seconds(d->window));
	draw_text(&p->drawing, 8, 8, 2, INK, "Who runs where: %.6f s, %s, %s", seconds(p->history.until),
		  machine_clock_stands(m) ? "the machine stands" : "running", p->live ? "live" : "held");
	draw_text(&p->drawing, 8, 32, 1, PALE, "%u virtual threads, %u physical processors, %s; a column is %.4g us", m->ncpus, d->procs, pool,
		  1e6 * seconds(panel_column(p)));
}

/* A guest has a kernel some time after it has begun, or none that is understood: looking through its memory takes long. */
static void find_symbols(struct panel *p)
{
	if (p->history.until < p->seek_symbols)
		return;
	kallsyms_free(&p->symbols);
	kallsyms_find(&p->m->ram, &p->symbols);
	p->seek_symbols = p->symbols.n ? UINT64_MAX : p->history.until + CPU_HZ;
}

static void draw_place(struct panel *p, int y, const struct dtl_record *r)
{
	const char *name;
	uint64_t offset;

	find_symbols(p);
	name = kallsyms_name(&p->symbols, r->srr0, &offset);
	if (name)
		draw_text(&p->drawing, 8, y, 2, INK, "NIP %016llx %.40s+0x%llx", (unsigned long long)r->srr0, name, (unsigned long long)offset);
	else
		draw_text(&p->drawing, 8, y, 2, INK, "NIP %016llx  MSR %016llx", (unsigned long long)r->srr0, (unsigned long long)r->srr1);
}

static void draw_story(struct panel *p, int y, const struct history_story *s)
{
	const struct dtl_record *r = &s->record;
	const struct drawing *d = &p->drawing;
	const char *how_long = s->over ? "" : " until now";
	char name[16], where[32] = "", on[48] = "";

	vp_name(p, history_vp_of(&p->history, r), name);
	if (r->physical != PHYSICAL_NONE) {
		physical_name(p, r->physical, where);
		snprintf(on, sizeof on, " %s %s", r->state == VP_RUNNING ? "on" : "from", where);
	}
	draw_text(d, 8, y, 2, INK, "%s %s%s, because of: %s. At %.9f s, for %.3f us%s", name, vp_state_name((enum vp_state)r->state), on,
		  vp_reason_name((enum vp_reason)r->reason), seconds(r->cycle), 1e6 * seconds(s->ended - r->cycle), how_long);
	if (r->state != VP_RUNNING)
		return;
	if (s->ran_before)
		draw_text(d, 8, y + LINE_HEIGHT, 2, INK, "stopped by: %s; waited for a processor %.3f us, capacity %.3f us, work %.3f us",
			  vp_reason_name((enum vp_reason)s->stopped_by), 1e6 * seconds(s->wait[WAIT_PROCESSOR]),
			  1e6 * seconds(s->wait[WAIT_CAPACITY]), 1e6 * seconds(s->wait[WAIT_NOT_READY]));
	else
		draw_text(d, 8, y + LINE_HEIGHT, 2, PALE, "what it did before is not known");
	if (r->partition == PARTITION_GUEST)
		draw_place(p, y + 2 * LINE_HEIGHT, r);
	if (s->over)
		draw_text(d, 8, y + 3 * LINE_HEIGHT, 2, INK, "left because of: %s", vp_reason_name((enum vp_reason)s->ended_by));
}

static void draw_entry(struct panel *p, int y)
{
	uint64_t number = panel_entry(p);
	struct history_story s;
	unsigned vp;
	int from, to;

	if (number == HISTORY_NONE || !history_story(&p->history, number, &s)) {
		draw_text(&p->drawing, 8, y, 2, PALE, "Point at a bar to read its entry.");
		return;
	}
	draw_story(p, y, &s);
	vp = history_vp_of(&p->history, &s.record);
	from = panel_x(p, s.record.cycle);
	to = panel_x(p, s.ended ? s.ended - 1 : 0) + 1;
	draw_box(&p->drawing, from, panel_lane_y(p, p->physical + vp) - 2, to - from, 2, MARK);
	if (s.record.physical < p->physical && s.record.state == VP_RUNNING)
		draw_box(&p->drawing, from, panel_lane_y(p, s.record.physical) - 2, to - from, 2, MARK);
}

static void draw_legend(const struct panel *p, int y)
{
	int x = 8;

	for (unsigned state = VP_STATES; state--;) {
		const char *name = vp_state_name((enum vp_state)state);

		draw_box(&p->drawing, x, y, 14, 9, colour_state((enum vp_state)state));
		draw_text(&p->drawing, x + 20, y + 1, 1, INK, "%s", name);
		x += 32 + (int)strlen(name) * LETTER_WIDTH;
	}
	draw_text(&p->drawing, 8, y + 18, 1, PALE, "%s", "space: pause, go on   N: on to the next dispatch   left, right: the one before, after   "
		  "page up, down: scroll   + -: zoom   home: oldest   end: live   click: read   esc: the guest's screen");
}

static bool has_changed(const struct panel *p)
{
	return p->dirty || p->drawn_until != p->history.until || p->drawn_stopped != machine_clock_stands(p->m);
}

const uint32_t *panel_draw(struct panel *p, uint64_t *number)
{
	const struct drawing *d = &p->drawing;
	int below = panel_lane_y(p, p->lanes);

	*number = p->drawn;
	if (!has_changed(p))
		return d->pixel;
	*number = ++p->drawn;
	draw_box(d, 0, 0, d->width, d->height, PAPER);
	draw_titles(p);
	draw_axis(p, "On", 0, p->physical);
	draw_axis(p, "Virtual", p->physical, p->lanes - p->physical);
	draw_lanes(p);
	draw_names(p);
	draw_entry(p, below + 16);
	draw_legend(p, below + PANEL_BOTTOM - 44);
	p->dirty = false;
	p->drawn_until = p->history.until;
	p->drawn_stopped = machine_clock_stands(p->m);
	return d->pixel;
}

#include "machine/display/panel.h"

#include <stdlib.h>

#include "hcall/dispatcher.h"
#include "machine/core/machine.h"
#include "machine/display/panel_parts.h"

#define LANES_HEIGHT 560u		/* pixels, about: of all lanes */
#define SHIFT (PANEL_COLUMNS / 4)	/* columns */

/* ns of a column */
static const uint32_t steps[] = { 100, 200, 500, 1000, 2000, 5000, 10000, 20000, 50000, 100000, 200000, 500000, 1000000, 2000000,
				  5000000, 10000000, 20000000, 50000000 };
#define FIRST_STEP 12			/* a second in all */

uint64_t panel_column(const struct panel *p) { return (uint64_t)steps[p->step] * (CPU_HZ / 1000000) / 1000; }

/* ---- Where things are ---- */

uint64_t panel_first(const struct panel *p) { return p->last < PANEL_COLUMNS ? 0 : p->last - PANEL_COLUMNS; }

int panel_lane_y(const struct panel *p, unsigned lane)
{
	return (int)(PANEL_TOP + PANEL_GAP + lane * p->row + (lane >= p->physical ? PANEL_GAP : 0));
}

unsigned panel_lane_height(const struct panel *p) { return p->row > 14 ? p->row - 3 : p->row > 4 ? p->row - 2 : p->row - 1; }

int panel_x(const struct panel *p, uint64_t cycle)
{
	int64_t column = (int64_t)(cycle / panel_column(p)) - (int64_t)panel_first(p);

	return column < 0 ? PANEL_LEFT - 1 : column >= PANEL_COLUMNS ? PANEL_LEFT + PANEL_COLUMNS : PANEL_LEFT + (int)column;
}

static unsigned choose_row(unsigned lanes)
{
	unsigned row = LANES_HEIGHT / lanes;

	return row < 3 ? 3 : row > 26 ? 26 : row;
}

unsigned panel_width(const struct panel *p) { return (unsigned)p->drawing.width; }
unsigned panel_height(const struct panel *p) { return (unsigned)p->drawing.height; }

/* ---- What is shown ---- */

static uint64_t newest_column(const struct panel *p) { return p->history.until / panel_column(p); }

static void show_last(struct panel *p, uint64_t last)
{
	uint64_t newest = newest_column(p);

	p->last = last > newest ? newest : last;
	p->dirty = true;
}

static void hold(struct panel *p)
{
	if (p->live)
		show_last(p, newest_column(p));
	p->live = false;
}

static void go_live(struct panel *p)
{
	p->live = p->dirty = true;
	p->selected = HISTORY_NONE;
}

/* Holds still, with the entry in sight. */
static void select_entry(struct panel *p, uint64_t number)
{
	const struct dtl_record *r = history_record(&p->history, number);
	uint64_t column;

	p->selected = r ? number : HISTORY_NONE;
	p->dirty = true;
	if (!r)
		return;
	hold(p);
	column = r->cycle / panel_column(p);
	if (column < panel_first(p) || column >= p->last)
		show_last(p, column + PANEL_COLUMNS / 2);
}

/* The time at the selected entry, or else at the right edge, stays where it is. */
static void zoom(struct panel *p, int by)
{
	const struct dtl_record *r = history_record(&p->history, p->selected);
	uint64_t cycle = r ? r->cycle : p->last * panel_column(p);

	if ((by < 0 && !p->step) || (by > 0 && p->step + 1 == sizeof steps / sizeof *steps))
		return;
	p->step += (unsigned)by;
	show_last(p, cycle / panel_column(p) + (r ? PANEL_COLUMNS / 2 : 0));
}

static uint64_t entry_below(const struct panel *p)
{
	uint64_t column = panel_first(p) + (unsigned)(p->x - PANEL_LEFT), cycle = (column + 1) * panel_column(p) - 1;

	if (p->x < PANEL_LEFT || p->x >= PANEL_LEFT + PANEL_COLUMNS || column >= p->last)
		return HISTORY_NONE;
	for (unsigned lane = 0; lane < p->lanes; lane++)
		if (p->y >= panel_lane_y(p, lane) && p->y < panel_lane_y(p, lane) + (int)p->row)
			return lane < p->physical ? history_dispatch_at(&p->history, lane, cycle)
						  : history_state_at(&p->history, lane - p->physical, cycle);
	return HISTORY_NONE;
}

uint64_t panel_entry(const struct panel *p)
{
	return history_record(&p->history, p->selected) ? p->selected : entry_below(p);
}

/* ---- The machine's part ---- */

static struct panel *panel_of(struct history *h) { return (struct panel *)((char *)h - offsetof(struct panel, history)); }

static void restarted(struct history *h)
{
	struct panel *p = panel_of(h);

	go_live(p);
	p->awaited = HISTORY_NONE;
	p->seek_symbols = 0;
}

static void came(struct history *h)
{
	struct panel *p = panel_of(h);
	uint64_t found;

	if (p->live)
		p->last = newest_column(p);
	found = p->awaited == HISTORY_NONE ? HISTORY_NONE : history_next_dispatch(h, p->awaited);
	if (found == HISTORY_NONE)
		return;
	p->awaited = HISTORY_NONE;
	select_entry(p, found);
	machine_stop(p->m);
}

/* ---- What a user does ---- */

static enum panel_wish pause_or_go_on(struct panel *p)
{
	p->awaited = HISTORY_NONE;
	if (machine_clock_stands(p->m)) {
		go_live(p);
		return PANEL_GO_ON;
	}
	machine_stop(p->m);
	p->dirty = true;
	return PANEL_NOTHING;
}

/* To the next dispatch: one that is known, or else the machine goes on until there is one. */
static enum panel_wish step(struct panel *p)
{
	uint64_t known = history_record(&p->history, p->selected) ? history_next_dispatch(&p->history, p->selected) : HISTORY_NONE;

	if (known != HISTORY_NONE) {
		select_entry(p, known);
		return PANEL_NOTHING;
	}
	p->awaited = p->history.end ? p->history.end - 1 : HISTORY_NONE;
	return machine_clock_stands(p->m) ? PANEL_GO_ON : PANEL_NOTHING;
}

static void go_back(struct panel *p)
{
	uint64_t from = history_record(&p->history, p->selected) ? p->selected : HISTORY_NONE, found;

	found = history_dispatch_before(&p->history, from);
	if (found != HISTORY_NONE)
		select_entry(p, found);
}

static void go_forward(struct panel *p)
{
	uint64_t found = history_record(&p->history, p->selected) ? history_next_dispatch(&p->history, p->selected) : HISTORY_NONE;

	if (found != HISTORY_NONE)
		select_entry(p, found);
}

static void shift(struct panel *p, int columns)
{
	hold(p);
	show_last(p, columns < 0 && p->last < PANEL_COLUMNS + (unsigned)-columns ? PANEL_COLUMNS : p->last + (uint64_t)(int64_t)columns);
}

/* Linux's input event codes. */
enum { KEY_ESC = 1, KEY_MINUS = 12, KEY_EQUAL = 13, KEY_N = 49, KEY_SPACE = 57, KEY_KP_MINUS = 74, KEY_KP_PLUS = 78, KEY_HOME = 102,
       KEY_PAGE_UP = 104, KEY_LEFT = 105, KEY_RIGHT = 106, KEY_END = 107, KEY_PAGE_DOWN = 109 };

static enum panel_wish press(struct panel *p, unsigned code)
{
	switch (code) {
	case KEY_ESC: return PANEL_LEAVE;
	case KEY_SPACE: return pause_or_go_on(p);
	case KEY_N: return step(p);
	case KEY_LEFT: go_back(p); break;
	case KEY_RIGHT: go_forward(p); break;
	case KEY_PAGE_UP: shift(p, -(int)SHIFT); break;
	case KEY_PAGE_DOWN: shift(p, SHIFT); break;
	case KEY_HOME: select_entry(p, history_next_dispatch(&p->history, HISTORY_NONE)); break;
	case KEY_END: go_live(p); break;
	case KEY_EQUAL:
	case KEY_KP_PLUS: zoom(p, -1); break;
	case KEY_MINUS:
	case KEY_KP_MINUS: zoom(p, 1); break;
	default: break;
	}
	return PANEL_NOTHING;
}

static void place(struct panel *p, unsigned axis, int32_t value)
{
	unsigned side = axis ? panel_height(p) : panel_width(p);
	int at = (int)(((int64_t)value * (side - 1) + ACT_PLACE_MOST / 2) / ACT_PLACE_MOST);

	if (axis)
		p->y = at;
	else
		p->x = at;
	p->dirty = true;
}

enum panel_wish panel_take(struct panel *p, const struct act *acts, unsigned n)
{
	enum panel_wish wish = PANEL_NOTHING;

	for (unsigned i = 0; i < n; i++) {
		const struct act *a = &acts[i];

		if (a->kind == ACT_PLACE)
			place(p, a->code, a->value);
		else if (a->kind == ACT_BUTTON && a->code == BUTTON_LEFT && a->value)
			select_entry(p, entry_below(p));
		else if (a->kind == ACT_MOVE && a->code == 2)
			zoom(p, a->value > 0 ? -1 : 1);
		else if (a->kind == ACT_KEY && a->value && wish == PANEL_NOTHING)
			wish = press(p, a->code);
	}
	return wish;
}

void panel_describe(const struct panel *p, FILE *out)
{
	fprintf(out, "columns %u from %llu, of %llu cycles, at x %u\n", PANEL_COLUMNS, (unsigned long long)panel_first(p),
		(unsigned long long)panel_column(p), PANEL_LEFT);
	fprintf(out, "known from cycle %llu to %llu, %s\n", (unsigned long long)p->history.begins, (unsigned long long)p->history.until,
		p->live ? "live" : "held");
	for (unsigned lane = 0; lane < p->lanes; lane++)
		fprintf(out, "%s %u at y %d, height %u\n", lane < p->physical ? "physical" : "virtual",
			lane < p->physical ? lane : lane - p->physical, panel_lane_y(p, lane), panel_lane_height(p));
	if (history_record(&p->history, p->selected))
		fprintf(out, "selected: cycle %llu\n", (unsigned long long)history_record(&p->history, p->selected)->cycle);
}

/* ---- Life ---- */

struct panel *panel_new(struct machine *m)
{
	const struct dispatcher *d = m->dispatcher;
	struct panel *p = calloc(1, sizeof *p);

	if (!p)
		return NULL;
	p->m = m;
	p->physical = d->procs * d->threads;
	p->lanes = p->physical + m->ncpus + d->partition[PARTITION_LOAD].n;
	p->row = choose_row(p->lanes);
	p->step = FIRST_STEP;
	p->live = p->dirty = true;
	p->selected = p->awaited = HISTORY_NONE;
	p->x = p->y = -1;
	p->drawing.width = PANEL_WIDTH;
	p->drawing.height = panel_lane_y(p, p->lanes) + PANEL_BOTTOM;
	p->drawing.pixel = calloc((size_t)p->drawing.width * (unsigned)p->drawing.height, sizeof *p->drawing.pixel);
	if (!p->drawing.pixel || !history_begin(&p->history, m, restarted, came)) {
		free(p->drawing.pixel);
		free(p);
		return NULL;
	}
	return p;
}

void panel_free(struct panel *p)
{
	if (!p)
		return;
	history_end(&p->history, p->m);
	kallsyms_free(&p->symbols);
	free(p->drawing.pixel);
	free(p);
}

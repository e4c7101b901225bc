#include "machine/display/display.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "machine/core/config.h"
#include "machine/core/device.h"
#include "machine/core/input.h"
#include "machine/core/screen.h"
#include "machine/display/panel.h"
#include "machine/host/canvas.h"
#include "machine/host/time.h"
#include "machine/host/viewer.h"

#define FRAME_NS UINT64_C(33000000)	/* between two pictures */
#define PANEL_PART 70u			/* of the time, one part at most goes to the panel while the machine runs */
#define MOMENTS 64u			/* taken at one poll point, at most */

struct display {
	struct canvas *canvas;
	struct viewer *window;		/* NULL: none */
	struct vnc *vnc;
	uint64_t shown_ns;		/* host's clock, of the last picture */
	uint64_t frame_ns;		/* no other one comes sooner after it */
	bool late;			/* another one came too soon after it */
	struct panel *panel;		/* NULL: nobody has wanted it yet */
	bool panel_on;
	uint32_t *panel_shown;		/* its rows as they are on the canvas */
	uint64_t panel_number;		/* of that picture */
	bool afresh;			/* all rows are to be put */
	char title[160];
};

static bool open_viewers(struct display *d, const struct config *o, struct error *err)
{
	const struct window_options window = { o->full_screen, !o->window_close, !o->show_cursor };
	const struct vnc_options vnc = { o->vnc_host, o->vnc_port, o->vnc_password, o->key_layout };

	if (o->display == DISPLAY_SDL && !(d->window = window_open(d->canvas, &window, err)))
		return false;
	return !o->vnc_host || (d->vnc = vnc_open(d->canvas, &vnc, err));
}

bool display_new(struct machine *m, struct error *err)
{
	const struct config *o = m->config;
	struct display *d;

	if (o->display == DISPLAY_NONE && !o->vnc_host && !o->panel)
		return true;
	if (!device_next_screen(m, NULL) && !o->panel) {
		error_usage(err, "%s: there is no screen (-vga std)", o->vnc_host ? "-vnc" : "-display sdl");
		return false;
	}
	d = m->display = calloc(1, sizeof *d);
	if (!d || !(d->canvas = canvas_new())) {
		error_set(err, "out of memory");
		return false;
	}
	canvas_set_places(d->canvas, machine_takes(m, ACT_PLACE));
	if (o->panel && !display_set_panel(m, true, err))
		return false;
	display_show(m);
	return open_viewers(d, o, err);
}

void display_free(struct machine *m)
{
	bool gone;

	if (!m->display)
		return;
	gone = window_close(m->display->window);
	gone &= vnc_close(m->display->vnc);
	if (gone)			/* else the process's end takes it from them */
		canvas_free(m->display->canvas);
	panel_free(m->display->panel);
	free(m->display->panel_shown);
	free(m->display);
	m->display = NULL;
}

static void show_title(struct machine *m, struct display *d)
{
	char title[sizeof d->title];

	snprintf(title, sizeof title, "%.100s%s", config_name(m->config), m->run.stopped ? " (stopped)" : "");
	if (!strcmp(title, d->title))
		return;
	memcpy(d->title, title, sizeof title);
	canvas_set_title(d->canvas, title);
}

/* ---- Pictures ---- */

static void show_screen(struct machine *m, struct display *d)
{
	struct device *dev = device_next_screen(m, NULL);
	struct screen *s = dev ? dev->class->screen(dev) : NULL;

	if (!s || !canvas_begin(d->canvas, s->width, s->height))
		return;
	for (unsigned y = 0; y < s->height; y++)
		if (s->changed(dev, y) || d->afresh)
			s->draw(dev, y, canvas_row(d->canvas, y));
	d->afresh = false;
	canvas_end(d->canvas);
}

/* Most rows are as they were: viewers far away get the others only. */
static void show_panel(struct machine *m, struct display *d)
{
	unsigned width = panel_width(d->panel), height = panel_height(d->panel);
	size_t row = width * sizeof *d->panel_shown;
	uint64_t number;
	const uint32_t *pixel = panel_draw(d->panel, &number);

	if (!d->afresh && number == d->panel_number)
		return;
	if (!canvas_begin(d->canvas, width, height))
		return;
	for (unsigned y = 0; y < height; y++, pixel += width) {
		uint32_t *shown = d->panel_shown + (size_t)y * width;

		if (!d->afresh && !memcmp(shown, pixel, row))
			continue;
		memcpy(shown, pixel, row);
		memcpy(canvas_row(d->canvas, y), pixel, row);
	}
	d->afresh = false;
	d->panel_number = number;
	canvas_end(d->canvas);
	if (!machine_clock_stands(m))
		d->frame_ns = (host_ns() - d->shown_ns) * PANEL_PART;
}

void display_show(struct machine *m)
{
	struct display *d = m->display;
	uint64_t now;

	if (!d)
		return;
	now = host_ns();
	d->late = now - d->shown_ns < d->frame_ns;
	if (d->late)
		return;
	d->shown_ns = now;
	d->frame_ns = FRAME_NS;
	show_title(m, d);
	if (d->panel_on)
		show_panel(m, d);
	else
		show_screen(m, d);
	if (d->frame_ns < FRAME_NS)
		d->frame_ns = FRAME_NS;
}

uint64_t display_late_ns(const struct machine *m)
{
	const struct display *d = m->display;
	uint64_t since;

	if (!d || !d->late)
		return UINT64_MAX;
	since = host_ns() - d->shown_ns;
	return since < d->frame_ns ? d->frame_ns - since : 0;
}

static bool make_panel(struct machine *m, struct display *d)
{
	if (d->panel)
		return true;
	d->panel = panel_new(m);
	if (d->panel)
		d->panel_shown = calloc((size_t)panel_width(d->panel) * panel_height(d->panel), sizeof *d->panel_shown);
	return d->panel && d->panel_shown;
}

bool display_set_panel(struct machine *m, bool on, struct error *err)
{
	struct display *d = m->display;

	if (!d)
		error_set(err, "nobody would see it (-display sdl, -vnc, -display none,panel=on)");
	else if (!on && !device_next_screen(m, NULL))
		error_set(err, "there is no screen (-vga std)");
	else if (on && !make_panel(m, d))
		error_set(err, "out of memory");
	else {
		d->panel_on = on;
		d->afresh = true;
		canvas_set_places(d->canvas, on || machine_takes(m, ACT_PLACE));
		return true;
	}
	return false;
}

struct panel *display_panel(const struct machine *m) { return m->display ? m->display->panel : NULL; }

/* ---- What a user does ---- */

/* A page that cannot be had stays away. */
static bool take_moment(struct machine *m, struct display *d, const struct act *acts, unsigned n)
{
	struct error err;
	enum panel_wish wish = PANEL_NOTHING;

	if (acts->kind == ACT_PAGE)
		display_set_panel(m, !d->panel_on, &err);
	else if (d->panel_on)
		wish = panel_take(d->panel, acts, n);
	else
		machine_input(m, acts, n);
	if (wish == PANEL_LEAVE)
		display_set_panel(m, false, &err);
	return wish == PANEL_GO_ON;
}

bool display_take(struct machine *m)
{
	struct display *d = m->display;
	struct act acts[ACTS];
	bool go_on = false;

	for (unsigned i = 0, n; d && i < MOMENTS && (n = canvas_take(d->canvas, acts)); i++)
		go_on |= take_moment(m, d, acts, n);
	return go_on;
}

bool display_closed(const struct machine *m) { return m->display && canvas_closing(m->display->canvas); }

unsigned display_pollfds(const struct machine *m, struct pollfd *fds)
{
	if (!m->display)
		return 0;
	fds[0] = (struct pollfd){ .fd = canvas_fd(m->display->canvas), .events = POLLIN };
	return 1;
}

bool display_set_password(struct machine *m, const char *password, struct error *err)
{
	if (!m->display || !m->display->vnc)
		error_set(err, "there is no VNC server (-vnc)");
	else if (!vnc_set_password(m->display->vnc, password))
		error_set(err, "VNC without -vnc ..,password=on wants no password");
	else
		return true;
	return false;
}

#include "machine/display/display.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "machine/core/config.h"
#include "machine/core/device.h"
#include "machine/core/input.h"
#include "machine/core/screen.h"
#include "machine/host/canvas.h"
#include "machine/host/time.h"
#include "machine/host/viewer.h"

#define FRAME_NS UINT64_C(33000000)	/* between two pictures */
#define MOMENTS 64u			/* taken at one poll point, at most */

struct display {
	struct canvas *canvas;
	struct viewer *window;		/* NULL: none */
	struct vnc *vnc;
	uint64_t shown_ns;		/* host's clock, of the last picture */
	bool late;			/* another one came too soon after it */
	char title[160];
};

static bool open_viewers(struct display *d, const struct config *o, struct error *err)
{
	const struct window_options window = { o->full_screen, !o->window_close, !o->show_cursor };
	const struct vnc_options vnc = { o->vnc_host, o->vnc_port, o->vnc_password };

	if (o->display == DISPLAY_SDL && !(d->window = window_open(d->canvas, &window, err)))
		return false;
	return !o->vnc_host || (d->vnc = vnc_open(d->canvas, &vnc, err));
}

bool display_new(struct machine *m, struct error *err)
{
	const struct config *o = m->config;
	struct display *d;

	if (o->display == DISPLAY_NONE && !o->vnc_host)
		return true;
	if (!device_next_screen(m, NULL)) {
		error_usage(err, "%s: there is no screen (-vga std)", o->vnc_host ? "-vnc" : "-display sdl");
		return false;
	}
	d = m->display = calloc(1, sizeof *d);
	if (!d || !(d->canvas = canvas_new())) {
		error_set(err, "out of memory");
		return false;
	}
	canvas_set_places(d->canvas, machine_takes(m, ACT_PLACE));
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

void display_show(struct machine *m)
{
	struct display *d = m->display;
	uint64_t now;
	struct device *dev;
	struct screen *s;

	if (!d)
		return;
	now = host_ns();
	d->late = now - d->shown_ns < FRAME_NS;
	if (d->late)
		return;
	d->shown_ns = now;
	show_title(m, d);
	dev = device_next_screen(m, NULL);
	s = dev->class->screen(dev);
	if (!canvas_begin(d->canvas, s->width, s->height))
		return;
	for (unsigned y = 0; y < s->height; y++)
		if (s->changed(dev, y))
			s->draw(dev, y, canvas_row(d->canvas, y));
	canvas_end(d->canvas);
}

uint64_t display_late_ns(const struct machine *m)
{
	const struct display *d = m->display;
	uint64_t since;

	if (!d || !d->late)
		return UINT64_MAX;
	since = host_ns() - d->shown_ns;
	return since < FRAME_NS ? FRAME_NS - since : 0;
}

void display_take(struct machine *m)
{
	struct act acts[ACTS];

	for (unsigned i = 0, n; m->display && i < MOMENTS && (n = canvas_take(m->display->canvas, acts)); i++)
		machine_input(m, acts, n);
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

#include "machine/monitor/shown.h"

#include <stdlib.h>
#include <string.h>

#include "machine/core/device.h"
#include "machine/core/screen.h"
#include "machine/display/display.h"
#include "machine/display/panel.h"
#include "machine/host/picture.h"
#include "machine/monitor/monitor.h"

/* NULL and err->msg set: there is none. */
static struct device *find_screen(struct machine *m, const char *id, struct error *err)
{
	struct device *dev = device_next_screen(m, NULL);

	if (!dev) {
		error_set(err, "there is no screen (-vga std)");
		return NULL;
	}
	while (dev && *id && (!dev->id || strcmp(dev->id, id)))
		dev = device_next_screen(m, dev);
	if (!dev)
		error_set(err, "Device '%.60s' not found, or it has no screen", id);
	return dev;
}

static bool dump_panel(struct panel *p, const char *file, enum picture_format kind, struct error *err)
{
	uint64_t number;

	return picture_write(file, kind, panel_draw(p, &number), panel_width(p), panel_height(p), err);
}

bool shown_dump(struct machine *m, const char *file, const char *format, const char *device, struct error *err)
{
	enum picture_format kind = picture_format(format);
	struct device *dev;
	struct screen *screen;
	uint32_t *pixel;
	bool ok;

	if (kind == PICTURE_UNKNOWN) {
		error_set(err, "a picture's format is ppm or png, not '%.20s'", format);
		return false;
	}
	if (!strcmp(device, "panel") && display_panel(m))
		return dump_panel(display_panel(m), file, kind, err);
	dev = find_screen(m, device, err);
	if (!dev)
		return false;
	screen = dev->class->screen(dev);
	pixel = malloc((size_t)screen->width * screen->height * sizeof *pixel);
	if (!pixel) {
		error_set(err, "out of memory");
		return false;
	}
	for (unsigned y = 0; y < screen->height; y++)
		screen->draw(dev, y, pixel + (size_t)y * screen->width);
	ok = picture_write(file, kind, pixel, screen->width, screen->height, err);
	free(pixel);
	return ok;
}

bool shown_run_dump(struct machine *m, const char *argument, struct error *err)
{
	char word[MONITOR_LINE], file[MONITOR_LINE] = "", format[32] = "ppm", device[80] = "";
	unsigned n = 0;

	while (monitor_word(&argument, word, sizeof word)) {
		if (!strcmp(word, "-f")) {
			if (!monitor_word(&argument, format, sizeof format)) {
				error_set(err, "-f: a format is missing");
				return false;
			}
		} else {
			snprintf(n ? device : file, n ? sizeof device : sizeof file, "%s", word);
			n++;
		}
	}
	if (n == 1 || n == 2)
		return shown_dump(m, file, format, device, err);
	error_set(err, "a file name, and a device perhaps");
	return false;
}

bool shown_run_panel(struct machine *m, const char *argument, struct error *err)
{
	bool on = !strcmp(argument, "on");

	if (on || !strcmp(argument, "off"))
		return display_set_panel(m, on, err);
	error_set(err, "on or off");
	return false;
}

bool shown_run_password(struct machine *m, const char *argument, struct error *err)
{
	char protocol[16], password[MONITOR_LINE];

	if (monitor_word(&argument, protocol, sizeof protocol) && !strcmp(protocol, "vnc") &&
	    monitor_word(&argument, password, sizeof password))
		return display_set_password(m, password, err);
	error_set(err, "vnc, and the password");
	return false;
}

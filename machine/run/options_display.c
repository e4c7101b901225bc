/* Options for what a user sees and types on: -vga, -display, -vnc, -k, -usb. */
#include "machine/run/options_parse.h"

#include <stdlib.h>
#include <string.h>

#include "machine/host/keys.h"

bool opt_vga(struct parse *p, const char *text)
{
	int n = word_index("none|std", text);

	p->opts->vga = n > 0;
	p->vga_asked = true;
	return n >= 0 || option_fail(p, "-vga %.60s: std or none", text);
}

static bool set_switch(struct parse *p, const char *key, const char *value, bool *member)
{
	int n = word_index("off|on", value);

	*member = n > 0;
	return n >= 0 || option_fail(p, "-display %s=%.60s: not on or off", key, value);
}

static bool set_display(struct parse *p, const char *key, const char *value)
{
	static const char *const known[] = { "panel", "full-screen", "window-close", "show-cursor" };
	bool *const members[] = { &p->opts->panel, &p->opts->full_screen, &p->opts->window_close, &p->opts->show_cursor };
	unsigned n = p->opts->display == DISPLAY_SDL ? ARRAY_SIZE(known) : 1;

	for (unsigned i = 0; i < n; i++)
		if (!strcmp(key, known[i]))
			return set_switch(p, key, value, members[i]);
	return option_fail(p, "-display %s does not know '%.60s'", p->opts->display == DISPLAY_SDL ? "sdl" : "none", key);
}

bool opt_display(struct parse *p, const char *text)
{
	struct pairs pairs;
	char *key, *value;
	int n;
	bool ok;

	if (!pairs_open(p, &pairs, text))
		return false;
	ok = pairs_next(&pairs, &key, &value) && !key;
	n = ok ? word_index("none|sdl", value) : -1;
	if (n < 0)
		ok = option_fail(p, "-display %.60s: sdl or none", text);
	p->opts->display = n > 0 ? DISPLAY_SDL : DISPLAY_NONE;
	while (ok && pairs_next(&pairs, &key, &value))
		ok = key ? set_display(p, key, value) : option_fail(p, "-display does not know '%.60s'", value);
	free(pairs.copy);
	return ok;
}

bool opt_usb(struct parse *p, const char *text)
{
	(void)text;
	p->opts->usb = true;
	return true;
}

bool opt_k(struct parse *p, const char *text)
{
	p->opts->key_layout = key_layout(text);
	return p->opts->key_layout >= 0 || option_fail(p, "-k %.60s: there are en-us, en-gb, de, fr, es and it", text);
}

#define VNC_FIRST_PORT 5900u
#define VNC_DISPLAYS (65536u - VNC_FIRST_PORT)

static bool set_vnc(struct parse *p, const char *key, const char *value)
{
	int n = word_index("off|on", value ? value : "on");

	if (strcmp(key, "password"))
		return option_fail(p, "-vnc does not know '%.60s'", key);
	p->opts->vnc_password = n > 0;
	return n >= 0 || option_fail(p, "-vnc password=%.60s: not on or off", value);
}

/* "HOST:N[,password=on]"; options_free() frees the host's name. */
static bool set_vnc_address(struct parse *p, const char *text)
{
	const char *colon = strrchr(text, ':');
	uint64_t n;

	if (!colon || !parse_u64(colon + 1, &n) || n >= VNC_DISPLAYS)
		return option_fail(p, "-vnc %.60s: not HOST:N, N being the display's number", text);
	free(p->opts->vnc_host);
	p->opts->vnc_host = colon == text ? strdup("127.0.0.1") : strndup(text, (size_t)(colon - text));
	p->opts->vnc_port = (int)(VNC_FIRST_PORT + n);
	return p->opts->vnc_host || option_fail(p, "out of memory");
}

bool opt_vnc(struct parse *p, const char *text)
{
	struct pairs pairs;
	char *key, *value;
	bool ok;

	if (!strcmp(text, "none")) {
		free(p->opts->vnc_host);
		p->opts->vnc_host = NULL;
		return true;
	}
	if (!pairs_open(p, &pairs, text))
		return false;
	if (pairs_next(&pairs, &key, &value) && !key)
		ok = set_vnc_address(p, value);
	else
		ok = option_fail(p, "-vnc: not HOST:N");
	while (ok && pairs_next(&pairs, &key, &value))
		ok = set_vnc(p, key ? key : value, key ? value : NULL);
	free(pairs.copy);
	return ok;
}

static bool any_vga(const struct config *o)
{
	for (unsigned i = 0; i < o->devices; i++)
		if (!strncmp(o->device[i], "VGA", 3) && (!o->device[i][3] || o->device[i][3] == ','))
			return true;
	return false;
}

/* Who asks for a window wants something in it, and something to type on. */
void finish_display(struct parse *p)
{
	struct config *o = p->opts;

	if ((o->display != DISPLAY_NONE || o->vnc_host) && !p->no_defaults) {
		o->vga |= !p->vga_asked;
		o->keyboard = true;
	}
	o->graphics = o->vga || (!p->vga_asked && any_vga(o));
}

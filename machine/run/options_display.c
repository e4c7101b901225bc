/* Options for what a user sees: -vga, -display, -full-screen. */
#include "machine/run/options_parse.h"

#include <stdlib.h>
#include <string.h>

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
	static const char *const known[] = { "full-screen", "window-close", "show-cursor" };
	bool *const members[] = { &p->opts->full_screen, &p->opts->window_close, &p->opts->show_cursor };

	for (unsigned i = 0; i < ARRAY_SIZE(known); i++)
		if (!strcmp(key, known[i]))
			return set_switch(p, key, value, members[i]);
	return option_fail(p, "-display sdl does not know '%.60s'", key);
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
		ok = key && n > 0 ? set_display(p, key, value) : option_fail(p, "-display does not know '%.60s'", key ? key : value);
	free(pairs.copy);
	return ok;
}

/* Who asks for a window wants something in it, and something to type on. */
void finish_display(struct parse *p)
{
	struct config *o = p->opts;

	if (o->display == DISPLAY_NONE || p->no_defaults)
		return;
	o->vga |= !p->vga_asked;
	o->keyboard = true;
}

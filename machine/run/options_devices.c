/* Options for devices, and for what they stand on: -serial, -device, -boot. */
#define _GNU_SOURCE
#include "machine/run/options_parse.h"

#include <stdlib.h>
#include <string.h>

#include "machine/board/devices.h"
#include "machine/host/console.h"

bool opt_serial(struct parse *p, const char *text)
{
	struct config *o = p->opts;

	if (o->serials == CONFIG_MAX_SERIAL)
		return option_fail(p, "-serial: %d are the most", CONFIG_MAX_SERIAL);
	if (!strcmp(text, "help")) {
		console_help(stdout);
		return p->done = true;
	}
	if (!console_spec_ok(text, p->err))
		return false;
	o->serial[o->serials++] = text;
	return true;
}

bool opt_device(struct parse *p, const char *text)
{
	struct config *o = p->opts;

	if (board_device_help(text, stdout))
		return p->done = true;
	if (o->devices == CONFIG_MAX_DEVICES)
		return option_fail(p, "-device: more than %d of them", CONFIG_MAX_DEVICES);
	o->device[o->devices++] = text;
	return board_device_ok(text, p->err);
}

bool opt_none(struct parse *p, const char *text)
{
	return !strcmp(text, "none") || option_fail(p, "'%.60s' is not there yet (there is none)", text);
}

/* Checks the order of boot devices, and ignores it: there are none, -kernel or -bios runs. */
bool opt_boot(struct parse *p, const char *text)
{
	static const char letters[] = "abcdefghijklmnop";
	struct pairs pairs;
	char *key, *value;
	bool ok = true, first = true;

	if (!pairs_open(p, &pairs, text))
		return false;
	for (; ok && pairs_next(&pairs, &key, &value); first = false) {
		if ((first && !key) || (key && (!strcmp(key, "order") || !strcmp(key, "once"))))
			ok = !value[strspn(value, letters)] || option_fail(p, "-boot: '%.60s' is not an order of devices a to p", value);
		else if (key && (!strcmp(key, "strict") || !strcmp(key, "menu")))
			ok = !strcmp(value, "off") || (!strcmp(value, "on") && *key == 's') ||
			     option_fail(p, "-boot %s=%.60s is not there yet", key, value);
		else
			ok = option_fail(p, "-boot does not know '%.60s'", key ? key : value);
	}
	free(pairs.copy);
	return ok;
}

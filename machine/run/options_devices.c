/* Options for devices, and for what they stand on: -device, -boot. */
#define _GNU_SOURCE
#include "machine/run/options_parse.h"

#include <stdlib.h>
#include <string.h>

#include "machine/board/devices.h"

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

static bool set_letters(struct parse *p, char **member, const char *letters)
{
	static const char known[] = "abcdefghijklmnop";

	if (letters[strspn(letters, known)])
		return option_fail(p, "-boot: '%.60s' is not an order of devices a to p", letters);
	free(*member);
	*member = strdup(letters);
	return *member || option_fail(p, "out of memory");
}

static bool set_switch(struct parse *p, const char *key, bool *member, const char *value)
{
	*member = !strcmp(value, "on");
	return *member || !strcmp(value, "off") || option_fail(p, "-boot %s=%.60s: not on or off", key, value);
}

static bool set_boot(struct parse *p, const char *key, const char *value)
{
	struct config *o = p->opts;
	uint64_t ms;

	if (!strcmp(key, "order"))
		return set_letters(p, &o->boot_order, value);
	if (!strcmp(key, "once"))
		return set_letters(p, &o->boot_once, value);
	if (!strcmp(key, "strict"))
		return set_switch(p, key, &o->boot_strict, value);
	if (!strcmp(key, "menu"))
		return set_switch(p, key, &o->boot_menu, value);
	if (strcmp(key, "splash-time"))
		return option_fail(p, "-boot does not know '%.60s'", key);
	if (!parse_u64(value, &ms) || ms > UINT16_MAX)
		return option_fail(p, "-boot splash-time=%.60s: not a number of ms up to 65535", value);
	o->boot_wait_ms = (uint32_t)ms;
	return true;
}

/* "dc", "order=dc,once=d,menu=on,strict=on,splash-time=MS": c disks, d CDs, as QEMU has them. */
bool opt_boot(struct parse *p, const char *text)
{
	struct pairs pairs;
	char *key, *value;
	bool ok = true, first = true;

	if (!pairs_open(p, &pairs, text))
		return false;
	for (; ok && pairs_next(&pairs, &key, &value); first = false)
		ok = key || first ? set_boot(p, key ? key : "order", value) : option_fail(p, "-boot does not know '%.60s'", value);
	free(pairs.copy);
	return ok;
}

/* A variable of Open Firmware, for NVRAM. */
bool opt_prom_env(struct parse *p, const char *text)
{
	struct config *o = p->opts;
	size_t name = strcspn(text, "=");

	if (!name || !text[name])
		return option_fail(p, "-prom-env %.60s: not NAME=VALUE", text);
	if (o->prom_envs == CONFIG_MAX_PROM_ENV)
		return option_fail(p, "-prom-env: %d are the most", CONFIG_MAX_PROM_ENV);
	o->prom_env[o->prom_envs++] = text;
	return true;
}

/* Options for character streams: -chardev, and who is connected to one: -serial, -monitor, -qmp. */
#define _GNU_SOURCE
#include "machine/run/options_parse.h"

#include <stdlib.h>
#include <string.h>

#include "machine/gdb/gdb.h"
#include "machine/host/chardev.h"
#include "machine/host/console.h"

#define CHARDEV "chardev:"

static struct chardev *find_chardev(const struct config *o, const char *id)
{
	for (unsigned i = 0; i < o->chardevs; i++)
		if (!strcmp(o->chardev[i]->id, id))
			return o->chardev[i];
	return NULL;
}

/* NULL: there are too many, or no memory. */
static struct chardev *new_chardev(struct parse *p)
{
	struct config *o = p->opts;
	struct chardev *c = o->chardevs < CONFIG_MAX_CHARDEVS ? calloc(1, sizeof *c) : NULL;

	if (c)
		o->chardev[o->chardevs++] = c;
	else if (o->chardevs == CONFIG_MAX_CHARDEVS)
		option_fail(p, "%d character devices are the most", CONFIG_MAX_CHARDEVS);
	else
		option_fail(p, "out of memory");
	return c;
}

/* One that has no name of the user's: it is called as QEMU calls it. */
static struct chardev *short_chardev(struct parse *p, const char *text, const char *label, unsigned number)
{
	struct chardev *c = new_chardev(p);

	if (!c || !chardev_parse_short(text, c, p->err))
		return NULL;
	snprintf(c->id, sizeof c->id, "%s%u", label, number);
	return c;
}

bool opt_chardev(struct parse *p, const char *text)
{
	struct chardev *c, *other;
	char id[CHARDEV_ID_MAX];

	if (asks_help(text)) {
		chardev_help(stdout);
		return p->done = true;
	}
	c = new_chardev(p);
	if (!c || !chardev_parse(text, c, p->err))
		return false;
	strcpy(id, c->id);
	*c->id = 0;
	other = find_chardev(p->opts, id);
	strcpy(c->id, id);
	return !other || option_fail(p, "-chardev: there are two called '%.60s'", id);
}

/* ---- Who is connected ---- */

static bool add_monitor(struct parse *p, struct chardev *c, const char *id, bool qmp, bool pretty)
{
	struct config *o = p->opts;

	if (o->monitors == CONFIG_MAX_MONITORS)
		return option_fail(p, "%d monitors are the most", CONFIG_MAX_MONITORS);
	if (id && !(p->monitor_id[o->monitors] = strdup(id)))
		return option_fail(p, "out of memory");
	o->monitor[o->monitors++] = (struct monitor_config){ .chardev = c, .qmp = qmp, .pretty = pretty };
	return true;
}

/* "mon:" is an escape key, and behind it a monitor. */
static bool monitor_behind(struct parse *p, struct chardev *c)
{
	return !c->mux || add_monitor(p, c, NULL, false, false);
}

static bool is_help(struct parse *p, const char *text)
{
	if (!asks_help(text))
		return false;
	chardev_help_short(stdout);
	return p->done = true;
}

bool opt_serial(struct parse *p, const char *text)
{
	struct config *o = p->opts;
	struct chardev *c;

	if (o->serials == CONFIG_MAX_SERIAL)
		return option_fail(p, "-serial: %d are the most", CONFIG_MAX_SERIAL);
	if (is_help(p, text))
		return true;
	if (!strncmp(text, CHARDEV, strlen(CHARDEV))) {
		p->serial_id[o->serials] = strdup(text + strlen(CHARDEV));
		return p->serial_id[o->serials++] || option_fail(p, "out of memory");
	}
	if (!strcmp(text, "none")) {
		o->serials++;
		return true;
	}
	c = short_chardev(p, text, "serial", o->serials);
	if (!c)
		return false;
	o->serial[o->serials++] = c;
	return monitor_behind(p, c);
}

static bool monitor_on(struct parse *p, const char *text, bool qmp, bool pretty)
{
	struct chardev *c;

	if (is_help(p, text) || !strcmp(text, "none"))
		return true;
	if (!strncmp(text, CHARDEV, strlen(CHARDEV)))
		return add_monitor(p, NULL, text + strlen(CHARDEV), qmp, pretty);
	c = short_chardev(p, text, "compat_monitor", p->opts->monitors);
	return c && add_monitor(p, c, NULL, qmp, pretty) && monitor_behind(p, c);
}

bool opt_monitor(struct parse *p, const char *text) { return monitor_on(p, text, false, false); }
bool opt_qmp(struct parse *p, const char *text) { return monitor_on(p, text, true, false); }
bool opt_qmp_pretty(struct parse *p, const char *text) { return monitor_on(p, text, true, true); }

static bool gdb_on(struct parse *p, const char *text)
{
	struct chardev *c;

	if (is_help(p, text) || !strcmp(text, "none"))
		return true;
	if (p->opts->gdb)
		return option_fail(p, "-%s: there is one already", option_name(p));
	c = new_chardev(p);
	if (!c || !gdb_parse(text, c, p->err))
		return false;
	p->opts->gdb = c;
	return true;
}

bool opt_gdb(struct parse *p, const char *text) { return gdb_on(p, text); }

bool opt_s(struct parse *p, const char *text)
{
	(void)text;
	return gdb_on(p, "tcp::1234");
}

/* An item of -mon; *id: the stream. */
static bool set_mon(struct parse *p, const char *key, const char *value, const char **id, bool *qmp, bool *pretty)
{
	if (!strcmp(key, "chardev"))
		return *id = value, true;
	if (!strcmp(key, "mode") && (!strcmp(value, "readline") || !strcmp(value, "control")))
		return *qmp = *value == 'c', true;
	if (!strcmp(key, "pretty") && (!strcmp(value, "on") || !strcmp(value, "off")))
		return *pretty = value[1] == 'n', true;
	return option_fail(p, "-mon does not know '%.60s=%.60s'", key, value);
}

bool opt_mon(struct parse *p, const char *text)
{
	const char *id = NULL;
	bool qmp = false, pretty = false, first = true, ok = true;
	struct pairs pairs;
	char *key, *value;

	if (!pairs_open(p, &pairs, text))
		return false;
	for (; ok && pairs_next(&pairs, &key, &value); first = false)
		ok = set_mon(p, key ? key : first ? "chardev" : value, key || first ? value : "on", &id, &qmp, &pretty);
	if (ok && (!id || !*id))
		ok = option_fail(p, "-mon wants chardev=ID");
	if (ok && pretty && !qmp)
		ok = option_fail(p, "-mon: pretty= is of mode=control");
	ok = ok && add_monitor(p, NULL, id, qmp, pretty);
	free(pairs.copy);
	return ok;
}

bool opt_echr(struct parse *p, const char *text)
{
	uint64_t n;

	if (!parse_u64(text, &n) || n > 255)
		return option_fail(p, "-echr: '%.60s' is no number of a character", text);
	p->escape = (uint32_t)n + 1;
	return true;
}

/* ---- When all are there ---- */

static bool resolve(struct parse *p, const char *option, const char *id, struct chardev **c)
{
	if (!id)
		return true;
	*c = find_chardev(p->opts, id);
	return *c || option_fail(p, "-%s: there is no -chardev called '%.60s'", option, id);
}

static unsigned users_of(const struct config *o, const struct chardev *c)
{
	unsigned n = 0;

	for (unsigned i = 0; i < o->serials; i++)
		n += o->serial[i] == c;
	for (unsigned i = 0; i < o->monitors; i++)
		n += o->monitor[i].chardev == c;
	return n + (o->gdb == c);
}

static bool users_fit(struct parse *p, const struct chardev *c)
{
	unsigned n = users_of(p->opts, c);

	if (n > 1 && !c->mux)
		return option_fail(p, "chardev '%.60s' is in use twice, which mux=on allows", c->id);
	return n <= CONSOLE_ASIDES + 1 || option_fail(p, "chardev '%.60s' has more than %d users", c->id, CONSOLE_ASIDES + 1);
}

/* A terminal is there beside a display. */
static bool add_default(struct parse *p)
{
	const char *text = "mon:stdio";

	if (p->opts->serials || p->no_defaults)
		return true;
	if (p->opts->daemonize)
		text = "null";
	for (unsigned i = 0; i < p->opts->chardevs; i++)
		if (p->opts->chardev[i]->kind == CHARDEV_STDIO)
			text = "null";
	return opt_serial(p, text);
}

static bool daemon_fits(struct parse *p)
{
	const struct config *o = p->opts;

	if (!o->daemonize)
		return true;
	if (o->nographic && !p->no_defaults)
		return option_fail(p, "-nographic cannot be used with -daemonize");
	for (unsigned i = 0; i < o->chardevs; i++)
		if (o->chardev[i]->kind == CHARDEV_STDIO)
			return option_fail(p, "cannot use stdio with -daemonize");
	return true;
}

bool finish_chardevs(struct parse *p)
{
	struct config *o = p->opts;

	for (unsigned i = 0; i < o->serials; i++)
		if (!resolve(p, "serial", p->serial_id[i], &o->serial[i]))
			return false;
	for (unsigned i = 0; i < o->monitors; i++)
		if (!resolve(p, o->monitor[i].qmp ? "qmp" : "monitor", p->monitor_id[i], &o->monitor[i].chardev))
			return false;
	for (unsigned i = 0; i < o->chardevs; i++)
		if (!users_fit(p, o->chardev[i]))
			return false;
	if (!daemon_fits(p) || !add_default(p))
		return false;
	for (unsigned i = 0; p->escape && i < o->chardevs; i++)
		o->chardev[i]->escape = p->escape - 1;
	return true;
}

void names_forget(struct parse *p)
{
	for (unsigned i = 0; i < CONFIG_MAX_SERIAL; i++)
		free(p->serial_id[i]);
	for (unsigned i = 0; i < CONFIG_MAX_MONITORS; i++)
		free(p->monitor_id[i]);
}

void chardevs_forget(struct config *opts)
{
	for (unsigned i = 0; i < opts->chardevs; i++)
		free(opts->chardev[i]);
}

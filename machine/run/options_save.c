/* Options for snapshots: -save, -incoming. */
#define _GNU_SOURCE
#include "machine/run/options_parse.h"

#include <stdlib.h>
#include <string.h>

#include "machine/snapshot/incoming.h"
#include "savevm/zip.h"

/* FILE@CYCLE, FILE@guest: what follows the last @ counts, if it is one of them. */
static void split_moment(struct save_request *r)
{
	char *at = strrchr(r->path, '@');

	if (!at || at == r->path)
		return;
	if (!strcmp(at + 1, "guest"))
		r->when = SAVE_FOR_GUEST;
	else if (parse_u64(at + 1, &r->cycle))
		r->when = SAVE_AT_CYCLE;
	else
		return;
	*at = 0;
}

/* Keys whose value is one of two words: the second one sets the member. */
static const struct save_switch {
	const char *key, *words;
	size_t offset;
} save_switches[] = {
	{ "target",     "cede|qemu",     offsetof(struct save_request, for_qemu) },
	{ "quit",       "off|on",        offsetof(struct save_request, quit) },
	{ "layout",     "stream|mapped", offsetof(struct save_request, mapped) },
	{ "compress",   "none|zstd",     offsetof(struct save_request, compress) },
	{ "background", "off|on",        offsetof(struct save_request, background) },
};

static bool save_item(struct parse *p, struct save_request *r, const char *key, const char *value)
{
	if (!key)
		return option_fail(p, "-save: '%.60s' is not an option like target=qemu or quit=on", value);
	if (!strcmp(key, "parent")) {
		free(r->parent);
		r->parent = strdup(value);
		return r->parent || option_fail(p, "out of memory");
	}
	for (size_t i = 0; i < ARRAY_SIZE(save_switches); i++) {
		int index = strcmp(key, save_switches[i].key) ? -2 : word_index(save_switches[i].words, value);

		if (index == -1)
			return option_fail(p, "-save %s=%.60s is not there", key, value);
		if (index >= 0) {
			*(bool *)((char *)r + save_switches[i].offset) = index == 1;
			return true;
		}
	}
	return option_fail(p, "-save does not know '%.60s'", key);
}

static bool save_fits(struct parse *p, const struct save_request *r)
{
	const struct { bool wrong; const char *why; } rules[] = {
		{ r->compress && !zip_known(), "compress=zstd: cede was built without libzstd" },
		{ r->mapped && r->compress, "layout=mapped is not compressed" },
		{ r->mapped && r->parent, "layout=mapped has no parent" },
		{ r->for_qemu && (r->mapped || r->parent), "target=qemu is a stream without parent" },
		{ r->for_qemu && r->when == SAVE_FOR_GUEST, "target=qemu needs processors that run, and @guest is when they do not" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rules); i++)
		if (rules[i].wrong)
			return option_fail(p, "-save %.100s: %s", r->path, rules[i].why);
	return true;
}

bool opt_save(struct parse *p, const char *text)
{
	struct config *o = p->opts;
	struct save_request *r = &o->save[o->saves];
	struct pairs pairs;
	char *key, *value;
	bool ok = true;

	if (o->saves == CONFIG_MAX_SAVES)
		return option_fail(p, "-save: %d are the most", CONFIG_MAX_SAVES);
	if (!pairs_open(p, &pairs, text))
		return false;
	if (!pairs_next(&pairs, &key, &value) || key || !*value)
		ok = option_fail(p, "-save: '%.100s' does not begin with a file name", text);
	else if (!(r->path = strdup(value)))
		ok = option_fail(p, "out of memory");
	o->saves += r->path != NULL;
	if (ok)
		split_moment(r);
	while (ok && pairs_next(&pairs, &key, &value))
		ok = save_item(p, r, key, value);
	free(pairs.copy);
	return ok && save_fits(p, r);
}

bool opt_incoming(struct parse *p, const char *text)
{
	p->opts->incoming = text;
	return incoming_ok(text, p->err);
}

/* Options for folders that are shared with the guest: -fsdev, and -virtfs, which is one with its device. */
#define _GNU_SOURCE
#include "machine/run/options_parse.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "machine/core/fsdev.h"

/* What the keys say, before it is put together; strings are the option's own. */
struct words {
	const char *id, *mount_tag, *path, *model, *devices, *writeout;
	const char *readonly, *file_mode, *folder_mode;
};

#define AT(member) offsetof(struct words, member)

static const struct { const char *name; size_t offset; } keys[] = {
	{ "id", AT(id) }, { "mount_tag", AT(mount_tag) }, { "path", AT(path) }, { "security_model", AT(model) },
	{ "multidevs", AT(devices) }, { "writeout", AT(writeout) }, { "readonly", AT(readonly) }, { "fmode", AT(file_mode) },
	{ "dmode", AT(folder_mode) },
};

static bool set_key(struct parse *p, struct words *w, const char *key, const char *value)
{
	for (size_t i = 0; i < ARRAY_SIZE(keys); i++)
		if (!strcmp(keys[i].name, key)) {
			*(const char **)((char *)w + keys[i].offset) = value;
			return true;
		}
	return option_fail(p, "-%s does not know '%.60s'", option_name(p), key);
}

/* "local", then pairs; a key without a value is one that is on. */
static bool get_words(struct parse *p, struct pairs *pairs, struct words *w)
{
	char *key, *value;
	bool first = true, ok = true;

	while (ok && pairs_next(pairs, &key, &value)) {
		if (first && (key || strcmp(value, "local")))
			return option_fail(p, "-%s: '%.60s' is not there (there is local)", option_name(p), key ? key : value);
		if (!first)
			ok = key ? set_key(p, w, key, value) : set_key(p, w, value, "on");
		first = false;
	}
	return ok;
}

/* ---- One value ---- */

static bool get_word(struct parse *p, const char *key, const char *words, const char *value, int *n)
{
	*n = word_index(words, value);
	return *n >= 0 || option_fail(p, "-%s: %s=%.60s is not there (there is %s)", option_name(p), key, value, words);
}

static bool get_model(struct parse *p, const char *value, enum share_model *model)
{
	static const enum share_model models[] = { SHARE_PASSTHROUGH, SHARE_XATTR, SHARE_XATTR, SHARE_FILE, SHARE_NONE };
	int n;

	if (!value)
		return option_fail(p, "-%s needs security_model=mapped-xattr, mapped-file, passthrough or none", option_name(p));
	if (!get_word(p, "security_model", "passthrough|mapped-xattr|mapped|mapped-file|none", value, &n))
		return false;
	*model = models[n];
	return true;
}

static bool get_mode(struct parse *p, const char *key, const char *value, uint32_t *mode)
{
	uint64_t n = 0;

	if (value && (!parse_u64(value, &n) || n > 0777))
		return option_fail(p, "-%s: %s=%.60s is not a mode up to 0777", option_name(p), key, value);
	if (value)
		*mode = (uint32_t)n;
	return true;
}

static bool get_options(struct parse *p, const struct words *w, struct share_options *o)
{
	int n = 0;

	*o = (struct share_options){ .path = w->path, .file_mode = 0600, .folder_mode = 0700 };
	if (!w->path || !*w->path)
		return option_fail(p, "-%s needs path=FOLDER", option_name(p));
	if (!get_model(p, w->model, &o->model) || !get_mode(p, "fmode", w->file_mode, &o->file_mode) ||
	    !get_mode(p, "dmode", w->folder_mode, &o->folder_mode))
		return false;
	if ((w->file_mode || w->folder_mode) && (o->model == SHARE_PASSTHROUGH || o->model == SHARE_NONE))
		return option_fail(p, "-%s: fmode and dmode are for the mapped security models alone", option_name(p));
	if (w->writeout && !get_word(p, "writeout", "immediate", w->writeout, &n))
		return false;
	o->writeout = w->writeout;
	if (w->devices && !get_word(p, "multidevs", "remap|warn|forbid", w->devices, &n))
		return false;
	o->devices = w->devices ? (enum share_devices)n : SHARE_REMAP;
	n = 0;
	if (w->readonly && !get_word(p, "readonly", "off|no|false|n|on|yes|true|y", w->readonly, &n))
		return false;
	o->readonly = n >= 4;
	return true;
}

/* ---- The options ---- */

/* It goes through the text of a -device, where a comma ends a value. */
static bool name_ok(struct parse *p, const char *key, const char *value)
{
	if (!value || !*value)
		return option_fail(p, "-%s needs %s=NAME", option_name(p), key);
	return !strchr(value, ',') || option_fail(p, "-%s: %s=%.60s has a comma", option_name(p), key, value);
}

static bool add_device(struct parse *p, struct fsdev_config *f, const char *tag)
{
	struct config *o = p->opts;

	if (o->devices == CONFIG_MAX_DEVICES)
		return option_fail(p, "-virtfs: more than %d devices", CONFIG_MAX_DEVICES);
	if (asprintf(&f->device, "virtio-9p-pci,fsdev=%s,mount_tag=%s", f->id, tag) < 0) {
		f->device = NULL;
		return option_fail(p, "out of memory");
	}
	o->device[o->devices++] = f->device;
	return true;
}

static void forget(struct fsdev_config *f)
{
	free(f->text);
	free(f->device);
	free(f);
}

static bool finish(struct parse *p, struct fsdev_config *f, const struct words *w, bool with_device)
{
	struct config *o = p->opts;

	if (with_device && !name_ok(p, "mount_tag", w->mount_tag))
		return false;
	if (!with_device && w->mount_tag)
		return option_fail(p, "-fsdev does not know 'mount_tag' (-device virtio-9p-pci does)");
	f->id = w->id || !with_device ? w->id : w->mount_tag;
	if (!name_ok(p, "id", f->id) || !get_options(p, w, &f->options))
		return false;
	for (unsigned i = 0; i < o->fsdevs; i++)
		if (!strcmp(o->fsdev[i]->id, f->id))
			return option_fail(p, "-%s: two shared folders have the name '%.60s'", option_name(p), f->id);
	if (o->fsdevs == CONFIG_MAX_FSDEVS)
		return option_fail(p, "-%s: %d are the most", option_name(p), CONFIG_MAX_FSDEVS);
	return !with_device || add_device(p, f, w->mount_tag);
}

static bool add_fsdev(struct parse *p, const char *text, bool with_device)
{
	struct fsdev_config *f = calloc(1, sizeof *f);
	struct words w = { 0 };
	struct pairs pairs;

	if (!f || !pairs_open(p, &pairs, text)) {
		free(f);
		return option_fail(p, "out of memory");
	}
	f->text = pairs.copy;
	if (!get_words(p, &pairs, &w) || !finish(p, f, &w, with_device)) {
		forget(f);
		return false;
	}
	p->opts->fsdev[p->opts->fsdevs++] = f;
	return true;
}

bool opt_fsdev(struct parse *p, const char *text) { return add_fsdev(p, text, false); }
bool opt_virtfs(struct parse *p, const char *text) { return add_fsdev(p, text, true); }

void fsdevs_forget(struct config *opts)
{
	while (opts->fsdevs)
		forget(opts->fsdev[--opts->fsdevs]);
}

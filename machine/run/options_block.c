/* Options for images of disks: -drive, -blockdev, -hda and its like, -cdrom. One table has their keys. */
#define _GNU_SOURCE
#include "machine/run/options_parse.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "machine/disk/drive.h"
#include "savevm/json.h"

/* What the keys say, before it is put together. Strings are those of `drive.text`. */
struct words {
	struct drive_config drive;
	const char *driver, *way, *filename;	/* format, or of a -blockdev without one: the way to its bytes */
	const char *host, *port, *path, *export;	/* of NBD */
	const char *interface;
	bool direct, no_flush;		/* cache.direct, cache.no-flush */
};

enum key_kind { TEXT, BOOL, NUMBER, UNLOCKED, WORD, ONLY };

struct key {
	const char *name;
	enum { BOTH, DRIVE, BLOCKDEV } option;	/* that has it */
	enum key_kind kind;
	size_t offset;			/* in struct words: const char *, bool, unsigned, unsigned for a word's number */
	const char *words;		/* WORD, ONLY: those that there are; ONLY: it makes no difference */
};

#define MOST_BUSES 32u			/* each up to the last one has an adapter */

#define AT(member) offsetof(struct words, member)
#define CACHES  "writeback|none|writethrough|unsafe|directsync"		/* enum block_cache */

static const struct key keys[] = {
	{ "file",              DRIVE,    TEXT,   AT(drive.image.file), NULL },
	{ "file",              BLOCKDEV, TEXT,   AT(drive.over), NULL },
	{ "filename",          BLOCKDEV, TEXT,   AT(filename), NULL },
	{ "file.filename",     BOTH,     TEXT,   AT(filename), NULL },
	{ "file.driver",       BOTH,     TEXT,   AT(way), NULL },
	{ "driver",            BOTH,     TEXT,   AT(driver), NULL },
	{ "format",            DRIVE,    TEXT,   AT(driver), NULL },
	{ "id",                DRIVE,    TEXT,   AT(drive.id), NULL },
	{ "node-name",         BLOCKDEV, TEXT,   AT(drive.id), NULL },
	{ "serial",            DRIVE,    TEXT,   AT(drive.serial), NULL },
	{ "if",                DRIVE,    TEXT,   AT(interface), NULL },
	{ "media",             DRIVE,    WORD,   AT(drive.cdrom), "disk|cdrom" },
	{ "index",             DRIVE,    NUMBER, AT(drive.index), NULL },
	{ "bus",               DRIVE,    NUMBER, AT(drive.bus), NULL },
	{ "unit",              DRIVE,    NUMBER, AT(drive.unit), NULL },
	{ "readonly",          DRIVE,    BOOL,   AT(drive.image.readonly), NULL },
	{ "read-only",         BOTH,     BOOL,   AT(drive.image.readonly), NULL },
	{ "file.read-only",    BOTH,     BOOL,   AT(drive.image.readonly), NULL },
	{ "snapshot",          DRIVE,    BOOL,   AT(drive.image.snapshot), NULL },
	{ "cache",             DRIVE,    WORD,   AT(drive.image.cache), CACHES },
	{ "cache.direct",      BOTH,     BOOL,   AT(direct), NULL },
	{ "cache.no-flush",    BOTH,     BOOL,   AT(no_flush), NULL },
	{ "file.cache.direct", BOTH,     BOOL,   AT(direct), NULL },
	{ "file.cache.no-flush", BOTH,   BOOL,   AT(no_flush), NULL },
	{ "discard",           BOTH,     WORD,   AT(drive.image.discard), "ignore|off|unmap|on" },
	{ "file.discard",      BOTH,     ONLY,   0, "ignore|off|unmap|on" },
	{ "detect-zeroes",     BOTH,     WORD,   AT(drive.image.zeroes), "off|on|unmap" },
	{ "locking",           BLOCKDEV, UNLOCKED, 0, "auto|on|off" },
	{ "file.locking",      BOTH,     UNLOCKED, 0, "auto|on|off" },
	{ "host",              BLOCKDEV, TEXT,   AT(host), NULL },
	{ "port",              BLOCKDEV, TEXT,   AT(port), NULL },
	{ "path",              BLOCKDEV, TEXT,   AT(path), NULL },
	{ "export",            BLOCKDEV, TEXT,   AT(export), NULL },
	{ "server.type",       BLOCKDEV, ONLY,   0, "inet|unix" },
	{ "server.host",       BLOCKDEV, TEXT,   AT(host), NULL },
	{ "server.port",       BLOCKDEV, TEXT,   AT(port), NULL },
	{ "server.path",       BLOCKDEV, TEXT,   AT(path), NULL },
	{ "file.host",         BOTH,     TEXT,   AT(host), NULL },
	{ "file.port",         BOTH,     TEXT,   AT(port), NULL },
	{ "file.path",         BOTH,     TEXT,   AT(path), NULL },
	{ "file.export",       BOTH,     TEXT,   AT(export), NULL },
	{ "file.server.type",  BOTH,     ONLY,   0, "inet|unix" },
	{ "file.server.host",  BOTH,     TEXT,   AT(host), NULL },
	{ "file.server.port",  BOTH,     TEXT,   AT(port), NULL },
	{ "file.server.path",  BOTH,     TEXT,   AT(path), NULL },
	/* One thread does all, and the guest does not see how. */
	{ "aio",               BOTH,     ONLY,   0, "threads|native|io_uring" },
	{ "file.aio",          BOTH,     ONLY,   0, "threads|native|io_uring" },
	{ "auto-read-only",    BOTH,     ONLY,   0, "off|on" },
	{ "file.auto-read-only", BOTH,   ONLY,   0, "off|on" },
	{ "copy-on-read",      DRIVE,    ONLY,   0, "off" },
	{ "werror",            DRIVE,    ONLY,   0, "report" },
	{ "rerror",            DRIVE,    ONLY,   0, "report" },
};

/* ---- One key ---- */

static const struct key *find_key(const char *name, bool blockdev)
{
	for (size_t i = 0; i < ARRAY_SIZE(keys); i++)
		if (!strcmp(keys[i].name, name) && keys[i].option != (blockdev ? DRIVE : BLOCKDEV))
			return &keys[i];
	return NULL;
}

/* "disk|cdrom": the number of the word; in `discard` off and on are other names. */
static bool set_word(struct parse *p, struct words *w, const struct key *key, const char *value)
{
	int n = word_index(key->words, value);

	if (n < 0)
		return option_fail(p, "-%s: %s=%.60s is not there (there is %s)", option_name(p), key->name, value, key->words);
	if (key->kind == UNLOCKED)
		w->drive.image.shared = n == 2;
	else if (key->offset == AT(drive.image.discard))
		w->drive.image.discard = n >= 2;
	else if (key->offset == AT(drive.cdrom))
		w->drive.cdrom = n;
	else if (key->offset == AT(drive.image.cache))
		w->drive.image.cache = (enum block_cache)n;
	else if (key->offset == AT(drive.image.zeroes))
		w->drive.image.zeroes = (enum block_zeroes)n;
	return true;
}

static bool set_bool(struct parse *p, const struct key *key, const char *value, bool *at)
{
	int n = word_index("off|no|false|n|on|yes|true|y", value);

	*at = n >= 4;
	return n >= 0 || option_fail(p, "-%s: %s=%.60s is not on or off", option_name(p), key->name, value);
}

static bool set_key(struct parse *p, struct words *w, const char *name, const char *value)
{
	const struct key *key = find_key(name, w->drive.blockdev);
	void *at = key ? (char *)w + key->offset : NULL;
	uint64_t number;

	if (!key)
		return option_fail(p, "-%s does not know '%.60s'", option_name(p), name);
	if (key->kind == BOOL)
		return set_bool(p, key, value, at);
	if (key->kind == NUMBER) {
		if (!parse_u64(value, &number) || number > 1000)
			return option_fail(p, "-%s: %s=%.60s is not a number up to 1000", option_name(p), name, value);
		*(unsigned *)at = (unsigned)number;
	} else if (key->kind == TEXT) {
		*(const char **)at = value;
	} else {
		return set_word(p, w, key, value);
	}
	return true;
}

/* ---- Together ---- */

/* As QEMU wants names: a letter, then letters, digits and "-._". */
static bool name_ok(const char *id)
{
	static const char letters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ", more[] = "0123456789-._";

	for (const char *c = id; *c; c++)
		if (!strchr(letters, *c) && (c == id || !strchr(more, *c)))
			return false;
	return *id && strlen(id) < 64;
}

static bool put_together_nbd(struct parse *p, struct words *w)
{
	struct drive_config *d = &w->drive;
	const char *export = w->export ? w->export : "";
	int n;

	if (!w->path && !w->host)
		return option_fail(p, "-%s: nbd needs server.path=, or server.host= and server.port=", option_name(p));
	if (w->path)
		n = asprintf(&d->made_file, "nbd:unix:%s:exportname=%s", w->path, export);
	else
		n = asprintf(&d->made_file, "nbd:%s:%s:exportname=%s", w->host, w->port ? w->port : "10809", export);
	if (n < 0) {
		d->made_file = NULL;
		return option_fail(p, "out of memory");
	}
	d->image.file = d->made_file;
	return true;
}

static bool is_way(const char *driver)
{
	return word_index("file|host_device|host_cdrom|nbd", driver) >= 0;
}

/* Which file it is, and of what format. */
static bool put_together(struct parse *p, struct words *w)
{
	struct drive_config *d = &w->drive;
	const char *way = w->way;

	if (w->driver && is_way(w->driver)) {
		way = w->driver;
		d->image.format = d->blockdev ? "raw" : NULL;
	} else if (w->driver && word_index("raw|qcow2", w->driver) < 0) {
		return option_fail(p, "-%s: format '%.40s' is not there (there are raw and qcow2)", option_name(p), w->driver);
	} else {
		d->image.format = w->driver;
	}
	if (way && !is_way(way))
		return option_fail(p, "-%s: file.driver=%.40s is not there (there are file and nbd)", option_name(p), way);
	if (way && !strcmp(way, "nbd"))
		return put_together_nbd(p, w);
	if (w->filename)
		d->image.file = w->filename;
	if (w->direct && w->no_flush)
		return option_fail(p, "-%s: cache.direct=on and cache.no-flush=on are not there together", option_name(p));
	if (w->direct)
		d->image.cache = BLOCK_NONE;
	if (w->no_flush)
		d->image.cache = BLOCK_UNSAFE;
	return true;
}

static bool append(struct parse *p, const struct drive_config *drive)
{
	struct config *o = p->opts;
	struct drive_config *copy = o->drives < CONFIG_MAX_DRIVES ? malloc(sizeof *copy) : NULL;

	if (o->drives == CONFIG_MAX_DRIVES)
		return option_fail(p, "more than %d drives", CONFIG_MAX_DRIVES);
	if (!copy)
		return option_fail(p, "out of memory");
	*copy = *drive;
	o->drive[o->drives++] = copy;
	return true;
}

static void forget(struct drive_config *d)
{
	free(d->text);
	free(d->made_file);
	free(d->made_id);
}

/* The NVRAM's. */
static bool keep_nvram(struct parse *p, const struct words *w)
{
	if (!w->drive.image.file || !*w->drive.image.file)
		return option_fail(p, "-drive if=pflash: file=FILE is needed, which keeps the NVRAM");
	if (w->drive.image.format && strcmp(w->drive.image.format, "raw"))
		return option_fail(p, "-drive if=pflash,format=%.40s is not there (the NVRAM is raw)", w->drive.image.format);
	free(p->opts->nvram_file);
	p->opts->nvram_file = strdup(w->drive.image.file);
	return p->opts->nvram_file || option_fail(p, "out of memory");
}

/* In the order of enum drive_interface. */
#define INTERFACES "none|virtio|scsi"

static bool finish_drive(struct parse *p, struct words *w)
{
	struct drive_config *d = &w->drive;
	int n = w->interface ? word_index(INTERFACES, w->interface) : DRIVE_SCSI;

	if (n < 0)
		return option_fail(p, "-drive if=%.60s: a pSeries has none (there are none, virtio, scsi, pflash)", w->interface);
	d->interface = (enum drive_interface)n;
	if (d->image.file && !*d->image.file)
		d->image.file = NULL;
	if (!d->image.file && !d->cdrom && d->interface != DRIVE_NONE)
		return option_fail(p, "-drive: file=FILE is needed (only a CD can be absent: media=cdrom)");
	d->image.readonly |= d->cdrom;
	if (d->index != UINT_MAX && (d->bus != UINT_MAX || d->unit != UINT_MAX))
		return option_fail(p, "-drive: index= and bus= or unit= say the same thing: one of them");
	return true;
}

static bool finish_blockdev(struct parse *p, struct words *w)
{
	if (!w->driver)
		return option_fail(p, "-blockdev: driver= is needed (there are qcow2, raw, file, nbd)");
	if (!w->drive.id)
		return option_fail(p, "-blockdev: node-name= is needed");
	if (!w->drive.over == (!w->drive.image.file || !*w->drive.image.file))
		return option_fail(p, "-blockdev %.60s: either a file name or file=NODE is needed", w->drive.id);
	w->drive.interface = DRIVE_NONE;
	return true;
}

static bool parse_pairs(struct parse *p, struct words *w, const char *text)
{
	struct pairs pairs;
	char *key, *value;
	bool ok = true;

	if (!pairs_open(p, &pairs, text))
		return false;
	w->drive.text = pairs.copy;
	while (ok && pairs_next(&pairs, &key, &value))
		ok = key ? set_key(p, w, key, value) : option_fail(p, "-%s: '%.60s' is not KEY=VALUE", option_name(p), value);
	return ok;
}

/* ---- The same as JSON: {"driver": "raw", "file": {"driver": "file", "filename": "x"}} is driver=raw,file.driver=file,.. ---- */

static bool set_member(struct parse *p, struct words *w, const struct json *j, uint32_t node, const char *name)
{
	const struct json_node *n = &j->node[node];
	char *value = w->drive.text + n->at;

	value[n->len] = 0;	/* what stands behind it there is of no member */
	if (n->kind == JSON_ARRAY || strchr(value, '\\'))
		return option_fail(p, "-%s: %.60s is no plain value", option_name(p), name);
	return set_key(p, w, name, value);
}

/* Members of an object, all those within it behind its name and a dot. Nested as deep as json_parse() takes. */
static bool set_members(struct parse *p, struct words *w, const struct json *j, uint32_t object, const char *before)
{
	bool ok = true;

	for (uint32_t i = j->node[object].child; ok && i != JSON_NONE; i = j->node[i].next) {
		char name[128];
		int len = snprintf(name, sizeof name, "%s%.*s", before, (int)j->node[i].key_len, j->text + j->node[i].key_at);
		bool nested = j->node[i].kind == JSON_OBJECT;

		if (len + 2 > (int)sizeof name)
			return option_fail(p, "-%s does not know '%.60s'", option_name(p), name);
		if (nested)
			strcpy(name + len, ".");
		ok = nested ? set_members(p, w, j, i, name) : set_member(p, w, j, i, name);
	}
	return ok;
}

static bool parse_json(struct parse *p, struct words *w, const char *text)
{
	struct json j;
	bool ok;

	w->drive.text = strdup(text);
	if (!w->drive.text)
		return option_fail(p, "out of memory");
	if (!json_parse(&j, text, strlen(text)))
		return option_fail(p, "-%s: '%.60s' is no JSON", option_name(p), text);
	ok = set_members(p, w, &j, 0, "");
	json_free(&j);
	return ok;
}

static bool parse_image(struct parse *p, const char *text, bool blockdev)
{
	struct words w = { .drive = { .bus = UINT_MAX, .unit = UINT_MAX, .index = UINT_MAX, .blockdev = blockdev } };
	bool parsed = blockdev && *text == '{' ? parse_json(p, &w, text) : parse_pairs(p, &w, text);
	bool ok = parsed && put_together(p, &w), pflash = w.interface && !strcmp(w.interface, "pflash");

	if (ok && w.drive.id && !name_ok(w.drive.id))
		ok = option_fail(p, "-%s: '%.60s' is no name (a letter, then letters, digits and -._)", option_name(p), w.drive.id);
	if (ok && pflash)
		ok = keep_nvram(p, &w);
	else if (ok)
		ok = (blockdev ? finish_blockdev(p, &w) : finish_drive(p, &w)) && append(p, &w.drive);
	if (!ok || pflash)
		forget(&w.drive);
	return ok;
}

bool opt_drive(struct parse *p, const char *text)
{
	return parse_image(p, text, false);
}

bool opt_blockdev(struct parse *p, const char *text)
{
	return parse_image(p, text, true);
}

/* -hda to -hdd: places 0 to 3; -cdrom: place 2. The name is taken as it is, commas and all. */
bool opt_hd(struct parse *p, const char *file)
{
	bool cdrom = !strcmp(option_name(p), "cdrom");
	struct drive_config drive = {
		.bus = UINT_MAX, .unit = UINT_MAX, .index = cdrom ? 2 : (unsigned)(option_name(p)[2] - 'a'),
		.interface = DRIVE_SCSI, .cdrom = cdrom, .image.readonly = cdrom,
	};

	drive.image.file = drive.text = strdup(file);
	if (!drive.text)
		return option_fail(p, "out of memory");
	if (append(p, &drive))
		return true;
	forget(&drive);
	return false;
}

/* ---- When all options are there ---- */

static struct drive_config *find_drive(struct config *o, const char *id, unsigned before)
{
	for (unsigned i = 0; i < before; i++)
		if (o->drive[i]->id && !strcmp(o->drive[i]->id, id))
			return o->drive[i];
	return NULL;
}

void drive_forget(struct drive_config *d)
{
	forget(d);
	free(d);
}

static void drop_drive(struct config *o, unsigned at)
{
	drive_forget(o->drive[at]);
	memmove(&o->drive[at], &o->drive[at + 1], (--o->drives - at) * sizeof o->drive[0]);
}

/* file=NODE: the node below says which file it is, and ceases to be a drive of its own. */
static bool take_over(struct parse *p, unsigned at)
{
	struct config *o = p->opts;
	struct drive_config *d = o->drive[at], *below = find_drive(o, d->over, at);

	if (!below || !below->blockdev)
		return option_fail(p, "-blockdev %s: there is no node '%.60s' before it", d->id, d->over);
	if (strcmp(below->image.format, "raw"))
		return option_fail(p, "-blockdev %s: node '%.60s' must be a file or nbd", d->id, d->over);
	d->made_file = strdup(below->image.file);
	if (!d->made_file)
		return option_fail(p, "out of memory");
	d->image.file = d->made_file;
	d->image.shared |= below->image.shared;
	d->image.readonly |= below->image.readonly;
	if (d->image.cache == BLOCK_WRITEBACK)
		d->image.cache = below->image.cache;
	for (unsigned i = 0; i < at; i++)
		if (o->drive[i] == below) {
			drop_drive(o, i);
			return true;
		}
	return true;
}

static bool is_occupied(const struct config *o, unsigned before, unsigned bus, unsigned unit)
{
	for (unsigned i = 0; i < before; i++)
		if (o->drive[i]->interface == DRIVE_SCSI && o->drive[i]->bus == bus && o->drive[i]->unit == unit)
			return true;
	return false;
}

/* Where on which bus. The next free place if nothing was said. */
static bool find_place(struct parse *p, unsigned at)
{
	struct drive_config *d = p->opts->drive[at];

	if (d->index != UINT_MAX) {
		d->bus = d->index / DRIVE_UNITS;
		d->unit = d->index % DRIVE_UNITS;
	}
	d->bus = d->bus == UINT_MAX ? 0 : d->bus;
	if (d->unit == UINT_MAX)
		for (d->unit = 0; is_occupied(p->opts, at, d->bus, d->unit);)
			if (++d->unit == DRIVE_UNITS) {
				d->unit = 0;
				d->bus++;
			}
	if (d->bus >= MOST_BUSES)
		return option_fail(p, "-drive: bus=%u: there are %u at most", d->bus, MOST_BUSES);
	if (d->unit >= DRIVE_UNITS)
		return option_fail(p, "-drive: unit=%u: a bus has units 0 to %u", d->unit, DRIVE_UNITS - 1);
	if (is_occupied(p->opts, at, d->bus, d->unit))
		return option_fail(p, "two drives at bus %u, unit %u (index %u)", d->bus, d->unit, d->bus * DRIVE_UNITS + d->unit);
	return true;
}

/* As QEMU names those without id=: scsi0-hd0, scsi0-cd2, virtio0, none0. */
static bool make_id(struct parse *p, unsigned at)
{
	struct drive_config *d = p->opts->drive[at];
	static const char *const names[] = { [DRIVE_NONE] = "none", [DRIVE_VIRTIO] = "virtio" };
	unsigned n = 0;
	int made;

	for (unsigned i = 0; i < at; i++)
		n += p->opts->drive[i]->interface == d->interface && !p->opts->drive[i]->blockdev;
	if (d->interface == DRIVE_SCSI)
		made = asprintf(&d->made_id, "scsi%u-%s%u", d->bus, d->cdrom ? "cd" : "hd", d->unit);
	else
		made = asprintf(&d->made_id, "%s%u", names[d->interface], n);
	if (made < 0) {
		d->made_id = NULL;
		return option_fail(p, "out of memory");
	}
	d->id = d->made_id;
	return true;
}

bool finish_drives(struct parse *p)
{
	struct config *o = p->opts;

	if (p->snapshot && o->nvram_file)
		return option_fail(p, "-snapshot does not reach -drive if=pflash: what is written to the NVRAM stays");
	for (unsigned i = 0; i < o->drives; i++) {
		struct drive_config *d = o->drive[i];

		if (d->interface == DRIVE_SCSI && !find_place(p, i))
			return false;
		if (!d->id && !make_id(p, i))
			return false;
		if (find_drive(o, d->id, i))
			return option_fail(p, "two drives have the name '%.60s'", d->id);
		if (p->snapshot && !d->blockdev && !d->image.readonly)
			d->image.snapshot = true;
	}
	for (unsigned i = 0; i < o->drives; i++) {
		unsigned before = o->drives;

		if (o->drive[i]->over && !o->drive[i]->made_file && !take_over(p, i))
			return false;
		i -= before - o->drives;
	}
	return true;
}

void drives_forget(struct config *opts)
{
	while (opts->drives)
		drop_drive(opts, opts->drives - 1);
}

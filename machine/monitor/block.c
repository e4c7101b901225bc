/* Drives as monitors show them ("info block", query-block and their statistics), and commands by hand. Words and their
 * order are QEMU's, where programs read them. */
#include "machine/monitor/block.h"

#include <inttypes.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "machine/core/clock.h"
#include "machine/core/config.h"
#include "machine/core/device.h"
#include "machine/disk/drive.h"
#include "machine/monitor/monitor.h"

/* "1.5 MiB": three digits. */
static void print_size(uint64_t bytes, FILE *out)
{
	static const char *const units[] = { "", "Ki", "Mi", "Gi", "Ti", "Pi", "Ei" };
	double value = (double)bytes;
	unsigned unit = 0;

	for (; value >= 1000 && unit < 6; unit++)
		value /= 1024;
	fprintf(out, "%0.3g %sB", value, units[unit]);
}

/* QEMU makes names for those without one. */
static void node_name(const struct machine *m, const struct drive *d, char *buf, size_t size)
{
	unsigned n = 100;

	for (const struct drive *other = m->drives; other != d; other = other->next)
		n++;
	if (d->config->blockdev)
		snprintf(buf, size, "%s", d->id);
	else
		snprintf(buf, size, "#block%u", n);
}

struct drive *block_find(const struct machine *m, const char *name)
{
	struct drive *d = drive_of(m, name);
	char node[64];

	for (struct drive *other = m->drives; other && !d; other = other->next) {
		node_name(m, other, node, sizeof node);
		d = strcmp(node, name) ? NULL : other;
	}
	return d;
}

static bool is_through(const struct block_options *o) { return o->cache == BLOCK_WRITETHROUGH || o->cache == BLOCK_DIRECTSYNC; }
static bool is_direct(const struct block_options *o) { return o->cache == BLOCK_NONE || o->cache == BLOCK_DIRECTSYNC; }
static bool is_removable(const struct drive *d) { return !d->user || d->removable; }
static const char *const zeroes[] = { "off", "on", "unmap" };

/* ---- By hand ---- */

static void print_user(const struct drive *d, FILE *out)
{
	if (d->user)
		fprintf(out, "    Attached to:      %s\n", d->user->id ? d->user->id : d->user->class->name);
	if (is_removable(d))
		fprintf(out, "    Removable device: %slocked, tray %s\n", d->tray_locked && *d->tray_locked ? "" : "not ",
			d->tray_open && *d->tray_open ? "open" : "closed");
}

/* An image says what it is based on, and may not steer a terminal. */
static const char *plain(const char *text, char *buf, size_t size)
{
	snprintf(buf, size, "%s", text);
	return text_plain(buf);
}

static void print_image(const struct block_info *info, FILE *out)
{
	char name[PATH_MAX];

	fprintf(out, "\nImages:\nimage: %s\nfile format: %s\nvirtual size: ", info->file, info->format);
	print_size(info->size, out);
	fprintf(out, " (%" PRIu64 " bytes)\ndisk size: ", info->size);
	print_size(info->allocated, out);
	fputc('\n', out);
	if (info->cluster)
		fprintf(out, "cluster_size: %" PRIu32 "\n", info->cluster);
	if (info->backing)
		fprintf(out, "backing file: %s\n", plain(info->backing, name, sizeof name));
}

static void print_medium(struct drive *d, bool verbose, FILE *out)
{
	const struct block_options *o = block_options(d->block);
	struct block_info info;
	char name[PATH_MAX];

	block_info(d->block, &info);
	fprintf(out, ": %s (%s%s%s)\n", info.file, info.format, info.readonly ? ", read-only" : "", info.encrypted ? ", encrypted" : "");
	print_user(d, out);
	fprintf(out, "    Cache mode:       %s%s%s\n", is_through(o) ? "writethrough" : "writeback", is_direct(o) ? ", direct" : "",
		o->cache == BLOCK_UNSAFE ? ", ignore flushes" : "");
	if (info.backing)
		fprintf(out, "    Backing file:     %s (chain depth: %u)\n", plain(info.backing, name, sizeof name), info.depth);
	if (o->zeroes)
		fprintf(out, "    Detect zeroes:    %s\n", zeroes[o->zeroes]);
	if (verbose)
		print_image(&info, out);
}

static void print_drive(const struct machine *m, struct drive *d, bool verbose, FILE *out)
{
	char name[80];

	node_name(m, d, name, sizeof name);
	fputs(d->id, out);
	if (d->block && strcmp(name, d->id))
		fprintf(out, " (%s)", name);
	if (d->block) {
		print_medium(d, verbose, out);
	} else {
		fputs(": [not inserted]\n", out);
		print_user(d, out);
	}
}

void block_print(struct machine *m, const char *argument, FILE *out)
{
	char word[80], only[80] = "";
	bool verbose = false, some = false;

	while (monitor_word(&argument, word, sizeof word)) {
		if (!strcmp(word, "-v"))
			verbose = true;
		else
			strcpy(only, word);
	}
	for (struct drive *d = m->drives; d; d = d->next)
		if (!*only || !strcmp(d->id, only)) {
			if (some)
				fputc('\n', out);
			print_drive(m, d, verbose, out);
			some = true;
		}
	if (*only && !some)
		fprintf(out, "Device '%.60s' not found\n", only);
}

void block_print_stats(struct machine *m, const char *argument, FILE *out)
{
	(void)argument;
	for (const struct drive *d = m->drives; d; d = d->next) {
		const struct drive_stats *s = &d->stats;

		fprintf(out, "%s: rd_bytes=%" PRIu64 " wr_bytes=%" PRIu64 " rd_operations=%" PRIu64 " wr_operations=%" PRIu64, d->id,
			s->bytes[BLOCK_READ], s->bytes[BLOCK_WRITE], s->requests[BLOCK_READ], s->requests[BLOCK_WRITE]);
		fprintf(out, " flush_operations=%" PRIu64 " wr_total_time_ns=%" PRIu64 " rd_total_time_ns=%" PRIu64, s->requests[BLOCK_FLUSH],
			cycles_to_ns(s->cycles[BLOCK_WRITE]), cycles_to_ns(s->cycles[BLOCK_READ]));
		fprintf(out, " flush_total_time_ns=%" PRIu64 " rd_merged=0 wr_merged=0 idle_time_ns=0\n", cycles_to_ns(s->cycles[BLOCK_FLUSH]));
	}
}

/* ---- Commands by hand ---- */

struct words {
	const char *rest;
	char word[4096];
};

/* The drive that the next word names. NULL and err->msg set. */
static struct drive *take_drive(struct machine *m, struct words *w, struct error *err)
{
	struct drive *d = monitor_word(&w->rest, w->word, sizeof w->word) ? drive_of(m, w->word) : NULL;

	if (!d)
		error_set(err, "Device '%.60s' not found", w->word);
	return d;
}

bool block_run_eject(struct machine *m, const char *argument, struct error *err)
{
	struct words w = { .rest = argument };
	bool force = !strncmp(argument, "-f ", 3);
	struct drive *d;

	w.rest += force ? 3 : 0;
	d = take_drive(m, &w, err);
	return d && drive_eject(d, force, err);
}

bool block_change(struct drive *d, const char *file, const char *format, const char *mode, bool force, struct error *err)
{
	bool readonly = !strcmp(mode, "read-only") || (!strcmp(mode, "retain") && d->config->image.readonly);

	if (readonly || !strcmp(mode, "retain") || !strcmp(mode, "read-write"))
		return drive_insert(d, file, *format ? format : NULL, readonly, force, err);
	error_set(err, "'%.60s' is none of retain, read-only, read-write", mode);
	return false;
}

/* "DEVICE FILE [FORMAT [retain|read-only|read-write]]" */
bool block_run_change(struct machine *m, const char *argument, struct error *err)
{
	struct words w = { .rest = argument }, file;
	bool force = !strncmp(argument, "-f ", 3);
	char format[32] = "", mode[32] = "retain";
	struct drive *d;

	w.rest += force ? 3 : 0;
	d = take_drive(m, &w, err);
	if (!d)
		return false;
	file = w;
	if (!monitor_word(&file.rest, file.word, sizeof file.word)) {
		error_set(err, "a file name is missing, or too long");
		return false;
	}
	if (monitor_word(&file.rest, format, sizeof format))
		monitor_word(&file.rest, mode, sizeof mode);
	return block_change(d, file.word, format, mode, force, err);
}

/* "DEVICE SIZE[K|M|G|T]"; a bare number counts MiB, as QEMU's does. */
bool block_run_resize(struct machine *m, const char *argument, struct error *err)
{
	static const char units[] = "bkmgtpe";
	struct words w = { .rest = argument };
	struct drive *d = take_drive(m, &w, err);
	const char *unit;
	uint64_t bytes;
	char *end;

	if (!d)
		return false;
	if (!monitor_word(&w.rest, w.word, sizeof w.word) || *w.word < '0' || *w.word > '9') {
		error_set(err, "a size is missing");
		return false;
	}
	bytes = strtoull(w.word, &end, 10);
	unit = strchr(units, *end ? *end | 0x20 : 'm');
	if (!unit || (*end && end[1]) || __builtin_mul_overflow(bytes, UINT64_C(1) << 10 * (unit - units), &bytes)) {
		error_set(err, "'%.60s' is no size", w.word);
		return false;
	}
	return drive_resize(d, bytes, err);
}

/* "[-n] DEVICE FILE [FORMAT]"; -n: the file is there already. */
bool block_run_snapshot(struct machine *m, const char *argument, struct error *err)
{
	struct words w = { .rest = argument };
	bool exists = !strncmp(argument, "-n ", 3);
	char format[32] = "qcow2";
	struct drive *d;

	w.rest += exists ? 3 : 0;
	d = take_drive(m, &w, err);
	if (!d)
		return false;
	if (!monitor_word(&w.rest, w.word, sizeof w.word)) {
		error_set(err, "a file name is missing, or too long");
		return false;
	}
	monitor_word(&w.rest, format, sizeof format);
	if (!strcmp(format, "qcow2"))
		return drive_snapshot(d, w.word, exists, err);
	error_set(err, "a snapshot's format is qcow2, not '%s'", format);
	return false;
}

/* ---- By program ---- */

static const char *json_bool(bool value)
{
	return value ? "true" : "false";
}

static void put_member(FILE *out, const char *name, const char *text)
{
	fprintf(out, "\"%s\": ", name);
	qmp_string(out, text);
}

static void put_image(const struct block_info *info, FILE *out)
{
	fprintf(out, "\"image\": {\"virtual-size\": %" PRIu64 ", ", info->size);
	put_member(out, "filename", info->file);
	if (info->cluster)
		fprintf(out, ", \"cluster-size\": %" PRIu32, info->cluster);
	if (info->backing) {
		fputs(", ", out);
		put_member(out, "backing-filename", info->backing);
		fputs(", ", out);
		put_member(out, "full-backing-filename", info->backing);
	}
	fprintf(out, ", \"format\": \"%s\", \"actual-size\": %" PRIu64 ", \"dirty-flag\": false}", info->format, info->allocated);
}

static void put_medium(const struct machine *m, struct drive *d, FILE *out)
{
	const struct block_options *o = block_options(d->block);
	struct block_info info;
	char name[80];

	block_info(d->block, &info);
	node_name(m, d, name, sizeof name);
	fprintf(out, "\"inserted\": {\"iops_rd\": 0, \"detect_zeroes\": \"%s\", ", zeroes[o->zeroes]);
	put_image(&info, out);
	fprintf(out, ", \"iops_wr\": 0, \"ro\": %s, ", json_bool(info.readonly));
	put_member(out, "node-name", name);
	fprintf(out, ", \"backing_file_depth\": %u, \"drv\": \"%s\", ", info.depth, info.format);
	if (info.backing) {
		put_member(out, "backing_file", info.backing);
		fputs(", ", out);
	}
	fprintf(out, "\"iops\": 0, \"bps_wr\": 0, \"write_threshold\": 0, \"encrypted\": %s, \"bps\": 0, \"bps_rd\": 0, ",
		json_bool(info.encrypted));
	fprintf(out, "\"cache\": {\"no-flush\": %s, \"direct\": %s, \"writeback\": %s}, ", json_bool(o->cache == BLOCK_UNSAFE),
		json_bool(is_direct(o)), json_bool(!is_through(o)));
	put_member(out, "file", info.file);
	fputs("}, ", out);
}

static void put_user(const struct drive *d, FILE *out)
{
	if (!d->user)
		return;
	put_member(out, "qdev", d->user->id ? d->user->id : d->user->class->name);
	fputs(", \"io-status\": \"ok\", ", out);
}

void block_query(struct machine *m, FILE *out)
{
	fputc('[', out);
	for (struct drive *d = m->drives; d; d = d->next) {
		fputc('{', out);
		put_member(out, "device", d->config->blockdev ? "" : d->id);
		fprintf(out, ", \"locked\": %s, \"removable\": %s, ", json_bool(d->tray_locked && *d->tray_locked), json_bool(is_removable(d)));
		if (d->block)
			put_medium(m, d, out);
		put_user(d, out);
		if (d->tray_open)
			fprintf(out, "\"tray_open\": %s, ", json_bool(*d->tray_open));
		fprintf(out, "\"type\": \"unknown\"}%s", d->next ? ", " : "");
	}
	fputc(']', out);
}

/* QEMU's words for operations. */
static void put_stats(const struct drive_stats *s, FILE *out)
{
	static const struct { const char *name; enum block_op op; bool merges; } rows[] = {
		{ "rd", BLOCK_READ, true }, { "wr", BLOCK_WRITE, true }, { "flush", BLOCK_FLUSH, false }, { "unmap", BLOCK_DISCARD, true },
	};

	fputs("\"stats\": {", out);
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		const char *name = rows[i].name;
		enum block_op op = rows[i].op;

		fprintf(out, "\"%s_operations\": %" PRIu64 ", \"%s_total_time_ns\": %" PRIu64 ", ", name, s->requests[op], name, cycles_to_ns(s->cycles[op]));
		fprintf(out, "\"failed_%s_operations\": %" PRIu64 ", \"invalid_%s_operations\": 0, ", name, s->failed[op], name);
		if (rows[i].merges)
			fprintf(out, "\"%s_bytes\": %" PRIu64 ", \"%s_merged\": 0, ", name, s->bytes[op], name);
	}
	fputs("\"wr_highest_offset\": 0, \"timed_stats\": [], \"account_invalid\": true, \"account_failed\": true}", out);
}

void block_query_stats(struct machine *m, FILE *out)
{
	char name[80];

	fputc('[', out);
	for (const struct drive *d = m->drives; d; d = d->next) {
		fputc('{', out);
		put_member(out, "device", d->config->blockdev ? "" : d->id);
		fputs(", ", out);
		put_stats(&d->stats, out);
		if (d->block) {
			node_name(m, d, name, sizeof name);
			fputs(", ", out);
			put_member(out, "node-name", name);
		}
		fprintf(out, "}%s", d->next ? ", " : "");
	}
	fputc(']', out);
}

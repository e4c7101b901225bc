/* From a name, or an image's first bytes, to nodes that are open. */
#define _GNU_SOURCE
#include "machine/host/block/probe.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "machine/host/block/file.h"
#include "machine/host/block/lock.h"

#define HEAD (64u << 10)	/* bytes that a driver is shown */

/* Formats. The last one is any other's. */
static const struct block_driver *const formats[] = { &block_qcow2, &block_file };
#define FORMATS (sizeof formats / sizeof formats[0])

/* Heads of QEMU's other formats: an image that has one is not taken for raw unless the user says so. */
static const struct {
	const char *name;
	unsigned offset, bytes;
	const char *head;
} others[] = {
	{ "qcow", 0, 4, "QFI\xfb" }, { "qed", 0, 4, "QED" }, { "vmdk", 0, 4, "KDMV" }, { "vmdk", 0, 4, "COWD" },
	{ "vdi", 64, 4, "\x7f\x10\xda\xbe" }, { "vpc", 0, 8, "conectix" }, { "vhdx", 0, 8, "vhdxfile" },
	{ "luks", 0, 6, "LUKS\xba\xbe" }, { "parallels", 0, 16, "WithoutFreeSpace" }, { "parallels", 0, 16, "WithouFreSpacExt" },
	{ "bochs", 0, 22, "Bochs Virtual HD Image" },
};

/* NULL: no other's. */
static const char *find_other(const uint8_t *head, uint64_t n)
{
	for (size_t i = 0; i < sizeof others / sizeof others[0]; i++)
		if (others[i].offset + others[i].bytes <= n && !memcmp(head + others[i].offset, others[i].head, others[i].bytes))
			return others[i].name;
	return NULL;
}

static const struct block_driver *find_probed(const uint8_t *head, uint64_t n)
{
	for (size_t i = 0; i < FORMATS; i++)
		if (formats[i]->probe && formats[i]->probe(head, n))
			return formats[i];
	return formats[FORMATS - 1];
}

bool probe_is_raw(const uint8_t *head, uint64_t n)
{
	return find_probed(head, n) == &block_file && !find_other(head, n);
}

const char *node_format(const struct block_node *n)
{
	for (size_t i = 0; i < FORMATS; i++)
		if (formats[i] == n->driver)
			return n->driver->name;
	return block_file.name;
}

/* ---- By name ---- */

static const struct block_driver *find_named(const char *name, struct error *err)
{
	for (size_t i = 0; i < FORMATS; i++)
		if (!strcmp(formats[i]->name, name))
			return formats[i];
	error_set(err, "there is no image format '%.40s' (there are qcow2 and raw)", name);
	return NULL;
}

/* ---- Ways to bytes ---- */

bool probe_is_nbd(const char *file)
{
	static const char *const begins[] = { "nbd:", "nbds:", "nbd+unix:", "nbds+unix:" };

	for (size_t i = 0; i < sizeof begins / sizeof begins[0]; i++)
		if (!strncmp(file, begins[i], strlen(begins[i])))
			return true;
	return false;
}

static bool lock(struct block_node *n, const struct block_options *o, unsigned uses, unsigned forbids, struct error *err)
{
	int fd = block_file_fd(n);
	struct error why;

	if (fd < 0 || o->shared || block_lock(fd, uses, forbids, &why))
		return true;
	error_set(err, "cannot open '%.100s': %.120s", o->file, why.msg);
	return false;
}

struct block_node *block_protocol_open(const struct block_options *o, struct error *err)
{
	struct block_options plain = *o;
	struct block_node *n;

	if (probe_is_nbd(o->file))
		return block_nbd.open(NULL, o, 0, err);
	if (!strncmp(o->file, "file:", 5))
		plain.file += 5;
	n = block_file_open(&plain, err);
	if (n && !lock(n, o, BLOCK_LOCK_READ | (o->readonly ? 0 : BLOCK_LOCK_WRITE), BLOCK_LOCK_WRITE, err)) {
		block_node_close(n);
		return NULL;
	}
	return n;
}

static const struct block_driver *find_by_head(struct block_node *file, const struct block_options *o, struct error *err)
{
	uint64_t n = file->size < HEAD ? file->size : HEAD;
	uint8_t *head = malloc(HEAD);
	const struct block_driver *found = NULL;
	const char *other;
	int error;

	if (!head) {
		error_set(err, "out of memory");
		return NULL;
	}
	error = file->driver->read(file, 0, head, n);
	if (error)
		error_set(err, "cannot read '%.100s': %s", o->file, strerror(error));
	else
		found = find_probed(head, n);
	other = found == &block_file ? find_other(head, n) : NULL;
	if (other)
		error_set(err, "'%.100s' looks like %s, which is not there (format=raw takes it as it is)", o->file, other);
	free(head);
	return other ? NULL : found;
}

struct block_node *block_node_open(const struct block_options *o, unsigned depth, struct error *err)
{
	const struct block_driver *driver;
	struct block_node *file, *n;

	if (depth > BLOCK_MAX_DEPTH) {
		error_set(err, "'%.100s': more than %u images based on each other", o->file, BLOCK_MAX_DEPTH);
		return NULL;
	}
	if (o->format && !find_named(o->format, err))
		return NULL;
	file = block_protocol_open(o, err);
	if (!file)
		return NULL;
	driver = o->format ? find_named(o->format, err) : find_by_head(file, o, err);
	/* A format makes its file longer; of a raw image a resize does that alone. */
	if (!driver || (driver != &block_file && !lock(file, o, o->readonly ? 0 : BLOCK_LOCK_RESIZE, BLOCK_LOCK_RESIZE, err))) {
		block_node_close(file);
		return NULL;
	}
	if (driver == &block_file)
		return file;
	n = driver->open(file, o, depth, err);
	if (n)
		n->file = file;
	return n;
}

/* Of a format the file below is locked. */
static struct block_node *locked(struct block_node *n)
{
	return n->file ? n->file : n;
}

void probe_unlock(struct block_node *n)
{
	int fd = block_file_fd(locked(n));

	if (fd >= 0)
		block_unlock(fd);
}

void probe_lock(struct block_node *n, const struct block_options *o)
{
	unsigned uses = BLOCK_LOCK_READ | (o->readonly ? 0 : BLOCK_LOCK_WRITE), forbids = BLOCK_LOCK_WRITE;
	struct error ignored;

	if (n->file) {
		uses |= o->readonly ? 0 : BLOCK_LOCK_RESIZE;
		forbids |= BLOCK_LOCK_RESIZE;
	}
	lock(locked(n), o, uses, forbids, &ignored);
}

void block_node_close(struct block_node *n)
{
	n->driver->close(n);
}

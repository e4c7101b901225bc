/* Overlays: qcow2 images that have nothing of their own yet. */
#define _GNU_SOURCE
#include "machine/host/block/overlay.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "machine/host/block/file.h"
#include "machine/host/block/probe.h"

/* What an overlay says of the image below it: found again from any folder. NULL: no memory. */
static char *absolute(const char *file)
{
	char *path = realpath(strncmp(file, "file:", 5) ? file : file + 5, NULL);

	return path ? path : strdup(file);
}

/* Format and size of the image, which can be opened. False and err->msg set. */
static bool look_at(const struct block_options *base, const char **format, uint64_t *size, struct error *err)
{
	struct block_node *n = block_node_open(base, 1, err);

	if (!n)
		return false;
	*format = node_format(n);
	*size = n->size;
	block_node_close(n);
	return true;
}

/* Does `file` name the image itself, with or without locks on it? */
static bool is_same(const struct block_node *n, const char *file)
{
	int fd = block_file_fd(n->file ? n->file : n);
	struct stat a, b;

	return fd >= 0 && !fstat(fd, &a) && !stat(file, &b) && a.st_dev == b.st_dev && a.st_ino == b.st_ino;
}

/* A new image in `folder`, which is ours alone; unlinked as soon as it is open. */
static struct block_node *open_in(const char *folder, const struct block_options *o, const char *backing, const char *format,
				  uint64_t size, struct error *err)
{
	char file[PATH_MAX];
	struct block_options top = *o;
	struct block_node *n = NULL;

	snprintf(file, sizeof file, "%s/overlay", folder);
	top.file = file;
	top.format = "qcow2";
	top.readonly = top.snapshot = false;
	top.cache = BLOCK_UNSAFE;	/* it does not outlive us */
	if (block_create_qcow2(file, size, backing, format, err))
		n = block_node_open(&top, 0, err);
	unlink(file);
	return n;
}

struct block_node *overlay_open(const struct block_options *o, struct error *err)
{
	struct block_options base = *o;
	const char *tmp = getenv("TMPDIR"), *format;
	char folder[PATH_MAX - 16], *backing;
	struct block_node *n;
	uint64_t size;

	base.readonly = true;
	base.snapshot = false;
	if (!look_at(&base, &format, &size, err))
		return NULL;
	snprintf(folder, sizeof folder, "%s/cede-XXXXXX", tmp && *tmp ? tmp : "/var/tmp");
	if (!mkdtemp(folder)) {
		error_set(err, "no folder for what -snapshot writes, '%.100s': %s", folder, strerror(errno));
		return NULL;
	}
	backing = absolute(o->file);
	n = backing ? open_in(folder, o, backing, format, size, err) : NULL;
	if (!backing)
		error_set(err, "out of memory");
	free(backing);
	rmdir(folder);
	return n;
}

/* The present image goes on as the new one's backing file, which others may read: whoever has it open must not claim it. */
struct block_node *overlay_put(struct block_node *below, const struct block_options *o, const char *file, bool exists,
			       struct error *err)
{
	struct block_options top = *o;
	struct block_node *n = NULL;
	char *backing = absolute(below->name);
	int error = below->driver->flush(below);

	file += strncmp(file, "file:", 5) ? 0 : 5;
	top.file = file;
	top.format = "qcow2";
	top.readonly = false;
	if (!exists && file[strcspn(file, ":/")] == ':')
		error_set(err, "'%.100s' cannot be made: it is no file (./NAME is one, whatever the name)", file);
	else if (is_same(below, file))
		error_set(err, "'%.100s' cannot go on top of itself", file);
	else if (error)
		error_set(err, "cannot flush '%.100s': %s", below->name, strerror(error));
	else if (backing && (exists || block_create_qcow2(file, below->size, backing, node_format(below), err))) {
		probe_unlock(below);
		n = block_node_open(&top, 0, err);
		if (!n)
			probe_lock(below, o);
	}
	free(backing);
	if (n)
		block_node_close(below);
	return n;
}

/* Images that an NBD server exports: network block devices, by libnbd. */
#define _GNU_SOURCE
#include "machine/host/block/driver.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#ifdef HAVE_LIBNBD
#include <libnbd.h>

#define MOVED  (UINT64_C(4) << 20)	/* bytes of a request: what every server takes */
#define RANGED (UINT64_C(1) << 30)	/* of one without data */

struct nbd {
	struct block_node node;
	struct nbd_handle *handle;
	bool flushes, trims, zeroes;	/* the server can */
	enum block_cache cache;
};

/* ---- Names: nbd:HOST:PORT or nbd:unix:PATH, both with [:exportname=NAME]; all else is a URI ---- */

/* -1: libnbd says why. `rest` is cut. */
static int begin_plain(struct nbd_handle *h, char *rest)
{
	char *export = strstr(rest, ":exportname="), *port;

	if (export) {
		*export = 0;
		if (nbd_set_export_name(h, export + strlen(":exportname=")))
			return -1;
	}
	if (!strncmp(rest, "unix:", 5))
		return nbd_aio_connect_unix(h, rest + 5);
	port = strrchr(rest, ':');
	if (port)
		*port++ = 0;
	return nbd_aio_connect_tcp(h, rest, port ? port : "10809");
}

static int begin(struct nbd_handle *h, const char *file)
{
	char *rest;
	int result;

	if (strncmp(file, "nbd:", 4) || !strncmp(file, "nbd://", 6))
		return nbd_aio_connect_uri(h, file);
	rest = strdup(file + 4);
	result = rest ? begin_plain(h, rest) : -1;
	free(rest);
	return result;
}

/* The process's ticks interrupt poll(), and end the process if the server is silent and the user has had enough. */
static bool finish(struct nbd_handle *h)
{
	while (nbd_aio_is_connecting(h) == 1)
		if (nbd_poll(h, -1) < 0 && nbd_get_errno() != EINTR)
			return false;
	return nbd_aio_is_ready(h) == 1;
}

static void nbd_node_close(struct block_node *n)
{
	struct nbd *d = (struct nbd *)n;

	nbd_close(d->handle);
	free(n->name);
	free(d);
}

/* False and err->msg set. */
static bool greet(struct nbd *d, const struct block_options *o, struct error *err)
{
	int64_t size = nbd_get_size(d->handle);

	if (size < 0) {
		error_set(err, "cannot open '%.100s': %.120s", o->file, nbd_get_error());
		return false;
	}
	if (!o->readonly && nbd_is_read_only(d->handle)) {
		error_set(err, "cannot open '%.100s': the server exports it read-only (readonly=on)", o->file);
		return false;
	}
	d->node.size = (uint64_t)size / BLOCK_SECTOR * BLOCK_SECTOR;
	d->flushes = nbd_can_flush(d->handle) == 1;
	d->trims = nbd_can_trim(d->handle) == 1;
	d->zeroes = nbd_can_zero(d->handle) == 1;
	return true;
}

static struct block_node *nbd_open(struct block_node *file, const struct block_options *o, unsigned depth, struct error *err)
{
	struct nbd *d = calloc(1, sizeof *d);

	(void)file, (void)depth;
	if (!d || !(d->node.name = strdup(o->file)) || !(d->handle = nbd_create())) {
		error_set(err, "out of memory");
		free(d ? d->node.name : NULL);
		free(d);
		return NULL;
	}
	d->node.driver = &block_nbd;
	d->node.readonly = o->readonly;
	d->cache = o->cache;
	if (begin(d->handle, o->file) || !finish(d->handle))
		error_set(err, "cannot open '%.100s': %.120s", o->file, nbd_get_error() ? nbd_get_error() : "no connection");
	else if (greet(d, o, err))
		return &d->node;
	nbd_node_close(&d->node);
	return NULL;
}

/* ---- Requests ---- */

/* 0 or an errno. */
static int error_of(int result)
{
	if (!result)
		return 0;
	return nbd_get_errno() ? nbd_get_errno() : EIO;
}

static int nbd_node_read(struct block_node *n, uint64_t offset, void *data, uint64_t bytes)
{
	struct nbd *d = (struct nbd *)n;
	int error = 0;

	for (uint64_t at = 0, len; !error && at < bytes; at += len) {
		len = bytes - at < MOVED ? bytes - at : MOVED;
		error = error_of(nbd_pread(d->handle, (uint8_t *)data + at, len, offset + at, 0));
	}
	return error;
}

static int nbd_node_write(struct block_node *n, uint64_t offset, const void *data, uint64_t bytes)
{
	struct nbd *d = (struct nbd *)n;
	int error = 0;

	for (uint64_t at = 0, len; !error && at < bytes; at += len) {
		len = bytes - at < MOVED ? bytes - at : MOVED;
		error = error_of(nbd_pwrite(d->handle, (const uint8_t *)data + at, len, offset + at, 0));
	}
	return error;
}

static int nbd_node_flush(struct block_node *n)
{
	struct nbd *d = (struct nbd *)n;

	return d->flushes && d->cache != BLOCK_UNSAFE ? error_of(nbd_flush(d->handle, 0)) : 0;
}

static int nbd_node_discard(struct block_node *n, uint64_t offset, uint64_t bytes)
{
	struct nbd *d = (struct nbd *)n;
	int error = 0;

	for (uint64_t at = 0, len; d->trims && !error && at < bytes; at += len) {
		len = bytes - at < RANGED ? bytes - at : RANGED;
		error = error_of(nbd_trim(d->handle, len, offset + at, 0));
	}
	return error;
}

static int write_zeros(struct block_node *n, uint64_t offset, uint64_t bytes)
{
	uint64_t room = bytes < MOVED ? bytes : MOVED;
	uint8_t *zeros = calloc(1, room ? room : 1);
	int error = zeros ? 0 : ENOMEM;

	for (uint64_t at = 0, len; !error && at < bytes; at += len) {
		len = bytes - at < room ? bytes - at : room;
		error = nbd_node_write(n, offset + at, zeros, len);
	}
	free(zeros);
	return error;
}

static int nbd_node_zero(struct block_node *n, uint64_t offset, uint64_t bytes, bool unmap)
{
	struct nbd *d = (struct nbd *)n;
	int error = 0;

	if (!d->zeroes)
		return write_zeros(n, offset, bytes);
	for (uint64_t at = 0, len; !error && at < bytes; at += len) {
		len = bytes - at < RANGED ? bytes - at : RANGED;
		error = error_of(nbd_zero(d->handle, len, offset + at, unmap ? 0 : LIBNBD_CMD_FLAG_NO_HOLE));
	}
	return error;
}

static void nbd_node_info(struct block_node *n, struct block_info *info)
{
	*info = (struct block_info){ .file = n->name, .format = "raw", .size = n->size, .readonly = n->readonly };
}

/* A server's export has the size that it has. */
const struct block_driver block_nbd = {
	.name = "nbd", .open = nbd_open, .close = nbd_node_close,
	.read = nbd_node_read, .write = nbd_node_write, .flush = nbd_node_flush, .discard = nbd_node_discard,
	.zero = nbd_node_zero, .info = nbd_node_info,
};

#else

static struct block_node *nbd_open(struct block_node *file, const struct block_options *o, unsigned depth, struct error *err)
{
	(void)file, (void)depth;
	error_set(err, "cannot open '%.100s': this cede was built without libnbd (Debian: libnbd-dev, then make)", o->file);
	return NULL;
}

const struct block_driver block_nbd = { .name = "nbd", .open = nbd_open };

#endif

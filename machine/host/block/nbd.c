/* Images that an NBD server exports: network block devices, by libnbd. That brings twenty libraries, which would double
 * the time that cede takes to start: it is loaded with the first such image. */
#define _GNU_SOURCE
#include "machine/host/block/driver.h"

#include <dlfcn.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#ifdef HAVE_LIBNBD
#include <libnbd.h>

#define LIBRARY "libnbd.so.0"

/* What is used of it. */
#define FUNCTIONS(F) \
	F(create) F(close) F(get_error) F(get_errno) F(set_export_name) F(aio_connect_uri) F(aio_connect_unix) F(aio_connect_tcp) \
	F(aio_is_connecting) F(aio_is_ready) F(poll) F(get_size) F(is_read_only) F(can_flush) F(can_trim) F(can_zero) \
	F(pread) F(pwrite) F(flush) F(trim) F(zero)

struct library {
	void *handle;
#define MEMBER(name) __typeof__(&nbd_##name) name;
	FUNCTIONS(MEMBER)
#undef MEMBER
};

#define MOVED  (UINT64_C(4) << 20)	/* bytes of a request: what every server takes */
#define RANGED (UINT64_C(1) << 30)	/* of one without data */

struct nbd {
	struct block_node node;
	struct library lib;
	struct nbd_handle *handle;
	bool flushes, trims, zeroes;	/* the server can */
	enum block_cache cache;
};

/* False and err->msg set. */
static bool load(struct library *lib, struct error *err)
{
	bool all;

	lib->handle = dlopen(LIBRARY, RTLD_NOW | RTLD_LOCAL);
	all = lib->handle;
#define FIND(name) all = all && (lib->name = (__typeof__(lib->name))dlsym(lib->handle, "nbd_" #name));
	FUNCTIONS(FIND)
#undef FIND
	if (!all)
		error_set(err, "images of NBD servers need " LIBRARY ": %.150s", dlerror());
	return all;
}

/* ---- Names: nbd:HOST:PORT or nbd:unix:PATH, both with [:exportname=NAME]; all else is a URI ---- */

/* -1: libnbd says why. `rest` is cut. */
static int begin_plain(struct nbd *d, char *rest)
{
	char *export = strstr(rest, ":exportname="), *port;

	if (export) {
		*export = 0;
		if (d->lib.set_export_name(d->handle, export + strlen(":exportname=")))
			return -1;
	}
	if (!strncmp(rest, "unix:", 5))
		return d->lib.aio_connect_unix(d->handle, rest + 5);
	port = strrchr(rest, ':');
	if (port)
		*port++ = 0;
	return d->lib.aio_connect_tcp(d->handle, rest, port ? port : "10809");
}

static int begin(struct nbd *d, const char *file)
{
	char *rest;
	int result;

	if (strncmp(file, "nbd:", 4) || !strncmp(file, "nbd://", 6))
		return d->lib.aio_connect_uri(d->handle, file);
	rest = strdup(file + 4);
	result = rest ? begin_plain(d, rest) : -1;
	free(rest);
	return result;
}

/* The process's ticks interrupt poll(), and end the process if the server is silent and the user has had enough. */
static bool finish(struct nbd *d)
{
	while (d->lib.aio_is_connecting(d->handle) == 1)
		if (d->lib.poll(d->handle, -1) < 0 && d->lib.get_errno() != EINTR)
			return false;
	return d->lib.aio_is_ready(d->handle) == 1;
}

static void nbd_node_close(struct block_node *n)
{
	struct nbd *d = (struct nbd *)n;

	if (d->handle)
		d->lib.close(d->handle);
	if (d->lib.handle)
		dlclose(d->lib.handle);
	free(n->name);
	free(d);
}

/* False and err->msg set. */
static bool greet(struct nbd *d, const struct block_options *o, struct error *err)
{
	int64_t size = d->lib.get_size(d->handle);

	if (size < 0) {
		error_set(err, "cannot open '%.100s': %.120s", o->file, d->lib.get_error());
		return false;
	}
	if (!o->readonly && d->lib.is_read_only(d->handle)) {
		error_set(err, "cannot open '%.100s': the server exports it read-only (readonly=on)", o->file);
		return false;
	}
	d->node.size = (uint64_t)size / BLOCK_SECTOR * BLOCK_SECTOR;
	d->flushes = d->lib.can_flush(d->handle) == 1;
	d->trims = d->lib.can_trim(d->handle) == 1;
	d->zeroes = d->lib.can_zero(d->handle) == 1;
	return true;
}

static struct block_node *nbd_open(struct block_node *file, const struct block_options *o, unsigned depth, struct error *err)
{
	struct nbd *d = calloc(1, sizeof *d);

	(void)file, (void)depth;
	if (!d || !(d->node.name = strdup(o->file))) {
		error_set(err, "out of memory");
		free(d);
		return NULL;
	}
	d->node.driver = &block_nbd;
	d->node.readonly = o->readonly;
	d->cache = o->cache;
	if (!load(&d->lib, err))
		goto out_close;
	d->handle = d->lib.create();
	if (!d->handle || begin(d, o->file) || !finish(d))
		error_set(err, "cannot open '%.100s': %.120s", o->file, d->lib.get_error() ? d->lib.get_error() : "no connection");
	else if (greet(d, o, err))
		return &d->node;
out_close:
	nbd_node_close(&d->node);
	return NULL;
}

/* ---- Requests ---- */

/* 0 or an errno. */
static int error_of(struct nbd *d, int result)
{
	if (!result)
		return 0;
	return d->lib.get_errno() ? d->lib.get_errno() : EIO;
}

static int nbd_node_read(struct block_node *n, uint64_t offset, void *data, uint64_t bytes)
{
	struct nbd *d = (struct nbd *)n;
	int error = 0;

	for (uint64_t at = 0, len; !error && at < bytes; at += len) {
		len = bytes - at < MOVED ? bytes - at : MOVED;
		error = error_of(d, d->lib.pread(d->handle, (uint8_t *)data + at, len, offset + at, 0));
	}
	return error;
}

static int nbd_node_write(struct block_node *n, uint64_t offset, const void *data, uint64_t bytes)
{
	struct nbd *d = (struct nbd *)n;
	int error = 0;

	for (uint64_t at = 0, len; !error && at < bytes; at += len) {
		len = bytes - at < MOVED ? bytes - at : MOVED;
		error = error_of(d, d->lib.pwrite(d->handle, (const uint8_t *)data + at, len, offset + at, 0));
	}
	return error;
}

static int nbd_node_flush(struct block_node *n)
{
	struct nbd *d = (struct nbd *)n;

	return d->flushes && d->cache != BLOCK_UNSAFE ? error_of(d, d->lib.flush(d->handle, 0)) : 0;
}

static int nbd_node_discard(struct block_node *n, uint64_t offset, uint64_t bytes)
{
	struct nbd *d = (struct nbd *)n;
	int error = 0;

	for (uint64_t at = 0, len; d->trims && !error && at < bytes; at += len) {
		len = bytes - at < RANGED ? bytes - at : RANGED;
		error = error_of(d, d->lib.trim(d->handle, len, offset + at, 0));
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
		error = error_of(d, d->lib.zero(d->handle, len, offset + at, unmap ? 0 : LIBNBD_CMD_FLAG_NO_HOLE));
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

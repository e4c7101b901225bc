/* The bytes of an image in a file or on a block device of the host: format "raw", and what other formats lie in.
 *
 * With cache=none the kernel wants offsets, lengths and memory aligned. What has an unaligned end goes through the page
 * cache, which the kernel keeps in step; what merely lies wrong in memory goes through a buffer of ours. Nothing is
 * mapped: a file that somebody cuts under us gives an error, not a signal. */
#define _GNU_SOURCE
#include "machine/host/block/file.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/falloc.h>
#include <linux/fs.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#define ALIGNMENT UINT64_C(4096)	/* no host asks for more */
#define BOUNCE    (UINT64_C(1) << 20)	/* bytes at a time through the buffer */

struct file {
	struct block_node node;
	int fd;
	bool device;			/* a block device */
	bool direct;			/* O_DIRECT */
	enum block_cache cache;
	bool lost;			/* a flush has failed: the kernel may have dropped what it could not write */
	uint64_t end;			/* of the file; node.size is the next multiple of a sector */
	uint8_t *bounce;		/* BOUNCE bytes, aligned */
};

static void set_end(struct file *f, uint64_t end)
{
	f->end = end;
	f->node.size = (end + BLOCK_SECTOR - 1) / BLOCK_SECTOR * BLOCK_SECTOR;
}

/* ---- Opening ---- */

static bool find_size(struct file *f, struct error *why)
{
	uint64_t bytes;
	struct stat st;

	if (fstat(f->fd, &st)) {
		error_set(why, "%s", strerror(errno));
		return false;
	}
	f->device = S_ISBLK(st.st_mode);
	bytes = (uint64_t)st.st_size;
	if (!f->device && !S_ISREG(st.st_mode)) {
		error_set(why, "it is neither a file nor a block device");
		return false;
	}
	if (f->device && ioctl(f->fd, BLKGETSIZE64, &bytes)) {
		error_set(why, "its size: %s", strerror(errno));
		return false;
	}
	set_end(f, bytes);
	return true;
}

/* A FIFO, or a device that waits for a medium, must not hold us: hence O_NONBLOCK, which files do not know. */
static bool open_file(struct file *f, const struct block_options *o, struct error *why)
{
	int flags = (o->readonly ? O_RDONLY : O_RDWR) | O_CLOEXEC | O_NOCTTY | O_NONBLOCK;

	f->direct = o->cache == BLOCK_NONE || o->cache == BLOCK_DIRECTSYNC;
	f->fd = open(f->node.name, flags | (f->direct ? O_DIRECT : 0));
	if (f->fd < 0) {
		error_set(why, "%s%s", strerror(errno), f->direct && errno == EINVAL ? " (the file system may not know O_DIRECT)" : "");
		return false;
	}
	return find_size(f, why);
}

static void file_close(struct block_node *n)
{
	struct file *f = (struct file *)n;

	if (f->fd >= 0)
		close(f->fd);
	free(f->bounce);
	free(n->name);
	free(f);
}

struct block_node *block_file_open(const struct block_options *o, struct error *err)
{
	struct file *f = calloc(1, sizeof *f);
	struct error why;

	if (!f || !(f->bounce = aligned_alloc(ALIGNMENT, BOUNCE)) || !(f->node.name = strdup(o->file))) {
		error_set(err, "out of memory");
		if (f)
			free(f->bounce);
		free(f);
		return NULL;
	}
	f->node.driver = &block_file;
	f->node.readonly = o->readonly;
	f->cache = o->cache;
	if (open_file(f, o, &why))
		return &f->node;
	error_set(err, "cannot open '%.100s': %.120s", o->file, why.msg);
	file_close(&f->node);
	return NULL;
}

int block_file_fd(const struct block_node *n)
{
	return n->driver == &block_file ? ((const struct file *)n)->fd : -1;
}

/* As a format: the file's bytes are the image's. */
static struct block_node *raw_open(struct block_node *file, const struct block_options *o, unsigned depth, struct error *err)
{
	(void)o, (void)depth, (void)err;
	return file;
}

/* ---- Bytes ---- */

/* The whole of it, however the kernel cuts it. 0 or an errno. */
static int read_all(struct file *f, uint64_t offset, uint8_t *data, uint64_t bytes)
{
	while (bytes) {
		ssize_t n = pread(f->fd, data, bytes, (off_t)offset);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n ? errno : EIO;	/* somebody has made the file shorter */
		data += n;
		offset += (uint64_t)n;
		bytes -= (uint64_t)n;
	}
	return 0;
}

static int write_all(struct file *f, uint64_t offset, const uint8_t *data, uint64_t bytes)
{
	while (bytes) {
		ssize_t n = pwrite(f->fd, data, bytes, (off_t)offset);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n ? errno : ENOSPC;
		data += n;
		offset += (uint64_t)n;
		bytes -= (uint64_t)n;
	}
	return 0;
}

/* Around the page cache or not: the image's thread alone uses the descriptor. */
static void set_direct(struct file *f, bool direct)
{
	fcntl(f->fd, F_SETFL, O_NONBLOCK | (direct ? O_DIRECT : 0));
}

static int bounce_read(struct file *f, uint64_t offset, uint8_t *data, uint64_t bytes)
{
	int error = 0;

	for (uint64_t at = 0, n; !error && at < bytes; at += n) {
		n = bytes - at < BOUNCE ? bytes - at : BOUNCE;
		error = read_all(f, offset + at, f->bounce, n);
		if (!error)
			memcpy(data + at, f->bounce, n);
	}
	return error;
}

static int bounce_write(struct file *f, uint64_t offset, const uint8_t *data, uint64_t bytes)
{
	int error = 0;

	for (uint64_t at = 0, n; !error && at < bytes; at += n) {
		n = bytes - at < BOUNCE ? bytes - at : BOUNCE;
		memcpy(f->bounce, data + at, n);
		error = write_all(f, offset + at, f->bounce, n);
	}
	return error;
}

/* Within the file. `out` or `in`. */
static int move_bytes(struct file *f, uint64_t offset, uint8_t *in, const uint8_t *out, uint64_t bytes)
{
	bool aligned = offset % ALIGNMENT == 0 && bytes % ALIGNMENT == 0;
	uintptr_t memory = (uintptr_t)(in ? in : out);
	int error;

	if (f->direct && aligned && memory % ALIGNMENT)
		return in ? bounce_read(f, offset, in, bytes) : bounce_write(f, offset, out, bytes);
	if (f->direct && !aligned)
		set_direct(f, false);
	error = in ? read_all(f, offset, in, bytes) : write_all(f, offset, out, bytes);
	if (f->direct && !aligned)
		set_direct(f, true);
	return error;
}

/* What lies behind the file's end is zero: the rest of its last sector, or of the last cluster of a format. */
static int file_read(struct block_node *n, uint64_t offset, void *data, uint64_t bytes)
{
	struct file *f = (struct file *)n;
	uint64_t there = offset < f->end ? f->end - offset : 0;

	if (there < bytes) {
		memset((uint8_t *)data + there, 0, bytes - there);
		bytes = there;
	}
	return bytes ? move_bytes(f, offset, data, NULL, bytes) : 0;
}

static int file_write(struct block_node *n, uint64_t offset, const void *data, uint64_t bytes)
{
	struct file *f = (struct file *)n;
	uint64_t end;
	int error;

	if (__builtin_add_overflow(offset, bytes, &end) || end > INT64_MAX)
		return EFBIG;
	if (f->device && end > f->end)
		return ENOSPC;
	error = bytes ? move_bytes(f, offset, NULL, data, bytes) : 0;
	if (!error && end > f->end)
		set_end(f, end);
	return error;
}

static int file_flush(struct block_node *n)
{
	struct file *f = (struct file *)n;

	if (f->cache == BLOCK_UNSAFE || n->readonly)
		return 0;
	if (f->lost)
		return EIO;
	while (fdatasync(f->fd)) {
		if (errno == EINTR)
			continue;
		f->lost = true;
		return errno;
	}
	return 0;
}

/* ---- Bytes that are given up, or zero ---- */

static bool punch_hole(struct file *f, uint64_t offset, uint64_t bytes)
{
	return !fallocate(f->fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, (off_t)offset, (off_t)bytes);
}

/* A hint: a host that cannot is none the worse. */
static int file_discard(struct block_node *n, uint64_t offset, uint64_t bytes)
{
	struct file *f = (struct file *)n;
	uint64_t range[2] = { offset, bytes };
	uint64_t there = offset < f->end ? f->end - offset : 0;

	range[1] = bytes < there ? bytes : there;
	if (!range[1])
		return 0;
	if (!(f->device ? !ioctl(f->fd, BLKDISCARD, range) : punch_hole(f, offset, range[1])) && (errno == EIO || errno == ENOSPC))
		return errno;
	return 0;
}

static int write_zeros(struct file *f, uint64_t offset, uint64_t bytes)
{
	int error = 0;

	memset(f->bounce, 0, BOUNCE);
	for (uint64_t at = 0, n; !error && at < bytes; at += n) {
		n = bytes - at < BOUNCE ? bytes - at : BOUNCE;
		error = file_write(&f->node, offset + at, f->bounce, n);
	}
	return error;
}

static int grow_file(struct file *f, uint64_t end)
{
	if (end <= f->end)
		return 0;
	if (ftruncate(f->fd, (off_t)end))
		return errno;
	set_end(f, end);
	return 0;
}

static int file_zero(struct block_node *n, uint64_t offset, uint64_t bytes, bool unmap)
{
	struct file *f = (struct file *)n;
	uint64_t end;

	if (__builtin_add_overflow(offset, bytes, &end) || end > INT64_MAX)
		return EFBIG;
	if (f->device && end > f->end)
		return ENOSPC;
	if (!bytes)
		return 0;
	if ((unmap && punch_hole(f, offset, bytes)) ||
	    !fallocate(f->fd, FALLOC_FL_ZERO_RANGE | FALLOC_FL_KEEP_SIZE, (off_t)offset, (off_t)bytes))
		return grow_file(f, end);
	return write_zeros(f, offset, bytes);
}

static int file_resize(struct block_node *n, uint64_t size)
{
	struct file *f = (struct file *)n;

	if (f->device)
		return size <= f->end ? 0 : ENOTSUP;
	if (size > INT64_MAX)
		return EFBIG;
	if (ftruncate(f->fd, (off_t)size))
		return errno;
	set_end(f, size);
	return 0;
}

/* A device has its room, as far as anybody here can tell. */
static int file_reserve(struct block_node *n, uint64_t offset, uint64_t bytes)
{
	struct file *f = (struct file *)n;

	if (f->device)
		return 0;
	while (fallocate(f->fd, FALLOC_FL_KEEP_SIZE, (off_t)offset, (off_t)bytes))
		if (errno != EINTR)
			return errno == ENOSYS ? ENOTSUP : errno;
	return 0;
}

static void file_info(struct block_node *n, struct block_info *info)
{
	struct stat st;

	*info = (struct block_info){ .file = n->name, .format = "raw", .size = n->size, .readonly = n->readonly };
	if (!fstat(((struct file *)n)->fd, &st))
		info->allocated = S_ISBLK(st.st_mode) ? n->size : (uint64_t)st.st_blocks * 512;
}

const struct block_driver block_file = {
	.name = "raw", .open = raw_open, .close = file_close,
	.read = file_read, .write = file_write, .flush = file_flush, .discard = file_discard, .zero = file_zero,
	.resize = file_resize, .reserve = file_reserve, .info = file_info,
};

/* An empty qcow2 image: header, refcount table, one block of refcounts, L1. Version 3, clusters of 64 KiB. */
#include "machine/host/block/qcow2.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "machine/host/block/lock.h"

#define BITS     16u
#define CLUSTER  (1u << BITS)
#define HEADER   112u
#define L1_SPAN  (UINT64_C(1) << (2 * BITS - 3))

/* The file, empty, which it is made only once nobody is found to use it: it may be an image, even the backing file. -1: err. */
static int open_empty(const char *file, struct error *err)
{
	int fd = open(file, O_RDWR | O_CREAT | O_CLOEXEC | O_NOCTTY | O_NONBLOCK, 0666);
	unsigned all = BLOCK_LOCK_WRITE | BLOCK_LOCK_RESIZE;
	struct error why;
	struct stat st;

	if (fd < 0 || fstat(fd, &st))
		error_set(err, "%.100s: %s", file, strerror(errno));
	else if (!S_ISREG(st.st_mode))
		error_set(err, "%.100s: it is no file", file);
	else if (!block_lock(fd, all, BLOCK_LOCK_READ | all, &why))
		error_set(err, "%.100s: %.150s", file, why.msg);
	else if (ftruncate(fd, 0))
		error_set(err, "%.100s: %s", file, strerror(errno));
	else
		return fd;
	if (fd >= 0)
		close(fd);
	return -1;
}

/* The size that a backing file gives; false: it cannot be opened. */
static bool backing_size(const char *file, const char *backing, const char *format, uint64_t *size, struct error *err)
{
	const char *slash = strrchr(file, '/');
	struct block_options o = { .format = format, .readonly = true, .shared = true };
	struct block_node *n;
	char *path = malloc(strlen(file) + strlen(backing) + 1);

	if (!path) {
		error_set(err, "out of memory");
		return false;
	}
	sprintf(path, "%.*s%s", slash && backing[0] != '/' && strncmp(backing, "nbd", 3) ? (int)(slash + 1 - file) : 0, file, backing);
	o.file = path;
	n = block_node_open(&o, 1, err);
	free(path);
	if (!n)
		return false;
	if (!*size)
		*size = n->size;
	block_node_close(n);
	return true;
}

static uint64_t l1_entries(uint64_t size)
{
	return size ? (size + L1_SPAN - 1) / L1_SPAN : 1;
}

static void put_header(uint8_t *h, uint64_t size, const char *backing, const char *format)
{
	uint8_t *at = h + HEADER;

	be_put(h, QCOW2_MAGIC, 4);
	be_put(h + QCOW2_AT_VERSION, 3, 4);
	be_put(h + QCOW2_AT_CLUSTER_BITS, BITS, 4);
	be_put(h + QCOW2_AT_SIZE, size, 8);
	be_put(h + QCOW2_AT_L1_ENTRIES, l1_entries(size), 4);
	be_put(h + QCOW2_AT_L1, 3 * CLUSTER, 8);
	be_put(h + QCOW2_AT_COUNTS, CLUSTER, 8);
	be_put(h + QCOW2_AT_COUNTS + 8, 1, 4);
	be_put(h + QCOW2_AT_ORDER, 4, 4);
	be_put(h + QCOW2_AT_BYTES, HEADER, 4);
	if (backing && format) {
		be_put(at, QCOW2_EXT_BACKING_FORMAT, 4);
		be_put(at + 4, strlen(format), 4);
		memcpy(at + 8, format, strlen(format));
		at += 8 + qcow2_round_up(strlen(format), 8);
	}
	at += 8;	/* the end of the extensions: zeros */
	if (backing) {
		be_put(h + QCOW2_AT_BACKING, (uint64_t)(at - h), 8);
		be_put(h + QCOW2_AT_BACKING + 8, strlen(backing), 4);
		memcpy(at, backing, strlen(backing));
	}
}

/* The L1 is zeros, which a hole is. */
static bool write_image(int fd, uint64_t size, const char *backing, const char *format)
{
	uint64_t used = 3 + (l1_entries(size) * 8 + CLUSTER - 1) / CLUSTER;
	uint8_t *image = calloc(3, CLUSTER);
	bool ok;

	if (!image)
		return false;
	put_header(image, size, backing, format);
	be_put(image + CLUSTER, 2 * CLUSTER, 8);
	for (uint64_t i = 0; i < used; i++)
		be_put(image + (size_t)2 * CLUSTER + i * 2, 1, 2);
	ok = pwrite(fd, image, (size_t)3 * CLUSTER, 0) == (ssize_t)(3 * CLUSTER) && !ftruncate(fd, (off_t)(used * CLUSTER)) && !fsync(fd);
	free(image);
	return ok;
}

bool block_create_qcow2(const char *file, uint64_t size, const char *backing, const char *backing_format, struct error *err)
{
	int fd;
	bool ok;

	if (backing && (strlen(backing) > 1023 || (backing_format && strlen(backing_format) > 15))) {
		error_set(err, "%s: its backing file's name is too long", file);
		return false;
	}
	if (backing && !backing_size(file, backing, backing_format, &size, err))
		return false;
	size = qcow2_round_up(size, BLOCK_SECTOR);
	if (size > QCOW2_MAX_L1 / 8 * L1_SPAN) {
		error_set(err, "%s: too large for a qcow2 image", file);
		return false;
	}
	fd = open_empty(file, err);
	if (fd < 0)
		return false;
	ok = write_image(fd, size, backing, backing_format);
	if (!ok)
		error_set(err, "%s: %s", file, strerror(errno));
	close(fd);
	return ok;
}

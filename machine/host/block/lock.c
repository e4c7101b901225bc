/* Lock bytes on an image as QEMU 7.2 has them (block/file-posix.c), with locks that belong to the open file (fcntl(2),
 * F_OFD_SETLK): byte 100 + n is read-locked by whoever uses permission n, byte 200 + n by whoever forbids it to others.
 * One takes one's own first and looks at the others' then, so of two who come at once neither misses the other. */
#define _GNU_SOURCE
#include "machine/host/block/lock.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#define USES    100
#define FORBIDS 200

static const char *const names[] = { "consistent read", "write", "write unchanged", "resize" };
#define PERMISSIONS (sizeof names / sizeof names[0])

static struct flock byte_lock(short type, unsigned byte)
{
	return (struct flock){ .l_type = type, .l_whence = SEEK_SET, .l_start = byte, .l_len = 1 };
}

/* False: errno. */
static bool take_bytes(int fd, unsigned first, unsigned set)
{
	for (unsigned n = 0; n < PERMISSIONS; n++) {
		struct flock lock = byte_lock(F_RDLCK, first + n);

		if (set >> n & 1 && fcntl(fd, F_OFD_SETLK, &lock))
			return false;
	}
	return true;
}

/* Has somebody else one of these bytes? Its number, or -1. */
static int taken_byte(int fd, unsigned first, unsigned set)
{
	for (unsigned n = 0; n < PERMISSIONS; n++) {
		struct flock lock = byte_lock(F_WRLCK, first + n);

		if (set >> n & 1 && !fcntl(fd, F_OFD_GETLK, &lock) && lock.l_type != F_UNLCK)
			return (int)n;
	}
	return -1;
}

bool block_lock(int fd, unsigned uses, unsigned forbids, struct error *why)
{
	bool knows_none;
	int n;

	if (!take_bytes(fd, USES, uses) || !take_bytes(fd, FORBIDS, forbids)) {
		knows_none = errno == EINVAL || errno == ENOLCK || errno == EOPNOTSUPP || errno == ENOSYS;
		error_set(why, "Failed to lock it: %s", strerror(errno));
		return knows_none;
	}
	n = taken_byte(fd, FORBIDS, uses);
	if (n >= 0) {
		error_set(why, "Failed to get \"%s\" lock: is another process using the image?", names[n]);
		return false;
	}
	n = taken_byte(fd, USES, forbids);
	if (n >= 0)
		error_set(why, "Failed to get shared \"%s\" lock: is another process using the image?", names[n]);
	return n < 0;
}

void block_unlock(int fd)
{
	struct flock all = { .l_type = F_UNLCK, .l_whence = SEEK_SET, .l_start = USES, .l_len = 2 * (FORBIDS - USES) };

	fcntl(fd, F_OFD_SETLK, &all);
}

/* A folder of the host that somebody else works in: nothing outside it is ever reached.
 *
 * Knows no protocol, no machine. A path is relative to the folder, "" is the folder itself; names are joined by single
 * slashes, "." and ".." are none. No link is followed, neither at a path's end nor on the way there, whoever replaces what
 * meanwhile: each way begins at the folder's own descriptor (openat2(), or one component at a time). Only files and folders
 * are opened, so that no FIFO or device blocks the host or hears of it.
 *
 * How owners and modes are kept says the model, as QEMU's -virtfs names it; mapped ones are bit for bit QEMU's, so that
 * either may work in the same folder. Results are 0 (or what is said) or a negative errno. */
#ifndef MACHINE_HOST_P9_SHARE_H
#define MACHINE_HOST_P9_SHARE_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <time.h>

#include "savevm/error.h"

#define SHARE_PATH_MAX  4096u	/* bytes with the final NUL */
#define SHARE_NAME_MAX  256u
#define SHARE_XATTR_MAX 65536u	/* bytes of a value, and of a list of names: Linux's bound */
#define SHARE_KEEP      UINT32_MAX	/* in struct share_owner: as it is */

/* In the order of the words of security_model=. */
enum share_model {
	SHARE_PASSTHROUGH,	/* the host's own: who may not chown has EPERM */
	SHARE_NONE,		/* the same, but what is made belongs to who runs us if it must */
	SHARE_XATTR,		/* mapped-xattr: in user.virtfs.* of each file */
	SHARE_FILE,		/* mapped-file: in files of a hidden folder beside it */
};

enum share_devices { SHARE_REMAP, SHARE_WARN, SHARE_FORBID };	/* multidevs=: the words' order */

struct share_options {
	const char *path;
	enum share_model model;
	bool readonly;
	bool writeout;			/* immediate: what is written begins its way to the disk at once */
	uint32_t file_mode, folder_mode;	/* of mapped models, on the host */
	enum share_devices devices;
};

struct share {
	int root;
	dev_t device;			/* the root's */
	bool no_openat2;		/* the host has none: a component at a time */
	enum share_model model;
	bool writeout;
	uint32_t file_mode, folder_mode;
};

struct share_owner {
	uint32_t uid, gid, mode;	/* SHARE_KEEP: as it is. Modes have their S_IFMT */
	uint64_t rdev;			/* UINT64_MAX: as it is */
};

/* False and err->msg set: it is no folder that we may enter. */
bool share_open(struct share *s, const struct share_options *options, struct error *err);
void share_close(struct share *s);

/* Would `name` be part of how this model keeps owners? Nobody sees it. */
bool share_hides(const struct share *s, const char *name);

int share_stat(struct share *s, const char *path, struct stat *st);
int share_fstat(struct share *s, int fd, const char *path, struct stat *st);	/* `fd` is open on it, or was */
int share_statfs(struct share *s, const char *path, struct statvfs *st);

/* A descriptor. `flags`: O_ACCMODE, O_TRUNC, O_APPEND, O_DSYNC, O_SYNC, O_DIRECTORY. -ENXIO: neither file nor folder. */
int share_open_file(struct share *s, const char *path, int flags);
/* The same, and made if it is not there; O_EXCL: only then. */
int share_create(struct share *s, const char *path, int flags, const struct share_owner *owner);
int share_mkdir(struct share *s, const char *path, const struct share_owner *owner);
int share_mknod(struct share *s, const char *path, const struct share_owner *owner);
int share_symlink(struct share *s, const char *target, const char *path, const struct share_owner *owner);
int share_readlink(struct share *s, const char *path, char *buf, size_t size);	/* bytes; no NUL */
int share_link(struct share *s, const char *from, const char *to);
int share_rename(struct share *s, const char *from, const char *to);	/* 1: two names of one file, which both stay */
int share_unlink(struct share *s, const char *path, bool folder);

int share_chmod(struct share *s, const char *path, uint32_t mode);
int share_chown(struct share *s, const char *path, uint32_t uid, uint32_t gid);
int share_utimens(struct share *s, const char *path, const struct timespec times[2]);
int share_truncate(struct share *s, const char *path, uint64_t size);
/* Bytes written; all of them, unless there is an error at a later one. */
int share_write(struct share *s, int fd, const void *data, uint32_t n, uint64_t offset);

/* Names as the guest has them. get, list: bytes, at most `size`, or without a buffer how many there are. */
int share_xattr_get(struct share *s, const char *path, const char *name, void *buf, size_t size);
int share_xattr_list(struct share *s, const char *path, char *buf, size_t size);
int share_xattr_set(struct share *s, const char *path, const char *name, const void *value, size_t size, int flags);
int share_xattr_remove(struct share *s, const char *path, const char *name);

/* What a folder has: sorted by name, so that it does not depend on the host's file system. */
struct share_entry {
	uint64_t inode;
	uint8_t type;			/* DT_*; 0: the model has another idea of it */
	char name[];			/* with a NUL */
};

struct share_listing {
	struct share_entry **entry;
	uint32_t entries;
	uint64_t bytes;			/* that it takes */
};

/* Of the folder that `fd` is open on; at most `most` bytes, else -ENOMEM. */
int share_list(struct share *s, int fd, uint64_t most, struct share_listing **listing);
void share_listing_free(struct share_listing *listing);		/* NULL: nothing */

#endif

/* A folder that is shared: finding what is in it, and all that does not depend on extended attributes. See share.h. */
#define _GNU_SOURCE
#include "machine/host/p9/share_parts.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#define TRIES 8			/* of openat2(), while others rename what is on the way */

bool share_is_mapped(const struct share *s)
{
	return s->model == SHARE_XATTR || s->model == SHARE_FILE;
}

static int failed(int result)
{
	return result < 0 ? -errno : result;
}

static int close_with(int fd, int result)
{
	close(fd);
	return result;
}

/* ---- The way to a file ---- */

static int open_step(int dir, const char *name, size_t bytes)
{
	char buf[SHARE_NAME_MAX];

	if (bytes >= sizeof buf)
		return -ENAMETOOLONG;
	memcpy(buf, name, bytes);
	buf[bytes] = 0;
	if (!bytes || !strcmp(buf, ".") || !strcmp(buf, ".."))
		return -ENOENT;
	return failed(openat(dir, buf, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
}

/* A component at a time: what is a link is no folder (ENOTDIR). */
static int walk_steps(int root, const char *path, size_t bytes)
{
	int dir = failed(fcntl(root, F_DUPFD_CLOEXEC, 0));

	for (size_t at = 0, n; at < bytes && dir >= 0; at += n + 1) {
		const char *slash = memchr(path + at, '/', bytes - at);

		n = slash ? (size_t)(slash - path) - at : bytes - at;
		dir = close_with(dir, open_step(dir, path + at, n));
	}
	return dir;
}

/* -EAGAIN: somebody renames meanwhile. */
static int walk_at_once(int root, const char *path, size_t bytes)
{
	struct open_how how = { .flags = O_PATH | O_DIRECTORY | O_CLOEXEC,
				.resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS };
	char buf[SHARE_PATH_MAX];

	memcpy(buf, path, bytes);
	buf[bytes] = 0;
	for (unsigned i = 0; i < TRIES; i++) {
		int fd = (int)syscall(SYS_openat2, root, buf, &how, sizeof how);

		if (fd >= 0 || errno != EAGAIN)
			return failed(fd);
	}
	return -EAGAIN;
}

/* Folders that are there whatever openat2() says it has not: a filter may forbid it with any error. */
static int open_folder(struct share *s, const char *path, size_t bytes)
{
	int fd = s->no_openat2 ? -EAGAIN : walk_at_once(s->root, path, bytes);

	if (fd == -ENOSYS || fd == -EPERM)
		s->no_openat2 = true;
	return fd == -ENOSYS || fd == -EPERM || fd == -EAGAIN ? walk_steps(s->root, path, bytes) : fd;
}

int spot_open(struct share *s, const char *path, struct spot *p)
{
	const char *slash = strrchr(path, '/');

	*p = (struct spot){ .dir = s->root, .name = *path ? path : "." };
	if (strlen(path) >= SHARE_PATH_MAX)
		return -ENAMETOOLONG;
	if (!slash)
		return 0;
	p->dir = open_folder(s, path, (size_t)(slash - path));
	p->name = slash + 1;
	p->own = p->dir >= 0;
	return p->own ? 0 : p->dir;
}

void spot_close(struct spot *p)
{
	int error = errno;

	if (p->own)
		close(p->dir);
	errno = error;
}

/* By what a name is, then by that very thing: whoever replaces it meanwhile replaces nothing. */
static int open_at(int dir, const char *name, int flags)
{
	int fd = failed(openat(dir, name, O_PATH | O_NOFOLLOW | O_CLOEXEC));
	char buf[PROC_PATH_MAX];
	struct stat st;

	if (fd < 0)
		return fd;
	if (fstat(fd, &st) < 0)
		return close_with(fd, -errno);
	if (S_ISLNK(st.st_mode))
		return close_with(fd, -ELOOP);
	if (!S_ISREG(st.st_mode) && !S_ISDIR(st.st_mode))
		return close_with(fd, -ENXIO);
	snprintf(buf, sizeof buf, "/proc/self/fd/%d", fd);
	return close_with(fd, failed(open(buf, flags | O_NONBLOCK | O_NOCTTY | O_CLOEXEC)));
}

void proc_path(char buf[PROC_PATH_MAX], int dir, const char *name)
{
	snprintf(buf, PROC_PATH_MAX, "/proc/self/fd/%d/%s", dir, name);
}

/* ---- Opening and closing the share ---- */

bool share_open(struct share *s, const struct share_options *o, struct error *err)
{
	struct stat st;

	*s = (struct share){ .model = o->model, .writeout = o->writeout, .file_mode = o->file_mode & 0777,
			     .folder_mode = o->folder_mode & 0777 };
	s->root = open(o->path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (s->root < 0 || fstat(s->root, &st) < 0) {
		error_set(err, "shared folder %.200s: %s", o->path, strerror(errno));
		share_close(s);
		return false;
	}
	s->device = st.st_dev;
	return true;
}

void share_close(struct share *s)
{
	if (s->root > 0)
		close(s->root);
	s->root = -1;
}

/* ---- Looking ---- */

int share_stat(struct share *s, const char *path, struct stat *st)
{
	struct spot p;
	int e = spot_open(s, path, &p);

	if (e)
		return e;
	e = failed(fstatat(p.dir, p.name, st, AT_SYMLINK_NOFOLLOW));
	if (!e)
		mapped_stat(s, p.dir, p.name, st);
	spot_close(&p);
	return e;
}

/* Owner and mode are the path's, if that is still it; else they are the host's. */
int share_fstat(struct share *s, int fd, const char *path, struct stat *st)
{
	struct stat named;
	int e = failed(fstat(fd, st));

	if (e || !share_is_mapped(s) || share_stat(s, path, &named) || named.st_ino != st->st_ino || named.st_dev != st->st_dev)
		return e;
	*st = named;
	return 0;
}

int share_statfs(struct share *s, const char *path, struct statvfs *st)
{
	struct spot p;
	int e = spot_open(s, path, &p), fd;

	if (e)
		return e;
	fd = failed(openat(p.dir, p.name, O_PATH | O_NOFOLLOW | O_CLOEXEC));
	spot_close(&p);
	return fd < 0 ? fd : close_with(fd, failed(fstatvfs(fd, st)));
}

/* ---- Opening and making ---- */

int share_open_file(struct share *s, const char *path, int flags)
{
	struct spot p;
	int fd = spot_open(s, path, &p);

	if (fd)
		return fd;
	fd = open_at(p.dir, p.name, flags);
	spot_close(&p);
	return fd;
}

/* Of something new: its owner and mode. Only model none puts up with not being allowed to give it away. */
static int set_new(struct share *s, int dir, const char *name, const struct share_owner *owner)
{
	if (share_is_mapped(s))
		return mapped_set(s, dir, name, owner, true);
	if (fchownat(dir, name, owner->uid, owner->gid, AT_SYMLINK_NOFOLLOW) < 0 && s->model != SHARE_NONE)
		return -errno;
	return S_ISLNK(owner->mode) ? 0 : failed(fchmodat(dir, name, owner->mode & 07777, AT_SYMLINK_NOFOLLOW));
}

/* The host's bits of a mapped model are not the umask's to take away. */
static int keep_mode(struct share *s, int dir, const char *name, uint32_t mode)
{
	return share_is_mapped(s) ? failed(fchmodat(dir, name, mode, AT_SYMLINK_NOFOLLOW)) : 0;
}

static uint32_t host_file_mode(const struct share *s, const struct share_owner *owner)
{
	return share_is_mapped(s) ? s->file_mode : owner->mode & 0777;
}

/* The descriptor of what was not there. */
static int create_new(struct share *s, const struct spot *p, int flags, const struct share_owner *owner)
{
	uint32_t mode = host_file_mode(s, owner);
	int fd = failed(openat(p->dir, p->name, flags | O_CREAT | O_EXCL | O_NOFOLLOW | O_NOCTTY | O_CLOEXEC, mode)), e;

	if (fd < 0)
		return fd;
	e = keep_mode(s, p->dir, p->name, mode);
	if (!e)
		e = set_new(s, p->dir, p->name, owner);
	if (!e)
		return fd;
	unlinkat(p->dir, p->name, 0);
	return close_with(fd, e);
}

int share_create(struct share *s, const char *path, int flags, const struct share_owner *owner)
{
	struct spot p;
	int fd = spot_open(s, path, &p);

	if (fd)
		return fd;
	fd = create_new(s, &p, flags & ~O_EXCL, owner);
	if (fd == -EEXIST && !(flags & O_EXCL))
		fd = open_at(p.dir, p.name, flags);
	spot_close(&p);
	return fd;
}

/* What was made at `p` gets its owner, or is gone. */
static int finish_new(struct share *s, struct spot *p, const struct share_owner *owner, int made, int how)
{
	int e = made < 0 ? -errno : 0;

	if (!e && how >= 0)
		e = keep_mode(s, p->dir, p->name, (uint32_t)how);
	if (!e && (e = set_new(s, p->dir, p->name, owner)))
		unlinkat(p->dir, p->name, S_ISDIR(owner->mode) ? AT_REMOVEDIR : 0);
	spot_close(p);
	return e;
}

int share_mkdir(struct share *s, const char *path, const struct share_owner *owner)
{
	struct spot p;
	int e = spot_open(s, path, &p);
	uint32_t mode = share_is_mapped(s) ? s->folder_mode : owner->mode & 0777;

	return e ? e : finish_new(s, &p, owner, mkdirat(p.dir, p.name, mode), (int)mode);
}

int share_mknod(struct share *s, const char *path, const struct share_owner *owner)
{
	struct spot p;
	int e = spot_open(s, path, &p);
	uint32_t mode = share_is_mapped(s) ? s->file_mode | S_IFREG : owner->mode & (S_IFMT | 0777);

	return e ? e : finish_new(s, &p, owner, mknodat(p.dir, p.name, mode, share_is_mapped(s) ? 0 : (dev_t)owner->rdev),
				  (int)(mode & 0777));
}

/* A mapped model has a link as a file that holds where it leads: nobody on the host follows it. */
static int put_link(struct share *s, const struct spot *p, const char *target)
{
	size_t n = strlen(target);
	int fd = openat(p->dir, p->name, O_CREAT | O_EXCL | O_WRONLY | O_NOFOLLOW | O_CLOEXEC, s->file_mode);

	if (fd < 0)
		return -1;
	if (write(fd, target, n) == (ssize_t)n)
		return close_with(fd, 0);
	close(fd);
	unlinkat(p->dir, p->name, 0);
	errno = ENOSPC;
	return -1;
}

int share_symlink(struct share *s, const char *target, const char *path, const struct share_owner *owner)
{
	struct spot p;
	int e = spot_open(s, path, &p);

	if (e)
		return e;
	if (share_is_mapped(s))
		return finish_new(s, &p, owner, put_link(s, &p, target), (int)s->file_mode);
	return finish_new(s, &p, owner, symlinkat(target, p.dir, p.name), -1);
}

/* Links of the host's own are links in all models. */
int share_readlink(struct share *s, const char *path, char *buf, size_t size)
{
	struct spot p;
	int n = spot_open(s, path, &p), fd;

	if (n)
		return n;
	n = failed((int)readlinkat(p.dir, p.name, buf, size));
	if (n == -EINVAL && share_is_mapped(s)) {
		fd = open_at(p.dir, p.name, O_RDONLY);
		n = fd < 0 ? fd : close_with(fd, failed((int)read(fd, buf, size)));
	}
	spot_close(&p);
	return n;
}

/* ---- Names ---- */

/* Both places, or none. */
static int two_spots(struct share *s, const char *from, const char *to, struct spot *a, struct spot *b)
{
	int e = spot_open(s, from, a);

	if (e)
		return e;
	e = spot_open(s, to, b);
	if (e)
		spot_close(a);
	return e;
}

int share_link(struct share *s, const char *from, const char *to)
{
	struct spot a, b;
	int e = two_spots(s, from, to, &a, &b);

	if (e)
		return e;
	e = failed(linkat(a.dir, a.name, b.dir, b.name, 0));
	if (!e && (e = mapped_link(s, &a, &b)))
		unlinkat(b.dir, b.name, 0);
	spot_close(&a);
	spot_close(&b);
	return e;
}

static bool are_one_file(const struct spot *a, const struct spot *b)
{
	struct stat x, y;

	return !fstatat(a->dir, a->name, &x, AT_SYMLINK_NOFOLLOW) && !fstatat(b->dir, b->name, &y, AT_SYMLINK_NOFOLLOW) &&
	       x.st_ino == y.st_ino && x.st_dev == y.st_dev;
}

/* Of two names of one file the host's renameat() leaves both. */
int share_rename(struct share *s, const char *from, const char *to)
{
	struct spot a, b;
	int e = two_spots(s, from, to, &a, &b);

	if (e)
		return e;
	if (are_one_file(&a, &b)) {
		e = 1;
	} else {
		mapped_empty(s, b.dir, b.name);
		e = failed(renameat(a.dir, a.name, b.dir, b.name));
	}
	if (!e)
		e = mapped_rename(s, &a, &b);
	spot_close(&a);
	spot_close(&b);
	return e;
}

int share_unlink(struct share *s, const char *path, bool folder)
{
	struct spot p;
	int e = spot_open(s, path, &p);

	if (e)
		return e;
	if (folder)
		mapped_empty(s, p.dir, p.name);
	e = failed(unlinkat(p.dir, p.name, folder ? AT_REMOVEDIR : 0));
	if (!e)
		mapped_unlinked(s, p.dir, p.name);
	spot_close(&p);
	return e;
}

/* ---- Attributes ---- */

int share_chmod(struct share *s, const char *path, uint32_t mode)
{
	const struct share_owner owner = { SHARE_KEEP, SHARE_KEEP, mode, UINT64_MAX };
	struct spot p;
	int e = spot_open(s, path, &p);

	if (e)
		return e;
	if (share_is_mapped(s))
		e = mapped_set(s, p.dir, p.name, &owner, false);
	else
		e = failed(fchmodat(p.dir, p.name, mode & 07777, AT_SYMLINK_NOFOLLOW));
	spot_close(&p);
	return e;
}

int share_chown(struct share *s, const char *path, uint32_t uid, uint32_t gid)
{
	const struct share_owner owner = { uid, gid, SHARE_KEEP, UINT64_MAX };
	struct spot p;
	int e = spot_open(s, path, &p);

	if (e)
		return e;
	if (share_is_mapped(s) && (uid != SHARE_KEEP || gid != SHARE_KEEP))
		e = mapped_set(s, p.dir, p.name, &owner, false);
	else
		e = failed(fchownat(p.dir, p.name, uid, gid, AT_SYMLINK_NOFOLLOW));
	spot_close(&p);
	return e;
}

int share_utimens(struct share *s, const char *path, const struct timespec times[2])
{
	struct spot p;
	int e = spot_open(s, path, &p);

	if (e)
		return e;
	e = failed(utimensat(p.dir, p.name, times, AT_SYMLINK_NOFOLLOW));
	spot_close(&p);
	return e;
}

int share_truncate(struct share *s, const char *path, uint64_t size)
{
	int fd = share_open_file(s, path, O_WRONLY);

	return fd < 0 ? fd : close_with(fd, size > INT64_MAX ? -EFBIG : failed(ftruncate(fd, (off_t)size)));
}

int share_write(struct share *s, int fd, const void *data, uint32_t n, uint64_t offset)
{
	uint32_t done = 0;
	ssize_t some = 0;

	if (offset > (uint64_t)INT64_MAX - n)
		return -EFBIG;
	while (done < n && (some = pwrite(fd, (const char *)data + done, n - done, (off_t)(offset + done))) > 0)
		done += (uint32_t)some;
	if (some < 0 && !done)
		return -errno;
	if (s->writeout)
		sync_file_range(fd, (off_t)offset, done, SYNC_FILE_RANGE_WAIT_BEFORE | SYNC_FILE_RANGE_WRITE);
	return (int)done;
}

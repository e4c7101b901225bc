/* Files that are whole or the old ones. */
#define _GNU_SOURCE
#include "savevm/file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

static bool refuse(const char *verb, const char *path, struct error *err)
{
	error_set(err, "cannot %s '%.120s': %s", verb, path, strerror(errno));
	return false;
}

/* What has the name now is replaced; a device or a folder is not. */
static bool regular(const struct save_file *f, struct error *err)
{
	struct stat st;

	if (f->place.kernels)
		st.st_mode = 0;
	else if (fstatat(f->place.folder, f->place.name, &st, AT_SYMLINK_NOFOLLOW))
		return errno == ENOENT || refuse("use", f->path, err);
	if (S_ISREG(st.st_mode))
		return true;
	error_set(err, "cannot save to '%.120s': not a regular file", f->path);
	return false;
}

static bool same_name(const struct save_file *f, int fd)
{
	struct stat ours, named;

	return !fstat(fd, &ours) && !fstatat(f->place.folder, f->beside, &named, AT_SYMLINK_NOFOLLOW) &&
	       ours.st_ino == named.st_ino && ours.st_dev == named.st_dev;
}

/* Whoever holds the lock on the file that has the name writes it. */
static bool lock(const struct save_file *f, int fd, struct error *err)
{
	if (flock(fd, LOCK_EX | LOCK_NB)) {
		error_set(err, "cannot save to '%.120s': another process does", f->path);
		return false;
	}
	if (same_name(f, fd))
		return true;
	error_set(err, "cannot save to '%.120s': another process just did", f->path);
	return false;
}

/* Nobody else can read or write it, or will find it under another name. */
static bool ours_alone(const struct save_file *f, const struct stat *st, struct error *err)
{
	if (S_ISREG(st->st_mode) && st->st_uid == geteuid() && st->st_nlink == 1)
		return true;
	error_set(err, "cannot save to '%.100s': '%.100s' is there, and no file that cede has left", f->path, f->beside);
	return false;
}

/* What one that was killed has left beside. Looked at before it is opened: it may be anything. */
static bool remove_stale(struct save_file *f, struct error *err)
{
	int fd, flags = O_PATH | O_NOFOLLOW | O_CLOEXEC;
	struct stat st;
	bool ok = false;

	for (unsigned pass = 0; pass < 2; pass++, flags = O_RDONLY | O_NONBLOCK | O_NOFOLLOW | O_CLOEXEC) {
		fd = openat(f->place.folder, f->beside, flags);
		if (fd < 0)
			return errno == ENOENT || refuse("use", f->beside, err);
		ok = !fstat(fd, &st) ? ours_alone(f, &st, err) : refuse("use", f->beside, err);
		if (ok && pass)
			ok = lock(f, fd, err) && (!unlinkat(f->place.folder, f->beside, 0) || refuse("remove", f->beside, err));
		close(fd);
		if (!ok)
			return false;
	}
	return true;
}

static bool make_beside(struct save_file *f, struct error *err)
{
	for (unsigned tries = 0; f->fd < 0 && tries < 2; tries++) {
		f->fd = openat(f->place.folder, f->beside, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0666);
		if (f->fd < 0 && errno != EEXIST)
			return refuse("write", f->path, err);
		if (f->fd < 0 && !tries && !remove_stale(f, err))
			return false;
	}
	if (f->fd >= 0)
		return lock(f, f->fd, err);
	error_set(err, "cannot save to '%.120s': another process just began to", f->path);
	return false;
}

static void forget(struct save_file *f)
{
	if (f->fd >= 0)
		close(f->fd);
	place_close(&f->place);
	free(f->path);
	*f = (struct save_file){ .fd = -1, .place.folder = -1 };
}

bool save_file_open(struct save_file *f, const char *path, struct error *err)
{
	struct error why;

	*f = (struct save_file){ .path = strdup(path), .fd = -1, .place.folder = -1 };
	if (!f->path) {
		error_set(err, "out of memory");
		goto out_forget;
	}
	if (!place_find(&f->place, path, &why)) {
		error_set(err, "cannot write '%.100s': %.130s", path, why.msg);
		goto out_forget;
	}
	if (!regular(f, err))
		goto out_forget;
	if ((size_t)snprintf(f->beside, sizeof f->beside, "%s.part", f->place.name) >= sizeof f->beside) {
		errno = ENAMETOOLONG;
		refuse("save to", path, err);
		goto out_forget;
	}
	if (make_beside(f, err))
		return true;
out_forget:
	forget(f);
	return false;
}

void save_file_drop(struct save_file *f)
{
	if (f->fd >= 0 && same_name(f, f->fd))
		unlinkat(f->place.folder, f->beside, 0);
	forget(f);
}

static bool sync_folder(const struct save_file *f)
{
	int fd = openat(f->place.folder, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC), rc = fd < 0 ? -1 : fsync(fd);

	if (fd >= 0)
		close(fd);
	return !rc;
}

bool save_file_commit(struct save_file *f, struct error *err)
{
	bool ok = true;

	if (fsync(f->fd)) {
		refuse("write", f->path, err);
		save_file_drop(f);
		return false;
	}
	if (!same_name(f, f->fd)) {
		error_set(err, "cannot save to '%.120s': somebody has put another '%.90s' in its place", f->path, f->beside);
		forget(f);
		return false;
	}
	if (renameat(f->place.folder, f->beside, f->place.folder, f->place.name)) {
		refuse("write", f->path, err);
		save_file_drop(f);
		return false;
	}
	/* It is in place; that it stays there after a power cut is what fails here. */
	if (!sync_folder(f))
		ok = refuse("flush the folder of", f->path, err);
	forget(f);
	return ok;
}

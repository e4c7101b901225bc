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

static bool refuse_path(const char *verb, const char *path, struct error *err)
{
	error_set(err, "cannot %s '%.120s': %s", verb, path, strerror(errno));
	return false;
}

/* Whether the save may replace what has the name now: a regular file, or nothing; no device and no folder. */
static bool is_regular(const struct save_file *f, struct error *err)
{
	struct stat st;

	if (f->place.kernels)
		st.st_mode = 0;
	else if (fstatat(f->place.folder, f->place.name, &st, AT_SYMLINK_NOFOLLOW))
		return errno == ENOENT || refuse_path("use", f->path, err);
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

/* The process that holds the lock on "PATH.part" is the one that writes it. */
static bool lock_part(const struct save_file *f, int fd, struct error *err)
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

/* Whether "PATH.part" belongs to us alone: no other user owns it, and it has no second name. */
static bool ours_alone(const struct save_file *f, const struct stat *st, struct error *err)
{
	if (S_ISREG(st->st_mode) && st->st_uid == geteuid() && st->st_nlink == 1)
		return true;
	error_set(err, "cannot save to '%.100s': '%.100s' is there, and no file that cede has left", f->path, f->beside);
	return false;
}

/* Removes the "PATH.part" that a killed cede left. Its kind is checked before it is opened, for anything may have that name. */
static bool remove_stale(struct save_file *f, struct error *err)
{
	int fd, flags = O_PATH | O_NOFOLLOW | O_CLOEXEC;
	struct stat st;
	bool ok = false;

	for (unsigned pass = 0; pass < 2; pass++, flags = O_RDONLY | O_NONBLOCK | O_NOFOLLOW | O_CLOEXEC) {
		fd = openat(f->place.folder, f->beside, flags);
		if (fd < 0)
			return errno == ENOENT || refuse_path("use", f->beside, err);
		ok = !fstat(fd, &st) ? ours_alone(f, &st, err) : refuse_path("use", f->beside, err);
		if (ok && pass)
			ok = lock_part(f, fd, err) && (!unlinkat(f->place.folder, f->beside, 0) || refuse_path("remove", f->beside, err));
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
			return refuse_path("write", f->path, err);
		if (f->fd < 0 && !tries && !remove_stale(f, err))
			return false;
	}
	if (f->fd >= 0)
		return lock_part(f, f->fd, err);
	error_set(err, "cannot save to '%.120s': another process just began to", f->path);
	return false;
}

static void forget_part(struct save_file *f)
{
	if (f->fd >= 0)
		close(f->fd);
	place_close(&f->place);
	free(f->path);
	*f = (struct save_file){ .fd = -1, .place.folder = -1 };
}

bool save_file_has_folder(const char *path, struct error *err)
{
	struct error why;
	struct place place;
	bool ok;

	if (!place_find(&place, path, &why)) {
		error_set(err, "cannot save to '%.100s': %.130s", path, why.msg);
		return false;
	}
	ok = place.kernels || !faccessat(place.folder, ".", W_OK | X_OK, AT_EACCESS);
	if (!ok)
		refuse_path("save to", path, err);
	place_close(&place);
	return ok;
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
	if (!is_regular(f, err))
		goto out_forget;
	if ((size_t)snprintf(f->beside, sizeof f->beside, "%s.part", f->place.name) >= sizeof f->beside) {
		errno = ENAMETOOLONG;
		refuse_path("save to", path, err);
		goto out_forget;
	}
	if (make_beside(f, err))
		return true;
out_forget:
	forget_part(f);
	return false;
}

void save_file_drop(struct save_file *f)
{
	if (f->fd >= 0 && same_name(f, f->fd))
		unlinkat(f->place.folder, f->beside, 0);
	forget_part(f);
}

void save_file_remove_part(const char *path)
{
	struct save_file f;
	struct error err;

	if (save_file_open(&f, path, &err))
		save_file_drop(&f);
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
		refuse_path("write", f->path, err);
		save_file_drop(f);
		return false;
	}
	if (!same_name(f, f->fd)) {
		error_set(err, "cannot save to '%.120s': somebody has put another '%.90s' in its place", f->path, f->beside);
		forget_part(f);
		return false;
	}
	if (renameat(f->place.folder, f->beside, f->place.folder, f->place.name)) {
		refuse_path("write", f->path, err);
		save_file_drop(f);
		return false;
	}
	/* It is in place; that it stays there after a power cut is what fails here. */
	if (!sync_folder(f))
		ok = refuse_path("flush the folder of", f->path, err);
	forget_part(f);
	return ok;
}

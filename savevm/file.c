/* Files that are whole or the old ones. */
#include "savevm/file.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
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

/* A name that is a link stays one: what it leads to is replaced. */
static char *final_path(const char *path)
{
	char *real = realpath(path, NULL);

	return real ? real : strdup(path);
}

static bool regular(const char *path, struct error *err)
{
	struct stat st;

	if (stat(path, &st))
		return errno == ENOENT || refuse("use", path, err);
	if (S_ISREG(st.st_mode))
		return true;
	error_set(err, "cannot save to '%.120s': not a regular file", path);
	return false;
}

/* Whoever holds the lock on the file that has the name writes it. */
static bool lock(struct save_file *f, struct error *err)
{
	struct stat ours, named;

	if (flock(f->fd, LOCK_EX | LOCK_NB)) {
		error_set(err, "cannot save to '%.120s': another process does", f->path);
		return false;
	}
	if (fstat(f->fd, &ours) || stat(f->beside, &named) || ours.st_ino != named.st_ino || ours.st_dev != named.st_dev) {
		error_set(err, "cannot save to '%.120s': another process just did", f->path);
		return false;
	}
	if (!ftruncate(f->fd, 0))
		return true;
	refuse("write", f->beside, err);
	unlink(f->beside);		/* it is ours */
	return false;
}

static void forget(struct save_file *f)
{
	if (f->fd >= 0)
		close(f->fd);
	free(f->beside);
	free(f->path);
	*f = (struct save_file){ .fd = -1 };
}

bool save_file_open(struct save_file *f, const char *path, struct error *err)
{
	*f = (struct save_file){ .path = final_path(path), .fd = -1 };
	if (!f->path || asprintf(&f->beside, "%s.part", f->path) < 0) {
		f->beside = NULL;
		error_set(err, "out of memory");
		goto out_forget;
	}
	if (!regular(f->path, err))
		goto out_forget;
	f->fd = open(f->beside, O_WRONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0666);
	if (f->fd < 0) {
		refuse("write", f->beside, err);
		goto out_forget;
	}
	if (lock(f, err))
		return true;
out_forget:
	forget(f);
	return false;
}

void save_file_drop(struct save_file *f)
{
	if (f->fd >= 0)
		unlink(f->beside);
	forget(f);
}

static bool sync_folder(const char *path)
{
	char *copy = strdup(path), *slash = copy ? strrchr(copy, '/') : NULL;
	const char *folder = !slash ? "." : slash == copy ? "/" : copy;
	int fd, rc;

	if (!copy)
		return false;
	if (slash)
		*slash = 0;
	fd = open(slash == copy ? "/" : folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	rc = fd < 0 ? -1 : fsync(fd);
	if (fd >= 0)
		close(fd);
	free(copy);
	return !rc;
}

bool save_file_commit(struct save_file *f, struct error *err)
{
	bool ok = true;

	if (fsync(f->fd) || rename(f->beside, f->path)) {
		refuse("write", f->path, err);
		save_file_drop(f);
		return false;
	}
	/* It is in place; that it stays there after a power cut is what fails here. */
	if (!sync_folder(f->path))
		ok = refuse("flush the folder of", f->path, err);
	forget(f);
	return ok;
}

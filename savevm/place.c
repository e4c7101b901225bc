/* Where a name leads, if others could have had a hand in it: see place.h. */
#define _GNU_SOURCE
#include "savevm/place.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <string.h>
#include <sys/vfs.h>
#include <unistd.h>

#define MOST_LINKS 40			/* as in the kernel */

/* ---- Whose it is ---- */

static bool others_write(const struct stat *folder)
{
	return folder->st_mode & (S_IWGRP | S_IWOTH);
}

static bool trusts_owner(int folder, const struct stat *st)
{
	struct stat f;

	return !fstat(folder, &f) && (!others_write(&f) || st->st_uid == geteuid() || st->st_uid == f.st_uid);
}

/* In a folder that others can write, a file with a second name is refused: anybody who can see a file may link it there. */
static bool one_name(int folder, const struct stat *st)
{
	struct stat f;

	return !S_ISREG(st->st_mode) || st->st_nlink == 1 || (!fstat(folder, &f) && !others_write(&f));
}

bool place_trusts(const struct place *p, const struct stat *st)
{
	return p->kernels || (trusts_owner(p->folder, st) && one_name(p->folder, st));
}

bool place_check(const struct place *p, const struct stat *st, struct error *why)
{
	if (place_trusts(p, st))
		return true;
	if (trusts_owner(p->folder, st))
		error_set(why, "it has another name elsewhere, and its folder can be written by others");
	else
		error_set(why, "it is user %u's, in a folder that others can write", (unsigned)st->st_uid);
	return false;
}

/* ---- Following it ---- */

struct walk {
	int folder;
	unsigned links;
	bool kernels;
	char name[NAME_MAX + 1];	/* the component at hand */
	char rest[PATH_MAX];		/* what comes behind it, without leading slashes */
};

static bool give_up(struct error *why, int error)
{
	error_set(why, "%s", strerror(error));
	return false;
}

static bool enter_folder(struct walk *w, int folder, struct error *why)
{
	if (folder < 0)
		return give_up(why, errno);
	if (w->folder >= 0)
		close(w->folder);
	w->folder = folder;
	return true;
}

/* Begins at the root or at the folder where the walk is. */
static bool start_walk(struct walk *w, const char *path, struct error *why)
{
	bool root = *path == '/';
	const char *last;
	char rest[PATH_MAX];

	if (!*path)
		return give_up(why, ENOENT);
	path += strspn(path, "/");
	/* A path that ends in a slash must lead to a folder. */
	last = *path ? path + strlen(path) - 1 : path;
	if ((size_t)snprintf(rest, sizeof rest, "%s%s%s", path, *w->rest ? "/" : *last == '/' ? "." : "", w->rest) >= sizeof rest)
		return give_up(why, ENAMETOOLONG);
	memcpy(w->rest, rest, sizeof rest);
	return !(root || w->folder < 0) || enter_folder(w, open(root ? "/" : ".", O_PATH | O_DIRECTORY | O_CLOEXEC), why);
}

static bool next_name(struct walk *w, struct error *why)
{
	size_t len = strcspn(w->rest, "/"), behind = len + strspn(w->rest + len, "/");

	if (len > NAME_MAX)
		return give_up(why, ENAMETOOLONG);
	memcpy(w->name, w->rest, len);
	w->name[len] = 0;
	if (!len)
		strcpy(w->name, ".");
	memmove(w->rest, w->rest + behind, strlen(w->rest + behind) + 1);
	return true;
}

static bool of_proc(int fd)
{
	struct statfs fs;

	return !fstatfs(fd, &fs) && fs.f_type == PROC_SUPER_MAGIC;
}

static bool follow_link(struct walk *w, int link, const struct stat *st, struct error *why)
{
	char target[PATH_MAX];
	ssize_t n = readlinkat(link, "", target, sizeof target - 1);

	if (n < 0)
		return give_up(why, errno);
	target[n] = 0;
	if (++w->links > MOST_LINKS)
		return give_up(why, ELOOP);
	if (trusts_owner(w->folder, st))
		return start_walk(w, target, why);
	error_set(why, "'%.80s' is a link of user %u, in a folder that others can write", w->name, (unsigned)st->st_uid);
	return false;
}

/* Goes one component further; *done says whether it was the last. */
static bool step_component(struct walk *w, bool *done, struct error *why)
{
	struct stat st;
	int fd;
	bool ok;

	if (!next_name(w, why))
		return false;
	*done = !*w->rest;
	fd = openat(w->folder, w->name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return (*done && errno == ENOENT) || give_up(why, errno);
	if (fstat(fd, &st)) {
		ok = give_up(why, errno);
	} else if (S_ISLNK(st.st_mode) && of_proc(fd)) {
		/* The text of /proc/PID/fd/N may be no name at all. */
		w->kernels = *done;
		ok = *done || enter_folder(w, openat(w->folder, w->name, O_PATH | O_DIRECTORY | O_CLOEXEC), why);
	} else if (S_ISLNK(st.st_mode)) {
		ok = follow_link(w, fd, &st, why);
		*done = false;
	} else {
		ok = *done || enter_folder(w, openat(w->folder, w->name, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC), why);
	}
	close(fd);
	return ok;
}

bool place_find(struct place *p, const char *path, struct error *why)
{
	struct walk w = { .folder = -1 };
	bool ok = start_walk(&w, path, why), done = false;

	while (ok && !done)
		ok = step_component(&w, &done, why);
	if (!ok && w.folder >= 0)
		close(w.folder);
	p->folder = ok ? w.folder : -1;
	p->kernels = w.kernels;
	memcpy(p->name, w.name, sizeof p->name);
	return ok;
}

void place_close(struct place *p)
{
	if (p->folder >= 0)
		close(p->folder);
	p->folder = -1;
}

bool place_has_file(const char *path, struct error *why)
{
	struct stat st;
	struct place p;
	bool ok;

	if (!place_find(&p, path, why))
		return false;
	if (fstatat(p.folder, p.name, &st, p.kernels ? 0 : AT_SYMLINK_NOFOLLOW)) {
		ok = give_up(why, errno);
	} else {
		ok = S_ISREG(st.st_mode);
		if (!ok)
			error_set(why, "not a regular file");
		ok = ok && place_check(&p, &st, why);
	}
	place_close(&p);
	return ok;
}

/* ---- Files that are written in place ---- */

static int open_here(const struct place *p, int flags, struct error *why)
{
	int fd = openat(p->folder, p->name, flags | (p->kernels ? 0 : O_NOFOLLOW));
	struct stat st;

	if (fd < 0 && errno == ENXIO && !fstatat(p->folder, p->name, &st, 0) && S_ISFIFO(st.st_mode)) {
		error_set(why, "nobody reads that FIFO");
		return -1;
	}
	if (fd < 0 || fstat(fd, &st)) {
		give_up(why, errno);
	} else if (place_check(p, &st, why)) {
		if ((flags & O_ACCMODE) != O_WRONLY || flags & O_APPEND || !S_ISREG(st.st_mode) || !ftruncate(fd, 0))
			return fd;
		give_up(why, errno);
	}
	if (fd >= 0)
		close(fd);
	return -1;
}

static int make_or_take(const struct place *p, int flags, struct error *why)
{
	int fd = -1;

	flags |= O_NONBLOCK | O_NOCTTY | O_CLOEXEC;

	if (!p->kernels)
		fd = openat(p->folder, p->name, flags | O_CREAT | O_EXCL | O_NOFOLLOW, 0666);
	if (fd < 0 && !p->kernels && errno != EEXIST)
		give_up(why, errno);
	else if (fd < 0)
		fd = open_here(p, flags, why);
	return fd;
}

/* From here on a write may block: a FIFO without a reader has been refused. */
static int let_block(int fd)
{
	if (fd >= 0)
		fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) & ~O_NONBLOCK);
	return fd;
}

static int open_for(const char *path, int flags, struct error *why)
{
	struct place p;
	int fd;

	if (!place_find(&p, path, why))
		return -1;
	fd = let_block(make_or_take(&p, flags, why));
	place_close(&p);
	return fd;
}

int output_open(const char *path, struct error *why)
{
	return open_for(path, O_WRONLY, why);
}

int output_append(const char *path, struct error *why)
{
	return open_for(path, O_WRONLY | O_APPEND, why);
}

static int only_regular(int fd, struct error *why)
{
	struct stat st;

	if (fd < 0 || (!fstat(fd, &st) && S_ISREG(st.st_mode)))
		return fd;
	error_set(why, "not a regular file");
	close(fd);
	return -1;
}

int output_keep(const char *path, struct error *why)
{
	return only_regular(open_for(path, O_RDWR, why), why);
}

int output_reopen(const char *path, struct error *why)
{
	struct place p;
	int fd;

	if (!place_find(&p, path, why))
		return -1;
	fd = let_block(open_here(&p, O_RDWR | O_NONBLOCK | O_NOCTTY | O_CLOEXEC, why));
	place_close(&p);
	return only_regular(fd, why);
}

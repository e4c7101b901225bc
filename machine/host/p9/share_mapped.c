/* Owners and modes of the mapped models, kept where and as QEMU keeps them:
 *
 *   mapped-xattr   user.virtfs.uid, .gid, .mode: 32 bits, .rdev: 64 bits, little-endian
 *   mapped-file    FOLDER/.virtfs_metadata/NAME, of the share itself .virtfs_metadata_root in it: lines "virtfs.uid=N",
 *                  gid, mode and rdev, signed decimal numbers of 32 bits
 */
#define _GNU_SOURCE
#include "machine/host/p9/share_parts.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/xattr.h>
#include <unistd.h>

#define FOLDER ".virtfs_metadata"
#define OF_ROOT ".virtfs_metadata_root"
#define TEXT_MAX 512		/* bytes of such a file; of more than that, none of ours is */

enum { UID, GID, MODE, RDEV, KEPT };

static const char *const names[KEPT] = { "user.virtfs.uid", "user.virtfs.gid", "user.virtfs.mode", "user.virtfs.rdev" };

/* What is kept of a file. */
struct kept {
	bool has[KEPT];
	uint64_t value[KEPT];
};

bool share_hides(const struct share *s, const char *name)
{
	return s->model == SHARE_FILE && (!strcmp(name, FOLDER) || !strcmp(name, OF_ROOT));
}

/* ---- mapped-xattr ---- */

static unsigned wire_bytes(unsigned i)
{
	return i == RDEV ? 8 : 4;
}

static void read_xattrs(int dir, const char *name, struct kept *k)
{
	char path[PROC_PATH_MAX];
	uint8_t raw[8];

	proc_path(path, dir, name);
	for (unsigned i = 0; i < KEPT; i++) {
		k->has[i] = lgetxattr(path, names[i], raw, wire_bytes(i)) == (ssize_t)wire_bytes(i);
		for (unsigned n = 0; k->has[i] && n < wire_bytes(i); n++)
			k->value[i] |= (uint64_t)raw[n] << 8 * n;
	}
}

static int write_xattrs(int dir, const char *name, const struct kept *k)
{
	char path[PROC_PATH_MAX];
	uint8_t raw[8];

	proc_path(path, dir, name);
	for (unsigned i = 0; i < KEPT; i++) {
		for (unsigned n = 0; n < 8; n++)
			raw[n] = (uint8_t)(k->value[i] >> 8 * n);
		if (k->has[i] && lsetxattr(path, names[i], raw, wire_bytes(i), 0) < 0)
			return -errno;
	}
	return 0;
}

/* ---- mapped-file ---- */

/* The folder that has what is kept of `name`, and how it is called there. */
static int open_notes(int dir, const char *name, const char **note, bool make)
{
	bool root = !strcmp(name, ".");

	*note = root ? OF_ROOT : name;
	if (root)
		return fcntl(dir, F_DUPFD_CLOEXEC, 0);
	if (make && mkdirat(dir, FOLDER, 0700) < 0 && errno != EEXIST)
		return -1;
	return openat(dir, FOLDER, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
}

/* `at`: a line. */
static void read_line(const char *at, struct kept *k)
{
	for (unsigned i = 0; i < KEPT; i++) {
		const char *key = names[i] + strlen("user.");
		size_t n = strlen(key);

		if (strncmp(at, key, n) || at[n] != '=')
			continue;
		k->has[i] = true;
		k->value[i] = (uint32_t)strtol(at + n + 1, NULL, 10);
	}
}

static void read_text(int fd, struct kept *k)
{
	char text[TEXT_MAX];
	struct stat st;
	ssize_t n = fstat(fd, &st) == 0 && S_ISREG(st.st_mode) ? read(fd, text, sizeof text - 1) : 0;

	text[n > 0 ? n : 0] = 0;
	for (const char *at = text; *at; at += strcspn(at, "\n"), at += *at == '\n')
		read_line(at, k);
}

static void read_file(int dir, const char *name, struct kept *k)
{
	const char *note;
	int notes = open_notes(dir, name, &note, false), fd;

	if (notes < 0)
		return;
	fd = openat(notes, note, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	close(notes);
	if (fd < 0)
		return;
	read_text(fd, k);
	close(fd);
}

static int write_text(int fd, const struct kept *k)
{
	char text[TEXT_MAX];
	struct stat st;
	int n = 0;

	for (unsigned i = 0; i < KEPT; i++)
		if (k->has[i])
			n += snprintf(text + n, sizeof text - (size_t)n, "%s=%d\n", names[i] + strlen("user."), (int)k->value[i]);
	if (fstat(fd, &st) < 0)
		return -errno;
	if (!S_ISREG(st.st_mode))
		return -ENXIO;
	if (pwrite(fd, text, (size_t)n, 0) != n || ftruncate(fd, n) < 0 || fchmod(fd, 0600) < 0)
		return errno ? -errno : -ENOSPC;
	return 0;
}

static int write_file(int dir, const char *name, const struct kept *k)
{
	const char *note;
	int notes = open_notes(dir, name, &note, true), fd, e;

	if (notes < 0)
		return -errno;
	fd = openat(notes, note, O_WRONLY | O_CREAT | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC, 0600);
	e = fd < 0 ? -errno : write_text(fd, k);
	close(notes);
	if (fd >= 0)
		close(fd);
	return e;
}

/* ---- Either ---- */

static void read_kept(struct share *s, int dir, const char *name, struct kept *k)
{
	*k = (struct kept){ 0 };
	if (s->model == SHARE_XATTR)
		read_xattrs(dir, name, k);
	else if (s->model == SHARE_FILE)
		read_file(dir, name, k);
}

void mapped_stat(struct share *s, int dir, const char *name, struct stat *st)
{
	struct kept k;

	if (!share_is_mapped(s))
		return;
	read_kept(s, dir, name, &k);
	if (k.has[UID])
		st->st_uid = (uid_t)k.value[UID];
	if (k.has[GID])
		st->st_gid = (gid_t)k.value[GID];
	if (k.has[MODE])
		st->st_mode = (mode_t)k.value[MODE];
	if (k.has[RDEV])
		st->st_rdev = k.value[RDEV];
}

static void put(struct kept *k, unsigned i, uint64_t value, bool given)
{
	k->has[i] |= given;
	if (given)
		k->value[i] = value;
}

int mapped_set(struct share *s, int dir, const char *name, const struct share_owner *owner, bool fresh)
{
	struct kept k = { 0 };

	if (s->model == SHARE_FILE && !fresh)
		read_kept(s, dir, name, &k);
	put(&k, UID, owner->uid, owner->uid != SHARE_KEEP);
	put(&k, GID, owner->gid, owner->gid != SHARE_KEEP);
	put(&k, MODE, owner->mode, owner->mode != SHARE_KEEP);
	put(&k, RDEV, owner->rdev, owner->rdev != UINT64_MAX);
	return s->model == SHARE_XATTR ? write_xattrs(dir, name, &k) : write_file(dir, name, &k);
}

/* ---- Names ---- */

void mapped_unlinked(struct share *s, int dir, const char *name)
{
	const char *note;
	int notes = s->model == SHARE_FILE ? open_notes(dir, name, &note, false) : -1;

	if (notes < 0)
		return;
	unlinkat(notes, note, 0);
	close(notes);
}

void mapped_empty(struct share *s, int dir, const char *name)
{
	int fd = s->model == SHARE_FILE ? openat(dir, name, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC) : -1;

	if (fd < 0)
		return;
	unlinkat(fd, FOLDER, AT_REMOVEDIR);
	close(fd);
}

/* What is kept of one name is for another as well, or instead. What has nothing kept may have been made by the host. */
static int move_note(struct share *s, const struct spot *from, const struct spot *to,
		     int (*move)(int from, const char *name, int to, const char *new_name))
{
	const char *a_note, *b_note;
	int a, b, e = 0;

	if (s->model != SHARE_FILE || (a = open_notes(from->dir, from->name, &a_note, false)) < 0)
		return 0;
	b = open_notes(to->dir, to->name, &b_note, true);
	if (b < 0 || move(a, a_note, b, b_note) < 0)
		e = errno == ENOENT ? 0 : -errno;
	close(a);
	if (b >= 0)
		close(b);
	return e;
}

/* A note that another file has left there is none of this one's. */
static int link_note(int from, const char *name, int to, const char *new_name)
{
	unlinkat(to, new_name, 0);
	return linkat(from, name, to, new_name, 0);
}

static int rename_note(int from, const char *name, int to, const char *new_name)
{
	int e = renameat(from, name, to, new_name);

	if (e < 0 && errno == ENOENT) {
		unlinkat(to, new_name, 0);
		errno = ENOENT;
	}
	return e;
}

int mapped_link(struct share *s, const struct spot *from, const struct spot *to)
{
	return move_note(s, from, to, link_note);
}

int mapped_rename(struct share *s, const struct spot *from, const struct spot *to)
{
	return move_note(s, from, to, rename_note);
}

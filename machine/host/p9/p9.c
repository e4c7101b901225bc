/* The messages of 9P2000.L: a row of a table each. See p9.h. */
#define _GNU_SOURCE
#include "machine/host/p9/p9.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "machine/host/p9/fid.h"
#include "machine/host/p9/wire.h"

#define VERSION      "9P2000.L"
#define MAGIC        0x01021997u	/* of such a file system, for statfs */
#define WALK_MAX     16u
#define HEAD_OF_DATA 4u			/* the count before an answer's data */
#define HEAD_OF_IO   24u		/* that clients leave room for in a message with data */
#define REMOVE_FOLDER 0x200u
#define L_ACCESS     3u
#define L_EXCL       0200u
#define L_TRUNC      01000u

enum { RLERROR = 7, TREADDIR = 40, TREAD = 116 };
enum { QID_FOLDER = 0x80, QID_LINK = 2 };
enum { SET_MODE = 1, SET_UID = 2, SET_GID = 4, SET_SIZE = 8, SET_ATIME = 16, SET_MTIME = 32, SET_CTIME = 64, SET_ATIME_TO = 128,
       SET_MTIME_TO = 256 };
#define BASIC_STATS UINT64_C(0x7ff)

/* NULL: there is none, or the message is too short to name one. */
static struct p9_fid *get_fid(struct p9 *p, struct wire_in *in)
{
	uint32_t number = get32(in);

	return in->bad ? NULL : fid_find(p, number);
}

static bool is_open(const struct p9_fid *f) { return f->kind == FID_FILE || f->kind == FID_FOLDER; }

/* An open file whose name is gone: what is called so by now is another one. */
static bool is_lost(const struct p9_fid *f) { return f->pinned && is_open(f); }

/* ---- Names ---- */

/* False: it is no name of something in a folder. */
static bool get_name(struct wire_in *in, char name[SHARE_NAME_MAX])
{
	return get_text(in, name, SHARE_NAME_MAX) && *name && !strchr(name, '/');
}

static bool is_dots(const char *name) { return !strcmp(name, ".") || !strcmp(name, ".."); }

/* `path` becomes that of a name in it. */
static int append(char path[SHARE_PATH_MAX], const char *name)
{
	size_t n = strlen(path), more = strlen(name);

	if (n + 1 + more >= SHARE_PATH_MAX)
		return -ENAMETOOLONG;
	if (n)
		path[n++] = '/';
	memcpy(path + n, name, more + 1);
	return 0;
}

/* "." and ".." are words here, no way for the host to go; above the folder is the folder. */
static int step(struct p9 *p, char path[SHARE_PATH_MAX], const char *name)
{
	char *slash = strrchr(path, '/');

	if (!strcmp(name, "."))
		return 0;
	if (!strcmp(name, "..")) {
		*(slash ? slash : path) = 0;
		return 0;
	}
	return share_hides(&p->share, name) ? -ENOENT : append(path, name);
}

/* The path of a name that a message gives in the folder `dir`. `dots`: what "." and ".." are answered with. */
static int child_path(struct p9 *p, const struct p9_fid *dir, struct wire_in *in, char path[SHARE_PATH_MAX], int dots)
{
	char name[SHARE_NAME_MAX];

	if (!get_name(in, name))
		return in->bad ? -EINVAL : -ENOENT;
	if (is_dots(name))
		return dots;
	if (share_hides(&p->share, name))
		return -EINVAL;
	strcpy(path, fid_path(dir));
	return append(path, name);
}

/* ---- Qids ---- */

struct qid {
	uint8_t type;
	uint32_t version;
	uint64_t path;
};

/* The number of a pair of device and upper bits of a file's number. P9_DEVICES: there are too many. */
static uint32_t device_number(struct p9 *p, uint64_t device, uint64_t high)
{
	uint32_t i = 0;

	while (i < p->devices_seen && (p->seen[i].device != device || p->seen[i].high != high))
		i++;
	if (i == p->devices_seen && i < P9_DEVICES)
		p->seen[p->devices_seen++] = (struct p9_device){ device, high };
	return i;
}

static int other_device(struct p9 *p)
{
	if (p->devices == SHARE_FORBID)
		return -ENODEV;
	if (!p->warned)
		fprintf(stderr, "cede: warning: a shared folder has files of several devices, whose numbers may collide: "
				"multidevs=remap avoids it\n");
	p->warned = true;
	return 0;
}

/* Numbers of 56 bits are the file's own on the first device. */
static int qid_path(struct p9 *p, dev_t device, uint64_t inode, uint64_t *path)
{
	uint32_t i;

	*path = inode;
	if (p->devices != SHARE_REMAP)
		return device == p->share.device ? 0 : other_device(p);
	i = device_number(p, device, inode >> 56);
	*path = (uint64_t)i << 56 | (inode & (UINT64_MAX >> 8));
	return i < P9_DEVICES ? 0 : -ENFILE;
}

static int qid_of(struct p9 *p, const struct stat *st, struct qid *qid)
{
	qid->version = (uint32_t)((uint64_t)st->st_mtime ^ (uint64_t)st->st_size << 8);
	qid->type = S_ISDIR(st->st_mode) ? QID_FOLDER : S_ISLNK(st->st_mode) ? QID_LINK : 0;
	return qid_path(p, st->st_dev, st->st_ino, &qid->path);
}

static int look(struct p9 *p, const char *path, struct qid *qid)
{
	struct stat st;
	int e = share_stat(&p->share, path, &st);

	return e ? e : qid_of(p, &st, qid);
}

static void put_qid(struct wire_out *out, const struct qid *qid)
{
	put8(out, qid->type);
	put32(out, qid->version);
	put64(out, qid->path);
}

/* ---- Beginning ---- */

static int do_version(struct p9 *p, struct wire_in *in, struct wire_out *out)
{
	uint32_t msize = get32(in);
	char version[32];
	bool known = get_text(in, version, sizeof version) && !strcmp(version, VERSION);

	p9_reset(p);
	if (in->bad || msize < P9_MSIZE_MIN)
		return in->bad ? -EINVAL : -EMSGSIZE;
	msize = msize < P9_MSIZE_MAX ? msize : P9_MSIZE_MAX;
	p->msize = known ? msize : 0;
	put32(out, msize);
	put_text(out, known ? VERSION : "unknown", known ? strlen(VERSION) : strlen("unknown"));
	return 0;
}

/* Names of users and of trees mean nothing here: there is one tree. */
static int do_attach(struct p9 *p, struct wire_in *in, struct wire_out *out)
{
	uint32_t number = get32(in), uid;
	struct p9_fid *f;
	struct qid qid;
	int e;

	get32(in);
	get_bytes(in, get16(in));
	get_bytes(in, get16(in));
	uid = get32(in);
	if (in->bad)
		return -EINVAL;
	e = look(p, "", &qid);
	if (e)
		return e;
	f = fid_new(p, number, uid, "");
	if (!f)
		return fid_find(p, number) || number == P9_NOFID ? -EINVAL : -ENFILE;
	put_qid(out, &qid);
	return 0;
}

/* By the time it comes, all before it have been answered. */
static int do_flush(struct p9 *p, struct wire_in *in, struct wire_out *out)
{
	(void)p;
	(void)out;
	get16(in);
	return in->bad ? -EINVAL : 0;
}

/* ---- Walking ---- */

/* How many of the names there are; their qids, and where the last one leads. -errno: not even the first. */
static int walk_names(struct p9 *p, struct wire_in *in, uint32_t n, char path[SHARE_PATH_MAX], struct qid qid[WALK_MAX])
{
	char name[SHARE_NAME_MAX];
	int e = 0;

	for (uint32_t i = 0; i < n; i++) {
		e = get_name(in, name) ? step(p, path, name) : -ENOENT;
		if (!e)
			e = look(p, path, &qid[i]);
		if (e)
			return i ? (int)i : e;
	}
	return (int)n;
}

static int move_fid(struct p9 *p, struct p9_fid *f, uint32_t number, const char *path)
{
	if (f->number != number)
		return fid_new(p, number, f->uid, path) ? 0 : fid_find(p, number) || number == P9_NOFID ? -EINVAL : -ENFILE;
	if (f->kind != FID_PATH)
		return -EINVAL;
	if (!fid_set_path(p, f, path))
		return -ENOMEM;
	f->pinned = false;		/* there is something of that name */
	return 0;
}

static int do_walk(struct p9 *p, struct wire_in *in, struct wire_out *out)
{
	struct p9_fid *f = get_fid(p, in);
	uint32_t number = get32(in), n = get16(in);
	struct qid qid[WALK_MAX];
	char path[SHARE_PATH_MAX];
	int found, e;

	if (in->bad || n > WALK_MAX)
		return -EINVAL;
	if (!f || f->kind == FID_XATTR_READ || f->kind == FID_XATTR_WRITE)
		return -EBADF;
	strcpy(path, fid_path(f));
	found = walk_names(p, in, n, path, qid);
	if (in->bad || found < 0)
		return in->bad ? -EINVAL : found;
	if ((uint32_t)found == n && (e = move_fid(p, f, number, path)))
		return e;
	put16(out, (uint16_t)found);
	for (int i = 0; i < found; i++)
		put_qid(out, &qid[i]);
	return 0;
}

/* ---- Opening, making ---- */

/* What a client reads and writes at a time: whole pages, if it can. */
static uint32_t io_unit(const struct p9 *p)
{
	uint32_t room = p->msize - HEAD_OF_IO;

	return room >= 4096 ? room - room % 4096 : room;
}

static struct p9_fid *get_closed_fid(struct p9 *p, struct wire_in *in)
{
	struct p9_fid *f = get_fid(p, in);

	return f && f->kind == FID_PATH ? f : NULL;
}

static int do_lopen(struct p9 *p, struct wire_in *in, struct wire_out *out)
{
	struct p9_fid *f = get_closed_fid(p, in);
	uint32_t flags = get32(in);
	struct qid qid;
	bool folder;
	int fd, e;

	if (in->bad || !f || (flags & L_ACCESS) == L_ACCESS)
		return f ? -EINVAL : -EBADF;
	if (p->readonly && flags & (L_ACCESS | L_TRUNC))
		return -EROFS;
	e = look(p, fid_path(f), &qid);
	if (e || (e = fid_make_room(p)))
		return e;
	folder = qid.type & QID_FOLDER;
	fd = share_open_file(&p->share, fid_path(f), folder ? O_RDONLY | O_DIRECTORY : fid_host_flags(flags));
	if (fd < 0)
		return fd;
	fid_opened(p, f, folder ? FID_FOLDER : FID_FILE, folder ? 0 : flags, fd);
	put_qid(out, &qid);
	put32(out, folder ? 0 : io_unit(p));
	return 0;
}

static struct share_owner owner_of(const struct p9_fid *dir, uint32_t gid, uint32_t mode)
{
	return (struct share_owner){ .uid = dir->uid, .gid = gid, .mode = mode, .rdev = UINT64_MAX };
}

static int do_lcreate(struct p9 *p, struct wire_in *in, struct wire_out *out)
{
	struct p9_fid *f = get_closed_fid(p, in);
	char path[SHARE_PATH_MAX];
	uint32_t flags, mode, gid;
	struct share_owner owner;
	struct qid qid;
	int fd, e;

	if (!f)
		return -EBADF;
	e = child_path(p, f, in, path, -EEXIST);
	flags = get32(in);
	mode = get32(in);
	gid = get32(in);
	if (in->bad || e || (flags & L_ACCESS) == L_ACCESS)
		return e ? e : -EINVAL;
	e = fid_make_room(p);
	if (e)
		return e;
	owner = owner_of(f, gid, (mode & 07777) | S_IFREG);
	fd = share_create(&p->share, path, fid_host_flags(flags) | (flags & L_EXCL ? O_EXCL : 0), &owner);
	if (fd < 0)
		return fd;
	fids_changed(p, path);
	e = look(p, path, &qid);
	if (!e && qid.type & QID_FOLDER)
		e = -EISDIR;
	if (!e && !fid_set_path(p, f, path))
		e = -ENOMEM;
	if (e) {
		close(fd);
		return e;
	}
	fid_opened(p, f, FID_FILE, flags, fd);
	put_qid(out, &qid);
	put32(out, io_unit(p));
	return 0;
}

/* After something has been made: its qid. */
static int put_new(struct p9 *p, const char *path, struct wire_out *out, int e)
{
	struct qid qid;

	if (e)
		return e;
	fids_changed(p, path);
	e = look(p, path, &qid);
	if (!e)
		put_qid(out, &qid);
	return e;
}

static int do_mkdir(struct p9 *p, struct wire_in *in, struct wire_out *out)
{
	const struct p9_fid *f = get_fid(p, in);
	int e = f ? 0 : -EBADF;
	char path[SHARE_PATH_MAX];
	struct share_owner owner;
	uint32_t mode, gid;

	if (e || (e = child_path(p, f, in, path, -EEXIST)))
		return e;
	mode = get32(in);
	gid = get32(in);
	if (in->bad)
		return -EINVAL;
	owner = owner_of(f, gid, (mode & 07777) | S_IFDIR);
	return put_new(p, path, out, share_mkdir(&p->share, path, &owner));
}

static int do_mknod(struct p9 *p, struct wire_in *in, struct wire_out *out)
{
	const struct p9_fid *f = get_fid(p, in);
	int e = f ? 0 : -EBADF;
	uint32_t mode, major_, minor_, gid;
	char path[SHARE_PATH_MAX];
	struct share_owner owner;

	if (e || (e = child_path(p, f, in, path, -EEXIST)))
		return e;
	mode = get32(in);
	major_ = get32(in);
	minor_ = get32(in);
	gid = get32(in);
	if (in->bad || S_ISDIR(mode) || S_ISLNK(mode))
		return -EINVAL;
	owner = owner_of(f, gid, mode & (S_IFMT | 07777));
	owner.mode |= mode & S_IFMT ? 0 : S_IFREG;
	owner.rdev = makedev(major_, minor_);
	return put_new(p, path, out, share_mknod(&p->share, path, &owner));
}

static int do_symlink(struct p9 *p, struct wire_in *in, struct wire_out *out)
{
	const struct p9_fid *f = get_fid(p, in);
	int e = f ? 0 : -EBADF;
	char path[SHARE_PATH_MAX], target[SHARE_PATH_MAX];
	struct share_owner owner;
	uint32_t gid;

	if (e || (e = child_path(p, f, in, path, -EEXIST)))
		return e;
	if (!get_text(in, target, sizeof target) || !*target)
		return in->bad ? -EINVAL : *target ? -ENAMETOOLONG : -ENOENT;
	gid = get32(in);
	if (in->bad)
		return -EINVAL;
	owner = owner_of(f, gid, S_IFLNK | 0777);
	return put_new(p, path, out, share_symlink(&p->share, target, path, &owner));
}

static int do_link(struct p9 *p, struct wire_in *in, struct wire_out *out)
{
	const struct p9_fid *dir = get_fid(p, in), *f = get_fid(p, in);
	char path[SHARE_PATH_MAX];
	int e;

	(void)out;
	if (!dir || !f)
		return -EBADF;
	e = child_path(p, dir, in, path, -EEXIST);
	if (e || is_lost(f))
		return e ? e : -ESTALE;
	e = *fid_path(f) ? share_link(&p->share, fid_path(f), path) : -EPERM;
	if (!e)
		fids_changed(p, path);
	return e;
}

static int do_readlink(struct p9 *p, struct wire_in *in, struct wire_out *out)
{
	const struct p9_fid *f = get_fid(p, in);
	char target[SHARE_PATH_MAX];
	int n;

	if (!f)
		return -EBADF;
	n = share_readlink(&p->share, fid_path(f), target, sizeof target - 1);
	if (n < 0)
		return n;
	put_text(out, target, (uint16_t)n);
	return 0;
}

/* ---- Removing, renaming ---- */

static int unlink_path(struct p9 *p, const char *path, bool folder)
{
	int e = *path ? share_unlink(&p->share, path, folder) : -EBUSY;

	if (!e) {
		fids_changed(p, path);
		fids_unlinked(p, path);
	}
	return e;
}

static int do_unlinkat(struct p9 *p, struct wire_in *in, struct wire_out *out)
{
	const struct p9_fid *f = get_fid(p, in);
	char path[SHARE_PATH_MAX];
	uint32_t flags;
	int e;

	(void)out;
	if (!f)
		return -EBADF;
	e = child_path(p, f, in, path, -EINVAL);
	flags = get32(in);
	if (in->bad || e || flags & ~REMOVE_FOLDER)
		return e ? e : -EINVAL;
	return unlink_path(p, path, flags);
}

/* The fid is gone in any case. */
static int do_remove(struct p9 *p, struct wire_in *in, struct wire_out *out)
{
	struct p9_fid *f = get_fid(p, in);
	struct qid qid;
	int e;

	(void)out;
	if (in->bad || !f)
		return in->bad ? -EINVAL : -EBADF;
	e = p->readonly ? -EROFS : is_lost(f) ? -ESTALE : look(p, fid_path(f), &qid);
	if (!e)
		e = unlink_path(p, fid_path(f), qid.type & QID_FOLDER);
	fid_free(p, f);
	return e;
}

static int rename_path(struct p9 *p, const char *from, const char *to)
{
	int e;

	if (!*from)
		return -EBUSY;
	e = share_rename(&p->share, from, to);
	if (e)
		return e < 0 ? e : 0;
	fids_changed(p, from);
	fids_changed(p, to);
	fids_unlinked(p, to);
	fids_renamed(p, from, to);
	return 0;
}

static int do_rename(struct p9 *p, struct wire_in *in, struct wire_out *out)
{
	const struct p9_fid *f = get_fid(p, in), *dir = get_fid(p, in);
	char from[SHARE_PATH_MAX], to[SHARE_PATH_MAX];
	int e;

	(void)out;
	if (!f || !dir)
		return -EBADF;
	e = child_path(p, dir, in, to, -EISDIR);
	if (e || is_lost(f))
		return e ? e : -ESTALE;
	strcpy(from, fid_path(f));
	return rename_path(p, from, to);
}

static int do_renameat(struct p9 *p, struct wire_in *in, struct wire_out *out)
{
	const struct p9_fid *dir = get_fid(p, in), *new_dir;
	char from[SHARE_PATH_MAX], to[SHARE_PATH_MAX];
	int e;

	(void)out;
	if (!dir)
		return -EBADF;
	e = child_path(p, dir, in, from, -EISDIR);
	new_dir = get_fid(p, in);
	if (in->bad || e || !new_dir)
		return e ? e : -EBADF;
	e = child_path(p, new_dir, in, to, -EISDIR);
	return e ? e : rename_path(p, from, to);
}

/* ---- Attributes ---- */

/* Of an open file, though its name may be gone. */
static int stat_fid(struct p9 *p, struct p9_fid *f, struct stat *st)
{
	if (is_open(f) && f->has_fd)
		return share_fstat(&p->share, f->fd, fid_path(f), st);
	return is_lost(f) ? -ESTALE : share_stat(&p->share, fid_path(f), st);
}

static void put_time(struct wire_out *out, const struct timespec *t)
{
	put64(out, (uint64_t)t->tv_sec);
	put64(out, (uint64_t)t->tv_nsec);
}

static int do_getattr(struct p9 *p, struct wire_in *in, struct wire_out *out)
{
	struct p9_fid *f = get_fid(p, in);
	struct qid qid;
	struct stat st;
	int e;

	get64(in);
	if (in->bad || !f)
		return f ? -EINVAL : -EBADF;
	e = stat_fid(p, f, &st);
	if (e || (e = qid_of(p, &st, &qid)))
		return e;
	put64(out, BASIC_STATS);
	put_qid(out, &qid);
	put32(out, st.st_mode);
	put32(out, st.st_uid);
	put32(out, st.st_gid);
	put64(out, st.st_nlink);
	put64(out, st.st_rdev);
	put64(out, (uint64_t)st.st_size);
	put64(out, io_unit(p));
	put64(out, (uint64_t)st.st_blocks);
	put_time(out, &st.st_atim);
	put_time(out, &st.st_mtim);
	put_time(out, &st.st_ctim);
	for (unsigned i = 0; i < 4; i++)	/* birth, generation, version: not among the basic ones */
		put64(out, 0);
	return 0;
}

/* What Tsetattr says. */
struct changes {
	uint32_t valid, mode, uid, gid;
	uint64_t size, time[4];
};

static void get_changes(struct wire_in *in, struct changes *c)
{
	c->valid = get32(in);
	c->mode = get32(in);
	c->uid = get32(in);
	c->gid = get32(in);
	c->size = get64(in);
	for (unsigned i = 0; i < 4; i++)
		c->time[i] = get64(in);
}

static struct timespec time_for(const struct changes *c, uint32_t set, uint32_t to, const uint64_t *time)
{
	if (!(c->valid & set))
		return (struct timespec){ .tv_nsec = UTIME_OMIT };
	if (!(c->valid & to))
		return (struct timespec){ .tv_nsec = UTIME_NOW };
	return (struct timespec){ .tv_sec = (time_t)time[0], .tv_nsec = time[1] < 1000000000 ? (long)time[1] : 0 };
}

static int set_times(struct p9 *p, const struct p9_fid *f, const struct changes *c)
{
	const struct timespec times[2] = { time_for(c, SET_ATIME, SET_ATIME_TO, c->time),
					   time_for(c, SET_MTIME, SET_MTIME_TO, c->time + 2) };

	if (!(c->valid & (SET_ATIME | SET_MTIME)))
		return 0;
	if (!is_lost(f))
		return share_utimens(&p->share, fid_path(f), times);
	return !f->has_fd ? -ESTALE : futimens(f->fd, times) < 0 ? -errno : 0;
}

/* Its type is the file's, whatever a mode says. */
static int set_mode(struct p9 *p, const char *path, const struct changes *c)
{
	struct stat st;
	int e;

	if (!(c->valid & SET_MODE))
		return 0;
	e = share_stat(&p->share, path, &st);
	return e ? e : share_chmod(&p->share, path, (c->mode & 07777) | (st.st_mode & S_IFMT));
}

/* A change that is none but of ctime changes that. */
static int set_owner(struct p9 *p, const char *path, const struct changes *c)
{
	uint32_t uid = c->valid & SET_UID ? c->uid : SHARE_KEEP, gid = c->valid & SET_GID ? c->gid : SHARE_KEEP;

	if (!(c->valid & (SET_UID | SET_GID)) && (c->valid & 0x7f) != SET_CTIME)
		return 0;
	return share_chown(&p->share, path, uid, gid);
}

static int set_size(struct p9 *p, struct p9_fid *f, const struct changes *c)
{
	if (!(c->valid & SET_SIZE))
		return 0;
	if (c->size > INT64_MAX)
		return -EFBIG;
	if (f->kind == FID_FILE && f->has_fd && f->flags & L_ACCESS)
		return ftruncate(f->fd, (off_t)c->size) < 0 ? -errno : 0;
	return is_lost(f) ? -ESTALE : share_truncate(&p->share, fid_path(f), c->size);
}

static int do_setattr(struct p9 *p, struct wire_in *in, struct wire_out *out)
{
	struct p9_fid *f = get_fid(p, in);
	struct changes c;
	int e;

	(void)out;
	get_changes(in, &c);
	if (in->bad || !f)
		return f ? -EINVAL : -EBADF;
	if (is_lost(f) && c.valid & (SET_MODE | SET_UID | SET_GID))
		return -ESTALE;		/* a mapped model keeps them by name */
	e = set_mode(p, fid_path(f), &c);
	if (!e)
		e = set_times(p, f, &c);
	if (!e && !is_lost(f))
		e = set_owner(p, fid_path(f), &c);
	return e ? e : set_size(p, f, &c);
}

static int do_statfs(struct p9 *p, struct wire_in *in, struct wire_out *out)
{
	const struct p9_fid *f = get_fid(p, in);
	struct statvfs st;
	int e = f ? share_statfs(&p->share, fid_path(f), &st) : -EBADF;

	if (e)
		return e;
	put32(out, MAGIC);
	put32(out, (uint32_t)st.f_frsize);
	put64(out, st.f_blocks);
	put64(out, st.f_bfree);
	put64(out, st.f_bavail);
	put64(out, st.f_files);
	put64(out, st.f_ffree);
	put64(out, st.f_fsid);
	put32(out, (uint32_t)st.f_namemax);
	return 0;
}

/* ---- Reading, writing ---- */

/* At most what a message has room for. */
static uint32_t data_room(const struct wire_out *out, uint32_t count)
{
	uint32_t room = out->room - out->at;

	room = room > HEAD_OF_DATA ? room - HEAD_OF_DATA : 0;
	return count < room ? count : room;
}

/* The answer's data are at the count's end: it is written afterwards. */
static void put_count(struct wire_out *out, uint32_t count)
{
	put32(out, count);
	put_room(out, count);
}

static int read_value(const struct p9_fid *f, void *buf, uint32_t count, uint64_t offset)
{
	uint32_t left = offset < f->value_bytes ? f->value_bytes - (uint32_t)offset : 0;

	count = count < left ? count : left;
	if (count)
		memcpy(buf, (char *)f->value + offset, count);
	return (int)count;
}

static int read_file(struct p9 *p, struct p9_fid *f, void *buf, uint32_t count, uint64_t offset)
{
	int fd = fid_descriptor(p, f);
	ssize_t n;

	if (fd < 0)
		return fd;
	if (f->kind != FID_FILE || offset > INT64_MAX)
		return f->kind != FID_FILE ? -EISDIR : -EINVAL;
	n = pread(fd, buf, count, (off_t)offset);
	return n < 0 ? -errno : (int)n;
}

static int do_read(struct p9 *p, struct wire_in *in, struct wire_out *out)
{
	struct p9_fid *f = get_fid(p, in);
	uint64_t offset = get64(in);
	uint32_t count = data_room(out, get32(in));
	void *buf = out->buf + out->at + HEAD_OF_DATA;
	int n;

	if (in->bad || !f)
		return f ? -EINVAL : -EBADF;
	n = f->kind == FID_XATTR_READ ? read_value(f, buf, count, offset) : read_file(p, f, buf, count, offset);
	if (n < 0)
		return n;
	put_count(out, (uint32_t)n);
	return 0;
}

/* In order, as Linux does it. */
static int write_value(struct p9_fid *f, const void *data, uint32_t n, uint64_t offset)
{
	if (offset != f->value_done || n > f->value_bytes - f->value_done)
		return -ENOSPC;
	if (n)
		memcpy((char *)f->value + offset, data, n);
	f->value_done += n;
	return (int)n;
}

static int write_file(struct p9 *p, struct p9_fid *f, const void *data, uint32_t n, uint64_t offset)
{
	int fd = fid_descriptor(p, f);

	if (fd < 0)
		return fd;
	return f->kind == FID_FILE ? share_write(&p->share, fd, data, n, offset) : -EISDIR;
}

static int do_write(struct p9 *p, struct wire_in *in, struct wire_out *out)
{
	struct p9_fid *f = get_fid(p, in);
	uint64_t offset = get64(in);
	uint32_t count = get32(in);
	const uint8_t *data = get_bytes(in, count);
	int n;

	if (!data || !f)
		return f ? -EINVAL : -EBADF;
	n = f->kind == FID_XATTR_WRITE ? write_value(f, data, count, offset) : write_file(p, f, data, count, offset);
	if (n < 0)
		return n;
	put32(out, (uint32_t)n);
	return 0;
}

/* "..": what is above the shared folder, a client is not told. */
static int put_entry(struct p9 *p, const struct p9_fid *f, const struct stat *st, uint64_t number, const struct share_entry *e,
		     struct wire_out *out)
{
	uint16_t n = (uint16_t)strlen(e->name);
	struct qid qid = { .type = e->type == 4 ? QID_FOLDER : e->type == 10 ? QID_LINK : 0 };
	bool above = !*fid_path(f) && !strcmp(e->name, "..");
	int error = qid_path(p, st->st_dev, above ? st->st_ino : e->inode, &qid.path);

	if (error)
		return error;
	put_qid(out, &qid);
	put64(out, number + 1);
	put8(out, e->type);
	put_text(out, e->name, n);
	return 0;
}

/* The entries behind the one of that number. */
static int put_entries(struct p9 *p, struct p9_fid *f, const struct stat *st, uint64_t number, struct wire_out *out)
{
	const struct share_listing *l = f->listing;
	int64_t i = number <= FID_PLACE_MAX ? (int64_t)number - f->shift : l->entries;
	const struct share_entry *last = NULL;
	int e = 0;

	for (i = i < 0 ? 0 : i; i < l->entries && !e; i++) {
		uint32_t before = out->at;

		e = put_entry(p, f, st, (uint64_t)(i + f->shift), l->entry[i], out);
		if (out->full || e)
			out->at = before;
		if (out->full)
			break;
		last = l->entry[i];
	}
	if (!e && last && !fid_set_place(f, (uint64_t)(i + f->shift), last->name))
		e = -ENOMEM;
	return e;
}

static int do_readdir(struct p9 *p, struct wire_in *in, struct wire_out *out)
{
	struct p9_fid *f = get_fid(p, in);
	uint64_t offset = get64(in);
	uint32_t count = data_room(out, get32(in));
	struct wire_out data = { .buf = out->buf + out->at + HEAD_OF_DATA, .room = count };
	struct stat st;
	int e;

	if (in->bad || !f)
		return f ? -EINVAL : -EBADF;
	e = fid_listing(p, f, !offset);
	if (!e && fstat(f->fd, &st) < 0)
		e = -errno;
	if (!e)
		e = put_entries(p, f, &st, offset, &data);
	if (e || (data.full && !data.at))
		return e ? e : -EINVAL;
	put_count(out, data.at);
	return 0;
}

static int do_fsync(struct p9 *p, struct wire_in *in, struct wire_out *out)
{
	struct p9_fid *f = get_fid(p, in);
	bool data = get32(in);
	int fd = f ? fid_descriptor(p, f) : -EBADF;

	(void)out;
	if (fd < 0 || in->bad)
		return fd < 0 ? fd : -EINVAL;
	return (data ? fdatasync(fd) : fsync(fd)) < 0 ? -errno : 0;
}

/* One guest is the only one who locks here: it keeps its own locks. */
static int do_lock(struct p9 *p, struct wire_in *in, struct wire_out *out)
{
	struct p9_fid *f = get_fid(p, in);
	char client[SHARE_NAME_MAX];
	uint32_t flags;
	int fd = f ? fid_descriptor(p, f) : -EBADF;

	get8(in);
	flags = get32(in);
	get64(in);
	get64(in);
	get32(in);
	get_text(in, client, sizeof client);
	if (fd < 0 || in->bad || flags & ~1u)
		return fd < 0 ? fd : -EINVAL;
	put8(out, 0);
	return 0;
}

static int do_getlock(struct p9 *p, struct wire_in *in, struct wire_out *out)
{
	struct p9_fid *f = get_fid(p, in);
	uint64_t start, length;
	uint32_t process;
	char client[SHARE_NAME_MAX];
	int fd = f ? fid_descriptor(p, f) : -EBADF;

	get8(in);
	start = get64(in);
	length = get64(in);
	process = get32(in);
	get_text(in, client, sizeof client);
	if (fd < 0 || in->bad)
		return fd < 0 ? fd : -EINVAL;
	put8(out, 2);			/* unlocked */
	put64(out, start);
	put64(out, length);
	put32(out, process);
	put_text(out, client, (uint16_t)strlen(client));
	return 0;
}

/* ---- Extended attributes ---- */

/* Of a name, or "" for their names, into `value` (may be NULL). */
static int read_xattr(struct p9 *p, const struct p9_fid *f, const char *name, void *value, size_t size)
{
	return *name ? share_xattr_get(&p->share, fid_path(f), name, value, size) :
		       share_xattr_list(&p->share, fid_path(f), value, size);
}

/* It may have become shorter since it was asked for its length. */
static int fill_xattr(struct p9 *p, struct p9_fid *f, const char *name)
{
	int n = read_xattr(p, f, name, NULL, 0), e;

	if (n < 0 || (e = fid_make_value(p, f, (uint32_t)n)))
		return n < 0 ? n : e;
	e = n ? read_xattr(p, f, name, f->value, (size_t)n) : 0;
	if (e < 0)
		return e;
	p->xattr_bytes -= f->value_bytes - (uint32_t)e;
	f->value_bytes = (uint32_t)e;
	f->kind = FID_XATTR_READ;
	return 0;
}

static int do_xattrwalk(struct p9 *p, struct wire_in *in, struct wire_out *out)
{
	struct p9_fid *f = get_fid(p, in), *x;
	uint32_t number = get32(in);
	char name[SHARE_NAME_MAX];
	int e;

	if (!f)
		return -EBADF;
	if (!get_text(in, name, sizeof name) || is_lost(f))
		return in->bad ? -EINVAL : is_lost(f) ? -ESTALE : -ERANGE;
	x = fid_new(p, number, f->uid, fid_path(f));
	if (!x)
		return fid_find(p, number) || number == P9_NOFID ? -EINVAL : -ENFILE;
	e = fill_xattr(p, x, name);
	if (e) {
		fid_free(p, x);
		return e;
	}
	put64(out, x->value_bytes);
	return 0;
}

static int do_xattrcreate(struct p9 *p, struct wire_in *in, struct wire_out *out)
{
	struct p9_fid *f = get_closed_fid(p, in);
	char name[SHARE_NAME_MAX];
	bool fits = get_text(in, name, sizeof name);
	uint64_t size = get64(in);
	uint32_t flags = get32(in);
	int e;

	(void)out;
	if (in->bad || !f || flags & ~3u)
		return f ? -EINVAL : -EBADF;
	if (!fits || !*name || size > SHARE_XATTR_MAX)
		return fits && *name ? -E2BIG : -ERANGE;
	e = fid_make_value(p, f, (uint32_t)size);
	if (e)
		return e;
	f->name = strdup(name);
	if (!f->name) {
		fid_drop_value(p, f);
		return -ENOMEM;
	}
	f->name_bytes = (uint32_t)strlen(name) + 1;
	f->flags = flags;
	f->kind = FID_XATTR_WRITE;
	return 0;
}

/* When all of the value has come. One of no bytes removes the attribute. */
static int set_xattr(struct p9 *p, const struct p9_fid *f)
{
	if (f->value_done != f->value_bytes)
		return -EINVAL;
	if (!f->value_bytes)
		return share_xattr_remove(&p->share, fid_path(f), f->name);
	return share_xattr_set(&p->share, fid_path(f), f->name, f->value, f->value_bytes, (int)f->flags);
}

static int do_clunk(struct p9 *p, struct wire_in *in, struct wire_out *out)
{
	struct p9_fid *f = get_fid(p, in);
	int e = 0;

	(void)out;
	if (in->bad || !f)
		return in->bad ? -EINVAL : -EBADF;
	if (f->kind == FID_XATTR_WRITE)
		e = set_xattr(p, f);
	fid_free(p, f);
	return e;
}

/* ---- The table ---- */

static const struct message {
	int (*run)(struct p9 *p, struct wire_in *in, struct wire_out *out);	/* 0 or -errno */
	bool changes;		/* not on a share that is read-only */
} messages[] = {
	[8] = { do_statfs, false },       [12] = { do_lopen, false },      [14] = { do_lcreate, true },
	[16] = { do_symlink, true },      [18] = { do_mknod, true },       [20] = { do_rename, true },
	[22] = { do_readlink, false },    [24] = { do_getattr, false },    [26] = { do_setattr, true },
	[30] = { do_xattrwalk, false },   [32] = { do_xattrcreate, true }, [TREADDIR] = { do_readdir, false },
	[50] = { do_fsync, false },       [52] = { do_lock, false },       [54] = { do_getlock, false },
	[70] = { do_link, true },         [72] = { do_mkdir, true },       [74] = { do_renameat, true },
	[76] = { do_unlinkat, true },     [100] = { do_version, false },   [104] = { do_attach, false },
	[108] = { do_flush, false },      [110] = { do_walk, false },      [TREAD] = { do_read, false },
	[118] = { do_write, true },       [120] = { do_clunk, false },     [122] = { do_remove, false },
};

enum { TVERSION = 100 };

static int run_message(struct p9 *p, uint8_t type, struct wire_in *in, struct wire_out *out)
{
	const struct message *m = type < sizeof messages / sizeof messages[0] ? &messages[type] : NULL;

	if (!m || !m->run || (!p->msize && type != TVERSION))
		return -EOPNOTSUPP;
	return m->changes && p->readonly ? -EROFS : m->run(p, in, out);
}

static void put_header(struct wire_out *out, uint32_t bytes, uint8_t type, uint16_t tag)
{
	out->at = 0;
	out->full = false;
	put32(out, bytes);
	put8(out, type);
	put16(out, tag);
}

uint32_t p9_serve(struct p9 *p, const uint8_t *in, uint32_t n, uint8_t *out, uint32_t room)
{
	struct wire_in head = { .at = in, .left = n };
	uint32_t size = get32(&head), bytes;
	uint8_t type = get8(&head);
	uint16_t tag = get16(&head);
	struct wire_out answer = { .buf = out, .at = P9_HEADER, .room = p->msize && room > p->msize ? p->msize : room };
	int e;

	if (size < P9_HEADER || size > n || (p->msize && type != TVERSION && size > p->msize))
		e = -EMSGSIZE;
	else
		head.left = size - P9_HEADER, e = run_message(p, type, &head, &answer);
	if (!e && answer.full)
		e = -EMSGSIZE;
	bytes = e ? P9_REPLY_MIN : answer.at;
	put_header(&answer, bytes, e ? RLERROR : (uint8_t)(type + 1), tag);
	if (e)
		put32(&answer, (uint32_t)-e);
	return bytes;
}

uint32_t p9_wanted(const uint8_t *in, uint32_t n)
{
	struct wire_in head = { .at = in, .left = n };
	uint8_t type;

	get32(&head);
	type = get8(&head);
	get16(&head);
	get32(&head);
	get64(&head);
	return type == TREAD || type == TREADDIR ? get32(&head) : 0;
}

/* ---- Beginning, ending ---- */

void p9_reset(struct p9 *p)
{
	while (p->first)
		fid_free(p, p->first);
	p->msize = 0;
	p->fids = 0;
	p->path_bytes = p->xattr_bytes = 0;
	memset(p->bucket, 0, sizeof p->bucket);
}

bool p9_open(struct p9 *p, const struct share_options *o, struct error *err)
{
	*p = (struct p9){ .readonly = o->readonly, .devices = o->devices };
	if (!share_open(&p->share, o, err))
		return false;
	device_number(p, p->share.device, 0);
	fids_init(p);
	return true;
}

void p9_close(struct p9 *p)
{
	p9_reset(p);
	share_close(&p->share);
}

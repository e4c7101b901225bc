/* Tgetattr, Tsetattr, Tstatfs. */
#define _GNU_SOURCE
#include "machine/host/p9/message.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#define MAGIC       0x01021997u	/* of such a file system, for statfs */
#define BASIC_STATS UINT64_C(0x7ff)

enum { SET_MODE = 1, SET_UID = 2, SET_GID = 4, SET_SIZE = 8, SET_ATIME = 16, SET_MTIME = 32, SET_CTIME = 64, SET_ATIME_TO = 128,
       SET_MTIME_TO = 256 };

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

int p9_getattr(struct p9 *p, struct wire_in *in, struct wire_out *out)
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
	qid_put(out, &qid);
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

int p9_setattr(struct p9 *p, struct wire_in *in, struct wire_out *out)
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

int p9_statfs(struct p9 *p, struct wire_in *in, struct wire_out *out)
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

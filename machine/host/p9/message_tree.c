/* Names that come, go and change: Tmkdir, Tmknod, Tsymlink, Treadlink, Tlink, Tunlinkat, Tremove, Trename, Trenameat. */
#include "machine/host/p9/message.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#define REMOVE_FOLDER 0x200u

/* ---- Making ---- */

/* After something has been made: its qid. */
static int put_new(struct p9 *p, const char *path, struct wire_out *out, int e)
{
	struct qid qid;

	if (e)
		return e;
	fids_changed(p, path);
	e = qid_look(p, path, &qid);
	if (!e)
		qid_put(out, &qid);
	return e;
}

int p9_mkdir(struct p9 *p, struct wire_in *in, struct wire_out *out)
{
	const struct p9_fid *f = get_fid(p, in);
	int e = f ? 0 : -EBADF;
	char path[SHARE_PATH_MAX];
	struct share_owner owner;
	uint32_t mode, gid;

	if (e || (e = name_child(p, f, in, path, -EEXIST)))
		return e;
	mode = get32(in);
	gid = get32(in);
	if (in->bad)
		return -EINVAL;
	owner = owner_of(f, gid, (mode & 07777) | S_IFDIR);
	return put_new(p, path, out, share_mkdir(&p->share, path, &owner));
}

int p9_mknod(struct p9 *p, struct wire_in *in, struct wire_out *out)
{
	const struct p9_fid *f = get_fid(p, in);
	int e = f ? 0 : -EBADF;
	uint32_t mode, major_, minor_, gid;
	char path[SHARE_PATH_MAX];
	struct share_owner owner;

	if (e || (e = name_child(p, f, in, path, -EEXIST)))
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

int p9_symlink(struct p9 *p, struct wire_in *in, struct wire_out *out)
{
	const struct p9_fid *f = get_fid(p, in);
	int e = f ? 0 : -EBADF;
	char path[SHARE_PATH_MAX], target[SHARE_PATH_MAX];
	struct share_owner owner;
	uint32_t gid;

	if (e || (e = name_child(p, f, in, path, -EEXIST)))
		return e;
	if (!get_text(in, target, sizeof target) || !*target)
		return in->bad ? -EINVAL : *target ? -ENAMETOOLONG : -ENOENT;
	gid = get32(in);
	if (in->bad)
		return -EINVAL;
	owner = owner_of(f, gid, S_IFLNK | 0777);
	return put_new(p, path, out, share_symlink(&p->share, target, path, &owner));
}

/* The path of a name that `f` is to have in the folder `dir`. `dots`: what "." and ".." are answered with. */
static int get_new_name(struct p9 *p, struct wire_in *in, const struct p9_fid *f, const struct p9_fid *dir, char path[SHARE_PATH_MAX],
			int dots)
{
	int e = f && dir ? name_child(p, dir, in, path, dots) : -EBADF;

	return e || !is_lost(f) ? e : -ESTALE;
}

int p9_link(struct p9 *p, struct wire_in *in, struct wire_out *out)
{
	const struct p9_fid *dir = get_fid(p, in), *f = get_fid(p, in);
	char path[SHARE_PATH_MAX];
	int e;

	(void)out;
	e = get_new_name(p, in, f, dir, path, -EEXIST);
	if (e)
		return e;
	e = *fid_path(f) ? share_link(&p->share, fid_path(f), path) : -EPERM;
	if (!e)
		fids_changed(p, path);
	return e;
}

int p9_readlink(struct p9 *p, struct wire_in *in, struct wire_out *out)
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

int p9_unlinkat(struct p9 *p, struct wire_in *in, struct wire_out *out)
{
	const struct p9_fid *f = get_fid(p, in);
	char path[SHARE_PATH_MAX];
	uint32_t flags;
	int e;

	(void)out;
	if (!f)
		return -EBADF;
	e = name_child(p, f, in, path, -EINVAL);
	flags = get32(in);
	if (in->bad || e || flags & ~REMOVE_FOLDER)
		return e ? e : -EINVAL;
	return unlink_path(p, path, flags);
}

/* The fid is gone in any case. */
int p9_remove(struct p9 *p, struct wire_in *in, struct wire_out *out)
{
	struct p9_fid *f = get_fid(p, in);
	struct qid qid;
	int e;

	(void)out;
	if (in->bad || !f)
		return in->bad ? -EINVAL : -EBADF;
	e = p->readonly ? -EROFS : is_lost(f) ? -ESTALE : qid_look(p, fid_path(f), &qid);
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

int p9_rename(struct p9 *p, struct wire_in *in, struct wire_out *out)
{
	const struct p9_fid *f = get_fid(p, in), *dir = get_fid(p, in);
	char from[SHARE_PATH_MAX], to[SHARE_PATH_MAX];
	int e;

	(void)out;
	e = get_new_name(p, in, f, dir, to, -EISDIR);
	if (e)
		return e;
	strcpy(from, fid_path(f));
	return rename_path(p, from, to);
}

int p9_renameat(struct p9 *p, struct wire_in *in, struct wire_out *out)
{
	const struct p9_fid *dir = get_fid(p, in), *new_dir;
	char from[SHARE_PATH_MAX], to[SHARE_PATH_MAX];
	int e;

	(void)out;
	if (!dir)
		return -EBADF;
	e = name_child(p, dir, in, from, -EISDIR);
	new_dir = get_fid(p, in);
	if (in->bad || e || !new_dir)
		return e ? e : -EBADF;
	e = name_child(p, new_dir, in, to, -EISDIR);
	return e ? e : rename_path(p, from, to);
}

/* Tlopen, Tlcreate. */
#include "machine/host/p9/message.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#define L_EXCL  0200u
#define L_TRUNC 01000u

int p9_lopen(struct p9 *p, struct wire_in *in, struct wire_out *out)
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
	e = qid_look(p, fid_path(f), &qid);
	if (e || (e = fid_make_room(p)))
		return e;
	folder = qid.type & QID_FOLDER;
	fd = share_open_file(&p->share, fid_path(f), folder ? O_RDONLY | O_DIRECTORY : fid_host_flags(flags));
	if (fd < 0)
		return fd;
	fid_opened(p, f, folder ? FID_FOLDER : FID_FILE, folder ? 0 : flags, fd);
	qid_put(out, &qid);
	put32(out, folder ? 0 : io_unit(p));
	return 0;
}

int p9_lcreate(struct p9 *p, struct wire_in *in, struct wire_out *out)
{
	struct p9_fid *f = get_closed_fid(p, in);
	char path[SHARE_PATH_MAX];
	uint32_t flags, mode, gid;
	struct share_owner owner;
	struct qid qid;
	int fd, e;

	if (!f)
		return -EBADF;
	e = name_child(p, f, in, path, -EEXIST);
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
	e = qid_look(p, path, &qid);
	if (!e && qid.type & QID_FOLDER)
		e = -EISDIR;
	if (!e && !fid_set_path(p, f, path))
		e = -ENOMEM;
	if (e) {
		close(fd);
		return e;
	}
	fid_opened(p, f, FID_FILE, flags, fd);
	qid_put(out, &qid);
	put32(out, io_unit(p));
	return 0;
}

/* How fids come and go: Tattach, Twalk, Tclunk. */
#include "machine/host/p9/message.h"

#include <errno.h>
#include <string.h>

#define WALK_MAX 16u

/* Names of users and of trees mean nothing here: there is one tree. */
int p9_attach(struct p9 *p, struct wire_in *in, struct wire_out *out)
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
	e = qid_look(p, "", &qid);
	if (e)
		return e;
	f = fid_new(p, number, uid, "");
	if (!f)
		return fid_find(p, number) || number == P9_NOFID ? -EINVAL : -ENFILE;
	qid_put(out, &qid);
	return 0;
}

/* How many of the names there are; their qids, and where the last one leads. -errno: not even the first. */
static int walk_names(struct p9 *p, struct wire_in *in, uint32_t n, char path[SHARE_PATH_MAX], struct qid qid[WALK_MAX])
{
	char name[SHARE_NAME_MAX];
	int e = 0;

	for (uint32_t i = 0; i < n; i++) {
		e = name_get(in, name) ? name_step(p, path, name) : -ENOENT;
		if (!e)
			e = qid_look(p, path, &qid[i]);
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

int p9_walk(struct p9 *p, struct wire_in *in, struct wire_out *out)
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
		qid_put(out, &qid[i]);
	return 0;
}

int p9_clunk(struct p9 *p, struct wire_in *in, struct wire_out *out)
{
	struct p9_fid *f = get_fid(p, in);
	int e = 0;

	(void)out;
	if (in->bad || !f)
		return in->bad ? -EINVAL : -EBADF;
	if (f->kind == FID_XATTR_WRITE)
		e = xattr_finish(p, f);
	fid_free(p, f);
	return e;
}

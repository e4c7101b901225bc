/* Extended attributes, which are read and written through fids of their own: Txattrwalk, Txattrcreate. */
#include "machine/host/p9/message.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

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

int p9_xattrwalk(struct p9 *p, struct wire_in *in, struct wire_out *out)
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

int p9_xattrcreate(struct p9 *p, struct wire_in *in, struct wire_out *out)
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
int xattr_finish(struct p9 *p, const struct p9_fid *f)
{
	if (f->value_done != f->value_bytes)
		return -EINVAL;
	if (!f->value_bytes)
		return share_xattr_remove(&p->share, fid_path(f), f->name);
	return share_xattr_set(&p->share, fid_path(f), f->name, f->value, f->value_bytes, (int)f->flags);
}

/* Tlock, Tgetlock. */
#include "machine/host/p9/message.h"

#include <errno.h>
#include <string.h>

/* One guest is the only one who locks here: it keeps its own locks. */
int p9_lock(struct p9 *p, struct wire_in *in, struct wire_out *out)
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

int p9_getlock(struct p9 *p, struct wire_in *in, struct wire_out *out)
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

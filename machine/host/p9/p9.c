/* A server of 9P2000.L: how a message is framed, which function answers it, beginning and end. See p9.h. */
#include "machine/host/p9/p9.h"

#include <errno.h>
#include <string.h>

#include "machine/host/p9/message.h"

#define VERSION "9P2000.L"

enum { RLERROR = 7, TREADDIR = 40, TVERSION = 100, TREAD = 116 };

/* ---- The table ---- */

#define MESSAGE(number, name, changes) [number] = { p9_##name, changes },

static const struct message {
	int (*run)(struct p9 *p, struct wire_in *in, struct wire_out *out);	/* 0 or -errno */
	bool changes;		/* not on a share that is read-only */
} messages[UINT8_MAX + 1] = {
#include "machine/host/p9/message.def"
};

/* ---- Messages that are the connection's ---- */

int p9_version(struct p9 *p, struct wire_in *in, struct wire_out *out)
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

/* By the time it comes, all before it have been answered. */
int p9_flush(struct p9 *p, struct wire_in *in, struct wire_out *out)
{
	(void)p;
	(void)out;
	get16(in);
	return in->bad ? -EINVAL : 0;
}

/* ---- Framing ---- */

static int run_message(struct p9 *p, uint8_t type, struct wire_in *in, struct wire_out *out)
{
	const struct message *m = &messages[type];

	if (!m->run || (!p->msize && type != TVERSION))
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
	qids_init(p);
	fids_init(p);
	return true;
}

void p9_close(struct p9 *p)
{
	p9_reset(p);
	share_close(&p->share);
}

/* What the files of 9P's messages share; nobody else includes this. A message's function takes what it says from `in`, puts
 * what is to be answered into `out`, and says 0 or -errno. */
#ifndef MACHINE_HOST_P9_MESSAGE_H
#define MACHINE_HOST_P9_MESSAGE_H

#include "machine/host/p9/fid.h"
#include "machine/host/p9/wire.h"

#define MESSAGE(number, name, changes) int p9_##name(struct p9 *p, struct wire_in *in, struct wire_out *out);
#include "machine/host/p9/message.def"
#undef MESSAGE

#define L_ACCESS   3u			/* of the protocol's open flags: reading, writing, both */
#define HEAD_OF_IO 24u			/* bytes that clients leave room for in a message with data */

/* What a client reads and writes at a time: whole pages, if it can. */
static inline uint32_t io_unit(const struct p9 *p)
{
	uint32_t room = p->msize - HEAD_OF_IO;

	return room >= 4096 ? room - room % 4096 : room;
}

/* ---- Fids ---- */

/* NULL: there is none, or the message is too short to name one. */
static inline struct p9_fid *get_fid(struct p9 *p, struct wire_in *in)
{
	uint32_t number = get32(in);

	return in->bad ? NULL : fid_find(p, number);
}

static inline struct p9_fid *get_closed_fid(struct p9 *p, struct wire_in *in)
{
	struct p9_fid *f = get_fid(p, in);

	return f && f->kind == FID_PATH ? f : NULL;
}

static inline bool is_open(const struct p9_fid *f) { return f->kind == FID_FILE || f->kind == FID_FOLDER; }

/* An open file whose name is gone: what is called so by now is another one. */
static inline bool is_lost(const struct p9_fid *f) { return f->pinned && is_open(f); }

/* Of what somebody makes in the folder `dir`. */
static inline struct share_owner owner_of(const struct p9_fid *dir, uint32_t gid, uint32_t mode)
{
	return (struct share_owner){ .uid = dir->uid, .gid = gid, .mode = mode, .rdev = UINT64_MAX };
}

/* All of an attribute's value has come, and its fid goes. */
int xattr_finish(struct p9 *p, const struct p9_fid *f);

/* ---- name.c ---- */

/* False: it is no name of something in a folder. */
bool name_get(struct wire_in *in, char name[SHARE_NAME_MAX]);
/* `path` becomes where `name` leads from there; "." and ".." are words here, no way for the host to go. */
int name_step(struct p9 *p, char path[SHARE_PATH_MAX], const char *name);
/* The path of a name that a message gives in the folder `dir`. `dots`: what "." and ".." are answered with. */
int name_child(struct p9 *p, const struct p9_fid *dir, struct wire_in *in, char path[SHARE_PATH_MAX], int dots);

/* ---- qid.c ---- */

enum { QID_FOLDER = 0x80, QID_LINK = 2 };

struct qid {
	uint8_t type;
	uint32_t version;
	uint64_t path;
};

void qids_init(struct p9 *p);
int qid_path(struct p9 *p, dev_t device, uint64_t inode, uint64_t *path);
int qid_of(struct p9 *p, const struct stat *st, struct qid *qid);
int qid_look(struct p9 *p, const char *path, struct qid *qid);
void qid_put(struct wire_out *out, const struct qid *qid);

#endif

/* Fids: names that a client has given to files, and what of the host stands behind each. See p9.h. */
#ifndef MACHINE_HOST_P9_FID_H
#define MACHINE_HOST_P9_FID_H

#include "machine/host/p9/p9.h"

#define P9_NOFID UINT32_MAX
#define FID_VALUES_MAX (UINT64_C(8) << 20)	/* bytes of attributes' values */
#define FID_PLACE_MAX (INT64_MAX / 2)	/* numbers of entries */

enum fid_kind {
	FID_PATH,			/* not open */
	FID_FILE, FID_FOLDER,
	FID_XATTR_READ, FID_XATTR_WRITE,
};

struct p9_fid {
	uint32_t number;
	uint32_t uid;			/* who has attached it, or what it was walked from */
	uint32_t kind;			/* enum fid_kind */
	uint32_t flags;			/* the protocol's: of the open file; of the attribute to be set */
	uint32_t path_bytes;		/* with the NUL */
	void *path;
	uint32_t name_bytes;		/* of an attribute to be set, with the NUL */
	void *name;
	uint32_t value_bytes, value_done;	/* of an attribute; how much of it has been written */
	void *value;
	/* Of a folder: the number and the name (with the NUL) of the entry that has been read last. 0: none has. */
	uint64_t place;
	uint32_t place_bytes;
	void *place_name;
	/* The host's. */
	int fd;
	bool has_fd;			/* else it is to be opened again */
	bool pinned;			/* its path leads elsewhere: never to be opened again */
	struct share_listing *listing;	/* of a folder; NULL: to be made */
	int64_t shift;			/* its entry i has number i + 1 + shift */
	uint64_t used;			/* p9.uses when it last was */
	struct p9_fid *next, *before, *chain;
};

static inline const char *fid_path(const struct p9_fid *f) { return f->path; }

void fids_init(struct p9 *p);
struct p9_fid *fid_find(struct p9 *p, uint32_t number);	/* NULL: there is none */
/* NULL: the number is in use, there are too many, or no memory. */
struct p9_fid *fid_new(struct p9 *p, uint32_t number, uint32_t uid, const char *path);
void fid_index(struct p9 *p, struct p9_fid *f);			/* one of a loaded list can be found now */
void fid_free(struct p9 *p, struct p9_fid *f);
bool fid_set_path(struct p9 *p, struct p9_fid *f, const char *path);	/* false: no memory, or all paths have too many bytes */
/* Before a file is opened: another one is closed if there are too many. -ENFILE: none of them can be. */
int fid_make_room(struct p9 *p);
void fid_opened(struct p9 *p, struct p9_fid *f, enum fid_kind kind, uint32_t flags, int fd);
/* The descriptor of an open one, opened again if need be. -EBADF: it is not open. */
int fid_descriptor(struct p9 *p, struct p9_fid *f);
/* f->listing is there then. `first`: it is read from its beginning; else it goes on behind the entry that was read last,
 * also if it is made anew meanwhile: it always is as the client has left the folder. */
int fid_listing(struct p9 *p, struct p9_fid *f, bool first);
bool fid_set_place(struct p9_fid *f, uint64_t number, const char *name);	/* false: no memory */
/* Room for an attribute's value. */
int fid_make_value(struct p9 *p, struct p9_fid *f, uint32_t bytes);
void fid_drop_value(struct p9 *p, struct p9_fid *f);
/* There is a name more, or less. */
void fids_changed(struct p9 *p, const char *path);
/* A name is gone, or leads elsewhere. */
void fids_unlinked(struct p9 *p, const char *path);
void fids_renamed(struct p9 *p, const char *from, const char *to);

/* The host's open flags of the protocol's, of those that count. */
int fid_host_flags(uint32_t flags);

#endif

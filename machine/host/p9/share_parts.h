/* What the files of a share know of each other; nobody else includes this. */
#ifndef MACHINE_HOST_P9_SHARE_PARTS_H
#define MACHINE_HOST_P9_SHARE_PARTS_H

#include "machine/host/p9/share.h"

/* Where a path ends: the folder it is in, and its name there ("." for the share itself). */
struct spot {
	int dir;
	const char *name;
	bool own;			/* `dir` is to be closed */
};

int spot_open(struct share *s, const char *path, struct spot *p);
void spot_close(struct spot *p);

bool share_is_mapped(const struct share *s);

/* ---- share_mapped.c: owners and modes of mapped models ---- */
void mapped_stat(struct share *s, int dir, const char *name, struct stat *st);	/* replaces what is kept */
/* `fresh`: nothing that was kept before counts. */
int mapped_set(struct share *s, int dir, const char *name, const struct share_owner *owner, bool fresh);
/* Whatever else is kept in files follows: those are no errors. */
void mapped_unlinked(struct share *s, int dir, const char *name);
void mapped_empty(struct share *s, int dir, const char *name);		/* before that folder is removed, or replaced */
int mapped_link(struct share *s, const struct spot *from, const struct spot *to);
int mapped_rename(struct share *s, const struct spot *from, const struct spot *to);

/* A name for the calls that know no folder's descriptor. */
#define PROC_PATH_MAX (SHARE_NAME_MAX + 64)
void proc_path(char buf[PROC_PATH_MAX], int dir, const char *name);

#endif

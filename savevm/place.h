/* Where a name leads, in folders that others can write too: /tmp, a group's.
 *
 * A link or a file that is there already counts only if it belongs to us or to whoever owns the folder; who else
 * could have put it there is nobody in a folder that only its owner can write, so there nothing is asked. Linux
 * does the same for sticky folders under fs.protected_symlinks and fs.protected_regular, where it is told to.
 */
#ifndef SAVEVM_PLACE_H
#define SAVEVM_PLACE_H

#include <limits.h>
#include <stdbool.h>
#include <sys/stat.h>

#include "savevm/error.h"

struct place {
	int folder;			/* held open, so that nobody moves it from under us */
	bool kernels;			/* `name` is a link of /proc to an open file, which only the kernel can follow */
	char name[NAME_MAX + 1];	/* in that folder; there may be no such file */
};

/* Follows `path` link by link. False: `why` is the reason alone, for the caller to say about what. */
bool place_find(struct place *p, const char *path, struct error *why);
void place_close(struct place *p);
/* Whether what is there, as fstat() says, is ours to use. */
bool place_trusts(const struct place *p, const struct stat *st);
/* False: `why` says whose it is. */
bool place_check(const struct place *p, const struct stat *st, struct error *why);
/* Is there a regular file that we would write in place? Nothing is opened. False: `why` is the reason alone. */
bool place_has_file(const char *path, struct error *why);

/* Opens what is written in place, from its beginning: a new file (0666 less the umask), one of ours (which keeps its
 * mode), a device, a FIFO that somebody reads. Never waits. The descriptor blocks; -1: `why` is the reason alone. */
int output_open(const char *path, struct error *why);
int output_append(const char *path, struct error *why);	/* the same, but behind what a file has */
/* For reading and writing, as it is: a regular file, a new one if there is none. */
int output_keep(const char *path, struct error *why);
/* The same of one that is there. */
int output_reopen(const char *path, struct error *why);

#endif

/* Files that are whole or the old ones: written beside, flushed to the disk, put in place.
 *
 * What is written is a new file of ours (0666 less the umask) that nobody else has had in hand: the links on the way to
 * it and what lies beside are held to place.h's rule. */
#ifndef SAVEVM_FILE_H
#define SAVEVM_FILE_H

#include <stdbool.h>

#include "savevm/error.h"
#include "savevm/place.h"

struct save_file {
	char *path;			/* where it is to be, as the user says it */
	char beside[NAME_MAX + 1];	/* where it is being written: a name in place.folder */
	struct place place;
	int fd;				/* to write to */
};

/* Whether there is a folder for `path` that we may write: for who begins long before the file does. What is in it then, and whose,
 * save_file_open() sees. */
bool save_file_has_folder(const char *path, struct error *err);
/* Makes "PATH.part" beside `path`; false and err->msg set if it cannot be, or another process writes it. What an
 * earlier one of ours left there is removed, anything else refused. */
bool save_file_open(struct save_file *f, const char *path, struct error *err);
/* All is written: to the disk with it, then into its place. False: the old file is still there. */
bool save_file_commit(struct save_file *f, struct error *err);
/* Gives it up; the old file stays. */
void save_file_drop(struct save_file *f);
/* Removes the "PATH.part" of a process of ours that was killed; what save_file_open() would refuse stays. */
void save_file_remove_part(const char *path);

#endif

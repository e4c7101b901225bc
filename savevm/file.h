/* Files that are whole or the old ones: written beside, flushed to the disk, put in place. */
#ifndef SAVEVM_FILE_H
#define SAVEVM_FILE_H

#include <stdbool.h>

#include "machine/error.h"

struct save_file {
	char *path, *beside;		/* where it is to be, where it is being written */
	int fd;				/* to write to */
};

/* Opens "PATH.part" beside `path`; false and err->msg set if it cannot be, or another process
 * writes it. What an earlier one left there is replaced. */
bool save_file_open(struct save_file *f, const char *path, struct error *err);
/* All is written: to the disk with it, then into its place. False: the old file is still there. */
bool save_file_commit(struct save_file *f, struct error *err);
/* Gives it up; the old file stays. */
void save_file_drop(struct save_file *f);

#endif

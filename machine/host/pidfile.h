/* -pidfile: a file with our process's number, which is ours as long as we live. */
#ifndef MACHINE_HOST_PIDFILE_H
#define MACHINE_HOST_PIDFILE_H

#include <stdbool.h>
#include <sys/types.h>

#include "savevm/error.h"

struct pidfile {
	const char *path;
	int fd;				/* -1: there is none */
	dev_t dev;
	ino_t ino;
};

/* Made or taken over, unless a process that lives has it. */
bool pidfile_make(struct pidfile *p, const char *path, struct error *err);
void pidfile_remove(struct pidfile *p);	/* if the name is still that of ours */

#endif

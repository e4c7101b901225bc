/* What -chardev names: a host-side character stream and the name by which a device asks for it. */
#ifndef MACHINE_HOST_CHARDEV_H
#define MACHINE_HOST_CHARDEV_H

#include <stdbool.h>
#include <stdio.h>

#include "savevm/error.h"

#define CHARDEV_ID_MAX 64		/* bytes, with the NUL */

struct chardev {
	char id[CHARDEV_ID_MAX];
	char spec[4096];		/* for console_open() */
	bool taken;			/* by -serial chardev:ID */
};

/* "BACKEND,id=ID[,KEY=VALUE..]"; a doubled comma is one of a value. Nothing is opened. False and err->msg set. */
bool chardev_parse(const char *text, struct chardev *chardev, struct error *err);
void chardev_help(FILE *out);

#endif

/* What the commands of cede-snap share. */
#ifndef TOOLS_SNAP_H
#define TOOLS_SNAP_H

#include <stdbool.h>
#include <stdint.h>

#include "savevm/inspect.h"

int give_up(const char *fmt, ...) __attribute__((format(printf, 1, 2)));	/* one line; returns 1 */
unsigned processors(struct inspect *in);
/* FILE OUT target=qemu, layout=..., compress=zstd */
int convert(struct inspect *in, char **args, bool json);

#endif

/* What the files of cede-snap share. */
#ifndef TOOLS_SNAP_SNAP_H
#define TOOLS_SNAP_SNAP_H

#include <stdbool.h>
#include <stdint.h>

#include "savevm/inspect.h"

int give_up(const char *fmt, ...) __attribute__((format(printf, 1, 2)));	/* prints one line on stderr; returns the exit status 1 */
unsigned processors(struct inspect *in);		/* how many the snapshot's machine has */
/* The command convert: args are FILE, OUT, and one of layout=stream, layout=mapped, compress=zstd, target=qemu. 0, or the
 * exit status. */
int convert(struct inspect *in, char **args, bool json);

#endif

/* What the files of this room have of each other; nobody else includes this. */
#ifndef MACHINE_PROFILE_PROFILE_FILE_H
#define MACHINE_PROFILE_PROFILE_FILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "savevm/error.h"

struct machine;
struct spent;

/* The file is whole, or the old one. */
bool profile_write(struct machine *m, const char *path, const struct spent *s, uint64_t began, uint64_t ended, struct error *err);

#endif

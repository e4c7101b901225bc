/* Who uses an image: QEMU's lock bytes, so that neither program opens what the other one writes. */
#ifndef MACHINE_HOST_BLOCK_LOCK_H
#define MACHINE_HOST_BLOCK_LOCK_H

#include <stdbool.h>

#include "savevm/error.h"

/* What one does with an image, and what others may not do meanwhile. */
enum { IMAGE_READ = 1, IMAGE_WRITE = 2, IMAGE_RESIZE = 8 };

/* For as long as `fd` is open, on top of what it has. False: `why` says which of them somebody stands against, in QEMU's
 * words. A file system without locks has none to give: true. */
bool block_lock(int fd, unsigned uses, unsigned forbids, struct error *why);
void block_unlock(int fd);	/* gives away all of them */

#endif

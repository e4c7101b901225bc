/* Which format an image has: by name, or as its first bytes say. */
#ifndef MACHINE_HOST_BLOCK_PROBE_H
#define MACHINE_HOST_BLOCK_PROBE_H

#include "machine/host/block/driver.h"

/* Are these bytes, of the image's beginning, of no format that we or QEMU know? */
bool probe_is_raw(const uint8_t *head, uint64_t n);
/* Does the name lead to a server? */
bool probe_is_nbd(const char *file);
/* As block_format(). */
const char *node_format(const struct block_node *n);
/* Gives away what opening the node has locked, though it stays open; takes it again. */
void probe_unlock(struct block_node *n);
void probe_lock(struct block_node *n, const struct block_options *o);

#endif

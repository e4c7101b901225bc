/* Images on top of others: -snapshot's, which nobody finds. */
#ifndef MACHINE_HOST_BLOCK_OVERLAY_H
#define MACHINE_HOST_BLOCK_OVERLAY_H

#include "machine/host/block/driver.h"

/* The image of `o`, read-only, under an overlay that takes what is written and is gone when it is closed. */
struct block_node *overlay_open(const struct block_options *o, struct error *err);
/* Puts the image `file`, made unless it `exists`, on top of `below`, whose options are `o`, and closes that. NULL and
 * err->msg set: nothing has changed. */
struct block_node *overlay_put(struct block_node *below, const struct block_options *o, const char *file, bool exists,
			       struct error *err);

#endif

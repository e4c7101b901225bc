/* Images on top of others: -snapshot's, which nobody finds. */
#ifndef MACHINE_HOST_BLOCK_OVERLAY_H
#define MACHINE_HOST_BLOCK_OVERLAY_H

#include "machine/host/block/driver.h"

/* The image of `o`, read-only, under an overlay that takes what is written and is gone when it is closed. */
struct block_node *overlay_open(const struct block_options *o, struct error *err);

#endif

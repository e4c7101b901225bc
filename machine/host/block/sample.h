/* What an image is recognised by: see block_sample(). */
#ifndef MACHINE_HOST_BLOCK_SAMPLE_H
#define MACHINE_HOST_BLOCK_SAMPLE_H

#include "machine/host/block/driver.h"

/* On the image's thread. 0 or an errno. */
int sample_take(struct block_node *n, struct block_sample *sample);

#endif

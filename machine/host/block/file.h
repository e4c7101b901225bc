/* What block.c asks of an image's file besides its bytes. */
#ifndef MACHINE_HOST_BLOCK_FILE_H
#define MACHINE_HOST_BLOCK_FILE_H

#include "machine/host/block/driver.h"

/* NULL and err->msg set. Nothing is locked. */
struct block_node *block_file_open(const struct block_options *o, struct error *err);
/* Its descriptor; -1: the node is no file. */
int block_file_fd(const struct block_node *n);

#endif

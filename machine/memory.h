/* Guest RAM on the host. */
#ifndef MACHINE_MEMORY_H
#define MACHINE_MEMORY_H

#include "cpu/ram.h"
#include "machine/error.h"

/* Maps `size` bytes (a multiple of 2 MiB), all zero; host memory is taken page by page as the
 * guest touches it. False and err->msg set if the host refuses. */
bool memory_map(struct ram *ram, uint64_t size, struct error *err);
void memory_unmap(struct ram *ram);
/* All zero again, as after power-on, and given back to the host. */
void memory_clear(struct ram *ram);

#endif

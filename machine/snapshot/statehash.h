/* A 64-bit hash over everything the guest can see. */
#ifndef MACHINE_SNAPSHOT_STATEHASH_H
#define MACHINE_SNAPSHOT_STATEHASH_H

#include <stdint.h>

struct machine;

/* Between quanta only. The same on every host; changes nothing that the guest can see. 0: out of memory. */
uint64_t machine_statehash(struct machine *m);
uint64_t machine_instructions(const struct machine *m);

#endif

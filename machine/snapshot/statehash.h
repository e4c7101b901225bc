/* A 64-bit hash over everything the guest can see. Equal states, equal hashes; it is no
 * defence against somebody who looks for collisions. */
#ifndef MACHINE_STATEHASH_H
#define MACHINE_STATEHASH_H

#include <stddef.h>
#include <stdint.h>

struct machine;

uint64_t hash_u64(uint64_t hash, uint64_t value);
uint64_t hash_bytes(uint64_t hash, const void *buf, size_t len);

/* Between quanta only. The same on every host. */
uint64_t machine_statehash(struct machine *m);
uint64_t machine_instructions(const struct machine *m);

#endif

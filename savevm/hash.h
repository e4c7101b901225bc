/* A fast 64-bit hash of state, the same on every host. Equal bytes, equal hashes; it is no defence against
 * somebody who looks for collisions. A chain: what has been hashed so far goes in, the new hash comes out. */
#ifndef SAVEVM_HASH_H
#define SAVEVM_HASH_H

#include <stddef.h>
#include <stdint.h>

uint64_t hash_u64(uint64_t hash, uint64_t value);
uint64_t hash_bytes(uint64_t hash, const void *buf, size_t len);

#endif

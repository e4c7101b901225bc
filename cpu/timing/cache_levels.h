/* Tags of the levels behind L1, and which core may have a line: what cpu/timing/caches.c and cache_streams.c share. */
#ifndef CPU_TIMING_CACHE_LEVELS_H
#define CPU_TIMING_CACHE_LEVELS_H

#include "cpu/timing/caches.h"

/* Where `core` finds the line. From then on it is in all levels up to that one. */
enum cache_level cache_reach(struct cache_chip *chip, unsigned core, uint32_t tag);
/* The other cores lose the line: `core` is about to store. */
void cache_take(struct cache_chip *chip, unsigned core, uint32_t tag);
/* Drops it from all levels and cores, but for caches of instructions. */
void cache_forget(struct cache_chip *chip, uint32_t tag);

void cache_l1_put(struct cache_l1 *l1, uint32_t sets, unsigned ways, uint32_t tag);
void cache_l1_drop(struct cache_l1 *l1, uint32_t sets, uint32_t tag);

/* A line on its way from `level`: how much later than its latency it comes, for those before it. Those that are waited for
 * go before those that are fetched ahead. */
uint32_t cache_delay(const struct cache_chip *chip, struct core_caches *c, enum cache_level level, uint64_t now, bool ahead);

/* True if a stream has fetched the line ahead: what is left of its latency, and from where. Goes on with the stream. */
bool cache_stream_use(struct cache_chip *chip, unsigned core, uint32_t tag, uint64_t now, uint32_t *left, enum cache_level *from,
		      uint64_t *event);
/* A miss that no stream has foreseen: a neighbour's before makes one. */
void cache_stream_train(struct cache_chip *chip, unsigned core, uint32_t tag, uint64_t now, uint64_t *event);

#endif

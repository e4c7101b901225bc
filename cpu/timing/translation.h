/* Look-aside buffers: what it costs to translate an effective address.
 *
 * ERATs hold pages of at most 64 KiB, first in, first out; behind them, on some models, a second level for data; then the
 * TLB, and caches of the upper entries of radix tables. A hit in the first changes no state. Everything is a core's and
 * state that a snapshot holds, but for the chains through the ERATs, which are made from it; zeros are empty buffers. */
#ifndef CPU_TIMING_TRANSLATION_H
#define CPU_TIMING_TRANSLATION_H

#include <stdbool.h>
#include <stdint.h>

struct cache_chip;

#define ERAT_ENTRIES	256
#define ERAT_CHAINS	512
#define TLB_SETS	1024
#define TLB_WAYS	4
#define TLB_WALK_MOST	4
#define PWC_SETS	32
#define PWC_WAYS	4

/* Costs are in 1/24 cycles (CACHE_CYCLES), beyond a hit in the first level. */
struct tlb_params {
	uint32_t erat_fetch, erat_data, erat_data_smt;	/* entries */
	uint32_t second_data;		/* entries of the second level; 0: none */
	uint32_t sets_hash, sets_radix;	/* of the TLB, 4 ways; powers of two */
	uint32_t walk_caches;		/* upper levels of a radix table that are cached, at most 3 */
	uint32_t second_cost, tlb_data_cost, tlb_fetch_cost;
	uint32_t walk_cost;		/* what a walk costs beside its reads */
};

struct erat {
	uint64_t page[ERAT_ENTRIES];	/* 0: empty */
	uint64_t key[ERAT_ENTRIES];
	uint16_t chain[ERAT_CHAINS];	/* derived: entry + 1, 0: none */
	uint16_t next[ERAT_ENTRIES];	/* the same */
	uint32_t hand;
	uint32_t unused;
};

struct tlb {
	uint64_t page[TLB_SETS * TLB_WAYS], key[TLB_SETS * TLB_WAYS];
	uint8_t hand[TLB_SETS];
};

struct walk_cache {
	uint64_t entry[PWC_SETS * PWC_WAYS];	/* guest real address of a table's entry, + 1 */
	uint64_t key[PWC_SETS * PWC_WAYS];
	uint8_t hand[PWC_SETS];
};

struct core_tlb {
	struct erat fetch, data, second;
	struct tlb tlb;
	struct walk_cache upper[TLB_WALK_MOST - 1];
	uint32_t smt;			/* 1: the core runs several threads */
	uint32_t unused;
};

/* Which page, and whose. */
struct tlb_page {
	uint64_t ea;
	uint64_t key;		/* of the address space; the caller does not ask in real mode */
	unsigned shift;		/* log2 of the page's size, at least 12 */
	bool radix;
};

/* Asked only on a TLB miss: sets the guest real addresses that the walk reads, from the root on, and returns how many. */
typedef unsigned tlb_walk(void *opaque, uint64_t gra[TLB_WALK_MOST]);

/* Who pays, and where reads of tables go. */
struct tlb_call {
	struct cache_chip *chip;	/* NULL: reads of tables cost nothing */
	unsigned core;
	uint64_t now;			/* 1/24 cycles, as are costs */
	uint64_t *event, *stall;	/* cpu/core/counts.h */
	tlb_walk *walk;
	void *opaque;
	struct tlb_page *evicted;	/* set to what had to leave the first level; its shift is 0: nothing had to. NULL: not asked */
};

/* 0: an ERAT hit. `dependent` as for cache_load(). */
unsigned translate_data(const struct tlb_params *p, struct core_tlb *t, const struct tlb_page *page, bool dependent,
			const struct tlb_call *call);
unsigned translate_fetch(const struct tlb_params *p, struct core_tlb *t, const struct tlb_page *page, const struct tlb_call *call);

void translation_flush_all(struct core_tlb *t);
void translation_flush_erats(struct core_tlb *t);
void translation_flush_key(struct core_tlb *t, uint64_t key);
void translation_flush_page(const struct tlb_params *p, struct core_tlb *t, const struct tlb_page *page);
/* Several threads have more of an ERAT on some models; going back to one throws away what is beyond. True: there was some. */
bool translation_set_threads(const struct tlb_params *p, struct core_tlb *t, unsigned threads);
/* Whether what a file says can be; makes the chains. */
bool translation_load(struct core_tlb *t);

#define ERAT_VALID	(UINT64_C(1) << 63)
#define ERAT_64K	(UINT64_C(1) << 62)

/* The page in an ERAT's words: valid, its size, its number in units of 4 KiB. */
static inline uint64_t erat_page(uint64_t ea, unsigned shift)
{
	return shift < 16 ? ERAT_VALID | ea >> 12 : ERAT_VALID | ERAT_64K | (ea >> 12 & ~UINT64_C(15));
}

static inline unsigned erat_chain(uint64_t page, uint64_t key)
{
	return (unsigned)((page ^ key << 20 ^ key >> 7) * UINT64_C(0x9e3779b97f4a7c15) >> 55);
}

/* Entry + 1, 0: none. */
static inline unsigned erat_find(const struct erat *e, uint64_t page, uint64_t key)
{
	unsigned i = e->chain[erat_chain(page, key)];

	while (i && !(e->page[i - 1] == page && e->key[i - 1] == key))
		i = e->next[i - 1];
	return i;
}

/* Whether translating costs nothing and changes nothing. */
static inline bool erat_hit(const struct erat *e, uint64_t key, uint64_t ea, unsigned shift)
{
	return erat_find(e, erat_page(ea, shift), key) != 0;
}

#endif

/* Caches: where a line of guest memory is found, and what an access costs beyond a hit in the first level.
 *
 * Of each core: L1 caches of instructions and data, streams of lines that are fetched ahead, misses that are under way.
 * Of a slice (a core, or a pair of them): L2 and L3. Of the chip: the L3 of the others, which is a far level here. Lines
 * are 128 bytes and known by guest real address. Contents are not held: coherence costs time, never data.
 *
 * Replacement is first in, first out, so a hit changes no state: who knows that an access hits need not call. Stores go
 * through L1D and do not allocate there. Everything but struct cache_chip is state that a snapshot holds; zeros are empty
 * caches. Time and costs are in 1/24 of a core's cycle (CACHE_UNITS). No host pointers in state, bounded work. */
#ifndef CPU_TIMING_CACHES_H
#define CPU_TIMING_CACHES_H

#include <stdbool.h>
#include <stdint.h>

#define CACHE_UNITS		24
#define CACHE_CYCLES(n)		((uint32_t)((n) * CACHE_UNITS))
#define CACHE_LINE_SHIFT	7
#define CACHE_L1_SETS		64
#define CACHE_L1_WAYS		8
#define CACHE_L2_SETS		1024
#define CACHE_L2_WAYS		8
#define CACHE_L3_SETS		8192
#define CACHE_L3_LINES		(4096 * 20)
#define CACHE_FAR_SETS		57344
#define CACHE_FAR_WAYS		16
#define CACHE_OWNED		256
#define CACHE_STREAMS		16
#define CACHE_AHEAD		32

/* Where an access that misses L1 finds its line. */
enum cache_level { CACHE_L2, CACHE_L3, CACHE_FAR, CACHE_MEMORY, CACHE_LEVELS };

/* Sets are powers of two, but for the far level's. Latencies are from load to use, those and times without a unit in
 * 1/24 cycles (CACHE_CYCLES); beyond the core's clock in picoseconds. */
struct cache_params {
	uint32_t l1i_sets, l1i_ways, l1d_sets;	/* L1D: 8 ways */
	uint32_t l2_sets;			/* 8 ways */
	uint32_t l3_sets, l3_ways;
	uint32_t far_sets;			/* 16 ways */
	uint32_t cores_per_slice;
	uint32_t l1, l2, l3, far_ps, memory_ps;
	uint32_t l2_line, l3_line, far_line_ps, memory_line_ps;	/* between two lines of 128 bytes from there */
	uint32_t hide;				/* what the window goes on for while its oldest load waits */
	uint32_t fetch_hide;			/* the same of the instruction buffer */
	uint32_t misses;			/* loads that may miss at a time */
	uint32_t stores;			/* places of the store queue */
	uint32_t streams;
	uint32_t fetch_ahead;			/* lines of instructions fetched ahead in sequence */
	uint8_t depth[8];			/* lines ahead of a stream for each DSCR[DPFD] */
};

struct cache_l1 {
	uint32_t tag[CACHE_L1_SETS * CACHE_L1_WAYS];	/* cache_tag(); 0: empty */
	uint8_t hand[CACHE_L1_SETS];	/* next to be replaced */
};

/* One beside the other, since all are searched at a miss. */
struct cache_streams {
	uint32_t line[CACHE_STREAMS];		/* the last one used */
	uint32_t down[CACHE_STREAMS];		/* all ones: towards lower addresses; 0: higher */
	uint32_t ahead[CACHE_STREAMS];		/* lines fetched beyond it; 0: no stream */
	uint32_t missed[CACHE_STREAMS];		/* lines whose neighbour's miss makes a stream */
	uint64_t ready[CACHE_STREAMS * CACHE_AHEAD];	/* when a line is there, at its number % CACHE_AHEAD of each */
	uint8_t from[CACHE_STREAMS * CACHE_AHEAD];	/* enum cache_level */
	uint8_t hand, missed_hand;		/* next to be replaced */
	uint8_t dpfd;				/* DSCR[DPFD] */
	uint8_t unused[5];
};

struct core_caches {
	struct cache_l1 l1d, l1i;
	uint32_t l1d_mask;			/* sets - 1 */
	uint32_t fetched;			/* the last line of instructions that missed */
	uint32_t owned[CACHE_OWNED];		/* lines that this core has stored to and no other has read since */
	struct cache_streams streams;
	uint64_t demand_free[CACHE_LEVELS];	/* when the way from there can take the next line */
	uint64_t ahead_free[CACHE_LEVELS];	/* the same for what is fetched ahead, which yields to the others */
	uint64_t group_end;			/* until then misses wait together with the oldest */
	uint64_t stores_end;			/* when the store queue is empty */
	uint32_t group_latency, group_misses;
};

struct cache_slice {
	uint32_t l2[CACHE_L2_SETS * CACHE_L2_WAYS], l3[CACHE_L3_LINES];
	uint8_t l2_hand[CACHE_L2_SETS], l3_hand[CACHE_L3_SETS];
};

struct cache_far {
	uint32_t tag[CACHE_FAR_SETS * CACHE_FAR_WAYS];
	uint8_t hand[CACHE_FAR_SETS];
};

/* How the parts hang together. Not state: made by cache_chip_init(), the parts are the caller's. */
struct cache_chip {
	const struct cache_params *p;
	struct core_caches *core;
	struct cache_slice *slice;
	struct cache_far *far;
	uint32_t cores, slices;
	uint32_t latency[CACHE_LEVELS];		/* beyond L1's */
	uint32_t line_time[CACHE_LEVELS];
	uint32_t hide, fetch_hide;
};

/* Slices that `cores` need. */
unsigned cache_slices(const struct cache_params *p, unsigned cores);
/* Zeroed or valid parts: arrays of `cores` and cache_slices(); far: NULL for a chip without. */
void cache_chip_init(struct cache_chip *chip, const struct cache_params *p, unsigned mhz, unsigned cores,
		     struct core_caches *core, struct cache_slice *slice, struct cache_far *far);
/* Whether what a file says of the parts can be. */
bool cache_chip_ok(const struct cache_chip *chip);

/* What an access costs beyond a hit in L1, 0 being one. `event` and `stall` are indexed by cpu/core/counts.h; loads and
 * stores are counted here by lines, so who skips the call after cache_l1d_hit() or cache_store_hit() counts one himself.
 * `now` is the thread's time before the access. `dependent`: the address comes from a load just before, so nothing hides
 * the wait. */
unsigned cache_load(struct cache_chip *chip, unsigned core, uint64_t gra, unsigned size, uint64_t now, bool dependent,
		    uint64_t *event, uint64_t *stall);
unsigned cache_store(struct cache_chip *chip, unsigned core, uint64_t gra, unsigned size, uint64_t now, uint64_t *event,
		     uint64_t *stall);
/* The first instruction of a line of them, or of a block. */
unsigned cache_fetch(struct cache_chip *chip, unsigned core, uint64_t gra, uint64_t *event, uint64_t *stall);
/* Reading an entry of a page table, which begins at L2. The stall is for the caller to count. */
unsigned cache_walk(struct cache_chip *chip, unsigned core, uint64_t gra, uint64_t now, uint64_t *event);
/* dcbz: a store that need not read the line. */
unsigned cache_zero(struct cache_chip *chip, unsigned core, uint64_t gra, uint64_t now, uint64_t *event, uint64_t *stall);
/* dcbt, dcbtst. */
void cache_touch(struct cache_chip *chip, unsigned core, uint64_t gra, uint64_t now, uint64_t *event);
/* dcbf, and what a device writes: the line is in no cache of data. icbi: in no cache of instructions. */
void cache_flush_data(struct cache_chip *chip, uint64_t gra);
void cache_flush_code(struct cache_chip *chip, uint64_t gra);
/* DSCR[DPFD], 0 to 7. */
void cache_set_depth(struct cache_chip *chip, unsigned core, unsigned dpfd);

/* Lines are counted from 1, so that 0 is none. From 512 GiB on they repeat, which costs exactness only. */
static inline uint32_t cache_tag(uint64_t gra)
{
	return (uint32_t)(gra >> CACHE_LINE_SHIFT) + 1;
}

/* Whether cache_load() would return 0 and change nothing, for an access within the line. */
static inline bool cache_l1d_hit(const struct core_caches *c, uint64_t gra)
{
	uint32_t tag = cache_tag(gra), hit = 0;
	const uint32_t *set = &c->l1d.tag[(tag & c->l1d_mask & (CACHE_L1_SETS - 1)) * CACHE_L1_WAYS];

	for (unsigned i = 0; i < CACHE_L1_WAYS; i++)
		hit |= set[i] == tag;
	return hit;
}

/* Whether cache_store() would return 0 and change nothing but the count of stores. */
static inline bool cache_store_hit(const struct core_caches *c, uint64_t gra)
{
	uint32_t tag = cache_tag(gra);

	return c->owned[tag % CACHE_OWNED] == tag && cache_l1d_hit(c, gra);
}

#endif

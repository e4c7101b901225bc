/* What an access costs. Sources of the figures: memory_models.c.
 *
 * Cost is charged as if the processor did nothing but wait, so a wait that it can hide is left out: half of one for a
 * cache's line, or as long as the window lasts. While the oldest load waits, others that do not depend on it wait for
 * free: until `group_end` an access costs only what it takes longer than the first of its group. */
#include "cpu/timing/caches.h"

#include <stddef.h>

#include "cpu/timing/cache_levels.h"
#include "cpu/core/counts.h"

/* The store queue's time for each of its places. A store to a line that is not in L2 holds its place for longer than one
 * that is; the queue counts time, not stores. */
#define STORE_PLACE	CACHE_CYCLES(8)

unsigned cache_slices(const struct cache_params *p, unsigned cores)
{
	return (cores + p->cores_per_slice - 1) / p->cores_per_slice;
}

static uint32_t clock_units(uint32_t ps, unsigned mhz)
{
	return (uint32_t)((uint64_t)ps * mhz * CACHE_UNITS / 1000000);
}

void cache_chip_init(struct cache_chip *chip, const struct cache_params *p, unsigned mhz, unsigned cores,
		     struct core_caches *core, struct cache_slice *slice, struct cache_far *far)
{
	uint32_t to[CACHE_LEVELS] = { p->l2, p->l3, clock_units(p->far_ps, mhz), clock_units(p->memory_ps, mhz) };

	*chip = (struct cache_chip){
		.p = p, .core = core, .slice = slice, .far = far, .cores = cores, .slices = cache_slices(p, cores),
		.line_time = { p->l2_line, p->l3_line, clock_units(p->far_line_ps, mhz), clock_units(p->memory_line_ps, mhz) },
		.hide = p->hide, .fetch_hide = p->fetch_hide,
	};
	for (unsigned i = 0; i < CACHE_LEVELS; i++)
		chip->latency[i] = to[i] > p->l1 ? to[i] - p->l1 : 0;
	for (unsigned i = 0; i < cores; i++)
		core[i].l1d_mask = p->l1d_sets - 1;
}

static bool hands_ok(const uint8_t *hand, unsigned n, unsigned ways)
{
	for (unsigned i = 0; i < n; i++)
		if (hand[i] >= ways)
			return false;
	return true;
}

static bool core_ok(const struct cache_params *p, const struct core_caches *c)
{
	const struct cache_streams *s = &c->streams;

	for (unsigned i = 0; i < CACHE_STREAMS; i++) {
		if ((s->down[i] && s->down[i] != UINT32_MAX) || s->ahead[i] > CACHE_AHEAD)
			return false;
	}
	for (unsigned i = 0; i < CACHE_STREAMS * CACHE_AHEAD; i++)
		if (s->from[i] >= CACHE_LEVELS)
			return false;
	return c->l1d_mask == p->l1d_sets - 1 && s->dpfd < 8 && s->hand < p->streams && s->missed_hand < p->streams &&
	       hands_ok(c->l1d.hand, CACHE_L1_SETS, CACHE_L1_WAYS) && hands_ok(c->l1i.hand, CACHE_L1_SETS, p->l1i_ways);
}

bool cache_chip_ok(const struct cache_chip *chip)
{
	for (unsigned i = 0; i < chip->cores; i++)
		if (!core_ok(chip->p, &chip->core[i]))
			return false;
	for (unsigned i = 0; i < chip->slices; i++)
		if (!hands_ok(chip->slice[i].l2_hand, CACHE_L2_SETS, CACHE_L2_WAYS) ||
		    !hands_ok(chip->slice[i].l3_hand, CACHE_L3_SETS, chip->p->l3_ways))
			return false;
	return !chip->far || hands_ok(chip->far->hand, CACHE_FAR_SETS, CACHE_FAR_WAYS);
}

/* Threads of a core run one after the other, each with its own time: what is far in one's future is another's. */
static uint64_t wait_until(uint64_t then, uint64_t now, uint64_t most)
{
	return then - now <= most ? then - now : 0;
}

uint32_t cache_delay(const struct cache_chip *chip, struct core_caches *c, enum cache_level level, uint64_t now, bool ahead)
{
	uint32_t each = chip->line_time[level];
	uint64_t wait = wait_until(c->demand_free[level], now, 64 * each);

	if (ahead) {
		uint64_t others = wait_until(c->ahead_free[level], now, 64 * each);

		wait = others > wait ? others : wait;
		c->ahead_free[level] = now + wait + each;
	} else {
		c->demand_free[level] = now + wait + each;
	}
	return (uint32_t)wait;
}

static void count_level(enum cache_level level, uint64_t *event)
{
	event[EVENT_L2_MISS] += level > CACHE_L2;
	event[EVENT_L3_MISS] += level > CACHE_L3;
}

static enum stall stall_of(enum cache_level level)
{
	return level == CACHE_L2 ? STALL_L2 : level == CACHE_MEMORY ? STALL_MEMORY : STALL_L3;
}

/* What a load at `now` sees of a wait for `latency`, `delay` of it for its turn, which nothing hides within a group. */
static uint32_t overlap(const struct cache_chip *chip, struct core_caches *c, uint64_t now, uint32_t latency, uint32_t delay, bool dependent)
{
	uint64_t left = c->group_end - now;
	uint32_t cost = latency, hidden;
	bool grouped = left - 1 < chip->latency[CACHE_MEMORY] + chip->hide && c->group_misses < chip->p->misses;

	if (!dependent) {
		hidden = latency / 2 < chip->hide ? latency / 2 : chip->hide;
		cost = latency - hidden;
		if (grouped && latency <= c->group_latency + cost) {
			latency -= delay;
			cost = latency > c->group_latency ? latency - c->group_latency : 0;
			c->group_latency += cost;
			cost += delay;
			c->group_end += cost;
			c->group_misses++;
			return cost;
		}
	}
	hidden = latency < chip->hide ? latency : chip->hide;
	c->group_end = now + cost + hidden;
	c->group_latency = latency;
	c->group_misses = 1;
	return cost;
}

static unsigned load_line(struct cache_chip *chip, unsigned core, uint64_t gra, uint64_t now, bool dependent, uint64_t *event,
			  uint64_t *stall)
{
	struct core_caches *c = &chip->core[core];
	bool streams = chip->p->depth[c->streams.dpfd & 7] != 0;
	uint32_t tag = cache_tag(gra), cost, delay;
	enum cache_level level;

	event[EVENT_LOAD]++;
	if (cache_l1d_hit(c, gra))
		return 0;
	if (streams && cache_stream_use(chip, core, tag, now, &cost, &level, event)) {
		event[EVENT_L1D_LOAD_MISS] += cost != 0;
	} else {
		level = cache_reach(chip, core, tag);
		event[EVENT_L1D_LOAD_MISS]++;
		count_level(level, event);
		delay = cache_delay(chip, c, level, now, false);
		cost = overlap(chip, c, now, chip->latency[level] + delay, delay, dependent);
		if (streams)
			cache_stream_train(chip, core, tag, now, event);
	}
	cache_l1_put(&c->l1d, chip->p->l1d_sets, CACHE_L1_WAYS, tag);
	stall[stall_of(level)] += cost;
	return cost;
}

static bool crosses(uint64_t gra, unsigned size)
{
	return size && (gra ^ (gra + size - 1)) >> CACHE_LINE_SHIFT;
}

unsigned cache_load(struct cache_chip *chip, unsigned core, uint64_t gra, unsigned size, uint64_t now, bool dependent,
		    uint64_t *event, uint64_t *stall)
{
	unsigned cost = load_line(chip, core, gra, now, dependent, event, stall);

	if (crosses(gra, size))
		cost += load_line(chip, core, gra + size - 1, now + cost, dependent, event, stall);
	return cost;
}

/* The line is this core's alone, and a place of the store queue is held until that is so. */
static unsigned own(struct cache_chip *chip, unsigned core, uint32_t tag, uint64_t now, bool whole, uint64_t *event,
		    uint64_t *stall)
{
	struct core_caches *c = &chip->core[core];
	uint64_t limit = (uint64_t)chip->p->stores * STORE_PLACE, wait = wait_until(c->stores_end, now, limit);
	enum cache_level level;
	uint32_t cost = 0;

	cache_take(chip, core, tag);
	level = cache_reach(chip, core, tag);
	c->owned[tag % CACHE_OWNED] = tag;
	if (!whole)
		count_level(level, event);
	/* A line that is read from memory is written there later. */
	wait += chip->line_time[level] << (level >= CACHE_FAR && !whole);
	if (wait > limit) {
		cost = (uint32_t)(wait - limit);
		stall[STALL_STORE] += cost;
	}
	c->stores_end = now + wait;
	return cost;
}

static unsigned store_line(struct cache_chip *chip, unsigned core, uint64_t gra, uint64_t now, bool whole, uint64_t *event,
			   uint64_t *stall)
{
	struct core_caches *c = &chip->core[core];
	uint32_t tag = cache_tag(gra);

	event[EVENT_STORE]++;
	event[EVENT_L1D_STORE_MISS] += !cache_l1d_hit(c, gra);
	return c->owned[tag % CACHE_OWNED] == tag ? 0 : own(chip, core, tag, now, whole, event, stall);
}

unsigned cache_store(struct cache_chip *chip, unsigned core, uint64_t gra, unsigned size, uint64_t now, uint64_t *event,
		     uint64_t *stall)
{
	unsigned cost = store_line(chip, core, gra, now, false, event, stall);

	if (crosses(gra, size))
		cost += store_line(chip, core, gra + size - 1, now + cost, false, event, stall);
	return cost;
}

unsigned cache_zero(struct cache_chip *chip, unsigned core, uint64_t gra, uint64_t now, uint64_t *event, uint64_t *stall)
{
	return store_line(chip, core, gra, now, true, event, stall);
}

static bool l1i_hit(const struct cache_params *p, const struct core_caches *c, uint32_t tag)
{
	const uint32_t *set = &c->l1i.tag[(tag & (p->l1i_sets - 1)) * CACHE_L1_WAYS];
	uint32_t hit = 0;

	for (unsigned i = 0; i < CACHE_L1_WAYS; i++)
		hit |= set[i] == tag;
	return hit;
}

/* In sequence, the lines that are fetched ahead share the time that one takes. */
unsigned cache_fetch(struct cache_chip *chip, unsigned core, uint64_t gra, uint64_t *event, uint64_t *stall)
{
	struct core_caches *c = &chip->core[core];
	uint32_t tag = cache_tag(gra), cost;
	enum cache_level level;

	if (l1i_hit(chip->p, c, tag))
		return 0;
	level = cache_reach(chip, core, tag);
	event[EVENT_L1I_MISS]++;
	count_level(level, event);
	cost = chip->latency[level] > chip->fetch_hide ? chip->latency[level] - chip->fetch_hide : 0;
	if (tag == c->fetched + 1)
		cost /= chip->p->fetch_ahead + 1;
	c->fetched = tag;
	cache_l1_put(&c->l1i, chip->p->l1i_sets, chip->p->l1i_ways, tag);
	stall[STALL_FETCH] += cost;
	return cost;
}

unsigned cache_walk(struct cache_chip *chip, unsigned core, uint64_t gra, uint64_t now, uint64_t *event)
{
	enum cache_level level = cache_reach(chip, core, cache_tag(gra));

	count_level(level, event);
	return chip->latency[level] + cache_delay(chip, &chip->core[core], level, now, false);
}

void cache_touch(struct cache_chip *chip, unsigned core, uint64_t gra, uint64_t now, uint64_t *event)
{
	struct core_caches *c = &chip->core[core];
	uint32_t tag = cache_tag(gra);

	if (cache_l1d_hit(c, gra))
		return;
	cache_delay(chip, c, cache_reach(chip, core, tag), now, true);
	cache_l1_put(&c->l1d, chip->p->l1d_sets, CACHE_L1_WAYS, tag);
	event[EVENT_PREFETCH]++;
}

void cache_flush_data(struct cache_chip *chip, uint64_t gra)
{
	cache_forget(chip, cache_tag(gra));
}

void cache_flush_code(struct cache_chip *chip, uint64_t gra)
{
	for (unsigned i = 0; i < chip->cores; i++)
		cache_l1_drop(&chip->core[i].l1i, chip->p->l1i_sets, cache_tag(gra));
}

void cache_set_depth(struct cache_chip *chip, unsigned core, unsigned dpfd)
{
	chip->core[core].streams.dpfd = dpfd & 7;
}

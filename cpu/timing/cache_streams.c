/* Streams: two neighbouring lines that miss make one, and its next lines are fetched ahead, further with each that is used. */
#include "cpu/timing/cache_levels.h"
#include "cpu/core/counts.h"

/* Lines that one use of a stream fetches at most: it gains two until it is as deep as it may be. */
#define STEP	3

/* `n`, or its negative. */
static uint32_t along(uint32_t down, uint32_t n)
{
	return (n ^ down) - down;
}

/* Where stream `i` keeps what is known of a line fetched ahead. */
static unsigned place(unsigned i, uint32_t tag)
{
	return i * CACHE_AHEAD + tag % CACHE_AHEAD;
}

static void run_ahead(struct cache_chip *chip, unsigned core, unsigned i, unsigned step, uint64_t now, uint64_t *event)
{
	struct core_caches *c = &chip->core[core];
	struct cache_streams *s = &c->streams;
	uint32_t depth = chip->p->depth[s->dpfd & 7];

	for (; step && s->ahead[i] < depth; step--) {
		uint32_t tag = s->line[i] + along(s->down[i], ++s->ahead[i]);
		enum cache_level level = cache_reach(chip, core, tag);

		s->from[place(i, tag)] = (uint8_t)level;
		s->ready[place(i, tag)] = now + chip->latency[level] + cache_delay(chip, c, level, now, true);
		event[EVENT_PREFETCH]++;
	}
}

bool cache_stream_use(struct cache_chip *chip, unsigned core, uint32_t tag, uint64_t now, uint32_t *left, enum cache_level *from,
		      uint64_t *event)
{
	struct cache_streams *s = &chip->core[core].streams;
	uint32_t any = 0;
	uint64_t wait;
	unsigned i;

	for (i = 0; i < CACHE_STREAMS; i++)
		any |= along(s->down[i], tag - s->line[i]) - 1 < s->ahead[i];
	if (!any)
		return false;
	for (i = 0; along(s->down[i], tag - s->line[i]) - 1 >= s->ahead[i]; )
		i++;
	*from = s->from[place(i, tag)] % CACHE_LEVELS;
	/* Of a thread that is ahead in time, or there for long: both are past any wait that can be. */
	wait = s->ready[place(i, tag)] - now;
	*left = wait <= chip->latency[*from] + 64 * chip->line_time[*from] ? (uint32_t)wait : 0;
	s->ahead[i] -= along(s->down[i], tag - s->line[i]);
	s->line[i] = tag;
	run_ahead(chip, core, i, STEP, now, event);
	return true;
}

void cache_stream_train(struct cache_chip *chip, unsigned core, uint32_t tag, uint64_t now, uint64_t *event)
{
	struct cache_streams *s = &chip->core[core].streams;
	unsigned n = chip->p->streams, i, hand = s->hand % n;
	uint32_t any = 0;

	for (i = 0; i < CACHE_STREAMS; i++)
		any |= (s->missed[i] == tag - 1) | (s->missed[i] == tag + 1);
	/* Empty places look like neighbours of the first line. */
	if (!any || tag - 1 == 0 || tag + 1 == 0) {
		s->missed[s->missed_hand % n] = tag;
		s->missed_hand = (uint8_t)((s->missed_hand + 1) % n);
		return;
	}
	for (i = 0; s->missed[i] != tag - 1 && s->missed[i] != tag + 1; )
		i++;
	s->line[hand] = tag;
	s->down[hand] = s->missed[i] == tag + 1 ? UINT32_MAX : 0;
	s->ahead[hand] = 0;
	s->missed[i] = 0;
	s->hand = (uint8_t)((hand + 1) % n);
	run_ahead(chip, core, hand, STEP - 1, now, event);
}

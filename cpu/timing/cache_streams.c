/* Streams: two neighbouring lines that miss make one, and its next lines are fetched ahead, further with each that is used. */
#include "cpu/timing/cache_levels.h"
#include "cpu/core/counts.h"

/* Lines that one use of a stream fetches at most: it gains two until it is as deep as it may be. */
#define STEP	3

static uint32_t line_after(const struct cache_stream *s, uint32_t n)
{
	return s->down ? s->line - n : s->line + n;
}

static void run_ahead(struct cache_chip *chip, unsigned core, struct cache_stream *s, unsigned step, uint64_t now, uint64_t *event)
{
	struct core_caches *c = &chip->core[core];
	unsigned depth = chip->p->depth[c->dpfd & 7];

	for (; step && s->ahead < depth; step--) {
		uint32_t tag = line_after(s, ++s->ahead);
		enum cache_level level = cache_reach(chip, core, tag);

		s->from[tag % CACHE_AHEAD] = (uint8_t)level;
		s->ready[tag % CACHE_AHEAD] = now + chip->latency[level] + cache_delay(chip, c->ahead_free, level, now);
		event[EVENT_PREFETCH]++;
	}
}

bool cache_stream_use(struct cache_chip *chip, unsigned core, uint32_t tag, uint64_t now, uint32_t *left, enum cache_level *from,
		      uint64_t *event)
{
	struct core_caches *c = &chip->core[core];

	for (unsigned i = 0; i < chip->p->streams; i++) {
		struct cache_stream *s = &c->stream[i];
		uint32_t n = s->down ? s->line - tag : tag - s->line;
		uint64_t wait;

		if (!s->line || n - 1 >= s->ahead)
			continue;
		*from = s->from[tag % CACHE_AHEAD] % CACHE_LEVELS;
		/* Of a thread that is ahead in time, or there for long: both are past any wait that can be. */
		wait = s->ready[tag % CACHE_AHEAD] - now;
		*left = wait <= chip->latency[*from] + 64 * chip->line_time[*from] ? (uint32_t)wait : 0;
		s->line = tag;
		s->ahead = (uint8_t)(s->ahead - n);
		run_ahead(chip, core, s, STEP, now, event);
		return true;
	}
	return false;
}

void cache_stream_train(struct cache_chip *chip, unsigned core, uint32_t tag, uint64_t now, uint64_t *event)
{
	struct core_caches *c = &chip->core[core];
	unsigned n = chip->p->streams;

	for (unsigned i = 0; i < n; i++) {
		struct cache_stream *s;

		if (!c->missed[i] || (c->missed[i] != tag - 1 && c->missed[i] != tag + 1))
			continue;
		s = &c->stream[c->stream_hand % n];
		c->stream_hand = (uint8_t)((c->stream_hand + 1) % n);
		s->line = tag;
		s->down = c->missed[i] == tag + 1;
		s->ahead = 0;
		c->missed[i] = 0;
		run_ahead(chip, core, s, STEP - 1, now, event);
		return;
	}
	c->missed[c->missed_hand % n] = tag;
	c->missed_hand = (uint8_t)((c->missed_hand + 1) % n);
}

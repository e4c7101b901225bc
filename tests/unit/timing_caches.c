/* Caches under the timing models: the ladder of latencies, streams, misses that wait together, stores, several cores.
 *
 * usage: timing_caches [bench]	with `bench`: what a call costs the host, nothing is checked */
#include "cpu/core/counts.h"
#include "memory_models.h"

#define MANY_CORES	4
#define RAM		UINT64_C(0x40000000)

struct rig {
	const struct memory_model *m;
	struct cache_chip chip;
	struct core_caches core[MANY_CORES];
	struct cache_slice slice[MANY_CORES];
	struct cache_far far;
	uint64_t event[NEVENTS], stall[NSTALLS];
	uint64_t now;
};

static struct rig *rig_new(const struct memory_model *m, unsigned cores)
{
	struct rig *r = calloc(1, sizeof *r);

	if (!r)
		abort();
	r->m = m;
	cache_chip_init(&r->chip, &m->cache, m->mhz, cores, r->core, r->slice, &r->far);
	return r;
}

static unsigned load(struct rig *r, unsigned core, uint64_t gra, bool dependent)
{
	unsigned cost = cache_load(&r->chip, core, gra, 8, r->now, dependent, r->event, r->stall);

	r->now += cost;
	return cost;
}

static unsigned store(struct rig *r, unsigned core, uint64_t gra)
{
	unsigned cost = cache_store(&r->chip, core, gra, 8, r->now, r->event, r->stall);

	r->now += cost;
	return cost;
}

static unsigned fetch(struct rig *r, unsigned core, uint64_t gra)
{
	unsigned cost = cache_fetch(&r->chip, core, gra, r->event, r->stall);

	r->now += cost;
	return cost;
}

/* ---- The ladder: a chain of pointers through all lines of a footprint, in an order without neighbours ---- */

/* Units from load to use, the mean of a round after one that warms up. */
static double chase(const struct memory_model *m, uint64_t bytes, unsigned dpfd)
{
	struct rig *r = rig_new(m, 1);
	uint64_t lines = bytes >> CACHE_LINE_SHIFT, begun = 0, random = bytes;
	uint32_t *next = malloc(lines * sizeof *next);

	if (!next)
		abort();
	cache_set_depth(&r->chip, 0, dpfd);
	for (uint32_t i = 0; i < lines; i++)
		next[i] = i;
	for (uint32_t i = (uint32_t)lines - 1; i > 0; i--) {	/* Sattolo: one cycle through all */
		uint32_t j = (uint32_t)(check_random(&random) % i), t = next[i];

		next[i] = next[j];
		next[j] = t;
	}
	for (uint64_t i = 0, at = 0; i < 2 * lines; i++, at = next[at]) {
		if (i == lines)
			begun = r->now;
		load(r, 0, RAM + (at << CACHE_LINE_SHIFT), true);
		r->now += m->cache.l1;
	}
	begun = r->now - begun;
	free(next);
	free(r);
	return (double)begun / (double)lines;
}

static void check_plateau(const struct memory_model *m, uint64_t bytes, double cycles, const char *what)
{
	double got = chase(m, bytes, 1) / CACHE_UNITS;

	check(got > cycles * .99 && got < cycles * 1.01, "%s: %" PRIu64 " K, %s: %.2f cycles, should be %.2f", m->name, bytes >> 10, what,
	      got, cycles);
	/* In less, many a line has a neighbour among the last few that missed. */
	if (bytes >= 256 << 10 && bytes <= 16 << 20) {
		got = chase(m, bytes, 0) / CACHE_UNITS;
		check(got > cycles * .9 && got < cycles * 1.01, "%s: %" PRIu64 " K, %s: %.2f cycles with streams, should be %.2f", m->name,
		      bytes >> 10, what, got, cycles);
	}
}

/* At a cache's size all is found there, with one more line for each of its sets nothing is. */
static void check_knee(const struct memory_model *m, uint64_t bytes, unsigned ways, double within, double beyond, const char *what)
{
	check_plateau(m, bytes, within, what);
	check_plateau(m, bytes + bytes / ways, beyond, "one way more");
}

static void test_ladder(void)
{
	static const struct { const char *name; unsigned kib[4], l3_ways; double cycles[3], ns[2]; } rows[] = {
		{ "power8", { 64, 512, 8 << 10, 64 << 10 }, 8, { 3, 13, 27.5 }, { 55, 90 } },
		{ "power9", { 32, 512, 10 << 10, 110 << 10 }, 20, { 4, 15.5, 35.5 }, { 50, 68 } },
		{ "power10", { 32, 1024, 8 << 10, 64 << 10 }, 16, { 4, 13.5, 27.5 }, { 45, 80 } },
	};

	for (unsigned i = 0; i < 3; i++) {
		const struct memory_model *m = memory_model_find(rows[i].name);
		double far = rows[i].ns[0] * m->mhz / 1000, memory = rows[i].ns[1] * m->mhz / 1000;

		check_knee(m, rows[i].kib[0] << 10, 8, rows[i].cycles[0], rows[i].cycles[1], "L1D");
		check_knee(m, rows[i].kib[1] << 10, 8, rows[i].cycles[1], rows[i].cycles[2], "L2");
		check_knee(m, rows[i].kib[2] << 10, rows[i].l3_ways, rows[i].cycles[2], far, "L3");
		check_knee(m, rows[i].kib[3] << 10, 16, far, memory, "the far level");
	}
}

/* ---- Streams ---- */

/* Units that a line takes, of the last 4,096 in a row, with `work` units of other things for each. */
static double stream_line(const struct memory_model *m, unsigned work, unsigned dpfd, int step, uint64_t *prefetched)
{
	struct rig *r = rig_new(m, 1);
	uint64_t gra = RAM, begun = 0;

	cache_set_depth(&r->chip, 0, dpfd);
	for (unsigned i = 0; i < 8192; i++, gra += (uint64_t)(int64_t)step) {
		if (i == 4096)
			begun = r->now;
		load(r, 0, gra, false);
		r->now += work;
	}
	begun = r->now - begun;
	*prefetched = r->event[EVENT_PREFETCH];
	check_eq(r->stall[STALL_MEMORY] + 8192 * work, r->now, "%s: all that a stream waits for is memory", m->name);
	free(r);
	return (double)begun / 4096;
}

static void test_streams(void)
{
	const struct memory_model *m;

	EACH(m) {
		struct rig *r = rig_new(m, 1);
		unsigned each = r->chip.line_time[CACHE_MEMORY], memory = r->chip.latency[CACHE_MEMORY];
		/* As many lines for each latency as are fetched ahead, and the one that is waited for. */
		unsigned deep = memory / (m->cache.depth[0] + 1), best = each > deep ? each : deep;
		uint64_t lines;
		double fast = stream_line(m, 4 * CACHE_UNITS, 0, 128, &lines);

		check(fast > best * .95 && fast < best * 1.1, "%s: a stream takes %.0f units a line, memory gives one in %u", m->name, fast, best);
		check(lines > 8192 && lines < 8192 + 32, "%s: it has been fetched ahead: %" PRIu64 " lines", m->name, lines);
		check_eq((unsigned)stream_line(m, 2 * best, 0, 128, &lines), 2 * best, "%s: nobody waits for a stream that is used slowly", m->name);
		check_eq((unsigned)stream_line(m, 2 * best, 0, -128, &lines), 2 * best, "%s: nor for one that goes down", m->name);
		check_eq((unsigned)stream_line(m, 2 * best, 0, 256, &lines) > 2 * best, 1, "%s: every other line is no stream", m->name);
		check(stream_line(m, 2 * best, 1, 128, &lines) > 3 * best, "%s: without streams one waits", m->name);
		check_eq(lines, 0, "%s: and nothing is fetched ahead", m->name);
		check(stream_line(m, each, 2, 128, &lines) > fast * 1.2, "%s: four lines ahead are too few", m->name);
		free(r);
	}
}

/* As many streams at a time as there are, no more. */
static void test_stream_count(void)
{
	const struct memory_model *m;

	EACH(m) {
		for (unsigned n = m->cache.streams; n <= 2 * m->cache.streams; n += m->cache.streams) {
			struct rig *r = rig_new(m, 1);
			uint64_t misses;

			for (unsigned i = 0; i < 64; i++) {
				if (i == 32)
					r->event[EVENT_L1D_LOAD_MISS] = 0;
				for (unsigned s = 0; s < n; s++) {
					load(r, 0, RAM + s * UINT64_C(0x1004000) + i * 128, false);
					r->now += CACHE_CYCLES(100);
				}
			}
			misses = r->event[EVENT_L1D_LOAD_MISS];
			if (n == m->cache.streams)
				check_eq(misses, 0, "%s: %u streams are followed", m->name, n);
			else
				check_eq(misses, 32 * n, "%s: %u are not", m->name, n);
			free(r);
		}
	}
}

/* A line in the middle of those fetched ahead leaves out those before it. */
static void test_stream_skips(void)
{
	const struct memory_model *m;

	EACH(m) {
		struct rig *r = rig_new(m, 1);
		unsigned line = 0;

		load(r, 0, 0, false);
		check_eq(r->event[EVENT_PREFETCH], 0, "%s: the first line of all has no neighbour before it", m->name);
		for (; line < 100; line += line < 60 ? 1 : 2) {
			load(r, 0, RAM + line * 128, false);
			r->now += CACHE_CYCLES(1000);
		}
		for (unsigned i = 0; i < 20; i++, line++) {
			load(r, 0, RAM + line * 128, false);
			r->now += CACHE_CYCLES(1000);
		}
		/* All from the third line on to as far ahead as it goes. */
		check_eq(r->event[EVENT_PREFETCH], line - 2 + m->cache.depth[0], "%s: no line is fetched twice or left out", m->name);
		free(r);
	}
}

/* Lines without neighbours. */
static uint64_t scattered(unsigned i)
{
	return RAM + (uint64_t)(i * 2654435761u % (1u << 24)) * 128;
}

/* Where the time goes, and which levels are counted as missed. */
static void test_counts(void)
{
	static const enum stall stalls[CACHE_LEVELS] = { STALL_L2, STALL_L3, STALL_L3, STALL_MEMORY };
	const struct memory_model *m;

	EACH(m)
		for (unsigned level = 0; level < CACHE_LEVELS; level++) {
			struct rig *r = rig_new(m, 1);
			unsigned cost;

			store(r, 0, RAM);
			if (level > CACHE_L2)
				memset(r->slice[0].l2, 0, sizeof r->slice[0].l2);
			if (level > CACHE_L3)
				memset(r->slice[0].l3, 0, sizeof r->slice[0].l3);
			if (level > CACHE_FAR)
				memset(&r->far, 0, sizeof r->far);
			memset(r->event, 0, sizeof r->event);
			cost = load(r, 0, RAM, true);
			check_eq(cost, r->chip.latency[level], "%s: level %u: its latency", m->name, level);
			check_eq(r->stall[stalls[level]], cost, "%s: level %u: its stall", m->name, level);
			check_eq(r->event[EVENT_L2_MISS], level > CACHE_L2, "%s: level %u: misses of L2", m->name, level);
			check_eq(r->event[EVENT_L3_MISS], level > CACHE_L3, "%s: level %u: misses of L3", m->name, level);
			check_eq(r->event[EVENT_LOAD], 1, "%s: level %u: a load", m->name, level);
			cost = fetch(r, 0, RAM + 0x10000);
			check_eq(r->stall[STALL_FETCH], cost, "%s: a fetch's stall", m->name);
			r->now += CACHE_CYCLES(1000000);
			memset(r->event, 0, sizeof r->event);
			cost = 0;
			for (unsigned i = 1; i < 200; i++)
				cost += store(r, 0, scattered(i));
			check(cost && r->stall[STALL_STORE] == cost, "%s: a store's stall", m->name);
			check_eq(r->event[EVENT_L2_MISS], 199, "%s: stores miss L2", m->name);
			load(r, 0, RAM + 0x20000 + 124, true);
			check_eq(r->event[EVENT_LOAD], 2, "%s: two loads if one crosses a line", m->name);
			free(r);
		}
}

/* ---- What waits together ---- */

static void test_overlap(void)
{
	const struct memory_model *m;

	EACH(m) {
		struct rig *r = rig_new(m, 1);
		unsigned memory = r->chip.latency[CACHE_MEMORY], hide = m->cache.hide, cost = load(r, 0, scattered(1), false), sum = 0;

		check_eq(cost, memory - hide, "%s: a miss costs what the window does not hide", m->name);
		for (unsigned i = 2; i <= m->cache.misses; i++)
			sum += load(r, 0, scattered(i), false);
		check(sum <= m->cache.misses * r->chip.line_time[CACHE_MEMORY] && sum >= m->cache.misses / 2 * r->chip.line_time[CACHE_MEMORY],
		      "%s: those behind it only wait for their turn: %u units", m->name, sum);
		check(load(r, 0, scattered(100), false) >= memory - hide, "%s: one more than can wait costs all", m->name);
		r->now += 1000 * memory;
		check_eq(load(r, 0, scattered(101), true), memory, "%s: nothing is hidden from a chain", m->name);
		check_eq(load(r, 0, scattered(102), true), memory, "%s: nor of its next", m->name);
		r->now += hide / 2;
		check(load(r, 0, scattered(103), false) <= r->chip.line_time[CACHE_MEMORY], "%s: others wait together with a chain", m->name);
		r->now += hide + memory;
		check_eq(load(r, 0, scattered(104), false), memory - hide, "%s: not after the window", m->name);
		check_eq(r->event[EVENT_L1D_LOAD_MISS], m->cache.misses + 5, "%s: misses of L1D are counted", m->name);
		check_eq(r->event[EVENT_L3_MISS], m->cache.misses + 5, "%s: and of L3", m->name);
		free(r);
	}
}

/* ---- Instructions ---- */

static void test_fetch(void)
{
	static const double nops[] = { 2.4, 4.7, 0 };
	const struct memory_model *m;

	EACH(m) {
		struct rig *r = rig_new(m, 1);
		unsigned lines = m->cache.l1i_sets * m->cache.l1i_ways;
		uint64_t begun = 0;

		for (unsigned round = 0; round < 2; round++)
			for (unsigned i = 0; i < lines; i++)
				fetch(r, 0, RAM + i * 128);
		check_eq(r->event[EVENT_L1I_MISS], lines, "%s: L1I holds %u K", m->name, lines / 8);
		for (unsigned round = 0; round < 3; round++) {
			begun = r->now;
			for (unsigned i = 0; i < 3 * lines; i++) {
				fetch(r, 0, RAM + i * 128);
				r->now += 32 * CACHE_UNITS / 6;
			}
		}
		if (nops[m_i] != 0) {
			double ipc = 32. * CACHE_UNITS * 3 * lines / (double)(r->now - begun);

			check(ipc > nops[m_i] * .95 && ipc < nops[m_i] * 1.05, "%s: %.2f NOPs a cycle beyond L1I, should be %.2f", m->name, ipc, nops[m_i]);
		}
		check_eq(fetch(r, 0, RAM), r->chip.latency[CACHE_L2] - r->chip.fetch_hide, "%s: a line out of sequence costs all", m->name);
		check_eq(fetch(r, 0, RAM), 0, "%s: and then nothing", m->name);
		cache_flush_code(&r->chip, RAM);
		check(fetch(r, 0, RAM) != 0, "%s: icbi", m->name);
		free(r);
	}
}

/* ---- Stores ---- */

static double fill_line(const struct memory_model *m, bool zero)
{
	struct rig *r = rig_new(m, 1);
	uint64_t begun = 0;

	for (unsigned i = 0; i < 8192; i++) {
		if (i == 4096)
			begun = r->now;
		if (zero)
			r->now += cache_zero(&r->chip, 0, RAM + i * 128, r->now, r->event, r->stall);
		else
			for (unsigned at = 0; at < 128; at += 8)
				store(r, 0, RAM + i * 128 + at);
		r->now += CACHE_CYCLES(4);
	}
	begun = r->now - begun;
	free(r);
	return (double)begun / 4096;
}

static void test_stores(void)
{
	const struct memory_model *m;

	EACH(m) {
		struct rig *r = rig_new(m, 1);
		unsigned memory = r->chip.line_time[CACHE_MEMORY], sum = 0;
		double filled = fill_line(m, false), zeroed = fill_line(m, true);

		for (unsigned i = 0; i < 6; i++)
			sum += store(r, 0, scattered(i));
		check_eq(sum, 0, "%s: stores wait for nobody until the queue is full", m->name);
		check_eq(r->event[EVENT_L1D_STORE_MISS], 6, "%s: they miss L1D", m->name);
		check(!cache_l1d_hit(r->core, scattered(0)), "%s: and do not go there", m->name);
		check(filled > 1.9 * memory && filled < 2.1 * memory, "%s: filling takes %.0f units a line, memory two times %u", m->name, filled, memory);
		check(zeroed > .9 * memory && zeroed < 1.1 * memory, "%s: zeroing %.0f", m->name, zeroed);
		check_eq(load(r, 0, scattered(1), true), r->chip.latency[CACHE_L2], "%s: a line stored to is in L2", m->name);
		cache_flush_data(&r->chip, scattered(1));
		check_eq(load(r, 0, scattered(1), true), r->chip.latency[CACHE_MEMORY], "%s: dcbf: nowhere any more", m->name);
		cache_touch(&r->chip, 0, scattered(20), r->now, r->event);
		check(cache_l1d_hit(r->core, scattered(20)), "%s: dcbt: in L1D", m->name);
		check_eq(r->event[EVENT_STORE], 6, "%s: stores are counted", m->name);
		check_eq(r->core[0].owned[cache_tag(scattered(2)) % CACHE_OWNED], cache_tag(scattered(2)), "%s: a line stored to is owned", m->name);
		for (unsigned i = 1; i <= CACHE_L2_WAYS; i++)
			load(r, 0, scattered(2) + (uint64_t)i * m->cache.l2_sets * 128, true);
		check(r->core[0].owned[cache_tag(scattered(2)) % CACHE_OWNED] == 0, "%s: but not once it has left L2", m->name);
		store(r, 0, scattered(30) + 124);
		check_eq(r->event[EVENT_STORE], 8, "%s: for two if one crosses a line", m->name);
		free(r);
	}
}

/* ---- Several cores ---- */

static void test_sharing(void)
{
	const struct memory_model *m;

	EACH(m) {
		struct rig *r = rig_new(m, MANY_CORES);
		uint64_t a = RAM + 0x12340;

		check_eq(r->chip.slices, MANY_CORES / m->cache.cores_per_slice, "%s: slices", m->name);
		load(r, 0, a, true);
		load(r, 2, a, true);
		store(r, 0, a);
		check(cache_store_hit(&r->core[0], a), "%s: the next store is known to be free", m->name);
		check(!cache_l1d_hit(&r->core[2], a), "%s: the line is not in another core any more", m->name);
		check_eq(load(r, 2, a, true), r->chip.latency[CACHE_FAR], "%s: which gets it from afar", m->name);
		check(!cache_store_hit(&r->core[0], a), "%s: and then a store asks again", m->name);
		load(r, 1, a, true);
		store(r, 0, a);
		check(!cache_l1d_hit(&r->core[1], a), "%s: nor in the core beside it", m->name);
		check_eq(load(r, 1, a, true), r->chip.latency[m->cache.cores_per_slice > 1 ? CACHE_L2 : CACHE_FAR],
			 "%s: which has the same L2, if the model has pairs", m->name);
		free(r);
	}
}

static unsigned count_line(const uint32_t *tags, unsigned n, uint32_t tag)
{
	unsigned found = 0;

	while (n--)
		found += *tags++ == tag;
	return found;
}

/* No core has a line in its L1D, or in an L2 or L3 that is not the owner's, which another thinks its own. */
static unsigned owned_elsewhere(const struct rig *r)
{
	unsigned found = 0, per = r->m->cache.cores_per_slice;

	for (unsigned c = 0; c < r->chip.cores; c++)
		for (unsigned i = 0; i < CACHE_OWNED; i++) {
			uint32_t tag = r->core[c].owned[i];

			for (unsigned o = 0; tag && o < r->chip.cores; o++)
				if (o != c)
					found += count_line(r->core[o].l1d.tag, CACHE_L1_SETS * CACHE_L1_WAYS, tag) + (r->core[o].owned[i] == tag);
			for (unsigned o = 0; tag && o < r->chip.slices; o++)
				if (o != c / per)
					found += count_line(r->slice[o].l2, CACHE_L2_SETS * CACHE_L2_WAYS, tag) +
						 count_line(r->slice[o].l3, CACHE_L3_LINES, tag);
		}
	return found;
}

/* ---- Any calls, any state ---- */

static uint64_t any_call(struct rig *r, uint64_t *seed, uint64_t lines)
{
	uint64_t x = check_random(seed), gra = check_random(seed) % lines * 128 + (x >> 40 & 127);
	unsigned core = (unsigned)(x >> 8) % r->chip.cores;

	r->now += x >> 50;
	switch (x & 15) {
	case 0: return fetch(r, core, gra);
	case 1: return cache_walk(&r->chip, core, gra, r->now, r->event);
	case 2: return cache_zero(&r->chip, core, gra, r->now, r->event, r->stall);
	case 3: cache_touch(&r->chip, core, gra, r->now, r->event); return 0;
	case 4: cache_flush_data(&r->chip, gra); return 0;
	case 5: cache_flush_code(&r->chip, gra); return 0;
	case 6: cache_set_depth(&r->chip, core, (unsigned)(x >> 16)); return 0;
	case 7: r->now -= r->now > 100000 ? 100000 : 0; return 0;	/* another thread's turn */
	case 8: case 9: case 10: return store(r, core, gra);
	case 11: for (unsigned i = 0; i < 4; i++) load(r, core, gra + 128 * i, false); return 0;
	default: return cache_load(&r->chip, core, gra, 1 << (x >> 16 & 15) % 8, r->now, x >> 30 & 1, r->event, r->stall);
	}
}

static uint64_t any_calls(struct rig *r, uint64_t seed, unsigned n, uint64_t lines, uint64_t *most)
{
	uint64_t sum = 0;

	while (n--) {
		uint64_t cost = any_call(r, &seed, lines);

		*most = cost > *most ? cost : *most;
		sum = sum * 31 + cost;
	}
	return sum;
}

static bool same_state(const struct rig *a, const struct rig *b)
{
	return !memcmp(a->core, b->core, sizeof a->core) && !memcmp(a->slice, b->slice, sizeof a->slice) &&
	       !memcmp(&a->far, &b->far, sizeof a->far) && !memcmp(a->event, b->event, sizeof a->event) &&
	       !memcmp(a->stall, b->stall, sizeof a->stall);
}

static void rig_copy(struct rig *to, const struct rig *from)
{
	struct cache_chip chip = to->chip;

	memcpy(to, from, sizeof *to);
	to->chip = chip;
}

static void fill_random(void *to, size_t size, uint64_t seed)
{
	for (size_t i = 0; i < size; i += 4) {
		uint32_t x = (uint32_t)check_random(&seed);

		memcpy((char *)to + i, &x, 4);
	}
}

/* Of what a file holds, only this is looked at: the rest may be anything. */
static void make_valid(struct rig *r)
{
	const struct cache_params *p = &r->m->cache;

	for (unsigned i = 0; i < MANY_CORES; i++) {
		struct core_caches *c = &r->core[i];
		struct cache_streams *st = &c->streams;

		c->l1d_mask = p->l1d_sets - 1;
		st->dpfd %= 8;
		st->hand %= p->streams;
		st->missed_hand %= p->streams;
		for (unsigned s = 0; s < CACHE_STREAMS; s++) {
			st->down[s] = st->down[s] & 1 ? UINT32_MAX : 0;
			st->ahead[s] %= CACHE_AHEAD + 1;
		}
		for (unsigned s = 0; s < CACHE_STREAMS * CACHE_AHEAD; s++)
			st->from[s] %= CACHE_LEVELS;
		for (unsigned s = 0; s < CACHE_L1_SETS; s++) {
			c->l1d.hand[s] %= CACHE_L1_WAYS;
			c->l1i.hand[s] %= p->l1i_ways;
		}
		for (unsigned s = 0; s < CACHE_L2_SETS; s++)
			r->slice[i].l2_hand[s] %= CACHE_L2_WAYS;
		for (unsigned s = 0; s < CACHE_L3_SETS; s++)
			r->slice[i].l3_hand[s] %= p->l3_ways;
	}
	for (unsigned s = 0; s < CACHE_FAR_SETS; s++)
		r->far.hand[s] %= CACHE_FAR_WAYS;
}

static void check_refused(struct rig *r, uint8_t *byte, uint8_t value, const char *what)
{
	uint8_t old = *byte;

	*byte = value;
	check(!cache_chip_ok(&r->chip), "%s: refused: %s", r->m->name, what);
	*byte = old;
	check(cache_chip_ok(&r->chip), "%s: valid again", r->m->name);
}

static void test_loaded(void)
{
	const struct memory_model *m;

	EACH(m) {
		struct rig *a = rig_new(m, MANY_CORES), *b = rig_new(m, MANY_CORES);
		uint64_t most = 0, limit = 2 * (uint64_t)(a->chip.latency[CACHE_MEMORY] + 64 * a->chip.line_time[CACHE_MEMORY] + a->chip.hide);

		fill_random(a->core, sizeof a->core, 1);
		fill_random(a->slice, sizeof a->slice, 2);
		fill_random(&a->far, sizeof a->far, 3);
		check(!cache_chip_ok(&a->chip), "%s: garbage is refused", m->name);
		make_valid(a);
		if (check(cache_chip_ok(&a->chip), "%s: garbage within its limits is not", m->name)) {
			check_refused(a, &a->core[1].streams.dpfd, 8, "a depth of 8");
			check_refused(a, &a->core[1].streams.hand, (uint8_t)m->cache.streams, "a stream too many");
			check_refused(a, &a->core[1].streams.missed_hand, (uint8_t)m->cache.streams, "a miss too many");
			a->core[1].streams.down[15] = 0;
			a->core[1].streams.ahead[15] = 0;
			check_refused(a, (uint8_t *)&a->core[1].streams.down[15], 2, "a third direction");
			check_refused(a, (uint8_t *)&a->core[1].streams.ahead[15], CACHE_AHEAD + 1, "too far ahead");
			check_refused(a, &a->core[1].streams.from[CACHE_STREAMS * CACHE_AHEAD - 1], CACHE_LEVELS, "a level too many");
			check_refused(a, &a->core[1].l1d.hand[63], CACHE_L1_WAYS, "a way of L1D");
			check_refused(a, &a->core[1].l1i.hand[63], (uint8_t)m->cache.l1i_ways, "a way of L1I");
			check_refused(a, &a->slice[1].l2_hand[1023], CACHE_L2_WAYS, "a way of L2");
			check_refused(a, &a->slice[1].l3_hand[8191], (uint8_t)m->cache.l3_ways, "a way of L3");
			check_refused(a, &a->far.hand[57343], CACHE_FAR_WAYS, "a way of the far level");
			check_refused(a, (uint8_t *)&a->core[1].l1d_mask, 15, "another number of sets");
			rig_copy(b, a);
			check_eq(any_calls(a, 4, 300000, UINT64_C(1) << 40, &most), any_calls(b, 4, 300000, UINT64_C(1) << 40, &most),
				 "%s: the same calls cost the same", m->name);
			check(same_state(a, b), "%s: and leave the same state", m->name);
			check(cache_chip_ok(&a->chip), "%s: which is valid", m->name);
			check(most <= limit, "%s: no call costs without limit: %" PRIu64 " of %" PRIu64 " units", m->name, most, limit);
		}
		free(a);
		free(b);
		a = rig_new(m, MANY_CORES);
		any_calls(a, 5, 300000, 3000, &most);
		check_eq(owned_elsewhere(a), 0, "%s: what a core owns no other has", m->name);
		free(a);
	}
}

/* What a filter in front of the calls relies on. */
static void test_hits(void)
{
	const struct memory_model *m;

	EACH(m) {
		struct rig *a = rig_new(m, MANY_CORES), *b = rig_new(m, MANY_CORES);
		uint64_t seed = 6, most = 0;
		unsigned loads = 0, stores = 0, costs = 0;

		any_calls(a, 7, 20000, 3000, &most);
		rig_copy(b, a);
		for (unsigned i = 0; i < 30000; i++) {
			uint64_t gra = check_random(&seed) % 3000 * 128 + 8;

			if (cache_l1d_hit(&a->core[1], gra)) {
				costs += load(a, 1, gra, i & 1);
				b->event[EVENT_LOAD]++;
				loads++;
			}
			if (cache_store_hit(&a->core[1], gra)) {
				costs += store(a, 1, gra);
				b->event[EVENT_STORE]++;
				stores++;
			}
		}
		check(loads > 300 && stores > 10, "%s: %u loads and %u stores hit", m->name, loads, stores);
		check_eq(costs, 0, "%s: they cost nothing", m->name);
		check(same_state(a, b), "%s: and change nothing", m->name);
		fetch(a, 0, RAM);
		rig_copy(b, a);
		check_eq(fetch(a, 0, RAM), 0, "%s: a fetch that hits costs nothing", m->name);
		check(same_state(a, b), "%s: and changes nothing", m->name);
		free(a);
		free(b);
	}
}

/* ---- What a call costs the host ---- */

static void bench_loads(const struct memory_model *m, uint64_t lines, unsigned step, unsigned dpfd, const char *what)
{
	struct rig *r = rig_new(m, 1);
	unsigned n = 5000000;
	uint64_t at = 0;
	double from = 0;

	cache_set_depth(&r->chip, 0, dpfd);
	for (unsigned i = 0; i < 2 * n; i++) {
		if (i == n)
			from = seconds();
		load(r, 0, RAM + at * 128, false);
		r->now += CACHE_UNITS;
		at = (at + step) & (lines - 1);
	}
	printf("%s: %s: %.2f ns\n", m->name, what, (seconds() - from) / n * 1e9);
	free(r);
}

static void bench(void)
{
	const struct memory_model *m;

	EACH(m) {
		struct rig *r = rig_new(m, 1);
		unsigned n = 100000000, hits = 0;
		double from;

		for (unsigned i = 0; i < 256; i++)
			load(r, 0, RAM + i * 128, false);
		from = seconds();
		for (unsigned i = 0; i < n; i++)
			hits += cache_l1d_hit(r->core, RAM + i * 72 % 32768);
		printf("%s: L1D hit, inline: %.2f ns (%u)\n", m->name, (seconds() - from) / n * 1e9, hits);
		for (unsigned i = 0; i < 256; i++)
			store(r, 0, RAM + i * 128);
		from = seconds();
		for (unsigned i = 0; i < n; i++)
			hits += cache_store_hit(r->core, RAM + i * 72 % 32768);
		printf("%s: store hit, inline: %.2f ns (%u)\n", m->name, (seconds() - from) / n * 1e9, hits);
		bench_loads(m, 256, 7, 1, "load that hits L1D, called");
		bench_loads(m, 4096, 7, 1, "load from L2, no streams");
		bench_loads(m, 4096, 7, 0, "load from L2");
		bench_loads(m, 65536, 6007, 0, "load from L3");
		bench_loads(m, 1 << 23, 600011, 0, "load from memory");
		bench_loads(m, 1 << 23, 1, 0, "load from memory in a stream");
		free(r);
	}
}

int main(int argc, char **argv)
{
	if (argc > 1 && !strcmp(argv[1], "bench")) {
		bench();
		return 0;
	}
	test_ladder();
	test_streams();
	test_stream_count();
	test_stream_skips();
	test_counts();
	test_overlap();
	test_fetch();
	test_stores();
	test_sharing();
	test_loaded();
	test_hits();
	return check_done();
}

/* Look-aside buffers under the timing models: how many pages each holds, what a walk reads, what a flush throws away.
 *
 * usage: timing_translation [bench]	with `bench`: what a call costs the host, nothing is checked */
#include "cpu/core/counts.h"
#include "memory_models.h"

#define BASE UINT64_C(0x10000000000)

struct rig {
	const struct memory_model *m;
	struct core_tlb tlb;
	struct cache_chip chip;
	struct core_caches core;
	struct cache_slice slice;
	uint64_t event[NEVENTS], stall[NSTALLS];
	uint64_t now;
	uint64_t walking;		/* effective address */
	struct tlb_page evicted;
	unsigned walks, reads;		/* how often was asked, and how many entries a walk reads: 4 unless set */
};

/* A table for each level, as long as the address space needs. */
static unsigned walk(void *opaque, uint64_t gra[TLB_WALK_MOST])
{
	struct rig *r = opaque;
	static const unsigned shift[TLB_WALK_MOST] = { 39, 30, 21, 16 };

	for (unsigned i = 0; i < r->reads; i++)
		gra[i] = (i + 1) * UINT64_C(0x1000000000) + (r->walking >> shift[i]) * 8;
	r->walks++;
	return r->reads;
}

static struct rig *rig_new(const struct memory_model *m)
{
	struct rig *r = calloc(1, sizeof *r);

	if (!r)
		abort();
	r->m = m;
	r->reads = TLB_WALK_MOST;
	cache_chip_init(&r->chip, &m->cache, m->mhz, 1, &r->core, &r->slice, NULL);
	return r;
}

static struct tlb_call call_of(struct rig *r)
{
	return (struct tlb_call){ .chip = &r->chip, .now = r->now, .event = r->event, .stall = r->stall, .walk = walk, .opaque = r,
				  .evicted = &r->evicted };
}

static unsigned data(struct rig *r, struct tlb_page page)
{
	struct tlb_call call = call_of(r);
	unsigned cost;

	r->walking = page.ea;
	cost = translate_data(&r->m->tlb, &r->tlb, &page, true, &call);
	r->now += cost;
	return cost;
}

static unsigned fetch(struct rig *r, struct tlb_page page)
{
	struct tlb_call call = call_of(r);
	unsigned cost;

	r->walking = page.ea;
	cost = translate_fetch(&r->m->tlb, &r->tlb, &page, &call);
	r->now += cost;
	return cost;
}

/* Page n in a row. */
static struct tlb_page page_at(unsigned n, unsigned shift, bool radix)
{
	return (struct tlb_page){ .ea = BASE + ((uint64_t)n << shift), .key = 7, .shift = shift, .radix = radix };
}

/* Three rounds through n pages; the last one's events are left. */
static void rounds(struct rig *r, unsigned n, unsigned shift, bool radix, unsigned (*touch)(struct rig *r, struct tlb_page page))
{
	for (unsigned round = 0; round < 3; round++) {
		memset(r->event, 0, sizeof r->event);
		for (unsigned i = 0; i < n; i++)
			touch(r, page_at(i, shift, radix));
	}
}

/* At `n` pages all are found, with `more` none. */
static void check_knee(const struct memory_model *m, unsigned n, unsigned more, unsigned shift, bool radix, enum cpu_event event,
		       const char *what)
{
	unsigned (*touch)(struct rig *r, struct tlb_page page) = event == EVENT_IERAT_MISS || event == EVENT_ITLB_MISS ? fetch : data;
	struct rig *r = rig_new(m);

	rounds(r, n, shift, radix, touch);
	check_eq(r->event[event], 0, "%s: %s holds %u pages of 2^%u", m->name, what, n, shift);
	free(r);
	r = rig_new(m);
	rounds(r, n + more, shift, radix, touch);
	check_eq(r->event[event], n + more, "%s: %s does not hold %u", m->name, what, n + more);
	free(r);
}

static void test_knees(void)
{
	static const struct { const char *name; unsigned fetch, data, radix, hash; } rows[] = {
		{ "power8", 64, 48, 0, 2048 }, { "power9", 256, 256, 512, 1024 }, { "power10", 64, 64, 4096, 0 },
	};

	for (unsigned i = 0; i < 3; i++) {
		const struct memory_model *m = memory_model_find(rows[i].name);

		for (unsigned shift = 12; shift <= 16; shift += 4) {
			check_knee(m, rows[i].data, 1, shift, true, EVENT_DERAT_MISS, "D-ERAT");
			check_knee(m, rows[i].fetch, 1, shift, true, EVENT_IERAT_MISS, "I-ERAT");
		}
		/* One more page for each set of four. */
		if (rows[i].radix) {
			check_knee(m, rows[i].radix, rows[i].radix / 4, 16, true, EVENT_DTLB_MISS, "TLB (radix)");
			check_knee(m, rows[i].radix, rows[i].radix / 4, 24, true, EVENT_ITLB_MISS, "TLB (radix)");
		}
		if (rows[i].hash)
			check_knee(m, rows[i].hash, rows[i].hash / 4, 12, false, EVENT_DTLB_MISS, "TLB (hash)");
	}
}

/* What a miss of the first level costs with `n` pages of 64 K in use, in 1/4 cycles. */
static unsigned quarters(const struct memory_model *m, unsigned n, unsigned (*touch)(struct rig *r, struct tlb_page page))
{
	struct rig *r = rig_new(m);
	unsigned cost;

	rounds(r, n, 16, false, touch);
	cost = touch(r, page_at(0, 16, false));
	check_eq(r->stall[STALL_TRANSLATION], r->now, "%s: what it costs is counted", m->name);
	free(r);
	return cost * 4 / CACHE_UNITS;
}

static void test_costs(void)
{
	const struct memory_model *p8 = memory_model_find("power8"), *p9 = memory_model_find("power9"), *p10 = memory_model_find("power10");

	check_eq(quarters(p8, 48, data), 0, "power8: 48 pages are in the ERAT");
	check_eq(quarters(p8, 49, data), 63, "power8: 49 in the second level, 18.75 cycles with L1D's");
	check_eq(quarters(p8, 256, data), 63, "power8: 256 as well");
	check_eq(quarters(p8, 257, data), 104, "power8: 257 in the TLB, 26 cycles");
	check_eq(quarters(p9, 257, data), 80, "power9: 20 cycles from the TLB");
	check_eq(quarters(p9, 257, fetch), 100, "power9: 25 for instructions");
	check_eq(quarters(p10, 65, data), 34, "power10: 8.5");
}

static void test_threads(void)
{
	struct rig *r = rig_new(memory_model_find("power8"));

	check(!translation_set_threads(&r->m->tlb, &r->tlb, 2), "power8: more room throws nothing away");
	rounds(r, 96, 16, false, data);
	check_eq(r->event[EVENT_DERAT_MISS], 0, "power8: two threads have 96 pages in the ERAT");
	check(translation_set_threads(&r->m->tlb, &r->tlb, 1), "power8: less room does");
	check(!translation_set_threads(&r->m->tlb, &r->tlb, 1), "power8: the same room does not");
	memset(r->event, 0, sizeof r->event);
	for (unsigned i = 0; i < 48; i++)
		data(r, page_at(i, 16, false));
	check_eq(r->event[EVENT_DERAT_MISS], 0, "power8: of which one keeps 48");
	data(r, page_at(95, 16, false));
	check_eq(r->event[EVENT_DERAT_MISS], 1, "power8: and no more");
	free(r);
}

/* Others go on behind a load whose address they do not need. */
static void test_dependent(void)
{
	const struct memory_model *m;

	EACH(m) {
		struct rig *r = rig_new(m);
		struct tlb_page page = page_at(0, 16, false);
		struct tlb_call call;

		rounds(r, 300, 16, false, data);
		call = call_of(r);
		check_eq(translate_data(&m->tlb, &r->tlb, &page, false, &call), m->tlb.tlb_data_cost / 2, "%s: half is hidden", m->name);
		page = page_at(1, 16, false);
		check_eq(translate_data(&m->tlb, &r->tlb, &page, true, &call), m->tlb.tlb_data_cost, "%s: nothing from a chain", m->name);
		free(r);
	}
}

/* What a caller that keeps translations of its own must drop. */
static void test_evicted(void)
{
	static const unsigned shift[] = { 12, 16, 24 };
	const struct memory_model *m;

	EACH(m)
		for (unsigned i = 0; i < 3; i++) {
			struct rig *r = rig_new(m);
			struct tlb_page page = page_at(0, shift[i], true);

			page.ea += 0xabc;
			data(r, page);
			check_eq(r->evicted.shift, 0, "%s: the first page evicts none", m->name);
			for (unsigned n = 1; n < m->tlb.erat_data; n++)
				data(r, page_at(n, shift[i], true));
			check_eq(r->evicted.shift, 0, "%s: nor the others while there is room", m->name);
			data(r, page_at(1000, shift[i], true));
			check_eq(r->evicted.shift, shift[i] < 16 ? 12 : 16, "%s: then a page of 2^%u has to go", m->name, shift[i]);
			check_eq(r->evicted.ea, BASE, "%s: the first", m->name);
			check_eq(r->evicted.key, page.key, "%s: of its address space", m->name);
			check(!erat_hit(&r->tlb.data, page.key, page.ea, shift[i]), "%s: it is gone", m->name);
			free(r);
		}
}

/* ---- Walks ---- */

/* Reads that the walk for a page makes, each of another line that only memory has. */
static unsigned reads_of(struct rig *r, uint64_t ea, bool radix)
{
	struct tlb_page page = { .ea = ea, .key = 7, .shift = 16, .radix = radix };
	unsigned cost;

	memset(&r->slice, 0, sizeof r->slice);
	r->now += CACHE_CYCLES(100000);
	cost = data(r, page) - r->m->tlb.tlb_data_cost - r->m->tlb.walk_cost;
	return (cost + r->chip.latency[CACHE_MEMORY] / 2) / r->chip.latency[CACHE_MEMORY];
}

static void test_walks(void)
{
	const struct memory_model *m;
	struct rig *r;

	EACH(m) {
		struct tlb_page page = page_at(0, 16, true);

		r = rig_new(m);
		data(r, page);
		data(r, page);
		fetch(r, page);
		check_eq(r->walks, 1, "%s: only a TLB miss walks", m->name);
		check_eq(r->event[EVENT_DTLB_MISS], 1, "%s: it is counted", m->name);
		check_eq(r->event[EVENT_ITLB_MISS], 0, "%s: the fetch finds it in the TLB", m->name);
		page.ea += 0x10000;
		fetch(r, page);
		check_eq(r->event[EVENT_ITLB_MISS], 1, "%s: but not the next page", m->name);
		check_eq(cache_l1d_hit(&r->core, UINT64_C(0x1000000000) + (BASE >> 39) * 8), 0, "%s: a walk does not read into L1D", m->name);
		free(r);

		r = rig_new(m);
		r->reads = 2;
		check_eq(reads_of(r, BASE, false), 2, "%s: a hash table's two groups are read", m->name);
		check_eq(reads_of(r, BASE + 0x10000, false), 2, "%s: each time", m->name);
		r->reads = 4;
		reads_of(r, BASE + 0x30000, true);
		check_eq(reads_of(r, BASE + 0x40000, true), m->tlb.walk_caches ? 1 : 4, "%s: upper entries are cached if the model has that", m->name);
		translation_flush_key(&r->tlb, 8);
		check_eq(reads_of(r, BASE + 0x50000, true), m->tlb.walk_caches ? 1 : 4, "%s: another space's flush leaves them", m->name);
		translation_flush_key(&r->tlb, 7);
		check_eq(reads_of(r, BASE + 0x60000, true), 4, "%s: their own does not", m->name);
		r->reads = 0;
		check_eq(reads_of(r, BASE + 0x20000, false), 0, "%s: nothing if the walk says nothing", m->name);
		free(r);
	}
	for (unsigned i = 1; i < 3; i++) {
		r = rig_new(memory_model_find(names[i]));
		check_eq(reads_of(r, BASE, true), 4, "%s: four levels are read", names[i]);
		check_eq(reads_of(r, BASE + 0x10000, true), 1, "%s: one for the next page", names[i]);
		check_eq(reads_of(r, BASE + (1 << 21), true), 2, "%s: two 2 M further", names[i]);
		check_eq(reads_of(r, BASE + (1 << 30), true), 3, "%s: three 1 G further", names[i]);
		check_eq(reads_of(r, BASE + (UINT64_C(1) << 39), true), 4, "%s: four 512 G further", names[i]);
		free(r);
		r = rig_new(memory_model_find(names[i]));
		for (unsigned n = 0; n < 128; n++)
			reads_of(r, BASE + ((uint64_t)n << 21), true);
		check_eq(reads_of(r, BASE + 0x20000, true), 1, "%s: 128 entries are cached of the lowest", names[i]);
		for (unsigned n = 128; n < 160; n++)
			reads_of(r, BASE + ((uint64_t)n << 21), true);
		check_eq(reads_of(r, BASE + 0x30000, true), 2, "%s: no more", names[i]);
		free(r);
	}
}

/* ---- Flushes ---- */

static void test_flushes(void)
{
	const struct memory_model *m;

	EACH(m) {
		struct rig *r = rig_new(m);
		struct tlb_page page = page_at(5, 16, true), other = page, huge = page_at(3, 24, true), piece = huge;

		other.key = 8;
		data(r, page);
		data(r, other);
		check_eq(r->walks, 2, "%s: a page for each address space", m->name);
		translation_flush_key(&r->tlb, 8);
		fetch(r, page);
		check_eq(r->walks, 2, "%s: another's flush leaves it in the TLB", m->name);
		check_eq(data(r, page) + fetch(r, page), 0, "%s: another's flush leaves it", m->name);
		data(r, other);
		check_eq(r->walks, 3, "%s: its own does not", m->name);
		translation_flush_page(&m->tlb, &r->tlb, &page);
		check_eq(data(r, other), 0, "%s: nor does a page's in another space", m->name);
		data(r, page);
		check_eq(r->walks, 4, "%s: a page is flushed from ERAT and TLB", m->name);
		check(fetch(r, page) != 0, "%s: from the I-ERAT, too", m->name);
		check_eq(r->walks, 4, "%s: which finds it in the TLB again", m->name);
		for (unsigned i = 0; i < 8; i++) {
			piece.ea = huge.ea + (i << 20);
			data(r, piece);
		}
		check_eq(r->walks, 5, "%s: 16 M are one page of the TLB", m->name);
		check_eq(r->event[EVENT_DERAT_MISS], 4 + 8, "%s: and many of the ERAT", m->name);
		translation_flush_page(&m->tlb, &r->tlb, &huge);
		for (unsigned i = 0; i < 8; i++) {
			piece.ea = huge.ea + (i << 20);
			check(!erat_hit(&r->tlb.data, piece.key, piece.ea, piece.shift), "%s: all of them are flushed", m->name);
		}
		check(erat_hit(&r->tlb.data, page.key, page.ea, page.shift), "%s: others are not", m->name);
		data(r, piece);
		check_eq(r->walks, 6, "%s: nor in the TLB", m->name);
		translation_set_threads(&m->tlb, &r->tlb, 2);
		translation_flush_all(&r->tlb);
		check_eq(r->tlb.smt, 1, "%s: a flush leaves the threads", m->name);
		r->tlb.smt = 0;
		check(!erat_hit(&r->tlb.data, page.key, page.ea, page.shift), "%s: and nothing else", m->name);
		data(r, page);
		check_eq(r->walks, 7, "%s: nor in the TLB", m->name);
		free(r);
	}
}

/* ---- Any calls, any state ---- */

static uint64_t any_calls(struct rig *r, uint64_t seed, unsigned n, unsigned pages, uint64_t *most)
{
	static const unsigned shift[] = { 12, 16, 21, 24, 30, 34, 16, 12 };
	uint64_t sum = 0;

	while (n--) {
		uint64_t x = check_random(&seed), cost = 0;
		struct tlb_page page = page_at((unsigned)(x >> 32) % pages, shift[x >> 8 & 7], x >> 16 & 1);

		page.key = x >> 20 & 3;
		if (x >> 24 & 1)
			page.ea = check_random(&seed);
		if (x % 1024 == 0)
			translation_flush_all(&r->tlb);
		else if (x % 256 == 1)
			translation_flush_key(&r->tlb, page.key);
		else if (x % 256 == 2)
			translation_set_threads(&r->m->tlb, &r->tlb, 1 + (x >> 40 & 3));
		else if (x % 16 == 3)
			translation_flush_page(&r->m->tlb, &r->tlb, &page);
		else
			cost = x & 1 ? data(r, page) : fetch(r, page);
		*most = cost > *most ? cost : *most;
		sum = sum * 31 + cost;
	}
	return sum;
}

static bool same_state(const struct rig *a, const struct rig *b)
{
	return !memcmp(&a->tlb, &b->tlb, sizeof a->tlb) && !memcmp(&a->core, &b->core, sizeof a->core) &&
	       !memcmp(a->event, b->event, sizeof a->event) && !memcmp(a->stall, b->stall, sizeof a->stall);
}

static void rig_copy(struct rig *to, const struct rig *from)
{
	struct cache_chip chip = to->chip;

	memcpy(to, from, sizeof *to);
	to->chip = chip;
}

/* Entries that are valid but not found. */
static unsigned lost(const struct erat *e)
{
	unsigned n = 0;

	for (unsigned i = 0; i < ERAT_ENTRIES; i++)
		n += e->page[i] && !erat_find(e, e->page[i], e->key[i]);
	return n;
}

static void make_valid(struct rig *r)
{
	r->tlb.smt %= 2;
	r->tlb.fetch.hand %= ERAT_ENTRIES;
	r->tlb.data.hand %= ERAT_ENTRIES;
	r->tlb.second.hand %= ERAT_ENTRIES;
	for (unsigned i = 0; i < TLB_SETS; i++)
		r->tlb.tlb.hand[i] %= TLB_WAYS;
	for (unsigned l = 0; l < TLB_WALK_MOST - 1; l++)
		for (unsigned i = 0; i < PWC_SETS; i++)
			r->tlb.upper[l].hand[i] %= PWC_WAYS;
}

static void check_refused(struct rig *r, void *at, size_t size, uint32_t value, const char *what)
{
	uint8_t old[4];

	memcpy(old, at, size);
	if (size == 1)
		*(uint8_t *)at = (uint8_t)value;
	else
		*(uint32_t *)at = value;
	check(!translation_load(&r->tlb), "%s: refused: %s", r->m->name, what);
	memcpy(at, old, size);
	check(translation_load(&r->tlb), "%s: valid again", r->m->name);
}

static void test_loaded(void)
{
	const struct memory_model *m;

	EACH(m) {
		struct rig *a = rig_new(m), *b = rig_new(m);
		uint64_t seed = 1, most = 0;

		for (size_t i = 0; i < sizeof a->tlb; i++)
			((uint8_t *)&a->tlb)[i] = (uint8_t)check_random(&seed);
		check(!translation_load(&a->tlb), "%s: garbage is refused", m->name);
		make_valid(a);
		/* Many the same, and some that are none. */
		for (unsigned i = 0; i < ERAT_ENTRIES; i++) {
			a->tlb.data.page[i] = i % 8 ? erat_page(BASE + (i % 8 << 16), 16) : 0;
			a->tlb.data.key[i] = i % 3;
		}
		check(translation_load(&a->tlb), "%s: garbage within its limits is not", m->name);
		check_refused(a, &a->tlb.smt, 4, 2, "a third kind of threads");
		check_refused(a, &a->tlb.fetch.hand, 4, ERAT_ENTRIES, "an entry of the I-ERAT");
		check_refused(a, &a->tlb.data.hand, 4, ERAT_ENTRIES, "an entry of the D-ERAT");
		check_refused(a, &a->tlb.second.hand, 4, ERAT_ENTRIES, "an entry of the second level");
		check_refused(a, &a->tlb.tlb.hand[TLB_SETS - 1], 1, TLB_WAYS, "a way of the TLB");
		check_refused(a, &a->tlb.upper[2].hand[PWC_SETS - 1], 1, PWC_WAYS, "a way of a cache of upper entries");
		rig_copy(b, a);
		check_eq(any_calls(a, 2, 200000, 1000, &most), any_calls(b, 2, 200000, 1000, &most), "%s: the same calls cost the same", m->name);
		check(same_state(a, b), "%s: and leave the same state", m->name);
		check_eq(lost(&a->tlb.data) + lost(&a->tlb.fetch) + lost(&a->tlb.second), 0, "%s: no entry is lost from its chain", m->name);
		check(most <= m->tlb.tlb_data_cost + m->tlb.tlb_fetch_cost + m->tlb.walk_cost + 8 * a->chip.latency[CACHE_MEMORY],
		      "%s: no call costs without limit: %" PRIu64 " units", m->name, most);
		/* Saved and loaded, the chains are in another order: what is found is not. */
		rig_copy(b, a);
		memset(b->tlb.data.chain, 0xff, sizeof b->tlb.data.chain);
		memset(b->tlb.data.next, 0xff, sizeof b->tlb.data.next);
		memset(b->tlb.fetch.chain, 0xff, sizeof b->tlb.fetch.chain);
		memset(b->tlb.second.next, 0xff, sizeof b->tlb.second.next);
		check(translation_load(&b->tlb), "%s: chains are made at a load", m->name);
		check_eq(any_calls(a, 3, 100000, 300, &most), any_calls(b, 3, 100000, 300, &most), "%s: after which calls cost the same", m->name);
		free(a);
		free(b);
	}
}

static void test_hits(void)
{
	const struct memory_model *m;

	EACH(m) {
		struct rig *a = rig_new(m), *b = rig_new(m);
		unsigned hits = 0, wrong = 0, cost = 0;
		uint64_t most = 0;

		any_calls(a, 4, 5000, 60, &most);
		rounds(a, 40, 16, true, data);
		rounds(a, 40, 12, true, fetch);
		rig_copy(b, a);
		for (unsigned n = 0; n < 60; n++) {
			if (erat_hit(&a->tlb.data, 7, page_at(n, 16, true).ea, 16)) {
				cost += data(a, page_at(n, 16, true));
				hits++;
			}
			if (erat_hit(&a->tlb.fetch, 7, page_at(n, 12, true).ea, 12)) {
				cost += fetch(a, page_at(n, 12, true));
				hits++;
			}
			wrong += erat_hit(&a->tlb.data, 9, page_at(n, 16, true).ea, 16);
		}
		check(hits >= 80, "%s: %u pages hit", m->name, hits);
		check_eq(cost, 0, "%s: they cost nothing", m->name);
		check(same_state(a, b), "%s: and change nothing", m->name);
		check_eq(wrong, 0, "%s: none is another's", m->name);
		free(a);
		free(b);
	}
}

static void bench(void)
{
	const struct memory_model *m;

	EACH(m) {
		struct rig *r = rig_new(m);
		unsigned n = 20000000, hits = 0;
		double from;

		rounds(r, 32, 16, true, data);
		from = seconds();
		for (unsigned i = 0; i < n; i++)
			hits += erat_hit(&r->tlb.data, 7, BASE + (i * 7 % 32 << 16), 16);
		printf("%s: ERAT hit, inline: %.2f ns (%u)\n", m->name, (seconds() - from) / n * 1e9, hits);
		rounds(r, 512, 16, true, data);
		from = seconds();
		for (unsigned i = 0; i < n / 10; i++)
			data(r, page_at(i % 512, 16, true));
		printf("%s: ERAT miss, TLB hit: %.2f ns\n", m->name, (seconds() - from) / (n / 10) * 1e9);
		from = seconds();
		for (unsigned i = 0; i < n / 10; i++)
			data(r, page_at(i % 6000, 16, true));
		printf("%s: TLB miss: %.2f ns\n", m->name, (seconds() - from) / (n / 10) * 1e9);
		free(r);
	}
}

int main(int argc, char **argv)
{
	if (argc > 1 && !strcmp(argv[1], "bench")) {
		bench();
		return 0;
	}
	test_knees();
	test_costs();
	test_threads();
	test_dependent();
	test_evicted();
	test_walks();
	test_flushes();
	test_loaded();
	test_hits();
	return check_done();
}

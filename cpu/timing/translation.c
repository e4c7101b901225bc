/* Look-aside buffers. Sources of the figures: memory_models.c. */
#include "cpu/timing/translation.h"

#include <stddef.h>
#include <string.h>

#include "cpu/timing/caches.h"
#include "cpu/core/counts.h"

/* ---- ERATs ---- */

static void chain_in(struct erat *e, unsigned i)
{
	uint16_t *head = &e->chain[erat_chain(e->page[i], e->key[i])];

	e->next[i] = *head;
	*head = (uint16_t)(i + 1);
}

static void erat_drop(struct erat *e, unsigned i)
{
	uint16_t *at;

	if (!e->page[i])
		return;
	at = &e->chain[erat_chain(e->page[i], e->key[i])];
	while (*at && *at != i + 1)
		at = &e->next[*at - 1];
	*at = e->next[i];
	e->page[i] = e->key[i] = e->next[i] = 0;
}

/* Into one of the first `entries`. What had to go is told, as a page of the size that the entry had. */
static void erat_put(struct erat *e, unsigned entries, uint64_t page, uint64_t key, struct tlb_page *evicted)
{
	unsigned i = e->hand < entries ? e->hand : 0;

	if (evicted)
		*evicted = (struct tlb_page){
			.ea = e->page[i] << 12, .key = e->key[i], .shift = !e->page[i] ? 0 : e->page[i] & ERAT_64K ? 16 : 12,
		};
	erat_drop(e, i);
	e->page[i] = page;
	e->key[i] = key;
	chain_in(e, i);
	e->hand = i + 1 < entries ? i + 1 : 0;
}

static bool erat_load(struct erat *e)
{
	if (e->hand >= ERAT_ENTRIES)
		return false;
	memset(e->chain, 0, sizeof e->chain);
	memset(e->next, 0, sizeof e->next);
	for (unsigned i = 0; i < ERAT_ENTRIES; i++)
		if (e->page[i])
			chain_in(e, i);
		else
			e->key[i] = 0;
	return true;
}

/* Pages of the key that begin in [from, from + count), in units of 4 KiB. */
static void erat_flush(struct erat *e, uint64_t key, uint64_t from, uint64_t count)
{
	for (unsigned i = 0; i < ERAT_ENTRIES; i++)
		if (e->page[i] && e->key[i] == key && (e->page[i] & UINT64_MAX >> 12) - from < count)
			erat_drop(e, i);
}

static void erat_flush_page(struct erat *e, const struct tlb_page *page)
{
	unsigned i;

	if (page->shift <= 16) {
		while ((i = erat_find(e, erat_page(page->ea, page->shift), page->key)))
			erat_drop(e, i - 1);
	} else {
		unsigned bits = page->shift - 12;

		erat_flush(e, page->key, page->ea >> 12 >> bits << bits, UINT64_C(1) << bits);
	}
}

/* ---- Buffers of sets: by `tag` and key, first in, first out ---- */

static unsigned set_find(const uint64_t *tag, const uint64_t *key, uint64_t want, uint64_t of, unsigned ways)
{
	unsigned i = 0;

	while (i < ways && !(tag[i] == want && key[i] == of))
		i++;
	return i;
}

static void set_put(uint64_t *tag, uint64_t *key, uint8_t *hand, uint64_t want, uint64_t of, unsigned ways)
{
	unsigned i = *hand < ways ? *hand : 0;

	tag[i] = want;
	key[i] = of;
	*hand = i + 1 < ways ? (uint8_t)(i + 1) : 0;
}

/* ---- TLB: sets of 4 ---- */

static uint64_t tlb_tag(const struct tlb_page *page)
{
	return UINT64_C(1) << 63 | (uint64_t)(page->shift & 63) << 56 | (page->ea >> (page->shift & 63) & UINT64_MAX >> 8);
}

static unsigned tlb_set(const struct tlb_params *p, const struct tlb_page *page)
{
	unsigned sets = page->radix ? p->sets_radix : p->sets_hash;
	unsigned mix = (unsigned)(page->key * UINT64_C(0x9e3779b97f4a7c15) >> 40);

	return ((unsigned)(page->ea >> (page->shift & 63)) ^ mix) & (sets - 1) & (TLB_SETS - 1);
}

/* True: it was there. */
static bool tlb_reach(const struct tlb_params *p, struct tlb *t, const struct tlb_page *page)
{
	unsigned n = tlb_set(p, page), first = n * TLB_WAYS;
	uint64_t tag = tlb_tag(page);

	if (set_find(&t->page[first], &t->key[first], tag, page->key, TLB_WAYS) < TLB_WAYS)
		return true;
	set_put(&t->page[first], &t->key[first], &t->hand[n], tag, page->key, TLB_WAYS);
	return false;
}

/* The set depends on the kind of table, which a flush need not know. */
static void tlb_flush_page(const struct tlb_params *p, struct tlb *t, struct tlb_page page)
{
	for (int radix = 0; radix < 2; radix++) {
		unsigned first, way;

		page.radix = radix;
		first = tlb_set(p, &page) * TLB_WAYS;
		way = set_find(&t->page[first], &t->key[first], tlb_tag(&page), page.key, TLB_WAYS);
		if (way < TLB_WAYS)
			t->page[first + way] = t->key[first + way] = 0;
	}
}

/* ---- Walks ---- */

static unsigned walk_set(uint64_t entry)
{
	return (unsigned)(entry >> 3 ^ entry >> 12) % PWC_SETS;
}

static bool walk_reach(struct walk_cache *w, uint64_t gra, uint64_t key)
{
	unsigned n = walk_set(gra), first = n * PWC_WAYS;

	if (set_find(&w->entry[first], &w->key[first], gra + 1, key, PWC_WAYS) < PWC_WAYS)
		return true;
	set_put(&w->entry[first], &w->key[first], &w->hand[n], gra + 1, key, PWC_WAYS);
	return false;
}

/* The lowest upper entry that is cached saves all reads up to it; those above it stay as they are. */
static uint32_t walk(const struct tlb_params *p, struct core_tlb *t, const struct tlb_page *page, const struct tlb_call *call)
{
	uint64_t gra[TLB_WALK_MOST] = { 0 };
	unsigned n = call->walk ? call->walk(call->opaque, gra) : 0, from = 0;
	uint32_t cost = p->walk_cost;

	if (n > TLB_WALK_MOST)
		n = TLB_WALK_MOST;
	if (page->radix && n) {
		for (from = n - 1; from; from--)
			if (from <= p->walk_caches && walk_reach(&t->upper[from - 1], gra[from - 1], page->key))
				break;
	}
	for (; from < n && call->chip; from++)
		cost += cache_walk(call->chip, call->core, gra[from], call->now + cost, call->event);
	return cost;
}

/* Behind the first level: what the second costs if it has the page, or else TLB and walk. */
static uint32_t behind(const struct tlb_params *p, struct core_tlb *t, const struct tlb_page *page, uint32_t tlb_cost,
		       const struct tlb_call *call, enum cpu_event missed)
{
	if (tlb_reach(p, &t->tlb, page))
		return tlb_cost;
	call->event[missed]++;
	return tlb_cost + walk(p, t, page, call);
}

static unsigned data_entries(const struct tlb_params *p, const struct core_tlb *t)
{
	return t->smt ? p->erat_data_smt : p->erat_data;
}

unsigned translate_data(const struct tlb_params *p, struct core_tlb *t, const struct tlb_page *page, bool dependent,
			const struct tlb_call *call)
{
	uint64_t tag = erat_page(page->ea, page->shift);
	uint32_t cost;

	if (erat_find(&t->data, tag, page->key))
		return 0;
	call->event[EVENT_DERAT_MISS]++;
	if (p->second_data && erat_find(&t->second, tag, page->key)) {
		cost = p->second_cost;
	} else {
		cost = behind(p, t, page, p->tlb_data_cost, call, EVENT_DTLB_MISS);
		if (p->second_data)
			erat_put(&t->second, p->second_data, tag, page->key, NULL);
	}
	erat_put(&t->data, data_entries(p, t), tag, page->key, call->evicted);
	/* Others go on meanwhile, as behind a load that misses. */
	cost = dependent ? cost : cost / 2;
	call->stall[STALL_TRANSLATION] += cost;
	return cost;
}

unsigned translate_fetch(const struct tlb_params *p, struct core_tlb *t, const struct tlb_page *page, const struct tlb_call *call)
{
	uint64_t tag = erat_page(page->ea, page->shift);
	uint32_t cost;

	if (erat_find(&t->fetch, tag, page->key))
		return 0;
	call->event[EVENT_IERAT_MISS]++;
	cost = behind(p, t, page, p->tlb_fetch_cost, call, EVENT_ITLB_MISS);
	erat_put(&t->fetch, p->erat_fetch, tag, page->key, call->evicted);
	call->stall[STALL_TRANSLATION] += cost;
	return cost;
}

/* ---- What the guest throws away ---- */

void translation_flush_all(struct core_tlb *t)
{
	uint32_t smt = t->smt;

	memset(t, 0, sizeof *t);
	t->smt = smt;
}

void translation_flush_erats(struct core_tlb *t)
{
	memset(&t->fetch, 0, sizeof t->fetch);
	memset(&t->data, 0, sizeof t->data);
	memset(&t->second, 0, sizeof t->second);
}

static void flush_upper(struct core_tlb *t, uint64_t key)
{
	for (unsigned level = 0; level < TLB_WALK_MOST - 1; level++)
		for (unsigned i = 0; i < PWC_SETS * PWC_WAYS; i++)
			if (t->upper[level].key[i] == key)
				t->upper[level].entry[i] = t->upper[level].key[i] = 0;
}

void translation_flush_key(struct core_tlb *t, uint64_t key)
{
	erat_flush(&t->fetch, key, 0, UINT64_MAX);
	erat_flush(&t->data, key, 0, UINT64_MAX);
	erat_flush(&t->second, key, 0, UINT64_MAX);
	for (unsigned i = 0; i < TLB_SETS * TLB_WAYS; i++)
		if (t->tlb.key[i] == key)
			t->tlb.page[i] = t->tlb.key[i] = 0;
	flush_upper(t, key);
}

void translation_flush_page(const struct tlb_params *p, struct core_tlb *t, const struct tlb_page *page)
{
	erat_flush_page(&t->fetch, page);
	erat_flush_page(&t->data, page);
	erat_flush_page(&t->second, page);
	tlb_flush_page(p, &t->tlb, *page);
}

bool translation_set_threads(const struct tlb_params *p, struct core_tlb *t, unsigned threads)
{
	bool dropped = false;

	t->smt = threads > 1;
	for (unsigned i = data_entries(p, t); i < ERAT_ENTRIES; i++) {
		dropped |= t->data.page[i] != 0;
		erat_drop(&t->data, i);
	}
	return dropped;
}

static bool hands_ok(const uint8_t *hand, unsigned n, unsigned ways)
{
	for (unsigned i = 0; i < n; i++)
		if (hand[i] >= ways)
			return false;
	return true;
}

bool translation_load(struct core_tlb *t)
{
	if (!erat_load(&t->fetch) || !erat_load(&t->data) || !erat_load(&t->second) || t->smt > 1)
		return false;
	for (unsigned i = 0; i < TLB_WALK_MOST - 1; i++)
		if (!hands_ok(t->upper[i].hand, PWC_SETS, PWC_WAYS))
			return false;
	return hands_ok(t->tlb.hand, TLB_SETS, TLB_WAYS);
}

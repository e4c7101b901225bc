/* The runs that there have been, and room for them. Entries are never dropped; when there is no room for one, all further
 * ones share number 0. */
#define _GNU_SOURCE
#include "cpu/spent/spent.h"

#include "cpu/timing/cost.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/random.h>

#define MAX_ENTRIES (1u << 20)
#define MAX_NODES   (1u << 20)
#define HASH_BITS   20
#define ARENA_SIZE  (UINT64_C(256) << 20)	/* bytes: instructions and counts */

static void *map_sparse(size_t size)
{
	void *p = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	return p == MAP_FAILED ? NULL : p;
}

static void unmap(void *p, size_t size)
{
	if (p)
		munmap(p, size);
}

static uint64_t units_of(uint64_t cycle, unsigned per_cycle)
{
	return cycle > UINT64_MAX / per_cycle ? UINT64_MAX : cycle * per_cycle;
}

struct spent *spent_new(unsigned ncpus, const struct timing *timing, int only, uint64_t from, uint64_t to)
{
	struct spent *s = calloc(1, sizeof *s + ncpus * sizeof s->cpu[0]);
	static const uint64_t none[2];

	if (!s)
		return NULL;
	s->ncpus = ncpus;
	s->stalls = timing->core;
	s->entry = timing->interrupt;
	s->width = timing->core ? timing->core->insn_units : 0;
	s->only = only;
	s->from = units_of(from, timing->per_cycle);
	s->to = units_of(to, timing->per_cycle);
	if (getrandom(&s->factor, sizeof s->factor, 0) != sizeof s->factor)
		s->factor = UINT64_C(0x9e3779b97f4a7c15);
	s->factor |= 1;
	s->entries = map_sparse(MAX_ENTRIES * sizeof *s->entries);
	s->nodes = map_sparse(MAX_NODES * sizeof *s->nodes);
	s->arena = map_sparse(ARENA_SIZE);
	s->places = map_sparse(MAX_ENTRIES * sizeof *s->places);
	s->place_hash = map_sparse(sizeof *s->place_hash << HASH_BITS);
	s->node_hash = map_sparse(sizeof *s->node_hash << HASH_BITS);
	if (!s->entries || !s->places || !s->nodes || !s->arena || !s->place_hash || !s->node_hash) {
		spent_free(s);
		return NULL;
	}
	s->nentries = s->nplaces = s->nnodes = 1;
	s->entries[0].ends = (uint64_t *)(s->arena + s->used);
	s->used += sizeof none;
	if (s->stalls) {
		s->entries[0].stall = (uint64_t *)(s->arena + s->used);
		s->used += NSTALLS * sizeof *s->entries[0].stall;
	}
	for (unsigned i = 0; i < ncpus; i++)
		spent_forget(s, &s->cpu[i]);
	return s;
}

void spent_free(struct spent *s)
{
	if (!s)
		return;
	unmap(s->entries, MAX_ENTRIES * sizeof *s->entries);
	unmap(s->nodes, MAX_NODES * sizeof *s->nodes);
	unmap(s->arena, ARENA_SIZE);
	unmap(s->places, MAX_ENTRIES * sizeof *s->places);
	unmap(s->place_hash, sizeof *s->place_hash << HASH_BITS);
	unmap(s->node_hash, sizeof *s->node_hash << HASH_BITS);
	for (unsigned i = 0; i < SPENT_STACKS; i++)
		free(s->stacks[i]);
	free(s);
}

/* ---- What the last instruction of a run does. Power ISA 3.0B, Book I, 2.4; Book III, 3.3 ---- */

enum spent_kind spent_kind_of(uint32_t word)
{
	bool link = word & 1, always = (word >> 21 & 0x14) == 0x14;

	switch (word >> 26) {
	case 18:
		return link ? SPENT_CALL : SPENT_JUMP;
	case 16:
		return link ? SPENT_CALL : SPENT_PLAIN;
	case 19:
		break;
	default:
		return SPENT_PLAIN;
	}
	switch (word >> 1 & 0x3ff) {
	case 16:	/* bclr */
		return link ? SPENT_CALL : SPENT_RETURN;
	case 528:	/* bcctr */
	case 560:	/* bctar */
		return link ? SPENT_CALL : always ? SPENT_JUMP : SPENT_PLAIN;
	case 18:	/* rfid */
	case 82:	/* rfscv */
		return SPENT_RFI;
	default:
		return SPENT_PLAIN;
	}
}

/* ---- Places ---- */

static uint64_t mix(const struct spent *s, uint64_t h, uint64_t x)
{
	h = (h ^ x) * s->factor;
	return h ^ h >> 29;
}

static uint32_t *place_bucket(struct spent *s, uint64_t space, const struct spent_visit *v)
{
	return &s->place_hash[mix(s, mix(s, mix(s, 0, v->ea), v->gra), space) * s->factor >> (64 - HASH_BITS)];
}

static bool is_there(const struct spent_place *p, uint64_t space, const struct spent_visit *v)
{
	return p->ea == v->ea && p->gra == v->gra && p->space == space && p->mode == v->mode;
}

static uint32_t add_place(struct spent *s, uint32_t *bucket, uint64_t space, const struct spent_visit *v)
{
	if (s->nplaces == MAX_ENTRIES)
		return 0;
	s->places[s->nplaces] = (struct spent_place){ .ea = v->ea, .gra = v->gra, .space = space, .mode = (uint8_t)v->mode, .next = *bucket };
	*bucket = s->nplaces;
	return s->nplaces++;
}

uint32_t spent_place_at(struct spent *s, uint64_t space, const struct spent_visit *v)
{
	uint32_t *bucket;

	if (likely(v->hint && is_there(&s->places[v->hint], space, v)))
		return v->hint;
	bucket = place_bucket(s, space, v);
	for (uint32_t i = *bucket; i; i = s->places[i].next)
		if (is_there(&s->places[i], space, v))
			return i;
	return add_place(s, bucket, space, v);
}

/* ---- What has run from them ---- */

static void *take(struct spent *s, size_t size)
{
	void *p = s->arena + s->used;

	s->used += (size + 7) / 8 * 8;
	return p;
}

/* Room for n words; false: there is none. */
static bool grow(struct spent *s, struct spent_entry *e, unsigned n)
{
	unsigned room = (n + 7) / 8 * 8;
	uint64_t *ends;
	uint32_t *words;

	if (n <= e->room)
		return true;
	if (s->used + (room + 1) * sizeof *ends + room * sizeof *words > ARENA_SIZE)
		return false;
	ends = take(s, (room + 1) * sizeof *ends);
	words = take(s, room * sizeof *words);
	if (e->room) {
		memcpy(ends, e->ends, (e->nwords + 1u) * sizeof *ends);
		memcpy(words, e->words, e->nwords * sizeof *words);
	}
	e->ends = ends;
	e->words = words;
	e->room = (uint8_t)room;
	return true;
}

static struct spent_entry *add_entry(struct spent *s, uint32_t place, uint32_t *link, unsigned n)
{
	struct spent_entry *e = &s->entries[s->nentries];

	if (s->nentries == MAX_ENTRIES || s->used + NSTALLS * sizeof *e->stall > ARENA_SIZE)
		return NULL;
	*e = (struct spent_entry){ .place = place };
	if (s->stalls)
		e->stall = take(s, NSTALLS * sizeof *e->stall);
	if (!grow(s, e, n))
		return NULL;
	*link = s->nentries++;
	return e;
}

/* The oldest one that agrees with the words as far as both go: which one that is depends on what has run alone. */
struct spent_entry *spent_find(struct spent *s, uint32_t place, const uint32_t *words, unsigned n)
{
	uint32_t *link = &s->places[place].first;
	struct spent_entry *e = NULL;
	unsigned faces = 0, same;

	for (; *link && faces < SPENT_FACES; link = &e->next, faces++) {
		e = &s->entries[*link];
		same = e->nwords < n ? e->nwords : n;
		if (likely(!memcmp(e->words, words, same * sizeof words[0])))
			break;
	}
	if (!place || faces == SPENT_FACES)
		return &s->entries[0];
	if (!*link)
		e = add_entry(s, place, link, n);
	if (!e || !grow(s, e, n))
		return &s->entries[0];
	if (unlikely(n > e->nwords)) {
		memcpy(e->words + e->nwords, words + e->nwords, (n - e->nwords) * sizeof words[0]);
		e->nwords = (uint8_t)n;
	}
	return e;
}

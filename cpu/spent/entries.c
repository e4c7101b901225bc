/* The blocks that have run, and room for them. Entries are never dropped; when there is no room for one, all further
 * ones share number 0. */
#define _GNU_SOURCE
#include "cpu/spent/spent.h"

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

struct spent *spent_new(unsigned ncpus, bool stalls, int only, uint64_t from, uint64_t to, unsigned per_cycle)
{
	struct spent *s = calloc(1, sizeof *s + ncpus * sizeof s->cpu[0]);
	static const uint64_t none[2];

	if (!s)
		return NULL;
	s->ncpus = ncpus;
	s->stalls = stalls;
	s->only = only;
	s->from = units_of(from, per_cycle);
	s->to = units_of(to, per_cycle);
	if (getrandom(&s->factor, sizeof s->factor, 0) != sizeof s->factor)
		s->factor = UINT64_C(0x9e3779b97f4a7c15);
	s->factor |= 1;
	s->entries = map_sparse(MAX_ENTRIES * sizeof *s->entries);
	s->nodes = map_sparse(MAX_NODES * sizeof *s->nodes);
	s->arena = map_sparse(ARENA_SIZE);
	s->entry_hash = map_sparse(sizeof *s->entry_hash << HASH_BITS);
	s->node_hash = map_sparse(sizeof *s->node_hash << HASH_BITS);
	if (!s->entries || !s->nodes || !s->arena || !s->entry_hash || !s->node_hash) {
		spent_free(s);
		return NULL;
	}
	s->nentries = s->nnodes = 1;
	s->entries[0].ends = (uint64_t *)(s->arena + s->used);
	s->used += sizeof none;
	if (stalls) {
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
	unmap(s->entry_hash, sizeof *s->entry_hash << HASH_BITS);
	unmap(s->node_hash, sizeof *s->node_hash << HASH_BITS);
	for (unsigned i = 0; i < SPENT_STACKS; i++)
		free(s->stacks[i]);
	free(s);
}

/* ---- What a block's last instruction does. Power ISA 3.0B, Book I, 2.4; Book III, 3.3 ---- */

static enum spent_kind kind_of(uint32_t word)
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

/* ---- Finding them ---- */

static uint64_t mix(const struct spent *s, uint64_t h, uint64_t x)
{
	h = (h ^ x) * s->factor;
	return h ^ h >> 29;
}

static uint32_t hash_of(const struct spent *s, uint64_t space, const struct spent_visit *v)
{
	uint64_t h = mix(s, mix(s, v->ea, v->gra), space ^ (uint64_t)v->ninsns << 48);
	unsigned i = 0;

	for (; i + 1 < v->ninsns; i += 2)
		h = mix(s, h, v->words[i] | (uint64_t)v->words[i + 1] << 32);
	if (i < v->ninsns)
		h = mix(s, h, v->words[i]);
	h *= s->factor;
	return (uint32_t)(h >> 32);
}

static bool is_it(const struct spent_entry *e, uint32_t hash, uint64_t space, const struct spent_visit *v)
{
	return e->hash == hash && e->ea == v->ea && e->gra == v->gra && e->space == space && e->ninsns == v->ninsns &&
	       e->mode == (uint8_t)v->mode && !memcmp(e->words, v->words, v->ninsns * sizeof *e->words);
}

static void *take(struct spent *s, size_t size)
{
	void *p = s->arena + s->used;

	s->used += (size + 7) / 8 * 8;
	return p;
}

static uint32_t add_entry(struct spent *s, uint32_t hash, uint64_t space, const struct spent_visit *v)
{
	size_t size = (v->ninsns + 2) * sizeof(uint64_t) + v->ninsns * sizeof(uint32_t) + NSTALLS * sizeof(uint64_t);
	struct spent_entry *e = &s->entries[s->nentries];
	uint32_t *bucket = &s->entry_hash[hash >> (32 - HASH_BITS)];

	if (s->nentries == MAX_ENTRIES || s->used + size > ARENA_SIZE)
		return 0;
	*e = (struct spent_entry){
		.ea = v->ea, .gra = v->gra, .space = space, .hash = hash, .next = *bucket, .ninsns = (uint16_t)v->ninsns,
		.mode = (uint8_t)v->mode, .kind = (uint8_t)kind_of(v->words[v->ninsns - 1]),
	};
	e->ends = take(s, (v->ninsns + 1) * sizeof *e->ends);
	e->words = take(s, v->ninsns * sizeof *e->words);
	if (s->stalls)
		e->stall = take(s, NSTALLS * sizeof *e->stall);
	memcpy(e->words, v->words, v->ninsns * sizeof *e->words);
	*bucket = s->nentries;
	return s->nentries++;
}

uint32_t spent_find(struct spent *s, uint64_t space, const struct spent_visit *v)
{
	uint32_t hash = hash_of(s, space, v);

	for (uint32_t i = s->entry_hash[hash >> (32 - HASH_BITS)]; i; i = s->entries[i].next)
		if (is_it(&s->entries[i], hash, space, v))
			return i;
	return v->ninsns ? add_entry(s, hash, space, v) : 0;
}

/* See prof_views.h. */
#include <stdlib.h>

#include "tools/prof/prof_views.h"

#define NONE UINT32_MAX
#define HASH_BITS 16

static uint32_t bucket_of(uint32_t parent, uint32_t function)
{
	uint64_t h = ((uint64_t)parent << 32 | function) * UINT64_C(0x9e3779b97f4a7c15);

	return (uint32_t)(h >> (64 - HASH_BITS));
}

/* There is room for as many as there are calls. */
static uint32_t child(struct prof_tree *t, uint32_t parent, uint32_t function)
{
	uint32_t *bucket = &t->bucket[bucket_of(parent, function)];

	for (uint32_t i = *bucket; i != NONE; i = t->at[i].next)
		if (t->at[i].parent == parent && t->at[i].function == function)
			return i;
	t->at[t->n] = (struct prof_tree_node){ .function = function, .parent = parent, .depth = t->at[parent].depth + 1, .next = *bucket };
	*bucket = t->n;
	return t->n++;
}

bool prof_tree_make(struct prof_tree *t, const struct prof_functions *f, struct error *err)
{
	const struct prof *p = f->p;
	uint32_t *node = calloc(p->ncalls, sizeof *node);

	t->at = calloc(p->ncalls, sizeof *t->at);
	t->bucket = malloc(sizeof *t->bucket << HASH_BITS);
	t->n = 1;
	if (!node || !t->at || !t->bucket) {
		free(node);
		prof_tree_free(t);
		error_set(err, "out of memory");
		return false;
	}
	for (uint32_t i = 0; i < 1u << HASH_BITS; i++)
		t->bucket[i] = NONE;
	t->at[0].units = p->calls[0].units;
	for (uint32_t i = 1; i < p->ncalls; i++) {
		node[i] = child(t, node[p->calls[i].parent], p->calls[i].function);
		t->at[node[i]].units += p->calls[i].units;
	}
	for (uint32_t i = 0; i < t->n; i++)
		t->at[i].all_units = t->at[i].units;
	for (uint32_t i = t->n - 1; i; i--)
		t->at[t->at[i].parent].all_units += t->at[i].all_units;
	free(node);
	return true;
}

void prof_tree_free(struct prof_tree *t)
{
	free(t->at);
	free(t->bucket);
	t->at = NULL;
	t->bucket = NULL;
}

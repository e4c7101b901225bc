/* See prof_code.h. */
#include "tools/prof/prof_code.h"

#include <stdlib.h>

#define MOST_INSNS (16u << 20)

static int by_place(const void *a, const void *b)
{
	const struct prof_insn *x = a, *y = b;

	if (x->function != y->function)
		return x->function < y->function ? -1 : 1;
	if (x->ea != y->ea)
		return x->ea < y->ea ? -1 : 1;
	return x->word < y->word ? -1 : x->word > y->word;
}

static bool wants(const struct prof_functions *f, uint32_t i, uint32_t function)
{
	return function == UINT32_MAX || f->p->blocks[i].function == function;
}

static size_t count(const struct prof_functions *f, uint32_t function)
{
	size_t n = 0;

	for (uint32_t i = 0; i < f->p->nblocks; i++)
		if (wants(f, i, function))
			n += f->p->blocks[i].n;
	return n;
}

/* A reason's time is shared out like the block's. */
static void share_reason(const struct prof_block *b, const struct prof_line *line, unsigned reason, unsigned nreasons, uint64_t *at)
{
	uint64_t value = prof_reason(b, reason), sum = 0, before = 0, until;

	for (unsigned i = 0; i < b->n; i++) {
		sum += line[i].units;
		until = b->units ? (uint64_t)((unsigned __int128)value * sum / b->units) : i ? before : value;
		at[(size_t)i * nreasons + reason] = until - before;
		before = until;
	}
}

static void add_block(struct prof_code *c, const struct prof_functions *f, const struct prof_block *b)
{
	unsigned nreasons = f->p->nreasons;
	uint64_t *reasons = c->reasons + c->n * nreasons;
	struct prof_line line[PROF_MAX_INSNS];

	prof_lines(b, line);
	for (unsigned i = 0; i < nreasons; i++)
		share_reason(b, line, i, nreasons, reasons);
	for (unsigned i = 0; i < b->n; i++)
		c->at[c->n++] = (struct prof_insn){
			.ea = b->ea + 4u * i, .space = b->space, .executions = line[i].executions, .units = line[i].units,
			.reasons = reasons + (size_t)i * nreasons, .function = b->function, .word = prof_word(b, i),
		};
}

static void merge(struct prof_code *c, unsigned nreasons)
{
	size_t kept = 0;

	for (size_t i = 0; i < c->n; i++) {
		struct prof_insn *last = kept ? &c->at[kept - 1] : NULL;

		if (!last || by_place(last, &c->at[i])) {
			c->at[kept++] = c->at[i];
			continue;
		}
		last->executions += c->at[i].executions;
		last->units += c->at[i].units;
		for (unsigned k = 0; k < nreasons; k++)
			((uint64_t *)(uintptr_t)last->reasons)[k] += c->at[i].reasons[k];
	}
	c->n = kept;
}

bool prof_code_make(struct prof_code *c, const struct prof_functions *f, uint32_t function, struct error *err)
{
	size_t n = count(f, function);

	*c = (struct prof_code){ .n = 0 };
	if (n <= MOST_INSNS) {
		c->at = calloc(n + 1, sizeof *c->at);
		c->reasons = calloc(n * f->p->nreasons + 1, sizeof *c->reasons);
	}
	if (!c->at || !c->reasons) {
		error_set(err, n > MOST_INSNS ? "%.100s: has too many instructions" : "%.100s: out of memory", f->p->path);
		prof_code_free(c);
		return false;
	}
	for (uint32_t i = 0; i < f->p->nblocks; i++)
		if (wants(f, i, function))
			add_block(c, f, &f->p->blocks[i]);
	if (c->n)
		qsort(c->at, c->n, sizeof *c->at, by_place);
	merge(c, f->p->nreasons);
	return true;
}

void prof_code_free(struct prof_code *c)
{
	free(c->at);
	free(c->reasons);
}

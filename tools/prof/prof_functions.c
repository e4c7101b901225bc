/* See prof_functions.h. */
#include "tools/prof/prof_functions.h"

#include <stdlib.h>
#include <string.h>

#define PAGE     UINT64_C(4096)
#define MOST_GAP UINT64_C(65536)	/* bytes: a function without a symbol is not longer */
#define NONE     UINT32_MAX
#define LINEAR   UINT64_C(0xc000000000000000)	/* Linux: its addresses in real mode are these less that */

struct prof_start {
	uint64_t space, addr;
	uint32_t function;
};

/* ---- Where functions begin that have no symbol ---- */

static uint64_t home(uint64_t space) { return prof_is_user(space) ? space : PROF_KERNEL; }

static int by_place(const void *a, const void *b)
{
	const struct prof_start *x = a, *y = b;

	if (x->space != y->space)
		return x->space < y->space ? -1 : 1;
	return x->addr < y->addr ? -1 : x->addr > y->addr;
}

static void sort_starts(struct prof_functions *f)
{
	size_t kept = 0;

	if (f->nstarts)
		qsort(f->starts, f->nstarts, sizeof *f->starts, by_place);
	for (size_t i = 0; i < f->nstarts; i++)
		if (!kept || by_place(&f->starts[i], &f->starts[kept - 1]))
			f->starts[kept++] = f->starts[i];
	f->nstarts = kept;
}

static struct prof_start *find_start(const struct prof_functions *f, uint64_t ea, uint64_t space)
{
	struct prof_start key = { .space = space, .addr = ea };
	size_t low = 0, high = f->nstarts;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (by_place(&f->starts[middle], &key) <= 0)
			low = middle + 1;
		else
			high = middle;
	}
	if (!low || f->starts[low - 1].space != space || ea - f->starts[low - 1].addr >= MOST_GAP)
		return NULL;
	return &f->starts[low - 1];
}

/* ---- Code in real mode. A kernel that boots runs elsewhere before it puts itself in its place. ---- */

static int by_number(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return x < y ? -1 : x > y;
}

static bool find_gone(struct prof_functions *f)
{
	f->gone = calloc(f->p->nblocks + 1, sizeof *f->gone);
	for (uint32_t i = 0; f->gone && i < f->p->nblocks; i++)
		if (f->p->blocks[i].space == PROF_REAL && f->p->blocks[i].mode & PROF_GONE)
			f->gone[f->ngone++] = f->p->blocks[i].ea;
	if (f->ngone)
		qsort(f->gone, f->ngone, sizeof *f->gone, by_number);
	return f->gone;
}

static bool is_gone(const struct prof_functions *f, uint64_t ea)
{
	return f->ngone && bsearch(&ea, f->gone, f->ngone, sizeof *f->gone, by_number);
}

/* A user's symbol is not the kernel's, and what runs in real mode is the kernel's, too. */
static struct prof_symbol *find_symbol(const struct prof_functions *f, uint64_t ea, uint64_t space)
{
	bool linear = space == PROF_REAL && ea < LINEAR && !is_gone(f, ea);
	struct prof_symbol *s = linear ? prof_symbols_find(f->symbols, ea | LINEAR) : NULL;

	if (s)
		return s;
	s = prof_symbols_find(f->symbols, ea);
	return s && prof_is_user(space) && s->addr >= LINEAR ? NULL : s;
}

static void add_start(struct prof_functions *f, uint64_t ea, uint64_t space)
{
	f->starts[f->nstarts++] = (struct prof_start){ .space = space, .addr = ea, .function = NONE };
}

static bool make_starts(struct prof_functions *f)
{
	const struct prof *p = f->p;
	size_t called;

	f->starts = calloc((size_t)p->ncalls * 2 + p->nblocks + 1, sizeof *f->starts);
	if (!f->starts)
		return false;
	for (uint32_t i = 1; i < p->ncalls; i++)
		if (p->calls[i].how != PROF_UNKNOWN && !find_symbol(f, p->calls[i].ea, p->calls[i].space))
			add_start(f, p->calls[i].ea, p->calls[i].space);
	sort_starts(f);
	called = f->nstarts;
	for (uint32_t i = 0; i < p->nblocks + p->ncalls; i++) {
		uint64_t ea = i < p->nblocks ? p->blocks[i].ea : p->calls[i - p->nblocks].ea;
		uint64_t space = i < p->nblocks ? p->blocks[i].space : p->calls[i - p->nblocks].space;
		size_t all = f->nstarts;
		struct prof_start *start;

		f->nstarts = called;
		start = find_start(f, ea, space);
		f->nstarts = all;
		if (!start && !find_symbol(f, ea, space))
			add_start(f, ea & ~(PAGE - 1), space);
	}
	sort_starts(f);
	return true;
}

/* ---- Functions ---- */

static uint32_t add_function(struct prof_functions *f, char *name, uint64_t addr, uint64_t space)
{
	struct prof_function *g;

	if (f->n == f->room) {
		uint32_t room = f->room ? 2 * f->room : 1024;
		struct prof_function *more = realloc(f->at, room * sizeof *more);

		if (!more) {
			free(name);
			return NONE;
		}
		f->at = more;
		f->room = room;
	}
	g = &f->at[f->n];
	*g = (struct prof_function){ .name = name, .addr = addr, .space = home(space) };
	g->reasons = calloc(f->p->nreasons + 1, sizeof *g->reasons);
	if (!name || !g->reasons) {
		free(name);
		free(g->reasons);
		return NONE;
	}
	return f->n++;
}

static void name_start(uint64_t addr, uint64_t space, char *text, size_t size)
{
	if (prof_is_user(space))
		snprintf(text, size, "[pid %llu] 0x%llx", (unsigned long long)prof_pid(space), (unsigned long long)addr);
	else
		snprintf(text, size, "[%s] 0x%llx", space == PROF_REAL ? "real mode" : "kernel", (unsigned long long)addr);
}

/* NONE: out of memory. */
static uint32_t function_of(struct prof_functions *f, uint64_t ea, uint64_t space)
{
	struct prof_symbol *symbol = find_symbol(f, ea, space);
	struct prof_start *start = symbol ? NULL : find_start(f, ea, space);
	char text[64];

	if (symbol) {
		if (symbol->function == NONE)
			symbol->function = add_function(f, strdup(symbol->name), symbol->addr, space);
		return symbol->function;
	}
	if (!start)
		return 0;
	if (start->function == NONE) {
		name_start(start->addr, space, text, sizeof text);
		start->function = add_function(f, strdup(text), start->addr, space);
	}
	return start->function;
}

static bool count_blocks(struct prof_functions *f, struct prof *p)
{
	for (uint32_t i = 0; i < p->nblocks; i++) {
		struct prof_block *b = &p->blocks[i];
		struct prof_function *g;

		b->function = function_of(f, b->ea, b->space);
		if (b->function == NONE)
			return false;
		g = &f->at[b->function];
		g->units += b->units;
		g->insns += b->insns;
		g->visits += b->visits;
		for (unsigned k = 0; k < p->nreasons; k++)
			g->reasons[k] += prof_reason(b, k);
	}
	f->at[0].units += p->other_units;
	f->at[0].insns += p->other_insns;
	f->at[0].visits += p->other_visits;
	return true;
}

/* Is the function among those that have called this one? */
static bool is_inside(const struct prof *p, uint32_t call)
{
	uint32_t function = p->calls[call].function;

	while ((call = p->calls[call].parent) != 0)
		if (p->calls[call].function == function)
			return true;
	return false;
}

static bool count_calls(struct prof_functions *f, struct prof *p)
{
	p->calls[0].function = 0;
	f->at[0].all_units += p->calls[0].units;
	f->at[0].all_insns += p->calls[0].insns;
	for (uint32_t i = 1; i < p->ncalls; i++) {
		struct prof_call *c = &p->calls[i];

		c->function = function_of(f, c->ea, c->space);
		if (c->function == NONE)
			return false;
		if (__builtin_add_overflow(f->at[c->function].calls, c->count, &f->at[c->function].calls))
			f->at[c->function].calls = UINT64_MAX;
		if (is_inside(p, i))
			continue;
		f->at[c->function].all_units += c->all_units;
		f->at[c->function].all_insns += c->all_insns;
	}
	/* One that others jump to is in their stacks: all that is known is its own. */
	for (uint32_t i = 0; i < f->n; i++) {
		struct prof_function *g = &f->at[i];

		g->all_units = g->all_units < g->units ? g->units : g->all_units;
		g->all_insns = g->all_insns < g->insns ? g->insns : g->all_insns;
	}
	return true;
}

bool prof_functions_make(struct prof_functions *f, struct prof *p, struct prof_symbols *symbols, struct error *err)
{
	*f = (struct prof_functions){ .p = p, .symbols = symbols };
	if (find_gone(f) && make_starts(f) && add_function(f, strdup("[other]"), 0, 0) == 0 && count_blocks(f, p) && count_calls(f, p))
		return true;
	error_set(err, "out of memory");
	return false;
}

void prof_functions_free(struct prof_functions *f)
{
	for (uint32_t i = 0; i < f->n; i++) {
		free((char *)(uintptr_t)f->at[i].name);
		free(f->at[i].reasons);
	}
	free(f->at);
	free(f->starts);
	free(f->gone);
}

/* ---- Names of addresses ---- */

bool prof_is_named(const struct prof_functions *f, uint64_t ea, uint64_t space) { return find_symbol(f, ea, space); }

void prof_place_name(const struct prof_functions *f, uint64_t ea, uint64_t space, char *text, size_t size)
{
	const struct prof_symbol *symbol = find_symbol(f, ea, space);
	uint64_t addr = symbol && space == PROF_REAL && ea < LINEAR && symbol->addr >= LINEAR ? symbol->addr - LINEAR : symbol ? symbol->addr : 0;

	if (!symbol)
		snprintf(text, size, "0x%llx", (unsigned long long)ea);
	else if (ea == addr)
		snprintf(text, size, "%s", symbol->name);
	else
		snprintf(text, size, "%s+0x%llx", symbol->name, (unsigned long long)(ea - addr));
}

/* ---- Order ---- */

struct ranked {
	uint32_t number;
	uint64_t key;
	const char *name;
};

static int by_rank(const void *a, const void *b)
{
	const struct ranked *x = a, *y = b;
	int order;

	if (x->key != y->key)
		return x->key > y->key ? -1 : 1;
	order = strcmp(x->name, y->name);
	return order ? order : x->number < y->number ? -1 : x->number > y->number;
}

uint32_t *prof_functions_sorted(const struct prof_functions *f, enum prof_order order, uint32_t *n)
{
	struct ranked *ranked = calloc(f->n, sizeof *ranked);
	uint32_t *numbers = calloc(f->n, sizeof *numbers);

	*n = 0;
	for (uint32_t i = 0; ranked && numbers && i < f->n; i++) {
		const struct prof_function *g = &f->at[i];
		const uint64_t keys[PROF_ORDERS] = { g->units, g->all_units, g->insns, g->calls, 0 };

		if (g->visits || g->units || g->all_units || g->calls)
			ranked[(*n)++] = (struct ranked){ i, keys[order], g->name };
	}
	if (ranked && *n)
		qsort(ranked, *n, sizeof *ranked, by_rank);
	for (uint32_t i = 0; ranked && numbers && i < *n; i++)
		numbers[i] = ranked[i].number;
	if (!ranked) {
		free(numbers);
		numbers = NULL;
	}
	free(ranked);
	return numbers;
}

/* What functions took, by themselves and with all that they called. */
#ifndef TOOLS_PROF_PROF_FUNCTIONS_H
#define TOOLS_PROF_PROF_FUNCTIONS_H

#include "tools/prof/prof_symbols.h"

/* One that has no symbol begins where calls lead to, or with its page. */
struct prof_function {
	const char *name;
	uint64_t addr, space;			/* of the first that was seen */
	uint64_t units, insns, visits;		/* its own; visits of blocks */
	uint64_t calls;
	uint64_t all_units, all_insns;		/* inclusive; counted once, however often it calls itself */
	uint64_t *reasons;
};

struct prof_start;
struct prof_functions {
	const struct prof *p;
	const struct prof_symbols *symbols;
	struct prof_function *at;		/* number 0: what there was no room for */
	uint32_t n, room;
	struct prof_start *starts;		/* of those without a symbol, by space and address */
	size_t nstarts;
	uint64_t *gone;			/* addresses in real mode whose code is no longer there, so that no symbol is its */
	size_t ngone;
};

/* Fills in `function` of blocks and calls, too. False: out of memory. */
bool prof_functions_make(struct prof_functions *f, struct prof *p, struct prof_symbols *symbols, struct error *err);
void prof_functions_free(struct prof_functions *f);

/* "name" or "name+0x1c" for an address; the text is as long as `size` at most. */
bool prof_is_named(const struct prof_functions *f, uint64_t ea, uint64_t space);
void prof_place_name(const struct prof_functions *f, uint64_t ea, uint64_t space, char *text, size_t size);

/* Numbers of functions in an order, those with nothing left out. NULL: out of memory. */
enum prof_order { PROF_BY_SELF, PROF_BY_ALL, PROF_BY_INSNS, PROF_BY_CALLS, PROF_BY_NAME, PROF_ORDERS };
uint32_t *prof_functions_sorted(const struct prof_functions *f, enum prof_order order, uint32_t *n);

#endif

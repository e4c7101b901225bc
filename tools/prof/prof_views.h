/* The views of a profile. Each writes to `out`. False: err->msg says why not. */
#ifndef TOOLS_PROF_PROF_VIEWS_H
#define TOOLS_PROF_PROF_VIEWS_H

#include "tools/prof/prof_functions.h"

struct prof_options {
	uint32_t top;			/* rows; 0: all */
	enum prof_order order;
	const char *function;		/* --annotate */
	const char *title;		/* of the picture; NULL: the file's name */
	const char *where, *words;	/* --pipeline, --words */
	const char *timing;		/* NULL: the profile's */
	uint32_t rounds;		/* 0: as many as show it */
	bool picture;			/* of the pipeline */
};

typedef bool prof_view(const struct prof_functions *f, const struct prof_options *o, FILE *out, struct error *err);

prof_view prof_table, prof_annotate, prof_callgrind, prof_folded, prof_svg, prof_json, prof_totals;

/* A second profile beside the first. */
bool prof_compare(const struct prof_functions f[2], const struct prof_options *o, FILE *out, struct error *err);

/* ---- prof_disasm.c: the text of an instruction. `f`: NULL: nothing has a name ---- */
void prof_disasm(const struct prof_functions *f, uint64_t ea, uint64_t space, uint32_t word, char *text, size_t size);

/* ---- prof_tree.c: calls by functions: those that differ in the address of the call alone are one ---- */
struct prof_tree_node {
	uint32_t function, parent, depth, next;
	uint64_t units, all_units;
};
struct prof_tree {
	struct prof_tree_node *at;	/* parents before children; number 0: the root */
	uint32_t n;
	uint32_t *bucket;
};
bool prof_tree_make(struct prof_tree *t, const struct prof_functions *f, struct error *err);
void prof_tree_free(struct prof_tree *t);

/* ---- Numbers ---- */
static inline double prof_percent(uint64_t part, uint64_t whole)
{
	return whole ? 100.0 * (double)part / (double)whole : 0;
}

/* A time as it is shown: cycles of the core, to the nearest. */
static inline uint64_t prof_cycles(const struct prof *p, uint64_t units)
{
	return units / p->per_core + (units % p->per_core * 2 >= p->per_core);
}

/* Times of a list that are to add up: what is less than a cycle goes to the next one. `rest`: 0 before the first. */
static inline uint64_t prof_cycles_of_list(const struct prof *p, uint64_t units, uint64_t *rest)
{
	uint64_t part = units % p->per_core + *rest;

	*rest = part % p->per_core;
	return units / p->per_core + part / p->per_core;
}

static inline double prof_cpi(const struct prof *p, uint64_t units, uint64_t insns)
{
	return insns ? (double)units / p->per_core / (double)insns : 0;
}

#endif

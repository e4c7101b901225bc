/* What the oracle and cede have made of a case. */
#ifndef TESTS_INSN_COMPARE_H
#define TESTS_INSN_COMPARE_H

#include <stdbool.h>

#include "cpu/engine/decode.h"
#include "state.h"

/* A case, and what came of it on both sides. */
struct view {
	const struct insn *insn;
	const struct testcase *in, *got;
	bool later;			/* its row came after the processor: who finds it is the question */
	struct testcase *want;		/* the oracle's; excuses make it cede's, bit by bit */
};

/* Prints where they differ, and the operands. */
void compare_show(const struct view *v);

/* ---- exceptions.c: what may differ. The list itself says what its columns mean. ---- */

struct exceptions;

/* NULL: the list cannot be read; said on stderr. */
struct exceptions *exceptions_read(const char *path);

/* The row has a line with that field ("little", "mirror", "fr": what the caller does about them
 * is said where it does it). x may be NULL. */
bool exceptions_list(struct exceptions *x, const struct insn *insn, const char *field);

/* No line excuses more of the row than FPSCR, but those for all rows. x may be NULL. */
bool exceptions_spare(const struct exceptions *x, const struct insn *insn);

/* Applies every line that fits the case to v->want. */
void exceptions_apply(struct exceptions *x, struct view *v);

/* Prints the lines that have excused nothing. */
void exceptions_unused(const struct exceptions *x);

#endif

/* Instructions in a row, each on what those before it have left: what cede fuses, and what it keeps from one to the next. */
#ifndef TESTS_INSN_SEQUENCE_H
#define TESTS_INSN_SEQUENCE_H

#include "compare.h"
#include "draw.h"

/* The row may stand in a sequence: what it does follows from registers and memory, and the oracle does it right. */
bool sequence_takes(const struct insn *insn, struct exceptions *x);

/* n instructions of these rows, and a state before them. chosen: which rows they are of. */
void sequence_draw(const struct insn *const *rows, unsigned nrows, unsigned n, bool big, struct testcase *c,
		   const struct insn **chosen);

/* What the oracle is not judged by goes: FPSCR, of which single instructions are compared. */
void sequence_settle(struct testcase *c);

#endif

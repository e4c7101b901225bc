/* What the oracle and cede have made of a case: the same, or not. */
#ifndef TESTS_INSN_COMPARE_H
#define TESTS_INSN_COMPARE_H

#include <stdbool.h>

#include "cpu/decode.h"
#include "state.h"

struct exceptions;

/* Reads exceptions.list; NULL: it cannot be read, said on stderr. */
struct exceptions *exceptions_read(const char *path);

/* The list says "little": this row runs only in big-endian mode. */
bool exceptions_no_little_endian(struct exceptions *x, const struct insn *insn);

/* The list says "mirror": that the oracle negates before it rounds, so that it
 * gives what the ISA says if it runs in the opposite directed rounding mode. */
bool exceptions_mirrored(struct exceptions *x, const struct insn *insn);
/* Toward +infinity becomes toward -infinity and back. */
void mirror_rounding(struct testcase *c);

/* True if `got` is `want`, but for what the list excuses. x may be NULL. */
bool compare_case(struct exceptions *x, const struct insn *insn, const struct testcase *in,
		  const struct testcase *want, const struct testcase *got);
/* Prints where they differ, and the operands. */
void compare_show(const struct testcase *in, const struct testcase *want, const struct testcase *got);
/* Prints the lines of the list that have excused nothing. */
void exceptions_unused(const struct exceptions *x);

#endif

/* Cases to try: drawn at random, from values and fields that matter. The same seed gives the
 * same cases.
 */
#ifndef TESTS_INSN_DRAW_H
#define TESTS_INSN_DRAW_H

#include "cpu/engine/decode.h"
#include "state.h"

void draw_seed(uint64_t seed);

/* The row's operands include this one, as forms.h spells it. */
bool row_has(const struct insn *insn, const char *token);

void draw_case(const struct insn *insn, struct testcase *c);

#endif

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

/* With like, a case of the same row: its word again, if that is valid with other operands. NULL: a new one. */
void draw_case(const struct insn *insn, struct testcase *c, const struct testcase *like);

/* The next of the drawn numbers. */
uint64_t draw_random(void);

/* draw_decimal.c: what a decimal row's operands hold. */
void draw_decimals(const struct insn *insn, uint32_t word, uint64_t vsr[64][2]);

/* draw_float.c: the same of rows that compute with binary floating-point numbers. */
void draw_floats(const struct insn *insn, uint32_t word, uint64_t vsr[64][2]);
/* Exceptions that have occurred and enable bits, any of both. */
void draw_occurred(struct state *s);

#endif

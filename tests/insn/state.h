/* One differential case: an instruction and the state around it, as the generator, the oracle
 * and cede exchange it. All numbers little-endian in the pipes; a big-endian oracle swaps.
 */
#ifndef TESTS_INSN_STATE_H
#define TESTS_INSN_STATE_H

#include <stdint.h>

#define MEM_BYTES 512
#define MEM_ADDR  0x20000000u	/* where both sides have the memory operand's bytes */
#define CODE_ADDR 0x20010000u	/* where the case's instructions lie: addpcis sees it */

/* Cases go back and forth this many at a time: few enough for a pipe's 64 KiB. */
#define CHUNK 32

struct state {
	uint64_t r[32];
	uint64_t vsr[64][2];		/* doublewords 0 and 1 */
	uint64_t cr, xer, fpscr, vscr;
	uint64_t mem[MEM_BYTES / 8];	/* not swapped: bytes as they lie */
};

struct testcase {
	uint32_t before;		/* runs first: a nop, or the load that reserves for a stwcx. */
	uint32_t word;			/* the instruction under test, or its suffix */
	uint32_t prefix;		/* 0: it has none */
	uint32_t sequence;		/* 0, or so many instructions in a row in place of that one: sequence_code() */
	uint64_t outcome;		/* enum outcome, on return */
	struct state state;
};

/* The words of a sequence, nops behind them, are the end of its memory, as they lie; they run at SEQUENCE_ADDR. */
#define SEQUENCE_WORDS 32
#define SEQUENCE_ADDR  (CODE_ADDR + 0x1000)
static inline void *sequence_code(struct state *s)
{
	return &s->mem[(MEM_BYTES - 4 * SEQUENCE_WORDS) / 8];
}

#define HASHKEYR UINT64_C(0x0123456789abcdef)	/* the key of hashst: qemu-user draws one of its own */

/* Of the last, an oracle's answer, nothing is compared. */
enum outcome { RAN, ILLEGAL, ALIGNMENT, STORAGE, TRAPPED, UNDEFINED };

#define NOP 0x60000000u

/* The case's three words: a nop where there is no prefix. */
static inline void case_code(const struct testcase *c, uint32_t code[3])
{
	code[0] = c->prefix ? c->before : NOP;
	code[1] = c->prefix ? c->prefix : c->before;
	code[2] = c->word;
}
#define CODE_BYTES 12

#endif

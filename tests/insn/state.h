/* One differential case: an instruction and the state around it, as the generator, the oracle
 * and cede exchange it. All numbers little-endian on disk; a big-endian oracle swaps.
 */
#ifndef TESTS_INSN_STATE_H
#define TESTS_INSN_STATE_H

#include <stdint.h>

#define MEM_BYTES 512
#define MEM_ADDR  0x20000000u	/* where both sides have the memory operand's bytes */
#define CODE_ADDR 0x20010000u
#define STATE_ADDR 0x20020000u

struct state {
	uint64_t r[32];
	uint64_t vsr[64][2];		/* doublewords 0 and 1 */
	uint64_t cr, xer, fpscr, vscr;
	uint64_t mem[MEM_BYTES / 8];	/* not swapped: bytes as they lie */
};

struct testcase {
	uint32_t word;
	uint32_t outcome;		/* enum outcome, on return */
	struct state state;
};

enum outcome { RAN, ILLEGAL, ALIGNMENT, STORAGE, TRAPPED };

#endif

/* An interpreter within the guest: a switch in a loop runs a register machine that follows 3n + 1. */
#include "bench.h"

enum { MOVE, ADDI, MULI, SHRI, ANDI, JUMP, IF_EQ, IF_LT, HALT };	/* operations */
enum { N, X, STEPS, BIT, LIMIT, REGISTERS };				/* registers */
enum { NEXT = 0, LOOP = 1, EVEN = 8, DONE = 10, END = 12 };		/* places in the program */

struct insn {
	uint8_t op, a, b;
	int8_t  value;
};

static const struct insn program[] = {
	[NEXT] = { MOVE,  X,     N,      0 },
	[LOOP] = { IF_EQ, X,     DONE,   1 },
		 { ADDI,  STEPS, STEPS,  1 },
		 { ANDI,  BIT,   X,      1 },
		 { IF_EQ, BIT,   EVEN,   0 },
		 { MULI,  X,     X,      3 },
		 { ADDI,  X,     X,      1 },
		 { JUMP,  0,     LOOP,   0 },
	[EVEN] = { SHRI,  X,     X,      1 },
		 { JUMP,  0,     LOOP,   0 },
	[DONE] = { ADDI,  N,     N,      1 },
		 { IF_LT, N,     NEXT,   LIMIT },
	[END]  = { HALT,  0,     0,      0 },
};

static uint64_t run(const struct insn *code, uint64_t *reg)
{
	for (const struct insn *pc = code;;) {
		const struct insn i = *pc++;
		switch (i.op) {
		case MOVE:  reg[i.a] = reg[i.b]; break;
		case ADDI:  reg[i.a] = reg[i.b] + i.value; break;
		case MULI:  reg[i.a] = reg[i.b] * i.value; break;
		case SHRI:  reg[i.a] = reg[i.b] >> i.value; break;
		case ANDI:  reg[i.a] = reg[i.b] & i.value; break;
		case JUMP:  pc = code + i.b; break;
		case IF_EQ: pc = reg[i.a] == (uint64_t)i.value ? code + i.b : pc; break;
		case IF_LT: pc = reg[i.a] < reg[i.value] ? code + i.b : pc; break;
		default:    return reg[STEPS];
		}
	}
}

int main(int argc, char **argv)
{
	uint64_t reg[REGISTERS] = { [N] = 1, [LIMIT] = 1 + bench_work(argc, argv, 75000) };

	return bench_done("bytecode", run(program, reg));
}

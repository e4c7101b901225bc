/* A process that stores to one place a known number of times, for hardware breakpoints that count: a store to the cell and one
 * beside it in each round, and a load of the cell in every second one. In the third the kernel stores the time. Says where the
 * cell is. No C library. */
#include "process.h"

#define ROUNDS 500
#define CALLS  10

enum { CLOCK_GETTIME = 246, CLOCK_MONOTONIC = 1 };

static uint64_t cells[4] __attribute__((aligned(32)));

void touch(uint64_t *cell, uint64_t rounds);
__asm__(".text\n.balign 4\n.globl touch\n.type touch,@function\ntouch:\n\tmtctr 4\n\tli 5,0\n"
	"1:\tstd 5,8(3)\n\taddi 5,5,1\n\tstd 5,0(3)\n\tandi. 6,5,1\n\tbne 2f\n\tld 6,0(3)\n2:\tbdnz 1b\n\tblr\n.size touch,.-touch\n");

__attribute__((used)) static void run(void)
{
	touch(cells, ROUNDS);
	for (unsigned i = 0; i < CALLS; i++)
		call(CLOCK_GETTIME, CLOCK_MONOTONIC, (long)&cells[2], 0, 0);
	say("cell ", (uint64_t)cells);
	call(EXIT, 0, 0, 0, 0);
	for (;;)
		;
}

/* r12 is here: the table of constants is found from it. */
__asm__(".text\n.globl _start\n_start:\n\taddis 2,12,.TOC.-_start@ha\n\taddi 2,2,.TOC.-_start@l\n"
	"\tstdu 1,-64(1)\n\tbl run\n\tnop\n");

/* A process to be debugged in the guest: it counts, asks and stores beside what is asked for, in functions of names that a debugger
 * finds. No C library. */
#include "process.h"

volatile uint64_t before, counter, behind, asked __attribute__((aligned(8)));

__attribute__((noinline)) void count(void)
{
	before = counter + 7;		/* reads; writes beside it */
	behind++;
	counter += 5;
}

__attribute__((noinline)) uint64_t ask(void)
{
	asked = 9;
	behind = 3;
	return asked;
}

void _start(void)
{
	for (unsigned i = 0; i < 3; i++)
		count();
	say("counted ", counter);
	call(EXIT, ask() == 9 ? 33 : 1, 0, 0, 0);
}

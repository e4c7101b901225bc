/* A process with a known number of instructions: three for each round of a loop, a million rounds of it in hot() and
 * a tenth of them in cold(). With an argument, a hundred times as many: for samples. */
#define ROUNDS 1000000

static long call(long number, long arg)
{
	register long r0 __asm__("r0") = number;
	register long r3 __asm__("r3") = arg;

	__asm__ volatile("sc" : "+r"(r0), "+r"(r3) : : "r4", "r5", "r6", "r7", "r8", "r9", "r10", "r11", "r12", "cr0", "ctr", "memory");
	return r3;
}

__attribute__((noinline)) void cold(long rounds);
__attribute__((noinline)) void hot(long rounds);

#define LOOP(rounds) \
	__asm__ volatile("mtctr %0\n1:\taddi 3,3,1\n\txor 4,3,4\n\tbdnz 1b" : : "r"(rounds) : "ctr", "r3", "r4")

void cold(long rounds) { LOOP(rounds); }
void hot(long rounds) { LOOP(rounds); }

__attribute__((used)) static void run(const long *stack)
{
	long rounds = stack[0] > 1 ? 100L * ROUNDS : ROUNDS;

	hot(rounds);
	cold(rounds / 10);
	call(1, 0);	/* exit */
	for (;;)
		;
}

/* r1 points at how many arguments there are. */
__asm__(".text\n.globl _start\n_start:\n\tmr 3,1\n\tstdu 1,-64(1)\n\tbl run\n");

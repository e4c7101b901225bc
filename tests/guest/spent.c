/* Work whose costs are known, for tests/prof: how often each function runs, who calls it, from which loop most of the time
 * goes. Written in assembly where instructions are counted. */
#include "lib.h"

#define HOT_ROUNDS  200000
#define LEAF_CALLS  1000
#define DEPTH       300
#define FACES       50
#define TICKS_IDLE  100000

PROBE(p_cede, "li 3,0xe0", "sc 1", "nop");

/* Three instructions a round, and two besides. */
void spent_hot(u64 rounds);
__asm__(".text\n.balign 16\n.globl spent_hot\n.type spent_hot,@function\nspent_hot:\n"
	"\tmtctr 3\n1:\taddi 4,4,1\n\txor 5,5,4\n\tbdnz 1b\n\tblr\n.size spent_hot,.-spent_hot\n");

/* Four instructions; the third is left out for odd arguments, by a branch in the middle of a block. */
u64 spent_leaf(u64 n);
__asm__(".text\n.balign 16\n.globl spent_leaf\n.type spent_leaf,@function\nspent_leaf:\n"
	"\tandi. 4,3,1\n\tbne 1f\n\taddi 3,3,1\n1:\tblr\n.size spent_leaf,.-spent_leaf\n");

static __attribute__((noinline)) u64 spent_caller(unsigned n)
{
	u64 sum = 0;

	for (unsigned i = 0; i < n; i++)
		sum += spent_leaf(i);
	return sum;
}

static __attribute__((noinline)) u64 spent_deep(unsigned n)
{
	u64 rest = n ? spent_deep(n - 1) : 0;

	__asm__ volatile("" : "+r"(rest));
	return rest + n;
}

/* Never returns through its callers. */
static u64 way_out[5];

static __attribute__((noinline)) void spent_escapes(unsigned n)
{
	if (n) {
		spent_escapes(n - 1);
		__asm__ volatile("" ::: "memory");
		return;
	}
	__builtin_longjmp((void **)way_out, 1);
}

static __attribute__((noinline)) u64 spent_jumps(void)
{
	if (__builtin_setjmp((void **)way_out))
		return spent_leaf(2);
	spent_escapes(20);
	return 0;
}

/* A block whose instructions change: at one address two pieces of code run. */
static u32 faces[8] __attribute__((aligned(64)));

static __attribute__((noinline)) u64 spent_faces(unsigned n)
{
	u64 (*run)(u64) = (u64 (*)(u64))faces, sum = 0;
#ifndef __LITTLE_ENDIAN__
	u64 descriptor[3] = { (u64)faces, 0, 0 };

	if (_CALL_ELF == 1)
		run = (u64 (*)(u64))descriptor;
#endif
	for (unsigned i = 0; i < n; i++) {
		faces[0] = 0x38630000 | (i % 2 + 1);	/* addi 3,3,1 or 2 */
		faces[1] = 0x4e800020;			/* blr */
		__asm__ volatile("dcbst 0,%0\n\tsync\n\ticbi 0,%0\n\tisync" :: "r"(faces) : "memory");
		sum += run(0);
	}
	return sum;
}

void test(void)
{
	spent_hot(HOT_ROUNDS);
	check_eq(spent_caller(LEAF_CALLS), 500000, "caller");
	check_eq(spent_deep(DEPTH), DEPTH * (DEPTH + 1) / 2, "deep");
	check_eq(spent_jumps(), 3, "jumps");
	check_eq(spent_faces(FACES), FACES / 2 * 3, "faces");
	mtspr(22, TICKS_IDLE);
	check_eq(probe(p_cede, OUR_MSR)->vector, 0x900, "idle-until-the-decrementer-calls");
}

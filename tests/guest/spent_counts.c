/* The performance monitor over nearly all that this program does, to be compared with a profile of it: branches whose way
 * is hard to guess, loads that seldom find their line. */
#include "lib.h"

#define FC     PPC_BIT(32)
#define ROUNDS 120000u
#define LINES  4096u		/* of 128 bytes: more than the first cache, or the second, holds */

#define LOADS       (0xfcull << 24)			/* PM_LD_REF_L1 on PMC1 */
#define STORES      (0xf0ull << 16)			/* PM_ST_CMPL on PMC2 */
#define LOAD_MISSES (0x54ull << 8 | 0xeull << 52)	/* PM_LD_MISS_L1 on PMC3 */
#define MISPREDICTS 0xf6ull				/* PM_BR_MPRED_CMPL on PMC4 */

static u64 data[LINES * 16] __attribute__((aligned(128)));

static __attribute__((noinline)) u64 work(void)
{
	u64 x = 88172645463325252ull, sum = 0;

	for (unsigned i = 0; i < ROUNDS; i++) {
		u64 *at;

		x ^= x << 13;
		x ^= x >> 7;
		x ^= x << 17;
		at = &data[(x >> 20) % LINES * 16];
		if (x & 1)
			sum += *at;
		else
			*at = sum;
		__asm__ volatile("" ::: "memory");
	}
	return sum;
}

void test(void)
{
	u64 sum;

	mtspr(152, 1);
	mtspr(795, FC);
	mtspr(798, LOADS | STORES | LOAD_MISSES | MISPREDICTS);
	mtspr(787, 0);
	mtspr(788, 0);
	mtspr(789, 0);
	mtspr(790, 0);
	mtspr(791, 0);
	mtspr(792, 0);
	mtspr(795, 0);
	sum = work();
	mtspr(795, FC);
	check(sum == 0, "nothing-but-zeros-is-loaded");
	print("counted loads=%u stores=%u misses=%u mispredicts=%u instructions=%u cycles=%u\n", mfspr(787), mfspr(788), mfspr(789),
	      mfspr(790), mfspr(791), mfspr(792));
}

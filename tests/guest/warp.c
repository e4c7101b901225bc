/* A guest that waits for years, a year and more at a time, and then says so; for tests/snapshot/limits.py. */
#include "lib.h"

#define YEAR 0x3fffffffffffffull	/* ticks: 1.1 years */

static void back(struct cpu *c)
{
	(void)c;
	mtspr(22, 0x7fffffff);
}

void test(void)
{
	u64 before = mftb();

	on_interrupt = back;
	hcall(H_CPPR, 0);
	print("begins\n");
	for (unsigned i = 0; i < 8; i++) {
		mtspr(22, YEAR);
		hcall(H_CEDE);
		print("years %u\n", (u32)((mftb() - before) / YEAR));
	}
	print("ready\n");
	for (;;)
		hcall(H_RANDOM);
}

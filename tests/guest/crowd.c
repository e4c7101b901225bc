/* Several processors whose calls cost the host much: a quantum has room for some of that, and whoever comes later is
 * put off. Nobody for ever, and no call happens twice or not at all. */
#include "lib.h"

#define H_LOGICAL_MEMOP 0xf001
#define AREA  0x8000000ull		/* 64 MiB from there on are nobody's */
#define BIG   0x4000000ull
#define CALLS 3

static volatile u64 served[MAX_CPUS];
static volatile int over, gone[MAX_CPUS];

/* Inverts memory: how often shows in it. */
static void crowd(struct cpu *c)
{
	while (!over && served[c->index] < 1000) {
		hcall(H_LOGICAL_MEMOP, AREA, AREA, 0, BIG, 1);
		served[c->index]++;
	}
	gone[c->index] = 1;
	stop_self();
}

void test(void)
{
	u64 before = *(volatile u64 *)AREA, all = 0;
	bool failed = false;

	for (unsigned n = 1; n < 4; n++)
		check(start_cpu(n, crowd) != NULL, "start-cpu");
	/* The first of them in a quantum goes on calling. */
	while (served[3] < CALLS && served[0] < 200) {
		failed |= hcall(H_LOGICAL_MEMOP, AREA, AREA, 0, BIG, 1) != 0;
		served[0]++;
	}
	over = 1;
	check(!failed, "calls-are-answered");
	check(served[3] >= CALLS, "the-last-is-served");
	for (unsigned n = 1; n < 4; n++)
		while (!gone[n])
			;
	for (unsigned n = 0; n < 4; n++)
		all += served[n];
	check(*(volatile u64 *)AREA == (all % 2 ? ~before : before), "each-call-happens-once");
}

/* Processors that want all they can get, for as long as "ms=N" in -append says: for those who look on
 * from outside. */
#include "splpar.h"

static u64 until;

/* One instruction that goes round: as little work for the host as there can be. */
static void work(struct cpu *c)
{
	(void)c;
	while (mftb() < until)
		__asm__ volatile("mtctr %0\n1:\tbdnz 1b" : : "r"(2000ull) : "ctr");
}

void test(void)
{
	s64 n = property("/chosen", "bootargs");
	u64 ms = 0;
	unsigned cpus = 1;

	for (s64 i = 0; i + 3 < n; i++)
		if (same_text((const char *)property_room + i, "ms=", 3))
			for (u8 *p = property_room + i + 3; *p >= '0' && *p <= '9'; p++)
				ms = ms * 10 + *p - '0';
	until = mftb() + ms * MS;
	for (; cpus < MAX_CPUS && state_of(cpus) == 0; cpus++) {
		vpa_on(cpus);
		launch(cpus, work);
	}
	vpa_on(0);
	work(this_cpu());
	check(ms > 0, "told-how-long");
	for (unsigned i = 1; i < cpus; i++)
		check(ended(i), "busy");
}

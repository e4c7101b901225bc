/* What the threads of a core count as the core's: PURR, SPURR, VTB. Run with two cores of four threads,
 * dedicated or -append pool. Power ISA 3.0B, Book III, PURR: over the threads of a core the shares are
 * 1.0; VTB is one for all of them. */
#include "splpar.h"

#define THREADS 4
#define V_DONATE      0xb9
#define V_DONATED     0x148		/* PURR, SPURR: busy */
#define V_DONATED_IDLE 0x138
/* A processor that runs later in a quantum may read the time base of one that has run already. */
#define QUANTUM_TICKS 10000u

static volatile u64 backwards;
static volatile struct reading { u64 tb, vtb, purr, spurr; } at[MAX_CPUS][2];

static u64 vtb(void) { return mfspr(849); }

static void read_all(volatile struct reading *r)
{
	r->tb = mftb();
	r->vtb = vtb();
	r->purr = purr();
	r->spurr = spurr();
}

/* From the time that all agree on to another: nothing ever runs backwards. */
static void measure(u64 n, u64 from, u64 to)
{
	u64 before, now;

	while (mftb() < from)
		;
	read_all(&at[n][0]);
	before = at[n][0].purr;
	while (mftb() < to) {
		now = purr();
		if (now < before)
			backwards = 1;
		before = now;
	}
	read_all(&at[n][1]);
}

static u64 begin, end;
static void busy(struct cpu *c) { measure(c->index, begin, end); }

/* Runs for half of the time, and then gives it up for good. */
static void busy_for_half(struct cpu *c)
{
	measure(c->index, begin, begin + (end - begin) / 2);
}

static u64 grown(unsigned n, unsigned field)
{
	const volatile u64 *a = (const volatile u64 *)&at[n][0], *b = (const volatile u64 *)&at[n][1];

	return b[field] - a[field];
}

static u64 hundredths(u64 part, u64 all) { return part * 10000 / all; }

/* What the threads 0 to n - 1 have in hundredths of a per cent, all together and (each) alone. */
static void check_shares(unsigned n, const u64 *each, const char *name)
{
	u64 sum = 0, all = end - begin;

	for (unsigned i = 0; i < n; i++) {
		sum += grown(i, 2);
		check_near(hundredths(grown(i, 2), all), each[i], 150, name);
		check_near(grown(i, 3), grown(i, 2), 200, "SPURR-is-like-PURR");
	}
	check_near(hundredths(sum, all), 10000, 150, "all-of-the-core");
}

static void run(unsigned n, void (*last)(struct cpu *))
{
	begin = mftb() + 2 * MS;
	end = begin + 20 * MS;
	sync();
	for (unsigned i = 1; i < n; i++)
		if (!check(launch(i, i == n - 1 ? last : busy), "launched"))
			return;
	measure(0, begin, end);
	for (unsigned i = 1; i < n; i++)
		check(ended(i), "ended");
}

static void test_shares(void)
{
	run(1, busy);
	check_shares(1, (const u64[]){ 10000 }, "alone");
	run(2, busy);
	check_shares(2, (const u64[]){ 5000, 5000 }, "half");
	run(4, busy);
	check_shares(4, (const u64[]){ 2500, 2500, 2500, 2500 }, "quarter");
	run(2, busy_for_half);
	check_shares(2, (const u64[]){ 7500, 2500 }, "half-of-the-time");
	check(!backwards, "never-backwards");
}

/* One value for the threads of a core, and it is that of the time base as long as nobody waits. */
static void test_vtb(void)
{
	run(4, busy);
	for (unsigned i = 0; i < 4; i++) {
		check_near(QUANTUM_TICKS + at[i][0].tb - at[i][0].vtb, QUANTUM_TICKS + at[0][0].tb - at[0][0].vtb, QUANTUM_TICKS + 100, "one-VTB-for-the-core");
		check_near(grown(i, 1), grown(i, 0), QUANTUM_TICKS, "VTB-runs-as-the-core-does");
	}
}

/* Linux takes VTB less the time base of its boot for a clock: never below that time, to pass it later. */
static u64 boot_tb;
static void look_at_vtb(struct cpu *c) { read_all(&at[c->index][0]); }

static void test_started(void)
{
	boot_tb = mftb();
	spin_for(5 * MS);
	sync();
	check(launch(4, look_at_vtb) && ended(4), "another-core");
	check(at[4][0].vtb >= boot_tb && at[4][0].vtb <= at[4][0].tb + 100, "VTB-begins-with-the-time-base");
	check_near(100 + at[4][0].tb - at[4][0].vtb, 0, 2 * QUANTUM_TICKS, "and-is-it");
	spin_for(5 * MS);
	check(launch(4, look_at_vtb) && ended(4), "once-more");
	check_near(100 + at[4][0].tb - at[4][0].vtb, 0, 2 * QUANTUM_TICKS, "and-again-after-stop-self");
}

/* ---- Idle cycles that a dedicated processor gives away ---- */

static u64 donated(unsigned n) { return get(vpa[n] + V_DONATED, 8) + get(vpa[n] + V_DONATED_IDLE, 8); }

static void donate_all_the_time(struct cpu *c)
{
	vpa[c->index][V_DONATE] = 1;
	mtspr(22, begin - mftb());
	cede();
	mtspr(22, end - mftb());
	cede();
}

static void test_donation(void)
{
	u64 sum = 0;

	for (unsigned i = 0; i < THREADS; i++)
		if (i > 2)
			check_eq(vpa_on(i), H_SUCCESS, "vpa");
	vpa[0][V_DONATE] = 1;
	begin = mftb() + 2 * MS;
	end = begin + 20 * MS;
	sync();
	for (unsigned i = 1; i < THREADS; i++)
		check(launch(i, donate_all_the_time), "donor");
	mtspr(22, begin - mftb());
	cede();
	for (unsigned i = 0; i < THREADS; i++)
		sum -= donated(i);
	mtspr(22, end - mftb());
	cede();
	for (unsigned i = 1; i < THREADS; i++)
		check(ended(i), "donor-ended");
	for (unsigned i = 0; i < THREADS; i++)
		sum += donated(i);
	check_near(hundredths(sum, end - begin), 10000, 300, "donated-once");
}

void test(void)
{
	begin_with_vpas();
	check_eq(threads(), THREADS, "threads-of-a-core");
	test_shares();
	test_vtb();
	test_started();
	if (!shared())
		test_donation();
}

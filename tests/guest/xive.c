/* XIVE from the bare machine, on four processors: queues in memory, interrupts between processors by a store, acknowledged and
 * ended by loads; a processor that has ceded wakes; the more favoured one comes while the other is worked on. Wants
 * -M ic-mode=xive: without a kernel nobody asks for it. */
#include "lib.h"

#define OTHERS 3
#define ROUNDS 200
#define ENTRIES 16384u			/* of a queue of 64 KiB */
#define ESB  0x0006010000000000ull
#define TIMA 0x00060302031a0000ull
#define CPPR 0x11
#define ACKNOWLEDGE 0x810
#define DEC_FAR 0x7fffffff
#define LOW 6				/* priorities of the two sources that each processor has: its own number, */
#define HIGH 2				/* and that of the terminal, which is processor 0's */
#define TERMINAL 0x1100

#define H_INT_SET_SOURCE_CONFIG 0x3ac
#define H_INT_SET_QUEUE_CONFIG  0x3b8
#define SET_EISN 2
#define ALWAYS   1

static u32 queue[OTHERS + 2][ENTRIES] __attribute__((aligned(65536)));
static u32 next[OTHERS + 2];		/* entries taken, of the last row: processor 0's favoured ones */
static volatile u32 came[OTHERS + 1], wrong, ready, favoured;

static u64 management(u64 source) { return ESB + (source << 17) + 0x10000; }
static u64 load64(u64 at) { return be64(*(volatile u64 *)at); }
static void trigger(u64 source) { sync(); *(volatile u64 *)(ESB + (source << 17)) = 0; }
static void let(u8 cppr) { *(volatile u8 *)(TIMA + CPPR) = cppr; }

/* The next entry of a queue; 0: there is none. */
static u32 take(unsigned n)
{
	u32 entry = be32(((volatile u32 *)queue[n])[next[n] % ENTRIES]), round = next[n] / ENTRIES;

	if (entry >> 31 == (round & 1))
		return 0;
	next[n]++;
	return entry & 0x7fffffff;
}

static void handler(struct cpu *c)
{
	u32 answer, number;

	if (c->vector != 0x500) {
		mtspr(22, DEC_FAR);
		return;
	}
	answer = be16(*(volatile u16 *)(TIMA + ACKNOWLEDGE));
	if (!(answer & 0x8000)) {
		wrong++;
		return;
	}
	if ((answer & 0xff) == HIGH) {
		number = take(OTHERS + 1);
		wrong += number != TERMINAL;
		favoured++;
		load64(management(TERMINAL));
	} else {
		number = take((unsigned)c->index);
		wrong += number != 0x100 + c->index || (answer & 0xff) != LOW;
		came[c->index]++;
		load64(management(c->index));
	}
	let(0xff);
}

static void set_up(u64 server, u64 source, unsigned row, u64 priority, u64 number)
{
	check_eq((u64)hcall(H_INT_SET_QUEUE_CONFIG, ALWAYS, server, priority, (u64)queue[row], 16), 0, "queue");
	check_eq((u64)hcall(H_INT_SET_SOURCE_CONFIG, SET_EISN, source, server, priority, number), 0, "source");
	check_eq(load64(management(source) + 0xc00), 1, "was-off");
}

static bool wait_for(volatile u32 *p, u32 value)
{
	for (u64 end = mftb() + 512000000ull * 5; *p < value;)
		if (mftb() > end)
			return false;
	return *p == value;
}

/* Waits to be interrupted, over and over. */
static void sleeper(struct cpu *c)
{
	mtspr(22, DEC_FAR);
	let(0xff);
	__atomic_fetch_add(&ready, 1, __ATOMIC_SEQ_CST);
	while (came[c->index] < ROUNDS)
		hcall(H_CEDE);
	stop_self();
}

static void test_sleepers(void)
{
	for (u32 n = 1; n <= OTHERS; n++)
		if (!check(start_cpu(n, sleeper) != NULL, "start-cpu"))
			return;
	check(wait_for(&ready, OTHERS), "all-there");
	for (u32 i = 1; i <= ROUNDS; i++) {
		for (u32 n = 1; n <= OTHERS; n++)
			trigger(n);
		for (u32 n = 1; n <= OTHERS; n++)
			if (!wait_for(&came[n], i)) {
				check(false, "a sleeper wakes");
				return;
			}
	}
	check_eq(came[1] + came[2] + came[3], OTHERS * ROUNDS, "each-wakes-once-for-each");
	check_eq(wrong, 0, "right-numbers-and-priorities");
}

/* To itself: held back by EE, by CPPR; two at once, the favoured one first. */
static void test_own(void)
{
	mtspr(22, DEC_FAR);
	let(0);
	trigger(0);
	mtmsrd(mfmsr() | MSR_EE);
	check_eq(came[0], 0, "CPPR holds it back");
	let(0xff);
	check_eq(came[0], 1, "CPPR lets it through");
	mtmsrd(mfmsr() & ~MSR_EE);
	trigger(0);
	check_eq(came[0], 1, "EE holds it back");
	trigger(TERMINAL);
	check_eq(*(volatile u8 *)(TIMA + 0x17), HIGH, "the favoured one is shown");
	mtmsrd(mfmsr() | MSR_EE);
	mtmsrd(mfmsr() & ~MSR_EE);
	check(came[0] == 2 && favoured == 1, "both come");
	check_eq(*(volatile u8 *)(TIMA + 0x17), 0xff, "nothing is left");
	trigger(0);
	trigger(0);
	trigger(0);
	hcall(H_CEDE);
	mtmsrd(mfmsr() | MSR_EE);
	mtmsrd(mfmsr() & ~MSR_EE);
	check_eq(came[0], 4, "three while it waits are two");
	check_eq(wrong, 0, "right-numbers");
}

/* Around the queue's end, where the generation changes. */
static void test_round(void)
{
	u32 begin = came[0];

	mtmsrd(mfmsr() | MSR_EE);
	for (u32 i = 0; i < ENTRIES + 100; i++)
		trigger(0);
	mtmsrd(mfmsr() & ~MSR_EE);
	check_eq(came[0] - begin, ENTRIES + 100, "each comes, a queue and more");
	check_eq(wrong, 0, "right-numbers-in-the-second-round");
}

void test(void)
{
	on_interrupt = handler;
	for (u32 n = 0; n <= OTHERS; n++)
		set_up(n, n, n, LOW, 0x100 + n);
	set_up(0, TERMINAL, OTHERS + 1, HIGH, TERMINAL);
	test_own();
	test_round();
	test_sleepers();
}

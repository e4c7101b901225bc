/* More than one processor: starting and stopping, atomic updates, order of stores, calls between
 * processors. Meant for four. */
#include "lib.h"

#define OTHERS 3
#define ROUNDS 20000

static volatile u64 shared64;
static volatile u32 shared32;
static volatile u64 arrived, go, data, flag, seen, wrong;

static void atomic_add(volatile u64 *p, u64 n)
{
	u64 v;

	__asm__ volatile("1: ldarx %0,0,%1\n\tadd %0,%0,%2\n\tstdcx. %0,0,%1\n\tbne- 1b" : "=&r"(v) : "r"(p), "r"(n) : "cr0", "memory");
}

static void atomic_inc32(volatile u32 *p)
{
	u32 v;

	__asm__ volatile("1: lwarx %0,0,%1\n\taddi %0,%0,1\n\tstwcx. %0,0,%1\n\tbne- 1b" : "=&r"(v) : "r"(p) : "cr0", "memory");
}

static bool wait_for(volatile u64 *p, u64 value)
{
	for (u64 end = mftb() + 512000000ull * 5; *p != value;)
		if (mftb() > end)
			return false;
	return true;
}

static u64 state_of(u32 n)
{
	u32 in[1] = { n }, out[1] = { 77 };

	return rtas(RTAS_QUERY_CPU, 1, 2, in, out) ? 99 : out[0];
}

static bool wait_stopped(u32 n)
{
	for (u64 end = mftb() + 512000000ull * 5; state_of(n) != 0;)
		if (mftb() > end)
			return false;
	return true;
}

/* ---- Each of the others, in turn ---- */

static void count(struct cpu *c)
{
	atomic_add(&arrived, 1);
	while (!go)
		;
	for (unsigned i = 0; i < ROUNDS; i++) {
		atomic_add(&shared64, c->index + 1);
		atomic_inc32(&shared32);
	}
	atomic_add(&arrived, 1);
	stop_self();
}

static void test_counters(void)
{
	u64 want = ROUNDS;

	for (u32 n = 1; n <= OTHERS; n++) {
		check_eq(state_of(n), 0, "stopped-at-first");
		if (!check(start_cpu(n, count) != NULL, "start-cpu"))
			return;
		want += ROUNDS * (n + 1);
	}
	check(wait_for(&arrived, OTHERS), "all-there");
	check_eq(state_of(1), 2, "running");
	check(!start_cpu(1, count), "start-cpu-of-a-running-one");
	go = 1;
	sync();
	for (unsigned i = 0; i < ROUNDS; i++) {
		atomic_add(&shared64, 1);
		atomic_inc32(&shared32);
	}
	check(wait_for(&arrived, 2 * OTHERS), "all-done");
	check_eq(shared64, want, "ldarx-stdcx");
	check_eq(shared32, ROUNDS * (OTHERS + 1), "lwarx-stwcx");
	for (u32 n = 1; n <= OTHERS; n++)
		check(wait_stopped(n), "stop-self");
}

/* Message passing: who sees the flag sees the data; and time never runs backwards on the way. */
static void producer(struct cpu *c)
{
	(void)c;
	for (u64 i = 1; i <= 2000; i++) {
		data = mftb();
		sync();
		flag = i;
		while (seen != i)
			;
	}
	atomic_add(&arrived, 1);
	stop_self();
}

static void test_messages(void)
{
	arrived = 0;
	if (!check(start_cpu(1, producer) != NULL, "started-again"))
		return;
	for (u64 i = 1; i <= 2000; i++) {
		while (flag != i)
			;
		isync();
		wrong += mftb() < data;
		seen = i;
	}
	check(wait_for(&arrived, 1), "producer-done");
	check_eq(wrong, 0, "timebase-never-runs-backwards");
	check(wait_stopped(1), "producer-stopped");
}

/* ---- A reservation is lost to another's store ---- */

static volatile u64 turn, granule[32] __attribute__((aligned(128)));

static void intruder(struct cpu *c)
{
	(void)c;
	for (u64 i = 0; i < 3; i++) {
		while (turn != 2 * i + 1)
			;
		granule[i] = 5;
		sync();
		turn = 2 * i + 2;
	}
	stop_self();
}

/* Between the load and the store the other one gets its turn. */
static u64 conditional_store(volatile u64 *p)
{
	u64 v, cr;

	__asm__ volatile("ldarx %0,0,%2" : "=&r"(v), "=m"(turn) : "r"(p));
	turn++;
	while (turn & 1)
		;
	__asm__ volatile("stdcx. %1,0,%2\n\tmfcr %0" : "=r"(cr) : "r"(v), "r"(p) : "cr0", "memory");
	return cr >> 28 & 3;
}

static void test_reservation(void)
{
	if (!check(start_cpu(2, intruder) != NULL, "intruder"))
		return;
	check_eq(conditional_store(&granule[0]), 0, "lost-to-a-store-there");
	check_eq(granule[0], 5, "and-nothing-stored");
	conditional_store(&granule[16]);	/* the other stores elsewhere: may or may not be lost */
	check_eq(conditional_store(&granule[2]), 0, "lost-again");
	check(wait_stopped(2), "intruder-stopped");
}

/* ---- Interrupts and hypercalls between processors ---- */

static volatile u64 woken, ipis, resets, reset_r3;

static void interrupted(struct cpu *c)
{
	u64 out[9];

	if (c->vector == 0x500) {
		hcall_out(out, H_XIRR, 0);
		hcall(H_IPI, c->index, 0xff);
		hcall(H_EOI, out[0]);
		atomic_add(&ipis, (out[0] & 0xffffff) == 2);
	} else if (c->vector == 0x100) {
		atomic_add(&resets, 1);
	} else {
		panic("another interrupt");
	}
}

static void sleeper(struct cpu *c)
{
	mtspr(22, 0x7fffffff);
	hcall(H_CPPR, 0xff);
	atomic_add(&arrived, 1);
	for (;;) {
		hcall(H_CEDE, 0);
		mtmsrd(OUR_MSR);
		atomic_add(&woken, 1);
		if (go == c->index + 10)
			stop_self();
	}
}

static void test_calls(void)
{
	arrived = 0;
	on_interrupt = interrupted;
	for (u32 n = 1; n <= OTHERS; n++)
		start_cpu(n, sleeper);
	if (!check(wait_for(&arrived, OTHERS), "sleepers"))
		return;
	check(wait_for(&woken, 0), "asleep");
	check_eq(state_of(1), 2, "a-ceded-one-runs");
	check_eq((u64)hcall(H_PROD, 1), H_SUCCESS, "H_PROD");
	check(wait_for(&woken, 1), "H_PROD-wakes");
	check_eq((u64)hcall(H_IPI, 2, 5), H_SUCCESS, "H_IPI");
	check(wait_for(&ipis, 1) && wait_for(&woken, 2), "H_IPI-wakes");
	check_eq((u64)hcall(H_SIGNAL_SYS_RESET, -2), H_SUCCESS, "H_SIGNAL_SYS_RESET");
	check(wait_for(&resets, OTHERS), "reset-reaches-the-others");
	check(wait_for(&woken, 2 + OTHERS), "and-they-go-on");
	check_eq((u64)hcall(H_PROD, 64), (u64)H_PARAMETER, "H_PROD-nobody");
	check_eq((u64)hcall(H_IPI, 64, 5), (u64)H_PARAMETER, "H_IPI-nobody");
	check_eq((u64)hcall(H_CONFER, 64, 0), (u64)H_PARAMETER, "H_CONFER-nobody");
	check_eq((u64)hcall(H_CONFER, -1, 0), H_SUCCESS, "H_CONFER-all");
	for (u32 n = 1; n <= OTHERS; n++) {
		go = n + 10;
		sync();
		hcall(H_PROD, n);
		check(wait_stopped(n), "prodded-away");
	}
	on_interrupt = NULL;
}

/* ---- Program priority: the hint to wait leaves the others the time, the state does not ---- */

#define WORK 2000000

static volatile u64 spins, due, late, slept;

static u64 priority(void)
{
	return mfspr(896) >> 50 & 7;
}

static void time_is_up(struct cpu *c)
{
	late = mftb() - due;
	(void)c;
	if (c->vector != 0x900)
		panic("another interrupt");
	mtspr(22, 0x7fffffff);
	slept = 1;
}

static u64 spin_low(void)
{
	u64 n = 0;

	__asm__ volatile("or 1,1,1");
	for (go = 2; go != 3; n++)
		;
	__asm__ volatile("or 2,2,2");
	return n;
}

static u64 spin_relaxed(void)
{
	u64 n = 0;

	for (go = 2; go != 3; n++)
		__asm__ volatile("or 1,1,1\n\tor 2,2,2" ::: "memory");
	return n;
}

static u64 spin_until_called(void)
{
	u64 n = 0;

	due = mftb() + 35000;
	mtspr(22, 35000);
	go = 2;
	mtmsrd(OUR_MSR | MSR_EE);
	__asm__ volatile("or 31,31,31");
	for (; !slept; n++)
		;
	__asm__ volatile("or 2,2,2");
	mtmsrd(OUR_MSR);
	while (go != 3)
		;
	return n;
}

static u64 spin_hard(void)
{
	u64 n = 0;

	for (go = 2; go != 3; n++)
		;
	return n;
}

static u64 (*volatile spin)(void);

static void spinner(struct cpu *c)
{
	(void)c;
	spins = spin();
	sync();
	arrived = 1;
	stop_self();
}

static void spin_beside_work(u64 (*how)(void), const char *name)
{
	arrived = go = slept = 0;
	spin = how;
	sync();
	if (!check(start_cpu(1, spinner) != NULL, name))
		return;
	while (go != 2)
		;
	for (u64 n = WORK; n--;)
		__asm__ volatile("");
	go = 3;
	check(wait_for(&arrived, 1) && wait_stopped(1), name);
}

/* A moment of low priority between the load and the store does not cost the reservation every time. */
static void test_hint_in_reservation(void)
{
	u64 v, cr;

	arrived = go = 0;
	spin = spin_hard;
	granule[0] = 41;
	if (!check(start_cpu(1, spinner) != NULL, "another-one-spins"))
		return;
	while (go != 2)
		;
	__asm__ volatile("mtctr %3\n1:\tldarx %0,0,%2\n\tor 31,31,31\n\taddi %0,%0,1\n\tstdcx. %0,0,%2\n\t"
			 "bdnzf 2,1b\n\tmfcr %1\n\tor 2,2,2"
			 : "=&b"(v), "=&r"(cr) : "r"(&granule[0]), "r"(100ull) : "ctr", "cr0", "memory");
	go = 3;
	check(cr >> 29 & 1, "stdcx-after-a-hint");
	check_eq(granule[0], 42, "and-stored-once");
	check(wait_for(&arrived, 1) && wait_stopped(1), "it-spun-to-the-end");
}

static void test_priority(void)
{
	static const struct { u8 number, becomes; } all[] = { { 31, 1 }, { 1, 2 }, { 6, 3 }, { 2, 4 }, { 5, 5 }, { 3, 6 }, { 4, 6 } };
	u64 before = mfspr(896);

	for (u64 i = 0; i < sizeof all / sizeof all[0]; i++) {
		u32 n = all[i].number;

		put_insn((void *)0x0ff00000ull, 0x7c000378 | n << 21 | n << 16 | n << 11);
		put_insn((void *)0x0ff00004ull, 0x4e800020);
		((void (*)(void))0x0ff00000ull)();
		check_eq(priority(), all[i].becomes, "or-n,n,n");
	}
	mtspr(896, before);
	spin_beside_work(spin_low, "low-priority");
	check(spins > WORK / 20, "at-low-priority-without-a-hint-it-runs-on");
	spin_beside_work(spin_relaxed, "relaxed");
	check(spins < WORK / 20, "and-so-does-a-moment-of-it");
	on_interrupt = time_is_up;
	spin_beside_work(spin_until_called, "called-by-the-decrementer");
	check(late < 600, "in-time");
	check(spins < WORK / 20, "having-waited");
	on_interrupt = NULL;
	test_hint_in_reservation();
}

/* ---- Calls with wrong arguments ---- */

static void test_wrong(void)
{
	u32 in[3] = { 64, 0, 0 };

	check_eq((u64)rtas(RTAS_START_CPU, 3, 1, in, NULL), (u64)-3, "start-cpu-of-nobody");
	in[0] = 0;
	check((s64)rtas(RTAS_START_CPU, 3, 1, in, NULL) < 0, "start-cpu-of-itself");
	in[0] = 0xffffffff;
	check_eq(rtas(RTAS_QUERY_CPU, 1, 2, in, NULL), (u64)-3, "query-of-nobody");
}

/* One that starts where there is nothing interrupts for ever, and the others do not mind. */
static void test_lost(void)
{
	u32 in[3] = { 3, 0x0ffffffc, 0 };
	u64 start = mftb();

	put_insn((void *)0x0ffffffcull, 0);
	put_insn((void *)0x700, 0x48000000);		/* b . */
	check_eq((u64)rtas(RTAS_START_CPU, 3, 1, in, NULL), 0, "start-cpu-into-nothing");
	while (mftb() - start < 512000)
		;
	check(true, "others-go-on");
}

void test(void)
{
	test_counters();
	test_messages();
	test_reservation();
	test_calls();
	test_priority();
	test_wrong();
	test_lost();
}

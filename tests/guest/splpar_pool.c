/* Virtual processors that share physical ones: who runs how long, how its waits are counted, to whom
 * a processor is handed over. What the pool is like stands in -append: "pool procs=N", and "cap=C" for
 * a capped partition entitled to C hundredths, "load=L" for others that want L hundredths and are
 * entitled to what the guest is not, "chips=N". PAPR, "Shared Processor LPAR Option". Meant for four. */
#include "splpar.h"

#define ALL 4

static u64 procs, cap, load, chips;
static char words[1024];

/* The number behind `key` in -append, 0 none. */
static u64 word(const char *key)
{
	size_t n = 0;
	u64 v = 0;

	while (key[n])
		n++;
	for (char *p = words; *p; p++) {
		if (!same_text(p, key, n))
			continue;
		for (p += n; *p >= '0' && *p <= '9'; p++)
			v = v * 10 + (u64)(*p - '0');
		return v;
	}
	return 0;
}

static void read_words(void)
{
	s64 n = property("/chosen", "bootargs");

	memcpy(words, property_room, n > 0 && n < 1000 ? (size_t)n : 0);
	procs = word("procs=");
	cap = word("cap=");
	load = word("load=");
	chips = word("chips=");
}

/* Ticks of all processors in `ticks` that the guest gets if it wants all it can have: hundredths. */
static u64 most(u64 busy)
{
	u64 all = cap ? cap : 100 * procs - load;

	return all < 100 * busy ? all : 100 * busy;
}

/* ---- Measuring ---- */

struct measure {
	u64 tb, purr, spurr, one, two, three, dispersion, count;
};
static struct measure result[ALL];
static volatile u64 phase, measured;
static u64 measure_for;

static void take(struct measure *m, unsigned n)
{
	m->tb = mftb();
	m->purr = purr();
	m->spurr = spurr();
	m->one = interval(n, 1);
	m->two = interval(n, 2);
	m->three = interval(n, 3);
	m->dispersion = get(vpa[n] + V_DISPERSION, 4);
	m->count = count_of(n);
}

/* Between two dispatches, so that all numbers are of one moment. The timebase never runs backwards from one
 * processor to the next, and may be ahead by the quantum that they advance by: 20 us. */
static void take_whole(struct measure *m, unsigned n)
{
	u32 before;

	do {
		before = count_of(n);
		take(m, n);
	} while (before != count_of(n));
}

static void measuring(struct cpu *c)
{
	unsigned n = (unsigned)c->index;
	struct measure a, b;

	take_whole(&a, n);
	while (mftb() - a.tb < measure_for)
		;
	take_whole(&b, n);
	result[n] = (struct measure){ b.tb - a.tb, b.purr - a.purr, b.spurr - a.spurr, b.one - a.one, b.two - a.two, b.three - a.three,
				      (u32)(b.dispersion - a.dispersion), (u32)(b.count - a.count) };
}

static void busy(struct cpu *c)
{
	while (phase == 0)
		;
	measuring(c);
	atomic_add(&measured, 1);
	while (phase == 1)
		;
}

/* The first `n` processors are busy so long, all together. */
static void measure(unsigned n, u64 ticks)
{
	phase = measured = 0;
	measure_for = ticks;
	for (unsigned i = 1; i < n; i++)
		check(launch(i, busy), "busy");
	spin_for(60 * MS);			/* until all are under way and nothing is left of before */
	phase = 1;
	measuring(this_cpu());
	while (measured < n - 1)
		;
	phase = 2;
	for (unsigned i = 1; i < n; i++)
		check(ended(i), "busy-no-more");
}

/* ---- Time ---- */

static void test_shares(unsigned n, const char *name)
{
	u64 ticks = 300 * MS, sum = 0, waits = 0, want = most(n), least = TOP, largest = 0;

	measure(n, ticks);
	for (unsigned i = 0; i < n; i++) {
		struct measure *m = &result[i];
		u64 parts = m->purr + m->one + m->two + m->three;

		sum += m->purr * 100 / (m->tb / 100);
		waits += (m->two + m->three) * 100 / (m->tb / 100);
		least = m->purr < least ? m->purr : least;
		largest = m->purr > largest ? m->purr : largest;
		check_near(parts, m->tb, 11000, "PURR-and-the-three-intervals-are-all-time");
		check_near(m->spurr, m->purr, 100, "SPURR-is-like-PURR");
		check(m->one < m->tb / 100, "a-busy-one-is-always-ready");
		if (!cap && !load)
			check(m->two < m->tb / 100, "uncapped-and-alone-it-never-waits-for-capacity");
		if (procs == 1)
			check_eq(m->dispersion, 0, "one-processor-is-never-another");
		check(m->dispersion <= m->count / 2 + 1, "dispersions-are-dispatches");
	}
	check_near(sum, 100 * want, 300, name);
	check_near(waits, 100 * (100 * n - want), 300, n > 1 || cap ? "s9-10-steal-is-what-the-others-had" : "no-steal");
	if (!check(least * 100 >= largest * 92, "all-alike"))
		print("# of %u from %x to %x\n", n, least, largest);
	if (cap && n == 1) {
		check_near(result[0].two * 100 / (result[0].tb / 100), 100 * (100 - want), 300, "s9-11-interval-2-of-a-capped-one");
		check(load || result[0].three < result[0].tb / 50, "and-interval-3-hardly");
	}
	if (n > procs && n % procs && !cap && !load) {
		u64 moves = 0;

		for (unsigned i = 0; i < n; i++)
			moves += result[i].dispersion;
		check(moves > 0, "s9-13-dispersions");
	}
}

/* One cedes half of its time: what it does not want, the others get. */
static void test_alone(void)
{
	u64 idle, a[9], b[9];
	u32 count;

	if (load)
		return;
	count = count_of(0);
	for (unsigned i = 0; i < 10; i++)
		cede_for(MS);
	check_eq(count_of(0) - count, 20, "s9-27-ten-cedes-are-twenty");
	check_eq((u64)hcall(H_POLL_PENDING), H_SUCCESS, "nobody-waits");
	check_eq((u64)hcall_out(a, H_PIC), H_SUCCESS, "s9-16-H_PIC");
	check_eq(a[1], procs, "H_PIC-processors");
	cede_for(100 * MS);
	hcall_out(b, H_PIC);
	idle = b[0] - a[0];
	check_near(idle, procs * 100 * MS, procs * MS, "H_PIC-idle-time-of-all-processors");
	hcall_out(a, H_PIC);
	spin_for(20 * MS);
	hcall_out(b, H_PIC);
	if (!cap)
		check_near(b[0] - a[0], (procs - 1) * 20 * MS, MS, "H_PIC-one-is-busy");
}

/* ---- Dispatches ---- */

static void spinning(struct cpu *c)
{
	(void)c;
	while (phase != 2)
		;
}

static void others_spin(unsigned n)
{
	phase = 1;
	for (unsigned i = 1; i < n; i++)
		check(launch(i, spinning), "spinning");
}

static void others_stop(unsigned n)
{
	phase = 2;
	for (unsigned i = 1; i < n; i++)
		check(ended(i), "spinning-no-more");
}

static void test_log(void)
{
	u64 sums[3] = { 0, 0, 0 }, pic[2][9], start, moves = 0, wrong = 0, waited = 0, i = 0, processor = 0;
	struct measure a, b;
	extern char entry[], boot_stack_top[];

	others_spin(ALL);
	spin_for(50 * MS);
	start = mftb();
	hcall_out(pic[0], H_PIC);
	spin_for(100 * MS);
	hcall_out(pic[1], H_PIC);
	start = mftb() - start;
	check_near(pic[1][0] - pic[0][0], cap ? start * (100 * procs - cap) / 100 : 0, procs * 11000 + (cap ? start / 20 : 0),
		   "H_PIC-idle-time-while-all-are-busy");
	do {
		dtl_on(0, 4096, 7);
		take_whole(&a, 0);
	} while (index_of(0));
	while (index_of(0) < 80)
		;
	do {
		i = index_of(0);
		take_whole(&b, 0);
	} while (i != index_of(0));
	if (!check(i < 85, "80-dispatches"))
		i = 85;
	for (u64 k = 0; k < i; k++) {
		struct entry e = entry_of(0, k, 85);

		sums[0] += e.to_ready;
		sums[1] += e.to_enqueue;
		sums[2] += e.to_dispatch;
		wrong += e.preempt != 4 || e.dispatch != 7 || e.fault || (e.srr1 & ~MSR_EE) != OUR_MSR || e.processor >= procs;
		wrong += e.srr0 < (u64)entry || e.srr0 >= (u64)boot_stack_top || e.srr0 % 4;
		waited += e.to_dispatch + e.to_enqueue > 0;
		if (k)
			moves += e.processor != processor;
		processor = e.processor;
	}
	check_eq(wrong, 0, "preempted-at-the-end-of-a-slice-dispatched-for-the-next");
	check(waited > 0, "and-it-waited");
	check_near(b.one - a.one, sums[0], i, "interval-1-is-the-sum");
	check_near(b.two - a.two, sums[1], i, "interval-2-is-the-sum");
	check_near(b.three - a.three, sums[2], i, "interval-3-is-the-sum");
	/* The first entry may be on another processor than what was before. */
	check((u32)(b.dispersion - a.dispersion) - moves <= 1, "s9-13-dispersions-are-changes-of-processor");
	check_eq((u32)(b.count - a.count), 2 * i, "two-for-a-dispatch");
	vpa[0][V_DTL_MASK] = 1;
	i = index_of(0);
	spin_for(200 * MS);
	check_eq(index_of(0), i, "mask-1-logs-no-preempts");
	cede_for(MS);
	check(index_of(0) > i && entry_of(0, index_of(0) - 1, 85).preempt == 2, "mask-1-logs-cedes");
	vpa[0][V_DTL_MASK] = 2;
	i = index_of(0);
	cede_for(MS);
	if (index_of(0) > i)
		check_eq(entry_of(0, index_of(0) - 1, 85).preempt, 4, "mask-2-logs-no-cedes");
	else
		check(true, "mask-2-logs-no-cedes");
	i = index_of(0);
	spin_for(200 * MS);
	check(index_of(0) > i, "mask-2-logs-preempts");
	reg(DTL_OFF, 0, NULL);
	others_stop(ALL);
}

/* ---- H_CONFER ---- */

/* The first dispatch of `n` after that moment, if its log still has it. */
static struct entry first_after(unsigned n, u64 tb)
{
	u64 end = index_of(n);
	struct entry e = { 0 };

	for (u64 i = end > 80 ? end - 80 : 0; i < end; i++) {
		e = entry_of(n, i, 85);
		if (e.timebase >= tb)
			return e;
	}
	return (struct entry){ .timebase = TOP };
}

static void test_confer(void)
{
	unsigned given = 0, late = 0, between = 0, returned = 0, tries = 0, turns = 0, all = 0, early = 0;

	others_spin(ALL);
	for (unsigned n = 0; n < ALL; n++)
		check_eq(dtl_on(n, 4096, 7), H_SUCCESS, "log");
	for (unsigned i = 0; i < 40; i++) {
		unsigned target = 1 + i % 3, own_turn = 0;
		u64 start, back;
		struct entry e;
		u32 count;

		spin_for(i * 97 % 13 * MS);
		count = count_of(target);
		start = mftb();
		if (count % 2 == 0 || (u64)hcall(H_CONFER, target, count) != H_SUCCESS)
			continue;
		e = first_after(0, start);
		if (e.preempt != 3)
			continue;		/* it lost its processor in the very moment */
		back = e.timebase;
		returned += e.dispatch == 7;
		tries++;
		e = first_after(target, start);
		given += e.dispatch == 6;
		late += e.timebase - start > 40 * US;
		own_turn = e.timebase <= back;
		turns += own_turn;
		for (unsigned n = 1; n < ALL; n++)
			if (n != target && procs == 1 && first_after(n, start).timebase < e.timebase)
				between++;
	}
	/* Where nothing is left of the window, there is nothing to give. */
	if (check(tries >= (cap ? 1 : procs < 3 ? 10 : 3), "conferred") && !cap && !load) {
		check_eq(given, tries, "s9-33-dispatched-on-conferred-cycles");
		check_eq(late, 0, "s9-33-at-once");
		check_eq(between, 0, "s9-33-before-all-others");
	}
	check_eq(turns, tries, "s9-02-the-target-has-had-a-turn");
	check_eq(returned, tries, "and-then-it-goes-on");

	tries = 0;
	for (unsigned i = 0; i < 10; i++) {
		u64 start = mftb(), back, ready, last = 0;
		unsigned n, turn = 0;
		struct entry e;

		check_eq((u64)hcall(H_CONFER, TOP, 0), H_SUCCESS, "s9-01-confer-to-all");
		e = first_after(0, start);
		if (e.preempt != 3)
			continue;
		back = e.timebase;
		ready = back - e.to_dispatch - e.to_enqueue;
		for (n = 1; n < ALL; n++) {
			u64 at = first_after(n, start).timebase;

			turn += at <= back;
			last = at > last ? at : last;
		}
		early += procs == 1 && ready + 100 < last;
		tries++;
		all += turn >= ALL - procs;	/* those that ran beside it have theirs */
	}
	check(tries > 0, "confers-to-all");
	check_eq(all, tries, "all-have-had-a-turn");
	check_eq(early, 0, "and-only-then-it-is-ready");
	for (unsigned n = 0; n < ALL; n++)
		reg(DTL_OFF, n, NULL);

	if (procs == 1 && !cap)
		check_eq((u64)hcall(H_POLL_PENDING), H_PENDING, "somebody-waits");
	others_stop(ALL);
}

static volatile u64 rounds;

/* It says that it has nothing to do, as a guest does that polls for work. */
static void polling(struct cpu *c)
{
	set(vpa[c->index] + V_IDLE, 1, 1);
	while (phase != 2)
		rounds++;
	set(vpa[c->index] + V_IDLE, 1, 0);
}

/* One that polls gives way to one that waits before its slice is over, and not before it has done anything. */
static void test_idle_hint(void)
{
	u64 start, none = 0, took;

	if (procs != 1 || cap || load)
		return;
	rounds = 0;
	phase = 1;
	check(launch(1, polling), "polling");
	while (!rounds)
		hcall(H_CONFER, TOP, 0);
	start = mftb();
	for (unsigned i = 0; i < 50; i++) {
		u64 before = rounds;

		check_eq((u64)hcall(H_CONFER, TOP, 0), H_SUCCESS, "confer-to-one-that-polls");
		none += rounds == before;
	}
	took = mftb() - start;
	check_eq(none, 0, "one-with-the-idle-hint-gets-on");
	check(took < 50 * MS / 2, "one-with-the-idle-hint-gives-way");
	others_stop(2);
}

/* With a processor for each, nobody is preempted, and what is running cannot be conferred to. */
static void test_fooled(void)
{
	u32 count, before, odd, mine;
	unsigned fooled = 0;

	if (procs < 2 || cap || load)
		return;
	others_spin(2);
	spin_for(50 * MS);
	mine = count_of(0);
	for (unsigned i = 0; i < 20; i++) {
		count = count_of(1);
		odd = count + 1 + 2 * (i % 3);
		set(vpa[1] + V_COUNT, 4, odd);
		before = count_of(0);
		check_eq((u64)hcall(H_CONFER, 1, odd), H_SUCCESS, "s9-28-r3");
		fooled += count_of(0) != before;
		set(vpa[1] + V_COUNT, 4, count);
	}
	check_eq(fooled, 0, "s9-28-a-guest's-count-fools-nobody");
	check_eq(count_of(0), mine, "two-on-two-are-never-preempted");
	others_stop(2);
}

/* ---- The processor that it runs on ---- */

static void home(u64 flags, u64 id, u64 out[9], const char *name)
{
	check_eq((u64)hcall_out(out, H_HOME_NODE_ASSOCIATIVITY, flags, id), H_SUCCESS, name);
}

static bool same_list(const u64 *a, const u64 *b) { return same_text((const char *)a, (const char *)b, 48); }

static void only_two_spins(struct cpu *c)
{
	(void)c;
	while (phase != 2)
		;
}

/* 0 and 2 are at home on one chip. Both busy for long, they run on two, and one moves. */
static void test_homes(void)
{
	u64 before[2][9], after[2][9], out[9];

	if (chips != 2 || procs != 2 || load)
		return;
	home(2, 0, before[0], "s9-17-physical-0");
	home(2, 1, before[1], "s9-17-physical-1");
	check(!same_list(before[0], before[1]), "s9-17-two-chips-differ");
	check_eq((u64)hcall_out(out, H_HOME_NODE_ASSOCIATIVITY, 2, 2), (u64)-55, "s9-17-no-third");
	home(1, 0, before[0], "home-of-0");
	home(1, 2, before[1], "home-of-2");
	phase = 1;
	check(launch(2, only_two_spins), "2-spins");
	spin_for(2 * SEC + 500 * MS);
	home(1, 0, after[0], "home-of-0-later");
	home(1, 2, after[1], "home-of-2-later");
	check(!same_list(before[0], after[0]) || !same_list(before[1], after[1]), "s9-32-one-has-moved");
	for (unsigned i = 0; i < 2; i++) {
		u8 moved = !same_list(before[i], after[i]);

		check_eq(vpa[2 * i][V_HOME], moved, "s9-32-counted-where-it-moved");
		check_eq(get(vpa[2 * i] + V_HOME + 3, 5), 0, "s9-32-unused-counters-stay-0");
	}
	phase = 2;
	check(ended(2), "2-spins-no-more");
}

/* ---- Capacity changed ---- */

static void test_set(void)
{
	u64 old[9], out[9];

	check_eq((u64)hcall_out(old, H_GET_PPP), H_SUCCESS, "s9-15-H_GET_PPP");
	if (cap)
		check_eq(old[0], cap, "entitlement");
	check_eq(old[3] >> 48 & 1, cap != 0, "capped-bit");
	check((old[2] & 0xffff) != 0xffff, "pool-number");
	check_eq(old[3] >> 16 & 0xffff, procs, "processors-in-the-pool");
	check_eq((u64)hcall(H_SET_PPP, old[0], 256), (u64)H_PARAMETER, "s9-15-weight-256");
	check_eq((u64)hcall(H_SET_PPP, old[0], TOP), (u64)H_PARAMETER, "weight-all-ones");
	check_eq((u64)hcall(H_SET_PPP, 100000, 128), 4, "H_CONSTRAINED");
	hcall_out(out, H_GET_PPP);
	check(out[0] >= old[0] && out[0] <= 100 * procs, "limited-to-what-there-is");
	hcall(H_SET_PPP, old[0], old[3] >> 40 & 255);
	hcall_out(out, H_GET_PPP);
	check(out[0] == old[0] && out[3] == old[3], "and-back");
	if (!cap || cap < 50)
		return;
	check_eq((u64)hcall(H_SET_PPP, 25, 0), H_SUCCESS, "H_SET_PPP-25");
	measure(1, 500 * MS);
	check_near(result[0].purr * 100 / (result[0].tb / 100), 2500, 200, "s9-15-H_SET_PPP-takes-effect");
	check_near(result[0].two * 100 / (result[0].tb / 100), 7500, 200, "as-interval-2");
	check_eq((u64)hcall(H_SET_PPP, cap, 0), H_SUCCESS, "H_SET_PPP-back");
	measure(1, 500 * MS);
	check_near(result[0].purr * 100 / (result[0].tb / 100), 100 * most(1), 200, "and-back-again");
}

void test(void)
{
	read_words();
	mtspr(22, DEC_FAR);
	on_interrupt = count_interrupt;
	hcall(H_CPPR, 0xff);
	if (!check(procs > 0, "told-the-pool"))
		return;
	for (unsigned n = 0; n < ALL; n++) {
		check_eq(vpa_on(n), H_SUCCESS, "vpa");
		check_eq(vpa[n][V_STATUS] & 2, 2, "status-says-shared");
	}
	test_homes();
	test_alone();
	test_shares(1, "share-of-1");
	test_shares(2, "share-of-2");
	test_shares(3, "share-of-3");
	test_shares(4, "share-of-4");
	test_log();
	test_confer();
	test_idle_hint();
	test_fooled();
	test_set();
}

/* The dispatch trace log: an entry for each dispatch that the mask selects, every field of it; index,
 * wrap and overflow; masks, indices and buffers changed under the hypervisor. PAPR, "Dispatch Trace
 * Log Buffer". Meant for four, and for four with two threads a core; alone in its machine, so that
 * nobody waits for a processor. */
#include "splpar.h"

#define FILL 0xee

static u64 soon;
static bool exact;
static u64 ceded_at;

PROBE(p_call, "", "sc 1", "");
PROBE(p_doorbell, "", ".long 0x7c00191c", "");		/* msgsndp r3 */
#define DOORBELL (5ull << 27)
#define CEDED_MSR (OUR_MSR | MSR_EE)

static bool untouched(const volatile u8 *p, unsigned from, unsigned to)
{
	for (unsigned i = from; i < to; i++)
		if (p[i] != FILL)
			return false;
	return true;
}

static bool of_last_cede(struct entry e) { return e.preempt == 2 && e.timebase > ceded_at; }

static void fresh(unsigned n, u32 size, u8 mask, const char *name)
{
	reg(DTL_OFF, n, NULL);
	check_eq(dtl_on(n, size, mask), H_SUCCESS, name);
}

/* Until the decrementer calls: the vector. */
static u64 cede_once(u64 ticks)
{
	struct cpu *c;

	ceded_at = mftb();
	mtspr(22, ticks);
	c = probe(p_call, OUR_MSR, H_CEDE);
	mtspr(22, DEC_FAR);
	return c->vector;
}

/* ---- Every field ---- */

static void test_fields(void)
{
	u64 before, after, last = 0;

	set(vpa[0] + V_DTL_INDEX, 8, 99);
	fresh(0, 4096, 7, "register");
	check_eq(index_of(0), 0, "s9-22-index-0-at-registration");
	check(untouched(dtl[0], 8, sizeof dtl[0]), "nothing-written-at-registration");
	for (unsigned i = 0; i < 10; i++) {
		struct entry e;

		spin_for(100 * US * (i % 3));
		before = mftb();
		check_eq(cede_once((i + 1) * MS), 0x900, "woken-by-the-decrementer");
		after = mftb();
		check_eq(index_of(0), i + 1, "s9-08-one-entry-a-cede");
		e = entry_of(0, i, 85);
		check_eq(e.dispatch, 3, "s9-08-dispatch-reason-decrementer");
		check_eq(e.preempt, 2, "s9-08-preempt-reason-cede");
		check_range(e.to_ready, (i + 1) * MS - 500, (i + 1) * MS + 2, "s9-08-waiting-to-ready");
		check_range(e.to_enqueue, 0, exact ? 0 : 2 * MS, "s9-08-ready-to-enqueue");
		check_range(e.to_dispatch, 0, exact ? 0 : 20 * MS, "s9-08-enqueue-to-dispatch");
		check_range(e.timebase, before + (i + 1) * MS, after, "s9-08-timebase");
		check_range(e.timebase - e.to_ready - e.to_enqueue - e.to_dispatch, before, before + 500, "s9-08-times-reach-back-to-the-cede");
		check(e.timebase > last, "s9-08-timebase-rises");
		check_eq(e.fault, 0, "s9-08-no-fault");
		check_eq(e.srr0, (u64)p_call_next, "s9-08-SRR0");
		check_eq(e.srr1, CEDED_MSR, "s9-08-SRR1");
		check_range(e.processor, 0, 63, "s9-08-processor");
		if (exact)
			check_eq(e.processor, entry_of(0, 0, 85).processor, "s9-08-the-same-processor");
		last = e.timebase;
	}
	check(untouched(dtl[0], 10 * ENTRY, sizeof dtl[0]), "s9-08-ten-entries-and-no-more");
}

/* What the times of the entries add up to is what the VPA counts. */
static void test_sums(void)
{
	u64 one = interval(0, 1), two = interval(0, 2), three = interval(0, 3), sums[3] = { 0, 0, 0 };

	fresh(0, 4096, 7, "register-for-sums");
	for (unsigned i = 0; i < 60; i++) {
		struct entry e;

		cede_once(i * 3001 + 1017);
		e = entry_of(0, i, 85);
		sums[0] += e.to_ready;
		sums[1] += e.to_enqueue;
		sums[2] += e.to_dispatch;
	}
	check_near(interval(0, 1) - one, sums[0], 60, "interval-1-is-the-sum");
	check_near(interval(0, 2) - two, sums[1], 60, "interval-2-is-the-sum");
	check_near(interval(0, 3) - three, sums[2], 60, "interval-3-is-the-sum");
}

/* ---- Reasons ---- */

static volatile struct order {
	u64 call[3], msr, about, vector, r3;
} order[MAX_CPUS];

static void do_call(struct cpu *c)
{
	volatile struct order *o = &order[c->index];
	struct cpu *found;

	o->about = 1;
	found = probe(p_call, o->msr, o->call[0], o->call[1], o->call[2]);
	o->vector = found->vector;
	o->r3 = found->r[3];
	mtmsrd(OUR_MSR);
	if (o->vector == 0x500)
		count_interrupt(found);
}

/* CPU 1 does that call, with a new log of its own. */
static void begin(u8 mask, u64 number, u64 a, u64 b, const char *name)
{
	order[1] = (struct order){ .call = { number, a, b }, .msr = OUR_MSR };
	fresh(1, 4096, mask, name);
	if (!check(launch(1, do_call) && becomes(&order[1].about, 1, SEC), name))
		panic("not started");
	spin_for(soon);
}

/* Entry `i` of CPU 1, at the end of a call that lasted. */
static void expect(u64 vector, unsigned dispatch, unsigned preempt, u64 msr, const char *name)
{
	struct entry e;
	u64 last;

	if (!check(ended(1), name)) {
		hcall(H_PROD, 1);
		return;
	}
	check_eq(order[1].vector, vector, name);
	last = index_of(1);
	if (!check(last > 0, name))
		return;
	/* Its start may have been logged too. */
	e = entry_of(1, last - 1, 85);
	check_eq(e.dispatch, dispatch, name);
	check_eq(e.preempt, preempt, name);
	check_eq(e.srr0, (u64)p_call_next, name);
	check_eq(e.srr1, msr, name);
	check_eq(e.fault, 0, name);
	if (last == 2)
		check_eq(entry_of(1, 0, 85).dispatch, 4, "start-is-the-boot-entry");
}

static volatile u64 stop;

static void ceded(struct cpu *c)
{
	(void)c;
	while (!stop)
		cede();
}

static void test_reasons(void)
{
	u64 start, waited;

	begin(7, H_CEDE, 0, 0, "cede-and-prod");
	start = mftb();
	spin_for(10 * MS);
	waited = mftb() - start;
	hcall(H_PROD, 1);
	expect(0xc00, 2, 2, CEDED_MSR, "reason-2-prod");
	check_range(entry_of(1, index_of(1) - 1, 85).to_ready, waited, waited + 3 * soon, "waited-until-the-prod");
	begin(7, H_CEDE, 0, 0, "cede-and-IPI");
	hcall(H_IPI, 1, 4);
	expect(0x500, 0, 2, CEDED_MSR, "reason-0-external");
	begin(7, H_CEDE, 0, 0, "cede-and-reset");
	hcall(H_SIGNAL_SYS_RESET, 1);
	expect(0x100, 4, 2, CEDED_MSR, "reason-4-reset");
	begin(7, H_JOIN, 0, 0, "join-and-prod");
	hcall(H_PROD, 1);
	expect(0xc00, 2, 3, OUR_MSR, "reason-2-prod-of-a-joined-one");
	begin(7, H_JOIN, 0, 0, "join-and-reset");
	hcall(H_SIGNAL_SYS_RESET, 1);
	expect(0x100, 4, 3, OUR_MSR, "reason-4-reset-of-a-joined-one");
	begin(7, H_CONFER, 1, 0, "confer-self-and-prod");
	hcall(H_PROD, 1);
	expect(0xc00, 2, 3, OUR_MSR, "reason-2-prod-of-one-that-conferred");
	begin(7, H_CONFER, TOP, 0, "confer-to-all");
	expect(0xc00, 7, 3, OUR_MSR, "reason-7-the-others-have-had-their-turn");
	stop = 0;
	check(launch(2, ceded), "a-ceded-one");
	spin_for(soon);
	begin(7, H_CONFER, 2, count_of(2), "confer-fresh");
	expect(0xc00, 7, 3, OUR_MSR, "reason-7-after-confer");
	begin(7, H_CONFER, 2, count_of(2) - 2, "confer-stale");
	check(ended(1) && (index_of(1) == 0 || entry_of(1, index_of(1) - 1, 85).preempt != 3), "confer-stale-is-no-dispatch");
	stop = 1;
	hcall(H_PROD, 2);
	check(ended(2), "a-ceded-one-gone");
	if (threads() == 2) {
		begin(7, H_CEDE, 0, 0, "cede-and-doorbell");
		check_eq(probe(p_doorbell, OUR_MSR, DOORBELL | 1)->vector, 0xc00, "doorbell-to-the-other-thread");
		expect(0xa00, 10, 2, CEDED_MSR, "reason-10-doorbell");
		check_eq(entry_of(1, 0, 85).processor % 2, 1, "second-thread-of-a-processor");
		fresh(0, 4096, 7, "first-thread");
		cede_once(MS);
		check_eq(entry_of(0, 0, 85).processor % 2, 0, "first-thread-of-a-processor");
		if (exact)
			check_eq(entry_of(0, 0, 85).processor / 2, entry_of(1, 0, 85).processor / 2, "both-on-one-processor");
	}
}

/* A cede that did not wait is no dispatch. */
static void test_no_dispatch(void)
{
	fresh(0, 4096, 7, "register-for-none");
	hcall(H_PROD, 0);
	cede_once(SEC);
	check_eq(index_of(0), 0, "cede-with-a-prod-bit-is-no-dispatch");
	reg(DTL_OFF, 0, NULL);
	reg(DTL_ON, 0, dtl[0]);
}

/* ---- Mask ---- */

static void test_mask(void)
{
	static const struct { u8 mask, logs; } masks[] = { { 0, 0 }, { 1, 1 }, { 2, 0 }, { 3, 1 }, { 4, 0 }, { 5, 1 }, { 6, 0 }, { 7, 1 },
							   { 0xf8, 0 }, { 0x80, 0 }, { 0xf9, 1 }, { 0xff, 1 } };

	for (unsigned i = 0; i < sizeof masks / sizeof masks[0]; i++) {
		fresh(0, 4096, masks[i].mask, "register-with-a-mask");
		for (unsigned k = 0; k < 3; k++)
			cede_once(US * 300);
		check_eq(index_of(0), 3 * masks[i].logs, "mask-selects-cedes");
		check(untouched(dtl[0], masks[i].logs ? 3 * ENTRY : 8, sizeof dtl[0]), "and-writes-nothing-else");
		check_eq(vpa[0][V_DTL_MASK], masks[i].mask, "mask-is-the-guest's");
	}
	for (unsigned k = 0; k < 20; k++) {
		u64 before = index_of(0);

		vpa[0][V_DTL_MASK] = k % 2;
		cede_once(US * 300);
		check_eq(index_of(0) - before, k % 2, "mask-changed-between-cedes");
	}
	/* What counts is what it is at the dispatch. */
	begin(0, H_CEDE, 0, 0, "mask-set-meanwhile");
	vpa[1][V_DTL_MASK] = 1;
	hcall(H_PROD, 1);
	expect(0xc00, 2, 2, CEDED_MSR, "mask-at-the-dispatch-counts");
	begin(1, H_CEDE, 0, 0, "mask-cleared-meanwhile");
	vpa[1][V_DTL_MASK] = 0;
	hcall(H_PROD, 1);
	check(ended(1), "mask-cleared-prodded");
	check_eq(index_of(1), 0, "mask-cleared-at-the-dispatch-counts");
	/* A mask without a log. */
	fresh(0, 4096, 7, "log-away");
	check_eq(reg(DTL_OFF, 0, NULL), H_SUCCESS, "mask-without-a-log");
	cede_once(US * 300);
	check_eq(index_of(0), 0, "mask-without-a-log-counts-nothing");
	check(untouched(dtl[0], 8, sizeof dtl[0]), "mask-without-a-log-writes-nothing");
}

/* ---- Index, wrap ---- */

static void test_wrap(u32 size, unsigned cedes, const char *name)
{
	u64 n = size / ENTRY, last = 0;
	bool rising = true, all = true;

	fresh(0, size, 7, name);
	for (unsigned i = 0; i < cedes; i++) {
		cede_once(US * 100 + i);
		if (index_of(0) != i + 1 || !of_last_cede(entry_of(0, i, n)))
			all = false;
	}
	check(all, name);
	check_eq(index_of(0), cedes, name);
	/* From the oldest on. */
	for (u64 i = cedes > n ? cedes - n : 0; i < cedes; i++) {
		struct entry e = entry_of(0, i, n);

		rising &= e.timebase > last && e.preempt == 2 && e.dispatch == 3;
		last = e.timebase;
	}
	check(rising, name);
	check(untouched(dtl[0], (unsigned)(cedes < n ? cedes : n) * ENTRY, sizeof dtl[0]), name);
}

static void test_index(void)
{
	static const u64 hostile[] = { TOP, 1ull << 63, 0x7fffffffffffffffull, 85, 84, 4096, 3, 1ull << 32, 0x0fffffffffffffffull };
	u64 n;

	test_wrap(192, 10, "4-entries");
	test_wrap(48, 5, "1-entry");
	test_wrap(95, 5, "1-entry-and-a-half");
	test_wrap(239, 9, "4-entries-and-a-half");
	test_wrap(4096, 200, "85-entries");
	test_wrap(4095, 90, "85-entries-and-a-bit-less");
	test_wrap(4079, 90, "84-entries");
	/* The index in memory is the guest's to read. */
	fresh(0, 192, 7, "hostile-index");
	for (n = 0; n < sizeof hostile / sizeof hostile[0]; n++) {
		set(vpa[0] + V_DTL_INDEX, 8, hostile[n]);
		cede_once(US * 100);
		check_eq(index_of(0), n + 1, "own-index");
		check(of_last_cede(entry_of(0, n, 4)), "own-slot");
	}
	check(untouched(dtl[0], 192, sizeof dtl[0]), "hostile-index-stays-inside");
	/* The size word lies in entry 0 and was overwritten long ago; a new one means nothing. */
	set(dtl[0] + 4, 4, 0xffffffff);
	for (unsigned i = 0; i < 9; i++)
		cede_once(US * 100);
	check(untouched(dtl[0], 192, sizeof dtl[0]), "size-is-read-at-registration");
	/* Anew without registering: index, then mask. */
	vpa[0][V_DTL_MASK] = 0;
	cede_once(US * 100);
	set(vpa[0] + V_DTL_INDEX, 8, 0);
	vpa[0][V_DTL_MASK] = 7;
	cede_once(US * 100);
	check_eq(index_of(0), 1, "index-0-and-mask-begin-anew");
	check(of_last_cede(entry_of(0, 0, 4)), "in-slot-0");
	for (unsigned i = 0; i < 2; i++)
		cede_once(US * 100);
	vpa[0][V_DTL_MASK] = 0;
	set(vpa[0] + V_DTL_INDEX, 8, 0);
	vpa[0][V_DTL_MASK] = 7;
	cede_once(US * 100);
	check_eq(index_of(0), 1, "begin-anew-between-two-dispatches");
	check(of_last_cede(entry_of(0, 0, 4)), "in-slot-0-again");
	/* Registered again. */
	for (unsigned i = 0; i < 3; i++)
		cede_once(US * 100);
	set(dtl[0] + 4, 4, 96);
	check_eq(reg(DTL_ON, 0, dtl[0]), H_SUCCESS, "registered-again");
	check_eq(index_of(0), 0, "index-0-again");
	cede_once(US * 100);
	check_eq(index_of(0), 1, "and-counts-from-there");
	check(of_last_cede(entry_of(0, 0, 2)), "from-slot-0");
}

/* The log stays where it is when the VPA moves. */
static void test_moved_vpa(void)
{
	u8 *elsewhere = slb[0];

	fresh(0, 192, 7, "log-before-the-move");
	cede_once(US * 100);
	memset(elsewhere, 0, 1024);
	set(elsewhere + V_SIZE, 2, 1024);
	elsewhere[V_DTL_MASK] = 7;
	check_eq(reg(VPA_ON, 0, elsewhere), H_SUCCESS, "vpa-moves");
	check_eq(get(elsewhere + V_DTL_INDEX, 8), 1, "the-index-moves-with-it");
	cede_once(US * 100);
	check_eq(index_of(0), 1, "the-old-vpa's-index-stays");
	check(get(elsewhere + V_DTL_INDEX, 8) != 0, "the-new-vpa's-index-moves");
	vpa[0][V_DTL_MASK] = 0;
	cede_once(US * 100);
	check(of_last_cede(entry_of(0, get(elsewhere + V_DTL_INDEX, 8) - 1, 4)), "the-new-vpa's-mask-counts");
	check(untouched(dtl[0], 192, sizeof dtl[0]), "moved-vpa-stays-inside");
	check_eq(reg(DTL_OFF, 0, NULL), H_SUCCESS, "log-away-after-the-move");
	check_eq(vpa_on(0), H_SUCCESS, "vpa-moves-back");
}

/* ---- Under their feet ---- */

static void cedes(struct cpu *c)
{
	(void)c;
	for (unsigned i = 0; !stop; i++)
		cede_for(500 + i % 7 * 997);
}

static void test_meanwhile(void)
{
	u64 seen = 0, wrong = 0, last = 0;

	stop = 0;
	fresh(1, 4096, 7, "log-of-another");
	check(launch(1, cedes), "it-cedes");
	/* A reader who keeps up sees whole entries. */
	for (u64 start = mftb(); mftb() - start < (exact ? 10 : 200) * MS;) {
		u64 i = index_of(1);
		struct entry e;

		if (i == 0 || i == seen)
			continue;
		e = entry_of(1, i - 1, 85);
		if (index_of(1) - i < 84)
			wrong += e.timebase < last || (e.dispatch != 3 && e.dispatch != 4) || e.fault;
		last = e.timebase;
		seen = i;
	}
	check(seen > 100, "another's-log-grows");
	check_eq(wrong, 0, "no-torn-entries");
	check(untouched(dtl[1], 4080, sizeof dtl[1]), "the-last-16-bytes-of-a-page-stay");
	for (unsigned i = 0; i < 200; i++) {
		u32 size = 48 + i * 37 % 400;

		wrong += reg(DTL_OFF, 1, NULL) != H_SUCCESS;
		memset(dtl[1], FILL, sizeof dtl[1]);
		spin_for(20 * US);
		wrong += !untouched(dtl[1], 0, sizeof dtl[1]);
		set(dtl[1] + 4, 4, size);
		wrong += reg(DTL_ON, 1, dtl[1]) != H_SUCCESS || index_of(1) > 1;
		vpa[1][V_DTL_MASK] = (u8)i;
		set(vpa[1] + V_DTL_INDEX, 8, i * 0x0123456789abcdefull);
		spin_for(30 * US);
		vpa[1][V_DTL_MASK] = 7;
		spin_for(20 * US);
		wrong += !untouched(dtl[1], size / ENTRY * ENTRY, sizeof dtl[1]);
	}
	check_eq(wrong, 0, "registered-and-deregistered-under-way");
	/* One memory for two logs. */
	check_eq(reg(DTL_OFF, 1, NULL), H_SUCCESS, "own-log-away");
	check(launch(2, cedes), "two-cede");
	memset(dtl[3], FILL, sizeof dtl[3]);
	set(dtl[3] + 4, 4, 1000);
	check_eq(reg(DTL_ON, 1, dtl[3]), H_SUCCESS, "one-log-for-1");
	set(dtl[3] + 4, 4, 1000);
	check_eq(reg(DTL_ON, 2, dtl[3]), H_SUCCESS, "one-log-for-2");
	vpa[1][V_DTL_MASK] = vpa[2][V_DTL_MASK] = 7;
	spin_for(exact ? 2 * MS : 100 * MS);
	check(index_of(1) > 1 && index_of(2) > 1, "both-count");
	check(untouched(dtl[3], 1000 / ENTRY * ENTRY, sizeof dtl[3]), "nothing-outside");
	stop = 1;
	check(ended(1) && ended(2), "both-gone");
	reg(DTL_OFF, 1, NULL);
	reg(DTL_OFF, 2, NULL);
	seen = index_of(1);
	memset(dtl[3], FILL, sizeof dtl[3]);
	check(launch(1, cedes) && ended(1), "after-deregistering");
	check_eq(index_of(1), seen, "the-index-stays");
	check(untouched(dtl[3], 0, sizeof dtl[3]), "and-so-does-the-memory");
}

/* A log that lies in its own VPA: entries overwrite the mask and the index. */
static void test_inside_vpa(void)
{
	u8 *inside = vpa[0] + 0x80, *at_index = vpa[0] + 0x200;

	reg(DTL_OFF, 0, NULL);
	vpa[0][V_DTL_MASK] = 7;
	set(inside + 4, 4, 192);
	check_eq(reg(DTL_ON, 0, inside), H_SUCCESS, "log-over-the-mask");
	for (unsigned i = 0; i < 9; i++) {
		vpa[0][V_DTL_MASK] = 7;
		cede_once(US * 100);
		check_eq(index_of(0), i + 1, "log-over-the-mask-goes-on");
	}
	set(at_index + 4, 4, 48);
	vpa[0][V_DTL_MASK] = 7;
	check_eq(reg(DTL_ON, 0, at_index), H_SUCCESS, "log-over-the-index");
	for (unsigned i = 0; i < 5; i++)
		cede_once(US * 100);
	check_eq(index_of(0), 5, "index-is-written-last");
	check_eq(reg(DTL_OFF, 0, NULL), H_SUCCESS, "log-inside-away");
	check_eq(vpa_on(0), H_SUCCESS, "vpa-anew");
}

/* In the last bytes of RAM. */
static void test_end(void)
{
	volatile u8 *last = (u8 *)(RAM - 128);

	set(last + 4, 4, 128);
	check_eq(reg(DTL_ON, 0, last), H_SUCCESS, "log-in-the-last-line");
	vpa[0][V_DTL_MASK] = 7;
	for (unsigned i = 0; i < 5; i++)
		cede_once(US * 100);
	check_eq(index_of(0), 5, "log-in-the-last-line-counts");
	check(of_last_cede(entry_at(last)), "log-in-the-last-line-is-written");
	check_eq(reg(DTL_OFF, 0, NULL), H_SUCCESS, "log-in-the-last-line-away");
}

static void test_long(void)
{
	struct entry e;

	if (is_power8())		/* nine seconds are more than 32 bits of a decrementer hold */
		return;
	fresh(0, 192, 7, "log-of-a-long-wait");
	cede_once(9 * SEC);
	e = entry_of(0, 0, 4);
	check_eq(e.to_ready, 0xffffffff, "nine-seconds-saturate");
	check_eq(reg(DTL_OFF, 0, NULL), H_SUCCESS, "log-of-a-long-wait-away");
}

void test(void)
{
	exact = !shared();
	soon = exact ? 100 * US : 60 * MS;
	begin_with_vpas();
	test_fields();
	test_sums();
	test_reasons();
	test_no_dispatch();
	test_mask();
	test_index();
	test_moved_vpa();
	test_meanwhile();
	test_inside_vpa();
	test_end();
	test_long();
}

/* Giving a processor up and being called back: H_CEDE, H_CONFER, H_PROD, H_JOIN, H_POLL_PENDING. One
 * processor does a call, the boot processor looks on, so that one that never came back would be seen.
 * PAPR, "Shared Processor LPAR Option". Meant for five; what is counted exactly, is so only where no
 * other virtual processor can take the physical one away. */
#include "splpar.h"

static u64 soon;		/* ticks within which one that is called runs */
static bool exact;		/* nobody is preempted */

/* ---- A call on another processor ---- */

static volatile struct order {
	u64 call[4], msr, dec;
	u64 about, rc, before, after, took, left;	/* about to call; counts; ticks; decrementer at the end */
} order[MAX_CPUS];

static void do_order(struct cpu *c)
{
	volatile struct order *o = &order[c->index];
	u64 start;

	mtspr(22, o->dec);
	mtmsrd(o->msr);
	o->before = count_of((unsigned)c->index);
	start = mftb();
	o->about = 1;
	o->rc = (u64)hcall(o->call[0], o->call[1], o->call[2], o->call[3]);
	o->left = mfspr(22);
	mtmsrd(OUR_MSR);
	o->took = mftb() - start;
	o->after = count_of((unsigned)c->index);
}

/* It is in the call, or has come back from it. */
static bool begin(unsigned n, u64 msr, u64 dec, u64 number, u64 a, u64 b)
{
	order[n] = (struct order){ .call = { number, a, b }, .msr = msr, .dec = dec ? dec : DEC_FAR };
	if (!launch(n, do_order) || !becomes(&order[n].about, 1, 5 * SEC))
		return false;
	spin_for(soon);
	return true;
}

static bool back(unsigned n) { return ends_in(n, 2 * soon); }

static void end_by_prod(unsigned n, const char *name)
{
	if (check(!finished[n], name))
		check_eq((u64)hcall(H_PROD, n), H_SUCCESS, name);
	check(back(n), name);
	check_eq(order[n].rc, H_SUCCESS, name);
	if (!ended(n))
		panic("one that could not be called back");
}

/* It returned by itself, with that code. */
static void returns(unsigned n, s64 rc, const char *name)
{
	if (!check(back(n), name))
		hcall(H_PROD, n);
	check_eq(order[n].rc, (u64)rc, name);
	if (!ended(n))
		panic("one that could not be called back");
}

static void gave_up(unsigned n, bool yes, const char *name)
{
	if (exact)
		check_eq(order[n].after - order[n].before, yes ? 2 : 0, name);
}

/* ---- H_CEDE ---- */

PROBE(p_call, "", "sc 1", "");
PROBE(p_nop, "", "nop", "");

static void test_cede(void)
{
	u64 start, took;
	struct cpu *c;

	mtspr(22, 2 * MS);
	start = mftb();
	c = probe(p_call, OUR_MSR, H_CEDE);
	took = mftb() - start;
	check_trap(c, 0x900, p_call_next, OUR_MSR | MSR_EE, 0, "cede-ends-at-the-decrementer-with-EE-on");
	check_eq(c->r[3], H_SUCCESS, "cede-H_SUCCESS");
	check_range(took, 2 * MS, 2 * MS + soon, "cede-until-its-tick");
	check_trap(probe(p_call, OUR_MSR, H_CEDE), 0x900, p_call_next, OUR_MSR | MSR_EE, 0, "cede-with-the-decrementer-due");
	mtspr(22, DEC_FAR);
	hcall(H_IPI, 0, 4);
	check_trap(probe(p_call, OUR_MSR, H_CEDE), 0x500, p_call_next, OUR_MSR | MSR_EE, 0, "cede-with-an-external-due");
	c = this_cpu();
	c->vector = 0x500;
	count_interrupt(c);
	check_eq(probe(p_nop, OUR_MSR | MSR_EE)->vector, 0xc00, "nothing-due-any-more");

	check(begin(1, OUR_MSR, 100 * MS, H_CEDE, 0, 0), "cede-begins");
	check(!ends_in(1, 5 * MS), "cede-lasts");
	if (check_eq(state_of(1), 2, "s9-05-a-ceded-one-counts-as-running"))
		check(!start_cpu(1, NULL), "s9-05-and-cannot-be-started");
	check(count_of(1) % 2 == 1, "count-odd-while-ceded");
	end_by_prod(1, "prod-ends-cede");
	check(count_of(1) % 2 == 1, "count-odd-when-stopped");
	check_near(order[1].left, 100 * MS - order[1].took, 2 * soon, "the-decrementer-has-run-on");
	gave_up(1, true, "cede-and-prod-are-one-dispatch");
	check_eq(decs[1], 0, "and-it-was-no-interrupt");
	check(begin(1, OUR_MSR, 0, H_CEDE, 0, 0), "cede-begins-for-an-IPI");
	hcall(H_IPI, 1, 4);
	returns(1, H_SUCCESS, "IPI-ends-cede");
	check_eq(externals[1], 1, "with-its-interrupt-first");
	check(begin(1, OUR_MSR, 0, H_CEDE, 0, 0), "cede-begins-for-a-reset");
	hcall(H_SIGNAL_SYS_RESET, 1);
	returns(1, H_SUCCESS, "reset-ends-cede");
	check_eq(resets[1], 1, "with-the-reset-first");
}

/* ---- H_PROD ---- */

static volatile u64 step, round_trips;

/* Runs until prodded, which it does not notice, and then cedes. */
static void prodded_running(struct cpu *c)
{
	while (step != 1)
		;
	mtspr(22, SEC);
	order[c->index].before = mftb();
	cede();
	order[c->index].took = mftb() - order[c->index].before;
	mtspr(22, 20 * MS);
	order[c->index].before = mftb();
	cede();
	order[c->index].after = mftb() - order[c->index].before;
}

static void mail_reader(struct cpu *c)
{
	u64 end = mftb() + 20 * SEC;

	for (u64 i = 1; mftb() < end; i++) {
		while (step < i && mftb() < end)
			cede();
		if (step == TOP)
			return;
		round_trips = i;
	}
	(void)c;
}

static void do_nothing(struct cpu *c) { (void)c; }

static void test_prod(void)
{
	static const u64 nobody[] = { 5, 64, 1ull << 31, 0xffffffff, TOP, TOP - 1 };
	u64 slow = 0, start;
	u32 count;

	for (unsigned i = 0; i < sizeof nobody / sizeof nobody[0]; i++)
		check_eq((u64)hcall(H_PROD, nobody[i]), (u64)H_PARAMETER, "prod-nobody");
	check_eq((u64)hcall(H_PROD, 0), H_SUCCESS, "prod-self");
	start = mftb();
	count = count_of(0);
	check_range(cede_for(SEC), 0, soon, "s9-03-prod-self-before-cede");
	if (exact)
		check_eq(count_of(0), count, "s9-03-at-once-is-no-dispatch");
	check_range(cede_for(5 * MS), 5 * MS, 5 * MS + soon, "and-only-the-first-cede");
	hcall(H_PROD, 0);
	hcall(H_PROD, 0);
	check_range(cede_for(SEC), 0, soon, "two-prods");
	check_range(cede_for(5 * MS), 5 * MS, 5 * MS + soon, "are-as-one");
	check(mftb() - start < 100 * MS, "prods-before-cedes-cost-nothing");

	step = 0;
	check(launch(1, prodded_running), "s9-03-a-running-one");
	check_eq((u64)hcall(H_PROD, 1), H_SUCCESS, "s9-03-prod-before-cede");
	spin_for(exact ? MS : 60 * MS);			/* where it can, it is preempted meanwhile */
	step = 1;
	check(ended(1), "s9-03-it-came-back");
	check_range(order[1].took, 0, soon, "s9-03-prod-to-a-running-one-is-kept");
	check_range(order[1].after, 20 * MS, 20 * MS + soon, "and-used-up");

	/* At every moment: it may be about to cede, in it, or on its way out. */
	step = round_trips = 0;
	check(launch(1, mail_reader), "mail-reader");
	for (u64 i = 1; i <= (exact ? 3000 : 200); i++) {
		spin_for(i * 37 % 30000);
		start = mftb();
		step = i;
		sync();
		hcall(H_PROD, 1);
		if (!becomes(&round_trips, i, 4 * soon + SEC / 10))
			break;
		if (mftb() - start > slow)
			slow = mftb() - start;
	}
	check(round_trips == (exact ? 3000 : 200), "no-wake-up-is-lost");
	check_range(slow, 0, 2 * soon, "nor-late");
	step = TOP;
	hcall(H_PROD, 1);
	check(ended(1), "mail-reader-gone");
}

/* ---- H_CONFER ---- */

static void spinner(struct cpu *c)
{
	(void)c;
	while (!step)
		;
}

static void confers_to_the_other(struct cpu *c)
{
	unsigned other = c->index == 1 ? 2 : 1;

	for (unsigned i = 0; i < 300; i++)
		order[c->index].rc |= (u64)hcall(H_CONFER, other, count_of(other) | 1);
}

static void confers_to_all(struct cpu *c)
{
	for (unsigned i = 0; i < 300; i++)
		order[c->index].rc |= (u64)hcall(H_CONFER, TOP, 0);
}

static void all_do(void (*function)(struct cpu *), unsigned from, unsigned to, const char *name)
{
	u64 rc = 0;

	for (unsigned n = from; n <= to; n++) {
		order[n].rc = 0;
		check(launch(n, function), name);
	}
	for (unsigned n = from; n <= to; n++) {
		check(ended(n), name);
		rc |= order[n].rc;
	}
	check_eq(rc, H_SUCCESS, name);
}

static void test_confer_arguments(void)
{
	static const u64 nobody[] = { 5, 64, 1ull << 31, TOP - 1, 1ull << 32 | 64 };
	u64 rc;

	for (unsigned i = 0; i < sizeof nobody / sizeof nobody[0]; i++)
		check_eq((u64)hcall(H_CONFER, nobody[i], 1), (u64)H_PARAMETER, "confer-to-nobody");
	check_eq((u64)hcall(H_CONFER, TOP, 0), H_SUCCESS, "s9-01-confer-to-all-r3");
	rc = (u64)hcall(H_CONFER, 0xffffffff, 0);
	check(rc == H_SUCCESS || rc == (u64)H_PARAMETER, "confer-to-all-in-32-bits");
}

/* To one that has stopped or ceded: counts fresh and stale. */
static void test_confer_waiting(void)
{
	u32 count = count_of(2);

	check(count % 2 == 1, "a-stopped-one-has-an-odd-count");
	check(begin(1, OUR_MSR, 0, H_CONFER, 2, count), "confer-to-a-stopped-one");
	returns(1, H_SUCCESS, "confer-to-a-stopped-one-comes-back");
	check(begin(1, OUR_MSR, 0, H_CONFER, 3, 0), "confer-to-one-without-a-vpa");
	returns(1, H_SUCCESS, "confer-to-one-without-a-vpa-comes-back");
	for (u64 odd = 1; odd <= 5; odd += 2) {
		check(begin(1, OUR_MSR, 0, H_CONFER, 3, odd), "confer-to-one-without-a-vpa-odd");
		returns(1, H_SUCCESS, "confer-to-one-without-a-vpa-odd-comes-back");
	}
	check(begin(2, OUR_MSR, 0, H_CEDE, 0, 0), "a-ceded-one");
	count = count_of(2);
	check(count % 2 == 1, "a-ceded-one-has-an-odd-count");
	check(begin(1, OUR_MSR, 0, H_CONFER, 2, count), "s9-02-confer-to-a-ceded-one");
	returns(1, H_SUCCESS, "s9-02-confer-to-a-ceded-one-r3");
	gave_up(1, true, "fresh-count-gives-the-processor-up");
	check(begin(1, OUR_MSR, 0, H_CONFER, 2, count - 2), "stale");
	returns(1, H_SUCCESS, "stale-r3");
	gave_up(1, false, "stale-count-does-not");
	check(begin(1, OUR_MSR, 0, H_CONFER, 2, count + 1), "even");
	returns(1, H_SUCCESS, "even-r3");
	gave_up(1, false, "even-count-does-not");
	/* What the guest writes there is not what the hypervisor knows. */
	set(vpa[2] + V_COUNT, 4, count + 1);
	check(begin(1, OUR_MSR, 0, H_CONFER, 2, count), "fooled-even");
	returns(1, H_SUCCESS, "fooled-even-r3");
	gave_up(1, true, "s9-28-own-count-of-a-ceded-one");
	set(vpa[2] + V_COUNT, 4, 77);
	check(begin(1, OUR_MSR, 0, H_CONFER, 2, 77), "fooled-odd");
	returns(1, H_SUCCESS, "fooled-odd-r3");
	gave_up(1, false, "s9-28-not-what-the-guest-wrote");
	check(!finished[2], "it-sleeps-on");
	end_by_prod(2, "a-ceded-one-after-all-this");
	check_eq(count_of(2), count + 2, "own-count-goes-on");
}

static void test_confer_running(void)
{
	u32 count, before;

	step = 0;
	check(launch(2, spinner), "a-running-one");
	count = count_of(2);
	if (exact) {
		check(count % 2 == 0, "a-running-one-has-an-even-count");
		before = count_of(0);
		check_eq((u64)hcall(H_CONFER, 2, count), H_SUCCESS, "confer-even-r3");
		check_eq(count_of(0), before, "confer-to-a-running-one-returns-at-once");
		set(vpa[2] + V_COUNT, 4, count + 1);
		check_eq((u64)hcall(H_CONFER, 2, count + 1), H_SUCCESS, "s9-28-fooled-r3");
		check_eq(count_of(0), before, "s9-28-odd-in-a-running-one's-vpa");
		set(vpa[2] + V_COUNT, 4, count);
		check_eq((u64)hcall(H_CONFER, 2, count - 1), H_SUCCESS, "confer-stale-r3");
		check_eq(count_of(0), before, "confer-stale-to-a-running-one");
		check_eq((u64)hcall(H_CONFER, TOP, 0), H_SUCCESS, "confer-to-all-with-one-r3");
		check_eq(count_of(0), before + 2, "confer-to-all-gives-the-processor-up");
	}
	step = 1;
	check(ended(2), "a-running-one-stopped");
}

static void prods_itself(struct cpu *c)
{
	volatile struct order *o = &order[c->index];

	mtmsrd(OUR_MSR | MSR_EE);		/* an IPI from before */
	mtmsrd(OUR_MSR);
	hcall(H_PROD, c->index);
	o->rc = (u64)hcall(o->call[0], c->index, 0);
	o->took = cede_for(5 * MS);
}

/* With a prod to itself before it the call returns at once, and the bit is used up. */
static void kept_by(u64 number, const char *name)
{
	order[1] = (struct order){ .call = { number } };
	check(launch(1, prods_itself), name);
	if (!check(ends_in(1, 5 * MS + 2 * soon), name))
		hcall(H_PROD, 1);
	check(ended(1), name);
	check_eq(order[1].rc, H_SUCCESS, name);
	check_range(order[1].took, 5 * MS, 5 * MS + soon, name);
}

static void test_confer_self(void)
{
	decs[1] = 0;
	check(begin(1, OUR_MSR, MS, H_CONFER, 1, 0), "confer-self");
	check(!ends_in(1, 10 * MS), "s9-06-confer-self-stays-over-the-decrementer");
	check_eq(decs[1], 0, "s9-06-which-does-not-interrupt");
	check_eq(state_of(1), 2, "confer-self-counts-as-running");
	check(count_of(1) % 2 == 1, "count-odd-while-conferred");
	hcall(H_IPI, 1, 4);
	check(!ends_in(1, 2 * soon), "confer-self-stays-over-an-IPI");
	hcall(H_IPI, 1, 0xff);
	end_by_prod(1, "prod-ends-confer-self");
	gave_up(1, true, "confer-self-is-one-dispatch");
	for (u64 count = 0; count < 6; count++) {
		check(begin(1, OUR_MSR, 0, H_CONFER, 1, count), "confer-self-with-any-count");
		check(!back(1), "count-does-not-matter");
		end_by_prod(1, "any-count-ended");
	}
	decs[1] = 0;
	check(begin(1, OUR_MSR | MSR_EE, 5 * MS, H_CONFER, 1, 0), "confer-self-with-EE");
	check(ends_in(1, 5 * MS + 2 * soon), "decrementer-ends-it-with-EE");
	check(ended(1), "with-EE-ended");
	check_eq(order[1].rc, H_SUCCESS, "with-EE-r3");
	check_eq(decs[1], 1, "with-its-interrupt");
	externals[1] = 0;
	check(begin(1, OUR_MSR | MSR_EE, 0, H_CONFER, 1, 0), "confer-self-with-EE-for-an-IPI");
	check(!back(1), "it-waits");
	hcall(H_IPI, 1, 4);
	returns(1, H_SUCCESS, "IPI-ends-it-with-EE");
	check_eq(externals[1], 1, "with-the-IPI's-interrupt");
	resets[1] = 0;
	check(begin(1, OUR_MSR, 0, H_CONFER, 1, 0), "confer-self-for-a-reset");
	hcall(H_SIGNAL_SYS_RESET, 1);
	returns(1, H_SUCCESS, "reset-ends-confer-self");
	check_eq(resets[1], 1, "with-the-reset");
	kept_by(H_CONFER, "prod-before-confer-self-is-kept");
}

/* ---- H_JOIN ---- */

static void join_by_probe(struct cpu *c)
{
	struct cpu *found = probe(p_call, OUR_MSR, H_JOIN);

	order[c->index].rc = found->r[3];
	order[c->index].after = found->vector;
	order[c->index].before = found->srr0;
	order[c->index].took = found->srr1;
}

static void test_join(void)
{
	struct cpu *c;

	check_eq((u64)hcall(H_JOIN), H_CONTINUE, "join-alone");
	c = probe(p_call, OUR_MSR | MSR_EE, H_JOIN);
	check_eq(c->r[3], (u64)H_BAD_MODE, "join-with-EE");
	check(begin(1, OUR_MSR | MSR_EE, 0, H_JOIN, 0, 0), "join-with-EE-elsewhere");
	returns(1, H_BAD_MODE, "join-with-EE-H_BAD_MODE");
	gave_up(1, false, "join-with-EE-is-no-dispatch");

	decs[1] = externals[1] = 0;
	check(begin(1, OUR_MSR, MS, H_JOIN, 0, 0), "join");
	check(!ends_in(1, 10 * MS), "s9-07-stays-joined-over-the-decrementer");
	check_eq(decs[1], 0, "s9-07-which-does-not-interrupt");
	if (check_eq(state_of(1), 2, "joined-counts-as-running"))
		check(!start_cpu(1, NULL), "and-cannot-be-started");
	hcall(H_IPI, 1, 4);
	check(!back(1), "stays-joined-over-an-IPI");
	hcall(H_IPI, 1, 0xff);
	check_eq((u64)hcall(H_JOIN), H_CONTINUE, "the-last-active-one");
	check(!finished[1], "which-wakes-nobody");
	check(begin(2, OUR_MSR, 0, H_CEDE, 0, 0), "one-cedes");
	check(begin(3, OUR_MSR, 0, H_JOIN, 0, 0), "another-joins");
	check(!back(3), "and-so-does-it");
	/* Of the others, one has ceded: active all the same. This one would join for ever, hence 1 does. */
	end_by_prod(1, "prod-ends-join");
	gave_up(1, true, "join-is-one-dispatch");
	check(begin(1, OUR_MSR, 0, H_JOIN, 0, 0), "joins-again");
	end_by_prod(2, "the-ceded-one-goes");
	check_eq((u64)hcall(H_JOIN), H_CONTINUE, "all-the-others-joined-or-stopped");
	end_by_prod(3, "prod-ends-join-of-another");
	end_by_prod(1, "prod-ends-the-second-join");

	check(launch(1, join_by_probe), "join-for-a-reset");
	spin_for(soon);
	hcall(H_SIGNAL_SYS_RESET, 1);
	check(ended(1), "reset-ends-join");
	check(order[1].after == 0x100 && order[1].before == (u64)p_call_next && order[1].took == OUR_MSR,
	      "as-if-between-the-call-and-the-next-instruction");
	check_eq(order[1].rc, H_SUCCESS, "join-and-reset-r3");
	kept_by(H_JOIN, "prod-before-join-is-kept");
}

/* One joins while another has ceded and the boot processor too: it stays, and the ceded one counts. */
static volatile u64 joined_rc;

static void join_late(struct cpu *c)
{
	(void)c;
	spin_for(4 * soon);			/* until the boot processor has ceded */
	joined_rc = (u64)hcall(H_JOIN);
}

static void test_join_among_ceded(void)
{
	joined_rc = 99;
	check(launch(1, join_late), "join-late");
	cede_for(20 * soon);
	check_eq(joined_rc, 99, "ceded-ones-are-active");
	hcall(H_PROD, 1);
	check(ended(1), "late-one-gone");
	check_eq(joined_rc, H_SUCCESS, "late-one-r3");
}

/* ---- What calls leave alone ---- */

#define EACH(f) f(6) f(7) f(8) f(9) f(10) f(11) f(12) f(13) f(14) f(15) f(16) f(17) f(18) f(19) f(20) f(21) f(22) f(23) f(24) \
	f(25) f(26) f(27) f(28) f(29) f(30) f(31)
#define LI(n) "li " #n ",0x100+" #n "\n\t"
PROBE(p_kill, "lis 0,0x1234\n\tori 0,0,0x5678\n\tmtcr 0\n\tmtctr 0\n\tmtlr 0\n\tlis 0,0x6000\n\tmtxer 0\n\t" LI(0) LI(1) LI(2) EACH(LI),
      "sc 1", "sc");

static bool check_kept(const struct cpu *c, bool only_r3, const u64 args[6], const char *name)
{
	bool kept = c->lr == 0x12345678;

	for (unsigned i = 0; i < 32; i++) {
		u64 want = i >= 3 && i <= 5 ? args[i - 3] : 0x100 + i;

		if (i == 3 || (!only_r3 && (i == 0 || (i >= 4 && i <= 12))))
			continue;
		if (c->r[i] != want)
			kept = false;
	}
	if (only_r3)
		kept &= c->ctr == 0x12345678 && c->cr == 0x12345678 && c->xer == 0x60000000;
	else
		kept &= (c->cr & 0x00fff000) == 0x00345000;
	if (!kept)
		print("# lr %x ctr %x cr %x xer %x\n", c->lr, c->ctr, c->cr, c->xer);
	return check(kept, name);
}

static void kill(u64 number, u64 a, u64 b, const char *name)
{
	const u64 args[6] = { number, a, b };
	struct cpu *c = probe_n(p_kill, OUR_MSR, args);

	check(c->vector == 0xc00 && c->r[3] == H_SUCCESS, name);
	check_kept(c, true, args, name);
}

static u64 floats[8] __attribute__((aligned(16))) = { 0x3ff0000000000000ull, 0x400921fb54442d18ull, 0xc0f0000000000000ull, 0,
						       0x0123456789abcdefull, 0x0fedcba987654321ull };
static u64 floats_after[8] __attribute__((aligned(16)));
PROBE(p_floats, "lfd 0,0(4)\n\tlfd 14,8(4)\n\tlfd 31,16(4)\n\tlvx 2,4,5\n\tlvx 20,4,5\n\tli 4,0x55\n\tmtspr 272,4\n\tmtspr 3,4", "sc 1", "nop");
PROBE(p_floats_out, "", "stfd 0,0(4)\n\tstfd 14,8(4)\n\tstfd 31,16(4)\n\tstvx 2,4,5\n\tstvx 20,4,6\n\tmfspr 7,272\n\tmfspr 8,3", "");

static void test_kept(void)
{
	const u64 args[6] = { H_CEDE, 0, 0 }, fp = OUR_MSR | MSR_FP | MSR_VEC | MSR_VSX;
	struct cpu *c;

	kill(H_PROD, 1, 5, "prod-changes-only-r3");
	kill(H_CONFER, TOP, 5, "confer-to-all-changes-only-r3");
	kill(H_CONFER, 2, count_of(2), "confer-fresh-changes-only-r3");
	kill(H_CONFER, 2, count_of(2) - 2, "confer-stale-changes-only-r3");
	hcall(H_PROD, 0);
	kill(H_CONFER, 0, 5, "confer-self-changes-only-r3");
	mtspr(22, MS);
	c = probe_n(p_kill, OUR_MSR, args);
	mtspr(22, DEC_FAR);
	check(c->vector == 0x900 && c->r[3] == H_SUCCESS, "cede-with-all-registers");
	check_kept(c, false, args, "cede-keeps-r1-r2-r13-r31-LR-CR2-CR4");
	mtspr(22, MS);
	probe(p_floats, fp, H_CEDE, floats, 32);
	mtspr(22, DEC_FAR);
	c = probe(p_floats_out, fp, 0, floats_after, 32, 48);
	check(floats_after[0] == floats[0] && floats_after[1] == floats[1] && floats_after[2] == floats[2], "cede-keeps-FPRs-in-use");
	check(floats_after[4] == floats[4] && floats_after[5] == floats[5] && floats_after[6] == floats[4] && floats_after[7] == floats[5],
	      "cede-keeps-VRs-in-use");
	check(c->r[7] == 0x55 && c->r[8] == 0x55, "cede-keeps-SPRG0-DSCR");
	mtspr(3, 0);
}

/* ---- What time is counted as ---- */

static void test_time(void)
{
	u64 tb, p, s, one, two, three, out[9];
	u32 count = count_of(0);

	for (unsigned i = 0; i < 10; i++)
		cede_for(MS);
	check_eq(count_of(0) - count, 20, "s9-27-ten-cedes-are-twenty");
	count = (u32)get(vpa[0] + V_DISPERSION, 4);
	one = interval(0, 1);
	two = interval(0, 2);
	three = interval(0, 3);
	cede_for(100 * MS);
	check_near(interval(0, 1) - one, 100 * MS, MS, "s9-12-interval-1-over-a-cede");
	check_range(interval(0, 2) - two, 0, MS, "interval-2-over-a-cede");
	check_range(interval(0, 3) - three, 0, MS, "interval-3-over-a-cede");
	if (exact)
		check_eq((u32)get(vpa[0] + V_DISPERSION, 4), count, "always-the-same-processor");

	tb = mftb();
	p = purr();
	s = spurr();
	for (unsigned i = 0; i < 10; i++)
		cede_for(10 * MS);
	tb = mftb() - tb;
	p = purr() - p;
	s = spurr() - s;
	check_range(p, 1, tb / 20, "s9-14-PURR-stands-while-ceded");
	check_range(s, 1, tb / 20, "s9-14-SPURR-stands-while-ceded");
	tb = mftb();
	p = purr();
	s = spurr();
	spin_for(5 * MS);
	tb = mftb() - tb;
	p = purr() - p;
	s = spurr() - s;
	check_near(p, tb, exact ? 200 : MS, "PURR-runs-while-it-runs");
	check_near(s, tb, exact ? 200 : MS, "SPURR-runs-while-it-runs");
	one = (u64)hcall_out(out, H_PURR);
	p = purr();
	check_eq(one, H_SUCCESS, "s9-15-H_PURR");
	check_near(out[0], p, 200, "H_PURR-is-PURR");

	/* Over deregistering and registering anew in cleared memory, no step back. */
	one = interval(0, 1);
	three = interval(0, 3);
	check_eq(reg(VPA_OFF, 0, NULL), H_SUCCESS, "totals-off");
	check_eq(reg(VPA_ON, 0, vpa[0]), H_SUCCESS, "totals-on");
	cede_for(MS);
	check(interval(0, 1) >= one + MS / 2 && interval(0, 3) >= three, "totals-never-step-back");
	one = interval(1, 1);
	check(one > MS, "totals-of-one-that-waited");
	check(launch(1, do_nothing) && ended(1), "totals-over-stop-and-start");
	check(interval(1, 1) >= one, "totals-of-one-that-stopped-never-step-back");
}

/* Last, because it may be lost for good; nothing else has touched it. */
static void test_prod_stopped(void)
{
	check_eq(state_of(4), 0, "never-started");
	check_eq((u64)hcall(H_PROD, 4), H_SUCCESS, "s9-04-prod-a-never-started-one");
	check_eq((u64)hcall(H_PROD, 4), H_SUCCESS, "s9-04-and-again");
	spin_for(soon);
	check_eq(state_of(4), 0, "s9-04-it-is-still-stopped");
	check(launch(4, do_nothing) && ended(4), "s9-04-and-can-be-started");
	check_eq((u64)hcall(H_PROD, 4), H_SUCCESS, "prod-one-that-has-stopped");
	spin_for(soon);
	check_eq(state_of(4), 0, "which-stays-stopped");
	check(launch(4, do_nothing) && ended(4), "and-starts-again");
}

void test(void)
{
	exact = !shared();
	soon = exact ? 100 * US : 60 * MS;
	begin_with_vpas();
	test_cede();
	test_time();
	test_prod();
	test_confer_arguments();
	test_confer_waiting();
	test_confer_running();
	test_confer_self();
	all_do(confers_to_the_other, 1, 2, "two-that-confer-to-each-other");
	all_do(confers_to_all, 1, 3, "three-that-confer-to-all");
	test_join();
	test_join_among_ceded();
	test_kept();
	if (exact)
		check_eq((u64)hcall(H_POLL_PENDING), H_SUCCESS, "nobody-waits-for-this-processor");
	test_prod_stopped();
}

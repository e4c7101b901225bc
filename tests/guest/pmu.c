/* The performance monitor as a guest without HV sees it: what freezes counters, alerts and their interrupt, samples,
 * access from problem state, event-based branches. Power ISA 3.0B, Book III, chapter 9; Book II, chapter 7. */
#include "lib.h"

#define MSR_PMM PPC_BIT(61)
#define USER    (OUR_MSR | MSR_IR | MSR_DR | MSR_PR | MSR_EE)

#define FC      PPC_BIT(32)
#define FCS     PPC_BIT(33)
#define FCP     PPC_BIT(34)
#define FCM1    PPC_BIT(35)
#define FCM0    PPC_BIT(36)
#define PMAE    PPC_BIT(37)
#define FCECE   PPC_BIT(38)
#define TBSEL55 PPC_BIT(40)
#define TBEE    PPC_BIT(41)
#define EBE     PPC_BIT(43)
#define PMCC(n) ((u64)(n) << 18)
#define PMC1CE  PPC_BIT(48)
#define PMCJCE  PPC_BIT(49)
#define TRIGGER PPC_BIT(50)
#define FCPC    PPC_BIT(51)
#define CC56RUN PPC_BIT(55)
#define PMAO    PPC_BIT(56)
#define FC14    PPC_BIT(58)
#define FC56    PPC_BIT(59)
#define FCHV    PPC_BIT(63)
/* Of PMC5. */
#define FC5S    PPC_BIT(36)
#define FC5P0   PPC_BIT(37)
#define FC5M1   PPC_BIT(39)
#define FC5M0   PPC_BIT(40)
#define FC5H    PPC_BIT(42)

#define NEGATIVE 0x80000000ull

#define TABLES 0x1000000ull

/* ---- Problem state, where all is where it is ---- */

static u64 next_table = TABLES;

static u64 *table(u64 bytes)
{
	u64 at = (next_table + bytes - 1) & ~(bytes - 1);

	next_table = at + bytes;
	return memset((void *)at, 0, bytes);
}

/* 64 MiB by pages of 2 MiB; this program is problem state's, too. */
static void build_tables(void)
{
	u64 *processes = table(4096), *root = table(8ull << 13), *middle = table(4096), *last = table(4096);

	for (u64 i = 0; i < 32; i++)
		last[i] = be64(PPC_BIT(0) | PPC_BIT(1) | i << 21 | PPC_BIT(55) | PPC_BIT(56) | (i == 2 ? 0 : 8) | 7);
	middle[0] = be64(PPC_BIT(0) | (u64)last | 9);
	root[0] = be64(PPC_BIT(0) | (u64)middle | 9);
	processes[0] = be64(2ull << 61 | 5ull << 5 | (u64)root | 13);
	sync();
	check_eq((u64)hcall(H_REGISTER_PROC_TBL, 0x1d, processes, 0, 0), H_SUCCESS, "H_REGISTER_PROC_TBL");
}

#define TEN "nop\n\tnop\n\tnop\n\tnop\n\tnop\n\tnop\n\tnop\n\tnop\n\tnop\n\tnop\n\t"
PROBE(p_none, "", "", "");
PROBE(p_ten, "", TEN, "");
PROBE(p_hundred, "", TEN TEN TEN TEN TEN TEN TEN TEN TEN TEN, "");
PROBE(p_stores, "", "std 4,0(3)\n\tnop\n\tstd 4,8(3)\n\tld 4,16(3)\n\tnop\n\tnop\n\tnop\n\tnop", "");
PROBE(p_loop, "li 5,1000\n\tmtctr 5", "bdnz p_loop_at", "");

/* ---- What freezes ---- */

static u64 counted(const char *code, u64 msr, u64 mmcr0, u64 mmcr2)
{
	mtspr(795, FC);
	mtspr(791, 0);
	mtspr(785, mmcr2);
	mtspr(795, mmcr0);
	probe(code, msr);
	mtspr(795, FC);
	return mfspr(791);
}

static u64 ninety(u64 msr, u64 mmcr0, u64 mmcr2)
{
	return counted(p_hundred, msr, mmcr0, mmcr2) - counted(p_ten, msr, mmcr0, mmcr2);
}

static void test_frozen(void)
{
	/* Whether PMC5 counts in problem state and in privileged state with MSR[PMM] off, and in the latter with it on. */
	static const struct { u64 mmcr0, mmcr2; bool problem, privileged, marked; const char *name; } rows[] = {
		{ 0, 0, true, true, true, "nothing" }, { FC, 0, false, false, false, "FC" },
		{ FCS, 0, true, false, false, "FCS" }, { FCP, 0, false, true, true, "FCP" },
		{ FCS | FCP, 0, false, false, false, "FCS-FCP" }, { FCPC, 0, false, true, true, "FCPC" },
		{ FCP | FCPC, 0, true, true, true, "FCP-FCPC" }, { FCM0, 0, false, false, true, "FCM0" },
		{ FCM1, 0, true, true, false, "FCM1" }, { FC56, 0, false, false, false, "FC56" },
		{ FC14, 0, true, true, true, "FC1-4" }, { FCHV, 0, true, true, true, "FCHV" }, { 0, FC5S, true, false, false, "FC5S" },
		{ 0, FC5P0, false, true, true, "FC5P0" }, { 0, FC5M0, false, false, true, "FC5M0" },
		{ 0, FC5M1, true, true, false, "FC5M1" }, { 0, FC5H, true, true, true, "FC5H" },
		{ 0, FC5S << 9, true, true, true, "FC4S" }, { 0, FC5P0 >> 9, true, true, true, "FC6P0" },
	};

	for (unsigned i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		u64 problem = ninety(USER, rows[i].mmcr0, rows[i].mmcr2), privileged = ninety(OUR_MSR, rows[i].mmcr0, rows[i].mmcr2);
		u64 marked = ninety(OUR_MSR | MSR_PMM, rows[i].mmcr0, rows[i].mmcr2);

		check(problem == (rows[i].problem ? 90 : 0) && privileged == (rows[i].privileged ? 90 : 0) && marked == (rows[i].marked ? 90 : 0),
		      rows[i].name);
	}
	/* The system call that ends it is one, the return that begins it is not. */
	check_eq(counted(p_ten, USER, FCS, 0), 12, "problem-state-alone");
	check_eq(counted(p_none, USER, FCS, 0), 2, "two-of-the-probe-itself");
	mtspr(152, 0);
	check_eq(ninety(OUR_MSR, 0, 0), 0, "RUN-off");
	check_eq(ninety(OUR_MSR, CC56RUN, 0), 90, "CC56RUN");
	mtspr(152, 1);
}

/* ---- Alerts ---- */

#define SIER_SIAR (1ull << 22)
#define SIER_SDAR (1ull << 21)
#define SIER_SIPR (1ull << 25)
#define SIER_TYPE(sier) ((sier) >> 15 & 7)

/* PMC n is so far from negative. */
static void set_counter(unsigned n, u64 room)
{
	u64 v = NEGATIVE - room;

	switch (n) {
	case 1: mtspr(787, v); break;
	case 5: mtspr(791, v); break;
	case 6: mtspr(792, v); break;
	}
}

#define CYCLES       0x1e
#define INSTRUCTIONS 0x02
static u64 counted_by_1 = INSTRUCTIONS;

/* Without a model of a core an instruction takes a cycle. */
static bool is_flat(void)
{
	mtspr(792, 0);
	return counted(p_hundred, OUR_MSR, 0, 0) == mfspr(792);
}

/* The counter counts in problem state only. */
static struct cpu *alert_in_problem_state(unsigned n, u64 room, const char *code, u64 mmcr0)
{
	mtspr(795, FC);
	mtspr(785, 0);
	mtspr(787, 0);
	mtspr(791, 0);
	mtspr(792, 0);
	mtspr(798, counted_by_1 << 24);
	set_counter(n, room);
	mtspr(795, mmcr0);
	return probe(code, USER, 0x500000);
}

#define ALL (FCS | PMAE | FCECE | PMC1CE | PMCJCE)

/* By the n-th event, behind an instruction of p_hundred; how many had completed, or 0: it is not as it should be. */
static u64 alert_behind(unsigned counter, u64 n)
{
	struct cpu *c = alert_in_problem_state(counter, n, p_hundred, ALL);
	u64 insns = (c->srr0 - (u64)p_hundred) / 4;
	bool right = c->vector == 0xf00 && insns <= 102 && c->srr1 == USER && c->msr == OUR_MSR;

	right &= mfspr(791) % NEGATIVE == (counter == 5 ? 0 : insns) && mfspr(795) == ((ALL & ~PMAE) | FC | PMAO);
	right &= mfspr(796) == (u64)p_hundred + 4 * insns - 4 && mfspr(784) == (SIER_SIAR | SIER_SIPR);
	return right ? insns : 0;
}

static void test_alert(void)
{
	struct cpu *c;
	bool one = true, five = true, in_order = true, sampled = true;
	u64 last[2] = { 1, 1 };

	for (u64 n = 1; n <= 100; n += n < 20 ? 1 : 9) {
		one &= alert_behind(1, n) == n;
		five &= alert_behind(5, n) == n;
	}
	check(one, "PMC1-at-the-very-instruction");
	check(five, "PMC5-at-the-very-instruction");
	/* A cycle is an instruction, or there are some in one, and some that take several. */
	for (u64 n = 2; n <= 10; n++)
		for (unsigned k = 0; k < 2; k++) {
			u64 insns;

			counted_by_1 = CYCLES;
			insns = alert_behind(k ? 6 : 1, n);
			sampled &= insns != 0;
			in_order &= is_flat() ? insns == n : insns >= last[k];
			last[k] = insns;
		}
	counted_by_1 = INSTRUCTIONS;
	check(sampled, "cycles-SIAR-and-SIER");
	check(in_order, "cycles-in-order");
	check(is_flat() || last[0] > 10, "cycles-of-several-instructions");
	c = alert_in_problem_state(5, 700, p_loop, ALL);
	check_trap(c, 0xf00, p_loop_at, USER, 0, "in-a-loop");
	check(c->ctr == 1000 - 698 && mfspr(796) == (u64)p_loop_at, "at-that-round");

	probe(p_hundred, OUR_MSR);
	check_eq(probe(p_hundred, OUR_MSR)->vector, 0xc00, "EE-0-holds-it");
	check_trap(probe(p_hundred, OUR_MSR | MSR_EE), 0xf00, p_hundred, OUR_MSR | MSR_EE, 0, "it-is-a-level");
	mtspr(795, mfspr(795) & ~PMAO);
	check_eq(probe(p_hundred, OUR_MSR | MSR_EE)->vector, 0xc00, "software-ends-it");
	mtspr(795, FC | PMAO);
	check_trap(probe(p_hundred, OUR_MSR | MSR_EE), 0xf00, p_hundred, OUR_MSR | MSR_EE, 0, "software-begins-it");
	mtspr(795, FC);

	check_eq(alert_in_problem_state(5, 50, p_hundred, ALL & ~PMCJCE)->vector, 0xc00, "PMCjCE-off");
	check_eq(alert_in_problem_state(1, 50, p_hundred, ALL & ~PMC1CE)->vector, 0xc00, "PMC1CE-off");
	check_eq(alert_in_problem_state(1, 50, p_hundred, ALL & ~PMCJCE)->vector, 0xf00, "PMC1CE-alone");
	check_eq(alert_in_problem_state(5, 50, p_hundred, ALL & ~PMC1CE)->vector, 0xf00, "PMCjCE-alone");
	check_eq(alert_in_problem_state(5, 200, p_hundred, ALL)->vector, 0xc00, "not-yet");
	check(mfspr(791) == NEGATIVE - 200 + 102 && !(mfspr(795) & FC), "still-counts");
	check_eq(alert_in_problem_state(5, 50, p_hundred, ALL & ~PMAE)->vector, 0xc00, "PMAE-off");
	check(mfspr(791) == NEGATIVE && mfspr(795) & FC, "FCECE-freezes-without-an-alert");
	check_eq(alert_in_problem_state(5, 50, p_hundred, ALL & ~FCECE)->vector, 0xf00, "FCECE-off");
	check(!(mfspr(795) & FC) && mfspr(791) == NEGATIVE, "no-freeze");
	/* Negative and enabled is a condition, whenever it is. */
	mtspr(795, FC);
	mtspr(791, NEGATIVE + 7);
	mtspr(795, FC | PMAE | PMCJCE);
	check_trap(probe(p_hundred, OUR_MSR | MSR_EE), 0xf00, p_hundred, OUR_MSR | MSR_EE, 0, "negative-already");
	check_eq(mfspr(791), NEGATIVE + 7, "and-frozen");
	mtspr(795, FC);
}

static void test_sample(void)
{
	struct cpu *c;

	alert_in_problem_state(5, 1, p_stores, ALL);
	check(mfspr(796) == (u64)p_stores && mfspr(797) == 0x500000 && mfspr(784) >> 21 == 0x13 && SIER_TYPE(mfspr(784)) == 2, "a-store");
	alert_in_problem_state(5, 4, p_stores, ALL);
	check(mfspr(797) == 0x500010 && mfspr(784) & SIER_SDAR && SIER_TYPE(mfspr(784)) == 1, "a-load");
	alert_in_problem_state(5, 2, p_stores, ALL);
	check(mfspr(797) == 0x500010 && !(mfspr(784) & SIER_SDAR) && !SIER_TYPE(mfspr(784)), "neither");
	/* In privileged state. */
	mtspr(795, FC);
	set_counter(5, 30);
	mtspr(795, FCM0 | PMAE | FCECE | PMCJCE);
	c = probe(p_hundred, OUR_MSR | MSR_PMM | MSR_EE);
	check_trap(c, 0xf00, p_hundred + 4 * 30, OUR_MSR | MSR_PMM | MSR_EE, 0, "marked-process");
	check_eq(mfspr(784), SIER_SIAR, "SIER-of-privileged-state");
	mtspr(795, FC);
}

static __attribute__((noinline)) u64 next_event(void)
{
	mtspr(795, FC | TBEE | TBSEL55 | PMAE);
	while (!(mfspr(795) & PMAO))
		;
	return mftb();
}

static void test_conditions(void)
{
	struct cpu *c;
	u64 a, b;

	/* PMC5 waits for PMC1. */
	alert_in_problem_state(1, 40, p_hundred, FCS | TRIGGER);
	check(mfspr(791) == 102 - 40 && !(mfspr(795) & TRIGGER), "TRIGGER");
	alert_in_problem_state(1, 200, p_hundred, FCS | TRIGGER);
	check(mfspr(791) == 0 && mfspr(795) & TRIGGER, "TRIGGER-waits");
	c = alert_in_problem_state(1, 40, p_hundred, ALL | TRIGGER);
	check(c->vector == 0xf00 && !(mfspr(795) & (TRIGGER | FC)), "TRIGGER-alert-does-not-freeze");
	mtspr(795, FC);

	/* Bit 55 turns on every 512 ticks; when it does, it is off and on for half of that. The first time the loop itself may
	 * have to come from memory. */
	next_event();
	a = mftb();
	b = next_event();
	check(b - a < 520 && (b >> 8 & 1) && (b & 255) < 16, "timebase-event");
	a = next_event();
	check(a - b > 490 && a - b < 530, "512-ticks-later");
	mtspr(795, FC);
}

/* ---- Problem state's own ---- */

PROBE(p_rd, "", "mfspr 3,775", "");
PROBE(p_rd1, "", "mfspr 3,771", "");
PROBE(p_wr, "", "mtspr 775,3", "");
PROBE(p_wr1, "", "mtspr 771,3", "");
PROBE(p_priv, "", "mfspr 3,791", "");
PROBE(p_between, "", "mfspr 3,775\n\tnop\n\tmfspr 4,775\n\tnop\n\tnop\n\tmfspr 5,775", "");

static void test_access(void)
{
	static const struct { u64 pmcc, rd, rd1, wr, wr1; const char *name; } rows[] = {
		{ 0, 0xc00, 0xc00, 0x700, 0x700, "PMCC-0" }, { 1, 0xf60, 0xf60, 0xf60, 0xf60, "PMCC-1" },
		{ 2, 0xc00, 0xc00, 0xc00, 0xc00, "PMCC-2" }, { 3, 0xf60, 0xc00, 0xf60, 0xc00, "PMCC-3" },
	};
	struct cpu *c;

	for (unsigned i = 0; i < 4; i++) {
		mtspr(795, FC | PMCC(rows[i].pmcc));
		check(probe(p_rd, USER)->vector == rows[i].rd && probe(p_rd1, USER)->vector == rows[i].rd1 &&
		      probe(p_wr, USER)->vector == rows[i].wr && probe(p_wr1, USER)->vector == rows[i].wr1, rows[i].name);
	}
	check_eq(probe(p_priv, USER)->vector, 0x700, "privileged-number");
	mtspr(795, FCS);
	c = probe(p_between, USER);
	check(c->r[4] - c->r[3] == 2 && c->r[5] - c->r[4] == 3, "reads-are-exact");
	mtspr(795, FC);
}

/* ---- Event-based branches ---- */

#define BESCR_GE   PPC_BIT(0)
#define BESCR_PME  PPC_BIT(31)
#define BESCR_PMEO PPC_BIT(63)

/* The handler notes where it came from and that it was here, clears PMAO and PMEO, makes room for 50 more, returns. */
PROBE(p_ebb, "li 9,0\n\tli 8,0", TEN TEN TEN TEN TEN TEN TEN TEN TEN TEN, "");
PROBE(p_enable, "li 9,0", "mtspr 800,5\n\tnop", "nop");
extern char ebb_handler[], ebb_thrice[];
/* Leaves PMEO on until the third time. */
__asm__(".text\n.balign 4\nebb_thrice:\n\tmfspr 7,805\n\taddi 9,9,1\n\tcmpwi 9,3\n\tblt 1f\n\tmtspr 802,4\n1:\t.long 0x4c000924\n");
__asm__(".text\n.balign 4\nebb_handler:\n\tmfspr 7,805\n\taddi 9,9,1\n\tmfspr 10,806\n\tcmpwi 9,1\n\tbne 1f\n\tmr 6,7\n"
	"1:\tmtspr 771,3\n\tmtspr 802,4\n\tmtspr 800,5\n\tmtspr 779,11\n\t.long 0x4c000924\n");	/* rfebb 1 */

static void test_ebb(void)
{
	struct cpu *c;
	u64 mmcr0 = FCS | EBE | PMCC(2) | FCECE | PMAE | PMC1CE;

	mtspr(153, PPC_BIT(63 - 7));
	mtspr(798, 2ull << 24);
	mtspr(804, ebb_handler);
	mtspr(806, BESCR_GE | BESCR_PME);
	mtspr(795, FC);
	mtspr(787, NEGATIVE - 32);
	mtspr(795, mmcr0);
	c = probe(p_ebb, USER, NEGATIVE + 1000, BESCR_PMEO, 0, 0);
	check_eq(c->vector, 0xc00, "no-interrupt");
	check_eq(c->r[6], (u64)p_ebb_at + 4 * 30, "branch-at-the-instruction");
	check_eq(c->r[10] & (BESCR_GE | BESCR_PME | BESCR_PMEO), BESCR_PMEO, "GE-and-PME-off-PMEO-on");
	mtspr(795, FC);

	/* In privileged state it waits. */
	mtspr(806, BESCR_GE | BESCR_PMEO);
	c = probe(p_hundred, OUR_MSR | MSR_EE);
	check(c->vector == 0xc00 && mfspr(806) == (BESCR_GE | BESCR_PMEO), "not-in-privileged-state");
	mtspr(795, FC | PMCC(2));
	c = probe(p_ebb, USER, 0, BESCR_PMEO, 0);
	check(c->vector == 0xc00 && mfspr(805) == (u64)p_ebb, "waits-for-problem-state");
	/* The program itself lets it in; the return from one lets the next one in. */
	mtspr(804, ebb_thrice);
	mtspr(806, BESCR_PMEO);
	c = probe(p_enable, USER, 0, BESCR_PMEO, BESCR_GE);
	check(c->vector == 0xc00 && c->r[7] == (u64)p_enable_at + 4, "GE-lets-it-in");
	check_eq(c->r[9], 3, "rfebb-lets-it-in-again");
	mtspr(153, 0);
	mtspr(806, BESCR_GE | BESCR_PMEO);
	probe(p_hundred, USER);
	check_eq(mfspr(806), BESCR_GE | BESCR_PMEO, "not-without-the-facility");
	mtspr(806, 0);
	mtspr(795, FC);
}

void test(void)
{
	build_tables();
	mtspr(22, 0x7fffffff);
	mtspr(152, 1);
	check_eq(mfspr(795), FC, "frozen-at-first");
	test_frozen();
	test_alert();
	test_sample();
	test_conditions();
	test_access();
	test_ebb();
}

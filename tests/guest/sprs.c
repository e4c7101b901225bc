/* Every SPR number, read and written in privileged and in problem state: what is there by the architecture, on the model that
 * runs it, and what the others do; and instructions that differ by generation. With "power8" or "power9" in -append, PCR keeps from
 * problem state what came later.
 * Power ISA 2.07, 3.0B, 3.1, Book III, figure "SPR encodings". */
#include "identity.h"
#include "lib.h"
#include "splpar.h"

#define USER (OUR_MSR | MSR_IR | MSR_DR | MSR_PR | MSR_EE)
#define ILLEGAL PPC_BIT(44)
#define PRIV    PPC_BIT(45)
#define TABLES  0x1000000ull
#define TLBSYNC 0x7c00046c
#define MAGIC   0x123456789abcdef0ull
#define ALL     (~0ull)
#define WORD    0xffffffffull

/* What an access does: y works, - finds nothing there, h is the hypervisor's, f needs a facility that is off. Of a register
 * that keeps bits, those come back when all ones are written. */
enum { P8 = 1, P9 = 2, P10 = 4, P8_9 = P8 | P9, P9_10 = P9 | P10, ANY = P8 | P9 | P10 };
static const struct row {
	u16 number;
	u8 on;
	char problem[3], privileged[3];
	u64 keeps;
} rows[] = {
	{ 1, P8, "yy", "yy", 0xe000007f }, { 1, P9_10, "yy", "yy", 0xe00c007f }, { 3, ANY, "yy", "yy", ALL }, { 8, ANY, "yy", "yy", 0 },
	{ 9, ANY, "yy", "yy", 0 }, { 13, ANY, "yy", "yy", 0 }, { 17, ANY, "", "yy", ALL }, { 18, ANY, "", "yy", WORD }, { 19, ANY, "", "yy", ALL },
	{ 22, ANY, "", "yy", 0 }, { 25, P8, "", "hh", 0 }, { 26, ANY, "", "yy", 0 }, { 27, ANY, "", "yy", 0 }, { 28, ANY, "", "yy", ALL },
	{ 29, ANY, "", "yy", 0 }, { 31, P8, "", "yy", ALL }, { 48, ANY, "", "yy", WORD }, { 61, ANY, "", "yy", 0 },
	{ 128, P8_9, "ff", "ff", 0 }, { 129, P8_9, "ff", "ff", 0 }, { 130, P8_9, "ff", "ff", 0 }, { 131, P8_9, "ff", "ff", 0 },
	{ 136, ANY, "y-", "y-", 0 }, { 144, P9, "", "yy", ALL }, { 152, ANY, "", "-y", 0 },
	{ 153, P8, "", "yy", 0xff00000000000184 }, { 153, P9, "", "yy", 0xff00000000001184 }, { 153, P10, "", "yy", 0xff00000000003184 },
	{ 157, ANY, "", "yy", ALL }, { 159, ANY, "", "yy", 1 }, { 176, ANY, "", "yh", 0 }, { 180, ANY, "", "hh", 0 }, { 181, P10, "", "hh", 0 },
	{ 186, ANY, "", "hh", 0 }, { 187, ANY, "", "hh", 0 }, { 188, ANY, "", "hh", 0 }, { 189, P10, "", "hh", 0 }, { 190, ANY, "", "hh", 0 },
	{ 256, ANY, "yy", "yy", WORD }, { 259, ANY, "y-", "y-", 0 }, { 268, ANY, "y-", "y-", 0 }, { 269, ANY, "y-", "y-", 0 },
	{ 272, ANY, "", "yy", ALL }, { 273, ANY, "", "yy", 0 }, { 274, ANY, "", "yy", 0 }, { 275, ANY, "", "yy", 0 }, { 276, ANY, "", "hh", 0 },
	{ 277, ANY, "", "hh", 0 }, { 284, ANY, "", "hh", 0 }, { 285, ANY, "", "hh", 0 }, { 286, ANY, "", "hh", 0 }, { 287, ANY, "", "y-", 0 },
	{ 304, ANY, "", "hh", 0 }, { 305, ANY, "", "hh", 0 }, { 306, ANY, "", "hh", 0 }, { 307, ANY, "", "hh", 0 }, { 308, ANY, "", "yh", 0 },
	{ 309, ANY, "", "yh", 0 }, { 310, ANY, "", "hh", 0 }, { 312, P8, "", "hh", 0 }, { 313, ANY, "", "hh", 0 }, { 314, ANY, "", "hh", 0 },
	{ 315, ANY, "", "hh", 0 }, { 316, ANY, "", "hh", 0 }, { 317, ANY, "", "hh", 0 }, { 318, ANY, "", "hh", 0 }, { 319, ANY, "", "hh", 0 },
	{ 336, ANY, "", "hh", 0 }, { 337, ANY, "", "hh", 0 }, { 338, ANY, "", "hh", 0 }, { 339, ANY, "", "hh", 0 }, { 349, ANY, "", "hh", 0 },
	{ 446, ANY, "", "y-", 0 }, { 455, P10, "y-", "y-", 0 }, { 464, P9_10, "", "hh", 0 }, { 468, P10, "", "yy", ALL }, { 469, P10, "", "hh", 0 },
	{ 471, P10, "", "hh", 0 }, { 496, P9_10, "", "hh", 0 }, { 497, P9_10, "", "hh", 0 }, { 505, P9_10, "", "hh", 0 }, { 506, P9_10, "", "hh", 0 },
	{ 507, P9_10, "", "hh", 0 }, { 511, P9_10, "", "hh", 0 },
	{ 736, P10, "y-", "yy", ALL }, { 737, P10, "y-", "yy", ALL }, { 738, P10, "yy", "yy", ALL }, { 752, P10, "", "yy", ALL },
	{ 753, P10, "", "yy", ALL }, { 754, P10, "", "yy", ALL },
	{ 768, ANY, "y-", "yy", ALL }, { 769, ANY, "yy", "yy", 0 }, { 770, ANY, "y-", "yy", 0 }, { 771, ANY, "yy", "yy", WORD },
	{ 772, ANY, "yy", "yy", WORD }, { 773, ANY, "yy", "yy", WORD }, { 774, ANY, "yy", "yy", WORD }, { 775, ANY, "yy", "yy", WORD },
	{ 776, ANY, "yy", "yy", WORD }, { 779, ANY, "yy", "yy", 0 }, { 780, ANY, "y-", "yy", ALL }, { 781, ANY, "y-", "yy", ALL },
	{ 782, ANY, "y-", "yy", 0 }, { 784, ANY, "", "yy", ALL }, { 785, ANY, "", "yy", 0 }, { 786, ANY, "", "yy", 0 },
	{ 787, ANY, "", "yy", WORD }, { 788, ANY, "", "yy", WORD }, { 789, ANY, "", "yy", WORD }, { 790, ANY, "", "yy", WORD },
	{ 791, ANY, "", "yy", WORD }, { 792, ANY, "", "yy", WORD }, { 795, ANY, "", "yy", 0 }, { 796, ANY, "", "yy", ALL },
	{ 797, ANY, "", "yy", ALL }, { 798, ANY, "", "yy", 0 },
	{ 800, ANY, "yy", "yy", 0 }, { 801, ANY, "yy", "yy", 0 }, { 802, ANY, "yy", "yy", 0 }, { 803, ANY, "yy", "yy", 0 }, { 804, ANY, "yy", "yy", ALL },
	{ 805, ANY, "yy", "yy", ALL }, { 806, ANY, "yy", "yy", 0 },
	{ 808, ANY, "nn", "nn", 0 }, { 809, ANY, "nn", "nn", 0 }, { 810, ANY, "nn", "nn", 0 }, { 811, ANY, "nn", "nn", 0 },	/* no-ops */
	{ 812, P10, "y-", "y-", 0 }, { 815, ANY, "yy", "yy", ALL }, { 816, P9_10, "", "hh", 0 }, { 823, P9_10, "", "yy", 0xf0000000000003ff },
	{ 828, P10, "", "yy", ALL }, { 848, ANY, "", "yh", 0 }, { 849, ANY, "", "yh", 0 }, { 850, P9_10, "", "hh", 0 }, { 851, P9_10, "", "hh", 0 },
	{ 853, P9_10, "", "hh", 0 }, { 855, P9_10, "", "hh", 0 }, { 884, ANY, "", "hh", 0 }, { 885, ANY, "", "hh", 0 }, { 888, P8, "", "yy", ALL },
	{ 889, P8, "", "yy", ALL }, { 890, P8, "", "yy", ALL }, { 892, P8, "", "yy", WORD }, { 893, P8, "", "yy", WORD }, { 894, P8, "", "yy", ALL },
	{ 895, P8_9, "", "yy", ALL }, { 896, ANY, "yy", "yy", 4ull << 50 }, { 898, ANY, "yy", "yy", 4ull << 18 }, { 921, ANY, "", "hh", 0 },
	{ 922, ANY, "", "hh", 0 }, { 1008, ANY, "", "hh", 0 }, { 1023, ANY, "", "y-", 0 },
};

/* What problem state may use only with a bit of FSCR, or MMCR0[PMCC], and the cause. */
static const struct { u16 first, last; u8 cause; } facilities[] = {
	{ 3, 3, 2 }, { 736, 738, 3 }, { 768, 776, 3 }, { 779, 782, 3 }, { 800, 806, 7 }, { 815, 815, 8 },
};

static u8 model, known;		/* what it is, and the generations whose novelties problem state has */
static u32 code[2];

static void find_model(void)
{
	u64 version = mfspr(287) >> 16;

	model = version == 0x4d ? P8 : version == 0x4e ? P9 : version == 0x80 ? P10 : 0;
	check(model != 0, "a-model-with-a-list");
	known = 2 * model - 1;
	if (property("/chosen", "bootargs") > 0)
		known = same_text((const char *)property_room, "power8", 6) ? P8 : P8_9;
}

static const struct row *find(unsigned n)
{
	for (unsigned i = 0; i < sizeof rows / sizeof rows[0]; i++)
		if (rows[i].number == n && rows[i].on & model)
			return &rows[i];
	return NULL;
}

static struct cpu *access(unsigned n, bool write, u64 msr, u64 value)
{
	put_insn(&code[0], (write ? 0x7c6003a6 : 0x7c6002a6) | (n & 31) << 16 | (n >> 5) << 11);
	put_insn(&code[1], 0x44000002);		/* sc */
	return probe(code, msr, value);
}

/* What became of it, by those letters; and i: no such instruction, p: privileged, n: nothing has happened. */
static char outcome(const struct cpu *c, bool write)
{
	if (c->vector == 0xc00)
		return write ? 'y' : c->r[3] == MAGIC ? 'n' : 'y';
	if (c->vector == 0xf60)
		return 'f';
	if (c->vector != 0x700 || c->srr0 != (u64)code)
		return '?';
	return c->srr1 & PRIV ? 'p' : c->srr1 & ILLEGAL ? 'i' : '?';
}

static char wanted(unsigned n, bool write, bool problem)
{
	const struct row *row = find(n);
	/* Registers of POWER8 are there for who may use POWER8's: of the processor's own kind (XER). */
	char letter = !row || (problem && !((row->on | (n == 1 ? P8 : 0)) & known)) ? '-' : problem ? (row->problem[0] ? row->problem[write] : '-') : row->privileged[write];

	if (letter == 'h')
		return 'p';
	if (letter == 'n')
		return write ? 'y' : 'n';
	if (letter != '-')
		return letter;
	if (problem)
		return n & 0x10 ? 'p' : 'i';
	if (n == 0 || (!write && n >= 4 && n <= 6))
		return 'i';
	return write ? 'y' : 'n';
}

static bool wrong(unsigned n, bool write, bool problem, char got, char want)
{
	if (got == want)
		return false;
	print("FAIL SPR %u: %s in %s state", n, write ? "write" : "read", problem ? "problem" : "privileged");
	print(" is %s, should be %s\n", (char[2]){ got }, (char[2]){ want });
	return true;
}

/* A write puts back what was there. Of 152, which nobody can read, it says that the processor runs. */
static unsigned sweep(bool problem)
{
	u64 msr = problem ? USER : OUR_MSR;
	unsigned bad = 0;

	for (unsigned n = 0; n < 1024; n++) {
		struct cpu *c = access(n, false, OUR_MSR, MAGIC);
		u64 there = n == 152 ? 1 : c->vector == 0xc00 ? c->r[3] : MAGIC;
		char got = problem ? outcome(access(n, false, msr, MAGIC), false) : outcome(c, false);

		bad += wrong(n, false, problem, got, wanted(n, false, problem));
		got = outcome(access(n, true, msr, there), true);
		bad += wrong(n, true, problem, got, wanted(n, true, problem));
	}
	return bad;
}

static void test_keeps(void)
{
	for (unsigned i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		u64 there, kept;
		unsigned n = rows[i].number;

		if (!rows[i].keeps || !(rows[i].on & model))
			continue;
		there = access(n, false, OUR_MSR, MAGIC)->r[3];
		access(n, true, OUR_MSR, ALL);
		kept = access(n, false, OUR_MSR, MAGIC)->r[3];
		access(n, true, OUR_MSR, there);
		if (kept != rows[i].keeps)
			print("SPR %u:", n);
		check_eq(kept, rows[i].keeps, "kept-bits");
	}
}

/* ---- Facilities that are off ---- */

static void test_facilities(void)
{
	unsigned bad = 0;

	mtspr(153, 0);
	mtspr(795, 0x80000000ull | 1 << 18);	/* PMCC 1: no access */
	for (unsigned i = 0; i < sizeof facilities / sizeof facilities[0]; i++) {
		for (unsigned n = facilities[i].first; n <= facilities[i].last; n++) {
			const struct row *row = find(n);
			struct cpu *c;

			if (!row || !(row->on & known))
				continue;
			mtspr(153, 0);
			c = access(n, false, USER, MAGIC);
			bad += c->vector != 0xf60 || mfspr(153) >> 56 != facilities[i].cause;
		}
	}
	check_eq(bad, 0, "facilities-that-are-off");
}

/* ---- Program priorities. Book II, 3.1; Book III, 4.3.6 and 4.3.7 ---- */

/* What each state gets that asks for 0 to 7. In problem state medium high is there while PSPB is not 0. */
static void test_priorities(bool problem, u64 boost, const char gets[9])
{
	static const u32 ors[8] = { 0, 31, 1, 6, 2, 5, 3, 7 };
	u64 msr = problem ? USER : OUR_MSR;
	unsigned bad = 0;

	mtspr(159, boost);
	for (u64 wanted = 0; wanted < 8; wanted++) {
		const u64 before = wanted == 3 ? 2 : 3, get = gets[wanted] == '-' ? before : (u64)gets[wanted] - '0';

		mtspr(896, before << 50);
		access(896, true, msr, wanted << 50 | 77);
		bad += mfspr(896) != get << 50;
		mtspr(896, before << 50);
		access(898, true, msr, wanted << 18 | 77);
		bad += mfspr(896) != get << 50;
		mtspr(896, before << 50);
		put_insn(&code[0], 0x7c000378 | ors[wanted] << 21 | ors[wanted] << 16 | ors[wanted] << 11);
		put_insn(&code[1], 0x44000002);
		probe(code, msr, MAGIC);
		bad += wanted && mfspr(896) != get << 50;	/* or 0,0,0 is another hint */
	}
	check_eq(bad, 0, problem ? boost ? "priorities-with-boost" : "priorities-of-problem-state" : "priorities");
}

/* Who comes to problem state with medium high keeps it while it may. */
static void test_boost(void)
{
	for (u64 boost = 0; boost < 2; boost++) {
		mtspr(159, boost);
		mtspr(896, 5ull << 50);
		check_eq(access(896, false, USER, MAGIC)->r[3], (boost ? 5ull : 4) << 50, "medium-high-in-problem-state");
	}
	mtspr(159, 0);
	mtspr(896, 4ull << 50);
}

/* ---- Instructions ---- */

static void test_instructions(void)
{
	static const struct { u32 word; u8 on; char privileged, problem; const char *name; } words[] = {
		{ 0x4c000324, P8, 'p', 'p', "doze" }, { 0x4c000364, P8, 'p', 'p', "nap" }, { 0x4c0003a4, P8, 'p', 'p', "sleep" },
		{ 0x4c0003e4, P8, 'p', 'p', "rvwinkle" }, { 0x4c0002e4, P9_10, 'p', 'p', "stop" }, { 0x7c0006a4, P9_10, 'p', 'p', "slbiag" },
		{ 0x7c0006ec, P9_10, 'p', 'p', "msgsync" }, { 0x7c80062a, ANY, 'p', 'p', "lwzcix" }, { 0x7c0007ea, ANY, 'p', 'p', "stdcix" },
		{ TLBSYNC, P8, 'p', 'p', "tlbsync-2.07" }, { TLBSYNC, P9_10, 'y', 'p', "tlbsync" },
		{ 0x7c00051d, P8_9, 'f', 'f', "tbegin." }, { 0x7c00055d, P8_9, 'f', 'f', "tend." }, { 0x7c0007dd, P8_9, 'f', 'p', "trechkpt." },
		{ 0x7c00003c, P9_10, 'y', 'y', "wait" }, { 0x7c20003c, P10, 'y', 'y', "waitrsv" }, { 0x7c40003c, P10, 'y', 'y', "pause_short" },
		{ 0x7c60003c, 0, 'y', 'y', "wait-3" }, { 0x7c01003c, P9, 'y', 'y', "wait-0,1" }, { 0x7c21003c, 0, 'y', 'y', "wait-1,1" },
		{ 0x7c41003c, P10, 'y', 'y', "wait-2,1" }, { 0x7c43003c, P10, 'y', 'y', "wait-2,3" },
		{ 0x7c0004ac, ANY, 'y', 'y', "hwsync" }, { 0x7c2004ac, ANY, 'y', 'y', "lwsync" }, { 0x7c4004ac, ANY, 'y', 'y', "ptesync" },
		{ 0x7c8004ac, ANY, 'y', 'y', "phwsync" }, { 0x7ca004ac, ANY, 'y', 'y', "plwsync" }, { 0x7c2104ac, ANY, 'y', 'y', "stncisync" },
		{ 0x7c0204ac, ANY, 'y', 'y', "stcisync" }, { 0x7c0304ac, ANY, 'y', 'y', "stsync" },
		/* 0,r4: address 0. */
		{ 0x7c0020ac, ANY, 'y', 'y', "dcbf" }, { 0x7c2020ac, ANY, 'y', 'y', "dcbfl" }, { 0x7c6020ac, ANY, 'y', 'y', "dcbflp" },
		{ 0x7c8020ac, ANY, 'y', 'y', "dcbfps" }, { 0x7cc020ac, ANY, 'y', 'y', "dcbstps" },
		{ 0x7c00068c, P9_10, 'y', 'y', "cpabort" }, { 0x7c600100, P9_10, 'y', 'y', "setb" }, { 0x4c600004, P9_10, 'y', 'y', "addpcis" },
		{ 0x7c6105e6, P9_10, 'y', 'y', "darn" },
		/* A POWER8 takes them for mffs, and who appears as one. */
		{ 0xfc61048e, ANY, 'y', 'y', "mffsce" }, { 0xfc74048e, ANY, 'y', 'y', "mffscdrn" }, { 0xfc75048e, ANY, 'y', 'y', "mffscdrni" },
		{ 0xfc76048e, ANY, 'y', 'y', "mffscrn" }, { 0xfc77048e, ANY, 'y', 'y', "mffscrni" }, { 0xfc78048e, ANY, 'y', 'y', "mffsl" },
	};
	unsigned bad = 0;

	for (unsigned i = 0; i < sizeof words / sizeof words[0]; i++) {
		for (unsigned problem = 0; problem <= (model != P8); problem++) {
			bool there = words[i].on & model && (!problem || words[i].on & known);
			char want = !there ? 'i' : problem ? words[i].problem : words[i].privileged, got;

			if (!there && words[i].word == TLBSYNC)
				continue;	/* the other row is about it */
			put_insn(&code[0], words[i].word);
			put_insn(&code[1], 0x44000002);
			got = outcome(probe(code, (problem ? USER : OUR_MSR) | MSR_FP, MAGIC), true);
			if (got == want)
				continue;
			bad++;
			print("FAIL %s in %s state", words[i].name, problem ? "problem" : "privileged");
			print(" is %s, should be %s\n", (char[2]){ got }, (char[2]){ want });
		}
	}
	check_eq(bad, 0, "instructions-of-the-generation");
}

void test(void)
{
	u64 before, after;

	find_model();
	check_eq(sweep(false), 0, "privileged-state");
	test_keeps();
	test_priorities(false, 0, "-123456-");
	__asm__ volatile("mfspr %0,848\n\tnop\n\tnop\n\tmfspr %1,848" : "=r"(before), "=r"(after));
	check_eq(after - before, 3, "IC-counts");
	if (model != P8) {		/* which has no radix MMU */
		map_identity(TABLES);
		mtspr(153, ALL);
		mtspr(795, 0x80000000ull | 2 << 18);	/* PMCC 2: all access */
		check_eq(sweep(true), 0, "problem-state");
		test_facilities();
		test_priorities(true, 0, "-12344--");
		test_priorities(true, 1, "-12345--");
		test_boost();
	}
	test_instructions();
}

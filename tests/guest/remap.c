/* Pages that move while a timing model remembers where they were: by another process table, by tlbie, and by a reset.
 *
 * snapshot/remapped saves and loads it in between, and holds the run that goes on to be the same. What one sees here is
 * that the right page is read and executed each time. */
#include "lib.h"

#define VALID PPC_BIT(0)
#define LEAF  PPC_BIT(1)
#define REF   PPC_BIT(55)
#define CHG   PPC_BIT(56)
#define BITS  (VALID | LEAF | REF | CHG | 15)	/* privileged, read, write, execute */

#define TABLES 0x1000000ull
#define FRAMES 0x2000000ull
#define APART  0x100000ull	/* from the pages of one side to those of the other */
#define EA     0x40000000ull
#define PAGES  64u		/* as many as a model knows by heart */
#define PAGE   0x1000u
#define LINES  4u		/* that are read of each */

#define DATA_ON (OUR_MSR | MSR_DR)
#define BOTH_ON (OUR_MSR | MSR_IR | MSR_DR)

static u64 *prtb[2], *leaves[2];

/* r3: address, r4: pages; r5: what the last line read holds. */
PROBE(p_sweep, "mtctr 4", "lbz 5,0(3)", "lbz 5,128(3)\n\tlbz 5,256(3)\n\tlbz 5,384(3)\n\taddi 3,3,4096\n\tbdnz p_sweep_at");

static void set(u64 *p, u64 v) { *(volatile u64 *)p = be64(v); }

static u64 *table(u64 at, u64 bytes) { return memset((void *)at, 0, bytes); }

static u64 frame(unsigned side, unsigned page) { return FRAMES + side * APART + page * PAGE; }

static void map(unsigned table, unsigned page, unsigned side)
{
	set(&leaves[table][page], BITS | frame(side, page));
	sync();
}

/* Facts said before the reset would not be counted after it. */
static void moved(bool fact, const char *how)
{
	print("moved by %s\n", how);
	if (!fact)
		panic(how);
}

/* A tree for process 0: this program where it is, and the pages. */
static void new_tree(unsigned side)
{
	u64 at = TABLES + side * APART;
	u64 *root = table(at, 0x10000), *second = table(at + 0x10000, PAGE), *low = table(at + 0x11000, PAGE), *high = table(at + 0x12000, PAGE);

	leaves[side] = table(at + 0x13000, PAGE);
	prtb[side] = table(at + 0x14000, PAGE);
	set(&prtb[side][0], 2ull << 61 | 5ull << 5 | at | 13);
	set(&root[0], VALID | (u64)second | 9);
	set(&second[0], VALID | (u64)low | 9);
	set(&second[1], VALID | (u64)high | 9);
	set(&high[0], VALID | (u64)leaves[side] | 9);
	for (unsigned i = 0; i < 8; i++)
		set(&low[i], BITS | (u64)i << 21);
	for (unsigned page = 0; page < PAGES; page++) {
		memset((void *)frame(side, page), 0x10 + (int)side, PAGE);
		put_insn((void *)(frame(side, page) + 0x800), 0x38600040 | side);	/* li r3,0x40 and which side */
		put_insn((void *)(frame(side, page) + 0x804), 0x4e800020);		/* blr */
		map(side, page, side);
	}
}

static bool sees(unsigned side)
{
	bool data = probe(p_sweep, DATA_ON, EA, PAGES)->r[5] == 0x10 + side;

	return probe((void *)(EA + 0x800), BOTH_ON)->r[3] == 0x40 + side && data;
}

static void test_tables(void)
{
	for (unsigned i = 0; i < 6; i++) {
		u64 rc = (u64)hcall(H_REGISTER_PROC_TBL, 0x1d, prtb[i & 1], 0, 0);

		moved(rc == H_SUCCESS && sees(i & 1) && sees(i & 1), "another process table");
	}
}

#define TLBIE(op) __asm__ volatile("ptesync\n\t" op " %0,%1,0,1,1\n\tptesync" : : "r"(EA + page * PAGE), "r"(0ull) : "memory")

static void test_entries(void)
{
	for (unsigned i = 0; i < 4; i++) {
		for (u64 page = 0; page < PAGES; page++) {
			map(1, (unsigned)page, i & 1);
			if (i < 2)
				TLBIE("tlbie");
			else
				TLBIE("tlbiel");
		}
		moved(sees(i & 1) && sees(i & 1), i < 2 ? "tlbie" : "tlbiel");
	}
}

/* After the reset there is no process table but the hash MMU, without a segment: the pages are nowhere, and cost nothing. */
static void test_reset(void)
{
	mtspr(22, 0x7fffffff);
	for (unsigned i = 0; i < PAGES; i++)
		check_trap(probe(p_sweep, DATA_ON, EA + i * PAGE, 1), 0x380, p_sweep_at, DATA_ON, 0, "nowhere-after-a-reset");
}

#define FIRST_BOOT 512000ull	/* ticks: it is over long before */

void test(void)
{
	if (mftb() > FIRST_BOOT) {
		test_reset();
		return;
	}
	mtspr(22, 0x7fffffff);
	new_tree(0);
	new_tree(1);
	test_tables();
	test_entries();
	while (mftb() < FIRST_BOOT)
		;
	sees(1);
	rtas(0x2004, 0, 1, NULL, NULL);		/* system-reboot */
}

/* What instructions do that differ by generation in more than being there, or depend on registers of one generation: copy and
 * paste., DSISR at alignment interrupts, hashst and hashchk, transactional memory. In privileged state, and in problem state where all is where it is. With anything in -append, PCR
 * keeps from POWER10's problem state what came after POWER9.
 * Power ISA 2.07, 3.0B, 3.1. */
#include "identity.h"
#include "lib.h"
#include "splpar.h"

#define USER (OUR_MSR | MSR_IR | MSR_DR | MSR_PR | MSR_EE)
#define TRAP   PPC_BIT(46)
#define TABLES 0x1000000ull
#define BLOCK  128

enum { P8 = 8, P9 = 9, P10 = 10 };
static unsigned model;
static u64 msr;			/* of the probes */
static u8 from[2 * BLOCK] __attribute__((aligned(BLOCK))), to[2 * BLOCK] __attribute__((aligned(BLOCK)));

/* By PCR, from what came after POWER9. */
static bool restrained(void) { return msr & MSR_PR && property("/chosen", "bootargs") > 0; }

/* ---- Copy and paste. Book II, 4.4 ---- */

#define COPY  ".long 0x7c201e0c"	/* copy 0,r3 */
#define PASTE ".long 0x7c20270d"	/* paste. 0,r4,1 */
#define PASTE_0 ".long 0x7c00270d"	/* paste. 0,r4,0 */
PROBE(p_copy, "", COPY, "");
PROBE(p_paste, "mtcrf 0x80,5", PASTE, "");
PROBE(p_both, "mtcrf 0x80,5\n\t" COPY, PASTE, "");
PROBE(p_with_metadata, "mtcrf 0x80,5\n\t" COPY, PASTE_0, "");
PROBE(p_twice, "mtcrf 0x80,5\n\t" COPY "\n\tmr 3,6\n\t" COPY, PASTE, "");
PROBE(p_abort, "mtcrf 0x80,5\n\t" COPY "\n\tcpabort", PASTE, "");

#define ALL_CR 0xffffffffull
#define CR0(c) ((c)->cr >> 28 & 15)

static void fill(void)
{
	for (unsigned i = 0; i < 2 * BLOCK; i++) {
		from[i] = (u8)(i + 1);
		to[i] = 0xee;
	}
}

/* The number of bytes at the target, from its start, that are those of from[at...]; all others must be as they were. */
static unsigned pasted(unsigned at)
{
	unsigned n = 0;

	while (n < BLOCK && to[n] == from[at + n])
		n++;
	for (unsigned i = n; i < 2 * BLOCK; i++)
		if (to[i] != 0xee)
			return 1000 + i;
	return n;
}

static void test_misaligned(void)
{
	check_trap(probe(p_copy, msr, from + 64, to), 0x600, p_copy_at, msr, 0, "copy-misaligned");
	check_eq(this_cpu()->dar, (u64)from + 64, "copy-misaligned-DAR");
	check_trap(probe(p_paste, msr, from, to + 16, 0), 0x600, p_paste_at, msr, 0, "paste-misaligned");
}

/* POWER9 has accelerators alone to paste to. Book III, 6.5.3. */
static void test_accelerators_only(void)
{
	check_eq(probe(p_copy, msr, from, to)->vector, 0xc00, "copy");
	check_trap(probe(p_both, msr, from, to, 0), 0x300, p_both_at, msr, 0, "paste-to-memory");
	check_eq(this_cpu()->dsisr, DSISR_BIT(6) | DSISR_BIT(28), "paste-to-memory-DSISR");
	check_eq(this_cpu()->dar, (u64)to, "paste-to-memory-DAR");
	check_eq(pasted(0), 0, "nothing-pasted");
	check_trap(probe(p_with_metadata, msr, from, to, 0), 0x700, p_with_metadata_at, msr, PPC_BIT(44), "paste-of-metadata-illegal");
	test_misaligned();
}

static void test_memory(void)
{
	struct cpu *c = probe(p_both, msr, from, to, 0);

	check_eq(c->vector, 0xc00, "paste");
	check_eq(CR0(c), 2, "paste-CR0");
	check_eq(pasted(0), BLOCK, "paste-all");
	fill();
	c = probe(p_paste, msr, from, to, ALL_CR);
	check_eq(CR0(c), 0, "paste-again-CR0");
	check_eq(pasted(0), 0, "paste-again-nothing");
	c = probe(p_abort, msr, from, to, ALL_CR);
	check_eq(CR0(c), 0, "cpabort-CR0");
	check_eq(pasted(0), 0, "cpabort-nothing");
	c = probe(p_twice, msr, from, to, 0, from + BLOCK);
	check_eq(CR0(c), 2, "second-copy-CR0");
	check_eq(pasted(BLOCK), BLOCK, "second-copy");
	fill();
	/* What has been copied outlives interrupts, and one that comes of the paste. itself. */
	check_eq(probe(p_copy, msr, from, to)->vector, 0xc00, "copy");
	from[0] = 77;
	test_misaligned();
	c = probe(p_paste, msr, from, to, 0);
	from[0] = 1;
	check_eq(CR0(c), 2, "paste-later-CR0");
	check_eq(pasted(0), BLOCK, "paste-later");
	fill();
	if (restrained()) {
		check_trap(probe(p_with_metadata, msr, from, to, 0), 0x700, p_with_metadata_at, msr, PPC_BIT(44), "paste-of-metadata-illegal");
		return;
	}
	check_eq(CR0(probe(p_with_metadata, msr, from, to, 0)), 2, "paste-of-metadata-CR0");
	check_eq(pasted(0), BLOCK, "paste-of-metadata");
}

static void test_copy(void)
{
	fill();
	if (model == P8)
		check_trap(probe(p_copy, msr, from, to), 0x700, p_copy_at, msr, PPC_BIT(44), "copy-illegal");
	else if (model == P9)
		test_accelerators_only();
	else
		test_memory();
}

/* ---- DSISR at alignment interrupts: what the instruction is, before 3.0. 2.07, Book III-S, 6.5.8 ---- */

PROBE(p_lwarx, "", "lwarx 9,0,3", "");
PROBE(p_stqcx, "", "stqcx. 18,5,3", "");
PROBE(p_lq, "", "lq 10,0(3)", "");
PROBE(p_stq, "", "stq 20,0(3)", "");

static void test_alignment(void)
{
	static const struct { const char *code, *at; u64 dsisr; const char *name; } insns[] = {
		/* 15:16 of bits 29:30 and 17:21 of bits 25, 21:24; or 17:21 of bits 5, 1:4, and 12:13 of bits 30:31; RT, RA. */
		{ p_lwarx, p_lwarx_at, 0 << 15 | 0 << 14 | 0 << 10 | 9 << 5 | 0, "lwarx" },
		{ p_stqcx, p_stqcx_at, 2 << 15 | 1 << 14 | 2 << 10 | 18 << 5 | 5, "stqcx." },
		{ p_lq, p_lq_at, 0 << 18 | 0 << 14 | 12 << 10 | 10 << 5 | 3, "lq" },
		{ p_stq, p_stq_at, 2 << 18 | 0 << 14 | 15 << 10 | 20 << 5 | 3, "stq" },
	};

	for (unsigned i = 0; i < sizeof insns / sizeof insns[0]; i++) {
		mtspr(18, 0x12345678);
		check_trap(probe(insns[i].code, msr, from + 2, 0, 0), 0x600, insns[i].at, msr, 0, insns[i].name);
		check_eq(this_cpu()->dsisr, model == P8 ? insns[i].dsisr : 0x12345678, insns[i].name);
	}
}

/* ---- Hashes of return addresses. 3.1, Book I, 3.3.16; DEXCR: Book III, 9.3 ---- */

PROBE(p_hashst, "", ".long 0x7fe42da5", "");	/* hashst r5,-8(r4) */
PROBE(p_hashchk, "", ".long 0x7fe42de5", "");	/* hashchk r5,-8(r4) */

/* DEXCR is SPR 828, HASHKEYR 468, UDEXCR 812. */
#define NPHIE_PRIVILEGED PPC_BIT(5)
#define NPHIE_PROBLEM    PPC_BIT(37)
#define KEY      0x0123456789abcdefull
#define NOTHING  0x5555555555555555ull
#define ADDRESS  0xc000000000123458ull

static u64 cell;

/* What hashst leaves in the cell under that DEXCR. */
static u64 stored(u64 dexcr)
{
	cell = NOTHING;
	mtspr(828, dexcr);
	check_eq(probe(p_hashst, msr, 0, &cell + 1, ADDRESS)->vector, 0xc00, "hashst");
	return cell;
}

static void check_hash(u64 address, bool equal, const char *name)
{
	if (equal)
		check_eq(probe(p_hashchk, msr, 0, &cell + 1, address)->vector, 0xc00, name);
	else
		check_trap(probe(p_hashchk, msr, 0, &cell + 1, address), 0x700, p_hashchk_at, msr, TRAP, name);
}

/* The aspect is that of the state which executes it. */
static void test_hash(void)
{
	bool reserved = restrained();
	u64 on = msr & MSR_PR ? NPHIE_PROBLEM : NPHIE_PRIVILEGED, off = on ^ NPHIE_PROBLEM ^ NPHIE_PRIVILEGED, first;

	mtspr(468, KEY);
	check_eq(stored(0), NOTHING, "hashst-without-aspects");
	check_hash(ADDRESS, true, "hashchk-without-aspects");
	check_eq(stored(off), NOTHING, "hashst-of-the-other-state");
	check_hash(ADDRESS, true, "hashchk-of-the-other-state");
	first = stored(on);
	if (reserved) {
		check_eq(first, NOTHING, "hashst-reserved");
		check_hash(ADDRESS, true, "hashchk-reserved");
		return;
	}
	check(first != NOTHING, "hashst-stores");
	mtspr(797, 0);
	check_eq(probe(p_hashst, msr | MSR_SE, 0, &cell + 1, ADDRESS)->vector, 0xd00, "hashst-traced");
	check_eq(mfspr(797), (u64)&cell, "SDAR");
	check_eq(mfspr(812), (u32)on, "UDEXCR");
	check_hash(ADDRESS, true, "hashchk-equal");
	check_hash(ADDRESS + 4, false, "hashchk-another-address");
	mtspr(468, KEY ^ 1);
	check_hash(ADDRESS, false, "hashchk-another-key");
	check(stored(on) != first, "hashst-another-key");
	mtspr(468, KEY);
	check_eq(stored(on), first, "hashst-the-same-again");
	mtspr(828, 0);
}

/* ---- Transactional memory. 2.07 and 3.0B, Book II, 5. With "htm" in -append there is some, in which all transactions fail ---- */

#define MSR_TM   PPC_BIT(31)
#define TM_CAUSE 5
#define BAD_THING PPC_BIT(42)
#define FAILED   (PPC_BIT(7) | PPC_BIT(9) | PPC_BIT(36) | PPC_BIT(37))	/* persistent, nesting; summary, TFIAR is exact */

PROBE(p_tbegin, "mtcrf 0x80,3", ".long 0x7c00051d", "mfspr 3,130\n\tmfspr 4,129\n\tmfspr 5,128\n\tmfspr 6,131");
PROBE(p_tend, "mtcrf 0x80,3", ".long 0x7c00055d", "");
PROBE(p_tabort, "mtcrf 0x80,3", ".long 0x7c03071d", "");	/* of r3 */
PROBE(p_tcheck, "mtcrf 0x80,3", ".long 0x7c00059c", "");	/* cr0 */
PROBE(p_tm_sprs, "mtspr 128,3\n\tmtspr 129,4\n\tmtspr 130,5", "mtspr 131,6", "mfspr 3,128\n\tmfspr 4,129\n\tmfspr 5,130\n\tmfspr 6,131");
PROBE(p_tfhar, "", "mfspr 3,128", "");
PROBE(p_treclaim, "", ".long 0x7c03075d", "");	/* r3 */
PROBE(p_trechkpt, "mtspr 130,3\n\tmtcrf 0x80,4", ".long 0x7c0007dd", "");

static void test_no_transactions(u64 with, const char *name)
{
	check_trap(probe(p_tbegin, with, 0), 0xf60, p_tbegin_at, msr, 0, name);
	check_eq(mfspr(153) >> 56, TM_CAUSE, "FSCR-cause-tbegin");
	mtspr(153, mfspr(153) & ~0ull >> 8);
	check_trap(probe(p_tfhar, with, 0), 0xf60, p_tfhar_at, msr, 0, name);
	check_eq(mfspr(153) >> 56, TM_CAUSE, "FSCR-cause-TFHAR");
}

static void test_transactions(void)
{
	u64 problem = msr & MSR_PR ? 1 : 0;
	struct cpu *c = probe(p_tbegin, msr | MSR_TM, 0, 0, 0, ALL_CR);

	check_eq(c->vector, 0xc00, "tbegin");
	check_eq(c->srr1 & MSR_TM, MSR_TM, "MSR-TM");
	check_eq(CR0(c), 10, "tbegin-CR0");
	check_eq(c->r[3], FAILED | problem << 28, "TEXASR");
	check_eq(c->r[4], (u64)p_tbegin_at | problem, "TFIAR");
	check_eq(c->r[5], (u64)p_tbegin_next, "TFHAR");
	check_eq(c->r[6], FAILED >> 32, "TEXASRU");
	check_eq(CR0(probe(p_tend, msr | MSR_TM, ALL_CR)), 0, "tend-CR0");
	check_eq(CR0(probe(p_tabort, msr | MSR_TM, ALL_CR)), 0, "tabort-CR0");
	check_eq(CR0(probe(p_tcheck, msr | MSR_TM, ALL_CR)), 8, "tcheck-CR0");
	c = probe(p_tm_sprs, msr | MSR_TM, 0x11111111110ull, 0x22222222222ull, 0x3333333344444444ull, 0x55555555ull);
	check_eq(c->vector, 0xc00, "TM-SPRs");
	check_eq(c->r[3], 0x11111111110ull, "TFHAR-kept");
	check_eq(c->r[4], 0x22222222222ull, "TFIAR-kept");
	check_eq(c->r[5], 0x5555555544444444ull, "TEXASR-kept");
	check_eq(c->r[6], 0x55555555, "TEXASRU-kept");
	if (problem)
		return;
	check_trap(probe(p_treclaim, msr | MSR_TM, 0), 0x700, p_treclaim_at, msr | MSR_TM, BAD_THING, "treclaim-of-nothing");
	check_trap(probe(p_trechkpt, msr | MSR_TM, 0), 0x700, p_trechkpt_at, msr | MSR_TM, BAD_THING, "trechkpt-of-nothing");
	check_eq(CR0(probe(p_trechkpt, msr | MSR_TM, FAILED, ALL_CR)), 0, "trechkpt-CR0");
}

static void test_tm(void)
{
	if (model == P10) {
		check_trap(probe(p_tbegin, msr | MSR_TM, 0), 0x700, p_tbegin_at, msr, PPC_BIT(44), "tbegin-illegal");
		return;
	}
	test_no_transactions(msr, "without-MSR-TM");
	if (property("/chosen", "bootargs") > 0)
		test_transactions();
	else
		test_no_transactions(msr | MSR_TM, "MSR-TM-stays-0");
}

/* On a POWER8 it is mffs, which shows all; later the control bits alone. Here: and a sticky one. Book I, 4.6.10. */
static void test_mffsl(void)
{
	u64 light, whole, sticky = PPC_BIT(38);		/* XX */

	mtmsrd(mfmsr() | MSR_FP);
	__asm__ volatile("mtfsb1 6\n\t.long 0xfc38048e\n\tmffs 2\n\tmtfsb0 6\n\tmffprd %0,1\n\tmffprd %1,2" : "=r"(light), "=r"(whole) : : "fr1", "fr2");
	check(whole & sticky && !(light & sticky) == (model != P8), "mffsl");
	check(model != P8 || light == whole, "mffsl-is-mffs");
}

void test(void)
{
	u64 version = mfspr(287) >> 16;

	model = version == 0x4d ? P8 : version == 0x4e ? P9 : P10;
	msr = OUR_MSR;
	test_copy();
	test_alignment();
	test_mffsl();
	test_tm();
	if (model == P10)
		test_hash();
	if (model == P8)
		return;			/* it has no radix MMU */
	map_identity(TABLES);
	msr = USER;
	test_copy();
	test_tm();
	if (model == P10)
		test_hash();
}

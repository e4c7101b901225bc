/* Code that changes: patched by any kind of store, near and far, from another processor and by the
 * hypervisor. What the architecture asks software to do about it (dcbst, sync, icbi, isync) is done
 * in the first round of tests and left out in the second: a store is seen by the next fetch here. */
#include "lib.h"

#define LI3(n)  (0x38600000u | ((n) & 0xffff))		/* li r3,n */
#define ADDI3(n) (0x38630000u | ((n) & 0xffff))		/* addi r3,r3,n */
#define BLR     0x4e800020u
#define NOP     0x60000000u

static u32 page[3072] __attribute__((aligned(4096)));

static u64 call(const void *code)
{
	register u64 r3 __asm__("3") = 0;

	__asm__ volatile("mtctr %1\n\tbctrl" : "=r"(r3) : "r"(code)
			 : "ctr", "lr", "r0", "r4", "r5", "r6", "r7", "r8", "r9", "r10", "r11", "r12", "cr0", "xer", "memory");
	return r3;
}

static void flush(void *at)
{
	__asm__ volatile("dcbst 0,%0; sync; icbi 0,%0; isync" : : "r"(at) : "memory");
}

static bool tidy;		/* say what the architecture asks for */

static void patch(u32 *at, u32 word)
{
	*(volatile u32 *)at = word;
	if (tidy)
		flush(at);
	__asm__ volatile("" : : : "memory");
}

static void fill(u32 *at, unsigned n, u32 last)
{
	for (unsigned i = 0; i < n; i++)
		patch(at + i, i + 1 < n ? NOP : last);
	patch(at + n, BLR);
}

/* ---- Plain ---- */

static void test_plain(void)
{
	u64 sum = 0;

	fill(page, 4, LI3(1));
	check_eq(call(page), 1, "before");
	patch(page + 3, LI3(2));
	check_eq(call(page), 2, "after");
	/* A block of its own begins there. */
	check_eq(call(page + 3), 2, "from-the-middle");
	patch(page + 3, LI3(3));
	check_eq(call(page + 3), 3, "from-the-middle-after");
	check_eq(call(page), 3, "from-the-start-after");
	for (unsigned i = 0; i < 500; i++) {
		patch(page + 3, LI3(i));
		sum += call(page);
	}
	check_eq(sum, 500 * 499 / 2, "500-times");
	/* Something else in the page: data between code. */
	fill(page, 4, LI3(5));
	for (unsigned i = 0; i < 200; i++) {
		((volatile u32 *)page)[64 + i] = i;
		sum = call(page);
	}
	check_eq(sum, 5, "data-in-the-page");
	check_eq(page[64 + 199], 199, "data-is-there");
	/* What ran once is data again, and code once more. */
	patch(page + 64, LI3(6));
	patch(page + 65, BLR);
	check_eq(call(page + 64), 6, "code-where-data-was");
}

/* ---- Widths and kinds of stores ---- */

static void test_stores(void)
{
	fill(page, 4, LI3(1));
	call(page);
	__asm__ volatile("stb %0,0(%1)" : : "r"(9), "r"((u8 *)(page + 3) + (LITTLE ? 0 : 3)) : "memory");
	if (tidy)
		flush(page + 3);
	check_eq(call(page), 9, "by-a-byte");
	__asm__ volatile("sth %0,0(%1)" : : "r"(300), "r"((u8 *)(page + 3) + (LITTLE ? 0 : 2)) : "memory");
	if (tidy)
		flush(page + 3);
	check_eq(call(page), 300, "by-a-halfword");
	__asm__ volatile("std %0,0(%1)" : : "r"(LITTLE ? (u64)LI3(11) << 32 | NOP : (u64)NOP << 32 | LI3(11)), "r"(page + 2) : "memory");
	if (tidy)
		flush(page + 3);
	check_eq(call(page), 11, "by-a-doubleword");
	__asm__ volatile("stwu %0,4(%1)" : : "r"(LI3(12)), "r"(page + 2) : "memory");
	if (tidy)
		flush(page + 3);
	check_eq(call(page), 12, "with-update");
	__asm__ volatile("lwarx 0,0,%1; stwcx. %0,0,%1" : : "r"(LI3(13)), "r"(page + 3) : "memory", "cr0", "r0");
	if (tidy)
		flush(page + 3);
	check_eq(call(page), 13, "by-stwcx");
	__asm__ volatile("stwbrx %0,0,%1" : : "r"(__builtin_bswap32(LI3(14))), "r"(page + 3) : "memory");
	if (tidy)
		flush(page + 3);
	check_eq(call(page), 14, "by-stwbrx");
	/* Across words: the upper half of this one, the lower half of the one before. */
	fill(page, 4, LI3(1));
	call(page);
	__asm__ volatile("stw %0,0(%1)" : : "r"(LITTLE ? 15u << 16 | (NOP >> 16) : (NOP & 0xffff) << 16 | LI3(0) >> 16),
			 "r"((u8 *)(page + 3) - 2) : "memory");
	if (tidy)
		flush(page + 3);
	check_eq(call(page), LITTLE ? 15 : 1, "across-words");
	/* A whole cache block of zeros: illegal. */
	fill(page, 4, LI3(1));
	call(page);
	__asm__ volatile("dcbz 0,%0" : : "r"(page) : "memory");
	if (tidy)
		flush(page);
	check_eq(probe(page, OUR_MSR)->vector, 0x700, "by-dcbz");
}

/* Vector and floating-point stores, in a probe: the facilities are off here. */
PROBE(p_stores, "mtctr 4\n\tmtlr 6\n\tmtvsrd 33,5", "stxvd2x 33,0,3", "bctr");
PROBE(p_stfd, "mtctr 4\n\tmtvsrd 1,5", "stfd 1,0(3)", "bctr");
PROBE(p_stvewx, "mtctr 4\n\tmtvsrwz 33,5\n\txxspltw 33,33,1", "stvewx 1,0,3", "bctr");

static void test_vector_stores(void)
{
	const u64 msr = OUR_MSR | MSR_FP | MSR_VEC | MSR_VSX;
	u64 two = LITTLE ? (u64)BLR << 32 | LI3(21) : (u64)LI3(21) << 32 | BLR;
	struct cpu *c;

	fill(page, 4, LI3(1));
	call(page);
	c = probe(p_stores, msr, page + 3, page, two, probe_end);
	check(c->vector == 0xc00 && c->r[3] == 21, "by-stxvd2x");
	fill(page, 4, LI3(1));
	call(page);
	c = probe(p_stfd, msr, page + 3, page, two);
	check(c->vector == 0xc00 && c->r[3] == 21, "by-stfd");
	fill(page, 4, LI3(1));
	call(page);
	c = probe(p_stvewx, msr, page + 3, page, LI3(22));
	check(c->vector == 0xc00 && c->r[3] == 22, "by-stvewx");
}

/* ---- Code that patches what comes next ---- */

extern char ahead[], ahead_at[], behind[], behind_at[], tidy_ahead[], tidy_ahead_at[], split[], split_at[];
__asm__(".text\n"
	/* r3 = what `li` is to say; the patched instruction follows in the same block. */
	"ahead:\n\tlis 5,ahead_at@h\n\tori 5,5,ahead_at@l\n\tlis 6,0x3860\n\tor 6,6,3\n\tstw 6,0(5)\nahead_at:\n\tli 3,0\n\tblr\n"
	"tidy_ahead:\n\tlis 5,tidy_ahead_at@h\n\tori 5,5,tidy_ahead_at@l\n\tlis 6,0x3860\n\tor 6,6,3\n\tstw 6,0(5)\n\t"
	"dcbst 0,5\n\tsync\n\ticbi 0,5\n\tisync\ntidy_ahead_at:\n\tli 3,0\n\tblr\n"
	/* A loop whose body is patched by itself: adds 0, 1, 2 .. r3 - 1. */
	"behind:\n\tmtctr 3\n\tli 3,0\n\tli 7,0\n\tlis 5,behind_at@h\n\tori 5,5,behind_at@l\n1:\n\tlis 6,0x3863\n\tor 6,6,7\n\t"
	"stw 6,0(5)\n\taddi 7,7,1\nbehind_at:\n\taddi 3,3,0\n\tbdnz 1b\n\tblr\n"
	/* The patched one is a branch. */
	"split:\n\tlis 5,split_at@h\n\tori 5,5,split_at@l\n\tstw 3,0(5)\n\tli 3,1\nsplit_at:\n\tb 1f\n\tli 3,2\n1:\tblr\n");

static u64 call1(const char *code, u64 arg)
{
	struct cpu *c = probe(code, OUR_MSR, arg);

	return c->vector == 0xc00 ? c->r[3] : ~0ull;
}

static void test_itself(void)
{
	bool ok = true;

	for (u64 i = 0; i < 50; i++)
		ok &= call1(tidy_ahead, i) == i;
	check(ok, "ahead-in-the-block-tidy");
	ok = true;
	for (u64 i = 0; i < 50; i++)
		ok &= call1(ahead, i) == i;
	check(ok, "ahead-in-the-block");
	check_eq(call1(behind, 1), 0, "loop-once");
	check_eq(call1(behind, 100), 4950, "loop-100-times");
	check_eq(call1(split, NOP), 2, "branch-to-nop");
	check_eq(call1(split, 0x48000008), 1, "nop-to-branch");
	check_eq(call1(split, BLR), 1, "to-blr");
}

/* ---- Across pages ---- */

static void test_pages(void)
{
	u32 *end = page + 1024;

	for (int i = -4; i < 4; i++)
		patch(end + i, NOP);
	patch(end - 5, LI3(1));
	patch(end + 4, ADDI3(1));
	patch(end + 5, BLR);
	check_eq(call(end - 5), 2, "over-the-edge");
	patch(end, ADDI3(10));
	check_eq(call(end - 5), 12, "first-of-the-next-page");
	patch(end - 1, ADDI3(100));
	check_eq(call(end - 5), 112, "last-of-the-page");
	/* Both at once, by one store. */
	__asm__ volatile("std %0,0(%1)" : : "r"(LITTLE ? (u64)ADDI3(20) << 32 | ADDI3(200) : (u64)ADDI3(200) << 32 | ADDI3(20)),
			 "r"(end - 1) : "memory");
	if (tidy) {
		flush(end - 1);
		flush(end);
	}
	check_eq(call(end - 5), 222, "both-by-one-store");
	/* A chain of branches, one of which goes elsewhere now. */
	patch(page, 0x48000000 | 0x1000);	/* b page + 1024 words */
	patch(end, LI3(7));
	patch(end + 1, BLR);
	patch(end + 1024, LI3(8));
	patch(end + 1025, BLR);
	check_eq(call(page), 7, "branch-to-the-next-page");
	check_eq(call(page), 7, "and-again");
	patch(page, 0x48000000 | 0x2000);
	check_eq(call(page), 8, "branch-to-another-page");
	patch(end + 1024, LI3(9));
	check_eq(call(page), 9, "target-changed");
}

/* ---- By the hypervisor ---- */

static void test_hypervisor(void)
{
	fill(page, 4, LI3(1));
	call(page);
	check_eq((u64)hcall(0x40, 4, page + 3, LITTLE ? __builtin_bswap32(LI3(31)) : LI3(31)), H_SUCCESS, "H_LOGICAL_CI_STORE");
	check_eq(call(page), 31, "by-H_LOGICAL_CI_STORE");
	fill(page + 2048, 4, LI3(32));
	check_eq((u64)hcall(0x2c, 1 << 14 /* copy */, page, page + 2048), H_SUCCESS, "H_PAGE_INIT");
	check_eq(call(page), 32, "by-H_PAGE_INIT");
	check_eq((u64)hcall(0x2c, 1 << 15 /* zero */, page, 0), H_SUCCESS, "H_PAGE_INIT-zero");
	check_eq(probe(page, OUR_MSR)->vector, 0x700, "by-H_PAGE_INIT-zero");
}

/* ---- By another processor ---- */

static volatile u64 said, stop;

static void caller(struct cpu *c)
{
	(void)c;
	while (!stop)
		said = call(page);
	stop_self();
}

static bool wait_said(u64 v)
{
	for (u64 end = mftb() + 512000000ull; said != v;)
		if (mftb() > end)
			return false;
	return true;
}

static void test_others(void)
{
	bool ok = true;

	fill(page, 4, LI3(1));
	if (!check(start_cpu(1, caller) != NULL, "other-started"))
		return;
	ok &= wait_said(1);
	for (u64 i = 2; i < 200; i++) {
		patch(page + 3, LI3(i));
		ok &= wait_said(i);
	}
	check(ok, "patched-under-its-feet");
	stop = 1;
	sync();
}

void test(void)
{
	for (unsigned round = 0; round < 2; round++) {
		tidy = !round;
		print("# %s\n", tidy ? "tidy" : "untidy");
		test_plain();
		test_stores();
		test_pages();
	}
	test_vector_stores();
	test_itself();
	test_hypervisor();
	test_others();
}

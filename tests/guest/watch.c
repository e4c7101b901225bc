/* Watchpoints by H_SET_MODE (DAWR0, DAWR1) and H_SET_DABR, the breakpoint on completion (CIABR), and enabled floating-point
 * exceptions that MSR[FE0,FE1] has held back. Power ISA 3.0B, Book III, 6.5.3, 6.5.9, 6.5.15, 8.3, 8.4. */
#include "lib.h"

#define H_SET_DABR  0x28
#define H_SET_XDABR 0x134
enum { CIABR = 1, DAWR0 = 2, DAWR1 = 5 };

#define DW  PPC_BIT(57)
#define DR  PPC_BIT(58)
#define WT  PPC_BIT(59)
#define WTI PPC_BIT(60)
#define PNH PPC_BIT(62)
#define PRO PPC_BIT(63)
#define DOUBLEWORDS(n) (((n) - 1ull) << 10)
#define BOTH (DR | DW | WTI | PNH)

#define MATCH DSISR_BIT(9)
#define STORE DSISR_BIT(6)
#define OLD   0x1111111111111111ull

static u64 area[1024] __attribute__((aligned(4096)));
static bool power10;

PROBE(p_ld, "", "ld 5,0(3)", "");
PROBE(p_lbz, "", "lbz 5,0(3)", "");
PROBE(p_std, "", "std 4,0(3)", "");
PROBE(p_stw, "", "stw 4,0(3)", "");
PROBE(p_stdu, "", "stdu 4,0(3)", "");
PROBE(p_dcbz, "", "dcbz 0,3", "");
PROBE(p_dcbf, "", "dcbf 0,3", "");
PROBE(p_dcbst, "", "dcbst 0,3", "");
PROBE(p_icbi, "", "icbi 0,3", "");
PROBE(p_ldarx, "", "ldarx 5,0,3", "");
PROBE(p_stdcx, "ldarx 5,0,6", "stdcx. 4,0,3", "");
PROBE(p_lvx, "", "lvx 1,0,3", "");
PROBE(p_stvx, "", "stvx 1,0,3", "");
PROBE(p_stxvp, "", ".long 0x18030001", "");		/* stxvp vs0,0(r3) */
PROBE(p_stfdp, "", ".long 0xf4430000", "");		/* stfdp f2,0(r3) */
PROBE(p_lq, "", "lq 8,0(3)", "");
PROBE(p_lswi, "", ".long 0x7d034caa", "");		/* lswi r8,r3,9 */

static void watch(unsigned resource, u64 address, u64 dawrx)
{
	check_eq((u64)hcall(H_SET_MODE, 0, resource, address, dawrx), H_SUCCESS, "H_SET_MODE");
}

/* 0: it has gone through; else DSISR, once all else is right. */
static u64 access_msr(u64 msr, const char *code, const char *at, u64 ea, u64 dar)
{
	struct cpu *c;
	u64 before = area[0];

	mtspr(18, 0);
	c = probe(code, msr, ea, 0x2222222222222222ull, OLD, area);
	if (c->vector == 0xc00)
		return 0;
	if (c->vector != 0x300 || c->srr0 != (u64)at || c->r[5] != OLD || area[0] != before || c->r[3] != ea)
		return c->vector;
	return c->dar == dar ? c->dsisr : 1;
}

static u64 access(const char *code, const char *at, u64 ea, u64 dar)
{
	return access_msr(OUR_MSR, code, at, ea, dar);
}
#define ACCESS(code, ea, dar) access(code, code##_at, (u64)(ea), (u64)(dar))

static void test_ranges(void)
{
	u64 *at = &area[64];

	watch(DAWR0, (u64)at, BOTH);
	check_eq(ACCESS(p_ld, at, at), MATCH, "load");
	check_eq(ACCESS(p_lbz, (u64)at + 7, (u64)at + 7), MATCH, "load-of-the-last-byte");
	check_eq(ACCESS(p_std, at, at), MATCH | STORE, "store");
	check_eq(ACCESS(p_stw, (u64)at + 4, (u64)at + 4), MATCH | STORE, "store-into-it");
	check_eq(ACCESS(p_stdu, at, at), MATCH | STORE, "store-with-update");
	check_eq(ACCESS(p_ld, (u64)at - 1, at), MATCH, "load-that-begins-before");
	check_eq(ACCESS(p_ld, at - 1, 0), 0, "load-before");
	check_eq(ACCESS(p_std, at + 1, 0), 0, "store-behind");
	check_eq(ACCESS(p_ld, &area[600], 0), 0, "another-page");
	check_eq(ACCESS(p_ldarx, at, at), MATCH, "ldarx");
	check_eq(ACCESS(p_dcbz, &area[70], &area[64]), MATCH | STORE, "dcbz");
	check_eq(ACCESS(p_dcbf, at, 0) | ACCESS(p_dcbst, at, 0) | ACCESS(p_icbi, at, 0), 0, "cache-management-is-no-access");
	check_eq(ACCESS(p_lq, at, at), MATCH, "lq");
	check_eq(access_msr(OUR_MSR | MSR_VEC, p_lvx, p_lvx_at, (u64)at, (u64)at), MATCH, "lvx");
	check_eq(access_msr(OUR_MSR | MSR_VEC, p_stvx, p_stvx_at, (u64)at, (u64)at), MATCH | STORE, "stvx");
	if (!LITTLE)
		check_eq(ACCESS(p_lswi, at - 1, at), MATCH, "lswi");
	watch(DAWR0, (u64)&area[66], BOTH);
	area[64] = area[65] = 7;
	check_eq(access_msr(OUR_MSR | MSR_FP, p_stfdp, p_stfdp_at, (u64)&area[65], (u64)&area[66]), MATCH | STORE, "second-of-two-FPRs");
	check_eq(area[65], 7, "and-the-first-is-not-stored");
	if (power10) {
		check_eq(access_msr(OUR_MSR | 1ull << 23, p_stxvp, p_stxvp_at, (u64)at, (u64)&area[66]), MATCH | STORE, "second-half-of-a-pair");
		check_eq(area[64], 7, "of-which-nothing-is-stored");
	}
	watch(DAWR0, (u64)at, BOTH | DOUBLEWORDS(16));
	check_eq(ACCESS(p_ld, &area[79], &area[79]), MATCH, "range-of-16");
	check_eq(ACCESS(p_ld, &area[80], 0), 0, "behind-the-range");
	/* Into the next page; before POWER10 no range goes beyond 512 bytes' ends. */
	watch(DAWR0, (u64)&area[510], BOTH | DOUBLEWORDS(8));
	check_eq(ACCESS(p_ld, &area[511], &area[511]), MATCH, "to-the-end-of-512-bytes");
	check_eq(ACCESS(p_ld, &area[513], &area[513]), power10 ? MATCH : 0, "beyond-512-bytes");
	watch(DAWR0, 0, 0);
	check_eq(ACCESS(p_ld, &area[511], 0), 0, "off");
	check_eq(ACCESS(p_std, at, 0), 0, "store-when-off");
}

static void test_kinds(void)
{
	u64 *at = &area[3];

	watch(DAWR0, (u64)at, DR | WTI | PNH);
	check_eq(ACCESS(p_ld, at, at), MATCH, "loads-alone");
	check_eq(ACCESS(p_std, at, 0), 0, "no-stores");
	watch(DAWR0, (u64)at, DW | WTI | PNH);
	check_eq(ACCESS(p_ld, at, 0), 0, "no-loads");
	check_eq(ACCESS(p_std, at, at), MATCH | STORE, "stores-alone");
	watch(DAWR0, (u64)at, DR | DW | WTI | PRO);
	check_eq(ACCESS(p_ld, at, 0), 0, "problem-state-alone");
	watch(DAWR0, (u64)at, DR | DW | WT | PNH);
	check_eq(ACCESS(p_ld, at, 0), 0, "translated-alone");
	watch(DAWR0, (u64)at, DR | DW | PNH);
	check_eq(ACCESS(p_ld, at, at), MATCH, "not-translated-alone");
	watch(DAWR0, 0, 0);
	/* The DABR's numbers. */
	check_eq((u64)hcall(H_SET_DABR, (u64)at | 2), H_SUCCESS, "H_SET_DABR");
	check_eq(ACCESS(p_std, at, at), MATCH | STORE, "DABR-store");
	check_eq(ACCESS(p_ld, at, 0), 0, "DABR-no-load");
	check_eq((u64)hcall(H_SET_XDABR, (u64)at | 5, PNH), H_SUCCESS, "H_SET_XDABR");
	check_eq(ACCESS(p_ld, at, 0), 0, "XDABR-translated-alone");
	check_eq((u64)hcall(H_SET_XDABR, (u64)at | 5, PNH | WTI), H_SUCCESS, "H_SET_XDABR-BTI");
	check_eq(ACCESS(p_ld, at, at), MATCH, "XDABR-load");
	check_eq((u64)hcall(H_SET_DABR, 0), H_SUCCESS, "H_SET_DABR-off");
	check_eq(ACCESS(p_ld, at, 0), 0, "DABR-off");
}

static void test_second(void)
{
	if (!power10) {
		check_eq((u64)hcall(H_SET_MODE, 0, DAWR1, area, BOTH), H_P2, "no-DAWR1");
		return;
	}
	watch(DAWR0, (u64)&area[8], BOTH);
	watch(DAWR1, (u64)&area[600], BOTH);
	check_eq(ACCESS(p_ld, &area[8], &area[8]), MATCH, "first-of-two");
	check_eq(ACCESS(p_std, &area[600], &area[600]), MATCH | STORE, "second-of-two");
	watch(DAWR0, 0, 0);
	check_eq(ACCESS(p_std, &area[600], &area[600]), MATCH | STORE, "second-alone");
	watch(DAWR1, 0, 0);
	check_eq(ACCESS(p_std, &area[600], 0), 0, "second-off");
}

/* ---- CIABR ---- */

#define TRACE     PPC_BIT(33)
#define COMPLETED PPC_BIT(43)

PROBE(p_sum, "li 5,0\n\tmtctr 4\n0:\taddi 5,5,1", "ld 6,0(3)", "addi 5,5,16\n\tbdnz 0b");
extern char p_sum_at[], p_sum_next[];

/* On a page of its own, which the caller reaches by what it remembers of earlier calls. */
__asm__(".text\n.balign 4096\nfar_away:\n\taddi 5,5,1\n\tblr\n.balign 4096\n");
extern char far_away[];
PROBE(p_far, "mflr 7\n\tmtctr 4\n\tli 5,0", "bctrl", "mtlr 7");

static void breakpoint(const void *at, unsigned state)
{
	check_eq((u64)hcall(H_SET_MODE, 0, CIABR, (u64)at | state, 0), H_SUCCESS, "H_SET_MODE-CIABR");
}

static void test_completion(void)
{
	struct cpu *c;

	/* Blocks and the edges between them are there already. */
	c = probe(p_sum, OUR_MSR, area, 100);
	check(c->vector == 0xc00 && c->r[5] == 1700, "a-loop");
	breakpoint(p_sum_at, 2);
	c = probe(p_sum, OUR_MSR, area, 100);
	check_trap(c, 0xd00, p_sum_next, OUR_MSR, TRACE | COMPLETED, "completed");
	check(c->r[5] == 1 && c->r[6] == area[0], "it-has-completed");
	check_eq(mfspr(796), (u64)p_sum_at, "SIAR");
	check_eq(mfspr(797), (u64)area, "SDAR");
	breakpoint(p_sum_next, 2);
	c = probe(p_sum, OUR_MSR, area, 100);
	check_trap(c, 0xd00, p_sum_next + 4, OUR_MSR, TRACE | COMPLETED, "completed-addi");
	check_eq(c->r[5], 17, "completed-once");
	breakpoint(p_sum_next + 4, 2);
	c = probe(p_sum, OUR_MSR, area, 100);
	check_trap(c, 0xd00, p_sum_at - 4, OUR_MSR, TRACE | COMPLETED, "completed-branch");
	check_eq(probe(p_far, OUR_MSR, 0, far_away)->vector, 0xc00, "far-away");
	breakpoint(far_away, 2);
	check_trap(probe(p_far, OUR_MSR, 0, far_away), 0xd00, far_away + 4, OUR_MSR, TRACE | COMPLETED, "completed-far-away");
	breakpoint(p_sum_at, 1);
	c = probe(p_sum, OUR_MSR, area, 100);
	check(c->vector == 0xc00 && c->r[5] == 1700, "not-in-this-state");
	breakpoint(p_sum_at, 2);
	c = probe(p_sum, OUR_MSR | MSR_SE, area, 100);
	check_trap(c, 0xd00, p_sum + 4, OUR_MSR | MSR_SE, TRACE, "single-step-comes-first");
	breakpoint(0, 0);
	c = probe(p_sum, OUR_MSR, area, 100);
	check(c->vector == 0xc00 && c->r[5] == 1700, "breakpoint-off");
}

/* ---- Exceptions that were held back ---- */

#define FP_ENABLED PPC_BIT(43)
#define NEXT       PPC_BIT(47)

/* r3: an FPSCR with VXSOFT and VE, in memory; r4: the MSR that lets it through. */
PROBE(p_held, "lfd 1,0(3)\n\tmtfsf 0xff,1", "mtmsrd 4", "nop");
PROBE(p_clear, "mtfsf 0xff,1", "nop", "");

static void test_held(void)
{
	static u64 status[2] = { 0x480, 0 };		/* VXSOFT, VE */
	u64 held = OUR_MSR | MSR_FP;
	struct cpu *c;

	c = probe(p_held, held, status, held);
	check_eq(c->vector, 0xc00, "held-back");
	c = probe(p_held, held, status, held | MSR_FE0 | MSR_FE1);
	check_trap(c, 0x700, p_held_next, held | MSR_FE0 | MSR_FE1, FP_ENABLED | NEXT, "let-through-by-mtmsrd");
	/* FPSCR is as it was: the next to allow it is rfid, which probe() begins with. */
	c = probe(p_clear, held | MSR_FE1, status, held);
	check_trap(c, 0x700, p_clear, held | MSR_FE1, FP_ENABLED | NEXT, "let-through-by-rfid");
	status[0] = 0;
	c = probe(p_held, held, status, held | MSR_FE0);
	check_eq(c->vector, 0xc00, "none-is-left");
}

void test(void)
{
	u64 version = mfspr(287) >> 16;

	power10 = version == 0x80;
	test_ranges();
	test_kinds();
	test_second();
	test_completion();
	test_held();
}

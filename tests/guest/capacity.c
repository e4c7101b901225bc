/* What a partition may have of the processors, as it sees it: run with two virtual processors on
 * -pool procs=2,entitlement=0.5,mode=capped, of which only the first runs. */
#include "lib.h"

#define H_GET_PPP 0x0ec
#define H_SET_PPP 0x0f0
#define H_PURR    0x0f4
#define H_PIC     0x0f8
#define H_BEST_ENERGY 0x2f4
#define H_CONSTRAINED 4
#define PURR 309
#define SPURR 308

#define TB_HZ 512000000ull
#define WINDOW (TB_HZ / 100)
#define WINDOWS 20

static u64 page[512] __attribute__((aligned(4096)));

/* At the beginning of a window, or near it. */
static void align(void)
{
	u64 window = mftb() / WINDOW;

	while (mftb() / WINDOW == window)
		;
}

/* Is `part` `percent` of `all`, by 1 in 50? */
static bool percent_of(u64 part, u64 all, u64 percent)
{
	u64 want = all * percent / 100, off = part > want ? part - want : want - part;

	return off <= want / 50;
}

/* Runs for some windows: the time that it has got, by all that counts it. */
static void check_share(u64 percent, const char *name)
{
	u64 before[9], after[9], tb, purr, spurr;

	align();
	tb = mftb(), purr = mfspr(309), spurr = mfspr(308);
	check_eq(hcall_out(before, H_PIC), H_SUCCESS, "pic");
	while (mftb() < tb + WINDOWS * WINDOW)
		;
	check_eq(hcall_out(after, H_PIC), H_SUCCESS, "pic-after");
	tb = mftb() - tb, purr = mfspr(309) - purr, spurr = mfspr(308) - spurr;
	if (!check(percent_of(purr, tb, percent), name))
		print("PURR %u of %u, not %u in a hundred\n", purr, tb, percent);
	/* All are read a little apart. */
	check(percent_of(spurr, purr, 100), "spurr");
	check(percent_of(after[3] - before[3], purr, 100), "pic-purr");
	check(percent_of(after[2] - before[2], tb, 200), "pic-tb");
	check_eq(after[0] - before[0], after[2] - before[2] - (after[3] - before[3]), "pic-idle");
	check_eq(after[1], 2, "pic-processors");
}

static void set(u64 entitlement, u64 weight, s64 code, u64 now, const char *name)
{
	u64 out[9];

	check_eq(hcall(H_SET_PPP, entitlement, weight), code, name);
	check_eq(hcall_out(out, H_GET_PPP), H_SUCCESS, "get-ppp");
	check_eq(out[0], now, "entitlement");
	check_eq(out[1], 200 - now, "unallocated");
	check_eq(out[3], PPC_BIT(15) | 2 << 16 | 2, "capped-on-2");
}

/* ibm,rks-hcalls says that no others change. */
static void test_purr(void)
{
	u64 regs[10] = { H_PURR, 1, 2, 3, 4, 5, 6, 7, 8, 9 }, before = mfspr(309), after;

	check_eq(hcall_raw(regs), H_SUCCESS, "purr");
	after = mfspr(309);
	check(regs[1] >= before && regs[1] <= after, "purr-is-the-register");
	for (u64 i = 2; i < 10; i++)
		check_eq(regs[i], i, "purr-keeps");
}

/* The other one is stopped; the list in memory is big-endian. */
static void test_energy(void)
{
	u64 out[9];

	check_eq(hcall_out(out, H_BEST_ENERGY, 0x004e200000080e01ull, 0, (u64)page), H_SUCCESS, "best-energy");
	check_eq(out[0], 2, "best-energy-count");
	check_eq(be64(page[0]) & 0xffffffff, 0x10000000, "best-energy-first");
	check_eq(be64(page[1]), 255ull << 32 | 0x10000001, "best-energy-last");
	check_eq(page[2], 0, "best-energy-no-more");
	check_eq(hcall(H_BEST_ENERGY, 0x004e200000080f01ull, 0, (u64)page), H_SUCCESS, "best-energy-activate");
	check_eq(be64(page[0]), 1ull << 32 | 0x10000001, "best-energy-activate-first");
}

void test(void)
{
	check_share(50, "half");
	set(20, 0, H_SUCCESS, 20, "set-less");
	check_share(20, "a-fifth");
	set(1000, 0, H_CONSTRAINED, 200, "set-too-much");
	check_share(100, "all");
	set(0, 0, H_CONSTRAINED, 2, "set-nothing");
	set(35, 3, H_CONSTRAINED, 35, "set-weight-of-capped");
	set(40, 256, H_PARAMETER, 35, "set-bad-weight");
	check_share(35, "35-in-a-hundred");
	test_purr();
	test_energy();
}

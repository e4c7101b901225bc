/* Calls with arguments that no kernel would give: each gets the code that PAPR names, the machine goes
 * on, and nothing outside what was named is written. */
#include "lib.h"

#define RAM    0x10000000ull	/* bytes: the tests run with 256 MiB */
#define SPACE  0x2000000ull	/* room to play */
#define TOP    (~0ull)
#define HUGE   0x4000000000ull

static u64 h(u64 n, u64 a, u64 b, u64 c, u64 d) { return (u64)hcall(n, a, b, c, d); }

static void want(u64 n, u64 a, u64 b, u64 c, u64 d, s64 rc, const char *name) { check_eq(h(n, a, b, c, d), (u64)rc, name); }

/* ---- Terminal ---- */

static void test_terminal(void)
{
	want(H_PUT_TERM_CHAR, VTY, 17, 0, 0, H_PARAMETER, "put-17");
	want(H_PUT_TERM_CHAR, VTY, TOP, 0, 0, H_PARAMETER, "put-all");
	want(H_PUT_TERM_CHAR, VTY, 1ull << 32 | 1, 0, 0, H_PARAMETER, "put-high-bits");
	want(H_PUT_TERM_CHAR, VTY, 0, 0, 0, H_SUCCESS, "put-0");
	want(H_PUT_TERM_CHAR, VTY + 1, 1, 0, 0, H_PARAMETER, "put-nowhere");
	want(H_PUT_TERM_CHAR, 1ull << 32 | VTY, 1, 0, 0, H_PARAMETER, "put-high-unit");
	want(H_GET_TERM_CHAR, 0x12345, 0, 0, 0, H_PARAMETER, "get-nowhere");
	want(0x104, 0x12345, 1, 0, 0, H_PARAMETER, "H_VIO_SIGNAL-nobody");
	want(0x104, VTY, 2, 0, 0, H_PARAMETER, "H_VIO_SIGNAL-mode");
}

/* ---- VPA and company ---- */

#define VPA(sub) ((u64)(sub) << 45)

static void area(u64 at, unsigned offset, u64 size, bool word)
{
	memset((void *)at, 0, 512);
	if (word)
		*(volatile u32 *)(at + offset) = be32(size);
	else
		*(volatile uint16_t *)(at + offset) = be16(size);
}

static void test_vpa(void)
{
	u64 at = SPACE, slb = SPACE + 0x1000, dtl = SPACE + 0x2000;
	static const u64 bad[] = { 64, 1, SPACE + 64, SPACE + 127, RAM, RAM - 64, HUGE, TOP, TOP - 127, 0 };

	area(at, 4, 640, false);
	area(slb, 4, 512, true);
	area(dtl, 4, 480, true);
	for (unsigned i = 0; i < sizeof bad / sizeof bad[0]; i++) {
		want(H_REGISTER_VPA, VPA(1), 0, bad[i], 0, H_PARAMETER, "vpa-address");
		want(H_REGISTER_VPA, VPA(2), 0, bad[i], 0, H_PARAMETER, "dtl-address");
		want(H_REGISTER_VPA, VPA(3), 0, bad[i], 0, H_PARAMETER, "slb-shadow-address");
	}
	/* All is well but the alignment. */
	area(at + 64, 4, 640, false);
	want(H_REGISTER_VPA, VPA(1), 0, at + 64, 0, H_PARAMETER, "vpa-misaligned");
	area(at, 4, 640, false);
	want(H_REGISTER_VPA, VPA(1), 0, at, 0, H_SUCCESS, "vpa-for-the-others");
	area(dtl + 64, 4, 480, true);
	want(H_REGISTER_VPA, VPA(2), 0, dtl + 64, 0, H_PARAMETER, "dtl-misaligned");
	area(slb + 64, 4, 512, true);
	want(H_REGISTER_VPA, VPA(3), 0, slb + 64, 0, H_PARAMETER, "slb-shadow-misaligned");
	want(H_REGISTER_VPA, VPA(5), 0, 0, 0, H_SUCCESS, "vpa-of-the-others-away");
	area(dtl, 4, 480, true);
	area(slb, 4, 512, true);
	want(H_REGISTER_VPA, VPA(0), 0, at, 0, H_PARAMETER, "vpa-function-0");
	want(H_REGISTER_VPA, VPA(4), 0, at, 0, H_PARAMETER, "vpa-function-4");
	want(H_REGISTER_VPA, VPA(1), 64, at, 0, H_PARAMETER, "vpa-processor");
	want(H_REGISTER_VPA, VPA(1), TOP, at, 0, H_PARAMETER, "vpa-processor-all-ones");
	want(H_REGISTER_VPA, VPA(2), 0, dtl, 0, H_RESOURCE, "dtl-before-vpa");
	want(H_REGISTER_VPA, VPA(3), 0, slb, 0, H_RESOURCE, "slb-shadow-before-vpa");
	area(at, 4, 639, false);
	want(H_REGISTER_VPA, VPA(1), 0, at, 0, H_PARAMETER, "vpa-too-small");
	area(at, 4, 0, false);
	want(H_REGISTER_VPA, VPA(1), 0, at, 0, H_PARAMETER, "vpa-of-size-0");
	area(at + 4096 - 512, 4, 640, false);		/* only its head matters */
	want(H_REGISTER_VPA, VPA(1), 0, at + 4096 - 512, 0, H_PARAMETER, "vpa-crosses-a-page");
	area(RAM - 512, 4, 640, false);
	want(H_REGISTER_VPA, VPA(1), 0, RAM - 512, 0, H_PARAMETER, "vpa-leaves-RAM");
	area(at, 4, 640, false);
	want(H_REGISTER_VPA, VPA(1), 0, at, 0, H_SUCCESS, "vpa");
	area(dtl, 4, 47, true);
	want(H_REGISTER_VPA, VPA(2), 0, dtl, 0, H_PARAMETER, "dtl-too-small");
	area(dtl, 4, 0xffffffff, true);
	want(H_REGISTER_VPA, VPA(2), 0, dtl, 0, H_PARAMETER, "dtl-too-large");
	area(dtl, 4, 480, true);
	want(H_REGISTER_VPA, VPA(2), 0, dtl, 0, H_SUCCESS, "dtl");
	area(slb, 4, 7, true);
	want(H_REGISTER_VPA, VPA(3), 0, slb, 0, H_PARAMETER, "slb-shadow-too-small");
	area(slb + 4096 - 128, 4, 512, true);
	want(H_REGISTER_VPA, VPA(3), 0, slb + 4096 - 128, 0, H_PARAMETER, "slb-shadow-crosses-a-page");
	area(slb, 4, 512, true);
	want(H_REGISTER_VPA, VPA(3), 0, slb, 0, H_SUCCESS, "slb-shadow");
	want(H_REGISTER_VPA, VPA(5), 0, 0, 0, H_RESOURCE, "vpa-away-too-early");
	want(H_REGISTER_VPA, VPA(6), 0, 0, 0, H_SUCCESS, "dtl-away");
	want(H_REGISTER_VPA, VPA(5), 0, 0, 0, H_RESOURCE, "vpa-away-still-too-early");
	want(H_REGISTER_VPA, VPA(7), 0, 0, 0, H_SUCCESS, "slb-shadow-away");
	want(H_REGISTER_VPA, VPA(5), 0, 0, 0, H_SUCCESS, "vpa-away");
	/* Registered, with the guest writing nonsense into it meanwhile. */
	area(at, 4, 640, false);
	want(H_REGISTER_VPA, VPA(1), 0, at, 0, H_SUCCESS, "vpa-again");
	memset((void *)at, 0xff, 640);
	mtspr(22, 1000);
	on_interrupt = NULL;
	hcall(H_CONFER, TOP, 0);
	want(H_REGISTER_VPA, VPA(5), 0, 0, 0, H_SUCCESS, "vpa-of-ones-away");
	mtspr(22, 0x7fffffff);
}

/* ---- RTAS ---- */

static u32 cells[64];

static u64 call(u64 at, u32 token, u32 nargs, u32 nret, u32 a, u32 b, u32 c)
{
	u32 *p = cells;

	p[0] = be32(token);
	p[1] = be32(nargs);
	p[2] = be32(nret);
	p[3] = be32(a);
	p[4] = be32(b);
	p[5] = be32(c);
	p[3 + (nargs < 16 ? nargs : 16)] = be32(0x5555);
	sync();
	return (u64)hcall(0xf000, at);
}

#define STATUS(nargs) ((s64)(int32_t)be32(cells[3 + (nargs)]))

static void test_rtas(void)
{
	static const u64 nowhere[] = { RAM, RAM - 4, RAM - 8, HUGE, TOP, TOP - 11, TOP << 32 };
	u64 here = (u64)cells;

	for (unsigned i = 0; i < sizeof nowhere / sizeof nowhere[0]; i++)
		want(0xf000, nowhere[i], 0, 0, 0, H_PARAMETER, "rtas-arguments-outside-RAM");
	/* Head inside, rest outside. */
	memset((void *)(RAM - 16), 0, 16);
	*(volatile u32 *)(RAM - 16) = be32(0x200d);
	*(volatile u32 *)(RAM - 12) = be32(1);
	*(volatile u32 *)(RAM - 8) = be32(1);
	want(0xf000, RAM - 16, 0, 0, 0, H_PARAMETER, "rtas-results-outside-RAM");
	check_eq(call(here, 0x2001, 0xffffffff, 8, 0, 0, 0), (u64)H_PARAMETER, "rtas-nargs-all-ones");
	check_eq(call(here, 0x2001, 17, 8, 0, 0, 0), (u64)H_PARAMETER, "rtas-nargs-17");
	check_eq(call(here, 0x2001, 0, 0xffffffff, 0, 0, 0), (u64)H_PARAMETER, "rtas-nret-all-ones");
	check_eq(call(here, 0x2001, 0x80000000, 0x80000000, 0, 0, 0), (u64)H_PARAMETER, "rtas-cells-that-wrap");
	call(here, 0x1fff, 0, 1, 0, 0, 0);
	check_eq(STATUS(0), (u64)-3, "rtas-token-below");
	call(here, 0xffffffff, 0, 1, 0, 0, 0);
	check_eq(STATUS(0), (u64)-3, "rtas-token-all-ones");
	call(here, 0x2010, 0, 1, 0, 0, 0);
	check_eq(STATUS(0), (u64)-3, "rtas-token-between");
	call(here, 0x2001, 1, 8, 0, 0, 0);
	check_eq(STATUS(1), (u64)-3, "rtas-one-argument-too-many");
	call(here, 0x2001, 0, 7, 0, 0, 0);
	check_eq(STATUS(0), (u64)-3, "rtas-one-result-too-few");
	cells[3] = be32(0x5555);
	call(here, 0x2001, 0, 0, 0, 0, 0);
	check_eq(STATUS(0), 0x5555, "rtas-no-room-for-a-status");
	/* NVRAM: buffer and range. */
	call(here, 0x2012, 3, 2, 0, 0xfffffff0, 64);
	check(STATUS(3) < 0, "nvram-fetch-to-nowhere");
	call(here, 0x2012, 3, 2, 0xfffffff0, SPACE, 64);
	check(STATUS(3) < 0, "nvram-fetch-beyond");
	call(here, 0x2012, 3, 2, 0, SPACE, 0xffffffff);
	check(STATUS(3) < 0, "nvram-fetch-too-much");
	call(here, 0x2013, 3, 2, 0, RAM - 8, 64);
	check(STATUS(3) < 0, "nvram-store-from-nowhere");
	call(here, 0x2012, 3, 2, 0, SPACE, 16);
	check_eq(STATUS(3), 0, "nvram-fetch");
	/* System parameters. */
	call(here, 0x2008, 3, 1, 20, RAM, 256);
	check(STATUS(3) < 0, "parameter-to-nowhere");
	call(here, 0x2008, 3, 1, 20, SPACE, 1);
	check(STATUS(3) < 0, "parameter-no-room");
	call(here, 0x2008, 3, 1, 12345, SPACE, 256);
	check_eq(STATUS(3), (u64)-3, "parameter-that-is-not-there");
	/* Interrupt sources. */
	call(here, 0x200a, 3, 1, 0x999999, 0, 0);
	check(STATUS(3) < 0, "set-xive-no-source");
	call(here, 0x200a, 3, 1, 0x1000, 64, 0);
	check(STATUS(3) < 0, "set-xive-no-server");
	call(here, 0x200a, 3, 1, 0x1000, 0, 0xffffffff);
	check(true, "set-xive-priority");
	call(here, 0x200b, 1, 3, 0xfff, 0, 0);
	check(STATUS(1) < 0, "get-xive-no-source");
	/* A log to nowhere. */
	cells[6] = be32(0xffffffff);
	call(here, 0x200e, 6, 1, 0x500, 0x1000, 0xffffffff);
	check(true, "check-exception-comes-back");
}

/* ---- Memory by hypercall ---- */

static void test_memory(void)
{
	u64 out[9];

	want(0x3c, 3, SPACE, 0, 0, H_PARAMETER, "load-of-3-bytes");
	want(0x3c, 8, SPACE + 4, 0, 0, H_PARAMETER, "load-misaligned");
	want(0x3c, 8, RAM, 0, 0, H_PARAMETER, "load-beyond");
	want(0x3c, 8, TOP - 7, 0, 0, H_PARAMETER, "load-at-the-top");
	want(0x40, 0, SPACE, 0, 0, H_PARAMETER, "store-of-0-bytes");
	want(0x40, TOP, SPACE, 0, 0, H_PARAMETER, "store-of-all");
	want(0x40, 4, RAM, 0, 0, H_PARAMETER, "store-beyond");
	want(0x40, 8, SPACE, 0x1122334455667788, 0, H_SUCCESS, "store");
	check_eq(hcall_out(out, 0x3c, 4, SPACE + 4), H_SUCCESS, "load");
	check_eq(out[0], 0x55667788, "load-value");
	want(0x2c, 1 << 14, SPACE + 1, SPACE, 0, H_PARAMETER, "page-misaligned");
	want(0x2c, 1 << 14, SPACE, RAM, 0, H_PARAMETER, "page-from-nowhere");
	want(0x2c, 1 << 15, RAM, 0, 0, H_PARAMETER, "page-to-nowhere");
	want(0x2c, TOP, SPACE, SPACE, 0, H_PARAMETER, "page-flags");
	want(0xf001, SPACE, SPACE, 4, 1, H_PARAMETER, "memop-element-size");
	want(0xf001, SPACE, SPACE, 3, TOP, H_PARAMETER, "memop-count");
	want(0xf001, SPACE, SPACE, 3, 1ull << 61, H_PARAMETER, "memop-count-that-wraps");
	want(0xf001, RAM - 8, SPACE, 3, 2, H_PARAMETER, "memop-leaves-RAM");
	want(0xf001, SPACE + 1, SPACE, 3, 1, H_PARAMETER, "memop-misaligned");
}

/* ---- Firmware ---- */

static void test_firmware(void)
{
	static const u64 bad[] = { 0, 1, RAM, RAM - 4, HUGE, TOP, TOP - 3, SPACE };

	memset((void *)SPACE, 0xff, 4096);
	for (unsigned i = 0; i < sizeof bad / sizeof bad[0]; i++) {
		check(h(0xf002, bad[i], SPACE, 4096, 0) != 0, "CAS-vector");
		check(h(0xf002, SPACE, bad[i], TOP, 0) != 0, "CAS-buffer");
		check(h(0xf003, bad[i], 0, 0, 0) != 0, "tree-from-nowhere");
		h(0xf005, bad[i], 0, 0, 0);
	}
	check(true, "client-arguments");
	/* A tree that claims to be larger than it is, and one that is only a head. */
	u32 *t = (u32 *)SPACE;

	memset(t, 0, 4096);
	t[0] = be32(0xd00dfeed);
	t[1] = be32(0xfffffff0);
	check(h(0xf003, SPACE, 0, 0, 0) != 0, "tree-too-large");
	t[1] = be32(40);
	check(h(0xf003, SPACE, 0, 0, 0) != 0, "tree-of-a-head");
	t[1] = be32(4096);
	t[2] = be32(0xffffff00);
	t[3] = be32(0xfffffff0);
	t[5] = be32(17);
	t[6] = be32(16);
	check(h(0xf003, SPACE, 0, 0, 0) != 0, "tree-with-offsets-outside");
	want(0xf080, 0, 0, 0, 0, H_FUNCTION, "no-such-private-call");
	want(0x1000, 0, 0, 0, 0, H_FUNCTION, "no-such-call");
	want(0x301, 0, 0, 0, 0, H_FUNCTION, "no-such-call-odd");
	want(TOP, 0, 0, 0, 0, H_FUNCTION, "no-such-call-all-ones");
	want(1ull << 32 | 0x300, 0, 0, 0, 0, H_FUNCTION, "no-such-call-high");
}

/* ---- Tables and modes ---- */

PROBE(p_load, "", "ld 4,0(3)", "");

static void test_tables(void)
{
	want(H_REGISTER_PROC_TBL, 0x1d, TOP & ~0xfffull, 0, 0, is_power8() ? H_PARAMETER : H_P2, "table-at-the-top");
	want(H_REGISTER_PROC_TBL, TOP, 0, 0, 0, H_PARAMETER, "table-flags");
	if (!is_power8()) {
		/* A table outside RAM is nobody's business until it is used. */
		want(H_REGISTER_PROC_TBL, 0x1d, HUGE, 0, 24, H_SUCCESS, "table-outside-RAM");
		check_eq(probe(p_load, OUR_MSR | MSR_DR, SPACE)->vector, 0x300, "translation-by-nothing");
		check_eq(probe(p_load, OUR_MSR | MSR_IR | MSR_DR, SPACE)->vector, 0x400, "fetch-by-nothing");
	}
	want(H_REGISTER_PROC_TBL, 0x10, 0, 0, 0, H_SUCCESS, "table-away");
	want(H_SET_MODE, 1, 1, 0, 0, H_UNSUPPORTED_FLAG, "CIABR-flags");
	want(H_SET_MODE, 0, 1, 3, 0, H_P3, "CIABR-of-the-hypervisor");
	want(H_SET_MODE, 0, 1, 0, 1, H_P4, "CIABR-second-value");
	want(H_SET_MODE, 0, 1, TOP & ~1ull, 0, H_SUCCESS, "CIABR-at-the-top");
	want(H_SET_MODE, 1, 2, 0, 0, H_UNSUPPORTED_FLAG, "DAWR0-flags");
	want(H_SET_MODE, 0, 2, 0, 4, H_P4, "DAWR0-of-the-hypervisor");
	want(H_SET_MODE, 0, 2, TOP, ~4ull, H_SUCCESS, "DAWR0-at-the-top");
	want(H_SET_MODE, 0, 2, 0, 0, H_SUCCESS, "DAWR0-off");
	want(H_SET_MODE, 0, 1, 0, 0, H_SUCCESS, "CIABR-off");
	want(H_SET_MODE, 0, 5, 0, 0, H_P2, "no-DAWR1");
	want(0xf0, 77, 77, 0, 0, 4, "H_SET_PPP");
	want(0xf0, 0, 256, 0, 0, H_PARAMETER, "H_SET_PPP-weight");
	want(0x2ec, 3, 0, 0, 0, H_PARAMETER, "associativity-flags");
	want(0x2ec, 1, 64, 0, 0, H_P2, "associativity-processor");
	want(H_JOIN, 0, 0, 0, 0, 18, "H_JOIN-alone");
	want(0x28, 0, 0, 0, 0, H_SUCCESS, "H_SET_DABR");
	want(0x134, 0, 0, 0, 0, H_PARAMETER, "H_SET_XDABR-for-nobody");
	want(0x134, 0, 4, 0, 0, H_PARAMETER, "H_SET_XDABR-of-the-hypervisor");
}

void test(void)
{
	test_terminal();
	test_vpa();
	test_rtas();
	test_memory();
	test_firmware();
	test_tables();
}

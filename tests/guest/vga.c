/* A screen's memory (-device VGA,addr=3) as a guest reaches it without an operating system: as memory, where the guest puts it and
 * nowhere else, for hypercalls as for processors. PCI Local Bus 3.0, 6.2.5; Power ISA 3.0B, Book II, 1.7. */
#include "lib.h"

#define WRITE_CONFIG 0x2017
#define BUID_HIGH 0x8000000
#define BUID_LOW  0x20000000
#define ADDRESS   (3 << 11)

#define BUS   0x80000000u
#define HERE  0x200080000000ull		/* as the processor sees it */
#define THERE (HERE + 0x4000000)

#define le64(v) (LITTLE ? (v) : __builtin_bswap64(v))

static void set_config(u32 at, u32 size, u32 v)
{
	rtas(WRITE_CONFIG, 5, 1, (u32[]){ ADDRESS | at, BUID_HIGH, BUID_LOW, size, v }, NULL);
}

static volatile u64 *word(u64 at) { return (volatile u64 *)at; }

static void put(u32 at) { set_config(0x10, 4, at); }

static void test_memory(void)
{
	volatile u8 *byte = (volatile u8 *)HERE;
	u64 out[9], old;

	*word(HERE) = le64(0x1122334455667788);
	check(byte[0] == 0x88 && byte[7] == 0x11, "bytes");
	*(volatile u64 *)(HERE + 0x1ffd) = 0x0807060504030201;
	check(*(volatile u64 *)(HERE + 0x1ffd) == 0x0807060504030201 && byte[0x2004] == (LITTLE ? 8 : 1), "over-a-page's-end");
	check(!hcall_out(out, 0x3c, 8, HERE) && out[0] == __builtin_bswap64(0x1122334455667788), "a-hypercall-loads-it: bytes as they lie");
	check(!hcall(0x40, 8, HERE + 8, 0x1234) && *word(HERE + 8) == (LITTLE ? 0x3412000000000000 : 0x1234), "a-hypercall-stores-to-it");
	asm volatile("1: ldarx %0,0,%1; stdcx. %2,0,%1; bne- 1b" : "=&r"(old) : "r"(HERE + 8), "r"(7ull) : "cr0", "memory");
	check(old != 7 && *word(HERE + 8) == 7, "a-reservation");
	for (u64 at = HERE + 0x3000; at < HERE + 0x3080; at += 8)
		*word(at) = ~0ull;
	asm volatile("dcbz 0,%0" : : "r"(HERE + 0x3000) : "memory");
	check(!*word(HERE + 0x3000) && !*word(HERE + 0x3078), "dcbz");
	*word(HERE + 0x4000) = le64(0x1020304050607080);
	check(!hcall(0xf001, HERE + 0x4008, HERE + 0x4000, 3, 1, 1) && *word(HERE + 0x4008) == ~le64(0x1020304050607080), "firmware-inverts-it");
	check(!hcall(0xf001, (u64)&old, HERE + 0x4000, 0, 8, 0) && old == le64(0x1020304050607080), "and-copies-it-to-RAM");
	check(hcall(0xf001, HERE + 0xfffff8, HERE, 3, 2, 0) == H_PARAMETER && hcall(0xf001, HERE, HERE + 0x1000000, 3, 1, 0) == H_PARAMETER &&
	      hcall(0xf001, HERE - 8, HERE, 3, 2, 0) == H_PARAMETER, "not-beyond-it");
	*word(HERE + 0xfffff8) = 5;
	check_eq(*word(HERE + 0xfffff8), 5, "its-last");
	check_eq(*word(HERE + 0x1000000), 0, "behind-it");
}

/* Code does not run from it: a machine check, as from any address without RAM. */
static void test_fetch(void)
{
	struct cpu *c;

	*word(HERE + 0x100) = 0x6000000060000000;
	asm volatile("sync" : : : "memory");
	c = probe((void *)(HERE + 0x100), OUR_MSR, 0, 0);
	check(c->vector == 0x200 && c->srr0 == HERE + 0x100, "no-code");
}

/* What has been at an address is not there any more, however often it was used. */
static void test_moves(void)
{
	*word(HERE) = 0xabc;
	put(BUS + 0x4000000);
	check(*word(THERE) == 0xabc && *word(HERE) == 0, "elsewhere");
	*word(HERE) = 1;
	check(*word(HERE) == 0 && *word(THERE) == 0xabc, "a-store-to-where-it-was");
	set_config(4, 2, 0);
	check_eq(*word(THERE), 0, "off");
	set_config(4, 2, 2);
	check_eq(*word(THERE), 0xabc, "on");
	put(~0u);
	check_eq(*word(THERE), 0, "while-it-is-sized");
	put(BUS);
	for (unsigned i = 0; i < 64; i++) {
		put(BUS + (i & 1) * 0x4000000);
		check(*word(i & 1 ? THERE : HERE) == 0xabc && *word(i & 1 ? HERE : THERE) == 0, "to-and-fro");
	}
	put(0);
	check(*word(HERE) == 0 && *word(THERE) == 0, "below-the-window");
}

/* The processor that moves it is the one whose translations matter first. */
static volatile u64 moved;

static void other(struct cpu *c)
{
	(void)c;
	test_moves();
	put(BUS);
	moved = 1;
	stop_self();
}

static void test_second(void)
{
	u64 end = mftb() + 512000000ull * 5;

	if (!start_cpu(1, other))
		return;
	while (!moved && mftb() < end)
		;
	check_eq(moved, 1, "the-second-processor");
}

void test(void)
{
	put(BUS);
	set_config(4, 2, 2);
	test_memory();
	test_fetch();
	test_moves();
	put(BUS);
	test_second();
}

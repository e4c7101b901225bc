/* The PCI bus as a guest without an operating system meets it: who is there, where it can be put, what answers at its
 * addresses; and a random number generator (-device virtio-rng-pci,addr=3) from its registers to its interrupt.
 * Sources: PAPR, "PCI Host Bridges"; PCI Local Bus 3.0; Virtual I/O Device (VIRTIO) 1.1. */
#include "lib.h"

#define READ_CONFIG  0x2016
#define WRITE_CONFIG 0x2017
#define QUERY_SOURCE 0x2018
#define CHANGE_MSI   0x2019
#define SET_XIVE     0x200a
#define BUID_HIGH 0x8000000
#define BUID_LOW  0x20000000
#define SLOT      3
#define ADDRESS   (SLOT << 11)

#define COMMON 0x210000010000ull	/* BAR 4, where it is put, as the processor sees it */
#define NOTIFY (COMMON + 0x3000)
#define TABLE  0x200080010000ull	/* BAR 1 */
#define NOWHERE 0x210080000000ull	/* in the bridge's window, in no BAR */
#define OUTSIDE 0x300000000000ull	/* in no window */

#define le16(v) (LITTLE ? (v) : __builtin_bswap16(v))
#define le32(v) (LITTLE ? (v) : __builtin_bswap32(v))
#define le64(v) (LITTLE ? (v) : __builtin_bswap64(v))

static u8 in8(u64 at) { return *(volatile u8 *)at; }
static u16 in16(u64 at) { return le16(*(volatile u16 *)at); }
static u32 in32(u64 at) { return le32(*(volatile u32 *)at); }
static u64 in64(u64 at) { return le64(*(volatile u64 *)at); }
static void out8(u64 at, u8 v) { *(volatile u8 *)at = v; }
static void out16(u64 at, u16 v) { *(volatile u16 *)at = le16(v); }
static void out32(u64 at, u32 v) { *(volatile u32 *)at = le32(v); }

/* ---- Configuration space ---- */

static s64 read_config(u32 address, u32 size, u32 *v)
{
	return rtas(READ_CONFIG, 4, 2, (u32[]){ address, BUID_HIGH, BUID_LOW, size }, v);
}

static u32 config(u32 at, u32 size)
{
	u32 v = 0xdead;

	read_config(ADDRESS | at, size, &v);
	return v;
}

static void set_config(u32 at, u32 size, u32 v)
{
	rtas(WRITE_CONFIG, 5, 1, (u32[]){ ADDRESS | at, BUID_HIGH, BUID_LOW, size, v }, NULL);
}

static void test_walk(void)
{
	u32 found = 0, where = 0;

	for (u32 devfn = 0; devfn < 256; devfn++) {
		u32 v;

		if (read_config(devfn << 8, 4, &v))
			continue;
		found++;
		where = devfn;
	}
	check_eq(found, 1, "one-function");
	check_eq(where, SLOT << 3, "in-its-slot");
	check_eq(config(0, 4), 0x10051af4, "who-it-is");
	check_eq(config(8, 4) >> 8, 0x00ff00, "class");
}

static void test_bars(void)
{
	set_config(0x14, 4, ~0u);
	set_config(0x20, 4, ~0u);
	set_config(0x24, 4, ~0u);
	check(config(0x14, 4) == 0xfffff000 && config(0x20, 4) == 0xffffc00c && config(0x24, 4) == ~0u, "sizes");
	set_config(0x10, 4, 0x100);
	set_config(0x14, 4, 0x80010000);
	set_config(0x20, 4, (u32)COMMON);
	set_config(0x24, 4, COMMON >> 32);
	check_eq(in16(COMMON + 0x12), 0, "off");
	set_config(4, 2, 7);
	check_eq(in16(COMMON + 0x12), 1, "one-queue");
	check(in64(NOWHERE) == 0 && in8(NOWHERE + 1) == 0, "nowhere-is-0");
	out32(NOWHERE, 7);
	check_eq(in32(NOWHERE), 0, "and-stays-so");
}

PROBE(p_load, "nop", "ld 4,0(3)", "nop");
PROBE(p_store, "nop", "std 4,0(3)", "nop");

static void test_outside(void)
{
	struct cpu *c = probe(p_load, OUR_MSR, OUTSIDE, 5);

	check(c->vector == 0x200 && c->srr0 == (u64)p_load_at && c->dar == OUTSIDE && c->r[4] == 5, "load-outside");
	c = probe(p_store, OUR_MSR, OUTSIDE, 5);
	check(c->vector == 0x200 && c->srr0 == (u64)p_store_at, "store-outside");
}

static void test_logical(void)
{
	u64 out[9];

	check(hcall_out(out, 0x3c, 2, COMMON + 0x12) == H_SUCCESS && out[0] == 0x0100, "H_LOGICAL_CI_LOAD");
	check(hcall(0x40, 2, COMMON + 0x16, 0x0500) == H_SUCCESS && in16(COMMON + 0x16) == 5, "H_LOGICAL_CI_STORE");
	check(hcall(0x3c, 2, OUTSIDE) == H_PARAMETER && hcall(0x40, 3, COMMON) == H_PARAMETER, "H_LOGICAL-refused");
}

/* ---- The device at work ---- */

#define QUEUE_SIZE 8

static struct { u64 address; u32 len; u16 flags, next; } descriptors[QUEUE_SIZE] __attribute__((aligned(4096)));
static volatile u16 available[3 + QUEUE_SIZE] __attribute__((aligned(4096)));
static volatile u32 used[2 + 2 * QUEUE_SIZE] __attribute__((aligned(4096)));
static volatile u8 numbers[64] __attribute__((aligned(64)));

static void set_address(u64 at, const volatile void *p)
{
	out32(at, (u32)(u64)p);
	out32(at + 4, (u64)p >> 32);
}

static void start_device(void)
{
	out8(COMMON + 0x14, 0);
	out8(COMMON + 0x14, 3);
	out32(COMMON, 1);
	check(in32(COMMON + 4) & 1, "version-1");
	out32(COMMON + 8, 1);
	out32(COMMON + 0xc, 1);
	out32(COMMON + 8, 0);
	out32(COMMON + 0xc, 0);
	out8(COMMON + 0x14, 11);
	check_eq(in8(COMMON + 0x14), 11, "features");
	out16(COMMON + 0x16, 0);
	check_eq(in16(COMMON + 0x18), QUEUE_SIZE, "queue-size");
	out16(COMMON + 0x1a, 1);
	check_eq(in16(COMMON + 0x1a), 1, "vector");
	set_address(COMMON + 0x20, descriptors);
	set_address(COMMON + 0x28, available);
	set_address(COMMON + 0x30, used);
	out16(COMMON + 0x1c, 1);
	out8(COMMON + 0x14, 15);
}

/* The source of vector 1. */
static u32 start_messages(void)
{
	u32 out[3] = { 0 };

	check(!rtas(CHANGE_MSI, 6, 4, (u32[]){ ADDRESS, BUID_HIGH, BUID_LOW, 4, 2, 1 }, out) && out[0] == 2 && out[1] == 2, "messages");
	check(!rtas(QUERY_SOURCE, 4, 3, (u32[]){ ADDRESS, BUID_HIGH, BUID_LOW, 1 }, out), "source");
	check(in64(TABLE + 16) == 0x40000000000 && in32(TABLE + 24) == out[0], "its-message");
	check(!rtas(SET_XIVE, 3, 1, (u32[]){ out[0], 0, 5 }, NULL), "route");
	set_config(0x9a, 2, 0x8000);
	hcall(H_CPPR, 0xff);
	return out[0];
}

/* What is presented, within a second. */
static u32 wait_for_interrupt(void)
{
	u64 begin = mftb(), out[9] = { 0 };

	while (mftb() - begin < 512000000) {
		if (!hcall_out(out, H_XIRR, 0xff) && (out[0] & 0xffffff))
			break;
	}
	return (u32)out[0];
}

static void test_device(void)
{
	unsigned sum = 0;
	u32 source, xirr;

	source = start_messages();
	start_device();
	descriptors[0].address = le64((u64)numbers);
	descriptors[0].len = le32(sizeof numbers);
	descriptors[0].flags = le16(2);
	available[2] = 0;
	sync();
	available[1] = le16(1);
	sync();
	out16(NOTIFY, 0);
	xirr = wait_for_interrupt();
	check_eq(xirr & 0xffffff, source, "interrupt");
	hcall(H_EOI, xirr);
	check_eq(le32(used[0]) >> 16, 1, "used");
	check(le32(used[1]) == 0 && le32(used[2]) > 0 && le32(used[2]) <= sizeof numbers, "how-much");
	for (unsigned i = 0; i < sizeof numbers; i++)
		sum |= numbers[i];
	check(sum != 0, "random-numbers");
	out8(COMMON + 0x14, 0);
	check_eq(in8(COMMON + 0x14), 0, "reset");
	check(!rtas(CHANGE_MSI, 6, 3, (u32[]){ ADDRESS, BUID_HIGH, BUID_LOW, 4, 0, 1 }, NULL), "messages-given-back");
}

void test(void)
{
	test_walk();
	test_bars();
	test_outside();
	test_logical();
	test_device();
}

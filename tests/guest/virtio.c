/* A driver of virtio-rng-pci from the bare machine: configuration space through RTAS, BARs where no firmware has put any,
 * a queue in memory, an interrupt by a message; then a ring that is wrong, and a reset that mends it. */
#include "lib.h"

#define BUID_HIGH 0x08000000
#define BUID_LOW  0x20000000
#define RTAS_READ_CONFIG   0x2016
#define RTAS_WRITE_CONFIG  0x2017
#define RTAS_QUERY_SOURCE  0x2018
#define RTAS_CHANGE_MSI    0x2019
#define RTAS_SET_XIVE      0x200a
#define BAR4 0x210000000000ull
#define COMMON BAR4
#define ISR    (BAR4 + 0x1000)
#define NOTIFY (BAR4 + 0x3000)
#define DEC_FAR 0x7fffffff

#if LITTLE
#define le16(v) ((u16)(v))
#define le32(v) ((u32)(v))
#define le64(v) ((u64)(v))
#else
#define le16(v) __builtin_bswap16(v)
#define le32(v) __builtin_bswap32(v)
#define le64(v) __builtin_bswap64(v)
#endif

static struct {
	struct { u64 address; u32 bytes; u16 flags, next; } desc[8] __attribute__((aligned(16)));
	struct { u16 flags, index, ring[8], event; } avail __attribute__((aligned(16)));
	struct { u16 flags, index; struct { u32 id, bytes; } ring[8]; u16 event; } used __attribute__((aligned(16)));
	u8 bytes[64];
} shared __attribute__((aligned(4096)));

static volatile u32 came;
static u32 source, devfn;

/* ---- Configuration space ---- */

static u32 config(u32 at, u32 size)
{
	u32 out[1] = { 0 };

	check_eq((u64)rtas(RTAS_READ_CONFIG, 4, 2, (u32[]){ devfn << 8 | at, BUID_HIGH, BUID_LOW, size }, out), 0, "read-config");
	return out[0];
}

static void set_config(u32 at, u32 size, u32 value)
{
	check_eq((u64)rtas(RTAS_WRITE_CONFIG, 5, 1, (u32[]){ devfn << 8 | at, BUID_HIGH, BUID_LOW, size, value }, NULL), 0, "write-config");
}

static bool find_rng(void)
{
	for (devfn = 0; devfn < 256; devfn += 8) {
		u32 out[1] = { 0 };

		if (!rtas(RTAS_READ_CONFIG, 4, 2, (u32[]){ devfn << 8, BUID_HIGH, BUID_LOW, 4 }, out) && out[0] == 0x10051af4)
			return true;
	}
	return false;
}

static void place_bars(void)
{
	set_config(0x20, 4, 0xffffffff);
	set_config(0x24, 4, 0xffffffff);
	check_eq(config(0x20, 4), 0xffffc00c, "BAR 4 is 16 KiB of prefetchable 64-bit memory");
	check_eq(config(0x24, 4), 0xffffffff, "its upper half");
	set_config(0x20, 4, (u32)BAR4);
	set_config(0x24, 4, BAR4 >> 32);
	set_config(4, 2, 6);
}

/* ---- Registers: little-endian ---- */

static u32 load32(u64 at) { return le32(*(volatile u32 *)at); }
static u16 load16(u64 at) { return le16(*(volatile u16 *)at); }
static u8 load8(u64 at) { return *(volatile u8 *)at; }
static void store32(u64 at, u32 v) { *(volatile u32 *)at = le32(v); }
static void store16(u64 at, u16 v) { *(volatile u16 *)at = le16(v); }
static void store8(u64 at, u8 v) { *(volatile u8 *)at = v; }

static void store_address(u64 at, const void *p)
{
	store32(at, (u32)(u64)p);
	store32(at + 4, (u32)((u64)p >> 32));
}

static void negotiate(void)
{
	store8(COMMON + 0x14, 0);
	check_eq(load8(COMMON + 0x14), 0, "reset");
	store8(COMMON + 0x14, 1);
	store8(COMMON + 0x14, 3);
	store32(COMMON, 1);
	check_eq(load32(COMMON + 4) & 1, 1, "VERSION_1 is offered");
	store32(COMMON + 8, 1);
	store32(COMMON + 0xc, 1);
	store8(COMMON + 0x14, 11);
	check_eq(load8(COMMON + 0x14), 11, "FEATURES_OK");
}

static void set_up_queue(void)
{
	for (u64 i = 0; i < sizeof shared; i++)
		((volatile u8 *)&shared)[i] = 0;
	store16(COMMON + 0x16, 0);
	check_eq(load16(COMMON + 0x18), 8, "queue size");
	store_address(COMMON + 0x20, &shared.desc);
	store_address(COMMON + 0x28, &shared.avail);
	store_address(COMMON + 0x30, &shared.used);
	store16(COMMON + 0x1a, 1);
	check_eq(load16(COMMON + 0x1a), 1, "vector");
	store16(COMMON + 0x1c, 1);
	store8(COMMON + 0x14, 15);
}

/* ---- Interrupts ---- */

static void back(struct cpu *c)
{
	u64 out[9];

	if (c->vector != 0x500) {
		mtspr(22, DEC_FAR);
		return;
	}
	hcall_out(out, H_XIRR, 0xff);
	came = out[0] & 0xffffff;
	hcall(H_EOI, out[0]);
}

static void take_message(void)
{
	u32 out[3];

	check_eq((u64)rtas(RTAS_CHANGE_MSI, 6, 3, (u32[]){ devfn << 8, BUID_HIGH, BUID_LOW, 4, 2, 1 }, out), 0, "change-msi");
	check_eq(out[0], 2, "two messages");
	check_eq((u64)rtas(RTAS_QUERY_SOURCE, 4, 3, (u32[]){ devfn << 8, BUID_HIGH, BUID_LOW, 1 }, out), 0, "query-source");
	source = out[0];
	check(source >= 0x1300, "the second's number");
	check_eq((u64)rtas(RTAS_SET_XIVE, 3, 1, (u32[]){ source, 0, 5 }, NULL), 0, "set-xive");
	set_config(0x9a, 2, 0x8000);
	/* Whoever made the tables has masked the vectors: the window to BAR 1 is BAR 1. */
	set_config(0x14, 4, 0x80000000);
	store32(0x200080000000ull + 16 + 12, 0);
	on_interrupt = back;
	mtspr(22, DEC_FAR);
	hcall(H_CPPR, 0xff);
}

static void offer(u16 head)
{
	u16 index = le16(shared.avail.index);

	shared.avail.ring[index % 8] = le16(head);
	__asm__ volatile("sync" ::: "memory");
	shared.avail.index = le16(index + 1);
	__asm__ volatile("sync" ::: "memory");
	store16(NOTIFY, 0);
}

static void wait_for_message(void)
{
	for (u64 i = 0; !came && i < 100; i++)
		hcall(H_CEDE);
	check_eq(came, source, "its interrupt");
	came = 0;
}

static void test_bytes(void)
{
	u32 sum = 0;

	shared.desc[2] = (typeof(shared.desc[2])){ le64((u64)shared.bytes), le32(48), le16(2), 0 };
	offer(2);
	wait_for_message();
	check_eq(le16(((volatile u16 *)&shared.used)[1]), 1, "used index");
	check_eq(le32(shared.used.ring[0].id), 2, "used id");
	check_eq(le32(shared.used.ring[0].bytes), 48, "used bytes");
	for (u64 i = 0; i < 48; i++)
		sum |= ((volatile u8 *)shared.bytes)[i];
	check(sum > 0x7f, "random bytes");
	for (u64 i = sum = 0; i < 16; i++)
		sum |= ((volatile u8 *)shared.bytes)[48 + i];
	check_eq(sum, 0, "none beside them");
	check_eq(load8(ISR), 1, "ISR");
	check_eq(load8(ISR), 0, "read once");
}

/* Over memory's end; then anew. */
static void test_wrong(void)
{
	shared.desc[0] = (typeof(shared.desc[0])){ le64(~0ull), le32(48), le16(2), 0 };
	offer(0);
	check_eq(load8(COMMON + 0x14), 0x4f, "it needs a reset");
	negotiate();
	set_up_queue();
	test_bytes();
}

void test(void)
{
	if (!check(find_rng(), "virtio-rng-pci is on the bus"))
		return;
	check_eq(config(8, 4), 0x00ff0000, "class");
	place_bars();
	take_message();
	negotiate();
	set_up_queue();
	test_bytes();
	test_wrong();
}

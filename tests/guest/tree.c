/* Device trees that mean harm, given by H_UPDATE_DT: each is refused, and nothing is the matter afterwards. Then the largest
 * one that is taken, and calls on it: for ever with "forever" in -append, for tree.py.
 * Sources: Devicetree Specification 0.4, chapter 5; IEEE 1275-1994, 6.3. */
#include "lib.h"

#define H_UPDATE_DT    0xf003
#define H_VOF_CLIENT   0xf005
#define SIZE           0x80000		/* bytes: as large as the machine takes */
#define OF_ERROR       0xffffffffu

static u8 blob[SIZE] __attribute__((aligned(4096)));
static u32 cells[12];
static char text[64];

static u32 client(const char *name, unsigned n, u32 a, u32 b, u32 c, u32 d)
{
	const u32 in[] = { a, b, c, d };

	cells[0] = be32((u32)(u64)name);
	cells[1] = be32(n);
	cells[2] = be32(1);
	for (unsigned i = 0; i < n; i++)
		cells[3 + i] = be32(in[i]);
	sync();
	if (hcall(H_VOF_CLIENT, (u64)cells))
		return OF_ERROR;
	sync();
	return be32(cells[3 + n]);
}

static void put(u32 at, u32 v) { *(u32 *)(blob + at) = be32(v); }

static void head(u32 size, u32 block, u32 block_size, u32 strings, u32 strings_size)
{
	const u32 v[] = { 0xd00dfeed, size, block, strings, 40, 17, 16, 0, strings_size, block_size };

	for (unsigned i = 0; i < 10; i++)
		put(4 * i, v[i]);
}

static void give(s64 rc, const char *name)
{
	sync();
	check_eq((u64)hcall(H_UPDATE_DT, (u64)blob), (u64)rc, name);
}

/* The reservations go on over the structure, up to the strings: what packs the tree moves them all, behind its end. */
static void test_overflow(u32 size)
{
	u32 strings = size - 32;

	memset(blob, 0xff, size);
	head(size, 56, strings - 56, strings, 16);
	put(40, 0); put(44, 1); put(48, 0); put(52, 1);
	put(56, 1); put(60, 0);
	put(64, 3); put(68, strings - 76 - 8); put(72, 0);
	put(strings - 8, 2); put(strings - 4, 9);
	memset(blob + strings, 0, 32);
	blob[strings] = 'x';
	give(H_PARAMETER, "reservations-without-end");
	check(client("quiesce", 0, 0, 0, 0, 0) != OF_ERROR, "quiesce");
}

/* Older trees have their root's name where newer ones have none. */
static void test_version(u32 version)
{
	memset(blob, 0, 256);
	head(256, 72, 16, 200, 8);
	put(16, 56);
	put(20, version);
	put(24, 2);
	put(72, 1); put(76, 0); put(80, 2); put(84, 9);
	give(version == 17 ? H_SUCCESS : H_PARAMETER, version == 17 ? "version-17" : "another-version");
}

/* A root with properties named `name`, from which `phandle` differs; as many as there is room for. */
static void make_large(u32 name_len)
{
	u32 strings_size = name_len + 1 + 8, strings = (SIZE - strings_size) & ~7u, at = 56;

	memset(blob, 0, 56);
	put(at, 1); put(at + 4, 0);
	put(at + 8, 3); put(at + 12, 4); put(at + 16, name_len + 1); put(at + 20, 1);
	for (at += 24; at + 12 + 8 <= strings; at += 12) {
		put(at, 3); put(at + 4, 0); put(at + 8, 0);
	}
	put(at, 2); put(at + 4, 9);
	head(strings + strings_size, 56, at + 8 - 56, strings, strings_size);
	memset(blob + strings, 'a', name_len + 1);
	memcpy(blob + strings + name_len, "\0phandle", 9);
}

static void test_large(void)
{
	make_large(300);
	give(H_PARAMETER, "long-names");
	make_large(SIZE / 2);
	give(H_PARAMETER, "half-a-name");
	make_large(255);
	give(H_SUCCESS, "large");
	check_eq(client("peer", 1, 0, 0, 0, 0), 1, "its-root");
	check_eq(client("getproplen", 2, 1, (u32)(u64)"none", 0, 0), OF_ERROR, "a-property-that-is-not-there");
}

void test(void)
{
	bool forever = client("getprop", 4, client("finddevice", 1, (u32)(u64)"/chosen", 0, 0, 0), (u32)(u64)"bootargs", (u32)(u64)text, 64) ==
		       sizeof "forever";

	test_overflow(0x8000);
	test_overflow(SIZE);
	for (u32 version = 0; version < 17; version++)
		test_version(version);
	test_version(17);
	test_large();
	if (forever)
		print("ready\n");
	while (forever)
		client("setprop", 4, 1, (u32)(u64)"zz", (u32)(u64)blob, 4);
}

/* Guest memory's accessors: bounds, byte order, and the news for the block cache. */
#include <stdarg.h>

#include "check.h"
#include "machine/core/memory.h"

#define SIZE (UINT64_C(4) << 20)

struct written {
	uint64_t gra[8], len[8];
	unsigned n;
};

static void code_written(void *opaque, uint64_t gra, uint64_t len)
{
	struct written *w = opaque;

	if (w->n < 8) {
		w->gra[w->n] = gra;
		w->len[w->n] = len;
	}
	w->n++;
}

static void test_bounds(struct ram *ram)
{
	static const struct { uint64_t gra, len; bool ok; } rows[] = {
		{ 0, 0, true }, { 0, 1, true }, { 0, SIZE, true }, { 0, SIZE + 1, false }, { 0, UINT64_MAX, false },
		{ SIZE - 1, 1, true }, { SIZE - 1, 2, false }, { SIZE, 0, true }, { SIZE, 1, false },
		{ SIZE + 1, 0, false }, { UINT64_MAX, 0, false }, { UINT64_MAX, 1, false }, { UINT64_MAX, UINT64_MAX, false },
		{ SIZE / 2, UINT64_MAX - SIZE / 2 + 1, false }, { SIZE / 2, UINT64_MAX, false },
		{ SIZE - 8, UINT64_MAX - SIZE + 9, false },
	};
	uint8_t buf[16];

	for (unsigned i = 0; i < sizeof rows / sizeof rows[0]; i++)
		check(ram_ok(ram, rows[i].gra, rows[i].len) == rows[i].ok, "ram_ok(0x%" PRIx64 ", 0x%" PRIx64 ")",
		      rows[i].gra, rows[i].len);
	memset(buf, 0xa5, sizeof buf);
	check(!ram_read(ram, SIZE - 8, buf, 16) && buf[0] == 0xa5, "ram_read-beyond-does-nothing");
	check(!ram_write(ram, SIZE - 8, buf, 16) && ld_be64(ram, SIZE - 8) == 0, "ram_write-beyond-does-nothing");
	check(!ram_fill(ram, SIZE - 8, 1, 16) && ld_be64(ram, SIZE - 8) == 0, "ram_fill-beyond-does-nothing");
	check(!ram_fill(ram, 0, 1, UINT64_MAX) && ld_be64(ram, 0) == 0, "ram_fill-all-does-nothing");
	check_eq(ld_be64(ram, SIZE - 7), 0, "load-across-the-end");
	check_eq(ld_be64(ram, UINT64_MAX), 0, "load-at-the-top");
	check_eq(ld_u8(ram, SIZE), 0, "byte-beyond");
	st_be64(ram, SIZE - 7, UINT64_MAX);
	st_be32(ram, UINT64_MAX - 1, UINT32_MAX);
	st_u8(ram, SIZE, 1);
	check_eq(ld_be64(ram, SIZE - 8), 0, "store-across-the-end-does-nothing");
}

static void test_order(struct ram *ram)
{
	uint8_t buf[8];

	st_be64(ram, 0x1001, UINT64_C(0x0102030405060708));
	check(ram_read(ram, 0x1001, buf, 8) && buf[0] == 1 && buf[7] == 8, "st_be64");
	check_eq(ld_be64(ram, 0x1001), UINT64_C(0x0102030405060708), "ld_be64");
	check_eq(ld_be32(ram, 0x1003), 0x03040506, "ld_be32");
	check_eq(ld_be16(ram, 0x1007), 0x0708, "ld_be16");
	check_eq(ld_u8(ram, 0x1008), 8, "ld_u8");
	st_be16(ram, SIZE - 2, 0x1234);
	check_eq(ld_be16(ram, SIZE - 2), 0x1234, "last-halfword");
	check(ram_fill(ram, 0x2000, 0x5a, 3) && ld_be32(ram, 0x2000) == 0x5a5a5a00, "ram_fill");
}

static void test_code(struct ram *ram)
{
	struct written w = { .n = 0 };

	ram->code_written = code_written;
	ram->opaque = &w;
	st_be32(ram, 0x3000, 1);
	check_eq(w.n, 0, "no-code-no-call");
	ram->page[3] = ram->page[5] = RAM_PAGE_CODE;
	st_be32(ram, 0x3ffe, 1);
	check(w.n == 1 && w.gra[0] == 0x3ffe && w.len[0] == 2, "the-part-in-the-page");
	w.n = 0;
	ram_fill(ram, 0x2800, 0, 0x3000);
	check(w.n == 2 && w.gra[0] == 0x3000 && w.len[0] == 0x1000 && w.gra[1] == 0x5000 && w.len[1] == 0x800,
	      "page-by-page");
	w.n = 0;
	ram_written(ram, 0x3000, 0);
	ram_written(ram, 0x3000, UINT64_MAX);
	ram_write(ram, 0x3000, "", 0);
	check_eq(w.n, 0, "nothing-written-no-call");
	ram->code_written = NULL;
}

int main(void)
{
	struct ram ram;
	struct error err;

	if (!check(memory_map(&ram, SIZE, &err), "map"))
		return check_done();
	test_bounds(&ram);
	test_order(&ram);
	test_code(&ram);
	memory_clear(&ram);
	check_eq(ld_be64(&ram, 0x1001), 0, "clear");
	memory_unmap(&ram);
	check(!memory_map(&ram, UINT64_C(1) << 60, &err) && strstr(err.msg, "memory"), "refused-by-the-host");
	return check_done();
}

/* Device trees of somebody else's: what the check says to each fault, what a copy is, and that no client call on the largest
 * tree takes long. */
#include <time.h>

#include <libfdt.h>

#include "firmware/fdt.h"
#include "firmware/firmware.h"
#include "firmware/state.h"
#include "firmware/tree_check.h"
#include "hcall/hcall.h"
#include "savevm/stream.h"
#include "savevm/vmstate.h"
#include "tests/unit/check.h"
#include "tests/unit/rig.h"

#define CALL_LIMIT 0.05		/* seconds of the processor for one call; a sanitizer makes it ten times as much */
#define AT         0x2000000u	/* guest real: a tree; arguments and strings lie below */
#define ARGS       0x1000000u

#if defined(__has_feature)
#if __has_feature(address_sanitizer)
#define SLOWER 10
#endif
#endif
#ifndef SLOWER
#define SLOWER 1
#endif

/* ---- Making trees, byte by byte ---- */

struct maker {
	uint8_t *blob, *block, *strings;	/* three buffers */
	uint32_t size, strings_size, rsv;	/* bytes; reservations */
};

static void maker_new(struct maker *k)
{
	*k = (struct maker){ calloc(1, TREE_MAX_SIZE), calloc(1, TREE_MAX_SIZE), calloc(1, TREE_MAX_SIZE), 0, 0, 0 };
}

static void maker_free(struct maker *k)
{
	free(k->blob);
	free(k->block);
	free(k->strings);
}

static void put(uint8_t *p, uint32_t v)
{
	v = __builtin_bswap32(v);
	memcpy(p, &v, sizeof v);
}

static uint32_t get(const uint8_t *p)
{
	uint32_t v;

	memcpy(&v, p, sizeof v);
	return __builtin_bswap32(v);
}

static void cell(struct maker *k, uint32_t v)
{
	put(k->block + k->size, v);
	k->size += 4;
}

static void padded(struct maker *k, const void *value, uint32_t len)
{
	if (len)
		memcpy(k->block + k->size, value, len);
	k->size += (len + 3) & ~3u;
}

static void begin(struct maker *k, const char *name)
{
	cell(k, TREE_BEGIN);
	padded(k, name, (uint32_t)strlen(name) + 1);
}

static uint32_t string(struct maker *k, const char *name)
{
	uint32_t at = k->strings_size;

	memcpy(k->strings + at, name, strlen(name) + 1);
	k->strings_size += (uint32_t)strlen(name) + 1;
	return at;
}

static void prop_at(struct maker *k, uint32_t name, const void *value, uint32_t len)
{
	cell(k, TREE_PROP);
	cell(k, len);
	cell(k, name);
	padded(k, value, len);
}

static void prop(struct maker *k, const char *name, const void *value, uint32_t len)
{
	prop_at(k, string(k, name), value, len);
}

static void phandle(struct maker *k, uint32_t v)
{
	uint8_t value[4];

	put(value, v);
	prop(k, "phandle", value, 4);
}

static const uint32_t gap = 8;		/* bytes between the blocks, and behind them */

/* The blob, and its size. */
static uint32_t make(struct maker *k)
{
	uint32_t block = 40 + gap + 16 * (k->rsv + 1) + gap, strings = block + k->size + gap, total = strings + k->strings_size + gap;
	const uint32_t head[10] = { 0xd00dfeed, total, block, strings, 40 + gap, 17, 16, 3, k->strings_size, k->size };

	memset(k->blob, 0xee, total);
	for (unsigned i = 0; i < 10; i++)
		put(k->blob + 4 * i, head[i]);
	for (uint32_t i = 0; i <= k->rsv; i++)
		memset(k->blob + head[4] + 16 * i, i < k->rsv ? (int)(i | 1) : 0, 16);
	memcpy(k->blob + block, k->block, k->size);
	memcpy(k->blob + strings, k->strings, k->strings_size);
	return total;
}

/* Root with two properties; a node, with a node in it; a second node. */
static uint32_t make_small(struct maker *k)
{
	maker_new(k);
	k->rsv = 2;
	begin(k, "");
	phandle(k, 1);
	prop(k, "model", "five", 5);
	cell(k, TREE_NOP);
	begin(k, "cpus");
	phandle(k, 2);
	begin(k, "cpu@0");
	phandle(k, 3);
	cell(k, TREE_END);
	cell(k, TREE_END);
	begin(k, "memory@0");
	prop(k, "empty", NULL, 0);
	phandle(k, 4);
	cell(k, TREE_END);
	cell(k, TREE_END);
	cell(k, TREE_LAST);
	return make(k);
}

/* ---- Comparing two, by the library ---- */

static bool same_property(const void *a, int pa, const void *b, int pb)
{
	const char *na, *nb;
	int la, lb;
	const void *va = fdt_getprop_by_offset(a, pa, &na, &la), *vb = fdt_getprop_by_offset(b, pb, &nb, &lb);

	return va && vb && !strcmp(na, nb) && la == lb && !memcmp(va, vb, (size_t)la);
}

static bool same_node(const void *a, int na, const void *b, int nb)
{
	int pa = fdt_first_property_offset(a, na), pb = fdt_first_property_offset(b, nb);

	for (; pa >= 0 && pb >= 0; pa = fdt_next_property_offset(a, pa), pb = fdt_next_property_offset(b, pb))
		if (!same_property(a, pa, b, pb))
			return false;
	return pa < 0 && pb < 0 && !strcmp(fdt_get_name(a, na, NULL), fdt_get_name(b, nb, NULL));
}

static bool same_tree(const void *a, const void *b)
{
	int na = 0, nb = 0, da = 0, db = 0;
	uint64_t address, size, address_b, size_b;

	for (int i = 0; i < fdt_num_mem_rsv(a); i++)
		if (fdt_get_mem_rsv(a, i, &address, &size) || fdt_get_mem_rsv(b, i, &address_b, &size_b) || address != address_b || size != size_b)
			return false;
	for (; na >= 0 && nb >= 0 && da >= 0 && db >= 0; na = fdt_next_node(a, na, &da), nb = fdt_next_node(b, nb, &db))
		if (!same_node(a, na, b, nb) || da != db)
			return false;
	return da < 0 && db < 0 && fdt_num_mem_rsv(a) == fdt_num_mem_rsv(b) && fdt_boot_cpuid_phys(a) == fdt_boot_cpuid_phys(b);
}

/* ---- The check ---- */

/* Heap of exactly that size: a sanitizer sees what reads on. */
static const char *checked(const uint8_t *blob, uint32_t size)
{
	uint8_t *exact = malloc(size ? size : 1);
	const char *why;

	memcpy(exact, blob, size);
	why = tree_check(exact, size);
	free(exact);
	return why;
}

static void want(const char *why, const char *part, const char *name)
{
	check(part ? why && strstr(why, part) : !why, "%s: %s", name, why ? why : "taken");
}

static void test_heads(void)
{
	static const struct {
		const char *name;
		uint32_t cell, value;
		const char *why;
	} rows[] = {
		{ "magic", 0, 0xd00dfeee, "begin" }, { "version-16", 5, 16, "version" }, { "version-15", 5, 15, "version" },
		{ "version-2", 5, 2, "version" }, { "version-18", 5, 18, "version" }, { "compatible-18", 6, 18, "version" },
		{ "total-0", 1, 0, "size" }, { "total-39", 1, 39, "size" }, { "total-larger", 1, 0x7fff, "size" },
		{ "total-all", 1, UINT32_MAX, "size" }, { "total-smaller", 1, 0x80, "wrong" },
		{ "rsv-in-head", 4, 32, "reservations" }, { "rsv-misaligned", 4, 44, "reservations" },
		{ "rsv-outside", 4, 0x10000, "reservations" }, { "rsv-all", 4, UINT32_MAX - 7, "reservations" },
		{ "struct-in-rsv", 2, 56, "structure" }, { "struct-misaligned", 2, 114, "structure" },
		{ "struct-outside", 2, 0x10000, "structure" }, { "struct-all", 2, UINT32_MAX - 3, "structure" },
		{ "struct-size-all", 9, UINT32_MAX - 3, "structure" }, { "struct-size-odd", 9, 6, "structure" },
		{ "struct-size-0", 9, 0, "no end" }, { "struct-size-4", 9, 4, "name" },
		{ "strings-in-struct", 3, 116, "strings" }, { "strings-outside", 3, 0x10000, "strings" },
		{ "strings-all", 3, UINT32_MAX, "strings" }, { "strings-size-all", 8, UINT32_MAX, "strings" },
		{ "strings-size-0", 8, 0, "wrong name" }, { "strings-size-cut", 8, 7, "wrong name" },
	};

	for (unsigned i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		struct maker k;
		uint32_t size = make_small(&k);

		put(k.blob + 4 * rows[i].cell, rows[i].value);
		want(checked(k.blob, size), rows[i].why, rows[i].name);
		maker_free(&k);
	}
}

/* The list runs on over the structure, in which no 16 bytes are zero. */
static void test_reservations(void)
{
	struct maker k;
	uint32_t size = make_small(&k), rsv = get(k.blob + 16);

	memset(k.blob + rsv, 0xff, get(k.blob + 8) - rsv);
	want(checked(k.blob, size), "reservations have no good end", "rsv-without-end");
	memset(k.blob + get(k.blob + 8) - 15, 0, 15);
	want(checked(k.blob, size), "reservations have no good end", "rsv-end-a-byte-short");
	memset(k.blob + rsv + 16, 0, get(k.blob + 8) - rsv - 16);
	want(checked(k.blob, size), NULL, "rsv-end");
	k.blob[rsv + 16] = 1;
	want(checked(k.blob, size), "reservations have no good end", "rsv-size-0");
	maker_free(&k);
	maker_new(&k);
	k.rsv = TREE_MAX_RSV + 1;
	begin(&k, "");
	cell(&k, TREE_END);
	cell(&k, TREE_LAST);
	size = make(&k);
	want(checked(k.blob, size), "too many", "rsv-too-many");
	maker_free(&k);
}

/* Strings before the structure, as SLOF has them: a tree; and what overlaps, is none. The copy has the usual order. */
static void test_order(void)
{
	struct maker k;
	uint32_t size = make_small(&k), rsv_end = 40 + gap + 16 * (k.rsv + 1), block = (rsv_end + k.strings_size + 3) & ~3u, first;
	void *copy;

	put(k.blob + 8, block);
	put(k.blob + 12, rsv_end);
	memcpy(k.blob + rsv_end, k.strings, k.strings_size);
	memcpy(k.blob + block, k.block, k.size);
	want(checked(k.blob, size), NULL, "strings-first");
	copy = tree_copy(k.blob, &first);
	check(!tree_check(copy, first) && same_tree(k.blob, copy) && fdt_off_dt_strings(copy) > fdt_off_dt_struct(copy), "strings-first, copied");
	free(copy);
	put(k.blob + 12, rsv_end - 4);
	want(checked(k.blob, size), "reservations", "strings-on-end-of-reservations");
	put(k.blob + 12, block - k.strings_size + 4);
	want(checked(k.blob, size), "strings", "strings-on-begin-of-structure");
	put(k.blob + 12, block + k.size - 4);
	want(checked(k.blob, size), "strings", "strings-on-end-of-structure");
	put(k.blob + 12, block + 4);
	put(k.blob + 32, 8);
	want(checked(k.blob, size), "strings", "strings-in-structure");
	maker_free(&k);
}

/* A letter makes a piece of a structure block. */
static void make_block(struct maker *k, const char *pieces)
{
	static char longest[TREE_MAX_NAME + 2];

	memset(longest, 'n', sizeof longest - 1);
	for (; *pieces; pieces++) {
		switch (*pieces) {
		case 'r': begin(k, ""); break;
		case 'n': begin(k, "node"); break;
		case '/': begin(k, "no/de"); break;
		case 's': begin(k, "no de"); break;
		case 'l': begin(k, longest + 1); break;
		case 'L': begin(k, longest); break;
		case 'p': prop(k, "prop", "value", 6); break;
		case 'q': prop(k, longest + 1, "", 1); break;
		case 'Q': prop(k, longest, "", 1); break;
		case 'e': prop(k, "", "", 1); break;
		case 'w': prop_at(k, 0x1000, "", 1); break;
		case 'x': prop_at(k, UINT32_MAX, "", 1); break;
		case 'v': cell(k, TREE_PROP); cell(k, 9); cell(k, string(k, "v")); cell(k, 0); break;
		case 'V': cell(k, TREE_PROP); cell(k, UINT32_MAX); cell(k, string(k, "v")); break;
		case 'c': cell(k, TREE_PROP); break;
		case '.': cell(k, TREE_END); break;
		case '0': cell(k, TREE_NOP); break;
		case '9': cell(k, TREE_LAST); break;
		case '5': cell(k, 5); break;
		}
	}
}

static void test_blocks(void)
{
	static const struct {
		const char *pieces, *why;
	} rows[] = {
		{ "r.9", NULL }, { "rp0pn.n..9", NULL }, { "r0.9", NULL }, { "r.09", "root" }, { "rlq..9", NULL },
		{ "", "no end" }, { "9", "root" }, { "0r.9", "root" }, { ".9", "root" }, { "p9", "root" }, { "n.9", "name" }, { "r", "no end" },
		{ "r.", "no end" }, { "r9", "no end" }, { "rn.9", "no end" }, { "r..9", "root" }, { "r.r.9", "root" }, { "r.p9", "root" },
		{ "r.90", "follows" }, { "r.99", "follows" }, { "rn.p.9", "outside" }, { "rr..9", "name" }, { "r/..9", "name" },
		{ "rs..9", "name" }, { "rL..9", "name" }, { "rQ.9", "name" }, { "re.9", "name" }, { "rw.9", "name" }, { "rx.9", "name" },
		{ "rv", "longer" }, { "rV.9", "longer" }, { "rc", "cut" }, { "r5.9", "token" },
	};

	for (unsigned i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		struct maker k;

		maker_new(&k);
		make_block(&k, rows[i].pieces);
		want(checked(k.blob, make(&k)), rows[i].why, rows[i].pieces);
		maker_free(&k);
	}
}

static void test_depth(void)
{
	for (unsigned depth = TREE_MAX_DEPTH; depth <= TREE_MAX_DEPTH + 1; depth++) {
		struct maker k;

		maker_new(&k);
		for (unsigned i = 0; i < depth; i++)
			begin(&k, i ? "n" : "");
		for (unsigned i = 0; i < depth; i++)
			cell(&k, TREE_END);
		cell(&k, TREE_LAST);
		want(checked(k.blob, make(&k)), depth > TREE_MAX_DEPTH ? "deep" : NULL, "depth");
		maker_free(&k);
	}
}

/* However it is cut or changed, the check says something and reads no byte too far; what it takes, so does the library. */
static void test_every_byte(void)
{
	struct maker k;
	uint32_t size = make_small(&k);
	unsigned taken = 0, refused = 0, wrong = 0;

	for (uint32_t n = 0; n < size; n++)
		checked(k.blob, n);
	for (uint32_t at = 0; at < size; at++) {
		for (unsigned bit = 0; bit < 8; bit++) {
			k.blob[at] ^= (uint8_t)(1u << bit);
			if (checked(k.blob, size))
				refused++;
			else
				taken++, wrong += fdt_check_full(k.blob, size) != 0;
			k.blob[at] ^= (uint8_t)(1u << bit);
		}
	}
	check(taken && refused, "some bits matter, some do not");
	check_eq(wrong, 0, "what is taken is a tree to the library");
	maker_free(&k);
}

/* ---- The copy ---- */

static void test_copy(void)
{
	struct maker k;
	uint32_t size = make_small(&k), first, second;
	void *a = tree_copy(k.blob, &first), *b = tree_copy(a, &second);

	check(first < size && first == fdt_totalsize(a), "a copy has no gaps");
	check(!tree_check(a, first) && !fdt_check_full(a, first), "a copy is a tree");
	check(same_tree(k.blob, a), "a copy has the same nodes and properties");
	check(first == second && !memcmp(a, b, first), "a copy of a copy is the copy");
	check_eq(fdt_off_mem_rsvmap(a), 40, "a copy begins without a gap");
	free(a);
	free(b);
	maker_free(&k);
}

/* cede's own, as it begins and packed. */
static void test_own(const struct machine *m)
{
	void *packed = malloc(TREE_MAX_SIZE), *copy;
	uint32_t size;

	memcpy(packed, m->fdt, m->fdt_size);
	want(tree_check(m->fdt, m->fdt_size), NULL, "own tree");
	check(!fdt_pack(packed), "packs");
	want(tree_check(packed, fdt_totalsize(packed)), NULL, "own tree, packed");
	copy = tree_copy(packed, &size);
	check(same_tree(packed, copy), "own tree, copied");
	free(copy);
	free(packed);
}

/* ---- The tree in a snapshot ---- */

/* What a load says; NULL: it takes it. */
static const char *loaded(struct machine *m, const uint8_t *blob, uint32_t size, struct stream *s)
{
	uint8_t *section = malloc(8 + (size_t)size);
	struct error err = { .msg = "" };
	struct vms_walk w = { .stream = s, .section = "spapr_dtb", .state = &spapr_dtb_state };
	bool good;

	put(section, size);
	put(section + 4, size);
	memcpy(section + 8, blob, size);
	good = stream_open_memory(s, section, 8 + (size_t)size, &err) && vms_load(&w, &spapr_dtb_state, m, 1);
	stream_close(s);
	free(section);
	return good ? NULL : s->error.msg;
}

static void test_snapshot(struct machine *m)
{
	struct stream s;
	struct maker k;
	uint32_t size = make_small(&k), rsv = get(k.blob + 16);

	want(loaded(m, k.blob, size, &s), NULL, "a snapshot's tree");
	check(m->fdt_size == size && !memcmp(m->fdt, k.blob, size), "a snapshot's tree is as it was");
	put(k.blob + 4, size + 4);
	want(loaded(m, k.blob, size, &s), "its size is wrong", "a snapshot's tree, larger than its bytes");
	put(k.blob + 4, size);
	put(k.blob + 20, 15);
	want(loaded(m, k.blob, size, &s), "version 17", "a snapshot's tree of version 15");
	put(k.blob + 20, 17);
	memset(k.blob + rsv, 0xff, get(k.blob + 8) - rsv);
	want(loaded(m, k.blob, size, &s), "reservations have no good end", "a snapshot's tree, reservations over the structure");
	check(!m->fdt && !m->fdt_size, "what is refused is not kept");
	maker_free(&k);
}

/* ---- What a guest may ask of the largest trees ---- */

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

/* Arguments at ARGS, the name of the service behind them. */
static int64_t call(struct machine *m, const char *service, unsigned n, const uint32_t *in, uint32_t *out)
{
	int64_t rc;

	ram_write(&m->ram, ARGS + 0x80, service, strlen(service) + 1);
	st_be32(&m->ram, ARGS, ARGS + 0x80);
	st_be32(&m->ram, ARGS + 4, n);
	st_be32(&m->ram, ARGS + 8, 1);
	for (unsigned i = 0; i < n; i++)
		st_be32(&m->ram, ARGS + 12 + 4 * i, in[i]);
	rc = firmware_client(&m->cpu[0]->cpu, ARGS);
	*out = ld_be32(&m->ram, ARGS + 12 + 4 * n);
	return rc;
}

#define NAME1 (ARGS + 0x200)		/* the last property's */
#define NAME2 (ARGS + 0x300)		/* one that is not there */
#define PATH  (ARGS + 0x400)		/* of the last node */
#define BUF   (ARGS + 0x1000)

static const struct {
	const char *service;
	unsigned n;
	uint32_t in[4];
} calls[] = {
	{ "peer", 1, { 0 } }, { "peer", 1, { 2 } }, { "child", 1, { 1 } }, { "parent", 1, { 2 } }, { "getprop", 4, { 1, NAME1, BUF, 64 } },
	{ "getprop", 4, { 2, NAME2, BUF, 64 } }, { "getproplen", 2, { 1, NAME2 } }, { "nextprop", 3, { 1, NAME1, BUF } },
	{ "nextprop", 3, { 2, NAME1, BUF } }, { "finddevice", 1, { PATH } }, { "finddevice", 1, { NAME1 } }, { "open", 1, { PATH } },
	{ "package-to-path", 3, { 2, BUF, 64 } }, { "instance-to-path", 3, { 2, BUF, 64 } }, { "setprop", 4, { 2, NAME1, BUF, 4 } },
	{ "setprop", 4, { 1, NAME2, BUF, 4 } }, { "peer", 1, { 1 } }, { "claim", 3, { 0x3000000, 4096, 0 } }, { "release", 2, { 0x3000000, 4096 } },
	{ "write", 3, { 2, BUF, 65536 } }, { "test-method", 2, { 2, NAME1 } }, { "quiesce", 0, { 0 } }, { "setprop", 4, { 2, NAME2, BUF, 2048 } },
};

static void test_calls(struct machine *m, const char *name)
{
	for (unsigned i = 0; i < sizeof calls / sizeof calls[0]; i++) {
		double start = now(), took;
		uint32_t out;
		int64_t rc = call(m, calls[i].service, calls[i].n, calls[i].in, &out);

		took = now() - start;
		check(rc == H_SUCCESS && took < CALL_LIMIT * SLOWER, "%s: %s %u takes less than %.0f ms", name, calls[i].service, i, CALL_LIMIT * SLOWER * 1e3);
		if (took > CALL_LIMIT * SLOWER / 10)
			printf("# %s %s: %.3f ms\n", name, calls[i].service, took * 1e3);
	}
}

/* What the tree is full of, between the root's begin and its end. */
static void fill_nodes(struct maker *k, const char *text)
{
	while (k->size < TREE_MAX_SIZE - 400) {
		begin(k, text);
		cell(k, TREE_END);
	}
}

static void fill_props(struct maker *k, const char *text)
{
	uint32_t at = string(k, text);

	while (k->size + k->strings_size < TREE_MAX_SIZE - 800)
		prop_at(k, at, NULL, 0);
}

static void fill_names(struct maker *k, const char *text)
{
	for (unsigned i = 0; k->size + k->strings_size < TREE_MAX_SIZE - 800; i++) {
		char name[TREE_MAX_NAME + 1];

		snprintf(name, sizeof name, "%.40s%u", text, i);
		prop(k, name, NULL, 0);
	}
}

/* Names that differ at their ends from what a call asks for. */
static void fill_strings(struct maker *k, const char *text)
{
	(void)text;
	memset(k->strings + k->strings_size, 'a', TREE_MAX_SIZE / 2);
	k->strings_size += TREE_MAX_SIZE / 2;
	for (uint32_t i = 1; i < TREE_MAX_SIZE / 2 / TREE_MAX_NAME; i++)
		k->strings[k->strings_size - i * TREE_MAX_NAME] = 0;
	k->strings[k->strings_size - 1] = 0;
	while (k->size + k->strings_size < TREE_MAX_SIZE - 800)
		prop_at(k, k->strings_size - TREE_MAX_NAME + 1, NULL, 0);
}

static void fill_depth(struct maker *k, const char *text)
{
	while (k->size < TREE_MAX_SIZE - 0x2000) {
		for (unsigned i = 0; i < TREE_MAX_DEPTH - 1; i++)
			begin(k, text);
		for (unsigned i = 0; i < TREE_MAX_DEPTH - 1; i++)
			cell(k, TREE_END);
	}
}

static const struct {
	const char *name, *text;
	void (*fill)(struct maker *k, const char *text);
	bool nodes;			/* after the properties of the root */
} shapes[] = {
	{ "nodes", "n", fill_nodes, true }, { "named-nodes", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", fill_nodes, true },
	{ "chains", "n", fill_depth, true }, { "properties", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaab", fill_props, false },
	{ "names", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", fill_names, false }, { "strings", "", fill_strings, false },
};

/* The root has phandle 1, the last node has 2: both at the far end of all the rest. */
static uint32_t make_shape(struct maker *k, unsigned shape)
{
	maker_new(k);
	begin(k, "");
	if (!shapes[shape].nodes)
		shapes[shape].fill(k, shapes[shape].text);
	phandle(k, 1);
	if (shapes[shape].nodes)
		shapes[shape].fill(k, shapes[shape].text);
	begin(k, "last");
	phandle(k, 2);
	cell(k, TREE_END);
	cell(k, TREE_END);
	cell(k, TREE_LAST);
	return make(k);
}

/* ibm,client-architecture-support, by hypercall; its tree may be too large for the buffer. And ibm,update-properties. */
static void test_negotiation(struct machine *m, const char *name)
{
	/* One processor version, then five option vectors of which the last asks for radix. */
	static const uint8_t vector[128] = { 0xff, 0xff, 0xff, 0xff, 0x0f, 0x00, 0x00, 0x05, 0, 0, 0, 0, 0xff, 0xff, 0xff, 0xff, 4,
					     [25] = 31, [49] = 0x40 };
	char path[256] = "";
	double start = now();
	int64_t rc;
	int node;

	ram_write(&m->ram, NAME1 - 0x100, vector, sizeof vector);
	rc = firmware_cas(&m->cpu[0]->cpu, (const uint64_t[4]){ NAME1 - 0x100, AT, TREE_MAX_SIZE });
	check((rc == H_SUCCESS || rc == H_HARDWARE) && now() - start < CALL_LIMIT * SLOWER, "%s: negotiation takes less than %.0f ms", name, CALL_LIMIT * SLOWER * 1e3);
	start = now();
	node = fdt_node_offset_by_phandle(m->fdt, 3);
	fdt_get_path(m->fdt, node < 0 ? 0 : node, path, sizeof path);
	check(now() - start < CALL_LIMIT * SLOWER, "%s: a path by a handle that is not there", name);
}

static void test_large(struct machine *m)
{
	m->firmware->tree_limit = TREE_MAX_SIZE;
	ram_fill(&m->ram, NAME2, 'a', 60);
	ram_write(&m->ram, PATH, "/last", 6);
	ram_write(&m->ram, NAME1, "phandle", 8);
	for (unsigned i = 0; i < sizeof shapes / sizeof shapes[0]; i++) {
		struct maker k;
		uint32_t size = make_shape(&k, i);
		double start;

		check(size > TREE_MAX_SIZE / 10 * 9 && size <= TREE_MAX_SIZE, "%s: large", shapes[i].name);
		ram_write(&m->ram, AT, k.blob, size);
		start = now();
		check_eq(firmware_update_dt(&m->cpu[0]->cpu, (const uint64_t[4]){ AT }), H_SUCCESS, "%s: taken", shapes[i].name);
		check(now() - start < CALL_LIMIT * SLOWER, "%s: taken in less than %.0f ms", shapes[i].name, CALL_LIMIT * SLOWER * 1e3);
		maker_free(&k);
		/* A guest's own has no room: with room it is moved about. */
		test_calls(m, shapes[i].name);
		m->fdt = realloc(m->fdt, TREE_MAX_SIZE);
		check(!fdt_open_into(m->fdt, m->fdt, TREE_MAX_SIZE), "%s: with room", shapes[i].name);
		m->fdt_size = TREE_MAX_SIZE;
		firmware_tree_changed(m);
		test_calls(m, shapes[i].name);
		test_negotiation(m, shapes[i].name);
		want(tree_check(m->fdt, m->fdt_size), NULL, shapes[i].name);
	}
}

/* ---- What a call may make of it ---- */

/* A property that could not be loaded again cannot be set. */
static void test_setprop(struct machine *m)
{
	static const char *const bad[] = { "", " ", "a b", "a/b", "\xff", "\n" };
	uint32_t out;
	struct maker k;
	uint32_t size = make_small(&k);

	free(m->fdt);
	m->fdt = k.blob;
	k.blob = NULL;
	check(!fdt_open_into(m->fdt, m->fdt, TREE_MAX_SIZE) && size, "small tree, with room");
	m->fdt_size = TREE_MAX_SIZE;
	firmware_tree_changed(m);
	for (unsigned i = 0; i < sizeof bad / sizeof bad[0]; i++) {
		ram_write(&m->ram, NAME1, bad[i], strlen(bad[i]) + 1);
		call(m, "setprop", 4, (const uint32_t[]){ 1, NAME1, BUF, 4 }, &out);
		check_eq(out, UINT32_MAX, "setprop %u is refused", i);
	}
	ram_write(&m->ram, NAME1, "linux,good", 11);
	call(m, "setprop", 4, (const uint32_t[]){ 1, NAME1, BUF, 4 }, &out);
	check_eq(out, 4, "setprop");
	want(tree_check(m->fdt, m->fdt_size), NULL, "after setprop");
	maker_free(&k);
}

/* Relatives, as the blob has them. */
static void test_relatives(struct machine *m)
{
	static const struct {
		const char *service;
		uint32_t of, is;
	} rows[] = {
		{ "peer", 0, 1 }, { "peer", 1, 0 }, { "peer", 2, 4 }, { "peer", 3, 0 }, { "peer", 4, 0 }, { "child", 1, 2 }, { "child", 2, 3 },
		{ "child", 3, 0 }, { "child", 4, 0 }, { "parent", 1, 0 }, { "parent", 2, 1 }, { "parent", 3, 2 }, { "parent", 4, 1 },
	};
	uint32_t out;

	for (unsigned i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		call(m, rows[i].service, 1, &rows[i].of, &out);
		check_eq(out, rows[i].is, "%s of %u", rows[i].service, rows[i].of);
	}
}

int main(void)
{
	struct rig rig;

	test_heads();
	test_reservations();
	test_order();
	test_blocks();
	test_depth();
	test_every_byte();
	test_copy();
	rig_new(&rig, "1");
	test_own(rig.m);
	test_snapshot(rig.m);
	test_large(rig.m);
	test_setprop(rig.m);
	test_relatives(rig.m);
	rig_free(&rig);
	return check_done();
}

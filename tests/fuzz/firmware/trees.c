/* Gives an input as a device tree: by H_UPDATE_DT, or as the tree of a snapshot; of one that is taken, asks all that can be
 * asked, and changes it in every way. The first byte selects. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <libfdt.h>

#include "firmware/fdt.h"
#include "firmware/firmware.h"
#include "firmware/state.h"
#include "firmware/tree_check.h"
#include "hcall/hcall.h"
#include "machine/rtas/rtas.h"
#include "savevm/stream.h"
#include "savevm/vmstate.h"
#include "tests/fuzz/firmware/rig.h"
#include "tests/fuzz/rng.h"

#define FROM_FILE  1			/* bits of the first byte */
#define WITH_ROOM  2
#define RTAS_UPDATE_PROPERTIES "ibm,update-properties"

#define MAX_NODES  40			/* that are looked at closely: a mutant with thousands teaches no more */
#define MAX_PROPS  24

/* ---- Giving it ---- */

/* What is taken is a tree to the library, and so is a copy, which is the same again when it is copied. */
static void check_copy(const void *blob, uint32_t size)
{
	uint32_t first, second;
	void *a, *b;

	if (fdt_check_full(blob, size))
		die("check", "the library refuses what it takes");
	a = tree_copy(blob, &first);
	b = tree_copy(a, &second);
	if (first > size || first != second || memcmp(a, b, first) || tree_check(a, first))
		die("copy", "it is not the same again");
	free(a);
	free(b);
}

static bool give(const uint8_t *blob, uint32_t size)
{
	ram_write(&rig->ram, RIG_TREE, blob, size);
	return firmware_update_dt(&rig->cpu[0]->cpu, (const uint64_t[4]){ RIG_TREE }) == H_SUCCESS;
}

/* A section spapr_dtb: sizes, and the blob. */
static bool load(const uint8_t *blob, uint32_t size)
{
	uint8_t *section = malloc(8 + (size_t)size);
	struct stream s;
	struct error err = { .msg = "" };
	struct vms_walk w = { .stream = &s, .section = "spapr_dtb", .state = &spapr_dtb_state };
	bool good;

	memcpy(section, &(const uint32_t[]){ __builtin_bswap32(size), __builtin_bswap32(size) }, 8);
	memcpy(section + 8, blob, size);
	if (!stream_open_memory(&s, section, 8 + (size_t)size, &err))
		die("stream", err.msg);
	good = vms_load(&w, &spapr_dtb_state, rig, 1);
	if (!good && !*s.error.msg)
		die("refused", "without a word");
	stream_close(&s);
	free(section);
	return good;
}

/* ---- Asking ---- */

static void ask_properties(uint32_t node)
{
	char name[64] = "";

	for (unsigned i = 0; i < MAX_PROPS; i++) {
		if (CALL("nextprop", node, rig_text(name), RIG_BUF) != 1)
			break;
		if (!ram_read(&rig->ram, RIG_BUF, name, sizeof name) || !memchr(name, 0, sizeof name))
			break;
		CALL("getproplen", node, rig_text(name));
		CALL("getprop", node, rig_text(name), RIG_BUF, 0x100);
	}
	CALL("getprop", node, rig_text("name"), RIG_BUF, 0x100);
}

static void ask_node(uint32_t node)
{
	char path[256];
	uint32_t ihandle;

	ask_properties(node);
	CALL("parent", node);
	if (CALL("package-to-path", node, RIG_BUF, sizeof path) == UINT32_MAX)
		return;
	ram_read(&rig->ram, RIG_BUF, path, sizeof path);
	path[sizeof path - 1] = 0;
	CALL("finddevice", rig_text(path));
	ihandle = CALL("open", rig_text(path));
	CALL("write", ihandle, RIG_BUF, 16);
	CALL("read", ihandle, RIG_BUF, 32);
	CALL("instance-to-path", ihandle, RIG_BUF, sizeof path);
	CALL("call-method", rig_text("instantiate-rtas"), ihandle, 0x700000);
	CALL("test-method", node, rig_text("ibm,client-architecture-support"));
	CALL("close", ihandle);
}

/* Nodes in the tree's order, by their handles: two may have the same one, which leads back. */
static void ask_nodes(void)
{
	uint32_t node = CALL("peer", 0);

	for (unsigned i = 0; node && node != UINT32_MAX && i < MAX_NODES; i++) {
		uint32_t next = CALL("child", node);

		ask_node(node);
		for (unsigned up = 0; !next && up < TREE_MAX_DEPTH; up++) {
			next = CALL("peer", node);
			if (!next)
				node = CALL("parent", node);
			if (!node)
				return;
		}
		node = next;
	}
}

static void ask_rtas(uint32_t phandle)
{
	st_be32(&rig->ram, RIG_BUF, phandle);
	st_be32(&rig->ram, RIG_ARGS, CALL("getprop", CALL("finddevice", rig_text("/rtas")), rig_text(RTAS_UPDATE_PROPERTIES), RIG_BUF + 16, 4) == 4 ?
		ld_be32(&rig->ram, RIG_BUF + 16) : 0);
	st_be32(&rig->ram, RIG_ARGS + 4, 2);
	st_be32(&rig->ram, RIG_ARGS + 8, 1);
	st_be32(&rig->ram, RIG_ARGS + 12, RIG_BUF);
	st_be32(&rig->ram, RIG_ARGS + 16, 1);
	rtas_call(&rig->cpu[0]->cpu, RIG_ARGS);
}

/* ---- Changing ---- */

static void change(void)
{
	uint32_t root = CALL("peer", 0), chosen = CALL("finddevice", rig_text("/chosen"));

	CALL("setprop", root, rig_text("fuzz,new"), RIG_BUF, 40);
	CALL("setprop", chosen, rig_text("linux,initrd-start"), RIG_BUF, 4);
	CALL("setprop", root, rig_text("fuzz,new"), RIG_BUF, 2000);
	CALL("setprop", root, rig_text("fuzz,new"), RIG_BUF, 0);
	CALL("claim", 0xa00000, 0x1000, 0);
	CALL("claim", 0, 0x1000, 0x1000);
	CALL("release", 0xa00000, 0x1000);
	CALL("finddevice", rig_text("hvterm:9"));
	CALL("finddevice", rig_text("self/self"));
	CALL("open", rig_text("rtas"));
	ask_rtas(root);
	rig_check();
	CALL("quiesce", 0);
	rig_call("quiesce", 0, NULL);
	rig_check();
	firmware_cas(&rig->cpu[0]->cpu, (const uint64_t[4]){ RIG_VECTOR, RIG_TREE, TREE_MAX_SIZE });
	rig_check();
	CALL("setprop", root, rig_text("fuzz,late"), RIG_BUF, 40);
	firmware_adopt(rig);
	rig_check();
}

/* ---- Mutants ---- */

/* A cell, often one of the header or the reservations: a token, a small number, what it was and a little, a place in the blob. */
static void change_cell(uint8_t *blob, size_t size, struct rng *rng)
{
	uint32_t at = 4 * rng_below(rng, rng_one_in(rng, 3) ? 16 : (uint32_t)(size / 4)), v;

	if (at + sizeof v > size)
		return;
	memcpy(&v, blob + at, sizeof v);
	v = __builtin_bswap32(v);
	switch (rng_below(rng, 5)) {
	case 0: v = (const uint32_t[]){ 1, 2, 3, 4, 9 }[rng_below(rng, 5)]; break;
	case 1: v = rng_below(rng, 64); break;
	case 2: v += 4 * rng_below(rng, 9) - 16; break;
	case 3: v = rng_below(rng, (uint32_t)size + 16); break;
	default: v = UINT32_MAX - rng_below(rng, 16); break;
	}
	v = __builtin_bswap32(v);
	memcpy(blob + at, &v, sizeof v);
}

/* Cells in or out of the middle, and the sizes that stand in the header the same again: some mutants are trees. */
static size_t move_cells(uint8_t *blob, size_t size, size_t max, struct rng *rng)
{
	uint32_t block, cells = 1 + rng_below(rng, 4), at, head[10];
	bool in = rng_one_in(rng, 2);

	if (size < 64)
		return size;
	memcpy(head, blob, sizeof head);
	block = __builtin_bswap32(head[2]);
	if (block % 4 || block > size - 4 || size + 4 * cells > max)
		return size;
	at = block + 4 * rng_below(rng, (uint32_t)(size - block) / 4);
	if (!in && size - at < 4 * cells)
		return size;
	memmove(blob + at + (in ? 4 * cells : 0), blob + at + (in ? 0 : 4 * cells), size - at - (in ? 0 : 4 * cells));
	for (unsigned i = 1; i < 10; i += i == 1 ? 2 : 6) {	/* total, strings, structure */
		uint32_t v = __builtin_bswap32(head[i]);

		head[i] = __builtin_bswap32(in ? v + 4 * cells : v - 4 * cells);
	}
	memcpy(blob, head, sizeof head);
	for (uint32_t i = 0; in && i < cells; i++) {
		uint32_t v = __builtin_bswap32((const uint32_t[]){ 1, 2, 3, 4, 0, 0x6e6f6400 }[rng_below(rng, 6)]);

		memcpy(blob + at + 4 * i, &v, sizeof v);
	}
	return in ? size + 4 * cells : size - 4 * cells;
}

size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max, unsigned seed)
{
	struct rng rng = { seed };

	if (size < 64)
		return LLVMFuzzerMutate(data, size, max);
	if (rng_one_in(&rng, 16))
		data[0] ^= (uint8_t)(1 + rng_below(&rng, 3));
	for (unsigned n = rng_one_in(&rng, 2) ? 1 : 2 + rng_below(&rng, 2); n; n--) {
		switch (rng_below(&rng, 5)) {
		case 0: size = 1 + move_cells(data + 1, size - 1, max - 1, &rng); break;
		case 1: size = 1 + LLVMFuzzerMutate(data + 1, size - 1, rng_one_in(&rng, 2) ? size - 1 : max - 1); break;
		case 2: data[48 + rng_below(&rng, (uint32_t)size - 48)] ^= (uint8_t)(1u << rng_below(&rng, 8)); break;
		default: change_cell(data + 1, size - 1, &rng); break;
		}
		if (size < 64)
			break;
	}
	return size;
}

/* ---- Seeds ---- */

static void seed(const char *name, const void *blob, uint32_t size)
{
	uint8_t *data = malloc(1 + (size_t)size);
	char path[64];

	memcpy(data + 1, blob, size);
	for (unsigned select = 0; select < 4; select++) {
		data[0] = (uint8_t)select;
		snprintf(path, sizeof path, "%s-%u", name, select);
		rig_seed(path, data, 1 + (size_t)size);
	}
	free(data);
}

/* With aliases that lead nowhere, reservations, pieces that say nothing. */
static void seed_small(void)
{
	uint8_t blob[2048];
	int node;

	fdt_create_empty_tree(blob, sizeof blob);
	fdt_add_mem_rsv(blob, 0x400000, 0x100000);
	fdt_setprop_u32(blob, 0, "phandle", 1);
	fdt_setprop_string(blob, 0, "gone", "a property that is not here");
	node = fdt_add_subnode(blob, 0, "aliases");
	fdt_setprop_string(blob, node, "self", "self");
	fdt_setprop_string(blob, node, "hvterm", "/chosen/deep/deeper");
	fdt_setprop(blob, node, "unending", "/chosen", 7);
	node = fdt_add_subnode(blob, 0, "chosen");
	fdt_setprop_u32(blob, node, "phandle", 2);
	node = fdt_add_subnode(blob, node, "deep");
	fdt_setprop_u32(blob, node, "linux,phandle", 3);
	node = fdt_add_subnode(blob, node, "deeper");
	fdt_setprop_u32(blob, node, "phandle", 4);
	fdt_setprop_u32(blob, node, "reg", 0x71000000);
	node = fdt_add_subnode(blob, 0, "rtas");
	fdt_setprop_u32(blob, node, "phandle", 5);
	fdt_setprop(blob, node, "ibm,hypertas-functions", "hcall-splpar\0hcall-join\0hcall-pft", 34);
	fdt_nop_property(blob, 0, "gone");
	seed("roomy", blob, sizeof blob);
	fdt_pack(blob);
	seed("small", blob, fdt_totalsize(blob));
}

/* SLOF puts the strings before the structure. */
static void seed_strings_first(const void *fdt)
{
	uint32_t rsv_end = (uint32_t)fdt_off_dt_struct(fdt), strings = (uint32_t)fdt_size_dt_strings(fdt), at = (rsv_end + strings + 3) & ~3u;
	uint32_t size = at + (uint32_t)fdt_size_dt_struct(fdt);
	uint8_t *blob = calloc(1, size);

	memcpy(blob, fdt, rsv_end);
	memcpy(blob + rsv_end, (const char *)fdt + fdt_off_dt_strings(fdt), strings);
	memcpy(blob + at, (const char *)fdt + fdt_off_dt_struct(fdt), size - at);
	fdt_set_totalsize(blob, size);
	fdt_set_off_dt_struct(blob, at);
	fdt_set_off_dt_strings(blob, rsv_end);
	seed("strings-first", blob, size);
	free(blob);
}

static void make_seeds(void)
{
	fdt_pack(rig->fdt);
	seed("own", rig->fdt, fdt_totalsize(rig->fdt));
	seed_strings_first(rig->fdt);
	seed_small();
}

/* ---- libFuzzer's ---- */

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	rig_begin(*argc, *argv, make_seeds);
	return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	bool good;

	if (size < 2 || size > TREE_MAX_SIZE)
		return 0;
	rig_reset();
	good = data[0] & FROM_FILE ? load(data + 1, (uint32_t)size - 1) : give(data + 1, (uint32_t)size - 1);
	rig_count(good);
	if (!good)
		return 0;
	check_copy(rig->fdt, (uint32_t)rig->fdt_size);
	if (data[0] & WITH_ROOM) {
		rig->fdt = realloc(rig->fdt, TREE_MAX_SIZE);
		if (fdt_open_into(rig->fdt, rig->fdt, TREE_MAX_SIZE))
			die("tree", "cannot be given room");
		rig->fdt_size = TREE_MAX_SIZE;
		firmware_tree_changed(rig);
	}
	ask_nodes();
	change();
	ask_nodes();
	return 0;
}

/* Models of processors: each row is whole, and what a row says is what the machine shows the guest. */
#include <ctype.h>
#include <stdarg.h>

#include <libfdt.h>

#include "check.h"
#include "cpu/core/model.h"
#include "cpu/core/spr.h"
#include "cpu/core/timebase.h"
#include "cpu/engine/block.h"
#include "cpu/model/fit.h"
#include "cpu/model/models.h"
#include "firmware/fdt.h"
#include "firmware/firmware.h"
#include "firmware/state.h"
#include "hcall/hcall.h"
#include "rig.h"

#define VECTORS 0x180000
#define CORE     "/cpus/PowerPC,POWER99@0"
#define OLD_CORE "/cpus/PowerPC,POWER9@0"	/* in the tree of the rig, which began as another */

static bool is_small(const char *name)
{
	for (; *name; name++)
		if (isupper((unsigned char)*name))
			return false;
	return true;
}

static void test_row(const struct cpu_model *model)
{
	check(is_small(model->name) && is_small(model->alias), "%s-small-letters", model->name);
	check(cpu_model_find(model->name) == model && cpu_model_find(model->alias) == model, "%s-found", model->name);
	check(model->pvr && !strncmp(model->node, "PowerPC,", 8), "%s-has-a-name", model->name);
	check(model->nlevels && cpu_model_level(model)->logical_pvr, "%s-has-a-level", model->name);
	for (unsigned i = 0; i < model->nlevels; i++) {
		const struct cpu_level *level = &model->levels[i], *before = i ? level - 1 : level;

		check((level->logical_pvr & 0xffff) >= (before->logical_pvr & 0xffff) && level->since >= before->since, "%s-levels-in-order", model->name);
		check(level->pa_features_size >= 2 && level->pa_features[0] == level->pa_features_size - 2 && !level->pa_features[1],
		      "%s-%s-pa-features", model->name, level->name);
	}
	check_eq(cpu_model_level(model)->since, model->since, "%s-its-own-level", model->name);
	check(!model->radix_pages.n == !cpu_model_level(model)->radix, "%s-radix", model->name);
	check(model->slb_entries <= SLB_ENTRIES, "%s-slb", model->name);
}

/* A processor that nobody has built: whatever of it shows is from its row. */
static const uint8_t features[] = { 2, 0, 0xf2, 0x3f }, older[] = { 2, 0, 0x8f, 0 };
static const struct cpu_level levels[] = { { "p8", 0x0f000004, P8, false, older, sizeof older },
					   { "p9", 0x0f000006, P8, true, older, sizeof older },
					   { "p99", 0x0f000007, P10, true, features, sizeof features } };
static const struct cpu_model other = {
	.name = "power99", .alias = "power99_v1", .title = "POWER99", .pvr = 0x00990100, .since = P10, .levels = levels, .nlevels = 3,
	.node = "PowerPC,POWER99", .cache_line = 256, .l1d_size = 0x4000, .l1i_size = 0x2000, .slb_entries = 16, .large_dec_bits = 60,
	.segment_sizes = CPU_CELLS(28), .segment_pages = CPU_CELLS(12, 0, 1, 12, 0), .radix_pages = CPU_CELLS(12, 16),
};

enum { HASH = 0, RADIX = 0x40, BOTH = 0x80 };

static uint32_t cell_of(const void *fdt, const char *core, const char *name, unsigned index)
{
	int len;
	const fdt32_t *value = fdt_getprop(fdt, fdt_path_offset(fdt, core), name, &len);

	return value && len >= (int)(4 * (index + 1)) ? fdt32_to_cpu(value[index]) : 0;
}

static void test_tree(struct machine *m)
{
	static const struct { const char *name; uint32_t value; } cells[] = {
		{ "cpu-version", 0x00990100 }, { "d-cache-line-size", 256 }, { "i-cache-block-size", 256 }, { "d-cache-size", 0x4000 },
		{ "i-cache-size", 0x2000 }, { "ibm,slb-size", 16 }, { "ibm,dec-bits", 60 }, { "ibm,processor-segment-sizes", 28 },
		{ "ibm,segment-page-sizes", 12 }, { "ibm,processor-radix-AP-encodings", 12 }, { "ibm,pa-features", 0x0200f23f },
	};
	struct error err = { .msg = "" };
	void *fdt = tree_build(m, &(struct tree_boot){ 0 }, &err);

	for (unsigned i = 0; i < ARRAY_SIZE(cells); i++)
		check_eq(cell_of(fdt, CORE, cells[i].name, 0), cells[i].value, "tree-%s", cells[i].name);
	check_eq(cell_of(fdt, CORE, "ibm,processor-radix-AP-encodings", 1), 16, "tree-both-page-sizes");
	check_eq(cell_of(fdt, CORE, "ibm,pft-size", 1), 21, "tree-hash-page-table");
	free(fdt);
}

/* The guest knows up to that level, and asks for that MMU (byte 24 of option vector 5) and for hash page tables of other
 * sizes (byte 6); vec1: byte 3 of option vector 1. */
static void write_vectors(struct machine *m, uint8_t level, uint8_t mmu, uint8_t resizes, uint8_t vec1)
{
	uint8_t head[] = { 0xff, 0xff, 0xff, 0xff, 0x0f, 0, 0, 4, 0xff, 0xff, 0xff, 0xff, 0x0f, 0, 0, level, 0, 0, 0, 0, 0x0f, 0, 0, 5, 4,
			   2, 0, 0, vec1, 0, 0, 0, 0, 0, 0, 25, [35 + 6] = resizes, [35 + 24] = mmu, [35 + 26] = 0 };

	ram_write(&m->ram, VECTORS, head, sizeof head);
}

static int64_t negotiate_all(struct machine *m, uint8_t level, uint8_t mmu, uint8_t resizes, uint8_t vec1)
{
	write_vectors(m, level, mmu, resizes, vec1);
	return cas_negotiate(&m->cpu[0]->cpu, VECTORS);
}

static int64_t negotiate(struct machine *m, uint8_t level, uint8_t mmu)
{
	return negotiate_all(m, level, mmu, 0, 0x80);
}

/* -M resize-hpt=: whether a guest that can change its hash page table's size may, or must. */
static void test_resizing(struct machine *m, struct config *o)
{
	static const struct { enum resize_hpt option; uint8_t mmu, asks; int64_t rc; bool gets; const char *name; } rows[] = {
		{ RESIZE_HPT_DEFAULT, HASH, 1, H_SUCCESS, true, "default" }, { RESIZE_HPT_ENABLED, HASH, 1, H_SUCCESS, true, "enabled" },
		{ RESIZE_HPT_DISABLED, HASH, 1, H_SUCCESS, false, "disabled" }, { RESIZE_HPT_ENABLED, HASH, 0, H_SUCCESS, false, "not-asked" },
		{ RESIZE_HPT_REQUIRED, HASH, 1, H_SUCCESS, true, "required" }, { RESIZE_HPT_REQUIRED, HASH, 0, H_HARDWARE, false, "required-not-asked" },
		{ RESIZE_HPT_REQUIRED, RADIX, 0, H_SUCCESS, false, "required-radix" },
	};

	for (unsigned i = 0; i < ARRAY_SIZE(rows); i++) {
		o->resize_hpt = rows[i].option;
		check_eq((uint64_t)negotiate_all(m, 5, rows[i].mmu, rows[i].asks, 0x80), (uint64_t)rows[i].rc, "resize-%s", rows[i].name);
		check_eq(rows[i].rc == H_SUCCESS && m->ov5_cas[0] >> 47 & 1, rows[i].gets, "resize-%s-gets-it", rows[i].name);
	}
	o->resize_hpt = RESIZE_HPT_DEFAULT;
}

/* Who does not know ISA 3.0 (option vector 1) is not told of the radix MMU. */
static void test_radix_feature(struct machine *m)
{
	static const struct { uint8_t vec1; bool told; const char *name; } rows[] = {
		{ 0x80, true, "radix-told" }, { 0x40, false, "radix-hidden" }, { 0xc0, true, "radix-told-again" },
	};

	for (unsigned i = 0; i < ARRAY_SIZE(rows); i++) {
		check_eq((uint64_t)negotiate_all(m, 5, HASH, 1, rows[i].vec1), H_SUCCESS, "%s-cas", rows[i].name);
		check_eq(cell_of(m->fdt, OLD_CORE, "ibm,pa-features", 10) >> 15 & 1, rows[i].told, "%s", rows[i].name);
	}
}

/* With max-cpu-compat= the tree offers what the level has: a guest asks for what is offered, and is refused the rest. */
static void test_offers(struct machine *m, struct config *o)
{
	static const struct { uint32_t compat; bool radix, wide; const char *name; } rows[] = {
		{ 0x0f000004, false, false, "offers-hash" }, { 0x0f000006, true, false, "offers-radix" }, { 0, true, true, "offers-its-own" },
	};
	struct error err = { .msg = "" };

	for (unsigned i = 0; i < ARRAY_SIZE(rows); i++) {
		o->compat_pvr = rows[i].compat;
		machine_clear(m);
		check(firmware_start(m, &err), "%s: %s", rows[i].name, err.msg);
		check_eq(m->cpu[0]->cpu.lpcr & LPCR_LD, rows[i].wide ? LPCR_LD : 0, "%s-large-decrementer", rows[i].name);
		check_eq(cell_of(m->fdt, CORE, "ibm,dec-bits", 0), rows[i].wide ? 60 : 0, "%s-dec-bits", rows[i].name);
		/* Bytes 23 and 24; 25 and 26. */
		check_eq(cell_of(m->fdt, "/chosen", "ibm,arch-vec-5-platform-support", 0) & 0xffff, rows[i].radix ? 0x18c0 : 0x1800, "%s", rows[i].name);
		check_eq(cell_of(m->fdt, "/chosen", "ibm,arch-vec-5-platform-support", 1), rows[i].radix ? 0x19001a40 : 0x19001a00, "%s-with-GTSE", rows[i].name);
	}
}

/* What a snapshot of another model brings, on each: what this one lacks is gone, and the rest as it was. */
static void test_fit(struct cpu *cpu)
{
	static const struct { const char *name; size_t offset; bool narrow; uint64_t value; uint64_t left[3]; } rows[] = {
#define ROW(field, value, ...) { #field, offsetof(struct cpu, field), sizeof cpu->field == 4, value, { __VA_ARGS__ } }
		ROW(dawr[0], 0x1000, 0x1000, 0x1000, 0x1000), ROW(dawrx[0], 7, 7, 7, 7), ROW(ciabr, 0x2003, 0x2003, 0x2003, 0x2003),
		ROW(dawr[1], 0x3000, 0, 0, 0x3000), ROW(dawrx[1], 7, 0, 0, 7),
		ROW(hashkeyr, 5, 0, 0, 5), ROW(dexcr, 5, 0, 0, 5), ROW(mmcr3, 5, 0, 0, 5), ROW(sier2, 5, 0, 0, 5),
		ROW(tidr, 5, 0, 5, 0), ROW(wort, 5, 5, 5, 0), ROW(psscr, 3, 0, 3, 3),
		ROW(tacr, 5, 5, 0, 0), ROW(acop, 5, 5, 0, 0), ROW(spmc[1], 5, 5, 0, 0), ROW(mmcrs, 5, 5, 0, 0),
		ROW(lr, 5, 5, 5, 5), ROW(mmcr2, 5, 5, 5, 5), ROW(dsisr, 5, 5, 5, 5), ROW(amr, 5, 5, 5, 5), ROW(tar, 5, 5, 5, 5),
		ROW(lpcr, LPCR_AIL | LPCR_ILE | LPCR_LD | LPCR_HR | LPCR_UPRT | LPCR_GTSE, LPCR_AIL | LPCR_ILE,
		    LPCR_AIL | LPCR_ILE | LPCR_LD | LPCR_HR | LPCR_UPRT | LPCR_GTSE, LPCR_AIL | LPCR_ILE | LPCR_LD | LPCR_HR | LPCR_UPRT | LPCR_GTSE),
		ROW(fscr, FSCR_BIT(FAC_TAR) | FSCR_BIT(FAC_SCV) | FSCR_BIT(FAC_PREFIX), FSCR_BIT(FAC_TAR), FSCR_BIT(FAC_TAR) | FSCR_BIT(FAC_SCV),
		    FSCR_BIT(FAC_TAR) | FSCR_BIT(FAC_SCV) | FSCR_BIT(FAC_PREFIX)),
#undef ROW
	};
	static const struct { int64_t dec, left; } decs[] = {
		{ 1000, 1000 }, { -1, -1 }, { INT64_C(1) << 40, INT32_MAX }, { -(INT64_C(1) << 40), INT32_MIN }, { INT32_MAX, INT32_MAX },
	};
	static const char *const models[] = { "power8", "power9", "power10" };
	struct cpu copy;

	for (unsigned i = 0; i < ARRAY_SIZE(models); i++) {
		copy = *cpu;
		for (unsigned k = 0; k < ARRAY_SIZE(rows); k++)
			memcpy((uint8_t *)&copy + rows[k].offset, &rows[k].value, rows[k].narrow ? 4 : 8);
		cpu_fit_model(&copy, cpu_model_find(models[i]));
		for (unsigned k = 0; k < ARRAY_SIZE(rows); k++) {
			uint64_t got = 0;

			memcpy(&got, (uint8_t *)&copy + rows[k].offset, rows[k].narrow ? 4 : 8);
			check_eq(got, rows[k].left[i], "fit-%s-%s", models[i], rows[k].name);
		}
		for (unsigned k = 0; k < ARRAY_SIZE(decs); k++) {
			copy.lpcr = LPCR_LD;
			cpu_set_dec(&copy, copy.cycles, (uint64_t)decs[k].dec);
			cpu_fit_model(&copy, cpu_model_find(models[i]));
			check_eq((uint64_t)cpu_dec(&copy, copy.cycles), (uint64_t)(i ? decs[k].dec : decs[k].left), "fit-%s-DEC-%u", models[i], k);
		}
	}
}

static void test_levels(struct machine *m, struct config *o)
{
	const struct cpu *cpu = &m->cpu[0]->cpu;

	check_eq(negotiate(m, 6, RADIX), H_SUCCESS, "cas");
	check_eq(cpu->logical_pvr, 0x0f000006, "cas-best-level-of-both");
	check_eq(cell_of(m->fdt, OLD_CORE, "cpu-version", 0), 0x0f000006, "cas-tree-says-it");
	check_eq(cell_of(m->fdt, OLD_CORE, "ibm,pa-features", 0), 0x02008200, "cas-features-of-both");
	check_eq(m->engine->problem_level, P8, "cas-problem-state-has-no-more");
	check_eq(m->engine->level, P9, "and-privileged-state-all");	/* the engine was made for the default processor */
	check(m->radix, "cas-radix");
	check_eq(negotiate(m, 5, RADIX), H_PARAMETER, "cas-no-radix-at-that-level");
	check_eq(negotiate(m, 5, HASH), H_SUCCESS, "cas-hash-at-that-level");
	check(!m->radix, "cas-hash");
	check_eq(negotiate(m, 6, BOTH), H_PARAMETER, "cas-both");
	check_eq(negotiate(m, 6, BOTH | RADIX), H_PARAMETER, "cas-both-and-radix");
	o->compat_pvr = 0x0f000006;
	check_eq(negotiate(m, 7, RADIX), H_PARAMETER, "cas-max-cpu-compat");
	o->compat_pvr = 0x0f0000ff;
	check_eq(negotiate(m, 7, RADIX), H_SUCCESS, "cas-max-cpu-compat-beyond-its-own");
	check_eq(cpu->logical_pvr, 0x0f000007, "cas-its-own-level");
	write_vectors(m, 5, HASH, 0, 0x80);
	check_eq((uint64_t)firmware_cas(&m->cpu[0]->cpu, (const uint64_t[4]){ VECTORS, VECTORS + 0x1000, 8 }), (uint64_t)H_PARAMETER,
		 "cas-into-a-small-buffer");
	check(m->radix && cpu->logical_pvr == 0x0f000007, "cas-into-a-small-buffer-changes-nothing");
}

int main(void)
{
	struct rig rig;

	for (unsigned i = 0; cpu_models[i]; i++)
		test_row(cpu_models[i]);
	check(!cpu_model_find("") && !cpu_model_find("power99"), "no-other");
	rig_new(&rig, "1");
	check(rig.options.cpu_model == cpu_models[0] && rig.m->cpu[0]->cpu.pvr == cpu_models[0]->pvr, "the-first-is-the-default");
	test_fit(&rig.m->cpu[0]->cpu);
	test_resizing(rig.m, &rig.options);
	test_radix_feature(rig.m);
	rig.options.cpu_model = &other;
	machine_clear(rig.m);
	check_eq(rig.m->cpu[0]->cpu.pvr, 0x00990100, "pvr");
	check_eq(rig.m->cpu[0]->cpu.logical_pvr, 0, "appears-as-what-it-is");
	test_tree(rig.m);
	test_levels(rig.m, &rig.options);
	test_offers(rig.m, &rig.options);
	rig_free(&rig);
	return check_done();
}

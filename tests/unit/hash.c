/* The hash MMU by itself: sizes of pages that only large machines have, the way from an entry back to an address, and which
 * address space a set of segments is. What a guest sees of it is tests/guest/hash.c. */
#include "check.h"

#include "cpu/core/cpu.h"
#include "cpu/engine/space.h"
#include "cpu/engine/tlb.h"
#include "cpu/mmu/hpt.h"
#include "cpu/mmu/mmu.h"
#include "cpu/mmu/slb.h"
#include "cpu/model/models.h"
#include "one_cpu.h"

#define MEMORY 0x100000u

static struct hpt table;

static void rig_with_table(struct rig *rig, unsigned shift)
{
	rig_make(rig, MEMORY, "flat", NULL, 0);
	hash_pages_choose(&table.pages, &cpu_models[0]->segment_pages, 34);
	if (!hpt_new(&table, shift))
		exit(EXIT_FAILURE);
	rig->env.hpt = &table;
	cpu_set_msr(rig->cpu, MSR_SF | MSR_ME | MSR_IR | MSR_DR);
}

/* ---- Sizes ---- */

static void test_chosen(void)
{
	static const struct { unsigned most, n; } rows[] = { { 12, 1 }, { 16, 2 }, { 24, 5 }, { 34, 6 } };
	static const struct { unsigned slb, base; } bases[] = { { 0, 12 }, { 0x110, 16 }, { 0x100, 24 }, { 0x120, 34 }, { 0x130, 0 }, { 0x10, 0 } };
	struct hash_pages pages;

	for (unsigned i = 0; i < ARRAY_SIZE(rows); i++) {
		hash_pages_choose(&pages, &cpu_models[0]->segment_pages, rows[i].most);
		check_eq(pages.n, rows[i].n, "sizes-up-to-2^%u", rows[i].most);
	}
	for (unsigned i = 0; i < ARRAY_SIZE(bases); i++)
		check_eq(pages.base_of[SLB_SIZE(bases[i].slb)], bases[i].base, "segment-0x%x", bases[i].slb);
	check_eq(hash_page_shift(&pages, 12, 0, 0), 12, "4K");
	check_eq(hash_page_shift(&pages, 16, 0, 0x1000), 0, "4K-is-none-of-64K");
	check_eq(hash_page_shift(&pages, 16, HPTE_L, 0x1000), 16, "64K");
	check_eq(hash_page_shift(&pages, 12, HPTE_L, 0x1000), 0, "64K-is-none-of-4K");
	check_eq(hash_page_shift(&pages, 12, HPTE_L, 0x5038000), 24, "16M-in-4K");
	check_eq(hash_page_shift(&pages, 16, HPTE_L, 0x5008000), 24, "16M-in-64K");
	check_eq(hash_page_shift(&pages, 24, HPTE_L, 0x5000000), 24, "16M");
	check_eq(hash_page_shift(&pages, 34, HPTE_L, 0x400003000), 34, "16G");
	check_eq(hash_page_shift_any(&pages, HPTE_L, 0x2000), 0, "no-such-page");
	check_eq(hpt_shift_for(UINT64_C(256) << 20), 21, "table-of-256M");
	check_eq(hpt_shift_for(UINT64_C(1) << 30), 23, "table-of-1G");
	check_eq(hpt_shift_for((UINT64_C(1) << 30) + 1), 24, "table-of-more");
	check_eq(hpt_shift_for(1), 18, "table-of-little");
}

/* An entry for `ea` in that segment, where it belongs. */
static uint64_t enter(const struct slb_entry *segment, uint64_t ea, bool second, uint64_t r, bool large)
{
	uint64_t offset = ea & ((UINT64_C(1) << SEGMENT_SHIFT(segment->vsid)) - 1);
	unsigned base = table.pages.base_of[SLB_SIZE(segment->vsid)];
	uint64_t hash = hpt_hash(segment->vsid, offset >> base << base, base), index;

	index = ((second ? ~hash : hash) & hpt_group_mask(&table)) * HPTEG_ENTRIES + ea % 8;
	hpt_put(&table, index, (segment->vsid & (SLB_B | SLB_VSID)) | (offset >> base << base >> 16 & HPTE_AVPN) | (second ? HPTE_H : 0) |
		(large ? HPTE_L : 0) | HPTE_V, r);
	return index;
}

static void test_large(void)
{
	static const struct { uint64_t slb, r, mask; const char *name; } rows[] = {
		{ 0, 0x7038000, 0xffffff, "16M-in-4K" }, { 0x110, 0x7008000, 0xffffff, "16M-in-64K" }, { 0x100, 0x7000000, 0xffffff, "16M" },
		{ 0x120 | SLB_1T, 0x400003000, 0x3ffffffff, "16G" },
	};
	struct rig rig;

	rig_with_table(&rig, 18);
	for (unsigned i = 0; i < ARRAY_SIZE(rows); i++) {
		uint64_t ea = UINT64_C(0x10000000000) + 0x5abcdef;
		struct translation t = { 0 };
		struct mmu_fault fault;

		slb_put(rig.cpu, 3, UINT64_C(0x10000000000) | SLB_V, UINT64_C(0x77) << 24 | rows[i].slb);
		enter(&rig.cpu->slb[3], ea, i & 1, rows[i].r | HPTE_M | 2, true);
		check(mmu_hash.translate(rig.cpu, ea, ACCESS_READ, &t, &fault) && t.read && !t.write, "%s", rows[i].name);
		check_eq(t.gra, (rows[i].r & ~rows[i].mask & HPTE_RPN) | (ea & rows[i].mask), "%s-where", rows[i].name);
	}
	rig_free(&rig);
	hpt_free(&table);
}

/* From an address to its entry and back. */
static void test_back(void)
{
	uint64_t seed = 1;
	unsigned right = 0, others = 0;
	struct rig rig;

	rig_with_table(&rig, 18);
	for (unsigned i = 0; i < 20000; i++) {
		uint64_t x = check_random(&seed), ea = check_random(&seed), found;
		unsigned base = x & 1 ? 16 : 12, shift;
		bool big = x & 2, second = x & 4;
		struct slb_entry segment = { (ea & (big ? SLB_ESID_1T : SLB_ESID)) | SLB_V,
					     (x & (big ? SLB_VSID_1T : SLB_VSID)) | (big ? SLB_1T : 0) | (base == 16 ? 0x110 : 0) };
		struct slb_entry other = { segment.esid, segment.vsid ^ UINT64_C(1) << (big ? 24 + x % 30 : 12 + x % 40) };
		uint64_t index = enter(&segment, ea, second, base == 16 ? 0x1000 : 0, base == 16);

		right += hpt_entry_in(&table, &table.entry[index], index, &segment, &found, &shift) && shift == base && found == ea >> base << base;
		others += hpt_entry_in(&table, &table.entry[index], index, &other, &found, &shift);
	}
	check_eq(right, 20000, "each-entry-s-address");
	check_eq(others, 0, "in-no-other-segment");
	rig_free(&rig);
	hpt_free(&table);
}

/* ---- Spaces ---- */

static void run_process(struct cpu *cpu, unsigned n, unsigned segments)
{
	for (unsigned i = 1; i < SLB_ENTRIES; i++)
		slb_put(cpu, i, cpu->slb[i].esid & ~SLB_V, cpu->slb[i].vsid);
	for (unsigned i = 0; i < segments; i++)
		slb_put(cpu, 1 + i, (uint64_t)i << 28 | SLB_V, (uint64_t)(n * 64 + i + 1) << 12);
}

static void test_spaces(void)
{
	struct rig rig;
	unsigned first, second;

	rig_with_table(&rig, 18);
	run_process(rig.cpu, 1, 2);
	first = space_now(rig.cpu);
	run_process(rig.cpu, 1, 5);
	check_eq(space_now(rig.cpu), first, "a-space-grows");
	run_process(rig.cpu, 2, 3);
	second = space_now(rig.cpu);
	check(second != first, "another-process-another-space");
	run_process(rig.cpu, 1, 5);
	check_eq(space_now(rig.cpu), first, "back-to-the-first");
	run_process(rig.cpu, 2, 1);
	check_eq(space_now(rig.cpu), second, "with-fewer-segments");
	slb_put(rig.cpu, 20, UINT64_C(0xc) << 60 | SLB_V, 0x999000);
	check_eq(space_now(rig.cpu), second, "the-kernel-s-segments-are-nobody-s");
	/* Two segments of different size, one in the other: nothing of what is found there lasts. */
	slb_put(rig.cpu, 21, SLB_V, SLB_1T | UINT64_C(9) << 24);
	first = space_now(rig.cpu);
	check_eq(space_now(rig.cpu), first, "segments-that-overlap");
	slb_put(rig.cpu, 20, 0, 0);
	check(space_now(rig.cpu) != first, "until-something-changes");
	rig_free(&rig);
	hpt_free(&table);
}

int main(void)
{
	test_chosen();
	test_large();
	test_back();
	test_spaces();
	return check_done();
}

/* Random calls for the hash page table, segments that come and go, keys and states, on eight processors that share it; and
 * after each of them, whether a TLB, of data or of instructions, or a jump cache still says something that the tables do
 * not. The argument is how many steps. */
#include "check.h"

#include "cpu/engine/block.h"
#include "cpu/engine/tlb.h"
#include "cpu/model/models.h"
#include "cpu/mmu/slb.h"
#include "hcall/hcall.h"
#include "rig.h"

#define CPUS 8
#define VSIDS 4u		/* few of everything, so that they meet */
#define SEGMENTS 5u
#define OFFSETS 8u

static uint64_t seed = 1;
static unsigned long fetches_known, jumps_known;	/* that were judged */

static uint64_t below(uint64_t n) { return check_random(&seed) % n; }
static bool one_in(uint64_t n) { return !below(n); }

/* ---- Addresses and entries ---- */

static uint64_t any_offset(void)
{
	static const uint64_t offsets[OFFSETS] = { 0, 0x1000, 0xf000, 0x10000, 0x800000, 0x1230000, 0xfff0000, 0xffff000 };

	return offsets[below(OFFSETS)];
}

static uint64_t any_esid(void)
{
	static const uint64_t esids[SEGMENTS] = { 0, 0x10000000, 0x30000000, UINT64_C(0xc) << 60, UINT64_C(0xfffffffff0000000) };

	return esids[below(SEGMENTS)];
}

/* SLB_B, VSID and the size of pages. */
static uint64_t any_segment(void)
{
	uint64_t vsid = 1 + below(VSIDS), size = one_in(2) ? 0x110 : one_in(4) ? 0x100 : 0;

	/* 16 GiB are more than a small segment has. */
	return !one_in(3) ? vsid << 12 | size : SLB_1T | vsid << 24 | (one_in(4) ? 0x120 : size);
}

/* The same for an SLB, where nobody asks what the VSID of a large segment has too many. */
static uint64_t any_slb_segment(void)
{
	uint64_t segment = any_segment();

	return segment & SLB_1T && one_in(8) ? segment | below(1 << 12) << 12 : segment;
}

/* Sizes of pages in segments of a base, and what an entry says for them: ibm,segment-page-sizes. Most are of the base. */
static const struct page { uint8_t base, shift; uint64_t code; } pages[] = {
	{ 12, 12, 0 }, { 12, 16, 7 }, { 12, 24, 0x38 }, { 16, 16, 1 }, { 16, 24, 8 }, { 24, 24, 0 }, { 34, 34, 3 },
};

static const struct page *any_page(unsigned base)
{
	const struct page *page = pages;

	while (page->base != base)
		page++;
	for (unsigned i = 0; i < 2; i++)
		if (one_in(5) && page + 1 < pages + ARRAY_SIZE(pages) && page[1].base == base)
			page++;
	return page;
}

static void any_entry(uint64_t *index, uint64_t *v, uint64_t *r)
{
	static const uint16_t pps[] = { 0, 1, 2, 2, 2, 3 };
	uint64_t segment = any_segment(), offset = any_offset();
	unsigned size = segment & 0x130,
		 base = size == 0x110 ? 16 : size == 0x120 ? 34 : size ? 24 : 12;
	const struct page *page = any_page(base);
	bool second = one_in(4);
	uint64_t hash = hpt_hash(segment, offset >> base << base, base);

	*index = (second ? ~hash : hash) * HPTEG_ENTRIES + below(HPTEG_ENTRIES);
	*v = (segment & (SLB_B | SLB_VSID)) | offset >> base << base >> 16 | (page->shift > 12 ? HPTE_L : 0) | (second ? HPTE_H : 0) | HPTE_V |
	     (one_in(4) ? HPTE_BOLTED : 0);
	*r = below(0x4000) << 12 >> page->shift << page->shift | page->code << 12 | HPTE_M | pps[below(6)] | (one_in(8) ? HPTE_N : 0) |
	     (one_in(8) ? UINT64_C(7) << 9 : 0);
}

/* ---- Steps ---- */

static int64_t call(struct machine *m, struct cpu *cpu, uint64_t number, uint64_t a, uint64_t b, uint64_t c, uint64_t d)
{
	const uint64_t in[] = { number, a, b, c, d };

	memcpy(&cpu->r[3], in, sizeof in);
	m->running = cpu;
	m->hcall_work = 0;
	ctx_catch_up(cpu);
	hcall_dispatch(cpu);
	m->running = NULL;
	return (int64_t)cpu->r[3];
}

static void all_catch_up(struct machine *m)
{
	for (unsigned i = 0; i < CPUS; i++)
		ctx_catch_up(&m->cpu[i]->cpu);
}

static void random_call(struct machine *m, struct cpu *cpu)
{
	static const uint16_t numbers[] = { 0x04, 0x04, 0x08, 0x08, 0x08, 0x08, 0x0c, 0x10, 0x14, 0x18, 0x18, 0x124 };
	uint64_t number = numbers[below(ARRAY_SIZE(numbers))], flags = 0, index, v, r, group_mask = hpt_group_mask(&m->hpt);

	any_entry(&index, &v, &r);
	index &= group_mask * HPTEG_ENTRIES | (HPTEG_ENTRIES - 1);
	if (one_in(50))
		index = check_random(&seed);
	if (one_in(4))
		flags = PPC_BIT(24);
	if (one_in(50))
		flags = check_random(&seed), v = check_random(&seed), r = check_random(&seed);
	if (number == 0x18)
		flags |= below(8);
	if (number == 0x124)
		call(m, cpu, number, UINT64_C(1) << 62 | (index & PPC_MASK(8, 63)), v, one_in(2) ? UINT64_C(3) << 62 : check_random(&seed), 0);
	else
		call(m, cpu, number, flags, index, v, r);
}

static void random_resize(struct machine *m, struct cpu *cpu)
{
	uint64_t shift = 18 + below(5);

	call(m, cpu, 0x36c, 0, shift, 0, 0);
	call(m, cpu, 0x370, 0, one_in(8) ? 20 : shift, 0, 0);
}

/* To the radix MMU and back at once: the table is gone, and what others have yet to forget was in it. */
static void random_mmu(struct machine *m, struct cpu *cpu)
{
	call(m, cpu, 0x37c, 0x1c, 0, 0, 0);
	all_catch_up(m);
	call(m, cpu, 0x37c, 0x18, 0, 0, 0);
}

/* More values than cede numbers at a time: of two keys that no page has, too. */
static uint64_t with_others(uint64_t keys)
{
	return keys | (one_in(2) ? PPC_BIT(40) : 0) | (one_in(2) ? PPC_BIT(43) : 0);
}

/* One way round, so that what stands at those addresses differs but the processor stays out of trouble. */
static void random_state(struct cpu *cpu)
{
	uint64_t msr = MSR_SF | MSR_ME | MSR_IR | MSR_DR;

	/* Key 7: no stores, or neither. */
	if (one_in(4))
		cpu->amr = with_others(one_in(2) ? 0 : one_in(2) ? PPC_BIT(14) : PPC_MASK(14, 15));
	if (one_in(4))
		cpu->iamr = with_others(one_in(2) ? 0 : PPC_BIT(15));
	cpu_set_msr(cpu, one_in(2) ? msr | MSR_PR | MSR_EE : msr);
	cpu_context_changed(cpu);
}

static void random_segment(struct cpu *cpu)
{
	unsigned i = (unsigned)below(6);

	if (one_in(3))
		slb_put(cpu, i, cpu->slb[i].esid & ~SLB_V, cpu->slb[i].vsid);
	else
		slb_put(cpu, i, any_esid() | SLB_V, any_slb_segment() | (one_in(4) ? SLB_KP : 0) | (one_in(4) ? SLB_KS : 0));
	cpu_context_changed(cpu);
}

/* ---- What a TLB says ---- */

static bool translate(struct cpu *cpu, uint64_t ea, enum access access, struct translation *t)
{
	struct mmu_fault fault;

	return mmu_hash.translate(cpu, ea, access, t, &fault) && ram_ok(cpu->env->ram, t->gra, 8);
}

static void fill(struct cpu *cpu, uint64_t ea)
{
	enum access access = one_in(2) ? ACCESS_WRITE : ACCESS_READ;
	struct translation t;

	if (translate(cpu, ea, access, &t))
		host_address(cpu, NULL, ea, 8, access);
}

/* A block stands for where it is: nobody runs it. */
static struct block *block_at(uint64_t gra) { return (struct block *)(uintptr_t)(gra | 1); }

static void fill_code(struct cpu *cpu, uint64_t ea)
{
	struct translation t;
	uint64_t gra;

	if (!translate(cpu, ea, ACCESS_EXEC, &t))
		return;
	if (!fetch_translate(cpu, ea, &gra))
		check(false, "fetched");
	else if (one_in(2))
		jump_insert(cpu, ea, block_at(gra));
}

/* Whether an instruction is where the tables say. */
static bool is_honest_code(struct cpu *cpu, uint64_t ea)
{
	const struct code_ctx *code = cpu->ctx->code_now;
	const struct itlb_entry *e = &code->itlb[ea >> RAM_PAGE_SHIFT & (ITLB_SIZE - 1)];
	const struct jump_entry *jump = &code->jumps[JUMP_INDEX(ea)];
	bool known = e->page == TLB_PAGE(ea), jumps = jump->ea == ea;
	struct translation t;

	fetches_known += known;
	jumps_known += jumps;
	if (!known && !jumps)
		return true;
	return translate(cpu, ea, ACCESS_EXEC, &t) && (!known || e->gra == (t.gra & ~(uint64_t)(RAM_PAGE_SIZE - 1))) &&
	       (!jumps || jump->block == block_at(t.gra));
}

/* Whether it is what the tables say, and asks them without changing anything: who is known has been referred to. */
static bool is_honest(struct cpu *cpu, uint64_t ea)
{
	const uint8_t *read = tlb_hit(cpu->tlb, ea, 1, false), *write = tlb_hit(cpu->tlb, ea, 1, true);
	struct translation t;

	if (!read && !write)
		return true;
	return translate(cpu, ea, ACCESS_READ, &t) && (!read || read == cpu->env->ram->base + t.gra) &&
	       (!write || (t.write && write == cpu->env->ram->base + t.gra));
}

static bool all_honest(struct machine *m)
{
	struct cpu *cpu = &m->cpu[below(CPUS)]->cpu;
	bool ok = true;

	ctx_catch_up(cpu);
	for (unsigned i = 0; i < 4; i++)
		ok &= is_honest(cpu, any_esid() + any_offset() + below(16) * 8);
	for (unsigned i = 0; i < 4; i++)
		ok &= is_honest_code(cpu, any_esid() + any_offset() + below(2) * 8);
	return ok;
}

static bool step(struct machine *m)
{
	struct cpu *cpu = &m->cpu[below(CPUS)]->cpu;

	ctx_catch_up(cpu);
	switch (below(9)) {
	case 0:
		random_segment(cpu);
		break;
	case 1:
		random_state(cpu);
		break;
	case 2:
	case 3:
		fill(cpu, any_esid() + any_offset());
		break;
	case 4:
	case 5:
		fill_code(cpu, any_esid() + any_offset() + below(2) * 8);
		break;
	default:
		if (one_in(2000))
			random_resize(m, cpu);
		else if (one_in(2000))
			random_mmu(m, cpu);
		else
			random_call(m, cpu);
	}
	return all_honest(m);
}

/* A POWER8 has no radix MMU to turn to, and keeps its table. */
static void test_no_radix(struct machine *m, struct config *options)
{
	const struct cpu_model *model = options->cpu_model;
	struct cpu *cpu = &m->cpu[0]->cpu;

	options->cpu_model = cpu_model_find("power8");
	check_eq((uint64_t)call(m, cpu, 0x37c, 0x1c, 0, 0, 0), (uint64_t)H_PARAMETER, "no-radix-to-turn-to");
	check(m->hpt.entry && !(cpu->lpcr & LPCR_HR), "and-the-table-stays");
	check_eq((uint64_t)call(m, cpu, 0x37c, 0x19, 0, 0, 0), (uint64_t)H_SUCCESS, "a-hash-guest's-table");
	check(!(cpu->lpcr & LPCR_GTSE), "no-shootdown-by-the-guest");
	options->cpu_model = model;
	call(m, cpu, 0x37c, 0x1c, 0, 0, 0);
	check(cpu->lpcr & LPCR_HR && m->radix, "radix");
	call(m, cpu, 0x37c, 0x14, 0, 0, 0);
	check(cpu->lpcr & LPCR_HR && m->radix && !m->hpt.entry, "still-radix-without-a-new-table");
	call(m, cpu, 0x37c, 0x10, 0, 0, 0);
	check(cpu->lpcr & LPCR_HR && m->radix && !m->hpt.entry, "flags-without-a-table-do-not-choose-the-mmu");
}

/* H_ENTER's flag that zeroes a page, where pages are large. */
static void test_zero(struct machine *m)
{
	struct cpu *cpu = &m->cpu[0]->cpu;
	uint64_t zero = PPC_BIT(48), page = UINT64_C(1) << 24, memory = m->ram.size, v = HPTE_L | HPTE_V, r = HPTE_M | 2;

	for (uint64_t i = 0; i < hpt_entries(&m->hpt); i++)
		hpt_put(&m->hpt, i, 0, 0);
	memset(m->ram.base + page - 1, 0xff, page + 2);
	check_eq((uint64_t)call(m, cpu, 0x08, zero, 0, v, page | r), H_SUCCESS, "zero-16M");
	check(m->ram.base[page - 1] && m->ram.base[2 * page], "zero-16M-nothing-beside-it");
	check(!m->ram.base[page] && !memcmp(m->ram.base + page, m->ram.base + page + 1, page - 1), "zero-16M-all");
	check(m->hcall_work >= page, "zero-16M-is-work");
	m->ram.size = page + 0x1000;
	check_eq((uint64_t)call(m, cpu, 0x08, zero, 0, v, page | r), (uint64_t)H_PARAMETER, "zero-beyond-memory");
	/* As if there were memory for it: nobody touches that. */
	m->ram.size = UINT64_C(1) << 35;
	check_eq((uint64_t)call(m, cpu, 0x08, zero, 0, v, 0x3000 | r), (uint64_t)H_PARAMETER, "zero-16G");
	m->ram.size = memory;
	check_eq((uint64_t)call(m, cpu, 0x08, 0, 0, v, 0x3000 | r), H_SUCCESS, "enter-16G");
	check(m->ram.base[page - 1], "zero-16G-nothing");
}

/* Bits W, I, M, G of an entry for memory. */
static void test_attributes(struct machine *m)
{
	static const struct { uint64_t wimg; bool power9, power10; } rows[] = {
		{ HPTE_M, true, true }, { HPTE_W | HPTE_I | HPTE_M, true, false }, { HPTE_I | HPTE_M, false, false }, { HPTE_I, false, false },
		{ HPTE_W | HPTE_M, false, false }, { HPTE_WIMG, false, false }, { 0, false, false },
	};
	struct cpu *cpu = &m->cpu[0]->cpu;
	enum insn_since own = cpu->engine->level;

	for (unsigned i = 0; i < sizeof rows / sizeof rows[0]; i++)
		for (unsigned power10 = 0; power10 < 2; power10++) {
			cpu->engine->level = power10 ? P10 : P9;
			hpt_put(&m->hpt, 8, 0, 0);
			check_eq((uint64_t)call(m, cpu, 0x08, 0, 8, HPTE_V, 0x3000 | rows[i].wimg | 2),
				 (power10 ? rows[i].power10 : rows[i].power9) ? H_SUCCESS : (uint64_t)H_PARAMETER, "attributes-%llx-power%u",
				 (unsigned long long)rows[i].wimg, 9 + power10);
		}
	cpu->engine->level = own;
}

int main(int argc, char **argv)
{
	unsigned long steps = argc > 1 ? strtoul(argv[1], NULL, 0) : 100000, wrong = 0, valid = 0, large = 0, huge = 0;
	struct rig rig;

	rig_new(&rig, "8");
	machine_clear(rig.m);
	hash_pages_choose(&rig.m->hpt.pages, &cpu_models[0]->segment_pages, 34);
	for (unsigned i = 0; i < CPUS; i++)
		random_state(&rig.m->cpu[i]->cpu);
	for (unsigned long i = 0; i < steps && !wrong; i++) {
		wrong += !step(rig.m);
		if (wrong)
			printf("step %lu\n", i);
	}
	for (uint64_t i = 0; i < hpt_entries(&rig.m->hpt); i++) {
		const struct hpte *e = &rig.m->hpt.entry[i];

		valid += (e->v & HPTE_V) != 0;
		large += e->v & HPTE_V && hash_page_shift_any(&rig.m->hpt.pages, e->v, e->r) == 24;
		huge += e->v & HPTE_V && hash_page_shift_any(&rig.m->hpt.pages, e->v, e->r) == 34;
	}
	check_eq(wrong, 0, "tlbs-say-what-tables-say");
	check(valid > 30 && large > 10 && huge, "there-are-entries: %lu, %lu of 16 MiB, %lu of 16 GiB", valid, large, huge);
	check(fetches_known > steps / 100 && jumps_known > steps / 1000, "instructions-were-judged: %lu pages, %lu jumps", fetches_known, jumps_known);
	test_zero(rig.m);
	test_attributes(rig.m);
	test_no_radix(rig.m, &rig.options);
	rig_free(&rig);
	return check_done();
}

/* Loads and stores that leave RAM: which accesses a device sees, at which cycle and instruction; that the guest gets what
 * it answers; and what happens where there is none. */
#include <stdarg.h>

#include "check.h"
#include "cpu/engine/block.h"
#include "cpu/engine/tlb.h"

#define CODE   0x1000u
#define SIZE   (UINT64_C(1) << 20)
#define DEVICE UINT64_C(0x80000000)	/* within reach of 32-bit mode */
#define BASE   (DEVICE + 0x10)
#define INDEX  8u
#define STORED UINT64_C(0x1122334455667788)
#define MOST   64u

struct seen {
	uint64_t gra, value, cycle, nip;
	unsigned size;
	bool store;
};

struct rig {
	struct ram ram;
	struct cpu_clock clock;
	struct cpu_env env;
	struct engine *engine;
	struct cpu *cpu;
	struct seen access[MOST];
	unsigned n;
	unsigned zeros;			/* loads that give 0 before others come */
	bool refuses;
};

static void no_hypercall(struct cpu *cpu) { cpu->r[3] = UINT64_MAX; }

static void note(struct cpu *cpu, uint64_t gra, unsigned size, uint64_t value, bool store)
{
	struct rig *rig = cpu->env->machine;

	if (rig->n < MOST)
		rig->access[rig->n] = (struct seen){ gra, value, cpu->cycles, cpu->nip, size, store };
	rig->n++;
}

/* Each byte tells where it comes from. */
static uint64_t bytes_at(uint64_t gra, unsigned size)
{
	uint64_t v = 0;

	for (unsigned i = size; i--;)
		v = v << 8 | 0x80 | ((gra + i) & 0x7f);
	return v;
}

static bool load(struct cpu *cpu, uint64_t gra, unsigned size, uint64_t *value)
{
	struct rig *rig = cpu->env->machine;

	if (rig->refuses)
		return false;
	*value = rig->n < rig->zeros ? 0 : bytes_at(gra, size);
	note(cpu, gra, size, *value, false);
	return true;
}

static bool store(struct cpu *cpu, uint64_t gra, unsigned size, uint64_t value)
{
	struct rig *rig = cpu->env->machine;

	if (rig->refuses)
		return false;
	note(cpu, gra, size, value, true);
	return true;
}

static void rig_new(struct rig *rig, uint64_t msr)
{
	struct cpu *cpu;

	memset(rig, 0, sizeof *rig);
	rig->ram = (struct ram){ .base = calloc(1, SIZE), .size = SIZE, .page = calloc(SIZE >> RAM_PAGE_SHIFT, 1) };
	rig->env = (struct cpu_env){ .hypercall = no_hypercall, .ram = &rig->ram, .clock = &rig->clock, .machine = rig,
				     .mmio_load = load, .mmio_store = store };
	rig->engine = engine_new(&rig->ram, "flat", P9, 1);
	cpu = rig->cpu = aligned_alloc(64, (sizeof *cpu + 63) & ~(size_t)63);
	memset(cpu, 0, sizeof *cpu);
	cpu->env = &rig->env;
	engine_add_cpu(rig->engine, cpu);
	cpu_reset(cpu);
	cpu->run_state = CPU_RUNNING;
	cpu->nip = CODE;
	cpu->lpcr |= LPCR_ILE;
	cpu_set_msr(cpu, msr | MSR_ME | MSR_FP | MSR_VEC | MSR_VSX);
	cpu->r[3] = STORED;
	cpu->r[4] = BASE;
	cpu->r[5] = INDEX;
	cpu->vsr[3].q = (u128)STORED << 64 | ~STORED;
}

static void rig_free(struct rig *rig)
{
	engine_free(rig->engine);
	free(rig->cpu);
	free(rig->ram.page);
	free(rig->ram.base);
}

static void put(struct rig *rig, const uint32_t *words, unsigned n)
{
	bool le = rig->cpu->msr & MSR_LE;

	for (unsigned i = 0; i < n; i++) {
		uint32_t word = le ? words[i] : __builtin_bswap32(words[i]);

		ram_write(&rig->ram, CODE + 4 * i, &word, sizeof word);
	}
}

#define NOP      0x60000000u
#define COUNT_R6 0x38c60001u		/* addi r6,r6,1 */
#define STAY     0x48000000u
#define D_FORM(po, d) ((uint32_t)(po) << 26 | 3u << 21 | 4u << 16 | (d))		/* RT 3, RA 4 */
#define X_FORM(xo)    (31u << 26 | 3u << 21 | 4u << 16 | 5u << 11 | (xo) << 1)
#define AT     2u			/* the instruction's place among them */
#define ENOUGH 12u

/* Two instructions, the one, one more, and a loop to stay in. */
static void run_one(struct rig *rig, uint32_t word, uint64_t msr, uint64_t cut)
{
	const uint32_t words[] = { NOP, NOP, word, COUNT_R6, STAY };

	rig_new(rig, msr);
	put(rig, words, ARRAY_SIZE(words));
	if (cut)
		cpu_run(rig->cpu, cut);
	cpu_run(rig->cpu, ENOUGH);
}

static const struct row {
	const char *name;
	uint32_t word;
	unsigned offset, size;		/* from BASE, of the access */
	bool swapped, extended, update, store;	/* the register's bytes; its sign; RA changes */
} rows[] = {
	{ "lbz", D_FORM(34, 1), 1, 1, false, false, false, false }, { "lhz", D_FORM(40, 2), 2, 2, false, false, false, false },
	{ "lha", D_FORM(42, 2), 2, 2, false, true, false, false }, { "lwz", D_FORM(32, 4), 4, 4, false, false, false, false },
	{ "lwa", D_FORM(58, 4 | 2), 4, 4, false, true, false, false }, { "ld", D_FORM(58, 8), 8, 8, false, false, false, false },
	{ "lbzu", D_FORM(35, 1), 1, 1, false, false, true, false }, { "lwzu", D_FORM(33, 4), 4, 4, false, false, true, false },
	{ "ldu", D_FORM(58, 8 | 1), 8, 8, false, false, true, false }, { "lbzx", X_FORM(87), 8, 1, false, false, false, false },
	{ "lhzx", X_FORM(279), 8, 2, false, false, false, false }, { "lwzx", X_FORM(23), 8, 4, false, false, false, false },
	{ "ldx", X_FORM(21), 8, 8, false, false, false, false }, { "lwzux", X_FORM(55), 8, 4, false, false, true, false },
	{ "lhbrx", X_FORM(790), 8, 2, true, false, false, false }, { "lwbrx", X_FORM(534), 8, 4, true, false, false, false },
	{ "ldbrx", X_FORM(532), 8, 8, true, false, false, false },
	{ "stb", D_FORM(38, 1), 1, 1, false, false, false, true }, { "sth", D_FORM(44, 2), 2, 2, false, false, false, true },
	{ "stw", D_FORM(36, 4), 4, 4, false, false, false, true }, { "std", D_FORM(62, 8), 8, 8, false, false, false, true },
	{ "stbu", D_FORM(39, 1), 1, 1, false, false, true, true }, { "stwu", D_FORM(37, 4), 4, 4, false, false, true, true },
	{ "stdu", D_FORM(62, 8 | 1), 8, 8, false, false, true, true }, { "stbx", X_FORM(215), 8, 1, false, false, false, true },
	{ "stwx", X_FORM(151), 8, 4, false, false, false, true }, { "stdx", X_FORM(149), 8, 8, false, false, false, true },
	{ "stdux", X_FORM(181), 8, 8, false, false, true, true }, { "sthbrx", X_FORM(918), 8, 2, true, false, false, true },
	{ "stwbrx", X_FORM(662), 8, 4, true, false, false, true }, { "stdbrx", X_FORM(660), 8, 8, true, false, false, true },
};

static uint64_t swapped(uint64_t v, unsigned size)
{
	return __builtin_bswap64(v) >> (64 - 8 * size);
}

static uint64_t extended(uint64_t v, unsigned size)
{
	return (uint64_t)((int64_t)(v << (64 - 8 * size)) >> (64 - 8 * size));
}

static uint64_t low_bytes(uint64_t v, unsigned size)
{
	return v & (UINT64_MAX >> (64 - 8 * size));
}

static bool same_accesses(const struct rig *a, const struct rig *b)
{
	bool same = a->n == b->n;

	for (unsigned i = 0; same && i < a->n; i++) {
		const struct seen *x = &a->access[i], *y = &b->access[i];

		same = x->gra == y->gra && x->value == y->value && x->cycle == y->cycle && x->nip == y->nip && x->size == y->size &&
		       x->store == y->store;
	}
	return same;
}

/* What a run that was cut at any cycle has seen is what the whole one has. */
static bool cuts_alike(const struct rig *whole, uint32_t word, uint64_t msr)
{
	bool same = true;

	for (uint64_t at = 1; at < ENOUGH; at++) {
		struct rig cut;

		run_one(&cut, word, msr, at);
		same &= same_accesses(whole, &cut) && !memcmp(whole->cpu->r, cut.cpu->r, sizeof cut.cpu->r) &&
			whole->cpu->nip == cut.cpu->nip && whole->cpu->cycles == cut.cpu->cycles && whole->cpu->insns == cut.cpu->insns;
		rig_free(&cut);
	}
	return same;
}

static void test_row(const struct row *row, uint64_t msr, const char *mode)
{
	uint64_t gra = BASE + row->offset, value;
	const struct seen *a;
	struct rig rig;

	run_one(&rig, row->word, msr, 0);
	a = &rig.access[0];
	check_eq(rig.n, 1, "%s-%s-is-one-access", row->name, mode);
	check(a->gra == gra && a->size == row->size && a->store == row->store, "%s-%s-where", row->name, mode);
	check(a->nip == CODE + 4 * AT && a->cycle == AT + 1, "%s-%s-when", row->name, mode);
	value = row->store ? low_bytes(STORED, row->size) : a->value;
	if (row->swapped == !!(msr & MSR_LE))
		value = swapped(value, row->size);
	if (row->store)
		check_eq(a->value, value, "%s-%s-value", row->name, mode);
	else
		check_eq(rig.cpu->r[3], row->extended ? extended(value, row->size) : value, "%s-%s-value", row->name, mode);
	check_eq(rig.cpu->r[4], row->update ? gra : BASE, "%s-%s-base", row->name, mode);
	check(rig.cpu->r[6] == 1 && rig.cpu->nip == CODE + 16 && rig.cpu->cycles == ENOUGH && rig.cpu->insns == ENOUGH,
	      "%s-%s-goes-on", row->name, mode);
	check(cuts_alike(&rig, row->word, msr), "%s-%s-cut-at-any-cycle", row->name, mode);
	rig_free(&rig);
}

/* ---- What is more than one access ---- */

static bool is_access(const struct seen *a, uint64_t gra, unsigned size, bool store)
{
	return a->gra == gra && a->size == size && a->store == store && a->nip == CODE + 4 * AT && a->cycle == AT + 1;
}

static void test_many(void)
{
	struct rig rig;

	run_one(&rig, D_FORM(32, 2), MSR_SF | MSR_LE, 0);
	check(rig.n == 2 && is_access(&rig.access[0], BASE + 2, 2, false) && is_access(&rig.access[1], BASE + 4, 2, false) &&
	      rig.cpu->r[3] == bytes_at(BASE + 2, 4), "unaligned-is-cut");
	rig_free(&rig);
	run_one(&rig, 50u << 26 | 3u << 21 | 4u << 16 | 8, MSR_SF | MSR_LE, 0);
	check(rig.n == 1 && is_access(&rig.access[0], BASE + 8, 8, false) &&
	      (uint64_t)(rig.cpu->vsr[3].q >> 64) == bytes_at(BASE + 8, 8), "lfd");
	rig_free(&rig);
	run_one(&rig, 47u << 26 | 29u << 21 | 4u << 16, MSR_SF, 0);
	check(rig.n == 3 && is_access(&rig.access[2], BASE + 8, 4, true), "stmw-is-words");
	rig_free(&rig);
	run_one(&rig, 46u << 26 | 29u << 21 | 4u << 16, MSR_SF, 0);
	check(rig.n == 3 && is_access(&rig.access[2], BASE + 8, 4, false) && rig.cpu->r[31] == 0x98999a9b, "lmw-is-words");
	rig_free(&rig);
}

/* ---- What reaches no device ---- */

static bool machine_check(const struct rig *rig, uint64_t dar)
{
	return !rig->n && rig->cpu->srr0 == CODE + 4 * AT && rig->cpu->dar == dar && rig->cpu->nip == VEC_MACHINE_CHECK &&
	       rig->cpu->r[3] == STORED;
}

/* At the vector there is a loop to stay in. */
static void run_refused(struct rig *rig, uint32_t word, uint64_t base, bool refuses)
{
	const uint32_t words[] = { NOP, NOP, word, COUNT_R6, STAY }, stay = STAY;

	rig_new(rig, MSR_SF | MSR_LE);
	put(rig, words, ARRAY_SIZE(words));
	ram_write(&rig->ram, VEC_MACHINE_CHECK, &stay, 4);
	rig->refuses = refuses;
	rig->cpu->r[4] = base;
	cpu_run(rig->cpu, ENOUGH);
}

static void test_refused(void)
{
	static const struct { const char *name; uint32_t word; uint64_t base, dar; bool refuses; } refused[] = {
		{ "load-of-nothing", D_FORM(32, 4), BASE, BASE + 4, true },
		{ "store-to-nothing", D_FORM(36, 4), BASE, BASE + 4, true },
		{ "lwarx", X_FORM(20), BASE, BASE + 8, false },
		{ "stwcx", X_FORM(150) | 1, BASE, BASE + 8, false },
		{ "dcbz", X_FORM(1014) & ~(31u << 21), BASE + 0x78, BASE + 0x70, false },
		{ "load-that-leaves-RAM", D_FORM(58, 0), SIZE - 4, SIZE, false },
		{ "store-that-leaves-RAM", D_FORM(62, 0), SIZE - 4, SIZE, false },
		{ "load-over-two-pages", D_FORM(58, 0), DEVICE + 0xffc, DEVICE + 0xffc, false },
	};

	for (unsigned i = 0; i < ARRAY_SIZE(refused); i++) {
		struct rig rig;

		run_refused(&rig, refused[i].word, refused[i].base, refused[i].refuses);
		check(machine_check(&rig, refused[i].dar), "%s-is-a-machine-check: %u 0x%" PRIx64 " 0x%" PRIx64, refused[i].name, rig.n,
		      rig.cpu->nip, rig.cpu->dar);
		rig_free(&rig);
	}
}

/* ---- Waiting for a device: each round of the loop asks it ---- */

static void test_loop(void)
{
	const uint32_t words[] = { D_FORM(32, 0), 0x2c030000, 0x4182fff8, COUNT_R6, STAY };	/* lwz; cmpwi r3,0; beq -8 */
	struct rig rig;
	bool even = true;

	rig_new(&rig, MSR_SF | MSR_LE);
	put(&rig, words, ARRAY_SIZE(words));
	rig.zeros = 9;
	cpu_run(rig.cpu, 100);
	for (unsigned i = 0; i < rig.n && i < MOST; i++)
		even &= rig.access[i].cycle == 3 * i + 1;
	check(rig.n == 10 && even && rig.cpu->r[6] == 1 && rig.cpu->r[3] == bytes_at(BASE, 4), "a-loop-asks-in-each-round: %u", rig.n);
	rig_free(&rig);
}

/* ---- One at a time, with a trace interrupt behind each ---- */

static void test_stepped(void)
{
	static const uint32_t rfid = 0x4c000024;
	const uint32_t words[] = { D_FORM(32, 4), D_FORM(36, 8), COUNT_R6, STAY };
	struct rig rig;

	rig_new(&rig, MSR_SF | MSR_LE | MSR_SE);
	put(&rig, words, ARRAY_SIZE(words));
	ram_write(&rig.ram, VEC_TRACE, &rfid, 4);
	cpu_run(rig.cpu, 20);
	check(rig.n == 2 && rig.access[0].nip == CODE && rig.access[0].cycle == 1 && rig.access[1].nip == CODE + 4 &&
	      rig.access[1].cycle == 3 && rig.cpu->r[6] == 1, "stepped");
	rig_free(&rig);
}

int main(void)
{
	for (unsigned i = 0; i < ARRAY_SIZE(rows); i++) {
		test_row(&rows[i], MSR_SF | MSR_LE, "le");
		test_row(&rows[i], MSR_SF, "be");
		test_row(&rows[i], MSR_LE, "le32");
		test_row(&rows[i], 0, "be32");
	}
	test_many();
	test_refused();
	test_loop();
	test_stepped();
	return check_done();
}

/* What the block cache promises whatever the guest does: short chains, tables for the processors that there are,
 * no fast store to code, and work that is paid for. */
#include <stdarg.h>
#include <sys/mman.h>

#include "check.h"
#include "cpu/engine/decode.h"
#include "cpu/engine/tlb.h"

#define RAM_SIZE (UINT64_C(1) << 30)
#define BLR 0x4e800020u

struct rig {
	struct ram ram;
	struct cpu_clock clock;
	struct cpu_env env;
	struct engine *engine;
	struct cpu cpu[2];
};

static void *map(size_t size)
{
	void *p = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	if (p == MAP_FAILED)
		exit(EXIT_FAILURE);
	return p;
}

static void rig_new(struct rig *rig)
{
	memset(rig, 0, sizeof *rig);
	rig->ram = (struct ram){ .base = map(RAM_SIZE), .size = RAM_SIZE, .page = map(RAM_SIZE >> RAM_PAGE_SHIFT) };
	rig->env = (struct cpu_env){ .ram = &rig->ram, .clock = &rig->clock };
	rig->engine = engine_new(&rig->ram, "flat", P9, ARRAY_SIZE(rig->cpu));
	for (unsigned i = 0; i < ARRAY_SIZE(rig->cpu); i++) {
		rig->cpu[i].env = &rig->env;
		if (!rig->engine || !engine_add_cpu(rig->engine, &rig->cpu[i]))
			exit(EXIT_FAILURE);
		cpu_reset(&rig->cpu[i]);
	}
}

static void rig_free(struct rig *rig)
{
	engine_free(rig->engine);
	munmap(rig->ram.base, RAM_SIZE);
	munmap(rig->ram.page, RAM_SIZE >> RAM_PAGE_SHIFT);
}

static void put(struct rig *rig, uint64_t gra, uint32_t word)
{
	word = __builtin_bswap32(word);
	memcpy(rig->ram.base + gra, &word, sizeof word);
}

static unsigned longest_chain(const struct engine *e)
{
	unsigned longest = 0;

	for (unsigned i = 0; i < 1u << BLOCK_HASH_BITS; i++) {
		unsigned n = 0;

		for (const struct block *b = e->hash[i]; b; b = b->hash_next)
			n++;
		if (n > longest)
			longest = n;
	}
	return longest;
}

/* Addresses that a multiplication by the golden section sends to one bucket. */
static void test_chains(void)
{
	unsigned n = 0;
	struct rig rig;

	rig_new(&rig);
	for (uint64_t word = 0; word < RAM_SIZE / 4; word++)
		if ((word * UINT64_C(0x9e3779b97f4a7c15)) >> (64 - BLOCK_HASH_BITS) == 12345) {
			put(&rig, 4 * word, BLR);
			rig.engine->credit = CREDIT_MOST;
			engine_find(rig.engine, 4 * word, rig.cpu[0].mode);
			n++;
		}
	check(n > 1000, "addresses-chosen");
	check(longest_chain(rig.engine) < 50, "chains-are-short");
	rig_free(&rig);
}

static void test_tables(void)
{
	struct ram ram = { .base = map(RAM_PAGE_SIZE), .size = RAM_PAGE_SIZE, .page = map(1) };
	struct engine *one = engine_new(&ram, "flat", P9, 1), *all = engine_new(&ram, "flat", P9, 64);

	if (check(one && all, "engines")) {
		check_eq(all->tables_size, 64 * one->tables_size, "tables-by-processors");
		check(one->tables_size < 32 << 20, "tables-of-one");
	}
	engine_free(one);
	engine_free(all);
}

/* Runs one processor from nip for that many cycles. */
static void run(struct cpu *cpu, uint64_t nip, unsigned cycles)
{
	cpu->nip = nip;
	cpu->run_state = CPU_RUNNING;
	cpu_run(cpu, cpu->cycles + cycles);
}

#define CODE   0x10000u
#define TARGET 0x20000u

/* stw r5,0(r4), and then what r4 points to. */
static void put_store(struct rig *rig)
{
	put(rig, CODE, 0x90a40000);
	put(rig, CODE + 4, 0x4e800020);
}

/* Both processors store to a page, one or the other executes it, both store again: what is stored is executed. */
static void test_writers(void)
{
	struct rig rig;

	rig_new(&rig);
	put_store(&rig);
	for (unsigned i = 0; i < 64; i++) {
		struct cpu *writer = &rig.cpu[i & 1], *runner = &rig.cpu[i >> 1 & 1];

		for (unsigned k = 0; k < 2; k++) {
			struct cpu *by = k ? writer : &rig.cpu[i >> 2 & 1];

			by->r[4] = TARGET + 4 * (i % 8);
			by->r[5] = 0x38600000 | (i + 100 * k);	/* li r3 */
			by->lr = TARGET + 4 * (i % 8);
			run(by, CODE, 2);
		}
		put(&rig, TARGET + 32, BLR);
		rig.engine->credit = i % 3 ? CREDIT_MOST : -CREDIT_MOST;
		run(runner, TARGET + 4 * (i % 8), 1);
		check_eq(runner->r[3], i + 100, "stored-and-executed-%u", i);
	}
	rig_free(&rig);
}

/* Whoever could store fast to a page, one processor or both, cannot once it is decoded. */
static void test_protection(void)
{
	for (unsigned writers = 1; writers <= 3; writers++) {
		struct rig rig;

		rig_new(&rig);
		put_store(&rig);
		put(&rig, TARGET, BLR);
		for (unsigned i = 0; i < 2; i++) {
			rig.cpu[i].r[4] = TARGET + 64;
			if (writers >> i & 1)
				run(&rig.cpu[i], CODE, 1);
			check_eq(rig.cpu[i].tlb[TLB_INDEX(TARGET)].write == TARGET, writers >> i & 1, "fast-store-%u-by-%u", writers, i);
		}
		engine_find(rig.engine, TARGET, rig.cpu[0].mode);
		for (unsigned i = 0; i < 2; i++)
			check_eq(rig.cpu[i].tlb[TLB_INDEX(TARGET)].write != TARGET, 1, "no-fast-store-%u-by-%u", writers, i);
		rig_free(&rig);
	}
}

/* Without credit nothing is decoded but what runs; cycles bring it back. */
static void test_credit(void)
{
	struct rig rig;

	rig_new(&rig);
	for (unsigned i = 0; i < 100; i++)
		put(&rig, CODE + 4 * i, 0x38630001);	/* addi r3,r3,1 */
	rig.engine->credit = -50 * CREDIT_PER_CYCLE;
	rig.cpu[0].r[3] = 0;
	run(&rig.cpu[0], CODE, 40);
	check_eq(rig.cpu[0].r[3], 40, "executed");
	check_eq(rig.engine->stepped, 40, "stepped");
	check_eq(rig.engine->decoded, 0, "not-decoded");
	run(&rig.cpu[0], CODE + 160, 60);
	check_eq(rig.cpu[0].r[3], 100, "executed-all");
	check_eq(rig.engine->decoded, 1, "decoded-once-paid-for");
	check(rig.engine->credit < CREDIT_MOST, "credit-spent");
	rig_free(&rig);
}

/* A page full of blocks is dropped by the first store into one of them, and costs the next ones nothing. */
static void test_drop(void)
{
	struct block *b[64];
	struct rig rig;
	unsigned dead = 0;

	rig_new(&rig);
	for (unsigned i = 0; i < 1024; i++)
		put(&rig, TARGET + 4 * i, 0x60000000);
	for (unsigned i = 0; i < 64; i++)
		b[i] = engine_find(rig.engine, TARGET + 4 * i, rig.cpu[0].mode);
	engine_code_written(rig.engine, TARGET + 4092, 4);
	for (unsigned i = 0; i < 64; i++)
		dead += b[i]->dead;
	check_eq(dead, 0, "a-store-beside-code");
	engine_code_written(rig.engine, TARGET + 8, 4);
	for (unsigned i = 0; i < 64; i++)
		dead += b[i]->dead;
	check_eq(dead, 64, "all-dropped-at-once");
	check(!(rig.ram.page[TARGET >> RAM_PAGE_SHIFT] & RAM_PAGE_CODE), "no-longer-watched");
	check_eq(longest_chain(rig.engine), 0, "unhashed");
	rig_free(&rig);
}

/* A broadcast reaches others when they run, however far they are behind. */
static void test_broadcasts(void)
{
	struct rig rig;

	for (unsigned behind = 1; behind <= 2 * BROADCASTS; behind += BROADCASTS - 1) {
		struct tlb_entry *e;

		rig_new(&rig);
		put_store(&rig);
		put(&rig, TARGET, 0x60000000);
		rig.cpu[1].r[4] = TARGET;
		rig.cpu[1].lr = TARGET;
		run(&rig.cpu[1], CODE, 1);
		e = &rig.cpu[1].tlb[TLB_INDEX(TARGET)];
		check(e->read == TARGET, "remembered");
		tlb_flush_page_everywhere(&rig.cpu[0], 0, TARGET, 12);
		for (unsigned i = 1; i < behind; i++)
			tlb_flush_page_everywhere(&rig.cpu[0], 0, 0x100000, 12);
		run(&rig.cpu[1], TARGET, 1);
		check(e->read != TARGET, "forgotten-after-%u", behind);
		rig_free(&rig);
	}
}

/* Waiting takes no time of the host, however long it is, and ends at the cycle at which it would: cycles that no
 * host could run one by one, and then, from each phase, what one by one gives. */
static void test_spin(void)
{
	static const struct { const char *name; uint32_t words[4]; unsigned n; } loops[] = {
		{ "purgatory", { 0xe99a0038, 0x2c2c0000, 0x4182fff8 }, 3 },	/* ld r12,56(r26); cmpdi r12,0; beq */
		{ "itself", { 0x48000000 }, 1 },				/* b . */
		{ "masked", { 0x819a0038, 0x718c0001, 0x60000000, 0x4182fff4 }, 4 },	/* lwz; andi.; nop; beq */
	};
	struct rig rig;

	for (unsigned k = 0; k < ARRAY_SIZE(loops); k++) {
		unsigned n = loops[k].n;

		rig_new(&rig);
		for (unsigned i = 0; i < n; i++)
			put(&rig, CODE + 4 * i, loops[k].words[i]);
		put(&rig, CODE + 4 * n, 0x38600001);	/* li r3,1 */
		put(&rig, CODE + 4 * n + 4, 0x48000000);
		rig.cpu[0].r[26] = TARGET;
		run(&rig.cpu[0], CODE, 0);
		for (unsigned i = 0; i < 8; i++) {
			uint64_t from = rig.cpu[0].cycles;

			run(&rig.cpu[0], CODE, 1u << 30);
			cpu_run(&rig.cpu[0], rig.cpu[0].cycles + (UINT64_C(1) << 45) + i);
			check_eq(rig.cpu[0].nip, CODE + 4 * ((rig.cpu[0].cycles - from) % n), "%s-stops-within-%u", loops[k].name, i);
		}
		if (k == 1) {
			rig_free(&rig);
			continue;
		}
		put(&rig, TARGET + 56, 1);
		put(&rig, TARGET + 60, 1);
		run(&rig.cpu[0], CODE, 64);
		check_eq(rig.cpu[0].r[3], 1, "%s-ends", loops[k].name);
		rig_free(&rig);
	}
}

/* Not waiting: the next round is another. addi, a load through what was loaded, a compare of a register with what
 * the round before left in it. */
static void test_no_spin(void)
{
	static const struct { const char *name; uint32_t words[4]; unsigned n, rounds; } loops[] = {
		{ "chain", { 0xe8630000, 0x28230000, 0x4082fff8 }, 3, 8 },	/* ld r3,0(r3); cmpldi r3,0; bne */
		{ "late", { 0x28250000, 0xe8a40008, 0x4082fff8 }, 3, 2 },	/* cmpldi r5,0; ld r5,8(r4); bne */
	};

	for (unsigned k = 0; k < ARRAY_SIZE(loops); k++) {
		struct rig rig;
		struct cpu *cpu;

		rig_new(&rig);
		cpu = &rig.cpu[0];
		for (unsigned i = 0; i < loops[k].n; i++)
			put(&rig, CODE + 4 * i, loops[k].words[i]);
		put(&rig, CODE + 4 * loops[k].n, 0x38e00001);	/* li r7,1 */
		put(&rig, CODE + 4 * loops[k].n + 4, 0x48000000);
		for (unsigned i = 0; i < 7; i++)	/* a list of eight */
			put(&rig, TARGET + 16 * i + 4, TARGET + 16 * (i + 1));
		cpu->r[3] = cpu->r[5] = TARGET;
		cpu->r[4] = TARGET + 16 * 8;
		run(cpu, CODE, 3 * loops[k].rounds + 1);
		check_eq(cpu->r[7], 1, "%s-ends", loops[k].name);
		check_eq(cpu->nip, CODE + 16, "%s-in-time", loops[k].name);
		rig_free(&rig);
	}
}

/* Instructions are counted beside cycles, through exits in the middle of blocks, cuts and interrupts. With one cycle each
 * they are as many; a fetch that faults, and an instruction that an interrupt leaves undone, take a cycle without being
 * one. */
static void test_counts(void)
{
	static const uint32_t loop[] = {
		0x38630001, 0x70640003, 0x41820010,	/* addi r3,r3,1; andi. r4,r3,3; beq +16 */
		0x38a50001, 0x70640005, 0x4182ffec,	/* addi r5,r5,1; andi. r4,r3,5; beq -20 */
		0x70640009, 0x41820008, 0x38c60001,	/* andi. r4,r3,9; beq +8; addi r6,r6,1 */
		0x4bffffdc,				/* b -36 */
	};
	uint64_t seed = 7, faults = 0;
	struct rig rig;
	struct cpu *cpu;

	rig_new(&rig);
	cpu = &rig.cpu[0];
	for (unsigned i = 0; i < ARRAY_SIZE(loop); i++)
		put(&rig, CODE + 4 * i, loop[i]);
	put(&rig, VEC_MACHINE_CHECK, 0x48000000);
	cpu->nip = CODE;
	for (unsigned i = 0; i < 2000; i++)
		cpu_run(cpu, cpu->cycles + check_random(&seed) % (i % 2 ? 8 : 200));
	check(cpu->r[5] > 1000 && cpu->r[6] > 1000, "both-ways");
	check_eq(cpu->insns, cpu->cycles, "an-instruction-a-cycle");
	cpu->nip = UINT64_C(1) << 40;	/* behind memory */
	cpu_run(cpu, cpu->cycles + 100);
	faults = cpu->cycles - cpu->insns;
	check(faults == 1 && cpu->nip < 0x1000, "a-fetch-that-faults-is-none: %llu", (unsigned long long)faults);
	put(&rig, VEC_PROGRAM, 0x48000000);
	cpu->nip = TARGET;		/* zeros: illegal */
	cpu_run(cpu, cpu->cycles + 100);
	check(cpu->nip == VEC_PROGRAM && cpu->cycles - cpu->insns == 2, "nor-an-instruction-that-is-interrupted");
	rig_free(&rig);
}

/* Each instruction of the table that came with a generation is illegal to the one before, or was a no-op kept for it, or mffs. */
static void test_since(void)
{
	unsigned bad = 0, later = 0;
	struct rig rig;

	rig_new(&rig);
	for (unsigned i = 0; i < ninsns; i++) {
		uint64_t at = CODE + RAM_PAGE_SIZE * i;
		const struct insn *before = insns[i].since == P4 ? NULL : insn_lookup_at(insns[i].match, insns[i].since - 1u);

		if (insns[i].since == P4 || (before && (!strcmp(before->name, "reserved_nop") || !strcmp(before->name, "mffs"))))
			continue;
		later++;
		put(&rig, at, (uint32_t)(insns[i].match >> (is_prefixed(insns[i].match) ? 32 : 0)));
		put(&rig, at + 4, (uint32_t)insns[i].match);
		rig.engine->level = insns[i].since - 1u;
		run(&rig.cpu[0], at, 1);
		if (rig.cpu[0].nip != VEC_PROGRAM || !(rig.cpu[0].srr1 & PROG_ILLEGAL))
			bad += !check(false, "illegal-before: %s", insns[i].name);
	}
	check(!bad && later > 200, "later-instructions-are-illegal: %u", later);
	/* setb r3,cr0, which is POWER9's, and then the same word anew for a POWER8. */
	put(&rig, CODE, 0x7c600100);
	rig.engine->level = P9;
	run(&rig.cpu[0], CODE, 1);
	check_eq(rig.cpu[0].nip, CODE + 4, "an-instruction-of-this-generation");
	engine_flush(rig.engine);
	rig.engine->level = P8;
	run(&rig.cpu[0], CODE, 1);
	check_eq(rig.cpu[0].nip, VEC_PROGRAM, "an-instruction-of-the-next");
	rig_free(&rig);
}

int main(void)
{
	test_chains();
	test_tables();
	test_writers();
	test_protection();
	test_credit();
	test_drop();
	test_broadcasts();
	test_spin();
	test_no_spin();
	test_counts();
	test_since();
	return check_failures ? EXIT_FAILURE : EXIT_SUCCESS;
}

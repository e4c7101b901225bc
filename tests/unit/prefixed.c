/* Prefixed instructions in blocks: where they may lie, which interrupts they take and what these say, and that every
 * place in the engine that counts instructions or words knows that one may have two. Power ISA 3.1, Book I, 1.6; Book III, 7.5.
 */
#include <sys/mman.h>

#include "check.h"
#include "cpu/core/spr.h"
#include "cpu/engine/decode.h"
#include "cpu/engine/tlb.h"

enum { SIZE = 1 << 20, CODE = 0x10000, DATA = 0x40000 };

#define SRR1_PREFIXED PPC_BIT(34)
#define SRR1_BOUNDARY PPC_BIT(35)

struct rig {
	struct ram ram;
	struct cpu_clock clock;
	struct cpu_env env;
	struct engine *engine;
	struct cpu *cpu;
	bool big;
};

static void no_hypercall(struct cpu *cpu) { cpu->r[3] = UINT64_MAX; }

static void rig_new(struct rig *rig, const char *timing, enum insn_since level, bool big)
{
	memset(rig, 0, sizeof *rig);
	rig->big = big;
	rig->ram.size = SIZE;
	rig->ram.base = mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	rig->ram.page = calloc(SIZE >> RAM_PAGE_SHIFT, 1);
	rig->env = (struct cpu_env){ .hypercall = no_hypercall, .ram = &rig->ram, .clock = &rig->clock };
	rig->cpu = aligned_alloc(64, (sizeof *rig->cpu + 63) & ~(size_t)63);
	rig->engine = engine_new(&rig->ram, timing, level, 1);
	if (rig->ram.base == MAP_FAILED || !rig->ram.page || !rig->cpu || !rig->engine)
		exit(EXIT_FAILURE);
	memset(rig->cpu, 0, sizeof *rig->cpu);
	rig->cpu->env = &rig->env;
	if (!engine_add_cpu(rig->engine, rig->cpu) || !engine_charge(rig->engine, 1))
		exit(EXIT_FAILURE);
}

static void rig_free(struct rig *rig)
{
	engine_free(rig->engine);
	munmap(rig->ram.base, SIZE);
	free(rig->ram.page);
	free(rig->cpu);
}

/* Words at a real address. 0 ends them. */
static void put(struct rig *rig, uint64_t gra, const uint32_t *words)
{
	for (; *words; words++, gra += 4) {
		uint32_t word = rig->big ? __builtin_bswap32(*words) : *words;

		ram_write(&rig->ram, gra, &word, sizeof word);
	}
}
#define PUT(rig, gra, ...) put(rig, gra, (const uint32_t[]){ __VA_ARGS__, 0 })

static void start(struct rig *rig, uint64_t nip, uint64_t msr)
{
	struct cpu *cpu = rig->cpu;

	cpu_reset(cpu);
	cpu->run_state = CPU_RUNNING;
	cpu->nip = nip;
	cpu->cycles = 0;
	cpu->insns = 0;
	cpu->interrupts = 0;
	/* Problem state without translation is no state that a guest can be in, and all that counts here. */
	cpu->msr = MSR_SF | MSR_FP | MSR_VEC | MSR_VSX | MSR_ME | (rig->big ? 0 : MSR_LE) | msr;
	cpu_context_changed(cpu);
}

static void run_insns(struct rig *rig, uint64_t nip, unsigned n)
{
	start(rig, nip, 0);
	cpu_run(rig->cpu, n);
}

/* ---- A tiny assembler: D34 forms have their displacement split ---- */

#define MLS(d) (0x06000000u | ((uint32_t)((uint64_t)(d) >> 16) & 0x3ffff))
#define LS8(d) (0x04000000u | ((uint32_t)((uint64_t)(d) >> 16) & 0x3ffff))
#define R_     0x00100000u
#define D_(po, rt, ra, d) ((uint32_t)(po) << 26 | (uint32_t)(rt) << 21 | (uint32_t)(ra) << 16 | ((uint32_t)(d) & 0xffff))
#define PADDI(rt, ra, d) MLS(d), D_(14, rt, ra, d)
#define PLA(rt, d)       MLS(d) | R_, D_(14, rt, 0, d)
#define PLD(rt, ra, d)   LS8(d), D_(57, rt, ra, d)
#define PLDR(rt, d)      LS8(d) | R_, D_(57, rt, 0, d)
#define PSTD(rs, ra, d)  LS8(d), D_(61, rs, ra, d)
#define PSTDR(rs, d)     LS8(d) | R_, D_(61, rs, 0, d)
#define PLFD(rt, ra, d)  MLS(d), D_(50, rt, ra, d)
#define PNOP             0x07000000u
#define ADDI(rt, ra, i)  D_(14, rt, ra, i)
#define NOP              0x60000000u
#define B_SELF           0x48000000u

/* ---- What they do ---- */

static void test_results(bool big)
{
	const char *order = big ? "big" : "little";
	struct rig rig;
	struct cpu *cpu;
	uint64_t v = UINT64_C(0x1122334455667788);

	rig_new(&rig, "flat", P10, big);
	cpu = rig.cpu;
	PUT(&rig, CODE, PADDI(3, 0, 0x123456789), PADDI(4, 3, -0x200000000), PLA(5, -16), PLA(6, 0x1ffffffff), PLDR(7, DATA - CODE - 32),
	    PSTDR(7, DATA - CODE - 40 + 8), PNOP, ADDI(9, 9, 1), NOP);
	v = big ? __builtin_bswap64(v) : v;
	ram_write(&rig.ram, DATA, &v, sizeof v);
	run_insns(&rig, CODE, 8);
	check_eq(cpu->r[3], UINT64_C(0x123456789), "paddi-%s", order);
	check_eq(cpu->r[4], UINT64_C(0x123456789) - UINT64_C(0x200000000), "paddi-furthest-%s", order);
	check_eq(cpu->r[5], CODE + 16 - 16, "relative-%s", order);
	check_eq(cpu->r[6], CODE + 24 + UINT64_C(0x1ffffffff), "relative-furthest-%s", order);
	check_eq(cpu->r[7], UINT64_C(0x1122334455667788), "pld-relative-%s", order);
	check(!memcmp(rig.ram.base + DATA, rig.ram.base + DATA + 8, 8), "pstd-relative-%s", order);
	check_eq(cpu->r[9], 0, "a-nop's-suffix-does-nothing-%s", order);
	check_eq(cpu->nip, CODE + 60, "words-of-eight-instructions-%s", order);
	check_eq(cpu->insns, 8, "eight-instructions-%s", order);
	/* The same suffix by itself. */
	run_insns(&rig, CODE + 4, 1);
	check_eq(cpu->r[3], 0x6789, "a-suffix-that-is-branched-to-is-a-word-instruction-%s", order);
	check_eq(cpu->nip, CODE + 8, "which-is-one-word-%s", order);
	/* 32-bit mode: the sum's lower half. */
	PUT(&rig, CODE, PLD(3, 4, DATA - 0x200000000), NOP);
	start(&rig, CODE, 0);
	cpu->msr &= ~MSR_SF;
	cpu_context_changed(cpu);
	cpu->r[4] = UINT64_C(0x700000000);
	cpu_run(cpu, 1);
	check_eq(cpu->r[3], UINT64_C(0x1122334455667788), "32-bit-mode-%s", order);
	rig_free(&rig);
}

/* ---- Interrupts ---- */

static void check_interrupt(struct rig *rig, enum vector vector, uint64_t srr0, uint64_t srr1, const char *name)
{
	const uint64_t causes = PPC_MASK(33, 36) | PPC_MASK(42, 47);

	check_eq(rig->cpu->nip, vector, "%s: vector", name);
	check_eq(rig->cpu->srr0, srr0, "%s: SRR0", name);
	check_eq(rig->cpu->srr1 & causes, srr1, "%s: SRR1", name);
	check_eq(rig->cpu->insns, 0, "%s: not completed", name);
}

static void test_boundaries(void)
{
	struct rig rig;

	rig_new(&rig, "flat", P10, false);
	for (unsigned at = 0; at < 256; at += 4) {
		bool crosses = at % 64 == 60;

		PUT(&rig, CODE + at, PADDI(3, 0, 99), NOP);
		run_insns(&rig, CODE + at, 1);
		if (rig.cpu->nip != (crosses ? VEC_ALIGNMENT : CODE + at + 8u))
			check(false, "boundary: at %u it goes on at %llx", at, (unsigned long long)rig.cpu->nip);
	}
	run_insns(&rig, CODE + 60, 1);
	check_interrupt(&rig, VEC_ALIGNMENT, CODE + 60, SRR1_PREFIXED | SRR1_BOUNDARY, "boundary");
	check_eq(rig.cpu->dar, CODE + 60, "boundary: DAR");
	/* Nothing is read behind the last word of memory. */
	PUT(&rig, SIZE - 4, 0x06000000);
	run_insns(&rig, SIZE - 4, 1);
	check_interrupt(&rig, VEC_ALIGNMENT, SIZE - 4, SRR1_PREFIXED | SRR1_BOUNDARY, "end-of-memory");
	rig_free(&rig);
}

static void test_illegal(void)
{
	static const struct { const char *name; uint32_t prefix, suffix; } rows[] = {
		{ "R-with-a-base", MLS(0) | R_, D_(14, 3, 4, 0) },
		{ "a-load-with-R-and-a-base", LS8(0) | R_, D_(57, 3, 4, 0) },
		{ "no-such-suffix", MLS(0), D_(57, 3, 4, 0) },
		{ "a-prefix-as-suffix", MLS(0), MLS(0) },
		{ "no-such-subtype", 0x06800000, D_(14, 3, 4, 0) },
		{ "an-odd-pair", LS8(0), D_(56, 3, 4, 0) },
		{ "a-pair-over-its-base", LS8(0), D_(56, 4, 4, 0) },
		{ "nop-and-branch", PNOP, B_SELF },
		{ "nop-and-conditional-branch", PNOP, 0x40820000 },
		{ "nop-and-blr", PNOP, 0x4e800020 },
		{ "nop-and-sc", PNOP, 0x44000002 },
		{ "nop-and-rfid", PNOP, 0x4c000024 },
	};
	struct rig rig;

	rig_new(&rig, "flat", P10, false);
	for (unsigned i = 0; i < ARRAY_SIZE(rows); i++) {
		PUT(&rig, CODE + 64 * i, rows[i].prefix, rows[i].suffix);
		run_insns(&rig, CODE + 64 * i, 1);
		check_interrupt(&rig, VEC_PROGRAM, CODE + 64 * i, SRR1_PREFIXED | PROG_ILLEGAL, rows[i].name);
	}
	/* A word that is no instruction, behind two that are. */
	PUT(&rig, CODE + 0x800, PADDI(3, 0, 1), PNOP, NOP);
	run_insns(&rig, CODE + 0x800, 3);
	check_eq(rig.cpu->srr0, CODE + 0x810, "behind-others: SRR0");
	check_eq(rig.cpu->insns, 2, "behind-others: completed");
	rig_free(&rig);
	rig_new(&rig, "flat", P9, false);
	PUT(&rig, CODE + 56, PADDI(3, 0, 1), PADDI(3, 0, 1));
	run_insns(&rig, CODE + 56, 1);
	check_interrupt(&rig, VEC_PROGRAM, CODE + 56, PROG_ILLEGAL, "POWER9");
	run_insns(&rig, CODE + 60, 1);
	check_eq(rig.cpu->r[3], 1, "POWER9: the word behind it");
	PUT(&rig, CODE + 124, PADDI(3, 0, 1));
	run_insns(&rig, CODE + 124, 1);
	check_interrupt(&rig, VEC_PROGRAM, CODE + 124, PROG_ILLEGAL, "POWER9-boundary");
	rig_free(&rig);
}

static void test_facilities(void)
{
	struct rig rig;

	rig_new(&rig, "flat", P10, false);
	PUT(&rig, CODE, PADDI(3, 0, 1), PLFD(3, 0, DATA), 0x04000000, 0xe4600000);
	start(&rig, CODE, MSR_PR);
	cpu_run(rig.cpu, 1);
	check_interrupt(&rig, VEC_FAC_UNAVAIL, CODE, SRR1_PREFIXED, "FSCR-withholds");
	check_eq(rig.cpu->fscr >> 56, FAC_PREFIX, "FSCR-withholds: which");
	start(&rig, CODE + 60, MSR_PR);
	PUT(&rig, CODE + 60, 0x06000000);
	cpu_run(rig.cpu, 1);
	check_eq(rig.cpu->fscr >> 56, FAC_PREFIX, "FSCR-withholds-at-a-boundary-too");
	start(&rig, CODE, 0);
	cpu_run(rig.cpu, 1);
	check_eq(rig.cpu->r[3], 1, "FSCR-does-not-withhold-in-privileged-state");
	start(&rig, CODE, MSR_PR);
	rig.cpu->fscr = FSCR_BIT(FAC_PREFIX);
	cpu_context_changed(rig.cpu);
	cpu_run(rig.cpu, 1);
	check_eq(rig.cpu->r[3], 1, "FSCR-grants");
	start(&rig, CODE + 8, 0);
	rig.cpu->msr &= ~MSR_FP;
	cpu_context_changed(rig.cpu);
	cpu_run(rig.cpu, 1);
	check_interrupt(&rig, VEC_FP_UNAVAIL, CODE + 8, SRR1_PREFIXED, "FP-unavailable");
	rig_free(&rig);
}

/* Outer products ask for VSX alone, whatever registers they name and whatever they compute; and a prefix is asked for first, then
 * where it lies, then what comes with it: Microwatt's execute1 has that order. */
static void test_outer_products(void)
{
	static const struct { const char *name; uint32_t words[3]; } rows[] = {
		{ "xxsetaccz", { 0x7c030162 } },
		{ "xxmtacc", { 0x7c010162 } },
		{ "xvf32gerpp", { 0xec0428d0 } },		/* acc0, vs4, vs5 */
		{ "xvi8ger4", { 0xec04101e } },			/* acc0, vs36, vs34: those of vector facilities */
		{ "pmxvf32gerpp", { 0x079000ff, 0xec0428d0 } },
		{ "pmxvi8ger4", { 0x0790f0ff, 0xec04101e } },
	};
	struct rig rig;

	rig_new(&rig, "flat", P10, false);
	for (unsigned i = 0; i < ARRAY_SIZE(rows); i++) {
		bool has_prefix = rows[i].words[1];

		put(&rig, CODE + 64 * i, (const uint32_t[]){ rows[i].words[0], rows[i].words[1] ? rows[i].words[1] : NOP, NOP, 0 });
		start(&rig, CODE + 64 * i, 0);
		rig.cpu->msr &= ~(MSR_FP | MSR_VEC);
		cpu_context_changed(rig.cpu);
		cpu_run(rig.cpu, 1);
		check_eq(rig.cpu->nip, CODE + 64 * i + (has_prefix ? 8 : 4), "%s-needs-neither-FP-nor-VEC", rows[i].name);
		start(&rig, CODE + 64 * i, 0);
		rig.cpu->msr &= ~MSR_VSX;
		cpu_context_changed(rig.cpu);
		cpu_run(rig.cpu, 1);
		check_interrupt(&rig, VEC_VSX_UNAVAIL, CODE + 64 * i, has_prefix ? SRR1_PREFIXED : 0, rows[i].name);
		start(&rig, CODE + 64 * i, MSR_PR);
		rig.cpu->msr &= ~(MSR_VSX | MSR_VEC | MSR_FP);
		cpu_context_changed(rig.cpu);
		cpu_run(rig.cpu, 1);
		check_interrupt(&rig, has_prefix ? VEC_FAC_UNAVAIL : VEC_VSX_UNAVAIL, CODE + 64 * i, has_prefix ? SRR1_PREFIXED : 0,
				"problem-state-without-any");
	}
	/* Across 64 bytes, without its facility: the boundary. */
	PUT(&rig, CODE + 60, 0x079000ff, 0xec0428d0);
	start(&rig, CODE + 60, 0);
	rig.cpu->msr &= ~MSR_VSX;
	cpu_context_changed(rig.cpu);
	cpu_run(rig.cpu, 1);
	check_interrupt(&rig, VEC_ALIGNMENT, CODE + 60, SRR1_PREFIXED | SRR1_BOUNDARY, "boundary-before-VSX");
	/* No instruction with a prefix that problem state may not have: the prefix. */
	PUT(&rig, CODE, PNOP, B_SELF);
	start(&rig, CODE, MSR_PR);
	cpu_run(rig.cpu, 1);
	check_interrupt(&rig, VEC_FAC_UNAVAIL, CODE, SRR1_PREFIXED, "prefix-before-illegal");
	rig_free(&rig);
}

/* Problem state of a POWER10 that appears as a POWER9 has no prefixes: a reserved opcode, wherever it lies. */
static void test_limited(void)
{
	struct rig rig;

	rig_new(&rig, "flat", P10, false);
	engine_limit_problem_state(rig.engine, P9);
	PUT(&rig, CODE, PADDI(3, 0, 1));
	PUT(&rig, CODE + 60, PADDI(3, 0, 1));
	for (unsigned at = 0; at < 61; at += 60) {
		start(&rig, CODE + at, MSR_PR);
		cpu_run(rig.cpu, 1);
		check_interrupt(&rig, VEC_PROGRAM, CODE + at, PROG_ILLEGAL, "of-a-level-before-3.1");
	}
	start(&rig, CODE, 0);
	cpu_run(rig.cpu, 1);
	check_eq(rig.cpu->r[3], 1, "the-level-binds-problem-state-alone");
	rig_free(&rig);
}

static void test_trace(void)
{
	static const uint32_t stores[][2] = { { LS8(0), D_(60, 4, 4, 0) }, { LS8(0), D_(62, 4, 4, 0) }, { 0x7fe445a5, 0 } };
	struct rig rig;

	rig_new(&rig, "flat", P10, false);
	PUT(&rig, CODE, PLDR(3, DATA - CODE), PSTD(3, 4, 16), PADDI(3, 0, 1), NOP);
	start(&rig, CODE, MSR_SE);
	cpu_run(rig.cpu, 1);
	check_eq(rig.cpu->nip, VEC_TRACE, "traced");
	check_eq(rig.cpu->srr0, CODE + 8, "traced: the next instruction");
	check_eq(rig.cpu->srr1 & PPC_MASK(33, 36), PPC_BIT(33) | SRR1_PREFIXED | PPC_BIT(35), "traced: a load with a prefix");
	check_eq(rig.cpu->sdar, DATA, "traced: its operand");
	check_eq(rig.cpu->siar, CODE, "traced: its address");
	start(&rig, CODE + 8, MSR_SE);
	rig.cpu->r[4] = DATA;
	cpu_run(rig.cpu, 1);
	check_eq(rig.cpu->srr1 & PPC_MASK(33, 36), PPC_BIT(33) | SRR1_PREFIXED | PPC_BIT(36), "traced: a store");
	check_eq(rig.cpu->sdar, DATA + 16, "traced: its operand, by register");
	/* pstq, pstxvp, hashst r8,-8(r4) */
	for (unsigned i = 0; i < ARRAY_SIZE(stores); i++) {
		put(&rig, CODE + 64, (const uint32_t[]){ stores[i][0], stores[i][1] ? stores[i][1] : NOP, NOP, 0 });
		start(&rig, CODE + 64, MSR_SE);
		rig.cpu->r[4] = DATA;
		cpu_run(rig.cpu, 1);
		check_eq(rig.cpu->srr1 & PPC_MASK(35, 36), PPC_BIT(36), "traced: store %u", i);
	}
	rig_free(&rig);
}

/* ---- Code that is overwritten ---- */

static void test_overwritten(void)
{
	struct rig rig;
	uint32_t suffix = D_(14, 3, 0, 2);

	rig_new(&rig, "flat", P10, false);
	PUT(&rig, CODE, PADDI(3, 0, 1), B_SELF);
	run_insns(&rig, CODE, 1);
	ram_write(&rig.ram, CODE + 4, &suffix, sizeof suffix);
	engine_code_written(rig.engine, CODE + 4, sizeof suffix);
	run_insns(&rig, CODE, 1);
	check_eq(rig.cpu->r[3], 2, "a-suffix-overwritten-from-outside");
	/* stw of a suffix that comes next, an illegal one that becomes legal: 0 is no instruction. */
	PUT(&rig, CODE, D_(36, 5, 6, 12), 0x60000000, MLS(0));
	memset(rig.ram.base + CODE + 12, 0, 8);
	engine_code_written(rig.engine, CODE, 16);
	start(&rig, CODE, 0);
	rig.cpu->r[5] = D_(14, 3, 0, 7);
	rig.cpu->r[6] = CODE;
	cpu_run(rig.cpu, 3);
	check_eq(rig.cpu->r[3], 7, "a-suffix-overwritten-by-the-block-itself");
	check_eq(rig.cpu->nip, CODE + 16, "which-has-two-words-then");
	rig_free(&rig);
}

/* ---- The same states however a run is cut ---- */

/* Code of all lengths, over two pages, that ends in a loop on itself; where it begins. Nothing of it crosses 64 bytes. */
static uint64_t draw_code(struct rig *rig, uint64_t seed)
{
	uint64_t first = CODE + RAM_PAGE_SIZE - 128 - check_random(&seed) % 64 * 4, at = first;
	unsigned n = 60 + check_random(&seed) % 80;

	for (unsigned i = 0; i < n; i++) {
		uint64_t x = check_random(&seed);
		unsigned r = 3 + x % 8, to = 3 + (x >> 8) % 8;
		int64_t d = (int64_t)(x >> 30 & 0xfff8);

		if (at % 64 == 60 || x >> 60 < 5) {
			PUT(rig, at, ADDI(to, r, d));
			at += 4;
			continue;
		}
		switch (x >> 16 & 7) {
		case 0: PUT(rig, at, PADDI(to, r, (int64_t)x >> 30)); break;
		case 1: PUT(rig, at, PLDR(to, DATA + d - (int64_t)at)); break;
		case 2: PUT(rig, at, PSTDR(to, DATA + d - (int64_t)at)); break;
		case 3: PUT(rig, at, PLD(to, 0, DATA + d)); break;
		case 4: PUT(rig, at, PNOP, NOP); break;
		case 5: PUT(rig, at, PSTD(to, 2, INT64_C(0x100000000) + d)); break;	/* r2 makes that DATA + d */
		default: PUT(rig, at, PLA(to, d)); break;
		}
		at += 8;
	}
	PUT(rig, at, B_SELF);
	return first;
}

static void start_code(struct rig *rig, uint64_t first)
{
	start(rig, first, 0);
	rig->cpu->r[2] = DATA - UINT64_C(0x100000000);
	memset(rig->ram.base + DATA, 0, 0x10000);
}

static void test_cuts(const char *timing)
{
	struct rig whole, cut;
	uint64_t seed = 3;
	unsigned bad = 0;

	rig_new(&whole, timing, P10, false);
	rig_new(&cut, timing, P10, false);
	for (unsigned round = 0; round < 200 && !bad; round++) {
		uint64_t until = 30 + check_random(&seed) % 200, step = 1 + check_random(&seed) % 9, first = draw_code(&whole, seed);
		struct cpu *a = whole.cpu, *b = cut.cpu;

		draw_code(&cut, seed);
		engine_code_written(whole.engine, CODE, 2 * RAM_PAGE_SIZE);
		engine_code_written(cut.engine, CODE, 2 * RAM_PAGE_SIZE);
		start_code(&whole, first);
		start_code(&cut, first);
		engine_forget_timing(whole.engine);
		engine_forget_timing(cut.engine);
		cpu_run(a, until);
		for (uint64_t at = step; b->cycles < until; at += step)
			cpu_run(b, at < until ? at : until);
		bad += memcmp(a->r, b->r, sizeof a->r) || a->nip != b->nip || a->insns != b->insns || a->cycles != b->cycles ||
		       a->phase != b->phase || a->interrupts || memcmp(whole.ram.base + DATA, cut.ram.base + DATA, 0x10000);
		if (bad)
			printf("# round %u, in steps of %llu: nip %llx and %llx, %llu and %llu instructions\n", round, (unsigned long long)step,
			       (unsigned long long)a->nip, (unsigned long long)b->nip, (unsigned long long)a->insns, (unsigned long long)b->insns);
	}
	check(!bad, "cuts-make-no-difference-%s", timing);
	rig_free(&whole);
	rig_free(&cut);
}

int main(void)
{
	test_results(false);
	test_results(true);
	test_boundaries();
	test_illegal();
	test_facilities();
	test_outer_products();
	test_limited();
	test_trace();
	test_overwritten();
	test_cuts("flat");
	test_cuts("power10");
	return check_done();
}

/* mftb: no two reads see the same value, on one processor or several that take turns; the timebase does not
 * run away from the cycles that drive it; and where a run is cut does not show. */
#include <stdarg.h>

#include "check.h"
#include "cpu/engine/block.h"
#include "cpu/engine/tlb.h"

#define CODE 0x1000u
#define SIZE (UINT64_C(1) << 20)
#define MAX_CPUS 4

struct rig {
	struct ram ram;
	struct cpu_clock clock;
	struct cpu_env env;
	struct engine *engine;
	struct cpu *cpu[MAX_CPUS];
	unsigned ncpus;
};

static void no_hypercall(struct cpu *cpu) { cpu->r[3] = UINT64_MAX; }

static void put(struct rig *rig, uint32_t at, const uint32_t *words, unsigned n)
{
	ram_write(&rig->ram, at, words, n * sizeof words[0]);
}

static void rig_new(struct rig *rig, unsigned ncpus)
{
	memset(rig, 0, sizeof *rig);
	rig->ram = (struct ram){ .base = calloc(1, SIZE), .size = SIZE, .page = calloc(SIZE >> RAM_PAGE_SHIFT, 1) };
	rig->env = (struct cpu_env){ .hypercall = no_hypercall, .ram = &rig->ram, .clock = &rig->clock };
	rig->engine = engine_new(&rig->ram, "flat", P9, ncpus);
	rig->ncpus = ncpus;
	for (unsigned i = 0; i < ncpus; i++) {
		struct cpu *cpu = rig->cpu[i] = aligned_alloc(64, (sizeof *cpu + 63) & ~(size_t)63);

		memset(cpu, 0, sizeof *cpu);
		cpu->env = &rig->env;
		engine_add_cpu(rig->engine, cpu);
		cpu_reset(cpu);
		cpu->run_state = CPU_RUNNING;
		cpu->nip = CODE;
		cpu_set_msr(cpu, MSR_SF | MSR_ME | MSR_LE);
	}
}

static void rig_free(struct rig *rig)
{
	engine_free(rig->engine);
	for (unsigned i = 0; i < rig->ncpus; i++)
		free(rig->cpu[i]);
	free(rig->ram.page);
	free(rig->ram.base);
}

/* ---- One after the other ---- */

#define READS 30
#define MFTB(r) (0x7c0c42e6u | (uint32_t)(r) << 21)
#define MFSPR_TB(r) (0x7c0c42a6u | (uint32_t)(r) << 21)
#define ENOUGH 200u

/* Thirty reads into r1 to r30, some by mfspr and with something between them, and a loop to stay in. */
static void put_reads(struct rig *rig)
{
	uint32_t words[2 * READS], n = 0;

	for (unsigned r = 1; r <= READS; r++) {
		words[n++] = r & 4 ? MFTB(r) : MFSPR_TB(r);
		if (r % 7 == 0)
			words[n++] = 0x3bff0001;	/* addi r31,r31,1 */
	}
	words[n++] = 0x48000000;
	put(rig, CODE, words, n);
}

static bool increasing(const struct cpu *cpu)
{
	bool ok = true;

	for (unsigned r = 2; r <= READS; r++)
		ok &= cpu->r[r] > cpu->r[r - 1];
	return ok;
}

static void test_adjacent(void)
{
	struct rig whole, cut;
	bool same = true;

	rig_new(&whole, 1);
	put_reads(&whole);
	cpu_run(whole.cpu[0], ENOUGH);
	check(increasing(whole.cpu[0]), "each-read-is-larger");
	check(whole.cpu[0]->r[READS] - whole.cpu[0]->r[1] <= READS + 4, "and-no-more-than-the-time-it-took");
	check_eq(whole.cpu[0]->cycles, ENOUGH, "to-the-very-cycle");
	for (unsigned at = 1; at < ENOUGH; at++) {
		const struct cpu *a = whole.cpu[0], *b;

		rig_new(&cut, 1);
		put_reads(&cut);
		b = cut.cpu[0];
		cpu_run(cut.cpu[0], at);
		same &= b->cycles == at;
		cpu_run(cut.cpu[0], ENOUGH);
		same &= !memcmp(a->r, b->r, sizeof a->r) && a->nip == b->nip && b->cycles == ENOUGH && a->insns == b->insns;
		same &= whole.clock.tb_floor == cut.clock.tb_floor;
		rig_free(&cut);
	}
	check(same, "cut-at-any-cycle");
	rig_free(&whole);
}

/* Every instruction with a trace interrupt behind it, which goes on where it was: rfid. */
static void test_stepped(void)
{
	static const uint32_t rfid = 0x4c000024;
	struct rig rig;

	rig_new(&rig, 1);
	put_reads(&rig);
	put(&rig, VEC_TRACE, &rfid, 1);
	cpu_set_msr(rig.cpu[0], rig.cpu[0]->msr | MSR_SE);
	rig.cpu[0]->lpcr = LPCR_ILE;
	cpu_run(rig.cpu[0], 3 * ENOUGH);
	check(increasing(rig.cpu[0]), "single-stepped");
	rig_free(&rig);
}

/* ---- In turns ---- */

#define QUANTUM 4000u
#define TURNS   40u

/* `cuts`: 0, or what the lengths of the pieces are drawn from. */
static void take_turns(struct rig *rig, unsigned turns, uint64_t cuts)
{
	for (unsigned t = 1; t <= turns; t++)
		for (unsigned i = 0; i < rig->ncpus; i++)
			for (uint64_t end = t * QUANTUM, to; rig->cpu[i]->cycles < end;) {
				to = rig->cpu[i]->cycles + 1 + (cuts ? check_random(&cuts) % 12 : QUANTUM);
				cpu_run(rig->cpu[i], to < end ? to : end);
			}
}

/* Reads at all distances from each other, cut anywhere. */
static void test_cut_turns(unsigned ncpus)
{
	static const uint32_t words[] = { MFTB(3), MFTB(4), 0x7c641a14, MFTB(6), 0x38a50001, 0x7cc53214, 0x60000000,
					  MFTB(7), 0x4bffffe0 };
	struct rig whole, cut;

	rig_new(&whole, ncpus);
	put(&whole, CODE, words, ARRAY_SIZE(words));
	take_turns(&whole, 3, 0);
	for (uint64_t seed = 1; seed <= 20; seed++) {
		bool same = true;

		rig_new(&cut, ncpus);
		put(&cut, CODE, words, ARRAY_SIZE(words));
		take_turns(&cut, 3, seed);
		for (unsigned i = 0; i < ncpus; i++)
			same &= !memcmp(whole.cpu[i]->r, cut.cpu[i]->r, sizeof whole.cpu[i]->r) &&
				whole.cpu[i]->nip == cut.cpu[i]->nip && whole.cpu[i]->insns == cut.cpu[i]->insns;
		check(same && whole.clock.tb_floor == cut.clock.tb_floor, "%u-processors: turns cut anywhere", ncpus);
		rig_free(&cut);
	}
	rig_free(&whole);
}

/* Each writes what it reads into a list of its own, at r5. */
static void test_unique(unsigned ncpus)
{
	static const uint32_t words[] = { MFTB(3), 0xf8650000, 0x38a50008, 0x4bfffff4 };	/* std r3,0(r5); addi; b */
	struct rig rig;
	bool rising = true, unique = true;
	static uint8_t seen[TURNS * QUANTUM];

	memset(seen, 0, sizeof seen);
	rig_new(&rig, ncpus);
	put(&rig, CODE, words, ARRAY_SIZE(words));
	for (unsigned i = 0; i < ncpus; i++)
		rig.cpu[i]->r[5] = 0x10000 + i * 0x30000;
	take_turns(&rig, 5, 0);
	for (unsigned i = 0; i < ncpus; i++) {
		uint64_t last = 0;

		for (uint64_t at = 0x10000 + i * 0x30000; at < rig.cpu[i]->r[5]; at += 8) {
			uint64_t v = __builtin_bswap64(ld_be64(&rig.ram, at));

			rising &= v > last;
			unique &= v < sizeof seen && !seen[v];
			seen[v % sizeof seen] = 1;
			last = v;
		}
		check(rig.cpu[i]->r[5] > 0x10000 + i * 0x30000 + 8 * 100, "%u: cpu%u-reads", ncpus, i);
	}
	check(rising, "%u-processors: each sees time go on", ncpus);
	check(unique, "%u-processors: no value twice", ncpus);
	rig_free(&rig);
}

/* All of them do nothing but read: what is read keeps to the time that all have reached, but for a sixteenth of
 * a quantum. */
static void test_no_running_away(unsigned ncpus)
{
	static const uint32_t words[] = { MFTB(3), MFTB(4), MFTB(6), MFTB(7), 0x4bfffff0 };
	struct rig rig;

	rig_new(&rig, ncpus);
	put(&rig, CODE, words, ARRAY_SIZE(words));
	take_turns(&rig, TURNS, 0);
	check(rig.clock.tb_floor >= (TURNS * QUANTUM - 64) / CYCLES_PER_TICK, "%u-processors: time goes on", ncpus);
	check(rig.clock.tb_floor <= (TURNS * QUANTUM + QUANTUM / 16) / CYCLES_PER_TICK,
	      "%u-processors: not faster than the clock: %" PRIu64, ncpus, rig.clock.tb_floor);
	rig_free(&rig);
}

int main(void)
{
	test_adjacent();
	test_stepped();
	for (unsigned n = 1; n <= MAX_CPUS; n++) {
		test_unique(n);
		test_no_running_away(n);
		test_cut_turns(n);
	}
	return check_done();
}

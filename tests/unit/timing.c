/* The pipeline models: their tables are whole, costs do not depend on where a stream is cut, registers are those that
 * instructions use. tests/bench/timing judges the figures. */
#include <sys/mman.h>

#include "check.h"
#include "cpu/engine/block.h"
#include "cpu/engine/decode.h"
#include "cpu/fp/fp.h"
#include "cpu/timing/pipeline.h"

static const char *const model_names[] = { "power8", "power9", "power10", "power8-llvm", "power9-llvm", "power10-llvm" };

/* ---- Tables ---- */

static void test_tables(const struct core_model *m)
{
	unsigned rows = 0, unsorted = 0, odd = 0, hasty = 0, differing = 0;

	for (unsigned i = 0; i < m->ncosts; i++) {
		const struct cost *c = &m->costs[i];
		const struct figures *f = m->as_llvm && c->llvm.latency ? &c->llvm : &c->ours;

		rows += c->key % NVARIANTS == 0;
		unsorted += i && c->key <= m->costs[i - 1].key;
		odd += !c->uops || c->uops > m->window || !f->slots || !f->latency || c->kind >= m->nports || !c->use[c->kind];
		differing += c->source == SRC_L && memcmp(&c->ours, &c->llvm, sizeof c->ours) && c->llvm.latency;
		/* What dispatch takes at least for an entry of the window is what a closed window is measured by. */
		hasty += f->slots * m->slot_units < c->uops * m->uop_units && !(m->as_llvm && !c->llvm.latency);
	}
	check_eq(rows, NROWS, "%s: a row for each instruction", m->name);
	check(!unsorted, "%s: rows are sorted", m->name);
	check(!odd, "%s: rows have places, a latency, a pipe", m->name);
	check(!differing, "%s: LLVM's figures are LLVM's", m->name);
	check(!hasty, "%s: no row is faster than uop_units", m->name);
	check(NROWS == ninsns, "rows are those of the instruction table");
}

static const struct cost *cost_of(const char *model, uint32_t word)
{
	return cost_find(core_model_find(model), (unsigned)(insn_lookup(word) - insns), word);
}

static void test_variants(void)
{
	check_eq(cost_of("power9", 0x7c6321d3)->ours.latency, 7, "power9: mulld. has a row of its own");
	check_eq(cost_of("power9", 0x7c6321d2)->ours.latency, 5, "power9: mulld");
	check_eq(cost_of("power9", 0x7c6325d3)->ours.latency, 7, "power9: mulldo.");
	check_eq(cost_of("power9", 0x7c0802a6)->ours.latency, 6, "power9: mflr is not a slow move");
	check_eq(cost_of("power9", 0x7c7043a6)->ours.latency, 12, "power9: mtsprg is");
	check_eq(cost_of("power9", 0x7c0004ac)->hold, 37, "power9: sync");
	check_eq(cost_of("power9", 0x7c2004ac)->hold, 9, "power9: lwsync");
	check_eq(cost_of("power8", 0x7c632214)->ours.latency, 1, "power8: add");
	check_eq(cost_of("power8", 0x7c632214)->ours.far, 1, "power8: add, to an address");
	check_eq(cost_of("power10", 0xe8630000)->ours.latency, 4, "power10: ld");
	check_eq(cost_of("power10", 0xe8630000)->llvm.latency, 6, "power10: ld, to LLVM");
}

/* ---- Streams ---- */

/* Words like those of programs: what is drawn is an instruction, and few registers, so that it depends on others. */
static uint32_t random_word(uint64_t *seed)
{
	for (;;) {
		const struct insn *row = &insns[check_random(seed) % ninsns];
		uint32_t bits = (uint32_t)check_random(seed) & 0x1ce73fff, word;

		if (!(check_random(seed) & 3))
			row = &insns[check_random(seed) % 60];
		word = row->match | (bits & decode_operand_bits(row));
		if (insn_lookup(word))
			return word;
	}
}

enum { STREAM = 600 };

static unsigned costs_of(const struct core_model *m, unsigned threads, const struct pipe_insn *stream, const bool *cut, unsigned *costs,
			 struct pipe_state *end)
{
	struct pipe_state s = { 0 };
	unsigned invalid = 0;
	struct pipe p;

	pipe_open(&p, m, threads, &s);
	for (unsigned i = 0; i < STREAM; i++) {
		if (cut[i]) {
			pipe_close(&p, &s);
			invalid += !pipe_state_valid(&s, m);
			memset(&p, 0xa5, sizeof p);
			pipe_open(&p, m, threads, &s);
		}
		costs[i] = pipe_step(&p, &stream[i]);
	}
	pipe_close(&p, end);
	return invalid;
}

static void test_cuts(const struct core_model *m, unsigned threads)
{
	static struct pipe_insn stream[STREAM];
	static unsigned whole[STREAM], parts[STREAM];
	static bool none[STREAM], cut[STREAM];
	unsigned bad = 0, states = 0, invalid = 0, out_of_bounds = 0, largest = 0;
	uint64_t seed = 11;

	for (unsigned k = 0; k < 60; k++) {
		struct pipe_state a, b;

		for (unsigned i = 0; i < STREAM; i++) {
			uint32_t word = random_word(&seed);

			pipe_decode(m, (int)(insn_lookup(word) - insns), word, &stream[i]);
		}
		costs_of(m, threads, stream, none, whole, &a);
		for (unsigned rate = 1; rate <= 64; rate *= 4) {
			for (unsigned i = 0; i < STREAM; i++)
				cut[i] = check_random(&seed) % rate == 0;
			invalid += costs_of(m, threads, stream, cut, parts, &b);
			bad += memcmp(whole, parts, sizeof whole) != 0;
			states += memcmp(&a, &b, sizeof a) != 0;
		}
		for (unsigned i = 0; i < STREAM; i++)
			out_of_bounds += !whole[i] || whole[i] > PIPE_MAX_COST;
		if (pipe_state_words(&a) > largest)
			largest = pipe_state_words(&a);
	}
	check(!bad, "%s, %u threads: costs are the same however a stream is cut", m->name, threads);
	check(!states, "%s, %u threads: so is the last state", m->name, threads);
	check(!invalid, "%s, %u threads: each state on the way is valid", m->name, threads);
	check(!out_of_bounds, "%s, %u threads: costs are in their bounds", m->name, threads);
	check(largest > 8, "%s: states had something to keep", m->name);
}

/* ---- Figures that can be said in a line ---- */

static double steady(const char *model, unsigned threads, const uint32_t *words, unsigned n)
{
	const struct core_model *m = core_model_find(model);
	struct pipe_state empty = { 0 };
	uint64_t units = 0;
	struct pipe p;

	pipe_open(&p, m, threads, &empty);
	for (unsigned k = 0; k < 300; k++)
		for (unsigned i = 0; i < n; i++) {
			struct pipe_insn insn;
			unsigned cost;

			pipe_decode(m, (int)(insn_lookup(words[i]) - insns), words[i], &insn);
			cost = pipe_step(&p, &insn);
			units += k < 100 ? 0 : cost;
		}
	return (double)units / UNITS_PER_CYCLE / 200;
}

static void check_cycles(const char *what, double got, double want)
{
	check(got > want - .1 && got < want + .1, "%s: %.2f cycles, should be %.2f", what, got, want);
}

#define STEADY(model, threads, ...) \
	steady(model, threads, (const uint32_t[]){ __VA_ARGS__ }, sizeof (const uint32_t[]){ __VA_ARGS__ } / sizeof(uint32_t))

static void test_kernels(void)
{
	check_cycles("power9: add on itself", STEADY("power9", 1, 0x7c631a14), 2);
	check_cycles("power9: mulld on itself", STEADY("power9", 1, 0x7c6319d2), 5);
	check_cycles("power9: ld of a chain", STEADY("power9", 1, 0xe8630000), 4);
	check_cycles("power8: ld of a chain", STEADY("power8", 1, 0xe8630000), 3);
	check_cycles("power9: six nops", STEADY("power9", 1, 0x60000000, 0x60000000, 0x60000000, 0x60000000, 0x60000000, 0x60000000), 1);
	check_cycles("power8: divd waits for the divider", STEADY("power8", 1, 0x7c6423d2, 0x7ca423d2), 68);
	/* lwz, addi, stw of one place: 17.7 cycles were measured. */
	check_cycles("power9: through a store", STEADY("power9", 1, 0x80610010, 0x38630001, 0x90610010), 17);
	check_cycles("power9: through a store, whose base steps", STEADY("power9", 1, 0x80610010, 0x38630001, 0x90610010, 0x38210010, 0x3821fff0), 17);
	check(STEADY("power9", 1, 0x80610010, 0x38630001, 0x90610018) < 3, "power9: another place is not waited for");
	check(STEADY("power9-llvm", 1, 0x80610010, 0x38630001, 0x90610010) < 3, "power9 as LLVM: nor is the same");
	check_cycles("power9: a nop of one of four threads", STEADY("power9", 4, 0x60000000), 4. / 6);
}

/* Two words of a loop, the second of which is a branch: every round takes as long as the one before. */
static void check_settles(const char *what, const char *model, uint32_t first, uint32_t branch, unsigned want)
{
	const struct core_model *m = core_model_find(model);
	struct pipe_state empty = { 0 };
	struct pipe_insn insn[2];
	unsigned others = 0;
	struct pipe p;

	pipe_decode(m, (int)(insn_lookup(first) - insns), first, &insn[0]);
	pipe_decode(m, (int)(insn_lookup(branch) - insns), branch, &insn[1]);
	pipe_open(&p, m, 1, &empty);
	for (unsigned k = 0; k < 1000; k++) {
		unsigned cost = pipe_step(&p, &insn[0]);

		cost += pipe_step(&p, &insn[1]);
		others += k >= 500 && cost != want;
	}
	check(!others, "%s: %u of 500 rounds take other than %u units", what, others, want);
}

static void test_settles(void)
{
	check_settles("power10: cmpdi, bne", "power10-llvm", 0x2c240000, 0x40820060, UNITS_PER_CYCLE / 2);
	check_settles("power8: two loads of a cycle", "power8-llvm", 0xeb810040, 0x4bfffe98, UNITS_PER_CYCLE);
	check_settles("power8: mr, b", "power8-llvm", 0x7fc3f378, 0x4bfffe98, UNITS_PER_CYCLE);
}

/* ---- States from files ---- */

static void test_invalid(void)
{
	const struct core_model *m = core_model_find("power9");
	static const struct pipe_state bad[] = {
		{ { 13 } }, { { 0x7f00 } }, { { 0x7f0000 } }, { { 5u << 24 } }, { { 0x80 } }, { { 1 } }, { { 1, 12 << 16 | 5 } },
		{ { 2, 5 << 16 | 1, 5 << 16 | 1 } }, { { 0x100, 120u << 24 | 30 } }, { { 0x100, 5u << 24 | 15 << 20 | 30 } },
		{ { 0x10000, 60 << 16 | 3 } }, { { 1u << 24, 40u << 24 | 30, 0 } }, { { 0, 1 } }, { { 0x80020000, 4 << 16 | 9, 5 << 16 | 9 } },
	};
	struct pipe_state empty = { 0 };
	unsigned taken = 0;
	uint64_t seed = 3;

	check(pipe_state_valid(&empty, m), "an empty state is valid");
	for (unsigned i = 0; i < sizeof bad / sizeof bad[0]; i++)
		check(!pipe_state_valid(&bad[i], m), "refused: state %u", i);
	/* Whatever is taken can be opened, run and closed (the sanitizers look on). */
	for (unsigned k = 0; k < 200000; k++) {
		struct pipe_state s = { { UINT32_C(1) << 8 * (check_random(&seed) & 3) } };
		struct pipe_insn insn;
		struct pipe p;

		for (unsigned i = 1; i < pipe_state_words(&s); i++)
			s.word[i] = (uint32_t)check_random(&seed) & (check_random(&seed) & 1 ? 0x1f00ffff : 0x0007ffff);
		if (!pipe_state_valid(&s, m))
			continue;
		taken++;
		pipe_open(&p, m, 1, &s);
		pipe_decode(m, ROW_ld, 0xe8610010, &insn);
		pipe_step(&p, &insn);
		pipe_decode(m, ROW_b, 0x48000000, &insn);
		pipe_step(&p, &insn);
		pipe_close(&p, &s);
		if (!pipe_state_valid(&s, m))
			check(false, "valid after a valid one");
	}
	check(taken > 10, "some random states are valid: %u", taken);
}

int main(void)
{
	for (unsigned i = 0; i < sizeof model_names / sizeof model_names[0]; i++) {
		const struct core_model *m = core_model_find(model_names[i]);

		test_tables(m);
		for (unsigned threads = 1; threads <= 8; threads *= 2)
			test_cuts(m, threads);
	}
	check(!core_model_find("power7"), "no such model");
	test_variants();
	test_kernels();
	test_settles();
	test_invalid();
	return check_done();
}

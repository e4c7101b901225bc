/* Differential test of every user-mode instruction against an oracle.
 *
 *   insn_test [-n SETS] [-r SETS] [-s SEED] [-w N/OF] [-l LEVEL] [-q LENGTH] [-o] [-u] [-b] [-d] [-f] [-v] [-x FILE] ORACLE-COMMAND [NAME...]
 *
 * For each row of the instruction table (or those named) it draws SETS cases, sends them through
 * the oracle (tests/insn/oracle.c under qemu-user) and runs them on cede, and compares every
 * register, FPSCR, VSCR and the memory operand bit for bit.
 *
 * -r  that many operand sets of a word before the next: emulators translate it once (1 unless said otherwise)
 * -w  only every OF-th row, from the N-th (0..): for several at a time
 * -l  the generation that the processor is of: P8, P9 (unless said otherwise) or P10
 * -o  only rows that came with it
 * -u  only rows that have come since: what the processor makes of their words, nothing or what older rows do
 * -b  big-endian
 * -q  that many rows one after the other: SETS sequences of what is left of the rows (sequence.h)
 * -d  the decimal unit's rows alone
 * -f  those that compute with binary floating-point numbers
 * -v  four cases of a row that fails, 16 if given twice; lines of the list that were not needed
 * -x  exceptions.list
 *
 * A line "FAIL NAME ..." for each row that differs; the status is 0 if there is none.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "compare.h"
#include "cpu/core/spr.h"
#include "cpu/engine/block.h"
#include "cpu/engine/decode.h"
#include "cpu/fp/fp.h"
#include "cpu/engine/tlb.h"
#include "draw.h"
#include "pipe.h"
#include "sequence.h"

/* ---- cede's side ---- */

struct rig {
	struct ram ram;
	struct cpu_clock clock;
	struct cpu_env env;
	struct cpu *cpu;
	bool big;
	enum insn_since level;	/* whose instructions there are */
};

static void log_nothing(void *machine, unsigned channel, const char *fmt, ...)
{
	(void)machine;
	(void)channel;
	(void)fmt;
}

static void no_hypercall(struct cpu *cpu) { cpu->r[3] = UINT64_MAX; }
static uint64_t random_bits(void *machine) { (void)machine; return 4; }

/* A sequence runs on into a loop, so that it is one block with all that cede makes of it; so does what interrupts one. */
static void write_ends(struct rig *rig)
{
	static const uint32_t self = 0x48000000;
	uint32_t big = __builtin_bswap32(self);

	ram_write(&rig->ram, SEQUENCE_ADDR + 4 * SEQUENCE_WORDS, rig->big ? &big : &self, sizeof self);
	for (uint64_t vector = VEC_SYSTEM_RESET; vector < 0x1000; vector += 0x20)
		ram_write(&rig->ram, vector, &big, sizeof big);
}

static bool rig_init(struct rig *rig)
{
	struct cpu *cpu = aligned_alloc(64, (sizeof *cpu + 63) & ~(size_t)63);

	if (!cpu)
		return false;
	memset(cpu, 0, sizeof *cpu);
	rig->ram.size = UINT64_C(1) << 30;
	rig->ram.base = mmap(NULL, rig->ram.size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	rig->ram.page = calloc(rig->ram.size >> RAM_PAGE_SHIFT, 1);
	rig->env = (struct cpu_env){ .hypercall = no_hypercall, .random = random_bits, .log = log_nothing,
				     .ram = &rig->ram, .clock = &rig->clock };
	rig->cpu = cpu;
	cpu->env = &rig->env;
	cpu->pvr = 0x004e1200;
	if (rig->ram.base == MAP_FAILED || !rig->ram.page)
		return false;
	write_ends(rig);
	return engine_add_cpu(engine_new(&rig->ram, "flat", rig->level, 1), cpu);
}

static void write_code(struct rig *rig, struct testcase *c)
{
	uint32_t words[3], there[SEQUENCE_WORDS];
	uint64_t address = c->sequence ? SEQUENCE_ADDR : CODE_ADDR;
	const void *code = c->sequence ? sequence_code(&c->state) : words;
	size_t size = c->sequence ? 4 * SEQUENCE_WORDS : CODE_BYTES;

	case_code(c, words);
	for (unsigned i = 0; rig->big && i < 3; i++)
		words[i] = __builtin_bswap32(words[i]);
	ram_read(&rig->ram, address, there, size);
	if (!memcmp(there, code, size))
		return;
	ram_write(&rig->ram, address, code, size);
	engine_code_written(rig->cpu->engine, address, size);
}

/* Before POWER9 no instruction reads or writes OV32 and CA32. */
static uint64_t xer_bits(const struct rig *rig) { return rig->level < P9 ? ~UINT64_C(0xc0000) : UINT64_MAX; }

static void put_state(struct rig *rig, const struct state *s)
{
	struct cpu *cpu = rig->cpu;

	memcpy(cpu->r, s->r, sizeof s->r);
	for (unsigned i = 0; i < 64; i++) {
		VD(cpu->vsr[i], 0) = s->vsr[i][0];
		VD(cpu->vsr[i], 1) = s->vsr[i][1];
	}
	cpu_set_cr(cpu, (uint32_t)s->cr);
	cpu_set_xer(cpu, s->xer & xer_bits(rig));
	fpscr_set(cpu, s->fpscr);
	cpu->vscr = (uint32_t)s->vscr;
	ram_write(&rig->ram, MEM_ADDR, s->mem, sizeof s->mem);
}

static void get_state(struct rig *rig, struct state *s)
{
	struct cpu *cpu = rig->cpu;

	memcpy(s->r, cpu->r, sizeof s->r);
	for (unsigned i = 0; i < 64; i++) {
		s->vsr[i][0] = VD(cpu->vsr[i], 0);
		s->vsr[i][1] = VD(cpu->vsr[i], 1);
	}
	s->cr = cpu_get_cr(cpu);
	s->xer = cpu_get_xer(cpu) & xer_bits(rig);
	s->fpscr = fpscr_get(cpu);
	s->vscr = cpu->vscr;
	ram_read(&rig->ram, MEM_ADDR, s->mem, sizeof s->mem);
}

static enum outcome outcome_of(const struct cpu *cpu)
{
	if (cpu->nip == CODE_ADDR + CODE_BYTES || cpu->nip == SEQUENCE_ADDR + 4 * SEQUENCE_WORDS)
		return RAN;
	switch (cpu->nip & 0xfff) {
	case VEC_ALIGNMENT: return ALIGNMENT;
	case VEC_PROGRAM: return cpu->srr1 & PROG_ILLEGAL ? ILLEGAL : TRAPPED;
	default: return STORAGE;
	}
}

static void run_on_cede(struct rig *rig, struct testcase *c)
{
	struct cpu *cpu = rig->cpu;

	cpu_reset(cpu);
	cpu->fscr = cpu->dexcr = UINT64_MAX;
	cpu->hashkeyr = HASHKEYR;
	cpu->run_state = CPU_RUNNING;
	cpu_set_msr(cpu, MSR_SF | MSR_FP | MSR_VEC | MSR_VSX | (rig->big ? 0 : MSR_LE));
	cpu->nip = c->sequence ? SEQUENCE_ADDR : CODE_ADDR + (c->prefix ? 0 : 4);	/* two instructions either way */
	cpu->cycles = 0;
	cpu->interrupts = 0;
	cpu->engine->credit = 1 << 20;	/* however new the code is, it runs in blocks */
	write_code(rig, c);
	put_state(rig, &c->state);
	/* With FEX there is no program that has not been interrupted, but with FE0 and FE1 off. */
	if (!(cpu->fpscr & FPSCR_FEX))
		cpu->msr |= MSR_FE0 | MSR_FE1;
	cpu_run(cpu, c->sequence ? 2 * SEQUENCE_WORDS : 2);
	c->outcome = outcome_of(cpu);
	get_state(rig, &c->state);
}

/* ---- The run ---- */

struct run {
	struct rig rig;
	struct oracle oracle;
	struct exceptions *exceptions;
	unsigned sets, repeat, shown, shard, shards;
	unsigned length;		/* of sequences; 0: single instructions */
	bool new_alone, unknown;
	uint64_t seed;
	unsigned tested, failed;
	bool (*subject)(const struct insn *insn);
};

struct tally {
	unsigned ran, bad;
	bool mirrored, derived;		/* what the list of exceptions says of the row */
};

/* FPSCR[FR] says that rounding has made the magnitude larger: that is, larger than rounding toward
 * zero leaves it. Undefined after an overflow. */
static void derive_fr(struct rig *rig, const struct testcase *in, const struct testcase *got, struct testcase *want)
{
	struct testcase toward_zero = *in;
	bool fr = false;

	if (got->state.fpscr & FPSCR_OX) {
		fr = got->state.fpscr & FPSCR_FR;
	} else if (got->state.fpscr & FPSCR_FI) {
		toward_zero.state.fpscr = (in->state.fpscr & ~FPSCR_RN) | FP_TO_ZERO;
		run_on_cede(rig, &toward_zero);
		fr = memcmp(toward_zero.state.vsr, got->state.vsr, sizeof got->state.vsr);
	}
	want->state.fpscr = (want->state.fpscr & ~FPSCR_FR) | (fr ? FPSCR_FR : 0);
}

static void judge(struct run *run, struct view *v, struct tally *tally)
{
	tally->ran += v->want->outcome == RAN;
	if (run->unknown && v->want->outcome == ILLEGAL && v->got->outcome == ILLEGAL)
		return;			/* what the list says is of what the row does */
	if (tally->derived)
		derive_fr(&run->rig, v->in, v->got, v->want);
	exceptions_apply(run->exceptions, v);
	if (v->want->outcome == UNDEFINED)
		return;
	if (memcmp(v->want, v->got, sizeof *v->want) && tally->bad++ < run->shown)
		compare_show(v);
}

static bool is_decimal(const struct insn *insn) { return insn->unit == DFP; }

/* What else has numbers for operands only moves bits: signs, exponents, classes. */
static bool is_float(const struct insn *insn)
{
	bool moves = insn->unit == VX && (!strncmp(insn->name, "xs", 2) || !strncmp(insn->name, "xv", 2));

	return insn->unit == FP || insn->unit == FDIV || moves;
}

/* The oracle negates before it rounds ("mirror"), so it runs in the opposite directed mode. */
static void mirror_rounding(struct testcase *c)
{
	if (c->state.fpscr & 2)
		c->state.fpscr ^= 1;
}

/* cede works while the oracle does: on the first n of a chunk. false: the oracle did not answer. */
static bool run_both(struct run *run, struct testcase *want, struct testcase *got, unsigned n)
{
	if (!oracle_ask(&run->oracle, want))
		return false;
	for (unsigned i = 0; i < n; i++)
		run_on_cede(&run->rig, &got[i]);
	return oracle_answer(&run->oracle, want);
}

/* false: the oracle did not answer. */
static bool run_chunk(struct run *run, const struct insn *insn, unsigned n, struct tally *tally)
{
	struct testcase in[CHUNK] = { 0 }, want[CHUNK], got[CHUNK];

	for (unsigned i = 0; i < CHUNK; i++) {
		draw_case(insn, &in[i], i % run->repeat ? &in[i - 1] : NULL);
		if (run->subject == is_float)
			draw_occurred(&in[i].state);
		want[i] = got[i] = in[i];
		if (tally->mirrored)
			mirror_rounding(&want[i]);
	}
	if (!run_both(run, want, got, n))
		return false;
	for (unsigned i = 0; i < n; i++) {
		struct view v = { .insn = insn, .in = &in[i], .got = &got[i], .want = &want[i], .later = run->unknown };

		if (tally->mirrored)
			mirror_rounding(&want[i]);
		judge(run, &v, tally);
	}
	return true;
}

static void run_row(struct run *run, const struct insn *insn)
{
	struct tally tally = { .mirrored = exceptions_list(run->exceptions, insn, "mirror"),
			       .derived = exceptions_list(run->exceptions, insn, "fr") };
	bool answered = true;

	draw_seed(run->seed ^ (uint64_t)insn->match << 20);
	for (unsigned done = 0; answered && done < run->sets; done += CHUNK)
		answered = run_chunk(run, insn, run->sets - done < CHUNK ? run->sets - done : CHUNK, &tally);
	run->tested++;
	if (answered && (tally.ran || run->unknown) && !tally.bad)
		return;
	run->failed++;
	printf("FAIL %s: %u of %u differ%s%s\n", insn->name, tally.bad, run->sets, tally.ran || run->unknown ? "" : ", none ran",
	       answered ? "" : ", the oracle did not answer");
	if (!answered)
		oracle_stop(&run->oracle);
}

static bool wanted(const struct run *run, unsigned row, char *const *names)
{
	const struct insn *insn = &insns[row];

	if (insn->flags & NOTEST || (insn->since > run->rig.level) != run->unknown || row % run->shards != run->shard)
		return false;
	if ((run->subject && !run->subject(insn)) || (run->new_alone && insn->since != run->rig.level))
		return false;
	if (!run->rig.big && exceptions_list(run->exceptions, insn, "little"))
		return false;
	if (!*names)
		return true;
	for (; *names; names++)
		if (!strcmp(*names, insn->name))
			return true;
	return false;
}

/* ---- Sequences ---- */

struct sequence_run {
	const struct insn **rows;
	unsigned nrows, ran;
	bool *bad;			/* by number in insns */
};

/* Runs the first n instructions of the case on both sides. false: the oracle did not answer. */
static bool run_first(struct run *run, const struct testcase *c, unsigned n, struct testcase *want, struct testcase *got)
{
	struct testcase asked[CHUNK] = { 0 };
	uint32_t nop = run->rig.big ? __builtin_bswap32(NOP) : NOP;

	for (unsigned i = 0; i < CHUNK; i++) {
		asked[i] = *c;
		for (unsigned k = n; k < SEQUENCE_WORDS; k++)
			memcpy((char *)sequence_code(&asked[i].state) + 4 * k, &nop, sizeof nop);
	}
	*got = asked[0];
	if (!oracle_ask(&run->oracle, asked) || !oracle_answer(&run->oracle, asked))
		return false;
	*want = asked[0];
	run_on_cede(&run->rig, got);
	sequence_settle(want);
	sequence_settle(got);
	return true;
}

/* The first of its instructions with which the two sides differ. */
static bool blame(struct run *run, struct sequence_run *q, const struct testcase *in, const struct insn *const *chosen)
{
	struct testcase want, got, one = *in;

	for (unsigned n = 1; n <= run->length; n++) {
		struct view v = { .insn = chosen[n - 1], .in = &one, .got = &got, .want = &want };

		if (!run_first(run, in, n, &want, &got))
			return false;
		if (!memcmp(&want, &got, sizeof want))
			continue;
		if (!q->bad[chosen[n - 1] - insns] && run->shown) {
			memcpy(&one.word, (char *)sequence_code(&one.state) + 4 * (n - 1), sizeof one.word);
			printf("instruction %u of a sequence:\n", n);
			compare_show(&v);
		}
		q->bad[chosen[n - 1] - insns] = true;
		return true;
	}
	printf("a sequence differs as a whole alone\n");
	q->bad[chosen[0] - insns] = true;
	return true;
}

static bool run_sequences(struct run *run, struct sequence_run *q)
{
	static const struct insn *chosen[CHUNK][SEQUENCE_WORDS];
	struct testcase in[CHUNK], want[CHUNK], got[CHUNK];

	for (unsigned i = 0; i < CHUNK; i++) {
		sequence_draw(q->rows, q->nrows, run->length, run->rig.big, &in[i], chosen[i]);
		want[i] = got[i] = in[i];
	}
	if (!run_both(run, want, got, CHUNK))
		return false;
	for (unsigned i = 0; i < CHUNK; i++) {
		q->ran += want[i].outcome == RAN;
		sequence_settle(&want[i]);
		sequence_settle(&got[i]);
		if (memcmp(&want[i], &got[i], sizeof want[i]) && !blame(run, q, &in[i], chosen[i]))
			return false;
	}
	return true;
}

static void run_all_sequences(struct run *run, struct sequence_run *q)
{
	bool answered = true;
	unsigned done = 0;

	draw_seed(run->seed);
	for (; answered && done < run->sets; done += CHUNK)
		answered = run_sequences(run, q);
	for (unsigned i = 0; i < q->nrows; i++) {
		run->tested++;
		if (q->bad[q->rows[i] - insns]) {
			run->failed++;
			printf("FAIL %s: differs in a sequence\n", q->rows[i]->name);
		}
	}
	printf("%u of %u sequences of %u ran to their ends\n", q->ran, done, run->length);
	if (!answered || q->ran < done / 2) {
		printf("FAIL sequences: %s\n", answered ? "most were left early" : "the oracle did not answer");
		run->failed++;
	}
}

static int usage(void)
{
	fprintf(stderr, "usage: insn_test [-n SETS] [-r SETS] [-s SEED] [-w N/OF] [-l LEVEL] [-q LENGTH] [-o] [-b] [-d] [-f] [-v] "
		"[-x FILE] ORACLE-COMMAND [NAME...]\n");
	return 2;
}

static bool parse_level(enum insn_since *level, const char *name)
{
	static const struct { const char *name; enum insn_since level; } levels[] = { { "P8", P8 }, { "P9", P9 }, { "P10", P10 } };

	for (unsigned i = 0; i < ARRAY_SIZE(levels); i++)
		if (!strcmp(levels[i].name, name)) {
			*level = levels[i].level;
			return true;
		}
	return false;
}

static bool parse_options(struct run *run, int argc, char **argv)
{
	int opt;

	while ((opt = getopt(argc, argv, "n:r:s:w:l:q:oubdfvx:")) != -1) {
		switch (opt) {
		case 'n': run->sets = (unsigned)atoi(optarg); break;
		case 'r': run->repeat = (unsigned)atoi(optarg); break;
		case 's': run->seed = strtoull(optarg, NULL, 0); break;
		case 'w':
			if (sscanf(optarg, "%u/%u", &run->shard, &run->shards) != 2 || run->shard >= run->shards)
				return false;
			break;
		case 'l':
			if (!parse_level(&run->rig.level, optarg))
				return false;
			break;
		case 'q': run->length = (unsigned)atoi(optarg); break;
		case 'o': run->new_alone = true; break;
		case 'u': run->unknown = true; break;
		case 'b': run->rig.big = true; break;
		case 'd': run->subject = is_decimal; break;
		case 'f': run->subject = is_float; break;
		case 'v': run->shown *= 4; break;
		case 'x':
			run->exceptions = exceptions_read(optarg);
			if (!run->exceptions)
				return false;
			break;
		default: return false;
		}
	}
	return optind < argc && run->sets && run->repeat && run->length <= SEQUENCE_WORDS;
}

int main(int argc, char **argv)
{
	static struct run run = { .sets = 200, .repeat = 1, .shown = 1, .seed = 1, .shards = 1, .rig.level = P9 };
	struct sequence_run q = { .nrows = 0 };

	if (!parse_options(&run, argc, argv) || !rig_init(&run.rig))
		return usage();
	run.oracle.command = argv[optind];
	q.rows = calloc(ninsns, sizeof *q.rows);
	q.bad = calloc(ninsns, sizeof *q.bad);
	if (!q.rows || !q.bad)
		return 1;
	for (unsigned i = 0; i < ninsns; i++) {
		if (!wanted(&run, i, argv + optind + 1))
			continue;
		if (!run.length)
			run_row(&run, &insns[i]);
		else if (sequence_takes(&insns[i], run.exceptions))
			q.rows[q.nrows++] = &insns[i];
	}
	if (q.nrows)
		run_all_sequences(&run, &q);
	free(q.rows);
	free(q.bad);
	oracle_stop(&run.oracle);
	if (run.shown > 1)
		exceptions_unused(run.exceptions);
	printf("%u instructions agree, %u do not\n", run.tested - run.failed, run.failed);
	return run.failed || !run.tested;
}

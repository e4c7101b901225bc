/* Differential test of every user-mode instruction against an oracle.
 *
 *   insn_test ORACLE-COMMAND [-n SETS] [-s SEED] [-b] [-v] [-x FILE] [NAME...]
 *
 * For each row of the instruction table (or those named) it makes SETS cases with operands
 * chosen to matter, sends them through the oracle and runs them on cede, and compares every
 * register, FPSCR, VSCR and the memory operand bit for bit. -b: big-endian. -x: the list of
 * fields that are undefined in the Power ISA or where the oracle is known to be wrong.
 */
#define _GNU_SOURCE
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "cpu/block.h"
#include "cpu/decode.h"
#include "cpu/mmu.h"
#include "state.h"

/* ---- Random values that matter ---- */

static uint64_t rng_state;

static uint64_t rnd(void)
{
	uint64_t z = rng_state += UINT64_C(0x9e3779b97f4a7c15);

	z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
	return z ^ z >> 31;
}

static unsigned pick(unsigned n) { return (unsigned)(rnd() % n); }

static uint64_t integer(void)
{
	static const uint64_t edge[] = { 0, 1, 2, 0x7f, 0x80, 0xff, 0x7fff, 0x8000, 0xffff, 0x7fffffff, 0x80000000,
		0xffffffff, 0x100000000, INT64_MAX, UINT64_C(1) << 63, UINT64_MAX, UINT64_C(0xffffffff80000000),
		UINT64_C(0xffffffff00000000), 0x3f, 0x40, 0x1f, 0x20 };

	switch (pick(4)) {
	case 0: return edge[pick(ARRAY_SIZE(edge))];
	case 1: return rnd() >> pick(64);
	case 2: return (uint64_t)((int64_t)rnd() >> pick(64));
	default: return rnd();
	}
}

static uint64_t float64(void)
{
	static const uint64_t edge[] = { 0, UINT64_C(0x3ff0000000000000), UINT64_C(0x7ff0000000000000),
		UINT64_C(0x7ff8000000000000), UINT64_C(0x7ff0000000000001), UINT64_C(0x7ff4000000001234),
		UINT64_C(0x7fefffffffffffff), UINT64_C(0x0010000000000000), UINT64_C(0x000fffffffffffff), 1,
		UINT64_C(0x47efffffe0000000), UINT64_C(0x47efffffefffffff), UINT64_C(0x3810000000000000),
		UINT64_C(0x36a0000000000000), UINT64_C(0x3690000000000000), UINT64_C(0x41dfffffffc00000),
		UINT64_C(0x43e0000000000000), UINT64_C(0x43f0000000000000), UINT64_C(0x41e0000000000000),
		UINT64_C(0x3fe0000000000000), UINT64_C(0x3ff8000000000000), UINT64_C(0x4330000000000001) };
	uint64_t sign = rnd() << 63;

	switch (pick(6)) {
	case 0: return sign | edge[pick(ARRAY_SIZE(edge))];
	case 1: return rnd();
	case 2: {
		float f;
		uint32_t w = (uint32_t)rnd();
		double d;
		uint64_t v;

		memcpy(&f, &w, 4);
		d = (double)f;
		memcpy(&v, &d, 8);
		return v;
	}
	case 3: return sign | (uint64_t)(1023 + pick(40)) << 52 | (rnd() & UINT64_C(0xfffffffffffff)) << pick(52) >> 12 << 12 >> 0;
	case 4: return sign | (uint64_t)(896 + pick(260)) << 52 | (rnd() >> 12 >> pick(52) << pick(30) & UINT64_C(0xfffffffffffff));
	default: {
		double d = (double)(int64_t)integer();
		uint64_t v;

		memcpy(&v, &d, 8);
		return v;
	}
	}
}

static uint32_t float32(void)
{
	static const uint32_t edge[] = { 0, 0x3f800000, 0x7f800000, 0x7fc00000, 0x7f800001, 0x7fa01234, 0x7f7fffff,
		0x00800000, 0x007fffff, 1, 0x4effffff, 0x4f000000, 0x4f800000, 0x5f000000, 0x3f000000, 0x3fc00000 };

	switch (pick(3)) {
	case 0: return (uint32_t)(rnd() << 31) | edge[pick(ARRAY_SIZE(edge))];
	case 1: return (uint32_t)(rnd() << 31) | (100 + pick(56)) << 23 | (uint32_t)(rnd() & 0x7fffff);
	default: return (uint32_t)rnd();
	}
}

static void vector(uint64_t v[2])
{
	switch (pick(5)) {
	case 0:
		v[0] = float64();
		v[1] = float64();
		break;
	case 1:
		v[0] = (uint64_t)float32() << 32 | float32();
		v[1] = (uint64_t)float32() << 32 | float32();
		break;
	case 2:
		v[0] = float64();
		v[1] = pick(2) ? 0 : rnd();
		break;
	case 3:
		v[0] = integer();
		v[1] = integer();
		break;
	default:
		v[0] = rnd();
		v[1] = rnd();
		break;
	}
}

static void bcd(uint64_t v[2])
{
	for (unsigned i = 0; i < 32; i++) {
		if (!(i & 15))
			v[i / 16] = 0;
		v[i / 16] = v[i / 16] << 4 | (i == 31 ? 10 + pick(6) : pick(10));
	}
}

/* ---- Making a case ---- */

static bool has(const struct insn *insn, const char *token)
{
	size_t n = strlen(token);

	for (const char *p = insn->operands; (p = strstr(p, token)); p += n)
		if ((p == insn->operands || strchr(",(", p[-1])) && strchr(",()", p[n]))
			return true;
	return false;
}

/* Gives memory instructions an address inside the case's memory; false: try other fields. */
static bool aim(const struct insn *insn, struct testcase *c)
{
	unsigned ra = c->word >> 16 & 31, rb = c->word >> 11 & 31, rt = c->word >> 21 & 31;
	uint64_t target = MEM_ADDR + 128 + pick(192) / (pick(2) ? 1 : 16) * (pick(2) ? 1 : 16);
	int64_t d = 0;

	if (pick(2))
		target &= ~UINT64_C(15);
	if (insn->flags & UPD && (ra == 0 || ra == rt))
		return false;
	if (has(insn, "D"))
		d = (int16_t)c->word;
	else if (has(insn, "DS"))
		d = (int16_t)(c->word & 0xfffc);
	else if (has(insn, "DQ"))
		d = (int16_t)(c->word & 0xfff0);
	else if (has(insn, "RB") && strstr(insn->operands, "RA0,RB")) {
		if (strstr(insn->name, "vl") && insn->match >> 26 == 31 && (insn->flags & X6)) {
			if (ra == 0 || ra == rb)
				return false;
			c->state.r[ra] = target;
			c->state.r[rb] = (uint64_t)pick(20) << 56;
			return true;
		}
		if (ra == rb && ra) {
			c->state.r[ra] = target / 2;
			return true;
		}
		if (ra)
			c->state.r[ra] = rnd() >> (pick(2) ? 0 : 50);
		c->state.r[rb] = target - (ra ? c->state.r[ra] : 0);
		return true;
	}
	if (ra == 0)
		return false;
	c->state.r[ra] = target - (uint64_t)d;
	return true;
}

static uint32_t random_word(const struct insn *insn);

static void make_case(const struct insn *insn, struct testcase *c, uint32_t word, bool traps)
{
	struct state *s = &c->state;

	do {
		c->word = word;
		for (unsigned i = 0; i < 32; i++)
			s->r[i] = integer();
		for (unsigned i = 0; i < 64; i++)
			if (!strncmp(insn->name, "bcd", 3) && pick(4))
				bcd(s->vsr[i]);
			else
				vector(s->vsr[i]);
		s->cr = (uint32_t)rnd();
		s->xer = rnd() & 0xe00c007f;
		s->fpscr = (rnd() & 3) | (pick(2) ? rnd() & 0xfff80700 & ~UINT64_C(0x60000000) : 0);
		if (traps)
			s->fpscr |= rnd() & 0xf8;
		s->vscr = rnd() & 0x00000001;
		for (unsigned i = 0; i < MEM_BYTES / 8; i++)
			s->mem[i] = pick(2) ? rnd() : float64();
		do
			word = random_word(insn);
		while (insn_lookup(word) != insn);
	} while (insn->flags & MEM && !aim(insn, c));
}

/* Reserved bits stay zero: only operand, Rc and OE bits are drawn. */
static uint32_t random_word(const struct insn *insn)
{
	return insn->match | ((uint32_t)rnd() & decode_operand_bits(insn) & ~insn->mask);
}

/* ---- cede's side ---- */

static void log_nothing(void *machine, unsigned channel, const char *fmt, ...)
{
	(void)machine;
	(void)channel;
	(void)fmt;
}

static void no_hypercall(struct cpu *cpu) { cpu->r[3] = UINT64_MAX; }
static uint64_t random_bits(void *machine) { (void)machine; return 4; }

struct rig {
	struct ram ram;
	struct cpu_clock clock;
	struct cpu_env env;
	struct cpu *cpu;
	bool big;
};

static bool rig_init(struct rig *rig, bool big)
{
	struct cpu *cpu = aligned_alloc(64, (sizeof *cpu + 63) & ~(size_t)63);

	if (!cpu)
		return false;
	memset(cpu, 0, sizeof *cpu);
	rig->big = big;
	rig->ram.size = UINT64_C(1) << 30;
	rig->ram.base = mmap(NULL, rig->ram.size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	rig->ram.page = calloc(rig->ram.size >> RAM_PAGE_SHIFT, 1);
	rig->env = (struct cpu_env){ .hypercall = no_hypercall, .random = random_bits, .log = log_nothing,
				     .ram = &rig->ram, .clock = &rig->clock };
	rig->cpu = cpu;
	cpu->env = &rig->env;
	cpu->pvr = 0x004e1200;
	return rig->ram.base != MAP_FAILED && rig->ram.page &&
	       engine_add_cpu(engine_new(&rig->ram, "flat"), cpu);
}

static void run_on_cede(struct rig *rig, struct testcase *c)
{
	struct cpu *cpu = rig->cpu;
	struct state *s = &c->state;
	uint32_t word = rig->big ? __builtin_bswap32(c->word) : c->word;

	cpu_reset(cpu);
	cpu->fscr = UINT64_MAX;
	cpu->run_state = CPU_RUNNING;
	cpu_set_msr(cpu, MSR_SF | MSR_FP | MSR_VEC | MSR_VSX | (rig->big ? 0 : MSR_LE));
	memcpy(cpu->r, s->r, sizeof s->r);
	for (unsigned i = 0; i < 64; i++) {
		VD(cpu->vsr[i], 0) = s->vsr[i][0];
		VD(cpu->vsr[i], 1) = s->vsr[i][1];
	}
	cpu_set_cr(cpu, (uint32_t)s->cr);
	cpu_set_xer(cpu, s->xer);
	fpscr_set(cpu, s->fpscr);
	cpu->vscr = (uint32_t)s->vscr;
	cpu->nip = CODE_ADDR;
	ram_write(&rig->ram, CODE_ADDR, &word, sizeof word);
	engine_code_written(cpu->engine, CODE_ADDR, sizeof word);
	ram_write(&rig->ram, MEM_ADDR, s->mem, sizeof s->mem);
	cpu->cycles = 0;
	cpu->interrupts = 0;
	cpu_run(cpu, 1);
	c->outcome = cpu->nip == CODE_ADDR + 4 ? RAN : (cpu->nip & 0xfff) == VEC_ALIGNMENT ? ALIGNMENT :
		     (cpu->nip & 0xfff) == VEC_PROGRAM && cpu->srr1 & PROG_ILLEGAL ? ILLEGAL :
		     (cpu->nip & 0xfff) == VEC_PROGRAM ? TRAPPED : STORAGE;
	memcpy(s->r, cpu->r, sizeof s->r);
	for (unsigned i = 0; i < 64; i++) {
		s->vsr[i][0] = VD(cpu->vsr[i], 0);
		s->vsr[i][1] = VD(cpu->vsr[i], 1);
	}
	s->cr = cpu_get_cr(cpu);
	s->xer = cpu_get_xer(cpu);
	s->fpscr = fpscr_get(cpu);
	s->vscr = cpu->vscr;
	ram_read(&rig->ram, MEM_ADDR, s->mem, sizeof s->mem);
}

/* ---- What may differ ---- */

/* Lines "NAME FIELD reason": FIELD is rt32 (upper half of RT), fpscr:HEXMASK, xer:HEXMASK, cr, or all. */
struct exception { char name[32], field[32]; };
static struct exception exceptions[256];
static unsigned nexceptions;

static void read_exceptions(const char *path)
{
	FILE *f = fopen(path, "r");
	char line[512];

	if (!f) {
		perror(path);
		exit(1);
	}
	while (fgets(line, sizeof line, f)) {
		struct exception *e = &exceptions[nexceptions];

		if (line[0] != '#' && nexceptions < ARRAY_SIZE(exceptions) && sscanf(line, "%31s %31s", e->name, e->field) == 2)
			nexceptions++;
	}
	fclose(f);
}

static void forgive(const struct insn *insn, struct state *a, struct state *b)
{
	for (unsigned i = 0; i < nexceptions; i++) {
		const struct exception *e = &exceptions[i];

		if (strcmp(e->name, insn->name) && strcmp(e->name, "*"))
			continue;
		if (!strncmp(e->field, "fpscr:", 6))
			a->fpscr = (a->fpscr & ~strtoull(e->field + 6, NULL, 16)) | (b->fpscr & strtoull(e->field + 6, NULL, 16));
		else if (!strncmp(e->field, "xer:", 4))
			a->xer = (a->xer & ~strtoull(e->field + 4, NULL, 16)) | (b->xer & strtoull(e->field + 4, NULL, 16));
		else if (!strcmp(e->field, "all"))
			*a = *b;
	}
}

static void show(const struct testcase *in, const struct testcase *want, const struct testcase *got)
{
	static const char *const outcomes[] = { "ran", "illegal", "alignment", "storage", "trapped" };

	if (want->outcome != got->outcome)
		printf("    outcome: oracle %s, cede %s\n", outcomes[want->outcome], outcomes[got->outcome]);
	for (unsigned i = 0; i < 32; i++)
		if (want->state.r[i] != got->state.r[i])
			printf("    r%u: %016llx -> oracle %016llx, cede %016llx\n", i, (unsigned long long)in->state.r[i],
			       (unsigned long long)want->state.r[i], (unsigned long long)got->state.r[i]);
	for (unsigned i = 0; i < 64; i++)
		if (memcmp(want->state.vsr[i], got->state.vsr[i], 16))
			printf("    vs%u: %016llx %016llx -> oracle %016llx %016llx, cede %016llx %016llx\n", i,
			       (unsigned long long)in->state.vsr[i][0], (unsigned long long)in->state.vsr[i][1],
			       (unsigned long long)want->state.vsr[i][0], (unsigned long long)want->state.vsr[i][1],
			       (unsigned long long)got->state.vsr[i][0], (unsigned long long)got->state.vsr[i][1]);
#define SHOW(f) \
	if (want->state.f != got->state.f) \
		printf("    " #f ": %llx -> oracle %llx, cede %llx\n", (unsigned long long)in->state.f, \
		       (unsigned long long)want->state.f, (unsigned long long)got->state.f)
	SHOW(cr);
	SHOW(xer);
	SHOW(fpscr);
	SHOW(vscr);
#undef SHOW
	for (unsigned i = 0; i < MEM_BYTES / 8; i++)
		if (want->state.mem[i] != got->state.mem[i])
			printf("    mem+%u: oracle %016llx, cede %016llx\n", 8 * i, (unsigned long long)want->state.mem[i],
			       (unsigned long long)got->state.mem[i]);
	for (unsigned shift = 6; shift <= 21; shift += 5) {
		unsigned n = in->word >> shift & 31;

		printf("    in: field at %2u = %2u: r %016llx  vs %016llx %016llx  vr %016llx %016llx\n", shift, n,
		       (unsigned long long)in->state.r[n], (unsigned long long)in->state.vsr[n][0],
		       (unsigned long long)in->state.vsr[n][1], (unsigned long long)in->state.vsr[32 + n][0],
		       (unsigned long long)in->state.vsr[32 + n][1]);
	}
}

/* ---- The run ---- */

static bool through_oracle(const char *command, const struct testcase *in, struct testcase *out, size_t n)
{
	char path[] = "/tmp/cede-insn-XXXXXX", line[1024];
	int fd = mkstemp(path);
	FILE *f;
	size_t got = 0;

	if (fd < 0 || write(fd, in, n * sizeof *in) != (ssize_t)(n * sizeof *in))
		return false;
	close(fd);
	snprintf(line, sizeof line, "%s < %s", command, path);
	f = popen(line, "r");
	if (f) {
		got = fread(out, sizeof *out, n, f);
		if (pclose(f) != 0)
			got = 0;
	}
	unlink(path);
	return got == n;
}

int main(int argc, char **argv)
{
	unsigned sets = 200, verbose = 0, failed = 0, tested = 0, opt;
	uint64_t seed = 1;
	bool big = false;
	struct rig rig = { 0 };
	struct testcase *in, *want;

	while ((opt = (unsigned)getopt(argc, argv, "n:s:bvx:")) != (unsigned)-1) {
		switch (opt) {
		case 'n': sets = (unsigned)atoi(optarg); break;
		case 's': seed = strtoull(optarg, NULL, 0); break;
		case 'b': big = true; break;
		case 'v': verbose = 1; break;
		case 'x': read_exceptions(optarg); break;
		default: return 2;
		}
	}
	if (optind >= argc || !sets || !rig_init(&rig, big)) {
		fprintf(stderr, "usage: insn_test [-n SETS] [-s SEED] [-b] [-v] [-x FILE] ORACLE [NAME...]\n");
		return 2;
	}
	in = calloc(sets, sizeof *in);
	want = calloc(sets, sizeof *want);
	for (unsigned i = 0; in && want && i < ninsns; i++) {
		const struct insn *insn = &insns[i];
		unsigned bad = 0, wanted = optind + 1 == argc, ran = 0;

		for (int a = optind + 1; a < argc; a++)
			wanted |= !strcmp(argv[a], insn->name);
		if (!wanted || insn->flags & NOTEST)
			continue;
		rng_state = seed ^ (uint64_t)insn->match << 20;
		for (unsigned n = 0; n < sets; n++) {
			uint32_t word = random_word(insn);

			while (insn_lookup(word) != insn)
				word = random_word(insn);
			make_case(insn, &in[n], word, n % 4 == 3);
		}
		if (!through_oracle(argv[optind], in, want, sets)) {
			printf("FAIL %s: the oracle did not answer\n", insn->name);
			failed++;
			continue;
		}
		for (unsigned n = 0; n < sets; n++) {
			struct testcase got = in[n];

			run_on_cede(&rig, &got);
			ran += want[n].outcome == RAN;
			if (want[n].outcome != RAN && want[n].outcome == got.outcome)
				continue;
			forgive(insn, &got.state, &want[n].state);
			if (!memcmp(&got.state, &want[n].state, sizeof got.state) && got.outcome == want[n].outcome)
				continue;
			if (bad++ < (verbose ? 3 : 1)) {
				printf("  %s %08x\n", insn->name, in[n].word);
				show(&in[n], &want[n], &got);
			}
		}
		tested++;
		if (bad || !ran) {
			printf("FAIL %s: %u of %u differ%s\n", insn->name, bad, sets, ran ? "" : ", none ran");
			failed++;
		}
	}
	printf("%u instructions agree, %u do not\n", tested - failed, failed);
	return failed != 0;
}

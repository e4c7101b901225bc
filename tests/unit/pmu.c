/* The performance monitor: counters are exact at any instruction, an overflow comes at the very instruction, and where
 * a run is cut, what is cached and whether the machine has been saved in between does not show. */
#include "check.h"
#include "cpu/core/spr.h"
#include "cpu/engine/tlb.h"
#include "cpu/timing/pipeline.h"
#include "one_cpu.h"

#define CODE    0x10000u
#define LOGGER 0x2000u
#define DATA    0x20000u
#define LOG     0x40000u
#define SIZE    (UINT64_C(1) << 20)
#define NEGATIVE 0x80000000u

/* ---- Instructions ---- */

enum { SRR0 = 26, SRR1 = 27, CTRL = 152, MMCR2 = 785, MMCRA, PMC1, PMC2, PMC3, PMC4, PMC5, PMC6, MMCR0 = 795, SIAR, SDAR, MMCR1, SIER = 784 };
#define SPR_FIELD(n)  (((uint32_t)(n) & 31) << 16 | ((uint32_t)(n) >> 5) << 11)
#define MFSPR(rt, n)  (0x7c0002a6u | (uint32_t)(rt) << 21 | SPR_FIELD(n))
#define MTSPR(n, rs)  (0x7c0003a6u | (uint32_t)(rs) << 21 | SPR_FIELD(n))
#define ADDI(rt, ra, v) (0x38000000u | (uint32_t)(rt) << 21 | (uint32_t)(ra) << 16 | ((uint32_t)(v) & 0xffff))
#define LD(rt, v, ra)  (0xe8000000u | (uint32_t)(rt) << 21 | (uint32_t)(ra) << 16 | (uint32_t)(v))
#define STD(rs, v, ra) (0xf8000000u | (uint32_t)(rs) << 21 | (uint32_t)(ra) << 16 | (uint32_t)(v))
#define ANDI_(ra, rs, v) (0x70000000u | (uint32_t)(rs) << 21 | (uint32_t)(ra) << 16 | (uint32_t)(v))
#define BEQ(by)    (0x41820000u | ((uint32_t)(by) & 0xfffc))
#define B(by)      (0x48000000u | ((uint32_t)(by) & 0x3fffffc))
#define MTMSRD(rs) (0x7c000164u | (uint32_t)(rs) << 21)
#define RFID 0x4c000024u
#define SC1  0x44000022u
#define NOP  0x60000000u
#define ILLEGAL 0u

/* ---- A processor ---- */

/* What a timing model would do. */
static void hypercall(struct cpu *cpu)
{
	cpu->event[EVENT_BRANCH] += 15 * (cpu->r[3] & 3);
	cpu->event[EVENT_L1D_STORE_MISS] += 1;
	cpu->stall[STALL_FETCH] += cpu->r[3] & 1;
}

#define OUR_MSR (MSR_SF | MSR_ME | MSR_LE | MSR_EE | MSR_RI)

static void rig_new(struct rig *rig)
{
	rig_make(rig, SIZE, "flat", hypercall, CODE);
	rig->cpu->pvr = 0x004e1200;
	rig->cpu->lpcr = LPCR_ILE;
	cpu_set_msr(rig->cpu, OUR_MSR);
}

/* ---- Read ---- */

#define RUNNING (MMCR0_CC56RUN)

/* At each place of a block, behind branches that are taken and not taken. */
static void test_read(void)
{
	const uint32_t words[] = {
		MTSPR(MMCR0, 20), MFSPR(3, PMC5), MFSPR(4, PMC6), NOP, ANDI_(0, 21, 0), BEQ(12), NOP, NOP,
		MFSPR(5, PMC5), ANDI_(0, 21, 1), BEQ(12), NOP, MFSPR(6, PMC6), MTSPR(PMC5, 21), MFSPR(7, PMC5), NOP, MFSPR(8, PMC5),
		MTSPR(MMCR0, 22), NOP, MFSPR(9, PMC5), MFSPR(10, PMC6), B(0),
	};
	struct rig rig;

	for (unsigned cut = 1; cut < 30; cut++) {
		struct cpu *cpu;
		bool ok;

		rig_new(&rig);
		cpu = rig.cpu;
		put(&rig, CODE, words, ARRAY_SIZE(words));
		cpu->r[20] = RUNNING;
		cpu->r[21] = 1;
		cpu->r[22] = RUNNING | MMCR0_FC;
		cpu_run(cpu, cut);
		cpu_run(cpu, 30);
		ok = cpu->r[3] == 1 && cpu->r[4] == 2 && cpu->r[5] == 6 && cpu->r[6] == 10 && cpu->r[7] == 2 && cpu->r[8] == 4;
		check(ok && cpu->r[9] == 5 && cpu->r[10] == 15 && cpu->pmc[4] == 5 && cpu->pmc[5] == 15, "read-cut-at-%u", cut);
		rig_free(&rig);
	}
}

/* CTRL[RUN] stops PMC5 and PMC6, and others if MMCR0 and MMCR2 say so. */
static void test_idle(void)
{
	const uint32_t words[] = { NOP, MTSPR(CTRL, 21), NOP, NOP, MFSPR(3, PMC5), MFSPR(4, PMC6), MFSPR(5, PMC1), MTSPR(CTRL, 22), NOP, B(0) };
	static const struct { const char *name; uint64_t mmcr0, mmcr2; unsigned pmc5, pmc1; } rows[] = {
		{ "idle", 0, 0, 2, 7 }, { "CC56RUN", MMCR0_CC56RUN, 0, 5, 7 }, { "FC1-4WAIT", MMCR0_FC14W, 0, 2, 2 },
		{ "FC1WAIT", 0, MMCR2_FC1WAIT, 2, 2 }, { "FC2WAIT", 0, MMCR2_FC1WAIT >> 9, 2, 7 },
	};

	for (unsigned k = 0; k < ARRAY_SIZE(rows); k++) {
		struct rig rig;

		rig_new(&rig);
		put(&rig, CODE, words, ARRAY_SIZE(words));
		rig.cpu->mmcr0 = rows[k].mmcr0;
		rig.cpu->mmcr2 = rows[k].mmcr2;
		rig.cpu->mmcr1 = UINT64_C(0x1e) << 24;
		rig.cpu->ctrl = rig.cpu->r[22] = 1;
		cpu_run(rig.cpu, 30);
		check(rig.cpu->r[3] == rows[k].pmc5 && rig.cpu->r[5] == rows[k].pmc1 && rig.cpu->pmc[4] >= 24, "%s", rows[k].name);
		rig_free(&rig);
	}
}

/* Time that goes by between two runs is another's: but not what a processor spends spinning there. */
static void test_gap(void)
{
	const uint32_t words[] = { B(0) };
	struct rig rig;

	rig_new(&rig);
	put(&rig, CODE, words, ARRAY_SIZE(words));
	rig.cpu->mmcr0 = RUNNING;
	cpu_run(rig.cpu, 100);
	rig.cpu->cycles += 1000;
	cpu_run(rig.cpu, 1150);
	check(rig.cpu->pmc[5] == 150 && rig.cpu->pmc[4] == 150, "another's-time");
	rig.cpu->cycles += 1000;
	pmu_leave(rig.cpu);
	cpu_run(rig.cpu, 2200);
	check(rig.cpu->pmc[5] == 1200 && rig.cpu->pmc[4] == 200, "spinning");
	rig_free(&rig);
}

/* ---- Overflow ---- */

#define ALERT (MMCR0_PMAE | MMCR0_PMC1CE | MMCR0_PMCJCE | MMCR0_FCECE | MMCR0_CC56RUN)

/* After n instructions or cycles, n from 1 on; in one run or in many. */
static void test_overflow(void)
{
	static const struct { const char *name; unsigned pmc; uint64_t mmcr1; } counters[] = {
		{ "instructions", 4, 0 }, { "cycles", 5, 0 }, { "0x1e", 0, UINT64_C(0x1e) << 24 }, { "0x2", 3, 2 },
	};
	static const uint32_t stay = B(0);
	struct rig rig;

	for (unsigned k = 0; k < ARRAY_SIZE(counters); k++)
		for (unsigned step = 1; step <= 64; step *= 8) {
			bool right = true, sampled = true, frozen = true;

			for (unsigned n = 1; n <= 300; n += n < 90 ? 1 : 37) {
				struct cpu *cpu;

				rig_new(&rig);
				cpu = rig.cpu;
				for (unsigned i = 0; i < 400; i++)
					put(&rig, CODE + 4 * i, &(const uint32_t){ i % 5 ? NOP : STD(3, 8, 16) }, 1);
				put(&rig, VEC_PERFMON, &stay, 1);
				cpu->r[16] = DATA;
				cpu->pmc[counters[k].pmc] = NEGATIVE - n;
				cpu->mmcr1 = counters[k].mmcr1;
				cpu->mmcr0 = ALERT;
				while (cpu->cycles < 350)
					cpu_run(cpu, cpu->cycles + step);
				right &= cpu->srr0 == CODE + 4 * n && cpu->nip == VEC_PERFMON;
				sampled &= cpu->siar == CODE + 4 * (n - 1) && cpu->sier >> 22 == 1;
				sampled &= (n - 1) % 5 ? cpu->sdar == 0 && !(cpu->sier >> 21 & 1) : cpu->sdar == DATA + 8 && (cpu->sier >> 15 & 7) == 2;
				frozen &= cpu->pmc[counters[k].pmc] == NEGATIVE && cpu->pmc[4] % NEGATIVE == (k == 0 ? 0 : n);
				frozen &= (cpu->mmcr0 & (MMCR0_FC | MMCR0_PMAO | MMCR0_PMAE)) == (MMCR0_FC | MMCR0_PMAO);
				rig_free(&rig);
			}
			check(right, "%s-by-%u: at the very instruction", counters[k].name, step);
			check(sampled, "%s-by-%u: SIAR, SIER, SDAR", counters[k].name, step);
			check(frozen, "%s-by-%u: frozen there", counters[k].name, step);
		}
}

/* Events of a timing model, of which an instruction may have several. */
static void test_event(void)
{
	const uint32_t words[] = { ADDI(3, 3, 1), SC1, NOP, NOP, NOP, B(-20) }, stay = B(0);
	struct rig rig;

	for (unsigned n = 1; n < 700; n += 97) {
		unsigned events = 0, rounds = 0;
		struct cpu *cpu;

		rig_new(&rig);
		cpu = rig.cpu;
		put(&rig, CODE, words, ARRAY_SIZE(words));
		put(&rig, VEC_PERFMON, &stay, 1);
		while (events < n)
			events += 15 * (++rounds & 3);
		cpu->pmc[3] = NEGATIVE - n;
		cpu->mmcr1 = UINT64_C(0xd) << 48 | 0x5e;	/* 0x4d05e: branches */
		cpu->mmcr0 = ALERT;
		cpu_run(cpu, 20000);
		check(cpu->r[3] == rounds && cpu->srr0 == CODE + 8 && cpu->siar == CODE + 4, "event-%u", n);
		rig_free(&rig);
	}
}

/* ---- Wherever it is cut ---- */

enum { LOGGED = 14 };

/* Writes down what it finds, and sets the counters anew. */
static void put_handlers(struct rig *rig)
{
	static const uint16_t shown[LOGGED] = { SRR0, SRR1, SIAR, SDAR, SIER, MMCR0, PMC1, PMC2, PMC3, PMC4, PMC5, PMC6, CTRL - 16, MMCR2 };
	const uint32_t program[] = { MFSPR(22, SRR0), ADDI(22, 22, 4), MTSPR(SRR0, 22), RFID }, to_handler = B(LOGGER - VEC_PERFMON);
	uint32_t words[80];
	unsigned n = 0;

	for (unsigned i = 0; i < LOGGED; i++) {
		words[n++] = MFSPR(22, shown[i]);
		words[n++] = STD(22, 8 * i, 30);
	}
	words[n++] = ADDI(30, 30, 8 * LOGGED);
	words[n++] = MTSPR(PMC1, 24);
	words[n++] = MTSPR(PMC2, 13);
	words[n++] = MTSPR(PMC3, 13);
	words[n++] = MTSPR(PMC4, 25);
	words[n++] = MTSPR(PMC5, 26);
	words[n++] = MTSPR(PMC6, 27);
	words[n++] = MTSPR(MMCR0, 28);
	words[n++] = RFID;
	put(rig, LOGGER, words, n);
	put(rig, VEC_PERFMON, &to_handler, 1);
	put(rig, VEC_PROGRAM, program, ARRAY_SIZE(program));
}

static uint32_t draw_insn(uint64_t *seed)
{
	unsigned r = 1 + check_random(seed) % 9, s = 1 + check_random(seed) % 9;

	switch (check_random(seed) % 24) {
	case 0:
		return MFSPR(r, PMC1 + check_random(seed) % 6);
	case 1:
		return MTSPR(CTRL, check_random(seed) & 1 ? 12 : 13);
	case 2:
		return MTMSRD(check_random(seed) & 1 ? 10 : 11);
	case 3:
		return SC1;
	case 4:
		return ILLEGAL;
	case 5:
		return MTSPR(PMC2, s);
	case 6:
		return STD(s, 8 * (check_random(seed) % 64), 16);
	case 7:
		return LD(r, 8 * (check_random(seed) % 64), 16);
	case 8: case 9:
		return ANDI_(r, s, check_random(seed) & 7);
	case 10: case 11:
		return BEQ(8 + 4 * (check_random(seed) % 6));
	default:
		return ADDI(r, s, check_random(seed) & 0xff);
	}
}

#define INSNS 300
#define CYCLES 60000u

static void random_rig(struct rig *rig, uint64_t seed)
{
	struct cpu *cpu;
	uint32_t word;

	rig_new(rig);
	put_handlers(rig);
	cpu = rig->cpu;
	for (unsigned i = 0; i < INSNS; i++) {
		word = i < INSNS - 8 ? draw_insn(&seed) : NOP;
		put(rig, CODE + 4 * i, &word, 1);
	}
	word = B(-4 * INSNS);
	put(rig, CODE + 4 * INSNS, &word, 1);
	cpu->r[10] = OUR_MSR;
	cpu->r[11] = OUR_MSR | MSR_PMM;
	cpu->r[12] = 1;
	cpu->r[16] = DATA;
	cpu->r[24] = NEGATIVE - 300 - check_random(&seed) % 500;
	/* Near an overflow of events every instruction runs by itself: most of the time there is none near. */
	cpu->r[25] = NEGATIVE - 1 - (seed & 64 ? check_random(&seed) % 90 : 5000 + check_random(&seed) % 5000);
	cpu->r[26] = NEGATIVE - 300 - check_random(&seed) % 400;
	cpu->r[27] = NEGATIVE - 300 - check_random(&seed) % 900;
	cpu->r[28] = (ALERT | (seed & 1 ? MMCR0_FCM1 : seed & 2 ? MMCR0_FCM0 : 0)) & ~(seed & 4 ? MMCR0_FCECE : 0) & ~(seed & 8 ? MMCR0_CC56RUN : 0);
	cpu->r[28] |= seed & 16 ? MMCR0_TBEE | UINT64_C(1) << 23 : 0;
	cpu->r[30] = LOG;
	cpu->pmc[0] = cpu->r[24];
	cpu->pmc[3] = cpu->r[25];
	cpu->pmc[4] = cpu->r[26];
	cpu->pmc[5] = cpu->r[27];
	cpu->mmcr0 = cpu->r[28];
	cpu->mmcr1 = UINT64_C(0x1e) << 24 | UINT64_C(0xf8) << 16 | UINT64_C(0xf0) << 8 | UINT64_C(0xd) << 48 | 0x5e;
	cpu->mmcr2 = seed & 32 ? MMCR2_FC1M1 >> 9 | MMCR2_FC1WAIT >> 45 : 0;
	cpu->ctrl = 1;
}

static bool same(const struct rig *a, const struct rig *b)
{
	const struct cpu *x = a->cpu, *y = b->cpu;

	return !memcmp(x->r, y->r, sizeof x->r) && !memcmp(x->pmc, y->pmc, sizeof x->pmc) && x->nip == y->nip && x->msr == y->msr &&
	       x->mmcr0 == y->mmcr0 && x->siar == y->siar && x->sdar == y->sdar && x->sier == y->sier && x->irq == y->irq &&
	       x->cycles == y->cycles && x->insns == y->insns && !memcmp(a->ram.base, b->ram.base, SIZE);
}

/* What a load leaves: registers, and nothing that was worked out from them. */
static void load_state(struct cpu *cpu)
{
	memset(&cpu->pmu, 0x5a, sizeof cpu->pmu);
	memset(cpu->event, 0, sizeof cpu->event);
	memset(cpu->stall, 0, sizeof cpu->stall);
	cpu_state_changed(cpu);
}

static void test_cut(uint64_t seed)
{
	static const char *const ways[] = { "cut", "cut short", "one at a time", "saved", "not decoded" };
	struct rig whole, cut;
	uint64_t alerts;

	random_rig(&whole, seed);
	cpu_run(whole.cpu, CYCLES);
	alerts = (whole.cpu->r[30] - LOG) / (8 * LOGGED);
	check(alerts > 10, "%" PRIu64 ": %" PRIu64 " alerts", seed, alerts);
	for (unsigned way = 0; way < ARRAY_SIZE(ways); way++) {
		uint64_t cuts = seed;

		random_rig(&cut, seed);
		while (cut.cpu->cycles < CYCLES) {
			uint64_t to = cut.cpu->cycles + 1 + (way == 2 ? 0 : check_random(&cuts) % (way == 1 ? 12 : 700));

			if (way == 4)
				cut.engine->credit = 0;
			if (way == 3)
				load_state(cut.cpu);
			cpu_run(cut.cpu, to < CYCLES ? to : CYCLES);
		}
		check(same(&whole, &cut), "%" PRIu64 ": %s", seed, ways[way]);
		rig_free(&cut);
	}
	rig_free(&whole);
}

/* ---- Codes ---- */

static void test_codes(void)
{
	static const struct { const char *name; uint32_t pvr, event, stall; unsigned pmc; uint64_t mmcr1, mmcra; } rows[] = {
		{ "power9-branches", 0x004e1200, 1 << EVENT_BRANCH, 0, 3, UINT64_C(0xd) << 48 | 0x5e, 0 },
		{ "power9-mispredicts", 0x004e1200, 1 << EVENT_MISPREDICT, 0, 3, 0xf6, 0 },
		{ "power9-loads", 0x004e1200, 1 << EVENT_LOAD, 0, 0, UINT64_C(0xfc) << 24, 0 },
		{ "power8-loads", 0x004d0200, 1 << EVENT_LOAD, 0, 0, UINT64_C(0xee) << 24, 0 },
		{ "power8-prefetches", 0x004d0200, 1 << EVENT_PREFETCH, 0, 1, UINT64_C(0xd) << 56 | UINT64_C(1) << 34 | UINT64_C(0xb8) << 16, 0 },
		{ "power10-branches", 0x00800200, 1 << EVENT_BRANCH, 0, 1, UINT64_C(0xf) << 56 | UINT64_C(0x4a) << 16, 0 },
		{ "power9-no-power8-loads", 0x004e1200, 0, 0, 0, UINT64_C(0xee) << 24, 0 },
		{ "power9-frontend", 0x004e1200, 0, 1 << STALL_TAKEN | 1 << STALL_MISPREDICT | 1 << STALL_FETCH, 0, UINT64_C(0xf8) << 24, 0 },
		{ "power9-threads", 0x004e1200, 0, 1 << STALL_THREADS, 0, UINT64_C(0x1c) << 24, 0 },
		{ "power9-units", 0x004e1200, 0, 1 << STALL_UNITS, 1, UINT64_C(0xd) << 56 | UINT64_C(0x18) << 16, 0 },
		{ "power9-sync", 0x004e1200, 0, 1 << STALL_SYNC, 0, UINT64_C(0x36) << 24, 0 },
		{ "power8-units", 0x004d0200, 0, 1 << STALL_UNITS, 1, UINT64_C(0xd) << 56 | UINT64_C(0x16) << 16, 0 },
		{ "power8-sync", 0x004d0200, 0, 1 << STALL_SYNC, 2, UINT64_C(0x36) << 8, 0 },
		{ "power10-sync", 0x00800200, 0, 1 << STALL_SYNC, 3, 0x3c, 0 },
		{ "marked-loads", 0x004e1200, 1 << EVENT_LOAD, 0, 3, 0xe0, 0x50 | 1 },
		{ "marked-stores", 0x004e1200, 1 << EVENT_STORE, 0, 3, 0xe0, 0x70 | 1 },
		{ "no-marking", 0x004e1200, 0, 0, 3, 0xe0, 0x70 },
		{ "unknown", 0x004e1200, 0, 0, 2, UINT64_C(0x77) << 8, 0 },
		{ "nothing-selected", 0x004e1200, 0, 0, 1, 0, 0 },
	};
	static const uint32_t words[] = { SC1, B(0) };

	for (unsigned k = 0; k < ARRAY_SIZE(rows); k++) {
		uint64_t want = 0;
		struct rig rig;
		struct cpu *cpu;

		rig_new(&rig);
		cpu = rig.cpu;
		put(&rig, CODE, words, ARRAY_SIZE(words));
		cpu->pvr = rows[k].pvr;
		cpu->mmcr0 = 0;
		cpu->mmcr1 = rows[k].mmcr1;
		cpu->mmcra = rows[k].mmcra;
		cpu_run(cpu, 8);
		/* Everything is counted between two runs, each by another number. */
		for (unsigned i = 0; i < NEVENTS; i++) {
			cpu->event[i] += UINT64_C(1) << i;
			want += rows[k].event >> i & 1 ? UINT64_C(1) << i : 0;
		}
		for (unsigned i = 0; i < NSTALLS; i++) {
			cpu->stall[i] += (UINT64_C(1) << i) * UNITS_PER_CYCLE;
			want += rows[k].stall >> i & 1 ? UINT64_C(1) << i : 0;
		}
		pmu_leave(cpu);
		check_eq(cpu->pmc[rows[k].pmc], want, "%s", rows[k].name);
		rig_free(&rig);
	}
}

int main(void)
{
	test_read();
	test_idle();
	test_gap();
	test_overflow();
	test_event();
	test_codes();
	for (uint64_t seed = 1; seed <= 12; seed++)
		test_cut(seed);
	return check_done();
}

/* What instructions cost under a timing model depends on the guest's path alone: not on where a run is cut, on what is
 * decoded or remembered, or on fused ops. The program reads the clock all the time, so that it would see a difference.
 * What a profile has of it depends on nothing else either. */
#include "check.h"
#include "cpu/core/timebase.h"
#include "cpu/engine/charge.h"
#include "cpu/engine/pace.h"
#include "cpu/engine/tlb.h"
#include "cpu/spent/spent.h"
#include "cpu/timing/cost.h"
#include "cpu/timing/caches.h"
#include "one_cpu.h"

#define CODE 0x1000u
#define DATA 0x8000u
#define SIZE (UINT64_C(8) << 20)
#define MSR_START (MSR_SF | MSR_ME | MSR_LE | MSR_EE)
#define NCALLS 3

/* The decrementer calls every 700 ticks; every fourth round has a system call, and every eighth a hypercall. */
static const uint32_t program[] = {
	0x38630001, 0x7c8319d2, 0x7ca41bd2,		/* addi r3,r3,1; mulld r4,r3,r3; divd r5,r4,r3 */
	0xf8aa0000, 0xe8ca0000, 0x88ca0009,		/* std r5,0(r10); ld r6,0(r10); lbz r6,9(r10) */
	0x70670003, 0x41820008, 0x7d083214,		/* andi. r7,r3,3; beq +8; add r8,r8,r6 */
	0x7d2c42a6, 0x7d6b4a14,				/* mftb r9; add r11,r11,r9 */
	0x7067000f, 0x40820008, 0x44000002,		/* andi. r7,r3,15; bne +8; sc */
	0x7067001f, 0x40820008, 0x44000022,		/* andi. r7,r3,31; bne +8; sc 1 */
	0x3a520340, 0x565203b8, 0x7dca902a,		/* addi r18,r18,832; rlwinm r18,r18,0,14,28; ldx r14,r10,r18 */
	0x7dce5a14, 0x7e6a912e,				/* add r14,r14,r11; stwx r19,r10,r18 */
	0x4bffffa8,					/* b -88 */
};
static const uint32_t on_decrementer[] = { 0x39a002bc, 0x7db603a6, 0x39ef0001, 0x4c000024 };	/* li r13,700; mtdec r13; addi r15,r15,1; rfid */
static const uint32_t on_call[] = { 0x398c0001, 0x7e2c42a6, 0x4c000024 };	/* addi r12,r12,1; mftb r17; rfid */

static void hypercall(struct cpu *cpu)
{
	struct rig *rig = cpu->machine_data;

	rig->calls++;
	rig->called = rig->called * 31 + cpu->cycles;
	cpu->halt = rig->calls % NCALLS == 0;
}

static void rig_new(struct rig *rig, const char *timing)
{
	rig_make(rig, SIZE, timing, hypercall, CODE);
	put(rig, CODE, program, ARRAY_SIZE(program));
	put(rig, VEC_DECREMENTER, on_decrementer, ARRAY_SIZE(on_decrementer));
	put(rig, VEC_SYSTEM_CALL, on_call, ARRAY_SIZE(on_call));
	rig->cpu->lpcr |= LPCR_ILE;
	cpu_set_dec(rig->cpu, 0, 1);
	rig->cpu->r[10] = DATA;
	cpu_set_msr(rig->cpu, MSR_START);
}

/* The machine takes the processor out of the engine for a hypercall now and then, as for a device. */
static void run_to(struct rig *rig, uint64_t cycle)
{
	while (rig->cpu->cycles < cycle) {
		rig->cpu->halt = 0;
		cpu_run(rig->cpu, cycle);
	}
}

static bool alike(const struct rig *a, const struct rig *b)
{
	struct pipe_state x = { 0 }, y = { 0 };
	size_t na = 0, nb = 0;
	uint64_t ta = a->cpu->cycles * a->cpu->per_cycle + a->cpu->phase, tb = b->cpu->cycles * b->cpu->per_cycle + b->cpu->phase;
	const void *sa = a->engine->charge ? charge_state(a->engine, &na) : NULL, *sb = b->engine->charge ? charge_state(b->engine, &nb) : NULL;

	pace_get(a->cpu, &x);
	pace_get(b->cpu, &y);
	return ta == tb && na == nb && (!na || !memcmp(sa, sb, na)) && !memcmp(a->cpu->event, b->cpu->event, sizeof a->cpu->event) &&
	       !memcmp(a->cpu->stall, b->cpu->stall, sizeof a->cpu->stall) && !memcmp(&x, &y, sizeof x) && a->cpu->nip == b->cpu->nip && a->cpu->insns == b->cpu->insns &&
	       !memcmp(a->cpu->r, b->cpu->r, sizeof a->cpu->r) && a->calls == b->calls && a->called == b->called;
}

/* The first three are whole. Without what costs more than the pipeline, blocks go on behind branches. */
#define ALONE ",caches=off,tlb=off,branches=off,smt=off"
static const char *const models[] = {
	"power8", "power9", "power10", "power8" ALONE, "power9" ALONE, "power8,caches=off", "power9,caches=off,tlb=off",
	"power10,branches=off", "power9,branches=off,tlb=off",
};
#define WHOLE 3
#define END 60000u

/* Cut at random places, each cut also as one that forgets all blocks. */
static void test_cuts(void)
{
	for (unsigned k = 0; k < ARRAY_SIZE(models); k++) {
		for (unsigned widest = 1; widest <= 4096; widest *= 8) {
			struct rig whole, cut;
			uint64_t seed = widest;

			rig_new(&whole, models[k]);
			rig_new(&cut, models[k]);
			run_to(&whole, END);
			while (cut.cpu->cycles < END) {
				uint64_t to = cut.cpu->cycles + 1 + check_random(&seed) % widest;

				run_to(&cut, to < END ? to : END);
				if (check_random(&seed) % 16 == 0)
					engine_flush(cut.engine);
			}
			check(alike(&whole, &cut), "%s-cut-every-%u", models[k], widest);
			check(whole.cpu->r[12] > 10 && whole.cpu->r[15] > 10 && whole.calls > 10, "%s-calls-and-interrupts-%u", models[k], widest);
			rig_free(&whole);
			rig_free(&cut);
		}
	}
}

/* Without credit for blocks each instruction runs by itself; with MSR[SE] on top it is traced, which takes time. */
static void test_alone(void)
{
	for (unsigned k = 0; k < ARRAY_SIZE(models); k++) {
		struct rig whole, poor;

		rig_new(&whole, models[k]);
		rig_new(&poor, models[k]);
		run_to(&whole, END);
		while (poor.cpu->cycles < END) {
			poor.engine->credit = -(INT64_C(1) << 40);
			poor.cpu->ctx->credited = UINT64_MAX;
			run_to(&poor, poor.cpu->cycles + 100 < END ? poor.cpu->cycles + 100 : END);
		}
		check(alike(&whole, &poor), "%s-one-at-a-time", models[k]);
		check(poor.engine->stepped > 100, "%s-was-one-at-a-time", models[k]);
		rig_free(&whole);
		rig_free(&poor);
	}
}

/* What DSCR says of streams holds for caches that begin anew under it: after a load from another model. */
static void test_dscr(void)
{
	for (unsigned k = 0; k < WHOLE; k++) {
		struct rig rig;

		rig_new(&rig, models[k]);
		rig.cpu->dscr = 0xd;
		charge_reset(rig.engine);
		check_eq(rig.cpu->caches->streams.dpfd, 5, "%s-depth-is-DSCR's", models[k]);
		rig_free(&rig);
	}
}

/* ---- The end of a slice ---- */

#define LINES 16u
#define LINE_WORDS 32u

/* The stops, from 10 to 10 + `widest` cycles apart, at which a run whose blocks are linked differs from one whose blocks, being
 * logged, are not. */
static unsigned count_unlike(const char *model, const uint32_t *words, unsigned n, uint64_t until, unsigned widest)
{
	struct rig linked, logged;
	unsigned unlike = 0;
	uint64_t seed = 1;

	rig_new(&linked, model);
	rig_new(&logged, model);
	put(&linked, CODE, words, n);
	put(&logged, CODE, words, n);
	logged.env.log_mask = LOG_EXEC;
	for (uint64_t at = 0; at < until;) {
		at += 10 + check_random(&seed) % widest;
		run_to(&linked, at);
		run_to(&logged, at);
		unlike += !alike(&linked, &logged);
	}
	rig_free(&linked);
	rig_free(&logged);
	return unlike;
}

/* A loop through 16 lines of instructions: where a slice ends just behind a block, the next line has not been fetched, whether
 * blocks are linked or, being logged, are not. */
static void test_ends(void)
{
	uint32_t lines[LINES * LINE_WORDS] = { 0 };

	for (unsigned i = 0; i < LINES; i++) {
		lines[i * LINE_WORDS] = 0x38630001;	/* addi r3,r3,1; b to the next line */
		lines[i * LINE_WORDS + 1] = 0x48000000 | ((i + 1 < LINES ? LINE_WORDS * 4 - 4 : -((LINES - 1) * LINE_WORDS * 4 + 4)) & 0x3fffffc);
	}
	check_eq(count_unlike("power9", lines, ARRAY_SIZE(lines), 5 * END, 50), 0, "linked-or-not");
}

/* Code goes on from a page to the next, also an instruction at a time. */
static void test_page_end(void)
{
	for (unsigned k = 0; k < ARRAY_SIZE(models); k++) {
		uint32_t words[24];
		struct rig rig;

		for (unsigned i = 0; i < 23; i++)
			words[i] = 0x38630001;		/* addi r3,r3,1 */
		words[23] = 0x48000000;			/* b . */
		rig_new(&rig, models[k]);
		put(&rig, CODE + 0xfe0, words, ARRAY_SIZE(words));
		rig.cpu->nip = CODE + 0xfe0;
		cpu_set_dec(rig.cpu, 0, 1u << 30);
		rig.engine->credit = -(INT64_C(1) << 40);
		rig.cpu->ctx->credited = UINT64_MAX;
		run_to(&rig, 2000);
		check(rig.cpu->r[3] == 23 && rig.cpu->nip == CODE + 0xfe0 + 23 * 4, "%s-over-a-page's-end: %" PRIu64, models[k], rig.cpu->r[3]);
		rig_free(&rig);
	}
}

/* A long run whose exits are taken early lends the budget much. */
static void test_long_run(void)
{
	static const uint32_t loop[] = { 0x38630001, 0x2c230000, 0x40820008, 0x60000000, 0x4bfffff0 };	/* addi r3; cmpdi r3,0; bne +8; nop; b -16 */

	for (unsigned k = WHOLE; k < WHOLE + 2; k++) {
		struct rig rig;

		rig_new(&rig, models[k]);
		put(&rig, CODE, loop, ARRAY_SIZE(loop));
		cpu_set_dec(rig.cpu, 0, 1u << 30);
		cpu_run(rig.cpu, 30000000);
		check(rig.cpu->cycles == 30000000 && rig.cpu->r[3] > 1000000, "%s-30-million-cycles-at-once: %" PRIu64, models[k], rig.cpu->r[3]);
		rig_free(&rig);
	}
}

/* The loop leaves its block by an exit and comes back to it; what is behind the exit takes long. Wherever a slice ends, it ends
 * alike if blocks are linked and if they are not. */
static void test_sure(const char *model)
{
	uint32_t loop[46] = { 0x38630001, 0x70640003, 0x408200a8 };	/* addi r3,r3,1; andi. r4,r3,3; bne over what follows */

	for (unsigned i = 3; i < 43; i++)
		loop[i] = 0x38a50001;		/* addi r5,r5,1 */
	loop[43] = 0x7c0004ac;			/* sync */
	loop[44] = 0x38c60001;			/* addi r6,r6,1 */
	loop[45] = 0x4bffff4c;			/* b to the start */
	check_eq(count_unlike(model, loop, ARRAY_SIZE(loop), 4 * END, 200), 0, "%s-sure-once", model);
}

/* ---- Translation ---- */

#define TABLES 0x700000u
#define STRIDE 0x10000u		/* a page of the ERAT */
#define CELLS  96u

/* Process 0 sees all of memory where it is. */
static void map_all(struct rig *rig)
{
	const uint64_t leaf = UINT64_C(0xc00000000000018f), table = UINT64_C(1) << 63;

	st_be64(&rig->ram, TABLES, UINT64_C(2) << 61 | 5 << 5 | (TABLES + 0x10000) | 13);
	st_be64(&rig->ram, TABLES + 0x10000, table | (TABLES + 0x1000) | 9);
	st_be64(&rig->ram, TABLES + 0x1000, table | (TABLES + 0x2000) | 9);
	for (unsigned i = 0; i < SIZE >> 21; i++)
		st_be64(&rig->ram, TABLES + 0x2000 + 8 * i, leaf | (uint64_t)i << 21);
	rig->cpu->proc_tbl = TABLES;
	rig->cpu->lpcr |= LPCR_HR | LPCR_UPRT;
	cpu_set_msr(rig->cpu, MSR_START | MSR_DR);
}

/* What translation takes of a way through cold cells, each of which holds the next one's address. */
static uint64_t translating(const char *model, const uint32_t *words, unsigned n)
{
	struct rig rig;
	uint64_t units;

	rig_new(&rig, model);
	map_all(&rig);
	for (unsigned i = 0; i < CELLS; i++) {
		uint64_t next = (i + 1) * STRIDE + DATA;

		ram_write(&rig.ram, i * STRIDE + DATA, &next, sizeof next);
	}
	put(&rig, CODE, words, n);
	rig.cpu->r[10] = DATA;
	rig.cpu->r[11] = STRIDE;
	rig.cpu->ctr = CELLS;
	for (uint64_t at = 1000; rig.cpu->ctr; at += 1000)
		run_to(&rig, at);
	units = rig.cpu->stall[STALL_TRANSLATION];
	rig_free(&rig);
	return units;
}

/* A load whose address another brings hides nothing of its translation, one whose address is counted hides half. */
static void test_dependent(void)
{
	static const uint32_t chain[] = { 0xe94a0000, 0x4200fffc, 0x48000000 };		/* ld r10,0(r10); bdnz -4; b . */
	static const uint32_t array[] = { 0xe86a0000, 0x7d4a5a14, 0x4200fff8, 0x48000000 };	/* ld r3,0(r10); add r10,r10,r11; bdnz -8; b . */

	for (unsigned k = 0; k < WHOLE; k++) {
		uint64_t alone = translating(models[k], chain, ARRAY_SIZE(chain)), together = translating(models[k], array, ARRAY_SIZE(array));

		check(together && alone > together * 14 / 10 && alone < together * 2, "%s-chain-hides-no-translation: %" PRIu64 " and %" PRIu64, models[k], alone, together);
	}
}

/* ---- What is counted of it ---- */

static struct spent *count(struct rig *rig)
{
	struct spent *s = spent_new(1, &rig->engine->timing, -1, 0, UINT64_MAX);

	spent_begin(s, &rig->cpu, 0);
	engine_spent(rig->engine, s);
	return s;
}

static bool same_entry(const struct spent_entry *a, const struct spent_entry *b)
{
	return a->place == b->place && a->units == b->units && a->insns == b->insns && a->nwords == b->nwords &&
	       !memcmp(a->words, b->words, a->nwords * sizeof a->words[0]) && !memcmp(a->ends, b->ends, (a->nwords + 1u) * sizeof a->ends[0]) &&
	       (!a->stall || !memcmp(a->stall, b->stall, NSTALLS * sizeof a->stall[0]));
}

static bool same_place(const struct spent_place *a, const struct spent_place *b)
{
	return a->ea == b->ea && a->gra == b->gra && a->space == b->space && a->mode == b->mode && a->first == b->first && a->called == b->called;
}

static bool same_node(const struct spent_node *a, const struct spent_node *b)
{
	return a->ea == b->ea && a->space == b->space && a->site == b->site && a->count == b->count && a->units == b->units && a->insns == b->insns &&
	       a->parent == b->parent && a->how == b->how;
}

static bool counted_alike(const struct spent *a, const struct spent *b)
{
	const struct spent_cpu *x = &a->cpu[0], *y = &b->cpu[0];
	bool same = a->nentries == b->nentries && a->nplaces == b->nplaces && a->nnodes == b->nnodes && x->units == y->units && x->counted == y->counted &&
		    !memcmp(x->away, y->away, sizeof x->away) && !memcmp(x->events, y->events, sizeof x->events) && x->ahead == y->ahead;

	for (uint32_t i = 1; same && i < a->nentries; i++)
		same = same_entry(&a->entries[i], &b->entries[i]);
	for (uint32_t i = 1; same && i < a->nplaces; i++)
		same = same_place(&a->places[i], &b->places[i]);
	for (uint32_t i = 0; same && i < a->nnodes; i++)
		same = same_node(&a->nodes[i], &b->nodes[i]);
	return same;
}

/* Of the handler there: what is counted of its first run. */
static struct spent_entry sum_at(const struct spent *s, uint64_t ea)
{
	struct spent_entry sum = { .units = 0 };

	for (uint32_t i = 1; i < s->nentries; i++)
		if (s->places[s->entries[i].place].ea == ea) {
			sum.units += s->entries[i].units;
			sum.insns += spent_visits(&s->entries[i]);
		}
	return sum;
}

/* Each processor is alone in its machine, and is as `whole` at the end. `way`: 0 cut, 1 cut and blocks forgotten, 2 an instruction at a time. */
static void run_counted(struct rig *rig, unsigned way, unsigned widest)
{
	uint64_t seed = widest + way;

	while (rig->cpu->cycles < END) {
		uint64_t to = rig->cpu->cycles + 1 + check_random(&seed) % widest;

		if (way == 2) {
			rig->engine->credit = -(INT64_C(1) << 40);
			rig->cpu->ctx->credited = UINT64_MAX;
		}
		run_to(rig, to < END ? to : END);
		if (way == 1 && check_random(&seed) % 16 == 0)
			engine_flush(rig->engine);
	}
}

static void test_counted(const char *model, unsigned way, unsigned widest)
{
	struct rig whole, cut;
	struct spent *a, *b;
	struct spent_entry handler;

	rig_new(&whole, model);
	rig_new(&cut, model);
	a = count(&whole);
	b = count(&cut);
	run_to(&whole, END);
	run_counted(&cut, way, widest);
	spent_settle(a, &whole.cpu, END);
	spent_settle(b, &cut.cpu, END);
	check(counted_alike(a, b), "%s-counted-alike-%u-%u", model, way, widest);
	handler = sum_at(a, VEC_DECREMENTER);
	check(handler.insns == whole.cpu->entries - whole.cpu->r[12] && handler.units > handler.insns * a->entry, "%s-entered-%u-%u", model, way, widest);
	check_eq(a->cpu[0].counted, whole.cpu->insns, "%s-all-instructions-%u-%u", model, way, widest);
	rig_free(&whole);
	rig_free(&cut);
	spent_free(a);
	spent_free(b);
}

/* ---- What its time was lost to ---- */

#define LOST_END 20000u
#define LOOP(...) { __VA_ARGS__ }, sizeof (uint32_t[]){ __VA_ARGS__ } / 4

/* Loops, and what their time is lost to: `sync` cycles in a turn; to dependences and pipes at least and at most so many in 100. */
static const struct lost {
	const char *name, *model;
	uint32_t words[9];
	unsigned n, sync, least, most;
	unsigned threads;
} losts[] = {
	{ "dependences", "power9", LOOP(0x7c6319d2, 0x7c6319d2, 0x7c6319d2, 0x7c6319d2, 0x4bfffff0), 0, 60, 100, 1 },	/* 4 mulld r3,r3,r3 */
	{ "none", "power9", LOOP(0x38600001, 0x38800001, 0x38a00001, 0x38c00001, 0x38e00001, 0x39000001, 0x4bffffe8), 0, 0, 20, 1 },
	{ "sync", "power9", LOOP(0x7c0004ac, 0x4bfffffc), 37, 0, 60, 1 },
	{ "isync", "power9", LOOP(0x38600001, 0x4c00012c, 0x4bfffff8), 9, 0, 90, 1 },
	{ "threads", "power9", LOOP(0x38600001, 0x38800001, 0x38a00001, 0x38c00001, 0x38e00001, 0x39000001, 0x4bffffe8), 0, 0, 20, 4 },
	{ "two-threads", "power10", LOOP(0x38600001, 0x38800001, 0x38a00001, 0x4bfffff4), 0, 0, 30, 2 },
	{ "dependences", "power8", LOOP(0x7c6319d2, 0x7c6319d2, 0x7c6319d2, 0x7c6319d2, 0x4bfffff0), 0, 60, 100, 1 },
};

/* PMC1 counts `pmc1`, PMC2 what the pipeline has lost, where there are such codes. */
static void run_lost(struct rig *rig, const struct lost *l, uint64_t pmc1)
{
	static const struct { const char *model; uint32_t pvr, units; } cores[] = {
		{ "power8", 0x004d0200, 0x2d016 }, { "power9", 0x004e1200, 0x2d018 }, { "power10", 0x00800200, 0 },
	};
	struct cpu *cpu = rig->cpu;

	cpu_set_dec(cpu, 1u << 30, 1);
	put(rig, CODE, l->words, l->n);
	cpu_share_core(cpu, l->threads);
	for (unsigned i = 0; i < ARRAY_SIZE(cores); i++) {
		if (strcmp(cores[i].model, l->model))
			continue;
		cpu->pvr = cores[i].pvr;
		cpu->mmcr1 = (pmc1 & 0xff) << 24 | (pmc1 >> 12 & 15) << 60 | (uint64_t)(cores[i].units & 0xff) << 16 | (uint64_t)(cores[i].units >> 12 & 15) << 56;
	}
	cpu->mmcr0 = 0;
	while (cpu->cycles < LOST_END)
		run_to(rig, cpu->cycles + 997 < LOST_END ? cpu->cycles + 997 : LOST_END);
}

static void test_lost(const struct lost *l)
{
	for (unsigned k = 0; k < 2; k++) {
		struct rig rig;
		struct spent *s;
		uint64_t lost[NSTALLS] = { 0 }, turns, width;
		int64_t off1, off2;

		rig_new(&rig, l->model);
		width = rig.engine->timing.core->insn_units;
		s = count(&rig);
		run_lost(&rig, l, k ? 0x10036 : 0x1001c);
		spent_settle(s, &rig.cpu, LOST_END);
		for (uint32_t i = 1; i < s->nentries; i++)
			for (unsigned n = 0; n < NSTALLS; n++)
				lost[n] += s->entries[i].stall[n];
		turns = rig.cpu->insns / l->n;
		check((int64_t)lost[STALL_UNITS] >= (int64_t)(s->cpu[0].units * l->least / 100) && (int64_t)lost[STALL_UNITS] <= (int64_t)(s->cpu[0].units * l->most / 100),
		      "%s-%s-units: %lld of %llu", l->model, l->name, (long long)lost[STALL_UNITS], (unsigned long long)s->cpu[0].units);
		check(lost[STALL_SYNC] >= turns * l->sync * UNITS_PER_CYCLE && lost[STALL_SYNC] <= (turns + 1) * l->sync * UNITS_PER_CYCLE, "%s-%s-sync", l->model, l->name);
		check_eq(lost[STALL_THREADS], (l->threads - 1) * width * rig.cpu->insns, "%s-%s-threads", l->model, l->name);
		off1 = (int64_t)rig.cpu->pmc[0] - (int64_t)(lost[k ? STALL_SYNC : STALL_THREADS] / UNITS_PER_CYCLE);
		off2 = (int64_t)rig.cpu->pmc[1] - (int64_t)lost[STALL_UNITS] / UNITS_PER_CYCLE;
		check(strcmp(l->model, "power9") || (off1 >= -1 && off1 <= 1), "%s-%s-counted-%u: %lld", l->model, l->name, k, (long long)off1);
		check(!strcmp(l->model, "power10") || (off2 >= -1 && off2 <= 1), "%s-%s-counted-units-%u: %lld", l->model, l->name, k, (long long)off2);
		rig_free(&rig);
		spent_free(s);
	}
}

int main(void)
{
	test_cuts();
	test_alone();
	test_dscr();
	test_ends();
	test_page_end();
	test_long_run();
	for (unsigned k = 0; k < ARRAY_SIZE(models); k++)
		test_sure(models[k]);
	test_dependent();
	for (unsigned i = 0; i < ARRAY_SIZE(losts); i++)
		test_lost(&losts[i]);
	for (unsigned way = 0; way < 3; way++) {
		for (unsigned widest = 1; widest <= 4096; widest *= 16) {
			test_counted("flat", way, widest);
			for (unsigned k = 0; k < WHOLE; k++)
				test_counted(models[k], way, widest);
		}
	}
	return check_done();
}

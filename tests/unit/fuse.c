/* Fused ops against the ops that they stand for: every sequence of fuse.def does exactly what its
 * ops do one by one.
 *
 *   fuse [SETS [SEED]]
 *
 * fuse.def is read here once more, and its patterns are understood here once more. Each sequence is
 * drawn SETS times with registers, memory and TLB at random, run from its own handler and from its
 * first op's, and all that the processor can see of the two runs is compared: it may end, branch to
 * an edge, to a block or out, overwrite itself, or be interrupted at any access. Then the same as
 * instructions in memory, for cpu_run() to stop at each cycle.
 */
#include <stdarg.h>

#include "check.h"
#include "cpu/engine/block.h"
#include "cpu/engine/decode.h"
#include "cpu/engine/fuse.h"
#include "cpu/engine/spin.h"
#include "cpu/engine/tlb.h"

/* ---- The sequences ---- */

#define V(n)    (n)
#define W(n)    (0x20 | (n))
#define ANY     0x40
#define IS(n)   (0x80 | (n))
#define ANY_IMM INT64_MIN

struct step {
	const char *kind, *name;
	op_fn *fn;
	uint8_t field[4];
	int64_t imm;
};

#define MAX_STEPS 64
struct sequence {
	const char *name;
	const struct step *steps;
	unsigned n;
	op_fn *handler;		/* what fuse_block() has put in place of the first op */
	unsigned ended, faulted[MAX_STEPS];
};

enum { NOTHING, TO_A = 1, TO_B = 2, TO_CA = 4, TO_CR = 8, TO_CR0 = 16, TO_CTR = 32 };

#define DECLARE_S(name) extern OP_RETURN OP_ABI op_##name(OP_PARAMS);
#define DECLARE_T(name) DECLARE_S(name)
#define DECLARE_R(name) DECLARE_S(name)
#define DECLARE_C(name) \
	DECLARE_S(name##_near) DECLARE_S(name##_far) DECLARE_S(name##_exit_near) DECLARE_S(name##_exit_far)
#define FUSABLE(name, kind, slots, writes) DECLARE_##kind(name)
#include "cpu/table/fuse_ops.def"
#undef FUSABLE

static const struct fusable { const char *name, *slots; unsigned writes; } fusables[] = {
#define FUSABLE(name, kind, slots, writes) { #name, slots, writes },
#include "cpu/table/fuse_ops.def"
#undef FUSABLE
	{ "edges", "", NOTHING },	/* of a branch in the middle: a step of its own */
};

#define AND_S
#define AND_T
#define AND_R
#define AND_N
#define AND_F
#define AND_X { "E", "edges", op_edges, { ANY, ANY, ANY, ANY }, ANY_IMM },
#define AND_Y AND_X
#define STEP(kind, name, A, B, C, D, I) \
	{ #kind, #name, NAME_##kind(name), { (A), (B), (C), (D) }, (I) }, AND_##kind
#define SEQUENCE(name, ...) static const struct step steps_##name[] = { __VA_ARGS__ };
#include "cpu/table/fuse.def"
#undef SEQUENCE

static struct sequence sequences[] = {
#define SEQUENCE(label, ...) { .name = #label, .steps = steps_##label, .n = ARRAY_SIZE(steps_##label) },
#include "cpu/table/fuse.def"
#undef SEQUENCE
};

static const struct fusable *fusable(const struct step *s)
{
	unsigned i = 0;

	while (strcmp(fusables[i].name, s->name))
		i++;
	return &fusables[i];
}

static bool is(const struct step *s, const char *name) { return !strcmp(s->name, name); }
static bool starts(const struct step *s, const char *with) { return !strncmp(s->name, with, strlen(with)); }
static bool is_branch(const struct step *s) { return strchr("RNF", *s->kind); }	/* the last */
static bool is_exit(const struct step *s) { return strchr("XY", *s->kind); }
static bool is_edges(const struct step *s) { return *s->kind == 'E'; }
static bool is_variable(const struct step *s, unsigned k) { return s->field[k] < 64; }
static bool is_vector(const struct step *s, unsigned k) { return s->field[k] >> 5 == 1; }
static bool is_memory(const struct step *s) { return *s->kind == 'T'; }
static const struct step *last_step(const struct sequence *s) { return &s->steps[s->n - 1]; }

static bool is_written(const struct step *s, unsigned k)
{
	return fusable(s)->writes & (k == 0 ? TO_A : k == 1 ? TO_B : 0);
}

/* As FUSABLE has it: a letter for each register, a capital for a vector. */
static bool says(const struct step *s, char a, unsigned k) { return strchr(fusable(s)->slots, a + (int)k); }

/* Every register is a variable, nothing else is, and a written CR field is known. */
static bool well_formed(const struct sequence *s)
{
	for (unsigned i = 0; i < s->n; i++) {
		const struct step *step = &s->steps[i];

		for (unsigned k = 0; k < 4; k++)
			if (says(step, 'a', k) != (step->field[k] < 32) || says(step, 'A', k) != is_vector(step, k))
				return false;
		if ((fusable(step)->writes & TO_CR && step->field[0] == ANY) || (is_branch(step) && i + 1 < s->n))
			return false;
	}
	return s->n > 1 && s->n <= MAX_STEPS;
}

/* Any two variables: the same slot if and only if they are the same. */
static bool agrees(const struct step *s, unsigned k, uint8_t value)
{
	return is_variable(s, k) || s->field[k] == ANY || (s->field[k] & 0x7f) == value;
}

static uint8_t operand(const struct op *op, unsigned k)
{
	return k == 0 ? op->a : k == 1 ? op->b : k == 2 ? op->c : op->d;
}

static op_fn *handler(const struct op *op) { return op->fn ? op->fn : op_edges; }

static bool matches(const struct sequence *s, const struct op *ops, unsigned nops)
{
	for (unsigned i = 0; i < s->n; i++)
		if (i >= nops || handler(&ops[i]) != s->steps[i].fn ||
		    (s->steps[i].imm != ANY_IMM && s->steps[i].imm != ops[i].imm))
			return false;
	for (unsigned x = 0; x < 4 * s->n; x++) {
		const struct step *p = &s->steps[x / 4];

		if (!agrees(p, x % 4, operand(&ops[x / 4], x % 4)))
			return false;
		for (unsigned y = 0; y < x && is_variable(p, x % 4); y++) {
			const struct step *q = &s->steps[y / 4];

			if (is_variable(q, y % 4) && (p->field[x % 4] == q->field[y % 4]) !=
			    (operand(&ops[x / 4], x % 4) == operand(&ops[y / 4], y % 4)))
				return false;
		}
	}
	return true;
}

/* ---- Drawing ops ---- */

static uint64_t seed;
static bool calm;	/* small numbers and good addresses: what computes its addresses gets far */

static uint64_t draw(void) { return check_random(&seed); }
static unsigned below(unsigned n) { return (unsigned)(draw() % n); }
static bool one_in(unsigned n) { return below(n) == 0; }

#define PAGES     8u
#define SIZE      (PAGES * RAM_PAGE_SIZE)
#define CODE      RAM_PAGE_SIZE		/* its page; page 0 has the interrupt vectors */
#define NOP       UINT32_C(0x60000000)
#define COUNT     UINT32_C(0x30000001)	/* addic 0,0,1: no sequence drawn names r0 */
#define AGAIN     UINT32_C(0x4bfffffc)	/* b .-4 */
#define UNFUSABLE UINT32_C(0x4ffffb82)	/* cror 31,31,31 */

struct use { bool used, vector, written, moved_only; };

static struct use use_of(const struct sequence *s, unsigned v)
{
	struct use use = { .vector = v >= 32, .moved_only = true };

	for (unsigned x = 0; x < 4 * s->n; x++) {
		const struct step *step = &s->steps[x / 4];

		if (step->field[x % 4] != v)
			continue;
		use.used = true;
		use.written |= is_written(step, x % 4);
		use.moved_only &= is(step, "mr");
	}
	return use;
}

/* Registers that the decoder may put there; with `plain` what an instruction can always name. */
static uint8_t draw_slot(struct use use, bool plain)
{
	static const uint8_t moved[] = { SLOT_LR, SLOT_CTR, SLOT_TAR, __builtin_offsetof(struct cpu, sprg) / 8 };

	if (use.vector)
		return (uint8_t)(SLOT_VSR0 + 2 * (plain ? 32 + below(32) : below(64)));
	if (!plain && use.moved_only && one_in(4))
		return moved[below(ARRAY_SIZE(moved))];
	if (!plain && !use.written && one_in(8))
		return SLOT_ZERO;
	if (!plain && one_in(16))
		return SLOT_EA;
	return (uint8_t)(plain ? 1 + below(31) : below(32));
}

static void draw_slots(const struct sequence *s, bool plain, uint8_t slots[64])
{
	for (unsigned v = 0; v < 64; v++) {
		struct use use = use_of(s, v);
		bool again = use.used;

		slots[v] = UINT8_MAX;
		while (again) {
			slots[v] = draw_slot(use, plain);
			again = false;
			for (unsigned w = 0; w < v; w++)
				again |= slots[w] == slots[v];
		}
	}
}

static int32_t draw_mask(void)
{
	unsigned mb = below(32), me = mb + below(32 - mb);

	return (int32_t)(uint32_t)mask64(mb + 32, me + 32);
}

/* Relative to the page. The decoder wants a branch in the middle to go forward: if far, out of RAM.
 * Others that are far go into page 0. */
static int32_t draw_target(const struct step *s, unsigned next, bool plain)
{
	if (*s->kind == 'Y')
		return (int32_t)(SIZE - CODE + below(512) * 4);
	if (*s->kind == 'X' && plain)
		return (int32_t)(next + below((RAM_PAGE_SIZE - next) / 4) * 4);
	if (*s->kind == 'N' && plain)
		return (int32_t)below(next / 4) * 4;
	return (int32_t)(below(1024) * 4) - (*s->kind == 'F' || strstr(s->name, "far") ? 4096 : 0);
}

static int32_t draw_imm(const struct step *s, const struct op *op, unsigned next, bool plain)
{
	int32_t imm;

	if (is_branch(s) || is_exit(s))
		return draw_target(s, next, plain);
	if (is_memory(s))
		return one_in(calm ? 16 : 4) ? (int32_t)below(2048) * 4 - 4096 :
		       (int32_t)below(one_in(2) ? 9 : 64) * 4 - 32;
	if (starts(s, "rlw"))
		return draw_mask();
	if (is(s, "srawi"))
		return (int32_t)below(32);
	if (starts(s, "rld") || is(s, "sradi")) {
		do
			imm = 1 + (int32_t)below(63);
		while ((is(s, "rldicl") && imm == 64 - op->d) || (is(s, "rldicr") && imm == 63 - op->d));
		return imm;
	}
	if (starts(s, "cmpl") || starts(s, "ori") || starts(s, "xori") || is(s, "andi_"))
		return 1 + (int32_t)below(UINT16_MAX);
	if (!calm && one_in(2))
		return plain || one_in(4) ? (int16_t)draw() : (int32_t)draw();
	return (int32_t)below(16) - 8;
}

/* A byte that is no register: valid for whatever op it is. `next` is the next instruction's offset. */
static uint8_t draw_byte(const struct step *s, unsigned k, unsigned next)
{
	if (is_branch(s) || is_exit(s))
		return (uint8_t)(k == 0 ? below(8) : k == 1 ? 8u >> below(4) : next >> (k == 2 ? 0 : 8));
	return (uint8_t)(k == 0 ? below(8) : 1 + below(31));
}

static struct op draw_op(const struct step *s, const uint8_t slots[64], unsigned next, bool plain)
{
	uint8_t byte[4];
	struct op op = { .fn = s->fn };

	if (is_edges(s))
		return (struct op){ .fn = op_edges };
	for (unsigned k = 0; k < 4; k++)
		byte[k] = is_variable(s, k) ? slots[s->field[k]] :
			  s->field[k] == ANY ? draw_byte(s, k, next) : s->field[k] & 0x7f;
	op.a = byte[0];
	op.b = byte[1];
	op.c = byte[2];
	op.d = byte[3];
	op.imm = s->imm == ANY_IMM ? draw_imm(s, &op, next, plain) : (int32_t)s->imm;
	return op;
}

/* ---- The processor ---- */

struct rig {
	struct ram ram;
	struct cpu_clock clock;
	struct cpu_env env;
	struct cpu *cpu;
	struct engine *engine;
	struct block *block;		/* the one that runs: the engine's scratch block */
	struct block *taken, *fall;	/* where its edges and the jump cache lead to */
	uint8_t *memory;		/* what RAM has before each run */
};

static void *must_have(void *p)
{
	if (!p) {
		printf("FAIL out of memory\n");
		exit(EXIT_FAILURE);
	}
	return p;
}

static void add_op(struct block *b, struct op op, unsigned insn)
{
	if (op.fn == op_edges && b->nedges <= BLOCK_MAX_EXITS) {
		b->edge_at[b->nedges++] = b->nops;
		op.fn = NULL;
	}
	b->info[b->nops] = (struct op_info){ .insn = (uint8_t)insn, .word = (uint8_t)insn, .cycles = (uint16_t)block_cost(b) };
	b->ops[b->nops++] = op;
	b->end = b->nops;
}

static void start_block(struct block *b, uint64_t gra)
{
	b->gra = gra;
	b->ops[0].imm = 0;
	b->nops = b->ninsns = b->nwords = b->nedges = 0;
	b->dead = false;
	add_op(b, (struct op){ .fn = op_marker }, 0);
}

static struct block *leaving_block(unsigned offset)
{
	struct block *b = must_have(aligned_alloc(BLOCK_ALIGN, sizeof *b + BLOCK_ALIGN));

	memset(b, 0, sizeof *b);
	b->info = must_have(calloc(2, sizeof *b->info));
	start_block(b, CODE + offset);
	b->ops[0].imm = b->ninsns = b->nwords = 1;
	add_op(b, (struct op){ .fn = op_leave, .imm = (int32_t)offset }, 1);
	return b;
}

/* A store of whatever it is may become the next instruction. */
static void no_hypercall(struct cpu *cpu) { cpu->r[3] = UINT64_MAX; }
static uint64_t four(void *machine) { (void)machine; return 4; }

static void rig_init(struct rig *rig)
{
	struct cpu *cpu = must_have(aligned_alloc(64, (sizeof *cpu + 63) & ~(size_t)63));

	memset(cpu, 0, sizeof *cpu);
	rig->ram = (struct ram){ .base = must_have(aligned_alloc(RAM_PAGE_SIZE, SIZE)), .size = SIZE,
				 .page = must_have(calloc(PAGES, 1)) };
	rig->memory = must_have(malloc(SIZE));
	rig->env = (struct cpu_env){ .ram = &rig->ram, .clock = &rig->clock,
				     .hypercall = no_hypercall, .random = four };
	rig->engine = must_have(engine_new(&rig->ram, "flat", P9, 1));
	rig->cpu = cpu;
	cpu->env = &rig->env;
	engine_add_cpu(rig->engine, cpu);
	cpu_reset(cpu);
	cpu->lpcr = LPCR_ILE;
	rig->block = rig->engine->scratch;
	rig->block->info = rig->engine->scratch_info;
	rig->taken = leaving_block(0x700);
	rig->fall = leaving_block(0x704);
}

static void rig_free(struct rig *rig)
{
	engine_free(rig->engine);
	free(rig->taken->info);
	free(rig->taken);
	free(rig->fall->info);
	free(rig->fall);
	free(rig->memory);
	free(rig->ram.page);
	free(rig->ram.base);
	free(rig->cpu);
}

/* ---- Drawing its state ---- */

static uint64_t draw_address(bool good)
{
	uint64_t page = (2 + below(PAGES - 2)) * RAM_PAGE_SIZE;

	switch (good ? below(2) : below(8)) {
	case 0: return page + 512 + 8 * below(256);
	case 1: return page + 512 + below(2048);
	case 2: case 3: return page + RAM_PAGE_SIZE - below(96);
	case 4: return CODE + below(RAM_PAGE_SIZE);
	case 5: return SIZE - below(64);
	case 6: return PPC_MASK(0, 1) + page + below(RAM_PAGE_SIZE);
	default: return SIZE + below(SIZE);
	}
}

static uint64_t draw_value(void)
{
	switch (below(8)) {
	case 0: return below(64);
	case 1: return -(uint64_t)below(64);
	case 2: return (UINT64_C(1) << below(64)) - below(2);
	case 3: return (uint32_t)draw();
	case 4: return (uint64_t)(int64_t)(int32_t)draw();
	case 5: return draw_address(false);
	default: return draw();
	}
}

static void draw_memory(struct rig *rig)
{
	uint64_t *dwords = (void *)rig->memory;

	for (unsigned i = 0; i < SIZE / 8; i++)
		dwords[i] = one_in(2) ? draw_address(true) : one_in(2) ? below(256) : draw_value();
}

/* Registers so that many accesses succeed: `bad` is the variable whose address may be any, 32 for
 * none, 33 for all. */
static void draw_registers(struct cpu *cpu, const struct sequence *s, const uint8_t slots[64], unsigned bad)
{
	uint64_t *slot = (uint64_t *)cpu;

	for (unsigned i = 0; i < 32; i++)
		cpu->r[i] = !calm ? draw_value() : one_in(3) ? draw_address(true) : below(64);
	cpu->lr = CODE + below(1024) * 4;
	cpu->ctr = one_in(4) ? below(3) : one_in(2) ? CODE + below(1024) * 4 : draw() | SIZE;
	for (unsigned i = 0; i < 64; i++)
		for (unsigned k = 0; k < 2; k++)
			VD(cpu->vsr[i], k) = one_in(2) ? draw_value() : draw();
	cpu->ea = draw_value();
	cpu->tar = draw();
	for (unsigned i = 0; i < 8; i++)
		cpu->cr[i] = (uint8_t)below(16);
	cpu->ca = below(2);
	cpu->ca32 = below(2);
	cpu->so = below(2);
	for (unsigned i = s->n; i-- > 0;) {
		const struct step *step = &s->steps[i];

		if (!is_memory(step))
			continue;
		if (step->field[2] < 32 && slots[step->field[2]] != SLOT_ZERO)
			slot[slots[step->field[2]]] = below(64);
		if (slots[step->field[1]] != SLOT_ZERO)
			slot[slots[step->field[1]]] = draw_address(bad != 33 && bad != step->field[1]);
	}
}

/* The decoder's block with this sequence, somewhere in the code page. */
static void draw_block(struct rig *rig, const struct sequence *s, uint8_t slots[64])
{
	struct block *b = rig->block;
	unsigned offset = 0x100 * below(8), insn = 0;

	draw_slots(s, false, slots);
	start_block(b, CODE + offset);
	b->mode = MODE_SF | MODE_LE;
	for (unsigned i = 0; i < s->n; i++) {
		if (i && !is_edges(&s->steps[i]))
			insn++;
		b->ops[0].imm += is_edges(&s->steps[i]) ? 0 : (int32_t)(1 + below(3));
		b->words[insn] = NOP;
		add_op(b, draw_op(&s->steps[i], slots, offset + 4 * (insn + 1), false), insn);
	}
	b->ninsns = b->nwords = (uint16_t)(insn + 1);
	if (is_branch(last_step(s)))
		add_op(b, (struct op){ .fn = op_edges }, insn);
	else
		add_op(b, (struct op){ .fn = op_leave, .imm = (int32_t)(offset + 4 * (insn + 1)) }, insn + 1);
	decode_finish_cost(rig->engine, b, b->info);
}

/* ---- One run from a given state, twice ---- */

struct state {
	struct cpu cpu;
	uint8_t memory[SIZE];
	struct tlb_entry tlb[PAGES];	/* the first entries: no others are ever filled */
	struct op ops[MAX_STEPS + 2];
	bool dead;
	int64_t budget;
	bool jumps;		/* the jump cache has the targets */
};

/* What a TLB may hold: the truth in real mode, anything with translation, where a miss is a fault. */
static void draw_tlb(const struct rig *rig, struct tlb_entry tlb[PAGES])
{
	bool real = !(rig->cpu->msr & MSR_DR);
	unsigned full = below(4);	/* 0: empty; 1: in part; else full */

	for (unsigned i = 0; i < PAGES; i++)
		tlb[i] = (struct tlb_entry){ .read = TLB_NONE, .write = TLB_NONE };
	for (uint64_t i = 0; full && i < PAGES; i++) {
		uint64_t ea = i * RAM_PAGE_SIZE, other = real ? ea : ea ^ RAM_PAGE_SIZE * (draw() & 1);
		uint64_t host = (uint64_t)rig->ram.base + other;

		if (full == 1 && one_in(2))
			continue;
		tlb[TLB_INDEX(ea)].read = ea;
		tlb[TLB_INDEX(ea)].add = host - ea;
		if (host != (uint64_t)rig->ram.base + CODE && !one_in(real ? 2 : 8))
			tlb[TLB_INDEX(ea)].write = ea;
	}
}

static void draw_state(struct rig *rig, const struct sequence *s, const uint8_t slots[64], struct state *state)
{
	struct cpu *cpu = rig->cpu;
	unsigned bad = below(4);

	cpu_set_msr(cpu, MSR_SF | MSR_LE | MSR_ME | (one_in(3) ? MSR_DR : 0));
	draw_registers(cpu, s, slots, bad == 0 ? 32 : bad == 1 ? 33 : below(32));
	cpu->sprg[0] = draw();
	cpu->page_ea = one_in(2) ? CODE : UINT64_C(0xc000000000000000) + CODE;
	cpu->nip = cpu->link_nip = 0;
	cpu->link = NULL;
	cpu->refund = 0;
	cpu->limit = 1000 + below(1000);
	cpu->halt = 1;		/* no further than out of the blocks given */
	state->cpu = *cpu;
	memcpy(state->memory, rig->memory, SIZE);
	for (unsigned i = 0; i < RAM_PAGE_SIZE / 4; i++)
		((uint32_t *)(void *)(state->memory + CODE))[i] = i % 64 < 32 ? NOP : AGAIN;
	draw_tlb(rig, state->tlb);
	for (unsigned i = 0; i < rig->block->nedges; i++) {
		struct edge *edges = (struct edge *)&rig->block->ops[rig->block->edge_at[i]];

		edges->taken = one_in(3) ? NULL : rig->taken->ops;
		if (rig->block->edge_at[i] + 1u == rig->block->end)
			edges->fall = one_in(3) ? NULL : rig->fall->ops;
	}
	memcpy(state->ops, rig->block->ops, rig->block->nops * sizeof state->ops[0]);
	state->dead = false;
	state->budget = BUDGET_OF(one_in(2) ? below(3) : below(100));
	state->jumps = below(2);
}

static void put_jump(struct cpu *cpu, uint64_t ea, struct block *to)
{
	struct jump_entry *entry = &cpu->jumps[JUMP_INDEX(ea)];

	if (to)
		jump_insert(cpu, ea, to);
	else if (entry->ea != JUMP_EMPTY)
		entry->ea = JUMP_GONE;
}

/* Where the block says that it lies, one is decoded, so that stores there are noticed; and none
 * elsewhere in the page, whatever the run before has left. */
static void put_code(struct rig *rig)
{
	const struct code_page *page = rig->engine->pages[CODE >> RAM_PAGE_SHIFT];
	const struct block *b = page ? page->blocks : NULL;

	if (b && (b->page_next || b->gra != rig->block->gra))
		engine_code_written(rig->engine, CODE, RAM_PAGE_SIZE);
	rig->engine->credit = CREDIT_MOST;	/* no time passes here that would earn it */
	engine_find(rig->engine, rig->block->gra, rig->cpu->mode);
}

static void put_state(struct rig *rig, const struct sequence *s, const struct state *state)
{
	struct cpu *cpu = rig->cpu;

	*cpu = state->cpu;
	cpu_context_changed(cpu);
	memcpy(rig->ram.base, state->memory, SIZE);
	put_code(rig);
	memcpy(rig->block->ops, state->ops, rig->block->nops * sizeof state->ops[0]);
	rig->block->dead = false;
	memcpy(cpu->tlb, state->tlb, sizeof state->tlb);
	for (unsigned i = 0; i < s->n; i++)
		if (is_branch(&s->steps[i]) || is_exit(&s->steps[i]))
			put_jump(cpu, cpu->page_ea + (uint64_t)(int64_t)state->ops[i + 1].imm,
				 state->jumps ? rig->taken : NULL);
	put_jump(cpu, cpu->ctr & ~UINT64_C(3), state->jumps ? rig->taken : NULL);
	put_jump(cpu, cpu->lr & ~UINT64_C(3), state->jumps ? rig->taken : NULL);
}

static void get_state(const struct rig *rig, struct state *state)
{
	state->cpu = *rig->cpu;
	memcpy(state->memory, rig->ram.base, SIZE);
	memcpy(state->ops, rig->block->ops, rig->block->nops * sizeof state->ops[0]);
	state->dead = rig->block->dead;
}

static void enter(struct cpu *cpu, const struct op *op, int64_t budget)
{
#ifdef CEDE_TAIL
	op->fn(cpu, op, budget, cpu->tlb);
#else
	cpu->budget = budget;
	while (op)
		op = op->fn(cpu, op, cpu->budget, cpu->tlb);
#endif
}

static void run_from(struct rig *rig, const struct sequence *s, const struct state *from, op_fn *first,
		     struct state *to)
{
	put_state(rig, s, from);
	rig->block->ops[1].fn = first;
	enter(rig->cpu, rig->block->ops + 1, from->budget);
	get_state(rig, to);
}

static const char *difference(const struct sequence *s, struct state *plain, struct state *fused)
{
	static char text[128];

	if (fused->ops[1].fn == s->handler)
		fused->ops[1].fn = s->steps[0].fn;
	for (unsigned i = 0; i < sizeof(struct cpu); i++)
		if (((uint8_t *)&plain->cpu)[i] != ((uint8_t *)&fused->cpu)[i]) {
			uint64_t is_, should_be;

			memcpy(&is_, (uint8_t *)&fused->cpu + i / 8 * 8, 8);
			memcpy(&should_be, (uint8_t *)&plain->cpu + i / 8 * 8, 8);
			snprintf(text, sizeof text, "slot %u is 0x%" PRIx64 ", should be 0x%" PRIx64, i / 8, is_,
				 should_be);
			return text;
		}
	if (memcmp(plain->memory, fused->memory, SIZE))
		return "memory";
	if (plain->dead != fused->dead || memcmp(plain->ops, fused->ops, (s->n + 2) * sizeof plain->ops[0]))
		return "the block itself";
	return NULL;
}

static void note_outcome(struct sequence *s, const struct rig *rig, const struct state *from, const struct state *to)
{
	uint64_t insn = (to->cpu.srr0 - to->cpu.page_ea - (rig->block->gra & (RAM_PAGE_SIZE - 1))) / 4;
	unsigned i = 0;

	if (to->cpu.interrupts == from->cpu.interrupts) {
		s->ended += !to->dead;
		return;
	}
	while (i < s->n - 1 && rig->block->info[i + 1].insn != insn)
		i++;
	s->faulted[i]++;
}

/* fuse_block() has chosen this sequence, for the first op and no other. */
static bool is_chosen(struct sequence *s, const struct op *before, const struct op *after, unsigned nops)
{
	unsigned n;

	if (!s->handler)
		s->handler = after[1].fn;
	return after[1].fn == s->handler && s->handler != before[1].fn &&
	       fuse_first(s->handler, &n) == before[1].fn && n == s->n &&
	       !memcmp(&after[1].a, &before[1].a, sizeof *after - sizeof after->fn) &&
	       !memcmp(&after[2], &before[2], (nops - 2) * sizeof *after);
}

static void test_ops(struct rig *rig, struct sequence *s, unsigned sets)
{
	static struct state from, plain, fused;
	static struct op before[MAX_STEPS + 2];
	const char *differs = NULL;
	bool chosen = true;
	unsigned set;

	for (set = 0; chosen && !differs && set < sets; set++) {
		uint8_t slots[64];

		calm = one_in(2);
		if (set % 64 == 0)
			draw_memory(rig);
		draw_block(rig, s, slots);
		memcpy(before, rig->block->ops, rig->block->nops * sizeof before[0]);
		fuse_block(rig->block);
		chosen = is_chosen(s, before, rig->block->ops, rig->block->nops);
		if (!chosen)
			break;
		draw_state(rig, s, slots, &from);
		run_from(rig, s, &from, s->steps[0].fn, &plain);
		run_from(rig, s, &from, s->handler, &fused);
		note_outcome(s, rig, &from, &plain);
		differs = difference(s, &plain, &fused);
	}
	check(chosen, "chosen-%s", s->name);
	check(!differs, "ops-%s%s%s in set %u", s->name, differs ? ": " : "", differs ? differs : "", set);
}

/* Nearly every sequence has run to its end, and nearly every access has been the one that faulted: those behind many
 * others, at addresses that they make, rarely do. */
static void test_coverage(void)
{
	unsigned accesses = 0, missed = 0, never_ended = 0;

	for (unsigned i = 0; i < ARRAY_SIZE(sequences); i++) {
		const struct sequence *s = &sequences[i];

		never_ended += !s->ended;
		if (!s->ended)
			printf("# %s never ran to its end\n", s->name);
		for (unsigned k = 0; k < s->n; k++) {
			accesses += is_memory(&s->steps[k]);
			missed += is_memory(&s->steps[k]) && !s->faulted[k];
			if (is_memory(&s->steps[k]) && !s->faulted[k])
				printf("# %s: access of step %u never faulted\n", s->name, k);
		}
	}
	check(never_ended * 100 <= ARRAY_SIZE(sequences), "run-to-their-ends: all but %u", never_ended);
	check(missed * 10 <= accesses, "accesses-fault: %u of %u", accesses - missed, accesses);
}

/* ---- The table ---- */

static void test_table(void)
{
	unsigned same = 0;

	for (unsigned i = 0; i < ARRAY_SIZE(sequences); i++) {
		check(well_formed(&sequences[i]), "well-formed-%s", sequences[i].name);
		for (unsigned j = 0; j < i; j++)
			same += sequences[i].handler && sequences[i].handler == sequences[j].handler;
	}
	check_eq(same, 0, "each-has-its-own-handler");
}

/* ---- Lists of ops: what is fused, is a sequence, and no other choice leaves fewer handlers ---- */

#define LIST 60

/* Something close to what it was. */
static void spoil(struct op *op)
{
	uint8_t *byte[4] = { &op->a, &op->b, &op->c, &op->d };
	unsigned k = below(5);

	if (k == 4)
		op->imm ^= 1 << below(4);
	else
		*byte[k] = one_in(2) ? *byte[below(4)] : (uint8_t)below(32);
}

static void draw_list(struct block *b)
{
	start_block(b, CODE);
	while (b->nops < LIST) {
		const struct sequence *s = &sequences[below(ARRAY_SIZE(sequences))];
		unsigned end = one_in(2) ? s->n : 1 + below(s->n);
		uint8_t slots[64];

		draw_slots(s, false, slots);
		for (unsigned i = one_in(4) ? below(end) : 0; i < end; i++) {
			struct op op = draw_op(&s->steps[i], slots, 0, false);

			if (one_in(16))
				spoil(&op);
			add_op(b, op, 0);
		}
	}
	add_op(b, (struct op){ .fn = op_leave }, 0);
}

static unsigned fewest_handlers(const struct op *ops, unsigned nops)
{
	unsigned fewest[LIST + MAX_STEPS + 2] = { 0 };

	for (unsigned i = nops; i-- > 1;) {
		fewest[i] = fewest[i + 1] + 1;
		for (unsigned k = 0; k < ARRAY_SIZE(sequences); k++)
			if (matches(&sequences[k], ops + i, nops - i) && fewest[i + sequences[k].n] + 1 < fewest[i])
				fewest[i] = fewest[i + sequences[k].n] + 1;
	}
	return fewest[1];
}

static const struct sequence *by_handler(op_fn *fn)
{
	for (unsigned i = 0; i < ARRAY_SIZE(sequences); i++)
		if (sequences[i].handler == fn)
			return &sequences[i];
	return NULL;
}

/* How many handlers run; 0: something has changed that must not. */
static unsigned handlers_run(const struct op *before, const struct op *after, unsigned nops)
{
	unsigned count = 0, n;

	for (unsigned i = 1; i < nops; i += n, count++) {
		const struct sequence *s = after[i].fn == before[i].fn ? NULL : by_handler(after[i].fn);
		struct op first = after[i];

		n = s ? s->n : 1;
		first.fn = s ? s->steps[0].fn : first.fn;
		if ((s && !matches(s, before + i, nops - i)) || memcmp(&first, &before[i], sizeof first) ||
		    memcmp(&after[i + 1], &before[i + 1], (n - 1) * sizeof first))
			return 0;
	}
	return count;
}

static void test_lists(struct rig *rig, unsigned lists)
{
	static struct op before[LIST + MAX_STEPS + 2];
	struct block *b = rig->block;
	unsigned wrong = 0, not_fewest = 0, fused = 0;

	for (unsigned i = 0; i < lists; i++) {
		unsigned count;

		draw_list(b);
		memcpy(before, b->ops, b->nops * sizeof before[0]);
		fuse_block(b);
		count = handlers_run(before, b->ops, b->nops);
		wrong += !count;
		not_fewest += count && count != fewest_handlers(before, b->nops);
		fused += count < b->nops - 1u;
	}
	check_eq(wrong, 0, "lists-only-sequences");
	check_eq(not_fewest, 0, "lists-fewest-handlers");
	check(fused > lists / 2, "lists-fused");
}

/* ---- Instructions: stopping at any cycle ---- */

/* The row that a handler's instructions come from. */
static const struct insn *row_of(const struct step *s)
{
	static const struct { const char *op, *row; } others[] = {
		{ "mr", "or" }, { "nop", "ori" }, { "li", "addi" }, { "rlwinm_and", "rlwinm" }, { "sldi", "rldicr" },
		{ "srdi", "rldicl" }, { "clrldi", "rldicl" }, { "bc_t", "bc" }, { "bc_f", "bc" }, { "bdnz", "bc" },
		{ "bdz", "bc" },
		{ "blr_t", "bclr" }, { "blr_f", "bclr" }, { "b_near", "b" }, { "b_far", "b" },
		{ "bl_near", "bl" }, { "bl_far", "bl" },
		{ "blr", "bclr" }, { "bctr", "bcctr" }, { "bctrl", "bcctrl" },
	};
	size_t len = strlen(s->name);
	const char *name = s->name;
	unsigned i = 0;

	for (unsigned k = 0; k < ARRAY_SIZE(others); k++)
		if (is(s, others[k].op))
			name = others[k].row;
	if (len > 4 && !strcmp(s->name + len - 4, "_upd"))
		len -= 4;
	else if (len > 3 && !strcmp(s->name + len - 3, "_rc"))
		len -= 3;
	else
		len = strlen(name);
	while (i < ninsns && (strncmp(insns[i].name, name, len) || insns[i].name[len]))
		i++;
	return i < ninsns ? &insns[i] : NULL;
}

static uint32_t branch_options(const struct step *s, const struct op *op)
{
	unsigned bo = strstr(s->name, "_t") ? 12 : strstr(s->name, "_f") ? 4 :
		      is(s, "bdnz") ? 16 : is(s, "bdz") ? 18 : 20;

	return bo << 21 | (bo < 16 ? 4u * op->a + (unsigned)__builtin_clz(op->b) - 28 : 0) << 16;
}

/* The 32-bit mask that the assembler knows as MB and ME. */
static uint32_t mask_bounds(uint32_t mask)
{
	return (unsigned)__builtin_clz(mask) << 6 | (31 - (unsigned)__builtin_ctz(mask)) << 1;
}

static unsigned vr(unsigned slot) { return (slot - SLOT_VSR0) / 2 & 31; }

static uint32_t operand_bits(const char *token, const struct step *s, const struct op *op, unsigned offset)
{
	uint32_t imm = is(s, "srdi") ? 64u - op->d : is(s, "clrldi") ? 0 : (uint32_t)op->imm;
	uint32_t mb = is(s, "sldi") ? 63 - imm : op->d;
	bool m_form = starts(s, "rlw");

#define TOKEN(name, bits) if (!strcmp(token, name)) return (uint32_t)(bits)
	TOKEN("RT", op->a << 21);
	TOKEN("RS", (is(s, "mr") ? op->c : op->a) << 21);
	TOKEN("RA", (is(s, "mr") ? op->a : op->b) << 16);
	TOKEN("RA0", (is(s, "li") ? 0 : op->b) << 16);
	TOKEN("RB", op->c << 11);
	TOKEN("RC", op->d << 6);
	TOKEN("BF", op->a << 23);
	TOKEN("VRT", vr(op->a) << 21);
	TOKEN("VRS", vr(op->a) << 21);
	TOKEN("VRA", vr(op->b) << 16);
	TOKEN("VRB", vr(op->c) << 11);
	TOKEN("VRC", vr(op->d) << 6);
	TOKEN("SI", imm & 0xffff);
	TOKEN("UI", imm & 0xffff);
	TOKEN("D", imm & 0xffff);
	TOKEN("DS", imm & 0xfffc);
	TOKEN("LI", (imm - offset) & 0x03fffffc);
	TOKEN("BD", (imm - offset) & 0xfffc);
	TOKEN("BO", branch_options(s, op));
	TOKEN("SH", (m_form ? is(s, "rlwinm_and") ? 0u : op->c : imm) << 11);
	TOKEN("MB", mask_bounds(imm));
	TOKEN("SH6", (imm & 31) << 11 | imm >> 5 << 1);
	TOKEN("MB6", (mb & 31) << 6 | mb >> 5 << 5);
#undef TOKEN
	return 0;
}

static uint32_t encode(const struct step *s, const struct op *op, unsigned offset)
{
	const struct insn *row = row_of(s);
	const char *at = row ? row->operands : "";
	uint32_t word = (row ? row->match : 0) | (strstr(s->name, "_rc") ? 1 : 0);

	while (*at && !is(s, "nop")) {
		size_t len = strcspn(at, ",()");
		char token[16];

		snprintf(token, sizeof token, "%.*s", (int)len, at);
		word |= operand_bits(token, s, op, offset);
		at += len + (at[len] != 0);
	}
	return word;
}

/* A branch to the block's own start may make it a loop that waits (spin.c), whose branch is not fused. */
static bool waits(const struct block *b)
{
	op_fn *fn = b->ops[b->nops - 2].fn;

	return fn == op_spin || fn == op_spin_t || fn == op_spin_f;
}

/* A page of code with the sequence in it, behind `before` other instructions. */
static bool draw_code(struct rig *rig, const struct sequence *s, unsigned before, uint8_t slots[64])
{
	uint32_t *words = (void *)(rig->memory + CODE);
	const struct block *b;
	unsigned at = before;

	/* Wherever it goes then, it counts the cycles. */
	for (unsigned i = 0; i < RAM_PAGE_SIZE / 4; i++)
		words[i] = ((uint32_t *)(void *)rig->memory)[i] = i % 2 ? AGAIN : COUNT;
	draw_slots(s, true, slots);
	for (unsigned i = 0; i < before; i++)
		words[i] = UNFUSABLE;
	for (unsigned i = 0; i < s->n; i++) {
		struct op op = draw_op(&s->steps[i], slots, 4 * at + 4, true);

		if (is_edges(&s->steps[i]))
			continue;
		words[at] = encode(&s->steps[i], &op, 4 * at);
		at++;
	}
	for (unsigned i = 0; i < 2 && !is_branch(last_step(s)); i++)
		words[at + i] = UNFUSABLE;
	engine_flush(rig->engine);
	rig->engine->credit = CREDIT_MOST;
	memcpy(rig->ram.base, rig->memory, SIZE);
	b = engine_find(rig->engine, CODE, rig->cpu->mode);
	return b->ops[1 + before].fn == s->handler || waits(b);
}

/* What the guest can see: slots but for the engine's, and the interrupt registers. */
static bool same_guest(const struct cpu *a, const struct cpu *b)
{
	return !memcmp(a, b, __builtin_offsetof(struct cpu, page_ea)) && a->nip == b->nip && a->msr == b->msr &&
	       a->srr0 == b->srr0 && a->srr1 == b->srr1 && a->dar == b->dar && a->dsisr == b->dsisr &&
	       a->cycles == b->cycles && a->insns == b->insns && a->interrupts == b->interrupts;
}

/* From the start for `cycles`, stopping once on the way, or with `each` at each cycle from that on. */
static void run_stopping(struct rig *rig, const struct cpu *start, unsigned stop, bool each, unsigned cycles)
{
	struct cpu *cpu = rig->cpu;

	*cpu = *start;
	cpu_context_changed(cpu);
	memcpy(rig->ram.base, rig->memory, SIZE);
	engine_code_written(rig->engine, 0, SIZE);
	rig->clock.tb_floor = 0;
	if (one_in(2))
		tlb_flush_all(cpu);
	for (unsigned at = stop; each && at < cycles; at++)
		cpu_run(cpu, start->cycles + at);
	if (!each)
		cpu_run(cpu, start->cycles + stop);
	cpu_run(cpu, start->cycles + cycles);
}

static void test_cuts(struct rig *rig, const struct sequence *s, unsigned sets)
{
	static uint8_t memory[SIZE];
	static struct cpu start, whole;
	unsigned wrong = 0, decoded = 0;
	struct cpu *cpu = rig->cpu;

	for (unsigned set = 0; set < sets; set++) {
		unsigned before = below(3), cycles = before + s->n + 4 + below(20);
		uint8_t slots[64];

		cpu_set_msr(cpu, MSR_SF | MSR_LE | MSR_ME | MSR_FP | MSR_VEC | MSR_VSX);
		cpu->halt = 0;
		cpu->refund = 0;
		cpu->link = NULL;
		cpu->nip = CODE;
		cpu->run_state = CPU_RUNNING;
		draw_memory(rig);
		decoded += draw_code(rig, s, before, slots);
		draw_registers(cpu, s, slots, one_in(2) ? 32 : below(32));
		start = *cpu;
		run_stopping(rig, &start, cycles, false, cycles);
		whole = *cpu;
		memcpy(memory, rig->ram.base, SIZE);
		for (unsigned stop = 1; stop < before + s->n + 3; stop++)
			for (unsigned each = 0; each < 2; each++) {
				if (each && stop > 1)
					continue;
				run_stopping(rig, &start, stop, each, cycles);
				wrong += !same_guest(cpu, &whole) || memcmp(memory, rig->ram.base, SIZE);
			}
	}
	check_eq(decoded, sets, "decoded-%s", s->name);
	check_eq(wrong, 0, "cuts-%s", s->name);
}

/* A block cut short before its end is overwritten behind the cut, then before it: the second store
 * must be noticed though the block that the part was taken from is gone. */
static void test_overwritten_part(struct rig *rig)
{
	static const uint32_t words[] = {
		0x90640000,	/* stw r3,0(r4): behind the cut */
		0x90a60000,	/* stw r5,0(r6): the next instruction */
		0x38e70001,	/* addi r7,r7,1 */
		UNFUSABLE, UNFUSABLE, UNFUSABLE,
	};
	uint64_t once[2];

	for (unsigned cut = 0; cut < 2; cut++) {
		struct cpu *cpu = rig->cpu;

		memcpy(rig->ram.base + CODE, words, sizeof words);
		engine_flush(rig->engine);
		cpu->r[3] = NOP;
		cpu->r[4] = CODE + 16;
		cpu->r[5] = 0x38e70002;	/* addi r7,r7,2 */
		cpu->r[6] = CODE + 8;
		cpu->r[7] = 0;
		cpu_set_msr(cpu, MSR_SF | MSR_LE | MSR_ME);
		cpu->nip = CODE;
		cpu_run(cpu, cpu->cycles + (cut ? 3 : 8));
		once[cut] = cpu->r[7];
	}
	check_eq(once[1], once[0], "overwritten-part-of-a-block");
}

int main(int argc, char **argv)
{
	unsigned sets = argc > 1 ? (unsigned)atoi(argv[1]) : 2000;
	struct rig rig;

	seed = argc > 2 ? strtoull(argv[2], NULL, 0) : 1;
	setvbuf(stdout, NULL, _IOLBF, 0);	/* a wrong handler may well crash */
	rig_init(&rig);
	for (unsigned i = 0; i < ARRAY_SIZE(sequences); i++)
		test_ops(&rig, &sequences[i], sets);
	test_table();
	test_coverage();
	test_lists(&rig, sets);
	for (unsigned i = 0; i < ARRAY_SIZE(sequences); i++)
		test_cuts(&rig, &sequences[i], 1 + sets / 50);
	test_overwritten_part(&rig);
	rig_free(&rig);
	return check_done();
}

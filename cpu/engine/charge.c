/* The ops that charge, and the state they charge by: see charge.h. */
#include "cpu/engine/charge.h"

#include <stdlib.h>

#include "cpu/engine/decode.h"
#include "cpu/engine/operands.h"
#include "cpu/engine/tlb.h"
#include "cpu/engine/pace.h"
#include "cpu/timing/memory_models.h"

#define PAGES 64		/* per processor, translated lately */
#define LINE  (UINT64_C(1) << CACHE_LINE_SHIFT)

#define QUICK 2

/* What a processor remembers for itself. */
struct charge_thread {
	struct branch_thread branch;
	uint64_t now;			/* units: its last branch, and what has been charged since */
	uint64_t line;			/* 1 + the number of the line of instructions that it is in, by effective address */
	uint64_t line_space;
	uint64_t missed_until;		/* units: what `missed` holds was not there before */
	uint32_t missed;		/* 1 + the GPR that the last load to miss has gone to */
	uint32_t quick;			/* taken branches in a row whose targets were at hand; no more than QUICK count */
};

/* What threads share. */
struct charge_core {
	struct branch_unit branch;
	struct core_tlb tlb;
};

/* Derived: a page that a translation would find in the ERAT, for as long as nothing has left that. */
struct known_page {
	uint64_t page, space, gra;	/* page: effective address with its low bits 1; 0: none */
};

struct charge {
	const struct memory_model *model;
	unsigned parts, threads, ncpus, ncores;
	uint64_t taken[BUBBLES], mispredicted;	/* units */
	const struct pace_after *after;
	struct cache_chip chip;
	struct known_page (*known)[PAGES], (*fetched)[PAGES];	/* [ncpus] */
	bool *empty;			/* [ncores]: nobody has filled its ERATs and TLB since all was thrown away */

	/* State, in one piece of `size` bytes. */
	size_t size;
	uint8_t *state;
	struct charge_thread *thread;	/* [ncpus] */
	struct charge_core *core;	/* [ncores] */
	struct core_caches *caches;	/* [ncores] */
	struct cache_slice *slices;
	struct cache_far *far;
};

/* ---- Life ---- */

static size_t lay_out(struct charge *c, uint8_t *base)
{
	size_t at = 0;

#define PART(field, n) \
	do { \
		c->field = base ? (void *)(base + at) : NULL; \
		at += ((n) * sizeof *c->field + 63) & ~(size_t)63; \
	} while (0)
	PART(thread, c->ncpus);
	PART(core, c->ncores);
	PART(caches, c->ncores);
	PART(slices, cache_slices(&c->model->cache, c->ncores));
	PART(far, 1);
#undef PART
	return at;
}

static void forget_derived(struct charge *c)
{
	memset(c->known, 0, c->ncpus * sizeof c->known[0]);
	memset(c->fetched, 0, c->ncpus * sizeof c->fetched[0]);
}

void charge_reset(struct engine *engine)
{
	struct charge *c = engine->charge;

	if (!c)
		return;
	memset(c->state, 0, c->size);
	cache_chip_init(&c->chip, &c->model->cache, engine->timing.mhz, c->ncores, c->caches, c->slices, c->far);
	for (unsigned i = 0; i < c->ncpus; i++)
		cache_set_depth(&c->chip, i / c->threads, engine->cpus[i]->dscr & 7);
	forget_derived(c);
}

struct charge *charge_new(struct engine *engine, unsigned threads)
{
	struct charge *c = calloc(1, sizeof *c);

	if (!c)
		return NULL;
	c->model = memory_model_find(engine->timing.core->name);
	c->parts = engine->timing.parts;
	c->threads = threads;
	c->ncpus = engine->ncpus;
	c->ncores = (engine->ncpus + threads - 1) / threads;
	c->taken[BUBBLE_TAKEN] = engine->timing.core->taken;
	c->taken[BUBBLE_REDIRECT] = engine->timing.core->redirect;
	c->after = pace_after(engine);
	c->mispredicted = engine->timing.core->mispredict * UNITS_PER_CYCLE;
	c->size = lay_out(c, NULL);
	c->state = aligned_alloc(64, c->size);
	c->empty = calloc(c->ncores, sizeof *c->empty);
	c->known = calloc(c->ncpus, sizeof c->known[0]);
	c->fetched = calloc(c->ncpus, sizeof c->fetched[0]);
	if (!c->model || !c->state || !c->empty || !c->known || !c->fetched) {
		charge_free(c);
		return NULL;
	}
	lay_out(c, c->state);
	for (unsigned i = 0; i < c->ncpus; i++) {
		engine->cpus[i]->known = c->known[i];
		engine->cpus[i]->charged = &c->thread[i];
		engine->cpus[i]->caches = &c->caches[i / threads];
	}
	engine->charge = c;
	charge_reset(engine);
	return c;
}

void charge_free(struct charge *c)
{
	if (!c)
		return;
	free(c->state);
	free(c->empty);
	free(c->known);
	free(c->fetched);
	free(c);
}

/* ---- Snapshots ---- */

static bool state_ok(const struct charge *c)
{
	for (unsigned i = 0; i < c->ncpus; i++)
		if (!branch_thread_ok(&c->thread[i].branch))
			return false;
	for (unsigned i = 0; i < c->ncores; i++)
		if (!translation_load(&c->core[i].tlb))
			return false;
	return cache_chip_ok(&c->chip);
}

size_t charge_size(const struct engine *engine) { return engine->charge->size; }

const void *charge_state(struct engine *engine, size_t *size)
{
	struct charge *c = engine->charge;

	/* What is made from the rest is made anew, as after a load. */
	for (unsigned i = 0; i < c->ncores; i++)
		translation_load(&c->core[i].tlb);
	*size = c->size;
	return c->state;
}

bool charge_load(struct engine *engine, const void *bytes, size_t size)
{
	struct charge *c = engine->charge;

	if (!c || size != c->size)
		return false;
	memcpy(c->state, bytes, size);
	memset(c->empty, 0, c->ncores * sizeof *c->empty);
	forget_derived(c);
	if (state_ok(c))
		return true;
	charge_reset(engine);
	return false;
}

/* ---- Who, and where ---- */

static inline struct charge_thread *thread_of(const struct cpu *cpu)
{
	return &cpu->engine->charge->thread[cpu->ctx->number];
}

static inline unsigned core_number(const struct cpu *cpu) { return cpu->ctx->number / cpu->engine->charge->threads; }

/* The address space that ea lies in. 0: translation is off. */
static inline uint64_t space_of(const struct cpu *cpu, uint64_t ea, uint64_t on)
{
	return !(cpu->msr & on) ? 0 : ea >> 62 ? 1 : 2 + cpu->pidr;
}

/* The pages that are known of a core's threads: no more. */
static void forget_pages(const struct cpu *cpu)
{
	struct charge *c = cpu->engine->charge;
	unsigned first = core_number(cpu) * c->threads;

	for (unsigned i = first; i < first + c->threads && i < c->ncpus; i++) {
		memset(c->known[i], 0, sizeof c->known[i]);
		memset(c->fetched[i], 0, sizeof c->fetched[i]);
	}
}

/* A page has left the ERAT: its parts are not known any more. */
static void forget_page(const struct cpu *cpu, bool fetch, const struct tlb_page *gone)
{
	struct charge *c = cpu->engine->charge;
	unsigned first = core_number(cpu) * c->threads, n = gone->shift < 16 ? 1 : 16;

	for (unsigned i = first; i < first + c->threads && i < c->ncpus; i++)
		for (unsigned k = 0; k < n; k++)
			(fetch ? c->fetched : c->known)[i][(gone->ea / RAM_PAGE_SIZE + k) % PAGES].page = 0;
}

static unsigned walk_of(void *opaque, uint64_t gra[TLB_WALK_MOST])
{
	const struct mmu_look *look = opaque;

	memcpy(gra, look->entry, look->n * sizeof gra[0]);
	return look->n;
}

/* A hash guest's pages are known by where they lie in their segments, whoever has these in his SLB. */
static struct tlb_page virtual_page(uint64_t segment, uint64_t offset, unsigned shift)
{
	return (struct tlb_page){ .ea = offset, .key = UINT64_C(1) << 63 | segment >> 12, .shift = shift };
}

/* Translates for the models alone; the guest real address of the page to *known, if there is memory. `dependent` as for
 * cache_load(); a fetch waits anyway. */
static unsigned translate(struct cpu *cpu, struct charge_thread *t, uint64_t ea, uint64_t space, bool fetch, bool dependent,
			  struct known_page *known)
{
	struct charge *c = cpu->engine->charge;
	struct core_tlb *tlb = &c->core[core_number(cpu)].tlb;
	const struct mmu *mmu = fetch ? cpu->ctx->code_now->mmu : cpu->ctx->data_now->mmu;
	struct mmu_look look;
	struct tlb_page gone = { .shift = 0 };
	struct tlb_call call = {
		.chip = c->parts & TIMING_CACHES ? &c->chip : NULL, .core = core_number(cpu), .now = t->now,
		.event = cpu->event, .stall = cpu->stall, .walk = walk_of, .opaque = &look,
		.evicted = &gone,
	};
	unsigned cost = 0;

	known->page = 0;
	if (!mmu->look(cpu, ea, fetch, &look) || !ram_ok(cpu->env->ram, look.gra & ~(RAM_PAGE_SIZE - 1), RAM_PAGE_SIZE))
		return 0;
	if (look.n && c->parts & TIMING_TLB) {
		struct tlb_page page = look.segment ? virtual_page(look.segment, look.offset, look.shift) :
						      (struct tlb_page){ .ea = ea, .key = space, .shift = look.shift, .radix = true };

		if (!erat_hit(fetch ? &tlb->fetch : &tlb->data, page.key, page.ea, look.shift)) {
			c->empty[core_number(cpu)] = false;
			cost = fetch ? translate_fetch(&c->model->tlb, tlb, &page, &call) :
				       translate_data(&c->model->tlb, tlb, &page, dependent, &call);
			if (gone.shift)
				forget_page(cpu, fetch, &gone);
		}
	}
	*known = (struct known_page){ .page = ea | (RAM_PAGE_SIZE - 1), .space = space, .gra = look.gra & ~(RAM_PAGE_SIZE - 1) };
	return cost;
}

/* ---- Accesses ---- */

enum access_kind { A_LOAD, A_STORE, A_ZERO, A_TOUCH, A_FLUSH, A_ICBI };

/* Out of line: what cannot be known to cost nothing. */
static __attribute__((noinline)) uint64_t access_cost(struct cpu *cpu, const struct op *op, uint64_t ea, enum access_kind kind)
{
	struct charge *c = cpu->engine->charge;
	struct charge_thread *t = thread_of(cpu);
	uint64_t space = space_of(cpu, ea, MSR_DR), cost = 0, gra;
	struct known_page *known = &c->known[cpu->ctx->number][ea / RAM_PAGE_SIZE % PAGES], found;
	unsigned core = core_number(cpu), size = op->d, line;
	bool dependent = t->missed && t->now < t->missed_until && (op->b == t->missed - 1 || op->c == t->missed - 1);

	if (known->page != (ea | (RAM_PAGE_SIZE - 1)) || known->space != space) {
		cost = translate(cpu, t, ea, space, false, kind == A_LOAD && dependent, &found);
		if (!found.page)
			return 0;
		*known = found;
	}
	if (c->parts & TIMING_CACHES) {
		gra = known->gra | (ea & (RAM_PAGE_SIZE - 1));
		if (RAM_PAGE_SIZE - (ea & (RAM_PAGE_SIZE - 1)) < size)
			size = (unsigned)(RAM_PAGE_SIZE - (ea & (RAM_PAGE_SIZE - 1)));
		switch (kind) {
		case A_LOAD:
			line = cache_load(&c->chip, core, gra, size, t->now + cost, dependent, cpu->event, cpu->stall);
			if (line) {
				t->missed = op->a < 32 ? 1u + op->a : 0;
				t->missed_until = t->now + cost + 2 * (uint64_t)line + 64 * UNITS_PER_CYCLE;
			}
			cost += line;
			break;
		case A_STORE: cost += cache_store(&c->chip, core, gra, size, t->now + cost, cpu->event, cpu->stall); break;
		case A_ZERO: cost += cache_zero(&c->chip, core, gra, t->now + cost, cpu->event, cpu->stall); break;
		case A_TOUCH: cache_touch(&c->chip, core, gra, t->now + cost, cpu->event); break;
		case A_FLUSH: cache_flush_data(&c->chip, gra); break;
		case A_ICBI: cache_flush_code(&c->chip, gra); break;
		}
	}
	t->now += cost;
	return cost;
}

static bool is_last(const struct op *op)
{
	const struct block *b = block_of(op);

	return b->info[op - b->ops].insn + 1u >= b->ninsns;
}

/* More than there was left: the instruction has been paid for, and the engine runs it by itself, so that those behind it
 * start when they may. If there are none it may as well go on: true. */
static __attribute__((noinline)) bool may_go_on(struct cpu *cpu, const struct op *op)
{
	if (is_last(op))
		return true;
	op_restart(cpu, op);
	cpu->paid = true;
	return false;
}

#define ACCESS_EA (SLOT(op->b) + SLOT(op->c) + (uint64_t)(int64_t)op->imm)

#define CHARGE_OP(name, kind, hit) \
	OP_RAW(name) \
	{ \
		uint64_t ea = ACCESS_EA; \
		const struct known_page *known = &cpu->known[ea / RAM_PAGE_SIZE % PAGES]; \
		if (likely(known->page == (ea | (RAM_PAGE_SIZE - 1)) && known->space == space_of(cpu, ea, MSR_DR) && (hit))) \
			NEXT; \
		budget -= (int64_t)access_cost(cpu, op, ea, kind) * BUDGET_UNIT; \
		if (likely(budget >= 0) || may_go_on(cpu, op)) \
			NEXT; \
		LEAVE; \
	}
#define HIT_GRA (known->gra | (ea & (RAM_PAGE_SIZE - 1)))
#define IN_LINE ((ea & (LINE - 1)) + op->d <= LINE)
CHARGE_OP(charge_load, A_LOAD, IN_LINE && cache_l1d_hit(cpu->caches, HIT_GRA) && ++cpu->event[EVENT_LOAD])
CHARGE_OP(charge_store, A_STORE, IN_LINE && cache_store_hit(cpu->caches, HIT_GRA) && ++cpu->event[EVENT_STORE])
CHARGE_OP(charge_zero, A_ZERO, false)
CHARGE_OP(charge_touch, A_TOUCH, false)
CHARGE_OP(charge_flush, A_FLUSH, false)
CHARGE_OP(charge_icbi, A_ICBI, false)
CHARGE_OP(charge_page, A_LOAD, true)		/* without caches any access is a page's and no more */

/* ---- Instructions' own way: lines of the cache, and branches ---- */

static __attribute__((noinline)) uint64_t fetch_cost(struct cpu *cpu, const struct op *op, uint64_t ea, uint64_t space)
{
	struct charge *c = cpu->engine->charge;
	struct charge_thread *t = thread_of(cpu);
	struct known_page *fetched = &c->fetched[cpu->ctx->number][ea / RAM_PAGE_SIZE % PAGES], found;
	uint64_t cost = 0;

	t->line = 1 + ea / LINE;
	t->line_space = space;
	if (fetched->page != (ea | (RAM_PAGE_SIZE - 1)) || fetched->space != space)
		cost = translate(cpu, t, ea, space, true, true, &found);
	else
		found.page = 0;
	if (found.page)
		*fetched = found;
	if (c->parts & TIMING_CACHES)
		cost += cache_fetch(&c->chip, core_number(cpu), block_of(op)->gra, cpu->event, cpu->stall);
	t->now += cost;
	return cost;
}

/* Another line than that of the instruction before. The wait comes before the block's first instruction starts. If no time
 * is left, it is not the processor's turn: an interrupt may come first. */
OP_RAW(charge_fetch)
{
	uint64_t ea = cpu->page_ea + (uint64_t)IMM, space = space_of(cpu, ea, MSR_IR);
	const struct charge_thread *t = cpu->charged;

	if (t->line != 1 + ea / LINE || t->line_space != space) {
		if (unlikely(budget < BUDGET_UNIT)) {
			budget = pace_back_out(cpu, op, budget);
			LEAVE;
		}
		budget -= (int64_t)fetch_cost(cpu, op, ea, space) * BUDGET_UNIT;
	}
	NEXT;
}

/* Fields of the op: BO in a, BI in b; c: kind, 8 link, 16 32-bit mode; the instruction's number in its page is d and bits 5
 * and 6 of a; imm is the displacement. */
#define BRANCH_AT (cpu->page_ea + 4 * ((uint64_t)op->d | (uint64_t)(op->a >> 5) << 8))

static __attribute__((always_inline)) inline uint64_t branch_target(const struct cpu *cpu, const struct op *op, uint64_t ea)
{
	switch ((enum branch_kind)(op->c & 7)) {
	case TO_DISPLACEMENT: return ea + (uint64_t)(int64_t)op->imm;
	case TO_ABSOLUTE: return (uint64_t)(int64_t)op->imm;
	case TO_LR: return cpu->lr & ~UINT64_C(3);
	case TO_CTR: return cpu->ctr & ~UINT64_C(3);
	case TO_TAR: return cpu->tar & ~UINT64_C(3);
	}
	return 0;
}

#define TELL_TIME (cpu->charged->now = cpu->limit * cpu->per_cycle - (uint64_t)UNITS_LEFT)
#define BO_ALWAYS 0x14		/* neither CTR nor CR is looked at */

static bool guessed_wrong(struct cpu *cpu, const struct op *op, uint64_t ea, bool conditional, bool taken)
{
	struct charge *c = cpu->engine->charge;
	const struct branch_params *p = &c->model->branch;
	struct branch_unit *u = &c->core[core_number(cpu)].branch;
	struct branch_thread *t = &thread_of(cpu)->branch;
	bool link = op->c & 8, wrong = false;
	unsigned kind = op->c & 7;

	if (conditional)
		wrong = branch_conditional(p, u, t, ea, taken);
	if (!taken)
		return wrong;
	if (kind == TO_LR && !link)
		wrong |= branch_return(p, t, branch_target(cpu, op, ea));
	else if (kind >= TO_LR)
		wrong |= branch_indirect(p, u, ea, branch_target(cpu, op, ea));
	/* bcl 20,31,$+4 asks where it is, and nobody returns to it. */
	if (link && !(kind == TO_DISPLACEMENT && op->imm == 4))
		branch_call(p, t, ea + 4);
	return wrong;
}

/* A target is at hand from the branch's address alone: not what comes from a register, not a call, whose return address goes
 * to the link stack, and not a condition that changes. Fetching runs ahead by such branches only when there were some. */
static bool at_hand(struct cpu *cpu, const struct op *op, uint64_t ea, bool conditional)
{
	const struct charge *c = cpu->engine->charge;
	struct charge_thread *t = thread_of(cpu);
	bool ready = t->quick >= QUICK;

	if ((op->c & 7) >= TO_LR || op->c & 8 || (conditional && !branch_steady(&c->model->branch, &c->core[core_number(cpu)].branch, ea))) {
		t->quick = 0;
		return false;
	}
	t->quick += !ready;
	return ready;
}

OP_RAW(charge_branch)
{
	unsigned bo = op->a & 31;
	bool conditional = (bo & BO_ALWAYS) != BO_ALWAYS, taken = true, wrong;
	const struct charge *c = cpu->engine->charge;
	uint64_t ea = BRANCH_AT, cost = 0;

	if (!(bo & 4)) {
		uint64_t left = op->c & 16 ? (uint32_t)(cpu->ctr - 1) : cpu->ctr - 1;

		taken = (left != 0) != (bo >> 1 & 1);
	}
	if (!(bo & 16))
		taken &= cr_bit(cpu, op->b) == (bo >> 3 & 1);
	wrong = guessed_wrong(cpu, op, ea, conditional, taken);
	if (wrong) {
		cost = c->mispredicted;
		thread_of(cpu)->quick = 0;
		/* By the time that the right way is fetched, nothing is under way any more. */
		cpu->pace = cpu->pace_empty;
	} else if (taken) {
		enum pace_bubble bubble = at_hand(cpu, op, ea, conditional) ? BUBBLE_TAKEN : BUBBLE_REDIRECT;
		uint32_t after = c->after[cpu->pace].state[bubble];

		cost = c->taken[bubble];
		cpu->pace = likely(after) ? after - 1 : pace_foresee(cpu->engine, cpu->pace, bubble);
	}
	cpu->stall[wrong ? STALL_MISPREDICT : STALL_TAKEN] += cost;
	cpu->event[EVENT_BRANCH]++;
	cpu->event[EVENT_TAKEN] += taken;
	cpu->event[EVENT_MISPREDICT] += wrong;
	budget -= (int64_t)cost * BUDGET_UNIT;
	TELL_TIME;
	NEXT;
}

/* In the place of that one, if branches are not part of the model: for the others, which go by the time at branches. */
OP_RAW(charge_time)
{
	TELL_TIME;
	NEXT;
}

/* ---- Instructions behind which nothing is dispatched ---- */

/* The pipeline charges for it. */
OP_RAW(charge_hold)
{
	cpu->stall[STALL_SYNC] += (uint64_t)IMM;
	NEXT;
}

/* ---- Decoding: what belongs to parts that are switched off is not emitted ---- */

static bool has_part(const struct decoder *d, unsigned parts) { return decode_parts(d) & parts; }

unsigned charge_most_words(const struct engine *engine, uint64_t gra)
{
	return engine->charge ? (unsigned)(LINE - gra % LINE) / 4 : BLOCK_MAX_INSNS;
}

void charge_emit_fetch(struct decoder *d)
{
	if (has_part(d, TIMING_CACHES | TIMING_TLB))
		decode_emit(d, (struct op){ .fn = op_charge_fetch, .imm = (int32_t)(decode_gra(d) & (RAM_PAGE_SIZE - 1)) });
}

/* Bytes of an access, by the mnemonic's letters, of which a prefixed one has a first more. */
static unsigned access_size(const struct insn *insn)
{
	static const struct {
		const char *start;
		uint8_t size;
	} sizes[] = {
		{ "lb", 1 }, { "stb", 1 }, { "lh", 2 }, { "sth", 2 }, { "lw", 4 }, { "stw", 4 }, { "lfs", 4 }, { "stfs", 4 },
		{ "lfiw", 4 }, { "stfiw", 4 }, { "lxsi", 4 }, { "stxsi", 4 }, { "lxss", 4 }, { "stxss", 4 }, { "lxsd", 8 }, { "stxsd", 8 },
		{ "lveb", 1 }, { "lveh", 2 }, { "lvew", 4 }, { "stveb", 1 }, { "stveh", 2 }, { "stvew", 4 },
		{ "lxvds", 8 }, { "lxvws", 4 }, { "lxvp", 32 }, { "stxvp", 32 }, { "lxv", 16 }, { "stxv", 16 }, { "lv", 16 }, { "stv", 16 }, { "lq", 16 }, { "stq", 16 },
	};
	const char *name = insn->acts + (insn->match >> 32 && insn->acts[0] == 'p');

	for (unsigned i = 0; i < ARRAY_SIZE(sizes); i++)
		if (!strncmp(name, sizes[i].start, strlen(sizes[i].start)))
			return sizes[i].size;
	return 8;
}

static op_fn *access_op(const struct insn *insn)
{
	static const struct {
		const char *start;
		op_fn *fn;
	} ops[] = {
		{ "dcbz", op_charge_zero }, { "dcbt", op_charge_touch }, { "dcbf", op_charge_flush }, { "icbi", op_charge_icbi },
		{ "dcbst", NULL }, { "icbt", NULL },
	};

	for (unsigned i = 0; i < ARRAY_SIZE(ops); i++)
		if (!strncmp(insn->name, ops[i].start, strlen(ops[i].start)))
			return ops[i].fn;
	return insn->flags & WRITES ? op_charge_store : op_charge_load;
}

void charge_emit_hold(struct decoder *d, const struct core_model *m, unsigned row, uint64_t word)
{
	unsigned hold = m->as_llvm ? 0 : cost_find(m, row, word)->hold;

	if (hold)
		decode_emit(d, (struct op){ .fn = op_charge_hold, .imm = (int32_t)(hold * UNITS_PER_CYCLE) });
}

void charge_emit_access(struct decoder *d, const struct insn *insn, const struct op *op)
{
	op_fn *fn = access_op(insn);
	bool indexed = strstr(insn->operands, "RB") != NULL, to_gpr = !strncmp(insn->operands, "RT", 2);

	if (!has_part(d, TIMING_CACHES) && fn)
		fn = has_part(d, TIMING_TLB) ? op_charge_page : NULL;
	if (fn)
		decode_emit(d, (struct op){ .fn = fn, .a = to_gpr ? op->a : UINT8_MAX, .b = op->b, .c = indexed ? op->c : SLOT_ZERO,
					    .d = (uint8_t)access_size(insn), .imm = indexed ? 0 : op->imm });
}

void charge_emit_branch(struct decoder *d, const struct charge_branch *b)
{
	unsigned number = (unsigned)(decode_gra(d) & (RAM_PAGE_SIZE - 1)) / 4;

	decode_emit(d, (struct op){ .fn = has_part(d, TIMING_BRANCHES) ? op_charge_branch : op_charge_time, .a = (uint8_t)(b->bo | number >> 8 << 5), .b = (uint8_t)b->bi,
				    .c = (uint8_t)(b->kind | b->link << 3 | !b->wide << 4), .d = (uint8_t)number,
				    .imm = (int32_t)b->displacement });
}

/* ---- Forgetting ---- */

/* The cores that it is about. */
#define EACH_CORE(c, i, cpu, everywhere) \
	for (unsigned i = (everywhere) ? 0 : core_number(cpu); i < ((everywhere) ? (c)->ncores : core_number(cpu) + 1); i++)

static void forget_translations(struct cpu *cpu, bool everywhere)
{
	if (everywhere)
		forget_derived(cpu->engine->charge);
	else
		forget_pages(cpu);
}

void charge_flush_all(struct cpu *cpu, bool everywhere)
{
	struct charge *c = cpu->engine->charge;

	if (!c)
		return;
	EACH_CORE(c, i, cpu, everywhere) {
		if (!c->empty[i])
			translation_flush_all(&c->core[i].tlb);
		c->empty[i] = true;
	}
	forget_translations(cpu, everywhere);
}

void charge_flush_pid(struct cpu *cpu, uint64_t pid, bool everywhere)
{
	struct charge *c = cpu->engine->charge;

	if (!c)
		return;
	EACH_CORE(c, i, cpu, everywhere) {
		translation_flush_key(&c->core[i].tlb, 2 + pid);
		if (!pid)
			translation_flush_key(&c->core[i].tlb, 1);
	}
	forget_translations(cpu, everywhere);
}

void charge_flush_page(struct cpu *cpu, uint64_t pid, uint64_t ea, unsigned shift, bool everywhere)
{
	struct charge *c = cpu->engine->charge;
	struct tlb_page page = { .ea = ea, .key = ea >> 62 ? 1 : 2 + pid, .shift = shift, .radix = true };

	if (!c)
		return;
	EACH_CORE(c, i, cpu, everywhere)
	translation_flush_page(&c->model->tlb, &c->core[i].tlb, &page);
	forget_translations(cpu, everywhere);
}

void charge_flush_virtual(struct cpu *cpu, uint64_t segment, uint64_t offset, unsigned shift)
{
	struct charge *c = cpu->engine->charge;
	struct tlb_page page = virtual_page(segment, offset, shift);

	if (!c)
		return;
	for (unsigned i = 0; i < c->ncores; i++)
		if (!c->empty[i])
			translation_flush_page(&c->model->tlb, &c->core[i].tlb, &page);
	forget_derived(c);
}

void charge_flush_erats(struct cpu *cpu)
{
	struct charge *c = cpu->engine->charge;

	if (!c)
		return;
	if (!c->empty[core_number(cpu)])
		translation_flush_erats(&c->core[core_number(cpu)].tlb);
	forget_pages(cpu);
}

void charge_set_depth(struct cpu *cpu, unsigned dpfd)
{
	struct charge *c = cpu->engine->charge;

	if (c)
		cache_set_depth(&c->chip, core_number(cpu), dpfd);
}

void charge_set_threads(struct cpu *cpu, unsigned busy)
{
	struct charge *c = cpu->engine->charge;

	pace_set_threads(cpu, busy);
	if (!c)
		return;
	branch_set_threads(&thread_of(cpu)->branch, busy);
	if (translation_set_threads(&c->model->tlb, &c->core[core_number(cpu)].tlb, busy))
		forget_pages(cpu);
}

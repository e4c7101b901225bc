/* The block cache and the loop that runs it.
 *
 * Owns decoded blocks from birth to flush, links between them, self-modifying code, and
 * the exactness of cpu_run(): a block that would pass the limit is run in part, from a
 * copy that ends at the very cycle.
 */
#define _GNU_SOURCE
#include "cpu/engine/block.h"

#include <assert.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <unistd.h>

#include "cpu/core/timebase.h"
#include "cpu/engine/charge.h"
#include "cpu/engine/decode.h"
#include "cpu/engine/fuse.h"
#include "cpu/engine/pace.h"
#include "cpu/engine/points.h"
#include "cpu/engine/profile.h"
#include "cpu/engine/tlb.h"
#include "cpu/engine/watch.h"
#include "cpu/spent/spent.h"

#define ARENA_SIZE (UINT64_C(48) << 20)	/* bytes of decoded blocks; full: all are forgotten */
#define ARENA_PACED (2 * ARENA_SIZE)	/* the same where each has memos */
#define BLOCK_BYTES(nops, nwords) \
	(sizeof(struct block) + (nops) * (sizeof(struct op) + sizeof(struct op_info)) + (nwords) * sizeof(uint32_t))
#define ALIGNED(bytes) (((bytes) + BLOCK_ALIGN - 1) / BLOCK_ALIGN * BLOCK_ALIGN)
#define BLOCK_MOST (ALIGNED(BLOCK_BYTES(BLOCK_MAX_OPS, BLOCK_MAX_INSNS)) + ALIGNED(sizeof(struct code_page)))

/* ---- Life of the engine ---- */

static void *map_sparse(size_t size)
{
	void *p = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	return p == MAP_FAILED ? NULL : p;
}

/* The same for what is used all over, all the time: on huge pages where the host has them, because
 * its TLB is short of entries before ours is. */
void *map_hot(size_t size)
{
	void *p = map_sparse(size);

	if (p)
		madvise(p, size, MADV_HUGEPAGE);
	return p;
}

/* A block with room for the largest decode. */
static struct block *spare_block(void)
{
	struct block *b = aligned_alloc(BLOCK_ALIGN, ALIGNED(sizeof *b + BLOCK_MAX_OPS * sizeof(struct op)));

	if (!b)
		return NULL;
	memset(b, 0, sizeof *b);
	b->words = calloc(BLOCK_MAX_INSNS + 1, sizeof *b->words);
	return b;
}

static void on_code_written(void *opaque, uint64_t gra, uint64_t len)
{
	engine_code_written(opaque, gra, len);
}

/* Odd, and unknown to the guest: it cannot choose addresses that fall into one bucket. The guest's state does
 * not depend on it. */
static uint64_t draw_hash_factor(void)
{
	uint64_t factor = 0;

	if (getrandom(&factor, sizeof factor, 0) != sizeof factor)
		factor = UINT64_C(0x9e3779b97f4a7c15) ^ (uint64_t)getpid() << 20;
	return factor | 1;
}

struct engine *engine_new(struct ram *ram, const char *timing, enum insn_since level, unsigned max_cpus)
{
	struct engine *e = calloc(1, sizeof *e);
	char why[160];

	if (!e)
		return NULL;
	assert(max_cpus <= ARRAY_SIZE(e->cpus));
	if (!timing_parse(timing, &e->timing, why, sizeof why)) {
		free(e);
		return NULL;
	}
	e->hash_factor = draw_hash_factor();
	if (e->timing.core) {
		e->pace = pace_new(e->timing.core, e->hash_factor);
		e->pace_kept = calloc(max_cpus, sizeof *e->pace_kept);
	}
	e->max_cpus = max_cpus;
	e->held.engine = e;
	e->level = e->problem_level = level;
	e->credit = CREDIT_MOST;
	e->ram = ram;
	ram->code_written = on_code_written;
	ram->opaque = e;
	e->npages = ram->size >> RAM_PAGE_SHIFT;
	e->arena_size = e->timing.core ? ARENA_PACED : ARENA_SIZE;
	e->arena = map_hot(e->arena_size);
	e->tables_size = (size_t)max_cpus * CTX_SLOTS * (sizeof(struct data_ctx) + sizeof(struct code_ctx));
	e->tables = map_hot(e->tables_size);
	e->hash = map_hot(sizeof *e->hash << BLOCK_HASH_BITS);
	e->pages = map_sparse(e->npages * sizeof *e->pages);
	e->writer = map_sparse(e->npages * sizeof *e->writer);
	e->scratch = spare_block();
	e->build = spare_block();
	e->scratch_info = calloc(BLOCK_MAX_OPS, sizeof *e->scratch_info);
	e->build_info = calloc(BLOCK_MAX_OPS, sizeof *e->build_info);
	if ((e->timing.core && (!e->pace || !e->pace_kept)) || !e->arena || !e->tables || !e->hash || !e->pages || !e->writer || !e->scratch ||
	    !e->scratch->words || !e->build || !e->build->words || !e->scratch_info || !e->build_info) {
		engine_free(e);
		return NULL;
	}
	return e;
}

static void free_spare(struct block *b)
{
	if (b)
		free(b->words);
	free(b);
}

void engine_free(struct engine *e)
{
	if (!e)
		return;
	e->ram->code_written = NULL;
	for (unsigned i = 0; i < e->ncpus; i++)
		ctx_free(e->cpus[i]);
	if (e->arena)
		munmap(e->arena, e->arena_size);
	if (e->tables)
		munmap(e->tables, e->tables_size);
	if (e->hash)
		munmap(e->hash, sizeof *e->hash << BLOCK_HASH_BITS);
	if (e->pages)
		munmap(e->pages, e->npages * sizeof *e->pages);
	if (e->writer)
		munmap(e->writer, e->npages * sizeof *e->writer);
	points_free(e);
	free_spare(e->scratch);
	free_spare(e->build);
	free(e->scratch_info);
	free(e->build_info);
	pace_free(e->pace);
	free(e->pace_kept);
	charge_free(e->charge);
	free(e->held.bytes);
	free(e);
}

bool engine_add_cpu(struct engine *e, struct cpu *cpu)
{
	if (e->ncpus == e->max_cpus)
		return false;
	cpu->engine = e;
	cpu->per_cycle = e->timing.per_cycle;
	cpu->timing_model = e->timing.core ? timing_number(e->timing.core) : 0;
	cpu->ram_base = e->ram->base;
	pace_add_cpu(cpu);
	if (!ctx_init(cpu))
		return false;
	e->cpus[e->ncpus++] = cpu;
	return true;
}

bool engine_charge(struct engine *e, unsigned threads)
{
	return !(e->timing.parts & TIMING_CHARGES) || charge_new(e, threads);
}

uint64_t engine_core_hz(const struct engine *e) { return timing_hz(&e->timing); }

void *engine_held(struct engine *e) { return &e->held; }

void engine_forget_timing(struct engine *e) { charge_reset(e); }

void cpu_share_core(struct cpu *cpu, unsigned busy)
{
	if (cpu->engine->timing.parts & TIMING_SMT)
		charge_set_threads(cpu, busy);
}

void cpu_forget_translations(struct cpu *cpu)
{
	tlb_flush_all(cpu);
	charge_flush_all(cpu, false);
}

void *engine_take_table(struct engine *e, size_t size)
{
	void *table = e->tables + e->tables_used;

	e->tables_used += size;
	return table;
}

void engine_flush(struct engine *e)
{
	for (unsigned i = 0; i < e->ncpus; i++) {
		ctx_forget_blocks(e->cpus[i]);
		e->cpus[i]->link = NULL;
	}
	e->flushes++;
	if (!e->arena_used)
		return;
	if (e->pace)
		pace_forget_blocks(e->pace);
	for (const struct code_page *page = e->code_pages; page; page = page->next) {
		e->ram->page[page->number] &= (uint8_t)~RAM_PAGE_CODE;
		e->pages[page->number] = NULL;
	}
	e->code_pages = NULL;
	memset(e->hash, 0, sizeof *e->hash << BLOCK_HASH_BITS);
	e->arena_used = 0;
}

void engine_allow_transactions(struct engine *e) { e->tm = true; }

void engine_limit_problem_state(struct engine *e, enum insn_since level)
{
	if (level > e->level)
		level = e->level;
	if (level != e->problem_level)
		engine_flush(e);
	e->problem_level = level;
}

void engine_spent(struct engine *e, struct spent *spent)
{
	if (!e->spent != !spent)
		engine_flush(e);
	e->spent = spent;
}

/* ---- Finding and keeping blocks ---- */

static struct block **hash_bucket(struct engine *e, uint64_t gra, uint32_t mode)
{
	uint64_t h = (gra >> 2 ^ (uint64_t)mode << 40) * e->hash_factor;

	return &e->hash[h >> (64 - BLOCK_HASH_BITS)];
}

static void *arena_take(struct engine *e, size_t size)
{
	void *p = e->arena + e->arena_used;

	e->arena_used += ALIGNED(size);
	return p;
}

/* The page's first decoded block: no processor may store there unnoticed from now on. */
static struct code_page *code_page(struct engine *e, uint64_t gra)
{
	struct code_page **slot = &e->pages[gra >> RAM_PAGE_SHIFT];

	if (!*slot) {
		*slot = arena_take(e, sizeof **slot);
		**slot = (struct code_page){ .number = gra >> RAM_PAGE_SHIFT, .next = e->code_pages };
		e->code_pages = *slot;
	}
	if (!(e->ram->page[gra >> RAM_PAGE_SHIFT] & RAM_PAGE_CODE)) {
		e->ram->page[gra >> RAM_PAGE_SHIFT] |= RAM_PAGE_CODE;
		e->credit -= (int64_t)ctx_protect_page(e, gra >> RAM_PAGE_SHIFT) * COST_OF_ENTRY;
	}
	return *slot;
}

static void mark_words(struct code_page *page, const struct block *b)
{
	unsigned first = (unsigned)(b->gra & (RAM_PAGE_SIZE - 1)) / 4;

	for (unsigned i = first; i < first + b->nwords; i++)
		page->words[i / 64] |= UINT64_C(1) << (i % 64);
}

static struct block *keep_block(struct engine *e, const struct block *from, const struct op_info *info)
{
	size_t size = BLOCK_BYTES(from->nops, from->nwords);
	struct block *b = arena_take(e, size), **bucket = hash_bucket(e, from->gra, from->mode);
	struct code_page *page = code_page(e, from->gra);

	*b = *from;
	memcpy(b->ops, from->ops, from->nops * sizeof b->ops[0]);
	b->info = (struct op_info *)(b->ops + b->nops);
	memcpy(b->info, info, b->nops * sizeof b->info[0]);
	b->words = (uint32_t *)(b->info + b->nops);
	memcpy(b->words, from->words, b->nwords * sizeof b->words[0]);
	decode_link_ways_out(b);
	b->hash_next = *bucket;
	*bucket = b;
	b->page_next = page->blocks;
	page->blocks = b;
	mark_words(page, b);
	e->decoded++;
	return b;
}

struct block *engine_find(struct engine *e, uint64_t gra, uint32_t mode)
{
	struct block *b = *hash_bucket(e, gra, mode);

	if (unlikely(points_part(e->points, gra)))
		return NULL;
	while (b && (b->gra != gra || b->mode != mode))
		b = b->hash_next;
	if (b || e->credit <= 0)
		return b;
	if (e->arena_used + BLOCK_MOST > e->arena_size)
		engine_flush(e);
	decode_block(e, gra, mode, BLOCK_MAX_INSNS, e->build, e->build_info);
	e->credit -= COST_OF_BLOCK + e->build->ninsns * COST_OF_INSN;
	return keep_block(e, e->build, e->build_info);
}

/* ---- Code that is overwritten ---- */

static bool starts_insn(const struct block *b, unsigned i)
{
	return i == 1 || b->info[i].insn != b->info[i - 1].insn;
}

/* From each of its instructions the block leads back to the engine: a processor inside it goes
 * on with what memory holds now, at exactly the next instruction. */
static void kill_block(struct block *b)
{
	b->dead = true;
	for (unsigned i = 1; i < b->nops; i++)
		if (starts_insn(b, i))
			b->ops[i].fn = op_dead;
}

static void unhash_block(struct engine *e, struct block *b)
{
	struct block **at = hash_bucket(e, b->gra, b->mode);

	while (*at && *at != b)
		at = &(*at)->hash_next;
	if (*at)
		*at = b->hash_next;
}

static bool any_decoded(const struct code_page *page, unsigned first, unsigned last)
{
	for (unsigned i = first; i <= last; i++)
		if (page->words[i / 64] >> (i % 64) & 1)
			return true;
	return false;
}

/* Within one page. All its blocks die when one is overwritten. That work is bounded however often the guest stores: what
 * decoding a block cost pays for its death, too. Edges stay within a page: none leads to a dead block from elsewhere. */
static void page_written(struct engine *e, uint64_t gra, uint64_t len)
{
	struct code_page *page = e->pages[gra >> RAM_PAGE_SHIFT];
	unsigned first = (unsigned)(gra & (RAM_PAGE_SIZE - 1)) / 4;
	unsigned last = (unsigned)((gra + len - 1) & (RAM_PAGE_SIZE - 1)) / 4;

	if (!page || !any_decoded(page, first, last))
		return;
	for (struct block *b = page->blocks; b; b = b->page_next) {
		kill_block(b);
		unhash_block(e, b);
	}
	page->blocks = NULL;
	memset(page->words, 0, sizeof page->words);
	/* A part of a block marks no words of its own: its whole page counts. */
	if (e->scratch->gra >> RAM_PAGE_SHIFT == gra >> RAM_PAGE_SHIFT)
		kill_block(e->scratch);
	e->ram->page[gra >> RAM_PAGE_SHIFT] &= (uint8_t)~RAM_PAGE_CODE;
}

void engine_code_written(struct engine *e, uint64_t gra, uint64_t len)
{
	while (len) {
		uint64_t room = RAM_PAGE_SIZE - (gra & (RAM_PAGE_SIZE - 1)), n = len < room ? len : room;

		if (e->ram->page[gra >> RAM_PAGE_SHIFT] & RAM_PAGE_CODE)
			page_written(e, gra, n);
		gra += n;
		len -= n;
	}
}

/* ---- Where an op is ---- */

OP_RAW(marker) { LEAVE; }

/* Stands for a pair of edges where ops are listed; a block has the edges themselves there, and no handler runs them. */
OP_RAW(edges) { abort(); }

static struct block *mutable_block_of(const struct op *op)
{
	while (op->fn != op_marker)
		op--;
	return (struct block *)((char *)(uintptr_t)op - __builtin_offsetof(struct block, ops));
}

const struct block *block_of(const struct op *op) { return mutable_block_of(op); }

static uint64_t nip_of(const struct cpu *cpu, const struct block *b, unsigned word)
{
	return cpu->page_ea + (b->gra & (RAM_PAGE_SIZE - 1)) + 4u * word;
}

uint64_t op_nip(const struct cpu *cpu, const struct op *op)
{
	const struct block *b = block_of(op);

	return nip_of(cpu, b, b->info[op - b->ops].word);
}

uint64_t op_insn(const struct op *op)
{
	const struct block *b = block_of(op);

	return block_insn(b, b->info[op - b->ops].word);
}

int64_t op_charged(const struct cpu *cpu, const struct op *op)
{
	const struct block *b = block_of(op);
	uint32_t state;

	return pace_rest(cpu, b, b->info[op - b->ops].insn, &state);
}

uint64_t op_cycle(const struct cpu *cpu, const struct op *op, int64_t budget)
{
	const struct block *b = block_of(op);

	if (cpu->per_cycle != 1)
		return cycle_at(cpu, UNITS_LEFT + op_charged(cpu, op));
	return cpu->limit - (uint64_t)UNITS_LEFT - (block_cost(b) - b->info[op - b->ops].cycles);
}

/* The processor leaves the block it is in before instruction n: what has been charged from there on. */
static int64_t leave_before(struct cpu *cpu, const struct block *b, unsigned n)
{
	unsigned behind = n < b->ninsns ? b->ninsns - n : 0;

	return pace_rest(cpu, b, n < b->ninsns ? n : b->ninsns, &cpu->pace) * BUDGET_UNIT + behind;
}

int64_t op_budget(const struct cpu *cpu, const struct op *op, int64_t budget)
{
	const struct block *b = block_of(op);
	unsigned i = (unsigned)(op - b->ops);

	if (cpu->per_cycle != 1)
		return budget + op_charged(cpu, op) * BUDGET_UNIT + b->ninsns - b->info[i].insn;
	return budget + decode_rest(b, b->info, i);
}

void op_unwind(struct cpu *cpu, const struct op *op)
{
	const struct block *b = block_of(op);
	const struct op_info *info = &b->info[op - b->ops];

	cpu->nip = nip_of(cpu, b, info->word);
	cpu->refund = cpu->per_cycle != 1 ? leave_before(cpu, b, info->insn + 1u) : decode_rest(b, b->info, (unsigned)(op - b->ops));
}

void op_restart(struct cpu *cpu, const struct op *op)
{
	const struct block *b = block_of(op);
	unsigned i = (unsigned)(op - b->ops);

	while (i > 1 && b->info[i - 1].insn == b->info[i].insn)
		i--;
	cpu->nip = nip_of(cpu, b, b->info[i].word);
	if (i == 1 && (unsigned)(op - b->ops) < b->head)
		cpu->refund = block_price(b);	/* the head has not run */
	else if (cpu->per_cycle != 1)
		cpu->refund = leave_before(cpu, b, b->info[i].insn);
	else
		cpu->refund = i == 1 ? block_price(b) : decode_rest(b, b->info, i - 1);
}

bool end_block(struct cpu *cpu, const struct op *op)
{
	op_unwind(cpu, op);
	cpu->nip += 4 * insn_words(op_insn(op));
	return false;
}

/* The first op of an instruction in a dead block: nothing of it has happened yet. */
OP_RAW(dead)
{
	op_restart(cpu, op);
	LEAVE;
}

/* ---- Running ---- */

static void run_ops(struct cpu *cpu, const struct op *op, int64_t budget)
{
#ifdef CEDE_TAIL
	op->fn(cpu, op, budget, cpu->tlb);
#else
	cpu->budget = budget;
	while (op) {
		profile_op(op);
		op = op->fn(cpu, op, cpu->budget, cpu->tlb);
	}
#endif
}

/* How many of the block's instructions start within so many units from now: one or more. */
static unsigned fitting(struct cpu *cpu, const struct block *b, uint64_t units)
{
	unsigned n = 0;

	if (cpu->engine->pace)
		return pace_fit(cpu, b, (unsigned)units);
	for (unsigned i = b->head; i < b->nops && b->info[i].cycles <= units; i++)
		n = b->info[i].insn + 1u;
	return n ? n : 1;
}

/* The index of the first op of instruction n; 0 if an op stands for it and the one before. */
static unsigned cut_at(const struct block *b, unsigned n)
{
	unsigned i = b->head;

	while (i < b->nops && b->info[i].insn < n)
		i++;
	return i < b->nops && b->info[i].insn == n ? i : 0;
}

/* A sequence that the cut goes through runs op by op. */
static void unfuse_last(struct block *s)
{
	unsigned last = s->nops - 1u, n;

	for (unsigned i = 1; i < last; i += n) {
		op_fn *first = fuse_first(s->ops[i].fn, &n);

		if (i + n > last)
			s->ops[i].fn = first;
	}
}

/* The first `count` instructions of `b` as a block of its own. Exits that have ways out are not copied. */
static const struct block *part_of(struct engine *e, const struct block *b, unsigned count)
{
	struct block *s = e->scratch;
	unsigned n = b->end == b->nops ? cut_at(b, count) : 0;
	uint32_t *words = s->words;

	e->credit -= COST_OF_BLOCK + (int64_t)count * (n ? COST_OF_COPY : COST_OF_INSN);
	if (n == 0) {
		decode_block(e, b->gra, b->mode | MODE_PLAIN, count, s, e->scratch_info);
		return s;
	}
	*s = *b;
	s->words = words;
	s->info = e->scratch_info;
	memcpy(s->words, b->words, b->info[n].word * sizeof s->words[0]);
	memcpy(s->ops, b->ops, n * sizeof s->ops[0]);
	memcpy(s->info, b->info, n * sizeof s->info[0]);
	s->ninsns = b->info[n].insn;
	s->nwords = b->info[n].word;
	s->ops[0].imm = b->info[n - 1].cycles;
	s->info[n] = (struct op_info){ .insn = b->info[n].insn, .word = b->info[n].word, .cycles = b->info[n - 1].cycles };
	s->ops[n] = (struct op){ .fn = op_leave, .imm = (int32_t)((b->gra & (RAM_PAGE_SIZE - 1)) + 4u * s->nwords) };
	s->nops = s->end = (uint16_t)(n + 1);
	while (s->nedges && s->edge_at[s->nedges - 1] >= n)
		s->nedges--;
	unfuse_last(s);
	if (e->pace)
		pace_clear(s);
	decode_finish_cost(e, s, s->info);
	return s;
}

/* With -d exec nothing is linked and nothing enters the jump cache, so that every block
 * comes by here. The guest cannot tell. */
static const struct block *show_entry(struct cpu *cpu, const struct block *b)
{
	cpu_log(cpu, LOG_EXEC, "block 0x%016llx %u instruction%s\n", (unsigned long long)cpu->nip, b->ninsns,
		b->ninsns == 1 ? "" : "s");
	return b;
}

/* Time goes by for all processors, asleep or not: what has been saved up is bounded. */
static void earn_credit(struct cpu *cpu)
{
	struct engine *e = cpu->engine;
	uint64_t from = cpu->ctx->credited, cycles = cpu->cycles > from ? cpu->cycles - from : 0;

	cpu->ctx->credited = cpu->cycles;
	if (cycles > CREDIT_MOST / CREDIT_PER_CYCLE)
		cycles = CREDIT_MOST / CREDIT_PER_CYCLE;
	e->credit += (int64_t)cycles * CREDIT_PER_CYCLE;
	if (e->credit > CREDIT_MOST)
		e->credit = CREDIT_MOST;
}

/* One instruction, decoded from what memory holds now and forgotten after it: for single steps, and while there is no
 * credit for blocks. Stores to the page are not watched for. */
static const struct block *one_at(struct engine *e, uint64_t gra, uint32_t mode)
{
	decode_block(e, gra, mode | MODE_PLAIN, 1, e->scratch, e->scratch_info);
	return e->scratch;
}

/* The block at NIP in the current context; NULL after a fetch interrupt. */
static const struct block *block_at_nip(struct cpu *cpu)
{
	struct jump_entry *entry = &cpu->jumps[JUMP_INDEX(cpu->nip)];
	uint64_t gra, flushes = cpu->engine->flushes;
	struct block *b;

	if (unlikely(watch_completions(cpu))) {
		if (!fetch_translate(cpu, cpu->nip, &gra))
			return NULL;
		earn_credit(cpu);
		return one_at(cpu->engine, gra, cpu->mode);
	}
	if (entry->ea == cpu->nip && !entry->block->dead) {
		b = entry->block;
	} else {
		uint64_t decoded = cpu->engine->decoded;

		if (!fetch_translate(cpu, cpu->nip, &gra))
			return NULL;
		earn_credit(cpu);
		b = engine_find(cpu->engine, gra, cpu->mode);
		if (unlikely(!b)) {
			cpu->engine->stepped++;
			if (entry->ea == cpu->nip)
				entry->ea = JUMP_GONE;
			return one_at(cpu->engine, gra, cpu->mode);
		}
		if (cpu->env->log_mask & LOG_IN_ASM && decoded != cpu->engine->decoded && cpu->env->show_code)
			cpu->env->show_code(cpu->env->machine, cpu->nip, b->words, b->nwords);
		if (cpu->env->log_mask & LOG_EXEC)
			return show_entry(cpu, b);
		jump_insert(cpu, cpu->nip, b);
	}
	/* An edge stays within its real page, whatever the page is mapped to by now. */
	if (cpu->link && cpu->link_nip == cpu->nip && flushes == cpu->engine->flushes &&
	    block_of(cpu->link_from)->gra >> RAM_PAGE_SHIFT == b->gra >> RAM_PAGE_SHIFT)
		*cpu->link = b->ops;
	return b;
}

/* What has been taken for interrupts on the way. */
static int64_t pay_owed(struct cpu *cpu, int64_t budget)
{
	budget -= (int64_t)cpu->owed * BUDGET_UNIT;
	cpu->owed = 0;
	return budget;
}

/* A fetch that faults takes a cycle. */
static int64_t fetch_fault(const struct cpu *cpu)
{
	return (cpu->per_cycle == 1 ? 1 : UNITS_PER_CYCLE) * BUDGET_UNIT;
}

/* Goes on at NIP, which the jump cache lacks or which lies in a context just entered: what the
 * loop of cpu_run() would do. No asynchronous interrupt waits here: a handler that unmasks one leaves instead. */
OP_RAW(seek)
{
	const struct block *b;

	if (unlikely(cpu->owed))
		budget = pay_owed(cpu, budget);
	if (unlikely(budget < BUDGET_UNIT || cpu->halt || cpu->msr & (MSR_SE | MSR_BE) || cpu->env->log_mask & LOG_EXEC))
		LEAVE;
	if (unlikely(cpu->pmu.due < cpu->limit || cpu->watched_for) || watch_completions(cpu))
		LEAVE;
	cpu->cycles = CYCLE_NOW;	/* for a trace, should the fetch fault */
	b = block_at_nip(cpu);
	cpu->link = NULL;
	if (unlikely(!b)) {
		budget -= fetch_fault(cpu);
		LEAVE;
	}
	if (unlikely(block_price(b) > budget))
		LEAVE;
	budget -= block_price(b);
	tlb = cpu->tlb;
	cpu->page_ea = TLB_PAGE(cpu->nip);
	GOTO_OP(b->ops + 1);
}

static int64_t run_block(struct cpu *cpu, const struct block *b, int64_t budget)
{
	cpu->page_ea = TLB_PAGE(cpu->nip);
	run_ops(cpu, b->ops + 1, budget - block_price(b));
	budget = cpu->budget + cpu->refund;
	cpu->refund = 0;
	return unlikely(cpu->owed) ? pay_owed(cpu, budget) : budget;
}

/* One that starts in time, however long it takes. */
static int64_t run_surely(struct cpu *cpu, const struct block *b, int64_t budget)
{
	cpu->sure = cpu->engine->pace ? pace_op(b) : NULL;
	budget = run_block(cpu, b, budget);
	cpu->sure = NULL;
	return budget;
}

/* The block of one instruction, which devices see at its cycle and at its address. */
static int64_t run_alone(struct cpu *cpu, const struct block *b, int64_t budget)
{
	cpu->alone_at = 1 + cpu->cycles + (cpu->per_cycle == 1);
	budget = run_surely(cpu, b, budget);
	cpu->alone_at = 0;
	return budget;
}

/* The instruction at NIP has met a device, and has been left undone. */
static int64_t run_again(struct cpu *cpu, int64_t budget)
{
	uint64_t gra;

	cpu->alone = false;
	cpu->cycles = CYCLE_NOW;
	if (!fetch_translate(cpu, cpu->nip, &gra))
		return budget - fetch_fault(cpu);
	return run_alone(cpu, one_at(cpu->engine, gra, cpu->mode), budget);
}

/* The instruction at NIP has been charged for, and has been left undone. */
static int64_t run_paid(struct cpu *cpu, int64_t budget)
{
	uint64_t gra;

	cpu->paid = false;
	if (!fetch_translate(cpu, cpu->nip, &gra))
		return budget - fetch_fault(cpu);
	return run_surely(cpu, one_at(cpu->engine, gra, cpu->mode | MODE_PAID), budget);
}

/* What there is budget for of the block at NIP, which costs more than that. */
static int64_t run_part(struct cpu *cpu, const struct block *b, int64_t budget)
{
	struct engine *e = cpu->engine;
	unsigned n;

	earn_credit(cpu);
	if (e->credit <= 0 || b == e->scratch)
		return run_surely(cpu, one_at(e, b->gra, b->mode), budget);
	n = fitting(cpu, b, (uint64_t)UNITS_LEFT);
	return run_surely(cpu, n < b->ninsns ? part_of(e, b, n) : b, budget);
}

/* The block has been entered, and left at once. */
static int64_t run_cut(struct cpu *cpu, int64_t budget)
{
	const struct block *b;

	cpu->cut = false;
	if (pace_make_room(cpu->engine) || budget < BUDGET_UNIT)
		return budget;
	cpu->cycles = CYCLE_NOW;
	b = block_at_nip(cpu);
	cpu->link = NULL;
	return b ? run_part(cpu, b, budget) : budget - fetch_fault(cpu);
}

/* Runs from NIP; returns the budget that is left. */
static int64_t run_some(struct cpu *cpu, int64_t budget)
{
	const struct block *b;
	uint64_t taken = cpu->interrupts, nip, insn = 0, operand = 0;
	bool traced = cpu->msr & (MSR_SE | MSR_BE), completes, single;

	cpu->cut = false;
	if (cpu->engine->pace)
		pace_make_room(cpu->engine);
	cpu->nip &= ~UINT64_C(3);
	if (!(cpu->msr & MSR_SF))
		cpu->nip = (uint32_t)cpu->nip;
	nip = cpu->nip;
	if (unlikely(cpu->steps)) {
		cpu->observed.kind = POINT_STEP;
		cpu->halt |= CPU_OBSERVED;
	}
	completes = watch_completions(cpu);
	single = traced || completes || cpu->pmu.close;
	b = block_at_nip(cpu);
	cpu->link = NULL;
	if (unlikely(!b))
		return budget - fetch_fault(cpu);
	if (unlikely(single)) {
		b = one_at(cpu->engine, b->gra, b->mode);
		insn = block_insn(b, 0);
		operand = cpu_operand_address(cpu, insn);
		budget = BUDGET_OF(cpu->per_cycle - cpu->phase);	/* nothing can be entered after it */
		cpu->limit = cpu->cycles + 1;
		budget = run_alone(cpu, b, budget);
	} else if (unlikely(cpu->steps || cpu->singly)) {
		budget = run_surely(cpu, one_at(cpu->engine, b->gra, b->mode), budget);
	} else if (unlikely(block_price(b) > budget)) {
		budget = run_part(cpu, b, budget);
	} else {
		budget = run_block(cpu, b, budget);
	}
	if (unlikely(cpu->cut))
		budget = run_cut(cpu, budget);
	if (unlikely(cpu->paid))
		budget = run_paid(cpu, budget);
	if (unlikely(cpu->alone))
		budget = run_again(cpu, budget);
	if (unlikely(single) && cpu->pmu.close)
		pmu_ran(cpu, nip, insn, operand, b->mode & MODE_PR);
	if (unlikely(completes) && taken == cpu->interrupts && nip == (cpu->ciabr & ~UINT64_C(3)))
		cpu_trace_completed(cpu, nip, insn, operand);
	if (unlikely(traced) && taken == cpu->interrupts)
		cpu_trace(cpu, nip, insn, operand);
	return budget;
}

/* The cycle at which DEC will become negative, if that is to come, or the performance monitor wants to look. */
static uint64_t next_limit(const struct cpu *cpu, uint64_t until)
{
	uint64_t due = cpu_dec_due(cpu, cpu->cycles);

	if (due > cpu->cycles && due < until)
		until = due;
	return cpu->pmu.due < until && cpu->pmu.due > cpu->cycles ? cpu->pmu.due : until;
}

static inline void watch_counters(struct cpu *cpu)
{
	if (unlikely(cpu->pmu.due <= cpu->cycles))
		pmu_look(cpu);
}

/* The processor has come further than its cycle says: true if it has come to the next one. */
static bool catch_up(struct cpu *cpu, uint64_t until)
{
	uint64_t ahead = cpu->phase / cpu->per_cycle;

	if (ahead > until - cpu->cycles)
		ahead = until - cpu->cycles;
	cpu->cycles += ahead;
	cpu->phase -= ahead * cpu->per_cycle;
	return ahead != 0;
}

/* Where the processor has come to. What took it beyond its limit is kept. Whom it has called on the way saw it at
 * the cycle of the call, and it stays there: where its slice ends makes no difference to others. */
static void note_time(struct cpu *cpu, int64_t budget)
{
	uint64_t beyond = UNITS_LEFT < 0 ? (uint64_t)-UNITS_LEFT : 0;

	cpu->cycles = beyond ? cpu->limit : cycle_at(cpu, UNITS_LEFT);
	cpu->phase = beyond ? beyond : (cpu->limit - cpu->cycles) * cpu->per_cycle - (uint64_t)UNITS_LEFT;
	if (cpu->called_at) {
		cpu->phase += (cpu->cycles - (cpu->called_at - 1)) * cpu->per_cycle;
		cpu->cycles = cpu->called_at - 1;
		cpu->called_at = 0;
	}
}

void cpu_run(struct cpu *cpu, uint64_t until)
{
	fp_enter(cpu);
	ctx_catch_up(cpu);
	cpu->spin_op = NULL;
	if (unlikely(cpu->pmu.active))
		pmu_enter(cpu);
	if (unlikely(cpu->engine->spent))
		spent_enter(cpu->engine->spent, cpu);
	while (cpu->cycles < until && cpu->run_state == CPU_RUNNING && !cpu->halt) {
		uint64_t most = (BUDGET_MOST - PACE_LENT) / cpu->per_cycle;
		int64_t budget;

		if (unlikely(cpu->phase >= cpu->per_cycle) && catch_up(cpu, until))
			continue;
		watch_counters(cpu);
		if (cpu_deliver_pending(cpu)) {
			cpu->link = NULL;
			watch_counters(cpu);
			if (unlikely(cpu->steps)) {
				cpu->observed = (struct observed){ POINT_INTERRUPT, cpu->srr0 };
				break;
			}
		}
		if (unlikely(cpu->owed)) {
			cpu->phase += cpu->owed;
			cpu->owed = 0;
			continue;
		}
		if (unlikely(cpu->watched_for) && points_stop(cpu))
			break;
		cpu->limit = next_limit(cpu, until);
		if (cpu->limit - cpu->cycles > most)
			cpu->limit = cpu->cycles + most;
		budget = run_some(cpu, BUDGET_OF((cpu->limit - cpu->cycles) * cpu->per_cycle - cpu->phase));
		note_time(cpu, budget);
		cpu->insns += INSNS_DONE(budget);
	}
	watch_counters(cpu);
	if (unlikely(cpu->pmu.active))
		pmu_leave(cpu);
	if (unlikely(cpu->engine->spent))
		spent_leave(cpu->engine->spent, cpu);
	cpu->link = NULL;
	fp_leave(cpu);
}

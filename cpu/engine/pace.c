/* The pipeline's states, and what blocks cost from each: see pace.h. */
#include "cpu/engine/pace.h"

#include <stdlib.h>
#include <sys/mman.h>

#include "cpu/engine/decode.h"
#include "cpu/engine/follow.h"
#include "cpu/engine/operands.h"

#define STATE_BITS 19
#define STATES     (1u << STATE_BITS)
_Static_assert(STATE_BITS < 20, "a memo has room for its number, and for one that is none");
#define WORDS      (STATES * 16)	/* for the contents of all */
#define STATE_ROOM 256			/* kept for what a processor may need until it is between blocks */
_Static_assert(WORDS > 4 * STATE_ROOM * PIPE_STATE_WORDS, "that is a part of it");
#define INSN_BITS  13			/* of the table of decoded instructions */
#define PART_BITS  8			/* of the table of parts of blocks */

/* A block's memos: none at first, then so many, four times as many whenever too many of them have been lost or are looked for
 * elsewhere than in their places too often. */
#define FIRST_MEMOS 2u
#define MOST_MEMOS  8192u
#define GROUP       8u			/* those of a line of the host's cache: where one may be */
_Static_assert(MOST_MEMOS <= 65536, "the op has two bytes");
_Static_assert(MOST_MEMOS == FIRST_MEMOS << 12, "four times as many, six times");
#define MEMOS       (1u << 22)		/* of all blocks */
#define MEMO_ROOM   (2 * MOST_MEMOS)	/* kept for those that grow until then */

/* An instruction and what the pipeline wants to know of it. */
struct known_insn {
	uint64_t word;
	bool known;
	struct pipe_insn insn;
};

/* The first instructions of a block. */
struct part {
	const struct block *block;	/* NULL: none */
	uint32_t in, n;
	uint32_t out, cost;
};

/* Where the exits of the block that was simulated last lead to from the same state. */
struct passed {
	const struct block *block;	/* NULL: none */
	uint32_t in, n;
	struct { uint32_t insn, cost, words; uint32_t word[COARSE_STATE_WORDS]; } exit[BLOCK_MAX_EXITS];
};

struct state {
	uint32_t at;			/* of its words in the pool */
	uint8_t n;			/* so many of them */
	uint8_t threads;		/* of the core are busy, as a logarithm */
};

struct pace {
	const struct core_model *core;
	uint64_t salt;
	uint32_t nstates, nwords, nmemos;
	struct pace_after after[STATES];
	struct state states[STATES];		/* the first ones: nothing is under way, by number of threads */
	uint32_t hash[STATES * 2];		/* 1 + number; 0: empty */
	uint32_t words[WORDS];			/* the first one: 0, which is all there is of nothing under way */
	struct known_insn insns[1u << INSN_BITS];
	struct part parts[1u << PART_BITS];
	struct passed passed;
	_Alignas(GROUP * sizeof(memo)) memo memos[MEMOS];			/* the first one: none, for all blocks that have no others */
};

enum { EMPTY_STATES = 4 };

static void forget_states(struct pace *pace)
{
	memset(pace->hash, 0, sizeof pace->hash);
	pace->nwords = 1;
	for (pace->nstates = 0; pace->nstates < EMPTY_STATES; pace->nstates++) {
		pace->states[pace->nstates] = (struct state){ .threads = (uint8_t)pace->nstates };
		pace->after[pace->nstates] = (struct pace_after){ { 1 + pace->nstates, 1 + pace->nstates } };
	}
}

/* Most of it is never touched. */
struct pace *pace_new(const struct core_model *core, uint64_t salt)
{
	struct pace *pace = map_hot(sizeof *pace);

	if (pace) {
		pace->core = core;
		pace->salt = salt;
		forget_states(pace);
		pace_forget_blocks(pace);
	}
	return pace;
}

void pace_free(struct pace *pace)
{
	if (pace)
		munmap(pace, sizeof *pace);
}

void pace_forget_blocks(struct pace *pace)
{
	pace->memos[0] = MEMO_NONE;
	pace->nmemos = 1;
	memset(pace->parts, 0, sizeof pace->parts);
	pace->passed.block = NULL;
}

void pace_add_cpu(struct cpu *cpu) { cpu->memos = cpu->engine->pace ? cpu->engine->pace->memos : NULL; }

/* ---- States and their numbers ---- */

static uint32_t state_hash(uint64_t salt, const uint32_t *words, unsigned n, unsigned threads)
{
	uint64_t h = threads ^ salt;

	for (unsigned i = 0; i < n; i++)
		h = (h ^ words[i]) * UINT64_C(0x9e3779b97f4a7c15) + (h >> 29);
	return (uint32_t)(h >> 32) & (2 * STATES - 1);
}

static bool has_room(const struct pace *pace, unsigned room)
{
	return pace->nstates < STATES - room && pace->nwords < WORDS - room * PIPE_STATE_WORDS && pace->nmemos < MEMOS - MEMO_ROOM;
}

/* The states that a loop of four blocks gives them one after the other must not have the same low bits in each. */
static uint32_t mixed(uint32_t n) { return n ^ (n >> 3 & 7); }

/* The caller has seen to it that there is room. */
static uint32_t number_of(struct pace *pace, const uint32_t *words, unsigned n, unsigned threads)
{
	uint32_t at, number;

	if (!n)
		return threads;
	for (at = state_hash(pace->salt, words, n, threads); pace->hash[at]; at = (at + 1) & (2 * STATES - 1)) {
		const struct state *s = &pace->states[pace->hash[at] - 1];

		if (s->n == n && s->threads == threads && !memcmp(&pace->words[s->at], words, n * sizeof words[0]))
			return pace->hash[at] - 1;
	}
	if (pace->nstates == STATES || pace->nwords > WORDS - PIPE_STATE_WORDS)
		abort();
	number = mixed(pace->nstates++);
	pace->states[number] = (struct state){ .at = pace->nwords, .n = (uint8_t)n, .threads = (uint8_t)threads };
	memcpy(&pace->words[pace->nwords], words, n * sizeof words[0]);
	pace->nwords += n;
	pace->after[number] = (struct pace_after){ { 0 } };
	pace->hash[at] = 1 + number;
	return number;
}

static uint32_t number_of_state(struct pace *pace, const struct pipe_state *state, unsigned threads)
{
	return number_of(pace, state->word, pipe_state_words(state), threads);
}

static void contents(const struct pace *pace, uint32_t number, struct pipe_state *state)
{
	const struct state *s = &pace->states[number];

	memset(state, 0, sizeof *state);
	memcpy(state->word, &pace->words[s->at], s->n * sizeof state->word[0]);
}

bool pace_make_room(struct engine *engine)
{
	struct pace *pace = engine->pace;
	struct pipe_state *kept;

	if (likely(has_room(pace, 2 * STATE_ROOM)))
		return false;
	kept = engine->pace_kept;
	engine_flush(engine);
	for (unsigned i = 0; i < engine->ncpus; i++)
		pace_get(engine->cpus[i], &kept[i]);
	forget_states(pace);
	for (unsigned i = 0; i < engine->ncpus; i++)
		engine->cpus[i]->pace = number_of_state(pace, &kept[i], engine->cpus[i]->pace_empty);
	return true;
}

void pace_get(const struct cpu *cpu, struct pipe_state *state)
{
	contents(cpu->engine->pace, cpu->pace, state);
}

bool pace_set(struct cpu *cpu, const struct pipe_state *state)
{
	struct pace *pace = cpu->engine->pace;

	if (!pipe_state_valid(state, pace->core))
		return false;
	pace_make_room(cpu->engine);
	cpu->pace = number_of_state(pace, state, cpu->pace_empty);
	return true;
}

void pace_set_threads(struct cpu *cpu, unsigned busy)
{
	struct pipe_state state;
	uint8_t log2 = busy > 4 ? 3 : busy > 2 ? 2 : busy > 1;

	if (log2 == cpu->pace_empty)
		return;
	pace_make_room(cpu->engine);
	pace_get(cpu, &state);
	cpu->pace_empty = log2;
	cpu->pace = number_of_state(cpu->engine->pace, &state, log2);
}

/* ---- Simulating ---- */

/* Where a branch leads makes no difference to it. */
static uint64_t without_target(uint64_t word)
{
	return word >> 26 == 16 ? word & ~UINT64_C(0xfffc) : word >> 26 == 18 ? word & ~UINT64_C(0x3fffffc) : word;
}

static const struct pipe_insn *known(const struct engine *engine, uint64_t whole)
{
	uint64_t word = without_target(whole);
	uint32_t folded = (uint32_t)(word ^ word >> 32);
	struct known_insn *k = &engine->pace->insns[(folded * UINT32_C(0x9e3779b9)) >> (32 - INSN_BITS)];

	if (!k->known || k->word != word) {
		const struct insn *insn = insn_lookup_at(word, engine->level);

		pipe_decode(engine->pace->core, insn ? (int)(insn - insns) : -1, word, &k->insn);
		k->word = word;
		k->known = true;
	}
	return &k->insn;
}

static void open_at(struct pipe *pipe, const struct pace *pace, uint32_t number)
{
	const struct state *s = &pace->states[number];

	pipe_open_packed(pipe, pace->core, 1u << s->threads, &pace->words[s->at]);
}

static uint32_t close_as(struct pipe *pipe, struct pace *pace, uint32_t from)
{
	unsigned n = pipe_pack(pipe);

	return number_of(pace, pipe->last.word, n, pace->states[from].threads);
}

/* Behind a branch, where the state is coarse. What stays of a block that is another one each time is asked for by nobody: it has no
 * exits. */
static void note_passed(struct passed *passed, unsigned insn, unsigned cost, struct pipe *pipe)
{
	unsigned n = pipe_pack(pipe);

	if (passed->n == BLOCK_MAX_EXITS)
		return;
	passed->exit[passed->n].insn = insn;
	passed->exit[passed->n].cost = cost;
	passed->exit[passed->n].words = n;
	memcpy(passed->exit[passed->n++].word, pipe->last.word, n * sizeof pipe->last.word[0]);
}

/* The block's first n instructions. */
static unsigned simulate(const struct engine *engine, const struct block *block, uint32_t from, unsigned n, uint32_t *to)
{
	struct pace *pace = engine->pace;
	struct passed *passed = &pace->passed;
	struct pipe pipe;
	unsigned units = 0;

	passed->block = block;
	passed->in = from;
	passed->n = 0;
	open_at(&pipe, pace, from);
	for (unsigned i = 0, at = 0; i < n; i++) {
		uint64_t word = block_insn(block, at);
		const struct pipe_insn *insn = known(engine, word);

		units += pipe_step(&pipe, insn);
		if (insn->branch && i + 1 < n)
			note_passed(passed, i, units, &pipe);
		at += insn_words(word);
	}
	*to = close_as(&pipe, pace, from);
	return units;
}

/* The same for an exit behind instruction `insn`: most come first when the block does. */
static unsigned simulate_exit(const struct engine *engine, const struct block *block, uint32_t from, unsigned insn, uint32_t *to)
{
	struct pace *pace = engine->pace;
	const struct passed *passed = &pace->passed;

	if (passed->block == block && passed->in == from)
		for (unsigned i = 0; i < passed->n; i++)
			if (passed->exit[i].insn == insn) {
				*to = number_of(pace, passed->exit[i].word, passed->exit[i].words, pace->states[from].threads);
				return passed->exit[i].cost;
			}
	return simulate(engine, block, from, insn + 1, to);
}

/* The scratch block is another one each time. */
static unsigned simulate_part(const struct engine *engine, const struct block *block, uint32_t from, unsigned n, uint32_t *to)
{
	uint64_t key = ((uintptr_t)block / BLOCK_ALIGN << 6 ^ from) + n;
	struct part *part = &engine->pace->parts[key * UINT64_C(0x9e3779b97f4a7c15) >> (64 - PART_BITS)];

	if (block != part->block || from != part->in || n != part->n) {
		uint32_t out, cost = simulate(engine, block, from, n, &out);

		*part = (struct part){ block == engine->scratch ? NULL : block, from, n, out, cost };
	}
	*to = part->out;
	return part->cost;
}

/* ---- The block's head ---- */

const struct pace_after *pace_after(const struct engine *engine) { return engine->pace ? engine->pace->after : NULL; }

/* There is room: a state that is new here has no memo, and whoever has none looks at the room. */
uint32_t pace_foresee(const struct engine *engine, uint32_t number, enum pace_bubble bubble)
{
	struct pace *pace = engine->pace;
	const uint32_t units[BUBBLES] = { [BUBBLE_TAKEN] = pace->core->taken, [BUBBLE_REDIRECT] = pace->core->redirect };
	struct pipe pipe;
	uint32_t to;

	open_at(&pipe, pace, number);
	pipe_wait(&pipe, units[bubble]);
	to = close_as(&pipe, pace, number);
	pace->after[number].state[bubble] = 1 + to;
	return to;
}

/* Fields of an op that charges: where its memos begin in imm, how many there are less one, which is a mask, in c and d; in b, how
 * many have been lost since they grew; in a, how often one that was asked for was not in its place. A memo is in its state's place
 * or, if another one is there, elsewhere in the group. */
#define MEMO_MASK(op)      ((op)->c | (unsigned)(op)->d << 8)
#define MEMO_AT(op, state) ((uint32_t)(op)->imm + ((state) & MEMO_MASK(op)))

/* A memo from `in`, or an empty place for NO_STATE, among those that may be the state's; NULL: there is none. */
enum { NO_STATE = MEMO_IN(MEMO_NONE) };
static memo *find_in_group(struct pace *pace, const struct op *op, uint32_t state, uint32_t in)
{
	unsigned mask = MEMO_MASK(op), n = mask < GROUP ? mask + 1 : GROUP;
	memo *group = &pace->memos[(uint32_t)op->imm + (state & mask & ~(GROUP - 1))];

	for (unsigned i = 0; i < n; i++)
		if (MEMO_IN(group[i]) == in)
			return &group[i];
	return NULL;
}

/* The one that must make way for it goes elsewhere in a group that has room; else the one beside is lost. */
static void place(struct pace *pace, const struct op *op, memo m)
{
	memo *at = &pace->memos[MEMO_AT(op, MEMO_IN(m))], *spare;

	if (*at != MEMO_NONE) {
		spare = find_in_group(pace, op, MEMO_IN(m), NO_STATE);
		*(spare ? spare : &pace->memos[MEMO_AT(op, MEMO_IN(m) ^ 1)]) = *at;
	}
	*at = m;
}

static void grow(struct pace *pace, struct op *op)
{
	const memo *old = &pace->memos[op->imm];
	unsigned n = op->imm ? MEMO_MASK(op) + 1 : 0, more = n ? 4 * n : FIRST_MEMOS, line = more < GROUP ? more : GROUP;

	pace->nmemos = (pace->nmemos + line - 1) & ~(line - 1);
	op->c = (uint8_t)(more - 1);
	op->d = (uint8_t)((more - 1) >> 8);
	op->imm = (int32_t)pace->nmemos;
	memset(&pace->memos[pace->nmemos], 0xff, more * sizeof(memo));
	pace->nmemos += more;
	for (unsigned i = 0; i < n; i++)
		if (old[i] != MEMO_NONE)
			place(pace, op, old[i]);
	op->b = 0;
}

static bool may_grow(const struct pace *pace, const struct op *op)
{
	return MEMO_MASK(op) + 1 < MOST_MEMOS && pace->nmemos + MOST_MEMOS + GROUP <= MEMOS;
}

static struct op *counted(const struct op *op) { return (struct op *)(uintptr_t)op; }

static void remember(struct pace *pace, const struct op *const_op, memo m)
{
	struct op *op = counted(const_op);
	unsigned mask = MEMO_MASK(op);

	if (op->imm && !find_in_group(pace, op, MEMO_IN(m), NO_STATE))
		op->b++;
	if ((!op->imm || op->b > (mask < 255 ? mask : 255) / 16) && may_grow(pace, op))
		grow(pace, op);
	if (op->imm)
		place(pace, op, m);
}

/* One elsewhere in the group comes to its place. Where that is asked for often there are too few places. */
static bool is_elsewhere(struct pace *pace, const struct op *op, uint32_t state)
{
	memo *at, *there, m;

	if (!++counted(op)->a && op->imm && may_grow(pace, op))
		grow(pace, counted(op));
	at = &pace->memos[MEMO_AT(op, state)];
	there = find_in_group(pace, op, state, state);
	if (!there)
		return false;
	m = *there;
	*there = *at;
	*at = m;
	return true;
}

static memo block_memo(struct engine *engine, const struct op *op, uint32_t in)
{
	struct pace *pace = engine->pace;
	const struct block *block;
	uint32_t out, cost;
	memo m = pace->memos[MEMO_AT(op, in)];

	if (MEMO_IN(m) == in)
		return m;
	if (is_elsewhere(pace, op, in))
		return pace->memos[MEMO_AT(op, in)];
	block = block_of(op);
	cost = simulate(engine, block, in, block->ninsns, &out);
	m = MEMO(in, out, cost);
	if (block != engine->scratch)		/* which is another one each time */
		remember(pace, op, m);
	return m;
}

/* A block that is another one each time has no exits. From its start the exit leads to `out`, and has that much of what has been
 * charged given back. */
static __attribute__((noinline)) memo find_exit(struct cpu *cpu, const struct op *op)
{
	struct pace *pace = cpu->engine->pace;
	const struct block *block;
	uint32_t in = cpu->pace_in, out, cost;
	memo m;

	if (is_elsewhere(pace, op, in))
		return pace->memos[MEMO_AT(op, in)];
	block = block_of(op);
	cost = simulate_exit(cpu->engine, block, in, block->info[op - block->ops].insn, &out);
	m = MEMO(in, out, MEMO_COST(block_memo(cpu->engine, pace_op(block), in)) - cost);
	remember(pace, op, m);
	return m;
}

unsigned pace_rest(const struct cpu *cpu, const struct block *block, unsigned n, uint32_t *state)
{
	memo whole = block_memo(cpu->engine, pace_op(block), cpu->pace_in);

	if (n < block->ninsns)
		return MEMO_COST(whole) - simulate_part(cpu->engine, block, cpu->pace_in, n, state);
	*state = MEMO_OUT(whole);
	return 0;
}

unsigned pace_fit(struct cpu *cpu, const struct block *block, unsigned units)
{
	struct pipe pipe;
	unsigned n = 0, at = 0;

	open_at(&pipe, cpu->engine->pace, cpu->pace);
	for (unsigned now = 0; n < block->ninsns && now < units; n++) {
		uint64_t insn = block_insn(block, at);

		now += pipe_step(&pipe, known(cpu->engine, insn));
		at += insn_words(insn);
	}
	return n;
}

int64_t pace_back_out(struct cpu *cpu, const struct op *op, int64_t budget)
{
	cpu->nip = op_nip(cpu, op);
	cpu->cut = true;
	return budget + block_price(block_of(op));
}

/* Out of line, so that the common way keeps no frame. */
static OP_RETURN OP_ABI __attribute__((noinline, cold)) slow_pace(OP_PARAMS);

#define CHARGE_FOR_BLOCK(m) \
	do { \
		budget -= (int64_t)MEMO_COST(m) * BUDGET_UNIT; \
		cpu->pace_in = MEMO_IN(m); \
		cpu->pace = MEMO_OUT(m); \
		NEXT; \
	} while (0)

OP_RAW(pace)
{
	uint32_t in = cpu->pace;
	memo m = cpu->memos[MEMO_AT(op, in)];

	if (unlikely(MEMO_IN(m) != in) || unlikely(budget - (int64_t)MEMO_COST(m) * BUDGET_UNIT < 0))
		GOTO_SAME(slow_pace);
	CHARGE_FOR_BLOCK(m);
}

/* No memo, or more than there is left. A block is sure once: it may come to its head again, by an exit that gives back. */
static OP_RETURN OP_ABI slow_pace(OP_PARAMS)
{
	bool sure = cpu->sure == op;
	memo m;

	(void)tlb;
	if (unlikely(!sure && !has_room(cpu->engine->pace, STATE_ROOM))) {
		budget = pace_back_out(cpu, op, budget);
		LEAVE;
	}
	m = block_memo(cpu->engine, op, cpu->pace);
	if (unlikely(!sure && budget - (int64_t)MEMO_COST(m) * BUDGET_UNIT < 0)) {
		budget = pace_back_out(cpu, op, budget);
		LEAVE;
	}
	cpu->sure = NULL;
	CHARGE_FOR_BLOCK(m);
}

/* The state before the block and what it was charged are known: none of its exits has been taken. */
#define GIVE_BACK(m) \
	do { \
		budget += ((int64_t)MEMO_COST(m) - PACE_LENT) * BUDGET_UNIT; \
		cpu->pace = MEMO_OUT(m); \
	} while (0)

static OP_RETURN OP_ABI __attribute__((noinline, cold)) slow_pace_exit(OP_PARAMS)
{
	memo m = find_exit(cpu, op);

	(void)tlb;
	GIVE_BACK(m);
	NEXT;
}

#define LEAVE_BY(leave) \
	do { \
		memo m_ = cpu->memos[MEMO_AT(op, cpu->pace_in)]; \
		if (unlikely(MEMO_IN(m_) != cpu->pace_in)) \
			GOTO_SAME(slow_pace_exit); \
		GIVE_BACK(m_); \
		op++; \
		leave; \
	} while (0)

/* With the branch behind it. */
OP_RAW(pace_exit_near) { LEAVE_BY(FOLLOW(&EDGES->taken, (uint64_t)IMM)); }
OP_RAW(pace_exit_far) { LEAVE_BY(JUMP_TO(cpu->page_ea + IMM)); }

void pace_emit(struct decoder *d) { decode_emit(d, (struct op){ .fn = op_pace }); }

void pace_emit_exit(struct decoder *d, bool near)
{
	decode_emit(d, (struct op){ .fn = near ? op_pace_exit_near : op_pace_exit_far });
}

const struct op *pace_op(const struct block *block) { return &block->ops[block->head - 1]; }

void pace_clear(struct block *block) { block->ops[block->head - 1] = (struct op){ .fn = op_pace }; }

/* The pipeline's states, and what blocks cost from each: see pace.h. */
#include "cpu/engine/pace.h"

#include <stdlib.h>

#include "cpu/engine/decode.h"

#define STATE_BITS 19
#define STATES     (1u << STATE_BITS)
_Static_assert(STATE_BITS <= 20, "a memo has room for its number");
#define WORDS      (STATES * 16)	/* for the contents of all */
#define STATE_ROOM 256			/* kept for what a processor may need until it is between blocks */
#define INSN_BITS  13			/* of the table of decoded instructions */
#define SEEN_BITS  18			/* of the table behind the memos */

/* An instruction's word and what the pipeline wants to know of it. */
struct known_insn {
	uint32_t word;
	bool known;
	struct pipe_insn insn;
};

/* What a block has cost, by its number and the state it was entered in. */
struct seen {
	uint64_t key;
	memo memo;
};

struct state {
	uint32_t at;			/* of its words in the pool */
	uint8_t n;			/* so many of them */
	uint8_t threads;		/* of the core are busy, as a logarithm */
};

struct pace {
	const struct core_model *core;
	uint32_t nstates, nwords;
	uint32_t named;				/* blocks so far */
	struct pace_after after[STATES];
	struct state states[STATES];		/* the first ones: nothing is under way, by number of threads */
	uint32_t hash[STATES * 2];		/* 1 + number; 0: empty */
	uint32_t words[WORDS];
	struct known_insn insns[1u << INSN_BITS];
	struct seen seen[1u << SEEN_BITS];
};

enum { EMPTY_STATES = 4 };

static void forget_states(struct pace *pace)
{
	memset(pace->hash, 0, sizeof pace->hash);
	memset(pace->seen, 0, sizeof pace->seen);
	pace->nwords = 0;
	for (pace->nstates = 0; pace->nstates < EMPTY_STATES; pace->nstates++) {
		pace->states[pace->nstates] = (struct state){ .threads = (uint8_t)pace->nstates };
		pace->after[pace->nstates] = (struct pace_after){ { pace->nstates, pace->nstates } };
	}
}

/* Most of it is never touched. */
struct pace *pace_new(const struct core_model *core)
{
	struct pace *pace = calloc(1, sizeof *pace);

	if (pace) {
		pace->core = core;
		forget_states(pace);
	}
	return pace;
}

void pace_free(struct pace *pace) { free(pace); }

/* ---- States and their numbers ---- */

static uint32_t state_hash(const uint32_t *words, unsigned n, unsigned threads)
{
	uint64_t h = threads;

	for (unsigned i = 0; i < n; i++)
		h = (h ^ words[i]) * UINT64_C(0x9e3779b97f4a7c15) + (h >> 29);
	return (uint32_t)(h >> 32) & (2 * STATES - 1);
}

static bool has_room(const struct pace *pace, unsigned room)
{
	return pace->nstates < STATES - room && pace->nwords < WORDS - room * PIPE_STATE_WORDS;
}

/* The caller has seen to it that there is room. */
static uint32_t number_of(struct pace *pace, const struct pipe_state *state, unsigned threads)
{
	unsigned n = pipe_state_words(state);
	uint32_t at;

	if (!n)
		return threads;
	for (at = state_hash(state->word, n, threads); pace->hash[at]; at = (at + 1) & (2 * STATES - 1)) {
		const struct state *s = &pace->states[pace->hash[at] - 1];

		if (s->n == n && s->threads == threads && !memcmp(&pace->words[s->at], state->word, n * sizeof state->word[0]))
			return pace->hash[at] - 1;
	}
	if (!has_room(pace, 1))
		abort();
	pace->states[pace->nstates] = (struct state){ .at = pace->nwords, .n = (uint8_t)n, .threads = (uint8_t)threads };
	memcpy(&pace->words[pace->nwords], state->word, n * sizeof state->word[0]);
	pace->nwords += n;
	pace->after[pace->nstates] = (struct pace_after){ { 0 } };
	pace->hash[at] = ++pace->nstates;
	return pace->nstates - 1;
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
		engine->cpus[i]->pace = number_of(pace, &kept[i], engine->cpus[i]->pace_empty);
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
	cpu->pace = number_of(pace, state, cpu->pace_empty);
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
	cpu->pace = number_of(cpu->engine->pace, &state, log2);
}

/* ---- Simulating ---- */

static const struct pipe_insn *known(const struct engine *engine, uint32_t word)
{
	struct known_insn *k = &engine->pace->insns[(word * UINT32_C(0x9e3779b9)) >> (32 - INSN_BITS)];

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
	struct pipe_state state;

	contents(pace, number, &state);
	pipe_open(pipe, pace->core, 1u << pace->states[number].threads, &state);
}

/* The block's first n instructions. */
static unsigned simulate(const struct engine *engine, const struct block *block, uint32_t from, unsigned n, uint32_t *to)
{
	struct pace *pace = engine->pace;
	struct pipe_state state;
	struct pipe pipe;
	unsigned units = 0;

	open_at(&pipe, pace, from);
	for (unsigned i = 0; i < n; i++)
		units += pipe_step(&pipe, known(engine, block->words[i]));
	pipe_close(&pipe, &state);
	*to = number_of(pace, &state, pace->states[from].threads);
	return units;
}

unsigned pace_rest(const struct cpu *cpu, const struct block *block, unsigned n, uint32_t *state)
{
	uint32_t end;
	unsigned whole = simulate(cpu->engine, block, cpu->pace_in, block->ninsns, &end);

	return whole - simulate(cpu->engine, block, cpu->pace_in, n, state);
}

unsigned pace_fit(struct cpu *cpu, const struct block *block, unsigned units)
{
	struct pipe pipe;
	unsigned n = 0;

	open_at(&pipe, cpu->engine->pace, cpu->pace);
	for (unsigned at = 0; n < block->ninsns && at < units; n++)
		at += pipe_step(&pipe, known(cpu->engine, block->words[n]));
	return n;
}

/* ---- The block's head ---- */

/* The states that a taken branch makes of this one. 0 is one of them only where nothing is under way. */
static void foresee(struct pace *pace, uint32_t number)
{
	const uint32_t units[BUBBLES] = { pace->core->taken, pace->core->redirect };
	unsigned threads = pace->states[number].threads;

	for (unsigned i = 0; i < BUBBLES && !pace->after[number].state[i]; i++) {
		struct pipe_state state;
		struct pipe pipe;

		open_at(&pipe, pace, number);
		pipe_wait(&pipe, units[i]);
		pipe_close(&pipe, &state);
		pace->after[number].state[i] = number_of(pace, &state, threads);
	}
}

const struct pace_after *pace_after(const struct engine *engine) { return engine->pace ? engine->pace->after : NULL; }

/* What the block's own memo is not about. */
static __attribute__((noinline)) memo find_memo(struct cpu *cpu, const struct op *op, memo *place)
{
	const struct block *block = block_of(op);
	struct engine *engine = cpu->engine;
	uint64_t key = (uint64_t)(uint32_t)op->imm << 32 | cpu->pace;
	struct seen *seen = &engine->pace->seen[key * UINT64_C(0x9e3779b97f4a7c15) >> (64 - SEEN_BITS)];

	if (seen->key != key || !op->imm) {
		uint32_t out, cost = simulate(engine, block, cpu->pace, block->ninsns, &out);

		foresee(engine->pace, out);
		*seen = (struct seen){ key, MEMO(cpu->pace, out, cost) };
	}
	return *place = seen->memo;
}

/* The block is left as it was before: the engine makes room, or runs part of it. */
static __attribute__((noinline)) int64_t back_out(struct cpu *cpu, const struct op *op, int64_t budget)
{
	cpu->nip = op_nip(cpu, op);
	cpu->cut = true;
	return budget + block_price(block_of(op));
}

OP_RAW(pace)
{
	memo *place = (memo *)(uintptr_t)(op + 1) + cpu->pace % MEMOS, memo = *place;
	int64_t left;

	if (unlikely(MEMO_IN(memo) != cpu->pace || !memo)) {
		if (unlikely(!has_room(cpu->engine->pace, STATE_ROOM))) {
			budget = back_out(cpu, op, budget);
			LEAVE;
		}
		memo = find_memo(cpu, op, place);
	}
	left = budget - (int64_t)MEMO_COST(memo) * BUDGET_UNIT;
	if (unlikely(left < 0) && cpu->sure != op) {
		budget = back_out(cpu, op, budget);
		LEAVE;
	}
	budget = left;
	cpu->pace_in = cpu->pace;
	cpu->pace = MEMO_OUT(memo);
	GOTO_OP(op + 1 + MEMO_OPS);
}

void pace_emit(struct decoder *d)
{
	decode_emit(d, (struct op){ .fn = op_pace });
	for (unsigned i = 0; i < MEMO_OPS; i++)
		decode_emit(d, (struct op){ .fn = NULL });
}

void pace_name(struct engine *engine, struct block *block)
{
	block->ops[block->head - 1 - MEMO_OPS].imm = (int32_t)++engine->pace->named;
}

const struct op *pace_op(const struct block *block) { return &block->ops[block->head - 1 - MEMO_OPS]; }

void pace_clear(struct block *block)
{
	block->ops[block->head - 1 - MEMO_OPS].imm = 0;
	memset(&block->ops[block->head - MEMO_OPS], 0, MEMO_OPS * sizeof block->ops[0]);
}

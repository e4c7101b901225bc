/* A step that is traced is the same step; what the trace says fits. */
#include "check.h"
#include "cpu/timing/pipeline.h"

static uint64_t seed = 88172645463325252u;

static uint32_t random_word(void)
{
	const struct row_facts *row;
	uint64_t x = seed;

	x ^= x << 13;
	x ^= x >> 7;
	x ^= x << 17;
	seed = x;
	row = &row_facts[x % NROWS];
	/* Few registers, so that there is what to wait for. */
	return row->match | ((uint32_t)(x >> 24) & ~row->mask & 0x00630c63);
}

static int row_of(uint32_t word)
{
	for (int i = 0; i < (int)NROWS; i++)
		if ((word & row_facts[i].mask) == row_facts[i].match)
			return i;
	return -1;
}

struct seen {
	unsigned costs, states, times, registers, pipes, windows, stores;
};

static void look(const struct pipe_trace *t, const struct pipe_insn *i, unsigned cost, struct seen *seen)
{
	uint32_t free = t->dispatch + UNITS_PER_CYCLE, end = t->start + i->latency * UNITS_PER_CYCLE;
	bool fits = t->start >= free && t->start >= t->sources && t->start >= t->pipes && t->retired > t->completion;

	/* Nothing else makes it wait. */
	fits = fits && (t->start == free || t->start == t->sources || t->start == t->pipes);
	fits = fits && t->completion == (t->stored > end ? t->stored : end) && (t->next == cost || cost == PIPE_MAX_COST);
	seen->times += !fits;
	seen->registers += t->start > free && t->start == t->sources && t->reg < NREGS;
	seen->pipes += t->start > free && t->start == t->pipes && t->port < MAX_PORTS;
	seen->windows += t->dispatch > 0;
	seen->stores += t->completion > end;
}

static void run(const char *name, unsigned threads, struct seen *seen)
{
	static const struct pipe_state empty;
	const struct core_model *m = core_model_find(name);
	struct pipe plain, traced;

	pipe_open(&plain, m, threads, &empty);
	pipe_open(&traced, m, threads, &empty);
	for (unsigned n = 0; n < 40000; n++) {
		uint32_t word = random_word();
		struct pipe_state a, b;
		struct pipe_insn i;
		struct pipe_trace t;
		unsigned cost;

		pipe_decode(m, row_of(word), word, &i);
		if (i.latency > 60)	/* what is farther than a state can say is cut off */
			continue;
		cost = pipe_step_traced(&traced, &i, &t);
		seen->costs += pipe_step(&plain, &i) != cost;
		pipe_close(&plain, &a);
		pipe_close(&traced, &b);
		seen->states += memcmp(&a, &b, sizeof a) != 0;
		look(&t, &i, cost, seen);
	}
}

int main(void)
{
	static const char *const models[] = { "power8", "power9", "power10" };

	for (unsigned k = 0; k < 3; k++) {
		for (unsigned threads = 1; threads <= 4; threads *= 4) {
			struct seen seen = { 0 };

			run(models[k], threads, &seen);
			check_eq(seen.costs, 0, "%s, %u threads: costs", models[k], threads);
			check_eq(seen.states, 0, "%s, %u threads: states", models[k], threads);
			check_eq(seen.times, 0, "%s, %u threads: what it waits for is all that it waits for", models[k], threads);
			check(seen.registers > 1000 && seen.pipes > 50 && seen.windows > 50 && seen.stores > 5, "%s, %u threads: all kinds of waits are there", models[k], threads);
		}
	}
	return check_done();
}

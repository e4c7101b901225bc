/* The pipeline model on words from outside, for those who compare it with others.
 *
 *   pipe_bench blocks MODEL TIMES      stdin: a block a line, instructions in hex (cpu/table/prefix.h); a line out for each: cycles for one of TIMES
 *                                      rounds, once it is steady
 *   pipe_bench trace MODEL [FROM]      stdin: a trace; cycles of the instructions after the first FROM
 *   pipe_bench memo MODEL [plain]      stdin: a trace; how often a block's memory of states would have met; the front end
 *                                      waits for taken and for mispredicted branches, unless it is plain
 *   pipe_bench known MODEL             stdin: a block a line; 1 for each that has no word LLVM has no figures for
 *
 * A trace is a row of blocks: address (8 bytes), number of words, the words (4 each), little-endian.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cpu/engine/decode.h"
#include "cpu/timing/pipeline.h"

enum {
	MAX_WORDS = 4096,
	WARM = 1000,		/* rounds of a block before it counts: a window that is made coarse fills slowly */
};

static int row_of(uint64_t word)
{
	const struct insn *insn = insn_lookup(word);

	return insn ? (int)(insn - insns) : -1;
}

/* llvm-mca leaves out what it does not know; so does all that is compared with it. */
static bool left_out(const struct core_model *m, uint64_t word)
{
	int row = row_of(word);

	return row < 0 || !cost_find(m, (unsigned)row, word)->llvm.latency;
}

static unsigned read_line(uint64_t *words)
{
	static char line[MAX_WORDS * 17 + 2];
	unsigned n = 0;
	char *p = line, *end;

	if (!fgets(line, sizeof line, stdin))
		return 0;
	for (; n < MAX_WORDS; n++, p = end) {
		words[n] = strtoull(p, &end, 16);
		if (end == p)
			break;
	}
	return n;
}

static unsigned read_block(uint64_t *address, uint32_t *words)
{
	uint32_t n;

	if (fread(address, sizeof *address, 1, stdin) != 1 || fread(&n, sizeof n, 1, stdin) != 1 || n > MAX_WORDS ||
	    fread(words, sizeof *words, n, stdin) != n)
		return 0;
	return n;
}

static void bench_blocks(const struct core_model *m, unsigned times)
{
	static const struct pipe_state empty;
	static struct pipe_insn insns_of[MAX_WORDS];
	static uint64_t words[MAX_WORDS];
	unsigned n;

	while ((n = read_line(words))) {
		struct pipe p;
		uint64_t units = 0;
		unsigned left = 0;

		for (unsigned i = 0; i < n; i++)
			if (!left_out(m, words[i]))
				pipe_decode(m, row_of(words[i]), words[i], &insns_of[left++]);
		pipe_open(&p, m, 1, &empty);
		for (unsigned k = 0; k < WARM + times; k++)
			for (unsigned i = 0; i < left; i++) {
				unsigned cost = pipe_step(&p, &insns_of[i]);

				units += k < WARM ? 0 : cost;
			}
		printf("%.3f\n", (double)units / UNITS_PER_CYCLE / times);
	}
}

static void bench_known(const struct core_model *m)
{
	static uint64_t words[MAX_WORDS];
	unsigned n;

	while ((n = read_line(words))) {
		bool known = true;

		for (unsigned i = 0; i < n; i++)
			known &= !left_out(m, words[i]);
		printf("%d\n", known);
	}
}

static void bench_trace(const struct core_model *m, uint64_t from)
{
	static const struct pipe_state empty;
	static uint32_t words[MAX_WORDS];
	uint64_t address, done = 0, units = 0, insns_done = 0;
	struct pipe p;
	unsigned n;

	pipe_open(&p, m, 1, &empty);
	while ((n = read_block(&address, words)))
		for (unsigned i = 0; i < n; i++, done++) {
			struct pipe_insn insn;
			unsigned cost;

			if (left_out(m, words[i]))
				continue;
			pipe_decode(m, row_of(words[i]), words[i], &insn);
			cost = pipe_step(&p, &insn);
			if (done >= from) {
				units += cost;
				insns_done++;
			}
		}
	printf("%" PRIu64 " instructions, %.0f cycles\n", insns_done, (double)units / UNITS_PER_CYCLE);
}

/* ---- What a memory of states at each block would meet ---- */

enum { BLOCKS = 1 << 18, PAIRS = 1 << 20, WAYS = 4 };

struct seen {
	uint64_t address;
	uint32_t n;
	uint64_t state[WAYS];	/* hashes, the latest first */
};

static uint64_t hash_state(const struct pipe_state *s)
{
	uint64_t h = 0xcbf29ce484222325;

	for (unsigned i = 0; i < pipe_state_words(s); i++)
		h = (h ^ s->word[i]) * 0x100000001b3, h ^= h >> 29;
	return h | 1;
}

static struct seen *find_block(struct seen *blocks, uint64_t address, uint32_t n)
{
	uint64_t h = (address * 64 + n) * UINT64_C(0x9e3779b97f4a7c15) >> 40;

	while (blocks[h % BLOCKS].address && (blocks[h % BLOCKS].address != address || blocks[h % BLOCKS].n != n))
		h++;
	return &blocks[h % BLOCKS];
}

static bool add_pair(uint64_t *pairs, uint64_t pair)
{
	uint64_t h = pair >> 20;

	while (pairs[h % PAIRS] && pairs[h % PAIRS] != pair)
		h++;
	if (pairs[h % PAIRS])
		return false;
	pairs[h % PAIRS] = pair;
	return true;
}

/* The wait behind a block: a predictor of two bits for each address says which branches go wrong. */
static void wait_for_branch(struct pipe *p, uint8_t *predictor, uint64_t end, uint64_t next)
{
	uint8_t *counter = &predictor[end * UINT64_C(0x9e3779b97f4a7c15) >> 50];
	bool taken = next != end, foreseen = (*counter >= 2) == taken;

	*counter = (uint8_t)(taken ? *counter + (*counter < 3) : *counter - (*counter > 0));
	if (!foreseen)
		pipe_wait(p, p->resolve + p->m->mispredict * UNITS_PER_CYCLE);
	else if (taken)
		pipe_wait(p, p->m->taken);
}

static void bench_memo(const struct core_model *m, bool plain)
{
	static uint8_t predictor[1 << 14];
	uint64_t end = 0;
	static const struct pipe_state empty;
	static uint32_t words[MAX_WORDS];
	struct seen *blocks = calloc(BLOCKS, sizeof *blocks);
	uint64_t *pairs = calloc(PAIRS, sizeof *pairs), entries = 0, nblocks = 0, npairs = 0, met[WAYS] = { 0 }, address, bytes = 0;
	struct pipe p;
	unsigned n;

	pipe_open(&p, m, 1, &empty);
	while ((n = read_block(&address, words))) {
		struct seen *b = find_block(blocks, address, n);
		struct pipe_state s;
		uint64_t h;
		unsigned way = 0;

		if (entries && !plain)
			wait_for_branch(&p, predictor, end, address);
		end = address + 4 * n;
		pipe_close(&p, &s);
		h = hash_state(&s);
		bytes += 4 * pipe_state_words(&s);
		entries++;
		nblocks += !b->address;
		b->address = address;
		b->n = n;
		while (way < WAYS && b->state[way] != h)
			way++;
		if (way < WAYS)
			met[way]++;
		memmove(&b->state[1], &b->state[0], (way < WAYS ? way : WAYS - 1) * sizeof b->state[0]);
		b->state[0] = h;
		npairs += add_pair(pairs, (h ^ address * 0x9e3779b97f4a7c15 ^ (uint64_t)n << 50) | 1);
		for (unsigned i = 0; i < n; i++) {
			struct pipe_insn insn;

			pipe_decode(m, row_of(words[i]), words[i], &insn);
			pipe_step(&p, &insn);
		}
	}
	printf("entries %" PRIu64 " blocks %" PRIu64 " pairs %" PRIu64 " bytes %.1f met1 %.4f met2 %.4f met4 %.4f\n", entries, nblocks,
	       npairs, (double)bytes / (double)entries, (double)met[0] / (double)entries, (double)(met[0] + met[1]) / (double)entries,
	       (double)(met[0] + met[1] + met[2] + met[3]) / (double)entries);
	free(blocks);
	free(pairs);
}

int main(int argc, char **argv)
{
	const struct core_model *m = argc > 2 ? core_model_find(argv[2]) : NULL;

	if (!m) {
		fprintf(stderr, "usage: pipe_bench blocks|known|trace|memo MODEL [TIMES | FROM]\n");
		return 2;
	}
	if (!strcmp(argv[1], "blocks"))
		bench_blocks(m, argc > 3 ? (unsigned)atoi(argv[3]) : 100);
	else if (!strcmp(argv[1], "known"))
		bench_known(m);
	else if (!strcmp(argv[1], "trace"))
		bench_trace(m, argc > 3 ? strtoull(argv[3], NULL, 10) : 0);
	else
		bench_memo(m, argc > 3);
	return 0;
}

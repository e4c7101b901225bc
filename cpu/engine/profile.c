/* Which ops a guest executes, alone and in a row, and which blocks.
 *
 * Part of the build with PROFILE=1 only: over the loop that handlers return to, and without fused ops,
 * which are what the counts are there to choose. A row of ops lies within one block. Names are
 * the handlers' own, so the program must be linked with -rdynamic.
 *
 * At the end of the program the counts go to the file that CEDE_PROFILE in the environment
 * names, for tools/dev/profile.py, which sorts and shows them:
 *
 *   total OPS LOST
 *   ops COUNT NAME...			one to four names
 *   block ENTERED GRA WORD:NAME...	the instructions, as the table calls them
 *   op COUNT NAME A B C D IMM		after its block, each of its ops; NAME is "edges" for a pair of edges
 *
 * and for tools/dev/fuse_pick.py, which chooses sequences of the latter.
 */
#define _GNU_SOURCE
#include "cpu/engine/profile.h"

#include <dlfcn.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "cpu/engine/decode.h"

#define LONGEST 4			/* ops in a row */
#define ROW_BITS 20
#define BLOCK_BITS 18
#define FULL(bits) ((1u << (bits)) / 4 * 3)
#define NEGLIGIBLE 20000		/* rows of less than one in so many ops are not written */

struct row {
	op_fn *fn[LONGEST];		/* the oldest first; NULL where it is shorter */
	uint64_t n;
};

struct seen_block {
	uint64_t gra, n;
	uint32_t mode, nwords, words[BLOCK_MAX_INSNS];
	unsigned nops;
	struct op *ops;			/* as decoded, with op_edges for edges */
	uint64_t *hits;			/* of each */
};

static struct row rows[1u << ROW_BITS];
static struct seen_block blocks[1u << BLOCK_BITS];
static unsigned nrows, nblocks;
static uint64_t total, lost;

static uint64_t mix_hash(uint64_t h, uint64_t x)
{
	return ((h ^ x) * UINT64_C(0x9e3779b97f4a7c15)) ^ (h >> 29);
}

static void count_row(op_fn *const fn[LONGEST])
{
	uint64_t h = 0;
	struct row *row;

	for (unsigned i = 0; i < LONGEST; i++)
		h = mix_hash(h, (uint64_t)fn[i]);
	h = h * UINT64_C(0x9e3779b97f4a7c15) >> (64 - ROW_BITS);
	while (row = &rows[h], row->n && memcmp(row->fn, fn, sizeof row->fn))
		h = (h + 1) % ARRAY_SIZE(rows);
	if (!row->n) {
		if (nrows == FULL(ROW_BITS)) {
			lost++;
			return;
		}
		nrows++;
		memcpy(row->fn, fn, sizeof row->fn);
	}
	row->n++;
}

static void remember_block(struct seen_block *seen, const struct block *b)
{
	seen->gra = b->gra;
	seen->mode = b->mode;
	seen->nwords = b->nwords;
	memcpy(seen->words, b->words, b->nwords * sizeof b->words[0]);
	seen->nops = b->nops;
	seen->ops = calloc(b->nops, sizeof seen->ops[0]);
	seen->hits = calloc(b->nops, sizeof seen->hits[0]);
	if (!seen->ops || !seen->hits) {
		fprintf(stderr, "cede: out of memory for the counts\n");
		exit(EXIT_FAILURE);
	}
	memcpy(seen->ops, b->ops, b->nops * sizeof seen->ops[0]);
	for (unsigned i = 0; i < b->nedges; i++)
		seen->ops[b->edge_at[i]] = (struct op){ .fn = op_edges };
}

/* NULL: there is no room for one more. */
static struct seen_block *count_block(const struct block *b)
{
	uint64_t h = mix_hash(b->gra, b->nwords) >> (64 - BLOCK_BITS);
	struct seen_block *seen;

	while (seen = &blocks[h], seen->n && (seen->gra != b->gra || seen->mode != b->mode ||
					      seen->nwords != b->nwords ||
					      memcmp(seen->words, b->words, b->nwords * sizeof b->words[0])))
		h = (h + 1) % ARRAY_SIZE(blocks);
	if (!seen->n) {
		if (nblocks == FULL(BLOCK_BITS)) {
			lost++;
			return NULL;
		}
		nblocks++;
		remember_block(seen, b);
	}
	seen->n++;
	return seen;
}

/* ---- What is written ---- */

static void write_name(FILE *f, op_fn *fn)
{
	Dl_info info;

	if (dladdr((void *)fn, &info) && info.dli_saddr == (void *)fn)
		fprintf(f, " %s", info.dli_sname + strlen("op_"));
	else
		fprintf(f, " %p", (void *)fn);
}

static void write_row(FILE *f, const struct row *row)
{
	fprintf(f, "ops %" PRIu64, row->n);
	for (unsigned i = 0; i < LONGEST && row->fn[i]; i++)
		write_name(f, row->fn[i]);
	fputc('\n', f);
}

static void write_block(FILE *f, const struct seen_block *b)
{
	fprintf(f, "block %" PRIu64 " %" PRIx64, b->n, b->gra);
	for (unsigned i = 0; i < b->nwords; i++) {
		uint64_t word = insn_at(b->words, b->nwords, i);
		const struct insn *insn = insn_lookup(word);

		fprintf(f, " %08" PRIx32 ":%s", b->words[i], insn ? insn->name : "illegal");
		if (is_prefixed(word))
			fprintf(f, " %08" PRIx32 ":suffix", b->words[++i]);
	}
	fputc('\n', f);
	for (unsigned i = 1; i < b->nops; i++) {
		const struct op *op = &b->ops[i];

		fprintf(f, "op %" PRIu64, b->hits[i]);
		write_name(f, op->fn);
		fprintf(f, " %u %u %u %u %" PRId32 "\n", op->a, op->b, op->c, op->d, op->imm);
	}
}

static void write_counts(void)
{
	const char *path = getenv("CEDE_PROFILE");
	FILE *f = path ? fopen(path, "w") : NULL;
	bool written;

	if (!f) {
		fprintf(stderr, "cede: CEDE_PROFILE names no file that can be written: no counts\n");
		return;
	}
	fprintf(f, "total %" PRIu64 " %" PRIu64 "\n", total, lost);
	for (unsigned i = 0; i < ARRAY_SIZE(rows); i++)
		if (rows[i].n && rows[i].n >= total / NEGLIGIBLE)
			write_row(f, &rows[i]);
	for (unsigned i = 0; i < ARRAY_SIZE(blocks); i++)
		if (blocks[i].n)
			write_block(f, &blocks[i]);
	written = !ferror(f);
	if (fclose(f) || !written)
		fprintf(stderr, "cede: %s: the counts could not be written\n", path);
}

/* ---- What is counted ---- */

void profile_op(const struct op *op)
{
	static op_fn *last[LONGEST];	/* the latest last; NULL before the block's first */
	static struct seen_block *seen;	/* the block whose start was the latest to run, */
	static const struct op *ops;	/* and its ops */

	if (!total++)
		atexit(write_counts);
	if (op[-1].fn == op_marker) {
		seen = count_block(block_of(op));
		ops = op - 1;
		memset(last, 0, sizeof last);
	}
	if (seen && op > ops && op < ops + seen->nops)
		seen->hits[op - ops]++;
	memmove(last, last + 1, sizeof last - sizeof last[0]);
	last[LONGEST - 1] = op->fn;
	for (unsigned from = LONGEST; from-- > 0 && last[from];) {
		op_fn *row[LONGEST] = { NULL };

		memcpy(row, last + from, (LONGEST - from) * sizeof last[0]);
		count_row(row);
	}
}

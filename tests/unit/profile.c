/* The counts of `make profile`: ops in a row end with the block, and blocks differ by their code. */
#include <stdarg.h>
#include <unistd.h>

#include "check.h"
#define CEDE_PROFILE
#include "cpu/engine/profile.c"

static uint32_t words[2][3] = { { 0x38630001, 0x7c632214, 0x4e800020 }, { 0x38630002, 0x7c632214, 0x4e800020 } };
static op_fn *const fns[] = { op_addi, op_add, op_addi, op_add, op_addi, op_leave };

/* Runs the first nops ops of a block of `fns` that lies at gra. */
static void run(uint64_t gra, uint32_t *code, unsigned nops)
{
	enum { EDGES = 1 + ARRAY_SIZE(fns) };
	struct block *b = calloc(1, sizeof *b + (EDGES + 1) * sizeof b->ops[0]);

	if (!b)
		abort();
	*b = (struct block){ .gra = gra, .words = code, .ninsns = 3, .nwords = 3, .nops = EDGES + 1,
			    .nedges = 1, .edge_at = { EDGES } };
	b->ops[0].fn = op_marker;
	for (unsigned i = 0; i < ARRAY_SIZE(fns); i++)
		b->ops[i + 1] = (struct op){ .fn = fns[i], .a = 1, .b = 2, .c = 3, .d = 4, .imm = -5 };
	b->ops[EDGES] = (struct op){ .fn = op_addi, .imm = 1 };		/* linked: not to be seen */
	for (unsigned i = 1; i <= nops; i++)
		profile_op(&b->ops[i]);
	free(b);
}

static uint64_t row_count(op_fn *a, op_fn *b, op_fn *c, op_fn *d)
{
	op_fn *const want[LONGEST] = { a, b, c, d };
	uint64_t n = 0;

	for (unsigned i = 0; i < ARRAY_SIZE(rows); i++)
		if (rows[i].n && !memcmp(rows[i].fn, want, sizeof want))
			n += rows[i].n;
	return n;
}

static uint64_t block_count(uint64_t gra, uint32_t word)
{
	uint64_t n = 0;

	for (unsigned i = 0; i < ARRAY_SIZE(blocks); i++)
		if (blocks[i].n && blocks[i].gra == gra && blocks[i].words[0] == word && blocks[i].nwords == 3)
			n += blocks[i].n;
	return n;
}

int main(void)
{
	char path[] = "/tmp/cede-profile-XXXXXX", line[256] = "";
	int fd = mkstemp(path);
	FILE *f;

	run(0x1000, words[0], 6);
	run(0x1000, words[0], 2);	/* left in its middle */
	run(0x1000, words[1], 6);	/* the same place, overwritten */
	run(0x2000, words[1], 6);
	check_eq(total, 20, "ops in all");
	check_eq(row_count(op_addi, NULL, NULL, NULL), 10, "op");
	check_eq(row_count(op_leave, NULL, NULL, NULL), 3, "last op");
	check_eq(row_count(op_addi, op_add, NULL, NULL), 7, "pair");
	check_eq(row_count(op_add, op_addi, NULL, NULL), 6, "pair the other way round");
	check_eq(row_count(op_leave, op_addi, NULL, NULL), 0, "pair across blocks");
	check_eq(row_count(op_addi, op_add, op_addi, NULL), 6, "triple");
	check_eq(row_count(op_addi, op_add, op_addi, op_add), 3, "quadruple");
	check_eq(row_count(op_add, op_addi, op_add, op_addi), 3, "quadruple, one on");
	check_eq(row_count(op_add, op_leave, op_addi, op_add), 0, "quadruple across blocks");
	check_eq(block_count(0x1000, words[0][0]), 2, "block");
	check_eq(block_count(0x1000, words[1][0]), 1, "block of other code at the same place");
	check_eq(block_count(0x2000, words[1][0]), 1, "block of the same code elsewhere");
	check_eq(lost, 0, "lost");

	check(fd >= 0 && !setenv("CEDE_PROFILE", path, true), "file for the counts");
	write_counts();
	f = fdopen(fd, "r");
	check(f && fgets(line, sizeof line, f) && !strcmp(line, "total 20 0\n"), "first line of the file");
	/* As linked here, handlers may have addresses for names. */
	char edges[64] = "";
	FILE *text = fmemopen(edges, sizeof edges, "w");
	if (text) {
		fprintf(text, "op 0");
		write_name(text, op_edges);
		fprintf(text, " 0 0 0 0 0\n");
		fclose(text);
	}
	unsigned nops = 0, nblocks_written = 0, nhits = 0, nedges = 0;
	bool after = false;
	while (f && fgets(line, sizeof line, f)) {
		nops += !strncmp(line, "ops ", 4);
		if (!strncmp(line, "block ", 6))
			after = !strcmp(line, "block 2 1000 38630001:addi 7c632214:add 4e800020:bclr\n");
		nblocks_written += !strncmp(line, "block ", 6) && after;
		const char *name = strchr(line, ' ') + 3, *operands = strchr(name, ' ');
		nhits += after && !strncmp(line, nhits < 2 ? "op 2 " : "op 1 ", 5) && operands &&
			 !strcmp(operands, " 1 2 3 4 -5\n");
		nedges += !strcmp(line, edges);
	}
	check_eq(nops, 12, "rows in the file");
	check_eq(nblocks_written, 1, "a block in the file");
	check_eq(nhits, 6, "its ops, in order, with the runs of each");
	check_eq(nedges, 3, "edges in the file, one pair a block");
	if (f)
		fclose(f);
	return unlink(path) ? EXIT_FAILURE : check_done();
}

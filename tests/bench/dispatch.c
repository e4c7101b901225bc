/* What the way from one handler to the next costs, by how many there are until they repeat: the least
 * that an interpreter like ours can pay for each op that it runs. Ops as cpu/engine/dispatch.h has them, each of
 * 128 handlers an addition, drawn at random.
 *
 *   make bench-dispatch		(clang 19) */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#define HANDLERS 128
#define OPS_RUN  INT64_C(200000000)
#define ALIGN    64

struct op;
#define PARAMS uint64_t *r, const struct op *op, int64_t rounds, void *tlb
#define ABI __attribute__((preserve_none))
typedef void op_fn(PARAMS) ABI;

struct op {
	op_fn *fn;
	uint8_t a, b, c, d;
	int32_t imm;
};

#define GOTO_OP(next) \
	do { \
		const struct op *to_ = (next); \
		__attribute__((musttail)) return to_->fn(r, to_, rounds, tlb); \
	} while (0)

#define ADD(n) \
	static ABI void add_##n(PARAMS) \
	{ \
		r[op->a] = r[op->b] + r[op->c] + 0##n; \
		GOTO_OP(op + 1); \
	}
#define EIGHT(X, n) X(n##0) X(n##1) X(n##2) X(n##3) X(n##4) X(n##5) X(n##6) X(n##7)
#define ALL(X) \
	EIGHT(X, 0) EIGHT(X, 1) EIGHT(X, 2) EIGHT(X, 3) EIGHT(X, 4) EIGHT(X, 5) EIGHT(X, 6) EIGHT(X, 7) \
	EIGHT(X, 10) EIGHT(X, 11) EIGHT(X, 12) EIGHT(X, 13) EIGHT(X, 14) EIGHT(X, 15) EIGHT(X, 16) EIGHT(X, 17)
ALL(ADD)

/* imm ops back, until all rounds are done. */
static ABI void again(PARAMS)
{
	if (--rounds < 0)
		return;
	GOTO_OP(op - op->imm);
}

#define NAME(n) add_##n,
static op_fn *const handlers[HANDLERS] = { ALL(NAME) };

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

int main(void)
{
	static uint64_t r[32];

	for (int32_t n = 16; n <= 1 << 18; n *= 4) {
		size_t bytes = ((size_t)n + 1) * sizeof(struct op);
		struct op *ops = aligned_alloc(ALIGN, (bytes + ALIGN - 1) / ALIGN * ALIGN);
		double start;

		if (!ops)
			return EXIT_FAILURE;
		for (int32_t i = 0; i < n; i++)
			ops[i] = (struct op){ handlers[rand() % HANDLERS], (uint8_t)(rand() % 32), (uint8_t)(rand() % 32),
					      (uint8_t)(rand() % 32), 0, 0 };
		ops[n] = (struct op){ .fn = again, .imm = n };
		ops->fn(r, ops, OPS_RUN / 10 / n, NULL);		/* warm */
		start = now();
		ops->fn(r, ops, OPS_RUN / n, NULL);
		printf("%7d ops until they repeat: %.2f ns each\n", (int)n, 1e9 * (now() - start) / (double)OPS_RUN);
		free(ops);
	}
	return EXIT_SUCCESS;
}

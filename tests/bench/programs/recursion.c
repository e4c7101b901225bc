/* Calls and returns: Fibonacci numbers, Ackermann's function and the queens on a board, all recursive. */
#include "bench.h"

/* Out of line, and no clone of itself: the calls are the work. */
#define PLAIN	__attribute__((noinline, noclone, optimize("no-optimize-sibling-calls")))

static PLAIN uint64_t fibonacci(uint32_t n)
{
	return n < 2 ? n : fibonacci(n - 1) + fibonacci(n - 2);
}

static PLAIN uint64_t ackermann(uint64_t m, uint64_t n)
{
	if (!m)
		return n + 1;
	return ackermann(m - 1, n ? ackermann(m, n - 1) : 1);
}

/* Ways to fill the rows that are left; a bit is a column, or a diagonal's column in this row. */
static PLAIN uint64_t queens(uint32_t all, uint32_t columns, uint32_t left, uint32_t right)
{
	uint64_t ways = 0;

	if (columns == all)
		return 1;
	for (uint32_t open = all & ~(columns | left | right); open; open &= open - 1) {
		uint32_t here = open & -open;
		ways += queens(all, columns | here, (left | here) << 1, (right | here) >> 1);
	}
	return ways;
}

int main(int argc, char **argv)
{
	uint64_t sum = 0;

	for (uint64_t work = bench_work(argc, argv, 85); work; work--) {
		sum = bench_add(sum, fibonacci(26));
		sum = bench_add(sum, ackermann(3, 6));
		sum = bench_add(sum, queens((1 << 9) - 1, 0, 0, 0));
	}
	return bench_done("recursion", sum);
}

/* Atomic operations without a rival: counters, compare and swap, and a spin lock with its barriers. */
#include "bench.h"

static uint32_t lock, counter;
static uint64_t total, top;

static void locked_add(uint64_t value)
{
	while (__atomic_exchange_n(&lock, 1, __ATOMIC_ACQUIRE))
		;
	total += value;
	__atomic_store_n(&lock, 0, __ATOMIC_RELEASE);
}

static void raise_top(uint64_t value)
{
	uint64_t seen = __atomic_load_n(&top, __ATOMIC_RELAXED);

	while (seen < value && !__atomic_compare_exchange_n(&top, &seen, value, 0, __ATOMIC_SEQ_CST, __ATOMIC_RELAXED))
		;
}

int main(int argc, char **argv)
{
	uint64_t sum = 0, seed = 31;

	for (uint64_t work = bench_work(argc, argv, 12000000); work; work--) {
		const uint64_t r = bench_random(&seed);
		locked_add(r & 0xffff);
		sum += __atomic_fetch_add(&counter, 1, __ATOMIC_SEQ_CST);
		raise_top(r >> 20 | total);
	}
	return bench_done("lock", bench_add(bench_add(sum, total), top));
}

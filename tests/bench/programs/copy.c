/* memcpy(), memmove() and memset() of the C library: small and unaligned, pages, and a megabyte. */
#include "bench.h"

#define MEGABYTE	(1 << 20)
#define PAGE		4096

static uint8_t from[MEGABYTE + 256], to[MEGABYTE + 256];

static void small(uint64_t *seed)
{
	for (uint32_t i = 0; i < 8000; i++) {
		const uint64_t r = bench_random(seed);
		const size_t size = 16 + (r >> 32) % 241, source = r % MEGABYTE, target = (r >> 12) % MEGABYTE;
		if (i % 4)
			memcpy(to + target, from + source, size);
		else
			memset(from + target, r, size);
	}
}

static void pages(void)
{
	for (uint32_t at = 0; at < MEGABYTE; at += PAGE) {
		if (at / PAGE % 8)
			memcpy(to + at, from + at, PAGE);
		else
			memset(to + at, at / PAGE, PAGE);
		bench_touch(to);
	}
}

static void large(void)
{
	memcpy(to + 3, from, MEGABYTE);
	memmove(to, to + 100, MEGABYTE);
	memset(from + PAGE, to[5], MEGABYTE / 4);
	bench_touch(from);
}

int main(int argc, char **argv)
{
	uint64_t sum = 0, seed = 13;

	for (uint32_t i = 0; i < sizeof(from); i++)
		from[i] = bench_random(&seed);
	for (uint64_t work = bench_work(argc, argv, 70); work; work--) {
		small(&seed);
		pages();
		large();
		for (uint32_t i = work % 64; i < sizeof(to); i += 1009)
			sum = bench_add(sum, to[i]);
	}
	return bench_done("copy", sum);
}

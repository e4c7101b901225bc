/* Sieve of Eratosthenes over odd numbers: byte stores at a stride, then a scan. */
#include "bench.h"

#define LIMIT	500000

static uint8_t composite[LIMIT / 2];	/* [i] stands for 2 * i + 1 */

static uint64_t sieve(uint64_t sum)
{
	memset(composite, 0, sizeof(composite));
	for (uint32_t p = 3; p * p < LIMIT; p += 2) {
		if (composite[p / 2])
			continue;
		for (uint32_t n = p * p / 2; n < LIMIT / 2; n += p)
			composite[n] = 1;
	}

	uint32_t primes = 1;
	for (uint32_t i = 1; i < LIMIT / 2; i++)
		if (!composite[i])
			primes++;
	return bench_add(sum, primes);
}

int main(int argc, char **argv)
{
	uint64_t sum = 0;

	for (uint64_t work = bench_work(argc, argv, 280); work; work--)
		sum = sieve(sum);
	return bench_done("sieve", sum);
}

/* Division: greatest common divisors of 64 and of 32 bits, decimal digits, and powers modulo a number. */
#include "bench.h"

static uint64_t gcd64(uint64_t a, uint64_t b)
{
	while (b) {
		uint64_t rest = a % b;
		a = b;
		b = rest;
	}
	return a;
}

static int32_t gcd32(int32_t a, int32_t b)
{
	while (b) {
		int32_t rest = a % b;
		a = b;
		b = rest;
	}
	return a;
}

static uint64_t digits(uint64_t value, volatile uint64_t *base)
{
	uint64_t sum = 0;

	for (; value; value /= *base)
		sum = sum * 3 + value % *base;
	return sum;
}

static uint64_t power(uint64_t x, uint32_t exponent, uint32_t modulus)
{
	uint64_t result = 1;

	for (x %= modulus; exponent; exponent >>= 1) {
		if (exponent & 1)
			result = result * x % modulus;
		x = x * x % modulus;
	}
	return result;
}

int main(int argc, char **argv)
{
	uint64_t sum = 0, seed = 23, base = 10;

	for (uint64_t work = bench_work(argc, argv, 850000); work; work--) {
		const uint64_t a = bench_random(&seed), b = bench_random(&seed);
		sum = bench_add(sum, gcd64(a, b));
		sum = bench_add(sum, gcd32(a, b >> 32));
		sum = bench_add(sum, digits(a, &base));
		sum = bench_add(sum, power(a, b, 4294967291u));
	}
	return bench_done("divide", sum);
}

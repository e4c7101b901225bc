/* Big integers: schoolbook multiplication, 64 x 64 to 128 bits with carries. */
#include "bench.h"

#define LIMBS	64

typedef unsigned __int128 u128;

static void multiply(uint64_t *product, const uint64_t *a, const uint64_t *b)
{
	memset(product, 0, 2 * LIMBS * sizeof(product[0]));
	for (uint32_t i = 0; i < LIMBS; i++) {
		uint64_t carry = 0;
		for (uint32_t j = 0; j < LIMBS; j++) {
			u128 t = (u128)a[i] * b[j] + product[i + j] + carry;
			product[i + j] = t;
			carry = t >> 64;
		}
		product[i + LIMBS] = carry;
	}
}

int main(int argc, char **argv)
{
	uint64_t a[LIMBS], b[LIMBS], product[2 * LIMBS], sum = 0, seed = 3;

	for (uint32_t i = 0; i < LIMBS; i++) {
		a[i] = bench_random(&seed);
		b[i] = bench_random(&seed);
	}
	for (uint64_t work = bench_work(argc, argv, 32000); work; work--) {
		multiply(product, a, b);
		for (uint32_t i = 0; i < LIMBS; i++) {
			a[i] += product[i + LIMBS / 2];
			b[i] ^= product[i + LIMBS];
		}
	}
	for (uint32_t i = 0; i < 2 * LIMBS; i++)
		sum = bench_add(sum, product[i]);
	return bench_done("bigmul", sum);
}

/* Long vectors of doubles, two numbers at a time: a * x + y, dot products, quotients and roots. */
#include <altivec.h>
#undef bool
#include "bench.h"

#define PAIRS	1024

typedef vector double f2;

static f2 x[PAIRS], y[PAIRS], z[PAIRS];

static void axpy(double a)
{
	const f2 factor = { a, a };

	for (int i = 0; i < PAIRS; i++)
		y[i] = factor * x[i] + y[i];
}

static double dot(void)
{
	f2 even = { 0, 0 }, odd = { 0, 0 };

	for (int i = 0; i < PAIRS; i += 2) {
		even += x[i] * y[i];
		odd += x[i + 1] * y[i + 1];
	}
	even += odd;
	return even[0] + even[1];
}

/* Back into a range that no round leaves. */
static void normalize(double length)
{
	const f2 one = { 1, 1 }, scale = { length, length };

	for (int i = 0; i < PAIRS; i++) {
		z[i] = vec_sqrt(y[i] * y[i] + one);
		y[i] = vec_max(y[i] / z[i], x[i] - scale);
	}
}

int main(int argc, char **argv)
{
	uint64_t sum = 0, seed = 53;

	for (int i = 0; i < PAIRS; i++)
		for (int j = 0; j < 2; j++) {
			x[i][j] = (double)(bench_random(&seed) % 10000) / 7000;
			y[i][j] = (double)(bench_random(&seed) % 10000) / 9000 - 0.5;
		}
	for (uint64_t work = bench_work(argc, argv, 1200); work; work--) {
		for (int round = 0; round < 4; round++)
			axpy(0.1 * round - 0.2);
		const double product = dot();
		sum = bench_add_double(sum, product);
		normalize(product);
	}
	return bench_done("daxpy", bench_add_double(sum, z[99][1]));
}

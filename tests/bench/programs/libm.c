/* The C library's functions of doubles and floats. */
#include <math.h>
#include "bench.h"

int main(int argc, char **argv)
{
	uint64_t sum = 0, seed = 41;

	for (uint64_t work = bench_work(argc, argv, 80000); work; work--) {
		const double x = (double)(bench_random(&seed) >> 12) / (1ull << 46);	/* 0 to 64 */
		sum = bench_add_double(sum, sin(x) + cos(x) * tan(x / 100));
		sum = bench_add_double(sum, exp(x / 8 - 4) + log(x + 1) + log2(x + 2));
		sum = bench_add_double(sum, pow(x, 1.5) + cbrt(x) + hypot(x, 3));
		sum = bench_add_double(sum, atan2(x, 7) + sinh(x / 16) + fmod(x, 0.7));
		sum = bench_add_double(sum, sinf(x) + expf(x / 8) + powf(x, 0.3f) + floorf(x));
	}
	return bench_done("libm", sum);
}

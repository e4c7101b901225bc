/* The Mandelbrot set in double precision: short loops whose end depends on a comparison. */
#include "bench.h"

#define WIDTH	64
#define HEIGHT	48
#define DEPTH	200

static uint32_t escape(double cr, double ci)
{
	double r = 0, i = 0, r2 = 0, i2 = 0;
	uint32_t n;

	for (n = 0; n < DEPTH && r2 + i2 <= 4; n++) {
		i = 2 * r * i + ci;
		r = r2 - i2 + cr;
		r2 = r * r;
		i2 = i * i;
	}
	return n;
}

int main(int argc, char **argv)
{
	uint64_t sum = 0;

	for (uint64_t work = bench_work(argc, argv, 36); work; work--)
		for (int y = 0; y < HEIGHT; y++)
			for (int x = 0; x < WIDTH; x++)
				sum = bench_add(sum, escape(3.0 * x / WIDTH - 2.2, 2.4 * y / HEIGHT - 1.2 + 0.001 * work));
	return bench_done("mandelbrot", sum);
}

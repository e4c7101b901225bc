/* The fast Fourier transform of doubles, there and back: butterflies at growing strides. */
#include <math.h>
#include "bench.h"

#define BITS	11
#define N	(1 << BITS)

struct complex {
	double r, i;
};

static struct complex data[N], turn[N / 2];

static void make_turns(void)
{
	for (int k = 0; k < N / 2; k++)
		turn[k] = (struct complex){ cos(2 * M_PI * k / N), -sin(2 * M_PI * k / N) };
}

static void reorder(void)
{
	for (uint32_t i = 0, j = 0; i < N; i++) {
		if (i < j) {
			struct complex swap = data[i];
			data[i] = data[j];
			data[j] = swap;
		}
		uint32_t bit = N >> 1;
		for (; j & bit; bit >>= 1)
			j ^= bit;
		j |= bit;
	}
}

/* sign 1 is the transform, -1 its inverse but for the factor N. */
static void transform(double sign)
{
	reorder();
	for (int half = 1; half < N; half *= 2)
		for (int start = 0; start < N; start += 2 * half)
			for (int k = 0; k < half; k++) {
				struct complex *a = &data[start + k], *b = a + half;
				const struct complex t = turn[k * (N / 2 / half)];
				const double r = b->r * t.r - b->i * t.i * sign, i = b->r * t.i * sign + b->i * t.r;
				*b = (struct complex){ a->r - r, a->i - i };
				*a = (struct complex){ a->r + r, a->i + i };
			}
}

int main(int argc, char **argv)
{
	uint64_t sum = 0, seed = 47;

	make_turns();
	for (int i = 0; i < N; i++)
		data[i].r = (double)(bench_random(&seed) % 2000) / 1000 - 1;
	for (uint64_t work = bench_work(argc, argv, 130); work; work--) {
		transform(1);
		sum = bench_add_double(sum, data[work % N].r);
		transform(-1);
		for (int i = 0; i < N; i++) {
			data[i].r /= N;
			data[i].i /= N;
		}
	}
	return bench_done("fft", bench_add_double(sum, data[1].r));
}

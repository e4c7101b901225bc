/* Matrices of floats, four numbers at a time. */
#include "bench.h"

#define N	96

typedef float f4 __attribute__((vector_size(16)));

union matrix {
	f4    v[N][N / 4];
	float f[N][N];
};

static union matrix a, b, c;

static void multiply(void)
{
	for (int i = 0; i < N; i++)
		for (int j = 0; j < N / 4; j += 4) {
			f4 s0 = { 0 }, s1 = { 0 }, s2 = { 0 }, s3 = { 0 };
			for (int k = 0; k < N; k++) {
				const float one = a.f[i][k];
				const f4 row = { one, one, one, one };
				s0 += row * b.v[k][j];
				s1 += row * b.v[k][j + 1];
				s2 += row * b.v[k][j + 2];
				s3 += row * b.v[k][j + 3];
			}
			c.v[i][j] = s0;
			c.v[i][j + 1] = s1;
			c.v[i][j + 2] = s2;
			c.v[i][j + 3] = s3;
		}
}

/* The product, scaled down, is the next factor. */
static void take_over(void)
{
	const f4 scale = { 1.0f / N, 2.0f / N, 0.5f / N, 1.5f / N };

	for (int i = 0; i < N; i++)
		for (int j = 0; j < N / 4; j++)
			a.v[i][j] = c.v[i][j] * scale + 0.25f;
}

int main(int argc, char **argv)
{
	uint64_t sum = 0, seed = 43;

	for (int i = 0; i < N; i++)
		for (int j = 0; j < N; j++) {
			a.f[i][j] = (float)(bench_random(&seed) % 1000) / 500;
			b.f[i][j] = (float)(bench_random(&seed) % 1000) / 500;
		}
	for (uint64_t work = bench_work(argc, argv, 40); work; work--) {
		multiply();
		take_over();
	}
	for (int i = 0; i < N; i++)
		sum = bench_add_double(sum, c.f[i][i * 7 % N]);
	return bench_done("matmul", sum);
}

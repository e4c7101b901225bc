/* The largest singular value of an infinite matrix, by powers: divisions, and integers made doubles. */
#include <math.h>
#include "bench.h"

#define N	100

static double entry(int i, int j)
{
	return 1.0 / ((i + j) * (i + j + 1) / 2 + i + 1);
}

static void times(const double *in, double *out, int transposed)
{
	for (int i = 0; i < N; i++) {
		double sum = 0;
		for (int j = 0; j < N; j++)
			sum += (transposed ? entry(j, i) : entry(i, j)) * in[j];
		out[i] = sum;
	}
}

static void step(const double *in, double *out)
{
	double half[N];

	times(in, half, 0);
	times(half, out, 1);
}

int main(int argc, char **argv)
{
	double u[N], v[N] = { 0 }, uv = 0, vv = 0;

	for (int i = 0; i < N; i++)
		u[i] = 1;
	for (uint64_t work = bench_work(argc, argv, 450); work; work--) {
		step(u, v);
		for (int i = 0; i < N; i++)
			u[i] = v[i] / v[0];
	}
	step(u, v);
	for (int i = 0; i < N; i++) {
		uv += u[i] * v[i];
		vv += u[i] * u[i];
	}
	return bench_done("spectral", bench_add_double(0, sqrt(uv / vv)));
}

/* Bodies that attract each other, in double precision: multiply, add, divide and take roots. */
#include <math.h>
#include "bench.h"

#define BODIES	5

struct body {
	double x[3], v[3], mass;
};

static double energy(const struct body *bodies)
{
	double e = 0;

	for (int i = 0; i < BODIES; i++) {
		const struct body *a = &bodies[i];
		e += a->mass * (a->v[0] * a->v[0] + a->v[1] * a->v[1] + a->v[2] * a->v[2]) / 2;
		for (int j = i + 1; j < BODIES; j++) {
			double d2 = 0;
			for (int k = 0; k < 3; k++)
				d2 += (a->x[k] - bodies[j].x[k]) * (a->x[k] - bodies[j].x[k]);
			e -= a->mass * bodies[j].mass / sqrt(d2);
		}
	}
	return e;
}

static void advance(struct body *bodies, double dt)
{
	for (int i = 0; i < BODIES; i++)
		for (int j = i + 1; j < BODIES; j++) {
			struct body *a = &bodies[i], *b = &bodies[j];
			double d[3], d2 = 0;
			for (int k = 0; k < 3; k++) {
				d[k] = a->x[k] - b->x[k];
				d2 += d[k] * d[k];
			}
			const double pull = dt / (d2 * sqrt(d2));
			for (int k = 0; k < 3; k++) {
				a->v[k] -= d[k] * b->mass * pull;
				b->v[k] += d[k] * a->mass * pull;
			}
		}
	for (int i = 0; i < BODIES; i++)
		for (int k = 0; k < 3; k++)
			bodies[i].x[k] += dt * bodies[i].v[k];
}

int main(int argc, char **argv)
{
	struct body bodies[BODIES];

	/* A heavy one in the middle, the others on near circles. */
	for (int i = 0; i < BODIES; i++)
		bodies[i] = (struct body){ { 2.0 * i, i % 2, 0.1 * i }, { 0, i ? 6 / sqrt(2.0 * i) : 0, 0.01 },
					   i ? 0.001 * i : 36 };
	for (uint64_t work = bench_work(argc, argv, 150000); work; work--)
		advance(bodies, 0.001);
	return bench_done("nbody", bench_add_double(bench_add_double(0, energy(bodies)), bodies[1].x[0]));
}

/* Calls through pointers whose target changes from call to call, as objects with methods make them. */
#include "bench.h"

struct shape {
	const struct methods *methods;
	uint32_t              a, b;
};

struct methods {
	uint64_t (*area)(const struct shape *shape);
	void     (*grow)(struct shape *shape, uint32_t by);
};

static uint64_t square_area(const struct shape *s)   { return (uint64_t)s->a * s->a; }
static uint64_t oblong_area(const struct shape *s)   { return (uint64_t)s->a * s->b; }
static uint64_t triangle_area(const struct shape *s) { return (uint64_t)s->a * s->b / 2; }
static uint64_t ring_area(const struct shape *s)     { return 3 * ((uint64_t)s->a * s->a - (uint64_t)s->b * s->b); }

static void grow_one(struct shape *s, uint32_t by)
{
	s->a += by;
}

static void grow_both(struct shape *s, uint32_t by)
{
	s->a += by;
	s->b ^= by;
}

static const struct methods kinds[] = {
	{ square_area, grow_one },
	{ oblong_area, grow_both },
	{ triangle_area, grow_both },
	{ ring_area, grow_one },
};

int main(int argc, char **argv)
{
	static struct shape shapes[1000];
	uint64_t sum = 0, seed = 37;

	for (uint32_t i = 0; i < ARRAY_SIZE(shapes); i++)
		shapes[i] = (struct shape){ &kinds[bench_random(&seed) % ARRAY_SIZE(kinds)], i, 1000 - i };
	for (uint64_t work = bench_work(argc, argv, 15000); work; work--)
		for (uint32_t i = 0; i < ARRAY_SIZE(shapes); i++) {
			struct shape *s = &shapes[i];
			sum += s->methods->area(s) ^ work;
			s->methods->grow(s, sum & 3);
		}
	return bench_done("indirect", sum);
}

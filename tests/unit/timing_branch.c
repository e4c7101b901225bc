/* Branch prediction under the timing models: what each is known to guess and to miss.
 *
 * usage: timing_branch [bench]	with `bench`: what a call costs the host, nothing is checked */
#include "memory_models.h"

struct core {
	const struct branch_params *p;
	struct branch_unit unit;
	struct branch_thread thread;
};

static struct core *core_new(const struct memory_model *m)
{
	struct core *c = calloc(1, sizeof *c);

	if (!c)
		abort();
	c->p = &m->branch;
	return c;
}

/* Misses of 100 branches at one address that go as `pattern`, `period` bits long, says; learnt for 200 periods. With a
 * second branch behind it that goes back, as loops have it. */
static unsigned pattern_misses(const struct memory_model *m, uint64_t pattern, unsigned period)
{
	struct core *c = core_new(m);
	unsigned misses = 0;

	for (unsigned i = 0; i < 200 * period + 100; i++) {
		bool late = i >= 200 * period;

		misses += branch_conditional(c->p, &c->unit, &c->thread, 0x10000100, pattern >> i % period & 1) && late;
		misses += branch_conditional(c->p, &c->unit, &c->thread, 0x10000120, true) && late;
	}
	free(c);
	return misses;
}

static unsigned random_misses(const struct memory_model *m, unsigned taken_of_16)
{
	struct core *c = core_new(m);
	uint64_t random = 1;
	unsigned misses = 0;

	for (unsigned i = 0; i < 10000; i++)
		misses += branch_conditional(c->p, &c->unit, &c->thread, 0x10000100, check_random(&random) % 16 < taken_of_16);
	free(c);
	return misses;
}

/* Branches that always go one way, each its own, at many addresses. */
static unsigned biased_misses(const struct memory_model *m, unsigned sites)
{
	struct core *c = core_new(m);
	unsigned misses = 0;

	for (unsigned round = 0; round < 20; round++)
		for (unsigned i = 0; i < sites; i++)
			misses += branch_conditional(c->p, &c->unit, &c->thread, 0x10000000 + 20 * i, i * 7 % 3 != 0) && round >= 10;
	free(c);
	return misses;
}

static void test_directions(void)
{
	const struct memory_model *m;

	EACH(m) {
		unsigned random = random_misses(m, 8), skewed = random_misses(m, 15);

		check(random > 4500 && random < 5500, "%s: random directions miss half: %u of 10000", m->name, random);
		check(skewed < 1100, "%s: 15 of 16 taken miss little more than the 16th: %u of 10000", m->name, skewed);
		check_eq(pattern_misses(m, 1, 1), 0, "%s: always", m->name);
		check_eq(pattern_misses(m, 0, 1), 0, "%s: never", m->name);
		check_eq(pattern_misses(m, 1, 2), 0, "%s: every other time", m->name);
		check_eq(pattern_misses(m, 0x7, 4), 0, "%s: a loop of 4", m->name);
		check_eq(pattern_misses(m, 0x7f, 8), 0, "%s: a loop of 8", m->name);
		check_eq(pattern_misses(m, 0x2d3, 10), 0, "%s: a pattern of 10", m->name);
		check_eq(biased_misses(m, 1000), 0, "%s: 1000 branches, each of its own way", m->name);
	}
	/* A loop of 30 is longer than POWER8's history of 21, which holds two branches of each round. */
	check(pattern_misses(memory_model_find("power8"), (1 << 29) - 1, 30) >= 3, "power8: a loop of 30 is not learnt");
	check_eq(pattern_misses(memory_model_find("power9"), (1 << 29) - 1, 30), 0, "power9: a loop of 30 is, by the long history");
	check(pattern_misses(memory_model_find("power9"), (UINT64_C(1) << 39) - 1, 40) >= 2, "power9: a loop of 40 is longer than that");
}

/* Misses of the second of two rounds through bctr at `sites` places, `apart` bytes from each other. */
static unsigned ring_misses(const struct memory_model *m, unsigned sites, unsigned apart)
{
	struct core *c = core_new(m);
	unsigned misses = 0;

	for (unsigned round = 0; round < 2; round++)
		for (unsigned i = 0; i < sites; i++)
			misses += branch_indirect(c->p, &c->unit, 0x10000000 + apart * i, 0x10000000 + apart * ((i + 1) % sites)) && round;
	free(c);
	return misses;
}

static void test_targets(void)
{
	const struct memory_model *p9 = memory_model_find("power9");
	struct core *c = core_new(p9);
	uint64_t random = 2;
	unsigned misses = 0;

	check_eq(ring_misses(p9, 256, 32), 0, "power9: bctr at 256 sites hits");
	check_eq(ring_misses(p9, 320, 32), 128, "power9: at 320, those that share a place miss");
	check_eq(ring_misses(p9, 512, 32), 512, "power9: at 512, all miss");
	check_eq(ring_misses(p9, 2, 16), 2, "power9: two in one 32 bytes take it from each other");
	check_eq(ring_misses(p9, 2, 32), 0, "power9: two in neighbouring 32 bytes do not");
	check_eq(ring_misses(memory_model_find("power8"), 256, 32), 0, "power8: bctr at 256 sites hits");
	check_eq(ring_misses(memory_model_find("power10"), 512, 32), 0, "power10: bctr at 512 sites hits");
	for (unsigned i = 0; i < 10000; i++)
		misses += branch_indirect(c->p, &c->unit, 0x10000000, 0x10001000 + check_random(&random) % 4 * 64);
	check(misses > 7200 && misses < 7800, "power9: four random targets miss three in four: %u of 10000", misses);
	free(c);
}

/* Misses on the way back from `depth` calls, each from its own place. */
static unsigned nested_misses(const struct memory_model *m, unsigned depth, unsigned threads)
{
	struct core *c = core_new(m);
	unsigned misses = 0;

	branch_set_threads(&c->thread, threads);
	for (unsigned i = 0; i < depth; i++)
		branch_call(c->p, &c->thread, 0x10000004 + 8 * i);
	for (unsigned i = depth; i--; )
		misses += branch_return(c->p, &c->thread, 0x10000004 + 8 * i);
	free(c);
	return misses;
}

static void test_links(void)
{
	static const struct { const char *name; unsigned threads, depth; } rows[] = {
		{ "power8", 1, 32 }, { "power8", 2, 32 }, { "power8", 4, 16 }, { "power8", 8, 8 },
		{ "power9", 1, 64 }, { "power9", 2, 32 }, { "power9", 4, 16 }, { "power10", 1, 64 },
	};
	struct core *c = core_new(memory_model_find("power9"));
	unsigned misses = 0;

	for (unsigned i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		const struct memory_model *m = memory_model_find(rows[i].name);

		check_eq(nested_misses(m, rows[i].depth, rows[i].threads), 0, "%s, %u threads: %u nested calls return", m->name,
			 rows[i].threads, rows[i].depth);
		check_eq(nested_misses(m, rows[i].depth + 5, rows[i].threads), 5, "%s, %u threads: 5 more do not", m->name, rows[i].threads);
	}
	for (unsigned i = 0; i < 500; i++)
		branch_call(c->p, &c->thread, 0x10000004);
	for (unsigned i = 0; i < 500; i++)
		misses += branch_return(c->p, &c->thread, 0x10000004);
	check_eq(misses, 0, "a recursion returns to the same place, however deep");
	check(branch_return(c->p, &c->thread, 0x10000008), "a return without a call misses");
	free(c);
}

static void fill_random(void *to, size_t size, uint64_t seed)
{
	for (size_t i = 0; i < size; i++)
		((uint8_t *)to)[i] = (uint8_t)check_random(&seed);
}

static uint64_t random_calls(struct core *c, uint64_t seed, unsigned n)
{
	uint64_t sum = 0;

	while (n--) {
		uint64_t r = check_random(&seed), ea = check_random(&seed);

		if (r % 64 == 0)
			branch_set_threads(&c->thread, r >> 8 & 15);
		else if (r % 8 == 0)
			branch_call(c->p, &c->thread, ea);
		else if (r % 8 == 1)
			sum += branch_return(c->p, &c->thread, ea);
		else if (r % 8 == 2)
			sum += branch_indirect(c->p, &c->unit, ea, r);
		else
			sum += branch_conditional(c->p, &c->unit, &c->thread, ea & 0xffffc, r >> 32 & 1);
	}
	return sum;
}

/* The sanitizer build is what looks at the accesses. */
static void test_loaded(void)
{
	const struct memory_model *m;

	EACH(m) {
		struct core *a = core_new(m), *b = core_new(m);

		fill_random(&a->unit, sizeof a->unit, 3);
		fill_random(&a->thread, sizeof a->thread, 4);
		check(!branch_thread_ok(&a->thread), "%s: a link stack of garbage is refused", m->name);
		a->thread.top = BRANCH_LINKS - 1;
		a->thread.threads_log2 = 3;
		check(branch_thread_ok(&a->thread), "%s: its largest values are not", m->name);
		a->thread.top++;
		check(!branch_thread_ok(&a->thread), "%s: beyond them they are", m->name);
		a->thread.top--;
		a->thread.threads_log2++;
		check(!branch_thread_ok(&a->thread), "%s: 16 threads are refused", m->name);
		a->thread.threads_log2--;
		memcpy(b, a, sizeof *a);
		check_eq(random_calls(a, 5, 200000), random_calls(b, 5, 200000), "%s: the same calls give the same answers", m->name);
		check(!memcmp(a, b, sizeof *a), "%s: and leave the same state", m->name);
		check(branch_thread_ok(&a->thread), "%s: which is valid", m->name);
		free(a);
		free(b);
	}
}

static void bench(void)
{
	const struct memory_model *m;

	EACH(m) {
		struct core *c = core_new(m);
		unsigned misses = 0, n = 50000000;
		double from = seconds();

		for (unsigned i = 0; i < n; i++)
			misses += branch_conditional(c->p, &c->unit, &c->thread, 0x10000000 + i % 512 * 20, i % 512 & 5);
		printf("%s: conditional %.2f ns (%u misses)\n", m->name, (seconds() - from) / n * 1e9, misses);
		free(c);
	}
}

int main(int argc, char **argv)
{
	if (argc > 1 && !strcmp(argv[1], "bench")) {
		bench();
		return 0;
	}
	test_directions();
	test_targets();
	test_links();
	test_loaded();
	return check_done();
}

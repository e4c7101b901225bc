/*
 * What the benchmark programs share: how much work to do, numbers that look random and are the same
 * everywhere, and the one line that a program prints. Nothing here depends on time or address.
 */
#ifndef TESTS_BENCH_PROGRAMS_BENCH_H
#define TESTS_BENCH_PROGRAMS_BENCH_H

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ARRAY_SIZE(a)	(sizeof(a) / sizeof((a)[0]))

/* The work to do: `normal`, or that percentage of it which the first argument asks for; at least 1. */
static inline uint64_t bench_work(int argc, char **argv, uint64_t normal)
{
	uint64_t work = argc > 1 ? normal * strtoull(argv[1], NULL, 10) / 100 : normal;

	return work ? work : 1;
}

/* xorshift64 (Marsaglia): the state must not be 0. */
static inline uint64_t bench_random(uint64_t *state)
{
	uint64_t x = *state;

	x ^= x << 13;
	x ^= x >> 7;
	x ^= x << 17;
	return *state = x;
}

/* The checksum: what was computed, in the order it came. */
static inline uint64_t bench_add(uint64_t sum, uint64_t value)
{
	sum = (sum ^ value) * 0x9e3779b97f4a7c15u;
	return sum ^ sum >> 29;
}

/* Floating point counts with every bit, since the machines that are compared must agree in every bit. */
static inline uint64_t bench_add_double(uint64_t sum, double value)
{
	uint64_t bits;

	memcpy(&bits, &value, sizeof(bits));
	return bench_add(sum, bits);
}

/* The compiler must take the memory at p as read and written here. */
static inline void bench_touch(void *p)
{
	__asm__ volatile("" : : "r"(p) : "memory");
}

/* Ends a program at the first thing that goes wrong: a benchmark that did less work says nothing. */
static inline void bench_need(int good, const char *what)
{
	if (!good) {
		perror(what);
		exit(1);
	}
}

static inline void *bench_alloc(size_t size)
{
	void *p = malloc(size);

	bench_need(p != NULL, "malloc");
	return p;
}

/* What main() returns. */
static inline int bench_done(const char *name, uint64_t sum)
{
	return printf("%s %016llx\n", name, (unsigned long long)sum) < 0;
}

#endif

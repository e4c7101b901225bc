/* One line per fact: "ok NAME" or "FAIL NAME ...". Included by each unit test once. */
#ifndef TESTS_UNIT_CHECK_H
#define TESTS_UNIT_CHECK_H

#include <inttypes.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static unsigned check_failures;

#define check(fact, ...) check_at((fact), __FILE__, __LINE__, __VA_ARGS__)
#define check_eq(got, want, ...) check_eq_at((uint64_t)(got), (uint64_t)(want), __FILE__, __LINE__, __VA_ARGS__)

__attribute__((format(printf, 4, 5), unused))
static bool check_at(bool fact, const char *file, int line, const char *fmt, ...)
{
	char name[256];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(name, sizeof name, fmt, ap);
	va_end(ap);
	if (fact)
		printf("ok %s\n", name);
	else
		printf("FAIL %s (%s:%d)\n", name, file, line);
	check_failures += !fact;
	return fact;
}

__attribute__((format(printf, 5, 6), unused))
static bool check_eq_at(uint64_t got, uint64_t want, const char *file, int line, const char *fmt, ...)
{
	char name[256];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(name, sizeof name, fmt, ap);
	va_end(ap);
	if (got == want)
		printf("ok %s\n", name);
	else
		printf("FAIL %s: is 0x%" PRIx64 ", should be 0x%" PRIx64 " (%s:%d)\n", name, got, want, file, line);
	check_failures += got != want;
	return got == want;
}

static inline int check_done(void)
{
	return check_failures ? EXIT_FAILURE : EXIT_SUCCESS;
}

/* A repeatable stream of numbers: splitmix64. */
static inline uint64_t check_random(uint64_t *state)
{
	uint64_t z = *state += UINT64_C(0x9e3779b97f4a7c15);

	z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
	return z ^ z >> 31;
}

#endif

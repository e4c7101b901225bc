/*
 * For the programs that measure context switches: with a processor for each thread there were none.
 * They define _GNU_SOURCE first.
 */
#ifndef TESTS_BENCH_PROGRAMS_ONE_CPU_H
#define TESTS_BENCH_PROGRAMS_ONE_CPU_H

#include <sched.h>
#include "bench.h"

static inline void one_cpu(void)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(0, &set);
	bench_need(!sched_setaffinity(0, sizeof(set), &set), "sched_setaffinity");
}

#endif

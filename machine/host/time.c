/* The host's time; see time.h. */
#define _GNU_SOURCE
#include "machine/host/time.h"

#include <time.h>

uint64_t host_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * NSEC_PER_SEC + (uint64_t)ts.tv_nsec;
}

/* What the tests of a timing model's parts share: its models, and what a call costs the host. */
#ifndef TESTS_UNIT_MEMORY_MODELS_H
#define TESTS_UNIT_MEMORY_MODELS_H

#include <time.h>

#include "check.h"
#include "cpu/timing/memory_models.h"

static const char *const names[] = { "power8", "power9", "power10" };

#define EACH(m) for (unsigned m##_i = 0; m##_i < 3; m##_i++) for (m = memory_model_find(names[m##_i]); m; m = NULL)

/* Of this process, on the host's processor. */
static inline double seconds(void)
{
	struct timespec t;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

#endif

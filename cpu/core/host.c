/* The host's processor, asked once. */
#include "cpu/core/host.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

static unsigned find_features(void)
{
	const char *wish = getenv("CEDE_HOST");

	if (wish && !strcmp(wish, "baseline"))
		return 0;
#if defined(__x86_64__)
	bool shuffle = __builtin_cpu_supports("ssse3");

	return (__builtin_cpu_supports("fma") ? HOST_FMA : 0) | (shuffle ? HOST_SHUFFLE : 0) |
	       (shuffle && __builtin_cpu_supports("aes") ? HOST_AES : 0) |
	       (__builtin_cpu_supports("pclmul") ? HOST_CLMUL : 0) | (__builtin_cpu_supports("avx") ? HOST_WIDE : 0) |
	       (__builtin_cpu_supports("bmi2") ? HOST_BITS : 0);
#else
	return HOST_FMA | HOST_SHUFFLE | HOST_WIDE;
#endif
}

unsigned host_features(void)
{
	static unsigned features;
	static bool asked;

	if (!asked) {
		features = find_features();
		asked = true;
	}
	return features;
}

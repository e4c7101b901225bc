/* libFuzzer's way to mutate.c. */
#include <string.h>

#include "tests/fuzz/load/load.h"
#include "tests/fuzz/rng.h"

size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max, unsigned seed);
size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max, unsigned seed)
{
	return mutate(data, size, max, &(struct rng){ seed });
}

size_t LLVMFuzzerCustomCrossOver(const uint8_t *a, size_t a_size, const uint8_t *b, size_t b_size, uint8_t *out, size_t max, unsigned seed);
size_t LLVMFuzzerCustomCrossOver(const uint8_t *a, size_t a_size, const uint8_t *b, size_t b_size, uint8_t *out, size_t max, unsigned seed)
{
	if (a_size > max)
		return 0;
	memcpy(out, a, a_size);
	return mutate_cross(out, a_size, max, b, b_size, &(struct rng){ seed });
}

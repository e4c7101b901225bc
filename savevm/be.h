/* Big-endian numbers of 1 to 8 bytes, as files have them. */
#ifndef SAVEVM_BE_H
#define SAVEVM_BE_H

#include <stdint.h>

static inline uint64_t be_get(const uint8_t *p, unsigned bytes)
{
	uint64_t v = 0;

	for (unsigned i = 0; i < bytes; i++)
		v = v << 8 | p[i];
	return v;
}

static inline void be_put(uint8_t *p, uint64_t v, unsigned bytes)
{
	for (unsigned i = 0; i < bytes; i++)
		p[i] = (uint8_t)(v >> 8 * (bytes - 1 - i));
}

#endif

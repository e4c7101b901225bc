/* Little-endian numbers in bytes, and powers of two: what devices and formats on disks are made of. */
#ifndef MACHINE_CORE_BYTES_H
#define MACHINE_CORE_BYTES_H

#include <stdbool.h>
#include <stdint.h>

static inline uint32_t get_le32(const uint8_t *p)
{
	return p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}

static inline uint64_t get_le64(const uint8_t *p) { return get_le32(p) | (uint64_t)get_le32(p + 4) << 32; }

static inline void put_le32(uint8_t *p, uint32_t value)
{
	for (unsigned i = 0; i < 4; i++)
		p[i] = (uint8_t)(value >> 8 * i);
}

static inline bool is_power_of_two(uint64_t n) { return n && !(n & (n - 1)); }

/* The least one that is not below `n`, which is at most 2^63. */
static inline uint64_t power_of_two(uint64_t n)
{
	uint64_t p = 1;

	while (p < n)
		p <<= 1;
	return p;
}

#endif

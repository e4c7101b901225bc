/* The hash: multiplications of 64 by 64 bits, whose halves are folded. */
#include "savevm/hash.h"

#include <string.h>

/* Odd constants with about half their bits set. */
#define K0 UINT64_C(0x8f3a95c7d16b2e4d)
#define K1 UINT64_C(0xc6d3a1f80b9e5437)
#define K2 UINT64_C(0xa9570fbe63d41c8b)
#define K3 UINT64_C(0xd1b85e26f74a930d)

static inline uint64_t rotate_left(uint64_t v, unsigned n) { return v << n | v >> (64 - n); }

/* 64 x 64 -> 128 bits, halves folded: every input bit reaches every output bit. */
static inline uint64_t fold(uint64_t a, uint64_t b)
{
	unsigned __int128 p = (unsigned __int128)a * b;

	return (uint64_t)p ^ (uint64_t)(p >> 64);
}

static inline uint64_t word_at(const uint8_t *p)
{
	uint64_t v;

	memcpy(&v, p, sizeof v);
	return v;
}

uint64_t hash_u64(uint64_t hash, uint64_t value)
{
	return fold(hash ^ K0, value ^ K1) + rotate_left(value, 17) + K2;
}

uint64_t hash_bytes(uint64_t hash, const void *buf, size_t len)
{
	const uint8_t *p = buf;
	uint64_t tail[4] = { 0 }, lane[4] = { hash ^ K0, hash ^ K1, hash ^ K2, hash ^ K3 };
	size_t left = len;

	/* Four independent chains, so that the multiplier is kept busy. */
	for (; left >= 32; left -= 32, p += 32)
		for (unsigned i = 0; i < 4; i++)
			lane[i] = fold(lane[i] ^ word_at(p + 8 * i), K0) + rotate_left(lane[i], 29);
	memcpy(tail, p, left);
	for (unsigned i = 0; i < 4; i++)
		hash = hash_u64(hash_u64(hash, lane[i]), tail[i]);
	return hash_u64(hash, len);
}

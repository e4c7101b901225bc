/* Bits gathered from under a mask, and scattered under it: what pextd, pdepd, cfuged and their vector forms share.
 * Power ISA 3.1, Book I, 3.3 and 6.
 *
 * host_*() need HOST_BITS of host.h; the plain ones take a step for each bit of the mask.
 */
#ifndef CPU_CORE_GATHER_H
#define CPU_CORE_GATHER_H

#include "cpu/core/bits.h"

static inline uint64_t plain_gather(uint64_t v, uint64_t mask)
{
	uint64_t r = 0;

	for (unsigned n = 0; mask; mask &= mask - 1, n++)
		r |= (uint64_t)((v & mask & -mask) != 0) << n;
	return r;
}

static inline uint64_t plain_scatter(uint64_t v, uint64_t mask)
{
	uint64_t r = 0;

	for (; mask; mask &= mask - 1, v >>= 1)
		r |= -(v & 1) & mask & -mask;
	return r;
}

#if defined(__x86_64__)

static inline __attribute__((always_inline)) uint64_t host_gather(uint64_t v, uint64_t mask)
{
	__asm__("pextq %1, %0, %0" : "+r"(v) : "r"(mask));
	return v;
}

static inline __attribute__((always_inline)) uint64_t host_scatter(uint64_t v, uint64_t mask)
{
	__asm__("pdepq %1, %0, %0" : "+r"(v) : "r"(mask));
	return v;
}

#else

static inline uint64_t host_gather(uint64_t v, uint64_t mask) { return plain_gather(v, mask); }
static inline uint64_t host_scatter(uint64_t v, uint64_t mask) { return plain_scatter(v, mask); }

#endif

/* The bits under ones of the mask to the right, those under zeros to the left, each in their order. `by`: host or plain. */
#define CENTRIFUGE(by, v, mask) \
	(by##_gather(v, mask) | ((mask) ? by##_gather(v, ~(mask)) << (63 & __builtin_popcountll(mask)) : (v)))

/* Zeros that v has under the mask before its first one from the left, or from the right. */
static inline unsigned leading_zeros_under(uint64_t v, uint64_t mask)
{
	v &= mask;
	return (unsigned)__builtin_popcountll(v ? mask >> (63 - __builtin_clzll(v)) >> 1 : mask);
}

static inline unsigned trailing_zeros_under(uint64_t v, uint64_t mask)
{
	v &= mask;
	return (unsigned)__builtin_popcountll(mask & ((v & -v) - 1));
}

#endif

/* Bits by the manual's numbering: bit 0 is the most significant. */
#ifndef CPU_CORE_BITS_H
#define CPU_CORE_BITS_H

#include <stdint.h>

#define PPC_BIT(n)   (UINT64_C(1) << (63 - (n)))
#define PPC_BIT32(n) (UINT32_C(1) << (31 - (n)))
#define PPC_MASK(from, to) ((PPC_BIT(from) - PPC_BIT(to)) + PPC_BIT(from))	/* from <= to, inclusive */

#define likely(x)   __builtin_expect(!!(x), 1)
#define unlikely(x) __builtin_expect(!!(x), 0)
#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))

static inline uint64_t rotl64(uint64_t v, unsigned n) { n &= 63; return n ? v << n | v >> (64 - n) : v; }
static inline uint32_t rotl32(uint32_t v, unsigned n) { n &= 31; return n ? v << n | v >> (32 - n) : v; }

/* MASK(mb, me), wrapping when mb > me. Power ISA 3.0B, Book I, 3.3.14. */
static inline uint64_t mask64(unsigned mb, unsigned me)
{
	uint64_t from = ~UINT64_C(0) >> mb, to = ~UINT64_C(0) << (63 - me);

	return mb <= me ? from & to : from | to;
}

#endif

/* The CRC-32 of IEEE 802.3 by carry-less multiplication, where the processor has it: 64 bytes at a time are
 * folded into four registers. Source: V. Gopal and others, "Fast CRC Computation for Generic Polynomials Using
 * PCLMULQDQ", Intel 2009; its constants for the bit-reversed polynomial. */
#include "savevm/stream.h"

#if defined(__x86_64__)

#include <immintrin.h>

#define FOLD_64   _mm_set_epi64x(0x01c6e41596, 0x0154442bd4)	/* x^(512-32), x^(512+32) mod P */
#define FOLD_16   _mm_set_epi64x(0x00ccaa009e, 0x01751997d0)	/* x^(128-32), x^(128+32) mod P */
#define TO_64     _mm_set_epi64x(0, 0x0163cd6124)		/* x^64 mod P */
#define BARRETT   _mm_set_epi64x(0x01f7011641, 0x01db710641)	/* floor(x^64 / P), P */

bool crc32_is_fast(void)
{
	return __builtin_cpu_supports("pclmul") && __builtin_cpu_supports("sse4.1");
}

__attribute__((target("pclmul,sse4.1"))) static __m128i fold(__m128i x, __m128i k, __m128i next)
{
	return _mm_xor_si128(_mm_xor_si128(_mm_clmulepi64_si128(x, k, 0x00), _mm_clmulepi64_si128(x, k, 0x11)), next);
}

/* 128 bits to 32. */
__attribute__((target("pclmul,sse4.1"))) static uint32_t reduce(__m128i x)
{
	const __m128i low = _mm_setr_epi32(-1, 0, -1, 0);
	__m128i t = _mm_clmulepi64_si128(x, FOLD_16, 0x10);

	x = _mm_xor_si128(_mm_srli_si128(x, 8), t);
	t = _mm_srli_si128(x, 4);
	x = _mm_xor_si128(_mm_clmulepi64_si128(_mm_and_si128(x, low), TO_64, 0x00), t);
	t = _mm_clmulepi64_si128(_mm_and_si128(x, low), BARRETT, 0x10);
	t = _mm_clmulepi64_si128(_mm_and_si128(t, low), BARRETT, 0x00);
	return (uint32_t)_mm_extract_epi32(_mm_xor_si128(x, t), 1);
}

__attribute__((target("pclmul,sse4.1"))) uint32_t crc32_fold(uint32_t crc, const uint8_t *p, size_t len)
{
	__m128i x[4];

	for (unsigned i = 0; i < 4; i++)
		x[i] = _mm_loadu_si128((const __m128i *)p + i);
	x[0] = _mm_xor_si128(x[0], _mm_cvtsi32_si128((int)crc));
	for (p += 64, len -= 64; len >= 64; p += 64, len -= 64)
		for (unsigned i = 0; i < 4; i++)
			x[i] = fold(x[i], FOLD_64, _mm_loadu_si128((const __m128i *)p + i));
	for (unsigned i = 1; i < 4; i++)
		x[0] = fold(x[0], FOLD_16, x[i]);
	for (; len >= 16; p += 16, len -= 16)
		x[0] = fold(x[0], FOLD_16, _mm_loadu_si128((const __m128i *)p));
	return reduce(x[0]);
}

#else

bool crc32_is_fast(void)
{
	return false;
}

uint32_t crc32_fold(uint32_t crc, const uint8_t *p, size_t len)
{
	(void)p, (void)len;
	return crc;
}

#endif

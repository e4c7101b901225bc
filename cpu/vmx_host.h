/* Byte permutes and AES rounds as this host does them best.
 *
 * Three hosts: x86-64 (instructions beyond SSE2 behind a test of what the processor has,
 * a byte in memory that is always predicted), AArch64, and plain C. All give the same.
 */
#ifndef CPU_VMX_HOST_H
#define CPU_VMX_HOST_H

#include "vreg.h"

/* t.b[i] = (b || a in host order)[index.b[i] & 31]: bytes 0..15 are b's, 16..31 a's. */
static inline void permute_plain(union vreg *t, const union vreg *a, const union vreg *b, const union vreg *index)
{
	union vreg from[2] = { *b, *a }, n = *index;
	const uint8_t *bytes = (const uint8_t *)from;

	for (int i = 0; i < 16; i++)
		t->b[i] = bytes[n.b[i] & 31];
}

#if defined(__x86_64__)
#include <immintrin.h>

static __attribute__((target("ssse3"), noinline, unused)) void
permute_ssse3(union vreg *t, const union vreg *a, const union vreg *b, const union vreg *index)
{
	__m128i n = _mm_loadu_si128((const __m128i *)index);
	__m128i low = _mm_and_si128(n, _mm_set1_epi8(15));
	__m128i from_a = _mm_cmpeq_epi8(_mm_and_si128(n, _mm_set1_epi8(16)), _mm_set1_epi8(16));
	__m128i x = _mm_shuffle_epi8(_mm_loadu_si128((const __m128i *)a), low);
	__m128i y = _mm_shuffle_epi8(_mm_loadu_si128((const __m128i *)b), low);

	_mm_storeu_si128((__m128i *)t, _mm_or_si128(_mm_and_si128(from_a, x), _mm_andnot_si128(from_a, y)));
}

static inline __attribute__((always_inline)) void
permute(union vreg *t, const union vreg *a, const union vreg *b, const union vreg *index)
{
	if (__builtin_cpu_supports("ssse3"))
		permute_ssse3(t, a, b, index);
	else
		permute_plain(t, a, b, index);
}

/* HOST_CRYPTO(f, ...) calls f_host or f_plain. */
#define HOST_CRYPTO(f, ...) \
	do { \
		if (__builtin_cpu_supports("aes") && __builtin_cpu_supports("pclmul") && \
		    __builtin_cpu_supports("ssse3")) \
			f##_host(__VA_ARGS__); \
		else \
			f##_plain(__VA_ARGS__); \
	} while (0)
#define HOST_CRYPTO_FN(f) \
	static __attribute__((target("ssse3,aes,pclmul"), noinline, unused)) void \
	f##_host(union vreg *t, const union vreg *a, const union vreg *b)

/* The host's AES state begins at its least significant byte. */
static inline __attribute__((always_inline, target("ssse3"))) __m128i reversed(__m128i x)
{
	return _mm_shuffle_epi8(x, _mm_set_epi8(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15));
}

static inline __attribute__((always_inline, target("ssse3"))) __m128i load_reversed(const union vreg *v)
{
	return reversed(_mm_loadu_si128((const __m128i *)v));
}

static inline __attribute__((always_inline, target("ssse3"))) void store_reversed(union vreg *v, __m128i x)
{
	_mm_storeu_si128((__m128i *)v, reversed(x));
}

HOST_CRYPTO_FN(encrypt) { store_reversed(t, _mm_aesenc_si128(load_reversed(a), load_reversed(b))); }
HOST_CRYPTO_FN(encrypt_last) { store_reversed(t, _mm_aesenclast_si128(load_reversed(a), load_reversed(b))); }
HOST_CRYPTO_FN(decrypt) { store_reversed(t, _mm_aesimc_si128(_mm_aesdeclast_si128(load_reversed(a), load_reversed(b)))); }
HOST_CRYPTO_FN(decrypt_last) { store_reversed(t, _mm_aesdeclast_si128(load_reversed(a), load_reversed(b))); }

HOST_CRYPTO_FN(multiply)
{
	__m128i x = _mm_loadu_si128((const __m128i *)a), y = _mm_loadu_si128((const __m128i *)b);

	_mm_storeu_si128((__m128i *)t, _mm_xor_si128(_mm_clmulepi64_si128(x, y, 0x00), _mm_clmulepi64_si128(x, y, 0x11)));
}

#elif defined(__aarch64__)
#include <arm_neon.h>

static inline __attribute__((always_inline)) void
permute(union vreg *t, const union vreg *a, const union vreg *b, const union vreg *index)
{
	uint8x16x2_t from = { { vld1q_u8(b->b), vld1q_u8(a->b) } };

	vst1q_u8(t->b, vqtbl2q_u8(from, vandq_u8(vld1q_u8(index->b), vdupq_n_u8(31))));
}

#define HOST_CRYPTO(f, ...) f##_plain(__VA_ARGS__)

#else
#define permute permute_plain
#define HOST_CRYPTO(f, ...) f##_plain(__VA_ARGS__)
#endif

#endif

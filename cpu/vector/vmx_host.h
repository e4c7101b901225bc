/* Byte shuffles, AES rounds and the like, as the host has them.
 *
 * All but host_dot() needs a feature of host.h: each handler that uses it has a plain twin. The
 * instructions are assembly, so that the rest of the file is compiled for every host.
 */
#ifndef CPU_VECTOR_VMX_HOST_H
#define CPU_VECTOR_VMX_HOST_H

#include "cpu/core/vreg.h"
#include "cpu/engine/decode.h"

#if defined(__x86_64__)

#define HOST2(name, insn) \
	static inline __attribute__((always_inline)) v2u64 host_##name(v2u64 a, v2u64 b) \
	{ \
		__asm__(insn " %1, %0" : "+x"(a) : "x"(b)); \
		return a; \
	}
HOST2(pshufb, "pshufb")			/* byte i: a's by the low half of b's, or 0 if b's is negative */
HOST2(aesenc, "aesenc")
HOST2(aesenclast, "aesenclast")
HOST2(aesdeclast, "aesdeclast")
HOST2(clmul_low, "pclmulqdq $0x00,")
HOST2(clmul_high, "pclmulqdq $0x11,")
HOST2(dot16, "pmaddwd")			/* each word: the sum of its two signed products */
#undef HOST2

static inline __attribute__((always_inline)) v4u32 host_dot(v8s16 a, v8s16 b)
{
	return (v4u32)host_dot16((v2u64)a, (v2u64)b);
}

static inline __attribute__((always_inline)) v2u64 host_aesimc(v2u64 a)
{
	__asm__("aesimc %0, %0" : "+x"(a));
	return a;
}

/* Byte i: (b || a in host order)[n[i] & 31], where bytes 0..15 are b's, 16..31 a's. */
static inline __attribute__((always_inline)) v2u64 host_permute(v2u64 a, v2u64 b, v2u64 n)
{
	v16u8 low = (v16u8)n & 31;

	return host_pshufb(b, (v2u64)(low + 0x70)) | host_pshufb(a, (v2u64)(low - 16));
}

/* The host's AES state begins at its least significant byte. */
static inline __attribute__((always_inline)) v2u64 host_reverse(v2u64 a)
{
	return host_pshufb(a, (v2u64){ UINT64_C(0x08090a0b0c0d0e0f), UINT64_C(0x0001020304050607) });
}

static inline v2u64 host_encrypt(v2u64 a, v2u64 key)
{
	return host_reverse(host_aesenc(host_reverse(a), host_reverse(key)));
}

static inline v2u64 host_encrypt_last(v2u64 a, v2u64 key)
{
	return host_reverse(host_aesenclast(host_reverse(a), host_reverse(key)));
}

/* POWER adds the key before it mixes the columns. */
static inline v2u64 host_decrypt(v2u64 a, v2u64 key)
{
	return host_reverse(host_aesimc(host_aesdeclast(host_reverse(a), host_reverse(key))));
}

static inline v2u64 host_decrypt_last(v2u64 a, v2u64 key)
{
	return host_reverse(host_aesdeclast(host_reverse(a), host_reverse(key)));
}

/* Both products of doublewords, added. */
static inline v2u64 host_multiply(v2u64 a, v2u64 b)
{
	return host_clmul_low(a, b) ^ host_clmul_high(a, b);
}

#define HAVE_HOST_CRYPTO 1

#elif defined(__aarch64__)
#include <arm_neon.h>

static inline __attribute__((always_inline)) v4u32 host_dot(v8s16 a, v8s16 b)
{
	int16x8_t x = (int16x8_t)a, y = (int16x8_t)b;

	return (v4u32)vpaddq_s32(vmull_s16(vget_low_s16(x), vget_low_s16(y)), vmull_high_s16(x, y));
}

static inline __attribute__((always_inline)) v2u64 host_permute(v2u64 a, v2u64 b, v2u64 n)
{
	uint8x16x2_t from = { { (uint8x16_t)b, (uint8x16_t)a } };

	return (v2u64)vqtbl2q_u8(from, vandq_u8((uint8x16_t)n, vdupq_n_u8(31)));
}

#endif

static inline v2u64 plain_permute(v2u64 a, v2u64 b, v2u64 n)
{
	union vreg from[2] = { { .v2u64 = b }, { .v2u64 = a } }, index = { .v2u64 = n }, t;
	const uint8_t *bytes = (const uint8_t *)from;

	for (int i = 0; i < 16; i++)
		t.b[i] = bytes[index.b[i] & 31];
	return t.v2u64;
}

/* A permute and its plain twin. `head` begins its body: OP, or BODY in a header. */
#define OP_PERMUTE(name, t, a, b, n) PERMUTE_BY(OP, name, t, a, b, n) PERMUTE_PLAIN(name, t, a, b, n)
#define PERMUTE_BY(head, name, t, a, b, n) \
	head(name) { t.v2u64 = host_permute(a.v2u64, b.v2u64, n.v2u64); }
#define PERMUTE_PLAIN(name, t, a, b, n) \
	OP(name##_plain) { t.v2u64 = plain_permute(a.v2u64, b.v2u64, n.v2u64); } \
	HOST_NEEDS(name, HOST_SHUFFLE)

#endif

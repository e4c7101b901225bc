/* The 128-bit vector-scalar register.
 *
 * Kept as the host's (little-endian) 128-bit integer: bit 127 of the register in
 * the manual's numbering is the host integer's bit 0. Elements in the manual's
 * numbering (element 0 is the most significant) are reached through VB..VD below;
 * a floating-point register is doubleword 0, VD(v, 0).
 * Source: Power ISA 3.0B, Book I, 6.2.1 and 7.2.1.
 */
#ifndef CPU_CORE_VREG_H
#define CPU_CORE_VREG_H

#include <stdint.h>

typedef unsigned __int128 u128;
typedef __int128 s128;

typedef uint8_t  v16u8  __attribute__((vector_size(16), aligned(8)));
typedef int8_t   v16s8  __attribute__((vector_size(16), aligned(8)));
typedef uint16_t v8u16  __attribute__((vector_size(16), aligned(8)));
typedef int16_t  v8s16  __attribute__((vector_size(16), aligned(8)));
typedef uint32_t v4u32  __attribute__((vector_size(16), aligned(8)));
typedef int32_t  v4s32  __attribute__((vector_size(16), aligned(8)));
typedef uint64_t v2u64  __attribute__((vector_size(16), aligned(8)));
typedef int64_t  v2s64  __attribute__((vector_size(16), aligned(8)));
typedef float    v4f32  __attribute__((vector_size(16), aligned(8)));
typedef double   v2f64  __attribute__((vector_size(16), aligned(8)));

union vreg {
	uint8_t b[16];
	int8_t sb[16];
	uint16_t h[8];
	int16_t sh[8];
	uint32_t w[4];
	int32_t sw[4];
	uint64_t d[2];
	int64_t sd[2];
	float f[4];
	double fd[2];
	u128 q;
	s128 sq;
	v16u8 v16u8; v16s8 v16s8; v8u16 v8u16; v8s16 v8s16;
	v4u32 v4u32; v4s32 v4s32; v2u64 v2u64; v2s64 v2s64;
	v4f32 v4f32; v2f64 v2f64;
};

/* Element i in the manual's numbering. */
#define VB(v, i)  ((v).b[15 - (i)])
#define VSB(v, i) ((v).sb[15 - (i)])
#define VH(v, i)  ((v).h[7 - (i)])
#define VSH(v, i) ((v).sh[7 - (i)])
#define VW(v, i)  ((v).w[3 - (i)])
#define VSW(v, i) ((v).sw[3 - (i)])
#define VD(v, i)  ((v).d[1 - (i)])
#define VSD(v, i) ((v).sd[1 - (i)])
#define VF(v, i)  ((v).f[3 - (i)])
#define VFD(v, i) ((v).fd[1 - (i)])

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__,
	       "vreg layout, guest loads and stores assume a little-endian host");

#endif

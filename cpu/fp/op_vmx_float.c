/* VMX floating point: four single-precision numbers, always rounded to nearest, no
 * exceptions. FPSCR has no part in it: neither its rounding mode nor its sticky bits.
 *
 * With VSCR[NJ] denormal operands count as zeros and denormal results become zeros.
 * Source: Power ISA 3.0B, Book I, 6.6.2 and 6.10.
 */
#include "cpu/engine/decode.h"
#include "cpu/fp/fp.h"
#include "cpu/vector/vmx.h"

#define SIGN32 UINT32_C(0x80000000)
#define INF32  UINT32_C(0x7f800000)
#define QUIET32 UINT32_C(0x00400000)

static inline bool is_nan32(uint32_t x) { return (x & ~SIGN32) > INF32; }

/* ---- NJ ---- */

static inline v4u32 flush_denormals(const struct cpu *cpu, v4u32 x)
{
	if (likely(!(cpu->vscr & VSCR_NJ)))
		return x;
	return x & ((v4u32)((x & INF32) != 0) | SIGN32);
}

static inline uint32_t flush1(const struct cpu *cpu, uint32_t x)
{
	return cpu->vscr & VSCR_NJ && !(x & INF32) ? x & SIGN32 : x;
}

/* One element in the exact path. What was denormal before rounding is flushed as well. */
static uint32_t exact(const struct cpu *cpu, unsigned fpo, uint32_t x, uint32_t y, uint32_t z)
{
	struct fp_status st = { .round = FP_NEAREST };
	uint32_t r = (uint32_t)fp32_op(&st, fpo, x, y, z);

	if (st.raised & FPSCR_UX && cpu->vscr & VSCR_NJ)
		return r & SIGN32;
	return flush1(cpu, r);
}

static __attribute__((noinline)) v4u32 exact_all(const struct cpu *cpu, unsigned fpo, v4u32 x, v4u32 y, v4u32 z)
{
	v4u32 r = { 0 };

	for (int i = 0; i < 4; i++)
		r[i] = exact(cpu, fpo, x[i], y[i], z[i]);
	return r;
}

/* ---- Arithmetic: on the host with its own rounding mode put aside, unless an element
 * comes out other than ordinary ---- */

static inline bool ordinary(v4f32 r)
{
	v4s32 m = (v4s32)((v4u32)r & ~SIGN32);
	v2u64 bad = (v2u64)((m <= 0x00800000) | (m >= 0x7f7fffff));

	return likely(!(bad[0] | bad[1]));
}

#define VF_ARITHMETIC(name, host, fpo, y_, z_) \
	OP(name) \
	{ \
		v4u32 x = flush_denormals(cpu, VRA.v4u32), y = flush_denormals(cpu, y_.v4u32), z = flush_denormals(cpu, z_.v4u32); \
		\
		__auto_type guest = host_fp_get(); \
		v4f32 r; \
		\
		host_fp_set(FP_NEAREST); \
		r = host; \
		host_fp_put(guest); \
		VRT.v4u32 = ordinary(r) ? (v4u32)r : exact_all(cpu, fpo, x, y, z); \
	}

VF_ARITHMETIC(vaddfp, host_add_4s((v4f32)x, (v4f32)y), FPO_ADD, VRB, VRB)
VF_ARITHMETIC(vsubfp, host_sub_4s((v4f32)x, (v4f32)y), FPO_SUB, VRB, VRB)
VF_ARITHMETIC(vmaddfp, host_madd_4s((v4f32)x, (v4f32)y, (v4f32)z), FPO_MADD, VRC, VRB)
VF_ARITHMETIC(vnmsubfp, -host_msub_4s((v4f32)x, (v4f32)y, (v4f32)z), FPO_NMSUB, VRC, VRB)

#define VF_FUSED_PLAIN(name, fpo) \
	OP(name##_plain) \
	{ \
		VRT.v4u32 = exact_all(cpu, fpo, flush_denormals(cpu, VRA.v4u32), flush_denormals(cpu, VRC.v4u32), flush_denormals(cpu, VRB.v4u32)); \
	} \
	HOST_NEEDS(name, HOST_FMA)
VF_FUSED_PLAIN(vmaddfp, FPO_MADD)
VF_FUSED_PLAIN(vnmsubfp, FPO_NMSUB)

/* ---- Maximum, minimum: any NaN wins, the first one; +0 is more than -0 ---- */

static uint32_t extreme(uint32_t a, uint32_t b, bool max)
{
	int32_t x = (int32_t)(a ^ (a & SIGN32 ? ~SIGN32 : 0)), y = (int32_t)(b ^ (b & SIGN32 ? ~SIGN32 : 0));

	if (is_nan32(a))
		return a | QUIET32;
	if (is_nan32(b))
		return b | QUIET32;
	return (max ? x > y : x < y) ? a : b;
}

#define VF_EXTREME(name, max) \
	OP(name) \
	{ \
		union vreg a = { .v4u32 = flush_denormals(cpu, VRA.v4u32) }, b = { .v4u32 = flush_denormals(cpu, VRB.v4u32) }; \
		\
		for (int i = 0; i < 4; i++) \
			VRT.w[i] = extreme(a.w[i], b.w[i], max); \
	}
VF_EXTREME(vmaxfp, true)
VF_EXTREME(vminfp, false)

/* ---- Conversions ---- */

/* x * 2^scale cut to an integer in [least, most]; a NaN is 0 and does not saturate. */
static uint32_t to_integer(struct cpu *cpu, uint32_t x, int scale, int64_t least, int64_t most)
{
	int64_t m = x & 0x7fffff, v;
	int exp = (int)(x >> 23 & 0xff), shift = exp - 150 + scale;
	bool sat = false;

	if (is_nan32(x) || !exp)	/* a denormal is less than 1 at any scale */
		return 0;
	m |= 0x800000;
	v = shift < -24 ? 0 : shift < 0 ? m >> -shift : m << (shift < 32 ? shift : 32);
	v = clamp(x & SIGN32 ? -v : v, least, most, &sat);
	saturated(cpu, sat);
	return (uint32_t)v;
}

/* v / 2^scale, never denormal. */
static uint32_t from_integer(int64_t v, unsigned scale)
{
	struct fp_status st = { .round = FP_NEAREST };

	return v ? fp_s64_to_fp32(&st, v) - (scale << 23) : 0;
}

#define VF_EACH(name, element) \
	OP(name) \
	{ \
		union vreg b = VRB; \
		\
		for (int i = 0; i < 4; i++) \
			VRT.w[i] = element; \
	}
VF_EACH(vctsxs, to_integer(cpu, b.w[i], op->imm, INT32_MIN, INT32_MAX))
VF_EACH(vctuxs, to_integer(cpu, b.w[i], op->imm, 0, UINT32_MAX))
VF_EACH(vcfsx, from_integer(b.sw[i], (unsigned)op->imm))
VF_EACH(vcfux, from_integer(b.w[i], (unsigned)op->imm))

static uint32_t integral(const struct cpu *cpu, enum fp_round mode, uint32_t x)
{
	struct fp_status st = { .round = mode };

	return (uint32_t)fp32_op(&st, FPO_RINT, flush1(cpu, x), 0, 0);
}

VF_EACH(vrfin, integral(cpu, FP_NEAREST, b.w[i]))
VF_EACH(vrfiz, integral(cpu, FP_TO_ZERO, b.w[i]))
VF_EACH(vrfip, integral(cpu, FP_UP, b.w[i]))
VF_EACH(vrfim, integral(cpu, FP_DOWN, b.w[i]))

/* ---- Comparisons. The host's raise nothing but its invalid flag, which nobody reads. ---- */

#define VF_COMPARE(name, result) \
	static inline __attribute__((always_inline)) v4u32 compare_##name(v4f32 a, v4f32 b) { return result; } \
	OP(name) \
	{ \
		VRT.v4u32 = compare_##name((v4f32)flush_denormals(cpu, VRA.v4u32), (v4f32)flush_denormals(cpu, VRB.v4u32)); \
	} \
	OP(name##_rc) \
	{ \
		body_##name(cpu, op); \
		CRF(6) = (uint8_t)(!~VRT.q ? CR_LT : !VRT.q ? CR_EQ : 0); \
	}
VF_COMPARE(vcmpeqfp, (v4u32)(a == b))
VF_COMPARE(vcmpgefp, (v4u32)(a >= b))
VF_COMPARE(vcmpgtfp, (v4u32)(a > b))
/* Bit 0: above the bound, bit 1: below its negative; a NaN is both. */
VF_COMPARE(vcmpbfp, (~(v4u32)(a <= b) & SIGN32) | (~(v4u32)(a >= -b) & SIGN32 >> 1))

/* ---- Estimates. The manual asks for little precision; these are correctly rounded, or for
 * the reciprocal root, rounded after each of its two steps. ---- */

VF_EACH(vrefp, exact(cpu, FPO_RE, flush1(cpu, b.w[i]), 0, 0))
VF_EACH(vrsqrtefp, exact(cpu, FPO_RSQRTE, flush1(cpu, b.w[i]), 0, 0))

/* A finite non-zero number as single format. */
static uint32_t round_pack(const struct cpu *cpu, struct fp_num n)
{
	struct fp_status st = { .round = FP_NEAREST };
	uint32_t sign = n.sign ? SIGN32 : 0;

	fp_round(&st, &fp_format32, &n);
	if (n.kind == FPN_ZERO)
		return sign;
	if (n.kind == FPN_INF)
		return sign | INF32;
	if (n.exp >= -126)
		return sign | (uint32_t)(n.exp + 127) << 23 | ((uint32_t)(n.sig >> 104) & 0x7fffff);
	return flush1(cpu, sign | (uint32_t)(n.sig >> (104 - 126 - n.exp)));
}

#define ONE32 UINT32_C(0x3f800000)

/* 2^x = 2^n * e^(f * ln 2) with n integral, 0 <= f < 1; the series in 63 fraction bits. */
static uint32_t exp2_estimate(const struct cpu *cpu, uint32_t x)
{
	const uint64_t ln2 = UINT64_C(0xb17217f7d1cf79ab), one = UINT64_C(1) << 63;
	uint32_t m = x & ~SIGN32;
	uint64_t fraction, y, sum = one;
	int64_t fixed;	/* 54 fraction bits: exact for what is left below */

	if (m > INF32)
		return x | QUIET32;
	if (m < ONE32 - (30 << 23))
		return ONE32;
	if (m >= ONE32 + (8 << 23))	/* 256 and more */
		return x & SIGN32 ? 0 : INF32;
	fixed = (int64_t)((m & 0x7fffff) | 0x800000) << ((m >> 23) - 96);
	if (x & SIGN32)
		fixed = -fixed;
	fraction = (uint64_t)fixed << 10;
	y = (uint64_t)((u128)fraction * ln2 >> 64);
	for (unsigned k = 22; k; k--)
		sum = one + (uint64_t)((u128)y * sum >> 64) / k;
	return round_pack(cpu, (struct fp_num){
		.kind = FPN_FINITE, .exp = (int)(fixed >> 54), .sig = (u128)sum << 64 | (fraction != 0),
	});
}

/* log2(2^e * m) = e + log2(m), 1 <= m < 2: each squaring of m moves one more bit of its
 * logarithm before the point. */
static uint32_t log2_estimate(const struct cpu *cpu, uint32_t x)
{
	enum { BITS = 62 };
	int exp = (int)(x >> 23) - 127, shift;
	uint64_t m = (uint64_t)(x & 0x7fffff) << 40, log = 0;
	bool power;	/* of two */
	s128 sum;
	u128 magnitude;

	if (is_nan32(x))
		return x | QUIET32;
	if (!(x & ~SIGN32))
		return SIGN32 | INF32;
	if (x & SIGN32)
		return INF32 | QUIET32;
	if (x == INF32)
		return x;
	if (exp == -127) {
		shift = __builtin_clzll(m);
		m <<= shift;
		exp = -126 - shift;
	} else {
		m |= UINT64_C(1) << 63;
	}
	power = !(m << 1);
	for (int i = 1; i <= BITS && !power; i++) {
		u128 square = (u128)m * m;
		bool bit = square >> 127;

		log |= (uint64_t)bit << (BITS - i);
		m = (uint64_t)(square >> (63 + bit));
	}
	sum = (s128)exp * ((s128)1 << BITS) + (s128)log;
	if (!sum)
		return 0;
	magnitude = sum < 0 ? -(u128)sum : (u128)sum;
	shift = magnitude >> 64 ? __builtin_clzll((uint64_t)(magnitude >> 64)) : 64 + __builtin_clzll((uint64_t)magnitude);
	return round_pack(cpu, (struct fp_num){
		.kind = FPN_FINITE, .sign = sum < 0, .exp = 127 - shift - BITS, .sig = magnitude << shift | !power,
	});
}

VF_EACH(vexptefp, exp2_estimate(cpu, flush1(cpu, b.w[i])))
VF_EACH(vlogefp, log2_estimate(cpu, flush1(cpu, b.w[i])))

/* VMX integer arithmetic, compares, logic, shifts and counts.
 * Source: Power ISA 3.0B, Book I, 6.9 and 6.13 to 6.15.
 */
#include "cpu/vector/vmx.h"
#include "cpu/vector/vmx_host.h"

/* ---- Add and subtract. 6.9.1.1, 6.9.1.2 ---- */
OP(vaddubm) { VRT.v16u8 = VRA.v16u8 + VRB.v16u8; }
OP(vadduhm) { VRT.v8u16 = VRA.v8u16 + VRB.v8u16; }
OP(vaddudm) { VRT.v2u64 = VRA.v2u64 + VRB.v2u64; }
OP(vadduqm) { VRT.q = VRA.q + VRB.q; }
OP(vsububm) { VRT.v16u8 = VRA.v16u8 - VRB.v16u8; }
OP(vsubuhm) { VRT.v8u16 = VRA.v8u16 - VRB.v8u16; }
OP(vsubuwm) { VRT.v4u32 = VRA.v4u32 - VRB.v4u32; }
OP(vsubudm) { VRT.v2u64 = VRA.v2u64 - VRB.v2u64; }
OP(vsubuqm) { VRT.q = VRA.q - VRB.q; }

/* Carries out; a subtraction adds the complement and one. */
static inline u128 carry_out(u128 a, u128 b, unsigned carry_in)
{
	u128 sum = a + b;

	return (sum < a) | (carry_in & !~sum);
}

OP_EACH(vaddcuw, w) { return (uint32_t)(a + b) < a; }
OP_EACH(vsubcuw, w) { return a >= b; }
OP(vaddcuq)  { VRT.q = carry_out(VRA.q, VRB.q, 0); }
OP(vsubcuq)  { VRT.q = VRA.q >= VRB.q; }
OP(vaddeuqm) { VRT.q = VRA.q + VRB.q + (VRC.d[0] & 1); }
OP(vsubeuqm) { VRT.q = VRA.q + ~VRB.q + (VRC.d[0] & 1); }
OP(vaddecuq) { VRT.q = carry_out(VRA.q, VRB.q, VRC.d[0] & 1); }
OP(vsubecuq) { VRT.q = carry_out(VRA.q, ~VRB.q, VRC.d[0] & 1); }

/* Saturating forms: `over` is all ones in the elements that left the range. */
#define OP_ADD_UNSIGNED(name, type) \
	OP(name) \
	{ \
		type a = VRA.type, sum = a + VRB.type, over = (type)(sum < a); \
		VRT.type = sum | over; \
		saturated(cpu, ((union vreg){ .type = over }).q != 0); \
	}
#define OP_SUBTRACT_UNSIGNED(name, type) \
	OP(name) \
	{ \
		type a = VRA.type, b = VRB.type, over = (type)(a < b); \
		VRT.type = (a - b) & ~over; \
		saturated(cpu, ((union vreg){ .type = over }).q != 0); \
	}
/* A sum overflows if its sign is neither operand's (the complement is the operand of a
 * subtraction); the limit has the sign of the first. */
#define OP_SIGNED(name, type, signed_type, plus_minus, flip) \
	OP(name) \
	{ \
		type a = VRA.type, b = VRB.type, r = a plus_minus b; \
		type over = (type)((signed_type)((a ^ r) & (flip b ^ r)) < 0); \
		type limit = (type)((signed_type)a < 0) ^ ((type){ 0 } - 1) >> 1; \
		VRT.type = (r & ~over) | (limit & over); \
		saturated(cpu, ((union vreg){ .type = over }).q != 0); \
	}
OP_ADD_UNSIGNED(vaddubs, v16u8)
OP_ADD_UNSIGNED(vadduhs, v8u16)
OP_ADD_UNSIGNED(vadduws, v4u32)
OP_SUBTRACT_UNSIGNED(vsububs, v16u8)
OP_SUBTRACT_UNSIGNED(vsubuhs, v8u16)
OP_SUBTRACT_UNSIGNED(vsubuws, v4u32)
OP_SIGNED(vaddsbs, v16u8, v16s8, +, )
OP_SIGNED(vaddshs, v8u16, v8s16, +, )
OP_SIGNED(vaddsws, v4u32, v4s32, +, )
OP_SIGNED(vsubsbs, v16u8, v16s8, -, ~)
OP_SIGNED(vsubshs, v8u16, v8s16, -, ~)
OP_SIGNED(vsubsws, v4u32, v4s32, -, ~)

/* ---- Multiply. 6.9.1.3. Even elements in the manual's numbering are the host's odd. ---- */
#define OP_MULTIPLY(name, wide, narrow, odd) \
	OP(name) \
	{ \
		union vreg a = VRA, b = VRB, t; \
		EACH(i, ELEMENTS(wide)) \
			t.wide[i] = (ELEMENT(wide))((ELEMENT(wide))a.narrow[2 * i + (odd)] * b.narrow[2 * i + (odd)]); \
		VRT = t; \
	}
OP_MULTIPLY(vmuleub, h, b, 1)
OP_MULTIPLY(vmuleuh, w, h, 1)
OP_MULTIPLY(vmuleuw, d, w, 1)
OP_MULTIPLY(vmulesb, sh, sb, 1)
OP_MULTIPLY(vmulesh, sw, sh, 1)
OP_MULTIPLY(vmulesw, sd, sw, 1)
OP_MULTIPLY(vmuloub, h, b, 0)
OP_MULTIPLY(vmulouh, w, h, 0)
OP_MULTIPLY(vmulouw, d, w, 0)
OP_MULTIPLY(vmulosb, sh, sb, 0)
OP_MULTIPLY(vmulosh, sw, sh, 0)
OP_MULTIPLY(vmulosw, sd, sw, 0)
OP(vmuluwm) { VRT.v4u32 = VRA.v4u32 * VRB.v4u32; }

/* ---- Multiply and add. 6.9.1.4 ---- */
#define OP_MULTIPLY_HIGH(name, round) \
	OP(name) \
	{ \
		union vreg a = VRA, b = VRB, c = VRC, t; \
		int32_t changed = 0; \
		EACH(i, 8) { \
			int32_t x = ((a.sh[i] * b.sh[i] + (round)) >> 15) + c.sh[i]; \
			int32_t y = x < INT16_MIN ? INT16_MIN : x > INT16_MAX ? INT16_MAX : x; \
			t.sh[i] = (int16_t)y; \
			changed |= x ^ y; \
		} \
		VRT = t; \
		saturated(cpu, changed != 0); \
	}
OP_MULTIPLY_HIGH(vmhaddshs, 0)
OP_MULTIPLY_HIGH(vmhraddshs, 0x4000)

OP(vmladduhm) { VRT.v8u16 = VRA.v8u16 * VRB.v8u16 + VRC.v8u16; }

/* Word i of VRT is word i of VRC plus the products of the elements that lie in it. */
#define OP_MULTIPLY_SUM(name, x, y) \
	OP(name) \
	{ \
		union vreg a = VRA, b = VRB, c = VRC; \
		EACH(i, ELEMENTS(x)) \
			c.w[i * 4 / ELEMENTS(x)] += (uint32_t)a.x[i] * (uint32_t)b.y[i]; \
		VRT = c; \
	}
OP_MULTIPLY_SUM(vmsumuhm, h, h)

/* Bytes: the products of the even ones and of the odd ones, as halfwords. */
OP(vmsumshm) { VRT.v4u32 = VRC.v4u32 + host_dot(VRA.v8s16, VRB.v8s16); }
OP(vmsumubm)
{
	v8u16 a = VRA.v8u16, b = VRB.v8u16;

	VRT.v4u32 = VRC.v4u32 + host_dot((v8s16)(a & 0xff), (v8s16)(b & 0xff)) + host_dot((v8s16)(a >> 8), (v8s16)(b >> 8));
}

OP(vmsummbm)
{
	v8s16 a = VRA.v8s16;
	v8u16 b = VRB.v8u16;

	VRT.v4u32 = VRC.v4u32 + host_dot((v8s16)((v8u16)a << 8) >> 8, (v8s16)(b & 0xff)) + host_dot(a >> 8, (v8s16)(b >> 8));
}

#define OP_MULTIPLY_SUM_SATURATE(name, w, h, min, max) \
	OP(name) \
	{ \
		union vreg a = VRA, b = VRB, t = VRC; \
		bool sat = false; \
		EACH(i, 4) \
			t.w[i] = (ELEMENT(w))clamp((int64_t)t.w[i] + (int64_t)a.h[2 * i] * b.h[2 * i] + \
						   (int64_t)a.h[2 * i + 1] * b.h[2 * i + 1], min, max, &sat); \
		VRT = t; \
		saturated(cpu, sat); \
	}
OP_MULTIPLY_SUM_SATURATE(vmsumuhs, w, h, 0, UINT32_MAX)
OP_MULTIPLY_SUM_SATURATE(vmsumshs, sw, sh, INT32_MIN, INT32_MAX)

OP(vmsumudm)
{
	VRT.q = (u128)VRA.d[0] * VRB.d[0] + (u128)VRA.d[1] * VRB.d[1] + VRC.q;
}

/* ---- Sum across. 6.9.1.5 ---- */
OP(vsum4ubs)
{
	v4u32 a = VRA.v4u32, pairs = (a & 0x00ff00ff) + (a >> 8 & 0x00ff00ff);
	v4u32 r = VRB.v4u32 + (pairs & 0xffff) + (pairs >> 16), over = (v4u32)(r < VRB.v4u32);

	VRT.v4u32 = r | over;
	saturated(cpu, ((union vreg){ .v4u32 = over }).q != 0);
}

/* b plus the words of sum, which are far from overflowing themselves. */
static inline __attribute__((always_inline)) void sum_signed(struct cpu *cpu, union vreg *t, v4s32 b, v4s32 sum)
{
	v4s32 r = (v4s32)((v4u32)b + (v4u32)sum), over = ((b ^ r) & (sum ^ r)) < 0;
	v4s32 limit = (b < 0) ^ INT32_MAX;

	t->v4s32 = (r & ~over) | (limit & over);
	saturated(cpu, ((union vreg){ .v4s32 = over }).q != 0);
}

OP(vsum4shs)
{
	v4s32 a = VRA.v4s32;

	sum_signed(cpu, &VRT, VRB.v4s32, ((v4s32)((v4u32)a << 16) >> 16) + (a >> 16));
}

OP(vsum4sbs)
{
	v4u32 a = VRA.v4u32;

	sum_signed(cpu, &VRT, VRB.v4s32,
		   ((v4s32)(a << 24) >> 24) + ((v4s32)(a << 16) >> 24) + ((v4s32)(a << 8) >> 24) + ((v4s32)a >> 24));
}

OP(vsum2sws)
{
	union vreg a = VRA, b = VRB, t = { 0 };
	bool sat = false;

	EACH(i, 2) {
		int64_t sum = (int64_t)b.sw[2 * i] + a.sw[2 * i] + a.sw[2 * i + 1];

		t.sw[2 * i] = (int32_t)clamp(sum, INT32_MIN, INT32_MAX, &sat);
	}
	VRT = t;
	saturated(cpu, sat);
}

OP(vsumsws)
{
	int64_t sum = VRB.sw[0];
	bool sat = false;

	EACH(i, 4)
		sum += VRA.sw[i];
	VRT.q = (uint32_t)clamp(sum, INT32_MIN, INT32_MAX, &sat);
	saturated(cpu, sat);
}

/* ---- Negate, extend sign, average, difference, maximum, minimum. 6.9.1.6, 6.9.2 ---- */
OP(vnegw) { VRT.v4u32 = -VRB.v4u32; }
OP(vnegd) { VRT.v2u64 = -VRB.v2u64; }

OP_EACH1(vextsb2w, sw) { return (int8_t)b; }
OP_EACH1(vextsh2w, sw) { return (int16_t)b; }
OP_EACH1(vextsb2d, sd) { return (int8_t)b; }
OP_EACH1(vextsh2d, sd) { return (int16_t)b; }
OP_EACH1(vextsw2d, sd) { return (int32_t)b; }

OP_EACH(vavgub, b)  { return (uint8_t)((a + b + 1) >> 1); }
OP_EACH(vavguh, h)  { return (uint16_t)((a + b + 1) >> 1); }
OP_EACH(vavguw, w)  { return (uint32_t)(((uint64_t)a + b + 1) >> 1); }
OP_EACH(vavgsb, sb) { return (int8_t)((a + b + 1) >> 1); }
OP_EACH(vavgsh, sh) { return (int16_t)((a + b + 1) >> 1); }
OP_EACH(vavgsw, sw) { return (int32_t)(((int64_t)a + b + 1) >> 1); }

OP_EACH(vabsdub, b) { return (uint8_t)(a > b ? a - b : b - a); }
OP_EACH(vabsduh, h) { return (uint16_t)(a > b ? a - b : b - a); }
OP_EACH(vabsduw, w) { return a > b ? a - b : b - a; }

OP_EACH(vmaxub, b)  { return a > b ? a : b; }
OP_EACH(vmaxuh, h)  { return a > b ? a : b; }
OP_EACH(vmaxuw, w)  { return a > b ? a : b; }
OP_EACH(vmaxud, d)  { return a > b ? a : b; }
OP_EACH(vmaxsb, sb) { return a > b ? a : b; }
OP_EACH(vmaxsh, sh) { return a > b ? a : b; }
OP_EACH(vmaxsw, sw) { return a > b ? a : b; }
OP_EACH(vmaxsd, sd) { return a > b ? a : b; }
OP_EACH(vminub, b)  { return a < b ? a : b; }
OP_EACH(vminuh, h)  { return a < b ? a : b; }
OP_EACH(vminuw, w)  { return a < b ? a : b; }
OP_EACH(vminud, d)  { return a < b ? a : b; }
OP_EACH(vminsb, sb) { return a < b ? a : b; }
OP_EACH(vminsh, sh) { return a < b ? a : b; }
OP_EACH(vminsw, sw) { return a < b ? a : b; }
OP_EACH(vminsd, sd) { return a < b ? a : b; }

/* ---- Compare. 6.9.3 ---- */
OP_COMPARE(vcmpequb) { t->v16s8 = a->v16u8 == b->v16u8; }
OP_COMPARE(vcmpequh) { t->v8s16 = a->v8u16 == b->v8u16; }
OP_COMPARE(vcmpequw) { t->v4s32 = a->v4u32 == b->v4u32; }
OP_COMPARE(vcmpequd) { t->v2s64 = a->v2u64 == b->v2u64; }
OP_COMPARE(vcmpneb)  { t->v16s8 = a->v16u8 != b->v16u8; }
OP_COMPARE(vcmpneh)  { t->v8s16 = a->v8u16 != b->v8u16; }
OP_COMPARE(vcmpnew)  { t->v4s32 = a->v4u32 != b->v4u32; }
/* Not equal, or either is zero. */
OP_COMPARE(vcmpnezb) { t->v16s8 = (a->v16u8 != b->v16u8) | (a->v16u8 == 0); }
OP_COMPARE(vcmpnezh) { t->v8s16 = (a->v8u16 != b->v8u16) | (a->v8u16 == 0); }
OP_COMPARE(vcmpnezw) { t->v4s32 = (a->v4u32 != b->v4u32) | (a->v4u32 == 0); }
OP_COMPARE(vcmpgtub) { t->v16s8 = a->v16u8 > b->v16u8; }
OP_COMPARE(vcmpgtuh) { t->v8s16 = a->v8u16 > b->v8u16; }
OP_COMPARE(vcmpgtuw) { t->v4s32 = a->v4u32 > b->v4u32; }
OP_COMPARE(vcmpgtud) { t->v2s64 = a->v2u64 > b->v2u64; }
OP_COMPARE(vcmpgtsb) { t->v16s8 = a->v16s8 > b->v16s8; }
OP_COMPARE(vcmpgtsh) { t->v8s16 = a->v8s16 > b->v8s16; }
OP_COMPARE(vcmpgtsw) { t->v4s32 = a->v4s32 > b->v4s32; }
OP_COMPARE(vcmpgtsd) { t->v2s64 = a->v2s64 > b->v2s64; }

/* ---- Logical. 6.8.5, 6.9.4, 6.9.5 ---- */
OP(vandc) { VRT.v2u64 = VRA.v2u64 & ~VRB.v2u64; }
OP(vorc)  { VRT.v2u64 = VRA.v2u64 | ~VRB.v2u64; }
OP(vnor)  { VRT.v2u64 = ~(VRA.v2u64 | VRB.v2u64); }
OP(vnand) { VRT.v2u64 = ~(VRA.v2u64 & VRB.v2u64); }
OP(veqv)  { VRT.v2u64 = ~(VRA.v2u64 ^ VRB.v2u64); }

/* Parity of the low bits of the bytes. */
#define LOW_BITS UINT64_C(0x0101010101010101)
OP_EACH1(vprtybw, w) { return (uint32_t)__builtin_parity(b & (uint32_t)LOW_BITS); }
OP_EACH1(vprtybd, d) { return (uint64_t)__builtin_parityll(b & LOW_BITS); }
OP(vprtybq) { VRT.q = (unsigned)__builtin_parityll((VRB.d[0] ^ VRB.d[1]) & LOW_BITS); }

/* ---- Rotate and shift. 6.9.6 ---- */
OP_EACH(vrlb, b)   { return (uint8_t)(a << (b & 7) | a >> (-b & 7)); }
OP_EACH(vrlh, h)   { return (uint16_t)((uint32_t)a << (b & 15) | a >> (-b & 15)); }
OP_EACH(vrlw, w)   { return a << (b & 31) | a >> (-b & 31); }
OP_EACH(vrld, d)   { return a << (b & 63) | a >> (-b & 63); }
OP_EACH(vslb, b)   { return (uint8_t)(a << (b & 7)); }
OP_EACH(vslh, h)   { return (uint16_t)((uint32_t)a << (b & 15)); }
OP_EACH(vslw, w)   { return a << (b & 31); }
OP_EACH(vsld, d)   { return a << (b & 63); }
OP_EACH(vsrb, b)   { return (uint8_t)(a >> (b & 7)); }
OP_EACH(vsrh, h)   { return (uint16_t)(a >> (b & 15)); }
OP_EACH(vsrw, w)   { return a >> (b & 31); }
OP_EACH(vsrd, d)   { return a >> (b & 63); }
OP_EACH(vsrab, sb) { return (int8_t)(a >> (b & 7)); }
OP_EACH(vsrah, sh) { return (int16_t)(a >> (b & 15)); }
OP_EACH(vsraw, sw) { return a >> (b & 31); }
OP_EACH(vsrad, sd) { return a >> (b & 63); }

/* VRB's element holds mask begin, mask end and shift, one byte each from its third. */
#define ROTATE_MASK(e, bits) \
	static inline ELEMENT(e) mask_##e(ELEMENT(e) control) \
	{ \
		unsigned begin = (unsigned)(control >> 16) % (bits), end = (unsigned)(control >> 8) % (bits); \
		ELEMENT(e) ones = ~(ELEMENT(e))0, from = ones >> begin, to = ones << ((bits) - 1 - end); \
		return begin <= end ? from & to : from | to; \
	} \
	static inline ELEMENT(e) rotate_##e(ELEMENT(e) a, ELEMENT(e) control) \
	{ \
		return a << (control % (bits)) | a >> (-control % (bits)); \
	}
ROTATE_MASK(w, 32)
ROTATE_MASK(d, 64)

OP_EACH(vrlwnm, w) { return rotate_w(a, b) & mask_w(b); }
OP_EACH(vrldnm, d) { return rotate_d(a, b) & mask_d(b); }

OP(vrlwmi)
{
	union vreg a = VRA, b = VRB, t = VRT;

	EACH(i, 4)
		t.w[i] = (rotate_w(a.w[i], b.w[i]) & mask_w(b.w[i])) | (t.w[i] & ~mask_w(b.w[i]));
	VRT = t;
}

OP(vrldmi)
{
	union vreg a = VRA, b = VRB, t = VRT;

	EACH(i, 2)
		t.d[i] = (rotate_d(a.d[i], b.d[i]) & mask_d(b.d[i])) | (t.d[i] & ~mask_d(b.d[i]));
	VRT = t;
}

/* ---- Counts. 6.13 to 6.15. A guard bit stands in for the builtins' undefined zero. ---- */
OP_EACH1(vclzb, b) { return (uint8_t)(__builtin_clz((uint32_t)b << 24 | 0x800000u)); }
OP_EACH1(vclzh, h) { return (uint16_t)(__builtin_clz((uint32_t)b << 16 | 0x8000u)); }
OP_EACH1(vclzw, w) { return b ? (uint32_t)__builtin_clz(b) : 32; }
OP_EACH1(vclzd, d) { return b ? (uint64_t)__builtin_clzll(b) : 64; }
OP_EACH1(vctzb, b) { return (uint8_t)__builtin_ctz(b | 0x100u); }
OP_EACH1(vctzh, h) { return (uint16_t)__builtin_ctz(b | 0x10000u); }
OP_EACH1(vctzw, w) { return b ? (uint32_t)__builtin_ctz(b) : 32; }
OP_EACH1(vctzd, d) { return b ? (uint64_t)__builtin_ctzll(b) : 64; }

/* Adds neighbours in place, pairs first. */
static inline uint64_t count_in_bytes(uint64_t x)
{
	x -= x >> 1 & UINT64_C(0x5555555555555555);
	x = (x & UINT64_C(0x3333333333333333)) + (x >> 2 & UINT64_C(0x3333333333333333));
	return (x + (x >> 4)) & UINT64_C(0x0f0f0f0f0f0f0f0f);
}

OP_EACH1(vpopcntb, d) { return count_in_bytes(b); }
OP_EACH1(vpopcnth, d) { b = count_in_bytes(b); return (b + (b >> 8)) & UINT64_C(0x001f001f001f001f); }
OP_EACH1(vpopcntw, w) { return (uint32_t)__builtin_popcount(b); }
OP_EACH1(vpopcntd, d) { return (uint64_t)__builtin_popcountll(b); }

/* The low bits of the 16 bytes, byte 0 (the manual's) in bit 15. */
static inline unsigned low_bits(const union vreg *v)
{
	unsigned bits = 0;

	EACH(i, 16)
		bits |= (v->b[i] & 1u) << i;
	return bits;
}

OP(vclzlsbb) { RT = (unsigned)__builtin_clz(low_bits(&VRB) << 16 | 0x8000u); }
OP(vctzlsbb) { RT = (unsigned)__builtin_ctz(low_bits(&VRB) | 0x10000u); }

/* Outer products of floating-point numbers.
 *
 * A row goes through the host's unit at once, as a vector of op_vsx_vector.c does; if every element that is there came out
 * ordinary (fp.h), or as a zero that its operands explain, those are the results. Otherwise all elements go through the
 * exact path. Exceptions are not looked at until all elements have been written: none of them, enabled or not, keeps a
 * result from the accumulator. FPRF, FR and FI stay.
 *
 * Two products of halves are exact in single format, unless a bfloat16's range makes them too large or too small, and a
 * fused operation rounds their sum once.
 *
 * Source: Power ISA 3.1, Book I, chapter 7.
 */
#include "cpu/fp/fp.h"
#include "cpu/vector/mma.h"

#define SIGN32 UINT32_C(0x80000000)
#define SIGN64 PPC_BIT(0)

static bool any_set(v2u64 m) { return (m[0] | m[1]) != 0; }

static bool finish(struct cpu *cpu, const struct op *op, const struct fp_status *st, const union vreg r[4])
{
	memcpy(ACC_OF(op), r, 4 * sizeof r[0]);
	fp_raise(cpu, st->raised);
	return fp_trap_raised(cpu, op, st->raised);
}

/* No exception is enabled until the end. */
static struct fp_status begin(const struct cpu *cpu)
{
	struct fp_status st = fp_begin(cpu);

	st.control &= ~(FPSCR_VE | FPSCR_OE | FPSCR_UE | FPSCR_ZE | FPSCR_XE);
	return st;
}

/* ---- Singles and doubles: one product ---- */

/* Row i's factor, as bits: what copies it must not round. Doubles: there are four of them in two VSRs. */
#define FACTOR_4s(a, i) VW((a)[0], i)
#define FACTOR_2d(a, i) VD((a)[(i) >> 1], (i) & 1)
#define ONE_4s { 1, 1, 1, 1 }
#define ONE_2d { 1, 1 }

#define GER_SHAPE(shape, bits, fvec, uvec, element, operate) \
	static __attribute__((noinline)) bool \
	exact_##shape(struct cpu *cpu, const struct op *op, unsigned fpo, unsigned rows, const uvec *columns) \
	{ \
		const union vreg *acc = ACC_OF(op), *a = &XA; \
		struct fp_status st = begin(cpu); \
		union vreg r[4] = { 0 }; \
		\
		for (int i = 0; i < 4; i++) \
			for (int j = 0; j < 128 / bits; j++) \
				if (ROW_IS_THERE(rows, i) && (*columns)[j]) \
					r[i].element[j] = (uint##bits##_t)operate(&st, fpo, FACTOR_##shape(a, i), \
										 XB.element[j], acc[i].element[j]); \
		return finish(cpu, op, &st, r); \
	} \
	\
	static inline __attribute__((always_inline)) fvec product_##shape(unsigned fpo, fvec x, fvec y, fvec z) \
	{ \
		return fpo == FPO_MUL ? host_mul_##shape(x, y) : \
		       fpo == FPO_MADD || fpo == FPO_NMADD ? host_madd_##shape(x, y, z) : host_msub_##shape(x, y, z); \
	} \
	\
	/* An element that is not there is taken for 1, which is ordinary. */ \
	static inline __attribute__((always_inline)) int \
	ger_##shape(struct cpu *cpu, const struct op *op, bool slowly, unsigned fpo, unsigned rows, uvec columns) \
	{ \
		union vreg *acc = ACC_OF(op), r[4]; \
		const union vreg *a = &XA; \
		fvec one = ONE_##shape, y = (fvec)(XB.uvec & columns); \
		bool ordinary = true; \
		\
		for (int i = 0; i < 4; i++) { \
			fvec x = (fvec)(FACTOR_##shape(a, i) - (uvec){}), z = (fvec)(acc[i].uvec & columns), v; \
			uvec sign = (uvec){} + (fpo == FPO_NMADD || fpo == FPO_NMSUB ? SIGN##bits : 0); \
			\
			r[i].q = 0; \
			if (!ROW_IS_THERE(rows, i)) \
				continue; \
			v = product_##shape(fpo, x, y, z); \
			r[i].uvec = ((uvec)v ^ sign) & columns; \
			v = (fvec)(((uvec)v & columns) | ((uvec)one & ~columns)); \
			if (slowly) { \
				uvec none = (uvec)((uvec)v << 1 == 0) & (uvec)(((uvec)x << 1 == 0) | ((uvec)y << 1 == 0)); \
				\
				none &= fpo == FPO_MUL ? ~(uvec){} : (uvec)((uvec)z << 1 == 0); \
				v = (fvec)(((uvec)v & ~none) | ((uvec)one & none)); \
			} \
			ordinary &= fp_ordinary_##shape(cpu, v); \
		} \
		if (likely(ordinary)) { \
			memcpy(acc, r, sizeof r); \
			return true; \
		} \
		return SLOWLY(exact_##shape(cpu, op, fpo, rows, &columns)); \
	}
GER_SHAPE(4s, 32, v4f32, v4u32, w, fp32_op)
GER_SHAPE(2d, 64, v2f64, v2u64, d, fp64_op)

#define ALL_4s (~(v4u32){})
#define ALL_2d (~(v2u64){})
#define THERE_4s mma_columns(MASK_Y(op->imm))
#define THERE_2d mma_columns_2d(MASK_Y(op->imm))

#define PRODUCT(name, shape, fpo, two) \
	OP_TRY(name) { return ger_##shape(cpu, op, slowly, fpo, ALL_ROWS, ALL_##shape); } \
	OP_TRY(pm##name) { return ger_##shape(cpu, op, slowly, fpo, MASK_X(op->imm), THERE_##shape); }
#define PRODUCT_ALONE(name, shape, two) \
	PRODUCT(name, shape, FPO_MUL, two) \
	DECODE_HOOK(pm##name) { return mma_masks(op, word, -1, 0, two); }
#define PRODUCT_ADDED(name, shape, fpo, two) \
	PRODUCT(name, shape, fpo, two) \
	OP_TRY(name##_plain) { v##shape all = ALL_##shape; return SLOWLY(exact_##shape(cpu, op, fpo, ALL_ROWS, &all)); } \
	OP_TRY(pm##name##_plain) { v##shape there = THERE_##shape; return SLOWLY(exact_##shape(cpu, op, fpo, MASK_X(op->imm), &there)); } \
	HOST_NEEDS(name, HOST_FMA) \
	DECODE_HOOK(pm##name) \
	{ \
		if (!(host_features() & HOST_FMA)) \
			op->fn = op_pm##name##_plain; \
		return mma_masks(op, word, -1, 0, two); \
	}
typedef v4u32 v4s;
typedef v2u64 v2d;
PRODUCT_ALONE(xvf32ger, 4s, false)
PRODUCT_ADDED(xvf32gerpp, 4s, FPO_MADD, false)
PRODUCT_ADDED(xvf32gerpn, 4s, FPO_MSUB, false)
PRODUCT_ADDED(xvf32gernp, 4s, FPO_NMSUB, false)
PRODUCT_ADDED(xvf32gernn, 4s, FPO_NMADD, false)
PRODUCT_ALONE(xvf64ger, 2d, true)
PRODUCT_ADDED(xvf64gerpp, 2d, FPO_MADD, true)
PRODUCT_ADDED(xvf64gerpn, 2d, FPO_MSUB, true)
PRODUCT_ADDED(xvf64gernp, 2d, FPO_NMSUB, true)
PRODUCT_ADDED(xvf64gernn, 2d, FPO_NMADD, true)

/* ---- Halves: two products ---- */

static __attribute__((noinline)) bool
exact_halves(struct cpu *cpu, const struct op *op, const struct fp_format *from, enum fp_ger how, unsigned rows, unsigned y, unsigned p)
{
	const union vreg *acc = ACC_OF(op);
	v4u32 there = mma_parts(p, 2);
	union vreg a = { .v4u32 = XA.v4u32 & there }, b = { .v4u32 = XB.v4u32 & there }, r[4] = { 0 };
	struct fp_status st = begin(cpu);

	for (int i = 0; i < 4; i++)
		for (int j = 0; j < 4; j++)
			if (ROW_IS_THERE(rows, i) && y >> (3 - j) & 1)
				VW(r[i], j) = fp_ger2(&st, from, how, (const uint16_t[]){ VH(a, 2 * i), VH(a, 2 * i + 1) },
						      (const uint16_t[]){ VH(b, 2 * j), VH(b, 2 * j + 1) }, VW(acc[i], j));
	return finish(cpu, op, &st, r);
}

/* The half in the low bits of each word as a single: exact. Infinities and NaNs do not come here. */
static inline __attribute__((always_inline)) v4f32 from_half(v4u32 h)
{
	v4f32 scale = { 0x1p112f, 0x1p112f, 0x1p112f, 0x1p112f };
	v4f32 magnitude = host_mul_4s((v4f32)((h & 0x7fff) << 13), scale);

	return (v4f32)((v4u32)magnitude | (h & 0x8000) << 16);
}

static inline __attribute__((always_inline)) v4f32 first_f16(v4u32 v) { return from_half(v >> 16); }
static inline __attribute__((always_inline)) v4f32 second_f16(v4u32 v) { return from_half(v & 0xffff); }
static inline __attribute__((always_inline)) v4f32 first_bf16(v4u32 v) { return (v4f32)(v & 0xffff0000u); }
static inline __attribute__((always_inline)) v4f32 second_bf16(v4u32 v) { return (v4f32)(v << 16); }

/* Nothing of a host operation that is tried in vain must be seen, so what is not exact in single format is known beforehand:
 * some half is an infinity or a NaN; some bfloat16 is neither zero nor between 2^-63 and 2^63, which keeps products normal
 * and their sum finite. */
static inline __attribute__((always_inline)) v8u16 special_f16(v8u16 v) { return (v8u16)((v & 0x7fff) >= 0x7c00); }

static inline __attribute__((always_inline)) v8u16 special_bf16(v8u16 v)
{
	return (v8u16)((v & 0x7fff) != 0) & (v8u16)((v >> 7 & 255) - 64 > 189 - 64);
}

/* With the accumulator: what is neither infinite nor a NaN nor nearly so. Sums that are zero or denormal are exact. */
static inline __attribute__((always_inline)) v4u32 wrong_sum(v4f32 r) { return (v4u32)((v4s32)((v4u32)r & ~SIGN32) >= 0x7f7fffff); }

#define GER_HALVES(kind, format) \
	static inline __attribute__((always_inline)) int \
	ger_##kind(struct cpu *cpu, const struct op *op, bool slowly, enum fp_ger how, unsigned rows, unsigned y_, unsigned p_) \
	{ \
		v4u32 columns = mma_columns(y_), there = mma_parts(p_, 2), b = XB.v4u32 & there & columns, wrong = {}; \
		union vreg *acc = ACC_OF(op), a = { .v4u32 = XA.v4u32 & there }, r[4]; \
		v4f32 y[2] = { first_##kind(b), second_##kind(b) }; \
		v4u32 first = (v4u32)first_##kind(a.v4u32), second = (v4u32)second_##kind(a.v4u32); \
		\
		if (unlikely(any_set((v2u64)(special_##kind((v8u16)a.v4u32) | special_##kind((v8u16)b))))) \
			return SLOWLY(exact_halves(cpu, op, format, how, rows, y_, p_)); \
		for (int i = 0; i < 4; i++) { \
			v4f32 x[2] = { (v4f32)(first[3 - i] - (v4u32){}), (v4f32)(second[3 - i] - (v4u32){}) }, p, s; \
			\
			r[i].q = 0; \
			if (!ROW_IS_THERE(rows, i)) \
				continue; \
			p = host_mul_4s(x[0], y[0]); \
			s = host_madd_4s(x[1], y[1], p); \
			if (how != FP_GER) { \
				v4u32 z = acc[i].v4u32 & columns; \
				\
				s = host_add_4s((v4f32)((v4u32)s ^ (how & 2 ? SIGN32 : 0)), (v4f32)(z ^ (how & 4 ? SIGN32 : 0))); \
				wrong |= wrong_sum(s) & columns; \
			} \
			r[i].v4u32 = (v4u32)s & columns; \
		} \
		if (likely(!any_set((v2u64)wrong) & !cpu->fp_strict)) { \
			memcpy(acc, r, sizeof r); \
			return true; \
		} \
		return SLOWLY(exact_halves(cpu, op, format, how, rows, y_, p_)); \
	}
GER_HALVES(f16, &fp_format16)
GER_HALVES(bf16, &fp_bfloat16)

#define HALVES(name, kind, format, how) \
	OP_TRY(name) { return ger_##kind(cpu, op, slowly, how, ALL_ROWS, 15, 3); } \
	OP_TRY(pm##name) { return ger_##kind(cpu, op, slowly, how, MASK_X(op->imm), MASK_Y(op->imm), MASK_P(op->imm)); } \
	OP_TRY(name##_plain) { return SLOWLY(exact_halves(cpu, op, format, how, ALL_ROWS, 15, 3)); } \
	OP_TRY(pm##name##_plain) \
	{ \
		return SLOWLY(exact_halves(cpu, op, format, how, MASK_X(op->imm), MASK_Y(op->imm), MASK_P(op->imm))); \
	} \
	HOST_NEEDS(name, HOST_FMA) \
	DECODE_HOOK(pm##name) \
	{ \
		if (!(host_features() & HOST_FMA)) \
			op->fn = op_pm##name##_plain; \
		return mma_masks(op, word, 14, 2, false); \
	}
#define HALVES_FORMS(name, kind, format) \
	HALVES(name, kind, format, FP_GER) \
	HALVES(name##pp, kind, format, FP_GER_PP) \
	HALVES(name##np, kind, format, FP_GER_NP) \
	HALVES(name##pn, kind, format, FP_GER_PN) \
	HALVES(name##nn, kind, format, FP_GER_NN)
HALVES_FORMS(xvf16ger2, f16, &fp_format16)
HALVES_FORMS(xvbf16ger2, bf16, &fp_bfloat16)

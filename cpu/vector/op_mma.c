/* Accumulators, and outer products of integers.
 *
 * An accumulator is the VSRs that it overlays, so moving one to or from them moves nothing. Products of a row's factor
 * and all columns at once: pairs of signed halfwords are multiplied and added by the host (host_dot), narrower elements
 * are widened to them first.
 *
 * Source: Power ISA 3.1, Book I, chapter 7. If XA or XB lies in the accumulator, which is an invalid form, the
 * operands are what was there before.
 */
#include "cpu/vector/mma.h"
#include "cpu/vector/vmx.h"
#include "cpu/vector/vmx_host.h"

OP(xxmfacc) { }
OP(xxmtacc) { }

OP(xxsetaccz)
{
	union vreg *acc = ACC_OF(op);

	for (int i = 0; i < 4; i++)
		acc[i].q = 0;
}

/* ---- A row's sums of products ---- */

static inline __attribute__((always_inline)) v4s32 dot(v8s16 a, v8s16 b) { return (v4s32)host_dot(a, b); }

/* Each halfword's n-th nibble, signed. */
static inline __attribute__((always_inline)) v8s16 nibble(v4u32 v, int n) { return (v8s16)v << (12 - 4 * n) >> 12; }

static inline __attribute__((always_inline)) v4s32 sum_i4(v4u32 a, v4u32 b)
{
	return dot(nibble(a, 0), nibble(b, 0)) + dot(nibble(a, 1), nibble(b, 1)) + dot(nibble(a, 2), nibble(b, 2)) +
	       dot(nibble(a, 3), nibble(b, 3));
}

/* XA's bytes are signed, XB's are not. */
static inline __attribute__((always_inline)) v4s32 sum_i8(v4u32 a, v4u32 b)
{
	v8s16 x = (v8s16)a, low = (v8s16)((v8u16)b & 0xff), high = (v8s16)((v8u16)b >> 8);

	return dot(x << 8 >> 8, low) + dot(x >> 8, high);
}

static inline __attribute__((always_inline)) v4s32 sum_i16(v4u32 a, v4u32 b) { return dot((v8s16)a, (v8s16)b); }

/* ---- What becomes of a sum ---- */

static inline __attribute__((always_inline)) v4s32 keep(struct cpu *cpu, v4s32 sum, v4s32 acc, v4s32 columns)
{
	(void)cpu;
	(void)acc;
	(void)columns;
	return sum;
}

static inline __attribute__((always_inline)) v4s32 add(struct cpu *cpu, v4s32 sum, v4s32 acc, v4s32 columns)
{
	(void)cpu;
	(void)columns;
	return (v4s32)((v4u32)sum + (v4u32)acc);
}

/* Exact: two products of the smallest halfword are one more than the largest word, which no other sum of two products is,
 * and INT32_MIN here. */
static inline __attribute__((always_inline)) v4s32 add_saturated(struct cpu *cpu, v4s32 sum, v4s32 acc, v4s32 columns)
{
	union vreg a = { .v4s32 = acc & columns }, s = { .v4s32 = sum & columns };
	bool sat = false;

	for (int j = 0; j < 4; j++) {
		int64_t exact = s.sw[j] == INT32_MIN ? -(int64_t)INT32_MIN : s.sw[j];

		a.sw[j] = (int32_t)clamp(exact + a.sw[j], INT32_MIN, INT32_MAX, &sat);
	}
	saturated(cpu, sat);
	return a.v4s32;
}

static inline __attribute__((always_inline)) v4s32 keep_saturated(struct cpu *cpu, v4s32 sum, v4s32 acc, v4s32 columns)
{
	(void)acc;
	return add_saturated(cpu, sum, (v4s32){}, columns);
}

/* ---- The instructions ---- */

#define OP_GER(name, sum, become, rows, columns_, parts_) \
	OP(name) \
	{ \
		union vreg *acc = ACC_OF(op), a = XA; \
		v4u32 b = XB.v4u32 & (parts_), columns = (columns_); \
		for (int i = 0; i < 4; i++) { \
			v4s32 sums = sum(VW(a, i) - (v4u32){}, b); \
			acc[i].v4u32 = ROW_IS_THERE(rows, i) ? (v4u32)become(cpu, sums, acc[i].v4s32, (v4s32)columns) & columns : (v4u32){}; \
		} \
	}
#define ALL (~(v4u32){})
#define GER(name, sum, become, n) \
	OP_GER(name, sum, become, ALL_ROWS, ALL, ALL) \
	OP_GER(pm##name, sum, become, MASK_X(op->imm), mma_columns(MASK_Y(op->imm)), mma_parts(MASK_P(op->imm), n)) \
	MASKED_##n(pm##name)

GER(xvi4ger8, sum_i4, keep, 8)
GER(xvi4ger8pp, sum_i4, add, 8)
GER(xvi8ger4, sum_i8, keep, 4)
GER(xvi8ger4pp, sum_i8, add, 4)
GER(xvi8ger4spp, sum_i8, add_saturated, 4)
GER(xvi16ger2, sum_i16, keep, 2)
GER(xvi16ger2pp, sum_i16, add, 2)
GER(xvi16ger2s, sum_i16, keep_saturated, 2)
GER(xvi16ger2spp, sum_i16, add_saturated, 2)

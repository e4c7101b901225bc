/* Outer products: which rows and columns of an accumulator there are, and which products. An accumulator is the four VSRs
 * from op->a on, row i being the i-th of them. Power ISA 3.1, Book I, chapter 7.
 */
#ifndef CPU_VECTOR_MMA_H
#define CPU_VECTOR_MMA_H

#include "cpu/engine/decode.h"
#include "cpu/engine/operands.h"

/* The masks of a prefixed form in op->imm. Their last bit stands for the last row, column or product. */
#define MASK_X(imm) ((unsigned)(imm) & 15)
#define MASK_Y(imm) ((unsigned)(imm) >> 4 & 15)
#define MASK_P(imm) ((unsigned)(imm) >> 8 & 255)

#define ROW_IS_THERE(rows, i) ((rows) >> (3 - (i)) & 1)
#define ALL_ROWS 15u

#define ACC_OF(op) (&VSR((op)->a))

/* Words, or doublewords, of the columns that are there: all ones. */
static inline __attribute__((always_inline)) v4u32 mma_columns(unsigned y)
{
	return (v4u32){ -(y & 1), -(y >> 1 & 1), -(y >> 2 & 1), -(y >> 3 & 1) };
}

static inline __attribute__((always_inline)) v2u64 mma_columns_2d(unsigned y)
{
	return (v2u64){ -(uint64_t)(y & 1), -(uint64_t)(y >> 1 & 1) };
}

/* Each word's part of an operand whose products are there: n parts, each as wide as 32 / n bits. */
static inline __attribute__((always_inline)) v4u32 mma_parts(unsigned p, unsigned n)
{
	uint32_t part = UINT32_MAX >> (32 - 32 / n), mask = 0;

	for (unsigned i = 0; i < n; i++)
		mask |= p >> i & 1 ? part << (i * (32 / n)) : 0;
	return mask - (v4u32){};
}

/* PMSK ends in the prefix's bit `pmsk` from the right; -1: there is none. YMSK has two bits for two columns. */
static inline bool mma_masks(struct op *op, uint64_t word, int pmsk, unsigned pbits, bool two_columns)
{
	unsigned prefix = (unsigned)(word >> 32), y = two_columns ? prefix >> 2 & 3 : prefix & 15;
	unsigned p = pmsk < 0 ? 0 : prefix >> pmsk & ((1u << pbits) - 1);

	op->imm = (int32_t)((prefix >> 4 & 15) | y << 4 | p << 8);
	op->d = 0;
	return true;
}
#define MASKED_8(name) DECODE_HOOK(name) { return mma_masks(op, word, 8, 8, false); }
#define MASKED_4(name) DECODE_HOOK(name) { return mma_masks(op, word, 12, 4, false); }
#define MASKED_2(name) DECODE_HOOK(name) { return mma_masks(op, word, 14, 2, false); }

#endif

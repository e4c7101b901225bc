/* Atomic memory operations: lwat, ldat, stwat, stdat. Power ISA 3.0B, Book II, 4.5. */
#include "cpu/engine/decode.h"
#include "cpu/engine/dispatch.h"
#include "cpu/engine/operands.h"

enum function {
	FC_ADD, FC_XOR, FC_OR, FC_AND, FC_UMAX, FC_SMAX, FC_UMIN, FC_SMIN,
	FC_SWAP = 8, FC_CAS_NE = 16, FC_INC_BOUNDED = 24, FC_TWIN = 24, FC_INC_EQUAL = 25, FC_DEC_BOUNDED = 28,
};

/* Functions 0 to 7, the same for loads and stores. */
static uint64_t combine_operands(int function, uint64_t old, uint64_t x, uint64_t sign)
{
	switch (function) {
	case FC_ADD: return old + x;
	case FC_XOR: return old ^ x;
	case FC_OR: return old | x;
	case FC_AND: return old & x;
	case FC_UMAX: return old > x ? old : x;
	case FC_SMAX: return (old ^ sign) > (x ^ sign) ? old : x;
	case FC_UMIN: return old < x ? old : x;
	default: return (old ^ sign) < (x ^ sign) ? old : x;
	}
}

static uint64_t get_operand(const uint8_t *host, unsigned size, bool big)
{
	uint64_t v = 0;

	memcpy(&v, host, size);
	return !big ? v : size == 4 ? swap_u32((uint32_t)v) : swap_u64(v);
}

static void put_operand(uint8_t *host, uint64_t v, unsigned size, bool big)
{
	if (big)
		v = size == 4 ? swap_u32((uint32_t)v) : swap_u64(v);
	memcpy(host, &v, size);
}

/* 16 (compare and swap not equal) stores RT+2 if memory differs from RT+1; 24, 25, 28 count
 * within a bound that lies beside the word: above it for 24 and 25, below for 28. What memory
 * held goes to RT, or the smallest integer if the bound stopped the count. */
static bool atomic_load(struct cpu *cpu, const struct op *op, unsigned size, bool big)
{
	bool below = op->imm == FC_DEC_BOUNDED, bounded = op->imm >= FC_INC_BOUNDED, write = true;
	uint64_t ea = RA, from = below ? ea - size : ea, old, bound, result;
	uint64_t mask = size == 4 ? UINT32_MAX : UINT64_MAX, sign = UINT64_C(1) << (8 * size - 1);
	uint64_t x = cpu->r[(op->a + 1) & 31] & mask, y = cpu->r[(op->a + 2) & 31] & mask;
	unsigned span = bounded ? 2 * size : size;
	uint8_t *host, *word;

	if (ea & (size - 1) || (bounded && (from & 31) + span > 32))
		return raise_alignment(cpu, op, ea);
	host = host_address(cpu, op, from, span, ACCESS_WRITE);
	if (!host)
		return false;
	word = below ? host + size : host;
	old = get_operand(word, size, big);
	bound = bounded ? get_operand(below ? host : host + size, size, big) : 0;
	switch (op->imm) {
	case FC_SWAP: result = x; break;
	case FC_CAS_NE: result = y; write = old != x; break;
	case FC_INC_BOUNDED: result = old + 1; write = old != bound; break;
	case FC_INC_EQUAL: result = old + 1; write = old == bound; break;
	case FC_DEC_BOUNDED: result = old - 1; write = old != bound; break;
	default: result = combine_operands(op->imm, old, x, sign); break;
	}
	if (write)
		put_operand(word, result, size, big);
	RT = write || !bounded ? old : sign;
	return true;
}

/* 24 (store twin) stores RS in this word and the next if the two are equal. */
static bool atomic_store(struct cpu *cpu, const struct op *op, unsigned size, bool big)
{
	bool twin = op->imm == FC_TWIN;
	uint64_t ea = RA, old, x = RS & (size == 4 ? UINT32_MAX : UINT64_MAX);
	uint8_t *host;

	if (ea & (size - 1) || (twin && (ea & 31) + 2 * size > 32))
		return raise_alignment(cpu, op, ea);
	host = host_address(cpu, op, ea, twin ? 2 * size : size, ACCESS_WRITE);
	if (!host)
		return false;
	old = get_operand(host, size, big);
	if (!twin) {
		put_operand(host, combine_operands(op->imm, old, x, UINT64_C(1) << (8 * size - 1)), size, big);
	} else if (old == get_operand(host + size, size, big)) {
		put_operand(host, x, size, big);
		put_operand(host + size, x, size, big);
	}
	return true;
}

#define ATOMIC(name, access, size) \
	OP_TRY(name) { return access(cpu, op, size, false); } \
	OP_TRY(name##_be) { return access(cpu, op, size, true); }
ATOMIC(lwat, atomic_load, 4)
ATOMIC(ldat, atomic_load, 8)
ATOMIC(stwat, atomic_store, 4)
ATOMIC(stdat, atomic_store, 8)

/* No such function: Book III, 6.5.3. */
#define DSISR_STORE   PPC_BIT32(6)
#define DSISR_BAD_AMO PPC_BIT32(29)

static bool raise_bad_function(struct cpu *cpu, const struct op *op, uint32_t dsisr)
{
	cpu->dar = RA;
	cpu->dsisr = dsisr;
	return raise_interrupt(cpu, op, VEC_DATA_STORAGE, 0);
}
OP_TRY(atomic_no_load) { return raise_bad_function(cpu, op, DSISR_BAD_AMO); }
OP_TRY(atomic_no_store) { return raise_bad_function(cpu, op, DSISR_STORE | DSISR_BAD_AMO); }

static bool choose_load(struct op *op)
{
	if (op->imm > 28 || !(UINT32_C(0x130101ff) >> op->imm & 1))
		op->fn = op_atomic_no_load;
	return true;
}

static bool choose_store(struct op *op)
{
	if (op->imm > 7 && op->imm != FC_TWIN)
		op->fn = op_atomic_no_store;
	return true;
}

DECODE_HOOK(lwat) { return choose_load(op); }
DECODE_HOOK(ldat) { return choose_load(op); }
DECODE_HOOK(stwat) { return choose_store(op); }
DECODE_HOOK(stdat) { return choose_store(op); }

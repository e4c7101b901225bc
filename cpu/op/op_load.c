/* Fixed-point loads, reservations included. Power ISA 3.0B, Book I, 3.3.2; Book II, 4.6. */
#include "cpu/engine/decode.h"
#include "cpu/op/memory.h"

/* One family: D-form, X-form and their update forms, in both byte orders; memory.h has the rest. */
#define LOAD_FAMILY(name, t, type, conv) \
	LOAD_BY(OP_TRY, name##_be, D_EA, LOAD_BE, t, type, conv) \
	LOAD_BY(OP_TRY, name##u, D_EA, LOAD, t, type, conv) \
	LOAD_BY(OP_TRY, name##u_be, D_EA, LOAD_BE, t, type, conv) \
	LOAD_BY(OP_TRY, name##x_be, X_EA, LOAD_BE, t, type, conv) \
	LOAD_INDEXED_UPDATE(name##ux, t, type, conv)
#define LOAD_INDEXED_UPDATE(name, t, type, conv) \
	LOAD_BY(OP_TRY, name, X_EA, LOAD, t, type, conv) \
	LOAD_BY(OP_TRY, name##_be, X_EA, LOAD_BE, t, type, conv) \
	LOAD_UPDATE_BY(OP_TRY, name##_upd, X_EA, LOAD, t, type, conv)
LOADS(LOAD_FAMILY)
LOAD_BY(OP_TRY, lwa_be, D_EA, LOAD_BE, u32, uint32_t, int32_t)
LOAD_BY(OP_TRY, lwax_be, X_EA, LOAD_BE, u32, uint32_t, int32_t)
LOAD_INDEXED_UPDATE(lwaux, u32, uint32_t, int32_t)

/* Byte-reversed: the other order of each mode. */
#define LOAD_REVERSED(name, t, type) \
	LOAD_BY(OP_TRY, name, X_EA, LOAD_BE, t, type, type) \
	LOAD_BY(OP_TRY, name##_be, X_EA, LOAD, t, type, type)
LOAD_REVERSED(lhbrx, u16, uint16_t)
LOAD_REVERSED(lwbrx, u32, uint32_t)
LOAD_REVERSED(ldbrx, u64, uint64_t)

/* ---- Quadword: an even register and the next; must be aligned ---- */

static inline bool set_pair(struct cpu *cpu, const struct op *op, u128 v)
{
	SLOT(op->a) = (uint64_t)(v >> 64);
	SLOT(op->a + 1) = (uint64_t)v;
	return true;
}

#define LOAD_QUAD(name, ld) \
	OP_TRY(name) \
	{ \
		uint64_t ea = D_EA; \
		u128 v; \
		if (ea & 15) \
			return raise_alignment(cpu, op, ea); \
		ld(u128, ea, &v); \
		return set_pair(cpu, op, v); \
	}
LOAD_QUAD(lq, LOAD)
LOAD_QUAD(lq_be, LOAD_BE)

DECODE_HOOK(lq) { return !(op->a & 1) && op->a != op->b; }

/* plq: any address, and in both byte orders the first doubleword into the first register. */
#define LOAD_PAIR(name, ld, first) \
	OP_TRY(name) \
	{ \
		u128 v; \
		ld(u128, D_EA, &v); \
		return set_pair(cpu, op, first); \
	}
LOAD_PAIR(plq, LOAD, v << 64 | v >> 64)
LOAD_PAIR(plq_be, LOAD_BE, v)

DECODE_HOOK(plq) { return !(op->a & 1) && op->a != (word >> 16 & 31); }

/* ---- Load and reserve ---- */

/* The reservation names the real address; stores by this processor do not lose it, those
 * of others do, because it is dropped whenever another processor gets the host thread. */
#define RESERVE(ea, v) \
	do { \
		uint64_t ea_ = (ea); \
		const uint8_t *host_ = tlb_hit(tlb, ea_, 1, false); \
		if (!slowly && (unlikely(ea_ & (sizeof *(v) - 1)) || unlikely(!host_))) \
			return TRY_SLOWLY; \
		if (slowly && ea_ & (sizeof *(v) - 1)) \
			return raise_alignment(cpu, op, ea_); \
		if (slowly && !(host_ = host_address(cpu, op, ea_, sizeof *(v), ACCESS_READ))) \
			return false; \
		memcpy((v), host_, sizeof *(v)); \
		cpu->resv_addr = (uint64_t)(host_ - cpu->ram_base); \
		cpu->resv_size = sizeof *(v); \
	} while (0)

#define LOAD_RESERVE(name, t, type) \
	OP_TRY(name) { type v; RESERVE(X_EA, &v); RT = v; return true; } \
	OP_TRY(name##_be) { type v; RESERVE(X_EA, &v); RT = swap_##t(v); return true; }
LOAD_RESERVE(lbarx, u8, uint8_t)
LOAD_RESERVE(lharx, u16, uint16_t)
LOAD_RESERVE(lwarx, u32, uint32_t)
LOAD_RESERVE(ldarx, u64, uint64_t)
OP_TRY(lqarx) { u128 v; RESERVE(X_EA, &v); return set_pair(cpu, op, v); }
OP_TRY(lqarx_be) { u128 v; RESERVE(X_EA, &v); return set_pair(cpu, op, swap_u128(v)); }

DECODE_HOOK(lqarx) { return !(op->a & 1); }

/* ---- Multiple and string ---- */

/* lmw and lsw* (big-endian mode; in little-endian mode they raise the alignment interrupt: 3.3.6, 3.3.7). All bytes
 * are read before any register changes. The load stops at registers `ra` and `rb` if its range reaches them;
 * SLOT_ZERO stands for "no such register". */
static bool load_words(struct cpu *cpu, const struct op *op, uint64_t ea, unsigned reg, unsigned nbytes,
		       unsigned ra, unsigned rb)
{
	uint8_t buf[128];

	for (unsigned i = 0; i < nbytes; i += 16)
		if (!load_slow(cpu, op, address_wrap(cpu, ea + i), buf + i, nbytes - i < 16 ? nbytes - i : 16))
			return false;
	for (unsigned i = 0; i < nbytes && reg != ra && reg != rb; i++, reg += !(i & 3), reg &= 31)
		if (i & 3)
			cpu->r[reg] |= (uint64_t)buf[i] << (24 - 8 * (i & 3));
		else
			cpu->r[reg] = (uint64_t)buf[i] << 24;
	return true;
}

#define NO_LITTLE_ENDIAN(name, EA) OP_TRY(name) { return raise_alignment(cpu, op, EA); }
NO_LITTLE_ENDIAN(lmw, D_EA)
NO_LITTLE_ENDIAN(lswi, RA)
NO_LITTLE_ENDIAN(lswx, X_EA)
OP_TRY(lmw_be) { return load_words(cpu, op, D_EA, op->a, (32 - op->a) * 4u, SLOT_ZERO, SLOT_ZERO); }
OP_TRY(lswi_be) { return load_words(cpu, op, RA, op->a, op->imm ? (unsigned)op->imm : 32, op->d, SLOT_ZERO); }
OP_TRY(lswx_be) { return load_words(cpu, op, X_EA, op->a, cpu->xer_count & 127, op->d, (unsigned)op->imm); }

/* Remembers RA's number for load_words(), because in 32-bit mode the decoder replaces the operand by a computed
 * address. RA = 0 means "no base register", so it cannot be in the range. */
static bool keep_base(struct op *op, uint32_t word)
{
	unsigned ra = word >> 16 & 31;

	op->d = (uint8_t)(ra ? ra : SLOT_ZERO);
	return true;
}

DECODE_HOOK(lswi) { return keep_base(op, word); }
DECODE_HOOK(lswx)
{
	op->imm = (int32_t)(word >> 11 & 31);
	return keep_base(op, word);
}

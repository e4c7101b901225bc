/* Fixed-point stores, conditional stores, dcbz. Power ISA 3.0B, Book I, 3.3.3; Book II, 4.3, 4.6. */
#include "cpu/engine/decode.h"
#include "cpu/op/memory.h"

/* One family, as in op_load.c. */
#define STORE_FAMILY(name, t, type) \
	STORE_BY(OP_TRY, name##_be, D_EA, STORE_BE, t, type) \
	STORE_BY(OP_TRY, name##u, D_EA, STORE, t, type) \
	STORE_BY(OP_TRY, name##u_be, D_EA, STORE_BE, t, type) \
	STORE_BY(OP_TRY, name##x_be, X_EA, STORE_BE, t, type) \
	STORE_BY(OP_TRY, name##ux, X_EA, STORE, t, type) \
	STORE_BY(OP_TRY, name##ux_be, X_EA, STORE_BE, t, type) \
	STORE_UPDATE_BY(OP_TRY, name##ux_upd, X_EA, STORE, t, type)
STORES(STORE_FAMILY)

#define STORE_REVERSED(name, t, type) \
	STORE_BY(OP_TRY, name, X_EA, STORE_BE, t, type) \
	STORE_BY(OP_TRY, name##_be, X_EA, STORE, t, type)
STORE_REVERSED(sthbrx, u16, uint16_t)
STORE_REVERSED(stwbrx, u32, uint32_t)
STORE_REVERSED(stdbrx, u64, uint64_t)

/* ---- Quadword ---- */

static inline u128 pair(const struct cpu *cpu, const struct op *op)
{
	return (u128)cpu->r[op->a] << 64 | cpu->r[op->a + 1];
}

#define STORE_QUAD(name, st) \
	OP_TRY(name) \
	{ \
		uint64_t ea = D_EA; \
		if (ea & 15) \
			return raise_alignment(cpu, op, ea); \
		st(u128, ea, pair(cpu, op)); \
		return true; \
	}
STORE_QUAD(stq, STORE)
STORE_QUAD(stq_be, STORE_BE)

DECODE_HOOK(stq) { return !(op->a & 1); }

#define STORE_PAIR(name, st, first) \
	OP_TRY(name) \
	{ \
		u128 v = pair(cpu, op); \
		st(u128, D_EA, first); \
		return true; \
	}
STORE_PAIR(pstq, STORE, v << 64 | v >> 64)
STORE_PAIR(pstq_be, STORE_BE, v)

DECODE_HOOK(pstq) { return !(op->a & 1); }

/* ---- Store conditional ---- */

/* CR0 = 0b00 || stored || SO. The access is checked even when the reservation is gone, as
 * the ISA allows; the reservation ends either way. */
static inline __attribute__((always_inline)) int
store_conditional(struct cpu *cpu, const struct op *op, struct tlb_entry *tlb, bool slowly, uint64_t ea,
		  const void *v, unsigned size)
{
	uint8_t *host = tlb_hit(tlb, ea, 1, true);
	bool ok;

	if (!slowly && (unlikely(ea & (size - 1)) || unlikely(!host)))
		return TRY_SLOWLY;
	if (slowly && ea & (size - 1))
		return raise_alignment(cpu, op, ea);
	if (slowly && !(host = host_address(cpu, op, ea, size, ACCESS_WRITE)))
		return false;
	ok = cpu->resv_size == size && cpu->resv_addr == (uint64_t)(host - cpu->ram_base);
	if (likely(ok))
		memcpy(host, v, size);
	cpu->resv_size = 0;
	cpu->cr[0] = (uint8_t)((ok ? CR_EQ : 0) | cpu->so);
	return true;
}

#define CONDITIONALLY(v) store_conditional(cpu, op, tlb, slowly, X_EA, &(v), sizeof(v))
#define STORE_CONDITIONAL(name, t, type) \
	OP_TRY(name) { type v = (type)RS; return CONDITIONALLY(v); } \
	OP_TRY(name##_be) { type v = swap_##t((type)RS); return CONDITIONALLY(v); }
STORE_CONDITIONAL(stbcx, u8, uint8_t)
STORE_CONDITIONAL(sthcx, u16, uint16_t)
STORE_CONDITIONAL(stwcx, u32, uint32_t)
STORE_CONDITIONAL(stdcx, u64, uint64_t)
OP_TRY(stqcx) { u128 v = pair(cpu, op); return CONDITIONALLY(v); }
OP_TRY(stqcx_be) { u128 v = swap_u128(pair(cpu, op)); return CONDITIONALLY(v); }

DECODE_HOOK(stqcx) { return !(op->a & 1); }

/* ---- Multiple and string ---- */

static bool store_words(struct cpu *cpu, const struct op *op, uint64_t ea, unsigned reg, unsigned nbytes)
{
	uint8_t buf[128];

	if (!nbytes)
		return true;
	for (unsigned i = 0; i < nbytes; i++, reg += !(i & 3), reg &= 31)
		buf[i] = (uint8_t)(cpu->r[reg] >> (24 - 8 * (i & 3)));
	/* Nothing is stored unless all of it can be. */
	if (!store_possible(cpu, op, ea, nbytes))
		return false;
	for (unsigned i = 0; i < nbytes; i += 16)
		if (!store_slow(cpu, op, address_wrap(cpu, ea + i), buf + i, nbytes - i < 16 ? nbytes - i : 16))
			return false;
	return true;
}

#define NO_LITTLE_ENDIAN(name, EA) OP_TRY(name) { return raise_alignment(cpu, op, EA); }
NO_LITTLE_ENDIAN(stmw, D_EA)
NO_LITTLE_ENDIAN(stswi, RA)
NO_LITTLE_ENDIAN(stswx, X_EA)
OP_TRY(stmw_be) { return store_words(cpu, op, D_EA, op->a, (32 - op->a) * 4u); }
OP_TRY(stswi_be) { return store_words(cpu, op, RA, op->a, op->imm ? (unsigned)op->imm : 32); }
OP_TRY(stswx_be) { return store_words(cpu, op, X_EA, op->a, cpu->xer_count & 127); }

/* ---- Zero a cache block ---- */

#define CACHE_BLOCK 128

/* Two 32-byte stores fill one cache line of the host, with nothing between them, so the host does not read the line
 * before it writes. Outside the host's L2 cache that read is most of the cost of clearing a guest's page. */
static inline void zero_wide(void *host, unsigned blocks)
{
#ifdef __x86_64__
	char *at = host;

	__asm__ volatile("vpxor %%xmm0, %%xmm0, %%xmm0\n"
			 "1:\tvmovups %%ymm0, (%0)\n\t"
			 "vmovups %%ymm0, 32(%0)\n\t"
			 "vmovups %%ymm0, 64(%0)\n\t"
			 "vmovups %%ymm0, 96(%0)\n\t"
			 "sub $-128, %0\n\t"
			 "dec %1\n\t"
			 "jnz 1b\n\t"
			 "vzeroupper"
			 : "+r"(at), "+r"(blocks) : : "xmm0", "memory", "cc");
#else
	memset(host, 0, (size_t)blocks * CACHE_BLOCK);
#endif
}

static inline void zero_plain(void *host, unsigned blocks)
{
	memset(host, 0, (size_t)blocks * CACHE_BLOCK);
}

#define DCBZ(name, zero) \
	OP_TRY(name) \
	{ \
		uint64_t ea = X_EA & ~(uint64_t)(CACHE_BLOCK - 1); \
		void *host = tlb_hit(tlb, ea, CACHE_BLOCK, true); \
		if (unlikely(!host)) { \
			if (!slowly) \
				return TRY_SLOWLY; \
			host = host_address(cpu, op, ea, CACHE_BLOCK, ACCESS_WRITE); \
			if (!host) \
				return false; \
		} \
		zero(host, 1); \
		return true; \
	}
DCBZ(dcbz, zero_wide)
DCBZ(dcbz_plain, zero_plain)
OP_RAW(dcbz_be) { GOTO_SAME(op_dcbz); }
HOST_NEEDS(dcbz, HOST_WIDE)

/* Eight dcbz in a row, as loops that clear memory have them (a sequence of fuse.def). If the eight blocks follow each
 * other in one page they are cleared at once; false: they have to go one by one. */
static inline __attribute__((always_inline)) bool
zero_8(struct cpu *cpu, const struct op *op, const struct tlb_entry *tlb)
{
	uint64_t ea = X_EA, elsewhere = 0;
	void *host;

	for (unsigned i = 1; i < 8; i++)
		elsewhere |= (SLOT(op[i].b) + SLOT(op[i].c)) ^ (ea + i * CACHE_BLOCK);
	host = elsewhere ? NULL : tlb_hit(tlb, ea & ~(uint64_t)(CACHE_BLOCK - 1), 8 * CACHE_BLOCK, true);
	if (unlikely(!host))
		return false;
	zero_wide(host, 8);
	return true;
}

/* After a miss: the first dcbz alone takes the slow path, which enters its page in the TLB. */
static OP_RETURN OP_ABI __attribute__((noinline, cold)) slow_dcbz_8(OP_PARAMS)
{
	if (!body_dcbz(OP_ARGS, true))
		LEAVE;
	GOTO_OP(op + (zero_8(cpu, op, tlb) ? 8 : 1));
}

OP_RAW(dcbz_8)
{
	if (unlikely(!zero_8(cpu, op, tlb)))
		GOTO_SAME(slow_dcbz_8);
	GOTO_OP(op + 8);
}

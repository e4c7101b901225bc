/* VSX loads and stores.
 *
 * Source: Power ISA 3.0B, Book I, 7.6.3. Every access is one access of its full width: an
 * interrupt leaves nothing half done. In little-endian mode an element's bytes are
 * reversed, but the elements keep their order in memory, so a register made of elements
 * differs from the 16 bytes as the host reads them by the order of its elements; in
 * big-endian mode it is always those bytes from first to last.
 * A scalar load clears doubleword 1 (undefined in ISA 3.0, zero since 3.1).
 */
#include "cpu/engine/decode.h"
#include "cpu/engine/dispatch.h"
#include "cpu/engine/operands.h"
#include "cpu/fp/fp.h"

#define EA_X (RA + RB)
#define EA_D (RA + (uint64_t)IMM)

#define SCALAR(d) ((u128)(d) << 64)

/* The body that follows puts the value `v`, read in the mode's byte order, into XT. */
#define VSX_LOAD(name, t, ea) \
	static inline __attribute__((always_inline)) u128 from_##name(__typeof__(swap_##t(0)) v); \
	OP_TRY(name) \
	{ \
		__typeof__(swap_##t(0)) v; \
		LOAD(t, ea, &v); \
		XT.q = from_##name(v); \
		return true; \
	} \
	OP_TRY(name##_be) \
	{ \
		__typeof__(swap_##t(0)) v; \
		LOAD_BE(t, ea, &v); \
		XT.q = from_##name(v); \
		return true; \
	} \
	static inline __attribute__((always_inline)) u128 from_##name(__typeof__(swap_##t(0)) v)

#define VSX_STORE(name, t, ea, value) \
	OP_TRY(name) \
	{ \
		STORE(t, ea, value); \
		return true; \
	} \
	OP_TRY(name##_be) \
	{ \
		STORE_BE(t, ea, value); \
		return true; \
	}

/* Vectors: `order` turns the register's element order into little-endian memory's and back. */
#define VSX_LOAD_V(name, ea, order) \
	OP_TRY(name) \
	{ \
		u128 v; \
		LOAD(u128, ea, &v); \
		XT.q = order(v); \
		return true; \
	} \
	OP_TRY(name##_be) \
	{ \
		u128 v; \
		LOAD_BE(u128, ea, &v); \
		XT.q = v; \
		return true; \
	}

#define VSX_STORE_V(name, ea, order) \
	OP_TRY(name) \
	{ \
		STORE(u128, ea, order(XS.q)); \
		return true; \
	} \
	OP_TRY(name##_be) \
	{ \
		STORE_BE(u128, ea, XS.q); \
		return true; \
	}

static inline u128 order_q(u128 v) { return v; }

static inline u128 order_w(u128 v)
{
	union vreg r = { .q = v };

	r.v4u32 = (v4u32){ r.w[3], r.w[2], r.w[1], r.w[0] };
	return r.q;
}

static inline u128 order_h(u128 v)
{
	union vreg r = { .q = swap_u128(v) };

	r.v8u16 = r.v8u16 << 8 | r.v8u16 >> 8;
	return r.q;
}

static inline u128 order_b(u128 v) { return swap_u128(v); }

/* ---- Scalar loads ---- */
VSX_LOAD(lxsdx, u64, EA_X)   { return SCALAR(v); }
VSX_LOAD(lxsd, u64, EA_D)    { return SCALAR(v); }
VSX_LOAD(lxsiwax, u32, EA_X) { return SCALAR((uint64_t)(int32_t)v); }
VSX_LOAD(lxsiwzx, u32, EA_X) { return SCALAR(v); }
VSX_LOAD(lxsihzx, u16, EA_X) { return SCALAR(v); }
VSX_LOAD(lxsibzx, u8, EA_X)  { return SCALAR(v); }
VSX_LOAD(lxsspx, u32, EA_X)  { return SCALAR(fp_load_single(v)); }
VSX_LOAD(lxssp, u32, EA_D)   { return SCALAR(fp_load_single(v)); }

/* ---- Splats ---- */
VSX_LOAD(lxvdsx, u64, EA_X)  { return (union vreg){ .v2f64 = { fp_double(v), fp_double(v) } }.q; }
VSX_LOAD(lxvwsx, u32, EA_X)  { return (union vreg){ .v4u32 = v - (v4u32){} }.q; }

/* ---- The rightmost element, and zeros before it ---- */
VSX_LOAD(lxvrbx, u8, EA_X)   { return v; }
VSX_LOAD(lxvrhx, u16, EA_X)  { return v; }
VSX_LOAD(lxvrwx, u32, EA_X)  { return v; }
VSX_LOAD(lxvrdx, u64, EA_X)  { return v; }
VSX_STORE(stxvrbx, u8, EA_X, XS.b[0])
VSX_STORE(stxvrhx, u16, EA_X, XS.h[0])
VSX_STORE(stxvrwx, u32, EA_X, XS.w[0])
VSX_STORE(stxvrdx, u64, EA_X, XS.d[0])

/* ---- Scalar stores ---- */
VSX_STORE(stxsdx, u64, EA_X, VD(XS, 0))
VSX_STORE(stxsd, u64, EA_D, VD(XS, 0))
VSX_STORE(stxsiwx, u32, EA_X, VW(XS, 1))
VSX_STORE(stxsihx, u16, EA_X, VH(XS, 3))
VSX_STORE(stxsibx, u8, EA_X, VB(XS, 7))
VSX_STORE(stxsspx, u32, EA_X, fp_store_single(VD(XS, 0)))
VSX_STORE(stxssp, u32, EA_D, fp_store_single(VD(XS, 0)))

/* ---- Vectors ---- */
VSX_LOAD_V(lxv, EA_D, order_q)
VSX_LOAD_V(lxvx, EA_X, order_q)
VSX_LOAD_V(lxvw4x, EA_X, order_w)
VSX_LOAD_V(lxvh8x, EA_X, order_h)
VSX_LOAD_V(lxvb16x, EA_X, order_b)

VSX_STORE_V(stxv, EA_D, order_q)
VSX_STORE_V(stxvx, EA_X, order_q)
VSX_STORE_V(stxvw4x, EA_X, order_w)
VSX_STORE_V(stxvh8x, EA_X, order_h)
VSX_STORE_V(stxvb16x, EA_X, order_b)

/* Both doublewords are stored at once: a host does not forward two small stores to one wide load. */
v2f64 swap_pair(int);		/* for its type */
#define EXCHANGED(v) ((v2f64){ (v)[1], (v)[0] })

OP_TRY(lxvd2x)
{
	v2f64 v;

	LOAD(pair, EA_X, &v);
	XT.v2f64 = EXCHANGED(v);
	return true;
}

OP_TRY(lxvd2x_be)
{
	u128 v;

	LOAD_BE(u128, EA_X, &v);
	XT.q = v;
	return true;
}

OP_TRY(stxvd2x)
{
	STORE(pair, EA_X, EXCHANGED(XS.v2f64));
	return true;
}

OP_TRY(stxvd2x_be)
{
	STORE_BE(u128, EA_X, XS.q);
	return true;
}

/* ---- Pairs of registers: in little-endian mode the second comes first in memory ---- */

#define SECOND(x) (&(x))[1]

static inline __attribute__((always_inline)) int
load_pair(struct cpu *cpu, const struct op *op, const struct tlb_entry *tlb, bool slowly, uint64_t ea, u128 v[2])
{
	const void *host = tlb_hit(tlb, ea, 32, false);

	if (likely(host))
		__builtin_memcpy(v, host, 32);
	else if (!slowly)
		return TRY_SLOWLY;
	else
		return load_slow(cpu, op, ea, &v[0], 16) && load_slow(cpu, op, address_wrap(cpu, ea + 16), &v[1], 16);
	return true;
}

static inline __attribute__((always_inline)) int
store_pair(struct cpu *cpu, const struct op *op, const struct tlb_entry *tlb, bool slowly, uint64_t ea, u128 first, u128 second)
{
	const u128 v[2] = { first, second };
	void *host = tlb_hit(tlb, ea, 32, true);

	if (likely(host))
		__builtin_memcpy(host, v, 32);
	else if (!slowly)
		return TRY_SLOWLY;
	else	/* nothing is stored unless all of it can be */
		return store_possible(cpu, op, ea, 32) &&
		       store_slow(cpu, op, ea, &v[0], 16) && store_slow(cpu, op, address_wrap(cpu, ea + 16), &v[1], 16);
	return true;
}

#define VSX_PAIR(load, store, ea) \
	OP_TRY(load) \
	{ \
		u128 v[2]; \
		int outcome = load_pair(cpu, op, tlb, slowly, ea, v); \
		if (likely(outcome == true)) { \
			SECOND(XT).q = v[0]; \
			XT.q = v[1]; \
		} \
		return outcome; \
	} \
	OP_TRY(load##_be) \
	{ \
		u128 v[2]; \
		int outcome = load_pair(cpu, op, tlb, slowly, ea, v); \
		if (likely(outcome == true)) { \
			XT.q = swap_u128(v[0]); \
			SECOND(XT).q = swap_u128(v[1]); \
		} \
		return outcome; \
	} \
	OP_TRY(store) { return store_pair(cpu, op, tlb, slowly, ea, SECOND(XS).q, XS.q); } \
	OP_TRY(store##_be) { return store_pair(cpu, op, tlb, slowly, ea, swap_u128(XS.q), swap_u128(SECOND(XS).q)); }
VSX_PAIR(lxvp, stxvp, EA_D)
VSX_PAIR(lxvpx, stxvpx, EA_X)
VSX_PAIR(plxvp, pstxvp, EA_D)

/* ---- With length: EA is RA alone, RB bits 0:7 are the length, more than 16 is 16. ---- */

/* 32-bit mode: the decoder took RA + RB for the address; it is RA, and RB is still wanted. */
static bool address_is_ra(struct decoder *d, struct op *op, uint32_t word)
{
	unsigned ra = word >> 16 & 31;

	if (decode_mode(d) & MODE_SF)
		return true;
	decode_emit(d, (struct op){ .fn = op_truncate_d, .b = (uint8_t)(ra ? ra : SLOT_ZERO) });
	op->c = word >> 11 & 31;
	return true;
}

DECODE_HOOK(lxvl)   { return address_is_ra(d, op, word); }
DECODE_HOOK(lxvll)  { return address_is_ra(d, op, word); }
DECODE_HOOK(stxvl)  { return address_is_ra(d, op, word); }
DECODE_HOOK(stxvll) { return address_is_ra(d, op, word); }

static inline unsigned length(uint64_t rb)
{
	uint64_t n = rb >> 56;

	return n < 16 ? (unsigned)n : 16;
}

/* The first n bytes at ea, the first one least significant; the rest zero. */
static inline bool load_bytes(OP_PARAMS, uint64_t ea, unsigned n, u128 *out)
{
	const void *host;

	(void)budget;
	*out = 0;
	if (!n)
		return true;
	host = tlb_hit(tlb, ea, n, false);
	if (unlikely(!host))
		return load_slow(cpu, op, ea, out, n);
	__builtin_memcpy(out, host, n);
	return true;
}

static inline bool store_bytes(OP_PARAMS, uint64_t ea, unsigned n, u128 v)
{
	void *host;

	(void)budget;
	if (!n)
		return true;
	host = tlb_hit(tlb, ea, n, true);
	if (unlikely(!host))
		return store_slow(cpu, op, ea, &v, n);
	__builtin_memcpy(host, &v, n);
	return true;
}

#define LOAD_LENGTH(name, order) \
	OP_TRY(name) \
	{ \
		u128 v; \
		if (unlikely(!load_bytes(OP_ARGS, RA, length(RB), &v))) \
			return false; \
		XT.q = order(v); \
		return true; \
	}

#define STORE_LENGTH(name, order) \
	OP_TRY(name) { return store_bytes(OP_ARGS, RA, length(RB), order(XS.q)); }

LOAD_LENGTH(lxvl, order_q)
LOAD_LENGTH(lxvl_be, order_b)
LOAD_LENGTH(lxvll, order_b)
LOAD_LENGTH(lxvll_be, order_b)
STORE_LENGTH(stxvl, order_q)
STORE_LENGTH(stxvl_be, order_b)
STORE_LENGTH(stxvll, order_b)
STORE_LENGTH(stxvll_be, order_b)

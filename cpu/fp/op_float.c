/* Floating-point instructions on FPRs, loads and stores included.
 *
 * An FPR is doubleword 0 of a VSR. What VSX has as well is in scalar.h.
 *
 * Source: Power ISA 3.0B, Book I, chapter 4.
 */
#include "cpu/fp/scalar.h"

/* ---- Loads and stores ---- */

#define D_EA (RA + IMM)
#define X_EA (RA + RB)

#define FLOAD(name, EA, ld, t, type, conv) \
	OP_TRY(name) \
	{ \
		type v; \
		ld(t, EA, &v); \
		SET_TARGET(conv(v)); \
		return true; \
	}
#define FLOAD_UPDATE(name, EA, t, type, conv) \
	OP_TRY(name) \
	{ \
		uint64_t ea = EA; \
		type v; \
		LOAD(t, ea, &v); \
		SET_TARGET(conv(v)); \
		RA = ea; \
		return true; \
	}
#define FLOAD_BOTH(name, EA, t, type, conv) \
	FLOAD(name, EA, LOAD, t, type, conv) \
	FLOAD(name##_be, EA, LOAD_BE, t, type, conv)
#define FLOAD_FAMILY(name, t, type, conv) \
	FLOAD_BOTH(name, D_EA, t, type, conv) \
	FLOAD_BOTH(name##u, D_EA, t, type, conv) \
	FLOAD_UPDATE(name##u_upd, D_EA, t, type, conv) \
	FLOAD_BOTH(name##x, X_EA, t, type, conv) \
	FLOAD_BOTH(name##ux, X_EA, t, type, conv) \
	FLOAD_UPDATE(name##ux_upd, X_EA, t, type, conv)

#define SIGNED_WORD(v) (uint64_t)(int32_t)(v)

FLOAD_FAMILY(lfs, u32, uint32_t, fp_load_single)
FLOAD_FAMILY(lfd, u64, uint64_t, )
FLOAD_BOTH(lfiwax, X_EA, u32, uint32_t, SIGNED_WORD)
FLOAD_BOTH(lfiwzx, X_EA, u32, uint32_t, )

#define FSTORE(name, EA, st, t, conv) \
	OP_TRY(name) \
	{ \
		st(t, EA, conv(FRS)); \
		return true; \
	}
#define FSTORE_UPDATE(name, EA, t, conv) \
	OP_TRY(name) \
	{ \
		uint64_t ea = EA; \
		STORE(t, ea, conv(FRS)); \
		RA = ea; \
		return true; \
	}
#define FSTORE_BOTH(name, EA, t, conv) \
	FSTORE(name, EA, STORE, t, conv) \
	FSTORE(name##_be, EA, STORE_BE, t, conv)
#define FSTORE_FAMILY(name, t, conv) \
	FSTORE_BOTH(name, D_EA, t, conv) \
	FSTORE_BOTH(name##u, D_EA, t, conv) \
	FSTORE_UPDATE(name##u_upd, D_EA, t, conv) \
	FSTORE_BOTH(name##x, X_EA, t, conv) \
	FSTORE_BOTH(name##ux, X_EA, t, conv) \
	FSTORE_UPDATE(name##ux_upd, X_EA, t, conv)

FSTORE_FAMILY(stfs, u32, fp_store_single)
FSTORE_FAMILY(stfd, u64, )
FSTORE_BOTH(stfiwx, X_EA, u32, (uint32_t))

/* Pairs. An odd FRT is an invalid form: both halves name it. */
#define SECOND_FPR fp_vsr(cpu, op->a | 2)

#define FLOAD_PAIR(name, EA) \
	OP_TRY(name) \
	{ \
		uint64_t ea = EA, v, w; \
		LOAD(u64, ea, &v); \
		LOAD(u64, address_wrap(cpu, ea + 8), &w); \
		*SECOND_FPR = (union vreg){ .d = { 0, v } }; \
		XT = (union vreg){ .d = { 0, w } }; \
		return true; \
	} \
	OP_TRY(name##_be) \
	{ \
		uint64_t ea = EA, v, w; \
		LOAD_BE(u64, ea, &v); \
		LOAD_BE(u64, address_wrap(cpu, ea + 8), &w); \
		*SECOND_FPR = (union vreg){ .d = { 0, w } }; \
		XT = (union vreg){ .d = { 0, v } }; \
		return true; \
	}
FLOAD_PAIR(lfdp, D_EA)
FLOAD_PAIR(lfdpx, X_EA)

#define FSTORE_PAIR(name, EA) \
	OP_TRY(name) \
	{ \
		STORE(u128, EA, (u128)FRS << 64 | SECOND_FPR->d[1]); \
		return true; \
	} \
	OP_TRY(name##_be) \
	{ \
		STORE_BE(u128, EA, (u128)FRS << 64 | SECOND_FPR->d[1]); \
		return true; \
	}
FSTORE_PAIR(stfdp, D_EA)
FSTORE_PAIR(stfdpx, X_EA)

/* ---- Moves ---- */

OP(fmr) { SET_TARGET(FRB); }
OP(fmrgew) { SET_TARGET((FRA & PPC_MASK(0, 31)) | FRB >> 32); }
OP(fmrgow) { SET_TARGET(FRA << 32 | (uint32_t)FRB); }

SCALAR_SIGN(fabs, fnabs, fneg, fcpsgn)

/* ---- Arithmetic ---- */

SCALAR_BINARY(fadd, fadds, FPO_ADD, FB)
SCALAR_BINARY(fsub, fsubs, FPO_SUB, FB)
SCALAR_BINARY(fmul, fmuls, FPO_MUL, FC)
SCALAR_BINARY(fdiv, fdivs, FPO_DIV, FB)

SCALAR_UNARY(fsqrt, fsqrts, FPO_SQRT)
SCALAR_UNARY(fre, fres, FPO_RE)
SCALAR_UNARY(frsqrte, frsqrtes, FPO_RSQRTE)

SCALAR_FUSED(fmadd, fmadds, FPO_MADD, FC, FB)
SCALAR_FUSED(fmsub, fmsubs, FPO_MSUB, FC, FB)
SCALAR_FUSED(fnmadd, fnmadds, FPO_NMADD, FC, FB)
SCALAR_FUSED(fnmsub, fnmsubs, FPO_NMSUB, FC, FB)

SCALAR_TEST_DIVIDE(ftdiv)
SCALAR_TEST_SQRT(ftsqrt)

/* ---- Rounding and conversion ---- */

SCALAR_ROUND_TO_SINGLE(frsp)

SCALAR_FROM_INTEGER(fcfid, fcfids, FPO_FROM_S64)
SCALAR_FROM_INTEGER(fcfidu, fcfidus, FPO_FROM_U64)

SCALAR_TO_INTEGER(fctid, FPO_TO_S64, true, DOUBLEWORD)
SCALAR_TO_INTEGER(fctidz, FPO_TO_S64_ZERO, true, DOUBLEWORD)
SCALAR_TO_INTEGER(fctidu, FPO_TO_U64, true, DOUBLEWORD)
SCALAR_TO_INTEGER(fctiduz, FPO_TO_U64_ZERO, true, DOUBLEWORD)
SCALAR_TO_INTEGER(fctiw, FPO_TO_S32, true, DOUBLEWORD)
SCALAR_TO_INTEGER(fctiwz, FPO_TO_S32_ZERO, true, DOUBLEWORD)
SCALAR_TO_INTEGER(fctiwu, FPO_TO_U32, true, DOUBLEWORD)
SCALAR_TO_INTEGER(fctiwuz, FPO_TO_U32_ZERO, true, DOUBLEWORD)

SCALAR_RINT(frin, FP_AWAY)
SCALAR_RINT(friz, FP_TO_ZERO)
SCALAR_RINT(frip, FP_UP)
SCALAR_RINT(frim, FP_DOWN)

/* ---- Comparison and selection ---- */

SCALAR_COMPARE(fcmpu, false)
SCALAR_COMPARE(fcmpo, true)

OP(fsel) { SET_TARGET(FA >= 0 ? FRC : FRB); }

/* ---- FPSCR ---- */

/* What the light forms of mffs show: DRN, the enable bits, NI, RN. */
#define FPSCR_CONTROL (FPSCR_DRN | PPC_MASK(56, 63))

/* CR1 of the forms with Rc=1; the decoder appends it. */
OP(set_cr1) { CRF(1) = fp_cr1(cpu); }

OP(mffs) { SET_TARGET(fpscr_get(cpu)); }
/* EO was a reserved field up to POWER8, which ignores it: glibc counts on that, as it reads FPSCR by mffsl everywhere. */
DECODE_HOOK(mffs) { return !(word >> 16 & 31) || decode_level(d) < P9; }
OP(mffsl) { SET_TARGET(fpscr_get(cpu) & (FPSCR_CONTROL | PPC_MASK(45, 51))); }

OP(mffsce)
{
	uint64_t v = fpscr_get(cpu);

	fpscr_set(cpu, v & ~PPC_MASK(56, 60));
	SET_TARGET(v);
}

/* FRT gets the old control bits, the field under mask gets v. Libraries save and restore
 * the rounding mode around functions this way, mostly without changing it. */
static void swap_control(struct cpu *cpu, const struct op *op, uint64_t mask, uint64_t v)
{
	uint64_t old = cpu->fpscr;

	if ((old ^ v) & mask)
		fpscr_set(cpu, (fpscr_get(cpu) & ~mask) | (v & mask));
	SET_TARGET(old & FPSCR_CONTROL);
}

OP(mffscdrn) { swap_control(cpu, op, FPSCR_DRN, FRB); }
OP(mffscdrni) { swap_control(cpu, op, FPSCR_DRN, (uint64_t)IMM << 32); }
OP(mffscrn) { swap_control(cpu, op, FPSCR_RN, FRB); }
OP(mffscrni) { swap_control(cpu, op, FPSCR_RN, (uint64_t)IMM); }

/* The exception bits that are copied are cleared, but for the summaries. */
OP(mcrfs)
{
	unsigned shift = 4 * (7 - op->b);
	uint64_t v = fpscr_get(cpu);

	CRF(op->a) = v >> shift & 0xf;
	fpscr_set(cpu, v & ~(UINT64_C(0xf) << shift & (FPSCR_EXCEPTIONS | FPSCR_FX)));
}

static bool write_fpscr(struct cpu *cpu, const struct op *op, uint64_t mask, uint64_t v)
{
	mask &= FPSCR_WRITABLE;
	fpscr_set(cpu, (fpscr_get(cpu) & ~mask) | (v & mask));
	return fp_trap(cpu, op);
}

/* Field 0..7 of the lower half, or with W=1 of the upper one. */
OP_TRY(mtfsfi)
{
	unsigned shift = 4 * (7 - op->a) + (IMM2 ? 32 : 0);

	return write_fpscr(cpu, op, UINT64_C(0xf) << shift, (uint64_t)IMM << shift);
}

OP_TRY(mtfsf)
{
	bool all = IMM2, upper = IMM4;
	uint64_t mask = 0;

	for (unsigned i = 0; i < 8; i++)
		if (IMM >> i & 1)
			mask |= UINT64_C(0xf) << 4 * i;
	return write_fpscr(cpu, op, all ? ~UINT64_C(0) : upper ? mask << 32 : mask, FRB);
}

OP_TRY(mtfsb0)
{
	return write_fpscr(cpu, op, PPC_BIT(32 + op->a), 0);
}

/* Unlike mtfsf and mtfsfi it sets FX if it sets an exception bit. Book I, 4.2.2. */
OP_TRY(mtfsb1)
{
	uint64_t bit = PPC_BIT(32 + op->a);
	bool news = bit & FPSCR_EXCEPTIONS && !(fpscr_get(cpu) & bit);

	return write_fpscr(cpu, op, news ? bit | FPSCR_FX : bit, ~UINT64_C(0));
}

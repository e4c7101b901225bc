/* Floating-point instructions on FPRs, loads and stores included.
 *
 * What they compute is in fp.h; here they get their operands. An FPR is doubleword 0 of a VSR;
 * writing one clears doubleword 1.
 *
 * Source: Power ISA 3.0B, Book I, chapter 4.
 */
#include "cpu/engine/decode.h"
#include "cpu/fp/fp.h"
#include "cpu/engine/operands.h"

/* Operands as numbers. */
#define FA VFD(XA, 0)
#define FB VFD(XB, 0)
#define FC VFD(XC, 0)

#define SET_FRT(v) \
	do { \
		XT.d[1] = (v); \
		XT.d[0] = 0; \
	} while (0)

/* ---- Loads and stores ---- */

#define D_EA (RA + IMM)
#define X_EA (RA + RB)

#define FLOAD(name, EA, ld, t, type, conv) \
	OP_TRY(name) \
	{ \
		type v; \
		ld(t, EA, &v); \
		SET_FRT(conv(v)); \
		return true; \
	}
#define FLOAD_UPDATE(name, EA, t, type, conv) \
	OP_TRY(name) \
	{ \
		uint64_t ea = EA; \
		type v; \
		LOAD(t, ea, &v); \
		SET_FRT(conv(v)); \
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
		uint64_t ea = EA; \
		STORE(u64, ea, SECOND_FPR->d[1]); \
		STORE(u64, address_wrap(cpu, ea + 8), FRS); \
		return true; \
	} \
	OP_TRY(name##_be) \
	{ \
		uint64_t ea = EA; \
		STORE_BE(u64, ea, FRS); \
		STORE_BE(u64, address_wrap(cpu, ea + 8), SECOND_FPR->d[1]); \
		return true; \
	}
FSTORE_PAIR(stfdp, D_EA)
FSTORE_PAIR(stfdpx, X_EA)

/* ---- Moves ---- */

#define SIGN PPC_BIT(0)

OP(fmr) { SET_FRT(FRB); }
OP(fneg) { SET_FRT(FRB ^ SIGN); }
OP(fabs) { SET_FRT(FRB & ~SIGN); }
OP(fnabs) { SET_FRT(FRB | SIGN); }
OP(fcpsgn) { SET_FRT((FRA & SIGN) | (FRB & ~SIGN)); }
OP(fmrgew) { SET_FRT((FRA & PPC_MASK(0, 31)) | FRB >> 32); }
OP(fmrgow) { SET_FRT(FRA << 32 | (uint32_t)FRB); }

/* ---- Arithmetic ---- */

#define BINARY(name, fpo, Y) \
	OP_TRY(name) { return fp_binary(cpu, op, slowly, fpo, FA, Y); } \
	OP_TRY(name##s) { return fp_binary(cpu, op, slowly, (fpo) | FPO_SINGLE, FA, Y); }
BINARY(fadd, FPO_ADD, FB)
BINARY(fsub, FPO_SUB, FB)
BINARY(fmul, FPO_MUL, FC)
BINARY(fdiv, FPO_DIV, FB)

#define UNARY(name, fpo) \
	OP_TRY(name) { return fp_unary(cpu, op, slowly, fpo, FB); } \
	OP_TRY(name##s) { return fp_unary(cpu, op, slowly, (fpo) | FPO_SINGLE, FB); }
UNARY(fsqrt, FPO_SQRT)
UNARY(fre, FPO_RE)
UNARY(frsqrte, FPO_RSQRTE)

#define FUSED(name, fpo) \
	OP_TRY(name) { return fp_fused(cpu, op, slowly, fpo, FA, FC, FB); } \
	OP_TRY(name##s) { return fp_fused(cpu, op, slowly, (fpo) | FPO_SINGLE, FA, FC, FB); } \
	OP_TRY(name##_plain) { return SLOWLY(fp_scalar(cpu, op, fpo, FRA, FRC, FRB)); } \
	OP_TRY(name##s_plain) { return SLOWLY(fp_scalar(cpu, op, (fpo) | FPO_SINGLE, FRA, FRC, FRB)); } \
	HOST_NEEDS(name, HOST_FMA) \
	HOST_NEEDS(name##s, HOST_FMA)
FUSED(fmadd, FPO_MADD)
FUSED(fmsub, FPO_MSUB)
FUSED(fnmadd, FPO_NMADD)
FUSED(fnmsub, FPO_NMSUB)

OP(ftdiv) { CRF(op->a) = (uint8_t)fp64_test_divide(FRA, FRB); }
OP(ftsqrt) { CRF(op->a) = (uint8_t)fp64_test_sqrt(FRB); }

/* ---- Rounding and conversion ---- */

OP_TRY(frsp) { return fp_unary(cpu, op, slowly, FPO_ROUND | FPO_SINGLE, FB); }

OP_TRY(fcfid) { return fp_from_integer(cpu, op, slowly, FPO_FROM_S64, FRB); }
OP_TRY(fcfidu) { return fp_from_integer(cpu, op, slowly, FPO_FROM_U64, FRB); }
OP_TRY(fcfids) { return fp_from_integer(cpu, op, slowly, FPO_FROM_S64 | FPO_SINGLE, FRB); }
OP_TRY(fcfidus) { return fp_from_integer(cpu, op, slowly, FPO_FROM_U64 | FPO_SINGLE, FRB); }

#define TO_INTEGER(name, fpo) \
	OP_TRY(name) \
	{ \
		double x = FB; \
		if (!fp_integer_fits(cpu, fpo, x)) \
			return SLOWLY(fp_integer_exact(cpu, op, fpo, fp_bits(x), true)); \
		SET_FRT((uint64_t)fp_host_integer(cpu, fpo, x)); \
		return true; \
	}
TO_INTEGER(fctid, FPO_TO_S64)
TO_INTEGER(fctidz, FPO_TO_S64_ZERO)
TO_INTEGER(fctidu, FPO_TO_U64)
TO_INTEGER(fctiduz, FPO_TO_U64_ZERO)
TO_INTEGER(fctiw, FPO_TO_S32)
TO_INTEGER(fctiwz, FPO_TO_S32_ZERO)
TO_INTEGER(fctiwu, FPO_TO_U32)
TO_INTEGER(fctiwuz, FPO_TO_U32_ZERO)

OP_TRY(frin) { return fp_rint(cpu, op, slowly, FP_AWAY, FRB); }
OP_TRY(friz) { return fp_rint(cpu, op, slowly, FP_TO_ZERO, FRB); }
OP_TRY(frip) { return fp_rint(cpu, op, slowly, FP_UP, FRB); }
OP_TRY(frim) { return fp_rint(cpu, op, slowly, FP_DOWN, FRB); }

/* ---- Comparison and selection ---- */

#define COMPARE(name, ordered) \
	OP_TRY(name) \
	{ \
		double x = FA, y = FB; \
		unsigned cc = fp_compare_host(x, y); \
		if (unlikely(!cc)) \
			return SLOWLY(fp_compare(cpu, op, fp_bits(x), fp_bits(y), ordered)); \
		CRF(op->a) = (uint8_t)cc; \
		fp_record_cc(cpu, cc); \
		return true; \
	}
COMPARE(fcmpu, false)
COMPARE(fcmpo, true)

OP(fsel) { SET_FRT(FA >= 0 ? FRC : FRB); }

/* ---- FPSCR ---- */

/* What the light forms of mffs show: DRN, the enable bits, NI, RN. */
#define FPSCR_CONTROL (FPSCR_DRN | PPC_MASK(56, 63))

/* CR1 of the forms with Rc=1; the decoder appends it. */
OP(set_cr1) { CRF(1) = fp_sticky(cpu) >> 28 & 0xf; }

OP(mffs) { SET_FRT(fpscr_get(cpu)); }
OP(mffsl) { SET_FRT(fpscr_get(cpu) & (FPSCR_CONTROL | PPC_MASK(45, 51))); }

OP(mffsce)
{
	uint64_t v = fpscr_get(cpu);

	fpscr_set(cpu, v & ~PPC_MASK(56, 60));
	SET_FRT(v);
}

/* FRT gets the old control bits, the field under mask gets v. Libraries save and restore
 * the rounding mode around functions this way, mostly without changing it. */
static void swap_control(struct cpu *cpu, const struct op *op, uint64_t mask, uint64_t v)
{
	uint64_t old = cpu->fpscr;

	if ((old ^ v) & mask)
		fpscr_set(cpu, (fpscr_get(cpu) & ~mask) | (v & mask));
	SET_FRT(old & FPSCR_CONTROL);
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

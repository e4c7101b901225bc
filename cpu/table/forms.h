/* Instruction forms: from primary and extended opcode to (match, mask).
 *
 * Each macro yields two words, `match, mask`: an instruction belongs to a row if
 * (word & mask) == match. Bits that Rc, OE or operands occupy, and reserved bits, are not
 * in the mask. Power ISA 3.0B, Book I, 1.6.
 */
#ifndef CPU_TABLE_FORMS_H
#define CPU_TABLE_FORMS_H

#include "cpu/table/since.h"

#define PO_(po) ((uint32_t)(po) << 26)
#define M_(bits) (UINT64_C(0xfffffffffc000000) | (bits))	/* no prefix above */

#define F_D(po)          PO_(po), M_(0)
#define F_I(po, aalk)    PO_(po) | (aalk), M_(3)
#define F_B(po, aalk)    PO_(po) | (aalk), M_(3)
#define F_SC(po, two)    PO_(po) | (two), M_(3)		/* bits 30:31 */
#define F_DS(po, xo)     PO_(po) | (xo), M_(3)
#define F_DQ(po, xo)     PO_(po) | (xo), M_(7)
#define F_DQP(po, xo)    PO_(po) | (xo), M_(15)
#define F_DX(po, xo)     PO_(po) | (xo) << 1, M_(0x3e)
#define F_X(po, xo)      PO_(po) | (xo) << 1, M_(0x7fe)
#define F_XL(po, xo)     PO_(po) | (xo) << 1, M_(0x7fe)
#define F_XFX(po, xo)    PO_(po) | (xo) << 1, M_(0x7fe)
#define F_XO(po, xo)     PO_(po) | (xo) << 1, M_(0x3fe)	/* OE is not in the mask */
#define F_XS(po, xo)     PO_(po) | (xo) << 2, M_(0x7fc)
#define F_A(po, xo)      PO_(po) | (xo) << 1, M_(0x3e)
#define F_M(po)          PO_(po), M_(0)
#define F_MD(po, xo)     PO_(po) | (xo) << 2, M_(0x1c)
#define F_MDS(po, xo)    PO_(po) | (xo) << 1, M_(0x1e)
#define F_VA(po, xo)     PO_(po) | (xo), M_(0x3f)
#define F_VX(po, xo)     PO_(po) | (xo), M_(0x7ff)
#define F_VC(po, xo)     PO_(po) | (xo), M_(0x3ff)		/* Rc (bit 21) is not in the mask */
#define F_XX2(po, xo)    PO_(po) | (xo) << 2, M_(0x7fc)
#define F_XX3(po, xo)    PO_(po) | (xo) << 3, M_(0x7f8)
#define F_XX3C(po, xo)   PO_(po) | (xo) << 3, M_(0x3f8)	/* compares: Rc (bit 21) is not in the mask */
#define F_XX4(po, xo)    PO_(po) | (xo) << 4, M_(0x30)
#define F_Z22(po, xo)    PO_(po) | (xo) << 1, M_(0x3fe)
#define F_Z23(po, xo)    PO_(po) | (xo) << 1, M_(0x1fe)
/* Decimal, extended: a pair of FPRs has an even number. `odd` are the last bits of the fields that name pairs. */
#define F_XP(po, xo, odd)   PO_(po) | (xo) << 1, M_(0x7fe | (odd))
#define F_Z22P(po, xo, odd) PO_(po) | (xo) << 1, M_(0x3fe | (odd))
#define F_Z23P(po, xo, odd) PO_(po) | (xo) << 1, M_(0x1fe | (odd))
#define F_XEOP(po, xo, eo, odd) PO_(po) | (uint32_t)(eo) << 16 | (xo) << 1, M_(0x1f07fe | (odd))
#define ODD_T 0x200000u
#define ODD_A 0x10000u
#define ODD_B 0x800u
/* Extended opcode continued in the field of RA (bits 11:15). */
#define F_XEO(po, xo, eo)   PO_(po) | (uint32_t)(eo) << 16 | (xo) << 1, M_(0x1f07fe)
#define F_VXEO(po, xo, eo)  PO_(po) | (uint32_t)(eo) << 16 | (xo), M_(0x1f07ff)
/* Decimal: bit 21 is 1 (Rc), PS (bit 22) is not in the mask. */
#define F_VXPS(po, xo)       PO_(po) | (xo), M_(0x5ff)
#define F_VXEOPS(po, xo, eo) PO_(po) | (uint32_t)(eo) << 16 | (xo), M_(0x1f05ff)
#define F_XX2EO(po, xo, eo) PO_(po) | (uint32_t)(eo) << 16 | (xo) << 2, M_(0x1f07fc)
/* Anything else: say it in full. */
#define F_WORD(match, mask) (match), M_(mask)

/* Prefixed: the prefix's type and the first bits of its subtype above the suffix's opcode and what else the suffix has. ISA
 * 3.1, Book I, 1.6.3. */
#define P_(type, subtype) (UINT64_C(1) << 58 | (uint64_t)(type) << 56 | (uint64_t)(subtype) << 52)
#define MP_LS_  (UINT64_C(0xff800000) << 32 | 0xfc000000)	/* one bit of subtype */
#define MP_RR_  (UINT64_C(0xfff00000) << 32 | 0xfc000000)	/* four */
#define F_8LS(po)          P_(0, 0) | PO_(po), MP_LS_
#define F_8LS5(po)         P_(0, 0) | PO_(po), MP_LS_ & ~UINT64_C(0x4000000)	/* the last bit of the opcode is a register's */
#define F_MLS(po)          P_(2, 0) | PO_(po), MP_LS_
#define F_8RR_D(po, xo, n) P_(1, 0) | PO_(po) | (uint32_t)(xo) << (21 - (n)), MP_RR_ | ((1u << (n)) - 1) << (21 - (n))
#define F_8RR_XX4(po, xo)  P_(1, 0) | PO_(po) | (xo) << 4, MP_RR_ | 0x30
#define F_MMIRR(po, xo)    P_(3, 9) | PO_(po) | (xo) << 3, MP_RR_ | 0x7f8
#define F_PNOP             P_(3, 0), UINT64_C(0xfff3ffff) << 32		/* any suffix */

/* The operands that rows name, where they lie and where they go.
 *   OPERAND(token, shift, width, kind)
 * shift and width place the field in the word. Kinds: G GPR slot, G0 GPR or the zero slot,
 * F FPR (VSR slot), FP2 a pair of FPRs (VSR slot of the even one), V VR (VSR slot of 32+n), T plain number into its letter's byte,
 * U unsigned immediate, S signed immediate; `<<n` scaling is part of S2/S4 (displacements
 * whose low 2 or 4 bits are opcode). X* are VSR numbers whose sixth bit lies apart; their
 * decoding is in decode.c, as is that of D34 and I32, which lie in prefix and suffix. XP are pairs of VSRs, whose first has an
 * even number. ACC: a slot, too. The destination byte: a, b, c, d or i (imm, then d, c, b).
 */
#define OPERANDS \
	OPERAND(RT,  21, 5, G,  a) OPERAND(RS,  21, 5, G,  a) \
	OPERAND(RA,  16, 5, G,  b) OPERAND(RA0, 16, 5, G0, b) \
	OPERAND(RB,  11, 5, G,  c) OPERAND(RC,   6, 5, G,  d) \
	OPERAND(FRT, 21, 5, F,  a) OPERAND(FRS, 21, 5, F,  a) \
	OPERAND(FRA, 16, 5, F,  b) OPERAND(FRB, 11, 5, F,  c) OPERAND(FRC, 6, 5, F, d) \
	OPERAND(FRTP, 22, 4, FP2, a) OPERAND(FRAP, 17, 4, FP2, b) OPERAND(FRBP, 12, 4, FP2, c) \
	OPERAND(VRT, 21, 5, V,  a) OPERAND(VRS, 21, 5, V,  a) \
	OPERAND(VRA, 16, 5, V,  b) OPERAND(VRB, 11, 5, V,  c) OPERAND(VRC, 6, 5, V, d) \
	OPERAND(XT,  21, 5, X1, a) OPERAND(XS,  21, 5, X1, a)	/* sixth bit: bit 31 */ \
	OPERAND(XA,  16, 5, X3, b)				/* sixth bit: bit 29 */ \
	OPERAND(XB,  11, 5, X2, c)				/* sixth bit: bit 30 */ \
	OPERAND(XC,   6, 5, X4, d)				/* sixth bit: bit 28 */ \
	OPERAND(XTQ, 21, 5, X5, a) OPERAND(XSQ, 21, 5, X5, a)	/* DQ-form lxv, stxv: sixth bit: bit 28 */ \
	OPERAND(XTP, 21, 5, V,  a) OPERAND(XSP, 21, 5, V, a)	/* lxsd, lxssp, stxsd, stxssp: a VR */ \
	OPERAND(XPT, 21, 5, XP, a) OPERAND(XPS, 21, 5, XP, a)	/* sixth bit: bit 10 */ \
	OPERAND(XT0, 21, 6, X0, a) OPERAND(XS0, 21, 6, X0, a)	/* plxv, pstxv */ \
	OPERAND(XTI, 21, 5, XI, a)				/* sixth bit: bit 15 */ \
	OPERAND(XAP, 17, 4, XPA, b)				/* the first of a pair, which is even; sixth bit: bit 29 */ \
	OPERAND(AT,  23, 3, ACC, a)				/* an accumulator: four VSRs */ \
	OPERAND(BF,  23, 3, T,  a) OPERAND(BFA, 18, 3, T,  b) \
	OPERAND(BT,  21, 5, T,  a) OPERAND(BA,  16, 5, T,  b) OPERAND(BB, 11, 5, T, c) OPERAND(BC, 6, 5, T, d) \
	OPERAND(BO,  21, 5, T,  a) OPERAND(BI,  16, 5, T,  b) OPERAND(BH, 11, 2, T, c) \
	OPERAND(TO,  21, 5, T,  a) \
	OPERAND(SI,   0, 16, S, i) OPERAND(UI,   0, 16, U, i) OPERAND(D, 0, 16, S, i) \
	OPERAND(DS,   2, 14, S4, i) OPERAND(DQ, 4, 12, S16, i) \
	OPERAND(LI,   2, 24, S4, i) OPERAND(BD,  2, 14, S4, i) \
	OPERAND(L10, 21, 1, U, i) OPERAND(L15, 16, 1, U, i) OPERAND(L2, 21, 2, U, i) OPERAND(LP, 16, 2, U, i) \
	OPERAND(FXM, 12, 8, U, i) OPERAND(SPR, 11, 10, SPR, i) OPERAND(TBR, 11, 10, SPR, i) \
	OPERAND(SH,  11, 5, U, i) OPERAND(MB, 6, 5, U, i) OPERAND(ME, 1, 5, U, i) \
	OPERAND(SH6, 11, 5, SH6, i) OPERAND(MB6, 5, 6, MB6, i) \
	OPERAND(NB,  11, 5, U, i) OPERAND(LEV, 5, 7, U, i) OPERAND(SBIT, 11, 1, U, i) \
	OPERAND(UIM, 16, 5, U, i) OPERAND(UIM4, 16, 4, U, i) OPERAND(UIM3, 16, 3, U, i) OPERAND(UIM2, 16, 2, U, i) \
	OPERAND(SIM, 16, 5, S, i) OPERAND(SHB, 6, 4, U, i) OPERAND(SH3, 6, 3, U, i) OPERAND(MP, 16, 1, U, i) OPERAND(KQ, 11, 5, U, i) OPERAND(NOPX, 6, 3, U, i) \
	OPERAND(RH, 11, 5, G, c) OPERAND(HD, 21, 5, HASH, i)	/* hashst and kin: not RB, for that would be an index */ OPERAND(SHW, 8, 2, U, i) OPERAND(DM, 8, 2, U, i) \
	OPERAND(IMM8, 11, 8, U, i) OPERAND(ST, 15, 1, U, i) OPERAND(SIX, 11, 4, U, i) OPERAND(PS, 9, 1, U, i) \
	OPERAND(DCMX, 16, 7, U, i) OPERAND(DCMXV, 0, 7, DCMX, i) OPERAND(RMC, 9, 2, U, i) OPERAND(R, 16, 1, U, i) \
	OPERAND(EX,  0, 1, U, i) OPERAND(FLM, 17, 8, U, i) OPERAND(FW, 16, 1, U, i) OPERAND(FU, 12, 4, U, i) \
	OPERAND(FL,  25, 1, U, i) OPERAND(DRM, 11, 3, U, i) OPERAND(RM2, 11, 2, U, i) \
	OPERAND(DUIM, 0, 16, DX, i) OPERAND(CT, 21, 5, U, i) OPERAND(TH, 21, 5, U, i) OPERAND(WC, 21, 2, U, i) \
	OPERAND(RIC, 18, 2, U, i) OPERAND(PRS, 17, 1, U, i) OPERAND(SR, 16, 4, U, i) OPERAND(BHRBE, 11, 10, U, i) \
	OPERAND(FC, 11, 5, U, i) \
	OPERAND(TE, 16, 5, S, i) OPERAND(SP, 19, 2, U, i) OPERAND(S, 20, 1, U, i) OPERAND(DSH, 10, 6, U, i) \
	OPERAND(DCM, 10, 6, U, i) OPERAND(UIM6, 16, 6, U, i) \
	/* Prefixed. */ \
	OPERAND(D34, 0, 16, D34, i) OPERAND(SI34, 0, 16, D34, i) OPERAND(PCREL, 52, 1, U, i) \
	OPERAND(IMM32, 0, 16, I32, i) OPERAND(IX, 17, 1, U, i) OPERAND(UIM3P, 32, 3, U, i) OPERAND(IMM8P, 32, 8, U, i) \
	OPERAND(XMSK, 36, 4, U, i) OPERAND(YMSK, 32, 4, U, i) OPERAND(YMSK2, 34, 2, U, i) \
	OPERAND(PMSK8, 40, 8, U, i) OPERAND(PMSK4, 44, 4, U, i) OPERAND(PMSK2, 46, 2, U, i)

/* Row flags. */
enum insn_flag {
	RC     = 1 << 0,	/* bit 31 is Rc: name_rc if the row also has RCF, else a CR0 op follows */
	RCF    = 1 << 1,	/* there is a handler name_rc */
	OE     = 1 << 2,	/* bit 21 is OE: handler name_o (which updates OV, OV32 and SO) */
	VRC    = 1 << 3,	/* bit 21 is Rc of a vector compare: handler name_rc sets CR6 */
	MEM    = 1 << 4,	/* handlers name (LE) and name_be (BE); operand string ends in D(RA0) or RA0,RB */
	PRIV   = 1 << 5,	/* program interrupt in problem state */
	ENDBB  = 1 << 6,	/* nothing is decoded after it */
	FPU    = 1 << 7,	/* needs MSR[FP] */
	VEC    = 1 << 8,	/* needs MSR[VEC] */
	VSX    = 1 << 9,	/* needs MSR[VSX] */
	RCFP   = 1 << 10,	/* bit 31 is Rc: CR1 from FPSCR follows */
	UPD    = 1 << 11,	/* update form: RA gets the effective address after the access; RA=0 is invalid */
	X6     = 1 << 12,	/* VSX store/load of DS/DQ form with VR/VSR numbering: facility is VEC for 32..63 */
	TIME   = 1 << 13,	/* imm gets the cycles that the block was charged past this instruction */
	BRANCH = 1 << 14,	/* decode.c builds it by hand */
	NOTEST = 1 << 15,	/* not for the user-mode differential tests (privileged, system, time, memory hints) */
	FX6    = 1 << 16,	/* GPR <-> VSR moves: MSR[FP] for VSR 0..31, MSR[VEC] for 32..63 */
	CARRY  = 1 << 17,	/* sets CA, which in 32-bit mode is CA32 */
	TO_P8  = 1 << 18,	/* POWER9 has lost it */
	TO_P9  = 1 << 19,	/* POWER10 has lost it */
	WRITES = 1 << 20,	/* a MEM row that writes where its operand is */
};

enum insn_unit { FX, MUL, DIV, LS, BR, CRU, FP, FDIV, DFP, VX, VP, CRYPTO, SYS };

#endif

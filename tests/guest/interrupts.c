/* Every interrupt that a program can cause by itself: vector, SRR0, SRR1, DAR, DSISR, and the MSR
 * that it is taken in. Power ISA 3.0B, Book III, chapter 6. */
#include "lib.h"

#define ILLEGAL PPC_BIT(44)
#define PRIV    PPC_BIT(45)
#define TRAP    PPC_BIT(46)
#define STORE   DSISR_BIT(6)
#define NO_PTE  DSISR_BIT(1)
#define OUTSIDE 0x3000000000ull		/* real address beyond any RAM of these tests */

static u64 area[64] __attribute__((aligned(256)));

/* ---- Program ---- */

PROBE(p_illegal0, "", ".long 0", "");
PROBE(p_illegal4, "", ".long 0x10000037", "");
PROBE(p_illegal31, "", ".long 0x7c0007ff", "");
PROBE(p_second, "nop", ".long 0", "");
PROBE(p_trap, "", "trap", "");
PROBE(p_tdi, "li 3,5", "tdi 4,3,5", "");
PROBE(p_tdi_not, "li 3,5", "tdi 24,3,5", "");
PROBE(p_twi, "li 3,-1", "twi 1,3,5", "");		/* 0xffffffff is above 5 */
PROBE(p_mfmsr, "", "mfmsr 3", "");
PROBE(p_mtmsrd, "", "mtmsrd 3", "");
PROBE(p_rfid, "", "rfid", "");
PROBE(p_mfdar, "", "mfdar 3", "");
PROBE(p_mtsprg0, "", "mtsprg 0,3", "");
PROBE(p_tlbie, "", ".long 0x7c001a64 | 1 << 17 | 4 << 21", "");	/* tlbie r3,r4,0,1,0 */
PROBE(p_spr_user_none, "", "mfspr 3,480", "");		/* no such register, problem-state number */
PROBE(p_spr_priv_none, "", "mfspr 3,1012", "");		/* no such register, privileged number */
PROBE(p_spr_0, "", "mfspr 3,0", "");
PROBE(p_hrfid, "", "hrfid", "");
PROBE(p_mtpidr, "", "mtspr 48,3", "");

static void test_program(void)
{
	struct cpu *c;

	c = probe(p_illegal0, OUR_MSR);
	check_trap(c, 0x700, p_illegal0_at, OUR_MSR, ILLEGAL, "illegal-word-0");
	check_eq(c->msr, OUR_MSR, "msr-at-the-vector");
	check_trap(probe(p_illegal4, OUR_MSR), 0x700, p_illegal4_at, OUR_MSR, ILLEGAL, "illegal-opcode-4");
	check_trap(probe(p_illegal31, OUR_MSR), 0x700, p_illegal31_at, OUR_MSR, ILLEGAL, "illegal-opcode-31");
	check_trap(probe(p_second, OUR_MSR), 0x700, p_second_at, OUR_MSR, ILLEGAL, "illegal-second-in-block");
	check_trap(probe(p_illegal0, OUR_MSR | MSR_RI | MSR_EE), 0x700, p_illegal0_at, OUR_MSR | MSR_RI | MSR_EE, ILLEGAL,
		   "srr1-holds-EE-RI");
	check_trap(probe(p_illegal0, OUR_MSR | MSR_FP | MSR_VEC | MSR_VSX | MSR_FE0 | MSR_FE1), 0x700, p_illegal0_at,
		   OUR_MSR | MSR_FP | MSR_VEC | MSR_VSX | MSR_FE0 | MSR_FE1, ILLEGAL, "srr1-holds-facilities");
	check_eq(this_cpu()->msr, OUR_MSR, "facilities-off-at-the-vector");
	check_trap(probe(p_trap, OUR_MSR), 0x700, p_trap_at, OUR_MSR, TRAP, "trap");
	check_trap(probe(p_tdi, OUR_MSR), 0x700, p_tdi_at, OUR_MSR, TRAP, "tdi-equal");
	check_eq(probe(p_tdi_not, OUR_MSR)->vector, 0xc00, "tdi-not-taken");
	check_trap(probe(p_twi, OUR_MSR), 0x700, p_twi_at, OUR_MSR, TRAP, "twi-unsigned-above");
	/* A register that is not there. Privileged state: no operation, but for SPR 0 and 4 to 6. Book III, 4.4.4 */
	c = probe(p_spr_user_none, OUR_MSR, 77);
	check(c->vector == 0xc00 && c->r[3] == 77, "spr-user-none-is-no-operation");
	c = probe(p_spr_priv_none, OUR_MSR, 77);
	check(c->vector == 0xc00 && c->r[3] == 77, "spr-privileged-none-is-no-operation");
	check_eq(probe(p_spr_0, OUR_MSR)->vector, 0x700, "spr-0");
	/* No hypervisor here. */
	check_trap(probe(p_hrfid, OUR_MSR), 0x700, p_hrfid_at, OUR_MSR, PRIV, "hrfid");
}

/* ---- What belongs to the hypervisor: privileged in privileged state, too. Book III, 4.4.4 ---- */

static u32 code[2];

static struct cpu *probe_word(u32 word)
{
	put_insn(&code[0], word);
	put_insn(&code[1], 0x44000002);		/* sc */
	return probe(code, OUR_MSR, 0x123456789abcdef0ull);
}

static void test_hypervisor(void)
{
	static const struct { u32 word; u64 bits; const char *name; } rows[] = {
		{ 0x7c80062a, PRIV, "lwzcix" }, { 0x7c80066a, PRIV, "lhzcix" }, { 0x7c8006aa, PRIV, "lbzcix" },
		{ 0x7c8006ea, PRIV, "ldcix" }, { 0x7c80072a, PRIV, "stwcix" }, { 0x7c80076a, PRIV, "sthcix" },
		{ 0x7c8007aa, PRIV, "stbcix" }, { 0x7c8007ea, PRIV, "stdcix" }, { 0x7c8006a4, PRIV, "slbiag" },
		{ 0x4c000224, PRIV, "hrfid" }, { 0x4c0002e4, PRIV, "stop" }, { 0x7c00199c, PRIV, "msgsnd" },
		{ 0x7c0019dc, PRIV, "msgclr" }, { 0x7c0006ec, PRIV, "msgsync" },
		/* POWER8's, which POWER9 does not have. */
		{ 0x4c000324, ILLEGAL, "doze" }, { 0x4c000364, ILLEGAL, "nap" }, { 0x4c0003a4, ILLEGAL, "sleep" },
		{ 0x4c0003e4, ILLEGAL, "rvwinkle" }, { 0x7c6001a4, ILLEGAL, "mtsr" }, { 0x7c6004a6, ILLEGAL, "mfsr" },
	};
	static const u16 numbers[] = {		/* DAWR0, CIABR, DAWRX0 among them: H_SET_MODE is the way to those */
		180, 187, 188, 190, 276, 277, 304, 310, 314, 317, 318, 319, 336, 338, 349, 464, 850, 851, 853, 855, 884, 921,
		922, 1008,
	};
	bool ok = true;
	struct cpu *c;

	for (unsigned i = 0; i < sizeof rows / sizeof rows[0]; i++)
		check_trap(probe_word(rows[i].word), 0x700, code, OUR_MSR, rows[i].bits, rows[i].name);
	for (unsigned i = 0; i < sizeof numbers / sizeof numbers[0]; i++) {
		u32 field = (numbers[i] & 31u) << 16 | (numbers[i] >> 5 & 31u) << 11;

		c = probe_word(0x7c6002a6 | field);	/* mfspr 3,n */
		ok &= c->vector == 0x700 && c->srr1 == (OUR_MSR | PRIV) && c->r[3] == 0x123456789abcdef0ull;
		c = probe_word(0x7c6003a6 | field);	/* mtspr n,3 */
		ok &= c->vector == 0x700 && c->srr1 == (OUR_MSR | PRIV);
	}
	check(ok, "registers-of-the-hypervisor");
	mtspr(895, 0x1122334455667788);		/* WORT */
	check_eq(mfspr(895), 0x1122334455667788, "WORT");
	mtspr(895, 0);
}

/* ---- Alignment ---- */

PROBE(p_lwarx, "", "lwarx 4,0,3", "");
PROBE(p_ldarx, "", "ldarx 4,0,3", "");
PROBE(p_stwcx, "", "stwcx. 4,0,3", "");
PROBE(p_stdcx, "", "stdcx. 4,0,3", "");
PROBE(p_lqarx, "", "lqarx 4,0,3", "");
PROBE(p_lq, "", "lq 4,0(3)", "");
PROBE(p_stq, "", "stq 4,0(3)", "");
PROBE(p_lmw, "", ".long 0xbb830000", "");
PROBE(p_stmw, "", ".long 0xbf830000", "");
PROBE(p_lswi, "", ".long 0x7c8324aa", "");		/* lswi r4,r3,4 */
PROBE(p_lwat, "", ".long 0x7c8304cc", "");		/* lwat r4,r3,0 */
PROBE(p_lwz, "", "lwz 4,0(3)", "");
PROBE(p_std, "", "std 4,0(3)", "");

static void alignment(const void *code, const void *at, u64 ea, const char *name)
{
	struct cpu *c;

	mtspr(19, 0x1234);
	c = probe(code, OUR_MSR, ea, 0xdead);
	if (check_trap(c, 0x600, at, OUR_MSR, 0, name))
		check_eq(c->dar, ea, name);
}

static void test_alignment(void)
{
	u64 odd = (u64)area + 1;

	alignment(p_lwarx, p_lwarx_at, odd, "lwarx-odd");
	alignment(p_lwarx, p_lwarx_at, odd + 1, "lwarx-halfword");
	alignment(p_ldarx, p_ldarx_at, (u64)area + 4, "ldarx-word");
	alignment(p_stwcx, p_stwcx_at, odd, "stwcx-odd");
	alignment(p_stdcx, p_stdcx_at, (u64)area + 4, "stdcx-word");
	alignment(p_lqarx, p_lqarx_at, (u64)area + 8, "lqarx-doubleword");
	if (!is_power8())
		alignment(p_lwat, p_lwat_at, odd, "lwat-odd");
	if (LITTLE) {
		alignment(p_lmw, p_lmw_at, (u64)area, "lmw-little-endian");
		alignment(p_stmw, p_stmw_at, (u64)area, "stmw-little-endian");
		alignment(p_lswi, p_lswi_at, (u64)area, "lswi-little-endian");
	} else {
		check_eq(probe(p_lmw, OUR_MSR, area)->vector, 0xc00, "lmw-big-endian");
		check_eq(probe(p_stmw, OUR_MSR, area)->vector, 0xc00, "stmw-big-endian");
	}
	check_eq(probe(p_lwz, OUR_MSR, odd)->vector, 0xc00, "lwz-odd-is-fine");
	check_eq(probe(p_std, OUR_MSR, odd)->vector, 0xc00, "std-odd-is-fine");
}

/* ---- Facilities ---- */

PROBE(p_fadd, "", "fadd 1,2,3", "");
PROBE(p_lfd, "", "lfd 1,0(3)", "");
PROBE(p_vaddubm, "", "vaddubm 1,2,3", "");
PROBE(p_lvx, "", "lvx 1,0,3", "");
PROBE(p_xvadddp, "", "xvadddp 1,2,3", "");
PROBE(p_lxvd2x, "", "lxvd2x 1,0,3", "");
PROBE(p_lxv_low, "", "lxv 1,0(3)", "");
PROBE(p_lxv_high, "", "lxv 33,0(3)", "");
PROBE(p_mfvsrd_low, "", "mfvsrd 3,1", "");
PROBE(p_mfvsrd_high, "", "mfvsrd 3,33", "");
PROBE(p_xscvdpqp, "", "xscvdpqp 1,2", "");
PROBE(p_mfscr, "", "mfspr 3,815", "");		/* TAR */
PROBE(p_mfdscr, "", "mfspr 3,3", "");		/* DSCR, problem-state number */
PROBE(p_scv, "", ".long 0x44000001", "");	/* scv 0 */
PROBE(p_tbegin, "", ".long 0x7c00051d", "");

static void test_facilities(void)
{
	const u64 fp = MSR_FP, vec = MSR_VEC, vsx = MSR_VSX;
	static const struct { const char *code, *at; u64 msr, vector; const char *name; } rows[] = {
		{ p_fadd, p_fadd_at, 0, 0x800, "fadd-without-FP" },
		{ p_lfd, p_lfd_at, 0, 0x800, "lfd-without-FP" },
		{ p_vaddubm, p_vaddubm_at, 0, 0xf20, "vaddubm-without-VEC" },
		{ p_vaddubm, p_vaddubm_at, MSR_FP | MSR_VSX, 0xf20, "vaddubm-with-FP-VSX" },
		{ p_lvx, p_lvx_at, 0, 0xf20, "lvx-without-VEC" },
		{ p_xvadddp, p_xvadddp_at, 0, 0xf40, "xvadddp-without-VSX" },
		{ p_xvadddp, p_xvadddp_at, MSR_FP | MSR_VEC, 0xf40, "xvadddp-with-FP-VEC" },
		{ p_lxvd2x, p_lxvd2x_at, 0, 0xf40, "lxvd2x-without-VSX" },
		{ p_lxv_low, p_lxv_low_at, MSR_VEC, 0xf40, "lxv-low-without-VSX" },
		{ p_lxv_high, p_lxv_high_at, MSR_VSX, 0xf20, "lxv-high-without-VEC" },
		{ p_mfvsrd_low, p_mfvsrd_low_at, MSR_VEC | MSR_VSX, 0x800, "mfvsrd-low-without-FP" },
		{ p_mfvsrd_high, p_mfvsrd_high_at, MSR_FP | MSR_VSX, 0xf20, "mfvsrd-high-without-VEC" },
	};

	for (unsigned i = 0; i < sizeof rows / sizeof rows[0]; i++)
		if (!is_power8() || (rows[i].at != p_lxv_low_at && rows[i].at != p_lxv_high_at))
			check_trap(probe(rows[i].code, OUR_MSR | rows[i].msr, area), rows[i].vector, rows[i].at, OUR_MSR | rows[i].msr,
				   0, rows[i].name);
	check_eq(probe(p_fadd, OUR_MSR | fp)->vector, 0xc00, "fadd-with-FP");
	check_eq(probe(p_vaddubm, OUR_MSR | vec)->vector, 0xc00, "vaddubm-with-VEC");
	check_eq(probe(p_xvadddp, OUR_MSR | vsx)->vector, 0xc00, "xvadddp-with-VSX");
	if (!is_power8()) {
		check_eq(probe(p_lxv_low, OUR_MSR | vsx, area)->vector, 0xc00, "lxv-low-with-VSX");
		check_eq(probe(p_lxv_high, OUR_MSR | vec, area)->vector, 0xc00, "lxv-high-with-VEC");
	}
	check_eq(probe(p_mfvsrd_low, OUR_MSR | fp)->vector, 0xc00, "mfvsrd-low-with-FP");
	check_eq(probe(p_mfvsrd_high, OUR_MSR | vec)->vector, 0xc00, "mfvsrd-high-with-VEC");
	check_trap(probe(p_tbegin, OUR_MSR), 0xf60, p_tbegin_at, OUR_MSR, 0, "tbegin");
	check_eq(mfspr(153) >> 56, 5, "tbegin-FSCR-cause");
}

/* ---- Enabled floating-point exceptions. Book III, 6.5.9; Book I, 4.4 ---- */

#define FPE   PPC_BIT(43)
#define LATER PPC_BIT(47)
#define ZERO "lfd 1,0(3)\n\tmtfsf 255,1\n\t"		/* r3 leads to 0.0; FPSCR = 0 */

PROBE(p_invalid, ZERO "mtfsb1 24", "fdiv 2,1,1", "");			/* VE: 0 / 0 */
PROBE(p_zero_divide, ZERO "mtfsb1 27\n\tlfd 3,8(3)", "fdiv 2,3,1", "");	/* ZE: 1 / 0 */
PROBE(p_inexact, ZERO "mtfsb1 28\n\tlfd 3,8(3)\n\tlfd 4,16(3)\n\tlfd 2,24(3)", "fdiv 2,3,4", "");	/* XE: 1 / 3 */
PROBE(p_vsx_invalid, ZERO "mtfsb1 24", "xvdivdp 2,1,1", "");
PROBE(p_compare, ZERO "mtfsb1 24\n\tlfd 3,24(3)", "fcmpo 0,3,1", "");	/* VE: a NaN */
PROBE(p_fine, ZERO "mtfsb1 24\n\tlfd 3,8(3)", "fadd 2,3,1", "");
PROBE(p_bit, ZERO "mtfsb1 24", "mtfsb1 21", "");			/* VXSOFT by hand */
PROBE(p_disabled, ZERO, "fdiv 2,1,1", "stfd 2,32(3)");

PROBE(p_clear, ZERO, "nop", "");
PROBE(p_field, ZERO "lfd 3,40(3)", "mtfsf 255,3", "");			/* VE and VXSNAN at once */
PROBE(p_digit, ZERO "mtfsb1 24", "mtfsfi 5,4", "");			/* VXSOFT */
PROBE(p_mtmsrd_fe, ZERO "mtfsb1 24\n\tfdiv 2,1,1", "mtmsrd 4", "li 5,0");
PROBE(p_mtmsr_fe, ZERO "mtfsb1 24\n\tfdiv 2,1,1", "mtmsr 4", "li 5,0");
PROBE(p_rfscv_fe, ZERO "mtfsb1 24\n\tfdiv 2,1,1\n\tmtlr 5\n\tmtctr 4", ".long 0x4c0000a4", "");
PROBE(p_rfid_fe, ZERO "mtfsb1 24\n\tfdiv 2,1,1\n\tmtsrr0 5\n\tmtsrr1 4", "rfid", "");
PROBE(p_rfid_fine, ZERO "mtfsb1 24\n\tmtsrr0 5\n\tmtsrr1 4", "rfid", "");

/* FEX has been 1 when MSR[FE0] or MSR[FE1] becomes so: the interrupt's SRR0 is the next instruction, wherever that is. */
static void test_float_waiting(u64 msr)
{
	static const struct { const char *code, *next, *name; } rows[] = {
		{ p_mtmsrd_fe, p_mtmsrd_fe_next, "mtmsrd-lets-through" }, { p_mtmsr_fe, p_mtmsr_fe_next, "mtmsr-lets-through" },
		{ p_rfscv_fe, p_fine, "rfscv-lets-through" }, { p_rfid_fe, p_fine, "rfid-lets-through" },
	};
	static const u64 modes[] = { MSR_FE0, MSR_FE1, MSR_FE0 | MSR_FE1 };

	for (unsigned i = 0; i < 3 * sizeof rows / sizeof rows[0]; i++) {
		u64 to = msr | modes[i % 3];

		if (rows[i / 3].code != p_rfscv_fe || !is_power8())
			check_trap(probe(rows[i / 3].code, msr, area, to, p_fine), 0x700, rows[i / 3].next, to, FPE | LATER, rows[i / 3].name);
	}
	check_trap(probe(p_rfid_fe, msr, area, msr | MSR_FE0 | MSR_PR, p_fine), 0x700, p_fine, msr | MSR_FE0 | MSR_PR, FPE | LATER,
		   "rfid-to-problem-state-lets-through");
	check_eq(probe(p_rfid_fe, msr, area, msr, probe_end)->vector, 0xc00, "rfid-with-FE-0");
	check_eq(probe(p_rfid_fine, msr, area, msr | MSR_FE0, probe_end)->vector, 0xc00, "rfid-with-FEX-0");
	probe(p_clear, msr, area);
}

static void test_float(void)
{
	static const struct { const char *code, *at; u64 vector; const char *name; } rows[] = {
		{ p_invalid, p_invalid_at, 0x700, "invalid" }, { p_zero_divide, p_zero_divide_at, 0x700, "zero-divide" },
		{ p_inexact, p_inexact_at, 0x700, "inexact" }, { p_vsx_invalid, p_vsx_invalid_at, 0x700, "vsx-invalid" },
		{ p_compare, p_compare_at, 0x700, "compare-with-NaN" }, { p_bit, p_bit_at, 0x700, "bit-by-hand" },
		{ p_field, p_field_at, 0x700, "field-by-hand" }, { p_digit, p_digit_at, 0x700, "digit-by-hand" },
		{ p_fine, NULL, 0xc00, "nothing-wrong" }, { p_disabled, NULL, 0xc00, "not-enabled" },
	};
	u64 msr = OUR_MSR | MSR_FP | MSR_VSX;

	area[0] = 0;
	area[1] = 0x3ff0000000000000;
	area[2] = 0x4008000000000000;
	area[3] = 0x7ff8000000000000;
	area[5] = 0x01000080;
	for (unsigned i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		struct cpu *c = probe(p_clear, msr, area);

		c = probe(rows[i].code, msr | MSR_FE0 | MSR_FE1, area);
		if (rows[i].at)
			check_trap(c, 0x700, rows[i].at, msr | MSR_FE0 | MSR_FE1, FPE, rows[i].name);
		else
			check_eq(c->vector, rows[i].vector, rows[i].name);
		check_eq(probe(rows[i].code, msr, area)->vector, 0xc00, "ignored-with-FE-0");
	}
	check_eq(area[4], 0x7ff8000000000000, "default-result");
	test_float_waiting(msr);
}

/* ---- System calls ---- */

PROBE(p_sc, "", "sc", "");
PROBE(p_scv7, "", ".long 0x44000001 | 7 << 5", "");
PROBE(p_rfscv, "mtlr 3\n\tmtctr 4", ".long 0x4c0000a4", "");
extern char scv_handler[];
/* Far from the vectors: LR and CTR are what scv leaves. */
__asm__(".text\n.globl scv_handler\nscv_handler:\n\tmflr 5\n\tmfctr 6\n\tmfmsr 7\n\tsc\n\tb .\n");

static void test_system_calls(void)
{
	struct cpu *c;
	const u64 msr = OUR_MSR | MSR_RI;

	check_trap(probe(p_sc, msr), 0xc00, p_sc_next, msr, 0, "sc");
	check_eq(this_cpu()->msr, OUR_MSR, "sc-msr");
	if (is_power8()) {
		check_trap(probe(p_scv, msr), 0x700, p_scv_at, msr, ILLEGAL, "no-scv");
		return;
	}
	mtspr(153, 0);
	check_trap(probe(p_scv, msr), 0xf60, p_scv_at, msr, 0, "scv-without-FSCR");
	check_eq(mfspr(153) >> 56, 12, "scv-FSCR-cause");
	mtspr(153, PPC_BIT(63 - 12));
	put_insn((void *)(0x17000 + 0x20 * 7), 0x48000002 | (u32)(u64)scv_handler);	/* ba */
	c = probe(p_scv7, msr);
	check(c->vector == 0xc00 && c->srr0 == (u64)scv_handler + 16, "scv-arrives");
	check_eq(c->r[5], (u64)p_scv7_next, "scv-LR");
	check_eq(c->r[6], msr, "scv-CTR");
	check_eq(c->r[7], msr, "scv-keeps-RI-EE");
	c = probe(p_rfscv, OUR_MSR, p_sc, OUR_MSR | MSR_RI);
	check_trap(c, 0xc00, p_sc_next, OUR_MSR | MSR_RI, 0, "rfscv");
	mtspr(153, 0);
}

/* ---- Real mode storage ---- */

PROBE(p_branch, "mtctr 3", "bctr", "");

PROBE(p_dcbz, "", "dcbz 0,3", "");
#define MC_LOAD  PPC_BIT(42)
#define MC_STORE (PPC_BIT(36) | PPC_BIT(42) | PPC_BIT(43) | PPC_BIT(45))
#define MC_FETCH (PPC_BIT(36) | PPC_BIT(44) | PPC_BIT(45))

static void test_real_storage(void)
{
	static const struct { const char *code, *at; u64 bits, mask; const char *name; } rows[] = {
		{ p_lwz, p_lwz_at, MC_LOAD, ~0ull, "real-load-outside" },
		{ p_std, p_std_at, MC_STORE, ~0ull, "real-store-outside" },
		{ p_lwarx, p_lwarx_at, MC_LOAD, ~0ull, "real-lwarx-outside" },
		{ p_stwcx, p_stwcx_at, MC_STORE, ~0ull, "real-stwcx-outside" },
		{ p_dcbz, p_dcbz_at, MC_STORE, ~127ull, "real-dcbz-outside" },
	};
	struct cpu *c;

	/* No storage there: machine checks. */
	for (unsigned i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		mtspr(18, 0);
		c = probe(rows[i].code, OUR_MSR, OUTSIDE, 0);
		if (!check_trap(c, 0x200, rows[i].at, OUR_MSR, rows[i].bits, rows[i].name))
			continue;
		check_eq(c->dar, OUTSIDE & rows[i].mask, rows[i].name);
		check_eq(c->dsisr, DSISR_BIT(25), rows[i].name);
		check_eq(c->msr, OUR_MSR, "msr-at-a-machine-check");
		check_eq(c->r[4], 0, "nothing-was-loaded");
	}
	c = probe(p_branch, OUR_MSR, OUTSIDE);
	check(c->vector == 0x200 && c->srr0 == OUTSIDE && c->srr1 == (OUR_MSR | MC_FETCH), "real-fetch-outside");
	/* The four high bits do not count in real mode. */
	area[0] = 0x1122334455667788;
	c = probe(p_lwz, OUR_MSR, (u64)area | 0xc000000000000000ull);
	check(c->vector == 0xc00 && c->r[4] == *(u32 *)area, "real-high-bits-ignored");
}

/* ---- Trace ---- */

PROBE(p_steps, "nop", "addi 3,3,1", "nop\n\tb 1f\n\tnop\n1:\tnop");
PROBE(p_store_steps, "", "std 3,0(4)", "nop");
PROBE(p_load_fault, "", "lwz 4,0(3)", "nop");

#define TRACED PPC_BIT(33)
#define LOADED PPC_BIT(35)
#define STORED PPC_BIT(36)

PROBE(p_lwzu, "", "lwzu 4,-8(3)", "");
PROBE(p_ldx_over, "", "ldx 3,3,4", "");
PROBE(p_ld_ds, "", "ld 4,-16(3)", "");
PROBE(p_stbx, "", "stbx 5,3,4", "");
PROBE(p_lvx_low, "", "lvx 2,3,4", "");
PROBE(p_stxvl, "", "stxvl 2,3,5", "");
PROBE(p_lxv_dq, "", "lxv 2,32(3)", "");
PROBE(p_rfid_se, "mtsrr0 3\n\tmtsrr1 4", "rfid", "");
PROBE(p_b, "", "b 1f", "1:");
PROBE(p_addi, "", "addi 3,3,1", "");
PROBE(p_dcbf, "", "dcbf 0,3", "");
PROBE(p_dcbst, "", "dcbst 3,4", "");
PROBE(p_dcbt, "", "dcbt 3,4", "");
PROBE(p_dcbtst, "", "dcbtst 3,4", "");
PROBE(p_icbt, "", "icbt 0,3,4", "");

/* SIAR is the instruction that was traced, SDAR its operand, as both were when it began. SRR1 says that it
 * is a trace, and of what. Book III, 6.5.15. */
static void test_trace_registers(void)
{
	static const struct { const char *at; u64 bits; s64 operand; const char *name; } rows[] = {
		{ p_lwzu_at, LOADED, 128 - 8, "trace-lwzu" }, { p_ldx_over_at, LOADED, 128 + 24, "trace-ldx-over-RA" },
		{ p_ld_ds_at, LOADED, 128 - 16, "trace-ld" }, { p_stbx_at, STORED, 128 + 24, "trace-stbx" },
		{ p_lvx_low_at, LOADED, 128 + 16, "trace-lvx" }, { p_stxvl_at, STORED, 128, "trace-stxvl" },
		{ p_lxv_dq_at, LOADED, 128 + 32, "trace-lxv" }, { p_dcbf_at, LOADED, 128, "trace-dcbf" },
		{ p_dcbst_at, LOADED, 128 + 24, "trace-dcbst" }, { p_dcbt_at, LOADED, 128 + 24, "trace-dcbt" },
		{ p_dcbtst_at, STORED, 128 + 24, "trace-dcbtst" }, { p_icbt_at, LOADED, 128 + 24, "trace-icbt" },
		{ p_addi_at, 0, -1, "trace-addi" }, { p_b_at, 0, -1, "trace-b" },
	};
	const u64 msr = OUR_MSR | MSR_SE | MSR_VEC | MSR_VSX;
	struct cpu *c;

	for (unsigned i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		if (is_power8() && (rows[i].at == p_stxvl_at || rows[i].at == p_lxv_dq_at))
			continue;
		mtspr(796, 0x1111);	/* SIAR */
		mtspr(797, 0x2222);	/* SDAR */
		c = probe(rows[i].at, msr, (u64)area + 128, 24, 1ull << 56);
		check(c->vector == 0xd00 && c->srr1 == (msr | TRACED | rows[i].bits), rows[i].name);
		check_eq(mfspr(796), (u64)rows[i].at, "SIAR");
		check_eq(mfspr(797), rows[i].operand < 0 ? 0x2222 : (u64)area + (u64)rows[i].operand, "SDAR");
	}
	/* In 32-bit mode the operand's address has 32 bits. */
	c = probe(p_ld_ds_at, msr & ~MSR_SF, 0x100000000ull | ((u64)area + 128));
	check(c->vector == 0xd00 && mfspr(797) == (u64)area + 128 - 16, "trace-ld-32-bits");
	/* Where rfid leads to is traced, rfid is not. */
	c = probe(p_rfid_se, OUR_MSR, p_addi_at, msr);
	check(c->vector == 0xd00 && c->srr0 == (u64)p_addi_next && mfspr(796) == (u64)p_addi_at, "trace-behind-rfid");
}

static void test_trace(void)
{
	struct cpu *c;
	u64 msr = OUR_MSR | MSR_SE;

	c = probe(p_steps, msr, 5);
	check(c->vector == 0xd00 && c->srr0 == (u64)p_steps_at && (c->srr1 & MSR_SE) && c->r[3] == 5, "step-one");
	c = probe(p_steps_at, msr, 5);
	check(c->vector == 0xd00 && c->srr0 == (u64)p_steps_next && c->r[3] == 6, "step-the-next");
	c = probe((char *)p_steps_next + 4, msr, 5);
	check(c->vector == 0xd00 && c->srr0 == (u64)p_steps_next + 12, "step-a-branch");
	c = probe(p_store_steps, msr, 0x77, area);
	check(c->vector == 0xd00 && c->srr0 == (u64)p_store_steps_next && area[0] == 0x77, "step-a-store");
	/* What interrupts for itself does not trace. */
	check_trap(probe(p_load_fault, msr, OUTSIDE), 0x200, p_load_fault_at, msr, MC_LOAD, "step-a-fault");
	check_trap(probe(p_illegal0, msr), 0x700, p_illegal0_at, msr, ILLEGAL, "step-an-illegal");
	check_trap(probe(p_sc, msr), 0xc00, p_sc_next, msr, 0, "step-a-system-call");
	c = probe(p_steps, OUR_MSR | MSR_BE, 5);
	check(c->vector == 0xd00 && c->srr0 == (u64)p_steps_next + 12 && c->r[3] == 6, "branch-trace");
	c = probe(p_store_steps, OUR_MSR | MSR_BE, 1, area);
	check(c->vector == 0xd00 && c->srr0 == (u64)probe_end, "branch-trace-of-blr");
	test_trace_registers();
}

/* ---- MSR ---- */

PROBE(p_mtmsrd_then, "mtmsrd 3", "mfmsr 4", "");
PROBE(p_mtmsrd1_then, "mtmsrd 3,1", "mfmsr 4", "");
PROBE(p_mtmsr_then, "mtmsr 3", "mfmsr 4", "");
PROBE(p_rfid_to, "mtsrr0 3\n\tmtsrr1 4", "rfid", "");

static void test_msr(void)
{
	struct cpu *c;

	c = probe(p_mtmsrd_then, OUR_MSR, OUR_MSR | MSR_FP | MSR_RI | PPC_BIT(3) | PPC_BIT(31));
	check_eq(c->r[4], OUR_MSR | MSR_FP | MSR_RI, "mtmsrd-never-HV-TM");
	c = probe(p_mtmsrd_then, OUR_MSR, MSR_SF);
	check_eq(c->r[4], OUR_MSR, "mtmsrd-keeps-ME-LE");
	c = probe(p_mtmsrd1_then, OUR_MSR | MSR_FP, MSR_RI);
	check_eq(c->r[4], OUR_MSR | MSR_FP | MSR_RI, "mtmsrd-L1-only-EE-RI");
	c = probe(p_mtmsr_then, OUR_MSR, MSR_RI);
	check_eq(c->r[4], OUR_MSR | MSR_RI, "mtmsr-keeps-SF");
	/* rfid: low bits of SRR0 do not count; HV, ME cannot be had. */
	c = probe(p_rfid_to, OUR_MSR, (u64)p_mfmsr + 3, OUR_MSR | MSR_RI | PPC_BIT(3));
	check(c->vector == 0xc00 && c->r[3] == (OUR_MSR | MSR_RI), "rfid-to");
}

/* ---- Byte order of interrupts ---- */

PROBE(p_endian, "", ".long 0", "");
/* The system call that ends it must be taken in our order again: H_SET_MODE first. */
extern char p_set_endian[];
__asm__(".text\n.globl p_set_endian\np_set_endian:\n\tmr 14,5\n\tmr 15,6\n\tmr 16,7\n\tli 3,0x31c\n\tli 4," LITTLE_TEXT
	"\n\tli 5,4\n\tli 6,0\n\tli 7,0\n\tsc 1\n\tsc\n\tb .\n");

static void test_endian(void)
{
	/* The other order at the vector: the entry's words swapped would be ours again, so the handler
	 * at 0x700 is `rfid` in the other order behind a change of SRR0 and SRR1. */
	static const u32 words[] = {		/* r3: our MSR, r4: where to go on */
		0x7cbb02a6,		/* mfsrr1 r5 */
		0x7cda02a6,		/* mfsrr0 r6 */
		0x7ce000a6,		/* mfmsr r7 */
		0x7c7b03a6,		/* mtsrr1 r3 */
		0x7c9a03a6,		/* mtsrr0 r4 */
		0x4c000024,		/* rfid */
	};
	struct cpu *c;

	check_eq(hcall(H_SET_MODE, !LITTLE, 4, 0, 0), H_SUCCESS, "H_SET_MODE-endian");
	for (unsigned i = 0; i < sizeof words / sizeof words[0]; i++)
		put_insn((u32 *)0x700 + i, __builtin_bswap32(words[i]));
	c = probe(p_endian, OUR_MSR, OUR_MSR, p_set_endian);
	check(c->vector == 0xc00 && c->r[3] == 0, "other-order-arrives");
	check_eq(c->r[14], OUR_MSR | ILLEGAL, "other-order-SRR1");
	check_eq(c->r[15], (u64)p_endian_at, "other-order-SRR0");
	check_eq(c->r[16], OUR_MSR ^ MSR_LE, "other-order-MSR");
	vectors_at(0);
	check_trap(probe(p_illegal0, OUR_MSR), 0x700, p_illegal0_at, OUR_MSR, ILLEGAL, "own-order-again");
	check_eq((u64)hcall(H_SET_MODE, 2, 4, 0, 0), (u64)H_UNSUPPORTED_FLAG, "H_SET_MODE-endian-flag");
	check_eq((u64)hcall(H_SET_MODE, 0, 4, 1, 0), (u64)H_P3, "H_SET_MODE-endian-value1");
	check_eq((u64)hcall(H_SET_MODE, 0, 4, 0, 1), (u64)H_P4, "H_SET_MODE-endian-value2");
	check_eq((u64)hcall(H_SET_MODE, 0, 99, 0, 0), (u64)H_P2, "H_SET_MODE-resource");
	check_eq((u64)hcall(H_SET_MODE, 1, 3, 0, 0), (u64)H_UNSUPPORTED_FLAG, "H_SET_MODE-AIL-1");
}

/* What is not executed in problem state here is in radix.c: that needs translation. */
void test(void)
{
	test_program();
	if (!is_power8())		/* guest/sprs-power8 has its list */
		test_hypervisor();
	test_alignment();
	test_facilities();
	test_float();
	test_system_calls();
	test_real_storage();
	test_trace();
	test_msr();
	test_endian();
}

/* 32-bit mode (MSR[SF] = 0): addresses, what goes into LR, SRR0 and updated registers, record forms and
 * carries. Power ISA 3.0B, Book I, 1.10.3 (effective addresses), 2.4, 3.3.1; Book III, 6.4.3. */
#include "lib.h"

#define NARROW (OUR_MSR & ~MSR_SF)
#define JUNK 0xabcdef0100000000ull

static u64 area[32] __attribute__((aligned(128)));

PROBE(p_ld, "", "ld 4,8(3)", "");
PROBE(p_ldx, "", "ldx 5,3,4", "");
PROBE(p_lwzu, "", "lwzu 4,8(3)", "");
PROBE(p_lwzux, "", "lwzux 5,3,4", "");
PROBE(p_lwzux_over, "", "lwzux 4,3,4", "");
PROBE(p_lbzu, "", "lbzu 5,8(3)", "");
PROBE(p_lhau, "", "lhau 5,8(3)", "");
PROBE(p_ldu, "", "ldu 5,8(3)", "");
PROBE(p_lfsu, "", "lfsu 5,8(3)", "");
PROBE(p_lfdu, "", "lfdu 5,8(3)", "");
PROBE(p_stbu, "", "stbu 4,8(3)", "");
PROBE(p_stwu, "", "stwu 4,8(3)", "");
PROBE(p_stdu, "", "stdu 4,8(3)", "");
PROBE(p_stfsu, "", "stfsu 5,8(3)", "");
PROBE(p_stfdu, "", "stfdu 5,8(3)", "");
PROBE(p_lwaux, "", "lwaux 5,3,4", "");
PROBE(p_ldux, "", "ldux 5,3,4", "");
PROBE(p_lfdux, "", "lfdux 5,3,4", "");
PROBE(p_stwux, "", "stwux 5,3,4", "");
PROBE(p_stdux, "", "stdux 5,3,4", "");
PROBE(p_stfdux, "", "stfdux 5,3,4", "");
PROBE(p_lwz_low, "", "lwz 4,-8(3)", "");
PROBE(p_lwarx, "lwarx 5,0,3", "stwcx. 4,0,3", "mfcr 6");
PROBE(p_dcbz, "", "dcbz 0,3", "");
PROBE(p_lbzx0, "", "lbzx 5,0,3", "");
PROBE(p_bl, "mflr 7\n\tbl 1f", "nop", "1:\tmflr 3\n\tmtlr 7");
PROBE(p_blr, "mflr 7\n\tmtlr 3", "blr", "");
PROBE(p_bctr, "mtctr 3", "bctr", "");
PROBE(p_called, "mflr 3", "li 9,78", "");
PROBE(p_bctrl, "mflr 7\n\tmtctr 3", "bctrl", "mtlr 7");
PROBE(p_beqlr, "mflr 7\n\tmtlr 3\n\tcmpw 4,5\n\tli 9,0", "beqlr", "mtlr 7");
PROBE(p_bnelr, "mflr 7\n\tmtlr 3\n\tcmpw 4,5\n\tli 9,0", "bnelr", "mtlr 7");
PROBE(p_bl_far, "mflr 7\n\tbl 1f", "nop", ".skip 4096\n1:\tmflr 3\n\tmtlr 7");
PROBE(p_b_far, "li 5,0\n\tb 1f", "li 5,1", ".skip 4096\n1:\tli 6,2");
PROBE(p_bdz, "mtctr 3\n\tli 5,0", "bdz 1f", "li 5,1\n1:\tmfctr 6");
PROBE(p_blr_target, "mtlr 7\n\tli 9,77", "nop", "");
PROBE(p_add_rec, "", "add. 5,3,4", "mfcr 6");
PROBE(p_or_rec, "", "or. 5,3,3", "mfcr 6");
PROBE(p_cmpd, "", "cmpd 3,4", "mfcr 6");
PROBE(p_addc, "", "addc 5,3,4", "mfxer 6");
PROBE(p_subfc, "", "subfc 5,3,4", "mfxer 6");
PROBE(p_adde, "mtxer 5", "adde 5,3,4", "mfxer 6");
PROBE(p_addo, "li 5,0\n\tmtxer 5", "addo 5,3,4", "mfxer 6");
PROBE(p_nego, "li 5,0\n\tmtxer 5", "nego 5,3", "mfxer 6");
PROBE(p_subfo, "li 5,0\n\tmtxer 5", "subfo 5,3,4", "mfxer 6");
PROBE(p_bdnz, "mtctr 3\n\tli 5,0", "bdnz 1f", "li 5,1\n1:\tmfctr 6");
PROBE(p_illegal, "", ".long 0", "");
PROBE(p_sc, "", "sc", "");
PROBE(p_mtmsrd, "", "mtmsrd 4", "ld 5,0(3)");
PROBE(p_lnia, "", "addpcis 5,0", "");

#define CR0(c) ((c)->r[6] >> 28 & 15)
#define CA PPC_BIT(34)
#define OV PPC_BIT(33)

/* Without the dot each of these sets a priority; with it, it does not. */
static void test_or_rec(void)
{
	static const u8 numbers[] = { 31, 1, 6, 2, 5, 3 };
	static u32 code[5];
	const u64 before = mfspr(896);

	put_insn(&code[2], 0x7cc00026);		/* mfcr 6 */
	put_insn(&code[3], 0x7ce0e2a6);		/* mfspr 7,896 */
	put_insn(&code[4], 0x44000002);		/* sc */
	for (unsigned i = 0; i < sizeof numbers; i++) {
		u32 n = numbers[i];
		struct cpu *c;

		put_insn(&code[0], 0x7c802378 | n << 16);			/* mr n,4 */
		put_insn(&code[1], 0x7c000379 | n << 21 | n << 16 | n << 11);	/* or. n,n,n */
		c = probe(code, NARROW, 0, 0x80000001);
		check(c->vector == 0xc00 && CR0(c) == 8 && c->r[7] == before, "or.-n,n,n");
		mtspr(896, before);
		c = probe(code, OUR_MSR, 0, 0x80000001);
		check(c->vector == 0xc00 && CR0(c) == 4 && c->r[7] == before, "or.-n,n,n-64-bits");
	}
}

/* RA gets all 64 bits of the sum; its low half alone is the address. */
static void test_update(u64 at)
{
	static const struct { const char *code; bool indexed; const char *name; } rows[] = {
		{ p_lbzu, false, "lbzu" }, { p_lhau, false, "lhau" }, { p_ldu, false, "ldu" }, { p_lfsu, false, "lfsu" },
		{ p_lfdu, false, "lfdu" }, { p_stbu, false, "stbu" }, { p_stwu, false, "stwu" }, { p_stdu, false, "stdu" },
		{ p_stfsu, false, "stfsu" }, { p_stfdu, false, "stfdu" }, { p_lwzux, true, "lwzux" },
		{ p_lwzux_over, true, "lwzux-over-RB" }, { p_lwaux, true, "lwaux" }, { p_ldux, true, "ldux" },
		{ p_lfdux, true, "lfdux" }, { p_stwux, true, "stwux" }, { p_stdux, true, "stdux" }, { p_stfdux, true, "stfdux" },
	};
	static const u64 high[] = { JUNK, 0xffffffff00000000ull, 0x100000000ull };
	const u64 msr = NARROW | MSR_FP;

	for (unsigned i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		bool ok = true;

		for (unsigned k = 0; k < sizeof high / sizeof high[0]; k++) {
			u64 ra = high[k] | (at + 192), rb = rows[i].indexed ? 0x7777777700000008ull : 0x3344556677ull;
			struct cpu *c = probe(rows[i].code, msr, ra, rb);

			ok &= c->vector == 0xc00 && c->r[3] == ra + (rows[i].indexed ? rb : 8);
			/* The sum's carry goes up. */
			ra = high[k] | 0xfffffff0;
			c = probe(rows[i].code, msr, ra, 0x7777777700000010ull + at);
			ok &= !rows[i].indexed || (c->vector == 0xc00 && c->r[3] == ra + 0x7777777700000010ull + at);
		}
		check(ok, rows[i].name);
	}
	area[31] = 0;
	check_eq(probe(p_lwzux_over, msr, JUNK | at, JUNK | 16)->r[4], 0x02020202, "lwzux-over-RB-loads");
	check(probe(p_stdu, msr, JUNK | (at + 240), 99)->vector == 0xc00 && area[31] == 99, "stdu-stores");
	/* A fault leaves RA. */
	check_eq(probe(p_lwzu, msr, JUNK | 0xfffffff0)->r[3], JUNK | 0xfffffff0, "lwzu-that-faults");
	check_eq(probe(p_lwzux, msr, JUNK | 0xffffff00, 0xf0)->r[3], JUNK | 0xffffff00, "lwzux-that-faults");
	area[31] = 0x0101010101010101ull * 31;
}

void test(void)
{
	const u64 at = (u64)area;
	struct cpu *c;

	for (unsigned i = 0; i < 32; i++)
		area[i] = 0x0101010101010101ull * i;

	/* Addresses. */
	c = probe(p_ld, NARROW, JUNK | at);
	check(c->vector == 0xc00 && c->r[4] == area[1], "D-form-high-half-ignored");
	c = probe(p_ldx, NARROW, JUNK | at, 0x1234567800000010ull);
	check(c->vector == 0xc00 && c->r[5] == area[2], "X-form-high-half-ignored");
	c = probe(p_ldx, NARROW, at + 24, 0xfffffff8);
	check(c->vector == 0xc00 && c->r[5] == area[2], "X-form-wraps");
	c = probe(p_lbzx0, NARROW, JUNK | (at + 8));
	check(c->vector == 0xc00 && c->r[5] == 1, "X-form-RA-0");
	c = probe(p_lwz_low, NARROW, 4);
	check(c->vector == 0x200 && c->dar == 0xfffffffc, "D-form-wraps-below-0");
	c = probe(p_lwzu, NARROW, JUNK | at);
	check(c->vector == 0xc00 && c->r[4] == 0x01010101, "lwzu-loads");
	check_eq(c->r[3], (JUNK | at) + 8, "lwzu-all-of-the-sum");
	test_update(at);
	c = probe(p_lwarx, NARROW, JUNK | at, 0x5a5a);
	check(c->vector == 0xc00 && *(u32 *)area == 0x5a5a && CR0(c) == 2, "lwarx-stwcx");
	c = probe(p_dcbz, NARROW, JUNK | (at + 200));
	check(c->vector == 0xc00 && area[16] == 0 && area[31] == 0 && area[15] == 0x0f0f0f0f0f0f0f0full, "dcbz");

	/* Branches. */
	c = probe(p_bl, NARROW);
	check_eq(c->r[3], (u64)p_bl_at, "bl-LR");
	c = probe(p_blr, NARROW, JUNK | (u64)p_blr_target);
	check(c->vector == 0xc00 && c->r[9] == 77, "blr-high-half-ignored");
	c = probe(p_bctr, NARROW, JUNK | (u64)p_blr_target_at);
	check(c->vector == 0xc00 && c->srr0 == (u64)probe_end + 4, "bctr-high-half-ignored");
	c = probe(p_bctrl, NARROW, JUNK | (u64)p_called);
	check(c->r[9] == 78 && c->r[3] == (u64)p_bctrl_next, "bctrl-LR");
	for (u64 differ = 0; differ < 2; differ++) {
		c = probe(p_beqlr, NARROW, JUNK | (u64)p_blr_target, differ, 0);
		check_eq(c->r[9], differ ? 0 : 77, "beqlr");
		c = probe(p_bnelr, NARROW, JUNK | (u64)p_blr_target, differ, 0);
		check_eq(c->r[9], differ ? 77 : 0, "bnelr");
	}
	c = probe(p_bl_far, NARROW);
	check_eq(c->r[3], (u64)p_bl_far_at, "bl-far-LR");
	c = probe(p_b_far, NARROW);
	check(c->r[5] == 0 && c->r[6] == 2, "b-far");
	c = probe(p_bdz, NARROW, 0x100000001ull);
	check(c->r[5] == 0 && c->r[6] == 0x100000000ull, "bdz-looks-at-32-bits");
	c = probe(p_bdz, NARROW, 0x100000000ull);
	check_eq(c->r[5], 1, "bdz-wraps-at-32-bits");
	c = probe(p_bdnz, NARROW, 0x100000001ull);
	check(c->r[5] == 1 && c->r[6] == 0x100000000ull, "bdnz-looks-at-32-bits");
	c = probe(p_bdnz, OUR_MSR, 0x100000001ull);
	check_eq(c->r[5], 0, "bdnz-64-bits");
	c = probe(p_bdnz, NARROW, 0x100000000ull);
	check_eq(c->r[5], 0, "bdnz-wraps-at-32-bits");
	if (!is_power8()) {
		c = probe(p_lnia, NARROW);
		check_eq(c->r[5], (u64)p_lnia_next, "addpcis");
	}

	/* Record forms and carries. */
	c = probe(p_add_rec, NARROW, 0x7fffffff, 1);
	check(c->r[5] == 0x80000000 && CR0(c) == 8, "add.-negative");
	c = probe(p_add_rec, NARROW, JUNK, 0);
	check(c->r[5] == JUNK && CR0(c) == 2, "add.-zero");
	c = probe(p_or_rec, NARROW, 0x8000000000000001ull);
	check_eq(CR0(c), 4, "or.-positive");
	c = probe(p_or_rec, OUR_MSR, 0x8000000000000001ull);
	check_eq(CR0(c), 8, "or.-64-bits-negative");
	test_or_rec();
	c = probe(p_cmpd, NARROW, 0x100000000ull, 1);
	check_eq(CR0(c), 4, "cmpd-compares-64-bits");
	c = probe(p_addc, NARROW, 0xffffffff, 1);
	check(c->r[5] == 0x100000000ull && (c->r[6] & CA), "addc-carry");
	c = probe(p_addc, NARROW, ~0ull << 32, 1ull << 32);
	check(c->r[5] == 0 && !(c->r[6] & CA), "addc-no-carry");
	c = probe(p_subfc, NARROW, 1ull << 32, 0);
	check(c->r[6] & CA, "subfc-no-borrow");
	c = probe(p_adde, NARROW, 0xffffffff, 0, CA);
	check(c->r[5] == 0x100000000ull && (c->r[6] & CA), "adde-carry");
	c = probe(p_addo, NARROW, 0x7fffffff, 1);
	check(c->r[6] & OV, "addo-overflow");
	c = probe(p_addo, NARROW, 0x7fffffffffffffffull, 1);
	check(!(c->r[6] & OV), "addo-no-overflow");
	c = probe(p_nego, NARROW, 0x80000000);
	check(c->r[6] & OV, "nego-overflow");
	c = probe(p_subfo, NARROW, 1, 0xffffffff80000000ull);
	check(c->r[6] & OV, "subfo-overflow");
	c = probe(p_subfo, NARROW, 1, 0x8000000000000000ull);
	check(!(c->r[6] & OV), "subfo-no-overflow");

	/* Interrupts: 64-bit mode at the vector, SRR1 says 32. */
	c = probe(p_illegal, NARROW);
	check_trap(c, 0x700, p_illegal_at, NARROW, PPC_BIT(44), "SRR1-without-SF");
	check_eq(c->msr, OUR_MSR, "SF-at-the-vector");
	check_trap(probe(p_sc, NARROW), 0xc00, p_sc_next, NARROW, 0, "sc");
	c = probe((char *)(JUNK | (u64)p_illegal), NARROW);
	check_eq(c->srr0, (u64)p_illegal_at, "SRR0-high-half-0");
	/* Into 64-bit mode on the way. */
	c = probe(p_mtmsrd, NARROW, at, OUR_MSR);
	check(c->vector == 0xc00 && c->r[5] == area[0], "mtmsrd-SF-1");
	c = probe(p_mtmsrd, OUR_MSR, JUNK | at, NARROW);
	check(c->vector == 0xc00 && c->r[5] == area[0], "mtmsrd-SF-0");
}

/* Interrupts that come from outside a program: decrementer, external, doorbell, system reset; when
 * they are let in, in which order, and at which instruction. Power ISA 3.0B, Book III, 6.5 and 6.9;
 * PAPR, H_SIGNAL_SYS_RESET, "Firmware Assisted Non-Maskable Interrupts". */
#include "lib.h"

#define DEC_FAR 0x7fffffff

static void set_dec(u64 v) { mtspr(22, v); }

/* ---- Decrementer ---- */

PROBE(p_nop, "", "nop", "nop\n\tnop");
PROBE(p_wait_dec, "mtdec 3\n1:\tmfdec 4\n\textsw 4,4\n\tcmpdi 4,0\n\tbge 1b\n\tmtmsrd 5,1", "addi 6,6,1", "addi 6,6,1");
PROBE(p_count, "li 6,0\n\tmtdec 3", "addi 6,6,1\n\tb p_count_at", "");
PROBE(p_count4, "li 6,0\n\tmtdec 3", "addi 6,6,1\n\taddi 6,6,1\n\taddi 6,6,1\n\taddi 6,6,1\n\tb p_count4_at", "");
PROBE(p_ctr, "li 6,-1\n\tmtctr 6\n\tmtdec 3", "bdnz p_ctr_at", "");
PROBE(p_dec_tb, "", "mftb 3\n\tmfdec 4\n\tmfdec 5\n\tmftb 6", "");
PROBE(p_cede, "li 3,0xe0", "sc 1", "nop");

/* Interrupted when so many ticks have passed: how often the loop went round. */
static u64 rounds(const char *code, u64 ticks)
{
	struct cpu *c;

	set_dec(DEC_FAR);
	c = probe(code, OUR_MSR | MSR_EE, ticks);
	return c->vector == 0x900 ? c->r[6] : ~0ull;
}

static void test_decrementer(void)
{
	struct cpu *c;
	u64 a, b;

	set_dec(-1);
	c = probe(p_nop, OUR_MSR);
	check_eq(c->vector, 0xc00, "EE-0-holds-the-decrementer");
	c = probe(p_nop, OUR_MSR | MSR_EE);
	check_trap(c, 0x900, p_nop, OUR_MSR | MSR_EE, 0, "rfid-lets-it-in");
	check_eq(c->msr, OUR_MSR, "decrementer-MSR");
	check_trap(probe(p_nop, OUR_MSR | MSR_EE), 0x900, p_nop, OUR_MSR | MSR_EE, 0, "it-is-a-level");
	set_dec(DEC_FAR);
	check_eq(probe(p_nop, OUR_MSR | MSR_EE)->vector, 0xc00, "written-positive-it-is-gone");
	c = probe(p_wait_dec, OUR_MSR, 100, 0, MSR_EE, 0);
	check_trap(c, 0x900, p_wait_dec_at, OUR_MSR | MSR_EE, 0, "mtmsrd-lets-it-in");

	/* One tick is two cycles, and that is two instructions: the second of the pair brings it. */
	a = rounds(p_count, 1000);
	check(a >= 998 && a <= 1001, "after-1000-ticks");
	check_eq(rounds(p_count, 1001) - a, 1, "one-tick-later");
	check_eq(rounds(p_count, 5000) - a, 4000, "4000-ticks-later");
	check_eq(rounds(p_count, 1000), a, "the-same-again");
	a = rounds(p_count4, 1000);
	check(a >= 1598 && a <= 1602, "longer-blocks");
	/* 10 cycles, and perhaps the other half of a tick. */
	check(rounds(p_count4, 1005) - a - 7 <= 2, "longer-blocks-5-ticks-later");
	set_dec(DEC_FAR);
	c = probe(p_ctr, OUR_MSR | MSR_EE, 500);
	b = -1ull - c->ctr;
	/* Negative one tick after 0: 501 ticks, of which one may be half over. */
	check(c->vector == 0x900 && b >= 1000 && b <= 1003 && c->srr0 == (u64)p_ctr_at, "counted-loop");
	set_dec(DEC_FAR);
	c = probe(p_count, OUR_MSR | MSR_EE, 300);
	check(c->srr0 == (u64)p_count_at || c->srr0 == (u64)p_count_at + 4, "where-it-was");

	set_dec(DEC_FAR);
	c = probe(p_dec_tb, OUR_MSR);
	/* Each pair is read one instruction apart, half a tick. */
	check(c->r[6] + c->r[5] - c->r[3] - c->r[4] + 2 <= 4, "counts-with-the-timebase");
	if (is_power8()) {
		/* 32 bits of it count, of which the first is the sign; no more can be read. */
		set_dec(1ull << 40 | 0x10000000);
		check(mfspr(22) <= 0x10000000 && mfspr(22) > 0x10000000 - 100000, "32-bits-kept");
		check_eq(probe(p_nop, OUR_MSR | MSR_EE)->vector, 0xc00, "32-bits-positive");
		set_dec(0x90000000);
		check((mfspr(22) & 0xffffffff) > 0x80000000, "32-bits-sign");
		check_eq(probe(p_nop, OUR_MSR | MSR_EE)->vector, 0x900, "32-bits-negative");
	} else {
		/* cap-large-decr: 56 bits. */
		set_dec(1ull << 40);
		check(mfspr(22) <= 1ull << 40 && mfspr(22) > (1ull << 40) - 100000, "large-decrementer");
		check_eq(probe(p_nop, OUR_MSR | MSR_EE)->vector, 0xc00, "large-is-positive");
		set_dec(1ull << 55 | 1ull << 40);
		check((s64)mfspr(22) < 0, "large-sign");
		check_eq(probe(p_nop, OUR_MSR | MSR_EE)->vector, 0x900, "large-negative");
	}

	/* H_CEDE sets EE, and the interrupt comes before it returns. */
	set_dec(100000);
	a = mftb();
	c = probe(p_cede, OUR_MSR);
	b = mftb() - a;
	check_trap(c, 0x900, p_cede_next, OUR_MSR | MSR_EE, 0, "ends-H_CEDE");
	check(b >= 100000 && b < 102000, "H_CEDE-until-its-tick");
	check_eq(c->r[3], 0, "H_CEDE-result");
	set_dec(DEC_FAR);
}

/* ---- External ---- */

PROBE(p_ipi, "li 3,0x6c\n\tli 4,0\n\tli 5,4", "sc 1", "nop");
PROBE(p_mtmsr_ee, "mtmsrd 3,1", "nop", "nop");
PROBE(p_mtmsr_ee_full, "mtmsrd 3", "nop", "nop");
PROBE(p_mtmsr32_ee, "mtmsr 3", "nop", "nop");

static u64 accept(void)
{
	u64 out[9];

	hcall_out(out, H_XIRR, 0);
	return out[0];
}

static void test_external(void)
{
	struct cpu *c;

	hcall(H_CPPR, 0xff);
	c = probe(p_ipi, OUR_MSR | MSR_EE);
	check_trap(c, 0x500, p_ipi_next, OUR_MSR | MSR_EE, 0, "IPI-to-itself");
	check_eq(c->msr, OUR_MSR, "external-MSR");
	check_trap(probe(p_nop, OUR_MSR | MSR_EE), 0x500, p_nop, OUR_MSR | MSR_EE, 0, "external-is-a-level");
	check_eq(probe(p_nop, OUR_MSR)->vector, 0xc00, "EE-0-holds-it");
	check_trap(probe(p_mtmsr_ee, OUR_MSR, MSR_EE), 0x500, p_mtmsr_ee_at, OUR_MSR | MSR_EE, 0, "mtmsrd-1-lets-it-in");
	check_trap(probe(p_mtmsr_ee_full, OUR_MSR, OUR_MSR | MSR_EE), 0x500, p_mtmsr_ee_full_at, OUR_MSR | MSR_EE, 0,
		   "mtmsrd-lets-it-in");
	check_trap(probe(p_mtmsr32_ee, OUR_MSR, OUR_MSR | MSR_EE), 0x500, p_mtmsr32_ee_at, OUR_MSR | MSR_EE, 0,
		   "mtmsr-lets-it-in");
	check_eq(accept(), 0xff000002, "XIRR");
	check_eq(probe(p_nop, OUR_MSR | MSR_EE)->vector, 0xc00, "accepted");
	check_eq(accept(), 0x04000000, "XIRR-nothing-more");
	hcall(H_IPI, 0, 0xff);
	hcall(H_EOI, 0xff000002);
	check_eq(probe(p_nop, OUR_MSR | MSR_EE)->vector, 0xc00, "ended");
	/* H_CEDE with one waiting. */
	hcall(H_IPI, 0, 4);
	c = probe(p_cede, OUR_MSR);
	check_trap(c, 0x500, p_cede_next, OUR_MSR | MSR_EE, 0, "ends-H_CEDE-at-once");
	accept();
	hcall(H_IPI, 0, 0xff);
	hcall(H_EOI, 0xff000002);
}

/* ---- Doorbell, and who is first ---- */

PROBE(p_msgsndp, "", ".long 0x7c00191c", "nop");	/* msgsndp r3 */
PROBE(p_msgclrp, "", ".long 0x7c00195c", "nop");	/* msgclrp r3 */
PROBE(p_reset, "li 3,0x380\n\tli 4,0", "sc 1", "nop");
#define DOORBELL (5ull << 27)

static void test_order(void)
{
	struct cpu *c;

	check_trap(probe(p_msgsndp, OUR_MSR | MSR_EE, DOORBELL), 0xa00, p_msgsndp_next, OUR_MSR | MSR_EE, 0, "doorbell");
	check_eq(probe(p_nop, OUR_MSR | MSR_EE)->vector, 0xc00, "doorbell-is-an-edge");
	probe(p_msgsndp, OUR_MSR, DOORBELL);
	probe(p_msgclrp, OUR_MSR, DOORBELL);
	check_eq(probe(p_nop, OUR_MSR | MSR_EE)->vector, 0xc00, "doorbell-cleared");
	probe(p_msgsndp, OUR_MSR, DOORBELL | 1);
	check_eq(probe(p_nop, OUR_MSR | MSR_EE)->vector, 0xc00, "doorbell-for-no-thread");

	probe(p_msgsndp, OUR_MSR, DOORBELL);
	set_dec(-1);
	hcall(H_IPI, 0, 4);
	c = probe(p_reset, OUR_MSR | MSR_EE);
	check(c->vector == 0x500 && c->srr0 == (u64)p_reset, "all-at-once-1-external");
	c = probe(p_reset, OUR_MSR);
	check_trap(c, 0x100, p_reset_next, OUR_MSR, 0, "all-at-once-0-reset");
	accept();
	check_eq(probe(p_nop, OUR_MSR | MSR_EE)->vector, 0x900, "all-at-once-2-decrementer");
	set_dec(DEC_FAR);
	check_eq(probe(p_nop, OUR_MSR | MSR_EE)->vector, 0xa00, "all-at-once-3-doorbell");
	hcall(H_IPI, 0, 0xff);
	hcall(H_EOI, 0xff000002);
}

/* ---- System reset ---- */

/* A call of the built-in firmware: cells in memory, its service by name. */
static u64 client(const char *service, unsigned nargs, unsigned nret, const u32 *in, u32 *out)
{
	u32 block[16] = { be32((u32)(u64)service), be32(nargs), be32(nret) };

	for (unsigned i = 0; i < nargs; i++)
		block[3 + i] = be32(in[i]);
	sync();
	if (hcall(0xf005, (u64)block))
		return -1;
	for (unsigned i = 0; i < nret; i++)
		out[i] = be32(block[3 + nargs + i]);
	return 0;
}

extern char fwnmi_reset[];
/* r3: save area. Registers as found go on to a system call. */
__asm__(".text\n.globl fwnmi_reset\nfwnmi_reset:\n\tmr 14,3\n\tld 15,0(3)\n\tmfsrr0 16\n\tmfsrr1 17\n\tmfmsr 18\n\tsc\n\tb .\n");

static void test_reset(void)
{
	u32 in[3], out[2] = { 0, 0 }, rtas_at = 0x2000000;
	struct cpu *c;
	u64 saved;

	check_trap(probe(p_reset, OUR_MSR), 0x100, p_reset_next, OUR_MSR, 0, "reset-comes-with-EE-0");
	check_eq(this_cpu()->r[3], 0, "H_SIGNAL_SYS_RESET-result");
	check_eq(this_cpu()->msr, OUR_MSR, "reset-MSR");
	check_trap(probe(p_reset, OUR_MSR | MSR_EE | MSR_RI), 0x100, p_reset_next, OUR_MSR | MSR_EE | MSR_RI, 0, "reset-SRR1");
	check_eq((u64)hcall(H_SIGNAL_SYS_RESET, 77), (u64)H_PARAMETER, "reset-of-nobody");
	check_eq((u64)hcall(H_SIGNAL_SYS_RESET, -3), (u64)H_PARAMETER, "reset-of-minus-3");
	check_eq((u64)hcall(H_SIGNAL_SYS_RESET, -2), H_SUCCESS, "reset-of-all-others");
	check_eq(probe(p_nop, OUR_MSR)->vector, 0xc00, "not-of-this-one");

	in[0] = in[1] = (u32)(u64)fwnmi_reset;
	check((s64)rtas(0x202b, 2, 1, in, NULL) != 0, "nmi-register-before-rtas");
	in[0] = (u32)(u64)"/rtas";
	if (!check(client("open", 1, 1, in, out) == 0 && out[0] != 0 && out[0] != ~0u, "open-rtas"))
		return;
	in[0] = (u32)(u64)"instantiate-rtas";
	in[1] = out[0];
	in[2] = rtas_at;
	if (!check(client("call-method", 3, 2, in, out) == 0 && out[0] == 0 && out[1] == rtas_at, "instantiate-rtas"))
		return;
	in[0] = 0x4000000;
	in[1] = (u32)(u64)fwnmi_reset;
	check_eq((u64)rtas(0x202b, 2, 1, in, NULL), (u64)-3, "nmi-register-too-high");
	in[0] = (u32)(u64)fwnmi_reset;
	check_eq((u64)rtas(0x202b, 2, 1, in, NULL), 0, "nmi-register");
	c = probe(p_reset, OUR_MSR | MSR_EE);
	check(c->vector == 0xc00 && c->srr0 == (u64)fwnmi_reset + 24, "FWNMI-arrives");
	saved = be64(c->r[15]);
	check(c->r[14] >= rtas_at && c->r[14] < rtas_at + 0x10000, "FWNMI-r3-points-into-RTAS");
	check_eq(saved, 0, "FWNMI-saved-r3");
	check_eq(c->r[16], (u64)p_reset_next, "FWNMI-SRR0");
	check_eq(c->r[17], OUR_MSR | MSR_EE, "FWNMI-SRR1");
	check_eq(c->r[18], OUR_MSR, "FWNMI-MSR");
	check_eq((u64)rtas(0x202c, 0, 1, NULL, NULL), 0, "nmi-interlock");
}

void test(void)
{
	set_dec(DEC_FAR);
	test_decrementer();
	test_external();
	test_order();
	test_reset();
}

/* Machine checks as a guest gets them that has called ibm,nmi-register. Of all causes only one comes from
 * the machine itself, so the line is set from outside. PAPR, "Firmware Assisted Non-Maskable Interrupts". */
#include <stdarg.h>

#include "check.h"
#include "machine/rtas/events.h"
#include "machine/rtas/rtas.h"
#include "rig.h"

#define RTAS_AT 0x20000
#define HANDLER 0x3000
#define RESET   0x4000
#define CELLS   0x100000
#define WHERE   0x5000

#define SRR1_LOAD_STORE PPC_BIT(42)

static int32_t rtas(struct machine *m, uint32_t token, uint32_t nargs, uint32_t a, uint32_t b)
{
	const uint32_t cells[] = { token, nargs, 1, a, b };

	for (unsigned i = 0; i < 3 + nargs; i++)
		st_be32(&m->ram, CELLS + 4 * i, cells[i]);
	rtas_call(&m->cpu[0]->cpu, CELLS);
	return (int32_t)ld_be32(&m->ram, CELLS + 4 * (3 + nargs));
}

static int32_t nmi_register(struct machine *m, uint32_t reset, uint32_t check_handler)
{
	return rtas(m, 0x202b, 2, reset, check_handler);
}

static int32_t nmi_interlock(struct machine *m) { return rtas(m, 0x202c, 0, 0, 0); }

/* A machine check at WHERE, with the cause where a processor would leave it. */
static void machine_check(struct cpu *cpu, uint64_t srr1_bits, uint32_t dsisr)
{
	cpu_set_msr(cpu, MSR_SF | MSR_ME);
	cpu->r[3] = UINT64_C(0x123456789abcdef0);
	cpu->dar = UINT64_C(0xc00000000000feed);
	cpu->dsisr = dsisr;
	cpu->run_state = CPU_RUNNING;
	cpu_interrupt(cpu, VEC_MACHINE_CHECK, WHERE, srr1_bits);
}

/* The error log: fixed part, then the section "MC" behind the version 6 header. */
static void test_causes(struct machine *m)
{
	static const struct {
		uint64_t srr1;
		uint32_t dsisr;
		uint8_t type, subtype;	/* as PAPR's machine check section has them */
		uint64_t address;
		const char *name;
	} rows[] = {
		{ SRR1_LOAD_STORE, 0x8000, 0, 0x03, 0, "UE" },
		{ SRR1_LOAD_STORE, 0x4000, 0, 0x44, UINT64_C(0xc00000000000feed), "UE-of-a-table-walk" },
		{ SRR1_LOAD_STORE, 0x0800, 2, 0x82, UINT64_C(0xc00000000000feed), "ERAT" },
		{ SRR1_LOAD_STORE, 0x0400, 4, 0x82, UINT64_C(0xc00000000000feed), "TLB" },
		{ SRR1_LOAD_STORE, 0x0040, 8, 0x90, UINT64_C(0xc00000000000feed), "real-address" },
		{ SRR1_LOAD_STORE | UINT64_C(0x08140000), 0x0040, 8, 0x90, UINT64_C(0xc00000000000feed), "real-address-of-a-store" },
		{ UINT64_C(0x080c0000), 0, 8, 0x90, WHERE, "real-address-of-a-fetch" },
		{ SRR1_LOAD_STORE, 0x0080, 1, 0x81, UINT64_C(0xc00000000000feed), "SLB-multihit" },
		{ SRR1_LOAD_STORE, 0x0100, 1, 0x80, UINT64_C(0xc00000000000feed), "SLB-parity" },
		{ 0x040000, 0, 0, 0x41, WHERE, "fetch-UE" },
		{ 0x080000, 0, 1, 0x80, WHERE, "fetch-SLB-parity" },
		{ 0x0c0000, 0, 1, 0x81, WHERE, "fetch-SLB-multihit" },
		{ 0x100000, 0, 2, 0x82, WHERE, "fetch-ERAT" },
		{ 0x140000, 0, 4, 0x82, WHERE, "fetch-TLB" },
		{ 0x180000, 0, 0, 0x42, WHERE, "fetch-UE-of-a-table-walk" },
	};
	struct cpu *cpu = &m->cpu[1]->cpu;

	for (unsigned i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		uint64_t save = m->rtas_addr + RTAS_MCHECK_OFFSET, log = save + 8, section = log + 24;

		memset(m->ram.base + save, 0xee, 128);
		m->fwnmi_interlock = -1;
		machine_check(cpu, rows[i].srr1, rows[i].dsisr);
		check(cpu->nip == HANDLER && cpu->r[3] == save && cpu->srr0 == WHERE && cpu->msr & MSR_ME,
		      "%s-enters", rows[i].name);
		check_eq(ld_be64(&m->ram, save), UINT64_C(0x123456789abcdef0), "r3-saved");
		check_eq(ld_be32(&m->ram, log) >> 24, 6, "version-6");
		check_eq(ld_be32(&m->ram, log + 4), 16 + 40, "length");
		check(!memcmp(m->ram.base + section, "MC\0\x28", 4), "section-MC");
		check(ld_u8(&m->ram, section + 16) == rows[i].type && ld_u8(&m->ram, section + 17) == rows[i].subtype,
		      "%s-type: %u %#x", rows[i].name, ld_u8(&m->ram, section + 16), ld_u8(&m->ram, section + 17));
		check_eq(ld_be64(&m->ram, section + 24), rows[i].address, "%s-address", rows[i].name);
	}
}

/* As the run loop delivers it: from the line, between two instructions. */
static void test_delivery(struct machine *m)
{
	struct cpu *cpu = &m->cpu[1]->cpu;

	m->fwnmi_interlock = -1;
	cpu_set_msr(cpu, MSR_SF | MSR_ME);
	cpu->run_state = CPU_RUNNING;
	cpu->nip = WHERE;
	cpu->irq = IRQ_MACHINE_CHECK;
	check(cpu_interrupt_pending(cpu, cpu->msr), "pending-without-EE");
	check(cpu_deliver_pending(cpu) && cpu->nip == HANDLER && cpu->srr0 == WHERE, "delivered");
	check_eq(cpu->irq, 0, "once");
	cpu_set_msr(cpu, MSR_SF);
	cpu->irq = IRQ_MACHINE_CHECK;
	check(!cpu_deliver_pending(cpu) && cpu->run_state == CPU_STOPPED, "without-ME-it-stops");
	cpu->irq = 0;
}

static void test_interlock(struct machine *m)
{
	m->fwnmi_interlock = -1;
	m->request = REQ_NONE;
	machine_check(&m->cpu[1]->cpu, 0x040000, 0);
	check_eq((uint64_t)m->fwnmi_interlock, 1, "held-by-who-was-told");
	check_eq((uint64_t)nmi_interlock(m), 0, "interlock-of-another");
	check_eq((uint64_t)m->fwnmi_interlock, 1, "changes-nothing");
	check_eq(m->request, REQ_NONE, "goes-on");
	machine_check(&m->cpu[2]->cpu, 0x040000, 0);
	check_eq(m->request, REQ_PANIC, "second-ends-the-guest");
	m->request = REQ_NONE;
	m->fwnmi_interlock = 0;
	check_eq((uint64_t)nmi_interlock(m), 0, "ibm,nmi-interlock");
	machine_check(&m->cpu[2]->cpu, 0x040000, 0);
	check(m->request == REQ_NONE && m->fwnmi_interlock == 2, "free-for-the-next");
}

static void test_register(struct machine *m)
{
	struct cpu *cpu = &m->cpu[1]->cpu;

	check(nmi_interlock(m) < 0, "interlock-before-register");
	machine_check(cpu, 0x040000, 0);
	check_eq(cpu->nip, VEC_MACHINE_CHECK, "the-vector-before-register");
	check(nmi_register(m, RESET, 32 << 20) < 0, "handler-too-high");
	check(nmi_register(m, 32 << 20, HANDLER) < 0, "reset-handler-too-high");
	check_eq((uint64_t)nmi_register(m, RESET, HANDLER), 0, "ibm,nmi-register");
}

int main(void)
{
	struct rig rig;

	rig_new(&rig, "4");
	if (!check(rtas_install(rig.m, RTAS_AT), "rtas"))
		return check_done();
	test_register(rig.m);
	test_causes(rig.m);
	test_delivery(rig.m);
	test_interlock(rig.m);
	rtas_reset(rig.m);
	machine_check(&rig.m->cpu[1]->cpu, 0x040000, 0);
	check_eq(rig.m->cpu[1]->cpu.nip, VEC_MACHINE_CHECK, "forgotten-at-reset");
	rig_free(&rig);
	return check_done();
}

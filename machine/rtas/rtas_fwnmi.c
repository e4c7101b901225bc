/* Firmware assisted non-maskable interrupts: system reset and machine check go to addresses that
 * the guest registered, with r3 pointing at its saved r3 and an error log in the RTAS area.
 * PAPR, "Firmware Assisted Non-Maskable Interrupts", "ibm,nmi-register", "ibm,nmi-interlock".
 */
#include "machine/rtas/events.h"
#include "machine/rtas/rtas.h"

#define FWNMI_ADDRESS_LIMIT (UINT64_C(32) << 20)	/* handlers must lie below */
#define MC_SECTION_SIZE     40

enum mc_type { MC_UE = 0, MC_SLB = 1, MC_ERAT = 2, MC_TLB = 4, MC_MEMORY = 8 /* control memory access */ };
#define MC_MEMORY_OPERAND 0x10		/* its sub-type: not a page table but what was accessed */
#define MC_UE_ADDRESS 0x40		/* sub-type bit: the effective address is given */
#define MC_ADDRESS    0x80		/* the same for the other types */

/* What the processor says of a machine check, and what PAPR calls it.
 * Power ISA 3.0B, Book III, 6.5.2 leaves it to the implementation: POWER9 User's Manual. */
struct mc_cause {
	uint32_t value;
	uint8_t type, subtype;
	bool address;			/* DAR, or SRR0, says where */
};

#define SRR1_LOAD_STORE  PPC_BIT(42)
#define SRR1_CAUSE       UINT64_C(0x081c0000)

static const struct mc_cause load_store_causes[] = {	/* bits of DSISR, first match */
	{ 0x8000, MC_UE, 3, false }, { 0x4000, MC_UE, 4, true }, { 0x0800, MC_ERAT, 2, true },
	{ 0x0400, MC_TLB, 2, true }, { 0x0040, MC_MEMORY, MC_MEMORY_OPERAND, true }, { 0x0080, MC_SLB, 1, true }, { 0x0100, MC_SLB, 0, true },
};
static const struct mc_cause fetch_causes[] = {		/* values of SRR1_CAUSE */
	{ 0x040000, MC_UE, 1, true }, { 0x080000, MC_SLB, 0, true }, { 0x0c0000, MC_SLB, 1, true },
	{ 0x080c0000, MC_MEMORY, MC_MEMORY_OPERAND, true },
	{ 0x100000, MC_ERAT, 2, true }, { 0x140000, MC_TLB, 2, true }, { 0x180000, MC_UE, 2, true },
};

static const struct mc_cause *find_cause(const struct cpu *cpu)
{
	if (cpu->srr1 & SRR1_LOAD_STORE) {
		for (unsigned i = 0; i < ARRAY_SIZE(load_store_causes); i++)
			if (cpu->dsisr & load_store_causes[i].value)
				return &load_store_causes[i];
	} else {
		for (unsigned i = 0; i < ARRAY_SIZE(fetch_causes); i++)
			if ((cpu->srr1 & SRR1_CAUSE) == fetch_causes[i].value)
				return &fetch_causes[i];
	}
	return NULL;
}

static struct event_log machine_check_log(const struct cpu *cpu)
{
	struct event_log log = { .summary = EVENT_VERSION_6 | EVENT_NOT_RECOVERED | EVENT_EXTENDED | EVENT_INITIATOR_CPU };
	const struct mc_cause *cause = find_cause(cpu);
	bool address = cause && cause->address;
	unsigned subtype = cause ? cause->subtype : 0;

	if (cause)
		log.summary |= EVENT_SEVERITY_SYNC;
	if (address)
		subtype |= cause->type == MC_UE ? MC_UE_ADDRESS : MC_ADDRESS;
	event_log_put_v6(&log);
	event_log_put_section(&log, "MC", MC_SECTION_SIZE, 1);
	event_log_put(&log, 0, 8);		/* FRU, processor */
	event_log_put(&log, cause ? cause->type : 0, 1);
	event_log_put(&log, subtype, 1);
	event_log_put(&log, 0, 6);
	event_log_put(&log, !address ? 0 : cpu->srr1 & SRR1_LOAD_STORE ? cpu->dar : cpu->srr0, 8);
	event_log_put(&log, 0, 8);
	return log;
}

/* Each processor has its own place for r3, so that system resets need no interlock. */
static uint64_t enter_reset(struct machine *m, struct cpu *cpu)
{
	uint64_t save = m->rtas_addr + RTAS_SRESET_OFFSET + 16 * (uint64_t)cpu->index;

	st_be64(&m->ram, save, cpu->r[3]);
	st_be64(&m->ram, save + 8, 0);
	cpu->r[3] = save;
	return m->fwnmi_sreset;
}

/* All processors share one log: the one that gets a machine check holds it until it calls ibm,nmi-interlock. */
static uint64_t enter_machine_check(struct machine *m, struct cpu *cpu)
{
	uint64_t save = m->rtas_addr + RTAS_MCHECK_OFFSET;
	struct event_log log;

	if (m->fwnmi_interlock >= 0) {
		machine_log(m, LOG_GUEST_ERROR, "machine check on cpu%u while the last one is being handled",
			    (unsigned)cpu->index);
		machine_request(m, REQ_PANIC, EXIT_GUEST_PANIC);
		return 0;
	}
	log = machine_check_log(cpu);
	m->fwnmi_interlock = cpu->index;
	st_be64(&m->ram, save, cpu->r[3]);
	st_be32(&m->ram, save + 8, log.summary);
	st_be32(&m->ram, save + 12, log.len);
	ram_write(&m->ram, save + 16, log.data, log.len);
	cpu->r[3] = save;
	return m->fwnmi_mcheck;
}

uint64_t fwnmi_entry(struct cpu *cpu, enum vector vector)
{
	struct machine *m = cpu_machine(cpu);

	if (vector == VEC_SYSTEM_RESET && m->fwnmi_sreset && m->rtas_addr)
		return enter_reset(m, cpu);
	if (vector == VEC_MACHINE_CHECK && m->fwnmi_mcheck && m->rtas_addr)
		return enter_machine_check(m, cpu);
	return 0;
}

RTAS_FN(nmi_register)
{
	struct machine *m = cpu_machine(cpu);

	if (!m->rtas_addr)
		return RTAS_NOT_SUPPORTED;
	for (unsigned i = 0; i < 2; i++)
		if (in[i] >= FWNMI_ADDRESS_LIMIT || !ram_ok(&m->ram, in[i], 4))
			return RTAS_PARAM_ERROR;
	m->fwnmi_sreset = in[0];
	m->fwnmi_mcheck = in[1];
	return RTAS_SUCCESS;
}

/* Linux calls it after a system reset, too, though that holds no log: not an error. */
RTAS_FN(nmi_interlock)
{
	struct machine *m = cpu_machine(cpu);

	if (!m->fwnmi_mcheck)
		return RTAS_PARAM_ERROR;
	if (m->fwnmi_interlock == (int64_t)cpu->index)
		m->fwnmi_interlock = -1;
	return RTAS_SUCCESS;
}

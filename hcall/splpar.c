/* Giving processors up and waking them, and what a partition may know of its capacity.
 * PAPR, "Shared Processor LPAR Option": H_CEDE, H_CONFER, H_PROD, H_JOIN, H_GET_PPP and company.
 */
#include "hcall/hcall.h"

/* ---- Waiting ---- */

/* Until an interrupt that MSR allows, or H_PROD. */
static void wait_here(struct cpu *cpu)
{
	if (!cpu_interrupt_pending(cpu, cpu->msr))
		cpu->run_state = cpu->msr & MSR_EE ? CPU_CEDED : CPU_JOINED;
	cpu->halt = 1;
}

/* The prod bit ends one wait: the present or the next one. */
static bool take_prod(struct cpu *cpu)
{
	bool prodded = cpu->prodded;

	cpu->prodded = false;
	return prodded;
}

HCALL_FN(H_CEDE)
{
	cpu_set_msr(cpu, cpu->msr | MSR_EE);
	if (take_prod(cpu))
		cpu->halt = 1;		/* an interrupt may be due all the same */
	else
		wait_here(cpu);
	return H_SUCCESS;
}

static int64_t confer_self(struct cpu *cpu)
{
	if (!take_prod(cpu))
		wait_here(cpu);
	return H_SUCCESS;
}

/* proc -1, a 32-bit number: all processors of the partition. */
HCALL_FN(H_CONFER)
{
	struct machine *m = cpu_machine(cpu);
	struct spapr_cpu *target;

	if (in[0] != UINT64_MAX && in[0] != UINT32_MAX) {
		target = machine_cpu(m, in[0]);
		if (!target)
			return H_PARAMETER;
		if (&target->cpu == cpu)
			return confer_self(cpu);
		/* It runs, or has run since the caller looked. */
		if (target->dispatch_count % 2 == 0 || target->dispatch_count != (uint32_t)in[1])
			return H_SUCCESS;
	}
	machine_yield(m);
	return H_SUCCESS;
}

HCALL_FN(H_PROD)
{
	struct machine *m = cpu_machine(cpu);
	struct spapr_cpu *target = machine_cpu(m, in[0]);

	if (!target)
		return H_PARAMETER;
	if (target->cpu.run_state == CPU_CEDED || target->cpu.run_state == CPU_JOINED) {
		target->cpu.run_state = CPU_RUNNING;
		machine_kick(m);
	} else if (target->cpu.run_state == CPU_RUNNING) {
		target->cpu.prodded = true;
	}
	return H_SUCCESS;
}

HCALL_FN(H_JOIN)
{
	struct machine *m = cpu_machine(cpu);
	bool others = false;

	if (cpu->msr & MSR_EE)
		return H_BAD_MODE;
	for (unsigned i = 0; i < m->ncpus; i++) {
		const struct cpu *c = &m->cpu[i]->cpu;

		/* A ceded processor can wake by itself, so it counts as active. */
		others |= c != cpu && (c->run_state == CPU_RUNNING || c->run_state == CPU_CEDED);
	}
	return others ? confer_self(cpu) : H_CONTINUE;
}

/* Each virtual processor has a physical one: none waits for another. */
HCALL_FN(H_POLL_PENDING) { return H_SUCCESS; }

/* Timebase ticks for which the processor was used; the same as what mfspr reads. */
HCALL_FN(H_PURR)
{
	out[0] = cpu->purr_base + cpu->cycles / CYCLES_PER_TICK;
	return H_SUCCESS;
}

/* ---- Capacity of dedicated processors ---- */
#define DEDICATED_POOL 0xffff
#define PPP_CAPPED     PPC_BIT(15)

static uint64_t cores(const struct machine *m)
{
	return m->ncpus / m->threads;
}

/* Percent of one processor. */
static uint64_t entitlement(const struct machine *m)
{
	return 100 * cores(m);
}

HCALL_FN(H_GET_PPP)
{
	const struct machine *m = cpu_machine(cpu);

	out[0] = entitlement(m);
	out[2] = DEDICATED_POOL;		/* group 0 above it */
	out[3] = PPP_CAPPED | cores(m);		/* weight 0, none in the pool; on the platform */
	return H_SUCCESS;
}

HCALL_FN(H_SET_PPP)
{
	if (in[1] > 255)
		return H_PARAMETER;
	return in[0] == entitlement(cpu_machine(cpu)) && in[1] == 0 ? H_SUCCESS : H_CONSTRAINED;
}

/* No pool: no idle time, no processors. */
HCALL_FN(H_PIC) { return H_SUCCESS; }

/* ---- Affinity: one node ---- */
enum vphn_id { VPHN_VIRTUAL = 1, VPHN_PHYSICAL = 2 };

/* Domain numbers as in the processor's ibm,associativity, without the count: four levels, all 0,
 * and the processor. A number takes two of the 24 16-bit fields; unused ones are all ones. */
HCALL_FN(H_HOME_NODE_ASSOCIATIVITY)
{
	if (in[0] != VPHN_VIRTUAL && in[0] != VPHN_PHYSICAL)
		return H_PARAMETER;
	/* Physical processors are numbered as the virtual ones that they carry. */
	if (!machine_cpu(cpu_machine(cpu), in[1]))
		return H_P2;
	out[2] = in[1] << 32 | UINT32_MAX;
	out[3] = out[4] = out[5] = UINT64_MAX;
	return H_SUCCESS;
}

/* Giving processors up and waking them.
 * PAPR, "Shared Processor LPAR Option": H_CEDE, H_CONFER, H_PROD, H_JOIN, H_POLL_PENDING.
 */
#include "hcall/splpar.h"
#include "hcall/dispatcher.h"
#include "hcall/hcall.h"

/* ---- Waiting: the call sets run_state, and the dispatcher acts on it when the processor leaves the engine ---- */

/* The prod bit ends one wait: the present or the next one. PAPR's text also clears it at each
 * dispatch, which would lose a wake-up between the last look at a queue and H_CEDE. */
static bool take_prod(struct cpu *cpu)
{
	bool prodded = cpu->prodded;

	cpu->prodded = false;
	return prodded;
}

/* The caller waits until an interrupt that MSR allows, or H_PROD. If one is there already, it does not wait at all. */
static void wait_here(struct cpu *cpu, enum run_state state)
{
	if (!take_prod(cpu) && !cpu_interrupt_pending(cpu, cpu->msr))
		cpu->run_state = state;
	cpu->halt = 1;
}

/* The VPA's latency hint allows the hypervisor to ignore the decrementer. It wakes here all the same, as PAPR always
 * allows. */
HCALL_FN(H_CEDE)
{
	cpu_set_msr(cpu, cpu->msr | MSR_EE);
	wait_here(cpu, CPU_CEDED);
	return H_SUCCESS;
}

/* The target has conferred to all and still waits: it would wait for the caller, too. */
static bool waits_for_all(const struct spapr_cpu *sc)
{
	return sc->cpu.run_state == CPU_CONFERRED && sc->vp.conferring && sc->vp.confers_to_all;
}

/* The caller names a dispatch count: it must be that of the target's present wait. The hypervisor's own copy counts,
 * not what stands in the guest's memory. */
static bool can_help(const struct spapr_cpu *target, uint32_t count)
{
	return target->dispatch_count % 2 && target->dispatch_count == count && !waits_for_all(target);
}

/* proc -1, a 32-bit number: all processors of the partition. */
HCALL_FN(H_CONFER)
{
	struct machine *m = cpu_machine(cpu);
	bool all = in[0] == UINT64_MAX || in[0] == UINT32_MAX;
	struct spapr_cpu *target = all ? NULL : machine_cpu(m, in[0]);

	if (!all && !target)
		return H_PARAMETER;
	if (target && &target->cpu == cpu)
		wait_here(cpu, CPU_CONFERRED);
	else if (m->dispatcher->confers && (all || can_help(target, (uint32_t)in[1])))
		dispatcher_confer(m, cpu_spapr(cpu), target);
	return H_SUCCESS;
}

/* The dispatcher wakes the target. A stopped processor ignores H_PROD: only RTAS start-cpu starts it. */
HCALL_FN(H_PROD)
{
	struct machine *m = cpu_machine(cpu);
	struct spapr_cpu *target = machine_cpu(m, in[0]);

	if (!target)
		return H_PARAMETER;
	if (target->cpu.run_state != CPU_STOPPED) {
		target->cpu.prodded = true;
		machine_kick(m);
	}
	return H_SUCCESS;
}

/* A ceded processor can wake by itself, so it counts as active. */
bool others_joined(const struct machine *m, const struct cpu *cpu)
{
	for (unsigned i = 0; i < m->ncpus; i++) {
		const struct cpu *c = &m->cpu[i]->cpu;

		if (c != cpu && c->run_state != CPU_STOPPED && c->run_state != CPU_JOINED)
			return false;
	}
	return true;
}

HCALL_FN(H_JOIN)
{
	if (cpu->msr & MSR_EE)
		return H_BAD_MODE;
	if (others_joined(cpu_machine(cpu), cpu))
		return H_CONTINUE;
	wait_here(cpu, CPU_JOINED);
	return H_SUCCESS;
}

HCALL_FN(H_POLL_PENDING)
{
	return dispatcher_work_waits(cpu_machine(cpu)) ? H_PENDING : H_SUCCESS;
}

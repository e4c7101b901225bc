/* The presentation layer of XICS. PAPR, "Interrupt Support" hcall()s; machine/irq/xics.c does it. */
#include "hcall/hcall.h"
#include "machine/irq/xics.h"

HCALL_FN(H_EOI)
{
	xics_eoi(cpu_machine(cpu), cpu_spapr(cpu), (uint32_t)in[0]);
	return H_SUCCESS;
}

HCALL_FN(H_CPPR)
{
	xics_set_cppr(cpu_machine(cpu), cpu_spapr(cpu), (uint8_t)in[0]);
	return H_SUCCESS;
}

HCALL_FN(H_IPI)
{
	struct spapr_cpu *target = machine_cpu(cpu_machine(cpu), in[0]);

	if (!target)
		return H_PARAMETER;
	xics_set_mfrr(cpu_machine(cpu), target, (uint8_t)in[1]);
	return H_SUCCESS;
}

HCALL_FN(H_IPOLL)
{
	const struct spapr_cpu *target = machine_cpu(cpu_machine(cpu), in[0]);

	if (!target)
		return H_PARAMETER;
	out[0] = target->xirr;
	out[1] = target->mfrr;
	return H_SUCCESS;
}

HCALL_FN(H_XIRR)
{
	out[0] = xics_accept(cpu_spapr(cpu));
	return H_SUCCESS;
}

/* With the time of acceptance, in timebase ticks. */
HCALL_FN(H_XIRR_X)
{
	out[0] = xics_accept(cpu_spapr(cpu));
	out[1] = machine_timebase(cpu_machine(cpu));
	return H_SUCCESS;
}

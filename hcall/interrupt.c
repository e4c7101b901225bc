/* The presentation layer of XICS. PAPR, "Interrupt Support" hcall()s; machine/irq/xics.c does it. */
#include "hcall/hcall.h"
#include "machine/irq/xics.h"

/* While XIVE is in charge XICS presents nothing, and these calls are a guest's mistake. */
#define XICS_FN(name) \
	static int64_t xics_##name(struct cpu *cpu, const uint64_t *in, uint64_t *out); \
	HCALL_FN(name) \
	{ \
		return irq_by_xive(cpu_machine(cpu)) ? H_HARDWARE : xics_##name(cpu, in, out); \
	} \
	static int64_t xics_##name(struct cpu *cpu, const uint64_t *in __attribute__((unused)), uint64_t *out __attribute__((unused)))

XICS_FN(H_EOI)
{
	xics_eoi(cpu_machine(cpu), cpu_spapr(cpu), (uint32_t)in[0]);
	return H_SUCCESS;
}

XICS_FN(H_CPPR)
{
	xics_set_cppr(cpu_machine(cpu), cpu_spapr(cpu), (uint8_t)in[0]);
	return H_SUCCESS;
}

XICS_FN(H_IPI)
{
	struct spapr_cpu *target = machine_cpu(cpu_machine(cpu), in[0]);

	if (!target)
		return H_PARAMETER;
	xics_set_mfrr(cpu_machine(cpu), target, (uint8_t)in[1]);
	return H_SUCCESS;
}

XICS_FN(H_IPOLL)
{
	const struct spapr_cpu *target = machine_cpu(cpu_machine(cpu), in[0]);

	if (!target)
		return H_PARAMETER;
	out[0] = target->xirr;
	out[1] = target->mfrr;
	return H_SUCCESS;
}

XICS_FN(H_XIRR)
{
	out[0] = xics_accept(cpu_spapr(cpu));
	return H_SUCCESS;
}

/* With the time of acceptance, in timebase ticks. */
XICS_FN(H_XIRR_X)
{
	out[0] = xics_accept(cpu_spapr(cpu));
	out[1] = machine_timebase(cpu_machine(cpu));
	return H_SUCCESS;
}

/* RTAS: routing of interrupt sources. PAPR, "ibm,set-xive" and its kin. */
#include "machine/irq/xics.h"
#include "machine/rtas/rtas.h"

/* While XIVE is in charge, sources are routed by H_INT_SET_SOURCE_CONFIG. */
static bool source_routed(const struct machine *m, uint64_t irq)
{
	return !irq_by_xive(m) && xics_valid(m, irq);
}

RTAS_FN(set_xive)
{
	struct machine *m = cpu_machine(cpu);

	if (!source_routed(m, in[0]) || !machine_cpu(m, in[1]) || in[2] > XICS_PRIORITY_OFF)
		return RTAS_PARAM_ERROR;
	xics_route(m, in[0], in[1], (uint8_t)in[2], (uint8_t)in[2]);
	return RTAS_SUCCESS;
}

RTAS_FN(get_xive)
{
	struct machine *m = cpu_machine(cpu);

	if (!source_routed(m, in[0]))
		return RTAS_PARAM_ERROR;
	out[0] = xics_source(m, in[0])->server;
	out[1] = xics_source(m, in[0])->priority;
	return RTAS_SUCCESS;
}

/* Switches a source off, and keeps its priority for ibm,int-on. */
RTAS_FN(int_off)
{
	struct machine *m = cpu_machine(cpu);
	const struct xics_source *s;

	if (!source_routed(m, in[0]))
		return RTAS_PARAM_ERROR;
	s = xics_source(m, in[0]);
	xics_route(m, in[0], s->server, XICS_PRIORITY_OFF, s->priority);
	return RTAS_SUCCESS;
}

RTAS_FN(int_on)
{
	struct machine *m = cpu_machine(cpu);
	const struct xics_source *s;

	if (!source_routed(m, in[0]))
		return RTAS_PARAM_ERROR;
	s = xics_source(m, in[0]);
	xics_route(m, in[0], s->server, s->saved_priority, s->saved_priority);
	return RTAS_SUCCESS;
}

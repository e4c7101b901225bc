/* RTAS: connectors (machine/core/drc.h), and sensors. PAPR, "set-indicator", "get-sensor-state", "ibm,configure-connector";
 * statuses are QEMU's. */
#include "machine/core/drc.h"
#include "machine/rtas/events.h"
#include "machine/rtas/rtas.h"

#define SENSOR_EPOW          9
#define INDICATOR_ISOLATION  9001
#define INDICATOR_DR         9002
#define INDICATOR_ALLOCATION 9003
#define SENSOR_ENTITY        9003

/* {kind, index, state} */
RTAS_FN(set_indicator)
{
	struct machine *m = cpu_machine(cpu);
	struct drc *drc = drc_find(m, in[1]);
	uint32_t most = in[0] == INDICATOR_DR ? DRC_ACTION : 1;

	if (in[0] < INDICATOR_ISOLATION || in[0] > INDICATOR_ALLOCATION)
		return RTAS_NOT_SUPPORTED;
	if (!drc || in[2] > most)
		return RTAS_PARAM_ERROR;
	if (in[0] == INDICATOR_ISOLATION)
		return drc_isolate(m, drc, !in[2]);
	if (in[0] == INDICATOR_ALLOCATION)
		return drc_allocate(m, drc, in[2]);
	if (!drc->kind->physical)
		return RTAS_PARAM_ERROR;
	drc->indicator = in[2];
	return RTAS_SUCCESS;
}

/* {kind, index} */
RTAS_FN(get_sensor_state)
{
	struct machine *m = cpu_machine(cpu);
	const struct drc *drc = in[0] == SENSOR_ENTITY ? drc_find(m, in[1]) : NULL;

	if (in[0] == SENSOR_EPOW && !in[1])
		out[0] = events_epow(m);
	else if (drc)
		out[0] = drc_sense(drc);
	else
		return RTAS_NOT_SUPPORTED;
	return RTAS_SUCCESS;
}

/* {work area, more memory: not used}. The work area begins with the connector's index. Linux gives 4 KiB for each. */
RTAS_FN(configure_connector)
{
	struct machine *m = cpu_machine(cpu);
	uint64_t area = (uint64_t)in[1] << 32 | in[0];
	struct drc *drc;

	if (!ram_ok(&m->ram, area, DRC_CC_AREA))
		return RTAS_PARAM_ERROR;
	drc = drc_find(m, ld_be32(&m->ram, area));
	return drc ? drc_configure(m, drc, area) : RTAS_PARAM_ERROR;
}

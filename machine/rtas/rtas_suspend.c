/* RTAS: a guest that suspends itself to be saved, and what it asks when it is back. PAPR,
 * "ibm,suspend-me", "ibm,activate-firmware", "ibm,update-nodes", "ibm,update-properties".
 */
#include <string.h>

#include <libfdt.h>

#include "hcall/splpar.h"
#include "hcall/vasi.h"
#include "machine/rtas/rtas.h"

#define NOT_SUSPENDABLE (-9004)
#define THREADS_ACTIVE  (-9005)

/* The snapshot must hold the state after this call. So the call only succeeds here; the run loop saves when it has come
 * back (snapshots_suspend()), and overwrites the status if the save fails. */
RTAS_FN(suspend_me)
{
	struct machine *m = cpu_machine(cpu);

	if (!m->vasi_stream || m->vasi_state != VASI_SUSPENDING)
		return NOT_SUSPENDABLE;
	if (!others_joined(m, cpu))
		return THREADS_ACTIVE;
	m->vasi_state = VASI_COMPLETED;
	m->suspending = cpu;
	m->suspend_status = m->rtas_results;
	machine_kick(m);
	return RTAS_SUCCESS;
}

/* There is no new firmware to activate. */
RTAS_FN(activate_firmware) { return RTAS_SUCCESS; }

/* ---- What has changed while the guest was suspended: nothing ---- */

#define WORK_AREA 4096			/* bytes, and its alignment */
#define WORK_HEAD 16			/* phandle, if any; state; reserved */
#define MIGRATION_SCOPE 1		/* PAPR, "Nodes That May be Reported by ibm,update-nodes": and others, negative */

static bool work_area_ok(const struct machine *m, uint32_t area, uint32_t scope)
{
	return area % WORK_AREA == 0 && ram_ok(&m->ram, area, WORK_AREA) &&
	       (scope == MIGRATION_SCOPE || scope & UINT32_C(1) << 31);
}

RTAS_FN(update_nodes)
{
	static const uint8_t none[WORK_HEAD + 4];
	struct machine *m = cpu_machine(cpu);

	if (!work_area_ok(m, in[0], in[1]))
		return RTAS_PARAM_ERROR;
	ram_write(&m->ram, in[0], none, sizeof none);
	return RTAS_SUCCESS;
}

/* Answers with one property, which has no name and is the node's path: nothing else has changed. */
RTAS_FN(update_properties)
{
	struct machine *m = cpu_machine(cpu);
	char path[WORK_AREA - WORK_HEAD - 9] = "";
	uint32_t area = in[0], at = area + WORK_HEAD, len;
	int node;

	if (!work_area_ok(m, area, in[1]))
		return RTAS_PARAM_ERROR;
	node = m->fdt ? fdt_node_offset_by_phandle(m->fdt, ld_be32(&m->ram, area)) : -1;
	if (node < 0 || fdt_get_path(m->fdt, node, path, sizeof path))
		return RTAS_PARAM_ERROR;
	len = (uint32_t)strlen(path) + 1;
	st_be32(&m->ram, area + UINT64_C(4), 0);
	st_be32(&m->ram, at, 1);
	st_u8(&m->ram, at + UINT64_C(4), 0);
	st_be32(&m->ram, at + UINT64_C(5), len);
	ram_write(&m->ram, at + UINT64_C(9), path, len);
	return RTAS_SUCCESS;
}

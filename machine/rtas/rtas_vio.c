/* RTAS: what firmware asks of the virtual I/O bus. */
#include "machine/rtas/rtas.h"
#include "machine/vio/vio.h"

/* {unit address, 1 or 0}: the device takes guest real addresses, whatever its table says. Firmware's own call. */
RTAS_FN(set_tce_bypass)
{
	struct vio_device *vio = vio_find(cpu_machine(cpu), in[0]);

	if (!vio || !vio->has_window)
		return RTAS_PARAM_ERROR;
	vio->window.bypass = in[1] != 0;
	return RTAS_SUCCESS;
}

/* No device moves data by itself any more. */
RTAS_FN(quiesce)
{
	vio_quiesce(cpu_machine(cpu));
	return RTAS_SUCCESS;
}

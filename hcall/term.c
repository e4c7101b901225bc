/* Virtual terminals and the virtual I/O bus. PAPR, "Virtual Terminal Support" and "Virtual I/O". */
#include "hcall/hcall.h"
#include "machine/vio/vio_vty.h"

static struct vty *unit_vty(struct cpu *cpu, uint64_t unit)
{
	return unit <= UINT32_MAX ? vty_find(cpu_machine(cpu), (uint32_t)unit) : NULL;
}

HCALL_FN(H_GET_TERM_CHAR)
{
	struct vty *vty = unit_vty(cpu, in[0]);
	uint8_t buf[VTY_PACKET] = { 0 };

	if (!vty)
		return H_PARAMETER;
	out[0] = vty_get(vty, buf);
	for (unsigned i = 0; i < VTY_PACKET; i++)
		out[1 + i / 8] = out[1 + i / 8] << 8 | buf[i];
	return H_SUCCESS;
}

HCALL_FN(H_PUT_TERM_CHAR)
{
	struct vty *vty = unit_vty(cpu, in[0]);
	uint8_t buf[VTY_PACKET];

	if (!vty || in[1] > VTY_PACKET)
		return H_PARAMETER;
	for (unsigned i = 0; i < VTY_PACKET; i++)
		buf[i] = (uint8_t)(in[2 + i / 8] >> (56 - 8 * (i % 8)));
	vty_put(vty, buf, (unsigned)in[1]);
	return H_SUCCESS;
}

/* Mode: bit 63 lets the device's interrupt through, the others are not used by any device here. */
HCALL_FN(H_VIO_SIGNAL)
{
	struct vio_device *dev = vio_find(cpu_machine(cpu), in[0]);

	if (!dev || in[1] > 1)
		return H_PARAMETER;
	dev->signal_state = in[1];
	return H_SUCCESS;
}

/* Command/response queues of virtual I/O devices. PAPR, "Command/Response Queue"; what a message says is the device's. */
#include "machine/vio/crq.h"

#include "hcall/hcall.h"

HCALL_FN(H_REG_CRQ)
{
	static const int64_t codes[] = {
		[CRQ_OK] = H_SUCCESS, [CRQ_WRONG] = H_PARAMETER, [CRQ_NONE] = H_NOT_FOUND, [CRQ_TAKEN] = H_RESOURCE,
	};
	struct vio_device *vio = vio_find(cpu_machine(cpu), in[0]);

	return vio ? codes[crq_register(vio, in[1], in[2])] : H_PARAMETER;
}

HCALL_FN(H_FREE_CRQ)
{
	struct vio_device *vio = vio_find(cpu_machine(cpu), in[0]);

	if (!vio)
		return H_PARAMETER;
	crq_free(vio);
	return H_SUCCESS;
}

/* The partner here is the hypervisor: it registers no queue, and is there as soon as the guest's is. */
HCALL_FN(H_SEND_CRQ)
{
	struct vio_device *vio = vio_find(cpu_machine(cpu), in[0]);
	uint8_t entry[CRQ_ENTRY];

	if (!vio)
		return H_PARAMETER;
	if (!vio->crq.user)
		return H_HARDWARE;
	for (unsigned i = 0; i < CRQ_ENTRY; i++)
		entry[i] = (uint8_t)(in[1 + i / 8] >> (56 - 8 * (i % 8)));
	if (entry[0] < CRQ_MESSAGE || entry[0] == CRQ_EVENT)
		return H_PARAMETER;
	return crq_receive(vio, entry) ? H_SUCCESS : H_CLOSED;
}

/* A queue that a suspension has closed: none ever does here, so it is enabled already. */
HCALL_FN(H_ENABLE_CRQ)
{
	return vio_find(cpu_machine(cpu), in[0]) ? H_SUCCESS : H_PARAMETER;
}

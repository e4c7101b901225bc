/* Command/response queues: registration, and the way of an entry in both directions. PAPR, "Command/Response Queue". */
#include "machine/vio/crq.h"

#include "machine/core/log.h"

bool crq_is_open(const struct vio_device *vio)
{
	return vio->crq.qsize != 0;
}

enum crq_answer crq_register(struct vio_device *vio, uint64_t addr, uint64_t size)
{
	if (size < CRQ_PAGE || size > CRQ_MAX_SIZE || size % CRQ_PAGE || addr % CRQ_PAGE || addr + size < addr)
		return CRQ_WRONG;
	if (!vio->crq.user)
		return CRQ_NONE;
	if (crq_is_open(vio))
		return CRQ_TAKEN;
	vio->crq.qladdr = addr;
	vio->crq.qsize = (uint32_t)size;
	vio->crq.qnext = 0;
	return CRQ_OK;
}

void crq_free(struct vio_device *vio)
{
	vio->crq.qladdr = 0;
	vio->crq.qsize = vio->crq.qnext = 0;
	if (vio->crq.user)
		vio->crq.user->closed(vio);
}

bool crq_receive(struct vio_device *vio, const uint8_t entry[CRQ_ENTRY])
{
	if (!vio->crq.user || !crq_is_open(vio))
		return false;
	vio->crq.user->receive(vio, entry);
	return true;
}

/* The guest frees an entry by its byte 0, so that is written last. */
static bool put_entry(struct vio_device *vio, uint64_t at, const uint8_t entry[CRQ_ENTRY])
{
	uint8_t taken;

	return vio_dma_read(vio, at, &taken, 1) && taken == CRQ_FREE &&
	       vio_dma_write(vio, at + 1, entry + 1, CRQ_ENTRY - 1) && vio_dma_write(vio, at, entry, 1);
}

bool crq_send(struct vio_device *vio, const uint8_t entry[CRQ_ENTRY])
{
	if (!crq_is_open(vio) || !put_entry(vio, vio->crq.qladdr + vio->crq.qnext, entry)) {
		machine_log(vio->dev.machine, LOG_GUEST_ERROR, "%s@%x: no room in its queue, a message is lost",
			    vio->dev.class->node, (unsigned)vio->reg);
		return false;
	}
	vio->crq.qnext = (vio->crq.qnext + CRQ_ENTRY) % vio->crq.qsize;
	if (vio->signal_state & 1)
		vio_irq_pulse(vio);
	return true;
}

/* The virtual I/O bus: unit addresses, interrupt sources, lookup. What a device does is its
 * own file's; what a hypercall with a unit address does is hcall/'s. */
#include "machine/vio/vio.h"

#include <stdlib.h>

#include "machine/irq/xics.h"

struct vio *vio_new(void)
{
	struct vio *vio = calloc(1, sizeof *vio);

	if (vio)
		vio->next_reg = VIO_FIRST_REG;
	return vio;
}

void vio_free(struct vio *vio)
{
	struct vio_device *dev, *next;

	if (!vio)
		return;
	for (dev = vio->devices; dev; dev = next) {
		next = dev->next;
		dev->class->free(dev);
	}
	free(vio);
}

void vio_reset(struct vio *vio)
{
	for (struct vio_device *dev = vio->devices; dev; dev = dev->next) {
		dev->signal_state = 0;
		dev->class->reset(dev);
	}
}

void vio_add(struct machine *m, struct vio_device *dev, const struct vio_class *class)
{
	struct vio_device **p = &m->vio->devices;

	dev->class = class;
	dev->machine = m;
	dev->reg = m->vio->next_reg++;
	dev->irq = VIO_FIRST_IRQ | (dev->reg & 0xff);
	xics_claim(m, dev->irq, false);
	dev->next = NULL;
	while (*p)
		p = &(*p)->next;
	*p = dev;
}

struct vio_device *vio_find(const struct machine *m, uint64_t reg)
{
	struct vio_device *dev = m->vio->devices;

	while (dev && dev->reg != reg)
		dev = dev->next;
	return dev;
}

void vio_irq_pulse(struct vio_device *dev)
{
	xics_set_irq(dev->machine, dev->irq, true);
}

/* ---- Snapshots. No device here has a command/response queue (CRQ) ---- */

static bool no_queue(void *s, unsigned i, uint64_t v)
{
	(void)s;
	(void)i;
	return v == 0;
}

const struct vmstate vio_state = {
	.name = "spapr_vio", .version = 1, .min_version = 1, VMS_OF(struct vio_device),
	.fields = VMS_FIELDS(
		VMS_U32_EQUAL(struct vio_device, reg),
		VMS_U32_EQUAL(struct vio_device, irq),
		VMS_U64(struct vio_device, signal_state),
		VMS_CALC("crq.qladdr", vms_u64, NULL, no_queue),
		VMS_CALC("crq.qsize", vms_u32, NULL, no_queue),
		VMS_CALC("crq.qnext", vms_u32, NULL, no_queue),
		VMS_SKIP(struct vio_device, class, "what it is"),
		VMS_SKIP(struct vio_device, machine, "where it is"),
		VMS_SKIP(struct vio_device, next, "its place on the bus")),
};

/* The virtual I/O bus: unit addresses, interrupt sources, lookup, the nodes of what is on it. What a device does is its
 * own file's; what a hypercall with a unit address does is hcall/'s. */
#include "machine/vio/vio.h"

#include <stdio.h>

#include "machine/core/node.h"
#include "machine/irq/xics.h"

struct vio_bridge {
	struct device dev;
	uint32_t devices;		/* that have been given an address */
};

static bool vio_attach(struct device *bridge, struct device *dev, struct error *err)
{
	struct vio_device *vio = (struct vio_device *)dev;

	vio->reg = VIO_FIRST_REG + ((struct vio_bridge *)bridge)->devices++;
	vio->irq = VIO_FIRST_IRQ | (vio->reg & 0xff);
	if (xics_claim(dev->machine, vio->irq, false))
		return true;
	error_set(err, "%s: interrupt 0x%x is taken", dev->class->name, (unsigned)vio->irq);
	return false;
}

static void vio_reset(struct device *dev)
{
	((struct vio_device *)dev)->signal_state = 0;
}

static void vio_path(const struct device *dev, char *buf, size_t size)
{
	snprintf(buf, size, "%s@%x", dev->class->node, (unsigned)((const struct vio_device *)dev)->reg);
}

static const struct device_property vio_properties[] = {
	{ .name = "reg", .help = "unit address", .type = PROPERTY_U32, .offset = offsetof(struct vio_device, reg) },
	{ .name = NULL },
};

const struct bus_class vio_bus = {
	.type = "spapr-vio-bus", .name = "spapr-vio", .properties = vio_properties,
	.attach = vio_attach, .reset = vio_reset, .path = vio_path,
};

struct vio_device *vio_find(const struct machine *m, uint64_t reg)
{
	struct device *dev = m->devices;

	while (dev && (dev->class->on != &vio_bus || ((struct vio_device *)dev)->reg != reg))
		dev = dev->next;
	return (struct vio_device *)dev;
}

void vio_irq_pulse(struct vio_device *vio)
{
	xics_set_irq(vio->dev.machine, vio->irq, true);
}

/* ---- /vdevice ---- */

static void vio_device_fdt(struct vio_device *vio, struct tree *t, int vdevice)
{
	const struct device_class *class = vio->dev.class;
	int at = node_add_at(t, vdevice, class->node, vio->reg);

	node_cell(t, at, "reg", vio->reg);
	if (class->device_type)
		node_string(t, at, "device_type", class->device_type);
	if (class->compatible)
		node_string(t, at, "compatible", class->compatible);
	NODE_CELLS(t, at, "interrupts", vio->irq, 0);
	if (class->fdt)
		class->fdt(&vio->dev, t, at);
}

/* From the last one on: the last node written is the first one in the tree. */
static void vio_children_fdt(const struct device *bridge, struct device *dev, struct tree *t, int vdevice)
{
	if (!dev)
		return;
	vio_children_fdt(bridge, bus_next(bridge->machine, dev, bridge), t, vdevice);
	vio_device_fdt((struct vio_device *)dev, t, vdevice);
}

static void vio_bridge_fdt(struct device *bridge, struct tree *t, int parent)
{
	int at = node_add(t, parent, "vdevice");

	node_string(t, at, "device_type", "vdevice");
	node_string(t, at, "compatible", "IBM,vdevice");
	node_cell(t, at, "#address-cells", 1);
	node_cell(t, at, "#size-cells", 0);
	node_cell(t, at, "#interrupt-cells", 2);
	node_flag(t, at, "interrupt-controller");
	vio_children_fdt(bridge, bus_next(bridge->machine, NULL, bridge), t, at);
}

static const struct vmstate vio_bridge_state = {
	.name = "cede/vio-bridge", .version = 1, .min_version = 1, VMS_OF(struct vio_bridge),
	.fields = VMS_FIELDS(
		VMS_SKIP(struct vio_bridge, dev, "what and where it is"),
		VMS_SKIP(struct vio_bridge, devices, "follows from the options")),
};

const struct device_class vio_bridge_class = {
	.name = "spapr-vio-bridge", .help = "virtual I/O bus", .size = sizeof(struct vio_bridge), .bus = &vio_bus,
	.on_board = device_once, .fdt = vio_bridge_fdt, .own_state = &vio_bridge_state,
};

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
		VMS_SKIP(struct vio_device, dev, "what and where it is")),
};

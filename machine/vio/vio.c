/* The virtual I/O bus: unit addresses, interrupt sources, lookup, the nodes of what is on it. What a device does is its
 * own file's; what a hypercall with a unit address does is hcall/'s. */
#include "machine/vio/vio.h"

#include <stdio.h>

#include "machine/core/node.h"
#include "machine/irq/irq.h"
#include "machine/vio/crq.h"

#define VIO_PAGE_SHIFT 12

struct vio_bridge {
	struct device dev;
	uint32_t devices;		/* that have been given an address */
};

static bool vio_attach(struct device *bridge, struct device *dev, struct error *err)
{
	struct vio_device *vio = (struct vio_device *)dev;

	vio->reg = VIO_FIRST_REG + ((struct vio_bridge *)bridge)->devices++;
	vio->irq = VIO_FIRST_IRQ | (vio->reg & 0xff);
	if (irq_claim(dev->machine, vio->irq, false))
		return true;
	error_set(err, "%s: interrupt 0x%x is taken", dev->class->name, (unsigned)vio->irq);
	return false;
}

/* ---- DMA windows ---- */

bool vio_window_new(struct vio_device *vio, struct error *err)
{
	vio->window.liobn = vio->reg;
	vio->window.reset_entries = VIO_WINDOW_ENTRIES;
	tce_register(vio->dev.machine, &vio->window);
	vio->has_window = true;
	if (tce_reset(&vio->window))
		return true;
	error_set(err, "%s: out of memory", vio->dev.class->name);
	return false;
}

void vio_window_free(struct vio_device *vio)
{
	if (vio->has_window)
		tce_unregister(vio->dev.machine, &vio->window);
}

bool vio_dma_read(struct vio_device *vio, uint64_t ioba, void *buf, uint64_t n)
{
	return tce_dma_read(vio->dev.machine, &vio->window, ioba, buf, n);
}

bool vio_dma_write(struct vio_device *vio, uint64_t ioba, const void *buf, uint64_t n)
{
	return tce_dma_write(vio->dev.machine, &vio->window, ioba, buf, n);
}

bool vio_dma_ok(struct vio_device *vio, uint64_t ioba, uint64_t n, uint64_t want)
{
	return tce_dma_ok(vio->dev.machine, &vio->window, ioba, n, want);
}

void *vio_window_of(struct device *dev, struct spapr_cpu *const *cpu, unsigned i)
{
	(void)cpu;
	(void)i;
	return &((struct vio_device *)dev)->window;
}

uint32_t vio_window_instance(const struct device *dev, unsigned i)
{
	(void)i;
	return ((const struct vio_device *)dev)->reg;
}

/* What is in flight ends before its memory is taken away. */
static void quiesce_one(struct vio_device *vio)
{
	crq_free(vio);
	if (!vio->has_window)
		return;
	tce_clear(&vio->window);
	vio->window.bypass = false;
}

void vio_quiesce(struct machine *m)
{
	for (struct device *dev = m->devices; dev; dev = dev->next)
		if (dev->class->on == &vio_bus)
			quiesce_one((struct vio_device *)dev);
}

static void vio_reset(struct device *dev)
{
	struct vio_device *vio = (struct vio_device *)dev;

	crq_free(vio);
	vio->signal_state = 0;
	if (vio->has_window)
		tce_reset(&vio->window);
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
	irq_set(vio->dev.machine, vio->irq, true);
}

/* ---- /vdevice ---- */

static void window_fdt(const struct vio_device *vio, struct tree *t, int at)
{
	uint64_t bytes = (uint64_t)VIO_WINDOW_ENTRIES << VIO_PAGE_SHIFT;

	node_cell(t, at, "ibm,#dma-address-cells", 2);
	node_cell(t, at, "ibm,#dma-size-cells", 2);
	NODE_CELLS(t, at, "ibm,my-dma-window", vio->window.liobn, HIGH_LOW(0), HIGH_LOW(bytes));
}

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
	if (vio->has_window)
		window_fdt(vio, t, at);
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

/* ---- Snapshots ---- */

static bool crq_check(const void *s, struct vms_walk *w)
{
	const struct crq *q = &((const struct vio_device *)s)->crq;

	if (q->qsize && !q->user)
		return vms_wrong(w, "crq.qsize", q->qsize, "0: this device has no queue");
	if (q->qsize % CRQ_PAGE || q->qsize > CRQ_MAX_SIZE)
		return vms_wrong(w, "crq.qsize", q->qsize, "whole pages, at most 0x%x bytes", (unsigned)CRQ_MAX_SIZE);
	if (q->qladdr % CRQ_PAGE || q->qladdr + q->qsize < q->qladdr)
		return vms_wrong(w, "crq.qladdr", q->qladdr, "a page");
	return (q->qnext % CRQ_ENTRY == 0 && (q->qnext < q->qsize || !q->qsize)) ||
	       vms_wrong(w, "crq.qnext", q->qnext, "an entry of the queue's 0x%x bytes", (unsigned)q->qsize);
}

const struct vmstate vio_state = {
	.name = "spapr_vio", .version = 1, .min_version = 1, VMS_OF(struct vio_device), .check = crq_check,
	.fields = VMS_FIELDS(
		VMS_U32_EQUAL(struct vio_device, reg),
		VMS_U32_EQUAL(struct vio_device, irq),
		VMS_U64(struct vio_device, signal_state),
		VMS_U64(struct vio_device, crq.qladdr),
		VMS_U32(struct vio_device, crq.qsize),
		VMS_U32(struct vio_device, crq.qnext),
		VMS_SKIP(struct vio_device, crq.user, "the device's class"),
		VMS_ELSEWHERE(struct vio_device, window, "spapr_iommu"),
		VMS_SKIP(struct vio_device, has_window, "follows from the class"),
		VMS_SKIP(struct vio_device, dev, "what and where it is")),
};

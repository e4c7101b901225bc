/* The bridge in the device tree, and the functions on its bus. Addresses are left to be assigned: by firmware that
 * does so, or by the guest. Properties are QEMU's. IEEE 1275's PCI binding; PAPR. */
#include <stdio.h>

#include "machine/core/device.h"
#include "machine/core/drc.h"
#include "machine/core/node.h"
#include "machine/irq/msi.h"
#include "machine/pci/pci_bus.h"
#include "machine/pci/phb.h"

#define SLOTS 32u
#define PINS  4u
#define RTAS_DDW     0x2026u		/* tokens of rtas.def: query, create and remove a window; reset them */
#define LEVEL        1u
#define SPACE_SHIFT  24

/* ---- Names: by class and subclass, as IEEE 1275 gives them ---- */

static const struct {
	uint16_t class;			/* class << 8 | subclass; with ANY of all subclasses */
	const char *name;
} names[] = {
#define ANY 0xff
	{ 0x0000 | ANY, "legacy-device" },
	{ 0x0100, "scsi" }, { 0x0101, "ide" }, { 0x0106, "sata" }, { 0x0108, "nvme" }, { 0x0100 | ANY, "mass-storage" },
	{ 0x0200, "ethernet" }, { 0x0200 | ANY, "network" },
	{ 0x0300, "vga" }, { 0x0300 | ANY, "display" },
	{ 0x0401, "sound" }, { 0x0400 | ANY, "multimedia-device" },
	{ 0x0604, "pci" },
	{ 0x0700, "serial" }, { 0x0700 | ANY, "communication-controller" },
	{ 0x0900, "keyboard" }, { 0x0902, "mouse" }, { 0x0900 | ANY, "input-controller" },
	{ 0x0c03, "usb-xhci" },
};

static const char *name_of(const struct pci_device *pci)
{
	uint32_t class = pci_number(pci, PCI_CLASS, 3) >> 8;

	for (unsigned i = 0; i < ARRAY_SIZE(names); i++)
		if (names[i].class == class || ((names[i].class & ANY) == ANY && names[i].class >> 8 == class >> 8))
			return names[i].name;
	return "pci";
}

static void node_name(const struct pci_device *pci, char *buf, size_t size)
{
	if (pci_function(pci))
		snprintf(buf, size, "%s@%x,%x", name_of(pci), pci_slot(pci), pci_function(pci));
	else
		snprintf(buf, size, "%s@%x", name_of(pci), pci_slot(pci));
}

void pci_node_path(const struct pci_device *pci, char *buf, size_t size)
{
	char name[64];

	node_name(pci, name, sizeof name);
	snprintf(buf, size, "/pci@%llx/%s", (unsigned long long)PHB_BUID, name);
}

/* ---- A function ---- */

/* Five cells each: config space, then each BAR with its size. */
static void function_reg(const struct pci_device *pci, struct tree *t, int at)
{
	static const uint32_t space[] = { [PCI_BAR_IO] = 1, [PCI_BAR_MEM32] = 2, [PCI_BAR_MEM64] = 3, [PCI_BAR_FETCH32] = 2,
					  [PCI_BAR_PLAIN64] = 3 };
	uint32_t cells[5 * (PCI_BARS + 1)] = { (uint32_t)pci->devfn << 8 };
	unsigned n = 5;

	for (unsigned i = 0; i < PCI_BARS; i++) {
		const struct pci_bar *bar = &pci->bar[i];

		if (!bar->size)
			continue;
		cells[n] = space[bar->kind] << SPACE_SHIFT | (uint32_t)pci->devfn << 8 | (PCI_BAR_0 + 4 * i);
		cells[n + 3] = (uint32_t)(bar->size >> 32);
		cells[n + 4] = (uint32_t)bar->size;
		n += 5;
	}
	node_cells(t, at, "reg", cells, n);
}

static void function_ids(const struct pci_device *pci, struct tree *t, int at)
{
	uint32_t subsystem = pci_number(pci, PCI_SUBSYSTEM, 2), vendor = pci_number(pci, PCI_SUBSYSTEM_VENDOR, 2);

	node_cell(t, at, "vendor-id", pci_number(pci, PCI_VENDOR, 2));
	node_cell(t, at, "device-id", pci_number(pci, PCI_DEVICE, 2));
	node_cell(t, at, "revision-id", pci->config[PCI_REVISION]);
	node_cell(t, at, "class-code", pci_number(pci, PCI_CLASS, 3));
	if (subsystem)
		node_cell(t, at, "subsystem-id", subsystem);
	if (vendor)
		node_cell(t, at, "subsystem-vendor-id", vendor);
}

#define STATUS_66MHZ     0x20u
#define STATUS_UDF       0x40u
#define STATUS_FAST      0x80u
#define STATUS_SPEED(s)  ((s) >> 9 & 3)

static void function_header(const struct pci_device *pci, struct tree *t, int at)
{
	uint32_t status = pci_number(pci, PCI_STATUS, 2);

	if (pci->config[PCI_PIN])
		node_cell(t, at, "interrupts", pci->config[PCI_PIN]);
	node_cell(t, at, "min-grant", pci->config[PCI_MIN_GRANT]);
	node_cell(t, at, "max-latency", pci->config[PCI_MAX_LATENCY]);
	if (pci->config[PCI_CACHE_LINE])
		node_cell(t, at, "cache-line-size", pci->config[PCI_CACHE_LINE]);
	node_cell(t, at, "devsel-speed", STATUS_SPEED(status));
	if (status & STATUS_FAST)
		node_flag(t, at, "fast-back-to-back");
	if (status & STATUS_66MHZ)
		node_flag(t, at, "66mhz-capable");
	if (status & STATUS_UDF)
		node_flag(t, at, "udf-supported");
}

static void function_fdt(struct pci_device *pci, struct tree *t, int bridge)
{
	const struct device_class *class = pci->dev.class;
	char text[96];
	int at;

	node_name(pci, text, sizeof text);
	at = node_add(t, bridge, text);
	function_ids(pci, t, at);
	function_header(pci, t, at);
	snprintf(text, sizeof text, "qemu_%s:%04x:%02x:%02x.%x", class->name, 0u, 0u, pci_slot(pci), pci_function(pci));
	node_string(t, at, "ibm,loc-code", text);
	node_cell(t, at, "ibm,my-drc-index", DRC_PCI | pci->devfn);
	if (pci->msix.vectors)
		node_cell(t, at, "ibm,req#msi-x", pci->msix.vectors);
	function_reg(pci, t, at);
	if (class->fdt)
		class->fdt(&pci->dev, t, at);
}

/* From the last one on: the last node written is the first one in the tree. */
static void functions_fdt(const struct device *bridge, struct device *dev, struct tree *t, int at)
{
	if (!dev)
		return;
	functions_fdt(bridge, bus_next(bridge->machine, dev, bridge), t, at);
	function_fdt((struct pci_device *)dev, t, at);
}

/* ---- Slots: each function has a connector, as QEMU has it ---- */

#define EVENT_PCI 5			/* hot plug log: a resource of this kind */

static void slot_fdt(struct machine *m, const struct drc *drc, struct tree *t)
{
	(void)m;
	function_fdt((struct pci_device *)drc->device, t, 0);
}

static void slot_release(struct machine *m, struct drc *drc)
{
	struct device *dev = drc->device;

	if (dev)
		device_remove(m, dev);
}

static const struct drc_kind slot_kind = {
	.name = "C", .type = "28", .physical = true, .event = EVENT_PCI, .fdt = slot_fdt, .release = slot_release,
};

bool phb_slots(struct machine *m, struct error *err)
{
	for (unsigned devfn = 0; devfn < PHB_FUNCTIONS; devfn++)
		if (!drc_add(m, &slot_kind, DRC_PCI | devfn)) {
			error_set(err, "too many connectors");
			return false;
		}
	return true;
}

/* ---- The bridge ---- */

/* How a pin becomes a source. All of a function's pins stand there, though no device has more than the first. */
static void interrupt_map(const struct phb *phb, struct tree *t, int at)
{
	enum { CELLS = 7 };
	uint32_t map[SLOTS * PINS * CELLS];
	uint32_t *p = map;

	for (unsigned slot = 0; slot < SLOTS; slot++) {
		for (unsigned pin = 1; pin <= PINS; pin++) {
			*p++ = slot << 11;
			*p++ = 0;
			*p++ = 0;
			*p++ = pin;
			*p++ = NODE_PHANDLE_IRQ;
			*p++ = phb->lsi[(slot + pin - 1) % PHB_LSIS].irq;
			*p++ = LEVEL;
		}
	}
	node_cells(t, at, "interrupt-map", map, ARRAY_SIZE(map));
	NODE_CELLS(t, at, "interrupt-map-mask", 0xf800, 0, 0, UINT32_MAX);
}

static void ranges(struct tree *t, int at)
{
	enum { CELLS = 7 };
	uint32_t cells[PHB_SPACES * CELLS];

	for (unsigned i = 0; i < PHB_SPACES; i++) {
		const struct phb_range *r = &phb_ranges[i];
		const uint32_t row[CELLS] = { r->space << SPACE_SHIFT, HIGH_LOW(r->pci), HIGH_LOW(r->gra), HIGH_LOW(r->size) };

		for (unsigned k = 0; k < CELLS; k++)
			cells[i * CELLS + k] = row[k];
	}
	node_cells(t, at, "ranges", cells, ARRAY_SIZE(cells));
}

static void dma(const struct phb *phb, struct tree *t, int at)
{
	uint64_t size = (uint64_t)phb->window[0].reset_entries << 12;

	NODE_CELLS(t, at, "ibm,dma-window", phb->window[0].liobn, 0, 0, HIGH_LOW(size));
	node_cell(t, at, "ibm,#dma-address-cells", 2);
	node_cell(t, at, "ibm,#dma-size-cells", 2);
	NODE_CELLS(t, at, "ibm,ddw-applicable", RTAS_DDW, RTAS_DDW + 1, RTAS_DDW + 2);
	NODE_CELLS(t, at, "ibm,ddw-extensions", 2, RTAS_DDW + 3, 1);
}

void phb_fdt(struct device *dev, struct tree *t, int parent)
{
	const struct phb *phb = (const struct phb *)dev;
	int at = node_add_at(t, parent, "pci", PHB_BUID);

	node_string(t, at, "device_type", "pci");
	node_string(t, at, "compatible", "IBM,Logical_PHB");
	node_cell(t, at, "#address-cells", 3);
	node_cell(t, at, "#size-cells", 2);
	node_cell(t, at, "#interrupt-cells", 1);
	node_flag(t, at, "used-by-rtas");
	NODE_CELLS(t, at, "reg", HIGH_LOW(PHB_BUID), 0, 0);
	NODE_CELLS(t, at, "bus-range", 0, 0xff);
	ranges(t, at);
	node_cell(t, at, "ibm,pci-config-space-type", 1);
	node_cell(t, at, "ibm,pe-total-#msi", MSI_COUNT);
	interrupt_map(phb, t, at);
	dma(phb, t, at);
	node_cell(t, at, "ibm,my-drc-index", DRC_PHB);
	drc_fdt(dev->machine, DRC_PCI, t, at);
	node_cell(t, at, "qemu,phb-enumerated", 1);
	functions_fdt(dev, bus_next(dev->machine, NULL, dev), t, at);
}

/* The PCI bus: who gets which slot, and finding who is there. Slots as QEMU gives them. */
#include "machine/pci/pci_bus.h"

#include <stdio.h>
#include <stdlib.h>

#include "machine/core/drc.h"
#include "machine/pci/phb.h"

#define SLOTS     32u
#define FUNCTIONS 8u

static struct pci_device *function_at(const struct device *bridge, unsigned devfn, const struct device *but)
{
	const struct machine *m = bridge->machine;
	struct device *dev = bus_next(m, NULL, bridge);

	while (dev && (dev == but || ((struct pci_device *)dev)->devfn != devfn))
		dev = bus_next(m, dev, bridge);
	return (struct pci_device *)dev;
}

struct pci_device *pci_find(const struct machine *m, uint64_t buid, unsigned bus, unsigned devfn)
{
	const struct phb *phb = phb_find(m, buid);

	return phb && !bus ? function_at(&phb->dev, devfn, NULL) : NULL;
}

/* ---- Attaching ---- */

static bool slot_free(const struct device *bridge, unsigned slot, const struct device *but)
{
	for (unsigned i = 0; i < FUNCTIONS; i++)
		if (function_at(bridge, slot << 3 | i, but))
			return false;
	return true;
}

/* "SLOT[.FUNCTION]", in hexadecimal. */
static bool parse_address(const char *text, uint8_t *devfn)
{
	char *end;
	unsigned long slot = strtoul(text, &end, 16), function = 0;

	if (end == text || *text == '-' || *text == '+' || *text == ' ')
		return false;
	if (*end == '.' && end[1] >= '0' && end[1] <= '7')
		function = strtoul(end + 1, &end, 16);
	*devfn = (uint8_t)(slot << 3 | function);
	return !*end && slot < SLOTS && function < FUNCTIONS;
}

static bool find_address(struct device *bridge, struct pci_device *pci, struct error *err)
{
	unsigned slot = 0;

	if (pci->addr) {
		if (parse_address(pci->addr, &pci->devfn))
			return true;
		error_usage(err, "-device %s: addr=%.20s: not SLOT[.FUNCTION], 0 to 1f and 0 to 7", pci->dev.class->name, pci->addr);
		return false;
	}
	while (slot < SLOTS && !slot_free(bridge, slot, &pci->dev))
		slot++;
	pci->devfn = (uint8_t)(slot << 3);
	if (slot == SLOTS)
		error_usage(err, "-device %s: all slots of the PCI bus are taken", pci->dev.class->name);
	return slot < SLOTS;
}

/* A guest looks at functions 1 to 7 of a slot only if function 0 says that there are some. */
static bool fits_slot(struct device *bridge, const struct pci_device *pci, struct error *err)
{
	const struct pci_device *there = function_at(bridge, pci->devfn, &pci->dev);
	const char *name = pci->dev.class->name;
	unsigned slot = pci_slot(pci);

	if (there) {
		error_usage(err, "-device %s: slot %x function %x is taken by %s", name, slot, pci_function(pci), there->dev.class->name);
		return false;
	}
	there = function_at(bridge, slot << 3, &pci->dev);
	if (pci_function(pci) && there && !there->multifunction) {
		error_usage(err, "-device %s: slot %x has one function, %s (multifunction=on)", name, slot, there->dev.class->name);
		return false;
	}
	if (!pci_function(pci) && !pci->multifunction && !slot_free(bridge, slot, &pci->dev)) {
		error_usage(err, "-device %s: slot %x has more functions, so function 0 needs multifunction=on", name, slot);
		return false;
	}
	return true;
}

static bool can_arrive(const struct pci_device *pci, struct error *err)
{
	if (!pci->dev.hot || !pci_function(pci))
		return true;
	error_usage(err, "-device %s: PCI: a running machine takes function 0 of a slot alone", pci->dev.class->name);
	return false;
}

/* A ROM has programs for another processor: QEMU's users type romfile= to be rid of it. */
static bool rom_ok(const struct pci_device *pci, struct error *err)
{
	if (!pci->romfile || !*pci->romfile)
		return true;
	error_usage(err, "-device %s: romfile=: there is no ROM on this card, but romfile= without a name is right", pci->dev.class->name);
	return false;
}

static bool bus_attach(struct device *bridge, struct device *dev, struct error *err)
{
	struct pci_device *pci = (struct pci_device *)dev;

	if (!find_address(bridge, pci, err) || !fits_slot(bridge, pci, err) || !can_arrive(pci, err) || !rom_ok(pci, err))
		return false;
	drc_plug(drc_find(dev->machine, DRC_PCI | pci->devfn), dev, dev->hot);
	return true;
}

/* Its sources and its pin are nobody's any more. */
static void bus_detach(struct device *dev)
{
	struct pci_device *pci = (struct pci_device *)dev;
	struct phb *phb = (struct phb *)dev->bridge;
	struct phb_msi *msi = phb_msi_of(phb, pci);
	struct drc *drc = drc_find(dev->machine, DRC_PCI | pci->devfn);

	pci_set_pin(pci, false);
	if (msi)
		phb_msi_take(phb, msi);
	if (drc)
		drc_empty(drc);
}

/* A guest is told of function 0, and looks at the others then: they would have to be there before it. */
static bool bus_removable(const struct device *dev, struct error *err)
{
	const struct pci_device *pci = (const struct pci_device *)dev;

	for (unsigned i = 0; i < FUNCTIONS; i++)
		if (i != pci_function(pci) && function_at(dev->bridge, pci_slot(pci) << 3 | i, dev)) {
			error_set(err, "Device '%.60s' is one of several functions of its slot, which cannot be taken out", dev->id);
			return false;
		}
	return true;
}

static uint32_t bus_connector(const struct device *dev)
{
	return DRC_PCI | ((const struct pci_device *)dev)->devfn;
}

static void bus_reset(struct device *dev)
{
	pci_device_reset((struct pci_device *)dev);
}

static void bus_path(const struct device *dev, char *buf, size_t size)
{
	const struct pci_device *pci = (const struct pci_device *)dev;

	snprintf(buf, size, "pci@%llx:%02x.%x", (unsigned long long)PHB_BUID, pci_slot(pci), pci_function(pci));
}

static const struct device_property bus_properties[] = {
	{ .name = "addr", .help = "SLOT[.FUNCTION] in hexadecimal, if not the first free slot", .type = PROPERTY_STRING, .settable = true,
	  .offset = offsetof(struct pci_device, addr) },
	{ .name = "multifunction", .help = "its slot has more functions", .type = PROPERTY_BOOL, .settable = true,
	  .offset = offsetof(struct pci_device, multifunction) },
	{ .name = "romfile", .help = "nothing: there is no ROM on it", .type = PROPERTY_STRING, .settable = true,
	  .offset = offsetof(struct pci_device, romfile) },
	{ .name = "rombar", .help = "nothing, likewise", .type = PROPERTY_U32, .settable = true, .offset = offsetof(struct pci_device, rombar), .value = 1 },
	{ .name = NULL },
};

const struct bus_class pci_bus = {
	.type = "PCI", .name = "pci.0", .properties = bus_properties, .attach = bus_attach, .detach = bus_detach,
	.removable = bus_removable, .connector = bus_connector, .reset = bus_reset, .path = bus_path,
};

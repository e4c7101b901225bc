/* A PCI function: config space, BARs, pin, DMA. PCI Local Bus 3.0, 6.
 *
 * Each bit of config space is fixed, writable or cleared by a one; a device says more with capabilities and hooks. */
#include "machine/pci/pci.h"

#include <string.h>

#include "cpu/engine/tlb.h"
#include "machine/core/memory.h"
#include "machine/pci/pci_bus.h"
#include "machine/pci/phb.h"

static struct phb *bridge_of(const struct pci_device *pci) { return (struct phb *)pci->dev.bridge; }

uint32_t pci_number(const struct pci_device *pci, unsigned at, unsigned size)
{
	uint32_t value = 0;

	for (unsigned i = size; i--;)
		value = value << 8 | pci->config[at + i];
	return value;
}

static void put_number(uint8_t *bytes, unsigned size, uint32_t value)
{
	for (unsigned i = 0; i < size; i++)
		bytes[i] = (uint8_t)(value >> 8 * i);
}

void pci_set_number(struct pci_device *pci, unsigned at, unsigned size, uint32_t value)
{
	put_number(&pci->config[at], size, value);
}

/* ---- Making ---- */

/* What lies behind the header and is no capability means nothing, and can be written, as in QEMU's devices. */
void pci_identify(struct pci_device *pci, const struct pci_id *id)
{
	pci_set_number(pci, PCI_VENDOR, 2, id->vendor);
	pci_set_number(pci, PCI_DEVICE, 2, id->device);
	pci->config[PCI_REVISION] = id->revision;
	pci_set_number(pci, PCI_CLASS, 3, id->class);
	pci->config[PCI_HEADER_TYPE] = pci->multifunction ? PCI_MULTIFUNCTION : 0;
	pci_set_number(pci, PCI_SUBSYSTEM_VENDOR, 2, id->subsystem_vendor);
	pci_set_number(pci, PCI_SUBSYSTEM, 2, id->subsystem);
	pci->config[PCI_PIN] = id->pin;
	put_number(&pci->writable[PCI_COMMAND], 2,
		   PCI_COMMAND_IO | PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER | PCI_COMMAND_SERR | PCI_COMMAND_NO_PIN);
	put_number(&pci->clear_by_one[PCI_STATUS], 2, PCI_STATUS_ERRORS);
	pci->writable[PCI_CACHE_LINE] = pci->writable[PCI_LINE] = 0xff;
	memset(&pci->writable[PCI_HEADER_BYTES], 0xff, PCI_CONFIG_BYTES - PCI_HEADER_BYTES);
	pci->capability_end = PCI_HEADER_BYTES;
	for (unsigned i = 0; i < PCI_BARS; i++)
		pci->bar[i].at = PCI_UNMAPPED;
}

void pci_add_bar(struct pci_device *pci, unsigned number, enum pci_bar_kind kind, uint64_t size, const struct pci_bar_ops *ops)
{
	static const uint8_t type[] = { [PCI_BAR_IO] = 1, [PCI_BAR_MEM32] = 0, [PCI_BAR_MEM64] = 12, [PCI_BAR_FETCH32] = 8,
					[PCI_BAR_PLAIN64] = 4 };
	unsigned at = PCI_BAR_0 + 4 * number;
	uint64_t writable = ~(size - 1);

	pci->bar[number] = (struct pci_bar){ .kind = kind, .size = size, .ops = ops, .at = PCI_UNMAPPED };
	pci_set_number(pci, at, 4, type[kind]);
	put_number(&pci->writable[at], 4, (uint32_t)writable & (kind == PCI_BAR_IO ? ~UINT32_C(3) : ~UINT32_C(15)));
	if (kind >= PCI_BAR_MEM64)
		put_number(&pci->writable[at + 4], 4, (uint32_t)(writable >> 32));
}

uint8_t *pci_add_memory(struct pci_device *pci, unsigned number, uint64_t size, const struct pci_bar_ops *ops, struct error *err)
{
	unsigned part;
	uint8_t *bytes = memory_add_part(&pci->dev.machine->ram, size, &part, err);

	if (!bytes)
		return NULL;
	pci_add_bar(pci, number, PCI_BAR_FETCH32, size, ops);
	pci->bar[number].part = 1 + part;
	return bytes;
}

void pci_add_capability(struct pci_device *pci, uint8_t id, uint8_t at, unsigned bytes)
{
	unsigned offset = at ? at : pci->capability_end;

	memset(&pci->writable[offset], 0, bytes);
	pci->config[offset] = id;
	pci->config[offset + 1] = pci->config[PCI_CAPABILITIES];
	pci->config[PCI_CAPABILITIES] = (uint8_t)offset;
	pci->config[PCI_STATUS] |= PCI_STATUS_LIST;
	if (offset + bytes > pci->capability_end)
		pci->capability_end = (uint8_t)((offset + bytes + 3) & ~3u);
}

/* ---- BARs ---- */

/* Its size is not 0. A register that holds all ones is being sized, and one whose end wraps is nowhere. */
static uint64_t place_of(const struct pci_device *pci, unsigned number)
{
	const struct pci_bar *bar = &pci->bar[number];
	uint32_t command = pci_number(pci, PCI_COMMAND, 2);
	uint64_t at = pci_number(pci, PCI_BAR_0 + 4 * number, 4), end = UINT32_MAX;

	if (!(command & (bar->kind == PCI_BAR_IO ? PCI_COMMAND_IO : PCI_COMMAND_MEMORY)))
		return PCI_UNMAPPED;
	if (bar->kind >= PCI_BAR_MEM64) {
		at |= (uint64_t)pci_number(pci, PCI_BAR_0 + 4 * number + 4, 4) << 32;
		end = UINT64_MAX;
	}
	at &= ~(bar->size - 1);
	return at + (bar->size - 1) < at || at + (bar->size - 1) >= end ? PCI_UNMAPPED : at;
}

/* Where processors find it from now on. */
static void place_memory(struct pci_device *pci, const struct pci_bar *bar)
{
	const struct phb_range *r = &phb_ranges[PHB_MEM32];
	struct machine *m = pci->dev.machine;
	struct ram_part *part = &m->ram.part[bar->part - 1];
	uint64_t gra = bar->at >= r->pci && bar->at - r->pci < r->size ? r->gra + (bar->at - r->pci) : RAM_NOWHERE;

	if (part->gra == gra)
		return;
	part->gra = gra;
	tlb_flush_all_everywhere(m->running ? m->running : &m->cpu[0]->cpu);	/* at once for who has asked for it */
}

static void place_bars(struct pci_device *pci)
{
	for (unsigned i = 0; i < PCI_BARS; i++) {
		struct pci_bar *bar = &pci->bar[i];

		if (!bar->size)
			continue;
		bar->at = place_of(pci, i);
		if (bar->part)
			place_memory(pci, bar);
	}
}

static const struct pci_bar *bar_of(const struct pci_device *pci, bool io, uint64_t at, unsigned size)
{
	for (unsigned i = 0; i < PCI_BARS; i++) {
		const struct pci_bar *bar = &pci->bar[i];

		if (bar->size && bar->at != PCI_UNMAPPED && (bar->kind == PCI_BAR_IO) == io && at >= bar->at &&
		    at - bar->at < bar->size && size <= bar->size - (at - bar->at))
			return bar;
	}
	return NULL;
}

const struct pci_bar *pci_bar_at(const struct device *bridge, bool io, uint64_t at, unsigned size, struct pci_device **pci,
				 uint64_t *within)
{
	const struct machine *m = bridge->machine;

	for (struct device *dev = bus_next(m, NULL, bridge); dev; dev = bus_next(m, dev, bridge)) {
		const struct pci_bar *bar = bar_of((struct pci_device *)dev, io, at, size);

		if (bar) {
			*pci = (struct pci_device *)dev;
			*within = at - bar->at;
			return bar;
		}
	}
	return NULL;
}

/* ---- The pin ---- */

bool pci_asserts(const struct pci_device *pci)
{
	return pci->pin_high && pci->config[PCI_PIN] && !(pci_number(pci, PCI_COMMAND, 2) & PCI_COMMAND_NO_PIN);
}

static void show_pin(struct pci_device *pci)
{
	if (pci->pin_high)
		pci->config[PCI_STATUS] |= PCI_STATUS_PIN;
	else
		pci->config[PCI_STATUS] &= (uint8_t)~PCI_STATUS_PIN;
}

void pci_set_pin(struct pci_device *pci, bool high)
{
	if (pci->pin_high == high)
		return;
	pci->pin_high = high;
	show_pin(pci);
	phb_pins_changed(bridge_of(pci));
}

/* ---- Config space as the guest sees it ---- */

static bool in_config(unsigned at, unsigned size)
{
	return (size == 1 || size == 2 || size == 4) && at < PCI_CONFIG_BYTES && !(at & (size - 1));
}

uint32_t pci_config_load(struct pci_device *pci, unsigned at, unsigned size)
{
	uint32_t value;

	if (!in_config(at, size))
		return UINT32_MAX;
	if (pci->config_load && pci->config_load(pci, at, size, &value))
		return value;
	return pci_number(pci, at, size);
}

void pci_config_store(struct pci_device *pci, unsigned at, unsigned size, uint32_t value)
{
	if (!in_config(at, size))
		return;
	for (unsigned i = 0; i < size; i++, value >>= 8) {
		uint8_t *byte = &pci->config[at + i], mask = pci->writable[at + i];

		*byte = (uint8_t)((*byte & ~mask) | (value & mask));
		*byte &= (uint8_t)~(value & pci->clear_by_one[at + i]);
	}
	if (pci_overlap(at, size, PCI_COMMAND, 2) || pci_overlap(at, size, PCI_BAR_0, 4 * PCI_BARS)) {
		place_bars(pci);
		phb_pins_changed(bridge_of(pci));
	}
	if (pci->msix.capability && pci_overlap(at, size, pci->msix.capability, 4))
		msix_changed(pci);
	if (pci->config_written)
		pci->config_written(pci, at, size);
}

/* ---- Life ---- */

void pci_device_reset(struct pci_device *pci)
{
	for (unsigned i = 0; i < PCI_CONFIG_BYTES; i++)
		pci->config[i] &= (uint8_t)~(pci->writable[i] | pci->clear_by_one[i]);
	msix_reset(pci);
	place_bars(pci);
	pci_set_pin(pci, false);
}

void pci_device_loaded(struct pci_device *pci)
{
	show_pin(pci);
	place_bars(pci);
	msix_catch_up(pci);
}

/* ---- Memory ---- */

bool pci_is_master(const struct pci_device *pci)
{
	return pci_number(pci, PCI_COMMAND, 2) & PCI_COMMAND_MASTER;
}

bool pci_dma_read(struct pci_device *pci, uint64_t address, void *buf, uint64_t n)
{
	const struct tce_window *w = phb_window_at(bridge_of(pci), address);

	return w && pci_is_master(pci) && tce_dma_read(pci->dev.machine, w, address, buf, n);
}

/* A store to where messages go is an interrupt, whoever does it. */
bool pci_dma_write(struct pci_device *pci, uint64_t address, const void *buf, uint64_t n)
{
	const struct tce_window *w = phb_window_at(bridge_of(pci), address);
	uint32_t data;

	if (!pci_is_master(pci))
		return false;
	if (address - PHB_MSI_ADDRESS < PHB_MSI_BYTES && n == sizeof data) {
		memcpy(&data, buf, sizeof data);
		phb_message(bridge_of(pci), data);
		return true;
	}
	return w && tce_dma_write(pci->dev.machine, w, address, buf, n);
}

/* ---- Snapshots: QEMU's PCIDevice ---- */

#define PINS 4

static uint64_t config_get(const void *s, unsigned i) { return ((const struct pci_device *)s)->config[i]; }

/* What the device says of itself is what it says here; whether its pin is high stands elsewhere. */
static bool config_put(void *s, unsigned i, uint64_t v)
{
	struct pci_device *pci = s;
	uint8_t own = (uint8_t)~(pci->writable[i] | pci->clear_by_one[i]);

	if (i == PCI_STATUS)
		own &= (uint8_t)~PCI_STATUS_PIN;
	if ((v ^ pci->config[i]) & own)
		return false;
	pci->config[i] = (uint8_t)v;
	return true;
}

static uint64_t pin_get(const void *s, unsigned i) { return !i && ((const struct pci_device *)s)->pin_high; }

static bool pin_put(void *s, unsigned i, uint64_t v)
{
	if (!i)
		((struct pci_device *)s)->pin_high = v;
	return v <= !i;
}

#define MADE "follows from how it was made"

#define CONFIG_FIELDS \
	VMS_CONSTANT("version_id", vms_i32, 2), \
	{ .name = "config[0]", .kind = VMS_CALCULATED, .codec = &vms_u8, .count = PCI_CONFIG_BYTES, .get = config_get, \
	  .put = config_put, .type = "pci config" }
#define OTHER_FIELDS \
	{ .name = "irq_state", .kind = VMS_CALCULATED, .codec = &vms_u32, .count = PINS, .get = pin_get, .put = pin_put, \
	  .type = "pci irq state" }, \
	VMS_CARRIED(struct pci_device, config, "config[0]"), VMS_CARRIED(struct pci_device, pin_high, "irq_state"), \
	VMS_ELSEWHERE(struct pci_device, msix, "msix_state"), \
	VMS_SKIP(struct pci_device, dev, "what and where it is"), VMS_SKIP(struct pci_device, devfn, "what and where it is"), \
	VMS_SKIP(struct pci_device, addr, "an option"), VMS_SKIP(struct pci_device, multifunction, "an option"), \
	VMS_SKIP(struct pci_device, romfile, "an option"), VMS_SKIP(struct pci_device, rombar, "an option"), \
	VMS_SKIP(struct pci_device, writable, MADE), VMS_SKIP(struct pci_device, clear_by_one, MADE), \
	VMS_SKIP(struct pci_device, bar, MADE), VMS_SKIP(struct pci_device, capability_end, MADE), \
	VMS_SKIP(struct pci_device, config_written, MADE), VMS_SKIP(struct pci_device, config_load, MADE)

const struct vmstate pci_device_state = {
	.name = "PCIDevice", .version = 2, .min_version = 1, VMS_OF(struct pci_device), .fields = VMS_FIELDS(CONFIG_FIELDS, OTHER_FIELDS),
};

const struct vmstate pci_express_state = {
	.name = "PCIDevice", .version = 2, .min_version = 1, VMS_OF(struct pci_device),
	.fields = VMS_FIELDS(CONFIG_FIELDS, VMS_UNUSED("config[1]", PCI_EXPRESS_CONFIG_BYTES - PCI_CONFIG_BYTES), OTHER_FIELDS),
};

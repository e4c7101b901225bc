/* The PCI host bridge: ways to the bus, interrupts, DMA windows, snapshots. What is on the bus is pci.c's and its devices',
 * the device tree phb_fdt.c's. */
#include "machine/pci/phb.h"

#include <string.h>

#include "machine/irq/msi.h"
#include "machine/irq/irq.h"
#include "machine/pci/pci.h"
#include "machine/pci/pci_bus.h"

#define FIRST_LSI       0x1200u
#define DEFAULT_ENTRIES 0x40000u	/* 1 GiB in pages of 4 KiB */

const struct phb_range phb_ranges[PHB_SPACES] = {
	[PHB_IO] = { UINT64_C(0x200000000000), UINT64_C(0x10000), 0, 1 },
	[PHB_MEM32] = { UINT64_C(0x200080000000), UINT64_C(0x80000000), UINT64_C(0x80000000), 2 },
	[PHB_MEM64] = { UINT64_C(0x210000000000), UINT64_C(0x10000000000), UINT64_C(0x210000000000), 3 },
};

struct phb *phb_find(const struct machine *m, uint64_t buid)
{
	return buid == PHB_BUID ? (struct phb *)device_next(m, NULL, &phb_class) : NULL;
}

/* ---- The processor's way to a BAR. Where there is none a load gives 0, and a store is lost ---- */

static uint64_t way_load(void *opaque, uint64_t offset, unsigned size)
{
	const struct phb_way *way = opaque;
	uint64_t at = phb_ranges[way->space].pci + offset, within;
	struct pci_device *pci;
	const struct pci_bar *bar = pci_bar_at(&way->phb->dev, way->space == PHB_IO, at, size, &pci, &within);

	return bar ? bar->ops->load(pci, within, size) : 0;
}

static void way_store(void *opaque, uint64_t offset, unsigned size, uint64_t value)
{
	const struct phb_way *way = opaque;
	uint64_t at = phb_ranges[way->space].pci + offset, within;
	struct pci_device *pci;
	const struct pci_bar *bar = pci_bar_at(&way->phb->dev, way->space == PHB_IO, at, size, &pci, &within);

	if (bar)
		bar->ops->store(pci, within, size, value);
}

static void open_ways(struct phb *phb)
{
	for (unsigned i = 0; i < PHB_SPACES; i++) {
		phb->way[i] = (struct phb_way){ .phb = phb, .space = (enum phb_space)i };
		phb->mmio[i] = (struct mmio_window){ .base = phb_ranges[i].gra, .size = phb_ranges[i].size,
						     .load = way_load, .store = way_store, .opaque = &phb->way[i] };
		mmio_add(phb->dev.machine, &phb->mmio[i]);
	}
}

/* ---- Interrupts by pin: four lines, each of which functions share ---- */

static unsigned lsi_of(const struct pci_device *pci)
{
	return ((pci->devfn >> 3) + pci->config[PCI_PIN] - 1u) % PHB_LSIS;
}

static uint32_t count_pins(const struct phb *phb, unsigned lsi)
{
	const struct machine *m = phb->dev.machine;
	uint32_t n = 0;

	for (struct device *dev = bus_next(m, NULL, &phb->dev); dev; dev = bus_next(m, dev, &phb->dev))
		n += pci_asserts((struct pci_device *)dev) && lsi_of((struct pci_device *)dev) == lsi;
	return n;
}

void phb_pins_changed(struct phb *phb)
{
	for (unsigned i = 0; i < PHB_LSIS; i++) {
		uint32_t before = phb->irq_count[i];

		phb->irq_count[i] = count_pins(phb, i);
		if (!before != !phb->irq_count[i])
			irq_set(phb->dev.machine, phb->lsi[i].irq, phb->irq_count[i] != 0);
	}
}

/* ---- Interrupts by message ---- */

/* The guest may have written any number into a device's table: a line that it names is pulsed. */
void phb_message(struct phb *phb, uint32_t data)
{
	struct machine *m = phb->dev.machine;

	irq_set(m, data, true);
	if (irq_is_lsi(m, data))
		irq_set(m, data, false);
}

static uint32_t msi_key(const struct pci_device *pci)
{
	return (uint32_t)pci->devfn << 8;
}

struct phb_msi *phb_msi_of(struct phb *phb, const struct pci_device *pci)
{
	for (uint32_t i = 0; i < phb->msis; i++)
		if (phb->msi[i].key == msi_key(pci))
			return &phb->msi[i];
	return NULL;
}

void phb_msi_take(struct phb *phb, struct phb_msi *msi)
{
	msi_free(phb->dev.machine, msi->first, msi->num);
	*msi = phb->msi[--phb->msis];
}

/* The new sources are taken before the old ones are given back, as a guest may see by their numbers. */
bool phb_msi_give(struct phb *phb, struct pci_device *pci, uint32_t num)
{
	struct phb_msi *old = phb_msi_of(phb, pci);
	uint32_t first = msi_alloc(phb->dev.machine, num, true);

	if (!first || (!old && phb->msis == PHB_FUNCTIONS)) {
		msi_free(phb->dev.machine, first, num);
		return false;
	}
	if (old)
		phb_msi_take(phb, old);
	phb->msi[phb->msis++] = (struct phb_msi){ .key = msi_key(pci), .first = first, .num = num };
	for (uint32_t i = 0; i < num; i++)
		msix_set_message(pci, i, PHB_MSI_ADDRESS, first + i);
	return true;
}

/* ---- DMA windows ---- */

struct tce_window *phb_window_at(struct phb *phb, uint64_t address)
{
	for (unsigned i = 0; i < PHB_WINDOWS; i++) {
		struct tce_window *w = &phb->window[i];

		if (w->bypass || (w->entries && address >= w->bus_offset &&
				  (address - w->bus_offset) >> w->page_shift < w->entries))
			return w;
	}
	return NULL;
}

/* Without memory for it a window is closed, and devices reach nothing. */
void phb_windows_reset(struct phb *phb)
{
	for (unsigned i = 0; i < PHB_WINDOWS; i++) {
		tce_reset(&phb->window[i]);
		phb->window[i].is_default = !i;
	}
}

/* ---- Life ---- */

static bool phb_init(struct device *dev, struct error *err)
{
	struct phb *phb = (struct phb *)dev;

	for (unsigned i = 0; i < PHB_WINDOWS; i++) {
		phb->window[i] = (struct tce_window){ .liobn = PHB_FIRST_LIOBN + i, .reset_entries = i ? 0 : DEFAULT_ENTRIES };
		tce_register(dev->machine, &phb->window[i]);
	}
	open_ways(phb);
	if (!phb_slots(dev->machine, err))
		return false;
	for (unsigned i = 0; i < PHB_LSIS; i++) {
		phb->lsi[i].irq = FIRST_LSI + i;
		if (!irq_claim(dev->machine, FIRST_LSI + i, true)) {
			error_set(err, "%s: interrupt 0x%x is taken", dev->class->name, FIRST_LSI + i);
			return false;
		}
	}
	return true;
}

static void phb_free(struct device *dev)
{
	struct phb *phb = (struct phb *)dev;

	for (unsigned i = 0; i < PHB_WINDOWS; i++)
		tce_unregister(dev->machine, &phb->window[i]);
	for (unsigned i = 0; i < PHB_SPACES; i++)
		mmio_remove(dev->machine, &phb->mmio[i]);
}

static void phb_reset(struct device *dev)
{
	struct phb *phb = (struct phb *)dev;

	phb_windows_reset(phb);
	for (unsigned i = 0; i < PHB_LSIS; i++)
		phb->lsi[i].irq = FIRST_LSI + i;
	memset(phb->irq_count, 0, sizeof phb->irq_count);
	memset(phb->msi, 0, sizeof phb->msi);
	phb->msis = 0;
	msi_reset(dev->machine);
}

/* What a snapshot says of pins counts, and not what it says of how many assert a line. One of before there was a bridge
 * does not know the bridge's interrupt sources. */
static void phb_loaded(struct device *dev, bool foreign)
{
	struct phb *phb = (struct phb *)dev;
	struct machine *m = dev->machine;

	(void)foreign;
	for (unsigned i = 0; i < PHB_LSIS; i++) {
		irq_claim(m, phb->lsi[i].irq, true);
		phb->irq_count[i] = count_pins(phb, i);
	}
	for (struct device *child = bus_next(m, NULL, dev); child; child = bus_next(m, child, dev))
		pci_device_loaded((struct pci_device *)child);
}

/* ---- Snapshots: spapr_pci, PCIBUS ---- */

static uint64_t buid_get(const void *s, unsigned i)
{
	(void)s;
	(void)i;
	return PHB_BUID;
}

static bool buid_put(void *s, unsigned i, uint64_t v)
{
	return v == buid_get(s, i);
}

static uint64_t nirq_get(const void *s, unsigned i)
{
	(void)s;
	(void)i;
	return PHB_LSIS;
}

static bool nirq_put(void *s, unsigned i, uint64_t v)
{
	return v == nirq_get(s, i);
}

static const struct vmstate lsi_state = {
	.name = "spapr_pci/lsi", .version = 1, .min_version = 1, VMS_OF(struct phb_lsi),
	.fields = VMS_FIELDS(VMS_U32_EQUAL(struct phb_lsi, irq)),
};

static bool msi_check(const void *s, struct vms_walk *w)
{
	const struct phb_msi *msi = s;

	if (msi->key & ~UINT32_C(0xff00))
		return vms_wrong(w, "key", msi->key, "a function of bus 0");
	return (msi->first >= MSI_FIRST && msi->num && msi->num <= MSI_COUNT && msi->first - MSI_FIRST <= MSI_COUNT - msi->num) ||
	       vms_wrong(w, "value.first_irq", msi->first, "a block of message-signalled sources");
}

static const struct vmstate msi_state = {
	.name = "spapr_pci/msi", .version = 1, .min_version = 1, VMS_OF(struct phb_msi), .check = msi_check,
	.fields = VMS_FIELDS(
		VMS_U32(struct phb_msi, key),
		VMS_U32_AS("value.first_irq", struct phb_msi, first),
		VMS_U32_AS("value.num", struct phb_msi, num)),
};

static bool phb_check(const void *s, struct vms_walk *w)
{
	const struct phb *phb = s;

	for (uint32_t i = 0; i < phb->msis; i++)
		for (uint32_t k = 0; k < i; k++)
			if (phb->msi[i].key == phb->msi[k].key)
				return vms_wrong(w, "key", phb->msi[i].key, "each function once");
	return true;
}

static const struct vmstate spapr_pci_state = {
	.name = "spapr_pci", .version = 2, .min_version = 2, VMS_OF(struct phb), .check = phb_check,
	.fields = VMS_FIELDS(
		{ .name = "buid", .kind = VMS_CALCULATED, .codec = &vms_i64, .count = 1, .equal = true,
		  .get = buid_get, .put = buid_put },
		VMS_STRUCT_ARRAY("lsi_table", struct phb, lsi, struct phb_lsi, lsi_state),
		VMS_ONE("msi_devs_num", struct phb, msis, uint32_t, vms_i32, VMS_MOST(PHB_FUNCTIONS)),
		VMS_COUNTED_STRUCTS("msi_devs", struct phb, msi, struct phb_msi, msis, msi_state),
		VMS_ELSEWHERE(struct phb, window, "spapr_iommu"),
		VMS_SKIP(struct phb, mmio, "always the same"), VMS_SKIP(struct phb, way, "always the same"),
		VMS_SKIP(struct phb, dev, "what and where it is")),
};

static const struct vmstate pci_bus_state = {
	.name = "PCIBUS", .version = 1, .min_version = 1, VMS_OF(struct phb),
	.fields = VMS_FIELDS(
		{ .name = "nirq", .kind = VMS_CALCULATED, .codec = &vms_i32, .count = 1, .equal = true,
		  .get = nirq_get, .put = nirq_put },
		VMS_MANY("irq_count", struct phb, irq_count, uint32_t, vms_i32)),
};

/* ---- The device ---- */

static void *the_window(struct device *dev, struct spapr_cpu *const *cpu, unsigned i)
{
	(void)cpu;
	return &((struct phb *)dev)->window[i];
}

static uint32_t window_instance(const struct device *dev, unsigned i)
{
	(void)dev;
	return PHB_FIRST_LIOBN + i;
}

static const struct device_section phb_sections[] = {
	{ .state = &tce_window_state, .count = PHB_WINDOWS, .object = the_window, .instance = window_instance },
	{ .state = &spapr_pci_state },
	{ .state = &pci_bus_state },
	{ .state = NULL },
};

const struct device_class phb_class = {
	.name = "spapr-pci-host-bridge", .help = "PCI host bridge", .size = sizeof(struct phb), .bus = &pci_bus,
	.on_board = device_once, .init = phb_init, .free = phb_free, .reset = phb_reset, .fdt = phb_fdt, .loaded = phb_loaded,
	.sections = phb_sections,
};

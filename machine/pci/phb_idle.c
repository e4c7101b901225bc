/* A PCI host bridge without devices. Names, numbers and layout are QEMU's. */
#include "machine/pci/phb_idle.h"

#include <stdlib.h>
#include <string.h>

#define PHB_BUID      UINT64_C(0x800000020000000)
#define PHB_FIRST_LSI 0x1200
#define PAGE_SHIFT_4K 12

/* Nothing has been loaded. */
static void phb_reset(struct device *dev)
{
	struct phb_idle *phb = (struct phb_idle *)dev;

	for (unsigned i = 0; i < PHB_WINDOWS; i++) {
		free(phb->window[i].tce);
		phb->window[i] = (struct tce_window){ .liobn = PHB_FIRST_LIOBN + i, .page_shift = PAGE_SHIFT_4K };
	}
	for (unsigned i = 0; i < PHB_LSIS; i++)
		phb->lsi[i].irq = PHB_FIRST_LSI + i;
	memset(phb->irq_count, 0, sizeof phb->irq_count);
	phb->phb_there = phb->bus_there = false;
}

static void phb_free(struct device *dev)
{
	for (unsigned i = 0; i < PHB_WINDOWS; i++)
		free(((struct phb_idle *)dev)->window[i].tce);
}

/* ---- spapr_iommu ---- */

static bool window_there(const void *s) { return ((const struct tce_window *)s)->there; }

static bool window_post_load(void *s, uint32_t version, struct vms_walk *w)
{
	(void)version;
	(void)w;
	return ((struct tce_window *)s)->there = true;
}

static bool ex_needed(const void *s)
{
	const struct tce_window *window = s;

	return window->bus_offset || window->page_shift != PAGE_SHIFT_4K;
}

static const struct vmstate iommu_ex_state = {
	.name = "spapr_iommu_ex", .version = 1, .min_version = 1, VMS_OF(struct tce_window), .needed = ex_needed,
	.fields = VMS_FIELDS(VMS_U64(struct tce_window, bus_offset), VMS_U32(struct tce_window, page_shift)),
};

static const struct vmstate spapr_iommu_state = {
	.name = "spapr_iommu", .version = 3, .min_version = 2, VMS_OF(struct tce_window), .needed = window_there,
	.post_load = window_post_load,
	.fields = VMS_FIELDS(
		VMS_U32_EQUAL(struct tce_window, liobn),
		VMS_U32_AS("mig_nb_table", struct tce_window, entries),
		VMS_BOOL(struct tce_window, bypass),
		VMS_ALLOCATED_ARRAY("mig_table", struct tce_window, tce, entries, PHB_MAX_TCES, uint64_t, vms_u64),
		VMS_ONE("def_win", struct tce_window, is_default, bool, vms_bool),
		VMS_SKIP(struct tce_window, there, "it is, where it is saved")),
	.subs = VMS_SUBS(&iommu_ex_state),
};

/* ---- spapr_pci: a bridge without devices has no message-signalled interrupts ---- */

static bool phb_there(const void *s) { return ((const struct phb_idle *)s)->phb_there; }
static bool bus_there(const void *s) { return ((const struct phb_idle *)s)->bus_there; }

static bool phb_post_load(void *s, uint32_t version, struct vms_walk *w)
{
	(void)version;
	(void)w;
	return ((struct phb_idle *)s)->phb_there = true;
}

static bool bus_post_load(void *s, uint32_t version, struct vms_walk *w)
{
	(void)version;
	(void)w;
	return ((struct phb_idle *)s)->bus_there = true;
}

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

static bool no_msi(void *s, unsigned i, uint64_t v)
{
	(void)s;
	(void)i;
	return v == 0;
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

static const struct vmstate spapr_pci_state = {
	.name = "spapr_pci", .version = 2, .min_version = 2, VMS_OF(struct phb_idle), .needed = phb_there,
	.post_load = phb_post_load,
	.fields = VMS_FIELDS(
		{ .name = "buid", .kind = VMS_CALCULATED, .codec = &vms_i64, .count = 1, .equal = true,
		  .get = buid_get, .put = buid_put },
		VMS_STRUCT_ARRAY("lsi_table", struct phb_idle, lsi, struct phb_lsi, lsi_state),
		VMS_CALC("msi_devs_num", vms_i32, NULL, no_msi),
		VMS_ELSEWHERE(struct phb_idle, window, "spapr_iommu"),
		VMS_SKIP(struct phb_idle, phb_there, "it is, where it is saved"),
		VMS_SKIP(struct phb_idle, bus_there, "it is, where it is saved"),
		VMS_SKIP(struct phb_idle, dev, "what and where it is")),
};

static const struct vmstate pci_bus_state = {
	.name = "PCIBUS", .version = 1, .min_version = 1, VMS_OF(struct phb_idle), .needed = bus_there,
	.post_load = bus_post_load,
	.fields = VMS_FIELDS(
		{ .name = "nirq", .kind = VMS_CALCULATED, .codec = &vms_i32, .count = 1, .equal = true,
		  .get = nirq_get, .put = nirq_put },
		VMS_U32_ARRAY(struct phb_idle, irq_count)),
};

/* ---- The device ---- */

static void *the_window(struct device *dev, struct spapr_cpu *const *cpu, unsigned i)
{
	(void)cpu;
	return &((struct phb_idle *)dev)->window[i];
}

static uint32_t window_instance(const struct device *dev, unsigned i)
{
	(void)dev;
	return PHB_FIRST_LIOBN + i;
}

static const struct device_section phb_sections[] = {
	{ .state = &spapr_iommu_state, .count = PHB_WINDOWS, .object = the_window, .instance = window_instance },
	{ .state = &spapr_pci_state },
	{ .state = &pci_bus_state },
	{ .state = NULL },
};

const struct device_class phb_idle_class = {
	.name = "spapr-pci-host-bridge", .help = "PCI host bridge of a loaded snapshot, at rest", .size = sizeof(struct phb_idle),
	.on_board = device_once, .free = phb_free, .reset = phb_reset, .sections = phb_sections,
};

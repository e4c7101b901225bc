/* The PCI host bridge (spapr-pci-host-bridge): windows to its bus, interrupts from it, DMA windows for what is on it.
 * Numbers and addresses are those of QEMU's first bridge: guests and snapshots keep them. PAPR, "PCI Host Bridges". */
#ifndef MACHINE_PCI_PHB_H
#define MACHINE_PCI_PHB_H

#include "machine/core/device.h"
#include "machine/core/mmio.h"
#include "machine/core/tce.h"

struct pci_device;

#define PHB_BUID        UINT64_C(0x800000020000000)
#define PHB_FIRST_LIOBN UINT32_C(0x80000000)
#define PHB_WINDOWS     2u
#define PHB_LSIS        4u
#define PHB_FUNCTIONS   256u

/* What a processor reaches of the bus. */
struct phb_range {
	uint64_t gra, size, pci;	/* guest real address, bytes, PCI address */
	uint32_t space;			/* of a PCI address in the device tree: 1 I/O, 2 memory of 32 bits, 3 of 64 */
};
enum phb_space { PHB_IO, PHB_MEM32, PHB_MEM64, PHB_SPACES };
extern const struct phb_range phb_ranges[PHB_SPACES];

struct phb_lsi {
	uint32_t irq;			/* interrupt source */
};

/* Sources that a function has been given. */
struct phb_msi {
	uint32_t key;			/* devfn << 8 */
	uint32_t first, num;
};

struct phb_way {			/* behind an mmio_window */
	struct phb *phb;
	enum phb_space space;
};

struct phb {
	struct device dev;
	struct tce_window window[PHB_WINDOWS];
	struct phb_lsi lsi[PHB_LSIS];
	uint32_t irq_count[PHB_LSIS];	/* derived: functions that assert it */
	uint32_t msis;			/* that have sources */
	struct phb_msi msi[PHB_FUNCTIONS];
	struct mmio_window mmio[PHB_SPACES];
	struct phb_way way[PHB_SPACES];
};

extern const struct device_class phb_class;

struct phb *phb_find(const struct machine *m, uint64_t buid);	/* NULL: none */
void phb_fdt(struct device *dev, struct tree *t, int parent);
bool phb_slots(struct machine *m, struct error *err);	/* makes their connectors. False: err->msg is set */

/* ---- Interrupts ---- */

/* A function's pin, or whether it may use it, has changed. */
void phb_pins_changed(struct phb *phb);
/* Somebody has stored to the address that messages go to. */
void phb_message(struct phb *phb, uint32_t data);
#define PHB_MSI_ADDRESS UINT64_C(0x40000000000)
#define PHB_MSI_BYTES   4096u

/* What the function has been given; NULL: nothing. */
struct phb_msi *phb_msi_of(struct phb *phb, const struct pci_device *pci);
/* `num` sources instead of what it had; its MSI-X table names them. False: there are not so many. */
bool phb_msi_give(struct phb *phb, struct pci_device *pci, uint32_t num);
void phb_msi_take(struct phb *phb, struct phb_msi *msi);

/* ---- DMA windows ---- */

/* The open one that the address is in; NULL: none. */
struct tce_window *phb_window_at(struct phb *phb, uint64_t address);
void phb_windows_reset(struct phb *phb);

#endif

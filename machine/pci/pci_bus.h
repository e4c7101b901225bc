/* For the rest of this room: config space by offset, and what the bridge asks of functions. */
#ifndef MACHINE_PCI_PCI_BUS_H
#define MACHINE_PCI_PCI_BUS_H

#include "machine/pci/pci.h"

/* Offsets in config space, of header type 0. PCI Local Bus 3.0, 6.1. */
#define PCI_VENDOR        0x00
#define PCI_DEVICE        0x02
#define PCI_COMMAND       0x04
#define PCI_STATUS        0x06
#define PCI_REVISION      0x08
#define PCI_CLASS         0x09		/* three bytes */
#define PCI_CACHE_LINE    0x0c
#define PCI_HEADER_TYPE   0x0e
#define PCI_BAR_0         0x10
#define PCI_SUBSYSTEM_VENDOR 0x2c
#define PCI_SUBSYSTEM     0x2e
#define PCI_CAPABILITIES  0x34		/* offset of the first one */
#define PCI_LINE          0x3c
#define PCI_PIN           0x3d
#define PCI_MIN_GRANT     0x3e
#define PCI_MAX_LATENCY   0x3f
#define PCI_HEADER_BYTES  0x40u

#define PCI_COMMAND_IO     0x001u
#define PCI_COMMAND_MEMORY 0x002u
#define PCI_COMMAND_MASTER 0x004u
#define PCI_COMMAND_SERR   0x100u
#define PCI_COMMAND_NO_PIN 0x400u
#define PCI_STATUS_PIN     0x08u
#define PCI_STATUS_LIST    0x10u
#define PCI_STATUS_ERRORS  0xf900u
#define PCI_MULTIFUNCTION  0x80u
#define PCI_ID_MSIX        0x11

static inline unsigned pci_slot(const struct pci_device *pci) { return pci->devfn >> 3; }
static inline unsigned pci_function(const struct pci_device *pci) { return pci->devfn & 7u; }

/* A number of `size` bytes (4 at most) as it stands in config space, which is little-endian. */
uint32_t pci_number(const struct pci_device *pci, unsigned at, unsigned size);
void pci_set_number(struct pci_device *pci, unsigned at, unsigned size, uint32_t value);

bool pci_asserts(const struct pci_device *pci);	/* its pin's line */

/* The BAR in which all of an access at that PCI address lies, whose it is, and where in it. NULL: there is none. */
const struct pci_bar *pci_bar_at(const struct device *bridge, bool io, uint64_t at, unsigned size, struct pci_device **pci,
				 uint64_t *within);

/* msix.c. `n` of what the hypervisor writes into the table: the entry is unmasked. */
void msix_set_message(struct pci_device *pci, unsigned n, uint64_t address, uint32_t data);
void msix_reset(struct pci_device *pci);
void msix_changed(struct pci_device *pci);	/* its control word, by the guest */
void msix_catch_up(struct pci_device *pci);	/* sends what is pending and not masked any more */

#endif

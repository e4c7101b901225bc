/* PCI: functions on the bus of a spapr-pci-host-bridge. What a function does is its own file's; config space, BARs, MSI-X,
 * interrupt pins, DMA windows and the device tree's nodes are kept here for all.
 * Sources: PCI Local Bus 3.0; PAPR, "PCI Host Bridges", "Direct Memory Access"; addresses are QEMU's. */
#ifndef MACHINE_PCI_PCI_H
#define MACHINE_PCI_PCI_H

#include "machine/core/device.h"

#define PCI_CONFIG_BYTES         256u
#define PCI_EXPRESS_CONFIG_BYTES 4096u
#define PCI_BARS 6u
#define PCI_MAX_VECTORS 2048u

/* MEM64 and those behind it take two numbers; MEM64 and FETCH32 are prefetchable. */
enum pci_bar_kind { PCI_BAR_NONE, PCI_BAR_IO, PCI_BAR_MEM32, PCI_BAR_FETCH32, PCI_BAR_MEM64, PCI_BAR_PLAIN64 };

struct pci_device;

/* What lies behind a BAR; offset and size are within it, aligned, values little-endian numbers: see machine/core/mmio.h. */
struct pci_bar_ops {
	uint64_t (*load)(struct pci_device *pci, uint64_t offset, unsigned size);
	void (*store)(struct pci_device *pci, uint64_t offset, unsigned size, uint64_t value);
};

struct pci_bar {
	enum pci_bar_kind kind;
	uint64_t size;			/* a power of two; 0: there is none */
	const struct pci_bar_ops *ops;
	uint64_t at;			/* derived: where it is mapped, a PCI address; PCI_UNMAPPED: nowhere */
	unsigned part;			/* 1 + the number of the memory that it is (memory_add_part()); 0: it is none */
};
#define PCI_UNMAPPED UINT64_MAX

struct msix {
	uint8_t *table, *pending;	/* 16 bytes a vector; a bit a vector */
	uint32_t table_bytes, pending_bytes;
	uint32_t table_at, pending_at;	/* in the BAR */
	unsigned vectors, bar;
	uint8_t capability;		/* its offset in config space; 0: none */
};

/* First member of every PCI device. */
struct pci_device {
	struct device dev;
	uint8_t devfn;			/* slot << 3 | function */
	const char *addr;		/* property: "SLOT[.FUNCTION]" in hex; NULL: the first free slot */
	bool multifunction;
	const char *romfile;		/* these two: for who types them, as there is no ROM */
	uint32_t rombar;
	uint8_t config[PCI_CONFIG_BYTES], writable[PCI_CONFIG_BYTES], clear_by_one[PCI_CONFIG_BYTES];	/* masks of bits */
	struct pci_bar bar[PCI_BARS];
	struct msix msix;
	bool pin_high;			/* INTA is asserted */
	uint8_t capability_end;		/* where the next capability goes, if it does not say */
	/* After each store to config space, with what was changed. NULL: nothing to do. */
	void (*config_written)(struct pci_device *pci, unsigned at, unsigned size);
	/* Loads from config space of what lies behind a window there (virtio's); false: as it stands. NULL: no such. */
	bool (*config_load)(struct pci_device *pci, unsigned at, unsigned size, uint32_t *value);
};

extern const struct bus_class pci_bus;		/* its properties: addr, multifunction, romfile, rombar */
extern const struct vmstate pci_device_state;	/* QEMU's "PCIDevice": config space and pin. Of struct pci_device */
/* The same of a device that QEMU has for PCI Express as well: it has a config space of that size there, empty on this bus. */
extern const struct vmstate pci_express_state;
extern const struct vmstate msix_state;		/* the two tables' bytes. Of struct msix */

/* ---- In a device's init(). config is zero but for nothing ---- */

struct pci_id {
	uint16_t vendor, device, subsystem_vendor, subsystem;
	uint8_t revision;
	uint32_t class;			/* 24 bits */
	bool pin;			/* it has INTA */
};
void pci_identify(struct pci_device *pci, const struct pci_id *id);
void pci_add_bar(struct pci_device *pci, unsigned number, enum pci_bar_kind kind, uint64_t size, const struct pci_bar_ops *ops);
/* The same for one that is memory, which processors reach without asking; `ops` are for all others. Of 32 bits. NULL and err->msg
 * set: there is no room. */
uint8_t *pci_add_memory(struct pci_device *pci, unsigned number, uint64_t size, const struct pci_bar_ops *ops, struct error *err);
/* `bytes` with id and next pointer in front, at offset `at`; it becomes the list's first. Not writable. */
void pci_add_capability(struct pci_device *pci, uint8_t id, uint8_t at, unsigned bytes);
/* Table at offset 0 of a BAR of its own, pending bits at 0x800; capability at `at`. False: no memory. */
bool msix_init(struct pci_device *pci, unsigned vectors, unsigned bar, uint8_t at, struct error *err);
/* The same in a BAR of the device's own, at these offsets of it, whose ops ask msix_load() and msix_store() for what is theirs. */
struct msix_place { unsigned bar; uint32_t table_at, pending_at; };
bool msix_init_within(struct pci_device *pci, unsigned vectors, struct msix_place place, uint8_t at, struct error *err);
uint64_t msix_load(struct pci_device *pci, uint64_t offset, unsigned size);	/* 0: nothing of it is there */
void msix_store(struct pci_device *pci, uint64_t offset, unsigned size, uint64_t value);

/* In its free() and reset(), where it has one. */
void pci_device_free(struct pci_device *pci);
void pci_device_reset(struct pci_device *pci);	/* as after power-on: bus_class.reset does it for each, before its own */
/* After a load: BARs, pin and pending vectors. */
void pci_device_loaded(struct pci_device *pci);

/* ---- While it runs ---- */

bool msix_enabled(const struct pci_device *pci);
void msix_notify(struct pci_device *pci, unsigned vector);	/* masked: becomes pending. No such vector: nothing */
void pci_set_pin(struct pci_device *pci, bool high);
/* Whether an access to config space touches some of the `bytes` from `from` on. */
static inline bool pci_overlap(unsigned at, unsigned size, unsigned from, unsigned bytes)
{
	return at < from + bytes && from < at + size;
}

bool pci_is_master(const struct pci_device *pci);		/* command register: it may read and write memory */

/* Memory as the device sees it, through the bridge's TCEs. False: the range is not, or not so, mapped; nothing is done. */
bool pci_dma_read(struct pci_device *pci, uint64_t address, void *buf, uint64_t n);
bool pci_dma_write(struct pci_device *pci, uint64_t address, const void *buf, uint64_t n);

/* ---- For RTAS, hypercalls and firmware ---- */

struct pci_device *pci_find(const struct machine *m, uint64_t buid, unsigned bus, unsigned devfn);	/* NULL: none */
uint32_t pci_config_load(struct pci_device *pci, unsigned at, unsigned size);
void pci_config_store(struct pci_device *pci, unsigned at, unsigned size, uint32_t value);
/* Path of its node in the device tree. */
void pci_node_path(const struct pci_device *pci, char *buf, size_t size);

#endif

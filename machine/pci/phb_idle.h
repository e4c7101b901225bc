/* A PCI host bridge without devices, as another hypervisor's snapshot has it. cede has no PCI yet:
 * what a QEMU machine says of its empty bridge is kept, and given back when it is saved again. */
#ifndef MACHINE_PCI_PHB_IDLE_H
#define MACHINE_PCI_PHB_IDLE_H

#include <stdbool.h>
#include <stdint.h>

#include "machine/core/device.h"

#define PHB_WINDOWS     2
#define PHB_FIRST_LIOBN UINT32_C(0x80000000)
#define PHB_MAX_TCES    (UINT32_C(1) << 22)	/* entries of a window: 16 GiB in pages of 4 KiB */
#define PHB_LSIS        4

struct tce_window {
	uint32_t liobn, entries;
	uint64_t *tce;			/* page address or-ed with what is allowed: 1 read, 2 write */
	uint64_t bus_offset;
	uint32_t page_shift;
	bool bypass, is_default;
	bool there;			/* a snapshot had it */
};

struct phb_lsi {
	uint32_t irq;			/* interrupt source */
};

struct phb_idle {
	struct device dev;
	struct tce_window window[PHB_WINDOWS];
	struct phb_lsi lsi[PHB_LSIS];
	uint32_t irq_count[PHB_LSIS];
	bool phb_there, bus_there;
};

/* None of its sections is written unless it was loaded. */
extern const struct device_class phb_idle_class;

#endif

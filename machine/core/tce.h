/* DMA windows: tables of translation control entries (TCE) between a device's addresses and guest real memory, one for a
 * VIO device, up to two for a PCI host bridge, found by their logical I/O bus number (LIOBN).
 * PAPR, "Direct Memory Access" and H_PUT_TCE. */
#ifndef MACHINE_CORE_TCE_H
#define MACHINE_CORE_TCE_H

#include "machine/core/machine.h"
#include "savevm/vmstate.h"

#define TCE_MAX_ENTRIES (UINT32_C(1) << 22)
#define TCE_READ  UINT64_C(1)		/* the device may read memory */
#define TCE_WRITE UINT64_C(2)

struct tce_window {
	uint32_t liobn, entries;	/* entries 0: it is closed */
	uint64_t *tce;			/* page address or-ed with TCE_READ, TCE_WRITE */
	uint64_t bus_offset;		/* its first address */
	uint32_t page_shift;
	bool bypass;			/* addresses are guest real ones */
	bool is_default;
	uint32_t reset_entries;		/* that it has after a reset, from address 0 on in pages of 4 KiB; 0: it is closed then */
	struct tce_window *next;
};

void tce_register(struct machine *m, struct tce_window *window);	/* by its liobn; closed */
void tce_unregister(struct machine *m, struct tce_window *window);	/* closes it */
struct tce_window *tce_find(const struct machine *m, uint64_t liobn);	/* NULL: there is none */

/* All entries 0. False: no memory, or more than TCE_MAX_ENTRIES. */
bool tce_open(struct tce_window *w, uint64_t bus_offset, uint32_t page_shift, uint64_t entries);
void tce_close(struct tce_window *w);
/* As after a reset: `reset_entries`, all 0. False: no memory. Snapshots leave out a window that is so. */
bool tce_reset(struct tce_window *w);
void tce_clear(struct tce_window *w);

/* H_PUT_TCE, H_GET_TCE: false: no such entry. */
bool tce_put(struct tce_window *w, uint64_t ioba, uint64_t tce);
bool tce_get(const struct tce_window *w, uint64_t ioba, uint64_t *tce);

/* Memory as the device sees it. False: not all of it is mapped so, or lies in RAM; nothing is done. */
bool tce_dma_read(struct machine *m, const struct tce_window *w, uint64_t ioba, void *buf, uint64_t n);
bool tce_dma_write(struct machine *m, const struct tce_window *w, uint64_t ioba, const void *buf, uint64_t n);
bool tce_dma_ok(struct machine *m, const struct tce_window *w, uint64_t ioba, uint64_t n, uint64_t want);	/* TCE_READ, TCE_WRITE */

extern const struct vmstate tce_window_state;	/* QEMU's spapr_iommu. Of struct tce_window */

#endif

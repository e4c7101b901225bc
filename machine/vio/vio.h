/* The virtual I/O bus: devices that a guest reaches by hypercalls with a unit address.
 *
 * Unit addresses and interrupt sources are what a guest keeps in its memory, so they are
 * given by the order of creation and nothing else: 0x71000000 for the first -serial, then
 * the further ones, then the NVRAM.
 */
#ifndef MACHINE_VIO_VIO_H
#define MACHINE_VIO_VIO_H

#include "machine/core/device.h"
#include "machine/core/tce.h"

#define VIO_FIRST_REG  UINT32_C(0x71000000)
#define VIO_FIRST_IRQ  UINT32_C(0x1100)		/* or-ed with the low byte of the unit address */

#define VIO_WINDOW_ENTRIES UINT32_C(0x10000)	/* of 4 KiB: 256 MiB from 0 on */

struct vio_device;

/* What a device does with its command/response queue; crq.h. */
struct crq_user {
	void (*receive)(struct vio_device *vio, const uint8_t entry[16]);	/* from the guest; the queue is registered */
	void (*closed)(struct vio_device *vio);	/* by the guest, a quiesce or a reset: nothing is answered any more */
};

struct crq {
	uint64_t qladdr;		/* the ring, in the device's window */
	uint32_t qsize, qnext;		/* bytes; qsize 0: none is registered */
	const struct crq_user *user;	/* NULL: the device has no queue */
};

/* First member of every VIO device. */
struct vio_device {
	struct device dev;
	uint32_t reg;			/* unit address: node name@reg, property reg */
	uint32_t irq;			/* interrupt source, edge */
	uint64_t signal_state;		/* H_VIO_SIGNAL: 1 = interrupts enabled */
	struct crq crq;
	struct tce_window window;	/* its LIOBN is the unit address; of those that move data themselves */
	bool has_window;
};

struct vio_device *vio_find(const struct machine *m, uint64_t reg);	/* NULL: no such unit */
void vio_irq_pulse(struct vio_device *vio);

/* For a device that moves data itself: a DMA window, in its init(), and what a bus cannot know to free. False and
 * err->msg set. */
bool vio_window_new(struct vio_device *vio, struct error *err);
void vio_window_free(struct vio_device *vio);
/* Guest memory as the device sees it. False and nothing done: it is not mapped so. */
bool vio_dma_read(struct vio_device *vio, uint64_t ioba, void *buf, uint64_t n);
bool vio_dma_write(struct vio_device *vio, uint64_t ioba, const void *buf, uint64_t n);
bool vio_dma_ok(struct vio_device *vio, uint64_t ioba, uint64_t n, uint64_t want);	/* TCE_READ, TCE_WRITE: it is */
/* RTAS quiesce: windows are empty, nobody's queue is registered. */
void vio_quiesce(struct machine *m);
/* A row of device_class.sections: the window's, before the device's own. */
#define VIO_WINDOW_SECTION { .state = &tce_window_state, .object = vio_window_of, .instance = vio_window_instance }
void *vio_window_of(struct device *dev, struct spapr_cpu *const *cpu, unsigned i);
uint32_t vio_window_instance(const struct device *dev, unsigned i);

extern const struct device_class vio_bridge_class;
extern const struct bus_class vio_bus;
extern const struct vmstate vio_state;	/* of struct vio_device: a part of each device's */

#endif

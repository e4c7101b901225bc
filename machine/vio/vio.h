/* The virtual I/O bus: devices that a guest reaches by hypercalls with a unit address.
 *
 * Unit addresses and interrupt sources are what a guest keeps in its memory, so they are
 * given by the order of creation and nothing else: 0x71000000 for the first -serial, then
 * the further ones, then the NVRAM.
 */
#ifndef MACHINE_VIO_VIO_H
#define MACHINE_VIO_VIO_H

#include "machine/core/device.h"

#define VIO_FIRST_REG  UINT32_C(0x71000000)
#define VIO_FIRST_IRQ  UINT32_C(0x1100)		/* or-ed with the low byte of the unit address */

/* First member of every VIO device. */
struct vio_device {
	struct device dev;
	uint32_t reg;			/* unit address: node name@reg, property reg */
	uint32_t irq;			/* interrupt source, edge */
	uint64_t signal_state;		/* H_VIO_SIGNAL: 1 = interrupts enabled */
};

struct vio_device *vio_find(const struct machine *m, uint64_t reg);	/* NULL: no such unit */
void vio_irq_pulse(struct vio_device *vio);

extern const struct device_class vio_bridge_class;
extern const struct bus_class vio_bus;
extern const struct vmstate vio_state;	/* of struct vio_device: a part of each device's */

#endif

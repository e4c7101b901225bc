/* The virtual I/O bus: devices that a guest reaches by hypercalls with a unit address.
 *
 * Unit addresses and interrupt sources are what a guest keeps in its memory, so they are
 * given by the order of creation and nothing else: 0x71000000 for the first -serial, then
 * the further ones, then the NVRAM.
 */
#ifndef MACHINE_VIO_H
#define MACHINE_VIO_H

#include "machine/core/machine.h"
#include "savevm/vmstate.h"

#define VIO_FIRST_REG  UINT32_C(0x71000000)
#define VIO_FIRST_IRQ  UINT32_C(0x1100)		/* or-ed with the low byte of the unit address */

struct vio_device;

struct vio_class {
	const char *name;		/* of the node, without @unit */
	const char *device_type;	/* device_type property; NULL: none */
	const char *compatible;		/* compatible property; NULL: none */
	void (*reset)(struct vio_device *dev);
	void (*free)(struct vio_device *dev);
	/* Mixes all the guest can see of the device into the state hash. */
	uint64_t (*hash)(const struct vio_device *dev, uint64_t hash);
	const struct vmstate *state;	/* of the device's struct; its section is called after node and this */
	const struct vmstate *own_state;	/* what that has no place for: cede's section; NULL: nothing */
};

/* First member of every VIO device. */
struct vio_device {
	const struct vio_class *class;
	struct machine *machine;
	uint32_t reg;			/* unit address: node name@reg, property reg */
	uint32_t irq;			/* interrupt source, edge */
	uint64_t signal_state;		/* H_VIO_SIGNAL: 1 = interrupts enabled */
	struct vio_device *next;
};

struct vio {
	struct vio_device *devices;	/* in order of creation */
	uint32_t next_reg;
};

struct vio *vio_new(void);		/* NULL: out of memory */
void vio_free(struct vio *vio);		/* with all its devices */
void vio_reset(struct vio *vio);
/* Gives `dev` the next unit address and interrupt source. */
void vio_add(struct machine *m, struct vio_device *dev, const struct vio_class *class);
struct vio_device *vio_find(const struct machine *m, uint64_t reg);	/* NULL: no such unit */
void vio_irq_pulse(struct vio_device *dev);

extern const struct vmstate vio_state;	/* of struct vio_device: a part of each device's */

#endif

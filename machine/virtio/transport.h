/* What the files of this room know of each other: devices do not include it. */
#ifndef MACHINE_VIRTIO_TRANSPORT_H
#define MACHINE_VIRTIO_TRANSPORT_H

#include "machine/virtio/virtio.h"

#define VIRTIO_ISR_QUEUE  1u
#define VIRTIO_ISR_CONFIG 2u

/* ---- ring.c ---- */
struct virtqueue *ring_running(struct virtio_device *v, unsigned queue);	/* NULL: the driver has not set it up */
void ring_clear(struct virtqueue *q);
void ring_place_legacy(struct virtqueue *q, uint64_t desc);
void ring_resize(struct virtqueue *q, uint32_t size);	/* not a power of two, or too many: nothing */
/* After a load: what only the ring says. False: the device is broken. */
bool ring_recount(struct virtio_device *v, struct virtqueue *q);

/* ---- virtio.c: what a driver does through either interface ---- */
uint64_t virtio_offered(const struct virtio_device *v, bool modern);	/* features as an interface shows them */
void virtio_agree(struct virtio_device *v, uint64_t features);
void virtio_put_features(struct virtio_device *v, uint64_t features);	/* whatever they are */
void virtio_set_status(struct virtio_device *v, uint8_t status);
void virtio_kick(struct virtio_device *v, unsigned queue);
/* A store that makes a device look at its rings costs the guest a few cycles, whatever is in them. True: there has been
 * enough of that in this quantum, and the device looks again later. */
bool virtio_puts_off(struct virtio_device *v);
void virtio_set_disabled(struct virtio_device *v, bool disabled);
/* Of the configuration, as the device's struct has its bytes. All ones: it has no such bytes. */
uint64_t virtio_config_load(struct virtio_device *v, uint64_t at, unsigned size);
void virtio_config_store(struct virtio_device *v, uint64_t at, unsigned size, uint64_t value);

/* ---- virtio_pci.c ---- */
bool virtio_pci_init(struct virtio_device *v, uint16_t legacy_id, struct error *err);
void virtio_interrupt(struct virtio_device *v, uint16_t vector);	/* or the pin, after the ISR */

#endif

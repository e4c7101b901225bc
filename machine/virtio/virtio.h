/* Virtio devices over PCI, transitional or modern: queues in guest memory, features, configuration.
 *
 * A device is one file: a device_class whose struct begins with a struct virtio_device, and a struct virtio_class. Rings are
 * the guest's and hostile: whatever is wrong in one marks the device broken (DEVICE_NEEDS_RESET), as QEMU does, and the
 * guest has to reset it. Without iommu_platform addresses are guest real ones, beside all TCEs.
 * Source: Virtual I/O Device (VIRTIO) Version 1.1; QEMU's numbers, see virtio_pci.c. */
#ifndef MACHINE_VIRTIO_VIRTIO_H
#define MACHINE_VIRTIO_VIRTIO_H

#include "machine/pci/pci.h"

#define VIRTIO_QUEUES   1024u
#define VIRTIO_RING_MAX 1024u
#define VIRTIO_SEGMENTS 1024u		/* of one element */
#define VIRTIO_NO_VECTOR 0xffffu
#define VIRTIO_CONFIG_MAX 256u

struct virtio_device;

struct virtio_class {
	uint16_t type;			/* 2: block device.. */
	uint32_t pci_class;		/* 24 bits */
	uint64_t features;		/* its own ones; those of all devices are added */
	unsigned config_bytes;
	/* Fills v->config as after a reset, and whenever it is read: the device's present values. */
	void (*get_config)(struct virtio_device *v);
	void (*set_config)(struct virtio_device *v);	/* v->config has been written by the driver. NULL: read-only */
	void (*kicked)(struct virtio_device *v, unsigned queue);	/* the driver has put something there */
	void (*reset)(struct virtio_device *v);		/* by the driver, or with the machine. NULL */
	void (*status)(struct virtio_device *v, uint8_t before);	/* v->status has changed. NULL */
	unsigned no_msix;		/* 1: it has no vectors (balloon) */
};

struct virtqueue {
	uint16_t size, default_size;	/* 0: there is none */
	uint16_t vector;
	bool enabled;
	uint64_t desc, avail, used;	/* addresses */
	uint16_t last_avail, used_index;
	uint16_t signalled;
	bool signalled_valid;
	uint16_t in_flight;
};

/* First member of every virtio device's struct. */
struct virtio_device {
	struct pci_device pci;
	const struct virtio_class *class;
	uint64_t host_features, features;	/* offered, agreed on */
	uint8_t status, isr;
	uint8_t config_generation;
	uint16_t config_vector, queue_select;
	uint32_t feature_select, driver_feature_select, driver_features[2];
	uint8_t config[VIRTIO_CONFIG_MAX];
	struct virtqueue *queue;		/* VIRTIO_QUEUES of them */
	unsigned queues;			/* that have a size */
	bool broken;
	bool legacy;				/* the driver uses the legacy interface: rings in the guest's order */
	bool big_endian;			/* of rings: legacy and the guest was when it reset */
	bool disable_legacy, disable_modern;	/* properties; VIRTIO_PROPERTIES */
	uint32_t vectors;			/* property; UINT32_MAX: queues and one more */
};

struct virtio_segment { uint64_t address; uint32_t bytes; };

/* What the driver put into a queue: first what the device reads, then what it writes. */
struct virtio_element {
	uint16_t head;			/* its descriptor's number */
	uint16_t queue;
	uint16_t outs, ins;		/* segments of each */
	uint64_t out_bytes, in_bytes;
	struct virtio_segment segment[];	/* outs, then ins */
};

/* In a device's init(), after its queues are known. `legacy_id`: transitional PCI device id. False and err->msg set. */
bool virtio_init(struct virtio_device *v, const struct virtio_class *class, uint16_t legacy_id, struct error *err);
bool virtio_add_queue(struct virtio_device *v, uint16_t size);	/* before virtio_init() */
void virtio_free(struct virtio_device *v);
void virtio_reset(struct virtio_device *v);

/* The next element, allocated: free(). NULL: none, or the ring is broken and so is the device now. */
struct virtio_element *virtio_pop(struct virtio_device *v, unsigned queue);
/* Back to the driver, with `written` bytes of its `in` part; virtio_notify() tells it. */
void virtio_push(struct virtio_device *v, const struct virtio_element *e, uint32_t written);
void virtio_unpop(struct virtio_device *v, const struct virtio_element *e);	/* the last one was not taken */
void virtio_notify(struct virtio_device *v, unsigned queue);
void virtio_config_changed(struct virtio_device *v);
void virtio_break(struct virtio_device *v, const char *why);	/* -d guest_errors says it */
bool virtio_ready(const struct virtio_device *v);	/* the driver is there, nothing is broken */
static inline bool virtio_has(const struct virtio_device *v, unsigned bit) { return v->features >> bit & 1; }

/* Bytes of an element's parts. How many there were: fewer than n at its end. */
uint64_t virtio_take(struct virtio_device *v, const struct virtio_element *e, uint64_t at, void *buf, uint64_t n);	/* out */
uint64_t virtio_give(struct virtio_device *v, const struct virtio_element *e, uint64_t at, const void *buf, uint64_t n);	/* in */

/* Numbers in a device's structures: little-endian, or the guest's order if legacy. */
uint16_t virtio_u16(const struct virtio_device *v, uint16_t raw);
uint32_t virtio_u32(const struct virtio_device *v, uint32_t raw);
uint64_t virtio_u64(const struct virtio_device *v, uint64_t raw);

/* An element in a snapshot: where it is, not what is there. Of struct virtio_element * in a device's struct. */
extern const struct vmstate virtio_element_state;
extern const struct vmstate virtio_state;	/* QEMU's payload up to what is the device's own. Of struct virtio_device */

#define VIRTIO_PROPERTIES(type, member) \
	{ .name = "disable-legacy", .help = "no interface of virtio 0.9", .type = PROPERTY_BOOL, .settable = true, \
	  .offset = offsetof(type, member.disable_legacy) }, \
	{ .name = "disable-modern", .help = "no interface of virtio 1.0", .type = PROPERTY_BOOL, .settable = true, \
	  .offset = offsetof(type, member.disable_modern) }, \
	{ .name = "vectors", .help = "MSI-X vectors, if not as many as queues need", .type = PROPERTY_U32, .settable = true, \
	  .offset = offsetof(type, member.vectors), .value = UINT32_MAX }

#endif

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

/* Bits of features that all devices have. */
#define VIRTIO_F_NOTIFY_ON_EMPTY 24
#define VIRTIO_F_ANY_LAYOUT      27
#define VIRTIO_F_INDIRECT_DESC   28
#define VIRTIO_F_EVENT_IDX       29
#define VIRTIO_F_BAD_FEATURE     30	/* a driver that takes it has not looked */
#define VIRTIO_F_VERSION_1       32
#define VIRTIO_F_RING_RESET      40

/* Bits of status. */
#define VIRTIO_S_ACKNOWLEDGE 1u
#define VIRTIO_S_DRIVER      2u
#define VIRTIO_S_DRIVER_OK   4u
#define VIRTIO_S_FEATURES_OK 8u
#define VIRTIO_S_NEEDS_RESET 0x40u

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
	void (*agreed)(struct virtio_device *v);	/* v->features may have changed: which queues there are follows. NULL */
	/* The driver takes one queue back: what the device holds of it is forgotten. NULL: it holds nothing. */
	void (*queue_reset)(struct virtio_device *v, unsigned queue);
	unsigned no_msix;		/* 1: it has no vectors (balloon) */
};

struct virtqueue {
	uint32_t size, default_size;	/* 0: there is none */
	uint64_t desc, avail, used;	/* addresses; desc 0: it does not run */
	uint16_t last_avail, used_index;
	uint32_t has_vector;		/* 1: the device has MSI-X */
	uint16_t vector;
	uint16_t signalled;		/* used_index when the driver was last told; if `signalled_valid` */
	uint16_t in_flight;		/* elements that have been popped, not yet pushed */
	bool signalled_valid;
	/* As a driver of the modern interface has written it; in force once it enables the queue. Low word first. */
	bool enabled;
	uint16_t set_size;
	uint32_t set_desc[2], set_avail[2], set_used[2];
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
	uint32_t config_bytes;			/* the class's */
	struct virtqueue *queue;		/* VIRTIO_QUEUES of them */
	uint32_t queues;			/* that have a size: the first ones */
	uint32_t has_vector;			/* 1: there is MSI-X */
	bool broken;
	bool disabled;				/* the driver has taken its right to use memory away (bus master) */
	bool big_endian;			/* the guest was when it reset the device; see virtio_is_big() */
	bool disable_legacy, disable_modern;	/* properties; VIRTIO_PROPERTIES */
	uint32_t vectors;			/* property; UINT32_MAX: queues and one more */
	struct event later;			/* what did not fit into a quantum is looked for again */
};

struct virtio_segment {
	uint64_t address;
	uint32_t bytes;
};

/* What the driver put into a queue: first what the device reads, then what it writes. */
struct virtio_element {
	uint16_t head;			/* its descriptor's number */
	uint16_t queue;
	uint16_t outs, ins;		/* segments of each */
	uint64_t out_bytes, in_bytes;
	uint32_t segments;		/* outs + ins */
	struct virtio_segment *segment;	/* outs, then ins */
	struct virtio_element *next;	/* for who keeps several, and for snapshots */
};

/* In a device's init(), after its queues are known. `legacy_id`: transitional PCI device id. False and err->msg set. */
bool virtio_init(struct virtio_device *v, const struct virtio_class *class, uint16_t legacy_id, struct error *err);
bool virtio_add_queue(struct virtio_device *v, uint16_t size);	/* before virtio_init() */
/* In agreed(), for all that there may be, in order: queue number `at` has that size, a change of which clears it; 0: there is none. */
void virtio_lay_queue(struct virtio_device *v, unsigned at, uint16_t size);
void virtio_free(struct virtio_device *v);
void virtio_reset(struct virtio_device *v);	/* with the machine */
/* After a load; `foreign`: what QEMU does not save is taken from the rings. */
void virtio_loaded(struct virtio_device *v, bool foreign);
void virtio_take_again(struct virtio_device *v);	/* what is in flight then is in the rings once more */
/* The same as functions of a device_class, for devices that have no more to do. */
void virtio_device_free(struct device *dev);
void virtio_device_reset(struct device *dev);
void virtio_device_loaded(struct device *dev, bool foreign);
bool virtio_device_qemu_ready(const struct device *dev);	/* not while a queue is to be looked at later: QEMU would not */

/* The next element: virtio_element_free(). NULL: none, or the ring is broken and so is the device now, or the guest has made
 * the host work enough in this quantum: then the device is told of its queues again at the quantum's end. */
struct virtio_element *virtio_pop(struct virtio_device *v, unsigned queue);
/* For who has had enough of its own accord: all queues are served again a quantum from now. */
void virtio_look_later(struct virtio_device *v);
/* However much that was: for what would be lost without an element now. */
struct virtio_element *virtio_pop_now(struct virtio_device *v, unsigned queue);
/* Back to the driver, with `written` bytes of its `in` part; virtio_notify() tells it. */
void virtio_push(struct virtio_device *v, const struct virtio_element *e, uint32_t written);
void virtio_unpop(struct virtio_device *v, const struct virtio_element *e);	/* the last one was not taken */
void virtio_watch(struct virtio_device *v, unsigned queue);	/* those that wait are not enough: the driver is to tell of more */
void virtio_element_free(struct virtio_element *e);	/* NULL: nothing */
bool virtio_waiting(struct virtio_device *v, unsigned queue);	/* there is one to pop */
void virtio_notify(struct virtio_device *v, unsigned queue);
void virtio_config_changed(struct virtio_device *v);
void virtio_break(struct virtio_device *v, const char *why);	/* -d guest_errors says it */
bool virtio_ready(const struct virtio_device *v);	/* the driver is there, nothing is broken */
static inline bool virtio_has(const struct virtio_device *v, unsigned bit) { return v->features >> bit & 1; }

/* Bytes of an element's parts. How many there were: fewer than n at its end; none while the driver has taken the device's
 * right to use memory away. */
uint64_t virtio_take(struct virtio_device *v, const struct virtio_element *e, uint64_t at, void *buf, uint64_t n);	/* out */
uint64_t virtio_give(struct virtio_device *v, const struct virtio_element *e, uint64_t at, const void *buf, uint64_t n);	/* in */

/* Numbers in a device's structures: little-endian, or the guest's order if the driver is a legacy one. */
static inline bool virtio_is_big(const struct virtio_device *v) { return v->big_endian && !virtio_has(v, VIRTIO_F_VERSION_1); }
uint16_t virtio_u16(const struct virtio_device *v, uint16_t raw);
uint32_t virtio_u32(const struct virtio_device *v, uint32_t raw);
uint64_t virtio_u64(const struct virtio_device *v, uint64_t raw);
/* Into the configuration. */
void virtio_put_u16(struct virtio_device *v, unsigned at, uint16_t value);
void virtio_put_u32(struct virtio_device *v, unsigned at, uint32_t value);
void virtio_put_u64(struct virtio_device *v, unsigned at, uint64_t value);

/* ---- Snapshots. QEMU's section of a device is one field of bytes, and in it what is described so, v being its member:
 *
 *   static const struct vmstate X_payload_state = { .name = "virtio-X/payload", ..,
 *           .fields = VMS_FIELDS(VIRTIO_HEAD(struct X, v), rows of its own, VIRTIO_TAIL) };
 *   static const struct vmstate X_state = { .name = "virtio-X", ..,
 *           .fields = VMS_FIELDS(VIRTIO_PAYLOAD(X_payload_state)) };
 *   static const struct vmstate X_own_state = { .name = "cede/virtio-X", ..,
 *           .fields = VMS_FIELDS(VIRTIO_OWN, rows of its own) };
 */
extern const struct vmstate virtio_head_state, virtio_tail_state, virtio_own_state;

#define VIRTIO_PAYLOAD(description) VMS_OPAQUE("virtio", description)
#define VIRTIO_HEAD(S, v) VMS_STRUCT("head", S, v, struct virtio_device, virtio_head_state)
#define VIRTIO_TAIL VMS_PART("tail", virtio_tail_state)
#define VIRTIO_OWN  VMS_PART("virtio", virtio_own_state)

/* Elements that a device keeps, a list of at most n from a member on: one, or more that `next` links. */
extern const struct vmstate virtio_element_state;
#define VIRTIO_ELEMENTS(label, S, f, n) VMS_LIST(label, S, f, struct virtio_element, next, n, virtio_element_state)

/* ---- Options ---- */

#define VIRTIO_PROPERTIES(S, v) \
	{ .name = "disable-legacy", .help = "no interface of virtio 0.9", .type = PROPERTY_BOOL, .settable = true, \
	  .offset = offsetof(S, v.disable_legacy) }, \
	{ .name = "disable-modern", .help = "no interface of virtio 1.0", .type = PROPERTY_BOOL, .settable = true, \
	  .offset = offsetof(S, v.disable_modern) }, \
	{ .name = "vectors", .help = "MSI-X vectors, if not as many as queues need", .type = PROPERTY_U32, .settable = true, \
	  .offset = offsetof(S, v.vectors), .value = UINT32_MAX }

#endif

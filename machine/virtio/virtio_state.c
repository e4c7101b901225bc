/* Virtio devices in snapshots. QEMU writes such a device by hand, so that its section is one field of bytes:
 *
 *   head   configuration space, MSI-X, status, configuration, queues
 *          then what is the device's own
 *   tail   subsections: what a transitional or modern device has beyond virtio 0.9
 *
 * Of a ring QEMU saves no more than where it is and how far the device has read; cede's own section has the rest. */
#include <stddef.h>

#include "machine/virtio/transport.h"

/* A pointer to so many elements always; its bytes in the struct are another row's. */
#define ALL_QUEUES(label, description) \
	{ .name = label, .kind = VMS_NESTED, .offset = offsetof(struct virtio_device, queue), \
	  .stride = sizeof(struct virtqueue), .count = VIRTIO_QUEUES, .pointer = true, .state = &description }
/* There, if the device has vectors. */
#define VECTOR_ROW(S, f) VMS_ROW(#f, VMS_VALUE, S, f, f, uint16_t, 1, .codec = &vms_u16, VMS_COUNTED(S, has_vector))

#define NO_FIELDS ((const struct vms_field[]){ { .kind = VMS_END } })

/* ---- Head ---- */

/* As a driver of the legacy interface has placed it; a modern one's addresses follow in the tail. */
static bool queue_loaded(void *s, uint32_t version, struct vms_walk *w)
{
	struct virtqueue *q = s;

	(void)version;
	(void)w;
	if (q->desc)
		ring_place_legacy(q, q->desc);
	return true;
}

static bool queue_check(const void *s, struct vms_walk *w)
{
	const struct virtqueue *q = s;

	return (!q->size == !q->default_size && q->size <= VIRTIO_RING_MAX) ||
	       vms_wrong(w, "num", q->size, "a size that this queue can have");
}

static const struct vmstate queue_state = {
	.name = "virtio/queue", .version = 1, .min_version = 1, VMS_OF(struct virtqueue), .check = queue_check,
	.post_load = queue_loaded,
	.fields = VMS_FIELDS(
		VMS_U32_AS("num", struct virtqueue, size),
		VMS_U64(struct virtqueue, desc),
		VMS_U16(struct virtqueue, last_avail),
		VECTOR_ROW(struct virtqueue, vector)),
};

static uint64_t low_get(const void *s, unsigned i)
{
	(void)i;
	return (uint32_t)((const struct virtio_device *)s)->features;
}

static bool low_put(void *s, unsigned i, uint64_t value)
{
	(void)i;
	virtio_put_features(s, value);
	return true;
}

static void settle_config(void *s)
{
	struct virtio_device *v = s;

	if (v->class && v->class->get_config)
		v->class->get_config(v);
}

static bool head_loaded(void *s, uint32_t version, struct vms_walk *w)
{
	struct virtio_device *v = s;

	(void)version;
	(void)w;
	v->config_bytes = v->class->config_bytes;
	return true;
}

const struct vmstate virtio_head_state = {
	.name = "virtio/head", .version = 1, .min_version = 1, VMS_OF(struct virtio_device), .pre_save = settle_config,
	.post_load = head_loaded,
	.fields = VMS_FIELDS(
		VMS_STRUCT("pci", struct virtio_device, pci, struct pci_device, pci_device_state),
		/* Whose struct is the PCI function's, and so a byte of another row's. */
		{ .name = "msix", .kind = VMS_NESTED, .offset = offsetof(struct virtio_device, pci.msix),
		  .stride = sizeof(struct msix), .count = 1, .state = &msix_state },
		VECTOR_ROW(struct virtio_device, config_vector),
		VMS_U8(struct virtio_device, status),
		VMS_U8(struct virtio_device, isr),
		VMS_U16(struct virtio_device, queue_select, VMS_MOST(VIRTIO_QUEUES - 1)),
		VMS_CALC("features, low", vms_u32, low_get, low_put),
		VMS_U32_TO(struct virtio_device, config_bytes, VIRTIO_CONFIG_MAX),
		VMS_COUNTED_BUFFER("config", struct virtio_device, config, config_bytes),
		VMS_U32(struct virtio_device, queues, VMS_SAME),
		VMS_POINTED_STRUCTS("queue", struct virtio_device, queue, struct virtqueue, queues, VIRTIO_QUEUES, queue_state)),
};

/* ---- Tail ---- */

static bool has_modern(const void *s) { return !((const struct virtio_device *)s)->disable_modern; }
static bool is_broken(const void *s) { return ((const struct virtio_device *)s)->broken; }
static bool is_disabled(const void *s) { return ((const struct virtio_device *)s)->disabled; }
static bool is_started(const void *s) { return ((const struct virtio_device *)s)->status & VIRTIO_S_DRIVER_OK; }

/* What is not sent: little-endian for a modern driver, big-endian for a legacy one. */
static bool endian_default(const struct virtio_device *v) { return !virtio_has(v, VIRTIO_F_VERSION_1); }

static bool endian_needed(const void *s)
{
	const struct virtio_device *v = s;

	return v->big_endian != endian_default(v);
}

static void endian_absent(void *s)
{
	struct virtio_device *v = s;

	v->big_endian = endian_default(v);
}

static uint64_t endian_get(const void *s, unsigned i)
{
	(void)i;
	return ((const struct virtio_device *)s)->big_endian ? 2 : 1;
}

static bool endian_put(void *s, unsigned i, uint64_t value)
{
	(void)i;
	((struct virtio_device *)s)->big_endian = value == 2;
	return value == 1 || value == 2;
}

static const struct vmstate endian_state = {
	.name = "virtio/device_endian", .version = 1, .min_version = 1, VMS_OF(struct virtio_device),
	.needed = endian_needed, .absent = endian_absent,
	.fields = VMS_FIELDS(
		VMS_CALC("device_endian", vms_u8, endian_get, endian_put),
		VMS_CARRIED(struct virtio_device, big_endian, "device_endian")),
};

static const struct vmstate features_state = {
	.name = "virtio/64bit_features", .version = 1, .min_version = 1, VMS_OF(struct virtio_device), .needed = has_modern,
	.fields = VMS_FIELDS(VMS_U64_AS("guest_features", struct virtio_device, features)),
};

static const struct vmstate queue_place_state = {
	.name = "virtqueue_state", .version = 1, .min_version = 1, VMS_OF(struct virtqueue),
	.fields = VMS_FIELDS(VMS_U64(struct virtqueue, avail), VMS_U64(struct virtqueue, used)),
};

static const struct vmstate queues_state = {
	.name = "virtio/virtqueues", .version = 1, .min_version = 1, VMS_OF(struct virtio_device), .needed = has_modern,
	.fields = VMS_FIELDS(ALL_QUEUES("vq", queue_place_state)),
};

static bool any_resized(const void *s)
{
	const struct virtio_device *v = s;

	for (unsigned i = 0; i < v->queues; i++)
		if (v->queue[i].size != v->queue[i].default_size)
			return true;
	return false;
}

static const struct vmstate queue_default_state = {
	.name = "ringsize_state", .version = 1, .min_version = 1, VMS_OF(struct virtqueue),
	.fields = VMS_FIELDS(VMS_U32_AS("num_default", struct virtqueue, default_size, VMS_SAME)),
};

static const struct vmstate sizes_state = {
	.name = "virtio/ringsize", .version = 1, .min_version = 1, VMS_OF(struct virtio_device), .needed = any_resized,
	.fields = VMS_FIELDS(ALL_QUEUES("vq", queue_default_state)),
};

static const struct vmstate broken_state = {
	.name = "virtio/broken", .version = 1, .min_version = 1, VMS_OF(struct virtio_device), .needed = is_broken,
	.fields = VMS_FIELDS(VMS_BOOL(struct virtio_device, broken)),
};

static const struct vmstate queue_set_state = {
	.name = "virtio_pci/modern_queue_state", .version = 1, .min_version = 1, VMS_OF(struct virtqueue),
	.fields = VMS_FIELDS(
		VMS_U16_AS("num", struct virtqueue, set_size),
		VMS_UNUSED("unused", 1),
		VMS_BOOL(struct virtqueue, enabled),
		VMS_U32_ARRAY(struct virtqueue, set_desc),
		VMS_U32_ARRAY(struct virtqueue, set_avail),
		VMS_U32_ARRAY(struct virtqueue, set_used)),
};

static const struct vmstate modern_state = {
	.name = "virtio_pci/modern_state", .version = 1, .min_version = 1, VMS_OF(struct virtio_device), .needed = has_modern,
	.fields = VMS_FIELDS(
		VMS_U32_AS("dfselect", struct virtio_device, feature_select),
		VMS_U32_AS("gfselect", struct virtio_device, driver_feature_select),
		VMS_U32_ARRAY(struct virtio_device, driver_features),
		ALL_QUEUES("vqs", queue_set_state)),
};

static const struct vmstate pci_state = {
	.name = "virtio_pci", .version = 1, .min_version = 1, VMS_OF(struct virtio_device), .fields = NO_FIELDS,
	.subs = VMS_SUBS(&modern_state),
};

static const struct vmstate extra_state = {
	.name = "virtio/extra_state", .version = 1, .min_version = 1, VMS_OF(struct virtio_device),
	.fields = VMS_FIELDS(VMS_PART("extra_state", pci_state)),
};

static const struct vmstate started_state = {
	.name = "virtio/started", .version = 1, .min_version = 1, VMS_OF(struct virtio_device), .needed = is_started,
	.fields = VMS_FIELDS(VMS_CONSTANT("started", vms_u8, 1)),
};

static const struct vmstate disabled_state = {
	.name = "virtio/disabled", .version = 1, .min_version = 1, VMS_OF(struct virtio_device), .needed = is_disabled,
	.fields = VMS_FIELDS(VMS_BOOL(struct virtio_device, disabled)),
};

static bool vector_ok(const struct virtio_device *v, uint16_t vector)
{
	return vector == VIRTIO_NO_VECTOR || vector < v->pci.msix.vectors;
}

static bool tail_check(const void *s, struct vms_walk *w)
{
	const struct virtio_device *v = s;

	if (v->features & ~v->host_features)
		return vms_wrong(w, "features", v->features, "some of 0x%llx", (unsigned long long)v->host_features);
	if (!vector_ok(v, v->config_vector))
		return vms_wrong(w, "config_vector", v->config_vector, "one of %u vectors", v->pci.msix.vectors);
	for (unsigned i = 0; i < v->queues; i++)
		if (!vector_ok(v, v->queue[i].vector))
			return vms_wrong(w, "vector", v->queue[i].vector, "one of %u vectors", v->pci.msix.vectors);
	return true;
}

const struct vmstate virtio_tail_state = {
	.name = "virtio", .version = 1, .min_version = 1, VMS_OF(struct virtio_device), .fields = NO_FIELDS, .check = tail_check,
	.subs = VMS_SUBS(&endian_state, &features_state, &queues_state, &sizes_state, &broken_state, &extra_state, &started_state,
			 &disabled_state),
};

/* ---- cede's own ---- */

/* A used index that ran ahead would let a ring that overlaps itself beget elements for ever. */
static bool queue_own_check(const void *s, struct vms_walk *w)
{
	const struct virtqueue *q = s;

	if (q->in_flight > q->size)
		return vms_wrong(w, "in_flight", q->in_flight, "at most %u", (unsigned)q->size);
	return (uint16_t)(q->last_avail - q->used_index) == q->in_flight ||
	       vms_wrong(w, "used_index", q->used_index, "in_flight (%u) before last_avail (%u)", q->in_flight, q->last_avail);
}

static const struct vmstate queue_own_state = {
	.name = "cede/virtqueue", .version = 1, .min_version = 1, VMS_OF(struct virtqueue), .check = queue_own_check,
	.fields = VMS_FIELDS(
		VMS_U16(struct virtqueue, used_index),
		VMS_U16(struct virtqueue, in_flight),
		VMS_U16(struct virtqueue, signalled),
		VMS_BOOL(struct virtqueue, signalled_valid),
		VMS_SKIP(struct virtqueue, has_vector, "as all of the device")),
};

const struct vmstate virtio_own_state = {
	.name = "cede/virtio", .version = 1, .min_version = 1, VMS_OF(struct virtio_device),
	.fields = VMS_FIELDS(
		VMS_U8(struct virtio_device, config_generation),
		{ .name = "queue", .kind = VMS_NESTED, .offset = offsetof(struct virtio_device, queue),
		  .stride = sizeof(struct virtqueue), .count = VIRTIO_QUEUES, .pointer = true, .state = &queue_own_state,
		  VMS_COUNTED(struct virtio_device, queues) },
		VMS_SKIP(struct virtio_device, class, "what it is"),
		VMS_SKIP(struct virtio_device, host_features, "what it is, and its options"),
		VMS_SKIP(struct virtio_device, has_vector, "an option, and what it is"),
		VMS_SKIP(struct virtio_device, disable_legacy, "an option"),
		VMS_SKIP(struct virtio_device, disable_modern, "an option"),
		VMS_SKIP(struct virtio_device, vectors, "an option"),
		VMS_ELSEWHERE(struct virtio_device, later, "cede/timers")),
};

/* ---- Elements ---- */

static bool element_check(const void *s, struct vms_walk *w)
{
	const struct virtio_element *e = s;
	uint64_t bytes[2] = { 0, 0 };

	if (e->outs + (uint32_t)e->ins != e->segments)
		return vms_wrong(w, "segments", e->segments, "as many as there are");
	for (uint32_t i = 0; i < e->segments; i++)
		bytes[i >= e->outs] += e->segment[i].bytes;
	return (bytes[0] == e->out_bytes && bytes[1] == e->in_bytes) || vms_wrong(w, "in_bytes", e->in_bytes, "the sum of its parts");
}

static const struct vmstate segment_state = {
	.name = "cede/virtio/segment", .version = 1, .min_version = 1, VMS_OF(struct virtio_segment),
	.fields = VMS_FIELDS(VMS_U64(struct virtio_segment, address), VMS_U32(struct virtio_segment, bytes)),
};

const struct vmstate virtio_element_state = {
	.name = "cede/virtio/element", .version = 1, .min_version = 1, VMS_OF(struct virtio_element), .check = element_check,
	.fields = VMS_FIELDS(
		VMS_U16(struct virtio_element, head),
		VMS_U16(struct virtio_element, queue),
		VMS_U16(struct virtio_element, outs),
		VMS_U16(struct virtio_element, ins),
		VMS_U64(struct virtio_element, out_bytes),
		VMS_U64(struct virtio_element, in_bytes),
		VMS_U32(struct virtio_element, segments),
		VMS_POINTED("segment", VMS_NESTED, struct virtio_element, segment, struct virtio_segment, segments, VIRTIO_SEGMENTS,
			    .state = &segment_state, .allocated = true),
		VMS_SKIP(struct virtio_element, next, "its place in the list")),
};

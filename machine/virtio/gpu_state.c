/* virtio-gpu-pci in snapshots: QEMU's section for the transport, the pictures in one of cede's. */
#include <stdlib.h>

#include "machine/virtio/gpu.h"

static const struct vmstate payload_state = {
	.name = "virtio-gpu/payload", .version = 1, .min_version = 1, VMS_OF(struct gpu),
	.fields = VMS_FIELDS(VIRTIO_HEAD(struct gpu, v), VIRTIO_TAIL),
};

const struct vmstate gpu_state = {
	.name = "virtio-gpu", .version = 1, .min_version = 1, VMS_OF(struct gpu), .fields = VMS_FIELDS(VIRTIO_PAYLOAD(payload_state)),
};

static bool resource_check(const void *s, struct vms_walk *w)
{
	const struct gpu_resource *r = s;

	if (!gpu_format_known(r->format))
		return vms_wrong(w, "format", r->format, "one that there is");
	if (r->width > GPU_SIDE || r->height > GPU_SIDE)
		return vms_wrong(w, "width", r->width, "%u at most, as the height", GPU_SIDE);
	if (!r->image_bytes || UINT64_C(1) * r->width * r->height != r->image_bytes / 4 || r->image_bytes % 4)
		return vms_wrong(w, "image_bytes", r->image_bytes, "4 for each of its pixels");
	return !(r->backing_words % 2) || vms_wrong(w, "backing_words", r->backing_words, "two for each segment");
}

static void resource_drop(void *s)
{
	struct gpu_resource *r = s;

	free(r->image);
	free(r->backing);
	r->image = NULL;
	r->backing = NULL;
}

static const struct vmstate resource_state = {
	.name = "cede/virtio-gpu/resource", .version = 1, .min_version = 1, VMS_OF(struct gpu_resource), .check = resource_check,
	.drop = resource_drop,
	.fields = VMS_FIELDS(
		VMS_U32(struct gpu_resource, id), VMS_U32(struct gpu_resource, width), VMS_U32(struct gpu_resource, height),
		VMS_U32(struct gpu_resource, format),
		VMS_U32_TO(struct gpu_resource, image_bytes, GPU_MEMORY),
		VMS_ALLOCATED_BUFFER("image", struct gpu_resource, image, image_bytes, GPU_MEMORY),
		VMS_U32_TO(struct gpu_resource, backing_words, 2 * GPU_SEGMENTS),
		VMS_ALLOCATED_ARRAY("backing", struct gpu_resource, backing, backing_words, 2 * GPU_SEGMENTS, uint64_t, vms_u64),
		VMS_SKIP(struct gpu_resource, next, "its place in the list")),
};

/* What is shown lies in what there is. */
static bool gpu_check(const void *s, struct vms_walk *w)
{
	const struct gpu *g = s;
	const struct gpu_resource *shown = gpu_find(g, g->shown);
	uint64_t bytes = 0;

	for (const struct gpu_resource *r = g->first; r; r = r->next) {
		bytes += r->image_bytes;
		if (!r->id || gpu_find(g, r->id) != r)
			return vms_wrong(w, "id", r->id, "one that no other has");
	}
	if (bytes > GPU_MEMORY)
		return vms_wrong(w, "image_bytes", bytes, "0x%llx in all", (unsigned long long)GPU_MEMORY);
	if (!g->shown)
		return true;
	if (!shown || !g->width || !g->height || g->width > SCREEN_MOST || g->height > SCREEN_MOST || g->x > shown->width ||
	    g->width > shown->width - g->x || g->y > shown->height || g->height > shown->height - g->y)
		return vms_wrong(w, "shown", g->shown, "a resource that has that part");
	return true;
}

const struct vmstate gpu_own_state = {
	.name = "cede/virtio-gpu", .version = 1, .min_version = 1, VMS_OF(struct gpu), .check = gpu_check,
	.fields = VMS_FIELDS(
		VIRTIO_OWN,
		VMS_LIST("resources", struct gpu, first, struct gpu_resource, next, GPU_RESOURCES, resource_state),
		VMS_U32(struct gpu, shown), VMS_U32(struct gpu, x), VMS_U32(struct gpu, y), VMS_U32(struct gpu, width), VMS_U32(struct gpu, height),
		VMS_U32(struct gpu, cursor_shown), VMS_U32(struct gpu, cursor_hot_x), VMS_U32(struct gpu, cursor_hot_y),
		VMS_U32(struct gpu, cursor_x), VMS_U32(struct gpu, cursor_y), VMS_BUFFER(struct gpu, cursor),
		VMS_SKIP(struct gpu, screen, "follows from what is shown"), VMS_SKIP(struct gpu, stale, "who looks at it"),
		VMS_SKIP(struct gpu, edid_bytes, "options"), VMS_SKIP(struct gpu, xres, "an option"), VMS_SKIP(struct gpu, yres, "an option"),
		VMS_SKIP(struct gpu, edid, "an option")),
};

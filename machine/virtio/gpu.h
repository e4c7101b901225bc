/* virtio-gpu-pci: what its files share. gpu.c is the device, gpu_picture.c what it shows, gpu_state.c how it is saved. */
#ifndef MACHINE_VIRTIO_GPU_H
#define MACHINE_VIRTIO_GPU_H

#include "machine/core/screen.h"
#include "machine/screen/edid.h"
#include "machine/virtio/virtio.h"

#define GPU_RESOURCES 1024u		/* at a time */
#define GPU_MEMORY    (UINT64_C(256) << 20)	/* of all of them */
#define GPU_SEGMENTS  16384u		/* of the guest memory behind one */
#define GPU_SIDE      16384u		/* columns, and rows, of one */
#define GPU_CURSOR    64u		/* columns, and rows */

/* Channels of a pixel, as bytes in memory, one letter each. */
enum gpu_format { GPU_BGRA = 1, GPU_BGRX = 2, GPU_ARGB = 3, GPU_XRGB = 4, GPU_RGBA = 67, GPU_XBGR = 68, GPU_ABGR = 121, GPU_RGBX = 134 };

struct gpu_resource {
	uint32_t id, width, height, format;
	uint32_t image_bytes;		/* 4 a pixel */
	uint8_t *image;
	uint32_t backing_words;		/* two a segment: address, bytes */
	uint64_t *backing;
	struct gpu_resource *next;
};

struct gpu {
	struct virtio_device v;
	struct screen screen;
	uint32_t xres, yres;		/* properties */
	bool edid;
	struct gpu_resource *first;
	uint32_t shown;			/* id of what is on the display, 0: nothing; and which part of it */
	uint32_t x, y, width, height;
	uint32_t cursor_shown, cursor_hot_x, cursor_hot_y, cursor_x, cursor_y;	/* likewise */
	uint8_t cursor[4 * GPU_CURSOR * GPU_CURSOR];	/* as B, G, R, A */
	uint8_t edid_bytes[EDID_BYTES];
	uint64_t stale[SCREEN_MOST / 64];	/* a bit for each row that has another look than when somebody last asked */
};

/* ---- gpu_picture.c ---- */
bool gpu_format_known(uint32_t format);
void gpu_picture_init(struct gpu *g);
void gpu_show(struct gpu *g);		/* `shown` or its part is another one */
void gpu_mark(struct gpu *g, uint32_t y, uint32_t rows);	/* of what is shown */
void gpu_mark_cursor(struct gpu *g);
void gpu_take_cursor(struct gpu *g, const struct gpu_resource *r);	/* its image, of GPU_CURSOR squared */

/* ---- gpu.c ---- */
struct gpu_resource *gpu_find(const struct gpu *g, uint32_t id);	/* NULL: none */
void gpu_forget_all(struct gpu *g);

/* ---- gpu_state.c ---- */
extern const struct vmstate gpu_state, gpu_own_state;

#endif

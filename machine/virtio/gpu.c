/* virtio-gpu-pci: a screen whose pictures the guest sends, in two dimensions.
 *
 * A driver makes resources, images of the host's, puts its own memory behind them, copies rectangles from there, says which
 * resource is on the display, and when that is to be seen. What it may keep here is bounded: GPU_RESOURCES, GPU_MEMORY.
 * Source: Virtual I/O Device (VIRTIO) Version 1.1, "GPU Device"; numbers are QEMU's. */
#include "machine/virtio/gpu.h"

#include <stdlib.h>
#include <string.h>

#include "machine/core/memory.h"

#define CONTROL 0
#define CURSOR  1
#define CONTROL_SIZE 64
#define CURSOR_SIZE  16

#define F_EDID 1
/* The configuration. */
#define EVENTS_READ  0
#define EVENTS_CLEAR 4
#define SCANOUTS     8
#define CONFIG_BYTES 16

enum { GET_DISPLAY_INFO = 0x100, CREATE_2D, UNREF, SET_SCANOUT, FLUSH, TRANSFER_TO_HOST, ATTACH_BACKING, DETACH_BACKING, GET_CAPSET_INFO,
       GET_CAPSET, GET_EDID, UPDATE_CURSOR = 0x300, MOVE_CURSOR };
enum { OK_NO_DATA = 0x1100, OK_DISPLAY_INFO, OK_EDID = 0x1104, ERROR_OTHER = 0x1200, ERROR_MEMORY, ERROR_SCANOUT, ERROR_RESOURCE, ERROR_CONTEXT,
       ERROR_PARAMETER };
#define FENCE 1u			/* a flag: the answer has the number */

#define HEAD_BYTES 24			/* type, flags, fence, context, padding */
#define MOST_WORDS 8			/* behind it, of a command that is read as a whole */
#define DISPLAYS 16			/* that an answer has room for: there is one */
#define EDID_ROOM 1024
#define SMALLEST 16u			/* columns, and rows, of what is shown */

struct head { uint32_t type, flags; uint64_t fence; uint32_t context, padding; };
_Static_assert(sizeof(struct head) == HEAD_BYTES, "as the driver has it");

struct rectangle { uint32_t x, y, width, height; };

static struct gpu *gpu_of(struct device *dev) { return (struct gpu *)dev; }
static struct machine *machine_of(const struct gpu *g) { return g->v.pci.dev.machine; }

/* ---- Resources ---- */

struct gpu_resource *gpu_find(const struct gpu *g, uint32_t id)
{
	struct gpu_resource *r = id ? g->first : NULL;

	while (r && r->id != id)
		r = r->next;
	return r;
}

static void free_resource(struct gpu_resource *r)
{
	free(r->image);
	free(r->backing);
	free(r);
}

void gpu_forget_all(struct gpu *g)
{
	while (g->first) {
		struct gpu_resource *r = g->first;

		g->first = r->next;
		free_resource(r);
	}
}

static bool has_room(const struct gpu *g, uint64_t bytes)
{
	unsigned n = 1;

	for (const struct gpu_resource *r = g->first; r; r = r->next, n++)
		bytes += r->image_bytes;
	return n <= GPU_RESOURCES && bytes <= GPU_MEMORY;
}

static uint32_t create(struct gpu *g, const uint32_t *w)
{
	uint32_t id = w[0], format = w[1], width = w[2], height = w[3];
	uint64_t bytes = UINT64_C(4) * width * height;
	struct gpu_resource *r;

	if (!id || gpu_find(g, id))
		return ERROR_RESOURCE;
	if (!gpu_format_known(format) || !width || !height)
		return ERROR_PARAMETER;
	if (width > GPU_SIDE || height > GPU_SIDE || !has_room(g, bytes))
		return ERROR_MEMORY;
	r = calloc(1, sizeof *r);
	if (r)
		r->image = calloc(1, bytes);
	if (!r || !r->image) {
		free(r);
		return ERROR_MEMORY;
	}
	*r = (struct gpu_resource){ id, width, height, format, (uint32_t)bytes, r->image, 0, NULL, g->first };
	g->first = r;
	machine_of(g)->hcall_work += bytes;
	return OK_NO_DATA;
}

static void hide(struct gpu *g)
{
	g->shown = g->x = g->y = g->width = g->height = 0;
	gpu_show(g);
}

static uint32_t unref(struct gpu *g, const uint32_t *w)
{
	struct gpu_resource **at = &g->first, *r = gpu_find(g, w[0]);

	if (!r)
		return ERROR_RESOURCE;
	if (g->shown == r->id)
		hide(g);
	while (*at != r)
		at = &(*at)->next;
	*at = r->next;
	free_resource(r);
	return OK_NO_DATA;
}

static struct rectangle rectangle_at(const uint32_t *w) { return (struct rectangle){ w[0], w[1], w[2], w[3] }; }

static bool is_within(const struct rectangle *r, uint32_t width, uint32_t height)
{
	return r->x <= width && r->width <= width - r->x && r->y <= height && r->height <= height - r->y;
}

static uint32_t set_scanout(struct gpu *g, const uint32_t *w)
{
	struct rectangle part = rectangle_at(w);
	const struct gpu_resource *r = gpu_find(g, w[5]);

	if (w[4])
		return ERROR_SCANOUT;
	if (!w[5]) {
		hide(g);
		return OK_NO_DATA;
	}
	if (!r)
		return ERROR_RESOURCE;
	if (!is_within(&part, r->width, r->height) || part.width < SMALLEST || part.height < SMALLEST || part.width > SCREEN_MOST ||
	    part.height > SCREEN_MOST)
		return ERROR_PARAMETER;
	g->shown = r->id;
	g->x = part.x;
	g->y = part.y;
	g->width = part.width;
	g->height = part.height;
	gpu_show(g);
	return OK_NO_DATA;
}

static uint32_t flush(struct gpu *g, const uint32_t *w)
{
	struct rectangle part = rectangle_at(w);
	const struct gpu_resource *r = gpu_find(g, w[4]);

	if (!r)
		return ERROR_RESOURCE;
	if (!is_within(&part, r->width, r->height))
		return ERROR_PARAMETER;
	if (g->shown == r->id && part.y + part.height > g->y)
		gpu_mark(g, part.y > g->y ? part.y - g->y : 0, part.height);
	return OK_NO_DATA;
}

/* ---- The guest's memory behind one ---- */

/* Segments are looked at from where the last row was found: rows follow each other. */
struct reader {
	const struct gpu *g;
	const struct gpu_resource *r;
	uint32_t segment;
	uint64_t begins;		/* of the segment, among all bytes */
	uint64_t looked;
};

/* Bytes that there are not stay as they were. */
static void read_backing(struct reader *rd, uint64_t from, uint8_t *to, uint64_t n)
{
	const uint64_t *s = rd->r->backing;

	if (from < rd->begins)
		rd->begins = rd->segment = 0;
	while (n && 2 * rd->segment < rd->r->backing_words) {
		uint64_t size = s[2 * rd->segment + 1], offset = from - rd->begins, part;

		rd->looked++;
		if (offset >= size) {
			rd->begins += size;
			rd->segment++;
			continue;
		}
		part = size - offset < n ? size - offset : n;
		ram_read(&machine_of(rd->g)->ram, s[2 * rd->segment] + offset, to, part);
		from += part;
		to += part;
		n -= part;
	}
}

static uint32_t transfer(struct gpu *g, const uint32_t *w)
{
	struct rectangle part = rectangle_at(w);
	uint64_t offset = w[4] | (uint64_t)w[5] << 32;
	const struct gpu_resource *r = gpu_find(g, w[6]);
	struct reader rd = { .g = g, .r = r };

	if (!r)
		return ERROR_RESOURCE;
	if (!r->backing)
		return ERROR_OTHER;
	if (!is_within(&part, r->width, r->height) || offset > UINT64_MAX / 2)
		return ERROR_PARAMETER;
	for (uint32_t row = 0; row < part.height; row++)
		read_backing(&rd, offset + UINT64_C(4) * r->width * row,
			     r->image + 4 * ((size_t)(part.y + row) * r->width + part.x), UINT64_C(4) * part.width);
	machine_of(g)->hcall_work += UINT64_C(4) * part.width * part.height + 16 * rd.looked + UINT64_C(64) * part.height;
	return OK_NO_DATA;
}

static void detach(struct gpu_resource *r)
{
	free(r->backing);
	r->backing = NULL;
	r->backing_words = 0;
}

/* Segments follow the command: address, bytes, nothing. */
static uint32_t attach(struct gpu *g, const struct virtio_element *e, const uint32_t *w)
{
	struct gpu_resource *r = gpu_find(g, w[0]);
	uint32_t n = w[1];

	if (!r)
		return ERROR_RESOURCE;
	if (r->backing || !n || n > GPU_SEGMENTS)
		return ERROR_OTHER;
	r->backing = calloc(n, 2 * sizeof *r->backing);
	if (!r->backing)
		return ERROR_MEMORY;
	r->backing_words = 2 * n;
	machine_of(g)->hcall_work += UINT64_C(256) * n;
	for (uint32_t i = 0; i < n; i++) {
		uint64_t raw[2] = { 0 };

		if (virtio_take(&g->v, e, HEAD_BYTES + 8 + 16 * (uint64_t)i, raw, sizeof raw) < sizeof raw)
			raw[1] = UINT64_MAX;
		r->backing[2 * i] = virtio_u64(&g->v, raw[0]);
		r->backing[2 * i + 1] = (uint32_t)virtio_u64(&g->v, raw[1]);
		if (raw[1] == UINT64_MAX || !ram_ok(&machine_of(g)->ram, r->backing[2 * i], r->backing[2 * i + 1])) {
			detach(r);
			return ERROR_OTHER;
		}
	}
	return OK_NO_DATA;
}

static uint32_t detach_backing(struct gpu *g, const uint32_t *w)
{
	struct gpu_resource *r = gpu_find(g, w[0]);

	if (!r || !r->backing)
		return r ? ERROR_OTHER : ERROR_RESOURCE;
	detach(r);
	return OK_NO_DATA;
}

/* ---- Commands ---- */

static uint32_t tell_display(struct gpu *g, uint8_t *answer, uint32_t *bytes)
{
	const uint32_t words[] = { 0, 0, g->xres, g->yres, 1 };

	*bytes = DISPLAYS * 24;
	for (unsigned i = 0; i < sizeof words / sizeof *words; i++) {
		uint32_t raw = virtio_u32(&g->v, words[i]);

		memcpy(answer + 4 * i, &raw, sizeof raw);
	}
	return OK_DISPLAY_INFO;
}

static uint32_t tell_edid(struct gpu *g, const uint32_t *w, uint8_t *answer, uint32_t *bytes)
{
	uint32_t size = virtio_u32(&g->v, EDID_BYTES);

	if (w[0])
		return ERROR_SCANOUT;
	if (!virtio_has(&g->v, F_EDID))
		return ERROR_OTHER;
	*bytes = 8 + EDID_ROOM;
	memcpy(answer, &size, sizeof size);
	memcpy(answer + 8, g->edid_bytes, sizeof g->edid_bytes);
	return OK_EDID;
}

/* The answer's type; `words` is what follows the head, zeros where the driver has sent less. */
static uint32_t obey(struct gpu *g, const struct virtio_element *e, uint32_t type, const uint32_t *words, uint8_t *answer, uint32_t *bytes)
{
	switch (type) {
	case GET_DISPLAY_INFO: return tell_display(g, answer, bytes);
	case GET_EDID: return tell_edid(g, words, answer, bytes);
	case CREATE_2D: return create(g, words);
	case UNREF: return unref(g, words);
	case SET_SCANOUT: return set_scanout(g, words);
	case FLUSH: return flush(g, words);
	case TRANSFER_TO_HOST: return transfer(g, words);
	case ATTACH_BACKING: return attach(g, e, words);
	case DETACH_BACKING: return detach_backing(g, words);
	default: return ERROR_OTHER;
	}
}

/* False: there is no head, and the device is broken. */
static bool read_command(struct gpu *g, const struct virtio_element *e, struct head *head, uint32_t words[MOST_WORDS])
{
	if (virtio_take(&g->v, e, 0, head, sizeof *head) < sizeof *head) {
		virtio_break(&g->v, "a command without a head");
		return false;
	}
	memset(words, 0, MOST_WORDS * sizeof *words);
	virtio_take(&g->v, e, sizeof *head, words, MOST_WORDS * sizeof *words);
	for (unsigned i = 0; i < MOST_WORDS; i++)
		words[i] = virtio_u32(&g->v, words[i]);
	return true;
}

static void serve_control(struct gpu *g, const struct virtio_element *e)
{
	uint8_t answer[HEAD_BYTES + 8 + EDID_ROOM] = { 0 };
	struct head in, out = { 0 };
	uint32_t words[MOST_WORDS], bytes = 0;

	if (!read_command(g, e, &in, words))
		return;
	out.type = virtio_u32(&g->v, obey(g, e, virtio_u32(&g->v, in.type), words, answer + HEAD_BYTES, &bytes));
	if (virtio_u32(&g->v, in.flags) & FENCE) {
		out.flags = virtio_u32(&g->v, FENCE);
		out.fence = in.fence;
		out.context = in.context;
	}
	memcpy(answer, &out, sizeof out);
	virtio_push(&g->v, e, (uint32_t)virtio_give(&g->v, e, 0, answer, HEAD_BYTES + bytes));
}

static void serve_cursor(struct gpu *g, const struct virtio_element *e)
{
	const struct gpu_resource *r;
	struct head head;
	uint32_t w[MOST_WORDS], type;

	if (!read_command(g, e, &head, w))
		return;
	type = virtio_u32(&g->v, head.type);
	if (!w[0] && (type == UPDATE_CURSOR || type == MOVE_CURSOR)) {
		gpu_mark_cursor(g);
		g->cursor_x = w[1];
		g->cursor_y = w[2];
		if (type == UPDATE_CURSOR) {
			r = gpu_find(g, w[4]);
			g->cursor_shown = r && r->width == GPU_CURSOR && r->height == GPU_CURSOR ? r->id : 0;
			g->cursor_hot_x = w[5];
			g->cursor_hot_y = w[6];
			if (g->cursor_shown)
				gpu_take_cursor(g, r);
		}
		gpu_mark_cursor(g);
	}
	virtio_push(&g->v, e, 0);
}

static void gpu_kicked(struct virtio_device *v, unsigned queue)
{
	struct gpu *g = (struct gpu *)v;
	const uint64_t *work = &machine_of(g)->hcall_work, enough = *work + MACHINE_WORK_MOST;
	struct virtio_element *e;
	bool any = false;

	while (virtio_ready(v) && *work < enough && (e = virtio_pop(v, queue))) {
		if (queue == CONTROL)
			serve_control(g, e);
		else
			serve_cursor(g, e);
		virtio_element_free(e);
		any = true;
	}
	if (*work >= enough)
		virtio_look_later(v);
	if (any)
		virtio_notify(v, queue);
}

/* ---- Its life ---- */

static void gpu_get_config(struct virtio_device *v)
{
	virtio_put_u32(v, EVENTS_READ, 0);	/* the display stays as it is */
	virtio_put_u32(v, EVENTS_CLEAR, 0);
	virtio_put_u32(v, SCANOUTS, 1);
	virtio_put_u32(v, SCANOUTS + 4, 0);
}

static void gpu_driver_reset(struct virtio_device *v)
{
	struct gpu *g = (struct gpu *)v;

	gpu_forget_all(g);
	g->cursor_shown = g->cursor_hot_x = g->cursor_hot_y = g->cursor_x = g->cursor_y = 0;
	memset(g->cursor, 0, sizeof g->cursor);
	hide(g);
}

static const struct virtio_class gpu_virtio_class = {
	.type = 16, .pci_class = 0x038000, .features = UINT64_C(1) << F_EDID, .config_bytes = CONFIG_BYTES, .get_config = gpu_get_config,
	.set_config = gpu_get_config, .kicked = gpu_kicked, .reset = gpu_driver_reset,
};

static bool gpu_init(struct device *dev, struct error *err)
{
	struct gpu *g = gpu_of(dev);

	if (g->xres < 64 || g->xres > SCREEN_MOST - 1 || g->yres < 64 || g->yres > SCREEN_MOST - 1) {
		error_usage(err, "-device virtio-gpu-pci: xres=%u,yres=%u: expected 64 to %u each", g->xres, g->yres, SCREEN_MOST - 1);
		return false;
	}
	gpu_picture_init(g);
	g->v.disable_legacy = true;
	if (!virtio_add_queue(&g->v, CONTROL_SIZE) || !virtio_add_queue(&g->v, CURSOR_SIZE) || !virtio_init(&g->v, &gpu_virtio_class, 0, err))
		return false;
	if (!g->edid)
		g->v.host_features &= ~(UINT64_C(1) << F_EDID);
	return true;
}

static void gpu_free(struct device *dev)
{
	gpu_forget_all(gpu_of(dev));
	virtio_free(&gpu_of(dev)->v);
}

static void gpu_loaded(struct device *dev, bool foreign)
{
	virtio_loaded(&gpu_of(dev)->v, foreign);
	gpu_show(gpu_of(dev));
}

static struct screen *gpu_screen(struct device *dev) { return &gpu_of(dev)->screen; }

static bool gpu_qemu_can(const struct device *dev, struct error *err)
{
	error_set(err, "-device %s: cede does not write its pictures as QEMU does yet", dev->class->name);
	return false;
}

static const struct device_property gpu_properties[] = {
	VIRTIO_PROPERTIES(struct gpu, v),
	{ .name = "xres", .help = "columns that the display likes best", .type = PROPERTY_U32, .settable = true, .offset = offsetof(struct gpu, xres),
	  .value = 1280 },
	{ .name = "yres", .help = "rows, likewise", .type = PROPERTY_U32, .settable = true, .offset = offsetof(struct gpu, yres), .value = 800 },
	{ .name = "edid", .help = "the display says what it is", .type = PROPERTY_BOOL, .settable = true, .offset = offsetof(struct gpu, edid),
	  .value = true },
	{ .name = NULL },
};

const struct device_class virtio_gpu_class = {
	.name = "virtio-gpu-pci", .alias = "virtio-gpu", .help = "screen: pictures that the guest sends, in two dimensions", .size = sizeof(struct gpu),
	.on = &pci_bus, .pluggable = true, .properties = gpu_properties, .init = gpu_init, .free = gpu_free, .reset = virtio_device_reset,
	.screen = gpu_screen, .state = &gpu_state, .own_state = &gpu_own_state, .state_bytes = GPU_MEMORY + (UINT64_C(300) << 20),
	.loaded = gpu_loaded, .qemu_ready = virtio_device_qemu_ready, .qemu_can = gpu_qemu_can,
};

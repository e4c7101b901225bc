/* What a virtio-gpu shows: part of a resource, with the cursor on top. */
#include <string.h>

#include "machine/virtio/gpu.h"

static struct gpu *gpu_of(const struct device *dev) { return (struct gpu *)(uintptr_t)dev; }

/* Where in a pixel's four bytes red, green, blue and, with `alpha`, the cover are. */
static const struct layout { uint8_t format, red, green, blue, alpha; bool covers; } layouts[] = {
	{ GPU_BGRA, 2, 1, 0, 3, true }, { GPU_BGRX, 2, 1, 0, 3, false }, { GPU_ARGB, 1, 2, 3, 0, true }, { GPU_XRGB, 1, 2, 3, 0, false },
	{ GPU_RGBA, 0, 1, 2, 3, true }, { GPU_RGBX, 0, 1, 2, 3, false }, { GPU_ABGR, 3, 2, 1, 0, true }, { GPU_XBGR, 3, 2, 1, 0, false },
};

static const struct layout *layout_of(uint32_t format)
{
	for (unsigned i = 0; i < sizeof layouts / sizeof *layouts; i++)
		if (layouts[i].format == format)
			return &layouts[i];
	return NULL;
}

bool gpu_format_known(uint32_t format) { return layout_of(format) != NULL; }

/* ---- The cursor ---- */

void gpu_take_cursor(struct gpu *g, const struct gpu_resource *r)
{
	const struct layout *l = layout_of(r->format);

	for (uint32_t i = 0; i < GPU_CURSOR * GPU_CURSOR; i++) {
		const uint8_t *from = r->image + 4 * i;
		uint8_t *to = g->cursor + 4 * i;

		to[0] = from[l->blue];
		to[1] = from[l->green];
		to[2] = from[l->red];
		to[3] = l->covers ? from[l->alpha] : 0xff;
	}
}

/* Its upper left corner; it may be outside. */
static int64_t cursor_left(const struct gpu *g) { return (int64_t)g->cursor_x - g->cursor_hot_x; }
static int64_t cursor_top(const struct gpu *g) { return (int64_t)g->cursor_y - g->cursor_hot_y; }

static uint32_t mix(uint32_t below, uint8_t above, uint8_t cover)
{
	return ((below & 0xff) * (255u - cover) + above * cover + 127) / 255;
}

static void draw_cursor(const struct gpu *g, unsigned y, uint32_t *pixel)
{
	int64_t row = (int64_t)y - cursor_top(g), left = cursor_left(g);

	if (!g->cursor_shown || row < 0 || row >= GPU_CURSOR)
		return;
	for (unsigned i = 0; i < GPU_CURSOR; i++) {
		const uint8_t *c = g->cursor + 4 * ((unsigned)row * GPU_CURSOR + i);
		int64_t x = left + i;

		if (x >= 0 && x < g->screen.width)
			pixel[x] = mix(pixel[x] >> 16, c[2], c[3]) << 16 | mix(pixel[x] >> 8, c[1], c[3]) << 8 | mix(pixel[x], c[0], c[3]);
	}
}

void gpu_mark_cursor(struct gpu *g)
{
	for (unsigned i = 0; i < GPU_CURSOR && g->cursor_shown; i++) {
		int64_t y = cursor_top(g) + i;

		if (y >= 0 && y < g->screen.height)
			g->stale[y / 64] |= UINT64_C(1) << y % 64;
	}
}

/* ---- The screen ---- */

static void gpu_draw(const struct device *dev, unsigned y, uint32_t *pixel)
{
	const struct gpu *g = gpu_of(dev);
	const struct gpu_resource *r = gpu_find(g, g->shown);
	const struct layout *l;
	const uint8_t *at;

	if (!r) {
		memset(pixel, 0, g->screen.width * sizeof *pixel);
		return;
	}
	l = layout_of(r->format);
	at = r->image + 4 * ((size_t)(g->y + y) * r->width + g->x);
	for (unsigned x = 0; x < g->screen.width; x++, at += 4)
		pixel[x] = (uint32_t)at[l->red] << 16 | (uint32_t)at[l->green] << 8 | at[l->blue];
	draw_cursor(g, y, pixel);
}

static bool gpu_changed(struct device *dev, unsigned y)
{
	struct gpu *g = gpu_of(dev);
	uint64_t bit = UINT64_C(1) << y % 64;
	bool changed = g->stale[y / 64] & bit;

	g->stale[y / 64] &= ~bit;
	return changed;
}

void gpu_mark(struct gpu *g, uint32_t y, uint32_t rows)
{
	for (uint32_t i = y; i < g->screen.height && i - y < rows; i++)
		g->stale[i / 64] |= UINT64_C(1) << i % 64;
}

void gpu_show(struct gpu *g)
{
	g->screen.width = g->shown ? g->width : g->xres;
	g->screen.height = g->shown ? g->height : g->yres;
	gpu_mark(g, 0, SCREEN_MOST);
}

void gpu_picture_init(struct gpu *g)
{
	g->screen.draw = gpu_draw;
	g->screen.changed = gpu_changed;
	edid_fill(g->edid_bytes, g->xres, g->yres);
}

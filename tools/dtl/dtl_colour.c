/* Colours of the picture: a virtual processor's, a state's. */
#include "tools/dtl/dtl_svg.h"

const struct colour svg_idle_colour = { 0xf2, 0xf4, 0xf6 };
static const struct colour load_colour = { 0x9b, 0xa1, 0xa8 };

static const struct colour state_colours[VP_STATES] = {
	[VP_RUNNING] = { 0x2f, 0x9e, 0x62 }, [VP_READY] = { 0xe0, 0x3e, 0x36 }, [VP_WAITING] = { 0xf5, 0xa6, 0x23 },
	[VP_CEDED] = { 0xd3, 0xe0, 0xec }, [VP_CONFERRED] = { 0x9a, 0x6f, 0xd0 }, [VP_JOINED] = { 0x4f, 0x9d, 0xd6 },
	[VP_STOPPED] = { 0xec, 0xe7, 0xdd },
};

/* For a few virtual processors; if there are more, their hues are spread evenly. */
static const struct colour palette[] = {
	{ 0x3b, 0x7d, 0xd8 }, { 0xf0, 0x8a, 0x2c }, { 0x3f, 0xa6, 0x5a }, { 0xd6, 0x4f, 0x8c },
	{ 0x8a, 0x62, 0xc9 }, { 0x2a, 0xa7, 0xa5 }, { 0xc9, 0xa2, 0x1e }, { 0xa8, 0x5a, 0x3c },
};

struct colour svg_state_colour(enum vp_state state) { return state_colours[state]; }

static unsigned char channel(double hue, double offset, double low, double high)
{
	double at = hue + offset, up;

	while (at >= 6)
		at -= 6;
	up = at < 1 ? at : at < 3 ? 1 : at < 4 ? 4 - at : 0;
	return (unsigned char)(255 * (low + (high - low) * up));
}

struct colour svg_vp_colour(const struct dtl_header *h, unsigned vp)
{
	static const double low[] = { .16, .36, .05 }, high[] = { .80, .90, .62 };
	double hue = 6.0 * (vp * 5 % h->cpus) / h->cpus;

	if (dtl_is_load(h, vp))
		return load_colour;
	if (h->cpus <= sizeof palette / sizeof *palette)
		return palette[vp];
	if (h->cpus % 5 == 0)
		hue = 6.0 * vp / h->cpus;
	return (struct colour){ channel(hue, 2, low[vp % 3], high[vp % 3]), channel(hue, 0, low[vp % 3], high[vp % 3]),
				channel(hue, 4, low[vp % 3], high[vp % 3]) };
}

const char *svg_ink_on(struct colour c)
{
	return 299 * c.r + 587 * c.g + 114 * c.b > 150000 ? "#222" : "#fff";
}

#include "machine/vp/colour.h"

#define LOAD 0x9ba1a8u

static const uint32_t state_colours[VP_STATES] = {
	[VP_RUNNING] = 0x2f9e62, [VP_READY] = 0xe03e36, [VP_WAITING] = 0xf5a623, [VP_CEDED] = 0xd3e0ec, [VP_CONFERRED] = 0x9a6fd0,
	[VP_JOINED] = 0x4f9dd6, [VP_STOPPED] = 0xece7dd,
};

/* For a few virtual processors; if there are more, their hues are spread evenly. */
static const uint32_t palette[] = { 0x3b7dd8, 0xf08a2c, 0x3fa65a, 0xd64f8c, 0x8a62c9, 0x2aa7a5, 0xc9a21e, 0xa85a3c };

uint32_t colour_state(enum vp_state state) { return state_colours[state]; }

static uint32_t channel(double hue, double offset, double low, double high)
{
	double at = hue + offset, up;

	while (at >= 6)
		at -= 6;
	up = at < 1 ? at : at < 3 ? 1 : at < 4 ? 4 - at : 0;
	return (uint32_t)(255 * (low + (high - low) * up));
}

uint32_t colour_vp(unsigned cpus, unsigned vp)
{
	static const double low[] = { .16, .36, .05 }, high[] = { .80, .90, .62 };
	double hue = 6.0 * (vp * 5 % cpus) / cpus;

	if (vp >= cpus)
		return LOAD;
	if (cpus <= sizeof palette / sizeof *palette)
		return palette[vp];
	if (cpus % 5 == 0)
		hue = 6.0 * vp / cpus;
	return channel(hue, 2, low[vp % 3], high[vp % 3]) << 16 | channel(hue, 0, low[vp % 3], high[vp % 3]) << 8 |
	       channel(hue, 4, low[vp % 3], high[vp % 3]);
}

bool colour_is_light(uint32_t colour)
{
	return 299 * (colour >> 16 & 255) + 587 * (colour >> 8 & 255) + 114 * (colour & 255) > 150000;
}

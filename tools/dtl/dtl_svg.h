/* The picture's parts: dtl_svg.c gathers what is in the lanes, dtl_svg_page.c sets it out,
 * dtl_colour.c paints. */
#ifndef TOOLS_DTL_SVG_H
#define TOOLS_DTL_SVG_H

#include <stddef.h>

#include "tools/dtl/dtl_lane.h"
#include "tools/dtl/dtl_totals.h"
#include "tools/dtl/dtl_views.h"

/* Pixels. */
#define SVG_COLUMNS 1200
#define SVG_LEFT    116			/* of the lanes: their names */

struct colour { unsigned char r, g, b; };

/* Pieces of the document that grow side by side: one of each colour, and the labels. */
struct text {
	char *at;
	size_t len, room;
	bool failed;
};

struct svg {
	const struct dtl_log *log;
	const struct dtl_header *h;
	const struct dtl_options *o;
	struct dtl_totals totals;
	struct lane_scale scale;
	struct lane *lane;		/* physical threads, then the virtual processors that are wanted */
	unsigned physical, virtuals, lanes;
	int lane_of[DTL_MAX_VPS];	/* -1: it has none */
	unsigned vp_of[DTL_MAX_VPS];	/* of a lane, from the first virtual one */
	struct text *by_vp, *by_state, labels;
	unsigned row;			/* pixels from lane to lane */
};

/* ---- Where things are ---- */
unsigned svg_lane_y(const struct svg *s, unsigned lane);
unsigned svg_lane_height(const struct svg *s);
double svg_text_y(const struct svg *s, unsigned lane);	/* base line of a lane's text */

/* ---- Colours ---- */
struct colour svg_vp_colour(const struct dtl_header *h, unsigned vp);
struct colour svg_state_colour(enum vp_state state);
extern const struct colour svg_idle_colour;
const char *svg_ink_on(struct colour c);		/* that is seen on it */

void svg_put_page(const struct svg *s);

#endif

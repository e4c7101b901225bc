/* What the files of the picture share: dtl_svg.c fills the lanes from the log, dtl_svg_page.c writes the
 * document. */
#ifndef TOOLS_DTL_DTL_SVG_H
#define TOOLS_DTL_DTL_SVG_H

#include <stddef.h>

#include "machine/vp/colour.h"
#include "machine/vp/lane.h"
#include "tools/dtl/dtl_totals.h"
#include "tools/dtl/dtl_views.h"

/* Pixels. */
#define SVG_COLUMNS 1200
#define SVG_LEFT    116			/* space for names, left of the lanes */

/* A piece of the document that grows while the log is read: there is one for each colour, and one for the labels. */
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
	struct lane *lane;		/* of physical threads, then of the virtual processors that are wanted */
	unsigned physical, virtuals, lanes;
	int lane_of[DTL_MAX_VPS];	/* by virtual processor; -1: it has no lane */
	unsigned vp_of[DTL_MAX_VPS];	/* by lane, counted from the first virtual processor's */
	struct text *by_vp, *by_state, labels;
	unsigned row;			/* pixels from the top of a lane to the top of the next */
};

/* ---- Where things are ---- */
unsigned svg_lane_y(const struct svg *s, unsigned lane);
unsigned svg_lane_height(const struct svg *s);
double svg_text_y(const struct svg *s, unsigned lane);	/* base line of a lane's text */


void svg_put_page(const struct svg *s);

#endif

/* What the panel's two files have of each other: panel.c decides what is shown, panel_draw.c draws it. */
#ifndef MACHINE_DISPLAY_PANEL_PARTS_H
#define MACHINE_DISPLAY_PANEL_PARTS_H

#include "machine/display/drawing.h"
#include "machine/display/history.h"
#include "machine/display/panel.h"
#include "machine/profile/kallsyms.h"

/* Pixels. */
#define PANEL_WIDTH   1200
#define PANEL_LEFT    96		/* space for names */
#define PANEL_COLUMNS 1024
#define PANEL_TOP     52		/* space for the titles */
#define PANEL_GAP     30		/* above each group of lanes: heading and axis */
#define PANEL_BOTTOM  172		/* an entry, the legend, the keys */

struct panel {
	struct machine *m;
	struct history history;
	struct drawing drawing;
	unsigned physical, lanes, row;	/* threads; with the virtual processors; pixels from one lane to the next */
	unsigned step;			/* of panel_steps: how long a column is */
	bool live;			/* shows what comes; else `last` stays */
	uint64_t last;			/* number of the column behind the last one, from cycle 0 */
	uint64_t selected;		/* a transition's number, HISTORY_NONE: none */
	uint64_t awaited;		/* the machine stops when there is a dispatch of that number or a later one; HISTORY_NONE */
	int x, y;			/* of the pointer */
	bool dirty;
	uint64_t drawn;			/* pictures */
	uint64_t drawn_until;		/* history.until and */
	bool drawn_stopped;		/* whether the machine stood, of the last picture */
	struct kernel_symbols symbols;
	uint64_t seek_symbols;		/* cycle from which on they are to be looked for, again if none were found */
};

uint64_t panel_column(const struct panel *p);	/* cycles */
uint64_t panel_first(const struct panel *p);	/* number of the first column that is shown */
int panel_lane_y(const struct panel *p, unsigned lane);
unsigned panel_lane_height(const struct panel *p);
int panel_x(const struct panel *p, uint64_t cycle);	/* of the column that a cycle is in; not always inside the lanes */
/* The entry that is read: the selected one, or that below the pointer. HISTORY_NONE: none. */
uint64_t panel_entry(const struct panel *p);

#endif

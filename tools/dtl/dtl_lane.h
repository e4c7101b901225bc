/* A lane of a picture: what a column of it shows is what lasted longest there.
 *
 * Spans come in order of time and do not overlap; what lies between them is kind 0. A run of columns
 * of one kind is handed on when it ends, so that a lane takes the same memory for any log. */
#ifndef TOOLS_DTL_LANE_H
#define TOOLS_DTL_LANE_H

#include <stdbool.h>
#include <stdint.h>

struct lane_scale {
	uint64_t from, length;		/* cycles */
	unsigned columns;
};

struct lane {
	const struct lane_scale *scale;
	unsigned kinds;
	uint64_t *time;			/* cycles in the present column, by kind */
	uint64_t column_end;		/* cycle */
	unsigned column;
	unsigned run_start, run_kind;
	/* Columns from start up to end are of that kind. */
	void (*run)(void *opaque, unsigned lane, unsigned kind, unsigned start, unsigned end);
	void *opaque;
	unsigned number;
};

bool lane_init(struct lane *l, const struct lane_scale *scale, unsigned kinds);
void lane_free(struct lane *l);
void lane_add(struct lane *l, unsigned kind, uint64_t from, uint64_t to);	/* cycles, inside the scale */
void lane_end(struct lane *l);
/* The cycle at which a column begins. */
uint64_t lane_cycle(const struct lane_scale *s, unsigned column);

#endif

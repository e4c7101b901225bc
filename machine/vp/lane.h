/* A lane of a picture: each column of pixels shows the kind of span that lasted longest in its time.
 *
 * The caller adds spans in order of time, without overlap; the time between two spans is of kind 0. When a
 * run of columns of one kind ends, the lane hands it to run() and forgets it, so that its memory does not
 * grow with the log. */
#ifndef MACHINE_VP_LANE_H
#define MACHINE_VP_LANE_H

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
	/* Called for each run: the columns from `start` up to and without `end` are of one kind. */
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

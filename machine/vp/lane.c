/* A lane of a picture. See lane.h. */
#include "machine/vp/lane.h"

#include <stdlib.h>
#include <string.h>

uint64_t lane_cycle(const struct lane_scale *s, unsigned column)
{
	return s->from + (uint64_t)((unsigned __int128)s->length * column / s->columns);
}

static unsigned column_of(const struct lane_scale *s, uint64_t cycle)
{
	unsigned column = (unsigned)((unsigned __int128)(cycle - s->from) * s->columns / s->length);

	while (column + 1 < s->columns && lane_cycle(s, column + 1) <= cycle)
		column++;
	return column;
}

bool lane_init(struct lane *l, const struct lane_scale *scale, unsigned kinds)
{
	l->scale = scale;
	l->kinds = kinds;
	l->time = calloc(kinds, sizeof *l->time);
	l->column_end = lane_cycle(scale, 1);
	return l->time;
}

void lane_free(struct lane *l)
{
	free(l->time);
}

/* Kind 0 has the time of the column that no other kind has. */
static unsigned longest_kind(struct lane *l)
{
	uint64_t rest = l->column_end - lane_cycle(l->scale, l->column);
	unsigned best = 0;

	for (unsigned i = 1; i < l->kinds; i++)
		rest -= l->time[i];
	l->time[0] = rest;
	for (unsigned i = 1; i < l->kinds; i++)
		if (l->time[i] >= l->time[best] && l->time[i])
			best = i;
	return best;
}

static void end_run(struct lane *l, unsigned next_kind)
{
	if (l->column > l->run_start)
		l->run(l->opaque, l->number, l->run_kind, l->run_start, l->column);
	l->run_start = l->column;
	l->run_kind = next_kind;
}

/* Gives one kind to the columns from the present one up to and without `column`. */
static void pass_columns(struct lane *l, unsigned kind, unsigned column)
{
	if (kind != l->run_kind)
		end_run(l, kind);
	l->column = column;
	l->column_end = lane_cycle(l->scale, column + 1);
	memset(l->time, 0, l->kinds * sizeof *l->time);
}

void lane_add(struct lane *l, unsigned kind, uint64_t from, uint64_t to)
{
	unsigned first = column_of(l->scale, from);

	if (first > l->column)
		pass_columns(l, longest_kind(l), l->column + 1);
	if (first > l->column)
		pass_columns(l, 0, first);
	while (to > l->column_end && l->column + 1 < l->scale->columns) {
		if (from < l->column_end)
			l->time[kind] += l->column_end - from;
		from = l->column_end;
		pass_columns(l, longest_kind(l), l->column + 1);
	}
	l->time[kind] += to - from;
}

void lane_end(struct lane *l)
{
	if (l->column < l->scale->columns)
		pass_columns(l, longest_kind(l), l->column + 1);
	if (l->column < l->scale->columns)
		pass_columns(l, 0, l->scale->columns);
	l->column = l->scale->columns;
	end_run(l, 0);
}

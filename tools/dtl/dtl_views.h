/* The views of a log. Each reads the log from where it is to its end and writes to standard output. False: err->msg
 * says what is wrong with the log. */
#ifndef TOOLS_DTL_DTL_VIEWS_H
#define TOOLS_DTL_DTL_VIEWS_H

#include "tools/dtl/dtl_follow.h"

struct dtl_options {
	struct dtl_filter filter;
	bool csv;
	bool histograms;		/* bars for each virtual processor, not only for all */
	const char *title;		/* of the picture; NULL: the log's name */
};

bool dtl_table(struct dtl_log *log, const struct dtl_options *o, struct error *err);
bool dtl_transitions(struct dtl_log *log, const struct dtl_options *o, struct error *err);
bool dtl_summary(struct dtl_log *log, const struct dtl_options *o, struct error *err);
bool dtl_json(struct dtl_log *log, const struct dtl_options *o, struct error *err);
bool dtl_svg(struct dtl_log *log, const struct dtl_options *o, struct error *err);

/* *differ: whether the two logs do. */
bool dtl_diff(struct dtl_log log[2], const struct dtl_options *o, bool *differ, struct error *err);

/* The guest's own log, in an image of its memory. */
struct dtl_memory {
	const char *path;
	uint64_t addr, size, index;
	bool sized, indexed;
	unsigned threads;		/* of a physical processor */
};
bool dtl_memory(const struct dtl_memory *what, bool csv, struct error *err);

/* "3", or "L0" for the load's. */
#define DTL_NAME_LEN 8
const char *dtl_vp_name(const struct dtl_header *h, unsigned vp, char name[DTL_NAME_LEN]);

#endif

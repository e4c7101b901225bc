/* Follows a log: what its transitions mean, as spans of time in a state and as dispatches.
 *
 * Keeps one small struct for each virtual processor and nothing of the past, so that a log may be
 * of any length.
 */
#ifndef TOOLS_DTL_FOLLOW_H
#define TOOLS_DTL_FOLLOW_H

#include "tools/dtl/dtl_filter.h"

/* One dispatch: what an entry of the guest's own log says, and how long it then ran. */
struct dtl_dispatch {
	uint64_t cycle;
	uint64_t wait[WAIT_INTERVALS];	/* cycles since it left its processor, by interval */
	uint64_t ran;			/* cycles */
	uint64_t srr0, srr1;
	uint16_t vp;			/* index, the guest's first */
	uint16_t physical;		/* thread */
	int before;			/* that it ran on last; -1 none since it was reset */
	uint8_t reason, code;		/* enum vp_reason, code in a DTL entry */
	uint8_t stopped_by, stop_code;	/* why it left its processor before; VP_NONE, 1: never ran */
	uint8_t left_by;		/* why this one ended; VP_NONE: it runs at the end of the log */
};

/* Time in a state, cut to the window that is asked for. */
struct dtl_span {
	unsigned vp;
	enum vp_state state;
	int physical;			/* thread, when running; else -1 */
	uint64_t from, to;		/* cycles; from < to */
	const struct dtl_dispatch *run;	/* when running */
};

/* Who looks at it. Each may be NULL. Spans come for all virtual processors, the rest for those
 * that the filter lets through. */
struct dtl_view {
	void *opaque;
	void (*transition)(void *opaque, const struct dtl_record *r);
	void (*dispatched)(void *opaque, const struct dtl_dispatch *d);	/* `ran` is not known yet */
	void (*ran)(void *opaque, const struct dtl_dispatch *d);		/* it has left its processor */
	void (*span)(void *opaque, const struct dtl_span *s);
	/* A physical processor had something to run on any of its threads; cut to the window. */
	void (*busy)(void *opaque, unsigned proc, enum partition_id who, uint64_t from, uint64_t to);
};

struct dtl_follow {
	const struct dtl_log *log;
	const struct dtl_header *h;
	const struct dtl_filter *filter;
	const struct dtl_view *view;
	struct dtl_vp {
		uint8_t state, stopped_by, stop_code;
		int on, last;		/* physical thread that it runs on, ran on last; -1 none */
		uint64_t since;
		uint64_t wait[WAIT_INTERVALS];
		struct dtl_dispatch run;
	} vp[DTL_MAX_VPS];
	int who[DTL_MAX_PHYSICAL];	/* virtual processor on it; -1 none */
	struct dtl_proc {
		unsigned running;	/* threads */
		enum partition_id by;
		uint64_t since;
	} proc[POOL_MAX_PROCS];
};

void dtl_follow_begin(struct dtl_follow *f, const struct dtl_log *log, const struct dtl_filter *filter, const struct dtl_view *view);
/* False: it contradicts what was before it. */
bool dtl_follow_record(struct dtl_follow *f, const struct dtl_record *r, struct error *err);
/* The log ends at log->cycle: so does what was under way. */
void dtl_follow_end(struct dtl_follow *f);
/* All of it, from where the log is. False: err->msg says why it ends early. */
bool dtl_follow_all(struct dtl_log *log, const struct dtl_filter *filter, const struct dtl_view *view, struct error *err);
/* End of what is looked at: of the log, or of the window. */
uint64_t dtl_window_end(const struct dtl_log *log, const struct dtl_filter *filter);

#endif

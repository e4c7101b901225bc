/* Turns the transitions of a log into spans of time in a state, and into dispatches.
 *
 * It keeps one small struct for each virtual processor and no history, so that memory does not grow
 * with the log.
 */
#ifndef TOOLS_DTL_DTL_FOLLOW_H
#define TOOLS_DTL_DTL_FOLLOW_H

#include "tools/dtl/dtl_filter.h"

/* One dispatch: what an entry of the guest's own log says, and how long the virtual processor then ran. */
struct dtl_dispatch {
	uint64_t cycle;
	uint64_t wait[WAIT_INTERVALS];	/* cycles that it waited before this dispatch, by interval */
	uint64_t ran;			/* cycles */
	uint64_t srr0, srr1;
	uint16_t vp;			/* index; the guest's virtual processors come before the load's */
	uint16_t physical;		/* thread */
	int before;			/* physical thread that it ran on last; -1: none since it was reset */
	uint8_t reason, code;		/* enum vp_reason, code in a DTL entry */
	uint8_t stopped_by, stop_code;	/* why it left its processor before this dispatch; VP_NONE and 1: it never ran */
	uint8_t left_by;		/* why it left its processor after it; VP_NONE: it still runs at the end of the log */
};

/* A time in which a virtual processor was in one state, cut to the window from --from to --to. */
struct dtl_span {
	unsigned vp;
	enum vp_state state;
	int physical;			/* thread that it runs on; -1: it does not run */
	uint64_t from, to;		/* cycles; from < to */
	const struct dtl_dispatch *run;	/* NULL: it does not run */
};

/* A view's callbacks; any of them may be NULL. span() is called for all virtual processors, the others
 * for those that the filter lets through. */
struct dtl_view {
	void *opaque;
	void (*transition)(void *opaque, const struct dtl_record *r);
	void (*dispatched)(void *opaque, const struct dtl_dispatch *d);	/* d->ran is not known yet */
	void (*ran)(void *opaque, const struct dtl_dispatch *d);		/* the virtual processor has left its processor */
	void (*span)(void *opaque, const struct dtl_span *s);
	/* Partition `who` ran on at least one thread of physical processor `proc`, cut to the window. */
	void (*busy)(void *opaque, unsigned proc, enum partition_id who, uint64_t from, uint64_t to);
};

struct dtl_follow {
	const struct dtl_log *log;
	const struct dtl_header *h;
	const struct dtl_filter *filter;
	const struct dtl_view *view;
	struct dtl_vp {
		uint8_t state, stopped_by, stop_code;
		int on, last;		/* physical thread that it runs on, and that it ran on last; -1: none */
		uint64_t since;
		uint64_t wait[WAIT_INTERVALS];
		struct dtl_dispatch run;
	} vp[DTL_MAX_VPS];
	int who[DTL_MAX_PHYSICAL];	/* virtual processor that runs on this thread; -1: none */
	struct dtl_proc {
		unsigned running;	/* how many of its threads run something */
		enum partition_id by;
		uint64_t since;
	} proc[VP_MAX];
};

void dtl_follow_begin(struct dtl_follow *f, const struct dtl_log *log, const struct dtl_filter *filter, const struct dtl_view *view);
/* False: the record contradicts those before it, and err->msg says how. */
bool dtl_follow_record(struct dtl_follow *f, const struct dtl_record *r, struct error *err);
/* Ends at log->cycle every span and dispatch that is under way. */
void dtl_follow_end(struct dtl_follow *f);
/* Follows the log from where it is to its end. False: it ends early, and err->msg says why. */
bool dtl_follow_all(struct dtl_log *log, const struct dtl_filter *filter, const struct dtl_view *view, struct error *err);
/* Cycle at which the part that is looked at ends: the end of the log or of the window, whichever is first. */
uint64_t dtl_window_end(const struct dtl_log *log, const struct dtl_filter *filter);

#endif

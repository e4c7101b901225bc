/* Sums over a log, for each virtual and each physical processor. */
#ifndef TOOLS_DTL_DTL_TOTALS_H
#define TOOLS_DTL_DTL_TOTALS_H

#include "tools/dtl/dtl_follow.h"
#include "tools/dtl/dtl_histogram.h"

struct dtl_totals {
	const struct dtl_header *h;
	struct dtl_view view;		/* whose callbacks count */
	struct vp_totals {
		uint64_t dispatches;
		/* Where a dispatch was against the one before it, as /proc/powerpc/vcpudispatch_stats
		 * counts: the first dispatch counts nowhere. */
		uint64_t same, chip, other;
		uint64_t changes;	/* dispatches on another physical thread, as the VPA's dispersion count */
		uint64_t time[VP_STATES];	/* cycles */
		int entry;		/* physical thread of the last dispatch; -1: none */
		struct histogram wait;	/* cycles that a dispatch waited for a processor */
	} *vp;				/* by index */
	uint64_t busy[VP_MAX][PARTITIONS];	/* cycles, by physical processor */
};

bool dtl_totals_init(struct dtl_totals *t, const struct dtl_header *h, struct error *err);
void dtl_totals_free(struct dtl_totals *t);
uint64_t dtl_stolen(const struct vp_totals *v);		/* cycles in which it wanted to run and did not */

#endif

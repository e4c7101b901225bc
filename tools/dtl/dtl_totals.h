/* What a log sums up to, by virtual and by physical processor. */
#ifndef TOOLS_DTL_TOTALS_H
#define TOOLS_DTL_TOTALS_H

#include "tools/dtl/dtl_follow.h"
#include "tools/dtl/dtl_histogram.h"

struct dtl_totals {
	const struct dtl_header *h;
	struct dtl_view view;		/* that counts */
	struct vp_totals {
		uint64_t dispatches;
		/* As /proc/powerpc/vcpudispatch_stats: an entry against the one before it, none
		 * for the first. */
		uint64_t same, chip, other;
		uint64_t changes;	/* as the VPA's dispersion count: of the physical thread */
		uint64_t time[VP_STATES];	/* cycles */
		int entry;		/* physical thread of the last entry; -1 none */
		struct histogram wait;	/* cycles, for a processor */
	} *vp;				/* by index */
	uint64_t busy[POOL_MAX_PROCS][PARTITIONS];	/* cycles, by physical processor */
};

bool dtl_totals_init(struct dtl_totals *t, const struct dtl_header *h, struct error *err);
void dtl_totals_free(struct dtl_totals *t);
uint64_t dtl_stolen(const struct vp_totals *v);		/* cycles: ready and not running */

#endif

/* How long things took, in constant memory: log-linear, so that any value is known to 1/32. */
#ifndef TOOLS_DTL_HISTOGRAM_H
#define TOOLS_DTL_HISTOGRAM_H

#include <stdint.h>

#define HISTOGRAM_PARTS   32		/* of each power of two */
#define HISTOGRAM_BUCKETS (60 * HISTOGRAM_PARTS)
#define HISTOGRAM_BARS    25		/* rows of the picture */

struct histogram {
	uint64_t n, max, sum;
	uint64_t bucket[HISTOGRAM_BUCKETS];
	uint64_t bar[HISTOGRAM_BARS];	/* by 1, 2, 5, 10.. microseconds; the first: nothing at all */
};

/* `us`: the same in microseconds. */
void histogram_add(struct histogram *h, uint64_t value, double us);
void histogram_merge(struct histogram *to, const struct histogram *from);
/* The least value that at least `percent` of them do not exceed, up to 1/32 too much. */
uint64_t histogram_percentile(const struct histogram *h, unsigned percent);
void histogram_print(const struct histogram *h);

#endif

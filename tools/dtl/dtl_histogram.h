/* A histogram of times in constant memory. Buckets are log-linear: a value is known to 1/32 of itself. */
#ifndef TOOLS_DTL_DTL_HISTOGRAM_H
#define TOOLS_DTL_DTL_HISTOGRAM_H

#include <stdint.h>

#define HISTOGRAM_PARTS   32		/* buckets for each power of two */
#define HISTOGRAM_BUCKETS (60 * HISTOGRAM_PARTS)
#define HISTOGRAM_BARS    25		/* rows that histogram_print() may print */

struct histogram {
	uint64_t n, max, sum;
	uint64_t bucket[HISTOGRAM_BUCKETS];
	uint64_t bar[HISTOGRAM_BARS];	/* up to 1, 2, 5, 10.. microseconds; bar[0] counts zeros */
};

/* `us` is `value` in microseconds. */
void histogram_add(struct histogram *h, uint64_t value, double us);
void histogram_merge(struct histogram *to, const struct histogram *from);
/* The least value that at least `percent` of the values do not exceed; up to 1/32 too large. */
uint64_t histogram_percentile(const struct histogram *h, unsigned percent);
void histogram_print(const struct histogram *h);

#endif

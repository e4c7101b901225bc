/* A histogram of times. See dtl_histogram.h. */
#include "tools/dtl/dtl_histogram.h"

#include <inttypes.h>
#include <stdio.h>

#define BAR_WIDTH 60

static unsigned bucket_of(uint64_t value)
{
	unsigned power;

	if (value < HISTOGRAM_PARTS)
		return (unsigned)value;
	power = 63 - (unsigned)__builtin_clzll(value);
	return (power - 4) * HISTOGRAM_PARTS + (unsigned)(value >> (power - 5)) % HISTOGRAM_PARTS;
}

/* The largest value of a bucket. */
static uint64_t bucket_top(unsigned bucket)
{
	unsigned power = bucket / HISTOGRAM_PARTS;

	if (!power)
		return bucket;
	return ((uint64_t)(bucket % HISTOGRAM_PARTS + HISTOGRAM_PARTS) << (power - 1)) + ((UINT64_C(1) << (power - 1)) - 1);
}

/* A bar counts values below so many microseconds: 0, 1, 2, 5, 10.. */
static double bar_top(unsigned bar)
{
	static const double steps[] = { 1, 2, 5 };
	double top = 1;

	if (!bar)
		return 0;
	for (unsigned i = (bar - 1) / 3; i; i--)
		top *= 10;
	return top * steps[(bar - 1) % 3];
}

static unsigned bar_of(double us)
{
	unsigned bar = us > 0;

	while (bar && bar < HISTOGRAM_BARS - 1 && us >= bar_top(bar))
		bar++;
	return bar;
}

void histogram_add(struct histogram *h, uint64_t value, double us)
{
	h->n++;
	h->sum += value;
	if (value > h->max)
		h->max = value;
	h->bucket[bucket_of(value)]++;
	h->bar[bar_of(us)]++;
}

void histogram_merge(struct histogram *to, const struct histogram *from)
{
	to->n += from->n;
	to->sum += from->sum;
	to->max = from->max > to->max ? from->max : to->max;
	for (unsigned i = 0; i < HISTOGRAM_BUCKETS; i++)
		to->bucket[i] += from->bucket[i];
	for (unsigned i = 0; i < HISTOGRAM_BARS; i++)
		to->bar[i] += from->bar[i];
}

uint64_t histogram_percentile(const struct histogram *h, unsigned percent)
{
	uint64_t wanted = (uint64_t)(((unsigned __int128)h->n * percent + 99) / 100), seen = 0;

	for (unsigned i = 0; i < HISTOGRAM_BUCKETS; i++) {
		seen += h->bucket[i];
		if (seen >= wanted && seen)
			return bucket_top(i) < h->max ? bucket_top(i) : h->max;
	}
	return 0;
}

static void put_time(double us)
{
	static const struct { double least; const char *name; } units[] = { { 1e6, "s" }, { 1e3, "ms" }, { 0, "us" } };
	unsigned i = 0;

	while (us < units[i].least)
		i++;
	printf("%4.0f %-2s", units[i].least ? us / units[i].least : us, units[i].name);
}

static void print_bar(const struct histogram *h, unsigned bar, uint64_t most)
{
	unsigned long long width = (unsigned long long)(((unsigned __int128)h->bar[bar] * BAR_WIDTH + most - 1) / most);

	if (!bar) {
		printf("    none at all   ");
	} else {
		printf("  ");
		put_time(bar == 1 ? 0 : bar_top(bar - 1));
		printf(bar == HISTOGRAM_BARS - 1 ? " and more" : " - ");
		if (bar < HISTOGRAM_BARS - 1)
			put_time(bar_top(bar));
	}
	printf("%10" PRIu64 "  %5.1f %%  ", h->bar[bar], 100.0 * (double)h->bar[bar] / (double)h->n);
	while (width--)
		putchar('#');
	putchar('\n');
}

void histogram_print(const struct histogram *h)
{
	unsigned first = 0, last = HISTOGRAM_BARS;
	uint64_t most = 0;

	if (!h->n) {
		puts("  no dispatch");
		return;
	}
	while (!h->bar[first])
		first++;
	while (!h->bar[last - 1])
		last--;
	for (unsigned i = first; i < last; i++)
		most = h->bar[i] > most ? h->bar[i] : most;
	for (unsigned i = first; i < last; i++)
		print_bar(h, i, most);
}

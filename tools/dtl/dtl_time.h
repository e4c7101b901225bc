/* Converts between cycles and the units that people use. */
#ifndef TOOLS_DTL_DTL_TIME_H
#define TOOLS_DTL_DTL_TIME_H

#include "tools/dtl/dtl_log.h"

/* Converts "1.5" or "1.5s", "20ms", "500us", "40ns", cycles "123c" or timebase "456tb" into cycles. `point`: it is a
 * point in time, and a timebase is what the guest reads then; else it is a duration, and a timebase is a number of
 * ticks. False: the text is none of these. */
bool dtl_time_parse(const char *text, const struct dtl_header *h, bool point, uint64_t *cycles);
uint64_t dtl_ns(const struct dtl_header *h, uint64_t cycles);
uint64_t dtl_timebase(const struct dtl_header *h, uint64_t cycle);
double dtl_seconds(const struct dtl_header *h, uint64_t cycles);
double dtl_us(const struct dtl_header *h, uint64_t cycles);

#endif

/* Cycles, and what people call them. */
#ifndef TOOLS_DTL_TIME_H
#define TOOLS_DTL_TIME_H

#include "tools/dtl/dtl_log.h"

/* "1.5" or "1.5s", "20ms", "500us", "40ns", cycles "123c", timebase "456tb", into cycles. A point
 * in time may be a timebase as the guest reads it; a duration is that many ticks. */
bool dtl_time_parse(const char *text, const struct dtl_header *h, bool point, uint64_t *cycles);
uint64_t dtl_ns(const struct dtl_header *h, uint64_t cycles);
uint64_t dtl_timebase(const struct dtl_header *h, uint64_t cycle);
double dtl_seconds(const struct dtl_header *h, uint64_t cycles);
double dtl_us(const struct dtl_header *h, uint64_t cycles);

#endif

/* The guest's wall clock: virtual time plus an offset that the guest may move. */
#ifndef MACHINE_RTAS_RTC_H
#define MACHINE_RTAS_RTC_H

#include "machine/core/device.h"

struct rtc_time {
	uint32_t year, month, day, hour, minute, second, ns;	/* UTC; month and day from 1 */
};

extern const struct device_class rtc_class;

struct rtc_time rtc_read(struct machine *m);
bool rtc_set(struct machine *m, const struct rtc_time *t);	/* false: no such time, or out of range */

#endif

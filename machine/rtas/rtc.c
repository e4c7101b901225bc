/* The wall clock behind get-time-of-day. UTC, Gregorian; no leap seconds, as in POSIX. */
#define _GNU_SOURCE
#include "machine/rtas/rtc.h"

#include <time.h>

#include "machine/core/clock.h"
#include "machine/core/config.h"

#define SECONDS_PER_DAY 86400
#define RTC_FIRST_YEAR  1970
#define RTC_LAST_YEAR   2500		/* 64 bits of nanoseconds end in 2554 */

static bool is_leap_year(uint32_t year)
{
	return year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
}

static uint32_t days_of_month(uint32_t year, uint32_t month)
{
	static const uint8_t days[] = { 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 };

	return days[month - 1] + (month == 2 && is_leap_year(year));
}

/* Days from 1 January 1970 to 1 January of `year`. */
static uint64_t days_before_year(uint32_t year)
{
	uint64_t y = year - 1;

	return y * 365 + y / 4 - y / 100 + y / 400 - 719162;
}

struct rtc_time rtc_read(struct machine *m)
{
	uint64_t ns = m->rtc_offset_ns + cycles_to_ns(machine_now(m));
	uint64_t seconds = ns / NSEC_PER_SEC, days = seconds / SECONDS_PER_DAY;
	struct rtc_time t = {
		.hour = (uint32_t)(seconds / 3600 % 24), .minute = (uint32_t)(seconds / 60 % 60),
		.second = (uint32_t)(seconds % 60), .ns = (uint32_t)(ns % NSEC_PER_SEC),
		.year = (uint32_t)(RTC_FIRST_YEAR + days / 366), .month = 1,
	};

	while (days_before_year(t.year + 1) <= days)
		t.year++;
	days -= days_before_year(t.year);
	for (; days >= days_of_month(t.year, t.month); t.month++)
		days -= days_of_month(t.year, t.month);
	t.day = (uint32_t)days + 1;
	return t;
}

bool rtc_set(struct machine *m, const struct rtc_time *t)
{
	uint64_t days, seconds;

	if (t->year < RTC_FIRST_YEAR || t->year > RTC_LAST_YEAR || t->month < 1 || t->month > 12 ||
	    t->day < 1 || t->day > days_of_month(t->year, t->month) || t->hour > 23 || t->minute > 59 ||
	    t->second > 59 || t->ns >= NSEC_PER_SEC)
		return false;
	days = days_before_year(t->year) + t->day - 1;
	for (uint32_t month = 1; month < t->month; month++)
		days += days_of_month(t->year, month);
	seconds = days * SECONDS_PER_DAY + t->hour * 3600 + t->minute * 60 + t->second;
	/* Wraps if virtual time is ahead of the date: the sum in rtc_read() wraps back. */
	m->rtc_offset_ns = seconds * NSEC_PER_SEC + t->ns - cycles_to_ns(machine_now(m));
	return true;
}

/* ---- Power-on ---- */

static uint64_t host_utc_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	return (uint64_t)now.tv_sec * NSEC_PER_SEC + (uint64_t)now.tv_nsec;
}

static uint64_t host_local_ns(void)
{
	uint64_t ns = host_utc_ns();
	time_t seconds = (time_t)(ns / NSEC_PER_SEC);
	struct tm local;

	return localtime_r(&seconds, &local) ? ns + (uint64_t)local.tm_gmtoff * NSEC_PER_SEC : ns;
}

static bool rtc_init(struct device *dev, struct error *err)
{
	struct machine *m = dev->machine;
	const struct config *o = m->config;

	(void)err;
	if (o->rtc_base == RTC_DATE) {
		/* -rtc base=DATE is the same in each run, so the state hash may show it: rtc_base_ns stays 0. */
		m->rtc_offset_ns = (uint64_t)o->rtc_date * NSEC_PER_SEC;
		return true;
	}
	m->rtc_base_ns = m->rtc_offset_ns = o->rtc_base == RTC_LOCALTIME ? host_local_ns() : host_utc_ns();
	return true;
}

/* ---- Snapshots: `spapr/rtc`, what to add to the host's clock ---- */

/* Host time is the virtual one since power-on here, so that equal machines give equal files. */
static uint64_t offset_get(const void *s, unsigned i)
{
	const struct machine *m = s;
	const struct config *o = m->config;
	uint64_t base = o->rtc_base == RTC_DATE ? (uint64_t)o->rtc_date * NSEC_PER_SEC : m->rtc_base_ns;

	(void)i;
	return m->rtc_offset_ns - base;
}

static bool offset_put(void *s, unsigned i, uint64_t v)
{
	struct machine *m = s;

	(void)i;
	m->rtc_offset_ns = host_utc_ns() + v - cycles_to_ns(m->clock.now);
	return true;
}

static const struct vmstate rtc_state = {
	.name = "spapr/rtc", .version = 1, .min_version = 1, VMS_OF(struct machine),
	.fields = VMS_FIELDS(VMS_CALC("ns_offset", vms_i64, offset_get, offset_put)),
};

static void *the_machine(struct device *dev, struct spapr_cpu *const *cpu, unsigned i)
{
	(void)cpu;
	(void)i;
	return dev->machine;
}

static const struct device_section rtc_sections[] = {
	{ .state = &rtc_state, .object = the_machine },
	{ .state = NULL },
};

const struct device_class rtc_class = {
	.name = "spapr-rtc", .help = "real-time clock (-rtc)", .size = sizeof(struct device),
	.on_board = device_once, .init = rtc_init, .sections = rtc_sections,
};

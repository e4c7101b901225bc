/* Options for time: -rtc, -timing, -clock, -seed. */
#define _GNU_SOURCE
#include "machine/run/options_parse.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "cpu/timing/timing.h"

static bool parse_date(const char *text, int64_t *seconds)
{
	struct tm tm = { 0 }, given;
	const char *end = strptime(text, "%Y-%m-%dT%H:%M:%S", &tm);
	time_t t;

	if (!end) {
		memset(&tm, 0, sizeof tm);
		end = strptime(text, "%Y-%m-%d", &tm);
	}
	if (!end || *end)
		return false;
	given = tm;
	t = timegm(&tm);		/* makes 2 March of 30 February */
	if (tm.tm_mon != given.tm_mon || tm.tm_mday != given.tm_mday || tm.tm_hour != given.tm_hour ||
	    tm.tm_min != given.tm_min || tm.tm_sec != given.tm_sec)
		return false;
	/* The guest's clock counts nanoseconds since 1970 in 64 bits. */
	if (t < 0 || t >= INT64_C(9000000000))
		return false;
	*seconds = t;
	return true;
}

static bool rtc_item(struct parse *p, const char *key, const char *value)
{
	struct config *o = p->opts;

	if (!strcmp(key, "clock"))
		return !strcmp(value, "vm") || option_fail(p, "-rtc clock=%.40s is not there: the guest's clock is the virtual one", value);
	if (strcmp(key, "base"))
		return option_fail(p, "-rtc does not know '%.60s'", key);
	if (!strcmp(value, "utc"))
		o->rtc_base = RTC_UTC;
	else if (!strcmp(value, "localtime"))
		o->rtc_base = RTC_LOCALTIME;
	else if (parse_date(value, &o->rtc_date))
		o->rtc_base = RTC_DATE;
	else
		return option_fail(p, "-rtc base=%.60s: not utc, localtime or a date from 1970 on as 2026-01-31T12:00:00", value);
	return true;
}

bool opt_rtc(struct parse *p, const char *text)
{
	return each_pair(p, "rtc", text, "base=utc, base=localtime or base=DATE", rtc_item);
}

bool opt_timing(struct parse *p, const char *text)
{
	struct timing timing;
	char why[160];

	if (!timing_parse(text, &timing, why, sizeof why))
		return option_fail(p, "-timing: %s", why);
	if (strlen(text) >= sizeof p->opts->timing)
		return option_fail(p, "-timing: '%.60s...' says things twice", text);
	snprintf(p->opts->timing, sizeof p->opts->timing, "%s", text);
	return true;
}

/* The core's clock is the timing model's, wherever it is said. */
bool finish_timing(struct parse *p)
{
	struct config *o = p->opts;
	char text[sizeof o->timing + sizeof o->cpu_freq + 8], why[160];
	struct timing timing;

	if (!o->cpu_freq[0])
		return true;
	if (strstr(o->timing, "freq="))
		return option_fail(p, "-cpu: freq= and -timing: freq= both say the core's clock");
	snprintf(text, sizeof text, "%s,freq=%s", o->timing, o->cpu_freq);
	if (!timing_parse(text, &timing, why, sizeof why))
		return option_fail(p, timing.core ? "-cpu: freq=%.40s is not 500 to 8000 MHz" : "-cpu: freq=%.40s needs -timing power8, power9 or power10", o->cpu_freq);
	if (strlen(text) >= sizeof o->timing)
		return option_fail(p, "-timing: '%.60s...' says things twice", text);
	strcpy(o->timing, text);
	return true;
}

bool opt_clock(struct parse *p, const char *text)
{
	p->opts->warp = !strcmp(text, "warp");
	return p->opts->warp || !strcmp(text, "wall") || option_fail(p, "-clock: '%.60s' is not wall or warp", text);
}

bool opt_seed(struct parse *p, const char *text)
{
	return parse_u64(text, &p->opts->seed) || option_fail(p, "-seed: '%.60s' is not a number", text);
}

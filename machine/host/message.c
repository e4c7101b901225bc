/* Time and name before a line: see message.h. Nothing here may be called that POSIX does not allow in a signal's handler. */
#include "machine/host/message.h"

#include <time.h>

#define DAY 86400
#define DAYS_OF_400_YEARS 146097
#define DAYS_TO_1970 719468		/* from the first of March of year 0 */

static char *put_number(char *to, unsigned n, unsigned width)
{
	for (unsigned i = width; i--; n /= 10)
		to[i] = (char)('0' + n % 10);
	return to + width;
}

static char *put_char(char *to, char c)
{
	*to = c;
	return to + 1;
}

/* Years begin in March here, so that a leap day is the last one. */
static char *put_date(char *to, int64_t day)
{
	unsigned of_era, year, of_year, month;
	int64_t era;

	day += DAYS_TO_1970;
	era = (day >= 0 ? day : day - DAYS_OF_400_YEARS + 1) / DAYS_OF_400_YEARS;
	of_era = (unsigned)(day - era * DAYS_OF_400_YEARS);
	year = (of_era - of_era / 1460 + of_era / 36524 - of_era / 146096) / 365;
	of_year = of_era - (365 * year + year / 4 - year / 100);
	month = (5 * of_year + 2) / 153;
	to = put_char(put_number(to, (unsigned)(year + era * 400 + (month >= 10)), 4), '-');
	to = put_char(put_number(to, month < 10 ? month + 3 : month - 9, 2), '-');
	return put_number(to, of_year - (153 * month + 2) / 5 + 1, 2);
}

static char *put_time(char *to, unsigned second, uint32_t microseconds)
{
	to = put_char(put_number(to, second / 3600, 2), ':');
	to = put_char(put_number(to, second / 60 % 60, 2), ':');
	to = put_char(put_number(to, second % 60, 2), '.');
	return put_char(put_number(to, microseconds, 6), 'Z');
}

const char *message_prefix_at(const struct message *message, int64_t seconds, uint32_t microseconds, char text[MESSAGE_PREFIX])
{
	char *to = text;

	if (message->timestamp) {
		int64_t day = (seconds >= 0 ? seconds : seconds - DAY + 1) / DAY;

		to = put_char(put_date(to, day), 'T');
		to = put_char(put_time(to, (unsigned)(seconds - day * DAY), microseconds), ' ');
	}
	for (const char *c = message->guest_name; c && *c && to < text + MESSAGE_PREFIX - 2; c++)
		to = put_char(to, *c);
	if (message->guest_name)
		to = put_char(to, ' ');
	*to = 0;
	return text;
}

const char *message_prefix(const struct message *message, char text[MESSAGE_PREFIX])
{
	struct timespec now = { 0 };

	clock_gettime(CLOCK_REALTIME, &now);
	return message_prefix_at(message, now.tv_sec, (uint32_t)(now.tv_nsec / 1000), text);
}

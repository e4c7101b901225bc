/* What stands before a line of ours: dates that are easily wrong, and names that are too long. */
#include "machine/host/message.h"

#include <string.h>
#include <time.h>

#include "check.h"

static void test_dates(void)
{
	static const struct { int64_t seconds; const char *text; } rows[] = {
		{ 0, "1970-01-01T00:00:00.000007Z " }, { -1, "1969-12-31T23:59:59.000007Z " }, { 68169599, "1972-02-28T23:59:59.000007Z " },
		{ 68169600, "1972-02-29T00:00:00.000007Z " }, { 951782400, "2000-02-29T00:00:00.000007Z " }, { 951868800, "2000-03-01T00:00:00.000007Z " },
		{ 1798761599, "2026-12-31T23:59:59.000007Z " }, { 1798761600, "2027-01-01T00:00:00.000007Z " }, { 4107542400, "2100-03-01T00:00:00.000007Z " },
		{ 4107542399, "2100-02-28T23:59:59.000007Z " }, { 253402300799, "9999-12-31T23:59:59.000007Z " },
	};
	const struct message stamp = { .timestamp = true };
	char text[MESSAGE_PREFIX], theirs[MESSAGE_PREFIX];
	unsigned wrong = 0;

	for (unsigned i = 0; i < sizeof rows / sizeof rows[0]; i++)
		check(!strcmp(message_prefix_at(&stamp, rows[i].seconds, 7, text), rows[i].text), "%s is %s", rows[i].text, text);
	for (int64_t day = -150000; day < 2900000; day += 7) {
		time_t seconds = day * 86400 + 45296;
		struct tm tm;

		gmtime_r(&seconds, &tm);
		strftime(theirs, sizeof theirs, "%Y-%m-%dT%H:%M:%S.000000Z ", &tm);
		wrong += strcmp(message_prefix_at(&stamp, seconds, 0, text), theirs) && tm.tm_year < 8100;
	}
	check(!wrong, "every seventh day from 1559 on as the C library has it (%u)", wrong);
}

static void test_names(void)
{
	char text[MESSAGE_PREFIX], name[4 * MESSAGE_PREFIX];
	struct message m = { .guest_name = "box" };

	check(!strcmp(message_prefix(&m, text), "box "), "name");
	m.guest_name = NULL;
	check(!strcmp(message_prefix(&m, text), ""), "nothing");
	memset(name, 'x', sizeof name - 1);
	name[sizeof name - 1] = 0;
	m = (struct message){ .timestamp = true, .guest_name = name };
	check(strlen(message_prefix(&m, text)) == MESSAGE_PREFIX - 1, "a long name is cut");
}

int main(void)
{
	test_dates();
	test_names();
	return check_done();
}

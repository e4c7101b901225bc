/* Converts between cycles and the units that people use. See dtl_time.h. */
#include "tools/dtl/dtl_time.h"

#include <ctype.h>
#include <string.h>

#define MAX_DIGITS 18			/* so that products stay in 128 bits */

typedef unsigned __int128 wide;

static uint64_t scale_value(uint64_t value, uint64_t by, uint64_t over)
{
	wide result = (wide)value * by / over;

	return result > UINT64_MAX ? UINT64_MAX : (uint64_t)result;
}

/* "12.34" is 1234 over 100. */
static const char *parse_digits(const char *p, uint64_t *mantissa, uint64_t *over)
{
	unsigned digits = 0;
	bool point = false;

	*mantissa = 0;
	*over = 1;
	for (; isdigit((unsigned char)*p) || (*p == '.' && !point); p++) {
		if (*p == '.') {
			point = true;
			continue;
		}
		if (++digits > MAX_DIGITS)
			return NULL;
		*mantissa = *mantissa * 10 + (uint64_t)(*p - '0');
		if (point)
			*over *= 10;
	}
	return digits ? p : NULL;
}

bool dtl_time_parse(const char *text, const struct dtl_header *h, bool point, uint64_t *cycles)
{
	const struct { const char *suffix; uint64_t by, over; } units[] = {
		{ "", h->hz, 1 }, { "s", h->hz, 1 }, { "ms", h->hz, 1000 }, { "us", h->hz, 1000000 },
		{ "ns", h->hz, 1000000000 }, { "c", 1, 1 }, { "tb", h->hz, h->tb_hz },
	};
	uint64_t mantissa, over;
	const char *suffix = parse_digits(text, &mantissa, &over);

	for (unsigned i = 0; suffix && i < sizeof units / sizeof *units; i++) {
		/* Two factors of up to 2^40 and a mantissa of MAX_DIGITS fit. */
		wide result = mantissa, zero = (wide)h->tb_offset * over;

		if (strcmp(suffix, units[i].suffix))
			continue;
		if (point && !strcmp(suffix, "tb"))
			result = result > zero ? result - zero : 0;
		result = result * units[i].by / ((wide)over * units[i].over);
		*cycles = result > UINT64_MAX ? UINT64_MAX : (uint64_t)result;
		return true;
	}
	return false;
}

uint64_t dtl_ns(const struct dtl_header *h, uint64_t cycles)
{
	return scale_value(cycles, 1000000000, h->hz);
}

uint64_t dtl_timebase(const struct dtl_header *h, uint64_t cycle)
{
	return scale_value(cycle, h->tb_hz, h->hz) + h->tb_offset;
}

double dtl_seconds(const struct dtl_header *h, uint64_t cycles)
{
	return (double)cycles / (double)h->hz;
}

double dtl_us(const struct dtl_header *h, uint64_t cycles)
{
	return 1e6 * dtl_seconds(h, cycles);
}

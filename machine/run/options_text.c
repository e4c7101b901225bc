/* Pieces of the text of an option: numbers, sizes, words, pairs. */
#define _GNU_SOURCE
#include "machine/run/options_parse.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

bool option_fail(struct parse *p, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(p->err->msg, sizeof p->err->msg, fmt, ap);
	va_end(ap);
	return false;
}

bool parse_u64(const char *text, uint64_t *out)
{
	char *end;

	if (*text < '0' || *text > '9')
		return false;
	errno = 0;
	*out = strtoull(text, &end, 0);
	return !errno && !*end;
}

/* "512", "512M", "4G"; a bare number counts `unit` bytes. */
bool parse_size(const char *text, uint64_t unit, uint64_t *out)
{
	static const char letters[] = "bkmgt";
	const char *letter;
	char *end;

	if (*text < '0' || *text > '9')
		return false;
	errno = 0;
	*out = strtoull(text, &end, 10);
	if (errno)
		return false;
	if (*end) {
		letter = strchr(letters, *end | 0x20);
		if (!letter || end[1])
			return false;
		unit = UINT64_C(1) << (10 * (letter - letters));
	}
	return !__builtin_mul_overflow(*out, unit, out);
}

/* Is `value` one of the words in "a|b|c"? Its index, or -1. */
int word_index(const char *words, const char *value)
{
	size_t len = strlen(value);

	for (int i = 0;; i++) {
		size_t n = strcspn(words, "|");

		if (n == len && !memcmp(words, value, n))
			return i;
		if (!words[n])
			return -1;
		words += n + 1;
	}
}

bool pairs_open(struct parse *p, struct pairs *pairs, const char *text)
{
	pairs->copy = pairs->next = strdup(text);
	return pairs->copy ? true : option_fail(p, "out of memory");
}

/* Up to the next comma, a doubled one being one of the text. NULL: there is no more. */
static char *next_item(struct pairs *pairs)
{
	char *item = pairs->next, *from = item, *to = item;

	if (!item)
		return NULL;
	while (*from && (*from != ',' || from[1] == ',')) {
		from += *from == ',';
		*to++ = *from++;
	}
	pairs->next = *from ? from + 1 : NULL;
	*to = 0;
	return item;
}

bool pairs_next(struct pairs *pairs, char **key, char **value)
{
	char *item = next_item(pairs), *equals;

	if (!item)
		return false;
	equals = strchr(item, '=');
	if (equals)
		*equals = 0;
	*key = equals ? item : NULL;
	*value = equals ? equals + 1 : item;
	return true;
}

/* Calls set() for each KEY=VALUE of the argument of option -`name`. Anything else in it is an error, which says that
 * `wanted` was expected. */
bool each_pair(struct parse *p, const char *name, const char *text, const char *wanted,
		      bool (*set)(struct parse *p, const char *key, const char *value))
{
	struct pairs pairs;
	char *key, *value;
	bool ok = true;

	if (!pairs_open(p, &pairs, text))
		return false;
	while (ok && pairs_next(&pairs, &key, &value))
		ok = key ? set(p, key, value) : option_fail(p, "-%s: '%.60s' is not %s", name, value, wanted);
	free(pairs.copy);
	return ok;
}

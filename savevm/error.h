/* What went wrong for the user or the host, carried up to whoever gives up and says it.
 *
 * Guest errors never take this way: they become interrupts, H_* codes or RTAS statuses.
 */
#ifndef SAVEVM_ERROR_H
#define SAVEVM_ERROR_H

#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>

struct error {
	char msg[256];
	bool usage;		/* the command line is wrong, not the host: another exit status */
};

/* What a file or a stream says of itself may stand in a line that a terminal shows: none of its control characters gets
 * there, be they ASCII, bytes 0x80 to 0x9f, or the same in UTF-8. `text` is changed. */
static inline char *text_plain(char *text)
{
	unsigned more = 0;		/* bytes of a character in UTF-8 that are still to come */

	for (unsigned char *c = (unsigned char *)text; *c; c++) {
		if (more && (*c & 0xc0) == 0x80) {
			more--;
			if (c[-1] == 0xc2 && *c < 0xa0)
				c[-1] = *c = '?';
			continue;
		}
		more = *c >= 0xf0 ? 3 : *c >= 0xe0 ? 2 : *c >= 0xc2 ? 1 : 0;
		if (*c < ' ' || *c == 0x7f || (*c >= 0x80 && *c < 0xc2))
			*c = '?';
	}
	return text;
}

static inline void error_keep(struct error *err, bool usage, const char *fmt, va_list ap)
{
	if (!err)
		return;
	vsnprintf(err->msg, sizeof err->msg, fmt, ap);
	text_plain(err->msg);
	err->usage = usage;
}

/* Keeps one line, in which text_plain() finds nothing; `err` may be NULL when nobody wants to know. */
__attribute__((format(printf, 2, 3))) static inline void error_set(struct error *err, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	error_keep(err, false, fmt, ap);
	va_end(ap);
}

/* The same, about what the command line asks for. */
__attribute__((format(printf, 2, 3))) static inline void error_usage(struct error *err, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	error_keep(err, true, fmt, ap);
	va_end(ap);
}

#endif

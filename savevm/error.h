/* What went wrong for the user or the host, carried up to whoever gives up and says it.
 *
 * Guest errors never take this way: they become interrupts, H_* codes or RTAS statuses.
 */
#ifndef SAVEVM_ERROR_H
#define SAVEVM_ERROR_H

#include <stdarg.h>
#include <stdio.h>

struct error {
	char msg[256];
};

/* Keeps one line; `err` may be NULL when nobody wants to know. */
__attribute__((format(printf, 2, 3))) static inline void error_set(struct error *err, const char *fmt, ...)
{
	va_list ap;

	if (!err)
		return;
	va_start(ap, fmt);
	vsnprintf(err->msg, sizeof err->msg, fmt, ap);
	va_end(ap);
}

#endif

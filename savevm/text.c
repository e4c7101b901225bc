/* Text that grows. */
#include "savevm/text.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static bool make_room(struct text *t, size_t more)
{
	size_t room = t->room ? t->room : 1024;
	char *p;

	while (room < t->len + more + 1)
		room *= 2;
	if (t->failed || room == t->room)
		return !t->failed;
	p = realloc(t->p, room);
	t->failed = !p;
	if (!p)
		return false;
	t->p = p;
	t->room = room;
	return true;
}

void text_bytes(struct text *t, const char *p, size_t len)
{
	if (!make_room(t, len))
		return;
	memcpy(t->p + t->len, p, len);
	t->len += len;
	t->p[t->len] = 0;
}

void text_add(struct text *t, const char *fmt, ...)
{
	va_list ap;
	int len;

	va_start(ap, fmt);
	len = vsnprintf(NULL, 0, fmt, ap);
	va_end(ap);
	if (len < 0 || !make_room(t, (size_t)len))
		return;
	va_start(ap, fmt);
	vsnprintf(t->p + t->len, (size_t)len + 1, fmt, ap);
	va_end(ap);
	t->len += (size_t)len;
}

/* Text that grows. */
#ifndef SAVEVM_TEXT_H
#define SAVEVM_TEXT_H

#include <stdbool.h>
#include <stddef.h>

struct text {
	char *p;		/* NUL-terminated once anything is in it; free() */
	size_t len, room;
	bool failed;		/* out of memory: what follows is dropped */
};

void text_add(struct text *t, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void text_bytes(struct text *t, const char *p, size_t len);

#endif

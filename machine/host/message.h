/* What stands before a line of ours on standard error: -msg. */
#ifndef MACHINE_HOST_MESSAGE_H
#define MACHINE_HOST_MESSAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define MESSAGE_PREFIX 128		/* bytes with the NUL */

struct message {
	bool timestamp;			/* the host's time, as in RFC 3339, in UTC */
	const char *guest_name;		/* NULL: none */
};

/* Fills in `text` and returns it. May be called from a signal's handler. */
const char *message_prefix(const struct message *message, char text[MESSAGE_PREFIX]);
/* The same at that time. */
const char *message_prefix_at(const struct message *message, int64_t seconds, uint32_t microseconds, char text[MESSAGE_PREFIX]);

#endif

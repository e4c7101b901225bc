/* Bytes, first in, first out. */
#include "machine/host/queue.h"

#include <stdlib.h>
#include <string.h>

#define LEAST 4096

/* Moving what is there to the front is worth it if half of the room is: so each byte moves once in the mean. */
static bool make_room(struct queue *q, size_t n)
{
	size_t room = q->room ? q->room : LEAST;
	uint8_t *more;

	if (q->at + q->len + n <= q->room)
		return true;
	if (q->at >= q->room / 2 && q->len + n <= q->room) {
		memmove(q->bytes, q->bytes + q->at, q->len);
		q->at = 0;
		return true;
	}
	while (room < q->at + q->len + n)
		room *= 2;
	more = realloc(q->bytes, room);
	if (!more)
		return false;
	q->bytes = more;
	q->room = room;
	return true;
}

bool queue_put(struct queue *q, const void *bytes, size_t n)
{
	if (!make_room(q, n))
		return false;
	memcpy(q->bytes + q->at + q->len, bytes, n);
	q->len += n;
	return true;
}

const uint8_t *queue_front(const struct queue *q)
{
	return q->bytes + q->at;
}

void queue_take(struct queue *q, size_t n)
{
	q->at += n;
	q->len -= n;
	if (!q->len)
		q->at = 0;
}

void queue_clear(struct queue *q)
{
	free(q->bytes);
	*q = (struct queue){ 0 };
}

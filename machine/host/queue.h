/* Bytes on their way from one side to the other: first in, first out, as many as memory holds. */
#ifndef MACHINE_HOST_QUEUE_H
#define MACHINE_HOST_QUEUE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct queue {
	uint8_t *bytes;			/* NULL: there never were any */
	size_t at, len, room;		/* the first one, how many; allocated */
};

bool queue_put(struct queue *q, const void *bytes, size_t n);	/* false: no memory, and nothing has been put */
const uint8_t *queue_front(const struct queue *q);		/* q->len of them */
void queue_take(struct queue *q, size_t n);			/* those are done with: at most q->len */
void queue_clear(struct queue *q);				/* and gives the memory back */

#endif

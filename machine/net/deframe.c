/* Frames in a stream of bytes: see deframe.h. */
#include "machine/net/deframe.h"

#include <string.h>

void deframe_begin(struct deframe *d)
{
	d->have = 0;
}

void deframe_head(size_t bytes, uint8_t head[DEFRAME_HEAD])
{
	for (unsigned i = 0; i < DEFRAME_HEAD; i++)
		head[i] = (uint8_t)(bytes >> 8 * (DEFRAME_HEAD - 1 - i));
}

static size_t length_of(const struct deframe *d)
{
	size_t bytes = 0;

	for (unsigned i = 0; i < DEFRAME_HEAD; i++)
		bytes = bytes << 8 | d->head[i];
	return bytes;
}

/* Up to `n` of *data to `to`, of which `done` are there; how many that were. */
static size_t move(uint8_t *to, size_t done, size_t n, const uint8_t **data, size_t *left)
{
	size_t now = n - done < *left ? n - done : *left;

	memcpy(to + done, *data, now);
	*data += now;
	*left -= now;
	return now;
}

bool deframe_take(struct deframe *d, const uint8_t **data, size_t *left, bool (*each)(void *, const uint8_t *, size_t), void *opaque)
{
	bool more = true;
	size_t bytes;

	while (*left && more) {
		if (d->have < DEFRAME_HEAD)
			d->have += move(d->head, d->have, DEFRAME_HEAD, data, left);
		if (d->have < DEFRAME_HEAD)
			return true;
		bytes = length_of(d);
		if (bytes > NET_FRAME_MAX)
			return false;
		d->have += move(d->frame, d->have - DEFRAME_HEAD, bytes, data, left);
		if (d->have - DEFRAME_HEAD < bytes)
			return true;
		d->have = 0;
		more = each(opaque, d->frame, bytes);
	}
	return true;
}

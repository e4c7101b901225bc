/* A disk in memory, for what drives an image: it forgets what was not flushed, as a disk does when the power goes, fails
 * after a number of writes, as if whoever writes had been killed, and has no more room than it is given. */
#ifndef TESTS_UNIT_FORGETFUL_H
#define TESTS_UNIT_FORGETFUL_H

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "check.h"
#include "machine/host/block/driver.h"

#define SECTOR BLOCK_SECTOR
#define PAGE   UINT64_C(4096)

struct write {
	uint64_t offset, bytes;
	uint8_t *data;
	struct write *next;
};

struct disk {
	struct block_node node;
	uint8_t *durable, *now;
	uint64_t durable_size, room;
	struct write *first, **last;
	uint64_t writes_left;		/* then all fails */
	uint8_t *held;			/* NULL, or which pages have room; ENOSPC when none is left for another */
	uint64_t pages_left;
};

static inline int disk_read(struct block_node *n, uint64_t offset, void *data, uint64_t bytes)
{
	memcpy(data, ((struct disk *)n)->now + offset, bytes);
	return 0;
}

static inline bool disk_hold(struct disk *d, uint64_t offset, uint64_t bytes)
{
	for (uint64_t page = offset / PAGE; page <= (offset + bytes - 1) / PAGE; page++) {
		if (d->held[page])
			continue;
		if (!d->pages_left)
			return false;
		d->pages_left--;
		d->held[page] = 1;
	}
	return true;
}

static inline int disk_write(struct block_node *n, uint64_t offset, const void *data, uint64_t bytes)
{
	struct disk *d = (struct disk *)n;
	struct write *w;

	if (!d->writes_left || offset + bytes > n->size)
		return EIO;
	if (d->held && !disk_hold(d, offset, bytes))
		return ENOSPC;
	d->writes_left--;
	memcpy(d->now + offset, data, bytes);
	w = malloc(sizeof *w);
	*w = (struct write){ .offset = offset, .bytes = bytes, .data = malloc(bytes) };
	memcpy(w->data, data, bytes);
	*d->last = w;
	d->last = &w->next;
	return 0;
}

/* What waits is written, each sector with this chance in 256. */
static inline void disk_settle(struct disk *d, unsigned chance, uint64_t *seed)
{
	for (struct write *w = d->first, *next; w; w = next) {
		for (uint64_t at = 0, n; at < w->bytes; at += n) {
			n = SECTOR - (w->offset + at) % SECTOR;
			n = n < w->bytes - at ? n : w->bytes - at;
			if (chance == 256 || check_random(seed) % 256 < chance)
				memcpy(d->durable + w->offset + at, w->data + at, n);
		}
		next = w->next;
		free(w->data);
		free(w);
	}
	d->first = NULL;
	d->last = &d->first;
}

static inline int disk_flush(struct block_node *n)
{
	struct disk *d = (struct disk *)n;

	if (!d->writes_left)
		return EIO;
	disk_settle(d, 256, NULL);
	d->durable_size = n->size;
	return 0;
}

static inline int disk_resize(struct block_node *n, uint64_t size)
{
	if (size > ((struct disk *)n)->room || !((struct disk *)n)->writes_left)
		return ENOSPC;
	n->size = size;
	return 0;
}

static inline void disk_close(struct block_node *n)
{
	(void)n;
}

static const struct block_driver disk_driver = {
	.name = "raw", .close = disk_close, .read = disk_read, .write = disk_write, .flush = disk_flush, .resize = disk_resize,
};

static inline bool disk_load(struct disk *d, const char *image)
{
	FILE *f = fopen(image, "rb");

	*d = (struct disk){ .node = { .driver = &disk_driver, .name = (char *)"memory" }, .room = 256u << 20 };
	d->durable = calloc(1, d->room);
	d->now = calloc(1, d->room);
	d->last = &d->first;
	if (!f || !d->durable || !d->now)
		return false;
	d->durable_size = fread(d->durable, 1, d->room, f);
	d->node.size = d->durable_size = (d->durable_size + SECTOR - 1) / SECTOR * SECTOR;
	memcpy(d->now, d->durable, d->durable_size);
	return !fclose(f);
}

static inline void disk_free(struct disk *d)
{
	disk_settle(d, 256, NULL);
	free(d->durable);
	free(d->now);
	free(d->held);
}

#endif

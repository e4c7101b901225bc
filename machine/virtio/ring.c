/* Split rings: what a driver puts into a queue, how it comes back, and when the driver is told.
 *
 * A ring lies in memory that the guest may change at any time and fill as it likes. So each of its words is read once,
 * checked and then used; whatever is wrong breaks the device (virtio_break). No walk is longer than VIRTIO_SEGMENTS
 * descriptors.
 * Source: Virtual I/O Device (VIRTIO) Version 1.1, "Split Virtqueues". */
#include <stdlib.h>
#include <string.h>

#include "machine/virtio/transport.h"

#define DESC_NEXT     1u
#define DESC_WRITE    2u
#define DESC_INDIRECT 4u
#define DESC_BYTES    16u
#define USED_BYTES    8u
#define AVAIL_NO_INTERRUPT 1u

/* What takes the host as long as copying so many bytes. */
#define WORK_OF_ELEMENT    2048u
#define WORK_OF_DESCRIPTOR 128u
#define WORK_OF_SEGMENT    16u

/* ---- Numbers ---- */

/* The host is little-endian. */
uint16_t virtio_u16(const struct virtio_device *v, uint16_t raw) { return virtio_is_big(v) ? __builtin_bswap16(raw) : raw; }
uint32_t virtio_u32(const struct virtio_device *v, uint32_t raw) { return virtio_is_big(v) ? __builtin_bswap32(raw) : raw; }
uint64_t virtio_u64(const struct virtio_device *v, uint64_t raw) { return virtio_is_big(v) ? __builtin_bswap64(raw) : raw; }

/* ---- Words of a ring. False: it is not in memory; the device is broken now ---- */

static bool load_u16(struct virtio_device *v, uint64_t at, uint16_t *value)
{
	if (!ram_read(&v->pci.dev.machine->ram, at, value, sizeof *value)) {
		virtio_break(v, "a ring is outside memory");
		return false;
	}
	*value = virtio_u16(v, *value);
	return true;
}

static bool store_ring(struct virtio_device *v, uint64_t at, const void *p, unsigned n)
{
	if (ram_write(&v->pci.dev.machine->ram, at, p, n))
		return true;
	virtio_break(v, "a ring is outside memory");
	return false;
}

static bool store_u16(struct virtio_device *v, uint64_t at, uint16_t value)
{
	value = virtio_u16(v, value);
	return store_ring(v, at, &value, sizeof value);
}

static uint64_t avail_index_at(const struct virtqueue *q) { return q->avail + 2; }
static uint64_t avail_entry_at(const struct virtqueue *q, uint32_t i) { return q->avail + 4 + UINT64_C(2) * i; }
static uint64_t used_event_at(const struct virtqueue *q) { return avail_entry_at(q, q->size); }
static uint64_t used_index_at(const struct virtqueue *q) { return q->used + 2; }
static uint64_t used_entry_at(const struct virtqueue *q, uint32_t i) { return q->used + 4 + UINT64_C(1) * USED_BYTES * i; }
static uint64_t avail_event_at(const struct virtqueue *q) { return used_entry_at(q, q->size); }

struct virtqueue *ring_running(struct virtio_device *v, unsigned queue)
{
	struct virtqueue *q = queue < v->queues ? &v->queue[queue] : NULL;

	return q && q->size && q->desc && !v->broken && !v->disabled ? q : NULL;
}

/* How many elements wait. */
static bool count_waiting(struct virtio_device *v, const struct virtqueue *q, uint16_t *count)
{
	uint16_t index;

	if (!load_u16(v, avail_index_at(q), &index))
		return false;
	*count = (uint16_t)(index - q->last_avail);
	if (*count <= q->size)
		return true;
	virtio_break(v, "the index of a ring has jumped");
	return false;
}

bool virtio_waiting(struct virtio_device *v, unsigned queue)
{
	const struct virtqueue *q = ring_running(v, queue);
	uint16_t count;

	return q && count_waiting(v, q, &count) && count;
}

/* ---- Chains of descriptors ---- */

struct descriptor {
	uint64_t address;
	uint32_t bytes;
	uint16_t flags, next;
};

/* A table of descriptors, the ring's own or an indirect one, and what has been found in it. */
struct chain {
	struct virtio_device *v;
	uint64_t table;
	uint32_t limit;			/* descriptors in it */
	uint32_t steps;
	uint16_t outs, ins;
	uint64_t out_bytes, in_bytes;
	struct virtio_segment segment[VIRTIO_SEGMENTS];
};

static bool wrong_chain(const struct chain *c, const char *why)
{
	virtio_break(c->v, why);
	return false;
}

static bool load_descriptor(const struct chain *c, uint32_t i, struct descriptor *d)
{
	const struct virtio_device *v = c->v;
	uint8_t raw[DESC_BYTES];

	if (!ram_read(&v->pci.dev.machine->ram, c->table + UINT64_C(1) * DESC_BYTES * i, raw, sizeof raw))
		return wrong_chain(c, "descriptors are outside memory");
	memcpy(&d->address, raw, 8);
	memcpy(&d->bytes, raw + 8, 4);
	memcpy(&d->flags, raw + 12, 2);
	memcpy(&d->next, raw + 14, 2);
	d->address = virtio_u64(v, d->address);
	d->bytes = virtio_u32(v, d->bytes);
	d->flags = virtio_u16(v, d->flags);
	d->next = virtio_u16(v, d->next);
	return true;
}

static bool add_segment(struct chain *c, const struct descriptor *d)
{
	bool in = d->flags & DESC_WRITE;
	unsigned n = c->outs + (unsigned)c->ins;

	if (d->flags & DESC_INDIRECT)
		return wrong_chain(c, "an indirect descriptor within a chain");
	if (!d->bytes)
		return wrong_chain(c, "a buffer without bytes");
	if (!in && c->ins)
		return wrong_chain(c, "a buffer to read after one to write");
	if (n == VIRTIO_SEGMENTS)
		return wrong_chain(c, "too many buffers in an element");
	if (!ram_ok(&c->v->pci.dev.machine->ram, d->address, d->bytes))
		return wrong_chain(c, "a buffer is outside memory");
	c->segment[n] = (struct virtio_segment){ d->address, d->bytes };
	*(in ? &c->ins : &c->outs) += 1;
	*(in ? &c->in_bytes : &c->out_bytes) += d->bytes;
	return true;
}

/* The head may say that the chain is elsewhere. */
static bool enter_indirect(struct chain *c, struct descriptor *d)
{
	if (!(d->flags & DESC_INDIRECT))
		return true;
	if (!d->bytes || d->bytes % DESC_BYTES)
		return wrong_chain(c, "an indirect table of a wrong length");
	if (d->flags & DESC_NEXT)
		return wrong_chain(c, "an indirect descriptor that has a next one");
	c->table = d->address;
	c->limit = d->bytes / DESC_BYTES;
	return load_descriptor(c, 0, d);
}

static bool follow_chain(struct chain *c, uint16_t head)
{
	struct descriptor d;

	if (!load_descriptor(c, head, &d) || !enter_indirect(c, &d))
		return false;
	for (;;) {
		if (!add_segment(c, &d))
			return false;
		if (!(d.flags & DESC_NEXT))
			return true;
		if (d.next >= c->limit)
			return wrong_chain(c, "a next descriptor that there is not");
		if (++c->steps >= c->limit)
			return wrong_chain(c, "a chain of descriptors has a loop");
		if (!load_descriptor(c, d.next, &d))
			return false;
	}
}

/* ---- Elements ---- */

void virtio_element_free(struct virtio_element *e)
{
	if (!e)
		return;
	free(e->segment);
	free(e);
}

static struct virtio_element *make_element(const struct chain *c, unsigned queue, uint16_t head)
{
	struct virtio_element *e = calloc(1, sizeof *e);
	uint32_t n = c->outs + (uint32_t)c->ins;

	if (!e)
		return NULL;
	*e = (struct virtio_element){ .head = head, .queue = (uint16_t)queue, .outs = c->outs, .ins = c->ins,
				      .out_bytes = c->out_bytes, .in_bytes = c->in_bytes, .segments = n,
				      .segment = malloc(n * sizeof *e->segment) };
	if (!e->segment) {
		free(e);
		return NULL;
	}
	memcpy(e->segment, c->segment, n * sizeof *e->segment);
	return e;
}

/* The head of the next element; false: there is none, or the ring is wrong. */
static bool next_head(struct virtio_device *v, const struct virtqueue *q, uint16_t *head)
{
	uint16_t count;

	if (!count_waiting(v, q, &count) || !count)
		return false;
	if (q->in_flight >= q->size) {
		virtio_break(v, "more elements than a ring has");
		return false;
	}
	if (!load_u16(v, avail_entry_at(q, q->last_avail % q->size), head))
		return false;
	if (*head < q->size)
		return true;
	virtio_break(v, "a ring names a descriptor that there is not");
	return false;
}

struct virtio_element *virtio_pop(struct virtio_device *v, unsigned queue)
{
	return ring_running(v, queue) && virtio_puts_off(v) ? NULL : virtio_pop_now(v, queue);
}

struct virtio_element *virtio_pop_now(struct virtio_device *v, unsigned queue)
{
	struct virtqueue *q = ring_running(v, queue);
	struct virtio_element *e;
	struct chain c;
	uint16_t head;

	if (!q || !next_head(v, q, &head))
		return NULL;
	c.v = v;
	c.table = q->desc;
	c.limit = q->size;
	c.steps = 0;
	c.outs = c.ins = 0;
	c.out_bytes = c.in_bytes = 0;
	if (!follow_chain(&c, head))
		return NULL;
	v->pci.dev.machine->hcall_work += WORK_OF_ELEMENT + UINT64_C(1) * WORK_OF_DESCRIPTOR * c.steps;
	e = make_element(&c, queue, head);
	if (!e) {
		virtio_break(v, "the host has no memory");
		return NULL;
	}
	q->last_avail++;
	q->in_flight++;
	if (virtio_has(v, VIRTIO_F_EVENT_IDX))
		store_u16(v, avail_event_at(q), q->last_avail);
	return e;
}

void virtio_unpop(struct virtio_device *v, const struct virtio_element *e)
{
	struct virtqueue *q = ring_running(v, e->queue);

	if (!q || !q->in_flight)
		return;
	q->last_avail--;
	q->in_flight--;
	if (virtio_has(v, VIRTIO_F_EVENT_IDX))
		store_u16(v, avail_event_at(q), q->last_avail);
}

void virtio_watch(struct virtio_device *v, unsigned queue)
{
	struct virtqueue *q = ring_running(v, queue);
	uint16_t index;

	if (q && virtio_has(v, VIRTIO_F_EVENT_IDX) && load_u16(v, avail_index_at(q), &index))
		store_u16(v, avail_event_at(q), index);
}

void virtio_push(struct virtio_device *v, const struct virtio_element *e, uint32_t written)
{
	struct virtqueue *q = ring_running(v, e->queue);
	uint32_t raw[2] = { virtio_u32(v, e->head), virtio_u32(v, written) };

	if (!q || !q->in_flight || !store_ring(v, used_entry_at(q, q->used_index % q->size), raw, sizeof raw))
		return;
	q->in_flight--;
	q->used_index++;
	/* It has come round: the index says no longer what the driver has been told. */
	if (q->used_index == q->signalled)
		q->signalled_valid = false;
	store_u16(v, used_index_at(q), q->used_index);
}

/* ---- Telling the driver ---- */

static bool is_drained(struct virtio_device *v, const struct virtqueue *q)
{
	uint16_t count;

	return !q->in_flight && count_waiting(v, q, &count) && !count;
}

/* Whether the driver wants to know of the elements since the last time. */
static bool event_passed(struct virtio_device *v, struct virtqueue *q)
{
	uint16_t before = q->signalled, now = q->used_index, event;
	bool first = !q->signalled_valid;

	q->signalled = now;
	q->signalled_valid = true;
	return first || (load_u16(v, used_event_at(q), &event) && (uint16_t)(now - event - 1) < (uint16_t)(now - before));
}

static bool wants_notice(struct virtio_device *v, struct virtqueue *q)
{
	uint16_t flags;

	if (virtio_has(v, VIRTIO_F_NOTIFY_ON_EMPTY) && is_drained(v, q))
		return true;
	if (virtio_has(v, VIRTIO_F_EVENT_IDX))
		return event_passed(v, q);
	return load_u16(v, q->avail, &flags) && !(flags & AVAIL_NO_INTERRUPT);
}

void virtio_notify(struct virtio_device *v, unsigned queue)
{
	struct virtqueue *q = ring_running(v, queue);

	if (!q || !wants_notice(v, q))
		return;
	v->isr |= VIRTIO_ISR_QUEUE;
	virtio_interrupt(v, q->vector);
}

/* ---- Bytes ---- */

/* Copies between a buffer and segments; `out`: from them. */
static uint64_t copy_segments(struct virtio_device *v, const struct virtio_segment *s, unsigned n, uint64_t at, uint8_t *buf,
			      uint64_t bytes, bool out)
{
	struct ram *ram = &v->pci.dev.machine->ram;
	unsigned i;
	uint64_t done = 0;

	for (i = 0; i < n && done < bytes && !v->disabled; i++) {
		uint64_t part = s[i].bytes;

		if (at >= part) {
			at -= part;
			continue;
		}
		part -= at;
		if (part > bytes - done)
			part = bytes - done;
		if (!(out ? ram_read(ram, s[i].address + at, buf + done, part) : ram_write(ram, s[i].address + at, buf + done, part)))
			break;
		done += part;
		at = 0;
	}
	v->pci.dev.machine->hcall_work += done + UINT64_C(1) * WORK_OF_SEGMENT * i;
	return done;
}

uint64_t virtio_take(struct virtio_device *v, const struct virtio_element *e, uint64_t at, void *buf, uint64_t n)
{
	return copy_segments(v, e->segment, e->outs, at, buf, n, true);
}

uint64_t virtio_give(struct virtio_device *v, const struct virtio_element *e, uint64_t at, const void *buf, uint64_t n)
{
	return copy_segments(v, e->segment + e->outs, e->ins, at, (uint8_t *)(uintptr_t)buf, n, false);
}

/* ---- Settings ---- */

void ring_clear(struct virtqueue *q)
{
	*q = (struct virtqueue){ .size = q->default_size, .default_size = q->default_size, .has_vector = q->has_vector,
				 .vector = VIRTIO_NO_VECTOR };
}

/* Where the parts of a ring are if a driver of the legacy interface has said where its descriptors are. */
void ring_place_legacy(struct virtqueue *q, uint64_t desc)
{
	q->desc = desc;
	q->avail = desc + UINT64_C(1) * DESC_BYTES * q->size;
	q->used = (avail_entry_at(q, q->size) + 4095) & ~UINT64_C(4095);
}

void ring_resize(struct virtqueue *q, uint32_t size)
{
	if (q->size && size && size <= VIRTIO_RING_MAX && !(size & (size - 1)))
		q->size = size;
}

bool ring_recount(struct virtio_device *v, struct virtqueue *q)
{
	uint16_t used;

	if (!q->desc)
		return true;
	if (!load_u16(v, used_index_at(q), &used))
		return false;
	q->used_index = used;
	q->in_flight = (uint16_t)(q->last_avail - used);
	q->signalled_valid = false;
	if (q->in_flight <= q->size)
		return true;
	q->used_index = q->last_avail;
	q->in_flight = 0;
	virtio_break(v, "the used index of a ring has jumped");
	return false;
}

/* Requests of the guest's disks: when each is due, and what of them a snapshot has. See disk.h. */
#include "machine/disk/disk.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "machine/core/clock.h"

#define CYCLES_PER_US (CPU_HZ / 1000000)

static bool has_data(enum block_op op)
{
	return op == BLOCK_READ || op == BLOCK_WRITE;
}

static bool comes_in_pieces(enum block_op op)
{
	return op == BLOCK_DISCARD || op == BLOCK_ZERO;
}

/* ---- The host's end ---- */

/* Waits until the image's thread is done with it. Never asks twice: a copy of this process has no such thread. */
static void settle_request(struct disk *d, struct disk_request *r)
{
	if (r->at_host)
		block_wait(d->drive->block, &r->io);
	r->at_host = false;
}

static void settle_all(struct disk *d)
{
	for (struct disk_request *r = d->first; r; r = r->next)
		settle_request(d, r);
}

/* An image that cannot be flushed has told the guest so, or will when the guest flushes. */
void disk_settle(struct disk *d)
{
	settle_all(d);
	if (d->drive && d->drive->block && !block_is_readonly(d->drive->block))
		block_flush(d->drive->block);
}

/* ---- Requests ---- */

static bool has_room(const struct disk *d, enum block_op op, uint64_t bytes)
{
	if (!d->drive || !d->drive->block || d->in_flight >= DISK_MAX_REQUESTS)
		return false;
	return !has_data(op) || (bytes <= DISK_MAX_BYTES && d->bytes_in_flight <= DISK_MAX_BYTES - bytes);
}

struct disk_request *disk_request_new(struct disk *d, enum block_op op, uint64_t offset, uint64_t bytes)
{
	struct disk_request *r = has_room(d, op, bytes) ? calloc(1, sizeof *r) : NULL;

	if (!r)
		return NULL;
	r->io = (struct block_request){ .op = op, .offset = offset, .bytes = bytes };
	if (comes_in_pieces(op) && bytes > DISK_PIECE) {
		r->io.bytes = DISK_PIECE;
		r->rest = bytes - DISK_PIECE;
	}
	r->io.data = has_data(op) ? calloc(1, bytes ? bytes : 1) : NULL;
	if (has_data(op) && !r->io.data) {
		free(r);
		return NULL;
	}
	return r;
}

void disk_request_free(struct disk_request *r)
{
	if (r)
		free(r->io.data);
	free(r);
}

/* ---- The model ---- */

static uint64_t later(uint64_t a, uint64_t b)
{
	return a > b ? a : b;
}

static uint64_t cycles_on_channel(const struct disk *d, const struct disk_request *r)
{
	if (!has_data(r->io.op) || !d->model.bandwidth_mb)
		return 0;
	return r->io.bytes * CYCLES_PER_US / d->model.bandwidth_mb;
}

static uint64_t last_due(const struct disk *d)
{
	const struct disk_request *r = d->first;

	while (r && r->next)
		r = r->next;
	return r ? r->due : 0;
}

/* Never at this very cycle: a device whose requests beget requests must let time pass. */
static uint64_t due_cycle(struct disk *d, const struct disk_request *r)
{
	uint64_t from = later(r->issued, d->busy_until);

	if (r->io.op == BLOCK_FLUSH)
		from = later(from, last_due(d));
	d->busy_until = from + cycles_on_channel(d, r);
	return later(d->busy_until + (uint64_t)d->model.latency_us * CYCLES_PER_US, r->issued + 1);
}

/* ---- In flight ---- */

static uint64_t data_bytes(const struct disk_request *r)
{
	return has_data(r->io.op) ? r->io.bytes : 0;
}

/* Behind those that are due at the same cycle. */
static void link_request(struct disk *d, struct disk_request *r)
{
	struct disk_request **p = &d->first;

	while (*p && (*p)->due <= r->due)
		p = &(*p)->next;
	r->next = *p;
	*p = r;
	d->in_flight++;
	d->bytes_in_flight += data_bytes(r);
}

static void unlink_request(struct disk *d, struct disk_request *r)
{
	struct disk_request **p = &d->first;

	while (*p != r)
		p = &(*p)->next;
	*p = r->next;
	r->next = NULL;
	d->in_flight--;
	d->bytes_in_flight -= data_bytes(r);
}

/* The cycle at which the guest is to hear of what has ended. */
static uint64_t batch_cycle(const struct disk *d)
{
	const struct disk_request *r = d->first;
	uint64_t latest = r ? r->due + (uint64_t)d->model.coalesce_us * CYCLES_PER_US : UINT64_MAX;

	for (uint32_t i = 1; i < DISK_BATCH && r && r->next && r->due < latest; i++)
		r = r->next;
	return r && r->due < latest ? r->due : latest;
}

static void wait_for_batch(struct disk *d)
{
	uint64_t when = batch_cycle(d);

	if (d->event.when != when)
		event_schedule(d->dev->machine, &d->event, when);
}

void disk_submit(struct disk *d, struct disk_request *r)
{
	r->issued = machine_now(d->dev->machine);
	r->due = due_cycle(d, r);
	r->at_host = true;
	link_request(d, r);
	block_submit(d->drive->block, &r->io);
	wait_for_batch(d);
}

static void count_request(struct drive_stats *s, const struct disk_request *r, uint64_t now)
{
	s->requests[r->io.op]++;
	s->bytes[r->io.op] += r->io.error ? 0 : r->io.bytes;
	s->failed[r->io.op] += r->io.error != 0;
	s->cycles[r->io.op] += now - r->issued;
}

/* False: that was the last one. */
static bool next_piece(struct disk *d, struct disk_request *r)
{
	if (r->rest && !d->drive->block)	/* the medium has gone meanwhile */
		r->io.error = EIO;
	if (!r->rest || r->io.error)
		return false;
	d->drive->stats.bytes[r->io.op] += r->io.bytes;
	r->io.offset += r->io.bytes;
	r->io.bytes = r->rest < DISK_PIECE ? r->rest : DISK_PIECE;
	r->rest -= r->io.bytes;
	r->due = machine_now(d->dev->machine) + CYCLES_PER_US;
	r->at_host = true;
	link_request(d, r);
	block_submit(d->drive->block, &r->io);
	return true;
}

static void complete_first(struct disk *d)
{
	struct disk_request *r = d->first;

	settle_request(d, r);
	unlink_request(d, r);
	if (next_piece(d, r))
		return;
	count_request(&d->drive->stats, r, machine_now(d->dev->machine));
	d->done(d->dev, r);
	disk_request_free(r);
}

/* The device's timer: what is due. What is submitted meanwhile is due later. */
static void disk_fire(void *opaque)
{
	struct disk *d = opaque;
	uint64_t now = machine_now(d->dev->machine);

	while (d->first && d->first->due <= now)
		complete_first(d);
	wait_for_batch(d);
}

static void drop_request(struct disk *d, struct disk_request *r)
{
	settle_request(d, r);
	unlink_request(d, r);
	disk_request_free(r);
}

void disk_cancel(struct disk *d, struct disk_request *r)
{
	drop_request(d, r);
	wait_for_batch(d);
}

void disk_reset(struct disk *d)
{
	while (d->first)
		drop_request(d, d->first);
	d->busy_until = d->bytes_in_flight = d->in_flight = 0;
	if (d->dev)
		event_cancel(d->dev->machine, &d->event);
}

void disk_init(struct disk *d, struct device *dev, struct drive *drive, const char *name,
	       void (*done)(struct device *dev, struct disk_request *request))
{
	d->dev = dev;
	d->drive = drive;
	d->done = done;
	timer_init(dev, &d->event, name, disk_fire);
	d->event.opaque = d;
}

void disk_free(struct disk *d)
{
	disk_reset(d);
}

/* ---- Snapshots ---- */

/* What a read has found is settled by now, and goes along: no load reads it again. */
static void settle_saved(void *s)
{
	struct disk *d = s;

	settle_all(d);
	for (struct disk_request *r = d->first; r; r = r->next)
		r->saved_bytes = r->io.op == BLOCK_READ && !r->io.error ? (uint32_t)r->io.bytes : 0;
}

static bool request_check(const void *s, struct vms_walk *w)
{
	const struct disk_request *r = s;
	uint64_t wanted = r->io.op == BLOCK_READ && !r->io.error ? r->io.bytes : 0;

	if (data_bytes(r) > DISK_MAX_BYTES)
		return vms_wrong(w, "bytes", r->io.bytes, "at most 0x%x", DISK_MAX_BYTES);
	if (r->rest && !r->io.error && (!comes_in_pieces(r->io.op) || r->rest > UINT64_MAX - r->io.offset - r->io.bytes))
		return vms_wrong(w, "rest", r->rest, "0, or what lies behind a piece");
	if (r->issued > r->due)
		return vms_wrong(w, "issued", r->issued, "at most due (0x%llx)", (unsigned long long)r->due);
	return r->saved_bytes == wanted || vms_wrong(w, "saved_bytes", r->saved_bytes, "0x%llx", (unsigned long long)wanted);
}

static const struct vmstate disk_request_state = {
	.name = "cede/disk/request", .version = 1, .min_version = 1, VMS_OF(struct disk_request),
	.check = request_check,
	.fields = VMS_FIELDS(
		VMS_U32_AS("op", struct disk_request, io.op, VMS_MOST(BLOCK_ZERO)),
		VMS_U64_AS("offset", struct disk_request, io.offset),
		VMS_U64_AS("bytes", struct disk_request, io.bytes),
		VMS_ONE("unmap", struct disk_request, io.unmap, bool, vms_bool),
		VMS_ONE("error", struct disk_request, io.error, int32_t, vms_i32, VMS_MOST(4095)),
		VMS_U64_TO(struct disk_request, due, CLOCK_END),
		VMS_U64(struct disk_request, issued),
		VMS_U64(struct disk_request, rest),
		VMS_U64_ARRAY(struct disk_request, tag),
		VMS_U32_TO(struct disk_request, saved_bytes, DISK_MAX_BYTES),
		VMS_ALLOCATED_BUFFER("data", struct disk_request, io.data, saved_bytes, DISK_MAX_BYTES),
		VMS_SKIP(struct disk_request, io.done, "all that are saved are"),
		VMS_SKIP(struct disk_request, io.next, "the image's"),
		VMS_SKIP(struct disk_request, at_host, "none that is saved is"),
		VMS_SKIP(struct disk_request, next, "its place in the list")),
};

static bool disk_check(const void *s, struct vms_walk *w)
{
	const struct disk *d = s;
	uint64_t bytes = 0, due = 0;

	if (d->first && !d->drive)
		return vms_wrong(w, "requests", 1, "none, for there is no drive");
	for (const struct disk_request *r = d->first; r; r = r->next) {
		if (r->due < due)
			return vms_wrong(w, "due", r->due, "at least 0x%llx", (unsigned long long)due);
		due = r->due;
		bytes += data_bytes(r);
	}
	return bytes <= DISK_MAX_BYTES || vms_wrong(w, "requests", bytes, "at most 0x%x bytes of data", DISK_MAX_BYTES);
}

static bool disk_loaded(void *s, uint32_t version, struct vms_walk *w)
{
	struct disk *d = s;

	(void)version;
	(void)w;
	d->in_flight = 0;
	d->bytes_in_flight = 0;
	for (const struct disk_request *r = d->first; r; r = r->next) {
		d->in_flight++;
		d->bytes_in_flight += data_bytes(r);
	}
	return true;
}

const struct vmstate disk_state = {
	.name = "cede/disk", .version = 1, .min_version = 1, VMS_OF(struct disk),
	.pre_save = settle_saved, .check = disk_check, .post_load = disk_loaded,
	.fields = VMS_FIELDS(
		VMS_U64_TO(struct disk, busy_until, CLOCK_END),
		VMS_LIST("requests", struct disk, first, struct disk_request, next, DISK_MAX_REQUESTS, disk_request_state),
		VMS_SKIP(struct disk, dev, "whose it is"),
		VMS_SKIP(struct disk, drive, "the host's side; its bytes are the image's"),
		VMS_SKIP(struct disk, model, "an option"),
		VMS_SKIP(struct disk, done, "the device's"),
		VMS_ELSEWHERE(struct disk, event, "cede/timers"),
		VMS_SKIP(struct disk, in_flight, "counted in the list"),
		VMS_SKIP(struct disk, bytes_in_flight, "counted in the list")),
};

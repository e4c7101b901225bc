/* virtio-blk-pci: a disk. What its driver asks for becomes a request of disk.h; the element that it came in waits for that
 * request's end, and gets its data then.
 * Source: Virtual I/O Device (VIRTIO) Version 1.1, "Block Device"; features and numbers are QEMU's. */
#include <stdlib.h>
#include <string.h>

#include "machine/core/bytes.h"
#include "machine/core/config.h"
#include "machine/disk/disk.h"
#include "machine/virtio/virtio.h"

#define LEGACY_ID     0x1001
#define CONFIG_BYTES  57		/* as far as the last field */
#define HEADER_BYTES  16
#define ID_BYTES      20
#define MAX_SECTORS   UINT32_C(0x3fffff)	/* of one DISCARD or WRITE_ZEROES */
#define BARRIER       UINT32_C(0x80000000)	/* bit of a type, of old drivers and SLOF: nothing is reordered here */

enum { T_IN = 0, T_OUT = 1, T_FLUSH = 4, T_GET_ID = 8, T_DISCARD = 11, T_WRITE_ZEROES = 13 };
enum { S_OK = 0, S_IOERR = 1, S_UNSUPP = 2 };
enum { F_SEG_MAX = 2, F_GEOMETRY = 4, F_RO = 5, F_BLK_SIZE = 6, F_FLUSH = 9, F_TOPOLOGY = 10, F_CONFIG_WCE = 11, F_MQ = 12,
       F_DISCARD = 13, F_WRITE_ZEROES = 14 };
enum { FLAG_UNMAP = 1 };
#define BIT(n) (UINT64_C(1) << (n))

/* disk_request.tag: the element's queue << 16 | number of its descriptor; 1: a flush follows. */
enum { TAG_ELEMENT, TAG_FLUSH };

struct virtio_blk {
	struct virtio_device v;
	struct disk disk;
	struct virtio_element *first;	/* in flight, one for each request */
	bool stalled;			/* there was no room for what some queue has */
	bool write_cache;		/* else each write is flushed before it ends */
	/* Properties. */
	const char *drive_id, *serial;
	uint32_t bootindex, num_queues, queue_size, block_bytes, physical_bytes;
	bool discard, write_zeroes, write_cache_default, share_rw, config_wce;
};

static struct virtio_blk *to_blk(struct device *dev) { return (struct virtio_blk *)dev; }

/* ---- Configuration ---- */

static uint64_t disk_bytes(const struct virtio_blk *b)
{
	uint64_t n = b->disk.drive && b->disk.drive->block ? block_size(b->disk.drive->block) : 0;

	return n - n % b->block_bytes;
}

static bool is_readonly(const struct virtio_blk *b)
{
	return b->disk.drive->block && block_is_readonly(b->disk.drive->block);
}

enum { CONFIG_WCE_AT = 32, HEADS = 16, SECTORS = 63, MAX_CYLINDERS = 16383 };

static void put_geometry(struct virtio_blk *b)
{
	uint64_t cylinders = disk_bytes(b) / BLOCK_SECTOR / (HEADS * SECTORS);

	cylinders = cylinders < 2 ? 2 : cylinders;
	virtio_put_u16(&b->v, 16, (uint16_t)(cylinders > MAX_CYLINDERS ? MAX_CYLINDERS : cylinders));
	b->v.config[18] = HEADS;
	b->v.config[19] = SECTORS;
}

static void blk_get_config(struct virtio_device *v)
{
	struct virtio_blk *b = (struct virtio_blk *)v;

	memset(v->config, 0, CONFIG_BYTES);
	virtio_put_u64(v, 0, disk_bytes(b) / BLOCK_SECTOR);
	virtio_put_u32(v, 12, b->queue_size - 2);	/* segments: header and status take two */
	put_geometry(b);
	virtio_put_u32(v, 20, b->block_bytes);
	v->config[24] = (uint8_t)__builtin_ctz(b->physical_bytes / b->block_bytes);
	v->config[CONFIG_WCE_AT] = b->write_cache;
	virtio_put_u16(v, 34, (uint16_t)b->num_queues);
	if (b->discard) {
		virtio_put_u32(v, 36, MAX_SECTORS);
		virtio_put_u32(v, 40, 1);
		virtio_put_u32(v, 44, b->block_bytes / BLOCK_SECTOR);
	}
	if (b->write_zeroes) {
		virtio_put_u32(v, 48, MAX_SECTORS);
		virtio_put_u32(v, 52, 1);
		v->config[56] = 1;	/* they may be unmapped */
	}
}

static void blk_set_config(struct virtio_device *v)
{
	if (virtio_has(v, F_CONFIG_WCE))
		((struct virtio_blk *)v)->write_cache = v->config[CONFIG_WCE_AT] & 1;
}

/* ---- Ends ---- */

static uint64_t name_of(const struct virtio_element *e)
{
	return (uint64_t)e->queue << 16 | e->head;
}

static struct virtio_element **find_element(struct virtio_blk *b, uint64_t name)
{
	struct virtio_element **p = &b->first;

	while (*p && name_of(*p) != name)
		p = &(*p)->next;
	return p;
}

static void keep_element(struct virtio_blk *b, struct virtio_element *e)
{
	e->next = b->first;
	b->first = e;
}

/* The status is the last byte that the driver has room for. */
static void finish(struct virtio_blk *b, struct virtio_element *e, uint8_t status)
{
	uint16_t queue = e->queue;

	virtio_give(&b->v, e, e->in_bytes - 1, &status, 1);
	virtio_push(&b->v, e, (uint32_t)e->in_bytes);
	virtio_notify(&b->v, queue);
	virtio_element_free(e);
}

/* ---- Requests. True: the element has been taken, or has ended; false: there is no room for it now ---- */

/* What stands in an element besides its data. */
struct header {
	uint32_t type;
	uint64_t sector;
};

static bool end_now(struct virtio_blk *b, struct virtio_element *e, uint8_t status)
{
	finish(b, e, status);
	return true;
}

static bool range_ok(const struct virtio_blk *b, uint64_t sector, uint64_t bytes)
{
	uint64_t sectors = disk_bytes(b) / BLOCK_SECTOR;

	return sector <= sectors && bytes <= (sectors - sector) * BLOCK_SECTOR && bytes % b->block_bytes == 0 &&
	       sector % (b->block_bytes / BLOCK_SECTOR) == 0;
}

static bool submit(struct virtio_blk *b, struct virtio_element *e, struct disk_request *r)
{
	r->tag[TAG_ELEMENT] = name_of(e);
	r->tag[TAG_FLUSH] = r->io.op != BLOCK_READ && r->io.op != BLOCK_FLUSH && !b->write_cache;
	keep_element(b, e);
	disk_submit(&b->disk, r);
	return true;
}

static bool read_data(struct virtio_blk *b, struct virtio_element *e, const struct header *h)
{
	uint64_t bytes = e->in_bytes - 1;
	struct disk_request *r;

	if (bytes > DISK_MAX_BYTES || !range_ok(b, h->sector, bytes))
		return end_now(b, e, S_IOERR);
	r = disk_request_new(&b->disk, BLOCK_READ, h->sector * BLOCK_SECTOR, bytes);
	return r && submit(b, e, r);
}

static bool write_data(struct virtio_blk *b, struct virtio_element *e, const struct header *h)
{
	uint64_t bytes = e->out_bytes - HEADER_BYTES;
	struct disk_request *r;

	if (is_readonly(b) || bytes > DISK_MAX_BYTES || !range_ok(b, h->sector, bytes))
		return end_now(b, e, S_IOERR);
	r = disk_request_new(&b->disk, BLOCK_WRITE, h->sector * BLOCK_SECTOR, bytes);
	if (!r)
		return false;
	if (virtio_take(&b->v, e, HEADER_BYTES, r->io.data, bytes) == bytes)
		return submit(b, e, r);
	disk_request_free(r);
	return end_now(b, e, S_IOERR);
}

static bool flush(struct virtio_blk *b, struct virtio_element *e, const struct header *h)
{
	struct disk_request *r;

	(void)h;
	if (is_readonly(b))
		return end_now(b, e, S_OK);
	r = disk_request_new(&b->disk, BLOCK_FLUSH, 0, 0);
	return r && submit(b, e, r);
}

/* The serial number, with a NUL behind it if that fits. */
static bool get_id(struct virtio_blk *b, struct virtio_element *e, const struct header *h)
{
	char id[ID_BYTES] = "";
	uint64_t room = e->in_bytes - 1;

	(void)h;
	memcpy(id, b->serial, strnlen(b->serial, sizeof id));
	virtio_give(&b->v, e, 0, id, room < sizeof id ? room : sizeof id);
	return end_now(b, e, S_OK);
}

/* DISCARD, WRITE_ZEROES: one range of 16 bytes. */
static bool erase(struct virtio_blk *b, struct virtio_element *e, const struct header *h)
{
	struct { uint64_t sector; uint32_t count, flags; } range;
	bool zeroes = h->type == T_WRITE_ZEROES;
	struct disk_request *r;
	uint64_t bytes;

	if (virtio_take(&b->v, e, HEADER_BYTES, &range, sizeof range) != sizeof range) {
		virtio_break(&b->v, "a range to discard or to make zero is cut short");
		virtio_element_free(e);
		return true;
	}
	range.sector = virtio_u64(&b->v, range.sector);
	range.count = virtio_u32(&b->v, range.count);
	range.flags = virtio_u32(&b->v, range.flags);
	if (!(zeroes ? b->write_zeroes : b->discard) || e->out_bytes != HEADER_BYTES + sizeof range ||
	    range.flags & ~(zeroes ? (uint32_t)FLAG_UNMAP : 0))
		return end_now(b, e, S_UNSUPP);
	bytes = (uint64_t)range.count * BLOCK_SECTOR;
	if (is_readonly(b) || range.count > MAX_SECTORS || !range_ok(b, range.sector, bytes))
		return end_now(b, e, S_IOERR);
	r = disk_request_new(&b->disk, zeroes ? BLOCK_ZERO : BLOCK_DISCARD, range.sector * BLOCK_SECTOR, bytes);
	if (!r)
		return false;
	r->io.unmap = range.flags & FLAG_UNMAP;
	return submit(b, e, r);
}

static const struct type_row {
	uint32_t type;
	bool (*run)(struct virtio_blk *b, struct virtio_element *e, const struct header *h);
} types[] = {
	{ T_IN, read_data }, { T_OUT, write_data }, { T_FLUSH, flush }, { T_GET_ID, get_id },
	{ T_DISCARD, erase }, { T_WRITE_ZEROES, erase },
};

static bool get_header(struct virtio_blk *b, const struct virtio_element *e, struct header *h)
{
	struct { uint32_t type, priority; uint64_t sector; } raw;

	if (virtio_take(&b->v, e, 0, &raw, sizeof raw) != sizeof raw || !e->in_bytes) {
		virtio_break(&b->v, "a request has no room for its header or its status");
		return false;
	}
	h->type = virtio_u32(&b->v, raw.type) & ~BARRIER;
	h->sector = virtio_u64(&b->v, raw.sector);
	return true;
}

static bool execute(struct virtio_blk *b, struct virtio_element *e)
{
	struct header h;

	if (!get_header(b, e, &h)) {
		virtio_element_free(e);
		return true;
	}
	for (size_t i = 0; i < sizeof types / sizeof types[0]; i++)
		if (types[i].type == h.type)
			return types[i].run(b, e, &h);
	return end_now(b, e, S_UNSUPP);
}

/* ---- Queues ---- */

/* False: there is no room for more. A driver that kicks is served without DRIVER_OK, too: SLOF takes the device's right to
 * use memory away after each use, which clears it, and does not set it again. */
static bool serve(struct virtio_blk *b, unsigned queue)
{
	struct virtio_element *e;

	while ((e = virtio_pop(&b->v, queue))) {
		if (execute(b, e))
			continue;
		virtio_unpop(&b->v, e);
		virtio_element_free(e);
		return false;
	}
	return true;
}

/* So many from `first` on, so that each queue has its turn. */
static void serve_some(struct virtio_blk *b, unsigned first, unsigned queues)
{
	b->stalled = false;
	for (unsigned i = 0; i < queues && !b->stalled; i++)
		b->stalled = !serve(b, (first + i) % b->num_queues);
}

static void serve_all(struct virtio_blk *b, unsigned first)
{
	serve_some(b, first, b->num_queues);
}

static void blk_kicked(struct virtio_device *v, unsigned queue)
{
	struct virtio_blk *b = (struct virtio_blk *)v;

	if (!b->stalled && queue < b->num_queues)
		b->stalled = !serve(b, queue);
}

/* A write that is to be on the host's disk before it ends. False: it cannot be. */
static bool submit_flush(struct virtio_blk *b, uint64_t element)
{
	struct disk_request *r = disk_request_new(&b->disk, BLOCK_FLUSH, 0, 0);

	if (!r)
		return false;
	r->tag[TAG_ELEMENT] = element;
	disk_submit(&b->disk, r);
	return true;
}

/* A snapshot may be hostile: there may be no such element. */
static void blk_done(struct device *dev, struct disk_request *r)
{
	struct virtio_blk *b = to_blk(dev);
	struct virtio_element **p = find_element(b, r->tag[TAG_ELEMENT]), *e = *p;
	uint16_t queue;

	if (!e)
		return;
	if (!r->io.error && r->tag[TAG_FLUSH] && submit_flush(b, r->tag[TAG_ELEMENT]))
		return;
	*p = e->next;
	queue = e->queue;
	if (!r->io.error && r->io.op == BLOCK_READ)
		virtio_give(&b->v, e, 0, r->io.data, r->io.bytes);
	finish(b, e, r->io.error || r->tag[TAG_FLUSH] ? S_IOERR : S_OK);
	if (b->stalled)
		serve_all(b, queue + 1u);
}

/* ---- Reset, status ---- */

static void drop_elements(struct virtio_blk *b)
{
	struct virtio_element *e;

	while ((e = b->first)) {
		b->first = e->next;
		virtio_element_free(e);
	}
}

static void blk_driver_reset(struct virtio_device *v)
{
	struct virtio_blk *b = (struct virtio_blk *)v;

	disk_reset(&b->disk);
	drop_elements(b);
	b->stalled = false;
	b->write_cache = b->write_cache_default;
}

/* One queue is taken back. The others may have waited for the room that it gives back. */
static void blk_queue_reset(struct virtio_device *v, unsigned queue)
{
	struct virtio_blk *b = (struct virtio_blk *)v;

	for (struct disk_request *r = b->disk.first, *next; r; r = next) {
		next = r->next;
		if (r->tag[TAG_ELEMENT] >> 16 == queue)
			disk_cancel(&b->disk, r);
	}
	for (struct virtio_element **p = &b->first; *p;) {
		struct virtio_element *e = *p;

		if (e->queue == queue) {
			*p = e->next;
			virtio_element_free(e);
		} else {
			p = &e->next;
		}
	}
	if (b->stalled)
		serve_some(b, queue + 1, b->num_queues - 1);
}

/* A driver that knows no flushes gets a disk that needs none. What it has put into queues before waits until now. */
static void blk_status(struct virtio_device *v, uint8_t before)
{
	struct virtio_blk *b = (struct virtio_blk *)v;

	if (!(v->status & ~before & VIRTIO_S_DRIVER_OK))
		return;
	if (!virtio_has(v, F_CONFIG_WCE))
		b->write_cache = virtio_has(v, F_FLUSH);
	serve_all(b, 0);
}

/* ---- The class ---- */

static const struct virtio_class blk_class = {
	.type = 2, .pci_class = 0x010000, .config_bytes = CONFIG_BYTES,
	.features = BIT(F_SEG_MAX) | BIT(F_GEOMETRY) | BIT(F_BLK_SIZE) | BIT(F_FLUSH) | BIT(F_TOPOLOGY),
	.get_config = blk_get_config, .set_config = blk_set_config, .kicked = blk_kicked, .reset = blk_driver_reset,
	.status = blk_status, .queue_reset = blk_queue_reset,
};

static bool options_ok(struct virtio_blk *b, struct error *err)
{
	if (!b->drive_id)
		error_usage(err, "-device virtio-blk-pci wants drive=ID");
	else if (!b->num_queues || b->num_queues > VIRTIO_QUEUES)
		error_usage(err, "-device virtio-blk-pci: num-queues is 1 to %u", VIRTIO_QUEUES);
	else if (!is_power_of_two(b->queue_size) || b->queue_size < 4 || b->queue_size > VIRTIO_RING_MAX)
		error_usage(err, "-device virtio-blk-pci: queue-size is a power of two from 4 to %u", VIRTIO_RING_MAX);
	else if ((b->block_bytes != 512 && b->block_bytes != 4096) || !is_power_of_two(b->physical_bytes) ||
		 b->physical_bytes < b->block_bytes || b->physical_bytes > 65536)
		error_usage(err, "-device virtio-blk-pci: logical_block_size is 512 or 4096, physical_block_size a power of two from "
			  "there to 65536");
	else
		return true;
	return false;
}

/* One that is another process's while a machine is awaited does not. */
static bool stays_readonly(const struct block *block)
{
	return block && block_is_readonly(block) && !block_options(block)->yielded;
}

static void offer_features(struct virtio_blk *b)
{
	b->v.host_features |= (b->config_wce ? BIT(F_CONFIG_WCE) : 0) | (b->discard ? BIT(F_DISCARD) : 0) |
			      (b->write_zeroes ? BIT(F_WRITE_ZEROES) : 0) | (b->num_queues > 1 ? BIT(F_MQ) : 0) |
			      (stays_readonly(b->disk.drive->block) ? BIT(F_RO) : 0);
}

static bool blk_init(struct device *dev, struct error *err)
{
	struct virtio_blk *b = to_blk(dev);
	struct drive *drive;

	if (b->num_queues == UINT32_MAX)
		b->num_queues = dev->machine->config->cpus;
	if (!options_ok(b, err) || !(drive = drive_take(dev->machine, b->drive_id, dev, false, err)))
		return false;
	if (!b->serial)
		b->serial = drive->config->serial ? drive->config->serial : "";
	disk_init(&b->disk, dev, drive, "disk", blk_done);
	for (unsigned i = 0; i < b->num_queues; i++)
		if (!virtio_add_queue(&b->v, (uint16_t)b->queue_size)) {
			error_set(err, "out of memory");
			return false;
		}
	if (!virtio_init(&b->v, &blk_class, LEGACY_ID, err))
		return false;
	offer_features(b);
	return true;
}

static void blk_free(struct device *dev)
{
	disk_free(&to_blk(dev)->disk);
	drop_elements(to_blk(dev));
	if (to_blk(dev)->disk.drive)
		drive_leave(to_blk(dev)->disk.drive);
	virtio_free(&to_blk(dev)->v);
}

static void blk_reset(struct device *dev) { virtio_reset(&to_blk(dev)->v); }
static void blk_settle(struct device *dev) { disk_settle(&to_blk(dev)->disk); }
static bool blk_qemu_ready(const struct device *dev)
{
	return virtio_device_qemu_ready(dev) && !((const struct virtio_blk *)dev)->disk.first;
}
static void blk_resized(struct device *dev) { virtio_config_changed(&to_blk(dev)->v); }

/* QEMU's requests in flight are taken up again from the ring. */
static void blk_loaded(struct device *dev, bool foreign)
{
	struct virtio_blk *b = to_blk(dev);

	virtio_loaded(&b->v, foreign);
	if (foreign)
		serve_all(b, 0);
}

static const struct device_property blk_properties[] = {
	VIRTIO_PROPERTIES(struct virtio_blk, v),
	DISK_PROPERTIES(struct virtio_blk, disk),
	{ .name = "drive", .help = "id of its -drive", .type = PROPERTY_STRING, .settable = true,
	  .offset = offsetof(struct virtio_blk, drive_id) },
	{ .name = "serial", .help = "serial number, 20 bytes of it", .type = PROPERTY_STRING, .settable = true,
	  .offset = offsetof(struct virtio_blk, serial) },
	{ .name = "bootindex", .help = "place in the order in which firmware tries devices", .type = PROPERTY_U32, .settable = true,
	  .offset = offsetof(struct virtio_blk, bootindex), .value = UINT32_MAX },
	{ .name = "num-queues", .help = "queues; as many as processors if it is not given", .type = PROPERTY_U32, .settable = true,
	  .offset = offsetof(struct virtio_blk, num_queues), .value = UINT32_MAX },
	{ .name = "queue-size", .help = "requests in a queue", .type = PROPERTY_U32, .settable = true,
	  .offset = offsetof(struct virtio_blk, queue_size), .value = 256 },
	{ .name = "logical_block_size", .help = "bytes of a block: 512 or 4096", .type = PROPERTY_U32, .settable = true,
	  .offset = offsetof(struct virtio_blk, block_bytes), .value = 512 },
	{ .name = "physical_block_size", .help = "bytes that are written best together", .type = PROPERTY_U32, .settable = true,
	  .offset = offsetof(struct virtio_blk, physical_bytes), .value = 512 },
	{ .name = "discard", .help = "the guest may give sectors up", .type = PROPERTY_BOOL, .settable = true,
	  .offset = offsetof(struct virtio_blk, discard), .value = true },
	{ .name = "write-zeroes", .help = "the guest may have sectors made zero", .type = PROPERTY_BOOL, .settable = true,
	  .offset = offsetof(struct virtio_blk, write_zeroes), .value = true },
	{ .name = "config-wce", .help = "the guest may switch the write cache", .type = PROPERTY_BOOL, .settable = true,
	  .offset = offsetof(struct virtio_blk, config_wce), .value = true },
	{ .name = "write-cache", .help = "writes end before they are on the host's disk", .type = PROPERTY_BOOL, .settable = true,
	  .offset = offsetof(struct virtio_blk, write_cache_default), .value = true },
	{ .name = "share-rw", .help = "others may write to the drive, too", .type = PROPERTY_BOOL, .settable = true,
	  .offset = offsetof(struct virtio_blk, share_rw) },
	{ .name = NULL },
};

static bool put_nothing(void *s, unsigned i, uint64_t value)
{
	(void)s;
	(void)i;
	return !value;
}

/* QEMU has its requests in flight there, as its own compiler laid them out: none is sent, and none taken. */
static const struct vmstate blk_payload_state = {
	.name = "virtio-blk/payload", .version = 2, .min_version = 2, VMS_OF(struct virtio_blk),
	.fields = VMS_FIELDS(
		VIRTIO_HEAD(struct virtio_blk, v),
		VMS_CALC("requests", vms_u8, NULL, put_nothing),
		VIRTIO_TAIL),
};

static const struct vmstate blk_state = {
	.name = "virtio-blk", .version = 2, .min_version = 2, VMS_OF(struct virtio_blk),
	.fields = VMS_FIELDS(VIRTIO_PAYLOAD(blk_payload_state)),
};

static const struct vmstate blk_own_state = {
	.name = "cede/virtio-blk", .version = 1, .min_version = 1, VMS_OF(struct virtio_blk),
	.fields = VMS_FIELDS(
		VIRTIO_OWN,
		VMS_STRUCT("disk", struct virtio_blk, disk, struct disk, disk_state),
		VIRTIO_ELEMENTS("elements", struct virtio_blk, first, DISK_MAX_REQUESTS),
		VMS_BOOL(struct virtio_blk, stalled),
		VMS_BOOL(struct virtio_blk, write_cache),
		VMS_SKIP(struct virtio_blk, drive_id, "an option"), VMS_SKIP(struct virtio_blk, serial, "an option"),
		VMS_SKIP(struct virtio_blk, bootindex, "an option"), VMS_SKIP(struct virtio_blk, num_queues, "an option"),
		VMS_SKIP(struct virtio_blk, queue_size, "an option"), VMS_SKIP(struct virtio_blk, block_bytes, "an option"),
		VMS_SKIP(struct virtio_blk, physical_bytes, "an option"), VMS_SKIP(struct virtio_blk, discard, "an option"),
		VMS_SKIP(struct virtio_blk, write_zeroes, "an option"), VMS_SKIP(struct virtio_blk, share_rw, "an option"),
		VMS_SKIP(struct virtio_blk, config_wce, "an option"), VMS_SKIP(struct virtio_blk, write_cache_default, "an option")),
};

const struct device_class virtio_blk_class = {
	.name = "virtio-blk-pci", .alias = "virtio-blk", .help = "disk", .size = sizeof(struct virtio_blk), .on = &pci_bus, .pluggable = true,
	.properties = blk_properties,
	.init = blk_init, .free = blk_free, .reset = blk_reset, .loaded = blk_loaded, .settle = blk_settle,
	.qemu_ready = blk_qemu_ready, .drive_changed = blk_resized,
	.state = &blk_state, .own_state = &blk_own_state, .state_bytes = DISK_STATE_BYTES + (UINT64_C(32) << 20),
};

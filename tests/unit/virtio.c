/* Virtio on a device of our own: identity, both interfaces, rings that are well made and rings that are not, when the
 * driver is told, what a snapshot has. */
#define _GNU_SOURCE
#include <sys/mman.h>

#include "check.h"
#include "machine/core/clock.h"
#include "savevm/stream.h"
#include "savevm/hash.h"
#include "virtio_driver.h"

#define RING   UINT64_C(0x1000000)
#define BUFFER UINT64_C(0x2000000)
#define TABLE  UINT64_C(0x3000000)
#define V1     (UINT64_C(1) << VIRTIO_F_VERSION_1)
#define EVENTS (UINT64_C(1) << VIRTIO_F_EVENT_IDX)

/* ---- A device that keeps what it gets ---- */

struct keeper {
	struct virtio_device v;
	struct virtio_element *kept;	/* first in, first out */
	uint32_t resets, written;
	uint16_t number;		/* what the configuration begins with */
};

static struct keeper *keeper(struct virtio_device *v) { return (struct keeper *)v; }

static void keep_kicked(struct virtio_device *v, unsigned queue)
{
	struct virtio_element **end = &keeper(v)->kept;

	while (*end)
		end = &(*end)->next;
	while ((*end = virtio_pop(v, queue)))
		end = &(*end)->next;
}

static void drop_kept(struct keeper *k)
{
	struct virtio_element *e;

	while ((e = k->kept)) {
		k->kept = e->next;
		virtio_element_free(e);
	}
}

static void keep_reset(struct virtio_device *v)
{
	keeper(v)->resets++;
	drop_kept(keeper(v));
}

static void keep_queue_reset(struct virtio_device *v, unsigned queue)
{
	(void)queue;
	drop_kept(keeper(v));
}

static void keep_get(struct virtio_device *v)
{
	uint16_t raw = virtio_u16(v, keeper(v)->number);

	memcpy(v->config, &raw, sizeof raw);
}

static void keep_set(struct virtio_device *v)
{
	memcpy(&keeper(v)->number, v->config, 2);
	keeper(v)->written++;
}

static const struct virtio_class keeper_virtio = {
	.type = 17, .pci_class = 0x00ff00, .features = 6, .config_bytes = 8, .get_config = keep_get, .set_config = keep_set,
	.kicked = keep_kicked, .reset = keep_reset, .queue_reset = keep_queue_reset,
};

static bool keep_init(struct device *dev, struct error *err)
{
	struct virtio_device *v = (struct virtio_device *)dev;

	return virtio_add_queue(v, 8) && virtio_add_queue(v, 16) && virtio_init(v, &keeper_virtio, 0x1011, err);
}

static void keep_free(struct device *dev)
{
	drop_kept((struct keeper *)dev);
	virtio_device_free(dev);
}

static const struct device_property keep_properties[] = { VIRTIO_PROPERTIES(struct keeper, v), { .name = NULL } };

static const struct vmstate keep_payload_state = {
	.name = "virtio-keeper/payload", .version = 1, .min_version = 1, VMS_OF(struct keeper),
	.fields = VMS_FIELDS(VIRTIO_HEAD(struct keeper, v), VIRTIO_TAIL),
};
static const struct vmstate keep_state = {
	.name = "virtio-keeper", .version = 1, .min_version = 1, VMS_OF(struct keeper),
	.fields = VMS_FIELDS(VIRTIO_PAYLOAD(keep_payload_state)),
};
static const struct vmstate keep_own_state = {
	.name = "cede/virtio-keeper", .version = 1, .min_version = 1, VMS_OF(struct keeper),
	.fields = VMS_FIELDS(VIRTIO_OWN, VIRTIO_ELEMENTS("kept", struct keeper, kept, 64), VMS_U32(struct keeper, resets),
			     VMS_U32(struct keeper, written), VMS_U16(struct keeper, number)),
};

static const struct device_class keeper_class = {
	.name = "virtio-keeper-pci", .size = sizeof(struct keeper), .on = &pci_bus, .properties = keep_properties, .init = keep_init,
	.free = keep_free, .reset = virtio_device_reset, .loaded = virtio_device_loaded,
};

/* The oldest comes back; `n` bytes of it were written. */
static void give_back(struct virtio_device *v, uint32_t n)
{
	struct virtio_element *e = keeper(v)->kept;

	if (!check(e != NULL, "there is one to give back"))
		return;
	keeper(v)->kept = e->next;
	virtio_push(v, e, n);
	virtio_notify(v, e->queue);
	virtio_element_free(e);
}

static unsigned kept(struct virtio_device *v)
{
	unsigned n = 0;

	for (const struct virtio_element *e = keeper(v)->kept; e; e = e->next)
		n++;
	return n;
}

static struct ring begin(struct virtio_device *v, uint64_t features)
{
	struct ring r;

	modern_begin(v, features);
	r = ring_new(v, 0, RING);
	modern_ready(v);
	return r;
}

/* ---- Identity ---- */

static uint32_t config_le(const struct virtio_device *v, unsigned at, unsigned bytes)
{
	uint32_t value = 0;

	for (unsigned i = 0; i < bytes; i++)
		value |= (uint32_t)v->pci.config[at + i] << 8 * i;
	return value;
}

static void test_capability(const struct virtio_device *v, unsigned at, unsigned next, unsigned type, uint32_t offset)
{
	check_eq(config_le(v, at, 2), next << 8 | 9, "capability %x: id, next", at);
	check_eq(v->pci.config[at + 3], type, "capability %x: type", at);
	check_eq(v->pci.config[at + 4], 4, "capability %x: BAR", at);
	check_eq(config_le(v, at + 8, 4), offset, "capability %x: offset", at);
	check_eq(config_le(v, at + 12, 4), 0x1000, "capability %x: length", at);
}

static void test_identity(struct machine *m)
{
	struct virtio_device *v = virtio_new(m, &keeper_class, ""), *modern = virtio_new(m, &keeper_class, "disable-legacy=on");
	struct virtio_device *old = virtio_new(m, &keeper_class, "disable-modern=on,vectors=0");
	struct error err = { .msg = "" };

	check_eq(config_le(v, 0, 4), 0x10111af4, "transitional: device and vendor");
	check_eq(config_le(v, 0x2c, 4), 0x00111af4, "transitional: subsystem");
	check_eq(config_le(v, 8, 4), 0x00ff0000, "transitional: revision and class");
	check_eq(v->pci.config[0x34], 0x98, "the first capability");
	check_eq(config_le(v, 0x98, 2), 0x8411, "MSI-X, then the window");
	check_eq(config_le(v, 0x84, 4), 0x05147009, "the window");
	test_capability(v, 0x70, 0x60, 2, 0x3000);
	test_capability(v, 0x60, 0x50, 4, 0x2000);
	test_capability(v, 0x50, 0x40, 3, 0x1000);
	test_capability(v, 0x40, 0, 1, 0);
	check_eq(config_le(v, 0x80, 4), 4, "notification multiplier");
	check_eq(v->pci.bar[0].size, 0x20, "BAR 0");
	check_eq(v->pci.bar[4].size, 0x4000, "BAR 4");
	check_eq(v->pci.msix.vectors, 3, "a vector a queue, and one");
	check_eq(config_le(modern, 0, 4), 0x10511af4, "modern: device and vendor");
	check_eq(config_le(modern, 0x2c, 4), 0x11001af4, "modern: subsystem");
	check_eq(modern->pci.config[8], 1, "modern: revision");
	check_eq(modern->pci.bar[0].size, 0, "modern: no BAR 0");
	check_eq(old->pci.bar[4].size, 0, "legacy: no BAR 4");
	check_eq(old->pci.config[0x34], 0, "legacy: no capability");
	check_eq(old->host_features >> 32, UINT64_C(1) << 8, "legacy: no VERSION_1");
	check(!device_new(m, &keeper_class, "disable-legacy=on,disable-modern=on", &err) && strstr(err.msg, "no interface"),
	      "no interface at all is refused");
}

/* ---- Registers ---- */

static void test_features(struct virtio_device *v)
{
	uint64_t offered;

	set_status(v, 0);
	bar_store(v, 4, 0, 4, 0);
	offered = bar_load(v, 4, 4, 4);
	check_eq(offered, UINT64_C(0x30000006), "features, low: none of the legacy ones");
	bar_store(v, 4, 0, 4, 1);
	check_eq(bar_load(v, 4, 4, 4), 0x101, "features, high");
	bar_store(v, 4, 0, 4, 2);
	check_eq(bar_load(v, 4, 4, 4), 0, "features, beyond");
	modern_begin(v, UINT64_MAX & ~(UINT64_C(1) << VIRTIO_F_BAD_FEATURE));
	check_eq(v->features, v->host_features & ~(UINT64_C(1) << VIRTIO_F_BAD_FEATURE), "only what is offered is taken");
	bar_store(v, 4, 0xc, 4, 0);
	check(v->features != 0, "no change after FEATURES_OK");
	check_eq(bar_load(v, 4, 0x12, 2), 2, "number of queues");
	bar_store(v, 4, 0x16, 2, 1);
	check_eq(bar_load(v, 4, 0x18, 2), 16, "size of queue 1");
	check_eq(bar_load(v, 4, 0x1e, 2), 1, "notification of queue 1");
	bar_store(v, 4, 0x18, 2, 12);
	check_eq(bar_load(v, 4, 0x18, 2), 16, "a size that is no power of two is not taken");
	bar_store(v, 4, 0x18, 2, 4);
	check_eq(bar_load(v, 4, 0x18, 2), 4, "a smaller one is");
	bar_store(v, 4, 0x1a, 2, 3);
	check_eq(bar_load(v, 4, 0x1a, 2), 0xffff, "no such vector");
	bar_store(v, 4, 0x16, 2, 2);
	check_eq(bar_load(v, 4, 0x18, 2), 0, "no queue 2");
	bar_store(v, 4, 0x16, 2, 1024);
	check_eq(bar_load(v, 4, 0x16, 2), 2, "a selection too far is ignored");
	bar_store(v, 4, 0x1c, 2, 1);
	check_eq(bar_load(v, 4, 0x1c, 2), 0, "a queue that is not cannot be enabled");
	bar_store(v, 4, 0x1c, 2, 2);
	check(v->broken && status_of(v) & VIRTIO_S_NEEDS_RESET, "enabling by another value breaks the device");
	set_status(v, 0);
	check_eq(status_of(v), 0, "reset reads back");
	check(!v->broken && v->queue[1].size == 16, "and all is as at first");
}

static void test_config(struct virtio_device *v)
{
	struct ring r = begin(v, V1);

	(void)r;
	keeper(v)->number = 0x1234;
	check_eq(bar_load(v, 4, 0x2000, 2), 0x1234, "the configuration");
	check_eq(bar_load(v, 4, 0x2001, 1), 0x12, "a byte of it");
	check_eq(bar_load(v, 4, 0x2006, 4), 0xffffffff, "beyond its end");
	check_eq(bar_load(v, 4, 0x2ff8, 8), UINT64_MAX, "far beyond");
	bar_store(v, 4, 0x2000, 1, 0x99);
	check_eq(keeper(v)->number, 0x1299, "a byte is written");
	virtio_config_changed(v);
	check_eq(v->pci.pin_high, 1, "a change asserts the pin");
	check_eq(bar_load(v, 4, 0x1000, 1), 3, "ISR says so");
	check_eq(bar_load(v, 4, 0x1000, 1), 0, "once");
	check_eq(v->pci.pin_high, 0, "the pin is released");
}

static void test_window(struct virtio_device *v)
{
	struct ring r = begin(v, V1);

	keeper(v)->number = 0x5566;
	pci_config_store(&v->pci, 0x88, 1, 4);
	pci_config_store(&v->pci, 0x8c, 4, 0x2000);
	pci_config_store(&v->pci, 0x90, 4, 2);
	check_eq(pci_config_load(&v->pci, 0x94, 2), 0x5566, "window: load");
	pci_config_store(&v->pci, 0x94, 2, 0x7788);
	check_eq(keeper(v)->number, 0x7788, "window: store");
	pci_config_store(&v->pci, 0x8c, 4, UINT32_MAX - 1);
	pci_config_store(&v->pci, 0x94, 2, 1);
	(void)pci_config_load(&v->pci, 0x94, 4);
	pci_config_store(&v->pci, 0x8c, 4, 0x2001);
	pci_config_store(&v->pci, 0x94, 2, 1);
	pci_config_store(&v->pci, 0x90, 4, UINT32_MAX);
	pci_config_store(&v->pci, 0x8c, 4, 0);
	pci_config_store(&v->pci, 0x94, 4, 1);
	pci_config_store(&v->pci, 0x90, 4, 0);
	pci_config_store(&v->pci, 0x94, 4, 1);
	pci_config_store(&v->pci, 0x90, 4, 2);
	pci_config_store(&v->pci, 0x8c, 4, 0x2000);
	pci_config_store(&v->pci, 0x88, 1, 0);
	pci_config_store(&v->pci, 0x94, 4, 1);
	check_eq(keeper(v)->number, 0x7788, "window: an access that there is not does nothing");
	pci_config_store(&v->pci, 0x88, 1, 4);
	pci_config_store(&v->pci, 0x8c, 4, 0x3000);
	put_desc(&r, 0, BUFFER, 4, 0, 0);
	offer(&r, 0);
	pci_config_store(&v->pci, 0x94, 2, 0);
	check_eq(kept(v), 1, "window: a notification");
}

/* ---- Rings ---- */

static void test_ring(struct virtio_device *v)
{
	struct ring r = begin(v, V1);
	struct ram *ram = &v->pci.dev.machine->ram;
	const struct virtio_element *e;
	char text[8] = "";

	ram_write(ram, BUFFER, "abcdef", 6);
	put_desc(&r, 3, BUFFER, 4, D_NEXT, 1);
	put_desc(&r, 1, BUFFER + 4, 2, D_NEXT, 0);
	put_desc(&r, 0, BUFFER + 0x100, 3, D_NEXT | D_WRITE, 5);
	put_desc(&r, 5, BUFFER + 0x200, 100, D_WRITE, 77);
	offer(&r, 3);
	kick(&r);
	e = keeper(v)->kept;
	if (!check(e && !e->next, "one element"))
		return;
	check(e->outs == 2 && e->ins == 2 && e->head == 3, "its parts");
	check_eq(e->out_bytes, 6, "bytes to read");
	check_eq(e->in_bytes, 103, "bytes to write");
	check_eq(virtio_take(v, e, 3, text, 8), 3, "as many as there are");
	check(!memcmp(text, "def", 3), "over the edge of two");
	check_eq(virtio_take(v, e, 6, text, 8), 0, "none at the end");
	check_eq(virtio_give(v, e, 1, "vwxyz", 5), 5, "written");
	check_eq(ld_be32(ram, BUFFER + 0x100), 0x00767700, "over the edge of two, too");
	check_eq(ld_be32(ram, BUFFER + 0x200), 0x78797a00, "and the rest");
	check_eq(virtio_give(v, e, UINT64_MAX, "a", 1), 0, "far beyond");
	give_back(v, 6);
	check_eq(used_index(&r), 1, "used index");
	check_eq(used_id(&r, 0), 3, "used id");
	check_eq(used_bytes(&r, 0), 6, "used bytes");
	check_eq(v->pci.pin_high, 1, "an interrupt");
	check_eq(bar_load(v, 4, 0x1000, 1), 1, "of a queue");
	check(!v->broken, "whole");
}

static void test_indirect(struct virtio_device *v)
{
	struct ring r = begin(v, V1);

	for (unsigned i = 0; i < 200; i++)
		put_desc_at(&r, TABLE, i, BUFFER + i, 1, i < 199 ? D_NEXT | D_WRITE : D_WRITE, i + 1);
	put_desc(&r, 7, TABLE, 200 * 16, D_INDIRECT, 0);
	offer(&r, 7);
	kick(&r);
	check(kept(v) == 1 && keeper(v)->kept->ins == 200, "an indirect element is longer than its ring");
	virtio_unpop(v, keeper(v)->kept);
	drop_kept(keeper(v));
	kick(&r);
	check(kept(v) == 1 && keeper(v)->kept->head == 7, "taken back, it comes again");
}

/* ---- Rings that are wrong: what is put where, and the reason that -d guest_errors gives ---- */

static void loop_of_two(struct ring *r)
{
	put_desc(r, 0, BUFFER, 1, D_NEXT, 1);
	put_desc(r, 1, BUFFER, 1, D_NEXT, 0);
	offer(r, 0);
}

static void loop_indirect(struct ring *r)
{
	put_desc_at(r, TABLE, 0, BUFFER, 1, D_NEXT, 0);
	put_desc(r, 0, TABLE, 16, D_INDIRECT, 0);
	offer(r, 0);
}

/* What lies there would do as a descriptor, here and in the next. */
static void next_far(struct ring *r)
{
	put_desc(r, 8, BUFFER, 1, 0, 0);
	put_desc(r, 0, BUFFER, 1, D_NEXT, 8);
	offer(r, 0);
}

static void next_far_indirect(struct ring *r)
{
	put_desc_at(r, TABLE, 0, BUFFER, 1, D_NEXT, 2);
	put_desc_at(r, TABLE, 2, BUFFER, 1, 0, 0);
	put_desc(r, 0, TABLE, 32, D_INDIRECT, 0);
	offer(r, 0);
}

static void no_bytes(struct ring *r)
{
	put_desc(r, 0, BUFFER, 0, 0, 0);
	offer(r, 0);
}

static void outside(struct ring *r)
{
	put_desc(r, 0, UINT64_C(256) << 20, 1, D_WRITE, 0);
	offer(r, 0);
}

static void over_the_end(struct ring *r)
{
	put_desc(r, 0, (UINT64_C(256) << 20) - 1, 2, D_WRITE, 0);
	offer(r, 0);
}

static void round_the_end(struct ring *r)
{
	put_desc(r, 0, UINT64_MAX, 2, D_WRITE, 0);
	offer(r, 0);
}

static void read_after_write(struct ring *r)
{
	put_desc(r, 0, BUFFER, 1, D_NEXT | D_WRITE, 1);
	put_desc(r, 1, BUFFER, 1, 0, 0);
	offer(r, 0);
}

static void indirect_in_indirect(struct ring *r)
{
	put_desc_at(r, TABLE, 0, TABLE, 16, D_INDIRECT, 0);
	put_desc(r, 0, TABLE, 16, D_INDIRECT, 0);
	offer(r, 0);
}

static void indirect_later(struct ring *r)
{
	put_desc(r, 0, BUFFER, 1, D_NEXT, 1);
	put_desc(r, 1, TABLE, 16, D_INDIRECT, 0);
	offer(r, 0);
}

static void indirect_and_next(struct ring *r)
{
	put_desc_at(r, TABLE, 0, BUFFER, 1, 0, 0);
	put_desc(r, 0, TABLE, 16, D_INDIRECT | D_NEXT, 1);
	offer(r, 0);
}

static void indirect_empty(struct ring *r)
{
	put_desc(r, 0, TABLE, 0, D_INDIRECT, 0);
	offer(r, 0);
}

static void indirect_odd(struct ring *r)
{
	put_desc(r, 0, TABLE, 17, D_INDIRECT, 0);
	offer(r, 0);
}

static void indirect_outside(struct ring *r)
{
	put_desc(r, 0, UINT64_MAX - 7, 16, D_INDIRECT, 0);
	offer(r, 0);
}

static void too_many(struct ring *r)
{
	for (unsigned i = 0; i <= VIRTIO_SEGMENTS; i++)
		put_desc_at(r, TABLE, i, BUFFER, 1, i < VIRTIO_SEGMENTS ? D_NEXT : 0, i + 1);
	put_desc(r, 0, TABLE, (VIRTIO_SEGMENTS + 1) * 16, D_INDIRECT, 0);
	offer(r, 0);
}

static void head_far(struct ring *r) { offer(r, 8); }
static void index_jumps(struct ring *r) { ring_put(r, r->avail + 2, 9, 2); }
static void index_back(struct ring *r) { ring_put(r, r->avail + 2, 0xffff, 2); }

static const struct {
	const char *name;
	void (*make)(struct ring *r);
} wrong_rings[] = {
	{ "a loop", loop_of_two }, { "a loop of one in a table", loop_indirect }, { "next too far", next_far },
	{ "next too far in a table", next_far_indirect }, { "no bytes", no_bytes }, { "outside memory", outside },
	{ "over memory's end", over_the_end }, { "round the end of 64 bits", round_the_end },
	{ "to read after to write", read_after_write }, { "indirect in indirect", indirect_in_indirect },
	{ "indirect later", indirect_later }, { "indirect and next", indirect_and_next }, { "an empty table", indirect_empty },
	{ "half a descriptor", indirect_odd }, { "a table outside memory", indirect_outside }, { "too many parts", too_many },
	{ "a head that is not", head_far }, { "the index jumps", index_jumps }, { "the index goes back", index_back },
};

static void test_wrong_ring(struct virtio_device *v, unsigned i)
{
	const char *name = wrong_rings[i].name;
	struct ring r = begin(v, V1);

	wrong_rings[i].make(&r);
	kick(&r);
	check(v->broken && !kept(v), "%s: broken", name);
	check_eq(status_of(v), 0x4f, "%s: needs a reset", name);
	check(v->pci.pin_high && bar_load(v, 4, 0x1000, 1) == 3, "%s: and says so", name);
	check_eq(used_index(&r), 0, "%s: nothing was used", name);
	kick(&r);
	check(!v->pci.pin_high, "%s: then silence", name);
	r = begin(v, V1);
	put_desc(&r, 0, BUFFER, 1, 0, 0);
	offer(&r, 0);
	kick(&r);
	check_eq(kept(v), 1, "%s: after a reset it works", name);
}

/* Where no part of a ring can be. */
static void test_rings_outside(struct virtio_device *v)
{
	static const uint64_t at[] = { UINT64_C(256) << 20, UINT64_MAX - 20, (UINT64_C(256) << 20) - 2 };

	for (unsigned i = 0; i < 3; i++)
		for (unsigned part = 0; part < 3; part++) {
			struct ring r;

			modern_begin(v, V1 | EVENTS);
			r = ring_new(v, 0, RING);
			put_desc(&r, 0, BUFFER, 1, 0, 0);
			offer(&r, 0);
			*(&v->queue[0].desc + part) = at[i];
			modern_ready(v);
			kick(&r);
			if (kept(v))
				give_back(v, 0);
			check(v->broken, "part %u of a ring at 0x%" PRIx64, part, at[i]);
		}
}

/* All elements of a ring are in flight: one more is a lie. */
static void test_in_flight(struct virtio_device *v)
{
	struct ring r = begin(v, V1);

	put_desc(&r, 0, BUFFER, 1, 0, 0);
	for (unsigned i = 0; i < 8; i++)
		offer(&r, 0);
	kick(&r);
	check(kept(v) == 8 && !v->broken, "as many as the ring has");
	offer(&r, 0);
	kick(&r);
	check(kept(v) == 8 && v->broken, "not one more");
}

/* ---- When the driver is told ---- */

static bool told(struct virtio_device *v)
{
	bool pin = v->pci.pin_high;

	(void)bar_load(v, 4, 0x1000, 1);
	return pin;
}

static void use_one(struct ring *r)
{
	offer(r, 0);
	kick(r);
	give_back(r->v, 0);
}

static void test_events(struct virtio_device *v)
{
	struct ring r = begin(v, V1 | EVENTS);

	put_desc(&r, 0, BUFFER, 1, 0, 0);
	ring_put(&r, r.avail + 4 + 2 * r.size, 100, 2);	/* used_event */
	use_one(&r);
	check(told(v), "events: the first always");
	use_one(&r);
	check(!told(v), "events: not before it");
	check_eq(ring_get(&r, r.used + 4 + 8 * r.size, 2), 2, "events: kicks are wanted from the next on");
	ring_put(&r, r.avail + 4 + 2 * r.size, 2, 2);
	use_one(&r);
	check(told(v), "events: at it");
	use_one(&r);
	check(!told(v), "events: not after it");
	r = begin(v, V1);
	put_desc(&r, 0, BUFFER, 1, 0, 0);
	ring_put(&r, r.avail, 1, 2);
	use_one(&r);
	check(!told(v), "no interrupts wanted, none sent");
	ring_put(&r, r.avail, 0, 2);
	use_one(&r);
	check(told(v), "wanted again");
}

static void test_vectors(struct virtio_device *v)
{
	struct ring r = begin(v, V1);

	use_vectors(v);
	bar_store(v, 4, 0x10, 2, 2);
	bar_store(v, 4, 0x16, 2, 0);
	bar_store(v, 4, 0x1a, 2, 1);
	put_desc(&r, 0, BUFFER, 1, 0, 0);
	use_one(&r);
	check(vector_came(v, 1) && !vector_came(v, 2), "the queue's vector");
	check(!v->pci.pin_high, "and not the pin");
	virtio_config_changed(v);
	check(vector_came(v, 2) && !vector_came(v, 1), "the configuration's vector");
	pci_config_store(&v->pci, v->pci.msix.capability + 2, 2, 0);
}

static void test_queue_reset(struct virtio_device *v)
{
	struct ring r = begin(v, V1 | UINT64_C(1) << VIRTIO_F_RING_RESET);

	put_desc(&r, 0, BUFFER, 1, 0, 0);
	offer(&r, 0);
	kick(&r);
	bar_store(v, 4, 0x16, 2, 0);
	bar_store(v, 4, 0x3a, 2, 1);
	check(!kept(v) && bar_load(v, 4, 0x1c, 2) == 0 && bar_load(v, 4, 0x3a, 2) == 0, "a queue is taken back");
	r = ring_new(v, 0, RING);
	put_desc(&r, 0, BUFFER, 1, 0, 0);
	use_one(&r);
	check_eq(used_index(&r), 1, "and begins anew");
}

/* Without the right to use memory it does nothing. */
static void test_master(struct virtio_device *v)
{
	struct ring r = begin(v, V1);

	put_desc(&r, 0, BUFFER, 1, 0, 0);
	offer(&r, 0);
	pci_config_store(&v->pci, 4, 2, 7);
	pci_config_store(&v->pci, 4, 2, 3);
	kick(&r);
	check(!kept(v) && !(status_of(v) & VIRTIO_S_DRIVER_OK), "no bus master: nothing");
	pci_config_store(&v->pci, 4, 2, 7);
	modern_ready(v);
	kick(&r);
	check_eq(kept(v), 1, "bus master: it goes on");
}

/* ---- The legacy interface, of a guest of either byte order ---- */

static void test_legacy(struct virtio_device *v, bool big)
{
	struct machine *m = v->pci.dev.machine;
	struct cpu *cpu = &m->cpu[0]->cpu;
	struct ring r = { .v = v, .size = 8, .desc = RING, .avail = RING + 8 * 16, .used = RING + 4096, .big = big };
	uint64_t msr = cpu->msr;

	ram_fill(&m->ram, RING, 0, 0x8000);
	cpu->msr = big ? 0 : MSR_LE;
	m->running = cpu;
	bar_store(v, 0, 18, 1, 0);
	m->running = NULL;
	cpu->msr = msr;
	bar_store(v, 0, 18, 1, 3);
	check(pci_is_master(&v->pci), "legacy: bus master by itself");
	check_eq(bar_load(v, 0, 0, 4), 0x79000006, "legacy: features");
	bar_store(v, 0, 4, 4, 6);
	bar_store(v, 0, 14, 2, 0);
	check_eq(bar_load(v, 0, 12, 2), 8, "legacy: queue size");
	bar_store(v, 0, 8, 4, RING >> 12);
	check_eq(bar_load(v, 0, 8, 4), RING >> 12, "legacy: queue page");
	bar_store(v, 0, 18, 1, 7);
	keeper(v)->number = 0x1234;
	check_eq(bar_load(v, 0, 20, 1), big ? 0x12 : 0x34, "legacy: the configuration is in the guest's order");
	put_desc(&r, 2, BUFFER, 0x102, D_WRITE, 0);
	offer(&r, 2);
	bar_store(v, 0, 16, 2, 0);
	check(kept(v) == 1 && keeper(v)->kept->in_bytes == 0x102, "legacy: an element");
	give_back(v, 0x55);
	check_eq(used_index(&r), 1, "legacy: used index");
	check(used_id(&r, 0) == 2 && used_bytes(&r, 0) == 0x55, "legacy: used element");
	check(v->pci.pin_high && bar_load(v, 0, 19, 1) == 1 && !v->pci.pin_high, "legacy: ISR");
	bar_store(v, 0, 8, 4, 0);
	check_eq(bar_load(v, 0, 18, 1), 0, "legacy: page 0 resets");
	use_vectors(v);
	check_eq(bar_load(v, 0, 20, 2), 0xffff, "legacy: with MSI-X there are vectors");
	bar_store(v, 0, 20, 2, 1);
	check_eq(bar_load(v, 0, 20, 2), 1, "legacy: one is taken");
	pci_config_store(&v->pci, v->pci.msix.capability + 2, 2, 0);
	/* Any access anywhere */
	for (unsigned at = 0; at < 32; at++)
		for (unsigned size = 1; size <= 4; size *= 2)
			(void)bar_load(v, 0, at & ~(size - 1), size);
}

/* ---- Snapshots ---- */

static uint8_t *save(struct virtio_device *v, const struct vmstate *state, size_t *len)
{
	int fd = memfd_create("state", 0);
	struct error err = { .msg = "" };
	struct stream s;
	struct vms_walk w = { .stream = &s, .section = "keeper" };
	uint8_t *data;

	if (!stream_open(&s, fd, true, &err) || !vms_save(&w, state, v) || !stream_finish(&s))
		printf("FAIL cannot save: %s\n", err.msg);
	*len = (size_t)stream_position(&s);
	data = calloc(1, *len + 1);
	if (pread(fd, data, *len, 0) != (ssize_t)*len)
		printf("FAIL cannot read\n");
	stream_close(&s);
	close(fd);
	return data;
}

static bool load(struct virtio_device *v, const struct vmstate *state, const uint8_t *data, size_t len)
{
	struct error err = { .msg = "" };
	struct stream s;
	struct vms_walk w = { .stream = &s, .section = "keeper" };
	bool ok = stream_open_memory(&s, data, len, &err) && vms_load(&w, state, v, 1) && stream_at_end(&s);

	stream_close(&s);
	return ok;
}

static uint64_t be_at(const uint8_t *p, unsigned bytes)
{
	uint64_t value = 0;

	for (unsigned i = 0; i < bytes; i++)
		value = value << 8 | p[i];
	return value;
}

/* A subsection's name and version, and what it holds: `bytes`. */
static const uint8_t *sub_at(const uint8_t **p, const char *name, size_t bytes)
{
	const uint8_t *at = *p;
	size_t len = strlen(name);

	check(at[0] == 5 && at[1] == len && !memcmp(at + 2, name, len), "layout: %s", name);
	*p = at + 2 + len + 4 + bytes;
	return at + 2 + len + 4;
}

static void test_layout(const uint8_t *data, size_t len, const struct ring *r, size_t pci_bytes)
{
	const uint8_t *p = data + pci_bytes, *sub;

	p += 3 * 16 + 1;
	check_eq(be_at(p, 2), 2, "layout: vector of the configuration");
	check_eq(p[2], 0xf, "layout: status");
	check_eq(p[3], 1, "layout: isr");
	check_eq(be_at(p + 4, 2), 0, "layout: selected queue");
	check_eq(be_at(p + 6, 4), EVENTS, "layout: low features");
	check_eq(be_at(p + 10, 4), 8, "layout: bytes of configuration");
	check_eq(be_at(p + 22, 4), 2, "layout: queues");
	check_eq(be_at(p + 26, 4), 8, "layout: size");
	check_eq(be_at(p + 30, 8), r->desc, "layout: descriptors");
	check_eq(be_at(p + 38, 2), 3, "layout: last_avail");
	check_eq(be_at(p + 40, 2), 1, "layout: vector");
	check_eq(be_at(p + 42, 4), 16, "layout: size of the next");
	p += 58;
	sub = sub_at(&p, "virtio/device_endian", 1);
	check_eq(sub[0], 2, "layout: a reset by nobody is one of a big-endian machine");
	sub = sub_at(&p, "virtio/64bit_features", 8);
	check_eq(be_at(sub, 8), V1 | EVENTS, "layout: features");
	sub = sub_at(&p, "virtio/virtqueues", 1024 * 16);
	check(be_at(sub, 8) == r->avail && be_at(sub + 8, 8) == r->used, "layout: rings");
	sub_at(&p, "virtio/extra_state", 0);
	sub = sub_at(&p, "virtio_pci/modern_state", 16 + 1024 * 28);
	check_eq(be_at(sub + 8, 8), (EVENTS << 32) | 1, "layout: the driver's features");
	check(sub[16 + 3] == 1 && be_at(sub + 16 + 4, 4) == r->desc, "layout: a queue that is enabled");
	sub = sub_at(&p, "virtio/started", 1);
	check_eq(sub[0], 1, "layout: started");
	check_eq((uint64_t)(p - data), len, "layout: nothing follows");
}

static void test_snapshot(struct machine *m, struct virtio_device *v)
{
	struct virtio_device *copy = virtio_new(m, &keeper_class, "");
	size_t len, own_len, pci_len, again_len;
	uint64_t hash, own_hash;
	uint8_t *data, *own, *pci, *again;
	struct ring r = begin(v, V1 | EVENTS);

	bar_store(v, 4, 0x10, 2, 2);
	bar_store(v, 4, 0x1a, 2, 1);
	put_desc(&r, 0, BUFFER, 9, 0, 0);
	use_one(&r);
	offer(&r, 0);
	offer(&r, 0);
	kick(&r);
	pci = save(v, &pci_device_state, &pci_len);
	data = save(v, &keep_state, &len);
	own = save(v, &keep_own_state, &own_len);
	test_layout(data, len, &r, pci_len);
	hash = vms_hash(&keep_state, v, 1);
	own_hash = vms_hash(&keep_own_state, v, 1);
	check(load(copy, &keep_state, data, len) && load(copy, &keep_own_state, own, own_len), "it loads");
	virtio_loaded(copy, false);
	check_eq(vms_hash(&keep_state, copy, 1), hash, "the same hash");
	check_eq(vms_hash(&keep_own_state, copy, 1), own_hash, "of what is cede's own, too");
	again = save(copy, &keep_own_state, &again_len);
	check(again_len == own_len && !memcmp(again, own, own_len), "saved again it is the same");
	check(kept(copy) == 2 && keeper(copy)->kept->out_bytes == 9, "with what is in flight");
	give_back(copy, 0);
	check_eq(used_index(&r), 2, "which goes on");
	/* Another hypervisor's has no more than QEMU's section. */
	check(load(copy, &keep_state, data, len), "QEMU's section alone");
	virtio_loaded(copy, true);
	check(copy->queue[0].used_index == 2 && copy->queue[0].in_flight == 1, "the rest is in the ring");
	ring_put(&r, r.used + 2, 0x8000, 2);
	virtio_loaded(copy, true);
	check(copy->broken, "if it is one");
	free(again);
	again = save(copy, &keep_own_state, &again_len);
	drop_kept(keeper(copy));	/* a load finds an empty list, as after a reset */
	check(load(copy, &keep_own_state, again, again_len), "a broken one is saved and loaded like others");
	drop_kept(keeper(copy));
	own[2]++;			/* low byte of the first queue's used index */
	check(!load(copy, &keep_own_state, own, own_len), "a used index that is ahead is refused");
	for (unsigned i = 0; i < 2; i++) {
		again = (free(again), malloc(len));
		memcpy(again, data, len);
		if (i)
			again[pci_len + 3 * 16 + 1 + 41] = 0x80;	/* a vector */
		else
			*((uint8_t *)memmem(again, len, "64bit_features", 14) + 18) = 0x80;
		copy = virtio_new(m, &keeper_class, "");
		check(!load(copy, &keep_state, again, len), i ? "a vector that is not is refused" : "features are refused");
	}
	free(again);
	free(data);
	free(own);
	free(pci);
}

int main(void)
{
	struct virtio_device *v;
	struct rig rig;

	rig_new(&rig, "1");
	test_identity(rig.m);
	v = virtio_new(rig.m, &keeper_class, NULL);
	test_features(v);
	test_config(v);
	test_window(v);
	test_ring(v);
	test_indirect(v);
	for (unsigned i = 0; i < sizeof wrong_rings / sizeof wrong_rings[0]; i++)
		test_wrong_ring(v, i);
	test_rings_outside(v);
	test_in_flight(v);
	test_events(v);
	test_vectors(v);
	test_queue_reset(v);
	test_master(v);
	test_legacy(v, true);
	test_legacy(v, false);
	test_snapshot(rig.m, v);
	rig_free(&rig);
	return check_done();
}

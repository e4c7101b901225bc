/* Gives an input to a virtio device as what a driver does: registers behind its BARs, configuration space, what it writes
 * into rings, time that passes. Its first byte selects the device; then an operation a byte, and what it needs. RAM is
 * between inaccessible pages. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "machine/core/clock.h"
#include "machine/core/config.h"
#include "machine/host/chardev.h"
#include "machine/net/net.h"
#include "machine/virtio/virtio.h"
#include "tests/fuzz/firmware/rig.h"
#include "tests/fuzz/rng.h"

#define MAX_SIZE 4096
#define MAX_OPS   200
#define RING     UINT64_C(0x10000)	/* of each queue: descriptors, then the two rings, a page each */
#define RING_STEP 0x4000u
#define TABLE    UINT64_C(0x80000)
#define BUFFER   UINT64_C(0x100000)

extern const struct device_class virtio_rng_class, virtio_balloon_class, virtio_serial_class, virtconsole_class, virtserialport_class,
	virtio_net_class;

static const struct target {
	const struct device_class *class;
	const char *values;
} targets[] = {
	{ &virtio_rng_class, "" }, { &virtio_rng_class, "max-bytes=100,period=1" }, { &virtio_rng_class, "disable-modern=on,vectors=0" },
	{ &virtio_balloon_class, "guest-stats-polling-interval=1,deflate-on-oom=on" },
	{ &virtio_serial_class, "id=one,max_ports=1" }, { &virtio_serial_class, "id=more,max_ports=3" },
	{ &virtio_net_class, "netdev=echo" },
};

/* ---- A network that gives back what it gets ---- */

static bool echo_open(struct net *n, struct error *err)
{
	(void)n, (void)err;
	return true;
}

static void echo_close(struct net *n) { (void)n; }

static const struct net_backend echo = {
	.type = "echo", .help = "of a test", .open = echo_open, .close = echo_close, .send = net_arrives, .sums_right = true,
};

static struct net_config echo_config = { .backend = &echo, .id = "echo" };
static struct net cable = { .config = &echo_config };

static struct virtio_device *device[ARRAY_SIZE(targets)];

/* ---- Reading an input ---- */

static struct {
	const uint8_t *at, *end;
} in;

static uint8_t byte(void)
{
	return in.at < in.end ? *in.at++ : 0;
}

static uint64_t number(unsigned bytes)
{
	uint64_t v = 0;

	for (unsigned i = 0; i < bytes; i++)
		v |= (uint64_t)byte() << 8 * i;
	return v;
}

/* Mostly where something is; else anywhere. */
static uint64_t address(void)
{
	uint8_t kind = byte();

	switch (kind % 8) {
	case 0: return TABLE + 16 * (kind / 8);
	case 1: return RING + 16 * (kind / 8);
	case 2: return RIG_RAM - kind / 8;
	case 3: return number(8);
	default: return BUFFER + 64 * (kind / 8);
	}
}

static uint32_t length(void)
{
	uint8_t kind = byte();

	return kind < 250 ? kind : (uint32_t)number(4);
}

/* ---- Operations ---- */

static void load_bar(struct virtio_device *v, unsigned bar, uint64_t at, unsigned size)
{
	const struct pci_bar *b = &v->pci.bar[bar];

	if (b->size)
		b->ops->load(&v->pci, at & (b->size - 1) & ~(uint64_t)(size - 1), size);
}

static void store_bar(struct virtio_device *v, unsigned bar, uint64_t at, unsigned size, uint64_t value)
{
	const struct pci_bar *b = &v->pci.bar[bar];

	if (b->size)
		b->ops->store(&v->pci, at & (b->size - 1) & ~(uint64_t)(size - 1), size, value);
}

static void op_common_store(struct virtio_device *v)
{
	uint8_t at = byte(), size = 1u << byte() % 4;

	store_bar(v, 4, at % 64, size, number(4));
}

static void op_modern(struct virtio_device *v)
{
	uint8_t how = byte();
	uint64_t at = number(2);

	if (how & 1)
		store_bar(v, 4, at, 1u << (how >> 1) % 4, number(8));
	else
		load_bar(v, 4, at, 1u << (how >> 1) % 4);
}

static void op_legacy(struct virtio_device *v)
{
	uint8_t how = byte(), at = byte();

	if (how & 1)
		store_bar(v, 0, at, 1u << (how >> 1) % 3, number(4));
	else
		load_bar(v, 0, at, 1u << (how >> 1) % 3);
}

static void op_config(struct virtio_device *v)
{
	uint8_t how = byte(), at = byte(), size = 1u << (how >> 1) % 3;

	at &= (uint8_t)~(size - 1);
	if (how & 1)
		pci_config_store(&v->pci, at, size, (uint32_t)number(4));
	else
		pci_config_load(&v->pci, at, size);
}

/* A driver that is well behaved, up to DRIVER_OK. */
static void op_begin(struct virtio_device *v)
{
	uint8_t features = byte();

	store_bar(v, 4, 0x14, 1, 0);
	store_bar(v, 4, 0x14, 1, 3);
	for (unsigned i = 0; i < 2; i++) {
		store_bar(v, 4, 8, 4, i);
		store_bar(v, 4, 0xc, 4, i ? 0x101 : (uint32_t)features << 24 | 0xff);
	}
	store_bar(v, 4, 0x14, 1, 11);
	for (unsigned q = 0; q < v->queues && q < 4; q++) {
		store_bar(v, 4, 0x16, 2, q);
		store_bar(v, 4, 0x20, 4, RING + RING_STEP * q);
		store_bar(v, 4, 0x28, 4, RING + RING_STEP * q + 0x1000);
		store_bar(v, 4, 0x30, 4, RING + RING_STEP * q + 0x2000);
		store_bar(v, 4, 0x1c, 2, 1);
	}
	store_bar(v, 4, 0x14, 1, 15);
}

static void op_begin_legacy(struct virtio_device *v)
{
	store_bar(v, 0, 18, 1, 0);
	store_bar(v, 0, 18, 1, 3);
	store_bar(v, 0, 4, 4, (uint32_t)byte() << 24 | 0xff);
	for (unsigned q = 0; q < v->queues && q < 4; q++) {
		store_bar(v, 0, 14, 2, q);
		store_bar(v, 0, 8, 4, (RING + RING_STEP * q) >> 12);
	}
	store_bar(v, 0, 18, 1, 7);
}

static struct virtqueue *some_queue(struct virtio_device *v)
{
	return &v->queue[byte() % (v->queues < 4 ? v->queues : 4)];
}

static void put_ring(uint64_t at, const void *p, unsigned n)
{
	ram_write(&rig->ram, at, p, n);
}

static void op_descriptor(struct virtio_device *v)
{
	const struct virtqueue *q = some_queue(v);
	uint8_t where = byte();
	uint8_t raw[16] = { 0 };
	uint64_t at = address(), table = where & 128 ? TABLE : q->desc;
	uint32_t bytes = length();
	uint16_t flags = byte() % 8, next = byte();

	memcpy(raw, &at, 8);
	memcpy(raw + 8, &bytes, 4);
	memcpy(raw + 12, &flags, 2);
	memcpy(raw + 14, &next, 2);
	put_ring(table + 16 * (where % 128), raw, 16);
}

/* One more head is offered, and the device is told. */
static void op_offer(struct virtio_device *v)
{
	const struct virtqueue *q = some_queue(v);
	uint16_t head = byte(), index;

	if (!q->size || !ram_read(&rig->ram, q->avail + 2, &index, 2))
		return;
	put_ring(q->avail + 4 + UINT64_C(2) * (index % q->size), &head, 2);
	index++;
	put_ring(q->avail + 2, &index, 2);
	store_bar(v, 4, 0x3000 + 4 * (uint64_t)(q - v->queue), 2, 0);
	store_bar(v, 0, 16, 2, (uint64_t)(q - v->queue));
}

static void op_index(struct virtio_device *v)
{
	const struct virtqueue *q = some_queue(v);
	uint16_t index = (uint16_t)number(2);

	put_ring((byte() & 1 ? q->used : q->avail) + 2, &index, 2);
}

static void op_poke(struct virtio_device *v)
{
	uint64_t at = address(), value = number(8);

	(void)v;
	put_ring(at, &value, 8);
}

static void op_kick(struct virtio_device *v)
{
	store_bar(v, 4, 0x3000 + number(2) % 0x1000, 2, 0);
}

static void op_time(struct virtio_device *v)
{
	uint64_t end = rig->clock.now + (UINT64_C(1) << byte() % 33);

	(void)v;
	nets_look(rig);
	for (unsigned i = 0; i < 20 && clock_next_event(rig) <= end; i++) {
		rig->clock.now = clock_next_event(rig);
		clock_fire_due(rig);
	}
	if (clock_next_event(rig) > end)
		rig->clock.now = end;
}

static void op_hash(struct virtio_device *v)
{
	vms_hash(v->pci.dev.class->state, v, 1);
	vms_hash(v->pci.dev.class->own_state, v, 1);
	virtio_loaded(v, byte() & 1);
}

static void (*const ops[])(struct virtio_device *v) = {
	op_common_store, op_modern, op_legacy, op_config, op_begin, op_begin_legacy, op_descriptor, op_offer, op_index, op_poke, op_kick,
	op_time, op_hash, op_descriptor, op_offer, op_descriptor,
};

/* ---- What holds whatever was done ---- */

static void check_queues(const struct virtio_device *v)
{
	for (unsigned i = 0; i < v->queues; i++) {
		const struct virtqueue *q = &v->queue[i];

		if (!v->broken && (q->in_flight > q->size || q->size > VIRTIO_RING_MAX))
			die("queue", "more is in flight than there is");
	}
}

/* ---- libFuzzer's ---- */

static void reset_all(void)
{
	rig_reset();
	for (size_t i = 0; i < ARRAY_SIZE(device); i++) {
		struct device *dev = &device[i]->pci.dev;

		dev->class->on->reset(dev);
		dev->class->reset(dev);
	}
	while (cable.first)
		cable.arrived = cable.frames, net_done(&cable);
	for (struct event *event = rig->clock.timers; event; event = event->next_timer)
		event_cancel(rig, event);
	rig->clock.now = 1000000;
}

/* A driver of each kind: three elements, one of them through a table; and one of each operation. */
static void seeds(void)
{
	static const uint8_t driver[] = {
		4, 0x30, 6, 0, 0, 4, 64, 2, 0, 7, 0, 0, 6, 0, 1, 4, 8, 1, 2, 6, 0, 2, 12, 200, 2, 0, 7, 0, 1,
		6, 0, 128, 4, 100, 3, 1, 6, 0, 129, 12, 100, 2, 0, 6, 0, 3, 0, 32, 4, 0, 7, 0, 3, 11, 24, 12, 1, 1, 0, 0, 0x10,
	};
	static const uint8_t old[] = { 5, 0, 6, 0, 0, 4, 64, 2, 0, 7, 0, 0, 2, 0, 19, 11, 30, 8, 0, 9, 9, 0, 10, 0, 0 };
	/* What a driver of serial ports says: it is there, it has found port 0, which it opens and writes to. */
	static const uint8_t serial[] = {
		4, 0x20, 6, 2, 0, 4, 40, 2, 0, 7, 2, 0, 6, 2, 1, 12, 40, 2, 0, 7, 2, 1,
		9, 20, 0, 0, 0, 0, 0, 0, 1, 0, 6, 3, 0, 20, 8, 0, 0, 7, 3, 0, 9, 28, 0, 0, 0, 0, 3, 0, 1, 0, 6, 3, 1, 28, 8, 0, 0, 7, 3, 1,
		9, 36, 0, 0, 0, 0, 6, 0, 1, 0, 6, 3, 2, 36, 8, 0, 0, 7, 3, 2, 6, 1, 0, 4, 100, 0, 0, 7, 1, 0, 12, 1,
	};
	uint8_t data[128];
	char name[32];

	for (uint8_t i = 0; i < ARRAY_SIZE(targets); i++) {
		data[0] = i;
		memcpy(data + 1, driver, sizeof driver);
		snprintf(name, sizeof name, "driver-%u", i);
		rig_seed(name, data, 1 + sizeof driver);
		memcpy(data + 1, old, sizeof old);
		snprintf(name, sizeof name, "legacy-%u", i);
		rig_seed(name, data, 1 + sizeof old);
		memcpy(data + 1, serial, sizeof serial);
		snprintf(name, sizeof name, "serial-%u", i);
		rig_seed(name, data, 1 + sizeof serial);
		/* A frame that comes back; commands: which pass, a table of addresses. */
		const uint8_t net[] = {
			i, 4, 0xa0, 6, 0, 0, 4, 249, 2, 0, 7, 0, 0, 9, 20, 0, 0, 0, 0, 0, 0, 0, 0, 6, 1, 0, 20, 90, 0, 0, 7, 1, 0, 11, 3,
			9, 28, 1, 0, 1, 0, 0, 0, 2, 2, 6, 2, 0, 28, 16, 1, 1, 6, 2, 1, 36, 1, 2, 0, 7, 2, 0, 9, 28, 0, 0, 0, 0, 0, 0, 0, 0,
			6, 2, 0, 28, 3, 1, 1, 7, 2, 0, 7, 1, 0, 11, 3,
		};

		snprintf(name, sizeof name, "net-%u", i);
		rig_seed(name, net, sizeof net);
		/* Page numbers, given back; statistics. */
		for (uint8_t q = 0; q < 3; q++) {
			const uint8_t balloon[] = { i, 4, 0x20, 9, 4, 1, 1, 0, 0, 2, 1, 0, 0, 6, q, 0, 4, 40, 0, 0, 7, q, 0, 11, 31, 7, q, 0 };

			snprintf(name, sizeof name, "balloon-%u-%u", i, q);
			rig_seed(name, balloon, sizeof balloon);
		}
	}
}

size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max, unsigned seed)
{
	struct rng rng = { seed };
	size_t len = 1 + rng_below(&rng, 7), at = 1 + rng_below(&rng, (uint32_t)size);

	if (!rng_one_in(&rng, 3) || at > size || size + len > max)
		return LLVMFuzzerMutate(data, size, max);
	memmove(data + at + len, data + at, size - at);
	data[at] = (uint8_t)rng_below(&rng, ARRAY_SIZE(ops));
	for (size_t i = 1; i < len; i++)
		data[at + i] = (uint8_t)rng_below(&rng, rng_one_in(&rng, 2) ? 4 : 256);
	return size + len;
}

/* On streams that nobody looks at. */
static bool make_ports(struct error *err)
{
	static struct chardev streams[] = {
		{ .id = "c0" }, { .id = "c1" }, { .id = "c2" },
	};
	static struct config config;

	config = *rig->config;
	for (unsigned i = 0; i < ARRAY_SIZE(streams); i++)
		config.chardev[config.chardevs++] = &streams[i];
	rig->config = &config;
	return device_new(rig, &virtconsole_class, "bus=one.0,chardev=c0", err) &&
	       device_new(rig, &virtconsole_class, "bus=more.0,chardev=c1", err) &&
	       device_new(rig, &virtserialport_class, "bus=more.0,chardev=c2,name=org.cede", err);
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	struct error err = { .msg = "" };

	rig_begin(*argc, *argv, seeds);
	cable.machine = rig;
	rig->nets = &cable;
	for (size_t i = 0; i < ARRAY_SIZE(targets); i++) {
		device[i] = (struct virtio_device *)device_new(rig, targets[i].class, targets[i].values, &err);
		if (!device[i])
			die(targets[i].class->name, err.msg);
	}
	if (!make_ports(&err))
		die("ports", err.msg);
	return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct virtio_device *v;
	bool good = false;

	if (size < 2 || size > MAX_SIZE)
		return 0;
	reset_all();
	v = device[data[0] % ARRAY_SIZE(targets)];
	in.at = data + 1;
	in.end = data + size;
	for (unsigned n = 0; in.at < in.end && n < MAX_OPS; n++) {
		ops[byte() % ARRAY_SIZE(ops)](v);
		check_queues(v);
		for (unsigned q = 0; q < v->queues; q++)
			good |= v->queue[q].used_index != 0;
	}
	rig_count(good);
	return 0;
}

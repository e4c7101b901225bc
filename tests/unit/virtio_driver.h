/* A driver of one virtio device for tests: it calls what lies behind the BARs, and its rings are in guest memory. */
#ifndef TESTS_UNIT_VIRTIO_DRIVER_H
#define TESTS_UNIT_VIRTIO_DRIVER_H

#include "machine/virtio/virtio.h"
#include "rig.h"

#define D_NEXT     1u
#define D_WRITE    2u
#define D_INDIRECT 4u

struct ring {
	struct virtio_device *v;
	unsigned queue;
	uint32_t size;
	uint64_t desc, avail, used;
	bool big;
	uint16_t index;			/* of the next entry of avail */
};

static inline struct virtio_device *virtio_new(struct machine *m, const struct device_class *class, const char *values)
{
	struct error err = { .msg = "" };
	struct device *dev = device_new(m, class, values, &err);

	if (!dev) {
		printf("FAIL %s: %s\n", class->name, err.msg);
		exit(EXIT_FAILURE);
	}
	class->on->reset(dev);
	class->reset(dev);
	return (struct virtio_device *)dev;
}

/* ---- Registers ---- */

static inline uint64_t bar_load(struct virtio_device *v, unsigned bar, uint64_t at, unsigned size)
{
	return v->pci.bar[bar].ops->load(&v->pci, at, size);
}

static inline void bar_store(struct virtio_device *v, unsigned bar, uint64_t at, unsigned size, uint64_t value)
{
	v->pci.bar[bar].ops->store(&v->pci, at, size, value);
}

static inline uint8_t status_of(struct virtio_device *v) { return (uint8_t)bar_load(v, 4, 0x14, 1); }
static inline void set_status(struct virtio_device *v, uint8_t status) { bar_store(v, 4, 0x14, 1, status); }
static inline void kick(const struct ring *r) { bar_store(r->v, 4, 0x3000 + 4 * r->queue, 2, r->queue); }

/* Up to FEATURES_OK, as the modern interface has it. */
static inline void modern_begin(struct virtio_device *v, uint64_t features)
{
	set_status(v, 0);
	set_status(v, VIRTIO_S_ACKNOWLEDGE);
	set_status(v, VIRTIO_S_ACKNOWLEDGE | VIRTIO_S_DRIVER);
	for (unsigned i = 0; i < 2; i++) {
		bar_store(v, 4, 8, 4, i);
		bar_store(v, 4, 0xc, 4, (uint32_t)(features >> 32 * i));
	}
	set_status(v, VIRTIO_S_ACKNOWLEDGE | VIRTIO_S_DRIVER | VIRTIO_S_FEATURES_OK);
}

static inline void modern_ready(struct virtio_device *v) { set_status(v, status_of(v) | VIRTIO_S_DRIVER_OK); }

/* ---- Rings ---- */

static inline void ring_put(const struct ring *r, uint64_t at, uint64_t value, unsigned bytes)
{
	uint8_t raw[8];

	for (unsigned i = 0; i < bytes; i++)
		raw[i] = (uint8_t)(value >> 8 * (r->big ? bytes - 1 - i : i));
	ram_write(&r->v->pci.dev.machine->ram, at, raw, bytes);
}

static inline uint64_t ring_get(const struct ring *r, uint64_t at, unsigned bytes)
{
	uint64_t value = 0;
	uint8_t raw[8] = { 0 };

	ram_read(&r->v->pci.dev.machine->ram, at, raw, bytes);
	for (unsigned i = 0; i < bytes; i++)
		value |= (uint64_t)raw[i] << 8 * (r->big ? bytes - 1 - i : i);
	return value;
}

/* Clears it and tells the device where it is; three pages from `at` on, which is a multiple of 4096. */
static inline struct ring ring_new(struct virtio_device *v, unsigned queue, uint64_t at)
{
	struct ring r = { .v = v, .queue = queue, .desc = at, .avail = at + 0x4000, .used = at + 0x5000 };

	ram_fill(&v->pci.dev.machine->ram, at, 0, 0x8000);
	bar_store(v, 4, 0x16, 2, queue);
	r.size = (uint32_t)bar_load(v, 4, 0x18, 2);
	bar_store(v, 4, 0x20, 4, r.desc);
	bar_store(v, 4, 0x24, 4, r.desc >> 32);
	bar_store(v, 4, 0x28, 4, r.avail);
	bar_store(v, 4, 0x2c, 4, r.avail >> 32);
	bar_store(v, 4, 0x30, 4, r.used);
	bar_store(v, 4, 0x34, 4, r.used >> 32);
	bar_store(v, 4, 0x1a, 2, queue);
	bar_store(v, 4, 0x1c, 2, 1);
	return r;
}

static inline void put_desc_at(const struct ring *r, uint64_t table, unsigned i, uint64_t address, uint32_t bytes, unsigned flags,
			       unsigned next)
{
	ring_put(r, table + 16 * i, address, 8);
	ring_put(r, table + 16 * i + 8, bytes, 4);
	ring_put(r, table + 16 * i + 12, flags, 2);
	ring_put(r, table + 16 * i + 14, next, 2);
}

static inline void put_desc(const struct ring *r, unsigned i, uint64_t address, uint32_t bytes, unsigned flags, unsigned next)
{
	put_desc_at(r, r->desc, i, address, bytes, flags, next);
}

static inline void offer(struct ring *r, unsigned head)
{
	ring_put(r, r->avail + 4 + 2 * (r->index % r->size), head, 2);
	ring_put(r, r->avail + 2, ++r->index, 2);
}

static inline uint16_t used_index(const struct ring *r) { return (uint16_t)ring_get(r, r->used + 2, 2); }
static inline uint32_t used_id(const struct ring *r, unsigned i) { return (uint32_t)ring_get(r, r->used + 4 + 8 * (i % r->size), 4); }
static inline uint32_t used_bytes(const struct ring *r, unsigned i) { return (uint32_t)ring_get(r, r->used + 8 + 8 * (i % r->size), 4); }

/* ---- Interrupts: of the pin, or of vectors, which are masked and so wait ---- */

static inline void use_vectors(struct virtio_device *v)
{
	pci_config_store(&v->pci, v->pci.msix.capability + 2, 2, 0x8000);
}

static inline bool vector_came(struct virtio_device *v, unsigned vector)
{
	bool came = v->pci.msix.pending[vector / 8] >> vector % 8 & 1;

	v->pci.msix.pending[vector / 8] &= (uint8_t)~(1u << vector % 8);
	return came;
}

#endif

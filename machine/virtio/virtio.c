/* A virtio device as its driver sees it through either interface: features, status, configuration, reset.
 * Source: Virtual I/O Device (VIRTIO) Version 1.1, "Basic Facilities of a Virtio Device". */
#include "machine/virtio/virtio.h"

#include <stdlib.h>
#include <string.h>

#include "machine/core/clock.h"
#include "machine/core/log.h"
#include "machine/core/timers.h"
#include "machine/virtio/transport.h"

#define BIT(n) (UINT64_C(1) << (n))

/* QEMU's choice, which a guest's state from there has agreed to. */
#define COMMON_FEATURES \
	(BIT(VIRTIO_F_NOTIFY_ON_EMPTY) | BIT(VIRTIO_F_ANY_LAYOUT) | BIT(VIRTIO_F_INDIRECT_DESC) | BIT(VIRTIO_F_EVENT_IDX) | \
	 BIT(VIRTIO_F_BAD_FEATURE) | BIT(VIRTIO_F_RING_RESET))
#define LEGACY_FEATURES (BIT(VIRTIO_F_NOTIFY_ON_EMPTY) | BIT(VIRTIO_F_ANY_LAYOUT) | BIT(VIRTIO_F_BAD_FEATURE))

/* ---- Making ---- */

static bool has_queues(struct virtio_device *v)
{
	if (!v->queue)
		v->queue = calloc(VIRTIO_QUEUES, sizeof *v->queue);
	return v->queue != NULL;
}

bool virtio_add_queue(struct virtio_device *v, uint16_t size)
{
	if (!has_queues(v) || v->queues == VIRTIO_QUEUES)
		return false;
	v->queue[v->queues++].default_size = size;
	return true;
}

void virtio_lay_queue(struct virtio_device *v, unsigned at, uint16_t size)
{
	struct virtqueue *q = &v->queue[at];

	if (size)
		v->queues = at + 1;
	if (q->default_size == size)
		return;
	q->default_size = size;
	ring_clear(q);
}

/* Its queues are looked at again, all of them: the elements are there still. */
static void serve_later(void *dev)
{
	struct virtio_device *v = dev;

	for (unsigned i = 0; i < v->queues; i++)
		virtio_kick(v, i);
}

void virtio_look_later(struct virtio_device *v)
{
	struct machine *m = v->pci.dev.machine;

	if (v->later.when == UINT64_MAX)
		event_schedule(m, &v->later, machine_now(m) + MACHINE_QUANTUM);
}

bool virtio_puts_off(struct virtio_device *v)
{
	struct machine *m = v->pci.dev.machine;

	if (!m->running || !m->side_by_side || m->hcall_work < MACHINE_WORK_MOST)
		return false;
	if (v->later.when == UINT64_MAX)
		event_schedule(m, &v->later, machine_now(m));
	return true;
}

bool virtio_init(struct virtio_device *v, const struct virtio_class *class, uint16_t legacy_id, struct error *err)
{
	v->class = class;
	v->config_bytes = class->config_bytes;
	timer_init(&v->pci.dev, &v->later, "later", serve_later);
	if (!has_queues(v)) {
		error_set(err, "out of memory");
		return false;
	}
	if (v->disable_legacy && v->disable_modern) {
		error_usage(err, "-device %s: disable-legacy and disable-modern leave no interface", v->pci.dev.class->name);
		return false;
	}
	v->host_features = class->features | COMMON_FEATURES | (v->disable_modern ? 0 : BIT(VIRTIO_F_VERSION_1));
	return virtio_pci_init(v, legacy_id, err);
}

void virtio_free(struct virtio_device *v)
{
	pci_device_free(&v->pci);
	free(v->queue);
	v->queue = NULL;
}

/* ---- Reset ---- */

void virtio_put_features(struct virtio_device *v, uint64_t features)
{
	v->features = features;
	if (v->class->agreed)
		v->class->agreed(v);
}

static bool guest_is_big(const struct virtio_device *v)
{
	const struct cpu *cpu = v->pci.dev.machine->running;

	return !cpu || !(cpu->msr & MSR_LE);
}

/* By the driver: all but what belongs to the PCI function. */
static void reset_device(struct virtio_device *v)
{
	if (v->class->reset)
		v->class->reset(v);
	for (unsigned i = 0; i < VIRTIO_QUEUES; i++)
		ring_clear(&v->queue[i]);
	virtio_put_features(v, 0);
	v->status = v->isr = 0;
	v->queue_select = 0;
	v->config_vector = VIRTIO_NO_VECTOR;
	v->broken = v->disabled = false;
	v->big_endian = guest_is_big(v);
	pci_set_pin(&v->pci, false);
}

void virtio_reset(struct virtio_device *v)
{
	reset_device(v);
	v->feature_select = v->driver_feature_select = 0;
	memset(v->driver_features, 0, sizeof v->driver_features);
	memset(v->config, 0, sizeof v->config);
	v->config_generation = 0;
	if (v->class->get_config)
		v->class->get_config(v);
}

void virtio_loaded(struct virtio_device *v, bool foreign)
{
	pci_device_loaded(&v->pci);
	for (unsigned i = 0; foreign && i < v->queues; i++)
		if (!ring_recount(v, &v->queue[i]))
			break;
}

void virtio_take_again(struct virtio_device *v)
{
	for (unsigned i = 0; i < v->queues; i++) {
		v->queue[i].last_avail -= v->queue[i].in_flight;
		v->queue[i].in_flight = 0;
	}
}

void virtio_device_free(struct device *dev) { virtio_free((struct virtio_device *)dev); }
void virtio_device_reset(struct device *dev) { virtio_reset((struct virtio_device *)dev); }
void virtio_device_loaded(struct device *dev, bool foreign) { virtio_loaded((struct virtio_device *)dev, foreign); }

bool virtio_device_qemu_ready(const struct device *dev)
{
	return ((const struct virtio_device *)dev)->later.when == UINT64_MAX;
}

/* ---- Features and status ---- */

uint64_t virtio_offered(const struct virtio_device *v, bool modern)
{
	return modern ? v->host_features & ~LEGACY_FEATURES : v->host_features & UINT32_MAX;
}

void virtio_agree(struct virtio_device *v, uint64_t features)
{
	if (v->status & VIRTIO_S_FEATURES_OK)
		return;
	/* Who takes the bit that nobody may take has taken all that was shown, without looking. */
	virtio_put_features(v, features & BIT(VIRTIO_F_BAD_FEATURE) ? 0 : features & v->host_features);
}

void virtio_set_status(struct virtio_device *v, uint8_t status)
{
	uint8_t before = v->status;

	v->status = status;
	if (!status)
		reset_device(v);
	if (v->class->status && v->status != before)
		v->class->status(v, before);
}

bool virtio_ready(const struct virtio_device *v)
{
	return v->status & VIRTIO_S_DRIVER_OK && !v->broken && !v->disabled;
}

void virtio_set_disabled(struct virtio_device *v, bool disabled)
{
	v->disabled = disabled;
	if (disabled && v->status & VIRTIO_S_DRIVER_OK)
		virtio_set_status(v, v->status & (uint8_t)~VIRTIO_S_DRIVER_OK);
}

void virtio_break(struct virtio_device *v, const char *why)
{
	const struct device *dev = &v->pci.dev;

	if (v->broken)
		return;
	machine_log(dev->machine, LOG_GUEST_ERROR, "%s %u: %s", dev->class->name, (unsigned)dev->number, why);
	if (virtio_has(v, VIRTIO_F_VERSION_1)) {
		v->status |= VIRTIO_S_NEEDS_RESET;
		virtio_config_changed(v);
	}
	v->broken = true;
}

void virtio_kick(struct virtio_device *v, unsigned queue)
{
	if (ring_running(v, queue) && v->class->kicked)
		v->class->kicked(v, queue);
}

/* ---- Configuration ---- */

void virtio_config_changed(struct virtio_device *v)
{
	if (!(v->status & VIRTIO_S_DRIVER_OK))
		return;
	v->isr |= VIRTIO_ISR_QUEUE | VIRTIO_ISR_CONFIG;
	v->config_generation++;
	virtio_interrupt(v, v->config_vector);
}

void virtio_put_u16(struct virtio_device *v, unsigned at, uint16_t value)
{
	value = virtio_u16(v, value);
	memcpy(v->config + at, &value, sizeof value);
}

void virtio_put_u32(struct virtio_device *v, unsigned at, uint32_t value)
{
	value = virtio_u32(v, value);
	memcpy(v->config + at, &value, sizeof value);
}

void virtio_put_u64(struct virtio_device *v, unsigned at, uint64_t value)
{
	value = virtio_u64(v, value);
	memcpy(v->config + at, &value, sizeof value);
}

static bool within_config(const struct virtio_device *v, uint64_t at, unsigned size)
{
	return at <= v->config_bytes && size <= v->config_bytes - at;
}

uint64_t virtio_config_load(struct virtio_device *v, uint64_t at, unsigned size)
{
	uint64_t value = 0;

	if (!within_config(v, at, size))
		return UINT64_MAX;
	if (v->class->get_config)
		v->class->get_config(v);
	memcpy(&value, v->config + at, size);
	return value;
}

void virtio_config_store(struct virtio_device *v, uint64_t at, unsigned size, uint64_t value)
{
	if (!v->class->set_config || !within_config(v, at, size))
		return;
	if (v->class->get_config)
		v->class->get_config(v);
	memcpy(v->config + at, &value, size);
	v->class->set_config(v);
}

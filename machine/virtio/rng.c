/* virtio-rng-pci: a source of random numbers. They are the machine's (-seed), so that runs repeat.
 * Source: Virtual I/O Device (VIRTIO) Version 1.1, "Entropy Device"; max-bytes and period are QEMU's. */
#include <string.h>

#include "machine/core/timers.h"
#include "machine/virtio/virtio.h"

#define QUEUE_SIZE 8
#define LEGACY_ID  0x1005
#define CYCLES_PER_MS UINT64_C(1000000)

/* Bytes of one element: a driver that offers more gets them with the next ones. Bounds what a kick costs the host. */
#define AT_A_TIME 4096u

struct virtio_rng {
	struct virtio_device v;
	uint32_t max_bytes, period_ms;	/* at most so many bytes in so many ms; max_bytes 0: as many as it likes */
	uint32_t quota;			/* bytes left of this period; not if max_bytes is 0 */
	struct event refill;		/* the period's end; runs from its first byte on */
};

/* Eight bytes a number, the last of them in part. */
static void fill_random(struct machine *m, uint8_t *buf, uint32_t n)
{
	for (uint32_t at = 0; at < n; at += 8) {
		uint64_t value = machine_random(m);

		memcpy(buf + at, &value, n - at < 8 ? n - at : 8);
	}
}

static uint32_t bytes_now(const struct virtio_rng *rng, const struct virtio_element *e)
{
	uint32_t n = e->in_bytes < AT_A_TIME ? (uint32_t)e->in_bytes : AT_A_TIME;

	return rng->max_bytes && rng->quota < n ? rng->quota : n;
}

static void start_period(struct virtio_rng *rng)
{
	struct machine *m = rng->v.pci.dev.machine;

	if (rng->max_bytes && rng->refill.when == UINT64_MAX)
		event_schedule(m, &rng->refill, machine_now(m) + rng->period_ms * CYCLES_PER_MS);
}

static void serve(struct virtio_rng *rng, const struct virtio_element *e)
{
	uint32_t n = bytes_now(rng, e);
	uint8_t buf[AT_A_TIME];

	fill_random(rng->v.pci.dev.machine, buf, n);
	rng->v.pci.dev.machine->hcall_work += UINT64_C(4) * n;	/* a number takes longer than a copy */
	virtio_push(&rng->v, e, (uint32_t)virtio_give(&rng->v, e, 0, buf, n));
	if (rng->max_bytes) {
		rng->quota -= n;
		start_period(rng);
	}
}

static void serve_all(struct virtio_rng *rng)
{
	struct virtio_element *e;
	bool any = false;

	while ((!rng->max_bytes || rng->quota) && virtio_ready(&rng->v) && (e = virtio_pop(&rng->v, 0))) {
		serve(rng, e);
		virtio_element_free(e);
		any = true;
	}
	if (any)
		virtio_notify(&rng->v, 0);
}

static void rng_kicked(struct virtio_device *v, unsigned queue)
{
	(void)queue;
	serve_all((struct virtio_rng *)v);
}

/* What an early driver has put there waits until it says that it is there. */
static void rng_status(struct virtio_device *v, uint8_t before)
{
	(void)before;
	serve_all((struct virtio_rng *)v);
}

static void rng_refill(void *dev)
{
	struct virtio_rng *rng = dev;

	rng->quota = rng->max_bytes;
	serve_all(rng);
}

static const struct virtio_class rng_class = {
	.type = 4, .pci_class = 0x00ff00, .kicked = rng_kicked, .status = rng_status,
};

static bool rng_init(struct device *dev, struct error *err)
{
	struct virtio_rng *rng = (struct virtio_rng *)dev;

	if (!rng->period_ms) {
		error_usage(err, "-device virtio-rng-pci: period=0: expected at least 1");
		return false;
	}
	timer_init(dev, &rng->refill, "refill", rng_refill);
	return virtio_add_queue(&rng->v, QUEUE_SIZE) && virtio_init(&rng->v, &rng_class, LEGACY_ID, err);
}

static void rng_reset(struct device *dev)
{
	struct virtio_rng *rng = (struct virtio_rng *)dev;

	rng->quota = rng->max_bytes;
	virtio_reset(&rng->v);
}

static const struct device_property rng_properties[] = {
	{ .name = "max-bytes", .help = "at most so many bytes in a period; 0: no limit", .type = PROPERTY_U32, .settable = true,
	  .offset = offsetof(struct virtio_rng, max_bytes) },
	{ .name = "period", .help = "of max-bytes, in milliseconds", .type = PROPERTY_U32, .settable = true,
	  .offset = offsetof(struct virtio_rng, period_ms), .value = 65536 },
	VIRTIO_PROPERTIES(struct virtio_rng, v),
	{ .name = NULL },
};

static const struct vmstate rng_payload_state = {
	.name = "virtio-rng/payload", .version = 1, .min_version = 1, VMS_OF(struct virtio_rng),
	.fields = VMS_FIELDS(VIRTIO_HEAD(struct virtio_rng, v), VIRTIO_TAIL),
};

static const struct vmstate rng_state = {
	.name = "virtio-rng", .version = 1, .min_version = 1, VMS_OF(struct virtio_rng),
	.fields = VMS_FIELDS(VIRTIO_PAYLOAD(rng_payload_state)),
};

static bool rng_check(const void *s, struct vms_walk *w)
{
	const struct virtio_rng *rng = s;

	return rng->quota <= rng->max_bytes || vms_wrong(w, "quota", rng->quota, "at most %u", (unsigned)rng->max_bytes);
}

static const struct vmstate rng_own_state = {
	.name = "cede/virtio-rng", .version = 1, .min_version = 1, VMS_OF(struct virtio_rng), .check = rng_check,
	.fields = VMS_FIELDS(
		VIRTIO_OWN,
		VMS_U32(struct virtio_rng, quota),
		VMS_SKIP(struct virtio_rng, max_bytes, "an option"),
		VMS_SKIP(struct virtio_rng, period_ms, "an option"),
		VMS_ELSEWHERE(struct virtio_rng, refill, "cede/timers")),
};

const struct device_class virtio_rng_class = {
	.name = "virtio-rng-pci", .alias = "virtio-rng", .help = "source of random numbers", .size = sizeof(struct virtio_rng), .on = &pci_bus,
	.pluggable = true, .properties = rng_properties, .init = rng_init, .free = virtio_device_free, .reset = rng_reset,
	.state = &rng_state, .own_state = &rng_own_state, .loaded = virtio_device_loaded, .qemu_ready = virtio_device_qemu_ready,
};

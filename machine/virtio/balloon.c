/* virtio-balloon-pci: memory that the guest gives back to the host while it does without, and what it says of its memory.
 *
 * A page in the balloon is zero from then on, on every host and however it was backed: so that runs repeat. No vectors:
 * QEMU's has none.
 * Source: Virtual I/O Device (VIRTIO) Version 1.1, "Traditional Memory Balloon Device". */
#include "machine/virtio/balloon.h"

#include <string.h>

#include "machine/core/memory.h"
#include "machine/core/bytes.h"
#include "machine/core/timers.h"
#include "machine/virtio/virtio.h"

#define LEGACY_ID  0x1002
#define QUEUE_SIZE 128
#define PAGE_SHIFT 12
#define CYCLES_PER_SECOND UINT64_C(1000000000)

#define F_STATS          1
#define F_DEFLATE_ON_OOM 2
#define F_PAGE_POISON    4

enum { QUEUE_INFLATE, QUEUE_DEFLATE, QUEUE_STATS };

/* What one kick costs the host at most; the rest comes a little later. */
#define PAGES_AT_A_TIME 8192u
#define ELEMENTS_AT_A_TIME 128u
#define CYCLES_BETWEEN  UINT64_C(100000)
#define PFNS            256u		/* that are looked at together */

#define CONFIG_BYTES 16			/* of it: */
#define CONFIG_PAGES  0
#define CONFIG_ACTUAL 4
#define CONFIG_POISON 12

#define STAT_BYTES 10

struct balloon {
	struct virtio_device v;
	bool deflate_on_oom;		/* property */
	uint32_t interval_s;		/* property: the guest is asked for statistics so often; 0: never */
	uint32_t pages, actual;		/* 4 KiB pages that are to be in it, that are */
	uint32_t poison;		/* what the guest fills free pages with */
	uint64_t stat[BALLOON_STATS];	/* UINT64_MAX: not said */
	struct virtio_element *asked;	/* for statistics: the guest waits for it */
	struct event more, poll;
};

static struct balloon *balloon(struct virtio_device *v) { return (struct balloon *)v; }
static const struct balloon *balloon_of(const struct device *dev) { return (const struct balloon *)dev; }
static struct machine *machine_of(struct balloon *b) { return b->v.pci.dev.machine; }

/* ---- Pages ---- */

struct run { uint64_t first, pages; };	/* that lie together */

static void discard_run(struct balloon *b, struct run *run)
{
	if (run->pages)
		memory_discard(&machine_of(b)->ram, run->first << PAGE_SHIFT, run->pages << PAGE_SHIFT);
	run->pages = 0;
}

/* Each alone is checked: one that is no memory takes none with it. */
static void add_page(struct balloon *b, struct run *run, uint32_t pfn)
{
	if (!ram_ok(&machine_of(b)->ram, (uint64_t)pfn << PAGE_SHIFT, UINT64_C(1) << PAGE_SHIFT))
		return;
	if (run->pages && pfn == run->first + run->pages) {
		run->pages++;
	} else if (run->pages && pfn + UINT64_C(1) == run->first) {
		run->first = pfn;
		run->pages++;
	} else {
		discard_run(b, run);
		*run = (struct run){ pfn, 1 };
	}
}

/* How many pages it named. Those of an element beyond PAGES_AT_A_TIME stay as they are. */
static uint32_t inflate(struct balloon *b, const struct virtio_element *e)
{
	struct run run = { 0, 0 };
	uint32_t pfn[PFNS], n, done = 0;

	while (done < PAGES_AT_A_TIME && (n = (uint32_t)virtio_take(&b->v, e, 4 * (uint64_t)done, pfn, sizeof pfn) / 4)) {
		for (uint32_t i = 0; i < n; i++)
			add_page(b, &run, virtio_u32(&b->v, pfn[i]));
		done += n;
	}
	discard_run(b, &run);
	machine_of(b)->hcall_work += (uint64_t)done << PAGE_SHIFT;
	return done;
}

static void serve_pages(struct balloon *b, unsigned queue)
{
	struct virtio_element *e;
	uint32_t pages = 0, elements = 0;

	while (pages < PAGES_AT_A_TIME && elements < ELEMENTS_AT_A_TIME && (e = virtio_pop(&b->v, queue))) {
		if (queue == QUEUE_INFLATE)
			pages += inflate(b, e);
		virtio_push(&b->v, e, 0);
		virtio_element_free(e);
		elements++;
	}
	if (elements)
		virtio_notify(&b->v, queue);
	if (virtio_waiting(&b->v, queue) && b->more.when == UINT64_MAX)
		event_schedule(machine_of(b), &b->more, machine_now(machine_of(b)) + CYCLES_BETWEEN);
}

static void serve_more(void *dev)
{
	serve_pages(dev, QUEUE_INFLATE);
	serve_pages(dev, QUEUE_DEFLATE);
}

/* ---- Statistics ---- */

static const char *const stat_names[BALLOON_STATS] = {
	"mem_swapped_in", "mem_swapped_out", "major_page_faults", "minor_page_faults", "free_mem", "total_mem", "available_mem",
	"disk_caches", "hugetlb_allocations", "hugetlb_failures",
};

static void forget_stats(struct balloon *b)
{
	for (unsigned i = 0; i < BALLOON_STATS; i++)
		b->stat[i] = UINT64_MAX;
}

/* The first ones of an element, as many as there can be tags. */
static void read_stats(struct balloon *b)
{
	uint8_t raw[STAT_BYTES * 16];
	uint64_t n = virtio_take(&b->v, b->asked, 0, raw, sizeof raw) / STAT_BYTES;

	forget_stats(b);
	for (uint64_t i = 0; i < n; i++) {
		uint16_t tag;
		uint64_t value;

		memcpy(&tag, raw + STAT_BYTES * i, 2);
		memcpy(&value, raw + STAT_BYTES * i + 2, 8);
		tag = virtio_u16(&b->v, tag);
		if (tag < BALLOON_STATS)
			b->stat[tag] = virtio_u64(&b->v, value);
	}
}

static void poll_later(struct balloon *b)
{
	if (b->interval_s && b->poll.when == UINT64_MAX)
		event_schedule(machine_of(b), &b->poll, machine_now(machine_of(b)) + b->interval_s * CYCLES_PER_SECOND);
}

/* The guest gives one buffer, which comes back to it when statistics are wanted; a second one is used at once. */
static void take_stats(struct balloon *b)
{
	struct virtio_element *e;

	for (unsigned i = 0; i < ELEMENTS_AT_A_TIME && (e = virtio_pop(&b->v, QUEUE_STATS)); i++) {
		if (b->asked) {
			virtio_push(&b->v, b->asked, 0);
			virtio_notify(&b->v, QUEUE_STATS);
			virtio_element_free(b->asked);
		}
		b->asked = e;
		read_stats(b);
	}
	if (b->asked)
		poll_later(b);
}

static void ask_stats(void *dev)
{
	struct balloon *b = dev;

	if (!b->asked || !virtio_ready(&b->v)) {
		poll_later(b);
		return;
	}
	virtio_push(&b->v, b->asked, 0);
	virtio_notify(&b->v, QUEUE_STATS);
	virtio_element_free(b->asked);
	b->asked = NULL;
}

static void drop_asked(struct balloon *b)
{
	virtio_element_free(b->asked);
	b->asked = NULL;
}

/* ---- The virtio device ---- */

static void balloon_get_config(struct virtio_device *v)
{
	const struct balloon *b = balloon(v);

	memset(v->config, 0, CONFIG_BYTES);
	put_le32(v->config + CONFIG_PAGES, b->pages);
	put_le32(v->config + CONFIG_ACTUAL, b->actual);
	put_le32(v->config + CONFIG_POISON, b->poison);
}

static void balloon_set_config(struct virtio_device *v)
{
	memcpy(&balloon(v)->actual, v->config + CONFIG_ACTUAL, 4);
	if (virtio_has(v, F_PAGE_POISON))
		memcpy(&balloon(v)->poison, v->config + CONFIG_POISON, 4);
}

static void balloon_kicked(struct virtio_device *v, unsigned queue)
{
	if (!virtio_ready(v))
		return;
	if (queue == QUEUE_STATS)
		take_stats(balloon(v));
	else
		serve_pages(balloon(v), queue);
}

/* What has been put there before the driver was ready. */
static void balloon_status(struct virtio_device *v, uint8_t before)
{
	(void)before;
	for (unsigned queue = QUEUE_INFLATE; queue <= QUEUE_STATS; queue++)
		balloon_kicked(v, queue);
}

static void balloon_driver_reset(struct virtio_device *v)
{
	struct balloon *b = balloon(v);

	drop_asked(b);
	forget_stats(b);
	b->poison = 0;
}

static void balloon_queue_reset(struct virtio_device *v, unsigned queue)
{
	if (queue == QUEUE_STATS)
		drop_asked(balloon(v));
}

static const struct virtio_class balloon_virtio = {
	.type = 5, .pci_class = 0x00ff00, .features = 1u << F_STATS | 1u << F_PAGE_POISON, .config_bytes = CONFIG_BYTES,
	.no_msix = 1, .get_config = balloon_get_config, .set_config = balloon_set_config, .kicked = balloon_kicked,
	.status = balloon_status, .reset = balloon_driver_reset, .queue_reset = balloon_queue_reset,
};

/* ---- The device ---- */

static bool balloon_init(struct device *dev, struct error *err)
{
	struct balloon *b = (struct balloon *)dev;

	if (dev->number) {
		error_usage(err, "-device virtio-balloon-pci: there can be only one");
		return false;
	}
	timer_init(dev, &b->more, "more", serve_more);
	timer_init(dev, &b->poll, "poll", ask_stats);
	for (unsigned i = 0; i < 3; i++)
		if (!virtio_add_queue(&b->v, QUEUE_SIZE))
			return false;
	if (!virtio_init(&b->v, &balloon_virtio, LEGACY_ID, err))
		return false;
	b->v.host_features |= (uint64_t)b->deflate_on_oom << F_DEFLATE_ON_OOM;
	return true;
}

static void balloon_free(struct device *dev)
{
	drop_asked((struct balloon *)dev);
	virtio_device_free(dev);
}

static void balloon_reset(struct device *dev)
{
	struct balloon *b = (struct balloon *)dev;

	b->actual = 0;
	virtio_reset(&b->v);
}

/* Of QEMU's snapshots the ring alone knows that a buffer for statistics is out: it is taken again. */
static void balloon_loaded(struct device *dev, bool foreign)
{
	struct balloon *b = (struct balloon *)dev;
	struct virtqueue *q = &b->v.queue[QUEUE_STATS];

	virtio_loaded(&b->v, foreign);
	if (!foreign)
		return;
	q->last_avail -= q->in_flight;
	q->in_flight = 0;
	balloon_kicked(&b->v, QUEUE_STATS);
}

static const struct device_property balloon_properties[] = {
	{ .name = "deflate-on-oom", .help = "the guest may take pages back before it ends processes", .type = PROPERTY_BOOL,
	  .settable = true, .offset = offsetof(struct balloon, deflate_on_oom) },
	{ .name = "guest-stats-polling-interval", .help = "seconds from one question for statistics to the next; 0: none",
	  .type = PROPERTY_U32, .settable = true, .offset = offsetof(struct balloon, interval_s) },
	VIRTIO_PROPERTIES(struct balloon, v),
	{ .name = NULL },
};

/* ---- Snapshots ---- */

static const struct vmstate balloon_poison_state = {
	.name = "virtio-balloon-device/page-poison", .version = 1, .min_version = 1, VMS_OF(struct balloon),
	.fields = VMS_FIELDS(VMS_U32_AS("poison_val", struct balloon, poison)),
};

static bool balloon_check(const void *s, struct vms_walk *w)
{
	const struct balloon *b = s;
	uint64_t most = b->v.pci.dev.machine->ram.size >> PAGE_SHIFT;

	return b->pages <= most || vms_wrong(w, "num_pages", b->pages, "at most 0x%llx", (unsigned long long)most);
}

static const struct vmstate balloon_device_state = {
	.name = "virtio-balloon-device", .version = 1, .min_version = 1, VMS_OF(struct balloon), .check = balloon_check,
	.fields = VMS_FIELDS(VMS_U32_AS("num_pages", struct balloon, pages), VMS_U32(struct balloon, actual)),
	.subs = VMS_SUBS(&balloon_poison_state),
};

static const struct vmstate balloon_payload_state = {
	.name = "virtio-balloon/payload", .version = 1, .min_version = 1, VMS_OF(struct balloon),
	.fields = VMS_FIELDS(VIRTIO_HEAD(struct balloon, v), VMS_PART("device", balloon_device_state), VIRTIO_TAIL),
};

static const struct vmstate balloon_state = {
	.name = "virtio-balloon", .version = 1, .min_version = 1, VMS_OF(struct balloon),
	.fields = VMS_FIELDS(VIRTIO_PAYLOAD(balloon_payload_state)),
};

static const struct vmstate balloon_own_state = {
	.name = "cede/virtio-balloon", .version = 1, .min_version = 1, VMS_OF(struct balloon),
	.fields = VMS_FIELDS(
		VIRTIO_OWN,
		VIRTIO_ELEMENTS("asked", struct balloon, asked, 1),
		VMS_U64_ARRAY(struct balloon, stat),
		VMS_SKIP(struct balloon, deflate_on_oom, "an option"),
		VMS_SKIP(struct balloon, interval_s, "an option"),
		VMS_ELSEWHERE(struct balloon, more, "cede/timers"),
		VMS_ELSEWHERE(struct balloon, poll, "cede/timers")),
};

const struct device_class virtio_balloon_class = {
	.name = "virtio-balloon-pci", .alias = "virtio-balloon", .help = "memory that the guest gives back (balloon N in a monitor)",
	.size = sizeof(struct balloon), .on = &pci_bus, .pluggable = true, .properties = balloon_properties, .init = balloon_init,
	.free = balloon_free, .reset = balloon_reset, .state = &balloon_state, .own_state = &balloon_own_state,
	.loaded = balloon_loaded, .qemu_ready = virtio_device_qemu_ready,
};

/* ---- For monitors ---- */

struct device *balloon_find(const struct machine *m) { return device_next(m, NULL, &virtio_balloon_class); }

void balloon_set(struct device *dev, uint64_t bytes)
{
	struct balloon *b = (struct balloon *)dev;
	uint64_t all = dev->machine->ram.size;

	b->pages = (uint32_t)((all - (bytes < all ? bytes : all)) >> PAGE_SHIFT);
	virtio_config_changed(&b->v);
}

uint64_t balloon_actual(const struct device *dev)
{
	uint64_t all = dev->machine->ram.size, in = (uint64_t)balloon_of(dev)->actual << PAGE_SHIFT;

	return in < all ? all - in : 0;
}

bool balloon_stat(const struct device *dev, unsigned i, const char **name, uint64_t *value)
{
	*name = stat_names[i];
	*value = balloon_of(dev)->stat[i];
	return *value != UINT64_MAX;
}

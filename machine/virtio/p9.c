/* virtio-9p-pci: a folder of the host that the guest mounts. A message ends at a cycle that a model gives, and is served then:
 * what the folder holds is input from outside, as a disk's image is, but when the guest gets it does not depend on the host.
 *
 * The model (latency=, in us, default 30; bandwidth=, in MB/s, default 4000): a message occupies the channel for the bytes
 * that it brings or asks for, and ends `latency` after it has had it, in the order of the queue.
 * Source: Linux's include/uapi/linux/virtio_9p.h; numbers are QEMU's. */
#include <stdlib.h>
#include <string.h>

#include "machine/core/clock.h"
#include "machine/core/config.h"
#include "machine/core/fsdev.h"
#include "machine/core/timers.h"
#include "machine/host/p9/p9.h"
#include "machine/virtio/virtio.h"

#define LEGACY_ID     0x1009
#define QUEUE_SIZE    128
#define TAG_MAX       32
#define CONFIG_BYTES  2			/* and the tag */
#define CYCLES_PER_US (CPU_HZ / 1000000)
#define HEAD_BYTES    23		/* of a message, as far as p9_wanted() looks */

enum { F_MOUNT_TAG = 0 };

/* A message that waits. */
struct p9_message {
	struct virtio_element *element;
	uint64_t due;			/* cycle */
	struct p9_message *next;
};

struct virtio_9p {
	struct virtio_device v;
	struct virtio_class class;	/* with as many bytes of configuration as the tag needs */
	struct p9 server;
	struct event event;
	uint64_t busy_until;		/* cycle at which the channel is free */
	struct p9_message *first, *last;	/* in the order of `due` */
	uint8_t *in, *out;		/* a message and its answer, while it is served */
	/* Properties. */
	const char *fsdev, *mount_tag;
	uint32_t latency_us, bandwidth_mb;
};

static struct virtio_9p *to_9p(struct device *dev) { return (struct virtio_9p *)dev; }

/* ---- Configuration ---- */

static void p9_get_config(struct virtio_device *v)
{
	const char *tag = ((struct virtio_9p *)v)->mount_tag;
	uint16_t n = (uint16_t)strlen(tag), raw = virtio_u16(v, n);

	memcpy(v->config, &raw, sizeof raw);
	memcpy(v->config + CONFIG_BYTES, tag, n);
}

/* ---- Messages ---- */

static void drop_message(struct p9_message *m)
{
	virtio_element_free(m->element);
	free(m);
}

/* Behind all others. */
static void append_message(struct virtio_9p *p, struct p9_message *m)
{
	*(p->last ? &p->last->next : &p->first) = m;
	p->last = m;
}

static struct p9_message *take_first(struct virtio_9p *p)
{
	struct p9_message *m = p->first;

	p->first = m->next;
	if (!p->first)
		p->last = NULL;
	return m;
}

/* While the device may not answer, all wait. */
static void wait_for_first(struct virtio_9p *p)
{
	uint64_t due = p->first && virtio_ready(&p->v) ? p->first->due : UINT64_MAX;

	if (p->event.when != due)
		event_schedule(p->v.pci.dev.machine, &p->event, due);
}

/* Bytes that go over the channel: the message's own, and what it asks for. */
static uint64_t bytes_of(struct virtio_9p *p, const struct virtio_element *e)
{
	uint8_t head[HEAD_BYTES];
	uint64_t n = virtio_take(&p->v, e, 0, head, sizeof head), wanted = p9_wanted(head, (uint32_t)n);

	return (e->out_bytes < P9_MSIZE_MAX ? e->out_bytes : P9_MSIZE_MAX) + (wanted < e->in_bytes ? wanted : e->in_bytes);
}

/* Never at this very cycle: time passes between a message and its answer. */
static uint64_t due_cycle(struct virtio_9p *p, const struct virtio_element *e)
{
	uint64_t now = machine_now(p->v.pci.dev.machine), from = p->busy_until > now ? p->busy_until : now;

	p->busy_until = from + (p->bandwidth_mb ? bytes_of(p, e) * CYCLES_PER_US / p->bandwidth_mb : 0);
	from = p->busy_until + (uint64_t)p->latency_us * CYCLES_PER_US;
	return from > now ? from : now + 1;
}

/* Without memory a message gets no answer, and what follows it waits behind it in the queue. */
static void take_messages(struct virtio_9p *p)
{
	struct virtio_element *e;
	struct p9_message *m;

	while (virtio_ready(&p->v) && (e = virtio_pop(&p->v, 0))) {
		m = calloc(1, sizeof *m);
		if (!m) {
			virtio_unpop(&p->v, e);
			virtio_element_free(e);
			break;
		}
		m->element = e;
		m->due = due_cycle(p, e);
		append_message(p, m);
	}
	wait_for_first(p);
}

static void p9_kicked(struct virtio_device *v, unsigned queue)
{
	if (!queue)
		take_messages((struct virtio_9p *)v);
}

static void p9_status(struct virtio_device *v, uint8_t before)
{
	if (v->status & ~before & VIRTIO_S_DRIVER_OK)
		take_messages((struct virtio_9p *)v);
}

static void serve(struct virtio_9p *p, const struct virtio_element *e)
{
	uint32_t n = (uint32_t)virtio_take(&p->v, e, 0, p->in, P9_MSIZE_MAX);
	uint32_t room = e->in_bytes < P9_MSIZE_MAX ? (uint32_t)e->in_bytes : P9_MSIZE_MAX;

	if (n < P9_HEADER || room < P9_REPLY_MIN) {
		virtio_break(&p->v, "a message of 9P has no room for its header, or for an answer");
		return;
	}
	n = p9_serve(&p->server, p->in, n, p->out, room);
	virtio_push(&p->v, e, (uint32_t)virtio_give(&p->v, e, 0, p->out, n));
	virtio_notify(&p->v, 0);
}

/* A snapshot may have messages that are due together. */
static void p9_fire(void *dev)
{
	struct virtio_9p *p = dev;
	uint64_t now = machine_now(p->v.pci.dev.machine);

	while (virtio_ready(&p->v) && p->first && p->first->due <= now) {
		struct p9_message *m = take_first(p);

		serve(p, m->element);
		drop_message(m);
	}
	wait_for_first(p);
}

/* ---- Reset ---- */

static void drop_messages(struct virtio_9p *p)
{
	while (p->first)
		drop_message(take_first(p));
	p->busy_until = 0;
}

static void p9_driver_reset(struct virtio_device *v)
{
	struct virtio_9p *p = (struct virtio_9p *)v;

	drop_messages(p);
	event_cancel(v->pci.dev.machine, &p->event);
	p9_reset(&p->server);
}

static void p9_queue_reset(struct virtio_device *v, unsigned queue)
{
	struct virtio_9p *p = (struct virtio_9p *)v;

	(void)queue;
	drop_messages(p);
	event_cancel(v->pci.dev.machine, &p->event);
}

/* ---- The class ---- */

static const struct virtio_class p9_class = {
	.type = 9, .pci_class = 0x000200, .features = UINT64_C(1) << F_MOUNT_TAG, .get_config = p9_get_config, .kicked = p9_kicked,
	.reset = p9_driver_reset, .status = p9_status, .queue_reset = p9_queue_reset,
};

static const struct fsdev_config *find_fsdev(const struct config *c, const char *id)
{
	for (unsigned i = 0; i < c->fsdevs; i++)
		if (!strcmp(c->fsdev[i]->id, id))
			return c->fsdev[i];
	return NULL;
}

static const struct fsdev_config *options_of(const struct virtio_9p *p, struct error *err)
{
	const struct fsdev_config *f = p->fsdev ? find_fsdev(p->v.pci.dev.machine->config, p->fsdev) : NULL;

	if (!p->fsdev || !p->mount_tag || !*p->mount_tag)
		error_usage(err, "-device virtio-9p-pci wants fsdev=ID,mount_tag=TAG");
	else if (strlen(p->mount_tag) > TAG_MAX)
		error_usage(err, "-device virtio-9p-pci: mount_tag=%.60s is longer than %d bytes", p->mount_tag, TAG_MAX);
	else if (!f)
		error_usage(err, "-device virtio-9p-pci: fsdev=%.60s: there is no such -fsdev", p->fsdev);
	else
		return f;
	return NULL;
}

static bool p9_init(struct device *dev, struct error *err)
{
	struct virtio_9p *p = to_9p(dev);
	const struct fsdev_config *f;

	p->server.share.root = -1;
	timer_init(dev, &p->event, "messages", p9_fire);
	f = options_of(p, err);
	if (!f || !p9_open(&p->server, &f->options, err))
		return false;
	p->in = malloc(P9_MSIZE_MAX);
	p->out = malloc(P9_MSIZE_MAX);
	p->class = p9_class;
	p->class.config_bytes = (unsigned)(CONFIG_BYTES + strlen(p->mount_tag));
	if (!p->in || !p->out || !virtio_add_queue(&p->v, QUEUE_SIZE)) {
		error_set(err, "out of memory");
		return false;
	}
	return virtio_init(&p->v, &p->class, LEGACY_ID, err);
}

static void p9_device_free(struct device *dev)
{
	struct virtio_9p *p = to_9p(dev);

	drop_messages(p);
	p9_close(&p->server);
	free(p->in);
	free(p->out);
	virtio_free(&p->v);
}

static void p9_device_reset(struct device *dev) { virtio_reset(&to_9p(dev)->v); }

/* What QEMU had taken it has not answered. */
static void p9_loaded(struct device *dev, bool foreign)
{
	struct virtio_9p *p = to_9p(dev);

	p->last = p->first;
	while (p->last && p->last->next)
		p->last = p->last->next;
	virtio_loaded(&p->v, foreign);
	if (foreign) {
		virtio_take_again(&p->v);
		take_messages(p);
	}
}

static bool p9_qemu_ready(const struct device *dev)
{
	return virtio_device_qemu_ready(dev) && !((const struct virtio_9p *)dev)->first;
}

/* QEMU has no place for fids, and refuses to be saved as we do. */
static bool p9_qemu_can(const struct device *dev, struct error *err)
{
	const struct virtio_9p *p = (const struct virtio_9p *)dev;

	if (!p9_mounted(&p->server))
		return true;
	error_set(err, "the guest has mounted the shared folder '%.32s', which QEMU has no place for", p->mount_tag);
	return false;
}

static const struct device_property p9_properties[] = {
	VIRTIO_PROPERTIES(struct virtio_9p, v),
	{ .name = "fsdev", .help = "id of its -fsdev", .type = PROPERTY_STRING, .settable = true,
	  .offset = offsetof(struct virtio_9p, fsdev) },
	{ .name = "mount_tag", .help = "what the guest mounts it by", .type = PROPERTY_STRING, .settable = true,
	  .offset = offsetof(struct virtio_9p, mount_tag) },
	{ .name = "latency", .help = "of a message, in us", .type = PROPERTY_U32, .settable = true,
	  .offset = offsetof(struct virtio_9p, latency_us), .value = 30 },
	{ .name = "bandwidth", .help = "of the folder, in MB/s; 0: no bound", .type = PROPERTY_U32, .settable = true,
	  .offset = offsetof(struct virtio_9p, bandwidth_mb), .value = 4000 },
	{ .name = NULL },
};

/* ---- Snapshots ---- */

static const struct vmstate p9_payload_state = {
	.name = "virtio-9p/payload", .version = 1, .min_version = 1, VMS_OF(struct virtio_9p),
	.fields = VMS_FIELDS(VIRTIO_HEAD(struct virtio_9p, v), VIRTIO_TAIL),
};

static const struct vmstate p9_device_state = {
	.name = "virtio-9p", .version = 1, .min_version = 1, VMS_OF(struct virtio_9p),
	.fields = VMS_FIELDS(VIRTIO_PAYLOAD(p9_payload_state)),
};

static bool message_check(const void *s, struct vms_walk *w)
{
	const struct p9_message *m = s;

	return m->element ? true : vms_wrong(w, "element", 0, "one");
}

static const struct vmstate p9_message_state = {
	.name = "cede/virtio-9p/message", .version = 1, .min_version = 1, VMS_OF(struct p9_message), .check = message_check,
	.fields = VMS_FIELDS(
		VIRTIO_ELEMENTS("element", struct p9_message, element, 1),
		VMS_U64_TO(struct p9_message, due, CLOCK_END),
		VMS_SKIP(struct p9_message, next, "its place in the list")),
};

static bool p9_check(const void *s, struct vms_walk *w)
{
	uint64_t due = 0;

	for (const struct p9_message *m = ((const struct virtio_9p *)s)->first; m; due = m->due, m = m->next)
		if (m->due < due)
			return vms_wrong(w, "due", m->due, "at least 0x%llx", (unsigned long long)due);
	return true;
}

static const struct vmstate p9_own_state = {
	.name = "cede/virtio-9p", .version = 1, .min_version = 1, VMS_OF(struct virtio_9p), .check = p9_check,
	.fields = VMS_FIELDS(
		VIRTIO_OWN,
		VMS_STRUCT("server", struct virtio_9p, server, struct p9, p9_state),
		VMS_U64_TO(struct virtio_9p, busy_until, CLOCK_END),
		VMS_LIST("messages", struct virtio_9p, first, struct p9_message, next, VIRTIO_RING_MAX, p9_message_state),
		VMS_SKIP(struct virtio_9p, class, "what it is, and an option"),
		VMS_ELSEWHERE(struct virtio_9p, event, "cede/timers"),
		VMS_SKIP(struct virtio_9p, last, "the list's end"),
		VMS_SKIP(struct virtio_9p, in, "while a message is served"),
		VMS_SKIP(struct virtio_9p, out, "while a message is served"),
		VMS_SKIP(struct virtio_9p, fsdev, "an option"),
		VMS_SKIP(struct virtio_9p, mount_tag, "an option"),
		VMS_SKIP(struct virtio_9p, latency_us, "an option"),
		VMS_SKIP(struct virtio_9p, bandwidth_mb, "an option")),
};

const struct device_class virtio_9p_class = {
	.name = "virtio-9p-pci", .alias = "virtio-9p", .help = "folder shared with the guest", .size = sizeof(struct virtio_9p), .on = &pci_bus,
	.pluggable = true, .properties = p9_properties,
	.init = p9_init, .free = p9_device_free, .reset = p9_device_reset, .loaded = p9_loaded,
	.qemu_ready = p9_qemu_ready, .qemu_can = p9_qemu_can,
	.state = &p9_device_state, .own_state = &p9_own_state, .state_bytes = P9_STATE_BYTES + (UINT64_C(4) << 20),
};

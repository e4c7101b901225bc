/* spapr-vlan: see vlan.h. The hypercalls are hcall/lan.c's. */
#include "machine/vio/vlan.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "machine/core/log.h"
#include "machine/core/node.h"
#include "machine/net/net.h"

#define PAGE          0x1000u
#define LIST_QUEUE    0u
#define LIST_FILTERS  8u
#define LIST_BUFFERS  16u		/* an older QEMU's: here they are in pools */
#define LIST_LOST     (PAGE - 8u)
#define QUEUE_ENTRY   16u
#define HANDLE_BYTES  8u
#define BUFFER_LEAST  16u
#define POOLS         5u
#define POOL_BUFFERS  4096u
#define POOL_UNUSED   INT32_MAX		/* as its size: so it is the last one */

#define ENTRY_TOGGLE 0x80u
#define ENTRY_VALID  0x40u

/* What a frame costs the host beside its bytes. */
#define WORK_OF_FRAME 4096u

struct pool {
	uint32_t size, count;		/* bytes of a buffer; how many there are */
	uint64_t buffer[POOL_BUFFERS];	/* descriptors; the last one is taken first */
};

struct vlan {
	struct vio_device vio;
	/* Properties. */
	const char *netdev, *mac_option;
	uint32_t bootindex;		/* UINT32_MAX: none */

	struct net *net;		/* NULL: nothing is at the cable's end */
	char mac_text[18];		/* what mac_option is, once it is chosen */
	uint8_t own_mac[NET_MAC_BYTES];	/* as after a reset */
	uint8_t mac[NET_MAC_BYTES];
	bool open;
	uint64_t list;			/* I/O address of the buffer list */
	uint32_t add_at, use_at;	/* in the list: of no meaning here, but QEMU's */
	uint32_t buffers;		/* in all pools */
	uint64_t queue_at;		/* bytes: the next entry of the queue */
	struct pool pool[POOLS];	/* by size */
};

extern const struct device_class vlan_class;

static struct vlan *to_vlan(struct device *dev) { return (struct vlan *)dev; }

struct vlan *vlan_find(const struct machine *m, uint64_t unit)
{
	struct vio_device *vio = vio_find(m, unit);

	return vio && vio->dev.class == &vlan_class ? (struct vlan *)vio : NULL;
}

/* ---- Guest memory ---- */

static uint64_t load(struct vlan *l, uint64_t ioba)
{
	uint8_t bytes[8] = { 0 };
	uint64_t value = 0;

	vio_dma_read(&l->vio, ioba, bytes, sizeof bytes);
	for (unsigned i = 0; i < sizeof bytes; i++)
		value = value << 8 | bytes[i];
	return value;
}

static void put(uint8_t *to, unsigned bytes, uint64_t value)
{
	while (bytes--) {
		to[bytes] = (uint8_t)value;
		value >>= 8;
	}
}

static void store(struct vlan *l, uint64_t ioba, uint64_t value)
{
	uint8_t bytes[8];

	put(bytes, sizeof bytes, value);
	vio_dma_write(&l->vio, ioba, bytes, sizeof bytes);
}

static void clear(struct vlan *l, uint64_t ioba, uint64_t bytes)
{
	static const uint8_t zeros[PAGE];

	for (uint64_t n; bytes; bytes -= n, ioba += n) {
		n = bytes < PAGE ? bytes : PAGE;
		vio_dma_write(&l->vio, ioba, zeros, n);
	}
}

static bool is_mapped(struct vlan *l, uint64_t ioba, uint64_t bytes)
{
	return vio_dma_ok(&l->vio, ioba, bytes, TCE_READ) && vio_dma_ok(&l->vio, ioba, bytes, TCE_WRITE);
}

/* ---- Pools of buffers ---- */

static void pools_reset(struct vlan *l)
{
	memset(l->pool, 0, sizeof l->pool);
	for (unsigned i = 0; i < POOLS; i++)
		l->pool[i].size = POOL_UNUSED;
	l->buffers = 0;
}

static int by_size(const void *a, const void *b)
{
	const struct pool *x = a, *y = b;

	return (x->size > y->size) - (x->size < y->size);
}

static struct pool *pool_of_size(struct vlan *l, uint32_t size)
{
	for (unsigned i = 0; i < POOLS; i++)
		if (l->pool[i].size == size)
			return &l->pool[i];
	return NULL;
}

/* An empty one, from the largest on, is of that size from now on. NULL: all are in use. */
static struct pool *pool_new(struct vlan *l, uint32_t size)
{
	for (unsigned i = POOLS; i--;)
		if (!l->pool[i].count) {
			l->pool[i].size = size;
			qsort(l->pool, POOLS, sizeof l->pool[0], by_size);
			return pool_of_size(l, size);
		}
	return NULL;
}

/* The smallest that has a buffer for so much. NULL: none. */
static struct pool *pool_for(struct vlan *l, uint64_t bytes)
{
	for (unsigned i = 0; i < POOLS; i++)
		if (l->pool[i].count && l->pool[i].size >= bytes)
			return &l->pool[i];
	return NULL;
}

/* ---- To the guest ---- */

/* Into the queue; the byte that says so is the last one. */
static void put_entry(struct vlan *l, uint64_t buffer, uint32_t bytes)
{
	uint64_t queue = load(l, l->list + LIST_QUEUE), length = VLAN_LENGTH(queue), at;
	uint8_t entry[QUEUE_ENTRY] = { 0 };

	if (l->queue_at + QUEUE_ENTRY > length)
		l->queue_at = 0;
	at = VLAN_PLACE(queue) + l->queue_at;
	entry[0] = (uint8_t)(ENTRY_VALID | (queue & VLAN_TOGGLE ? 0 : ENTRY_TOGGLE));
	put(entry + 2, 2, HANDLE_BYTES);
	put(entry + 4, 4, bytes);
	vio_dma_read(&l->vio, VLAN_PLACE(buffer), entry + 8, HANDLE_BYTES);
	vio_dma_write(&l->vio, at + 2, entry + 2, QUEUE_ENTRY - 2);
	vio_dma_write(&l->vio, at, entry, 1);
	l->queue_at += QUEUE_ENTRY;
	if (l->queue_at >= length) {
		l->queue_at = 0;
		store(l, l->list + LIST_QUEUE, queue ^ VLAN_TOGGLE);
	}
}

/* False: no buffer is large enough. */
static bool give_frame(struct vlan *l, const struct net_frame *f)
{
	struct pool *pool = pool_for(l, UINT64_C(1) * HANDLE_BYTES + f->bytes);
	uint64_t buffer;

	if (!pool)
		return false;
	buffer = pool->buffer[--pool->count];
	pool->buffer[pool->count] = 0;
	l->buffers--;
	if (vio_dma_write(&l->vio, VLAN_PLACE(buffer) + HANDLE_BYTES, f->data, f->bytes))
		put_entry(l, buffer, f->bytes);
	return true;
}

/* What fits nowhere waits for a buffer that is larger; or, with `lose`, is counted. */
static void take_frames(struct vlan *l, bool lose)
{
	const struct net_frame *f;
	bool any = false;

	while (l->net && (f = net_front(l->net))) {
		if (l->open && !l->buffers)
			break;
		if (l->open && give_frame(l, f)) {
			any = true;
		} else if (l->open) {
			if (!lose)
				break;
			store(l, l->list + LIST_LOST, load(l, l->list + LIST_LOST) + 1);
		}
		net_done(l->net);
	}
	if (any && l->vio.signal_state & 1)
		vio_irq_pulse(&l->vio);
}

static void vlan_frames_arrived(struct device *dev) { take_frames(to_vlan(dev), true); }

static void vlan_announce(struct device *dev) { net_say_place(to_vlan(dev)->net, to_vlan(dev)->mac); }

/* ---- What the guest asks for ---- */

enum vlan_result vlan_register(struct vlan *l, uint64_t list, uint64_t queue, uint64_t filters)
{
	const uint32_t length = VLAN_LENGTH(queue);

	if (l->open)
		return VLAN_TAKEN;
	if (list % PAGE || list > UINT32_MAX || !is_mapped(l, list, PAGE) || filters % PAGE || filters > UINT32_MAX || !is_mapped(l, filters, PAGE))
		return VLAN_WRONG;
	if (!(queue & VLAN_VALID) || VLAN_PLACE(queue) % QUEUE_ENTRY || !length || length % QUEUE_ENTRY || !is_mapped(l, VLAN_PLACE(queue), length))
		return VLAN_WRONG;
	pools_reset(l);
	l->vio.signal_state = 0;
	l->list = list;
	l->add_at = l->use_at = LIST_BUFFERS - 8;
	l->queue_at = 0;
	l->open = true;
	store(l, list + LIST_QUEUE, queue & ~VLAN_TOGGLE);
	store(l, list + LIST_FILTERS, VLAN_VALID | (uint64_t)PAGE << 32 | filters);
	clear(l, list + LIST_BUFFERS, PAGE - LIST_BUFFERS);
	clear(l, VLAN_PLACE(queue), length);
	l->vio.dev.machine->hcall_work += PAGE + length;
	return VLAN_OK;
}

static void close_it(struct vlan *l)
{
	pools_reset(l);
	l->open = false;
	l->list = 0;
	memcpy(l->mac, l->own_mac, sizeof l->mac);
}

enum vlan_result vlan_free(struct vlan *l)
{
	if (!l->open)
		return VLAN_CLOSED;
	close_it(l);
	return VLAN_OK;
}

enum vlan_result vlan_add_buffer(struct vlan *l, uint64_t buffer)
{
	const uint32_t size = VLAN_LENGTH(buffer);
	struct pool *pool;

	if (VLAN_PLACE(buffer) % 4 || size % 4 || size < BUFFER_LEAST || !is_mapped(l, VLAN_PLACE(buffer), size))
		return VLAN_WRONG;
	if (!l->open)
		return VLAN_CLOSED;
	pool = pool_of_size(l, size);
	if (!pool)
		pool = pool_new(l, size);
	if (!pool || pool->count == POOL_BUFFERS)
		return VLAN_FULL;
	pool->buffer[pool->count++] = buffer;
	l->buffers++;
	take_frames(l, false);
	return VLAN_OK;
}

enum vlan_result vlan_send(struct vlan *l, const uint64_t piece[VLAN_PIECES])
{
	uint8_t frame[VLAN_FRAME_MAX];
	uint32_t bytes = 0;

	if (!l->open)
		return VLAN_CLOSED;
	for (unsigned i = 0; i < VLAN_PIECES && piece[i] & VLAN_VALID; i++)
		if ((bytes += VLAN_LENGTH(piece[i])) > VLAN_FRAME_MAX)
			return VLAN_FULL;
	bytes = 0;
	for (unsigned i = 0; i < VLAN_PIECES && piece[i] & VLAN_VALID; i++) {
		if (!vio_dma_read(&l->vio, VLAN_PLACE(piece[i]), frame + bytes, VLAN_LENGTH(piece[i])))
			return VLAN_UNMAPPED;
		bytes += VLAN_LENGTH(piece[i]);
	}
	l->vio.dev.machine->hcall_work += WORK_OF_FRAME + bytes;
	if (l->net && bytes)
		net_send(l->net, frame, bytes);
	return VLAN_OK;
}

bool vlan_is_open(const struct vlan *l) { return l->open; }

void vlan_set_mac(struct vlan *l, uint64_t mac)
{
	put(l->mac, NET_MAC_BYTES, mac);
}

/* ---- The device ---- */

static bool find_mac(struct vlan *l, struct error *err)
{
	const char *why = NULL;

	if (l->mac_option && (!net_mac_parse(l->mac_option, l->own_mac) || l->own_mac[0] & 1))
		why = "mac= is the address of one card, as 52:54:00:12:34:56";
	else if (!net_mac_claim(l->vio.dev.machine, l->own_mac))
		why = "no address is left for it: give mac=";
	if (why) {
		error_usage(err, "-device spapr-vlan: %s", why);
		return false;
	}
	net_mac_text(l->own_mac, l->mac_text);
	l->mac_option = l->mac_text;
	return true;
}

static bool vlan_init(struct device *dev, struct error *err)
{
	struct vlan *l = to_vlan(dev);

	if ((l->netdev && !(l->net = net_take(dev->machine, l->netdev, dev, err))) || !find_mac(l, err))
		return false;
	return vio_window_new(&l->vio, err);
}

static void vlan_release(struct device *dev)
{
	struct vlan *l = to_vlan(dev);

	if (l->net)
		net_leave(l->net);
	if (*l->mac_text)
		net_mac_release(dev->machine, l->own_mac);
	vio_window_free(&l->vio);
}

static void vlan_reset(struct device *dev)
{
	struct vlan *l = to_vlan(dev);

	close_it(l);
	l->add_at = l->use_at = 0;
	l->queue_at = 0;
}

/* Linux before 3.10 takes an address of 6 bytes for one of 8 unless the low bits of its first byte say that it is a local one. */
static void vlan_fdt(struct device *dev, struct tree *t, int at)
{
	const struct vlan *l = to_vlan(dev);
	uint8_t padded[2 + NET_MAC_BYTES] = { 0 };
	const bool local = (l->own_mac[0] & 3) == 2;

	memcpy(padded + 2, l->own_mac, NET_MAC_BYTES);
	node_bytes(t, at, "local-mac-address", local ? padded + 2 : padded, local ? NET_MAC_BYTES : sizeof padded);
	node_cell(t, at, "ibm,mac-address-filters", 0);
}

/* ---- Snapshots ---- */

static const struct vmstate pool_state = {
	.name = "spapr_llan/rx_buffer_pool", .version = 1, .min_version = 1, VMS_OF(struct pool),
	.fields = VMS_FIELDS(
		VMS_U32_AS("bufsize", struct pool, size, VMS_MOST(POOL_UNUSED)),
		VMS_U32_TO(struct pool, count, POOL_BUFFERS),
		VMS_U64_ARRAY_AS("bds", struct pool, buffer)),
};

static const struct vmstate pools_state = {
	.name = "spapr_llan/rx_pools", .version = 1, .min_version = 1, VMS_OF(struct vlan),
	.fields = VMS_FIELDS(VMS_STRUCT_ARRAY("rx_pool", struct vlan, pool, struct pool, pool_state)),
};

static bool vlan_check(const void *s, struct vms_walk *w)
{
	const struct vlan *l = s;

	if (l->list % PAGE || l->list > UINT32_MAX)
		return vms_wrong(w, "buf_list", l->list, "a page's I/O address");
	return (l->queue_at % QUEUE_ENTRY == 0 && l->queue_at <= 0xffffff) ||
	       vms_wrong(w, "rxq_ptr", l->queue_at, "an entry of a queue of at most 0x%x bytes", 0xffffffu);
}

static const struct vmstate vlan_state = {
	.name = "spapr_llan", .version = 1, .min_version = 1, VMS_OF(struct vlan), .check = vlan_check,
	.fields = VMS_FIELDS(
		VMS_STRUCT("sdev", struct vlan, vio, struct vio_device, vio_state),
		VMS_ONE("isopen", struct vlan, open, bool, vms_bool,),
		VMS_U64_AS("buf_list", struct vlan, list),
		VMS_U32_AS("add_buf_ptr", struct vlan, add_at), VMS_U32_AS("use_buf_ptr", struct vlan, use_at),
		VMS_U32_AS("rx_bufs", struct vlan, buffers),
		VMS_U64_AS("rxq_ptr", struct vlan, queue_at)),
	.subs = VMS_SUBS(&pools_state),
};

static const struct vmstate vlan_own_state = {
	.name = "cede/vlan", .version = 1, .min_version = 1, VMS_OF(struct vlan),
	.fields = VMS_FIELDS(
		VMS_BUFFER(struct vlan, mac),
		VMS_SKIP(struct vlan, netdev, "an option"), VMS_SKIP(struct vlan, mac_option, "an option"), VMS_SKIP(struct vlan, bootindex, "an option"),
		VMS_SKIP(struct vlan, net, "the host's"), VMS_SKIP(struct vlan, mac_text, "an option"),
		VMS_SKIP(struct vlan, own_mac, "an option")),
};

static void vlan_loaded(struct device *dev, bool foreign)
{
	struct vlan *l = to_vlan(dev);

	qsort(l->pool, POOLS, sizeof l->pool[0], by_size);
	l->buffers = 0;
	for (unsigned i = 0; i < POOLS; i++)
		l->buffers += l->pool[i].count;
	if (!l->net)
		return;
	net_forget(l->net);
	if (foreign)
		net_say_place(l->net, l->mac);
}

static const struct device_section vlan_sections[] = {
	VIO_WINDOW_SECTION,
	{ .state = NULL },
};

static const struct device_property vlan_properties[] = {
	{ .name = "netdev", .help = "id of its -netdev", .type = PROPERTY_STRING, .settable = true, .offset = offsetof(struct vlan, netdev) },
	{ .name = "mac", .help = "its address; else 52:54:00:12:34:56, or the next that is free", .type = PROPERTY_STRING, .settable = true,
	  .offset = offsetof(struct vlan, mac_option) },
	{ .name = "bootindex", .help = "place in the order in which firmware tries devices", .type = PROPERTY_U32, .settable = true,
	  .offset = offsetof(struct vlan, bootindex), .value = UINT32_MAX },
	{ .name = NULL },
};

const struct device_class vlan_class = {
	.name = "spapr-vlan", .help = "virtual Ethernet card", .size = sizeof(struct vlan), .on = &vio_bus, .pluggable = true,
	.properties = vlan_properties, .init = vlan_init, .free = vlan_release, .reset = vlan_reset, .fdt = vlan_fdt,
	.node = "l-lan", .device_type = "network", .compatible = "IBM,l-lan", .frames_arrived = vlan_frames_arrived, .announce = vlan_announce,
	.loaded = vlan_loaded, .state = &vlan_state, .own_state = &vlan_own_state, .sections = vlan_sections,
	.state_bytes = sizeof(struct vlan) + 2 * PAGE,
};

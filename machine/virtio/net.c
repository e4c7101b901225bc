/* virtio-net-pci: a network card. Frames come from a netdev at points of host input and wait there until the driver has
 * buffers for them; what the driver sends is taken at once, whatever its end does with it. What it leaves to the card,
 * checksums and segments, is done here (machine/net/offload.c), for no netdev does it; segments that have come are joined for
 * a driver that takes large ones.
 *
 * Source: Virtual I/O Device (VIRTIO) Version 1.1, "Network Device"; identities, sizes of queues, features and what a driver
 * finds are QEMU's. But QEMU offers checksums and segments with few netdevs, and datagrams of UDP larger than a frame. */
#include "machine/virtio/net.h"

#include <stdlib.h>
#include <string.h>

#include "machine/core/log.h"
#include "machine/net/offload.h"

#define LEGACY_ID    0x1000
#define QUEUE_SIZE   256u
#define CONTROL_SIZE 64u
#define MTU_LEAST    68u		/* that IPv4 asks for */

/* Its configuration: six bytes, then numbers of 16 bits. How much of it there is depends on what is offered. */
#define CONFIG_STATUS 6u
#define CONFIG_PAIRS  8u
#define CONFIG_MTU    10u

#define HEAD_BYTES      12u
#define HEAD_BYTES_OLD  10u		/* without a number of buffers */
#define HEAD_NEEDS_SUM  1u
#define HEAD_SUM_VALID  2u
#define GSO_TCP4        1u
#define GSO_ECN         0x80u

/* What a frame costs the host beside its bytes. */
#define WORK_OF_FRAME 4096u

static struct virtio_net *to_net(struct virtio_device *v) { return (struct virtio_net *)v; }

static unsigned head_bytes(const struct virtio_device *v)
{
	return virtio_has(v, NET_MRG_RXBUF) || virtio_has(v, VIRTIO_F_VERSION_1) ? HEAD_BYTES : HEAD_BYTES_OLD;
}

/* ---- To the guest ---- */

/* Buffers that hold `bytes`, the first one with a place for the head: a list, in order. NULL: there are not so many yet, or
 * with *drop none that is large enough. */
static struct virtio_element *take_buffers(struct virtio_net *n, unsigned queue, uint64_t bytes, bool *drop)
{
	struct virtio_device *v = &n->v;
	struct virtio_element *first = NULL, **last = &first, *e;
	uint64_t room = 0;

	*drop = false;
	while (room < bytes) {
		*last = e = first ? virtio_pop_now(v, queue) : virtio_pop(v, queue);
		if (!e)
			break;
		last = &e->next;
		room += e->in_bytes;
		if (e == first && e->in_bytes < head_bytes(v))
			virtio_break(v, "a buffer without room for a head");
		*drop = v->broken || (room < bytes && !virtio_has(v, NET_MRG_RXBUF));
		if (*drop)
			break;
	}
	if (room >= bytes && !*drop)
		return first;
	while (first) {
		e = first;
		first = e->next;
		virtio_unpop(v, e);
		virtio_element_free(e);
	}
	virtio_watch(v, queue);
	return NULL;
}

/* `j`: what the frame was joined of, NULL: it came as it is. */
static void put_head(struct virtio_net *n, const struct virtio_element *list, const struct offload_joined *j, uint8_t head[HEAD_BYTES])
{
	uint16_t words[5] = { 0 };	/* length of headers, of a segment; where the checksum begins, and goes from there; buffers */

	for (; list; list = list->next)
		words[4]++;
	head[0] = head[1] = 0;
	if (j) {
		head[0] = HEAD_NEEDS_SUM;
		head[1] = GSO_TCP4;
		words[0] = j->heads;
		words[1] = j->segment;
		words[2] = j->sum_start;
		words[3] = j->sum_offset;
	} else if (n->net->config->backend->sums_right && n->offloads & NET_BIT(NET_GUEST_CSUM)) {
		head[0] = HEAD_SUM_VALID;
	}
	for (size_t i = 0; i < ARRAY_SIZE(words); i++)
		words[i] = virtio_u16(&n->v, words[i]);
	memcpy(head + 2, words, sizeof words);
}

enum gift { GIVEN, DROPPED, WAITS };

static enum gift give(struct virtio_net *n, unsigned queue, const uint8_t *data, size_t bytes, const struct offload_joined *j)
{
	struct virtio_device *v = &n->v;
	unsigned head_size = head_bytes(v);
	struct virtio_element *list, *e;
	uint8_t head[HEAD_BYTES];
	uint64_t done = 0, at;
	bool drop;

	list = take_buffers(n, queue, UINT64_C(1) * head_size + bytes, &drop);
	if (!list)
		return drop ? DROPPED : WAITS;
	put_head(n, list, j, head);
	for (bool first = true; (e = list); first = false) {
		list = e->next;
		at = first ? virtio_give(v, e, 0, head, head_size) : 0;
		at += virtio_give(v, e, at, data + done, bytes - done);
		done += first ? at - head_size : at;
		virtio_push(v, e, (uint32_t)at);
		virtio_element_free(e);
	}
	return GIVEN;
}

/* How many of those that have arrived the guest has now, as one frame; 0: they wait for buffers. What is joined may be too large
 * for all that it has: so many, *apart, come one by one, and nobody joins them again. */
static unsigned give_some(struct virtio_net *n, unsigned queue, const struct net_frame *f, unsigned *apart)
{
	const uint64_t wanted = NET_BIT(NET_GUEST_TSO4) | NET_BIT(NET_GUEST_CSUM);
	struct offload_joined j;
	unsigned count = 1;

	if (!*apart && (n->offloads & wanted) == wanted && n->net->config->backend->sums_right)
		count = offload_join(f, n->net->arrived, n->buffer, &j);
	if (count > 1) {
		if (give(n, queue, n->buffer, j.bytes, &j) == GIVEN)
			return count;
		*apart = count;
	}
	*apart -= *apart != 0;
	return give(n, queue, f->data, f->bytes, NULL) != WAITS;
}

/* Where the driver wants the answers to what it has sent. */
static unsigned pair_for(const struct virtio_net *n, const struct net_frame *f)
{
	return n->pairs == 1 ? 0 : n->flow[net_flow(f->data, f->bytes)] % n->pairs;
}

struct pairs { uint64_t word[NET_PAIRS_MOST / 64]; };	/* a bit each */

static void notify_pairs(struct virtio_net *n, const struct pairs *pairs)
{
	for (unsigned pair = 0; pair < n->pairs; pair++)
		if (pairs->word[pair / 64] >> pair % 64 & 1)
			virtio_notify(&n->v, net_queue_rx(pair));
}

/* A card whose driver is not there hears nothing. Frames come in order: one whose queue has no buffers keeps the others waiting. */
static void take_frames(struct virtio_net *n)
{
	struct pairs given = { { 0 } };
	const struct net_frame *f;
	unsigned count, pair, apart = 0;
	bool ready;

	while (n->net && (f = net_front(n->net))) {
		ready = virtio_ready(&n->v) && n->status & NET_LINK_UP && net_filter_passes(n, f->data, f->bytes);
		pair = pair_for(n, f);
		count = ready ? give_some(n, net_queue_rx(pair), f, &apart) : 1;
		if (!count)
			break;
		if (ready)
			given.word[pair / 64] |= UINT64_C(1) << pair % 64;
		while (count--)
			net_done(n->net);
	}
	notify_pairs(n, &given);
}

static void net_frames_arrived(struct device *dev) { take_frames((struct virtio_net *)dev); }

static void net_link_changed(struct device *dev)
{
	struct virtio_net *n = (struct virtio_net *)dev;

	n->status = (uint16_t)((n->status & NET_ANNOUNCE) | (n->net->link_down ? 0 : NET_LINK_UP));
	virtio_config_changed(&n->v);
}

/* A driver that can says more than we know: which addresses it has. */
static void net_announce(struct device *dev)
{
	struct virtio_net *n = (struct virtio_net *)dev;

	net_say_place(n->net, n->mac);
	if (!virtio_has(&n->v, NET_GUEST_ANNOUNCE) || !virtio_has(&n->v, NET_CTRL_VQ) || !virtio_ready(&n->v))
		return;
	n->status |= NET_ANNOUNCE;
	virtio_config_changed(&n->v);
}

/* ---- From the guest ---- */

static const struct {
	uint8_t type;
	enum net_feature feature;
	enum offload_cut cut;
} cuts[] = { { 1, NET_HOST_TSO4, OFFLOAD_CUT_TCP4 }, { 4, NET_HOST_TSO6, OFFLOAD_CUT_TCP6 } };

/* What the head asks for. NULL; or what is wrong with it. */
static const char *read_head(const struct virtio_device *v, const uint8_t head[HEAD_BYTES], struct offload *o)
{
	uint16_t words[4];		/* length of headers, of a segment; where a checksum begins, and goes from there */
	uint8_t type = head[1] & (uint8_t)~GSO_ECN;

	memcpy(words, head + 2, sizeof words);
	*o = (struct offload){ .sum = head[0] & HEAD_NEEDS_SUM, .cut_bytes = virtio_u16(v, words[1]), .sum_start = virtio_u16(v, words[2]),
			       .sum_offset = virtio_u16(v, words[3]) };
	if (o->sum && !virtio_has(v, NET_CSUM))
		return "a checksum is left to a card that does none";
	for (size_t i = 0; type && i < ARRAY_SIZE(cuts); i++)
		if (cuts[i].type == type && virtio_has(v, cuts[i].feature)) {
			o->cut = cuts[i].cut;
			return NULL;
		}
	return type ? "segments are left to a card that makes none of that kind" : NULL;
}

static void send_frame(void *opaque, const uint8_t *frame, size_t bytes)
{
	struct virtio_net *n = opaque;

	n->v.pci.dev.machine->hcall_work += WORK_OF_FRAME + bytes;
	net_send(n->net, frame, bytes);
}

static void take_frame(struct virtio_net *n, const struct virtio_element *e)
{
	struct virtio_device *v = &n->v;
	uint8_t head[HEAD_BYTES];
	unsigned head_size = head_bytes(v);
	uint64_t bytes = e->out_bytes - head_size;
	struct offload o;
	const char *why;

	if (!n->net || !(n->status & NET_LINK_UP) || bytes > NET_FRAME_MAX || virtio_take(v, e, 0, head, head_size) != head_size ||
	    virtio_take(v, e, head_size, n->buffer, bytes) != bytes)
		return;
	n->flow[net_flow(n->buffer, bytes)] = (uint8_t)(e->queue / 2);
	why = read_head(v, head, &o);
	if (o.cut == OFFLOAD_CUT_TCP4 && o.cut_bytes && o.cut_bytes < n->net->config->backend->segment)
		o.cut_bytes = n->net->config->backend->segment;
	if (!why)
		why = offload_send(&o, n->buffer, bytes, send_frame, n);
	if (why)
		machine_log(v->pci.dev.machine, LOG_GUEST_ERROR, "virtio-net-pci %u: %s", (unsigned)v->pci.dev.number, why);
}

/* One frame may become OFFLOAD_SEGMENTS, and a ring has many: what is more than a quantum's work waits for a later one, so that
 * neither an instruction nor an event is long for the host. */
static void send_frames(struct virtio_net *n, unsigned queue)
{
	const uint64_t *work = &n->v.pci.dev.machine->hcall_work, enough = *work + MACHINE_WORK_MOST;
	struct virtio_element *e;
	bool any = false;

	while (virtio_ready(&n->v) && *work < enough && (e = virtio_pop(&n->v, queue))) {
		if (e->out_bytes < head_bytes(&n->v)) {
			virtio_break(&n->v, "a frame without a head");
		} else {
			take_frame(n, e);
			virtio_push(&n->v, e, 0);
			any = true;
		}
		virtio_element_free(e);
	}
	if (*work >= enough)
		virtio_look_later(&n->v);
	if (any)
		virtio_notify(&n->v, queue);
}

static void send_all(struct virtio_net *n)
{
	for (unsigned pair = 0; pair < net_pairs_there(n); pair++)
		send_frames(n, net_queue_tx(pair));
}

/* ---- The virtio device ---- */

static void net_kicked(struct virtio_device *v, unsigned queue)
{
	struct virtio_net *n = to_net(v);

	if (queue == net_queue_control(n))
		net_control(n);
	else if (queue & 1)
		send_frames(n, queue);
	else
		take_frames(n);
}

/* Which queues there are follows from what has been agreed on. */
static void net_agreed(struct virtio_device *v)
{
	struct virtio_net *n = to_net(v);
	unsigned control = net_queue_control(n);

	if (n->pairs > net_pairs_there(n))
		n->pairs = 1;
	n->flows = n->pairs_most > 1 ? NET_FLOWS : 0;
	for (unsigned i = 0; i <= 2 * n->pairs_most; i++)
		virtio_lay_queue(v, i, (uint16_t)(i > control ? 0 : i < control ? i & 1 ? n->tx_size : n->rx_size : n->offer[NET_CTRL_VQ] ? CONTROL_SIZE : 0));
}

/* What the driver has agreed to holds once it is there, and so does what it has put into queues before. */
static void net_status(struct virtio_device *v, uint8_t before)
{
	struct virtio_net *n = to_net(v);

	if (!(v->status & ~before & VIRTIO_S_DRIVER_OK))
		return;
	n->offloads = v->features & NET_GUEST_OFFLOADS;
	memset(n->vlans, virtio_has(v, NET_CTRL_VLAN) ? 0 : 0xff, sizeof n->vlans);
	send_all(n);
	net_control(n);
}

static void net_driver_reset(struct virtio_device *v)
{
	struct virtio_net *n = to_net(v);

	net_filter_reset(n);
	n->offloads = 0;
	n->pairs = 1;
	memset(n->flow, 0, sizeof n->flow);
	n->status &= (uint16_t)~NET_ANNOUNCE;
}

static void net_get_config(struct virtio_device *v)
{
	struct virtio_net *n = to_net(v);

	memcpy(v->config, n->mac, sizeof n->mac);
	virtio_put_u16(v, CONFIG_STATUS, n->status);
	virtio_put_u16(v, CONFIG_PAIRS, (uint16_t)n->pairs_most);
	virtio_put_u16(v, CONFIG_MTU, (uint16_t)n->mtu);
}

/* Drivers that know no command for it write its address there. */
static void net_set_config(struct virtio_device *v)
{
	if (!virtio_has(v, NET_CTRL_MAC_ADDR) && !virtio_has(v, VIRTIO_F_VERSION_1))
		memcpy(to_net(v)->mac, v->config, NET_MAC_BYTES);
}

static const struct virtio_class net_class = {
	.type = 1, .pci_class = 0x020000, .get_config = net_get_config, .set_config = net_set_config, .kicked = net_kicked,
	.status = net_status, .agreed = net_agreed, .reset = net_driver_reset,
};

/* ---- Making ---- */

static bool refuse(struct error *err, const char *why)
{
	error_usage(err, "-device virtio-net-pci: %s", why);
	return false;
}

static bool size_ok(uint32_t size)
{
	return size >= QUEUE_SIZE && size <= VIRTIO_RING_MAX && !(size & (size - 1));
}

static bool options_ok(const struct virtio_net *n, struct error *err)
{
	if (n->mtu && (n->mtu < MTU_LEAST || n->mtu > UINT16_MAX))
		return refuse(err, "host_mtu= is 68 to 65535");
	if (!size_ok(n->rx_size))
		return refuse(err, "Invalid rx_queue_size, must be a power of 2 between 256 and 1024");
	if (!size_ok(n->tx_size))
		return refuse(err, "Invalid tx_queue_size, must be a power of 2 between 256 and 1024");
	return true;
}

static bool find_mac(struct virtio_net *n, struct error *err)
{
	if (n->mac_option && (!net_mac_parse(n->mac_option, n->own_mac) || n->own_mac[0] & 1))
		return refuse(err, "mac= is the address of one card, as 52:54:00:12:34:56");
	if (!net_mac_claim(n->v.pci.dev.machine, n->own_mac))
		return refuse(err, "no address is left for it: give mac=");
	net_mac_text(n->own_mac, n->mac_text);
	n->mac_option = n->mac_text;
	return true;
}

/* Some mean nothing without others, and drivers refuse a card that offers them so. */
#define BY_COMMAND \
	(NET_BIT(NET_CTRL_RX) | NET_BIT(NET_CTRL_RX_EXTRA) | NET_BIT(NET_CTRL_VLAN) | NET_BIT(NET_CTRL_MAC_ADDR) | \
	 NET_BIT(NET_CTRL_GUEST_OFFLOADS) | NET_BIT(NET_GUEST_ANNOUNCE) | NET_BIT(NET_MQ))

static uint64_t offered(struct virtio_net *n)
{
	uint64_t features = NET_BIT(NET_MAC);

	for (unsigned i = 0; i < NET_FEATURES; i++)
		features |= n->offer[i] ? NET_BIT(i) : 0;
	if (!n->offer[NET_CTRL_VQ])
		features &= ~BY_COMMAND;
	if (!n->offer[NET_CSUM])
		features &= ~NET_HOST_OFFLOADS;
	if (!n->offer[NET_GUEST_CSUM])
		features &= ~NET_GUEST_OFFLOADS;
	if (n->mtu)
		features |= NET_BIT(NET_MTU);
	return features;
}

/* As far as what is offered last has its number. */
static uint32_t config_bytes(const struct virtio_net *n)
{
	static const struct { enum net_feature feature; uint32_t bytes; } rows[] = {
		{ NET_MTU, CONFIG_MTU + 2 }, { NET_MQ, CONFIG_PAIRS + 2 }, { NET_STATUS, CONFIG_STATUS + 2 },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		if (n->class.features & NET_BIT(rows[i].feature))
			return rows[i].bytes;
	return CONFIG_STATUS;
}

static bool add_queues(struct virtio_net *n)
{
	n->pairs_most = n->net && n->net->config->queues > 1 ? n->net->config->queues : 1;
	n->pairs = 1;
	for (unsigned pair = 0; pair < n->pairs_most; pair++)
		if (!virtio_add_queue(&n->v, (uint16_t)n->rx_size) || !virtio_add_queue(&n->v, (uint16_t)n->tx_size))
			return false;
	return !n->offer[NET_CTRL_VQ] || virtio_add_queue(&n->v, CONTROL_SIZE);
}

static bool net_init(struct device *dev, struct error *err)
{
	struct virtio_net *n = (struct virtio_net *)dev;

	if (!options_ok(n, err) || (n->netdev && !(n->net = net_take(dev->machine, n->netdev, dev, err))) || !find_mac(n, err))
		return false;
	n->buffer = malloc(NET_FRAME_MAX);
	n->class = net_class;
	n->class.features = offered(n);
	n->class.config_bytes = config_bytes(n);
	if (!n->buffer || !add_queues(n)) {
		error_set(err, "out of memory");
		return false;
	}
	return virtio_init(&n->v, &n->class, LEGACY_ID, err);
}

static void net_free(struct device *dev)
{
	struct virtio_net *n = (struct virtio_net *)dev;

	if (n->net)
		net_leave(n->net);
	if (*n->mac_text)
		net_mac_release(dev->machine, n->own_mac);
	free(n->buffer);
	virtio_free(&n->v);
}

static void net_reset(struct device *dev)
{
	struct virtio_net *n = (struct virtio_net *)dev;

	n->status = n->net && n->net->link_down ? 0 : NET_LINK_UP;
	virtio_reset(&n->v);
}

/* What another hypervisor had taken and not sent is sent; and others on its network hear that the guest is here now. A guest that
 * goes on here is not to notice, and so is not asked to say so. */
static void net_loaded(struct device *dev, bool foreign)
{
	struct virtio_net *n = (struct virtio_net *)dev;

	net_state_settle(n);
	if (n->net) {
		n->net->link_down = !(n->status & NET_LINK_UP);
		net_forget(n->net);
	}
	virtio_loaded(&n->v, foreign);
	if (foreign) {
		virtio_take_again(&n->v);
		send_all(n);
		if (n->net)
			net_announce(dev);
	}
}

/* No netdev of QEMU's but tap does checksums and segments for a guest; what it does not offer it does not load. */
static bool net_qemu_can(const struct device *dev, struct error *err)
{
	const struct virtio_net *n = (const struct virtio_net *)dev;

	if (!(n->v.features & (NET_HOST_OFFLOADS | NET_GUEST_OFFLOADS)))
		return true;
	error_set(err, "the guest leaves checksums to virtio-net-pci, as it cannot in QEMU: start it with csum=off,guest_csum=off");
	return false;
}

#define OFFER(name_, help_, feature) \
	{ .name = name_, .help = help_, .type = PROPERTY_BOOL, .settable = true, .offset = offsetof(struct virtio_net, offer[feature]), .value = true }

static const struct device_property net_properties[] = {
	VIRTIO_PROPERTIES(struct virtio_net, v),
	{ .name = "netdev", .help = "id of its -netdev", .type = PROPERTY_STRING, .settable = true, .offset = offsetof(struct virtio_net, netdev) },
	{ .name = "mac", .help = "its address; else 52:54:00:12:34:56, or the next that is free", .type = PROPERTY_STRING, .settable = true,
	  .offset = offsetof(struct virtio_net, mac_option) },
	{ .name = "bootindex", .help = "place in the order in which firmware tries devices", .type = PROPERTY_U32, .settable = true,
	  .offset = offsetof(struct virtio_net, bootindex), .value = UINT32_MAX },
	{ .name = "host_mtu", .help = "what the guest is told; 0: nothing", .type = PROPERTY_U32, .settable = true,
	  .offset = offsetof(struct virtio_net, mtu) },
	{ .name = "rx_queue_size", .help = "frames to the guest", .type = PROPERTY_U32, .settable = true,
	  .offset = offsetof(struct virtio_net, rx_size), .value = QUEUE_SIZE },
	{ .name = "tx_queue_size", .help = "frames from the guest", .type = PROPERTY_U32, .settable = true,
	  .offset = offsetof(struct virtio_net, tx_size), .value = QUEUE_SIZE },
	OFFER("csum", "the guest may leave checksums to it", NET_CSUM),
	OFFER("guest_csum", "the guest need not look at checksums", NET_GUEST_CSUM),
	OFFER("gso", "for old drivers", NET_GSO),
	OFFER("guest_tso4", "large segments to the guest", NET_GUEST_TSO4),
	OFFER("guest_tso6", "the same, IPv6", NET_GUEST_TSO6),
	OFFER("guest_ecn", "the same, with ECN", NET_GUEST_ECN),
	OFFER("host_tso4", "large segments from the guest", NET_HOST_TSO4),
	OFFER("host_tso6", "the same, IPv6", NET_HOST_TSO6),
	OFFER("host_ecn", "the same, with ECN", NET_HOST_ECN),
	OFFER("mrg_rxbuf", "a frame may take several buffers", NET_MRG_RXBUF),
	OFFER("status", "the state of the link", NET_STATUS),
	OFFER("ctrl_vq", "a queue of commands", NET_CTRL_VQ),
	OFFER("ctrl_rx", "which frames it takes", NET_CTRL_RX),
	OFFER("ctrl_rx_extra", "the same, and more", NET_CTRL_RX_EXTRA),
	OFFER("ctrl_vlan", "which VLANs", NET_CTRL_VLAN),
	OFFER("ctrl_mac_addr", "another address", NET_CTRL_MAC_ADDR),
	OFFER("ctrl_guest_offloads", "what the guest takes may change", NET_CTRL_GUEST_OFFLOADS),
	{ .name = "mq", .help = "several queues each way: as many as the netdev has", .type = PROPERTY_BOOL, .settable = true,
	  .offset = offsetof(struct virtio_net, offer[NET_MQ]) },
	OFFER("guest_announce", "the guest says where it is when it is asked to", NET_GUEST_ANNOUNCE),
	{ .name = NULL },
};

const struct device_class virtio_net_class = {
	.name = "virtio-net-pci", .alias = "virtio-net", .help = "network card", .size = sizeof(struct virtio_net), .on = &pci_bus,
	.pluggable = true, .properties = net_properties, .init = net_init, .free = net_free, .reset = net_reset, .loaded = net_loaded,
	.frames_arrived = net_frames_arrived, .link_changed = net_link_changed, .announce = net_announce, .qemu_ready = virtio_device_qemu_ready, .qemu_can = net_qemu_can,
	.state = &virtio_net_state, .own_state = &virtio_net_own_state,
};

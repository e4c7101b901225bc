/* virtio-net-pci in snapshots: QEMU's section "virtio-net", and what it has no place for. A netdev is the host's: what waits
 * in it, and connections through it, are in no snapshot. */
#include <string.h>

#include "machine/virtio/net.h"

static uint64_t mergeable(const void *s, unsigned i)
{
	(void)i;
	return virtio_has(&((const struct virtio_net *)s)->v, NET_MRG_RXBUF);
}

/* QEMU has these words in the order of the host, an x86's. */
static uint64_t vlan_byte(const void *s, unsigned i)
{
	return ((const struct virtio_net *)s)->vlans[i / 4] >> 8 * (i % 4) & 0xff;
}

static bool put_vlan_byte(void *s, unsigned i, uint64_t value)
{
	uint32_t *word = &((struct virtio_net *)s)->vlans[i / 4];

	*word = (*word & ~(UINT32_C(0xff) << 8 * (i % 4))) | (uint32_t)value << 8 * (i % 4);
	return true;
}

/* Whether one field more follows depends on what the head of the section has said. */
static void find_offloads(void *s)
{
	struct virtio_net *n = s;

	n->has_offloads = virtio_has(&n->v, NET_CTRL_GUEST_OFFLOADS);
	n->has_pairs = n->pairs_most > 1;
	n->more_pairs = n->pairs - 1u;
}

static bool offloads_follow(void *s, uint32_t version, struct vms_walk *w)
{
	(void)version;
	(void)w;
	find_offloads(s);
	return true;
}

static const struct vmstate agreed_state = {
	.name = "virtio-net/agreed", .version = 1, .min_version = 1, VMS_OF(struct virtio_net), .pre_save = find_offloads,
	.post_load = offloads_follow, .fields = (const struct vms_field[]){ { .kind = VMS_END } },
};

/* The driver uses one pair at least, and no more than there are: behind them are its commands. */
static bool pairs_check(const void *s, struct vms_walk *w)
{
	const struct virtio_net *n = s;
	unsigned most = net_pairs_there(n);

	return (n->pairs && n->pairs <= most) || vms_wrong(w, "curr_queue_pairs", n->pairs, "1 to %u", most);
}

static bool pairs_follow(void *s, uint32_t version, struct vms_walk *w)
{
	struct virtio_net *n = s;

	(void)version;
	(void)w;
	n->more_pairs = n->pairs - 1u;
	return true;
}

static uint64_t most_get(const void *s, unsigned i) { (void)i; return ((const struct virtio_net *)s)->pairs_most; }
static bool most_put(void *s, unsigned i, uint64_t value) { return value == most_get(s, i); }

static const struct vmstate pairs_state = {
	.name = "virtio-net/pairs", .version = 1, .min_version = 1, VMS_OF(struct virtio_net), .check = pairs_check, .post_load = pairs_follow,
	.fields = VMS_FIELDS(
		{ .name = "max_queue_pairs", .kind = VMS_CALCULATED, .codec = &vms_u16, .count = 1, .get = most_get, .put = most_put,
		  VMS_COUNTED(struct virtio_net, has_pairs) },
		VMS_ROW("curr_queue_pairs", VMS_VALUE, struct virtio_net, pairs, pairs, uint16_t, 1, .codec = &vms_u16,
			VMS_COUNTED(struct virtio_net, has_pairs))),
};

static const struct vmstate address_state = {
	.name = "virtio-net/address", .version = 1, .min_version = 1, VMS_OF(struct net_mac), .fields = VMS_FIELDS(VMS_BUFFER(struct net_mac, byte)),
};

static const struct vmstate device_state = {
	.name = "virtio-net-device", .version = 11, .min_version = 11, VMS_OF(struct virtio_net),
	.fields = VMS_FIELDS(
		VMS_PART("agreed", agreed_state),
		VMS_BUFFER(struct virtio_net, mac),
		VMS_CONSTANT("tx_waiting", vms_u32, 0),
		VMS_CALC("mergeable_rx_bufs", vms_u32, mergeable, NULL),
		VMS_U16(struct virtio_net, status),
		VMS_U8(struct virtio_net, promisc), VMS_U8(struct virtio_net, allmulti),
		VMS_U32_TO(struct virtio_net, macs, NET_MACS),
		VMS_COUNTED_STRUCTS("table", struct virtio_net, table, struct net_mac, macs, address_state),
		VMS_CALC_ARRAY("vlans", vms_u8, NET_VLANS / 8, vlan_byte, put_vlan_byte),
		VMS_CARRIED(struct virtio_net, vlans, "vlans"),
		VMS_CONSTANT("has_vnet_hdr", vms_u32, 0),
		VMS_U8(struct virtio_net, multi_overflow), VMS_U8(struct virtio_net, uni_overflow),
		VMS_U8(struct virtio_net, alluni), VMS_U8(struct virtio_net, nomulti), VMS_U8(struct virtio_net, nouni),
		VMS_U8(struct virtio_net, nobcast),
		VMS_CONSTANT("has_ufo", vms_u8, 0),
		VMS_PART("pairs", pairs_state),
		{ .name = "tx_waiting", .kind = VMS_CALCULATED, .codec = &vms_u32, .count = NET_PAIRS_MOST - 1,
		  VMS_COUNTED(struct virtio_net, more_pairs) },
		VMS_ROW("curr_guest_offloads", VMS_VALUE, struct virtio_net, offloads, offloads, uint64_t, 1, .codec = &vms_u64,
			VMS_COUNTED(struct virtio_net, has_offloads))),
};

static bool net_check(const void *s, struct vms_walk *w)
{
	const struct virtio_net *n = s;

	if (n->offloads & ~NET_GUEST_OFFLOADS)
		return vms_wrong(w, "curr_guest_offloads", n->offloads, "some of 0x%llx", (unsigned long long)NET_GUEST_OFFLOADS);
	return n->status <= (NET_LINK_UP | NET_ANNOUNCE) || vms_wrong(w, "status", n->status, "at most %u", NET_LINK_UP | NET_ANNOUNCE);
}

static const struct vmstate payload_state = {
	.name = "virtio-net/payload", .version = 1, .min_version = 1, VMS_OF(struct virtio_net), .check = net_check,
	.fields = VMS_FIELDS(VIRTIO_HEAD(struct virtio_net, v), VMS_PART("device", device_state), VIRTIO_TAIL),
};

const struct vmstate virtio_net_state = {
	.name = "virtio-net", .version = 11, .min_version = 11, VMS_OF(struct virtio_net),
	.fields = VMS_FIELDS(VIRTIO_PAYLOAD(payload_state)),
};

const struct vmstate virtio_net_own_state = {
	.name = "cede/virtio-net", .version = 1, .min_version = 1, VMS_OF(struct virtio_net),
	.fields = VMS_FIELDS(
		VIRTIO_OWN,
		VMS_COUNTED_BUFFER("flow", struct virtio_net, flow, flows),
		VMS_SKIP(struct virtio_net, flows, "follows from an option"),
		VMS_SKIP(struct virtio_net, first_multi, "follows from the table"),
		VMS_SKIP(struct virtio_net, has_offloads, "follows from features"),
		VMS_SKIP(struct virtio_net, pairs_most, "an option"), VMS_SKIP(struct virtio_net, has_pairs, "follows from it"),
		VMS_SKIP(struct virtio_net, more_pairs, "follows from pairs"),
		VMS_SKIP(struct virtio_net, class, "what it is, and options"),
		VMS_SKIP(struct virtio_net, netdev, "an option"), VMS_SKIP(struct virtio_net, mac_option, "an option"),
		VMS_SKIP(struct virtio_net, bootindex, "an option"),
		VMS_SKIP(struct virtio_net, offer, "options"),
		VMS_SKIP(struct virtio_net, mtu, "an option"), VMS_SKIP(struct virtio_net, rx_size, "an option"),
		VMS_SKIP(struct virtio_net, tx_size, "an option"),
		VMS_SKIP(struct virtio_net, net, "the host's"), VMS_SKIP(struct virtio_net, buffer, "while a frame is sent"),
		VMS_SKIP(struct virtio_net, mac_text, "an option"), VMS_SKIP(struct virtio_net, own_mac, "an option")),
};

void net_state_settle(struct virtio_net *n)
{
	n->first_multi = 0;
	while (n->first_multi < n->macs && !(n->table[n->first_multi].byte[0] & 1))
		n->first_multi++;
	for (uint32_t i = n->macs; i < NET_MACS; i++)
		memset(&n->table[i], 0, sizeof n->table[i]);
	if (!virtio_has(&n->v, NET_CTRL_GUEST_OFFLOADS) && n->v.status & VIRTIO_S_DRIVER_OK)
		n->offloads = n->v.features & NET_GUEST_OFFLOADS;
}

/* The control queue of virtio-net-pci, and what it sets most of: the filter of what reaches the guest.
 * Source: Virtual I/O Device (VIRTIO) Version 1.1, "Network Device", "Control Virtqueue"; limits are QEMU's. */
#include <string.h>

#include "machine/virtio/net.h"

/* ---- The filter ---- */

#define TYPE_AT  12u
#define TAG_AT   14u
#define TYPE_TAG 0x8100u

static unsigned get16(const uint8_t *p) { return (unsigned)p[0] << 8 | p[1]; }

/* All passes until the driver says what. */
void net_filter_reset(struct virtio_net *n)
{
	n->promisc = 1;
	n->allmulti = n->alluni = n->nomulti = n->nouni = n->nobcast = 0;
	n->multi_overflow = n->uni_overflow = 0;
	n->macs = n->first_multi = 0;
	memset(n->table, 0, sizeof n->table);
	memset(n->vlans, 0xff, sizeof n->vlans);
	memcpy(n->mac, n->own_mac, sizeof n->mac);
}

static bool in_table(const struct virtio_net *n, uint32_t from, uint32_t to, const uint8_t *mac)
{
	for (uint32_t i = from; i < to; i++)
		if (!memcmp(n->table[i].byte, mac, NET_MAC_BYTES))
			return true;
	return false;
}

static bool group_passes(const struct virtio_net *n, const uint8_t *mac)
{
	static const uint8_t all[NET_MAC_BYTES] = { 0xff, 0xff, 0xff, 0xff, 0xff, 0xff };

	if (!memcmp(mac, all, sizeof all))
		return !n->nobcast;
	return !n->nomulti && (n->allmulti || n->multi_overflow || in_table(n, n->first_multi, n->macs, mac));
}

static bool single_passes(const struct virtio_net *n, const uint8_t *mac)
{
	return !n->nouni && (n->alluni || n->uni_overflow || !memcmp(n->mac, mac, NET_MAC_BYTES) || in_table(n, 0, n->first_multi, mac));
}

bool net_filter_passes(const struct virtio_net *n, const uint8_t *frame, size_t bytes)
{
	unsigned vlan;

	if (n->promisc)
		return true;
	if (bytes >= TAG_AT + 2 && get16(frame + TYPE_AT) == TYPE_TAG) {
		vlan = get16(frame + TAG_AT) & (NET_VLANS - 1);
		if (!(n->vlans[vlan / 32] >> vlan % 32 & 1))
			return false;
	}
	return frame[0] & 1 ? group_passes(n, frame) : single_passes(n, frame);
}

/* ---- Commands: what follows the two bytes that name one is at COMMAND_DATA of the element ---- */

#define COMMAND_DATA 2u
enum ack { ACK_OK, ACK_ERROR };

static bool take_exactly(struct virtio_net *n, const struct virtio_element *e, void *buf, uint64_t bytes)
{
	return e->out_bytes == COMMAND_DATA + bytes && virtio_take(&n->v, e, COMMAND_DATA, buf, bytes) == bytes;
}

static enum ack set_switch(struct virtio_net *n, const struct virtio_element *e, size_t at)
{
	uint8_t on;

	if (!take_exactly(n, e, &on, 1))
		return ACK_ERROR;
	*((uint8_t *)n + at) = on;
	return ACK_OK;
}

/* A count and so many addresses, from `at` of the element on, behind the `have` that are in `table`; *at moves behind them.
 * False: there are not so many. */
static bool take_macs(struct virtio_net *n, const struct virtio_element *e, uint64_t *at, struct net_mac table[NET_MACS],
		      uint32_t *have, uint8_t *overflow)
{
	uint32_t count;

	if (virtio_take(&n->v, e, *at, &count, 4) != 4)
		return false;
	*at += 4;
	count = virtio_u32(&n->v, count);
	if (count > (e->out_bytes - *at) / NET_MAC_BYTES)
		return false;
	*overflow = count > NET_MACS - *have;
	if (count && !*overflow) {
		if (virtio_take(&n->v, e, *at, &table[*have], UINT64_C(6) * count) != UINT64_C(6) * count)
			return false;
		*have += count;
	}
	*at += UINT64_C(6) * count;
	return true;
}

static enum ack set_table(struct virtio_net *n, const struct virtio_element *e, size_t unused)
{
	struct net_mac table[NET_MACS] = { { { 0 } } };
	uint8_t single_overflow, group_overflow;
	uint64_t at = COMMAND_DATA;
	uint32_t have = 0, singles;

	(void)unused;
	if (!take_macs(n, e, &at, table, &have, &single_overflow))
		return ACK_ERROR;
	singles = have;
	if (!take_macs(n, e, &at, table, &have, &group_overflow) || at != e->out_bytes)
		return ACK_ERROR;
	memcpy(n->table, table, sizeof table);
	n->first_multi = singles;
	n->macs = have;
	n->uni_overflow = single_overflow;
	n->multi_overflow = group_overflow;
	return ACK_OK;
}

static enum ack set_mac(struct virtio_net *n, const struct virtio_element *e, size_t unused)
{
	uint8_t mac[NET_MAC_BYTES];

	(void)unused;
	if (!take_exactly(n, e, mac, sizeof mac))
		return ACK_ERROR;
	memcpy(n->mac, mac, sizeof mac);
	return ACK_OK;
}

static enum ack set_vlan(struct virtio_net *n, const struct virtio_element *e, size_t on)
{
	uint16_t vlan;

	if (!take_exactly(n, e, &vlan, 2))
		return ACK_ERROR;
	vlan = virtio_u16(&n->v, vlan);
	if (vlan >= NET_VLANS)
		return ACK_ERROR;
	n->vlans[vlan / 32] &= ~(1u << vlan % 32);
	n->vlans[vlan / 32] |= (uint32_t)on << vlan % 32;
	return ACK_OK;
}

static enum ack have_announced(struct virtio_net *n, const struct virtio_element *e, size_t unused)
{
	(void)e, (void)unused;
	if (!(n->status & NET_ANNOUNCE))
		return ACK_ERROR;
	n->status &= (uint16_t)~NET_ANNOUNCE;
	return ACK_OK;
}

static enum ack set_offloads(struct virtio_net *n, const struct virtio_element *e, size_t unused)
{
	uint64_t bits;

	(void)unused;
	if (!virtio_has(&n->v, NET_CTRL_GUEST_OFFLOADS) || !take_exactly(n, e, &bits, 8))
		return ACK_ERROR;
	bits = virtio_u64(&n->v, bits);
	if (bits & ~(n->v.features & NET_GUEST_OFFLOADS))
		return ACK_ERROR;
	n->offloads = bits;
	return ACK_OK;
}

/* How many pairs of queues the driver uses. */
static enum ack set_pairs(struct virtio_net *n, const struct virtio_element *e, size_t unused)
{
	uint16_t pairs;

	(void)unused;
	if (!virtio_has(&n->v, NET_MQ) || !take_exactly(n, e, &pairs, 2))
		return ACK_ERROR;
	pairs = virtio_u16(&n->v, pairs);
	if (!pairs || pairs > n->pairs_most)
		return ACK_ERROR;
	n->pairs = pairs;
	return ACK_OK;
}

#define SWITCH(number, member) { 0, number, set_switch, offsetof(struct virtio_net, member) }

static const struct command {
	uint8_t class, number;
	enum ack (*run)(struct virtio_net *n, const struct virtio_element *e, size_t what);
	size_t what;
} commands[] = {
	SWITCH(0, promisc), SWITCH(1, allmulti), SWITCH(2, alluni), SWITCH(3, nomulti), SWITCH(4, nouni), SWITCH(5, nobcast),
	{ 1, 0, set_table, 0 }, { 1, 1, set_mac, 0 }, { 2, 0, set_vlan, 1 }, { 2, 1, set_vlan, 0 }, { 3, 0, have_announced, 0 },
	{ 4, 0, set_pairs, 0 }, { 5, 0, set_offloads, 0 },
};

static enum ack run_command(struct virtio_net *n, const struct virtio_element *e)
{
	uint8_t head[COMMAND_DATA];

	if (virtio_take(&n->v, e, 0, head, sizeof head) != sizeof head)
		return ACK_ERROR;
	for (size_t i = 0; i < ARRAY_SIZE(commands); i++)
		if (commands[i].class == head[0] && commands[i].number == head[1])
			return commands[i].run(n, e, commands[i].what);
	return ACK_ERROR;
}

void net_control(struct virtio_net *n)
{
	struct virtio_element *e;
	bool any = false;
	uint8_t ack;

	while (virtio_ready(&n->v) && (e = virtio_pop(&n->v, net_queue_control(n)))) {
		if (e->out_bytes < COMMAND_DATA || !e->in_bytes) {
			virtio_break(&n->v, "a command without a head or a place for its answer");
		} else {
			ack = (uint8_t)run_command(n, e);
			virtio_push(&n->v, e, (uint32_t)virtio_give(&n->v, e, 0, &ack, 1));
			any = true;
		}
		virtio_element_free(e);
	}
	if (any)
		virtio_notify(&n->v, net_queue_control(n));
}

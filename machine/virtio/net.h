/* What the files of virtio-net-pci know of each other: its struct, its features, its control queue. */
#ifndef MACHINE_VIRTIO_NET_H
#define MACHINE_VIRTIO_NET_H

#include "machine/net/flow.h"
#include "machine/net/net.h"
#include "machine/virtio/virtio.h"

enum net_feature {
	NET_CSUM = 0, NET_GUEST_CSUM = 1, NET_CTRL_GUEST_OFFLOADS = 2, NET_MTU = 3, NET_MAC = 5, NET_GSO = 6, NET_GUEST_TSO4 = 7,
	NET_GUEST_TSO6 = 8, NET_GUEST_ECN = 9, NET_HOST_TSO4 = 11, NET_HOST_TSO6 = 12, NET_HOST_ECN = 13, NET_MRG_RXBUF = 15,
	NET_STATUS = 16, NET_CTRL_VQ = 17, NET_CTRL_RX = 18, NET_CTRL_VLAN = 19, NET_CTRL_RX_EXTRA = 20, NET_GUEST_ANNOUNCE = 21,
	NET_MQ = 22, NET_CTRL_MAC_ADDR = 23, NET_FEATURES,
};

#define NET_BIT(n) (UINT64_C(1) << (n))
/* What CTRL_GUEST_OFFLOADS is about. */
#define NET_GUEST_OFFLOADS (NET_BIT(NET_GUEST_CSUM) | NET_BIT(NET_GUEST_TSO4) | NET_BIT(NET_GUEST_TSO6) | NET_BIT(NET_GUEST_ECN))
#define NET_HOST_OFFLOADS  (NET_BIT(NET_CSUM) | NET_BIT(NET_HOST_TSO4) | NET_BIT(NET_HOST_TSO6) | NET_BIT(NET_HOST_ECN))

#define NET_LINK_UP  1u			/* of status */
#define NET_ANNOUNCE 2u

#define NET_MACS  64u			/* of the filter's table */
#define NET_VLANS 4096u

/* Pairs of queues, one each way; then that of commands. */
#define NET_PAIRS_MOST NET_QUEUES_MOST
static inline unsigned net_queue_rx(unsigned pair) { return 2 * pair; }
static inline unsigned net_queue_tx(unsigned pair) { return 2 * pair + 1; }

struct net_mac {
	uint8_t byte[NET_MAC_BYTES];
};

struct virtio_net {
	struct virtio_device v;
	struct virtio_class class;	/* how long its configuration is is an option */
	/* Properties. */
	const char *netdev, *mac_option;
	uint32_t bootindex;		/* UINT32_MAX: none */
	bool offer[NET_FEATURES];
	uint32_t mtu, rx_size, tx_size;

	struct net *net;		/* NULL: nothing is at the cable's end */
	uint8_t *buffer;		/* NET_FRAME_MAX: a frame on its way out, or one of several on their way in */
	char mac_text[18];		/* what mac_option is, once it is chosen */
	uint8_t own_mac[NET_MAC_BYTES];	/* as after a reset */

	uint8_t mac[NET_MAC_BYTES];
	uint16_t status;		/* NET_LINK_UP, NET_ANNOUNCE */
	/* The filter: what reaches the guest. */
	uint8_t promisc, allmulti, alluni, nomulti, nouni, nobcast;
	uint8_t multi_overflow, uni_overflow;	/* the table had no room: all of that kind */
	uint32_t macs, first_multi;	/* in the table; those from first_multi on are groups */
	struct net_mac table[NET_MACS];
	uint32_t vlans[NET_VLANS / 32];	/* a bit each */
	uint32_t pairs_most;		/* as many as the netdev has */
	uint16_t pairs;			/* that the driver uses: the first ones */
	uint8_t flow[NET_FLOWS];	/* the pair on which a frame of it was last sent: its answers come there */
	uint32_t flows;			/* of flow[], in snapshots: none if there is one pair */
	uint32_t has_pairs, more_pairs;	/* what a snapshot has of them: 1: something; all but the first one */
	uint64_t offloads;		/* that the guest takes: bits of NET_GUEST_OFFLOADS */
	uint32_t has_offloads;		/* 1: those are in a snapshot, which follows from its features */
};

/* A driver that has not agreed to several pairs has one, and the commands behind it. Before it has agreed to anything all are there. */
static inline unsigned net_pairs_there(const struct virtio_net *n)
{
	return n->v.features && !virtio_has(&n->v, NET_MQ) ? 1 : n->pairs_most;
}
static inline unsigned net_queue_control(const struct virtio_net *n) { return 2 * net_pairs_there(n); }

/* ---- net_control.c ---- */
void net_filter_reset(struct virtio_net *n);
bool net_filter_passes(const struct virtio_net *n, const uint8_t *frame, size_t bytes);
void net_control(struct virtio_net *n);	/* what waits in that queue */

/* ---- net_state.c ---- */
extern const struct vmstate virtio_net_state, virtio_net_own_state;
void net_state_settle(struct virtio_net *n);	/* after a load: what follows from the rest */

#endif

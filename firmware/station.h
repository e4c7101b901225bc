/* A station on a network, for a boot from there: Ethernet, ARP, IPv4 and UDP as far as that goes. Nothing is fragmented, no checksum of
 * UDP is made or looked at. Whoever is on the network is hostile: frames are read with bounds.
 * Sources: RFC 826, 791, 768. */
#ifndef FIRMWARE_STATION_H
#define FIRMWARE_STATION_H

#include "machine/net/net.h"

#define STATION_DATA 1468u		/* bytes of a datagram, at most: what a frame of 1500 has room for and no less */

struct station {
	struct machine *m;
	struct net *net;
	uint8_t mac[NET_MAC_BYTES];
	uint32_t ip, mask, router;	/* 0: not yet known, or none */
	uint32_t hop;			/* to whom we have sent last, and what his card is; 0: to nobody */
	uint8_t hop_mac[NET_MAC_BYTES];
	uint64_t deadline;		/* of host_ns(): nothing comes or is asked for after it */
	bool seen;			/* the frame in front is the last call's */
	bool stopped, late;		/* a signal wants our end; the deadline has passed */
};

struct datagram {
	uint32_t from;
	uint16_t from_port;
	const uint8_t *data;		/* until the next one */
	size_t bytes;
};

/* The network whose card has the lowest bootindex, or the first one with a card. NULL: there is none. */
struct net *station_first(const struct machine *m);
/* On the card of that network, for `ns` of the host's in all. False: it has none. */
bool station_begin(struct machine *m, struct net *n, uint64_t ns, struct station *s);
uint32_t station_bootindex(const struct net *n);	/* of its card; UINT32_MAX: none */
bool station_ended(const struct station *s);	/* stopped or late: no further try makes sense */
/* To all, as long as our own address is not known; else to whom it is for, once he has been found. False: nobody says that he is that. */
bool station_send(struct station *s, uint32_t to, uint16_t from_port, uint16_t to_port, const uint8_t *data, size_t bytes);
/* Waits up to `until`, of host_ns(), for a datagram to that port. False: none has come. */
bool station_receive(struct station *s, uint16_t port, uint64_t until, struct datagram *d);
/* The end of it: nothing is left for the guest. */
void station_leave(struct station *s);

uint64_t station_get(const uint8_t *p, unsigned bytes);	/* big-endian */
void station_put(uint8_t *p, unsigned bytes, uint64_t value);

#endif

/* A station on a network: see station.h. */
#include "firmware/station.h"

#include <string.h>

#include "machine/host/term.h"
#include "machine/host/time.h"

#define TYPE_IP  0x0800u
#define TYPE_ARP 0x0806u
#define UDP      17u
#define ARP_SIZE 28u
#define IP_SIZE  20u
#define UDP_SIZE 8u
#define FRAGMENT 0x3fffu		/* more of them, or not the first */

#define NS_PER_S UINT64_C(1000000000)
#define TRIES    5u

uint64_t station_get(const uint8_t *p, unsigned bytes)
{
	uint64_t value = 0;

	while (bytes--)
		value = value << 8 | *p++;
	return value;
}

void station_put(uint8_t *p, unsigned bytes, uint64_t value)
{
	while (bytes--) {
		p[bytes] = (uint8_t)value;
		value >>= 8;
	}
}

/* ---- Its card ---- */

static bool find_mac(const struct device *card, uint8_t mac[NET_MAC_BYTES])
{
	for (const struct device_property *p = card->class->properties; p && p->name; p++)
		if (!strcmp(p->name, "mac") && p->type == PROPERTY_STRING)
			return net_mac_parse(*(const char *const *)((const char *)card + p->offset), mac);
	return false;
}

uint32_t station_bootindex(const struct net *n)
{
	return n->user ? device_property_u32(n->user, "bootindex", UINT32_MAX) : UINT32_MAX;
}

struct net *station_first(const struct machine *m)
{
	uint8_t mac[NET_MAC_BYTES];
	struct net *first = NULL;

	for (struct net *n = m->nets; n; n = n->next)
		if (n->user && find_mac(n->user, mac) && (!first || station_bootindex(n) < station_bootindex(first)))
			first = n;
	return first;
}

bool station_begin(struct machine *m, struct net *n, uint64_t ns, struct station *s)
{
	*s = (struct station){ .m = m, .net = n, .deadline = host_ns() + ns };
	return n->user && find_mac(n->user, s->mac);
}

bool station_ended(const struct station *s) { return s->stopped || s->late; }

/* ---- ARP ---- */

static void put_head(const struct station *s, uint8_t *frame, const uint8_t *to, uint16_t type)
{
	memcpy(frame, to, NET_MAC_BYTES);
	memcpy(frame + 6, s->mac, NET_MAC_BYTES);
	station_put(frame + 12, 2, type);
}

static const uint8_t everybody[NET_MAC_BYTES] = { 0xff, 0xff, 0xff, 0xff, 0xff, 0xff }, nobody[NET_MAC_BYTES];
static const uint8_t arp_head[] = { 0, 1, 8, 0, NET_MAC_BYTES, 4, 0 };

static void send_arp(struct station *s, uint8_t operation, const uint8_t *to, uint32_t to_ip)
{
	uint8_t frame[60] = { 0 }, *arp = frame + NET_HEAD_BYTES;

	put_head(s, frame, operation == 1 ? everybody : to, TYPE_ARP);
	memcpy(arp, arp_head, sizeof arp_head);
	arp[7] = operation;
	memcpy(arp + 8, s->mac, NET_MAC_BYTES);
	station_put(arp + 14, 4, s->ip);
	memcpy(arp + 18, operation == 1 ? nobody : to, NET_MAC_BYTES);
	station_put(arp + 24, 4, to_ip);
	net_send(s->net, frame, sizeof frame);
}

/* Who asks for us is answered. True: `wanted` has said what its card is. */
static bool heed_arp(struct station *s, const uint8_t *arp, size_t bytes, uint32_t wanted, uint8_t mac[NET_MAC_BYTES])
{
	if (bytes < ARP_SIZE || memcmp(arp, arp_head, sizeof arp_head) || !s->ip || station_get(arp + 24, 4) != s->ip)
		return false;
	if (arp[7] == 1)
		send_arp(s, 2, arp + 8, (uint32_t)station_get(arp + 14, 4));
	if (!wanted || station_get(arp + 14, 4) != wanted)
		return false;
	memcpy(mac, arp + 8, NET_MAC_BYTES);
	return true;
}

/* ---- In ---- */

/* Up to `until` for a frame; it stays in front until the next call. NULL: none has come by then. Who sends without end does not put
 * that off: the time is looked at before each frame. */
static const struct net_frame *next_frame(struct station *s, uint64_t until)
{
	struct pollfd fds[NET_MAX_FDS + 1];
	const struct net_frame *f;
	uint64_t now, ns;
	unsigned n;

	if (s->seen && net_front(s->net))
		net_done(s->net);
	s->seen = false;
	for (;;) {
		now = host_ns();
		s->stopped = s->stopped || term_signal(s->m->term);
		s->late = s->late || now >= s->deadline;
		if (station_ended(s) || now >= until)
			return NULL;
		net_look_now(s->net);
		f = net_front(s->net);
		s->seen = f;
		if (f)
			return f;
		ns = (until < s->deadline ? until : s->deadline) - now;
		n = nets_pollfds(s->m, fds, &ns);
		fds[n++] = (struct pollfd){ .fd = term_fd(s->m->term), .events = POLLIN };
		term_poll(s->m->term, fds, n, (int)(ns / 1000000 + 1));
	}
}

static bool is_datagram(const struct station *s, const uint8_t *ip, size_t bytes, uint16_t port, struct datagram *d)
{
	size_t head, all, udp;
	uint32_t to;

	if (bytes < IP_SIZE || ip[0] >> 4 != 4 || ip[9] != UDP || station_get(ip + 6, 2) & FRAGMENT)
		return false;
	head = (ip[0] & 15u) * 4u;
	all = station_get(ip + 2, 2);
	to = (uint32_t)station_get(ip + 16, 4);
	if (head < IP_SIZE || all > bytes || all < head + UDP_SIZE || (s->ip && to != s->ip && to != UINT32_MAX))
		return false;
	udp = station_get(ip + head + 4, 2);
	if (udp < UDP_SIZE || udp > all - head || station_get(ip + head + 2, 2) != port)
		return false;
	*d = (struct datagram){ .from = (uint32_t)station_get(ip + 12, 4), .from_port = (uint16_t)station_get(ip + head, 2), .data = ip + head + UDP_SIZE,
				.bytes = udp - UDP_SIZE };
	return true;
}

/* A frame that is for us, of that type. */
static bool is_for_us(const struct station *s, const struct net_frame *f, uint16_t type)
{
	return f->bytes >= NET_HEAD_BYTES && station_get(f->data + 12, 2) == type &&
	       (!memcmp(f->data, s->mac, NET_MAC_BYTES) || !memcmp(f->data, everybody, NET_MAC_BYTES));
}

bool station_receive(struct station *s, uint16_t port, uint64_t until, struct datagram *d)
{
	const struct net_frame *f;
	uint8_t mac[NET_MAC_BYTES];

	while ((f = next_frame(s, until))) {
		if (is_for_us(s, f, TYPE_ARP))
			heed_arp(s, f->data + NET_HEAD_BYTES, f->bytes - NET_HEAD_BYTES, 0, mac);
		if (is_for_us(s, f, TYPE_IP) && is_datagram(s, f->data + NET_HEAD_BYTES, f->bytes - NET_HEAD_BYTES, port, d))
			return true;
	}
	return false;
}

/* ---- Out ---- */

static bool ask_for(struct station *s, uint32_t ip, uint8_t mac[NET_MAC_BYTES])
{
	const struct net_frame *f;

	for (unsigned i = 0; i < TRIES && !station_ended(s); i++) {
		uint64_t until = host_ns() + NS_PER_S;

		send_arp(s, 1, NULL, ip);
		while ((f = next_frame(s, until)))
			if (is_for_us(s, f, TYPE_ARP) && heed_arp(s, f->data + NET_HEAD_BYTES, f->bytes - NET_HEAD_BYTES, ip, mac))
				return true;
	}
	return false;
}

static uint16_t ip_sum(const uint8_t *ip)
{
	uint32_t sum = 0;

	for (unsigned i = 0; i < IP_SIZE; i += 2)
		sum += (uint32_t)station_get(ip + i, 2);
	sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t)~(sum + (sum >> 16));
}

/* The one that was asked for last is remembered: a boot talks to one server. */
static bool find_mac_of(struct station *s, uint32_t to, uint8_t mac[NET_MAC_BYTES])
{
	uint32_t hop = !s->router || (to & s->mask) == (s->ip & s->mask) ? to : s->router;

	if (!s->ip || to == UINT32_MAX) {
		memcpy(mac, everybody, NET_MAC_BYTES);
		return true;
	}
	if (s->hop != hop && !ask_for(s, hop, s->hop_mac))
		return false;
	s->hop = hop;
	memcpy(mac, s->hop_mac, NET_MAC_BYTES);
	return true;
}

bool station_send(struct station *s, uint32_t to, uint16_t from_port, uint16_t to_port, const uint8_t *data, size_t bytes)
{
	uint8_t frame[NET_HEAD_BYTES + IP_SIZE + UDP_SIZE + STATION_DATA] = { 0 }, *ip = frame + NET_HEAD_BYTES, *udp = ip + IP_SIZE;
	uint8_t mac[NET_MAC_BYTES];
	size_t all = NET_HEAD_BYTES + IP_SIZE + UDP_SIZE + bytes;

	if (bytes > STATION_DATA || !find_mac_of(s, to, mac))
		return false;
	put_head(s, frame, mac, TYPE_IP);
	ip[0] = 0x45;
	station_put(ip + 2, 2, IP_SIZE + UDP_SIZE + bytes);
	ip[8] = 64;
	ip[9] = UDP;
	station_put(ip + 12, 4, s->ip);
	station_put(ip + 16, 4, to);
	station_put(ip + 10, 2, ip_sum(ip));
	station_put(udp, 2, from_port);
	station_put(udp + 2, 2, to_port);
	station_put(udp + 4, 2, UDP_SIZE + bytes);
	memcpy(udp + UDP_SIZE, data, bytes);
	net_send(s->net, frame, all < 60 ? 60 : all);
	return true;
}

void station_leave(struct station *s)
{
	net_forget(s->net);
	s->seen = false;
}

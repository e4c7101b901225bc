/* Frames of the guest's, looked at before a library sees them: Ethernet with ARP, IPv4 or IPv6; in those TCP, UDP, ICMP; in
 * UDP what libslirp itself answers: BOOTP, TFTP. Everything else is dropped by its caller, fragments of IP among it.
 *
 * Sources: RFC 826 (ARP), 791 (IP), 768 (UDP), 9293 (TCP), 792 (ICMP), 8200 (IPv6), 4443 (ICMPv6), 4861 (neighbour
 * discovery), 951 and 2131 (BOOTP, DHCP), 1350 (TFTP). */
#include "machine/net/frame.h"

#include <string.h>

#include "cpu/core/bits.h"

#define ETHER_BYTES 14u

/* What is still to be looked at: `at` is within the frame. */
struct part {
	const uint8_t *at;
	size_t bytes;
};

static unsigned get16(const uint8_t *p) { return (unsigned)p[0] << 8 | p[1]; }

static struct part behind(const struct part *p, size_t n)
{
	return (struct part){ p->at + n, p->bytes - n };
}

/* ---- What libslirp serves itself ---- */

#define BOOTP_PORT  67u
#define BOOTP_BYTES 236u		/* without its options */
#define BOOTP_MAGIC 4u
#define OPTION_PAD  0u
#define OPTION_END  255u
#define TFTP_PORT   69u
#define TFTP_READ   1u
#define TFTP_WRITE  2u

/* Options: a code, a length, so many bytes. They end with one that says so, or where the datagram ends. */
static const char *bootp_wrong(const struct part *p)
{
	size_t at = BOOTP_BYTES + BOOTP_MAGIC;

	if (p->bytes < at)
		return "BOOTP: too short";
	while (at < p->bytes && p->at[at] != OPTION_END) {
		if (p->at[at] == OPTION_PAD) {
			at++;
			continue;
		}
		if (p->bytes - at < 2 || p->bytes - at - 2 < p->at[at + 1])
			return "BOOTP: an option is cut";
		at += 2u + p->at[at + 1];
	}
	return NULL;
}

static bool goes_up(const char *name)
{
	for (; (name = strstr(name, "..")); name++)
		if (name[2] == '/' || !name[2])
			return true;
	return false;
}

/* A request is a name and words, each with a NUL at its end; the rest is numbers. */
static const char *tftp_wrong(const struct part *p)
{
	unsigned op;

	if (p->bytes < 4)
		return "TFTP: too short";
	op = get16(p->at);
	if (op != TFTP_READ && op != TFTP_WRITE)
		return NULL;
	if (p->at[p->bytes - 1])
		return "TFTP: a name without end";
	return goes_up((const char *)p->at + 2) ? "TFTP: a name that leaves the folder" : NULL;
}

static const struct service {
	unsigned port;
	const char *(*wrong)(const struct part *p);
} services[] = { { BOOTP_PORT, bootp_wrong }, { TFTP_PORT, tftp_wrong } };

/* ---- Transport: `p` is all that IP carries ---- */

#define PROTOCOL_ICMP   1u
#define PROTOCOL_TCP    6u
#define PROTOCOL_UDP    17u
#define PROTOCOL_ICMPV6 58u

static const char *tcp_wrong(const struct part *p)
{
	size_t head;

	if (p->bytes < 20)
		return "TCP: too short";
	head = (size_t)(p->at[12] >> 4) * 4;
	if (head < 20 || head > p->bytes)
		return "TCP: a header of a wrong length";
	for (size_t at = 20; at < head && p->at[at] != 0;) {
		if (p->at[at] == 1) {
			at++;
			continue;
		}
		if (head - at < 2 || p->at[at + 1] < 2 || p->at[at + 1] > head - at)
			return "TCP: an option is cut";
		at += p->at[at + 1];
	}
	return NULL;
}

static const char *udp_wrong(const struct part *p)
{
	struct part data;

	if (p->bytes < 8)
		return "UDP: too short";
	if (get16(p->at + 4) < 8 || get16(p->at + 4) > p->bytes)
		return "UDP: a wrong length";
	data = (struct part){ p->at + 8, get16(p->at + 4) - 8u };
	for (size_t i = 0; i < ARRAY_SIZE(services); i++)
		if (get16(p->at + 2) == services[i].port)
			return services[i].wrong(&data);
	return NULL;
}

static const char *icmp_wrong(const struct part *p)
{
	return p->bytes < 8 ? "ICMP: too short" : NULL;
}

/* Neighbour discovery: what stands before its options, by type from 133 on. */
#define ND_FIRST 133u
static const uint8_t nd_head[] = { 8, 16, 24, 24, 40 };

static const char *icmpv6_wrong(const struct part *p)
{
	unsigned nd;

	if (p->bytes < 8)
		return "ICMPv6: too short";
	nd = p->at[0] - ND_FIRST;
	if (p->at[0] < ND_FIRST || nd >= ARRAY_SIZE(nd_head))
		return NULL;
	if (p->bytes < nd_head[nd])
		return "neighbour discovery: too short";
	for (size_t at = nd_head[nd]; at < p->bytes; at += p->at[at + 1] * 8u)
		if (p->bytes - at < 8 || !p->at[at + 1] || p->at[at + 1] * 8u > p->bytes - at)
			return "neighbour discovery: an option is cut";
	return NULL;
}

static const struct protocol {
	unsigned version, number;
	const char *(*wrong)(const struct part *p);
} protocols[] = {
	{ 4, PROTOCOL_ICMP, icmp_wrong }, { 4, PROTOCOL_TCP, tcp_wrong }, { 4, PROTOCOL_UDP, udp_wrong },
	{ 6, PROTOCOL_ICMPV6, icmpv6_wrong }, { 6, PROTOCOL_TCP, tcp_wrong }, { 6, PROTOCOL_UDP, udp_wrong },
};

static const char *payload_wrong(unsigned version, unsigned number, const struct part *p)
{
	for (size_t i = 0; i < ARRAY_SIZE(protocols); i++)
		if (protocols[i].version == version && protocols[i].number == number)
			return protocols[i].wrong(p);
	return FRAME_FOREIGN;
}

/* ---- Network: `p` begins after the Ethernet header, and becomes no longer than its own header says ---- */

static const char *arp_wrong(struct part *p)
{
	static const uint8_t head[] = { 0, 1, 8, 0, 6, 4, 0 };	/* Ethernet, IPv4, their sizes */

	if (p->bytes < 28)
		return "ARP: too short";
	p->bytes = 28;
	return memcmp(p->at, head, sizeof head) || p->at[7] < 1 || p->at[7] > 2 ? "ARP: not of Ethernet and IPv4" : NULL;
}

#define IP_MORE   0x2000u
#define IP_OFFSET 0x1fffu

static const char *ip_options_wrong(const uint8_t *at, size_t bytes)
{
	while (bytes && *at) {
		size_t n = *at == 1 ? 1 : bytes < 2 ? 0 : at[1];

		if (!n || n > bytes || (*at != 1 && n < 2))
			return "IP: an option is cut";
		at += n;
		bytes -= n;
	}
	return NULL;
}

static const char *ip_wrong(struct part *p)
{
	size_t head, all;
	const char *why;
	struct part payload;

	if (p->bytes < 20 || p->at[0] >> 4 != 4)
		return "IP: not a header";
	head = (p->at[0] & 15u) * 4u;
	all = get16(p->at + 2);
	if (head < 20 || head > all || all > p->bytes)
		return "IP: lengths contradict each other";
	p->bytes = all;
	payload = behind(p, head);
	why = ip_options_wrong(p->at + 20, head - 20);
	if (why)
		return why;
	/* Put together again they could be anything that is looked for here. */
	return get16(p->at + 6) & (IP_MORE | IP_OFFSET) ? "IP: a fragment" : payload_wrong(4, p->at[9], &payload);
}

static const char *ipv6_wrong(struct part *p)
{
	struct part payload;
	size_t bytes;

	if (p->bytes < 40 || p->at[0] >> 4 != 6)
		return "IPv6: not a header";
	bytes = get16(p->at + 4);
	if (bytes > p->bytes - 40)
		return "IPv6: lengths contradict each other";
	p->bytes = 40 + bytes;
	payload = behind(p, 40);
	return payload_wrong(6, p->at[6], &payload);
}

/* ---- The frame ---- */

#define TYPE_IP   0x0800u
#define TYPE_ARP  0x0806u
#define TYPE_IPV6 0x86ddu

static const struct network {
	unsigned type;
	const char *(*wrong)(struct part *p);
} networks[] = { { TYPE_IP, ip_wrong }, { TYPE_ARP, arp_wrong }, { TYPE_IPV6, ipv6_wrong } };

static bool is_tcp(const uint8_t *frame, size_t bytes)
{
	return bytes >= ETHER_BYTES + 20 && get16(frame + 12) == TYPE_IP && frame[ETHER_BYTES + 9] == PROTOCOL_TCP;
}

const char *frame_wrong(const uint8_t *frame, size_t *bytes, size_t mtu, size_t tcp_mtu)
{
	struct part p = { frame, *bytes };
	const char *why;

	if (p.bytes < ETHER_BYTES || p.bytes > ETHER_BYTES + (is_tcp(frame, p.bytes) ? tcp_mtu : mtu))
		return "a frame of a wrong length";
	p = behind(&p, ETHER_BYTES);
	for (size_t i = 0; i < ARRAY_SIZE(networks); i++)
		if (networks[i].type == get16(frame + 12)) {
			why = networks[i].wrong(&p);
			*bytes = ETHER_BYTES + p.bytes;
			return why;
		}
	return FRAME_FOREIGN;
}

/* ---- What it costs the host ---- */

#define TCP_SYN 0x02u
#define TCP_ACK 0x10u

bool frame_opens(const uint8_t *frame, size_t bytes)
{
	unsigned type = get16(frame + 12);
	const uint8_t *ip = frame + ETHER_BYTES, *payload = ip + (type == TYPE_IP ? (ip[0] & 15u) * 4u : 40u);
	unsigned number = type == TYPE_IP ? ip[9] : ip[6];

	if (type == TYPE_ARP)
		return false;
	if (number != PROTOCOL_TCP)
		return number != PROTOCOL_ICMPV6;
	return (size_t)(payload - frame) + 20 <= bytes && (payload[13] & (TCP_SYN | TCP_ACK)) == TCP_SYN;
}

/* Checksums and segments that a driver leaves to its card, and segments joined for one that takes large frames. What a driver
 * says of a frame is checked against the frame, whose headers are read here again: nothing is believed but where a checksum
 * begins and how long a segment is.
 *
 * Sources: RFC 1071 (the checksum), RFC 791, 8200, 9293; Virtual I/O Device (VIRTIO) Version 1.1, "Packet Transmission". */
#include "machine/net/offload.h"

#include <string.h>

#define ETHER_BYTES 14u
#define TAG_BYTES   4u
#define TYPE_IP     0x0800u
#define TYPE_IPV6   0x86ddu
#define TYPE_TAG    0x8100u
#define PROTOCOL_TCP 6u

#define TCP_FIN 0x01u
#define TCP_PSH 0x08u
#define TCP_ACK 0x10u
#define TCP_CWR 0x80u
#define IP_FRAGMENT 0x3fffu		/* more of them, or not the first */

static unsigned get16(const uint8_t *p) { return (unsigned)p[0] << 8 | p[1]; }
static uint32_t get32(const uint8_t *p) { return (uint32_t)get16(p) << 16 | get16(p + 2); }

static void put16(uint8_t *p, unsigned v)
{
	p[0] = (uint8_t)(v >> 8);
	p[1] = (uint8_t)v;
}

static void put32(uint8_t *p, uint32_t v)
{
	put16(p, v >> 16);
	put16(p + 2, v & 0xffff);
}

/* ---- The checksum ---- */

/* Its order of bytes does not matter to a sum of ones' complement, so it is the host's, and so is the result's. */
static uint64_t add_bytes(uint64_t sum, const uint8_t *p, size_t n)
{
	uint32_t word;
	uint8_t last[4] = { 0 };

	for (; n >= 4; p += 4, n -= 4) {
		memcpy(&word, p, 4);
		sum += word;
	}
	memcpy(last, p, n);
	memcpy(&word, last, 4);
	return sum + word;
}

/* Zero means "none" to UDP, and is the same number as all ones. */
static void put_sum(uint8_t *at, uint64_t sum)
{
	uint16_t folded;

	sum = (sum & UINT32_MAX) + (sum >> 32);
	sum = (sum & 0xffff) + (sum >> 16 & 0xffff) + (sum >> 32);
	sum = (sum & 0xffff) + (sum >> 16);
	sum = (sum & 0xffff) + (sum >> 16);
	folded = (uint16_t)~sum;
	if (!folded)
		folded = 0xffff;
	memcpy(at, &folded, 2);
}

/* The driver has put the pseudo header's sum where the checksum goes. */
static const char *finish_sum(const struct offload *o, uint8_t *frame, size_t bytes)
{
	if (o->sum_start < ETHER_BYTES || o->sum_start + (size_t)o->sum_offset + 2 > bytes)
		return "a checksum beyond the frame";
	put_sum(frame + o->sum_start + o->sum_offset, add_bytes(0, frame + o->sum_start, bytes - o->sum_start));
	return NULL;
}

/* ---- Segments ---- */

/* A frame of TCP, and where its parts are. */
struct large {
	const uint8_t *frame;
	size_t bytes;
	size_t ip, tcp, data;		/* offsets */
	bool six;
};

static const char *find_ip(struct large *l)
{
	unsigned type;

	l->ip = ETHER_BYTES;
	if (l->bytes < ETHER_BYTES + TAG_BYTES)
		return "a large frame without headers";
	type = get16(l->frame + 12);
	if (type == TYPE_TAG) {
		type = get16(l->frame + 16);
		l->ip += TAG_BYTES;
	}
	return type == (l->six ? TYPE_IPV6 : TYPE_IP) ? NULL : "a large frame of another type than the driver says";
}

static const char *find_tcp(struct large *l)
{
	const uint8_t *ip = l->frame + l->ip;
	size_t head = 40, left = l->bytes - l->ip;

	if (left < (l->six ? 40u : 20u) || ip[0] >> 4 != (l->six ? 6 : 4) || ip[l->six ? 6 : 9] != PROTOCOL_TCP)
		return "a large frame that is not TCP";
	if (!l->six) {
		head = (ip[0] & 15u) * 4u;
		if (head < 20 || get16(ip + 6) & IP_FRAGMENT)
			return "a large frame that is not TCP";
	}
	l->tcp = l->ip + head;
	if (l->tcp + 20 > l->bytes)
		return "a large frame without headers";
	l->data = l->tcp + (l->frame[l->tcp + 12] >> 4) * 4u;
	return l->data < l->tcp + 20 || l->data > l->bytes ? "a large frame without headers" : NULL;
}

static uint64_t pseudo_sum(const struct large *l, const uint8_t *ip, size_t tcp_bytes)
{
	uint8_t rest[4] = { 0, PROTOCOL_TCP };
	uint64_t sum;

	put16(rest + 2, (unsigned)tcp_bytes);
	sum = l->six ? add_bytes(0, ip + 8, 32) : add_bytes(0, ip + 12, 8);
	return add_bytes(sum, rest, 4);
}

/* The headers of the segment that has `n` bytes from `at` of the data on, into `out`, where the data follows. */
static size_t make_segment(const struct large *l, uint8_t *out, size_t at, size_t n, unsigned number)
{
	uint8_t *ip = out + l->ip, *tcp = out + l->tcp;
	size_t bytes = l->data + n, all = bytes - l->ip;
	bool last = l->data + at + n == l->bytes;

	memcpy(out, l->frame, l->data);
	memcpy(out + l->data, l->frame + l->data + at, n);
	if (l->six) {
		put16(ip + 4, (unsigned)(all - 40));
	} else {
		put16(ip + 2, (unsigned)all);
		put16(ip + 4, (get16(ip + 4) + number) & 0xffff);
		put16(ip + 10, 0);
		put_sum(ip + 10, add_bytes(0, ip, l->tcp - l->ip));
	}
	put32(tcp + 4, get32(tcp + 4) + (uint32_t)at);
	tcp[13] &= (uint8_t)~((last ? 0 : TCP_FIN | TCP_PSH) | (number ? TCP_CWR : 0));
	put16(tcp + 16, 0);
	put_sum(tcp + 16, add_bytes(pseudo_sum(l, ip, bytes - l->tcp), tcp, bytes - l->tcp));
	return bytes;
}

#define HEADS_MAX (ETHER_BYTES + TAG_BYTES + 60u + 60u)

static const char *cut(const struct offload *o, uint8_t *frame, size_t bytes, void (*each)(void *, const uint8_t *, size_t), void *opaque)
{
	struct large l = { .frame = frame, .bytes = bytes, .six = o->cut == OFFLOAD_CUT_TCP6 };
	uint8_t out[HEADS_MAX + UINT16_MAX];
	const char *why = find_ip(&l);
	unsigned number = 0;
	size_t data;

	if (!why)
		why = find_tcp(&l);
	if (why)
		return why;
	data = bytes - l.data;
	if (!o->cut_bytes || data / o->cut_bytes >= OFFLOAD_SEGMENTS)
		return "a large frame of too many segments";
	if (l.data - l.ip + (data < o->cut_bytes ? data : o->cut_bytes) > UINT16_MAX)
		return "a segment that no datagram holds";
	for (size_t at = 0; at < data || !number; at += o->cut_bytes, number++) {
		size_t n = data - at < o->cut_bytes ? data - at : o->cut_bytes;

		each(opaque, out, make_segment(&l, out, at, n, number));
	}
	return NULL;
}

/* ---- Joining ---- */

/* Nothing but data in the middle of a stream. */
static bool is_segment(struct large *l, const struct net_frame *f)
{
	*l = (struct large){ .frame = f->data, .bytes = f->bytes };
	return !find_ip(l) && l->ip == ETHER_BYTES && !find_tcp(l) && l->tcp == l->ip + 20 && get16(l->frame + l->ip + 2) == l->bytes - l->ip &&
	       (l->frame[l->tcp + 13] & ~TCP_PSH) == TCP_ACK && l->bytes > l->data;
}

/* Where headers of one stream's segments are the same, bytes from the first to before the last: up to the datagram's length; flags;
 * lifetime and protocol; addresses and ports; what is acknowledged, the header's length; the window; urgent data, options. */
static const struct { uint8_t first, last; } same[] = { { 0, 16 }, { 20, 24 }, { 26, 38 }, { 42, 47 }, { 48, 50 } };

static bool is_like(const struct large *a, const struct large *b)
{
	for (size_t i = 0; i < sizeof same / sizeof *same; i++)
		if (memcmp(a->frame + same[i].first, b->frame + same[i].first, same[i].last - same[i].first))
			return false;
	return a->data == b->data && !memcmp(a->frame + 52, b->frame + 52, a->data - 52);
}

/* The sum as it stands, for one who adds the rest. */
static void put_partial(uint8_t *at, uint64_t sum)
{
	put_sum(at, sum);
	at[0] = (uint8_t)~at[0];
	at[1] = (uint8_t)~at[1];
}

unsigned offload_join(const struct net_frame *first, unsigned count, uint8_t *out, struct offload_joined *j)
{
	struct large l, next;
	size_t bytes, segment;
	unsigned n = 1;

	if (!count || !is_segment(&l, first))
		return 1;
	bytes = l.bytes;
	segment = l.bytes - l.data;
	next = l;
	for (const struct net_frame *f = first->next; n < count && f; f = f->next, n++) {
		bool pushed = next.frame[next.tcp + 13] & TCP_PSH;

		if (pushed || next.bytes - next.data != segment || !is_segment(&next, f) || !is_like(&l, &next) || next.bytes - next.data > segment ||
		    get32(next.frame + next.tcp + 4) != get32(l.frame + l.tcp + 4) + (uint32_t)(bytes - l.data) ||
		    bytes - l.ip + next.bytes - next.data > UINT16_MAX)
			break;
		if (n == 1)
			memcpy(out, l.frame, l.bytes);
		memcpy(out + bytes, next.frame + next.data, next.bytes - next.data);
		bytes += next.bytes - next.data;
		out[l.tcp + 13] = next.frame[next.tcp + 13];
	}
	if (n == 1)
		return 1;
	put16(out + l.ip + 2, (unsigned)(bytes - l.ip));
	put16(out + l.ip + 10, 0);
	put_sum(out + l.ip + 10, add_bytes(0, out + l.ip, 20));
	put_partial(out + l.tcp + 16, pseudo_sum(&l, out + l.ip, bytes - l.tcp));
	*j = (struct offload_joined){ .bytes = bytes, .heads = (uint16_t)l.data, .segment = (uint16_t)segment, .sum_start = (uint16_t)l.tcp, .sum_offset = 16 };
	return n;
}

const char *offload_send(const struct offload *o, uint8_t *frame, size_t bytes, void (*each)(void *, const uint8_t *, size_t), void *opaque)
{
	const char *why = NULL;

	if (o->cut != OFFLOAD_NO_CUT)
		return cut(o, frame, bytes, each, opaque);
	if (o->sum)
		why = finish_sum(o, frame, bytes);
	if (!why)
		each(opaque, frame, bytes);
	return why;
}

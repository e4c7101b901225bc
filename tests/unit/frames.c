/* Frames of a guest's before a library sees them, and what a driver leaves to its card: checksums and segments. */
#include <stdlib.h>

#include "check.h"
#include "machine/net/flow.h"
#include "machine/net/frame.h"
#include "machine/net/offload.h"

#define MTU 1500u
#define TCP_MTU 4000u

static uint8_t frame[70000];
static size_t bytes;

static void put16(size_t at, unsigned v)
{
	frame[at] = (uint8_t)(v >> 8);
	frame[at + 1] = (uint8_t)v;
}

static unsigned get16(const uint8_t *p) { return (unsigned)p[0] << 8 | p[1]; }

static void start(unsigned type, size_t n)
{
	memset(frame, 0, sizeof frame);
	put16(12, type);
	bytes = 14 + n;
}

/* An IPv4 header, and so many bytes of a protocol behind it. */
static void ip(unsigned protocol, size_t n)
{
	start(0x0800, 20 + n);
	frame[14] = 0x45;
	put16(16, (unsigned)(20 + n));
	frame[23] = (uint8_t)protocol;
}

static void ip6(unsigned protocol, size_t n)
{
	start(0x86dd, 40 + n);
	frame[14] = 0x60;
	put16(18, (unsigned)n);
	frame[20] = (uint8_t)protocol;
}

static void udp(unsigned port, size_t n)
{
	ip(17, 8 + n);
	put16(36, port);
	put16(38, (unsigned)(8 + n));
}

static void tcp(size_t n)
{
	ip(6, 20 + n);
	frame[46] = 0x50;
}

/* What frame_wrong() says of it; it reads a copy that ends where the frame ends, so that a sanitizer sees if it goes further. */
static const char *wrong(size_t *left)
{
	uint8_t *copy = malloc(bytes);
	const char *why;

	*left = bytes;
	memcpy(copy, frame, bytes);
	why = frame_wrong(copy, left, MTU, TCP_MTU);
	free(copy);
	return why;
}

static void right(const char *name)
{
	size_t left;
	const char *why = wrong(&left);

	check(!why, "right: %s: %s", name, why ? why : "");
}

static void refused(const char *name)
{
	size_t left;
	const char *why = wrong(&left);

	check(why && *why, "refused: %s", name);
}

static void foreign(const char *name)
{
	size_t left;
	const char *why = wrong(&left);

	check(why && !*why, "dropped: %s", name);
}

static void test_network(void)
{
	size_t left;

	start(0x0806, 28);
	memcpy(frame + 14, "\0\1\10\0\6\4\0\1", 8);
	right("ARP");
	bytes = 60;
	check(!wrong(&left) && left == 42, "padding goes");
	bytes = 41;
	refused("ARP that is cut");
	bytes = 42;
	frame[18] = 7;
	refused("ARP with addresses of another size");
	start(0x88f8, 40);
	foreign("NC-SI");
	bytes = 13;
	refused("half a header");
	udp(53, 1472);
	right("as much as a frame takes");
	bytes++;
	refused("more than a frame takes");
	tcp(TCP_MTU - 40);
	right("as much as a segment of TCP takes");
	tcp(TCP_MTU - 39);
	refused("more than a segment of TCP takes");
	ip6(6, MTU - 39);
	frame[14 + 40 + 12] = 0x50;
	refused("more than a frame takes, TCP over IPv6");
	udp(53, 4);
	frame[14] = 0x65;
	refused("IPv6 that says IPv4");
	udp(53, 4);
	frame[14] = 0x44;
	refused("a header of 16 bytes");
	udp(53, 4);
	frame[14] = 0x4f;
	refused("a header longer than the datagram");
	udp(53, 4);
	put16(16, (unsigned)bytes);
	refused("a datagram longer than the frame");
	udp(53, 4);
	put16(20, 0x2000);
	refused("a fragment");
	put16(20, 1);
	refused("the last fragment");
	put16(20, 0x4000);
	right("not to be cut");
	ip(1, 7);
	refused("ICMP that is cut");
	ip(2, 8);
	foreign("IGMP");
	ip(1, 12);
	frame[14] = 0x46;
	memcpy(frame + 34, "\7\4\4", 3);
	right("an option");
	frame[35] = 5;
	refused("an option beyond the header");
	frame[35] = 1;
	refused("an option of one byte");
}

static void test_transport(void)
{
	udp(53, 4);
	put16(38, 13);
	refused("UDP longer than its datagram");
	put16(38, 7);
	refused("UDP shorter than its header");
	tcp(5);
	right("TCP");
	frame[46] = 0x40;
	refused("TCP with a header of 16 bytes");
	frame[46] = 0x70;
	refused("TCP with a header beyond its end");
	tcp(4);
	frame[46] = 0x60;
	memcpy(frame + 54, "\2\4\5\264", 4);
	right("TCP with an option");
	frame[55] = 5;
	refused("TCP with an option beyond its header");
	frame[55] = 0;
	refused("TCP with an option of no bytes");
	ip(6, 19);
	refused("TCP that is cut");
	ip6(6, 20);
	frame[66] = 0x50;
	right("TCP over IPv6");
	put16(18, 21);
	refused("IPv6 longer than the frame");
	ip6(0, 8);
	foreign("IPv6 with a header in between");
}

static void test_services(void)
{
	udp(67, 240);
	right("BOOTP");
	udp(67, 239);
	refused("BOOTP that is cut");
	udp(67, 244);
	memcpy(frame + 42 + 240, "\65\1\1\377", 4);
	right("DHCP");
	frame[42 + 241] = 3;
	refused("DHCP with an option beyond its end");
	udp(69, 12);
	memcpy(frame + 42, "\0\1name\0octet\0", 12);
	frame[42 + 11] = 't';
	refused("TFTP: a name without end");
	frame[42 + 11] = 0;
	right("TFTP");
	udp(69, 16);
	memcpy(frame + 42, "\0\1a/../b\0octet\0", 15);
	refused("TFTP: a name that leaves the folder");
	udp(69, 3);
	refused("TFTP that is cut");
}

static void test_discovery(void)
{
	ip6(58, 32);
	frame[54] = 135;
	memcpy(frame + 78, "\1\1", 2);
	right("neighbour solicitation");
	frame[79] = 0;
	refused("an option of no bytes");
	frame[79] = 2;
	refused("an option beyond the end");
	ip6(58, 23);
	frame[54] = 136;
	refused("neighbour advertisement that is cut");
	ip6(58, 8);
	frame[54] = 128;
	right("an echo");
}

static void test_opens(void)
{
	tcp(0);
	check(!frame_opens(frame, bytes), "opens: not in a connection");
	frame[47] = 2;
	check(frame_opens(frame, bytes), "opens: its first segment");
	frame[47] = 0x12;
	check(!frame_opens(frame, bytes), "opens: an answer to one");
	udp(53, 4);
	check(frame_opens(frame, bytes), "opens: UDP");
	start(0x0806, 28);
	check(!frame_opens(frame, bytes), "opens: not ARP");
}

/* ---- Offloads ---- */

static struct {
	uint8_t frame[70000];
	size_t bytes, all;
	unsigned count;
	bool sums, flags;		/* all were right */
	uint32_t next;			/* sequence number */
} got;

/* The sum of all 16-bit words of a datagram's TCP and pseudo header, one by one. */
static unsigned slow_sum(const uint8_t *f, size_t n, size_t at, size_t addresses, size_t address_bytes)
{
	uint32_t sum = 6 + (uint32_t)(n - at);

	for (size_t i = 0; i < address_bytes; i += 2)
		sum += get16(f + addresses + i);
	for (size_t i = at; i < n; i++)
		sum += (uint32_t)f[i] << ((i - at) & 1 ? 0 : 8);
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return sum;
}

static void keep(void *opaque, const uint8_t *f, size_t n)
{
	const size_t *tcp_at = opaque;

	memcpy(got.frame, f, n);
	got.bytes = n;
	got.count++;
	if (!tcp_at)
		return;
	got.sums &= slow_sum(f, n, *tcp_at, *tcp_at == 34 ? 26 : 22, *tcp_at == 34 ? 8 : 32) == 0xffff;
	got.flags &= f[*tcp_at + 13] == (got.count == 1 ? 0x90 : 0x10);
	got.all += n - *tcp_at - 20;
	got.next = (uint32_t)get16(f + *tcp_at + 4) << 16 | get16(f + *tcp_at + 6);
}

static void test_sum(void)
{
	struct offload o = { .sum = true, .sum_start = 34, .sum_offset = 6 };

	udp(53, 5);
	memcpy(frame + 42, "hello", 5);
	put16(40, 0x1234);
	check(!offload_send(&o, frame, bytes, keep, NULL), "a checksum");
	/* By hand: 0 + 53 + 13 + 0x1234 + "he" + "ll" + "o". */
	check_eq(get16(got.frame + 40), 0xffff & ~(0 + 53 + 13 + 0x1234 + 0x6865 + 0x6c6c + 0x6f00 - 0xffff), "what it is");
	o.sum_offset = (uint16_t)(bytes - 34 - 1);
	got.count = 0;
	check(offload_send(&o, frame, bytes, keep, NULL) && !got.count, "a checksum beyond the frame");
	o = (struct offload){ .sum = true, .sum_start = 65535, .sum_offset = 65535 };
	check(offload_send(&o, frame, bytes, keep, NULL) && !got.count, "a checksum far beyond the frame");
	o = (struct offload){ .sum = true, .sum_start = 0, .sum_offset = 0 };
	check(offload_send(&o, frame, bytes, keep, NULL) && !got.count, "a checksum over addresses");
}

static void test_cut(bool six)
{
	struct offload o = { .cut = six ? OFFLOAD_CUT_TCP6 : OFFLOAD_CUT_TCP4, .cut_bytes = 1000 };
	size_t at = six ? 54 : 34;
	const char *name = six ? "IPv6" : "IPv4";

	if (six)
		ip6(6, 20 + 3500);
	else
		ip(6, 20 + 3500);
	for (size_t i = 0; i < 3500; i++)
		frame[at + 20 + i] = (uint8_t)(i * 7);
	frame[at + 12] = 0x50;
	frame[at + 13] = 0x99;		/* CWR, ACK, PSH, FIN */
	put16(at + 4, 0xffff);
	put16(at + 6, 0xff00);
	memcpy(frame + (six ? 22 : 26), "addresses of both", six ? 16 : 8);
	memset(&got, 0, sizeof got);
	got.sums = got.flags = true;
	check(!offload_send(&o, frame, bytes, keep, &at), "%s: cut", name);
	check_eq(got.count, 4, "%s: segments", name);
	check_eq(got.all, 3500, "%s: all of the data", name);
	check(got.sums, "%s: checksums", name);
	check_eq(got.bytes, at + 20 + 500, "%s: the last one", name);
	check_eq(got.next, 0xffffff00u + 3000u, "%s: its number", name);
	check_eq(got.frame[at + 13], 0x19, "%s: ends, once", name);
	check(got.frame[at + 20] == (uint8_t)(3000 * 7), "%s: its data", name);
	if (!six)
		check(get16(got.frame + 16) == 20 + 20 + 500 && get16(got.frame + 18) == 3, "%s: length and number", name);
}

static void cut_refused(const char *name, enum offload_cut cut, uint16_t each)
{
	struct offload o = { .cut = cut, .cut_bytes = each };

	got.count = 0;
	check(offload_send(&o, frame, bytes, keep, NULL) && !got.count, "not cut: %s", name);
}

static void test_cut_wrong(void)
{
	tcp(60000);
	cut_refused("no size", OFFLOAD_CUT_TCP4, 0);
	cut_refused("too many", OFFLOAD_CUT_TCP4, 43);
	cut_refused("of another kind", OFFLOAD_CUT_TCP6, 1000);
	frame[46] = 0x40;
	cut_refused("a short header", OFFLOAD_CUT_TCP4, 1000);
	tcp(10);
	frame[46] = 0xf0;
	cut_refused("a header beyond the end", OFFLOAD_CUT_TCP4, 1000);
	tcp(100);
	frame[23] = 17;
	cut_refused("UDP", OFFLOAD_CUT_TCP4, 10);
	tcp(100);
	frame[14] = 0x44;
	cut_refused("a short IP header", OFFLOAD_CUT_TCP4, 10);
	tcp(100);
	put16(20, 0x2000);
	cut_refused("a fragment", OFFLOAD_CUT_TCP4, 10);
	tcp(100);
	bytes = 15;
	cut_refused("nothing", OFFLOAD_CUT_TCP4, 10);
	tcp(100);
	bytes = 50;
	cut_refused("half a header", OFFLOAD_CUT_TCP4, 10);
	tcp(65535 - 20);
	bytes = 65535 + 18;
	cut_refused("a segment that no datagram holds", OFFLOAD_CUT_TCP4, 65535);
}

/* ---- Joining ---- */

#define LIST_MAX 80u
static struct net_frame *list[LIST_MAX];
static unsigned listed;

static void put_last(void *opaque, const uint8_t *f, size_t n)
{
	struct net_frame *next = calloc(1, sizeof *next + n);

	(void)opaque;
	if (!next || listed == LIST_MAX)
		abort();
	next->bytes = (uint32_t)n;
	memcpy(next->data, f, n);
	if (listed)
		list[listed - 1]->next = next;
	list[listed++] = next;
}

static void drop_list(void)
{
	while (listed)
		free(list[--listed]);
}

/* A large frame of TCP with options, in segments of `each`. */
static void make_list(size_t n, uint16_t each)
{
	struct offload o = { .cut = OFFLOAD_CUT_TCP4, .cut_bytes = each };

	drop_list();
	ip(6, 32 + n);
	put16(20, 0x4000);
	frame[22] = 64;
	memcpy(frame + 26, "addressesandports...", 20);
	frame[46] = 0x80;
	frame[47] = 0x18;		/* ACK, PSH */
	memcpy(frame + 48, "wi", 2);
	memcpy(frame + 54, "\1\1\10\12timestam", 12);
	for (size_t i = 0; i < n; i++)
		frame[66 + i] = (uint8_t)(i * 7 + i / 256);
	offload_send(&o, frame, bytes, put_last, NULL);
}

static unsigned join(size_t *all)
{
	uint8_t *out = malloc(bytes);		/* no more than it was before it was cut */
	struct offload_joined j = { 0 };
	unsigned n = offload_join(list[0], listed, out, &j);
	uint32_t sum = 6 + (uint32_t)(j.bytes - 34);

	*all = j.bytes;
	if (n > 1) {
		check(j.heads == 66 && j.sum_start == 34 && j.sum_offset == 16, "joined: what the driver is told");
		for (size_t i = 26; i < 34; i += 2)
			sum += get16(out + i);
		while (sum >> 16)
			sum = (sum & 0xffff) + (sum >> 16);
		check_eq(get16(out + 50), sum, "joined: the pseudo header's sum");
		memcpy(out + 50, frame + 50, 2);
		check_eq(get16(out + 16), j.bytes - 14, "joined: the datagram's length");
		for (size_t i = sum = 0; i < 20; i += 2)
			sum += get16(out + 14 + i);
		check_eq((sum & 0xffff) + (sum >> 16), 0xffff, "joined: the datagram's checksum");
		memcpy(out + 16, frame + 16, 2);
		memcpy(out + 24, frame + 24, 2);
		check(j.segment == list[0]->bytes - 66 && out[47] == list[n - 1]->data[47], "joined: a segment's size, the last one's flags");
		out[47] = frame[47];
		check(!memcmp(out, frame, j.bytes), "joined: what was cut");
	}
	free(out);
	return n;
}

static void joins(unsigned want, const char *name)
{
	size_t all;
	unsigned n = join(&all);

	check(n == want, "joined: %s: %u", name, n);
}

static void test_join(void)
{
	static const struct { size_t at; const char *what; } heads[] = {
		{ 5, "address of the card" }, { 15, "kind of service" }, { 20, "fragment" }, { 22, "lifetime" }, { 23, "protocol" }, { 29, "sender" },
		{ 33, "receiver" }, { 35, "port" }, { 37, "other port" }, { 41, "number" }, { 45, "acknowledgement" }, { 49, "window" },
		{ 53, "urgent data" }, { 60, "option" }, { 17, "length" },
	};
	size_t all;

	make_list(3500, 1000);
	check(join(&all) == 4 && all == bytes, "joined: all four");
	make_list(4000, 1000);
	check(join(&all) == 4 && all == bytes, "joined: all four, of one size");
	make_list(65535 - 52, 1448);
	check(join(&all) == listed && all == 65535 + 14, "joined: as much as a datagram holds");
	make_list(65000, 1000);
	list[64]->data[47] = 0x10;
	put_last(NULL, list[0]->data, list[0]->bytes);
	put16(38, get16(frame + 38) + (get16(frame + 40) + 65000) / 65536);
	put16(40, (get16(frame + 40) + 65000) & 0xffff);
	memcpy(list[65]->data + 38, frame + 38, 4);
	memcpy(frame + 38, list[0]->data + 38, 4);
	joins(65, "no more than that");
	for (size_t i = 0; i < sizeof heads / sizeof *heads; i++) {
		make_list(3500, 1000);
		list[2]->data[heads[i].at] ^= 1;
		joins(2, heads[i].what);
	}
	for (unsigned bit = 0; bit < 8; bit++) {
		make_list(3500, 1000);
		list[1]->data[47] ^= (uint8_t)(1u << bit);
		joins(bit == 3 ? 2 : 1, "flags");		/* PSH: it ends there */
	}
	make_list(3500, 1000);
	list[1]->bytes--;
	joins(1, "padding, or what is missing");
	list[1]->bytes++;
	list[0]->data[47] = 0x11;
	joins(1, "the end of a stream");
	make_list(3500, 1000);
	for (unsigned i = 1; i < 3; i++)
		list[i]->data[12] = 0x86;
	joins(1, "of another type");
	make_list(500, 1000);
	put_last(NULL, list[0]->data, list[0]->bytes);
	joins(1, "the same one twice");
	make_list(0, 1000);
	put_last(NULL, list[0]->data, list[0]->bytes);
	joins(1, "no data");
	drop_list();
}

/* A million frames that are nearly right: whatever is let through is what all its lengths say. */
static void test_hostile(void)
{
	uint64_t seed = 1;
	unsigned passed = 0, sent = 0;

	for (unsigned i = 0; i < 1000000; i++) {
		uint64_t r = check_random(&seed);
		size_t left;

		switch (r % 6) {
		case 0: udp(r >> 8 & 1 ? 67 : 69, r >> 16 & 255); break;
		case 1: tcp(r >> 16 & 63); break;
		case 2: ip6(58, r >> 16 & 63); break;
		case 3: ip6(6, 20 + (r >> 16 & 31)); break;
		case 4: ip(17, r >> 16 & 31); break;
		default: start(0x0806, r >> 16 & 31); break;
		}
		for (unsigned n = r >> 32 & 7; n; n--) {
			uint64_t w = check_random(&seed);

			frame[14 + w % 64] = (uint8_t)(w >> 8 & 1 ? w >> 16 & 15 : w >> 16);
		}
		if (r >> 40 & 1)
			bytes = r >> 41 & 127;
		passed += !wrong(&left);
		if (i % 8 == 0) {
			struct offload o = { .sum = r >> 48 & 1, .sum_start = (uint16_t)(r >> 49 & 127), .sum_offset = (uint16_t)(r >> 56 & 63),
					     .cut = r >> 50 & 1 ? r % 6 == 3 ? OFFLOAD_CUT_TCP6 : OFFLOAD_CUT_TCP4 : OFFLOAD_NO_CUT,
					     .cut_bytes = (uint16_t)(r >> 52 & 31) };
			uint8_t *copy = malloc(bytes + 1);

			got.count = 0;
			memcpy(copy, frame, bytes);
			offload_send(&o, copy, bytes, keep, NULL);
			sent += got.count;
			free(copy);
		}
	}
	check(passed > 1000 && passed < 900000 && sent > 1000, "hostile: %u let through, %u sent", passed, sent);
}

/* One number for both ways; another one for another port or address, mostly. What is no frame of IP, or cut, has one all the same. */
static void test_flow(bool v6)
{
	const size_t ip = 14, addresses = v6 ? 8 : 12, each = v6 ? 16 : 4, ports = v6 ? 54 : 34;
	uint8_t data[62] = { 0 }, back[62];
	unsigned seen = 0, flow;
	bool found[NET_FLOWS] = { false };

	memcpy(data + 12, v6 ? "\x86\xdd\x60" : "\x08\0\x45", 3);
	data[ip + (v6 ? 6 : 9)] = 17;
	data[ip + addresses] = 10;
	data[ip + addresses + each + 1] = 99;
	for (unsigned port = 0; port < 256; port++) {
		data[ports + 1] = (uint8_t)port;
		memcpy(back, data, sizeof back);
		memcpy(back + ip + addresses, data + ip + addresses + each, each);
		memcpy(back + ip + addresses + each, data + ip + addresses, each);
		memcpy(back + ports, data + ports + 2, 2);
		memcpy(back + ports + 2, data + ports, 2);
		flow = net_flow(data, sizeof data);
		seen += flow < NET_FLOWS && net_flow(back, sizeof back) == flow && !found[flow];
		found[flow % NET_FLOWS] = true;
	}
	check(seen > 128, "flow: 256 connections have %u numbers", seen);
	flow = net_flow(data, sizeof data);
	if (!v6) {
		data[ip + 6] = 0x20;
		check(net_flow(data, sizeof data) != flow, "flow: a fragment has no ports");
		data[ip] = 0x4f;
		data[ip + 6] = 0;
	}
	for (size_t n = 0; n <= sizeof data; n++) {
		uint8_t *part = malloc(n ? n : 1);

		memcpy(part, data, n);
		check(net_flow(part, n) < NET_FLOWS, "flow: cut at %zu", n);
		free(part);
	}
	data[12] = 0x99;
	check_eq(net_flow(data, sizeof data), 0, "flow: no IP");
}

int main(void)
{
	test_network();
	test_transport();
	test_services();
	test_discovery();
	test_opens();
	test_sum();
	test_cut(false);
	test_cut(true);
	test_cut_wrong();
	test_join();
	test_flow(false);
	test_flow(true);
	test_hostile();
	return check_done();
}

/* A boot from a network, whose servers are this test's: what they say, in which ways they are wrong, and that nothing they say
 * does harm. */
#include "check.h"
#include "firmware/netboot.h"
#include "firmware/station.h"
#include "machine/host/time.h"
#include "machine/core/config.h"
#include "rig.h"

#define CLIENT  UINT32_C(0x0a000005)
#define SERVER  UINT32_C(0x0a000001)
#define FAR     UINT32_C(0xc0a80001)	/* behind the router */
#define ROUTER  UINT32_C(0x0a000002)
#define OUR_TID 4000u

extern const struct device_class virtio_net_class;

static struct rig rig;
static struct net *net;

static struct {
	uint32_t file_server;
	const char *name;		/* of the file, in DHCP; NULL: none */
	const char *error;		/* TFTP's; NULL */
	const uint8_t *data;
	size_t bytes, block;		/* block: that it agrees to; 512: it knows no options */
	bool twice, strangers, lies;
	uint64_t floods;		/* until then, of host_ns(), frames for nobody come without end */
	unsigned agreements;		/* that are acknowledged */
	uint64_t hostile;		/* a seed: some answers come after frames that are nearly like them */
	unsigned arps, requests;
	char asked[64];
} server;

static const uint8_t card[NET_MAC_BYTES] = { 0x52, 0x54, 0, 0x12, 0x34, 0x56 }, mine[NET_MAC_BYTES] = { 2, 0, 0, 0, 0, 1 };

/* ---- Frames to the card ---- */

static void arrives(const uint8_t *frame, size_t bytes)
{
	uint8_t bad[1600];

	for (unsigned i = 0; server.hostile && i < 3; i++) {
		uint64_t w = check_random(&server.hostile);

		if (w >> 40 & 31)
			continue;
		size_t n = bytes < sizeof bad ? bytes : sizeof bad;

		memcpy(bad, frame, n);
		for (unsigned k = 0; k < 1 + (w & 3); k++)
			bad[12 + check_random(&server.hostile) % (n - 12 < 290 ? n - 12 : 290)] = (uint8_t)check_random(&server.hostile);
		if (!(w >> 8 & 3))
			n = 14 + (w >> 16) % (n - 13);
		net_arrives(net, bad, n);
	}
	net_arrives(net, frame, bytes);
}

static void give(uint32_t from, uint16_t from_port, uint16_t port, const uint8_t *data, size_t bytes)
{
	uint8_t frame[1600] = { 0 }, *ip = frame + 14, *udp = ip + 20;

	memcpy(frame, card, 6);
	memcpy(frame + 6, mine, 6);
	station_put(frame + 12, 2, 0x800);
	ip[0] = 0x45;
	station_put(ip + 2, 2, 28 + bytes);
	ip[9] = 17;
	station_put(ip + 12, 4, from);
	station_put(ip + 16, 4, CLIENT);
	station_put(udp, 2, from_port);
	station_put(udp + 2, 2, port);
	station_put(udp + 4, 2, 8 + bytes);
	memcpy(udp + 8, data, bytes);
	/* A frame that is cut, and one whose datagram says that it is longer. */
	if (server.lies && bytes > 100) {
		net_arrives(net, frame, 100);
		station_put(ip + 2, 2, 60);
		net_arrives(net, frame, 100);
		station_put(ip + 2, 2, 28 + bytes);
	}
	arrives(frame, 42 + bytes);
}

/* ---- The servers ---- */

static void dhcp(const uint8_t *asked)
{
	uint8_t data[400] = { 0 }, *p = data + 240;

	memcpy(data, asked, 240);
	data[0] = 2;
	station_put(data + 16, 4, CLIENT);
	station_put(data + 20, 4, server.file_server);
	const uint8_t options[] = { 53, 1, asked[242] == 1 ? 2 : 5, 54, 4, 10, 0, 0, 1, 0, 0, 1, 4, 255, 255, 255, 0, 3, 4, 10, 0, 0, 2 };
	memcpy(p, options, sizeof options);
	p += sizeof options;
	if (server.name) {
		*p++ = 67, *p++ = (uint8_t)strlen(server.name);
		memcpy(p, server.name, strlen(server.name));
		p += strlen(server.name);
	}
	*p++ = 255;
	give(SERVER, 67, 68, data, (size_t)(p - data));
}

static void put_block(uint64_t at, uint16_t number, uint16_t port)
{
	uint8_t data[1500] = { 0, 3 };
	size_t n = server.bytes - at < server.block ? server.bytes - at : server.block;

	station_put(data + 2, 2, number);
	memcpy(data + 4, server.data + at, n);
	if (server.strangers) {
		data[4] ^= 0xff;
		give(SERVER + 7, OUR_TID, port, data, 4 + n);
		give(server.file_server, OUR_TID + 1, port, data, 4 + n);
		data[4] ^= 0xff;
	}
	give(server.file_server, OUR_TID, port, data, 4 + n);
	if (server.twice)
		give(server.file_server, OUR_TID, port, data, 4 + n);
}

static uint64_t next_block;		/* number of the one that goes out next, from 1 on */

static void tftp(const uint8_t *data, size_t bytes, uint16_t from)
{
	static const uint8_t oack[] = "\0\6blksize\0001428";
	uint8_t error[64] = { 0, 5, 0, 1 };

	(void)bytes;
	if (data[1] == 1) {
		server.requests++;
		snprintf(server.asked, sizeof server.asked, "%s", data + 2);
		next_block = 1;
		if (server.error) {
			strcpy((char *)error + 4, server.error);
			give(server.file_server, OUR_TID, from, error, 5 + strlen(server.error));
		} else if (server.block == 512) {
			put_block(0, 1, from);
		} else {
			for (unsigned i = 0; i < 1u + server.twice; i++)
				give(server.file_server, OUR_TID, from, oack, sizeof oack);
		}
		return;
	}
	server.agreements += data[1] == 4 && !station_get(data + 2, 2);
	/* The next one, or the last one again. */
	if (data[1] == 4 && station_get(data + 2, 2) == (next_block & 0xffff))
		next_block++;
	if (data[1] == 4 && station_get(data + 2, 2) == ((next_block - 1) & 0xffff) && (next_block - 1) * server.block <= server.bytes)
		put_block((next_block - 1) * server.block, (uint16_t)next_block, from);
}

static void end_send(struct net *n, const uint8_t *frame, size_t bytes)
{
	const uint8_t *ip = frame + 14, *udp = ip + 20;
	uint8_t answer[60];

	(void)n;
	if (station_get(frame + 12, 2) == 0x806 && ip[7] == 1) {
		server.arps += station_get(ip + 24, 4) == (server.file_server == FAR ? ROUTER : SERVER);
		memcpy(answer, frame, sizeof answer);
		memcpy(answer, card, 6);
		answer[14 + 7] = 2;
		memcpy(answer + 22, mine, 6);
		memcpy(answer + 28, ip + 24, 4);
		memcpy(answer + 32, ip + 8, 10);
		arrives(answer, sizeof answer);
	}
	if (station_get(frame + 12, 2) != 0x800)
		return;
	if (station_get(udp + 2, 2) == 67)
		dhcp(udp + 8);
	else
		tftp(udp + 8, bytes - 42, (uint16_t)station_get(udp, 2));
}

static bool end_open(struct net *n, struct error *err)
{
	(void)n, (void)err;
	return true;
}

static void end_close(struct net *n) { (void)n; }

static void end_look(struct net *n)
{
	static const uint8_t frame[60] = "to nobody";

	if (host_ns() < server.floods)
		net_arrives(n, frame, sizeof frame);
}

static const struct net_backend end_backend = {
	.type = "end", .help = "of a test", .open = end_open, .close = end_close, .send = end_send, .look = end_look,
};
static struct net_config config = { .backend = &end_backend, .id = "n0" };

/* ---- Facts ---- */

static uint8_t *file;

static bool boot(size_t bytes, struct error *err)
{
	server.data = file;
	server.bytes = bytes;
	server.arps = server.requests = server.agreements = 0;
	err->msg[0] = 0;
	return netboot(rig.m, station_first(rig.m), err);
}

static bool got(size_t bytes)
{
	const struct volume *v = &rig.m->firmware->net_file;

	return v->size == bytes && v->opaque && !memcmp(v->opaque, file, bytes);
}

#define MS UINT64_C(1000000)

/* Frames come without end: each wait has one all the same, and so has the whole. */
static void test_floods(void)
{
	uint64_t began = host_ns();
	struct station s;
	struct datagram d;

	server.floods = began + 3000 * MS;
	station_begin(rig.m, station_first(rig.m), 600000 * MS, &s);
	check(!station_receive(&s, 68, began + 20 * MS, &d) && !station_ended(&s) && host_ns() < server.floods, "a flood: a wait ends");
	station_begin(rig.m, station_first(rig.m), 20 * MS, &s);
	check(!station_receive(&s, 68, began + 600000 * MS, &d) && s.late && host_ns() < server.floods, "a flood: all waits end");
	s.late = false;
	s.ip = CLIENT;
	check(!station_send(&s, SERVER, 68, 67, mine, sizeof mine) && s.late && host_ns() < server.floods, "a flood: nobody is asked for after that");
	server.floods = 0;
	station_leave(&s);
	check(!net->frames, "a flood: nothing is left of it");
}

#define LARGE (512u * 65540u + 7)

int main(void)
{
	struct error err = { .msg = "" };
	uint64_t seed = 4, whole = 0;

	file = malloc(LARGE);
	for (size_t i = 0; i < LARGE; i += 8)
		station_put(file + i, LARGE - i < 8 ? (unsigned)(LARGE - i) : 8, check_random(&seed));
	rig_new(&rig, "1");
	check(!netboot_possible(rig.m), "no network");
	rig.options.netdev[0] = &config;
	rig.options.netdevs = 1;
	if (!nets_new(rig.m, &err))
		return EXIT_FAILURE;
	check(!netboot_possible(rig.m) && !netboot(rig.m, rig.m->nets, &err) && strstr(err.msg, "no card"), "no card: %s", err.msg);
	if (!device_new(rig.m, &virtio_net_class, "netdev=n0", &err))
		return EXIT_FAILURE;
	net = rig.m->nets;
	check(netboot_possible(rig.m), "a card with a network");
	server.file_server = SERVER;
	server.name = "dir/kernel";
	server.block = 1428;
	check(!boot(100000, &err) && strstr(err.msg, "'net:dir/kernel' is no ELF file") && got(100000), "a file: %s", err.msg);
	check(!strcmp(server.asked, "dir/kernel") && server.requests == 1 && server.arps == 1 && !net->frames, "asked for once");
	boot(1428 * 10, &err);
	check(got(1428 * 10), "whole blocks");
	boot(3, &err);
	check(got(3), "less than a block");
	server.twice = server.strangers = true;
	boot(50000, &err);
	check(got(50000) && server.agreements == 1, "blocks and options that come twice, and blocks from strangers: %u", server.agreements);
	server.twice = server.strangers = false;
	server.lies = true;
	boot(50000, &err);
	check(got(50000), "lengths that contradict each other");
	server.lies = false;
	server.file_server = FAR;
	boot(5000, &err);
	check(got(5000) && server.arps == 1, "a server behind the router");
	server.file_server = SERVER;
	server.block = 512;
	boot(LARGE, &err);
	check(got(LARGE), "without options, more blocks than there are numbers");
	server.block = 1428;
	server.error = "File not \x1b[31mfound";
	check(!boot(1, &err) && strstr(err.msg, "TFTP: File not ?[31mfound"), "no such file: %s", err.msg);
	check(!rig.m->firmware->net_file.opaque, "nothing is kept");
	server.error = NULL;
	server.name = NULL;
	check(!boot(1, &err) && strstr(err.msg, "names no file"), "no name: %s", err.msg);
	server.name = "f";
	for (unsigned i = 0; i < 200; i++) {
		server.hostile = i + 1;
		server.block = i & 1 ? 512 : 1428;
		boot(20000 + i, &err);
		whole += got(20000 + i);
	}
	server.hostile = 0;
	test_floods();
	check(whole > 0, "frames that are wrong somewhere before right ones: %" PRIu64 " of 200 files come", whole);
	rig.options.netdevs = 0;
	rig_free(&rig);
	free(file);
	return check_done();
}

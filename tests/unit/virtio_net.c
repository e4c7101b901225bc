/* virtio-net-pci and the netdev behind it: frames both ways, what a driver leaves to the card, the filter, the control queue,
 * when a frame may come in; hostile rings. */
#include "check.h"
#include "machine/core/clock.h"
#include "machine/core/config.h"
#include "machine/virtio/net.h"
#include "virtio_driver.h"

#define RINGS   UINT64_C(0x1000000)	/* of each queue, 0x8000 bytes */
#define BUFFER  UINT64_C(0x2000000)
#define SLOT    0x1000u
#define V1      (UINT64_C(1) << VIRTIO_F_VERSION_1)
#define EVENTS  (UINT64_C(1) << VIRTIO_F_EVENT_IDX)
#define HEAD    12u

extern const struct device_class virtio_net_class;

static struct rig rig;
static struct virtio_device *v;
static struct virtio_net *n;
static struct ring r[3];

/* ---- A netdev of our own: what the card sends, and what comes when it is looked at ---- */

static struct {
	uint8_t frame[NET_FRAME_MAX];
	size_t bytes;
	unsigned sent, looks;
	unsigned coming;		/* frames, at the next look */
	size_t coming_bytes;
	unsigned follow;		/* what each one's sequence number is above the one's before; 0: they are all the same */
	bool answers;			/* at once */
	const struct net *at;		/* where they come; NULL: at the first one that is looked at */
} end;

static uint8_t coming[NET_FRAME_MAX];

static bool end_open(struct net *net, struct error *err)
{
	(void)net, (void)err;
	return true;
}

static void end_close(struct net *net) { (void)net; }

static void end_send(struct net *net, const uint8_t *frame, size_t bytes)
{
	end.bytes = bytes;
	end.sent++;
	memcpy(end.frame, frame, bytes);
	if (end.answers)
		net_arrives(net, frame, bytes);
}

static void end_look(struct net *net)
{
	if (end.at && end.at != net)
		return;
	end.looks++;
	for (unsigned at; end.coming; end.coming--) {
		net_arrives(net, coming, end.coming_bytes);
		if (!end.follow)
			continue;
		at = (unsigned)coming[40] << 8 | coming[41];
		coming[40] = (uint8_t)((at + end.follow) >> 8);
		coming[41] = (uint8_t)(at + end.follow);
	}
}

static const struct net_backend end_backend = {
	.type = "end", .help = "of a test", .open = end_open, .close = end_close, .send = end_send, .look = end_look, .sums_right = true,
};

static const struct net_backend large_backend = {
	.type = "large", .help = "of a test", .open = end_open, .close = end_close, .send = end_send, .look = end_look, .segment = 600,
};

static struct net_config ends[] = { { .backend = &end_backend, .id = "n0" }, { .backend = &end_backend, .id = "n1" }, { .backend = &end_backend, .id = "n2", .queues = 4 } };

static void comes(unsigned count, size_t bytes)
{
	end.coming = count;
	end.coming_bytes = bytes;
	nets_look(rig.m);
}

/* Segments of TCP, one after the other, each with so many bytes of data. */
static void stream(unsigned count, unsigned bytes)
{
	memset(coming, 0, 54);
	memcpy(coming + 12, "\x08\0\x45", 3);
	coming[16] = (uint8_t)((40 + bytes) >> 8);
	coming[17] = (uint8_t)(40 + bytes);
	coming[23] = 6;
	coming[46] = 0x50;
	coming[47] = 0x10;
	end.follow = bytes;
	comes(count, 54 + bytes);
	end.follow = 0;
}

/* ---- The driver ---- */

static void begin(uint64_t features)
{
	modern_begin(v, V1 | features);
	for (unsigned i = 0; i < 3; i++)
		r[i] = ring_new(v, i, RINGS + 0x8000 * i);
	modern_ready(v);
	memset(&end, 0, sizeof end);
	while (n->net->first)
		n->net->arrived = n->net->frames, net_done(n->net);
}

/* So many buffers for frames to come. */
static void post(unsigned count, uint32_t bytes)
{
	for (unsigned i = 0; i < count; i++) {
		put_desc(&r[0], r[0].index % r[0].size, BUFFER + SLOT * (r[0].index % 64), bytes, D_WRITE, 0);
		offer(&r[0], r[0].index % r[0].size);
	}
	kick(&r[0]);
}

static void put_frame(const uint8_t *head, uint64_t bytes)
{
	ram_write(&rig.m->ram, BUFFER, head, HEAD);
	put_desc(&r[1], 0, BUFFER, (uint32_t)(HEAD + bytes), 0, 0);
	offer(&r[1], 0);
	kick(&r[1]);
}

static const uint8_t plain[HEAD];

/* The answer to a command; `data` follows its two bytes. */
static uint8_t command(unsigned class, unsigned number, const void *data, unsigned bytes)
{
	const uint8_t head[2] = { (uint8_t)class, (uint8_t)number };
	uint8_t ack = 0xee;

	ram_write(&rig.m->ram, BUFFER, head, 2);
	ram_write(&rig.m->ram, BUFFER + 2, data, bytes);
	ram_write(&rig.m->ram, BUFFER + SLOT, &ack, 1);
	put_desc(&r[2], 0, BUFFER, 2 + bytes, D_NEXT, 1);
	put_desc(&r[2], 1, BUFFER + SLOT, 1, D_WRITE, 0);
	offer(&r[2], 0);
	kick(&r[2]);
	ram_read(&rig.m->ram, BUFFER + SLOT, &ack, 1);
	return ack;
}

/* ---- Facts ---- */

static void test_identity(void)
{
	check_eq(v->queues, 3, "queues");
	check_eq(v->pci.msix.vectors, 4, "vectors");
	check_eq(v->host_features & 0xffffff, 0xbffbe7 & ~(1u << 10 | 1u << 14), "features are QEMU's, but for UDP");
	check_eq(v->class->config_bytes, 8, "bytes of configuration");
	begin(0);
	check_eq(bar_load(v, 4, 0x2000, 4), 0x12005452, "its address");
	check_eq(bar_load(v, 4, 0x2006, 2), 1, "its link is up");
	check_eq(r[0].size << 16 | r[2].size, 256u << 16 | 64, "sizes of queues");
}

static void test_out(void)
{
	uint8_t frame[60] = "to somebody";

	begin(0);
	ram_write(&rig.m->ram, BUFFER + HEAD, frame, sizeof frame);
	put_frame(plain, 60);
	check(end.sent == 1 && end.bytes == 60 && !memcmp(end.frame, frame, 60) && used_index(&r[1]) == 1, "out: a frame");
	put_frame(plain, 13);
	check(end.sent == 1 && used_index(&r[1]) == 2, "out: half a header goes nowhere");
	put_frame(plain, NET_FRAME_MAX + 1);
	check(end.sent == 1 && used_index(&r[1]) == 3, "out: too large a frame goes nowhere");
	n->net->link_down = true;
	put_frame(plain, 60);
	check(end.sent == 1 && used_index(&r[1]) == 4, "out: no link");
	n->net->link_down = false;
	put_desc(&r[1], 0, BUFFER, HEAD - 1, 0, 0);
	offer(&r[1], 0);
	kick(&r[1]);
	check(v->broken && status_of(v) & VIRTIO_S_NEEDS_RESET, "out: half a head breaks the device");
}

static void test_offloads(void)
{
	uint8_t head[HEAD] = { 1, 0, 0, 0, 0, 0, 34, 0, 6, 0 }, frame[3000] = { 0 }, large[HEAD] = { 1, 1, 54, 0, 100, 0, 34, 0, 16, 0 };

	begin(0);
	ram_write(&rig.m->ram, BUFFER + HEAD, frame, sizeof frame);
	put_frame(head, 60);
	check_eq(end.sent, 0, "offloads: none that was not agreed on");
	begin(NET_BIT(NET_CSUM));
	put_frame(head, 60);
	check(end.sent == 1 && end.frame[40] == 0xff && end.frame[41] == 0xff, "offloads: a checksum");
	put_frame(large, 1054);
	check_eq(end.sent, 1, "offloads: no segments that were not agreed on");
	begin(NET_BIT(NET_CSUM) | NET_BIT(NET_HOST_TSO4));
	memcpy(frame + 12, "\x08\0\x45", 3);
	frame[23] = 6;
	frame[46] = 0x50;
	ram_write(&rig.m->ram, BUFFER + HEAD, frame, sizeof frame);
	put_frame(large, 1054);
	check(end.sent == 10 && end.bytes == 154 && used_index(&r[1]) == 1, "offloads: segments");
	ends[0].backend = &large_backend;
	put_frame(large, 1054);
	check(end.sent == 12 && end.bytes == 54 + 400, "offloads: two segments as large as the netdev takes (%u, %zu)", end.sent, end.bytes);
	large[4] = 0;
	put_frame(large, 1054);
	check_eq(end.sent, 12, "offloads: not of no size");
	large[4] = 100;
	end.sent = 10;
	ends[0].backend = &end_backend;
	large[1] = 4;
	put_frame(large, 1054);
	check_eq(end.sent, 10, "offloads: no segments of IPv6");
	large[1] = 3;
	put_frame(large, 1054);
	check_eq(end.sent, 10, "offloads: none of UDP");
}

/* A ring full of large frames to be cut into as many segments as there may be, by a processor that is alone: a kick does a part
 * of it, and later events the rest, a part each. */
static void test_bounded(void)
{
	uint8_t head[HEAD] = { 1, 1, 54, 0, 48, 0, 34, 0, 16, 0 }, frame[60] = { 0 };
	const unsigned bytes = 65535, each = (bytes - 54 + 47) / 48;
	unsigned parts = 0, most = 0, before;

	begin(NET_BIT(NET_CSUM) | NET_BIT(NET_HOST_TSO4));
	memcpy(frame + 12, "\x08\0\x45", 3);
	frame[23] = 6;
	frame[46] = 0x50;
	ram_write(&rig.m->ram, BUFFER, head, HEAD);
	ram_write(&rig.m->ram, BUFFER + HEAD, frame, sizeof frame);
	put_desc(&r[1], 0, BUFFER, HEAD + bytes, 0, 0);
	for (unsigned i = 0; i < r[1].size; i++)
		offer(&r[1], 0);
	rig.m->running = &rig.m->cpu[0]->cpu;
	rig.m->hcall_work = 0;
	kick(&r[1]);
	rig.m->running = NULL;
	most = end.sent;
	check(end.sent && end.sent < MACHINE_WORK_MOST / 4096 + each && used_index(&r[1]) < r[1].index, "bounded: a kick makes %u segments", end.sent);
	check(!virtio_device_qemu_ready(&v->pci.dev), "bounded: QEMU would not look again");
	for (; used_index(&r[1]) != r[1].index && parts < 1000; parts++) {
		before = end.sent;
		rig.m->clock.now = clock_next_event(rig.m);
		clock_fire_due(rig.m);
		most = end.sent - before > most ? end.sent - before : most;
	}
	check(end.sent == each * r[1].size && most < MACHINE_WORK_MOST / 4096 + each && parts > 5, "bounded: %u in all, in %u parts, at most %u", end.sent, parts,
	      most);
	check(virtio_device_qemu_ready(&v->pci.dev), "bounded: all is done");
}

static void test_in(void)
{
	uint8_t head[HEAD];

	for (size_t i = 0; i < sizeof coming; i++)
		coming[i] = (uint8_t)(i * 13);
	begin(0);
	comes(1, 100);
	check(!used_index(&r[0]) && n->net->frames == 1, "in: it waits for a buffer");
	post(1, 2000);
	check(used_index(&r[0]) == 1 && used_bytes(&r[0], 0) == HEAD + 100 && !n->net->frames, "in: and takes the first one");
	ram_read(&rig.m->ram, BUFFER, head, HEAD);
	check(head[10] == 1 && !head[11] && !head[0], "in: one buffer");
	check_eq(ring_get(&r[0], BUFFER + HEAD + 99, 1), coming[99], "in: its last byte");
	post(1, 100);
	comes(1, 100);
	check(used_index(&r[0]) == 1 && !n->net->frames && !v->broken, "in: larger than a buffer, it is lost");
	begin(NET_BIT(NET_GUEST_CSUM));
	post(1, 2000);
	comes(1, 100);
	ram_read(&rig.m->ram, BUFFER, head, HEAD);
	check_eq(head[0], 2, "in: its checksum is right");
	begin(0);
	post(1, HEAD - 1);
	comes(1, 100);
	check(v->broken, "in: a buffer without room for a head breaks the device");
}

static void test_merged(void)
{
	uint8_t head[HEAD], got[1000];

	begin(NET_BIT(NET_MRG_RXBUF) | EVENTS);
	post(3, 300);
	comes(1, 1000);
	check(!used_index(&r[0]) && n->net->frames == 1, "merged: three are not enough");
	check_eq(ring_get(&r[0], r[0].used + 4 + 8 * r[0].size, 2), r[0].index, "merged: the driver is to tell of the fourth");
	post(1, 300);
	check_eq(used_index(&r[0]), 4, "merged: four");
	ram_read(&rig.m->ram, BUFFER, head, HEAD);
	check_eq(head[10], 4, "merged: their number");
	ram_read(&rig.m->ram, BUFFER + HEAD, got, 288);
	for (unsigned i = 1; i < 4; i++)
		ram_read(&rig.m->ram, BUFFER + SLOT * i, got + 288 + 300 * (i - 1), i == 3 ? 112 : 300);
	check(!memcmp(got, coming, 1000), "merged: all bytes");
	check(used_bytes(&r[0], 1) == 300 && used_bytes(&r[0], 3) == 112, "merged: lengths");
}

/* Segments of one stream come as one large frame to a driver that takes those; as they are if it has no room for that. */
static void test_joined(void)
{
	uint8_t head[HEAD], want[] = { 1, 1, 54, 0, 0x58, 2, 34, 0, 16, 0, 3, 0 };

	begin(NET_BIT(NET_MRG_RXBUF) | NET_BIT(NET_GUEST_CSUM) | NET_BIT(NET_GUEST_TSO4));
	post(4, 700);
	stream(3, 600);
	ram_read(&rig.m->ram, BUFFER, head, HEAD);
	check(used_index(&r[0]) == 3 && !memcmp(head, want, HEAD) && !n->net->frames, "joined: three segments");
	check_eq(ring_get(&r[0], BUFFER + HEAD + 16, 2), (54 - 14 + 1800) >> 8 | ((54 - 14 + 1800) & 255) << 8, "joined: their length");
	post(1, 700);
	stream(3, 600);
	ram_read(&rig.m->ram, BUFFER + 3 * SLOT, head, HEAD);
	check(used_index(&r[0]) == 5 && n->net->frames == 1 && head[0] == 2 && !head[1] && head[10] == 1, "joined: one by one if there is no room");
	begin(NET_BIT(NET_MRG_RXBUF) | NET_BIT(NET_GUEST_CSUM));
	post(4, 700);
	stream(3, 600);
	check_eq(used_index(&r[0]), 3, "joined: not if the driver does not want it");
	ram_read(&rig.m->ram, BUFFER, head, HEAD);
	check(!head[1] && head[10] == 1, "joined: each one as it is");
	ends[0].backend = &large_backend;
	begin(NET_BIT(NET_MRG_RXBUF) | NET_BIT(NET_GUEST_CSUM) | NET_BIT(NET_GUEST_TSO4));
	post(4, 700);
	stream(3, 600);
	ram_read(&rig.m->ram, BUFFER, head, HEAD);
	check(used_index(&r[0]) == 3 && !head[0] && !head[1], "joined: not if somebody has to look at checksums");
	ends[0].backend = &end_backend;
}

/* What is answered at once is not there before the next point of host input. */
static void test_points(void)
{
	begin(0);
	post(4, 2000);
	end.answers = true;
	put_frame(plain, 60);
	check(end.sent == 1 && !used_index(&r[0]) && nets_early(rig.m), "points: an answer waits");
	post(1, 2000);
	check_eq(used_index(&r[0]), 0, "points: though there is another buffer");
	nets_look(rig.m);
	check(used_index(&r[0]) == 1 && !nets_early(rig.m), "points: it comes at the next one");
	begin(0);
	comes(NET_QUEUE_FRAMES + 5, 60);
	check(n->net->frames == NET_QUEUE_FRAMES && n->net->stats.dropped >= 5, "points: no more wait than there is room for");
	comes(200, 60000);
	check(n->net->bytes <= NET_QUEUE_BYTES + NET_FRAME_MAX, "points: nor more bytes");
	set_status(v, 0);
	comes(0, 0);
	check_eq(n->net->frames, 0, "points: without a driver they are lost");
}

static unsigned passes(const char *to, unsigned tag)
{
	unsigned before = used_index(&r[0]);

	memset(coming, 0, 60);
	memcpy(coming, to, 6);
	if (tag) {
		coming[12] = 0x81;
		coming[14] = (uint8_t)(tag >> 8);
		coming[15] = (uint8_t)tag;
	}
	post(1, 2000);
	comes(1, 60);
	return used_index(&r[0]) - before;
}

static void test_filter(void)
{
	static const uint8_t off, on = 1, tables[] = { 1, 0, 0, 0, 2, 2, 2, 2, 2, 2, 1, 0, 0, 0, 3, 3, 3, 3, 3, 3 };
	uint8_t many[8 + 65 * 6] = { 65 };
	uint16_t vlan = 7;

	begin(NET_BIT(NET_CTRL_VQ) | NET_BIT(NET_CTRL_RX) | NET_BIT(NET_CTRL_VLAN));
	check_eq(passes("\2\2\2\2\2\2", 0), 1, "filter: all, at first");
	check_eq(command(0, 0, &off, 1), 0, "filter: promiscuous off");
	check_eq(passes("\2\2\2\2\2\2", 0), 0, "filter: nobody else's");
	check_eq(passes("\x52\x54\0\x12\x34\x56", 0), 1, "filter: its own");
	check_eq(passes("\xff\xff\xff\xff\xff\xff", 0), 1, "filter: everybody's");
	check_eq(passes("\3\3\3\3\3\3", 0), 0, "filter: no groups");
	check_eq(command(1, 0, tables, sizeof tables), 0, "filter: tables");
	check(passes("\2\2\2\2\2\2", 0) && passes("\3\3\3\3\3\3", 0) && !passes("\5\3\3\3\3\3", 0), "filter: what is in them");
	check_eq(command(1, 0, tables, sizeof tables - 1), 1, "filter: a table that is cut");
	check_eq(command(1, 0, "\xff\xff\xff\xff", 4), 1, "filter: a table of four milliards");
	check_eq(command(1, 0, many, 4 + 65 * 6 + 4), 0, "filter: a table that does not fit");
	check(passes("\4\4\4\4\4\4", 0) && !passes("\5\3\3\3\3\3", 0), "filter: then all cards");
	check_eq(command(0, 1, &on, 1), 0, "filter: all groups");
	check_eq(passes("\5\3\3\3\3\3", 0), 1, "filter: any group");
	command(0, 3, &on, 1);
	command(0, 4, &on, 1);
	command(0, 5, &on, 1);
	check(!passes("\5\3\3\3\3\3", 0) && !passes("\x52\x54\0\x12\x34\x56", 0) && !passes("\xff\xff\xff\xff\xff\xff", 0), "filter: none at all");
	command(0, 4, &off, 1);
	check_eq(passes("\x52\x54\0\x12\x34\x56", 7), 0, "filter: no VLAN");
	check_eq(command(2, 0, &vlan, 2), 0, "filter: VLAN 7");
	check(passes("\x52\x54\0\x12\x34\x56", 7) && !passes("\x52\x54\0\x12\x34\x56", 8), "filter: that alone");
	check_eq(command(2, 1, &vlan, 2), 0, "filter: not any more");
	check_eq(passes("\x52\x54\0\x12\x34\x56", 7), 0, "filter: none");
	vlan = 4096;
	check_eq(command(2, 0, &vlan, 2), 1, "filter: VLAN 4096");
}

static void test_commands(void)
{
	uint64_t bits = NET_BIT(NET_GUEST_CSUM);

	begin(NET_BIT(NET_CTRL_VQ) | NET_BIT(NET_CTRL_MAC_ADDR) | NET_BIT(NET_CTRL_GUEST_OFFLOADS) | NET_BIT(NET_GUEST_CSUM) |
	      NET_BIT(NET_GUEST_ANNOUNCE));
	check_eq(command(9, 9, "", 0), 1, "commands: one that there is not");
	check_eq(command(1, 1, "\2\7\7\7\7\7", 6), 0, "commands: an address");
	check_eq(bar_load(v, 4, 0x2005, 1), 7, "commands: it is that");
	check_eq(command(1, 1, "\2\7\7\7\7", 5), 1, "commands: half an address");
	check_eq(n->offloads, bits, "commands: what the guest takes");
	bits = 0;
	check_eq(command(5, 0, &bits, 8), 0, "commands: nothing any more");
	check_eq(n->offloads, 0, "commands: so it is");
	bits = NET_BIT(NET_GUEST_TSO4);
	check_eq(command(5, 0, &bits, 8), 1, "commands: what was not agreed on");
	check_eq(command(3, 0, "", 0), 1, "commands: nothing to announce");
	n->status |= NET_ANNOUNCE;
	check(!command(3, 0, "", 0) && n->status == NET_LINK_UP, "commands: announced");
	put_desc(&r[2], 0, BUFFER, 2, 0, 0);
	offer(&r[2], 0);
	kick(&r[2]);
	check(v->broken, "commands: no place for an answer breaks the device");
	check_eq(n->v.host_features & NET_BIT(NET_MQ), 0, "commands: no pairs of queues unless asked for");
	begin(NET_BIT(NET_CTRL_VQ));
	check_eq(command(4, 0, "\1\0", 2), 1, "commands: nor a number of them");
	begin(0);
	check_eq(n->mac[1], 0x54, "commands: a reset brings its own address back");
}

static void test_link(void)
{
	begin(NET_BIT(NET_STATUS));
	post(2, 2000);
	end.answers = true;
	put_frame(plain, 60);
	net_pull(n->net, true);
	check(!bar_load(v, 4, 0x2006, 2) && v->isr & 2, "link: the driver hears that it is down");
	check_eq(n->net->frames, 0, "link: what was on its way is lost");
	comes(1, 60);
	put_frame(plain, 60);
	check(!used_index(&r[0]) && end.sent == 1, "link: nothing passes");
	net_pull(n->net, false);
	comes(1, 60);
	check(bar_load(v, 4, 0x2006, 2) == 1 && used_index(&r[0]) == 1, "link: it is back");
}

static void put_stream(unsigned from, unsigned to)
{
	memset(coming, 0, 60);
	memcpy(coming + 12, "\x08\0\x45", 3);
	coming[23] = 17;
	coming[26 + 3] = (uint8_t)from;
	coming[30 + 3] = (uint8_t)to;
	coming[34] = (uint8_t)(7 * from);
	coming[36] = (uint8_t)(7 * to);
}

/* One connection's answers come to the pair on which it sends; a driver uses as many pairs as it says, and one if it knows of none. */
static void test_several(struct virtio_net *other)
{
	const uint64_t all = V1 | NET_BIT(NET_CTRL_VQ) | NET_BIT(NET_MQ);
	const unsigned pair[] = { 2, 3, 0, 3, 1 };
	struct ring was[3], rx[4], tx[4];
	struct virtio_net *one = n;
	uint16_t before;

	memcpy(was, r, sizeof was);
	n = other;
	v = &n->v;
	memset(&end, 0, sizeof end);
	end.at = n->net;
	check(v->queues == 9 && v->pci.msix.vectors == 10 && v->host_features & NET_BIT(NET_MQ), "several: nine queues");
	modern_begin(v, V1 | NET_BIT(NET_CTRL_VQ));
	check(v->queues == 3 && v->queue[2].size == 64 && !v->queue[3].size, "several: three for who takes no more");
	modern_begin(v, all);
	check(v->queues == 9 && v->queue[2].size == 256 && v->queue[8].size == 64 && bar_load(v, 4, 0x2008, 2) == 4, "several: nine again");
	for (unsigned i = 0; i < 4; i++) {
		rx[i] = ring_new(v, 2 * i, RINGS + 0x20000 * (i + 1));
		tx[i] = ring_new(v, 2 * i + 1, RINGS + 0x20000 * (i + 1) + 0x8000);
	}
	r[2] = ring_new(v, 8, RINGS + 0x100000);
	modern_ready(v);
	check(command(4, 0, "\5\0", 2) == 1 && command(4, 0, "\0\0", 2) == 1 && n->pairs == 1, "several: not five, not none");
	check(command(4, 0, "\4\0", 2) == 0 && n->pairs == 4, "several: four");
	for (unsigned i = 0; i < ARRAY_SIZE(pair); i++) {
		r[1] = tx[pair[i]];
		put_stream(10 + i, 1);
		ram_write(&rig.m->ram, BUFFER + HEAD, coming, 60);
		put_frame(plain, 60);
		tx[pair[i]] = r[1];
	}
	for (unsigned i = 0; i < ARRAY_SIZE(pair); i++) {
		r[0] = rx[pair[i]];
		before = used_index(&r[0]);
		post(1, 2000);
		rx[pair[i]] = r[0];
		put_stream(1, 10 + i);
		comes(1, 60);
		check_eq(used_index(&r[0]), before + 1u, "several: an answer to what pair %u has sent", pair[i]);
	}
	check(!command(4, 0, "\2\0", 2), "several: two");
	r[0] = rx[1];
	before = used_index(&r[0]);
	post(1, 2000);
	put_stream(1, 13);
	comes(1, 60);
	check_eq(used_index(&r[0]), before + 1u, "several: what pair 3 has sent comes to one that there is");
	bar_store(v, 4, 0x14, 1, 0);
	check(n->pairs == 1 && v->queues == 9, "several: a reset forgets");
	n = one;
	v = &one->v;
	memcpy(r, was, sizeof was);
}

/* Whoever takes features and queues in any order reaches none that is not there. */
static void test_several_hostile(struct virtio_net *other)
{
	struct virtio_device *was = v;
	uint64_t seed = 11;
	unsigned most = 0;

	v = &other->v;
	end.at = other->net;
	for (unsigned i = 0; i < 30000; i++) {
		uint64_t w = check_random(&seed);
		unsigned queue = w >> 8 & 15;
		struct ring q;

		if (!(w & 7)) {
			modern_begin(v, (w >> 16 & 1 ? V1 : 0) | (w >> 17 & 0xffffff) | (w >> 41 & 1 ? NET_BIT(NET_MQ) | NET_BIT(NET_CTRL_VQ) : 0));
			if (w >> 42 & 1) {
				set_status(v, 0);
				set_status(v, VIRTIO_S_ACKNOWLEDGE | VIRTIO_S_DRIVER);
			}
		}
		if (!(v->status & VIRTIO_S_FEATURES_OK) && !(w >> 43 & 3))	/* a legacy driver, in the middle */
			bar_store(v, 0, 4, 4, (w >> 20 & 0xffffff) | (w >> 45 & 1 ? NET_BIT(NET_MQ) | NET_BIT(NET_CTRL_VQ) : 0));
		if (queue >= v->queues || !v->queue[queue].size)
			continue;
		q = ring_new(v, queue, RINGS + 0x8000 * queue);
		q.big = virtio_is_big(v);
		modern_ready(v);
		ram_write(&rig.m->ram, BUFFER, queue + 1 < v->queues ? plain : (const uint8_t *)(virtio_is_big(v) ? "\4\0\0\4" : "\4\0\4\0"), 4);
		put_desc(&q, 0, BUFFER, queue + 1 == v->queues ? 4 : 100, D_NEXT, 1);
		put_desc(&q, 1, BUFFER + SLOT, 2000, D_WRITE, 0);
		offer(&q, 0);
		kick(&q);
		most = other->pairs > most ? other->pairs : most;
		put_stream(1, w >> 50 & 15);
		comes(2, 60);
		if (other->pairs > net_pairs_there(other))
			break;
	}
	check(other->pairs <= net_pairs_there(other) && most == 4, "several: as many as there are, up to %u", most);
	v = was;
}

/* A netdev has one queue each way unless it says more, and so has a card that could have several. */
static void test_pairs(struct virtio_net *other)
{
	struct virtio_device *was = v;
	struct ring queue = r[2];

	check(other->v.host_features & NET_BIT(NET_MQ) && other->v.class->config_bytes == 10, "pairs: they are offered");
	v = &other->v;
	modern_begin(v, V1 | NET_BIT(NET_CTRL_VQ) | NET_BIT(NET_MQ));
	r[2] = ring_new(v, 2, RINGS + 0x20000);
	modern_ready(v);
	check_eq(bar_load(v, 4, 0x2008, 2), 1, "pairs: one");
	check_eq(command(4, 0, "\1\0", 2), 0, "pairs: which may be used");
	check_eq(command(4, 0, "\2\0", 2), 1, "pairs: not two");
	check_eq(command(4, 0, "\0\0", 2), 1, "pairs: not none");
	v = was;
	r[2] = queue;
}

static void test_options(void)
{
	static const struct { const char *values, *why; } bad[] = {
		{ "netdev=n9", "can't find value 'n9'" }, { "netdev=n0", "it's in use" }, { "mac=1:2:3", "address" }, { "mac=01:00:00:00:00:01", "address" },
		{ "mac=52:54:00:12:34:567", "address" }, { "rx_queue_size=100", "power of 2" }, { "tx_queue_size=2048", "power of 2" }, { "host_mtu=67", "host_mtu" },
		{ "romfile=x", "ROM" },
	};
	struct virtio_net *other;
	struct error err;

	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
		check(!device_new(rig.m, &virtio_net_class, bad[i].values, &err) && strstr(err.msg, bad[i].why), "refused: %s: %s", bad[i].values, err.msg);
	other = (struct virtio_net *)virtio_new(rig.m, &virtio_net_class, "netdev=n1,csum=off,guest_csum=off,host_mtu=9000,romfile=,rombar=0");
	check(!strcmp(other->mac_text, "52:54:00:12:34:57"), "options: the next address: %s", other->mac_text);
	check_eq(other->v.host_features & (NET_HOST_OFFLOADS | NET_GUEST_OFFLOADS), 0, "options: no offloads");
	modern_begin(&other->v, V1);
	check(other->v.host_features & NET_BIT(NET_MTU) && bar_load(&other->v, 4, 0x200a, 2) == 9000, "options: a larger frame");
	other = (struct virtio_net *)virtio_new(rig.m, &virtio_net_class, "mac=52-54-0-12-34-59");
	check(!strcmp(other->mac_text, "52:54:00:12:34:59") && !other->net, "options: an address of its own, no netdev");
	other = (struct virtio_net *)virtio_new(rig.m, &virtio_net_class, "");
	check(!strcmp(other->mac_text, "52:54:00:12:34:58"), "options: one that is free: %s", other->mac_text);
	test_pairs((struct virtio_net *)virtio_new(rig.m, &virtio_net_class, "mq=on,mac=52-54-0-12-34-61"));
	other = (struct virtio_net *)virtio_new(rig.m, &virtio_net_class, "netdev=n2,mq=on,mac=52-54-0-12-34-62");
	test_several(other);
	test_several_hostile(other);
	other = (struct virtio_net *)virtio_new(rig.m, &virtio_net_class, "ctrl_vq=off");
	check_eq(other->v.host_features & (0x2e0000 | NET_BIT(NET_CTRL_MAC_ADDR) | NET_BIT(NET_CTRL_GUEST_OFFLOADS)), 0, "options: no commands");
	check(!strcmp(other->mac_text, "52:54:00:12:34:5a"), "options: not one that is taken: %s", other->mac_text);
}

/* Descriptors and frames of any kind, a million of each way in the end. */
static void test_hostile(void)
{
	uint64_t seed = 7, bad = 0;

	for (unsigned i = 0; i < 700000; i++) {
		uint64_t w = check_random(&seed), x = check_random(&seed);
		unsigned queue = w % 3, count = 1 + (w >> 8) % 4;

		if (v->broken || i % 997 == 0) {
			bad += v->broken;
			begin(x & 0xffffff);
			end.answers = w >> 20 & 1;
		}
		for (unsigned k = 0; k < count; k++)
			put_desc(&r[queue], k, w >> 12 & 63 ? BUFFER + (x >> 8 * k & 0xff) * 64 : x, (uint32_t)(w >> (16 + 4 * k) & 0x3ff) + (k == 0 ? HEAD : 0),
				 (k + 1 < count ? D_NEXT : 0) | ((queue == 0 || (queue == 2 && k + 1 == count)) ? D_WRITE : 0) | (w >> 40 & 255 ? 0 : x & 7),
				 (unsigned)(k + 1));
		if (queue == 1)
			ram_write(&rig.m->ram, BUFFER + (x & 0xff) * 64, &x, 8);
		if (queue == 2 && w >> 50 & 1)
			ring_put(&r[2], BUFFER + (x & 0xff) * 64, (x >> 3 & 7) | (x >> 6 & 7) << 8 | (x & 0xff00) << 8, 8);
		if (w >> 55 & 63)
			offer(&r[queue], 0);
		else
			ring_put(&r[queue], r[queue].avail + 2, r[queue].index += (uint16_t)x, 2);
		kick(&r[queue]);
		if (w >> 21 & 1)
			stream(1 + (unsigned)(x >> 60 & 3), 1 + (x >> 20 & 2047));
		else
			comes(x >> 60 & 3, 14 + (x >> 20 & 2047));
	}
	check(bad > 100 && end.looks, "hostile: broken %" PRIu64 " times", bad);
}

/* The card is taken out while frames wait for buffers: they wait for nobody. */
static void test_gone(void)
{
	struct net *net = n->net;
	struct error err = { .msg = "" };

	begin(0);
	comes(3, 60);
	check_eq(net->frames, 3, "gone: frames wait");
	device_drop(rig.m, &v->pci.dev);
	check(!net->user && !net->frames && !net->bytes && !net->arrived, "gone: they do no longer");
	comes(2, 60);
	check(!net->frames && !net->arrived, "gone: nobody takes what comes now");
	v = virtio_new(rig.m, &virtio_net_class, "netdev=n0");
	n = (struct virtio_net *)v;
	check(n->net == net && net->user == &v->pci.dev && net_delete(rig.m, "n0", &err) == false, "gone: another card");
	begin(0);
	post(2, 2000);
	comes(1, 60);
	check_eq(used_index(&r[0]), 1, "gone: which takes what comes");
}

/* An address is free again when the last card that has it has gone, however often cards come and go; a card that never came has none. */
static void test_addresses(void)
{
	static const char *const bad[] = { "mac=52:54:00:12:34:5b,rx_queue_size=3", "mac=52:54:00:12:34:5b,netdev=n9", "mac=52:54:00:12:34:5bx" };
	const char *took = NULL;
	uint16_t counts[ARRAY_SIZE(rig.m->card_macs)];
	struct virtio_net *first, *second;
	struct device *dev;
	struct error err = { .msg = "" };
	unsigned rounds = 0;

	for (; rounds < 300 && (dev = device_new(rig.m, &virtio_net_class, "", &err)); rounds++) {
		took = strcmp(((struct virtio_net *)dev)->mac_text, "52:54:00:12:34:5b") ? "another" : took;
		device_drop(rig.m, dev);
	}
	check(rounds == 300 && !took, "addresses: the same one for 300 cards, one after the other: %u %s", rounds, err.msg);
	first = (struct virtio_net *)virtio_new(rig.m, &virtio_net_class, "mac=52:54:00:12:34:5b");
	second = (struct virtio_net *)virtio_new(rig.m, &virtio_net_class, "mac=52:54:00:12:34:5b");
	device_drop(rig.m, &first->v.pci.dev);
	memcpy(counts, rig.m->card_macs, sizeof counts);
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		check(!device_new(rig.m, &virtio_net_class, bad[i], &err) && !memcmp(counts, rig.m->card_macs, sizeof counts), "addresses: none goes with %s",
		      bad[i]);
	first = (struct virtio_net *)virtio_new(rig.m, &virtio_net_class, "");
	check(!strcmp(first->mac_text, "52:54:00:12:34:5c"), "addresses: one that a second card has is not free: %s", first->mac_text);
	device_drop(rig.m, &first->v.pci.dev);
	device_drop(rig.m, &second->v.pci.dev);
	first = (struct virtio_net *)virtio_new(rig.m, &virtio_net_class, "");
	check(!strcmp(first->mac_text, "52:54:00:12:34:5b"), "addresses: it is after that one: %s", first->mac_text);
	device_drop(rig.m, &first->v.pci.dev);
}

int main(void)
{
	struct error err = { .msg = "" };

	rig_new(&rig, "1");
	rig.options.netdev[0] = &ends[0];
	rig.options.netdev[1] = &ends[1];
	rig.options.netdev[2] = &ends[2];
	rig.options.netdevs = 3;
	if (!nets_new(rig.m, &err))
		return EXIT_FAILURE;
	v = virtio_new(rig.m, &virtio_net_class, "netdev=n0");
	n = (struct virtio_net *)v;
	test_identity();
	test_out();
	test_offloads();
	test_bounded();
	test_in();
	test_merged();
	test_joined();
	test_points();
	test_filter();
	test_commands();
	test_link();
	test_options();
	test_hostile();
	test_gone();
	test_addresses();
	rig.options.netdevs = 0;
	rig_free(&rig);
	return check_done();
}

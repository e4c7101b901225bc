/* spapr-vlan: what each hypercall takes and refuses, the queue and its toggle, pools of buffers, what is lost; hostile calls. */
#include "check.h"
#include "hcall/hcall.h"
#include "machine/core/config.h"
#include "machine/net/net.h"
#include "machine/vio/vlan.h"
#include "rig.h"

#define PAGE UINT64_C(0x1000)

/* In the device's window, which maps its first pages to RAM from RAM_AT on; READ_ONLY and WRITE_ONLY are two of them, HOLE is
 * not mapped. */
#define RAM_AT     UINT64_C(0x1000000)
#define LIST       UINT64_C(0x0000)
#define FILTERS    UINT64_C(0x1000)
#define QUEUE      UINT64_C(0x2000)
#define BUFFERS    UINT64_C(0x10000)
#define PAGES      UINT64_C(0x800)
#define READ_ONLY  (PAGES * PAGE - PAGE)
#define WRITE_ONLY (PAGES * PAGE - 2 * PAGE)
#define HOLE       (PAGES * PAGE)
#define QUEUE_SIZE 8u			/* entries */

#define DESCRIPTOR(at, bytes) (VLAN_VALID | (uint64_t)(bytes) << 32 | (at))
#define QUEUE_OF(n)           DESCRIPTOR(QUEUE, (n) * 16)

extern const struct device_class vlan_class, vscsi_class;
hcall_fn hcall_H_REGISTER_LOGICAL_LAN, hcall_H_FREE_LOGICAL_LAN, hcall_H_ADD_LOGICAL_LAN_BUFFER, hcall_H_SEND_LOGICAL_LAN,
	hcall_H_MULTICAST_CTRL, hcall_H_CHANGE_LOGICAL_LAN_MAC, hcall_H_ILLAN_ATTRIBUTES, hcall_H_VIO_SIGNAL;

static struct rig rig;
static struct vio_device *vio;
static struct net *net;
static uint64_t unit, attributes;

/* ---- A netdev of our own ---- */

static struct {
	uint8_t frame[NET_FRAME_MAX];
	size_t bytes;
	unsigned sent;
	bool answers;
} end;

static bool end_open(struct net *n, struct error *err)
{
	(void)n, (void)err;
	return true;
}

static void end_close(struct net *n) { (void)n; }

static void end_send(struct net *n, const uint8_t *frame, size_t bytes)
{
	end.sent++;
	end.bytes = bytes;
	memcpy(end.frame, frame, bytes);
	if (end.answers)
		net_arrives(n, frame, bytes);
}

static const struct net_backend end_backend = { .type = "end", .help = "of a test", .open = end_open, .close = end_close, .send = end_send };
static struct net_config config = { .backend = &end_backend, .id = "n0" };

static uint8_t coming[NET_FRAME_MAX];

static void comes(unsigned count, size_t bytes)
{
	while (count--)
		net_arrives(net, coming, bytes);
	nets_look(rig.m);
}

/* ---- The guest ---- */

static int64_t call(hcall_fn *fn, uint64_t a, uint64_t b, uint64_t c, uint64_t d)
{
	uint64_t in[HCALL_MAX_IN] = { a, b, c, d }, out[HCALL_MAX_OUT] = { 0 };
	int64_t rc = fn(&rig.m->cpu[0]->cpu, in, out);

	attributes = out[0];
	return rc;
}

static int64_t send_pieces(const uint64_t piece[6], uint64_t token)
{
	uint64_t in[HCALL_MAX_IN] = { unit, piece[0], piece[1], piece[2], piece[3], piece[4], piece[5], token }, out[HCALL_MAX_OUT] = { 0 };

	return hcall_H_SEND_LOGICAL_LAN(&rig.m->cpu[0]->cpu, in, out);
}

static uint8_t *at(uint64_t ioba) { return rig.m->ram.base + RAM_AT + ioba; }

static uint64_t word(uint64_t ioba, unsigned bytes)
{
	uint64_t value = 0;

	for (unsigned i = 0; i < bytes; i++)
		value = value << 8 | at(ioba)[i];
	return value;
}

static int64_t open_card(uint64_t queue) { return call(hcall_H_REGISTER_LOGICAL_LAN, unit, LIST, queue, FILTERS); }
static int64_t add(uint64_t buffer) { return call(hcall_H_ADD_LOGICAL_LAN_BUFFER, unit, buffer, 0, 0); }

static void begin(unsigned entries)
{
	call(hcall_H_FREE_LOGICAL_LAN, unit, 0, 0, 0);
	net_forget(net);
	memset(at(0), 0xee, BUFFERS);
	check_eq(open_card(QUEUE_OF(entries)), H_SUCCESS, "open");
	memset(&end, 0, sizeof end);
}

/* A buffer of that size, with a handle. */
static void give(unsigned i, uint32_t size)
{
	memset(at(BUFFERS + i * 0x800), 0x11, 0x800);
	memset(at(BUFFERS + i * 0x800), (int)(0xa0 + i), 8);
	check_eq(add(DESCRIPTOR(BUFFERS + i * 0x800, size)), H_SUCCESS, "a buffer of %u", size);
}

/* ---- Facts ---- */

static void test_register(void)
{
	static const struct { uint64_t list, queue, filters; int64_t code; const char *name; } cases[] = {
		{ LIST + 8, QUEUE_OF(8), FILTERS, H_PARAMETER, "half-a-page" }, { LIST, QUEUE_OF(8), FILTERS + 8, H_PARAMETER, "half-a-page-of-filters" },
		{ HOLE, QUEUE_OF(8), FILTERS, H_PARAMETER, "not-mapped" }, { LIST, QUEUE_OF(8), HOLE, H_PARAMETER, "filters-not-mapped" },
		{ READ_ONLY, QUEUE_OF(8), FILTERS, H_PARAMETER, "read-only" }, { WRITE_ONLY, QUEUE_OF(8), FILTERS, H_PARAMETER, "write-only" },
		{ UINT64_C(1) << 32, QUEUE_OF(8), FILTERS, H_PARAMETER, "of-33-bits" }, { LIST, QUEUE_OF(8) & ~VLAN_VALID, FILTERS, H_PARAMETER, "not-valid" },
		{ LIST, QUEUE_OF(8) + 8, FILTERS, H_PARAMETER, "a-queue-that-is-not-aligned" }, { LIST, QUEUE_OF(0), FILTERS, H_PARAMETER, "an-empty-queue" },
		{ LIST, DESCRIPTOR(QUEUE, 40), FILTERS, H_PARAMETER, "half-an-entry" }, { LIST, DESCRIPTOR(HOLE - PAGE, 0x2000), FILTERS, H_PARAMETER, "over-the-end" },
		{ LIST, DESCRIPTOR(QUEUE, 0xfffff0), FILTERS, H_PARAMETER, "too-long" }, { LIST, QUEUE_OF(8) | VLAN_TOGGLE, FILTERS, H_SUCCESS, "right" },
		{ LIST, QUEUE_OF(8), FILTERS, H_RESOURCE, "twice" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
		check_eq(call(hcall_H_REGISTER_LOGICAL_LAN, unit, cases[i].list, cases[i].queue, cases[i].filters), cases[i].code, "register-%s", cases[i].name);
	check_eq(word(LIST, 8), QUEUE_OF(8), "the list begins with the queue, whose toggle is 0");
	check_eq(word(LIST + 8, 8), DESCRIPTOR(FILTERS, PAGE), "and the filters");
	check(!word(LIST + 16, 8) && !word(LIST + PAGE - 8, 8), "and is empty");
	check_eq(call(hcall_H_FREE_LOGICAL_LAN, unit, 0, 0, 0), H_SUCCESS, "free");
	check_eq(call(hcall_H_FREE_LOGICAL_LAN, unit, 0, 0, 0), H_RESOURCE, "free twice");
}

/* By the number of another device, or of none. */
static void test_units(void)
{
	hcall_fn *const all[] = { hcall_H_REGISTER_LOGICAL_LAN, hcall_H_FREE_LOGICAL_LAN, hcall_H_ADD_LOGICAL_LAN_BUFFER, hcall_H_SEND_LOGICAL_LAN,
				  hcall_H_MULTICAST_CTRL, hcall_H_CHANGE_LOGICAL_LAN_MAC, hcall_H_ILLAN_ATTRIBUTES };
	struct error err;
	struct vio_device *other = (struct vio_device *)device_new(rig.m, &vscsi_class, "", &err);
	const uint64_t units[] = { other->reg, 0, UINT64_MAX, unit | UINT64_C(1) << 32 };

	for (size_t i = 0; i < ARRAY_SIZE(all); i++)
		for (size_t k = 0; k < ARRAY_SIZE(units); k++)
			check_eq(call(all[i], units[k], 0, 0, 0), H_PARAMETER, "call %zu of unit 0x%" PRIx64, i, units[k]);
}

static void test_in(void)
{
	begin(3);
	for (size_t i = 0; i < sizeof coming; i++)
		coming[i] = (uint8_t)(i * 7);
	give(0, 0x800);
	comes(1, 100);
	check(word(QUEUE, 1) == 0xc0 && word(QUEUE + 2, 2) == 8 && word(QUEUE + 4, 4) == 100 && word(QUEUE + 8, 8) == UINT64_C(0xa0a0a0a0a0a0a0a0),
	      "an entry: toggle, valid, where, how much, the handle");
	check(!memcmp(at(BUFFERS + 8), coming, 100) && at(BUFFERS + 108)[0] == 0x11, "the frame behind the handle, and no more");
	comes(2, 60);
	check_eq(net->frames, 2, "others wait for buffers");
	check_eq(word(LIST + PAGE - 8, 8), 0, "and are not lost");
	give(1, 0x800);
	give(2, 0x800);
	check(!net->frames && word(QUEUE + 16, 1) == 0xc0 && word(QUEUE + 32, 1) == 0xc0, "and come with them");
	check_eq(word(LIST, 8), QUEUE_OF(3) | VLAN_TOGGLE, "once around the toggle turns");
	give(3, 0x800);
	comes(1, 60);
	check(word(QUEUE, 1) == 0x40 && at(QUEUE + 16)[0] == 0xc0, "and the next round has the other one");
}

static void test_pools(void)
{
	begin(64);
	give(0, 512);
	give(1, 0x800);
	give(2, 64);
	comes(1, 60);
	check_eq(word(QUEUE + 8, 1), 0xa0, "60 bytes and a handle want 512, not 64");
	comes(1, 56);
	check_eq(word(QUEUE + 24, 1), 0xa2, "56 and a handle are 64");
	comes(1, 0x800 - 7);
	check(!net->frames && word(LIST + PAGE - 8, 8) == 1, "what fits nowhere is lost, and counted");
	comes(1, 0x800 - 8);
	check_eq(word(QUEUE + 40, 1), 0xa1, "one byte less fits");
	for (uint32_t size = 16; size < 16 + 5 * 4; size += 4)
		check_eq(add(DESCRIPTOR(BUFFERS, size)), H_SUCCESS, "a pool of %u", size);
	check_eq(add(DESCRIPTOR(BUFFERS, 256)), H_RESOURCE, "a sixth size");
	for (unsigned i = 1; i < 4096; i++)
		if (add(DESCRIPTOR(BUFFERS, 16)) != H_SUCCESS)
			check(false, "buffer %u of one size", i);
	check_eq(add(DESCRIPTOR(BUFFERS, 16)), H_RESOURCE, "4096 of one size are the most");
	check_eq(add(DESCRIPTOR(BUFFERS, 12)), H_PARAMETER, "a buffer of 12");
	check_eq(add(DESCRIPTOR(BUFFERS, 18)), H_PARAMETER, "of 18");
	check_eq(add(DESCRIPTOR(BUFFERS + 2, 16)), H_PARAMETER, "at half a word");
	check_eq(add(DESCRIPTOR(HOLE - 8, 16)), H_PARAMETER, "not all mapped");
	call(hcall_H_FREE_LOGICAL_LAN, unit, 0, 0, 0);
	check_eq(add(DESCRIPTOR(BUFFERS, 16)), H_RESOURCE, "a card that is closed");
	comes(3, 60);
	check_eq(net->frames, 0, "hears nothing");
}

static void test_out(void)
{
	uint64_t piece[6] = { DESCRIPTOR(BUFFERS, 20), DESCRIPTOR(BUFFERS + 100, 30), 0, DESCRIPTOR(BUFFERS, 20), 0, 0 };

	begin(8);
	strcpy((char *)at(BUFFERS), "the first of two");
	strcpy((char *)at(BUFFERS + 100), "the second");
	check_eq(send_pieces(piece, 0), H_SUCCESS, "two pieces");
	check(end.sent == 1 && end.bytes == 50 && !strcmp((char *)end.frame, "the first of two") && !strcmp((char *)end.frame + 20, "the second"), "one frame");
	check_eq(send_pieces(piece, 1), H_HARDWARE, "a token");
	piece[0] = 0;
	check(send_pieces(piece, 0) == H_SUCCESS && end.sent == 1, "nothing");
	piece[0] = DESCRIPTOR(BUFFERS, 65536);
	check(send_pieces(piece, 0) == H_RESOURCE && end.sent == 1, "too much");
	piece[0] = DESCRIPTOR(BUFFERS, 0xffffff);
	piece[1] = DESCRIPTOR(BUFFERS, 0xffffff);
	check(send_pieces(piece, 0) == H_RESOURCE && end.sent == 1, "far too much");
	piece[0] = DESCRIPTOR(BUFFERS, 65536);
	piece[1] = 0;
	check(send_pieces(piece, 0) == H_SUCCESS && end.sent == 2 && end.bytes == 65536, "the most");
	piece[0] = DESCRIPTOR(HOLE - 10, 20);
	check(send_pieces(piece, 0) == H_DEST_PARM && end.sent == 2, "not all mapped");
	piece[0] = DESCRIPTOR(WRITE_ONLY, 20);
	check(send_pieces(piece, 0) == H_DEST_PARM && end.sent == 2, "not for reading");
	piece[0] = DESCRIPTOR(READ_ONLY, 20);
	check(send_pieces(piece, 0) == H_SUCCESS && end.sent == 3, "for reading alone");
	call(hcall_H_FREE_LOGICAL_LAN, unit, 0, 0, 0);
	check_eq(send_pieces(piece, 0), H_DROPPED, "a card that is closed");
	check_eq(send_pieces(piece, 1), H_DROPPED, "with a token");
}

static void test_rest(void)
{
	begin(8);
	check_eq(call(hcall_H_MULTICAST_CTRL, unit, 0, 0, 0), H_SUCCESS, "groups");
	check_eq(call(hcall_H_CHANGE_LOGICAL_LAN_MAC, unit, UINT64_C(0x020304050607), 0, 0), H_SUCCESS, "an address");
	check(call(hcall_H_ILLAN_ATTRIBUTES, unit, UINT64_MAX, 0, 0) == H_SUCCESS && !attributes, "attributes: none");
	check(call(hcall_H_ILLAN_ATTRIBUTES, unit, 0, 2, 0) == H_CONSTRAINED && !attributes, "and none can be set");
}

/* The guest changes what it has given the card, or takes it away. */
static void test_betrayed(void)
{
	begin(4);
	give(0, 0x800);
	give(1, 0x800);
	give(2, 0x800);
	memset(at(LIST), 0xff, 8);
	comes(1, 60);
	memset(at(LIST), 0, 8);
	comes(1, 60);
	tce_clear(&vio->window);
	comes(2, 60);
	check(net->frames == 1, "buffers that are not mapped any more");
	check_eq(add(DESCRIPTOR(BUFFERS, 64)), H_PARAMETER, "nor a new one");
	check_eq(call(hcall_H_FREE_LOGICAL_LAN, unit, 0, 0, 0), H_SUCCESS, "free");
}

static void map(void)
{
	for (uint64_t i = 0; i < PAGES * PAGE; i += PAGE)
		tce_put(&vio->window, i, (RAM_AT + i) | (i == WRITE_ONLY ? 0 : TCE_READ) | (i == READ_ONLY ? 0 : TCE_WRITE));
}

/* A number that is right, or nearly, or not at all. */
static uint64_t some(uint64_t *seed)
{
	static const uint64_t likely[] = {
		LIST, FILTERS, QUEUE, QUEUE_OF(1), QUEUE_OF(8), QUEUE_OF(256), DESCRIPTOR(BUFFERS, 0x800), DESCRIPTOR(BUFFERS, 64), DESCRIPTOR(BUFFERS, 512),
		DESCRIPTOR(BUFFERS, 1500), DESCRIPTOR(BUFFERS, 65536), DESCRIPTOR(LIST, 16), DESCRIPTOR(QUEUE, 128), DESCRIPTOR(HOLE - 64, 128),
		DESCRIPTOR(UINT32_MAX, 0xffffff), 0,
	};
	uint64_t w = check_random(seed), n = likely[w % ARRAY_SIZE(likely)];

	if (!(w >> 8 & 15))
		n ^= UINT64_C(1) << (w >> 16 & 63);
	if (!(w >> 24 & 31))
		n += (w >> 32 & 0xff) * 4;
	return w >> 48 & 127 ? n : check_random(seed);
}

static void test_hostile(void)
{
	hcall_fn *const all[] = { hcall_H_REGISTER_LOGICAL_LAN, hcall_H_ADD_LOGICAL_LAN_BUFFER, hcall_H_ADD_LOGICAL_LAN_BUFFER, hcall_H_ADD_LOGICAL_LAN_BUFFER,
				  hcall_H_VIO_SIGNAL, hcall_H_MULTICAST_CTRL, hcall_H_CHANGE_LOGICAL_LAN_MAC, hcall_H_ILLAN_ATTRIBUTES };
	uint64_t seed = 17, good = 0, bad = 0, came = net->stats.came;

	for (unsigned i = 0; i < 1000000; i++) {
		uint64_t w = check_random(&seed), piece[6];
		int64_t rc;

		if (i % 509 == 0)
			map();
		if (w >> 8 & 3) {
			rc = call(w >> 56 & 63 ? all[w % ARRAY_SIZE(all)] : hcall_H_FREE_LOGICAL_LAN, w >> 40 & 255 ? unit : some(&seed), some(&seed), some(&seed),
				  some(&seed));
		} else {
			for (unsigned k = 0; k < 6; k++)
				piece[k] = k && w >> (16 + k) & 1 ? 0 : some(&seed);
			end.answers = w >> 30 & 1;
			rc = send_pieces(piece, w >> 32 & 31 ? 0 : w);
		}
		good += rc == H_SUCCESS;
		bad += rc != H_SUCCESS;
		if (!(w >> 24 & 3))
			comes(w >> 34 & 3, 14 + (w >> 42 & 2047));
		if (!(w >> 44 & 1023))
			tce_clear(&vio->window);
		if (!(w >> 20 & 63))
			ram_write(&rig.m->ram, RAM_AT + LIST + (w >> 50 & 0xff8), &w, 8);
		rig.m->hcall_work = 0;
	}
	came = net->stats.came - came;
	check(good > 10000 && bad > 10000 && came > 10000 && end.sent > 1000, "a million calls: %" PRIu64 " good, %" PRIu64 " bad, %" PRIu64 " frames in, %u out", good,
	      bad, came, end.sent);
}

/* The card is taken out while frames wait for buffers: they wait for nobody. */
static void test_gone(void)
{
	begin(QUEUE_SIZE);
	give(0, 0x400);
	comes(3, 60);
	check_eq(net->frames, 2, "gone: frames wait");
	device_drop(rig.m, &vio->dev);
	comes(0, 0);
	check(!net->user && !net->frames && !net->arrived, "gone: they do no longer");
}

int main(void)
{
	struct error err = { .msg = "" };

	rig_new(&rig, "1");
	rig.options.netdev[0] = &config;
	rig.options.netdevs = 1;
	if (!nets_new(rig.m, &err) || !(vio = (struct vio_device *)device_new(rig.m, &vlan_class, "netdev=n0,mac=52:54:00:01:02:03", &err))) {
		printf("FAIL card: %s\n", err.msg);
		return EXIT_FAILURE;
	}
	vio->dev.class->reset(&vio->dev);
	net = rig.m->nets;
	unit = vio->reg;
	map();
	test_register();
	test_units();
	test_in();
	test_pools();
	test_out();
	test_rest();
	test_betrayed();
	map();
	test_hostile();
	map();
	test_gone();
	rig.options.netdevs = 0;
	rig_free(&rig);
	return check_done();
}

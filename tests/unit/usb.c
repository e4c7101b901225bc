/* USB: a driver of an xHCI controller that finds a keyboard, a mouse, a tablet and a disk, types, moves, reads and writes, is
 * saved in the middle; and one that leaves whatever it likes in rings, contexts and registers.
 * usage: usb [STEPS]: so many of the latter alone */
#define _GNU_SOURCE
#include "check.h"
#include "machine/core/bytes.h"
#include "machine/core/clock.h"
#include "machine/core/input.h"
#include "machine/core/timers.h"
#include "machine/disk/disk.h"
#include "machine/pci/phb.h"
#include "machine/snapshot/statehash.h"
#include "machine/usb/xhci.h"
#include "rig.h"
#include "toy_disk.h"

extern const struct device_class qemu_xhci_class, nec_usb_xhci_class, usb_kbd_class, usb_mouse_class, usb_tablet_class, usb_storage_class;

#define RAM   UINT64_C(0x1000000)	/* bus addresses are what lies behind it */
#define PAGES 256u
/* In it. */
#define TABLE    0x0000u		/* of device contexts */
#define SEGMENT  0x1000u
#define EVENTS   0x2000u
#define COMMANDS 0x3000u
#define INPUT    0x4000u
#define CONTEXTS 0x5000u
#define RINGS    0x10000u		/* a page each */
#define DATA     0x40000u
#define EVENTS_N 64u
#define DISK     (UINT64_C(1) << 20)

struct bench {
	struct rig rig;
	struct machine *m;
	struct xhci *x;
	struct toy_image image;
	uint8_t *ram;
	unsigned event, command;	/* the next ones */
	bool event_cycle;
	unsigned at[64];		/* in each ring: slot * 4 + its place among the slot's */
};

static void store(struct bench *b, unsigned at, uint32_t value) { b->x->pci.bar[0].ops->store(&b->x->pci, at, 4, value); }
static uint32_t load(struct bench *b, unsigned at) { return (uint32_t)b->x->pci.bar[0].ops->load(&b->x->pci, at, 4); }

static struct device *make(struct bench *b, const struct device_class *class, const char *values)
{
	struct error err = { .msg = "" };
	struct device *dev = device_new(b->m, class, values, &err);

	if (!dev) {
		printf("FAIL %s: %s\n", class->name, err.msg);
		exit(EXIT_FAILURE);
	}
	return dev;
}

static void reset_all(struct bench *b)
{
	struct tce_window *w = &phb_find(b->m, PHB_BUID)->window[0];

	devices_reset(b->m);
	for (unsigned i = 0; i < PAGES; i++)
		tce_put(w, UINT64_C(4096) * i, (RAM + UINT64_C(4096) * i) | TCE_READ | TCE_WRITE);
}

static void bench_new(struct bench *b)
{
	memset(b, 0, sizeof *b);
	rig_new(&b->rig, "1");
	b->m = b->rig.m;
	b->m->run.gone = false;
	timers_clear(b->m);
	b->m->clock.now = 0;
	b->ram = b->m->ram.base + RAM;
	toy_image_new(&b->image, DISK);
	toy_drive(b->m, &b->image, "d", false);
	b->image.config.blockdev = true;	/* it stays when the disk goes */
	b->x = (struct xhci *)make(b, &qemu_xhci_class, "id=x");
	make(b, &usb_kbd_class, "");
	make(b, &usb_tablet_class, "");
	make(b, &usb_mouse_class, "");
	make(b, &usb_storage_class, "drive=d");
	reset_all(b);
}

/* ---- The driver ---- */

static void put_trb(struct bench *b, uint32_t at, uint64_t parameter, uint32_t status, uint32_t control)
{
	put_le32(b->ram + at, (uint32_t)parameter);
	put_le32(b->ram + at + 4, (uint32_t)(parameter >> 32));
	put_le32(b->ram + at + 8, status);
	put_le32(b->ram + at + 12, control | TRB_CYCLE);
}

static void start(struct bench *b)
{
	memset(b->ram, 0, PAGES * 4096u);
	memset(b->at, 0, sizeof b->at);
	b->event = b->command = 0;
	b->event_cycle = true;
	pci_config_store(&b->x->pci, 4, 2, 6);
	store(b, 0x40, CMD_RESET);
	store(b, 0x78, 64);
	store(b, 0x70, TABLE);
	store(b, 0x74, 0);
	store(b, 0x58, COMMANDS | 1);
	store(b, 0x5c, 0);
	put_le32(b->ram + SEGMENT, EVENTS);
	put_le32(b->ram + SEGMENT + 8, EVENTS_N);
	store(b, 0x1028, 1);
	store(b, 0x1038, EVENTS);
	store(b, 0x1030, SEGMENT);
	store(b, 0x1034, 0);
	store(b, 0x1020, 2);
	store(b, 0x40, CMD_RUN | CMD_INTERRUPT);
}

struct told { unsigned type, code, slot, endpoint; uint64_t pointer; uint32_t length; };

/* The next event; type 0: there is none. */
static struct told next_event(struct bench *b)
{
	const uint8_t *at = b->ram + EVENTS + 16 * b->event;
	uint32_t status = get_le32(at + 8), control = get_le32(at + 12);
	struct told e = { 0 };

	if ((control & 1) != b->event_cycle)
		return e;
	e = (struct told){ control >> 10 & 63, status >> 24, control >> 24, control >> 16 & 31, get_le64(at), status & 0xffffff };
	if (++b->event == EVENTS_N) {
		b->event = 0;
		b->event_cycle = !b->event_cycle;
	}
	store(b, 0x1038, (EVENTS + 16 * b->event) | 8);
	return e;
}

/* Its event's code; the slot that it is about. */
static unsigned command(struct bench *b, unsigned type, uint64_t parameter, uint32_t control, unsigned *slot)
{
	uint32_t at = COMMANDS + 16 * b->command++;
	struct told e;

	put_trb(b, at, parameter, 0, type << 10 | control);
	store(b, 0x2000, 0);
	e = next_event(b);
	if (slot)
		*slot = e.slot;
	return e.type == 33 && e.pointer == at ? e.code : 1000 + e.type;
}

static uint32_t ring_of(unsigned slot, unsigned n) { return RINGS + (4 * slot + n) * 0x1000u; }

static void put_endpoint(struct bench *b, unsigned id, unsigned type, unsigned packet, uint32_t ring)
{
	uint8_t *c = b->ram + INPUT + 32 * (id + 1);

	memset(c, 0, 32);
	put_le32(c + 4, packet << 16 | type << 3 | 3 << 1);
	put_le32(c + 8, ring | 1);
}

/* A device at that port of the root hub gets a slot and an address; then its endpoints. */
static unsigned find_device(struct bench *b, unsigned port, unsigned speed, bool bulk)
{
	unsigned slot = 0;

	check(load(b, 0x430 + 16 * port) & 1, "port %u has a device", port);
	store(b, 0x430 + 16 * port, 0x210);
	while (next_event(b).type)
		;
	check_eq(load(b, 0x430 + 16 * port) & 0x3fff, 0x203 | speed << 10, "port %u is enabled", port);
	check_eq(command(b, TRB_ENABLE_SLOT, 0, 0, &slot), CC_SUCCESS, "a slot");
	memset(b->ram + INPUT, 0, 0x500);
	put_le32(b->ram + INPUT + 4, 3);
	put_le32(b->ram + INPUT + 32, 1u << 27 | speed << 20);
	put_le32(b->ram + INPUT + 36, port << 16);
	put_endpoint(b, 1, 4, 64, ring_of(slot, 0));
	put_le32(b->ram + TABLE + 8 * slot, CONTEXTS + 0x400 * slot);
	check_eq(command(b, TRB_ADDRESS, INPUT, slot << 24, NULL), CC_SUCCESS, "an address");
	check_eq(get_le32(b->ram + CONTEXTS + 0x400 * slot + 12), 2u << 27 | slot, "the slot's context");
	put_le32(b->ram + INPUT + 4, 1 | 1 << 3 | (bulk ? 1 << 4 : 0));
	put_le32(b->ram + INPUT + 32, 4u << 27 | speed << 20);
	put_endpoint(b, 3, bulk ? 6 : 7, bulk ? 1024 : 8, ring_of(slot, 1));
	put_endpoint(b, 4, 2, 1024, ring_of(slot, 2));
	check_eq(command(b, TRB_CONFIGURE, INPUT, slot << 24, NULL), CC_SUCCESS, "its endpoints");
	check_eq(get_le32(b->ram + CONTEXTS + 0x400 * slot + 12) >> 27, 3, "configured");
	return slot;
}

static void put_on_ring(struct bench *b, unsigned slot, unsigned n, uint64_t parameter, uint32_t status, uint32_t control)
{
	unsigned *at = &b->at[4 * slot + n];

	put_trb(b, ring_of(slot, n) + 16 * (*at)++, parameter, status, control);
}

/* A request; the data is at DATA. */
static struct told control(struct bench *b, unsigned slot, unsigned type, unsigned request, unsigned value, unsigned length)
{
	put_on_ring(b, slot, 0, type | request << 8 | value << 16 | (uint64_t)length << 48, 8, TRB_SETUP << 10 | TRB_IMMEDIATE | (length ? 2u | type >> 7 : 0) << 16);
	if (length)
		put_on_ring(b, slot, 0, DATA, length, TRB_DATA << 10 | TRB_ISP | (type >> 7) << 16);
	put_on_ring(b, slot, 0, 0, 0, TRB_STATUS << 10 | TRB_IOC);
	store(b, 0x2000 + 4 * slot, 1);
	return next_event(b);
}

static void bulk(struct bench *b, unsigned slot, unsigned n, uint32_t at, uint32_t bytes)
{
	put_on_ring(b, slot, n, at, bytes, TRB_NORMAL << 10 | TRB_IOC | TRB_ISP);
	store(b, 0x2000 + 4 * slot, n == 1 ? 3 : 4);
}

/* ---- Tests ---- */

static void test_registers(struct bench *b)
{
	check(load(b, 0) == 0x01000040 && load(b, 4) == 0x08001040 && load(b, 0x10) == 0x87001 && load(b, 0x14) == 0x2000, "capabilities");
	check(b->x->pci.bar[0].ops->load(&b->x->pci, 0x20, 8) == UINT64_C(0x2042535502000402) && load(b, 0x28) == 0x405 && load(b, 0x38) == 0x401, "protocols");
	check(b->x->pci.bar[0].ops->load(&b->x->pci, 2, 2) == 0x100 && load(b, 0x44) == 1 && load(b, 0x48) == 1, "parts of a word; it is halted");
	check(pci_config_load(&b->x->pci, 0, 4) == 0x000d1b36 && pci_config_load(&b->x->pci, 8, 4) == 0x0c033001 && pci_config_load(&b->x->pci, 0x90, 4) == 0x000f0011 &&
	      pci_config_load(&b->x->pci, 0x94, 4) == 0x3000 && pci_config_load(&b->x->pci, 0x98, 4) == 0x3800 && pci_config_load(&b->x->pci, 0x10, 4) == 4, "config space");
	check(load(b, 0x480) == 0x20ee1 && load(b, 0x470) == 0x21203 && load(b, 0x440) == 0x202a0, "ports: USB 2, USB 3, nothing");
	check(load(b, 0x300c) == 1, "messages are masked");
}

static void test_enumerate(struct bench *b, unsigned slot[4])
{
	struct told e;

	start(b);
	slot[0] = find_device(b, 5, 3, false);
	slot[1] = find_device(b, 6, 3, false);
	slot[2] = find_device(b, 7, 3, false);
	slot[3] = find_device(b, 4, 4, true);
	check(slot[0] == 1 && slot[3] == 4, "slots in order");
	e = control(b, 1, 0x80, 6, 0x100, 18);
	check(e.type == 32 && e.code == CC_SUCCESS && e.slot == 1 && e.endpoint == 1 && b->ram[DATA] == 18 && b->ram[DATA + 8] == 0x27, "a descriptor");
	e = control(b, 1, 0x80, 6, 0x200, 255);
	check(e.code == CC_SHORT && e.length == 255 - 34 && b->ram[DATA + 2] == 34, "less than there is room for");
	e = next_event(b);
	check(e.code == CC_SUCCESS && e.pointer == ring_of(1, 0) + 16 * (b->at[4] - 1), "and the status after it");
	e = control(b, 1, 0x80, 6, 0x30b, 4);
	check(e.code == CC_SUCCESS && b->ram[DATA] == 66 && b->ram[DATA + 2] == '6', "a serial number from its place");
	e = control(b, 1, 0x80, 6, 0x7700, 4);
	check(e.code == CC_STALL && (b->ram[CONTEXTS + 0x400 + 32] & 7) == EP_HALTED, "what there is not: it stalls");
	check_eq(command(b, TRB_SET_DEQUEUE, ring_of(1, 0) | 1, 1 << 24 | 1 << 16, NULL), CC_CONTEXT_STATE, "halted: no new place");
	check_eq(command(b, TRB_RESET_ENDPOINT, 0, 1 << 24 | 1 << 16, NULL), CC_SUCCESS, "it is taken out of that");
	check_eq(command(b, TRB_SET_DEQUEUE, (ring_of(1, 0) + 16 * b->at[4]) | 1, 1 << 24 | 1 << 16, NULL), CC_SUCCESS, "a new place");
	check(control(b, 1, 0x00, 9, 1, 0).code == CC_SUCCESS && control(b, 1, 0x80, 8, 0, 1).code == CC_SUCCESS && b->ram[DATA] == 1, "a configuration");
	check(control(b, 1, 0x21, 9, 0x200, 1).code == CC_SUCCESS, "lights");
}

static void type(struct bench *b, uint8_t code, int value)
{
	const struct act e = { ACT_KEY, code, value };

	machine_input(b->m, &e, 1);
}

static uint64_t report(struct bench *b, unsigned slot, unsigned bytes)
{
	struct told e = { 0 };

	memset(b->ram + DATA, 0xee, 16);
	bulk(b, slot, 1, DATA, 8);
	e = next_event(b);
	return e.type != 32 ? 0xbad : e.length == 8 - bytes ? get_le64(b->ram + DATA) : 0xbad0;
}

static void test_keyboard(struct bench *b)
{
	check_eq(report(b, 1, 8), 0xbad, "nothing is typed: nothing comes");
	type(b, 30, 1);
	check(next_event(b).code == CC_SUCCESS && get_le64(b->ram + DATA) == 0x040000, "a key comes when it is pressed");
	type(b, 42, 1);
	type(b, 97, 1);
	type(b, 30, 0);
	check_eq(report(b, 1, 8), 0x040002, "shift");
	check(report(b, 1, 8) == 0x040002 && report(b, 1, 8) == 0x040012 && report(b, 1, 8) == 0x12, "a key of the second table, in two");
	type(b, 42, 0);
	type(b, 97, 0);
	check(report(b, 1, 8) == 0x10 && report(b, 1, 8) == 0x10 && !report(b, 1, 8), "and they are let go");
	for (unsigned i = 2; i < 9; i++)
		type(b, (uint8_t)i, 1);
	for (unsigned i = 0; i < 6; i++)
		report(b, 1, 8);
	check_eq(report(b, 1, 8), UINT64_C(0x0101010101010000), "seven keys are too many");
	for (unsigned i = 0; i < 40; i++)
		type(b, 57, 1);
	for (unsigned i = 0; i < 16; i++)
		check(report(b, 1, 8) != 0xbad, "room for sixteen");
	check_eq(report(b, 1, 8), 0xbad, "and no more");
	type(b, 57, 0);
	next_event(b);
	check_eq(control(b, 1, 0x21, 10, 2 << 8, 0).code, CC_SUCCESS, "a report each 8 ms");
	report(b, 1, 8);
	check_eq(next_event(b).type, 0, "not at once");
	toy_run_to(b->m, b->m->clock.now + ns_to_cycles(8000000));
	check_eq(next_event(b).code, CC_SUCCESS, "but then");
	control(b, 1, 0x21, 10, 0, 0);
	check_eq(report(b, 1, 8), 0xbad, "and no more");
	check_eq(command(b, TRB_STOP_ENDPOINT, 0, 1 << 24 | 3 << 16, NULL), 1000 + TRB_TRANSFER_EVENT, "it is stopped at a transfer");
	check_eq(next_event(b).code, CC_SUCCESS, "and says so");
	type(b, 30, 1);
	check_eq(next_event(b).type, 0, "nothing comes");
	store(b, 0x2004, 3);
	check_eq(next_event(b).code, CC_SUCCESS, "before the bell rings");
}

static void test_pointers(struct bench *b)
{
	const struct act place[] = { { ACT_PLACE, 0, 0x1234 }, { ACT_PLACE, 1, 0x7fff }, { ACT_BUTTON, BUTTON_RIGHT, 1 } };
	const struct act move[] = { { ACT_MOVE, 0, 200 }, { ACT_MOVE, 1, -3 }, { ACT_MOVE, 2, 1 } }, up = { ACT_BUTTON, BUTTON_RIGHT, 0 };
	struct device *mouse = device_next(b->m, NULL, &usb_mouse_class);

	machine_input(b->m, place, 3);
	check_eq(report(b, 2, 6) & 0xffffffffffff, 0x007fff123402, "a place");
	machine_input(b->m, &up, 1);
	machine_input(b->m, &move[2], 1);
	check(report(b, 2, 6) << 16 == UINT64_C(0x017fff1234000000), "a button goes up, and the wheel turns with it");
	mouse->class->act(mouse, move, 3);
	mouse->class->act(mouse, move, 1);
	check_eq(report(b, 3, 4) & 0xffffffff, 0x01fd7f00, "moves come together, as far as a byte goes");
	for (unsigned i = 0; i < 2; i++)
		check_eq(report(b, 3, 4) & 0xffffffff, 0x7f00, "and the rest");
	check(((report(b, 3, 4) & 0xffffffff) == 0x1300) && report(b, 3, 4) == 0xbad, "up to its end");
}

static void put_command(struct bench *b, uint32_t at, uint32_t bytes, bool in, const char *cdb, unsigned n)
{
	memset(b->ram + at, 0, 31);
	put_le32(b->ram + at, 0x43425355);
	put_le32(b->ram + at + 4, 0x77);
	put_le32(b->ram + at + 8, bytes);
	b->ram[at + 12] = in ? 0x80 : 0;
	b->ram[at + 14] = (uint8_t)n;
	memcpy(b->ram + at + 15, cdb, n);
}

static struct told wait_event(struct bench *b)
{
	toy_run_to(b->m, b->m->clock.now + 10000000);
	return next_event(b);
}

static void send(struct bench *b, uint32_t bytes, bool in, const char *cdb, unsigned n)
{
	put_command(b, DATA, bytes, in, cdb, n);
	bulk(b, 4, 2, DATA, 31);
	check_eq(next_event(b).code, CC_SUCCESS, "a command is taken");
}

/* Its status, and what is left over << 8. */
static unsigned status(struct bench *b)
{
	const uint8_t *s = b->ram + DATA + 0x100;
	struct told e;

	memset(b->ram + DATA + 0x100, 0xee, 16);
	bulk(b, 4, 1, DATA + 0x100, 13);
	e = wait_event(b);
	return e.code != CC_SUCCESS || get_le32(s) != 0x53425355 || get_le32(s + 4) != 0x77 ? 0xbad : s[12] | get_le32(s + 8) << 8;
}

static void test_disk(struct bench *b)
{
	uint8_t was[1024], is[1024];
	struct told e;

	send(b, 0, false, "\0\0\0\0\0\0", 6);
	check_eq(status(b), 1, "it tells that it was switched on");
	send(b, 0, false, "\0\0\0\0\0\0", 6);
	check_eq(status(b), 0, "and is ready");
	send(b, 255, true, "\x12\0\0\0\xff\0", 6);
	bulk(b, 4, 1, DATA + 0x1000, 255);
	e = wait_event(b);
	check(e.code == CC_SHORT && 255 - e.length >= 36 && !memcmp(b->ram + DATA + 0x1008, "QEMU    QEMU HARDDISK", 21), "who it is");
	check_eq(status(b), e.length << 8, "what was left over");
	for (unsigned i = 0; i < 1024; i++)
		b->ram[DATA + 0x2000 + i] = was[i] = (uint8_t)(i * 7);
	send(b, 1024, false, "\x2a\0\0\0\0\x04\0\0\x02\0", 10);
	bulk(b, 4, 2, DATA + 0x2000, 512);
	bulk(b, 4, 2, DATA + 0x2200, 512);
	check(next_event(b).code == CC_SUCCESS && next_event(b).code == CC_SUCCESS, "a write's data, in two");
	check_eq(status(b), 0, "is written");
	send(b, 0, false, "\x35\0\0\0\0\0\0\0\0\0", 10);
	check_eq(status(b), 0, "and flushed");
	toy_get(&b->image, 2048, is, sizeof is);
	check(!memcmp(was, is, sizeof is), "the image has it");
	send(b, 1024, true, "\x28\0\0\0\0\x04\0\0\x02\0", 10);
	put_on_ring(b, 4, 1, DATA + 0x3000, 100, TRB_NORMAL << 10 | TRB_CHAIN);
	bulk(b, 4, 1, DATA + 0x4000, 924);
	check_eq(next_event(b).type, 0, "a disk takes time");
	check(wait_event(b).code == CC_SUCCESS && !memcmp(was, b->ram + DATA + 0x3000, 100) && !memcmp(was + 100, b->ram + DATA + 0x4000, 924), "a read, to two places");
	check_eq(status(b), 0, "is done");
	put_command(b, DATA, 0, false, "\0\0\0\0\0\0", 6);
	b->ram[DATA] = 0;
	bulk(b, 4, 2, DATA, 31);
	check_eq(next_event(b).code, CC_STALL, "what is no command");
}

/* A read is at the disk, and keys wait, when it is saved. */
static void test_saved(struct bench *b)
{
	struct error err = { .msg = "" };
	size_t len = 0;
	uint8_t *data;
	uint64_t hash, later;
	struct bench was;

	check_eq(command(b, TRB_RESET_ENDPOINT, 0, 4 << 24 | 4 << 16, NULL), CC_SUCCESS, "on");
	check_eq(command(b, TRB_SET_DEQUEUE, (ring_of(4, 2) + 16 * b->at[18]) | 1, 4 << 24 | 4 << 16, NULL), CC_SUCCESS, "again");
	send(b, 1024, true, "\x28\0\0\0\0\x04\0\0\x02\0", 10);
	bulk(b, 4, 1, DATA + 0x3000, 1024);
	type(b, 44, 1);
	hash = machine_statehash(b->m);
	data = toy_save(b->m, &len, &err);
	check(data != NULL, "a save: %s", err.msg);
	check_eq(machine_statehash(b->m), hash, "changes nothing");
	was = *b;
	toy_run_to(b->m, b->m->clock.now + 10000000);
	report(b, 1, 8);
	later = machine_statehash(b->m);
	if (data) {
		*b = was;
		check(toy_load(b->m, data, len, &err), "a load: %s", err.msg);
		check_eq(machine_statehash(b->m), hash, "is what was saved");
		toy_run_to(b->m, b->m->clock.now + 10000000);
		report(b, 1, 8);
		check_eq(machine_statehash(b->m), later, "and goes on as it did");
	}
	free(data);
}

static struct device *come(struct bench *b, const struct device_class *class, const char *values)
{
	struct error err = { .msg = "" };
	struct device *dev = device_new_hot(b->m, class, values, &err);

	if (dev)
		class->on->tell(dev, true);
	return dev;
}

static void go(struct bench *b, struct device *dev)
{
	dev->class->on->tell(dev, false);
	device_remove(b->m, dev);
}

/* The mouse leaves a slot behind that nobody serves, even when another one is at its port. */
static void test_plugged(struct bench *b)
{
	struct told e;
	unsigned slot;

	while (next_event(b).type)
		;
	store(b, 0x4a0, 0x220200);
	go(b, device_next(b->m, NULL, &usb_mouse_class));
	e = next_event(b);
	check(e.type == TRB_PORT_EVENT && e.pointer == 7 << 24 && load(b, 0x4a0) == 0x202a0, "it has gone");
	check_eq(control(b, 3, 0x80, 6, 0x100, 18).type, 0, "nobody is there");
	check(come(b, &usb_mouse_class, "") != NULL, "another one");
	check(!next_event(b).type && load(b, 0x4a0) == 0x20ee1, "a change that nobody has taken notice of is no other change");
	store(b, 0x4a0, 0x20200);
	go(b, device_next(b->m, NULL, &usb_mouse_class));
	come(b, &usb_mouse_class, "");
	e = next_event(b);
	check(e.type == TRB_PORT_EVENT && e.pointer == 7 << 24 && !next_event(b).type, "that is one");
	check_eq(control(b, 3, 0x80, 6, 0x100, 18).type, 0, "not at the old slot");
	slot = find_device(b, 7, 3, false);
	e = control(b, slot, 0x80, 6, 0x100, 18);
	check(slot == 5 && e.code == CC_SUCCESS && e.slot == 5, "it has its own");
}

static void test_refused(struct bench *b)
{
	static const struct { const struct device_class *class; const char *values, *why; } rows[] = {
		{ &usb_kbd_class, "port=9", "expected 1 to 4" }, { &usb_kbd_class, "port=1", "taken" }, { &usb_kbd_class, "", "taken" },
		{ &usb_kbd_class, "port=1.1", "expected" }, { &usb_mouse_class, "bus=n.0,port=2", "no speed" }, { &usb_kbd_class, "bus=y.0", "no such" }, { &usb_storage_class, "bus=n.0", "drive=" },
		{ &usb_storage_class, "bus=n.0,drive=nix", "nix" }, { &usb_storage_class, "bus=n.0,drive=d", "already" },
		{ &qemu_xhci_class, "p2=16", "expected" }, { &qemu_xhci_class, "p2=0,p3=0", "expected" }, { &qemu_xhci_class, "slots=65", "slots" },
		{ &qemu_xhci_class, "intrs=3", "intrs" },
	};
	struct device *n = make(b, &nec_usb_xhci_class, "id=n,p2=1,p3=2");

	for (unsigned i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		struct error err = { .msg = "" };

		check(!device_new(b->m, rows[i].class, rows[i].values, &err) && strstr(err.msg, rows[i].why), "%s,%s: %s", rows[i].class->name, rows[i].values, err.msg);
	}
	n->class->reset(n);
	check(((struct xhci *)n)->pci.bar[0].ops->load((struct pci_device *)n, 0x28, 4) == 0x103 && ((struct xhci *)n)->pci.bar[0].ops->load((struct pci_device *)n, 0x38, 4) == 0x201,
	      "ports of USB 3 come first");
}

/* ---- Whatever a guest may do ---- */

static uint64_t seed = 1;
static unsigned below(unsigned n) { return (unsigned)(check_random(&seed) >> 33) % n; }

static uint64_t wild_address(void)
{
	static const uint32_t places[] = { TABLE, SEGMENT, EVENTS, COMMANDS, INPUT, CONTEXTS, RINGS, RINGS + 0x5000, DATA, PAGES * 4096u - 32 };
	uint64_t at = places[below(sizeof places / sizeof places[0])] + 16 * below(80);

	return below(12) ? at : check_random(&seed) >> below(64);
}

/* What lies on a ring where the controller looks next: mostly of the kind that is expected there. */
static uint32_t wild_parts(struct bench *b, uint32_t at, bool cycle, const uint8_t *types, unsigned n)
{
	for (unsigned i = 0; i < n; i++) {
		unsigned type = below(16) ? types[i] : below(64);
		uint32_t control = type << 10 | (type == TRB_SETUP || !below(16) ? TRB_IMMEDIATE : 0) | (i + 1 < n ? TRB_CHAIN : 0) | (below(3) ? TRB_IOC : 0) |
				   (below(2) ? 0 : TRB_ISP);
		uint64_t parameter = wild_address();
		uint32_t status = below(8) ? below(700) : below(1 << 17) | below(18) << 22;

		if (type == TRB_SETUP) {
			static const uint8_t asks[] = { 0x80, 0x81, 0xa1, 0x21, 0, 1, 2 };

			parameter = asks[below(sizeof asks)] | below(below(2) ? 12 : 256) << 8 | (uint64_t)(below(4) ? 0x100 * below(16) + below(12) : below(0x10000)) << 16 |
				    (uint64_t)(below(8) ? below(300) : below(0x10000)) << 48;
			status = below(16) ? 8 : below(100);
		}
		if (at > PAGES * 4096u - 16)
			return 0;
		put_trb(b, at, parameter, status, control | (type >= TRB_ENABLE_SLOT ? below(6) << 24 | below(6) << 16 : 0));
		b->ram[at + 12] ^= !cycle ^ !below(40);
		at += 16;
	}
	return at;
}

static void wild_transfer(struct bench *b)
{
	static const uint8_t in[][3] = { { TRB_SETUP, TRB_DATA, TRB_STATUS }, { TRB_SETUP, TRB_STATUS, TRB_LINK }, { TRB_NORMAL, TRB_NORMAL, TRB_EVENT_DATA },
					 { TRB_NORMAL, TRB_LINK, TRB_NORMAL }, { TRB_NOOP, TRB_NORMAL, TRB_NORMAL } };
	struct xhci_endpoint *ep = b->x->endpoints;

	for (unsigned i = below(12); ep && ep->next && i; i--)
		ep = ep->next;
	if (!ep)
		return;
	if (ep->id == 4 && below(8)) {	/* a command of the disk's, or data */
		put_command(b, DATA, below(4) ? below(3) * 512 : (uint32_t)check_random(&seed), below(2), "\x28\0\0\0\0\x04\0\0\x02\0", 10);
		b->ram[DATA + 15] = (uint8_t)(below(2) ? 0x28 : below(2) ? 0x2a : below(256));
		b->ram[DATA + 23] = (uint8_t)below(4);
		if (ep->ring.dequeue < PAGES * 4096u - 16)
			put_trb(b, (uint32_t)ep->ring.dequeue, DATA, below(3) ? 31 : 512, TRB_NORMAL << 10 | TRB_IOC);
		if (ep->ring.dequeue < PAGES * 4096u - 16)
			b->ram[ep->ring.dequeue + 12] ^= !ep->ring.cycle;
	} else {
		wild_parts(b, (uint32_t)(ep->ring.dequeue < PAGES * 4096u ? ep->ring.dequeue : RINGS) & ~15u, ep->ring.cycle, in[ep->id == 1 ? below(2) : 2 + below(3)], 1 + below(3));
	}
	store(b, 0x2000 + 4 * ep->slot, ep->id);
}

static void wild_order(struct bench *b)
{
	uint8_t type = (uint8_t)(9 + below(16));
	uint32_t at = (uint32_t)(b->x->commands.dequeue < PAGES * 4096u ? b->x->commands.dequeue : COMMANDS) & ~15u;

	wild_parts(b, at, b->x->commands.cycle, &type, 1);
	if (at < PAGES * 4096u - 16 && below(2))
		put_le32(b->ram + at, INPUT);
	if (below(2)) {			/* an input context that might do */
		put_le32(b->ram + INPUT, below(8) ? 0 : below(64) << 2);
		put_le32(b->ram + INPUT + 4, below(8) ? 1 + 2 * below(16) : (uint32_t)check_random(&seed));
		put_le32(b->ram + INPUT + 36, below(10) << 16);
		put_endpoint(b, 1 + below(6), below(8), 64, ring_of(1 + below(4), below(3)));
	}
	store(b, 0x2000, 0);
}

/* The tablet and the disk are there, or not; in the end both are. */
static void wild_plug(struct bench *b)
{
	bool disk = below(2);
	const struct device_class *class = disk ? &usb_storage_class : &usb_tablet_class;
	struct device *dev = device_next(b->m, NULL, class);

	if (dev)
		go(b, dev);
	else
		come(b, class, disk ? "drive=d,port=4" : "port=2");
}

static void wild_step(struct bench *b)
{
	struct act e = { (uint8_t)below(ACT_KINDS), (uint8_t)below(256), (int32_t)below(3) - 1 };

	switch (below(16)) {
	case 0: if (!below(8)) store(b, 4 * below(0x4000 / 4), (uint32_t)(below(3) ? wild_address() : check_random(&seed))); break;
	case 1: if (!below(8)) b->x->pci.bar[0].ops->store(&b->x->pci, 8 * below(0x4000 / 8), 8, wild_address()); break;
	case 2: b->x->pci.bar[0].ops->load(&b->x->pci, 8 * below(0x4000 / 8), 8); break;
	case 3: machine_input(b->m, &e, 1); break;
	case 4: b->m->clock.now += below(200000); clock_fire_due(b->m); break;
	case 5: if (!below(8)) b->ram[wild_address() % (PAGES * 4096u)] = (uint8_t)below(256); break;
	case 6: if (!below(8)) store(b, 0x430 + 16 * (1 + below(8)), (uint32_t)check_random(&seed)); break;
	case 7: store(b, 0x2000 + 4 * below(6), below(6)); break;
	case 8:
		if (below(8))
			wild_order(b);
		else
			wild_plug(b);
		break;
	case 9: case 10:
		for (unsigned i = 0; i < 4 * EVENTS_N && next_event(b).type; i++)	/* a ring may lead into itself */
			;
		break;
	default: wild_transfer(b); break;
	}
}

/* From a controller that has its devices, each time anew: most of what it does would leave nothing of one. */
static void test_wild(struct bench *b, unsigned long steps)
{
	unsigned slot[4] = { 0 };

	for (unsigned long i = 0; i < steps; i++) {
		if (!(i % 400) || (b->x->usbsts & (STS_HALTED | STS_DIED) && !below(8))) {
			for (unsigned d = 0; d < 2; d++)
				if (!device_next(b->m, NULL, d ? &usb_tablet_class : &usb_storage_class))
					come(b, d ? &usb_tablet_class : &usb_storage_class, d ? "port=2" : "drive=d,port=4");
			reset_all(b);
			start(b);
			slot[0] = find_device(b, 5, 3, false);
			slot[1] = find_device(b, 6, 3, false);
			slot[2] = find_device(b, 7, 3, false);
			slot[3] = find_device(b, 4, 4, true);
		}
		wild_step(b);
	}
	check(slot[3] == 4, "%lu steps are survived", steps);
}

int main(int argc, char **argv)
{
	unsigned long steps = argc > 1 ? strtoul(argv[1], NULL, 10) : 20000;
	struct bench b;
	unsigned slot[4];

	bench_new(&b);
	if (argc < 2) {
		test_registers(&b);
		test_enumerate(&b, slot);
		test_keyboard(&b);
		test_pointers(&b);
		test_disk(&b);
		test_saved(&b);
		test_plugged(&b);
	}
	test_wild(&b, steps);
	if (argc < 2)
		test_refused(&b);
	rig_free(&b.rig);
	return check_done();
}

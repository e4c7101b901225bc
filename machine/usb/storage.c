/* usb-storage: a disk or CD behind the bulk-only transport: a command block comes out, data goes one way, a status comes in.
 * Data lies here meanwhile: of a write until all of it is there and the command may begin, of a read from when the command has
 * ended, at its disk's cycle, until the guest has taken it.
 * Source: USB Mass Storage Class, Bulk-Only Transport 1.0; the SCSI target is machine/disk's. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "machine/core/bytes.h"
#include "machine/core/config.h"
#include "machine/disk/scsi.h"
#include "machine/usb/usb.h"

#define COMMAND_BYTES 31u
#define COMMAND_SIGN  0x43425355u
#define STATUS_BYTES  13u
#define STATUS_SIGN   0x53425355u
#define CDB_MOST      16u
#define DATA_MOST     SCSI_DATA_MAX
#define TO_GUEST      0x80u

enum { OUT = 2, IN = 1 };		/* endpoints */

/* QEMU's numbers. */
enum mode { MODE_COMMAND = 0, MODE_OUT = 1, MODE_IN = 2, MODE_STATUS = 3 };

struct storage {
	struct usb_device usb;
	struct scsi_bus_state bus;
	const char *drive_id;
	uint32_t bootindex;
	uint32_t mode;
	uint32_t wanted;		/* bytes of data that the command block speaks of and that have not gone yet */
	uint32_t tag, residue;
	uint8_t status;			/* 0 done, 1 failed, 2: out of step */
	bool runs;			/* a command is at the target */
	struct scsi_command command;	/* that is to begin when its data is there */
	uint8_t *data;
	uint32_t data_bytes, data_room, data_at;
};

struct storage_command { struct scsi_command scsi; };	/* in flight */

static struct storage *to_storage(struct device *dev) { return (struct storage *)dev; }

/* ---- Data ---- */

static void forget_data(struct storage *s)
{
	free(s->data);
	s->data = NULL;
	s->data_bytes = s->data_room = s->data_at = 0;
}

/* Room grows with what has come: a guest that only says that much will come costs nothing. */
static bool make_room(struct storage *s, uint32_t bytes)
{
	uint64_t room = power_of_two(bytes < 4096 ? 4096 : bytes);
	uint8_t *data = bytes > s->data_room ? realloc(s->data, room) : s->data;

	if (!data)
		return false;
	if (bytes > s->data_room)
		s->data_room = (uint32_t)room;
	s->data = data;
	return true;
}

/* ---- For the target ---- */

static bool storage_take(struct device *dev, struct scsi_command *c, uint32_t at, void *buf, uint32_t n)
{
	const struct storage *s = to_storage(dev);

	(void)c;
	if (at > s->data_bytes || n > s->data_bytes - at)
		return false;
	memcpy(buf, s->data + at, n);
	return true;
}

static bool storage_give(struct device *dev, struct scsi_command *c, uint32_t at, const void *buf, uint32_t n)
{
	struct storage *s = to_storage(dev);

	if (c->in_bytes > DATA_MOST || at > c->in_bytes || n > c->in_bytes - at || !make_room(s, at + n))
		return false;
	if (at > s->data_bytes)
		memset(s->data + s->data_bytes, 0, at - s->data_bytes);
	memcpy(s->data + at, buf, n);
	s->data_bytes = s->data_bytes > at + n ? s->data_bytes : at + n;
	return true;
}

static void storage_drop(struct device *dev, struct scsi_command *c)
{
	to_storage(dev)->runs = false;
	free(c);
}

/* What the guest had room for and did not get is what is left over. */
static void storage_done(struct device *dev, struct scsi_command *c)
{
	struct storage *s = to_storage(dev);

	s->runs = false;
	s->status = c->overrun || c->absent || c->status != SCSI_GOOD;
	if (s->mode == MODE_IN) {
		s->residue = c->in_bytes - s->data_bytes;
	} else {
		s->residue = c->out_bytes > c->moved ? c->out_bytes - c->moved : 0;
		forget_data(s);
		s->mode = MODE_STATUS;
	}
	free(c);
	usb_wake(&s->usb, IN, true);
}

static const struct scsi_adapter storage_adapter = {
	.take = storage_take, .give = storage_give, .done = storage_done, .drop = storage_drop,
};

/* False: no memory. */
static bool execute(struct storage *s)
{
	struct storage_command *c = calloc(1, sizeof *c);

	if (!c)
		return false;
	c->scsi = s->command;
	s->runs = true;
	scsi_execute(&s->usb.dev, &c->scsi);
	return true;
}

/* ---- Transfers ---- */

static int64_t take_command(struct storage *s, struct usb_memory *m)
{
	uint8_t b[COMMAND_BYTES];

	if (m->bytes != COMMAND_BYTES)
		return USB_STALL;
	if (!m->take(m, 0, b, sizeof b))
		return USB_FAULT;
	if (get_le32(b) != COMMAND_SIGN || b[13] || !b[14] || b[14] > CDB_MOST || get_le32(b + 8) > DATA_MOST)
		return USB_STALL;
	forget_data(s);
	s->tag = get_le32(b + 4);
	s->wanted = get_le32(b + 8);
	s->residue = s->status = 0;
	s->command = (struct scsi_command){ .tag = s->tag };
	*(b[12] & TO_GUEST ? &s->command.in_bytes : &s->command.out_bytes) = s->wanted;
	memcpy(s->command.cdb, b + 15, b[14]);
	s->mode = !s->wanted ? MODE_STATUS : b[12] & TO_GUEST ? MODE_IN : MODE_OUT;
	return s->mode == MODE_OUT || execute(s) ? (int64_t)COMMAND_BYTES : USB_STALL;
}

static int64_t take_data(struct storage *s, struct usb_memory *m)
{
	uint32_t n = m->bytes;

	if (n > s->wanted || !make_room(s, s->data_bytes + n))
		return USB_STALL;
	if (!m->take(m, 0, s->data + s->data_bytes, n))
		return USB_FAULT;
	s->data_bytes += n;
	s->wanted -= n;
	return s->wanted || execute(s) ? (int64_t)n : USB_STALL;
}

static int64_t storage_out(struct usb_device *usb, unsigned endpoint, struct usb_memory *m)
{
	struct storage *s = (struct storage *)usb;

	if (endpoint != OUT || s->runs)
		return USB_STALL;
	if (s->mode == MODE_COMMAND)
		return take_command(s, m);
	return s->mode == MODE_OUT && s->wanted ? take_data(s, m) : (int64_t)USB_STALL;
}

/* Less than there is room for ends the data. */
static int64_t give_data(struct storage *s, struct usb_memory *m)
{
	uint32_t left = s->data_bytes - s->data_at, n = left < m->bytes ? left : m->bytes;

	if (n && !m->give(m, 0, s->data + s->data_at, n))
		return USB_FAULT;
	s->data_at += n;
	s->wanted -= n;
	if (!s->wanted || n < m->bytes) {
		forget_data(s);
		s->mode = MODE_STATUS;
	}
	return n;
}

static int64_t give_status(struct storage *s, struct usb_memory *m)
{
	uint8_t b[STATUS_BYTES];

	if (m->bytes < STATUS_BYTES)
		return USB_STALL;
	put_le32(b, STATUS_SIGN);
	put_le32(b + 4, s->tag);
	put_le32(b + 8, s->residue);
	b[12] = s->status;
	if (!m->give(m, 0, b, sizeof b))
		return USB_FAULT;
	s->mode = MODE_COMMAND;
	return STATUS_BYTES;
}

static int64_t storage_in(struct usb_device *usb, unsigned endpoint, struct usb_memory *m)
{
	struct storage *s = (struct storage *)usb;

	if (endpoint != IN)
		return USB_STALL;
	if (s->runs || s->mode == MODE_COMMAND || s->mode == MODE_OUT)
		return USB_NAK;
	return s->mode == MODE_IN ? give_data(s, m) : give_status(s, m);
}

static void begin(struct storage *s)
{
	scsi_bus_drop(&s->usb.dev);
	forget_data(s);
	s->mode = MODE_COMMAND;
	s->wanted = s->tag = s->residue = s->status = 0;
	s->runs = false;
	memset(&s->command, 0, sizeof s->command);
}

static void storage_port_reset(struct usb_device *usb) { begin((struct storage *)usb); }

/* ---- Requests ---- */

enum { RESET = 0xff, GET_MAX_LUN = 0xfe };

static int32_t storage_request(struct usb_device *usb, const struct usb_request *r, uint8_t *data)
{
	if (r->type == (USB_CLASS | USB_TO_INTERFACE) && r->request == RESET) {
		begin((struct storage *)usb);
		return 0;
	}
	if (r->type == (USB_IN | USB_CLASS | USB_TO_INTERFACE) && r->request == GET_MAX_LUN) {
		data[0] = 0;
		return 1;
	}
	return USB_STALL;
}

/* ---- What it says of itself ---- */

enum { TEXT_VENDOR = 1, TEXT_PRODUCT = 2, TEXT_SERIAL = 3, TEXT_FULL = 4, TEXT_HIGH = 5, TEXT_SUPER = 6 };
static const struct usb_text texts[] = {
	{ TEXT_VENDOR, "QEMU" }, { TEXT_PRODUCT, "QEMU USB HARDDRIVE" }, { TEXT_FULL, "Full speed config (usb 1.1)" },
	{ TEXT_HIGH, "High speed config (usb 2.0)" }, { TEXT_SUPER, "Super speed config (usb 3.0)" }, { 0, NULL },
};

#define HEAD(bytes, text) 9, 2, bytes, 0, 1, 1, text, 0xc0, 0, 9, 4, 0, 0, 2, 8, 6, 0x50, 0
#define ENDPOINT(number, packet) 7, 5, number, 2, (packet) & 0xff, (packet) >> 8, 0
#define COMPANION 6, 0x30, 15, 0, 0, 0
static const uint8_t full_config[] = { HEAD(32, TEXT_FULL), ENDPOINT(0x81, 64), ENDPOINT(2, 64) };
static const uint8_t high_config[] = { HEAD(32, TEXT_HIGH), ENDPOINT(0x81, 512), ENDPOINT(2, 512) };
static const uint8_t super_config[] = { HEAD(44, TEXT_SUPER), ENDPOINT(0x81, 1024), COMPANION, ENDPOINT(2, 1024), COMPANION };
static const struct usb_shape full = { 0x200, 8, full_config, sizeof full_config }, high = { 0x200, 64, high_config, sizeof high_config },
			      super = { 0x300, 9, super_config, sizeof super_config };

static const struct usb_kind storage_usb = {
	.vendor = 0x46f4, .product = 1, .text_vendor = TEXT_VENDOR, .text_product = TEXT_PRODUCT, .text_serial = TEXT_SERIAL,
	.texts = texts, .serial = "1", .shape = { [USB_FULL] = &full, [USB_HIGH] = &high, [USB_SUPER] = &super },
	.request = storage_request, .in = storage_in, .out = storage_out, .reset = storage_port_reset,
};

/* ---- Its life ---- */

/* A bus of its own, to which no -device comes. */
static const struct bus_class storage_bus = { .type = "SCSI", .name = "scsi.0" };

/* The unit behind it. */
static bool make_unit(struct storage *s, struct error *err)
{
	struct machine *m = s->usb.dev.machine;
	const struct drive *d = drive_find(m, s->drive_id);
	char text[256];
	int n;

	n = snprintf(text, sizeof text, "drive=%s", s->drive_id);
	if (s->bootindex != UINT32_MAX)
		n += snprintf(text + n, sizeof text - (size_t)n, ",bootindex=%u", s->bootindex);
	if (s->usb.serial)
		n += snprintf(text + n, sizeof text - (size_t)n, ",serial=%s", s->usb.serial);
	if ((size_t)n >= sizeof text) {
		error_usage(err, "-device %s: names that are too long", s->usb.dev.class->name);
		return false;
	}
	return device_new_on(&s->usb.dev, d && d->config->cdrom ? &scsi_cd_class : &scsi_hd_class, text, err) != NULL;
}

static bool storage_init(struct device *dev, struct error *err)
{
	struct storage *s = to_storage(dev);

	if (!usb_init(&s->usb, &storage_usb, err))
		return false;
	scsi_bus_init(dev, &s->bus, &storage_adapter);
	if (s->drive_id)
		return make_unit(s, err);
	error_usage(err, "-device %s wants drive=ID", dev->class->name);
	return false;
}

static void storage_free(struct device *dev)
{
	scsi_bus_drop(dev);
	forget_data(to_storage(dev));
}

static void storage_reset(struct device *dev) { begin(to_storage(dev)); }
static void storage_loaded(struct device *dev, bool foreign) { usb_loaded(&to_storage(dev)->usb, foreign); }
static bool storage_qemu_ready(const struct device *dev) { return ((const struct storage *)dev)->mode == MODE_COMMAND; }

static const struct device_property storage_properties[] = {
	USB_PROPERTIES(struct storage, usb),
	{ .name = "drive", .help = "id of its -drive", .type = PROPERTY_STRING, .settable = true, .offset = offsetof(struct storage, drive_id) },
	{ .name = "bootindex", .help = "place in the order in which firmware tries devices", .type = PROPERTY_U32, .settable = true,
	  .offset = offsetof(struct storage, bootindex), .value = UINT32_MAX },
	{ .name = NULL },
};

/* ---- Snapshots. QEMU's is sent between commands ---- */

static uint64_t mode_get(const void *p, unsigned i) { (void)i; return ((const struct storage *)p)->mode; }

static bool mode_put(void *p, unsigned i, uint64_t v)
{
	(void)i;
	((struct storage *)p)->mode = (uint32_t)v;
	return v <= MODE_STATUS;
}

static const struct vmstate storage_state = {
	.name = "usb-storage", .version = 1, .min_version = 1, VMS_OF(struct storage),
	.fields = VMS_FIELDS(
		VMS_STRUCT("dev", struct storage, usb, struct usb_device, usb_device_state),
		VMS_CALC("mode", vms_u32, mode_get, mode_put),
		VMS_CONSTANT("scsi_len", vms_u32, 0), VMS_CONSTANT("scsi_off", vms_u32, 0),
		VMS_U32_AS("data_len", struct storage, wanted, VMS_MOST(DATA_MOST)),
		VMS_CONSTANT("csw.sig", vms_u32, 0), VMS_U32_AS("csw.tag", struct storage, tag),
		VMS_U32_AS("csw.residue", struct storage, residue), VMS_U8_AS("csw.status", struct storage, status),
		VMS_CARRIED(struct storage, mode, "mode")),
};

/* Data is within what the command may have, and a write's command begins when all of it is there. */
static bool storage_check(const void *p, struct vms_walk *w)
{
	const struct storage *s = p;

	if (s->data_at > s->data_bytes)
		return vms_wrong(w, "data_at", s->data_at, "at most %u", s->data_bytes);
	if (s->mode == MODE_IN && s->data_bytes - s->data_at > s->wanted)
		return vms_wrong(w, "data_bytes", s->data_bytes, "what is wanted");
	return s->mode != MODE_OUT || (s->command.out_bytes <= DATA_MOST && s->command.out_bytes - s->wanted == s->data_bytes) ||
	       vms_wrong(w, "data_bytes", s->data_bytes, "what has come");
}

static void storage_drop_data(void *p) { forget_data(p); }

static bool storage_post_load(void *p, uint32_t version, struct vms_walk *w)
{
	struct storage *s = p;

	(void)version;
	(void)w;
	s->data_room = s->data_bytes;
	s->runs = s->bus.first != NULL;
	return true;
}

static const struct vmstate command_state = {
	.name = "cede/usb-storage/command", .version = 1, .min_version = 1, VMS_OF(struct storage_command),
	.fields = VMS_FIELDS(VMS_STRUCT("scsi", struct storage_command, scsi, struct scsi_command, scsi_command_state)),
};

static const struct vmstate bus_state = SCSI_BUS_STATE("cede/usb-storage/bus", struct storage_command, command_state);

static const struct vmstate storage_own_state = {
	.name = "cede/usb-storage", .version = 1, .min_version = 1, VMS_OF(struct storage),
	.check = storage_check, .drop = storage_drop_data, .post_load = storage_post_load,
	.fields = VMS_FIELDS(
		VMS_PART("usb", usb_own_state),
		VMS_STRUCT("bus", struct storage, bus, struct scsi_bus_state, bus_state),
		VMS_STRUCT("command", struct storage, command, struct scsi_command, scsi_command_state),
		VMS_U32_TO(struct storage, data_bytes, DATA_MOST),
		VMS_ALLOCATED_BUFFER("data", struct storage, data, data_bytes, DATA_MOST),
		VMS_U32(struct storage, data_at),
		VMS_SKIP(struct storage, runs, "there is one in flight"), VMS_SKIP(struct storage, data_room, "what there is"),
		VMS_SKIP(struct storage, drive_id, "an option"), VMS_SKIP(struct storage, bootindex, "an option")),
};

const struct device_class usb_storage_class = {
	.name = "usb-storage", .help = "disk or CD", .size = sizeof(struct storage), .on = &usb_bus, .bus = &storage_bus, .pluggable = true,
	.properties = storage_properties, .init = storage_init, .free = storage_free, .reset = storage_reset, .loaded = storage_loaded,
	.state = &storage_state, .own_state = &storage_own_state, .state_bytes = UINT64_C(128) << 20, .qemu_ready = storage_qemu_ready,
};

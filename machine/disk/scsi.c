/* The SCSI bus: addresses, which unit takes a command, what is in flight, how commands end. What a command does is in the
 * tables of its unit's kind: scsi_common.c, scsi_rw.c, scsi_disk.c, scsi_cd.c. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "machine/disk/scsi_device.h"

enum { INQUIRY = 0x12, REQUEST_SENSE = 0x03, REPORT_LUNS = 0xa0 };

/* ---- Addresses ---- */

static struct scsi_bus_state *bus_of(const struct device *adapter)
{
	return adapter->carries;
}

static bool same_target(const struct scsi_address *a, const struct scsi_address *b)
{
	return a->channel == b->channel && a->target == b->target;
}

static bool same_unit(const struct scsi_address *a, const struct scsi_address *b)
{
	return same_target(a, b) && a->lun == b->lun;
}

struct device *scsi_next_unit(const struct device *adapter, const struct device *after, struct scsi_address at)
{
	struct device *dev = bus_next(adapter->machine, after, adapter);

	while (dev && !same_target(&scsi_unit(dev)->address, &at))
		dev = bus_next(adapter->machine, dev, adapter);
	return dev;
}

struct device *scsi_find(const struct device *adapter, struct scsi_address at)
{
	struct device *dev = scsi_next_unit(adapter, NULL, at);

	while (dev && scsi_unit(dev)->address.lun != at.lun)
		dev = scsi_next_unit(adapter, dev, at);
	return dev;
}

struct scsi_address scsi_address_of(const struct device *unit)
{
	return ((const struct scsi_unit *)unit)->address;
}

/* A unit that is being attached is on the bus already, at no address yet. */
static bool is_taken(const struct device *adapter, const struct device *newcomer, struct scsi_address at)
{
	struct device *dev = bus_next(adapter->machine, NULL, adapter);

	while (dev && (dev == newcomer || !same_unit(&scsi_unit(dev)->address, &at)))
		dev = bus_next(adapter->machine, dev, adapter);
	return dev != NULL;
}

/* As QEMU numbers them: without scsi-id= the first free target, without lun= the first free unit of it. */
static bool choose_address(const struct device *adapter, const struct scsi_unit *u, struct scsi_address *at)
{
	const struct scsi_adapter *a = bus_of(adapter)->adapter;
	bool any_target = u->scsi_id == UINT32_MAX, any_lun = u->lun == UINT32_MAX;
	unsigned from = any_target ? 0 : u->scsi_id, to = any_target ? a->max_target : u->scsi_id;
	unsigned lun = any_lun ? 0 : u->lun, last = any_lun && !any_target ? a->max_lun : lun;

	for (unsigned target = from; target <= to; target++) {
		for (unsigned l = lun; l <= last; l++) {
			*at = (struct scsi_address){ (uint8_t)u->channel, (uint8_t)target, (uint16_t)l };
			if (!is_taken(adapter, &u->dev, *at))
				return true;
		}
	}
	return false;
}

static bool is_within(uint32_t value, unsigned most)
{
	return value == UINT32_MAX || value <= most;
}

static bool scsi_attach(struct device *bridge, struct device *dev, struct error *err)
{
	const struct scsi_adapter *a = bus_of(bridge)->adapter;
	struct scsi_unit *u = scsi_unit(dev);

	if (u->channel > a->max_channel || !is_within(u->scsi_id, a->max_target) || !is_within(u->lun, a->max_lun)) {
		error_usage(err, "-device %s: channel, scsi-id and lun on this bus are at most %u, %u, %u", dev->class->name,
			  a->max_channel, a->max_target, a->max_lun);
		return false;
	}
	if (choose_address(bridge, u, &u->address))
		return true;
	error_usage(err, "-device %s: that address on the SCSI bus is taken", dev->class->name);
	return false;
}

static void scsi_path(const struct device *dev, char *buf, size_t size)
{
	const struct scsi_address *at = &((const struct scsi_unit *)dev)->address;
	const struct bus_class *outer = dev->bridge->class->on;
	char path[32] = "";

	if (outer && outer->path)
		outer->path(dev->bridge, path, sizeof path);
	snprintf(buf, size, "%s%s%u:%u:%u", path, *path ? "/" : "", at->channel, at->target, at->lun);
}

/* What a unit that goes has in hand ends as aborted. */
static void scsi_tell(struct device *dev, bool comes)
{
	const struct scsi_adapter *a = bus_of(dev->bridge)->adapter;

	if (!comes)
		scsi_abort(dev->bridge, scsi_unit(dev)->address, NULL);
	if (a->plugged)
		a->plugged(dev->bridge, scsi_unit(dev)->address, comes);
}

static const struct device_property no_properties[] = { { .name = NULL } };

const struct bus_class scsi_bus = {
	.type = "SCSI", .name = "scsi.0", .properties = no_properties, .attach = scsi_attach, .tell = scsi_tell, .path = scsi_path,
};

void scsi_bus_init(struct device *adapter, struct scsi_bus_state *bus, const struct scsi_adapter *functions)
{
	bus->adapter = functions;
	adapter->carries = bus;
}

/* ---- In flight ---- */

void scsi_hold(struct scsi_unit *u, struct scsi_command *c)
{
	struct scsi_bus_state *bus = bus_of(u->dev.bridge);
	struct scsi_command **p = &bus->first;

	while (*p)
		p = &(*p)->next;
	c->next = NULL;
	c->pending = 0;
	*p = c;
	bus->in_flight++;
}

static void let_go(struct scsi_bus_state *bus, struct scsi_command *c)
{
	struct scsi_command **p = &bus->first;

	while (*p && *p != c)
		p = &(*p)->next;
	if (!*p)
		return;
	*p = c->next;
	c->next = NULL;
	bus->in_flight--;
}

static struct scsi_command *find_command(struct scsi_bus_state *bus, uint64_t serial)
{
	struct scsi_command *c = bus->first;

	while (c && c->serial != serial)
		c = c->next;
	return c;
}

void scsi_submit(struct scsi_unit *u, struct scsi_command *c, struct disk_request *r)
{
	r->tag[0] = c->serial;
	c->pending++;
	disk_submit(&u->disk, r);
}

/* ---- How commands end ---- */

static void end_command(struct device *adapter, struct scsi_command *c)
{
	let_go(bus_of(adapter), c);
	bus_of(adapter)->adapter->done(adapter, c);
}

/* Fixed format, SPC-4. */
static void put_sense(struct scsi_command *c, enum scsi_sense sense)
{
	c->status = SCSI_CHECK_CONDITION;
	memset(c->sense, 0, sizeof c->sense);
	c->sense[0] = 0x70;
	c->sense[2] = (uint8_t)(sense >> 16);
	c->sense[7] = 10;
	c->sense[12] = (uint8_t)(sense >> 8);
	c->sense[13] = (uint8_t)sense;
	c->sense_bytes = 18;
}

static void refuse(struct device *adapter, struct scsi_command *c, enum scsi_sense sense)
{
	put_sense(c, sense);
	end_command(adapter, c);
}

void scsi_finish(struct scsi_unit *u, struct scsi_command *c)
{
	end_command(u->dev.bridge, c);
}

void scsi_fail(struct scsi_unit *u, struct scsi_command *c, enum scsi_sense sense)
{
	refuse(u->dev.bridge, c, sense);
}

void scsi_full(struct scsi_unit *u, struct scsi_command *c)
{
	c->status = SCSI_TASK_SET_FULL;
	end_command(u->dev.bridge, c);
}

void scsi_overrun(struct scsi_unit *u, struct scsi_command *c)
{
	c->overrun = true;
	end_command(u->dev.bridge, c);
}

static uint32_t least(uint32_t a, uint32_t b)
{
	return a < b ? a : b;
}

static void answer(struct device *adapter, struct scsi_command *c, const void *buf, uint32_t n, uint32_t room)
{
	n = least(least(n, room), c->in_bytes);
	if (n && !bus_of(adapter)->adapter->give(adapter, c, 0, buf, n)) {
		refuse(adapter, c, SENSE_NO_MEMORY_THERE);
		return;
	}
	c->moved = n;
	end_command(adapter, c);
}

void scsi_answer(struct scsi_unit *u, struct scsi_command *c, const void *buf, uint32_t n, uint32_t room)
{
	answer(u->dev.bridge, c, buf, n, room);
}

bool scsi_take(struct scsi_unit *u, struct scsi_command *c, void *buf, uint32_t n)
{
	struct device *adapter = u->dev.bridge;

	if (n <= c->out_bytes && (!n || bus_of(adapter)->adapter->take(adapter, c, 0, buf, n))) {
		c->moved = n;
		return true;
	}
	refuse(adapter, c, SENSE_NO_MEMORY_THERE);
	return false;
}

/* ---- What a disk request's end means for its command ---- */

static enum scsi_sense sense_of(int error)
{
	static const struct { int error; enum scsi_sense sense; } rows[] = {
		{ ENOMEDIUM, SENSE_NO_MEDIUM }, { ENOMEM, SENSE_TARGET_FAILURE }, { EINVAL, SENSE_FIELD },
		{ ENOSPC, SENSE_SPACE }, { EROFS, SENSE_WRITE_PROTECTED },
	};

	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
		if (rows[i].error == error)
			return rows[i].sense;
	return SENSE_IO_ERROR;
}

static void give_data(struct device *adapter, struct scsi_command *c, const struct disk_request *r)
{
	uint32_t n = least((uint32_t)r->io.bytes, c->in_bytes);

	if (n && !bus_of(adapter)->adapter->give(adapter, c, 0, r->io.data, n))
		put_sense(c, SENSE_NO_MEMORY_THERE);
	else
		c->moved = n;
}

/* A snapshot may be hostile: there may be no such command, and it may count other requests than there are. */
void scsi_request_done(struct device *dev, struct disk_request *r)
{
	struct device *adapter = dev->bridge;
	struct scsi_command *c = find_command(bus_of(adapter), r->tag[0]);

	if (!c)
		return;
	if (r->io.error && c->status == SCSI_GOOD)
		put_sense(c, sense_of(r->io.error));
	else if (!r->io.error && r->io.op == BLOCK_READ)
		give_data(adapter, c, r);
	c->pending -= c->pending != 0;
	if (!c->pending)
		end_command(adapter, c);
}

/* ---- Taking a command ---- */

static void prepare(struct scsi_bus_state *bus, struct scsi_command *c)
{
	c->status = SCSI_GOOD;
	c->sense_bytes = c->moved = c->pending = 0;
	c->absent = c->overrun = false;
	c->serial = ++bus->serial;
	c->next = NULL;
}

/* No unit answers so: the low five bits say "no type", the high three "none can be here". */
static void inquire_nobody(struct device *adapter, struct scsi_command *c, const char *product)
{
	uint8_t buf[36];

	if (c->cdb[1] & 3 || c->cdb[2]) {
		refuse(adapter, c, SENSE_FIELD);
		return;
	}
	scsi_inquiry_data(buf, 0x7f, false, "QEMU", product, "2.5+");
	answer(adapter, c, buf, sizeof buf, (uint32_t)be_get(c->cdb + 3, 2));
}

static void put_lun(uint8_t *buf, uint16_t lun)
{
	buf[0] = lun < 256 ? 0 : (uint8_t)(0x40 | lun >> 8);
	buf[1] = (uint8_t)lun;
}

#define LUNS_LISTED 512

/* Unit 0 answers for its target, whether there is one or not. */
static void report_luns(struct device *adapter, struct scsi_command *c)
{
	uint8_t buf[8 + 8 * LUNS_LISTED] = { 0 };
	uint32_t room = (uint32_t)be_get(c->cdb + 6, 4), n = 16;

	if (room < 16 || c->cdb[2] > 2) {
		refuse(adapter, c, SENSE_FIELD);
		return;
	}
	if (c->cdb[2] == 1)		/* well-known units only: there is none */
		n = 8;
	for (struct device *u = NULL; c->cdb[2] != 1 && (u = scsi_next_unit(adapter, u, c->address)) && n < sizeof buf;) {
		if (!scsi_unit(u)->address.lun)
			continue;
		put_lun(buf + n, scsi_unit(u)->address.lun);
		n += 8;
	}
	be_put(buf, n - 8, 4);
	answer(adapter, c, buf, n, room);
}

static void sense_of_nobody(struct device *adapter, struct scsi_command *c)
{
	const uint8_t buf[18] = { 0x70, [2] = SENSE_NO_UNIT >> 16, [7] = 10, [12] = 0x25 };

	answer(adapter, c, buf, sizeof buf, c->cdb[4]);
}

/* The target is there, the unit is not. */
static void execute_for_target(struct device *adapter, struct scsi_command *c)
{
	if (c->cdb[0] == INQUIRY)
		inquire_nobody(adapter, c, "QEMU TARGET");
	else if (c->cdb[0] == REQUEST_SENSE)
		sense_of_nobody(adapter, c);
	else
		refuse(adapter, c, SENSE_NO_UNIT);
}

static void execute_for_nobody(struct device *adapter, struct scsi_command *c)
{
	if (!bus_of(adapter)->adapter->absent_lun0) {
		c->absent = true;
		end_command(adapter, c);
	} else if (c->cdb[0] == INQUIRY) {
		inquire_nobody(adapter, c, "QEMU EMPTY");
	} else {
		refuse(adapter, c, SENSE_FIELD);
	}
}

static const struct scsi_row *find_row(const struct scsi_row *row, uint8_t opcode)
{
	while (row->run && row->opcode != opcode)
		row++;
	return row->run ? row : NULL;
}

static void execute_for_unit(struct scsi_unit *u, struct scsi_command *c)
{
	const struct scsi_row *row = find_row(u->kind->rows, c->cdb[0]);
	enum scsi_sense attention = (enum scsi_sense)u->attention;

	if (!row)
		row = find_row(scsi_common_rows, c->cdb[0]);
	if (attention && !(row && row->flags & ROW_CALM)) {
		u->attention = SENSE_NONE;
		scsi_fail(u, c, attention);
	} else if (!row) {
		scsi_fail(u, c, SENSE_OPCODE);
	} else if (row->flags & ROW_MEDIUM && !scsi_has_medium(u)) {
		scsi_fail(u, c, SENSE_NO_MEDIUM);
	} else {
		row->run(u, c);
	}
}

void scsi_execute(struct device *adapter, struct scsi_command *c)
{
	struct device *unit = scsi_find(adapter, c->address), *target = unit ? unit : scsi_next_unit(adapter, NULL, c->address);

	prepare(bus_of(adapter), c);
	if (!target) {
		execute_for_nobody(adapter, c);
	} else if (c->cdb[0] == REPORT_LUNS) {
		report_luns(adapter, c);
	} else if (!unit) {
		execute_for_target(adapter, c);
	} else if (bus_of(adapter)->in_flight >= SCSI_COMMANDS_MAX) {
		scsi_full(scsi_unit(unit), c);
	} else {
		execute_for_unit(scsi_unit(unit), c);
	}
}

/* ---- Aborting ---- */

static void cancel_requests(struct device *adapter, const struct scsi_command *c)
{
	struct device *unit = scsi_find(adapter, c->address);
	struct disk *d = unit ? &scsi_unit(unit)->disk : NULL;

	for (struct disk_request *r = d ? d->first : NULL, *next; r; r = next) {
		next = r->next;
		if (r->tag[0] == c->serial)
			disk_cancel(d, r);
	}
}

static bool matches(const struct scsi_command *c, struct scsi_address at, const uint64_t *tag)
{
	return same_unit(&c->address, &at) && (!tag || c->tag == *tag);
}

static struct scsi_command *find_match(const struct scsi_bus_state *bus, struct scsi_address at, const uint64_t *tag)
{
	struct scsi_command *c = bus->first;

	while (c && !matches(c, at, tag))
		c = c->next;
	return c;
}

static void abort_command(struct device *adapter, struct scsi_command *c)
{
	cancel_requests(adapter, c);
	c->status = SCSI_TASK_ABORTED;
	c->moved = c->sense_bytes = 0;
	end_command(adapter, c);
}

bool scsi_in_flight(const struct device *adapter, struct scsi_address at, const uint64_t *tag)
{
	return find_match(bus_of(adapter), at, tag) != NULL;
}

unsigned scsi_abort(struct device *adapter, struct scsi_address at, const uint64_t *tag)
{
	struct scsi_command *c;
	unsigned n = 0;

	for (; n < SCSI_COMMANDS_MAX && (c = find_match(bus_of(adapter), at, tag)); n++)
		abort_command(adapter, c);
	return n;
}

void scsi_reset_target(struct device *adapter, struct scsi_address at)
{
	struct device *unit = scsi_find(adapter, at);

	scsi_abort(adapter, at, NULL);
	if (unit)
		scsi_attend(scsi_unit(unit), ATTENTION_DEVICE_RESET);
}

void scsi_reset_bus(struct device *adapter)
{
	struct scsi_bus_state *bus = bus_of(adapter);

	for (unsigned n = 0; n < SCSI_COMMANDS_MAX && bus->first; n++)
		abort_command(adapter, bus->first);
	for (struct device *dev = NULL; (dev = bus_next(adapter->machine, dev, adapter));)
		scsi_attend(scsi_unit(dev), ATTENTION_BUS_RESET);
}

void scsi_drop(struct device *adapter, struct scsi_command *c)
{
	const struct scsi_adapter *a = bus_of(adapter)->adapter;

	cancel_requests(adapter, c);
	let_go(bus_of(adapter), c);
	if (a->drop)
		a->drop(adapter, c);
	else
		free(c);
}

void scsi_bus_drop(struct device *adapter)
{
	struct scsi_bus_state *bus = bus_of(adapter);

	while (bus && bus->first)
		scsi_drop(adapter, bus->first);
	if (bus)
		bus->in_flight = 0;
}

/* ---- Snapshots ---- */

bool scsi_bus_loaded(void *s, uint32_t version, struct vms_walk *w)
{
	struct scsi_bus_state *bus = s;

	(void)version;
	(void)w;
	bus->in_flight = 0;
	for (const struct scsi_command *c = bus->first; c; c = c->next)
		bus->in_flight++;
	return true;
}

static bool command_check(const void *s, struct vms_walk *w)
{
	const struct scsi_command *c = s;

	return c->sense_bytes <= SCSI_SENSE_MAX || vms_wrong(w, "sense_bytes", c->sense_bytes, "at most %u", SCSI_SENSE_MAX);
}

static const struct vmstate address_state = {
	.name = "cede/scsi/address", .version = 1, .min_version = 1, VMS_OF(struct scsi_address),
	.fields = VMS_FIELDS(
		VMS_U8(struct scsi_address, channel), VMS_U8(struct scsi_address, target), VMS_U16(struct scsi_address, lun)),
};

const struct vmstate scsi_command_state = {
	.name = "cede/scsi/command", .version = 1, .min_version = 1, VMS_OF(struct scsi_command), .check = command_check,
	.fields = VMS_FIELDS(
		VMS_STRUCT("address", struct scsi_command, address, struct scsi_address, address_state),
		VMS_BUFFER(struct scsi_command, cdb),
		VMS_U64(struct scsi_command, tag),
		VMS_U32(struct scsi_command, out_bytes),
		VMS_U32(struct scsi_command, in_bytes),
		VMS_U8(struct scsi_command, status),
		VMS_BUFFER(struct scsi_command, sense),
		VMS_U32(struct scsi_command, sense_bytes),
		VMS_U32(struct scsi_command, moved),
		VMS_U64(struct scsi_command, serial),
		VMS_U32(struct scsi_command, pending),
		VMS_SKIP(struct scsi_command, absent, "of a command that has ended"),
		VMS_SKIP(struct scsi_command, overrun, "of a command that has ended"),
		VMS_SKIP(struct scsi_command, next, "its place in the list")),
};

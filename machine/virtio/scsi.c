/* virtio-scsi-pci: an adapter that carries a SCSI bus. Commands come through the request queues, what is to become of them
 * through the control queue; media and sizes that change are told through the event queue.
 * Source: Virtual I/O Device (VIRTIO) Version 1.1, "SCSI Host Device"; features and numbers are QEMU's. */
#include <stdlib.h>
#include <string.h>

#include "machine/core/bytes.h"
#include "machine/core/config.h"
#include "machine/disk/scsi.h"
#include "machine/virtio/virtio.h"

#define LEGACY_ID     0x1004
#define CONFIG_BYTES  36
#define REQUEST_BYTES 19		/* in front of the CDB */
#define RESPONSE_BYTES 12		/* in front of the sense */
#define BIT(n) (UINT64_C(1) << (n))

enum { F_HOTPLUG = 1, F_CHANGE = 2 };
enum { QUEUE_CONTROL = 0, QUEUE_EVENT = 1, QUEUE_REQUEST = 2 };
enum { R_OK = 0, R_OVERRUN = 1, R_ABORTED = 2, R_BAD_TARGET = 3, R_RESET = 4, R_FAILURE = 9, R_SUCCEEDED = 10, R_REJECTED = 11,
       R_INCORRECT_LUN = 12 };
enum { SENSE_AT = 20, CDB_AT = 24 };	/* in the configuration: what a driver may write */
enum { SENSE_DEFAULT = 96, CDB_DEFAULT = 32, SENSE_MOST = 65535, CDB_MOST = 255 };

struct virtio_scsi {
	struct virtio_device v;
	struct scsi_bus_state bus;
	uint32_t sense_bytes, cdb_bytes;	/* as the driver wants them */
	bool event_missed;		/* there was no room for one */
	bool resetting;			/* commands end because of a reset */
	/* Properties. */
	uint32_t num_queues, queue_size, max_sectors, cmd_per_lun;
	bool hotplug, param_change;
};

struct vs_command {
	struct scsi_command scsi;
	struct virtio_element *element;
};

static struct virtio_scsi *to_vs(struct device *dev) { return (struct virtio_scsi *)dev; }

/* ---- Configuration ---- */

static uint32_t get32(const struct virtio_device *v, unsigned at)
{
	uint32_t raw;

	memcpy(&raw, v->config + at, sizeof raw);
	return virtio_u32(v, raw);
}

static void vs_get_config(struct virtio_device *v)
{
	const struct virtio_scsi *s = (const struct virtio_scsi *)v;

	memset(v->config, 0, CONFIG_BYTES);
	virtio_put_u32(v, 0, s->num_queues);
	virtio_put_u32(v, 4, s->queue_size - 2);
	virtio_put_u32(v, 8, s->max_sectors);
	virtio_put_u32(v, 12, s->cmd_per_lun);
	virtio_put_u32(v, 16, 16);		/* bytes of an event */
	virtio_put_u32(v, SENSE_AT, s->sense_bytes);
	virtio_put_u32(v, CDB_AT, s->cdb_bytes);
	virtio_put_u16(v, 30, 255);	/* highest target */
	virtio_put_u32(v, 32, 16383);		/* highest LUN */
}

static bool take_config(struct virtio_scsi *s)
{
	uint32_t sense = get32(&s->v, SENSE_AT), cdb = get32(&s->v, CDB_AT);

	if (sense > SENSE_MOST || cdb > CDB_MOST)
		return false;
	s->sense_bytes = sense;
	s->cdb_bytes = cdb;
	return true;
}

static void vs_set_config(struct virtio_device *v)
{
	if (!take_config((struct virtio_scsi *)v))
		virtio_break(v, "a size of sense data or of CDBs that cannot be");
}

/* ---- Addresses: 1, target, 0x40 | LUN >> 8, LUN, or 0 in place of the 0x40 ---- */

static bool get_address(const uint8_t lun[8], struct scsi_address *at)
{
	*at = (struct scsi_address){ 0, lun[1], (uint16_t)((lun[2] & 0x3f) << 8 | lun[3]) };
	return lun[0] == 1 && (!lun[2] || lun[2] >> 6 == 1);
}

static void put_address(uint8_t lun[8], struct scsi_address at)
{
	memset(lun, 0, 8);
	lun[0] = 1;
	lun[1] = at.target;
	lun[2] = at.lun < 256 ? 0 : (uint8_t)(0x40 | at.lun >> 8);
	lun[3] = (uint8_t)at.lun;
}

/* ---- Commands ---- */

static uint32_t response_room(const struct virtio_scsi *s)
{
	return RESPONSE_BYTES + s->sense_bytes;
}

struct response {
	uint32_t sense_bytes, residual;
	uint16_t qualifier;
	uint8_t status, response;
	uint8_t sense[SCSI_SENSE_MAX];
};

static void push_response(struct virtio_scsi *s, const struct virtio_element *e, struct response *r, uint32_t moved)
{
	uint32_t sense = r->sense_bytes < s->sense_bytes ? r->sense_bytes : s->sense_bytes;

	r->sense_bytes = virtio_u32(&s->v, sense);
	r->residual = virtio_u32(&s->v, r->residual);
	virtio_give(&s->v, e, 0, r, RESPONSE_BYTES + sense);
	virtio_push(&s->v, e, response_room(s) + moved);
	virtio_notify(&s->v, e->queue);
}

static uint8_t response_of(const struct virtio_scsi *s, const struct scsi_command *c)
{
	if (c->absent)
		return R_BAD_TARGET;
	if (c->overrun)
		return R_OVERRUN;
	if (c->status == SCSI_TASK_ABORTED)
		return s->resetting ? R_RESET : R_ABORTED;
	return R_OK;
}

static void free_command(struct vs_command *c)
{
	virtio_element_free(c->element);
	free(c);
}

/* Commands of a hostile snapshot may have no element. */
static void vs_done(struct device *dev, struct scsi_command *scsi)
{
	struct vs_command *c = (struct vs_command *)scsi;
	struct virtio_scsi *s = to_vs(dev);
	struct response r = { .response = response_of(s, scsi) };

	if (r.response == R_OK) {
		r.status = scsi->status;
		r.sense_bytes = scsi->sense_bytes;
		memcpy(r.sense, scsi->sense, sizeof r.sense);
		r.residual = scsi->out_bytes + scsi->in_bytes - scsi->moved;
	}
	if (c->element)
		push_response(s, c->element, &r, scsi->in_bytes ? scsi->moved : 0);
	free_command(c);
}

static void vs_drop(struct device *dev, struct scsi_command *scsi)
{
	(void)dev;
	free_command((struct vs_command *)scsi);
}

static bool vs_take(struct device *dev, struct scsi_command *scsi, uint32_t at, void *buf, uint32_t n)
{
	struct virtio_scsi *s = to_vs(dev);
	const struct virtio_element *e = ((struct vs_command *)scsi)->element;

	return e && virtio_take(&s->v, e, (uint64_t)REQUEST_BYTES + s->cdb_bytes + at, buf, n) == n;
}

static bool vs_give(struct device *dev, struct scsi_command *scsi, uint32_t at, const void *buf, uint32_t n)
{
	struct virtio_scsi *s = to_vs(dev);
	const struct virtio_element *e = ((struct vs_command *)scsi)->element;

	return e && virtio_give(&s->v, e, (uint64_t)response_room(s) + at, buf, n) == n;
}

static void refuse(struct virtio_scsi *s, struct virtio_element *e, uint8_t response)
{
	struct response r = { .response = response };

	push_response(s, e, &r, 0);
	virtio_element_free(e);
}

static struct vs_command *new_command(struct virtio_scsi *s, struct virtio_element *e, const uint8_t *head, uint64_t out, uint64_t in)
{
	struct vs_command *c = calloc(1, sizeof *c);

	if (!c)
		return NULL;
	c->element = e;
	c->scsi.out_bytes = (uint32_t)out;
	c->scsi.in_bytes = (uint32_t)in;
	memcpy(&c->scsi.tag, head + 8, sizeof c->scsi.tag);
	virtio_take(&s->v, e, REQUEST_BYTES, c->scsi.cdb, s->cdb_bytes < SCSI_CDB_MAX ? s->cdb_bytes : SCSI_CDB_MAX);
	return c;
}

static void execute(struct virtio_scsi *s, struct virtio_element *e)
{
	uint64_t outs = (uint64_t)REQUEST_BYTES + s->cdb_bytes, ins = response_room(s), out, in;
	uint8_t head[REQUEST_BYTES];
	struct scsi_address at;
	struct vs_command *c;

	if (e->out_bytes < outs || e->in_bytes < ins || virtio_take(&s->v, e, 0, head, sizeof head) != sizeof head) {
		virtio_break(&s->v, "a SCSI request without room for its head or its response");
		virtio_element_free(e);
		return;
	}
	out = e->out_bytes - outs;
	in = e->in_bytes - ins;
	if (!get_address(head, &at)) {
		refuse(s, e, R_BAD_TARGET);
	} else if ((out && in) || out > UINT32_MAX || in > UINT32_MAX || !(c = new_command(s, e, head, out, in))) {
		refuse(s, e, R_FAILURE);
	} else {
		c->scsi.address = at;
		scsi_execute(&s->v.pci.dev, &c->scsi);
	}
}

/* ---- Task management ---- */

enum { T_MANAGEMENT = 0, T_QUERY_EVENTS = 1, T_SUBSCRIBE = 2 };
enum { M_ABORT_TASK = 0, M_ABORT_SET = 1, M_CLEAR_SET = 3, M_RESET_TARGET = 4, M_RESET_UNIT = 5, M_QUERY_TASK = 6, M_QUERY_SET = 7 };

static void reset_target(struct virtio_scsi *s, struct scsi_address at)
{
	struct device *dev = &s->v.pci.dev;

	s->resetting = true;
	for (struct device *unit = NULL; (unit = scsi_next_unit(dev, unit, at));)
		scsi_reset_target(dev, scsi_address_of(unit));
	s->resetting = false;
}

static void reset_unit(struct virtio_scsi *s, struct scsi_address at)
{
	s->resetting = true;
	scsi_reset_target(&s->v.pci.dev, at);
	s->resetting = false;
}

static uint8_t manage(struct virtio_scsi *s, uint32_t what, struct scsi_address at, uint64_t tag)
{
	struct device *dev = &s->v.pci.dev;

	if (!scsi_next_unit(dev, NULL, at))
		return R_BAD_TARGET;
	if (what != M_RESET_TARGET && !scsi_find(dev, at))
		return R_INCORRECT_LUN;
	switch (what) {
	case M_ABORT_TASK:
		scsi_abort(dev, at, &tag);
		return R_OK;
	case M_ABORT_SET:
	case M_CLEAR_SET:
		scsi_abort(dev, at, NULL);
		return R_OK;
	case M_RESET_TARGET:
		reset_target(s, at);
		return R_OK;
	case M_RESET_UNIT:
		reset_unit(s, at);
		return R_OK;
	case M_QUERY_TASK:
		return scsi_in_flight(dev, at, &tag) ? R_SUCCEEDED : R_OK;
	case M_QUERY_SET:
		return scsi_in_flight(dev, at, NULL) ? R_SUCCEEDED : R_OK;
	default:
		return R_REJECTED;
	}
}

/* type, what, LUN, tag -> response. */
static bool run_management(struct virtio_scsi *s, const struct virtio_element *e)
{
	struct { uint32_t type, what; uint8_t lun[8]; uint64_t tag; } q;
	struct scsi_address at;
	uint8_t response;

	if (e->in_bytes < 1 || virtio_take(&s->v, e, 0, &q, sizeof q) != sizeof q)
		return false;
	response = get_address(q.lun, &at) ? manage(s, virtio_u32(&s->v, q.what), at, q.tag) : R_BAD_TARGET;
	virtio_give(&s->v, e, 0, &response, 1);
	virtio_push(&s->v, e, 1);
	return true;
}

/* type, LUN, which events -> which of them there are, response: no unit has any. */
static bool run_events(struct virtio_scsi *s, const struct virtio_element *e)
{
	const uint8_t answer[5] = { 0 };

	if (e->out_bytes < 16 || e->in_bytes < sizeof answer)
		return false;
	virtio_give(&s->v, e, 0, answer, sizeof answer);
	virtio_push(&s->v, e, sizeof answer);
	return true;
}

static void control(struct virtio_scsi *s, struct virtio_element *e)
{
	uint32_t type;
	bool ok = virtio_take(&s->v, e, 0, &type, sizeof type) == sizeof type;

	type = ok ? virtio_u32(&s->v, type) : T_MANAGEMENT;
	if (ok && type == T_MANAGEMENT)
		ok = run_management(s, e);
	else if (ok && (type == T_QUERY_EVENTS || type == T_SUBSCRIBE))
		ok = run_events(s, e);
	else if (ok)
		virtio_push(&s->v, e, 0);
	if (ok)
		virtio_notify(&s->v, QUEUE_CONTROL);
	else
		virtio_break(&s->v, "a control request without room for its head or its response");
	virtio_element_free(e);
}

/* ---- Events ---- */

enum { EVENT_NONE = 0, EVENT_TRANSPORT = 1, EVENT_CHANGE = 3 };
enum { TRANSPORT_RESCAN = 1, TRANSPORT_REMOVED = 2 };
#define EVENT_MISSED UINT32_C(0x80000000)

struct event_data {
	uint32_t event;
	uint8_t lun[8];
	uint32_t reason;
};

/* Tells of what was missed before, too. False: there is no buffer. */
static bool push_event(struct virtio_scsi *s, struct event_data *event)
{
	struct virtio_element *e = virtio_ready(&s->v) ? virtio_pop(&s->v, QUEUE_EVENT) : NULL;

	if (!e)
		return false;
	event->event = virtio_u32(&s->v, event->event | (s->event_missed ? EVENT_MISSED : 0));
	event->reason = virtio_u32(&s->v, event->reason);
	s->event_missed = false;
	if (virtio_give(&s->v, e, 0, event, sizeof *event) == sizeof *event) {
		virtio_push(&s->v, e, sizeof *event);
		virtio_notify(&s->v, QUEUE_EVENT);
	} else {
		virtio_break(&s->v, "a buffer for events that has no room for one");
	}
	virtio_element_free(e);
	return true;
}

static void tell(struct virtio_scsi *s, unsigned feature, struct scsi_address at, uint32_t what, uint32_t reason)
{
	struct event_data event = { .event = what, .reason = reason };

	if (!virtio_has(&s->v, feature))
		return;
	put_address(event.lun, at);
	if (!push_event(s, &event))
		s->event_missed = true;
}

static void vs_changed(struct device *dev, struct scsi_address at, uint8_t asc, uint8_t ascq)
{
	tell(to_vs(dev), F_CHANGE, at, EVENT_CHANGE, (uint32_t)ascq << 8 | asc);
}

static void vs_plugged(struct device *dev, struct scsi_address at, bool comes)
{
	tell(to_vs(dev), F_HOTPLUG, at, EVENT_TRANSPORT, comes ? TRANSPORT_RESCAN : TRANSPORT_REMOVED);
}

static void events_kicked(struct virtio_scsi *s)
{
	struct event_data nothing = { .event = EVENT_NONE };

	if (s->event_missed)
		push_event(s, &nothing);
}

/* ---- Queues ---- */

/* Without DRIVER_OK, too; blk.c says why. */
static void serve(struct virtio_scsi *s, unsigned queue)
{
	struct virtio_element *e;

	if (queue == QUEUE_EVENT) {
		events_kicked(s);
		return;
	}
	while ((e = virtio_pop(&s->v, queue))) {
		if (queue == QUEUE_CONTROL)
			control(s, e);
		else
			execute(s, e);
	}
}

static void serve_all(struct virtio_scsi *s)
{
	for (unsigned i = 0; i < QUEUE_REQUEST + s->num_queues; i++)
		serve(s, i);
}

static void vs_kicked(struct virtio_device *v, unsigned queue)
{
	struct virtio_scsi *s = (struct virtio_scsi *)v;

	if (queue < QUEUE_REQUEST + s->num_queues)
		serve(s, queue);
}

static void vs_status(struct virtio_device *v, uint8_t before)
{
	if (v->status & ~before & VIRTIO_S_DRIVER_OK)
		serve_all((struct virtio_scsi *)v);
}

static void vs_driver_reset(struct virtio_device *v)
{
	struct virtio_scsi *s = (struct virtio_scsi *)v;

	scsi_bus_drop(&v->pci.dev);
	scsi_reset_bus(&v->pci.dev);
	s->sense_bytes = SENSE_DEFAULT;
	s->cdb_bytes = CDB_DEFAULT;
	s->event_missed = false;
}

static void vs_queue_reset(struct virtio_device *v, unsigned queue)
{
	struct virtio_scsi *s = (struct virtio_scsi *)v;

	for (struct scsi_command *c = s->bus.first, *next; c; c = next) {
		const struct virtio_element *e = ((struct vs_command *)c)->element;

		next = c->next;
		if (e && e->queue == queue)
			scsi_drop(&v->pci.dev, c);
	}
}

/* ---- The class ---- */

static const struct scsi_adapter vs_adapter = {
	.take = vs_take, .give = vs_give, .done = vs_done, .drop = vs_drop, .changed = vs_changed, .plugged = vs_plugged, .max_target = 255, .max_lun = 16383,
};

static const struct virtio_class vs_class = {
	.type = 8, .pci_class = 0x010000, .config_bytes = CONFIG_BYTES,
	.get_config = vs_get_config, .set_config = vs_set_config, .kicked = vs_kicked, .reset = vs_driver_reset,
	.status = vs_status, .queue_reset = vs_queue_reset,
};

static bool options_ok(const struct virtio_scsi *s, struct error *err)
{
	if (!s->num_queues || s->num_queues > VIRTIO_QUEUES - QUEUE_REQUEST)
		error_usage(err, "-device virtio-scsi-pci: num_queues is 1 to %u", VIRTIO_QUEUES - QUEUE_REQUEST);
	else if (!is_power_of_two(s->queue_size) || s->queue_size < 4 || s->queue_size > VIRTIO_RING_MAX)
		error_usage(err, "-device virtio-scsi-pci: virtqueue_size is a power of two from 4 to %u", VIRTIO_RING_MAX);
	else
		return true;
	return false;
}

static bool vs_init(struct device *dev, struct error *err)
{
	struct virtio_scsi *s = to_vs(dev);

	if (s->num_queues == UINT32_MAX)
		s->num_queues = dev->machine->config->cpus;
	if (!options_ok(s, err))
		return false;
	scsi_bus_init(dev, &s->bus, &vs_adapter);
	for (unsigned i = 0; i < QUEUE_REQUEST + s->num_queues; i++)
		if (!virtio_add_queue(&s->v, (uint16_t)s->queue_size)) {
			error_set(err, "out of memory");
			return false;
		}
	if (!virtio_init(&s->v, &vs_class, LEGACY_ID, err))
		return false;
	s->v.host_features |= (s->hotplug ? BIT(F_HOTPLUG) : 0) | (s->param_change ? BIT(F_CHANGE) : 0);
	return true;
}

static void vs_free(struct device *dev)
{
	scsi_bus_drop(dev);
	virtio_free(&to_vs(dev)->v);
}

static void vs_reset(struct device *dev) { virtio_reset(&to_vs(dev)->v); }
static bool vs_qemu_ready(const struct device *dev)
{
	return virtio_device_qemu_ready(dev) && !((const struct virtio_scsi *)dev)->bus.first;
}

/* QEMU has the sizes in the configuration alone; what it had not taken from the rings yet is taken now. */
static void vs_loaded(struct device *dev, bool foreign)
{
	struct virtio_scsi *s = to_vs(dev);

	virtio_loaded(&s->v, foreign);
	if (foreign) {
		take_config(s);
		serve_all(s);
	}
}

static const struct device_property vs_properties[] = {
	VIRTIO_PROPERTIES(struct virtio_scsi, v),
	{ .name = "num_queues", .help = "request queues; as many as processors if it is not given", .type = PROPERTY_U32, .settable = true,
	  .offset = offsetof(struct virtio_scsi, num_queues), .value = UINT32_MAX },
	{ .name = "virtqueue_size", .help = "requests in a queue", .type = PROPERTY_U32, .settable = true,
	  .offset = offsetof(struct virtio_scsi, queue_size), .value = 256 },
	{ .name = "max_sectors", .help = "of one command, as the guest is told", .type = PROPERTY_U32, .settable = true,
	  .offset = offsetof(struct virtio_scsi, max_sectors), .value = 0xffff },
	{ .name = "cmd_per_lun", .help = "commands for a unit, as the guest is told", .type = PROPERTY_U32, .settable = true,
	  .offset = offsetof(struct virtio_scsi, cmd_per_lun), .value = 128 },
	{ .name = "hotplug", .help = "units may come and go", .type = PROPERTY_BOOL, .settable = true,
	  .offset = offsetof(struct virtio_scsi, hotplug), .value = true },
	{ .name = "param_change", .help = "the guest hears of media and sizes that change", .type = PROPERTY_BOOL, .settable = true,
	  .offset = offsetof(struct virtio_scsi, param_change), .value = true },
	{ .name = NULL },
};

static const struct vmstate vs_payload_state = {
	.name = "virtio-scsi/payload", .version = 1, .min_version = 1, VMS_OF(struct virtio_scsi),
	.fields = VMS_FIELDS(VIRTIO_HEAD(struct virtio_scsi, v), VIRTIO_TAIL),
};

static const struct vmstate vs_state = {
	.name = "virtio-scsi", .version = 1, .min_version = 1, VMS_OF(struct virtio_scsi),
	.fields = VMS_FIELDS(VIRTIO_PAYLOAD(vs_payload_state)),
};

static void drop_elements(void *s)
{
	struct vs_command *c = s;

	virtio_element_free(c->element);
	c->element = NULL;
}

/* What a response or data go to must be there, as execute() has seen it. */
static bool command_check(const void *s, struct vms_walk *w)
{
	const struct virtio_element *e = ((const struct vs_command *)s)->element;

	return (e && !e->next) || vms_wrong(w, "element", e != NULL, "one");
}

static const struct vmstate vs_command_state = {
	.name = "cede/virtio-scsi/command", .version = 1, .min_version = 1, VMS_OF(struct vs_command), .check = command_check,
	.drop = drop_elements,
	.fields = VMS_FIELDS(
		VMS_STRUCT("scsi", struct vs_command, scsi, struct scsi_command, scsi_command_state),
		VIRTIO_ELEMENTS("element", struct vs_command, element, 1)),
};

static const struct vmstate vs_bus_state = SCSI_BUS_STATE("cede/virtio-scsi/bus", struct vs_command, vs_command_state);

static const struct vmstate vs_own_state = {
	.name = "cede/virtio-scsi", .version = 1, .min_version = 1, VMS_OF(struct virtio_scsi),
	.fields = VMS_FIELDS(
		VIRTIO_OWN,
		VMS_STRUCT("bus", struct virtio_scsi, bus, struct scsi_bus_state, vs_bus_state),
		VMS_U32_TO(struct virtio_scsi, sense_bytes, SENSE_MOST),
		VMS_U32_TO(struct virtio_scsi, cdb_bytes, CDB_MOST),
		VMS_BOOL(struct virtio_scsi, event_missed),
		VMS_SKIP(struct virtio_scsi, resetting, "within one call"),
		VMS_SKIP(struct virtio_scsi, num_queues, "an option"), VMS_SKIP(struct virtio_scsi, queue_size, "an option"),
		VMS_SKIP(struct virtio_scsi, max_sectors, "an option"), VMS_SKIP(struct virtio_scsi, cmd_per_lun, "an option"),
		VMS_SKIP(struct virtio_scsi, hotplug, "an option"), VMS_SKIP(struct virtio_scsi, param_change, "an option")),
};

const struct device_class virtio_scsi_class = {
	.name = "virtio-scsi-pci", .alias = "virtio-scsi", .help = "SCSI adapter", .size = sizeof(struct virtio_scsi), .on = &pci_bus, .bus = &scsi_bus,
	.pluggable = true, .properties = vs_properties,
	.init = vs_init, .free = vs_free, .reset = vs_reset, .loaded = vs_loaded, .qemu_ready = vs_qemu_ready,
	.state = &vs_state, .own_state = &vs_own_state, .state_bytes = UINT64_C(128) << 20,
};

/* virtio-serial-pci and its ports: virtconsole, a terminal of the guest's (/dev/hvcN in Linux), and virtserialport, a
 * stream with a name (/dev/virtio-ports/NAME), each on a -chardev.
 *
 * What the host sends waits in the console until the guest has opened the port and gives buffers; it comes at poll points
 * of the run loop, as for any terminal, and when the guest gives more room. What the guest sends goes to the console, which
 * keeps what its reader does not take yet, while the run loop holds the guest. So no element is ever kept here.
 * Source: Virtual I/O Device (VIRTIO) Version 1.1, "Console Device"; numbers of queues and ports are QEMU's. */
#include <string.h>

#include "machine/core/config.h"
#include "machine/core/timers.h"
#include "machine/host/chardev.h"
#include "machine/host/console.h"
#include "machine/virtio/virtio.h"

#define LEGACY_ID     0x1003
#define DATA_QUEUE    128
#define CONTROL_QUEUE 32
#define PORTS_MAX     (VIRTIO_QUEUES / 2 - 1)	/* two queues each, and two for control */
#define MAP_WORDS     ((PORTS_MAX + 31) / 32)
#define ANY_NUMBER    UINT32_MAX
#define VECTORS       2				/* QEMU's default */

#define F_MULTIPORT   1
#define F_EMERG_WRITE 2

enum { QUEUE_CONTROL_IN = 2, QUEUE_CONTROL_OUT = 3 };

#define CONFIG_BYTES 12			/* of it: */
#define CONFIG_PORTS 4
#define CONFIG_EMERG 8

/* What one kick costs the host at most; the rest comes a little later. */
#define OUT_AT_A_TIME  (UINT64_C(4) << 20)	/* bytes, and of one element: what is behind is lost */
#define CHUNK          4096u
#define CYCLES_BETWEEN UINT64_C(100000)

/* ---- Control messages ---- */

enum event_code {
	DEVICE_READY = 0, PORT_ADD = 1, PORT_READY = 3, CONSOLE_PORT = 4, PORT_OPEN = 6, PORT_NAME = 7,
};

#define CONTROL_BYTES 8u

struct port_device;

struct serial_port {
	uint32_t id;
	uint8_t guest_connected;	/* the guest has opened it */
	uint8_t host_connected;		/* somebody is at the other end, as the guest has been told */
	struct port_device *dev;
	/* While a stream of QEMU's is loaded, from a port that it had throttled: one element of the guest's was half written. */
	uint32_t popped;		/* 1: so it was */
	uint32_t popped_index;		/* segments of it that had been written */
	uint64_t popped_offset;		/* and bytes of the next one */
	uint64_t written;		/* bytes of the first element that must not be written again */
};

struct virtio_serial {
	struct virtio_device v;
	uint32_t max_ports;		/* property */
	bool emergency_write;		/* property */
	uint32_t ports;			/* in order of making: */
	struct serial_port port[PORTS_MAX];
	uint32_t map_words;
	uint32_t ports_map[MAP_WORDS];	/* a bit for each number that is taken */
	struct event more;
};

/* A port, as -device makes it. */
struct port_device {
	struct device dev;
	const char *chardev, *name;	/* properties; NULL: not given */
	uint32_t nr;			/* property */
	uint32_t index;			/* in the adapter's list */
	struct console *console;	/* NULL: nothing is connected */
};

extern const struct device_class virtconsole_class, virtserialport_class;

static struct virtio_serial *to_serial(struct virtio_device *v) { return (struct virtio_serial *)v; }
static struct port_device *to_port(struct device *dev) { return (struct port_device *)dev; }
static struct virtio_serial *serial_of(const struct port_device *p) { return (struct virtio_serial *)p->dev.bridge; }
static struct serial_port *entry_of(const struct port_device *p) { return &serial_of(p)->port[p->index]; }
static bool is_console(const struct port_device *p) { return p->dev.class == &virtconsole_class; }
static unsigned in_queue(uint32_t id) { return id ? 2 * id + 2 : 0; }
static unsigned out_queue(uint32_t id) { return in_queue(id) + 1; }

static struct serial_port *find_port(struct virtio_serial *s, uint32_t id)
{
	for (uint32_t i = 0; i < s->ports; i++)
		if (s->port[i].id == id)
			return &s->port[i];
	return NULL;
}

/* ---- To the guest: control ---- */

/* Without a buffer for it, it is lost, as with QEMU: there are as many as a guest needs at once. */
static void send_control(struct virtio_serial *s, uint32_t id, uint16_t event, uint16_t value, const char *text)
{
	struct virtio_element *e = virtio_pop_now(&s->v, QUEUE_CONTROL_IN);
	uint8_t head[CONTROL_BYTES];
	uint64_t n;

	if (!e)
		return;
	id = virtio_u32(&s->v, id);
	event = virtio_u16(&s->v, event);
	value = virtio_u16(&s->v, value);
	memcpy(head, &id, 4);
	memcpy(head + 4, &event, 2);
	memcpy(head + 6, &value, 2);
	n = virtio_give(&s->v, e, 0, head, sizeof head);
	if (text)
		n += virtio_give(&s->v, e, sizeof head, text, strlen(text) + 1);
	virtio_push(&s->v, e, (uint32_t)n);
	virtio_notify(&s->v, QUEUE_CONTROL_IN);
	virtio_element_free(e);
}

static void send_event(struct virtio_serial *s, uint32_t id, enum event_code event, uint16_t value)
{
	if (virtio_has(&s->v, F_MULTIPORT))
		send_control(s, id, (uint16_t)event, value, NULL);
}

/* ---- To the guest: bytes ---- */

static bool guest_listens(const struct virtio_serial *s, const struct serial_port *port)
{
	return virtio_ready(&s->v) && port->guest_connected;
}

/* What has come goes into the buffers that there are. */
static void feed(struct virtio_serial *s, struct serial_port *port)
{
	struct console *console = port->dev->console;
	struct virtio_element *e;
	uint8_t buf[CHUNK];
	bool any = false;

	while (console && console_has(console) && guest_listens(s, port) && (e = virtio_pop(&s->v, in_queue(port->id)))) {
		size_t n = console_read(console, buf, e->in_bytes < sizeof buf ? (size_t)e->in_bytes : sizeof buf);

		virtio_give(&s->v, e, 0, buf, n);
		virtio_push(&s->v, e, (uint32_t)n);
		virtio_element_free(e);
		any = true;
	}
	if (any)
		virtio_notify(&s->v, in_queue(port->id));
}

/* ---- From the guest: bytes ---- */

static uint64_t put_out(struct virtio_serial *s, const struct serial_port *port, const struct virtio_element *e)
{
	uint64_t n = e->out_bytes < OUT_AT_A_TIME ? e->out_bytes : OUT_AT_A_TIME, done = port ? port->written : 0, part;
	uint8_t buf[CHUNK];

	while (port && port->dev->console && port->host_connected && done < n) {
		part = virtio_take(&s->v, e, done, buf, n - done < CHUNK ? n - done : CHUNK);
		if (!part)
			break;
		console_write(port->dev->console, buf, part);
		done += part;
	}
	return n;
}

static void serve_out(struct virtio_serial *s, unsigned queue, struct serial_port *port)
{
	struct machine *m = s->v.pci.dev.machine;
	struct virtio_element *e;
	uint64_t bytes = 0;
	bool any = false;

	while (bytes < OUT_AT_A_TIME && (e = virtio_pop(&s->v, queue))) {
		bytes += put_out(s, port, e);
		if (port)
			port->written = 0;
		virtio_push(&s->v, e, 0);
		virtio_element_free(e);
		any = true;
	}
	if (any)
		virtio_notify(&s->v, queue);
	if (virtio_waiting(&s->v, queue) && s->more.when == UINT64_MAX)
		event_schedule(m, &s->more, machine_now(m) + CYCLES_BETWEEN);
}

static void serve_more(void *dev)
{
	struct virtio_serial *s = dev;

	for (uint32_t i = 0; i < s->ports; i++)
		serve_out(s, out_queue(s->port[i].id), &s->port[i]);
}

/* ---- From the guest: control ---- */

/* The guest knows the port now: it hears what it is. */
static void describe_port(struct virtio_serial *s, const struct serial_port *port)
{
	if (is_console(port->dev))
		send_event(s, port->id, CONSOLE_PORT, 1);
	if (port->dev->name)
		send_control(s, port->id, PORT_NAME, 1, port->dev->name);
	if (port->host_connected)
		send_event(s, port->id, PORT_OPEN, 1);
}

static void control_port(struct virtio_serial *s, struct serial_port *port, uint16_t event, uint16_t value)
{
	if (event == PORT_READY && value) {
		describe_port(s, port);
	} else if (event == PORT_OPEN) {
		port->guest_connected = value != 0;
		feed(s, port);
	}
}

static void handle_control(struct virtio_serial *s, uint32_t id, uint16_t event, uint16_t value)
{
	struct serial_port *port = find_port(s, id);

	if (event == DEVICE_READY) {
		for (uint32_t i = 0; value && i < s->ports; i++)
			send_event(s, s->port[i].id, PORT_ADD, 1);
	} else if (port) {
		control_port(s, port, event, value);
	}
}

static void control_out(struct virtio_serial *s)
{
	struct virtio_element *e;
	uint8_t raw[CONTROL_BYTES];
	uint16_t event, value;
	uint32_t id;

	while ((e = virtio_pop(&s->v, QUEUE_CONTROL_OUT))) {
		if (virtio_take(&s->v, e, 0, raw, sizeof raw) == sizeof raw) {
			memcpy(&id, raw, 4);
			memcpy(&event, raw + 4, 2);
			memcpy(&value, raw + 6, 2);
			handle_control(s, virtio_u32(&s->v, id), virtio_u16(&s->v, event), virtio_u16(&s->v, value));
		}
		virtio_push(&s->v, e, 0);
		virtio_element_free(e);
	}
	virtio_notify(&s->v, QUEUE_CONTROL_OUT);
}

/* ---- The virtio device ---- */

static void serial_kicked(struct virtio_device *v, unsigned queue)
{
	struct virtio_serial *s = to_serial(v);
	struct serial_port *port = find_port(s, queue < 2 ? 0 : queue / 2 - 1);

	if (queue == QUEUE_CONTROL_OUT)
		control_out(s);
	else if (queue == QUEUE_CONTROL_IN)
		return;
	else if (queue & 1)
		serve_out(s, queue, port);
	else if (port)
		feed(s, port);
}

static void forget_guest(struct virtio_serial *s)
{
	for (uint32_t i = 0; i < s->ports; i++)
		s->port[i].guest_connected = 0;
}

/* A driver that knows one port opens it by being there. */
static void serial_status(struct virtio_device *v, uint8_t before)
{
	struct virtio_serial *s = to_serial(v);
	struct serial_port *port = find_port(s, 0);

	(void)before;
	if (!(v->status & VIRTIO_S_DRIVER_OK)) {
		forget_guest(s);
	} else if (port && !virtio_has(v, F_MULTIPORT)) {
		port->guest_connected = 1;
		feed(s, port);
	}
}

static void serial_driver_reset(struct virtio_device *v)
{
	forget_guest(to_serial(v));
}

static void serial_get_config(struct virtio_device *v)
{
	uint32_t ports = virtio_u32(v, to_serial(v)->max_ports);

	memset(v->config, 0, CONFIG_BYTES);
	memcpy(v->config + CONFIG_PORTS, &ports, 4);
}

/* A byte for the first console, from who has no queues yet. */
static void serial_set_config(struct virtio_device *v)
{
	struct virtio_serial *s = to_serial(v);
	uint32_t value;
	uint8_t byte;

	memcpy(&value, v->config + CONFIG_EMERG, 4);
	value = virtio_u32(v, value);
	byte = (uint8_t)value;
	for (uint32_t i = 0; value && s->emergency_write && i < s->ports; i++) {
		if (is_console(s->port[i].dev)) {
			if (s->port[i].dev->console)
				console_write(s->port[i].dev->console, &byte, 1);
			return;
		}
	}
}

static const struct virtio_class serial_virtio = {
	.type = 3, .pci_class = 0x078000, .config_bytes = CONFIG_BYTES, .get_config = serial_get_config, .set_config = serial_set_config,
	.kicked = serial_kicked, .status = serial_status, .reset = serial_driver_reset,
};

/* ---- The adapter ---- */

static bool add_queues(struct virtio_serial *s)
{
	for (uint32_t id = 0; id < s->max_ports; id++) {
		if (!virtio_add_queue(&s->v, DATA_QUEUE) || !virtio_add_queue(&s->v, DATA_QUEUE))
			return false;
		if (!id && (!virtio_add_queue(&s->v, CONTROL_QUEUE) || !virtio_add_queue(&s->v, CONTROL_QUEUE)))
			return false;
	}
	return true;
}

static bool serial_init(struct device *dev, struct error *err)
{
	struct virtio_serial *s = (struct virtio_serial *)dev;

	timer_init(dev, &s->more, "more", serve_more);
	if (!s->max_ports || s->max_ports > PORTS_MAX) {
		error_usage(err, "-device virtio-serial-pci: max_ports is 1 to %u", PORTS_MAX);
		return false;
	}
	if (s->v.vectors == UINT32_MAX)
		s->v.vectors = VECTORS;
	s->map_words = (s->max_ports + 31) / 32;
	s->ports_map[0] = 1;		/* port 0 is a console's, if there is one */
	if (!add_queues(s)) {
		error_set(err, "out of memory");
		return false;
	}
	if (!virtio_init(&s->v, &serial_virtio, LEGACY_ID, err))
		return false;
	s->v.host_features |= (s->max_ports > 1 ? 1u << F_MULTIPORT : 0) | (s->emergency_write ? 1u << F_EMERG_WRITE : 0);
	return true;
}

static bool host_there(const struct port_device *p)
{
	return p->console && (is_console(p) || console_connected(p->console));
}

static void serial_reset(struct device *dev)
{
	struct virtio_serial *s = (struct virtio_serial *)dev;

	virtio_reset(&s->v);
	for (uint32_t i = 0; i < s->ports; i++)
		s->port[i].host_connected = host_there(s->port[i].dev);
}

static void serial_loaded(struct device *dev, bool foreign)
{
	struct virtio_serial *s = (struct virtio_serial *)dev;

	virtio_loaded(&s->v, foreign);
	for (uint32_t i = 0; i < s->ports; i++)
		s->port[i].written = s->port[i].popped ? s->port[i].written + s->port[i].popped_offset : 0;
	if (foreign) {
		virtio_take_again(&s->v);
		serve_more(dev);
	}
	for (uint32_t i = 0; i < s->ports; i++)
		s->port[i].popped = 0, s->port[i].written = 0;
}

static const struct device_property serial_properties[] = {
	{ .name = "max_ports", .help = "ports that there may be", .type = PROPERTY_U32, .settable = true,
	  .offset = offsetof(struct virtio_serial, max_ports), .value = 31 },
	{ .name = "emergency-write", .help = "a byte may be written before there are queues", .type = PROPERTY_BOOL, .settable = true,
	  .offset = offsetof(struct virtio_serial, emergency_write), .value = true },
	VIRTIO_PROPERTIES(struct virtio_serial, v),
	{ .name = NULL },
};

/* ---- Ports ---- */

static bool is_taken(const struct virtio_serial *s, uint32_t id) { return s->ports_map[id / 32] >> id % 32 & 1; }

/* As QEMU numbers them: the first console is port 0, which nothing else may be; any other is the first that is free. */
static bool choose_number(struct virtio_serial *s, const struct port_device *p, uint32_t *id, struct error *err)
{
	const char *name = p->dev.class->name;

	*id = p->nr;
	if (*id == ANY_NUMBER) {
		*id = is_console(p) && !find_port(s, 0) ? 0 : 1;
		while (*id && *id < s->max_ports && is_taken(s, *id))
			++*id;
	}
	if (*id >= s->max_ports)
		error_usage(err, "-device %s: nr is at most %u on this adapter (max_ports)", name, (unsigned)s->max_ports - 1);
	else if (find_port(s, *id))
		error_usage(err, "-device %s: there is a port %u already", name, (unsigned)*id);
	else if (!*id && !is_console(p))
		error_usage(err, "-device %s: port 0 is for a virtconsole", name);
	else
		return true;
	return false;
}

static bool name_ok(const struct virtio_serial *s, const struct port_device *p, struct error *err)
{
	for (uint32_t i = 0; p->name && i < s->ports; i++) {
		if (s->port[i].dev->name && !strcmp(s->port[i].dev->name, p->name)) {
			error_usage(err, "-device %s: there are two ports called '%.60s'", p->dev.class->name, p->name);
			return false;
		}
	}
	return true;
}

static bool serial_attach(struct device *bridge, struct device *dev, struct error *err)
{
	struct virtio_serial *s = (struct virtio_serial *)bridge;
	struct port_device *p = to_port(dev);
	uint32_t id;

	if (!name_ok(s, p, err) || !choose_number(s, p, &id, err))
		return false;
	p->nr = id;
	p->index = s->ports++;
	s->port[p->index] = (struct serial_port){ .id = id, .dev = p };
	s->ports_map[id / 32] |= 1u << id % 32;
	return true;
}

static const struct device_property no_properties[] = { { .name = NULL } };

const struct bus_class virtio_serial_bus = {
	.type = "virtio-serial-bus", .name = "virtio-serial-bus.0", .properties = no_properties, .attach = serial_attach,
};

static struct chardev *find_chardev(const struct config *o, const char *id)
{
	for (unsigned i = 0; i < o->chardevs; i++)
		if (!strcmp(o->chardev[i]->id, id))
			return o->chardev[i];
	return NULL;
}

static bool port_init(struct device *dev, struct error *err)
{
	struct port_device *p = to_port(dev);
	struct chardev *chardev = p->chardev ? find_chardev(dev->machine->config, p->chardev) : NULL;

	if (!p->chardev)
		return true;
	if (!chardev)
		error_usage(err, "-device %s: there is no -chardev called '%.60s'", dev->class->name, p->chardev);
	else if (console_of(dev->machine->consoles, chardev) && !chardev->mux)
		error_usage(err, "-device %s: another device has -chardev '%.60s'", dev->class->name, p->chardev);
	else
		p->console = console_open(&dev->machine->consoles, dev->machine->term, chardev, err);
	if (p->console)
		entry_of(p)->host_connected = host_there(p);
	return p->console != NULL;
}

static void port_free(struct device *dev)
{
	if (to_port(dev)->console)
		console_close(to_port(dev)->console);
}

static struct console *port_console(const struct device *dev)
{
	return ((const struct port_device *)dev)->console;
}

/* At a poll point: somebody may have come to the other end or gone, or sent something. */
static void port_receive(struct device *dev)
{
	struct port_device *p = to_port(dev);
	struct serial_port *port = entry_of(p);

	if (port->host_connected != host_there(p)) {
		port->host_connected = host_there(p);
		send_event(serial_of(p), port->id, PORT_OPEN, port->host_connected);
	}
	feed(serial_of(p), port);
}

static const struct device_property port_properties[] = {
	{ .name = "chardev", .help = "the -chardev it is connected to", .type = PROPERTY_STRING, .settable = true,
	  .offset = offsetof(struct port_device, chardev) },
	{ .name = "name", .help = "what the guest knows it by", .type = PROPERTY_STRING, .settable = true,
	  .offset = offsetof(struct port_device, name) },
	{ .name = "nr", .help = "its number, if not the first that is free", .type = PROPERTY_U32, .settable = true,
	  .offset = offsetof(struct port_device, nr), .value = ANY_NUMBER },
	{ .name = NULL },
};

/* ---- Snapshots ---- */

static uint64_t get_ports(const void *s, unsigned i)
{
	(void)i;
	return __builtin_bswap32(((const struct virtio_serial *)s)->max_ports);
}

/* An element that QEMU has popped, as its struct was once, of a 64-bit host that is little-endian: three numbers and four
 * more bytes, addresses of 1024 segments in and as many out, then an address and a length of each of those. */
#define OLD_ELEMENT_HEAD (16 + 2 * 8 * 1024 + 16 * 1024)
#define OLD_ELEMENT_OUT  (2 * 1024)

static uint64_t no_word(const void *s, unsigned i)
{
	(void)s;
	(void)i;
	return 0;
}

/* Lengths of the segments that QEMU had written. */
static bool add_length(void *s, unsigned i, uint64_t value)
{
	struct serial_port *port = s;
	uint64_t length = __builtin_bswap64(value);

	if (!i)
		port->written = 0;
	if (!(i & 1) || i / 2 >= port->popped_index)
		return true;
	port->written += length;
	return length <= UINT32_MAX;
}

static const struct vmstate popped_state = {
	.name = "virtio-console/element", .version = 1, .min_version = 1, VMS_OF(struct serial_port),
	.fields = VMS_FIELDS(
		VMS_U32_AS("iov_idx", struct serial_port, popped_index, VMS_MOST(VIRTIO_SEGMENTS)),
		VMS_U64_AS("iov_offset", struct serial_port, popped_offset, VMS_MOST(UINT32_MAX)),
		VMS_UNUSED("element", OLD_ELEMENT_HEAD),
		VMS_CALC_ARRAY("out_sg", vms_u64, OLD_ELEMENT_OUT, no_word, add_length)),
};

static const struct vmstate port_state = {
	.name = "virtio-console/port", .version = 1, .min_version = 1, VMS_OF(struct serial_port),
	.fields = VMS_FIELDS(
		VMS_U32(struct serial_port, id, VMS_SAME),
		VMS_U8_TO(struct serial_port, guest_connected, 1), VMS_U8_TO(struct serial_port, host_connected, 1),
		VMS_U32_AS("elem_popped", struct serial_port, popped, VMS_MOST(1)),
		{ .name = "elem", .kind = VMS_NESTED, .count = 1, .state = &popped_state, VMS_COUNTED(struct serial_port, popped) },
		VMS_SKIP(struct serial_port, written, "added up from what QEMU has saved, and used at once"),
		VMS_SKIP(struct serial_port, dev, "the port's device")),
};

static const struct vmstate serial_device_state = {
	.name = "virtio-console-device", .version = 1, .min_version = 1, VMS_OF(struct virtio_serial),
	.fields = VMS_FIELDS(
		VMS_CONSTANT("cols", vms_u16, 0), VMS_CONSTANT("rows", vms_u16, 0), VMS_CALC("max_nr_ports", vms_u32, get_ports, NULL),
		VMS_SKIP(struct virtio_serial, map_words, "follows from an option"),
		VMS_MANY("ports_map", struct virtio_serial, ports_map, uint32_t, vms_u32, VMS_SAME, VMS_COUNTED(struct virtio_serial, map_words)),
		VMS_U32(struct virtio_serial, ports, VMS_SAME),
		VMS_COUNTED_STRUCTS("port", struct virtio_serial, port, struct serial_port, ports, port_state)),
};

static const struct vmstate serial_payload_state = {
	.name = "virtio-console/payload", .version = 1, .min_version = 1, VMS_OF(struct virtio_serial),
	.fields = VMS_FIELDS(VIRTIO_HEAD(struct virtio_serial, v), VMS_PART("device", serial_device_state), VIRTIO_TAIL),
};

static const struct vmstate serial_state = {
	.name = "virtio-console", .version = 3, .min_version = 3, VMS_OF(struct virtio_serial),
	.fields = VMS_FIELDS(VIRTIO_PAYLOAD(serial_payload_state)),
};

static const struct vmstate serial_own_state = {
	.name = "cede/virtio-console", .version = 1, .min_version = 1, VMS_OF(struct virtio_serial),
	.fields = VMS_FIELDS(
		VIRTIO_OWN,
		VMS_SKIP(struct virtio_serial, max_ports, "an option"),
		VMS_SKIP(struct virtio_serial, emergency_write, "an option"),
		VMS_ELSEWHERE(struct virtio_serial, more, "cede/timers")),
};

static const struct vmstate port_own_state = {
	.name = "cede/virtio-serial-port", .version = 1, .min_version = 1, VMS_OF(struct port_device),
	.fields = VMS_FIELDS(
		VMS_SKIP(struct port_device, dev, "what and where it is"),
		VMS_SKIP(struct port_device, chardev, "an option"), VMS_SKIP(struct port_device, name, "an option"),
		VMS_SKIP(struct port_device, nr, "its adapter's"), VMS_SKIP(struct port_device, index, "its adapter's"),
		VMS_SKIP(struct port_device, console, "the host's; what it has read ahead is section cede/console")),
};

/* What the host has sent ahead. */
static void *sent_ahead(struct device *dev, struct spapr_cpu *const *cpu, unsigned i)
{
	(void)cpu;
	(void)i;
	return to_port(dev)->console;
}

/* Beside the unit addresses of terminals. */
static uint32_t port_instance(const struct device *dev, unsigned i)
{
	const struct pci_device *pci = (const struct pci_device *)dev->bridge;

	(void)i;
	return (uint32_t)pci->devfn << 16 | ((const struct port_device *)dev)->nr;
}

static const struct device_section port_sections[] = {
	{ .state = &console_state, .own = true, .object = sent_ahead, .instance = port_instance },
	{ .state = NULL },
};

/* ---- Classes ---- */

const struct device_class virtio_serial_class = {
	.name = "virtio-serial-pci", .alias = "virtio-serial", .help = "adapter for ports: virtconsole, virtserialport", .size = sizeof(struct virtio_serial),
	.on = &pci_bus, .bus = &virtio_serial_bus, .pluggable = true, .properties = serial_properties, .init = serial_init,
	.free = virtio_device_free, .reset = serial_reset, .state = &serial_state, .own_state = &serial_own_state, .loaded = serial_loaded,
	.qemu_ready = virtio_device_qemu_ready,
};

const struct device_class virtconsole_class = {
	.name = "virtconsole", .help = "terminal of the guest's", .size = sizeof(struct port_device), .on = &virtio_serial_bus,
	.pluggable = true, .properties = port_properties, .init = port_init, .free = port_free, .console = port_console,
	.receive = port_receive, .own_state = &port_own_state, .sections = port_sections,
};

const struct device_class virtserialport_class = {
	.name = "virtserialport", .help = "stream to the guest that has a name", .size = sizeof(struct port_device),
	.on = &virtio_serial_bus, .pluggable = true, .properties = port_properties, .init = port_init, .free = port_free,
	.console = port_console, .receive = port_receive, .own_state = &port_own_state, .sections = port_sections,
};

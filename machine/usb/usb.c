#include "machine/usb/usb.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- The bus ---- */

static struct usb_bus_state *bus_of(const struct device *host) { return host->carries; }

static struct usb_device *at_port(const struct device *host, unsigned port, const struct device *but)
{
	struct device *dev = bus_next(host->machine, NULL, host);

	while (dev && (dev == but || ((struct usb_device *)dev)->port != port))
		dev = bus_next(host->machine, dev, host);
	return (struct usb_device *)dev;
}

struct usb_device *usb_at(const struct device *host, unsigned port) { return at_port(host, port, NULL); }

static bool parse_port(const char *text, unsigned ports, unsigned *port)
{
	char *end;
	unsigned long n = strtoul(text, &end, 10);

	*port = (unsigned)n;
	return *text >= '1' && *text <= '9' && !*end && n <= ports;
}

static bool bus_attach(struct device *host, struct device *dev, struct error *err)
{
	struct usb_device *usb = (struct usb_device *)dev;
	unsigned ports = bus_of(host)->ports, port = 1;

	if (usb->port_name && !parse_port(usb->port_name, ports, &port)) {
		error_usage(err, "-device %s: port=%.20s: expected 1 to %u", dev->class->name, usb->port_name, ports);
		return false;
	}
	while (!usb->port_name && port <= ports && at_port(host, port, dev))
		port++;
	if (port > ports || at_port(host, port, dev)) {
		error_usage(err, "-device %s: %s of the USB is taken", dev->class->name, usb->port_name ? "that port" : "each port");
		return false;
	}
	usb->port = (uint8_t)port;
	return true;
}

static void bus_path(const struct device *dev, char *buf, size_t size)
{
	const struct bus_class *outer = dev->bridge->class->on;
	char path[64] = "";

	if (outer && outer->path)
		outer->path(dev->bridge, path, sizeof path);
	snprintf(buf, size, "%s/%u", path, ((const struct usb_device *)dev)->port);
}

static void bus_reset(struct device *dev) { usb_power_on((struct usb_device *)dev); }

static void bus_tell(struct device *dev, bool comes)
{
	bus_of(dev->bridge)->host->plugged(dev->bridge, (struct usb_device *)dev, comes);
}

static const struct device_property bus_properties[] = {
	{ .name = "port", .help = "its number; the first free one if it is not given", .type = PROPERTY_STRING, .settable = true,
	  .offset = offsetof(struct usb_device, port_name) },
	{ .name = NULL },
};

const struct bus_class usb_bus = {
	.type = "usb-bus", .name = "usb-bus.0", .properties = bus_properties, .attach = bus_attach, .tell = bus_tell, .reset = bus_reset, .path = bus_path,
};

void usb_bus_init(struct device *host, struct usb_bus_state *bus, const struct usb_host *functions)
{
	bus->host = functions;
	host->carries = bus;
}

/* The fastest speed that both have: the last one. */
bool usb_init(struct usb_device *usb, const struct usb_kind *kind, struct error *err)
{
	unsigned speeds = bus_of(usb->dev.bridge)->speeds[usb->port];

	usb->kind = kind;
	for (unsigned s = USB_FULL; s <= USB_SUPER; s++)
		if (kind->shape[s] && speeds >> s & 1)
			usb->speed = (enum usb_speed)s;
	if (usb->speed != USB_NO_SPEED)
		return true;
	error_usage(err, "-device %s: port %u knows no speed that it has", usb->dev.class->name, usb->port);
	return false;
}

void usb_power_on(struct usb_device *usb)
{
	usb->address = usb->configuration = 0;
	usb->is_default = usb->remote_wakeup = false;
}

void usb_port_reset(struct usb_device *usb)
{
	usb_power_on(usb);
	usb->is_default = true;
	if (usb->kind->reset)
		usb->kind->reset(usb);
}

void usb_wake(struct usb_device *usb, unsigned endpoint, bool in)
{
	bus_of(usb->dev.bridge)->host->woken(usb->dev.bridge, usb->port, endpoint, in);
}

/* ---- Descriptors ---- */

enum { D_DEVICE = 1, D_CONFIG = 2, D_STRING = 3, D_QUALIFIER = 6, D_BOS = 15, D_CAPABILITY = 16 };
#define DEVICE_BYTES 18u

static void put16(uint8_t *at, unsigned value)
{
	at[0] = (uint8_t)value;
	at[1] = (uint8_t)(value >> 8);
}

static uint32_t put_device(const struct usb_device *usb, const struct usb_shape *shape, uint8_t *d)
{
	const struct usb_kind *k = usb->kind;

	memset(d, 0, DEVICE_BYTES);
	d[0] = DEVICE_BYTES;
	d[1] = D_DEVICE;
	put16(d + 2, shape->version);
	d[7] = shape->packet;
	put16(d + 8, k->vendor);
	put16(d + 10, k->product);
	d[14] = k->text_vendor;
	d[15] = k->text_product;
	d[16] = k->text_serial;
	d[17] = 1;			/* configurations */
	return DEVICE_BYTES;
}

/* What it would be at the other speed of USB 2. */
static int32_t put_qualifier(const struct usb_device *usb, uint8_t *d)
{
	const struct usb_shape *other = usb->speed == USB_HIGH ? usb->kind->shape[USB_FULL] : usb->speed == USB_FULL ? usb->kind->shape[USB_HIGH] : NULL;

	if (!other)
		return USB_STALL;
	memset(d, 0, 10);
	d[0] = 10;
	d[1] = D_QUALIFIER;
	put16(d + 2, other->version);
	d[7] = other->packet;
	d[8] = 1;
	return 10;
}

/* Its capabilities: at high speed that it knows no link states, at super speed which speeds it has. */
static int32_t put_bos(const struct usb_device *usb, uint8_t *d)
{
	static const uint8_t usb2[] = { 7, D_CAPABILITY, 2, 2, 0, 0, 0 };
	static const uint8_t super[] = { 10, D_CAPABILITY, 3, 0, 0x0e, 0, 1, 10, 0x20, 0 };
	unsigned n = 5, parts = 0;

	if (usb->kind->shape[USB_HIGH]) {
		memcpy(d + n, usb2, sizeof usb2);
		n += sizeof usb2;
		parts++;
	}
	if (usb->kind->shape[USB_SUPER]) {
		memcpy(d + n, super, sizeof super);
		n += sizeof super;
		parts++;
	}
	d[0] = 5;
	d[1] = D_BOS;
	put16(d + 2, n);
	d[4] = (uint8_t)parts;
	return parts ? (int32_t)n : USB_STALL;
}

static void serial_text(const struct usb_device *usb, char *buf, size_t size)
{
	char path[96];

	bus_path(&usb->dev, path, sizeof path);
	*strrchr(path, '/') = 0;
	if (usb->serial)
		snprintf(buf, size, "%s", usb->serial);
	else
		snprintf(buf, size, "%s%s%s-%u", usb->kind->serial, *path ? "-" : "", path, usb->port);
}

/* UTF-16; texts are ASCII. */
static int32_t put_string(const struct usb_device *usb, unsigned number, uint8_t *d)
{
	const struct usb_text *t = usb->kind->texts;
	char serial[126];
	const char *text = NULL;
	size_t len;

	if (!number) {
		memcpy(d, (const uint8_t[]){ 4, D_STRING, 9, 4 }, 4);	/* English */
		return 4;
	}
	for (; t->text; t++)
		if (t->number == number)
			text = t->text;
	if (number == usb->kind->text_serial) {
		serial_text(usb, serial, sizeof serial);
		text = serial;
	}
	if (!text)
		return USB_STALL;
	len = strlen(text);
	d[0] = (uint8_t)(2 + 2 * len);
	d[1] = D_STRING;
	for (size_t i = 0; i < len; i++)
		put16(d + 2 + 2 * i, (uint8_t)text[i]);
	return (int32_t)(2 + 2 * len);
}

static int32_t put_descriptor(const struct usb_device *usb, unsigned value, uint8_t *d)
{
	const struct usb_shape *shape = usb->kind->shape[usb->speed];

	switch (value >> 8) {
	case D_DEVICE: return (int32_t)put_device(usb, shape, d);
	case D_CONFIG:
		if (value & 0xff)
			return USB_STALL;
		memcpy(d, shape->config, shape->config_bytes);
		return shape->config_bytes;
	case D_STRING: return put_string(usb, value & 0xff, d);
	case D_QUALIFIER: return put_qualifier(usb, d);
	case D_BOS: return put_bos(usb, d);
	default: return USB_STALL;
	}
}

/* ---- Requests ---- */

enum { GET_STATUS = 0, CLEAR_FEATURE = 1, SET_FEATURE = 3, SET_ADDRESS = 5, GET_DESCRIPTOR = 6, GET_CONFIGURATION = 8,
       SET_CONFIGURATION = 9, GET_INTERFACE = 10, SET_INTERFACE = 11, SET_SELECT = 48, SET_DELAY = 49 };
#define WORD(type, request) ((type) << 8 | (request))
#define REMOTE_WAKEUP 1u
#define SELF_POWERED  1u
#define ATTRIBUTES    7u		/* byte of a configuration */

static int32_t get_status(const struct usb_device *usb, uint8_t *data)
{
	put16(data, (usb->kind->shape[usb->speed]->config[ATTRIBUTES] & 0x40 ? SELF_POWERED : 0) | (usb->remote_wakeup ? 2u : 0));
	return 2;
}

static int32_t set_feature(struct usb_device *usb, unsigned feature, bool on)
{
	if (feature == REMOTE_WAKEUP)
		usb->remote_wakeup = on;
	return feature == REMOTE_WAKEUP || usb->speed == USB_SUPER ? 0 : USB_STALL;
}

static int32_t set_configuration(struct usb_device *usb, unsigned value)
{
	if (value > 1)
		return USB_STALL;
	usb->configuration = (uint8_t)value;
	return 0;
}

static int32_t standard(struct usb_device *usb, const struct usb_request *r, uint8_t *data)
{
	switch (WORD(r->type, r->request)) {
	case WORD(USB_IN, GET_STATUS): return get_status(usb, data);
	case WORD(0, CLEAR_FEATURE): return set_feature(usb, r->value, false);
	case WORD(0, SET_FEATURE): return set_feature(usb, r->value, true);
	case WORD(0, SET_ADDRESS):
		usb->address = r->value & 0x7f;
		return 0;
	case WORD(USB_IN, GET_DESCRIPTOR): return put_descriptor(usb, r->value, data);
	case WORD(USB_IN, GET_CONFIGURATION):
		data[0] = usb->configuration;
		return 1;
	case WORD(0, SET_CONFIGURATION): return set_configuration(usb, r->value);
	case WORD(0, SET_SELECT): return 0;
	case WORD(0, SET_DELAY): return 0;
	case WORD(USB_IN | USB_TO_INTERFACE, GET_STATUS):
	case WORD(USB_IN | USB_TO_ENDPOINT, GET_STATUS):
		put16(data, 0);
		return 2;
	case WORD(USB_IN | USB_TO_INTERFACE, GET_INTERFACE):
		data[0] = 0;
		return 1;
	case WORD(USB_TO_INTERFACE, SET_INTERFACE): return r->value ? USB_STALL : 0;
	case WORD(USB_TO_ENDPOINT, CLEAR_FEATURE): return 0;
	default: return usb->kind->request ? usb->kind->request(usb, r, data) : USB_STALL;
	}
}

int32_t usb_control(struct usb_device *usb, const struct usb_request *r, uint8_t *data)
{
	int32_t n = r->length > USB_CONTROL_MOST ? (int32_t)USB_STALL : standard(usb, r, data);

	return n > r->length ? r->length : n;
}

/* ---- Snapshots. A control transfer is done at once: none is ever on its way ---- */

enum { NOT_ATTACHED = 0, ATTACHED = 1, DEFAULT = 3 };

static uint64_t state_get(const void *s, unsigned i)
{
	(void)i;
	return ((const struct usb_device *)s)->is_default ? DEFAULT : ATTACHED;
}

static bool state_put(void *s, unsigned i, uint64_t v)
{
	(void)i;
	((struct usb_device *)s)->is_default = v == DEFAULT;
	return v == DEFAULT || v == ATTACHED;
}

static uint64_t wakeup_get(const void *s, unsigned i)
{
	(void)i;
	return ((const struct usb_device *)s)->remote_wakeup;
}

static bool wakeup_put(void *s, unsigned i, uint64_t v)
{
	(void)i;
	((struct usb_device *)s)->remote_wakeup = v;
	return v <= 1;
}

void usb_loaded(struct usb_device *usb, bool foreign)
{
	if (foreign)
		usb->configuration = usb->is_default && usb->address;
}

#define MADE "follows from how it was made"

const struct vmstate usb_device_state = {
	.name = "USBDevice", .version = 1, .min_version = 1, VMS_OF(struct usb_device),
	.fields = VMS_FIELDS(
		VMS_U8_AS("addr", struct usb_device, address, VMS_MOST(127)),
		VMS_CALC("state", vms_u32, state_get, state_put),
		VMS_CALC("remote_wakeup", vms_u32, wakeup_get, wakeup_put),
		VMS_CONSTANT("setup_state", vms_u32, 0),
		VMS_CONSTANT("setup_len", vms_u32, 0),
		VMS_CONSTANT("setup_index", vms_u32, 0),
		VMS_UNUSED("setup_buf", 8),
		VMS_CARRIED(struct usb_device, is_default, "state"), VMS_CARRIED(struct usb_device, remote_wakeup, "remote_wakeup"),
		VMS_SKIP(struct usb_device, dev, "what and where it is"), VMS_SKIP(struct usb_device, kind, "what it is"),
		VMS_SKIP(struct usb_device, port_name, "an option"), VMS_SKIP(struct usb_device, serial, "an option"),
		VMS_SKIP(struct usb_device, port, MADE), VMS_SKIP(struct usb_device, speed, MADE)),
};

const struct vmstate usb_own_state = {
	.name = "cede/usb", .version = 1, .min_version = 1, VMS_OF(struct usb_device),
	.fields = VMS_FIELDS(VMS_U8_TO(struct usb_device, configuration, 1)),
};

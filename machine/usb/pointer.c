/* usb-mouse and usb-tablet: pointers that move, or are where they point. What happens waits as QEMU keeps it: of moves with the
 * same buttons one entry, to which the next one is added. */
#include <string.h>

#include "machine/core/input.h"
#include "machine/usb/hid.h"

struct move { uint32_t x, y, wheel, buttons; };	/* numbers of two's complement */

struct pointer {
	struct hid hid;
	struct move move[HID_QUEUE];	/* behind the last entry: what has happened since, and is not whole yet */
};

extern const struct device_class usb_tablet_class;
static bool is_tablet(const struct pointer *p) { return p->hid.usb.dev.class == &usb_tablet_class; }

/* ---- What happens ---- */

static const uint8_t button_bits[BUTTONS] = { [BUTTON_LEFT] = 1, [BUTTON_RIGHT] = 2, [BUTTON_MIDDLE] = 4, [BUTTON_SIDE] = 8, [BUTTON_EXTRA] = 16 };

static void note_act(const struct pointer *p, struct move *now, const struct act *e)
{
	uint32_t bit;

	if (e->kind == ACT_BUTTON) {
		bit = button_bits[e->code < BUTTONS ? e->code : 0];
		now->buttons = e->value ? now->buttons | bit : now->buttons & ~bit;
	} else if (e->kind == ACT_PLACE) {
		*(e->code & 1 ? &now->y : &now->x) = (uint32_t)e->value;
	} else if (e->code == 2) {
		now->wheel -= (uint32_t)e->value;
	} else if (!is_tablet(p)) {
		*(e->code & 1 ? &now->y : &now->x) += (uint32_t)e->value;
	}
}

/* What has happened is whole: an entry of its own, or part of the last one. If there is no room it waits for what is next. */
static void end_act(struct pointer *p)
{
	struct move *now = &p->move[hid_slot(&p->hid, p->hid.count)], *next, *last;

	if (p->hid.count >= HID_QUEUE - 1)
		return;
	last = &p->move[hid_slot(&p->hid, p->hid.count + HID_QUEUE - 1)];
	if (p->hid.count && last->buttons == now->buttons) {
		last->x = is_tablet(p) ? now->x : last->x + now->x;
		last->y = is_tablet(p) ? now->y : last->y + now->y;
		last->wheel += now->wheel;
		now->wheel = 0;
		if (!is_tablet(p))
			now->x = now->y = 0;
		return;
	}
	next = &p->move[hid_slot(&p->hid, p->hid.count + 1)];
	*next = is_tablet(p) ? *now : (struct move){ .buttons = now->buttons };
	next->wheel = 0;
	hid_happened(&p->hid);
}

static void pointer_act(struct device *dev, const struct act *acts, unsigned n)
{
	struct pointer *p = (struct pointer *)dev;

	for (unsigned i = 0; i < n; i++)
		note_act(p, &p->move[hid_slot(&p->hid, p->hid.count)], &acts[i]);
	end_act(p);
}

/* ---- Reports ---- */

/* As much as fits a byte; the rest is left for the next report. */
static uint8_t part_of(uint32_t *value)
{
	int32_t v = (int32_t)*value, part = v < -127 ? -127 : v > 127 ? 127 : v;

	*value -= (uint32_t)part;
	return (uint8_t)part;
}

static unsigned pointer_report(struct hid *hid, uint8_t report[HID_REPORT_MOST])
{
	struct pointer *p = (struct pointer *)hid;
	struct move *e = &p->move[hid_slot(hid, hid->count ? 0 : HID_QUEUE - 1)];
	bool tablet = is_tablet(p);
	unsigned n = 0;

	report[n++] = (uint8_t)e->buttons;
	if (tablet) {
		report[n++] = (uint8_t)e->x;
		report[n++] = (uint8_t)(e->x >> 8);
		report[n++] = (uint8_t)e->y;
		report[n++] = (uint8_t)(e->y >> 8);
	} else {
		report[n++] = part_of(&e->x);
		report[n++] = part_of(&e->y);
	}
	report[n++] = (uint8_t)-part_of(&e->wheel);
	if (hid->count && !e->wheel && (tablet || (!e->x && !e->y)))
		hid_taken(hid);
	return n;
}

static void pointer_clear(struct hid *hid) { memset(((struct pointer *)hid)->move, 0, sizeof ((struct pointer *)hid)->move); }

/* ---- What they say of themselves ---- */

static const uint8_t mouse_description[] = {
	0x05, 0x01, 0x09, 0x02, 0xa1, 0x01, 0x09, 0x01, 0xa1, 0x00,	/* a mouse: */
	0x05, 0x09, 0x19, 0x01, 0x29, 0x05, 0x15, 0x00, 0x25, 0x01, 0x95, 0x05, 0x75, 0x01, 0x81, 0x02,	/* 5 buttons */
	0x95, 0x01, 0x75, 0x03, 0x81, 0x01,
	0x05, 0x01, 0x09, 0x30, 0x09, 0x31, 0x09, 0x38, 0x15, 0x81, 0x25, 0x7f, 0x75, 0x08, 0x95, 0x03, 0x81, 0x06,	/* moves, wheel */
	0xc0, 0xc0,
};

static const uint8_t tablet_description[] = {
	0x05, 0x01, 0x09, 0x02, 0xa1, 0x01, 0x09, 0x01, 0xa1, 0x00,
	0x05, 0x09, 0x19, 0x01, 0x29, 0x03, 0x15, 0x00, 0x25, 0x01, 0x95, 0x03, 0x75, 0x01, 0x81, 0x02,	/* 3 buttons */
	0x95, 0x01, 0x75, 0x05, 0x81, 0x01,
	0x05, 0x01, 0x09, 0x30, 0x09, 0x31, 0x15, 0x00, 0x26, 0xff, 0x7f, 0x35, 0x00, 0x46, 0xff, 0x7f, 0x75, 0x10, 0x95, 0x02, 0x81, 0x02,
	0x05, 0x01, 0x09, 0x38, 0x15, 0x81, 0x25, 0x7f, 0x35, 0x00, 0x45, 0x00, 0x75, 0x08, 0x95, 0x01, 0x81, 0x06,
	0xc0, 0xc0,
};

enum { TEXT_VENDOR = 1, TEXT_MOUSE = 2, TEXT_TABLET = 3, CONFIG_MOUSE = 6, CONFIG_TABLET = 7, SERIAL_MOUSE = 9, SERIAL_TABLET = 10 };
static const struct usb_text texts[] = {
	{ TEXT_VENDOR, "QEMU" }, { TEXT_MOUSE, "QEMU USB Mouse" }, { TEXT_TABLET, "QEMU USB Tablet" }, { CONFIG_MOUSE, "HID Mouse" },
	{ CONFIG_TABLET, "HID Tablet" }, { 0, NULL },
};

#define SHAPES(name, text, subclass, protocol, packet, interval) \
	static const uint8_t name##_full_config[] = HID_CONFIG(text, subclass, protocol, 1, sizeof name##_description, packet, 10); \
	static const uint8_t name##_high_config[] = HID_CONFIG(text, subclass, protocol, 1, sizeof name##_description, packet, interval); \
	static const struct usb_shape name##_full = { 0x100, 8, name##_full_config, sizeof name##_full_config }; \
	static const struct usb_shape name##_high = { 0x200, 64, name##_high_config, sizeof name##_high_config }
SHAPES(mouse, CONFIG_MOUSE, 1, 2, 4, 7);
SHAPES(tablet, CONFIG_TABLET, 0, 0, 8, 4);

#define USB_KIND(name, text, number, serial_) { \
	.vendor = 0x0627, .product = 1, .text_vendor = TEXT_VENDOR, .text_product = text, .text_serial = number, .texts = texts, \
	.serial = serial_, .shape = { [USB_FULL] = &name##_full, [USB_HIGH] = &name##_high }, \
	.request = hid_request, .in = hid_in, .out = hid_out, .reset = hid_port_reset }
#define POINTER_KIND(name) { \
	.description = name##_description, .description_bytes = sizeof name##_description, .protocol = 1, \
	.report = pointer_report, .clear = pointer_clear }
static const struct usb_kind mouse_usb = USB_KIND(mouse, TEXT_MOUSE, SERIAL_MOUSE, "89126");
static const struct usb_kind tablet_usb = USB_KIND(tablet, TEXT_TABLET, SERIAL_TABLET, "28754");
static const struct hid_kind mouse_hid = POINTER_KIND(mouse), tablet_hid = POINTER_KIND(tablet);

/* ---- Their life ---- */

static bool pointer_init(struct device *dev, struct error *err)
{
	bool tablet = is_tablet((struct pointer *)dev);

	return hid_init(hid_of(dev), tablet ? &tablet_usb : &mouse_usb, tablet ? &tablet_hid : &mouse_hid, err);
}

static void pointer_reset(struct device *dev) { hid_reset(hid_of(dev)); }

static const struct device_property pointer_properties[] = {
	USB_PROPERTIES(struct pointer, hid.usb),
	{ .name = NULL },
};

static bool pointer_check(const void *s, struct vms_walk *w)
{
	const struct pointer *p = s;

	return p->hid.head < HID_QUEUE || vms_wrong(w, "head", p->hid.head, "below %u", HID_QUEUE);
}

static const struct vmstate move_state = {
	.name = "HIDPointerEventQueue", .version = 1, .min_version = 1, VMS_OF(struct move),
	.fields = VMS_FIELDS(
		VMS_U32_AS("xdx", struct move, x), VMS_U32_AS("ydy", struct move, y), VMS_U32_AS("dz", struct move, wheel),
		VMS_U32_AS("buttons_state", struct move, buttons)),
};

static const struct vmstate pointer_hid_state = {
	.name = "HIDPointerDevice", .version = 1, .min_version = 1, VMS_OF(struct pointer), .check = pointer_check,
	.fields = VMS_FIELDS(
		VMS_STRUCT_ARRAY("ptr.queue", struct pointer, move, struct move, move_state),
		VMS_U32_AS("head", struct pointer, hid.head), VMS_U32_AS("n", struct pointer, hid.count, VMS_MOST(HID_QUEUE)),
		HID_TAIL(struct pointer)),
};

static const struct vmstate pointer_state = {
	.name = "usb-ptr", .version = 1, .min_version = 1, VMS_OF(struct pointer),
	.fields = VMS_FIELDS(
		VMS_STRUCT("dev", struct pointer, hid.usb, struct usb_device, usb_device_state),
		VMS_PART("hid", pointer_hid_state)),
};

static const struct vmstate pointer_own_state = {
	.name = "cede/usb-ptr", .version = 1, .min_version = 1, VMS_OF(struct pointer),
	.fields = VMS_FIELDS(HID_OWN(struct pointer)),
};

#define POINTER_CLASS(id, name_, help_, kinds) \
	const struct device_class id = { \
		.name = name_, .help = help_, .size = sizeof(struct pointer), .on = &usb_bus, .pluggable = true, \
		.properties = pointer_properties, .init = pointer_init, .reset = pointer_reset, .loaded = hid_loaded, \
		.act_kinds = kinds, .act = pointer_act, .state = &pointer_state, .own_state = &pointer_own_state, \
	}
#define POINTS (1u << ACT_BUTTON | 1u << ACT_MOVE)
POINTER_CLASS(usb_mouse_class, "usb-mouse", "mouse", POINTS);
POINTER_CLASS(usb_tablet_class, "usb-tablet", "pointer that is where it points", POINTS | 1u << ACT_PLACE);

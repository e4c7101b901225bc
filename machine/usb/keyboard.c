/* usb-kbd: a keyboard. What is pressed waits as QEMU keeps it, in scan codes of a PC's keyboard, one byte an entry; each report
 * takes one. */
#include <string.h>

#include "machine/core/input.h"
#include "machine/host/keys.h"
#include "machine/usb/hid.h"

#define KEYS_MOST   16u			/* down at one time */
#define REPORT_KEYS 6u			/* of which a report can name so many */
#define TOO_MANY    1u			/* in place of each, if there are more */

#define SCAN_UP   0x80u
#define SCAN_MORE 0xe0u			/* the next one is of the second table */
#define MORE      0x100u		/* in `modifiers`: that has come */

struct keyboard {
	struct hid hid;
	uint32_t scan[HID_QUEUE];
	uint16_t modifiers;		/* a bit for each usage from 0xe0 on */
	uint8_t lights;
	uint8_t key[KEYS_MOST];		/* usages of those that are down, in order */
	uint32_t keys;
};

/* Scan codes of the second table; those of the first one are Linux's codes, but for one. */
static const struct { uint8_t code, scan; } seconds[] = {
	{ 96, 0x1c }, { 97, 0x1d }, { 98, 0x35 }, { 99, 0x37 }, { 100, 0x38 }, { 102, 0x47 }, { 103, 0x48 }, { 104, 0x49 },
	{ 105, 0x4b }, { 106, 0x4d }, { 107, 0x4f }, { 108, 0x50 }, { 109, 0x51 }, { 110, 0x52 }, { 111, 0x53 }, { 119, 0x46 },
	{ 125, 0x5b }, { 126, 0x5c }, { 127, 0x5d },
};
#define SECONDS (sizeof seconds / sizeof seconds[0])
#define LAST_OF_FIRST 0x58u
#define KP_EQUALS      117u
#define KP_EQUALS_SCAN 0x59u

/* 0: it has none. */
static unsigned scan_of(unsigned code, bool *second)
{
	*second = false;
	if (code <= LAST_OF_FIRST || code == KP_EQUALS)
		return code == KP_EQUALS ? KP_EQUALS_SCAN : code;
	*second = true;
	for (unsigned i = 0; i < SECONDS; i++)
		if (seconds[i].code == code)
			return seconds[i].scan;
	return 0;
}

static unsigned code_of(unsigned scan, bool second)
{
	for (unsigned i = 0; second && i < SECONDS; i++)
		if (seconds[i].scan == scan)
			return seconds[i].code;
	return second ? 0 : scan == KP_EQUALS_SCAN ? KP_EQUALS : scan <= LAST_OF_FIRST ? scan : 0;
}

/* ---- What happens ---- */

static void put_key(struct keyboard *k, const struct act *e)
{
	bool second;
	unsigned scan = scan_of(e->code, &second);

	if (!scan || k->hid.count + 1 + second > HID_QUEUE)
		return;
	if (second) {
		k->scan[hid_slot(&k->hid, k->hid.count)] = SCAN_MORE;
		k->hid.count++;
	}
	k->scan[hid_slot(&k->hid, k->hid.count)] = scan | (e->value ? 0 : SCAN_UP);
	hid_happened(&k->hid);
}

static void keyboard_act(struct device *dev, const struct act *acts, unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		put_key((struct keyboard *)dev, &acts[i]);
}

/* ---- Reports ---- */

static void set_key(struct keyboard *k, uint8_t usage, bool down)
{
	unsigned i = 0;

	while (i < k->keys && k->key[i] != usage)
		i++;
	if (down && i == k->keys && k->keys < KEYS_MOST) {
		k->key[k->keys++] = usage;
	} else if (!down && i < k->keys) {
		k->key[i] = k->key[--k->keys];
		k->key[k->keys] = 0;
	}
}

static void take_scan(struct keyboard *k)
{
	uint32_t scan = k->scan[k->hid.head];
	bool second = k->modifiers & MORE;
	unsigned usage;

	hid_taken(&k->hid);
	k->modifiers &= 0xff;
	if (scan == SCAN_MORE) {
		k->modifiers |= MORE;
		return;
	}
	usage = key_usage(code_of(scan & ~SCAN_UP, second));
	if (usage >= 0xe0 && scan & SCAN_UP)
		k->modifiers &= (uint16_t)~(1u << (usage - 0xe0));
	else if (usage >= 0xe0)
		k->modifiers |= (uint16_t)(1u << (usage - 0xe0));
	else if (usage)
		set_key(k, (uint8_t)usage, !(scan & SCAN_UP));
}

static unsigned keyboard_report(struct hid *hid, uint8_t report[HID_REPORT_MOST])
{
	struct keyboard *k = (struct keyboard *)hid;

	if (hid->count)
		take_scan(k);
	memset(report, 0, HID_REPORT_MOST);
	report[0] = (uint8_t)k->modifiers;
	if (k->keys > REPORT_KEYS)
		memset(report + 2, TOO_MANY, REPORT_KEYS);
	else
		memcpy(report + 2, k->key, k->keys);
	return HID_REPORT_MOST;
}

static void keyboard_lights(struct hid *hid, uint8_t lights) { ((struct keyboard *)hid)->lights = lights; }

static void keyboard_clear(struct hid *hid)
{
	struct keyboard *k = (struct keyboard *)hid;

	memset(k->scan, 0, sizeof k->scan);
	memset(k->key, 0, sizeof k->key);
	k->keys = k->modifiers = k->lights = 0;
}

/* ---- What it says of itself ---- */

static const uint8_t description[] = {
	0x05, 0x01, 0x09, 0x06, 0xa1, 0x01,		/* a keyboard: */
	0x75, 0x01, 0x95, 0x08, 0x05, 0x07, 0x19, 0xe0, 0x29, 0xe7, 0x15, 0x00, 0x25, 0x01, 0x81, 0x02,	/* 8 bits of modifiers */
	0x95, 0x01, 0x75, 0x08, 0x81, 0x01,		/* a byte that means nothing */
	0x95, 0x05, 0x75, 0x01, 0x05, 0x08, 0x19, 0x01, 0x29, 0x05, 0x91, 0x02,	/* out: 5 lights */
	0x95, 0x01, 0x75, 0x03, 0x91, 0x01,
	0x95, 0x06, 0x75, 0x08, 0x15, 0x00, 0x25, 0xff, 0x05, 0x07, 0x19, 0x00, 0x29, 0xff, 0x81, 0x00,	/* 6 keys */
	0xc0,
};

enum { TEXT_VENDOR = 1, TEXT_PRODUCT = 4, TEXT_CONFIG = 8, TEXT_SERIAL = 11 };
static const struct usb_text texts[] = {
	{ TEXT_VENDOR, "QEMU" }, { TEXT_PRODUCT, "QEMU USB Keyboard" }, { TEXT_CONFIG, "HID Keyboard" }, { 0, NULL },
};

static const uint8_t full_config[] = HID_CONFIG(TEXT_CONFIG, 1, 1, 0x111, sizeof description, 8, 10);
static const uint8_t high_config[] = HID_CONFIG(TEXT_CONFIG, 1, 1, 0x111, sizeof description, 8, 7);
static const struct usb_shape full = { 0x100, 8, full_config, sizeof full_config }, high = { 0x200, 64, high_config, sizeof high_config };

static const struct usb_kind keyboard_usb = {
	.vendor = 0x0627, .product = 1, .text_vendor = TEXT_VENDOR, .text_product = TEXT_PRODUCT, .text_serial = TEXT_SERIAL,
	.texts = texts, .serial = "68284", .shape = { [USB_FULL] = &full, [USB_HIGH] = &high },
	.request = hid_request, .in = hid_in, .out = hid_out, .reset = hid_port_reset,
};

static const struct hid_kind keyboard_hid = {
	.description = description, .description_bytes = sizeof description, .protocol = 1,
	.report = keyboard_report, .lights = keyboard_lights, .clear = keyboard_clear,
};

/* ---- Its life ---- */

static bool keyboard_init(struct device *dev, struct error *err)
{
	return hid_init(hid_of(dev), &keyboard_usb, &keyboard_hid, err);
}

static void keyboard_reset(struct device *dev) { hid_reset(hid_of(dev)); }

static const struct device_property keyboard_properties[] = {
	USB_PROPERTIES(struct keyboard, hid.usb),
	{ .name = NULL },
};

static bool keyboard_check(const void *s, struct vms_walk *w)
{
	const struct keyboard *k = s;

	return k->hid.head < HID_QUEUE || vms_wrong(w, "head", k->hid.head, "below %u", HID_QUEUE);
}

static const struct vmstate keyboard_hid_state = {
	.name = "HIDKeyboardDevice", .version = 1, .min_version = 1, VMS_OF(struct keyboard), .check = keyboard_check,
	.fields = VMS_FIELDS(
		VMS_MANY("kbd.keycodes", struct keyboard, scan, uint32_t, vms_u32),
		VMS_U32_AS("head", struct keyboard, hid.head), VMS_U32_AS("n", struct keyboard, hid.count, VMS_MOST(HID_QUEUE)),
		VMS_U16_AS("kbd.modifiers", struct keyboard, modifiers), VMS_U8_AS("kbd.leds", struct keyboard, lights),
		VMS_MANY("kbd.key", struct keyboard, key, uint8_t, vms_u8), VMS_U32_AS("kbd.keys", struct keyboard, keys, VMS_MOST(KEYS_MOST)),
		HID_TAIL(struct keyboard)),
};

static const struct vmstate keyboard_state = {
	.name = "usb-kbd", .version = 1, .min_version = 1, VMS_OF(struct keyboard),
	.fields = VMS_FIELDS(
		VMS_STRUCT("dev", struct keyboard, hid.usb, struct usb_device, usb_device_state),
		VMS_PART("hid", keyboard_hid_state)),
};

static const struct vmstate keyboard_own_state = {
	.name = "cede/usb-kbd", .version = 1, .min_version = 1, VMS_OF(struct keyboard),
	.fields = VMS_FIELDS(HID_OWN(struct keyboard)),
};

const struct device_class usb_kbd_class = {
	.name = "usb-kbd", .help = "keyboard", .size = sizeof(struct keyboard), .on = &usb_bus, .pluggable = true,
	.properties = keyboard_properties, .init = keyboard_init, .reset = keyboard_reset, .loaded = hid_loaded,
	.act_kinds = 1u << ACT_KEY, .act = keyboard_act, .state = &keyboard_state, .own_state = &keyboard_own_state,
};

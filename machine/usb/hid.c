#include "machine/usb/hid.h"

#include <string.h>

#include "machine/core/clock.h"
#include "machine/core/timers.h"

#define IDLE_NS UINT64_C(4000000)

static void set_idle(struct hid *hid)
{
	struct machine *m = hid->usb.dev.machine;

	hid->idle_due = false;
	event_cancel(m, &hid->timer);
	if (hid->idle)
		event_schedule(m, &hid->timer, machine_now(m) + ns_to_cycles(IDLE_NS * hid->idle));
}

static void idle_over(void *dev)
{
	struct hid *hid = hid_of(dev);

	hid->idle_due = true;
	usb_wake(&hid->usb, 1, true);
}

bool hid_init(struct hid *hid, const struct usb_kind *usb, const struct hid_kind *kind, struct error *err)
{
	hid->kind = kind;
	timer_init(&hid->usb.dev, &hid->timer, "idle", idle_over);
	return usb_init(&hid->usb, usb, err);
}

void hid_reset(struct hid *hid)
{
	hid->head = hid->count = 0;
	hid->protocol = hid->kind->protocol;
	hid->idle = 0;
	set_idle(hid);
	hid->kind->clear(hid);
}

void hid_port_reset(struct usb_device *usb) { hid_reset((struct hid *)usb); }

void hid_taken(struct hid *hid)
{
	hid->head = hid_slot(hid, 1);
	hid->count--;
}

void hid_happened(struct hid *hid)
{
	hid->count++;
	usb_wake(&hid->usb, 1, true);
}

void hid_loaded(struct device *dev, bool foreign)
{
	struct hid *hid = hid_of(dev);

	usb_loaded(&hid->usb, foreign);
	if (foreign)
		set_idle(hid);
}

/* ---- Transfers ---- */

int64_t hid_in(struct usb_device *usb, unsigned endpoint, struct usb_memory *m)
{
	struct hid *hid = (struct hid *)usb;
	uint8_t report[HID_REPORT_MOST] = { 0 };
	uint32_t n;

	if (endpoint != 1)
		return USB_STALL;
	if (!hid->count && !hid->idle_due)
		return USB_NAK;
	set_idle(hid);
	n = hid->kind->report(hid, report);
	n = n < m->bytes ? n : m->bytes;
	return m->give(m, 0, report, n) ? (int64_t)n : USB_FAULT;
}

int64_t hid_out(struct usb_device *usb, unsigned endpoint, struct usb_memory *m)
{
	(void)usb;
	(void)endpoint;
	(void)m;
	return USB_STALL;
}

/* ---- Requests ---- */

enum { GET_REPORT = 1, GET_IDLE = 2, GET_PROTOCOL = 3, GET_DESCRIPTOR = 6, SET_REPORT = 9, SET_IDLE = 10, SET_PROTOCOL = 11 };
#define ASKS  (USB_IN | USB_CLASS | USB_TO_INTERFACE)
#define TELLS (USB_CLASS | USB_TO_INTERFACE)
#define WORD(type, request) ((type) << 8 | (request))

int32_t hid_request(struct usb_device *usb, const struct usb_request *r, uint8_t *data)
{
	struct hid *hid = (struct hid *)usb;

	switch (WORD(r->type, r->request)) {
	case WORD(USB_IN | USB_TO_INTERFACE, GET_DESCRIPTOR):
		if (r->value >> 8 != 0x22)
			return USB_STALL;
		memcpy(data, hid->kind->description, hid->kind->description_bytes);
		return hid->kind->description_bytes;
	case WORD(ASKS, GET_REPORT): return (int32_t)hid->kind->report(hid, data);
	case WORD(TELLS, SET_REPORT):
		if (!hid->kind->lights)
			return USB_STALL;
		if (r->length)
			hid->kind->lights(hid, data[0]);
		return 0;
	case WORD(ASKS, GET_PROTOCOL):
		data[0] = (uint8_t)hid->protocol;
		return 1;
	case WORD(TELLS, SET_PROTOCOL):
		hid->protocol = r->value & 1;
		return 0;
	case WORD(ASKS, GET_IDLE):
		data[0] = hid->idle;
		return 1;
	case WORD(TELLS, SET_IDLE):
		hid->idle = (uint8_t)(r->value >> 8);
		set_idle(hid);
		return 0;
	default: return USB_STALL;
	}
}

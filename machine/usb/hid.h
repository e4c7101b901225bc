/* What keyboards and pointers on a USB have in common: their requests, and a report when there is something new or when the
 * driver wants one from time to time. Sources: Device Class Definition for HID 1.11, 7.2; the state is QEMU's. */
#ifndef MACHINE_USB_HID_H
#define MACHINE_USB_HID_H

#include "machine/usb/usb.h"

#define HID_QUEUE 16u			/* entries of what has happened and is not told yet */
#define HID_REPORT_MOST 8u

struct hid;

struct hid_kind {
	const uint8_t *description;	/* of its reports */
	uint16_t description_bytes;
	uint8_t protocol;		/* after a reset: 1, the description's */
	unsigned (*report)(struct hid *hid, uint8_t report[HID_REPORT_MOST]);	/* the next one; its bytes */
	void (*lights)(struct hid *hid, uint8_t lights);	/* NULL: it has none */
	void (*clear)(struct hid *hid);		/* what is its own, as after a reset of its port */
};

struct hid {
	struct usb_device usb;
	const struct hid_kind *kind;
	uint32_t head, count;		/* of the queue */
	uint32_t protocol;
	uint8_t idle;			/* a report is due after so many times 4 ms; 0: never */
	bool idle_due;
	struct event timer;
};

static inline struct hid *hid_of(struct device *dev) { return (struct hid *)dev; }
static inline unsigned hid_slot(const struct hid *hid, unsigned n) { return (hid->head + n) % HID_QUEUE; }

bool hid_init(struct hid *hid, const struct usb_kind *usb, const struct hid_kind *kind, struct error *err);
void hid_reset(struct hid *hid);
void hid_taken(struct hid *hid);	/* the queue's first entry goes */
void hid_happened(struct hid *hid);	/* there is one more: the driver is told */
void hid_loaded(struct device *dev, bool foreign);	/* device_class.loaded */

/* For a usb_kind. */
int32_t hid_request(struct usb_device *usb, const struct usb_request *r, uint8_t *data);
int64_t hid_in(struct usb_device *usb, unsigned endpoint, struct usb_memory *m);
int64_t hid_out(struct usb_device *usb, unsigned endpoint, struct usb_memory *m);
void hid_port_reset(struct usb_device *usb);

/* A configuration with one interface and one endpoint of 8 (or 4) bytes, at one speed. */
#define HID_CONFIG(text, subclass, protocol, version, description_bytes, packet, interval) { \
	9, 2, 34, 0, 1, 1, text, 0xa0, 50, \
	9, 4, 0, 0, 1, 3, subclass, protocol, 0, \
	9, 0x21, (version) & 0xff, (version) >> 8, 0, 1, 0x22, description_bytes, 0, \
	7, 5, 0x81, 3, packet, 0, interval }

/* Rows for a state and an own state. S: a struct whose first member `hid` is this. */
#define HID_OWN(S) \
	VMS_PART("usb", usb_own_state), VMS_ONE("idle_due", S, hid.idle_due, bool, vms_bool), \
	VMS_SKIP(S, hid.kind, "what it is"), VMS_ELSEWHERE(S, hid.timer, "cede/timers")
#define HID_TAIL(S) \
	VMS_U32_AS("protocol", S, hid.protocol, VMS_MOST(1)), VMS_U8_AS("idle", S, hid.idle)

#endif

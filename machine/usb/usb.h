/* USB: devices on the bus of a host controller. What a device does is its own file's; its address, descriptors, the requests
 * that all answer and the device's place on the bus are kept here. Devices know no controller: a transfer is bytes that the
 * guest's memory has or has room for.
 * Sources: Universal Serial Bus Specification 2.0, 8 and 9; USB 3.0, 9. Names, ports and descriptors are QEMU's. */
#ifndef MACHINE_USB_USB_H
#define MACHINE_USB_USB_H

#include "machine/core/device.h"

#define USB_PORTS_MOST   15u		/* of a bus */
#define USB_CONTROL_MOST 4096u		/* bytes of a control transfer's data */
#define USB_ENDPOINTS    16u

enum usb_speed { USB_NO_SPEED, USB_FULL, USB_LOW, USB_HIGH, USB_SUPER };	/* as a port's register has them */

/* What becomes of a transfer, if it is no number of bytes. */
enum usb_result {
	USB_NAK   = -1,			/* the device is not ready: it says when it is, usb_wake() */
	USB_STALL = -2,
	USB_FAULT = -3,			/* the guest's memory is not there */
};

/* First byte of a request: where to, and whose. */
#define USB_IN           0x80u
#define USB_CLASS        0x20u
#define USB_TO_INTERFACE 0x01u
#define USB_TO_ENDPOINT  0x02u

struct usb_request {
	uint8_t type, request;
	uint16_t value, index, length;	/* length: of the data */
};

/* A transfer's memory; functions are the controller's. False: it is not there. */
struct usb_memory {
	uint32_t bytes;			/* data, or room */
	bool (*take)(struct usb_memory *m, uint32_t at, void *buf, uint32_t n);
	bool (*give)(struct usb_memory *m, uint32_t at, const void *buf, uint32_t n);
};

struct usb_device;

/* One text each, ended by NULL; a string descriptor's number is its place, from 1 on. */
struct usb_text { uint8_t number; const char *text; };

/* A device at one of the speeds it can have. */
struct usb_shape {
	uint16_t version;		/* bcdUSB */
	uint8_t packet;			/* bMaxPacketSize0 */
	const uint8_t *config;		/* the whole configuration */
	uint16_t config_bytes;
};

struct usb_kind {
	uint16_t vendor, product;
	uint8_t text_vendor, text_product, text_serial;
	const struct usb_text *texts;
	const char *serial;		/* what its serial number begins with */
	const struct usb_shape *shape[USB_SUPER + 1];	/* NULL: it has no such speed */
	/* Requests of its class and others that usb_control() does not know. Bytes of `data` that are an answer, at most
	 * r->length; 0 if there is none; or USB_STALL. */
	int32_t (*request)(struct usb_device *usb, const struct usb_request *r, uint8_t *data);
	/* A transfer of an endpoint (1 to 15): how many bytes went, or enum usb_result. All of it at once, or nothing. */
	int64_t (*in)(struct usb_device *usb, unsigned endpoint, struct usb_memory *m);
	int64_t (*out)(struct usb_device *usb, unsigned endpoint, struct usb_memory *m);
	void (*reset)(struct usb_device *usb);	/* by the port; NULL: nothing */
};

/* First member of every USB device. */
struct usb_device {
	struct device dev;
	const struct usb_kind *kind;
	const char *port_name;		/* property; NULL: the first port that is free */
	const char *serial;		/* property; NULL: from its place */
	uint8_t port;			/* 1 to USB_PORTS_MOST */
	enum usb_speed speed;		/* what port and device have in common */
	uint8_t address, configuration;	/* 0: none yet */
	bool is_default;		/* the port has reset it */
	bool remote_wakeup;
};

/* What a controller does for its bus. Speeds: a bit for each. */
struct usb_host {
	void (*woken)(struct device *host, unsigned port, unsigned endpoint, bool in);
	void (*plugged)(struct device *host, const struct usb_device *usb, bool comes);	/* it has come, or goes */
};
struct usb_bus_state {
	const struct usb_host *host;
	unsigned ports;
	unsigned speeds[USB_PORTS_MOST + 1];
};

extern const struct bus_class usb_bus;
/* In the controller's init(): device.carries becomes `bus`. */
void usb_bus_init(struct device *host, struct usb_bus_state *bus, const struct usb_host *functions);
struct usb_device *usb_at(const struct device *host, unsigned port);	/* NULL: none */

/* In a device's init(). False and err->msg set: its port has no speed that it has. */
bool usb_init(struct usb_device *usb, const struct usb_kind *kind, struct error *err);
/* In its reset(), and for the controller: as after a reset of its port. */
void usb_power_on(struct usb_device *usb);
void usb_port_reset(struct usb_device *usb);

/* A control transfer: `data` has room for USB_CONTROL_MOST bytes, and r->length of them come in if it goes out. Result as
 * usb_kind.request's. */
int32_t usb_control(struct usb_device *usb, const struct usb_request *r, uint8_t *data);
/* An endpoint that had nothing, or could take nothing, has or can. */
void usb_wake(struct usb_device *usb, unsigned endpoint, bool in);

/* After a load. QEMU does not say which configuration is set: an addressed device has one. */
void usb_loaded(struct usb_device *usb, bool foreign);
extern const struct vmstate usb_device_state;	/* QEMU's "USBDevice". Of struct usb_device */
extern const struct vmstate usb_own_state;	/* what QEMU has no place for */

#define USB_PROPERTIES(S, usb_) \
	{ .name = "serial", .help = "serial number", .type = PROPERTY_STRING, .settable = true, .offset = offsetof(S, usb_.serial) }

#endif

/* Between the files of the xHCI controller: registers (xhci.c), rings and events (xhci_ring.c), commands (xhci_command.c),
 * transfers (xhci_transfer.c), what is saved (xhci_state.c).
 * Source: eXtensible Host Controller Interface for Universal Serial Bus, 1.1; numbers and limits are QEMU's. */
#ifndef MACHINE_USB_XHCI_H
#define MACHINE_USB_XHCI_H

#include "machine/pci/pci.h"
#include "machine/usb/usb.h"

#define XHCI_PORTS      (2 * USB_PORTS_MOST)	/* of the root hub: each of the bus is one for USB 2 and one for USB 3 */
#define XHCI_SLOTS      64u
#define XHCI_INTERRUPTS 16u
#define XHCI_ENDPOINTS  31u		/* of a slot, from 1 on: twice the endpoint's number, and 1 if it is in */
#define XHCI_TD_MOST    1024u		/* TRBs of a transfer */
#define XHCI_SERVED     256u		/* TDs and commands that one doorbell has served at once, at most */

/* ---- TRBs: 16 bytes, little-endian ---- */

struct trb {
	uint64_t parameter;
	uint32_t status, control;
	uint64_t at;			/* where it lies */
};
enum trb_type {
	TRB_NORMAL = 1, TRB_SETUP = 2, TRB_DATA = 3, TRB_STATUS = 4, TRB_LINK = 6, TRB_EVENT_DATA = 7, TRB_NOOP = 8,
	TRB_ENABLE_SLOT = 9, TRB_DISABLE_SLOT = 10, TRB_ADDRESS = 11, TRB_CONFIGURE = 12, TRB_EVALUATE = 13, TRB_RESET_ENDPOINT = 14,
	TRB_STOP_ENDPOINT = 15, TRB_SET_DEQUEUE = 16, TRB_RESET_DEVICE = 17, TRB_BANDWIDTH = 21, TRB_NOOP_COMMAND = 23,
	TRB_TRANSFER_EVENT = 32, TRB_COMMAND_EVENT = 33, TRB_PORT_EVENT = 34, TRB_HOST_EVENT = 37, TRB_WRAP_EVENT = 39,
	TRB_NEC_EVENT = 48, TRB_NEC_FIRMWARE = 49,
};
#define TRB_CYCLE      0x001u
#define TRB_TOGGLE     0x002u		/* of a link: the ring goes on with the other cycle */
#define TRB_ISP        0x004u		/* an event if less has come */
#define TRB_CHAIN      0x010u
#define TRB_IOC        0x020u
#define TRB_IMMEDIATE  0x040u		/* data is the parameter */
#define TRB_BLOCK_SET  0x200u		/* of a command: no request to the device; or the endpoints go */
static inline unsigned trb_type(const struct trb *t) { return t->control >> 10 & 0x3f; }
static inline uint32_t trb_length(const struct trb *t) { return t->status & 0x1ffff; }

enum completion {
	CC_SUCCESS = 1, CC_DATA_BUFFER = 2, CC_TRANSACTION = 4, CC_TRB = 5, CC_STALL = 6, CC_RESOURCE = 7, CC_NO_SLOTS = 9,
	CC_NO_SLOT = 11, CC_NO_ENDPOINT = 12, CC_SHORT = 13, CC_PARAMETER = 17, CC_CONTEXT_STATE = 19, CC_EVENT_RING_FULL = 21,
	CC_RING_STOPPED = 24, CC_STOPPED = 26,
};

/* ---- State ---- */

struct xhci_ring { uint64_t dequeue; bool cycle; };

enum endpoint_type { EP_BULK_OUT = 2, EP_INTERRUPT_OUT = 3, EP_CONTROL = 4, EP_BULK_IN = 6, EP_INTERRUPT_IN = 7 };
enum endpoint_state { EP_DISABLED, EP_RUNNING, EP_HALTED, EP_STOPPED, EP_ERROR };

struct xhci_endpoint {
	uint8_t slot, id;		/* from 1 on */
	uint8_t type, state;
	uint64_t context;		/* bus address, of the device's context */
	struct xhci_ring ring;
	bool pending;			/* its ring is to be looked at */
	struct xhci_endpoint *next;
};

enum slot_state { SLOT_DEFAULT = 1, SLOT_ADDRESSED = 2, SLOT_CONFIGURED = 3 };

struct xhci_slot { bool enabled, addressed; };
struct xhci_place {			/* of an addressed slot */
	uint8_t port;			/* of the bus; 0: none yet */
	uint64_t context;		/* bus address of the device's context */
};
struct xhci_port { uint32_t portsc; };

struct xhci_interrupter {
	uint32_t iman, imod, erstsz, erstba_low, erstba_high, erdp_low, erdp_high;
	bool msix_used;			/* as QEMU knows it: messages are on, and wanted */
	bool cycle;
	uint64_t start;			/* of the ring's only segment */
	uint32_t size, index;		/* entries; the next one */
};

struct xhci_td {
	unsigned n;
	struct trb trb[XHCI_TD_MOST];
	struct xhci_ring behind;	/* the ring behind it */
};

struct xhci {
	struct pci_device pci;
	struct usb_bus_state bus;
	/* Properties */
	uint32_t p2, p3, slots, intrs;
	bool nec;			/* nec-usb-xhci; follows from the class */

	uint32_t ports;			/* p2 + p3 */
	struct xhci_port port[XHCI_PORTS];
	struct xhci_slot slot[XHCI_SLOTS];
	struct xhci_place place[XHCI_SLOTS];
	struct xhci_interrupter intr[XHCI_INTERRUPTS];
	struct xhci_endpoint *endpoints;	/* in order of making */
	uint32_t usbcmd, usbsts, dnctrl, crcr_low, crcr_high, dcbaap_low, dcbaap_high, config;
	int64_t mfindex_start;		/* ns since power-on */
	struct xhci_ring commands;
	bool command_pending;
	struct event later;		/* what is pending goes on */

	bool busy;			/* within a call */
	struct xhci_td *td;		/* the one that is looked at, within a call */
};

#define CMD_RUN       0x001u
#define CMD_RESET     0x002u
#define CMD_INTERRUPT 0x004u
#define CMD_SAVE      0x100u
#define CMD_RESTORE   0x200u
#define STS_HALTED    0x0001u
#define STS_HOST_ERROR 0x0004u
#define STS_EVENT     0x0008u
#define STS_PORT      0x0010u
#define STS_RESTORE_ERROR 0x0400u
#define STS_DIED      0x1000u
#define CRCR_STOP     0x02u
#define CRCR_ABORT    0x04u
#define CRCR_RUNNING  0x08u

static inline bool xhci_running(const struct xhci *x) { return !(x->usbsts & (STS_HALTED | STS_DIED)); }
static inline uint64_t xhci_address(uint32_t low, uint32_t high) { return (uint64_t)high << 32 | low; }
static inline struct device *xhci_device(struct xhci *x) { return &x->pci.dev; }

/* ---- Ports: 1 to x->ports ---- */

unsigned xhci_port_of(const struct xhci *x, unsigned number, bool *super);	/* the bus's; 0: there is none */
struct usb_device *xhci_at(const struct xhci *x, unsigned number);	/* NULL: none there, or it is at the other speed */
struct usb_device *xhci_plugged(const struct xhci *x, unsigned number);	/* whatever its speed */

/* ---- Memory: 32-bit little-endian words. False: it is not there ---- */

bool xhci_load_words(struct xhci *x, uint64_t at, uint32_t *words, unsigned n);
bool xhci_store_words(struct xhci *x, uint64_t at, const uint32_t *words, unsigned n);

/* ---- Rings ---- */

enum fetch { FETCH_NONE, FETCH_TRB, FETCH_BAD };
enum fetch xhci_fetch(struct xhci *x, struct xhci_ring *ring, struct trb *trb);	/* the next one that is no link; the ring is behind it */

struct xhci_event { enum trb_type type; enum completion code; uint64_t pointer; uint32_t length, flags; uint8_t slot, endpoint; };
void xhci_event(struct xhci *x, const struct xhci_event *event, unsigned interrupter);
bool xhci_has_room(const struct xhci *x);	/* each ring of events that there is has some */
void xhci_event_ring(struct xhci *x, unsigned interrupter);	/* the guest has said where it is */
void xhci_erdp(struct xhci *x, unsigned interrupter, uint32_t value);
void xhci_show_pin(struct xhci *x);		/* the first interrupter's, without messages */
void xhci_die(struct xhci *x, const char *why);	/* the guest has done what no driver does */

/* ---- What is pending ---- */

void xhci_serve(struct xhci *x);		/* all, or so much of it as may be done at once */
void xhci_run_commands(struct xhci *x, unsigned *left);

struct xhci_endpoint *xhci_endpoint(const struct xhci *x, unsigned slot, unsigned id);	/* NULL: it is disabled */
struct xhci_endpoint *xhci_endpoint_new(struct xhci *x, unsigned slot, unsigned id);	/* NULL: no memory */
void xhci_endpoint_drop(struct xhci *x, unsigned slot, unsigned id);
void xhci_endpoints_drop(struct xhci *x, unsigned slot, unsigned from);	/* those of a slot; slot 0: all */
void xhci_endpoint_state(struct xhci *x, struct xhci_endpoint *ep, enum endpoint_state state);	/* and the guest's context */
void xhci_endpoint_stopped(struct xhci *x, const struct xhci_endpoint *ep);	/* an event about the transfer it was at */
void xhci_run_endpoint(struct xhci *x, struct xhci_endpoint *ep, unsigned *left);

void xhci_slot_drop(struct xhci *x, unsigned slot);
void xhci_after_load(struct device *dev, bool foreign);
extern const struct vmstate xhci_state, xhci_own_state;

#endif

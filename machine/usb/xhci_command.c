/* Commands: slots, addresses, endpoints. Contexts are 32 bytes each, in the guest's memory: an input context is a word of what
 * is dropped, one of what is added, a slot's context and one for each endpoint; a device's context begins with the slot's. */
#include <string.h>

#include "machine/usb/xhci.h"

#define CONTEXT 32u
#define WORK_OF_COMMAND 1024u

struct command {
	struct trb trb;
	unsigned slot, endpoint;	/* slot: 1 to XHCI_SLOTS, if it is checked */
	struct xhci_event *event;
};

static uint64_t input_of(const struct command *c) { return c->trb.parameter & ~UINT64_C(15); }
static struct xhci_slot *slot_of(struct xhci *x, const struct command *c) { return &x->slot[c->slot - 1]; }

static struct xhci_place *place_of(struct xhci *x, const struct command *c) { return &x->place[c->slot - 1]; }

static void set_slot_state(uint32_t slot[4], enum slot_state state) { slot[3] = (slot[3] & ~(31u << 27)) | (uint32_t)state << 27; }
static enum slot_state slot_state(const uint32_t slot[4]) { return (enum slot_state)(slot[3] >> 27); }

/* ---- Slots ---- */

void xhci_slot_drop(struct xhci *x, unsigned slot)
{
	xhci_endpoints_drop(x, slot, 1);
	x->slot[slot - 1] = (struct xhci_slot){ .enabled = false };
	x->place[slot - 1] = (struct xhci_place){ .port = 0 };
}

static enum completion enable_slot(struct xhci *x, const struct command *c)
{
	for (unsigned i = 0; i < x->slots; i++)
		if (!x->slot[i].enabled) {
			x->slot[i].enabled = true;
			c->event->slot = (uint8_t)(i + 1);
			return CC_SUCCESS;
		}
	return CC_NO_SLOTS;
}

static enum completion disable_slot(struct xhci *x, const struct command *c)
{
	xhci_slot_drop(x, c->slot);
	return CC_SUCCESS;
}

/* ---- Endpoints ---- */

/* An endpoint's number says its direction, and so does its type. */
static bool type_fits(unsigned id, unsigned type)
{
	if (id == 1)
		return type == EP_CONTROL;
	return id & 1 ? type == EP_BULK_IN || type == EP_INTERRUPT_IN : type == EP_BULK_OUT || type == EP_INTERRUPT_OUT;
}

/* From its context, which becomes that of a running endpoint, and is the guest's to read at `context`. */
static enum completion enable_endpoint(struct xhci *x, unsigned slot, unsigned id, uint64_t context, uint32_t ep[5])
{
	unsigned type = ep[1] >> 3 & 7, streams = ep[0] >> 10 & 31;
	struct xhci_endpoint *e;

	xhci_endpoint_drop(x, slot, id);
	if (!type_fits(id, type))
		return CC_TRB;
	e = streams ? NULL : xhci_endpoint_new(x, slot, id);
	if (!e)
		return CC_RESOURCE;
	e->type = (uint8_t)type;
	e->state = EP_RUNNING;
	e->context = context;
	e->ring = (struct xhci_ring){ xhci_address(ep[2] & ~15u, ep[3]), ep[2] & 1 };
	ep[0] = (ep[0] & ~7u) | EP_RUNNING;
	return xhci_store_words(x, context, ep, 5) ? CC_SUCCESS : CC_PARAMETER;
}

static struct usb_device *device_of(struct xhci *x, const uint32_t slot[4])
{
	return slot[0] & 0xfffff ? NULL : xhci_plugged(x, slot[1] >> 16 & 0xff);	/* a route: there are no hubs */
}

static bool has_another_slot(const struct xhci *x, unsigned slot, unsigned port)
{
	for (unsigned i = 0; i < x->slots; i++)
		if (i != slot - 1 && x->slot[i].addressed && x->place[i].port == port)
			return true;
	return false;
}

static void take_address(struct usb_device *usb, unsigned address)
{
	const struct usb_request r = { .request = 5, .value = (uint16_t)address };
	uint8_t nothing[1];

	usb->is_default = true;
	usb->address = 0;
	if (address)
		usb_control(usb, &r, nothing);
}

static enum completion address_device(struct xhci *x, const struct command *c)
{
	bool only_default = c->trb.control & TRB_BLOCK_SET;
	uint32_t control[2], slot[4], ep[5];
	struct usb_device *usb;
	enum completion code;
	uint64_t context;
	uint32_t at[2];

	if (!xhci_load_words(x, xhci_address(x->dcbaap_low, x->dcbaap_high) + 8 * c->slot, at, 2) ||
	    !xhci_load_words(x, input_of(c), control, 2) || !xhci_load_words(x, input_of(c) + CONTEXT, slot, 4) ||
	    !xhci_load_words(x, input_of(c) + 2 * CONTEXT, ep, 5))
		return CC_PARAMETER;
	context = xhci_address(at[0] & ~63u, at[1]);
	usb = device_of(x, slot);
	if (control[0] || control[1] != 3 || (usb && has_another_slot(x, c->slot, usb->port)))
		return CC_TRB;
	if (!usb)
		return CC_TRANSACTION;
	xhci_endpoints_drop(x, c->slot, 1);
	take_address(usb, only_default ? 0 : c->slot);
	code = enable_endpoint(x, c->slot, 1, context + CONTEXT, ep);
	if (code != CC_SUCCESS)
		return code;
	slot[3] = only_default ? 0 : c->slot;
	set_slot_state(slot, only_default ? SLOT_DEFAULT : SLOT_ADDRESSED);
	slot_of(x, c)->addressed = true;
	*place_of(x, c) = (struct xhci_place){ .port = usb->port, .context = context };
	return xhci_store_words(x, context, slot, 4) ? CC_SUCCESS : CC_PARAMETER;
}

static enum completion deconfigure(struct xhci *x, const struct command *c, uint32_t slot[4])
{
	xhci_endpoints_drop(x, c->slot, 2);
	set_slot_state(slot, SLOT_ADDRESSED);
	return xhci_store_words(x, place_of(x, c)->context, slot, 4) ? CC_SUCCESS : CC_PARAMETER;
}

static enum completion change_endpoint(struct xhci *x, const struct command *c, unsigned id, const uint32_t control[2])
{
	uint64_t context = place_of(x, c)->context + CONTEXT * id;
	uint32_t ep[5] = { 0 };

	if (control[0] >> id & 1) {
		xhci_endpoint_drop(x, c->slot, id);
		if (!xhci_store_words(x, context, ep, 1))
			return CC_PARAMETER;
	}
	if (!(control[1] >> id & 1))
		return CC_SUCCESS;
	if (!xhci_load_words(x, input_of(c) + CONTEXT * (id + 1), ep, 5))
		return CC_PARAMETER;
	return enable_endpoint(x, c->slot, id, context, ep);
}

static enum completion configure(struct xhci *x, const struct command *c)
{
	uint32_t control[2], wanted[4], slot[4];
	uint64_t context = place_of(x, c)->context;

	if (!slot_of(x, c)->addressed)
		return CC_CONTEXT_STATE;
	if (!xhci_load_words(x, context, slot, 4))
		return CC_PARAMETER;
	if (c->trb.control & TRB_BLOCK_SET)
		return deconfigure(x, c, slot);
	if (!xhci_load_words(x, input_of(c), control, 2) || !xhci_load_words(x, input_of(c) + CONTEXT, wanted, 4))
		return CC_PARAMETER;
	if (control[0] & 3 || (control[1] & 3) != 1)
		return CC_TRB;
	if (slot_state(slot) < SLOT_ADDRESSED)
		return CC_CONTEXT_STATE;
	for (unsigned id = 2; id <= XHCI_ENDPOINTS; id++) {
		enum completion code = change_endpoint(x, c, id, control);

		if (code != CC_SUCCESS)
			return code;
	}
	set_slot_state(slot, SLOT_CONFIGURED);
	slot[0] = (slot[0] & ~(31u << 27)) | (wanted[0] & 31u << 27);
	return xhci_store_words(x, context, slot, 4) ? CC_SUCCESS : CC_PARAMETER;
}

static enum completion evaluate(struct xhci *x, const struct command *c)
{
	uint32_t control[2], wanted[4], slot[4], ep[5];
	uint64_t context = place_of(x, c)->context;

	if (!slot_of(x, c)->addressed)
		return CC_CONTEXT_STATE;
	if (!xhci_load_words(x, input_of(c), control, 2) || !xhci_load_words(x, context, slot, 4))
		return CC_PARAMETER;
	if (control[0] || control[1] & ~3u)
		return CC_TRB;
	if (control[1] & 1) {		/* latency, interrupter */
		if (!xhci_load_words(x, input_of(c) + CONTEXT, wanted, 4))
			return CC_PARAMETER;
		slot[1] = (slot[1] & ~0xffffu) | (wanted[1] & 0xffff);
		slot[2] = (slot[2] & ~0xffc00000u) | (wanted[2] & 0xffc00000);
		xhci_store_words(x, context, slot, 4);
	}
	if (control[1] & 2) {		/* how many bytes a packet has */
		if (!xhci_load_words(x, input_of(c) + 2 * CONTEXT, wanted, 2) || !xhci_load_words(x, context + CONTEXT, ep, 5))
			return CC_PARAMETER;
		ep[1] = (ep[1] & 0xffff) | (wanted[1] & 0xffff0000);
		xhci_store_words(x, context + CONTEXT, ep, 5);
	}
	return CC_SUCCESS;
}

static enum completion reset_endpoint(struct xhci *x, const struct command *c)
{
	struct xhci_endpoint *ep = xhci_endpoint(x, c->slot, c->endpoint);

	if (!ep)
		return CC_NO_ENDPOINT;
	if (ep->state != EP_HALTED)
		return CC_CONTEXT_STATE;
	xhci_endpoint_state(x, ep, EP_STOPPED);
	return CC_SUCCESS;
}

static enum completion stop_endpoint(struct xhci *x, const struct command *c)
{
	struct xhci_endpoint *ep = xhci_endpoint(x, c->slot, c->endpoint);

	if (!ep)
		return CC_NO_ENDPOINT;
	if (ep->state != EP_RUNNING)
		return CC_CONTEXT_STATE;
	xhci_endpoint_stopped(x, ep);
	ep->pending = false;
	xhci_endpoint_state(x, ep, EP_STOPPED);
	return CC_SUCCESS;
}

static enum completion set_dequeue(struct xhci *x, const struct command *c)
{
	struct xhci_endpoint *ep = xhci_endpoint(x, c->slot, c->endpoint);

	if (!ep)
		return CC_NO_ENDPOINT;
	if (ep->state != EP_STOPPED && ep->state != EP_ERROR)
		return CC_CONTEXT_STATE;
	ep->ring = (struct xhci_ring){ c->trb.parameter & ~UINT64_C(15), c->trb.parameter & 1 };
	xhci_endpoint_state(x, ep, EP_STOPPED);
	return CC_SUCCESS;
}

static enum completion reset_device(struct xhci *x, const struct command *c)
{
	uint64_t context = place_of(x, c)->context;
	uint32_t slot[4];

	if (!slot_of(x, c)->addressed)
		return CC_CONTEXT_STATE;
	xhci_endpoints_drop(x, c->slot, 2);
	if (!xhci_load_words(x, context, slot, 4))
		return CC_PARAMETER;
	slot[3] = 0;
	set_slot_state(slot, SLOT_DEFAULT);
	return xhci_store_words(x, context, slot, 4) ? CC_SUCCESS : CC_PARAMETER;
}

/* All of it is there for each port; a byte for each, the first one means nothing. */
static enum completion bandwidth(struct xhci *x, const struct command *c)
{
	uint8_t percent[1 + XHCI_PORTS];

	memset(percent, 80, sizeof percent);
	percent[0] = 0;
	return pci_dma_write(&x->pci, input_of(c), percent, 1 + x->ports) ? CC_SUCCESS : CC_PARAMETER;
}

static enum completion nothing(struct xhci *x, const struct command *c)
{
	(void)x;
	(void)c;
	return CC_SUCCESS;
}

/* A version, which NEC's driver asks for. */
static enum completion nec_firmware(struct xhci *x, const struct command *c)
{
	if (!x->nec)
		return CC_TRB;
	c->event->type = TRB_NEC_EVENT;
	c->event->length = 0x3025;
	return CC_SUCCESS;
}

/* ---- The ring ---- */

enum { ABOUT_SLOT = 1 };		/* an enabled slot, named in the TRB */
static const struct command_row {
	uint8_t type, flags;
	enum completion (*run)(struct xhci *x, const struct command *c);
} rows[] = {
	{ TRB_ENABLE_SLOT, 0, enable_slot }, { TRB_DISABLE_SLOT, ABOUT_SLOT, disable_slot },
	{ TRB_ADDRESS, ABOUT_SLOT, address_device }, { TRB_CONFIGURE, ABOUT_SLOT, configure }, { TRB_EVALUATE, ABOUT_SLOT, evaluate },
	{ TRB_RESET_ENDPOINT, ABOUT_SLOT, reset_endpoint }, { TRB_STOP_ENDPOINT, ABOUT_SLOT, stop_endpoint },
	{ TRB_SET_DEQUEUE, ABOUT_SLOT, set_dequeue }, { TRB_RESET_DEVICE, ABOUT_SLOT, reset_device },
	{ TRB_BANDWIDTH, 0, bandwidth }, { TRB_NOOP_COMMAND, 0, nothing }, { TRB_NEC_FIRMWARE, 0, nec_firmware },
};

static enum completion run(struct xhci *x, struct command *c)
{
	for (unsigned i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		if (rows[i].type != trb_type(&c->trb))
			continue;
		if (rows[i].flags & ABOUT_SLOT) {
			c->event->slot = (uint8_t)c->slot;
			if (!c->slot || c->slot > x->slots)
				return CC_TRB;
			if (!x->slot[c->slot - 1].enabled)
				return CC_NO_SLOT;
		}
		return rows[i].run(x, c);
	}
	return CC_TRB;
}

void xhci_run_commands(struct xhci *x, unsigned *left)
{
	while (*left && x->command_pending && xhci_has_room(x)) {
		struct xhci_event e = { .type = TRB_COMMAND_EVENT };
		struct command c = { .event = &e };
		enum fetch f = FETCH_NONE;

		x->command_pending = false;
		if (xhci_running(x) && x->crcr_low & CRCR_RUNNING)
			f = xhci_fetch(x, &x->commands, &c.trb);
		if (f == FETCH_BAD)
			xhci_die(x, "a ring of commands that cannot be");
		if (f != FETCH_TRB)
			return;
		--*left;
		x->command_pending = true;
		x->pci.dev.machine->hcall_work += WORK_OF_COMMAND;
		c.slot = c.trb.control >> 24;
		c.endpoint = c.trb.control >> 16 & 31;
		e.pointer = c.trb.at;
		e.code = run(x, &c);
		xhci_event(x, &e, 0);
	}
}

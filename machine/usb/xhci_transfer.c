/* Endpoints: transfers (TDs) that lie on their rings, one at a time. Nothing of a TD is kept: until the device takes part it is
 * read again each time it is looked at, and then it is done as a whole. */
#include <stdlib.h>
#include <string.h>

#include "machine/usb/xhci.h"

#define WORK_OF_TD 512u			/* machine.hcall_work: as bytes that are copied in the same time */
#define EVENT_DATA 4u			/* flag of an event: its pointer is data */

/* ---- Endpoints ---- */

struct xhci_endpoint *xhci_endpoint(const struct xhci *x, unsigned slot, unsigned id)
{
	struct xhci_endpoint *ep = x->endpoints;

	while (ep && (ep->slot != slot || ep->id != id))
		ep = ep->next;
	return ep;
}

struct xhci_endpoint *xhci_endpoint_new(struct xhci *x, unsigned slot, unsigned id)
{
	struct xhci_endpoint **p = &x->endpoints, *ep = calloc(1, sizeof *ep);

	if (!ep)
		return NULL;
	while (*p)
		p = &(*p)->next;
	ep->slot = (uint8_t)slot;
	ep->id = (uint8_t)id;
	*p = ep;
	return ep;
}

static void drop_if(struct xhci *x, unsigned slot, unsigned from, unsigned to)
{
	struct xhci_endpoint **p = &x->endpoints, *ep;

	while ((ep = *p)) {
		if ((!slot || ep->slot == slot) && ep->id >= from && ep->id <= to) {
			*p = ep->next;
			free(ep);
		} else {
			p = &ep->next;
		}
	}
}

void xhci_endpoint_drop(struct xhci *x, unsigned slot, unsigned id) { drop_if(x, slot, id, id); }
void xhci_endpoints_drop(struct xhci *x, unsigned slot, unsigned from) { drop_if(x, slot, from, XHCI_ENDPOINTS); }

void xhci_endpoint_state(struct xhci *x, struct xhci_endpoint *ep, enum endpoint_state state)
{
	const uint32_t dequeue[2] = { (uint32_t)ep->ring.dequeue | ep->ring.cycle, (uint32_t)(ep->ring.dequeue >> 32) };
	uint32_t word;

	ep->state = (uint8_t)state;
	if (!xhci_load_words(x, ep->context, &word, 1))
		return;
	word = (word & ~7u) | (uint32_t)state;
	xhci_store_words(x, ep->context, &word, 1);
	xhci_store_words(x, ep->context + 8, dequeue, 2);
}

/* ---- TDs ---- */

/* All TRBs up to one without a chain; of a control endpoint up to the one for the status. */
static enum fetch read_td(struct xhci *x, const struct xhci_endpoint *ep, struct xhci_td *td)
{
	bool control = ep->type == EP_CONTROL, setup = false;
	struct trb *t;

	td->behind = ep->ring;
	for (td->n = 0; td->n < XHCI_TD_MOST;) {
		enum fetch f = xhci_fetch(x, &td->behind, &td->trb[td->n]);

		if (f != FETCH_TRB)
			return f;
		t = &td->trb[td->n++];
		setup = control && (trb_type(t) == TRB_SETUP || (setup && trb_type(t) != TRB_STATUS));
		if (!setup && !(t->control & TRB_CHAIN))
			return FETCH_TRB;
	}
	return FETCH_BAD;
}

static bool has_data(const struct trb *t) { return trb_type(t) == TRB_NORMAL || trb_type(t) == TRB_DATA; }

struct td_memory {
	struct usb_memory memory;	/* first */
	struct xhci *x;
};

static bool move_part(struct xhci *x, const struct trb *t, uint32_t at, uint8_t *buf, uint32_t n, bool in)
{
	if (!(t->control & TRB_IMMEDIATE))
		return in ? pci_dma_write(&x->pci, t->parameter + at, buf, n) : pci_dma_read(&x->pci, t->parameter + at, buf, n);
	if (in || at + n > sizeof t->parameter)
		return false;
	for (uint32_t i = 0; i < n; i++)
		buf[i] = (uint8_t)(t->parameter >> 8 * (at + i));
	return true;
}

/* Bytes of the TD's data, at most all of it. */
static bool move(struct usb_memory *memory, uint32_t at, uint8_t *buf, uint32_t n, bool in)
{
	struct xhci *x = ((struct td_memory *)memory)->x;

	x->pci.dev.machine->hcall_work += n;
	for (unsigned i = 0; i < x->td->n && n; i++) {
		const struct trb *t = &x->td->trb[i];
		uint32_t length = has_data(t) ? trb_length(t) : 0, part;

		if (at >= length) {
			at -= length;
			continue;
		}
		part = length - at < n ? length - at : n;
		if (!move_part(x, t, at, buf, part, in))
			return false;
		buf += part;
		n -= part;
		at = 0;
	}
	return !n;
}

static bool td_take(struct usb_memory *m, uint32_t at, void *buf, uint32_t n) { return move(m, at, buf, n, false); }
static bool td_give(struct usb_memory *m, uint32_t at, const void *buf, uint32_t n) { return move(m, at, (uint8_t *)(uintptr_t)buf, n, true); }

static struct td_memory td_memory(struct xhci *x)
{
	struct td_memory m = { { .take = td_take, .give = td_give }, x };

	for (unsigned i = 0; i < x->td->n; i++)
		m.memory.bytes += has_data(&x->td->trb[i]) ? trb_length(&x->td->trb[i]) : 0;
	return m;
}

/* ---- Events about a TD: of each TRB that wants one, and of the one at which it ended early ---- */

static uint32_t part_of(const struct trb *t, uint32_t left)
{
	uint32_t length = trb_length(t);

	if (trb_type(t) == TRB_SETUP)
		return length < 8 ? length : 8;
	return !has_data(t) ? 0 : length < left ? length : left;
}

static void report(struct xhci *x, const struct xhci_endpoint *ep, uint32_t moved, enum completion code)
{
	const struct xhci_td *td = x->td;
	bool is_short = false, told = false;
	uint32_t sum = 0;

	for (unsigned i = 0; i < td->n; i++) {
		const struct trb *t = &td->trb[i];
		uint32_t part = part_of(t, moved);
		struct xhci_event e = { .type = TRB_TRANSFER_EVENT, .code = code, .pointer = t->at, .length = trb_length(t) - part,
					.slot = ep->slot, .endpoint = ep->id };

		if (trb_type(t) == TRB_SETUP || trb_type(t) == TRB_STATUS)
			told = is_short = false;
		is_short |= has_data(t) && part < trb_length(t) && code == CC_SUCCESS;
		moved -= has_data(t) ? part : 0;
		sum += has_data(t) ? part : 0;
		if (told || !(t->control & TRB_IOC || (is_short && t->control & TRB_ISP) || code != CC_SUCCESS))
			continue;
		if (is_short)
			e.code = CC_SHORT;
		if (trb_type(t) == TRB_EVENT_DATA) {
			e.pointer = t->parameter;
			e.flags = EVENT_DATA;
			e.length = sum;
			sum = 0;
		}
		xhci_event(x, &e, t->status >> 22 & 0x3ff);
		told = true;
		if (code != CC_SUCCESS)
			return;
	}
}

void xhci_endpoint_stopped(struct xhci *x, const struct xhci_endpoint *ep)
{
	if (ep->state == EP_RUNNING && read_td(x, ep, x->td) == FETCH_TRB)
		report(x, ep, 0, CC_STOPPED);
}

/* ---- What a TD does. Bytes that went, or enum usb_result; -100: it is none that can be ---- */

#define NO_TD (-100)

static int64_t do_control(struct xhci *x, struct usb_device *usb)
{
	const struct xhci_td *td = x->td;
	const struct trb *setup = &td->trb[0];
	uint64_t p = setup->parameter;
	struct usb_request r = { (uint8_t)p, (uint8_t)(p >> 8), (uint16_t)(p >> 16), (uint16_t)(p >> 32), (uint16_t)(p >> 48) };
	struct td_memory m = td_memory(x);
	uint8_t data[USB_CONTROL_MOST];
	int32_t n;

	if (trb_type(setup) == TRB_NOOP && td->n == 1)
		return 0;
	if (trb_type(setup) != TRB_SETUP || trb_type(&td->trb[td->n - 1]) != TRB_STATUS || trb_length(setup) != 8 ||
	    !(setup->control & TRB_IMMEDIATE))
		return NO_TD;
	if (r.length > USB_CONTROL_MOST)
		return USB_STALL;
	memset(data, 0, sizeof data);
	if (!(r.type & USB_IN) && r.length && (m.memory.bytes < r.length || !td_take(&m.memory, 0, data, r.length)))
		return USB_FAULT;
	n = usb_control(usb, &r, data);
	if (!(r.type & USB_IN))
		return n < 0 ? n : r.length;
	if (n > 0 && (uint32_t)n > m.memory.bytes)
		n = (int32_t)m.memory.bytes;
	return n > 0 && !td_give(&m.memory, 0, data, (uint32_t)n) ? USB_FAULT : n;
}

static int64_t do_data(struct xhci *x, const struct xhci_endpoint *ep, struct usb_device *usb)
{
	struct td_memory m = td_memory(x);
	bool any = false;

	for (unsigned i = 0; i < x->td->n; i++) {
		unsigned type = trb_type(&x->td->trb[i]);

		if (type != TRB_NORMAL && type != TRB_EVENT_DATA && type != TRB_NOOP)
			return NO_TD;
		any |= type == TRB_NORMAL;
	}
	return !any ? 0 : (ep->id & 1 ? usb->kind->in : usb->kind->out)(usb, ep->id >> 1, &m.memory);
}

static void fail(struct xhci *x, struct xhci_endpoint *ep, enum completion code)
{
	xhci_endpoint_state(x, ep, code == CC_TRB ? EP_ERROR : EP_HALTED);
	report(x, ep, 0, code);
}

static enum completion code_of(int64_t result)
{
	return result == USB_STALL ? CC_STALL : result == USB_FAULT ? CC_DATA_BUFFER : CC_TRB;
}

void xhci_run_endpoint(struct xhci *x, struct xhci_endpoint *ep, unsigned *left)
{
	struct usb_device *usb = usb_at(&x->pci.dev, x->place[ep->slot - 1].port);

	const uint64_t *work = &x->pci.dev.machine->hcall_work, enough = *work + MACHINE_WORK_MOST;

	while (*left && *work < enough && ep->pending && xhci_has_room(x)) {
		enum fetch f = FETCH_NONE;
		int64_t result;

		ep->pending = false;
		x->pci.dev.machine->hcall_work += WORK_OF_TD;
		--*left;
		if (xhci_running(x) && ep->state == EP_RUNNING && usb)
			f = read_td(x, ep, x->td);
		if (f == FETCH_NONE)
			return;
		if (f == FETCH_BAD) {
			x->td->n = x->td->n ? 1 : 0;
			fail(x, ep, CC_TRB);
			return;
		}
		result = ep->type == EP_CONTROL ? do_control(x, usb) : do_data(x, ep, usb);
		if (result == USB_NAK)
			return;
		if (result < 0) {
			fail(x, ep, code_of(result));
			return;
		}
		ep->ring = x->td->behind;
		ep->pending = true;
		xhci_endpoint_state(x, ep, EP_RUNNING);
		report(x, ep, (uint32_t)result, CC_SUCCESS);
	}
}

/* Rings: TRBs that the guest leaves, and events that it is told. The rings are in its memory, and may be anything. */
#include <stdlib.h>

#include "machine/core/log.h"
#include "machine/usb/xhci.h"

#define LINKS_MOST 32u			/* one behind the other */
#define TRB_BYTES  16u
#define WORK_OF_TRB 256u		/* machine.hcall_work: as bytes that are copied in the same time */
#define LEAST_EVENTS 16u		/* in a segment */
#define MOST_EVENTS 4096u

#define IMAN_PENDING 1u
#define IMAN_ENABLED 2u
#define ERDP_BUSY 8u

/* ---- Memory ---- */

bool xhci_load_words(struct xhci *x, uint64_t at, uint32_t *words, unsigned n)
{
	x->pci.dev.machine->hcall_work += 4 * n;
	return pci_dma_read(&x->pci, at, words, 4 * n);
}

bool xhci_store_words(struct xhci *x, uint64_t at, const uint32_t *words, unsigned n)
{
	x->pci.dev.machine->hcall_work += 4 * n;
	return pci_dma_write(&x->pci, at, words, 4 * n);
}

void xhci_die(struct xhci *x, const char *why)
{
	machine_log(x->pci.dev.machine, LOG_GUEST_ERROR, "%s: %s", x->pci.dev.class->name, why);
	x->usbsts |= STS_DIED;
}

/* ---- TRBs ---- */

enum fetch xhci_fetch(struct xhci *x, struct xhci_ring *ring, struct trb *t)
{
	uint32_t w[4];

	for (unsigned links = 0; links <= LINKS_MOST; links++) {
		x->pci.dev.machine->hcall_work += WORK_OF_TRB;
		if (!xhci_load_words(x, ring->dequeue, w, 4))
			return FETCH_BAD;
		if ((w[3] & TRB_CYCLE) != ring->cycle)
			return FETCH_NONE;
		*t = (struct trb){ .parameter = xhci_address(w[0], w[1]), .status = w[2], .control = w[3], .at = ring->dequeue };
		if (trb_type(t) != TRB_LINK) {
			ring->dequeue += TRB_BYTES;
			return FETCH_TRB;
		}
		ring->dequeue = t->parameter & ~UINT64_C(15);
		ring->cycle ^= (t->control & TRB_TOGGLE) != 0;
	}
	return FETCH_BAD;
}

/* ---- Interrupts ---- */

void xhci_show_pin(struct xhci *x)
{
	bool wanted = (x->intr[0].iman & (IMAN_PENDING | IMAN_ENABLED)) == (IMAN_PENDING | IMAN_ENABLED) && x->usbcmd & CMD_INTERRUPT;

	pci_set_pin(&x->pci, wanted && !msix_enabled(&x->pci));
}

/* A message takes the pending bit away. */
static void raise(struct xhci *x, unsigned v)
{
	struct xhci_interrupter *i = &x->intr[v];
	bool was_busy = i->erdp_low & ERDP_BUSY;

	i->erdp_low |= ERDP_BUSY;
	i->iman |= IMAN_PENDING;
	x->usbsts |= STS_EVENT;
	if (was_busy || !(i->iman & IMAN_ENABLED) || !(x->usbcmd & CMD_INTERRUPT))
		return;
	if (msix_enabled(&x->pci)) {
		i->iman &= ~IMAN_PENDING;
		msix_notify(&x->pci, v);
	} else {
		xhci_show_pin(x);
	}
}

/* ---- Events ---- */

/* Where the guest is in it. False: nowhere there. */
static bool guest_index(const struct xhci_interrupter *i, uint32_t *index)
{
	uint64_t at = xhci_address(i->erdp_low & ~15u, i->erdp_high) - i->start;

	*index = (uint32_t)(at / TRB_BYTES);
	return i->size && at < UINT64_C(16) * i->size;
}

static void write_event(struct xhci *x, struct xhci_interrupter *i, const struct xhci_event *e)
{
	const uint32_t w[4] = {
		(uint32_t)e->pointer, (uint32_t)(e->pointer >> 32), (e->length & 0xffffff) | (uint32_t)e->code << 24,
		(uint32_t)e->slot << 24 | (uint32_t)e->endpoint << 16 | e->flags | (uint32_t)e->type << 10 | i->cycle,
	};

	xhci_store_words(x, i->start + UINT64_C(16) * i->index, w, 4);
	if (++i->index >= i->size) {
		i->index = 0;
		i->cycle = !i->cycle;
	}
}

/* The last but one place is for the event that says that others are lost. */
void xhci_event(struct xhci *x, const struct xhci_event *event, unsigned v)
{
	static const struct xhci_event full = { .type = TRB_HOST_EVENT, .code = CC_EVENT_RING_FULL };
	struct xhci_interrupter *i = &x->intr[v % XHCI_INTERRUPTS];
	uint32_t index;

	if (v >= x->intrs)
		return;
	if (!guest_index(i, &index)) {
		xhci_die(x, "events are read where there are none");
		return;
	}
	if ((i->index + 2) % i->size == index)
		write_event(x, i, &full);
	else if ((i->index + 1) % i->size != index)
		write_event(x, i, event);
	raise(x, v);
}

bool xhci_has_room(const struct xhci *x)
{
	for (unsigned v = 0; v < x->intrs; v++) {
		const struct xhci_interrupter *i = &x->intr[v];
		uint32_t index;

		if (i->size && guest_index(i, &index) && (index + i->size - i->index - 1) % i->size < 8)
			return false;
	}
	return true;
}

/* A segment more than one is none that we said we have. */
void xhci_event_ring(struct xhci *x, unsigned v)
{
	struct xhci_interrupter *i = &x->intr[v];
	uint64_t table = xhci_address(i->erstba_low, i->erstba_high);
	uint32_t w[4];

	i->start = i->size = i->index = 0;
	i->cycle = true;
	if (!i->erstsz || !table)
		return;
	if (i->erstsz != 1 || !xhci_load_words(x, table, w, 4) || (w[2] & 0xffff) < LEAST_EVENTS || (w[2] & 0xffff) > MOST_EVENTS) {
		xhci_die(x, "a ring of events that cannot be");
		return;
	}
	i->start = xhci_address(w[0], w[1]) & ~UINT64_C(15);
	i->size = w[2] & 0xffff;
}

/* Where the guest is; it is done with the interrupt, and gets another one if there is more. */
void xhci_erdp(struct xhci *x, unsigned v, uint32_t value)
{
	struct xhci_interrupter *i = &x->intr[v];
	uint32_t index;

	i->erdp_low = (value & ~ERDP_BUSY) | (value & ERDP_BUSY ? 0 : i->erdp_low & ERDP_BUSY);
	if (value & ERDP_BUSY && guest_index(i, &index) && index != i->index)
		raise(x, v);
}

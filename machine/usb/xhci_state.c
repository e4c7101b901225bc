/* What of an xHCI controller is saved. QEMU keeps no endpoints: it reads them from the guest's contexts after a load, and so do
 * we after one of its; ours have a list. */
#include "machine/usb/xhci.h"

#define CONTEXT 32u
#define SEGMENT_LEAST 16u
#define SEGMENT_MOST  4096u

/* ---- QEMU's ---- */

static const struct vmstate port_state = {
	.name = "xhci-port", .version = 1, .min_version = 1, VMS_OF(struct xhci_port),
	.fields = VMS_FIELDS(VMS_U32(struct xhci_port, portsc)),
};

static const struct vmstate slot_state = {
	.name = "xhci-slot", .version = 1, .min_version = 1, VMS_OF(struct xhci_slot),
	.fields = VMS_FIELDS(VMS_BOOL(struct xhci_slot, enabled), VMS_BOOL(struct xhci_slot, addressed)),
};

static bool intr_check(const void *s, struct vms_walk *w)
{
	const struct xhci_interrupter *i = s;

	if (i->size && (i->size < SEGMENT_LEAST || i->size > SEGMENT_MOST))
		return vms_wrong(w, "er_size", i->size, "0, or %u to %u", SEGMENT_LEAST, SEGMENT_MOST);
	return i->index < i->size || !i->index || vms_wrong(w, "er_ep_idx", i->index, "below %u", i->size);
}

static const struct vmstate intr_state = {
	.name = "xhci-intr", .version = 1, .min_version = 1, VMS_OF(struct xhci_interrupter), .check = intr_check,
	.fields = VMS_FIELDS(
		VMS_U32(struct xhci_interrupter, iman), VMS_U32(struct xhci_interrupter, imod), VMS_U32(struct xhci_interrupter, erstsz),
		VMS_U32(struct xhci_interrupter, erstba_low), VMS_U32(struct xhci_interrupter, erstba_high),
		VMS_U32(struct xhci_interrupter, erdp_low), VMS_U32(struct xhci_interrupter, erdp_high),
		VMS_BOOL(struct xhci_interrupter, msix_used), VMS_ONE("er_pcs", struct xhci_interrupter, cycle, bool, vms_bool),
		VMS_U64_AS("er_start", struct xhci_interrupter, start), VMS_U32_AS("er_size", struct xhci_interrupter, size),
		VMS_U32_AS("er_ep_idx", struct xhci_interrupter, index), VMS_CONSTANT("er_full_unused", vms_bool, 0)),
};

static const struct vmstate ring_state = {
	.name = "xhci-ring", .version = 1, .min_version = 1, VMS_OF(struct xhci_ring),
	.fields = VMS_FIELDS(VMS_U64(struct xhci_ring, dequeue), VMS_ONE("ccs", struct xhci_ring, cycle, bool, vms_bool)),
};

static const struct vmstate core_state = {
	.name = "xhci-core", .version = 1, .min_version = 1, VMS_OF(struct xhci),
	.fields = VMS_FIELDS(
		VMS_COUNTED_STRUCTS("ports", struct xhci, port, struct xhci_port, ports, port_state),
		VMS_COUNTED_STRUCTS("slots", struct xhci, slot, struct xhci_slot, slots, slot_state),
		VMS_COUNTED_STRUCTS("intr", struct xhci, intr, struct xhci_interrupter, intrs, intr_state),
		VMS_U32(struct xhci, usbcmd), VMS_U32(struct xhci, usbsts), VMS_U32(struct xhci, dnctrl),
		VMS_U32(struct xhci, crcr_low), VMS_U32(struct xhci, crcr_high), VMS_U32(struct xhci, dcbaap_low),
		VMS_U32(struct xhci, dcbaap_high), VMS_U32(struct xhci, config), VMS_I64(struct xhci, mfindex_start),
		VMS_CONSTANT("mfwrap_timer", vms_i64, UINT64_MAX),
		VMS_STRUCT("cmd_ring", struct xhci, commands, struct xhci_ring, ring_state)),
};

const struct vmstate xhci_state = {
	.name = "xhci", .version = 1, .min_version = 1, VMS_OF(struct xhci),
	.fields = VMS_FIELDS(
		VMS_STRUCT("parent_obj", struct xhci, pci, struct pci_device, pci_express_state),
		{ .name = "msix", .kind = VMS_NESTED, .offset = offsetof(struct xhci, pci.msix), .stride = sizeof(struct msix), .count = 1,
		  .state = &msix_state },
		VMS_PART("xhci", core_state)),
};

/* ---- Ours ---- */

static const struct vmstate place_state = {
	.name = "cede/xhci/place", .version = 1, .min_version = 1, VMS_OF(struct xhci_place),
	.fields = VMS_FIELDS(VMS_U8_TO(struct xhci_place, port, USB_PORTS_MOST), VMS_U64(struct xhci_place, context)),
};

static bool endpoint_check(const void *s, struct vms_walk *w)
{
	const struct xhci_endpoint *ep = s;

	if (!ep->slot || ep->slot > XHCI_SLOTS)
		return vms_wrong(w, "slot", ep->slot, "1 to %u", XHCI_SLOTS);
	return (ep->id && ep->id <= XHCI_ENDPOINTS) || vms_wrong(w, "id", ep->id, "1 to %u", XHCI_ENDPOINTS);
}

static const struct vmstate endpoint_state = {
	.name = "cede/xhci/endpoint", .version = 1, .min_version = 1, VMS_OF(struct xhci_endpoint), .check = endpoint_check,
	.fields = VMS_FIELDS(
		VMS_U8(struct xhci_endpoint, slot), VMS_U8(struct xhci_endpoint, id), VMS_U8_TO(struct xhci_endpoint, type, 7),
		VMS_U8_TO(struct xhci_endpoint, state, EP_ERROR), VMS_U64(struct xhci_endpoint, context),
		VMS_STRUCT("ring", struct xhci_endpoint, ring, struct xhci_ring, ring_state), VMS_BOOL(struct xhci_endpoint, pending),
		VMS_SKIP(struct xhci_endpoint, next, "its place in the list")),
};

const struct vmstate xhci_own_state = {
	.name = "cede/xhci", .version = 1, .min_version = 1, VMS_OF(struct xhci),
	.fields = VMS_FIELDS(
		VMS_STRUCT_ARRAY("place", struct xhci, place, struct xhci_place, place_state, ),
		VMS_LIST("endpoints", struct xhci, endpoints, struct xhci_endpoint, next, XHCI_SLOTS * XHCI_ENDPOINTS, endpoint_state),
		VMS_BOOL(struct xhci, command_pending),
		VMS_ELSEWHERE(struct xhci, later, "cede/timers"),
		VMS_SKIP(struct xhci, bus, "follows from the options"), VMS_SKIP(struct xhci, p2, "an option"), VMS_SKIP(struct xhci, p3, "an option"),
		VMS_SKIP(struct xhci, slots, "an option"), VMS_SKIP(struct xhci, intrs, "an option"), VMS_SKIP(struct xhci, ports, "follows from the options"),
		VMS_SKIP(struct xhci, nec, "follows from the class"),
		VMS_SKIP(struct xhci, busy, "within one call"), VMS_SKIP(struct xhci, td, "within one call")),
};

/* ---- After a load ---- */

static void take_endpoint(struct xhci *x, unsigned slot, unsigned id, uint64_t context)
{
	struct xhci_endpoint *ep;
	uint32_t w[4];

	if (!xhci_load_words(x, context, w, 4) || !(w[0] & 7) || (w[0] & 7) > EP_ERROR || !(ep = xhci_endpoint_new(x, slot, id)))
		return;
	ep->state = w[0] & 7;
	ep->type = w[1] >> 3 & 7;
	ep->context = context;
	ep->ring = (struct xhci_ring){ xhci_address(w[2] & ~15u, w[3]), w[2] & 1 };
	ep->pending = ep->state == EP_RUNNING;
}

/* What QEMU does, too. */
static void take_slot(struct xhci *x, unsigned slot)
{
	struct xhci_place *place = &x->place[slot - 1];
	const struct usb_device *usb;
	uint32_t at[2], w[2];

	if (!xhci_load_words(x, xhci_address(x->dcbaap_low, x->dcbaap_high) + 8 * slot, at, 2))
		return;
	place->context = xhci_address(at[0] & ~63u, at[1]);
	if (!xhci_load_words(x, place->context, w, 2) || !(usb = xhci_plugged(x, w[1] >> 16 & 0xff)))
		return;
	place->port = usb->port;
	for (unsigned id = 1; id <= XHCI_ENDPOINTS; id++)
		take_endpoint(x, slot, id, place->context + CONTEXT * id);
}

void xhci_after_load(struct device *dev, bool foreign)
{
	struct xhci *x = (struct xhci *)dev;

	pci_device_loaded(&x->pci);
	if (!foreign)
		return;
	for (unsigned slot = 1; slot <= x->slots; slot++)
		if (x->slot[slot - 1].addressed)
			take_slot(x, slot);
	if (x->later.when == UINT64_MAX)
		event_schedule(dev->machine, &x->later, machine_now(dev->machine));
}

/* qemu-xhci, nec-usb-xhci: a USB host controller: its registers, its ports, and what is pending. */
#include "machine/usb/xhci.h"

#include <stdlib.h>
#include <string.h>

#include "machine/core/bytes.h"
#include "machine/core/clock.h"
#include "machine/core/config.h"
#include "machine/core/timers.h"

#define OPERATIONAL 0x40u
#define PORTS_AT    0x440u
#define RUNTIME     0x1000u
#define DOORBELLS   0x2000u
#define MSIX_TABLE  0x3000u
#define MSIX_PENDING 0x3800u
#define MSIX_CAPABILITY 0x90u
#define REGISTERS   0x4000u
#define SERIAL_RELEASE 0x60u		/* in config space: which USB */

#define FRAME_NS    125000u		/* of a microframe */
#define LATER_CYCLES UINT64_C(20000)

static struct xhci *to_xhci(struct device *dev) { return (struct xhci *)dev; }
static int64_t now_ns(const struct xhci *x) { return (int64_t)cycles_to_ns(machine_now(x->pci.dev.machine)); }

/* ---- Ports ---- */

#define PORT_CONNECTED 0x1u
#define PORT_ENABLED   0x2u
#define PORT_RESET     0x10u
#define PORT_LINK      (15u << 5)
#define PORT_POWER     0x200u
#define PORT_SPEED     10u		/* its bits are from there on */
#define PORT_LINK_SET  0x10000u
#define PORT_CONNECT_CHANGE 0x20000u
#define PORT_WARM_CHANGE    0x80000u
#define PORT_RESET_CHANGE   0x200000u
#define PORT_LINK_CHANGE    0x400000u
#define PORT_CHANGES   0xfe0000u
#define PORT_WAKES     0xe000000u
#define PORT_WARM      0x80000000u
enum { LINK_U0 = 0, LINK_U3 = 3, LINK_DETECT = 5, LINK_POLLING = 7 };

unsigned xhci_port_of(const struct xhci *x, unsigned number, bool *super)
{
	if (!number || number > x->ports)
		return 0;
	*super = number <= x->p3;
	return *super ? number : number - x->p3;
}

/* A driver may say the number that a port has for another speed, as SLOF does. */
struct usb_device *xhci_plugged(const struct xhci *x, unsigned number)
{
	bool super;
	unsigned port = xhci_port_of(x, number, &super);

	return port ? usb_at(&x->pci.dev, port) : NULL;
}

struct usb_device *xhci_at(const struct xhci *x, unsigned number)
{
	bool super;
	unsigned port = xhci_port_of(x, number, &super);
	struct usb_device *usb = port ? usb_at(&x->pci.dev, port) : NULL;

	return usb && (usb->speed == USB_SUPER) == super ? usb : NULL;
}

static void notify_port(struct xhci *x, unsigned number, uint32_t change)
{
	const struct xhci_event e = { .type = TRB_PORT_EVENT, .code = CC_SUCCESS, .pointer = (uint64_t)number << 24 };
	uint32_t *portsc = &x->port[number - 1].portsc;

	if (*portsc & change)
		return;
	*portsc |= change;
	x->usbsts |= STS_PORT;
	if (xhci_running(x))
		xhci_event(x, &e, 0);
}

static void set_link(uint32_t *portsc, unsigned link) { *portsc = (*portsc & ~PORT_LINK) | link << 5; }

/* What a port shows of the device that has come there; NULL: none has. */
static uint32_t port_with(const struct usb_device *usb)
{
	uint32_t portsc = PORT_POWER;

	set_link(&portsc, !usb ? LINK_DETECT : usb->speed == USB_SUPER ? LINK_U0 : LINK_POLLING);
	if (usb)
		portsc |= PORT_CONNECTED | (uint32_t)usb->speed << PORT_SPEED | (usb->speed == USB_SUPER ? PORT_ENABLED : 0);
	return portsc;
}

/* As after power-on. */
static void begin_port(struct xhci *x, unsigned number)
{
	x->port[number - 1].portsc = port_with(xhci_at(x, number)) | PORT_CONNECT_CHANGE;
}

/* A device that goes takes its place from the slot that the guest has given it, whose transfers wait until the guest ends them. */
static void plugged(struct device *host, const struct usb_device *usb, bool comes)
{
	struct xhci *x = to_xhci(host);
	unsigned number = usb->port + (usb->speed == USB_SUPER ? 0 : x->p3);
	uint32_t *portsc = &x->port[number - 1].portsc;

	for (unsigned i = 0; i < x->slots && !comes; i++)
		if (x->place[i].port == usb->port)
			x->place[i].port = 0;
	*portsc = (*portsc & (PORT_CHANGES | PORT_WAKES)) | port_with(comes ? usb : NULL);
	notify_port(x, number, PORT_CONNECT_CHANGE);
}

static void reset_port(struct xhci *x, unsigned number, bool warm)
{
	struct usb_device *usb = xhci_at(x, number);
	uint32_t *portsc = &x->port[number - 1].portsc;

	if (!usb)
		return;
	usb_port_reset(usb);
	if (warm && usb->speed == USB_SUPER)
		*portsc |= PORT_WARM_CHANGE;
	set_link(portsc, LINK_U0);
	*portsc = (*portsc & ~PORT_RESET) | PORT_ENABLED;
	notify_port(x, number, PORT_RESET_CHANGE);
}

static void store_port(struct xhci *x, unsigned number, uint32_t value)
{
	uint32_t *portsc = &x->port[number - 1].portsc, link = (*portsc & PORT_LINK) >> 5, wanted = (value & PORT_LINK) >> 5;

	if (value & (PORT_WARM | PORT_RESET)) {
		reset_port(x, number, value & PORT_WARM);
		return;
	}
	*portsc &= ~(value & PORT_CHANGES);
	if (value & PORT_ENABLED)	/* it is written to be disabled */
		*portsc &= ~PORT_ENABLED;
	*portsc = (*portsc & ~(PORT_POWER | PORT_WAKES)) | (value & (PORT_POWER | PORT_WAKES));
	if (!(value & PORT_LINK_SET))
		return;
	if (wanted == LINK_U0 && link != LINK_U0) {
		set_link(portsc, LINK_U0);
		notify_port(x, number, PORT_LINK_CHANGE);
	} else if (wanted == LINK_U3 && link < LINK_U3) {
		set_link(portsc, LINK_U3);
	}
}

/* ---- What is pending ---- */

static bool any_pending(const struct xhci *x)
{
	const struct xhci_endpoint *ep = x->endpoints;

	while (ep && !ep->pending)
		ep = ep->next;
	return ep || x->command_pending;
}

static struct xhci_endpoint *first_pending(const struct xhci *x)
{
	struct xhci_endpoint *ep = x->endpoints;

	while (ep && !ep->pending)
		ep = ep->next;
	return ep;
}

/* Processors that run side by side share what the host may be made to do: the rest waits for the next quantum. */
static bool has_turn(const struct xhci *x)
{
	const struct machine *m = x->pci.dev.machine;

	return !m->running || !m->side_by_side || m->hcall_work < MACHINE_WORK_MOST;
}

/* Devices say that an endpoint is ready while they are asked: it is pending then, and its turn comes. What does not go on for
 * lack of room for events goes on when there is some. */
void xhci_serve(struct xhci *x)
{
	struct machine *m = x->pci.dev.machine;
	struct xhci_endpoint *ep;
	unsigned left = XHCI_SERVED;

	if (x->busy)
		return;
	x->busy = true;
	while (left && has_turn(x) && any_pending(x) && xhci_has_room(x)) {
		xhci_run_commands(x, &left);
		if ((ep = first_pending(x)))
			xhci_run_endpoint(x, ep, &left);
	}
	x->busy = false;
	if (any_pending(x) && xhci_has_room(x) && x->later.when == UINT64_MAX)
		event_schedule(m, &x->later, machine_now(m) + LATER_CYCLES);
}

static void serve_later(void *dev) { xhci_serve(to_xhci(dev)); }

static void woken(struct device *host, unsigned port, unsigned endpoint, bool in)
{
	struct xhci *x = to_xhci(host);

	for (struct xhci_endpoint *ep = x->endpoints; ep; ep = ep->next)
		if (x->place[ep->slot - 1].port == port && ep->id == 2 * endpoint + in)
			ep->pending = ep->state == EP_RUNNING;
	xhci_serve(x);
}

static const struct usb_host host = { .woken = woken, .plugged = plugged };

static void ring_doorbell(struct xhci *x, unsigned slot, uint32_t value)
{
	struct xhci_endpoint *ep;

	if (!xhci_running(x))
		return;
	if (!slot && !value) {
		x->crcr_low |= CRCR_RUNNING;
		x->command_pending = true;
	} else if ((ep = xhci_endpoint(x, slot, value & 0xff)) && (ep->state == EP_RUNNING || ep->state == EP_STOPPED)) {
		if (ep->state == EP_STOPPED)
			xhci_endpoint_state(x, ep, EP_RUNNING);
		ep->pending = true;
	}
	xhci_serve(x);
}

/* ---- Registers: numbers of 32 bits ---- */

static void reset_registers(struct xhci *x)
{
	x->usbcmd = x->dnctrl = x->crcr_low = x->crcr_high = x->dcbaap_low = x->dcbaap_high = x->config = 0;
	x->usbsts = STS_HALTED;
	for (unsigned i = 1; i <= XHCI_SLOTS; i++)
		xhci_slot_drop(x, i);
	memset(x->port, 0, sizeof x->port);
	for (unsigned i = 1; i <= x->ports; i++)
		begin_port(x, i);
	memset(x->intr, 0, sizeof x->intr);
	for (unsigned i = 0; i < XHCI_INTERRUPTS; i++)
		x->intr[i].cycle = true;
	x->commands = (struct xhci_ring){ .cycle = true };
	x->command_pending = false;
	x->mfindex_start = now_ns(x);
	event_cancel(x->pci.dev.machine, &x->later);
	xhci_show_pin(x);
}

static uint32_t load_capability(const struct xhci *x, unsigned at)
{
	switch (at) {
	case 0x00: return 0x01000000 | OPERATIONAL;		/* version 1.0 */
	case 0x04: return x->ports << 24 | x->intrs << 8 | x->slots;
	case 0x08: return 0x0000000f;				/* one segment of events */
	case 0x10: return 0x00087001;				/* addresses of 64 bits; more capabilities at 0x20 */
	case 0x14: return DOORBELLS;
	case 0x18: return RUNTIME;
	case 0x20: return 0x02000402;				/* USB 2, the next one 4 words on */
	case 0x24: return 0x20425355;				/* "USB " */
	case 0x28: return x->p2 << 8 | (x->p3 + 1);
	case 0x30: return 0x03000002;				/* USB 3 */
	case 0x34: return 0x20425355;
	case 0x38: return x->p3 << 8 | 1;
	default: return 0;
	}
}

static uint32_t load_operational(const struct xhci *x, unsigned at)
{
	switch (at) {
	case 0x00: return x->usbcmd;
	case 0x04: return x->usbsts;
	case 0x08: return 1;					/* pages of 4 KiB */
	case 0x14: return x->dnctrl;
	case 0x18: return x->crcr_low & ~0xeu;
	case 0x30: return x->dcbaap_low;
	case 0x34: return x->dcbaap_high;
	case 0x38: return x->config;
	default: return 0;
	}
}

static void store_command(struct xhci *x, uint32_t value)
{
	if (value & CMD_RUN && !(x->usbcmd & CMD_RUN)) {
		x->usbsts &= ~STS_HALTED;
		x->mfindex_start = now_ns(x);
	} else if (!(value & CMD_RUN) && x->usbcmd & CMD_RUN) {
		x->usbsts |= STS_HALTED;
		x->crcr_low &= ~CRCR_RUNNING;
	}
	if (value & CMD_SAVE)
		x->usbsts &= ~STS_RESTORE_ERROR;
	if (value & CMD_RESTORE)
		x->usbsts |= STS_RESTORE_ERROR;			/* nothing is: drivers begin anew */
	x->usbcmd = value & 0xc0f & ~CMD_RESET;
	if (value & CMD_RESET)
		reset_registers(x);
	xhci_show_pin(x);
}

/* The second half of where commands are: it is whole. */
static void begin_commands(struct xhci *x, uint32_t high)
{
	const struct xhci_event stopped = { .type = TRB_COMMAND_EVENT, .code = CC_RING_STOPPED, .pointer = x->commands.dequeue };

	x->crcr_high = high;
	if (x->crcr_low & (CRCR_STOP | CRCR_ABORT) && x->crcr_low & CRCR_RUNNING) {
		x->crcr_low &= ~CRCR_RUNNING;
		x->command_pending = false;
		xhci_event(x, &stopped, 0);
	} else {
		/* As QEMU: whatever the cycle bit is, the first round is that of ones. SLOF leaves it 0, and counts on that. */
		x->commands = (struct xhci_ring){ xhci_address(x->crcr_low & ~63u, high), true };
	}
	x->crcr_low &= ~(CRCR_STOP | CRCR_ABORT);
}

static void store_operational(struct xhci *x, unsigned at, uint32_t value)
{
	switch (at) {
	case 0x00: store_command(x, value); break;
	case 0x04:
		x->usbsts &= ~(value & (STS_HOST_ERROR | STS_EVENT | STS_PORT | STS_RESTORE_ERROR));
		xhci_show_pin(x);
		break;
	case 0x14: x->dnctrl = value & 0xffff; break;
	case 0x18: x->crcr_low = (value & 0xffffffcf & ~CRCR_RUNNING) | (x->crcr_low & CRCR_RUNNING); break;
	case 0x1c: begin_commands(x, value); break;
	case 0x30: x->dcbaap_low = value & 0xffffffc0; break;
	case 0x34: x->dcbaap_high = value; break;
	case 0x38: x->config = value & 0xff; break;
	default: break;
	}
}

static uint32_t load_runtime(const struct xhci *x, unsigned at)
{
	const struct xhci_interrupter *i = &x->intr[(at / 32 - 1) % XHCI_INTERRUPTS];

	if (!at)
		return (uint32_t)((uint64_t)(now_ns(x) - x->mfindex_start) / FRAME_NS) & 0x3fff;
	if (at < 32 || at / 32 > x->intrs)
		return 0;
	switch (at % 32) {
	case 0x00: return i->iman;
	case 0x04: return i->imod;
	case 0x08: return i->erstsz;
	case 0x10: return i->erstba_low;
	case 0x14: return i->erstba_high;
	case 0x18: return i->erdp_low;
	case 0x1c: return i->erdp_high;
	default: return 0;
	}
}

static void store_runtime(struct xhci *x, unsigned at, uint32_t value)
{
	unsigned v = at / 32 - 1;
	struct xhci_interrupter *i = &x->intr[v % XHCI_INTERRUPTS];

	if (at < 32 || v >= x->intrs)
		return;
	switch (at % 32) {
	case 0x00:
		i->iman = (i->iman & ~(value & 1) & ~2u) | (value & 2);
		if (msix_enabled(&x->pci))
			i->msix_used = value & 2;
		xhci_show_pin(x);
		break;
	case 0x04: i->imod = value; break;
	case 0x08: i->erstsz = value & 0xffff; break;
	case 0x10: i->erstba_low = value & 0xffffffc0; break;
	case 0x14:
		i->erstba_high = value;
		xhci_event_ring(x, v);
		break;
	case 0x18:
		xhci_erdp(x, v, value);
		xhci_serve(x);
		break;
	case 0x1c: i->erdp_high = value; break;
	default: break;
	}
}

static uint32_t load_word(struct xhci *x, unsigned at)
{
	if (at < OPERATIONAL)
		return load_capability(x, at);
	if (at - PORTS_AT < 16 * x->ports)
		return at % 16 ? 0 : x->port[(at - PORTS_AT) / 16].portsc;
	if (at < RUNTIME)
		return load_operational(x, at - OPERATIONAL);
	return at < DOORBELLS ? load_runtime(x, at - RUNTIME) : 0;
}

static void store_word(struct xhci *x, unsigned at, uint32_t value)
{
	if (at < OPERATIONAL)
		return;
	if (at - PORTS_AT < 16 * x->ports) {
		if (!(at % 16))
			store_port(x, 1 + (at - PORTS_AT) / 16, value);
	} else if (at < RUNTIME) {
		store_operational(x, at - OPERATIONAL, value);
	} else if (at < DOORBELLS) {
		store_runtime(x, at - RUNTIME, value);
	} else if (at - DOORBELLS <= 4 * x->slots) {
		ring_doorbell(x, (at - DOORBELLS) / 4, value);
	}
}

static uint64_t registers_load(struct pci_device *pci, uint64_t offset, unsigned size)
{
	struct xhci *x = (struct xhci *)pci;
	unsigned at = (unsigned)offset & ~3u;
	uint64_t value;

	if (offset >= MSIX_TABLE)
		return msix_load(pci, offset, size);
	value = load_word(x, at);
	if (size == 8)
		value |= (uint64_t)load_word(x, at + 4) << 32;
	return value >> 8 * (offset & 3);
}

/* Words and pairs of them. */
static void registers_store(struct pci_device *pci, uint64_t offset, unsigned size, uint64_t value)
{
	struct xhci *x = (struct xhci *)pci;

	if (offset >= MSIX_TABLE) {
		msix_store(pci, offset, size, value);
		return;
	}
	if (size < 4)
		return;
	store_word(x, (unsigned)offset, (uint32_t)value);
	if (size == 8)
		store_word(x, (unsigned)offset + 4, (uint32_t)(value >> 32));
}

static const struct pci_bar_ops registers_ops = { .load = registers_load, .store = registers_store };

/* ---- Its life ---- */

extern const struct device_class qemu_xhci_class, nec_usb_xhci_class;

static bool options_ok(const struct xhci *x, struct error *err)
{
	const char *name = x->pci.dev.class->name;

	if (x->p2 > USB_PORTS_MOST || x->p3 > USB_PORTS_MOST || !(x->p2 + x->p3))
		error_usage(err, "-device %s: p2=%u,p3=%u: expected 0 to %u each, and one at least", name, x->p2, x->p3, USB_PORTS_MOST);
	else if (!x->slots || x->slots > XHCI_SLOTS || !is_power_of_two(x->intrs) || x->intrs > XHCI_INTERRUPTS)
		error_usage(err, "-device %s: slots are 1 to %u, intrs 1, 2, 4, 8 or %u", name, XHCI_SLOTS, XHCI_INTERRUPTS);
	else
		return true;
	return false;
}

static bool xhci_init(struct device *dev, struct error *err)
{
	static const struct pci_id ids[] = {
		{ .vendor = 0x1b36, .device = 0x000d, .subsystem_vendor = 0x1af4, .subsystem = 0x1100, .revision = 1, .class = 0x0c0330, .pin = true },
		{ .vendor = 0x1033, .device = 0x0194, .subsystem_vendor = 0x1af4, .subsystem = 0x1100, .revision = 3, .class = 0x0c0330, .pin = true },
	};
	struct xhci *x = to_xhci(dev);

	if (!options_ok(x, err))
		return false;
	timer_init(dev, &x->later, "later", serve_later);
	x->nec = dev->class == &nec_usb_xhci_class;
	x->ports = x->p2 + x->p3;
	x->bus.ports = x->p2 > x->p3 ? x->p2 : x->p3;
	for (unsigned i = 1; i <= x->bus.ports; i++)
		x->bus.speeds[i] = (i <= x->p2 ? 1u << USB_FULL | 1u << USB_LOW | 1u << USB_HIGH : 0) | (i <= x->p3 ? 1u << USB_SUPER : 0);
	usb_bus_init(dev, &x->bus, &host);
	pci_identify(&x->pci, &ids[x->nec]);
	x->pci.config[SERIAL_RELEASE] = 0x30;
	x->pci.writable[SERIAL_RELEASE] = 0;
	pci_add_bar(&x->pci, 0, PCI_BAR_PLAIN64, REGISTERS, &registers_ops);
	x->td = calloc(1, sizeof *x->td);
	if (!x->td) {
		error_set(err, "out of memory");
		return false;
	}
	return msix_init_within(&x->pci, x->intrs, (struct msix_place){ 0, MSIX_TABLE, MSIX_PENDING }, MSIX_CAPABILITY, err);
}

static void xhci_free(struct device *dev)
{
	struct xhci *x = to_xhci(dev);

	xhci_endpoints_drop(x, 0, 1);
	free(x->td);
	pci_device_free(&x->pci);
}

static void xhci_reset(struct device *dev) { reset_registers(to_xhci(dev)); }

static bool xhci_qemu_ready(const struct device *dev) { return !any_pending((const struct xhci *)dev); }

#define XHCI_PROPERTY(name_, field, help_, value_) \
	{ .name = name_, .help = help_, .type = PROPERTY_U32, .settable = true, .offset = offsetof(struct xhci, field), .value = value_ }

static const struct device_property xhci_properties[] = {
	XHCI_PROPERTY("p2", p2, "ports for USB 2", 4), XHCI_PROPERTY("p3", p3, "ports for USB 3", 4),
	XHCI_PROPERTY("slots", slots, "devices that have an address at one time", XHCI_SLOTS),
	XHCI_PROPERTY("intrs", intrs, "interrupts", XHCI_INTERRUPTS),
	{ .name = NULL },
};

static bool nec_qemu_can(const struct device *dev, struct error *err)
{
	error_set(err, "-device %s: QEMU's has interrupts of a kind that cede's does not have (-device qemu-xhci is the same in both)", dev->class->name);
	return false;
}

#define XHCI_CLASS(id, name_, help_, ...) \
	const struct device_class id = { \
		.name = name_, .help = help_, .size = sizeof(struct xhci), .on = &pci_bus, .bus = &usb_bus, .pluggable = true, \
		.properties = xhci_properties, .init = xhci_init, .free = xhci_free, .reset = xhci_reset, .loaded = xhci_after_load, \
		.state = &xhci_state, .own_state = &xhci_own_state, .qemu_ready = xhci_qemu_ready, __VA_ARGS__ \
	}
static unsigned nec_on_board(const struct config *config) { return config->usb; }

XHCI_CLASS(qemu_xhci_class, "qemu-xhci", "USB controller");
XHCI_CLASS(nec_usb_xhci_class, "nec-usb-xhci", "USB controller, by NEC's numbers (-usb)", .on_board = nec_on_board, .qemu_can = nec_qemu_can);

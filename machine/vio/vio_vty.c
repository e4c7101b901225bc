/* A virtual terminal (spapr-vty): a ring of 16 bytes between the host's stream and the guest.
 * The hypercalls are hcall/term.c's. PAPR, "Vterm Console Operations". */
#include "machine/vio/vio_vty.h"

#include <stdlib.h>

#include "machine/core/config.h"
#include "machine/host/chardev.h"
#include "machine/host/console.h"

struct vty {
	struct vio_device vio;
	struct console *console;	/* NULL: nothing connected */
	const char *chardev;		/* id of the chardev that it is connected to */
	uint32_t in, out;		/* bytes ever put in and taken out, modulo 2^32; in - out <= 16 */
	uint8_t ring[VTY_PACKET];
};

static struct vty *to_vty(struct device *dev)
{
	return (struct vty *)dev;	/* first member */
}

/* The nth -serial option that names a terminal. "none" counts for none: it only keeps the default terminal away. */
static struct chardev *serial_chardev(const struct config *o, uint32_t n)
{
	for (unsigned i = 0; i < o->serials; i++)
		if (o->serial[i] && !n--)
			return o->serial[i];
	return NULL;
}

static unsigned vty_on_board(const struct config *o)
{
	unsigned n = 0;

	while (serial_chardev(o, n))
		n++;
	return n;
}

static bool vty_init(struct device *dev, struct error *err)
{
	struct vty *vty = to_vty(dev);
	const struct chardev *chardev = serial_chardev(dev->machine->config, dev->number);

	vty->chardev = chardev->id;
	vty->console = console_open(&dev->machine->consoles, dev->machine->term, chardev, err);
	return vty->console != NULL;
}

static void vty_reset(struct device *dev)
{
	struct vty *vty = to_vty(dev);

	vty->in = vty->out = 0;
	memset(vty->ring, 0, sizeof vty->ring);
}

static void vty_free(struct device *dev)
{
	console_close(to_vty(dev)->console);
}

static bool vty_check(const void *s, struct vms_walk *w)
{
	const struct vty *vty = s;

	return vty->in - vty->out <= VTY_PACKET ||
	       vms_wrong(w, "in", vty->in, "at most %d more than out (0x%x)", VTY_PACKET, (unsigned)vty->out);
}

static const struct vmstate vty_state = {
	.name = "spapr_vty", .version = 1, .min_version = 1, VMS_OF(struct vty), .check = vty_check,
	.fields = VMS_FIELDS(
		VMS_STRUCT("sdev", struct vty, vio, struct vio_device, vio_state),
		VMS_U32(struct vty, in), VMS_U32(struct vty, out),
		VMS_BUFFER_AS("buf", struct vty, ring),
		VMS_SKIP(struct vty, console, "the host's; what it has read ahead is section cede/console"),
		VMS_SKIP(struct vty, chardev, "an option")),
};

/* What the host has typed ahead. */
static void *typed_ahead(struct device *dev, struct spapr_cpu *const *cpu, unsigned i)
{
	(void)cpu;
	(void)i;
	return to_vty(dev)->console;
}

static uint32_t vty_instance(const struct device *dev, unsigned i)
{
	(void)i;
	return ((const struct vio_device *)dev)->reg;
}

static const struct device_section vty_sections[] = {
	{ .state = &console_state, .own = true, .object = typed_ahead, .instance = vty_instance },
	{ .state = NULL },
};

static const struct device_property vty_properties[] = {
	{ .name = "chardev", .help = "the -serial or -chardev it is connected to", .type = PROPERTY_STRING, .offset = offsetof(struct vty, chardev) },
	{ .name = NULL },
};

static struct console *vty_console(const struct device *dev)
{
	return ((const struct vty *)dev)->console;
}

/* Moves what the host has typed into the ring and raises the interrupt if it was empty. */
static void vty_receive(struct device *dev)
{
	struct vty *vty = to_vty(dev);
	bool was_empty = vty->in == vty->out;
	uint8_t byte;

	if (!vty->console)
		return;
	while (vty->in - vty->out < VTY_PACKET && console_read(vty->console, &byte, 1))
		vty->ring[vty->in++ % VTY_PACKET] = byte;
	if (was_empty && vty->in != vty->out)
		vio_irq_pulse(&vty->vio);
}

const struct device_class vty_class = {
	.name = "spapr-vty", .help = "virtual terminal (-serial)", .size = sizeof(struct vty), .on = &vio_bus,
	.on_board = vty_on_board, .properties = vty_properties,
	.init = vty_init, .free = vty_free, .reset = vty_reset,
	.console = vty_console, .receive = vty_receive,
	.node = "vty", .device_type = "serial", .compatible = "hvterm1",
	.state = &vty_state, .sections = vty_sections,
};

struct vty *vty_find(struct machine *m, uint32_t reg)
{
	struct device *dev = device_next(m, NULL, &vty_class);

	/* Unit 0 is what a kernel uses before it has read the device tree. */
	while (dev && reg && ((struct vio_device *)dev)->reg != reg)
		dev = device_next(m, dev, &vty_class);
	return (struct vty *)dev;
}

void vty_put(struct vty *vty, const uint8_t *buf, unsigned len)
{
	if (vty->console)
		console_write(vty->console, buf, len);
}

unsigned vty_get(struct vty *vty, uint8_t buf[VTY_PACKET])
{
	unsigned n = 0;

	while (n < VTY_PACKET && vty->in != vty->out) {
		uint8_t byte = vty->ring[vty->out % VTY_PACKET];

		/* Guests take a NUL right after a CR for an old hypervisor's fault and drop it: a
		 * real one begins the next packet. Linux, drivers/tty/hvc/hvc_vio.c. */
		if (n && buf[n - 1] == '\r' && !byte)
			break;
		buf[n++] = byte;
		vty->out++;
	}
	vty_receive(&vty->vio.dev);	/* room for what waits in the host's buffer */
	return n;
}

unsigned vty_take(struct vty *vty, uint8_t *buf, unsigned len)
{
	unsigned n = 0;

	while (n < len && vty->in != vty->out)
		buf[n++] = vty->ring[vty->out++ % VTY_PACKET];
	vty_receive(&vty->vio.dev);
	return n;
}

/* A virtual terminal (spapr-vty): a ring of 16 bytes between the host's stream and the guest.
 * The hypercalls are hcall/term.c's. PAPR, "Vterm Console Operations". */
#include "machine/vio/vio_vty.h"

#include <stdlib.h>

#include "machine/host/console.h"
#include "savevm/hash.h"

struct vty {
	struct vio_device vio;
	struct console *console;	/* NULL: nothing connected */
	uint32_t in, out;		/* bytes ever put in and taken out, modulo 2^32; in - out <= 16 */
	uint8_t ring[VTY_PACKET];
};

static struct vty *to_vty(struct vio_device *dev)
{
	return (struct vty *)dev;	/* first member */
}

static void vty_reset(struct vio_device *dev)
{
	struct vty *vty = to_vty(dev);

	vty->in = vty->out = 0;
	memset(vty->ring, 0, sizeof vty->ring);
}

static void vty_free(struct vio_device *dev)
{
	struct vty *vty = to_vty(dev);

	console_close(vty->console);
	free(vty);
}

static uint64_t vty_hash(const struct vio_device *dev, uint64_t hash)
{
	const struct vty *vty = (const struct vty *)dev;

	hash = hash_u64(hash, (uint64_t)vty->in << 32 | vty->out);
	return hash_bytes(hash, vty->ring, sizeof vty->ring);
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
		VMS_SKIP(struct vty, console, "the host's; what it has read ahead is section cede/console")),
};

static const struct vio_class vty_class = {
	.name = "vty", .device_type = "serial", .compatible = "hvterm1",
	.reset = vty_reset, .free = vty_free, .hash = vty_hash, .state = &vty_state,
};

struct vty *vty_new(struct machine *m, struct console *console)
{
	struct vty *vty = calloc(1, sizeof *vty);

	if (!vty)
		return NULL;
	vty->console = console;
	vio_add(m, &vty->vio, &vty_class);
	return vty;
}

struct vty *vty_find(struct machine *m, uint32_t reg)
{
	struct vio_device *dev = m->vio->devices;

	/* Unit 0 is what a kernel uses before it has read the device tree. */
	while (dev && (dev->class != &vty_class || (reg && dev->reg != reg)))
		dev = dev->next;
	return dev ? to_vty(dev) : NULL;
}

struct vty *vty_next(struct vty *vty)
{
	struct vio_device *dev = vty->vio.next;

	while (dev && dev->class != &vty_class)
		dev = dev->next;
	return dev ? to_vty(dev) : NULL;
}

struct console *vty_console(const struct vty *vty)
{
	return vty->console;
}

void vty_put(struct vty *vty, const uint8_t *buf, unsigned len)
{
	if (vty->console)
		console_write(vty->console, buf, len);
}

void vty_receive(struct vty *vty)
{
	bool was_empty = vty->in == vty->out;
	uint8_t byte;

	if (!vty->console)
		return;
	while (vty->in - vty->out < VTY_PACKET && console_read(vty->console, &byte, 1))
		vty->ring[vty->in++ % VTY_PACKET] = byte;
	if (was_empty && vty->in != vty->out)
		vio_irq_pulse(&vty->vio);
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
	vty_receive(vty);	/* room for what waits in the host's buffer */
	return n;
}

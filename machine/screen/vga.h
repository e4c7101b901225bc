/* The VGA card's registers and memory, between the file of its card (vga.c) and that of its old ports (vga_ports.c).
 * Source: QEMU's docs/specs, "QEMU Standard VGA"; the Bochs VBE display interface; IBM VGA for the ports. */
#ifndef MACHINE_SCREEN_VGA_H
#define MACHINE_SCREEN_VGA_H

#include "machine/core/screen.h"
#include "machine/pci/pci.h"
#include "machine/screen/edid.h"

#define VGA_COLOURS 256u
#define VBE_REGISTERS 10u

/* The old ports' registers, which mean nothing here but for the palette. Names and counts are those of QEMU's stream. */
struct vga_ports {
	uint8_t sr_index, sr[8], gr_index, gr[16], ar_index, ar[21], cr_index, cr[256];
	uint8_t msr, fcr, st01;		/* miscellaneous output, feature control, status 1 */
	bool ar_flip_flop;		/* the next byte is the value of ar[ar_index] */
	uint8_t dac_state, dac_sub_index, dac_read_index, dac_write_index, dac_cache[3];
	uint8_t palette[3 * VGA_COLOURS];
};

struct vga {
	struct pci_device pci;
	struct screen screen;
	bool plain;			/* bochs-display: none of the old ports; follows from the class */
	struct vga_ports ports;
	uint8_t *vram;
	uint32_t vram_bytes;
	uint16_t vbe[VBE_REGISTERS];
	bool big_endian;		/* pixels of more than a byte */
	uint8_t *seen;			/* lines as they were when somebody last asked whether they had changed; NULL: nobody has */
	bool afresh, all_changed;	/* all look other than then; this time all do */
	uint8_t edid_bytes[EDID_BYTES];
	uint32_t vgamem_mb, xres, yres;	/* properties */
	bool edid;
};

/* Numbers of ports from 0x3c0 on: up to VGA_PORTS. */
#define VGA_PORTS 0x20u
uint8_t vga_port_load(struct vga *vga, unsigned port);
void vga_port_store(struct vga *vga, unsigned port, uint8_t value);
void vga_ports_reset(struct vga_ports *ports);

#endif

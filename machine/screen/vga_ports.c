/* The old ports: registers that keep what is written into them, and the palette. */
#include <string.h>

#include "machine/screen/vga.h"

enum {				/* from 0x3c0 on */
	ATTRIBUTE = 0x00, ATTRIBUTE_READ, MISC, SEQUENCER = 0x04, SEQUENCER_DATA, DAC_READ = 0x07, DAC_WRITE, DAC_DATA, FEATURE_READ,
	MISC_READ = 0x0c, GRAPHICS = 0x0e, GRAPHICS_DATA, CRTC = 0x14, CRTC_DATA, STATUS_1 = 0x1a,
};
#define DAC_READS  0
#define DAC_WRITES 3
#define IN_RETRACE 0x09u		/* the display is blanked, vertically: drivers wait for either value */

/* Three bytes a colour: the last one sets it. */
static void store_colour(struct vga *vga, uint8_t value)
{
	struct vga_ports *p = &vga->ports;

	p->dac_cache[p->dac_sub_index] = value;
	if (++p->dac_sub_index < 3)
		return;
	memcpy(&p->palette[3u * p->dac_write_index++], p->dac_cache, 3);
	p->dac_sub_index = 0;
	vga->afresh = true;
}

static uint8_t load_colour(struct vga_ports *p)
{
	uint8_t value = p->palette[3u * p->dac_read_index + p->dac_sub_index];

	if (++p->dac_sub_index == 3) {
		p->dac_sub_index = 0;
		p->dac_read_index++;
	}
	return value;
}

static void store_attribute(struct vga_ports *p, uint8_t value)
{
	if (!p->ar_flip_flop)
		p->ar_index = value & 0x3f;
	else if ((p->ar_index & 0x1fu) < sizeof p->ar)
		p->ar[p->ar_index & 0x1f] = value;
	p->ar_flip_flop = !p->ar_flip_flop;
}

void vga_port_store(struct vga *vga, unsigned port, uint8_t value)
{
	struct vga_ports *p = &vga->ports;

	switch (port) {
	case ATTRIBUTE: store_attribute(p, value); break;
	case MISC: p->msr = value & 0xef; break;
	case SEQUENCER: p->sr_index = value & 7; break;
	case SEQUENCER_DATA: p->sr[p->sr_index] = value; break;
	case DAC_READ:
		p->dac_read_index = value;
		p->dac_sub_index = 0;
		p->dac_state = DAC_WRITES;
		break;
	case DAC_WRITE:
		p->dac_write_index = value;
		p->dac_sub_index = 0;
		p->dac_state = DAC_READS;
		break;
	case DAC_DATA: store_colour(vga, value); break;
	case GRAPHICS: p->gr_index = value & 0x0f; break;
	case GRAPHICS_DATA: p->gr[p->gr_index] = value; break;
	case CRTC: p->cr_index = value; break;
	case CRTC_DATA: p->cr[p->cr_index] = value; break;
	case STATUS_1: p->fcr = value & 0x10; break;
	default: break;
	}
}

uint8_t vga_port_load(struct vga *vga, unsigned port)
{
	struct vga_ports *p = &vga->ports;

	switch (port) {
	case ATTRIBUTE: return p->ar_flip_flop ? 0 : p->ar_index;
	case ATTRIBUTE_READ: return (p->ar_index & 0x1fu) < sizeof p->ar ? p->ar[p->ar_index & 0x1f] : 0;
	case SEQUENCER: return p->sr_index;
	case SEQUENCER_DATA: return p->sr[p->sr_index];
	case DAC_READ: return p->dac_state;
	case DAC_WRITE: return p->dac_write_index;
	case DAC_DATA: return load_colour(p);
	case FEATURE_READ: return p->fcr;
	case MISC_READ: return p->msr;
	case GRAPHICS: return p->gr_index;
	case GRAPHICS_DATA: return p->gr[p->gr_index];
	case CRTC: return p->cr_index;
	case CRTC_DATA: return p->cr[p->cr_index];
	case STATUS_1:
		p->ar_flip_flop = false;
		return p->st01 ^= IN_RETRACE;
	default: return 0xff;
	}
}

void vga_ports_reset(struct vga_ports *p)
{
	memset(p, 0, sizeof *p);
}

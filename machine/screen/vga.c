/* VGA: the card of -vga std, and bochs-display, the same without what is old. A frame buffer and the registers of the Bochs VBE
 * display interface, by which drivers choose a mode; text and planes of a real VGA are not shown, for no firmware and no guest of a pSeries uses them. */
#include "machine/screen/vga.h"

#include <stdlib.h>
#include <string.h>

#include "machine/core/config.h"
#include "machine/core/memory.h"

#define MMIO_BYTES 0x1000u
#define VRAM_MOST (UINT32_C(256) << 20)
/* In the second BAR: where the display says what it is, and registers. */
#define EDID_AT  0x000u
#define PORTS_AT 0x400u
#define VBE_AT   0x500u
#define EXTRA_AT 0x600u
#define EXTRA_BYTES 8u
#define BIG_ENDIAN_PIXELS    0xbebebebeu
#define LITTLE_ENDIAN_PIXELS 0x1e1e1e1eu

enum { VBE_ID, VBE_XRES, VBE_YRES, VBE_BPP, VBE_ENABLE, VBE_BANK, VBE_VIRT_WIDTH, VBE_VIRT_HEIGHT, VBE_X_OFFSET, VBE_Y_OFFSET };
#define VBE_VIDEO_MEMORY VBE_REGISTERS	/* read-only, in units of 64 KiB */
#define VBE_FIRST_ID 0xb0c0u
#define VBE_LAST_ID  0xb0c5u
#define ENABLED      0x01u
#define CAPABILITIES 0x02u		/* the first three tell what can be had */
#define DAC_8_BIT    0x20u
#define KEEP_MEMORY  0x80u

#define NO_MODE_WIDTH 640u
#define NO_MODE_HEIGHT 480u

static struct vga *vga_of(const struct device *dev) { return (struct vga *)(uintptr_t)dev; }

static bool mode_set(const struct vga *vga) { return vga->vbe[VBE_ENABLE] & ENABLED; }

/* ---- The mode ---- */

static unsigned pixel_bits(const struct vga *vga) { return vga->vbe[VBE_BPP]; }
static unsigned pixel_bytes(const struct vga *vga) { return (pixel_bits(vga) + 7) / 8; }
static uint32_t line_bytes(const struct vga *vga) { return vga->vbe[VBE_VIRT_WIDTH] * pixel_bytes(vga); }

static uint16_t within(uint32_t value, uint32_t least, uint32_t most)
{
	return (uint16_t)(value < least ? least : value > most ? most : value);
}

/* Whatever a driver has written becomes a mode whose first picture lies in the card's memory. */
static void fit_mode(struct vga *vga)
{
	uint16_t *r = vga->vbe;
	uint32_t lines, offset;

	if (r[VBE_BPP] != 8 && r[VBE_BPP] != 15 && r[VBE_BPP] != 16 && r[VBE_BPP] != 24)
		r[VBE_BPP] = 32;
	r[VBE_XRES] = within(r[VBE_XRES] & ~7u, 8, SCREEN_MOST);
	r[VBE_VIRT_WIDTH] = within(r[VBE_VIRT_WIDTH] & ~7u, r[VBE_XRES], 4 * SCREEN_MOST);
	lines = vga->vram_bytes / line_bytes(vga);
	r[VBE_YRES] = within(r[VBE_YRES], 1, lines < SCREEN_MOST ? lines : SCREEN_MOST);
	r[VBE_VIRT_HEIGHT] = within(lines, 1, UINT16_MAX);
	r[VBE_X_OFFSET] = within(r[VBE_X_OFFSET], 0, r[VBE_VIRT_WIDTH] - r[VBE_XRES]);
	offset = lines - r[VBE_YRES];
	r[VBE_Y_OFFSET] = within(r[VBE_Y_OFFSET], 0, offset < UINT16_MAX ? offset : UINT16_MAX);
}

/* What follows from the registers. */
static void show_mode(struct vga *vga)
{
	vga->screen.width = mode_set(vga) ? vga->vbe[VBE_XRES] : NO_MODE_WIDTH;
	vga->screen.height = mode_set(vga) ? vga->vbe[VBE_YRES] : NO_MODE_HEIGHT;
	vga->afresh = true;
}

/* What it costs the host is what the guest has touched. */
static void clear(struct vga *vga, uint32_t bytes)
{
	memory_clear_part(&vga->pci.dev.machine->ram, vga->pci.bar[0].part - 1, bytes);
}

static void store_enable(struct vga *vga, uint16_t value)
{
	bool before = mode_set(vga);

	vga->vbe[VBE_ENABLE] = value;
	if (!mode_set(vga) || before)
		return;
	vga->vbe[VBE_VIRT_WIDTH] = 0;
	vga->vbe[VBE_X_OFFSET] = vga->vbe[VBE_Y_OFFSET] = 0;
	fit_mode(vga);
	if (!(value & KEEP_MEMORY))
		clear(vga, vga->vbe[VBE_YRES] * line_bytes(vga));
}

static void store_vbe(struct vga *vga, unsigned n, uint16_t value)
{
	if (n >= VBE_REGISTERS || (n == VBE_ID && (value < VBE_FIRST_ID || value > VBE_LAST_ID)))
		return;
	if (n == VBE_ENABLE)
		store_enable(vga, value);
	else
		vga->vbe[n] = value;
	if (mode_set(vga))
		fit_mode(vga);
	show_mode(vga);
}

static uint16_t load_vbe(const struct vga *vga, unsigned n)
{
	static const uint16_t most[] = { [VBE_XRES] = SCREEN_MOST, [VBE_YRES] = SCREEN_MOST, [VBE_BPP] = 32 };

	if (n >= VBE_XRES && n <= VBE_BPP && vga->vbe[VBE_ENABLE] & CAPABILITIES)
		return most[n];
	return n < VBE_REGISTERS ? vga->vbe[n] : n == VBE_VIDEO_MEMORY ? (uint16_t)(vga->vram_bytes >> 16) : 0;
}

/* ---- The picture ---- */

static uint32_t rgb(uint32_t r, uint32_t g, uint32_t b) { return r << 16 | g << 8 | b; }

/* A colour of `bits` bits, spread over eight. */
static uint32_t spread(uint32_t value, unsigned bits)
{
	value = (value & ((1u << bits) - 1)) << (8 - bits);
	return value | value >> bits;
}

static uint32_t palette_colour(const struct vga *vga, uint8_t n)
{
	const uint8_t *p = &vga->ports.palette[3u * n];

	if (vga->vbe[VBE_ENABLE] & DAC_8_BIT)
		return rgb(p[0], p[1], p[2]);
	return rgb(spread(p[0], 6), spread(p[1], 6), spread(p[2], 6));
}

/* A pixel of 16, 24 or 32 bits as a number. */
static uint32_t pixel_at(const struct vga *vga, const uint8_t *at, unsigned bytes)
{
	uint32_t value = 0;

	for (unsigned i = 0; i < bytes; i++)
		value |= (uint32_t)at[vga->big_endian ? bytes - 1 - i : i] << 8 * i;
	return value;
}

static const uint8_t *line_at(const struct vga *vga, unsigned y)
{
	return vga->vram + (vga->vbe[VBE_Y_OFFSET] + y) * line_bytes(vga) + vga->vbe[VBE_X_OFFSET] * pixel_bytes(vga);
}

static void vga_draw(const struct device *dev, unsigned y, uint32_t *pixel)
{
	const struct vga *vga = vga_of(dev);
	unsigned bytes = pixel_bytes(vga), bits = pixel_bits(vga);
	const uint8_t *at;

	if (!mode_set(vga)) {
		memset(pixel, 0, vga->screen.width * sizeof *pixel);
		return;
	}
	at = line_at(vga, y);
	for (unsigned x = 0; x < vga->screen.width; x++, at += bytes) {
		uint32_t value = bytes > 1 ? pixel_at(vga, at, bytes) : *at;

		switch (bits) {
		case 8: pixel[x] = palette_colour(vga, *at); break;
		case 15: pixel[x] = rgb(spread(value >> 10, 5), spread(value >> 5, 5), spread(value, 5)); break;
		case 16: pixel[x] = rgb(spread(value >> 11, 5), spread(value >> 5, 6), spread(value, 5)); break;
		default: pixel[x] = value & 0xffffff; break;
		}
	}
}

/* Nobody marks what processors store: lines are compared with what they were. */
static bool vga_changed(struct device *dev, unsigned y)
{
	struct vga *vga = vga_of(dev);
	uint32_t bytes = mode_set(vga) ? vga->vbe[VBE_XRES] * pixel_bytes(vga) : 0;
	const uint8_t *line = line_at(vga, y);
	uint8_t *seen;

	if (!y && vga->afresh) {
		free(vga->seen);
		vga->seen = calloc(vga->screen.height, bytes ? bytes : 1);
		vga->afresh = false;
		vga->all_changed = true;
	} else if (!y) {
		vga->all_changed = !vga->seen;
	}
	if (!bytes || !vga->seen)
		return vga->all_changed;
	seen = vga->seen + (size_t)y * bytes;
	if (!vga->all_changed && !memcmp(seen, line, bytes))
		return false;
	memcpy(seen, line, bytes);
	return true;
}

static struct screen *vga_screen(struct device *dev) { return &vga_of(dev)->screen; }

/* ---- The frame buffer: the first BAR. For processors it is memory; here is what hypercalls do ---- */

static uint64_t vram_load(struct pci_device *pci, uint64_t offset, unsigned size)
{
	const uint8_t *at = ((struct vga *)pci)->vram + offset;
	uint64_t value = 0;

	for (unsigned i = size; i--;)
		value = value << 8 | at[i];
	return value;
}

static void vram_store(struct pci_device *pci, uint64_t offset, unsigned size, uint64_t value)
{
	struct vga *vga = (struct vga *)pci;

	for (unsigned i = 0; i < size; i++)
		vga->vram[offset + i] = (uint8_t)(value >> 8 * i);
}

static const struct pci_bar_ops vram_ops = { .load = vram_load, .store = vram_store };

/* ---- Registers: the third BAR. Each part has a width of its own; other accesses are cut or joined to it ---- */

static uint8_t extra_load(const struct vga *vga, unsigned at)
{
	uint32_t pixels = vga->big_endian ? BIG_ENDIAN_PIXELS : LITTLE_ENDIAN_PIXELS;

	return at >= 4 ? (uint8_t)(pixels >> 8 * (at - 4)) : at ? 0 : EXTRA_BYTES;
}

static uint8_t load_byte(struct vga *vga, unsigned at)
{
	if (at < EDID_AT + EDID_BYTES)
		return vga->edid ? vga->edid_bytes[at - EDID_AT] : 0xff;
	if (at - PORTS_AT < VGA_PORTS)
		return vga->plain ? 0xff : vga_port_load(vga, at - PORTS_AT);
	if (at - VBE_AT < 2 * (VBE_REGISTERS + 1))
		return (uint8_t)(load_vbe(vga, (at - VBE_AT) / 2) >> 8 * (at & 1));
	if (at - EXTRA_AT < EXTRA_BYTES)
		return extra_load(vga, at - EXTRA_AT);
	return at < PORTS_AT ? 0 : 0xff;
}

static uint64_t registers_load(struct pci_device *pci, uint64_t offset, unsigned size)
{
	uint64_t value = 0;

	for (unsigned i = 0; i < size; i++)
		value |= (uint64_t)load_byte((struct vga *)pci, (unsigned)offset + i) << 8 * i;
	return value;
}

static void set_endian(struct vga *vga, bool big)
{
	vga->big_endian = big;
	vga->afresh = true;
}

static void registers_store(struct pci_device *pci, uint64_t offset, unsigned size, uint64_t value)
{
	struct vga *vga = (struct vga *)pci;
	unsigned at = (unsigned)offset;

	if (at - PORTS_AT < VGA_PORTS) {	/* from the lowest on: an index, and what is stored there */
		for (unsigned i = 0; i < size && at + i - PORTS_AT < VGA_PORTS && !vga->plain; i++)
			vga_port_store(vga, at + i - PORTS_AT, (uint8_t)(value >> 8 * i));
	} else if (at - VBE_AT < 2 * (VBE_REGISTERS + 1)) {
		for (unsigned i = 0; i < size && (size > 1 || !(at & 1)); i += 2)
			store_vbe(vga, (at - VBE_AT + i) / 2, (uint16_t)(value >> 8 * i));
	} else if (at == EXTRA_AT + 4 && size == 4) {
		if (value == BIG_ENDIAN_PIXELS || value == LITTLE_ENDIAN_PIXELS)
			set_endian(vga, value == BIG_ENDIAN_PIXELS);
	}
}

static const struct pci_bar_ops registers_ops = { .load = registers_load, .store = registers_store };

/* ---- Its life ---- */

extern const struct device_class bochs_display_class;

static bool vga_init(struct device *dev, struct error *err)
{
	static const struct pci_id ids[] = {
		{ .vendor = 0x1234, .device = 0x1111, .subsystem_vendor = 0x1af4, .subsystem = 0x1100, .revision = 2, .class = 0x030000 },
		{ .vendor = 0x1234, .device = 0x1111, .subsystem_vendor = 0x1af4, .subsystem = 0x1100, .revision = 2, .class = 0x038000 },
	};
	struct vga *vga = vga_of(dev);
	uint32_t mb = vga->vgamem_mb;

	if (mb < 2 || mb > VRAM_MOST >> 20 || mb & (mb - 1)) {
		error_usage(err, "-device %s: vgamem_mb=%u: expected a power of two from 2 to %u", dev->class->name, mb, VRAM_MOST >> 20);
		return false;
	}
	if (vga->xres < 64 || vga->xres > SCREEN_MOST - 1 || vga->yres < 64 || vga->yres > SCREEN_MOST - 1) {
		error_usage(err, "-device %s: xres=%u,yres=%u: expected 64 to %u each", dev->class->name, vga->xres, vga->yres, SCREEN_MOST - 1);
		return false;
	}
	vga->vram_bytes = mb << 20;
	edid_fill(vga->edid_bytes, vga->xres, vga->yres);
	vga->plain = dev->class == &bochs_display_class;
	pci_identify(&vga->pci, &ids[vga->plain]);
	vga->vram = pci_add_memory(&vga->pci, 0, vga->vram_bytes, &vram_ops, err);
	pci_add_bar(&vga->pci, 2, PCI_BAR_MEM32, MMIO_BYTES, &registers_ops);
	vga->screen.draw = vga_draw;
	vga->screen.changed = vga_changed;
	return vga->vram != NULL;
}

static void vga_free(struct device *dev)
{
	struct vga *vga = vga_of(dev);

	free(vga->seen);
	pci_device_free(&vga->pci);
}

static void vga_reset(struct device *dev)
{
	struct vga *vga = vga_of(dev);

	vga_ports_reset(&vga->ports);
	memset(vga->vbe, 0, sizeof vga->vbe);
	vga->vbe[VBE_ID] = VBE_LAST_ID;
	vga->big_endian = true;
	clear(vga, vga->vram_bytes);
	show_mode(vga);
}

static void vga_endian(struct device *dev, bool big) { set_endian(vga_of(dev), big); }

static void vga_loaded(struct device *dev, bool foreign)
{
	struct vga *vga = vga_of(dev);

	(void)foreign;
	pci_device_loaded(&vga->pci);
	show_mode(vga);
}

static unsigned vga_on_board(const struct config *config) { return config->vga; }

static const struct device_property vga_properties[] = {
	{ .name = "vgamem_mb", .help = "memory for pictures, in MiB", .type = PROPERTY_U32, .settable = true,
	  .offset = offsetof(struct vga, vgamem_mb), .value = 16 },
	{ .name = "xres", .help = "columns that the display likes best", .type = PROPERTY_U32, .settable = true,
	  .offset = offsetof(struct vga, xres), .value = 1280 },
	{ .name = "yres", .help = "rows, likewise", .type = PROPERTY_U32, .settable = true,
	  .offset = offsetof(struct vga, yres), .value = 800 },
	{ .name = "edid", .help = "the display says what it is", .type = PROPERTY_BOOL, .settable = true,
	  .offset = offsetof(struct vga, edid), .value = true },
	{ .name = NULL },
};

/* ---- Snapshots: QEMU's section "vga" ---- */

static const struct vga *saved(const void *s) { return s; }

/* What QEMU reckons from the mode, and keeps. */
static uint64_t first_word(const void *s, unsigned i)
{
	const struct vga *vga = saved(s);

	(void)i;
	return mode_set(vga) ? (uint64_t)(line_at(vga, 0) - vga->vram) / 4 : 0;
}

static uint64_t line_length(const void *s, unsigned i)
{
	(void)i;
	return mode_set(saved(s)) ? line_bytes(saved(s)) : 0;
}

static uint64_t banks(const void *s, unsigned i)
{
	(void)i;
	return (saved(s)->vram_bytes >> 16) - 1;
}

static uint64_t flip_flop(const void *s, unsigned i)
{
	(void)i;
	return saved(s)->ports.ar_flip_flop;
}

static bool put_flip_flop(void *s, unsigned i, uint64_t value)
{
	(void)i;
	((struct vga *)s)->ports.ar_flip_flop = value;
	return value <= 1;
}

/* A mode is what fit_mode() has made of it. */
static bool vga_check(const void *s, struct vms_walk *w)
{
	const struct vga *vga = s;
	struct vga fitted = *vga;

	if (!mode_set(vga))
		return true;
	fit_mode(&fitted);
	for (unsigned i = 0; i < VBE_REGISTERS; i++)
		if (vga->vbe[i] != fitted.vbe[i])
			return vms_wrong(w, "vbe", vga->vbe[i], "%u, of a mode that there is", fitted.vbe[i]);
	return true;
}

static bool is_little(const void *s) { return !saved(s)->big_endian; }
static void is_big(void *s) { ((struct vga *)s)->big_endian = true; }

static const struct vmstate vga_endian_state = {
	.name = "vga.endian", .version = 1, .min_version = 1, VMS_OF(struct vga), .needed = is_little, .absent = is_big,
	.fields = VMS_FIELDS(VMS_BOOL_AS("big_endian_fb", struct vga, big_endian)),
};

#define PORT(f, ...)        VMS_U8_AS(#f, struct vga, ports.f, __VA_ARGS__)
#define PORT_BUFFER(f, ...) VMS_BUFFER_AS(#f, struct vga, ports.f, __VA_ARGS__)

static const struct vmstate vga_common_state = {
	.name = "vga/common", .version = 2, .min_version = 2, VMS_OF(struct vga),
	.fields = VMS_FIELDS(
		VMS_CONSTANT("latch", vms_u32, 0),
		PORT(sr_index, VMS_MOST(7)), PORT_BUFFER(sr,), PORT(gr_index, VMS_MOST(15)), PORT_BUFFER(gr,),
		PORT(ar_index, VMS_MOST(63)), PORT_BUFFER(ar,),
		VMS_CALC("ar_flip_flop", vms_i32, flip_flop, put_flip_flop), VMS_CARRIED(struct vga, ports.ar_flip_flop, "ar_flip_flop"),
		PORT(cr_index,), PORT_BUFFER(cr,), PORT(msr,), PORT(fcr,), VMS_CONSTANT("st00", vms_u8, 0), PORT(st01,),
		PORT(dac_state,), PORT(dac_sub_index, VMS_MOST(2)), PORT(dac_read_index,), PORT(dac_write_index,), PORT_BUFFER(dac_cache,),
		PORT_BUFFER(palette,),
		VMS_CONSTANT("bank_offset", vms_i32, 0), VMS_CONSTANT("is_vbe_vmstate", vms_u8, 1), VMS_CONSTANT("vbe_index", vms_u16, 0),
		VMS_MANY("vbe_regs", struct vga, vbe, uint16_t, vms_u16),
		VMS_CALC("vbe_start_addr", vms_u32, first_word, NULL), VMS_CALC("vbe_line_offset", vms_u32, line_length, NULL),
		VMS_CALC("vbe_bank_mask", vms_u32, banks, NULL)),
};

static const struct vmstate vga_state = {
	.name = "vga", .version = 2, .min_version = 2, VMS_OF(struct vga), .check = vga_check,
	.fields = VMS_FIELDS(VMS_STRUCT("dev", struct vga, pci, struct pci_device, pci_device_state), VMS_PART("vga", vga_common_state)),
	.subs = VMS_SUBS(&vga_endian_state),
};

/* The other card's struct, for descriptions alone: a member stands in one row of its own struct's. */
struct bochs_display { struct vga vga; };

static bool bochs_check(const void *s, struct vms_walk *w)
{
	const struct bochs_display *card = s;

	return vga_check(&card->vga, w);
}

static const struct vmstate bochs_state = {
	.name = "bochs-display", .version = 0, .min_version = 0, VMS_OF(struct bochs_display), .check = bochs_check,
	.fields = VMS_FIELDS(
		VMS_STRUCT("pci", struct bochs_display, vga.pci, struct pci_device, pci_device_state),
		VMS_MANY("vbe_regs", struct bochs_display, vga.vbe, uint16_t, vms_u16),
		VMS_BOOL_AS("big_endian_fb", struct bochs_display, vga.big_endian), VMS_SKIP(struct bochs_display, vga.ports, "it has none")),
};

#define LOOKED "who looks at it"
/* S.v is the struct vga. */
#define OWN_ROWS(S, v) \
	VMS_SKIP(S, v plain, "follows from the class"), VMS_U32_AS("vram_bytes", S, v vram_bytes, VMS_SAME), \
	VMS_POINTED_BUFFER("vram", S, v vram, v vram_bytes, VRAM_MOST), VMS_SKIP(S, v screen, "follows from the mode"), \
	VMS_SKIP(S, v seen, LOOKED), VMS_SKIP(S, v afresh, LOOKED), VMS_SKIP(S, v all_changed, LOOKED), VMS_SKIP(S, v edid_bytes, "options"), \
	VMS_SKIP(S, v vgamem_mb, "an option"), VMS_SKIP(S, v xres, "an option"), VMS_SKIP(S, v yres, "an option"), VMS_SKIP(S, v edid, "an option")

static const struct vmstate vga_own_state = {
	.name = "cede/vga", .version = 2, .min_version = 2, VMS_OF(struct vga), .fields = VMS_FIELDS(OWN_ROWS(struct vga,)),
};

static const struct vmstate bochs_own_state = {
	.name = "cede/bochs-display", .version = 1, .min_version = 1, VMS_OF(struct bochs_display),
	.fields = VMS_FIELDS(OWN_ROWS(struct bochs_display, vga.)),
};

static struct device_memory vga_memory(struct device *dev)
{
	const struct vga *vga = vga_of(dev);

	return (struct device_memory){ vga->plain ? "bochs-display-vram" : "vga.vram", vga->vram, vga->vram_bytes };
}

#define CARD \
	.size = sizeof(struct vga), .on = &pci_bus, .pluggable = true, .properties = vga_properties, .init = vga_init, .free = vga_free, \
	.reset = vga_reset, .screen = vga_screen, .endian = vga_endian, .memory = vga_memory, \
	.state_bytes = VRAM_MOST, .loaded = vga_loaded

const struct device_class vga_class = {
	.name = "VGA", .help = "screen: frame buffer, modes by the Bochs VBE interface (-vga std)", .on_board = vga_on_board, .state = &vga_state, .own_state = &vga_own_state, CARD,
};

const struct device_class bochs_display_class = {
	.name = "bochs-display", .help = "screen: the same without what is old of it", .state = &bochs_state, .own_state = &bochs_own_state, CARD,
};

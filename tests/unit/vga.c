/* The VGA card: what it says of itself, modes and what they show, what a hostile driver stores; pictures as files. */
#define _GNU_SOURCE
#include <sys/mman.h>

#include "check.h"
#include "hcall/hcall.h"
#include "machine/core/mmio.h"
#include "machine/monitor/shown.h"
#include "machine/pci/pci.h"
#include "machine/pci/phb.h"
#include "machine/screen/vga.h"
#include "rig.h"

#define MEM32_AT  UINT64_C(0x200080000000)
#define VRAM      MEM32_AT
#define REGISTERS (MEM32_AT + 0x10000000)
#define VBE(n)    (REGISTERS + 0x500 + 2 * (n))
#define PORT(n)   (REGISTERS + 0x400 + (n) - 0x3c0)
#define PIXELS    (REGISTERS + 0x604)

enum { ID, XRES, YRES, BPP, ENABLE, BANK, VIRT_WIDTH, VIRT_HEIGHT, X_OFFSET, Y_OFFSET, MEMORY };

static uint64_t load(struct machine *m, uint64_t gra, unsigned size)
{
	uint64_t v = 0;

	return mmio_load(m, gra, size, &v) ? v : UINT64_MAX;
}

static void store(struct machine *m, uint64_t gra, unsigned size, uint64_t value) { mmio_store(m, gra, size, value); }

static struct vga *new_vga(struct machine *m, const char *values)
{
	extern const struct device_class vga_class;
	struct error err = { .msg = "" };
	struct vga *vga = (struct vga *)device_new(m, &vga_class, values, &err);

	if (!vga) {
		printf("FAIL -device VGA,%s: %s\n", values, err.msg);
		exit(EXIT_FAILURE);
	}
	pci_device_reset(&vga->pci);
	vga_class.reset(&vga->pci.dev);
	pci_config_store(&vga->pci, 0x10, 4, (uint32_t)VRAM);
	pci_config_store(&vga->pci, 0x18, 4, (uint32_t)REGISTERS);
	pci_config_store(&vga->pci, 4, 2, 2);
	return vga;
}

static void set_mode(struct machine *m, unsigned width, unsigned height, unsigned bits)
{
	store(m, VBE(ENABLE), 2, 0);
	store(m, VBE(XRES), 2, width);
	store(m, VBE(YRES), 2, height);
	store(m, VBE(BPP), 2, bits);
	store(m, VBE(ENABLE), 2, 0x41);
}

static uint32_t pixel(struct vga *vga, unsigned x, unsigned y)
{
	static uint32_t row[SCREEN_MOST];

	vga->screen.draw(&vga->pci.dev, y, row);
	return row[x];
}

static void test_identity(struct machine *m, struct vga *vga)
{
	uint8_t sum = 0;

	check_eq(pci_config_load(&vga->pci, 0, 4), 0x11111234, "ids");
	check_eq(pci_config_load(&vga->pci, 8, 4), 0x03000002, "class");
	for (unsigned i = 0; i < 128; i++)
		sum = (uint8_t)(sum + load(m, REGISTERS + i, 1));
	check(!sum && load(m, REGISTERS, 8) == 0x00ffffffffffff00, "edid: its sum is 0, and it begins as one");
	check(load(m, REGISTERS + 54 + 2, 1) == (1280 & 0xff) && load(m, REGISTERS + 54 + 4, 1) >> 4 == 1280 >> 8 &&
	      load(m, REGISTERS + 54 + 5, 1) == (800 & 0xff) && load(m, REGISTERS + 54 + 7, 1) >> 4 == 800 >> 8, "edid: 1280 x 800");
	check_eq(load(m, VBE(ID), 2), 0xb0c5, "vbe-id");
	check_eq(load(m, VBE(MEMORY), 2), 256, "memory: 16 MiB");
	store(m, VBE(ID), 2, 0xb0c0);
	check_eq(load(m, VBE(ID), 2), 0xb0c0, "an older id");
	store(m, VBE(ID), 2, 0xb0c6);
	check_eq(load(m, VBE(ID), 2), 0xb0c0, "none of the future");
	store(m, VBE(ENABLE), 2, 2);
	check(load(m, VBE(XRES), 2) == SCREEN_MOST && load(m, VBE(YRES), 2) == SCREEN_MOST && load(m, VBE(BPP), 2) == 32, "what can be had");
	check_eq(load(m, REGISTERS + 0x600, 4), 8, "how many further registers");
}

/* Firmware that sizes each register, one after the other, must find that memory takes one of them alone. */
static void test_registers(struct vga *vga)
{
	for (unsigned at = 0x10; at < 0x28; at += 4)
		pci_config_store(&vga->pci, at, 4, UINT32_MAX);
	check_eq(pci_config_load(&vga->pci, 0x10, 4), 0xff000008, "BAR 0: 16 MiB, prefetchable, 32 bits");
	check_eq(pci_config_load(&vga->pci, 0x14, 4), 0, "BAR 1: none");
	check_eq(pci_config_load(&vga->pci, 0x18, 4), 0xfffff000, "BAR 2: a page");
	pci_config_store(&vga->pci, 0x10, 4, (uint32_t)VRAM);
	pci_config_store(&vga->pci, 0x18, 4, (uint32_t)REGISTERS);
}

static void test_pixels(struct machine *m, struct vga *vga)
{
	static const struct { unsigned bits; bool big; uint32_t bytes, shows; } rows[] = {	/* the bytes in order of address */
		{ 32, false, 0x33221100, 0x112233 }, { 32, true, 0x00112233, 0x112233 },
		{ 24, false, 0x33221100, 0x112233 }, { 24, true, 0x11223300, 0x112233 },
		{ 16, false, 0x1ff80000, 0xff00ff }, { 16, true, 0xf81f0000, 0xff00ff }, { 16, false, 0xe0070000, 0x00ff00 },
		{ 15, false, 0x1f7c0000, 0xff00ff }, { 15, false, 0xe0030000, 0x00ff00 },
	};

	for (unsigned i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		store(m, PIXELS, 4, rows[i].big ? 0xbebebebe : 0x1e1e1e1e);
		set_mode(m, 64, 32, rows[i].bits);
		store(m, VRAM, 4, __builtin_bswap32(rows[i].bytes));
		check_eq(pixel(vga, 0, 0), rows[i].shows, "%u bits, %s", rows[i].bits, rows[i].big ? "big" : "little");
	}
	check_eq(load(m, PIXELS, 4), 0x1e1e1e1e, "which order");
	store(m, PIXELS, 4, 0x12345678);
	check_eq(load(m, PIXELS, 4), 0x1e1e1e1e, "no such order");
}

static void test_palette(struct machine *m, struct vga *vga)
{
	set_mode(m, 64, 32, 8);
	store(m, PORT(0x3c8), 1, 5);
	store(m, PORT(0x3c9), 1, 0x3f);
	store(m, PORT(0x3c9), 1, 0x20);
	check_eq(pixel(vga, 0, 0), 0, "palette: two bytes are no colour");
	store(m, PORT(0x3c9), 1, 0);
	store(m, VRAM + 1, 1, 5);
	check(pixel(vga, 0, 0) == 0 && pixel(vga, 1, 0) == 0xff8200, "palette: six bits: %06x", pixel(vga, 1, 0));
	store(m, VBE(ENABLE), 2, 0x61);
	check_eq(pixel(vga, 1, 0), 0x3f2000, "palette: eight bits");
	store(m, PORT(0x3c7), 1, 5);
	check(load(m, PORT(0x3c9), 1) == 0x3f && load(m, PORT(0x3c9), 1) == 0x20 && load(m, PORT(0x3c9), 1) == 0 &&
	      load(m, PORT(0x3c9), 1) == 0, "palette: read, and the next");
	store(m, PORT(0x3c4), 2, 0xab02);
	store(m, PORT(0x3c4), 1, 2);
	check_eq(load(m, PORT(0x3c5), 1), 0xab, "an index and what is stored there at once");
	check(load(m, PORT(0x3da), 1) != load(m, PORT(0x3da), 1), "a driver that waits for a retrace gets it");
}

/* These rows have changed since it was last asked, and no others. */
static bool changed_alone(struct vga *vga, unsigned first, unsigned last)
{
	bool ok = true;

	for (unsigned y = 0; y < vga->screen.height; y++)
		ok &= vga->screen.changed(&vga->pci.dev, y) == (y >= first && y <= last);
	return ok;
}

#define NO_ROWS 1, 0

static void test_rows(struct machine *m, struct vga *vga)
{
	set_mode(m, 64, 32, 24);
	check(changed_alone(vga, 0, 31), "a new mode: all rows");
	check(changed_alone(vga, NO_ROWS), "once");
	store(m, VRAM + 10 * 192 + 5, 1, 1);
	check(changed_alone(vga, 10, 10), "a byte: one row");
	store(m, VRAM + 10 * 192 + 5, 1, 1);
	check(changed_alone(vga, NO_ROWS), "the same byte: none");
	store(m, VBE(VIRT_WIDTH), 2, 72);
	check(changed_alone(vga, 0, 31), "other lines: all");
	store(m, VRAM + 3 * 216 - 8, 8, UINT64_MAX);
	check(changed_alone(vga, NO_ROWS), "beside the picture: none");
	store(m, VBE(Y_OFFSET), 2, 4);
	check(changed_alone(vga, 0, 31), "another place: all");
	store(m, VRAM + 2 * 216, 4, 1);
	store(m, VRAM + 36 * 216, 8, 1);
	check(changed_alone(vga, NO_ROWS), "above and below the picture: none");
	store(m, VRAM + 4 * 216, 4, 0x00ff00);
	check(changed_alone(vga, 0, 0) && pixel(vga, 0, 0) == 0x00ff00, "the picture's first");
	store(m, VBE(ENABLE), 2, 0);
	check(changed_alone(vga, 0, 479) && changed_alone(vga, NO_ROWS), "off: all, once");
	set_mode(m, 64, 32, 8);
	check(changed_alone(vga, 0, 31), "on");
	store(m, PORT(0x3c8), 1, 9);
	for (unsigned i = 0; i < 3; i++)
		store(m, PORT(0x3c9), 1, 1);
	check(changed_alone(vga, 0, 31), "another colour: all");
}

static void test_modes(struct machine *m, struct vga *vga)
{
	set_mode(m, 1027, 700, 99);
	check(vga->screen.width == 1024 && vga->screen.height == 700 && load(m, VBE(BPP), 2) == 32, "columns by eight; bits that there are");
	set_mode(m, 0, 0, 8);
	check(vga->screen.width == 8 && vga->screen.height == 1, "the smallest");
	set_mode(m, 0xffff, 0xffff, 32);
	check(vga->screen.width == SCREEN_MOST && vga->screen.height == 1024, "what 16 MiB hold: %u", vga->screen.height);
	store(m, VBE(X_OFFSET), 2, 0xffff);
	store(m, VBE(Y_OFFSET), 2, 0xffff);
	check(!load(m, VBE(X_OFFSET), 2) && !load(m, VBE(Y_OFFSET), 2), "the picture ends with the memory");
	set_mode(m, 640, 480, 32);
	store(m, VBE(VIRT_WIDTH), 2, 2048);
	check(load(m, VBE(VIRT_HEIGHT), 2) == 2048, "as many lines as there are: %u", (unsigned)load(m, VBE(VIRT_HEIGHT), 2));
	store(m, VBE(X_OFFSET), 2, 1000);
	store(m, VBE(Y_OFFSET), 2, 1500);
	store(m, VRAM + (1500 * 2048 + 1000) * 4, 4, 0x123456);
	check_eq(pixel(vga, 0, 0), 0x123456, "a corner elsewhere");
	store(m, VRAM, 4, 0x777);
	store(m, VBE(ENABLE), 2, 0);
	store(m, VBE(ENABLE), 2, 0x81);
	check_eq(load(m, VRAM, 4), 0x777, "memory is kept");
	store(m, VBE(ENABLE), 2, 0);
	check(vga->screen.width == 640 && !pixel(vga, 3, 3), "off: black");
	store(m, VBE(ENABLE), 2, 1);
	check_eq(load(m, VRAM, 4), 0, "memory is cleared");
}

static void test_endian(struct machine *m, struct vga *vga)
{
	struct cpu *cpu = &m->cpu[0]->cpu;

	for (unsigned little = 2; little--;) {
		const uint64_t in[] = { 0x31c, little, 4, 0, 0 };

		memcpy(&cpu->r[3], in, sizeof in);
		hcall_dispatch(cpu);
		check(!cpu->r[3] && vga->big_endian == !little, "H_SET_MODE: %s", little ? "little" : "big");
	}
}

static bool same_file(const char *path, const void *bytes, size_t size)
{
	static uint8_t got[4096];
	FILE *f = fopen(path, "rb");
	size_t n = f ? fread(got, 1, sizeof got, f) : 0;

	if (f)
		fclose(f);
	return n == size && !memcmp(got, bytes, size);
}

static void test_pictures(struct machine *m)
{
	static const uint8_t ppm[] = "P6\n8 1\n255\n\x11\x22\x33\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\xff\0\0";
	char folder[] = "/tmp/cede-unit-XXXXXX", path[64], line[128];
	struct error err = { .msg = "" };

	if (!mkdtemp(folder))
		exit(EXIT_FAILURE);
	snprintf(path, sizeof path, "%s/a b.ppm", folder);
	store(m, PIXELS, 4, 0x1e1e1e1e);
	set_mode(m, 8, 1, 32);
	store(m, VRAM, 4, 0x112233);
	store(m, VRAM + 28, 4, 0xff0000);
	snprintf(line, sizeof line, "\"%s\"", path);
	check(shown_run_dump(m, line, &err) && same_file(path, ppm, sizeof ppm - 1), "ppm: %s", err.msg);
	check(!shown_dump(m, path, "gif", "", &err) && strstr(err.msg, "'gif'"), "no such format: %s", err.msg);
	check(!shown_dump(m, path, "ppm", "b", &err) && strstr(err.msg, "'b' not found"), "no such screen: %s", err.msg);
	check(!shown_dump(m, "/nowhere/at/all", "ppm", "", &err), "no such folder: %s", err.msg);
	check(!shown_run_dump(m, "", &err) && !shown_run_dump(m, "a b c", &err) && !shown_run_dump(m, "a -f", &err), "too few, too many words");
	check(same_file(path, ppm, sizeof ppm - 1), "the old file is still there");
	unlink(path);
	rmdir(folder);
}

/* Any value in any register, by accesses of any size; each mode that comes out of it is drawn to its last row. */
static void test_hostile(struct machine *m, struct vga *vga, unsigned rounds)
{
	uint64_t seed = 1;
	uint32_t sum = 0;

	for (unsigned i = 0; i < rounds; i++) {
		uint64_t r = check_random(&seed), value = check_random(&seed);
		unsigned size = 1u << (r & 3), at = (r >> 8 & 0xfff) & ~(size - 1);

		if (r >> 32 & 1)
			at = 0x500 + (at % 0x18 & ~(size - 1));
		if (r >> 33 & 1)
			value &= 0x0fff0fff0fff0fff;
		store(m, REGISTERS + at, size, value);
		sum += (uint32_t)load(m, REGISTERS + at, size);
		store(m, VRAM + (check_random(&seed) & 0xfffff8), 8, value);
		if (i % 16 == 0)
			sum += pixel(vga, vga->screen.width - 1, vga->screen.height - 1) + pixel(vga, 0, 0);
	}
	check(vga->screen.width <= SCREEN_MOST && vga->screen.height <= SCREEN_MOST, "hostile: %08x", sum);
}

static void test_refused(struct machine *m)
{
	extern const struct device_class vga_class;
	static const char *const values[] = { "vgamem_mb=1", "vgamem_mb=3", "vgamem_mb=512", "xres=63", "yres=4096" };
	struct error err;

	for (unsigned i = 0; i < sizeof values / sizeof values[0]; i++) {
		err = (struct error){ .msg = "" };
		check(!device_new(m, &vga_class, values[i], &err) && strstr(err.msg, "expected"), "%s: %s", values[i], err.msg);
	}
}

int main(int argc, char **argv)
{
	struct rig rig;
	struct vga *vga;

	rig_new(&rig, "1");
	vga = new_vga(rig.m, "romfile=");
	test_identity(rig.m, vga);
	test_registers(vga);
	test_pixels(rig.m, vga);
	test_palette(rig.m, vga);
	test_rows(rig.m, vga);
	test_modes(rig.m, vga);
	test_endian(rig.m, vga);
	test_pictures(rig.m);
	test_hostile(rig.m, vga, argc > 1 ? (unsigned)atoi(argv[1]) : 20000);
	test_refused(rig.m);
	rig_free(&rig);
	return check_done();
}

/* Gives an input as a disk: patches of bytes on one that is zero. First a byte for each patch: where it lies (tables,
 * descriptors, directories, anywhere), then an offset and a length; the bytes follow. What the firmware looks for is looked
 * for, and a program that is found is taken apart as a kernel's file would be. */
#include <string.h>

#include "firmware/state.h"
#include "firmware/volume.h"
#include "tests/fuzz/firmware/rig.h"

#define SIZE     (UINT32_C(1) << 20)
#define SECTOR   512u
#define READ_MAX (UINT64_C(64) << 20)	/* bytes that one input may have read */

static uint8_t disk[SIZE];
static uint64_t bytes_read;

static const uint32_t places[] = { 0, 446, SECTOR, 2 * SECTOR, SIZE - SECTOR, 100 * SECTOR, 16 * 2048, 20 * 2048, 21 * 2048, 22 * 2048,
				   64 * SECTOR, 30 * 2048 };

static bool disk_read(void *opaque, uint64_t offset, void *buf, uint32_t bytes)
{
	(void)opaque;
	if (offset > SIZE || bytes > SIZE - offset)
		die("volume", "a read outside");
	bytes_read += bytes;
	memcpy(buf, disk + offset, bytes);
	return true;
}

static const struct volume volume = { .read = disk_read, .size = SIZE, .sector = SECTOR };

/* ---- Inputs ---- */

static size_t patch(const uint8_t *data, size_t size)
{
	uint32_t at, len;

	if (size < 4)
		return size;
	at = (places[data[0] % ARRAY_SIZE(places)] + (uint32_t)(data[1] | data[2] << 8)) % SIZE;
	len = data[3];
	len = len < size - 4 ? len : (uint32_t)(size - 4);
	len = len < SIZE - at ? len : SIZE - at;
	memcpy(disk + at, data + 4, len);
	return 4 + len;
}

/* The header's checksum, or nothing behind it would ever be looked at. */
static void seal(uint32_t sector, uint32_t array_crc)
{
	uint8_t *head = disk + sector * SECTOR;
	uint32_t crc = UINT32_MAX;

	for (unsigned i = 0; i < 4; i++)
		head[88 + i] = (uint8_t)(array_crc >> 8 * i);
	memset(head + 16, 0, 4);
	for (unsigned i = 0; i < 92; i++) {
		crc ^= head[i];
		for (unsigned bit = 0; bit < 8; bit++)
			crc = crc & 1 ? crc >> 1 ^ UINT32_C(0xedb88320) : crc >> 1;
	}
	for (unsigned i = 0; i < 4; i++)
		head[16 + i] = (uint8_t)(~crc >> 8 * i);
}

static uint32_t array_crc(void)
{
	uint32_t crc = UINT32_MAX;

	for (unsigned i = 0; i < 128 * 128; i++) {
		crc ^= disk[2 * SECTOR + i];
		for (unsigned bit = 0; bit < 8; bit++)
			crc = crc & 1 ? crc >> 1 ^ UINT32_C(0xedb88320) : crc >> 1;
	}
	return ~crc;
}

static bool try_program(const struct extent *at)
{
	struct firmware fw = { .kernel = { .what = "program", .path = "disk", .fd = -1, .volume = &volume, .start = at->start, .size = at->size } };
	struct error err;
	bool elf;

	return elf_is(&fw.kernel, &elf, &err) && elf && elf_load(&fw, &rig->ram, &err);
}

static bool search(void)
{
	struct bootinfo info;
	struct extent at;
	const char *why;
	bool good = false;

	if (partition_find_prep(&volume, &at, &why))
		good |= try_program(&at);
	for (unsigned n = 1; n < 8; n++)
		partition_find(&volume, n, &at);
	if (iso9660_find(&volume, "\\ppc\\bootinfo.txt", &at) && at.size < 4096 &&
	    bootinfo_parse((const char *)disk + at.start, (uint32_t)at.size, &info))
		good |= iso9660_find(&volume, info.path, &at);
	return good;
}

/* ---- Seeds ---- */

static void put32(uint8_t *p, uint32_t v)
{
	for (unsigned i = 0; i < 4; i++)
		p[i] = (uint8_t)(v >> 8 * i);
}

struct seed {
	uint8_t data[2048];
	size_t n;
};

static void seed_patch(struct seed *f, uint8_t place, uint16_t into, const void *bytes, uint8_t len)
{
	const uint8_t head[4] = { place, (uint8_t)into, (uint8_t)(into >> 8), len };

	memcpy(f->data + f->n, head, sizeof head);
	memcpy(f->data + f->n + sizeof head, bytes, len);
	f->n += sizeof head + len;
}

static void seed_mbr(struct seed *f, uint8_t type)
{
	uint8_t table[66] = { [4] = type, [8] = 64, [12] = 32, [16 + 4] = 5, [16 + 8] = 100, [16 + 13] = 1, [64] = 0x55, [65] = 0xaa };

	seed_patch(f, 1, 0, table, sizeof table);
	table[20] = 0;
	seed_patch(f, 5, 446, table, sizeof table);
}

static void seed_program(struct seed *f)
{
	uint8_t elf[96] = { 0x7f, 'E', 'L', 'F', 1, 2, 1, [17] = 2, [19] = 20, [23] = 1, [25] = 0x20, [31] = 52, [41] = 52, [43] = 32, [45] = 1,
			    [55] = 1, [61] = 0x20, [65] = 0x20, [71] = 96, [75] = 96 };

	seed_patch(f, 10, 0, elf, sizeof elf);
}

static void seed_gpt(struct seed *f)
{
	static const uint8_t prep[16] = { 0x38, 0x2d, 0x1a, 0x9e, 0x12, 0xc6, 0x16, 0x43, 0xaa, 0x26, 0x8b, 0x49, 0x52, 0x1e, 0x5a, 0x8b };
	uint8_t head[92] = "EFI PART", entry[48] = { [32] = 64, [40] = 95 };

	put32(head + 12, 92);
	head[24] = 1;
	head[72] = 2;
	head[80] = 128;
	head[84] = 128;
	memcpy(entry, prep, 16);
	seed_patch(f, 2, 0, head, sizeof head);
	seed_patch(f, 3, 0, entry, sizeof entry);
}

static uint8_t record(uint8_t *p, const char *name, uint8_t len, uint8_t sector, uint8_t size, uint8_t flags)
{
	memset(p, 0, 34u + len);
	p[0] = (uint8_t)((33 + len + 1) & ~1);
	p[2] = sector;
	p[flags & 2 ? 11 : 10] = size;
	p[25] = flags;
	p[32] = len;
	memcpy(p + 33, name, len);
	return p[0];
}

static void seed_iso(struct seed *f)
{
	static const char script[] = "<boot-script>boot &device;:\\ppc\\bootinfo.txt x=y</boot-script>";
	uint8_t pvd[200] = { 1, 'C', 'D', '0', '0', '1' }, dir[200];

	record(pvd + 156, "", 1, 20, 8, 2);
	seed_patch(f, 6, 0, pvd, sizeof pvd);
	seed_patch(f, 7, 0, dir, record(dir, "PPC", 3, 21, 8, 2));
	seed_patch(f, 8, 0, dir, record(dir, "BOOTINFO.TXT;1", 14, 22, sizeof script - 1, 0));
	seed_patch(f, 9, 0, script, sizeof script - 1);
}

static void seeds(void)
{
	static void (*const more[])(struct seed *f) = { NULL, seed_gpt, seed_iso };
	static const char *const names[] = { "mbr", "gpt", "iso" };

	for (unsigned i = 0; i < ARRAY_SIZE(names); i++) {
		struct seed f = { .n = 0 };

		seed_mbr(&f, i == 1 ? 0xee : 0x41);
		seed_program(&f);
		if (more[i])
			more[i](&f);
		rig_seed(names[i], f.data, f.n);
	}
}

/* ---- libFuzzer's ---- */

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	rig_begin(*argc, *argv, seeds);
	return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	bytes_read = 0;
	memset(disk, 0, sizeof disk);
	while (size) {
		size_t n = patch(data, size);

		data += n;
		size -= n;
	}
	if (!memcmp(disk + SECTOR, "EFI PART", 8))
		seal(1, array_crc());
	rig_count(search());
	if (bytes_read > READ_MAX)
		die("volume", "too much is read");
	return 0;
}

/* Partition tables, ISO 9660 and boot scripts: what is found in good ones, what each fault leads to, and that no mutant makes
 * a search read outside the volume, or much of it. */
#include "firmware/volume.h"
#include "tests/unit/check.h"

#define SECTOR   512u
#define DISK     (UINT32_C(4096) * SECTOR)
#define CD       (UINT32_C(64) * 2048)
#define MUTANTS  2000
#define READ_MAX (UINT64_C(24) << 20)	/* bytes that one search may read */

struct image {
	uint8_t *bytes;
	uint64_t size, read;		/* bytes; read since it was set to 0 */
	bool outside;
};

static bool image_read(void *opaque, uint64_t offset, void *buf, uint32_t bytes)
{
	struct image *image = opaque;

	image->read += bytes;
	if (offset > image->size || bytes > image->size - offset) {
		image->outside = true;
		return false;
	}
	memcpy(buf, image->bytes + offset, bytes);
	return true;
}

static struct image image_new(uint32_t size)
{
	return (struct image){ .bytes = calloc(1, size), .size = size };
}

static struct volume volume_of(struct image *image)
{
	return (struct volume){ .read = image_read, .opaque = image, .size = image->size, .sector = SECTOR };
}

static void put32(uint8_t *p, uint32_t v)
{
	for (unsigned i = 0; i < 4; i++)
		p[i] = (uint8_t)(v >> 8 * i);
}

static void put64(uint8_t *p, uint64_t v)
{
	put32(p, (uint32_t)v);
	put32(p + 4, (uint32_t)(v >> 32));
}

/* ---- MBR ---- */

static void mbr_put(uint8_t *sector, unsigned i, uint8_t type, uint32_t first, uint32_t sectors)
{
	uint8_t *p = sector + 446 + 16 * i;

	p[4] = type;
	put32(p + 8, first);
	put32(p + 12, sectors);
	sector[510] = 0x55;
	sector[511] = 0xaa;
}

/* 1: Linux, 2: PReP if `prep`, 3: extended with 5, 6 (PReP) and 7. */
static struct image mbr_image(bool prep)
{
	struct image image = image_new(DISK);

	mbr_put(image.bytes, 0, 0x83, 64, 100);
	mbr_put(image.bytes, 1, prep ? 0x41 : 0x82, 200, 50);
	mbr_put(image.bytes, 2, 0x05, 1000, 1000);
	for (unsigned i = 0; i < 3; i++) {
		uint8_t *table = image.bytes + (1000 + 100 * i) * SECTOR;

		mbr_put(table, 0, i == 1 ? 0x41 : 0x83, 10, 20 + i);
		if (i < 2)
			mbr_put(table, 1, 0x05, 100 * (i + 1), 100);
	}
	return image;
}

static void expect(struct image *image, unsigned number, uint64_t first, uint64_t sectors)
{
	struct volume v = volume_of(image);
	struct extent found = { 1, 1 };
	bool there = partition_find(&v, number, &found);

	check(there == (sectors != 0), "partition %u is%s there", number, sectors ? "" : " not");
	if (there && sectors) {
		check_eq(found.start, first * SECTOR, "start of partition %u", number);
		check_eq(found.size, sectors * SECTOR, "size of partition %u", number);
	}
}

static void expect_prep(struct image *image, const char *what, uint64_t first, const char *reason)
{
	struct volume v = volume_of(image);
	struct extent found = { 0, 0 };
	const char *why = "";
	bool there = partition_find_prep(&v, &found, &why);

	check(there == !reason && (!there || found.start == first * SECTOR), "%s: PReP partition", what);
	if (reason)
		check(!strcmp(why, reason), "%s: '%s'", what, why);
}

static void test_mbr(void)
{
	struct image image = mbr_image(true);

	expect(&image, 0, 0, 0);
	expect(&image, 1, 64, 100);
	expect(&image, 2, 200, 50);
	expect(&image, 3, 0, 0);		/* extended ones hold others */
	expect(&image, 4, 0, 0);
	expect(&image, 5, 1010, 20);
	expect(&image, 6, 1110, 21);
	expect(&image, 7, 1210, 22);
	expect(&image, 8, 0, 0);
	expect(&image, UINT32_MAX, 0, 0);
	expect_prep(&image, "primary", 200, NULL);
	mbr_put(image.bytes, 0, 0x83, 64, DISK);	/* beyond the end */
	expect(&image, 1, 0, 0);
	mbr_put(image.bytes, 0, 0x83, 4000, 97);	/* by one sector */
	expect(&image, 1, 0, 0);
	mbr_put(image.bytes, 0, 0x83, UINT32_MAX, UINT32_MAX);
	expect(&image, 1, 0, 0);
	mbr_put(image.bytes + 1200 * SECTOR, 1, 0x05, 0, 100);	/* the third leads to the first */
	expect(&image, 8, 1010, 20);
	expect(&image, 64, 1210, 22);
	expect(&image, 65, 0, 0);			/* a ring has an end all the same */
	image.bytes[511] = 0;
	expect(&image, 1, 0, 0);
	expect_prep(&image, "no signature", 0, "it has no partition table");
	free(image.bytes);
	image = mbr_image(false);
	expect_prep(&image, "logical", 1110, NULL);
	mbr_put(image.bytes, 2, 0, 0, 0);
	expect_prep(&image, "none", 0, "its partition table has no PReP partition");
	free(image.bytes);
}

/* ---- GPT ---- */

static const uint8_t guid_prep[16] = { 0x38, 0x2d, 0x1a, 0x9e, 0x12, 0xc6, 0x16, 0x43, 0xaa, 0x26, 0x8b, 0x49, 0x52, 0x1e, 0x5a, 0x8b };

static uint32_t crc32_of(const uint8_t *p, size_t n)
{
	uint32_t crc = UINT32_MAX;

	while (n--) {
		crc ^= *p++;
		for (unsigned bit = 0; bit < 8; bit++)
			crc = crc & 1 ? crc >> 1 ^ UINT32_C(0xedb88320) : crc >> 1;
	}
	return ~crc;
}

static void gpt_head(struct image *image, uint64_t own, uint64_t array)
{
	uint8_t *head = image->bytes + own * SECTOR;

	memset(head, 0, SECTOR);
	memcpy(head, "EFI PART", 8);
	put32(head + 8, 0x10000);
	put32(head + 12, 92);
	put64(head + 24, own);
	put64(head + 72, array);
	put32(head + 80, 128);
	put32(head + 84, 128);
	put32(head + 88, crc32_of(image->bytes + array * SECTOR, 128 * 128));
	put32(head + 16, crc32_of(head, 92));
}

static void gpt_put(uint8_t *array, unsigned i, const uint8_t guid[16], uint64_t first, uint64_t last)
{
	uint8_t *p = array + 128 * i;

	memcpy(p, guid, 16);
	put64(p + 32, first);
	put64(p + 40, last);
}

static void gpt_seal(struct image *image)
{
	uint64_t last = image->size / SECTOR - 1;

	memcpy(image->bytes + (last - 32) * SECTOR, image->bytes + 2 * SECTOR, 128 * 128);
	gpt_head(image, 1, 2);
	gpt_head(image, last, last - 32);
}

/* 1: of some kind, 3: PReP. */
static struct image gpt_image(void)
{
	static const uint8_t other[16] = { 1, 2, 3 };
	struct image image = image_new(DISK);

	mbr_put(image.bytes, 0, 0xee, 1, UINT32_MAX);
	gpt_put(image.bytes + 2 * SECTOR, 0, other, 100, 199);
	gpt_put(image.bytes + 2 * SECTOR, 2, guid_prep, 300, 300);
	gpt_seal(&image);
	return image;
}

static void test_gpt(void)
{
	struct image image = gpt_image();

	expect(&image, 1, 100, 100);
	expect(&image, 2, 0, 0);
	expect(&image, 3, 300, 1);
	expect(&image, 129, 0, 0);
	expect_prep(&image, "GPT", 300, NULL);
	image.bytes[SECTOR + 20] ^= 1;
	expect_prep(&image, "the copy at the end", 300, NULL);
	image.bytes[image.size - SECTOR + 80] ^= 1;
	expect_prep(&image, "neither copy", 0, "its GPT is damaged");
	gpt_seal(&image);
	image.bytes[2 * SECTOR + 128 * 100] ^= 1;
	image.bytes[image.size - 33 * SECTOR + 128 * 100] ^= 1;
	expect_prep(&image, "checksum of the array", 0, "its GPT is damaged");
	gpt_put(image.bytes + 2 * SECTOR, 2, guid_prep, 300, 299);
	gpt_seal(&image);
	expect(&image, 3, 0, 0);
	gpt_put(image.bytes + 2 * SECTOR, 2, guid_prep, 0, UINT64_MAX);
	gpt_seal(&image);
	expect(&image, 3, 0, 0);
	gpt_put(image.bytes + 2 * SECTOR, 2, guid_prep, UINT64_MAX / SECTOR, UINT64_MAX - 1);
	gpt_seal(&image);
	expect(&image, 3, 0, 0);
	expect_prep(&image, "outside", 0, "its GPT has no PReP partition");
	free(image.bytes);
}

/* ---- ISO 9660 ---- */

#define ROOT 20u			/* sectors of directories and of the file */
#define SUB  21u
#define FILE_AT 22u

static uint8_t *iso_record(uint8_t *p, const char *name, unsigned len, uint32_t sector, uint32_t size, uint8_t flags, const char *rr)
{
	unsigned behind = 33 + len + (len % 2 == 0), extra = rr ? 5 + (unsigned)strlen(rr) : 0, total = (behind + extra + 1) & ~1u;

	p[0] = (uint8_t)total;
	put32(p + 2, sector);
	put32(p + 10, size);
	p[25] = flags;
	p[32] = (uint8_t)len;
	memcpy(p + 33, name, len);
	if (rr) {
		memcpy(p + behind, "NM", 2);
		p[behind + 2] = (uint8_t)extra;
		p[behind + 3] = 1;
		memcpy(p + behind + 5, rr, strlen(rr));
	}
	return p + total;
}

/* \PPC\BOOTINFO.TXT;1, and beside it GRUB.;1, which Rock Ridge calls grub-core.elf. */
static struct image iso_image(void)
{
	struct image image = image_new(CD);
	uint8_t *pvd = image.bytes + 16 * 2048, *p;

	pvd[0] = 1;
	memcpy(pvd + 1, "CD001", 5);
	iso_record(pvd + 156, "\0", 1, ROOT, 2048, 2, NULL);
	pvd[2048] = 255;
	memcpy(pvd + 2049, "CD001", 5);
	p = iso_record(image.bytes + ROOT * 2048, "\0", 1, ROOT, 2048, 2, NULL);
	p = iso_record(p, "\1", 1, ROOT, 2048, 2, NULL);
	iso_record(p, "PPC", 3, SUB, 2048, 2, "ppc");
	p = iso_record(image.bytes + SUB * 2048, "\0", 1, SUB, 2048, 2, NULL);
	p = iso_record(p, "BOOTINFO.TXT;1", 14, FILE_AT, 100, 0, NULL);
	iso_record(p, "GRUB.;1", 7, FILE_AT + 1, 3000, 0, "grub-core.elf");
	return image;
}

static void iso_expect(struct image *image, const char *path, uint64_t sector, uint64_t size)
{
	struct volume v = volume_of(image);
	struct extent found = { 0, 0 };
	bool there = iso9660_find(&v, path, &found);

	check(there == (size != 0) && (!there || (found.start == sector * 2048 && found.size == size)), "%s is%s found", path, size ? "" : " not");
}

static void test_iso(void)
{
	struct image image = iso_image();
	struct volume v = volume_of(&image);

	check(iso9660_is(&v), "it is ISO 9660");
	iso_expect(&image, "\\ppc\\bootinfo.txt", FILE_AT, 100);
	iso_expect(&image, "/PPC/BOOTINFO.TXT", FILE_AT, 100);
	iso_expect(&image, "ppc\\bootinfo.txt", FILE_AT, 100);
	iso_expect(&image, "\\ppc\\grub", FILE_AT + 1, 3000);
	iso_expect(&image, "\\ppc\\grub-core.elf", FILE_AT + 1, 3000);
	iso_expect(&image, "\\ppc\\grub-core", 0, 0);
	iso_expect(&image, "\\ppc", 0, 0);		/* a directory */
	iso_expect(&image, "\\ppc\\bootinfo.txt\\more", 0, 0);
	iso_expect(&image, "\\ppc\\boot", 0, 0);
	iso_expect(&image, "", 0, 0);
	/* A directory whose last byte is that of an NM entry without flags: nothing behind it is looked at. */
	memset(image.bytes + SUB * 2048, 0, 2048);
	for (unsigned at = 0, n; at < 2048; at += n) {
		n = at < 7 * 254 ? 254 : at < 2008 ? 230 : 40;
		iso_record(image.bytes + SUB * 2048 + at, "ABC", 3, FILE_AT, 10, 0, NULL);
		image.bytes[SUB * 2048 + at] = (uint8_t)n;
	}
	memcpy(image.bytes + (SUB + 1) * 2048 - 4, "NM\4\1", 4);
	iso_expect(&image, "\\ppc\\abc", FILE_AT, 10);
	iso_expect(&image, "\\ppc\\bootinfo.txt", 0, 0);
	free(image.bytes);
	image = iso_image();
	v = volume_of(&image);
	put32(image.bytes + SUB * 2048 + 34 + 10, UINT32_MAX);	/* larger than the disk */
	iso_expect(&image, "\\ppc\\bootinfo.txt", 0, 0);
	memset(image.bytes + 16 * 2048, 0, 8);
	check(!iso9660_is(&v), "no descriptor: it is none");
	free(image.bytes);
}

/* ---- Boot scripts ---- */

static void script(const char *text, const char *path, const char *args)
{
	struct bootinfo info = { "", "" };
	char *copy = strdup(text);
	bool there = bootinfo_parse(copy, (uint32_t)strlen(copy), &info);

	check(there == (path != NULL) && (!path || (!strcmp(info.path, path) && !strcmp(info.args, args))), "script of %zu bytes: '%.60s' '%.60s'",
	      strlen(text), there ? info.path : "", info.args);
	free(copy);
}

static void test_bootinfo(void)
{
	char *text = malloc(4000);

	script("<chrp-boot>\n<boot-script>boot &device;:\\boot\\grub\\powerpc.elf</boot-script>\n</chrp-boot>", "\\boot\\grub\\powerpc.elf", "");
	script("<boot-script>\n boot &device;:\\yaboot  conf=x y \n</boot-script>", "\\yaboot", "conf=x y");
	script("<boot-script>boot &device;:,\\a</boot-script>", "\\a", "");
	script("<boot-script>boot &device;:2,\\a</boot-script>", "2,\\a", "");
	script("<boot-script>boot &device;</boot-script>", NULL, NULL);
	script("<boot-script>boot &device;:\\a", NULL, NULL);
	script("<boot-script></boot-script>boot &device;:\\a", NULL, NULL);
	script("boot &device;:\\a</boot-script>", NULL, NULL);
	script("", NULL, NULL);
	memset(text, 'x', 4000);
	memcpy(text, "<boot-script>&device;:", 22);
	memcpy(text + 3900, "</boot-script>", 15);
	script(text, NULL, NULL);		/* a path that long */
	free(text);
}

/* ---- Mutants ---- */

static void search_all(struct image *image)
{
	struct volume v = volume_of(image);
	struct extent found;
	const char *why;

	image->read = 0;
	partition_find_prep(&v, &found, &why);
	partition_find(&v, 7, &found);
	iso9660_find(&v, "\\ppc\\bootinfo.txt", &found);
}

/* A search looks at each logical partition's chain from its start; 64 partitions are 64 * 64 / 2 tables at most. */
static void test_mutants(const char *what, struct image (*make)(void), uint32_t from, uint32_t to)
{
	struct image image = make();
	uint64_t rng = 1, most = 0;

	for (unsigned n = 0; n < MUTANTS; n++) {
		uint32_t at[4];
		uint8_t old[4];

		for (unsigned i = 0; i < 4; i++) {
			rng = rng * UINT64_C(6364136223846793005) + 1442695040888963407;
			at[i] = from + (uint32_t)(rng >> 33) % (to - from);
			old[i] = image.bytes[at[i]];
			image.bytes[at[i]] = n % 3 ? (uint8_t)(rng >> 24) : (uint8_t[]){ 0, 0xff, 0x7f, 0x80 }[rng >> 30 & 3];
		}
		search_all(&image);
		most = image.read > most ? image.read : most;
		for (unsigned i = 4; i--;)
			image.bytes[at[i]] = old[i];
	}
	check(!image.outside && most <= READ_MAX, "%s: %u mutants, the longest search has read %" PRIu64 " bytes", what, MUTANTS, most);
	free(image.bytes);
}

static struct image logical_image(void)
{
	return mbr_image(false);
}

int main(void)
{
	test_mbr();
	test_gpt();
	test_iso();
	test_bootinfo();
	test_mutants("MBR", logical_image, 446, 512);
	test_mutants("logical", logical_image, 1000 * SECTOR + 446, 1000 * SECTOR + 512);
	test_mutants("GPT", gpt_image, SECTOR, 4 * SECTOR);
	test_mutants("ISO 9660", iso_image, 16 * 2048, 23 * 2048);
	return check_failures ? EXIT_FAILURE : EXIT_SUCCESS;
}

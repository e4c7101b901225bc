/* virtio-gpu-pci: what a driver gets for its commands, what is on the screen, and what a hostile driver does not get.
 *
 * usage: virtio_gpu [COMMANDS]: so many at random, 20000 */
#include "check.h"
#include "machine/virtio/gpu.h"
#include "tests/fuzz/rng.h"
#include "virtio_driver.h"

#define RING    UINT64_C(0x1000000)
#define POINTER UINT64_C(0x1010000)
#define COMMAND UINT64_C(0x2000000)
#define ANSWER  UINT64_C(0x2100000)
#define PIXELS  UINT64_C(0x3000000)
#define FEATURES (UINT64_C(1) << VIRTIO_F_VERSION_1 | 2)

enum { OK = 0x1100, OTHER = 0x1200, MEMORY, SCANOUT, RESOURCE, PARAMETER = 0x1205 };

extern const struct device_class virtio_gpu_class;

static struct gpu *gpu;
static struct ring control, cursor;

static void begin(void)
{
	modern_begin(&gpu->v, FEATURES);
	control = ring_new(&gpu->v, 0, RING);
	cursor = ring_new(&gpu->v, 1, POINTER);
	modern_ready(&gpu->v);
}

static void put_words(uint64_t at, const uint32_t *words, unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		ring_put(&control, at + 4 * i, words[i], 4);
}

static void send(struct ring *r, uint32_t type, const uint32_t *words, unsigned n, uint32_t room)
{
	const uint32_t head[6] = { type, 1, 0x12345678, 9, 77, 0 };

	put_words(COMMAND, head, 6);
	put_words(COMMAND + 24, words, n);
	ram_fill(&gpu->v.pci.dev.machine->ram, ANSWER, 0xee, 4096);
	put_desc(r, 0, COMMAND, 24 + 4 * n, room ? D_NEXT : 0, 1);
	put_desc(r, 1, ANSWER, room, D_WRITE, 0);
	offer(r, 0);
	kick(r);
}

static uint32_t word_at(uint64_t at) { return (uint32_t)ring_get(&control, at, 4); }

/* The answer's type. */
#define ASK(type, ...) ask(type, (const uint32_t[]){ __VA_ARGS__ }, sizeof((const uint32_t[]){ __VA_ARGS__ }) / 4)
static uint32_t ask(uint32_t type, const uint32_t *words, unsigned n)
{
	send(&control, type, words, n, 4096);
	return word_at(ANSWER);
}

static void row(unsigned y, uint32_t *pixel) { gpu->screen.draw(&gpu->v.pci.dev, y, pixel); }

static unsigned changed_rows(void)
{
	unsigned n = 0;

	for (unsigned y = 0; y < gpu->screen.height; y++)
		n += gpu->screen.changed(&gpu->v.pci.dev, y);
	return n;
}

/* Two segments, the second of them no multiple of a row. */
static void test_picture(void)
{
	uint32_t pixel[SCREEN_MOST];

	check(gpu->screen.width == 1280 && gpu->screen.height == 800, "what the display likes best");
	check(ASK(0x100) == OK + 1 && used_bytes(&control, 0) == 24 + 16 * 24 && word_at(ANSWER + 32) == 1280 && word_at(ANSWER + 36) == 800 &&
	      word_at(ANSWER + 40) == 1 && !word_at(ANSWER + 64), "display info");
	check(word_at(ANSWER + 4) == 1 && word_at(ANSWER + 8) == 0x12345678 && word_at(ANSWER + 12) == 9 && word_at(ANSWER + 16) == 77, "its fence");
	check(ASK(0x10a, 0) == OK + 4 && word_at(ANSWER + 24) == 128 && word_at(ANSWER + 32) == 0xffffff00, "EDID");
	check(ASK(0x101, 5, GPU_BGRX, 64, 32) == OK && ASK(0x106, 5, 2, (uint32_t)PIXELS, 0, 1000, 0, (uint32_t)PIXELS + 4096, 0, 64 * 32 * 4 - 1000, 0) == OK,
	      "a resource, and memory");
	for (unsigned i = 0; i < 64 * 32; i++)
		ring_put(&control, PIXELS + 4 * i + (i < 250 ? 0 : 4096 - 1000), i * 0x010203 + 0x55000000, 4);
	check(ASK(0x103, 8, 4, 48, 24, 0, 5) == OK && gpu->screen.width == 48 && gpu->screen.height == 24, "part of it is shown");
	check(changed_rows() == 24 && !changed_rows(), "which all looks new");
	row(3, pixel);
	check(pixel[7] == 0, "black so far");
	check(ASK(0x105, 0, 0, 64, 32, 0, 0, 5) == OK && ASK(0x104, 0, 10, 64, 5, 5) == OK && changed_rows() == 5, "five rows are flushed");
	row(0, pixel);
	check_eq(pixel[0], (4 * 64 + 8) * 0x010203 & 0xffffff, "its corner");
	row(23, pixel);
	check_eq(pixel[47], (27 * 64 + 55) * 0x010203 & 0xffffff, "the other one");
	ring_put(&control, PIXELS + 4096 - 1000 + 4 * (5 * 64 + 10), 0xabcdef, 4);
	check(ASK(0x105, 10, 5, 1, 1, 4 * (5 * 64 + 10), 0, 5) == OK, "one pixel");
	row(1, pixel);
	check(pixel[2] == 0xabcdef && pixel[3] == ((5 * 64 + 11) * 0x010203 & 0xffffff), "and none beside it");
	check(ASK(0x107, 5) == OK && ASK(0x105, 0, 0, 64, 32, 0, 0, 5) == OTHER, "without memory: nothing");
	check(ASK(0x102, 5) == OK && gpu->screen.width == 1280 && changed_rows() == 800, "without it: black");
	row(1, pixel);
	check(!pixel[2], "black");
}

static void test_formats(void)
{
	static const struct { uint32_t format, wanted; } formats[] = {
		{ GPU_BGRA, 0x332211 }, { GPU_BGRX, 0x332211 }, { GPU_ARGB, 0x223344 }, { GPU_XRGB, 0x223344 },
		{ GPU_RGBA, 0x112233 }, { GPU_RGBX, 0x112233 }, { GPU_ABGR, 0x443322 }, { GPU_XBGR, 0x443322 },
	};
	uint32_t pixel[SCREEN_MOST];

	for (unsigned i = 0; i < sizeof formats / sizeof *formats; i++) {
		ring_put(&control, PIXELS, 0x44332211, 4);
		ASK(0x101, 9, formats[i].format, 16, 16);
		ASK(0x106, 9, 1, (uint32_t)PIXELS, 0, 4096, 0);
		ASK(0x103, 0, 0, 16, 16, 0, 9);
		ASK(0x105, 0, 0, 16, 16, 0, 0, 9);
		row(0, pixel);
		check(pixel[0] == formats[i].wanted, "format %u: %06x", formats[i].format, pixel[0]);
		ASK(0x102, 9);
	}
}

static void point(uint32_t type, uint32_t x, uint32_t y, uint32_t resource)
{
	const uint32_t words[] = { 0, x, y, 0, resource, 2, 3, 0 };

	send(&cursor, type, words, 8, 0);
}

static void test_cursor(void)
{
	uint32_t pixel[SCREEN_MOST];

	ASK(0x101, 1, GPU_BGRX, 100, 100);
	ASK(0x101, 2, GPU_BGRA, 64, 64);
	ram_fill(&gpu->v.pci.dev.machine->ram, PIXELS, 0xff, 64 * 64 * 4);
	ring_put(&control, PIXELS + 4, 0x80ffffff, 4);
	ASK(0x106, 2, 1, (uint32_t)PIXELS, 0, 64 * 64 * 4, 0);
	ASK(0x105, 0, 0, 64, 64, 0, 0, 2);
	ASK(0x103, 0, 0, 100, 100, 0, 1);
	changed_rows();
	point(0x300, 12, 13, 2);
	check(used_index(&cursor) == 1 && changed_rows() == 64, "a cursor");
	row(10, pixel);
	check(!pixel[9] && pixel[10] == 0xffffff && pixel[11] == 0x808080 && pixel[12] == 0xffffff && pixel[73] == 0xffffff && !pixel[74],
	      "in its place, half of it mixed: %06x", pixel[11]);
	point(0x301, 0, 1, 0);
	check(changed_rows() == 74, "it moves, partly outside");
	row(0, pixel);
	check(pixel[0] == 0xffffff && pixel[61] == 0xffffff && !pixel[62], "there");
	point(0x301, UINT32_MAX, UINT32_MAX, 0);
	row(99, pixel);
	check(!pixel[99], "far outside");
	point(0x300, 5, 5, 1);
	row(3, pixel);
	check(!pixel[5], "one that is not of that size: none");
	ASK(0x102, 1);
	ASK(0x102, 2);
}

static void test_refused(void)
{
	check(ASK(0x999) == OTHER && ASK(0x108, 0) == OTHER && ASK(0x10a, 1) == SCANOUT, "no such command, no such display");
	check(ASK(0x101, 0, 1, 16, 16) == RESOURCE && ASK(0x101, 1, 5, 16, 16) == PARAMETER && ASK(0x101, 1, 1, 0, 16) == PARAMETER &&
	      ASK(0x101, 1, 1, 0x10000, 0x10000) == MEMORY && ASK(0x101, 1, 1, UINT32_MAX, UINT32_MAX) == MEMORY && ASK(0x101, 1, 1, 8193, 8192) == MEMORY && ASK(0x101, 1, 1, 1, 16385) == MEMORY &&
	      !gpu->first, "no such resource");
	check(ASK(0x101, 1, 1, 32, 32) == OK && ASK(0x101, 1, 1, 32, 32) == RESOURCE && ASK(0x102, 2) == RESOURCE, "one of that number");
	check(ASK(0x103, 0, 0, 32, 32, 1, 1) == SCANOUT && ASK(0x103, 0, 0, 32, 32, 0, 2) == RESOURCE && ASK(0x103, 1, 0, 32, 32, 0, 1) == PARAMETER &&
	      ASK(0x103, 0, UINT32_MAX, 32, 2, 0, 1) == PARAMETER && ASK(0x103, 0, 0, 15, 32, 0, 1) == PARAMETER && ASK(0x103, UINT32_MAX, 0, 17, 32, 0, 1) == PARAMETER && !gpu->shown, "not to be shown");
	check(ASK(0x105, UINT32_MAX, 0, 2, 1, 0, 0, 1) != OK && ASK(0x105, 0, UINT32_MAX, 1, 2, 0, 0, 1) != OK, "nor taken");
	check(ASK(0x104, 0, 0, 33, 1, 1) == PARAMETER && ASK(0x104, 0, 0, 1, 1, 2) == RESOURCE, "not to be flushed");
	check(ASK(0x106, 1, 0) == OTHER && ASK(0x106, 1, 16385) == OTHER && ASK(0x106, 1, 1) == OTHER && ASK(0x106, 2, 1, 0, 0, 4, 0) == RESOURCE &&
	      ASK(0x106, 1, 1, 0, 0x8000, 4, 0) == OTHER && ASK(0x106, 1, 2, 0, 0, 4, 0, UINT32_MAX, UINT32_MAX, 2, 0) == OTHER, "no memory");
	check(ASK(0x107, 1) == OTHER && ASK(0x107, 2) == RESOURCE, "none to take away");
	check(ASK(0x106, 1, 1, (uint32_t)PIXELS, 0, 100, 0) == OK && ASK(0x106, 1, 1, (uint32_t)PIXELS, 0, 100, 0) == OTHER, "once only");
	check(ASK(0x105, 0, 0, 32, 32, 0, 0, 1) == OK && ASK(0x105, 0, 0, 32, 32, UINT32_MAX, UINT32_MAX, 1) == PARAMETER &&
	      ASK(0x105, 0, 0, 32, 32, UINT32_MAX, UINT32_MAX / 4, 1) == OK && ASK(0x105, 31, 31, 2, 1, 0, 0, 1) == PARAMETER, "from beyond its end: nothing");
	ASK(0x102, 1);
	for (uint32_t i = 1; i <= GPU_RESOURCES; i++)
		ASK(0x101, i, 1, 1, 1);
	check(ASK(0x101, GPU_RESOURCES + 1, 1, 1, 1) == MEMORY, "as many as may be");
	begin();
	check(!gpu->first, "a reset forgets them");
	check(ASK(0x101, 1, 1, 8192, 8000) == OK && ASK(0x101, 2, 1, 8192, 193) == MEMORY && ASK(0x101, 2, 1, 8192, 192) == OK, "as much as may be");
	begin();
	put_desc(&control, 0, COMMAND, 23, D_NEXT, 1);
	put_desc(&control, 1, ANSWER, 64, D_WRITE, 0);
	offer(&control, 0);
	kick(&control);
	check(gpu->v.broken, "no head: broken");
	begin();
}

/* Numbers near those that mean something. */
static uint32_t number(struct rng *rng)
{
	static const uint32_t some[] = { 0, 1, 2, 3, 4, 16, 63, 64, 65, 100, 4096, 0x10000, 0x7fffffff, UINT32_MAX, (uint32_t)PIXELS };

	return rng_below(rng, 4) ? some[rng_below(rng, sizeof some / sizeof *some)] : (uint32_t)rng_u64(rng);
}

static void test_random(unsigned n)
{
	struct rng rng = { 5 };
	uint32_t pixel[SCREEN_MOST];
	unsigned ok = 0;

	for (unsigned i = 0; i < n; i++) {
		uint32_t words[12], size = 16 + (uint32_t)rng_below(&rng, 100), type = 0x100 + (uint32_t)rng_below(&rng, 11);
		bool sane = rng_below(&rng, 2);

		for (unsigned k = 0; k < 12; k++)
			words[k] = number(&rng);
		words[0] = type == 0x101 || type == 0x102 || type == 0x106 || type == 0x107 ? 1 + (uint32_t)rng_below(&rng, 4) : words[0];
		if (sane && type == 0x101)
			memcpy(words + 1, (const uint32_t[]){ 1, size, size }, 12);
		if (sane && type == 0x106)
			memcpy(words + 1, (const uint32_t[]){ 1, (uint32_t)PIXELS, 0, 4 * size * size, 0 }, 20);
		if (sane && (type == 0x103 || type == 0x104 || type == 0x105))
			memcpy(words, (const uint32_t[]){ 0, 0, 16, 16, 0, type == 0x104 ? 1 : 0, 1 }, 28);
		if (type == 0x103)
			words[5] = (uint32_t)rng_below(&rng, 5);
		if (rng_below(&rng, 8))
			ok += ask(type, words, 12) < OTHER;
		else
			send(&cursor, 0x300 + (uint32_t)rng_below(&rng, 2), words, 12, 0);
		if (gpu->v.broken || !rng_below(&rng, 500))
			begin();
		row((unsigned)rng_below(&rng, gpu->screen.height), pixel);
		changed_rows();
	}
	check(ok > n / 8 && ok < n, "%u of %u commands did something", ok, n);
}

int main(int argc, char **argv)
{
	struct rig rig;

	rig_new(&rig, "1");
	gpu = (struct gpu *)virtio_new(rig.m, &virtio_gpu_class, "");
	check_eq(pci_config_load(&gpu->v.pci, 0, 4), 0x10501af4, "pci ids");
	begin();
	test_picture();
	test_formats();
	test_cursor();
	test_refused();
	test_random(argc > 1 ? (unsigned)atoi(argv[1]) : 20000);
	rig_free(&rig);
	return check_done();
}

/* The small virtio devices: what a driver gets from them, what a hostile one does not. */
#include "check.h"
#include "machine/core/clock.h"
#include "machine/core/memory.h"
#include "machine/core/timers.h"
#include "machine/virtio/balloon.h"
#include "savevm/hash.h"
#include "virtio_driver.h"

#define RING   UINT64_C(0x1000000)
#define BUFFER UINT64_C(0x2000000)
#define V1     (UINT64_C(1) << VIRTIO_F_VERSION_1)
#define PAGE   UINT64_C(4096)

extern const struct device_class virtio_rng_class, virtio_balloon_class;

static struct ring begin(struct virtio_device *v, uint64_t features)
{
	struct ring r;

	modern_begin(v, features);
	r = ring_new(v, 0, RING);
	modern_ready(v);
	return r;
}

/* As the run loop has it: the clock goes on, what is due comes. */
static void pass(struct machine *m, uint64_t cycles)
{
	uint64_t end = m->clock.now + cycles;

	while (clock_next_event(m) <= end) {
		m->clock.now = clock_next_event(m);
		clock_fire_due(m);
	}
	m->clock.now = end;
}

/* ---- virtio-rng ---- */

static bool is_zero(struct machine *m, uint64_t at, uint64_t n)
{
	for (uint64_t i = 0; i < n; i++)
		if (ld_u8(&m->ram, at + i))
			return false;
	return true;
}

static void test_rng(struct machine *m)
{
	struct virtio_device *v = virtio_new(m, &virtio_rng_class, "");
	struct ring r = begin(v, V1);
	uint64_t seed[4], first;

	check_eq(r.size, 8, "rng: queue size");
	check_eq(v->pci.msix.vectors, 2, "rng: vectors");
	memcpy(seed, m->rng_state, sizeof seed);
	put_desc(&r, 0, BUFFER, 5, D_WRITE | D_NEXT, 1);
	put_desc(&r, 1, BUFFER + 16, 60, D_WRITE, 0);
	offer(&r, 0);
	kick(&r);
	check_eq(used_index(&r), 1, "rng: it comes at once");
	check_eq(used_bytes(&r, 0), 65, "rng: all of it");
	first = ld_be64(&m->ram, BUFFER + 16);
	check(first && !is_zero(m, BUFFER, 5) && !is_zero(m, BUFFER + 68, 8), "rng: random numbers");
	check(is_zero(m, BUFFER + 5, 11) && is_zero(m, BUFFER + 76, 8), "rng: and nothing beside them");
	memcpy(m->rng_state, seed, sizeof seed);
	offer(&r, 0);
	kick(&r);
	check_eq(ld_be64(&m->ram, BUFFER + 16), first, "rng: they are the machine's");
	put_desc(&r, 0, BUFFER, 1 << 20, D_WRITE, 0);
	offer(&r, 0);
	m->hcall_work = 0;
	kick(&r);
	check_eq(used_bytes(&r, 2), 4096, "rng: a page at a time");
	check(m->hcall_work >= 5 * 4096, "rng: what it costs is counted: numbers and a copy");
	put_desc(&r, 0, BUFFER, 10, 0, 0);
	offer(&r, 0);
	kick(&r);
	check(used_index(&r) == 4 && used_bytes(&r, 3) == 0 && !v->broken, "rng: where there is no room, nothing");
}

static void test_rng_limit(struct machine *m)
{
	struct virtio_device *v = virtio_new(m, &virtio_rng_class, "max-bytes=100,period=10");
	struct ring r = begin(v, V1);

	put_desc(&r, 0, BUFFER, 64, D_WRITE, 0);
	for (unsigned i = 0; i < 3; i++)
		offer(&r, 0);
	kick(&r);
	check_eq(used_index(&r), 2, "limit: two of three");
	check(used_bytes(&r, 0) == 64 && used_bytes(&r, 1) == 36, "limit: 100 bytes");
	pass(m, UINT64_C(9999999));
	check_eq(used_index(&r), 2, "limit: not before the period's end");
	v->pci.pin_high = false;
	pass(m, 1);
	check(used_index(&r) == 3 && used_bytes(&r, 2) == 64, "limit: the third in the next");
	check(v->pci.pin_high, "limit: and the driver is told");
	pass(m, UINT64_C(10000000));
	check_eq(clock_next_event(m), UINT64_MAX, "limit: no timer where nobody asks");
	for (unsigned i = 0; i < 3; i++)
		offer(&r, 0);
	kick(&r);
	set_status(v, 0);
	pass(m, UINT64_C(10000000));
	check_eq(used_index(&r), 5, "limit: after a reset nothing comes");
}

static void test_rng_early(struct machine *m)
{
	struct virtio_device *v = virtio_new(m, &virtio_rng_class, "");
	struct ring r;

	modern_begin(v, V1);
	r = ring_new(v, 0, RING);
	put_desc(&r, 0, BUFFER, 8, D_WRITE, 0);
	offer(&r, 0);
	kick(&r);
	check_eq(used_index(&r), 0, "early: it waits for the driver");
	modern_ready(v);
	check_eq(used_index(&r), 1, "early: and no longer");
}

/* ---- virtio-balloon ---- */

static uint32_t config_word(struct virtio_device *v, unsigned at) { return (uint32_t)bar_load(v, 4, 0x2000 + at, 4); }

static void put_pfns(struct machine *m, uint64_t at, const uint32_t *pfn, unsigned n)
{
	ram_write(&m->ram, at, pfn, 4 * n);
}

static void test_inflate(struct machine *m, struct virtio_device *v)
{
	static const uint32_t pfns[] = { 0x4001, 0x4002, 0x4000, 0x4010, 0xffffffff, 0x10000, 0x4020, 0x401f };
	struct ring r = begin(v, V1);

	check(m->ram.size == 0x10000 * PAGE, "256 MiB");
	ram_fill(&m->ram, 0x4000 * PAGE - 1, 0x55, 0x30 * PAGE);
	put_pfns(m, BUFFER, pfns, 8);
	put_desc(&r, 0, BUFFER, 14, D_NEXT, 1);
	put_desc(&r, 1, BUFFER + 14, 18, 0, 0);
	offer(&r, 0);
	kick(&r);
	check_eq(used_index(&r), 1, "inflate: it comes back");
	for (unsigned i = 0; i < 8; i++)
		if (pfns[i] < 0x10000)
			check(is_zero(m, pfns[i] * PAGE, PAGE), "inflate: page %x", pfns[i]);
	check(ld_u8(&m->ram, 0x4000 * PAGE - 1) == 0x55 && ld_u8(&m->ram, 0x4003 * PAGE) == 0x55 &&
	      ld_u8(&m->ram, 0x400f * PAGE) == 0x55 && ld_u8(&m->ram, 0x4021 * PAGE) == 0x55, "inflate: and no others");
	put_desc(&r, 0, BUFFER, 3, 0, 0);
	offer(&r, 0);
	kick(&r);
	check(used_index(&r) == 2 && !v->broken, "inflate: less than a number is none");
}

/* Where memory comes from a snapshot's file, a page of the balloon must not come from there again. */
static void test_mapped(struct machine *m, struct virtio_device *v)
{
	static const uint32_t pfn = 0x4000;
	char path[] = "/tmp/cede-unit-XXXXXX";
	int fd = mkstemp(path);
	struct ring r = begin(v, V1);
	uint8_t byte = 0x77;

	unlink(path);
	if (ftruncate(fd, 2 << 20) || pwrite(fd, &byte, 1, 5) != 1 || !memory_map_file(&m->ram, pfn * PAGE, fd, 0, 2 << 20))
		printf("FAIL cannot map a file\n");
	check_eq(ld_u8(&m->ram, pfn * PAGE + 5), 0x77, "mapped: from a file");
	put_pfns(m, BUFFER, &pfn, 1);
	put_desc(&r, 0, BUFFER, 4, 0, 0);
	offer(&r, 0);
	kick(&r);
	check_eq(ld_u8(&m->ram, pfn * PAGE + 5), 0, "mapped: and zero");
	close(fd);
}

/* The most that an element can name: one page again and again, in elements of 4 MiB. */
static void test_work(struct machine *m, struct virtio_device *v)
{
	struct ring r = begin(v, V1);

	ram_fill(&m->ram, BUFFER, 0, 4 << 20);
	put_desc(&r, 0, BUFFER, 4 << 20, 0, 0);
	for (unsigned i = 0; i < 128; i++)
		offer(&r, 0);
	m->hcall_work = 0;
	kick(&r);
	check_eq(used_index(&r), 1, "work: one at a time");
	check(m->hcall_work >= 8192 * PAGE && m->hcall_work < 8192 * PAGE + (64 << 10), "work: its pages are counted");
	check(clock_next_event(m) != UINT64_MAX, "work: the next one a little later");
	pass(m, 3 * 100000);
	check_eq(used_index(&r), 4, "work: one by one");
	set_status(v, 0);
	pass(m, 100 * 100000);
	check_eq(used_index(&r), 4, "work: none after a reset");
}

static void test_config(struct machine *m, struct virtio_device *v)
{
	struct device *dev = balloon_find(m);
	struct ring r = begin(v, V1);

	(void)r;
	check(dev == &v->pci.dev, "found");
	check_eq(balloon_actual(dev), UINT64_C(256) << 20, "all memory");
	balloon_set(dev, UINT64_C(100) << 20);
	check_eq(config_word(v, 0), 156 << 8, "pages that are wanted");
	check(v->pci.pin_high && bar_load(v, 4, 0x1000, 1) == 3, "the driver is told");
	bar_store(v, 4, 0x2004, 4, 156 << 8);
	check_eq(balloon_actual(dev), UINT64_C(100) << 20, "what it has");
	bar_store(v, 4, 0x2000, 4, 7);
	check_eq(config_word(v, 0), 156 << 8, "what is wanted is not the driver's to say");
	bar_store(v, 4, 0x2004, 4, UINT32_MAX);
	check_eq(balloon_actual(dev), 0, "more than there is: nothing is left");
	balloon_set(dev, UINT64_MAX);
	check_eq(config_word(v, 0), 0, "more than all is all");
	bar_store(v, 4, 0x2004, 4, 0);
}

static void put_stat(struct machine *m, unsigned i, uint16_t tag, uint64_t value)
{
	ram_write(&m->ram, BUFFER + 10 * i, &tag, 2);
	ram_write(&m->ram, BUFFER + 10 * i + 2, &value, 8);
}

static void test_stats(struct machine *m, struct virtio_device *v)
{
	const struct device *dev = &v->pci.dev;
	const char *name;
	uint64_t value, hash;
	struct ring r;

	modern_begin(v, V1 | 2);
	r = ring_new(v, 2, RING);
	modern_ready(v);
	check(!balloon_stat(dev, 4, &name, &value), "stats: none yet");
	put_stat(m, 0, 4, 12345);
	put_stat(m, 1, 99, 1);
	put_stat(m, 2, 5, 99999);
	put_desc(&r, 0, BUFFER, 30, 0, 0);
	offer(&r, 0);
	kick(&r);
	check_eq(used_index(&r), 0, "stats: the buffer stays");
	check(balloon_stat(dev, 4, &name, &value) && value == 12345 && !strcmp(name, "free_mem"), "stats: one");
	check(balloon_stat(dev, 5, &name, &value) && value == 99999 && !balloon_stat(dev, 6, &name, &value), "stats: another");
	hash = vms_hash(dev->class->own_state, v, 1);
	pass(m, UINT64_C(1999999999));
	check_eq(used_index(&r), 0, "stats: until it is asked again");
	check_eq(vms_hash(dev->class->own_state, v, 1), hash, "stats: no change meanwhile");
	pass(m, 1);
	check_eq(used_index(&r), 1, "stats: after two seconds");
	offer(&r, 0);
	kick(&r);
	check_eq(used_index(&r), 1, "stats: and again");
	offer(&r, 0);
	kick(&r);
	check_eq(used_index(&r), 2, "stats: a second buffer frees the first");
	set_status(v, 0);
	check(!balloon_stat(dev, 4, &name, &value), "stats: none after a reset");
}

int main(void)
{
	struct virtio_device *v;
	struct rig rig;

	rig_new(&rig, "1");
	check(!balloon_find(rig.m), "no balloon");
	test_rng(rig.m);
	test_rng_limit(rig.m);
	test_rng_early(rig.m);
	v = virtio_new(rig.m, &virtio_balloon_class, "guest-stats-polling-interval=2");
	check(v->pci.config[0x34] == 0x84 && !v->pci.msix.vectors, "no vectors");
	test_config(rig.m, v);
	test_inflate(rig.m, v);
	test_stats(rig.m, v);
	test_work(rig.m, v);
	test_mapped(rig.m, v);
	rig_free(&rig);
	return check_done();
}

/* virtio-blk and virtio-scsi as a driver sees them: requests, what is wrong in them, resets, requests in flight in a save. */
#define _GNU_SOURCE
#include "check.h"
#include "machine/core/clock.h"
#include "machine/disk/scsi.h"
#include "machine/snapshot/disks.h"
#include "machine/snapshot/statehash.h"
#include "virtio_driver.h"
#include "toy_disk.h"

#define SIZE   (UINT64_C(64) << 20)
#define RING   UINT64_C(0x1000000)
#define HEAD   UINT64_C(0x2000000)	/* of requests; 256 bytes each */
#define DATA   UINT64_C(0x3000000)
#define STATUS UINT64_C(0x2800000)
#define V1     (UINT64_C(1) << VIRTIO_F_VERSION_1)
#define FLUSHES (UINT64_C(1) << 9)
#define WCE    (UINT64_C(1) << 11)

extern const struct device_class virtio_blk_class, virtio_scsi_class;

struct bench {
	struct rig rig;
	struct machine *m;
	struct toy_image image;
	struct virtio_device *v;
	struct ring r;
};

static void begin(struct bench *b, uint64_t features, unsigned queue)
{
	modern_begin(b->v, features);
	b->r = ring_new(b->v, queue, RING);
	modern_ready(b->v);
}

static void bench_new(struct bench *b, const char *values, uint64_t features, bool readonly)
{
	memset(b, 0, sizeof *b);
	rig_new(&b->rig, "2");
	b->m = b->rig.m;
	toy_image_new(&b->image, SIZE);
	toy_drive(b->m, &b->image, "d", readonly);
	timers_clear(b->m);
	b->m->clock.now = 0;
	b->v = virtio_new(b->m, &virtio_blk_class, values);
	begin(b, features, 0);
}

/* A disk that another process has while its machine is awaited is not for reading only. */
static void test_awaited(void)
{
	struct bench b;

	memset(&b, 0, sizeof b);
	rig_new(&b.rig, "2");
	b.m = b.rig.m;
	toy_image_new(&b.image, SIZE);
	b.image.config.image.yielded = true;
	check(block_is_readonly(toy_drive(b.m, &b.image, "d", false)->block), "awaited-is-not-ours-yet");
	check(!(virtio_new(b.m, &virtio_blk_class, "drive=d")->host_features & 1 << 5), "awaited-can-be-written");
	rig_free(&b.rig);
	unlink(b.image.path);
}

/* An image may say that it has any number of states: as many are listed as are looked for in no time. */
static void test_listed(void)
{
	struct block_state state = { .machine_bytes = 0 };
	struct error err = { .msg = "" };
	char text[256] = "";
	struct bench b;
	struct drive *d;
	bool ok = true;
	FILE *out = tmpfile();

	memset(&b, 0, sizeof b);
	rig_new(&b.rig, "1");
	b.m = b.rig.m;
	toy_image_new(&b.image, 0);
	unlink(b.image.path);
	check(block_create_qcow2(b.image.path, SIZE, NULL, NULL, &err), "an-image-%s", err.msg);
	b.image.config.image.format = "qcow2";
	b.image.config.image.cache = BLOCK_UNSAFE;
	d = toy_drive(b.m, &b.image, "d", false);
	for (unsigned i = 0; i < 1030 && ok; i++) {
		snprintf(state.name, sizeof state.name, "s%u", i);
		ok = block_state_keep(d->block, &state, &err);
	}
	check(ok, "many-states-%s", err.msg);
	disks_list(b.m, out);
	rewind(out);
	check(fgets(text, sizeof text, out) && strstr(text, "behind the first 1024 in drive 'd'"), "listed: %s", text);
	fclose(out);
	rig_free(&b.rig);
	unlink(b.image.path);
}

static void bench_free(struct bench *b)
{
	rig_free(&b->rig);
	unlink(b->image.path);
}

static uint64_t us(const struct bench *b) { return b->m->clock.now / (CPU_HZ / 1000000); }

/* Request `i`: head, `out` bytes from DATA or `in` bytes there, status. */
static void put_request(struct bench *b, unsigned i, uint32_t type, uint64_t sector, uint32_t out, uint32_t in)
{
	uint64_t head = HEAD + 256 * i, data = DATA + (uint64_t)i * 0x10000;
	unsigned d = 3 * i;

	ring_put(&b->r, head, type, 4);
	ring_put(&b->r, head + 4, 0, 4);
	ring_put(&b->r, head + 8, sector, 8);
	ring_put(&b->r, STATUS + i, 0xff, 1);
	put_desc(&b->r, d, head, 16, D_NEXT, out || in ? d + 1 : d + 2);
	put_desc(&b->r, d + 1, data, out ? out : in, D_NEXT | (in ? D_WRITE : 0), d + 2);
	put_desc(&b->r, d + 2, STATUS + i, 1, D_WRITE, 0);
	offer(&b->r, d);
}

static uint8_t status_at(const struct bench *b, unsigned i) { return ld_u8(&b->m->ram, STATUS + i); }

/* Firmware that takes the device's right to use memory away between requests, and with it DRIVER_OK, which nobody sets again. */
static void master_off_and_on(struct virtio_device *v)
{
	pci_config_store(&v->pci, 4, 2, 0);
	pci_config_store(&v->pci, 4, 2, 6);
}

/* Its status; 0xff: none within a second. */
static unsigned request(struct bench *b, uint32_t type, uint64_t sector, uint32_t out, uint32_t in)
{
	put_request(b, 0, type, sector, out, in);
	kick(&b->r);
	toy_run_to(b->m, b->m->clock.now + CPU_HZ);
	return status_at(b, 0);
}

static uint64_t config_at(struct bench *b, unsigned at, unsigned bytes) { return bar_load(b->v, 4, 0x2000 + at, bytes); }

/* ---- virtio-blk ---- */

static void test_config(void)
{
	struct bench b;

	bench_new(&b, "drive=d,serial=A0123456789012345678901", V1 | FLUSHES | WCE, false);
	check_eq(b.v->host_features & 0xffff, 0x7e54, "blk-features-of-two-processors");
	check_eq(config_at(&b, 0, 4), SIZE / 512, "blk-capacity");
	check_eq(config_at(&b, 12, 4), 254, "blk-segments");
	check_eq(config_at(&b, 20, 4), 512, "blk-block-size");
	check_eq(config_at(&b, 32, 1), 1, "blk-write-cache");
	check_eq(config_at(&b, 34, 2), 2, "blk-queues");
	check_eq(config_at(&b, 36, 4), 0x3fffff, "blk-discard");
	check_eq(config_at(&b, 48, 4), 0x3fffff, "blk-zeroes");
	check_eq(config_at(&b, 56, 1), 1, "blk-unmap");
	check_eq(request(&b, 8, 0, 0, 20), 0, "blk-id");
	check(!memcmp(b.m->ram.base + DATA, "A0123456789012345678", 20), "blk-id-is-the-serial");
	check_eq(used_bytes(&b.r, 0), 21, "blk-used-counts-data-and-status");
	check(b.v->pci.dev.class->drive_changed != NULL, "blk-hears-of-sizes");
	b.v->pci.dev.class->drive_changed(&b.v->pci.dev);
	check(bar_load(b.v, 4, 0x15, 1) == 1, "blk-a-new-size-shows");
	bench_free(&b);
	bench_new(&b, "drive=d,num-queues=1,discard=off,config-wce=off,logical_block_size=4096,physical_block_size=4096", V1, true);
	check_eq(b.v->host_features & 0xffff, 0x4674, "blk-features-of-a-fixed-one");
	check_eq(config_at(&b, 20, 4), 4096, "blk-large-blocks");
	check_eq(request(&b, 0, 8, 0, 4096), 0, "blk-large-block-read");
	check_eq(request(&b, 0, 8, 0, 512), 1, "blk-half-a-block");
	check_eq(request(&b, 0, 7, 0, 4096), 1, "blk-across-blocks");
	check_eq(request(&b, 1, 0, 4096, 0), 1, "blk-fixed-write");
	check_eq(request(&b, 4, 0, 0, 0), 0, "blk-fixed-flush");
	check_eq(request(&b, 11, 0, 16, 0), 2, "blk-no-discard");
	bench_free(&b);
}

static void test_data(void)
{
	uint8_t file[1024];
	struct bench b;

	bench_new(&b, "drive=d", V1 | FLUSHES, false);
	for (unsigned i = 0; i < 1024; i++)
		st_u8(&b.m->ram, DATA + i, (uint8_t)(i * 7));
	put_request(&b, 0, 1, 5, 1024, 0);
	kick(&b.r);
	check_eq(status_at(&b, 0), 0xff, "blk-write-takes-time");
	ram_fill(&b.m->ram, DATA, 0, 1024);
	toy_run_to(b.m, CPU_HZ);
	check_eq(status_at(&b, 0), 0, "blk-write");
	toy_get(&b.image, 5 * 512, file, sizeof file);
	check(file[1] == 7 && file[1023] == (uint8_t)(1023 * 7), "blk-write-is-of-when-it-was-submitted");
	put_request(&b, 0, 0x80000000, 6, 0, 512);
	kick(&b.r);
	check_eq(ld_u8(&b.m->ram, DATA), 0, "blk-read-changes-nothing-before-it-is-due");
	toy_run_to(b.m, 2 * CPU_HZ);
	check(!memcmp(b.m->ram.base + DATA, file + 512, 512), "blk-read");
	check_eq(used_bytes(&b.r, 1), 513, "blk-read-used");
	check_eq(request(&b, 4, 0, 0, 0), 0, "blk-flush");
	ram_fill(&b.m->ram, DATA, 0, 512);
	put_request(&b, 0, 0, 6, 0, 512);
	kick(&b.r);
	pci_config_store(&b.v->pci, 4, 2, 2);
	toy_run_to(b.m, b.m->clock.now + CPU_HZ);
	check(!ld_u8(&b.m->ram, DATA + 1) && status_at(&b, 0) == 0xff, "blk-writes-nothing-once-it-may-not");
	begin(&b, V1 | FLUSHES, 0);
	master_off_and_on(b.v);
	check(!(status_of(b.v) & VIRTIO_S_DRIVER_OK), "blk-not-ready");
	check_eq(request(&b, 0, 6, 0, 512), 0, "blk-serves-who-kicks-all-the-same");
	check_eq(request(&b, 0, SIZE / 512 - 1, 0, 512), 0, "blk-last-sector");
	check_eq(request(&b, 0, SIZE / 512, 0, 512), 1, "blk-behind");
	check_eq(request(&b, 0, SIZE / 512 - 1, 0, 1024), 1, "blk-over-the-end");
	check_eq(request(&b, 0, UINT64_MAX, 0, 512), 1, "blk-sector-2^64-1");
	check_eq(request(&b, 0, UINT64_C(1) << 55, 0, 512), 1, "blk-sector-whose-byte-is-2^64");
	check_eq(request(&b, 1, UINT64_C(1) << 55, 512, 0), 1, "blk-write-there");
	check_eq(request(&b, 0, 0, 0, 100), 1, "blk-part-of-a-sector");
	check_eq(request(&b, 2, 0, 0, 512), 2, "blk-SCSI-commands-are-not-taken");
	check_eq(request(&b, 99, 0, 0, 512), 2, "blk-no-such-type");
	check(!b.v->broken, "blk-is-not-broken-by-any");
	bench_free(&b);
}

static unsigned erase(struct bench *b, uint32_t type, uint64_t sector, uint32_t count, uint32_t flags, uint32_t bytes)
{
	ring_put(&b->r, DATA, sector, 8);
	ring_put(&b->r, DATA + 8, count, 4);
	ring_put(&b->r, DATA + 12, flags, 4);
	return request(b, type, 0, bytes, 0);
}

static void test_erase(void)
{
	struct bench b;
	uint8_t byte;

	bench_new(&b, "drive=d", V1 | FLUSHES, false);
	toy_put(&b.image, 8 * 512, "xyz", 3);
	check_eq(erase(&b, 11, 0, 8, 0, 16), 0, "blk-discard-one");
	check_eq(erase(&b, 11, 0, 8, 1, 16), 2, "blk-discard-with-a-flag");
	check_eq(erase(&b, 13, 8, 8, 1, 16), 0, "blk-zeroes-one");
	toy_get(&b.image, 8 * 512, &byte, 1);
	check_eq(byte, 0, "blk-zeroes-are-there");
	check_eq(erase(&b, 13, 8, 8, 2, 16), 2, "blk-zeroes-with-another-flag");
	check_eq(erase(&b, 11, 0, 8, 0, 32), 2, "blk-two-ranges");
	check_eq(erase(&b, 11, 0, 0x400000, 0, 16), 1, "blk-too-many-sectors");
	check_eq(erase(&b, 11, UINT64_MAX, 2, 0, 16), 1, "blk-discard-past-2^64");
	check_eq(erase(&b, 13, SIZE / 512, 1, 0, 16), 1, "blk-zeroes-behind");
	check_eq(erase(&b, 11, 0, 8, 0, 15), 0xff, "blk-half-a-range");
	check(b.v->broken, "blk-which-breaks-it");
	bench_free(&b);
}

static void test_broken(void)
{
	struct bench b;

	bench_new(&b, "drive=d", V1 | FLUSHES, false);
	put_desc(&b.r, 0, HEAD, 15, D_NEXT, 1);
	put_desc(&b.r, 1, STATUS, 1, D_WRITE, 0);
	offer(&b.r, 0);
	kick(&b.r);
	check(b.v->broken && status_of(b.v) & VIRTIO_S_NEEDS_RESET, "blk-half-a-header");
	begin(&b, V1, 0);
	put_desc(&b.r, 0, HEAD, 16, 0, 0);
	offer(&b.r, 0);
	kick(&b.r);
	check(b.v->broken, "blk-no-status");
	begin(&b, V1, 0);
	check_eq(request(&b, 0, 0, 0, 512), 0, "blk-works-again");
	bench_free(&b);
}

/* A driver without flushes, one that turns the cache off. */
static void test_cache(void)
{
	struct bench b;
	uint64_t from;

	bench_new(&b, "drive=d", V1, false);
	put_request(&b, 0, 1, 0, 512, 0);
	kick(&b.r);
	toy_run_to(b.m, 100 * (CPU_HZ / 1000000));
	check_eq(status_at(&b, 0), 0xff, "blk-without-flushes-a-write-takes-one");
	toy_run_to(b.m, 121 * (CPU_HZ / 1000000));
	check_eq(status_at(&b, 0), 0, "blk-without-flushes-it-ends");
	begin(&b, V1 | FLUSHES | WCE, 0);
	from = us(&b);
	put_request(&b, 0, 1, 0, 512, 0);
	kick(&b.r);
	toy_run_to(b.m, (from + 61) * (CPU_HZ / 1000000));
	check_eq(status_at(&b, 0), 0, "blk-with-a-cache-it-does-not");
	bar_store(b.v, 4, 0x2020, 1, 0);
	check_eq(config_at(&b, 32, 1), 0, "blk-the-cache-is-off");
	put_request(&b, 0, 1, 0, 512, 0);
	kick(&b.r);
	toy_run_to(b.m, (from + 61 + 100) * (CPU_HZ / 1000000));
	check_eq(status_at(&b, 0), 0xff, "blk-with-the-cache-off-it-does");
	bench_free(&b);
}

/* More than fits waits in the ring. */
static void test_stalls(void)
{
	struct bench b;
	unsigned done = 0;

	bench_new(&b, "drive=d,bandwidth=0", V1 | FLUSHES, false);
	for (unsigned i = 0; i < 4; i++) {
		put_request(&b, i, 0, 0, 0, 512);
		put_desc(&b.r, 3 * i + 1, DATA, 24 << 20, D_NEXT | D_WRITE, 3 * i + 2);
	}
	kick(&b.r);
	toy_run_to(b.m, 61 * (CPU_HZ / 1000000));
	for (unsigned i = 0; i < 4; i++)
		done += status_at(&b, i) == 0;
	check_eq(done, 2, "blk-two-of-24-MiB-fit");
	toy_run_to(b.m, 122 * (CPU_HZ / 1000000));
	for (unsigned i = 2; i < 4; i++)
		done += status_at(&b, i) == 0;
	check_eq(done, 4, "blk-two-wait-for-them");
	put_request(&b, 0, 0, 0, 0, 512);
	put_desc(&b.r, 1, 0, 65 << 20, D_NEXT | D_WRITE, 2);
	kick(&b.r);
	check_eq(status_at(&b, 0), 1, "blk-one-that-never-fits-fails");
	bench_free(&b);
}

static void test_resets(void)
{
	struct bench b;

	bench_new(&b, "drive=d", V1 | FLUSHES | UINT64_C(1) << VIRTIO_F_RING_RESET, false);
	put_request(&b, 0, 0, 0, 0, 512);
	put_request(&b, 1, 0, 0, 0, 512);
	kick(&b.r);
	set_status(b.v, 0);
	toy_run_to(b.m, CPU_HZ);
	check(status_at(&b, 0) == 0xff && status_at(&b, 1) == 0xff, "blk-after-a-reset-nothing-comes");
	begin(&b, V1 | FLUSHES | UINT64_C(1) << VIRTIO_F_RING_RESET, 0);
	put_request(&b, 0, 0, 0, 0, 512);
	kick(&b.r);
	bar_store(b.v, 4, 0x16, 2, 0);
	bar_store(b.v, 4, 0x3a, 2, 1);
	toy_run_to(b.m, 2 * CPU_HZ);
	check_eq(status_at(&b, 0), 0xff, "blk-after-a-reset-of-the-queue-neither");
	bench_free(&b);
}

/* What made others wait is taken back with its queue: they go on, and so does the queue once it is there again. */
static void test_reset_of_a_full_queue(void)
{
	struct bench b, other;

	bench_new(&b, "drive=d,bandwidth=0,num-queues=2", V1 | FLUSHES | UINT64_C(1) << VIRTIO_F_RING_RESET, false);
	other = b;
	other.r = ring_new(b.v, 1, RING + 0x10000);
	for (unsigned i = 0; i < 3; i++) {
		put_request(&b, i, 0, 0, 0, 512);
		put_desc(&b.r, 3 * i + 1, DATA, 24 << 20, D_NEXT | D_WRITE, 3 * i + 2);
	}
	kick(&b.r);
	put_request(&other, 8, 0, 0, 0, 512);
	kick(&other.r);
	check_eq(status_at(&b, 8), 0xff, "blk-a-second-queue-waits-for-a-full-disk");
	bar_store(b.v, 4, 0x16, 2, 0);
	bar_store(b.v, 4, 0x3a, 2, 1);
	toy_run_to(b.m, b.m->clock.now + CPU_HZ);
	check_eq(status_at(&b, 0), 0xff, "blk-a-full-queue-is-taken-back");
	check_eq(status_at(&b, 8), 0, "blk-the-second-queue-goes-on");
	b.r = ring_new(b.v, 0, RING);
	check_eq(request(&b, 0, 0, 0, 512), 0, "blk-and-the-first-one-when-it-is-back");
	bench_free(&b);
}

/* Requests that end at once, of as many parts as can be, all the same one: a store and a kick make the host do them all.
 * Beside other processors that is put off once it is enough for a quantum, and comes when that has ended. */
static void test_work_is_bounded(void)
{
	const uint64_t kick_work = 256 * (2048 + 256 * 160);
	struct bench b;
	unsigned kicks = 0;

	bench_new(&b, "drive=d", V1, false);
	put_request(&b, 0, 8, 0, 0, 512);
	for (unsigned i = 1; i < 255; i++)
		put_desc(&b.r, i, DATA, 1, D_NEXT | D_WRITE, i + 1);
	put_desc(&b.r, 255, STATUS, 1, D_WRITE, 0);
	kick(&b.r);
	b.m->running = &b.m->cpu[0]->cpu;
	b.m->side_by_side = true;
	for (b.m->hcall_work = 0; kicks < 100 && used_index(&b.r) == b.r.index; kicks++) {
		for (unsigned i = 0; i < 256; i++)
			offer(&b.r, 0);
		kick(&b.r);
	}
	check(kicks < 100, "blk-work-is-put-off");
	check(b.m->hcall_work >= MACHINE_WORK_MOST && b.m->hcall_work < MACHINE_WORK_MOST + kick_work,
	      "blk-when-it-is-enough: 0x%" PRIx64, b.m->hcall_work);
	b.m->running = NULL;
	check(!devices_qemu_ready(b.m), "blk-QEMU-would-not-look-again");
	toy_run_to(b.m, b.m->clock.now + MACHINE_QUANTUM);
	check(devices_qemu_ready(b.m), "blk-QEMU-need-not-look-again");
	check_eq(used_index(&b.r), b.r.index, "blk-and-done-at-the-end-of-the-quantum");
	bench_free(&b);
}

static void test_snapshot(void)
{
	struct bench a, b;
	struct error err = { .msg = "" };
	size_t len = 0;
	uint8_t *data;
	uint64_t hash;
	bool ok;

	bench_new(&a, "drive=d,bandwidth=0", V1 | FLUSHES, false);
	toy_put(&a.image, 0, "old", 4);
	put_request(&a, 0, 0, 0, 0, 512);
	put_request(&a, 1, 1, 100, 512, 0);
	for (unsigned i = 2; i < 6; i++) {
		put_request(&a, i, 0, 0, 0, 512);
		put_desc(&a.r, 3 * i + 1, DATA + (UINT64_C(16) << 20), 24 << 20, D_NEXT | D_WRITE, 3 * i + 2);
	}
	kick(&a.r);
	check(!devices_qemu_ready(a.m), "blk-QEMU-has-no-place-for-requests");
	data = toy_save(a.m, &len, &err);
	check(data != NULL, "blk-saved-with-requests-in-flight%s", err.msg);
	hash = machine_statehash(a.m);
	toy_put(&a.image, 0, "new", 4);
	toy_run_to(a.m, CPU_HZ);
	bench_new(&b, "drive=d,bandwidth=0", V1 | FLUSHES, false);
	toy_put(&b.image, 0, "new", 4);
	put_request(&b, 5, 0, 0, 0, 512);
	kick(&b.r);
	ok = data && toy_load(b.m, data, len, &err);
	check(ok, "blk-loads%s%s", ok ? "" : ": ", ok ? "" : err.msg);
	check_eq(machine_statehash(b.m), hash, "blk-to-the-same-state");
	toy_run_to(b.m, CPU_HZ);
	for (unsigned i = 0; i < 6; i++)
		check_eq(status_at(&b, i), 0, "blk-request-%u-ends", i);
	check(!memcmp(b.m->ram.base + DATA, "old", 4), "blk-with-what-it-had-found");
	check(b.m->clock.now == a.m->clock.now && devices_qemu_ready(b.m), "blk-nothing-is-in-flight");
	free(data);
	bench_free(&a);
	bench_free(&b);
}

/* ---- virtio-scsi ---- */

static struct device *scsi_new(struct bench *b, const char *values)
{
	struct error err = { .msg = "" };

	memset(b, 0, sizeof *b);
	rig_new(&b->rig, "1");
	b->m = b->rig.m;
	toy_image_new(&b->image, SIZE);
	toy_drive(b->m, &b->image, "d", false);
	timers_clear(b->m);
	b->m->clock.now = 0;
	b->v = virtio_new(b->m, &virtio_scsi_class, values);
	return device_new(b->m, &scsi_hd_class, "drive=d,lun=2", &err);
}

/* To target 0, or `target`, LUN 2. The response; 0xff: none within a second. */
static unsigned command(struct bench *b, unsigned target, const uint8_t *cdb, unsigned n, uint32_t out, uint32_t in)
{
	const uint8_t lun[8] = { 1, (uint8_t)target, 0x40, 2 };

	ram_fill(&b->m->ram, HEAD, 0, 256);
	ram_write(&b->m->ram, HEAD, lun, sizeof lun);
	ring_put(&b->r, HEAD + 8, 0x77, 8);
	ram_write(&b->m->ram, HEAD + 19, cdb, n);
	ram_fill(&b->m->ram, STATUS, 0xff, 108);
	put_desc(&b->r, 0, HEAD, 51, D_NEXT, out ? 1 : 2);
	put_desc(&b->r, 1, DATA, out, D_NEXT, 2);
	put_desc(&b->r, 2, STATUS, 108, D_WRITE | (in ? D_NEXT : 0), 3);
	put_desc(&b->r, 3, DATA, in, D_WRITE, 0);
	offer(&b->r, 0);
	kick(&b->r);
	toy_run_to(b->m, b->m->clock.now + CPU_HZ);
	return ld_u8(&b->m->ram, STATUS + 11);
}

static unsigned manage(struct bench *b, unsigned what, unsigned target, unsigned lun, uint64_t tag)
{
	const uint8_t address[8] = { 1, (uint8_t)target, 0, (uint8_t)lun };

	ring_put(&b->r, HEAD, 0, 4);
	ring_put(&b->r, HEAD + 4, what, 4);
	ram_write(&b->m->ram, HEAD + 8, address, 8);
	ring_put(&b->r, HEAD + 16, tag, 8);
	ring_put(&b->r, STATUS, 0xff, 1);
	put_desc(&b->r, 0, HEAD, 24, D_NEXT, 1);
	put_desc(&b->r, 1, STATUS, 1, D_WRITE, 0);
	offer(&b->r, 0);
	kick(&b->r);
	return ld_u8(&b->m->ram, STATUS);
}

static void test_scsi(void)
{
	static const uint8_t ready[6] = { 0 }, read[10] = { 0x28, [8] = 1 }, write[10] = { 0x2a, [5] = 9, [8] = 1 };
	struct bench b;

	check(scsi_new(&b, "") != NULL, "scsi-disk");
	begin(&b, V1 | 6, 2);
	check_eq(config_at(&b, 0, 4), 1, "scsi-queues");
	check_eq(config_at(&b, 20, 4), 96, "scsi-sense-size");
	check_eq(config_at(&b, 32, 4), 16383, "scsi-luns");
	check_eq(b.v->host_features & 0xffff, 6, "scsi-features");
	check_eq(command(&b, 0, ready, 6, 0, 0), 0, "scsi-response");
	check_eq(ld_u8(&b.m->ram, STATUS + 10), 2, "scsi-check-condition");
	check_eq(ring_get(&b.r, STATUS, 4), 18, "scsi-sense-bytes");
	check_eq(ld_u8(&b.m->ram, STATUS + 12 + 12), 0x29, "scsi-sense");
	st_be32(&b.m->ram, DATA, 0x01020304);
	check_eq(command(&b, 0, write, 10, 512, 0), 0, "scsi-write");
	check_eq(ld_u8(&b.m->ram, STATUS + 10), 0, "scsi-write-is-good");
	toy_put(&b.image, 0, "abcd", 4);
	check_eq(command(&b, 0, read, 10, 0, 1000), 0, "scsi-read");
	check(ld_be32(&b.m->ram, DATA) == 0x61626364, "scsi-read-data");
	check_eq(ring_get(&b.r, STATUS + 4, 4), 488, "scsi-residual");
	check_eq(used_bytes(&b.r, 2), 108 + 512, "scsi-used");
	check_eq(command(&b, 0, read, 10, 0, 511), 1, "scsi-overrun");
	master_off_and_on(b.v);
	check_eq(command(&b, 0, read, 10, 0, 1000), 0, "scsi-serves-who-kicks-all-the-same");
	check_eq(command(&b, 1, read, 10, 0, 512), 3, "scsi-bad-target");
	check_eq(command(&b, 0, read, 10, 512, 512), 9, "scsi-both-ways");
	begin(&b, V1, 0);
	check_eq(manage(&b, 5, 0, 2, 0), 0, "scsi-unit-reset");
	check_eq(manage(&b, 4, 0, 0, 0), 0, "scsi-target-reset");
	check_eq(manage(&b, 5, 0, 3, 0), 12, "scsi-no-such-unit");
	check_eq(manage(&b, 5, 9, 0, 0), 3, "scsi-no-such-target");
	check_eq(manage(&b, 2, 0, 2, 0), 11, "scsi-clear-ACA");
	check_eq(manage(&b, 99, 0, 2, 0), 11, "scsi-no-such-management");
	check_eq(manage(&b, 0, 0, 2, 7), 0, "scsi-abort-of-nothing");
	check_eq(manage(&b, 6, 0, 2, 7), 0, "scsi-query-of-nothing");
	begin(&b, V1, 2);
	put_desc(&b.r, 0, HEAD, 50, D_NEXT, 1);
	put_desc(&b.r, 1, STATUS, 108, D_WRITE, 0);
	offer(&b.r, 0);
	kick(&b.r);
	check(b.v->broken, "scsi-half-a-request");
	begin(&b, V1, 2);
	bar_store(b.v, 4, 0x2014, 4, 65536);
	check(b.v->broken, "scsi-sense-too-large");
	bench_free(&b);
}

static void test_events(void)
{
	struct bench b;
	struct device *unit = scsi_new(&b, "");

	begin(&b, V1 | 6, 1);
	unit->class->drive_changed(unit);
	put_desc(&b.r, 0, DATA, 16, D_WRITE, 0);
	offer(&b.r, 0);
	kick(&b.r);
	check_eq(ring_get(&b.r, DATA, 4), 0x80000000, "scsi-an-event-was-missed");
	put_desc(&b.r, 1, DATA + 64, 16, D_WRITE, 0);
	offer(&b.r, 1);
	kick(&b.r);
	check_eq(used_index(&b.r), 1, "scsi-the-next-buffer-waits");
	unit->class->drive_changed(unit);
	check_eq(ring_get(&b.r, DATA + 64, 4), 3, "scsi-a-changed-unit");
	check_eq(ld_be32(&b.m->ram, DATA + 68), 0x01000002, "scsi-its-address");
	check_eq(ring_get(&b.r, DATA + 76, 4), 0x092a, "scsi-its-reason");
	bench_free(&b);
}

int main(void)
{
	test_config();
	test_awaited();
	test_listed();
	test_data();
	test_erase();
	test_broken();
	test_cache();
	test_stalls();
	test_resets();
	test_reset_of_a_full_queue();
	test_work_is_bounded();
	test_snapshot();
	test_scsi();
	test_events();
	return check_done();
}

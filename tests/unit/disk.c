/* Requests of disks: when they end, in what order, what a reset and a snapshot make of those in flight. */
#define _GNU_SOURCE
#include "check.h"
#include "machine/core/clock.h"
#include "machine/core/device.h"
#include "machine/snapshot/statehash.h"
#include "rig.h"
#include "toy_disk.h"

#define US (CPU_HZ / 1000000)
#define SIZE (UINT64_C(40) << 20)

struct toy {
	struct device dev;
	struct disk disk;
	const char *drive_id;
	uint64_t endings;		/* of requests */
};

static char notes[4096];		/* "tag@us:error" of each end, and the first byte of what was read */
static unsigned resubmits;		/* ends that submit another flush */

static void toy_done(struct device *dev, struct disk_request *r)
{
	struct toy *t = (struct toy *)dev;
	size_t len = strlen(notes);

	t->endings++;
	snprintf(notes + len, sizeof notes - len, "%u@%u:%u%s%c ", (unsigned)r->tag[0], (unsigned)(dev->machine->clock.now / US),
		 (unsigned)r->io.error, r->io.op == BLOCK_READ && !r->io.error ? "=" : "",
		 r->io.op == BLOCK_READ && !r->io.error ? *(const char *)r->io.data : '.');
	if (resubmits && resubmits--)
		disk_submit(&t->disk, disk_request_new(&t->disk, BLOCK_FLUSH, 0, 0));
}

static bool toy_init(struct device *dev, struct error *err)
{
	struct toy *t = (struct toy *)dev;
	struct drive *drive = drive_take(dev->machine, t->drive_id, dev, false, err);

	if (drive)
		disk_init(&t->disk, dev, drive, "disk", toy_done);
	return drive;
}

static void toy_free(struct device *dev) { disk_free(&((struct toy *)dev)->disk); }

static void toy_reset(struct device *dev)
{
	disk_reset(&((struct toy *)dev)->disk);
	((struct toy *)dev)->endings = 0;
}

static void toy_settle(struct device *dev) { disk_settle(&((struct toy *)dev)->disk); }
static bool toy_qemu_ready(const struct device *dev) { return !((const struct toy *)dev)->disk.first; }

static const struct device_property toy_properties[] = {
	DISK_PROPERTIES(struct toy, disk),
	{ .name = "drive", .help = "its drive", .type = PROPERTY_STRING, .settable = true, .offset = offsetof(struct toy, drive_id) },
	{ .name = NULL },
};

static const struct vmstate toy_own_state = {
	.name = "cede/toy-disk", .version = 1, .min_version = 1, VMS_OF(struct toy),
	.fields = VMS_FIELDS(VMS_U64(struct toy, endings), VMS_STRUCT("disk", struct toy, disk, struct disk, disk_state)),
};

static const struct device_class toy_class = {
	.name = "toy-disk", .help = "a toy", .size = sizeof(struct toy), .properties = toy_properties, .init = toy_init,
	.free = toy_free, .reset = toy_reset, .settle = toy_settle, .qemu_ready = toy_qemu_ready, .own_state = &toy_own_state,
	.state_bytes = DISK_STATE_BYTES,
};

struct bench {
	struct rig rig;
	struct toy_image image;
	struct machine *m;
	struct toy *t;
};

static void bench_new(struct bench *b, const char *values, bool readonly)
{
	struct error err = { .msg = "" };

	rig_new(&b->rig, "1");
	b->m = b->rig.m;
	toy_image_new(&b->image, SIZE);
	toy_drive(b->m, &b->image, "d", readonly);
	b->t = (struct toy *)device_new(b->m, &toy_class, values, &err);
	if (!b->t) {
		printf("FAIL %s\n", err.msg);
		exit(EXIT_FAILURE);
	}
	timers_clear(b->m);
	toy_reset(&b->t->dev);
	b->m->clock.now = 0;
	notes[0] = 0;
	resubmits = 0;
}

static void bench_free(struct bench *b)
{
	rig_free(&b->rig);
	unlink(b->image.path);
}

static struct disk_request *ask(struct bench *b, enum block_op op, uint64_t offset, uint64_t bytes, uint64_t tag)
{
	struct disk_request *r = disk_request_new(&b->t->disk, op, offset, bytes);

	if (!r)
		return NULL;
	r->tag[0] = tag;
	if (op == BLOCK_WRITE)
		memset(r->io.data, 'a' + (int)tag, bytes);
	disk_submit(&b->t->disk, r);
	return r;
}

static bool said(const char *want)
{
	bool same = !strcmp(notes, want);

	if (!same)
		printf("  is \"%s\", should be \"%s\"\n", notes, want);
	notes[0] = 0;
	return same;
}

/* ---- The model ---- */

static void test_model(void)
{
	struct bench b;
	struct disk_request *r;

	bench_new(&b, "drive=d,coalesce=0", false);
	r = ask(&b, BLOCK_READ, 0, 4096, 0);
	check_eq(r->due, 60 * US + 4096 * US / 2000, "a-read-takes-latency-and-bytes-by-bandwidth");
	r = ask(&b, BLOCK_READ, 0, 4096, 1);
	check_eq(r->due, 60 * US + 4096 * US / 2000 * 2, "the-next-one-waits-for-the-channel");
	r = ask(&b, BLOCK_FLUSH, 0, 0, 2);
	check_eq(r->due, 2 * 60 * US + 4096 * US / 2000 * 2, "a-flush-waits-for-all-before-it");
	toy_run_to(b.m, 60 * US);
	check(said(""), "nothing-ends-before-it-is-due");
	toy_run_to(b.m, 60 * US + 4096 * US / 2000);
	check_eq(b.t->endings, 1, "at-its-cycle-it-ends");
	toy_run_to(b.m, CPU_HZ);
	check_eq(b.t->endings, 3, "all-end");
	check_eq(b.t->disk.in_flight, 0, "nothing-is-in-flight");
	bench_free(&b);

	bench_new(&b, "drive=d,latency=0,bandwidth=0", false);
	r = ask(&b, BLOCK_READ, 0, 4096, 0);
	check_eq(r->due, 1, "no-request-ends-at-its-own-cycle");
	resubmits = 5;
	toy_run_to(b.m, 3);
	check_eq(b.t->endings, 3, "what-an-end-submits-is-due-later");
	bench_free(&b);
}

/* Much is given up by pieces, and others get their turn between them. */
static void test_pieces(void)
{
	struct bench b;

	bench_new(&b, "drive=d,coalesce=0", false);
	ask(&b, BLOCK_ZERO, 0, SIZE, 0);
	ask(&b, BLOCK_READ, SIZE - 512, 512, 1);
	toy_run_to(b.m, 61 * US);
	check_eq(b.t->endings, 1, "the-read-does-not-wait");
	notes[0] = 0;
	toy_run_to(b.m, 62 * US - 1);
	check(said(""), "the-last-piece-is-not-due");
	toy_run_to(b.m, 62 * US);
	check(said("0@62:0. "), "with-the-last-piece-it-ends");
	check_eq(b.t->disk.drive->stats.bytes[BLOCK_ZERO], SIZE, "all-bytes-are-counted");
	check_eq(b.t->disk.drive->stats.requests[BLOCK_ZERO], 1, "it-is-one-request");
	bench_free(&b);
}

static void test_stats(void)
{
	struct bench b;
	const struct drive_stats *s;

	bench_new(&b, "drive=d", true);
	ask(&b, BLOCK_WRITE, 0, 512, 3);
	ask(&b, BLOCK_READ, 0, 1024, 4);
	toy_run_to(b.m, CPU_HZ);
	s = &b.t->disk.drive->stats;
	check_eq(s->failed[BLOCK_WRITE], 1, "a-failed-write-is-counted");
	check_eq(s->bytes[BLOCK_WRITE], 0, "and-none-of-its-bytes");
	check_eq(s->requests[BLOCK_READ], 1, "a-read-is-counted");
	check_eq(s->bytes[BLOCK_READ], 1024, "its-bytes-are");
	check_eq(s->cycles[BLOCK_READ], 60 * US + 512 * US / 2000 + 1024 * US / 2000, "its-time-is");
	check(!strncmp(notes, "3@60:30. ", 9), "an-error-of-the-host-comes-when-the-request-is-due");
	bench_free(&b);
}

/* ---- Endings that the guest hears of together ---- */

static void test_coalescing(void)
{
	struct bench b;
	struct disk_request *late;

	bench_new(&b, "drive=d,bandwidth=0", false);
	ask(&b, BLOCK_WRITE, 0, 512, 0);
	toy_run_to(b.m, 60 * US);
	check(said("0@60:0. "), "one-alone-waits-for-nobody");
	ask(&b, BLOCK_WRITE, 0, 512, 1);
	toy_run_to(b.m, 100 * US);
	ask(&b, BLOCK_WRITE, 0, 512, 2);
	toy_run_to(b.m, 160 * US - 1);
	check(said(""), "the-first-waits-for-the-second");
	toy_run_to(b.m, 160 * US);
	check(said("1@160:0. 2@160:0. "), "both-end-with-it");
	for (unsigned i = 0; i < 6; i++) {
		ask(&b, BLOCK_WRITE, 0, 512, i);
		toy_run_to(b.m, b.m->clock.now + 30 * US);
	}
	check(said("0@320:0. 1@320:0. 2@320:0. 3@320:0. "), "nobody-waits-longer-than-coalesce");
	toy_run_to(b.m, 1000 * US);
	check(said("4@370:0. 5@370:0. "), "then-the-others");
	ask(&b, BLOCK_WRITE, 0, 512, 1);
	toy_run_to(b.m, 1050 * US);
	late = ask(&b, BLOCK_WRITE, 0, 512, 2);
	toy_run_to(b.m, 1070 * US);
	disk_cancel(&b.t->disk, late);
	toy_run_to(b.m, 1071 * US);
	check(said("1@1070:0. "), "who-has-waited-for-one-that-is-cancelled-ends");
	toy_reset(&b.t->dev);
	for (unsigned i = 0; i < DISK_BATCH + 1; i++) {
		ask(&b, BLOCK_WRITE, 0, 512, i);
		toy_run_to(b.m, b.m->clock.now + US);
	}
	toy_run_to(b.m, 1071 * US + (60 + DISK_BATCH - 1) * US);
	check_eq(b.t->endings, DISK_BATCH, "so-many-wait-for-nobody");
	bench_free(&b);
}

/* Its pieces have waited for others meanwhile: they are still given to the host one by one. */
static void test_pieces_late(void)
{
	struct bench b;

	bench_new(&b, "drive=d", false);
	ask(&b, BLOCK_ZERO, 0, SIZE, 0);
	toy_run_to(b.m, 40 * US);
	ask(&b, BLOCK_WRITE, SIZE - 512, 512, 1);
	toy_run_to(b.m, 101 * US);
	check_eq(b.t->disk.drive->stats.bytes[BLOCK_ZERO], DISK_PIECE, "one-piece-after-a-wait");
	toy_run_to(b.m, 200 * US);
	check_eq(b.t->disk.drive->stats.requests[BLOCK_ZERO], 1, "and-then-the-others");
	bench_free(&b);
}

/* ---- The host's speed ---- */

static void submit_some(struct bench *b, bool wait)
{
	for (unsigned i = 0; i < 20; i++) {
		ask(b, i % 3 ? BLOCK_READ : BLOCK_WRITE, i * 4096, 512 << i % 5, i);
		if (wait)
			block_drain(b->t->disk.drive->block);
		toy_run_to(b->m, b->m->clock.now + 7 * US);
	}
	toy_run_to(b->m, CPU_HZ);
}

static void fill_image(struct bench *b)
{
	static char z[20 * 4096 + 16384];

	toy_put(&b->image, 0, memset(z, 'z', sizeof z), sizeof z);
}

static void test_speed(void)
{
	char first[sizeof notes];
	struct bench b;

	bench_new(&b, "drive=d", false);
	fill_image(&b);
	submit_some(&b, false);
	strcpy(first, notes);
	bench_free(&b);
	bench_new(&b, "drive=d", false);
	fill_image(&b);
	submit_some(&b, true);
	check(strlen(first) > 100 && said(first), "the-same-whether-the-host-is-done-early-or-late");
	bench_free(&b);
}

/* ---- Bounds ---- */

static void test_bounds(void)
{
	struct bench b;
	unsigned n = 0;

	bench_new(&b, "drive=d", false);
	check(!disk_request_new(&b.t->disk, BLOCK_READ, 0, DISK_MAX_BYTES + UINT64_C(1)), "a-request-has-so-many-bytes-at-most");
	check(!disk_request_new(&b.t->disk, BLOCK_READ, 0, UINT64_MAX), "not-as-many-as-there-are-numbers");
	ask(&b, BLOCK_READ, 0, DISK_MAX_BYTES - 512, 0);
	check(ask(&b, BLOCK_READ, 0, 512, 0) != NULL, "all-in-flight-together-too");
	check(!disk_request_new(&b.t->disk, BLOCK_READ, 0, 1), "not-one-byte-more");
	check(ask(&b, BLOCK_FLUSH, 0, 0, 0) != NULL, "a-flush-has-no-bytes");
	toy_run_to(b.m, CPU_HZ);
	check_eq(b.t->disk.bytes_in_flight, 0, "bytes-are-counted-back");
	notes[0] = 0;
	while (ask(&b, BLOCK_FLUSH, 0, 0, 0) && n < 5000)
		n++;
	check_eq(n, DISK_MAX_REQUESTS, "so-many-requests-at-most");
	toy_reset(&b.t->dev);
	ask(&b, BLOCK_READ, UINT64_MAX - 511, 512, 1);
	ask(&b, BLOCK_DISCARD, SIZE, UINT64_MAX, 2);
	toy_run_to(b.m, 2 * CPU_HZ);
	check(strstr(notes, "1@") && strstr(notes, ":5. "), "outside-of-the-image-is-an-error");
	bench_free(&b);
}

/* ---- Reset ---- */

static void test_reset(void)
{
	struct bench b;
	char byte;

	bench_new(&b, "drive=d", false);
	ask(&b, BLOCK_WRITE, 8192, 512, 1);
	ask(&b, BLOCK_READ, 0, 512, 2);
	toy_reset(&b.t->dev);
	toy_run_to(b.m, CPU_HZ);
	check(said(""), "after-a-reset-nothing-ends");
	toy_get(&b.image, 8192, &byte, 1);
	check_eq(byte, 'b', "what-was-written-is-there");
	ask(&b, BLOCK_READ, 8192, 512, 3);
	disk_cancel(&b.t->disk, ask(&b, BLOCK_READ, 0, 512, 4));
	toy_run_to(b.m, 2 * CPU_HZ);
	check(said("3@1000060:0=b "), "what-is-cancelled-does-not-end-and-the-rest-does");
	bench_free(&b);
}

/* ---- Snapshots ---- */

static void test_snapshot(void)
{
	struct bench a, b;
	struct error err = { .msg = "" };
	size_t len = 0;
	uint8_t *data;
	uint64_t hash;
	bool ok;

	bench_new(&a, "drive=d", false);
	toy_put(&a.image, 0, "Q", 1);
	a.m->clock.now = 1000 * US;
	ask(&a, BLOCK_READ, 0, 4096, 1);
	ask(&a, BLOCK_WRITE, 4096, 512, 2);
	ask(&a, BLOCK_READ, SIZE, 512, 3);
	ask(&a, BLOCK_FLUSH, 0, 0, 4);
	check(!devices_qemu_ready(a.m), "QEMU-has-no-place-for-them");
	devices_settle(a.m);
	toy_get(&a.image, 4096, notes, 1);
	check(notes[0] == 'c', "before-a-save-the-file-has-what-was-submitted");
	notes[0] = 0;
	data = toy_save(a.m, &len, &err);
	hash = machine_statehash(a.m);
	check(data != NULL, "a-save-with-requests-in-flight%s", err.msg);
	toy_put(&a.image, 0, "R", 1);
	toy_run_to(a.m, 2000 * US);
	check(said("1@1122:0=Q 2@1122:0. 3@1122:5. 4@1122:0. "), "the-machine-goes-on");

	bench_new(&b, "drive=d", false);
	toy_put(&b.image, 0, "R", 1);
	ask(&b, BLOCK_FLUSH, 0, 0, 9);
	ok = toy_load(b.m, data, len, &err);
	check(ok, "it-loads%s%s", ok ? "" : ": ", ok ? "" : err.msg);
	check_eq(machine_statehash(b.m), hash, "to-the-same-state");
	toy_run_to(b.m, 2000 * US);
	check(said("1@1122:0=Q 2@1122:0. 3@1122:5. 4@1122:0. "), "and-goes-on-the-same-with-data-from-the-snapshot");
	check_eq(machine_statehash(a.m), machine_statehash(b.m), "to-the-same-state-again");
	check(devices_qemu_ready(b.m), "now-QEMU-could-have-it");
	free(data);
	bench_free(&a);
	bench_free(&b);
}

static bool refused(struct bench *b, const char *field)
{
	struct error err = { .msg = "" };
	size_t len;
	uint8_t *data = toy_save(b->m, &len, &err);

	if (data || !strstr(err.msg, field))
		printf("  says \"%s\"\n", err.msg);
	free(data);
	return !data && strstr(err.msg, field);
}

/* A check is asked before a save as it is behind a load. */
static void test_refused(void)
{
	struct disk_request *first, *second;
	struct bench b;
	uint64_t due;

	bench_new(&b, "drive=d", false);
	first = ask(&b, BLOCK_READ, 0, 512, 1);
	second = ask(&b, BLOCK_READ, 0, 512, 2);
	due = second->due;
	second->due = first->due - 1;
	check(refused(&b, "field due"), "requests-that-are-not-in-order");
	second->due = UINT64_MAX;
	check(refused(&b, "field due"), "a-request-behind-the-end-of-time");
	second->due = due;
	second->issued = due + 1;
	check(refused(&b, "field issued"), "a-request-from-the-future");
	second->issued = 0;
	block_drain(b.t->disk.drive->block);
	second->io.op = (enum block_op)5;
	check(refused(&b, "field op"), "an-operation-that-there-is-not");
	second->io.op = BLOCK_WRITE;
	second->io.bytes = DISK_MAX_BYTES;
	check(refused(&b, "field requests"), "more-data-than-may-be-in-flight");
	second->io.bytes = DISK_MAX_BYTES + UINT64_C(1);
	check(refused(&b, "field "), "more-data-than-a-request-has");
	second->io.bytes = 512;
	second->io.op = BLOCK_READ;
	second->io.error = -5;
	check(refused(&b, "field error"), "an-error-that-there-is-not");
	second->io.error = 0;
	b.t->disk.busy_until = UINT64_MAX;
	check(refused(&b, "field busy_until"), "a-channel-that-is-busy-for-ever");
	bench_free(&b);
}

int main(void)
{
	test_model();
	test_pieces();
	test_coalescing();
	test_pieces_late();
	test_stats();
	test_speed();
	test_bounds();
	test_reset();
	test_snapshot();
	test_refused();
	return check_done();
}

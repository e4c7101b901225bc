/* SCSI units, command by command: answers, sense, bounds; what a reset and a snapshot make of those in flight. */
#define _GNU_SOURCE
#include "check.h"
#include "machine/core/clock.h"
#include "machine/core/device.h"
#include "machine/disk/scsi.h"
#include "machine/snapshot/statehash.h"
#include "rig.h"
#include "savevm/be.h"
#include "toy_disk.h"

#define SIZE (UINT64_C(64) << 20)
#define ROOM (UINT32_C(1) << 20)

/* ---- An adapter with the data of one command at a time ---- */

struct toy_command {
	struct scsi_command scsi;
	uint32_t number;
};

struct toy {
	struct device dev;
	struct scsi_bus_state bus;
	uint32_t ended, dropped;
	bool nothing_there;		/* no guest memory */
	bool absent_lun0;
};

/* Of the last command that has ended. */
static struct {
	struct scsi_command c;
	uint8_t in[ROOM], out[ROOM];
	unsigned changed;		/* asc << 8 | ascq */
} last;

static bool toy_take(struct device *dev, struct scsi_command *c, uint32_t at, void *buf, uint32_t n)
{
	if (((struct toy *)dev)->nothing_there || at + n > c->out_bytes || at + n > ROOM)
		return false;
	memcpy(buf, last.out + at, n);
	return true;
}

static bool toy_give(struct device *dev, struct scsi_command *c, uint32_t at, const void *buf, uint32_t n)
{
	if (((struct toy *)dev)->nothing_there || at + n > c->in_bytes || at + n > ROOM)
		return false;
	memcpy(last.in + at, buf, n);
	return true;
}

static void toy_done(struct device *dev, struct scsi_command *c)
{
	((struct toy *)dev)->ended++;
	last.c = *c;
	free(c);
}

static void toy_drop(struct device *dev, struct scsi_command *c)
{
	((struct toy *)dev)->dropped++;
	free(c);
}

static void toy_changed(struct device *dev, struct scsi_address at, uint8_t asc, uint8_t ascq)
{
	(void)dev;
	(void)at;
	last.changed = (unsigned)asc << 8 | ascq;
}

static const struct scsi_adapter functions = {
	.take = toy_take, .give = toy_give, .done = toy_done, .drop = toy_drop, .changed = toy_changed, .max_target = 3, .max_lun = 300,
};
static const struct scsi_adapter vio_functions = {
	.take = toy_take, .give = toy_give, .done = toy_done, .drop = toy_drop, .max_target = 3, .max_lun = 7, .absent_lun0 = true,
};

static bool toy_init(struct device *dev, struct error *err)
{
	struct toy *t = (struct toy *)dev;

	(void)err;
	scsi_bus_init(dev, &t->bus, t->absent_lun0 ? &vio_functions : &functions);
	return true;
}

static void toy_reset(struct device *dev)
{
	scsi_bus_drop(dev);
	((struct toy *)dev)->ended = ((struct toy *)dev)->dropped = 0;
}

static const struct vmstate toy_command_state = {
	.name = "cede/toy-scsi/command", .version = 1, .min_version = 1, VMS_OF(struct toy_command),
	.fields = VMS_FIELDS(
		VMS_STRUCT("scsi", struct toy_command, scsi, struct scsi_command, scsi_command_state),
		VMS_U32(struct toy_command, number)),
};
static const struct vmstate toy_bus_state = SCSI_BUS_STATE("cede/toy-scsi/bus", struct toy_command, toy_command_state);
static const struct vmstate toy_own_state = {
	.name = "cede/toy-scsi", .version = 1, .min_version = 1, VMS_OF(struct toy),
	.fields = VMS_FIELDS(
		VMS_STRUCT("bus", struct toy, bus, struct scsi_bus_state, toy_bus_state),
		VMS_U32(struct toy, ended)),
};

static const struct device_property toy_properties[] = {
	{ .name = "vio", .help = "as vscsi", .type = PROPERTY_BOOL, .settable = true, .offset = offsetof(struct toy, absent_lun0) },
	{ .name = NULL },
};

static const struct device_class toy_class = {
	.name = "toy-scsi", .help = "a toy", .size = sizeof(struct toy), .bus = &scsi_bus, .properties = toy_properties,
	.init = toy_init, .free = scsi_bus_drop, .reset = toy_reset, .own_state = &toy_own_state,
};

/* ---- A machine with disks and a CD ---- */

struct bench {
	struct rig rig;
	struct machine *m;
	struct device *adapter;
	struct toy_image image[4];
	unsigned images;
};

static struct device *make(struct bench *b, const struct device_class *class, const char *values)
{
	struct error err = { .msg = "" };
	struct device *dev = device_new(b->m, class, values, &err);

	if (!dev)
		printf("  %s\n", err.msg);
	return dev;
}

static struct drive *add_image(struct bench *b, const char *id, bool readonly)
{
	toy_image_new(&b->image[b->images], SIZE);
	return toy_drive(b->m, &b->image[b->images++], id, readonly);
}

/* Unit 0 of target 0 is a disk; 1 one that cannot be written, with blocks of 4096; target 1 a CD. */
static void bench_new(struct bench *b, const char *adapter)
{
	memset(b, 0, sizeof *b);
	rig_new(&b->rig, "1");
	b->m = b->rig.m;
	b->adapter = make(b, &toy_class, adapter);
	add_image(b, "disk", false);
	add_image(b, "fixed", true);
	add_image(b, "disc", true);
	make(b, &scsi_hd_class, "drive=disk,serial=S123,product=TOY");
	make(b, &scsi_hd_class, "drive=fixed,scsi-id=0,lun=5,logical_block_size=4096,physical_block_size=4096");
	make(b, &scsi_cd_class, "drive=disc");
	machine_clear(b->m);
	b->m->clock.now = 0;
}

static void bench_free(struct bench *b)
{
	rig_free(&b->rig);
	for (unsigned i = 0; i < b->images; i++)
		unlink(b->image[i].path);
}

static const struct scsi_address disk = { 0, 0, 0 }, fixed = { 0, 0, 5 }, disc = { 0, 1, 0 };

/* "28 00 00" and so on. */
static unsigned parse_hex(const char *text, uint8_t *buf, unsigned room)
{
	unsigned n = 0;
	char *end;

	for (; n < room; text = end, n++) {
		unsigned long v = strtoul(text, &end, 16);

		if (end == text)
			break;
		buf[n] = (uint8_t)v;
	}
	return n;
}

static struct toy_command *start(struct bench *b, struct scsi_address at, const char *cdb, uint32_t out, uint32_t in)
{
	struct toy_command *c = calloc(1, sizeof *c);

	c->scsi.address = at;
	c->scsi.out_bytes = out;
	c->scsi.in_bytes = in;
	parse_hex(cdb, c->scsi.cdb, sizeof c->scsi.cdb);
	c->scsi.tag = c->scsi.cdb[31];
	memset(last.in, 0xcc, sizeof last.in);
	last.c.status = 0xff;
	scsi_execute(b->adapter, &c->scsi);
	return c;
}

/* Runs it, until it ends. Sense as one number; 0 GOOD, 1 another status, 2 absent, 3 overrun, 4 never. */
static unsigned run(struct bench *b, struct scsi_address at, const char *cdb, uint32_t out, uint32_t in)
{
	uint32_t ended = ((struct toy *)b->adapter)->ended;

	start(b, at, cdb, out, in);
	if (((struct toy *)b->adapter)->ended == ended)
		toy_run_to(b->m, b->m->clock.now + CPU_HZ);
	if (((struct toy *)b->adapter)->ended != ended + 1)
		return 4;
	if (last.c.absent || last.c.overrun)
		return last.c.absent ? 2 : 3;
	if (last.c.status == SCSI_CHECK_CONDITION && last.c.sense_bytes == 18 && last.c.sense[0] == 0x70)
		return (unsigned)last.c.sense[2] << 16 | (unsigned)last.c.sense[12] << 8 | last.c.sense[13];
	return last.c.status != SCSI_GOOD;
}

/* The answer begins so: "00 1f ..", and has `moved` bytes. */
static bool answers(const char *hex, uint32_t moved)
{
	uint8_t want[256];
	unsigned n = parse_hex(hex, want, sizeof want);
	bool same = !memcmp(last.in, want, n) && last.c.moved == moved && last.in[moved] == 0xcc;

	for (unsigned i = 0; !same && i < n; i++)
		printf("%s%02x%s", i ? " " : "  is ", last.in[i], i + 1 < n ? "" : "\n");
	if (!same)
		printf("  %u bytes\n", (unsigned)last.c.moved);
	return same;
}

static void calm(struct bench *b)
{
	run(b, disk, "00", 0, 0);
	run(b, fixed, "00", 0, 0);
	run(b, disc, "00", 0, 0);
}

/* ---- Tables: command, what it ends with, what it answers ---- */

struct row {
	const char *cdb;
	uint32_t out, in;
	unsigned sense;
	const char *answer;		/* NULL: nothing is looked at */
	uint32_t moved;
	const char *name;
};

static void run_rows(struct bench *b, struct scsi_address at, const struct row *rows, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		check_eq(run(b, at, rows[i].cdb, rows[i].out, rows[i].in), rows[i].sense, "%s", rows[i].name);
		if (rows[i].answer)
			check(answers(rows[i].answer, rows[i].moved), "%s-answer", rows[i].name);
	}
}
#define RUN(b, at, rows) run_rows(b, at, rows, sizeof rows / sizeof rows[0])

static const struct row disk_rows[] = {
	{ "00", 0, 0, 0, "", 0, "ready" },
	{ "12 00 00 00 24", 0, 255, 0, "00 00 05 12 1f 00 00 12 51 45 4d 55 20 20 20 20 54 4f 59 20", 36, "inquiry" },
	{ "12 00 00 00 05", 0, 255, 0, "00 00 05 12 1f", 5, "inquiry-of-5-bytes" },
	{ "12 00 00 00 00", 0, 255, 0, "", 0, "inquiry-of-none" },
	{ "12 00 00 00 ff", 0, 8, 0, "00 00 05 12 1f 00 00 12", 8, "inquiry-with-less-room" },
	{ "12 00 80 00 ff", 0, 255, 0x052400, NULL, 0, "inquiry-page-without-evpd" },
	{ "12 02 00 00 ff", 0, 255, 0x052400, NULL, 0, "inquiry-cmddt" },
	{ "12 01 00 00 ff", 0, 255, 0, "00 00 00 06 00 80 83 b0 b1 b2", 10, "vpd-pages" },
	{ "12 01 80 00 ff", 0, 255, 0, "00 80 00 04 53 31 32 33", 8, "vpd-serial" },
	{ "12 01 83 00 ff", 0, 255, 0, "00 83 00 08 02 00 00 04 53 31 32 33", 12, "vpd-identity" },
	{ "12 01 b0 00 ff", 0, 255, 0, "00 b0 00 3c 01 00 00 00 00 02 00 00 00 00 00 00 00 00 00 00 00 3f ff ff 00 00 00 ff", 64, "vpd-limits" },
	{ "12 01 b0 00 04", 0, 255, 0, "00 b0 00 3c", 4, "vpd-head-alone" },
	{ "12 01 b1 00 ff", 0, 255, 0, "00 b1 00 3c 00 01", 64, "vpd-character" },
	{ "12 01 b2 00 ff", 0, 255, 0, "00 b2 00 04 00 e0 02 00", 8, "vpd-provisioning" },
	{ "12 01 c0 00 ff", 0, 255, 0x052400, NULL, 0, "vpd-that-there-is-not" },
	{ "03 00 00 00 ff", 0, 255, 0, "70 00 00 00 00 00 00 0a 00 00 00 00 00 00 00 00 00 00", 18, "request-sense" },
	{ "03 01 00 00 ff", 0, 255, 0, "72 00 00 00 00 00 00 00", 8, "request-sense-descriptors" },
	{ "25", 0, 8, 0, "00 01 ff ff 00 00 02 00", 8, "capacity-10" },
	{ "25 00 00 00 00 01", 0, 8, 0x052400, NULL, 0, "capacity-10-of-a-block" },
	{ "9e 10 0 0 0 0 0 0 0 0 0 0 0 20", 0, 32, 0, "0 0 0 0 0 01 ff ff 00 00 02 00 00 00 80 00", 32, "capacity-16" },
	{ "9e 10 0 0 0 0 0 0 0 0 0 0 0 0c", 0, 32, 0, "0 0 0 0 0 01 ff ff 00 00 02 00", 12, "capacity-16-of-12-bytes" },
	{ "9e 11 0 0 0 0 0 0 0 0 0 0 0 20", 0, 32, 0x052400, NULL, 0, "capacity-16-of-another-service" },
	{ "a0 00 00 00 00 00 00 00 02 00", 0, 512, 0, "00 00 00 10 0 0 0 0 00 00 0 0 0 0 0 0 00 05", 24, "report-luns" },
	{ "a0 00 01 00 00 00 00 00 02 00", 0, 512, 0, "00 00 00 00 0 0 0 0", 8, "report-luns-well-known" },
	{ "a0 00 03 00 00 00 00 00 02 00", 0, 512, 0x052400, NULL, 0, "report-luns-of-another-kind" },
	{ "a0 00 00 00 00 00 00 00 00 0f", 0, 512, 0x052400, NULL, 0, "report-luns-without-room" },
	{ "1a 00 08 00 ff", 0, 255, 0, "1f 00 10 08 00 02 00 00 00 00 02 00 08 12 04", 32, "mode-sense-cache" },
	{ "1a 08 08 00 ff", 0, 255, 0, "17 00 10 00 08 12 04", 24, "mode-sense-without-descriptor" },
	{ "1a 08 48 00 ff", 0, 255, 0, "17 00 10 00 08 12 04 00 00", 24, "mode-sense-what-may-be-changed" },
	{ "1a 08 44 00 ff", 0, 255, 0, "1b 00 10 00 04 16 00 00 00 00", 28, "mode-sense-what-may-not" },
	{ "1a 08 c8 00 ff", 0, 255, 0x053900, NULL, 0, "mode-sense-saved" },
	{ "1a 08 03 00 ff", 0, 255, 0, "1b 00 10 00 03 16 00 00 00 00 00 00 00 00 00 3f 02 00", 28, "mode-sense-format" },
	{ "1a 08 04 00 ff", 0, 255, 0, "1b 00 10 00 04 16 00 00 82 10", 28, "mode-sense-rigid" },
	{ "1a 08 05 00 ff", 0, 255, 0, "23 00 10 00 05 1e 13 88 10 3f 02 00 00 82", 36, "mode-sense-flexible" },
	{ "1a 08 3f 00 ff", 0, 255, 0, "73 00 10 00 01 0a 80", 116, "mode-sense-all" },
	{ "1a 08 3f ff ff", 0, 255, 0, "73 00 10 00 01 0a 80", 116, "mode-sense-all-subpages" },
	{ "1a 08 3f 01 ff", 0, 255, 0x052400, NULL, 0, "mode-sense-a-subpage" },
	{ "1a 08 2a 00 ff", 0, 255, 0x052400, NULL, 0, "mode-sense-page-of-a-cd" },
	{ "1a 08 08 00 04", 0, 255, 0, "17 00 10 00", 4, "mode-sense-of-4-bytes" },
	{ "5a 00 08 00 00 00 00 00 ff", 0, 255, 0, "00 22 00 10 00 00 00 08 00 02 00 00 00 00 02 00 08 12 04", 36, "mode-sense-10" },
	{ "2f 00 00 00 00 00 00 00 08", 0, 0, 0, NULL, 0, "verify" },
	{ "2f 02 00 00 00 00 00 00 08", 4096, 0, 0x052400, NULL, 0, "verify-that-compares" },
	{ "8f 06 00 00 00 00 00 00 00 00 00 00 00 08", 512, 0, 0x052400, NULL, 0, "verify-16-that-compares" },
	{ "34 02 00 00 00 00 00 00 08", 0, 0, 0, NULL, 0, "pre-fetch-at-once" },
	{ "1b 00 00 00 00", 0, 0, 0, NULL, 0, "stop" },
	{ "1e 00 00 00 01", 0, 0, 0, NULL, 0, "prevent-removal" },
	{ "1d 04", 0, 0, 0, NULL, 0, "self-test" },
	{ "1d 00 00 00 08", 8, 0, 0x052400, NULL, 0, "another-diagnosis" },
	{ "16", 0, 0, 0, NULL, 0, "reserve" },
	{ "17", 0, 0, 0, NULL, 0, "release" },
	{ "5e", 0, 255, 0x052000, NULL, 0, "persistent-reserve-in" },
	{ "5f", 24, 0, 0x052000, NULL, 0, "persistent-reserve-out" },
	{ "4d", 0, 255, 0x052000, NULL, 0, "log-sense" },
	{ "a3 0c", 0, 255, 0x052000, NULL, 0, "report-opcodes" },
	{ "7f", 0, 255, 0x052000, NULL, 0, "variable-length" },
	{ "ff", 0, 255, 0x052000, NULL, 0, "no-command" },
	{ "46", 0, 255, 0x052000, NULL, 0, "a-command-of-CDs" },
};

static void test_answers(struct bench *b)
{
	RUN(b, disk, disk_rows);
}

/* ---- Blocks ---- */

static const struct row block_rows[] = {
	{ "28 00 00 01 ff ff 00 00 01", 0, 512, 0, NULL, 0, "last-block" },
	{ "28 00 00 02 00 00 00 00 01", 0, 512, 0x052100, NULL, 0, "behind-the-last-block" },
	{ "28 00 00 01 ff ff 00 00 02", 0, 1024, 0x052100, NULL, 0, "over-the-end" },
	{ "28 00 ff ff ff ff 00 ff ff", 0, 512, 0x052100, NULL, 0, "far-behind" },
	{ "28 00 00 02 00 00 00 00 00", 0, 0, 0, NULL, 0, "nothing-at-the-end" },
	{ "28 00 00 02 00 01 00 00 00", 0, 0, 0x052100, NULL, 0, "nothing-behind-the-end" },
	{ "28 20 00 00 00 00 00 00 01", 0, 512, 0x052400, NULL, 0, "protection" },
	{ "28 00 00 00 00 00 00 00 02", 0, 1023, 3, NULL, 0, "more-than-there-is-room-for" },
	{ "28 00 00 00 00 00 00 00 02", 1024, 0, 3, NULL, 0, "room-the-wrong-way" },
	{ "88 00 ff ff ff ff ff ff ff ff 00 00 00 01", 0, 512, 0x052100, NULL, 0, "block-2^64-1" },
	{ "88 00 ff ff ff ff ff ff ff ff 00 00 00 02", 0, 1024, 0x052100, NULL, 0, "blocks-past-2^64" },
	{ "88 00 00 80 00 00 00 00 00 00 00 00 00 01", 0, 512, 0x052100, NULL, 0, "block-whose-byte-is-2^64" },
	{ "88 00 00 00 00 00 00 00 00 00 ff ff ff ff", 0, 512, 0x052400, NULL, 0, "2^32-1-blocks" },
	{ "a8 00 00 00 00 00 80 00 00 00", 0, 512, 0x052400, NULL, 0, "2^31-blocks" },
	{ "a8 00 00 00 00 00 00 02 00 01", 0, 512, 0x052400, NULL, 0, "more-than-64-MiB" },
	{ "08 1f ff ff 01", 0, 512, 0x052100, NULL, 0, "read-6-behind" },
	{ "08 01 ff ff 00", 0, 131072, 0x052100, NULL, 0, "read-6-of-256-behind" },
	{ "2f 00 00 01 ff ff 00 00 01", 0, 0, 0, NULL, 0, "verify" },
	{ "2f 00 00 01 ff ff 00 00 02", 0, 0, 0x052100, NULL, 0, "verify-behind" },
	{ "35", 0, 0, 0, NULL, 0, "synchronize-10" },
	{ "91", 0, 0, 0, NULL, 0, "synchronize-16" },
	{ "2a 00 00 02 00 00 00 00 01", 512, 0, 0x052100, NULL, 0, "write-behind" },
	{ "2a 00 00 00 00 00 00 00 02", 1023, 0, 3, NULL, 0, "write-of-less-than-it-says" },
	{ "8a 00 ff ff ff ff ff ff ff ff 00 00 00 01", 512, 0, 0x052100, NULL, 0, "write-block-2^64-1" },
};

static void fill(uint8_t *buf, size_t n, uint64_t seed)
{
	for (size_t i = 0; i < n; i++)
		buf[i] = (uint8_t)check_random(&seed);
}

/* Each form writes and reads the same block. */
static void test_forms(struct bench *b)
{
	static const struct { const char *write, *read; } forms[] = {
		{ "0a 00 00 07 02", "08 00 00 07 02" },
		{ "2a 00 00 00 00 07 00 00 02", "28 00 00 00 00 07 00 00 02" },
		{ "aa 00 00 00 00 07 00 00 00 02", "a8 00 00 00 00 07 00 00 00 02" },
		{ "8a 00 0 0 0 0 0 0 0 07 00 00 00 02", "88 00 0 0 0 0 0 0 0 07 00 00 00 02" },
		{ "2e 00 00 00 00 07 00 00 02", "28 08 00 00 00 07 00 00 02" },
		{ "2a 08 00 00 00 07 00 00 02", "28 10 00 00 00 07 00 00 02" },
	};
	uint8_t file[1024];

	for (size_t i = 0; i < sizeof forms / sizeof forms[0]; i++) {
		fill(last.out, sizeof file, i);
		check_eq(run(b, disk, forms[i].write, 1024, 0), 0, "write-%s", forms[i].write);
		check_eq(last.c.moved, 1024, "write-%s-moves", forms[i].write);
		toy_get(&b->image[0], 7 * 512, file, sizeof file);
		check(!memcmp(file, last.out, sizeof file), "write-%s-is-in-the-file", forms[i].write);
		check_eq(run(b, disk, forms[i].read, 0, 2048), 0, "read-%s", forms[i].read);
		check(last.c.moved == 1024 && !memcmp(file, last.in, sizeof file) && last.in[1024] == 0xcc, "read-%s-is-the-same", forms[i].read);
	}
	check_eq(run(b, disk, "08 00 00 00 00", 0, 131072), 0, "read-6-of-256");
	check_eq(last.c.moved, 131072, "read-6-of-256-moves");
}

static void test_times(struct bench *b)
{
	uint64_t began = b->m->clock.now;

	start(b, disk, "28 00 00 00 00 00 00 00 08", 0, 4096);
	toy_run_to(b->m, began + 60 * (CPU_HZ / 1000000));
	check_eq(last.c.status, 0xff, "a-read-takes-its-time");
	toy_run_to(b->m, began + 63 * (CPU_HZ / 1000000));
	check_eq(last.c.status, SCSI_GOOD, "and-not-longer");
	began = b->m->clock.now;
	start(b, disk, "2a 08 00 00 00 00 00 00 08", 4096, 0);
	toy_run_to(b->m, began + 120 * (CPU_HZ / 1000000));
	check_eq(last.c.status, 0xff, "a-forced-write-takes-a-flush-as-well");
	toy_run_to(b->m, began + 123 * (CPU_HZ / 1000000));
	check_eq(last.c.status, SCSI_GOOD, "a-forced-write-ends");
}

static void test_readonly(struct bench *b)
{
	static const struct row rows[] = {
		{ "25", 0, 8, 0, "00 00 3f ff 00 00 10 00", 8, "fixed-capacity" },
		{ "9e 10 0 0 0 0 0 0 0 0 0 0 0 20", 0, 32, 0, "0 0 0 0 0 0 3f ff 00 00 10 00 00 00 80 00", 32, "fixed-capacity-16" },
		{ "1a 08 08 00 ff", 0, 255, 0, "17 00 90 00 08 12 04", 24, "fixed-is-protected" },
		{ "12 01 00 00 ff", 0, 255, 0, "00 00 00 05 00 83 b0 b1 b2", 9, "fixed-has-no-serial" },
		{ "12 01 80 00 ff", 0, 255, 0x052400, NULL, 0, "fixed-has-no-serial-page" },
		{ "12 01 83 00 ff", 0, 255, 0, "00 83 00 09 02 00 00 05 66 69 78 65 64", 13, "fixed-is-called-as-its-drive" },
		{ "28 00 00 00 3f ff 00 00 01", 0, 4096, 0, NULL, 0, "fixed-last-block" },
		{ "28 00 00 00 40 00 00 00 01", 0, 4096, 0x052100, NULL, 0, "fixed-behind" },
		{ "2a 00 00 00 00 00 00 00 01", 4096, 0, 0x072700, NULL, 0, "fixed-write" },
		{ "41 00 00 00 00 00 00 00 01", 4096, 0, 0x072700, NULL, 0, "fixed-write-same" },
		{ "42 00 00 00 00 00 00 00 18", 24, 0, 0x072700, NULL, 0, "fixed-unmap" },
		{ "35", 0, 0, 0, NULL, 0, "fixed-synchronize" },
	};

	RUN(b, fixed, rows);
}

/* ---- Giving up, making the same ---- */

static void put_range(unsigned i, uint64_t lba, uint32_t count)
{
	be_put(last.out + 8 + 16 * i, lba, 8);
	be_put(last.out + 16 + 16 * i, count, 4);
}

static unsigned unmap(struct bench *b, unsigned ranges, unsigned bytes)
{
	char cdb[64];

	be_put(last.out, 6 + 16 * ranges, 2);
	be_put(last.out + 2, 16 * ranges, 2);
	snprintf(cdb, sizeof cdb, "42 00 00 00 00 00 00 %02x %02x", bytes >> 8, bytes & 0xff);
	return run(b, disk, cdb, bytes, 0);
}

static void test_unmap(struct bench *b)
{
	memset(last.out, 0, 8192);
	put_range(0, 0, 8);
	put_range(1, 0x1fff8, 8);
	put_range(2, 0x20000, 0);
	check_eq(unmap(b, 3, 56), 0, "unmap");
	check_eq(unmap(b, 0, 8), 0, "unmap-of-nothing");
	check_eq(run(b, disk, "42", 0, 0), 0, "unmap-without-a-list");
	check_eq(unmap(b, 3, 55), 0x051a00, "unmap-of-a-list-that-is-cut");
	check_eq(unmap(b, 0, 7), 0x051a00, "unmap-of-half-a-head");
	check_eq(unmap(b, 256, 8 + 16 * 256), 0x051a00, "unmap-of-too-many-ranges");
	put_range(1, 0x1fff8, 9);
	check_eq(unmap(b, 3, 56), 0x052100, "unmap-behind");
	put_range(1, UINT64_MAX, 2);
	check_eq(unmap(b, 3, 56), 0x052100, "unmap-past-2^64");
	check_eq(run(b, disk, "42 01 0 0 0 0 0 0 18", 24, 0), 0x052400, "unmap-with-an-anchor");
	check_eq(run(b, disk, "42 00 0 0 0 0 0 0 18", 8, 0), 0x0b4b00, "unmap-of-data-that-are-not-there");
	for (unsigned i = 0; i < 255; i++)
		put_range(i, i, 1);
	check_eq(unmap(b, 255, 8 + 16 * 255), 0, "unmap-of-255-ranges");
}

static void test_same(struct bench *b)
{
	static const struct row rows[] = {
		{ "41 00 00 00 00 08 00 00 00", 512, 0, 0x052400, NULL, 0, "same-to-the-end" },
		{ "41 10 00 00 00 08 00 00 01", 512, 0, 0x052400, NULL, 0, "same-with-an-anchor" },
		{ "41 00 00 02 00 00 00 00 01", 512, 0, 0x052100, NULL, 0, "same-behind" },
		{ "41 00 00 00 00 08 00 00 01", 511, 0, 3, NULL, 0, "same-of-less-than-a-block" },
		{ "93 00 0 0 0 0 0 0 0 08 ff ff ff ff", 512, 0, 0x052400, NULL, 0, "same-of-too-many" },
	};
	uint8_t file[1536];

	RUN(b, disk, rows);
	memset(last.out, 0x5a, 512);
	check_eq(run(b, disk, "41 00 00 00 00 10 00 00 02", 512, 0), 0, "same");
	toy_get(&b->image[0], 0x10 * 512, file, sizeof file);
	check(file[0] == 0x5a && file[1023] == 0x5a && file[1024] == 0, "same-is-in-the-file");
	memset(last.out, 0, 512);
	check_eq(run(b, disk, "93 08 0 0 0 0 0 0 0 10 00 00 00 01", 512, 0), 0, "same-of-zeros");
	toy_get(&b->image[0], 0x10 * 512, file, sizeof file);
	check(file[0] == 0 && file[511] == 0 && file[512] == 0x5a, "same-of-zeros-is-in-the-file");
	check_eq(run(b, disk, "93 01 0 0 0 0 0 0 0 11 00 00 00 01", 0, 0), 0, "same-without-data");
	toy_get(&b->image[0], 0x10 * 512, file, sizeof file);
	check(file[512] == 0 && file[1023] == 0, "same-without-data-is-zeros");
}

/* ---- MODE SELECT ---- */

static unsigned select_mode(struct bench *b, const char *cdb, const char *list)
{
	unsigned n = parse_hex(list, last.out, 256);

	return run(b, disk, cdb, n, 0);
}

/* How often the disk's image was flushed for that command. */
static unsigned flushes_of(struct bench *b, const char *cdb, unsigned bytes)
{
	const struct drive *d = drive_find(b->m, "disk");
	uint64_t before = d->stats.requests[BLOCK_FLUSH];

	memset(last.out, 0x5a, bytes);
	check_eq(run(b, disk, cdb, bytes, 0), 0, "%s", cdb);
	return (unsigned)(d->stats.requests[BLOCK_FLUSH] - before);
}

static void test_select(struct bench *b)
{
	const char *on = "00 00 00 00 08 12 04 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0", *off = "00 00 00 00 08 12 00 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0";

	check_eq(select_mode(b, "15 10 00 00 18", off), 0, "select-off");
	run(b, disk, "1a 08 08 00 ff", 0, 255);
	check(answers("17 00 10 00 08 12 00", 24), "select-off-is-off");
	check_eq(flushes_of(b, "2a 00 00 00 00 10 00 00 01", 512), 1, "without-a-cache-a-write-is-flushed");
	check_eq(flushes_of(b, "41 00 00 00 00 10 00 00 02", 512), 1, "without-a-cache-the-same-is-flushed");
	check_eq(flushes_of(b, "93 09 0 0 0 0 0 0 0 10 00 00 00 10", 0), 1, "without-a-cache-zeros-are-flushed");
	check_eq(select_mode(b, "15 10 00 00 18", "00 00 00 00 08 12 05 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0"), 0x052600, "select-what-cannot-be");
	check_eq(select_mode(b, "15 10 00 00 18", "00 00 00 00 08 11 04 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0"), 0x052600, "select-a-page-of-another-length");
	check_eq(select_mode(b, "15 10 00 00 18", "00 00 00 00 2a 12 04 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0"), 0x052600, "select-another-page");
	check_eq(select_mode(b, "15 10 00 00 18", "00 00 00 00 48 12 04 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0"), 0x052600, "select-a-subpage");
	check_eq(select_mode(b, "15 10 00 00 18", "00 00 00 20 08 12 04 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0"), 0x051a00, "select-descriptors-past-the-end");
	check_eq(select_mode(b, "15 10 00 00 18", "00 00 00 05 08 12 04 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0"), 0x052600, "select-half-a-descriptor");
	check_eq(select_mode(b, "15 10 00 00 03", "00 00 00"), 0x051a00, "select-half-a-head");
	check_eq(select_mode(b, "15 10 00 00 05", "00 00 00 00 08"), 0x052600, "select-half-a-page");
	check_eq(select_mode(b, "15 00 00 00 18", on), 0x052400, "select-in-the-old-form");
	check_eq(select_mode(b, "15 11 00 00 18", on), 0x052400, "select-and-save");
	check_eq(select_mode(b, "15 10 00 00 00", ""), 0, "select-nothing");
	check_eq(run(b, disk, "55 10 0 0 0 0 0 02 00", 512, 0), 0x051a00, "select-a-long-list");
	run(b, disk, "1a 08 08 00 ff", 0, 255);
	check(answers("17 00 10 00 08 12 00", 24), "select-nothing-has-changed");
	check_eq(select_mode(b, "55 10 0 0 0 0 0 00 24", "0 0 0 0 0 0 0 08 0 0 0 0 0 0 02 0 08 12 04 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0"), 0, "select-10-on");
	run(b, disk, "1a 08 08 00 ff", 0, 255);
	check(answers("17 00 10 00 08 12 04", 24), "select-10-on-is-on");
}

/* ---- CDs ---- */

static const struct row cd_rows[] = {
	{ "12 00 00 00 24", 0, 255, 0, "05 80 05 12 1f 00 00 12 51 45 4d 55 20 20 20 20 51 45 4d 55 20 43 44 2d 52 4f 4d", 36, "cd-inquiry" },
	{ "12 01 00 00 ff", 0, 255, 0, "05 00 00 02 00 83", 6, "cd-vpd-pages" },
	{ "12 01 b0 00 ff", 0, 255, 0x052400, NULL, 0, "cd-vpd-of-disks" },
	{ "25", 0, 8, 0, "00 00 7f ff 00 00 08 00", 8, "cd-capacity" },
	{ "28 00 00 00 7f ff 00 00 01", 0, 2048, 0, NULL, 2048, "cd-last-block" },
	{ "28 00 00 00 80 00 00 00 01", 0, 2048, 0x052100, NULL, 0, "cd-behind" },
	{ "2a 00 00 00 00 00 00 00 01", 2048, 0, 0x052000, NULL, 0, "cd-write" },
	{ "43 00 00 00 00 00 00 00 14", 0, 255, 0, "00 12 01 01 00 14 01 00 00 00 00 00 00 14 aa 00 00 00 80 00", 20, "cd-toc" },
	{ "43 02 00 00 00 00 00 00 14", 0, 255, 0, "00 12 01 01 00 14 01 00 00 00 02 00 00 14 aa 00 00 07 12 44", 20, "cd-toc-msf" },
	{ "43 00 00 00 00 00 aa 00 14", 0, 255, 0, "00 0a 01 01 00 14 aa 00 00 00 80 00", 12, "cd-toc-lead-out" },
	{ "43 00 00 00 00 00 02 00 14", 0, 255, 0x052400, NULL, 0, "cd-toc-of-track-2" },
	{ "43 00 01 00 00 00 00 00 0c", 0, 255, 0, "00 0a 01 01 00 14 01 00 00 00 00 00", 12, "cd-sessions" },
	{ "43 00 00 00 00 00 00 00 0c 40", 0, 255, 0, "00 0a 01 01 00 14 01 00 00 00 00 00", 12, "cd-sessions-the-old-way" },
	{ "43 00 05 00 00 00 00 00 0c", 0, 255, 0x052400, NULL, 0, "cd-toc-of-another-format" },
	{ "43 00 00 00 00 00 00 00 02", 0, 255, 0, "00 12", 2, "cd-toc-of-2-bytes" },
	{ "46 02 00 00 00 00 00 00 ff", 0, 255, 0, "00 00 00 10 00 00 00 08 00 00 03 08 00 10 00 00 00 08 01 00", 20, "cd-profiles" },
	{ "46 01 00 01 00 00 00 00 ff", 0, 255, 0, NULL, 0, "cd-current-features" },
	{ "46 03 00 00 00 00 00 00 ff", 0, 255, 0x052400, NULL, 0, "cd-features-of-no-kind" },
	{ "46 00 00 00 00 00 00 00 08", 0, 255, 0, NULL, 0, "cd-features-head" },
	{ "46 02 ff ff 00 00 00 00 ff", 0, 255, 0, "00 00 00 04 00 00 00 08", 8, "cd-no-such-feature" },
	{ "51 00 00 00 00 00 00 00 22", 0, 255, 0, "00 20 0e 01 01 01 01 20", 34, "cd-disc-info" },
	{ "51 01 00 00 00 00 00 00 22", 0, 255, 0x052400, NULL, 0, "cd-disc-info-of-another-type" },
	{ "52 01 00 00 00 01 00 00 24", 0, 255, 0, "00 22 01 01 00 04 01", 36, "cd-track-info" },
	{ "52 00 00 01 00 00 00 00 24", 0, 255, 0x052400, NULL, 0, "cd-track-info-behind" },
	{ "4a 01 00 00 10 00 00 00 08", 0, 255, 0, "00 04 04 10 00 02 00 00", 8, "cd-no-event" },
	{ "4a 00 00 00 10 00 00 00 08", 0, 255, 0x052400, NULL, 0, "cd-event-not-polled" },
	{ "4a 01 00 00 02 00 00 00 08", 0, 255, 0, "00 00 80 10", 4, "cd-event-of-another-class" },
	{ "1a 00 2a 00 80", 0, 255, 0, "19 00 00 00 2a 14 3b 00 70 00 29", 26, "cd-mode-sense" },
	{ "1a 00 08 00 80", 0, 255, 0x052400, NULL, 0, "cd-mode-sense-cache" },
	{ "5a 00 3f 00 00 00 00 00 ff", 0, 255, 0, "00 28 00 00 00 00 00 00 01 0a 80 20", 42, "cd-mode-sense-all" },
	{ "bd 0 0 0 0 0 0 0 00 08", 0, 255, 0, "00 00 00 00 00 01 00 00", 8, "cd-mechanism" },
};

static void test_cd(struct bench *b)
{
	static const struct row closed_rows[] = {
		{ "1e 00 00 00 01", 0, 0, 0, NULL, 0, "lock" },
		{ "1a 00 2a 00 80", 0, 255, 0, "19 00 00 00 2a 14 3b 00 70 00 2b", 26, "locked-says-so" },
		{ "1b 00 00 00 02", 0, 0, 0x055302, NULL, 0, "locked-does-not-eject" },
		{ "1e", 0, 0, 0, NULL, 0, "unlock" },
		{ "1b 00 00 00 00", 0, 0, 0, NULL, 0, "stop-alone-moves-nothing" },
		{ "00", 0, 0, 0, NULL, 0, "ready-still" },
		{ "1b 00 00 00 02", 0, 0, 0, NULL, 0, "eject" },
		{ "00", 0, 0, 0x023a00, NULL, 0, "ejected-is-not-ready" },
		{ "28 00 00 00 00 00 00 00 01", 0, 2048, 0x023a00, NULL, 0, "ejected-does-not-read" },
		{ "4a 01 00 00 10 00 00 00 08", 0, 255, 0, "00 04 04 10 03 01 00 00", 8, "ejected-is-an-event" },
		{ "4a 01 00 00 10 00 00 00 08", 0, 255, 0, "00 04 04 10 00 01 00 00", 8, "once" },
		{ "46 02 00 00 00 00 00 00 08", 0, 255, 0, "00 00 00 10 00 00 00 00", 8, "ejected-has-no-profile" },
		{ "12 00 00 00 05", 0, 255, 0, "05 80", 5, "ejected-answers-inquiry" },
		{ "1b 00 00 00 03", 0, 0, 0, NULL, 0, "load" },
		{ "28 00 00 00 00 00 00 00 01", 0, 2048, 0, NULL, 0, "loaded-is-read-at-once" },
		{ "00", 0, 0, 0, NULL, 0, "and-ready" },
	};

	RUN(b, disc, cd_rows);
	RUN(b, disc, closed_rows);
}

/* The user changes the disc; a drive without one. */
static void test_media(struct bench *b)
{
	struct device *cd = scsi_find(b->adapter, disc);
	struct drive *d = drive_find(b->m, "disc");
	struct block *block = d->block;
	struct device *empty = make(b, &scsi_cd_class, "scsi-id=2,lun=3");

	check_eq(run(b, disc, "1e 00 00 00 01", 0, 0), 0, "lock");
	d->block = NULL;
	cd->class->drive_changed(cd);
	check(*d->tray_open && !*d->tray_locked, "taken-out-by-force-it-is-open-and-not-locked");
	check_eq(last.changed, 0x2800, "the-adapter-hears-of-a-change");
	check_eq(run(b, disc, "00", 0, 0), 0x062800, "no-disc-is-an-attention");
	check_eq(run(b, disc, "00", 0, 0), 0x023a00, "then-not-ready");
	check_eq(run(b, disc, "25", 0, 8), 0x023a00, "no-disc-has-no-capacity");
	check_eq(run(b, disc, "1a 00 2a 00 80", 0, 255), 0, "no-disc-has-mode-pages");
	d->block = block;
	cd->class->drive_changed(cd);
	check(!*d->tray_open, "a-new-disc-closes-the-tray");
	check_eq(run(b, disc, "12 00 00 00 05", 0, 255), 0, "inquiry-takes-no-attention");
	check_eq(run(b, disc, "25", 0, 8), 0x062800, "a-new-disc-is-an-attention");
	check_eq(run(b, disc, "25", 0, 8), 0, "then-it-is-there");
	check(empty != NULL, "a-CD-drive-needs-no-drive");
	check_eq(run(b, (struct scsi_address){ 0, 2, 3 }, "00", 0, 0), 0x023a00, "it-is-empty");
	check_eq(run(b, (struct scsi_address){ 0, 2, 3 }, "28 00 00 00 00 00 00 00 00", 0, 0), 0x023a00, "an-empty-one-reads-nothing");
}

/* ---- Addresses ---- */

static void test_addresses(struct bench *b)
{
	struct error err;

	check_eq(run(b, (struct scsi_address){ 0, 3, 0 }, "12 00 00 00 24", 0, 255), 2, "no-target");
	check_eq(run(b, (struct scsi_address){ 0, 0, 1 }, "12 00 00 00 24", 0, 255), 0, "no-unit-answers-inquiry");
	check(answers("7f 00 05", 36), "no-unit-says-so");
	check_eq(run(b, (struct scsi_address){ 0, 0, 1 }, "00", 0, 0), 0x052500, "no-unit");
	check_eq(run(b, (struct scsi_address){ 0, 0, 1 }, "03 00 00 00 12", 0, 18), 0, "no-unit-has-sense");
	check(answers("70 00 05 00 00 00 00 0a 00 00 00 00 25 00", 18), "which-says-no-unit");
	check_eq(run(b, (struct scsi_address){ 0, 0, 1 }, "a0 00 00 00 00 00 00 00 00 18", 0, 255), 0, "no-unit-reports-all");
	check_eq(run(b, (struct scsi_address){ 0, 0, 1 }, "12 01 00 00 24", 0, 255), 0x052400, "no-unit-has-no-pages");
	check(!device_new(b->m, &scsi_hd_class, "drive=disk", &err) && strstr(err.msg, "already"), "a-drive-is-taken-once");
	check(!device_new(b->m, &scsi_cd_class, "scsi-id=0,lun=5", &err) && strstr(err.msg, "taken"), "an-address-too");
	check(!device_new(b->m, &scsi_cd_class, "scsi-id=4", &err) && strstr(err.msg, "at most 0, 3, 300"), "a-target-that-there-is-not");
	check(!device_new(b->m, &scsi_cd_class, "lun=301", &err) && strstr(err.msg, "at most"), "a-unit-that-there-is-not");
	check(!device_new(b->m, &scsi_cd_class, "channel=1", &err) && strstr(err.msg, "at most"), "a-channel-that-there-is-not");
	check(!device_new(b->m, &scsi_hd_class, "", &err) && strstr(err.msg, "drive="), "a-disk-wants-a-drive");
	check(!device_new(b->m, &scsi_cd_class, "bus=other.0", &err) && strstr(err.msg, "other.0"), "a-bus-that-there-is-not");
	check(device_new(b->m, &scsi_cd_class, "bus=scsi.0,lun=300", &err) != NULL, "a-bus-by-its-name");
	check_eq(run(b, (struct scsi_address){ 0, 0, 300 }, "12 00 00 00 24", 0, 255), 0, "a-unit-of-a-large-number");
	run(b, disk, "a0 00 00 00 00 00 00 00 01 00", 0, 255);
	check(answers("00 00 00 18 0 0 0 0 0 0 0 0 0 0 0 0 00 05 0 0 0 0 0 0 41 2c", 32), "is-reported");
	((struct toy *)b->adapter)->nothing_there = true;
	check_eq(run(b, disk, "12 00 00 00 24", 0, 255), 0x0b4b00, "no-memory-for-an-answer");
	check_eq(run(b, disk, "28 00 00 00 00 00 00 00 01", 0, 512), 0x0b4b00, "no-memory-for-a-read");
	check_eq(run(b, disk, "2a 00 00 00 00 00 00 00 01", 512, 0), 0x0b4b00, "no-memory-of-a-write");
	((struct toy *)b->adapter)->nothing_there = false;
}

static void test_vio(void)
{
	struct scsi_address nobody = { 0, 3, 0 };
	struct bench b;

	bench_new(&b, "vio=on");
	check_eq(run(&b, nobody, "12 00 00 00 24", 0, 255), 0, "vio-nobody-answers-inquiry");
	check(answers("7f 00 05 12 1f 00 00 12 51 45 4d 55 20 20 20 20 51 45 4d 55 20 45 4d 50 54 59", 36), "vio-nobody-is-empty");
	check_eq(run(&b, nobody, "00", 0, 0), 0x052400, "vio-nobody-does-nothing");
	bench_free(&b);
}

/* ---- Attentions, aborts, resets ---- */

static void test_attentions(struct bench *b)
{
	machine_clear(b->m);
	check_eq(run(b, disk, "12 00 00 00 05", 0, 255), 0, "inquiry-before-the-attention");
	check_eq(run(b, disk, "a0 00 00 00 00 00 00 00 02 00", 0, 512), 0, "report-luns-before-the-attention");
	check_eq(run(b, disk, "5e", 0, 255), 0x062900, "the-attention-before-all-else");
	check_eq(run(b, disk, "5e", 0, 255), 0x052000, "once-only");
	machine_clear(b->m);
	run(b, disk, "03 00 00 00 12", 0, 18);
	check(answers("70 00 06 00 00 00 00 0a 00 00 00 00 29 00", 18), "request-sense-tells-the-attention");
	check_eq(run(b, disk, "00", 0, 0), 0, "and-that-is-that");
	scsi_find(b->adapter, disk)->class->drive_changed(scsi_find(b->adapter, disk));
	check_eq(run(b, disk, "00", 0, 0), 0x062a09, "another-capacity-is-an-attention");
	check_eq(last.changed, 0x2a09, "which-the-adapter-hears-of");
	scsi_reset_target(b->adapter, disk);
	check_eq(run(b, disk, "00", 0, 0), 0x062903, "a-reset-of-the-unit-is-one");
	scsi_reset_bus(b->adapter);
	check_eq(run(b, disk, "00", 0, 0), 0x062902, "a-reset-of-the-bus-is-one");
	calm(b);
}

static void test_aborts(struct bench *b)
{
	struct toy *t = (struct toy *)b->adapter;
	uint64_t tag = 7;
	uint32_t ended = t->ended;
	uint8_t byte;

	for (unsigned i = 0; i < 8; i++)
		start(b, disk, "28 00 00 00 00 00 00 00 01 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 7", 0, 512)->scsi.tag = i;
	check(scsi_in_flight(b->adapter, disk, &tag) && !scsi_in_flight(b->adapter, fixed, NULL), "in-flight");
	check_eq(scsi_abort(b->adapter, disk, &tag), 1, "one-is-aborted");
	check_eq(last.c.status, SCSI_TASK_ABORTED, "it-says-so");
	check_eq(scsi_abort(b->adapter, disk, &tag), 0, "it-is-no-more");
	check_eq(scsi_abort(b->adapter, fixed, NULL), 0, "none-of-another-unit");
	toy_run_to(b->m, b->m->clock.now + CPU_HZ);
	check_eq(t->ended, ended + 8, "the-others-end");
	start(b, disk, "28 00 00 00 00 00 00 00 01", 0, 512);
	start(b, fixed, "28 00 00 00 00 00 00 00 01", 0, 4096);
	scsi_reset_target(b->adapter, disk);
	check_eq(t->ended, ended + 9, "a-reset-aborts");
	scsi_reset_bus(b->adapter);
	check_eq(t->ended, ended + 10, "a-reset-of-the-bus-aborts-all");
	calm(b);
	ended = t->ended;
	memset(last.out, 0x77, 512);
	start(b, disk, "2a 00 00 00 00 30 00 00 01", 512, 0);
	t->dropped = 0;
	scsi_bus_drop(b->adapter);
	check_eq(t->dropped, 1, "what-is-dropped");
	toy_run_to(b->m, b->m->clock.now + CPU_HZ);
	check_eq(t->ended, ended, "does-not-end");
	toy_get(&b->image[0], 0x30 * 512, &byte, 1);
	check_eq(byte, 0x77, "but-has-been-written");
}

static void test_full(struct bench *b)
{
	unsigned n = 0;

	for (last.c.status = 0xff; n < 5000; n++) {
		start(b, disk, "28 00 00 00 00 00 00 00 01", 0, 512);
		if (last.c.status == SCSI_TASK_SET_FULL)
			break;
	}
	check_eq(n, DISK_MAX_REQUESTS, "a-disk-takes-so-many-commands");
	toy_run_to(b->m, b->m->clock.now + CPU_HZ);
	for (n = 1; n < DISK_MAX_REQUESTS; n++)
		start(b, disk, "28 00 00 00 00 00 00 00 01", 0, 512);
	last.c.status = 0xff;
	start(b, disk, "2a 08 00 00 00 00 00 00 01", 512, 0);
	check_eq(last.c.status, SCSI_TASK_SET_FULL, "a-write-that-is-flushed-takes-two-places");
	toy_run_to(b->m, b->m->clock.now + CPU_HZ);
	check_eq(run(b, disk, "28 00 00 00 00 00 00 00 01", 0, 512), 0, "and-then-again");
}

/* ---- Hostile CDBs: each ends, once, and nothing out of bounds is touched ---- */

static void test_hostile(struct bench *b)
{
	static const struct scsi_address at[] = { { 0, 0, 0 }, { 0, 0, 5 }, { 0, 1, 0 }, { 0, 0, 9 }, { 0, 3, 0 } };
	struct toy *t = (struct toy *)b->adapter;
	uint64_t seed = 99;
	bool ok = true;

	for (unsigned i = 0; i < 60000 && ok; i++) {
		struct toy_command *c = calloc(1, sizeof *c);
		uint32_t ended = t->ended;

		c->scsi.address = at[check_random(&seed) % 5];
		fill(c->scsi.cdb, sizeof c->scsi.cdb, check_random(&seed));
		for (unsigned k = 1; k < 16; k++)
			c->scsi.cdb[k] = check_random(&seed) % 3 ? (check_random(&seed) % 2 ? 0 : 0xff) : c->scsi.cdb[k];
		c->scsi.cdb[0] = (uint8_t)i;
		if (check_random(&seed) % 2)
			c->scsi.in_bytes = (uint32_t)check_random(&seed) % ROOM;
		else
			c->scsi.out_bytes = (uint32_t)check_random(&seed) % ROOM;
		fill(last.out, 64, check_random(&seed));
		scsi_execute(b->adapter, &c->scsi);
		toy_run_to(b->m, b->m->clock.now + CPU_HZ);
		ok = t->ended == ended + 1 && last.c.moved <= (last.c.in_bytes > last.c.out_bytes ? last.c.in_bytes : last.c.out_bytes) &&
		     last.c.sense_bytes <= SCSI_SENSE_MAX;
	}
	check(ok, "each-of-60000-commands-ends-once");
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

	bench_new(&a, "");
	calm(&a);
	select_mode(&a, "15 10 00 00 18", "00 00 00 00 08 12 00 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0");
	run(&a, disc, "1b 00 00 00 02", 0, 0);
	toy_put(&a.image[0], 0, "old", 4);
	a.m->clock.now = CPU_HZ;
	start(&a, disk, "28 00 00 00 00 00 00 00 01", 0, 512);
	start(&a, disk, "2a 00 00 00 00 10 00 00 01", 512, 0);
	scsi_reset_target(a.adapter, fixed);
	check(!devices_qemu_ready(a.m), "QEMU-has-no-place-for-commands");
	data = toy_save(a.m, &len, &err);
	hash = machine_statehash(a.m);
	check(data != NULL, "a-save-with-commands-in-flight%s", err.msg);
	toy_run_to(a.m, 2 * CPU_HZ);

	bench_new(&b, "");
	toy_put(&b.image[0], 0, "new", 4);
	start(&b, disc, "28 00 00 00 00 00 00 00 01", 0, 2048);
	ok = toy_load(b.m, data, len, &err);
	check(ok, "it-loads%s%s", ok ? "" : ": ", ok ? "" : err.msg);
	check_eq(machine_statehash(b.m), hash, "to-the-same-state");
	check_eq(((struct toy *)b.adapter)->bus.in_flight, 2, "both-are-in-flight");
	memset(last.in, 0xcc, 512);
	toy_run_to(b.m, 2 * CPU_HZ);
	check(!memcmp(last.in, "old", 4), "a-read-gives-what-it-had-found");
	check_eq(machine_statehash(a.m), machine_statehash(b.m), "to-the-same-state-again");
	check_eq(run(&b, disc, "00", 0, 0), 0x023a00, "the-tray-is-open");
	check_eq(run(&b, fixed, "00", 0, 0), 0x062903, "the-attention-waits");
	run(&b, disk, "1a 08 08 00 ff", 0, 255);
	check(answers("17 00 10 00 08 12 00", 24), "the-write-cache-is-off");
	free(data);
	bench_free(&a);
	bench_free(&b);
}

int main(void)
{
	struct bench b;

	bench_new(&b, "");
	check_eq(run(&b, disk, "00", 0, 0), 0x062900, "switched-on-is-an-attention");
	calm(&b);
	test_answers(&b);
	RUN(&b, disk, block_rows);
	test_forms(&b);
	test_times(&b);
	test_readonly(&b);
	test_unmap(&b);
	test_same(&b);
	test_select(&b);
	test_cd(&b);
	test_media(&b);
	test_attentions(&b);
	test_aborts(&b);
	test_full(&b);
	test_hostile(&b);
	test_addresses(&b);
	bench_free(&b);
	test_vio();
	test_snapshot();
	return check_done();
}

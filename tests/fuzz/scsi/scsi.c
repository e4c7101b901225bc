/* Gives SCSI units commands: an input is a list of them, each with its address, rooms and data.
 *
 * Each command ends once, whatever it asks for; what it says it has moved fits into its room, and its sense is as long as
 * it says. Between inputs the machine is reset; the images keep what was written. */
#define _GNU_SOURCE
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "machine/core/clock.h"
#include "machine/core/device.h"
#include "machine/disk/scsi.h"
#include "tests/unit/rig.h"
#include "tests/unit/toy_disk.h"

#define ROOM (UINT32_C(4) << 20)
#define IMAGE (UINT64_C(64) << 20)
#define MOST 32u			/* commands of an input */

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct fuzzed {
	struct device dev;
	struct scsi_bus_state bus;
	const uint8_t *data;		/* what commands take, again and again */
	size_t bytes;
	unsigned ended, good;
};

static struct {
	struct rig rig;
	struct toy_image image[3];
	struct fuzzed *adapter;
	uint8_t *in;
	unsigned long inputs, good;
	int results;
} fuzz;

static void check(bool right, const char *what)
{
	if (right)
		return;
	dprintf(fuzz.results, "%s\n", what);
	abort();
}

static void tell(void)
{
	dprintf(fuzz.results, "%lu inputs: %lu good\n", fuzz.inputs, fuzz.good);
}

/* ---- The adapter ---- */

static bool fuzz_take(struct device *dev, struct scsi_command *c, uint32_t at, void *buf, uint32_t n)
{
	const struct fuzzed *f = (const struct fuzzed *)dev;

	check(at <= c->out_bytes && n <= c->out_bytes - at, "takes more than there is");
	for (uint32_t i = 0; i < n; i++)
		((uint8_t *)buf)[i] = f->bytes ? f->data[(at + i) % f->bytes] : 0;
	return f->bytes != 1;
}

static bool fuzz_give(struct device *dev, struct scsi_command *c, uint32_t at, const void *buf, uint32_t n)
{
	(void)dev;
	check(at <= c->in_bytes && n <= c->in_bytes - at && at + n <= ROOM, "gives more than there is room for");
	memcpy(fuzz.in + at, buf, n);
	return true;
}

static void fuzz_done(struct device *dev, struct scsi_command *c)
{
	struct fuzzed *f = (struct fuzzed *)dev;

	check(c->sense_bytes <= SCSI_SENSE_MAX && c->moved <= (c->in_bytes > c->out_bytes ? c->in_bytes : c->out_bytes), "ends badly");
	check((c->status == SCSI_CHECK_CONDITION) == (c->sense_bytes != 0), "sense without a failure");
	f->ended++;
	f->good += c->status == SCSI_GOOD && !c->absent && !c->overrun;
	free(c);
}

static const struct scsi_adapter functions = {
	.take = fuzz_take, .give = fuzz_give, .done = fuzz_done, .max_target = 7, .max_lun = 255,
};

static bool fuzz_init(struct device *dev, struct error *err)
{
	(void)err;
	scsi_bus_init(dev, &((struct fuzzed *)dev)->bus, &functions);
	return true;
}

static const struct device_class adapter_class = {
	.name = "fuzzed-scsi", .help = "a fuzzer", .size = sizeof(struct fuzzed), .bus = &scsi_bus, .init = fuzz_init, .free = scsi_bus_drop,
	.reset = scsi_bus_drop,
};

static struct device *make(const struct device_class *class, const char *values)
{
	struct error err = { .msg = "" };
	struct device *dev = device_new(fuzz.rig.m, class, values, &err);

	check(dev, err.msg);
	return dev;
}

/* Standard output is not libFuzzer's: the rig would say there what has failed. */
int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	static const char *const ids[3] = { "disk", "fixed", "disc" };

	(void)argc, (void)argv;
	fuzz.results = dup(STDOUT_FILENO);
	fuzz.in = malloc(ROOM);
	rig_new(&fuzz.rig, "1");
	for (unsigned i = 0; i < 3; i++) {
		toy_image_new(&fuzz.image[i], IMAGE);
		toy_drive(fuzz.rig.m, &fuzz.image[i], ids[i], i != 0);
		unlink(fuzz.image[i].path);
	}
	fuzz.adapter = (struct fuzzed *)make(&adapter_class, "");
	make(&scsi_hd_class, "drive=disk,serial=S");
	make(&scsi_hd_class, "drive=fixed,scsi-id=0,lun=5,logical_block_size=4096,physical_block_size=4096");
	make(&scsi_cd_class, "drive=disc");
	atexit(tell);
	return 0;
}

/* ---- An input: per command a byte of address, one of rooms, one of time, 16 of CDB, how many bytes of data, these ---- */

#define HEAD 20u

static void execute(struct fuzzed *f, const uint8_t *p, size_t data)
{
	static const struct scsi_address at[] = { { 0, 0, 0 }, { 0, 0, 5 }, { 0, 1, 0 }, { 0, 0, 3 }, { 0, 7, 0 } };
	struct scsi_command *c = calloc(1, sizeof *c);
	uint32_t room = UINT32_C(1) << (p[1] & 31);

	room = p[1] & 0x20 ? room - 1 : room;
	room = room > ROOM ? ROOM : room;
	c->address = at[p[0] % (sizeof at / sizeof at[0])];
	c->tag = p[0] >> 4;
	if (p[1] & 0x40)
		c->out_bytes = room;
	else
		c->in_bytes = room;
	memcpy(c->cdb, p + 3, 16);
	f->data = p + HEAD;
	f->bytes = data;
	scsi_execute(&f->dev, c);
}

/* Time passes, or what is in flight is aborted. */
static void pass(struct fuzzed *f, uint8_t how)
{
	const uint64_t tag = how >> 4;
	const struct scsi_address disk = { 0, 0, 0 };

	if (how & 1)
		toy_run_to(f->dev.machine, f->dev.machine->clock.now + ((uint64_t)how << 10));
	else if (how & 2)
		scsi_abort(&f->dev, disk, how & 4 ? &tag : NULL);
	else if (how & 8)
		scsi_reset_bus(&f->dev);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct machine *m = fuzz.rig.m;
	struct fuzzed *f = fuzz.adapter;
	unsigned n = 0;

	fuzz.inputs++;
	timers_clear(m);
	devices_reset(m);
	m->clock.now = 0;
	f->ended = f->good = 0;
	for (size_t left = size, bytes; left >= HEAD && n < MOST; n++, data += HEAD + bytes, left -= HEAD + bytes) {
		bytes = data[19] < left - HEAD ? data[19] : left - HEAD;
		execute(f, data, bytes);
		pass(f, data[2]);
	}
	toy_run_to(m, m->clock.now + CPU_HZ);
	check(f->ended == n && !f->bus.first && !f->bus.in_flight, "a command has not ended, or twice");
	fuzz.good += n && f->good == n;
	return 0;
}

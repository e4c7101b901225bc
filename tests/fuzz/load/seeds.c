/* What the fuzzer starts from: snapshots of small machines, in every layout, that cede saves when they are asked for. Nothing
 * is kept anywhere, so they are always of the present format. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "cpu/core/bits.h"
#include "hcall/vasi.h"
#include "machine/board/pseries.h"
#include "machine/core/machine.h"
#include "machine/host/term.h"
#include "machine/rtas/events.h"
#include "machine/run/options.h"
#include "machine/run/run.h"
#include "machine/snapshot/snapshot.h"
#include "savevm/savevm.h"
#include "savevm/zip.h"
#include "tests/fuzz/load/load.h"

#define EARLY  UINT64_C(200)		/* cycle: nothing is registered yet */
#define FIRST  UINT64_C(300000)		/* of the parents */
#define THEN   UINT64_C(900000)

/* The boot processor registers its VPA, SLB shadow and DTL, starts the second one if there is one, and then prints,
 * confers and cedes; the other prods it and cedes. */
static const uint32_t guest[] = {		/* from 0x100 */
	0x3fe00010,		/* lis r31,16 */
	0x38a00280,		/* li r5,640 */
	0xb0bf0004,		/* sth r5,4(r31) */
	0x3bdf1000,		/* addi r30,r31,4096 */
	0x38a00010,		/* li r5,16 */
	0x90be0004,		/* stw r5,4(r30) */
	0x3bbf2000,		/* addi r29,r31,8192 */
	0x38a001e0,		/* li r5,480 */
	0x90bd0004,		/* stw r5,4(r29) */
	0x3b800001,		/* li r28,1 */
	0x7ffbfb78,		/* mr r27,r31 */
	0x48000071,		/* bl 19c <register> */
	0x3b800003,		/* li r28,3 */
	0x7fdbf378,		/* mr r27,r30 */
	0x48000065,		/* bl 19c <register> */
	0x3b800002,		/* li r28,2 */
	0x7fbbeb78,		/* mr r27,r29 */
	0x48000059,		/* bl 19c <register> */
	0x38a00007,		/* li r5,7 */
	0x98bf00b8,		/* stb r5,184(r31) */
	0x3c600000,		/* lis r3,0 */
	0x6063f000,		/* ori r3,r3,61440 */
	0x388001b4,		/* li r4,436 */
	0x44000022,		/* sc 1 */
	0x3ce00001,		/* lis r7,1 */
	0x7cf603a6,		/* mtdec r7 */
	0x38600058,		/* li r3,88 */
	0x3c807100,		/* lis r4,28928 */
	0x38a00002,		/* li r5,2 */
	0x3cc06869,		/* lis r6,26729 */
	0x78c607c6,		/* sldi r6,r6,32 */
	0x44000022,		/* sc 1 */
	0x386000e4,		/* li r3,228 */
	0x3880ffff,		/* li r4,-1 */
	0x44000022,		/* sc 1 */
	0x386000e0,		/* li r3,224 */
	0x44000022,		/* sc 1 */
	0xf8bf0300,		/* std r5,768(r31) */
	0x4bffffd0,		/* b 168 <loop> */
	0x386000dc,		/* li r3,220 */
	0x7b846c86,		/* sldi r4,r28,45 */
	0x38a00000,		/* li r5,0 */
	0x7f66db78,		/* mr r6,r27 */
	0x44000022,		/* sc 1 */
	0x4e800020,		/* blr */
	0x00002006,		/* .long 0x2006 */
	0x00000003,		/* .long 0x3 */
	0x00000001,		/* .long 0x1 */
	0x00000001,		/* .long 0x1 */
	0x000001d0,		/* .long 0x1d0 */
	0x00000001,		/* .long 0x1 */
	0x00000000,		/* .long 0x0 */
	0x3ce00001,		/* lis r7,1 */
	0x7cf603a6,		/* mtdec r7 */
	0x386000e8,		/* li r3,232 */
	0x38800000,		/* li r4,0 */
	0x44000022,		/* sc 1 */
	0x386000e0,		/* li r3,224 */
	0x44000022,		/* sc 1 */
	0x4bffffe4,		/* b 1d0 <second> */
};

static const uint32_t on_decrementer[] = {	/* at 0x900 */
	0x3ce00001,		/* lis r7,1 */
	0x7cf603a6,		/* mtdec r7 */
	0x4c000024,		/* rfid */
};

const struct load_config load_config[4] = {
	{ "1", NULL }, { "2", "procs=1,load=0.5" }, { "4,threads=2", "procs=1,mode=capped,entitlement=0.9" }, { "2", NULL },
};

void die(const char *what, const char *why)
{
	printf("FAIL %s: %s\n", what, why);
	fflush(stdout);
	abort();
}

/* ---- Machines ---- */

void machine_options(struct config *o, unsigned config, const char *bios)
{
	const struct load_config *c = &load_config[config];
	char *argv[] = { "cede", "-smp", (char *)c->smp, "-nodefaults", "-serial", "null", "-seed", "1", "-clock", "warp",
			 "-rtc", "base=2026-01-31", "-no-reboot", bios ? "-bios" : "-loadvm", bios ? (char *)bios : "none",
			 "-pool", (char *)c->pool, NULL };
	int argc = (int)(sizeof argv / sizeof argv[0]) - (c->pool ? 1 : 3), status;
	struct error err = { .msg = "" };

	if (options_parse(o, argc, argv, &err, &status) != OPTIONS_RUN)
		die("options", err.msg);
	o->ram_size = LOAD_RAM;		/* less than people may ask for */
}

/* One for all: it is the process's. */
static struct term *the_term(void)
{
	static struct term *term;
	struct error err = { .msg = "" };
	sigset_t none;

	if (term)
		return term;
	term = term_new(&err);
	if (!term)
		die("terminal", err.msg);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);	/* Ctrl-C is the fuzzer's */
	return term;
}

struct machine *machine_of(const struct config *o)
{
	struct error err = { .msg = "" };
	struct machine *m = machine_make(o, the_term(), &err);

	if (!m)
		die("machine", err.msg);
	return m;
}

/* ---- Saving them ---- */

static void put_words(uint8_t *p, const uint32_t *words, size_t n)
{
	for (size_t i = 0; i < 4 * n; i++)
		p[i] = (uint8_t)(words[i / 4] >> (24 - 8 * (i % 4)));
}

static int make_bios(char path[64])
{
	uint8_t image[0x900 + sizeof on_decrementer] = "";
	int fd = memfd_create("bios", MFD_CLOEXEC);

	put_words(image + 0x100, guest, ARRAY_SIZE(guest));
	put_words(image + 0x900, on_decrementer, ARRAY_SIZE(on_decrementer));
	if (fd < 0 || write(fd, image, sizeof image) != sizeof image)
		die("bios", "cannot be written");
	snprintf(path, 64, "/proc/self/fd/%d", fd);
	return fd;
}

/* What is saved of each; the last is what QEMU would be given. */
static const struct seed {
	const char *name;
	enum load_form form;
	bool described;			/* with the description at the end */
	struct save_request save;
} seeds[] = {
	{ "parent", FORM_STREAM, false, { .cycle = FIRST } },
	{ "early", FORM_STREAM, true, { .cycle = EARLY } },
	{ "stream", FORM_PIPE, false, { .cycle = THEN } },
	{ "zstd", FORM_RAW, false, { .cycle = THEN, .compress = true } },
	{ "mapped", FORM_MAPPED, false, { .cycle = THEN, .mapped = true } },
	{ "child", FORM_CHILD, true, { .cycle = THEN, .parent = "" } },
	{ "zstd-inside", FORM_ZSTD, false, { .cycle = THEN } },
	{ "full", FORM_STREAM, true, { .cycle = THEN } },
	{ "for-qemu", FORM_STREAM, false, { .cycle = THEN, .for_qemu = true } },
};

static char *path_in(const char *folder, const char *name, unsigned config)
{
	char *path;

	if (asprintf(&path, "%s/%s-%u", folder, name, config) < 0)
		die("seeds", "out of memory");
	return path;
}

static void add_saves(struct config *o, const char *folder, unsigned config)
{
	for (size_t i = 0; i < ARRAY_SIZE(seeds); i++) {
		struct save_request *r = &o->save[o->saves];

		if (seeds[i].save.for_qemu || (seeds[i].save.compress && !zip_known()))
			continue;
		*r = seeds[i].save;
		r->path = path_in(folder, seeds[i].name, config);
		r->when = SAVE_AT_CYCLE;
		if (r->parent)
			r->parent = path_in(folder, "parent", config);
		o->saves++;
	}
	o->save[o->saves++] = (struct save_request){ .path = path_in(folder, "end", config), .when = SAVE_AT_CYCLE, .cycle = THEN + 1, .quit = true };
}

/* A guest would have to say first what it can, and be somewhere where QEMU can interrupt it: here the sections count. */
static void save_for_qemu(struct machine *m, const char *folder, unsigned config)
{
	char *path = path_in(folder, "for-qemu", config);
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
	struct vms_set set;
	struct vms_ram ram;
	struct error err = { .msg = "" };

	m->cas_done = true;
	if (fd < 0 || !snapshot_sections(m, m->cpu, &set, &ram, &err) || !savevm_write(&set, fd, true, &err))
		die("for-qemu", err.msg);
	snapshot_sections_free(&set, &ram);
	close(fd);
	free(path);
}

/* What its guest does not do, just before: handlers, an event, a session, a table. */
static void on_filled(void *opaque)
{
	struct machine *m = opaque;

	m->fwnmi_sreset = 0x4000;
	m->fwnmi_mcheck = 0x5000;
	m->fwnmi_interlock = 0;
	m->proc_tbl = PPC_BIT(0) | 0x20000 | 4;
	m->vasi_stream = 1;
	m->vasi_state = VASI_SUSPENDING;
	events_powerdown(m);
}

typedef void each_fn(void *opaque, const char *name, const uint8_t *data, size_t size);

static void give(const char *folder, const struct seed *seed, unsigned config, each_fn *each, void *opaque)
{
	uint8_t *data = malloc(LOAD_MAX);
	char *path = path_in(folder, seed->name, config), name[64];
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	size_t size;

	if (fd >= 0 && data) {
		/* Each of another way to save again. */
		size = input_read((uint8_t)(config | (unsigned)seed->form << 2 | (config + (unsigned)seed->form) % 4 << 5), fd, data);
		if (!size)
			die(path, "too large");
		if (!seed->described)
			size = mutate_undescribed(data, size);
		mutate_fix(data, &size, LOAD_MAX);
		snprintf(name, sizeof name, "%s-%u", seed->name, config);
		each(opaque, name, data, size);
	}
	if (fd >= 0)
		close(fd);
	free(path);
	free(data);
}

void seeds_make(const char *folder, each_fn *each, void *opaque)
{
	for (unsigned config = 0; config < 4; config++) {
		struct event filled = { .when = UINT64_MAX, .fire = on_filled };
		struct config o;
		struct machine *m;
		char bios[64], *end;
		int fd = make_bios(bios);

		machine_options(&o, config, bios);
		add_saves(&o, folder, config);
		m = machine_of(&o);
		filled.opaque = m;
		event_schedule(m, &filled, THEN - 5000);
		if (machine_run(m))
			die("seeds", "the guest has ended");
		save_for_qemu(m, folder, config);
		machine_free(m);
		options_free(&o);
		close(fd);
		for (size_t i = 0; i < ARRAY_SIZE(seeds); i++) {
			char *path = path_in(folder, seeds[i].name, config);

			if (each)
				give(folder, &seeds[i], config, each, opaque);
			if (strcmp(seeds[i].name, "parent"))
				unlink(path);
			free(path);
		}
		end = path_in(folder, "end", config);
		unlink(end);
		free(end);
	}
}

void seeds_give(each_fn *each, void *opaque)
{
	char folder[] = "/tmp/cede-seeds-XXXXXX";

	if (!mkdtemp(folder))
		die("seeds", "no folder");
	seeds_make(folder, each, opaque);
	for (unsigned config = 0; config < 4; config++) {
		char *parent = path_in(folder, "parent", config);

		unlink(parent);
		free(parent);
	}
	rmdir(folder);
}

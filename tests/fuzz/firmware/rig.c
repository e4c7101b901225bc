/* The machine that the firmware's targets call into; see rig.h. */
#define _GNU_SOURCE
#include "tests/fuzz/firmware/rig.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "firmware/fdt.h"
#include "firmware/firmware.h"
#include "firmware/state.h"
#include "firmware/tree_check.h"
#include "hcall/hcall.h"
#include "machine/board/pseries.h"
#include "machine/core/memory.h"
#include "machine/host/term.h"
#include "machine/run/options.h"
#include "machine/run/run.h"
#include "tests/power_off.h"

#define DISK_SIZE 16384
#define RIG_PROGRAM 0x400000u		/* guest real */
#define GUARD     (UINT64_C(64) << 20)	/* bytes before and behind RAM */
#define TEXTS     8
#define TEXT_SIZE 0x400u

struct machine *rig;

static struct config options;
static struct {
	void *fdt;			/* of TREE_MAX_SIZE bytes, as at power-on */
	struct client client;
	unsigned texts;
	unsigned long inputs, good;
	const char *folder;
} now;

void die(const char *what, const char *why)
{
	printf("FAIL %s: %s\n", what, why);
	fflush(stdout);
	abort();
}

/* ---- See tests.mk, --wrap ---- */

bool __wrap_memory_map(struct ram *ram, uint64_t size, struct error *err);

static void *map_guarded(uint64_t size)
{
	char *p = mmap(NULL, size + 2 * GUARD, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	if (p == MAP_FAILED || mprotect(p + GUARD, size, PROT_READ | PROT_WRITE))
		die("memory", "none");
	return p + GUARD;
}

bool __wrap_memory_map(struct ram *ram, uint64_t size, struct error *err)
{
	(void)err;
	*ram = (struct ram){ .size = size, .base = map_guarded(size), .page = map_guarded(size >> RAM_PAGE_SHIFT) };
	return true;
}

/* ---- The machine ---- */

static void put_be(uint8_t *p, uint32_t v, unsigned bytes)
{
	while (bytes--)
		*p++ = (uint8_t)(v >> 8 * bytes);
}

/* A PReP partition with a 32-bit program, and one with nothing in it. */
static void make_disk(uint8_t disk[DISK_SIZE])
{
	static const uint8_t table[64] = { [4] = 0x41, [8] = 1, [12] = 8, [20] = 0x83, [24] = 9, [28] = 4 };
	uint8_t *elf = disk + 512;

	memset(disk, 0, DISK_SIZE);
	memcpy(disk + 446, table, sizeof table);
	memcpy(disk + 510, "\x55\xaa", 2);
	memcpy(elf, "\177ELF\1\2\1", 7);
	put_be(elf + 16, 2, 2);			/* ET_EXEC */
	put_be(elf + 18, 20, 2);		/* EM_PPC */
	put_be(elf + 20, 1, 4);
	put_be(elf + 24, RIG_PROGRAM, 4);
	put_be(elf + 28, 52, 4);
	put_be(elf + 42, 32, 2);
	put_be(elf + 44, 1, 2);
	put_be(elf + 52, 1, 4);			/* PT_LOAD */
	put_be(elf + 56, 128, 4);
	put_be(elf + 64, RIG_PROGRAM, 4);
	put_be(elf + 60, RIG_PROGRAM, 4);
	put_be(elf + 68, sizeof power_off, 4);
	put_be(elf + 72, sizeof power_off, 4);
	for (unsigned i = 0; i < ARRAY_SIZE(power_off); i++)
		put_be(elf + 128 + 4 * i, power_off[i], 4);
}

static void rig_make(void)
{
	char drive[80];
	char *argv[] = { "cede", "-nodefaults", "-serial", "null", "-seed", "1", "-clock", "warp", "-rtc", "base=2026-01-31", "-D", "/dev/null",
			 "-drive", drive, NULL };
	uint8_t image[DISK_SIZE];
	int fd = memfd_create("disk", MFD_CLOEXEC), status;
	struct error err = { .msg = "" };
	struct term *term;
	sigset_t none;

	make_disk(image);
	snprintf(drive, sizeof drive, "if=scsi,format=raw,file=/proc/self/fd/%d", fd);
	if (fd < 0 || write(fd, image, sizeof image) != sizeof image ||
	    options_parse(&options, (int)ARRAY_SIZE(argv) - 1, argv, &err, &status) != OPTIONS_RUN)
		die("options", err.msg);
	options.ram_size = RIG_RAM;		/* less than people may ask for */
	term = term_new(&err);
	rig = term ? machine_make(&options, term, &err) : NULL;
	if (!rig || machine_run(rig))
		die("machine", err.msg);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);	/* Ctrl-C is the fuzzer's */
}

/* One processor version, then five option vectors of which the last asks for radix. */
static void put_vector(void)
{
	uint8_t v[128] = { 0xff, 0xff, 0xff, 0xff, 0x0f, 0x00, 0x00, 0x05, 0, 0, 0, 0, 0xff, 0xff, 0xff, 0xff, 4 };

	v[25] = 31;
	v[25 + 24] = 0x40;
	ram_write(&rig->ram, RIG_VECTOR, v, sizeof v);
}

void rig_reset(void)
{
	struct cpu *cpu = &rig->cpu[0]->cpu;

	free(rig->fdt);
	rig->fdt = malloc(TREE_MAX_SIZE);
	memcpy(rig->fdt, now.fdt, TREE_MAX_SIZE);
	rig->fdt_size = TREE_MAX_SIZE;
	rig->firmware->client = now.client;
	rig->firmware->tree_limit = TREE_MAX_SIZE;
	memset(rig->firmware->disk, 0, sizeof rig->firmware->disk);
	event_cancel(rig, &rig->firmware->wake);
	rig->firmware->wake_at = 0;
	rig->firmware->boot_again = false;
	rig->firmware->boots_failed = 0;
	cpu->run_state = CPU_RUNNING;
	firmware_tree_changed(rig);
	free(rig->panic_message);
	rig->panic_message = NULL;
	rig->request = REQ_NONE;
	rig->cas_done = rig->radix = rig->splpar_off = false;
	rig->compat_pvr = cpu->logical_pvr = 0;
	rig->rtas_addr = rig->rtas_size = 0;
	madvise(rig->ram.base, RIG_RAM, MADV_DONTNEED);	/* zero again */
	put_vector();
	now.texts = 0;
}

/* ---- libFuzzer and seeds ---- */

static void tell(void)
{
	printf("%lu inputs: %lu good\n", now.inputs, now.good);
}

void rig_begin(int argc, char **argv, void (*seeds)(void))
{
	rig_make();
	now.fdt = malloc(TREE_MAX_SIZE);
	memcpy(now.fdt, rig->fdt, TREE_MAX_SIZE);
	now.client = rig->firmware->client;
	if (argc == 3 && !strcmp(argv[1], "-w")) {
		now.folder = argv[2];
		rig_reset();
		seeds();
		exit(0);
	}
	atexit(tell);
}

void rig_seed(const char *name, const void *data, size_t size)
{
	char path[512];
	int fd;

	snprintf(path, sizeof path, "%s/%s", now.folder, name);
	fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
	if (fd < 0 || write(fd, data, size) != (ssize_t)size || close(fd))
		die(path, "cannot be written");
}

void rig_count(bool good)
{
	now.inputs++;
	now.good += good;
}

/* ---- Calls ---- */

uint32_t rig_text(const char *text)
{
	uint32_t at = RIG_TEXT + TEXT_SIZE * (now.texts++ % TEXTS);

	ram_write(&rig->ram, at, text, strnlen(text, TEXT_SIZE - 1) + 1);
	return at;
}

uint32_t rig_call(const char *service, unsigned n, const uint32_t *in)
{
	st_be32(&rig->ram, RIG_ARGS, rig_text(service));
	st_be32(&rig->ram, RIG_ARGS + 4, n);
	st_be32(&rig->ram, RIG_ARGS + 8, 2);
	for (unsigned retry = 2; retry; retry--) {
		for (unsigned i = 0; i < n; i++)
			st_be32(&rig->ram, RIG_ARGS + 12 + 4 * i, in[i]);
		if (firmware_client(&rig->cpu[0]->cpu, RIG_ARGS) == H_SUCCESS)
			return ld_be32(&rig->ram, RIG_ARGS + 12 + 4 * n);
		st_be32(&rig->ram, RIG_ARGS + 8, 1);
	}
	return UINT32_MAX;
}

void rig_check(void)
{
	const struct client *client = &rig->firmware->client;
	const char *why = tree_check(rig->fdt, rig->fdt_size);
	uint64_t end = 0;

	if (why)
		die("a tree that nobody would load", why);
	for (uint32_t i = 0; i < client->claims; i++) {
		if (client->claim[i].start < end || !client->claim[i].size || client->claim[i].size > RIG_RAM - client->claim[i].start)
			die("claims", "are not apart, or not in memory");
		end = client->claim[i].start + client->claim[i].size;
	}
}

/* A machine that boots from a disk: which program is taken and with what it begins, and the client services for disks,
 * with arguments of every kind. The disk is a file of ours: an MBR, a PReP partition with a program of seven instructions,
 * and a partition with numbers to read. */
#include <fcntl.h>
#include <libfdt.h>

#include "firmware/boot.h"
#include "firmware/disk.h"
#include "firmware/firmware.h"
#include "firmware/state.h"
#include "hcall/hcall.h"
#include "machine/board/hotplug.h"
#include "machine/board/pseries.h"
#include "machine/core/node.h"
#include "machine/disk/drive.h"
#include "machine/host/term.h"
#include "machine/run/options.h"
#include "machine/run/run.h"
#include "machine/snapshot/media.h"
#include "tests/power_off.h"
#include "tests/unit/check.h"

#define SECTOR  512u
#define SECTORS 4096u
#define PREP    64u			/* first sectors of the two partitions */
#define DATA    128u
#define DATA_SECTORS 16u
#define LOAD    0x200000u
#define ARGS    0x1000000u		/* guest real */
#define TEXT    0x1001000u
#define BUF     0x1002000u
#define ERROR   UINT32_MAX
#define RAM     (UINT32_C(256) << 20)

struct box {
	struct config options;
	struct term *term;
	struct machine *m;
	char disk[40], empty[40];
};

static void put_be32(uint8_t *p, uint32_t v)
{
	for (unsigned i = 0; i < 4; i++)
		p[i] = (uint8_t)(v >> (24 - 8 * i));
}

static void put_be16(uint8_t *p, uint16_t v)
{
	p[0] = (uint8_t)(v >> 8);
	p[1] = (uint8_t)v;
}

/* A 32-bit big-endian program at LOAD. */
static void put_program(uint8_t *p)
{
	memcpy(p, "\177ELF\1\2\1", 7);
	put_be16(p + 16, 2);		/* ET_EXEC */
	put_be16(p + 18, 20);		/* EM_PPC */
	put_be32(p + 20, 1);
	put_be32(p + 24, LOAD);
	put_be32(p + 28, 52);
	put_be16(p + 40, 52);
	put_be16(p + 42, 32);
	put_be16(p + 44, 1);
	put_be32(p + 52, 1);		/* PT_LOAD */
	put_be32(p + 56, 128);
	put_be32(p + 60, LOAD);
	put_be32(p + 64, LOAD);
	put_be32(p + 68, sizeof power_off);
	put_be32(p + 72, 0x1000);
	for (unsigned i = 0; i < sizeof power_off / 4; i++)
		put_be32(p + 128 + 4 * i, power_off[i]);
}

static void put_entry(uint8_t *mbr, unsigned i, uint8_t type, uint8_t first, uint8_t sectors)
{
	mbr[446 + 16 * i + 4] = type;
	mbr[446 + 16 * i + 8] = first;
	mbr[446 + 16 * i + 12] = sectors;
}

static void make_file(char *name, bool full)
{
	uint8_t *disk = calloc(SECTORS, SECTOR);
	int fd;

	if (full) {
		put_entry(disk, 0, 0x41, PREP, 32);
		put_entry(disk, 1, 0x83, DATA, DATA_SECTORS);
		disk[510] = 0x55;
		disk[511] = 0xaa;
		put_program(disk + PREP * SECTOR);
		for (unsigned i = 0; i < DATA_SECTORS * SECTOR / 4; i++)
			put_be32(disk + DATA * SECTOR + 4 * i, i);
	}
	strcpy(name, "/tmp/cede-unit-XXXXXX");
	fd = mkstemp(name);
	if (fd < 0 || write(fd, disk, SECTORS * SECTOR) != SECTORS * SECTOR || close(fd)) {
		printf("FAIL no file for a disk\n");
		exit(EXIT_FAILURE);
	}
	free(disk);
}

/* A machine that has booted the program and run it to its end, with further options. */
static bool box_new(struct box *box, const char *more[], unsigned n, struct error *err)
{
	char drive[2][80];
	char *argv[32] = { "cede", "-m", "256M", "-nodefaults", "-serial", "null", "-clock", "warp", "-rtc", "base=2026-01-31", "-drive",
			   drive[0], "-drive", drive[1] };
	int argc = 14, status;

	make_file(box->disk, true);
	make_file(box->empty, false);
	snprintf(drive[0], sizeof drive[0], "if=none,id=empty,format=raw,file=%s", box->empty);
	snprintf(drive[1], sizeof drive[1], "if=none,id=full,format=raw,file=%s", box->disk);
	for (unsigned i = 0; i < n; i++)
		argv[argc++] = (char *)more[i];
	box->m = NULL;
	if (options_parse(&box->options, argc, argv, err, &status) != OPTIONS_RUN || !(box->term = term_new(err)))
		return false;
	box->m = machine_make(&box->options, box->term, err);
	return box->m && machine_run(box->m) == 0;
}

static void box_free(struct box *box)
{
	if (box->m)
		machine_free(box->m);
	term_free(box->term);
	options_free(&box->options);
	unlink(box->disk);
	unlink(box->empty);
}

static const char *const devices[] = { "-device", "spapr-vscsi", "-device", "scsi-hd,drive=empty,scsi-id=1", "-device",
				       "scsi-hd,drive=full,scsi-id=2" };
#define PLAIN sizeof devices / sizeof devices[0]

/* ---- Calls ---- */

static struct machine *m;

static uint32_t text_at(const char *text, unsigned i)
{
	uint32_t at = TEXT + 0x100 * i;

	ram_write(&m->ram, at, text, strlen(text) + 1);
	return at;
}

/* What the service returns; `second`: its second result. */
static uint32_t call(const char *service, unsigned n, const uint32_t *in, unsigned nrets, uint32_t *second)
{
	m->cpu[0]->cpu.run_state = CPU_RUNNING;
	m->firmware->wake_at = 0;
	st_be32(&m->ram, ARGS, text_at(service, 15));
	st_be32(&m->ram, ARGS + 4, n);
	st_be32(&m->ram, ARGS + 8, nrets);
	for (unsigned i = 0; i < n; i++)
		st_be32(&m->ram, ARGS + 12 + 4 * i, in[i]);
	if (firmware_client(&m->cpu[0]->cpu, ARGS) != H_SUCCESS)
		return 0xdead;
	if (second)
		*second = ld_be32(&m->ram, ARGS + 12 + 4 * n + 4);
	return ld_be32(&m->ram, ARGS + 12 + 4 * n);
}

#define CALL(service, ...) \
	call(service, sizeof((uint32_t[]){ __VA_ARGS__ }) / 4, (uint32_t[]){ __VA_ARGS__ }, 1, NULL)

static uint32_t open_path(const char *path)
{
	return CALL("open", text_at(path, 0));
}

static uint32_t method(const char *name, uint32_t ihandle, uint32_t *result)
{
	return call("call-method", 2, (uint32_t[]){ text_at(name, 1), ihandle }, 2, result);
}

/* ---- Facts ---- */

static void test_start(void)
{
	const struct cpu *cpu = &m->cpu[0]->cpu;
	int at = fdt_path_offset(m->fdt, "/chosen"), len;
	const char *path = fdt_getprop(m->fdt, at, "bootpath", &len);

	check(m->firmware->booted && !strcmp(m->firmware->boot.from->alias, "disk1"), "the disk with a program is booted");
	check(path && !strcmp(path, "/vdevice/v-scsi@71000002/disk@8200000000000000"), "bootpath %s", path ? path : "-");
	check(!(cpu->msr & (MSR_SF | MSR_LE | MSR_IR | MSR_DR)) && cpu->msr & MSR_FP, "32 bits, big-endian, real mode");
	check(fdt_getprop(m->fdt, at, "stdin", NULL) && fdt_path_offset(m->fdt, "/options") >= 0 && fdt_path_offset(m->fdt, "/openprom") >= 0,
	      "stdin, /options, /openprom");
}

static void test_open(void)
{
	static const struct { const char *path; bool opens; } rows[] = {
		{ "disk1", true }, { "disk1:", true }, { "disk1:0", true }, { "disk1:1", true }, { "disk1:2", true }, { "disk1:3", false },
		{ "disk1:4294967297", false }, { "disk1:99999999999999999999", false }, { "disk1:2,\\file", false }, { "disk1:\\file", false },
		{ "/vdevice/v-scsi@71000002/disk@8200000000000000:2", true }, { "/vdevice/V-SCSI@71000002", false }, { "disk", true },
		{ "disk:1", false }, { "disk2", false }, { "cdrom", false },
	};

	for (unsigned i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		uint32_t ihandle = open_path(rows[i].path);

		check((ihandle != 0) == rows[i].opens, "open '%s'", rows[i].path);
		if (ihandle)
			CALL("close", ihandle);
	}
	check(CALL("finddevice", text_at("disk1", 0)) != ERROR, "an alias is a device");
}

static void test_limits(void)
{
	uint32_t opened[CLIENT_MAX_DISKS + 1], n = 0;

	while (n <= CLIENT_MAX_DISKS && (opened[n] = open_path("disk1:0")))
		n++;
	check_eq(n, CLIENT_MAX_DISKS, "disks open at once");
	while (n)
		CALL("close", opened[--n]);
	check((n = open_path("disk1:0")), "and again");
	CALL("close", n);
}

static void test_read(void)
{
	uint32_t all = open_path("disk1:0"), part = open_path("disk1:2"), size = 0, blocks = 0;

	check(!method("block-size", all, &size) && size == 512, "block-size");
	check(!method("#blocks", part, &blocks) && blocks == DATA_SECTORS, "#blocks of a partition");
	check(method("block-size", 1, &size) == ERROR, "block-size of a terminal");
	check(CALL("seek", all, 0, DATA * SECTOR + 8) == 0 && CALL("read", all, BUF, 8) == 8 && ld_be32(&m->ram, BUF) == 2, "read");
	check(CALL("read", all, BUF, 4) == 4 && ld_be32(&m->ram, BUF) == 4, "the position moves");
	check(m->cpu[0]->cpu.run_state == CPU_CEDED && m->firmware->wake_at > m->clock.now, "it takes the guest's time");
	check(CALL("read", part, BUF, DATA_SECTORS * SECTOR + 1) == DATA_SECTORS * SECTOR && ld_be32(&m->ram, BUF + 4) == 1, "as much as there is");
	check(CALL("read", part, BUF, 1) == 0, "nothing at the end");
	check(CALL("seek", part, UINT32_MAX, UINT32_MAX) == 0 && CALL("read", part, BUF, 16) == 0, "nothing at a position of 64 bits");
	check(CALL("seek", part, 0, 4) == 0 && CALL("read", part, RAM - 4, 8) == ERROR, "a buffer that ends outside RAM");
	check(CALL("read", part, UINT32_MAX, UINT32_MAX) == ERROR, "and one that begins there");
	check(CALL("read", part, RAM - 4, 4) == 4 && ld_be32(&m->ram, RAM - 4) == 1, "and at its end; the position stayed");
	check(CALL("seek", 1, 0, 0) == ERROR && CALL("seek", 77, 0, 0) == ERROR, "only a disk has a position");
	check(CALL("close", part) == 0 && CALL("read", part, BUF, 1) == ERROR && CALL("seek", part, 0, 0) == ERROR, "not once it is closed");
	CALL("close", all);
}

static void test_write(void)
{
	uint32_t all = open_path("disk1:0"), part = open_path("disk1:2");

	st_be32(&m->ram, BUF, 0xfeedbeef);
	check(CALL("seek", part, 0, SECTOR) == 0 && CALL("write", part, BUF, 4) == 4, "write");
	check(CALL("seek", all, 0, (DATA + 1) * SECTOR) == 0 && CALL("read", all, BUF + 16, 4) == 4 && ld_be32(&m->ram, BUF + 16) == 0xfeedbeef,
	      "is there");
	check(CALL("seek", part, 0, DATA_SECTORS * SECTOR - 2) == 0 && CALL("write", part, BUF, 4) == 2, "not beyond the partition");
	CALL("close", all);
	CALL("close", part);
}

/* The table lies where no claim gives it away. */
static void test_luns(void)
{
	uint32_t adapter = open_path("/vdevice/v-scsi@71000002"), table;
	uint32_t in[] = { text_at("vscsi-report-luns", 1), adapter };

	check(adapter && !call("call-method", 2, in, 3, &table), "vscsi-report-luns");
	table = ld_be32(&m->ram, ARGS + 12 + 8 + 8);
	check(table == FW_TABLE && ld_be64(&m->ram, ld_be32(&m->ram, table + 4)) == UINT64_C(0x8100000000000000) &&
	      ld_be64(&m->ram, ld_be32(&m->ram, table + 4) + 8) == UINT64_C(0x8200000000000000) && !ld_be64(&m->ram, ld_be32(&m->ram, table + 4) + 16),
	      "both disks");
	check(CALL("claim", FW_TABLE, 0x100, 0) == ERROR && CALL("claim", LOAD, 4, 0) == ERROR, "memory that is in use");
	check(CALL("claim", 0x10000, 0x1effff, 0) == 0x10000, "a claim that is no multiple of anything, as GRUB makes them");
	CALL("release", 0x10000, 0x1effff);
	CALL("close", adapter);
}

static void test_words(void)
{
	check(CALL("interpret", text_at("cursor-on", 0)) == 0 && CALL("interpret", text_at("1 2 +", 0)) == ERROR, "words");
	m->request = REQ_NONE;
	check(CALL("interpret", text_at("reset-all", 0)) == 0 && m->request == REQ_RESET, "reset-all");
	m->request = REQ_NONE;
}

/* The second of two disks has booted, and gives up: there is no third. */
static void test_gives_up(void)
{
	CALL("exit");
	check(m->request == REQ_PANIC, "the last program gives up");
	m->request = REQ_NONE;
	m->firmware->boots_failed = 0;
	CALL("exit");
	check(m->request == REQ_RESET && m->firmware->boot_again && m->firmware->boots_failed == 1, "another one gives up");
	m->request = REQ_NONE;
	m->firmware->boot_again = false;
}

/* A machine with -kernel has gone on from one that had booted from a disk, and starts again. */
static void test_kernel_again(void)
{
	struct error err;

	m->firmware->boot.from = NULL;
	m->firmware->kernel.fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
	check(m->firmware->booted, "from a disk");
	firmware_start(m, &err);		/* whether such a kernel is one is not the question */
	check(!m->firmware->booted, "the kernel's turn, not the disk's");
	check(fdt_getprop(m->fdt, fdt_path_offset(m->fdt, "/chosen"), "bootpath", NULL) == NULL, "no bootpath");
}

/* Snapshots call disks by these numbers, those from before there were connectors as well. */
static void test_places(void)
{
	const struct drive *full = drive_find(m, "full"), *empty = drive_find(m, "empty");

	check(media_place(empty) == 8 && media_place(full) == 9, "places in snapshots: %u, %u", media_place(empty), media_place(full));
}

/* ---- Disks that come and go ---- */

static bool restarts(struct error *err)
{
	hotplug_finish(m);
	machine_clear(m);
	return firmware_start(m, err);
}

static void test_comes_and_goes(void)
{
	const char *more[] = { "-device", "virtio-blk-pci,drive=empty,id=e,addr=1", "-device", "virtio-blk-pci,drive=full,id=f,addr=2" };
	struct error err = { .msg = "" };
	uint32_t gone, stays;
	struct box box;
	char text[80];
	bool found;

	check(box_new(&box, more, 4, &err), "comes and goes: boots %s", err.msg);
	m = box.m;
	gone = open_path("disk"), stays = open_path("disk1:2");
	check(gone && CALL("read", gone, BUF, 4) == 4 && stays && CALL("read", stays, BUF, 4) == 4, "both are read");
	check(hotplug_remove(m, "e", &found, &err), "asked for: %s", err.msg);
	hotplug_finish(m);
	check(!drive_find(m, "empty"), "the drive goes with its device");
	check(CALL("read", gone, BUF, 4) == ERROR && CALL("write", gone, BUF, 4) == ERROR && !open_path("disk"), "nothing is read from it");
	check(CALL("read", stays, BUF, 4) == 4 && ld_be32(&m->ram, BUF) == 1, "the other one goes on");
	m->firmware->boot_again = true;
	check(restarts(&err) && !strcmp(m->firmware->boot.from->alias, "disk1"), "the next one on the list: %s", err.msg);
	check(restarts(&err) && !strcmp(m->firmware->boot.from->alias, "disk"), "the one that is left: %s", err.msg);
	snprintf(text, sizeof text, "if=none,id=late,format=raw,file=%s", box.empty);
	check(drive_add(m, text, false, &err) && hotplug_add(m, "virtio-blk-pci,drive=late,addr=3", &err), "comes: %s", err.msg);
	check(restarts(&err) && m->firmware->boot.disks == 2 && open_path("disk1"), "and is there at the next start: %s", err.msg);
	box_free(&box);
}

/* ---- Order ---- */

static void test_order(const char *what, const char *wanted, const char *more[], unsigned n)
{
	struct error err = { .msg = "" };
	struct box box;
	bool ok = box_new(&box, more, n, &err);

	if (wanted)
		check(ok && !strcmp(box.m->firmware->boot.from->alias, wanted), "%s: %s", what, ok ? box.m->firmware->boot.from->alias : err.msg);
	else
		check(!ok && box.m && !box.m->firmware->booted, "%s", what);
	box_free(&box);
}

/* What SLOF is told: disks and cards by their bootindex. The card's is the lowest of those that there are. */
static void test_hints(void)
{
	const char *more[] = { "-netdev", "hubport,id=n,hubid=1", "-device", "virtio-net-pci,netdev=n,bootindex=8,addr=5", "-device", "virtio-blk-pci,drive=full,bootindex=7,addr=1",
			       "-device", "spapr-vscsi", "-device", "scsi-hd,drive=empty,bootindex=9", "-boot", "strict=on" };
	static const char wanted[] = "/pci@800000020000000/scsi@1 /pci@800000020000000/ethernet@5 /vdevice/v-scsi@71000002/disk@8000000000000000 HALT";
	struct error err = { .msg = "" };
	uint8_t tree[4096];
	struct tree t = { .fdt = tree };
	const char *list;
	struct box box;
	int at;

	check(box_new(&box, more, 12, &err), "hints: boots %s", err.msg);
	fdt_create_empty_tree(tree, sizeof tree);
	at = node_add(&t, 0, "chosen");
	boot_hints_fdt(box.m, &t, at);
	list = fdt_getprop(tree, at, "qemu,boot-list", NULL);
	check(list && !strcmp(list, wanted), "hints: %s", list ? list : "none");
	box_free(&box);
}

/* ---- Variables ---- */

static void test_variables(void)
{
	const char *more[] = { devices[0], devices[1], devices[2], devices[3], devices[4], devices[5],
			       "-prom-env", "a=1", "-prom-env", "bb=x=y", "-prom-env", "a=22", "-prom-env", "boot-device=disk1" };
	struct error err = { .msg = "" };
	char buf[64];
	const char *value, *in_tree;
	struct box box;

	check(box_new(&box, more, sizeof more / sizeof more[0], &err), "variables: boots %s", err.msg);
	value = environment_find(box.m, "a", buf, sizeof buf);
	check(value && !strcmp(value, "22"), "the last value counts");
	value = environment_find(box.m, "bb", buf, sizeof buf);
	check(value && !strcmp(value, "x=y"), "a value with '='");
	check(!environment_find(box.m, "b", buf, sizeof buf) && !environment_find(box.m, "bb", buf, 4), "none, and one too long for the buffer");
	in_tree = fdt_getprop(box.m->fdt, fdt_path_offset(box.m->fdt, "/options"), "a", NULL);
	check(in_tree && !strcmp(in_tree, "22"), "in /options");
	box_free(&box);
}

int main(void)
{
	const char *last[] = { devices[0], devices[1], devices[4], devices[5], devices[2], devices[3] };
	const char *indexed[] = { devices[0], devices[1], "-device", "scsi-hd,drive=full,scsi-id=1,bootindex=7", "-device", "scsi-hd,drive=empty" };
	const char *strict[] = { devices[0], devices[1], devices[2], "scsi-hd,drive=empty,bootindex=0", devices[4], devices[5], "-boot", "strict=on" };
	const char *letters[] = { devices[0], devices[1], devices[2], devices[3], devices[4], devices[5], "-boot", "d,strict=on" };
	const char *loose[] = { devices[0], devices[1], devices[2], devices[3], devices[4], devices[5], "-boot", "d" };
	struct error err = { .msg = "" };
	struct box box;

	if (!box_new(&box, (const char **)devices, PLAIN, &err)) {
		printf("FAIL box: %s\n", err.msg);
		return EXIT_FAILURE;
	}
	m = box.m;
	m->request = REQ_NONE;
	test_start();
	test_open();
	test_limits();
	test_read();
	test_write();
	test_luns();
	test_words();
	test_gives_up();
	test_places();
	test_kernel_again();
	box_free(&box);
	test_order("in the order of addresses", "disk1", last, PLAIN);
	test_order("bootindex", "disk1", indexed, PLAIN);
	test_order("strict=on: no other than with a bootindex", NULL, strict, 8);
	test_order("-boot d,strict=on without a CD", NULL, letters, 8);
	test_order("-boot d without a CD", "disk1", loose, 8);
	test_hints();
	test_variables();
	test_comes_and_goes();
	return check_failures ? EXIT_FAILURE : EXIT_SUCCESS;
}

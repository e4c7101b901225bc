/* The option parser: what an accepted command line means. What is refused is tests/fault's. */
#include <stdarg.h>

#include "check.h"
#include "cpu/core/bits.h"
#include "cpu/core/model.h"
#include "machine/host/chardev.h"
#include "machine/run/options.h"

#define MAX_WORDS 24

static struct config last;		/* what parse() has given, until it is called again */

static enum options_result parse(struct config *o, struct error *err, int *status, const char *line)
{
	static char copy[1024];
	char *argv[MAX_WORDS] = { "cede" }, *save = NULL;
	enum options_result result;
	int argc = 1;

	options_free(&last);
	snprintf(copy, sizeof copy, "%s", line);
	for (char *w = strtok_r(copy, " ", &save); w && argc < MAX_WORDS - 1; w = strtok_r(NULL, " ", &save))
		argv[argc++] = w;
	*status = -1;
	err->msg[0] = 0;
	result = options_parse(o, argc, argv, err, status);
	last = *o;
	return result;
}

/* The options of a good line. */
static struct config good(const char *line)
{
	struct config o;
	struct error err;
	int status;

	check(parse(&o, &err, &status, line) == OPTIONS_RUN, "%s", line);
	if (err.msg[0])
		printf("(%s)\n", err.msg);
	return o;
}

static void test_defaults(void)
{
	struct config o = good("-kernel K");

	check(!strcmp(o.kernel, "K") && !o.initrd && !o.append && !o.bios && !o.name, "files");
	check(o.cpus == 1 && o.threads == 1 && o.cores == 1 && o.sockets == 1 && o.max_cpus == 1, "one-processor");
	check_eq(o.ram_size, UINT64_C(512) << 20, "512M");
	check(o.serials == 1 && o.serial[0]->kind == CHARDEV_STDIO && o.serial[0]->mux && o.monitors == 1, "terminal");
	check(!o.warp && !o.no_reboot && !o.log_mask && o.rtc_base == RTC_UTC && o.large_decr, "the-rest");
}

static void test_memory(void)
{
	static const struct { const char *line; uint64_t size; } rows[] = {
		{ "-kernel K -m 256", UINT64_C(256) << 20 }, { "-kernel K -m 256M", UINT64_C(256) << 20 },
		{ "-kernel K -m 4G", UINT64_C(4) << 30 }, { "-kernel K -m 64G", UINT64_C(64) << 30 },
		{ "-kernel K -m size=2g", UINT64_C(2) << 30 }, { "-kernel K -m 1048576k", UINT64_C(1) << 30 },
		{ "-m 1G -kernel K -m 512M", UINT64_C(512) << 20 },
	};

	for (unsigned i = 0; i < sizeof rows / sizeof rows[0]; i++)
		check_eq(good(rows[i].line).ram_size, rows[i].size, "size");
}

static void test_smp(void)
{
	static const struct { const char *line; unsigned cpus, threads, cores, sockets; } rows[] = {
		{ "-kernel K -smp 4", 4, 1, 4, 1 }, { "-kernel K -smp 64", 64, 1, 64, 1 },
		{ "-kernel K -smp 8,threads=4", 8, 4, 2, 1 }, { "-kernel K -smp cpus=8,cores=2,threads=4", 8, 4, 2, 1 },
		{ "-kernel K -smp cores=2,threads=2,sockets=2", 8, 2, 2, 2 }, { "-kernel K -smp 2,maxcpus=4", 2, 1, 4, 1 },
		{ "-kernel K -smp 16,sockets=2,threads=8", 16, 8, 1, 2 },
	};

	for (unsigned i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		struct config o = good(rows[i].line);

		check(o.cpus == rows[i].cpus && o.threads == rows[i].threads && o.cores == rows[i].cores &&
		      o.sockets == rows[i].sockets, "is %u cpus, %u threads, %u cores, %u sockets", o.cpus, o.threads,
		      o.cores, o.sockets);
	}
}

/* What the guest and the load are entitled to, in hundredths. */
static void test_pool(void)
{
	static const struct { const char *line; unsigned guest, load; } rows[] = {
		{ "-kernel K -smp 4 -pool procs=2", 200, 0 }, { "-kernel K -smp 2 -pool procs=4", 200, 0 },
		{ "-kernel K -smp 4 -pool procs=2,load=0.5", 150, 50 }, { "-kernel K -smp 4 -pool procs=2,load=1.5", 100, 100 },
		{ "-kernel K -smp 4 -pool procs=2,load=64", 100, 100 }, { "-kernel K -smp 1 -pool procs=4,load=64", 100, 300 },
		{ "-kernel K -smp 64 -pool procs=1,load=bursty:3:1", 64, 36 }, { "-kernel K -smp 8,threads=8 -pool procs=1,load=1", 50, 50 },
		{ "-kernel K -smp 4 -pool procs=2,load=1.5,entitlement=0.25", 25, 150 },
		{ "-kernel K -smp 4 -pool procs=2,load=1.5,load-entitlement=1.75", 25, 175 },
		{ "-kernel K -smp 4 -pool procs=2,load=2,load-entitlement=0", 200, 0 },
	};

	for (unsigned i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		struct config o = good(rows[i].line);

		check_eq(o.pool.entitlement, rows[i].guest, "guest");
		check_eq(o.pool.load_entitlement, rows[i].load, "load");
	}
}

static void test_rest(void)
{
	static const struct { const char *name; uint32_t pvr; } models[] = {
		{ "power8", 0x4d0200 }, { "POWER8", 0x4d0200 }, { "power8_v2.0", 0x4d0200 }, { "power9", 0x4e1200 }, { "power9_v2.0", 0x4e1200 },
		{ "power9_v2.2", 0x4e1202 }, { "Power10", 0x801200 }, { "power10_v2.0", 0x801200 },
		{ "power8e", 0x4b0201 }, { "POWER8E_v2.1", 0x4b0201 }, { "power8nvl", 0x4c0100 }, { "power8nvl_v1.0", 0x4c0100 }, { "max", 0x4e1200 },
	};
	char line[120];
	struct config o = good("--kernel K --initrd I -append root=/dev/ram -no-reboot -no-shutdown -nographic -nodefaults");

	check(!strcmp(o.initrd, "I") && !strcmp(o.append, "root=/dev/ram"), "double-dash");
	check(o.no_reboot && o.no_shutdown && o.serials == 0, "flags");
	o = good("-kernel K -action panic=pause,shutdown=pause -action reboot=shutdown,watchdog=pause");
	check(o.panic == PANIC_PAUSE && o.no_shutdown && o.no_reboot, "actions");
	o = good("-kernel K -no-reboot -no-shutdown -action reboot=reset,shutdown=poweroff");
	check(o.panic == PANIC_NONE && !o.no_shutdown && !o.no_reboot, "last-action-counts");
	o = good("-kernel K -serial null -serial file:x -seed 0x10 -clock warp -timing flat -name guest=g -D log");
	check(o.serials == 2 && !strcmp(o.serial[1]->path, "x") && o.seed == 16 && o.warp &&
	      !strcmp(o.name, "g") && !strcmp(o.log_file, "log"), "values");
	o = good("-kernel K -M pseries,kernel-irqchip=off,kernel_irqchip=no,dump-guest-core=off,mem-merge=on,nvdimm=off,suppress-vmdesc=off,host-model=none,host-serial=none");
	o = good("-kernel K -M pseries-7.2,x-vof=on,cap-cfpc=fixed,cap-large-decr=off,cap-ibs=fixed-na");
	check(o.cfpc == MITIGATION_FIXED && !o.large_decr && o.ibs == MITIGATION_FIXED_NA &&
	      !strcmp(o.machine, "pseries-7.2"), "machine-properties");
	o = good("-kernel K -machine type=pseries,max-cpu-compat=power9 -cpu POWER9");
	check_eq(o.compat_pvr, 0x0f000005, "compat");
	check_eq(o.ic_mode, IC_DUAL, "two-controllers");
	o = good("-kernel K -cpu power8");
	check_eq(o.ic_mode, IC_XICS, "power8-has-one");
	o = good("-kernel K -cpu power10 -M pseries,max-cpu-compat=power8,ic-mode=dual");
	check_eq(o.ic_mode, IC_XICS, "like-a-power8");
	o = good("-kernel K -cpu power8 -M cap-large-decr=on,cap-dawr1=on,cap-large-decr=off,cap-dawr1=off,cap-htm=on,cap-dfp=on");
	check(!o.large_decr && !o.dawr1 && o.htm, "what-it-has-and-not-on-in-the-end");
	o = good("-kernel K -cpu power10 -M cap-large-decr=on,cap-dawr1=on,cap-rpt-invalidate=on,max-cpu-compat=power9");
	check(o.large_decr && o.dawr1 && o.rpt_invalidate, "what-power10-has");
	for (unsigned i = 0; i < ARRAY_SIZE(models); i++) {
		snprintf(line, sizeof line, "-kernel K -cpu %s -M pseries,max-cpu-compat=power7+", models[i].name);
		o = good(line);
		check_eq(o.cpu_model->pvr, models[i].pvr, "%s", models[i].name);
		check_eq(o.compat_pvr, 0x0f100003, "%s-compat", models[i].name);
	}
	o = good("-kernel K -name guest=g,debug-threads=on -accel kvm -accel tcg,thread=multi,tb-size=64 -no-user-config");
	check(!strcmp(o.name, "g") && o.note && strstr(o.note, "tcg"), "tcg-and-a-name");
	o = good("-kernel K -M pseries,accel=kvm:tcg,usb=no,cap-large-decr=false,cap-dfp=no -boot order=cd,strict=on -boot n -vga none");
	check(o.note && !o.large_decr && !o.dfp, "QEMU's-words");
	o = good("-kernel K -nodefaults -net none -nic none -parallel none -display none -monitor none -machine pseries -cpu POWER9");
	check(!o.note, "no-note");
	o = good("-kernel K -rtc base=1970-01-02T00:00:01");
	check(o.rtc_base == RTC_DATE && o.rtc_date == 86401, "rtc-date");
	o = good("-kernel K -rtc base=localtime");
	check(o.rtc_base == RTC_LOCALTIME, "rtc-localtime");
	o = good("-kernel K -uuid 00112233-4455-6677-8899-aabbccddeeff");
	check(o.has_uuid && o.uuid[0] == 0 && o.uuid[15] == 0xff && o.uuid[8] == 0x88, "uuid");
	o = good("-kernel K -drive if=pflash,file=a,format=raw -drive if=pflash,file=b");
	check(!strcmp(o.nvram_file, "b"), "nvram");
	o = good("-kernel K -save a@guest,quit=on -save a@b@7 -save c@guests -save @guest -save d");
	check(o.saves == 5 && o.save[0].when == SAVE_FOR_GUEST && o.save[0].quit && !strcmp(o.save[0].path, "a") &&
	      o.save[1].when == SAVE_AT_CYCLE && o.save[1].cycle == 7 && !strcmp(o.save[1].path, "a@b") &&
	      o.save[2].when == SAVE_ON_SIGNAL && !strcmp(o.save[2].path, "c@guests") && o.save[3].when == SAVE_ON_SIGNAL &&
	      o.save[4].when == SAVE_ON_SIGNAL, "when-to-save");
	o = good("-kernel K -d int,statehash -d hcall");
	check(__builtin_popcount(o.log_mask) == 3, "log-mask-adds-up");
}

static void test_refused(void)
{
	struct config o;
	struct error err;
	int status;

	check(parse(&o, &err, &status, "-frob") == OPTIONS_BAD && status == 2 && strstr(err.msg, "frob"), "unknown");
	check(parse(&o, &err, &status, "-kernel") == OPTIONS_BAD && status == 2 && strstr(err.msg, "kernel"), "no-value");
	check(parse(&o, &err, &status, "-kernel K -cpu power8 -M pseries,ic-mode=xive") == OPTIONS_BAD && status == 2 && strstr(err.msg, "XICS alone"), "no-xive");
	check(parse(&o, &err, &status, "-kernel K -M pseries,cap-htm=on -cpu power10") == OPTIONS_BAD && status == 2 && strstr(err.msg, "power10 has no transactional memory"), "no-htm");
	static const struct { const char *line, *said; } lacking[] = {
		{ "-cpu power8 -M cap-large-decr=on", "cap-large-decr=on: power8 has no large decrementer" },
		{ "-M max-cpu-compat=power8,cap-large-decr=on -cpu power9", "cap-large-decr=on: power9 as power8 has no large decrementer" },
		{ "-M cap-dawr1=on -cpu power8", "cap-dawr1=on: power8 has no second watchpoint" },
		{ "-cpu power9 -M cap-dawr1=off -M cap-dawr1=on", "cap-dawr1=on: power9 has no second watchpoint" },
		{ "-cpu power8 -M cap-rpt-invalidate=on", "cap-rpt-invalidate=on: power8 has no radix MMU" },
		{ "-M cap-rpt-invalidate=on,max-cpu-compat=power8", "cap-rpt-invalidate=on: power9 as power8 has no radix MMU" },
		{ "-cpu power9 -M max-cpu-compat=power10,cap-large-decr=on", "max-cpu-compat=power10: power9 cannot" },
	};

	for (unsigned i = 0; i < ARRAY_SIZE(lacking); i++) {
		char line[120];

		snprintf(line, sizeof line, "-kernel K %s", lacking[i].line);
		check(parse(&o, &err, &status, line) == OPTIONS_BAD && status == 2 && strstr(err.msg, lacking[i].said), "lacks: %s: %s", lacking[i].line, err.msg);
	}
	check(parse(&o, &err, &status, "-icount 1") == OPTIONS_BAD && status == 2 && strstr(err.msg, "not there"), "later");
	static const char *const absent[] = {
		"-M pseries,cap-vsx=off",
		"-M pseries,cap-nested-hv=on", "-M pseries,cap-nested-papr=true", "-M pseries,cap-fwnmi=off",
		"-M pseries,cap-ail-mode-3=off",
		"-M pseries,resize-hpt=never", "-M pseries,accel=kvm", "-accel kvm", "-accel kvm:xen", "-enable-kvm",
	};

	for (unsigned i = 0; i < sizeof absent / sizeof absent[0]; i++) {
		char line[80], name[40];

		snprintf(line, sizeof line, "-kernel K %s", absent[i]);
		sscanf(absent[i], "%*[^,],%39[^=]", name);
		if (!strchr(absent[i], ','))
			strcpy(name, "KVM");
		check(parse(&o, &err, &status, line) == OPTIONS_BAD && status == 2 &&
		      (strstr(err.msg, name) || strstr(err.msg, "KVM")), "refused: %s", absent[i]);
		}
	check(parse(&o, &err, &status, "-drive if=pflash,file=a -smp 0") == OPTIONS_BAD && status == 2, "after-a-drive");
}

/* A terminal on what -chardev names, wherever that stands. */
static void test_serial_chardev(void)
{
	static const struct { const char *line, *why; } rows[] = {
		{ "-kernel K -serial chardev:b -chardev null,id=a", "'b'" },
		{ "-kernel K -serial chardev: -chardev null,id=a", "''" },
		{ "-kernel K -serial chardev:a -chardev null,id=a -serial chardev:a", "'a'" },
	};
	struct config o = good("-kernel K -serial null -serial chardev:a -chardev file,path=f,id=a");
	struct error err;
	int status;

	check(o.serials == 2 && o.serial[1]->kind == CHARDEV_FILE && !strcmp(o.serial[1]->id, "a"), "serial-on-a-chardev");
	for (unsigned i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		check(parse(&o, &err, &status, rows[i].line) == OPTIONS_BAD && status == 2 && strstr(err.msg, rows[i].why), "refused: %s: %s",
		      rows[i].line, err.msg);
	}
}

int main(void)
{
	test_serial_chardev();
	test_defaults();
	test_memory();
	test_smp();
	test_pool();
	test_rest();
	test_refused();
	options_free(&last);
	return check_done();
}

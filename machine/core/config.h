/* What the user wants of a machine: plain values, which run/options.c fills from the command line and which every
 * part may read. A new option is its row in run/options.def and its member here. */
#ifndef MACHINE_CORE_CONFIG_H
#define MACHINE_CORE_CONFIG_H

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "cpu/core/model.h"
#include "machine/core/numa.h"

/* Whose options and monitors are meant; programs that start QEMU look for the first number of -version. */
#define QEMU_VERSION "7.2.0"
#ifndef CEDE_VERSION
#define CEDE_VERSION "0.1"
#endif

#define CONFIG_MAX_SERIAL 16
#define CONFIG_MAX_MONITORS 32
#define CONFIG_MAX_CHARDEVS 128	/* those that options name in short among them */
#define CONFIG_MAX_SAVES 256
#define CONFIG_MAX_DEVICES 256
#define CONFIG_MAX_DRIVES 256
#define CONFIG_MAX_NETDEVS 64
#define CONFIG_MAX_PROM_ENV 64
#define CONFIG_MAX_FSDEVS 32
#define CONFIG_MIN_RAM (UINT64_C(256) << 20)
#define CONFIG_MAX_RAM (UINT64_C(64) << 30)
#define CONFIG_RAM_STEP (UINT64_C(256) << 20)	/* one logical memory block, as the device tree reports them */

enum ic_mode { IC_XICS, IC_XIVE, IC_DUAL };	/* interrupt controllers that there are */
enum resize_hpt { RESIZE_HPT_DEFAULT, RESIZE_HPT_ENABLED, RESIZE_HPT_DISABLED, RESIZE_HPT_REQUIRED };
enum display_kind { DISPLAY_NONE, DISPLAY_SDL };
enum rtc_base { RTC_UTC, RTC_LOCALTIME, RTC_DATE };
struct chardev;				/* machine/host/chardev.h */
struct cpu_model;
struct drive_config;			/* machine/disk/drive.h */
struct net_config;			/* machine/net/net.h */
struct net_dump_config;			/* machine/net/dump.h */
struct error;
struct fsdev_config;			/* fsdev.h */

/* What follows when the guest says that it gave up. PANIC_NONE: what the guest wants. */
enum panic_action { PANIC_NONE, PANIC_PAUSE, PANIC_SHUTDOWN, PANIC_EXIT_FAILURE };
enum mitigation { MITIGATION_BROKEN, MITIGATION_WORKAROUND, MITIGATION_FIXED, MITIGATION_FIXED_IBS,
		  MITIGATION_FIXED_CCD, MITIGATION_FIXED_NA };
#define CONFIG_TRACED 256	/* hypercalls and calls of RTAS that -trace can leave out */

/* -pool */
struct pool_config {
	bool given;
	unsigned procs, chips;
	uint32_t entitlement;		/* hundredths; not given: what the virtual processors can use and the load leaves */
	bool capped;
	unsigned weight;
	uint64_t window_ns;
	uint32_t load, load_entitlement;	/* hundredths; not given: what it wants and the guest leaves,
						 * at most half of the pool if that is open, too */
	unsigned load_weight;
	bool load_entitled;		/* load-entitlement= was given */
	bool bursty;
	uint64_t load_seed;
	bool no_confer;
};

/* -trace */
struct trace_config {
	bool hcall, summary;		/* lines; the table (always, if there are lines) */
	bool dispatch;
	bool skip[CONFIG_TRACED];	/* by enum trace_id */
};

/* -save */
struct save_request {
	char *path;			/* options_free() */
	enum save_when { SAVE_ON_SIGNAL, SAVE_AT_CYCLE, SAVE_FOR_GUEST } when;	/* SIGUSR1; @CYCLE; @guest */
	uint64_t cycle;
	bool for_qemu;			/* target=qemu */
	bool mapped;			/* layout=mapped */
	bool compress;			/* compress=zstd */
	bool background;		/* background=on */
	char *parent;			/* parent=FILE; NULL: none. options_free() */
	bool quit;			/* quit=on: end then */
};

/* -mon, -monitor, -qmp */
struct monitor_config {
	struct chardev *chardev;
	bool qmp, pretty;
};

/* -profile */
struct profile_config {
	char *path;			/* NULL: not given. options_free() */
	uint64_t from, to;		/* cycles */
	int cpu;			/* -1: all */
};

/* Reads what comes while the machine runs, as the options of the same names do. NULL and err->msg set. */
struct late_options {
	struct drive_config *(*drive)(const char *text, bool blockdev, struct error *err);
	void (*drive_free)(struct drive_config *d);
	struct net_config *(*net)(const char *text, struct error *err);
	void (*net_free)(struct net_config *c);
};

struct config {
	const struct late_options *late;
	/* -M */
	const char *machine;		/* "pseries" or "pseries-7.2" */
	unsigned vsmt;			/* distance of core ids: the threads of a core */
	bool htm;			/* cap-htm=on: there is transactional memory, in which each transaction fails */
	bool dfp;			/* cap-dfp=on (default): the guest is told of decimal floating point */
	enum ic_mode ic_mode;		/* ic-mode= */
	bool large_decr;		/* cap-large-decr=on (default): where there is one, config_dec_bits() */
	bool dawr1;			/* cap-dawr1=on (default): the second watchpoint of processors that have two */
	/* cap-cfpc, -sbbc, -ibs: what the guest is told of branch prediction and caches. PAPR,
	 * H_GET_CPU_CHARACTERISTICS. */
	enum mitigation cfpc, sbbc, ibs;
	bool ccf_assist;		/* cap-ccf-assist */
	enum resize_hpt resize_hpt;	/* resize-hpt=; by default enabled */
	bool rpt_invalidate;		/* cap-rpt-invalidate=on: H_RPT_INVALIDATE is there */
	unsigned hpt_page_shift;	/* cap-hpt-max-page-size: log2 of the largest page of a hash guest */

	struct pool_config pool;	/* -pool */
	const char *dtl_file;		/* -dtl; NULL */
	struct profile_config profile;

	const struct cpu_model *cpu_model;	/* -cpu */
	uint32_t compat_pvr;		/* max-cpu-compat=: logical PVR; 0: none */
	unsigned cpus, threads, cores, sockets, max_cpus;
	uint64_t ram_size;		/* bytes, multiple of CONFIG_RAM_STEP */
	struct numa_config numa;

	const char *kernel, *initrd, *append, *bios;	/* NULL: not given */
	/* -boot: letters of devices, NULL not given; nothing but what is asked for. -prom-env */
	char *boot_order, *boot_once;	/* options_free() */
	bool boot_strict, boot_menu;
	uint32_t boot_wait_ms;		/* splash-time=: how long the menu waits (3000) */
	const char *prom_env[CONFIG_MAX_PROM_ENV];
	unsigned prom_envs;
	char *name;			/* -name; NULL */
	const char *note;		/* a warning for the user; NULL: none */
	bool has_uuid;
	uint8_t uuid[16];		/* in the order it is printed */
	char *nvram_file;		/* -drive if=pflash,file=; NULL */

	const char *loadvm, *incoming, *snapdir;	/* NULL: not given */
	bool stopped;			/* -S */
	struct save_request save[CONFIG_MAX_SAVES];
	unsigned saves;

	struct chardev *serial[CONFIG_MAX_SERIAL];	/* of `chardev`; NULL: none, and no other either */
	unsigned serials;
	struct chardev *gdb;		/* -gdb; NULL: none */
	struct monitor_config monitor[CONFIG_MAX_MONITORS];
	unsigned monitors;
	struct chardev *chardev[CONFIG_MAX_CHARDEVS];	/* -chardev, and what others say in short; options_free() */
	unsigned chardevs;
	const char *device[CONFIG_MAX_DEVICES];	/* -device: "DRIVER[,NAME=VALUE..]" */
	unsigned devices;
	struct drive_config *drive[CONFIG_MAX_DRIVES];	/* -drive, -blockdev, -hda.., -cdrom; options_free() */
	unsigned drives;
	struct net_config *netdev[CONFIG_MAX_NETDEVS];	/* -netdev, -nic; options_free() */
	unsigned netdevs;
	char *netcard[CONFIG_MAX_NETDEVS];	/* -net nic,netdev=ID: what -device would be; options_free() */
	unsigned netcards;
	struct net_dump_config *netdump[CONFIG_MAX_NETDEVS];	/* -object filter-dump; options_free() */
	unsigned netdumps;
	struct fsdev_config *fsdev[CONFIG_MAX_FSDEVS];	/* -fsdev, -virtfs; options_free() */
	unsigned fsdevs;
	bool vga;			/* -vga std */
	bool keyboard;			/* the board has one, and a tablet */
	char *vnc_host;		/* -vnc; NULL: none; options_free() */
	int vnc_port;
	bool vnc_password;
	enum display_kind display;	/* -display, and its window */
	bool panel;			/* the dispatcher's picture comes first */
	bool graphics;			/* a VGA card is what a firmware with drivers talks on: not with -vga none */
	bool usb;			/* a controller on the board */
	int key_layout;			/* -k: machine/host/keys.h */
	bool full_screen, window_close, show_cursor;

	enum rtc_base rtc_base;
	int64_t rtc_date;		/* seconds since 1970, for RTC_DATE */
	char timing[96];		/* the timing model, as timing_parse() reads it */
	char cpu_freq[24];		/* -cpu ...,freq=: MHz of the core; "": the model's own */
	bool warp;			/* -clock warp */
	bool no_reboot, no_shutdown;	/* -action reboot=, shutdown= as well */
	enum panic_action panic;	/* -action panic= */
	uint64_t seed;

	struct trace_config trace;	/* -trace */
	unsigned log_mask;		/* -d: enum log_channel */
	const char *log_file;		/* -D; NULL: stderr */
	bool has_umask;
	unsigned umask;			/* -umask: bits that no new file gets; not given: the process's and 077 */
	bool nographic;
	bool daemonize;			/* -daemonize */
	const char *pid_file;		/* -pidfile; NULL */
	bool msg_timestamp, msg_name;	/* -msg: before each line of ours */
};

/* There is a second watchpoint. */
static inline bool config_dawr1(const struct config *o) { return o->dawr1 && o->cpu_model->dawrs > 1; }

/* The highest level that the processors can appear as; NULL: max-cpu-compat= is a later one. */
static inline const struct cpu_level *config_level_most(const struct config *o)
{
	return o->compat_pvr ? cpu_model_find_level(o->cpu_model, o->compat_pvr) : cpu_model_level(o->cpu_model);
}

/* Of a large decrementer; 0: the model has none, or no level has that it can appear as (max-cpu-compat=). */
static inline unsigned config_dec_bits(const struct config *o)
{
	const struct cpu_level *most = config_level_most(o);

	return most && most->since >= P9 ? o->cpu_model->large_dec_bits : 0;
}

/* The partition's name. */
/* The two words that QEMU knows for it, too. */
static inline bool asks_help(const char *text) { return !strcmp(text, "help") || !strcmp(text, "?"); }

static inline const char *config_name(const struct config *o) { return o->name ? o->name : "cede"; }

#endif

/* The command line, parsed and checked. options.def is the only list of options. */
#ifndef MACHINE_OPTIONS_H
#define MACHINE_OPTIONS_H

#include <stdbool.h>
#include <stdint.h>

#include "hcall/dispatcher.h"
#include "hcall/trace.h"
#include "savevm/error.h"

#ifndef CEDE_VERSION
#define CEDE_VERSION "0.1"
#endif

#define OPTIONS_MAX_SERIAL 16
#define OPTIONS_MAX_SAVES 256
#define OPTIONS_MIN_RAM (UINT64_C(256) << 20)
#define OPTIONS_MAX_RAM (UINT64_C(64) << 30)
#define OPTIONS_RAM_STEP (UINT64_C(256) << 20)	/* one logical memory block, as the device tree reports them */

enum rtc_base { RTC_UTC, RTC_LOCALTIME, RTC_DATE };
enum cpu_model { CPU_POWER9 };
/* What follows when the guest says that it gave up. PANIC_NONE: what the guest wants. */
enum panic_action { PANIC_NONE, PANIC_PAUSE, PANIC_SHUTDOWN, PANIC_EXIT_FAILURE };
enum mitigation { MITIGATION_BROKEN, MITIGATION_WORKAROUND, MITIGATION_FIXED, MITIGATION_FIXED_IBS,
		  MITIGATION_FIXED_CCD, MITIGATION_FIXED_NA };

/* What options_parse() found. */
enum options_result { OPTIONS_RUN, OPTIONS_DONE /* -h, -version: printed */, OPTIONS_BAD };

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

struct options {
	/* -M */
	const char *machine;		/* "pseries" or "pseries-7.2" */
	bool vof;			/* x-vof= (both values boot with the built-in firmware) */
	unsigned vsmt;			/* distance of core ids: the threads of a core */
	bool large_decr;		/* cap-large-decr=on (default) */
	/* cap-cfpc, -sbbc, -ibs: what the guest is told of branch prediction and caches. PAPR,
	 * H_GET_CPU_CHARACTERISTICS. */
	enum mitigation cfpc, sbbc, ibs;
	bool ccf_assist;		/* cap-ccf-assist */

	struct pool_options pool;	/* -pool */
	const char *dtl_file;		/* -dtl; NULL */

	enum cpu_model cpu;
	uint32_t compat_pvr;		/* max-cpu-compat=: logical PVR; 0: none */
	unsigned cpus, threads, cores, sockets, max_cpus;
	uint64_t ram_size;		/* bytes, multiple of OPTIONS_RAM_STEP */

	const char *kernel, *initrd, *append, *bios;	/* NULL: not given */
	char *name;			/* -name; NULL */
	const char *note;		/* what the user should know, though it is no error; NULL */
	bool has_uuid;
	uint8_t uuid[16];		/* in the order it is printed */
	char *nvram_file;		/* -drive if=pflash,file=; NULL */

	const char *loadvm, *incoming, *snapdir, *monitor, *qmp;	/* NULL: not given */
	bool stopped;			/* -S */
	struct save_request save[OPTIONS_MAX_SAVES];
	unsigned saves;

	const char *serial[OPTIONS_MAX_SERIAL];
	unsigned serials;
	bool nographic, nodefaults;

	enum rtc_base rtc_base;
	int64_t rtc_date;		/* seconds since 1970, for RTC_DATE */
	const char *timing;		/* name of the timing model */
	bool warp;			/* -clock warp */
	bool no_reboot, no_shutdown;	/* -action reboot=, shutdown= as well */
	enum panic_action panic;	/* -action panic= */
	bool has_seed;
	uint64_t seed;

	struct trace_options trace;	/* -trace */
	unsigned log_mask;		/* -d: enum log_channel */
	const char *log_file;		/* -D; NULL: stderr */
	bool has_umask;
	unsigned umask;			/* -umask: bits that no new file gets; not given: the process's and 077 */
};

/* OPTIONS_BAD: err->msg says why and *status what the process exits with (2 usage, 1 the rest).
 * Strings stay owned by argv, or by `opts` until options_free(). */
enum options_result options_parse(struct options *opts, int argc, char **argv, struct error *err, int *status);
void options_free(struct options *opts);

#endif

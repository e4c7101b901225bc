/* The pSeries machine: what hangs together on one board.
 *
 * Everything mutable hangs off struct machine; there is no file-scope state.
 */
#ifndef MACHINE_CORE_MACHINE_H
#define MACHINE_CORE_MACHINE_H

#include <stdbool.h>
#include <stdint.h>

#include "cpu/core/cpu.h"
#include "cpu/mmu/hpt.h"
#include "machine/core/runstate.h"
#include "machine/vp/vp.h"

#define MACHINE_QUANTUM  UINT64_C(20000)	/* cycles: 20 us, below what guests notice between processors */
/* What processors that run side by side may make the host do in a quantum beside running them, as bytes that are copied
 * in the same time: some 30 ms. What comes after that waits for the next one. */
#define MACHINE_WORK_MOST (UINT64_C(128) << 20)
#define MACHINE_MAX_CPUS VP_MAX
#define MSI_WORDS 52		/* 3328 bits: message-signalled interrupt sources */
#define OV5_WORDS 32		/* 2048 bits: more than PAPR has of option vector 5 */

struct machine;

/* ---- clock.c: the virtual clock and its events (unit: cycles since power-on) ---- */
struct event {
	uint64_t when;			/* cycle; UINT64_MAX = not scheduled */
	void (*fire)(void *opaque);
	void *opaque;
	struct event *next;		/* ordered list, ties in order of scheduling */
	/* timers.c: a device's timer; the next of all that there are. NULL: nobody's, and in no snapshot. */
	struct device *device;
	const char *timer;
	struct event *next_timer;
};

struct clock {
	uint64_t now;			/* cycle up to which all processors have run */
	struct cpu_clock tb;		/* what processors see of it */
	struct event *events;		/* that are scheduled */
	struct event *timers;		/* of devices, scheduled or not */
	struct saved_timer *saved_timers;	/* for and from a snapshot */
	uint64_t wall_base_ns;		/* host monotonic time that cycle `wall_cycle` is tied to */
	uint64_t wall_cycle;
	bool warp;			/* -clock warp: never sleep */
};

void event_schedule(struct machine *m, struct event *event, uint64_t when);
/* As after a load: at that very cycle, though it may be due already. */
void event_restore(struct machine *m, struct event *event, uint64_t when);
void event_cancel(struct machine *m, struct event *event);
uint64_t clock_next_event(const struct machine *m);	/* UINT64_MAX: none */
void clock_fire_due(struct machine *m);			/* every event with when <= now */

/* ---- Virtual processors as the board sees them ---- */
struct spapr_cpu {
	struct cpu cpu;
	struct vp_thread vp;		/* hcall/dispatcher.c */
	/* Its areas in guest memory (hcall/vpa.c, dtl.c); 0: none. Sizes in bytes. */
	uint64_t vpa_addr, slb_shadow_addr, slb_shadow_size, dtl_addr, dtl_size;
	uint64_t dtl_index;		/* entries written since the log began: the next one's number */
	uint8_t home_changes[8];	/* as in the VPA */
	uint32_t dispatch_count;	/* the hypervisor's own copy of the VPA's: even = dispatched */
	uint32_t dispersion_count;
	uint64_t donated[2];		/* cycles ceded with the donate bit: busy, idle */
	bool donates, donates_idle;	/* the present wait donates its cycles; it began with the VPA's idle hint */
	uint8_t cppr, mfrr;		/* ICP; 0 = highest priority, 0xff = none */
	uint8_t pending_priority;
	uint32_t xirr_owner;		/* source presented, 0 none */
	uint32_t xirr;			/* CPPR << 24 | XISR as QEMU's icp/server keeps it */
	bool absent;			/* its core is not plugged in: it is stopped, and no part of the guest's machine */
};

/* Processors by what releasing (or activating) them would save; hcall/energy.c. */
struct energy_list {
	uint64_t made;			/* cycle after the one it was made at; 0: never, or to no avail */
	uint8_t priority[MACHINE_MAX_CPUS];	/* of each core: 1 best, 255 worst */
};

struct config;			/* machine/core/config.h: the parsed command line */
struct device;			/* machine/core/device.h */
struct drcs;			/* machine/core/drc.h */
struct drive;			/* machine/disk/drive.h */
struct net;			/* machine/net/net.h */
struct xics;			/* machine/irq/xics.h */
struct xive;			/* machine/irq/xive.h */
struct mmio_window;		/* machine/core/mmio.h */
struct tce_window;		/* machine/core/tce.h */
struct firmware;		/* firmware/firmware.h */
struct monitors;		/* machine/monitor/monitor.h */
struct outgoing;		/* machine/snapshot/outgoing.h */
struct gdb;			/* machine/gdb/gdb.h */
struct display;			/* machine/display/display.h */
struct snapshots;		/* machine/snapshot/snapshot.h */
struct console;			/* machine/host/console.h: a host-side character stream */

struct machine {
	struct ram ram;
	struct clock clock;
	struct engine *engine;
	struct cpu_env env;
	unsigned ncpus, threads;	/* hardware threads that there can be (-smp maxcpus=), per core */
	struct spapr_cpu *cpu[MACHINE_MAX_CPUS];
	struct cpu *running;		/* while a processor executes */
	const struct config *config;
	struct dispatcher *dispatcher;
	struct hcall_trace *trace;	/* -trace hcall; NULL */
	struct profile *profile;	/* -profile; NULL */
	struct device *devices;		/* in order of making */
	struct drive *drives;		/* in the order of the options; made before devices, freed after them */
	struct net *nets;		/* the same: netdevs */
	uint16_t card_macs[256];	/* net/net.h: how many cards have each address that QEMU would have given, by its last byte */
	struct drcs *drcs;		/* drc.h: where something can be plugged in */
	struct xics *xics;		/* one of them, or both: all others interrupt through these (irq.h); NULL: none */
	struct xive *xive;
	struct mmio_window *mmio;	/* mmio.h: all that there are */
	struct tce_window *tces;	/* tce.h: the same */
	uint64_t msi_map[MSI_WORDS];	/* msi.h: sources that are given out */
	struct firmware *firmware;
	enum machine_request request;
	int exit_status;
	char *panic_message;

	uint64_t rtc_offset_ns;		/* guest's UTC at cycle 0, ns since 1970 */
	uint8_t disk_state[64];		/* snapshot/disks.c: of the disks, while a snapshot is written or read; "": none */
	uint64_t vasi_stream;		/* hcall/vasi.c: whose session there is, 0 none; */
	uint32_t vasi_state;		/* and its state, enum vasi_state */
	uint64_t rng_state[4];		/* seeded, so that runs repeat */
	uint64_t rtas_addr, rtas_size, fdt_addr;
	uint32_t fdt_size;
	void *fdt;			/* host copy of the device tree as last given to the guest */
	uint64_t proc_tbl;		/* H_REGISTER_PROC_TBL */
	struct hpt hpt;			/* none while the guest is a radix guest */
	uint32_t hpt_prepared;		/* H_RESIZE_HPT_PREPARE: log2 of the next one's size; 0: none */
	bool cas_done, radix;
	bool splpar_off;		/* the guest knows no shared processors: option vector 5, byte 2 */
	bool dawr1_untold;		/* the stream loaded last does not say whether its processors have DAWR1 */
	struct energy_list energy[2];	/* to release, to activate */
	uint32_t compat_pvr;		/* logical PVR of the level that its processors appear as; 0: as what they are */
	uint64_t ov5_cas[OV5_WORDS];	/* option vector 5 as agreed on: bit n of word n / 64 is bit n % 64 from the
					 * top of its byte n / 8 + 1 */
	uint64_t fwnmi_sreset, fwnmi_mcheck;	/* ibm,nmi-register; 0 = off */
	int64_t fwnmi_interlock;		/* processor that holds it, -1 none */
	unsigned log_mask;		/* enum log_channel */
	void *log_file;			/* FILE * */
	uint64_t log_second, log_lines;	/* guest_errors and unimp in that second of the clock */

	/* Run loop. Not saved. */
	struct term *term;
	struct console *consoles;	/* host/console.h: all that are open */
	struct cpu *suspending;		/* in ibm,suspend-me: to be saved before anything else; NULL */
	uint64_t suspend_status;	/* guest real address of that call's status */
	uint64_t rtas_results;		/* of the present call's, */
	uint32_t rtas_nret;		/* and how many */
	uint64_t hcall_work;		/* what calls and devices have cost the host in this quantum: MACHINE_WORK_MOST */
	bool side_by_side;		/* several threads run in it */
	bool hcall_turn_taken;		/* who may make one more call than there is room for has done so */
	uint64_t quantum_end;		/* cycle up to which processors run now; 0 between quanta */
	uint64_t next_poll;		/* cycle at which the host's inputs are looked at again */
	uint64_t rtc_base_ns;		/* rtc_offset_ns as the host's clock gave it; 0: -rtc base=DATE */
	int stop_signal;		/* host signal behind REQ_QUIT; 0: the user's Ctrl-A x */
	/* What is left of a quantum, or of an idle time, that a snapshot cut; its end is a cycle. */
	uint64_t cut_end;		/* 0: nothing is */
	struct runstate run;
	/* Of rooms above; NULL in a machine that nobody commands. */
	struct monitors *monitors;	/* monitor.c: who commands it */
	struct outgoing *outgoing;	/* outgoing.c: what they have written while they go on */
	struct snapshots *snapshots;	/* snapshot.c: what is to be saved when */
	struct gdb *gdb;		/* gdb.c: a debugger; NULL: none is wanted */
	struct display *display;	/* display.c: who sees the screen */
	uint8_t keys_let_go[32], buttons_let_go;	/* core/input.c: while it stood; a bit each */
	bool any_let_go;
	struct event_log *event_logs;	/* events.c: not yet fetched by the guest, oldest first */
	uint32_t next_plid;		/* platform log id of the next one */
	uint64_t unimp_hcalls[8], unimp_rtas;	/* said once under -d unimp, by number */
};

static inline struct machine *cpu_machine(struct cpu *cpu) { return cpu->env->machine; }
static inline struct spapr_cpu *cpu_spapr(struct cpu *cpu) { return cpu->machine_data; }

/* By interrupt server number; NULL: there is none, or it is absent. These are processor indices: -M vsmt= is the number of threads of
 * a core. */
static inline struct spapr_cpu *machine_cpu(struct machine *m, uint64_t server)
{
	return server < m->ncpus && !m->cpu[server]->absent ? m->cpu[server] : NULL;
}

/* Cycle right now: inside a hypercall or device access that processor's exact cycle,
 * elsewhere the clock's. */
uint64_t machine_now(struct machine *m);
uint64_t machine_timebase(struct machine *m);	/* ticks, never running backwards */
uint64_t machine_random(struct machine *m);	/* xoshiro256** */
void random_seed(struct machine *m, uint64_t seed);
/* Waits until `fd` can be written to, and serves signals and monitors meanwhile. Up to
 * PIPE_BUF bytes can, then. False: no more, the process is to end. */
bool machine_waits_to_write(struct machine *m, int fd);
void machine_log(struct machine *m, unsigned channel, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

#endif

/* The virtual processor dispatcher: who runs where, since when, and why.
 *
 * A partition's virtual processors (cores of one or more threads) share the physical processors of
 * a pool. This is the one place that knows who runs. It keeps each thread's VPA counters and times
 * and dispatch trace log (vpa.c, dtl.c) and, outside the guest, the log of all transitions
 * (dtl_file.c). Source: PAPR, "Shared Processor LPAR Option".
 *
 * Time is in cycles of the virtual clock. Whoever stops does so at its exact cycle, and the next one
 * begins there; whoever is woken becomes ready at the end of the quantum that this happened in.
 */
#ifndef HCALL_DISPATCHER_H
#define HCALL_DISPATCHER_H

#include <stdbool.h>
#include <stdint.h>

struct cpu;
struct error;
struct machine;
struct spapr_cpu;

#define POOL_MAX_PROCS   64		/* physical processors (cores) */
#define POOL_MAX_LOAD    64		/* virtual processors of the competing load */
#define POOL_UNIT        100		/* entitlement and load are in hundredths of a processor, as in PAPR */
#define PHYSICAL_NONE    0xffff		/* no physical thread: not dispatched yet */

/* Where a virtual thread or a virtual processor of the load is. The numbers stand in -dtl files. */
enum vp_state {
	VP_STOPPED,	/* RTAS stop-self, or never started */
	VP_CEDED,	/* H_CEDE; of the load: nothing to do */
	VP_CONFERRED,	/* H_CONFER */
	VP_JOINED,	/* H_JOIN */
	VP_WAITING,	/* ready, but its partition has used up its capacity for this window */
	VP_READY,	/* has capacity, waits for a physical processor */
	VP_RUNNING,	/* dispatched */
	VP_STATES
};

/* Why it got there. The numbers stand in -dtl files. */
enum vp_reason {
	VP_NONE,
	/* to RUNNING, or ready for it */
	VP_EXTERNAL, VP_PROD, VP_DECREMENTER, VP_RESET, VP_DOORBELL,
	VP_STARTED,	/* RTAS start-cpu, or boot */
	VP_SLICE,	/* its turn, for its own time slice */
	VP_GIFT,	/* on cycles that another one conferred */
	VP_TURN_OVER,	/* whom it conferred to has had a turn */
	VP_WINDOW,	/* a new window brought new capacity */
	VP_DEMAND,	/* load: work has come */
	/* away from RUNNING */
	VP_CEDE, VP_CONFER, VP_JOIN, VP_STOP,
	VP_SLICE_END,	/* its time slice is over and another one waits */
	VP_DISPLACED,	/* another one waits that is entitled to the capacity */
	VP_CAPPED,	/* the capacity of a capped partition is used up for this window */
	VP_DONE,	/* load: its work is done */
	VP_REASONS
};

/* The three times between two dispatches. PAPR, "Shared Processor LPAR Option". */
enum wait_interval {
	WAIT_NOT_READY,		/* 1: stopped until ready (ceded, conferred..) */
	WAIT_CAPACITY,		/* 2: ready until its partition has capacity */
	WAIT_PROCESSOR,		/* 3: has capacity until dispatched */
	WAIT_INTERVALS
};

/* What the dispatcher keeps of one virtual thread; part of struct spapr_cpu. */
struct vp_thread {
	uint8_t state;			/* enum vp_state */
	uint8_t stopped_by;		/* enum vp_reason: why it left its processor last */
	uint8_t woken_by;		/* enum vp_reason: what made it ready */
	bool gift;			/* to be dispatched on conferred cycles */
	uint16_t physical;		/* thread of a physical processor it runs on or ran on last: processor *
					 * threads + thread, or PHYSICAL_NONE */
	bool donated;			/* it ceded with its VPA's donate bit set */
	bool donated_idle;		/* and with the idle hint */
	uint64_t stopped, ready, queued;	/* cycle of each; meaningful while not RUNNING */
	uint64_t dispatched;		/* cycle of the last dispatch */
	uint64_t waited[WAIT_INTERVALS];	/* cycles in all */
	uint64_t ran;			/* cycles in all, without the present dispatch */
	uint64_t awaits;		/* H_CONFER: threads (by index) that are to have a turn; 0 none */
	uint64_t dispatches;
};

/* A virtual processor: a core of the guest's, or one of the competing load's. */
struct vproc {
	int16_t phys;			/* physical processor it runs on, -1 none */
	int16_t last;			/* that it ran on last, -1 none */
	uint8_t state;			/* VP_CEDED (no thread wants to run), VP_WAITING, VP_READY, VP_RUNNING */
	uint8_t home;			/* chip */
	uint64_t ready, since;		/* cycle it became ready; cycle up to which its partition has paid */
	uint64_t slice_end;
	uint64_t turn;			/* place in the queue, lower is first */
	uint64_t away;			/* cycles on other chips than its home, over home_cycles */
	uint64_t home_cycles;
	/* Load only. */
	uint64_t demand;		/* cycles per window that it wants */
	uint64_t owed;			/* cycles of work at hand */
	bool bursting;
	uint32_t phase;			/* bursty: windows until it changes its mind */
};

enum partition_id { PARTITION_GUEST, PARTITION_LOAD, PARTITIONS };

struct partition {
	uint32_t entitlement;		/* hundredths of a processor */
	uint32_t weight;		/* 0..255; 0: in effect capped */
	bool capped;
	bool backlog;			/* somebody of it has waited for a processor in this window */
	bool contends;			/* and has competed for what others leave */
	int64_t budget;			/* cycles of its entitlement left in this window; overdrawn below 0 */
	uint64_t excess;		/* what it had beyond it, divided by weight */
	uint64_t used;			/* cycles in all */
	unsigned n;
	struct vproc *vp;
};

struct dispatcher {
	bool shared;			/* a pool; else each virtual processor has a physical one */
	bool confers;			/* false: H_CONFER does nothing (-pool confer=off) */
	unsigned procs, chips;		/* physical processors; chips that they are on */
	unsigned threads;		/* of a processor */
	uint64_t window;		/* cycles */
	uint64_t window_end;		/* cycle; a multiple of window */
	uint64_t next_turn;
	uint64_t now;			/* cycle of the last look at everything */
	uint64_t idle;			/* cycles that physical processors had nobody to run, summed, up to now */
	struct partition partition[PARTITIONS];
	struct { struct vproc *vp; uint8_t partition; } on[POOL_MAX_PROCS];	/* who runs; vp NULL: nobody */
	bool bursty;
	uint64_t rng;			/* of the bursty load */
	struct dtl_file *file;		/* -dtl; NULL */
};

struct pool_options {
	bool given;
	unsigned procs, chips;
	uint32_t entitlement;		/* hundredths; 0: as much as the virtual processors can use and the load leaves */
	bool capped;
	unsigned weight;
	uint64_t window_ns;
	uint32_t load, load_entitlement;	/* hundredths; of the latter 0: what it wants and the guest leaves */
	unsigned load_weight;
	bool load_entitled;		/* load-entitlement= was given */
	bool bursty;
	uint64_t load_seed;
	bool no_confer;
};

/* ---- Life ---- */
/* The machine's processors are there already. False: err->msg says why. */
bool dispatcher_new(struct machine *m, const struct pool_options *options, struct error *err);
void dispatcher_free(struct machine *m);
void dispatcher_reset(struct machine *m);	/* nobody runs, nobody has waited */

/* ---- For the run loop ---- */
/* At clock.now, all processors have run up to there: pays, wakes, preempts and dispatches. */
void dispatcher_look(struct machine *m);
/* The next cycle after clock.now at which looking would change something; UINT64_MAX none. */
uint64_t dispatcher_next(const struct machine *m);
/* The thread has left CPU_RUNNING at its exact cycle. */
void dispatcher_stopped(struct machine *m, struct spapr_cpu *sc);
/* No thread of the virtual processor on `phys` runs any more, from `cycle` on: dispatches the next
 * one there, if one is ready. */
void dispatcher_hand_over(struct machine *m, unsigned phys, uint64_t cycle);
/* First thread's index of the guest's virtual processor on `phys`; -1: none, or the load. */
int dispatcher_core_on(const struct machine *m, unsigned phys);
bool vp_runs(const struct spapr_cpu *sc);	/* dispatched */

/* ---- For hypercalls ---- */
/* H_CONFER to `target` (NULL: to all): the caller waits for their turn and leaves its processor. */
void dispatcher_confer(struct machine *m, struct spapr_cpu *caller, struct spapr_cpu *target);
bool dispatcher_work_waits(const struct machine *m);	/* somebody of the pool is ready and has no processor */
/* Entitlement (hundredths) and weight from now on; what does not fit is cut to what does, and then
 * the answer is false. */
bool dispatcher_set_capacity(struct machine *m, uint64_t entitlement, uint64_t weight);
uint32_t dispatcher_max_entitlement(const struct machine *m);	/* hundredths: what the pool can give the guest */
uint32_t dispatcher_min_entitlement(const struct machine *m);
uint64_t dispatcher_idle_cycles(struct machine *m);	/* of the pool, up to this very cycle */
uint64_t dispatcher_run_cycles(struct machine *m, enum partition_id who);	/* dispatched, in all, up to this cycle */
unsigned dispatcher_chip(const struct dispatcher *d, unsigned phys);
/* Home chip of a virtual thread; chip of a physical thread (as in a DTL entry), -1 no such thread. */
unsigned dispatcher_home_chip(const struct machine *m, const struct spapr_cpu *sc);
int dispatcher_physical_chip(const struct machine *m, uint64_t physical);

const char *vp_state_name(enum vp_state state);
const char *vp_reason_name(enum vp_reason reason);

#endif

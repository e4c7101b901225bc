/* The virtual processor dispatcher: which virtual processor runs on which physical one, since when, and why.
 *
 * A partition's virtual processors (cores of one or more threads) share the physical processors of
 * a pool. The dispatcher alone decides which of them run. It keeps each thread's counters and times in
 * its VPA, its dispatch trace log (vpa.c, dtl.c) and, outside the guest, the log of all transitions
 * (dtl_file.c). Source: PAPR, "Shared Processor LPAR Option".
 *
 * Time is in cycles of the virtual clock. A thread stops at its exact cycle, and the next one on that
 * physical processor begins there; a thread that is woken becomes ready at the end of the quantum in
 * which it was woken.
 */
#ifndef HCALL_DISPATCHER_H
#define HCALL_DISPATCHER_H

#include <stdbool.h>
#include <stdint.h>

#include "machine/vp/vp.h"

struct cpu;
struct error;
struct machine;
struct pool_config;		/* machine/core/config.h */
struct spapr_cpu;

#define POOL_SLICES      10		/* time slices of a window */
#define POOL_HINTS       16		/* parts of a slice: after one of them a thread's idle hint counts; a look at each while one waits */
#define POOL_HOME_WINDOWS 100		/* windows between two reviews of the virtual processors' homes */

/* A virtual processor: a core of the guest's, or one of the competing load's. */
struct vproc {
	uint8_t state;			/* VP_CEDED (none of its threads wants to run), VP_WAITING, VP_READY, VP_RUNNING */
	uint8_t home;			/* chip */
	int16_t phys;			/* physical processor that it runs on or ran on last, -1 none yet */
	uint64_t paid;			/* cycle up to which its partition has been charged for it; not running: where it left */
	uint64_t slice_end;		/* cycle; RUNNING only */
	uint64_t slice_left;		/* cycles left of the slice in which it was preempted; it keeps its turn for them */
	uint64_t turn;			/* place in the queue, lower is first; READY only */
	uint64_t ran, away;		/* cycles run since the last review of its home; those of them on other chips */
	/* Load only. */
	uint64_t demand;		/* cycles that it wants in each window */
	uint64_t owed;			/* cycles of this window's demand that it has not had yet */
	bool bursting;
	uint32_t phase;			/* bursty: windows left of the present burst or pause */
};

struct partition {
	uint32_t entitlement;		/* hundredths of a processor */
	uint32_t weight;		/* 0..255; 0: in effect capped */
	bool capped;
	bool contends;			/* it has wanted more than its entitlement in this window */
	int64_t budget;			/* cycles of its entitlement left in this window; below 0: it ran more than that */
	uint64_t excess;		/* cycles that it had beyond its entitlement */
	uint64_t used;			/* cycles in all */
	uint32_t excess_weight;		/* weight that `excess` is measured by: the present one, or the last above 0 */
	unsigned n;
	struct vproc *vp;
};

struct dispatcher {
	bool shared;			/* a pool; else each virtual processor has a physical one */
	bool confers;			/* false: H_CONFER does nothing (-pool confer=off) */
	unsigned procs, chips;		/* physical processors; chips that they are on */
	unsigned threads;		/* of a processor */
	bool limits;			/* entitlements matter: the guest is capped or has weight 0, or there is a load */
	uint64_t window, window_end;	/* cycles; cycle, a multiple of window */
	uint64_t since;			/* cycle of the last reset */
	uint64_t homes_due;		/* cycle of the next review of homes */
	uint64_t next_turn;		/* place that the next one to join the queue gets */
	struct partition partition[PARTITIONS];
	struct physical { struct vproc *vp; uint8_t partition; uint64_t slice_end; } on[VP_MAX];
					/* what runs there (vp NULL: nothing), and the end of its slice or of the last one */
	bool bursty;
	uint64_t rng;			/* state of the random numbers of the bursty load */
	struct transitions *transitions;	/* for those who look; NULL: nobody does */
	struct dtl_file *file;		/* -dtl; NULL */
};

/* ---- Life ---- */
/* The machine's processors are there already, and the options fit them. False: err->msg says why. */
bool dispatcher_new(struct machine *m, const struct pool_config *options, struct error *err);
void dispatcher_free(struct machine *m);
void dispatcher_thread_leaves(struct machine *m, struct spapr_cpu *sc);	/* its core goes: the logs hear that it stops */
void dispatcher_thread_reset(struct machine *m, struct spapr_cpu *sc);	/* the same for one */
void dispatcher_reset(struct machine *m, bool logged);	/* no thread runs, and none has waited */
void dispatcher_log_begin(struct machine *m);	/* after a load: who looks starts afresh, with the state of each virtual processor */

/* ---- For the run loop ---- */
/* At clock.now, up to which all processors have run: charges partitions, wakes, preempts and dispatches. */
void dispatcher_look(struct machine *m);
/* The next cycle after clock.now at which dispatcher_look() may change something; UINT64_MAX none. */
uint64_t dispatcher_next(const struct machine *m);
/* The thread has left CPU_RUNNING at its exact cycle. */
void dispatcher_stopped(struct machine *m, struct spapr_cpu *sc);
/* No thread of the virtual processor on `phys` runs from `cycle` on: it leaves, and the next virtual
 * processor is dispatched there, if one is ready. */
void dispatcher_hand_over(struct machine *m, unsigned phys, uint64_t cycle);
struct partition *dispatcher_guest(const struct machine *m);
struct vproc *dispatcher_core(const struct machine *m, const struct spapr_cpu *sc);	/* that the thread is part of */
/* First thread's index of the guest's virtual processor on `phys`; -1: none, or the load. */
int dispatcher_core_on(const struct machine *m, unsigned phys);
bool vp_runs(const struct spapr_cpu *sc);	/* dispatched */

/* ---- For hypercalls ---- */
/* H_CONFER to `target` (NULL: to all): the caller leaves its processor and waits until each has had a turn. */
void dispatcher_confer(struct machine *m, struct spapr_cpu *caller, struct spapr_cpu *target);
bool dispatcher_work_waits(const struct machine *m);	/* some virtual processor of the pool is ready and has no physical one */
/* Entitlement (hundredths) and weight from now on. Values that do not fit are cut to the nearest that do,
 * and the answer is false. */
bool dispatcher_set_capacity(struct machine *m, uint64_t entitlement, uint64_t weight);
uint32_t dispatcher_entitlement(const struct machine *m);	/* hundredths: the guest's; with a processor for each core, that of those that are there */
uint32_t dispatcher_max_entitlement(const struct machine *m);	/* hundredths: the most that the pool can give the guest */
uint32_t dispatcher_min_entitlement(const struct machine *m);
uint64_t dispatcher_idle_cycles(struct machine *m);	/* of the pool's processors, up to this very cycle */
uint64_t dispatcher_run_cycles(struct machine *m, enum partition_id who);	/* dispatched, in all, up to this cycle */
unsigned dispatcher_chip(const struct dispatcher *d, unsigned phys);
/* Home chip of a virtual thread; chip of a physical thread (as in a DTL entry), -1 no such thread. */
unsigned dispatcher_home_chip(const struct machine *m, const struct spapr_cpu *sc);
int dispatcher_physical_chip(const struct machine *m, uint64_t physical);

#endif

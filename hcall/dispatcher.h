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

#include "machine/vp/vp.h"

struct cpu;
struct error;
struct machine;
struct pool_config;		/* machine/core/config.h */
struct spapr_cpu;

#define POOL_SLICES      10		/* time slices of a window */
#define POOL_HOME_WINDOWS 100		/* after so many a virtual processor's home is thought over */

/* A virtual processor: a core of the guest's, or one of the competing load's. */
struct vproc {
	uint8_t state;			/* VP_CEDED (nothing of it wants to run), VP_WAITING, VP_READY, VP_RUNNING */
	uint8_t home;			/* chip */
	int16_t phys;			/* physical processor that it runs on or ran on last, -1 none yet */
	uint8_t pad1[4];		/* no gaps that the compiler makes: snapshots account for each byte */
	uint64_t paid;			/* cycle up to which its partition has paid: the last of those that it ran */
	uint64_t slice_end;		/* cycle; RUNNING only */
	uint64_t slice_left;		/* of the slice that it was preempted in; it keeps its turn for that */
	uint64_t turn;			/* place in the queue, lower is first; READY only */
	uint64_t ran, away;		/* cycles run since its home was last thought over, and on other chips */
	/* Load only. */
	uint64_t demand;		/* cycles of a window that it wants */
	uint64_t owed;			/* of them still to come in this window */
	bool bursting;
	uint8_t pad2[3];
	uint32_t phase;			/* bursty: windows until it changes its mind */
};

struct partition {
	uint32_t entitlement;		/* hundredths of a processor */
	uint32_t weight;		/* 0..255; 0: in effect capped */
	bool capped;
	bool contends;			/* in this window it has asked for more than its entitlement */
	uint8_t pad1[6];
	int64_t budget;			/* cycles of its entitlement left in this window; below 0: overdrawn */
	uint64_t excess;		/* cycles that it had beyond its entitlement */
	uint64_t used;			/* cycles in all */
	uint32_t excess_weight;		/* what the excess counts by: its weight, or the last one above 0 */
	unsigned n;
	struct vproc *vp;
};

struct dispatcher {
	bool shared;			/* a pool; else each virtual processor has a physical one */
	bool confers;			/* false: H_CONFER does nothing (-pool confer=off) */
	uint8_t pad1[2];
	unsigned procs, chips;		/* physical processors; chips that they are on */
	unsigned threads;		/* of a processor */
	bool limits;			/* entitlements matter: somebody is capped, or there is a load */
	uint8_t pad2[7];
	uint64_t window, window_end;	/* cycles; cycle, a multiple of window */
	uint64_t since;			/* cycle of the last reset */
	uint64_t homes_due;		/* cycle after which homes are thought over */
	uint64_t next_turn;		/* of who queues next */
	struct partition partition[PARTITIONS];
	struct physical { struct vproc *vp; uint8_t partition; uint64_t slice_end; } on[POOL_MAX_PROCS];
					/* who runs, vp NULL: nobody; end of the slice that it or the last one had */
	bool bursty;
	uint8_t pad3[7];
	uint64_t rng;			/* of the bursty load */
	struct dtl_file *file;		/* -dtl; NULL */
};

/* ---- Life ---- */
/* The machine's processors are there already, and the options fit them. False: err->msg says why. */
bool dispatcher_new(struct machine *m, const struct pool_config *options, struct error *err);
void dispatcher_free(struct machine *m);
void dispatcher_reset(struct machine *m, bool logged);	/* nobody runs, nobody has waited */
void dispatcher_log_begin(struct machine *m);	/* after a load: -dtl starts afresh, with what each is in */

/* ---- For the run loop ---- */
/* At clock.now, all processors have run up to there: pays, wakes, preempts and dispatches. */
void dispatcher_look(struct machine *m);
/* The next cycle after clock.now at which looking would change something; UINT64_MAX none. */
uint64_t dispatcher_next(const struct machine *m);
/* The thread has left CPU_RUNNING at its exact cycle. */
void dispatcher_stopped(struct machine *m, struct spapr_cpu *sc);
/* No thread of the virtual processor on `phys` runs any more, from `cycle` on: it leaves, and the
 * next one is dispatched there, if one is ready. */
void dispatcher_hand_over(struct machine *m, unsigned phys, uint64_t cycle);
struct partition *dispatcher_guest(const struct machine *m);
struct vproc *dispatcher_core(const struct machine *m, const struct spapr_cpu *sc);	/* that the thread is part of */
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

#endif

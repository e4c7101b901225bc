/* Virtual processor areas as the dispatcher touches them. PAPR, "Virtual Processor Areas". */
#ifndef HCALL_SPLPAR_H
#define HCALL_SPLPAR_H

#include "machine/core/machine.h"

/* Forgets every area of one thread, as at a reboot. */
void vpa_reset(struct spapr_cpu *sc);
/* The thread has just been dispatched for `reason`; sc->vp.wait holds the times that it waited, which are
 * added to its totals. `moved`: it is on another physical thread than before. */
void vpa_dispatched(struct machine *m, struct spapr_cpu *sc, enum vp_reason reason, bool moved);
/* The core whose first thread's index is `first` is dispatched again, after `cycles` that it may have given away. */
void vpa_donate(struct machine *m, unsigned first, uint64_t cycles);
/* The thread has just left its physical processor. */
void vpa_stopped(struct machine *m, struct spapr_cpu *sc);
/* The thread's home is another chip now. */
void vpa_moved_home(struct machine *m, struct spapr_cpu *sc, unsigned from, unsigned to);
/* The thread is stopped and comes from another hypervisor: counting goes on from the counts in its areas. */
void vpa_adopt(struct machine *m, struct spapr_cpu *sc);
/* The guest says in the thread's VPA that it is idle. */
bool vpa_idle_hint(const struct machine *m, const struct spapr_cpu *sc);

/* All other threads are stopped or in H_JOIN: none runs or can wake by itself. splpar.c */
bool others_joined(const struct machine *m, const struct cpu *cpu);

/* ---- share.c: of the core whose first thread's index is `first` ---- */
#define SHARE_MAX_THREADS 8		/* of a core */

/* Counts what each thread has had up to cycle `now`, which all dispatched threads have reached. */
void share_settle(struct machine *m, unsigned first, uint64_t now);
/* Divides the core, from the last settlement on, among the threads that are dispatched now. */
void share_deal(struct machine *m, unsigned first);
void share_tell(struct machine *m, unsigned first);	/* the timing model, how many threads run */
/* A thread of the core starts at clock.now, the first to do so. */
void share_start(struct machine *m, unsigned first);
void share_reset(struct cpu *cpu, uint64_t now);

/* ---- slb_shadow.c ---- */
/* The thread has just been dispatched: its persistent segments come from the buffer, if it has one and a hash MMU. */
void slb_shadow_load(struct machine *m, struct spapr_cpu *sc);

/* ---- dtl.c ---- */
struct dtl_entry {
	uint8_t dispatch_reason, preempt_reason;	/* codes of PAPR */
	uint16_t processor;
	uint64_t waits[WAIT_INTERVALS];	/* timebase ticks */
	uint64_t timebase, srr0, srr1;
};

/* A ring that area_check() has found good. H_RESOURCE: it has no VPA. */
int64_t dtl_register(struct machine *m, struct spapr_cpu *sc, uint64_t addr, uint64_t size);
void dtl_deregister(struct spapr_cpu *sc);
void dtl_mirror_index(struct machine *m, const struct spapr_cpu *sc);	/* into a new VPA; nothing if there is no log */
/* Writes an entry, if there is a log and its mask wants entries of that kind. */
void dtl_append(struct machine *m, struct spapr_cpu *sc, const struct dtl_entry *entry);

#endif

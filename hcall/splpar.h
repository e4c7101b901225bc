/* Virtual processor areas as the dispatcher touches them. PAPR, "Virtual Processor Areas". */
#ifndef HCALL_SPLPAR_H
#define HCALL_SPLPAR_H

#include "machine/core/machine.h"

/* Forgets every area of one thread, as at a reboot. */
void vpa_reset(struct spapr_cpu *sc);
/* It has just been dispatched for `reason`; sc->vp.wait holds the times that it waited, which are
 * added to its totals. `moved`: on another physical thread than before. */
void vpa_dispatched(struct machine *m, struct spapr_cpu *sc, enum vp_reason reason, bool moved);
/* The core whose first thread's index is `first` is dispatched again after `cycles`. */
void vpa_donate(struct machine *m, unsigned first, uint64_t cycles);
/* It has just left its physical processor. */
void vpa_stopped(struct machine *m, struct spapr_cpu *sc);
/* Its home is another chip now. */
void vpa_moved_home(struct machine *m, struct spapr_cpu *sc, unsigned from, unsigned to);
/* Another hypervisor kept its areas until now, and it is stopped: goes on counting where they say. */
void vpa_adopt(struct machine *m, struct spapr_cpu *sc);
/* The guest says that it is idle there. */
bool vpa_idle_hint(const struct machine *m, const struct spapr_cpu *sc);

/* Nobody but `cpu` runs, or could by itself. splpar.c */
bool others_joined(const struct machine *m, const struct cpu *cpu);

/* ---- share.c: of the core whose first thread's index is `first` ---- */
#define SHARE_MAX_THREADS 8		/* of a core */

/* What each thread has had, up to cycle `now`, which all have reached that are dispatched. */
void share_settle(struct machine *m, unsigned first, uint64_t now);
/* What each is to have from the last settlement on, by who is dispatched. */
void share_deal(struct machine *m, unsigned first);
/* The first of its threads starts at clock.now, none was started before. */
void share_start(struct machine *m, unsigned first);
void share_reset(struct cpu *cpu, uint64_t now);

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

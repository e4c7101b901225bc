/* The pool's side of the dispatcher: what each partition is entitled to, and which virtual processor comes next.
 * It knows partitions and virtual processors, no threads and no guest. */
#ifndef HCALL_POOL_H
#define HCALL_POOL_H

#include "hcall/dispatcher.h"

/* Partitions and queue as after power-on at `cycle`; entitlements stay. */
void pool_reset(struct dispatcher *d, uint64_t cycle);
/* Entitlement, capping or load have changed. */
void pool_changed(struct dispatcher *d);
void pool_set_weight(struct partition *p, uint32_t weight);
/* May the partition's virtual processors run in this window? */
bool pool_has_capacity(const struct partition *p);
bool pool_anyone(const struct partition *p, enum vp_state state);	/* of its virtual processors is in that state */
/* Charges the partition for what `vp` ran up to `cycle`; if it is of the load, that work is done. */
void pool_pay(struct dispatcher *d, struct partition *p, struct vproc *vp, uint64_t cycle);
/* Ends the windows that are over at `cycle`: new budgets, new work for the load. True if a window ended. */
bool pool_roll(struct dispatcher *d, uint64_t cycle);
/* Puts the virtual processor at the end of the queue. */
void pool_queue(struct dispatcher *d, struct vproc *vp);
/* The ready virtual processor that comes next; NULL: none. *who: its partition. */
struct vproc *pool_next(struct dispatcher *d, enum partition_id *who);
/* Does a virtual processor of partition `a` come before one of `b`? */
bool pool_before(const struct dispatcher *d, const struct partition *a, const struct partition *b);
/* Has `a` budget left, and `b` none, so that `b` runs only on what others leave? */
bool pool_displaces(const struct partition *a, const struct partition *b);
/* A free physical processor for `vp`, the nearest to the one it ran on; -1: none is free. */
int pool_place(const struct dispatcher *d, const struct vproc *vp);
/* Next cycle after `now` at which a budget, a slice, a window or work of the load ends, where that changes something, or at which
 * idle hints are looked at; all partitions have been charged up to `now`. UINT64_MAX none. */
uint64_t pool_next_change(const struct dispatcher *d, uint64_t now);
uint64_t pool_slice(const struct dispatcher *d);	/* cycles */
uint64_t pool_hint_delay(const struct dispatcher *d);	/* cycles from dispatch until the idle hint of a VPA counts */

#endif

/* The pool's side of the dispatcher: who is entitled to what, and who comes next. Used by
 * dispatcher.c alone; it knows partitions and virtual processors, no threads and no guest. */
#ifndef HCALL_POOL_H
#define HCALL_POOL_H

#include "hcall/dispatcher.h"

/* Partitions and queue as after power-on at `cycle`; entitlements stay. */
void pool_reset(struct dispatcher *d, uint64_t cycle);
/* Entitlement, capping or load have changed. */
void pool_changed(struct dispatcher *d);
void pool_set_weight(struct partition *p, uint32_t weight);
/* May it run in this window? */
bool pool_has_capacity(const struct partition *p);
bool pool_anyone(const struct partition *p, enum vp_state state);	/* of its virtual processors is in that state */
/* The partition pays for what `vp` ran up to `cycle`; of the load, work is done. */
void pool_pay(struct dispatcher *d, struct partition *p, struct vproc *vp, uint64_t cycle);
/* The windows up to `cycle` are over: new budgets, new work for the load. True if any was. */
bool pool_roll(struct dispatcher *d, uint64_t cycle);
/* To the queue's end. */
void pool_queue(struct dispatcher *d, struct vproc *vp);
/* The ready virtual processor that comes next; NULL: none. *who: its partition. */
struct vproc *pool_next(struct dispatcher *d, enum partition_id *who);
/* Comes `a` before `b`, by what they are entitled to? */
bool pool_before(const struct dispatcher *d, const struct partition *a, const struct partition *b);
/* Is `a` entitled to what `b` only has because others left it? */
bool pool_displaces(const struct partition *a, const struct partition *b);
/* A free physical processor for it, the nearest to where it ran; -1: none is free. */
int pool_place(const struct dispatcher *d, const struct vproc *vp);
/* Next cycle after `now` at which a budget, a slice, a window or work of the load ends, if that
 * matters to anyone; everybody has paid up to `now`. UINT64_MAX none. */
uint64_t pool_next_change(const struct dispatcher *d, uint64_t now);
uint64_t pool_slice(const struct dispatcher *d);	/* cycles */

#endif

/* The dispatcher's transitions, for those who look at it from outside: -dtl (dtl_file.c), the panel (machine/display).
 *
 * Physical processors run one after another through a quantum, so their records come unsorted: they wait for the
 * quantum's end, and readers get them in order of time. d->transitions is NULL while nobody reads. */
#ifndef HCALL_TRANSITIONS_H
#define HCALL_TRANSITIONS_H

#include <stdbool.h>

#include "machine/vp/dtl_format.h"

struct machine;

struct transition_reader {
	/* What has come is of another run: it begins at this cycle, with each virtual processor stopped (the guest's) or
	 * ceded (the load's). Records with reason VP_NONE follow for those that are not. */
	void (*restart)(struct transition_reader *self, uint64_t cycle);
	void (*take)(struct transition_reader *self, const struct dtl_record *record);
	/* Nothing earlier than `cycle` follows. */
	void (*synced)(struct transition_reader *self, uint64_t cycle);
	void (*lost)(struct transition_reader *self);	/* the host has no memory, and some never come */
	struct transition_reader *next;
};

/* Between quanta, or before the machine runs. False: out of memory. */
bool transitions_join(struct machine *m, struct transition_reader *reader);
void transitions_leave(struct machine *m, struct transition_reader *reader);

/* ---- For the dispatcher ---- */
void transitions_add(struct machine *m, const struct dtl_record *record);
void transitions_sync(struct machine *m);	/* nothing earlier than clock.now follows */
void transitions_restart(struct machine *m);	/* the machine is another one now */
void transitions_free(struct machine *m);	/* all readers have left */

#endif

/* What the dispatcher has done last, as far back as there is room for: the panel's memory. */
#ifndef MACHINE_DISPLAY_HISTORY_H
#define MACHINE_DISPLAY_HISTORY_H

#include <stdbool.h>
#include <stdint.h>

#include "hcall/transitions.h"
#include "machine/vp/vp.h"

#define HISTORY_ROOM (UINT64_C(1) << 16)	/* transitions */
#define HISTORY_NONE UINT64_MAX			/* no number of one */

struct history {
	struct transition_reader reader;
	unsigned cpus, vps;			/* virtual threads of the guest; with the load's processors, which come after them */
	struct dtl_record *ring;
	uint64_t first, end;			/* numbers: of the oldest, and of the next one to come */
	struct history_vp { uint8_t state; uint16_t physical; uint64_t since; } *before, *now;
						/* what each was in before the oldest; `now` is for those who walk */
	uint64_t begins, until;			/* cycles: nothing is known before, nor after */
	void (*restarted)(struct history *h), (*came)(struct history *h);	/* it is of another run; `until` is another one */
};

/* A time that a virtual processor spent in one state. */
struct history_span {
	unsigned vp;
	enum vp_state state;
	int physical;				/* thread that it runs on; -1: it does not run */
	uint64_t from, to;			/* cycles; from < to */
};

/* All that can be said of one transition. */
struct history_story {
	struct dtl_record record;
	bool over;				/* another one has followed, */
	uint64_t ended;				/* at this cycle; else: until now */
	uint8_t ended_by;			/* enum vp_reason */
	bool ran_before;			/* of one to RUNNING: when it left its processor last is known, so that the next three hold */
	uint8_t stopped_by;
	uint64_t wait[WAIT_INTERVALS];		/* cycles since then */
};

/* Reads m's transitions from now on, and calls both. False: out of memory. */
bool history_begin(struct history *h, struct machine *m, void (*restarted)(struct history *), void (*came)(struct history *));
void history_end(struct history *h, struct machine *m);

const struct dtl_record *history_record(const struct history *h, uint64_t number);	/* NULL: forgotten, or none yet */
unsigned history_vp_of(const struct history *h, const struct dtl_record *r);
/* Spans, cut to these cycles, in order of their ends. */
void history_spans(const struct history *h, uint64_t from, uint64_t to, void (*span)(void *opaque, const struct history_span *s),
		   void *opaque);
/* Number of the transition by which the virtual processor came into the state that it is in at that cycle. */
uint64_t history_state_at(const struct history *h, unsigned vp, uint64_t cycle);
/* Number of the dispatch by which somebody runs on the physical thread at that cycle. */
uint64_t history_dispatch_at(const struct history *h, unsigned physical, uint64_t cycle);
/* The guest's next dispatch after that number, or the last before it. HISTORY_NONE as a number: the last of all. */
uint64_t history_next_dispatch(const struct history *h, uint64_t number);
uint64_t history_dispatch_before(const struct history *h, uint64_t number);
bool history_story(const struct history *h, uint64_t number, struct history_story *s);

#endif

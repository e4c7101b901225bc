/* The types of a virtual processor that three parts share: the board has one for each core, the dispatcher
 * (hcall/dispatcher.h) decides which of them run, and cede-dtl reads a log of that and knows no machine.
 */
#ifndef MACHINE_VP_VP_H
#define MACHINE_VP_VP_H

#include <stdbool.h>
#include <stdint.h>

#define VP_MAX           256		/* threads of a guest; physical processors of one that has a processor for each core */
#define VP_WORDS         (VP_MAX / 64)
#define POOL_MAX_PROCS   64		/* physical processors (cores) that -pool shares */
#define POOL_MAX_LOAD    64		/* virtual processors of the competing load */
#define POOL_UNIT        100		/* entitlement and load are in hundredths of a processor, as in PAPR */
#define PHYSICAL_NONE    0xffff		/* no physical thread: not dispatched yet */

/* Where a virtual thread or a virtual processor of the load is: VP_STOPPED.. */
enum vp_state {
#define VP_STATE(name, number, ...) VP_##name = number,
#include "machine/vp/vp.def"
	VP_STATES
};

/* Why it got there: VP_NONE.. */
enum vp_reason {
#define VP_REASON(name, number, ...) VP_##name = number,
#include "machine/vp/vp.def"
	VP_REASONS
};

/* The three times between two dispatches. PAPR, "Shared Processor LPAR Option". */
enum wait_interval {
	WAIT_NOT_READY,		/* 1: stopped until ready (ceded, conferred..) */
	WAIT_CAPACITY,		/* 2: ready until its partition has capacity */
	WAIT_PROCESSOR,		/* 3: has capacity until dispatched */
	WAIT_INTERVALS
};

enum partition_id { PARTITION_GUEST, PARTITION_LOAD, PARTITIONS };

/* What the dispatcher keeps of one virtual thread; part of struct spapr_cpu. */
struct vp_thread {
	uint8_t state;			/* enum vp_state */
	uint8_t stopped_by;		/* enum vp_reason: why it left its processor last; VP_NONE: never ran */
	uint8_t woken_by;		/* enum vp_reason: what made it ready */
	bool gift;			/* to be dispatched on conferred cycles */
	bool conferring;		/* H_CONFER to others: goes on when `awaits` is empty */
	bool confers_to_all;
	uint16_t physical;		/* thread of a physical processor that it runs on or ran on last:
					 * processor * threads + thread, or PHYSICAL_NONE */
	uint64_t since;			/* cycle at which it came into this state */
	uint64_t wait[WAIT_INTERVALS];	/* cycles since it left its processor, without those since `since` */
	uint64_t waited[WAIT_INTERVALS];	/* cycles in all, up to the last dispatch; never run back */
	uint64_t ran;			/* cycles dispatched in all, without those since `since` */
	uint64_t awaits[VP_WORDS];	/* H_CONFER: threads (bits by index) that are to have a turn first */
	uint64_t dispatches;
};

const char *vp_state_name(enum vp_state state);		/* for people, as in vp.def; "?" if there is none such */
const char *vp_reason_name(enum vp_reason reason);
enum wait_interval vp_interval(enum vp_state state);	/* what the time in it counts as; VP_RUNNING: WAIT_INTERVALS */
uint8_t vp_dispatch_code(enum vp_reason reason);	/* in a DTL entry */
uint8_t vp_preempt_code(enum vp_reason reason);

#endif

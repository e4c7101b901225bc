/* What a processor counts under a timing model: events for the performance monitor, and where cycles went. */
#ifndef CPU_CORE_COUNTS_H
#define CPU_CORE_COUNTS_H

#include <stdint.h>

/* Under `flat` all of these stay 0. Cycles and instructions are counted by the engine itself.
 *
 * A model adds to cpu->event[] and cpu->stall[], and calls nobody: the engine stops before a counter of the performance
 * monitor can overflow, and looks. For that, what an instruction brings is added by the time it ends, it is less than
 * EVENTS_MOST of each kind, and no more stalls than the cycles charged for it. */
#define EVENTS_MOST 64		/* lmw, its lines and the walks to them are fewer */

enum cpu_event {
	EVENT_BRANCH,		/* branches completed, taken or not */
	EVENT_TAKEN,
	EVENT_MISPREDICT,	/* direction or target */
	EVENT_LOAD,		/* accesses by loads; two for one that crosses a line */
	EVENT_STORE,
	EVENT_L1D_LOAD_MISS,
	EVENT_L1D_STORE_MISS,
	EVENT_L1I_MISS,
	EVENT_L2_MISS,		/* by loads, stores, fetches and walks */
	EVENT_L3_MISS,
	EVENT_DERAT_MISS,
	EVENT_DTLB_MISS,
	EVENT_IERAT_MISS,
	EVENT_ITLB_MISS,
	EVENT_PREFETCH,		/* lines that a stream has brought */
	NEVENTS
};

/* Parts of the time that were not spent dispatching at full width, in units of the model's clock. With what dispatch takes
 * for each instruction at that width they are all of the time.
 *
 * STALL_UNITS and STALL_THREADS are in no cpu->stall[]: stall_units() and stall_threads() work them out for those who look, over a time in which
 * the number of threads was the same. So they cost nothing while nobody does. */
enum stall {
	STALL_UNITS,		/* what remains: dependences, busy pipes, a full window, instructions of several places */
	STALL_TAKEN,		/* bubbles behind taken branches */
	STALL_MISPREDICT,
	STALL_FETCH,		/* instruction cache */
	STALL_L2,		/* data that came from there */
	STALL_L3,
	STALL_MEMORY,
	STALL_TRANSLATION,	/* ERAT, TLB, walks */
	STALL_STORE,		/* store queue full */
	STALL_SYNC,		/* nothing is dispatched behind sync, isync, larx, stcx. and their like; entering an interrupt */
	STALL_THREADS,		/* the core's other threads had their turn at dispatch */
	NSTALLS
};

#define STALLS_WORKED_OUT (UINT32_C(1) << STALL_UNITS | UINT32_C(1) << STALL_THREADS)

/* What instructions that took `time` at `width` each, with that many threads, have lost beside what cpu->stall[] has of it, in
 * all `known`. A time that is cut behind some instruction of a group may have less than nothing. */
static inline uint64_t stall_threads(uint64_t insns, unsigned width, unsigned threads) { return insns * width * (threads - 1); }
static inline uint64_t stall_units(uint64_t time, uint64_t insns, unsigned width, unsigned threads, uint64_t known)
{
	return time - insns * width * threads - known;
}

#define EVENT_NAMES { "branches", "taken", "mispredicts", "loads", "stores", "l1d-load-misses", "l1d-store-miss", "l1i-misses", \
	"l2-misses", "l3-misses", "derat-misses", "dtlb-misses", "ierat-misses", "itlb-misses", "prefetches" }
#define STALL_NAMES { "units", "taken", "mispredict", "fetch", "l2", "l3", "memory", "translation", "store", "sync", "threads" }

#endif

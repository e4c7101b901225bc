/* What a processor counts under a timing model: events for the performance monitor, and where cycles went. */
#ifndef CPU_CORE_COUNTS_H
#define CPU_CORE_COUNTS_H

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

/* Parts of the time that were not spent dispatching at full width, in units of the model's clock. */
enum stall {
	STALL_UNITS,		/* dependences, units and window: what the pipeline model adds */
	STALL_TAKEN,		/* bubbles behind taken branches */
	STALL_MISPREDICT,
	STALL_FETCH,		/* instruction cache */
	STALL_L2,		/* data that came from there */
	STALL_L3,
	STALL_MEMORY,
	STALL_TRANSLATION,	/* ERAT, TLB, walks */
	STALL_STORE,		/* store queue full */
	STALL_SYNC,		/* sync, isync, larx, stcx., interrupts, sc, rfid */
	STALL_THREADS,		/* the core's other threads had their turn */
	NSTALLS
};

#define EVENT_NAMES { "branches", "taken", "mispredicts", "loads", "stores", "l1d-load-misses", "l1d-store-miss", "l1i-misses", \
	"l2-misses", "l3-misses", "derat-misses", "dtlb-misses", "ierat-misses", "itlb-misses", "prefetches" }
#define STALL_NAMES { "units", "taken", "mispredict", "fetch", "l2", "l3", "memory", "translation", "store", "sync", "threads" }

#endif

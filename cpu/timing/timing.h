/* Timing models: which one the user wants, and which parts of it. */
#ifndef CPU_TIMING_TIMING_H
#define CPU_TIMING_TIMING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct core_model;

/* Parts that can be switched off one by one. The pipeline itself is what remains. */
enum timing_part { TIMING_CACHES = 1, TIMING_BRANCHES = 2, TIMING_TLB = 4, TIMING_SMT = 8, TIMING_ALL = 15,
	TIMING_CHARGES = 7 };

struct timing {
	const struct core_model *core;	/* NULL: `flat`, each instruction takes one cycle of the machine's clock */
	unsigned parts;			/* enum timing_part */
	unsigned mhz;			/* of the core */
	unsigned per_cycle;		/* units of the model in a cycle of the machine's clock; `flat`: 1 */
	unsigned interrupt;		/* units from an interrupt to its handler's first instruction; `flat`: 0 */
};

#define TIMING_MHZ_LEAST 500
#define TIMING_MHZ_MOST  8000

/* Reads "flat" or "power9,caches=off,freq=3300". False: `why` says what is wrong with it. */
bool timing_parse(const char *text, struct timing *timing, char *why, size_t size);

/* The core's clock: that of the machine's, for `flat`. */
uint64_t timing_hz(const struct timing *timing);

/* For snapshots: not 0. */
uint32_t timing_number(const struct core_model *core);

#endif

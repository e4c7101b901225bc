/* Reads what `cede -profile FILE` writes (cpu/spent/prof_format.h) as a whole, and checks each number in it. */
#ifndef TOOLS_PROF_PROF_FILE_H
#define TOOLS_PROF_PROF_FILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "cpu/spent/prof_format.h"
#include "savevm/error.h"

enum prof_idle { PROF_IDLE, PROF_STOPPED, PROF_READY, PROF_IDLES };

#define PROF_KERNEL UINT64_C(0)
#define PROF_REAL   UINT64_C(1)
static inline bool prof_is_user(uint64_t space) { return space & 2; }
static inline uint64_t prof_pid(uint64_t space) { return space >> 2; }

struct prof_cpu {
	uint64_t units, insns, away[PROF_IDLES], ahead;
	uint64_t events[PROF_MAX_EVENTS];
};

struct prof_block {
	uint64_t ea, gra, space, visits, units, insns;
	const uint8_t *reasons, *words, *ends;	/* big-endian, in the file */
	uint32_t function;			/* prof_functions.c */
	uint16_t n;				/* instructions */
	uint8_t mode;
};

enum prof_how { PROF_CALLED, PROF_INTERRUPT, PROF_UNKNOWN, PROF_HOWS };
struct prof_call {
	uint64_t ea, space, site, count, units, insns;
	uint64_t all_units, all_insns;		/* with all that it called */
	uint32_t parent, function;
	uint16_t depth;				/* of the root: 0 */
	uint8_t how;
};

struct prof_symbol_at {
	uint64_t addr;
	const char *name;			/* not terminated */
	uint8_t len;
};

struct prof {
	const char *path;
	uint8_t *bytes;
	size_t size;
	uint32_t ncpus, nreasons, nevents, nblocks, ncalls, nsymbols;
	uint32_t only;				/* PROF_ALL_CPUS, or the processor that was counted */
	uint32_t per_core, per_cycle;		/* units in a cycle of the core, of the machine's clock */
	uint32_t parts;				/* enum timing_part */
	uint64_t began, ended;			/* cycles of the machine's clock */
	uint64_t hz, core_hz, other_units, other_insns, other_visits, lost_calls;
	char timing[PROF_NAME];
	char reason[PROF_MAX_REASONS][PROF_NAME];
	char event[PROF_MAX_EVENTS][PROF_NAME];
	struct prof_cpu cpu[PROF_MAX_CPUS];
	struct prof_block *blocks;
	struct prof_call *calls;
	struct prof_symbol_at *symbols;
	/* Of all processors. */
	uint64_t units, insns, away[PROF_IDLES], events[PROF_MAX_EVENTS];
	uint64_t reasons[PROF_MAX_REASONS];	/* of all blocks */
};

/* False: err->msg says what is wrong, with the file's name. "-" is standard input. */
bool prof_open(struct prof *p, const char *path, struct error *err);
void prof_close(struct prof *p);

uint64_t prof_reason(const struct prof_block *b, unsigned i);
uint32_t prof_word(const struct prof_block *b, unsigned i);
uint64_t prof_end(const struct prof_block *b, unsigned i);

/* How often each instruction of the block was executed, and its part of the block's units: those are shared out by executions,
 * to the last one. */
struct prof_line {
	uint64_t executions, units;
};
void prof_lines(const struct prof_block *b, struct prof_line line[PROF_MAX_INSNS]);

/* All of a file, or of standard input, at most `most` bytes. NULL: err says why. */
uint8_t *prof_load(const char *path, size_t most, size_t *size, struct error *err);

#endif

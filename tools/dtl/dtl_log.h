/* Reading a -dtl file (machine/vp/dtl_format.h), record by record: every number that a reader could
 * stumble over is checked here. Sequence, not contents, is left to dtl_follow. */
#ifndef TOOLS_DTL_LOG_H
#define TOOLS_DTL_LOG_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "machine/vp/dtl_format.h"
#include "machine/vp/vp.h"
#include "savevm/error.h"

#define DTL_MAX_CPUS    512		/* virtual threads of a guest */
#define DTL_MAX_THREADS 8		/* of a processor */
#define DTL_MAX_VPS     (DTL_MAX_CPUS + POOL_MAX_LOAD)
#define DTL_MAX_PHYSICAL (POOL_MAX_PROCS * DTL_MAX_THREADS)

struct dtl_header {
	uint32_t cpus;			/* virtual threads of the guest */
	uint32_t threads;		/* of a processor */
	uint32_t procs, chips;		/* physical */
	uint32_t loads;			/* virtual processors of the load */
	uint64_t hz, tb_hz;		/* cycles, timebase ticks a second */
	uint64_t tb_offset;		/* timebase at cycle 0 */
	uint64_t window;		/* cycles */
	uint32_t entitlement, load_entitlement;	/* hundredths */
	uint32_t weight, load_weight, capped, shared;
	uint64_t begins;		/* cycle */
};

struct dtl_log {
	FILE *in;
	const char *name;
	struct dtl_header h;
	uint64_t records;		/* read so far, the end record among them */
	uint64_t cycle;			/* of the last one, or where the log begins */
	bool ended, cut;		/* end record seen; none, and no more to come */
};

/* Of a thing to be said about the log: err->msg has all but the program's name. */
bool dtl_log_open(struct dtl_log *log, const char *path, struct error *err);
/* The header's fields one by one: name and number; NULL after the last. */
const char *dtl_header_field(const struct dtl_header *h, unsigned i, uint64_t *value);
/* What is to be read twice: the rest of a pipe goes to a temporary file first. */
bool dtl_log_keep(struct dtl_log *log, struct error *err);
/* To the first record again, of one that is kept. */
bool dtl_log_rewind(struct dtl_log *log, struct error *err);
/* False: at the end (log->ended or log->cut), or an error, and then err->msg is not empty. */
bool dtl_log_read(struct dtl_log *log, struct dtl_record *r, struct error *err);
void dtl_log_close(struct dtl_log *log);

/* A number from the bytes of a file. */
uint64_t dtl_be(const uint8_t *at, unsigned bytes);

/* A virtual processor's place among all: the guest's come first. */
static inline unsigned dtl_vp_index(const struct dtl_header *h, const struct dtl_record *r)
{
	return r->partition == PARTITION_LOAD ? h->cpus + r->vp : r->vp;
}

static inline unsigned dtl_vps(const struct dtl_header *h) { return h->cpus + h->loads; }
static inline bool dtl_is_load(const struct dtl_header *h, unsigned vp) { return vp >= h->cpus; }
static inline unsigned dtl_proc(const struct dtl_header *h, unsigned physical) { return physical / h->threads; }

static inline unsigned dtl_chip(const struct dtl_header *h, unsigned physical)
{
	return dtl_proc(h, physical) * h->chips / h->procs;
}

#endif

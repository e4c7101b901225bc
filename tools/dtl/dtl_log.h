/* Reads a -dtl file (machine/vp/dtl_format.h), record by record, and checks each number in it. dtl_follow checks
 * whether a record may follow those before it. */
#ifndef TOOLS_DTL_DTL_LOG_H
#define TOOLS_DTL_DTL_LOG_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "machine/vp/dtl_format.h"
#include "machine/vp/vp.h"
#include "savevm/error.h"

#define DTL_MAX_CPUS    512		/* virtual threads of a guest */
#define DTL_MAX_THREADS 8		/* of a processor */
#define DTL_MAX_VPS     (DTL_MAX_CPUS + POOL_MAX_LOAD)
#define DTL_MAX_PHYSICAL (VP_MAX * DTL_MAX_THREADS)

struct dtl_header {
	uint32_t cpus;			/* virtual threads of the guest */
	uint32_t threads;		/* for each processor */
	uint32_t procs, chips;		/* physical */
	uint32_t loads;			/* virtual processors of the load */
	uint64_t hz, tb_hz;		/* cycles and timebase ticks in a second */
	uint64_t tb_offset;		/* timebase at cycle 0 */
	uint64_t window;		/* cycles */
	uint32_t entitlement, load_entitlement;	/* hundredths of a processor */
	uint32_t weight, load_weight, capped, shared;
	uint64_t begins;		/* cycle at which the log begins */
};

struct dtl_log {
	FILE *in;
	const char *name;
	struct dtl_header h;
	uint64_t records;		/* read so far, with the end record */
	uint64_t cycle;			/* of the last record; before the first, where the log begins */
	bool ended, cut;		/* the end record was read; the file ended without one */
};

/* False: err->msg says what is wrong, with the name of the log. "-" is standard input. */
bool dtl_log_open(struct dtl_log *log, const char *path, struct error *err);
/* Name and *value of field number `i` of the header; NULL: there are no more. */
const char *dtl_header_field(const struct dtl_header *h, unsigned i, uint64_t *value);
/* Makes a log that is a pipe readable twice: copies the rest of it to a temporary file. */
bool dtl_log_keep(struct dtl_log *log, struct error *err);
/* Goes back to the first record of a log that was kept. */
bool dtl_log_rewind(struct dtl_log *log, struct error *err);
/* False: the log is over (log->ended or log->cut), or there is an error, and then err->msg is not empty. */
bool dtl_log_read(struct dtl_log *log, struct dtl_record *r, struct error *err);
void dtl_log_close(struct dtl_log *log);

/* The big-endian number in so many bytes. */
uint64_t dtl_be(const uint8_t *at, unsigned bytes);

/* Index of a record's virtual processor among all: the guest's come before the load's. */
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

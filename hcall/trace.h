/* -trace hcall: hypercalls as strace shows system calls, and a table of them at the end.
 *
 * "CYCLE cpuN NAME(arg=value, ..) = CODE out=value.. <N cycles, M us>", one line a call. A call that
 * waits is shown when its caller goes on, with the cycle at which it was made: `sort -n` gives the
 * order of the calls.
 */
#ifndef HCALL_TRACE_H
#define HCALL_TRACE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "machine/core/config.h"
#include "savevm/error.h"

struct cpu;
struct hcall;
struct machine;

#define TRACE_MAX_RTAS 64		/* numbers for calls of RTAS */

/* What is counted on its own: each hypercall, each RTAS call, the client interface. */
enum trace_id {
#define HCALL(name, ...) TRACE_##name,
#define HCALL_PRIVATE(name, ...) TRACE_##name,
#include "hcall/hcall.def"
#undef HCALL
#undef HCALL_PRIVATE
	TRACE_HCALLS,
	TRACE_RTAS = TRACE_HCALLS,	/* and the number of an RTAS call: trace_rtas_name() */
	TRACE_CLIENT = TRACE_RTAS + TRACE_MAX_RTAS,	/* what came through H_VOF_CLIENT */
	TRACE_UNKNOWN,			/* a number that is in no row */
	TRACE_IDS
};

_Static_assert(TRACE_IDS <= CONFIG_TRACED, "room for all in struct trace_config");

/* ---- trace_filter.c ---- */
/* "hcall=NAME,!NAME..", "hcall-summary", "dispatch,hcall"; false: err->msg says why. */
bool trace_parse(struct trace_config *o, const char *text, struct error *err);
void trace_help(FILE *out);
const char *trace_name(unsigned id);		/* NULL: no call has that number */
/* Of the RTAS call with the nth token, NULL if there is none. RTAS itself says so, which is above the hypercalls
 * (machine/rtas/rtas.c): linking finds it, as it finds the functions of hcall.def. */
const char *trace_rtas_name(unsigned n);

/* ---- trace_decode.c ---- */
/* Appends "name=value, name=value" for the names and types of a row; `separator` stands between. */
void trace_values(char *line, size_t size, const char *names, const uint64_t *values, const char *separator);
void trace_code(char *line, size_t size, int64_t rc);	/* appends "H_PARAMETER" */
bool trace_type_known(const char *type, size_t len);	/* of an argument in hcall.def */

/* ---- trace.c: each does nothing unless tracing is on ---- */
bool trace_new(struct machine *m, const struct trace_config *o);	/* false: out of memory */
void trace_free(struct machine *m);
void hcall_trace(struct cpu *cpu, const struct hcall *h, const uint64_t *in, int64_t rc, const uint64_t *out);
void hcall_trace_unknown(struct cpu *cpu);	/* the number in r3 */
/* A call whose arguments lie in guest memory: `text` is all of it but the duration. */
void hcall_trace_text(struct cpu *cpu, unsigned id, const char *text, int64_t status);
/* The processor has been dispatched, at cpu->cycles: what it waited in is over. */
void hcall_trace_back(struct cpu *cpu);
/* The machine stops or starts anew: no call comes back. */
void hcall_trace_cut(struct machine *m);
void hcall_trace_summary(struct machine *m);

#endif

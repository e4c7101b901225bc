/* Run-Time Abstraction Services: calls by token, arguments in guest memory. One row in rtas.def,
 * one function. PAPR, "Run-Time Abstraction Services".
 */
#ifndef MACHINE_RTAS_RTAS_H
#define MACHINE_RTAS_RTAS_H

#include "machine/core/machine.h"

struct tree;			/* machine/core/node.h */

#define RTAS_TOKEN_BASE 0x2000		/* tokens are numbers that a guest keeps */
#define RTAS_MAX_CELLS  16		/* arguments, and results, of one call */

/* Statuses: the first result of every call. */
#define RTAS_SUCCESS          0
#define RTAS_NO_ERRORS_FOUND  1
#define RTAS_HW_ERROR       (-1)
#define RTAS_PARAM_ERROR    (-3)
#define RTAS_NOT_SUPPORTED  (-3)
#define RTAS_NOT_AUTHORIZED (-9002)
#define RTAS_SYSPARM_PARAM_ERROR (-9999)
#define RTAS_NO_RETURN      INT32_MIN	/* for us: the results' cells stay untouched */

/* Memory behind linux,rtas-base: the code, then what FWNMI reports; offsets in bytes. */
#define RTAS_CODE_SIZE     20
#define RTAS_MCHECK_OFFSET 0x30		/* r3, then the machine check's error log */
#define RTAS_ERROR_LOG_MAX 2048
#define RTAS_SRESET_OFFSET RTAS_ERROR_LOG_MAX	/* 16 bytes for each processor */

/* `in` are the arguments; `out` the results after the status, zeroed. */
typedef int32_t rtas_fn(struct cpu *cpu, const uint32_t *in, uint32_t *out);

#define RTAS_FN(id) \
	int32_t rtas_##id(struct cpu *cpu __attribute__((unused)), \
			  const uint32_t *in __attribute__((unused)), \
			  uint32_t *out __attribute__((unused)))

/* The call described by the big-endian cells {token, nargs, nret, args, results} at `args`, guest
 * real. False: no such token, or no such memory. */
bool rtas_call(struct cpu *cpu, uint64_t args);

uint32_t rtas_area_size(const struct machine *m);	/* bytes: rtas-size */
/* Puts the code at guest real `gra` and notes it in m->rtas_addr; false: outside RAM. */
bool rtas_install(struct machine *m, uint64_t gra);
/* Writes the properties of /rtas at that node: tokens, sizes, function sets. */
void rtas_fdt(const struct machine *m, struct tree *t, int at);
/* As after power-on: FWNMI off, no code installed. */
void rtas_reset(struct machine *m);

/* rtas_fwnmi.c: cpu_env.fwnmi_entry. */
uint64_t fwnmi_entry(struct cpu *cpu, enum vector vector);

#endif

/* Hypercalls: lookup and the functions' shape. One row in hcall.def, one function. */
#ifndef HCALL_HCALL_H
#define HCALL_HCALL_H

#include "machine/core/machine.h"

/* Return codes. */
enum hcall_code {
#define CODE(name, number) name = (number),
#include "hcall/hcall_codes.def"
#undef CODE
};

#define HCALL_MAX_IN  9		/* r4..r12 */
#define HCALL_MAX_OUT 9

/* `in` are r4..r12; `out` starts zeroed and as many of it as the row names go to r4.. */
typedef int64_t hcall_fn(struct cpu *cpu, const uint64_t *in, uint64_t *out);

#define HCALL_FN(name) \
	int64_t hcall_##name(struct cpu *cpu __attribute__((unused)), \
			     const uint64_t *in __attribute__((unused)), \
			     uint64_t *out __attribute__((unused)))

/* A function that has set r3 and all results itself, or that never returns to the caller, returns this. */
#define HCALL_NO_RETURN INT64_MIN

/* A row of hcall.def. Arguments in and out are "name:type,name:type.."; the types are those of
 * trace_decode.c, none is hexadecimal. */
struct hcall {
	const char *name, *in, *out, *set;
	hcall_fn *fn;
	unsigned id;			/* enum trace_id */
} __attribute__((aligned(64)));		/* found by a shift, in one line of the host's cache */

/* Names for ibm,hypertas-functions: every function set of hcall.def that this machine offers, `max` at most. How many
 * there are. */
unsigned hcall_sets(const struct machine *m, const char *sets[], unsigned max);

/* cpu_env.hypercall: reads r3, dispatches, writes r3 and the outputs. */
void hcall_dispatch(struct cpu *cpu);

/* The present call takes the host as long as copying so many bytes. Once they are MACHINE_WORK_MOST in a quantum, a call
 * is put off to the next one. */
void hcall_worked(struct machine *m, uint64_t bytes);

#endif

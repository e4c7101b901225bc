/* Hypercalls: lookup and the functions' shape. One row in hcall.def, one function. */
#ifndef HCALL_HCALL_H
#define HCALL_HCALL_H

#include "machine/machine.h"

/* Return codes. PAPR, "Hypervisor Call Return Codes". */
#define H_SUCCESS       0
#define H_BUSY          1
#define H_CLOSED        2
#define H_NOT_AVAILABLE 3
#define H_CONSTRAINED   4
#define H_PARTIAL       5
#define H_PAGE_REGISTERED 15
#define H_PENDING      17
#define H_CONTINUE     18
#define H_LONG_BUSY_ORDER_1_MSEC 9900
#define H_HARDWARE    (-1)
#define H_FUNCTION    (-2)
#define H_PRIVILEGE   (-3)
#define H_PARAMETER   (-4)
#define H_BAD_MODE    (-5)
#define H_PTEG_FULL   (-6)
#define H_NOT_FOUND   (-7)
#define H_RESERVED_DABR (-8)
#define H_NO_MEM      (-9)
#define H_AUTHORITY   (-10)
#define H_PERMISSION  (-11)
#define H_DROPPED     (-12)
#define H_SOURCE_PARM (-13)
#define H_DEST_PARM   (-14)
#define H_REMOTE_PARM (-15)
#define H_RESOURCE    (-16)
#define H_P2 (-55)
#define H_P3 (-56)
#define H_P4 (-57)
#define H_P5 (-58)
#define H_P6 (-59)
#define H_P7 (-60)
#define H_P8 (-61)
#define H_P9 (-62)
#define H_NOOP (-63)
#define H_UNSUPPORTED (-67)
#define H_STATE (-75)
#define H_UNSUPPORTED_FLAG (-256)
#define H_MULTI_THREADS_ACTIVE (-9005)

#define HCALL_MAX_IN  9		/* r4..r12 */
#define HCALL_MAX_OUT 9

/* `in` are r4..r12; `out` starts zeroed and as many of it as the row names go to r4.. */
typedef int64_t hcall_fn(struct cpu *cpu, const uint64_t *in, uint64_t *out);

#define HCALL_FN(name) \
	int64_t hcall_##name(struct cpu *cpu __attribute__((unused)), \
			     const uint64_t *in __attribute__((unused)), \
			     uint64_t *out __attribute__((unused)))

/* What a function returns that has set r3 and all else itself, or never goes back. */
#define HCALL_NO_RETURN INT64_MIN

/* Names for ibm,hypertas-functions: every set that is there as a whole. How many of `max`. */
unsigned hcall_sets(const char *sets[], unsigned max);

/* cpu_env.hypercall: reads r3, dispatches, writes r3 and the outputs. */
void hcall_dispatch(struct cpu *cpu);

#endif

/* Watchpoints (DAWR0, DAWR1) and the breakpoint on completion (CIABR). A guest sets them by hypercall.
 *
 * Code and data without them pay nothing. The TLB leaves out pages that a watched range lies in, so that each access there
 * takes the slow path, which asks here. The page that CIABR points into has no blocks: it runs an instruction at a time.
 * Power ISA 3.0B, Book III, 8.3 and 8.4.
 */
#ifndef CPU_ENGINE_WATCH_H
#define CPU_ENGINE_WATCH_H

#include "cpu/core/cpu.h"

#define DAWRX_DW  PPC_BIT(57)	/* stores match */
#define DAWRX_DR  PPC_BIT(58)	/* loads match */
#define DAWRX_WT  PPC_BIT(59)	/* with this MSR[DR], */
#define DAWRX_WTI PPC_BIT(60)	/* or with any */
#define DAWRX_HYP PPC_BIT(61)	/* in the hypervisor, privileged, problem state */
#define DAWRX_PNH PPC_BIT(62)
#define DAWRX_PRO PPC_BIT(63)

enum ciabr_state { CIABR_OFF, CIABR_PROBLEM, CIABR_PRIVILEGED, CIABR_HYPERVISOR };
#define CIABR_STATE(ciabr) ((enum ciabr_state)((ciabr) & 3))

/* Of the registers: what was remembered without them is forgotten. */
void watch_set_data(struct cpu *cpu, unsigned n, uint64_t dawr, uint64_t dawrx);
void watch_set_completion(struct cpu *cpu, uint64_t ciabr);

/* Or a debugger of the host's does: points.h. */
static inline bool watch_armed(const struct cpu *cpu)
{
	return (cpu->dawrx[0] | cpu->dawrx[1]) & (DAWRX_DW | DAWRX_DR) || cpu->watched_for;
}

/* A watched range lies in the page of ea, or begins before it and reaches into it. */
bool watch_in_page(const struct cpu *cpu, uint64_t ea);
/* The access matches, and has raised the interrupt: it is not to be done. */
bool watch_raise(struct cpu *cpu, const struct op *op, uint64_t ea, unsigned size, bool store);

/* CIABR points into the page that the processor executes, in its state. */
static inline bool watch_completions(const struct cpu *cpu)
{
	return unlikely(CIABR_STATE(cpu->ciabr) == (cpu->msr & MSR_PR ? CIABR_PROBLEM : CIABR_PRIVILEGED)) &&
	       cpu->ciabr >> RAM_PAGE_SHIFT == cpu->nip >> RAM_PAGE_SHIFT;
}

#endif

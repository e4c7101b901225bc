/* What an instruction takes of a core: places, time, pipes. Tables for POWER8, POWER9 and POWER10.
 *
 * A row of a table says it for one row of cpu/table/insn.def and one variant of it, in cycles. Where a figure comes from
 * stands in the row; where it is not LLVM's, LLVM's stands beside it, so that a run with those can be judged by llvm-mca.
 */
#ifndef CPU_TIMING_COST_H
#define CPU_TIMING_COST_H

#include <stdbool.h>
#include <stdint.h>

enum { MAX_PORTS = 12 };

/* Groups of equal pipes. A row names pipes that it occupies; `kind` is the group whose result it gives. */
enum power8_port { P8_FX, P8_LS, P8_LULS, P8_ALL, P8_VF, P8_BR, P8_CR, P8_CY, P8_DFU, P8_DIV, P8_FDIV, P8_LU, P8_PORTS };
enum power9_port { P9_ALU, P9_LS, P9_EXEC, P9_DP, P9_PM, P9_DIV, P9_BR, P9_CY, P9_DFU, P9_FDIV, P9_PORTS };
enum power10_port { P10_FX, P10_LD, P10_ST, P10_SX, P10_BF, P10_PM, P10_CY, P10_DX, P10_DV, P10_DF, P10_BR, P10_MM, P10_PORTS };

/* What Rc, OE, the register of a move or the kind of a barrier make of a row. */
enum variant {
	V_plain, V_rc, V_oe, V_oerc,
	V_other = 0, V_lr, V_ctr, V_xer,
	V_hw = 0, V_lw, V_pte,
	NVARIANTS = 4
};

enum cost_source {
	SRC_L,		/* LLVM 19's scheduling model */
	SRC_G,		/* GCC's */
	SRC_UM9,	/* POWER9 Processor User's Manual */
	SRC_PA,		/* measured on a POWER9 */
	SRC_EST,	/* estimated from what is like it */
};

struct figures {
	uint8_t slots;		/* of the width at dispatch */
	uint8_t latency;	/* to a consumer near by; of what has more than one result, the operand's */
	uint8_t cr_latency;	/* to a reader of the condition register field */
	uint8_t far;		/* added for a consumer that is not near: see core_model.near */
};

struct cost {
	uint16_t key;		/* row of insn.def * NVARIANTS + variant */
	uint8_t source;		/* of `ours` */
	uint8_t uops;		/* entries of the window */
	uint8_t kind;		/* port of the unit that gives the result */
	uint8_t hold;		/* cycles during which nothing is dispatched behind it */
	struct figures ours;
	struct figures llvm;	/* latency 0 and slots 0: LLVM has no model of it */
	uint8_t use[MAX_PORTS];	/* cycles of a pipe, by port */
};

struct core_model {
	const char *name;
	const struct cost *costs;	/* by ascending key */
	unsigned ncosts;
	uint16_t *first;		/* by row of insn.def: where it begins in these, once that has been asked for */
	bool as_llvm;			/* with LLVM's figures, and without what llvm-mca does not know */

	/* Units of UNITS_PER_CYCLE. */
	uint8_t slot_units;		/* a slot of dispatch */
	uint8_t uop_units;		/* the least that dispatch takes for an entry of the window */
	uint8_t insn_units;		/* what it takes for an instruction as most are, at full width */

	uint8_t window;			/* entries, in uops */
	uint8_t base_latency;		/* of the base register of update forms */
	uint8_t forward;		/* cycles from a store to a load of the same place */
	uint8_t nports;
	uint8_t pipes[MAX_PORTS];	/* of each port; 0: not counted */
	uint16_t near[MAX_PORTS];	/* by kind of the producer: kinds of consumers that get the value early */

	/* For others: clock, branches. */
	uint16_t mhz;
	uint8_t taken;			/* units lost behind a taken branch whose target was at hand */
	uint8_t redirect;		/* units lost behind one whose target had to be asked for */
	uint8_t mispredict;		/* cycles lost behind one that was not foreseen */
};

/* "power8", "power9", "power10"; with "-llvm" behind it, LLVM's figures. NULL: no such model. */
const struct core_model *core_model_find(const char *name);

/* The row of a word; never NULL for a row of the table. */
const struct cost *cost_find(const struct core_model *m, unsigned row, uint64_t word);

#endif

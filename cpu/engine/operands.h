/* The manual's operand names as handler bodies use them.
 *
 * The decoder puts an operand where its name says (forms.h): targets and sources named
 * RT RS FRT VRT XT BF... in op->a, RA... in op->b, RB... in op->c, RC... in op->d; the
 * first immediate of the row in op->imm, the second in op->d, the third in op->c, the
 * fourth in op->b (each only if that byte is free).
 */
#ifndef CPU_ENGINE_OPERANDS_H
#define CPU_ENGINE_OPERANDS_H

#include "cpu/core/cpu.h"
/* Has flags of the names RC and VRC: read before they become operands, so that the order of a file's includes
 * does not matter. */
#include "cpu/table/forms.h"

#define SLOT(n) (((uint64_t *)cpu)[n])
#define RT  SLOT(op->a)
#define RS  SLOT(op->a)
#define RA  SLOT(op->b)
#define RB  SLOT(op->c)
#define RC  SLOT(op->d)
#define IMM ((int64_t)op->imm)
#define IMM2 op->d
#define IMM4 op->b

/* Vector-scalar registers: the same bytes name the register's first slot. */
#define VSR(n) (*(union vreg *)&((uint64_t *)cpu)[n])
#define XT  VSR(op->a)
#define XS  VSR(op->a)
#define XA  VSR(op->b)
#define XB  VSR(op->c)
#define XC  VSR(op->d)
#define VRT XT
#define VRS XS
#define VRA XA
#define VRB XB
#define VRC XC
/* Floating-point registers as raw doublewords. */
#define FRT VD(XT, 0)
#define FRS VD(XS, 0)
#define FRA VD(XA, 0)
#define FRB VD(XB, 0)
#define FRC VD(XC, 0)

/* CR field by number, bits by number 0..31 (BI numbering). */
#define CRF(n) cpu->cr[n]
#define CR_LT 8
#define CR_GT 4
#define CR_EQ 2
#define CR_SO 1

static inline __attribute__((always_inline)) unsigned cr_bit(const struct cpu *cpu, unsigned bi)
{
	return cpu->cr[bi >> 2] >> (3 - (bi & 3)) & 1;
}

/* Signed comparison with zero plus SO: what Rc=1 puts in CR0. */
static inline __attribute__((always_inline)) uint8_t cr_compare(struct cpu *cpu, bool lt, bool gt)
{
	return (uint8_t)((lt ? CR_LT : gt ? CR_GT : CR_EQ) | cpu->so);
}

/* In a handler of a TIME row: what op_cycle() says. */
#define NOW \
	(likely(cpu->per_cycle == 1) ? cpu->limit - (uint64_t)UNITS_LEFT - (uint64_t)op->imm : op_cycle(cpu, op, budget))
/* For whether an interrupt waits that the decrementer has raised: it does not in the middle of a run, or all the time. */
#define NOW_FOR_ASYNC \
	(likely(cpu->per_cycle == 1) ? cpu->limit - (uint64_t)UNITS_LEFT - (uint64_t)op->imm : cpu->limit - 1)

#endif

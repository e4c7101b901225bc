/* The floating-point status and control register, most of it computed on demand.
 *
 * cpu->fpscr holds what is settled. Pending may be: the host's inexact flag (XX, hence FX),
 * and cpu->fp_lazy, from which FPRF, FR and FI of the latest scalar operations follow:
 *   [0] byte 0: the operation (enum fp_op), byte 1: 0x80 | FPCC of a later comparison,
 *       byte 2: a later conversion to integer (FR and FI only)
 *   [1..3] the operation's operands, [4] the conversion's
 * All is settled before RN changes, because the pending operations ran under the old mode.
 *
 * Source: Power ISA 3.0B, Book I, 4.2.2; Book III, 6.5.9.
 */
#include "cpu/core/spr.h"
#include "cpu/engine/block.h"
#include "cpu/fp/fp.h"

/* VX and FEX follow from the other bits. */
static uint64_t set_summaries(uint64_t v)
{
	v &= ~(FPSCR_VX | FPSCR_FEX);
	if (v & FPSCR_VX_ALL)
		v |= FPSCR_VX;
	/* VX, OX, UX, ZX, XX lie 22 bits above VE, OE, UE, ZE, XE. */
	if (v >> 22 & v & (FPSCR_VE | FPSCR_OE | FPSCR_UE | FPSCR_ZE | FPSCR_XE))
		v |= FPSCR_FEX;
	return v;
}

void fp_raise(struct cpu *cpu, uint64_t raised)
{
	if (raised & ~cpu->fpscr)
		cpu->fpscr = set_summaries(cpu->fpscr | raised | FPSCR_FX);
}

/* An instruction with Rc=1 copies its exceptions to CR1 even if they are enabled, and even if it writes no result, as Microwatt's
 * FPU does. The op that would is behind it. Book I, 4.6. */
static bool trap(struct cpu *cpu, const struct op *op)
{
	if (op[1].fn == op_set_cr1)
		cpu->cr[1] = fp_cr1(cpu);
	return raise_program(cpu, op, PROG_FP);
}

/* FEX is never pending: with XE the host has no part in XX. */
bool fp_exception_waits(const struct cpu *cpu)
{
	return unlikely(cpu->fpscr & FPSCR_FEX) && cpu->msr & (MSR_FE0 | MSR_FE1);
}

bool fp_trap(struct cpu *cpu, const struct op *op)
{
	return !fp_exception_waits(cpu) || trap(cpu, op);
}

bool fp_trap_raised(struct cpu *cpu, const struct op *op, uint64_t raised)
{
	uint64_t enabled = cpu->fpscr & PPC_MASK(56, 60);

	if (likely(!(set_summaries((raised & FPSCR_EXCEPTIONS) | enabled) & FPSCR_FEX)))
		return true;
	return fp_trap(cpu, op);
}

void fp_set_status(struct cpu *cpu, unsigned fprf, uint64_t rounded)
{
	cpu->fp_lazy[0] = 0;
	cpu->fpscr = (cpu->fpscr & ~(FPSCR_FPRF | FPSCR_FR | FPSCR_FI)) |
		     (uint64_t)fprf << FPSCR_FPRF_SHIFT | rounded;
}

/* ---- Settling ---- */

uint64_t fp_sticky(struct cpu *cpu)
{
	if (cpu->fp_active && !cpu->fp_strict && !(cpu->fpscr & FPSCR_XX) && host_fp_take_inexact())
		fp_raise(cpu, FPSCR_XX);
	return cpu->fpscr;
}

/* What the recorded operation did, once more: the exceptions are known already. */
static void settle_status(struct cpu *cpu)
{
	uint64_t lazy = cpu->fp_lazy[0];
	unsigned operation = lazy & 0xff, cc = lazy >> 8 & 0xff, conversion = lazy >> 16 & 0xff;
	struct fp_status st = fp_begin(cpu);
	uint64_t result;

	if (operation) {
		result = fp64_op(&st, operation, cpu->fp_lazy[1], cpu->fp_lazy[2], cpu->fp_lazy[3]);
		fp_set_status(cpu, operation & FPO_SINGLE ? fp64_class_single(result) : fp64_class(result), st.rounded);
	}
	if (conversion) {
		fp64_op(&st, conversion, cpu->fp_lazy[4], 0, 0);
		cpu->fpscr = (cpu->fpscr & ~(FPSCR_FR | FPSCR_FI)) | st.rounded;
	}
	if (cc)
		cpu->fpscr = (cpu->fpscr & ~FPSCR_FPCC) | (uint64_t)(cc & 0xf) << FPSCR_FPRF_SHIFT;
	cpu->fp_lazy[0] = 0;
}

uint64_t fpscr_get(struct cpu *cpu)
{
	if (cpu->fp_lazy[0])
		settle_status(cpu);
	return fp_sticky(cpu);
}

/* What follows from FPSCR for the fast path. */
static void derive_limits(struct cpu *cpu)
{
	cpu->fp_strict = cpu->fpscr & (FPSCR_OE | FPSCR_UE | FPSCR_XE);
	cpu->fp_limit = cpu->fp_strict ? 0 : FP_LIMIT64;
	cpu->fp_limit_single = cpu->fp_strict ? 0 : FP_LIMIT32;
	if (cpu->fp_active)
		host_fp_set(cpu->fpscr & FPSCR_RN);
}

/* Replaces everything, pending parts included. */
void fpscr_set(struct cpu *cpu, uint64_t value)
{
	cpu->fp_lazy[0] = 0;
	cpu->fpscr = set_summaries(value & FPSCR_WRITABLE);
	derive_limits(cpu);
}

void fp_enter(struct cpu *cpu)
{
	cpu->fp_host = host_fp_get();
	cpu->fp_active = true;
	derive_limits(cpu);
}

void fp_leave(struct cpu *cpu)
{
	fp_sticky(cpu);
	cpu->fp_active = false;
	host_fp_put(cpu->fp_host);
}

/* ---- Ends of instructions in the exact path ---- */

bool fp_finish(struct cpu *cpu, const struct op *op, const struct fp_status *st, uint64_t result, unsigned fprf)
{
	union vreg *target = fp_vsr(cpu, op->a);

	if (!fp_suppressed(st)) {
		fp_set_status(cpu, fprf, st->rounded);
		target->d[1] = result;
		target->d[0] = 0;
	} else {
		fpscr_get(cpu);		/* FPRF stays */
		cpu->fpscr &= ~(FPSCR_FR | FPSCR_FI);
	}
	fp_raise(cpu, st->raised);
	return fp_trap_raised(cpu, op, st->raised);
}

/* Some exception that was raised is enabled, whichever. */
static bool enabled_is_raised(const struct fp_status *st)
{
	return set_summaries((st->raised & FPSCR_EXCEPTIONS) | st->control) & FPSCR_FEX;
}

bool fp_finish_vector(struct cpu *cpu, const struct op *op, const struct fp_status *st, const union vreg *result)
{
	if (!enabled_is_raised(st))
		*fp_vsr(cpu, op->a) = *result;
	fp_raise(cpu, st->raised);
	return fp_trap_raised(cpu, op, st->raised);
}

__attribute__((noinline)) bool
fp_scalar(struct cpu *cpu, const struct op *op, unsigned fpo, uint64_t x, uint64_t y, uint64_t z)
{
	struct fp_status st = fp_begin(cpu);
	uint64_t result = fp64_op(&st, fpo, x, y, z);
	/* With UE=1 a tiny result has been scaled, and is normal wherever it lies. */
	bool single = fpo & FPO_SINGLE && !(st.control & FPSCR_UE);

	return fp_finish(cpu, op, &st, result, single ? fp64_class_single(result) : fp64_class(result));
}

/* A zero that no underflow can have made, given that the operands made no NaN. */
static bool exact_zero(unsigned kind, uint64_t x, uint64_t y, uint64_t z)
{
	bool x0 = !(x << 1), y0 = !(y << 1), z0 = !(z << 1);

	switch (kind) {
	case FPO_ADD:
	case FPO_SUB:
		return true;
	case FPO_MUL:
		return x0 || y0;
	case FPO_MADD:
	case FPO_MSUB:
	case FPO_NMADD:
	case FPO_NMSUB:
		return (x0 || y0) && z0;
	default:
		return x0;
	}
}

__attribute__((noinline)) bool
fp_unusual(struct cpu *cpu, const struct op *op, unsigned fpo, uint64_t x, uint64_t y, uint64_t z, double r)
{
	if (fp_bits(r) << 1 || cpu->fp_strict || !exact_zero(fpo & ~(unsigned)FPO_SINGLE, x, y, z))
		return fp_scalar(cpu, op, fpo, x, y, z);
	fp_set_status(cpu, fp_bits(r) >> 63 ? FPRF_NEG_ZERO : FPRF_ZERO, 0);
	fp_target(fp_vsr(cpu, op->a), r);
	return true;
}

__attribute__((noinline)) bool fp_rint_special(struct cpu *cpu, const struct op *op, uint64_t x)
{
	return fp_scalar(cpu, op, FPO_RINT, x, 0, 0);
}

__attribute__((noinline)) bool
fp_integer_exact(struct cpu *cpu, const struct op *op, unsigned fpo, uint64_t x, bool fpr)
{
	struct fp_status st = fp_begin(cpu);
	uint64_t v = fp64_op(&st, fpo, x, 0, 0);
	bool nan = fp64_class(x) == FPRF_QNAN, written = !fp_suppressed(&st);
	union vreg *target = fp_vsr(cpu, op->a);

	fpscr_get(cpu);
	cpu->fpscr = (cpu->fpscr & ~(FPSCR_FR | FPSCR_FI)) | st.rounded;
	if (fpr && st.raised & FPSCR_VXCVI && written)
		cpu->fpscr = (cpu->fpscr & ~FPSCR_FPRF) | (uint64_t)FPRF_QNAN << FPSCR_FPRF_SHIFT;
	switch (fpo) {
	case FPO_TO_S32:
	case FPO_TO_S32_ZERO:
		v = !fpr ? v << 32 | v : nan ? v : (uint64_t)(int32_t)v;
		break;
	case FPO_TO_U32:
	case FPO_TO_U32_ZERO:
		v = !fpr ? v << 32 | v : v;
		break;
	}
	if (written)
		*target = (union vreg){ .d = { 0, v } };
	fp_raise(cpu, st.raised);
	return fp_trap_raised(cpu, op, st.raised);
}

__attribute__((noinline)) bool
fp_compare(struct cpu *cpu, const struct op *op, uint64_t x, uint64_t y, bool ordered)
{
	struct fp_status st = fp_begin(cpu);
	unsigned cc = fp64_compare(&st, x, y, ordered);

	cpu->cr[op->a] = (uint8_t)cc;
	fp_record_cc(cpu, cc);
	fp_raise(cpu, st.raised);
	return fp_trap_raised(cpu, op, st.raised);
}

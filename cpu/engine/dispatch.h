/* How handlers call each other: this file alone knows.
 *
 * A block is an array of 16-byte ops. An op is a handler and its operands, already
 * extracted: bytes a..d are slot numbers in struct cpu (or small immediates), imm is
 * sign-extended and scaled. With `musttail` and `preserve_none` (clang 19) a handler
 * jumps to the next with processor, op, budget and TLB in host registers; elsewhere
 * each handler returns the next op to a loop, which is slower and equally exact.
 */
#ifndef CPU_ENGINE_DISPATCH_H
#define CPU_ENGINE_DISPATCH_H

#include "cpu/core/cpu.h"
#include "cpu/engine/tlb.h"

#if defined(__has_attribute) && !defined(CEDE_NO_TAIL)
#if __has_attribute(musttail) && __has_attribute(preserve_none)
#define CEDE_TAIL 1
#endif
#endif

#ifdef CEDE_TAIL
#define OP_PARAMS struct cpu *cpu, const struct op *op, int64_t budget, struct tlb_entry *tlb
#define OP_ARGS   cpu, op, budget, tlb
#define OP_ABI    __attribute__((preserve_none))
typedef void op_fn(OP_PARAMS) OP_ABI;
#define OP_RETURN void
#define GOTO_OP(next) \
	do { \
		const struct op *next_ = (next); \
		__attribute__((musttail)) return next_->fn(cpu, next_, budget, tlb); \
	} while (0)
#define LEAVE \
	do { \
		cpu->budget = budget; \
		return; \
	} while (0)
#define BUDGET budget
#else
#define OP_PARAMS struct cpu *cpu, const struct op *op, int64_t budget, struct tlb_entry *tlb
#define OP_ARGS   cpu, op, budget, tlb
#define OP_ABI
/* The budget travels in cpu->budget; the parameters keep bodies the same. */
typedef const struct op *op_fn(struct cpu *cpu, const struct op *op, int64_t budget, struct tlb_entry *tlb);
#define OP_RETURN const struct op *
#define GOTO_OP(next) \
	do { \
		cpu->budget = budget; \
		return (next); \
	} while (0)
#define LEAVE \
	do { \
		cpu->budget = budget; \
		return NULL; \
	} while (0)
#define BUDGET budget
#endif

/* The budget counts down both, with one subtraction for a block: time above, in units of the timing model (`flat`: cycles),
 * instructions below. It starts with as many instructions as there is room for, which is more than units: none is
 * borrowed from a unit, and who has overdrawn his time sees it by the sign. */
#define BUDGET_UNIT        (INT64_C(1) << 32)
#define BUDGET_OF(units)   ((int64_t)(units) * BUDGET_UNIT + UINT32_MAX)
#define BUDGET_MOST        UINT64_C(0x7fffffff)	/* units */
#define UNITS_LEFT         (budget >> 32)
#define INSNS_DONE(budget) (UINT32_MAX - (uint32_t)(budget))

/* The cycle that is not over while so many units are left, fewer than none if they have been overdrawn. */
static inline uint64_t cycle_at(const struct cpu *cpu, int64_t left)
{
	int64_t per = cpu->per_cycle;

	if (likely(per == 1))
		return cpu->limit - (uint64_t)left;
	return left > 0 ? cpu->limit - (uint64_t)((left + per - 1) / per) : cpu->limit + (uint64_t)(-left / per);
}
#define CYCLE_NOW cycle_at(cpu, UNITS_LEFT)

struct op {
	op_fn *fn;
	uint8_t a, b, c, d;
	int32_t imm;
};

_Static_assert(sizeof(struct op) == 16, "op size");

#define NEXT GOTO_OP(op + 1)

/* In an OP_RAW body: become another handler, same op. */
#ifdef CEDE_TAIL
#define GOTO_SAME(handler) __attribute__((musttail)) return handler(OP_ARGS)
#else
#define GOTO_SAME(handler) return handler(OP_ARGS)
#endif

/* What an op does, apart from its handler. A body by itself stands in a header, for sequences to take it as
 * well: then its row of fuse_ops.def stamps the handler (cpu/fuse/handlers.c). */
#define BODY_HEAD(name) \
	static inline __attribute__((always_inline)) void \
	body_##name(struct cpu *cpu __attribute__((unused)), const struct op *op __attribute__((unused)))
#define BODY_TRY_HEAD(name) \
	static inline __attribute__((always_inline)) int \
	body_##name(struct cpu *cpu __attribute__((unused)), const struct op *op __attribute__((unused)), \
		    int64_t budget __attribute__((unused)), struct tlb_entry *tlb __attribute__((unused)), \
		    bool slowly __attribute__((unused)))
#define BODY(name) \
	OP_RETURN OP_ABI op_##name(OP_PARAMS); \
	BODY_HEAD(name)
#define BODY_TRY(name) \
	OP_RETURN OP_ABI op_##name(OP_PARAMS); \
	BODY_TRY_HEAD(name)

#define HANDLER(name) \
	OP_RETURN OP_ABI op_##name(struct cpu *cpu, const struct op *op, int64_t budget, \
				   struct tlb_entry *tlb __attribute__((unused))) \
	{ \
		body_##name(cpu, op); \
		NEXT; \
	}
enum { TRY_SLOWLY = 2 };
#define HANDLER_TRY(name) \
	static OP_RETURN OP_ABI __attribute__((noinline, cold)) slow_##name(OP_PARAMS) \
	{ \
		if (unlikely(!body_##name(OP_ARGS, true))) \
			LEAVE; \
		NEXT; \
	} \
	OP_RETURN OP_ABI op_##name(OP_PARAMS) \
	{ \
		int outcome = body_##name(OP_ARGS, false); \
		if (likely(outcome == true)) \
			NEXT; \
		if (outcome == TRY_SLOWLY) \
			GOTO_SAME(slow_##name); \
		LEAVE; \
	}

/* A handler whose body cannot fault: `OP(addis) { RT = RA + IMM; }`. */
#define OP(name) BODY(name); HANDLER(name) BODY_HEAD(name)

/* A handler that may raise an interrupt or touch memory: the body returns false after
 * raising (its last act), true to go on. LOAD and STORE of tlb.h work only here.
 * Stamped twice: where an access misses the TLB, the fast one starts over as the slow one,
 * which calls out, so that the fast one keeps no frame. A body must therefore change no
 * register before its last access. */
#define OP_TRY(name) BODY_TRY(name); HANDLER_TRY(name) BODY_TRY_HEAD(name)

/* A handler that decides itself where to go (branches, system). Ends in GOTO_OP, NEXT or LEAVE. */
#define OP_RAW(name) \
	OP_RETURN OP_ABI op_##name(OP_PARAMS); \
	OP_RETURN OP_ABI op_##name(struct cpu *cpu __attribute__((unused)), \
			   const struct op *op __attribute__((unused)), \
			   int64_t budget __attribute__((unused)), \
			   struct tlb_entry *tlb __attribute__((unused)))

/* ---- For handlers that need to know where they are. Slow: they search the block. ---- */

/* Effective address of the instruction that this op belongs to. */
uint64_t op_nip(const struct cpu *cpu, const struct op *op);
/* The instruction, fetched again from the block's record. */
uint64_t op_insn(const struct op *op);
/* The cycle at which this op's instruction reads the clock, given the budget register: under `flat` the one after it,
 * under other models the one in which it starts, which is never past the cycle at which the engine stops. */
uint64_t op_cycle(const struct cpu *cpu, const struct op *op, int64_t budget);

/* Under models other than `flat`: the units that have been charged for this op's instruction and those after it. */
int64_t op_charged(const struct cpu *cpu, const struct op *op);
/* The budget as it was at that cycle, with nothing charged yet for what follows in the block. */
int64_t op_budget(const struct cpu *cpu, const struct op *op, int64_t budget);

/* Sets cpu->nip to this op's instruction and cpu->refund to what was charged for those after it. */
void op_unwind(struct cpu *cpu, const struct op *op);

/* The same with nothing charged for this op's instruction either: nothing of it has happened. */
void op_restart(struct cpu *cpu, const struct op *op);

/* Synchronous interrupts at this op: SRR0 = its address. Always return false, so that a
 * body can `return raise_program(...)`. Registers must not have been written before. */
bool raise_interrupt(struct cpu *cpu, const struct op *op, enum vector vector, uint64_t srr1_bits);
bool raise_program(struct cpu *cpu, const struct op *op, uint64_t reason);	/* PROG_* */
bool raise_facility(struct cpu *cpu, const struct op *op, enum facility facility);
/* MSR[TM] is looked at as instructions run: nothing else in a block depends on it. False after raising. */
static inline bool tm_available(struct cpu *cpu, const struct op *op)
{
	return cpu->msr & MSR_TM || raise_facility(cpu, op, FAC_TM);
}
bool raise_alignment(struct cpu *cpu, const struct op *op, uint64_t ea);
bool raise_no_storage(struct cpu *cpu, const struct op *op, uint64_t ea, bool store);	/* its real address is not there */
/* Ends the block after this op's instruction (state that blocks depend on has changed);
 * always false: `return end_block(cpu, op);`. */
bool end_block(struct cpu *cpu, const struct op *op);

#endif

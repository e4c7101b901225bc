/* What handlers of decimal instructions share: operands from FPRs and pairs of them, and how instructions end.
 *
 * A pair's even register has the high doubleword. Odd numbers are no operands of such rows (cpu/table/forms.h).
 */
#ifndef CPU_DECIMAL_OP_H
#define CPU_DECIMAL_OP_H

#include "cpu/decimal/decimal.h"
#include "cpu/engine/operands.h"

static inline enum decimal_mode decimal_mode(const struct cpu *cpu) { return (enum decimal_mode)(cpu->fpscr >> 32 & 7); }

/* RMC of instructions that bring their own mode, R=0. */
static inline enum decimal_mode decimal_mode_by_rmc(const struct cpu *cpu, unsigned rmc)
{
	static const uint8_t modes[] = { DECIMAL_NEAREST_EVEN, DECIMAL_TO_ZERO, DECIMAL_NEAREST_AWAY };

	return rmc == 3 ? decimal_mode(cpu) : (enum decimal_mode)modes[rmc];
}

/* ---- Operands, by their slots ---- */

static inline uint64_t decimal_word(struct cpu *cpu, unsigned slot) { return VD(VSR(slot), 0); }

static inline u128 decimal_bits(struct cpu *cpu, const struct decimal_format *f, unsigned slot)
{
	uint64_t d = decimal_word(cpu, slot);

	return f->pair ? (u128)d << 64 | decimal_word(cpu, slot + 2) : d;
}

static inline struct decimal decimal_get(struct cpu *cpu, const struct decimal_format *f, unsigned slot)
{
	return decimal_unpack(f, decimal_bits(cpu, f, slot));
}

/* Doubleword 1 of what an FPR belongs to becomes 0, as with binary results. */
static inline void decimal_put_bits(struct cpu *cpu, const struct decimal_format *f, unsigned slot, u128 bits)
{
	if (f->pair) {
		VSR(slot) = (union vreg){ .d = { 0, (uint64_t)(bits >> 64) } };
		slot += 2;
	}
	VSR(slot) = (union vreg){ .d = { 0, (uint64_t)bits } };
}

static inline void decimal_put(struct cpu *cpu, const struct decimal_format *f, unsigned slot, const struct decimal *d)
{
	decimal_put_bits(cpu, f, slot, decimal_pack(f, d));
}

/* ---- Ends (op_decimal.c); `return decimal_finish...()` ---- */

/* FPSCR, the target unless suppressed, interrupt. The value and its class are of the format `f`; the target is a pair if
 * `target` is the extended one. */
bool decimal_finish_as(struct cpu *cpu, const struct op *op, const struct fp_status *st, const struct decimal_format *f,
		       const struct decimal_format *target, u128 bits, const struct decimal *d);
bool decimal_finish(struct cpu *cpu, const struct op *op, const struct fp_status *st, const struct decimal_format *f,
		    const struct decimal *d);
/* CR[BF] and FPCC of a comparison or test. */
bool decimal_condition(struct cpu *cpu, const struct op *op, unsigned cc, uint64_t raised);

/* An instruction's form for long and for extended operands, whose name ends in q. */
#define DECIMAL_OP(name, call) \
	OP_TRY(name) { const struct decimal_format *f = &decimal_long; return call; } \
	OP_TRY(name##q) { const struct decimal_format *f = &decimal_extended; return call; }

#endif

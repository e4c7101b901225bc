/* mfspr, mtspr, mftb: from an SPR number to a handler, and the handlers.
 *
 * The decoder's hooks look a number up once; a plain register then costs one slot move, as
 * mr does. Numbers that the table lacks get what the architecture says for them. Owns the
 * views of XER and CR; the time registers are read through timebase.h.
 * Source: Power ISA 3.0B, Book III, 4.4.4.
 */
#include <stddef.h>

#include "cpu/core/spr.h"
#include "cpu/core/timebase.h"
#include "cpu/engine/charge.h"
#include "cpu/engine/decode.h"
#include "cpu/engine/operands.h"
#include "cpu/engine/tlb.h"

/* ---- XER and CR as one word. Book I, 3.2.2, 2.3.1 ---- */

uint64_t cpu_get_xer(const struct cpu *cpu)
{
	return (uint64_t)cpu->so << 31 | (uint64_t)cpu->ov << 30 | (uint64_t)cpu->ca << 29 |
	       (uint64_t)cpu->ov32 << 19 | (uint64_t)cpu->ca32 << 18 | cpu->xer_count;
}

void cpu_set_xer(struct cpu *cpu, uint64_t xer)
{
	cpu->so = xer >> 31 & 1;
	cpu->ov = xer >> 30 & 1;
	cpu->ca = xer >> 29 & 1;
	cpu->ov32 = xer >> 19 & 1;
	cpu->ca32 = xer >> 18 & 1;
	cpu->xer_count = xer & 0x7f;
}

/* Before POWER9 there are no OV32 and CA32. */
#define XER_SINCE_9 (PPC_BIT(44) | PPC_BIT(45))

uint32_t cpu_get_cr(const struct cpu *cpu)
{
	uint32_t cr = 0;

	for (int i = 0; i < 8; i++)
		cr = cr << 4 | cpu->cr[i];
	return cr;
}

void cpu_set_cr(struct cpu *cpu, uint32_t cr)
{
	for (int i = 0; i < 8; i++)
		cpu->cr[i] = cr >> (28 - 4 * i) & 15;
}

/* ---- Clock ---- */

/* All processors together read at most one value ahead of the clock in so many ticks. The timebase then leads the
 * time that a processor has reached by no more than a quantum (another processor may have run that far already)
 * and a sixteenth of the time since. */
#define TICKS_AHEAD 16

/* Cycles from `now` that mftb takes beyond its own.
 *
 * No two reads of the timebase, on any processors, return the same value: programs use the values as unique
 * numbers, or divide by their differences. If the present tick has been read already, mftb returns the value after
 * the largest that anybody has read, and waits first: until the clock reaches that value, or until the next cycle
 * that is a multiple of the period (TICKS_AHEAD ticks for each processor), whichever comes first. The period keeps
 * the timebase from running away from the clock. The wait depends on `now` alone, so it ends at the same cycle
 * wherever a run is cut. */
static uint64_t timebase_wait(const struct cpu *cpu, uint64_t now)
{
	const struct cpu_clock *clock = cpu->env->clock;
	uint64_t period = CYCLES_PER_TICK * TICKS_AHEAD * (uint64_t)cpu->engine->ncpus, turn, passed;

	if (likely(clock_ticks(cpu, now) > clock->tb_floor))
		return 0;
	turn = (period - now % period) % period;
	passed = (clock->tb_floor + 1 - clock->tb_offset) * CYCLES_PER_TICK - now;
	return turn < passed ? turn : passed;
}

static uint64_t next_timebase(struct cpu *cpu, uint64_t now)
{
	struct cpu_clock *clock = cpu->env->clock;
	uint64_t ticks = clock_ticks(cpu, now);

	clock->tb_floor = ticks > clock->tb_floor ? ticks : clock->tb_floor + 1;
	return clock->tb_floor;
}

/* Under other models than `flat` mftb reads the clock as it starts, and what it waits for is the start of a cycle. It does
 * not start at the limit or later. */
OP_RAW(mfspr_tb_paced)
{
	int64_t to_start;		/* units left when it starts; then, what it has waited */
	uint64_t now, wait;

	to_start = UNITS_LEFT + op_charged(cpu, op);
	now = cycle_at(cpu, to_start);
	wait = timebase_wait(cpu, now);
	if (wait && now + wait >= cpu->limit) {
		op_restart(cpu, op);
		cpu->interrupts++;
		budget -= to_start * BUDGET_UNIT;
		LEAVE;
	}
	if (wait)
		budget -= (to_start - (int64_t)(cpu->limit - now - wait) * cpu->per_cycle) * BUDGET_UNIT;
	RT = next_timebase(cpu, now + wait);
	if (likely(budget >= 0))
		NEXT;
	end_block(cpu, op);
	LEAVE;
}

/* `rest` cycles have been charged for the instructions after mftb in the block. If the wait leaves too few cycles
 * for them, the block ends after mftb. If the wait is longer than everything that is left, mftb is not completed: it
 * begins again in the processor's next slice. */
OP_RAW(mfspr_tb)
{
	uint64_t wait, left;

	if (unlikely(cpu->per_cycle != 1))
		GOTO_SAME(op_mfspr_tb_paced);
	wait = timebase_wait(cpu, NOW);
	left = (uint64_t)UNITS_LEFT + (uint64_t)op->imm;
	if (unlikely(wait > left)) {
		op_unwind(cpu, op);
		cpu->interrupts++;	/* it is not completed: no trace */
		cpu->insns--;
		budget -= (int64_t)left * BUDGET_UNIT;
		LEAVE;
	}
	budget -= (int64_t)wait * BUDGET_UNIT;
	RT = next_timebase(cpu, NOW);
	if (likely(budget >= 0))
		NEXT;
	end_block(cpu, op);
	LEAVE;
}

OP_TRY(mfspr_tbu)
{
	RT = cpu_timebase(cpu, NOW) >> 32;
	return true;
}

OP_TRY(mfspr_dec)
{
	int64_t dec = cpu_dec(cpu, NOW);

	RT = cpu->lpcr & LPCR_LD ? (uint64_t)dec : (uint32_t)dec;
	return true;
}

OP_TRY(mfspr_purr)
{
	RT = cpu_purr(cpu, NOW);
	return true;
}

OP_TRY(mfspr_spurr)
{
	RT = cpu_spurr(cpu, NOW);
	return true;
}

OP_TRY(mfspr_vtb)
{
	RT = cpu_vtb(cpu, NOW);
	return true;
}

/* The engine must look at the new expiry. */
OP_TRY(mtspr_dec)
{
	cpu_set_dec(cpu, op_cycle(cpu, op, budget), RS);
	return end_block(cpu, op);
}

/* ---- Fields of struct cpu: c and d hold the offset, in units of the width ---- */

#define FIELD(type) (((type *)(void *)cpu)[op->c | op->d << 8])

OP(mfspr_u64) { RT = FIELD(uint64_t); }
OP(mtspr_u64) { FIELD(uint64_t) = RS; }
OP(mfspr_u32) { RT = FIELD(uint32_t); }
OP(mtspr_u32) { FIELD(uint32_t) = (uint32_t)RS; }
OP(mfspr_high32) { RT = FIELD(uint64_t) >> 32; }

OP(mfspr_xer) { RT = cpu_get_xer(cpu); }
OP(mtspr_xer) { cpu_set_xer(cpu, RS); }
OP(mfspr_xer_207) { RT = cpu_get_xer(cpu) & ~XER_SINCE_9; }
OP(mtspr_xer_207) { cpu_set_xer(cpu, RS & ~XER_SINCE_9); }

OP(mfspr_low) { RT = (uint32_t)FIELD(uint64_t); }
OP(mfspr_zero) { RT = 0; }

OP(mtspr_fscr)
{
	cpu->fscr = RS & fscr_bits(cpu->engine->level);
}

OP(mtspr_psscr) { cpu->psscr = RS & PSSCR_GUEST; }

/* Problem state sees RUN only, privileged state its thread's bit in TS too. Book III, 3.3. */
OP(mfspr_ctrl)
{
	uint64_t run = cpu->ctrl & 1;

	RT = run | (cpu->msr & MSR_PR ? 0 : run << (15 - (cpu->tir & 7)));
}
/* Its DPFD is how far ahead streams of loads are fetched. Book II, 4.2. */
OP(mtspr_dscr)
{
	cpu->dscr = RS;
	charge_set_depth(cpu, RS & 7);
}

OP_TRY(mtspr_ctrl)
{
	cpu->ctrl = RS & 1;
	if (likely(!cpu->pmu.active))
		return true;
	pmu_changed(cpu);
	return end_block(cpu, op);
}

OP(mfspr_ppr32) { RT = cpu->ppr >> 32; }
OP(mtspr_ppr) { cpu_set_priority(cpu, RS >> PPR_SHIFT & 7); }
OP(mtspr_ppr32) { cpu_set_priority(cpu, RS >> (PPR_SHIFT - 32) & 7); }

/* What it counts down from may be any power of two less one, and the highest and 0 do not count: that of one bit never
 * does. Book III, 4.3.7. */
OP(mtspr_pspb) { cpu->pspb = RS & 1; }

OP(mfspr_dpdes) { RT = cpu->irq & IRQ_DOORBELL ? UINT64_C(1) << (cpu->tir & 63) : 0; }

/* ---- What translation depends on ---- */

/* Linux opens and closes key 0 around each copy to or from problem state: that is no more
 * than another context, so the block goes on. */
static void set_amr(struct cpu *cpu, uint64_t amr)
{
	uint64_t changed = cpu->amr ^ amr;

	cpu->amr = amr;
	if (changed)
		cpu_context_changed(cpu);
}

OP_RAW(mtspr_amr)
{
	set_amr(cpu, RS);
	tlb = cpu->tlb;
	NEXT;
}

OP_RAW(mtspr_uamr)
{
	uint64_t mask = cpu->msr & MSR_PR ? cpu->uamor : ~UINT64_C(0);

	set_amr(cpu, (RS & mask) | (cpu->amr & ~mask));
	tlb = cpu->tlb;
	NEXT;
}

OP_TRY(mtspr_iamr)
{
	if (cpu->iamr == RS)
		return true;
	cpu->iamr = RS;
	end_block(cpu, op);
	cpu_context_changed(cpu);
	return false;
}

OP_TRY(mtspr_pidr)
{
	if (cpu->pidr == (uint32_t)RS)
		return true;
	cpu->pidr = (uint32_t)RS;
	end_block(cpu, op);
	cpu_context_changed(cpu);
	return false;
}

/* ---- Transactional memory ---- */

#define TM_SPR(suffix, get, put) \
	OP_TRY(mfspr_##suffix) \
	{ \
		if (!tm_available(cpu, op)) \
			return false; \
		RT = get; \
		return true; \
	} \
	OP_TRY(mtspr_##suffix) \
	{ \
		if (!tm_available(cpu, op)) \
			return false; \
		FIELD(uint64_t) = put; \
		return true; \
	}
TM_SPR(tm, FIELD(uint64_t), RS)
TM_SPR(tm_high, FIELD(uint64_t) >> 32, RS << 32 | (uint32_t)FIELD(uint64_t))

/* ---- Event-based branches: set and reset views of BESCR. Book II, 7.2.1 ---- */

static bool set_bescr(struct cpu *cpu, const struct op *op, uint64_t v)
{
	cpu->bescr = v;
	pmu_changed(cpu);
	return end_block(cpu, op);
}

OP_TRY(mtspr_bescr) { return set_bescr(cpu, op, RS); }
OP_TRY(mtspr_bescrs) { return set_bescr(cpu, op, cpu->bescr | RS); }
OP_TRY(mtspr_bescrsu) { return set_bescr(cpu, op, cpu->bescr | RS << 32); }
OP_TRY(mtspr_bescrr) { return set_bescr(cpu, op, cpu->bescr & ~RS); }
OP_TRY(mtspr_bescrru) { return set_bescr(cpu, op, cpu->bescr & ~(RS << 32)); }

/* ---- Performance monitor ---- */

#define UMMCR0_BITS (MMCR0_FC | MMCR0_PMAE | MMCR0_PMAO)
/* FCnP0 of the six counters. Book III, 9.4.6. */
#define UMMCR2_BITS (PPC_BIT(1) | PPC_BIT(10) | PPC_BIT(19) | PPC_BIT(28) | PPC_BIT(37) | PPC_BIT(46))

/* What counts, and what happens then, is different after this instruction. */
static bool counting_changed(struct cpu *cpu, const struct op *op)
{
	pmu_changed(cpu);
	return end_block(cpu, op);
}

/* PMAO is the exception itself: software may set it, and the interrupt stays until it is
 * cleared. Book III, 9.2 and 9.4.4. */
static bool set_mmcr0(struct cpu *cpu, const struct op *op, uint64_t v)
{
	cpu->mmcr0 = v;
	cpu->irq &= ~(uint32_t)IRQ_PERFMON;
	if (v & MMCR0_PMAO && !(v & MMCR0_EBE))
		cpu->irq |= IRQ_PERFMON;
	return counting_changed(cpu, op);
}

static uint64_t visible_bits(const struct cpu *cpu, uint64_t problem_bits)
{
	return cpu->msr & MSR_PR ? problem_bits : ~UINT64_C(0);
}

OP_TRY(mtspr_mmcr0) { return set_mmcr0(cpu, op, RS); }
OP(mfspr_ummcr0) { RT = cpu->mmcr0 & visible_bits(cpu, UMMCR0_BITS); }
OP_TRY(mtspr_ummcr0)
{
	uint64_t bits = visible_bits(cpu, UMMCR0_BITS);

	return set_mmcr0(cpu, op, (RS & bits) | (cpu->mmcr0 & ~bits));
}
OP(mfspr_ummcr2) { RT = cpu->mmcr2 & visible_bits(cpu, UMMCR2_BITS); }
OP_TRY(mtspr_ummcr2)
{
	uint64_t bits = visible_bits(cpu, UMMCR2_BITS);

	cpu->mmcr2 = (RS & bits) | (cpu->mmcr2 & ~bits);
	return counting_changed(cpu, op);
}

/* MMCR1, MMCR2, MMCRA. */
OP_TRY(mtspr_mmcr)
{
	FIELD(uint64_t) = RS;
	return counting_changed(cpu, op);
}

/* A counter is a field like the others, and more while it counts. */
#define COUNTER ((unsigned)(&FIELD(uint64_t) - cpu->pmc))

OP_TRY(mfspr_pmc)
{
	int64_t left = op_budget(cpu, op, budget);

	RT = pmu_counter(cpu, COUNTER, cpu->limit, -(left >> 32), cpu->insns + INSNS_DONE(left));
	return true;
}

/* Instructions completed. */
OP_TRY(mfspr_ic)
{
	RT = cpu->insns + INSNS_DONE(op_budget(cpu, op, budget));
	return true;
}

OP_TRY(mtspr_pmc)
{
	FIELD(uint64_t) = (uint32_t)RS;
	cpu->pmu.counting &= (uint8_t)~(1u << COUNTER);
	return counting_changed(cpu, op);
}

/* ---- Checks that come before the move, as ops of their own ---- */

/* b: facility that problem state needs in FSCR. */
OP_TRY(facility_check)
{
	return cpu->fscr & FSCR_BIT(op->b) ? true : raise_facility(cpu, op, (enum facility)op->b);
}

/* b: 1 if it is a write, + 2 if the counter is PMC5 or PMC6. MMCR0[PMCC]: 0 read only, 1 no
 * access, 2 all, 3 all but PMC5 and PMC6. Book III, 9.4.4. */
OP_TRY(pmu_check)
{
	switch (MMCR0_PMCC(cpu->mmcr0)) {
	case 0:
		return op->b & 1 ? raise_program(cpu, op, PROG_ILLEGAL) : true;
	case 1:
		return raise_facility(cpu, op, FAC_PM);
	case 3:
		return op->b & 2 ? raise_facility(cpu, op, FAC_PM) : true;
	default:
		return true;
	}
}

/* An SPR number nobody has defined, in privileged state: a no-op. c, d: the number. */
OP_TRY(spr_undefined)
{
	cpu_log(cpu, LOG_UNIMP, "move %s SPR %u ignored at 0x%016llx\n", op->b ? "to" : "from",
		op->c | op->d << 8, (unsigned long long)op_nip(cpu, op));
	return true;
}

/* ---- The table and the decoder's hooks ---- */

enum { NO = 0, RO = 1, WO = 2, RW = 3, OF_HYPERVISOR = 4, RH = RO | OF_HYPERVISOR };

struct spr {
	uint16_t number, offset;
	uint8_t on, problem, privileged, facility;
	op_fn *read, *write;
};

#define op_mfspr_none NULL
#define op_mtspr_none NULL
static const struct spr sprs[] = {
#define SPR(number, name, on, problem, privileged, read, write, field, facility) \
	{ number, offsetof(struct cpu, field), on, problem, privileged, facility, op_mfspr_##read, op_mtspr_##write },
#include "cpu/table/spr.def"
#undef SPR
};
_Static_assert(sizeof(struct cpu) < 65536, "offsets in struct spr");

static bool is_known(unsigned number, unsigned generations)
{
	for (unsigned i = 0; i < ARRAY_SIZE(sprs); i++)
		if (sprs[i].number == number && sprs[i].on & generations)
			return true;
	return false;
}

/* On a processor of that level, where problem state may have no more registers than an earlier one had; those it has are the
 * processor's own. */
static const struct spr *spr_lookup(unsigned number, enum insn_since own, enum insn_since level)
{
	unsigned known = 2 * spr_generation(level) - 1;

	for (unsigned i = 0; i < ARRAY_SIZE(sprs); i++)
		if (sprs[i].number == number && sprs[i].on & spr_generation(own))
			return sprs[i].on & known || is_known(number, known) ? &sprs[i] : NULL;
	return NULL;
}

/* mfspr from 4, 5 and 6 once were instructions of their own. */
static bool always_illegal(unsigned number, bool write)
{
	return number == 0 || (!write && number >= 4 && number <= 6);
}

static bool undefined_spr(struct op *op, unsigned number, bool problem, bool write)
{
	if (problem && number & 0x10) {
		op->fn = op_privileged;
		return true;
	}
	if (number >= 808 && number <= 811) {		/* reserved no-ops. Book II, 1.6 */
		problem = false;
	} else if (problem || always_illegal(number, write)) {
		return false;
	}
	*op = (struct op){ .fn = op_spr_undefined, .b = write, .c = number & 0xff, .d = (uint8_t)(number >> 8) };
	return true;
}

static void check_first(struct decoder *d, const struct spr *spr, bool write)
{
	if (spr->facility == FAC_PM)
		decode_emit(d, (struct op){ .fn = op_pmu_check,
					    .b = (uint8_t)(write | (spr->number == 775 || spr->number == 776) << 1) });
	else if (spr->facility)
		decode_emit(d, (struct op){ .fn = op_facility_check, .b = spr->facility });
}

/* A 64-bit field that has a slot number is moved by mr's handler, with no more cost. */
static bool decode_spr(struct decoder *d, struct op *op, uint32_t word, bool write)
{
	unsigned number = (word >> 16 & 31) | (word >> 6 & 0x3e0);
	bool problem = decode_mode(d) & MODE_PR;
	const struct spr *spr = spr_lookup(number, decode_own_level(d), decode_level(d));
	unsigned allowed, index;

	if (!spr)
		return undefined_spr(op, number, problem, write);
	allowed = problem ? spr->problem : spr->privileged;
	if (!(allowed & (write ? WO : RO))) {
		/* Defined for the other direction only: undefined for this one. For a higher state:
		 * a privileged instruction. */
		if (allowed && !(allowed & OF_HYPERVISOR))
			return undefined_spr(op, number, problem, write);
		op->fn = op_privileged;
		return true;
	}
	if (problem)
		check_first(d, spr, write);
	op->fn = write ? spr->write : spr->read;
	op->b = 0;
	index = spr->offset / 8u;
	if (op->fn == op_mfspr_u64 && index < 256) {
		op->fn = op_mr;
		op->c = (uint8_t)index;
	} else if (op->fn == op_mtspr_u64 && index < 256) {
		op->fn = op_mr;
		op->c = op->a;
		op->a = (uint8_t)index;
	} else {
		if (op->fn == op_mfspr_u32 || op->fn == op_mtspr_u32)
			index = spr->offset / 4u;
		op->c = index & 0xff;
		op->d = (uint8_t)(index >> 8);
	}
	return true;
}

DECODE_HOOK(mfspr) { return decode_spr(d, op, word, false); }
DECODE_HOOK(mtspr) { return decode_spr(d, op, word, true); }
DECODE_HOOK(mftb) { return decode_spr(d, op, word, false); }

/* Replaced by the hooks in every case. */
OP_TRY(mfspr) { return raise_program(cpu, op, PROG_ILLEGAL); }
OP_TRY(mtspr) { return raise_program(cpu, op, PROG_ILLEGAL); }
OP_TRY(mftb) { return raise_program(cpu, op, PROG_ILLEGAL); }

/* Interrupts: from a cause to the processor's state at the vector.
 *
 * Owns reset, MSR changes, the choice among pending interrupts, and the raise_*() calls of
 * handlers. A guest without MSR[HV] is all there is, so every interrupt is taken by SRR0 and
 * SRR1 (or LR and CTR for scv). Source: Power ISA 3.0B, Book III, chapter 6.
 */
#include <stddef.h>
#include <string.h>

#include "cpu/core/spr.h"
#include "cpu/core/timebase.h"
#include "cpu/engine/decode.h"
#include "cpu/engine/dispatch.h"
#include "cpu/engine/tlb.h"

/* SRR1 (and CTR for scv) hold MSR but for the bits that tell the cause. Book III, 6.2.2. */
#define SRR1_CAUSE (PPC_MASK(33, 36) | PPC_MASK(42, 47))

/* What cpu_context_changed() selects by. */
#define MSR_CONTEXT (MSR_SF | MSR_VEC | MSR_VSX | MSR_PR | MSR_FP | MSR_IR | MSR_DR | MSR_LE)

/* LPCR[AIL]. Book III, 2.2. */
#define AIL_NEAR 2	/* + 0x18000 */
#define AIL_HIGH 3	/* + 0xc000000000004000 */

uint64_t cpu_msr_bits(const struct cpu *cpu)
{
	return MSR_GUEST | (cpu->engine && cpu->engine->tm ? MSR_TM : 0);
}

void cpu_set_msr(struct cpu *cpu, uint64_t msr)
{
	uint64_t changed;

	msr &= cpu_msr_bits(cpu);
	/* Problem state has no real mode and cannot mask interrupts. Book III, 4.2.1. */
	if (msr & MSR_PR)
		msr |= MSR_EE | MSR_IR | MSR_DR;
	changed = cpu->msr ^ msr;
	cpu->msr = msr;
	if (unlikely(cpu->pmu.follows_msr) && changed & (MSR_PR | MSR_PMM))
		pmu_changed(cpu);
	if (unlikely(cpu_priority(cpu) == PRIORITY_MEDIUM_HIGH))
		cpu_set_priority(cpu, PRIORITY_MEDIUM_HIGH);
	if (changed & MSR_CONTEXT)
		cpu_context_changed(cpu);
}

/* LPCR[AIL], 0 if this interrupt goes to its real vector. */
static unsigned alternate_location(const struct cpu *cpu)
{
	unsigned ail = (unsigned)((cpu->lpcr & LPCR_AIL) / PPC_BIT(40));

	if (!(cpu->msr & MSR_IR) || !(cpu->msr & MSR_DR))
		return 0;
	return ail == AIL_NEAR || ail == AIL_HIGH ? ail : 0;
}

/* MSR at the vector. Book III, 6.4.3, figure "MSR setting due to interrupt"; but a machine check, which the
 * hypervisor takes with ME off, it hands to the guest with ME on: nothing in a guest turns it on again. */
static uint64_t interrupt_msr(const struct cpu *cpu, uint64_t keep, unsigned ail)
{
	return MSR_SF | (cpu->msr & keep) | (cpu->lpcr & LPCR_ILE ? MSR_LE : 0) | (ail ? MSR_IR | MSR_DR : 0);
}

static const char *vector_name(enum vector vector)
{
	switch (vector) {
	case VEC_SYSTEM_RESET:
		return "system reset";
	case VEC_MACHINE_CHECK:
		return "machine check";
	case VEC_DATA_STORAGE:
		return "data storage";
	case VEC_DATA_SEGMENT:
		return "data segment";
	case VEC_INST_STORAGE:
		return "instruction storage";
	case VEC_INST_SEGMENT:
		return "instruction segment";
	case VEC_EXTERNAL:
		return "external";
	case VEC_ALIGNMENT:
		return "alignment";
	case VEC_PROGRAM:
		return "program";
	case VEC_FP_UNAVAIL:
		return "floating-point unavailable";
	case VEC_DECREMENTER:
		return "decrementer";
	case VEC_DOORBELL:
		return "doorbell";
	case VEC_SYSTEM_CALL:
		return "system call";
	case VEC_TRACE:
		return "trace";
	case VEC_PERFMON:
		return "performance monitor";
	case VEC_VEC_UNAVAIL:
		return "vector unavailable";
	case VEC_VSX_UNAVAIL:
		return "VSX unavailable";
	case VEC_FAC_UNAVAIL:
		return "facility unavailable";
	case VEC_SCV:
		return "scv";
	}
	return "?";
}

/* Nothing is under way at the first instruction of a handler, and fetching that takes its time. */
static void timing_interrupt(struct cpu *cpu)
{
	cpu->pace = cpu->pace_empty;
	cpu->owed += cpu->engine->timing.interrupt;
	cpu->stall[STALL_SYNC] += cpu->engine->timing.interrupt;
	cpu->entries++;
}

void cpu_interrupt(struct cpu *cpu, enum vector vector, uint64_t srr0, uint64_t srr1_bits)
{
	bool severe = vector == VEC_SYSTEM_RESET || vector == VEC_MACHINE_CHECK;
	unsigned ail = severe ? 0 : alternate_location(cpu);
	uint64_t entry = (uint64_t)vector;

	cpu_log(cpu, LOG_INT, "interrupt 0x%x %s at 0x%016llx, msr 0x%016llx, cause 0x%llx\n", (unsigned)vector,
		vector_name(vector), (unsigned long long)srr0, (unsigned long long)cpu->msr,
		(unsigned long long)srr1_bits);
	cpu->interrupts++;
	timing_interrupt(cpu);
	cpu->srr0 = srr0;
	cpu->srr1 = (cpu->msr & ~SRR1_CAUSE) | srr1_bits;
	cpu_set_msr(cpu, interrupt_msr(cpu, MSR_ME, ail));
	if (ail == AIL_HIGH)
		entry += UINT64_C(0xc000000000004000);
	else if (ail == AIL_NEAR)
		entry += 0x18000;
	if (severe && cpu->env->fwnmi_entry) {
		uint64_t registered = cpu->env->fwnmi_entry(cpu, vector);

		if (registered)
			entry = registered;
	}
	cpu->nip = entry;
}

void cpu_copy_interrupt(struct cpu *copy, enum vector vector)
{
	unsigned ail = alternate_location(copy);

	copy->srr0 = copy->nip;
	copy->srr1 = copy->msr & ~SRR1_CAUSE;
	copy->msr = interrupt_msr(copy, MSR_ME, ail) & cpu_msr_bits(copy);
	copy->nip = (uint64_t)vector + (ail == AIL_HIGH ? UINT64_C(0xc000000000004000) : ail == AIL_NEAR ? 0x18000 : 0);
}

void cpu_system_call_vectored(struct cpu *cpu, uint64_t nip, unsigned lev)
{
	unsigned ail = alternate_location(cpu);

	cpu_log(cpu, LOG_INT, "interrupt 0x3000 scv %u, next 0x%016llx, r0 %lld\n", lev,
		(unsigned long long)nip, (long long)cpu->r[0]);
	cpu->interrupts++;
	timing_interrupt(cpu);
	cpu->lr = nip;
	cpu->ctr = cpu->msr & ~SRR1_CAUSE;
	cpu_set_msr(cpu, interrupt_msr(cpu, MSR_ME | MSR_EE | MSR_RI, ail));
	cpu->nip = (ail == AIL_HIGH ? UINT64_C(0xc000000000003000) : 0x17000) + 0x20 * (uint64_t)lev;
}

/* Book III, 6.5.2. */
void cpu_machine_check(struct cpu *cpu, uint64_t srr0, uint64_t srr1_bits)
{
	if (cpu->msr & MSR_ME) {
		cpu_interrupt(cpu, VEC_MACHINE_CHECK, srr0, srr1_bits);
		return;
	}
	cpu_log(cpu, LOG_GUEST_ERROR, "machine check with MSR[ME] = 0: processor stopped\n");
	cpu->interrupts++;	/* the instruction is not completed: no trace */
	cpu->nip = srr0;
	cpu->run_state = CPU_STOPPED;
}

/* ---- Asynchronous interrupts. Order: Book III, 6.9 ---- */

bool cpu_interrupt_pending(const struct cpu *cpu, uint64_t msr)
{
	if (cpu->irq & (IRQ_RESET | IRQ_MACHINE_CHECK))
		return true;
	return (msr & MSR_EE) && cpu_async_waits(cpu, cpu->cycles);
}

bool cpu_deliver_pending(struct cpu *cpu)
{
	enum vector vector;
	uint32_t edge = 0;

	if (cpu->irq & IRQ_RESET) {
		vector = VEC_SYSTEM_RESET;
		edge = IRQ_RESET;
	} else if (cpu->irq & IRQ_MACHINE_CHECK) {
		cpu->irq &= ~(uint32_t)IRQ_MACHINE_CHECK;
		cpu_machine_check(cpu, cpu->nip, 0);
		return cpu->run_state == CPU_RUNNING;
	} else if (!(cpu->msr & MSR_EE)) {
		return false;
	} else if (cpu->irq & IRQ_EXTERNAL) {
		vector = VEC_EXTERNAL;
	} else if (cpu_dec_pending(cpu, cpu->cycles)) {
		vector = VEC_DECREMENTER;
	} else if (cpu->irq & IRQ_DOORBELL) {
		vector = VEC_DOORBELL;
		edge = IRQ_DOORBELL;
	} else if (cpu->irq & IRQ_PERFMON) {
		vector = VEC_PERFMON;
	} else {
		return false;
	}
	cpu->irq &= ~edge;
	cpu_interrupt(cpu, vector, cpu->nip, 0);
	return true;
}

/* ---- Synchronous interrupts, from handlers ---- */

/* The instruction has been charged for, and is not completed. */
static void unwind_uncompleted(struct cpu *cpu, const struct op *op)
{
	op_unwind(cpu, op);
	cpu->insns--;
}

/* POWER10: a prefixed instruction caused it; it is not executed where it lies. ISA 3.1, Book III, 7.5. */
#define SRR1_PREFIXED PPC_BIT(34)
#define SRR1_BOUNDARY PPC_BIT(35)

static uint64_t prefixed(const struct cpu *cpu, uint64_t insn)
{
	return engine_level(cpu->engine, cpu->msr & MSR_PR ? MODE_PR : 0) >= P10 && is_prefix((uint32_t)(is_prefixed(insn) ? insn >> 32 : insn)) ? SRR1_PREFIXED : 0;
}

bool raise_interrupt(struct cpu *cpu, const struct op *op, enum vector vector, uint64_t srr1_bits)
{
	srr1_bits |= prefixed(cpu, op_insn(op));
	unwind_uncompleted(cpu, op);
	cpu_interrupt(cpu, vector, cpu->nip, srr1_bits);
	return false;
}

bool raise_program(struct cpu *cpu, const struct op *op, uint64_t reason)
{
	return raise_interrupt(cpu, op, VEC_PROGRAM, reason);
}

bool raise_facility(struct cpu *cpu, const struct op *op, enum facility facility)
{
	if (facility == FAC_FP)
		return raise_interrupt(cpu, op, VEC_FP_UNAVAIL, 0);
	if (facility == FAC_VEC)
		return raise_interrupt(cpu, op, VEC_VEC_UNAVAIL, 0);
	cpu->fscr = (cpu->fscr & ~PPC_MASK(0, 7)) | (uint64_t)facility << 56;
	return raise_interrupt(cpu, op, VEC_FAC_UNAVAIL, 0);
}

/* Fields of the instruction: RT and RA, and of the opcode what tells forms apart. 2.07, Book III-S, 6.5.8; as Linux composes it where
 * the processor does not (make_dsisr). */
static uint32_t alignment_dsisr(uint32_t word)
{
	unsigned opcode = word >> 26;
	uint32_t dsisr = word >> 16 & 0x3ff;

	if (opcode == 31)
		return dsisr | (word & 6) << 14 | (word & 0x40) << 8 | (word & 0x780) << 3;
	return dsisr | (opcode & 1) << 14 | (opcode >> 1 & 15) << 10 | (opcode >= 56 ? (word & 3) << 18 : 0);
}

/* Since 3.0 software looks at the instruction itself, and DSISR is left alone. Book III, 6.5.8. */
bool raise_alignment(struct cpu *cpu, const struct op *op, uint64_t ea)
{
	cpu->dar = ea;
	if (cpu->engine->level < P9)
		cpu->dsisr = alignment_dsisr((uint32_t)op_insn(op));
	return raise_interrupt(cpu, op, VEC_ALIGNMENT, 0);
}

OP_TRY(no_prefix) { return raise_facility(cpu, op, FAC_PREFIX); }

/* DAR has the instruction's own address. */
OP_TRY(boundary)
{
	cpu->dar = op_nip(cpu, op);
	return raise_interrupt(cpu, op, VEC_ALIGNMENT, SRR1_BOUNDARY);
}

/* POWER9 tells an access to a real address that is not there from other machine checks by bits of DSISR
 * and SRR1. Hardware says so for stores later and without an address; here they are precise. */
#define DSISR_REAL_ADDRESS PPC_BIT32(25)
#define SRR1_MC_LOAD       PPC_BIT(42)
#define SRR1_MC_STORE      (PPC_BIT(36) | PPC_BIT(42) | PPC_BIT(43) | PPC_BIT(45))

bool raise_no_storage(struct cpu *cpu, const struct op *op, uint64_t ea, bool store)
{
	cpu->dar = ea;
	cpu->dsisr = DSISR_REAL_ADDRESS;
	unwind_uncompleted(cpu, op);
	cpu_machine_check(cpu, cpu->nip, store ? SRR1_MC_STORE : SRR1_MC_LOAD);
	return false;
}

/* ---- Trace. Book III, 6.5.15 ---- */

#define SRR1_TRACE       PPC_BIT(33)
#define SRR1_TRACE_LOAD  PPC_BIT(35)
#define SRR1_TRACE_STORE PPC_BIT(36)
#define SRR1_COMPLETED   PPC_BIT(43)

/* What alignment the instruction forces on its address. Book I, 6.7. */
static uint64_t forced_alignment(const struct insn *insn)
{
	static const struct { const char *name; unsigned bytes; } rows[] = {
		{ "lvehx", 2 }, { "stvehx", 2 }, { "lvewx", 4 }, { "stvewx", 4 }, { "lvebx", 1 }, { "stvebx", 1 },
		{ "lvx", 16 }, { "lvxl", 16 }, { "stvx", 16 }, { "stvxl", 16 },
	};

	for (unsigned i = 0; insn->flags & VEC && i < ARRAY_SIZE(rows); i++)
		if (!strcmp(insn->name, rows[i].name))
			return rows[i].bytes;
	return 1;
}

/* RB of these is a length, of the others of X-form a part of the address. */
static bool has_length(const struct insn *insn)
{
	return strstr(insn->name, "xvl") != NULL;
}

/* Hints are traced as the accesses that they announce: icbt and dcbt as loads, dcbtst as a store. Microwatt has them so. */
static bool is_hint(const struct insn *insn)
{
	return !strcmp(insn->name, "dcbt") || !strcmp(insn->name, "dcbtst") || !strcmp(insn->name, "icbt");
}

static uint64_t operand_address(const struct cpu *cpu, const struct insn *insn, uint64_t word)
{
	unsigned ra = word >> 16 & 31;
	uint64_t ea = ra ? cpu->r[ra] : 0;
	int64_t offset;

	if (decode_offset(insn, word, &offset))
		ea += (uint64_t)offset + (is_prefixed(word) && word & INSN_R ? cpu->nip : 0);
	else if (strstr(insn->operands, "RB") && !has_length(insn))
		ea += cpu->r[word >> 11 & 31];
	if (!(cpu->msr & MSR_SF))
		ea = (uint32_t)ea;
	return ea & -forced_alignment(insn);
}

uint64_t cpu_operand_address(const struct cpu *cpu, uint64_t word)
{
	const struct insn *insn = insn_lookup_at(word, cpu->engine->level);

	return insn && insn->flags & MEM ? operand_address(cpu, insn, word) : 0;
}

bool cpu_operand_is_stored(const struct cpu *cpu, uint64_t word)
{
	const struct insn *insn = insn_lookup_at(word, cpu->engine->level);

	return insn && insn->flags & WRITES;
}

/* Instructions that set MSR anew have no trace of their own. */
static bool returns(const struct insn *insn)
{
	return !strcmp(insn->name, "rfid") || !strcmp(insn->name, "rfscv");
}

static uint64_t traced_access(const struct insn *insn)
{
	if (!(insn->flags & MEM) && !is_hint(insn))
		return 0;
	return insn->flags & WRITES || !strcmp(insn->name, "dcbtst") ? SRR1_TRACE_STORE : SRR1_TRACE_LOAD;
}

/* SDAR is left alone if there is no operand: undefined. A hint leaves the registers that make its address. */
static void interrupt_trace(struct cpu *cpu, const struct insn *insn, uint64_t nip, uint64_t word, uint64_t operand, uint64_t cause)
{
	cpu->siar = nip;
	if (insn->flags & MEM)
		cpu->sdar = operand;
	else if (is_hint(insn))
		cpu->sdar = operand_address(cpu, insn, word);
	cpu_interrupt(cpu, VEC_TRACE, cpu->nip, SRR1_TRACE | cause | prefixed(cpu, word));
}

void cpu_trace(struct cpu *cpu, uint64_t nip, uint64_t word, uint64_t operand)
{
	const struct insn *insn = insn_lookup_at(word, cpu->engine->level);

	if (insn && !returns(insn) && (cpu->msr & MSR_SE || (cpu->msr & MSR_BE && insn->flags & BRANCH)))
		interrupt_trace(cpu, insn, nip, word, operand, traced_access(insn));
}

/* CIABR's bit comes without those of a load or a store, as in Microwatt. */
void cpu_trace_completed(struct cpu *cpu, uint64_t nip, uint64_t word, uint64_t operand)
{
	const struct insn *insn = insn_lookup_at(word, cpu->engine->level);

	if (insn && !returns(insn))
		interrupt_trace(cpu, insn, nip, word, operand, SRR1_COMPLETED);
}

/* ---- Reset ---- */

/* As after power-on of the partition; who the processor is, its place in the machine and the
 * cycle it has reached stay. LPCR is the machine's to set. */
void cpu_reset(struct cpu *cpu)
{
	memset(cpu->r, 0, sizeof cpu->r);
	cpu->zero = cpu->lr = cpu->ctr = cpu->ea = cpu->tar = 0;
	memset(cpu->cr, 0, sizeof cpu->cr);
	cpu->ca = cpu->ca32 = cpu->ov = cpu->ov32 = cpu->so = cpu->xer_count = 0;
	cpu->resv_size = 0;
	cpu->resv_addr = 0;
	memset(cpu->vsr, 0, sizeof cpu->vsr);
	fpscr_set(cpu, 0);
	cpu->vscr = 0x10000;		/* NJ */
	cpu->vrsave = 0;

	cpu->nip = VEC_SYSTEM_RESET;
	cpu->msr = MSR_SF | MSR_ME;
	memset((uint8_t *)cpu + offsetof(struct cpu, srr0), 0, offsetof(struct cpu, slb) + sizeof cpu->slb - offsetof(struct cpu, srr0));
	cpu->ppr = (uint64_t)PRIORITY_MEDIUM << PPR_SHIFT;
	cpu->mmcr0 = MMCR0_FC;
	pmu_forget(cpu);
	cpu_set_dec(cpu, cpu->cycles, INT32_MAX);

	cpu->irq = 0;
	cpu->prodded = false;
	cpu->phase = 0;
	cpu->pace = cpu->pace_empty;
	if (cpu->engine) {
		tlb_flush_all(cpu);
		cpu_context_changed(cpu);
	}
}

void cpu_state_changed(struct cpu *cpu)
{
	pmu_forget(cpu);
	engine_flush(cpu->engine);
	tlb_flush_all(cpu);
	cpu_context_changed(cpu);
}

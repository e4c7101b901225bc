/* System instructions. Power ISA 3.0B, Book II and III; sections stand in insn_system.def.
 *
 * Rows with PRIV never get here in problem state. Whoever changes what the rest of a block
 * depends on leaves through end_block(); whoever goes elsewhere sets cpu->nip and leaves.
 */
#include "cpu/core/spr.h"
#include "cpu/core/timebase.h"
#include "cpu/engine/block.h"
#include "cpu/engine/decode.h"
#include "cpu/engine/forget.h"
#include "cpu/engine/operands.h"
#include "cpu/engine/space.h"
#include "cpu/engine/tlb.h"
#include "cpu/mmu/slb.h"

#define NO_OPERATION(name) OP(name) { }
#define HYPERVISOR_ONLY(name) OP_TRY(name) { return raise_program(cpu, op, PROG_PRIV); }

/* ---- MSR ---- */

#define MSR_LIGHT (MSR_EE | MSR_RI)	/* all that L=1 changes */

OP(mfmsr) { RT = cpu->msr; }

/* An MSR that lets a floating-point exception through that has waited for it: the interrupt comes before the next
 * instruction, and before those that MSR[EE] lets through. Book III, 6.5.9 and 6.9. */
static void take_fp_exception(struct cpu *cpu)
{
	if (fp_exception_waits(cpu))
		cpu_interrupt(cpu, VEC_PROGRAM, cpu->nip, PROG_FP | PROG_LATER);
}

/* Nothing that blocks or translation depend on: goes on unless an interrupt has waited. */
OP_RAW(mtmsrd_light)
{
	cpu->msr = (cpu->msr & ~MSR_LIGHT) | (RS & MSR_LIGHT);
	if (RS & MSR_EE && unlikely(cpu_async_waits(cpu, NOW_FOR_ASYNC))) {
		end_block(cpu, op);
		LEAVE;
	}
	NEXT;
}

/* HV, ME and LE stay, and mtmsr leaves the upper half alone too. */
OP_TRY(mtmsrd)
{
	uint64_t keep = MSR_ME | MSR_LE;

	end_block(cpu, op);
	cpu_set_msr(cpu, (RS & ~keep) | (cpu->msr & keep));
	take_fp_exception(cpu);
	return false;
}

OP_TRY(mtmsr)
{
	uint64_t keep = MSR_ME | MSR_LE | PPC_MASK(0, 31);

	end_block(cpu, op);
	cpu_set_msr(cpu, (RS & ~keep) | (cpu->msr & keep));
	take_fp_exception(cpu);
	return false;
}

DECODE_HOOK(mtmsrd)
{
	if (op->imm)
		op->fn = op_mtmsrd_light;
	return true;
}

DECODE_HOOK(mtmsr)
{
	if (op->imm)
		op->fn = op_mtmsrd_light;
	return true;
}

/* ---- System call ---- */

#define H_PRIVILEGE (-3)	/* PAPR, "Hypervisor Call Return Codes" */

/* LEV 1 is the hypercall; from problem state it is answered without looking at it. */
static bool make_hypercall(struct cpu *cpu, const struct op *op, int64_t budget)
{
	uint64_t now = op_cycle(cpu, op, budget);

	end_block(cpu, op);
	if (cpu->msr & MSR_PR) {
		cpu->r[3] = (uint64_t)H_PRIVILEGE;
		return false;
	}
	cpu->cycles = now;
	if (cpu->per_cycle != 1)
		cpu->called_at = 1 + now;
	cpu->pace = cpu->pace_empty;
	cpu->env->hypercall(cpu);
	return false;
}

OP_RAW(sc)
{
	if (op->imm == 1) {
		make_hypercall(cpu, op, budget);
		LEAVE;
	}
	end_block(cpu, op);
	cpu->cycles = CYCLE_NOW;
	cpu_interrupt(cpu, VEC_SYSTEM_CALL, cpu->nip, 0);
	GOTO_SAME(op_seek);
}

OP_RAW(scv)
{
	if (!(cpu->fscr & FSCR_BIT(FAC_SCV))) {
		raise_facility(cpu, op, FAC_SCV);
		LEAVE;
	}
	end_block(cpu, op);
	cpu->cycles = CYCLE_NOW;
	cpu_system_call_vectored(cpu, cpu->nip, (unsigned)op->imm);
	GOTO_SAME(op_seek);
}

/* ---- Return from interrupt. ENDBB: nothing in the block was charged past them ---- */

/* What the saved MSR cannot change in a guest: ME, and the bits that tell causes. */
static void return_to(struct cpu *cpu, uint64_t nip, uint64_t msr)
{
	cpu->pace = cpu->pace_empty;
	cpu_set_msr(cpu, (msr & ~MSR_ME) | (cpu->msr & MSR_ME));
	cpu->nip = cpu->msr & MSR_SF ? nip & ~UINT64_C(3) : (uint32_t)nip & ~UINT32_C(3);
	take_fp_exception(cpu);
}

/* What has waited for MSR[EE] comes first. */
#define GO_ON_UNLESS_INTERRUPTED \
	do { \
		if (unlikely(cpu_async_waits(cpu, cpu->per_cycle == 1 ? CYCLE_NOW : cpu->limit - 1))) \
			LEAVE; \
		GOTO_SAME(op_seek); \
	} while (0)

OP_RAW(rfid)
{
	return_to(cpu, cpu->srr0, cpu->srr1);
	GO_ON_UNLESS_INTERRUPTED;
}

OP_RAW(rfscv)
{
	return_to(cpu, cpu->lr, cpu->ctr);
	GO_ON_UNLESS_INTERRUPTED;
}

HYPERVISOR_ONLY(hrfid)
HYPERVISOR_ONLY(stop)
HYPERVISOR_ONLY(doze)
HYPERVISOR_ONLY(nap)
HYPERVISOR_ONLY(sleep)
HYPERVISOR_ONLY(rvwinkle)

OP_TRY(rfebb)
{
	if (cpu->msr & MSR_PR && !(cpu->fscr & FSCR_BIT(FAC_EBB)))
		return raise_facility(cpu, op, FAC_EBB);
	if (cpu->bescr & BESCR_TS)
		return raise_program(cpu, op, PROG_ILLEGAL);
	cpu->bescr = op->imm ? cpu->bescr | BESCR_GE : cpu->bescr & ~BESCR_GE;
	return_to(cpu, cpu->ebbrr, cpu->msr);
	pmu_changed(cpu);
	return false;
}

/* ---- Program priority: or n,n,n. Book II, 3.1 ---- */

/* imm: the new priority. A program lowers its priority in a loop that waits for another processor. */
OP_RAW(or_priority)
{
	cpu_set_priority(cpu, (uint64_t)op->imm);
	/* The rest of the slice goes to the others; but a processor that leaves the engine loses its reservation, so
	 * not between lwarx and stwcx., which would then never succeed. */
	if (cpu->shared && !cpu->resv_size && cpu_low_priority(cpu)) {
		cpu->waiting = true;
		cpu->halt = 1;
		end_block(cpu, op);
		LEAVE;
	}
	NEXT;
}

bool decode_priority(const struct decoder *d, struct op *op, unsigned n)
{
	static const uint8_t priorities[32] = { [31] = 1, [1] = 2, [6] = 3, [2] = 4, [5] = 5, [3] = 6 };

	if (!priorities[n] || (decode_mode(d) & MODE_PR && priorities[n] > PRIORITY_MEDIUM_HIGH))
		return false;
	*op = (struct op){ .fn = op_or_priority, .imm = priorities[n] };
	return true;
}

/* ---- Order: one processor runs at a time, so all storage is always in order ---- */

/* isync: whatever changes the context leaves the block by itself, and code that is stored to
 * is forgotten at once. sync: each L and SC orders less than all, which is what there is; before POWER10 their new bits are
 * reserved, and what they say is not looked at. */
NO_OPERATION(isync)
NO_OPERATION(sync)
NO_OPERATION(eieio)
NO_OPERATION(wait)
NO_OPERATION(tlbsync)
NO_OPERATION(slbsync)

/* WC: 0 for whatever may come, 1 for a lost reservation too, 2 for a short while, of which PL says how short. Nothing lasts
 * shorter. Of the others PL is 0 since POWER10; before, its bits are reserved, and nobody looks at them. Power ISA 3.1, Book
 * II, 4.6.4. */
DECODE_HOOK(wait)
{
	bool short_while = op->imm == 2, pl = decode_own_level(d) >= P10 && word & 3u << 16;

	return (!pl || short_while) && (decode_level(d) >= P10 ? op->imm < 3 : op->imm == 0);
}

/* Before POWER9 it is the hypervisor's, as tlbie is to a guest without LPCR[GTSE]. */
DECODE_HOOK(tlbsync)
{
	if (decode_own_level(d) < P9)
		op->fn = op_privileged;
	return true;
}

/* ---- Caches: none to manage, but the instructions that translate may fault ---- */

NO_OPERATION(icbt)
NO_OPERATION(dcbt)
NO_OPERATION(dcbtst)
NO_OPERATION(dst)
NO_OPERATION(dstst)
NO_OPERATION(dss)

/* Like a load of one byte, but that no watchpoint matches it: Microwatt leaves out touches and flushes, too. dcbf: each L is a
 * flush of fewer caches than all, or to memory that keeps its contents; those that POWER9 does not know act as 0 there. */
static inline bool probe_byte(struct cpu *cpu, const struct op *op, const struct tlb_entry *tlb, uint64_t ea)
{
	return tlb_hit(tlb, ea, 1, false) || load_possible(cpu, op, ea);
}

OP_TRY(dcbst) { return probe_byte(cpu, op, tlb, RA + RB); }
OP_TRY(dcbf) { return probe_byte(cpu, op, tlb, RA + RB); }
OP_TRY(icbi) { return probe_byte(cpu, op, tlb, RA + RB); }

/* ---- Copy and paste ---- */

#define DSISR_STORE      PPC_BIT32(6)
#define DSISR_BAD_PASTE  PPC_BIT32(28)

static const uint8_t *copy_source(struct cpu *cpu, const struct op *op, uint64_t ea)
{
	if (!(ea & (COPY_BLOCK - 1)))
		return host_address(cpu, op, ea, COPY_BLOCK, ACCESS_READ);
	raise_alignment(cpu, op, ea);
	return NULL;
}

static uint8_t *paste_target(struct cpu *cpu, const struct op *op, uint64_t ea)
{
	if (!(ea & (COPY_BLOCK - 1)))
		return host_address(cpu, op, ea, COPY_BLOCK, ACCESS_WRITE);
	raise_alignment(cpu, op, ea);
	return NULL;
}

/* POWER9 pastes to accelerators alone, and there is none: nothing can tell what has been copied. */
OP_TRY(copy) { return copy_source(cpu, op, RA + RB) != NULL; }

OP_TRY(paste)
{
	uint64_t ea = RA + RB;

	if (!paste_target(cpu, op, ea))
		return false;
	cpu->dar = ea;
	cpu->dsisr = DSISR_STORE | DSISR_BAD_PASTE;
	return raise_interrupt(cpu, op, VEC_DATA_STORAGE, 0);
}

/* POWER10 pastes to memory, too. A second copy takes the place of the first. */
OP_TRY(copy_kept)
{
	const uint8_t *from = copy_source(cpu, op, RA + RB);

	if (!from)
		return false;
	memcpy(cpu->copy_block, from, COPY_BLOCK);
	cpu->copied = 1;
	return true;
}

/* EQ: it has been pasted. Without a copy before it nothing is. */
OP_TRY(paste_kept)
{
	uint8_t *to = paste_target(cpu, op, RA + RB);

	if (!to)
		return false;
	if (cpu->copied)
		memcpy(to, cpu->copy_block, COPY_BLOCK);
	cpu->cr[0] = (cpu->copied ? CR_EQ : 0) | cpu->so;
	cpu->copied = 0;
	return true;
}

OP(cpabort) { cpu->copied = 0; }

DECODE_HOOK(copy)
{
	if (decode_own_level(d) >= P10)
		op->fn = op_copy_kept;
	return true;
}

/* L: whether metadata that has been copied goes to the target, too; there is none. Before POWER10 L is 1. */
DECODE_HOOK(paste)
{
	if (decode_own_level(d) >= P10)
		op->fn = op_paste_kept;
	return op->imm || decode_level(d) >= P10;
}

/* L 0: 32 bits, 1: 64 conditioned, 2: 64 raw, 3: reserved, says "no number". */
OP(darn)
{
	uint64_t v = IMM == 3 ? ~UINT64_C(0) : cpu->env->random(cpu->env->machine);

	RT = IMM == 0 ? (uint32_t)v : v;
}

/* ---- TLB invalidation ---- */

/* The four bits RIC, PRS, R of the word, as the hook packs them in imm. */
#define TLBIE_RIC(imm) ((unsigned)(imm) >> 2 & 3)
#define TLBIE_PRS(imm) ((unsigned)(imm) >> 1 & 1)
enum { RIC_TLB, RIC_PWC, RIC_ALL, RIC_CLUSTER };

/* RB: effective page, set (tlbiel), IS, AP. */
#define RB_SET(rb) ((rb) >> 12 & 0xfff)		/* bits 40:51, of which POWER9 uses 44:51 */
#define RB_IS(rb)  ((unsigned)((rb) >> 10) & 3)
#define RB_AP(rb)  ((unsigned)((rb) >> 5) & 7)
enum { IS_PAGE, IS_PID, IS_LPID, IS_ALL };

/* Page size of an AP encoding, as a shift; 0: none. III 5.7.6.1 */
static unsigned ap_shift(unsigned ap)
{
	static const uint8_t shifts[8] = { [0] = 12, [1] = 21, [2] = 30, [5] = 16 };

	return shifts[ap];
}

/* A radix guest may invalidate what its own process table defines (PRS=1), and beyond this
 * processor only if LPCR[GTSE]. There is no page walk cache to forget. */
static bool radix_invalidate(struct cpu *cpu, const struct op *op, bool local)
{
	uint64_t rb = RB, pid = RS >> 32;
	unsigned is = RB_IS(rb), ric = TLBIE_RIC(op->imm), shift;

	if (!TLBIE_PRS(op->imm))
		return raise_program(cpu, op, PROG_PRIV);
	if (ric == RIC_CLUSTER || (ric != RIC_TLB && is == IS_PAGE))
		return raise_program(cpu, op, PROG_ILLEGAL);
	if (ric == RIC_PWC)
		return true;
	if (is == IS_PAGE) {
		shift = ap_shift(RB_AP(rb));
		if (!shift)
			return raise_program(cpu, op, PROG_ILLEGAL);
		forget_page(cpu, pid, rb, shift, !local);
		return end_block(cpu, op);
	}
	/* Software walks all sets; the first of them forgets everything. */
	if (local && RB_SET(rb))
		return true;
	if (is == IS_PID)
		forget_pid(cpu, pid, !local);
	else
		forget_all(cpu, !local);
	return end_block(cpu, op);
}

static bool invalidate_tlb(struct cpu *cpu, const struct op *op, bool local)
{
	if (!local && !(cpu->lpcr & LPCR_GTSE))
		return raise_program(cpu, op, PROG_PRIV);
	if (cpu->lpcr & LPCR_HR)
		return radix_invalidate(cpu, op, local);
	forget_all(cpu, !local);
	return end_block(cpu, op);
}

OP_TRY(tlbie) { return invalidate_tlb(cpu, op, false); }
OP_TRY(tlbiel) { return invalidate_tlb(cpu, op, true); }

static void set_tlbie_fields(struct op *op, uint32_t word)
{
	op->imm = (int32_t)(word >> 16 & 15);
}

DECODE_HOOK(tlbie) { set_tlbie_fields(op, word); return true; }
DECODE_HOOK(tlbiel) { set_tlbie_fields(op, word); return true; }

/* ---- SLB: kept for a hash guest; a radix guest's has no effect ---- */

/* What was found by an entry that has gone is forgotten; the block may have been found by it, too. */
static bool drop_slb_entry(struct cpu *cpu, unsigned i)
{
	bool was_there = cpu->slb[i].esid & SLB_V;

	slb_put(cpu, i, cpu->slb[i].esid & ~SLB_V, cpu->slb[i].vsid);
	return was_there;
}

static bool write_slb_entry(struct cpu *cpu, const struct op *op, uint64_t rb, uint64_t rs)
{
	bool replaces;

	if (SLB_INDEX(rb) >= SLB_ENTRIES || rb & SLB_RESERVED || !slb_segment_ok(cpu, rs))
		return raise_program(cpu, op, PROG_ILLEGAL);
	replaces = cpu->slb[SLB_INDEX(rb)].esid & SLB_V;
	slb_put(cpu, SLB_INDEX(rb), rb, rs);
	return replaces ? end_block(cpu, op) : true;
}

OP_TRY(slbmte) { return write_slb_entry(cpu, op, RB, RS); }

OP_TRY(slbmfev)
{
	if (SLB_INDEX(RB) >= SLB_ENTRIES)
		return raise_program(cpu, op, PROG_ILLEGAL);
	RT = cpu->slb[SLB_INDEX(RB)].vsid;
	return true;
}

OP_TRY(slbmfee)
{
	if (SLB_INDEX(RB) >= SLB_ENTRIES)
		return raise_program(cpu, op, PROG_ILLEGAL);
	RT = cpu->slb[SLB_INDEX(RB)].esid;
	return true;
}

OP(slbfee)
{
	const struct slb_entry *e = slb_find(cpu, RB);

	RT = e ? e->vsid : 0;
	cpu->cr[0] = (e ? CR_EQ : 0) | cpu->so;
}

static bool invalidate_segment(struct cpu *cpu, const struct op *op, uint64_t ea)
{
	bool any = false;

	for (unsigned i = 0; i < SLB_ENTRIES; i++)
		if (slb_matches(&cpu->slb[i], ea))
			any |= drop_slb_entry(cpu, i);
	return any ? end_block(cpu, op) : true;
}

/* slbieg is for segment tables, which a guest has none of: there are no entries but the processor's own. */
OP_TRY(slbie) { return invalidate_segment(cpu, op, RB); }
OP_TRY(slbieg) { return invalidate_segment(cpu, op, RB); }

/* imm: IH. 3 takes the entries of class 1, 4 all, 7 none, because it means lookaside information only; the others spare
 * entry 0. */
OP_TRY(slbia)
{
	bool any = false;

	for (unsigned i = 0; op->imm != 7 && i < SLB_ENTRIES; i++)
		if (op->imm == 3 ? (cpu->slb[i].vsid & SLB_C) != 0 : i || op->imm == 4)
			any |= drop_slb_entry(cpu, i);
	return any ? end_block(cpu, op) : true;
}

DECODE_HOOK(slbia) { op->imm = (int32_t)(word >> 21 & 7); return true; }

/* Segment registers, for 32-bit operating systems: entries 0 to 15, each the segment of its number. Ks, Kp, N and L lie in bits
 * 33:36 there, 27 bits of VSID behind them. 2.07, Book III-S, 5.9.3.2. */
#define SR_VSID   PPC_MASK(37, 63)
#define SR_BITS   PPC_MASK(33, 36)
#define SR_DOWN   19				/* to where the SLB has those bits */
#define SR_OF(ea) ((unsigned)(ea) >> 28)	/* bits 32:35 */

static bool write_segment_register(struct cpu *cpu, const struct op *op, unsigned sr, uint64_t v)
{
	return write_slb_entry(cpu, op, (uint64_t)sr << 28 | SLB_V | sr, (v & SR_VSID) << 12 | (v & SR_BITS) >> SR_DOWN);
}

static uint64_t read_segment_register(const struct cpu *cpu, unsigned sr)
{
	uint64_t v = cpu->slb[sr].vsid;

	return (v >> 12 & SR_VSID) | (v << SR_DOWN & SR_BITS);
}

OP_TRY(mtsr) { return write_segment_register(cpu, op, (unsigned)op->imm, RS); }
OP_TRY(mtsrin) { return write_segment_register(cpu, op, SR_OF(RB), RS); }
OP(mfsr) { RT = read_segment_register(cpu, (unsigned)op->imm); }
OP(mfsrin) { RT = read_segment_register(cpu, SR_OF(RB)); }

/* ---- Doorbells among the threads of a core ---- */

#define MSG_TYPE(rb)  ((unsigned)((rb) >> 27) & 31)	/* bits 32:36 */
#define MSG_TYPE_DOORBELL 5
#define MSG_TIR(rb)   ((unsigned)(rb) & 0x7f)

static void ring_doorbell(struct cpu *cpu, uint64_t rb, bool set)
{
	if (MSG_TYPE(rb) != MSG_TYPE_DOORBELL)
		return;
	if (MSG_TIR(rb) == cpu->tir)
		cpu->irq = set ? cpu->irq | IRQ_DOORBELL : cpu->irq & ~(uint32_t)IRQ_DOORBELL;
	else if (cpu->env->doorbell)
		cpu->env->doorbell(cpu, MSG_TIR(rb), set);
}

OP_TRY(msgsndp)
{
	ring_doorbell(cpu, RB, true);
	return end_block(cpu, op);
}

OP(msgclrp) { ring_doorbell(cpu, RB, false); }

HYPERVISOR_ONLY(slbiag)
HYPERVISOR_ONLY(lwzcix)
HYPERVISOR_ONLY(lhzcix)
HYPERVISOR_ONLY(lbzcix)
HYPERVISOR_ONLY(ldcix)
HYPERVISOR_ONLY(stwcix)
HYPERVISOR_ONLY(sthcix)
HYPERVISOR_ONLY(stbcix)
HYPERVISOR_ONLY(stdcix)

HYPERVISOR_ONLY(msgsnd)
HYPERVISOR_ONLY(msgclr)
HYPERVISOR_ONLY(msgsync)

/* ---- Branch history rolling buffer ---- */

/* Problem state needs MMCR0[BHRBA]. */
static bool bhrb_available(struct cpu *cpu, const struct op *op)
{
	if (cpu->msr & MSR_PR && !(cpu->mmcr0 & MMCR0_BHRBA))
		return raise_facility(cpu, op, FAC_BHRB);
	return true;
}

OP_TRY(clrbhrb) { return bhrb_available(cpu, op); }

OP_TRY(mfbhrbe)
{
	if (!bhrb_available(cpu, op))
		return false;
	RT = 0;
	return true;
}

/* ---- Transactional memory, which POWER10 has none of: each transaction fails as it begins, for good ---- */

/* Bits of TEXASR. Book II, 5.4. */
#define TEXASR_PERSISTENT PPC_BIT(7)
#define TEXASR_NESTING    PPC_BIT(9)
#define TEXASR_PR         PPC_BIT(35)
#define TEXASR_FS         PPC_BIT(36)
#define TEXASR_EXACT      PPC_BIT(37)

/* It is begun and has failed: it goes on behind it with CR0 of a failed one (0b1010, as Linux sets it), where the program
 * looks. The nesting is too deep, which trying again does not help. Book II, 5.3.1. */
OP_TRY(tbegin)
{
	bool problem = cpu->msr & MSR_PR;
	uint64_t nip;

	if (!tm_available(cpu, op))
		return false;
	nip = op_nip(cpu, op);
	cpu->texasr = TEXASR_PERSISTENT | TEXASR_NESTING | TEXASR_FS | TEXASR_EXACT | (problem ? TEXASR_PR : 0);
	cpu->tfiar = nip | problem;
	cpu->tfhar = nip + 4;
	cpu->cr[0] = CR_LT | CR_EQ;
	return true;
}

/* Outside a transaction, where a processor is for good, they change nothing: CR0 is 0, MSR[TS], 0. */
#define OUTSIDE_TRANSACTIONS(name) \
	OP_TRY(name) \
	{ \
		if (!tm_available(cpu, op)) \
			return false; \
		cpu->cr[0] = 0; \
		return true; \
	}
OUTSIDE_TRANSACTIONS(tend)
OUTSIDE_TRANSACTIONS(tsr)
OUTSIDE_TRANSACTIONS(tabortwc)
OUTSIDE_TRANSACTIONS(tabortdc)
OUTSIDE_TRANSACTIONS(tabortwci)
OUTSIDE_TRANSACTIONS(tabortdci)
OUTSIDE_TRANSACTIONS(tabort)

/* There is none to reclaim; and a state to go back to that no failure has been recorded for is none. Book III-S, 3.3.3 of 2.07. With
 * a failure that the kernel itself has recorded trechkpt would suspend a transaction: that is left out, as in QEMU. */
OP_TRY(treclaim) { return tm_available(cpu, op) && raise_program(cpu, op, PROG_TM); }

OP_TRY(trechkpt)
{
	if (!tm_available(cpu, op))
		return false;
	if (!(cpu->texasr & TEXASR_FS))
		return raise_program(cpu, op, PROG_TM);
	cpu->cr[0] = 0;
	return true;
}

/* TDOOMED, MSR[TS], 0. */
OP_TRY(tcheck)
{
	if (!tm_available(cpu, op))
		return false;
	cpu->cr[op->a] = CR_LT;
	return true;
}

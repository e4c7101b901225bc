/* Processor state.
 *
 * One struct per hardware thread. The first 2 KiB are reached by handlers as 8-byte
 * slots numbered 0..255 (an op's operand bytes are slot numbers, see dispatch.h):
 * GPRs, a slot that is always zero for RA=0, LR, CTR and friends, and the 64 VSRs.
 */
#ifndef CPU_CORE_CPU_H
#define CPU_CORE_CPU_H

#include <stdbool.h>
#include <stdint.h>

#include "cpu/core/bits.h"
#include "cpu/core/pmu.h"
#include "cpu/core/ram.h"
#include "cpu/core/vreg.h"
#include "cpu/table/since.h"
#include "cpu/core/counts.h"

/* ---- MSR. Power ISA 3.0B, Book III, 4.2.1 ---- */
#define MSR_SF  PPC_BIT(0)
#define MSR_HV  PPC_BIT(3)
#define MSR_TS  PPC_MASK(29, 30)
#define MSR_TM  PPC_BIT(31)
#define MSR_VEC PPC_BIT(38)
#define MSR_VSX PPC_BIT(40)
#define MSR_EE  PPC_BIT(48)
#define MSR_PR  PPC_BIT(49)
#define MSR_FP  PPC_BIT(50)
#define MSR_ME  PPC_BIT(51)
#define MSR_FE0 PPC_BIT(52)
#define MSR_SE  PPC_BIT(53)
#define MSR_BE  PPC_BIT(54)
#define MSR_FE1 PPC_BIT(55)
#define MSR_IR  PPC_BIT(58)
#define MSR_DR  PPC_BIT(59)
#define MSR_PMM PPC_BIT(61)
#define MSR_RI  PPC_BIT(62)
#define MSR_LE  PPC_BIT(63)

/* What a guest without HV may have set; MSR[TM], too, where there is transactional memory. */
#define MSR_GUEST (MSR_SF | MSR_VEC | MSR_VSX | MSR_EE | MSR_PR | MSR_FP | MSR_ME | MSR_FE0 | \
		   MSR_SE | MSR_BE | MSR_FE1 | MSR_IR | MSR_DR | MSR_PMM | MSR_RI | MSR_LE)

/* ---- LPCR bits a guest can see the effect of. Book III, 2.2 ---- */
#define LPCR_AIL  PPC_MASK(39, 40)
#define LPCR_ILE  PPC_BIT(38)
#define LPCR_UPRT PPC_BIT(41)
#define LPCR_HR   PPC_BIT(43)
#define LPCR_GTSE PPC_BIT(53)
#define LPCR_LD   PPC_BIT(46)	/* DEC has LARGE_DEC_BITS, else 32 */
#define LPCR_KEPT (LPCR_AIL | LPCR_ILE | LPCR_UPRT | LPCR_HR | LPCR_GTSE | LPCR_LD)	/* all that a processor has */
#define LARGE_DEC_BITS 56

/* ---- Interrupt vectors (real offset). Book III, 6.5 ---- */
enum vector {
	VEC_SYSTEM_RESET = 0x100, VEC_MACHINE_CHECK = 0x200,
	VEC_DATA_STORAGE = 0x300, VEC_DATA_SEGMENT = 0x380,
	VEC_INST_STORAGE = 0x400, VEC_INST_SEGMENT = 0x480,
	VEC_EXTERNAL = 0x500, VEC_ALIGNMENT = 0x600, VEC_PROGRAM = 0x700,
	VEC_FP_UNAVAIL = 0x800, VEC_DECREMENTER = 0x900, VEC_DOORBELL = 0xa00,
	VEC_SYSTEM_CALL = 0xc00, VEC_TRACE = 0xd00, VEC_PERFMON = 0xf00,
	VEC_VEC_UNAVAIL = 0xf20, VEC_VSX_UNAVAIL = 0xf40, VEC_FAC_UNAVAIL = 0xf60,
	VEC_SCV = 0x3000,
};

/* SRR1 bits of a program interrupt. Book III, 6.5.9 */
#define PROG_TM      PPC_BIT(42)	/* no such change of the transaction's state */
#define PROG_FP      PPC_BIT(43)
#define PROG_ILLEGAL PPC_BIT(44)
#define PROG_PRIV    PPC_BIT(45)
#define PROG_TRAP    PPC_BIT(46)
#define PROG_LATER   PPC_BIT(47)	/* SRR0 is not the instruction that has done it, but one behind it */

/* FSCR facility numbers (interruption cause). Book III, 6.2.10 */
enum facility { FAC_FP = 0, FAC_VEC = 1, FAC_DSCR = 2, FAC_PM = 3, FAC_BHRB = 4, FAC_TM = 5,
		FAC_EBB = 7, FAC_TAR = 8, FAC_MSGP = 10, FAC_SCV = 12, FAC_PREFIX = 13 };

struct op;
struct block;
struct tlb_entry;
struct mmu_ctx;
struct engine;
struct spent;
struct cpu;
struct known_page;
struct charge_thread;
struct core_caches;
struct hpt;

/* The part of the clock that all processors of the machine share. */
struct cpu_clock {
	uint64_t tb_floor;	/* largest timebase value that any processor has read */
	uint64_t tb_offset;	/* added to cycles / CYCLES_PER_TICK */
};

/* All that the processor knows of its surroundings. */
struct cpu_env {
	/* sc 1 outside problem state. r3 and on are in cpu->r; result goes there too.
	 * cpu->nip is already the next instruction; cpu->cycles is exact. */
	void (*hypercall)(struct cpu *cpu);
	/* darn and H_RANDOM draw from here so that runs repeat. */
	uint64_t (*random)(void *machine);
	/* One line for -d unimp / guest_errors / int; may be NULL. */
	void (*log)(void *machine, unsigned channel, const char *fmt, ...)
		__attribute__((format(printf, 3, 4)));
	void *machine;
	struct ram *ram;
	struct hpt *hpt;		/* cpu/mmu/hpt.h; NULL: the machine has no hash MMU */
	struct cpu_clock *clock;	/* never NULL */
	unsigned log_mask;		/* enum log_channel: what log() is wanted for */
	/* FWNMI: the address to which a system reset or machine check goes; 0: to its vector.
	 * Called with SRR0, SRR1 and MSR already set; may write r3. PAPR, "Firmware Assisted
	 * Non-Maskable Interrupts". NULL: vectors only. */
	uint64_t (*fwnmi_entry)(struct cpu *cpu, enum vector vector);
	/* A block of n instructions at ea has been decoded; for LOG_IN_ASM, may be NULL. */
	void (*show_code)(void *machine, uint64_t ea, const uint32_t *words, unsigned n);
	/* msgsndp to another thread of this core: sets (or, with set false, clears) IRQ_DOORBELL of
	 * the thread with that TIR. NULL: a core has one thread. */
	void (*doorbell)(struct cpu *from, unsigned tir, bool set);
	/* A load or store at a guest real address outside RAM: 1, 2, 4 or 8 bytes, aligned; values are little-endian
	 * numbers. cpu->nip is the instruction's own, cpu->cycles the cycle after it. False: there is nothing (the
	 * processor takes a machine check). NULL, both: nothing is anywhere. */
	bool (*mmio_load)(struct cpu *cpu, uint64_t gra, unsigned size, uint64_t *value);
	bool (*mmio_store)(struct cpu *cpu, uint64_t gra, unsigned size, uint64_t value);
};

enum log_channel { LOG_UNIMP = 1, LOG_GUEST_ERROR = 2, LOG_INT = 4, LOG_HCALL = 8, LOG_STATEHASH = 16, LOG_EXEC = 32, LOG_IN_ASM = 64,
		   LOG_TRACE_HCALL = 128, LOG_DISPATCH = 256 };

/* One line for -d, formatted only if somebody listens. */
#define cpu_log(cpu, channel, ...) \
	do { \
		if (unlikely((cpu)->env->log_mask & (channel)) && (cpu)->env->log) \
			(cpu)->env->log((cpu)->env->machine, (channel), __VA_ARGS__); \
	} while (0)

enum run_state {
	CPU_RUNNING,	/* may execute */
	CPU_STOPPED,	/* RTAS stop-self or never started */
	CPU_CEDED,	/* H_CEDE: waits for an interrupt or H_PROD */
	CPU_JOINED,	/* H_JOIN: waits for H_PROD */
	CPU_CONFERRED,	/* H_CONFER: waits for others' turn or H_PROD */
};

enum irq_line {		/* cpu->irq bits, levels */
	IRQ_EXTERNAL = 1,	/* from the interrupt controller */
	IRQ_RESET = 2,		/* H_SIGNAL_SYS_RESET, edge */
	IRQ_DOORBELL = 4,	/* msgsndp, edge */
	IRQ_PERFMON = 8,	/* level, follows MMCR0[PMAO] */
	IRQ_MACHINE_CHECK = 16,	/* edge */
};

/* Slot numbers of what an op can name (offset / 8). */
enum slot { SLOT_R0 = 0, SLOT_ZERO = 32, SLOT_LR, SLOT_CTR, SLOT_EA, SLOT_TAR, SLOT_PAGE = 40, SLOT_SUM = 49, SLOT_VSR0 = 64 };

/* Where a debugger's point was met: enum point_kind and address, 0 nowhere. cpu/engine/points.h. */
struct observed { unsigned kind; uint64_t ea; };
#define CPU_OBSERVED 256u		/* cpu->halt: leave after this instruction, to a debugger */

#define SLB_ENTRIES 32
#define COPY_BLOCK  128		/* bytes that copy and paste. move. Book II, 4.4 */
#define PACE_BYTES  768		/* of a struct pipe_state */

struct cpu {
	uint64_t r[32];
	uint64_t zero;			/* never written: stands for (RA|0) with RA = 0 */
	uint64_t lr, ctr;
	uint64_t ea;			/* scratch of ops that the decoder splits in two */
	uint64_t tar;
	uint8_t cr[8];			/* CR fields, each 4 bits: LT 8, GT 4, EQ 2, SO 1 */
	uint8_t ca, ca32, ov, ov32, so;	/* XER bits, each 0 or 1 */
	uint8_t xer_count;		/* XER[57:63] */
	uint8_t resv_size;		/* reservation: bytes, 0 = none */
	uint8_t so_before;		/* scratch of OE forms in 32-bit mode */
	uint64_t resv_addr;		/* guest real address; of a device's memory: where it lies behind RAM */
	uint64_t page_ea;		/* effective address of the 4 KiB page of the running block */

	/* Engine, hot. Not saved. */
	int64_t budget;			/* cycles left until the engine must look around: dispatch.h, BUDGET_OF */
	struct tlb_entry *tlb;		/* of the current context */
	struct jump_entry *jumps;	/* of the current context */
	uint8_t *ram_base;
	struct mmu_ctx *ctx;
	uint32_t mode;			/* enum block_mode bits of the current MSR */
	uint32_t halt;			/* non-zero: leave the engine at the next block edge */
	int64_t refund;			/* what was charged for instructions that an interrupt cut off, as in the budget */
	uint64_t limit;			/* cycle at which the budget reaches zero */
	uint64_t sum;			/* scratch, too: RA + RB of an update form in 32-bit mode */
	uint64_t unused_slots[64 - 32 - 5 - 2 - 2 - 5 - 1 - 2 - 1];

	union vreg vsr[64];		/* FPR n is doubleword 0 of VSR n; VR n is VSR 32+n */

	/* ---- From here on not in slots. ---- */
	uint64_t nip, msr;		/* nip is exact only outside blocks */
	uint64_t fpscr;			/* without the lazy part: use fpscr_get() */
	uint32_t vscr;			/* NJ (bit 111 -> 0x10000), SAT (bit 127 -> 1) */
	uint32_t vrsave;
	uint64_t fp_lazy[8];		/* owned by fpscr.c: what FPRF/FR/FI/XX are computed from */
	/* Derived from fpscr by fpscr.c; see fp.h. */
	uint64_t fp_limit, fp_limit_single;	/* what makes a host result ordinary; 0: nothing does */
	uint64_t fp_host;		/* the host's own control word while fp_active */
	bool fp_strict;			/* OE, UE or XE is set: every operation takes the exact path */
	bool fp_active;			/* between fp_enter() and fp_leave() */

	/* What a reset clears is from here to slb: a register that is added stands there. */
	uint64_t srr0, srr1, dar, sprg[4];
	uint32_t dsisr;
	uint64_t lpcr, fscr, dscr, ppr, amr, iamr, uamor, ctrl, pspb;
	uint64_t ciabr, dawr[2], dawrx[2];	/* cpu/engine/watch.h */
	uint64_t mmcr0, mmcr1, mmcr2, mmcr3, mmcra, mmcrs, siar, sdar, sier, sier2, sier3, pmc[6];
	uint32_t spmc[2];
	uint64_t bescr, ebbhr, ebbrr, tfhar, texasr, tfiar, vtb_off;
	uint64_t pidr, proc_tbl;	/* process table: base, size code as H_REGISTER_PROC_TBL gave it */
	uint64_t dec_expires;		/* timebase tick at which DEC becomes negative */
	uint64_t purr_base, spurr_base;	/* added to the ticks that the thread has used */
	uint64_t cfar, tidr, wort, acop, tacr, tcscr, csigr, psscr, dexcr, hashkeyr;
	uint64_t copied;		/* POWER10: copy has filled copy_block, and no paste. has taken it yet */
	uint8_t copy_block[COPY_BLOCK];
	struct slb_entry { uint64_t esid, vsid; } slb[SLB_ENTRIES];	/* as slbmte's RB (index 0) and RS */

	/* What a reset leaves: who it is, and how far it has come. */
	uint32_t pvr, logical_pvr, pir, tir;
	/* How much of its core's time the thread has had (hcall/share.c). By cycle share_from its core had been
	 * dispatched for core_ran cycles, of which this thread had used + used_part / CORE_PARTS. From share_from on it
	 * has share / CORE_PARTS of each cycle. */
	uint64_t share_from, used, core_ran;
	uint32_t used_part, share;

	uint32_t irq;			/* enum irq_line */
	uint32_t run_state;		/* enum run_state */
	bool prodded;
	uint64_t cycles;		/* cycle this processor has reached; exact outside blocks */
	/* Under timing models other than `flat`: units beyond that (more than a cycle's: it will be there by then), and the
	 * number of the pipeline's state (pace.h). For a snapshot, which model it is, 0 being `flat`, and what is in that. */
	uint64_t phase;
	uint32_t pace, timing_model, held_model;
	uint32_t held[PACE_BYTES / 4];
	uint64_t insns;			/* instructions completed: IC */
	uint64_t event[NEVENTS], stall[NSTALLS];
	struct pmu pmu;

	/* Engine, not saved. */
	const struct op **link;		/* the edge that led out of the engine; NULL: none */
	uint64_t link_nip;		/* where that edge leads */
	const struct op *link_from;	/* the op that the edge belongs to */
	const struct op *spin_op;	/* branch that last closed a waiting loop; NULL: memory has changed since. spin.c */
	uint64_t spin_cycle;		/* the cycle at which it did */
	bool shared;			/* others run in the same slice of time (set by the machine) */
	bool watched_for;		/* the engine has points */
	bool steps;			/* cpu_run() runs one instruction */
	bool singly;			/* each block is of one instruction: what a timing model has counted is not undone */
	struct observed observed;
	bool waiting;			/* the guest has hinted that the others should have the rest of the slice */
	/* 1 + the cycle that a device sees: one instruction runs by itself, and so may reach one; 0: blocks run. In a block,
	 * an instruction that meets a device is left undone, and `alone` says that it is to be run by itself. */
	uint64_t alone_at;
	bool alone;
	uint64_t interrupts;		/* delivered so far (statistics; single-stepping looks at it) */
	/* Timing models other than `flat`. */
	uint32_t per_cycle;		/* units of the budget in a cycle; `flat`: 1 */
	uint64_t *memos;		/* pace.h */
	uint32_t pace_in;		/* the state in which the last block was entered */
	uint64_t owed;			/* units that an interrupt takes, not yet off the budget */
	uint64_t entries;		/* interrupts that have been entered so far, each of which took such units */
	uint64_t called_at;		/* 0, or 1 + the cycle at which the machine has been called: it sees the processor there */
	bool cut;			/* the block at NIP has been left untouched: all of it is more than there is budget for */
	const struct op *sure;		/* pace.h's op of a block that starts in time, however long it takes */
	bool paid;			/* the instruction at NIP has been charged for, beyond what was left, and has not run */
	uint8_t pace_empty;		/* the state in which nothing is under way */
	struct known_page *known;	/* charge.c's, of this processor */
	struct charge_thread *charged;
	struct core_caches *caches;

	uint32_t index;			/* 0.. in the machine */
	struct engine *engine;		/* block cache, shared by all processors */
	const struct cpu_env *env;
	void *machine_data;		/* struct spapr_cpu of the board */
};

_Static_assert(__builtin_offsetof(struct cpu, zero) == 8 * SLOT_ZERO, "slot");
_Static_assert(__builtin_offsetof(struct cpu, lr) == 8 * SLOT_LR, "slot");
_Static_assert(__builtin_offsetof(struct cpu, ctr) == 8 * SLOT_CTR, "slot");
_Static_assert(__builtin_offsetof(struct cpu, ea) == 8 * SLOT_EA, "slot");
_Static_assert(__builtin_offsetof(struct cpu, tar) == 8 * SLOT_TAR, "slot");
_Static_assert(__builtin_offsetof(struct cpu, page_ea) == 8 * SLOT_PAGE, "slot");
_Static_assert(__builtin_offsetof(struct cpu, sum) == 8 * SLOT_SUM, "slot");
_Static_assert(__builtin_offsetof(struct cpu, vsr) == 8 * SLOT_VSR0, "slot");

/* ---- cpu/engine/block.c: running ---- */
/* For up to max_cpus processors, 256 at most, of that generation: instructions that came later are
 * illegal. NULL: out of memory, or no such timing model. */
struct engine *engine_new(struct ram *ram, const char *timing, enum insn_since level, unsigned max_cpus);
/* PCR: problem state has nothing that came after that generation. At first it has all that the processor has. */
void engine_limit_problem_state(struct engine *engine, enum insn_since level);
/* There is transactional memory, of POWER8 and POWER9: MSR[TM] can be set, and each transaction fails as it begins. */
void engine_allow_transactions(struct engine *engine);
/* After all processors have been added, `threads` to a core: what the timing model charges beside instructions. False: out
 * of memory. */
bool engine_charge(struct engine *engine, unsigned threads);
uint64_t engine_core_hz(const struct engine *engine);
void *engine_held(struct engine *engine);		/* for cede_timing_state */
void engine_forget_timing(struct engine *engine);	/* caches are empty, and nothing can be foreseen */
/* So many threads of the processor's core run from now on. */
void cpu_share_core(struct cpu *cpu, unsigned busy);
/* The processor's tables are others: nothing that its core remembers of them holds, nor what the timing model does. */
void cpu_forget_translations(struct cpu *cpu);
void engine_free(struct engine *engine);
void engine_flush(struct engine *engine);		/* forget every decoded block */
/* From now on what passes is counted there (cpu/spent), block by block; NULL: nowhere. */
void engine_spent(struct engine *engine, struct spent *spent);
/* Executes until cpu->cycles == until, or cpu->halt is set, or the processor leaves CPU_RUNNING.
 * Exact: stops at that very cycle. */
void cpu_run(struct cpu *cpu, uint64_t until);

/* The processor goes on at that cycle, having waited. What it is ahead of its cycle has gone by meanwhile. */
static inline void cpu_wait_until(struct cpu *cpu, uint64_t cycle)
{
	uint64_t waited = cycle > cpu->cycles ? cycle - cpu->cycles : 0;

	if (waited)
		cpu->phase = cpu->phase / cpu->per_cycle >= waited ? cpu->phase - waited * cpu->per_cycle : 0;
	cpu->cycles = cycle;
}

/* ---- cpu/op/excp.c ---- */
void cpu_reset(struct cpu *cpu);
/* Drops everything derived from state after a reset, a load or a change from outside. */
void cpu_state_changed(struct cpu *cpu);
/* Delivers an interrupt: SRR0 = srr0, SRR1 = MSR bits plus srr1_bits, NIP = vector. */
void cpu_interrupt(struct cpu *cpu, enum vector vector, uint64_t srr0, uint64_t srr1_bits);
/* The same for an ordinary interrupt and a copy that never runs: registers and no more. */
void cpu_copy_interrupt(struct cpu *copy, enum vector vector);
/* The interrupt, or without MSR[ME] the checkstop: this processor stops. */
void cpu_machine_check(struct cpu *cpu, uint64_t srr0, uint64_t srr1_bits);
/* The trace interrupt after the instruction `insn` (table/prefix.h) at `nip`, which MSR[SE] or MSR[BE] asked for. `operand`
 * is cpu_operand_address() of before it ran. */
void cpu_trace(struct cpu *cpu, uint64_t nip, uint64_t insn, uint64_t operand);
/* The same after one whose address CIABR holds. */
void cpu_trace_completed(struct cpu *cpu, uint64_t nip, uint64_t insn, uint64_t operand);
/* Where the instruction's storage operand lies, as the registers are now; 0: it has none. */
uint64_t cpu_operand_address(const struct cpu *cpu, uint64_t insn);
/* It stores there. */
bool cpu_operand_is_stored(const struct cpu *cpu, uint64_t insn);
/* Delivers a pending asynchronous interrupt if MSR and the lines allow one; true if it did. */
bool cpu_deliver_pending(struct cpu *cpu);
/* True if an asynchronous interrupt would be taken right now (used by H_CEDE as well,
 * which passes MSR[EE] as set). */
bool cpu_interrupt_pending(const struct cpu *cpu, uint64_t msr);
uint64_t cpu_msr_bits(const struct cpu *cpu);		/* that can be set */
void cpu_set_msr(struct cpu *cpu, uint64_t msr);	/* and the context that follows from it */
/* scv: LR and CTR take the place of SRR0 and SRR1. nip is the next instruction. */
void cpu_system_call_vectored(struct cpu *cpu, uint64_t nip, unsigned lev);

/* ---- cpu/op/spr.c: what mfspr/mtspr of the rarer registers do ---- */
uint64_t cpu_get_xer(const struct cpu *cpu);
void cpu_set_xer(struct cpu *cpu, uint64_t xer);
uint32_t cpu_get_cr(const struct cpu *cpu);
void cpu_set_cr(struct cpu *cpu, uint32_t cr);

/* ---- The clock; what a processor reads of it is in timebase.h ---- */
#define CYCLES_PER_TICK 2		/* 1.024 GHz core, 512 MHz timebase */
#define TIMEBASE_HZ     UINT64_C(512000000)
#define CPU_HZ          (TIMEBASE_HZ * CYCLES_PER_TICK)

#define CORE_PARTS 840			/* of a core's cycle: 1 to 8 threads share it without a rest */

/* ---- cpu/fp/fpscr.c ---- */
uint64_t fpscr_get(struct cpu *cpu);			/* with every lazy bit computed */
void fpscr_set(struct cpu *cpu, uint64_t value);	/* and the host's rounding mode */
bool fp_exception_waits(const struct cpu *cpu);		/* FPSCR[FEX] is 1, and so is MSR[FE0] or MSR[FE1] */
void fp_enter(struct cpu *cpu);				/* engine entry: host FP environment for this cpu */
void fp_leave(struct cpu *cpu);				/* engine exit: collect sticky flags, restore host's */

#endif

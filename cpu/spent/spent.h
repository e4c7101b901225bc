/* What a guest spends its time on, by block and by calls, while it runs as always: -profile.
 *
 * While an engine has one of these, each of its blocks begins with an op that calls spent_block() (cpu/engine/op_spent.c).
 * Where the engine cuts its blocks is the host's business, and so what is counted here are runs: instructions that were
 * executed one behind the other, from where a branch or an interrupt led to, to the next branch that is not a conditional
 * one forward, to an interrupt, or to a multiple of SPENT_LINE bytes. What the engine runs in pieces is put together
 * again. So a run, its visits, and all that is counted follow from the guest's path alone.
 *
 * A run is known by address, space, guest real address, mode and instructions, so that what was counted outlives
 * flushed blocks and code that is overwritten. Its visit takes all that has passed since the one before: time,
 * instructions, and time lost by reason; but what it takes to enter an interrupt is the handler's. A visit is in the
 * interval if it begins in it.
 *
 * Between two calls of cpu_run() a processor may be idle, stopped, or ready and without its turn: that time is kept apart.
 * So what is counted of a processor is all of its time, and all of its instructions. What a visit takes the processor
 * ahead of its cycle is the visit's.
 *
 * Time is in units of the timing model throughout: cpu->cycles * cpu->per_cycle + cpu->phase is a processor's.
 */
#ifndef CPU_SPENT_SPENT_H
#define CPU_SPENT_SPENT_H

#include "cpu/core/cpu.h"
#include "cpu/table/prefix.h"
#include "cpu/timing/timing.h"

/* Where an address is valid: the kernel's, real mode, or a process's. */
#define SPENT_KERNEL UINT64_C(0)
#define SPENT_REAL   UINT64_C(1)
#define SPENT_USER   UINT64_C(2)	/* | PID << 2 */

static inline uint64_t spent_space(uint64_t msr, uint64_t pid)
{
	return msr & MSR_PR ? SPENT_USER | pid << 2 : msr & MSR_IR ? SPENT_KERNEL : SPENT_REAL;
}

enum spent_kind { SPENT_PLAIN, SPENT_JUMP, SPENT_CALL, SPENT_RETURN, SPENT_RFI };	/* of a block's last instruction */
enum spent_idle { SPENT_IDLE, SPENT_STOPPED, SPENT_READY, SPENT_IDLES };

/* Where runs have begun. */
struct spent_place {
	uint64_t ea, gra, space;
	uint32_t next;			/* of the bucket */
	uint32_t first;			/* what has run from here; 0: nothing yet */
	uint8_t mode;			/* byte order, width, problem state */
	bool called;			/* some call has led here */
};

/* Instructions that have run from there. What began alike and went on longer is the same run, with more instructions. */
struct spent_entry {
	uint64_t units, insns;
	uint64_t *ends;			/* nwords + 1: visits that ended after so many words */
	uint64_t *stall;		/* NSTALLS, or NULL: nobody counts them; STALL_UNITS may be less than nothing */
	uint32_t *words;		/* in the processor's order */
	uint32_t place, next;		/* next: what has run from there when the code was another one */
	uint8_t nwords, room;		/* of instructions that have run, or of the first one at least; that there is room for */
};

#define SPENT_LINE 256u			/* bytes */
#define SPENT_MOST (SPENT_LINE / 4)	/* words of a run */
#define SPENT_FACES 32			/* codes at one place that are told apart */

/* So many words can a piece of a run have from there. */
static inline unsigned spent_most_words(uint64_t at) { return SPENT_MOST - (unsigned)(at % SPENT_LINE) / 4; }

/* A function as it was called from another one, which was called... Node 0 is the root. */
enum spent_how { SPENT_BY_CALL, SPENT_BY_INTERRUPT, SPENT_UNKNOWN };
struct spent_node {
	uint64_t ea, space;		/* of the function; SPENT_UNKNOWN: of some instruction of it */
	uint64_t site;			/* of the call */
	uint64_t count, units, insns;	/* calls; without those that it called in turn */
	uint32_t parent, next;
	uint16_t depth;
	uint8_t how;
};

struct spent_frame {
	uint64_t ret, sp, space;	/* where it returns to, with which stack pointer */
	uint32_t node;			/* whose frame that is */
	bool interrupt;
};

#define SPENT_DEPTH 256			/* frames of a stack; deeper ones are not kept */
struct spent_stack {
	uint64_t region;		/* of the kernel's stack, whose thread this is */
	uint64_t used;
	uint32_t node;			/* that it was in when another stack took its place */
	unsigned n, refused;		/* frames; those that there was no room for since one went */
	struct spent_frame frame[SPENT_DEPTH];
};

struct spent_cpu {
	bool inside;			/* cpu_run() */
	bool open;			/* the present visit is not yet counted */
	bool fresh;			/* nothing is known of where it was before */
	bool counting;			/* the present visit's events are */
	uint64_t time, insns, entries, stall[NSTALLS];	/* when it began */
	uint64_t gone;			/* units since then that are not its own */
	uint64_t left;			/* time at which cpu_run() was left */
	uint64_t ran;			/* instructions of the last visit */
	uint32_t place, node;		/* place: where the present visit began, or the last one */
	uint32_t nwords, ninsns, words[SPENT_MOST];	/* from there on, as far as it is known what would run */
	enum spent_idle idle;
	struct spent_stack *stack, own;
	uint64_t units, counted, away[SPENT_IDLES];	/* in all: time and instructions of blocks, time between */
	uint64_t ahead;			/* of the cycle up to which all was counted last */
	uint64_t events[NEVENTS];	/* right while not `counting` */
};

#define SPENT_STACKS 1024
#define SPENT_WAYS   4
struct spent {
	unsigned ncpus;
	int only;			/* this processor; -1: all */
	uint64_t from, to;		/* units: visits that begin in [from, to) */
	uint64_t entry;			/* units that it takes to enter an interrupt */
	unsigned width;			/* units that dispatch takes for an instruction */
	bool stalls;
	uint64_t factor;		/* of hashes; the guest does not know it */
	struct spent_entry *entries;	/* number 0: all that there was no room for */
	struct spent_place *places;	/* number 0: the same */
	uint32_t nentries, nplaces, *place_hash;
	struct spent_node *nodes;
	uint32_t nnodes, *node_hash;
	uint8_t *arena;
	size_t used;
	uint64_t lost_blocks, lost_calls;	/* visits, calls: there was no room */
	uint64_t turn;
	struct spent_stack *stacks[SPENT_STACKS];
	struct spent_cpu cpu[];
};

struct spent_visit {
	uint64_t ea, gra;
	const uint32_t *words;
	unsigned nwords, ninsns, mode;
	uint64_t time, insns;		/* units and instructions before its first */
	uint32_t hint;			/* what spent_block() returned for this block last; 0: nothing yet */
};

/* So many words are the first `ran` instructions of what runs. */
static inline unsigned spent_words(const struct spent_cpu *c, uint64_t ran)
{
	return likely(c->nwords == c->ninsns) ? (unsigned)(ran < c->nwords ? ran : c->nwords) : words_of(c->words, c->nwords, ran);
}

/* What the last instruction of a run does. */
enum spent_kind spent_kind_of(uint32_t word);

/* `from` and `to`: cycles of the machine's clock. NULL: out of memory. */
struct spent *spent_new(unsigned ncpus, const struct timing *timing, int only, uint64_t from, uint64_t to);
void spent_free(struct spent *s);
/* All are where they are now, at that cycle, from here on. */
void spent_begin(struct spent *s, struct cpu *const *cpus, uint64_t cycle);
/* Counts what is open, up to that cycle: between two calls of cpu_run(). */
void spent_settle(struct spent *s, struct cpu *const *cpus, uint64_t cycle);

/* ---- Called by the engine ---- */
void spent_enter(struct spent *s, struct cpu *cpu);
void spent_leave(struct spent *s, struct cpu *cpu);
uint32_t spent_block(struct spent *s, struct cpu *cpu, const struct spent_visit *v);

/* ---- entries.c ---- */
uint32_t spent_place_at(struct spent *s, uint64_t space, const struct spent_visit *v);
/* What ran from there: `n` words, one at least. */
struct spent_entry *spent_find(struct spent *s, uint32_t place, const uint32_t *words, unsigned n);
static inline uint64_t spent_visits(const struct spent_entry *e)
{
	uint64_t n = 0;

	for (unsigned i = 0; i <= e->nwords; i++)
		n += e->ends[i];
	return n;
}

/* ---- calls.c: a visit begins at the place `to`, and comes after the one that is still in c ---- */
void spent_follow(struct spent *s, struct spent_cpu *c, const struct cpu *cpu, uint32_t to, bool interrupted, bool counts);
void spent_forget(struct spent *s, struct spent_cpu *c);

#endif

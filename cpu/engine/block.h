/* Decoded blocks, the contexts they are found through, and what runs them.
 *
 * A block is a straight run of guest instructions within one 4 KiB page of guest real
 * memory, keyed by real address and by the MSR bits that decoding depends on, so that it
 * serves every process that maps the page, wherever. A conditional branch forward that is not
 * taken does not end it. Its whole cost in cycles is charged on entry; a handler that leaves early
 * gives the rest back. All of it is derived state.
 */
#ifndef CPU_ENGINE_BLOCK_H
#define CPU_ENGINE_BLOCK_H

#include "cpu/engine/dispatch.h"
#include "cpu/engine/space.h"
#include "cpu/mmu/hpt.h"
#include "cpu/mmu/mmu.h"
#include "cpu/table/prefix.h"
#include "cpu/timing/timing.h"

enum block_mode {
	MODE_SF = 1, MODE_LE = 2, MODE_PR = 4, MODE_FP = 8, MODE_VEC = 16, MODE_VSX = 32,
	MODE_NO_PREFIX = 64,	/* FSCR withholds prefixed instructions */
	MODE_PLAIN = 128,	/* not in the cache: no fused ops, for running part of a block */
	MODE_PAID = 256,	/* the same, and its accesses have been charged for */
};

#define BLOCK_MAX_INSNS 64	/* and words: a prefixed instruction has two */
#define BLOCK_MAX_OPS   (BLOCK_MAX_INSNS * 8 + 40)	/* 32-bit addco. takes five */
#define BLOCK_ALIGN     64	/* the host's cache line */
#define BLOCK_MAX_EXITS 3	/* branches that a block goes on behind */

/* Where an op's instruction lies in the block and what had been charged by its end. */
struct op_info {
	uint8_t insn;		/* index of the (first) instruction this op belongs to */
	uint8_t word;		/* index of that instruction's first word */
	uint16_t cycles;	/* cost of the block up to and including that instruction */
};

/* A cache line of what is known of the block, then the ops, which is all that running it touches. */
struct block {
	uint64_t gra;		/* of the first instruction */
	uint32_t mode;		/* enum block_mode */
	uint16_t ninsns, nops;
	bool dead;		/* overwritten: each of its instructions leads back to the engine */
	bool timed;		/* some of its ops read the time */
	uint8_t head;		/* the first op that is an instruction's; those before it charge for the block */
	uint8_t nedges;		/* pairs of edges in the places of ops, and which these are */
	uint16_t edge_at[BLOCK_MAX_EXITS + 1];
	uint16_t end;		/* the ops behind it are not the next ones of any: see decode_ways_out() */
	uint16_t nwords;	/* of the instructions, and where the block ends */
	uint32_t *words;	/* the instructions as fetched, in the processor's order */
	struct block *hash_next, *page_next;
	struct op_info *info;	/* nops of them, parallel to ops */
	/* ops[0] marks the start, and has what all of the block costs: instructions in the place of its bytes, cycles in
	 * imm; execution begins at ops[1]. */
	_Alignas(BLOCK_ALIGN) struct op ops[];
};

_Static_assert(sizeof(struct block) == BLOCK_ALIGN, "a line");

static inline uint32_t block_cost(const struct block *b)
{
	return (uint32_t)b->ops[0].imm;
}

/* What the budget pays on entry. */
static inline int64_t marker_price(const struct op *marker)
{
	int64_t price;

	memcpy(&price, &marker->a, sizeof price);
	return price;
}

static inline int64_t block_price(const struct block *b) { return marker_price(b->ops); }

/* The instruction at a word of the block: a prefix stands above its suffix. */
static inline uint64_t block_insn(const struct block *b, unsigned word)
{
	return insn_at(b->words, b->nwords, word);
}

/* In the place of the op after a direct branch: the markers of the blocks that it leads to, NULL until first taken. */
struct edge {
	const struct op *taken;
	union {
		const struct op *fall;
		int64_t behind;		/* the block goes on behind: what was charged for that */
	};
};
_Static_assert(sizeof(struct edge) == sizeof(struct op), "an edge pair takes one op's place");

/* Effective address to block, per context. */
#define JUMP_BITS 13
#define JUMP_SIZE (1u << JUMP_BITS)
#define JUMP_EMPTY UINT64_C(1)
#define JUMP_GONE UINT64_C(3)	/* flushed: still in the list */
struct jump_entry {
	uint64_t ea;		/* JUMP_EMPTY, JUMP_GONE: none */
	struct block *block;
};
/* The kernel's paths are spread over megabytes: higher bits count, too. */
#define JUMP_INDEX(ea) (((ea) >> 2 ^ (ea) >> (2 + JUMP_BITS)) & (JUMP_SIZE - 1))

/* Fetch translations, per context. */
#define ITLB_SIZE 64		/* one bit each in a word */
struct itlb_entry {
	uint64_t page;		/* effective page, TLB_NONE: empty */
	uint64_t gra;
};

/* A TLB is large and most processes are short-lived. The entries that have been filled are listed, so that
 * emptying a TLB costs as much as was put into it. An entry is in the list once at most. */
struct data_list {
	unsigned n;
	uint16_t at[TLB_SIZE];
};

/* Data-side context: TLB for one (PR, DR, AMR) combination; in problem state, of one PID. The
 * kernel has one for all processes: a switch of processes drops its entries of quadrant 0. */
struct data_ctx {
	const struct mmu *mmu;		/* that fills it */
	struct data_list low, high;	/* where there are, or were, entries of quadrant 0, and of the others */
	_Alignas(BLOCK_ALIGN) struct tlb_entry tlb[TLB_SIZE];
};

/* A flush of a page looks through the whole jump cache if the page's bit is set. With so many bits, few pages of
 * data share one with a page of code. */
#define CODE_PAGE_BITS 1024

/* Instruction-side context: jump cache for one (IR, IAMR, block mode), and PID likewise. */
struct code_ctx {
	const struct mmu *mmu;
	uint64_t pages[CODE_PAGE_BITS / 64];	/* one bit per hashed 64 KiB page fetched from */
	uint64_t fetched;	/* one bit per entry of itlb */
	struct itlb_entry itlb[ITLB_SIZE];
	unsigned njumps;	/* that are, or were, in use, and where */
	uint16_t jump_at[JUMP_SIZE];
	_Alignas(BLOCK_ALIGN) struct jump_entry jumps[JUMP_SIZE];
};

#define CTX_SLOTS 64			/* one bit each in a word */
#define CTX_HINTS 64
struct mmu_ctx {
	uint64_t data_key[CTX_SLOTS], code_key[CTX_SLOTS];	/* 0: slot is empty */
	uint64_t data_pid[CTX_SLOTS], code_pid[CTX_SLOTS];	/* whose the entries of quadrant 0 are */
	/* One bit per slot: has entries of quadrant 0, and of the others. What is empty costs a flush nothing. */
	uint64_t data_low, data_high, code_low, code_high;
	struct data_ctx *data[CTX_SLOTS];
	struct code_ctx *code[CTX_SLOTS];
	uint8_t data_hint[CTX_HINTS], code_hint[CTX_HINTS];	/* by hashed key: where it was */
	struct data_ctx *data_now;
	struct code_ctx *code_now;
	unsigned data_slot, code_slot;	/* of those two */
	unsigned data_victim, code_victim;
	unsigned number;		/* of the processor in its engine */
	uint64_t listed;		/* entries in all data lists */
	struct spaces spaces;		/* of a hash guest */
	uint64_t caught_up;		/* with so many of the engine's broadcasts */
	uint64_t credited;		/* the cycle up to which the engine has had its credit */
};

/* A flush on all processors. One processor runs at a time; each of the others does its flush when it runs
 * next. One that has missed more flushes than the list holds empties all of its tables. */
#define BROADCASTS 256
struct broadcast {
	enum { FLUSH_ALL, FLUSH_PID, FLUSH_PAGE, FLUSH_HPTE } kind;
	unsigned shift;
	uint64_t pid, ea;
	struct hpte hpte;		/* and its index in `ea` */
};

/* The TLB entry through which alone a page of memory can be stored to fast: 1 + its place; or one of: */
#define WRITER_NONE 0
#define WRITER_MANY UINT32_MAX

struct code_page {
	uint64_t number;	/* gra >> RAM_PAGE_SHIFT */
	struct code_page *next;	/* of all */
	struct block *blocks;
	uint64_t words[RAM_PAGE_SIZE / 4 / 64];	/* which words are decoded */
};

/* What the engine's own work costs, in nanoseconds of a slow host, and how many of these a cycle of the guest
 * pays for: some hundred times as many as Linux uses. */
#define CREDIT_PER_CYCLE 100
#define CREDIT_MOST   (INT64_C(50) * 1000 * 1000)
#define COST_OF_BLOCK 500
#define COST_OF_INSN  200	/* decoded, fused, kept, and dropped again */
#define COST_OF_COPY  50
#define COST_OF_ENTRY 3		/* of a TLB or a jump cache, looked at */

/* What charge.h keeps, while it is saved or loaded. */
struct timing_held {
	struct engine *engine;
	uint32_t model, parts, per_cycle, size;
	uint8_t *bytes;
};

#define BLOCK_HASH_BITS 18
struct points;

struct engine {
	struct ram *ram;
	uint8_t *arena;			/* blocks, bump-allocated; all forgotten at once when full */
	size_t arena_used, arena_size;
	uint8_t *tables;		/* of contexts: taken and kept, room for all */
	size_t tables_used, tables_size;
	struct block **hash;		/* 1 << BLOCK_HASH_BITS */
	struct code_page **pages;	/* by real page number */
	struct code_page *code_pages;
	uint64_t npages;
	uint64_t hash_factor;
	uint32_t *writer;		/* by real page number */
	/* What decoding may cost, in nanoseconds of a slow host; cycles that go by earn it. While there is none,
	 * code without a block runs one instruction at a time, and no block is kept of it. */
	int64_t credit;
	uint64_t stepped;		/* instructions that ran so, so far */
	struct broadcast broadcasts[BROADCASTS];	/* the last ones: number n at n % BROADCASTS */
	uint64_t nbroadcasts;
	unsigned max_cpus;
	struct cpu *cpus[256];		/* all that share this engine */
	unsigned ncpus;
	struct block *scratch;		/* a block cut short to end at an exact cycle */
	struct op_info *scratch_info;
	struct block *build;		/* where blocks are decoded before they are kept */
	struct op_info *build_info;
	struct timing timing;
	struct pace *pace;		/* NULL: the model knows no pipeline */
	struct pipe_state *pace_kept;	/* [max_cpus], while room is made for states */
	struct timing_held held;
	struct charge *charge;		/* NULL: nothing costs beyond that */
	bool tm;			/* MSR[TM] can be set */
	struct points *points;		/* points.h: a debugger's; NULL: there are none */
	struct spent *spent;		/* blocks begin with op_spent; NULL: they do not */
	enum insn_since level, problem_level;	/* the latest instructions that there are, and that problem state has */
	uint64_t decoded, flushes;	/* so far: stale links are recognised by the latter */
};

/* The latest instructions that there are in that mode. */
static inline enum insn_since engine_level(const struct engine *engine, uint32_t mode)
{
	return mode & MODE_PR ? engine->problem_level : engine->level;
}

/* Zeroed memory for tables that are looked into everywhere, on large pages of the host where there are some; to munmap().
 * NULL: there is none. */
void *map_hot(size_t size);

/* decode.c: fills `out` (room for BLOCK_MAX_OPS) with at most max_insns instructions at gra. */
void decode_block(struct engine *engine, uint64_t gra, uint32_t mode, unsigned max_insns,
		  struct block *out, struct op_info *info);

/* Under `flat`: what was charged for what follows op i's instruction. */
int64_t decode_rest(const struct block *block, const struct op_info *info, unsigned i);
/* After a block's cost has changed: its price, and what ops need to know that give some of it back or read the time. */
void decode_finish_cost(const struct engine *engine, struct block *block, const struct op_info *info);
/* The exits of a block that is kept lead to their ways out. */
void decode_link_ways_out(struct block *block);
/* Zeroed bytes for a context's table, a multiple of 8; never NULL: there is room for CTX_SLOTS of
 * each kind per processor. */
void *engine_take_table(struct engine *engine, size_t size);
bool engine_add_cpu(struct engine *engine, struct cpu *cpu);	/* false: out of memory */
/* NULL: not decoded, and no credit to do it. */
struct block *engine_find(struct engine *engine, uint64_t gra, uint32_t mode);
/* Guest memory [gra, gra + len) has been written: blocks decoded from it end. */
void engine_code_written(struct engine *engine, uint64_t gra, uint64_t len);
const struct block *block_of(const struct op *op);

/* tlb.c: contexts, and fetch translation (raises the interrupt and returns false on a fault). */
bool fetch_translate(struct cpu *cpu, uint64_t ea, uint64_t *gra);
void jump_insert(struct cpu *cpu, uint64_t ea, struct block *block);
bool ctx_init(struct cpu *cpu);
void ctx_free(struct cpu *cpu);
void ctx_forget_blocks(struct cpu *cpu);		/* every jump entry */
/* Of a hash guest: what contexts hold of addresses below 2^63 in privileged state, or of those above in any; everything of
 * a space; everything that was found under a value of AMR (data) or IAMR, by its number; [ea, ea + (1 << shift)) in
 * contexts that may hold it: those of a space, or, CTX_PRIVILEGED, of privileged state below 2^63 and of any above. */
void ctx_forget_side(struct cpu *cpu, bool low);
void ctx_forget_space(struct cpu *cpu, unsigned space);
void ctx_forget_keys(struct cpu *cpu, bool data, unsigned number);
#define CTX_PRIVILEGED 0
#define CTX_SPACE(n)   (1 + (n))
void ctx_forget_range(struct cpu *cpu, unsigned whose, uint64_t ea, unsigned shift);
/* No fast stores to this guest real page, by any processor. Returns how many entries it looked at. */
uint64_t ctx_protect_page(struct engine *engine, uint64_t number);
/* What others have broadcast since this processor ran last. */
void ctx_catch_up(struct cpu *cpu);

/* Ops that the decoder adds by itself. */
#define ENGINE_OPS(X) \
	X(set_cr0) X(set_cr0_32) X(set_cr1) X(ca_from_ca32) X(so_save) X(ov_from_ov32) X(mr) X(addi) X(add) X(truncate_d) X(truncate_x) \
	X(illegal) X(privileged) X(unavailable) X(facility_check) X(no_prefix) X(boundary) X(paddi) X(leave) \
	X(b_near) X(b_far) X(next_near) X(next_far) X(marker) X(edges) X(dead) X(seek) X(spent)
#define DECLARE_OP(name) OP_RETURN OP_ABI op_##name(OP_PARAMS);
ENGINE_OPS(DECLARE_OP)
#undef DECLARE_OP

#endif

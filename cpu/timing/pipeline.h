/* The time that a stream of instructions takes in a core without cache misses and without branches gone wrong.
 *
 * One clock says when the next instruction is dispatched. It advances by the width that an instruction takes; and it waits
 * while the window is full: an entry is free again when its instruction and all before it have completed. An instruction
 * starts when it is dispatched, its sources are there and a pipe is free. Pipes are counted as work in arrears, not one by
 * one. The result's time, work and window are all that an instruction leaves to those behind it: the state.
 *
 * Costs are a function of state and stream: however a stream is cut, opened and closed, its costs and its last state are
 * the same. At each branch the state is made coarse (pipe_step() does that), so that few states recur.
 */
#ifndef CPU_TIMING_PIPELINE_H
#define CPU_TIMING_PIPELINE_H

#include "cpu/timing/cost.h"
#include "cpu/timing/uses.h"

enum {
	UNITS_PER_CYCLE = 24,		/* six, eight or four in a cycle are whole units each */
	PIPE_MAX_COST = 4095,		/* units, by one instruction */
	PIPE_MAX_WINDOW = 64,
	PIPE_SLOTS = 4,			/* stores that a load may meet */
	PIPE_STATE_WORDS = 192,
	COARSE_STATE_WORDS = 24,	/* no state behind a branch has more */
};

/* An instruction as the model sees it. All zero: nothing at all. */
struct pipe_insn {
	uint8_t slots, uops, kind, hold;
	uint8_t latency, far;
	bool branch, load, store, update;
	bool drains;			/* a barrier that waits for stores, too */
	uint8_t base, index;		/* uses.h */
	int32_t displacement;
	uint8_t nread, nwritten, naddress;
	uint8_t read[9];		/* addresses first */
	uint8_t written[9], written_latency[9];
	uint32_t gprs_read, gprs_written;	/* of instructions with many */
	uint8_t use[MAX_PORTS];
	uint16_t uses;			/* ports of which it uses some, a bit each */
};

/* `row`: the row of cpu/table/insn.def; negative: no instruction. */
void pipe_decode(const struct core_model *m, int row, uint64_t insn, struct pipe_insn *out);

/* Between two instructions. Word 0: how many words of each kind follow; the rest of the words is 0. All zero: nothing is
 * pending. Times are in units, from the time at which the next instruction could be dispatched.
 *
 *   word 0   ports | registers << 8 | window << 16 | stores << 24, and whether the window is a line << 31
 *   port     number << 16 | work
 *   register number << 24 | kind << 20 | far << 16 | time from which all can have it
 *   window   entries from here << 16 | time by which that entry's dispatch is late; on a line, those before it are a little
 *   store    two: base << 24 | index << 16 | time; displacement
 */
struct pipe_state { uint32_t word[PIPE_STATE_WORDS]; };

/* Words that are not the zeros at the end. */
unsigned pipe_state_words(const struct pipe_state *s);
/* It is one that pipe_close() may give for this model. What is not must not be opened. */
bool pipe_state_valid(const struct pipe_state *s, const struct core_model *m);

struct pipe {
	const struct core_model *m;
	uint8_t threads, size;		/* entries of the window that a thread has */
	bool fresh;			/* nothing has happened since `last` */
	bool stale;			/* `last` is coarser than what the other fields hold */
	uint32_t now;			/* units; starts with EPOCH */
	uint32_t resolve;		/* behind a branch: units from now until its outcome is known */
	uint64_t written[2];		/* a bit for each register whose time is not 0 */
	uint32_t ready[NREGS];
	uint8_t far[NREGS];		/* kind << 4 | far */
	uint32_t port[MAX_PORTS];	/* when its work is done */
	/* The oldest `left` entries of the window are still those that it was opened with, on a line to line_late at line_end. */
	uint8_t head, left, line_end;
	uint32_t line_late, line_part;	/* units; 2^32 / (line_end + 1) */
	uint8_t nstores;
	struct pipe_store { uint32_t ready; int32_t displacement; uint8_t base, index; } store[PIPE_SLOTS];
	/* What is below is not cleared for a new one. */
	uint32_t window[PIPE_MAX_WINDOW];	/* when each of the others is free; the oldest at `head` + `left` */
	struct pipe_state last;		/* as far as it has words */
};

/* `threads`: how many threads of the core are busy, 1, 2, 4 or 8. Each gets an equal share of dispatch, window and pipes. */
void pipe_open(struct pipe *p, const struct core_model *m, unsigned threads, const struct pipe_state *s);
/* Units by which the clock advances: 1 to PIPE_MAX_COST. */
unsigned pipe_step(struct pipe *p, const struct pipe_insn *i);
/* Nothing is dispatched for so long: behind a taken branch, behind one that went wrong (from its outcome on). A branch comes
 * before; the time is the caller's to charge. */
void pipe_wait(struct pipe *p, unsigned units);
void pipe_close(const struct pipe *p, struct pipe_state *s);

/* The same for who keeps states packed: `words` has those that there are, and at least one. */
void pipe_open_packed(struct pipe *p, const struct core_model *m, unsigned threads, const uint32_t *words);
/* How many words the state has, which are the first of p->last then. */
unsigned pipe_pack(struct pipe *p);

/* How an instruction has gone, for those who draw it. Units, from the time at which it could have been dispatched. */
struct pipe_trace {
	uint32_t dispatch;		/* there was room in the window */
	uint32_t sources, pipes;	/* its last source was there; pipes were free. 0: before it came, or there are none */
	uint32_t start, completion;
	uint32_t stored;		/* what it loads had been stored; 0: nobody knows a store */
	uint32_t retired;		/* it and all before it had completed: its place in the window is free */
	uint32_t next;			/* the next one could be dispatched */
	uint8_t reg, port;		/* the last source, the last pipes; NREGS, MAX_PORTS: none */
};
/* The same step. */
unsigned pipe_step_traced(struct pipe *p, const struct pipe_insn *i, struct pipe_trace *t);

#endif

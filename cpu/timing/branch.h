/* Branch prediction: what a processor would have guessed, and what it learns from the outcome.
 *
 * Directions come from counters per address and per recent history, with a counter that says which of the two to believe,
 * and on newer models from a table with a longer history that answers only for what it knows. Targets of returns come from
 * a link stack, those of bctr and btar from a table of last targets. Tables are a core's; history and link stack are a
 * thread's. All of it is state that a snapshot holds; zeros are a valid beginning. No host pointers, bounded work. */
#ifndef CPU_TIMING_BRANCH_H
#define CPU_TIMING_BRANCH_H

#include <stdbool.h>
#include <stdint.h>

#define BRANCH_COUNTERS	16384	/* at most, of each kind */
#define BRANCH_TAGGED	4096
#define BRANCH_TARGETS	1024
#define BRANCH_LINKS	64

/* The last n branches, as a mask; n at most 64. */
#define BRANCH_HISTORY(n)	(UINT64_MAX >> (64 - (n)))

/* Masks: numbers of entries less 1, which are powers of two. */
struct branch_params {
	uint32_t local, global;		/* counters */
	uint64_t history;		/* BRANCH_HISTORY() that chooses a global counter */
	uint32_t tagged;		/* the table with long history; 0: none */
	uint64_t long_history;		/* BRANCH_HISTORY() that chooses one of its entries */
	uint32_t targets;		/* last targets */
	uint32_t target_shift;		/* log2 of the aligned bytes that share one */
	uint8_t links[4];		/* places of the link stack with 1, 2, 4 and 8 threads */
};

struct branch_unit {
	uint8_t local[BRANCH_COUNTERS];		/* 0..3, from 2 on: taken */
	uint8_t global[BRANCH_COUNTERS];	/* bits 0 and 1: the same; 2 and 3: from 2 on, believe it rather than local */
	uint16_t tagged[BRANCH_TAGGED];		/* bits 0..2: from 4 on, taken; 3 and 4: use; 5: valid; 6..15: tag */
	uint64_t target[BRANCH_TARGETS];
};

struct branch_thread {
	uint64_t history;		/* the latest in bit 0, 1: taken */
	uint64_t link[BRANCH_LINKS];
	uint32_t top;
	uint32_t threads_log2;		/* of the core: 0..3 */
};

/* Each of these returns true if the guess was wrong, and learns. ea: of the branch. */
bool branch_conditional(const struct branch_params *p, struct branch_unit *u, struct branch_thread *t, uint64_t ea, bool taken);
/* Of a conditional branch that was taken, by its address alone: it is known for that, so its target is at hand. */
static inline bool branch_steady(const struct branch_params *p, const struct branch_unit *u, uint64_t ea)
{
	return (u->local[ea >> 2 & p->local] & 3) == 3;
}
bool branch_return(const struct branch_params *p, struct branch_thread *t, uint64_t target);
bool branch_indirect(const struct branch_params *p, struct branch_unit *u, uint64_t ea, uint64_t target);
void branch_call(const struct branch_params *p, struct branch_thread *t, uint64_t return_address);

/* As many threads as the core now runs, 1 to 8, share what there is of link stack. */
void branch_set_threads(struct branch_thread *t, unsigned threads);

/* Whether what a file says can be. A branch_unit always can: what it holds is masked where it is used. */
bool branch_thread_ok(const struct branch_thread *t);

#endif

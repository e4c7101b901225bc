/* Where a debugger of the host's wants processors to stop: before an instruction at an address, after one that touches data, after
 * one step. What a guest sets for itself is watch.h.
 *
 * A processor that stops so is between two instructions, and nothing of it or of the clock has changed: one that goes on is
 * the same as one that has never stopped. Code and data without points pay nothing: a block never begins at the place in a page of a
 * point nor reaches over it, so each comes back to cpu_run(), and the TLB leaves out pages with watched data.
 */
#ifndef CPU_ENGINE_POINTS_H
#define CPU_ENGINE_POINTS_H

#include "cpu/core/cpu.h"

#define POINTS_MOST 256u

/* Bits; data: LOAD, STORE or both. The last two are observed only: a step was made, or an interrupt came before it, at `ea`. */
enum point_kind { POINT_CODE = 1, POINT_LOAD = 2, POINT_STORE = 4, POINT_STEP = 8, POINT_INTERRUPT = 16 };

struct point {
	uint64_t ea;
	uint64_t bytes;			/* of data; code: not looked at */
	unsigned kind;
};

struct points {
	unsigned n;
	unsigned kinds;			/* of all of them */
	uint64_t places[RAM_PAGE_SIZE / 4 / 64];	/* of instructions in their pages: a bit for each word */
	struct point point[POINTS_MOST];
};

/* All that there are from now on, for all processors of the engine. False: out of memory, and those of before stay. */
bool points_set(struct engine *engine, const struct point *point, unsigned n);
void points_free(struct engine *engine);

/* Blocks end before gra, and none begins there. */
static inline bool points_part(const struct points *points, uint64_t gra)
{
	return points && points->places[gra % RAM_PAGE_SIZE / 4 / 64] >> gra % RAM_PAGE_SIZE / 4 % 64 & 1;
}

/* The processor is at a point: cpu->observed says so. */
bool points_stop(struct cpu *cpu);
/* An access to data that is watched, in the page of ea. */
bool points_in_page(const struct cpu *cpu, uint64_t ea);
/* True: an instruction is to touch watched data, and is to be run by itself. If it is, cpu->observed says what it touches. */
bool points_touch(struct cpu *cpu, uint64_t ea, uint64_t bytes, bool store);

#endif

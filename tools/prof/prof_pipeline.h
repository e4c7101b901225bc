/* How a piece of code goes through a core: cpu/timing/pipeline.h's model, instruction by instruction. */
#ifndef TOOLS_PROF_PROF_PIPELINE_H
#define TOOLS_PROF_PROF_PIPELINE_H

#include "cpu/table/prefix.h"
#include "cpu/timing/pipeline.h"
#include "tools/prof/prof_views.h"

enum { PIPELINE_INSNS = 64, PIPELINE_ROUNDS = 1000 };

struct pipeline_insn {
	uint64_t ea;
	uint64_t word;			/* with a prefix: above it */
	int row;			/* of cpu/table/insn.def; negative: no instruction */
	struct pipe_insn insn;
	char text[64];
};

/* An instruction in a round. Units since the first could be dispatched. */
struct pipeline_step {
	uint64_t now, dispatch, start, completion, retired;
	enum pipeline_wait { WAIT_NONE, WAIT_REGISTER, WAIT_PIPES } wait;	/* between dispatch and start */
	bool window, stored;		/* it waited for room; what it loads, for a store */
	uint8_t reg, port;
	int64_t from, store;		/* the steps that gave the register, that stored; negative: none that is here */
};

/* What a round takes at least, in units; what it took. */
struct pipeline_bounds {
	double dispatch, port[MAX_PORTS], chain;
	double filled;			/* entries of the window that are taken, on average */
	double took;			/* from one round to the next, when that has settled; with one round: all of it */
	uint16_t path[PIPELINE_INSNS + 1];	/* the instructions of that chain, the last one first */
	unsigned npath;
};

struct pipeline {
	const struct core_model *m;
	struct pipeline_insn at[PIPELINE_INSNS];
	unsigned n, rounds;
	bool loop;			/* what follows its last instruction is its first */
	struct pipeline_step *step;	/* rounds * n */
	uint64_t *began;		/* rounds + 1 */
	struct pipeline_bounds bounds;
};

/* ---- prof_pipeline.c ---- */
void pipeline_add(struct pipeline *l, uint64_t ea, uint64_t word, const char *text);
/* `rounds`: 0: one, or those of a loop until it has settled. False: out of memory. */
bool pipeline_run(struct pipeline *l, const struct core_model *m, unsigned rounds);
void pipeline_free(struct pipeline *l);
const char *pipeline_port(const struct core_model *m, unsigned port);
void pipeline_register(unsigned reg, char *text, size_t size);
/* What it waited for, as a line; an empty one: nothing. */
void pipeline_why(const struct pipeline *l, unsigned number, char *text, size_t size);

/* ---- prof_lanes.c, prof_lanes_svg.c ---- */
void pipeline_text(const struct pipeline *l, const char *title, FILE *out);
void pipeline_svg(const struct pipeline *l, const char *title, FILE *out);

/* ---- prof_block.c: the code that is asked for, out of a profile or by words ---- */
/* Whether words and model of the options can be; NULL ones can. */
bool prof_pipeline_fits(const struct prof_options *o, struct error *err);
bool prof_pipeline(const struct prof_functions *f, const struct prof_options *o, FILE *out, struct error *err);

#endif

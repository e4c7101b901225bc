/* Instructions of all blocks, or of one function's: by function, address and word, each once. */
#ifndef TOOLS_PROF_PROF_CODE_H
#define TOOLS_PROF_PROF_CODE_H

#include "tools/prof/prof_functions.h"

struct prof_insn {
	uint64_t ea, space, executions, units;
	const uint64_t *reasons;
	uint32_t function, word;
};

struct prof_code {
	struct prof_insn *at;
	size_t n;
	uint64_t *reasons;
};

/* `function`: UINT32_MAX: all. False: out of memory, or there are too many. */
bool prof_code_make(struct prof_code *c, const struct prof_functions *f, uint32_t function, struct error *err);
void prof_code_free(struct prof_code *c);

#endif

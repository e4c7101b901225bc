/* What the fuzzer's guest does: code, page tables, argument blocks, all from a seed. */
#ifndef TESTS_FUZZ_ATTACK_H
#define TESTS_FUZZ_ATTACK_H

#include "machine/core/machine.h"
#include "tests/fuzz/rng.h"

#define CODE_BASE UINT64_C(0x100000)	/* guest real; the handlers come back into here */
#define CODE_SIZE UINT64_C(0x10000)

enum attack_kind {
	ATTACK_WORDS,		/* uniformly random words */
	ATTACK_INSNS,		/* valid rows of the instruction table, addresses that matter */
	ATTACK_RADIX,		/* the same under a radix tree with broken entries */
	ATTACK_HASH,		/* the same under a hash page table and segments */
	ATTACK_HCALLS,		/* hypercalls, RTAS, Open Firmware calls */
	ATTACK_KINDS,
};
extern const char *const attack_name[ATTACK_KINDS];

/* Fills RAM and sets every processor's registers. Between quanta. */
void attack_prepare(struct machine *m, enum attack_kind kind, struct rng *rng);

#endif

/* Prefixed instructions: two words, of which the first has primary opcode 1. Power ISA 3.1, Book I, 1.6.3.
 *
 * Where an instruction is one number, its prefix stands above its suffix, and a word instruction is its word. Behind a
 * word of that opcode nothing but its suffix follows in a block: what has none ends it.
 */
#ifndef CPU_TABLE_PREFIX_H
#define CPU_TABLE_PREFIX_H

#include <stdbool.h>
#include <stdint.h>

#define PREFIX_OPCODE 1
#define PREFIX_ALIGN  64	/* bytes: a prefixed instruction lies within so many, or is not executed */

static inline bool is_prefix(uint32_t word) { return word >> 26 == PREFIX_OPCODE; }
static inline bool is_prefixed(uint64_t insn) { return insn >> 32; }
static inline unsigned insn_words(uint64_t insn) { return is_prefixed(insn) ? 2 : 1; }

/* The instruction at one of n words. */
static inline uint64_t insn_at(const uint32_t *words, unsigned n, unsigned at)
{
	return is_prefix(words[at]) && at + 1 < n ? (uint64_t)words[at] << 32 | words[at + 1] : words[at];
}

#define INSN_R (UINT64_C(1) << 52)	/* bit 11 of the prefix: the address is relative to the instruction's own */

/* d0 in the prefix, d1 in the suffix: 34 bits. */
static inline int64_t insn_displacement(uint64_t insn)
{
	uint64_t d = (insn >> 32 & 0x3ffff) << 16 | (insn & 0xffff);

	return (int64_t)(d << 30) >> 30;
}

/* So many words are the first `insns` instructions of n words; n, if there are no more. */
static inline unsigned words_of(const uint32_t *words, unsigned n, uint64_t insns)
{
	unsigned at = 0;

	for (; insns && at < n; insns--)
		at += insn_words(insn_at(words, n, at));
	return at;
}

#endif

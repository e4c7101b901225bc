/* The decoder as instruction files see it: rows, and hooks that refine an op.
 *
 * A hook decode_<name> is called after the operands of a row have been extracted and its
 * handler chosen. It may pick another handler, rearrange operands, or append ops with
 * decode_emit(). It returns false if the form is invalid: the instruction is illegal.
 */
#ifndef CPU_ENGINE_DECODE_H
#define CPU_ENGINE_DECODE_H

#include "cpu/core/host.h"
#include "cpu/engine/block.h"
#include "cpu/table/forms.h"

struct decoder;

struct insn {
	const char *name, *acts;	/* whose handlers it has: its own, or those of the instruction without a prefix */
	uint64_t match, mask;		/* of a prefixed one: the prefix above the suffix */
	const char *operands;
	uint8_t since, unit;
	uint32_t flags;
	const char *reference;
	op_fn *fn, *rc, *o, *be, *upd;
	bool (*hook)(struct decoder *d, const struct insn *insn, struct op *op, uint64_t word);
};

extern const struct insn insns[];
extern const unsigned ninsns;

/* The row that an instruction (prefix.h) belongs to on a processor of that generation, NULL: none. */
const struct insn *insn_lookup_at(uint64_t insn, enum insn_since level);
/* The same on one that has every instruction of the table. */
const struct insn *insn_lookup(uint64_t insn);

/* The bits of an instruction that this row's operands, Rc and OE occupy. */
uint64_t decode_operand_bits(const struct insn *insn);
/* Does an address of the row's have a displacement, before a base in brackets? Then *offset is that, in bytes. */
bool decode_offset(const struct insn *insn, uint64_t word, int64_t *offset);
/* Every token of the row's operand string is known. */
bool decode_operands_valid(const struct insn *insn);

#define DECODE_HOOK(name) \
	bool decode_##name(struct decoder *d, const struct insn *insn, struct op *op, uint64_t word); \
	bool decode_##name(struct decoder *d __attribute__((unused)), const struct insn *insn __attribute__((unused)), \
			   struct op *op __attribute__((unused)), uint64_t word __attribute__((unused)))

/* `HOST_NEEDS(vperm, HOST_SHUFFLE)`: vperm's handler is op_vperm only on hosts that have it, else
 * op_vperm_plain. */
#define HOST_NEEDS(name, feature) \
	DECODE_HOOK(name) \
	{ \
		if (!(host_features() & (feature))) \
			op->fn = op_##name##_plain; \
		return true; \
	}

uint32_t decode_mode(const struct decoder *d);		/* enum block_mode */
enum insn_since decode_level(const struct decoder *d);	/* what this mode may have, */
enum insn_since decode_own_level(const struct decoder *d);	/* and the processor has */
uint64_t decode_gra(const struct decoder *d);		/* real address of this instruction */
unsigned decode_parts(const struct decoder *d);		/* enum timing_part: what the model has */
void decode_emit(struct decoder *d, struct op op);	/* an op before the row's own; same instruction */
void decode_edges(struct decoder *d);			/* where the branch emitted just now leads: two edges in an op's place */
void decode_append(struct decoder *d, struct op op);	/* an op after the row's own; same instruction */

bool decode_charges(const struct decoder *d);		/* accesses and branches are charged for */
bool decode_may_go_on(const struct decoder *d);		/* the block may have one more exit in its middle */
bool decode_exits_charge(const struct decoder *d);	/* which has a way of its own then, and is near */

/* A prefixed instruction's base in op->b, which with R is the page of the instruction itself, and how far from there. False:
 * R with a base is an invalid form. */
bool decode_base(const struct decoder *d, struct op *op, uint64_t insn, int64_t *distance);

/* op_branch.c: a branch, true if it ends the block; the end of a block without one. */
bool decode_branch(struct decoder *d, uint32_t word);
void decode_fall_through(struct decoder *d, bool page_end);

/* op_system.c: makes it "or n,n,n"; false if that sets no priority. */
bool decode_priority(const struct decoder *d, struct op *op, unsigned n);

#endif

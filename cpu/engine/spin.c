/* Loops that wait: they look at memory, compare and go round, and change no register by which the next round could
 * differ from this one. No other processor runs in the same slice of time. So if a whole round has changed nothing in
 * memory, all rounds until the slice ends are like it: the engine charges at once for as many as the budget has room
 * for. The guest cannot tell.
 *
 * A load may set the R bit of its page table entry, and the loop may be looking at that entry: the MMU then clears
 * cpu->spin_op, so that another round runs. Only rounds within one call of cpu_run() are compared: between two calls
 * other processors may have stored.
 *
 * Linux's secondary processors wait so in kexec's purgatory, without a hint, while the first checks its image.
 */
#include "cpu/engine/spin.h"

#include "cpu/engine/follow.h"
#include "cpu/engine/operands.h"

/* A processor in such a loop comes to the same branch with the same registers. If just one round's cycles have gone
 * by since it was there, it has been nowhere else in between. With -d exec each round is shown. */
#define ROUND_AND_ROUND \
	do { \
		const struct block *round_ = block_of(op); \
		uint64_t cost_ = block_cost(round_); \
		bool alike_ = cpu->spin_op == op && CYCLE_NOW == cpu->spin_cycle + cost_; \
		if (alike_ && budget >= 0 && !(cpu->env->log_mask & LOG_EXEC)) \
			budget -= block_price(round_) * (int64_t)((uint64_t)UNITS_LEFT / cost_); \
		cpu->spin_op = op; \
		cpu->spin_cycle = CYCLE_NOW; \
	} while (0)

OP_RAW(spin) { ROUND_AND_ROUND; FOLLOW(&EDGES->taken, (uint64_t)IMM); }

#define SPIN_IF(name, condition) \
	OP_RAW(spin_##name) \
	{ \
		if (condition) { \
			ROUND_AND_ROUND; \
			FOLLOW(&EDGES->taken, (uint64_t)IMM); \
		} \
		FOLLOW(&EDGES->fall, NEXT_OFFSET); \
	}
SPIN_IF(t, CONDITION)
SPIN_IF(f, !CONDITION)

OP_RETURN OP_ABI op_b_near(OP_PARAMS);
OP_RETURN OP_ABI op_bc_t_near(OP_PARAMS);
OP_RETURN OP_ABI op_bc_f_near(OP_PARAMS);

/* ---- Recognising them ---- */

/* GPRs as masks: read before the loop has written them, and written. */
struct use {
	uint32_t inputs, written;
};

static void note_read(struct use *use, unsigned gpr)
{
	use->inputs |= UINT32_C(1) << gpr & ~use->written;
}

#define PO(word) ((word) >> 26)
#define XO(word) ((word) >> 1 & 0x3ff)
#define FIRST(word) ((word) >> 21 & 31)
#define SECOND(word) ((word) >> 16 & 31)
#define THIRD(word) ((word) >> 11 & 31)

/* False: not an instruction of the few that such loops are made of. What it does to CR follows from its
 * operands. */
static bool note_use(uint32_t word, struct use *use)
{
	switch (PO(word)) {
	case 10:	/* cmpli */
	case 11:	/* cmpi */
		note_read(use, SECOND(word));
		return true;
	case 24:	/* nop; as ori of another register it would be a result */
		return word == 0x60000000;
	case 28:	/* andi. */
		note_read(use, FIRST(word));
		use->written |= UINT32_C(1) << SECOND(word);
		return true;
	case 31:	/* cmp, cmpl, sync */
		if (XO(word) == 598)
			return true;
		note_read(use, SECOND(word));
		note_read(use, THIRD(word));
		return XO(word) == 0 || XO(word) == 32;
	case 58:	/* ld, lwa */
		if ((word & 3) == 1 || (word & 3) == 3)
			return false;
		/* fallthrough */
	case 32:	/* lwz */
	case 34:	/* lbz */
	case 40:	/* lhz */
	case 42:	/* lha */
		note_read(use, SECOND(word));
		use->written |= UINT32_C(1) << FIRST(word);
		return true;
	default:
		return false;
	}
}

/* The handler that charges for many rounds, if the op is a branch that can be one's end. */
static op_fn *spinning_handler(op_fn *fn)
{
	return fn == op_b_near ? op_spin : fn == op_bc_t_near ? op_spin_t : fn == op_bc_f_near ? op_spin_f : NULL;
}

void spin_block(struct block *block)
{
	struct op *last = block->nops > 2 ? &block->ops[block->nops - 2] : NULL;
	struct use use = { 0, 0 };

	if (!last || block->nedges != 1 || !spinning_handler(last->fn) || (uint64_t)last->imm != (block->gra & (RAM_PAGE_SIZE - 1)))
		return;
	for (unsigned i = 0; i + 1 < block->ninsns; i++)
		if (!note_use(block->words[i], &use))
			return;
	if (!(use.inputs & use.written))
		last->fn = spinning_handler(last->fn);
}

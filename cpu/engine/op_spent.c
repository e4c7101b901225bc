/* The first op of each block while the engine has a struct spent: tells it that the block begins. */
#include "cpu/engine/block.h"
#include "cpu/spent/spent.h"

/* Its operands hold the number of the block's place there; 0 while none is known. */
static uint32_t hint_of(const struct op *op)
{
	uint32_t hint;

	memcpy(&hint, &op->a, sizeof hint);
	return hint;
}

static void set_hint(const struct op *op, uint32_t hint)
{
	memcpy(&((struct op *)(uintptr_t)op)->a, &hint, sizeof hint);
}

/* The block behind whose marker this is. It has been paid for. At the limit nothing of it will start: the processor comes
 * here again, or is interrupted before. */
static __attribute__((noinline)) void begin_block(struct cpu *cpu, const struct op *op, int64_t budget)
{
	const struct block *b = (const struct block *)((const char *)(op - 1) - __builtin_offsetof(struct block, ops));
	uint32_t hint = hint_of(op), found;
	int64_t before = budget + block_price(b);

	if (before < BUDGET_UNIT)
		return;
	found = spent_block(cpu->engine->spent, cpu, &(struct spent_visit){
		.ea = cpu->page_ea + (b->gra & (RAM_PAGE_SIZE - 1)), .gra = b->gra, .words = b->words,
		.nwords = b->nwords, .ninsns = b->ninsns, .mode = b->mode & (MODE_SF | MODE_LE | MODE_PR), .hint = hint,
		.time = cpu->limit * cpu->per_cycle - (uint64_t)(before >> 32), .insns = cpu->insns + INSNS_DONE(before),
	});
	if (found != hint)
		set_hint(op, found);
}

OP_RAW(spent)
{
	begin_block(cpu, op, budget);
	NEXT;
}

/* Leaving a block for the next. Needs operands.h.
 *
 * A target in the same 4 KiB page is linked directly: the edge op after the branch holds the
 * block. Any other target goes through the context's jump cache, because another page's
 * mapping can change without this block being touched.
 */
#ifndef CPU_ENGINE_FOLLOW_H
#define CPU_ENGINE_FOLLOW_H

#include "cpu/engine/block.h"

/* Charges the whole block on entry; too little budget left: the engine runs part of it. */
#define ENTER_BLOCK(marker_, ea_) \
	do { \
		const struct op *to_ = (marker_); \
		budget -= marker_price(to_); \
		if (unlikely(budget < 0)) { \
			budget += marker_price(to_); \
			cpu->nip = (ea_); \
			LEAVE; \
		} \
		GOTO_OP(to_ + 1); \
	} while (0)

#define FOLLOW(edge_, offset_) \
	do { \
		const struct op **link_ = (edge_); \
		if (unlikely(!*link_)) { \
			cpu->nip = cpu->link_nip = cpu->page_ea + (offset_); \
			cpu->link = link_; \
			cpu->link_from = op; \
			GOTO_SAME(op_seek); \
		} \
		ENTER_BLOCK(*link_, cpu->page_ea + (offset_)); \
	} while (0)

#define JUMP_TO(target_) \
	do { \
		uint64_t ea_ = (target_); \
		const struct jump_entry *entry_ = &cpu->jumps[JUMP_INDEX(ea_)]; \
		if (unlikely(entry_->ea != ea_)) { \
			cpu->nip = ea_; \
			GOTO_SAME(op_seek); \
		} \
		cpu->page_ea = TLB_PAGE(ea_); \
		ENTER_BLOCK(entry_->block->ops, ea_); \
	} while (0)

#define EDGES ((struct edge *)(uintptr_t)(op + 1))

/* Branch ops: imm is the target relative to the page of the branch, c and d are the offset of the next
 * instruction in the page. Conditional ones: a is the CR field, b the mask of its bit. */
#define NEXT_OFFSET ((uint64_t)op->c | (uint64_t)op->d << 8)
#define CONDITION (cpu->cr[op->a] & op->b)

/* Those that are taken on a condition: name and condition. */
#define CONDITIONAL_BRANCHES(X) \
	X(bc_t, CONDITION) X(bc_f, !CONDITION) X(bdnz, --cpu->ctr) X(bdz, !--cpu->ctr)

#define TAKEN_IF(name, condition) \
	static inline __attribute__((always_inline)) bool \
	taken_##name(struct cpu *cpu, const struct op *op __attribute__((unused))) { return condition; }
CONDITIONAL_BRANCHES(TAKEN_IF)
#undef TAKEN_IF

#define GO_NEAR(is_taken) \
	do { \
		if (is_taken) \
			FOLLOW(&EDGES->taken, (uint64_t)IMM); \
		FOLLOW(&EDGES->fall, NEXT_OFFSET); \
	} while (0)
#define EXIT_NEAR(is_taken) \
	do { \
		if (is_taken) { \
			budget += EDGES->behind; \
			FOLLOW(&EDGES->taken, (uint64_t)IMM); \
		} \
	} while (0)
#define EXIT_FAR(is_taken) \
	do { \
		if (is_taken) { \
			budget += EDGES->behind; \
			JUMP_TO(cpu->page_ea + IMM); \
		} \
	} while (0)
#define GO_FAR(is_taken) \
	do { \
		if (is_taken) \
			JUMP_TO(cpu->page_ea + IMM); \
		FOLLOW(&EDGES->fall, NEXT_OFFSET); \
	} while (0)

#endif

/* Branches, condition-register logic, and the ops that end blocks. Power ISA 3.0B, Book I, 2.4, 2.5. */
#include "cpu/engine/charge.h"
#include "cpu/engine/decode.h"
#include "cpu/engine/dispatch.h"
#include "cpu/engine/follow.h"
#include "cpu/engine/operands.h"

/* ---- To another block: follow.h ---- */

OP_RAW(b_near) { FOLLOW(&EDGES->taken, (uint64_t)IMM); }
OP_RAW(b_far) { JUMP_TO(cpu->page_ea + IMM); }

OP_RAW(bl_near)
{
	cpu->lr = cpu->page_ea + NEXT_OFFSET;
	FOLLOW(&EDGES->taken, (uint64_t)IMM);
}

OP_RAW(bl_far)
{
	cpu->lr = cpu->page_ea + NEXT_OFFSET;
	JUMP_TO(cpu->page_ea + IMM);
}

#define CONDITIONAL(name, condition) \
	OP_RAW(name##_near) { GO_NEAR(taken_##name(cpu, op)); } \
	OP_RAW(name##_far) { GO_FAR(taken_##name(cpu, op)); } \
	OP_RAW(name##_exit_near) { EXIT_NEAR(taken_##name(cpu, op)); GOTO_OP(op + 2); } \
	OP_RAW(name##_exit_far) { EXIT_FAR(taken_##name(cpu, op)); GOTO_OP(op + 2); }
CONDITIONAL_BRANCHES(CONDITIONAL)

OP_RAW(blr) { JUMP_TO(cpu->lr & ~UINT64_C(3)); }
OP_RAW(bctr) { JUMP_TO(cpu->ctr & ~UINT64_C(3)); }
OP_RAW(btar) { JUMP_TO(cpu->tar & ~UINT64_C(3)); }

OP_RAW(bctrl)
{
	cpu->lr = cpu->page_ea + NEXT_OFFSET;
	JUMP_TO(cpu->ctr & ~UINT64_C(3));
}

OP_RAW(blr_t)
{
	if (CONDITION)
		JUMP_TO(cpu->lr & ~UINT64_C(3));
	FOLLOW(&EDGES->fall, NEXT_OFFSET);
}

OP_RAW(blr_f)
{
	if (!CONDITION)
		JUMP_TO(cpu->lr & ~UINT64_C(3));
	FOLLOW(&EDGES->fall, NEXT_OFFSET);
}

/* ---- 32-bit mode, where targets and LR have 32 bits ---- */

#define NARROW(ea) ((uint64_t)(uint32_t)(ea))

OP_RAW(b_far_32) { JUMP_TO(NARROW(cpu->page_ea + IMM)); }

OP_RAW(bl_far_32)
{
	cpu->lr = NARROW(cpu->page_ea + NEXT_OFFSET);
	JUMP_TO(NARROW(cpu->page_ea + IMM));
}

OP_RAW(blr_32) { JUMP_TO(NARROW(cpu->lr & ~UINT64_C(3))); }
OP_RAW(bctr_32) { JUMP_TO(NARROW(cpu->ctr & ~UINT64_C(3))); }

OP_RAW(bctrl_32)
{
	cpu->lr = NARROW(cpu->page_ea + NEXT_OFFSET);
	JUMP_TO(NARROW(cpu->ctr & ~UINT64_C(3)));
}

OP_RAW(blr_t_32)
{
	if (CONDITION)
		JUMP_TO(NARROW(cpu->lr & ~UINT64_C(3)));
	FOLLOW(&EDGES->fall, NEXT_OFFSET);
}

OP_RAW(blr_f_32)
{
	if (!CONDITION)
		JUMP_TO(NARROW(cpu->lr & ~UINT64_C(3)));
	FOLLOW(&EDGES->fall, NEXT_OFFSET);
}

OP_RAW(bdnz_near_32) { GO_NEAR((uint32_t)--cpu->ctr != 0); }
OP_RAW(bdz_near_32) { GO_NEAR((uint32_t)--cpu->ctr == 0); }

/* ---- Every other form, by the book ---- */

#define SLOW_KIND (op->c & 7)
#define SLOW_LINK (op->c & 8)
#define SLOW_32   (op->c & 16)

OP_RAW(b_slow)
{
	unsigned bo = op->a;
	uint64_t here = op_nip(cpu, op), next = here + 4, target = next;
	uint64_t mask = SLOW_32 ? UINT32_MAX : UINT64_MAX;
	bool ctr_ok = true, cond_ok = bo & 16 || cr_bit(cpu, op->b) == (bo >> 3 & 1);

	if (!(bo & 4)) {
		cpu->ctr--;
		ctr_ok = ((cpu->ctr & mask) != 0) != (bo >> 1 & 1);
	}
	if (ctr_ok && cond_ok) {
		switch ((enum branch_kind)SLOW_KIND) {
		case TO_DISPLACEMENT: target = here + IMM; break;
		case TO_ABSOLUTE: target = (uint64_t)IMM; break;
		case TO_LR: target = cpu->lr & ~UINT64_C(3); break;
		case TO_CTR: target = cpu->ctr & ~UINT64_C(3); break;
		case TO_TAR: target = cpu->tar & ~UINT64_C(3); break;
		}
	}
	if (SLOW_LINK)
		cpu->lr = next & mask;
	JUMP_TO(target & mask);
}

/* ---- Decoding ---- */

enum { BO_ALWAYS = 20 };	/* with any of the hint bits */

static op_fn *condition_op(unsigned bo, op_fn *if_true, op_fn *if_false)
{
	return (bo & 0x1c) == 0x0c ? if_true : (bo & 0x1c) == 0x04 ? if_false : NULL;
}

/* The direct handler for this form, NULL if only b_slow does it. */
static op_fn *direct_handler(enum branch_kind kind, unsigned bo, bool link, bool near)
{
	bool always = (bo & 0x14) == BO_ALWAYS;

	if (link)
		return !always ? NULL : kind == TO_DISPLACEMENT ? (near ? op_bl_near : op_bl_far) :
		       kind == TO_CTR ? op_bctrl : NULL;
	switch (kind) {
	case TO_DISPLACEMENT:
		if (always)
			return near ? op_b_near : op_b_far;
		if (near && (bo & 0x16) == 0x10)
			return op_bdnz_near;
		if (near && (bo & 0x16) == 0x12)
			return op_bdz_near;
		return near ? condition_op(bo, op_bc_t_near, op_bc_f_near) : condition_op(bo, op_bc_t_far, op_bc_f_far);
	case TO_LR: return always ? op_blr : condition_op(bo, op_blr_t, op_blr_f);
	case TO_CTR: return always ? op_bctr : NULL;
	case TO_TAR: return always ? op_btar : NULL;
	case TO_ABSOLUTE: break;
	}
	return NULL;
}

/* The same for 32-bit mode. NIP is below 4 GiB there, and so is all of its page: near branches are the same. */
static op_fn *narrow_handler(op_fn *wide)
{
	static const struct {
		op_fn *wide, *narrow;
	} pairs[] = {
		{ op_b_near, op_b_near }, { op_bl_near, op_bl_near }, { op_bc_t_near, op_bc_t_near }, { op_bc_f_near, op_bc_f_near },
		{ op_b_far, op_b_far_32 }, { op_bl_far, op_bl_far_32 }, { op_bdnz_near, op_bdnz_near_32 },
		{ op_bdz_near, op_bdz_near_32 }, { op_blr, op_blr_32 }, { op_blr_t, op_blr_t_32 }, { op_blr_f, op_blr_f_32 },
		{ op_bctr, op_bctr_32 }, { op_bctrl, op_bctrl_32 },
	};

	for (unsigned i = 0; i < ARRAY_SIZE(pairs); i++)
		if (pairs[i].wide == wide)
			return pairs[i].narrow;
	return NULL;
}

/* What stands for a conditional branch that the block goes on behind; NULL if there is nothing. */
static op_fn *exit_handler(op_fn *fn, bool near)
{
	return fn == op_bc_t_near || (near && fn == op_bc_t_far) ? op_bc_t_exit_near :
	       fn == op_bc_f_near || (near && fn == op_bc_f_far) ? op_bc_f_exit_near :
	       fn == op_bc_t_far ? op_bc_t_exit_far : fn == op_bc_f_far ? op_bc_f_exit_far : NULL;
}

/* bcctr 2,0,0: Linux executes it to flush the count cache if the firmware told it at boot that the processor has that
 * function. A guest that was booted elsewhere and moved here may have been told so. Here it does nothing. */
#define FLUSH_COUNT_CACHE 0x4c400420

bool decode_branch(struct decoder *d, uint32_t word)
{
	unsigned po = word >> 26, xo = word >> 1 & 0x3ff, bo = po == 18 ? BO_ALWAYS : word >> 21 & 31;
	unsigned bi = word >> 16 & 31;
	uint64_t offset = decode_gra(d) & (RAM_PAGE_SIZE - 1), next = offset + 4;
	int64_t displacement = po == 18 ? (int32_t)((word & 0x03fffffc) << 6) >> 6 : (int16_t)(word & 0xfffc);
	int64_t target = (int64_t)offset + displacement;
	enum branch_kind kind = po == 19 ? (xo == 16 ? TO_LR : xo == 528 ? TO_CTR : TO_TAR) :
				word & 2 ? TO_ABSOLUTE : TO_DISPLACEMENT;
	bool near = target >= 0 && target < (int64_t)RAM_PAGE_SIZE, link = word & 1;
	bool wide = decode_mode(d) & MODE_SF;
	op_fn *fn = NULL, *exit = NULL;

	if (word == FLUSH_COUNT_CACHE) {
		decode_emit(d, (struct op){ .fn = op_mr, .a = SLOT_EA, .c = SLOT_EA });
		return false;
	}
	/* bcctr that decrements CTR is an invalid form. */
	if (kind == TO_CTR && !(bo & 4)) {
		decode_emit(d, (struct op){ .fn = op_illegal, .imm = (int32_t)word });
		return true;
	}
	if (kind == TO_TAR && decode_mode(d) & MODE_PR)
		decode_emit(d, (struct op){ .fn = op_facility_check, .b = FAC_TAR });
	if (decode_charges(d))
		charge_emit_branch(d, &(struct charge_branch){ bo, bi, kind, link, wide, displacement });
	if (next < RAM_PAGE_SIZE || (bo & 0x14) == BO_ALWAYS)
		fn = direct_handler(kind, bo, link, near);
	if (!wide)
		fn = next < RAM_PAGE_SIZE || !link ? narrow_handler(fn) : NULL;
	if (!fn) {
		decode_emit(d, (struct op){ .fn = op_b_slow, .a = (uint8_t)bo, .b = (uint8_t)bi,
					    .c = (uint8_t)(kind | (link ? 8 : 0) | (wide ? 0 : 16)),
					    .imm = (int32_t)displacement });
		return true;
	}
	if (displacement > 0 && kind == TO_DISPLACEMENT && decode_may_go_on(d))
		exit = exit_handler(fn, decode_exits_charge(d));
	decode_emit(d, (struct op){ .fn = exit ? exit : fn, .a = (uint8_t)(bi >> 2), .b = (uint8_t)(8 >> (bi & 3)),
				    .c = (uint8_t)next, .d = (uint8_t)(next >> 8), .imm = (int32_t)target });
	decode_edges(d);
	return !exit;
}

/* The handlers of the rows themselves are never used: decode_branch() chooses. */
#define CHOSEN_BY_DECODER(name) OP_RAW(name) { GOTO_SAME(op_b_slow); }
CHOSEN_BY_DECODER(b)
CHOSEN_BY_DECODER(ba)
CHOSEN_BY_DECODER(bl)
CHOSEN_BY_DECODER(bla)
CHOSEN_BY_DECODER(bc)
CHOSEN_BY_DECODER(bca)
CHOSEN_BY_DECODER(bcl)
CHOSEN_BY_DECODER(bcla)
CHOSEN_BY_DECODER(bclr)
CHOSEN_BY_DECODER(bclrl)
CHOSEN_BY_DECODER(bcctr)
CHOSEN_BY_DECODER(bcctrl)
CHOSEN_BY_DECODER(bctar)
CHOSEN_BY_DECODER(bctarl)

/* ---- Straight on, and out ---- */

OP_RAW(next_near) { FOLLOW(&EDGES->taken, (uint64_t)IMM); }
OP_RAW(next_far) { JUMP_TO(cpu->page_ea + IMM); }

void decode_fall_through(struct decoder *d, bool page_end)
{
	uint64_t offset = page_end ? RAM_PAGE_SIZE : decode_gra(d) & (RAM_PAGE_SIZE - 1);

	/* The engine knows where 32-bit addresses wrap. */
	if (page_end && !(decode_mode(d) & MODE_SF)) {
		decode_emit(d, (struct op){ .fn = op_leave, .imm = (int32_t)offset });
		return;
	}
	decode_emit(d, (struct op){ .fn = page_end ? op_next_far : op_next_near, .imm = (int32_t)offset });
	decode_edges(d);
}

/* Back to the engine, which finds the next instruction at imm in this page. */
OP_RAW(leave)
{
	cpu->nip = cpu->page_ea + IMM;
	LEAVE;
}

OP_TRY(illegal)
{
	if (cpu->env->log)
		cpu->env->log(cpu->env->machine, LOG_UNIMP, "illegal or unimplemented instruction %08x at %016llx",
			      (unsigned)op->imm, (unsigned long long)op_nip(cpu, op));
	return raise_program(cpu, op, PROG_ILLEGAL);
}

OP_TRY(privileged) { return raise_program(cpu, op, PROG_PRIV); }
OP_TRY(unavailable) { return raise_interrupt(cpu, op, (enum vector)op->imm, 0); }

OP(truncate_d) { cpu->ea = (uint32_t)(RA + IMM); }
OP(truncate_x) { cpu->ea = (uint32_t)(RA + RB); }

/* ---- Condition register ---- */

static inline void set_cr_bit(struct cpu *cpu, unsigned bi, unsigned v)
{
	unsigned shift = 3 - (bi & 3);

	cpu->cr[bi >> 2] = (uint8_t)((cpu->cr[bi >> 2] & ~(1u << shift)) | (v & 1) << shift);
}

#define CR_OP(name, expr) \
	OP(name) \
	{ \
		unsigned a = cr_bit(cpu, op->b), b = cr_bit(cpu, op->c); \
		set_cr_bit(cpu, op->a, (expr)); \
	}
CR_OP(crand, a & b)
CR_OP(cror, a | b)
CR_OP(crxor, a ^ b)
CR_OP(crnand, !(a & b))
CR_OP(crnor, !(a | b))
CR_OP(creqv, !(a ^ b))
CR_OP(crandc, a & !b)
CR_OP(crorc, a | !b)

OP(mcrf) { CRF(op->a) = CRF(op->b); }
OP(mfcr) { RT = cpu_get_cr(cpu); }
OP(mcrxrx) { CRF(op->a) = (uint8_t)(cpu->ov << 3 | cpu->ov32 << 2 | cpu->ca << 1 | cpu->ca32); }

/* One field: the others read as zero (their value is undefined). */
OP(mfocrf)
{
	uint32_t cr = 0;

	for (unsigned i = 0; i < 8; i++)
		if (op->imm & 0x80 >> i)
			cr |= (uint32_t)CRF(i) << (28 - 4 * i);
	RT = cr;
}

OP(mtcrf)
{
	uint32_t cr = (uint32_t)RS;

	for (unsigned i = 0; i < 8; i++)
		if (op->imm & 0x80 >> i)
			CRF(i) = cr >> (28 - 4 * i) & 15;
}

OP(mtocrf) { body_mtcrf(cpu, op); }

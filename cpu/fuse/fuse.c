/* Fused ops: sequences of fuse.def whose bodies run in one handler.
 *
 * Fusing replaces the first op's handler and nothing else: the other ops stay where they are and
 * keep their operands, so faults, addresses and cycle counts are those of single ops. What is
 * saved is the way from one op to the next, and the way of a value from the op that makes it to
 * the one that takes it: inside a handler the registers of the sequence are variables of the
 * compiler's, read once and written back at its end. That is exact because a sequence matches
 * only where equal variables are equal slots and different ones different slots.
 *
 * An access that misses the TLB writes back what has been done and leaves the rest to the ops
 * themselves.
 */
#include "cpu/fuse/bodies.h"

#include "cpu/engine/follow.h"
#include "cpu/engine/fuse.h"

/* ---- What a step says of the operands ---- */

#define V(n)    (n)		/* a byte: variable n, 0..31, a slot */
#define W(n)    (0x20 | (n))	/* a byte: variable n, 0..31, the first of a vector's two slots */
#define ANY     0x40		/* a byte: not a slot, taken as it is */
#define IS(n)   (0x80 | (n))	/* a byte: not a slot, must be n */
#define ANY_IMM INT64_MIN	/* imm: taken as it is; else it must be this */

/* ---- What ops may be steps: fuse_ops.def ---- */

enum writes { NOTHING, TO_A = 1, TO_B = 2, TO_CA = 4, TO_CR = 8, TO_CR0 = 16, TO_CTR = 32 };

#define DECLARE_S(name) extern OP_RETURN OP_ABI op_##name(OP_PARAMS);
#define DECLARE_T(name) DECLARE_S(name)
#define DECLARE_R(name) DECLARE_S(name)
#define DECLARE_N(name) DECLARE_S(name##_near)
#define DECLARE_F(name) DECLARE_S(name##_far)
#define DECLARE_C(name) DECLARE_N(name) DECLARE_F(name) DECLARE_S(name##_exit_near) DECLARE_S(name##_exit_far)
#define FUSABLE(name, kind, slots, writes) \
	DECLARE_##kind(name) \
	enum { writes_##name = (writes) };
#include "cpu/table/fuse_ops.def"
#undef FUSABLE

/* ---- Handlers ---- */

#define BIND(pattern, field) \
	if ((pattern) < 32 && !(bound >> ((pattern) & 31) & 1)) { \
		slot[(pattern) & 31] = at->field; \
		local.r[(pattern) & 31] = SLOT(at->field); \
		bound |= UINT32_C(1) << ((pattern) & 31); \
	} else if ((pattern) >> 5 == 1 && !(bound_vsr >> ((pattern) & 31) & 1)) { \
		slot_vsr[(pattern) & 31] = at->field; \
		local.vsr[(pattern) & 31] = VSR(at->field); \
		bound_vsr |= UINT32_C(1) << ((pattern) & 31); \
	}
#define FIELD(pattern, field) \
	(uint8_t)((pattern) == ANY ? at->field : (pattern) >> 5 == 1 ? SLOT_VSR0 + 2 * ((pattern) & 31) : (pattern) & 0x7f)

#define BACK1(v) \
	if (wrote >> (v) & 1) \
		SLOT(slot[v]) = local.r[v]; \
	if (wrote_vsr >> (v) & 1) \
		VSR(slot_vsr[v]) = local.vsr[v];
#define BACK4(v) BACK1(v) BACK1((v) + 1) BACK1((v) + 2) BACK1((v) + 3)
#define BACK_CR1(n) \
	if (wrote_cr >> (n) & 1) \
		cpu->cr[n] = local.cr[n];
/* Every condition here is known to the compiler. */
#define WRITE_BACK \
	do { \
		BACK4(0) BACK4(4) BACK4(8) BACK4(12) BACK4(16) BACK4(20) BACK4(24) BACK4(28) \
		BACK_CR1(0) BACK_CR1(1) BACK_CR1(2) BACK_CR1(3) BACK_CR1(4) BACK_CR1(5) BACK_CR1(6) BACK_CR1(7) \
		if (wrote_ca) { \
			cpu->ca = local.ca; \
			cpu->ca32 = local.ca32; \
		} \
	} while (0)

#define RUN_S(name) body_##name(&local, &now);
#define RUN_T(name) \
	if (unlikely(body_##name(&local, &now, budget, tlb, false) != true)) { \
		WRITE_BACK; \
		op = at; \
		GOTO_SAME(op_##name); \
	}
#define RUN_R(name) \
	WRITE_BACK; \
	op = at; \
	GOTO_SAME(op_##name);
/* CTR is a slot like others and may be a variable of the sequence: it is counted down in its place. */
#define RUN_C(name, go) \
	{ \
		bool counts = writes_##name & TO_CTR, taken = !counts && taken_##name(&local, &now); \
		WRITE_BACK; \
		op = at; \
		if (counts) \
			taken = taken_##name(cpu, &now); \
		go(taken); \
	}
#define RUN_N(name) RUN_C(name, GO_NEAR)
#define RUN_F(name) RUN_C(name, GO_FAR)
/* The op after an exit is its edges. */
#define RUN_EXIT(name, leave) \
	if (taken_##name(&local, &now)) { \
		WRITE_BACK; \
		op = at; \
		leave(true); \
	} \
	at++;
#define RUN_X(name) RUN_EXIT(name, EXIT_NEAR)
#define RUN_Y(name) RUN_EXIT(name, EXIT_FAR)

#define STEP(kind, name, A, B, C, D, I) \
	{ \
		const struct op now = { .a = FIELD(A, a), .b = FIELD(B, b), .c = FIELD(C, c), .d = FIELD(D, d), \
					.imm = (I) == ANY_IMM ? at->imm : (int32_t)(I) }; \
		(void)now; \
		BIND(A, a) \
		BIND(B, b) \
		BIND(C, c) \
		BIND(D, d) \
		RUN_##kind(name) \
		if (writes_##name & TO_A && (A) < 32) \
			wrote |= UINT32_C(1) << ((A) & 31); \
		if (writes_##name & TO_A && (A) >> 5 == 1) \
			wrote_vsr |= UINT32_C(1) << ((A) & 31); \
		if (writes_##name & TO_B) \
			wrote |= UINT32_C(1) << ((B) & 31); \
		if (writes_##name & TO_CR) \
			wrote_cr |= 1u << ((A) & 7); \
		if (writes_##name & TO_CR0) \
			wrote_cr |= 1; \
		if (writes_##name & TO_CA) \
			wrote_ca = true; \
		at++; \
	}

#define SEQUENCE(name, ...) \
	static OP_RETURN OP_ABI fused_##name(struct cpu *cpu, const struct op *op, int64_t budget, \
					     struct tlb_entry *tlb __attribute__((unused))) \
	{ \
		struct cpu local; \
		uint8_t slot[32], slot_vsr[32]; \
		uint32_t bound = 0, wrote = 0, bound_vsr = 0, wrote_vsr = 0; \
		unsigned wrote_cr = 0; \
		bool wrote_ca = false; \
		const struct op *at = op; \
		local.ca = cpu->ca; \
		local.ca32 = cpu->ca32; \
		local.so = cpu->so; \
		memcpy(local.cr, cpu->cr, sizeof local.cr); \
		__VA_ARGS__ \
		WRITE_BACK; \
		GOTO_OP(at); \
	}
#include "cpu/table/fuse.def"
#undef SEQUENCE
#undef STEP

/* ---- Finding them ---- */

struct step {
	op_fn *fn;
	uint8_t field[4];
	int64_t imm;
};

#define EDGES_ALONE { op_edges, { ANY, ANY, ANY, ANY }, ANY_IMM },
#define AND_S
#define AND_T
#define AND_R
#define AND_N
#define AND_F
#define AND_X EDGES_ALONE
#define AND_Y EDGES_ALONE
#define STEP(kind, name, A, B, C, D, I) { NAME_##kind(name), { (A), (B), (C), (D) }, (I) }, AND_##kind
#define SEQUENCE(name, ...) static const struct step steps_##name[] = { __VA_ARGS__ };
#include "cpu/table/fuse.def"
#undef SEQUENCE

/* By hand, in op_store.c. */
OP_RETURN OP_ABI op_dcbz(OP_PARAMS);
OP_RETURN OP_ABI op_dcbz_8(OP_PARAMS);
#define ONE_DCBZ { op_dcbz, { ANY, ANY, ANY, ANY }, ANY_IMM }
static const struct step steps_dcbz_8[] = {
	ONE_DCBZ, ONE_DCBZ, ONE_DCBZ, ONE_DCBZ, ONE_DCBZ, ONE_DCBZ, ONE_DCBZ, ONE_DCBZ,
};

static const struct sequence {
	op_fn *handler;
	const struct step *steps;
	unsigned n;
} sequences[] = {
#define SEQUENCE(name, ...) { fused_##name, steps_##name, ARRAY_SIZE(steps_##name) },
#include "cpu/table/fuse.def"
#undef SEQUENCE
#undef STEP
	{ op_dcbz_8, steps_dcbz_8, ARRAY_SIZE(steps_dcbz_8) },
};

/* By the first two handlers of a sequence, and by its own handler; built once. */
#define HASH_SIZE 1024
_Static_assert(ARRAY_SIZE(sequences) < HASH_SIZE / 2, "the hash stays half empty");
struct index {
	const struct sequence *by_start[HASH_SIZE], *by_handler[HASH_SIZE];
};

static unsigned hash_handlers(op_fn *first, op_fn *second)
{
	uint64_t h = ((uint64_t)first * 31 + (uint64_t)second) * UINT64_C(0x9e3779b97f4a7c15);

	return (unsigned)(h >> 54);
}

static void enter_sequence(const struct sequence *table[], unsigned at, const struct sequence *s)
{
	while (table[at])
		at = (at + 1) % HASH_SIZE;
	table[at] = s;
}

static const struct index *sequence_index(void)
{
	static struct index index;
	static bool ready;

	if (!ready) {
		for (unsigned i = 0; i < ARRAY_SIZE(sequences); i++) {
			const struct sequence *s = &sequences[i];

			enter_sequence(index.by_start, hash_handlers(s->steps[0].fn, s->steps[1].fn), s);
			enter_sequence(index.by_handler, hash_handlers(s->handler, s->handler), s);
		}
		ready = true;
	}
	return &index;
}

struct binding {
	uint8_t slot[64];
	uint64_t bound;
};

/* Variables are as good as slots: one slot each, and no two the same. */
static bool bind_variable(struct binding *b, unsigned variable, uint8_t slot)
{
	if (b->bound >> variable & 1)
		return b->slot[variable] == slot;
	for (uint64_t rest = b->bound; rest; rest &= rest - 1)
		if (b->slot[__builtin_ctzll(rest)] == slot)
			return false;
	b->slot[variable] = slot;
	b->bound |= UINT64_C(1) << variable;
	return true;
}

static bool matches(const struct sequence *s, const struct op *ops, op_fn *const fns[])
{
	struct binding binding = { .bound = 0 };

	for (unsigned i = 2; i < s->n; i++)
		if (fns[i] != s->steps[i].fn)
			return false;
	for (unsigned i = 0; i < s->n; i++) {
		const struct step *step = &s->steps[i];
		const uint8_t field[4] = { ops[i].a, ops[i].b, ops[i].c, ops[i].d };

		if (step->imm != ANY_IMM && step->imm != ops[i].imm)
			return false;
		for (unsigned k = 0; k < 4; k++)
			if (step->field[k] < 64 ? !bind_variable(&binding, step->field[k], field[k]) :
			    step->field[k] != ANY && (step->field[k] & 0x7f) != field[k])
				return false;
	}
	return true;
}

static void list_handlers(const struct block *block, op_fn *fns[])
{
	for (unsigned i = 0; i < block->nops; i++)
		fns[i] = block->ops[i].fn;
	for (unsigned i = 0; i < block->nedges; i++)
		fns[block->edge_at[i]] = op_edges;
}

/* Chooses sequences so that the fewest handlers run, from the block's end to its start: the number
 * from each op on, and the sequence to begin there if any. */
void fuse_block(struct block *block)
{
	const struct index *index = sequence_index();
	const struct sequence *chosen[BLOCK_MAX_OPS];
	op_fn *fns[BLOCK_MAX_OPS];
	uint16_t fewest[BLOCK_MAX_OPS + 1];
	unsigned nops = block->end;

	list_handlers(block, fns);
	fewest[nops] = 0;
	for (unsigned i = nops - 1; i > 0; i--) {
		fewest[i] = (uint16_t)(fewest[i + 1] + 1);
		chosen[i] = NULL;
		if (i + 1 == nops)
			continue;
		for (unsigned at = hash_handlers(fns[i], fns[i + 1]); index->by_start[at]; at = (at + 1) % HASH_SIZE) {
			const struct sequence *s = index->by_start[at];

			if (i + s->n <= nops && s->steps[0].fn == fns[i] && s->steps[1].fn == fns[i + 1] &&
			    fewest[i + s->n] + 1 < fewest[i] && matches(s, &block->ops[i], &fns[i])) {
				fewest[i] = (uint16_t)(fewest[i + s->n] + 1);
				chosen[i] = s;
			}
		}
	}
	for (unsigned i = 1; i < nops; i += chosen[i] ? chosen[i]->n : 1)
		if (chosen[i])
			block->ops[i].fn = chosen[i]->handler;
}

op_fn *fuse_first(op_fn *fn, unsigned *n)
{
	const struct index *index = sequence_index();

	*n = 1;
	for (unsigned at = hash_handlers(fn, fn); index->by_handler[at]; at = (at + 1) % HASH_SIZE) {
		const struct sequence *s = index->by_handler[at];

		if (s->handler == fn) {
			*n = s->n;
			return s->steps[0].fn;
		}
	}
	return fn;
}

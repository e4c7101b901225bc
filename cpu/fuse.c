/* Fused ops: pairs of fuse.def whose bodies run in one handler.
 *
 * Fusing replaces the first op's handler and nothing else: the second op stays where it is
 * and keeps its operands, so faults, addresses and cycle counts are those of two ops. What
 * is saved is the way from one to the other.
 */
#define OP_BODIES_ONLY
#include "op_fixed.c"
#include "op_load.c"
#undef D_EA
#undef X_EA
#undef NO_LITTLE_ENDIAN
#include "op_store.c"

#include "fuse.h"

#define DECLARE(name) extern OP_RETURN OP_ABI op_##name(OP_PARAMS);
#define BECOME(name, at) \
	do { \
		op = (at); \
		GOTO_SAME(op_##name); \
	} while (0)

#define STEP_S(name, at) body_##name(cpu, (at));
/* A miss starts the op over by itself; its slow path then goes on with the op after it. */
#define STEP_T(name, at) \
	{ \
		int outcome = body_##name(cpu, (at), budget, tlb, false); \
		if (unlikely(outcome != true)) { \
			if (outcome == TRY_SLOWLY) \
				BECOME(name, at); \
			LEAVE; \
		} \
	}
#define STEP_R(name, at) BECOME(name, at);
#define END_S GOTO_OP(op + 2);
#define END_T GOTO_OP(op + 2);
#define END_R

#define FUSE(ka, a, kb, b) \
	DECLARE(a) \
	DECLARE(b) \
	static OP_RETURN OP_ABI fused_##a##_##b(struct cpu *cpu, const struct op *op, int64_t budget, \
						struct tlb_entry *tlb __attribute__((unused))) \
	{ \
		STEP_##ka(a, op) \
		STEP_##kb(b, op + 1) \
		END_##kb \
	}
#include "fuse.def"
#undef FUSE

static const struct fused { op_fn *first, *second, *both; } fused[] = {
#define FUSE(ka, a, kb, b) { op_##a, op_##b, fused_##a##_##b },
#include "fuse.def"
#undef FUSE
};

/* ---- Finding them: a hash over the two handlers, built once ---- */

#define HASH_SIZE 512
_Static_assert(ARRAY_SIZE(fused) < HASH_SIZE / 2, "the hash stays half empty");

static unsigned hash(op_fn *first, op_fn *second)
{
	uint64_t h = ((uint64_t)first * 31 + (uint64_t)second) * UINT64_C(0x9e3779b97f4a7c15);

	return (unsigned)(h >> 55);
}

static const struct fused *find_pair(op_fn *first, op_fn *second)
{
	static uint16_t table[HASH_SIZE];	/* index + 1 */
	static bool ready;
	unsigned at;

	if (!ready) {
		for (unsigned i = 0; i < ARRAY_SIZE(fused); i++) {
			for (at = hash(fused[i].first, fused[i].second); table[at]; at = (at + 1) % HASH_SIZE)
				;
			table[at] = (uint16_t)(i + 1);
		}
		ready = true;
	}
	for (at = hash(first, second); table[at]; at = (at + 1) % HASH_SIZE) {
		const struct fused *pair = &fused[table[at] - 1];

		if (pair->first == first && pair->second == second)
			return pair;
	}
	return NULL;
}

void fuse_block(struct block *block)
{
	for (unsigned i = 1; i + 1 < block->nops; i++) {
		const struct fused *pair = find_pair(block->ops[i].fn, block->ops[i + 1].fn);

		if (pair)
			block->ops[i++].fn = pair->both;
	}
}

op_fn *fuse_first(op_fn *fn)
{
	for (unsigned i = 0; i < ARRAY_SIZE(fused); i++)
		if (fused[i].both == fn)
			return fused[i].first;
	return fn;
}

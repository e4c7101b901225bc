/* Branch prediction. Sources of the sizes: memory_models.c. */
#include "cpu/timing/branch.h"

/* What the counters become, for all that they can be: index bit 0 taken, 1..2 global, 3..4 chooser, 5..6 local. Bits 0..1
 * of the value local, 2..5 global and chooser as stored, 6 the guess. A table, since the host cannot guess branches that
 * depend on the guest's. */
#define UP(counter, up, most)	((up) ? (counter) + ((counter) < (most)) : (counter) - ((counter) > 0))
#define CHOOSER(c, l, g, taken)	(((l) >= 2) == ((g) >= 2) ? (c) : UP(c, ((g) >= 2) == (taken), 3))
#define STEP(l, c, g, taken) \
	(UP(l, taken, 3) | UP(g, taken, 3) << 2 | CHOOSER(c, l, g, taken) << 4 | (((c) >= 2 ? (g) : (l)) >= 2) << 6)
#define STEP_G(l, c, g)	STEP(l, c, g, 0), STEP(l, c, g, 1)
#define STEP_C(l, c)	STEP_G(l, c, 0), STEP_G(l, c, 1), STEP_G(l, c, 2), STEP_G(l, c, 3)
#define STEP_L(l)	STEP_C(l, 0), STEP_C(l, 1), STEP_C(l, 2), STEP_C(l, 3)
static const uint8_t steps[128] = { STEP_L(0), STEP_L(1), STEP_L(2), STEP_L(3) };

/* The same of an entry with long history: index bit 0 taken, 1 the counters' guess, 2..4 its own counter, 5..6 its use,
 * which grows when it knows better than the counters and shrinks when they do. The value is 0..2 counter, 3..4 use. */
#define USE(u, c, base, taken)	(((c) >= 4) == (base) ? (u) : UP(u, (base) != (taken), 3))
#define KNOWN(u, c, base, taken) (UP(c, taken, 7) | USE(u, c, base, taken) << 3)
#define KNOWN_C(u, c)	KNOWN(u, c, 0, 0), KNOWN(u, c, 0, 1), KNOWN(u, c, 1, 0), KNOWN(u, c, 1, 1)
#define KNOWN_U(u)	KNOWN_C(u, 0), KNOWN_C(u, 1), KNOWN_C(u, 2), KNOWN_C(u, 3), KNOWN_C(u, 4), KNOWN_C(u, 5), KNOWN_C(u, 6), KNOWN_C(u, 7)
static const uint8_t known[128] = { KNOWN_U(0), KNOWN_U(1), KNOWN_U(2), KNOWN_U(3) };

#define TAGGED_VALID	0x20
#define TAGGED_USE	0x18
#define TAGGED_USE_ONE	0x08
#define TAGGED_STATE	0x1f
#define TAGGED_TAKEN	0x04

/* Multiplying lets each branch of a history longer than the index have a say: in the upper bits of the product. */
#define SPREAD		UINT64_C(0x9e3779b97f4a7c15)

/* `base` is what the counters guess. Returns the guess in its place. */
static bool by_long_history(const struct branch_params *p, struct branch_unit *u, uint64_t history, uint64_t ea, bool base, bool taken)
{
	uint64_t old = history & p->long_history, h = (old ^ old >> 31 ^ ea << 17) * SPREAD;
	uint16_t *entry = &u->tagged[h >> 52 & p->tagged];
	uint16_t tag = (uint16_t)(h >> 42 << 6 | TAGGED_VALID), e = *entry;

	if ((e & ~TAGGED_STATE) == tag) {
		*entry = tag | known[(e & TAGGED_STATE) << 2 | base << 1 | taken];
		return e & TAGGED_TAKEN;
	}
	/* A place that has been of use to another is left to it a few times. */
	if (base != taken)
		*entry = e & TAGGED_USE ? (uint16_t)(e - TAGGED_USE_ONE) : (uint16_t)(tag | (taken ? 4 : 3));
	return base;
}

bool branch_conditional(const struct branch_params *p, struct branch_unit *u, struct branch_thread *t, uint64_t ea, bool taken)
{
	uint64_t history = t->history;
	uint8_t *local = &u->local[ea >> 2 & p->local];
	uint8_t *global = &u->global[((history & p->history) * SPREAD >> 50 ^ ea >> 2) & p->global];
	unsigned next = steps[(*local & 3) << 5 | (*global & 15) << 1 | taken];
	bool guess = next >> 6;

	*local = next & 3;
	*global = next >> 2 & 15;
	t->history = history << 1 | taken;
	if (p->tagged)
		guess = by_long_history(p, u, history, ea, guess, taken);
	return guess != taken;
}

static unsigned link_mask(const struct branch_params *p, const struct branch_thread *t)
{
	return p->links[t->threads_log2 & 3];
}

void branch_call(const struct branch_params *p, struct branch_thread *t, uint64_t return_address)
{
	t->top = (t->top + 1) & link_mask(p, t);
	t->link[t->top] = return_address;
}

/* The stack goes round: what has been overwritten is guessed wrongly, unless a recursion returns to the same place. */
bool branch_return(const struct branch_params *p, struct branch_thread *t, uint64_t target)
{
	unsigned mask = link_mask(p, t);
	uint64_t guess = t->link[t->top & mask];

	t->top = (t->top - 1) & mask;
	return guess != target;
}

bool branch_indirect(const struct branch_params *p, struct branch_unit *u, uint64_t ea, uint64_t target)
{
	uint64_t *last = &u->target[ea >> p->target_shift & p->targets];
	bool wrong = *last != target;

	*last = target;
	return wrong;
}

void branch_set_threads(struct branch_thread *t, unsigned threads)
{
	t->threads_log2 = threads > 4 ? 3 : threads > 2 ? 2 : threads > 1;
}

bool branch_thread_ok(const struct branch_thread *t)
{
	return t->top < BRANCH_LINKS && t->threads_log2 < 4;
}

/* Who called whom: shadow stacks, and the tree of calls that they walk.
 *
 * A thread is known by the region of memory in which its kernel stack lies: a process's code runs on top of the kernel
 * stack's empty end, so one shadow stack holds both. A call pushes where it returns to and the stack pointer; a return
 * pops what fits both. What does not fit heals by itself: frames below the stack pointer are dead (longjmp, an exit
 * from deep inside), a stack pointer in another region is another thread's (a context switch, an interrupt stack), and
 * a return to where nobody called from begins anew. All of it is bounded, and no cycle is lost by a wrong guess: it
 * is counted with another caller.
 */
#include "cpu/spent/spent.h"

#include <stdlib.h>
#include <string.h>

#define MAX_NODES    (1u << 20)
#define HASH_BITS    20
#define MAX_DEPTH    200
#define REGION_SHIFT 14			/* Linux's kernel stacks are of 16 KiB, and aligned to that */
#define MOST_REFUSED 65536
#define MOST_STEP    4096		/* bytes: a frame on the same stack is not larger */
#define STACK_FACTOR UINT64_C(0x9e3779b97f4a7c15)	/* the same in each run: which stack gives way is seen in the calls */

/* ---- The tree ---- */

static uint32_t node_bucket(const struct spent *s, uint32_t parent, uint64_t ea, uint64_t space, uint64_t site)
{
	uint64_t h = (ea ^ (uint64_t)parent << 32) * s->factor;

	h = ((h ^ h >> 29) + site) * s->factor;
	h = ((h ^ h >> 29) + space) * s->factor;
	return (uint32_t)(h >> (64 - HASH_BITS));
}

/* The parent itself if there is no room. */
static uint32_t child(struct spent *s, uint32_t parent, uint64_t ea, uint64_t space, uint64_t site, enum spent_how how)
{
	uint32_t bucket = node_bucket(s, parent, ea, space, site);

	for (uint32_t i = s->node_hash[bucket]; i; i = s->nodes[i].next) {
		const struct spent_node *n = &s->nodes[i];

		if (n->parent == parent && n->ea == ea && n->space == space && n->site == site && n->how == (uint8_t)how)
			return i;
	}
	if (s->nnodes == MAX_NODES || s->nodes[parent].depth >= MAX_DEPTH) {
		s->lost_calls++;
		return parent;
	}
	s->nodes[s->nnodes] = (struct spent_node){
		.ea = ea, .space = space, .site = site, .parent = parent, .how = (uint8_t)how,
		.depth = (uint16_t)(s->nodes[parent].depth + 1), .next = s->node_hash[bucket],
	};
	s->node_hash[bucket] = s->nnodes;
	return s->nnodes++;
}

static uint32_t unknown(struct spent *s, uint64_t ea, uint64_t space)
{
	return child(s, 0, ea, space, 0, SPENT_UNKNOWN);
}

/* ---- Stacks ---- */

static uint64_t region_of(uint64_t sp)
{
	return (sp & UINT64_C(0x0fffffffffffffff)) >> REGION_SHIFT | UINT64_C(1) << 63;
}

/* The thread's stack, else one that was not used for long. NULL: out of memory. */
static struct spent_stack *find_stack(struct spent *s, uint64_t region)
{
	struct spent_stack **set = &s->stacks[(region * STACK_FACTOR >> 40) % (SPENT_STACKS / SPENT_WAYS) * SPENT_WAYS];
	unsigned oldest = 0;

	for (unsigned i = 0; i < SPENT_WAYS; i++)
		if (set[i] && set[i]->region == region)
			return set[i];
	for (unsigned i = 0; i < SPENT_WAYS; i++)
		if (!set[i] || (set[oldest] && set[i]->used < set[oldest]->used))
			oldest = i;
	if (!set[oldest])
		set[oldest] = malloc(sizeof *set[oldest]);
	if (set[oldest]) {
		set[oldest]->region = region;
		set[oldest]->n = set[oldest]->refused = 0;
		set[oldest]->node = 0;
	}
	return set[oldest];
}

static struct spent_frame *top_of(struct spent_stack *k) { return k->n ? &k->frame[k->n - 1] : NULL; }

/* Privileged code stands on that stack now. What its thread does before it first calls is in `own`. */
static void choose_stack(struct spent *s, struct spent_cpu *c, uint64_t sp, bool returns)
{
	const struct spent_frame *top = top_of(c->stack);
	uint64_t region = region_of(sp);
	struct spent_stack *k;

	c->stack->used = ++s->turn;
	if (c->stack->region == region || (top && !top->interrupt && sp <= top->sp && top->sp - sp < MOST_STEP))
		return;
	k = find_stack(s, region);
	if (!k)
		return;
	if (!c->stack->region) {
		memcpy(k->frame, c->stack->frame, c->stack->n * sizeof k->frame[0]);
		k->n = c->stack->n;
		c->stack->n = 0;
	} else {
		c->stack->node = c->node;
		if (returns)
			c->node = k->node;
	}
	k->used = s->turn;
	c->stack = k;
}

static void push(struct spent_cpu *c, struct spent_frame frame)
{
	struct spent_stack *k = c->stack;

	if (k->n == SPENT_DEPTH) {
		/* Nobody will return to what never goes. */
		if (++k->refused < MOST_REFUSED)
			return;
		k->n = 0;
	}
	k->refused = 0;
	k->frame[k->n++] = frame;
}

/* Frames that the stack pointer has left behind. */
static void drop_dead(struct spent_cpu *c, uint64_t sp)
{
	const struct spent_frame *top;

	while ((top = top_of(c->stack)) != NULL && !top->interrupt && sp > top->sp) {
		c->node = top->node;
		c->stack->n--;
	}
}

/* ---- Ways from one visit to the next ---- */

struct way {
	uint64_t site, next;		/* the branch, and what follows it */
	uint64_t dest, space, sp;
};

static void take_call(struct spent *s, struct spent_cpu *c, const struct way *w, bool counts)
{
	if (w->dest == w->next)		/* it only asks where it is */
		return;
	if (!(w->space & SPENT_USER))
		choose_stack(s, c, w->sp, false);
	drop_dead(c, w->sp);
	push(c, (struct spent_frame){ .ret = w->next, .sp = w->sp, .space = w->space, .node = c->node });
	c->node = child(s, c->node, w->dest, w->space, w->site, SPENT_BY_CALL);
	s->nodes[c->node].count += counts;
}

static void take_return(struct spent *s, struct spent_cpu *c, const struct way *w)
{
	struct spent_stack *k;
	unsigned i;

	if (w->dest == w->next)
		return;
	if (!(w->space & SPENT_USER))
		choose_stack(s, c, w->sp, true);
	drop_dead(c, w->sp);
	k = c->stack;
	for (i = k->n; i && !k->frame[i - 1].interrupt; i--) {
		if (k->frame[i - 1].ret != w->dest || k->frame[i - 1].sp != w->sp)
			continue;
		c->node = k->frame[i - 1].node;
		k->n = i - 1;
		return;
	}
	/* There is no caller that it could be. */
	if (!k->n || k->frame[k->n - 1].interrupt)
		c->node = unknown(s, w->dest, w->space);
}

static void take_rfi(struct spent *s, struct spent_cpu *c, const struct way *w)
{
	struct spent_stack *k = c->stack;

	for (unsigned i = k->n; i; i--) {
		const struct spent_frame *f = &k->frame[i - 1];

		if (!f->interrupt || f->ret != w->dest || f->space != w->space)
			continue;
		c->node = f->node;
		k->n = i - 1;
		return;
	}
	/* Privileged code goes on elsewhere by itself, or a process begins, or gets a signal. */
	if (!(w->space & SPENT_USER))
		return;
	for (unsigned i = 0; i < k->n; i++) {
		if (!k->frame[i].interrupt || !(k->frame[i].space & SPENT_USER))
			continue;
		k->n = i;
		break;
	}
	c->node = unknown(s, w->dest, w->space);
}

/* A jump to where calls lead is a call whose caller has nothing more to do. */
static void take_jump(struct spent *s, struct spent_cpu *c, const struct spent_place *to, bool counts)
{
	const struct spent_node *n = &s->nodes[c->node];

	if (!to->called || n->ea == to->ea)
		return;
	c->node = child(s, n->parent, to->ea, to->space, n->site, c->node ? (enum spent_how)n->how : SPENT_UNKNOWN);
	s->nodes[c->node].count += counts;
}

/* ---- Interrupts. Power ISA 3.0B, Book III, 6.5 ---- */

static bool is_scv(uint64_t ea) { return ea >> 12 == UINT64_C(0xc000000000003) || ea >> 12 == 0x17; }

/* The interrupted code has not asked for it. */
static bool is_asynchronous(uint64_t ea)
{
	switch (ea & 0xfff) {
	case VEC_SYSTEM_RESET: case VEC_MACHINE_CHECK: case VEC_EXTERNAL: case VEC_DECREMENTER: case VEC_DOORBELL: case VEC_PERFMON:
		return !is_scv(ea);
	default:
		return false;
	}
}

static void take_interrupt(struct spent *s, struct spent_cpu *c, const struct way *w, const struct spent_place *to, bool counts)
{
	uint32_t parent = is_asynchronous(to->ea) ? 0 : c->node;

	push(c, (struct spent_frame){ .ret = w->dest, .sp = w->sp, .space = w->space, .node = c->node, .interrupt = true });
	c->node = child(s, parent, to->ea, to->space, parent ? w->dest : 0, SPENT_BY_INTERRUPT);
	s->nodes[c->node].count += counts;
}

/* ---- */

void spent_forget(struct spent *s, struct spent_cpu *c)
{
	(void)s;
	c->own.region = 0;
	c->own.n = 0;
	c->stack = &c->own;
	c->fresh = true;
}

/* So many words has the last visit completed. */
static unsigned last_of(const struct spent_cpu *c)
{
	return c->ran <= c->ninsns ? spent_words(c, c->ran) : c->ran % c->nwords ? (unsigned)(c->ran % c->nwords) : c->nwords;
}

void spent_follow(struct spent *s, struct spent_cpu *c, const struct cpu *cpu, uint32_t number, bool interrupted, bool counts)
{
	struct spent_place *to = &s->places[number];
	unsigned last = last_of(c);
	enum spent_kind kind = last ? spent_kind_of(c->words[last - 1]) : SPENT_PLAIN;
	struct way w = { .dest = to->ea, .space = to->space, .sp = cpu->r[1] };

	if (unlikely(!number || !c->place))
		c->fresh = true;
	if (unlikely(c->fresh)) {
		spent_forget(s, c);
		c->node = number ? unknown(s, to->ea, to->space) : 0;
		c->fresh = !number;
		return;
	}
	if (likely(!interrupted && kind == SPENT_PLAIN))
		return;
	if (interrupted) {
		w.dest = is_scv(to->ea) ? cpu->lr : cpu->srr0;
		w.space = spent_space(is_scv(to->ea) ? cpu->ctr : cpu->srr1, cpu->pidr);
	}
	w.next = s->places[c->place].ea + 4u * last;
	w.site = w.next - 4;
	switch (kind) {
	case SPENT_CALL:
		take_call(s, c, &w, counts);
		to->called |= !interrupted && w.dest != w.next;
		break;
	case SPENT_RETURN:
		take_return(s, c, &w);
		break;
	case SPENT_RFI:
		take_rfi(s, c, &w);
		break;
	case SPENT_JUMP:
		if (!interrupted)
			take_jump(s, c, to, counts);
		break;
	case SPENT_PLAIN:
		break;
	}
	if (interrupted)
		take_interrupt(s, c, &w, to, counts);
}

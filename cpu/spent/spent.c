/* Whose the time is that passes. See spent.h. */
#include "cpu/spent/spent.h"

#include <string.h>

static bool counts(const struct spent *s, const struct spent_cpu *c)
{
	return c->cycle >= s->from && c->cycle < s->to;
}

static bool wanted(const struct spent *s, const struct cpu *cpu)
{
	return s->only < 0 || (unsigned)s->only == cpu->index;
}

/* A spinning loop has been charged for many rounds at once. */
static void add_visit(struct spent_entry *e, uint64_t ran)
{
	if (likely(ran <= e->ninsns)) {
		e->ends[ran]++;
		return;
	}
	if (!e->ninsns) {
		e->ends[0]++;
		return;
	}
	e->ends[e->ninsns] += ran / e->ninsns;
	if (ran % e->ninsns)
		e->ends[ran % e->ninsns]++;
}

/* The visit ends at that cycle, with so many instructions completed. */
static inline __attribute__((always_inline)) void end_visit(struct spent *s, struct spent_cpu *c, const struct cpu *cpu, uint64_t cycle, uint64_t insns)
{
	struct spent_entry *e = &s->entries[c->entry];
	uint64_t cycles = cycle - c->cycle;

	c->ran = insns - c->insns;
	if (counts(s, c)) {
		struct spent_node *node = &s->nodes[c->node];

		e->cycles += cycles;
		e->insns += c->ran;
		add_visit(e, c->ran);
		node->cycles += cycles;
		node->insns += c->ran;
		for (unsigned i = 0; e->stall && i < NSTALLS; i++)
			e->stall[i] += cpu->stall[i] - c->stall[i];
		s->lost_blocks += !c->entry;
		c->counted += c->ran;
		c->cycles += cycles;
	}
	if (s->stalls)
		memcpy(c->stall, cpu->stall, sizeof c->stall);
	c->cycle = cycle;
	c->insns = insns;
	c->open = false;
}

/* Cut to the interval: it may be long. */
static void end_absence(struct spent *s, struct spent_cpu *c, uint64_t cycle)
{
	uint64_t from = c->cycle > s->from ? c->cycle : s->from, to = cycle < s->to ? cycle : s->to;

	if (from < to)
		c->away[c->idle] += to - from;
	c->cycle = cycle;
}

uint32_t spent_block(struct spent *s, struct cpu *cpu, const struct spent_visit *v)
{
	struct spent_cpu *c = &s->cpu[cpu->index];
	const struct spent_entry *e = &s->entries[v->hint];
	uint64_t space = spent_space(cpu->msr, cpu->pidr);
	uint32_t found = v->hint;

	if (!c->inside)
		return v->hint;
	if (c->open)
		end_visit(s, c, cpu, v->cycle, v->insns);
	/* A hint of 0 has no instructions, and so is no block's. */
	if (e->ea != v->ea || e->space != space || e->ninsns != v->ninsns)
		found = spent_find(s, space, v);
	spent_follow(s, c, cpu, found, counts(s, c));
	c->entry = found;
	c->open = true;
	return found;
}

static enum spent_idle idle_of(const struct cpu *cpu)
{
	return cpu->run_state == CPU_RUNNING ? SPENT_READY : cpu->run_state == CPU_STOPPED ? SPENT_STOPPED : SPENT_IDLE;
}

void spent_enter(struct spent *s, struct cpu *cpu)
{
	struct spent_cpu *c = &s->cpu[cpu->index];

	if (!wanted(s, cpu))
		return;
	/* A machine that comes from a snapshot may be at an earlier cycle. */
	if (cpu->cycles > c->cycle)
		end_absence(s, c, cpu->cycles);
	if (c->idle == SPENT_STOPPED)
		c->fresh = true;
	c->cycle = cpu->cycles;
	c->insns = cpu->insns;
	memcpy(c->stall, cpu->stall, sizeof c->stall);
	c->inside = true;
}

/* Cycles that pass before the first block, for a fetch that faults, are the last block's, which is where the processor
 * came from. */
void spent_leave(struct spent *s, struct cpu *cpu)
{
	struct spent_cpu *c = &s->cpu[cpu->index];

	if (!c->inside)
		return;
	if (c->open || cpu->cycles != c->cycle)
		end_visit(s, c, cpu, cpu->cycles, cpu->insns);
	c->inside = false;
	c->idle = idle_of(cpu);
}

void spent_begin(struct spent *s, struct cpu *const *cpus, uint64_t cycle)
{
	for (unsigned i = 0; i < s->ncpus; i++) {
		struct spent_cpu *c = &s->cpu[i];

		c->inside = c->open = false;
		c->cycle = cycle;
		c->idle = idle_of(cpus[i]);
		spent_forget(s, c);
	}
}

void spent_settle(struct spent *s, struct cpu *const *cpus, uint64_t cycle)
{
	for (unsigned i = 0; i < s->ncpus; i++)
		if (wanted(s, cpus[i]) && cycle > s->cpu[i].cycle)
			end_absence(s, &s->cpu[i], cycle);
}

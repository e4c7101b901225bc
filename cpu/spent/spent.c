/* Whose the time is that passes. See spent.h. */
#include "cpu/spent/spent.h"

#include <string.h>

static bool counts(const struct spent *s, const struct spent_cpu *c)
{
	return c->time >= s->from && c->time < s->to;
}

static uint64_t time_of(const struct cpu *cpu) { return cpu->cycles * cpu->per_cycle + cpu->phase; }

/* Events are added up from where the interval begins to where it ends, at the begin of a visit each. */
static inline __attribute__((always_inline)) void count_events(const struct spent *s, struct spent_cpu *c, const struct cpu *cpu, bool counted)
{
	if (!s->stalls || likely(c->counting == counted))
		return;
	for (unsigned i = 0; i < NEVENTS; i++)
		c->events[i] += counted ? -cpu->event[i] : cpu->event[i];
	c->counting = counted;
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

/* The visit ends at that time, with so many instructions completed. */
static inline __attribute__((always_inline)) void end_visit(struct spent *s, struct spent_cpu *c, const struct cpu *cpu, uint64_t time, uint64_t insns)
{
	struct spent_entry *e = &s->entries[c->entry];
	uint64_t units = time - c->time;

	c->ran = insns - c->insns;
	if (counts(s, c)) {
		struct spent_node *node = &s->nodes[c->node];

		e->units += units;
		e->insns += c->ran;
		add_visit(e, c->ran);
		node->units += units;
		node->insns += c->ran;
		for (unsigned i = 0; e->stall && i < NSTALLS; i++)
			e->stall[i] += cpu->stall[i] - c->stall[i];
		s->lost_blocks += !c->entry;
		c->counted += c->ran;
		c->units += units;
	}
	if (s->stalls)
		memcpy(c->stall, cpu->stall, sizeof c->stall);
	c->time = time;
	c->insns = insns;
	c->open = false;
}

/* Cut to the interval: it may be long. */
static void end_absence(struct spent *s, struct spent_cpu *c, uint64_t time)
{
	uint64_t from = c->time > s->from ? c->time : s->from, to = time < s->to ? time : s->to;

	if (from < to)
		c->away[c->idle] += to - from;
	c->time = time;
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
		end_visit(s, c, cpu, v->time, v->insns);
	count_events(s, c, cpu, counts(s, c));
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
	uint64_t time = time_of(cpu);

	if (!wanted(s, cpu))
		return;
	/* A machine that comes from a snapshot may be at an earlier time. */
	if (time > c->time)
		end_absence(s, c, time);
	if (c->idle == SPENT_STOPPED)
		c->fresh = true;
	c->time = time;
	count_events(s, c, cpu, counts(s, c));
	c->insns = cpu->insns;
	memcpy(c->stall, cpu->stall, sizeof c->stall);
	c->inside = true;
}

/* Time that passes before the first block, for a fetch that faults, are the last block's, which is where the processor
 * came from. */
void spent_leave(struct spent *s, struct cpu *cpu)
{
	struct spent_cpu *c = &s->cpu[cpu->index];

	if (!c->inside)
		return;
	if (c->open || time_of(cpu) != c->time)
		end_visit(s, c, cpu, time_of(cpu), cpu->insns);
	c->inside = false;
	c->idle = idle_of(cpu);
}

/* One that is ahead of its cycle has spent that time before. */
static uint64_t time_at(const struct cpu *cpu, uint64_t cycle)
{
	uint64_t time = cycle * cpu->per_cycle;

	return cpu->cycles <= cycle && time_of(cpu) > time ? time_of(cpu) : time;
}

void spent_begin(struct spent *s, struct cpu *const *cpus, uint64_t cycle)
{
	for (unsigned i = 0; i < s->ncpus; i++) {
		struct spent_cpu *c = &s->cpu[i];

		c->inside = c->open = false;
		c->time = time_at(cpus[i], cycle);
		c->idle = idle_of(cpus[i]);
		spent_forget(s, c);
	}
}

void spent_settle(struct spent *s, struct cpu *const *cpus, uint64_t cycle)
{
	for (unsigned i = 0; i < s->ncpus; i++) {
		struct spent_cpu *c = &s->cpu[i];
		uint64_t time = cycle * cpus[i]->per_cycle;

		count_events(s, c, cpus[i], false);
		if (wanted(s, cpus[i]) && time > c->time)
			end_absence(s, c, time);
		c->ahead = c->time > time ? c->time - time : 0;
	}
}

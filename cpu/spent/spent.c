/* Whose the time is that passes. See spent.h. */
#include "cpu/spent/spent.h"

#include <assert.h>
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

/* `n` words are what has run. A spinning loop has been charged for many rounds at once, each of them `n` instructions, which
 * have no prefixes. */
static void add_visits(struct spent_entry *e, uint64_t ran, unsigned n)
{
	if (!e->nwords) {
		e->ends[0]++;
	} else if (likely(ran <= n)) {
		e->ends[ran ? n : 0]++;
	} else {
		e->ends[n] += ran / n;
		if (ran % n)
			e->ends[ran % n]++;
	}
}

static void count_stalls(const struct spent *s, const struct spent_cpu *c, const struct cpu *cpu, uint64_t units, uint64_t *stall)
{
	unsigned threads = 1u << cpu->pace_empty;
	uint64_t known = 0;

	for (unsigned i = 0; i < NSTALLS; i++) {
		stall[i] += cpu->stall[i] - c->stall[i];
		known += cpu->stall[i] - c->stall[i];
	}
	stall[STALL_THREADS] += stall_threads(c->ran, s->width, threads);
	stall[STALL_UNITS] += stall_units(units, c->ran, s->width, threads, known);
}

static void count_visit(struct spent *s, struct spent_cpu *c, const struct cpu *cpu, uint64_t units)
{
	unsigned n = spent_words(c, c->ran ? c->ran : 1);
	struct spent_entry *e = spent_find(s, c->place, c->words, n);
	struct spent_node *node = &s->nodes[c->node];

	e->units += units;
	e->insns += c->ran;
	add_visits(e, c->ran, n);
	node->units += units;
	node->insns += c->ran;
	if (e->stall)
		count_stalls(s, c, cpu, units, e->stall);
	s->lost_blocks += !e->nwords;
	c->counted += c->ran;
	c->units += units;
}

/* The visit ends at that time, with so many instructions completed. */
static inline __attribute__((always_inline)) void end_visit(struct spent *s, struct spent_cpu *c, const struct cpu *cpu, uint64_t time, uint64_t insns)
{
	c->ran = insns - c->insns;
	if (counts(s, c))
		count_visit(s, c, cpu, time - c->time - c->gone);
	if (s->stalls)
		memcpy(c->stall, cpu->stall, sizeof c->stall);
	c->time = time;
	c->gone = 0;
	c->insns = insns;
	c->open = false;
}

/* Cut to the interval: it may be long. */
static void end_absence(struct spent *s, struct spent_cpu *c, uint64_t time)
{
	uint64_t from = c->left > s->from ? c->left : s->from, to = time < s->to ? time : s->to;

	if (from < to)
		c->away[c->idle] += to - from;
	c->gone += time - c->left;
	c->left = time;
}

/* Nothing but a conditional branch forward leads on to what is behind it: that one does not end the engine's blocks either.
 * Power ISA 3.0B, Book I, 2.4. */
static bool ends_run(uint32_t word)
{
	return word >> 26 >= 16 && word >> 26 <= 19 && word >> 26 != 17 &&
	       ((word >> 26 == 19 && spent_kind_of(word) != SPENT_PLAIN) || word >> 26 == 18 || (word >> 26 == 16 && word & 0x8003));
}

/* The engine runs a piece that goes on where the visit has come to. */
static bool goes_on(const struct spent *s, const struct spent_cpu *c, uint64_t space, const struct spent_visit *v)
{
	const struct spent_place *p = &s->places[c->place];
	uint64_t ran = spent_words(c, v->insns - c->insns);

	return c->place && v->insns - c->insns <= c->ninsns && v->ea == p->ea + 4 * ran && v->gra == p->gra + 4 * ran && space == p->space && v->mode == p->mode &&
	       (!ran || (v->ea % SPENT_LINE && !ends_run(c->words[ran - 1])));
}

/* What the visit is to, behind `ran` instructions that have run. */
static void add_words(struct spent_cpu *c, uint64_t ran, const struct spent_visit *v)
{
	unsigned at = ran ? spent_words(c, ran) : 0;

	assert(at + v->nwords <= SPENT_MOST && "no block goes beyond a line");
	memcpy(c->words + at, v->words, v->nwords * sizeof c->words[0]);
	c->nwords = at + v->nwords;
	c->ninsns = (uint32_t)ran + v->ninsns;
}

uint32_t spent_block(struct spent *s, struct cpu *cpu, const struct spent_visit *v)
{
	struct spent_cpu *c = &s->cpu[cpu->index];
	uint64_t space = spent_space(cpu->msr, cpu->pidr), entries = cpu->entries - c->entries;
	uint32_t place;

	if (!c->inside)
		return v->hint;
	if (c->open && !entries && goes_on(s, c, space, v)) {
		add_words(c, v->insns - c->insns, v);
		return v->hint;
	}
	if (c->open) {
		c->stall[STALL_SYNC] += entries * s->entry;
		end_visit(s, c, cpu, v->time - entries * s->entry, v->insns);
		c->stall[STALL_SYNC] -= entries * s->entry;
	}
	count_events(s, c, cpu, counts(s, c));
	place = spent_place_at(s, space, v);
	spent_follow(s, c, cpu, place, entries, counts(s, c));
	c->place = place;
	c->entries = cpu->entries;
	add_words(c, 0, v);
	c->open = true;
	return place;
}

static enum spent_idle idle_of(const struct cpu *cpu)
{
	return cpu->run_state == CPU_RUNNING ? SPENT_READY : cpu->run_state == CPU_STOPPED ? SPENT_STOPPED : SPENT_IDLE;
}

/* What is not a visit's yet is the next one's, or at the end the last one's. */
static void end_open(struct spent *s, struct spent_cpu *c, const struct cpu *cpu)
{
	if (c->open || c->left != c->time + c->gone)
		end_visit(s, c, cpu, c->left, cpu->insns);
}

void spent_enter(struct spent *s, struct cpu *cpu)
{
	struct spent_cpu *c = &s->cpu[cpu->index];
	uint64_t time = time_of(cpu);

	if (!wanted(s, cpu))
		return;
	if (time > c->left)
		end_absence(s, c, time);
	if (c->idle == SPENT_STOPPED)
		c->fresh = true;
	if (!c->open && c->left == c->time + c->gone) {
		c->time = c->left;
		c->gone = 0;
	}
	if (!c->open)
		count_events(s, c, cpu, counts(s, c));
	c->inside = true;
}

void spent_leave(struct spent *s, struct cpu *cpu)
{
	struct spent_cpu *c = &s->cpu[cpu->index];

	if (!c->inside)
		return;
	c->left = time_of(cpu);
	c->inside = false;
	c->idle = idle_of(cpu);
	if (c->idle == SPENT_STOPPED)
		end_open(s, c, cpu);
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
		c->time = c->left = time_at(cpus[i], cycle);
		c->gone = 0;
		c->entries = cpus[i]->entries;
		c->insns = cpus[i]->insns;
		memcpy(c->stall, cpus[i]->stall, sizeof c->stall);
		c->idle = idle_of(cpus[i]);
		spent_forget(s, c);
	}
}

void spent_settle(struct spent *s, struct cpu *const *cpus, uint64_t cycle)
{
	for (unsigned i = 0; i < s->ncpus; i++) {
		struct spent_cpu *c = &s->cpu[i];
		uint64_t time = cycle * cpus[i]->per_cycle;

		if (wanted(s, cpus[i]))
			end_open(s, c, cpus[i]);
		count_events(s, c, cpus[i], false);
		if (wanted(s, cpus[i]) && time > c->left)
			end_absence(s, c, time);
		c->ahead = c->left > time ? c->left - time : 0;
	}
}

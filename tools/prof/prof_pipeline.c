/* See prof_pipeline.h. */
#include "tools/prof/prof_pipeline.h"

#include <stdlib.h>
#include <string.h>

enum { SETTLED = 32, CHAIN_ROUNDS = 64 };

/* ---- Instructions ---- */

/* The row with the most bits that fit. */
static int find_row(uint64_t word)
{
	int best = -1;

	for (int i = 0; i < (int)NROWS; i++)
		if ((word & row_facts[i].mask) == row_facts[i].match &&
		    (best < 0 || __builtin_popcountll(row_facts[i].mask) > __builtin_popcountll(row_facts[best].mask)))
			best = i;
	return best;
}

void pipeline_add(struct pipeline *l, uint64_t ea, uint64_t word, const char *text)
{
	struct pipeline_insn *at = &l->at[l->n++];

	*at = (struct pipeline_insn){ .ea = ea, .word = word, .row = find_row(word) };
	if (!strncmp(text, ".long", 5) && at->row >= 0)
		text = row_facts[at->row].name;
	snprintf(at->text, sizeof at->text, "%s", text);
}

/* Power ISA 3.0B, Book I, 2.4. */
static bool is_loop(const struct pipeline *l)
{
	const struct pipeline_insn *last = &l->at[l->n - 1];
	int64_t offset;

	if (is_prefixed(last->word))
		return false;
	if (last->word >> 26 == 18)
		offset = (int32_t)((last->word & 0x03fffffc) << 6) >> 6;
	else if (last->word >> 26 == 16)
		offset = (int16_t)(last->word & 0xfffc);
	else
		return false;
	return !(last->word & 3) && last->ea + (uint64_t)offset == l->at[0].ea;
}

/* ---- Names ---- */

const char *pipeline_port(const struct core_model *m, unsigned port)
{
	static const char *const names[3][MAX_PORTS] = {
		{ "FX", "LS", "LULS", "ALL", "VF", "BR", "CR", "CY", "DFU", "DIV", "FDIV", "LU" },
		{ "FX", "LS", "EXEC", "DP", "PM", "DIV", "BR", "CY", "DFU", "FDIV" },
		{ "FX", "LD", "ST", "SX", "BF", "PM", "CY", "DX", "DV", "DF", "BR", "MM" },
	};

	return names[m->name[5] == '8' ? 0 : m->name[5] == '9' ? 1 : 2][port];
}

void pipeline_register(unsigned reg, char *text, size_t size)
{
	static const char *const names[] = { "LR", "CTR", "TAR", "CA", "OV", "SO", "XER count", "FPSCR", "VSCR", "SPR" };

	if (reg < REG_VSR)
		snprintf(text, size, "r%u", reg);
	else if (reg < REG_CR)
		snprintf(text, size, "vs%u", reg - REG_VSR);
	else if (reg < REG_LR)
		snprintf(text, size, "cr%u", reg - REG_CR);
	else
		snprintf(text, size, "%s", names[reg - REG_LR]);
}

static void name_step(const struct pipeline *l, int64_t step, unsigned number, char *text, size_t size)
{
	unsigned back;

	if (step < 0) {
		snprintf(text, size, "before");
		return;
	}
	back = number / l->n - (unsigned)step / l->n;
	snprintf(text, size, "%u %.*s%s", (unsigned)step % l->n + 1, (int)strcspn(l->at[step % l->n].text, " "), l->at[step % l->n].text,
		 back == 1 ? ", last round" : back ? ", earlier" : "");
}

void pipeline_why(const struct pipeline *l, unsigned number, char *text, size_t size)
{
	const struct pipeline_step *s = &l->step[number];
	char from[64], reg[16];
	size_t n = 0;

	*text = '\0';
	if (s->window)
		n += (size_t)snprintf(text, size, "window full");
	if (s->wait == WAIT_REGISTER && n < size) {
		name_step(l, s->from, number, from, sizeof from);
		pipeline_register(s->reg, reg, sizeof reg);
		n += (size_t)snprintf(text + n, size - n, "%s%s from %s", n ? "; " : "", reg, from);
	}
	if (s->wait == WAIT_PIPES && n < size)
		n += (size_t)snprintf(text + n, size - n, "%sunit %s", n ? "; " : "", pipeline_port(l->m, s->port));
	if (s->stored && n < size) {
		name_step(l, s->store, number, from, sizeof from);
		snprintf(text + n, size - n, "%sstored by %s", n ? "; " : "", from);
	}
}

/* ---- The model's run ---- */

static bool writes(const struct pipe_insn *i, unsigned reg)
{
	if (reg < REG_VSR && i->gprs_written >> reg & 1)
		return true;
	for (unsigned k = 0; k < i->nwritten; k++)
		if (i->written[k] == reg)
			return true;
	return false;
}

/* The last store to such a place, before that step. */
static int64_t find_store(const struct pipeline *l, unsigned number)
{
	const struct pipe_insn *i = &l->at[number % l->n].insn;

	for (int64_t k = (int64_t)number - 1; k >= 0 && k + 2 * (int64_t)l->n > number; k--) {
		const struct pipe_insn *other = &l->at[k % l->n].insn;

		if (other->store && other->base == i->base && other->index == i->index && other->displacement == i->displacement)
			return k;
	}
	return -1;
}

static void run_step(struct pipeline *l, struct pipe *p, unsigned number, uint64_t *clock, int64_t writer[NREGS])
{
	const struct pipe_insn *i = &l->at[number % l->n].insn;
	struct pipeline_step *s = &l->step[number];
	struct pipe_trace t;

	pipe_step_traced(p, i, &t);
	*s = (struct pipeline_step){
		.now = *clock, .dispatch = *clock + t.dispatch, .start = *clock + t.start, .completion = *clock + t.completion,
		.retired = *clock + t.retired, .window = t.dispatch > 0, .reg = t.reg, .port = t.port, .from = -1, .store = -1,
	};
	if (t.start > t.dispatch + UNITS_PER_CYCLE)
		s->wait = t.sources >= t.pipes ? WAIT_REGISTER : WAIT_PIPES;
	if (s->wait == WAIT_REGISTER)
		s->from = writer[t.reg];
	s->stored = t.stored > t.start + i->latency * (uint32_t)UNITS_PER_CYCLE;
	if (s->stored)
		s->store = find_store(l, number);
	for (unsigned reg = 0; reg < NREGS; reg++)
		if (writes(i, reg))
			writer[reg] = number;
	*clock += t.next;
	/* A round that follows comes behind a taken branch, whose target is at hand. */
	if (i->branch && number % l->n == l->n - 1 && number + 1 < l->n * l->rounds) {
		pipe_wait(p, l->m->taken);
		*clock += l->m->taken;
	}
}

static void run_rounds(struct pipeline *l)
{
	static const struct pipe_state empty;
	int64_t writer[NREGS];
	uint64_t clock = 0;
	struct pipe p;

	for (unsigned i = 0; i < NREGS; i++)
		writer[i] = -1;
	pipe_open(&p, l->m, 1, &empty);
	for (unsigned number = 0; number < l->rounds * l->n; number++) {
		if (number % l->n == 0)
			l->began[number / l->n] = clock;
		run_step(l, &p, number, &clock, writer);
	}
	l->began[l->rounds] = clock;
}

/* ---- What bounds it ---- */

struct chain {
	uint64_t ready[NREGS];
	uint8_t kind[NREGS], far[NREGS];
	int64_t writer[NREGS];
	uint64_t end[CHAIN_ROUNDS * PIPELINE_INSNS];
	int64_t from[CHAIN_ROUNDS * PIPELINE_INSNS];
};

static bool reads(const struct pipe_insn *i, unsigned reg)
{
	if (reg < REG_VSR && i->gprs_read >> reg & 1)
		return true;
	for (unsigned k = 0; k < i->nread; k++)
		if (i->read[k] == reg)
			return true;
	return false;
}

/* Nothing but registers makes it wait. */
static void chain_step(const struct pipeline *l, struct chain *c, unsigned number)
{
	const struct pipe_insn *i = &l->at[number % l->n].insn;
	uint64_t start = 0;
	unsigned k = 0;

	c->from[number] = -1;
	for (unsigned reg = 0; reg < NREGS; reg++) {
		uint64_t t = c->ready[reg] + (c->far[reg] && !(l->m->near[c->kind[reg]] >> i->kind & 1) ? c->far[reg] : 0);

		if (!reads(i, reg) || t <= start)
			continue;
		start = t;
		c->from[number] = c->writer[reg];
	}
	c->end[number] = start + i->latency;
	for (unsigned reg = 0; reg < NREGS; reg++) {
		if (!writes(i, reg))
			continue;
		for (k = 0; k < i->nwritten && i->written[k] != reg; k++)
			;
		c->ready[reg] = start + (k < i->nwritten ? i->written_latency[k] : i->latency);
		c->kind[reg] = i->kind;
		c->far[reg] = i->far;
		c->writer[reg] = number;
	}
}

static unsigned last_of(const struct pipeline *l, const struct chain *c, unsigned round)
{
	unsigned best = round * l->n;

	for (unsigned i = best; i < (round + 1) * l->n; i++)
		if (c->end[i] > c->end[best])
			best = i;
	return best;
}

/* Of a loop, what one round adds; else from its first to its last. */
static bool find_chain(struct pipeline *l)
{
	struct chain *c = calloc(1, sizeof *c);
	unsigned rounds = l->rounds > 1 ? CHAIN_ROUNDS : 1;
	bool seen[PIPELINE_INSNS] = { false };
	unsigned last;

	if (!c)
		return false;
	for (unsigned i = 0; i < NREGS; i++)
		c->writer[i] = -1;
	for (unsigned number = 0; number < rounds * l->n; number++)
		chain_step(l, c, number);
	last = last_of(l, c, rounds - 1);
	l->bounds.chain = (double)c->end[last];
	if (rounds > 1)
		l->bounds.chain = (double)(c->end[last] - c->end[last_of(l, c, rounds / 2 - 1)]) / (rounds / 2);
	/* Going back over many rounds leads onto what repeats. */
	for (unsigned k = 0; rounds > 1 && k < rounds / 2 && c->from[last] >= 0; k++)
		last = (unsigned)c->from[last];
	for (int64_t k = last; k >= 0; k = c->from[k]) {
		l->bounds.path[l->bounds.npath++] = (uint16_t)(k % l->n);
		if (seen[k % l->n])
			break;
		seen[k % l->n] = true;
	}
	free(c);
	return true;
}

static void find_bounds(struct pipeline *l)
{
	struct pipeline_bounds *b = &l->bounds;
	unsigned half = l->rounds / 2;

	for (unsigned i = 0; i < l->n; i++) {
		const struct pipe_insn *insn = &l->at[i].insn;
		unsigned slots = insn->slots * l->m->slot_units;

		b->dispatch += (slots ? slots : 1) / (double)UNITS_PER_CYCLE + insn->hold;
		for (unsigned k = 0; k < l->m->nports; k++)
			if (l->m->pipes[k])
				b->port[k] += (double)insn->use[k] / l->m->pipes[k];
	}
	if (l->rounds > 1) {
		for (unsigned i = half * l->n; i < l->rounds * l->n; i++)
			b->filled += (double)l->at[i % l->n].insn.uops * (double)(l->step[i].retired - l->step[i].dispatch);
		b->filled /= (double)(l->began[l->rounds] - l->began[half]);
		b->took = (double)(l->began[l->rounds] - l->began[half]) / (l->rounds - half) / UNITS_PER_CYCLE;
		return;
	}
	for (unsigned i = 0; i < l->n; i++)
		if ((double)l->step[i].completion / UNITS_PER_CYCLE > b->took)
			b->took = (double)l->step[i].completion / UNITS_PER_CYCLE;
}

bool pipeline_run(struct pipeline *l, const struct core_model *m, unsigned rounds)
{
	l->m = m;
	l->loop = l->loop || is_loop(l);
	l->rounds = rounds ? rounds : l->loop ? SETTLED : 1;
	l->step = calloc((size_t)l->rounds * l->n, sizeof *l->step);
	l->began = calloc(l->rounds + 1, sizeof *l->began);
	if (!l->step || !l->began)
		return false;
	for (unsigned i = 0; i < l->n; i++)
		pipe_decode(m, l->at[i].row, l->at[i].word, &l->at[i].insn);
	run_rounds(l);
	find_bounds(l);
	return find_chain(l);
}

void pipeline_free(struct pipeline *l)
{
	free(l->step);
	free(l->began);
}

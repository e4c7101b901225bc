/* A pipeline as text: a row for each instruction, a column for each cycle; then what bounds a round. 132 columns at most. */
#include <inttypes.h>
#include <string.h>

#include "tools/prof/prof_pipeline.h"

enum { WIDTH = 132, LANE = 64, DISASSEMBLY = 26, BESIDE = DISASSEMBLY + 8 };
#define LEAST_ROUNDS 16u	/* after fewer, the window may still be filling */
#define NEAR 0.93			/* so much of what a round takes is near to all of it */

/* A round, from its first cycle on. */
struct chart {
	const struct pipeline *l;
	unsigned round;
	uint64_t from;			/* units */
	unsigned columns, scale;	/* cycles in a column */
};

static unsigned column_of(const struct chart *c, uint64_t time)
{
	return (unsigned)((time - c->from) / ((uint64_t)c->scale * UNITS_PER_CYCLE));
}

static struct chart make_chart(const struct pipeline *l, unsigned round)
{
	struct chart c = { .l = l, .round = round, .scale = 1 };
	uint64_t cycles, last = 0;

	c.from = l->began[round] / UNITS_PER_CYCLE * UNITS_PER_CYCLE;
	for (unsigned i = round * l->n; i < (round + 1) * l->n; i++)
		if (l->step[i].retired > last)
			last = l->step[i].retired;
	cycles = (last - c.from) / UNITS_PER_CYCLE + 1;
	c.scale = (unsigned)((cycles + LANE - 1) / LANE);
	c.columns = (unsigned)((cycles + c.scale - 1) / c.scale);
	return c;
}

static void fill(char *lane, unsigned from, unsigned to, char c)
{
	for (unsigned i = from; i < to; i++)
		lane[i] = c;
}

/* A name at the beginning of a part, if it has room there. */
static void name_part(char *lane, unsigned from, unsigned to, const char *name)
{
	size_t n = strlen(name), room = to > from ? to - from : 0;

	memcpy(lane + from, name, n < room ? n : room);
}

static void draw_lane(const struct chart *c, unsigned number, char lane[LANE + 1])
{
	const struct pipeline_step *s = &c->l->step[number];
	unsigned now = column_of(c, s->now), dispatch = column_of(c, s->dispatch), start = column_of(c, s->start);
	unsigned ready = column_of(c, s->completion), retired = column_of(c, s->retired);
	char reg[16];

	memset(lane, ' ', c->columns);
	lane[c->columns] = '\0';
	fill(lane, now, dispatch, 'w');
	fill(lane, dispatch + 1, start, '.');
	if (s->wait == WAIT_REGISTER && start > dispatch + 1) {
		pipeline_register(s->reg, reg, sizeof reg);
		if (strlen(reg) + dispatch + 1 <= start)
			name_part(lane, dispatch + 1, start, reg);
	}
	fill(lane, ready, retired, '-');
	fill(lane, start, ready, '=');
	name_part(lane, start, ready, pipeline_port(c->l->m, c->l->at[number % c->l->n].insn.kind));
	lane[retired] = 'C';
	if (ready < retired)
		lane[ready] = 'R';
	lane[dispatch] = 'D';
}

static void put_chart(const struct chart *c, FILE *out)
{
	const struct pipeline *l = c->l;
	char lane[LANE + 1], why[160];

	fprintf(out, "\nround %u, from cycle %" PRIu64, c->round + 1, c->from / UNITS_PER_CYCLE);
	if (c->scale > 1)
		fprintf(out, "; a column is %u cycles", c->scale);
	fprintf(out, "\n%3s %-*s  ", "", DISASSEMBLY, "");
	for (unsigned i = 0; i < c->columns; i += 10)
		fprintf(out, "%-*u", c->columns - i < 10 ? (int)(c->columns - i) : 10, i * c->scale);
	putc('\n', out);
	for (unsigned i = 0; i < l->n; i++) {
		unsigned number = c->round * l->n + i;

		draw_lane(c, number, lane);
		pipeline_why(l, number, why, sizeof why);
		fprintf(out, "%3u %-*.*s |%s|%s%.*s\n", i + 1, DISASSEMBLY, DISASSEMBLY, l->at[i].text, lane, *why ? " " : "",
			(int)(WIDTH - BESIDE - c->columns), why);
	}
}

static void put_bound(const struct pipeline *l, const char *name, double cycles, FILE *out)
{
	if (cycles > 0)
		fprintf(out, "  %-10s %8.2f%s", name, cycles, cycles >= NEAR * l->bounds.took ? "  <" : "");
}

static void put_bounds(const struct pipeline *l, FILE *out)
{
	const struct pipeline_bounds *b = &l->bounds;
	unsigned half = l->rounds / 2;
	char name[16];

	if (l->rounds > 1)
		fprintf(out, "\n%.2f cycles a round in the last %u of %u, %.2f an instruction. At least, by\n", b->took, l->rounds - half, l->rounds, b->took / l->n);
	else
		fprintf(out, "\n%.2f cycles until all have their results. At least, by\n", b->took);
	put_bound(l, "dispatch", b->dispatch, out);
	putc('\n', out);
	for (unsigned i = 0; i < l->m->nports; i++) {
		if (!(b->port[i] > 0))
			continue;
		snprintf(name, sizeof name, "unit %s", pipeline_port(l->m, i));
		put_bound(l, name, b->port[i], out);
		fprintf(out, "%*s (of %u)\n", b->port[i] >= NEAR * b->took ? 0 : 3, "", l->m->pipes[i]);
	}
	put_bound(l, "chain", b->chain, out);
	if (b->chain > 0 && b->npath) {
		fputs(b->chain >= NEAR * b->took ? "  " : "     ", out);
		for (unsigned i = b->npath; i--;)
			fprintf(out, "%s%u", i + 1 == b->npath ? "" : " > ", b->path[i] + 1);
	}
	fputs(b->chain > 0 ? "\n" : "", out);
	if (l->rounds >= LEAST_ROUNDS)
		fprintf(out, "  %-10s %8.2f%s of %u entries taken, on average\n", "window", b->filled, b->filled >= NEAR * l->m->window ? "  <" : "   ", l->m->window);
}

void pipeline_text(const struct pipeline *l, const char *title, FILE *out)
{
	struct chart c = make_chart(l, 0);

	fprintf(out, "%s\n%u instruction%s on %s%s; no misses, nothing guessed wrong\n", title, l->n, l->n == 1 ? "" : "s", l->m->name,
		l->loop ? ", a loop" : "");
	fputs("w window full  D dispatch  . waits, for the register named or for a unit  XX== executes, in unit XX  R result  C complete\n", out);
	put_chart(&c, out);
	if (l->rounds > 1) {
		c = make_chart(l, l->rounds - 1);
		put_chart(&c, out);
	}
	put_bounds(l, out);
}

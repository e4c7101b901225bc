/* A pipeline as a picture: the lanes of the first and of the last round, coloured by unit; what points at a part is told what
 * it is. */
#include <inttypes.h>
#include <string.h>

#include "tools/prof/prof_pipeline.h"

/* Pixels. */
enum { LEFT = 12, NAMES = 250, ROW = 20, TOP = 76, GAP = 44, REASONS = 300, MOST_WIDE = 1400, CELL = 16 };

struct picture {
	const struct pipeline *l;
	FILE *out;
	uint64_t from;			/* units at the left end */
	double cell;			/* pixels of a cycle */
	unsigned y;
};

static void put_escaped(const char *text, FILE *out)
{
	for (; *text; text++) {
		unsigned char c = (unsigned char)*text;

		if (strchr("<>&\"'", c))
			fprintf(out, "&#%u;", c);
		else
			putc(c < 0x20 || c >= 0x7f ? '?' : c, out);
	}
}

static void put_text(const struct picture *p, double x, double y, const char *text)
{
	fprintf(p->out, "<text x=\"%.1f\" y=\"%.1f\">", x, y);
	put_escaped(text, p->out);
	fputs("</text>\n", p->out);
}

static const char *colour_of(const struct pipeline *l, unsigned port)
{
	static const char *const colours[MAX_PORTS] = {
		"#7fb3e6", "#f2b36b", "#a6d28c", "#c9a7e0", "#e79bb5", "#e57f73", "#f5df73", "#7fd0c3", "#b8b8d8", "#d9a066", "#9fb4b8", "#cccccc",
	};

	(void)l;
	return colours[port];
}

static double x_of(const struct picture *p, uint64_t time)
{
	return LEFT + NAMES + (double)(time - p->from) / UNITS_PER_CYCLE * p->cell;
}

/* A part of a lane. In its middle a name, if it fits. */
static void put_part(const struct picture *p, uint64_t from, uint64_t to, const char *colour, const char *name, const char *title)
{
	double x = x_of(p, from), width = x_of(p, to) - x;

	if (to <= from)
		return;
	fprintf(p->out, "<g><title>cycle %.2f to %.2f: ", (double)from / UNITS_PER_CYCLE, (double)to / UNITS_PER_CYCLE);
	put_escaped(title, p->out);
	fprintf(p->out, "</title><rect x=\"%.2f\" y=\"%u\" width=\"%.2f\" height=\"%d\" fill=\"%s\"/>", x, p->y, width, ROW - 4, colour);
	if (width > 7.0 * (double)strlen(name) + 2 && *name) {
		fprintf(p->out, "<text x=\"%.2f\" y=\"%u\" text-anchor=\"middle\">", x + width / 2, p->y + 12);
		put_escaped(name, p->out);
		fputs("</text>", p->out);
	}
	fputs("</g>\n", p->out);
}

static void put_lane(const struct picture *p, unsigned number)
{
	const struct pipeline *l = p->l;
	const struct pipeline_step *s = &l->step[number];
	const struct pipeline_insn *at = &l->at[number % l->n];
	const char *unit = pipeline_port(l->m, at->insn.kind);
	uint64_t dispatched = s->dispatch + UNITS_PER_CYCLE;
	char why[160], text[200], reg[16] = "";

	pipeline_why(l, number, why, sizeof why);
	snprintf(text, sizeof text, "%u  %.36s", number % l->n + 1, at->text);
	put_text(p, LEFT, p->y + 12, text);
	put_part(p, s->now, s->dispatch, "#eeeeee", "", "the window is full");
	put_part(p, s->dispatch, dispatched, "#666666", "", "dispatched");
	if (s->wait == WAIT_REGISTER)
		pipeline_register(s->reg, reg, sizeof reg);
	put_part(p, dispatched, s->start, "#eeeeee", s->wait == WAIT_PIPES ? pipeline_port(l->m, s->port) : reg, *why ? why : "waits");
	snprintf(text, sizeof text, "executes in %s", unit);
	put_part(p, s->start, s->completion, colour_of(l, at->insn.kind), unit, text);
	put_part(p, s->completion, s->retired, "#dff0df", "", "has its result; waits for those before it to complete");
	if (*why)
		put_text(p, x_of(p, s->retired) + 5, p->y + 12, why);
}

static uint64_t last_of(const struct pipeline *l, unsigned round)
{
	uint64_t last = 0;

	for (unsigned i = round * l->n; i < (round + 1) * l->n; i++)
		if (l->step[i].retired > last)
			last = l->step[i].retired;
	return last;
}

static void put_round(struct picture *p, unsigned round)
{
	const struct pipeline *l = p->l;
	unsigned cycles, every = p->cell >= 14 ? 1 : p->cell >= 4 ? 5 : 50;
	char text[64];

	p->from = l->began[round] / UNITS_PER_CYCLE * UNITS_PER_CYCLE;
	cycles = (unsigned)((last_of(l, round) - p->from) / UNITS_PER_CYCLE) + 1;
	snprintf(text, sizeof text, "round %u, by cycle", round + 1);
	put_text(p, LEFT, p->y - 6, text);
	for (unsigned i = 0; i <= cycles; i += every) {
		double x = x_of(p, p->from + i * (uint64_t)UNITS_PER_CYCLE);

		fprintf(p->out, "<path d=\"M%.2f %uV%u\" stroke=\"#e4e4e4\"/>\n", x, p->y - 4, p->y + l->n * ROW);
		if (i % (5 * every) == 0)
			fprintf(p->out, "<text x=\"%.2f\" y=\"%u\" fill=\"#777\">%" PRIu64 "</text>\n", x, p->y - 6, p->from / UNITS_PER_CYCLE + i);
	}
	for (unsigned i = 0; i < l->n; i++, p->y += ROW)
		put_lane(p, round * l->n + i);
	p->y += GAP;
}

static void put_bar(struct picture *p, const char *name, double cycles, const char *colour)
{
	double most = p->l->bounds.took, width = most > 0 ? 400 * cycles / most : 0;
	char text[64];

	if (!(cycles > 0))
		return;
	put_text(p, LEFT, p->y + 12, name);
	fprintf(p->out, "<g><title>%s: %.2f cycles at least</title><rect x=\"%d\" y=\"%u\" width=\"%.2f\" height=\"%d\" fill=\"%s\"/></g>\n", name, cycles,
		LEFT + NAMES, p->y, width < 800 ? width : 800, ROW - 4, colour);
	snprintf(text, sizeof text, "%.2f", cycles);
	put_text(p, LEFT + NAMES + (width < 800 ? width : 800) + 5, p->y + 12, text);
	p->y += ROW;
}

static void put_bounds(struct picture *p)
{
	const struct pipeline *l = p->l;
	char name[64];

	put_bar(p, l->rounds > 1 ? "cycles a round takes" : "cycles it takes", l->bounds.took, "#888888");
	put_bar(p, "at least: dispatch", l->bounds.dispatch, "#bbbbbb");
	for (unsigned i = 0; i < l->m->nports; i++) {
		snprintf(name, sizeof name, "at least: unit %s (of %u)", pipeline_port(l->m, i), l->m->pipes[i]);
		put_bar(p, name, l->bounds.port[i], colour_of(l, i));
	}
	put_bar(p, "at least: longest chain", l->bounds.chain, "#bbbbbb");
}

void pipeline_svg(const struct pipeline *l, const char *title, FILE *out)
{
	unsigned last = l->rounds - 1, bars = 3, height;
	uint64_t units = last_of(l, 0), other = last_of(l, last) - l->began[last];
	struct picture p = { .l = l, .out = out, .y = TOP };
	double cycles, width;

	cycles = (double)(units > other ? units : other) / UNITS_PER_CYCLE + 1;
	p.cell = cycles * CELL > MOST_WIDE ? MOST_WIDE / cycles : CELL;
	width = LEFT + NAMES + cycles * p.cell + REASONS;
	for (unsigned i = 0; i < l->m->nports; i++)
		bars += l->bounds.port[i] > 0;
	height = TOP + (last ? 2 : 1) * (l->n * ROW + GAP) + bars * ROW + 20;
	fprintf(out, "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"%.0f\" height=\"%u\" viewBox=\"0 0 %.0f %u\" "
		"font-family=\"DejaVu Sans, Verdana, Helvetica, Arial, sans-serif\" font-size=\"11\" fill=\"#111\">\n<title>", width, height, width, height);
	put_escaped(title, out);
	fprintf(out, "</title>\n<rect width=\"%.0f\" height=\"%u\" fill=\"#fff\"/>\n<g font-size=\"15\">", width, height);
	put_text(&p, LEFT, 22, title);
	fprintf(out, "</g>\n<text x=\"%d\" y=\"40\" fill=\"#777\">%u instructions on %s%s; no misses, nothing guessed wrong. Dark: dispatched; "
		"colour: executes; green: has its result.</text>\n", LEFT, l->n, l->m->name, l->loop ? ", a loop" : "");
	put_round(&p, 0);
	if (last)
		put_round(&p, last);
	p.y -= GAP / 2;
	put_bounds(&p);
	fputs("</svg>\n", out);
}

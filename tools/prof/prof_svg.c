/* --svg: a flame graph. A function's width is its part of all cycles, and what it called stands on it; what is narrower
 * than a hair is left out. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "tools/prof/prof_views.h"

/* Pixels. */
#define WIDTH  1200.0
#define LEFT   10.0
#define ROW    17u
#define TOP    44u
#define BOTTOM 14u
#define LETTER 6.6
#define HAIR   0.05

struct flame {
	const struct prof_functions *f;
	struct prof_tree t;
	uint64_t *begins;		/* units left of it */
	uint32_t height;		/* rows */
	double scale;			/* pixels a unit */
	FILE *out;
};

struct sibling {
	uint32_t parent, node;
	const char *name;
};

static int by_name(const void *a, const void *b)
{
	const struct sibling *x = a, *y = b;
	int order;

	if (x->parent != y->parent)
		return x->parent < y->parent ? -1 : 1;
	order = strcmp(x->name, y->name);
	return order ? order : x->node < y->node ? -1 : x->node > y->node;
}

/* Parents come before their children, and so have their place when these get theirs. */
static bool place_all(struct flame *m)
{
	struct sibling *all = calloc(m->t.n, sizeof *all);
	uint64_t next = 0;

	m->begins = calloc(m->t.n, sizeof *m->begins);
	if (!all || !m->begins) {
		free(all);
		return false;
	}
	for (uint32_t i = 1; i < m->t.n; i++)
		all[i] = (struct sibling){ m->t.at[i].parent, i, m->f->at[m->t.at[i].function].name };
	qsort(all + 1, m->t.n - 1, sizeof *all, by_name);
	for (uint32_t i = 1; i < m->t.n; i++) {
		if (i == 1 || all[i].parent != all[i - 1].parent)
			next = m->begins[all[i].parent];
		m->begins[all[i].node] = next;
		next += m->t.at[all[i].node].all_units;
	}
	free(all);
	return true;
}

static bool is_seen(const struct flame *m, uint32_t i)
{
	return (double)m->t.at[i].all_units * m->scale >= HAIR;
}

static void put_escaped(const char *text, size_t most, FILE *out)
{
	for (; *text && most; text++, most--) {
		unsigned char c = (unsigned char)*text;

		if (strchr("<>&\"'", c))
			fprintf(out, "&#%u;", c);
		else
			putc(c < 0x20 || c >= 0x7f ? '?' : c, out);
	}
}

/* Warm for the kernel, cold for processes; a name has the same shade in every picture. */
static void put_colour(const struct prof_function *g, FILE *out)
{
	uint32_t h = 2166136261u;

	for (const char *c = g->name; *c; c++)
		h = (h ^ (unsigned char)*c) * 16777619u;
	h ^= h >> 15;
	if (prof_is_user(g->space))
		fprintf(out, "#%02x%02xe%x", 0x70 + h % 0x40, 0xb0 + h / 64 % 0x30, h / 4096 % 16);
	else
		fprintf(out, "#f%x%02x%02x", h % 16, 0x90 + h / 64 % 0x50, 0x40 + h / 8192 % 0x40);
}

static void put_box(const struct flame *m, uint32_t i)
{
	const struct prof_tree_node *n = &m->t.at[i];
	const struct prof_function *g = &m->f->at[n->function];
	double x = LEFT + (double)m->begins[i] * m->scale, width = (double)n->all_units * m->scale;
	unsigned y = TOP + (m->height - n->depth) * ROW, letters = (unsigned)(width / LETTER);

	fprintf(m->out, "<g><title>");
	put_escaped(i ? g->name : "all", SIZE_MAX, m->out);
	fprintf(m->out, ": %" PRIu64 " cycles, %.2f%%</title><rect x=\"%.3f\" y=\"%u\" width=\"%.3f\" height=\"%u\" fill=\"",
		prof_cycles(m->f->p, n->all_units),
		prof_percent(n->all_units, m->t.at[0].all_units), x, y, width, ROW - 1);
	if (i)
		put_colour(g, m->out);
	else
		fputs("#dddddd", m->out);
	fputs("\"/>", m->out);
	if (letters >= 3) {
		fprintf(m->out, "<text x=\"%.2f\" y=\"%u\">", x + 3, y + 12);
		put_escaped(i ? g->name : "all", letters - 1, m->out);
		fputs("</text>", m->out);
	}
	fputs("</g>\n", m->out);
}

static void put_page(const struct flame *m, const char *title)
{
	unsigned height = TOP + (m->height + 1) * ROW + BOTTOM;

	fprintf(m->out, "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"%g\" height=\"%u\" viewBox=\"0 0 %g %u\" "
		"font-family=\"DejaVu Sans, Verdana, Helvetica, Arial, sans-serif\" font-size=\"11\" fill=\"#111\">\n<title>",
		WIDTH + 2 * LEFT, height, WIDTH + 2 * LEFT, height);
	put_escaped(title, SIZE_MAX, m->out);
	fprintf(m->out, "</title>\n<rect width=\"%g\" height=\"%u\" fill=\"#fff\"/>\n<text x=\"%g\" y=\"22\" font-size=\"15\">",
		WIDTH + 2 * LEFT, height, LEFT);
	put_escaped(title, 150, m->out);
	fprintf(m->out, "</text>\n<text x=\"%g\" y=\"38\" fill=\"#777\">%" PRIu64 " cycles, %" PRIu64 " instructions</text>\n", LEFT,
		prof_cycles(m->f->p, m->f->p->units), m->f->p->insns);
	for (uint32_t i = 0; i < m->t.n; i++)
		if (!i || is_seen(m, i))
			put_box(m, i);
	fputs("</svg>\n", m->out);
}

bool prof_svg(const struct prof_functions *f, const struct prof_options *o, FILE *out, struct error *err)
{
	struct flame m = { .f = f, .out = out };
	bool ok;

	if (!prof_tree_make(&m.t, f, err))
		return false;
	m.scale = m.t.at[0].all_units ? WIDTH / (double)m.t.at[0].all_units : 0;
	ok = place_all(&m);
	for (uint32_t i = 0; ok && i < m.t.n; i++)
		if (is_seen(&m, i) && m.t.at[i].depth > m.height)
			m.height = m.t.at[i].depth;
	if (ok)
		put_page(&m, o->title ? o->title : f->p->path);
	else
		error_set(err, "out of memory");
	prof_tree_free(&m.t);
	free(m.begins);
	return ok;
}

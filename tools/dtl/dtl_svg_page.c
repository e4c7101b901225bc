/* The picture's page: titles, axes, lanes, legend. */
#include <string.h>

#include "tools/dtl/dtl_svg.h"
#include "tools/dtl/dtl_time.h"

/* Pixels. */
#define RIGHT  170			/* space for numbers, right of the lanes */
#define TOP    64			/* space for the titles */
#define GAP    42			/* above each group of lanes: heading and axis */
#define BOTTOM 30

/* The states, in the legend's order. */
static const struct { enum vp_state state; const char *text; } states[] = {
	{ VP_RUNNING, "running" }, { VP_READY, "ready, waits for a processor" }, { VP_WAITING, "waits for capacity" },
	{ VP_CEDED, "ceded" }, { VP_CONFERRED, "conferred" }, { VP_JOINED, "joined" }, { VP_STOPPED, "stopped" },
};

#define N_STATES (sizeof states / sizeof *states)

/* ---- Where things are ---- */

unsigned svg_lane_y(const struct svg *s, unsigned lane)
{
	return TOP + GAP + lane * s->row + (lane >= s->physical ? GAP : 0);
}

unsigned svg_lane_height(const struct svg *s)
{
	return s->row > 14 ? s->row - 3 : s->row - 2;
}

double svg_text_y(const struct svg *s, unsigned lane)
{
	return svg_lane_y(s, lane) + svg_lane_height(s) / 2.0 + (s->row > 14 ? 4 : 3.2);
}

/* ---- Pieces of the page ---- */

static void put_escaped(const char *text)
{
	for (; *text; text++) {
		unsigned char c = (unsigned char)*text;

		if (strchr("<>&\"", c))
			printf("&#%u;", c);
		else
			putchar(c < 0x20 || c >= 0x7f ? '?' : c);
	}
}

static void put_colour(uint32_t colour) { printf("#%06x", (unsigned)colour); }

static void put_text(double x, double y, const char *attributes, const char *text)
{
	printf("<text x=\"%g\" y=\"%g\" %s>", x, y, attributes);
	put_escaped(text);
	printf("</text>\n");
}

static unsigned document_height(const struct svg *s)
{
	unsigned swatches = s->h->cpus + (s->h->loads > 0), per_line = (SVG_LEFT + SVG_COLUMNS + RIGHT - 140) / 46;

	return svg_lane_y(s, s->lanes) + BOTTOM + 56 + (swatches + per_line - 1) / per_line * 20;
}

static void put_head(const struct svg *s)
{
	unsigned width = SVG_LEFT + SVG_COLUMNS + RIGHT, height = document_height(s);

	printf("<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"%u\" height=\"%u\" viewBox=\"0 0 %u %u\" "
	       "font-family=\"DejaVu Sans, Verdana, Helvetica, Arial, sans-serif\" font-size=\"12\" fill=\"#333\">\n",
	       width, height, width, height);
	printf("<title>");
	put_escaped(s->o->title ? s->o->title : s->log->name);
	printf("</title>\n<rect width=\"%u\" height=\"%u\" fill=\"#fff\"/>\n", width, height);
}

static void put_titles(const struct svg *s)
{
	const struct dtl_header *h = s->h;
	char text[300], pool[160] = "dedicated processors";

	put_text(SVG_LEFT, 30, "font-size=\"18\" font-weight=\"bold\" fill=\"#111\"", s->o->title ? s->o->title : s->log->name);
	if (h->shared)
		snprintf(pool, sizeof pool, "entitlement %u.%02u, %s, weight %u, window %.6g ms", h->entitlement / 100,
			 h->entitlement % 100, h->capped ? "capped" : "uncapped", h->weight, 1e3 * dtl_seconds(h, h->window));
	snprintf(text, sizeof text, "%u virtual processors on %u physical (%u chip%s); %s; %.3f to %.3f ms%s", h->cpus, h->procs,
		 h->chips, h->chips == 1 ? "" : "s", pool, 1e3 * dtl_seconds(h, s->scale.from),
		 1e3 * dtl_seconds(h, s->scale.from + s->scale.length), s->log->cut ? "; the log was cut off" : "");
	put_text(SVG_LEFT, 51, "fill=\"#666\"", text);
}

/* Milliseconds between ticks: about ten of them. */
static double tick_step(double ms)
{
	static const double steps[] = { 1, 2, 5, 10 };
	double step = 1e-6;

	while (step * 100 < ms)
		step *= 10;
	for (unsigned i = 0; i < 4; i++)
		if (ms / (step * steps[i]) <= 12)
			return step * steps[i];
	return step * 10;
}

static void put_axis(const struct svg *s, unsigned from_y, unsigned to_y)
{
	double from = 1e3 * dtl_seconds(s->h, s->scale.from), length = 1e3 * dtl_seconds(s->h, s->scale.length);
	double step = tick_step(length);
	uint64_t tick = (uint64_t)(from / step);
	bool first = true;
	int decimals = 0;

	for (double d = step; d < 0.999999; d *= 10)
		decimals++;
	printf("<g stroke=\"#c3c9d0\" stroke-width=\"1\" fill=\"#555\" text-anchor=\"middle\" font-size=\"11\">\n");
	for (; (double)tick * step <= from + length * 1.0000001; tick++) {
		double x = SVG_LEFT + ((double)tick * step - from) / length * SVG_COLUMNS;

		if (x < SVG_LEFT - 0.01)
			continue;
		printf("<path d=\"M%.2f %uV%u\"/><text x=\"%.2f\" y=\"%u\" stroke=\"none\">%.*f%s</text>\n", x, from_y - 4, to_y, x,
		       from_y - 8, decimals, (double)tick * step, first ? " ms" : "");
		first = false;
	}
	printf("</g>\n");
}

static void put_backgrounds(const struct svg *s)
{
	printf("<path shape-rendering=\"crispEdges\" fill=\"");
	put_colour(COLOUR_IDLE);
	printf("\" d=\"");
	for (unsigned i = 0; i < s->lanes; i++)
		printf("M%u %uh%uv%uh-%uz", SVG_LEFT, svg_lane_y(s, i), SVG_COLUMNS, svg_lane_height(s), SVG_COLUMNS);
	printf("\"/>\n");
}

static void put_piece(const struct text *t, uint32_t colour)
{
	if (!t->len)
		return;
	printf("<path shape-rendering=\"crispEdges\" fill=\"");
	put_colour(colour);
	printf("\" d=\"");
	fwrite(t->at, 1, t->len, stdout);
	printf("\"/>\n");
}

static void put_lanes(const struct svg *s)
{
	for (unsigned i = 0; i < dtl_vps(s->h); i++)
		put_piece(&s->by_vp[i], colour_vp(s->h->cpus, i));
	for (unsigned i = 0; i < N_STATES; i++)
		put_piece(&s->by_state[states[i].state], colour_state(states[i].state));
	printf("<g text-anchor=\"middle\" font-size=\"%u\">\n", s->row > 14 ? 10 : 8);
	if (s->labels.len)
		fwrite(s->labels.at, 1, s->labels.len, stdout);
	printf("</g>\n");
}

static double percent(const struct svg *s, uint64_t cycles)
{
	return 100.0 * (double)cycles / (double)s->scale.length;
}

/* Writes the chip's number beside the first lane of a chip. */
static void put_chip(const struct svg *s, unsigned lane)
{
	char text[32];

	if (lane && dtl_chip(s->h, lane) == dtl_chip(s->h, lane - 1))
		return;
	snprintf(text, sizeof text, "chip %u", dtl_chip(s->h, lane));
	put_text(14, svg_text_y(s, lane), "fill=\"#777\"", text);
	if (lane)
		printf("<path stroke=\"#aab2bb\" d=\"M14 %gH%u\"/>\n", svg_lane_y(s, lane) - (s->row > 14 ? 1.5 : 1), SVG_LEFT);
}

static void put_names(const struct svg *s)
{
	char text[32], name[DTL_NAME_LEN];
	unsigned threads = s->h->threads;

	printf("<g font-size=\"%u\">\n", s->row > 14 ? 12 : 9);
	for (unsigned i = 0; i < s->lanes; i++) {
		if (i < s->physical) {
			put_chip(s, i);
			snprintf(text, sizeof text, threads > 1 ? "%u.%u" : "%u", i / threads, i % threads);
		} else {
			snprintf(text, sizeof text, "%s", dtl_vp_name(s->h, s->vp_of[i - s->physical], name));
		}
		put_text(SVG_LEFT - 8, svg_text_y(s, i), "text-anchor=\"end\"", text);
	}
	printf("</g>\n");
}

static void put_numbers(const struct svg *s)
{
	const char *right = "text-anchor=\"end\"";
	char text[32];

	printf("<g fill=\"#555\" font-size=\"%u\">\n", s->row > 14 ? 11 : 9);
	for (unsigned i = 0; i < s->lanes; i++) {
		bool physical = i < s->physical;
		const uint64_t *busy = s->totals.busy[physical ? i / s->h->threads : 0];
		const struct vp_totals *v = &s->totals.vp[physical ? 0 : s->vp_of[i - s->physical]];

		snprintf(text, sizeof text, "%.1f", percent(s, physical ? busy[PARTITION_GUEST] : v->time[VP_RUNNING]));
		put_text(SVG_LEFT + SVG_COLUMNS + 78, svg_text_y(s, i), right, text);
		snprintf(text, sizeof text, "%.1f", percent(s, physical ? busy[PARTITION_LOAD] : dtl_stolen(v)));
		put_text(SVG_LEFT + SVG_COLUMNS + 140, svg_text_y(s, i), right, text);
	}
	printf("</g>\n");
}

static void put_heading(unsigned y, const char *what, const char *first, const char *second)
{
	put_text(14, y - 8, "font-weight=\"bold\" fill=\"#111\"", what);
	put_text(SVG_LEFT + SVG_COLUMNS + 78, y - 8, "text-anchor=\"end\" font-size=\"10\" fill=\"#777\"", first);
	put_text(SVG_LEFT + SVG_COLUMNS + 140, y - 8, "text-anchor=\"end\" font-size=\"10\" fill=\"#777\"", second);
}

static void put_swatch(double x, double y, uint32_t colour)
{
	printf("<rect x=\"%g\" y=\"%g\" width=\"16\" height=\"12\" stroke=\"#b9c0c8\" stroke-width=\".5\" fill=\"", x, y);
	put_colour(colour);
	printf("\"/>");
}

static void put_vp_legend(const struct svg *s, double y)
{
	double x = SVG_LEFT;
	char name[DTL_NAME_LEN];

	put_text(14, y + 10, "fill=\"#555\"", "Who ran");
	for (unsigned i = 0; i < s->h->cpus + (s->h->loads > 0); i++) {
		bool load = dtl_is_load(s->h, i);

		if (x + 46 > SVG_LEFT + SVG_COLUMNS + RIGHT - 20) {
			x = SVG_LEFT;
			y += 20;
		}
		put_swatch(x, y, colour_vp(s->h->cpus, i));
		put_text(x + 20, y + 10, "font-size=\"11\"", load ? "load" : dtl_vp_name(s->h, i, name));
		x += 46;
	}
}

static void put_legend(const struct svg *s)
{
	double x = SVG_LEFT, y = svg_lane_y(s, s->lanes) + BOTTOM;

	put_text(14, y + 10, "fill=\"#555\"", "States");
	for (unsigned i = 0; i < N_STATES; i++) {
		put_swatch(x, y, colour_state(states[i].state));
		put_text(x + 22, y + 10, "font-size=\"11\"", states[i].text);
		x += 42 + 6.1 * (double)strlen(states[i].text);
	}
	put_swatch(x, y, COLOUR_IDLE);
	put_text(x + 22, y + 10, "font-size=\"11\"", "nobody runs");
	put_vp_legend(s, y + 26);
}

void svg_put_page(const struct svg *s)
{
	unsigned first = svg_lane_y(s, 0), second = svg_lane_y(s, s->physical);

	put_head(s);
	put_titles(s);
	put_backgrounds(s);
	put_heading(first, "Physical", "guest %", "load %");
	put_axis(s, first, svg_lane_y(s, s->physical - 1) + s->row);
	put_heading(second, "Virtual", "running %", "stolen %");
	put_axis(s, second, svg_lane_y(s, s->lanes));
	put_lanes(s);
	put_names(s);
	put_numbers(s);
	put_legend(s);
	puts("</svg>");
}

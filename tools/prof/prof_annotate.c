/* --annotate: a function, instruction by instruction. */
#include <inttypes.h>
#include <string.h>

#include "tools/prof/prof_code.h"
#include "tools/prof/prof_views.h"

static bool find_function(const struct prof_functions *f, const char *name, uint32_t *function, struct error *err)
{
	for (*function = 0; *function < f->n; ++*function)
		if (!strcmp(f->at[*function].name, name) && f->at[*function].visits)
			return true;
	error_set(err, "%.100s: no function '%.80s' has run", f->p->path, name);
	return false;
}

static void put_head(const struct prof_functions *f, const struct prof_function *g, FILE *out)
{
	const struct prof *p = f->p;

	fprintf(out, "%s: %" PRIu64 " cycles (%.2f%%), %" PRIu64 " instructions, CPI %.2f, %" PRIu64 " calls\n\n", g->name, prof_cycles(p, g->units),
		prof_percent(g->units, p->units), g->insns, prof_cpi(p, g->units, g->insns), g->calls);
	fprintf(out, "         address    executions        cycles      %%");
	for (unsigned i = 0; i < p->nreasons; i++)
		if (g->reasons[i])
			fprintf(out, " %11s", p->reason[i]);
	fprintf(out, "      word  instruction\n");
}

static void put_line(const struct prof_functions *f, const struct prof_function *g, const struct prof_insn *i, FILE *out)
{
	char text[256];

	fprintf(out, "%016" PRIx64 " %13" PRIu64 " %13" PRIu64 " %6.2f", i->ea, i->executions, prof_cycles(f->p, i->units),
		prof_percent(i->units, g->units));
	for (unsigned k = 0; k < f->p->nreasons; k++)
		if (g->reasons[k])
			fprintf(out, " %11" PRIu64, prof_cycles(f->p, i->reasons[k]));
	prof_disasm(f, i->ea, i->space, i->word, text, sizeof text);
	fprintf(out, "  %08" PRIx32 "  %s\n", i->word, text);
}

bool prof_annotate(const struct prof_functions *f, const struct prof_options *o, FILE *out, struct error *err)
{
	struct prof_code code;
	uint32_t function;
	uint64_t last = 0;

	if (!find_function(f, o->function, &function, err) || !prof_code_make(&code, f, function, err))
		return false;
	put_head(f, &f->at[function], out);
	for (size_t i = 0; i < code.n; i++) {
		if (i && code.at[i].ea > last + 4)
			fputs("             ...\n", out);
		put_line(f, &f->at[function], &code.at[i], out);
		last = code.at[i].ea;
	}
	prof_code_free(&code);
	return true;
}

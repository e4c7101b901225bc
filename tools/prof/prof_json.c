/* --json: what the table has, for other programs. */
#include <inttypes.h>
#include <stdlib.h>

#include "tools/prof/prof_views.h"

static void put_string(const char *text, FILE *out)
{
	putc('"', out);
	for (; *text; text++) {
		unsigned char c = (unsigned char)*text;

		if (c == '"' || c == '\\')
			fprintf(out, "\\%c", c);
		else if (c < 0x20 || c >= 0x7f)
			fprintf(out, "\\u%04x", c);
		else
			putc(c, out);
	}
	putc('"', out);
}

static void put_reasons(const struct prof *p, const uint64_t *reasons, FILE *out)
{
	fputs("{", out);
	for (unsigned i = 0; i < p->nreasons; i++)
		fprintf(out, "%s\"%s\": %" PRIu64, i ? ", " : "", p->reason[i], prof_cycles(p, reasons[i]));
	fputs("}", out);
}

static void put_totals(const struct prof *p, FILE *out)
{
	fprintf(out, "\"began\": %" PRIu64 ", \"ended\": %" PRIu64 ", \"hz\": %" PRIu64 ", \"timing\": \"%s\", \"processors\": %" PRIu32
		", \"core_hz\": %" PRIu64 ", \"units_in_a_cycle\": %" PRIu32 ", \"units\": %" PRIu64 ", \"cycles\": %" PRIu64
		", \"instructions\": %" PRIu64 ", \"idle\": %" PRIu64 ", \"stopped\": %" PRIu64 ", \"ready\": %" PRIu64 ", \"lost\": ",
		p->began, p->ended, p->hz, p->timing, p->ncpus, p->core_hz, p->per_core, p->units, prof_cycles(p, p->units), p->insns,
		prof_cycles(p, p->away[PROF_IDLE]), prof_cycles(p, p->away[PROF_STOPPED]), prof_cycles(p, p->away[PROF_READY]));
	put_reasons(p, p->reasons, out);
}

static void put_function(const struct prof *p, const struct prof_function *g, FILE *out)
{
	fputs("\n  {\"name\": ", out);
	put_string(g->name, out);
	if (prof_is_user(g->space))
		fprintf(out, ", \"pid\": %" PRIu64, prof_pid(g->space));
	fprintf(out, ", \"address\": \"0x%" PRIx64 "\", \"units\": %" PRIu64 ", \"cycles\": %" PRIu64 ", \"instructions\": %" PRIu64
		", \"calls\": %" PRIu64 ", \"all_units\": %" PRIu64 ", \"all_cycles\": %" PRIu64 ", \"all_instructions\": %" PRIu64 ", \"lost\": ",
		g->addr, g->units, prof_cycles(p, g->units), g->insns, g->calls, g->all_units, prof_cycles(p, g->all_units), g->all_insns);
	put_reasons(p, g->reasons, out);
	putc('}', out);
}

bool prof_json(const struct prof_functions *f, const struct prof_options *o, FILE *out, struct error *err)
{
	uint32_t n, *order = prof_functions_sorted(f, o->order, &n);

	if (!order) {
		error_set(err, "out of memory");
		return false;
	}
	fputs("{", out);
	put_totals(f->p, out);
	fputs(", \"functions\": [", out);
	for (uint32_t i = 0; i < n && (!o->top || i < o->top); i++) {
		if (i)
			putc(',', out);
		put_function(f->p, &f->at[order[i]], out);
	}
	fputs("\n]}\n", out);
	free(order);
	return true;
}

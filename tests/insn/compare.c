/* Shows how two outcomes of a case differ. */
#include "compare.h"

#include <stdio.h>
#include <string.h>

static void show_word(const char *name, uint64_t in, uint64_t want, uint64_t got)
{
	if (want != got)
		printf("    %s: %016llx -> oracle %016llx, cede %016llx\n", name, (unsigned long long)in,
		       (unsigned long long)want, (unsigned long long)got);
}

static void show_vector(unsigned n, const uint64_t *in, const uint64_t *want, const uint64_t *got)
{
	if (memcmp(want, got, 16))
		printf("    vs%u: %016llx %016llx -> oracle %016llx %016llx, cede %016llx %016llx\n", n,
		       (unsigned long long)in[0], (unsigned long long)in[1], (unsigned long long)want[0],
		       (unsigned long long)want[1], (unsigned long long)got[0], (unsigned long long)got[1]);
}

/* The registers that fields of the word may name, whatever they do name. */
static void show_operands(const struct testcase *in)
{
	const struct state *s = &in->state;

	for (unsigned shift = 6; shift <= 21; shift += 5) {
		unsigned n = in->word >> shift & 31;

		printf("    field at %2u = %2u: r %016llx  vs %016llx %016llx  vr %016llx %016llx\n", shift, n,
		       (unsigned long long)s->r[n], (unsigned long long)s->vsr[n][0], (unsigned long long)s->vsr[n][1],
		       (unsigned long long)s->vsr[32 + n][0], (unsigned long long)s->vsr[32 + n][1]);
	}
	printf("    cr %08llx xer %08llx fpscr %09llx vscr %llx\n", (unsigned long long)s->cr, (unsigned long long)s->xer,
	       (unsigned long long)s->fpscr, (unsigned long long)s->vscr);
}

void compare_show(const struct view *v)
{
	static const char *const outcomes[] = { "ran", "illegal", "alignment", "storage", "trapped" };
	const struct state *i = &v->in->state, *w = &v->want->state, *g = &v->got->state;
	char name[16];

	printf("  %s %08x %08x\n", v->insn->name, v->in->prefix, v->in->word);
	if (v->want->outcome != v->got->outcome)
		printf("    outcome: oracle %s, cede %s\n", outcomes[v->want->outcome % ARRAY_SIZE(outcomes)],
		       outcomes[v->got->outcome % ARRAY_SIZE(outcomes)]);
	for (unsigned n = 0; n < 32; n++) {
		snprintf(name, sizeof name, "r%u", n);
		show_word(name, i->r[n], w->r[n], g->r[n]);
	}
	for (unsigned n = 0; n < 64; n++)
		show_vector(n, i->vsr[n], w->vsr[n], g->vsr[n]);
	show_word("cr", i->cr, w->cr, g->cr);
	show_word("xer", i->xer, w->xer, g->xer);
	show_word("fpscr", i->fpscr, w->fpscr, g->fpscr);
	show_word("vscr", i->vscr, w->vscr, g->vscr);
	for (unsigned n = 0; n < MEM_BYTES / 8; n++) {
		snprintf(name, sizeof name, "mem+%u", 8 * n);
		show_word(name, i->mem[n], w->mem[n], g->mem[n]);
	}
	show_operands(v->in);
}

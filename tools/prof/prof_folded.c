/* Stacks, one a line, as flamegraph.pl reads them: outermost function first, then cycles of the innermost itself. */
#include <inttypes.h>
#include <stdlib.h>

#include "tools/prof/prof_views.h"

static void put_name(const char *name, FILE *out)
{
	for (; *name; name++)
		putc(*name == ';' ? ':' : *name, out);
}

/* `path`: room for as many as there are calls. */
static void put_stack(const struct prof_functions *f, const struct prof_tree *t, uint32_t node, uint32_t *path, uint64_t *rest, FILE *out)
{
	uint32_t n = 0;

	for (uint32_t i = node; i; i = t->at[i].parent)
		path[n++] = t->at[i].function;
	if (!n)
		path[n++] = 0;
	while (n--) {
		put_name(f->at[path[n]].name, out);
		putc(n ? ';' : ' ', out);
	}
	fprintf(out, "%" PRIu64 "\n", prof_cycles_of_list(f->p, t->at[node].units, rest));
}

bool prof_folded(const struct prof_functions *f, const struct prof_options *o, FILE *out, struct error *err)
{
	uint32_t *path = calloc(f->p->ncalls, sizeof *path);
	struct prof_tree t;
	uint64_t rest = 0;

	(void)o;
	if (!path) {
		error_set(err, "out of memory");
		return false;
	}
	if (!prof_tree_make(&t, f, err)) {
		free(path);
		return false;
	}
	for (uint32_t i = 0; i < t.n; i++)
		if (t.at[i].units)
			put_stack(f, &t, i, path, &rest, out);
	prof_tree_free(&t);
	free(path);
	return true;
}

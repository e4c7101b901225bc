/* cede-prof: reads what `cede -profile FILE` writes.
 *
 * From the command line to one of the views (tools/prof/prof_views.h) and an exit status. */
#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "savevm/file.h"
#include "tools/prof/prof_pipeline.h"

enum { EXIT_USAGE = 2 };
#define DEFAULT_TOP  30
#define MAX_SYMBOLS  64

static const char usage[] =
	"usage: cede-prof [OPTIONS] FILE       the hottest functions; FILE is of cede -profile, - is stdin\n"
	"\n"
	"  --annotate FUNCTION  its instructions: executions, cycles\n"
	"  --callgrind OUT   for callgrind_annotate and KCachegrind\n"
	"  --folded OUT      stacks, one a line, as flamegraph.pl reads them\n"
	"  --svg OUT         a flame graph\n"
	"  --compare OTHER   functions of FILE and of OTHER, by difference of cycles\n"
	"  --pipeline WHERE  how code goes through the core; an address, a function, or FUNCTION+OFFSET; with --svg, a picture\n"
	"  --words W,W,...   the same for instructions by their hexadecimal words; without FILE\n"
	"  --totals          cycles, instructions, events and lost time of all, as perf stat shows them\n"
	"  --json            what the table has, for other programs\n"
	"\n"
	"  --symbols SYMBOLS[@ADDR]  names of functions: a System.map, or an ELF file, which lies at ADDR; repeatable\n"
	"  --top N           rows (30; 0: all)\n"
	"  --sort KEY        self, all, instructions, calls, name\n"
	"  --title TEXT      above the picture\n"
	"  --timing MODEL    of the pipeline: power8, power9, power10 (the profile's)\n"
	"  --rounds N        through the pipeline (one; of a loop, until it has settled)\n"
	"\n"
	"OUT is a file, or - for standard output. The guest's kernel's names are in FILE.\n";

enum {
	OPT_ANNOTATE = 256, OPT_CALLGRIND, OPT_FOLDED, OPT_SVG, OPT_COMPARE, OPT_JSON, OPT_TOTALS, OPT_PIPELINE, OPT_WORDS, OPT_TIMING, OPT_ROUNDS, OPT_SYMBOLS, OPT_TOP, OPT_SORT, OPT_TITLE, OPT_HELP,
	OPT_VERSION,
};

static const struct option long_options[] = {
	{ "annotate", required_argument, NULL, OPT_ANNOTATE }, { "callgrind", required_argument, NULL, OPT_CALLGRIND },
	{ "folded", required_argument, NULL, OPT_FOLDED }, { "svg", required_argument, NULL, OPT_SVG },
	{ "compare", required_argument, NULL, OPT_COMPARE }, { "json", no_argument, NULL, OPT_JSON }, { "totals", no_argument, NULL, OPT_TOTALS },
	{ "pipeline", required_argument, NULL, OPT_PIPELINE }, { "words", required_argument, NULL, OPT_WORDS },
	{ "timing", required_argument, NULL, OPT_TIMING }, { "rounds", required_argument, NULL, OPT_ROUNDS },
	{ "symbols", required_argument, NULL, OPT_SYMBOLS }, { "top", required_argument, NULL, OPT_TOP },
	{ "sort", required_argument, NULL, OPT_SORT }, { "title", required_argument, NULL, OPT_TITLE },
	{ "help", no_argument, NULL, OPT_HELP }, { "version", no_argument, NULL, OPT_VERSION }, { 0 },
};

/* The options that choose another view than the table, and what their arguments are. */
static const struct view {
	int option;
	prof_view *view;
	enum { NO_ARGUMENT, A_FILE, A_FUNCTION, A_PROFILE } argument;
} views[] = {
	{ OPT_ANNOTATE, prof_annotate, A_FUNCTION }, { OPT_CALLGRIND, prof_callgrind, A_FILE }, { OPT_FOLDED, prof_folded, A_FILE },
	{ OPT_SVG, prof_svg, A_FILE }, { OPT_JSON, prof_json, NO_ARGUMENT }, { OPT_TOTALS, prof_totals, NO_ARGUMENT }, { OPT_COMPARE, NULL, A_PROFILE },
};

static const char *const orders[PROF_ORDERS] = {
	[PROF_BY_SELF] = "self", [PROF_BY_ALL] = "all", [PROF_BY_INSNS] = "instructions", [PROF_BY_CALLS] = "calls", [PROF_BY_NAME] = "name",
};

struct command {
	struct prof_options o;
	const struct view *view;	/* NULL: the table */
	const char *out, *other;	/* NULL: standard output; none */
	const char *symbols[MAX_SYMBOLS];
	unsigned nsymbols;
	bool help, version, rounds_given;
};

/* ---- The command line ---- */

static bool choose_view(struct command *c, int option, const char *arg, struct error *err)
{
	for (unsigned i = 0; i < sizeof views / sizeof *views; i++) {
		if (views[i].option != option)
			continue;
		if (c->view) {
			error_set(err, "--annotate, --callgrind, --folded, --svg, --compare, --json, --totals: one at a time");
			return false;
		}
		c->view = &views[i];
		if (views[i].argument == A_FILE)
			c->out = strcmp(arg, "-") ? arg : NULL;
		else if (views[i].argument == A_FUNCTION)
			c->o.function = arg;
		else if (views[i].argument == A_PROFILE)
			c->other = arg;
	}
	return true;
}

static bool take_number(const char *option, const char *text, uint32_t most, uint32_t *number, struct error *err)
{
	char *end;
	unsigned long long n;

	errno = 0;
	n = strtoull(text, &end, 10);
	if (*text < '0' || *text > '9' || *end || errno || n > most) {
		error_set(err, "%s takes a number up to %u: '%.60s'", option, most, text);
		return false;
	}
	*number = (uint32_t)n;
	return true;
}

static bool take_order(struct command *c, const char *text, struct error *err)
{
	for (unsigned i = 0; i < PROF_ORDERS; i++) {
		if (strcmp(orders[i], text))
			continue;
		c->o.order = (enum prof_order)i;
		return true;
	}
	error_set(err, "--sort takes self, all, instructions, calls or name: '%.60s'", text);
	return false;
}

static bool take_option(struct command *c, int option, const char *arg, struct error *err)
{
	switch (option) {
	case OPT_TITLE: c->o.title = arg; return true;
	case OPT_HELP: return c->help = true;
	case OPT_VERSION: return c->version = true;
	case OPT_PIPELINE: c->o.where = arg; return true;
	case OPT_WORDS: c->o.words = arg; return true;
	case OPT_TIMING: c->o.timing = arg; return true;
	case OPT_ROUNDS: c->rounds_given = true; return take_number("--rounds", arg, PIPELINE_ROUNDS, &c->o.rounds, err);
	case OPT_TOP: return take_number("--top", arg, UINT32_MAX, &c->o.top, err);
	case OPT_SORT: return take_order(c, arg, err);
	case OPT_SYMBOLS:
		if (c->nsymbols == MAX_SYMBOLS) {
			error_set(err, "--symbols: %u at most", MAX_SYMBOLS);
			return false;
		}
		c->symbols[c->nsymbols++] = arg;
		return true;
	case '?': error_set(err, "%s", ""); return false;
	default: return choose_view(c, option, arg, err);
	}
}

/* Code is drawn as text or as a picture, and from one place. */
static bool pipeline_alone(struct command *c, struct error *err)
{
	if (!c->o.where && !c->o.words) {
		if (c->o.timing || c->rounds_given)
			error_set(err, "%s goes with --pipeline or --words", c->o.timing ? "--timing" : "--rounds");
		return !c->o.timing && !c->rounds_given;
	}
	c->o.picture = c->view && c->view->option == OPT_SVG;
	if (c->o.where && c->o.words) {
		error_set(err, "--pipeline, --words: one at a time");
		return false;
	}
	if (c->view && !c->o.picture) {
		error_set(err, "%s goes with --svg alone", c->o.where ? "--pipeline" : "--words");
		return false;
	}
	return prof_pipeline_fits(&c->o, err);
}

static bool parse_arguments(struct command *c, int argc, char **argv, struct error *err)
{
	int option;

	while ((option = getopt_long(argc, argv, "h", long_options, NULL)) >= 0)
		if (!take_option(c, option == 'h' ? OPT_HELP : option, optarg, err))
			return false;
	if (c->help || c->version)
		return true;
	if (!pipeline_alone(c, err))
		return false;
	if (argc - optind == !c->o.words)
		return true;
	if (c->o.words) {
		error_set(err, "--words takes no profile");
		return false;
	}
	error_set(err, argc > optind ? "one profile at a time (--compare OTHER takes a second one)" : "which profile? (cede-prof --help)");
	return false;
}

/* ---- What is asked for ---- */

/* A profile with names and functions. */
struct loaded {
	struct prof p;
	struct prof_symbols symbols;
	struct prof_functions f;
};

static bool load(struct loaded *l, const struct command *c, const char *path, struct error *err)
{
	if (!prof_open(&l->p, path, err))
		return false;
	for (unsigned i = 0; i < c->nsymbols; i++)
		if (!prof_symbols_load(&l->symbols, c->symbols[i], err))
			return false;
	if (!prof_symbols_take(&l->symbols, &l->p, err))
		return false;
	prof_symbols_sort(&l->symbols);
	return prof_functions_make(&l->f, &l->p, &l->symbols, err);
}

static void unload(struct loaded *l)
{
	prof_functions_free(&l->f);
	prof_symbols_free(&l->symbols);
	prof_close(&l->p);
}

static bool show(const struct command *c, const struct loaded l[2], FILE *out, struct error *err)
{
	const struct prof_functions f[2] = { l[0].f, l[1].f };

	if (c->o.where || c->o.words)
		return prof_pipeline(c->o.words ? NULL : &l->f, &c->o, out, err);
	if (c->other)
		return prof_compare(f, &c->o, out, err);
	return (c->view ? c->view->view : prof_table)(&l->f, &c->o, out, err);
}

/* The file is whole, or the old one. */
static bool show_in_file(const struct command *c, const struct loaded l[2], struct error *err)
{
	struct save_file file;
	FILE *out;
	bool ok, shown;

	if (!save_file_open(&file, c->out, err))
		return false;
	out = fdopen(dup(file.fd), "w");
	shown = out && show(c, l, out, err);
	ok = shown && !ferror(out);
	if (out && fclose(out))
		ok = false;
	if (ok)
		return save_file_commit(&file, err);
	if (shown || !out)
		error_set(err, "cannot write '%.120s': %s", c->out, strerror(errno));
	save_file_drop(&file);
	return false;
}

static bool run_command(const struct command *c, const char *path, struct error *err)
{
	static struct loaded l[2];
	bool ok = c->o.words || (load(&l[0], c, path, err) && (!c->other || load(&l[1], c, c->other, err)));

	if (ok)
		ok = c->out ? show_in_file(c, l, err) : show(c, l, stdout, err);
	unload(&l[0]);
	unload(&l[1]);
	memset(l, 0, sizeof l);
	return ok;
}

static int say_error(const struct error *err, int status)
{
	fprintf(stderr, "cede-prof: %s\n", err->msg);
	return status;
}

int main(int argc, char **argv)
{
	struct command c = { .o.top = DEFAULT_TOP };
	struct error err = { .msg = "" };

	/* A reader that reads no further, such as head(1), ends cede-prof by SIGPIPE: nothing is said about that. */
	signal(SIGPIPE, SIG_DFL);
	if (!parse_arguments(&c, argc, argv, &err)) {
		if (err.msg[0])
			say_error(&err, 0);
		return EXIT_USAGE;
	}
	if (c.help)
		fputs(usage, stdout);
	else if (c.version)
		puts("cede-prof " CEDE_VERSION);
	else if (!run_command(&c, argv[optind], &err)) {
		fflush(stdout);
		return say_error(&err, EXIT_FAILURE);
	}
	if (fflush(stdout) || ferror(stdout)) {
		error_set(&err, "cannot write to standard output");
		return say_error(&err, EXIT_FAILURE);
	}
	return EXIT_SUCCESS;
}

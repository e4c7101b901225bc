/* cede-dtl: reads what `cede -dtl FILE` writes, and dispatch trace logs in a guest's memory.
 *
 * From the command line to one of the views (tools/dtl/dtl_views.h) and an exit status. */
#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "tools/dtl/dtl_views.h"

enum { EXIT_SAME, EXIT_DIFFER, EXIT_TROUBLE };
enum { EXIT_USAGE = 2 };

static const char usage[] =
	"usage: cede-dtl [OPTIONS] FILE            a row for each dispatch; FILE is of cede -dtl, - is stdin\n"
	"       cede-dtl --diff [OPTIONS] A B      whether two logs are the same, and where they differ\n"
	"       cede-dtl --memory FILE [OPTIONS]   the guest's own log in an image of its memory\n"
	"\n"
	"  --transitions     every change of state, not dispatches\n"
	"  --summary         times, dispersion and waits of each virtual processor, use of the physical ones\n"
	"  --histogram       the same, with the waits of each virtual processor as bars\n"
	"  --json            trace events for ui.perfetto.dev and chrome://tracing\n"
	"  --svg             a picture: who ran where, and what the others waited for\n"
	"  --title TEXT      above the picture\n"
	"  --csv             rows for other programs (of the table, --transitions, --summary, --memory)\n"
	"\n"
	"  --cpu LIST        virtual processors, as in 0,2,4-7\n"
	"  --load[=only]     the competing load's too, or only those\n"
	"  --reason LIST     dispatched, or stopped before, for one of these reasons\n"
	"  --from, --to TIME as in 1.5 (seconds), 20ms, 500us, 300ns, 1000c (cycles), 1000tb (timebase)\n"
	"  --longer-than TIME  waited longer than that for a processor\n"
	"\n"
	"  --addr A, --size N  where the guest's log is in the image; as a rule all of it\n"
	"  --index I         its index (VPA 0x218)\n"
	"  --threads T       of a processor of the guest\n"
	"\n"
	"Reasons:";

enum {
	OPT_TRANSITIONS = 256, OPT_SUMMARY, OPT_HISTOGRAM, OPT_JSON, OPT_SVG, OPT_TITLE, OPT_CSV, OPT_DIFF, OPT_MEMORY,
	OPT_CPU, OPT_LOAD, OPT_REASON, OPT_FROM, OPT_TO, OPT_LONGER, OPT_ADDR, OPT_SIZE, OPT_INDEX, OPT_THREADS,
	OPT_HELP, OPT_VERSION,
};

static const struct option long_options[] = {
	{ "transitions", no_argument, NULL, OPT_TRANSITIONS }, { "summary", no_argument, NULL, OPT_SUMMARY },
	{ "histogram", no_argument, NULL, OPT_HISTOGRAM }, { "json", no_argument, NULL, OPT_JSON },
	{ "svg", no_argument, NULL, OPT_SVG }, { "title", required_argument, NULL, OPT_TITLE },
	{ "csv", no_argument, NULL, OPT_CSV }, { "diff", no_argument, NULL, OPT_DIFF },
	{ "memory", required_argument, NULL, OPT_MEMORY }, { "cpu", required_argument, NULL, OPT_CPU },
	{ "load", optional_argument, NULL, OPT_LOAD }, { "reason", required_argument, NULL, OPT_REASON },
	{ "from", required_argument, NULL, OPT_FROM }, { "to", required_argument, NULL, OPT_TO },
	{ "longer-than", required_argument, NULL, OPT_LONGER }, { "addr", required_argument, NULL, OPT_ADDR },
	{ "size", required_argument, NULL, OPT_SIZE }, { "index", required_argument, NULL, OPT_INDEX },
	{ "threads", required_argument, NULL, OPT_THREADS }, { "help", no_argument, NULL, OPT_HELP },
	{ "version", no_argument, NULL, OPT_VERSION }, { 0 },
};

typedef bool view_fn(struct dtl_log *log, const struct dtl_options *o, struct error *err);

/* The options that choose another view than the table. */
static const struct {
	int option;
	view_fn *view;
	bool csv;			/* the view can be written as --csv */
} views[] = {
	{ OPT_TRANSITIONS, dtl_transitions, true }, { OPT_SUMMARY, dtl_summary, true },
	{ OPT_HISTOGRAM, dtl_summary, false }, { OPT_JSON, dtl_json, false }, { OPT_SVG, dtl_svg, false },
};

struct command {
	struct dtl_options o;
	struct dtl_memory memory;
	view_fn *view;			/* NULL: the table */
	bool no_csv, diff, help, version;
};

/* ---- The command line ---- */

static bool parse_number(const char *text, uint64_t *to, const char *option, struct error *err)
{
	char *end;

	errno = 0;
	*to = strtoull(text, &end, 0);
	if (end != text && !*end && *text != '-' && !errno)
		return true;
	error_set(err, "--%s takes a number: '%.60s'", option, text);
	return false;
}

static bool parse_threads(struct dtl_memory *m, const char *text, struct error *err)
{
	uint64_t n;

	if (!parse_number(text, &n, "threads", err))
		return false;
	if (n < 1 || n > DTL_MAX_THREADS) {
		error_set(err, "a processor has 1 to %u threads: '%.60s'", DTL_MAX_THREADS, text);
		return false;
	}
	m->threads = (unsigned)n;
	return true;
}

static bool choose_view(struct command *c, int option, struct error *err)
{
	for (unsigned i = 0; i < sizeof views / sizeof *views; i++) {
		if (views[i].option != option)
			continue;
		if (c->view && c->view != views[i].view) {
			error_set(err, "--transitions, --summary, --json, --svg: one at a time");
			return false;
		}
		c->view = views[i].view;
		c->no_csv |= !views[i].csv;
		c->o.histograms |= option == OPT_HISTOGRAM;
	}
	return true;
}

static bool take_option(struct command *c, int option, const char *arg, struct error *err)
{
	switch (option) {
	case OPT_TITLE: c->o.title = arg; return true;
	case OPT_CSV: return c->o.csv = true;
	case OPT_DIFF: return c->diff = true;
	case OPT_HELP: return c->help = true;
	case OPT_VERSION: return c->version = true;
	case OPT_MEMORY: c->memory.path = arg; return true;
	case OPT_CPU: return dtl_filter_cpus(&c->o.filter, arg, err);
	case OPT_LOAD: return dtl_filter_load(&c->o.filter, arg, err);
	case OPT_REASON: return dtl_filter_reasons(&c->o.filter, arg, err);
	case OPT_FROM: return dtl_filter_time(&c->o.filter.from_text, arg, err);
	case OPT_TO: return dtl_filter_time(&c->o.filter.to_text, arg, err);
	case OPT_LONGER: return dtl_filter_time(&c->o.filter.longer_text, arg, err);
	case OPT_ADDR: return parse_number(arg, &c->memory.addr, "addr", err);
	case OPT_SIZE: c->memory.sized = true; return parse_number(arg, &c->memory.size, "size", err);
	case OPT_INDEX: c->memory.indexed = true; return parse_number(arg, &c->memory.index, "index", err);
	case OPT_THREADS: return parse_threads(&c->memory, arg, err);
	case '?': error_set(err, "%s", ""); return false;
	default: return choose_view(c, option, err);
	}
}

static bool fits_together(const struct command *c, int files, struct error *err)
{
	int wanted = c->memory.path ? 0 : c->diff ? 2 : 1;

	if (c->diff && (c->view || c->memory.path || c->o.csv))
		error_set(err, "--diff is something of its own");
	else if (c->memory.path && c->view)
		error_set(err, "--memory is something of its own");
	else if (c->o.csv && c->no_csv)
		error_set(err, "--csv goes with the table, --transitions, --summary and --memory");
	else if (files != wanted)
		error_set(err, wanted == 2 ? "--diff takes two logs" : wanted ? "which log? (cede-dtl --help)" : "--memory takes no log besides");
	else
		return true;
	return false;
}

static bool parse_arguments(struct command *c, int argc, char **argv, struct error *err)
{
	int option;

	while ((option = getopt_long(argc, argv, "h", long_options, NULL)) >= 0)
		if (!take_option(c, option == 'h' ? OPT_HELP : option, optarg, err))
			return false;
	return c->help || c->version || fits_together(c, argc - optind, err);
}

static void print_help(void)
{
	fputs(usage, stdout);
	for (int i = 1; i < VP_REASONS; i++)
		printf(" %s%s", vp_reason_name((enum vp_reason)i), i == VP_REASONS - 1 ? "\n" : "");
}

/* ---- What is asked for ---- */

/* A log without its end is no error: the machine may still run, or have been killed. */
static void say_cut(const struct dtl_log *log)
{
	if (log->cut)
		fprintf(stderr, "cede-dtl: %s: was cut off: no end after %llu records\n", log->name, (unsigned long long)log->records);
}

static int say_error(const struct error *err, int status)
{
	fprintf(stderr, "cede-dtl: %s\n", err->msg);
	return status;
}

static int run_view(struct command *c, const char *path, struct error *err)
{
	struct dtl_log log;
	bool ok = dtl_log_open(&log, path, err) && dtl_filter_resolve(&c->o.filter, &log.h, err) &&
		  (c->view ? c->view : dtl_table)(&log, &c->o, err);

	fflush(stdout);
	if (ok)
		say_cut(&log);
	dtl_log_close(&log);
	return ok ? EXIT_SUCCESS : say_error(err, EXIT_FAILURE);
}

static int run_diff(struct command *c, char *const path[2], struct error *err)
{
	struct dtl_log log[2] = { { 0 }, { 0 } };
	bool differ = false;
	bool ok = dtl_log_open(&log[0], path[0], err) && dtl_log_open(&log[1], path[1], err) && dtl_diff(log, &c->o, &differ, err);

	fflush(stdout);
	for (unsigned i = 0; i < 2; i++) {
		if (ok)
			say_cut(&log[i]);
		dtl_log_close(&log[i]);
	}
	return !ok ? say_error(err, EXIT_TROUBLE) : differ ? EXIT_DIFFER : EXIT_SAME;
}

static int run_command(struct command *c, char *const *files, struct error *err)
{
	if (c->help || c->version) {
		if (c->help)
			print_help();
		else
			puts("cede-dtl " CEDE_VERSION);
		return EXIT_SUCCESS;
	}
	if (c->diff)
		return run_diff(c, files, err);
	if (c->memory.path)
		return dtl_memory(&c->memory, c->o.csv, err) ? EXIT_SUCCESS : (fflush(stdout), say_error(err, EXIT_FAILURE));
	return run_view(c, files[0], err);
}

int main(int argc, char **argv)
{
	struct command c = { .memory.threads = 1 };
	struct error err = { .msg = "" };
	int status;

	/* A reader that reads no further, such as head(1), ends cede-dtl by SIGPIPE: nothing is said about that. */
	signal(SIGPIPE, SIG_DFL);
	if (!parse_arguments(&c, argc, argv, &err)) {
		if (err.msg[0])
			say_error(&err, 0);
		return EXIT_USAGE;
	}
	status = run_command(&c, argv + optind, &err);
	if (!err.msg[0] && (fflush(stdout) || ferror(stdout))) {
		error_set(&err, "cannot write to standard output");
		return say_error(&err, c.diff ? EXIT_TROUBLE : EXIT_FAILURE);
	}
	return status;
}

/* cede: from the command line to an exit status. */
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "machine/board/pseries.h"
#include "machine/host/term.h"
#include "machine/run/options.h"
#include "machine/run/run.h"

static int run_machine(const struct config *options, struct term *term, struct error *err)
{
	struct machine *m;
	int status;

	/* cede's files contain the guest's memory, with its keys and passwords: nobody else may read them. */
	umask(options->has_umask ? options->umask : umask(0) | 077);
	/* The handler is set before any file is opened: a SIGUSR1 that comes early must not end the process. */
	if (options->saves)
		term_catch_save(term);
	m = machine_make(options, term, err);

	if (!m) {
		if (*term_end(term))
			error_set(err, "%s", term_end(term));
		term_free(term);
		fprintf(stderr, "cede: %s\n", err->msg);
		return err->usage ? EXIT_USAGE : EXIT_HOST_ERROR;
	}
	status = machine_run(m);
	machine_free(m);
	term_free(term);
	return status;
}

int main(int argc, char **argv)
{
	struct config options;
	struct error err = { .msg = "" };
	struct term *term;
	int status = EXIT_SUCCESS;

	switch (options_parse(&options, argc, argv, &err, &status)) {
	case OPTIONS_BAD:
		fprintf(stderr, "cede: %s\n", err.msg);
		break;
	case OPTIONS_DONE:
		if (fflush(stdout) || ferror(stdout)) {
			fprintf(stderr, "cede: cannot write to standard output\n");
			status = EXIT_HOST_ERROR;
		}
		break;
	case OPTIONS_RUN:
		if (options.note)
			fprintf(stderr, "cede: %s\n", options.note);
		term = term_new(&err);
		if (term) {
			status = run_machine(&options, term, &err);
		} else {
			fprintf(stderr, "cede: %s\n", err.msg);
			status = EXIT_HOST_ERROR;
		}
		break;
	}
	options_free(&options);
	return status;
}

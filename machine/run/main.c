/* cede: from the command line to an exit status. */
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "machine/board/pseries.h"
#include "machine/host/daemon.h"
#include "machine/host/message.h"
#include "machine/host/pidfile.h"
#include "machine/host/term.h"
#include "machine/run/options.h"
#include "machine/run/run.h"

/* Made, and run to its end; the process's exit status. */
static int run_machine(const struct config *options, struct term *term)
{
	struct error err = { .msg = "" };
	struct machine *m = machine_make(options, term, &err);
	int status;

	if (!m) {
		term_say(term, "%s", *term_end(term) ? term_end(term) : err.msg);
		return err.usage ? EXIT_USAGE : EXIT_HOST_ERROR;
	}
	if (options->note)		/* what fails says one line, and why */
		term_say(term, "%s", options->note);
	status = machine_run(m);
	machine_free(m);
	return status;
}

static int run_with_pidfile(const struct config *options, struct term *term)
{
	struct pidfile pidfile = { .fd = -1 };
	struct error err;
	int status = EXIT_HOST_ERROR;

	/* cede's files contain the guest's memory, with its keys and passwords: nobody else may read them. */
	umask(options->has_umask ? options->umask : umask(0) | 077);
	/* The handler is set before any file is opened: a SIGUSR1 that comes early must not end the process. */
	if (options->saves)
		term_catch_save(term);
	if (!options->pid_file || pidfile_make(&pidfile, options->pid_file, &err))
		status = run_machine(options, term);
	else
		term_say(term, "%s", err.msg);
	pidfile_remove(&pidfile);
	return status;
}

/* What options say to the end, in this process or a new one. */
static int run(const struct config *options)
{
	const struct message message = { .timestamp = options->msg_timestamp, .guest_name = options->msg_name ? options->name : NULL };
	struct daemon daemon = { 0 };
	struct error err;
	struct term *term;
	int status = EXIT_HOST_ERROR;

	if (options->daemonize && !daemon_begin(&daemon, &status))
		return status;
	term = term_new(&err);
	if (term) {
		term_messages(term, &message);
		term_serve(term, &daemon);
		status = run_with_pidfile(options, term);
		term_free(term);
	} else {
		term_say(NULL, "%s", err.msg);
	}
	daemon_fails(&daemon, status);
	return status;
}

int main(int argc, char **argv)
{
	struct config options;
	struct error err = { .msg = "" };
	int status = EXIT_SUCCESS;

	switch (options_parse(&options, argc, argv, &err, &status)) {
	case OPTIONS_BAD:
		term_say(NULL, "%s", err.msg);
		break;
	case OPTIONS_DONE:
		if (fflush(stdout) || ferror(stdout)) {
			term_say(NULL, "cannot write to standard output");
			status = EXIT_HOST_ERROR;
		}
		break;
	case OPTIONS_RUN:
		status = run(&options);
		break;
	}
	options_free(&options);
	return status;
}

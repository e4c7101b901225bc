/* Processes that cede starts: commands of the user's under /bin/sh, and copies of cede itself that write or try a
 * snapshot while the original goes on. Processes are started and waited for here alone. */
#ifndef MACHINE_HOST_CHILD_H
#define MACHINE_HOST_CHILD_H

#include <stdbool.h>
#include <sys/types.h>

struct term;

struct child {
	pid_t pid;			/* 0: none, or it has ended */
	int status;			/* of the last one that has ended, as waitpid() gives it */
};

enum child_stream { CHILD_STDIN, CHILD_STDOUT };

/* /bin/sh -c COMMAND, with no signal blocked. *fd: our end of a pipe to its standard input (its output goes to our
 * standard error, ours may be a protocol's) or from its standard output. False: errno says why. */
bool child_command(struct child *c, const char *command, enum child_stream stream, int *fd);

struct child_work {
	bool (*run)(void *opaque, int report);	/* in the copy, which then ends, with status 0 if that is true */
	void *opaque;
	bool dies_with_us;		/* by SIGKILL, however we end */
	bool own_session;		/* the terminal's signals are not for it, and what it starts cannot ask there */
};

/* A copy of this process, as it is now. *report: reads what the copy writes to its `report`, and an end when it has
 * ended; NULL: no pipe, and `report` is -1. False: errno says why. */
bool child_copy(struct child *c, const struct child_work *work, int *report);

bool child_ended(struct child *c);		/* true: there is none (any more). Never waits */
void child_wait(struct child *c);		/* through all signals */
bool child_wait_or_signal(struct child *c);	/* false: a signal wants this process to end; the child goes on */
/* "ending after WHAT" is said when a signal comes; false: a second one has come, the child goes on. */
bool child_wait_patiently(struct child *c, struct term *term, const char *what);
void child_kill(struct child *c);		/* SIGKILL, to what it has started as well if it has a session */

/* Of the last one that has ended. */
int child_signal(const struct child *c);	/* that ended it; 0: none did */
int child_code(const struct child *c);		/* its exit status, or 128 and that signal, as shells have it; 0: all went well */

#endif

/* Starting processes and waiting for them; see child.h. */
#define _GNU_SOURCE
#include "machine/host/child.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "machine/host/term.h"

/* As fork(), with a pipe of which *fd becomes each process's own end; `reads`: the child reads. -1: errno. */
static pid_t fork_with_pipe(bool reads, int *fd)
{
	int ends[2], error;
	pid_t pid;

	if (pipe2(ends, O_CLOEXEC))
		return -1;
	pid = fork();
	error = errno;
	*fd = ends[(pid == 0) != reads];
	close(ends[(pid == 0) == reads]);
	if (pid < 0)
		close(*fd);
	errno = error;
	return pid;
}

/* False: errno. */
static bool is_started(struct child *c, pid_t pid)
{
	c->pid = pid > 0 ? pid : 0;
	c->status = 0;
	return pid > 0;
}

/* ---- Commands ---- */

static _Noreturn void run_shell(const char *command, enum child_stream stream, int fd)
{
	sigset_t none;

	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	signal(SIGPIPE, SIG_DFL);
	if (stream == CHILD_STDIN) {
		dup2(fd, STDIN_FILENO);
		dup2(STDERR_FILENO, STDOUT_FILENO);
	} else {
		dup2(fd, STDOUT_FILENO);
	}
	close_range(STDERR_FILENO + 1, ~0u, 0);		/* libraries' sockets know no O_CLOEXEC */
	execl("/bin/sh", "sh", "-c", command, (char *)NULL);
	_exit(127);
}

bool child_command(struct child *c, const char *command, enum child_stream stream, int *fd)
{
	pid_t pid = fork_with_pipe(stream == CHILD_STDIN, fd);

	if (!pid)
		run_shell(command, stream, *fd);
	return is_started(c, pid);
}

/* ---- Copies ---- */

static _Noreturn void run_copy(const struct child_work *work, int report, pid_t parent)
{
	if (work->own_session)
		setsid();
	if (work->dies_with_us) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		if (getppid() != parent)	/* it died before the kernel was asked to tell */
			_exit(EXIT_FAILURE);
	}
	_exit(work->run(work->opaque, report) ? EXIT_SUCCESS : EXIT_FAILURE);
}

bool child_copy(struct child *c, const struct child_work *work, int *report)
{
	pid_t parent = getpid(), pid = report ? fork_with_pipe(false, report) : fork();

	if (!pid)
		run_copy(work, report ? *report : -1, parent);
	return is_started(c, pid);
}

/* ---- Their end ---- */

/* 0: not yet; -1: errno. What has ended is gone. */
static pid_t reap(struct child *c, int options)
{
	pid_t ended = waitpid(c->pid, &c->status, options);

	if (ended == c->pid)
		c->pid = 0;
	return ended;
}

bool child_ended(struct child *c)
{
	if (c->pid)
		reap(c, WNOHANG);
	return !c->pid;
}

bool child_wait_or_signal(struct child *c)
{
	return !c->pid || reap(c, 0) > 0;
}

void child_wait(struct child *c)
{
	while (!child_wait_or_signal(c) && errno == EINTR)
		;
}

bool child_wait_patiently(struct child *c, struct term *term, const char *what)
{
	bool ended;

	if (!c->pid)
		return true;
	term_patient(term, what);
	do
		ended = child_wait_or_signal(c);
	while (!ended && errno == EINTR && !term_insists(term));
	term_patient(term, NULL);
	return ended;
}

void child_kill(struct child *c)
{
	if (c->pid && kill(-c->pid, SIGKILL))	/* it is not so far as to have a group, or never will */
		kill(c->pid, SIGKILL);
}

int child_signal(const struct child *c)
{
	return WIFSIGNALED(c->status) ? WTERMSIG(c->status) : 0;
}

int child_code(const struct child *c)
{
	return WIFSIGNALED(c->status) ? 128 + WTERMSIG(c->status) : WEXITSTATUS(c->status);
}

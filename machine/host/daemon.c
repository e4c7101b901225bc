/* Becoming a daemon: see daemon.h. */
#define _GNU_SOURCE
#include "machine/host/daemon.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

/* What the daemon has reported; it ends without a word if it is killed. */
static int wait_for_report(int from)
{
	unsigned char status = EXIT_FAILURE;
	ssize_t n;

	do
		n = read(from, &status, 1);
	while (n < 0 && errno == EINTR);
	if (n <= 0)
		fprintf(stderr, "cede: the daemon has ended before its machine was set up\n");
	return status;
}

static int refuse(const char *what)
{
	fprintf(stderr, "cede: cannot become a daemon: %s: %s\n", what, strerror(errno));
	return EXIT_FAILURE;
}

/* Who leads a session gets a terminal by opening one; its child does not. */
static void leave_session(void)
{
	pid_t pid;

	setsid();
	pid = fork();
	if (pid)
		_exit(pid < 0 ? refuse("fork") : EXIT_SUCCESS);
}

bool daemon_begin(struct daemon *d, int *status)
{
	int ends[2];
	pid_t pid;

	if (pipe2(ends, O_CLOEXEC)) {
		*status = refuse("pipe");
		return false;
	}
	pid = fork();
	if (!pid) {
		close(ends[0]);
		leave_session();
		*d = (struct daemon){ .waited_for = true, .report = ends[1] };
		return true;
	}
	close(ends[1]);
	if (pid < 0) {
		*status = refuse("fork");
	} else {
		waitpid(pid, NULL, 0);
		*status = wait_for_report(ends[0]);
	}
	close(ends[0]);
	return false;
}

void daemon_fails(struct daemon *d, int status)
{
	unsigned char byte = (unsigned char)status;

	if (!d->waited_for)
		return;
	d->waited_for = false;
	(void)!write(d->report, &byte, 1);	/* who has gone does not hear it */
	close(d->report);
}

void daemon_ready(struct daemon *d, int log)
{
	int null;

	if (!d->waited_for)
		return;
	null = open("/dev/null", O_RDWR | O_CLOEXEC);
	for (int fd = STDIN_FILENO; null >= 0 && fd <= STDERR_FILENO; fd++)
		dup2(fd == STDERR_FILENO && log >= 0 ? log : null, fd);
	if (null > STDERR_FILENO)
		close(null);
	daemon_fails(d, EXIT_SUCCESS);
}

/* Processes that cede starts: what they are given, how they end, and who is left alone. */
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <sys/wait.h>
#include <unistd.h>

#include "check.h"
#include "machine/host/child.h"

/* All that comes from a descriptor, up to its end. */
static char *read_all(int fd)
{
	static char text[256];
	ssize_t n;
	size_t at = 0;

	while (at < sizeof text - 1 && (n = read(fd, text + at, sizeof text - 1 - at)) > 0)
		at += (size_t)n;
	text[at] = 0;
	close(fd);
	return text;
}

static void test_commands(void)
{
	struct child c;
	sigset_t term;
	int fd;

	/* A command hears signals that cede keeps for itself. */
	sigemptyset(&term);
	sigaddset(&term, SIGTERM);
	sigprocmask(SIG_BLOCK, &term, NULL);
	check(child_command(&c, "echo said; exit 3", CHILD_STDOUT, &fd), "command-starts");
	check(!strcmp(read_all(fd), "said\n"), "command-output");
	child_wait(&c);
	check_eq(c.pid, 0, "command-gone");
	check_eq(child_code(&c), 3, "command-status");
	check_eq(child_signal(&c), 0, "command-no-signal");

	child_command(&c, "kill -TERM $$; exit 0", CHILD_STDOUT, &fd);
	read_all(fd);
	child_wait(&c);
	check_eq(child_signal(&c), SIGTERM, "command-signal");
	check_eq(child_code(&c), 128 + SIGTERM, "command-signal-status");
	sigprocmask(SIG_UNBLOCK, &term, NULL);

	child_command(&c, "read word; test \"$word\" = heard", CHILD_STDIN, &fd);
	check_eq((uint64_t)write(fd, "heard\n", 6), 6, "command-input");
	close(fd);
	child_wait(&c);
	check_eq(child_code(&c), 0, "command-heard");

	/* A shell that waits for sleep would leave it behind, with the runner's pipe in its hand. */
	child_command(&c, "exec sleep 600", CHILD_STDOUT, &fd);
	check(!child_ended(&c), "still-there");
	child_kill(&c);
	child_wait(&c);
	check_eq(child_signal(&c), SIGKILL, "killed");
	check(child_ended(&c), "ended");
	close(fd);
}

static bool say_session(void *opaque, int report)
{
	bool *own = opaque;
	const char *text = getsid(0) == getpid() ? "own" : "ours";

	*own = true;	/* in the copy: nobody here sees that */
	return write(report, text, strlen(text)) > 0;
}

static bool refuse(void *opaque, int report)
{
	(void)opaque;
	return report != -1;
}

static void test_copies(void)
{
	bool touched = false;
	struct child_work work = { .run = say_session, .opaque = &touched };
	struct child c;
	int fd;

	check(child_copy(&c, &work, &fd), "copy-starts");
	check(!strcmp(read_all(fd), "ours"), "copy-session-ours");
	child_wait(&c);
	check_eq(child_code(&c), 0, "copy-status");
	check(!touched, "copy-is-one");

	work.own_session = true;
	child_copy(&c, &work, &fd);
	check(!strcmp(read_all(fd), "own"), "copy-session-own");
	child_wait(&c);

	work.run = refuse;
	child_copy(&c, &work, NULL);
	child_wait(&c);
	check_eq(child_code(&c), EXIT_FAILURE, "copy-fails");
}

static bool wait_for_ever(void *opaque, int report)
{
	(void)opaque;
	(void)report;
	while (pause())
		;
	return false;
}

/* A process that starts a copy and is killed: whether that lives on shows at its pipe. */
static bool lives_on(bool dies_with_us)
{
	const struct child_work work = { .run = wait_for_ever, .dies_with_us = dies_with_us };
	struct child grandchild;
	int ends[2], fd;
	pid_t child, orphan = 0;
	bool lives;

	if (pipe(ends))
		return !dies_with_us;
	child = fork();
	if (!child) {
		child_copy(&grandchild, &work, &fd);
		if (write(ends[1], &grandchild.pid, sizeof grandchild.pid) < 0)
			_exit(1);
		pause();
	}
	close(ends[1]);
	if (read(ends[0], &orphan, sizeof orphan) < 0)
		return !dies_with_us;
	kill(child, SIGKILL);
	waitpid(child, NULL, 0);
	/* Its end is waited for; that it goes on needs no waiting. */
	lives = poll(&(struct pollfd){ .fd = ends[0] }, 1, dies_with_us ? 20000 : 0) == 0;
	kill(orphan, SIGKILL);
	close(ends[0]);
	return lives;
}

int main(void)
{
	test_commands();
	test_copies();
	check(!lives_on(true), "dies-with-us");
	check(lives_on(false), "outlives-us");
	return check_done();
}

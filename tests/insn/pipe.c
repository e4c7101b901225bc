/* The oracle: a process of its own, within limits of time and memory. */
#include "pipe.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#define ORACLE_CPU_SECONDS  7200
#define ORACLE_BYTES        (UINT64_C(2) << 30)	/* of address space, the emulator's own included */
#define ANSWER_MILLISECONDS 30000

static void become_oracle(const char *command, int in, int out)
{
	const struct rlimit cpu = { ORACLE_CPU_SECONDS, ORACLE_CPU_SECONDS }, memory = { ORACLE_BYTES, ORACLE_BYTES };
	char line[1024];

	signal(SIGPIPE, SIG_DFL);
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	setrlimit(RLIMIT_CPU, &cpu);
	setrlimit(RLIMIT_AS, &memory);
	dup2(in, 0);
	dup2(out, 1);
	snprintf(line, sizeof line, "exec %s", command);
	execl("/bin/sh", "sh", "-c", line, (char *)NULL);
	_exit(127);
}

static bool oracle_start(struct oracle *o)
{
	int to[2], from[2];

	signal(SIGPIPE, SIG_IGN);
	if (pipe2(to, O_CLOEXEC) || pipe2(from, O_CLOEXEC))
		return false;
	o->pid = fork();
	if (o->pid == 0)
		become_oracle(o->command, to[0], from[1]);
	close(to[0]);
	close(from[1]);
	o->to = to[1];
	o->from = from[0];
	return o->pid > 0;
}

void oracle_stop(struct oracle *o)
{
	if (o->pid <= 0)
		return;
	kill(o->pid, SIGKILL);
	waitpid(o->pid, NULL, 0);
	close(o->to);
	close(o->from);
	o->pid = 0;
}

bool oracle_ask(struct oracle *o, const struct testcase *in)
{
	const char *p = (const char *)in;
	ssize_t n;

	if (!o->pid && !oracle_start(o))
		return false;
	for (size_t left = CHUNK * sizeof *in; left; left -= (size_t)n, p += n)
		if ((n = write(o->to, p, left)) <= 0)
			return false;
	return true;
}

bool oracle_answer(struct oracle *o, struct testcase *out)
{
	struct pollfd pfd = { .fd = o->from, .events = POLLIN };
	char *p = (char *)out;
	ssize_t n;

	for (size_t left = CHUNK * sizeof *out; left; left -= (size_t)n, p += n)
		if (poll(&pfd, 1, ANSWER_MILLISECONDS) <= 0 || (n = read(o->from, p, left)) <= 0)
			return false;
	return true;
}

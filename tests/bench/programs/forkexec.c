/* Processes that come and go: fork, execute this program again, leave with a status, collect it. */
#include <sys/wait.h>
#include <unistd.h>
#include "bench.h"

static uint8_t run(uint64_t number)
{
	char text[24];
	int status;

	snprintf(text, sizeof(text), "%u", (unsigned)(number % 97));
	pid_t child = fork();
	bench_need(child >= 0, "fork");
	if (!child) {
		execl("/proc/self/exe", "forkexec", "leave", text, NULL);
		_exit(127);
	}
	bench_need(waitpid(child, &status, 0) == child && WIFEXITED(status), "waitpid");
	bench_need(WEXITSTATUS(status) == number % 97, "exec");
	return WEXITSTATUS(status);
}

int main(int argc, char **argv)
{
	uint64_t sum = 0;

	if (argc == 3 && !strcmp(argv[1], "leave"))
		return atoi(argv[2]);
	for (uint64_t work = bench_work(argc, argv, 200); work; work--)
		sum = bench_add(sum, run(work));
	return bench_done("forkexec", sum);
}

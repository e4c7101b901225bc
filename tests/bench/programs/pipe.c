/* Two processes that pass a number to and fro through pipes: each turn is two context switches. */
#define _GNU_SOURCE
#include <sys/wait.h>
#include <unistd.h>
#include "bench.h"
#include "one_cpu.h"

static uint64_t receive(int fd)
{
	uint64_t value;

	bench_need(read(fd, &value, sizeof(value)) == sizeof(value), "read");
	return value;
}

static void send(int fd, uint64_t value)
{
	bench_need(write(fd, &value, sizeof(value)) == sizeof(value), "write");
}

int main(int argc, char **argv)
{
	const uint64_t work = bench_work(argc, argv, 4000);
	int there[2], back[2], status;
	uint64_t value = 1;

	one_cpu();
	bench_need(!pipe(there) && !pipe(back), "pipe");
	pid_t child = fork();
	bench_need(child >= 0, "fork");
	if (!child) {
		for (uint64_t i = 0; i < work; i++)
			send(back[1], bench_add(receive(there[0]), i));
		_exit(0);
	}
	for (uint64_t i = 0; i < work; i++) {
		send(there[1], value);
		value = receive(back[0]);
	}
	bench_need(waitpid(child, &status, 0) == child && !status, "waitpid");
	return bench_done("pipe", value);
}

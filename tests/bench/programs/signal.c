/* Signals to oneself: delivery, the handler's frame with all its registers, and the return. */
#include <signal.h>
#include <unistd.h>
#include "bench.h"

static volatile uint64_t seen;

static void handler(int number)
{
	seen += number;
}

int main(int argc, char **argv)
{
	struct sigaction action = { .sa_handler = handler };

	bench_need(!sigaction(SIGUSR1, &action, NULL), "sigaction");
	for (uint64_t work = bench_work(argc, argv, 50000); work; work--)
		bench_need(!raise(SIGUSR1), "raise");
	return bench_done("signal", seen);
}

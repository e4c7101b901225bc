/* System calls that do next to nothing: the way into the kernel and back. */
#include <sys/syscall.h>
#include <unistd.h>
#include "bench.h"

int main(int argc, char **argv)
{
	const uint64_t work = bench_work(argc, argv, 550000);
	const long parent = syscall(SYS_getppid);
	uint64_t same = 0;

	for (uint64_t i = 0; i < work; i++)
		same += syscall(SYS_getppid) == parent;
	return bench_done("syscall", same);
}

/* Three processes wait for a word of memory to change, with no hint that they do, while the fourth works: as other
 * processors wait in kexec's purgatory while one of them checks the image. */
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>
#include "bench.h"

#define WAITING 3

static uint32_t turn(uint32_t x, unsigned by) { return x << by | x >> (32 - by); }

/* Something like SHA-256's rounds. */
static uint64_t work_on(uint64_t work)
{
	uint32_t a = 1, b = 2, c = 3, d = 4;

	for (uint64_t i = 0; i < work; i++) {
		uint32_t t = (turn(a, 6) ^ turn(a, 11) ^ turn(a, 25)) + ((a & b) ^ (~a & c)) + d + (uint32_t)i;

		d = c;
		c = b;
		b = a;
		a = t;
	}
	return (uint64_t)a << 32 | d;
}

int main(int argc, char **argv)
{
	const uint64_t work = bench_work(argc, argv, 8000000);
	volatile uint64_t *flag = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	uint64_t sum;
	int status;

	bench_need(flag != MAP_FAILED, "mmap");
	for (unsigned i = 0; i < WAITING; i++) {
		pid_t child = fork();

		bench_need(child >= 0, "fork");
		if (!child) {
			while (!*flag)
				;
			_exit(0);
		}
	}
	sum = work_on(work);
	*flag = 1;
	for (unsigned i = 0; i < WAITING; i++)
		bench_need(wait(&status) > 0 && !status, "wait");
	return bench_done("waiting", sum);
}

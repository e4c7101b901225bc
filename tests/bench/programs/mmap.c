/* Many small areas mapped, protected, unmapped in another order: the kernel's work on address spaces. */
#define _DEFAULT_SOURCE
#include <sys/mman.h>
#include <unistd.h>
#include "bench.h"

#define AREAS	64

static uint64_t churn(size_t page, uint64_t sum)
{
	uint8_t *area[AREAS];

	for (uint32_t i = 0; i < AREAS; i++) {
		/* The page after each stays out of reach, so that no two areas become one. */
		area[i] = mmap(NULL, 3 * page, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		bench_need(area[i] != MAP_FAILED, "mmap");
		bench_need(!mprotect(area[i], 2 * page, PROT_READ | PROT_WRITE), "mprotect");
		area[i][page] = i;
	}
	for (uint32_t i = 0; i < AREAS; i++) {
		uint8_t *each = area[i * 37 % AREAS];
		sum = bench_add(sum, each[page]);
		bench_need(!munmap(each, 3 * page), "munmap");
	}
	return sum;
}

int main(int argc, char **argv)
{
	const size_t page = sysconf(_SC_PAGESIZE);
	uint64_t sum = 0;

	for (uint64_t work = bench_work(argc, argv, 140); work; work--)
		sum = churn(page, sum);
	return bench_done("mmap", sum);
}

/* Page faults: touch anonymous memory, give it back with MADV_DONTNEED, touch it again. */
#define _DEFAULT_SOURCE
#include <sys/mman.h>
#include <unistd.h>
#include "bench.h"

#define SIZE	(8 << 20)

/* Every second page is read first: the kernel maps its page of zeros, and copies that at the write. */
static uint64_t touch(uint8_t *memory, size_t page, uint64_t round)
{
	uint64_t sum = 0;

	for (size_t at = 0; at < SIZE; at += page) {
		if (at / page % 2)
			sum += memory[at];
		memory[at + 8] = round + at / page;
		sum = bench_add(sum, memory[at + 8]);
	}
	return sum;
}

int main(int argc, char **argv)
{
	const size_t page = sysconf(_SC_PAGESIZE);
	uint8_t *memory = mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	uint64_t sum = 0;

	bench_need(memory != MAP_FAILED, "mmap");
	madvise(memory, SIZE, MADV_NOHUGEPAGE);		/* a kernel without huge pages may refuse */
	for (uint64_t work = bench_work(argc, argv, 190); work; work--) {
		sum = bench_add(sum, touch(memory, page, work));
		bench_need(!madvise(memory, SIZE, MADV_DONTNEED), "madvise");
	}
	return bench_done("faults", sum);
}

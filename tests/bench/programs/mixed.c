/* Four processes that have nothing in common: one sorts, one copies text, one calls the system, one touches fresh
 * memory. With several processors each has caches of its own to fill, again and again. */
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>
#include "bench.h"

#define KINDS 4

static int by_value(const void *a, const void *b)
{
	const uint32_t *x = a, *y = b;

	return (*x > *y) - (*x < *y);
}

static uint64_t sorting(uint64_t work)
{
	static uint32_t numbers[1024];
	uint64_t state = 1, sum = 0;

	for (uint64_t i = 0; i < work; i++) {
		for (unsigned k = 0; k < ARRAY_SIZE(numbers); k++)
			numbers[k] = (uint32_t)bench_random(&state);
		qsort(numbers, ARRAY_SIZE(numbers), sizeof numbers[0], by_value);
		sum = bench_add(sum, numbers[i % ARRAY_SIZE(numbers)]);
	}
	return sum;
}

static uint64_t copying(uint64_t work)
{
	static char from[4096], to[4096];
	uint64_t sum = 0;

	for (uint64_t i = 0; i < 40 * work; i++) {
		unsigned n = 0;

		snprintf(from, sizeof from, "%d words, %x of them long, and so on", (int)i, (unsigned)i * 77);
		for (const char *p = from; *p; p++)
			to[n++] = *p == ' ' ? '_' : *p;
		sum = bench_add(sum, n + (uint64_t)to[n / 2]);
	}
	return sum;
}

static uint64_t calling(uint64_t work)
{
	uint64_t sum = 0;

	for (uint64_t i = 0; i < 60 * work; i++)
		sum = bench_add(sum, (uint64_t)(lseek(0, -1, SEEK_SET) < 0));
	return sum;
}

static uint64_t touching(uint64_t work)
{
	uint64_t sum = 0;

	for (uint64_t i = 0; i < work; i++) {
		uint64_t *p = mmap(NULL, 1 << 18, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

		bench_need(p != MAP_FAILED, "mmap");
		for (unsigned k = 0; k < (1 << 18) / sizeof *p; k += 512)
			sum = bench_add(sum, p[k]++);
		munmap(p, 1 << 18);
	}
	return sum;
}

int main(int argc, char **argv)
{
	static uint64_t (*const kinds[KINDS])(uint64_t) = { sorting, copying, calling, touching };
	const uint64_t work = bench_work(argc, argv, 500);
	uint64_t *sums = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0), sum = 0;
	int status;

	bench_need(sums != MAP_FAILED, "mmap");
	for (unsigned i = 0; i < KINDS; i++) {
		pid_t child = fork();

		bench_need(child >= 0, "fork");
		if (!child) {
			sums[i] = kinds[i](work);
			_exit(0);
		}
	}
	for (unsigned i = 0; i < KINDS; i++)
		bench_need(wait(&status) > 0 && !status, "wait");
	for (unsigned i = 0; i < KINDS; i++)
		sum = bench_add(sum, sums[i]);
	return bench_done("mixed", sum);
}

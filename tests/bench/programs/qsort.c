/* The C library's qsort(): compares through a pointer, moves elements of two sizes. */
#include "bench.h"

#define COUNT	20000

struct record {
	uint32_t key;
	char     name[12];
};

static int by_number(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return (x > y) - (x < y);
}

static int by_name(const void *a, const void *b)
{
	return memcmp(((const struct record *)a)->name, ((const struct record *)b)->name, 12);
}

int main(int argc, char **argv)
{
	static uint64_t numbers[COUNT];
	static struct record records[COUNT];
	uint64_t sum = 0, seed = 1;

	for (uint64_t work = bench_work(argc, argv, 34); work; work--) {
		for (uint32_t i = 0; i < COUNT; i++) {
			numbers[i] = bench_random(&seed);
			records[i].key = i;
			for (uint32_t j = 0; j < 12; j++)
				records[i].name[j] = 'a' + (numbers[i] >> 5 * j) % 3;
		}
		qsort(numbers, COUNT, sizeof(numbers[0]), by_number);
		qsort(records, COUNT, sizeof(records[0]), by_name);
		for (uint32_t i = 0; i < COUNT; i += 97)
			sum = bench_add(bench_add(sum, numbers[i]), (uint8_t)records[i].name[i % 12]);
	}
	return bench_done("qsort", sum);
}

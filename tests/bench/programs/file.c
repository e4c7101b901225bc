/* A file in the page cache: small blocks written in turn, read at random, its size changed, removed. */
#define _DEFAULT_SOURCE
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>
#include "bench.h"

#define BLOCK	512
#define BLOCKS	256

static const char path[] = "/tmp/cede.bench";

static uint64_t write_and_read(int fd, uint64_t *seed, uint64_t sum)
{
	uint64_t block[BLOCK / 8];
	struct stat status;

	bench_need(!lseek(fd, 0, SEEK_SET), "lseek");
	for (uint32_t i = 0; i < BLOCKS; i++) {
		memset(block, i, BLOCK);
		block[3] = bench_random(seed);
		bench_need(write(fd, block, BLOCK) == BLOCK, "write");
	}
	for (uint32_t i = 0; i < BLOCKS; i++) {
		const off_t at = bench_random(seed) % BLOCKS * BLOCK;
		bench_need(pread(fd, block, BLOCK, at) == BLOCK, "pread");
		sum = bench_add(sum, block[3] + block[5]);
	}
	bench_need(!fstat(fd, &status) && !ftruncate(fd, BLOCK), "ftruncate");
	return bench_add(sum, status.st_size);
}

int main(int argc, char **argv)
{
	uint64_t sum = 0, seed = 59;

	for (uint64_t work = bench_work(argc, argv, 330); work; work--) {
		int fd = open(path, O_RDWR | O_CREAT | O_EXCL, 0600);
		bench_need(fd >= 0, path);
		sum = write_and_read(fd, &seed, sum);
		bench_need(!unlink(path) && !close(fd), path);
	}
	return bench_done("file", sum);
}

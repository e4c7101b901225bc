/* A disk past the guest's page cache: blocks of one size, in turn or at random, so many at a time.
 *
 *	diskio FILE read|write BYTES COUNT DEPTH [random SPAN]
 *
 * In turn: the blocks 0 to COUNT - 1. At random: COUNT blocks somewhere among the first SPAN. Each begins with a number
 * that its place gives; what is read must have it. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <linux/aio_abi.h>
#include <sys/syscall.h>
#include <unistd.h>
#include "bench.h"

#define MAX_DEPTH 256

struct work {
	int fd, opcode;
	uint64_t bytes, count, span, seed, submitted, sum;
};

static uint64_t mark_of(uint64_t block)
{
	return (block + 1) * 0x9e3779b97f4a7c15u;
}

static void submit(struct work *w, aio_context_t context, struct iocb *io)
{
	uint64_t block = w->span ? bench_random(&w->seed) % w->span : w->submitted;

	w->submitted++;
	io->aio_lio_opcode = w->opcode;
	io->aio_fildes = w->fd;
	io->aio_nbytes = w->bytes;
	io->aio_offset = block * w->bytes;
	io->aio_data = block;
	if (w->opcode == IOCB_CMD_PWRITE)
		*(uint64_t *)(uintptr_t)io->aio_buf = mark_of(block);
	bench_need(syscall(SYS_io_submit, context, 1, &io) == 1, "io_submit");
}

/* The order in which requests end is the machine's affair: the sum is the same in any. */
static void finish(struct work *w, const struct io_event *event)
{
	const struct iocb *io = (const struct iocb *)(uintptr_t)event->obj;
	const uint64_t found = *(const uint64_t *)(uintptr_t)io->aio_buf;

	bench_need(event->res == (int64_t)w->bytes, "short");
	if (found != mark_of(event->data)) {
		fprintf(stderr, "diskio: block %llu has something else\n", (unsigned long long)event->data);
		exit(1);
	}
	w->sum += found;
}

static void run(struct work *w, unsigned depth)
{
	static struct iocb ios[MAX_DEPTH];
	static struct io_event events[MAX_DEPTH];
	aio_context_t context = 0;

	bench_need(!syscall(SYS_io_setup, depth, &context), "io_setup");
	for (unsigned i = 0; i < depth; i++) {
		void *buffer = NULL;

		bench_need(!posix_memalign(&buffer, 65536, w->bytes), "memory");
		memset(buffer, (int)i, w->bytes);
		ios[i].aio_buf = (uintptr_t)buffer;
		if (w->submitted < w->count)
			submit(w, context, &ios[i]);
	}
	for (uint64_t done = 0; done < w->count;) {
		long n = syscall(SYS_io_getevents, context, 1, depth, events, NULL);

		bench_need(n > 0, "io_getevents");
		done += n;
		for (long i = 0; i < n; i++) {
			finish(w, &events[i]);
			if (w->submitted < w->count)
				submit(w, context, (struct iocb *)(uintptr_t)events[i].obj);
		}
	}
}

int main(int argc, char **argv)
{
	struct work w = { .seed = 71 };
	unsigned depth;

	bench_need(argc == 6 || argc == 8, "diskio FILE read|write BYTES COUNT DEPTH [random SPAN]");
	w.opcode = strcmp(argv[2], "write") ? IOCB_CMD_PREAD : IOCB_CMD_PWRITE;
	w.bytes = strtoull(argv[3], NULL, 10);
	w.count = strtoull(argv[4], NULL, 10);
	depth = strtoul(argv[5], NULL, 10);
	w.span = argc == 8 ? strtoull(argv[7], NULL, 10) : 0;
	bench_need(depth && depth <= MAX_DEPTH, "DEPTH");
	w.fd = open(argv[1], O_RDWR | O_DIRECT);
	bench_need(w.fd >= 0, argv[1]);
	run(&w, depth);
	bench_need(!fsync(w.fd), "fsync");
	printf("%llu bytes\n", (unsigned long long)(w.bytes * w.count));
	return bench_done("diskio", w.sum);
}

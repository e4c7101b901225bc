/* What an image is recognised by: its beginning, pieces of the rest, and which files it lies in. */
#include "machine/host/block/sample.h"

#include <string.h>
#include <sys/stat.h>

#include "machine/host/block/file.h"
#include "savevm/hash.h"

#define HEAD   (UINT64_C(1) << 20)	/* bytes that are summed whole: labels, tables of partitions, dates of filesystems */
#define PIECES 256u			/* of the rest, one of each part */
#define PIECE  4096u			/* bytes */

static int add(struct block_node *n, uint64_t *sum, uint64_t from, uint64_t to)
{
	uint8_t piece[PIECE];
	int error = 0;

	for (uint64_t bytes; from < to && !error; from += bytes) {
		bytes = to - from < sizeof piece ? to - from : sizeof piece;
		error = n->driver->read(n, from, piece, bytes);
		*sum = hash_bytes(*sum, piece, bytes);
	}
	return error;
}

static int sum_up(struct block_node *n, uint64_t *sum)
{
	/* A server may take whole pages only. */
	uint64_t head = n->size < HEAD ? n->size : HEAD, part = (n->size - head) / PIECES & ~(uint64_t)(PIECE - 1);
	int error = add(n, sum, 0, head);

	for (unsigned i = 0; i < PIECES && part >= PIECE && !error; i++)
		error = add(n, sum, head + i * part, head + i * part + PIECE);
	return error || part >= PIECE ? error : add(n, sum, head, n->size);
}

/* False: not a file of the host's. */
static bool look_at_file(const struct block_node *n, struct block_sample *sample)
{
	struct stat st;

	while (n->file)
		n = n->file;
	if (fstat(block_file_fd(n), &st))
		return false;
	sample->files = hash_u64(hash_u64(sample->files, st.st_dev), st.st_ino);
	sample->written = hash_u64(hash_u64(sample->written, (uint64_t)st.st_mtim.tv_sec), (uint64_t)st.st_mtim.tv_nsec);
	return true;
}

int sample_take(struct block_node *n, struct block_sample *sample)
{
	*sample = (struct block_sample){ .size = n->size };
	for (const struct block_node *at = n; at; at = at->driver->below ? at->driver->below(at) : NULL)
		if (!look_at_file(at, sample)) {
			sample->files = sample->written = 0;
			break;
		}
	return sum_up(n, &sample->sum);
}

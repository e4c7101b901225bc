/* The file that a qcow2 image lies in. */
#include "machine/host/block/qcow2.h"

#include <unistd.h>

#define LEAST_STEP (1u << 20)		/* bytes that it grows by, so that not each cluster is a call */
#define MOST_STEP  (64u << 20)
#define FEW        4096u		/* bytes that are written sooner than they are reserved */

int qcow2_file_read(struct qcow2 *q, uint64_t offset, void *data, uint64_t bytes)
{
	uint64_t there = offset < q->file->size ? qcow2_min(bytes, q->file->size - offset) : 0;

	memset((uint8_t *)data + there, 0, bytes - there);
	return there ? q->file->driver->read(q->file, offset, data, there) : 0;
}

int qcow2_file_extend(struct qcow2 *q, uint64_t end)
{
	uint64_t step = q->cluster + (end / 8 < LEAST_STEP ? LEAST_STEP : qcow2_min(end / 8, MOST_STEP));
	int error;

	if (end <= q->file->size)
		return 0;
	if (q->owner != getpid())
		return EROFS;
	if (!q->file->driver->resize)
		return ENOSPC;
	error = q->file->driver->resize(q->file, qcow2_round_up(end + step, q->cluster));
	if (error)
		error = q->file->driver->resize(q->file, qcow2_round_up(end, BLOCK_SECTOR));
	else
		q->grown = true;
	return error == ENOTSUP || error == EFBIG ? ENOSPC : error;	/* a device; a limit */
}

/* As it is; or zeros. */
static int write_again(struct qcow2 *q, uint64_t offset, uint64_t bytes, bool fresh)
{
	uint8_t *data = calloc(1, q->cluster);
	int error = data ? 0 : ENOMEM;

	for (uint64_t at = 0, n; at < bytes && !error; at += n) {
		n = qcow2_min(bytes - at, q->cluster);
		error = fresh ? 0 : qcow2_file_read(q, offset + at, data, n);
		if (!error)
			error = q->file->driver->write(q->file, offset + at, data, n);
	}
	free(data);
	return error;
}

int qcow2_file_reserve(struct qcow2 *q, uint64_t offset, uint64_t bytes, bool fresh)
{
	int error = q->owner != getpid() ? EROFS : qcow2_file_extend(q, offset + bytes);

	if (!error)
		error = q->file->driver->reserve && !(fresh && bytes < FEW) ? q->file->driver->reserve(q->file, offset, bytes) : ENOTSUP;
	return error == ENOTSUP ? write_again(q, offset, bytes, fresh) : error;
}

int qcow2_file_write(struct qcow2 *q, uint64_t offset, const void *data, uint64_t bytes)
{
	uint64_t end = offset + bytes;
	int error;

	if (q->owner != getpid())	/* a copy of the process may read what the original is changing */
		return EROFS;
	error = qcow2_file_extend(q, end);
	if (error)
		return error;
	if (end > q->file_end)
		q->file_end = qcow2_round_up(end, q->cluster);
	return q->file->driver->write(q->file, offset, data, bytes);
}

int qcow2_file_barrier(struct qcow2 *q)
{
	return q->barriers ? q->file->driver->flush(q->file) : 0;
}

void qcow2_file_trim(struct qcow2 *q)
{
	if (q->grown && q->file_end < q->file->size)
		q->file->driver->resize(q->file, q->file_end);
	q->grown = false;
}

int qcow2_header_write(struct qcow2 *q, unsigned at, uint64_t value, unsigned bytes)
{
	uint8_t be[8];

	be_put(be, value, bytes);
	return q->file->driver->write(q->file, at, be, bytes);
}

int qcow2_mark_corrupt(struct qcow2 *q)
{
	if (!q->corrupt && !q->node.readonly && q->version >= 3) {
		q->incompatible |= QCOW2_CORRUPT;
		qcow2_header_write(q, QCOW2_AT_INCOMPATIBLE, q->incompatible, 8);
		q->file->driver->flush(q->file);
	}
	q->corrupt = true;
	return EIO;
}

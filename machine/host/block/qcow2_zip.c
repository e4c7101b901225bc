/* Compressed clusters of qcow2 images: raw deflate, or zstd. What comes out is a cluster exactly, whatever goes in. */
#include "machine/host/block/qcow2.h"

#ifdef HAVE_ZLIB
#include <zlib.h>

#define WINDOW (-12)			/* log2; negative: no header around it */

static int inflate_cluster(const uint8_t *in, uint64_t bytes, uint8_t *out, uint32_t cluster)
{
	z_stream z = { .next_in = (Bytef *)(uintptr_t)in, .avail_in = (uInt)bytes, .next_out = out, .avail_out = cluster };
	int result;

	if (inflateInit2(&z, WINDOW) != Z_OK)
		return ENOMEM;
	result = inflate(&z, Z_FINISH);
	inflateEnd(&z);
	return (result == Z_STREAM_END || result == Z_BUF_ERROR) && !z.avail_out ? 0 : EIO;
}
#else
static int inflate_cluster(const uint8_t *in, uint64_t bytes, uint8_t *out, uint32_t cluster)
{
	(void)in, (void)bytes, (void)out, (void)cluster;
	return ENOTSUP;
}
#endif

#ifdef HAVE_ZSTD
#include <zstd.h>

/* What stands behind the frame is padding up to a sector. */
static int zstd_cluster(const uint8_t *in, uint64_t bytes, uint8_t *out, uint32_t cluster)
{
	ZSTD_inBuffer from = { .src = in, .size = bytes };
	ZSTD_outBuffer to = { .dst = out, .size = cluster };
	ZSTD_DCtx *d = ZSTD_createDCtx();
	size_t left = 1, was;

	if (!d)
		return ENOMEM;
	while (to.pos < to.size) {
		was = to.pos + from.pos;
		left = ZSTD_decompressStream(d, &to, &from);
		if (ZSTD_isError(left) || to.pos + from.pos == was)
			break;
	}
	ZSTD_freeDCtx(d);
	return !ZSTD_isError(left) && to.pos == to.size ? 0 : EIO;
}
#else
static int zstd_cluster(const uint8_t *in, uint64_t bytes, uint8_t *out, uint32_t cluster)
{
	(void)in, (void)bytes, (void)out, (void)cluster;
	return ENOTSUP;
}
#endif

int qcow2_unzip(struct qcow2 *q, uint64_t entry)
{
	uint64_t offset, bytes;
	int error;

	if (entry == q->unzipped_entry)
		return 0;
	qcow2_zipped_range(q, entry, &offset, &bytes);
	if (bytes > q->cluster * UINT64_C(2) || offset >= q->file_end || offset < q->cluster)
		return EIO;
	if (!q->unzipped)
		q->unzipped = malloc(q->cluster);
	if (!q->zipped)
		q->zipped = malloc(q->cluster * (size_t)2);
	if (!q->unzipped || !q->zipped)
		return ENOMEM;
	q->unzipped_entry = 0;
	error = qcow2_file_read(q, offset, q->zipped, bytes);
	if (!error)
		error = (q->zstd ? zstd_cluster : inflate_cluster)(q->zipped, bytes, q->unzipped, q->cluster);
	if (!error)
		q->unzipped_entry = entry;
	return error;
}

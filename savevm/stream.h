/* A snapshot as a stream of bytes: big-endian numbers through a buffer, over a file descriptor.
 *
 * Errors stick: the first one is kept as a line in `error`, and from then on reads give zeros
 * and writes do nothing, so that callers check where it suits them. What passes is summed, for
 * the checksums of sections.
 * Source of the format: QEMU, docs/devel/migration. Big-endian throughout.
 */
#ifndef SAVEVM_STREAM_H
#define SAVEVM_STREAM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "savevm/error.h"

#define STREAM_BUFFER 0x40000		/* bytes; no peek is longer than half of it */

struct stream {
	int fd;				/* stays the caller's; -1: the buffer is all there is */
	bool writing, failed, at_end;
	struct error error;		/* if failed: the first one */
	uint8_t *buf;
	size_t at, end;			/* reading: what is left is [at, end); writing: what waits is [0, at) */
	uint64_t before;		/* bytes of the stream before buf[0] */
	size_t summed;			/* bytes of the buffer that are in `sum` already */
	uint32_t sum;			/* CRC-32 since stream_sum_begin() */
	uint32_t (*table)[256];		/* crc32_new() */
	struct zip *zip;		/* what passes is inside a frame of zstd; NULL: it is not */
	uint64_t written, started;	/* writing: bytes that the file has been given, and of those on their way to the disk */
	uint64_t most;			/* reading: bytes that such a frame may hold; 0: any */
};

/* False and err->msg set: out of memory. */
bool stream_open(struct stream *s, int fd, bool writing, struct error *err);
/* A reader of `len` bytes of memory, which stay the caller's. */
bool stream_open_memory(struct stream *s, const void *data, size_t len, struct error *err);
void stream_close(struct stream *s);
/* Writing: all of it in one frame of zstd, which stream_finish() ends. Reading: found out by itself. */
bool stream_compress(struct stream *s, struct error *err);
bool stream_finish(struct stream *s);
uint64_t stream_position(const struct stream *s);	/* bytes from the start */

/* Keeps the first error; returns false for the caller to pass on. */
bool stream_fail(struct stream *s, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* ---- Writing ---- */
void stream_put(struct stream *s, const void *data, size_t len);
void stream_put_zeros(struct stream *s, size_t len);
void stream_put_be(struct stream *s, uint64_t value, unsigned bytes);	/* the low 1 to 8 */
void stream_put_string(struct stream *s, const char *text);	/* a length byte, no NUL; at most 255 */
bool stream_flush(struct stream *s);

/* ---- Reading ---- */
bool stream_get(struct stream *s, void *data, size_t len);	/* false: zeros */
bool stream_skip(struct stream *s, uint64_t len);
bool stream_at_end(struct stream *s);			/* or it fails */
uint64_t stream_get_be(struct stream *s, unsigned bytes);
/* text[256]: NUL-terminated, printable ASCII, or the stream fails: it may be shown on a terminal. */
bool stream_get_string(struct stream *s, char text[256]);
bool stream_is_name(const char *text, size_t len);
/* The next bytes, as many of `len` as there are (*have); they stay. */
const uint8_t *stream_peek(struct stream *s, size_t len, size_t *have);

/* ---- Sums: the CRC-32 of IEEE 802.3, as zlib computes it ---- */
void stream_sum_begin(struct stream *s, uint32_t so_far);
uint32_t stream_sum(struct stream *s);			/* up to here */

uint32_t (*crc32_new(void))[256];			/* 8 tables; NULL: out of memory; free() */
/* crc32_clmul.c: where the host can; `len` a multiple of 16, at least 64, `crc` inverted before and after. */
bool crc32_is_fast(void);
uint32_t crc32_fold(uint32_t crc, const uint8_t *p, size_t len);
uint32_t crc32_add(uint32_t (*table)[256], uint32_t crc, const void *data, size_t len);

#endif

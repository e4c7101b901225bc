/* The buffered reader and writer; see stream.h. */
#include "savevm/stream.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "savevm/zip.h"

#define WRITEBACK (UINT64_C(8) << 20)	/* bytes */

static bool open_common(struct stream *s, struct error *err)
{
	s->table = crc32_new();
	if (s->table && (s->buf || (s->buf = malloc(STREAM_BUFFER))))
		return true;
	free(s->table);
	error_set(err, "out of memory");
	return false;
}

bool stream_open(struct stream *s, int fd, bool writing, struct error *err)
{
	*s = (struct stream){ .fd = fd, .writing = writing };
	return open_common(s, err);
}

bool stream_open_memory(struct stream *s, const void *data, size_t len, struct error *err)
{
	*s = (struct stream){ .fd = -1, .at_end = true, .buf = (uint8_t *)(uintptr_t)data, .end = len };
	return open_common(s, err);
}

void stream_close(struct stream *s)
{
	if (s->fd >= 0)
		free(s->buf);
	free(s->table);
	zip_free(s->zip);
	s->buf = NULL;
	s->table = NULL;
	s->zip = NULL;
}

bool stream_compress(struct stream *s, struct error *err)
{
	s->zip = zip_new(true, err);
	return s->zip != NULL;
}

uint64_t stream_position(const struct stream *s)
{
	return s->before + s->at;
}

bool stream_fail(struct stream *s, const char *fmt, ...)
{
	va_list ap;

	if (s->failed)
		return false;
	s->failed = true;
	va_start(ap, fmt);
	vsnprintf(s->error.msg, sizeof s->error.msg, fmt, ap);
	va_end(ap);
	return false;
}

/* ---- Sums ---- */

static void sum_up(struct stream *s)
{
	s->sum = crc32_add(s->table, s->sum, s->buf + s->summed, s->at - s->summed);
	s->summed = s->at;
}

void stream_sum_begin(struct stream *s, uint32_t so_far)
{
	s->sum = so_far;
	s->summed = s->at;
}

uint32_t stream_sum(struct stream *s)
{
	sum_up(s);
	return s->sum;
}

/* ---- Writing ---- */

/* What is written starts on its way to the disk at once, beside the rest of the work, and the flush at the
 * end has less to wait for. Where that is not possible, as in a pipe, nothing is lost. */
static void start_writeback(struct stream *s, size_t n)
{
	s->written += n;
	if (s->written - s->started < WRITEBACK)
		return;
	sync_file_range(s->fd, (off_t)s->started, (off_t)(s->written - s->started), SYNC_FILE_RANGE_WRITE);
	s->started = s->written;
}

static void write_out(struct stream *s, const uint8_t *p, size_t len)
{
	while (!s->failed && len) {
		ssize_t n = write(s->fd, p, len);

		if (n < 0)	/* EINTR: the process is to end (machine/host/term.h) */
			stream_fail(s, "cannot write: %s", strerror(errno));
		else if (n == 0)
			stream_fail(s, "cannot write: nothing is taken");
		else if (n > 0) {
			p += n;
			len -= (size_t)n;
			start_writeback(s, (size_t)n);
		}
	}
}

static void compress_buffer(struct stream *s, bool end)
{
	const uint8_t *in = s->buf, *out;
	size_t len = s->at, out_len;
	bool more;

	do {
		more = zip_put(s->zip, &in, &len, end, &out, &out_len);
		write_out(s, out, out_len);
	} while (more && !s->failed);
	if (len)
		stream_fail(s, "cannot compress");
}

static bool flush_buffer(struct stream *s, bool end)
{
	sum_up(s);
	if (s->zip)
		compress_buffer(s, end);
	else
		write_out(s, s->buf, s->at);
	s->before += s->at;
	s->at = s->summed = 0;
	return !s->failed;
}

bool stream_flush(struct stream *s)
{
	return flush_buffer(s, false);
}

bool stream_finish(struct stream *s)
{
	return flush_buffer(s, true);
}

void stream_put(struct stream *s, const void *data, size_t len)
{
	const uint8_t *p = data;

	while (len && !s->failed) {
		size_t room = STREAM_BUFFER - s->at, n = len < room ? len : room;

		memcpy(s->buf + s->at, p, n);
		s->at += n;
		p += n;
		len -= n;
		if (s->at == STREAM_BUFFER)
			stream_flush(s);
	}
}

void stream_put_zeros(struct stream *s, size_t len)
{
	static const uint8_t zeros[256];

	for (; len > sizeof zeros; len -= sizeof zeros)
		stream_put(s, zeros, sizeof zeros);
	stream_put(s, zeros, len);
}

void stream_put_be(struct stream *s, uint64_t value, unsigned bytes)
{
	uint8_t out[8];

	for (unsigned i = 0; i < bytes; i++)
		out[i] = (uint8_t)(value >> 8 * (bytes - 1 - i));
	stream_put(s, out, bytes);
}

void stream_put_string(struct stream *s, const char *text)
{
	size_t len = strlen(text);

	stream_put_be(s, len, 1);
	stream_put(s, text, len & 0xff);
}

/* ---- Reading ---- */

static ssize_t read_in(struct stream *s)
{
	const char *why = NULL;
	ssize_t n;

	if (s->zip) {
		n = zip_read(s->zip, s->fd, s->buf + s->end, STREAM_BUFFER - s->end, &why);
		if (why)
			stream_fail(s, "%s", why);
		return n;
	}
	n = read(s->fd, s->buf + s->end, STREAM_BUFFER - s->end);
	if (n < 0)		/* EINTR: likewise */
		stream_fail(s, "cannot read: %s", strerror(errno));
	return n;
}

/* The first bytes say whether all is compressed. */
static bool begin_reading(struct stream *s)
{
	struct error err;

	while (s->end < 4) {
		ssize_t n = read_in(s);

		if (n <= 0)
			return n == 0;
		s->end += (size_t)n;
	}
	if (((uint32_t)s->buf[0] << 24 | s->buf[1] << 16 | s->buf[2] << 8 | s->buf[3]) != ZIP_MAGIC)
		return true;
	s->zip = zip_new(false, &err);
	if (!s->zip)
		return stream_fail(s, "%s", err.msg);
	zip_feed(s->zip, s->buf, s->end);
	s->end = 0;
	return true;
}

/* Moves what is left to the front and reads on; false: there is no more. */
static bool refill_buffer(struct stream *s)
{
	ssize_t n;

	if (s->at_end || s->failed)
		return false;
	sum_up(s);
	memmove(s->buf, s->buf + s->at, s->end - s->at);
	s->before += s->at;
	s->end -= s->at;
	s->at = s->summed = 0;
	if (!s->before && !s->end && (!begin_reading(s) || s->end))
		return !s->failed;
	n = read_in(s);
	if (n < 0)
		return false;
	s->at_end = n == 0;
	s->end += (size_t)n;
	if (s->zip && s->most && s->before + s->end > s->most)
		return stream_fail(s, "compressed file: expected at most %llu bytes of content: it is damaged", (unsigned long long)s->most);
	return n > 0;
}

bool stream_get(struct stream *s, void *data, size_t len)
{
	uint8_t *p = data;
	size_t left = len;

	while (left && !s->failed) {
		size_t n = s->end - s->at < left ? s->end - s->at : left;

		memcpy(p, s->buf + s->at, n);
		s->at += n;
		p += n;
		left -= n;
		if (left && !refill_buffer(s) && !s->failed)
			stream_fail(s, "the file ends early, at byte %llu", (unsigned long long)stream_position(s));
	}
	if (s->failed)
		memset(data, 0, len);
	return !s->failed;
}

bool stream_skip(struct stream *s, uint64_t len)
{
	uint8_t scratch[512];

	for (; len && !s->failed; len -= len < sizeof scratch ? len : sizeof scratch)
		stream_get(s, scratch, len < sizeof scratch ? (size_t)len : sizeof scratch);
	return !s->failed;
}

bool stream_at_end(struct stream *s)
{
	size_t have;

	stream_peek(s, 1, &have);
	return !s->failed && (!have || stream_fail(s, "something comes behind the end, at byte %llu",
						   (unsigned long long)stream_position(s)));
}

uint64_t stream_get_be(struct stream *s, unsigned bytes)
{
	uint8_t in[8];
	uint64_t value = 0;

	stream_get(s, in, bytes);
	for (unsigned i = 0; i < bytes; i++)
		value = value << 8 | in[i];
	return value;
}

bool stream_get_string(struct stream *s, char text[256])
{
	size_t len = (size_t)stream_get_be(s, 1);

	text[len] = 0;
	if (!stream_get(s, text, len)) {
		text[0] = 0;
		return false;
	}
	return stream_is_name(text, len) || stream_fail(s, "a name that is no text, at byte %llu",
							(unsigned long long)stream_position(s) - len);
}

bool stream_is_name(const char *text, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if (text[i] < ' ' || text[i] > '~')
			return false;
	return true;
}

const uint8_t *stream_peek(struct stream *s, size_t len, size_t *have)
{
	while (s->end - s->at < len && refill_buffer(s))
		;
	*have = s->failed ? 0 : s->end - s->at < len ? s->end - s->at : len;
	return s->buf + s->at;
}

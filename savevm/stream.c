/* The buffered reader and writer; see stream.h. */
#include "savevm/stream.h"

#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

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
	s->buf = NULL;
	s->table = NULL;
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

bool stream_flush(struct stream *s)
{
	size_t done = 0;

	sum_up(s);
	while (!s->failed && done < s->at) {
		ssize_t n = write(s->fd, s->buf + done, s->at - done);

		if (n < 0 && errno != EINTR)
			stream_fail(s, "cannot write: %s", strerror(errno));
		else if (n == 0)
			stream_fail(s, "cannot write: nothing is taken");
		else if (n > 0)
			done += (size_t)n;
	}
	s->before += s->at;
	s->at = s->summed = 0;
	return !s->failed;
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

/* Moves what is left to the front and reads on; false: there is no more. */
static bool refill(struct stream *s)
{
	ssize_t n;

	if (s->at_end || s->failed)
		return false;
	sum_up(s);
	memmove(s->buf, s->buf + s->at, s->end - s->at);
	s->before += s->at;
	s->end -= s->at;
	s->at = s->summed = 0;
	do
		n = read(s->fd, s->buf + s->end, STREAM_BUFFER - s->end);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return stream_fail(s, "cannot read: %s", strerror(errno));
	s->at_end = n == 0;
	s->end += (size_t)n;
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
		if (left && !refill(s) && !s->failed)
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
	while (s->end - s->at < len && refill(s))
		;
	*have = s->failed ? 0 : s->end - s->at < len ? s->end - s->at : len;
	return s->buf + s->at;
}

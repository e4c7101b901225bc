/* zstd, if cede is built with it; see zip.h. */
#include "savevm/zip.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#ifdef HAVE_ZSTD

#include <zstd.h>

#define LEVEL  1			/* a guest waits meanwhile */
#define BUFFER 0x40000			/* bytes */

struct zip {
	ZSTD_CCtx *c;
	ZSTD_DCtx *d;
	uint8_t buf[BUFFER];
	ZSTD_inBuffer in;		/* reading: what of buf is left */
	bool ended, failed;
};

bool zip_known(void)
{
	return true;
}

struct zip *zip_new(bool writing, struct error *err)
{
	struct zip *z = calloc(1, sizeof *z);

	if (z && writing)
		z->c = ZSTD_createCCtx();
	else if (z)
		z->d = ZSTD_createDCtx();
	if (!z || (!z->c && !z->d)) {
		zip_free(z);
		error_set(err, "out of memory");
		return NULL;
	}
	if (z->c) {
		ZSTD_CCtx_setParameter(z->c, ZSTD_c_compressionLevel, LEVEL);
		ZSTD_CCtx_setParameter(z->c, ZSTD_c_checksumFlag, 1);
	}
	z->in = (ZSTD_inBuffer){ .src = z->buf };
	return z;
}

void zip_free(struct zip *z)
{
	if (!z)
		return;
	ZSTD_freeCCtx(z->c);
	ZSTD_freeDCtx(z->d);
	free(z);
}

bool zip_put(struct zip *z, const uint8_t **in, size_t *len, bool end, const uint8_t **out, size_t *out_len)
{
	ZSTD_inBuffer from = { .src = *in, .size = *len };
	ZSTD_outBuffer to = { .dst = z->buf, .size = BUFFER };
	size_t left = ZSTD_compressStream2(z->c, &to, &from, end ? ZSTD_e_end : ZSTD_e_continue);

	*in += from.pos;
	*len -= from.pos;
	*out = z->buf;
	*out_len = to.pos;
	return !ZSTD_isError(left) && (*len || (end && left));
}

void zip_feed(struct zip *z, const uint8_t *head, size_t len)
{
	z->in.size = len < BUFFER ? len : BUFFER;
	memcpy(z->buf, head, z->in.size);
}

static ssize_t refill_input(struct zip *z, int fd)
{
	ssize_t n = read(fd, z->buf, BUFFER);

	z->in.size = n > 0 ? (size_t)n : 0;
	z->in.pos = 0;
	return n;
}

static ssize_t zip_fail(const char **why, const char *line)
{
	*why = line;
	return -1;
}

/* Checks that nothing comes behind the frame. */
static ssize_t at_end(struct zip *z, int fd, const char **why)
{
	if (z->in.pos == z->in.size && refill_input(z, fd) < 0)
		return zip_fail(why, strerror(errno));
	return z->in.pos == z->in.size ? 0 : zip_fail(why, "compressed file: something comes behind its end");
}

ssize_t zip_read(struct zip *z, int fd, uint8_t *buf, size_t len, const char **why)
{
	ZSTD_outBuffer to = { .dst = buf, .size = len };

	while (!z->ended && !to.pos) {
		size_t left;

		if (z->in.pos == z->in.size) {
			ssize_t n = refill_input(z, fd);

			if (n <= 0)
				return zip_fail(why, n ? strerror(errno) : "compressed file: it ends early");
		}
		left = ZSTD_decompressStream(z->d, &to, &z->in);
		if (ZSTD_isError(left))
			return zip_fail(why, "compressed file: it is damaged");
		z->ended = left == 0;
	}
	return to.pos ? (ssize_t)to.pos : at_end(z, fd, why);
}

#else

bool zip_known(void)
{
	return false;
}

struct zip *zip_new(bool writing, struct error *err)
{
	(void)writing;
	error_set(err, "zstd is not built in (libzstd-dev was missing)");
	return NULL;
}

void zip_free(struct zip *z)
{
	(void)z;
}

bool zip_put(struct zip *z, const uint8_t **in, size_t *len, bool end, const uint8_t **out, size_t *out_len)
{
	(void)z, (void)in, (void)end, (void)out;
	*len = *out_len = 0;
	return false;
}

void zip_feed(struct zip *z, const uint8_t *head, size_t len)
{
	(void)z, (void)head, (void)len;
}

ssize_t zip_read(struct zip *z, int fd, uint8_t *buf, size_t len, const char **why)
{
	(void)z, (void)fd, (void)buf, (void)len;
	*why = "zstd is not built in";
	return -1;
}

#endif

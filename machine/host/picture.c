#include "machine/host/picture.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#ifdef HAVE_ZLIB
#include <zlib.h>
#endif

#include "savevm/file.h"

enum picture_format picture_format(const char *name)
{
	return !strcmp(name, "ppm") ? PICTURE_PPM : !strcmp(name, "png") ? PICTURE_PNG : PICTURE_UNKNOWN;
}

/* A row's bytes: red, green, blue. */
static void put_row(uint8_t *at, const uint32_t *pixel, unsigned width)
{
	for (unsigned x = 0; x < width; x++) {
		*at++ = (uint8_t)(pixel[x] >> 16);
		*at++ = (uint8_t)(pixel[x] >> 8);
		*at++ = (uint8_t)pixel[x];
	}
}

/* A file's bytes, to be freed; NULL: no memory. */
static uint8_t *make_ppm(const uint32_t *pixel, unsigned width, unsigned height, size_t *size)
{
	char head[32];
	int n = snprintf(head, sizeof head, "P6\n%u %u\n255\n", width, height);
	uint8_t *bytes = malloc((size_t)n + (size_t)width * height * 3);

	if (!bytes)
		return NULL;
	memcpy(bytes, head, (size_t)n);
	*size = (size_t)n + (size_t)width * height * 3;
	for (unsigned y = 0; y < height; y++)
		put_row(bytes + n + (size_t)y * width * 3, pixel + (size_t)y * width, width);
	return bytes;
}

#ifdef HAVE_ZLIB
static uint8_t *put_u32(uint8_t *at, uint32_t value)
{
	for (unsigned i = 4; i--; value >>= 8)
		at[i] = (uint8_t)value;
	return at + 4;
}

/* 5.3: length, type, data, CRC of the last two. */
static uint8_t *put_chunk(uint8_t *at, const char *type, const uint8_t *data, size_t n)
{
	uint8_t *from = put_u32(at, (uint32_t)n);

	memcpy(from, type, 4);
	if (n)
		memmove(from + 4, data, n);
	return put_u32(from + 4 + n, (uint32_t)crc32(0, from, (uInt)(4 + n)));
}

#define PNG_FRAME 64u			/* signature, and what stands around the picture's chunk */

/* 9: each row begins with the number of its filter, 0: none. */
static uint8_t *make_png(const uint32_t *pixel, unsigned width, unsigned height, size_t *size)
{
	static const uint8_t signature[] = { 0x89, 'P', 'N', 'G', '\r', '\n', 0x1a, '\n' };
	size_t row = 1 + (size_t)width * 3;
	uLongf packed = compressBound((uLong)(row * height));
	uint8_t *raw = malloc(row * height), *data = malloc(packed), *bytes = malloc(packed + PNG_FRAME + 16), *at = bytes;
	uint8_t head[13] = { [8] = 8 /* bits */, [9] = 2 /* RGB */ };

	for (unsigned y = 0; raw && y < height; y++) {
		raw[y * row] = 0;
		put_row(raw + y * row + 1, pixel + (size_t)y * width, width);
	}
	if (raw && data && bytes && compress2(data, &packed, raw, (uLong)(row * height), Z_BEST_SPEED) == Z_OK) {
		put_u32(put_u32(head, width), height);
		memcpy(at, signature, sizeof signature);
		at = put_chunk(at + sizeof signature, "IHDR", head, sizeof head);
		at = put_chunk(at, "IDAT", data, packed);
		at = put_chunk(at, "IEND", NULL, 0);
		*size = (size_t)(at - bytes);
	} else {
		free(bytes);
		bytes = NULL;
	}
	free(raw);
	free(data);
	return bytes;
}
#endif

static bool write_all(int fd, const uint8_t *bytes, size_t size)
{
	for (size_t done = 0; done < size;) {
		ssize_t n = write(fd, bytes + done, size - done);

		if (n <= 0)
			return false;
		done += (size_t)n;
	}
	return true;
}

static bool write_file(const char *path, const uint8_t *bytes, size_t size, struct error *err)
{
	struct save_file file;

	if (!save_file_open(&file, path, err))
		return false;
	if (write_all(file.fd, bytes, size))
		return save_file_commit(&file, err);
	error_set(err, "%s: %s", path, strerror(errno));
	save_file_drop(&file);
	return false;
}

bool picture_write(const char *path, enum picture_format format, const uint32_t *pixel, unsigned width, unsigned height,
		   struct error *err)
{
	uint8_t *bytes = NULL;
	size_t size = 0;
	bool ok = false;

#ifdef HAVE_ZLIB
	if (format == PICTURE_PNG)
		bytes = make_png(pixel, width, height, &size);
#else
	if (format == PICTURE_PNG) {
		error_set(err, "this cede was built without zlib, which PNG needs; ppm does not");
		return false;
	}
#endif
	if (format == PICTURE_PPM)
		bytes = make_ppm(pixel, width, height, &size);
	if (bytes)
		ok = write_file(path, bytes, size, err);
	else
		error_set(err, "out of memory");
	free(bytes);
	return ok;
}

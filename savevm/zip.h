/* A stream inside one frame of zstd. Without libzstd there is none: then zip_new() says so. */
#ifndef SAVEVM_ZIP_H
#define SAVEVM_ZIP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "savevm/error.h"

#define ZIP_MAGIC UINT32_C(0x28b52ffd)	/* a frame's first four bytes, big-endian */

struct zip;

bool zip_known(void);			/* is it built in? */
struct zip *zip_new(bool writing, struct error *err);
void zip_free(struct zip *z);
/* Compresses; `end` closes the frame. What there is to write is at *out, *out_len of it, until the next
 * call; call with what is left while it returns true. */
bool zip_put(struct zip *z, const uint8_t **in, size_t *len, bool end, const uint8_t **out, size_t *out_len);
/* Reads up to `len` bytes of what the frame holds from `fd`, after `head` of the file's first bytes have
 * been given by zip_feed(). 0: the frame has ended, whole. -1: *why says why not. */
void zip_feed(struct zip *z, const uint8_t *head, size_t len);
ssize_t zip_read(struct zip *z, int fd, uint8_t *buf, size_t len, const char **why);

#endif

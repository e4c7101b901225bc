/* Character devices, for whoever commands a machine: what there is, and rings that are read and written. */
#ifndef MACHINE_MONITOR_STREAMS_H
#define MACHINE_MONITOR_STREAMS_H

#include <stdio.h>

#include "machine/core/machine.h"
#include "savevm/error.h"

struct console;

/* Opens what no device and no monitor has: a server listens all the same, and a ring can be written. */
bool streams_new(struct machine *m, struct error *err);
void streams_free(struct machine *m);
void streams_print(const struct machine *m, FILE *out);		/* info chardev */
void streams_query(const struct machine *m, FILE *out);		/* query-chardev: JSON */
void streams_query_backends(FILE *out);

/* The ring of that name; NULL and err->msg set: there is none. */
struct console *streams_ring(const struct machine *m, const char *id, struct error *err);
/* What has been written first of what is there, at most `size` bytes: *len of them, for the caller to free. NULL: err. */
uint8_t *streams_ring_read(struct console *ring, uint64_t size, size_t *len, struct error *err);
/* Base64 (RFC 4648), with a NUL behind it; to be freed. NULL: no memory. */
char *streams_encode(const uint8_t *data, size_t len);
/* In place. False: that is no base64. */
bool streams_decode(char *text, size_t *len, struct error *err);

#endif

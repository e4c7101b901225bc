/* -d and -D. */
#ifndef MACHINE_LOG_H
#define MACHINE_LOG_H

#include <stdbool.h>
#include <stdio.h>

#include "machine/error.h"

struct machine;

/* "unimp,int" to a mask of enum log_channel, added to *mask; false and err->msg set. */
bool log_parse(const char *items, unsigned *mask, struct error *err);
void log_help(FILE *out);
bool log_open(struct machine *m, const char *file, struct error *err);	/* NULL: stderr */
void log_close(struct machine *m);
/* Adds to the text in line[size], as far as there is room. */
void log_append(char *line, size_t size, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
/* machine_log() as struct cpu_env wants it. */
void log_from_cpu(void *machine, unsigned channel, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

#endif

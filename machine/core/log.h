/* -d and -D. */
#ifndef MACHINE_CORE_LOG_H
#define MACHINE_CORE_LOG_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "savevm/error.h"

struct machine;

/* "unimp,int" to a mask of enum log_channel, added to *mask; false and err->msg set. */
bool log_parse(const char *items, unsigned *mask, struct error *err);
void log_help(FILE *out);
bool log_open(struct machine *m, const char *file, struct error *err);	/* NULL: stderr */
void log_close(struct machine *m);
/* "CYCLE cpuN LINE", for a line that is about another moment than now. Replaces in `line` what is
 * not printable. */
void log_at(struct machine *m, uint64_t cycle, unsigned cpu, char *line);
/* Without a head; the caller ends the line. */
void log_plain(struct machine *m, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* Adds to the text in line[size], as far as there is room. */
void log_append(char *line, size_t size, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
/* machine_log() as struct cpu_env wants it. */
void log_from_cpu(void *machine, unsigned channel, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

#endif

/* What monitors show of drives and do with them. */
#ifndef MACHINE_MONITOR_BLOCK_H
#define MACHINE_MONITOR_BLOCK_H

#include <stdio.h>

#include "machine/core/machine.h"
#include "savevm/error.h"

/* By its own name, its user's, or that of its node. NULL: there is none. */
struct drive *block_find(const struct machine *m, const char *name);

/* ---- By hand, in QEMU's form ---- */
void block_print(struct machine *m, const char *argument, FILE *out);	/* "info block [-v] [DEVICE]" */
void block_print_stats(struct machine *m, const char *argument, FILE *out);
/* Each with what stands behind the command's name; false: err->msg says why. */
bool block_run_eject(struct machine *m, const char *argument, struct error *err);
bool block_run_change(struct machine *m, const char *argument, struct error *err);
bool block_run_resize(struct machine *m, const char *argument, struct error *err);
bool block_run_snapshot(struct machine *m, const char *argument, struct error *err);

/* Another medium. format "": as its first bytes say; mode: "retain", "read-only", "read-write". */
bool block_change(struct drive *d, const char *file, const char *format, const char *mode, bool force, struct error *err);

/* ---- By program: values in JSON ---- */
void block_query(struct machine *m, FILE *out);
void block_query_stats(struct machine *m, FILE *out);

#endif

/* -dtl FILE: writes the dispatcher's transitions, as machine/vp/dtl_format.h says; d->file is NULL without it. */
#ifndef HCALL_DTL_FILE_H
#define HCALL_DTL_FILE_H

#include <stdbool.h>

#include "machine/vp/dtl_format.h"

struct error;
struct machine;

bool dtl_file_open(struct machine *m, const char *path, struct error *err);
void dtl_file_add(struct machine *m, const struct dtl_record *record);
void dtl_file_sync(struct machine *m);		/* nothing earlier than clock.now follows */
void dtl_file_restart(struct machine *m);	/* the machine is another one now: an empty log */
void dtl_file_close(struct machine *m);

#endif

/* -dtl FILE: writes the dispatcher's transitions, as machine/vp/dtl_format.h says; d->file is NULL without it. */
#ifndef HCALL_DTL_FILE_H
#define HCALL_DTL_FILE_H

#include <stdbool.h>

struct error;
struct machine;

bool dtl_file_open(struct machine *m, const char *path, struct error *err);
void dtl_file_close(struct machine *m);

#endif

/* Running a machine. */
#ifndef MACHINE_RUN_RUN_H
#define MACHINE_RUN_RUN_H

#include "machine/core/machine.h"
#include "savevm/error.h"

/* A board, with -save and the monitors. NULL and err->msg set: see machine_new(). Ends with machine_free(). */
struct machine *machine_make(const struct config *o, struct term *term, struct error *err);
/* From power-on until somebody ends it; the process's exit status. Says why on stderr if that is not 0. */
int machine_run(struct machine *m);

#endif

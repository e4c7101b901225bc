/* Running a machine. */
#ifndef MACHINE_RUN_H
#define MACHINE_RUN_H

#include "machine/core/machine.h"

/* From power-on until somebody ends it; the process's exit status. Says why on stderr if that is not 0. */
int machine_run(struct machine *m);

#endif

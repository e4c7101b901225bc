/* -profile: what the guest spends its time on, from some cycle to another, into a file. The file's format is in
 * cpu/spent/prof_format.h; cede-prof reads it. The guest does not notice. */
#ifndef MACHINE_PROFILE_PROFILE_H
#define MACHINE_PROFILE_PROFILE_H

#include <stdbool.h>
#include <stdint.h>

#include "savevm/error.h"

struct machine;

/* As -profile says, if it does. False: the file cannot be written there, or there is no memory. */
bool profile_new(struct machine *m, struct error *err);
void profile_free(struct machine *m);
/* Between quanta: begins and ends to count when it is time. */
void profile_look(struct machine *m);
/* The machine is another one now, or another run: what was counted is forgotten. */
void profile_restart(struct machine *m);
/* The run is over: writes what has not been written. False: it cannot be, and a line has said why. */
bool profile_end(struct machine *m);

/* ---- By hand ---- */
bool profile_save(struct machine *m, struct error *err);	/* what has been counted until now */
bool profile_start(struct machine *m, struct error *err);	/* goes on counting */
bool profile_stop(struct machine *m, struct error *err);

#endif

/* The board: making it, clearing it, freeing it. */
#ifndef MACHINE_BOARD_PSERIES_H
#define MACHINE_BOARD_PSERIES_H

#include "machine/core/machine.h"
#include "savevm/error.h"

/* NULL and err->msg set: bad image, no memory, no console... `options` and `term` stay the caller's. */
struct machine *machine_new(const struct config *options, struct term *term, struct error *err);
void machine_free(struct machine *m);
/* The core whose first thread has that number: its threads are there, stopped, as after power-on; or are absent. */
void machine_core_arrives(struct machine *m, unsigned first);
void machine_core_goes(struct machine *m, unsigned first);
/* As after power-on, but with no firmware and nothing in RAM: for a snapshot to be loaded into. */
void machine_clear(struct machine *m);
/* The same without a word in any log: in a copy of the process, whose logs are the original's. */
void machine_clear_unlogged(struct machine *m);

#endif

/* The board: making it, running it, switching it off. */
#ifndef MACHINE_PSERIES_H
#define MACHINE_PSERIES_H

#include "machine/core/machine.h"
#include "savevm/error.h"

/* Exit statuses beside 0 (the guest switched itself off, or the user quit). */
enum exit_status {
	EXIT_HOST_ERROR = 1,
	EXIT_USAGE = 2,
	EXIT_GUEST_PANIC = 3,
};

#define POLL_CYCLES UINT64_C(1000000)	/* cycles: about 1 ms, below what a typist notices */

/* NULL and err->msg set: bad image, no memory, no console... `options` and `term` stay the caller's. */
struct machine *machine_new(const struct config *options, struct term *term, struct error *err);
void machine_free(struct machine *m);
/* As after power-on, but with no firmware and nothing in RAM: for a snapshot to be loaded into. */
void machine_clear(struct machine *m);
/* From power-on until somebody ends it; the process's exit status. Says why on stderr if that
 * is not 0. */
int machine_run(struct machine *m);

#endif

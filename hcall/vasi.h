/* Sessions in which a guest suspends itself. */
#ifndef HCALL_VASI_H
#define HCALL_VASI_H

#include "machine/core/machine.h"

/* PAPR, "VASI Migration Session States": machine.vasi_state. */
enum vasi_state { VASI_INVALID, VASI_ENABLED, VASI_ABORTED, VASI_SUSPENDING, VASI_SUSPENDED, VASI_RESUMED, VASI_COMPLETED };

/* Index of the -save FILE@guest that is this stream (from 1 on); -1: there is none. */
int vasi_save(const struct machine *m, uint64_t stream);
void vasi_reset(struct machine *m);	/* no session */

#endif

/* Sessions in which a guest suspends itself. */
#ifndef HCALL_VASI_H
#define HCALL_VASI_H

#include "machine/core/machine.h"

/* PAPR, "VASI Migration Session States": machine.vasi_state. */
enum vasi_state { VASI_INVALID, VASI_ENABLED, VASI_ABORTED, VASI_SUSPENDING, VASI_SUSPENDED, VASI_RESUMED, VASI_COMPLETED };

void vasi_reset(struct machine *m);	/* no session */

#endif

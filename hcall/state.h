/* State descriptions of virtual processors and of the dispatcher, for savevm/. */
#ifndef HCALL_STATE_H
#define HCALL_STATE_H

#include "machine/core/machine.h"
#include "savevm/vmstate.h"

struct error;

extern const struct vmstate spapr_cpu_state, cede_vcpu_state;	/* each of a struct spapr_cpu */
extern const struct vmstate dispatcher_state;			/* of a struct dispatcher */

/* After a load: is what the dispatcher and its threads say of each other true? */
bool dispatcher_check(struct machine *m, struct error *err);
/* A guest that another hypervisor saved, at clock.now: its processors begin here, by their
 * run_state, and go on counting where their areas in guest memory say. */
void dispatcher_adopt(struct machine *m);

#endif

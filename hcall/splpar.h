/* Virtual processor areas as other parts of the machine touch them. PAPR, "Virtual Processor Areas". */
#ifndef HCALL_SPLPAR_H
#define HCALL_SPLPAR_H

#include "machine/machine.h"

/* Forgets every area of one processor, as at a reboot. */
void vpa_reset(struct spapr_cpu *sc);
/* The dispatch count becomes even (dispatched) or odd (not), in the area too. */
void vpa_set_dispatched(struct machine *m, struct spapr_cpu *sc, bool dispatched);

#endif

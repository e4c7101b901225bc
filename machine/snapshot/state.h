/* State descriptions of the board as a whole, for snapshot.c. All are of a struct machine. */
#ifndef MACHINE_SNAPSHOT_STATE_H
#define MACHINE_SNAPSHOT_STATE_H

#include "machine/core/machine.h"
#include "savevm/vmstate.h"

/* QEMU's: virtual clock, machine, run state. */
extern const struct vmstate timer_state, spapr_state, globalstate_state;
/* What QEMU saves of -netdev user, and a load reads over: of no struct. */
extern const struct vmstate qemu_slirp_state;
/* cede's: the clocks exactly; all else that the guest can see and QEMU has no place for. */
extern const struct vmstate cede_clock_state, cede_machine_state;

/* log2 of a page's size, as an option has it: "64k". */
void say_page_size(char *buf, size_t size, uint64_t shift);

/* hash_table.c */
struct vms_htab;
void snapshot_htab(struct machine *m, struct vms_htab *htab);
uint64_t hash_htab(uint64_t hash, struct machine *m);

#endif

/* What the files of the run loop have of each other; nobody else includes this. */
#ifndef MACHINE_RUN_LOOP_H
#define MACHINE_RUN_LOOP_H

#include "machine/core/machine.h"

#define HELD_NS UINT64_C(100000000)	/* ns between two looks while output is held: a pty that nobody reads drops it in the end */

/* ---- host_input.c ---- */
void host_read_files(struct machine *m);	/* what comes from files: at a poll point, or while the clock stands */
bool host_file_waits(struct machine *m);	/* a file has more bytes for the next poll point */
/* True while a terminal's reader on the host is slow. The run loop then starts no quantum; virtual time stands, so
 * the guest does not notice. */
bool host_output_held(struct machine *m);
void host_look(struct machine *m);		/* between quanta: takes all that the host has */
/* Within a quantum, after the host's clock has ticked: takes nothing that a guest could notice. True if a user's
 * command waits that can be obeyed between any two instructions. */
bool host_glance(struct machine *m);
void host_serve(struct machine *m);		/* host_glance(), and obeys what it finds */
void host_hold(struct machine *m);		/* while the machine is stopped within a quantum: serves who has stopped it */
/* Waits until the host has something for us or `ns` have passed (UINT64_MAX: no limit), and takes it. True if there
 * was something. */
bool host_wait(struct machine *m, uint64_t ns);

/* ---- idle.c ---- */
uint64_t machine_first_wake(const struct machine *m);	/* cycle of the next event or wake-up; UINT64_MAX: none */
void machine_idle(struct machine *m);

/* ---- quantum.c ---- */
unsigned machine_threads_dispatched(const struct machine *m);
void machine_run_quantum(struct machine *m, unsigned running);	/* `running`: threads that are dispatched */

/* ---- ending.c ---- */
void announce_end(struct machine *m);		/* m->request, to the programs that listen */
/* True: the guest is to boot again. Waits for the user first if the guest is off and the machine is to stay. */
bool goes_on(struct machine *m);
void drain_output(struct machine *m);
int run_status(const struct machine *m);	/* the process's exit status; says why on stderr if that needs saying */

#endif

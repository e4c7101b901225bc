/* A debugger beside the machine: gdb's remote protocol on a stream (-gdb, -s). Each virtual thread is a thread of gdb's, numbered from 1.
 *
 * A processor that meets a point stops where it is, within its quantum: the machine holds, and what goes on later is what would have gone on. */
#ifndef MACHINE_GDB_GDB_H
#define MACHINE_GDB_GDB_H

#include <poll.h>
#include <stdbool.h>

#include "machine/core/machine.h"
#include "savevm/error.h"

struct chardev;

/* Where -gdb says: of a socket that listens, and waits for nobody. False and err->msg set. */
bool gdb_parse(const char *where, struct chardev *chardev, struct error *err);
/* As the configuration wants; none is none. machine_free() frees it. False and err->msg set. */
bool gdb_new(struct machine *m, struct error *err);
void gdb_offer(struct machine *m);		/* to the monitors: gdbserver */
void gdb_poll(struct machine *m);		/* takes what has come */
bool gdb_ready(const struct machine *m);	/* something has */
unsigned gdb_pollfds(const struct machine *m, struct pollfd *fds);
/* Between any two instructions: who has come, or wants the machine to stop, is heard. */
void gdb_listen(struct machine *m);
/* While no processor is within an instruction: the same, and it is obeyed. */
void gdb_run(struct machine *m);
void gdb_take(struct machine *m, uint8_t byte);	/* that has come; the machine is stopped */
/* A processor has stopped at a point, or after a step. The machine is stopped then, unless nobody is there to see it. */
void gdb_observe(struct machine *m, struct cpu *cpu);

#endif

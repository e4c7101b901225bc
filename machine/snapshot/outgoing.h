/* What monitors have written while they go on: migrate and savevm. A copy of the process, as it was at the
 * command, writes; the machine stands only as long as copying takes, but for a migration: that ends with the
 * guest elsewhere, so it stands from the command on, and goes on if it fails or is cancelled. */
#ifndef MACHINE_OUTGOING_H
#define MACHINE_OUTGOING_H

#include <poll.h>
#include <stdio.h>

#include "machine/core/machine.h"
#include "savevm/error.h"

/* QEMU's MigrationStatus, as far as there is need of it. */
enum outgoing_status { OUT_NONE, OUT_SETUP, OUT_ACTIVE, OUT_CANCELLING, OUT_COMPLETED, OUT_FAILED, OUT_CANCELLED };

struct outgoing *outgoing_new(void);		/* NULL: out of memory */
void outgoing_free(struct machine *m);		/* ends it first */

/* False: nothing was begun. "exec:COMMAND", "file:PATH", "tcp:HOST:PORT". */
bool outgoing_migrate(struct machine *m, const char *uri, struct error *err);
bool outgoing_save(struct machine *m, const char *path, struct error *err);
bool outgoing_busy(const struct machine *m);		/* either of them is under way */
bool outgoing_holds(const struct machine *m);		/* a migration is: the guest must not run */
/* The present migration, if there is one. */
void outgoing_cancel(struct machine *m);
/* The guest is to stay as it is, however a migration ends. */
void outgoing_stay(struct machine *m);
/* Is the writer done? Never waits. */
void outgoing_poll(struct machine *m);
unsigned outgoing_pollfds(const struct machine *m, struct pollfd *fds);	/* at most 1 */
/* Before the process ends: a snapshot is written to its end, a migration is cancelled. */
void outgoing_end(struct machine *m);

void outgoing_json(const struct machine *m, FILE *out);		/* QMP's MigrationInfo */
void outgoing_text(const struct machine *m, FILE *out);		/* info migrate */

#endif

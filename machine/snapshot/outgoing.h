/* What monitors have written while they go on: migrate and savevm. A copy of the process, as it was at the
 * command, writes; the machine stands only as long as copying takes, but for a migration: that ends with the
 * guest elsewhere, so it stands from the command on, and goes on if it fails or is cancelled. */
#ifndef MACHINE_SNAPSHOT_OUTGOING_H
#define MACHINE_SNAPSHOT_OUTGOING_H

#include <poll.h>

#include "machine/core/machine.h"
#include "savevm/error.h"

/* The values of QEMU's MigrationStatus that cede's migrations can have. */
enum outgoing_status { OUT_NONE, OUT_SETUP, OUT_ACTIVE, OUT_CANCELLING, OUT_COMPLETED, OUT_FAILED, OUT_CANCELLED };

/* Of the last migration, and of a snapshot that is under way. */
struct outgoing_progress {
	enum outgoing_status status;
	const char *status_name;	/* QEMU's */
	const char *why;		/* OUT_FAILED; lives as long as the machine */
	uint64_t took_ns;		/* by the host's clock, up to now */
	uint64_t total, done, sent;	/* bytes of memory, of it looked at, written */
	uint64_t zero_pages;		/* OUTGOING_PAGE bytes each */
	double mbps;			/* 10^6 bits written in a second */
	bool saving;			/* a snapshot is under way; */
	uint64_t saved;			/* bytes of memory looked at for it */
};

#define OUTGOING_PAGE 4096

/* Called when a save or migration has ended, to answer whoever asked for it. `err` is NULL if it went well or was
 * cancelled. False: nobody waits for the answer. */
typedef bool outgoing_ended(struct machine *m, const struct error *err);

struct outgoing *outgoing_new(outgoing_ended *ended);	/* NULL: out of memory */
void outgoing_free(struct machine *m);		/* ends it first */

/* False: nothing was begun. "exec:COMMAND", "file:PATH", "tcp:HOST:PORT". */
bool outgoing_migrate(struct machine *m, const char *uri, struct error *err);
bool outgoing_save(struct machine *m, const char *path, struct error *err);
bool outgoing_holds(const struct machine *m);		/* a migration is under way: the guest must not run */
/* The present migration, if there is one. */
void outgoing_cancel(struct machine *m);
/* The guest stays stopped even if the present migration fails. */
void outgoing_stay(struct machine *m);
/* Is the writer done? Never waits. */
void outgoing_poll(struct machine *m);
unsigned outgoing_pollfds(const struct machine *m, struct pollfd *fds);	/* at most 1 */
/* Before the process ends: a snapshot is written to its end, a migration is cancelled. */
void outgoing_end(struct machine *m);

struct outgoing_progress outgoing_progress(const struct machine *m);

#endif

/* -incoming: where a snapshot comes from that is not just a file. */
#ifndef MACHINE_SNAPSHOT_INCOMING_H
#define MACHINE_SNAPSHOT_INCOMING_H

#include <stdbool.h>

#include "savevm/error.h"

struct machine;

/* exec:COMMAND, file:PATH, tcp:HOST:PORT: is it well formed? Nothing is opened. */
bool incoming_ok(const char *uri, struct error *err);
/* Waits for the snapshot and loads it; see snapshot_load(). */
bool incoming(struct machine *m, const char *uri, struct error *err);

#endif

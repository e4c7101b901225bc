/* What a monitor can do to a running machine, between quanta: stop, save, load, send away. */
#ifndef MACHINE_MONITOR_CONTROL_H
#define MACHINE_MONITOR_CONTROL_H

#include <stdio.h>

#include "machine/core/machine.h"
#include "savevm/error.h"

const char *control_status(const struct machine *m);	/* QEMU's RunState by name */
void control_stop(struct machine *m);
bool control_cont(struct machine *m, struct error *err);
bool control_reset(struct machine *m, struct error *err);
/* virtio-balloon: the guest shall make do with so many bytes. */
bool control_balloon(struct machine *m, uint64_t bytes, struct error *err);
#define CONTROL_NO_BALLOON "No balloon device has been activated"
/* Named snapshots in -snapdir. A load that fails leaves the machine as it was. control_savevm() returns while a
 * child process still writes; the monitor that asked gets its answer when the child has ended. */
bool control_savevm(struct machine *m, const char *name, struct error *err);
bool control_loadvm(struct machine *m, const char *name, struct error *err);
bool control_delvm(struct machine *m, const char *name, struct error *err);
bool control_list(struct machine *m, FILE *out, struct error *err);
/* The file that -loadvm NAME means: the snapshot of that name in -snapdir if there is one, otherwise the path NAME.
 * buf holds PATH_MAX bytes. */
const char *control_find(const struct machine *m, const char *name, char *buf, size_t size);

#endif

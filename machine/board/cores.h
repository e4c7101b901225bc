/* Cores that come and go: QEMU's "MODEL-spapr-cpu-core". */
#ifndef MACHINE_BOARD_CORES_H
#define MACHINE_BOARD_CORES_H

#include "machine/core/device.h"

/* Makes the connectors of all cores that there can be; those of the start are plugged in. */
bool cores_connect(struct machine *m, struct error *err);

/* What QEMU calls them here: the type of device. */
const char *cores_type(const struct machine *m);
/* The device of the core whose first thread has that number; NULL: it is absent, or the board's own. */
const struct device *cores_device(struct machine *m, unsigned first);

#endif

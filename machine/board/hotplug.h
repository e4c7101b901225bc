/* What a user plugs in, and takes out again, while the guest runs. Where there are connectors (PAPR, "Dynamic Reconfiguration
 * (DR) Architecture") both are asked of the guest: it takes what is there when it likes, and what it does not let go stays. On
 * other buses a device is simply there or gone, as on a cable, and the bridge tells the guest if it has a word for that. */
#ifndef MACHINE_BOARD_HOTPLUG_H
#define MACHINE_BOARD_HOTPLUG_H

#include "machine/core/device.h"
#include "machine/core/machine.h"
#include "savevm/error.h"

extern const struct device_class connectors_class;	/* the device that has the board's connectors */

/* "DRIVER,NAME=VALUE,.." as -device takes it. Between quanta. False and err->msg set. */
bool hotplug_add(struct machine *m, const char *text, struct error *err);
/* Asks the guest to let the device of that id go; RUN_DEVICE_DELETED says when it has. *found false: there is no such device. */
bool hotplug_remove(struct machine *m, const char *id, bool *found, struct error *err);
/* The guest goes: what it was to let go is taken. */
void hotplug_finish(struct machine *m);

#endif

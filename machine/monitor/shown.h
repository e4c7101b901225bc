/* Screens, as monitors command them. */
#ifndef MACHINE_MONITOR_SHOWN_H
#define MACHINE_MONITOR_SHOWN_H

#include "machine/core/machine.h"
#include "savevm/error.h"

/* Writes what a screen shows into a file, which is whole or the old one. `format`: "ppm", "png"; `device`: an id, "": the
 * first screen that there is, "panel": the dispatcher's picture. */
bool shown_dump(struct machine *m, const char *file, const char *format, const char *device, struct error *err);
/* Of viewers of VNC: "vnc PASSWORD" as typed, or the password alone. */
bool shown_run_password(struct machine *m, const char *argument, struct error *err);
bool shown_run_dump(struct machine *m, const char *argument, struct error *err);	/* as typed */

bool shown_run_panel(struct machine *m, const char *argument, struct error *err);	/* likewise */

#endif

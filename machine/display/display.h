/* The machine's side of what a user sees and does: the first screen's rows go to a canvas, keys and pointers to devices.
 * Who shows it is the host's (machine/host/viewer.h). */
#ifndef MACHINE_DISPLAY_DISPLAY_H
#define MACHINE_DISPLAY_DISPLAY_H

#include <poll.h>

#include "machine/core/machine.h"
#include "savevm/error.h"

struct display;

/* Makes m->display if the options ask for one; false and err->msg set: it cannot be had. */
bool display_new(struct machine *m, struct error *err);
void display_free(struct machine *m);

void display_show(struct machine *m);		/* at any time: takes nothing that a guest could notice */
/* ns of the host until a picture is to be shown that came too soon after the last one; UINT64_MAX: there is none. */
uint64_t display_late_ns(const struct machine *m);
/* At poll points: what the user has done. True: he wants a machine that he has stopped to go on. */
bool display_take(struct machine *m);
bool display_closed(const struct machine *m);	/* the user has closed it */
/* Of viewers of VNC, from now on. False and err->msg set: they need none. */
bool display_set_password(struct machine *m, const char *password, struct error *err);
/* The dispatcher's picture instead of the guest's (machine/display/panel.h). False and err->msg set: nobody shows it. */
bool display_set_panel(struct machine *m, bool on, struct error *err);
/* NULL: it has not been shown yet. */
struct panel *display_panel(const struct machine *m);
unsigned display_pollfds(const struct machine *m, struct pollfd *fds);	/* 1 at most */

#endif

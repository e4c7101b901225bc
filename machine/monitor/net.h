/* What monitors show of networks and do with them. */
#ifndef MACHINE_MONITOR_NET_H
#define MACHINE_MONITOR_NET_H

#include <stdio.h>

#include "machine/core/machine.h"
#include "savevm/error.h"

/* ---- By hand, in QEMU's form ---- */
void net_print(struct machine *m, const char *argument, FILE *out);	/* "info network" */
void net_print_usernet(struct machine *m, const char *argument, FILE *out);
void net_run_hostfwd_add(struct machine *m, const char *argument, FILE *out);
void net_run_hostfwd_remove(struct machine *m, const char *argument, FILE *out);
void net_run_announce(struct machine *m, const char *argument, FILE *out);
bool net_run_link(struct machine *m, const char *argument, struct error *err);	/* "NAME on|off" */

/* The cable of the netdev or card of that name. False and err->msg set: there is none. */
bool net_set_link(struct machine *m, const char *name, bool up, struct error *err);

#endif

/* What comes and goes while the machine runs: devices, drives, networks. Names and forms are QEMU's. */
#ifndef MACHINE_MONITOR_PLUG_H
#define MACHINE_MONITOR_PLUG_H

#include <stdio.h>

#include "machine/core/machine.h"
#include "savevm/error.h"
#include "savevm/json.h"

/* ---- By hand. False and err->msg set. ---- */
bool plug_run_add(struct machine *m, const char *argument, struct error *err);
bool plug_run_remove(struct machine *m, const char *argument, struct error *err);
bool plug_run_drive_add(struct machine *m, const char *argument, struct error *err);
bool plug_run_drive_delete(struct machine *m, const char *argument, struct error *err);
bool plug_run_net_add(struct machine *m, const char *argument, struct error *err);
bool plug_run_net_delete(struct machine *m, const char *argument, struct error *err);

/* "info hotpluggable-cpus", query-hotpluggable-cpus. */
void plug_print_cpus(struct machine *m, const char *argument, FILE *out);
void plug_query_cpus(struct machine *m, FILE *out);

/* ---- By program: "arguments", an object ---- */
bool plug_device(struct machine *m, const struct json *j, uint32_t arguments, struct error *err);
bool plug_blockdev(struct machine *m, const struct json *j, uint32_t arguments, struct error *err);
bool plug_net(struct machine *m, const struct json *j, uint32_t arguments, struct error *err);

#endif

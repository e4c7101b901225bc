/* Keys and pointers, as monitors work them for a user who is not there. */
#ifndef MACHINE_MONITOR_TYPED_H
#define MACHINE_MONITOR_TYPED_H

#include "machine/core/machine.h"
#include "savevm/error.h"
#include "savevm/json.h"

/* "sendkey ctrl-alt-delete [MS]": all are pressed, then let go. The time is taken and means nothing. */
bool typed_run_keys(struct machine *m, const char *argument, struct error *err);
/* QMP, by node: "keys" of send-key, "events" of input-send-event; JSON_NONE: missing. */
bool typed_keys(struct machine *m, const struct json *j, uint32_t keys, struct error *err);
bool typed_events(struct machine *m, const struct json *j, uint32_t events, struct error *err);

#endif

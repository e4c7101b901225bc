/* What the platform has to tell the guest: error logs, fetched by check-exception. */
#ifndef MACHINE_RTAS_EVENTS_H
#define MACHINE_RTAS_EVENTS_H

#include "machine/core/machine.h"

#define EVENT_LOG_MAX 128		/* bytes of an extended log here */

/* An RTAS error log: the 8-byte header as two words, then the extended log, big-endian. */
struct event_log {
	uint32_t summary;
	uint32_t len;
	uint8_t data[EVENT_LOG_MAX];
	struct event_log *next;
};

/* Version, severity, disposition... of the summary word. PAPR, "RTAS Error Return Format". */
#define EVENT_VERSION_6      UINT32_C(0x06000000)
#define EVENT_SEVERITY_EVENT UINT32_C(0x00200000)
#define EVENT_SEVERITY_SYNC  UINT32_C(0x00600000)
#define EVENT_NOT_RECOVERED  UINT32_C(0x00100000)
#define EVENT_EXTENDED       UINT32_C(0x00040000)
#define EVENT_INITIATOR_CPU  UINT32_C(0x00001000)
#define EVENT_INITIATOR_HOTPLUG UINT32_C(0x00006000)
#define EVENT_TYPE_MASK      UINT32_C(0x000000ff)
#define EVENT_TYPE_EPOW      UINT32_C(0x00000040)
#define EVENT_TYPE_HOTPLUG   UINT32_C(0x000000e5)

/* Appends the low `bytes` bytes of v; what does not fit is dropped. */
void event_log_put(struct event_log *log, uint64_t v, unsigned bytes);
/* The 16 bytes that every version 6 extended log starts with. */
void event_log_put_v6(struct event_log *log);
/* A section's header: two letters, its length in bytes with these 8. */
void event_log_put_section(struct event_log *log, const char id[2], unsigned len, uint8_t version);

/* Asks the guest to shut down, as a power button does. False: out of memory. */
bool events_powerdown(struct machine *m);
/* What the sensor of these says. */
uint32_t events_epow(const struct machine *m);
/* Tells the guest that `count` connectors from `index` on are to be looked at, or (0) that one. `event` says of what kind, as
 * struct drc_kind has it. False: out of memory. */
bool events_hotplug(struct machine *m, uint8_t event, uint32_t index, uint32_t count, bool add);
/* Drops all logs: reset, end. */
void events_clear(struct machine *m);

#endif
